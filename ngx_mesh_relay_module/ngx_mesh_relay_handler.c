
/*
 * A relay from its body to its answer: one context, one state, one function
 * per step.
 */


#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_chains.h"
#include "ngx_mesh_relay_reply.h"
#include "ngx_mesh_relay_verdict.h"


#define NGX_MESH_RELAY_POLL         20     /* ms between looks while waiting */

#define NGX_MESH_RELAY_RETRY_AFTER  "1"    /* s, with 503 */


typedef enum {
    NGX_MESH_RELAY_DECODE = 0,
    NGX_MESH_RELAY_VALIDATE,
    NGX_MESH_RELAY_ADMIT,
    NGX_MESH_RELAY_EXECUTE,
    NGX_MESH_RELAY_EXECUTED,
    NGX_MESH_RELAY_RECORD,
    NGX_MESH_RELAY_RECORDED,
    NGX_MESH_RELAY_ANSWER
} ngx_mesh_relay_step_e;


typedef struct {
    ngx_http_request_t            *request;
    ngx_mesh_relay_main_conf_t    *mcf;
    ngx_mesh_relay_loc_conf_t     *lcf;
    ngx_mesh_relay_step_e          step;

    pocket_alloc_t                 alloc;
    pocket_relay_t                 relay;
    pocket_relay_hashes_t          hashes;
    ngx_mesh_relay_session_key_t   key;
    u_char                         id[NGX_MESH_RELAY_SESSION_ID_MAX];

    ngx_mesh_relay_exec_t          exec;
    ngx_mesh_relay_reply_t         reply;
    ngx_mesh_relay_record_t        record;
    u_char                         signature[POCKET_SIG_LEN];

    ngx_event_t                    timer;
    ngx_mesh_relay_waiter_t        waiter;      /* for the store */
    ngx_msec_t                     deadline;

    unsigned                       waiting:1;
    unsigned                       admitted:1;
    unsigned                       recording:1;
} ngx_mesh_relay_ctx_t;


/*
 * NGX_OK: go on with ctx->step; NGX_AGAIN: an event will; NGX_DONE: the
 * request is answered, nothing of it may be touched.
 */

typedef ngx_int_t (*ngx_mesh_relay_step_pt)(ngx_mesh_relay_ctx_t *ctx);


typedef struct {
    ngx_mesh_relay_step_pt         handler;
    char                          *action;     /* "... while" of the log */
} ngx_mesh_relay_handler_t;


