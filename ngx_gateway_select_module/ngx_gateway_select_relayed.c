
/*
 * Checks as relays: to a session's servicer nothing else gets through.  They
 * are signed by the session's application, spend a bounded part of what it
 * may send, and their answers carry the servicer's signature.
 */


#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_signed.h"


/* checks take so many parts of a hundred of what a node's sessions allow */

#define NGX_GATEWAY_SELECT_RELAYED_PART     10

/* how long a session lasts where blocks have not told it yet, ms */

#define NGX_GATEWAY_SELECT_RELAYED_SESSION  3600000

#define NGX_GATEWAY_SELECT_FORGED_PENALTY   60000


typedef struct {
    ngx_gateway_select_probe_t    *probe;
    mesh_http_exchange_t          *exchange;
    pocket_header_t                header;
    ngx_gateway_select_payload_t   payload;
    ngx_gateway_select_signed_t    relay;
    u_char                         proof[2 * POCKET_HASH_LEN];
    u_char                         hash[2 * POCKET_HASH_LEN];
} ngx_gateway_select_relayed_t;


static void *ngx_gateway_select_relayed_send(
    ngx_gateway_select_probe_t *probe, gateway_probe_request_t *request);
static void ngx_gateway_select_relayed_cancel(void *handle);
static uint32_t ngx_gateway_select_relayed_session(
    ngx_gateway_select_probe_t *probe);
static uint32_t ngx_gateway_select_relayed_place(
    ngx_gateway_select_session_t *session, uint32_t node);
static void ngx_gateway_select_relayed_payload(
    ngx_gateway_select_relayed_t *relayed, gateway_probe_request_t *request);
static void ngx_gateway_select_relayed_answer(void *data,
    mesh_http_result_t *result);
static ngx_int_t ngx_gateway_select_relayed_read(
    ngx_gateway_select_relayed_t *relayed, mesh_http_result_t *result,
    ngx_gateway_select_reply_t *reply);
static ngx_gateway_select_became_e ngx_gateway_select_relayed_became(
    ngx_gateway_select_verdict_t *verdict);
static ngx_int_t ngx_gateway_select_relayed_error(
    ngx_gateway_select_relayed_t *relayed,
    ngx_gateway_select_verdict_t *verdict);
static void ngx_gateway_select_relayed_forged(
    ngx_gateway_select_probe_t *probe, ngx_gateway_select_reply_t *reply);
static uint64_t ngx_gateway_select_relayed_part(
    ngx_gateway_select_session_t *session);


ngx_gateway_select_relay_t  ngx_gateway_select_relayed = {
    ngx_gateway_select_relayed_send,
    ngx_gateway_select_relayed_cancel
};


static void *
ngx_gateway_select_relayed_send(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request)
{
    uint32_t                         session;
    mesh_http_request_t              rq;
    ngx_gateway_select_relayed_t    *relayed;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = probe->watch->checker->gmcf;
    session = ngx_gateway_select_relayed_session(probe);

    if (session == NGX_GATEWAY_SELECT_NO_SESSION) {
        return NULL;
    }

    relayed = ngx_pcalloc(probe->pool, sizeof(ngx_gateway_select_relayed_t));
    if (relayed == NULL) {
        return NULL;
    }

    relayed->probe = probe;

    ngx_gateway_select_pick_node(probe->shared, probe->node, session,
                                 &probe->pick);
    ngx_gateway_select_relayed_payload(relayed, request);

    if (ngx_gateway_select_payload(gmcf, &probe->pick, &relayed->payload,
                                   probe->pool)
        != NGX_OK
        || ngx_gateway_select_sign(gmcf, &probe->pick, &relayed->payload, 1,
                                   &relayed->relay, probe->pool)
           != NGX_OK
        || relayed->relay.url.peer == NULL)
    {
        return NULL;
    }

    ngx_memzero(&rq, sizeof(mesh_http_request_t));

    rq.timeout = probe->chain->timeout;
    rq.max_body = ngx_gateway_select_probe_max(probe);

    relayed->exchange = ngx_gateway_select_signed_send(gmcf, &relayed->relay,
                                         &rq,
                                         ngx_gateway_select_relayed_answer,
                                         relayed);
    if (relayed->exchange == NULL) {
        return NULL;
    }

    ngx_gateway_select_begin(&probe->pick);

    probe->shared->sessions[session].checked[probe->pick.place]++;

    return relayed;
}


static void
ngx_gateway_select_relayed_cancel(void *handle)
{
    ngx_gateway_select_relayed_t *relayed = handle;

    if (mesh_http_sent(relayed->exchange)) {
        ngx_gateway_select_account_add(&relayed->relay.account,
                                       NGX_GATEWAY_SELECT_BECAME_TIMEOUTS);
    }

    mesh_http_cancel(relayed->exchange);
}


