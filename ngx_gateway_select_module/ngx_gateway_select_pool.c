
/*
 * Which server of an upstream{} a try goes to: see ngx_gateway_select_pool.h.
 */


#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_pool.h"

#include <math.h>


/* how often a table may name a node that is no member, or is full */

#define NGX_GATEWAY_SELECT_PICKS    8

/* how soon a view is made anew for nodes that were not there, ms */

#define NGX_GATEWAY_SELECT_PARTIAL  200


/* how good a member is for the next try, the least first */

typedef enum {
    NGX_GATEWAY_SELECT_GOOD = 0,
    NGX_GATEWAY_SELECT_BEHIND,             /* below the client's height */
    NGX_GATEWAY_SELECT_BACKUP,
    NGX_GATEWAY_SELECT_BACKUP_BEHIND,
    NGX_GATEWAY_SELECT_OUT,                /* better than no try at all */
    NGX_GATEWAY_SELECT_BACKUP_OUT,
    NGX_GATEWAY_SELECT_STALE,
    NGX_GATEWAY_SELECT_NEVER
} ngx_gateway_select_class_e;


static ngx_uint_t ngx_gateway_select_pool_fresh(
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peers_t *peers);
static ngx_uint_t ngx_gateway_select_pool_count(
    ngx_http_upstream_rr_peers_t *peers);
static void ngx_gateway_select_pool_fill(ngx_gateway_select_pool_t *pool,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t backup);
static ngx_gateway_select_member_t *ngx_gateway_select_pool_member(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_pick_t *pick);
static ngx_gateway_select_class_e ngx_gateway_select_pool_class(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_past_t *past,
    ngx_gateway_select_member_t *member);
static ngx_gateway_select_member_t *ngx_gateway_select_pool_sticky(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_past_t *past);
static ngx_gateway_select_member_t *ngx_gateway_select_pool_ranked(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_past_t *past,
    ngx_gateway_select_pick_t *pick);
static ngx_gateway_select_member_t *ngx_gateway_select_pool_next(
    ngx_gateway_select_pool_t *pool, ngx_gateway_select_past_t *past,
    ngx_gateway_select_class_e *class);
static double ngx_gateway_select_pool_weight(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_member_t *member, ngx_gateway_select_class_e class);
static double ngx_gateway_select_pool_distance(
    ngx_gateway_select_member_t *member, uint64_t key);


void
ngx_gateway_select_pool_cleanup(void *data)
{
    ngx_gateway_select_pool_t *pool = data;

    if (pool->members) {
        ngx_free(pool->members);
        pool->members = NULL;
    }
}


void
ngx_gateway_select_pool_lock(ngx_gateway_select_pool_t *pool)
{
    ngx_http_upstream_rr_peers_t  *peers;

    peers = pool->chain->upstream->peer.data;

    ngx_http_upstream_rr_peers_rlock(peers);

    if (peers->next) {
        ngx_http_upstream_rr_peers_rlock(peers->next);
    }
}


void
ngx_gateway_select_pool_unlock(ngx_gateway_select_pool_t *pool)
{
    ngx_http_upstream_rr_peers_t  *peers;

    peers = pool->chain->upstream->peer.data;

    if (peers->next) {
        ngx_http_upstream_rr_peers_unlock(peers->next);
    }

    ngx_http_upstream_rr_peers_unlock(peers);
}


