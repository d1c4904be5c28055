
/*
 * gateway_select in upstream{}: an ordinary pool of servers as a chain of
 * the name "u:" and that of the upstream.  Each address of a server is a
 * node, its key is the address as nginx writes it ("10.0.0.1:8545").
 */


#ifndef _NGX_GATEWAY_SELECT_UPSTREAM_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_UPSTREAM_H_INCLUDED_


#include "ngx_gateway_select_pick.h"


/*
 * For the leader, before it ranks: brings chain->servers in line with the
 * addresses that "resolve" has found by now (nginx 1.27.3 and later).  The
 * elements of the array never move; one whose address has gone is "down",
 * and may be given to another address later.  They have no URL for checks.
 * NGX_OK: something changed, NGX_DECLINED: nothing did.
 *
 * Backup servers are not for the table: the balancer takes them itself, when
 * it has no other.
 */
ngx_int_t ngx_gateway_select_upstream_sync(ngx_gateway_select_chain_t *chain);


extern ngx_module_t  ngx_gateway_select_upstream_module;


#endif /* _NGX_GATEWAY_SELECT_UPSTREAM_H_INCLUDED_ */
