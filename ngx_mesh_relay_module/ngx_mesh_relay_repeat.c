
/*
 * The records of the last 3 s, and making them again.
 *
 * A record is in one of three lists, each in order of time: kept (acknowledged
 * by the server of now), again (by another one), sent (again, not answered).
 * They come and go in order, so their memory is that of blocks, which are
 * freed with their last record: single ones would leave holes in the heap.
 */


#include "ngx_mesh_relay_notify.h"
#include "ngx_mesh_relay_repeat.h"


#define NGX_MESH_RELAY_REPEAT_BLOCK   (256 * 1024)
#define NGX_MESH_RELAY_REPEAT_BATCH   256     /* commands at once */
#define NGX_MESH_RELAY_REPEAT_CHECK   1000    /* ms, of the server */
#define NGX_MESH_RELAY_REPEAT_LEAVE   250     /* ms, the same in a quit */
#define NGX_MESH_RELAY_REPEAT_RETRY   200     /* ms, after a refusal */
#define NGX_MESH_RELAY_REPEAT_WARN    60      /* s, between two warnings */


typedef struct {
    u_char                      *pos;         /* free from here */
    u_char                      *end;
    ngx_uint_t                   count;       /* records in it */
} ngx_mesh_relay_block_t;


typedef struct {
    ngx_queue_t                  link;
    ngx_mesh_relay_block_t      *block;
    ngx_mesh_relay_main_conf_t  *mcf;
    ngx_mesh_relay_node_t       *node;
    ngx_msec_t                   at;          /* it was acknowledged */
    uint64_t                     time;        /* wall clock ms, recorded */
    int64_t                      height;
    ngx_str_t                    relay;       /* behind the struct */
    ngx_str_t                    id;
    u_char                       proof_hash[POCKET_HASH_LEN];
    u_char                       attempt[NGX_MESH_RELAY_ATTEMPT_LEN];
} ngx_mesh_relay_kept_t;


struct ngx_mesh_relay_repeat_s {
    ngx_queue_t                  kept;
    ngx_queue_t                  again;
    ngx_queue_t                  sent;
    ngx_uint_t                   count;       /* of all */
    size_t                       size;
    ngx_uint_t                   nsent;

    ngx_mesh_relay_block_t      *block;       /* of the next record */
    ngx_mesh_relay_block_t      *spare;

    ngx_event_t                  timer;       /* set while count is not 0 */
    ngx_msec_t                   asked;       /* the check under way */
    ngx_msec_t                   last;        /* record, or begin of a quit */
    ngx_mesh_relay_server_t      server;

    ngx_uint_t                   repeated;    /* since it changed */
    ngx_uint_t                   lost;        /* those Redis did not know */
    ngx_uint_t                   dropped;     /* since the last warning */
    time_t                       warned;
    unsigned                     checking:1;
    unsigned                     leaving:1;   /* the worker quits */
};


static ngx_mesh_relay_kept_t *ngx_mesh_relay_kept_alloc(
    ngx_mesh_relay_repeat_t *repeat, size_t size);
static ngx_mesh_relay_block_t *ngx_mesh_relay_block_get(
    ngx_mesh_relay_repeat_t *repeat, size_t size);
static void ngx_mesh_relay_block_put(ngx_mesh_relay_repeat_t *repeat,
    ngx_mesh_relay_block_t *block);
static size_t ngx_mesh_relay_kept_size(ngx_mesh_relay_kept_t *kept);
static void ngx_mesh_relay_kept_free(ngx_mesh_relay_repeat_t *repeat,
    ngx_mesh_relay_kept_t *kept);
static void ngx_mesh_relay_repeat_prune(ngx_mesh_relay_repeat_t *repeat,
    ngx_msec_t heard);
