
/*
 * Test module: exchanges of the HTTP client, and what became of them.
 *
 *   mesh_test_http_conf NAME=VALUE...;      http: fields of mesh_http_conf_t
 *   mesh_test_http URL [NAME=VALUE]...;     location: shows the outcome
 *
 * Parameters of mesh_test_http:
 *
 *   method= path= args= header=NAME:VALUE body=
 *   size=N       a body of N bytes instead
 *   chain        the body as a chain of two buffers
 *   once         never more than once to the peer
 *   permit=N     of all writes the first N are permitted
 *   timeout= max_body=
 *   repeat=N     N exchanges, each begun by the handler of the one before
 *   parallel=N   N exchanges, begun in one turn
 *   pause=TIME   before each next one
 *   cancel=TIME  cancels what is unfinished then; 0: in the same turn
 *   within=TIME  shows whether each took no longer
 *   background   answers at once, logs the outcome
 *   show=NAME    a header of the answer
 */


#include "ngx_mesh_test.h"
#include "mesh_http.h"


#define NGX_MESH_TEST_HTTP_MAX      64
#define NGX_MESH_TEST_HTTP_LINE     1024
#define NGX_MESH_TEST_HTTP_SHOWN    200


typedef struct {
    mesh_http_conf_t                 *conf;
    mesh_http_request_t               request;
    ngx_array_t                       headers;   /* mesh_http_header_t */
    ngx_uint_t                        repeat;
    ngx_uint_t                        parallel;
    ngx_msec_t                        pause;
    ngx_msec_t                        cancel;
    ngx_msec_t                        within;
    ngx_uint_t                        permit;
    ngx_str_t                         show;
    unsigned                          chain:1;
    unsigned                          background:1;
} ngx_mesh_test_http_t;


typedef struct ngx_mesh_test_http_ctx_s  ngx_mesh_test_http_ctx_t;


typedef struct {
    mesh_http_exchange_t             *exchange;
    ngx_mesh_test_http_ctx_t         *ctx;
} ngx_mesh_test_http_slot_t;


struct ngx_mesh_test_http_ctx_s {
    ngx_http_request_t               *request;   /* NULL: in background */
    ngx_mesh_test_http_t             *test;
    ngx_pool_t                       *pool;
    ngx_uint_t                        begun;
    ngx_uint_t                        pending;
    ngx_uint_t                        writes;
    ngx_event_t                       timer;
    ngx_str_t                         output;
    size_t                            size;
    ngx_mesh_test_http_slot_t         slots[NGX_MESH_TEST_HTTP_MAX];
};


typedef struct {
    ngx_str_t                         name;
    ngx_uint_t                        type;
    size_t                            offset;
} ngx_mesh_test_http_param_t;


enum {
    NGX_MESH_TEST_MSEC = 0,
    NGX_MESH_TEST_SIZE,
    NGX_MESH_TEST_NUM,
    NGX_MESH_TEST_STR
};


static ngx_int_t ngx_mesh_test_http_param(ngx_conf_t *cf,
    ngx_mesh_test_http_param_t *params, void *base, ngx_str_t *value);
static ngx_int_t ngx_mesh_test_http_set(ngx_mesh_test_http_param_t *param,
    void *base, ngx_str_t *value);
static ngx_int_t ngx_mesh_test_http_word(ngx_conf_t *cf,
    ngx_mesh_test_http_t *test, ngx_str_t *value);
static ngx_int_t ngx_mesh_test_http_handler(ngx_http_request_t *r);
static void ngx_mesh_test_http_begin(ngx_mesh_test_http_ctx_t *ctx);
static ngx_int_t ngx_mesh_test_http_chain(ngx_mesh_test_http_ctx_t *ctx,
    mesh_http_request_t *req);
static ngx_uint_t ngx_mesh_test_http_permit(void *data);
static void ngx_mesh_test_http_done(void *data, mesh_http_result_t *result);
static void ngx_mesh_test_http_show(ngx_mesh_test_http_ctx_t *ctx,
    mesh_http_result_t *result);
static void ngx_mesh_test_http_timer(ngx_event_t *ev);
static void ngx_mesh_test_http_cancel(ngx_mesh_test_http_ctx_t *ctx);
static void ngx_mesh_test_http_cleanup(void *data);
static void ngx_mesh_test_http_end(ngx_mesh_test_http_ctx_t *ctx);
static ngx_int_t ngx_mesh_test_http_reply(ngx_http_request_t *r,
    ngx_str_t *text);


