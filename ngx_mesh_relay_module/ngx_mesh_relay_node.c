
/*
 * The watcher of full nodes.  Each worker has a timer per node; the one that
 * finds a check due claims it in the zone, makes it, and leaves the result
 * there for all.  Who made the last check makes the next one, others only
 * when it is late: so a dead worker is replaced without an election.
 */


#include "ngx_mesh_relay_zone.h"
#include "ngx_mesh_relay_chains.h"


#define NGX_MESH_RELAY_CHECK_POOL     4096
#define NGX_MESH_RELAY_CHECK_GAP      1000      /* between two checks */
#define NGX_MESH_RELAY_CHECK_MARGIN   1000      /* of a claim */
#define NGX_MESH_RELAY_CHECK_JITTER   16        /* part of the interval */
#define NGX_MESH_RELAY_CHECK_LATE     100
#define NGX_MESH_RELAY_CHECK_UNKNOWN  200       /* while nothing is known */
#define NGX_MESH_RELAY_LOG_EVERY      60000
#define NGX_MESH_RELAY_HEIGHT_MAX     ((int64_t) 1 << 53)


/* a node's timer in this worker, and the check that it is making */

struct ngx_mesh_relay_watch_s {
    ngx_event_t                  timer;
    ngx_mesh_relay_main_conf_t  *mcf;
    ngx_mesh_relay_node_t       *node;
    ngx_pool_t                  *pool;          /* of the check */
    mesh_http_exchange_t        *exchange;
    ngx_msec_t                   begun;
    unsigned                     reading:1;     /* Redis is asked */
};


static void ngx_mesh_relay_watch_handler(ngx_event_t *ev);
static ngx_msec_t ngx_mesh_relay_watch_claim(ngx_mesh_relay_watch_t *watch);
static ngx_msec_t ngx_mesh_relay_watch_due(ngx_mesh_relay_watch_t *watch,
    ngx_msec_t now);
static void ngx_mesh_relay_watch_hurry(ngx_mesh_relay_watch_t *watch,
    ngx_msec_t due);
static void ngx_mesh_relay_watch_read(ngx_mesh_relay_watch_t *watch);
static void ngx_mesh_relay_watch_kept(void *data,
    pocket_node_status_t *status, time_t at);
static void ngx_mesh_relay_watch_check(ngx_mesh_relay_watch_t *watch);
static ngx_int_t ngx_mesh_relay_watch_send(ngx_mesh_relay_watch_t *watch);
static ngx_int_t ngx_mesh_relay_watch_body(ngx_mesh_relay_watch_t *watch,
    ngx_str_t *body);
static void ngx_mesh_relay_watch_answer(void *data,
    mesh_http_result_t *result);
static void ngx_mesh_relay_watch_good(ngx_mesh_relay_watch_t *watch,
    pocket_check_answer_t *answer);
static void ngx_mesh_relay_watch_failed(ngx_mesh_relay_watch_t *watch,
    mesh_http_result_t *result);
static void ngx_mesh_relay_watch_end(ngx_mesh_relay_watch_t *watch);
static ngx_uint_t ngx_mesh_relay_watch_listed(pocket_str_t *list);


