
/*
 * The leader: who it is, and its passes over the chains.
 */


#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_rank.h"
#include "ngx_gateway_select_upstream.h"


/* how long others wait for a leader that does not renew its lease */

#define NGX_GATEWAY_SELECT_LEASE      5000      /* ms, and some intervals */
#define NGX_GATEWAY_SELECT_LEASES     4

/* a slice ends after so long; one step more is far below 1 ms */

#define NGX_GATEWAY_SELECT_SLICE      300000    /* ns */

/* records decay and ramps rise without news, too; dead rows are freed */

#define NGX_GATEWAY_SELECT_FULL       1000      /* ms */

#define NGX_GATEWAY_SELECT_SOON       10        /* ms */
#define NGX_GATEWAY_SELECT_JITTER     16        /* part of the interval */


struct ngx_gateway_select_leader_s {
    ngx_event_t                      timer;     /* of passes */
    ngx_event_t                      slice;     /* of what is left of one */
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_gateway_select_ranker_t      ranker;
    ngx_gateway_select_chain_t     **chains;    /* settings, by index */
    ngx_msec_t                      *full;      /* when, by index */
    ngx_msec_t                       swept;
    ngx_uint_t                       index;     /* of the pass */
    unsigned                         leading:1;
    unsigned                         turn:1;    /* of a chain, begun */
    unsigned                         soon:1;    /* a pass after this one */
};


static void ngx_gateway_select_leader_timer(ngx_event_t *ev);
static void ngx_gateway_select_leader_slice(ngx_event_t *ev);
static void ngx_gateway_select_leader_arm(ngx_gateway_select_leader_t *leader,
    ngx_msec_t wait);
static ngx_uint_t ngx_gateway_select_leader_take(
    ngx_gateway_select_leader_t *leader);
static ngx_uint_t ngx_gateway_select_leader_free(
    ngx_gateway_select_zone_t *zone);
static void ngx_gateway_select_leader_give(
    ngx_gateway_select_leader_t *leader);
static void ngx_gateway_select_leader_begin(
    ngx_gateway_select_leader_t *leader);
static ngx_int_t ngx_gateway_select_leader_pass(
    ngx_gateway_select_leader_t *leader);
static ngx_int_t ngx_gateway_select_leader_next(
    ngx_gateway_select_leader_t *leader);
static ngx_uint_t ngx_gateway_select_leader_due(
    ngx_gateway_select_leader_t *leader,
    ngx_gateway_select_chain_sh_t *chain);


#define ngx_gateway_select_leader_later(a, b)                                 \
    ((ngx_msec_int_t) ((a) - (b)) > 0)


ngx_int_t
ngx_gateway_select_leader_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                     i;
    ngx_gateway_select_chain_t   **chain;
    ngx_gateway_select_leader_t   *leader;

    leader = ngx_pcalloc(cycle->pool, sizeof(ngx_gateway_select_leader_t));
    if (leader == NULL) {
        return NGX_ERROR;
    }

    leader->chains = ngx_pcalloc(cycle->pool, NGX_GATEWAY_SELECT_CHAINS_MAX
                                 * sizeof(ngx_gateway_select_chain_t *));
    if (leader->chains == NULL) {
        return NGX_ERROR;
    }

    leader->full = ngx_pcalloc(cycle->pool, NGX_GATEWAY_SELECT_CHAINS_MAX
                                            * sizeof(ngx_msec_t));
    if (leader->full == NULL) {
        return NGX_ERROR;
    }

    chain = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        if (chain[i]->sh) {
            leader->chains[chain[i]->sh->index] = chain[i];
        }
    }

    leader->gmcf = gmcf;
    leader->ranker.gmcf = gmcf;

    leader->timer.handler = ngx_gateway_select_leader_timer;
    leader->timer.data = leader;
    leader->timer.log = cycle->log;
    leader->timer.cancelable = 1;

    leader->slice.handler = ngx_gateway_select_leader_slice;
    leader->slice.data = leader;
    leader->slice.log = cycle->log;

    gmcf->leader = leader;

    /* a new configuration's table is not to be waited for */

    ngx_add_timer(&leader->timer, 1);

    return NGX_OK;
}