static ngx_mesh_test_http_param_t  ngx_mesh_test_http_conf_params[] = {
    { ngx_string("connect_timeout="), NGX_MESH_TEST_MSEC,
      offsetof(mesh_http_conf_t, connect_timeout) },
    { ngx_string("send_timeout="), NGX_MESH_TEST_MSEC,
      offsetof(mesh_http_conf_t, send_timeout) },
    { ngx_string("read_timeout="), NGX_MESH_TEST_MSEC,
      offsetof(mesh_http_conf_t, read_timeout) },
    { ngx_string("timeout="), NGX_MESH_TEST_MSEC,
      offsetof(mesh_http_conf_t, timeout) },
    { ngx_string("keepalive_timeout="), NGX_MESH_TEST_MSEC,
      offsetof(mesh_http_conf_t, keepalive_timeout) },
    { ngx_string("max_header="), NGX_MESH_TEST_SIZE,
      offsetof(mesh_http_conf_t, max_header) },
    { ngx_string("max_body="), NGX_MESH_TEST_SIZE,
      offsetof(mesh_http_conf_t, max_body) },
    { ngx_string("keepalive="), NGX_MESH_TEST_NUM,
      offsetof(mesh_http_conf_t, keepalive) },
    { ngx_string("ssl_verify="), NGX_MESH_TEST_NUM,
      offsetof(mesh_http_conf_t, ssl_verify) },
    { ngx_string("ssl_trusted_certificate="), NGX_MESH_TEST_STR,
      offsetof(mesh_http_conf_t, ssl_trusted_certificate) },
    { ngx_string("user_agent="), NGX_MESH_TEST_STR,
      offsetof(mesh_http_conf_t, user_agent) },
    { ngx_null_string, 0, 0 }
};


static ngx_mesh_test_http_param_t  ngx_mesh_test_http_params[] = {
    { ngx_string("method="), NGX_MESH_TEST_STR,
      offsetof(ngx_mesh_test_http_t, request.method) },
    { ngx_string("path="), NGX_MESH_TEST_STR,
      offsetof(ngx_mesh_test_http_t, request.path) },
    { ngx_string("args="), NGX_MESH_TEST_STR,
      offsetof(ngx_mesh_test_http_t, request.args) },
    { ngx_string("body="), NGX_MESH_TEST_STR,
      offsetof(ngx_mesh_test_http_t, request.body) },
    { ngx_string("size="), NGX_MESH_TEST_SIZE,
      offsetof(ngx_mesh_test_http_t, request.body.len) },
    { ngx_string("timeout="), NGX_MESH_TEST_MSEC,
      offsetof(ngx_mesh_test_http_t, request.timeout) },
    { ngx_string("max_body="), NGX_MESH_TEST_SIZE,
      offsetof(ngx_mesh_test_http_t, request.max_body) },
    { ngx_string("repeat="), NGX_MESH_TEST_NUM,
      offsetof(ngx_mesh_test_http_t, repeat) },
    { ngx_string("parallel="), NGX_MESH_TEST_NUM,
      offsetof(ngx_mesh_test_http_t, parallel) },
    { ngx_string("pause="), NGX_MESH_TEST_MSEC,
      offsetof(ngx_mesh_test_http_t, pause) },
    { ngx_string("cancel="), NGX_MESH_TEST_MSEC,
      offsetof(ngx_mesh_test_http_t, cancel) },
    { ngx_string("within="), NGX_MESH_TEST_MSEC,
      offsetof(ngx_mesh_test_http_t, within) },
    { ngx_string("permit="), NGX_MESH_TEST_NUM,
      offsetof(ngx_mesh_test_http_t, permit) },
    { ngx_string("show="), NGX_MESH_TEST_STR,
      offsetof(ngx_mesh_test_http_t, show) },
    { ngx_null_string, 0, 0 }
};


