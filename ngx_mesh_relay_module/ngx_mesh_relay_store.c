
/*
 * The connections to Redis, what makes them ready for relays, and the record
 * of a relay.
 */


#include "ngx_mesh_relay_script.h"
#include "ngx_mesh_relay_notify.h"
#include "ngx_mesh_relay_repeat.h"

#include <sodium.h>


#define NGX_MESH_RELAY_OPEN_AGAIN     5000
#define NGX_MESH_RELAY_RECORD_AGAIN   50


static void ngx_mesh_relay_store_changed(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state);
static void ngx_mesh_relay_stream_changed(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state);
static void ngx_mesh_relay_store_compare(mesh_redis_t *old,
    mesh_redis_t *new);
static void ngx_mesh_relay_store_timer(ngx_event_t *ev);
static void ngx_mesh_relay_store_open_all(ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_store_close_node(ngx_mesh_relay_store_node_t *sn);
static void ngx_mesh_relay_store_opened(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_store_refuse(ngx_mesh_relay_store_node_t *sn,
    mesh_redis_reply_t *reply);

static void ngx_mesh_relay_record_send(ngx_mesh_relay_record_t *rec);
static void ngx_mesh_relay_record_again(ngx_mesh_relay_record_t *rec);
static void ngx_mesh_relay_record_timer(ngx_event_t *ev);
static void ngx_mesh_relay_record_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_record_answered(ngx_mesh_relay_record_t *rec,
    mesh_redis_reply_t *reply);
static void ngx_mesh_relay_record_end(ngx_mesh_relay_record_t *rec,
    ngx_mesh_relay_store_e outcome);


ngx_int_t
ngx_mesh_relay_store_conf(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_mesh_relay_node_t   *node;
    ngx_mesh_relay_store_t  *store;

    store = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_relay_store_t));
    if (store == NULL) {
        return NGX_ERROR;
    }

    mcf->store = store;

    store->nodes = ngx_pcalloc(cf->pool, mcf->nodes.nelts
                                      * sizeof(ngx_mesh_relay_store_node_t));
    if (store->nodes == NULL) {
        return NGX_ERROR;
    }

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {

        store->nodes[i].mcf = mcf;
        store->nodes[i].node = &node[i];

        if (ngx_mesh_relay_keys_init(cf, &node[i], &store->nodes[i].keys)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_mesh_relay_script_add(cf, mcf);
}


ngx_int_t
ngx_mesh_relay_store_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_event_t             *ev;
    ngx_mesh_relay_store_t  *store;

    store = mcf->store;
    store->closed = mcf->nodes.nelts;

    ngx_queue_init(&store->asks);
    ngx_queue_init(&store->waiters);

    if (ngx_mesh_relay_repeat_init(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* attempts of all processes differ: a random part, and a count */

    randombytes_buf(store->prefix, sizeof(store->prefix));

    ev = &store->timer;

    ev->handler = ngx_mesh_relay_store_timer;
    ev->data = mcf;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_MESH_RELAY_OPEN_AGAIN);

    mcf->redis = mesh_redis_create(cycle, mcf->mesh.redis, "relay",
                                   mcf->record_timeout,
                                   ngx_mesh_relay_store_changed, mcf);
    if (mcf->redis == NULL) {
        return NGX_ERROR;
    }

    mcf->redis_stream = mesh_redis_create(cycle, mcf->mesh.redis, "notify", 0,
                                          ngx_mesh_relay_stream_changed, mcf);
    if (mcf->redis_stream == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_mesh_relay_store_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_store_t  *store;

    store = mcf->store;

    if (store->timer.timer_set) {
        ngx_del_timer(&store->timer);
    }

    mesh_redis_close(mcf->redis_stream);
    mesh_redis_close(mcf->redis);

    mcf->redis_stream = NULL;
    mcf->redis = NULL;

    ngx_mesh_relay_state_exit(mcf);
    ngx_mesh_relay_repeat_exit(mcf);
}


ngx_uint_t
ngx_mesh_relay_store_ready(ngx_mesh_relay_main_conf_t *mcf)
{
    return mcf->store->closed == 0
           && mesh_redis_state(mcf->redis) == MESH_REDIS_READY
           && !ngx_mesh_relay_repeat_busy(mcf);
}


void
ngx_mesh_relay_store_wait(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_waiter_t *waiter, ngx_event_t *ev, ngx_msec_t limit)
{
    waiter->waiting = 1;
    waiter->event = ev;

    ngx_queue_insert_tail(&mcf->store->waiters, &waiter->link);
    ngx_add_timer(ev, limit);

    mesh_redis_hurry(mcf->redis, limit);
}


void
ngx_mesh_relay_store_leave(ngx_mesh_relay_waiter_t *waiter, ngx_event_t *ev)
{
    if (waiter->waiting) {
        waiter->waiting = 0;
        ngx_queue_remove(&waiter->link);
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}


void
ngx_mesh_relay_store_wake(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_queue_t              *q;
    ngx_mesh_relay_waiter_t  *waiter;

    if (!ngx_mesh_relay_store_ready(mcf)) {
        return;
    }

    while (!ngx_queue_empty(&mcf->store->waiters)) {
        q = ngx_queue_head(&mcf->store->waiters);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_mesh_relay_waiter_t, link);
        waiter->waiting = 0;

        ngx_post_event(waiter->event, &ngx_posted_events);
    }
}


static void
ngx_mesh_relay_store_changed(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state)
{
    ngx_mesh_relay_main_conf_t *mcf = data;

    ngx_uint_t                    i;
    ngx_mesh_relay_store_node_t  *sn;

    /* another server, or one that lost its data, may be behind it now */

    for (i = 0; i < mcf->nodes.nelts; i++) {
        sn = &mcf->store->nodes[i];
        sn->alien = 0;
        ngx_mesh_relay_store_close_node(sn);
    }

    if (state == MESH_REDIS_READY) {
        ngx_mesh_relay_store_compare(mcf->redis_stream, rc);
        ngx_mesh_relay_repeat_connected(mcf);
        ngx_mesh_relay_store_open_all(mcf);
    }
}


static void
ngx_mesh_relay_stream_changed(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state)
{
    ngx_mesh_relay_main_conf_t *mcf = data;

    if (state == MESH_REDIS_READY) {
        ngx_mesh_relay_store_compare(mcf->redis, rc);

        if (mcf->notify) {
            ngx_mesh_relay_slot_reconnected(mcf->notify);
        }
    }
}


/* a connection without traffic does not see what became of its server */

static void
ngx_mesh_relay_store_compare(mesh_redis_t *old, mesh_redis_t *new)
{
    ngx_mesh_relay_server_t  server;

    static ngx_str_t  reason = ngx_string("another connection found another "
                                          "server, or other data");

    if (mesh_redis_state(old) != MESH_REDIS_READY) {
        return;
    }

    server.len = 0;

    (void) ngx_mesh_relay_server_changed(&server, old);

    if (ngx_mesh_relay_server_changed(&server, new)) {
        mesh_redis_renew(old, &reason);
    }
}


static void
ngx_mesh_relay_store_timer(ngx_event_t *ev)
{
    ngx_mesh_relay_main_conf_t *mcf = ev->data;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_add_timer(ev, NGX_MESH_RELAY_OPEN_AGAIN);

    if (mcf->store->closed) {
        ngx_mesh_relay_store_open_all(mcf);
    }
}


static void
ngx_mesh_relay_store_open_all(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_mesh_relay_node_t  *node;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {

        if (!mcf->store->nodes[i].open) {
            ngx_mesh_relay_store_open(mcf, &node[i]);
        }
    }
}


void
ngx_mesh_relay_store_open(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node)
{
    ngx_str_t                     argv[3];
    ngx_mesh_relay_store_node_t  *sn;

    sn = &mcf->store->nodes[node->index];

    ngx_mesh_relay_store_close_node(sn);

    if (sn->opening) {
        return;
    }

    argv[0] = sn->keys.version;
    argv[1] = sn->keys.relays;
    ngx_str_set(&argv[2], NGX_MESH_RELAY_SCHEMA);

    if (ngx_mesh_relay_script_eval(mcf, mcf->redis,
                                   NGX_MESH_RELAY_SCRIPT_OPEN, 2, 3, argv,
                                   ngx_mesh_relay_store_opened, sn, NULL)
        == NGX_OK)
    {
        sn->opening = 1;
    }
}


static void
ngx_mesh_relay_store_close_node(ngx_mesh_relay_store_node_t *sn)
{
    if (sn->open) {
        sn->open = 0;
        sn->mcf->store->closed++;
    }
}


static void
ngx_mesh_relay_store_opened(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_store_node_t *sn = data;

    sn->opening = 0;

    if (outcome == MESH_REDIS_ANSWERED
        && reply->kind == MESH_REDIS_INTEGER
        && reply->integer == 1)
    {
        if (!sn->open) {
            sn->open = 1;
            sn->alien = 0;
            sn->mcf->store->closed--;
        }

        if (sn->mcf->store->closed == 0) {
            ngx_mesh_relay_repeat_send(sn->mcf);
            ngx_mesh_relay_store_wake(sn->mcf);
        }

        return;
    }

    if (reply && !sn->alien) {
        sn->alien = 1;
        ngx_mesh_relay_store_refuse(sn, reply);
    }
}


static void
ngx_mesh_relay_store_refuse(ngx_mesh_relay_store_node_t *sn,
    mesh_redis_reply_t *reply)
{
    if (reply->kind == MESH_REDIS_STRING) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "redis \"%V\" holds relays of full node \"%V\" by "
                      "schema \"%V\", this version of the module knows "
                      "schema \"" NGX_MESH_RELAY_SCHEMA "\" only: no relay "
                      "is served", &sn->mcf->mesh.redis->name,
                      &sn->node->name, &reply->str);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "redis \"%V\" did not open the stream of full node \"%V\": "
                  "%V", &sn->mcf->mesh.redis->name, &sn->node->name,
                  &reply->str);
}


void
ngx_mesh_relay_store_record(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_record_t *rec)
{
    u_char                  *p;
    ngx_mesh_relay_store_t  *store;

    store = mcf->store;

    p = ngx_cpymem(rec->attempt, store->prefix, sizeof(store->prefix));
    ngx_memcpy(p, &store->attempts, sizeof(store->attempts));
    store->attempts++;

    rec->mcf = mcf;
    rec->begun = ngx_current_msec;
    rec->time = ngx_mesh_relay_store_clock();
    rec->resent = 0;
    rec->remaining = -1;
    rec->code = 0;
    ngx_str_null(&rec->message);

    ngx_memzero(&rec->timer, sizeof(ngx_event_t));
    ngx_memzero(&rec->waiter, sizeof(ngx_mesh_relay_waiter_t));

    rec->timer.handler = ngx_mesh_relay_record_timer;
    rec->timer.data = rec;
    rec->timer.log = rec->log;

    ngx_mesh_relay_record_send(rec);
}


void
ngx_mesh_relay_store_cancel(ngx_mesh_relay_record_t *rec)
{
    if (rec->command) {
        mesh_redis_cancel(rec->command);
        rec->command = NULL;
    }

    ngx_mesh_relay_store_leave(&rec->waiter, &rec->timer);
}


static void
ngx_mesh_relay_record_send(ngx_mesh_relay_record_t *rec)
{
    ngx_mesh_relay_script_record_t  in;

    rec->command = NULL;

    if (!ngx_mesh_relay_store_ready(rec->mcf)) {
        ngx_mesh_relay_record_again(rec);
        return;
    }

    in.node = rec->key->servicer->node;
    in.id = rec->key->id;
    in.height = rec->key->height;
    in.proof_hash = rec->proof_hash;
    in.attempt = rec->attempt;
    in.relay = rec->relay;
    in.time = rec->time;
    in.resent = rec->resent;
    in.again = 0;

    if (ngx_mesh_relay_script_record(rec->mcf, &in,
                                     ngx_mesh_relay_record_answer, rec,
                                     &rec->command)
        != NGX_OK)
    {
        rec->command = NULL;
        ngx_mesh_relay_record_again(rec);
    }
}


/* the timer ends it, too: the handler is never called by _record() */

static void
ngx_mesh_relay_record_again(ngx_mesh_relay_record_t *rec)
{
    ngx_msec_t  passed, left;

    passed = ngx_current_msec - rec->begun;

    left = passed < rec->mcf->record_timeout
           ? rec->mcf->record_timeout - passed : 1;

    if (!ngx_mesh_relay_store_ready(rec->mcf)) {
        ngx_mesh_relay_store_wait(rec->mcf, &rec->waiter, &rec->timer, left);
        return;
    }

    /* Redis is there, but it or the connection is too busy */

    ngx_add_timer(&rec->timer, ngx_min(left, NGX_MESH_RELAY_RECORD_AGAIN));
}


static void
ngx_mesh_relay_record_timer(ngx_event_t *ev)
{
    ngx_mesh_relay_record_t *rec = ev->data;

    ngx_mesh_relay_store_leave(&rec->waiter, ev);

    if (ngx_current_msec - rec->begun >= rec->mcf->record_timeout) {
        ngx_mesh_relay_record_end(rec, NGX_MESH_RELAY_STORE_DOWN);
        return;
    }

    ngx_mesh_relay_record_send(rec);
}


static void
ngx_mesh_relay_record_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_record_t *rec = data;

    rec->command = NULL;

    switch (outcome) {

    case MESH_REDIS_ANSWERED:
        ngx_mesh_relay_record_answered(rec, reply);
        return;

    case MESH_REDIS_LOST:
    case MESH_REDIS_TIMEOUT:
        rec->resent = 1;

        /* fall through */

    case MESH_REDIS_REFUSED:
        ngx_mesh_relay_record_again(rec);
        return;

    default:
        ngx_log_error(NGX_LOG_ERR, rec->log, 0,
                      "redis \"%V\" did not record a relay: %V",
                      &rec->mcf->mesh.redis->name, &reply->str);

        ngx_mesh_relay_record_end(rec, NGX_MESH_RELAY_STORE_DOWN);
    }
}


