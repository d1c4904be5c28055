
/*
 * The notifier's window: entries read and not settled, by id, and in the list
 * of their state.
 */


#include "ngx_mesh_relay_notify.h"


typedef struct {
    ngx_str_t  session;
    ngx_str_t  relay;
    ngx_str_t  doubt;
} ngx_mesh_relay_fields_t;


static ngx_mesh_relay_entry_t *ngx_mesh_relay_entry_find(
    ngx_mesh_relay_queue_t *queue, ngx_mesh_relay_entry_id_t *id);
static void ngx_mesh_relay_entry_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_mesh_relay_entry_parse(mesh_redis_reply_t *reply,
    ngx_mesh_relay_entry_id_t *id, ngx_mesh_relay_fields_t *fields);
static ngx_int_t ngx_mesh_relay_entry_create(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id, ngx_mesh_relay_lane_t *lane,
    ngx_str_t *relay, ngx_uint_t fresh, ngx_mesh_relay_doubt_t *doubt);
static ngx_uint_t ngx_mesh_relay_entry_doubtful(
    ngx_mesh_relay_queue_t *queue, ngx_mesh_relay_entry_id_t *id,
    ngx_str_t *mark, ngx_uint_t new, ngx_mesh_relay_doubt_t *doubt);
static ngx_int_t ngx_mesh_relay_entry_foreign(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id);
static void ngx_mesh_relay_entry_order(ngx_mesh_relay_entry_t *entry);
static void ngx_mesh_relay_entry_unlink(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);
static ngx_int_t ngx_mesh_relay_relay_height(ngx_str_t *relay,
    int64_t *height);


void
ngx_mesh_relay_window_init(ngx_mesh_relay_queue_t *queue)
{
    ngx_rbtree_init(&queue->entries, &queue->entries_sentinel,
                    ngx_mesh_relay_entry_insert);
    ngx_rbtree_init(&queue->lanes, &queue->lanes_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&queue->ready, &queue->ready_sentinel,
                    ngx_rbtree_insert_value);

    ngx_queue_init(&queue->parked);
    ngx_queue_init(&queue->due);
    ngx_queue_init(&queue->flights);
    ngx_queue_init(&queue->doubts);
    ngx_queue_init(&queue->done);
}


void
ngx_mesh_relay_window_clear(ngx_mesh_relay_queue_t *queue, ngx_uint_t keep)
{
    ngx_queue_t              *q;
    ngx_rbtree_node_t        *node, *next;
    ngx_mesh_relay_lane_t    *lane;
    ngx_mesh_relay_entry_t   *entry;

    if (queue->entries.root != &queue->entries_sentinel) {

        for (node = ngx_rbtree_min(queue->entries.root,
                                   &queue->entries_sentinel);
             node;
             node = next)
        {
            next = ngx_rbtree_next(&queue->entries, node);
            entry = ngx_rbtree_data(node, ngx_mesh_relay_entry_t, node);

            if (keep && entry->state == NGX_MESH_RELAY_ENTRY_DONE) {
                continue;
            }

            if (entry->exchange) {
                mesh_http_cancel(entry->exchange);
            }

            ngx_mesh_relay_entry_free(queue, entry);
        }
    }

    ngx_mesh_relay_park_scanned(queue);

    while (!ngx_queue_empty(&queue->parked)) {
        q = ngx_queue_head(&queue->parked);
        lane = ngx_queue_data(q, ngx_mesh_relay_lane_t, link);

        ngx_queue_remove(q);
        lane->parked = 0;
        lane->held = 0;

        ngx_mesh_relay_lane_release(lane);
    }
}


ngx_int_t
ngx_mesh_relay_window_add(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *reply, ngx_uint_t new, ngx_mesh_relay_entry_id_t *id)
{
    ngx_uint_t                fresh, doubtful;
    ngx_mesh_relay_lane_t    *lane;
    ngx_mesh_relay_doubt_t    doubt;
    ngx_mesh_relay_fields_t   fields;

    if (ngx_mesh_relay_entry_parse(reply, id, &fields) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "unexpected entry in stream \"%V\"",
                      &queue->keys->relays);
        return NGX_ERROR;
    }

    if (ngx_mesh_relay_entry_find(queue, id)) {
        return NGX_OK;
    }

    if (fields.session.len == 0 || fields.relay.len == 0) {
        return ngx_mesh_relay_entry_foreign(queue, id);
    }

    lane = ngx_mesh_relay_lane_get(queue, &fields.session);

    if (lane == NULL) {
        return NGX_ERROR;
    }

    if (lane->key.id.len == 0) {
        ngx_mesh_relay_lane_release(lane);
        return ngx_mesh_relay_entry_foreign(queue, id);
    }

    /* of a parked lane it is not known which entries wait */

    if (lane->parked && (lane->held || (!new && !lane->overdue))) {

        if (ngx_mesh_relay_id_cmp(id, &lane->lowest) < 0) {
            lane->lowest = *id;
        }

        return NGX_OK;
    }

    doubtful = ngx_mesh_relay_entry_doubtful(queue, id, &fields.doubt, new,
                                             &doubt);

    fresh = !doubtful && (new || (!queue->scan_stale && !lane->resent));

    return ngx_mesh_relay_entry_create(queue, id, lane, &fields.relay, fresh,
                                       doubtful ? &doubt : NULL);
}


