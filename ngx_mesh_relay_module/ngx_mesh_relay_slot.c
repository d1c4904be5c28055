
/*
 * Slots.  A consumer of the streams is an edge's name and the number of one of
 * its workers, and no process: so it outlives them.  Who acts for it holds its
 * lease in Redis, and stops by its own clock before others may take it over.
 */


#include "ngx_mesh_relay_notify.h"
#include "ngx_mesh_relay_repeat.h"

#include <sodium.h>


#define NGX_MESH_RELAY_TOKEN        8          /* random bytes */
#define NGX_MESH_RELAY_TAKE_AGAIN   150        /* ms */
#define NGX_MESH_RELAY_LEAVE_TRY    5000       /* to settle at the end */
#define NGX_MESH_RELAY_LET_GO_KEEP  "604800000"

/* "doubt:" or "until:", and a moment */
#define NGX_MESH_RELAY_LET_GO_HEAD  (sizeof("doubt:") - 1)
#define NGX_MESH_RELAY_LET_GO_LEN                                             \
    (NGX_MESH_RELAY_LET_GO_HEAD + NGX_MESH_RELAY_MOMENT_LEN)


typedef enum {
    NGX_MESH_RELAY_SLOT_WAITING = 0,           /* another's, or not asked */
    NGX_MESH_RELAY_SLOT_OWNED,
    NGX_MESH_RELAY_SLOT_RELEASING,
    NGX_MESH_RELAY_SLOT_OVER
} ngx_mesh_relay_slot_e;


struct ngx_mesh_relay_slot_s {
    ngx_mesh_relay_notify_t  *notify;
    ngx_mesh_relay_slot_e     state;
    ngx_str_t                 token;
    ngx_msec_t                issued;          /* of the command pending */
    ngx_msec_t                until;           /* it is ours, at least */
    ngx_msec_t                next;            /* command */
    ngx_msec_t                begun;           /* waiting, or leaving */
    ngx_mesh_relay_server_t   server;
    unsigned                  pending:1;
    unsigned                  verify:1;        /* renew before all else */
    unsigned                  cut:1;           /* sendings, when it was lost */
    unsigned                  leaving:1;
    unsigned                  warned:1;
    u_char                    text[2 * NGX_MESH_RELAY_TOKEN];
};


static void ngx_mesh_relay_slot_ask(ngx_mesh_relay_slot_t *slot);
static void ngx_mesh_relay_slot_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_slot_renewed(ngx_mesh_relay_slot_t *slot,
    int64_t rc);
static void ngx_mesh_relay_slot_taken(ngx_mesh_relay_slot_t *slot,
    mesh_redis_reply_t *reply);
static ngx_uint_t ngx_mesh_relay_slot_cut(ngx_mesh_relay_slot_t *slot,
    ngx_mesh_relay_doubt_t *doubt);
static size_t ngx_mesh_relay_slot_let_go(ngx_mesh_relay_main_conf_t *mcf,
    u_char *text, ngx_mesh_relay_doubt_t *doubt);
static void ngx_mesh_relay_slot_lose(ngx_mesh_relay_slot_t *slot);
static void ngx_mesh_relay_slot_leave(ngx_mesh_relay_slot_t *slot);
static void ngx_mesh_relay_slot_released(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_slot_warn(ngx_mesh_relay_slot_t *slot);
static void ngx_mesh_relay_slot_key(ngx_mesh_relay_notify_t *notify,
    ngx_uint_t n, ngx_str_t *key, u_char *buf);


ngx_int_t
ngx_mesh_relay_slot_init(ngx_cycle_t *cycle, ngx_mesh_relay_notify_t *notify)
{
    u_char                  bytes[NGX_MESH_RELAY_TOKEN];
    ngx_mesh_relay_slot_t  *slot;

    slot = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_slot_t));
    if (slot == NULL) {
        return NGX_ERROR;
    }

    randombytes_buf(bytes, NGX_MESH_RELAY_TOKEN);
    ngx_hex_dump(slot->text, bytes, NGX_MESH_RELAY_TOKEN);

    slot->notify = notify;
    slot->token.data = slot->text;
    slot->token.len = sizeof(slot->text);
    slot->next = ngx_current_msec;
    slot->begun = ngx_current_msec;

    notify->slot = slot;

    return NGX_OK;
}


ngx_uint_t
ngx_mesh_relay_slot_owned(ngx_mesh_relay_notify_t *notify)
{
    ngx_mesh_relay_slot_t  *slot;

    slot = notify->slot;

    return slot->state == NGX_MESH_RELAY_SLOT_OWNED
           && !slot->verify
           && ngx_mesh_relay_after(slot->until, ngx_current_msec);
}


