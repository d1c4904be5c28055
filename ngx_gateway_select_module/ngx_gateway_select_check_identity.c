
/*
 * Is it a node of this chain at all?  The chain id is a vote, too: what it
 * ought to be is not configured.
 */


#include "ngx_gateway_select_check_builtin.h"


static void ngx_gateway_select_chain_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);


void
ngx_gateway_select_chain_perform(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_builtin_ask(probe, 0, ngx_gateway_select_chain_reply);
}


static void
ngx_gateway_select_chain_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    ngx_str_t               id;
    gateway_probe_answer_t  answer;

    if (ngx_gateway_select_builtin_read(probe, reply, &answer)
        == GATEWAY_ANSWER_OK)
    {
        id.len = answer.identifier.len;
        id.data = answer.identifier.data;

        ngx_gateway_select_probe_identifier(probe, &id, reply);
    }
}
