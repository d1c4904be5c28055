
/*
 * Does the node have the data that others have?  All are asked for the hash
 * of one block, far enough below the chain's height for each to have it.
 *
 * A slot of Solana may have no block: then the one before is asked for.  All
 * honest nodes come to the same block so, and what is compared is the last
 * block up to the slot.
 */


#include "ngx_gateway_select_check_builtin.h"


#define NGX_GATEWAY_SELECT_SLOTS_BACK  5


static void ngx_gateway_select_data_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);


void
ngx_gateway_select_data_perform(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_builtin_ask(probe, probe->block,
                                   ngx_gateway_select_data_reply);
}


static void
ngx_gateway_select_data_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    ngx_str_t                 hash;
    gateway_answer_e          rc;
    gateway_probe_answer_t    answer;
    gateway_probe_request_t  *request;

    rc = ngx_gateway_select_builtin_read(probe, reply, &answer);

    if (rc == GATEWAY_ANSWER_OK) {
        hash.len = answer.identifier.len;
        hash.data = answer.identifier.data;

        ngx_gateway_select_probe_identifier(probe, &hash, reply);
        return;
    }

    if (rc != GATEWAY_ANSWER_SKIPPED) {
        return;
    }

    request = probe->ctx;

    if (request->block + NGX_GATEWAY_SELECT_SLOTS_BACK <= probe->block
        || request->block <= 1)
    {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_OK, 0);
        return;
    }

    ngx_gateway_select_builtin_ask(probe, request->block - 1,
                                   ngx_gateway_select_data_reply);
}