void
ngx_gateway_select_leader_exit(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_leader_t  *leader;

    leader = gmcf->leader;

    if (leader == NULL) {
        return;
    }

    if (leader->timer.timer_set) {
        ngx_del_timer(&leader->timer);
    }

    if (leader->slice.posted) {
        ngx_delete_posted_event(&leader->slice);
    }

    ngx_gateway_select_leader_give(leader);
    ngx_gateway_select_rank_free(&leader->ranker);

    gmcf->leader = NULL;
}


ngx_uint_t
ngx_gateway_select_leading(ngx_gateway_select_main_conf_t *gmcf)
{
    return gmcf->leader && gmcf->leader->leading
           && ngx_gateway_select_zone(gmcf)->sh->leader == ngx_pid;
}


ngx_int_t
ngx_gateway_select_leader_lock(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(gmcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->leader == ngx_pid) {
        return NGX_OK;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return NGX_DECLINED;
}


void
ngx_gateway_select_leader_unlock(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_shmtx_unlock(&ngx_gateway_select_zone(gmcf)->shpool->mutex);
}


void
ngx_gateway_select_rank_soon(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_gateway_select_leader_t  *leader;

    chain->dirty = 1;

    leader = gmcf->leader;

    if (leader == NULL || !leader->leading) {
        return;
    }

    if (leader->slice.posted) {
        leader->soon = 1;
        return;
    }

    ngx_gateway_select_leader_arm(leader, NGX_GATEWAY_SELECT_SOON);
}


static void
ngx_gateway_select_leader_timer(ngx_event_t *ev)
{
    ngx_gateway_select_leader_t *leader = ev->data;

    ngx_msec_t  interval;

    if (ngx_exiting || ngx_terminate) {
        ngx_gateway_select_leader_give(leader);
        return;
    }

    if (ngx_gateway_select_leader_take(leader)) {
        ngx_gateway_select_leader_begin(leader);
        ngx_gateway_select_leader_slice(&leader->slice);
        return;
    }

    interval = leader->gmcf->interval;

    ngx_add_timer(ev, interval - ngx_random()
                                 % (interval / NGX_GATEWAY_SELECT_JITTER + 1));
}


/* Some of the pass; requests are served before the next slice. */

static void
ngx_gateway_select_leader_slice(ngx_event_t *ev)
{
    ngx_gateway_select_leader_t *leader = ev->data;

    uint64_t    begun, now;
    ngx_int_t   rc;
    ngx_msec_t  wait;

    if (ngx_exiting || ngx_terminate) {
        ngx_gateway_select_leader_give(leader);
        return;
    }

    begun = ngx_gateway_select_cpu_ns();

    do {
        rc = ngx_gateway_select_leader_pass(leader);
        now = ngx_gateway_select_cpu_ns();

    } while (rc == NGX_AGAIN && now - begun < NGX_GATEWAY_SELECT_SLICE);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "gateway slice: %uL us", (now - begun) / 1000);

    if (rc == NGX_AGAIN) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    wait = leader->gmcf->interval;
    wait -= ngx_random() % (wait / NGX_GATEWAY_SELECT_JITTER + 1);

    if (leader->soon) {
        leader->soon = 0;
        wait = ngx_min(wait, NGX_GATEWAY_SELECT_SOON);
    }

    ngx_gateway_select_leader_arm(leader, wait);
}


/* The timer is set anew only to be earlier. */