ngx_uint_t
ngx_mesh_relay_slot_held(ngx_mesh_relay_notify_t *notify)
{
    return notify->slot->state == NGX_MESH_RELAY_SLOT_OWNED
           || notify->slot->state == NGX_MESH_RELAY_SLOT_RELEASING;
}


ngx_uint_t
ngx_mesh_relay_slot_over(ngx_mesh_relay_notify_t *notify)
{
    return notify->slot->state == NGX_MESH_RELAY_SLOT_OVER;
}


void
ngx_mesh_relay_slot_reconnected(ngx_mesh_relay_notify_t *notify)
{
    ngx_mesh_relay_slot_t  *slot;

    /*
     * It may be another server, or one that lost its last second: another
     * worker may have the lease there.
     */

    slot = notify->slot;

    if (ngx_mesh_relay_server_changed(&slot->server,
                                      notify->mcf->redis_stream))
    {
        /* what this worker knows may not be there, or as another entry */

        if (slot->state == NGX_MESH_RELAY_SLOT_OWNED) {
            slot->cut = 1;
        }

        ngx_mesh_relay_notify_changed(notify);
    }

    slot->verify = 1;
    slot->next = ngx_current_msec;
}


void
ngx_mesh_relay_slot_tick(ngx_mesh_relay_notify_t *notify)
{
    ngx_mesh_relay_slot_t  *slot;

    slot = notify->slot;

    if (slot->state == NGX_MESH_RELAY_SLOT_RELEASING
        || slot->state == NGX_MESH_RELAY_SLOT_OVER)
    {
        return;
    }

    if (slot->state == NGX_MESH_RELAY_SLOT_OWNED
        && !ngx_mesh_relay_after(slot->until, ngx_current_msec))
    {
        ngx_mesh_relay_slot_lose(slot);
    }

    if (ngx_exiting) {
        ngx_mesh_relay_slot_leave(slot);
        return;
    }

    if (slot->pending
        || ngx_mesh_relay_after(slot->next, ngx_current_msec))
    {
        return;
    }

    ngx_mesh_relay_slot_ask(slot);
}


static void
ngx_mesh_relay_slot_ask(ngx_mesh_relay_slot_t *slot)
{
    ngx_uint_t  take;

    take = (slot->state == NGX_MESH_RELAY_SLOT_WAITING);

    slot->issued = ngx_current_msec;
    slot->next = ngx_current_msec
                 + ngx_mesh_relay_jitter(NGX_MESH_RELAY_TAKE_AGAIN);

    if (ngx_mesh_relay_slot_lease(slot->notify, ngx_worker, take,
                                  ngx_mesh_relay_slot_answer, slot)
        == NGX_OK)
    {
        slot->pending = 1;
    }
}


static void
ngx_mesh_relay_slot_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_slot_t *slot = data;

    slot->pending = 0;

    if (outcome != MESH_REDIS_ANSWERED
        || (reply->kind != MESH_REDIS_INTEGER
            && reply->kind != MESH_REDIS_STRING))
    {
        return;
    }

    switch (slot->state) {

    case NGX_MESH_RELAY_SLOT_OWNED:
        ngx_mesh_relay_slot_renewed(slot, reply->integer);
        break;

    case NGX_MESH_RELAY_SLOT_WAITING:
        ngx_mesh_relay_slot_taken(slot, reply);
        break;

    default:
        break;
    }
}


static void
ngx_mesh_relay_slot_renewed(ngx_mesh_relay_slot_t *slot, int64_t rc)
{
    ngx_uint_t              cut;
    ngx_msec_t              lease;
    ngx_mesh_relay_doubt_t  doubt;

    if (rc == 0) {
        ngx_mesh_relay_slot_lose(slot);
        return;
    }

    lease = slot->notify->mcf->slot_lease;

    slot->until = slot->issued + lease - lease / 4;
    slot->next = slot->issued + lease / 3;

    if (slot->verify) {
        cut = ngx_mesh_relay_slot_cut(slot, &doubt);

        slot->verify = 0;
        slot->cut = 0;

        /* answers with entries for us may have been lost */

        ngx_mesh_relay_notify_owned(slot->notify, cut ? &doubt : NULL);
    }
}


