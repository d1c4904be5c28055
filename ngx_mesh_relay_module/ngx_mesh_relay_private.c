
/*
 * The operator's endpoints (spec 8), and the ledger.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_answer.h"
#include "ngx_mesh_relay_chains.h"
#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_store.h"
#include "ngx_mesh_relay_update.h"

#include <openssl/crypto.h>


#define NGX_MESH_RELAY_PRIVATE_PREFIX  "/v1/private/mesh/"

#define NGX_MESH_RELAY_FLUSH_POLL      100    /* ms */


typedef struct {
    ngx_http_request_t    *request;
    ngx_uint_t            *ledger_cancel;
    ngx_event_t            timer;
    ngx_msec_t             deadline;
    ngx_int_t              queued;
    unsigned               asking:1;
} ngx_mesh_relay_private_ctx_t;


typedef struct {
    ngx_str_t              name;
    ngx_uint_t             method;
    const char            *allow;
    ngx_uint_t             body;       /* read; discarded otherwise */
    ngx_int_t            (*handler)(ngx_http_request_t *r,
                                    ngx_mesh_relay_main_conf_t *mcf);
} ngx_mesh_relay_endpoint_t;


static ngx_mesh_relay_endpoint_t *ngx_mesh_relay_private_endpoint(
    ngx_str_t *uri);