static void
ngx_gateway_select_leader_arm(ngx_gateway_select_leader_t *leader,
    ngx_msec_t wait)
{
    ngx_event_t  *ev;

    ev = &leader->timer;

    if (ev->timer_set) {

        if (!ngx_gateway_select_leader_later(ev->timer.key,
                                             ngx_current_msec + wait))
        {
            return;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, wait);
}


/* Takes or renews the lease; 0: another leads. */

static ngx_uint_t
ngx_gateway_select_leader_take(ngx_gateway_select_leader_t *leader)
{
    ngx_pid_t                   old;
    ngx_uint_t                  mine;
    ngx_gateway_select_sh_t    *sh;
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(leader->gmcf);
    sh = zone->sh;

    ngx_shmtx_lock(&zone->shpool->mutex);

    old = sh->leader;
    mine = (old == ngx_pid) || ngx_gateway_select_leader_free(zone);

    if (mine) {
        ngx_gateway_select_clock_follow(sh);

        sh->leader = ngx_pid;
        sh->leader_generation = zone->generation;
        sh->leader_until = ngx_current_msec + NGX_GATEWAY_SELECT_LEASE
                           + NGX_GATEWAY_SELECT_LEASES
                             * leader->gmcf->interval;
    }

    if (mine && old != ngx_pid) {
        ngx_gateway_select_totals(sh)->leaders++;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (mine && old != ngx_pid) {
        ngx_log_error(NGX_LOG_INFO, leader->timer.log, 0,
                      "this worker leads the gateway, after %P", old);

        ngx_memzero(leader->full,
                    NGX_GATEWAY_SELECT_CHAINS_MAX * sizeof(ngx_msec_t));
        leader->turn = 0;
    }

    leader->leading = mine;

    return mine;
}


/* The lock is held. */

static ngx_uint_t
ngx_gateway_select_leader_free(ngx_gateway_select_zone_t *zone)
{
    ngx_gateway_select_sh_t  *sh;

    sh = zone->sh;

    return sh->leader == 0
           || sh->leader_generation < zone->generation
           || ngx_gateway_select_leader_later(ngx_current_msec,
                                              sh->leader_until)
           || (kill(sh->leader, 0) == -1 && ngx_errno == NGX_ESRCH);
}


static void
ngx_gateway_select_leader_give(ngx_gateway_select_leader_t *leader)
{
    if (leader->leading
        && ngx_gateway_select_leader_lock(leader->gmcf) == NGX_OK)
    {
        ngx_gateway_select_zone(leader->gmcf)->sh->leader = 0;
        ngx_gateway_select_leader_unlock(leader->gmcf);
    }

    leader->leading = 0;
}


static void
ngx_gateway_select_leader_begin(ngx_gateway_select_leader_t *leader)
{
    leader->index = 0;
    leader->turn = 0;

    if (ngx_current_msec - leader->swept >= NGX_GATEWAY_SELECT_FULL) {
        leader->swept = ngx_current_msec;
        ngx_gateway_select_rows_sweep(leader->gmcf);
    }
}


/* One step: NGX_AGAIN, there are more; NGX_OK: the pass is over. */

static ngx_int_t
ngx_gateway_select_leader_pass(ngx_gateway_select_leader_t *leader)
{
    ngx_int_t  rc;

    if (!leader->turn) {
        return ngx_gateway_select_leader_next(leader);
    }

    rc = ngx_gateway_select_rank_step(&leader->ranker);

    if (rc == NGX_DECLINED) {
        leader->leading = 0;
        return NGX_OK;
    }

    if (rc != NGX_AGAIN) {
        leader->turn = 0;
        leader->index++;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_gateway_select_leader_next(ngx_gateway_select_leader_t *leader)
{
    ngx_str_t                       name;
    ngx_uint_t                      i, full;
    ngx_gateway_select_chain_t     *conf;
    ngx_gateway_select_chain_sh_t  *chain;

    i = leader->index;

    if (i >= ngx_gateway_select_zone(leader->gmcf)->sh->nchains) {
        return NGX_OK;
    }

    chain = ngx_gateway_select_zone(leader->gmcf)->sh->chains[i];
    conf = leader->chains[i];

    if (conf == NULL) {

        /* one of a newer configuration, whose workers are to come */

        if (chain->generation
            > ngx_gateway_select_zone(leader->gmcf)->generation)
        {
            leader->index++;
            return NGX_AGAIN;
        }

        name.len = chain->name_len;
        name.data = chain->name;

        conf = ngx_gateway_select_chain(leader->gmcf, &name);
    }

    full = ngx_gateway_select_leader_due(leader, chain);

    if (conf->upstream && ngx_gateway_select_upstream_sync(conf) == NGX_OK) {
        (void) ngx_gateway_select_zone_servers(
                               ngx_gateway_select_zone(leader->gmcf), conf);
        full = 1;
    }

    ngx_gateway_select_rank_begin(&leader->ranker, conf, chain, full);

    leader->turn = 1;

    return NGX_AGAIN;
}


/* Is the chain to be ranked even without news? */

static ngx_uint_t
ngx_gateway_select_leader_due(ngx_gateway_select_leader_t *leader,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_msec_t  *full;

    full = &leader->full[chain->index];

    if (!chain->dirty
        && *full
        && ngx_current_msec - *full < NGX_GATEWAY_SELECT_FULL)
    {
        return 0;
    }

    /* who sets it from now on waits for the next pass */

    chain->dirty = 0;

    *full = ngx_current_msec;

    return 1;
}
