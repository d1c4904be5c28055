
/*
 * What the built-in checks share: they ask and read by gateway_probe.h.
 */


#ifndef _NGX_GATEWAY_SELECT_CHECK_BUILTIN_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CHECK_BUILTIN_H_INCLUDED_


#include "ngx_gateway_select_checker.h"


/* should_run */

ngx_uint_t ngx_gateway_select_always(ngx_gateway_select_probe_t *probe);
ngx_uint_t ngx_gateway_select_sparse(ngx_gateway_select_probe_t *probe);

/* perform */

void ngx_gateway_select_height_perform(ngx_gateway_select_probe_t *probe);
void ngx_gateway_select_data_perform(ngx_gateway_select_probe_t *probe);
void ngx_gateway_select_chain_perform(ngx_gateway_select_probe_t *probe);


/* written as an example */

extern ngx_gateway_select_check_t  ngx_gateway_select_syncing;


/* Sends the request of the check's kind, or ends the turn. */
void ngx_gateway_select_builtin_ask(ngx_gateway_select_probe_t *probe,
    uint64_t block, ngx_gateway_select_reply_pt handler);

/*
 * Reads the answer to it.  With OK and SKIPPED the turn goes on; with what
 * else it gives, it has ended the turn.
 */
gateway_answer_e ngx_gateway_select_builtin_read(
    ngx_gateway_select_probe_t *probe, ngx_gateway_select_reply_t *reply,
    gateway_probe_answer_t *answer);


#endif /* _NGX_GATEWAY_SELECT_CHECK_BUILTIN_H_INCLUDED_ */
