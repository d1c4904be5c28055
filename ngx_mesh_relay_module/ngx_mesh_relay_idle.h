
/*
 * Kept connections of clients over a reload.  A worker that is to quit closes
 * what is idle at once, also when the next request is already on its way:
 * that client sees a reset.  Connections that relays came by are therefore
 * left to their next request, whose answer says "Connection: close".
 */


#ifndef _NGX_MESH_RELAY_IDLE_H_INCLUDED_
#define _NGX_MESH_RELAY_IDLE_H_INCLUDED_


#include "ngx_mesh_relay.h"


/*
 * Before an answer is sent: while the worker quits it is the last one of its
 * connection, else the connection is spared once it is idle.  NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_mesh_relay_idle_spare(ngx_http_request_t *r);

/*
 * init_process.  While the worker quits a spared connection is closed when
 * nothing came by it for NGX_MESH_RELAY_IDLE_LINGER ms.
 */
void ngx_mesh_relay_idle_init(ngx_cycle_t *cycle);


#endif /* _NGX_MESH_RELAY_IDLE_H_INCLUDED_ */
