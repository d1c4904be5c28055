
/*
 * Settling: one script call takes a batch of relays with known outcomes out
 * of the stream and into the ledger.  What Redis did not answer for is asked
 * again: only those that are still pending then count.
 */


#include "ngx_mesh_relay_notify.h"


#define NGX_MESH_RELAY_SETTLE_MAX    256
#define NGX_MESH_RELAY_SETTLE_AGAIN  1000

/* keys, time, dead max and its bytes, number of sessions */
#define NGX_MESH_RELAY_SETTLE_HEAD   7

/* an outcome: a letter and a code; a place */
#define NGX_MESH_RELAY_SETTLE_TEXT   (1 + 2 * NGX_INT_T_LEN)


static ngx_int_t ngx_mesh_relay_settle_send(ngx_mesh_relay_queue_t *queue,
    ngx_uint_t n);
static ngx_uint_t ngx_mesh_relay_settle_lanes(ngx_mesh_relay_queue_t *queue,
    ngx_uint_t n, ngx_str_t *argv);
static u_char *ngx_mesh_relay_settle_entry(ngx_mesh_relay_entry_t *entry,
    ngx_str_t *argv, u_char *p);
static void ngx_mesh_relay_settled(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply);
static ngx_mesh_relay_entry_t *ngx_mesh_relay_settle_first(
    ngx_mesh_relay_queue_t *queue);


/* of the script, indexed by ngx_mesh_relay_outcome_e */

static u_char  ngx_mesh_relay_outcomes[] = { 'd', 'f', 'e', 'r', 'x' };


void
ngx_mesh_relay_settle(ngx_mesh_relay_queue_t *queue, ngx_uint_t force)
{
    ngx_uint_t  n;

    n = queue->ndone;

    if (n == 0 || queue->nsettling) {
        return;
    }

    if (!force
        && n < NGX_MESH_RELAY_SETTLE_MAX
        && ngx_mesh_relay_after(queue->settle_at, ngx_current_msec))
    {
        return;
    }

    n = ngx_min(n, NGX_MESH_RELAY_SETTLE_MAX);

    queue->settle_at = ngx_current_msec + queue->mcf->notify_interval;

    if (ngx_mesh_relay_settle_send(queue, n) == NGX_OK) {
        queue->nsettling = n;
    }
}


static ngx_int_t
ngx_mesh_relay_settle_send(ngx_mesh_relay_queue_t *queue, ngx_uint_t n)
{
    u_char      *buf, *p, now[NGX_INT64_LEN];
    u_char       max[NGX_INT64_LEN], size[NGX_SIZE_T_LEN];
    u_char       sessions[NGX_INT_T_LEN];
    ngx_int_t    rc;
    ngx_str_t   *argv, *arg;
    ngx_uint_t   i, nlanes;
    ngx_queue_t *q;

    argv = ngx_alloc((NGX_MESH_RELAY_SETTLE_HEAD + 4 * n) * sizeof(ngx_str_t)
                     + n * (NGX_MESH_RELAY_ENTRY_LEN
                            + NGX_MESH_RELAY_SETTLE_TEXT),
                     ngx_cycle->log);
    if (argv == NULL) {
        return NGX_ERROR;
    }

    buf = (u_char *) &argv[NGX_MESH_RELAY_SETTLE_HEAD + 4 * n];

    argv[0] = queue->keys->relays;
    argv[1] = queue->keys->ledger;
    argv[2] = queue->keys->dead;
    ngx_mesh_relay_store_time(&argv[3], now);
    argv[4].data = max;
    argv[4].len = ngx_sprintf(max, "%ui", queue->mcf->dead_max) - max;
    argv[5].data = size;
    argv[5].len = ngx_sprintf(size, "%uz", queue->mcf->dead_max_size) - size;

    nlanes = ngx_mesh_relay_settle_lanes(queue, n,
                                         &argv[NGX_MESH_RELAY_SETTLE_HEAD]);

    argv[6].data = sessions;
    argv[6].len = ngx_sprintf(sessions, "%ui", nlanes) - sessions;

    arg = &argv[NGX_MESH_RELAY_SETTLE_HEAD + nlanes];
    p = buf;

    for (i = 0, q = ngx_queue_head(&queue->done);
         i < n;
         i++, q = ngx_queue_next(q))
    {
        p = ngx_mesh_relay_settle_entry(
                        ngx_queue_data(q, ngx_mesh_relay_entry_t, link),
                        arg, p);
        arg += 3;
    }

    rc = ngx_mesh_relay_script_eval(queue->mcf, queue->mcf->redis_stream,
                                    NGX_MESH_RELAY_SCRIPT_SETTLE, 3,
                                    arg - argv, argv, ngx_mesh_relay_settled,
                                    queue, NULL);

    ngx_free(argv);

    return rc;
}