static void
ngx_mesh_relay_slot_taken(ngx_mesh_relay_slot_t *slot,
    mesh_redis_reply_t *reply)
{
    ngx_int_t               rc;
    ngx_msec_t              lease;
    ngx_mesh_relay_doubt_t  doubt;

    if (reply->kind == MESH_REDIS_INTEGER && reply->integer == 0) {
        ngx_mesh_relay_slot_warn(slot);
        return;
    }

    lease = slot->notify->mcf->slot_lease;
    rc = ngx_mesh_relay_slot_doubt(slot->notify, reply, &doubt);

    /* what ended by itself leaves as much in doubt as what was cut */

    if ((reply->kind != MESH_REDIS_INTEGER || reply->integer != 3)
        && ngx_mesh_relay_slot_cut(slot, &doubt))
    {
        rc = NGX_OK;
    }

    slot->state = NGX_MESH_RELAY_SLOT_OWNED;
    slot->until = slot->issued + lease - lease / 4;
    slot->next = slot->issued + lease / 3;
    slot->verify = 0;
    slot->cut = 0;
    slot->warned = 0;

    /* a quit does not wait for a cancelable timer */

    slot->notify->timer.cancelable = 0;

    ngx_mesh_relay_notify_owned(slot->notify, rc == NGX_OK ? &doubt : NULL);
}


/* what was cut off is in doubt from now on, when nothing more is sent */

static ngx_uint_t
ngx_mesh_relay_slot_cut(ngx_mesh_relay_slot_t *slot,
    ngx_mesh_relay_doubt_t *doubt)
{
    if (slot->cut) {
        doubt->since = ngx_current_msec;
        doubt->cleared = 0;
    }

    return slot->cut;
}


/*
 * What the last owner told, or did not live to tell.  No wall clock has a say:
 * a step of it would end a doubt early.  That of Redis may have ended a lease
 * early: then its owner goes on, by its own clock, for as long as it had it.
 */

ngx_int_t
ngx_mesh_relay_slot_doubt(ngx_mesh_relay_notify_t *notify,
    mesh_redis_reply_t *reply, ngx_mesh_relay_doubt_t *doubt)
{
    ngx_str_t    moment;
    ngx_msec_t   lease;

    doubt->since = ngx_current_msec;
    doubt->cleared = 0;

    if (reply->kind == MESH_REDIS_INTEGER) {

        if (reply->integer == 2) {
            return NGX_DECLINED;
        }

        lease = notify->mcf->slot_lease;
        doubt->since += lease - lease / 4;

        return NGX_OK;
    }

    /* of another zone, or form: in doubt from now on */

    if (reply->str.len < NGX_MESH_RELAY_LET_GO_HEAD) {
        return NGX_OK;
    }

    moment.data = reply->str.data + NGX_MESH_RELAY_LET_GO_HEAD;
    moment.len = reply->str.len - NGX_MESH_RELAY_LET_GO_HEAD;

    if (ngx_mesh_relay_store_moment_read(notify->mcf, &moment, &doubt->since)
        == NGX_OK)
    {
        doubt->cleared = (reply->str.data[0] == 'u');
    }

    return NGX_OK;
}


static size_t
ngx_mesh_relay_slot_let_go(ngx_mesh_relay_main_conf_t *mcf, u_char *text,
    ngx_mesh_relay_doubt_t *doubt)
{
    u_char     *p;
    ngx_str_t   moment;

    p = ngx_sprintf(text, "%s:", doubt->cleared ? "until" : "doubt");

    ngx_mesh_relay_store_moment(mcf, doubt->since, &moment, p);

    return NGX_MESH_RELAY_LET_GO_HEAD + moment.len;
}


static void
ngx_mesh_relay_slot_lose(ngx_mesh_relay_slot_t *slot)
{
    ngx_mesh_relay_doubt_t  doubt;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "lease of slot \"%V\" was lost, notifications pause",
                  &slot->notify->consumer);

    slot->state = NGX_MESH_RELAY_SLOT_WAITING;
    slot->begun = ngx_current_msec;
    slot->next = ngx_current_msec;

    if (ngx_mesh_relay_notify_doubt(slot->notify, &doubt)) {
        slot->cut = 1;
    }

    ngx_mesh_relay_notify_lost(slot->notify);
}


/*
 * The worker quits: what is at a node is waited for and settled.  What could
 * not be settled was answered, so it is not in doubt.
 */

