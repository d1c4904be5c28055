
/*
 * Sending: which relay goes to the node next, what its answer means, and when
 * nothing may go there.
 *
 * The rule above all: never are two copies of one relay at the node at once.
 * A relay that may have reached the node and was not answered is in doubt; it
 * is sent again only when the node has answered a check that began later, and
 * NGX_MESH_RELAY_DOUBT_WAIT after that.
 */


#include "ngx_mesh_relay_notify.h"


static ngx_uint_t ngx_mesh_relay_may_send(ngx_mesh_relay_queue_t *queue);
static ngx_uint_t ngx_mesh_relay_judge(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);
static ngx_int_t ngx_mesh_relay_notify_send(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);
static ngx_uint_t ngx_mesh_relay_notify_permit(void *data);
static void ngx_mesh_relay_notify_answer(void *data,
    mesh_http_result_t *result);
static void ngx_mesh_relay_notify_answered(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, pocket_notify_answer_t *out);
static void ngx_mesh_relay_notify_retry(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);
static void ngx_mesh_relay_notify_ended(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane, pocket_notify_answer_t *out);
static void ngx_mesh_relay_notify_told(void *data,
    ngx_mesh_relay_store_session_t *s);
static void ngx_mesh_relay_notify_failed(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, mesh_http_result_t *result);
static void ngx_mesh_relay_breaker_open(ngx_mesh_relay_queue_t *queue,
    mesh_http_result_t *result);
static void ngx_mesh_relay_breaker_close(ngx_mesh_relay_queue_t *queue);
static void ngx_mesh_relay_breaker_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view);
static void ngx_mesh_relay_doubts_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view);


void
ngx_mesh_relay_dispatch(ngx_mesh_relay_queue_t *queue)
{
    ngx_mesh_relay_entry_t  *entry;

    while (ngx_mesh_relay_may_send(queue)) {

        entry = ngx_mesh_relay_window_next(queue);

        if (entry == NULL) {
            break;
        }

        if (!ngx_mesh_relay_judge(queue, entry)) {
            continue;
        }

        if (ngx_mesh_relay_notify_send(queue, entry) != NGX_OK) {
            break;
        }
    }
}


void
ngx_mesh_relay_dispatch_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view)
{
    ngx_mesh_relay_entry_t  *entry;

    ngx_mesh_relay_doubts_tick(queue, view);
    ngx_mesh_relay_breaker_tick(queue, view);

    /* windows close while nothing can be sent, too: the oldest first */

    if (queue->breaker != NGX_MESH_RELAY_BREAKER_CLOSED) {

        do {
            entry = ngx_mesh_relay_window_next(queue);
        } while (entry && !ngx_mesh_relay_judge(queue, entry));
    }

    ngx_mesh_relay_dispatch(queue);
}


static ngx_uint_t
ngx_mesh_relay_may_send(ngx_mesh_relay_queue_t *queue)
{
    if (ngx_exiting
        || ngx_terminate
        || !ngx_mesh_relay_slot_owned(queue->notify))
    {
        return 0;
    }

    /* what it is going to lose may be repeated and sent by another worker */

    if (mesh_redis_state(queue->mcf->redis_stream) != MESH_REDIS_READY) {
        return 0;
    }

    switch (queue->breaker) {

    case NGX_MESH_RELAY_BREAKER_CLOSED:
        return queue->nflights < queue->mcf->notify_concurrency;

    case NGX_MESH_RELAY_BREAKER_PROBING:
        return queue->nflights == 0;

    default:
        return 0;
    }
}


/* 1: it may be sent; 0: it is where it belongs, and not in its lane */

static ngx_uint_t
ngx_mesh_relay_judge(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    switch (ngx_mesh_relay_lane_deliverable(queue, entry->lane,
                                            entry->height))
    {
    case NGX_OK:
        return 1;

    case NGX_DECLINED:
        ngx_mesh_relay_entry_expire(queue, entry);
        return 0;

    default:
        ngx_mesh_relay_park_unready(queue, entry->lane);
        return 0;
    }
}


static ngx_int_t
ngx_mesh_relay_notify_send(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    mesh_http_header_t           headers[3];
    mesh_http_request_t          request;
    ngx_mesh_relay_lane_t       *lane;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = queue->mcf;
    lane = entry->lane;

    ngx_memzero(&request, sizeof(mesh_http_request_t));

    ngx_str_set(&request.method, "POST");
    ngx_str_set(&request.path, "/v1/private/mesh/relay");

    ngx_str_set(&headers[0].name, "Content-Type");
    ngx_str_set(&headers[0].value, "application/json");
    ngx_str_set(&headers[1].name, "Authorization");
    headers[1].value = mcf->node_token;

    /* a session's id begins with the address */

    ngx_str_set(&headers[2].name, "X-Servicer");
    headers[2].value.data = lane->sn.str.data;
    headers[2].value.len = NGX_MESH_RELAY_ADDR_HEX_LEN;

    request.url = queue->node->endpoint;
    request.args = lane->args;
    request.headers = headers;
    request.nheaders = 3;
    request.body = entry->relay;
    request.read_timeout = mcf->notify_timeout;
    request.timeout = mcf->notify_timeout;
    request.once = 1;
    request.permit = ngx_mesh_relay_notify_permit;

    entry->exchange = mesh_http_send(mcf->node_http, &request,
                                     ngx_mesh_relay_notify_answer, entry);
    if (entry->exchange == NULL) {
        return NGX_ERROR;
    }

    ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_FLIGHT);

    return NGX_OK;
}