static void ngx_mesh_relay_repeat_drop(ngx_mesh_relay_repeat_t *repeat);
static void ngx_mesh_relay_repeat_timer(ngx_event_t *ev);
static ngx_uint_t ngx_mesh_relay_repeat_leave(
    ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_repeat_ask(ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_repeat_heard(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static ngx_uint_t ngx_mesh_relay_repeat_same(
    ngx_mesh_relay_main_conf_t *mcf, mesh_redis_reply_t *reply);
static ngx_int_t ngx_mesh_relay_repeat_one(ngx_mesh_relay_kept_t *kept);
static void ngx_mesh_relay_repeat_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_repeat_answered(ngx_mesh_relay_kept_t *kept,
    mesh_redis_reply_t *reply);
static void ngx_mesh_relay_repeat_end(ngx_mesh_relay_main_conf_t *mcf);


ngx_uint_t
ngx_mesh_relay_server_changed(ngx_mesh_relay_server_t *server,
    mesh_redis_t *redis)
{
    u_char                   *p;
    ngx_str_t                *id;
    ngx_uint_t                changed;
    ngx_mesh_relay_server_t   now;

    id = mesh_redis_run_id(redis);
    p = ngx_cpymem(now.ids, id->data, id->len);

    id = mesh_redis_replication_id(redis);
    p = ngx_cpymem(p, id->data, id->len);

    now.len = p - now.ids;

    changed = server->len
              && (server->len != now.len
                  || ngx_memcmp(server->ids, now.ids, now.len) != 0);

    *server = now;

    return changed;
}


ngx_int_t
ngx_mesh_relay_repeat_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_event_t              *ev;
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_repeat_t));
    if (repeat == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&repeat->kept);
    ngx_queue_init(&repeat->again);
    ngx_queue_init(&repeat->sent);

    ev = &repeat->timer;

    ev->handler = ngx_mesh_relay_repeat_timer;
    ev->data = mcf;
    ev->log = cycle->log;

    mcf->store->repeat = repeat;

    return NGX_OK;
}


void
ngx_mesh_relay_repeat_exit(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_queue_t              *q, *list[3];
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    if (repeat->timer.timer_set) {
        ngx_del_timer(&repeat->timer);
    }

    list[0] = &repeat->kept;
    list[1] = &repeat->again;
    list[2] = &repeat->sent;

    for (i = 0; i < 3; i++) {

        while (!ngx_queue_empty(list[i])) {
            q = ngx_queue_head(list[i]);
            ngx_mesh_relay_kept_free(repeat,
                            ngx_queue_data(q, ngx_mesh_relay_kept_t, link));
        }
    }

    if (repeat->block) {
        ngx_free(repeat->block);
        repeat->block = NULL;
    }

    if (repeat->spare) {
        ngx_free(repeat->spare);
        repeat->spare = NULL;
    }
}


void
ngx_mesh_relay_repeat_keep(ngx_mesh_relay_record_t *rec)
{
    u_char                   *p;
    size_t                    size;
    ngx_queue_t              *q;
    ngx_mesh_relay_kept_t    *kept;
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = rec->mcf->store->repeat;

    size = sizeof(ngx_mesh_relay_kept_t) + rec->relay.len + rec->key->id.len;

    if (size > NGX_MESH_RELAY_REPEAT_SIZE) {
        ngx_mesh_relay_repeat_drop(repeat);
        return;
    }

    while (!ngx_queue_empty(&repeat->kept)
           && (repeat->count >= NGX_MESH_RELAY_REPEAT_MAX
               || repeat->size > NGX_MESH_RELAY_REPEAT_SIZE - size))
    {
        q = ngx_queue_head(&repeat->kept);
        ngx_mesh_relay_kept_free(repeat,
                            ngx_queue_data(q, ngx_mesh_relay_kept_t, link));
        ngx_mesh_relay_repeat_drop(repeat);
    }

    kept = ngx_mesh_relay_kept_alloc(repeat, size);
    if (kept == NULL) {
        ngx_mesh_relay_repeat_drop(repeat);
        return;
    }

    p = (u_char *) kept + sizeof(ngx_mesh_relay_kept_t);

    kept->mcf = rec->mcf;
    kept->node = rec->key->servicer->node;
    kept->at = ngx_current_msec;
    kept->time = rec->time;
    kept->height = rec->key->height;

    kept->relay.data = p;
    kept->relay.len = rec->relay.len;
    p = ngx_cpymem(p, rec->relay.data, rec->relay.len);

    kept->id.data = p;
    kept->id.len = rec->key->id.len;
    ngx_memcpy(p, rec->key->id.data, rec->key->id.len);

    ngx_memcpy(kept->proof_hash, rec->proof_hash, POCKET_HASH_LEN);
    ngx_memcpy(kept->attempt, rec->attempt, NGX_MESH_RELAY_ATTEMPT_LEN);

    ngx_queue_insert_tail(&repeat->kept, &kept->link);
    repeat->count++;
    repeat->size += size;
    repeat->last = ngx_current_msec;

    if (!repeat->timer.timer_set) {
        ngx_add_timer(&repeat->timer, NGX_MESH_RELAY_REPEAT_CHECK);
    }
}


