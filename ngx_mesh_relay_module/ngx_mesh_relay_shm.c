
/*
 * The shared zone: its life over reloads, its memory, the stop flag, the
 * chain set and the proofs recorded lately.
 */


#include "ngx_mesh_relay_zone.h"

#include <sodium.h>


#define NGX_MESH_RELAY_ZONE_SUFFIX   "relay"

/* share of the zone that is given to proofs, and the least number of them */
#define NGX_MESH_RELAY_PROOFS_SHARE  4
#define NGX_MESH_RELAY_PROOFS_MIN    256

#define NGX_MESH_RELAY_ALLOC_TRIES   16

#define NGX_MESH_RELAY_UPDATE_LEASE  10000    /* ms */


static ngx_int_t ngx_mesh_relay_shm_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_mesh_relay_shm_create(ngx_mesh_relay_zone_t *zone,
    size_t size);
static ngx_int_t ngx_mesh_relay_shm_join(ngx_shm_zone_t *shm_zone);
static ngx_mesh_relay_node_state_t *ngx_mesh_relay_shm_node(
    ngx_mesh_relay_zone_t *zone, ngx_str_t *name);
static ngx_int_t ngx_mesh_relay_proofs_create(ngx_mesh_relay_zone_t *zone,
    size_t size);
static ngx_inline uint32_t ngx_mesh_relay_proof_home(
    ngx_mesh_relay_proofs_t *proofs, u_char *hash);
static void ngx_mesh_relay_proof_forget(ngx_mesh_relay_proofs_t *proofs,
    uint32_t place);


