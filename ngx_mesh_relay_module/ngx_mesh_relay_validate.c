
/*
 * The session validator: asks Redis, then the servicer's full node, whether
 * a session is good, and makes the outcome known to Redis first and to the
 * other workers then.  One question per session is on its way at a time, in
 * whichever worker has claimed it.
 */


#include "ngx_mesh_relay_zone.h"


#define NGX_MESH_RELAY_FLIGHTS_MAX     16       /* per node and worker */
#define NGX_MESH_RELAY_FLIGHT_POOL     2048
#define NGX_MESH_RELAY_FLIGHT_MARGIN   1000
#define NGX_MESH_RELAY_PENDING_EVERY   1000


/* one question, in a pool of its own; exchange while the node is asked */

typedef struct {
    ngx_queue_t                      queue;
    ngx_pool_t                      *pool;
    ngx_mesh_relay_main_conf_t      *mcf;
    ngx_mesh_relay_session_key_t     key;
    mesh_http_exchange_t            *exchange;
    ngx_mesh_relay_store_session_t   outcome;
} ngx_mesh_relay_flight_t;


struct ngx_mesh_relay_validator_s {
    ngx_queue_t                      flights;
    ngx_uint_t                      *counts;    /* of flights, per node */
    ngx_event_t                      timer;
};


static ngx_mesh_relay_flight_t *ngx_mesh_relay_flight_create(
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_session_key_t *key);
static void ngx_mesh_relay_flight_read(void *data,
    ngx_mesh_relay_store_session_t *s);
static ngx_int_t ngx_mesh_relay_flight_ask(ngx_mesh_relay_flight_t *flight);
static ngx_int_t ngx_mesh_relay_flight_body(ngx_mesh_relay_flight_t *flight,
    ngx_str_t *body);
static void ngx_mesh_relay_flight_answer(void *data,
    mesh_http_result_t *result);
static ngx_int_t ngx_mesh_relay_flight_settle(
    ngx_mesh_relay_flight_t *flight, pocket_session_answer_t *answer,
    pocket_alloc_t *a);
static void ngx_mesh_relay_flight_written(void *data,
    ngx_mesh_relay_store_session_t *s);
static void ngx_mesh_relay_flight_retry(ngx_mesh_relay_flight_t *flight,
    pocket_session_answer_t *answer);
static void ngx_mesh_relay_flight_fail(ngx_mesh_relay_flight_t *flight);
static void ngx_mesh_relay_flight_destroy(ngx_mesh_relay_flight_t *flight);
static void ngx_mesh_relay_validate_pending(ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_validate_handler(ngx_event_t *ev);


void
ngx_mesh_relay_validate_session(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key)
{
    ngx_mesh_relay_flight_t  *flight;

    flight = ngx_mesh_relay_flight_create(mcf, key);

    if (flight == NULL) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "mesh relay validate session %V", &flight->key.id);

    if (ngx_mesh_relay_store_session_get(mcf, &flight->key,
                                         ngx_mesh_relay_flight_read, flight)
        != NGX_OK)
    {
        ngx_mesh_relay_flight_fail(flight);
        ngx_mesh_relay_flight_destroy(flight);
    }
}


/*
 * Without memory the claim stays until its lease is over: the session is due
 * again then.
 */

