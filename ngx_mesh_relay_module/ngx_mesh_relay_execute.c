
/*
 * The chain's subrequest and the filters that capture its answer.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_conf.h"
#include "ngx_mesh_relay_execute.h"


#define NGX_MESH_RELAY_APPEND_MIN  1024


static ngx_int_t ngx_mesh_relay_execute_url(ngx_http_request_t *r,
    ngx_mesh_relay_exec_t *exec);
static ngx_int_t ngx_mesh_relay_execute_prepare(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec);
static ngx_int_t ngx_mesh_relay_execute_headers(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec);
static ngx_uint_t ngx_mesh_relay_execute_method(ngx_str_t *name);
static ngx_int_t ngx_mesh_relay_execute_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_mesh_relay_execute_astray(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec);
static ngx_int_t ngx_mesh_relay_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_mesh_relay_capture(ngx_mesh_relay_exec_t *exec,
    ngx_buf_t *b);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


typedef struct {
    ngx_str_t   name;
    ngx_uint_t  method;
} ngx_mesh_relay_method_t;


static ngx_mesh_relay_method_t  ngx_mesh_relay_methods[] = {
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("GET"), NGX_HTTP_GET },
    { ngx_string("HEAD"), NGX_HTTP_HEAD },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_string("OPTIONS"), NGX_HTTP_OPTIONS },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_null_string, NGX_HTTP_UNKNOWN }
};


/* indexed by ngx_mesh_relay_chain_outcome_e */

static pocket_chain_failure_e  ngx_mesh_relay_failures[] = {
    POCKET_CHAIN_BODY,
    POCKET_CHAIN_CONNECT,
    POCKET_CHAIN_TIMEOUT,
    POCKET_CHAIN_BODY,
    POCKET_CHAIN_BODY
};