ngx_int_t
ngx_mesh_relay_watch_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_event_t             *ev;
    ngx_mesh_relay_node_t   *node;
    ngx_mesh_relay_watch_t  *watch;

    if (ngx_mesh_relay_validate_init(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    watch = ngx_pcalloc(cycle->pool,
                        mcf->nodes.nelts * sizeof(ngx_mesh_relay_watch_t));
    if (watch == NULL) {
        return NGX_ERROR;
    }

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {

        watch[i].mcf = mcf;
        watch[i].node = &node[i];
        node[i].watch = &watch[i];

        ev = &watch[i].timer;

        ev->handler = ngx_mesh_relay_watch_handler;
        ev->data = &watch[i];
        ev->log = cycle->log;
        ev->cancelable = 1;

        /* workers started together do not meet at the lock */

        ngx_add_timer(ev, 1 + ngx_random() % 16);
    }

    return NGX_OK;
}


static void
ngx_mesh_relay_watch_handler(ngx_event_t *ev)
{
    ngx_mesh_relay_watch_t *watch = ev->data;

    ngx_msec_t                  wait;
    ngx_uint_t                  claimed;
    ngx_mesh_relay_node_view_t  view;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_mesh_relay_node_view(watch->mcf, watch->node, &view);

    wait = ngx_mesh_relay_watch_claim(watch);
    claimed = (wait == 0);

    if (claimed) {
        wait = watch->mcf->check_interval;
        wait -= ngx_random() % (wait / NGX_MESH_RELAY_CHECK_JITTER + 1);
    }

    if (!view.known) {
        ngx_mesh_relay_watch_read(watch);
        wait = ngx_min(wait, NGX_MESH_RELAY_CHECK_UNKNOWN);
    }

    ngx_add_timer(ev, wait);

    if (claimed) {
        ngx_mesh_relay_watch_check(watch);
    }
}


/* ms until a check may be due here; 0: it is, and claimed for this worker */

static ngx_msec_t
ngx_mesh_relay_watch_claim(ngx_mesh_relay_watch_t *watch)
{
    ngx_msec_t                    now, due;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;
    now = ngx_current_msec;

    ngx_shmtx_lock(&zone->shpool->mutex);

    due = ngx_mesh_relay_watch_due(watch, now);

    if (!ngx_mesh_relay_later(due, now)) {
        state->leader = ngx_pid;
        state->leader_until = now + watch->mcf->check_timeout
                              + NGX_MESH_RELAY_CHECK_MARGIN;
        state->generation = zone->generation;
        state->tried_at = now;
        state->tried = 1;
        state->wanted = 0;
        due = now;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return due - now;
}


/*
 * When this worker may check the node.  A new configuration checks at once:
 * its servicers and chains are other ones.  Workers of the one before, which
 * may not know yet that they are to end, leave the node to it.  The lock is
 * held.
 */

static ngx_msec_t
ngx_mesh_relay_watch_due(ngx_mesh_relay_watch_t *watch, ngx_msec_t now)
{
    ngx_msec_t                    due, interval;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;
    interval = watch->mcf->check_interval;

    if (!state->tried) {
        return now;
    }

    if (state->generation > zone->generation) {
        return now + interval;
    }

    if (state->wanted || state->generation < zone->generation) {
        due = state->tried_at + ngx_min(interval, NGX_MESH_RELAY_CHECK_GAP);

    } else {
        due = state->tried_at + interval
              - interval / NGX_MESH_RELAY_CHECK_JITTER;

        if (state->leader != ngx_pid) {
            due += interval / 4 + NGX_MESH_RELAY_CHECK_LATE;
        }
    }

    /* a check is on its way, or was lost with its worker */

    if (ngx_mesh_relay_later(state->leader_until, due)) {
        due = state->leader_until;
    }

    return due;
}


/* our timer must not be later than this; other workers learn at theirs */

static void
ngx_mesh_relay_watch_hurry(ngx_mesh_relay_watch_t *watch, ngx_msec_t due)
{
    ngx_msec_t    now;
    ngx_event_t  *ev;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ev = &watch->timer;
    now = ngx_current_msec;

    if (ev->timer_set) {

        if (!ngx_mesh_relay_later(ev->timer.key, due)) {
            return;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, ngx_mesh_relay_later(due, now) ? due - now : 1);
}


/* the last answer before a restart: a node out of reach is served in grace */

static void
ngx_mesh_relay_watch_read(ngx_mesh_relay_watch_t *watch)
{
    if (watch->reading) {
        return;
    }

    if (ngx_mesh_relay_store_node_get(watch->mcf, watch->node,
                                      ngx_mesh_relay_watch_kept, watch)
        == NGX_OK)
    {
        watch->reading = 1;
    }
}


static void
ngx_mesh_relay_watch_kept(void *data, pocket_node_status_t *status, time_t at)
{
    ngx_mesh_relay_watch_t *watch = data;

    time_t                        age;
    ngx_uint_t                    used;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    watch->reading = 0;

    if (status == NULL) {
        return;
    }

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;

    age = ngx_max(ngx_time() - at, 0);
    used = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (!state->known) {
        state->status = *status;
        state->status.checked = (int64_t) ngx_current_msec
                                - (int64_t) age * 1000;
        state->known = 1;
        used = 1;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (used) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "full node \"%V\" was at height %L %T s ago",
                      &watch->node->name, status->height, age);
    }
}


static void
ngx_mesh_relay_watch_check(ngx_mesh_relay_watch_t *watch)
{
    mesh_http_result_t  result;

    watch->begun = ngx_current_msec;

    if (ngx_mesh_relay_watch_send(watch) == NGX_OK) {
        return;
    }

    ngx_memzero(&result, sizeof(mesh_http_result_t));

    result.outcome = MESH_HTTP_INTERNAL;
    result.reason = "no memory";

    ngx_mesh_relay_watch_failed(watch, &result);
    ngx_mesh_relay_watch_end(watch);
}


static ngx_int_t
ngx_mesh_relay_watch_send(ngx_mesh_relay_watch_t *watch)
{
    mesh_http_header_t           header;
    mesh_http_request_t          request;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = watch->mcf;

    watch->pool = ngx_create_pool(NGX_MESH_RELAY_CHECK_POOL, ngx_cycle->log);
    if (watch->pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&request, sizeof(mesh_http_request_t));

    if (ngx_mesh_relay_watch_body(watch, &request.body) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&header.name, "Authorization");
    header.value = mcf->node_token;

    ngx_str_set(&request.method, "POST");
    ngx_str_set(&request.path, "/v1/private/mesh/check");

    request.url = watch->node->endpoint;
    request.headers = &header;
    request.nheaders = 1;
    request.timeout = mcf->check_timeout;

    watch->exchange = mesh_http_send(mcf->node_http, &request,
                                     ngx_mesh_relay_watch_answer, watch);

    return watch->exchange ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_mesh_relay_watch_body(ngx_mesh_relay_watch_t *watch, ngx_str_t *body)
{
    ngx_uint_t                   i;
    ngx_array_t                 *chains;
    pocket_str_t                *addresses, *ids, text;
    pocket_alloc_t               a;
    ngx_mesh_relay_chain_t      *chain;
    ngx_mesh_relay_servicer_t  **servicer;

    servicer = watch->node->servicers.elts;

    addresses = ngx_palloc(watch->pool, watch->node->servicers.nelts
                                        * sizeof(pocket_str_t));
    if (addresses == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < watch->node->servicers.nelts; i++) {
        addresses[i].data = servicer[i]->address;
        addresses[i].len = NGX_MESH_RELAY_ADDR_HEX_LEN;
    }

    chains = ngx_mesh_relay_chains(watch->mcf);
    chain = chains->elts;

    ids = ngx_palloc(watch->pool, chains->nelts * sizeof(pocket_str_t));
    if (ids == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < chains->nelts; i++) {
        ids[i] = chain[i].entry.id;
    }

    mesh_pool_allocator(watch->pool, &a);

    if (pocket_check_request_body(addresses, watch->node->servicers.nelts,
                                  ids, chains->nelts, &text, &a)
        != POCKET_OK)
    {
        return NGX_ERROR;
    }

    body->len = text.len;
    body->data = text.data;

    return NGX_OK;
}


static void
ngx_mesh_relay_watch_answer(void *data, mesh_http_result_t *result)
{
    ngx_mesh_relay_watch_t *watch = data;

    pocket_alloc_t         a;
    pocket_node_answer_t   in;
    pocket_check_answer_t  answer;

    watch->exchange = NULL;

    mesh_pool_allocator(watch->pool, &a);
    ngx_mesh_relay_node_answer(result, &in);

    if (pocket_node_check_answer(&in, &answer, &a) == 1) {
        ngx_mesh_relay_watch_good(watch, &answer);

    } else if (result->outcome != MESH_HTTP_CANCELED) {
        ngx_mesh_relay_watch_failed(watch, result);
    }

    ngx_mesh_relay_watch_end(watch);
}


static void
ngx_mesh_relay_watch_good(ngx_mesh_relay_watch_t *watch,
    pocket_check_answer_t *answer)
{
    ngx_uint_t                    wrong, recovered;
    ngx_msec_t                    now;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;
    now = ngx_current_msec;

    answer->status.checked = (int64_t) now;

    wrong = ngx_mesh_relay_watch_listed(&answer->wrong_servicers)
            || ngx_mesh_relay_watch_listed(&answer->wrong_chains);

    ngx_shmtx_lock(&zone->shpool->mutex);

    recovered = state->failing || !state->known;

    state->status = answer->status;
    state->good_begun = watch->begun;
    state->known = 1;
    state->failing = 0;

    if (wrong
        && state->wrong
        && (ngx_msec_int_t) (now - state->wrong_at)
           < NGX_MESH_RELAY_LOG_EVERY)
    {
        wrong = 0;

    } else {
        state->wrong = wrong;
        state->wrong_at = now;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (recovered) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "full node \"%V\" answers, height %L",
                      &watch->node->name, answer->status.height);
    }

    if (wrong) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "full node \"%V\" does not hold what is served for it: "
                      "servicers \"%*s\", chains \"%*s\"",
                      &watch->node->name,
                      answer->wrong_servicers.len,
                      answer->wrong_servicers.data,
                      answer->wrong_chains.len,
                      answer->wrong_chains.data);
    }

    ngx_mesh_relay_store_node_set(watch->mcf, watch->node, &answer->status,
                                  ngx_time());
}