static ngx_mesh_relay_kept_t *
ngx_mesh_relay_kept_alloc(ngx_mesh_relay_repeat_t *repeat, size_t size)
{
    ngx_mesh_relay_kept_t   *kept;
    ngx_mesh_relay_block_t  *block;

    size = ngx_align(size, NGX_ALIGNMENT);
    block = repeat->block;

    if (block == NULL || (size_t) (block->end - block->pos) < size) {

        block = ngx_mesh_relay_block_get(repeat, size);
        if (block == NULL) {
            return NULL;
        }

        if (repeat->block && repeat->block->count == 0) {
            ngx_mesh_relay_block_put(repeat, repeat->block);
        }

        repeat->block = block;
    }

    kept = (ngx_mesh_relay_kept_t *) block->pos;
    kept->block = block;

    block->pos += size;
    block->count++;

    return kept;
}


static ngx_mesh_relay_block_t *
ngx_mesh_relay_block_get(ngx_mesh_relay_repeat_t *repeat, size_t size)
{
    ngx_mesh_relay_block_t  *block;

    size += sizeof(ngx_mesh_relay_block_t) + NGX_ALIGNMENT;

    if (size <= NGX_MESH_RELAY_REPEAT_BLOCK && repeat->spare) {
        block = repeat->spare;
        repeat->spare = NULL;

    } else {
        size = ngx_max(size, NGX_MESH_RELAY_REPEAT_BLOCK);

        block = ngx_alloc(size, ngx_cycle->log);
        if (block == NULL) {
            return NULL;
        }

        block->end = (u_char *) block + size;
    }

    block->pos = ngx_align_ptr((u_char *) block
                               + sizeof(ngx_mesh_relay_block_t),
                               NGX_ALIGNMENT);
    block->count = 0;

    return block;
}


static void
ngx_mesh_relay_block_put(ngx_mesh_relay_repeat_t *repeat,
    ngx_mesh_relay_block_t *block)
{
    if (repeat->spare == NULL
        && block->end - (u_char *) block == NGX_MESH_RELAY_REPEAT_BLOCK)
    {
        repeat->spare = block;
        return;
    }

    ngx_free(block);
}


static size_t
ngx_mesh_relay_kept_size(ngx_mesh_relay_kept_t *kept)
{
    return sizeof(ngx_mesh_relay_kept_t) + kept->relay.len + kept->id.len;
}


static void
ngx_mesh_relay_kept_free(ngx_mesh_relay_repeat_t *repeat,
    ngx_mesh_relay_kept_t *kept)
{
    ngx_mesh_relay_block_t  *block;

    ngx_queue_remove(&kept->link);

    repeat->count--;
    repeat->size -= ngx_mesh_relay_kept_size(kept);

    block = kept->block;
    block->count--;

    if (block->count == 0 && block != repeat->block) {
        ngx_mesh_relay_block_put(repeat, block);
    }
}


static void
ngx_mesh_relay_repeat_prune(ngx_mesh_relay_repeat_t *repeat, ngx_msec_t heard)
{
    ngx_queue_t            *q;
    ngx_mesh_relay_kept_t  *kept;

    while (!ngx_queue_empty(&repeat->kept)) {
        q = ngx_queue_head(&repeat->kept);
        kept = ngx_queue_data(q, ngx_mesh_relay_kept_t, link);

        if ((ngx_msec_int_t) (heard - kept->at) < NGX_MESH_RELAY_REPEAT_KEEP) {
            break;
        }

        ngx_mesh_relay_kept_free(repeat, kept);
    }
}


static void
ngx_mesh_relay_repeat_drop(ngx_mesh_relay_repeat_t *repeat)
{
    repeat->dropped++;

    if (repeat->warned
        && ngx_time() - repeat->warned < NGX_MESH_RELAY_REPEAT_WARN)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "%ui records of the last %ds do not fit into %d records "
                  "and %d bytes, they are not repeated if redis loses them",
                  repeat->dropped, NGX_MESH_RELAY_REPEAT_KEEP / 1000,
                  NGX_MESH_RELAY_REPEAT_MAX, NGX_MESH_RELAY_REPEAT_SIZE);

    repeat->dropped = 0;
    repeat->warned = ngx_time();
}


