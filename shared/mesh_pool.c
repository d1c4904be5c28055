
#include "mesh_pool.h"


static void *mesh_pool_alloc(void *data, size_t size);


void
mesh_pool_allocator(ngx_pool_t *pool, pocket_alloc_t *a)
{
    a->alloc = mesh_pool_alloc;
    a->data = pool;
}


static void *
mesh_pool_alloc(void *data, size_t size)
{
    return ngx_palloc(data, size);
}
