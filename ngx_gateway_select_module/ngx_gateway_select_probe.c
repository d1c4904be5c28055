
/*
 * A turn: what a check asks, how the answer comes, and how the turn ends.
 */


#include "ngx_gateway_select_checked.h"


#define NGX_GATEWAY_SELECT_PROBE_AGAIN     2000     /* after a failure */
#define NGX_GATEWAY_SELECT_PROBE_FAILURES  3        /* so many times */
#define NGX_GATEWAY_SELECT_PROBE_PAUSE     15000    /* quota, nothing told */
#define NGX_GATEWAY_SELECT_PENALTY_MAX     600000
#define NGX_GATEWAY_SELECT_PENALTY_GROWTH  4
#define NGX_GATEWAY_SELECT_PROBE_SLACK     20       /* of two clocks */
#define NGX_GATEWAY_SELECT_BLOCK_MAX       (16 * 1024 * 1024)


static ngx_int_t ngx_gateway_select_probe_direct(
    ngx_gateway_select_probe_t *probe, gateway_probe_request_t *request);
static mesh_http_url_t *ngx_gateway_select_probe_url(
    ngx_gateway_select_probe_t *probe, mesh_http_url_t *url);
static ngx_int_t ngx_gateway_select_probe_relay(
    ngx_gateway_select_probe_t *probe, gateway_probe_request_t *request);
static void ngx_gateway_select_probe_answer(void *data,
    mesh_http_result_t *result);
static void ngx_gateway_select_probe_own(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_e outcome, const char *text);
static void ngx_gateway_select_probe_pause(ngx_gateway_select_probe_t *probe,
    ngx_msec_t wait);
static ngx_int_t ngx_gateway_select_probe_finish(
    ngx_gateway_select_probe_t *probe, gateway_try_e how);
static ngx_msec_t ngx_gateway_select_probe_next(
    ngx_gateway_select_probe_t *probe);


ngx_int_t
ngx_gateway_select_probe_send(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request, ngx_gateway_select_reply_pt handler)
{
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    /* it asks once more in its turn: the answer before was one */

    if (probe->begun) {
        ngx_gateway_select_end(&probe->pick, GATEWAY_TRY_OK, probe->latency);
        probe->begun = 0;
    }

    probe->handler = handler;
    watched->asked_at = ngx_gateway_select_now();

    if (probe->check->mode == NGX_GATEWAY_SELECT_DIRECT
        || (probe->check->mode == NGX_GATEWAY_SELECT_AUTO
            && watched->server && watched->server->url))
    {
        return ngx_gateway_select_probe_direct(probe, request);
    }

    return ngx_gateway_select_probe_relay(probe, request);
}


static ngx_int_t
ngx_gateway_select_probe_direct(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request)
{
    mesh_http_url_t       url;
    mesh_http_header_t    header;
    mesh_http_request_t   rq;

    ngx_gateway_select_probe_http(request, &rq, &header);

    rq.url = ngx_gateway_select_probe_url(probe, &url);
    rq.timeout = probe->chain->timeout;
    rq.max_body = ngx_gateway_select_probe_max(probe);

    if (rq.url == NULL) {
        return NGX_ERROR;
    }

    probe->exchange = mesh_http_send(probe->watch->checker->gmcf->http, &rq,
                                     ngx_gateway_select_probe_answer, probe);
    if (probe->exchange == NULL) {
        return NGX_ERROR;
    }

    ngx_gateway_select_pick_node(probe->shared, probe->node,
                                 NGX_GATEWAY_SELECT_NO_SESSION, &probe->pick);
    ngx_gateway_select_begin(&probe->pick);
    probe->begun = 1;

    return NGX_OK;
}


/* The URL of a servicer is opened as url: its session told it. */

static mesh_http_url_t *
ngx_gateway_select_probe_url(ngx_gateway_select_probe_t *probe,
    mesh_http_url_t *url)
{
    ngx_str_t                      text;
    const char                    *err;
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    if (watched->server) {
        return watched->server->url;
    }

    node = ngx_gateway_select_node(probe->shared, probe->node);

    text.len = node->url_len;
    text.data = node->url;

    return (mesh_http_url_open(probe->watch->checker->gmcf->http, &text, url,
                               &err)
            == NGX_OK)
           ? url : NULL;
}


size_t
ngx_gateway_select_probe_max(ngx_gateway_select_probe_t *probe)
{
    /* Pocket gives no block without its transactions */

    return (probe->check->kind == GATEWAY_PROBE_POKT_BLOCK)
           ? NGX_GATEWAY_SELECT_BLOCK_MAX : 0;
}


