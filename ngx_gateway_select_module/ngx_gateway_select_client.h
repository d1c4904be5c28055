
/*
 * What is kept of clients, in tables of fixed size in the zone: the height
 * each was last told, so that none goes back in time, and the node that a
 * sticky one is at.  Any worker, no lock; what has no room is forgotten.
 */


#ifndef _NGX_GATEWAY_SELECT_CLIENT_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CLIENT_H_INCLUDED_


#include "ngx_gateway_select_zone.h"


/* The setter of gateway_client; its slot is in the module's loc conf. */
char *ngx_gateway_select_client(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* For the zone's init; NGX_ERROR: no memory. */
ngx_int_t ngx_gateway_select_clients_create(ngx_gateway_select_zone_t *zone);

/*
 * Who asks, of this chain: by "gateway_client", else the chain as a whole.
 * 0: heights are not minded ("off", or no memory).
 */
uint64_t ngx_gateway_select_client_key(ngx_http_request_t *r,
    ngx_http_complex_value_t *client, ngx_gateway_select_chain_sh_t *chain);

/* The height last told, 0: none is known. */
uint64_t ngx_gateway_select_client_height(ngx_gateway_select_sh_t *sh,
    uint64_t key);

/*
 * It is told this one now.  back: no node was as high as what it had been
 * told before, so that a lower one counts.  A height beyond what the chain
 * can have by now is not believed, nor any while nothing is known of it.
 */
void ngx_gateway_select_client_told(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, uint64_t height, ngx_uint_t back);

/*
 * The node that a sticky client was last sent to, or NO_NODE: none within the
 * last seconds, of that number.  The key is any of that client, of this chain.
 */
uint32_t ngx_gateway_select_client_node(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, time_t seconds);
void ngx_gateway_select_client_sent(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, uint32_t node);


#endif /* _NGX_GATEWAY_SELECT_CLIENT_H_INCLUDED_ */
