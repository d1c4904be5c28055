
/*
 * The shared zone: its life over reloads, its memory, its chains.
 */


#include "gateway_clock.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_rank.h"

#include <sodium.h>


#define NGX_GATEWAY_SELECT_ZONE_SUFFIX  "gateway"


static uint64_t ngx_gateway_select_clock_wanted(void);
static ngx_int_t ngx_gateway_select_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_gateway_select_zone_create(
    ngx_gateway_select_zone_t *zone);
static ngx_uint_t ngx_gateway_select_zone_rows(
    ngx_gateway_select_zone_t *zone);
static ngx_int_t ngx_gateway_select_zone_join(ngx_shm_zone_t *shm_zone);
static ngx_gateway_select_chain_sh_t *ngx_gateway_select_zone_lookup(
    ngx_gateway_select_sh_t *sh, ngx_str_t *name, uint32_t hash);
static ngx_gateway_select_chain_sh_t *ngx_gateway_select_zone_chain_new(
    ngx_gateway_select_zone_t *zone, ngx_str_t *name, uint32_t hash);


static volatile uint64_t    ngx_gateway_select_no_clock;

volatile uint64_t          *ngx_gateway_select_clock =
    &ngx_gateway_select_no_clock;


ngx_int_t
ngx_gateway_select_zone_add(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->gmcf = gmcf;
    zone->cycle = cf->cycle;

    gmcf->shm_zone = mesh_zone_add(cf, &gmcf->mesh,
                                   NGX_GATEWAY_SELECT_ZONE_SUFFIX,
                                   &ngx_gateway_select_module);
    if (gmcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    gmcf->shm_zone->init = ngx_gateway_select_zone_init;
    gmcf->shm_zone->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_gateway_select_zone_t  *ozone = data;

    ngx_int_t                   rc;
    mesh_zone_head_t           *head;
    ngx_gateway_select_zone_t  *zone;

    zone = shm_zone->data;
    head = ozone ? &ozone->sh->head : NULL;

    rc = mesh_zone_open(shm_zone, &zone->gmcf->mesh, &head,
                        sizeof(ngx_gateway_select_sh_t),
                        NGX_GATEWAY_SELECT_ZONE_LAYOUT);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone->sh = (ngx_gateway_select_sh_t *) head;

    ngx_gateway_select_clock = &zone->sh->clock;

    if (rc == NGX_DECLINED
        && ngx_gateway_select_zone_create(zone) != NGX_OK)
    {
        return mesh_zone_small(shm_zone, &zone->gmcf->mesh);
    }

    return ngx_gateway_select_zone_join(shm_zone);
}


static ngx_int_t
ngx_gateway_select_zone_create(ngx_gateway_select_zone_t *zone)
{
    u_char                    id[NGX_GATEWAY_SELECT_ID_LEN / 2];
    ngx_gateway_select_sh_t  *sh;

    sh = zone->sh;

    sh->nrows = ngx_gateway_select_zone_rows(zone);
    sh->clock = ngx_gateway_select_clock_wanted();
    sh->clock_at = ngx_current_msec;

    randombytes_buf(id, sizeof(id));
    ngx_hex_dump(sh->id, id, sizeof(id));

    ngx_queue_init(&sh->letters);

    sh->metrics = ngx_slab_calloc(zone->shpool,
                                  sizeof(ngx_gateway_select_totals_t));
    if (sh->metrics == NULL) {
        return NGX_ERROR;
    }

    if (ngx_gateway_select_operators_create(zone) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_gateway_select_clients_create(zone);
}


/* What the time of day is ahead of the monotonic clock. */

static uint64_t
ngx_gateway_select_clock_wanted(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec - ngx_current_msec;
}


void
ngx_gateway_select_clock_follow(ngx_gateway_select_sh_t *sh)
{
    sh->clock = gateway_clock_follow(sh->clock,
                                     ngx_gateway_select_clock_wanted(),
                                     ngx_current_msec,
                                     ngx_current_msec - sh->clock_at);
    sh->clock_at = ngx_current_msec;
}


/* the workers of two configurations at once, and some that linger */

static ngx_uint_t
ngx_gateway_select_zone_rows(ngx_gateway_select_zone_t *zone)
{
    ngx_uint_t        rows;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(zone->cycle->conf_ctx,
                                           ngx_core_module);

    rows = 2 * ngx_max(ccf->worker_processes, 1) + 2;

    return ngx_min(rows, NGX_GATEWAY_SELECT_ROWS_MAX);
}


static ngx_int_t
ngx_gateway_select_zone_join(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                    i, placed;
    ngx_gateway_select_zone_t    *zone;
    ngx_gateway_select_chain_t  **chain;

    zone = shm_zone->data;

    ngx_shmtx_lock(&zone->shpool->mutex);
    zone->generation = ++zone->sh->generation;
    ngx_shmtx_unlock(&zone->shpool->mutex);

    chain = zone->gmcf->chains.elts;

    for (i = 0; i < zone->gmcf->chains.nelts; i++) {

        placed = ngx_gateway_select_zone_servers(zone, chain[i]);

        if (chain[i]->sh && placed == chain[i]->servers.nelts) {
            continue;
        }

        /* with the zone's age its memory may be other nodes' */

        if (zone->generation > 1) {
            ngx_gateway_select_zone_warn(zone);
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" of \"mesh_zone\" has room for %ui of %ui "
                      "servers of chain \"%V\"; make it larger, or "
                      "\"gateway_max_nodes\"",
                      &zone->gmcf->mesh.zone_name, placed,
                      chain[i]->servers.nelts, &chain[i]->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_gateway_select_zone_servers(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_t *chain)
{
    ngx_int_t                     slot;
    ngx_str_t                    *url;
    ngx_uint_t                    i, placed;
    ngx_gateway_select_server_t  *server;

    server = chain->servers.elts;

    for (i = 0; i < chain->servers.nelts; i++) {
        server[i].node = NGX_GATEWAY_SELECT_NO_NODE;
    }

    chain->sh = ngx_gateway_select_zone_chain_add(zone->gmcf, &chain->name);
    if (chain->sh == NULL) {
        return 0;
    }

    chain->sh->generation = zone->generation;

    placed = 0;

    for (i = 0; i < chain->servers.nelts; i++) {

        url = server[i].url ? &server[i].url->text : &server[i].name;

        slot = ngx_gateway_select_zone_node(zone->gmcf, chain->sh,
                                            &server[i].name, url,
                                            &server[i].operator);
        if (slot == NGX_ERROR) {
            continue;
        }

        server[i].node = (uint32_t) slot;
        placed++;
    }

    if (chain->sh->halves[chain->sh->current].generation == 0) {
        ngx_gateway_select_rank_first(zone->gmcf, chain);
    }

    return placed;
}


ngx_gateway_select_chain_sh_t *
ngx_gateway_select_zone_chain(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *name)
{
    return ngx_gateway_select_zone_lookup(ngx_gateway_select_zone(gmcf)->sh,
                                          name,
                                          ngx_murmur_hash2(name->data,
                                                           name->len));
}


/*
 * The directory only grows, and has always free places: so a reader needs no
 * lock, and ends.
 */

static ngx_gateway_select_chain_sh_t *
ngx_gateway_select_zone_lookup(ngx_gateway_select_sh_t *sh, ngx_str_t *name,
    uint32_t hash)
{
    ngx_uint_t                      i, n;
    ngx_gateway_select_chain_sh_t  *chain;

    for (i = hash % NGX_GATEWAY_SELECT_CHAINS_SLOTS;
         (n = sh->directory[i]) != 0;
         i = (i + 1) % NGX_GATEWAY_SELECT_CHAINS_SLOTS)
    {
        chain = sh->chains[n - 1];

        if (chain->hash == hash
            && chain->name_len == name->len
            && ngx_memcmp(chain->name, name->data, name->len) == 0)
        {
            return chain;
        }
    }

    return NULL;
}


ngx_gateway_select_chain_sh_t *
ngx_gateway_select_zone_chain_add(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *name)
{
    uint32_t                        hash;
    ngx_gateway_select_zone_t      *zone;
    ngx_gateway_select_chain_sh_t  *chain;

    zone = ngx_gateway_select_zone(gmcf);
    hash = ngx_murmur_hash2(name->data, name->len);

    ngx_shmtx_lock(&zone->shpool->mutex);

    chain = ngx_gateway_select_zone_lookup(zone->sh, name, hash);

    if (chain == NULL) {
        chain = ngx_gateway_select_zone_chain_new(zone, name, hash);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (chain == NULL) {
        ngx_gateway_select_zone_warn(zone);
    }

    return chain;
}


/* The lock is held. */

static ngx_gateway_select_chain_sh_t *
ngx_gateway_select_zone_chain_new(ngx_gateway_select_zone_t *zone,
    ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t                      i;
    ngx_gateway_select_sh_t        *sh;
    ngx_gateway_select_chain_sh_t  *chain;

    sh = zone->sh;

    if (name->len > NGX_GATEWAY_SELECT_KEY_MAX
        || sh->nchains == NGX_GATEWAY_SELECT_CHAINS_MAX)
    {
        return NULL;
    }

    chain = ngx_gateway_select_zone_alloc(zone,
                                       sizeof(ngx_gateway_select_chain_sh_t));
    if (chain == NULL) {
        return NULL;
    }

    chain->past = ngx_gateway_select_zone_alloc(zone,
                                        sizeof(ngx_gateway_select_past_t));
    if (chain->past == NULL) {
        ngx_slab_free_locked(zone->shpool, chain);
        return NULL;
    }

    chain->metrics = ngx_gateway_select_zone_alloc(zone,
                                        sizeof(ngx_gateway_select_metrics_t));
    if (chain->metrics == NULL) {
        ngx_slab_free_locked(zone->shpool, chain->past);
        ngx_slab_free_locked(zone->shpool, chain);
        return NULL;
    }

    chain->sh = sh;
    chain->index = sh->nchains;
    chain->hash = hash;
    chain->empty = NGX_GATEWAY_SELECT_NO_NODES;
    chain->name_len = (u_char) name->len;
    ngx_memcpy(chain->name, name->data, name->len);

    ngx_rbtree_init(&chain->tree, &chain->sentinel,
                    ngx_str_rbtree_insert_value);

    for (i = hash % NGX_GATEWAY_SELECT_CHAINS_SLOTS;
         sh->directory[i];
         i = (i + 1) % NGX_GATEWAY_SELECT_CHAINS_SLOTS)
    {
        /* void */
    }

    sh->chains[sh->nchains] = chain;

    /* readers find the chain by the directory: all of it is there before */

    ngx_memory_barrier();

    sh->directory[i] = (uint16_t) ++sh->nchains;

    return chain;
}


void *
ngx_gateway_select_zone_alloc(ngx_gateway_select_zone_t *zone, size_t size)
{
    void  *p;

    p = ngx_slab_calloc_locked(zone->shpool, size);

    if (p == NULL) {
        zone->sh->head.full = 1;
    }

    return p;
}


void
ngx_gateway_select_zone_warn(ngx_gateway_select_zone_t *zone)
{
    mesh_zone_warn(zone->shpool, &zone->gmcf->mesh, &zone->sh->head,
                   "nodes are left out; make it, or \"gateway_max_nodes\", "
                   "larger");
}


uint64_t
ngx_gateway_select_cpu_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
