
/*
 * Slots of nodes in the zone, and the names of their operators.
 */


#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_sync.h"


/* a node that was no candidate for so long may lose its place */

#define NGX_GATEWAY_SELECT_IDLE             3600000     /* ms, wall */

/* how long a fruitless search of all slots is remembered */

#define NGX_GATEWAY_SELECT_FULL             1000        /* ms */

#define NGX_GATEWAY_SELECT_OPERATORS        128
#define NGX_GATEWAY_SELECT_OPERATORS_PAGES  128


typedef struct {
    ngx_str_node_t                    sn;
    uint32_t                          number;
    u_char                            name[1];
} ngx_gateway_select_operator_t;


typedef struct {
    ngx_rbtree_t                      tree;
    ngx_rbtree_node_t                 sentinel;
    ngx_atomic_t                      n;
    ngx_gateway_select_operator_t   **pages[NGX_GATEWAY_SELECT_OPERATORS_PAGES];
} ngx_gateway_select_operators_t;


static ngx_gateway_select_node_t *ngx_gateway_select_node_lookup(
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key, uint32_t hash);
static ngx_gateway_select_node_t *ngx_gateway_select_node_new(
    ngx_gateway_select_zone_t *zone, ngx_gateway_select_chain_sh_t *chain,
    ngx_str_t *key, uint32_t hash);
static ngx_int_t ngx_gateway_select_node_chunk(
    ngx_gateway_select_zone_t *zone, ngx_gateway_select_chain_sh_t *chain);
static ngx_gateway_select_node_t *ngx_gateway_select_node_idle(
    ngx_gateway_select_chain_sh_t *chain);
static void ngx_gateway_select_node_fill(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_node_t *node, ngx_str_t *key, uint32_t hash);
static uint32_t ngx_gateway_select_operator(ngx_gateway_select_zone_t *zone,
    ngx_str_t *name);