static void ngx_mesh_relay_body_handler(ngx_http_request_t *r);
static void ngx_mesh_relay_run(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_decode(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_validate(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_admit(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_wait(ngx_mesh_relay_ctx_t *ctx,
    ngx_msec_t limit, pocket_error_id_e error);
static ngx_int_t ngx_mesh_relay_start(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_executed(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_record(ngx_mesh_relay_ctx_t *ctx);
static void ngx_mesh_relay_record_handler(ngx_mesh_relay_record_t *rec);
static ngx_int_t ngx_mesh_relay_recorded(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_reply(ngx_mesh_relay_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_fail(ngx_mesh_relay_ctx_t *ctx,
    pocket_error_id_e id);
static ngx_int_t ngx_mesh_relay_refuse(ngx_mesh_relay_ctx_t *ctx,
    pocket_error_t *err);
static ngx_int_t ngx_mesh_relay_finish(ngx_mesh_relay_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_mesh_relay_timer_handler(ngx_event_t *ev);
static void ngx_mesh_relay_write_handler(ngx_http_request_t *r);
static void ngx_mesh_relay_cleanup(void *data);
static void ngx_mesh_relay_release(ngx_mesh_relay_ctx_t *ctx);


/* indexed by ngx_mesh_relay_step_e */

static ngx_mesh_relay_handler_t  ngx_mesh_relay_steps[] = {
    { ngx_mesh_relay_decode, "decoding relay" },
    { ngx_mesh_relay_validate, "validating relay" },
    { ngx_mesh_relay_admit, "admitting relay to its session" },
    { ngx_mesh_relay_start, "asking chain" },
    { ngx_mesh_relay_executed, "taking answer of chain" },
    { ngx_mesh_relay_record, "recording relay" },
    { ngx_mesh_relay_recorded, "recording relay" },
    { ngx_mesh_relay_reply, "sending to client" }
};


ngx_int_t
ngx_mesh_relay_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_cleanup_t    *cln;
    ngx_mesh_relay_ctx_t  *ctx;

    if (ngx_mesh_relay_cors(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_mesh_relay_method(r, NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_mesh_relay_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     ctx->step = NGX_MESH_RELAY_DECODE;
     *     ctx->waiting, admitted, recording = 0;
     */

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_mesh_relay_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);
    ctx->lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_relay_module);

    mesh_pool_allocator(r->pool, &ctx->alloc);

    ngx_http_set_ctx(r, ctx, ngx_mesh_relay_module);

    rc = ngx_http_read_client_request_body(r, ngx_mesh_relay_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_mesh_relay_body_handler(ngx_http_request_t *r)
{
    ngx_mesh_relay_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    r->write_event_handler = ngx_mesh_relay_write_handler;

    ngx_mesh_relay_run(ctx);
}


static void
ngx_mesh_relay_run(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_mesh_relay_handler_t  *h;

    do {
        h = &ngx_mesh_relay_steps[ctx->step];

        ctx->request->connection->log->action = h->action;

        rc = h->handler(ctx);

    } while (rc == NGX_OK);
}


/*
 * Runs when the chain's subrequest is done, and at spurious events: only the
 * step that awaits the chain may be woken by it.
 */

static void
ngx_mesh_relay_write_handler(ngx_http_request_t *r)
{
    ngx_mesh_relay_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    if (ctx->step == NGX_MESH_RELAY_EXECUTED && ctx->exec.done) {
        ngx_mesh_relay_run(ctx);
    }
}


static ngx_int_t
ngx_mesh_relay_decode(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_str_t       text;
    pocket_str_t    body;
    pocket_error_t  err;

    if (ngx_mesh_relay_stopped(ctx->mcf)) {
        return ngx_mesh_relay_fail(ctx, POCKET_ERR_STOPPED);
    }

    if (ngx_mesh_relay_body(ctx->request, &text) != NGX_OK) {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    body.len = text.len;
    body.data = text.data;

    if (pocket_relay_decode(&body, &ctx->relay, &err, &ctx->alloc)
        != POCKET_OK)
    {
        return ngx_mesh_relay_refuse(ctx, &err);
    }

    ctx->step = NGX_MESH_RELAY_VALIDATE;

    return NGX_OK;
}


/* rows 1 to 18 of spec 4, and the identity of the session */

static ngx_int_t
ngx_mesh_relay_validate(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_int_t       rc;
    pocket_error_t  err;

    rc = ngx_mesh_relay_verdict(ctx->mcf, &ctx->relay, &ctx->hashes,
                                &ctx->key, &err);

    ngx_mesh_relay_session_id(&ctx->key, ctx->id);

    if (rc != NGX_OK) {
        if (ngx_mesh_relay_verdict_early(ctx->mcf, &ctx->key, &err)) {
            return ngx_mesh_relay_wait(ctx, ctx->mcf->session_timeout,
                                       err.id);
        }

        return ngx_mesh_relay_refuse(ctx, &err);
    }

    ctx->waiting = 0;
    ctx->step = NGX_MESH_RELAY_ADMIT;

    return NGX_OK;
}


/* rows 19 to 21; waits for Redis and for a session's first validation */

static ngx_int_t
ngx_mesh_relay_admit(ngx_mesh_relay_ctx_t *ctx)
{
    pocket_error_t  err;

    if (!ngx_mesh_relay_store_ready(ctx->mcf)) {
        return ngx_mesh_relay_wait(ctx, ctx->mcf->record_timeout,
                                   POCKET_ERR_NOT_RECORDED);
    }

    switch (ngx_mesh_relay_session_admit(ctx->mcf, &ctx->key,
                                         ctx->hashes.proof, &err,
                                         ctx->request->pool))
    {
    case NGX_MESH_RELAY_ADMIT_SERVE:
        break;

    case NGX_MESH_RELAY_ADMIT_WAIT:
        return ngx_mesh_relay_wait(ctx, ctx->mcf->session_timeout,
                                   POCKET_ERR_SESSION);

    default: /* NGX_MESH_RELAY_ADMIT_REFUSE */
        return ngx_mesh_relay_refuse(ctx, &err);
    }

    ctx->admitted = 1;
    ctx->waiting = 0;
    ctx->step = NGX_MESH_RELAY_EXECUTE;

    return NGX_OK;
}


/*
 * Comes back to the step when the store is ready, or when what else is waited
 * for, which is seen in shared memory, is to be looked at; limit ms after the
 * first time it ends with the error.
 */

static ngx_int_t
ngx_mesh_relay_wait(ngx_mesh_relay_ctx_t *ctx, ngx_msec_t limit,
    pocket_error_id_e error)
{
    ngx_msec_int_t       left;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->waiting) {
        ctx->waiting = 1;
        ctx->deadline = ngx_current_msec + limit;

        ctx->timer.handler = ngx_mesh_relay_timer_handler;
        ctx->timer.data = ctx;
        ctx->timer.log = r->connection->log;

        r->read_event_handler = ngx_http_test_reading;

        /* the client's end may have been seen with the body's */

        if (r->connection->read->ready) {
            ngx_post_event(r->connection->read, &ngx_posted_events);
        }
    }

    left = (ngx_msec_int_t) (ctx->deadline - ngx_current_msec);

    if (left <= 0) {
        return ngx_mesh_relay_fail(ctx, error);
    }

    if (error == POCKET_ERR_NOT_RECORDED) {
        ngx_mesh_relay_store_wait(ctx->mcf, &ctx->waiter, &ctx->timer,
                                  (ngx_msec_t) left);
        return NGX_AGAIN;
    }

    ngx_add_timer(&ctx->timer, NGX_MESH_RELAY_POLL);

    return NGX_AGAIN;
}


static void
ngx_mesh_relay_timer_handler(ngx_event_t *ev)
{
    ngx_mesh_relay_ctx_t *ctx = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_mesh_relay_store_leave(&ctx->waiter, ev);
    ngx_mesh_relay_run(ctx);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_mesh_relay_start(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_int_t               rc;
    pocket_str_t            agent;
    pocket_error_t          err;
    ngx_mesh_relay_exec_t  *exec;

    exec = &ctx->exec;

    if (exec->chain == NULL) {
        exec->chain = ngx_mesh_relay_chain_find(ctx->mcf, ctx->request,
                                                &ctx->key.chain);

        if (exec->chain == NULL) {
            return ngx_mesh_relay_fail(ctx, POCKET_ERR_CHAIN_NOT_HOSTED);
        }

        agent.len = ctx->mcf->user_agent.len;
        agent.data = ctx->mcf->user_agent.data;

        rc = pocket_request_build(&exec->chain->entry, &agent,
                                  &ctx->relay.payload, &exec->request, &err,
                                  &ctx->alloc);
        if (rc == 0) {
            return ngx_mesh_relay_refuse(ctx, &err);
        }

        if (rc == POCKET_ERROR) {
            return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        exec->limit = ctx->lcf->max_response;
        exec->piece = ngx_mesh_relay_reply_piece;
        exec->data = &ctx->reply;
    }

    ngx_mesh_relay_reply_begin(&ctx->reply, ctx->request->pool,
                               ctx->lcf->sort);

    if (ngx_mesh_relay_execute(ctx->request, exec) != NGX_OK) {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    ctx->step = NGX_MESH_RELAY_EXECUTED;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mesh_relay_executed(ngx_mesh_relay_ctx_t *ctx)
{
    pocket_error_t  err;

    if (ctx->exec.outcome == NGX_MESH_RELAY_CHAIN_ANSWERED) {
        ctx->step = NGX_MESH_RELAY_RECORD;
        return NGX_OK;
    }

    if (ngx_mesh_relay_execute_retry(&ctx->exec)) {
        ctx->step = NGX_MESH_RELAY_EXECUTE;
        return NGX_OK;
    }

    ngx_mesh_relay_execute_error(&ctx->exec, &ctx->relay.payload, &err,
                                 &ctx->alloc);

    return ngx_mesh_relay_refuse(ctx, &err);
}


/* the signature is made while Redis works */

static ngx_int_t
ngx_mesh_relay_record(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_mesh_relay_record_t  *rec;

    rec = &ctx->record;

    rec->relay.len = pocket_relay_size(&ctx->relay);
    rec->relay.data = ngx_pnalloc(ctx->request->pool, rec->relay.len);

    if (rec->relay.data == NULL) {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    (void) pocket_relay_write(rec->relay.data, &ctx->relay);

    rec->key = &ctx->key;
    rec->proof_hash = ctx->hashes.proof;
    rec->handler = ngx_mesh_relay_record_handler;
    rec->data = ctx;
    rec->log = ctx->request->connection->log;

    /* from here on the relay counts, whether the client waits or not */

    ctx->request->read_event_handler = ngx_http_block_reading;
    ctx->recording = 1;
    ctx->step = NGX_MESH_RELAY_RECORDED;

    ngx_mesh_relay_store_record(ctx->mcf, rec);

    if (ngx_mesh_relay_reply_end(&ctx->reply) != NGX_OK
        || ngx_mesh_relay_reply_sign(&ctx->reply, ctx->mcf->hash,
                                     ctx->hashes.proof,
                                     ctx->key.servicer->private_key,
                                     ctx->signature)
           != NGX_OK)
    {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    return NGX_AGAIN;
}


static void
ngx_mesh_relay_record_handler(ngx_mesh_relay_record_t *rec)
{
    ngx_mesh_relay_ctx_t *ctx = rec->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx->recording = 0;

    ngx_mesh_relay_run(ctx);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_mesh_relay_recorded(ngx_mesh_relay_ctx_t *ctx)
{
    ngx_mesh_relay_record_t  *rec;

    rec = &ctx->record;

    switch (rec->outcome) {

    case NGX_MESH_RELAY_STORE_OK:
        break;

    case NGX_MESH_RELAY_STORE_REFUSED:

        if (rec->code != pocket_error_def(POCKET_ERR_DUPLICATE)->code) {
            ngx_mesh_relay_session_invalidate(ctx->mcf, &ctx->key, rec->code);
        }

        return ngx_mesh_relay_fail(ctx, pocket_error_by_code(rec->code));

    default: /* NGX_MESH_RELAY_STORE_DOWN */
        return ngx_mesh_relay_fail(ctx, POCKET_ERR_NOT_RECORDED);
    }

    ctx->admitted = 0;

    ngx_mesh_relay_session_done(ctx->mcf, &ctx->key, ctx->hashes.proof, 1,
                                rec->remaining);

    ctx->step = NGX_MESH_RELAY_ANSWER;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_reply(ngx_mesh_relay_ctx_t *ctx)
{
    off_t         size;
    ngx_int_t     rc;
    ngx_chain_t  *body;

    body = ngx_mesh_relay_reply_body(&ctx->reply, ctx->signature, &size);

    if (body == NULL) {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    rc = ngx_mesh_relay_send(ctx->request, NGX_HTTP_OK,
                             NGX_MESH_RELAY_TYPE_RELAY, body, size);

    return ngx_mesh_relay_finish(ctx, rc);
}


static ngx_int_t
ngx_mesh_relay_fail(ngx_mesh_relay_ctx_t *ctx, pocket_error_id_e id)
{
    pocket_error_t  err;

    pocket_error_set(&err, id);

    return ngx_mesh_relay_refuse(ctx, &err);
}


static ngx_int_t
ngx_mesh_relay_refuse(ngx_mesh_relay_ctx_t *ctx, pocket_error_t *err)
{
    ngx_int_t            rc;
    ngx_str_t            dispatch;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_str_null(&dispatch);

    if (ctx->key.id.len && pocket_error_def(err->id)->dispatch) {
        ngx_mesh_relay_session_dispatch(ctx->mcf, &ctx->key, r->pool,
                                        &dispatch);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "relay refused with code %uD: \"%*s\"",
                  err->code, err->message.len, err->message.data);

    if (pocket_error_def(err->id)->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_mesh_relay_header(r, "Retry-After", NGX_MESH_RELAY_RETRY_AFTER)
           != NGX_OK)
    {
        return ngx_mesh_relay_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    rc = ngx_mesh_relay_send_error(r, err, &dispatch);

    return ngx_mesh_relay_finish(ctx, rc);
}


/*
 * The one way out.  What is still held is given back at once, as the request
 * may live on at a page of error_page.
 */

static ngx_int_t
ngx_mesh_relay_finish(ngx_mesh_relay_ctx_t *ctx, ngx_int_t rc)
{
    ngx_mesh_relay_cleanup(ctx);

    ngx_http_finalize_request(ctx->request, rc);

    return NGX_DONE;
}


static void
ngx_mesh_relay_cleanup(void *data)
{
    ngx_mesh_relay_ctx_t *ctx = data;

    ngx_mesh_relay_store_leave(&ctx->waiter, &ctx->timer);

    if (ctx->recording) {
        ctx->recording = 0;
        ngx_mesh_relay_store_cancel(&ctx->record);
    }

    ngx_mesh_relay_release(ctx);
}


static void
ngx_mesh_relay_release(ngx_mesh_relay_ctx_t *ctx)
{
    if (!ctx->admitted) {
        return;
    }

    ctx->admitted = 0;

    ngx_mesh_relay_session_done(ctx->mcf, &ctx->key, ctx->hashes.proof, 0, -1);
}
