
/*
 * Budgets of calls: retries and hedges are paid for by calls, so that a chain
 * in trouble is not asked many times as much; and the altruist's breaker.
 */


#include "ngx_gateway_select_call.h"


#define NGX_GATEWAY_SELECT_RETRY_FULL    1000.0
#define NGX_GATEWAY_SELECT_RETRY_SHARE   0.5
#define NGX_GATEWAY_SELECT_HEDGE_FULL    20.0

#define NGX_GATEWAY_SELECT_BREAK_AFTER   5
#define NGX_GATEWAY_SELECT_BREAK_TIME    2000      /* ms, doubled */
#define NGX_GATEWAY_SELECT_BREAK_MAX     60000


/* of a chain */

typedef struct {
    double                   retries;
    double                   hedges;
    ngx_uint_t               failures;     /* of the altruist, in a row */
    ngx_msec_t               closed;       /* until then */
    unsigned                 probing:1;    /* one call finds out */
} ngx_gateway_select_budget_t;


struct ngx_gateway_select_budgets_s {
    ngx_gateway_select_budget_t  chains[NGX_GATEWAY_SELECT_CHAINS_MAX];
};


static ngx_gateway_select_budget_t *ngx_gateway_select_budget(
    ngx_gateway_select_call_t *call);


ngx_int_t
ngx_gateway_select_budgets_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                    i;
    ngx_gateway_select_budget_t  *budget;

    gmcf->budgets = ngx_pcalloc(cycle->pool,
                                sizeof(ngx_gateway_select_budgets_t));
    if (gmcf->budgets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_CHAINS_MAX; i++) {
        budget = &gmcf->budgets->chains[i];

        budget->retries = NGX_GATEWAY_SELECT_RETRY_FULL;
        budget->hedges = 1.0;
    }

    return NGX_OK;
}


static ngx_gateway_select_budget_t *
ngx_gateway_select_budget(ngx_gateway_select_call_t *call)
{
    return &call->gmcf->budgets->chains[call->shared->index];
}


void
ngx_gateway_select_budget_call(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_budget_t  *budget;

    budget = ngx_gateway_select_budget(call);

    budget->retries = ngx_min(budget->retries
                              + NGX_GATEWAY_SELECT_RETRY_SHARE,
                              NGX_GATEWAY_SELECT_RETRY_FULL);
    budget->hedges = ngx_min(budget->hedges + call->chain->hedge,
                             NGX_GATEWAY_SELECT_HEDGE_FULL);
}


ngx_uint_t
ngx_gateway_select_budget_retry(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_budget_t  *budget;

    budget = ngx_gateway_select_budget(call);

    if (budget->retries < 1.0) {
        return 0;
    }

    budget->retries -= 1.0;

    return 1;
}


ngx_uint_t
ngx_gateway_select_budget_hedge(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_budget_t  *budget;

    budget = ngx_gateway_select_budget(call);

    if (call->chain->hedge == 0 || budget->hedges < 1.0) {
        return 0;
    }

    budget->hedges -= 1.0;

    return 1;
}


ngx_uint_t
ngx_gateway_select_budget_altruist(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_budget_t  *budget;

    if (call->chain->altruist == NULL) {
        return 0;
    }

    budget = ngx_gateway_select_budget(call);

    if (budget->failures < NGX_GATEWAY_SELECT_BREAK_AFTER) {
        return 1;
    }

    if (budget->probing
        || (ngx_msec_int_t) (budget->closed - ngx_current_msec) > 0)
    {
        return 0;
    }

    budget->probing = 1;

    return 1;
}


void
ngx_gateway_select_budget_altruist_told(ngx_gateway_select_call_t *call,
    ngx_uint_t good)
{
    ngx_msec_t                    pause;
    ngx_uint_t                    more;
    ngx_gateway_select_budget_t  *budget;

    budget = ngx_gateway_select_budget(call);

    budget->probing = 0;

    if (good) {
        budget->failures = 0;
        return;
    }

    budget->failures++;

    if (budget->failures < NGX_GATEWAY_SELECT_BREAK_AFTER) {
        return;
    }

    more = ngx_min(budget->failures - NGX_GATEWAY_SELECT_BREAK_AFTER, 5);
    pause = NGX_GATEWAY_SELECT_BREAK_TIME << more;

    budget->closed = ngx_current_msec
                     + ngx_min(pause, NGX_GATEWAY_SELECT_BREAK_MAX);
}