/* The newest of the node's that takes relays, and has the most left. */

static uint32_t
ngx_gateway_select_relayed_session(ngx_gateway_select_probe_t *probe)
{
    uint32_t                       i, place, best;
    uint64_t                       height, left, most;
    ngx_gateway_select_session_t  *session;

    best = NGX_GATEWAY_SELECT_NO_SESSION;
    height = 0;
    most = 0;

    for (i = 0; i < probe->shared->nsessions; i++) {

        session = &probe->shared->sessions[i];
        place = ngx_gateway_select_relayed_place(session, probe->node);

        if (place == NGX_GATEWAY_SELECT_SESSION_NODES
            || (session->refused | session->waiting) >> place & 1
            || session->used[place] >= session->allowance)
        {
            continue;
        }

        left = session->allowance - session->used[place];

        if (session->height > height
            || (session->height == height && left > most))
        {
            best = i;
            height = session->height;
            most = left;
        }
    }

    return best;
}


static uint32_t
ngx_gateway_select_relayed_place(ngx_gateway_select_session_t *session,
    uint32_t node)
{
    uint32_t  place;

    if (session->height) {

        for (place = 0; place < session->nnodes; place++) {
            if (session->nodes[place] == node) {
                return place;
            }
        }
    }

    return NGX_GATEWAY_SELECT_SESSION_NODES;
}


static void
ngx_gateway_select_relayed_payload(ngx_gateway_select_relayed_t *relayed,
    gateway_probe_request_t *request)
{
    pocket_payload_t  *payload;

    payload = &relayed->payload.relay.payload;

    payload->data = request->body;
    payload->method = request->method;
    payload->path = request->path;

    if (request->header.len) {
        relayed->header.name = request->header;
        relayed->header.value = request->value;

        payload->headers = &relayed->header;
        payload->nheaders = 1;
        payload->has_headers = 1;
    }
}


static void
ngx_gateway_select_relayed_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_relayed_t *relayed = data;

    ngx_gateway_select_reply_t   reply;
    ngx_gateway_select_probe_t  *probe;

    probe = relayed->probe;

    ngx_memzero(&reply, sizeof(ngx_gateway_select_reply_t));

    reply.time = result->time;
    reply.reason = result->reason;

    if (result->outcome != MESH_HTTP_OK && result->sent) {
        ngx_gateway_select_account_add(&relayed->relay.account,
                                       NGX_GATEWAY_SELECT_BECAME_TIMEOUTS);
    }

    switch (result->outcome) {

    case MESH_HTTP_OK:

        if (ngx_gateway_select_relayed_read(relayed, result, &reply)
            == NGX_OK)
        {
            break;
        }

        return;

    case MESH_HTTP_CANCELED:
    case MESH_HTTP_INTERNAL:
        ngx_gateway_select_probe_void(probe);
        return;

    default:
        probe->pick.wrong = ngx_gateway_select_unanswered(result);
        break;
    }

    ngx_gateway_select_probe_reply(probe, &reply);
}


/* NGX_DONE: the turn has ended here. */

static ngx_int_t
ngx_gateway_select_relayed_read(ngx_gateway_select_relayed_t *relayed,
    mesh_http_result_t *result, ngx_gateway_select_reply_t *reply)
{
    ngx_gateway_select_probe_t    *probe;
    ngx_gateway_select_verdict_t   verdict;

    probe = relayed->probe;

    reply->status = result->status;
    reply->retry_after = ngx_gateway_select_retry_after(
                                    mesh_http_header(result, "Retry-After"));

    if (result->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        ngx_gateway_select_account_add(&relayed->relay.account,
                                       NGX_GATEWAY_SELECT_BECAME_REFUSED);
        return NGX_OK;
    }

    ngx_gateway_select_signed_judge(&relayed->relay, &result->body,
                                    &reply->body, &verdict);

    ngx_gateway_select_account_add(&relayed->relay.account,
                                ngx_gateway_select_relayed_became(&verdict));

    ngx_hex_dump(relayed->proof, relayed->relay.proof, POCKET_HASH_LEN);

    ngx_hex_dump(relayed->hash, verdict.told.hash, POCKET_HASH_LEN);

    reply->proof.data = relayed->proof;
    reply->proof.len = sizeof(relayed->proof);
    reply->hash.data = relayed->hash;
    reply->hash.len = sizeof(relayed->hash);
    reply->signature.data = verdict.told.signature.data;
    reply->signature.len = verdict.told.signature.len;

    switch (verdict.verdict) {

    case POCKET_ANSWER_GOOD:
    case POCKET_ANSWER_DOUBTFUL:
        return NGX_OK;

    case POCKET_ANSWER_FORGED:
        ngx_gateway_select_relayed_forged(probe, reply);
        return NGX_DONE;

    case POCKET_ANSWER_ERROR:
        return ngx_gateway_select_relayed_error(relayed, &verdict);

    case POCKET_ANSWER_NONE:

        /* whatever it is, nobody has signed it: it is no chain's answer */

        if (reply->status == NGX_HTTP_OK) {
            reply->status = NGX_HTTP_BAD_GATEWAY;
        }

        return NGX_OK;

    default: /* POCKET_ANSWER_FAILED */
        ngx_gateway_select_probe_void(probe);
        return NGX_DONE;
    }
}


