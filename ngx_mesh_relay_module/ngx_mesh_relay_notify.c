
/*
 * The notifier's life in a worker: one timer, and for each node the reading
 * of its stream; what was pending before comes first, then what is new.
 */


#include "ngx_mesh_relay_notify.h"


#define NGX_MESH_RELAY_SCRATCH        4096

#define NGX_MESH_RELAY_POLL_IDLE      1000    /* ms, the longest wait */
#define NGX_MESH_RELAY_POLL_MAX       256     /* entries a read brings */
#define NGX_MESH_RELAY_POLL_FIRST     16
#define NGX_MESH_RELAY_POLL_SIZE      1024    /* bytes of an entry, at least */


static void ngx_mesh_relay_notify_timer(ngx_event_t *ev);
static void ngx_mesh_relay_doubt_max(ngx_mesh_relay_doubt_t *doubt,
    ngx_mesh_relay_doubt_t *one, ngx_uint_t *found);
static void ngx_mesh_relay_queue_init(ngx_mesh_relay_queue_t *queue);
static void ngx_mesh_relay_queue_tick(ngx_mesh_relay_queue_t *queue);
static void ngx_mesh_relay_queue_doubt(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view);
static ngx_uint_t ngx_mesh_relay_queue_idle(ngx_mesh_relay_queue_t *queue);
static ngx_uint_t ngx_mesh_relay_queue_room(ngx_mesh_relay_queue_t *queue);
static void ngx_mesh_relay_queue_ask(ngx_mesh_relay_queue_t *queue,
    ngx_uint_t n);
static void ngx_mesh_relay_queue_ask_last(ngx_mesh_relay_queue_t *queue);
static void ngx_mesh_relay_queue_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_queue_last(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *reply);
static void ngx_mesh_relay_queue_failed(ngx_mesh_relay_queue_t *queue,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static mesh_redis_reply_t *ngx_mesh_relay_queue_entries(
    mesh_redis_reply_t *reply);
static void ngx_mesh_relay_queue_sized(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries);
static void ngx_mesh_relay_queue_new(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries);
static void ngx_mesh_relay_queue_pending(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries);


ngx_int_t
ngx_mesh_relay_notify_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    u_char                   *p;
    ngx_uint_t                i;
    ngx_event_t              *ev;
    ngx_mesh_relay_node_t    *node;
    ngx_mesh_relay_notify_t  *notify;

    notify = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_notify_t));
    if (notify == NULL) {
        return NGX_ERROR;
    }

    notify->mcf = mcf;

    notify->queues = ngx_pcalloc(cycle->pool, mcf->nodes.nelts
                                           * sizeof(ngx_mesh_relay_queue_t));
    if (notify->queues == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cycle->pool, mcf->mesh.edge.len + 1 + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    notify->consumer.data = p;
    notify->consumer.len = ngx_sprintf(p, "%V:%ui", &mcf->mesh.edge,
                                       ngx_worker)
                           - p;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {
        notify->queues[i].notify = notify;
        notify->queues[i].mcf = mcf;
        notify->queues[i].node = &node[i];
        notify->queues[i].keys = ngx_mesh_relay_store_keys(mcf, &node[i]);

        ngx_mesh_relay_queue_init(&notify->queues[i]);
    }

    if (ngx_mesh_relay_slot_init(cycle, notify) != NGX_OK
        || ngx_mesh_relay_adopt_init(cycle, notify) != NGX_OK
        || ngx_mesh_relay_sweep_init(cycle, notify) != NGX_OK)
    {
        return NGX_ERROR;
    }

    notify->scratch = ngx_create_pool(NGX_MESH_RELAY_SCRATCH, cycle->log);
    if (notify->scratch == NULL) {
        return NGX_ERROR;
    }

    ev = &notify->timer;

    ev->handler = ngx_mesh_relay_notify_timer;
    ev->data = notify;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);

    mcf->notify = notify;

    return NGX_OK;
}