/* numbers the lanes of the batch, and gives their ids as arguments */

static ngx_uint_t
ngx_mesh_relay_settle_lanes(ngx_mesh_relay_queue_t *queue, ngx_uint_t n,
    ngx_str_t *argv)
{
    ngx_uint_t               i, place;
    ngx_queue_t             *q;
    ngx_mesh_relay_lane_t   *lane;
    ngx_mesh_relay_entry_t  *entry;

    for (i = 0, q = ngx_queue_head(&queue->done);
         i < n;
         i++, q = ngx_queue_next(q))
    {
        entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

        if (entry->lane) {
            entry->lane->place = 0;
        }
    }

    place = 0;

    for (i = 0, q = ngx_queue_head(&queue->done);
         i < n;
         i++, q = ngx_queue_next(q))
    {
        entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);
        lane = entry->lane;

        if (lane && lane->place == 0) {
            argv[place++] = lane->sn.str;
            lane->place = place;
        }
    }

    return place;
}


static u_char *
ngx_mesh_relay_settle_entry(ngx_mesh_relay_entry_t *entry, ngx_str_t *argv,
    u_char *p)
{
    ngx_mesh_relay_entry_id(&entry->id, &argv[0], p);
    p += argv[0].len;

    argv[1].data = p;
    p = ngx_sprintf(p, "%ui", entry->lane ? entry->lane->place : 0);
    argv[1].len = p - argv[1].data;

    argv[2].data = p;
    *p++ = ngx_mesh_relay_outcomes[entry->outcome];

    if (entry->outcome == NGX_MESH_RELAY_REFUSED) {
        p = ngx_sprintf(p, "%ui", entry->code);
    }

    argv[2].len = p - argv[2].data;

    return p;
}


static void
ngx_mesh_relay_settled(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_queue_t *queue = data;

    ngx_uint_t  n;

    n = queue->nsettling;
    queue->nsettling = 0;

    if (outcome != MESH_REDIS_ANSWERED) {

        queue->settle_at = ngx_current_msec + NGX_MESH_RELAY_SETTLE_AGAIN;

        if (reply && ngx_mesh_relay_queue_log(queue)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "redis \"%V\" did not settle relays of full node "
                          "\"%V\": %V", &queue->mcf->mesh.redis->name,
                          &queue->node->name, &reply->str);
        }

        return;
    }

    while (n--) {
        ngx_mesh_relay_entry_free(queue, ngx_mesh_relay_settle_first(queue));
    }

    if (queue->ndone >= NGX_MESH_RELAY_SETTLE_MAX) {
        ngx_mesh_relay_settle(queue, 1);
    }

    ngx_mesh_relay_queue_read(queue);
}


/* those of a batch are the first, as others are appended */

static ngx_mesh_relay_entry_t *
ngx_mesh_relay_settle_first(ngx_mesh_relay_queue_t *queue)
{
    ngx_queue_t  *q;

    q = ngx_queue_head(&queue->done);

    return ngx_queue_data(q, ngx_mesh_relay_entry_t, link);
}
