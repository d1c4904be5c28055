
/*
 * POST /v1/private/mesh/updatechains: another chain set for all workers, and
 * for the chains file.
 */


#ifndef _NGX_MESH_RELAY_UPDATE_H_INCLUDED_
#define _NGX_MESH_RELAY_UPDATE_H_INCLUDED_


#include "ngx_mesh_relay.h"


/*
 * The callback of the request's body.  The set is put in force in the zone,
 * the file is written beside the old one and renamed, by a thread; answers
 * with the set keyed by id, 400 for a set that is none, 500 naming the file
 * when it cannot be written: then nothing is changed.
 */
void ngx_mesh_relay_update_chains(ngx_http_request_t *r);


#endif /* _NGX_MESH_RELAY_UPDATE_H_INCLUDED_ */
