
/*
 * How high is the node?  Its answer is a vote on the chain's height.
 */


#include "ngx_gateway_select_check_builtin.h"


static void ngx_gateway_select_height_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);


void
ngx_gateway_select_height_perform(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_builtin_ask(probe, 0, ngx_gateway_select_height_reply);
}


static void
ngx_gateway_select_height_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    gateway_probe_answer_t  answer;

    if (ngx_gateway_select_builtin_read(probe, reply, &answer)
        == GATEWAY_ANSWER_OK)
    {
        ngx_gateway_select_probe_height(probe, answer.height);
    }
}
