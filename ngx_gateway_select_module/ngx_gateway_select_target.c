
/*
 * The node of a call's next attempt: that of its filter, else one that has
 * what it needs and is high enough; and what its answer tells of it besides.
 */


#include "ngx_gateway_select_call.h"


/* a backup node that is out is worth so much of one that is not */

#define NGX_GATEWAY_SELECT_TARGET_OUT  1e-9


static ngx_int_t ngx_gateway_select_target_backup(
    ngx_gateway_select_call_t *call, ngx_gateway_select_pick_t *pick);
static double ngx_gateway_select_target_worth(
    ngx_gateway_select_call_t *call, ngx_gateway_select_server_t *server);
static ngx_atomic_uint_t ngx_gateway_select_target_wrong(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);


ngx_gateway_select_reason_e
ngx_gateway_select_target(ngx_gateway_select_call_t *call,
    ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_reason_e  reason;

    if (call->sticky) {

        if (call->tried.n) {
            return NGX_GATEWAY_SELECT_TRIED;
        }

        *pick = call->origin;

        return NGX_GATEWAY_SELECT_FOUND;
    }

    reason = ngx_gateway_select_pick(call->shared, &call->tried, pick);

    if (reason != NGX_GATEWAY_SELECT_FOUND
        && !call->hedging
        && ngx_gateway_select_target_backup(call, pick) == NGX_OK)
    {
        reason = NGX_GATEWAY_SELECT_FOUND;
    }

    if (reason == NGX_GATEWAY_SELECT_FOUND
        && call->higher && ngx_gateway_select_told(pick) < call->higher)
    {
        return NGX_GATEWAY_SELECT_TRIED;
    }

    return reason;
}


/* The table has them only when no other is in; here all others have failed. */

static ngx_int_t
ngx_gateway_select_target_backup(ngx_gateway_select_call_t *call,
    ngx_gateway_select_pick_t *pick)
{
    double                        worth, most;
    ngx_uint_t                    i;
    ngx_gateway_select_server_t  *server, *best;

    best = NULL;
    most = 0;
    server = call->chain->servers.elts;

    for (i = 0; i < call->chain->servers.nelts; i++) {

        if (!server[i].backup
            || server[i].down
            || server[i].node == NGX_GATEWAY_SELECT_NO_NODE)
        {
            continue;
        }

        worth = ngx_gateway_select_target_worth(call, &server[i]);

        if (worth > most) {
            most = worth;
            best = &server[i];
        }
    }

    if (best == NULL) {
        return NGX_DECLINED;
    }

    ngx_gateway_select_pick_node(call->shared, best->node,
                                 NGX_GATEWAY_SELECT_NO_SESSION, pick);

    return (pick->generation & 1) ? NGX_DECLINED : NGX_OK;
}


/* 0: not to be asked */

static double
ngx_gateway_select_target_worth(ngx_gateway_select_call_t *call,
    ngx_gateway_select_server_t *server)
{
    double                      worth;
    ngx_uint_t                  i;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_node(call->shared, server->node);

    if (node->flags & (NGX_GATEWAY_SELECT_CORDONED
                       |NGX_GATEWAY_SELECT_DRAINED))
    {
        return 0;
    }

    for (i = 0; i < call->tried.n; i++) {
        if (call->tried.nodes[i] == server->node) {
            return 0;
        }
    }

    worth = (node->weight + NGX_GATEWAY_SELECT_TARGET_OUT) * server->weight;

    return node->factors.excluded ? worth * NGX_GATEWAY_SELECT_TARGET_OUT
                                  : worth;
}


ngx_uint_t
ngx_gateway_select_target_higher(ngx_gateway_select_attempt_t *attempt)
{
    uint64_t                     height;
    ngx_gateway_select_call_t   *call;
    ngx_gateway_select_pick_t    pick;
    ngx_gateway_select_tried_t   tried;

    call = attempt->call;

    if (call->fallback || call->sticky || attempt->altruist
        || !(call->asked.traits & GATEWAY_CALL_NULL))
    {
        return 0;
    }

    /*
     * A block by its number is known to a node that is as high.  Of what is
     * asked for by hash only one that is higher can know more.
     */

    height = call->asked.newest;

    if (height == GATEWAY_CALL_NO_BLOCK) {

        height = ngx_gateway_select_told(&attempt->pick);

        if (height++ == 0) {
            return 0;
        }
    }

    tried = call->tried;
    tried.min_height = ngx_max(tried.min_height, height);

    if (ngx_gateway_select_pick(call->shared, &tried, &pick)
        != NGX_GATEWAY_SELECT_FOUND
        || ngx_gateway_select_told(&pick) < height)
    {
        return 0;
    }

    call->tried.min_height = tried.min_height;
    call->higher = height;

    return 1;
}


gateway_try_e
ngx_gateway_select_target_judge(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result, gateway_try_e how)
{
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    if (attempt->altruist) {
        return how;
    }

    if (attempt->held && call->ability != GATEWAY_ABILITIES) {

        /* what it says of a method or block that it has not got is a lack */

        if (attempt->scan.absent && attempt->fault != GATEWAY_FAULT_QUOTA) {
            attempt->fault = GATEWAY_FAULT_LACKING;
        }

        if (attempt->fault == GATEWAY_FAULT_LACKING) {
            ngx_gateway_select_lacks(&attempt->pick, call->ability);
            return GATEWAY_TRY_CENSORED;
        }

        if (attempt->fault == GATEWAY_FAULT_NONE && !call->asked.batch) {
            ngx_gateway_select_able(&attempt->pick, call->ability);
        }
    }

    attempt->null = (attempt->held
                     && attempt->fault == GATEWAY_FAULT_NONE
                     && attempt->scan.null);

    if (how != GATEWAY_TRY_OK && attempt->pick.wrong == 0) {
        attempt->pick.wrong = ngx_gateway_select_target_wrong(attempt,
                                                              result);
    }

    return how;
}


/* For the text of the node's last error. */

static ngx_atomic_uint_t
ngx_gateway_select_target_wrong(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    if (attempt->too_long) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_SIZE, 0);
    }

    if (result->outcome != MESH_HTTP_OK) {
        return ngx_gateway_select_unanswered(result);
    }

    if (result->status >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_STATUS,
                                        result->status);
    }

    if (!attempt->held) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_ANSWER, 0);
    }

    if (attempt->scan.fault) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_ERROR,
                                        attempt->scan.erred);
    }

    if (!attempt->scan.json) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_TEXT, 0);
    }

    return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_CALL, 0);
}