static void
ngx_mesh_relay_repeat_timer(ngx_event_t *ev)
{
    ngx_mesh_relay_main_conf_t *mcf = ev->data;

    ngx_msec_t                wait;
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;
    wait = NGX_MESH_RELAY_REPEAT_CHECK;

    if (repeat->count == 0 || ngx_terminate) {
        return;
    }

    if (ngx_exiting) {

        if (ngx_mesh_relay_repeat_leave(mcf)) {
            return;
        }

        wait = NGX_MESH_RELAY_REPEAT_LEAVE;
    }

    ngx_add_timer(ev, wait);

    if (ngx_mesh_relay_repeat_busy(mcf)) {
        ngx_mesh_relay_repeat_send(mcf);
        return;
    }

    ngx_mesh_relay_repeat_ask(mcf);
}


/*
 * The worker quits: nobody else has these records, so it stays until they are
 * old enough, and connects for them; but not much longer.
 */

static ngx_uint_t
ngx_mesh_relay_repeat_leave(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    if (!repeat->leaving) {
        repeat->leaving = 1;
        repeat->last = ngx_current_msec;
    }

    if (ngx_current_msec - repeat->last < 2 * NGX_MESH_RELAY_REPEAT_KEEP) {
        mesh_redis_hurry(mcf->redis, NGX_MESH_RELAY_REPEAT_KEEP);
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "the worker ends with %ui records of the last %ds, they "
                  "are not repeated if redis \"%V\" has lost them",
                  repeat->count, NGX_MESH_RELAY_REPEAT_KEEP / 1000,
                  &mcf->mesh.redis->name);

    return 1;
}


/*
 * Redis has to say that it is still alive, and the one that it was: a master
 * may become a replica and a master again while its connections live on.
 */

static void
ngx_mesh_relay_repeat_ask(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_repeat_t  *repeat;

    static ngx_str_t  argv[] = {
        ngx_string("INFO"), ngx_string("replication")
    };

    repeat = mcf->store->repeat;

    if (!repeat->checking
        && mesh_redis_command(mcf->redis, 2, argv,
                              ngx_mesh_relay_repeat_heard, mcf, NULL)
           == NGX_OK)
    {
        repeat->checking = 1;
        repeat->asked = ngx_current_msec;
    }
}


static void
ngx_mesh_relay_repeat_heard(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_main_conf_t *mcf = data;

    ngx_mesh_relay_repeat_t  *repeat;

    static ngx_str_t  reason = ngx_string("its data were replaced");

    repeat = mcf->store->repeat;
    repeat->checking = 0;

    if (outcome != MESH_REDIS_ANSWERED) {
        return;
    }

    if (!ngx_mesh_relay_repeat_same(mcf, reply)) {
        mesh_redis_renew(mcf->redis, &reason);
        return;
    }

    ngx_mesh_relay_repeat_prune(repeat, repeat->asked);

    /* it would hold a worker that quits */

    if (repeat->count == 0 && repeat->timer.timer_set) {
        ngx_del_timer(&repeat->timer);
    }
}


/*
 * Does INFO still name the replication id that the connection began with?  A
 * master that has become a replica keeps its own until it has been emptied.
 */

static ngx_uint_t
ngx_mesh_relay_repeat_same(ngx_mesh_relay_main_conf_t *mcf,
    mesh_redis_reply_t *reply)
{
    u_char     *p, *last;
    ngx_str_t  *id;

    static ngx_str_t  name = ngx_string("master_replid:");
    static ngx_str_t  replica = ngx_string("slave_read_only:1");

    if (reply->kind != MESH_REDIS_STRING) {
        return 0;
    }

    id = mesh_redis_replication_id(mcf->redis);
    last = reply->str.data + reply->str.len;

    if (ngx_strlcasestrn(reply->str.data, last, replica.data, replica.len - 1))
    {
        return 0;
    }

    p = ngx_strlcasestrn(reply->str.data, last, name.data, name.len - 1);

    return p
           && (size_t) (last - p) >= name.len + id->len
           && ngx_memcmp(p + name.len, id->data, id->len) == 0;
}


ngx_uint_t
ngx_mesh_relay_repeat_busy(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    return !ngx_queue_empty(&repeat->again) || !ngx_queue_empty(&repeat->sent);
}