static ngx_mesh_relay_flight_t *
ngx_mesh_relay_flight_create(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key)
{
    u_char                   *p;
    ngx_pool_t               *pool;
    ngx_mesh_relay_flight_t  *flight;

    pool = ngx_create_pool(NGX_MESH_RELAY_FLIGHT_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    flight = ngx_pcalloc(pool, sizeof(ngx_mesh_relay_flight_t));
    if (flight == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    p = ngx_pnalloc(pool, key->id.len);
    if (p == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_memcpy(p, key->id.data, key->id.len);

    flight->pool = pool;
    flight->mcf = mcf;
    flight->key = *key;
    flight->key.id.data = p;

    /* app and chain as parts of our id: the request's may end before us */

    flight->key.app.data = p + NGX_MESH_RELAY_ADDR_HEX_LEN + 1;
    flight->key.chain.data = flight->key.app.data + key->app.len + 1;

    ngx_queue_insert_tail(&mcf->validator->flights, &flight->queue);
    mcf->validator->counts[key->servicer->node->index]++;

    return flight;
}


static void
ngx_mesh_relay_flight_read(void *data, ngx_mesh_relay_store_session_t *s)
{
    ngx_mesh_relay_flight_t *flight = data;

    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = flight->mcf;

    if (s && !s->found && ngx_mesh_relay_flight_ask(flight) == NGX_OK) {
        return;
    }

    if (s && s->found) {
        ngx_mesh_relay_session_adopt(mcf, &flight->key, s);

    } else {
        ngx_mesh_relay_flight_fail(flight);
    }

    ngx_mesh_relay_flight_destroy(flight);
    ngx_mesh_relay_validate_pending(mcf);
}


static ngx_int_t
ngx_mesh_relay_flight_ask(ngx_mesh_relay_flight_t *flight)
{
    mesh_http_header_t           header;
    mesh_http_request_t          request;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = flight->mcf;

    ngx_memzero(&request, sizeof(mesh_http_request_t));

    if (ngx_mesh_relay_flight_body(flight, &request.body) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&header.name, "Authorization");
    header.value = mcf->node_token;

    ngx_str_set(&request.method, "POST");
    ngx_str_set(&request.path, "/v1/private/mesh/session");

    request.url = flight->key.servicer->node->endpoint;
    request.headers = &header;
    request.nheaders = 1;
    request.timeout = mcf->check_timeout;

    flight->exchange = mesh_http_send(mcf->node_http, &request,
                                      ngx_mesh_relay_flight_answer, flight);

    return flight->exchange ? NGX_OK : NGX_ERROR;
}


/*
 * The height is the node's, not the client's: no client can spoil a session
 * for the others.
 */

static ngx_int_t
ngx_mesh_relay_flight_body(ngx_mesh_relay_flight_t *flight, ngx_str_t *body)
{
    pocket_str_t                   text;
    pocket_alloc_t                 a;
    pocket_session_request_t       request;
    ngx_mesh_relay_node_view_t     view;
    ngx_mesh_relay_session_key_t  *key;
    u_char                         hex[2 * POCKET_PUBKEY_LEN];

    key = &flight->key;

    ngx_mesh_relay_node_view(flight->mcf, key->servicer->node, &view);
    mesh_pool_allocator(flight->pool, &a);

    (void) ngx_hex_dump(hex, key->servicer->public_key, POCKET_PUBKEY_LEN);

    request.app_pub_key.len = key->app.len;
    request.app_pub_key.data = key->app.data;
    request.chain.len = key->chain.len;
    request.chain.data = key->chain.data;
    request.servicer_pub_key.len = sizeof(hex);
    request.servicer_pub_key.data = hex;
    request.session_height = key->height;
    request.block_height = view.status.height;

    if (pocket_session_request_body(&request, &text, &a) != POCKET_OK) {
        return NGX_ERROR;
    }

    body->len = text.len;
    body->data = text.data;

    return NGX_OK;
}


static void
ngx_mesh_relay_flight_answer(void *data, mesh_http_result_t *result)
{
    ngx_mesh_relay_flight_t *flight = data;

    pocket_alloc_t               a;
    pocket_node_answer_t         in;
    pocket_session_answer_t      answer;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = flight->mcf;
    flight->exchange = NULL;

    mesh_pool_allocator(flight->pool, &a);
    ngx_mesh_relay_node_answer(result, &in);

    (void) pocket_node_session_answer(&in, &answer, &a);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "mesh relay session %V: %s %ui, class %d",
                   &flight->key.id, mesh_http_outcome_name(result->outcome),
                   result->status, answer.class);

    switch (answer.class) {

    case POCKET_SESSION_ANSWER_VALID:
    case POCKET_SESSION_ANSWER_INVALID:

        if (ngx_mesh_relay_flight_settle(flight, &answer, &a) == NGX_OK) {
            return;
        }

        ngx_mesh_relay_flight_fail(flight);
        break;

    default: /* RETRY, NONE */
        ngx_mesh_relay_flight_retry(flight, &answer);
        break;
    }

    ngx_mesh_relay_flight_destroy(flight);
    ngx_mesh_relay_validate_pending(mcf);
}


/* the answer's strings end with the exchange, the outcome's do not */

static ngx_int_t
ngx_mesh_relay_flight_settle(ngx_mesh_relay_flight_t *flight,
    pocket_session_answer_t *answer, pocket_alloc_t *a)
{
    ngx_str_t                        message;
    pocket_str_t                     dispatch;
    ngx_mesh_relay_store_session_t  *outcome;

    outcome = &flight->outcome;

    outcome->found = 1;
    outcome->valid = (answer->class == POCKET_SESSION_ANSWER_VALID);
    outcome->code = outcome->valid ? 0 : answer->code;
    outcome->remaining = outcome->valid ? answer->remaining
                                        : POCKET_SESSION_NO_COUNT;

    if (!outcome->valid && answer->message.len) {
        message.len = answer->message.len;
        message.data = answer->message.data;

        outcome->message.data = ngx_pstrdup(flight->pool, &message);
        if (outcome->message.data == NULL) {
            return NGX_ERROR;
        }

        outcome->message.len = message.len;
    }

    if (answer->dispatch.len
        && answer->dispatch.len <= NGX_MESH_RELAY_DISPATCH_MAX
        && pocket_node_client_dispatch(&answer->dispatch, &dispatch, a) == 1)
    {
        outcome->dispatch.len = dispatch.len;
        outcome->dispatch.data = dispatch.data;
    }

    return ngx_mesh_relay_store_session_set(flight->mcf, &flight->key,
                                            outcome,
                                            ngx_mesh_relay_flight_written,
                                            flight);
}


/* what Redis holds counts: another edge may have been first */

static void
ngx_mesh_relay_flight_written(void *data, ngx_mesh_relay_store_session_t *s)
{
    ngx_mesh_relay_flight_t *flight = data;

    ngx_mesh_relay_main_conf_t      *mcf;
    ngx_mesh_relay_store_session_t   held;

    mcf = flight->mcf;

    if (s) {
        held = *s;

        if (held.dispatch.len == 0) {
            held.dispatch = flight->outcome.dispatch;
        }

        ngx_mesh_relay_session_adopt(mcf, &flight->key, &held);

        if (!held.valid) {
            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "full node \"%V\" refused session %V: %ui \"%V\"",
                          &flight->key.servicer->node->name, &flight->key.id,
                          held.code, &held.message);
        }

    } else {
        ngx_mesh_relay_flight_fail(flight);
    }

    ngx_mesh_relay_flight_destroy(flight);
    ngx_mesh_relay_validate_pending(mcf);
}


static void
ngx_mesh_relay_flight_retry(ngx_mesh_relay_flight_t *flight,
    pocket_session_answer_t *answer)
{
    if (ngx_mesh_relay_session_retry(flight->mcf, &flight->key, answer)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "full node \"%V\" gave no usable answer about session "
                      "%V, its relays are refused until the next good check",
                      &flight->key.servicer->node->name, &flight->key.id);
    }
}


