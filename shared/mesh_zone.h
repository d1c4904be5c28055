
/*
 * A module's zone of shared memory: its name by mesh_zone, its life over
 * reloads, and the warning that it is full.
 */


#ifndef _MESH_ZONE_H_INCLUDED_
#define _MESH_ZONE_H_INCLUDED_


#include "mesh_conf.h"


/*
 * What the shared memory of a module begins with.  full is set, with the
 * zone's lock held, where there was no memory.
 */

typedef struct {
    ngx_uint_t            layout;     /* of the module: other builds differ */
    ngx_msec_t            warned_at;
    unsigned              warned:1;
    unsigned              full:1;
} mesh_zone_head_t;


/*
 * The zone "NAME:SIZE" of mesh_zone for one module: "NAME:suffix", as two
 * modules share no name.  NULL: no memory, or an error, logged.
 */
ngx_shm_zone_t *mesh_zone_add(ngx_conf_t *cf, mesh_conf_t *conf,
    const char *suffix, void *tag);

/*
 * For the zone's init, which runs in the master while the workers of the old
 * cycle use it.  *head: that of the old cycle, or NULL; becomes that of the
 * zone.  NGX_OK: it was there, and stays as it is; NGX_DECLINED: size zeroed
 * bytes of a new one, of this layout, which is now to be filled; NGX_ERROR: it
 * is of another layout, or too small, logged.
 */
ngx_int_t mesh_zone_open(ngx_shm_zone_t *shm_zone, mesh_conf_t *conf,
    mesh_zone_head_t **head, size_t size, ngx_uint_t layout);

/* Says that a new zone is too small, and gives NGX_ERROR. */
ngx_int_t mesh_zone_small(ngx_shm_zone_t *shm_zone, mesh_conf_t *conf);

/*
 * Where it has been full since the last call: warns, at most once a minute,
 * with what follows from that.  Locks; any worker.
 */
void mesh_zone_warn(ngx_slab_pool_t *shpool, mesh_conf_t *conf,
    mesh_zone_head_t *head, const char *effect);


#endif /* _MESH_ZONE_H_INCLUDED_ */
