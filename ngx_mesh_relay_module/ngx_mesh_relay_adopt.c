
/*
 * Adoption of what belongs to slots of this edge that no worker has any more:
 * worker_processes was reduced.  A slot that a worker may still come for, and
 * other edges' slots, are left alone.
 *
 * One node after the other: its consumers are listed, the lease of one of them
 * is taken, its pending entries become ours, it is deleted, the lease let go.
 */


#include "ngx_mesh_relay_notify.h"


#define NGX_MESH_RELAY_ADOPT_BATCH   "256"
#define NGX_MESH_RELAY_ADOPT_GAP     500         /* ms, between two nodes */


typedef enum {
    NGX_MESH_RELAY_ADOPT_IDLE = 0,
    NGX_MESH_RELAY_ADOPT_LISTING,
    NGX_MESH_RELAY_ADOPT_TAKING,
    NGX_MESH_RELAY_ADOPT_MOVING,
    NGX_MESH_RELAY_ADOPT_LEAVING
} ngx_mesh_relay_adopt_e;


struct ngx_mesh_relay_adopt_s {
    ngx_mesh_relay_notify_t  *notify;
    ngx_mesh_relay_adopt_e    state;
    ngx_mesh_relay_queue_t   *queue;             /* of the node */
    ngx_uint_t                next;              /* node */
    ngx_msec_t                at;
    ngx_uint_t                slot;              /* adopted */
    ngx_uint_t                workers;
    ngx_mesh_relay_doubt_t    doubt;
    unsigned                  in_doubt:1;
};