char *
ngx_mesh_test_http_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_test_main_conf_t *mcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_mesh_test_http_param(cf, ngx_mesh_test_http_conf_params,
                                     mcf->http_conf, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_mesh_test_http(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    const char                 *err;
    ngx_mesh_test_http_t       *test;
    ngx_mesh_test_loc_conf_t   *lcf;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_mesh_test_main_conf_t  *mcf;

    lcf = conf;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mesh_test_module);
    value = cf->args->elts;

    test = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_test_http_t));
    if (test == NULL) {
        return NGX_CONF_ERROR;
    }

    test->conf = mcf->http_conf;
    test->repeat = 1;
    test->parallel = 1;
    test->cancel = NGX_CONF_UNSET_MSEC;
    test->permit = NGX_CONF_UNSET_UINT;
    ngx_str_set(&test->request.method, "GET");

    if (ngx_array_init(&test->headers, cf->pool, 4,
                       sizeof(mesh_http_header_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    test->request.url = mesh_http_url_parse(cf, test->conf, &value[1], &err);

    if (test->request.url == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V\" of the \"mesh_test_http\" directive",
                           err, &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_mesh_test_http_word(cf, test, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (test->request.body.len && test->request.body.data == NULL) {
        test->request.body.data = ngx_palloc(cf->pool,
                                             test->request.body.len);
        if (test->request.body.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memset(test->request.body.data, 'x', test->request.body.len);
    }

    test->repeat = ngx_min(test->repeat, NGX_MESH_TEST_HTTP_MAX);
    test->parallel = ngx_min(test->parallel, NGX_MESH_TEST_HTTP_MAX);

    test->request.headers = test->headers.elts;
    test->request.nheaders = test->headers.nelts;

    lcf->http = test;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_mesh_test_http_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mesh_test_http_word(ngx_conf_t *cf, ngx_mesh_test_http_t *test,
    ngx_str_t *value)
{
    u_char              *p;
    mesh_http_header_t  *h;

    if (ngx_strcmp(value->data, "chain") == 0) {
        test->chain = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "once") == 0) {
        test->request.once = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "background") == 0) {
        test->background = 1;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "header=", 7) == 0) {

        h = ngx_array_push(&test->headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->name.data = value->data + 7;
        p = (u_char *) ngx_strchr(h->name.data, ':');

        if (p) {
            h->name.len = p - h->name.data;
            h->value.data = p + 1;
            h->value.len = value->data + value->len - h->value.data;

            return NGX_OK;
        }
    }

    return ngx_mesh_test_http_param(cf, ngx_mesh_test_http_params, test,
                                    value);
}


static ngx_int_t
ngx_mesh_test_http_param(ngx_conf_t *cf, ngx_mesh_test_http_param_t *params,
    void *base, ngx_str_t *value)
{
    ngx_str_t                    s;
    ngx_mesh_test_http_param_t  *param;

    for (param = params; param->name.len; param++) {

        if (value->len < param->name.len
            || ngx_strncmp(value->data, param->name.data, param->name.len)
               != 0)
        {
            continue;
        }

        s.data = value->data + param->name.len;
        s.len = value->len - param->name.len;

        if (ngx_mesh_test_http_set(param, base, &s) == NGX_OK) {
            return NGX_OK;
        }

        break;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);
    return NGX_ERROR;
}


static ngx_int_t
ngx_mesh_test_http_set(ngx_mesh_test_http_param_t *param, void *base,
    ngx_str_t *value)
{
    void       *field;
    ngx_int_t   n;

    field = (char *) base + param->offset;

    switch (param->type) {

    case NGX_MESH_TEST_STR:
        *(ngx_str_t *) field = *value;
        return NGX_OK;

    case NGX_MESH_TEST_MSEC:
        n = ngx_parse_time(value, 0);
        break;

    case NGX_MESH_TEST_SIZE:
        n = ngx_parse_size(value);
        break;

    default:
        n = ngx_atoi(value->data, value->len);
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* ngx_msec_t, size_t and ngx_uint_t are one size */

    *(ngx_uint_t *) field = n;

    return NGX_OK;
}


char *
ngx_mesh_test_http_init_conf(ngx_conf_t *cf, ngx_mesh_test_main_conf_t *mcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (mesh_http_conf_init(cf, mcf->http_conf, clcf->resolver,
                            clcf->resolver_timeout)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mesh_test_http_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    ngx_http_cleanup_t        *cln;
    ngx_mesh_test_http_t      *test;
    ngx_mesh_test_loc_conf_t  *lcf;
    ngx_mesh_test_http_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_test_module);
    test = lcf->http;

    pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(pool, sizeof(ngx_mesh_test_http_ctx_t));
    if (ctx == NULL) {
        ngx_destroy_pool(pool);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->pool = pool;
    ctx->test = test;
    ctx->timer.handler = ngx_mesh_test_http_timer;
    ctx->timer.data = ctx;
    ctx->timer.log = ngx_cycle->log;

    ctx->size = NGX_MESH_TEST_HTTP_LINE * test->parallel * test->repeat;
    ctx->output.data = ngx_palloc(pool, ctx->size);

    cln = ngx_http_cleanup_add(r, 0);

    if (ctx->output.data == NULL || cln == NULL) {
        ngx_destroy_pool(pool);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!test->background) {
        ctx->request = r;
        r->main->count++;
        cln->handler = ngx_mesh_test_http_cleanup;
        cln->data = ctx;

        r->read_event_handler = ngx_http_test_reading;
    }

    for (i = 0; i < test->parallel; i++) {
        ngx_mesh_test_http_begin(ctx);
    }

    if (test->cancel == 0) {
        ngx_mesh_test_http_cancel(ctx);

    } else if (test->cancel != NGX_CONF_UNSET_MSEC) {
        ngx_add_timer(&ctx->timer, test->cancel);
    }

    if (test->background) {
        ngx_str_set(&text, "begun\n");
        return ngx_mesh_test_http_reply(r, &text);
    }

    if (ctx->pending == 0) {
        ngx_mesh_test_http_end(ctx);
    }

    return NGX_DONE;
}


static void
ngx_mesh_test_http_begin(ngx_mesh_test_http_ctx_t *ctx)
{
    ngx_uint_t                  i;
    mesh_http_request_t         req;
    ngx_mesh_test_http_slot_t  *slot;

    for (i = 0; ctx->slots[i].exchange; i++) { /* void */ }

    slot = &ctx->slots[i];
    req = ctx->test->request;

    ctx->begun++;

    if (ctx->test->chain && ngx_mesh_test_http_chain(ctx, &req) != NGX_OK) {
        return;
    }

    if (ctx->test->permit != NGX_CONF_UNSET_UINT) {
        req.permit = ngx_mesh_test_http_permit;
    }

    slot->ctx = ctx;
    slot->exchange = mesh_http_send(ctx->test->conf, &req,
                                    ngx_mesh_test_http_done, slot);

    if (slot->exchange) {
        ctx->pending++;
        return;
    }

    ctx->output.len = ngx_slprintf(ctx->output.data + ctx->output.len,
                                   ctx->output.data + ctx->size, "none\n")
                      - ctx->output.data;
}


static ngx_uint_t
ngx_mesh_test_http_permit(void *data)
{
    ngx_mesh_test_http_slot_t *slot = data;

    return slot->ctx->writes++ < slot->ctx->test->permit;
}


/* two buffers with an empty one between them */

static ngx_int_t
ngx_mesh_test_http_chain(ngx_mesh_test_http_ctx_t *ctx,
    mesh_http_request_t *req)
{
    size_t         half;
    ngx_buf_t     *b;
    ngx_uint_t     i;
    ngx_chain_t   *cl, **ll;

    half = req->body.len / 2;
    ll = &req->chain;

    for (i = 0; i < 3; i++) {

        cl = ngx_alloc_chain_link(ctx->pool);
        b = ngx_calloc_buf(ctx->pool);

        if (cl == NULL || b == NULL) {
            return NGX_ERROR;
        }

        b->pos = req->body.data + (i ? half : 0);
        b->last = (i < 2) ? req->body.data + half
                          : req->body.data + req->body.len;
        b->memory = 1;

        cl->buf = b;
        cl->next = NULL;

        *ll = cl;
        ll = &cl->next;
    }

    req->body.len = 0;

    return NGX_OK;
}


static void
ngx_mesh_test_http_done(void *data, mesh_http_result_t *result)
{
    ngx_connection_t           *c;
    ngx_mesh_test_http_t       *test;
    ngx_mesh_test_http_ctx_t   *ctx;
    ngx_mesh_test_http_slot_t  *slot;

    slot = data;
    slot->exchange = NULL;

    ctx = slot->ctx;
    test = ctx->test;
    c = ctx->request ? ctx->request->connection : NULL;

    ctx->pending--;

    ngx_mesh_test_http_show(ctx, result);

    if (ctx->begun < test->repeat * test->parallel) {

        if (test->pause) {
            ngx_add_timer(&ctx->timer, test->pause);
            return;
        }

        ngx_mesh_test_http_begin(ctx);
    }

    if (ctx->pending) {
        return;
    }

    ngx_mesh_test_http_end(ctx);

    if (c) {
        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_mesh_test_http_show(ngx_mesh_test_http_ctx_t *ctx,
    mesh_http_result_t *result)
{
    u_char                *p, *last;
    ngx_str_t             *value;
    ngx_mesh_test_http_t  *test;

    test = ctx->test;
    p = ctx->output.data + ctx->output.len;
    last = ctx->output.data + ctx->size - 1;

    p = ngx_slprintf(p, last, "%s %s status:%ui sent:%d reused:%d retried:%d",
                     mesh_http_outcome_name(result->outcome),
                     mesh_http_stage_name(result->stage), result->status,
                     result->sent, result->reused, result->retried);

    if (result->content_type.len) {
        p = ngx_slprintf(p, last, " type:%V", &result->content_type);
    }

    if (test->within) {
        p = ngx_slprintf(p, last, " within:%d",
                         result->time <= test->within);
    }

    if (test->show.len) {
        value = mesh_http_header(result, (char *) test->show.data);

        if (value) {
            p = ngx_slprintf(p, last, " %V:%V", &test->show, value);
        }
    }

    if (result->body.len > NGX_MESH_TEST_HTTP_SHOWN) {
        p = ngx_slprintf(p, last, " length:%uz crc:%08xD", result->body.len,
                         ngx_crc32_long(result->body.data, result->body.len));

    } else if (result->body.len) {
        p = ngx_slprintf(p, last, " body:%V", &result->body);
    }

    if (result->outcome != MESH_HTTP_OK) {
        p = ngx_slprintf(p, last, " reason:%s", result->reason);
    }

    *p++ = LF;

    ctx->output.len = p - ctx->output.data;
}


static void
ngx_mesh_test_http_timer(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_mesh_test_http_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request ? ctx->request->connection : NULL;

    if (ctx->test->pause) {
        ngx_mesh_test_http_begin(ctx);

    } else {
        ngx_mesh_test_http_cancel(ctx);
    }

    if (ctx->pending == 0) {
        ngx_mesh_test_http_end(ctx);

        if (c) {
            ngx_http_run_posted_requests(c);
        }
    }
}


static void
ngx_mesh_test_http_cancel(ngx_mesh_test_http_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MESH_TEST_HTTP_MAX; i++) {

        if (ctx->slots[i].exchange == NULL) {
            continue;
        }

        mesh_http_cancel(ctx->slots[i].exchange);

        ctx->slots[i].exchange = NULL;
        ctx->pending--;

        ctx->output.len = ngx_slprintf(ctx->output.data + ctx->output.len,
                                       ctx->output.data + ctx->size,
                                       "canceled by us\n")
                          - ctx->output.data;
    }
}


static void
ngx_mesh_test_http_cleanup(void *data)
{
    ngx_mesh_test_http_ctx_t  *ctx;

    ctx = data;

    if (ctx->pending) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "mesh test: client is gone, %ui canceled",
                      ctx->pending);
    }

    ngx_mesh_test_http_cancel(ctx);

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_destroy_pool(ctx->pool);
}


static void
ngx_mesh_test_http_end(ngx_mesh_test_http_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (r) {
        ngx_http_finalize_request(r, ngx_mesh_test_http_reply(r,
                                                              &ctx->output));
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "mesh test: %V",
                  &ctx->output);

    ngx_destroy_pool(ctx->pool);
}


static ngx_int_t
ngx_mesh_test_http_reply(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->len;
    ngx_str_set(&r->headers_out.content_type, "text/plain");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, text->len + 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->pos, text->data, text->len);
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_mesh_test_http_init(ngx_cycle_t *cycle, ngx_mesh_test_main_conf_t *mcf)
{
    return mesh_http_start(cycle, mcf->http_conf);
}


void
ngx_mesh_test_http_exit(ngx_mesh_test_main_conf_t *mcf)
{
    mesh_http_stop(mcf->http_conf);
}
