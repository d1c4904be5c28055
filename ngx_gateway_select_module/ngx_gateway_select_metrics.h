
/*
 * Counters of what became of calls, tries and nodes, for GET
 * /gateway/metrics.  They stand in the zone, so that they go on over reloads.
 */


#ifndef _NGX_GATEWAY_SELECT_METRICS_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_METRICS_H_INCLUDED_


#include "gateway_metrics.h"
#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_zone.h"


/* Whose answer the caller got. */

typedef enum {
    NGX_GATEWAY_SELECT_ROUTE_NODE = 0,     /* of the first that was asked */
    NGX_GATEWAY_SELECT_ROUTE_RETRIED,      /* of another one, after it */
    NGX_GATEWAY_SELECT_ROUTE_HEDGED,       /* of one asked beside it */
    NGX_GATEWAY_SELECT_ROUTE_ALTRUIST,
    NGX_GATEWAY_SELECT_ROUTE_NONE,         /* the gateway's own, or none */
    NGX_GATEWAY_SELECT_ROUTES
} ngx_gateway_select_route_e;


typedef enum {
    NGX_GATEWAY_SELECT_SUCCESS = 0,
    NGX_GATEWAY_SELECT_FAILURE,
    NGX_GATEWAY_SELECT_ABORTED,            /* by the caller */
    NGX_GATEWAY_SELECT_OUTCOMES
} ngx_gateway_select_outcome_e;


/*
 * How a call ended.  From NO_NODE on the number of a reason of _pick.h is
 * added, from ERROR on that of an error of _call.h: their names are there.
 */

typedef enum {
    NGX_GATEWAY_SELECT_ENDED_GONE = 0,     /* the caller */
    NGX_GATEWAY_SELECT_ENDED_ANSWERED,
    NGX_GATEWAY_SELECT_ENDED_CALLER,       /* with a fault of the caller */
    NGX_GATEWAY_SELECT_ENDED_ALIKE,        /* what all nodes said, a fault */
    NGX_GATEWAY_SELECT_ENDED_FILTER,       /* that is not found */
    NGX_GATEWAY_SELECT_ENDED_BROKEN,       /* within a streamed answer */
    NGX_GATEWAY_SELECT_ENDED_NO_NODE,
    NGX_GATEWAY_SELECT_ENDED_ERROR = NGX_GATEWAY_SELECT_ENDED_NO_NODE
                                     + NGX_GATEWAY_SELECT_REASONS,
    NGX_GATEWAY_SELECT_ENDS = NGX_GATEWAY_SELECT_ENDED_ERROR
                              + NGX_GATEWAY_SELECT_CALL_ERRORS
} ngx_gateway_select_ended_e;


/*
 * Of a chain (chain->metrics).  Any worker adds to the atomic ones, which is
 * nothing beside a call; the leader to the others, with the lock held.
 */

typedef struct {
    ngx_atomic_t                   calls[NGX_GATEWAY_SELECT_ROUTES]
                                        [NGX_GATEWAY_SELECT_ENDS];
    ngx_atomic_t                   durations[NGX_GATEWAY_SELECT_ABORTED]
                                            [GATEWAY_METRICS_BUCKETS];
    ngx_atomic_t                   duration[NGX_GATEWAY_SELECT_ABORTED];
                                               /* sums, ms */
    ngx_atomic_t                   altruist[2];    /* failed, good */
    uint64_t                       tries[GATEWAY_TRIES];
    uint64_t                       penalties[GATEWAY_PENALTIES];
    uint64_t                       rankings;   /* tables made */
    uint64_t                       ranked_at;  /* ms, wall: the last one */
} ngx_gateway_select_metrics_t;


/* Of the zone (sh->metrics): requests of no chain, by their error. */

typedef struct {
    ngx_atomic_t                   refused[NGX_GATEWAY_SELECT_CALL_ERRORS];
    uint64_t                       leaders;    /* changes of it */
} ngx_gateway_select_totals_t;


#define ngx_gateway_select_metrics(chain)                                     \
    ((ngx_gateway_select_metrics_t *) (chain)->metrics)
#define ngx_gateway_select_totals(sh)                                         \
    ((ngx_gateway_select_totals_t *) (sh)->metrics)


/*
 * How the call ends, and that now it does; nothing is counted yet.  The last
 * word counts: an answer may still fail for want of memory.
 */
void ngx_gateway_select_metrics_answer(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt);
void ngx_gateway_select_metrics_error(ngx_gateway_select_call_t *call,
    ngx_gateway_select_call_error_e error);
void ngx_gateway_select_metrics_end(ngx_gateway_select_call_t *call,
    ngx_gateway_select_route_e route, ngx_gateway_select_ended_e ended);

/* Counts the call, with its request's end: so it counts once. */
void ngx_gateway_select_metrics_call(ngx_gateway_select_call_t *call);

/* The same of what is no call of this module; took: ms. */
void ngx_gateway_select_metrics_count(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_route_e route, ngx_gateway_select_ended_e ended,
    ngx_msec_t took);

/* A request that was refused before it was one of a chain. */
void ngx_gateway_select_metrics_refused(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_call_error_e error);

ngx_gateway_select_outcome_e ngx_gateway_select_metrics_outcome(
    ngx_gateway_select_ended_e ended);


extern ngx_gateway_select_endpoint_t  ngx_gateway_select_metrics_endpoint;


#endif /* _NGX_GATEWAY_SELECT_METRICS_H_INCLUDED_ */