ngx_int_t
ngx_gateway_select_zone_node(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key, ngx_str_t *url,
    ngx_str_t *operator)
{
    uint32_t                    hash;
    ngx_int_t                   slot;
    ngx_gateway_select_node_t  *node;
    ngx_gateway_select_zone_t  *zone;

    if (key->len == 0
        || key->len > NGX_GATEWAY_SELECT_KEY_MAX
        || url->len > NGX_GATEWAY_SELECT_URL_MAX)
    {
        return NGX_ERROR;
    }

    zone = ngx_gateway_select_zone(gmcf);
    hash = ngx_murmur_hash2(key->data, key->len);

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_gateway_select_node_lookup(chain, key, hash);

    if (node == NULL) {
        node = ngx_gateway_select_node_new(zone, chain, key, hash);
    }

    slot = NGX_ERROR;

    if (node) {
        if (node->url_len != url->len
            || ngx_memcmp(node->url, url->data, url->len) != 0)
        {
            /* who reads it without the lock sees the generation change */

            ngx_gateway_select_generation(chain, node->slot)++;
            ngx_memory_barrier();

            ngx_memcpy(node->url, url->data, url->len);
            node->url_len = (u_short) url->len;

            ngx_memory_barrier();
            ngx_gateway_select_generation(chain, node->slot)++;
        }

        node->operator = operator->len
                             ? ngx_gateway_select_operator(zone, operator)
                             : node->slot | NGX_GATEWAY_SELECT_OWN;
        node->seen_at = ngx_gateway_select_now();
        node->flags = ngx_gateway_select_admin_flags(gmcf, chain, node);
        slot = node->slot;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (slot == NGX_ERROR) {
        ngx_gateway_select_zone_warn(zone);
    }

    return slot;
}


ngx_int_t
ngx_gateway_select_zone_find(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key)
{
    ngx_int_t                   slot;
    ngx_gateway_select_node_t  *node;
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(gmcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_gateway_select_node_lookup(chain, key,
                                          ngx_murmur_hash2(key->data,
                                                           key->len));
    slot = node ? (ngx_int_t) node->slot : NGX_DECLINED;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return slot;
}


static ngx_gateway_select_node_t *
ngx_gateway_select_node_lookup(ngx_gateway_select_chain_sh_t *chain,
    ngx_str_t *key, uint32_t hash)
{
    /* the node of the tree is the first member */

    return (ngx_gateway_select_node_t *)
               ngx_str_rbtree_lookup(&chain->tree, key, hash);
}


/* The lock is held. */

static ngx_gateway_select_node_t *
ngx_gateway_select_node_new(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key, uint32_t hash)
{
    ngx_uint_t                  n;
    ngx_gateway_select_node_t  *node;

    n = chain->nnodes;

    if (n < ngx_min(zone->gmcf->max_nodes, NGX_GATEWAY_SELECT_CHUNK
                                           * NGX_GATEWAY_SELECT_CHUNKS_MAX)
        && ngx_gateway_select_node_chunk(zone, chain) == NGX_OK)
    {
        node = ngx_gateway_select_node(chain, n);
        node->slot = (uint32_t) n;

        ngx_gateway_select_node_fill(chain, node, key, hash);

        /* who sees the number sees the node */

        ngx_memory_barrier();

        chain->nnodes = n + 1;

        return node;
    }

    node = ngx_gateway_select_node_idle(chain);

    if (node == NULL) {
        zone->sh->head.full = 1;
        return NULL;
    }

    n = node->slot;

    ngx_rbtree_delete(&chain->tree, &node->sn.node);

    ngx_gateway_select_generation(chain, n)++;

    ngx_memory_barrier();

    ngx_memzero(node, sizeof(ngx_gateway_select_node_t));
    ngx_gateway_select_history_forget(chain, n);
    ngx_gateway_select_sync_forget(chain, n);

    node->slot = (uint32_t) n;

    ngx_gateway_select_node_fill(chain, node, key, hash);

    ngx_memory_barrier();

    ngx_gateway_select_generation(chain, n)++;

    return node;
}


/* Memory for the next slot. */

static ngx_int_t
ngx_gateway_select_node_chunk(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain)
{
    size_t                        size;
    ngx_uint_t                    i;
    ngx_gateway_select_hot_t     *hot;
    ngx_gateway_select_chunk_t   *chunk;
    ngx_gateway_select_pasts_t   *pasts;

    i = chain->nnodes / NGX_GATEWAY_SELECT_CHUNK;

    if (chain->chunks[i]) {
        return NGX_OK;
    }

    /* what the slab gives is aligned to the power of two it is rounded to */

    size = sizeof(ngx_gateway_select_hot_t)
           + zone->sh->nrows * NGX_GATEWAY_SELECT_CHUNK * sizeof(uint32_t);

    hot = ngx_gateway_select_zone_alloc(zone, size);
    if (hot == NULL) {
        return NGX_ERROR;
    }

    chunk = ngx_gateway_select_zone_alloc(zone,
                                          sizeof(ngx_gateway_select_chunk_t));
    if (chunk == NULL) {
        ngx_slab_free_locked(zone->shpool, hot);
        return NGX_ERROR;
    }

    pasts = ngx_gateway_select_zone_alloc(zone,
                                          sizeof(ngx_gateway_select_pasts_t));
    if (pasts == NULL) {
        ngx_slab_free_locked(zone->shpool, chunk);
        ngx_slab_free_locked(zone->shpool, hot);
        return NGX_ERROR;
    }

    chain->pasts[i] = pasts;
    chain->hot[i] = hot;
    chain->chunks[i] = chunk;

    return NGX_OK;
}


/*
 * A slot that another node may have: looked for from where the last search
 * ended, so that each has its turn.
 */

static ngx_gateway_select_node_t *
ngx_gateway_select_node_idle(ngx_gateway_select_chain_sh_t *chain)
{
    uint32_t                    i, n;
    uint64_t                    now;
    ngx_gateway_select_node_t  *node;

    n = (uint32_t) chain->nnodes;

    if (n == 0
        || (chain->full_at
            && ngx_current_msec - chain->full_at < NGX_GATEWAY_SELECT_FULL))
    {
        return NULL;
    }

    now = ngx_gateway_select_now();

    for (i = 0; i < n; i++) {

        chain->hand = (chain->hand + 1) % n;
        node = ngx_gateway_select_node(chain, chain->hand);

        if (node->chosen == 0
            && now > node->seen_at
            && now - node->seen_at > NGX_GATEWAY_SELECT_IDLE
            && ngx_gateway_select_inflight(chain, chain->hand) == 0)
        {
            return node;
        }
    }

    chain->full_at = ngx_current_msec;

    return NULL;
}


static void
ngx_gateway_select_node_fill(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_node_t *node, ngx_str_t *key, uint32_t hash)
{
    ngx_memcpy(node->key, key->data, key->len);

    node->sn.str.data = node->key;
    node->sn.str.len = key->len;
    node->sn.node.key = hash;

    gateway_record_init(&node->record, ngx_gateway_select_now());

    ngx_rbtree_insert(&chain->tree, &node->sn.node);
}


ngx_int_t
ngx_gateway_select_operators_create(ngx_gateway_select_zone_t *zone)
{
    ngx_str_t                        other;
    ngx_gateway_select_operators_t  *operators;

    operators = ngx_slab_calloc(zone->shpool,
                                sizeof(ngx_gateway_select_operators_t));
    if (operators == NULL) {
        return NGX_ERROR;
    }

    zone->sh->operators = operators;

    ngx_rbtree_init(&operators->tree, &operators->sentinel,
                    ngx_str_rbtree_insert_value);

    /* number 0: all those there is no room for, which share one cap */

    ngx_str_set(&other, "other");

    ngx_shmtx_lock(&zone->shpool->mutex);
    ngx_gateway_select_operator(zone, &other);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    return operators->n ? NGX_OK : NGX_ERROR;
}


/* The operator's number, a new one for a new name.  The lock is held. */

static uint32_t
ngx_gateway_select_operator(ngx_gateway_select_zone_t *zone, ngx_str_t *name)
{
    uint32_t                          hash;
    ngx_uint_t                        page;
    ngx_gateway_select_operator_t    *operator;
    ngx_gateway_select_operators_t   *operators;

    operators = zone->sh->operators;
    hash = ngx_murmur_hash2(name->data, name->len);

    operator = (ngx_gateway_select_operator_t *)
                   ngx_str_rbtree_lookup(&operators->tree, name, hash);

    if (operator) {
        return operator->number;
    }

    page = operators->n / NGX_GATEWAY_SELECT_OPERATORS;

    if (page == NGX_GATEWAY_SELECT_OPERATORS_PAGES) {
        return 0;
    }

    if (operators->pages[page] == NULL) {
        operators->pages[page] = ngx_gateway_select_zone_alloc(zone,
                               NGX_GATEWAY_SELECT_OPERATORS * sizeof(void *));

        if (operators->pages[page] == NULL) {
            return 0;
        }
    }

    operator = ngx_gateway_select_zone_alloc(zone,
                   offsetof(ngx_gateway_select_operator_t, name) + name->len);

    if (operator == NULL) {
        return 0;
    }

    ngx_memcpy(operator->name, name->data, name->len);

    operator->sn.str.data = operator->name;
    operator->sn.str.len = name->len;
    operator->sn.node.key = hash;
    operator->number = (uint32_t) operators->n;

    ngx_rbtree_insert(&operators->tree, &operator->sn.node);

    operators->pages[page][operators->n % NGX_GATEWAY_SELECT_OPERATORS]
        = operator;

    ngx_memory_barrier();

    operators->n++;

    return operator->number;
}


ngx_str_t *
ngx_gateway_select_zone_operator(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_node_t *node)
{
    uint32_t                         n;
    ngx_gateway_select_operators_t  *operators;

    n = node->operator;

    if (n & NGX_GATEWAY_SELECT_OWN) {
        return &node->sn.str;
    }

    operators = ngx_gateway_select_zone(gmcf)->sh->operators;

    return &operators->pages[n / NGX_GATEWAY_SELECT_OPERATORS]
                            [n % NGX_GATEWAY_SELECT_OPERATORS]->sn.str;
}
