
/*
 * The chains that are hosted here: those of chains.json, until updatechains
 * puts another set in force for all workers.
 */


#ifndef _NGX_MESH_RELAY_CHAINS_H_INCLUDED_
#define _NGX_MESH_RELAY_CHAINS_H_INCLUDED_


#include "ngx_mesh_relay.h"


/*
 * A set of chains.  That of the file is part of the configuration; one by
 * updatechains has a pool of its own, freed when it is no longer in force
 * and no request holds it.
 */

struct ngx_mesh_relay_chain_set_s {
    ngx_array_t              chains;      /* ngx_mesh_relay_chain_t */
    ngx_uint_t               generation;  /* of the zone; 0: the file's */
    ngx_pool_t              *pool;        /* NULL: the configuration's */
    ngx_uint_t               refs;
};


/*
 * The chain of an id (text as in the relay) in the set in force, or NULL.
 * With r the request holds the set until its end; without it what is given
 * is good for this event only.
 */
ngx_mesh_relay_chain_t *ngx_mesh_relay_chain_find(
    ngx_mesh_relay_main_conf_t *mcf, ngx_http_request_t *r, ngx_str_t *id);

/* the set in force; good for this event only */
ngx_array_t *ngx_mesh_relay_chains(ngx_mesh_relay_main_conf_t *mcf);

/*
 * Puts the set of text (chains.json form) in force for all workers.
 * NGX_DECLINED: *err, in pool, says what is wrong with the text; NGX_ERROR:
 * no memory.  The file is not touched.
 */
ngx_int_t ngx_mesh_relay_chains_replace(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *err);

/* the set in force as chains.json has it, and as an object keyed by id */
ngx_int_t ngx_mesh_relay_chains_text(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text);
ngx_int_t ngx_mesh_relay_chains_by_id(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_MESH_RELAY_CHAINS_H_INCLUDED_ */
