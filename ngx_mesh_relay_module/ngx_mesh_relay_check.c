
/*
 * mesh_relay_check: the checks of a relay in front of any content handler,
 * such as proxy_pass to a stock servicer.
 */


#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_verdict.h"


typedef struct {
    unsigned             done:1;
} ngx_mesh_relay_check_ctx_t;


static ngx_int_t ngx_mesh_relay_check_handler(ngx_http_request_t *r);
static void ngx_mesh_relay_check_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_check(ngx_http_request_t *r,
    pocket_error_t *err);


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
    ngx_str_t                    nothing;
    pocket_error_t               err;
    ngx_mesh_relay_check_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    ctx->done = 1;

    rc = ngx_mesh_relay_check(r, &err);

    if (rc == NGX_OK) {
        r->preserve_body = 1;
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);
        return;
    }

    if (rc == NGX_ERROR || ngx_mesh_relay_cors(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "relay refused with code %uD: \"%*s\"",
                  err.code, err.message.len, err.message.data);

    ngx_str_null(&nothing);

    rc = ngx_mesh_relay_send_error(r, &err, &nothing);

    ngx_http_finalize_request(r, rc);
}


/* NGX_DECLINED: refused, with *err */

static ngx_int_t
ngx_mesh_relay_check(ngx_http_request_t *r, pocket_error_t *err)
{
    ngx_str_t                      text;
    pocket_str_t                   body;
    pocket_relay_t                *relay;
    pocket_alloc_t                 a;
    pocket_relay_hashes_t          hashes;
    ngx_mesh_relay_main_conf_t    *mcf;
    ngx_mesh_relay_session_key_t   key;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    if (ngx_mesh_relay_body(r, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    relay = ngx_pcalloc(r->pool, sizeof(pocket_relay_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    body.data = text.data;
    body.len = text.len;

    ngx_mesh_relay_allocator(r->pool, &a);

    if (pocket_relay_decode(&body, relay, err, &a) != POCKET_OK) {
        return NGX_DECLINED;
    }

    return ngx_mesh_relay_verdict(mcf, relay, &hashes, &key, err);
}
