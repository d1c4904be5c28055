
/*
 * Answers of the module's own making, and reading what they answer to.
 */


#include "ngx_mesh_relay_answer.h"
#include "ngx_mesh_relay_idle.h"
#include "pocket_response.h"


static ngx_int_t ngx_mesh_relay_body_copy(ngx_http_request_t *r,
    ngx_chain_t *in, ngx_str_t *body);


/* indexed by ngx_mesh_relay_type_e */

static ngx_str_t  ngx_mesh_relay_types[] = {
    ngx_string(POCKET_TYPE_RELAY),
    ngx_string(POCKET_TYPE_HTTP),
    ngx_string(POCKET_TYPE_TEXT)
};


static char  *ngx_mesh_relay_cors_headers[][2] = {
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Methods", "POST" },
    { "Access-Control-Allow-Headers",
      "Accept, Content-Type, Content-Length, Accept-Encoding, "
      "X-CSRF-Token, Authorization" },
    { NULL, NULL }
};


ngx_int_t
ngx_mesh_relay_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_mesh_relay_type_e type, ngx_chain_t *body, off_t size)
{
    u_char       *p;
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    if (ngx_mesh_relay_idle_spare(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = size;

    if (size) {
        r->headers_out.content_type = ngx_mesh_relay_types[type];
        r->headers_out.content_type_lowcase = NULL;

        /* gzip_types and the like are compared without the charset */

        p = ngx_strlchr(r->headers_out.content_type.data,
                        r->headers_out.content_type.data
                        + r->headers_out.content_type.len, ';');

        r->headers_out.content_type_len = p - r->headers_out.content_type.data;

    } else {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = body; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = 1;
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, body);
}


ngx_int_t
ngx_mesh_relay_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_mesh_relay_type_e type, ngx_str_t *text)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = (text->len != 0);

    out.buf = b;
    out.next = NULL;

    return ngx_mesh_relay_send(r, status, type, &out, text->len);
}


ngx_int_t
ngx_mesh_relay_send_http_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *message)
{
    ngx_str_t       text;
    pocket_str_t    body, msg;
    pocket_alloc_t  a;

    mesh_pool_allocator(r->pool, &a);

    msg.len = message->len;
    msg.data = message->data;

    if (pocket_response_http_error(status, &msg, &body, &a) != POCKET_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.len = body.len;
    text.data = body.data;

    return ngx_mesh_relay_send_text(r, status, NGX_MESH_RELAY_TYPE_HTTP,
                                    &text);
}


ngx_int_t
ngx_mesh_relay_send_error(ngx_http_request_t *r, pocket_error_t *err,
    ngx_str_t *dispatch)
{
    ngx_str_t       text;
    pocket_str_t    body, known;
    pocket_alloc_t  a;

    mesh_pool_allocator(r->pool, &a);

    known.len = dispatch->len;
    known.data = dispatch->data;

    if (pocket_response_error(err, &known, &body, &a) != POCKET_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.len = body.len;
    text.data = body.data;

    return ngx_mesh_relay_send_text(r, pocket_error_def(err->id)->status,
                                    NGX_MESH_RELAY_TYPE_RELAY, &text);
}


ngx_int_t
ngx_mesh_relay_cors(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    for (i = 0; ngx_mesh_relay_cors_headers[i][0]; i++) {
        if (ngx_mesh_relay_header(r, ngx_mesh_relay_cors_headers[i][0],
                                  ngx_mesh_relay_cors_headers[i][1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    mesh_table_elt_last(h);

    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_method(ngx_http_request_t *r, ngx_uint_t mask,
    const char *allow)
{
    ngx_int_t         rc;
    static ngx_str_t  refusal = ngx_string("Method Not Allowed\n");
    static ngx_str_t  nothing = ngx_null_string;

    if (r->method & mask) {
        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_mesh_relay_header(r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_mesh_relay_send_text(r, NGX_HTTP_OK,
                                        NGX_MESH_RELAY_TYPE_TEXT, &nothing);
    }

    if (ngx_mesh_relay_header(r, "X-Content-Type-Options", "nosniff")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_mesh_relay_send_text(r, NGX_HTTP_NOT_ALLOWED,
                                    NGX_MESH_RELAY_TYPE_TEXT, &refusal);
}


ngx_int_t
ngx_mesh_relay_body(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *in;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    in = r->request_body->bufs;
    b = in->buf;

    if (in->next == NULL && ngx_buf_in_memory_only(b)) {
        body->data = b->pos;
        body->len = b->last - b->pos;
        return NGX_OK;
    }

    return ngx_mesh_relay_body_copy(r, in, body);
}


static ngx_int_t
ngx_mesh_relay_body_copy(ngx_http_request_t *r, ngx_chain_t *in,
    ngx_str_t *body)
{
    off_t         size;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    p = ngx_pnalloc(r->pool, (size_t) size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) size;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (!b->in_file) {
            continue;
        }

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - b->file_pos),
                          b->file_pos);

        if (n != (ssize_t) (b->file_last - b->file_pos)) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "a relay's body could not be read back from "
                          "\"%V\"", &b->file->name);
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}