void
ngx_mesh_relay_notify_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_mesh_relay_notify_t  *notify;

    notify = mcf->notify;

    if (notify == NULL) {
        return;
    }

    ngx_mesh_relay_slot_exit(notify);

    if (notify->timer.timer_set) {
        ngx_del_timer(&notify->timer);
    }

    for (i = 0; i < mcf->nodes.nelts; i++) {
        ngx_mesh_relay_window_clear(&notify->queues[i], 0);
    }

    ngx_destroy_pool(notify->scratch);

    mcf->notify = NULL;
}


/*
 * The timer holds a quitting worker while it owns its slot: what is at a node
 * is waited for and settled, then the slot is let go.
 */

static void
ngx_mesh_relay_notify_timer(ngx_event_t *ev)
{
    ngx_mesh_relay_notify_t *notify = ev->data;

    ngx_uint_t  i;

    if (ngx_terminate) {
        return;
    }

    ngx_mesh_relay_slot_tick(notify);

    if (ngx_mesh_relay_slot_over(notify)) {
        return;
    }

    ev->cancelable = !ngx_mesh_relay_slot_held(notify);

    ngx_add_timer(ev, ngx_mesh_relay_jitter(notify->mcf->notify_interval));

    if (ngx_exiting) {
        return;
    }

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {
        ngx_mesh_relay_queue_tick(&notify->queues[i]);
    }

    if (ngx_worker == 0 && ngx_mesh_relay_slot_owned(notify)) {
        ngx_mesh_relay_adopt_tick(notify);
        ngx_mesh_relay_sweep_tick(notify);
    }
}


void
ngx_mesh_relay_notify_lost(ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t               i;
    ngx_mesh_relay_queue_t  *queue;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {
        queue = &notify->queues[i];

        ngx_mesh_relay_window_clear(queue, 1);

        queue->scan = NGX_MESH_RELAY_SCAN_NONE;

        if (queue->reading == NGX_MESH_RELAY_READ_PENDING) {
            queue->reading = NGX_MESH_RELAY_READ_STALE;
        }
    }
}


void
ngx_mesh_relay_notify_changed(ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t               i;
    ngx_mesh_relay_queue_t  *queue;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {
        queue = &notify->queues[i];

        ngx_mesh_relay_window_clear(queue, 0);

        queue->scan = NGX_MESH_RELAY_SCAN_NONE;
        queue->changed = ngx_current_msec;
        queue->ask_last = 1;
    }
}


void
ngx_mesh_relay_notify_owned(ngx_mesh_relay_notify_t *notify,
    ngx_mesh_relay_doubt_t *doubt)
{
    ngx_uint_t  i;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {
        ngx_mesh_relay_queue_scan(&notify->queues[i], doubt);
    }
}


ngx_uint_t
ngx_mesh_relay_notify_doubt(ngx_mesh_relay_notify_t *notify,
    ngx_mesh_relay_doubt_t *doubt)
{
    ngx_uint_t               i, found;
    ngx_queue_t             *q;
    ngx_mesh_relay_queue_t  *queue;
    ngx_mesh_relay_entry_t  *entry;
    ngx_mesh_relay_doubt_t   one;

    found = 0;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {
        queue = &notify->queues[i];

        if (queue->nflights) {
            one.since = ngx_current_msec;
            one.cleared = 0;
            ngx_mesh_relay_doubt_max(doubt, &one, &found);
        }

        if (queue->scan == NGX_MESH_RELAY_SCAN_DOUBT) {
            ngx_mesh_relay_doubt_max(doubt, &queue->doubt, &found);
        }

        for (q = ngx_queue_head(&queue->doubts);
             q != ngx_queue_sentinel(&queue->doubts);
             q = ngx_queue_next(q))
        {
            entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

            one.since = entry->since;
            one.cleared = entry->cleared;
            ngx_mesh_relay_doubt_max(doubt, &one, &found);
        }
    }

    return found;
}


