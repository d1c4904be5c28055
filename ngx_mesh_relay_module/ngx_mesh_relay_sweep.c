
/*
 * Sweep of Redis: sessions that no relay can belong to any more, and rows of
 * the ledger that have been left alone for long enough.  A little for one
 * node at a time; each step begins when the last one was answered.
 */


#include "ngx_mesh_relay_notify.h"


#define NGX_MESH_RELAY_SWEEP_EVERY   30000     /* ms, for all nodes in turn */
#define NGX_MESH_RELAY_SWEEP_GAP     1000
#define NGX_MESH_RELAY_SWEEP_MAX     32        /* sessions */
#define NGX_MESH_RELAY_SWEEP_ROWS    64        /* of a step, about */


struct ngx_mesh_relay_sweep_s {
    ngx_mesh_relay_notify_t  *notify;
    ngx_mesh_relay_queue_t   *queue;           /* of the node */
    ngx_uint_t                next;            /* node */
    ngx_msec_t                at;
    ngx_uint_t                asked;           /* sessions */

    /* by node: where to go on */
    ngx_uint_t               *skip;            /* sessions with a queue */
    uint64_t                 *cursor;          /* of the ledger */
    unsigned                  busy:1;
};


static ngx_int_t ngx_mesh_relay_sweep_sessions(ngx_mesh_relay_sweep_t *sweep);
static void ngx_mesh_relay_sweep_listed(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_sweep_drop(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *ids);
static void ngx_mesh_relay_sweep_dropped(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_sweep_rows(ngx_mesh_relay_sweep_t *sweep);
static void ngx_mesh_relay_sweep_scanned(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_sweep_prune(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *rows);
static ngx_uint_t ngx_mesh_relay_sweep_old(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *row);
static void ngx_mesh_relay_sweep_pruned(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);


ngx_int_t
ngx_mesh_relay_sweep_init(ngx_cycle_t *cycle, ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t               n;
    ngx_mesh_relay_sweep_t  *sweep;

    n = notify->mcf->nodes.nelts;

    sweep = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_sweep_t));
    if (sweep == NULL) {
        return NGX_ERROR;
    }

    sweep->skip = ngx_pcalloc(cycle->pool, n * sizeof(ngx_uint_t));
    if (sweep->skip == NULL) {
        return NGX_ERROR;
    }

    sweep->cursor = ngx_pcalloc(cycle->pool, n * sizeof(uint64_t));
    if (sweep->cursor == NULL) {
        return NGX_ERROR;
    }

    sweep->notify = notify;
    sweep->at = ngx_current_msec + ngx_random() % NGX_MESH_RELAY_SWEEP_EVERY;

    notify->sweep = sweep;

    return NGX_OK;
}


void
ngx_mesh_relay_sweep_tick(ngx_mesh_relay_notify_t *notify)
{
    ngx_msec_t               wait;
    ngx_uint_t               n;
    ngx_mesh_relay_sweep_t  *sweep;

    sweep = notify->sweep;

    if (sweep->busy || ngx_mesh_relay_after(sweep->at, ngx_current_msec)) {
        return;
    }

    n = notify->mcf->nodes.nelts;

    wait = ngx_max(NGX_MESH_RELAY_SWEEP_EVERY / n, NGX_MESH_RELAY_SWEEP_GAP);

    sweep->at = ngx_current_msec + ngx_mesh_relay_jitter(wait);
    sweep->queue = &notify->queues[sweep->next++ % n];

    if (ngx_mesh_relay_sweep_sessions(sweep) == NGX_OK) {
        sweep->busy = 1;
    }
}


/*
 * A session whose relays can neither be served nor claimed, and one session
 * more for nodes that are not at the same height.
 */

static ngx_int_t
ngx_mesh_relay_sweep_sessions(ngx_mesh_relay_sweep_t *sweep)
{
    u_char                       limit[NGX_INT64_LEN + 1];
    u_char                       skip[NGX_INT_T_LEN];
    int64_t                      blocks, sessions, height;
    ngx_str_t                    argv[7];
    ngx_mesh_relay_queue_t      *queue;
    ngx_mesh_relay_node_view_t   view;

    queue = sweep->queue;

    ngx_mesh_relay_node_view(queue->mcf, queue->node, &view);

    if (!view.known) {
        return NGX_DECLINED;
    }

    blocks = view.status.blocks_per_session;

    if (blocks < 1) {
        blocks = POCKET_NODE_BLOCKS_PER_SESSION;
    }

    sessions = ngx_max(view.status.client_session_sync_allowance, 0) + 1;
    height = pocket_session_latest(&view.status) - sessions * blocks;

    ngx_str_set(&argv[0], "ZRANGEBYSCORE");
    argv[1] = queue->keys->sessions;
    ngx_str_set(&argv[2], "-inf");
    argv[3].data = limit;
    argv[3].len = ngx_sprintf(limit, "(%L", height) - limit;
    ngx_str_set(&argv[4], "LIMIT");
    argv[5].data = skip;
    argv[5].len = ngx_sprintf(skip, "%ui", sweep->skip[queue->node->index])
                  - skip;
    ngx_str_set(&argv[6], ngx_value(NGX_MESH_RELAY_SWEEP_MAX));

    return mesh_redis_command(queue->mcf->redis_stream, 7, argv,
                              ngx_mesh_relay_sweep_listed, sweep, NULL);
}


static void
ngx_mesh_relay_sweep_listed(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_sweep_t *sweep = data;

    if (outcome != MESH_REDIS_ANSWERED || reply->kind != MESH_REDIS_ARRAY) {
        sweep->busy = 0;
        return;
    }

    if (reply->nelts == 0) {
        sweep->skip[sweep->queue->node->index] = 0;
        ngx_mesh_relay_sweep_rows(sweep);
        return;
    }

    ngx_mesh_relay_sweep_drop(sweep, reply);
}


static void
ngx_mesh_relay_sweep_drop(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *ids)
{
    u_char                  *buf;
    ngx_int_t                rc;
    ngx_str_t               *argv, *arg;
    ngx_uint_t               i, n;
    ngx_mesh_relay_queue_t  *queue;

    n = ngx_min(ids->nelts, NGX_MESH_RELAY_SWEEP_MAX);

    queue = sweep->queue;
    sweep->asked = n;

    argv = ngx_alloc((2 + 3 * n) * sizeof(ngx_str_t)
                     + 2 * n * NGX_MESH_RELAY_KEY_MAX, ngx_cycle->log);
    if (argv == NULL) {
        sweep->busy = 0;
        return;
    }

    buf = (u_char *) &argv[2 + 3 * n];

    argv[0] = queue->keys->ledger;
    argv[1] = queue->keys->sessions;
    arg = &argv[2];

    for (i = 0; i < n; i++) {
        ngx_mesh_relay_key_join(arg++, buf, &queue->keys->session,
                                &ids->elts[i].str);
        buf += NGX_MESH_RELAY_KEY_MAX;

        ngx_mesh_relay_key_join(arg++, buf, &queue->keys->proofs,
                                &ids->elts[i].str);
        buf += NGX_MESH_RELAY_KEY_MAX;
    }

    for (i = 0; i < n; i++) {
        *arg++ = ids->elts[i].str;
    }

    rc = ngx_mesh_relay_script_eval(queue->mcf, queue->mcf->redis_stream,
                                    NGX_MESH_RELAY_SCRIPT_SWEEP, 2 + 2 * n,
                                    2 + 3 * n, argv,
                                    ngx_mesh_relay_sweep_dropped, sweep,
                                    NULL);
    ngx_free(argv);

    if (rc != NGX_OK) {
        sweep->busy = 0;
    }
}


static void
ngx_mesh_relay_sweep_dropped(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_sweep_t *sweep = data;

    if (outcome != MESH_REDIS_ANSWERED || reply->kind != MESH_REDIS_INTEGER) {
        sweep->busy = 0;
        return;
    }

    /* those that have a queue stay in front of the others */

    sweep->skip[sweep->queue->node->index] +=
                                sweep->asked - (ngx_uint_t) reply->integer;

    ngx_mesh_relay_sweep_rows(sweep);
}


static void
ngx_mesh_relay_sweep_rows(ngx_mesh_relay_sweep_t *sweep)
{
    u_char                   cursor[NGX_INT64_LEN];
    ngx_str_t                argv[5];
    ngx_mesh_relay_queue_t  *queue;

    queue = sweep->queue;

    ngx_str_set(&argv[0], "HSCAN");
    argv[1] = queue->keys->ledger;
    argv[2].data = cursor;
    argv[2].len = ngx_sprintf(cursor, "%uL",
                              sweep->cursor[queue->node->index])
                  - cursor;
    ngx_str_set(&argv[3], "COUNT");
    ngx_str_set(&argv[4], ngx_value(NGX_MESH_RELAY_SWEEP_ROWS));

    if (mesh_redis_command(queue->mcf->redis_stream, 5, argv,
                           ngx_mesh_relay_sweep_scanned, sweep, NULL)
        != NGX_OK)
    {
        sweep->busy = 0;
    }
}


static void
ngx_mesh_relay_sweep_scanned(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_sweep_t *sweep = data;

    off_t  cursor;

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_ARRAY
        || reply->nelts != 2
        || reply->elts[0].kind != MESH_REDIS_STRING
        || reply->elts[1].kind != MESH_REDIS_ARRAY)
    {
        sweep->busy = 0;
        return;
    }

    /* a cursor above int63 begins again */

    cursor = ngx_atoof(reply->elts[0].str.data, reply->elts[0].str.len);

    sweep->cursor[sweep->queue->node->index] =
                                  (cursor == NGX_ERROR) ? 0 : (uint64_t) cursor;

    ngx_mesh_relay_sweep_prune(sweep, &reply->elts[1]);
}


