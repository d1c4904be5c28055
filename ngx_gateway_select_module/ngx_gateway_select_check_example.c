
/*
 * A whole check as an example: is the node done with its first download of
 * the chain?  "check evm_syncing_check;" in a gateway_chain {} turns it on: it
 * is in the table of such checks in ngx_gateway_select_check.c.
 */


#include "ngx_gateway_select_check_builtin.h"


static ngx_str_t *ngx_gateway_select_syncing_name(
    ngx_gateway_select_check_t *check);
static void ngx_gateway_select_syncing_perform(
    ngx_gateway_select_probe_t *probe);
static void ngx_gateway_select_syncing_reply(
    ngx_gateway_select_probe_t *probe, ngx_gateway_select_reply_t *reply);


ngx_gateway_select_check_t  ngx_gateway_select_syncing = {
    ngx_gateway_select_syncing_name,
    ngx_gateway_select_probe_idle,         /* busy nodes are not asked */
    ngx_gateway_select_syncing_perform,
    GATEWAY_PROBE_CUSTOM,
    GATEWAY_PENALTY_CHECK,
    0,                                     /* as often as the others */
    30000,                                 /* out for 30 s at least */
    0, 0,                                  /* about no block */
    NGX_GATEWAY_SELECT_AUTO,
    NULL
};


static ngx_str_t *
ngx_gateway_select_syncing_name(ngx_gateway_select_check_t *check)
{
    static ngx_str_t  name = ngx_string("evm_syncing_check");

    return &name;
}


static void
ngx_gateway_select_syncing_perform(ngx_gateway_select_probe_t *probe)
{
    static gateway_probe_request_t  request = {
        pocket_string("POST"), pocket_string(""),
        pocket_string("{\"jsonrpc\":\"2.0\",\"method\":\"eth_syncing\","
                      "\"params\":[],\"id\":1}"),
        pocket_string("Content-Type"), pocket_string("application/json"), 0, 1
    };

    if (ngx_gateway_select_probe_send(probe, &request,
                                      ngx_gateway_select_syncing_reply)
        != NGX_OK)
    {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
    }
}


static void
ngx_gateway_select_syncing_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    if (reply->status != NGX_HTTP_OK) {
        ngx_gateway_select_probe_end(probe, reply->status ? GATEWAY_TRY_FAILED
                                                          : GATEWAY_TRY_LOST,
                                     0);

    } else if (ngx_strnstr(reply->body.data, "\"result\":false",
                           reply->body.len))
    {
        ngx_gateway_select_probe_pass(probe);

    } else {
        ngx_gateway_select_probe_fail(probe, "it is still syncing");
    }
}
