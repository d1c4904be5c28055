
/*
 * Lanes: the sessions of the entries in the window, and what waits in Redis
 * for its turn.  Of that only the session is remembered, so memory is bounded
 * by the number of sessions.
 */


#include "ngx_mesh_relay_notify.h"


/* answers in a row that ask for a retry: then the whole session waits */

#define NGX_MESH_RELAY_HOLD_AFTER  4


static ngx_mesh_relay_lane_t *ngx_mesh_relay_lane_create(
    ngx_mesh_relay_queue_t *queue, ngx_str_t *id, uint32_t hash);
static void ngx_mesh_relay_lane_park(ngx_mesh_relay_lane_t *lane,
    ngx_mesh_relay_entry_id_t *id, ngx_msec_t wait);
static void ngx_mesh_relay_lane_hold(ngx_mesh_relay_lane_t *lane);
static ngx_uint_t ngx_mesh_relay_lane_expired(ngx_mesh_relay_lane_t *lane,
    ngx_mesh_relay_entry_t *entry);
static void ngx_mesh_relay_park_scan(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *lowest);


ngx_mesh_relay_lane_t *
ngx_mesh_relay_lane_get(ngx_mesh_relay_queue_t *queue, ngx_str_t *id)
{
    uint32_t         hash;
    ngx_str_node_t  *sn;

    hash = ngx_crc32_long(id->data, id->len);

    sn = ngx_str_rbtree_lookup(&queue->lanes, id, hash);

    if (sn) {
        return (ngx_mesh_relay_lane_t *) sn;
    }

    return ngx_mesh_relay_lane_create(queue, id, hash);
}


static ngx_mesh_relay_lane_t *
ngx_mesh_relay_lane_create(ngx_mesh_relay_queue_t *queue, ngx_str_t *id,
    uint32_t hash)
{
    u_char                 *p;
    ngx_mesh_relay_lane_t  *lane;

    lane = ngx_calloc(sizeof(ngx_mesh_relay_lane_t) + 2 * id->len
                      + sizeof("chain=&app=") - 1, ngx_cycle->log);
    if (lane == NULL) {
        return NULL;
    }

    p = (u_char *) lane + sizeof(ngx_mesh_relay_lane_t);

    ngx_memcpy(p, id->data, id->len);

    lane->queue = queue;
    lane->sn.str.data = p;
    lane->sn.str.len = id->len;
    lane->sn.node.key = hash;

    ngx_queue_init(&lane->ready);
    ngx_rbtree_insert(&queue->lanes, &lane->sn.node);

    if (ngx_mesh_relay_session_parse(queue->mcf, &lane->sn.str, &lane->key)
        != NGX_OK)
    {
        ngx_str_null(&lane->key.id);
        return lane;
    }

    lane->args.data = p + id->len;
    lane->args.len = ngx_sprintf(lane->args.data, "chain=%V&app=%V",
                                 &lane->key.chain, &lane->key.app)
                     - lane->args.data;

    return lane;
}


void
ngx_mesh_relay_lane_release(ngx_mesh_relay_lane_t *lane)
{
    if (lane->entries || lane->parked || lane->overdue) {
        return;
    }

    ngx_rbtree_delete(&lane->queue->lanes, &lane->sn.node);
    ngx_free(lane);
}


