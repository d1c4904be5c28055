
/*
 * Who checks a node, where several gateways may: the one that has the region's
 * lease checks all nodes that it knows; the others look after those that
 * nobody has seen to for some time, as their records tell.
 */


#include "ngx_gateway_select_checker.h"


/* digits of the zone's name that a number of Redis holds exactly */

#define NGX_GATEWAY_SELECT_TENDER_DIGITS  13

/* how exactly it is known when somebody saw to a node, ms */

#define NGX_GATEWAY_SELECT_TEND_EVERY     1000

/* intervals without a check after which nobody seems to do it; ms at least */

#define NGX_GATEWAY_SELECT_TEND_MISSED    3
#define NGX_GATEWAY_SELECT_TEND_LEAST     10000


static ngx_msec_t ngx_gateway_select_tend_wait(
    ngx_gateway_select_watch_t *watch);


uint64_t
ngx_gateway_select_tender(ngx_gateway_select_main_conf_t *gmcf)
{
    return (uint64_t) ngx_hextoi(ngx_gateway_select_zone(gmcf)->sh->id,
                                 NGX_GATEWAY_SELECT_TENDER_DIGITS)
           + 1;
}


/* Whoever saw to it last goes on, until one that has the lease does. */

ngx_uint_t
ngx_gateway_select_tended(ngx_gateway_select_probe_t *probe)
{
    uint64_t           at;
    gateway_record_t  *record;

    record = &ngx_gateway_select_node(probe->shared, probe->node)->record;

    if (record->checked_by == probe->watch->checker->id) {
        return 1;
    }

    at = ngx_max(record->checked_at, record->first_seen);

    return ngx_gateway_select_now()
           > at + ngx_gateway_select_tend_wait(probe->watch);
}


/* Each gateway waits a bit longer than others, so that few begin at once. */

static ngx_msec_t
ngx_gateway_select_tend_wait(ngx_gateway_select_watch_t *watch)
{
    ngx_uint_t  i;
    ngx_msec_t  wait, interval;

    wait = ngx_gateway_select_check_interval(watch, watch->checks[0]);

    for (i = 1; i < watch->nchecks; i++) {
        interval = ngx_gateway_select_check_interval(watch, watch->checks[i]);
        wait = ngx_min(wait, interval);
    }

    wait = ngx_max(wait * NGX_GATEWAY_SELECT_TEND_MISSED,
                   NGX_GATEWAY_SELECT_TEND_LEAST);

    return wait + watch->checker->id % wait / 2;
}


void
ngx_gateway_select_tend(ngx_gateway_select_probe_t *probe)
{
    uint64_t                    now;
    gateway_record_t           *record;
    ngx_gateway_select_node_t  *node;

    now = ngx_gateway_select_now();
    record = &ngx_gateway_select_node(probe->shared, probe->node)->record;

    /* a look without the lock: its other checks may just have had a turn */

    if (record->checked_by == probe->watch->checker->id
        && record->checked_at <= now
        && record->checked_at + NGX_GATEWAY_SELECT_TEND_EVERY > now)
    {
        return;
    }

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    node->record.checked_at = now;
    node->record.checked_by = probe->watch->checker->id;

    ngx_gateway_select_verdict_unlock(probe);
}
