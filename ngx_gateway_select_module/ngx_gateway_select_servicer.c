
/*
 * Attempts at the servicers of sessions: the call is signed for the one that
 * was picked, and the response in its answer is what callers get.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_evidence.h"


/* what a relay has beside its head: the proof */

#define NGX_GATEWAY_SELECT_PROOF_MAX  1024


static ngx_int_t ngx_gateway_select_servicer_payload(
    ngx_gateway_select_attempt_t *attempt);
static ngx_int_t ngx_gateway_select_servicer_path(
    ngx_gateway_select_call_t *call, pocket_str_t *path);
static ngx_int_t ngx_gateway_select_servicer_sink(void *data,
    mesh_http_result_t *result, u_char *p, size_t n);
static gateway_try_e ngx_gateway_select_servicer_error(
    ngx_gateway_select_attempt_t *attempt,
    ngx_gateway_select_verdict_t *verdict);
static gateway_try_e ngx_gateway_select_servicer_forged(
    ngx_gateway_select_attempt_t *attempt,
    ngx_gateway_select_verdict_t *verdict);
static void ngx_gateway_select_servicer_start(
    ngx_gateway_select_hold_t *hold, ngx_str_t *text);
static gateway_try_e ngx_gateway_select_servicer_none(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result,
    ngx_gateway_select_verdict_t *verdict);


/*
 * Codes that may be told when the chain has done what was asked: an internal
 * error, a chain that did not answer, a relay that could not be recorded.
 */

static const uint32_t  ngx_gateway_select_servicer_done[] = { 1, 28, 37, 90 };


