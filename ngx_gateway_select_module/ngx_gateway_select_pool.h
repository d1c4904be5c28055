
/*
 * The servers of one upstream{} as a worker sees them: nodes of the chain
 * beside the peers that nginx keeps, and which of them a try goes to.
 */


#ifndef _NGX_GATEWAY_SELECT_POOL_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_POOL_H_INCLUDED_


#include "ngx_gateway_select_pick.h"


typedef struct {
    ngx_http_upstream_rr_peers_t    *peers;     /* the list it is in */
    ngx_http_upstream_rr_peer_t     *peer;
    uint32_t                         node;      /* slot, or NO_NODE */
    uint32_t                         hash;      /* of the address */
    ngx_atomic_uint_t                generation;
    unsigned                         backup:1;
} ngx_gateway_select_member_t;


/* Configuration of the upstream, then the view, which is of each worker. */

typedef struct {
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_gateway_select_chain_t      *chain;
    ngx_http_complex_value_t        *sticky;    /* or NULL */
    time_t                           sticky_time;   /* of a cordoned node's */
                                                    /*   callers, seconds */

    /* servers that "resolve" finds: of the leader, see _sync() */
    ngx_uint_t                       nfixed;    /* those before them */
    ngx_uint_t                       nresolved; /* places, 0: none */
    ngx_uint_t                       synced;    /* with these peers */
    ngx_msec_t                      *gone;
    u_char                          *names;

    /* the worker's view */
    ngx_gateway_select_member_t     *members;   /* NULL: not yet made */
    ngx_uint_t                       n;
    uint32_t                        *places;    /* by node: 1 + member */
    ngx_uint_t                       nplaces;
    ngx_uint_t                       config;    /* of the peers */
    ngx_msec_t                       made;
    unsigned                         partial:1; /* nodes were not there yet */
} ngx_gateway_select_pool_t;


/*
 * What one request has tried.  stale: the tries that failed only because a
 * kept connection was closed; they may be made again, after all others.
 */

typedef struct {
    ngx_gateway_select_tried_t       tried;
    uint32_t                         hashes[NGX_GATEWAY_SELECT_TRIED_MAX];
    ngx_uint_t                       n;
    ngx_uint_t                       stale;     /* bits */
    uint64_t                         key;       /* of a sticky one */
    uint32_t                         home;      /* its node, or NO_NODE */
    unsigned                         sticky:1;
} ngx_gateway_select_past_t;


/*
 * Frees what a view has; for the end of the cycle.
 */
void ngx_gateway_select_pool_cleanup(void *data);

/*
 * Brings the view up to date.  From here to the end of their use members are
 * to be used with the peers locked.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_pool_view(ngx_gateway_select_pool_t *pool);

/*
 * The member for the next try, with a pick of its node; NULL: none is left.
 * Of a member without a node pick->chain is NULL.  Then it is to be told
 * that it was tried.
 */
ngx_gateway_select_member_t *ngx_gateway_select_pool_choose(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_past_t *past,
    ngx_gateway_select_pick_t *pick);

void ngx_gateway_select_pool_tried(ngx_gateway_select_past_t *past,
    ngx_gateway_select_member_t *member, ngx_gateway_select_pick_t *pick);


/* Locks of both lists of peers; nothing without "zone". */

void ngx_gateway_select_pool_lock(ngx_gateway_select_pool_t *pool);
void ngx_gateway_select_pool_unlock(ngx_gateway_select_pool_t *pool);


#endif /* _NGX_GATEWAY_SELECT_POOL_H_INCLUDED_ */