static void
ngx_mesh_relay_slot_leave(ngx_mesh_relay_slot_t *slot)
{
    ngx_uint_t                i, found;
    ngx_mesh_relay_doubt_t    doubt;
    ngx_mesh_relay_notify_t  *notify;

    if (slot->state == NGX_MESH_RELAY_SLOT_WAITING) {

        /* an answer still pending may make it ours */

        if (!slot->pending) {
            slot->state = NGX_MESH_RELAY_SLOT_OVER;
        }

        return;
    }

    notify = slot->notify;

    if (ngx_mesh_relay_notify_busy(notify)) {

        if (!slot->pending
            && !ngx_mesh_relay_after(slot->next, ngx_current_msec))
        {
            ngx_mesh_relay_slot_ask(slot);
        }

        return;
    }

    if (!slot->leaving) {
        slot->leaving = 1;
        slot->begun = ngx_current_msec;
    }

    if (ngx_mesh_relay_notify_unsettled(notify)
        && ngx_current_msec - slot->begun < NGX_MESH_RELAY_LEAVE_TRY)
    {
        for (i = 0; i < notify->mcf->nodes.nelts; i++) {
            ngx_mesh_relay_settle(&notify->queues[i], 1);
        }

        return;
    }

    slot->state = NGX_MESH_RELAY_SLOT_RELEASING;

    found = ngx_mesh_relay_slot_cut(slot, &doubt)
            || ngx_mesh_relay_notify_doubt(notify, &doubt);

    if (ngx_mesh_relay_slot_release(notify, ngx_worker,
                                    found ? &doubt : NULL,
                                    ngx_mesh_relay_slot_released, slot)
        != NGX_OK)
    {
        slot->state = NGX_MESH_RELAY_SLOT_OVER;
    }
}


/* without an answer the lease ends by itself, and all pending is in doubt */

static void
ngx_mesh_relay_slot_released(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_slot_t *slot = data;

    slot->state = NGX_MESH_RELAY_SLOT_OVER;
}


void
ngx_mesh_relay_slot_exit(ngx_mesh_relay_notify_t *notify)
{
    ngx_uint_t              found;
    ngx_mesh_relay_doubt_t  doubt;

    if (notify->slot->state != NGX_MESH_RELAY_SLOT_OWNED) {
        return;
    }

    found = ngx_mesh_relay_slot_cut(notify->slot, &doubt)
            || ngx_mesh_relay_notify_doubt(notify, &doubt);

    (void) ngx_mesh_relay_slot_release(notify, ngx_worker,
                                       found ? &doubt : NULL, NULL, NULL);
}


static void
ngx_mesh_relay_slot_warn(ngx_mesh_relay_slot_t *slot)
{
    if (slot->warned
        || ngx_current_msec - slot->begun
           < 3 * slot->notify->mcf->slot_lease)
    {
        return;
    }

    slot->warned = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "slot \"%V\" is still held by another process: an old "
                  "worker that quits, or an nginx of the same \"mesh_edge\"",
                  &slot->notify->consumer);
}


ngx_int_t
ngx_mesh_relay_slot_lease(ngx_mesh_relay_notify_t *notify, ngx_uint_t n,
    ngx_uint_t take, mesh_redis_handler_pt handler, void *data)
{
    u_char                       key[NGX_MESH_RELAY_KEY_MAX];
    u_char                       ttl[NGX_INT_T_LEN];
    ngx_str_t                    argv[4];
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = notify->mcf;

    ngx_mesh_relay_slot_key(notify, n, &argv[0], key);
    argv[1] = notify->slot->token;
    argv[2].data = ttl;
    argv[2].len = ngx_sprintf(ttl, "%M", mcf->slot_lease) - ttl;
    argv[3].data = (u_char *) (take ? "1" : "0");
    argv[3].len = 1;

    return ngx_mesh_relay_script_eval(mcf, mcf->redis_stream,
                                      NGX_MESH_RELAY_SCRIPT_LEASE, 1, 4, argv,
                                      handler, data, NULL);
}


ngx_int_t
ngx_mesh_relay_slot_release(ngx_mesh_relay_notify_t *notify, ngx_uint_t n,
    ngx_mesh_relay_doubt_t *doubt, mesh_redis_handler_pt handler, void *data)
{
    u_char                       key[NGX_MESH_RELAY_KEY_MAX];
    u_char                       text[NGX_MESH_RELAY_LET_GO_LEN];
    ngx_str_t                    argv[4];
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = notify->mcf;

    ngx_mesh_relay_slot_key(notify, n, &argv[0], key);
    argv[1] = notify->slot->token;

    if (doubt) {
        argv[2].data = text;
        argv[2].len = ngx_mesh_relay_slot_let_go(mcf, text, doubt);

    } else {
        ngx_str_set(&argv[2], "clean");
    }

    ngx_str_set(&argv[3], NGX_MESH_RELAY_LET_GO_KEEP);

    return ngx_mesh_relay_script_eval(mcf, mcf->redis_stream,
                                      NGX_MESH_RELAY_SCRIPT_RELEASE, 1, 4,
                                      argv, handler, data, NULL);
}


static void
ngx_mesh_relay_slot_key(ngx_mesh_relay_notify_t *notify, ngx_uint_t n,
    ngx_str_t *key, u_char *buf)
{
    key->data = buf;
    key->len = ngx_snprintf(buf, NGX_MESH_RELAY_KEY_MAX, "mesh:lease:%V:%ui",
                            &notify->mcf->mesh.edge, n)
               - buf;
}