ngx_int_t
ngx_gateway_select_pool_view(ngx_gateway_select_pool_t *pool)
{
    ngx_uint_t                     n, nplaces;
    ngx_gateway_select_member_t   *members;
    ngx_http_upstream_rr_peers_t  *peers;

    peers = pool->chain->upstream->peer.data;

    if (ngx_gateway_select_pool_fresh(pool, peers)) {
        return NGX_OK;
    }

    n = ngx_gateway_select_pool_count(peers);

    if (peers->next) {
        n += ngx_gateway_select_pool_count(peers->next);
    }

    nplaces = pool->chain->sh ? pool->chain->sh->nnodes : 0;

    /* "resolve" may have found nothing yet */

    members = ngx_alloc((n + 1) * sizeof(ngx_gateway_select_member_t)
                        + nplaces * sizeof(uint32_t), ngx_cycle->log);
    if (members == NULL) {
        return NGX_ERROR;
    }

    ngx_gateway_select_pool_cleanup(pool);

    pool->members = members;
    pool->n = 0;
    pool->places = (uint32_t *) (members + n);
    pool->nplaces = nplaces;
    pool->made = ngx_current_msec;
    pool->partial = 0;

#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
    pool->config = peers->config ? *peers->config : 0;
#endif

    ngx_memzero(pool->places, nplaces * sizeof(uint32_t));

    ngx_gateway_select_pool_fill(pool, peers, 0);

    if (peers->next) {
        ngx_gateway_select_pool_fill(pool, peers->next, 1);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_gateway_select_pool_fresh(ngx_gateway_select_pool_t *pool,
    ngx_http_upstream_rr_peers_t *peers)
{
    if (pool->members == NULL) {
        return 0;
    }

#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
    if (peers->config && pool->config != *peers->config) {
        return 0;
    }
#endif

    return !pool->partial
           || ngx_current_msec - pool->made < NGX_GATEWAY_SELECT_PARTIAL;
}


static ngx_uint_t
ngx_gateway_select_pool_count(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_uint_t                    n;
    ngx_http_upstream_rr_peer_t  *peer;

    n = 0;

    for (peer = peers->peer; peer; peer = peer->next) {
        n++;
    }

    return n;
}


static void
ngx_gateway_select_pool_fill(ngx_gateway_select_pool_t *pool,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t backup)
{
    ngx_int_t                       slot;
    ngx_gateway_select_member_t    *member;
    ngx_http_upstream_rr_peer_t    *peer;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = pool->chain->sh;

    for (peer = peers->peer; peer; peer = peer->next) {

        member = &pool->members[pool->n++];

        member->peers = peers;
        member->peer = peer;
        member->node = NGX_GATEWAY_SELECT_NO_NODE;
        member->generation = 0;
        member->hash = ngx_murmur_hash2(peer->name.data, peer->name.len);
        member->backup = backup;

        slot = chain ? ngx_gateway_select_zone_find(pool->gmcf, chain,
                                                    &peer->name)
                     : NGX_DECLINED;

        if (slot < 0 || (ngx_uint_t) slot >= pool->nplaces) {
            pool->partial = 1;
            continue;
        }

        member->node = (uint32_t) slot;
        member->generation = ngx_gateway_select_generation(chain, slot);

        /* of an address that is named twice the primary server counts */

        if (pool->places[slot] == 0) {
            pool->places[slot] = (uint32_t) pool->n;
        }
    }
}


ngx_gateway_select_member_t *
ngx_gateway_select_pool_choose(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_past_t *past, ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_class_e    class;
    ngx_gateway_select_member_t  *member;

    member = past->sticky ? ngx_gateway_select_pool_sticky(pool, past)
                          : ngx_gateway_select_pool_ranked(pool, past, pick);

    if (member && !past->sticky) {
        return member;
    }

    if (member == NULL) {
        member = ngx_gateway_select_pool_next(pool, past, &class);

        if (member == NULL) {
            return NULL;
        }
    }

    pick->chain = NULL;

    if (member->node != NGX_GATEWAY_SELECT_NO_NODE) {
        ngx_gateway_select_pick_node(pool->chain->sh, member->node,
                                     NGX_GATEWAY_SELECT_NO_SESSION, pick);

        /* a second try elsewhere is no move */

        if (past->sticky && past->n == 0) {
            ngx_gateway_select_client_sent(pool->chain->sh, past->key,
                                           member->node);
        }
    }

    return member;
}


/*
 * By the table.  A node of it that is only the least bad yields to a backup
 * server, unless one of the others is good after all.
 */

static ngx_gateway_select_member_t *
ngx_gateway_select_pool_ranked(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_past_t *past, ngx_gateway_select_pick_t *pick)
{
    ngx_uint_t                      i;
    ngx_gateway_select_tried_t      tried;
    ngx_gateway_select_class_e      class;
    ngx_gateway_select_member_t    *member, *other;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = pool->chain->sh;
    tried = past->tried;

    for (i = 0; i < NGX_GATEWAY_SELECT_PICKS; i++) {

        if (ngx_gateway_select_pick(chain, &tried, pick)
            != NGX_GATEWAY_SELECT_FOUND)
        {
            return NULL;
        }

        member = ngx_gateway_select_pool_member(pool, pick);

        if (member == NULL
            || member->backup
            || ngx_gateway_select_pool_class(pool, past, member)
               >= NGX_GATEWAY_SELECT_STALE)
        {
            ngx_gateway_select_tried_add(&tried, pick);
            continue;
        }

        if (!ngx_gateway_select_node(chain, member->node)->degraded) {
            return member;
        }

        other = ngx_gateway_select_pool_next(pool, past, &class);

        if (other
            && (class == NGX_GATEWAY_SELECT_BACKUP
                || class == NGX_GATEWAY_SELECT_BACKUP_BEHIND))
        {
            return NULL;
        }

        return member;
    }

    return NULL;
}


static ngx_gateway_select_member_t *
ngx_gateway_select_pool_member(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_member_t  *member;

    if (pick->node >= pool->nplaces || pool->places[pick->node] == 0) {
        return NULL;
    }

    member = &pool->members[pool->places[pick->node] - 1];

    if (member->generation != pick->generation) {
        pool->partial = 1;
        return NULL;
    }

    return member;
}


static ngx_gateway_select_class_e
ngx_gateway_select_pool_class(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_past_t *past, ngx_gateway_select_member_t *member)
{
    ngx_uint_t                    i, low;
    ngx_http_upstream_rr_peer_t  *peer;
    ngx_gateway_select_node_t    *node;

    peer = member->peer;

    if (peer->down || (peer->max_conns && peer->conns >= peer->max_conns)) {
        return NGX_GATEWAY_SELECT_NEVER;
    }

    for (i = 0; i < past->n; i++) {
        if (past->hashes[i] == member->hash) {
            return (past->stale & ((ngx_uint_t) 1 << i))
                   ? NGX_GATEWAY_SELECT_STALE : NGX_GATEWAY_SELECT_NEVER;
        }
    }

    if (member->node == NGX_GATEWAY_SELECT_NO_NODE) {
        return member->backup ? NGX_GATEWAY_SELECT_BACKUP_BEHIND
                              : NGX_GATEWAY_SELECT_BEHIND;
    }

    node = ngx_gateway_select_node(pool->chain->sh, member->node);

    if ((node->flags & NGX_GATEWAY_SELECT_DRAINED)
        || (node->flags && member->node != past->home))
    {
        return NGX_GATEWAY_SELECT_NEVER;
    }

    if (node->factors.excluded) {
        return member->backup ? NGX_GATEWAY_SELECT_BACKUP_OUT
                              : NGX_GATEWAY_SELECT_OUT;
    }

    low = (node->record.height < past->tried.min_height
           && node->fresh.height < past->tried.min_height);

    if (member->backup) {
        return low ? NGX_GATEWAY_SELECT_BACKUP_BEHIND
                   : NGX_GATEWAY_SELECT_BACKUP;
    }

    return low ? NGX_GATEWAY_SELECT_BEHIND : NGX_GATEWAY_SELECT_GOOD;
}


/* Rendezvous: when a member comes or goes, only its own keys move. */

static ngx_gateway_select_member_t *
ngx_gateway_select_pool_sticky(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_past_t *past)
{
    double                        distance, nearest;
    ngx_uint_t                    i;
    ngx_gateway_select_class_e    class, least;
    ngx_gateway_select_member_t  *member, *best;

    best = NULL;
    nearest = 0;
    least = NGX_GATEWAY_SELECT_NEVER;

    for (i = 0; i < pool->n; i++) {

        member = &pool->members[i];
        class = ngx_gateway_select_pool_class(pool, past, member);

        if (class > least || class == NGX_GATEWAY_SELECT_NEVER) {
            continue;
        }

        distance = ngx_gateway_select_pool_distance(member, past->key);

        if (class < least || distance < nearest) {
            least = class;
            nearest = distance;
            best = member;
        }
    }

    return best;
}


/*
 * One of the best class there is: by weight, or the least bad of those that
 * are out.
 */

static ngx_gateway_select_member_t *
ngx_gateway_select_pool_next(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_past_t *past, ngx_gateway_select_class_e *class)
{
    double                        weight, sum;
    ngx_uint_t                    i;
    ngx_gateway_select_class_e    c;
    ngx_gateway_select_member_t  *member, *best;

    best = NULL;
    sum = 0;
    *class = NGX_GATEWAY_SELECT_NEVER;

    for (i = 0; i < pool->n; i++) {

        member = &pool->members[i];
        c = ngx_gateway_select_pool_class(pool, past, member);

        if (c > *class || c == NGX_GATEWAY_SELECT_NEVER) {
            continue;
        }

        if (c < *class) {
            *class = c;
            sum = 0;
            best = NULL;
        }

        weight = ngx_gateway_select_pool_weight(pool, member, c);

        if (c >= NGX_GATEWAY_SELECT_OUT) {

            if (best == NULL || weight > sum) {
                sum = weight;
                best = member;
            }

            continue;
        }

        sum += weight;

        if (best == NULL || (double) ngx_random() * sum
                            < weight * ((double) 0x7fffffff + 1))
        {
            best = member;
        }
    }

    return best;
}


static double
ngx_gateway_select_pool_weight(ngx_gateway_select_pool_t *pool,
    ngx_gateway_select_member_t *member, ngx_gateway_select_class_e class)
{
    ngx_gateway_select_node_t  *node;

    if (member->node == NGX_GATEWAY_SELECT_NO_NODE) {
        return 0;
    }

    node = ngx_gateway_select_node(pool->chain->sh, member->node);

    return (class >= NGX_GATEWAY_SELECT_OUT)
           ? - node->factors.badness
           : node->weight * (double) member->peer->weight;
}


/* Exponential with the rate of the weight: the nearest of all wins its share */

static double
ngx_gateway_select_pool_distance(ngx_gateway_select_member_t *member,
    uint64_t key)
{
    uint64_t  n;

    n = key ^ ((uint64_t) member->hash * 0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
    n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
    n ^= n >> 31;

    return - log(((double) (n >> 11) + 0.5) / (double) ((uint64_t) 1 << 53))
           / (double) member->peer->weight;
}


void
ngx_gateway_select_pool_tried(ngx_gateway_select_past_t *past,
    ngx_gateway_select_member_t *member, ngx_gateway_select_pick_t *pick)
{
    ngx_uint_t  i;

    for (i = 0; i < past->n; i++) {
        if (past->hashes[i] == member->hash) {
            past->stale &= ~((ngx_uint_t) 1 << i);
            return;
        }
    }

    if (past->n == NGX_GATEWAY_SELECT_TRIED_MAX) {
        return;
    }

    past->hashes[past->n++] = member->hash;

    if (pick->chain) {
        ngx_gateway_select_tried_add(&past->tried, pick);
    }
}
