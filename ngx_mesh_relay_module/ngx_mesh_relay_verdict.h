
/*
 * The checks of a relay before its session is looked at, on what this nginx
 * knows: its servicers, chains and nodes.
 */


#ifndef _NGX_MESH_RELAY_VERDICT_H_INCLUDED_
#define _NGX_MESH_RELAY_VERDICT_H_INCLUDED_


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_shm.h"
#include "pocket_validate.h"


/*
 * Rows 1 to 18 of spec 4.  NGX_OK: *hashes and *key (but its id) are filled;
 * NGX_DECLINED: *err is for the client; *key is filled when the servicer is
 * held, else its servicer is NULL.  Strings are those of relay.
 */
ngx_int_t ngx_mesh_relay_verdict(ngx_mesh_relay_main_conf_t *mcf,
    pocket_relay_t *relay, pocket_relay_hashes_t *hashes,
    ngx_mesh_relay_session_key_t *key, pocket_error_t *err);

/*
 * The refusal is due to a worker that has just started and has not heard of
 * the node yet: its first clients wait for the first check.
 */
ngx_uint_t ngx_mesh_relay_verdict_early(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, pocket_error_t *err);


/* init_process, exit_process: the hash context and the cache of AATs */
ngx_int_t ngx_mesh_relay_verdict_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_verdict_exit(ngx_mesh_relay_main_conf_t *mcf);


#endif /* _NGX_MESH_RELAY_VERDICT_H_INCLUDED_ */