void
ngx_gateway_select_probe_http(gateway_probe_request_t *request,
    mesh_http_request_t *rq, mesh_http_header_t *header)
{
    u_char  *args;

    ngx_memzero(rq, sizeof(mesh_http_request_t));

    rq->method.len = request->method.len;
    rq->method.data = request->method.data;
    rq->path.len = request->path.len;
    rq->path.data = request->path.data;
    rq->body.len = request->body.len;
    rq->body.data = request->body.data;

    args = ngx_strlchr(rq->path.data, rq->path.data + rq->path.len, '?');

    if (args) {
        rq->args.data = args + 1;
        rq->args.len = rq->path.data + rq->path.len - rq->args.data;
        rq->path.len = args - rq->path.data;
    }

    if (request->header.len) {
        header->name.len = request->header.len;
        header->name.data = request->header.data;
        header->value.len = request->value.len;
        header->value.data = request->value.data;

        rq->headers = header;
        rq->nheaders = 1;
    }
}


static ngx_int_t
ngx_gateway_select_probe_relay(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request)
{
    ngx_gateway_select_relay_t  *relay;

    relay = probe->watch->checker->relay;

    if (relay == NULL) {
        return NGX_ERROR;
    }

    probe->relayed = relay->send(probe, request);

    if (probe->relayed == NULL) {
        return NGX_ERROR;
    }

    probe->begun = 1;

    return NGX_OK;
}


static void
ngx_gateway_select_probe_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_probe_t *probe = data;

    ngx_gateway_select_reply_t  reply;

    probe->exchange = NULL;

    if (result->outcome == MESH_HTTP_CANCELED
        || result->outcome == MESH_HTTP_INTERNAL)
    {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
        return;
    }

    ngx_memzero(&reply, sizeof(ngx_gateway_select_reply_t));

    reply.time = result->time;
    reply.reason = result->reason;

    if (result->outcome == MESH_HTTP_OK) {
        reply.status = result->status;
        reply.body = result->body;
        reply.retry_after = ngx_gateway_select_retry_after(
                                    mesh_http_header(result, "Retry-After"));

    } else {
        probe->pick.wrong = ngx_gateway_select_unanswered(result);
    }

    ngx_gateway_select_probe_reply(probe, &reply);
}


void
ngx_gateway_select_probe_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    probe->relayed = NULL;
    probe->latency = reply->time;

    probe->handler(probe, reply);
}


void
ngx_gateway_select_probe_void(ngx_gateway_select_probe_t *probe)
{
    probe->relayed = NULL;

    ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
}


void
ngx_gateway_select_probe_height(ngx_gateway_select_probe_t *probe,
    uint64_t height)
{
    if (probe->begun) {
        ngx_gateway_select_height(&probe->pick, height);
    }

    if (ngx_gateway_select_probe_finish(probe, GATEWAY_TRY_OK) == NGX_OK) {
        ngx_gateway_select_height_vote(probe, height,
                                       ngx_gateway_select_now());
    }
}


void
ngx_gateway_select_probe_identifier(ngx_gateway_select_probe_t *probe,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply)
{
    if (probe->turn) {
        ngx_gateway_select_checked_told(probe, NGX_GATEWAY_SELECT_RULE_VOTES,
                                        identifier,
                                        ngx_gateway_select_now());
        ngx_gateway_select_poll_vote(probe, identifier, reply);
    }

    (void) ngx_gateway_select_probe_finish(probe, GATEWAY_TRY_OK);
}


void
ngx_gateway_select_probe_pass(ngx_gateway_select_probe_t *probe)
{
    if (ngx_gateway_select_probe_finish(probe, GATEWAY_TRY_OK) == NGX_OK) {
        ngx_gateway_select_probe_own(probe, NGX_GATEWAY_SELECT_CHECKED_PASSED,
                                     "");
        ngx_gateway_select_passed(probe);
    }
}


void
ngx_gateway_select_probe_fail(ngx_gateway_select_probe_t *probe,
    const char *text)
{
    if (ngx_gateway_select_probe_finish(probe, GATEWAY_TRY_OK) != NGX_OK) {
        return;
    }

    ngx_gateway_select_probe_own(probe, NGX_GATEWAY_SELECT_CHECKED_FAILED,
                                 text);

    ngx_gateway_select_punish(probe, probe->check->reason,
                              ngx_gateway_select_penalty(probe),
                              (u_char *) text, ngx_strlen(text));

    ngx_gateway_select_probe_arm(probe,
                                 ngx_gateway_select_probe_interval(probe));
}


/* what a check alone has decided, by one answer */

static void
ngx_gateway_select_probe_own(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_e outcome, const char *text)
{
    ngx_str_t  value;

    if (!probe->told) {
        value.len = ngx_strlen(text);
        value.data = (u_char *) text;

        ngx_gateway_select_checked_told(probe, NGX_GATEWAY_SELECT_RULE_OWN,
                                        &value, ngx_gateway_select_now());
    }

    probe->told = 0;

    ngx_gateway_select_checked(probe, outcome, NULL);
}