/* one that no check has ended yet lasts longer than any other */

static void
ngx_mesh_relay_doubt_max(ngx_mesh_relay_doubt_t *doubt,
    ngx_mesh_relay_doubt_t *one, ngx_uint_t *found)
{
    if (!*found
        || one->cleared < doubt->cleared
        || (one->cleared == doubt->cleared
            && ngx_mesh_relay_after(one->since, doubt->since)))
    {
        *doubt = *one;
    }

    *found = 1;
}


ngx_uint_t
ngx_mesh_relay_notify_busy(ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t  i;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {

        if (notify->queues[i].nflights) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_mesh_relay_notify_unsettled(ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t  i;

    for (i = 0; i < notify->mcf->nodes.nelts; i++) {

        if (notify->queues[i].ndone) {
            return 1;
        }
    }

    return 0;
}


void
ngx_mesh_relay_notify_wake(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, size_t len)
{
    ngx_msec_t               at;
    ngx_mesh_relay_queue_t  *queue;

    if (mcf->notify == NULL) {
        return;
    }

    queue = &mcf->notify->queues[node->index];
    at = ngx_current_msec + mcf->notify_interval;

    queue->poll_wait = mcf->notify_interval;
    queue->poll_size = ngx_max(queue->poll_size, len);

    if (ngx_mesh_relay_after(queue->poll_at, at)) {
        queue->poll_at = at;
    }
}


ngx_uint_t
ngx_mesh_relay_queue_log(ngx_mesh_relay_queue_t *queue)
{
    if (queue->logged
        && ngx_current_msec - queue->logged_at < NGX_MESH_RELAY_LOG_EVERY)
    {
        queue->unlogged++;
        return 0;
    }

    if (queue->unlogged) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%ui lines about full node \"%V\" were left out",
                      queue->unlogged, &queue->node->name);
        queue->unlogged = 0;
    }

    queue->logged = 1;
    queue->logged_at = ngx_current_msec;

    return 1;
}


static void
ngx_mesh_relay_queue_init(ngx_mesh_relay_queue_t *queue)
{
    ngx_mesh_relay_window_init(queue);

    queue->poll_wait = queue->mcf->notify_interval;
    queue->poll_at = ngx_current_msec;
    queue->poll_max = NGX_MESH_RELAY_POLL_FIRST;
    queue->poll_size = NGX_MESH_RELAY_POLL_SIZE;
}


static void
ngx_mesh_relay_queue_tick(ngx_mesh_relay_queue_t *queue)
{
    ngx_mesh_relay_node_view_t  view;

    ngx_mesh_relay_settle(queue, 0);

    if (!ngx_mesh_relay_slot_owned(queue->notify)) {
        return;
    }

    if (!ngx_mesh_relay_queue_idle(queue)) {

        ngx_mesh_relay_node_view(queue->mcf, queue->node, &view);

        if (queue->scan == NGX_MESH_RELAY_SCAN_DOUBT) {
            ngx_mesh_relay_queue_doubt(queue, &view);
        }

        ngx_mesh_relay_park_wake(queue);
        ngx_mesh_relay_dispatch_tick(queue, &view);
    }

    ngx_mesh_relay_queue_read(queue);
}


/* a doubt may begin later than the check that was asked for with it */

static void
ngx_mesh_relay_queue_doubt(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view)
{
    ngx_mesh_relay_doubt_t  *doubt;

    doubt = &queue->doubt;

    if (ngx_mesh_relay_doubt_over(view, &doubt->since, &doubt->cleared)) {
        queue->scan = NGX_MESH_RELAY_SCAN_WANTED;

        ngx_mesh_relay_doubt_proven(queue,
                                    doubt->since - NGX_MESH_RELAY_DOUBT_WAIT,
                                    doubt->since);
        return;
    }

    if (!doubt->cleared
        && !queue->doubt_asked
        && !ngx_mesh_relay_after(doubt->since, ngx_current_msec))
    {
        queue->doubt_asked = 1;
        ngx_mesh_relay_node_want_check(queue->mcf, queue->node);
    }
}