static void ngx_mesh_relay_adopt_listed(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static ngx_int_t ngx_mesh_relay_adopt_slot(ngx_mesh_relay_adopt_t *adopt,
    mesh_redis_reply_t *consumer);
static void ngx_mesh_relay_adopt_taken(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_adopt_move(ngx_mesh_relay_adopt_t *adopt);
static void ngx_mesh_relay_adopt_moved(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_adopt_leave(ngx_mesh_relay_adopt_t *adopt);
static void ngx_mesh_relay_adopt_left(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);


ngx_int_t
ngx_mesh_relay_adopt_init(ngx_cycle_t *cycle, ngx_mesh_relay_notify_t *notify)
{
    ngx_core_conf_t         *ccf;
    ngx_mesh_relay_adopt_t  *adopt;

    adopt = ngx_pcalloc(cycle->pool, sizeof(ngx_mesh_relay_adopt_t));
    if (adopt == NULL) {
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    adopt->notify = notify;
    adopt->workers = (ngx_process == NGX_PROCESS_SINGLE)
                     ? 1 : (ngx_uint_t) ccf->worker_processes;
    adopt->at = ngx_current_msec
                + ngx_mesh_relay_jitter(notify->mcf->slot_lease);

    notify->adopt = adopt;

    return NGX_OK;
}


void
ngx_mesh_relay_adopt_tick(ngx_mesh_relay_notify_t *notify)
{
    ngx_str_t                    argv[4];
    ngx_msec_t                   wait;
    ngx_uint_t                   n;
    ngx_mesh_relay_adopt_t      *adopt;
    ngx_mesh_relay_main_conf_t  *mcf;

    adopt = notify->adopt;
    mcf = notify->mcf;

    if (adopt->state != NGX_MESH_RELAY_ADOPT_IDLE
        || ngx_mesh_relay_after(adopt->at, ngx_current_msec))
    {
        return;
    }

    n = mcf->nodes.nelts;

    wait = ngx_max(mcf->slot_lease / n, NGX_MESH_RELAY_ADOPT_GAP);

    adopt->at = ngx_current_msec + ngx_mesh_relay_jitter(wait);
    adopt->queue = &notify->queues[adopt->next++ % n];

    ngx_str_set(&argv[0], "XINFO");
    ngx_str_set(&argv[1], "CONSUMERS");
    argv[2] = adopt->queue->keys->relays;
    ngx_str_set(&argv[3], NGX_MESH_RELAY_GROUP);

    if (mesh_redis_command(mcf->redis_stream, 4, argv,
                           ngx_mesh_relay_adopt_listed, adopt, NULL)
        == NGX_OK)
    {
        adopt->state = NGX_MESH_RELAY_ADOPT_LISTING;
    }
}


static void
ngx_mesh_relay_adopt_listed(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_adopt_t *adopt = data;

    ngx_int_t   slot;
    ngx_uint_t  i;

    adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_ARRAY
        || ngx_exiting
        || !ngx_mesh_relay_slot_owned(adopt->notify))
    {
        return;
    }

    for (i = 0; i < reply->nelts; i++) {

        slot = ngx_mesh_relay_adopt_slot(adopt, &reply->elts[i]);

        if (slot == NGX_ERROR) {
            continue;
        }

        adopt->slot = (ngx_uint_t) slot;

        if (ngx_mesh_relay_slot_lease(adopt->notify, adopt->slot, 1,
                                      ngx_mesh_relay_adopt_taken, adopt)
            == NGX_OK)
        {
            adopt->state = NGX_MESH_RELAY_ADOPT_TAKING;
        }

        return;
    }
}


/* { "name", name, "pending", n, ... }; its slot if nobody comes for it */

static ngx_int_t
ngx_mesh_relay_adopt_slot(ngx_mesh_relay_adopt_t *adopt,
    mesh_redis_reply_t *consumer)
{
    ngx_int_t   slot;
    ngx_str_t  *name, *edge;

    if (consumer->kind != MESH_REDIS_ARRAY
        || consumer->nelts < 2
        || consumer->elts[1].kind != MESH_REDIS_STRING)
    {
        return NGX_ERROR;
    }

    name = &consumer->elts[1].str;
    edge = &adopt->notify->mcf->mesh.edge;

    if (name->len <= edge->len + 1
        || ngx_memcmp(name->data, edge->data, edge->len) != 0
        || name->data[edge->len] != ':')
    {
        return NGX_ERROR;
    }

    slot = ngx_atoi(name->data + edge->len + 1, name->len - edge->len - 1);

    if (slot == NGX_ERROR || (ngx_uint_t) slot < adopt->workers) {
        return NGX_ERROR;
    }

    return slot;
}


static void
ngx_mesh_relay_adopt_taken(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_adopt_t *adopt = data;

    adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;

    if (outcome != MESH_REDIS_ANSWERED
        || (reply->kind == MESH_REDIS_INTEGER && reply->integer == 0))
    {
        return;
    }

    adopt->in_doubt = (ngx_mesh_relay_slot_doubt(adopt->notify, reply,
                                                 &adopt->doubt)
                       == NGX_OK);

    ngx_mesh_relay_adopt_move(adopt);
}


/*
 * The scan is set back before entries can come, so that they are in doubt from
 * the first moment on if they are; and after, so that it finds them.
 */

static void
ngx_mesh_relay_adopt_move(ngx_mesh_relay_adopt_t *adopt)
{
    u_char                       buf[NGX_MESH_RELAY_KEY_MAX];
    ngx_str_t                    argv[4];
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = adopt->notify->mcf;

    if (ngx_exiting || !ngx_mesh_relay_slot_owned(adopt->notify)) {
        ngx_mesh_relay_adopt_leave(adopt);
        return;
    }

    ngx_mesh_relay_queue_scan(adopt->queue,
                              adopt->in_doubt ? &adopt->doubt : NULL);

    argv[0] = adopt->queue->keys->relays;
    argv[1].data = buf;
    argv[1].len = ngx_snprintf(buf, sizeof(buf), "%V:%ui", &mcf->mesh.edge,
                               adopt->slot)
                  - buf;
    argv[2] = adopt->notify->consumer;
    ngx_str_set(&argv[3], NGX_MESH_RELAY_ADOPT_BATCH);

    if (ngx_mesh_relay_script_eval(mcf, mcf->redis_stream,
                                   NGX_MESH_RELAY_SCRIPT_ADOPT, 1, 4, argv,
                                   ngx_mesh_relay_adopt_moved, adopt, NULL)
        != NGX_OK)
    {
        adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;
        return;
    }

    adopt->state = NGX_MESH_RELAY_ADOPT_MOVING;
}


static void
ngx_mesh_relay_adopt_moved(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_adopt_t *adopt = data;

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_INTEGER)
    {
        /* those left are found again */

        adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;
        return;
    }

    if (reply->integer) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "%L relays of slot \"%V:%ui\" for full node \"%V\" "
                      "were taken over", reply->integer,
                      &adopt->notify->mcf->mesh.edge, adopt->slot,
                      &adopt->queue->node->name);

        ngx_mesh_relay_adopt_move(adopt);
        return;
    }

    ngx_mesh_relay_adopt_leave(adopt);
}


static void
ngx_mesh_relay_adopt_leave(ngx_mesh_relay_adopt_t *adopt)
{
    adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;

    if (ngx_mesh_relay_slot_release(adopt->notify, adopt->slot,
                                    adopt->in_doubt ? &adopt->doubt : NULL,
                                    ngx_mesh_relay_adopt_left, adopt)
        == NGX_OK)
    {
        adopt->state = NGX_MESH_RELAY_ADOPT_LEAVING;
    }
}


static void
ngx_mesh_relay_adopt_left(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_adopt_t *adopt = data;

    adopt->state = NGX_MESH_RELAY_ADOPT_IDLE;
}