void
ngx_gateway_select_probe_end(ngx_gateway_select_probe_t *probe,
    gateway_try_e how, ngx_msec_t wait)
{
    if (how == GATEWAY_TRY_QUOTA && wait && probe->begun) {
        ngx_gateway_select_pace(&probe->pick, wait);
    }

    if (ngx_gateway_select_probe_finish(probe, how) != NGX_OK) {
        return;
    }

    if (how == GATEWAY_TRY_FAILED || how == GATEWAY_TRY_LOST) {
        ngx_gateway_select_checked(probe,
                                   NGX_GATEWAY_SELECT_CHECKED_NO_ANSWER, NULL);
    }

    if (how != GATEWAY_TRY_QUOTA) {
        return;
    }

    ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_QUOTA, NULL);

    ngx_gateway_select_probe_pause(probe, wait ? wait
                                             : NGX_GATEWAY_SELECT_PROBE_PAUSE);
}


/* whatever was asked: all checks of the node leave it alone */

static void
ngx_gateway_select_probe_pause(ngx_gateway_select_probe_t *probe,
    ngx_msec_t wait)
{
    ngx_uint_t                     i;
    ngx_gateway_select_probe_t    *other;
    ngx_gateway_select_watched_t  *watched;

    wait = ngx_max(ngx_gateway_select_check_interval(probe->watch,
                                                     probe->check), wait);

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    for (i = 0; i < probe->watch->nchecks; i++) {
        other = &watched->probes[i];

        if (!other->turn) {
            other->paused = 1;
            ngx_gateway_select_probe_arm(other,
                                         wait + ngx_gateway_select_random()
                                                % (wait / 8 + 1));
        }
    }
}


static ngx_int_t
ngx_gateway_select_probe_finish(ngx_gateway_select_probe_t *probe,
    gateway_try_e how)
{
    if (!probe->turn || probe->exchange || probe->relayed) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "check \"%V\" ended a turn that it does not have",
                      probe->check->name(probe->check));
        return NGX_ERROR;
    }

    if (probe->begun) {
        ngx_gateway_select_end(&probe->pick, how, probe->latency);
        probe->begun = 0;
    }

    if (how == GATEWAY_TRY_FAILED || how == GATEWAY_TRY_LOST) {
        probe->failures++;

    } else {
        probe->failures = 0;
    }

    ngx_gateway_select_probe_leave(probe);
    ngx_gateway_select_probe_arm(probe, ngx_gateway_select_probe_next(probe));

    return NGX_OK;
}


/* one failure proves nothing: asked again soon, so that a dead node is out */

static ngx_msec_t
ngx_gateway_select_probe_next(ngx_gateway_select_probe_t *probe)
{
    ngx_msec_t  interval;

    interval = ngx_gateway_select_probe_interval(probe);

    if (probe->failures
        && probe->failures <= NGX_GATEWAY_SELECT_PROBE_FAILURES)
    {
        interval = ngx_min(interval, ngx_gateway_select_jitter(
                                         NGX_GATEWAY_SELECT_PROBE_AGAIN));
    }

    return interval;
}


void
ngx_gateway_select_probe_cancel(ngx_gateway_select_probe_t *probe)
{
    if (!probe->turn) {
        return;
    }

    if (probe->exchange) {
        mesh_http_cancel(probe->exchange);
        probe->exchange = NULL;
    }

    if (probe->relayed) {
        probe->watch->checker->relay->cancel(probe->relayed);
        probe->relayed = NULL;
    }

    if (probe->begun) {
        ngx_gateway_select_end(&probe->pick, GATEWAY_TRY_CENSORED, 0);
        probe->begun = 0;
    }

    ngx_gateway_select_probe_leave(probe);
}


/* it grows with each return of the node; what it waits for does not */

ngx_msec_t
ngx_gateway_select_penalty(ngx_gateway_select_probe_t *probe)
{
    uint32_t    returns;
    ngx_msec_t  penalty;

    returns = ngx_gateway_select_node(probe->shared, probe->node)
                  ->record.returns;

    penalty = probe->check->penalty
              << ngx_min(returns, NGX_GATEWAY_SELECT_PENALTY_GROWTH);

    /* a configured one may be longer from the first time on */

    return ngx_max(ngx_min(penalty, NGX_GATEWAY_SELECT_PENALTY_MAX),
                   probe->check->penalty);
}


/*
 * A node is busy while callers' requests tell its height; it votes with what
 * it told them.
 */

ngx_uint_t
ngx_gateway_select_probe_idle(ngx_gateway_select_probe_t *probe)
{
    uint64_t                       now;
    gateway_record_t              *record;
    ngx_gateway_select_watched_t  *watched;

    record = &ngx_gateway_select_node(probe->shared, probe->node)->record;
    watched = ngx_gateway_select_watched(probe->watch, probe->node);
    now = ngx_gateway_select_now();

    /* what it told us is folded into the record, too */

    if (record->run
        || ngx_gateway_select_probe_awaited(probe)
        || record->height_at <= watched->asked_at + probe->latency
                                + NGX_GATEWAY_SELECT_PROBE_SLACK
        || record->height_at + ngx_gateway_select_check_interval(probe->watch,
                                                                 probe->check)
           < now)
    {
        return 1;
    }

    if (probe->check->reason == GATEWAY_PENALTY_HEIGHT) {
        ngx_gateway_select_height_vote(probe, record->height,
                                       record->height_at);
    }

    return 0;
}
