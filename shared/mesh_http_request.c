
/*
 * Requests of the HTTP client: checked, and put into bytes.
 */


#include "mesh_http_core.h"


static ngx_uint_t mesh_http_printable(ngx_str_t *s, u_char least);
static size_t mesh_http_head_length(mesh_http_exchange_t *ex,
    mesh_http_request_t *req);
static u_char *mesh_http_put_uri(u_char *p, mesh_http_request_t *req);
static off_t mesh_http_body_length(mesh_http_request_t *req);
static void mesh_http_set_buf(ngx_buf_t *b, u_char *data, size_t len);


/* what would let data of others end a line and begin the next */

ngx_uint_t
mesh_http_valid(mesh_http_request_t *req, ngx_log_t *log)
{
    ngx_uint_t           i;
    ngx_chain_t         *cl;
    mesh_http_header_t  *h;

    if (!mesh_http_printable(&req->path, 0x21)
        || !mesh_http_printable(&req->args, 0x21))
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "space or control character in the path of a request "
                      "to \"%V\"", &req->url->peer->name);
        return 0;
    }

    for (i = 0; i < req->nheaders; i++) {
        h = &req->headers[i];

        if (h->name.len == 0
            || !mesh_http_printable(&h->name, 0x21)
            || !mesh_http_printable(&h->value, 0x20))
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "control character in a header of a request "
                          "to \"%V\"", &req->url->peer->name);
            return 0;
        }
    }

    for (cl = req->chain; cl; cl = cl->next) {

        if (cl->buf->in_file) {
            ngx_log_error(NGX_LOG_ALERT, log, 0,
                          "file in the body of a request to \"%V\"",
                          &req->url->peer->name);
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
mesh_http_printable(ngx_str_t *s, u_char least)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] < least || s->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
mesh_http_create_head(mesh_http_exchange_t *ex, mesh_http_request_t *req)
{
    off_t                length;
    u_char              *p;
    ngx_uint_t           i;
    ngx_str_t           *agent;
    mesh_http_header_t  *h;

    agent = &ex->conf->user_agent;

    p = ngx_pnalloc(ex->pool, mesh_http_head_length(ex, req));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ex->method.data = p;
    ex->method.len = req->method.len;

    ex->head.data = p;

    p = ngx_cpymem(p, req->method.data, req->method.len);
    *p++ = ' ';

    p = mesh_http_put_uri(p, req);

    p = ngx_cpymem(p, " HTTP/1.1" CRLF "Host: ",
                   sizeof(" HTTP/1.1" CRLF "Host: ") - 1);
    p = ngx_cpymem(p, ex->peer->authority.data, ex->peer->authority.len);
    *p++ = CR; *p++ = LF;

    if (agent->len) {
        p = ngx_cpymem(p, "User-Agent: ", sizeof("User-Agent: ") - 1);
        p = ngx_cpymem(p, agent->data, agent->len);
        *p++ = CR; *p++ = LF;
    }

    if (ex->conf->keepalive == 0) {
        p = ngx_cpymem(p, "Connection: close" CRLF,
                       sizeof("Connection: close" CRLF) - 1);
    }

    length = mesh_http_body_length(req);

    if (length || (req->method.len && req->method.data[0] == 'P')) {
        p = ngx_sprintf(p, "Content-Length: %O" CRLF, length);
    }

    for (i = 0; i < req->nheaders; i++) {
        h = &req->headers[i];

        p = ngx_cpymem(p, h->name.data, h->name.len);
        *p++ = ':'; *p++ = ' ';
        p = ngx_cpymem(p, h->value.data, h->value.len);
        *p++ = CR; *p++ = LF;
    }

    *p++ = CR; *p++ = LF;

    ex->head.len = p - ex->head.data;

    return NGX_OK;
}


/* at most */

static size_t
mesh_http_head_length(mesh_http_exchange_t *ex, mesh_http_request_t *req)
{
    size_t      len;
    ngx_uint_t  i;

    len = req->method.len + sizeof(" /?& HTTP/1.1" CRLF)
          + req->url->path.len + req->path.len
          + req->url->args.len + req->args.len
          + sizeof("Host: " CRLF) + ex->peer->authority.len
          + sizeof("User-Agent: " CRLF) + ex->conf->user_agent.len
          + sizeof("Connection: close" CRLF)
          + sizeof("Content-Length: " CRLF) + NGX_OFF_T_LEN
          + sizeof(CRLF);

    for (i = 0; i < req->nheaders; i++) {
        len += req->headers[i].name.len + req->headers[i].value.len
               + sizeof(": " CRLF);
    }

    return len;
}


static u_char *
mesh_http_put_uri(u_char *p, mesh_http_request_t *req)
{
    size_t      len;
    ngx_str_t  *base, *path;

    base = &req->url->path;
    path = &req->path;
    len = base->len;

    if (path->len && path->data[0] == '/') {

        if (len && base->data[len - 1] == '/') {
            len--;
        }

    } else if (len == 0) {
        *p++ = '/';
    }

    p = ngx_cpymem(p, base->data, len);
    p = ngx_cpymem(p, path->data, path->len);

    if (req->url->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, req->url->args.data, req->url->args.len);
    }

    if (req->args.len) {
        *p++ = req->url->args.len ? '&' : '?';
        p = ngx_cpymem(p, req->args.data, req->args.len);
    }

    return p;
}


static off_t
mesh_http_body_length(mesh_http_request_t *req)
{
    off_t         length;
    ngx_chain_t  *cl;

    length = req->body.len;

    for (cl = req->chain; cl; cl = cl->next) {
        length += ngx_buf_size(cl->buf);
    }

    return length;
}


/* again for each try: sending moves the positions */

ngx_int_t
mesh_http_output(mesh_http_exchange_t *ex)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *in, **ll;

    b = &ex->bufs[0];
    mesh_http_set_buf(b, ex->head.data, ex->head.len);

    ex->out = &ex->links[0];
    ex->out->buf = b;
    ll = &ex->out->next;

    if (ex->body.len) {
        b = &ex->bufs[1];
        mesh_http_set_buf(b, ex->body.data, ex->body.len);

        cl = &ex->links[1];
        cl->buf = b;

        *ll = cl;
        ll = &cl->next;
    }

    for (in = ex->chain; in; in = in->next) {

        if (ngx_buf_size(in->buf) == 0) {
            continue;
        }

        cl = ngx_alloc_chain_link(ex->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        b = ngx_palloc(ex->pool, sizeof(ngx_buf_t));
        if (b == NULL) {
            return NGX_ERROR;
        }

        mesh_http_set_buf(b, in->buf->pos, in->buf->last - in->buf->pos);

        cl->buf = b;

        *ll = cl;
        ll = &cl->next;
    }

    *ll = NULL;

    /* or TLS would wait for a full record */

    b->flush = 1;

    return NGX_OK;
}


static void
mesh_http_set_buf(ngx_buf_t *b, u_char *data, size_t len)
{
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->pos = data;
    b->last = data + len;
    b->memory = 1;
}