void
ngx_mesh_relay_repeat_connected(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    if (!ngx_mesh_relay_server_changed(&repeat->server, mcf->redis)
        || ngx_queue_empty(&repeat->kept))
    {
        return;
    }

    if (ngx_queue_empty(&repeat->again)) {
        repeat->repeated = 0;
        repeat->lost = 0;
    }

    /* those left of an earlier change are the older ones */

    ngx_queue_add(&repeat->again, &repeat->kept);
    ngx_queue_init(&repeat->kept);
}


void
ngx_mesh_relay_repeat_send(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_queue_t              *q;
    ngx_mesh_relay_kept_t    *kept;
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    if (mcf->store->closed) {
        return;
    }

    while (!ngx_queue_empty(&repeat->again)
           && repeat->nsent < NGX_MESH_RELAY_REPEAT_BATCH)
    {
        q = ngx_queue_head(&repeat->again);
        kept = ngx_queue_data(q, ngx_mesh_relay_kept_t, link);

        if (ngx_mesh_relay_repeat_one(kept) != NGX_OK) {
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&repeat->sent, q);
        repeat->nsent++;
    }

    /* a connection that is lost comes back, and sends the rest then */

    if (!ngx_queue_empty(&repeat->again)
        && repeat->nsent == 0
        && mesh_redis_state(mcf->redis) == MESH_REDIS_READY)
    {
        ngx_add_timer(&repeat->timer, NGX_MESH_RELAY_REPEAT_RETRY);
    }
}


static ngx_int_t
ngx_mesh_relay_repeat_one(ngx_mesh_relay_kept_t *kept)
{
    ngx_mesh_relay_script_record_t  in;

    in.node = kept->node;
    in.id = kept->id;
    in.height = kept->height;
    in.proof_hash = kept->proof_hash;
    in.attempt = kept->attempt;
    in.relay = kept->relay;
    in.time = kept->time;
    in.resent = 0;
    in.again = 1;

    return ngx_mesh_relay_script_record(kept->mcf, &in,
                                        ngx_mesh_relay_repeat_answer, kept,
                                        NULL);
}


static void
ngx_mesh_relay_repeat_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_kept_t *kept = data;

    ngx_mesh_relay_repeat_t     *repeat;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = kept->mcf;
    repeat = mcf->store->repeat;

    repeat->nsent--;

    switch (outcome) {

    case MESH_REDIS_ANSWERED:
        ngx_mesh_relay_repeat_answered(kept, reply);
        break;

    case MESH_REDIS_FAILED:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "redis \"%V\" did not record a relay of session \"%V\" "
                      "again: %V", &mcf->mesh.redis->name, &kept->id,
                      &reply->str);

        ngx_mesh_relay_kept_free(repeat, kept);
        break;

    default:
        ngx_queue_remove(&kept->link);
        ngx_queue_insert_tail(&repeat->again, &kept->link);

        if (repeat->nsent == 0
            && mesh_redis_state(mcf->redis) == MESH_REDIS_READY)
        {
            ngx_add_timer(&repeat->timer, NGX_MESH_RELAY_REPEAT_RETRY);
        }

        return;
    }

    ngx_mesh_relay_repeat_end(mcf);
}


static void
ngx_mesh_relay_repeat_answered(ngx_mesh_relay_kept_t *kept,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = kept->mcf->store->repeat;

    repeat->repeated++;

    if (reply->kind == MESH_REDIS_ARRAY && reply->nelts == 3) {
        repeat->lost++;

        ngx_mesh_relay_notify_wake(kept->mcf, kept->node, kept->relay.len);
    }

    /* by this server it was acknowledged just now */

    kept->at = ngx_current_msec;

    ngx_queue_remove(&kept->link);
    ngx_queue_insert_tail(&repeat->kept, &kept->link);
}


static void
ngx_mesh_relay_repeat_end(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_repeat_t  *repeat;

    repeat = mcf->store->repeat;

    if (ngx_mesh_relay_repeat_busy(mcf)) {
        ngx_mesh_relay_repeat_send(mcf);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "redis \"%V\" was restarted or replaced: %ui records of "
                  "the last %ds were repeated, it had lost %ui of them",
                  &mcf->mesh.redis->name, repeat->repeated,
                  NGX_MESH_RELAY_REPEAT_KEEP / 1000, repeat->lost);

    if (!repeat->timer.timer_set) {
        ngx_add_timer(&repeat->timer, NGX_MESH_RELAY_REPEAT_CHECK);
    }

    ngx_mesh_relay_store_wake(mcf);
}