/*
 * A process that was stopped goes on with what it was at: a connection that
 * was made meanwhile, long after another took over the slot.
 */

static ngx_uint_t
ngx_mesh_relay_notify_permit(void *data)
{
    ngx_mesh_relay_entry_t *entry = data;

    ngx_time_update();

    return ngx_mesh_relay_slot_owned(entry->lane->queue->notify);
}


static void
ngx_mesh_relay_notify_answer(void *data, mesh_http_result_t *result)
{
    ngx_mesh_relay_entry_t *entry = data;

    ngx_pool_t              *scratch;
    pocket_alloc_t           a;
    pocket_node_answer_t     in;
    pocket_notify_answer_t   out;
    ngx_mesh_relay_queue_t  *queue;

    queue = entry->lane->queue;
    entry->exchange = NULL;

    /* the node itself answers 200, or 400 with the reason */

    if (result->outcome != MESH_HTTP_OK
        || (result->status != NGX_HTTP_OK
            && result->status != NGX_HTTP_BAD_REQUEST))
    {
        ngx_mesh_relay_notify_failed(queue, entry, result);

    } else {
        scratch = queue->notify->scratch;

        mesh_pool_allocator(scratch, &a);
        ngx_mesh_relay_node_answer(result, &in);

        (void) pocket_node_notify_answer(&in, &out, &a);

        ngx_mesh_relay_notify_answered(queue, entry, &out);

        ngx_reset_pool(scratch);
    }

    ngx_mesh_relay_settle(queue, 0);
    ngx_mesh_relay_dispatch(queue);
}


static void
ngx_mesh_relay_notify_answered(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, pocket_notify_answer_t *out)
{
    ngx_mesh_relay_lane_t     *lane;
    ngx_mesh_relay_outcome_e   outcome;

    lane = entry->lane;

    ngx_mesh_relay_breaker_close(queue);

    if (out->height) {
        ngx_mesh_relay_node_height(queue->mcf, queue->node, out->height);
    }

    switch (out->class) {

    case POCKET_NOTIFY_DELIVERED:

        outcome = (out->code && entry->fresh)
                  ? NGX_MESH_RELAY_DELIVERED_FIRST : NGX_MESH_RELAY_DELIVERED;

        lane->retries = 0;

        if (!entry->fresh) {
            lane->wait = 0;
        }

        ngx_mesh_relay_entry_done(queue, entry, outcome, 0);
        break;

    case POCKET_NOTIFY_SESSION_INVALID:
        ngx_mesh_relay_notify_ended(queue, lane, out);

        /* fall through */

    case POCKET_NOTIFY_REFUSED:
        lane->retries = 0;
        ngx_mesh_relay_entry_done(queue, entry, NGX_MESH_RELAY_REFUSED,
                                  out->code);
        break;

    default:
        ngx_mesh_relay_notify_retry(queue, entry);
    }
}


/* not taken yet; but of a session that is over each is sent once only */

static void
ngx_mesh_relay_notify_retry(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    ngx_uint_t              code;
    ngx_mesh_relay_lane_t  *lane;

    lane = entry->lane;

    code = lane->key.servicer
           ? ngx_mesh_relay_session_code(queue->mcf, &lane->key) : 0;

    if (code) {
        ngx_mesh_relay_entry_done(queue, entry, NGX_MESH_RELAY_REFUSED, code);
        return;
    }

    ngx_mesh_relay_park_entry(queue, entry);
}


static void
ngx_mesh_relay_notify_ended(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane, pocket_notify_answer_t *out)
{
    ngx_mesh_relay_main_conf_t      *mcf;
    ngx_mesh_relay_store_session_t   s;

    if (lane->key.servicer == NULL || lane->code) {
        return;
    }

    mcf = queue->mcf;
    lane->code = out->code;

    ngx_mesh_relay_session_invalidate(mcf, &lane->key, out->code);

    ngx_memzero(&s, sizeof(ngx_mesh_relay_store_session_t));

    s.code = out->code;
    s.message.len = out->message.len;
    s.message.data = out->message.data;
    s.remaining = -1;

    /* if Redis cannot be told now, the next refusal tells it */

    if (ngx_mesh_relay_store_session_set(mcf, &lane->key, &s,
                                         ngx_mesh_relay_notify_told, NULL)
        != NGX_OK)
    {
        lane->code = 0;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "full node \"%V\" ended session \"%V\" with code %ui",
                  &queue->node->name, &lane->sn.str, s.code);
}


static void
ngx_mesh_relay_notify_told(void *data, ngx_mesh_relay_store_session_t *s)
{
    /* whoever needs the session's state reads it */
}