static void
ngx_mesh_relay_record_answered(ngx_mesh_relay_record_t *rec,
    mesh_redis_reply_t *reply)
{
    mesh_redis_reply_t  *elt;

    elt = reply->elts;

    if (reply->kind != MESH_REDIS_ARRAY
        || reply->nelts != 2
        || elt[0].kind != MESH_REDIS_INTEGER)
    {
        ngx_log_error(NGX_LOG_ALERT, rec->log, 0,
                      "unexpected answer of redis \"%V\" to a record",
                      &rec->mcf->mesh.redis->name);

        ngx_mesh_relay_record_end(rec, NGX_MESH_RELAY_STORE_DOWN);
        return;
    }

    if (elt[0].integer) {
        rec->code = (ngx_uint_t) elt[0].integer;

        if (elt[1].kind == MESH_REDIS_STRING) {
            rec->message = elt[1].str;
        }

        ngx_mesh_relay_record_end(rec, NGX_MESH_RELAY_STORE_REFUSED);
        return;
    }

    rec->remaining = elt[1].integer;

    ngx_mesh_relay_repeat_keep(rec);

    ngx_mesh_relay_notify_wake(rec->mcf, rec->key->servicer->node,
                               rec->relay.len);

    ngx_mesh_relay_record_end(rec, NGX_MESH_RELAY_STORE_OK);
}


static void
ngx_mesh_relay_record_end(ngx_mesh_relay_record_t *rec,
    ngx_mesh_relay_store_e outcome)
{
    rec->outcome = outcome;
    rec->handler(rec);
}