/* the last status stays; logged when it begins and then once a minute */

static void
ngx_mesh_relay_watch_failed(ngx_mesh_relay_watch_t *watch,
    mesh_http_result_t *result)
{
    ngx_uint_t                    log;
    ngx_msec_t                    now;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;
    now = ngx_current_msec;

    ngx_shmtx_lock(&zone->shpool->mutex);

    log = !state->failing
          || (ngx_msec_int_t) (now - state->failed_at)
             >= NGX_MESH_RELAY_LOG_EVERY;

    if (log) {
        state->failed_at = now;
    }

    state->failing = 1;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (!log) {
        return;
    }

    if (result->outcome != MESH_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "full node \"%V\" could not be checked: %s",
                      &watch->node->name, result->reason);

    } else if (result->status == NGX_HTTP_UNAUTHORIZED) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "full node \"%V\" refused the token of "
                      "\"mesh_relay_node_auth\"", &watch->node->name);

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "full node \"%V\" gave no usable answer to a check, "
                      "status %ui", &watch->node->name, result->status);
    }
}


static void
ngx_mesh_relay_watch_end(ngx_mesh_relay_watch_t *watch)
{
    ngx_msec_t                    due, now;
    ngx_uint_t                    wanted;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(watch->mcf);
    state = watch->node->state;
    now = ngx_current_msec;

    watch->exchange = NULL;

    if (watch->pool) {
        ngx_destroy_pool(watch->pool);
        watch->pool = NULL;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (state->leader == ngx_pid) {
        state->leader_until = now;
    }

    wanted = state->wanted;
    due = ngx_mesh_relay_watch_due(watch, now);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    /* it was asked for while this one was on its way */

    if (wanted) {
        ngx_mesh_relay_watch_hurry(watch, due);
    }
}


/* is it an array with anything in it? */

static ngx_uint_t
ngx_mesh_relay_watch_listed(pocket_str_t *list)
{
    return list->len > sizeof("[]") - 1;
}


void
ngx_mesh_relay_node_view(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, ngx_mesh_relay_node_view_t *view)
{
    int64_t                       age;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(mcf);
    state = node->state;

    ngx_shmtx_lock(&zone->shpool->mutex);

    view->status = state->status;
    view->known = state->known;
    view->good_begun = state->good_begun;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    age = (int64_t) ngx_current_msec - view->status.checked;

    view->in_grace = view->known && age <= (int64_t) mcf->node_grace;
}


void
ngx_mesh_relay_node_height(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, int64_t height)
{
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_node_state_t  *state;

    zone = ngx_mesh_relay_zone(mcf);
    state = node->state;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (state->known
        && height > state->status.height
        && height <= NGX_MESH_RELAY_HEIGHT_MAX)
    {
        state->status.height = height;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_mesh_relay_node_answer(mesh_http_result_t *result,
    pocket_node_answer_t *answer)
{
    ngx_memzero(answer, sizeof(pocket_node_answer_t));

    if (result->outcome == MESH_HTTP_OK) {
        answer->failure = POCKET_NODE_ANSWERED;

    } else if (!result->sent) {
        answer->failure = POCKET_NODE_NO_CONNECTION;

    } else if (result->outcome == MESH_HTTP_TIMEOUT) {
        answer->failure = POCKET_NODE_TIMEOUT;

    } else {
        answer->failure = POCKET_NODE_BROKEN;
    }

    answer->status = (unsigned) result->status;
    answer->content_type.len = result->content_type.len;
    answer->content_type.data = result->content_type.data;
    answer->body.len = result->body.len;
    answer->body.data = result->body.data;
}


void
ngx_mesh_relay_node_want_check(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node)
{
    ngx_msec_t              due;
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    node->state->wanted = 1;
    due = ngx_mesh_relay_watch_due(node->watch, ngx_current_msec);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_mesh_relay_watch_hurry(node->watch, due);
}


void
ngx_mesh_relay_watch_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_mesh_relay_node_t   *node;
    ngx_mesh_relay_watch_t  *watch;

    if (mcf->validator == NULL) {
        return;
    }

    ngx_mesh_relay_validate_exit(mcf);

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {

        watch = node[i].watch;

        if (watch == NULL) {
            continue;
        }

        if (watch->timer.timer_set) {
            ngx_del_timer(&watch->timer);
        }

        if (watch->exchange) {
            mesh_http_cancel(watch->exchange);
            ngx_mesh_relay_watch_end(watch);
        }
    }
}
