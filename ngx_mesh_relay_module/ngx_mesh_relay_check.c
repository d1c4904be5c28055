
/*
 * mesh_relay_check: the checks of a relay in front of any content handler,
 * such as proxy_pass to a stock servicer.
 */


#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_verdict.h"


#define NGX_MESH_RELAY_CHECK_POLL  20     /* ms, until the first check */


typedef struct {
    ngx_http_request_t    *request;
    pocket_relay_t         relay;
    ngx_event_t            timer;
    unsigned               done:1;
} ngx_mesh_relay_check_ctx_t;


static ngx_int_t ngx_mesh_relay_check_handler(ngx_http_request_t *r);
static void ngx_mesh_relay_check_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_check_decode(ngx_mesh_relay_check_ctx_t *ctx,
    pocket_error_t *err);
static void ngx_mesh_relay_check(ngx_mesh_relay_check_ctx_t *ctx);
static void ngx_mesh_relay_check_timer_handler(ngx_event_t *ev);
static void ngx_mesh_relay_check_refuse(ngx_http_request_t *r,
    pocket_error_t *err);
static void ngx_mesh_relay_check_cleanup(void *data);


ngx_int_t
ngx_mesh_relay_check_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_mesh_relay_check_handler;

    return NGX_OK;
}


/* other methods than POST carry no relay, and are not looked into */

static ngx_int_t
ngx_mesh_relay_check_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_cleanup_t          *cln;
    ngx_mesh_relay_loc_conf_t   *lcf;
    ngx_mesh_relay_check_ctx_t  *ctx;

    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_relay_module);

    if (!lcf->check || lcf->role != NGX_MESH_RELAY_NOTHING
        || r != r->main || r->method != NGX_HTTP_POST)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    if (ctx) {
        return ctx->done ? NGX_DECLINED : NGX_DONE;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_mesh_relay_check_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_mesh_relay_check_cleanup;
    cln->data = ctx;

    ctx->request = r;

    ngx_http_set_ctx(r, ctx, ngx_mesh_relay_module);

    rc = ngx_http_read_client_request_body(r,
                                           ngx_mesh_relay_check_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    /* the callback may have run the rest of the phases already */

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_mesh_relay_check_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    pocket_error_t               err;
    ngx_mesh_relay_check_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    rc = ngx_mesh_relay_check_decode(ctx, &err);

    if (rc == NGX_OK) {
        ngx_mesh_relay_check(ctx);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_mesh_relay_check_refuse(r, &err);
        return;
    }

    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/* NGX_DECLINED: it is none, with *err */

static ngx_int_t
ngx_mesh_relay_check_decode(ngx_mesh_relay_check_ctx_t *ctx,
    pocket_error_t *err)
{
    ngx_str_t       text;
    pocket_str_t    body;
    pocket_alloc_t  a;

    if (ngx_mesh_relay_body(ctx->request, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    body.data = text.data;
    body.len = text.len;

    mesh_pool_allocator(ctx->request->pool, &a);

    if (pocket_relay_decode(&body, &ctx->relay, err, &a) != POCKET_OK) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_mesh_relay_check(ngx_mesh_relay_check_ctx_t *ctx)
{
    ngx_int_t                      rc;
    pocket_error_t                 err;
    ngx_http_request_t            *r;
    pocket_relay_hashes_t          hashes;
    ngx_mesh_relay_main_conf_t    *mcf;
    ngx_mesh_relay_session_key_t   key;

    r = ctx->request;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    r->connection->log->action = "checking relay";

    rc = ngx_mesh_relay_verdict(mcf, &ctx->relay, &hashes, &key, &err);

    if (rc == NGX_OK) {
        ctx->done = 1;

        r->preserve_body = 1;
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_core_run_phases(r);
        return;
    }

    if (ngx_mesh_relay_verdict_early(mcf, &key, &err)) {
        ctx->timer.handler = ngx_mesh_relay_check_timer_handler;
        ctx->timer.data = ctx;
        ctx->timer.log = r->connection->log;

        r->read_event_handler = ngx_http_test_reading;

        ngx_add_timer(&ctx->timer, NGX_MESH_RELAY_CHECK_POLL);
        return;
    }

    ngx_mesh_relay_check_refuse(r, &err);
}


static void
ngx_mesh_relay_check_timer_handler(ngx_event_t *ev)
{
    ngx_mesh_relay_check_ctx_t *ctx = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_mesh_relay_check(ctx);

    ngx_http_run_posted_requests(c);
}


static void
ngx_mesh_relay_check_refuse(ngx_http_request_t *r, pocket_error_t *err)
{
    ngx_int_t  rc;
    ngx_str_t  nothing;

    if (ngx_mesh_relay_cors(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "relay refused with code %uD: \"%*s\"",
                  err->code, err->message.len, err->message.data);

    ngx_str_null(&nothing);

    rc = ngx_mesh_relay_send_error(r, err, &nothing);

    ngx_http_finalize_request(r, rc);
}


static void
ngx_mesh_relay_check_cleanup(void *data)
{
    ngx_mesh_relay_check_ctx_t *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}