static ngx_uint_t
ngx_mesh_relay_queue_idle(ngx_mesh_relay_queue_t *queue)
{
    return queue->count == 0
           && queue->scan == NGX_MESH_RELAY_SCAN_NONE
           && queue->breaker != NGX_MESH_RELAY_BREAKER_OPEN
           && ngx_queue_empty(&queue->parked);
}


void
ngx_mesh_relay_queue_scan(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_doubt_t *doubt)
{
    if (queue->reading == NGX_MESH_RELAY_READ_PENDING) {
        queue->reading = NGX_MESH_RELAY_READ_STALE;
    }

    if (doubt) {
        queue->scan = NGX_MESH_RELAY_SCAN_DOUBT;
        queue->doubt = *doubt;
        queue->scan_stale = 1;
        queue->doubt_asked = 0;

    } else if (queue->scan != NGX_MESH_RELAY_SCAN_DOUBT) {

        if (queue->scan == NGX_MESH_RELAY_SCAN_NONE) {
            queue->scan_stale = 0;
        }

        queue->scan = NGX_MESH_RELAY_SCAN_WANTED;
    }
}


void
ngx_mesh_relay_queue_read(ngx_mesh_relay_queue_t *queue)
{
    ngx_uint_t  n;

    if (queue->reading != NGX_MESH_RELAY_READ_NONE
        || ngx_exiting
        || ngx_terminate
        || !ngx_mesh_relay_slot_owned(queue->notify))
    {
        return;
    }

    n = ngx_mesh_relay_queue_room(queue);

    if (n == 0) {
        return;
    }

    switch (queue->scan) {

    case NGX_MESH_RELAY_SCAN_WANTED:
        queue->cursor.ms = 0;
        queue->cursor.seq = 0;
        queue->scan = NGX_MESH_RELAY_SCAN_RUNNING;

        /* fall through */

    case NGX_MESH_RELAY_SCAN_RUNNING:
        ngx_mesh_relay_queue_ask(queue, n);
        return;

    default:
        break;
    }

    /* what this worker does not take others may */

    if (queue->breaker != NGX_MESH_RELAY_BREAKER_OPEN
        && !ngx_mesh_relay_after(queue->poll_at, ngx_current_msec))
    {
        ngx_mesh_relay_queue_ask(queue, n);
    }
}


/* entries that the window takes; what is not settled counts by itself */

static ngx_uint_t
ngx_mesh_relay_queue_room(ngx_mesh_relay_queue_t *queue)
{
    ngx_uint_t                   n;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = queue->mcf;

    if (queue->count >= mcf->notify_window
        || queue->ndone >= mcf->notify_window
        || queue->size >= mcf->notify_window_size)
    {
        return 0;
    }

    n = (mcf->notify_window_size - queue->size) / queue->poll_size;

    n = ngx_max(n, 1);
    n = ngx_min(n, queue->poll_max);

    return ngx_min(n, mcf->notify_window - queue->count);
}


