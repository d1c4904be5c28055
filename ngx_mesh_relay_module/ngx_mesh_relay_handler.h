
/*
 * The request side: a relay from its body to its answer.
 */


#ifndef _NGX_MESH_RELAY_HANDLER_H_INCLUDED_
#define _NGX_MESH_RELAY_HANDLER_H_INCLUDED_


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_answer.h"
#include "ngx_mesh_relay_execute.h"
#include "ngx_mesh_relay_shm.h"
#include "ngx_mesh_relay_store.h"
#include "pocket_validate.h"


/* content handlers of the roles of a location */

ngx_int_t ngx_mesh_relay_handler(ngx_http_request_t *r);
ngx_int_t ngx_mesh_relay_simulate_handler(ngx_http_request_t *r);
ngx_int_t ngx_mesh_relay_private_handler(ngx_http_request_t *r);


/* config time: the phase handler of mesh_relay_check; variables */

ngx_int_t ngx_mesh_relay_check_init(ngx_conf_t *cf);
ngx_int_t ngx_mesh_relay_add_variables(ngx_conf_t *cf);


#endif /* _NGX_MESH_RELAY_HANDLER_H_INCLUDED_ */