/* it did not come to an answer: asked again in a second */

static void
ngx_mesh_relay_flight_fail(ngx_mesh_relay_flight_t *flight)
{
    pocket_session_answer_t  answer;

    ngx_memzero(&answer, sizeof(pocket_session_answer_t));
    answer.class = POCKET_SESSION_ANSWER_NONE;

    (void) ngx_mesh_relay_session_retry(flight->mcf, &flight->key, &answer);
}


static void
ngx_mesh_relay_flight_destroy(ngx_mesh_relay_flight_t *flight)
{
    ngx_queue_remove(&flight->queue);
    flight->mcf->validator->counts[flight->key.servicer->node->index]--;

    ngx_destroy_pool(flight->pool);
}


ngx_uint_t
ngx_mesh_relay_validate_ready(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node)
{
    return mcf->validator->counts[node->index] < NGX_MESH_RELAY_FLIGHTS_MAX
           && ngx_mesh_relay_store_ready(mcf);
}


ngx_msec_t
ngx_mesh_relay_validate_lease(ngx_mesh_relay_main_conf_t *mcf)
{
    return mcf->check_timeout + 2 * mcf->record_timeout
           + NGX_MESH_RELAY_FLIGHT_MARGIN;
}


/*
 * Takes what is due and has room: at the end of each question, so that many
 * sessions are asked for one after the other, and by the timer.
 */

static void
ngx_mesh_relay_validate_pending(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_mesh_relay_claim_t  claim;

    for (i = 0; i < NGX_MESH_RELAY_FLIGHTS_MAX; i++) {

        if (ngx_mesh_relay_session_claim(mcf, &claim) != NGX_OK) {
            return;
        }

        ngx_mesh_relay_validate_session(mcf, &claim.key);
    }
}


ngx_int_t
ngx_mesh_relay_validate_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_event_t                 *ev;
    ngx_mesh_relay_validator_t  *validator;

    validator = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_validator_t));
    if (validator == NULL) {
        return NGX_ERROR;
    }

    validator->counts = ngx_pcalloc(cycle->pool,
                                    mcf->nodes.nelts * sizeof(ngx_uint_t));
    if (validator->counts == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&validator->flights);

    ev = &validator->timer;

    ev->handler = ngx_mesh_relay_validate_handler;
    ev->data = mcf;
    ev->log = cycle->log;
    ev->cancelable = 1;

    mcf->validator = validator;

    ngx_add_timer(ev, 1 + ngx_random() % NGX_MESH_RELAY_PENDING_EVERY);

    return NGX_OK;
}


static void
ngx_mesh_relay_validate_handler(ngx_event_t *ev)
{
    ngx_mesh_relay_main_conf_t *mcf = ev->data;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_add_timer(ev, NGX_MESH_RELAY_PENDING_EVERY
                      + ngx_random() % (NGX_MESH_RELAY_PENDING_EVERY / 10));

    ngx_mesh_relay_validate_pending(mcf);
    ngx_mesh_relay_session_sweep(mcf);
}


/*
 * Before ngx_mesh_relay_store_exit(), which calls no handlers: what is asked
 * of Redis needs no canceling.
 */

void
ngx_mesh_relay_validate_exit(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_queue_t                 *q;
    ngx_mesh_relay_flight_t     *flight;
    ngx_mesh_relay_validator_t  *validator;

    validator = mcf->validator;

    if (validator->timer.timer_set) {
        ngx_del_timer(&validator->timer);
    }

    while (!ngx_queue_empty(&validator->flights)) {
        q = ngx_queue_head(&validator->flights);
        flight = ngx_queue_data(q, ngx_mesh_relay_flight_t, queue);

        if (flight->exchange) {
            mesh_http_cancel(flight->exchange);
        }

        ngx_mesh_relay_flight_fail(flight);
        ngx_mesh_relay_flight_destroy(flight);
    }
}
