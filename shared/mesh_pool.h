
/*
 * A pool's memory for the layer below, which knows no pools.
 */


#ifndef _MESH_POOL_H_INCLUDED_
#define _MESH_POOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "pocket_base.h"


/* What a gives is of the pool, and ends with it. */
void mesh_pool_allocator(ngx_pool_t *pool, pocket_alloc_t *a);


#endif /* _MESH_POOL_H_INCLUDED_ */