static void
ngx_mesh_relay_queue_ask(ngx_mesh_relay_queue_t *queue, ngx_uint_t n)
{
    u_char                 count[NGX_INT_T_LEN];
    u_char                 cursor[NGX_MESH_RELAY_ENTRY_LEN];
    ngx_str_t              argv[9];
    ngx_mesh_relay_read_e  reading;

    if (queue->ask_last && queue->scan != NGX_MESH_RELAY_SCAN_RUNNING) {
        ngx_mesh_relay_queue_ask_last(queue);
        return;
    }

    ngx_str_set(&argv[0], "XREADGROUP");
    ngx_str_set(&argv[1], "GROUP");
    ngx_str_set(&argv[2], NGX_MESH_RELAY_GROUP);
    argv[3] = queue->notify->consumer;
    ngx_str_set(&argv[4], "COUNT");
    argv[5].data = count;
    argv[5].len = ngx_sprintf(count, "%ui", n) - count;
    ngx_str_set(&argv[6], "STREAMS");
    argv[7] = queue->keys->relays;

    if (queue->scan == NGX_MESH_RELAY_SCAN_RUNNING) {
        reading = NGX_MESH_RELAY_READ_PENDING;
        ngx_mesh_relay_entry_id(&queue->cursor, &argv[8], cursor);

    } else {
        reading = NGX_MESH_RELAY_READ_NEW;
        ngx_str_set(&argv[8], ">");
        queue->poll_at = ngx_current_msec + queue->poll_wait;
    }

    if (mesh_redis_command(queue->mcf->redis_stream, 9, argv,
                           ngx_mesh_relay_queue_answer, queue, NULL)
        == NGX_OK)
    {
        queue->reading = reading;
        queue->asked = n;
    }
}


static void
ngx_mesh_relay_queue_ask_last(ngx_mesh_relay_queue_t *queue)
{
    ngx_str_t  argv[6];

    ngx_str_set(&argv[0], "XREVRANGE");
    argv[1] = queue->keys->relays;
    ngx_str_set(&argv[2], "+");
    ngx_str_set(&argv[3], "-");
    ngx_str_set(&argv[4], "COUNT");
    ngx_str_set(&argv[5], "1");

    if (mesh_redis_command(queue->mcf->redis_stream, 6, argv,
                           ngx_mesh_relay_queue_answer, queue, NULL)
        == NGX_OK)
    {
        queue->reading = NGX_MESH_RELAY_READ_LAST;
    }
}


static void
ngx_mesh_relay_queue_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_queue_t *queue = data;

    mesh_redis_reply_t     *entries;
    ngx_mesh_relay_read_e   reading;

    reading = queue->reading;
    queue->reading = NGX_MESH_RELAY_READ_NONE;

    if (outcome != MESH_REDIS_ANSWERED) {
        ngx_mesh_relay_queue_failed(queue, outcome, reply);
        return;
    }

    if (reading == NGX_MESH_RELAY_READ_LAST) {
        ngx_mesh_relay_queue_last(queue, reply);
        return;
    }

    queue->poll_max = ngx_min(queue->poll_max * 2, NGX_MESH_RELAY_POLL_MAX);

    entries = ngx_mesh_relay_queue_entries(reply);

    /*
     * What was read when the slot was not ours any more stays pending, and
     * is found when it is ours again.
     */

    if (!ngx_mesh_relay_slot_owned(queue->notify)
        || reading == NGX_MESH_RELAY_READ_STALE)
    {
        return;
    }

    ngx_mesh_relay_queue_sized(queue, entries);

    if (reading == NGX_MESH_RELAY_READ_NEW) {
        ngx_mesh_relay_queue_new(queue, entries);

    } else {
        ngx_mesh_relay_queue_pending(queue, entries);
    }

    ngx_mesh_relay_dispatch(queue);
    ngx_mesh_relay_queue_read(queue);
}


/* { entry }, or { } when the stream is empty: then all to come is new */

static void
ngx_mesh_relay_queue_last(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *reply)
{
    queue->ask_last = 0;

    if (reply->kind != MESH_REDIS_ARRAY
        || reply->nelts == 0
        || ngx_mesh_relay_window_id(&reply->elts[0], &queue->last) != NGX_OK)
    {
        ngx_memzero(&queue->last, sizeof(ngx_mesh_relay_entry_id_t));
    }

    ngx_mesh_relay_queue_read(queue);
}