ngx_int_t
ngx_mesh_relay_lane_deliverable(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane, int64_t height)
{
    ngx_mesh_relay_node_view_t  view;

    if (lane->key.servicer) {
        return ngx_mesh_relay_session_deliverable(queue->mcf, &lane->key,
                                                  height);
    }

    /*
     * Its servicer has left the configuration, and nobody validates sessions
     * for it; the node still counts what was served.
     */

    ngx_mesh_relay_node_view(queue->mcf, queue->node, &view);

    if (!view.known || view.status.height < lane->key.height) {
        return NGX_AGAIN;
    }

    return pocket_session_claimable(&view.status, lane->key.height, height)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_mesh_relay_park_entry(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    ngx_msec_t                   wait;
    ngx_mesh_relay_lane_t       *lane;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = queue->mcf;
    lane = entry->lane;

    if (!lane->parked) {
        wait = lane->wait ? lane->wait * 2 : mcf->retry_wait_min;
        lane->wait = ngx_min(wait, mcf->retry_wait_max);
    }

    ngx_mesh_relay_lane_park(lane, &entry->id, lane->wait);

    lane->resent = 1;

    if (++lane->retries >= NGX_MESH_RELAY_HOLD_AFTER) {
        ngx_mesh_relay_lane_hold(lane);
    }

    ngx_mesh_relay_entry_free(queue, entry);
}


/* what it waits for is seen in shared memory: a look costs nothing */

void
ngx_mesh_relay_park_unready(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane)
{
    ngx_queue_t             *q;
    ngx_mesh_relay_entry_t  *entry;

    q = ngx_queue_head(&lane->ready);
    entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

    lane->height = entry->height;
    lane->unready = 1;

    ngx_mesh_relay_lane_park(lane, &entry->id, queue->mcf->retry_wait_min);
    ngx_mesh_relay_lane_hold(lane);
}


static void
ngx_mesh_relay_lane_park(ngx_mesh_relay_lane_t *lane,
    ngx_mesh_relay_entry_id_t *id, ngx_msec_t wait)
{
    if (lane->parked) {

        if (ngx_mesh_relay_id_cmp(id, &lane->lowest) < 0) {
            lane->lowest = *id;
        }

        return;
    }

    lane->parked = 1;
    lane->lowest = *id;
    lane->due = ngx_current_msec + ngx_mesh_relay_jitter(wait);

    ngx_queue_insert_tail(&lane->queue->parked, &lane->link);
}


static void
ngx_mesh_relay_lane_hold(ngx_mesh_relay_lane_t *lane)
{
    ngx_queue_t             *q;
    ngx_mesh_relay_entry_t  *entry;

    lane->held = 1;

    while (!ngx_queue_empty(&lane->ready)) {
        q = ngx_queue_head(&lane->ready);
        entry = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

        if (ngx_mesh_relay_lane_expired(lane, entry)) {
            continue;
        }

        if (ngx_mesh_relay_id_cmp(&entry->id, &lane->lowest) < 0) {
            lane->lowest = entry->id;
        }

        ngx_mesh_relay_entry_free(lane->queue, entry);
    }
}


/* windows close while a session waits, too */

static ngx_uint_t
ngx_mesh_relay_lane_expired(ngx_mesh_relay_lane_t *lane,
    ngx_mesh_relay_entry_t *entry)
{
    if (ngx_mesh_relay_lane_deliverable(lane->queue, lane, entry->height)
        != NGX_DECLINED)
    {
        return 0;
    }

    ngx_mesh_relay_entry_expire(lane->queue, entry);

    return 1;
}


void
ngx_mesh_relay_park_wake(ngx_mesh_relay_queue_t *queue)
{
    ngx_queue_t                *q, *next;
    ngx_mesh_relay_lane_t      *lane;
    ngx_mesh_relay_entry_id_t   lowest;

    if (queue->scan != NGX_MESH_RELAY_SCAN_NONE) {
        return;
    }

    for (q = ngx_queue_head(&queue->parked);
         q != ngx_queue_sentinel(&queue->parked);
         q = next)
    {
        next = ngx_queue_next(q);
        lane = ngx_queue_data(q, ngx_mesh_relay_lane_t, link);

        if (ngx_mesh_relay_after(lane->due, ngx_current_msec)) {
            continue;
        }

        if (lane->unready
            && ngx_mesh_relay_lane_deliverable(queue, lane, lane->height)
               == NGX_AGAIN)
        {
            lane->due = ngx_current_msec
                        + ngx_mesh_relay_jitter(queue->mcf->retry_wait_min);
            continue;
        }

        if (ngx_queue_empty(&queue->due)
            || ngx_mesh_relay_id_cmp(&lane->lowest, &lowest) < 0)
        {
            lowest = lane->lowest;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&queue->due, &lane->due_link);

        lane->parked = 0;
        lane->held = 0;
        lane->unready = 0;
        lane->overdue = 1;
    }

    if (!ngx_queue_empty(&queue->due)) {
        ngx_mesh_relay_park_scan(queue, &lowest);
    }
}


/* the cursor of a read is the id before the first one wanted */

static void
ngx_mesh_relay_park_scan(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *lowest)
{
    queue->cursor = *lowest;

    if (queue->cursor.seq) {
        queue->cursor.seq--;

    } else {
        queue->cursor.ms--;
        queue->cursor.seq = NGX_MAX_OFF_T_VALUE;
    }

    queue->scan = NGX_MESH_RELAY_SCAN_RUNNING;
    queue->scan_stale = 0;
}


void
ngx_mesh_relay_park_scanned(ngx_mesh_relay_queue_t *queue)
{
    ngx_queue_t            *q;
    ngx_mesh_relay_lane_t  *lane;

    while (!ngx_queue_empty(&queue->due)) {
        q = ngx_queue_head(&queue->due);
        lane = ngx_queue_data(q, ngx_mesh_relay_lane_t, due_link);

        ngx_queue_remove(q);
        lane->overdue = 0;

        ngx_mesh_relay_lane_release(lane);
    }
}
