
/*
 * Counting of calls.  What else is counted is so where it happens, by the
 * leader.
 */


#include "ngx_gateway_select_metrics.h"


/* what ends without one is a failure */

static const ngx_gateway_select_outcome_e
    ngx_gateway_select_metrics_outcomes[NGX_GATEWAY_SELECT_ENDED_NO_NODE] =
{
    NGX_GATEWAY_SELECT_ABORTED,            /* NGX_GATEWAY_SELECT_ENDED_GONE */
    NGX_GATEWAY_SELECT_SUCCESS,            /* ..._ANSWERED */
    NGX_GATEWAY_SELECT_SUCCESS,            /* ..._CALLER */
    NGX_GATEWAY_SELECT_FAILURE,            /* ..._ALIKE */
    NGX_GATEWAY_SELECT_FAILURE,            /* ..._FILTER */
    NGX_GATEWAY_SELECT_FAILURE             /* ..._BROKEN */
};


/* by gateway_fault_e: a fault of nodes is passed where all have said it */

static const ngx_gateway_select_ended_e
    ngx_gateway_select_metrics_faults[] =
{
    NGX_GATEWAY_SELECT_ENDED_ANSWERED,     /* GATEWAY_FAULT_NONE */
    NGX_GATEWAY_SELECT_ENDED_CALLER,       /* GATEWAY_FAULT_CALLER */
    NGX_GATEWAY_SELECT_ENDED_ALIKE,        /* GATEWAY_FAULT_LACKING */
    NGX_GATEWAY_SELECT_ENDED_ALIKE,        /* GATEWAY_FAULT_QUOTA */
    NGX_GATEWAY_SELECT_ENDED_ALIKE         /* GATEWAY_FAULT_NODE */
};


void
ngx_gateway_select_metrics_answer(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt)
{
    ngx_gateway_select_route_e  route;

    route = attempt->altruist ? NGX_GATEWAY_SELECT_ROUTE_ALTRUIST
            : attempt->hedging ? NGX_GATEWAY_SELECT_ROUTE_HEDGED
            : (attempt == call->attempts[0]) ? NGX_GATEWAY_SELECT_ROUTE_NODE
                                          : NGX_GATEWAY_SELECT_ROUTE_RETRIED;

    ngx_gateway_select_metrics_end(call, route,
                          ngx_gateway_select_metrics_faults[attempt->fault]);
}


void
ngx_gateway_select_metrics_error(ngx_gateway_select_call_t *call,
    ngx_gateway_select_call_error_e error)
{
    ngx_uint_t  ended;

    ended = (error == NGX_GATEWAY_SELECT_CALL_NO_NODE)
            ? (ngx_uint_t) NGX_GATEWAY_SELECT_ENDED_NO_NODE + call->reason
            : (ngx_uint_t) NGX_GATEWAY_SELECT_ENDED_ERROR + error;

    ngx_gateway_select_metrics_end(call, NGX_GATEWAY_SELECT_ROUTE_NONE,
                                   (ngx_gateway_select_ended_e) ended);
}


void
ngx_gateway_select_metrics_end(ngx_gateway_select_call_t *call,
    ngx_gateway_select_route_e route, ngx_gateway_select_ended_e ended)
{
    call->route = route;
    call->ended = ended;
    call->took = call->begun ? ngx_current_msec - call->begun : 0;
    call->told = 1;
}


void
ngx_gateway_select_metrics_call(ngx_gateway_select_call_t *call)
{
    /* it ends with its request, and nothing was told to the caller */

    if (!call->told) {
        ngx_gateway_select_metrics_end(call, NGX_GATEWAY_SELECT_ROUTE_NONE,
                                       NGX_GATEWAY_SELECT_ENDED_GONE);
    }

    ngx_gateway_select_metrics_count(call->shared,
                               (ngx_gateway_select_route_e) call->route,
                               (ngx_gateway_select_ended_e) call->ended,
                               call->took);
}


void
ngx_gateway_select_metrics_count(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_route_e route, ngx_gateway_select_ended_e ended,
    ngx_msec_t took)
{
    ngx_gateway_select_metrics_t  *metrics;
    ngx_gateway_select_outcome_e   outcome;

    metrics = ngx_gateway_select_metrics(chain);
    outcome = ngx_gateway_select_metrics_outcome(ended);

    (void) ngx_atomic_fetch_add(&metrics->calls[route][ended], 1);

    if (outcome == NGX_GATEWAY_SELECT_ABORTED) {
        return;
    }

    (void) ngx_atomic_fetch_add(&metrics->duration[outcome], took);
    (void) ngx_atomic_fetch_add(
              &metrics->durations[outcome][gateway_metrics_bucket(took)], 1);
}


void
ngx_gateway_select_metrics_refused(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_call_error_e error)
{
    ngx_gateway_select_totals_t  *totals;

    if (gmcf->shm_zone) {
        totals = ngx_gateway_select_totals(ngx_gateway_select_zone(gmcf)->sh);
        (void) ngx_atomic_fetch_add(&totals->refused[error], 1);
    }
}


ngx_gateway_select_outcome_e
ngx_gateway_select_metrics_outcome(ngx_gateway_select_ended_e ended)
{
    return (ended < NGX_GATEWAY_SELECT_ENDED_NO_NODE)
           ? ngx_gateway_select_metrics_outcomes[ended]
           : NGX_GATEWAY_SELECT_FAILURE;
}