static ngx_gateway_select_became_e
ngx_gateway_select_relayed_became(ngx_gateway_select_verdict_t *verdict)
{
    switch (verdict->verdict) {

    case POCKET_ANSWER_ERROR:
        return ngx_gateway_select_account_code(verdict->told.error->code);

    case POCKET_ANSWER_NONE:
    case POCKET_ANSWER_FAILED:
        return NGX_GATEWAY_SELECT_BECAME_TIMEOUTS;

    default: /* GOOD, FORGED, DOUBTFUL */
        return NGX_GATEWAY_SELECT_BECAME_CHECKS;
    }
}


static ngx_int_t
ngx_gateway_select_relayed_error(ngx_gateway_select_relayed_t *relayed,
    ngx_gateway_select_verdict_t *verdict)
{
    ngx_str_t                     *message;
    ngx_gateway_select_probe_t    *probe;
    ngx_gateway_select_session_e   outcome;

    probe = relayed->probe;
    message = (ngx_str_t *) &verdict->told.error->message;

    outcome = ngx_gateway_select_signed_error(probe->watch->checker->gmcf,
                                              &probe->pick, verdict);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "check \"%V\": servicer \"%V\" says %uD: %V",
                  probe->check->name(probe->check),
                  &relayed->relay.servicer, verdict->told.error->code,
                  message);

    if (outcome == NGX_GATEWAY_SELECT_SESSION_FAULT) {
        return NGX_OK;
    }

    ngx_gateway_select_probe_void(probe);

    return NGX_DONE;
}


static void
ngx_gateway_select_relayed_forged(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    ngx_str_t                   agreed;
    gateway_record_t           *record;
    ngx_gateway_select_told_t   told;

    static u_char  why[] = "the servicer's signature is wrong";

    record = &ngx_gateway_select_node(probe->shared, probe->node)->record;

    /* who forges all does not make others' evidence go */

    if (record->penalties[GATEWAY_PENALTY_SIGNATURE].until == 0) {
        ngx_str_null(&agreed);
        ngx_memzero(&told, sizeof(ngx_gateway_select_told_t));

        told.text = reply->body;
        told.size = reply->body.len;
        told.signature = reply->signature;
        told.proof = reply->proof;
        told.hash = reply->hash;
        told.node = probe->node;

        ngx_gateway_select_evidence(probe, &told, &agreed);
    }

    probe->relayed = NULL;
    probe->latency = reply->time;

    ngx_gateway_select_probe_end(probe, GATEWAY_TRY_FAILED, 0);

    ngx_gateway_select_punish(probe, GATEWAY_PENALTY_SIGNATURE,
                              NGX_GATEWAY_SELECT_FORGED_PENALTY, why,
                              sizeof(why) - 1);

    ngx_gateway_select_probe_arm(probe,
                                 ngx_gateway_select_probe_interval(probe));
}


ngx_uint_t
ngx_gateway_select_relayed_affordable(ngx_gateway_select_probe_t *probe)
{
    uint32_t                       i, place;
    uint64_t                       spent, part;
    ngx_gateway_select_session_t  *session;

    part = probe->watch->nchecks;
    spent = 0;

    for (i = 0; i < probe->shared->nsessions; i++) {

        session = &probe->shared->sessions[i];
        place = ngx_gateway_select_relayed_place(session, probe->node);

        if (place < NGX_GATEWAY_SELECT_SESSION_NODES) {
            spent += session->checked[place];
            part += ngx_gateway_select_relayed_part(session);
        }
    }

    return spent < part;
}


/* Of the time that the session has lasted, as far as that is known. */

static uint64_t
ngx_gateway_select_relayed_part(ngx_gateway_select_session_t *session)
{
    uint64_t        part;
    ngx_msec_int_t  elapsed, length;

    part = session->allowance / 100 * NGX_GATEWAY_SELECT_RELAYED_PART
           + session->allowance % 100 * NGX_GATEWAY_SELECT_RELAYED_PART / 100;

    elapsed = (ngx_msec_int_t) (ngx_current_msec - session->begun);
    length = session->ends ? (ngx_msec_int_t) (session->ends - session->begun)
                           : NGX_GATEWAY_SELECT_RELAYED_SESSION;

    if (elapsed < 0 || elapsed >= length) {
        return part;
    }

    return (uint64_t) ((double) part * (double) elapsed / (double) length);
}