ngx_int_t
ngx_mesh_relay_execute(ngx_http_request_t *r, ngx_mesh_relay_exec_t *exec)
{
    ngx_http_request_t          *sr;
    ngx_mesh_relay_loc_conf_t   *lcf;
    ngx_http_post_subrequest_t  *ps;

    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_relay_module);

    exec->done = 0;
    exec->began = 0;
    exec->complete = 0;
    exec->too_large = 0;
    exec->asked = 0;
    exec->size = 0;
    exec->status = 0;

    if (exec->url.data == NULL
        && ngx_mesh_relay_execute_url(r, exec) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_mesh_relay_execute_done;
    ps->data = exec;

    if (ngx_http_subrequest(r, &lcf->chain_location, NULL, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    exec->sr = sr;

    /* a second call adds to what $upstream_* told of the first */
    sr->upstream_states = r->upstream_states;

    return ngx_mesh_relay_execute_prepare(sr, exec);
}


/*
 * The URL for proxy_pass: upstream{} names take the place of the authority,
 * as that is how the kept connections and balancing of nginx are reached.
 */

static ngx_int_t
ngx_mesh_relay_execute_url(ngx_http_request_t *r, ngx_mesh_relay_exec_t *exec)
{
    u_char     *p;
    ngx_str_t   authority, scheme, target;

    authority = exec->chain->upstream;

    ngx_memcpy(&scheme, &exec->request.scheme, sizeof(ngx_str_t));
    ngx_memcpy(&target, &exec->request.target, sizeof(ngx_str_t));

    if (authority.len == 0) {
        ngx_memcpy(&authority, &exec->request.host, sizeof(ngx_str_t));
    }

    p = ngx_pnalloc(r->pool, scheme.len + 3 + authority.len + 1 + target.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    exec->url.data = p;

    p = ngx_cpymem(p, scheme.data, scheme.len);
    p = ngx_cpymem(p, "://", 3);
    p = ngx_cpymem(p, authority.data, authority.len);

    if (ngx_strncasecmp(authority.data, (u_char *) "unix:", 5) == 0) {
        *p++ = ':';
    }

    p = ngx_cpymem(p, target.data, target.len);

    exec->url.len = p - exec->url.data;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_execute_prepare(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec)
{
    ngx_buf_t                *b;
    ngx_str_t                 server;
    ngx_http_request_body_t  *rb;

    /* nothing of the client's own request goes to the chain */

    server = sr->headers_in.server;

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));

    sr->headers_in.server = server;
    sr->headers_in.content_length_n = exec->request.body.len;

    if (ngx_mesh_relay_execute_headers(sr, exec) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(&sr->method_name, &exec->request.method, sizeof(ngx_str_t));
    sr->method = ngx_mesh_relay_execute_method(&sr->method_name);

    rb = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = rb;

    if (exec->request.body.len == 0) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(sr->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->last_buf = 1;
    b->pos = exec->request.body.data;
    b->last = b->pos + exec->request.body.len;
    b->start = b->pos;
    b->end = b->last;

    rb->bufs = ngx_alloc_chain_link(sr->pool);
    if (rb->bufs == NULL) {
        return NGX_ERROR;
    }

    rb->bufs->buf = b;
    rb->bufs->next = NULL;
    rb->buf = b;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_execute_headers(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec)
{
    size_t            i;
    ngx_table_elt_t  *h;

    if (ngx_list_init(&sr->headers_in.headers, sr->pool,
                      exec->request.nheaders + 1, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < exec->request.nheaders; i++) {
        h = ngx_list_push(&sr->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(&h->key, &exec->request.headers[i].name,
                   sizeof(ngx_str_t));
        ngx_memcpy(&h->value, &exec->request.headers[i].value,
                   sizeof(ngx_str_t));

        mesh_table_elt_last(h);

        h->lowcase_key = ngx_pnalloc(sr->pool, h->key.len + 1);
        if (h->lowcase_key == NULL) {
            return NGX_ERROR;
        }

        h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_mesh_relay_execute_method(ngx_str_t *name)
{
    ngx_mesh_relay_method_t  *m;

    for (m = ngx_mesh_relay_methods; m->name.len; m++) {
        if (m->name.len == name->len
            && ngx_strncmp(m->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return m->method;
}


/*
 * Not by the module's context of the request: that is lost when the location
 * redirects.
 */

ngx_mesh_relay_exec_t *
ngx_mesh_relay_execute_of(ngx_http_request_t *r)
{
    if (r == r->main || r->post_subrequest == NULL
        || r->post_subrequest->handler != ngx_mesh_relay_execute_done)
    {
        return NULL;
    }

    return r->post_subrequest->data;
}


/*
 * May run twice.  NGX_OK is returned whatever happened: any other code would
 * make nginx build an error page, or end the client's connection.
 */

static ngx_int_t
ngx_mesh_relay_execute_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_mesh_relay_exec_t *exec = data;

    if (exec->done) {
        return NGX_OK;
    }

    exec->done = 1;

    sr->parent->upstream_states = sr->upstream_states;

    if (exec->too_large) {

        /* nginx takes a filter's failure for one of the client's connection */

        sr->connection->error = 0;

        exec->outcome = NGX_MESH_RELAY_CHAIN_TOO_LARGE;

    } else if (!exec->asked) {
        ngx_mesh_relay_execute_astray(sr, exec);

    } else if (exec->complete) {
        exec->outcome = NGX_MESH_RELAY_CHAIN_ANSWERED;

    } else if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        exec->outcome = NGX_MESH_RELAY_CHAIN_TIMEOUT;

    } else if (exec->began) {

        /* by a time-out, too: so the reference tells it */

        exec->outcome = NGX_MESH_RELAY_CHAIN_CUT;

    } else {
        exec->outcome = NGX_MESH_RELAY_CHAIN_UNREACHED;
    }

    return NGX_OK;
}


/* a page of this nginx must not be signed as the answer of a chain */

static void
ngx_mesh_relay_execute_astray(ngx_http_request_t *sr,
    ngx_mesh_relay_exec_t *exec)
{
    ngx_mesh_relay_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(sr->parent, ngx_mesh_relay_module);

    ngx_log_error(NGX_LOG_ERR, sr->connection->log, 0,
                  "no chain was asked: location \"%V\" of "
                  "\"mesh_relay_chain_location\" is not there, or makes no "
                  "use of \"$mesh_relay_chain_url\"", &lcf->chain_location);

    exec->outcome = NGX_MESH_RELAY_CHAIN_UNREACHED;
}


ngx_uint_t
ngx_mesh_relay_execute_retry(ngx_mesh_relay_exec_t *exec)
{
    ngx_http_upstream_t  *u;

    if (exec->retried || exec->outcome != NGX_MESH_RELAY_CHAIN_UNREACHED) {
        return 0;
    }

    u = exec->sr->upstream;

    if (u == NULL || !u->peer.cached || u->state == NULL
        || u->state->bytes_received != 0)
    {
        return 0;
    }

    exec->retried = 1;

    return 1;
}


void
ngx_mesh_relay_execute_error(ngx_mesh_relay_exec_t *exec,
    pocket_payload_t *payload, pocket_error_t *err, pocket_alloc_t *a)
{
    /* without memory for the reason the error goes out without one */

    (void) pocket_request_failure(ngx_mesh_relay_failures[exec->outcome],
                                  &exec->chain->entry.id, payload, err, a);
}


ngx_int_t
ngx_mesh_relay_append(ngx_pool_t *pool, u_char **data, size_t *used,
    size_t *size, u_char *p, size_t len)
{
    u_char  *grown;
    size_t   want;

    if (len > *size - *used) {

        want = ngx_max(2 * *size, NGX_MESH_RELAY_APPEND_MIN);
        want = ngx_max(want, *used + len);

        grown = ngx_pnalloc(pool, want);
        if (grown == NULL) {
            return NGX_ERROR;
        }

        if (*data) {
            ngx_memcpy(grown, *data, *used);
            (void) ngx_pfree(pool, *data);
        }

        *data = grown;
        *size = want;
    }

    ngx_memcpy(*data + *used, p, len);
    *used += len;

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_capture_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_mesh_relay_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_mesh_relay_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_header_filter(ngx_http_request_t *r)
{
    ngx_mesh_relay_exec_t  *exec;

    exec = ngx_mesh_relay_execute_of(r);

    if (exec == NULL) {
        return ngx_http_next_header_filter(r);
    }

    r->filter_need_in_memory = 1;
    r->header_sent = 1;

    exec->began = 1;
    exec->status = r->headers_out.status;

    if (r->headers_out.content_length_n > (off_t) exec->limit) {
        exec->too_large = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_mesh_relay_exec_t  *exec;

    exec = ngx_mesh_relay_execute_of(r);

    if (exec == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for ( /* void */ ; in; in = in->next) {
        if (ngx_mesh_relay_capture(exec, in->buf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_capture(ngx_mesh_relay_exec_t *exec, ngx_buf_t *b)
{
    size_t  n;

    if (ngx_buf_in_memory(b)) {
        n = b->last - b->pos;

        if (n > exec->limit - exec->size) {
            exec->too_large = 1;
            return NGX_ERROR;
        }

        if (n && exec->piece(exec->data, b->pos, n) != NGX_OK) {
            return NGX_ERROR;
        }

        exec->size += n;
        b->pos = b->last;

    } else if (ngx_buf_size(b)) {
        ngx_log_error(NGX_LOG_ALERT, exec->sr->connection->log, 0,
                      "an answer of a chain is not in memory");
        return NGX_ERROR;
    }

    if (b->last_in_chain || b->last_buf) {
        exec->complete = 1;
    }

    return NGX_OK;
}