static void
ngx_mesh_relay_queue_failed(ngx_mesh_relay_queue_t *queue,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply)
{
    queue->poll_at = ngx_current_msec + NGX_MESH_RELAY_POLL_IDLE;

    if (outcome == MESH_REDIS_LOST || outcome == MESH_REDIS_TIMEOUT) {

        /* too large an answer ends a connection, too */

        queue->poll_max = ngx_max(queue->poll_max / 2, 1);
        return;
    }

    if (reply == NULL) {
        return;
    }

    if (reply->str.len >= sizeof("NOGROUP") - 1
        && ngx_strncmp(reply->str.data, "NOGROUP", sizeof("NOGROUP") - 1)
           == 0)
    {
        /* nothing can be pending in a group that is not there */

        if (queue->scan == NGX_MESH_RELAY_SCAN_RUNNING) {
            queue->scan = NGX_MESH_RELAY_SCAN_NONE;
            ngx_mesh_relay_park_scanned(queue);
        }

        ngx_mesh_relay_store_open(queue->mcf, queue->node);
    }

    if (ngx_mesh_relay_queue_log(queue)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "redis \"%V\" did not give the relays of full node "
                      "\"%V\": %V", &queue->mcf->mesh.redis->name,
                      &queue->node->name, &reply->str);
    }
}


/* { { key, { entry, ... } } }, or nil; NULL when there are no entries */

static mesh_redis_reply_t *
ngx_mesh_relay_queue_entries(mesh_redis_reply_t *reply)
{
    mesh_redis_reply_t  *stream;

    if (reply->kind != MESH_REDIS_ARRAY || reply->nelts != 1) {
        return NULL;
    }

    stream = &reply->elts[0];

    if (stream->kind != MESH_REDIS_ARRAY
        || stream->nelts != 2
        || stream->elts[1].kind != MESH_REDIS_ARRAY
        || stream->elts[1].nelts == 0)
    {
        return NULL;
    }

    return &stream->elts[1];
}


/* the size to expect: of the largest one lately */

static void
ngx_mesh_relay_queue_sized(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries)
{
    size_t               size;
    ngx_uint_t           i, k;
    mesh_redis_reply_t  *fields;

    size = ngx_max(queue->poll_size - queue->poll_size / 8,
                   NGX_MESH_RELAY_POLL_SIZE);

    for (i = 0; entries && i < entries->nelts; i++) {

        if (entries->elts[i].kind != MESH_REDIS_ARRAY
            || entries->elts[i].nelts != 2)
        {
            continue;
        }

        fields = &entries->elts[i].elts[1];

        for (k = 0; k < fields->nelts; k++) {
            size = ngx_max(size, fields->elts[k].str.len);
        }
    }

    queue->poll_size = size;
}


static void
ngx_mesh_relay_queue_new(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries)
{
    ngx_uint_t                  i, n;
    ngx_mesh_relay_entry_id_t   id;

    n = entries ? entries->nelts : 0;

    for (i = 0; i < n; i++) {

        if (ngx_mesh_relay_window_add(queue, &entries->elts[i], 1, &id)
            != NGX_OK)
        {
            /* it is pending now, and found there */

            ngx_mesh_relay_queue_scan(queue, NULL);
            break;
        }
    }

    if (n == 0) {
        queue->poll_wait = ngx_min(queue->poll_wait * 2,
                                   NGX_MESH_RELAY_POLL_IDLE);

    } else {
        queue->poll_wait = queue->mcf->notify_interval;

        if (n == queue->asked) {
            queue->poll_at = ngx_current_msec;
        }
    }
}


static void
ngx_mesh_relay_queue_pending(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *entries)
{
    ngx_uint_t                  i, n;
    ngx_mesh_relay_entry_id_t   id;

    n = entries ? entries->nelts : 0;

    for (i = 0; i < n; i++) {

        if (ngx_mesh_relay_window_add(queue, &entries->elts[i], 0, &id)
            != NGX_OK)
        {
            /* goes on from there with the next tick's memory */

            return;
        }

        queue->cursor = id;
    }

    if (n < queue->asked) {
        queue->scan = NGX_MESH_RELAY_SCAN_NONE;
        ngx_mesh_relay_park_scanned(queue);
    }
}
