
/*
 * FindNode as others see it: gateway_find.h, GET /gateway/find/<chain>, and
 * the variables of gateway_node.
 */


#ifndef _NGX_GATEWAY_SELECT_FIND_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_FIND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_find.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_pick.h"


/*
 * Picks a node of the chain and copies what is told of it into *found; pick
 * is where the choice goes.  NGX_DECLINED: there is none, found->reason says
 * why.  No lock, no allocation.
 */
ngx_int_t ngx_gateway_select_find(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *chain, gateway_found_t *found, ngx_gateway_select_pick_t *pick);

/*
 * Does the request have the token of gateway_auth, as Authorization, as it
 * is or as a bearer's, or as x-api-key?  Not, where there is no token.
 */
ngx_uint_t ngx_gateway_select_authorized(ngx_http_request_t *r,
    ngx_gateway_select_main_conf_t *gmcf);

/* For preconfiguration: $gateway_node and $gateway_node_url. */
ngx_int_t ngx_gateway_select_add_variables(ngx_conf_t *cf);


extern const gateway_find_calls_t    ngx_gateway_select_calls;
extern ngx_gateway_select_endpoint_t  ngx_gateway_select_find_endpoint;


#endif /* _NGX_GATEWAY_SELECT_FIND_H_INCLUDED_ */