static void
ngx_mesh_relay_sweep_prune(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *rows)
{
    ngx_int_t                rc;
    ngx_str_t               *argv;
    ngx_uint_t               i, n;
    ngx_mesh_relay_queue_t  *queue;

    queue = sweep->queue;

    argv = ngx_alloc((1 + rows->nelts) * sizeof(ngx_str_t), ngx_cycle->log);
    if (argv == NULL) {
        sweep->busy = 0;
        return;
    }

    argv[0] = queue->keys->ledger;
    n = 1;

    for (i = 0; i + 1 < rows->nelts; i += 2) {

        if (ngx_mesh_relay_sweep_old(sweep, &rows->elts[i + 1])) {
            argv[n++] = rows->elts[i].str;
            argv[n++] = rows->elts[i + 1].str;
        }
    }

    rc = NGX_DECLINED;

    if (n > 1) {
        rc = ngx_mesh_relay_script_eval(queue->mcf, queue->mcf->redis_stream,
                                        NGX_MESH_RELAY_SCRIPT_PRUNE, 1, n,
                                        argv, ngx_mesh_relay_sweep_pruned,
                                        sweep, NULL);
    }

    ngx_free(argv);

    if (rc != NGX_OK) {
        sweep->busy = 0;
    }
}


static ngx_uint_t
ngx_mesh_relay_sweep_old(ngx_mesh_relay_sweep_t *sweep,
    mesh_redis_reply_t *text)
{
    int64_t               age;
    ngx_mesh_relay_row_t  row;

    if (text->kind != MESH_REDIS_STRING
        || ngx_mesh_relay_ledger_row(&text->str, &row) != NGX_OK)
    {
        return 0;
    }

    age = (int64_t) ngx_time() - row.time / 1000;

    return row.recorded == row.delivered + row.refused + row.expired
           && age > (int64_t) sweep->notify->mcf->ledger_keep;
}


static void
ngx_mesh_relay_sweep_pruned(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_sweep_t *sweep = data;

    sweep->busy = 0;
}
