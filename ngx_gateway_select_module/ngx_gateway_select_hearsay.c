
/*
 * Sessions as servicers tell of them: in letters, and when they are asked
 * because no dispatcher answers.  No servicer alone is believed, neither which
 * servicers there are, nor how high the network is.  The leader.
 */


#include "pocket_hash.h"
#include "ngx_gateway_select_registry.h"
#include "ngx_gateway_select_checker.h"


#define NGX_GATEWAY_SELECT_HEARSAY_POOL     4096
#define NGX_GATEWAY_SELECT_HEARSAY_TIMEOUT  2000

/* so many are asked at once, but for this; where there is nobody to ask */

#define NGX_GATEWAY_SELECT_HEARSAY_AT_ONCE  8
#define NGX_GATEWAY_SELECT_HEARSAY_NEXT     20
#define NGX_GATEWAY_SELECT_HEARSAY_IDLE     1000


static void ngx_gateway_select_hearsay_letters(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_hearsay_letter(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_letter_t *letter);

static ngx_uint_t ngx_gateway_select_hearsay_needed(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_hearsay_over(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_hearsay_height(
    ngx_gateway_select_registry_t *registry);
static ngx_gateway_select_pair_t *ngx_gateway_select_hearsay_scout(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_hearsay_pairs(
    ngx_gateway_select_registry_t *registry, ngx_gateway_select_app_t *app);
static void ngx_gateway_select_hearsay_ask(ngx_gateway_select_pair_t *pair);
static ngx_gateway_select_node_t *ngx_gateway_select_hearsay_node(
    ngx_gateway_select_pair_t *pair);
static ngx_int_t ngx_gateway_select_hearsay_send(
    ngx_gateway_select_pair_t *pair, ngx_gateway_select_node_t *node);
static void ngx_gateway_select_hearsay_answer(void *data,
    mesh_http_result_t *result);
static ngx_int_t ngx_gateway_select_hearsay_read(
    ngx_gateway_select_pair_t *pair, pocket_str_t *text, uint32_t operator,
    ngx_uint_t alone, ngx_pool_t *pool);

static void ngx_gateway_select_heard_height(
    ngx_gateway_select_registry_t *registry, int64_t height,
    uint32_t operator, ngx_uint_t alone);
static ngx_int_t ngx_gateway_select_heard_session(
    ngx_gateway_select_pair_t *pair, gateway_dispatch_t *dispatch,
    uint32_t operator, ngx_uint_t alone);
static ngx_int_t ngx_gateway_select_heard_digest(pocket_hash_t *hash,
    gateway_dispatch_t *dispatch, u_char *digest);
static void ngx_gateway_select_heard_text(pocket_hash_t *hash,
    pocket_str_t *text);


static ngx_str_t  ngx_gateway_select_hearsay_path =
    ngx_string("/v1/client/dispatch");


void
ngx_gateway_select_hearsay_tick(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t  i;

    ngx_gateway_select_hearsay_letters(registry);

    if (ngx_gateway_select_hearsay_needed(registry)) {
        ngx_gateway_select_hearsay_height(registry);

    } else if (registry->hearing) {
        ngx_gateway_select_hearsay_over(registry);
    }

    for (i = 0; i < registry->napps; i++) {
        ngx_gateway_select_hearsay_pairs(registry, &registry->apps[i]);
    }
}


static void
ngx_gateway_select_hearsay_letters(ngx_gateway_select_registry_t *registry)
{
    ngx_queue_t                  *q;
    ngx_gateway_select_sh_t      *sh;
    ngx_gateway_select_zone_t    *zone;
    ngx_gateway_select_letter_t  *letter;

    zone = ngx_gateway_select_zone(registry->gmcf);
    sh = zone->sh;

    while (sh->nletters) {

        if (ngx_gateway_select_leader_lock(registry->gmcf) != NGX_OK) {
            return;
        }

        letter = NULL;

        if (!ngx_queue_empty(&sh->letters)) {
            q = ngx_queue_head(&sh->letters);
            ngx_queue_remove(q);
            sh->nletters--;

            letter = ngx_queue_data(q, ngx_gateway_select_letter_t, queue);
        }

        ngx_gateway_select_leader_unlock(registry->gmcf);

        if (letter == NULL) {
            return;
        }

        ngx_gateway_select_hearsay_letter(registry, letter);

        ngx_slab_free(zone->shpool, letter);
    }
}


static void
ngx_gateway_select_hearsay_letter(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_letter_t *letter)
{
    ngx_pool_t                 *pool;
    pocket_str_t                text;
    ngx_gateway_select_pair_t  *pair;

    pair = ngx_gateway_select_registry_pair(registry, letter->chain,
                                            letter->app_key);

    if (pair == NULL || pair->height >= (int64_t) letter->height) {
        return;
    }

    pool = ngx_create_pool(NGX_GATEWAY_SELECT_HEARSAY_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    text.data = letter->data;
    text.len = letter->len;

    (void) ngx_gateway_select_hearsay_read(pair, &text, letter->operator,
                                           letter->alone, pool);
    ngx_destroy_pool(pool);
}


/* All were asked for the height, and none tells one that may be. */

static ngx_uint_t
ngx_gateway_select_hearsay_needed(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                        i;
    ngx_gateway_select_dispatcher_t  *dispatcher;

    for (i = 0; i < registry->ndispatchers; i++) {

        dispatcher = &registry->dispatchers[i];

        if (dispatcher->height ? dispatcher->in
                               : dispatcher->failures == 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_gateway_select_hearsay_over(ngx_gateway_select_registry_t *registry)
{
    registry->hearing = 0;
    registry->heard = 0;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "dispatchers tell the height again");
}


/* One servicer after the other, as often as dispatchers would be. */

static void
ngx_gateway_select_hearsay_height(ngx_gateway_select_registry_t *registry)
{
    ngx_gateway_select_pair_t  *pair;

    if (registry->queries >= NGX_GATEWAY_SELECT_QUERIES
        || (registry->hearing
            && !ngx_gateway_select_reached(ngx_current_msec,
                                           registry->heard_due)))
    {
        return;
    }

    pair = ngx_gateway_select_hearsay_scout(registry);

    if (pair == NULL) {
        return;
    }

    if (!registry->hearing) {
        registry->hearing = 1;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "no dispatcher tells the height: servicers are asked");
    }

    registry->heard_due = ngx_current_msec
                          + gateway_blocks_poll(&registry->blocks,
                                                ngx_current_msec);

    ngx_gateway_select_hearsay_ask(pair);
}


/* The next pair that has a session and asks nobody; NULL: there is none. */

static ngx_gateway_select_pair_t *
ngx_gateway_select_hearsay_scout(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                  i, n;
    ngx_queue_t                *q, *pairs;
    ngx_gateway_select_pair_t  *pair, *first;

    first = NULL;
    n = 0;

    for (i = 0; i < registry->napps; i++) {

        pairs = &registry->apps[i].pairs;

        for (q = ngx_queue_head(pairs);
             q != ngx_queue_sentinel(pairs);
             q = ngx_queue_next(q))
        {
            pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

            if (pair->height == 0 || pair->query.exchange) {
                continue;
            }

            if (n++ == registry->heard_turn) {
                registry->heard_turn++;
                return pair;
            }

            if (first == NULL) {
                first = pair;
            }
        }
    }

    registry->heard_turn = 1;

    return first;
}


/* Pairs whose session is over, and which no dispatcher gives the next. */

static void
ngx_gateway_select_hearsay_pairs(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_app_t *app)
{
    int64_t                     height;
    ngx_queue_t                *q;
    gateway_blocks_t           *blocks;
    ngx_gateway_select_pair_t  *pair;

    blocks = &registry->blocks;

    if (blocks->height == 0) {
        return;
    }

    height = gateway_blocks_session(blocks, blocks->height);

    for (q = ngx_queue_head(&app->pairs);
         q != ngx_queue_sentinel(&app->pairs)
         && registry->queries < NGX_GATEWAY_SELECT_QUERIES;
         q = ngx_queue_next(q))
    {
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

        if (pair->height < height
            && pair->query.exchange == NULL
            && (registry->hearing
                || pair->query.failures >= registry->ndispatchers)
            && ngx_gateway_select_reached(ngx_current_msec, pair->asked_due))
        {
            ngx_gateway_select_hearsay_ask(pair);
        }
    }
}


static void
ngx_gateway_select_hearsay_ask(ngx_gateway_select_pair_t *pair)
{
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_hearsay_node(pair);

    if (node == NULL
        || ngx_gateway_select_hearsay_send(pair, node) != NGX_OK)
    {
        ngx_gateway_select_query_stop(&pair->query);
        pair->asked_due = ngx_current_msec + NGX_GATEWAY_SELECT_HEARSAY_IDLE;
    }
}


/*
 * Of the session served, by turns: first those that get calls, of another
 * operator than was asked before.
 */

static ngx_gateway_select_node_t *
ngx_gateway_select_hearsay_node(ngx_gateway_select_pair_t *pair)
{
    uint32_t                       n, slot;
    ngx_uint_t                     i;
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_session_t  *session;

    session = ngx_gateway_select_session_find(pair, (uint64_t) pair->height);

    if (session == NULL) {
        return NULL;
    }

    n = session->nnodes;

    pair->alone = ngx_gateway_select_session_alone(pair->chain, session);

    for (i = 0; i < 2 * n; i++) {

        slot = session->nodes[pair->asked_turn++ % n];

        if (slot >= pair->chain->nnodes) {
            continue;
        }

        node = ngx_gateway_select_node(pair->chain, slot);

        if (i < n
            && (node->share == 0
                || (!pair->alone && node->operator == pair->asked_by)))
        {
            continue;
        }

        return node;
    }

    return NULL;
}


static ngx_int_t
ngx_gateway_select_hearsay_send(ngx_gateway_select_pair_t *pair,
    ngx_gateway_select_node_t *node)
{
    ngx_str_t                        text;
    const char                      *err;
    pocket_str_t                     body, chain;
    pocket_alloc_t                   a;
    mesh_http_url_t                  url;
    mesh_http_header_t               header;
    mesh_http_request_t              rq;
    ngx_gateway_select_query_t      *query;
    ngx_gateway_select_main_conf_t  *gmcf;

    query = &pair->query;
    gmcf = query->registry->gmcf;

    query->pool = ngx_create_pool(NGX_GATEWAY_SELECT_HEARSAY_POOL,
                                  ngx_cycle->log);
    if (query->pool == NULL) {
        return NGX_ERROR;
    }

    mesh_pool_allocator(query->pool, &a);

    text.len = node->url_len;
    text.data = node->url;
    chain.len = pair->chain->name_len;
    chain.data = pair->chain->name;

    /* the session that there is: which one that is they tell */

    if (mesh_http_url_open(gmcf->http, &text, &url, &err) != NGX_OK
        || gateway_dispatch_session_body(&pair->app->conf->aat.app_pub_key,
                                         &chain, 0, &body, &a)
           != POCKET_OK)
    {
        return NGX_ERROR;
    }

    ngx_gateway_select_query_post(&rq, &header, &url,
                                  &ngx_gateway_select_hearsay_path, &body);

    rq.timeout = NGX_GATEWAY_SELECT_HEARSAY_TIMEOUT;

    query->exchange = mesh_http_send(gmcf->http, &rq,
                                     ngx_gateway_select_hearsay_answer, pair);
    if (query->exchange == NULL) {
        return NGX_ERROR;
    }

    pair->asked_by = node->operator;
    query->registry->queries++;

    return NGX_OK;
}


static void
ngx_gateway_select_hearsay_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_pair_t *pair = data;

    ngx_int_t                    rc;
    ngx_gateway_select_query_t  *query;

    query = &pair->query;

    query->exchange = NULL;
    query->registry->queries--;

    rc = NGX_ERROR;

    if (result->outcome == MESH_HTTP_OK && result->status == NGX_HTTP_OK) {
        rc = ngx_gateway_select_hearsay_read(pair, (pocket_str_t *)
                                                   &result->body,
                                             pair->asked_by, pair->alone,
                                             query->pool);
    }

    ngx_destroy_pool(query->pool);
    query->pool = NULL;

    if (rc == NGX_OK) {
        return;
    }

    pair->asked++;
    pair->asked_due = ngx_current_msec
                      + (pair->asked < NGX_GATEWAY_SELECT_HEARSAY_AT_ONCE
                             ? NGX_GATEWAY_SELECT_HEARSAY_NEXT
                             : ngx_gateway_select_query_backoff(pair->asked
                                - NGX_GATEWAY_SELECT_HEARSAY_AT_ONCE + 1));
}


/*
 * NGX_OK: its session is served; NGX_DECLINED: nothing new, or another
 * operator is to tell it, too; NGX_ERROR: nonsense, or no memory.
 */

static ngx_int_t
ngx_gateway_select_hearsay_read(ngx_gateway_select_pair_t *pair,
    pocket_str_t *text, uint32_t operator, ngx_uint_t alone,
    ngx_pool_t *pool)
{
    const char          *reason;
    pocket_str_t         chain;
    pocket_alloc_t       a;
    gateway_dispatch_t  *told;

    mesh_pool_allocator(pool, &a);

    chain.data = pair->chain->name;
    chain.len = pair->chain->name_len;

    told = pocket_alloc(&a, sizeof(gateway_dispatch_t));

    if (told == NULL
        || gateway_dispatch_session(text, &pair->app->conf->aat.app_pub_key,
                                    &chain, 0, told, &reason, &a)
           != 1)
    {
        return NGX_ERROR;
    }

    ngx_gateway_select_heard_height(pair->query.registry,
                                    ngx_max(told->block_height,
                                            told->height),
                                    operator, alone);

    return ngx_gateway_select_heard_session(pair, told, operator, alone);
}


/* The lower of what two operators tell, while no dispatcher does. */

static void
ngx_gateway_select_heard_height(ngx_gateway_select_registry_t *registry,
    int64_t height, uint32_t operator, ngx_uint_t alone)
{
    int64_t            lower;
    uint8_t            in;
    gateway_blocks_t  *blocks;

    blocks = &registry->blocks;

    if (!registry->hearing || height <= blocks->height) {
        return;
    }

    lower = height;

    if (!alone) {

        if (registry->heard <= blocks->height
            || registry->heard_by == operator)
        {
            registry->heard = height;
            registry->heard_by = operator;
            registry->heard_due = ngx_current_msec;
            return;
        }

        lower = ngx_min(height, registry->heard);

        if (height > registry->heard) {
            registry->heard = height;
            registry->heard_by = operator;
        }
    }

    if (gateway_blocks_agree(blocks, &lower, &in, 1, ngx_current_msec)) {
        ngx_gateway_select_registry_height(registry, lower);
    }
}


/*
 * No servicer alone says which servicers there are; and no other session is
 * taken than that of the known height, or the one after it.
 */

static ngx_int_t
ngx_gateway_select_heard_session(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch, uint32_t operator, ngx_uint_t alone)
{
    u_char             what[POCKET_HASH_LEN];
    int64_t            height;
    gateway_blocks_t  *blocks;

    blocks = &pair->query.registry->blocks;
    height = dispatch->height;

    if (height <= pair->height
        || (blocks->height
            && height != gateway_blocks_session(blocks, blocks->height)
            && height != gateway_blocks_next(blocks, blocks->height)))
    {
        return NGX_DECLINED;
    }

    if (ngx_gateway_select_heard_digest(pair->query.registry->gmcf->hash,
                                        dispatch, what)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!alone
        && (pair->told != height
            || ngx_memcmp(pair->told_what, what, POCKET_HASH_LEN) != 0
            || pair->told_by == operator))
    {
        pair->told = height;
        ngx_memcpy(pair->told_what, what, POCKET_HASH_LEN);
        pair->told_by = operator;

        return NGX_DECLINED;
    }

    if (ngx_gateway_select_session_publish(pair, dispatch) != NGX_OK) {
        return NGX_ERROR;
    }

    pair->hearsay = 1;

    return NGX_OK;
}


/* Which servicers, at which addresses: one that lies must not match it. */

static ngx_int_t
ngx_gateway_select_heard_digest(pocket_hash_t *hash,
    gateway_dispatch_t *dispatch, u_char *digest)
{
    uint32_t                  i;
    gateway_dispatch_node_t  *node;

    pocket_hash_begin(hash);

    for (i = 0; i < dispatch->n; i++) {
        node = &dispatch->nodes[i];

        ngx_gateway_select_heard_text(hash, &node->public_key);
        ngx_gateway_select_heard_text(hash, &node->url);
    }

    return pocket_hash_end(hash, digest) == POCKET_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_gateway_select_heard_text(pocket_hash_t *hash, pocket_str_t *text)
{
    pocket_hash_update(hash, &text->len, sizeof(size_t));
    pocket_hash_update(hash, text->data, text->len);
}