ngx_int_t
ngx_mesh_relay_shm_add(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_relay_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->mcf = mcf;

    mcf->shm_zone = mesh_zone_add(cf, &mcf->mesh, NGX_MESH_RELAY_ZONE_SUFFIX,
                                  &ngx_mesh_relay_module);
    if (mcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    mcf->shm_zone->init = ngx_mesh_relay_shm_init_zone;
    mcf->shm_zone->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_shm_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_mesh_relay_zone_t  *ozone = data;

    ngx_int_t               rc;
    mesh_zone_head_t       *head;
    ngx_mesh_relay_zone_t  *zone;

    zone = shm_zone->data;
    head = ozone ? &ozone->sh->head : NULL;

    rc = mesh_zone_open(shm_zone, &zone->mcf->mesh, &head,
                        sizeof(ngx_mesh_relay_sh_t),
                        NGX_MESH_RELAY_ZONE_LAYOUT);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    zone->sh = (ngx_mesh_relay_sh_t *) head;

    if (rc == NGX_DECLINED
        && ngx_mesh_relay_shm_create(zone, shm_zone->shm.size) != NGX_OK)
    {
        return mesh_zone_small(shm_zone, &zone->mcf->mesh);
    }

    return ngx_mesh_relay_shm_join(shm_zone);
}


static ngx_int_t
ngx_mesh_relay_shm_create(ngx_mesh_relay_zone_t *zone, size_t size)
{
    ngx_mesh_relay_sh_t  *sh;

    sh = zone->sh;

    randombytes_buf(&sh->id, sizeof(sh->id));

    ngx_queue_init(&sh->nodes);
    ngx_queue_init(&sh->lru);
    ngx_queue_init(&sh->all);
    ngx_queue_init(&sh->pending);

    ngx_rbtree_init(&sh->tree, &sh->sentinel, ngx_str_rbtree_insert_value);

    return ngx_mesh_relay_proofs_create(zone, size);
}


static ngx_int_t
ngx_mesh_relay_shm_join(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t              i;
    ngx_mesh_relay_node_t  *node;
    ngx_mesh_relay_zone_t  *zone;

    zone = shm_zone->data;

    ngx_shmtx_lock(&zone->shpool->mutex);

    zone->generation = ++zone->sh->generation;
    zone->chains_base = zone->sh->chains_generation;

    node = zone->mcf->nodes.elts;

    for (i = 0; i < zone->mcf->nodes.nelts; i++) {
        node[i].state = ngx_mesh_relay_shm_node(zone, &node[i].name);

        if (node[i].state == NULL) {
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (i < zone->mcf->nodes.nelts) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" of \"mesh_zone\" has no room for node "
                      "\"%V\"", &zone->mcf->mesh.zone_name, &node[i].name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the state of the node of that name, made if there is none; or NULL */

static ngx_mesh_relay_node_state_t *
ngx_mesh_relay_shm_node(ngx_mesh_relay_zone_t *zone, ngx_str_t *name)
{
    size_t                        size;
    ngx_queue_t                  *q;
    ngx_mesh_relay_node_state_t  *state;

    for (q = ngx_queue_head(&zone->sh->nodes);
         q != ngx_queue_sentinel(&zone->sh->nodes);
         q = ngx_queue_next(q))
    {
        state = ngx_queue_data(q, ngx_mesh_relay_node_state_t, queue);

        if (state->name_len == name->len
            && ngx_memcmp(state->name, name->data, name->len) == 0)
        {
            return state;
        }
    }

    size = offsetof(ngx_mesh_relay_node_state_t, name) + name->len;

    state = ngx_mesh_relay_zone_alloc(zone, size);
    if (state == NULL) {
        return NULL;
    }

    ngx_memzero(state, size);

    state->name_len = name->len;
    ngx_memcpy(state->name, name->data, name->len);

    ngx_queue_insert_tail(&zone->sh->nodes, &state->queue);

    return state;
}


void *
ngx_mesh_relay_zone_alloc(ngx_mesh_relay_zone_t *zone, size_t size)
{
    void        *p;
    ngx_uint_t   tries;

    for (tries = 0; tries < NGX_MESH_RELAY_ALLOC_TRIES; tries++) {

        p = ngx_slab_alloc_locked(zone->shpool, size);

        if (p) {
            return p;
        }

        if (!ngx_mesh_relay_session_evict(zone)) {
            break;
        }
    }

    zone->sh->head.full = 1;

    return NULL;
}


void
ngx_mesh_relay_zone_warn(ngx_mesh_relay_zone_t *zone)
{
    mesh_zone_warn(zone->shpool, &zone->mcf->mesh, &zone->sh->head,
                   "sessions in use are dropped from it; make it larger");
}


uint64_t
ngx_mesh_relay_zone_id(ngx_mesh_relay_main_conf_t *mcf)
{
    return ngx_mesh_relay_zone(mcf)->sh->id;
}


void
ngx_mesh_relay_stop_set(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    zone->sh->stopped = zone->generation;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_mesh_relay_stopped(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);

    return zone->sh->stopped == zone->generation;
}


ngx_uint_t
ngx_mesh_relay_chains_generation(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_atomic_uint_t       generation;
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);

    generation = zone->sh->chains_generation;

    return (generation > zone->chains_base) ? generation : 0;
}


ngx_int_t
ngx_mesh_relay_chains_get(ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t *generation)
{
    size_t                  len;
    ngx_int_t               rc;
    ngx_mesh_relay_sh_t    *sh;
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);
    sh = zone->sh;

    do {
        *generation = ngx_mesh_relay_chains_generation(mcf);

        if (*generation == 0) {
            return NGX_DECLINED;
        }

        ngx_shmtx_lock(&zone->shpool->mutex);
        len = sh->chains_len;
        ngx_shmtx_unlock(&zone->shpool->mutex);

        text->len = len;
        text->data = ngx_pnalloc(pool, len);

        if (text->data == NULL) {
            return NGX_ERROR;
        }

        rc = NGX_AGAIN;

        ngx_shmtx_lock(&zone->shpool->mutex);

        if (sh->chains_generation == *generation && sh->chains_len == len) {
            ngx_memcpy(text->data, sh->chains, len);
            rc = NGX_OK;
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);

        /* another set came meanwhile: that one, then */

    } while (rc == NGX_AGAIN);

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_chains_set(ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *text)
{
    u_char                 *p, *old;
    ngx_mesh_relay_sh_t    *sh;
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);
    sh = zone->sh;

    ngx_shmtx_lock(&zone->shpool->mutex);

    p = ngx_mesh_relay_zone_alloc(zone, ngx_max(text->len, 1));

    if (p) {
        ngx_memcpy(p, text->data, text->len);

        old = sh->chains;

        sh->chains = p;
        sh->chains_len = text->len;
        sh->chains_generation++;

        if (old) {
            ngx_slab_free_locked(zone->shpool, old);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_mesh_relay_zone_warn(zone);

    return p ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_mesh_relay_update_begin(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t              number;
    ngx_mesh_relay_sh_t    *sh;
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);
    sh = zone->sh;
    number = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (sh->update == 0
        || !ngx_mesh_relay_later(sh->update_until, ngx_current_msec))
    {
        number = ++sh->updates;

        sh->update = number;
        sh->update_until = ngx_current_msec + NGX_MESH_RELAY_UPDATE_LEASE;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return number;
}


void
ngx_mesh_relay_update_end(ngx_mesh_relay_main_conf_t *mcf, ngx_uint_t number)
{
    ngx_mesh_relay_zone_t  *zone;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->update == number) {
        zone->sh->update = 0;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * The table is the largest power of two that fits the share, with a ring of
 * half as many places: probes stay short.
 */

static ngx_int_t
ngx_mesh_relay_proofs_create(ngx_mesh_relay_zone_t *zone, size_t size)
{
    uint32_t                  n;
    ngx_uint_t                bits;
    ngx_mesh_relay_proofs_t  *proofs;

    proofs = &zone->sh->proofs;

    size /= NGX_MESH_RELAY_PROOFS_SHARE;

    n = (uint32_t) 1 << 31;

    for (bits = 31; bits > 1; bits--, n /= 2) {

        if (n / 2 <= NGX_MESH_RELAY_PROOFS_MIN
            || size / n >= sizeof(uint32_t) + POCKET_HASH_LEN / 2)
        {
            break;
        }
    }

    proofs->size = n / 2;
    proofs->mask = n - 1;
    proofs->shift = 64 - bits;

    proofs->table = ngx_slab_calloc(zone->shpool, n * sizeof(uint32_t));
    if (proofs->table == NULL) {
        return NGX_ERROR;
    }

    /* zeroed, so that its pages are there before the first relay */

    proofs->ring = ngx_slab_calloc(zone->shpool,
                                   (size_t) proofs->size * POCKET_HASH_LEN);
    if (proofs->ring == NULL) {
        return NGX_ERROR;
    }

    randombytes_buf(&proofs->seed, sizeof(uint64_t));
    proofs->seed |= 1;

    return NGX_OK;
}


/* multiply-shift: whoever does not know the seed cannot choose the place */

static ngx_inline uint32_t
ngx_mesh_relay_proof_home(ngx_mesh_relay_proofs_t *proofs, u_char *hash)
{
    uint64_t  n;

    ngx_memcpy(&n, hash, sizeof(uint64_t));

    return (uint32_t) ((n * proofs->seed) >> proofs->shift);
}


ngx_uint_t
ngx_mesh_relay_proof_find(ngx_mesh_relay_zone_t *zone, u_char *hash)
{
    u_char                   *p;
    uint32_t                  i;
    ngx_mesh_relay_proofs_t  *proofs;

    proofs = &zone->sh->proofs;

    for (i = ngx_mesh_relay_proof_home(proofs, hash);
         proofs->table[i];
         i = (i + 1) & proofs->mask)
    {
        p = proofs->ring
            + (size_t) (proofs->table[i] - 1) * POCKET_HASH_LEN;

        if (ngx_memcmp(p, hash, POCKET_HASH_LEN) == 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_mesh_relay_proof_add(ngx_mesh_relay_zone_t *zone, u_char *hash)
{
    uint32_t                  i;
    ngx_mesh_relay_proofs_t  *proofs;

    if (ngx_mesh_relay_proof_find(zone, hash)) {
        return;
    }

    proofs = &zone->sh->proofs;

    if (proofs->used == proofs->size) {
        ngx_mesh_relay_proof_forget(proofs, proofs->next);

    } else {
        proofs->used++;
    }

    ngx_memcpy(proofs->ring + (size_t) proofs->next * POCKET_HASH_LEN, hash,
               POCKET_HASH_LEN);

    i = ngx_mesh_relay_proof_home(proofs, hash);

    while (proofs->table[i]) {
        i = (i + 1) & proofs->mask;
    }

    proofs->table[i] = proofs->next + 1;

    proofs->next = (proofs->next + 1) % proofs->size;
}


/*
 * Takes a place of the ring out of the table, and moves those behind it in
 * the run back, as far as their home allows: no tombstones.
 */

static void
ngx_mesh_relay_proof_forget(ngx_mesh_relay_proofs_t *proofs, uint32_t place)
{
    u_char    *ring;
    uint32_t   i, j, home, mask;

    ring = proofs->ring;
    mask = proofs->mask;

    i = ngx_mesh_relay_proof_home(proofs,
                                  ring + (size_t) place * POCKET_HASH_LEN);

    while (proofs->table[i] != place + 1) {

        /* a worker that was killed here has left it out already */

        if (proofs->table[i] == 0) {
            return;
        }

        i = (i + 1) & mask;
    }

    for (j = (i + 1) & mask; proofs->table[j]; j = (j + 1) & mask) {

        home = ngx_mesh_relay_proof_home(proofs, ring
                       + (size_t) (proofs->table[j] - 1) * POCKET_HASH_LEN);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            proofs->table[i] = proofs->table[j];
            i = j;
        }
    }

    proofs->table[i] = 0;
}
