
/*
 * What the zones of the modules have in common: see mesh_zone.h.
 */


#include "mesh_zone.h"


#define MESH_ZONE_WARN_EVERY  60000


static ngx_int_t mesh_zone_create(ngx_shm_zone_t *shm_zone,
    mesh_zone_head_t **head, size_t size);


ngx_shm_zone_t *
mesh_zone_add(ngx_conf_t *cf, mesh_conf_t *conf, const char *suffix,
    void *tag)
{
    u_char     *p;
    ngx_str_t   name;

    name.len = conf->zone_name.len + 1 + ngx_strlen(suffix);

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(name.data, conf->zone_name.data, conf->zone_name.len);
    *p++ = ':';
    ngx_memcpy(p, suffix, ngx_strlen(suffix));

    return ngx_shared_memory_add(cf, &name, conf->zone_size, tag);
}


ngx_int_t
mesh_zone_open(ngx_shm_zone_t *shm_zone, mesh_conf_t *conf,
    mesh_zone_head_t **head, size_t size, ngx_uint_t layout)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (*head == NULL && shm_zone->shm.exists) {
        *head = shpool->data;
    }

    if (*head == NULL) {
        if (mesh_zone_create(shm_zone, head, size) != NGX_OK) {
            return mesh_zone_small(shm_zone, conf);
        }

        (*head)->layout = layout;

        return NGX_DECLINED;
    }

    if ((*head)->layout != layout) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" of \"mesh_zone\" has layout %ui instead of "
                      "%ui: restart nginx, or give the zone another name",
                      &conf->zone_name, (*head)->layout, layout);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
mesh_zone_create(ngx_shm_zone_t *shm_zone, mesh_zone_head_t **head,
    size_t size)
{
    size_t            len;
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    *head = ngx_slab_calloc(shpool, size);
    if (*head == NULL) {
        return NGX_ERROR;
    }

    shpool->data = *head;

    len = sizeof(" in zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in zone \"%V\"%Z", &shm_zone->shm.name);

    /* a lack of memory is logged without the lock */

    shpool->log_nomem = 0;

    return NGX_OK;
}


ngx_int_t
mesh_zone_small(ngx_shm_zone_t *shm_zone, mesh_conf_t *conf)
{
    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "zone \"%V\" of \"mesh_zone\" is too small",
                  &conf->zone_name);

    return NGX_ERROR;
}


void
mesh_zone_warn(ngx_slab_pool_t *shpool, mesh_conf_t *conf,
    mesh_zone_head_t *head, const char *effect)
{
    ngx_uint_t  warn;
    ngx_msec_t  now;

    now = ngx_current_msec;

    ngx_shmtx_lock(&shpool->mutex);

    /* the clock of another worker may be ahead */

    warn = head->full
           && (!head->warned
               || (ngx_msec_int_t) (now - head->warned_at)
                  >= MESH_ZONE_WARN_EVERY);

    if (warn) {
        head->warned = 1;
        head->warned_at = now;
    }

    head->full = 0;

    ngx_shmtx_unlock(&shpool->mutex);

    if (warn) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "zone \"%V\" of \"mesh_zone\" is full, %s",
                      &conf->zone_name, effect);
    }
}