ngx_int_t
ngx_gateway_select_servicer(ngx_gateway_select_attempt_t *attempt)
{
    ngx_int_t                     rc;
    ngx_gateway_select_call_t    *call;
    ngx_gateway_select_signed_t  *relay;

    call = attempt->call;

    if (call->too_large || call->not_utf8) {
        return NGX_DECLINED;
    }

    /* another part of a batch is another payload */

    if (call->payload == NULL
        || call->payload->relay.payload.data.data != call->body.data)
    {
        rc = ngx_gateway_select_servicer_payload(attempt);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    relay = ngx_palloc(attempt->pool, sizeof(ngx_gateway_select_signed_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_gateway_select_sign(call->gmcf, &attempt->pick, call->payload,
                                 call->verify, relay, attempt->pool);
    if (rc != NGX_OK) {
        return rc;
    }

    if (relay->url.peer == NULL) {
        ngx_gateway_select_begin(&attempt->pick);
        ngx_gateway_select_end(&attempt->pick, GATEWAY_TRY_LOST, 0);

        return NGX_DECLINED;
    }

    attempt->relay = relay;
    attempt->node = relay->servicer;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_servicer_payload(ngx_gateway_select_attempt_t *attempt)
{
    ngx_int_t                      rc;
    ngx_pool_t                    *pool;
    pocket_payload_t              *text;
    ngx_gateway_select_call_t     *call;
    ngx_gateway_select_payload_t  *payload;

    call = attempt->call;
    pool = call->request->pool;

    payload = ngx_pcalloc(pool, sizeof(ngx_gateway_select_payload_t));
    if (payload == NULL) {
        return NGX_ERROR;
    }

    text = &payload->relay.payload;

    text->data.data = call->body.data;
    text->data.len = call->body.len;
    text->method.data = call->request->method_name.data;
    text->method.len = call->request->method_name.len;
    text->headers = call->headers.elts;
    text->nheaders = call->headers.nelts;
    text->has_headers = (call->headers.nelts != 0);

    if (ngx_gateway_select_servicer_path(call, &text->path) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_gateway_select_payload(call->gmcf, &attempt->pick, payload,
                                    pool);
    if (rc == NGX_DECLINED) {
        call->not_utf8 = 1;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (payload->head.len + NGX_GATEWAY_SELECT_PROOF_MAX
        > NGX_GATEWAY_SELECT_BODY_MAX)
    {
        call->too_large = 1;
        return NGX_DECLINED;
    }

    call->payload = payload;

    return NGX_OK;
}


/* With the query.  Servicers refuse relays that have neither path nor data. */

static ngx_int_t
ngx_gateway_select_servicer_path(ngx_gateway_select_call_t *call,
    pocket_str_t *path)
{
    u_char     *p;
    ngx_str_t  *args;

    args = &call->args;

    path->data = call->path.data;
    path->len = call->path.len;

    if (path->len == 0 && (call->body.len == 0 || args->len)) {
        path->data = (u_char *) "/";
        path->len = 1;
    }

    if (args->len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(call->request->pool, path->len + 1 + args->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, path->data, path->len);
    p[path->len] = '?';
    ngx_memcpy(p + path->len + 1, args->data, args->len);

    path->data = p;
    path->len += 1 + args->len;

    return NGX_OK;
}


mesh_http_exchange_t *
ngx_gateway_select_servicer_send(ngx_gateway_select_attempt_t *attempt,
    mesh_http_request_t *rq, mesh_http_handler_pt handler)
{
    rq->sink = ngx_gateway_select_servicer_sink;

    /* the response itself is bounded; here it is escaped */

    rq->max_body = POCKET_ANSWER_REST_MAX
                   + POCKET_JSON_ESCAPE_MAX * rq->max_body;

    return ngx_gateway_select_signed_send(attempt->call->gmcf,
                                          attempt->relay, rq, handler,
                                          attempt);
}


static ngx_int_t
ngx_gateway_select_servicer_sink(void *data, mesh_http_result_t *result,
    u_char *p, size_t n)
{
    ngx_gateway_select_attempt_t *attempt = data;

    ngx_int_t  rc;
    ngx_str_t  piece, text;

    piece.data = p;
    piece.len = n;

    for ( ;; ) {
        rc = ngx_gateway_select_signed_read(attempt->relay, &piece, &text);

        if (rc != 1) {
            break;
        }

        rc = ngx_gateway_select_attempt_take(attempt, result, text.data,
                                             text.len);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (rc == NGX_ERROR) {
        attempt->garbled = 1;
    }

    return rc;
}


gateway_try_e
ngx_gateway_select_servicer_judge(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    ngx_gateway_select_verdict_t  verdict;

    ngx_gateway_select_signed_end(attempt->relay, &verdict);

    switch (verdict.verdict) {

    case POCKET_ANSWER_GOOD:
        attempt->became = NGX_GATEWAY_SELECT_BECAME_REJECTED;
        attempt->status = NGX_HTTP_OK;
        return GATEWAY_TRY_OK;

    case POCKET_ANSWER_ERROR:
        return ngx_gateway_select_servicer_error(attempt, &verdict);

    case POCKET_ANSWER_FORGED:
    case POCKET_ANSWER_DOUBTFUL:
        return ngx_gateway_select_servicer_forged(attempt, &verdict);

    case POCKET_ANSWER_NONE:
        return ngx_gateway_select_servicer_none(attempt, result, &verdict);

    default: /* POCKET_ANSWER_FAILED */
        return GATEWAY_TRY_CENSORED;
    }
}


static gateway_try_e
ngx_gateway_select_servicer_error(ngx_gateway_select_attempt_t *attempt,
    ngx_gateway_select_verdict_t *verdict)
{
    ngx_uint_t                  i, n;
    pocket_client_error_t      *error;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;
    error = verdict->told.error;

    ngx_log_error(NGX_LOG_INFO, call->request->connection->log, 0,
                  "servicer \"%V\" of chain \"%V\" refused a relay of session "
                  "%uL, code %uD", &attempt->node, &call->name,
                  attempt->relay->height, error->code);

    attempt->became = ngx_gateway_select_account_code(error->code);
    attempt->fault = GATEWAY_FAULT_NODE;
    attempt->sent = 0;

    n = sizeof(ngx_gateway_select_servicer_done) / sizeof(uint32_t);

    for (i = 0; i < n; i++) {
        if (error->code == ngx_gateway_select_servicer_done[i]) {
            attempt->sent = 1;
        }
    }

    attempt->excused = (ngx_gateway_select_signed_error(call->gmcf,
                                                        &attempt->pick,
                                                        verdict)
                        != NGX_GATEWAY_SELECT_SESSION_FAULT);

    if (attempt->excused) {
        return GATEWAY_TRY_CENSORED;
    }

    attempt->pick.wrong =
                    ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_REFUSAL,
                                             error->code);

    return GATEWAY_TRY_FAILED;
}


static gateway_try_e
ngx_gateway_select_servicer_forged(ngx_gateway_select_attempt_t *attempt,
    ngx_gateway_select_verdict_t *verdict)
{
    ngx_str_t                   text;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    if (verdict->verdict == POCKET_ANSWER_FORGED) {

        ngx_log_error(NGX_LOG_WARN, call->request->connection->log, 0,
                      "servicer \"%V\" of chain \"%V\" signed another answer "
                      "than it gave", &attempt->node, &call->name);

        ngx_gateway_select_servicer_start(&attempt->hold, &text);

        ngx_gateway_select_signed_forged(call->gmcf, &attempt->pick,
                                         attempt->relay, verdict, &text,
                                         (size_t) attempt->hold.size);
    }

    attempt->became = NGX_GATEWAY_SELECT_BECAME_REJECTED;
    attempt->fault = GATEWAY_FAULT_NODE;
    attempt->pick.wrong =
                  ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_SIGNATURE,
                                           0);

    return GATEWAY_TRY_FAILED;
}


/* Of what is held, as much as is kept of evidence. */

static void
ngx_gateway_select_servicer_start(ngx_gateway_select_hold_t *hold,
    ngx_str_t *text)
{
    size_t        n, max;
    ngx_chain_t  *cl;

    max = ngx_min((size_t) hold->size, NGX_GATEWAY_SELECT_EVIDENCE_LEN);

    text->len = 0;
    text->data = ngx_pnalloc(hold->pool, max);

    if (text->data == NULL) {
        return;
    }

    for (cl = hold->chain; cl && text->len < max; cl = cl->next) {
        n = ngx_min((size_t) (cl->buf->last - cl->buf->pos), max - text->len);

        ngx_memcpy(text->data + text->len, cl->buf->pos, n);
        text->len += n;
    }
}


static gateway_try_e
ngx_gateway_select_servicer_none(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result, ngx_gateway_select_verdict_t *verdict)
{
    attempt->fault = gateway_fault_status((uint32_t) result->status,
                                          mesh_http_header(result,
                                                           "Retry-After")
                                          != NULL, 1);

    if (attempt->fault == GATEWAY_FAULT_QUOTA) {
        attempt->became = NGX_GATEWAY_SELECT_BECAME_REFUSED;
        return GATEWAY_TRY_QUOTA;
    }

    ngx_log_error(NGX_LOG_INFO, attempt->call->request->connection->log, 0,
                  "servicer \"%V\" of chain \"%V\" gave no answer of a relay: "
                  "status %ui, %*s", &attempt->node, &attempt->call->name,
                  result->status, verdict->err.len, verdict->err.text);

    attempt->fault = GATEWAY_FAULT_NODE;
    attempt->pick.wrong =
                     ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_RELAY,
                                              result->status);

    return GATEWAY_TRY_FAILED;
}


void
ngx_gateway_select_servicer_cancel(ngx_gateway_select_attempt_t *attempt)
{
    if (!mesh_http_sent(attempt->exchange)) {
        attempt->became = NGX_GATEWAY_SELECT_BECAME_NOTHING;
        return;
    }

    attempt->became = attempt->call->won ? NGX_GATEWAY_SELECT_BECAME_HEDGES
                                         : NGX_GATEWAY_SELECT_BECAME_TIMEOUTS;
}


void
ngx_gateway_select_servicer_count(ngx_gateway_select_attempt_t *attempt)
{
    if (attempt == attempt->call->won && attempt->held) {
        attempt->became = NGX_GATEWAY_SELECT_BECAME_ANSWERED;
    }

    ngx_gateway_select_account_add(&attempt->relay->account, attempt->became);
}