/*
 * No answer, or none of the node's own.  A status of 5xx comes from something
 * between us, which may have given up on a node that goes on.
 */

static void
ngx_mesh_relay_notify_failed(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, mesh_http_result_t *result)
{
    ngx_uint_t  doubt;

    doubt = (result->outcome == MESH_HTTP_OK)
            ? result->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
            : result->sent;

    if (doubt) {
        entry->fresh = 0;
        entry->since = ngx_current_msec;
        entry->cleared = 0;

        ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_DOUBT);

    } else {
        ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_READY);
    }

    /* the node has not failed when it was us who ended it */

    if (result->outcome != MESH_HTTP_CANCELED) {
        ngx_mesh_relay_breaker_open(queue, result);
    }
}


static void
ngx_mesh_relay_breaker_open(ngx_mesh_relay_queue_t *queue,
    mesh_http_result_t *result)
{
    ngx_msec_t                   now, wait;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = queue->mcf;
    now = ngx_current_msec;

    /* a check must have begun after the last failure */

    queue->opened_at = now;
    queue->ask_at = now;

    if (queue->breaker == NGX_MESH_RELAY_BREAKER_OPEN) {
        return;
    }

    wait = (queue->breaker == NGX_MESH_RELAY_BREAKER_PROBING)
           ? ngx_min(queue->open_wait * 2, mcf->retry_wait_max)
           : mcf->retry_wait_min;

    queue->breaker = NGX_MESH_RELAY_BREAKER_OPEN;
    queue->open_wait = wait;
    queue->open_until = now + ngx_mesh_relay_jitter(wait);
    queue->ask_wait = mcf->retry_wait_min;

    if (!ngx_mesh_relay_queue_log(queue)) {
        return;
    }

    if (result->outcome == MESH_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "full node \"%V\" answered a notification with status "
                      "%ui, notifications pause",
                      &queue->node->name, result->status);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "full node \"%V\" did not answer a notification: %s, "
                  "notifications pause", &queue->node->name, result->reason);
}


static void
ngx_mesh_relay_breaker_close(ngx_mesh_relay_queue_t *queue)
{
    if (queue->breaker != NGX_MESH_RELAY_BREAKER_PROBING) {
        return;
    }

    queue->breaker = NGX_MESH_RELAY_BREAKER_CLOSED;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "full node \"%V\" takes notifications again",
                  &queue->node->name);
}


static void
ngx_mesh_relay_breaker_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view)
{
    ngx_msec_t                   now;
    ngx_mesh_relay_main_conf_t  *mcf;

    if (queue->breaker != NGX_MESH_RELAY_BREAKER_OPEN) {
        return;
    }

    mcf = queue->mcf;
    now = ngx_current_msec;

    if (view->good_begun
        && ngx_mesh_relay_after(view->good_begun, queue->opened_at))
    {
        if (!ngx_mesh_relay_after(queue->open_until, now)) {
            queue->breaker = NGX_MESH_RELAY_BREAKER_PROBING;
        }

        return;
    }

    if (ngx_mesh_relay_after(queue->ask_at, now)) {
        return;
    }

    queue->ask_at = now + ngx_mesh_relay_jitter(queue->ask_wait);
    queue->ask_wait = ngx_min(queue->ask_wait * 2, mcf->retry_wait_max);

    ngx_mesh_relay_node_want_check(mcf, queue->node);
}


/* in the order in which the doubts began */

static void
ngx_mesh_relay_doubts_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view)
{
    ngx_uint_t               over, cleared;
    ngx_queue_t             *q, *next;
    ngx_mesh_relay_entry_t  *entry;

    for (q = ngx_queue_head(&queue->doubts);
         q != ngx_queue_sentinel(&queue->doubts);
         q = next)
    {
        next = ngx_queue_next(q);
        entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

        cleared = entry->cleared;
        over = ngx_mesh_relay_doubt_over(view, &entry->since, &cleared);

        if (cleared && !entry->cleared) {
            entry->cleared = 1;
            ngx_mesh_relay_doubt_proven(queue, view->good_begun,
                                        entry->since);
        }

        if (!cleared) {
            return;
        }

        if (over) {
            ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_READY);
        }
    }
}


ngx_uint_t
ngx_mesh_relay_doubt_over(ngx_mesh_relay_node_view_t *view,
    ngx_msec_t *since, ngx_uint_t *cleared)
{
    if (!*cleared) {

        if (view->good_begun == 0
            || !ngx_mesh_relay_after(view->good_begun, *since))
        {
            return 0;
        }

        *cleared = 1;
        *since = ngx_current_msec + NGX_MESH_RELAY_DOUBT_WAIT;
    }

    return !ngx_mesh_relay_after(*since, ngx_current_msec);
}


void
ngx_mesh_relay_doubt_proven(ngx_mesh_relay_queue_t *queue, ngx_msec_t begun,
    ngx_msec_t end)
{
    /* of two checks the first ends its doubts the earlier */

    if (!queue->proof || ngx_mesh_relay_after(begun, queue->proven)) {
        queue->proof = 1;
        queue->proven = begun;
        queue->proven_end = end;
    }
}
