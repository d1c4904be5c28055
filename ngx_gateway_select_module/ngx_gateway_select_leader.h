
/*
 * The leader: the one worker of the host that folds, ranks and checks.
 *
 * It holds a lease in the zone: until another configuration's worker asks
 * for it, its process is gone, or it has not renewed it.  Whoever writes what
 * only the leader may write takes the zone's lock and looks, with the lock
 * held, whether it still leads: so there are never two.
 */


#ifndef _NGX_GATEWAY_SELECT_LEADER_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_LEADER_H_INCLUDED_


#include "ngx_gateway_select_zone.h"


/*
 * Worker's start: arms the timer by which it becomes or stays the leader, and
 * folds and ranks all chains each gateway_interval.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_leader_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf);

/* Worker's end: hands the lease over. */
void ngx_gateway_select_leader_exit(ngx_gateway_select_main_conf_t *gmcf);

/* Does this worker lead?  A hint without a lock: for timers of the leader. */
ngx_uint_t ngx_gateway_select_leading(ngx_gateway_select_main_conf_t *gmcf);

/*
 * Takes the zone's lock to write what only the leader may; NGX_DECLINED: it
 * does not lead (any more), the lock is not held.
 */
ngx_int_t ngx_gateway_select_leader_lock(ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_leader_unlock(ngx_gateway_select_main_conf_t *gmcf);

/* Ranks the chain again within a few ms: a node was punished, cordoned. */
void ngx_gateway_select_rank_soon(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain);


#endif /* _NGX_GATEWAY_SELECT_LEADER_H_INCLUDED_ */