static ngx_int_t ngx_mesh_relay_private_auth(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_refuse(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_private_missing(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_health(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_chains(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_servicers(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_update(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_private_ledger(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_private_ledger_done(void *data, ngx_chain_t *json,
    off_t length);
static ngx_int_t ngx_mesh_relay_private_stop(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_private_flush(ngx_event_t *ev);
static void ngx_mesh_relay_private_queued(void *data, ngx_int_t queued);
static ngx_mesh_relay_private_ctx_t *ngx_mesh_relay_private_suspend(
    ngx_http_request_t *r);
static void ngx_mesh_relay_private_cleanup(void *data);


static ngx_mesh_relay_endpoint_t  ngx_mesh_relay_endpoints[] = {

    { ngx_string("health"), NGX_HTTP_GET, NGX_MESH_RELAY_ALLOW_GET, 0,
      ngx_mesh_relay_private_health },

    { ngx_string("ledger"), NGX_HTTP_GET, NGX_MESH_RELAY_ALLOW_GET, 0,
      ngx_mesh_relay_private_ledger },

    { ngx_string("chains"), NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST, 0,
      ngx_mesh_relay_private_chains },

    { ngx_string("servicers"), NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST, 0,
      ngx_mesh_relay_private_servicers },

    { ngx_string("updatechains"), NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST, 1,
      ngx_mesh_relay_private_update },

    { ngx_string("stop"), NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST, 0,
      ngx_mesh_relay_private_stop },

    { ngx_null_string, 0, NULL, 0, ngx_mesh_relay_private_missing }
};


ngx_int_t
ngx_mesh_relay_private_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_uint_t                   allowed;
    ngx_mesh_relay_endpoint_t   *ep;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);
    ep = ngx_mesh_relay_private_endpoint(&r->uri);

    if (ep->name.len) {
        rc = ngx_mesh_relay_method(r, ep->method, ep->allow);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    allowed = (ngx_mesh_relay_private_auth(r, mcf) == NGX_OK);

    if (!allowed || !ep->body) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return allowed ? ep->handler(r, mcf) : ngx_mesh_relay_private_refuse(r);
}


/* the last one, without a name, when it is none of them */

static ngx_mesh_relay_endpoint_t *
ngx_mesh_relay_private_endpoint(ngx_str_t *uri)
{
    size_t                      prefix;
    ngx_str_t                   name;
    ngx_mesh_relay_endpoint_t  *ep;

    prefix = sizeof(NGX_MESH_RELAY_PRIVATE_PREFIX) - 1;

    ngx_str_null(&name);

    if (uri->len > prefix
        && ngx_strncmp(uri->data, NGX_MESH_RELAY_PRIVATE_PREFIX, prefix) == 0)
    {
        name.data = uri->data + prefix;
        name.len = uri->len - prefix;
    }

    for (ep = ngx_mesh_relay_endpoints; ep->name.len; ep++) {
        if (ep->name.len == name.len
            && ngx_strncmp(ep->name.data, name.data, name.len) == 0)
        {
            break;
        }
    }

    return ep;
}


static ngx_int_t
ngx_mesh_relay_private_auth(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len != mcf->auth_token.len
        || CRYPTO_memcmp(h->value.data, mcf->auth_token.data, h->value.len)
           != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* what was presented is told back, as the reference does */

static ngx_int_t
ngx_mesh_relay_private_refuse(ngx_http_request_t *r)
{
    ngx_str_t  message, given;

    static u_char  text[] = "wrong Authorization: ";

    ngx_str_null(&given);

    if (r->headers_in.authorization) {
        given = r->headers_in.authorization->value;
    }

    message.data = ngx_pnalloc(r->pool, sizeof(text) - 1 + given.len);
    if (message.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    message.len = ngx_sprintf(message.data, "%s%V", text, &given)
                  - message.data;

    return ngx_mesh_relay_send_http_error(r, NGX_HTTP_UNAUTHORIZED, &message);
}


static ngx_int_t
ngx_mesh_relay_private_missing(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    static ngx_str_t  text = ngx_string("404 page not found\n");

    if (ngx_mesh_relay_header(r, "X-Content-Type-Options", "nosniff")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_mesh_relay_send_text(r, NGX_HTTP_NOT_FOUND,
                                    NGX_MESH_RELAY_TYPE_TEXT, &text);
}


static ngx_int_t
ngx_mesh_relay_private_health(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    u_char     *p;
    ngx_str_t   text;

    p = ngx_pnalloc(r->pool, sizeof("{\"full_nodes\":,\"servicers\":,"
                                    "\"version\":\"" NGX_MESH_RELAY_VERSION
                                    "\"}\n") + 2 * NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;

    p = ngx_sprintf(p, "{\"full_nodes\":%ui,\"servicers\":%ui,"
                    "\"version\":\"" NGX_MESH_RELAY_VERSION "\"}\n",
                    mcf->nodes.nelts, mcf->servicers.nelts);

    text.len = p - text.data;

    return ngx_mesh_relay_send_text(r, NGX_HTTP_OK,
                                    NGX_MESH_RELAY_TYPE_RELAY, &text);
}


static ngx_int_t
ngx_mesh_relay_private_chains(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_str_t  text;

    if (ngx_mesh_relay_chains_text(mcf, r->pool, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_mesh_relay_send_text(r, NGX_HTTP_OK,
                                    NGX_MESH_RELAY_TYPE_HTTP, &text);
}


static ngx_int_t
ngx_mesh_relay_private_servicers(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    u_char                     *p;
    ngx_str_t                   text;
    ngx_uint_t                  i;
    ngx_mesh_relay_servicer_t  *servicer;

    servicer = mcf->servicers.elts;

    p = ngx_pnalloc(r->pool, sizeof("[]")
                             + mcf->servicers.nelts
                               * (sizeof("{\"address\":\"\"},")
                                  + NGX_MESH_RELAY_ADDR_HEX_LEN));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;
    *p++ = '[';

    for (i = 0; i < mcf->servicers.nelts; i++) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, "{\"address\":\"", sizeof("{\"address\":\"") - 1);
        p = ngx_cpymem(p, servicer[i].address, NGX_MESH_RELAY_ADDR_HEX_LEN);
        *p++ = '"';
        *p++ = '}';
    }

    *p++ = ']';
    text.len = p - text.data;

    return ngx_mesh_relay_send_text(r, NGX_HTTP_OK,
                                    NGX_MESH_RELAY_TYPE_HTTP, &text);
}


static ngx_int_t
ngx_mesh_relay_private_update(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_mesh_relay_update_chains);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_mesh_relay_private_ledger(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_private_ctx_t  *ctx;

    static ngx_str_t  down = ngx_string("Redis is out of reach");

    ctx = ngx_mesh_relay_private_suspend(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_mesh_relay_ledger_read(mcf, r->pool,
                                   ngx_mesh_relay_private_ledger_done, ctx,
                                   &ctx->ledger_cancel)
        != NGX_OK)
    {
        return ngx_mesh_relay_send_http_error(r,
                                              NGX_HTTP_SERVICE_UNAVAILABLE,
                                              &down);
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_mesh_relay_private_ledger_done(void *data, ngx_chain_t *json,
    off_t length)
{
    ngx_mesh_relay_private_ctx_t *ctx = data;

    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    static ngx_str_t  down = ngx_string("Redis did not answer");

    r = ctx->request;
    c = r->connection;
    ctx->ledger_cancel = NULL;

    ngx_http_set_log_request(c->log, r);

    if (json == NULL) {
        rc = ngx_mesh_relay_send_http_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            &down);

    } else {
        rc = ngx_mesh_relay_send(r, NGX_HTTP_OK, NGX_MESH_RELAY_TYPE_RELAY,
                                 json, length);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/*
 * Stop: from now on all workers refuse relays; answered once the queue is
 * empty, or when the node has not taken it all in the time of a
 * notification, with the number left.
 */

static ngx_int_t
ngx_mesh_relay_private_stop(ngx_http_request_t *r,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_private_ctx_t  *ctx;

    ctx = ngx_mesh_relay_private_suspend(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "stopped by its operator, relays are refused "
                  "until a reload");

    ngx_mesh_relay_stop_set(mcf);

    ctx->queued = -1;
    ctx->deadline = ngx_current_msec + mcf->notify_timeout;
    ctx->timer.handler = ngx_mesh_relay_private_flush;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_add_timer(&ctx->timer, NGX_MESH_RELAY_FLUSH_POLL);

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_mesh_relay_private_flush(ngx_event_t *ev)
{
    ngx_mesh_relay_private_ctx_t *ctx = ev->data;

    u_char                      *p;
    ngx_int_t                    rc;
    ngx_str_t                    text;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_mesh_relay_main_conf_t  *mcf;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    if (ctx->queued != 0
        && (ngx_msec_int_t) (ctx->deadline - ngx_current_msec) > 0)
    {
        if (!ctx->asking
            && ngx_mesh_relay_store_queued(mcf, ngx_mesh_relay_private_queued,
                                           ctx)
               == NGX_OK)
        {
            ctx->asking = 1;
        }

        ngx_add_timer(&ctx->timer, NGX_MESH_RELAY_FLUSH_POLL);
        return;
    }

    p = ngx_pnalloc(r->pool, sizeof("{\"stopped\":true,\"queued\":}\n")
                             + NGX_INT_T_LEN);
    if (p == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_http_run_posted_requests(c);
        return;
    }

    text.data = p;

    if (ctx->queued < 0) {
        p = ngx_sprintf(p, "{\"stopped\":true,\"queued\":null}\n");

    } else {
        p = ngx_sprintf(p, "{\"stopped\":true,\"queued\":%i}\n",
                        ctx->queued);
    }

    text.len = p - text.data;

    rc = ngx_mesh_relay_send_text(r, NGX_HTTP_OK, NGX_MESH_RELAY_TYPE_RELAY,
                                  &text);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_mesh_relay_private_queued(void *data, ngx_int_t queued)
{
    ngx_mesh_relay_private_ctx_t *ctx = data;

    ctx->asking = 0;

    if (ctx->request == NULL) {
        ngx_free(ctx);
        return;
    }

    ctx->queued = queued;
}


/*
 * A request that waits: the context is not of its pool, as what was asked
 * may answer after the request's end.
 */

static ngx_mesh_relay_private_ctx_t *
ngx_mesh_relay_private_suspend(ngx_http_request_t *r)
{
    ngx_http_cleanup_t            *cln;
    ngx_mesh_relay_private_ctx_t  *ctx;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx = ngx_calloc(sizeof(ngx_mesh_relay_private_ctx_t),
                     r->connection->log);
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;

    cln->handler = ngx_mesh_relay_private_cleanup;
    cln->data = ctx;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return ctx;
}


static void
ngx_mesh_relay_private_cleanup(void *data)
{
    ngx_mesh_relay_private_ctx_t *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->ledger_cancel) {
        *ctx->ledger_cancel = 1;
    }

    ctx->request = NULL;

    if (!ctx->asking) {
        ngx_free(ctx);
    }
}