ngx_int_t
ngx_mesh_relay_window_id(mesh_redis_reply_t *reply,
    ngx_mesh_relay_entry_id_t *id)
{
    ngx_mesh_relay_fields_t  fields;

    return ngx_mesh_relay_entry_parse(reply, id, &fields);
}


ngx_mesh_relay_entry_t *
ngx_mesh_relay_window_next(ngx_mesh_relay_queue_t *queue)
{
    ngx_queue_t            *q;
    ngx_rbtree_node_t      *node;
    ngx_mesh_relay_lane_t  *lane;

    if (queue->ready.root == &queue->ready_sentinel) {
        return NULL;
    }

    node = ngx_rbtree_min(queue->ready.root, &queue->ready_sentinel);
    lane = ngx_rbtree_data(node, ngx_mesh_relay_lane_t, node);

    q = ngx_queue_head(&lane->ready);

    return ngx_queue_data(q, ngx_mesh_relay_entry_t, link);
}


static ngx_mesh_relay_entry_t *
ngx_mesh_relay_entry_find(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id)
{
    ngx_int_t                rc;
    ngx_rbtree_node_t       *node;
    ngx_mesh_relay_entry_t  *entry;

    node = queue->entries.root;

    while (node != &queue->entries_sentinel) {

        entry = ngx_rbtree_data(node, ngx_mesh_relay_entry_t, node);
        rc = ngx_mesh_relay_id_cmp(id, &entry->id);

        if (rc == 0) {
            return entry;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_mesh_relay_entry_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t       **p;
    ngx_mesh_relay_entry_t   *entry, *other;

    entry = ngx_rbtree_data(node, ngx_mesh_relay_entry_t, node);

    for ( ;; ) {

        other = ngx_rbtree_data(temp, ngx_mesh_relay_entry_t, node);

        p = (ngx_mesh_relay_id_cmp(&entry->id, &other->id) < 0)
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* { id, { name, value, ... } }; an entry that was deleted has no fields */

static ngx_int_t
ngx_mesh_relay_entry_parse(mesh_redis_reply_t *reply,
    ngx_mesh_relay_entry_id_t *id, ngx_mesh_relay_fields_t *fields)
{
    off_t                ms, seq;
    u_char              *p, *last;
    ngx_str_t           *text;
    ngx_uint_t           i;
    mesh_redis_reply_t  *elt;

    ngx_memzero(fields, sizeof(ngx_mesh_relay_fields_t));

    if (reply->kind != MESH_REDIS_ARRAY
        || reply->nelts != 2
        || reply->elts[0].kind != MESH_REDIS_STRING)
    {
        return NGX_ERROR;
    }

    text = &reply->elts[0].str;
    last = text->data + text->len;
    p = ngx_strlchr(text->data, last, '-');

    if (p == NULL) {
        return NGX_ERROR;
    }

    ms = ngx_atoof(text->data, p - text->data);
    seq = ngx_atoof(p + 1, last - p - 1);

    if (ms == NGX_ERROR || seq == NGX_ERROR) {
        return NGX_ERROR;
    }

    id->ms = (uint64_t) ms;
    id->seq = (uint64_t) seq;

    if (reply->elts[1].kind != MESH_REDIS_ARRAY) {
        return NGX_OK;
    }

    elt = reply->elts[1].elts;

    for (i = 0; i + 1 < reply->elts[1].nelts; i += 2) {

        if (elt[i].kind != MESH_REDIS_STRING
            || elt[i + 1].kind != MESH_REDIS_STRING
            || elt[i].str.len != 1)
        {
            continue;
        }

        if (elt[i].str.data[0] == 's') {
            fields->session = elt[i + 1].str;

        } else if (elt[i].str.data[0] == 'r') {
            fields->relay = elt[i + 1].str;

        } else if (elt[i].str.data[0] == 'd') {
            fields->doubt = elt[i + 1].str;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_entry_create(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id, ngx_mesh_relay_lane_t *lane,
    ngx_str_t *relay, ngx_uint_t fresh, ngx_mesh_relay_doubt_t *doubt)
{
    u_char                  *p;
    int64_t                  height;
    ngx_mesh_relay_entry_t  *entry;

    if (ngx_mesh_relay_relay_height(relay, &height) != NGX_OK) {
        ngx_mesh_relay_lane_release(lane);
        return ngx_mesh_relay_entry_foreign(queue, id);
    }

    entry = ngx_alloc(sizeof(ngx_mesh_relay_entry_t) + relay->len,
                      ngx_cycle->log);
    if (entry == NULL) {
        ngx_mesh_relay_lane_release(lane);
        return NGX_ERROR;
    }

    ngx_memzero(entry, sizeof(ngx_mesh_relay_entry_t));

    p = (u_char *) entry + sizeof(ngx_mesh_relay_entry_t);

    ngx_memcpy(p, relay->data, relay->len);

    entry->relay.data = p;
    entry->relay.len = relay->len;
    entry->id = *id;
    entry->lane = lane;
    entry->height = height;
    entry->fresh = fresh;

    ngx_rbtree_insert(&queue->entries, &entry->node);

    lane->entries++;
    queue->count++;
    queue->size += relay->len;

    ngx_mesh_relay_entry_order(entry);

    if (doubt) {
        entry->since = doubt->since;
        entry->cleared = doubt->cleared;

        ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_DOUBT);
        ngx_mesh_relay_node_want_check(queue->mcf, queue->node);
    }

    return NGX_OK;
}


/*
 * An entry that Redis lost and got again, or whose reading it lost, may be at
 * the node though it says it is new.
 */

static ngx_uint_t
ngx_mesh_relay_entry_doubtful(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id, ngx_str_t *mark, ngx_uint_t new,
    ngx_mesh_relay_doubt_t *doubt)
{
    ngx_msec_t  since;
    ngx_uint_t  found;

    found = 0;
    doubt->cleared = 0;

    if (new && ngx_mesh_relay_id_cmp(id, &queue->last) <= 0) {
        doubt->since = queue->changed;
        found = 1;
    }

    if (mark->len) {

        /* by a clock that is not ours it begins now */

        if (ngx_mesh_relay_store_moment_read(queue->mcf, mark, &since)
            != NGX_OK)
        {
            since = ngx_current_msec;
        }

        if (!found || ngx_mesh_relay_after(since, doubt->since)) {
            doubt->since = since;
        }

        found = 1;
    }

    if (found
        && queue->proof
        && ngx_mesh_relay_after(queue->proven, doubt->since))
    {
        doubt->since = queue->proven_end;
        doubt->cleared = 1;
    }

    return found;
}


/* never recorded by the scripts: out of the way, and not in the ledger */

static ngx_int_t
ngx_mesh_relay_entry_foreign(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_id_t *id)
{
    ngx_mesh_relay_entry_t  *entry;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "entry %uL-%uL of stream \"%V\" is no recorded relay",
                  id->ms, id->seq, &queue->keys->relays);

    entry = ngx_calloc(sizeof(ngx_mesh_relay_entry_t), ngx_cycle->log);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    entry->id = *id;
    entry->state = NGX_MESH_RELAY_ENTRY_DONE;
    entry->outcome = NGX_MESH_RELAY_FOREIGN;

    ngx_rbtree_insert(&queue->entries, &entry->node);
    ngx_queue_insert_tail(&queue->done, &entry->link);
    queue->ndone++;

    return NGX_OK;
}


/* new ones belong to the tail, those that come back further to the front */

static void
ngx_mesh_relay_entry_order(ngx_mesh_relay_entry_t *entry)
{
    ngx_queue_t             *q;
    ngx_mesh_relay_lane_t   *lane;
    ngx_mesh_relay_entry_t  *other;

    lane = entry->lane;

    for (q = ngx_queue_last(&lane->ready);
         q != ngx_queue_sentinel(&lane->ready);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_mesh_relay_entry_t, link);

        if (ngx_mesh_relay_id_cmp(&other->id, &entry->id) < 0) {
            break;
        }
    }

    ngx_queue_insert_after(q, &entry->link);

    if (!lane->listed) {
        lane->listed = 1;
        lane->node.key = (ngx_rbtree_key_t) lane->key.height;
        ngx_rbtree_insert(&lane->queue->ready, &lane->node);
    }
}


static void
ngx_mesh_relay_entry_unlink(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    ngx_mesh_relay_lane_t  *lane;

    ngx_queue_remove(&entry->link);

    switch (entry->state) {

    case NGX_MESH_RELAY_ENTRY_READY:

        lane = entry->lane;

        if (ngx_queue_empty(&lane->ready)) {
            lane->listed = 0;
            ngx_rbtree_delete(&queue->ready, &lane->node);
        }

        break;

    case NGX_MESH_RELAY_ENTRY_FLIGHT:
        queue->nflights--;
        break;

    case NGX_MESH_RELAY_ENTRY_DONE:
        queue->ndone--;
        break;

    default:
        break;
    }
}


void
ngx_mesh_relay_entry_set(ngx_mesh_relay_entry_t *entry,
    ngx_mesh_relay_entry_e state)
{
    ngx_mesh_relay_queue_t  *queue;

    queue = entry->lane->queue;

    ngx_mesh_relay_entry_unlink(queue, entry);

    entry->state = state;

    switch (state) {

    case NGX_MESH_RELAY_ENTRY_READY:
        ngx_mesh_relay_entry_order(entry);
        break;

    case NGX_MESH_RELAY_ENTRY_FLIGHT:
        ngx_queue_insert_tail(&queue->flights, &entry->link);
        queue->nflights++;
        break;

    case NGX_MESH_RELAY_ENTRY_DOUBT:
        ngx_queue_insert_tail(&queue->doubts, &entry->link);
        break;

    case NGX_MESH_RELAY_ENTRY_DONE:
        ngx_queue_insert_tail(&queue->done, &entry->link);
        queue->ndone++;
        break;
    }
}


void
ngx_mesh_relay_entry_done(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, ngx_mesh_relay_outcome_e outcome,
    ngx_uint_t code)
{
    entry->outcome = outcome;
    entry->code = code;

    queue->count--;
    queue->size -= entry->relay.len;

    ngx_mesh_relay_entry_set(entry, NGX_MESH_RELAY_ENTRY_DONE);
}


void
ngx_mesh_relay_entry_expire(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    if (ngx_mesh_relay_queue_log(queue)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "a relay of session \"%V\" was not delivered to "
                      "full node \"%V\" before its claim",
                      &entry->lane->sn.str, &queue->node->name);
    }

    ngx_mesh_relay_entry_done(queue, entry, NGX_MESH_RELAY_EXPIRED, 0);
}


void
ngx_mesh_relay_entry_free(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry)
{
    ngx_mesh_relay_lane_t  *lane;

    lane = entry->lane;

    ngx_mesh_relay_entry_unlink(queue, entry);
    ngx_rbtree_delete(&queue->entries, &entry->node);

    if (entry->state != NGX_MESH_RELAY_ENTRY_DONE) {
        queue->count--;
        queue->size -= entry->relay.len;
    }

    ngx_free(entry);

    if (lane) {
        lane->entries--;
        ngx_mesh_relay_lane_release(lane);
    }
}


void
ngx_mesh_relay_entry_id(ngx_mesh_relay_entry_id_t *id, ngx_str_t *text,
    u_char *buf)
{
    text->data = buf;
    text->len = ngx_sprintf(buf, "%uL-%uL", id->ms, id->seq) - buf;
}


/*
 * The text is canonical: inside of strings every quote has a backslash, so
 * this can be the member only.  It is near the end, where the proof is.
 */

static ngx_int_t
ngx_mesh_relay_relay_height(ngx_str_t *relay, int64_t *height)
{
    off_t       n;
    size_t      len;
    u_char     *p, *digits, *last;
    ngx_uint_t  negative;

    static const char  member[] = "},\"meta\":{\"block_height\":";

    len = sizeof(member) - 1;

    if (relay->len <= len) {
        return NGX_ERROR;
    }

    last = relay->data + relay->len;

    for (p = last - len - 1; p >= relay->data; p--) {

        if (*p != '}' || ngx_memcmp(p, member, len) != 0) {
            continue;
        }

        digits = p + len;
        negative = (*digits == '-');
        digits += negative;

        p = ngx_strlchr(digits, last, '}');

        if (p == NULL) {
            return NGX_ERROR;
        }

        n = ngx_atoof(digits, p - digits);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *height = negative ? -n : n;

        return NGX_OK;
    }

    return NGX_ERROR;
}
