
/*
 * The registry's life: its timer, applications and their chains.
 */


#include "ngx_gateway_select_registry.h"
#include "ngx_gateway_select_checker.h"
#include "pocket_node.h"


#define NGX_GATEWAY_SELECT_REGISTRY_TICK   50
#define NGX_GATEWAY_SELECT_REGISTRY_IDLE   200  /* another leads */
#define NGX_GATEWAY_SELECT_REGISTRY_SOON   5
#define NGX_GATEWAY_SELECT_REGISTRY_POOL   16384

/* at a boundary the dispatches of all pairs begin within so long */

#define NGX_GATEWAY_SELECT_STAGGER         4    /* ms, for each pair */
#define NGX_GATEWAY_SELECT_STAGGER_MAX     1000

/* sessions that Redis keeps; ms, where the block time is not known; at least */

#define NGX_GATEWAY_SELECT_KEPT_SESSIONS   3
#define NGX_GATEWAY_SELECT_KEPT_TTL        86400000
#define NGX_GATEWAY_SELECT_KEPT_TTL_MIN    600000


static void ngx_gateway_select_registry_handler(ngx_event_t *ev);
static ngx_int_t ngx_gateway_select_registry_start(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_registry_stop(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_registry_query(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_query_t *query, ngx_gateway_select_query_e kind,
    ngx_uint_t turn);
static void ngx_gateway_select_registry_tick(
    ngx_gateway_select_registry_t *registry);
static ngx_uint_t ngx_gateway_select_registry_pairs(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_registry_forget(
    ngx_gateway_select_pair_t *pair);
static ngx_gateway_select_pair_t *ngx_gateway_select_registry_find(
    ngx_gateway_select_app_t *app, ngx_gateway_select_chain_sh_t *chain);


ngx_int_t
ngx_gateway_select_registry_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_event_t                    *ev;
    ngx_gateway_select_registry_t  *registry;

    if (gmcf->apps.n == 0) {
        return NGX_OK;
    }

    registry = ngx_pcalloc(cycle->pool,
                           sizeof(ngx_gateway_select_registry_t));
    if (registry == NULL) {
        return NGX_ERROR;
    }

    registry->gmcf = gmcf;
    gmcf->registry = registry;

    ev = &registry->event;

    ev->handler = ngx_gateway_select_registry_handler;
    ev->data = registry;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_GATEWAY_SELECT_REGISTRY_SOON);

    return NGX_OK;
}


void
ngx_gateway_select_registry_exit(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_registry_t  *registry;

    registry = gmcf->registry;

    if (registry == NULL) {
        return;
    }

    if (registry->event.timer_set) {
        ngx_del_timer(&registry->event);
    }

    ngx_gateway_select_registry_stop(registry);

    gmcf->registry = NULL;
}


static void
ngx_gateway_select_registry_handler(ngx_event_t *ev)
{
    ngx_gateway_select_registry_t *registry = ev->data;

    ngx_msec_t  wait;

    if (ngx_exiting || ngx_terminate) {
        ngx_gateway_select_registry_stop(registry);
        return;
    }

    wait = NGX_GATEWAY_SELECT_REGISTRY_TICK;

    if (!ngx_gateway_select_leading(registry->gmcf)) {
        ngx_gateway_select_registry_stop(registry);
        wait = NGX_GATEWAY_SELECT_REGISTRY_IDLE;

    } else if (registry->pool
               || ngx_gateway_select_registry_start(registry) == NGX_OK)
    {
        ngx_gateway_select_registry_tick(registry);
    }

    ngx_add_timer(ev, wait);
}


static ngx_int_t
ngx_gateway_select_registry_start(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                         i, n;
    mesh_http_url_t                  **url;
    ngx_gateway_select_sh_t           *sh;
    ngx_gateway_select_app_t          *app;
    ngx_gateway_select_main_conf_t    *gmcf;
    ngx_gateway_select_dispatcher_t   *dispatcher;

    gmcf = registry->gmcf;
    n = gmcf->dispatchers.nelts;

    registry->pool = ngx_create_pool(NGX_GATEWAY_SELECT_REGISTRY_POOL,
                                     ngx_cycle->log);
    if (registry->pool == NULL) {
        return NGX_ERROR;
    }

    dispatcher = ngx_pcalloc(registry->pool,
                             n * sizeof(ngx_gateway_select_dispatcher_t));
    app = ngx_pcalloc(registry->pool,
                      gmcf->apps.n * sizeof(ngx_gateway_select_app_t));

    registry->heights = ngx_pcalloc(registry->pool, n * sizeof(int64_t));
    registry->in = ngx_pcalloc(registry->pool, n);

    if (dispatcher == NULL || app == NULL
        || registry->heights == NULL || registry->in == NULL)
    {
        ngx_destroy_pool(registry->pool);
        registry->pool = NULL;
        return NGX_ERROR;
    }

    sh = ngx_gateway_select_zone(gmcf)->sh;

    ngx_memzero(&registry->blocks, sizeof(gateway_blocks_t));
    ngx_queue_init(&registry->free);

    /* what another leader knew; its blocks' pace is learned again */

    registry->blocks.per_session = (uint32_t) sh->session_blocks;
    registry->dispatchers = dispatcher;
    registry->ndispatchers = n;
    registry->apps = app;
    registry->napps = gmcf->apps.n;
    registry->queries = 0;
    registry->connects = 0;
    registry->heard = 0;
    registry->hearing = 0;
    registry->ramping = 1;
    registry->started = ngx_current_msec;
    registry->agreed = ngx_current_msec;

    url = gmcf->dispatchers.elts;

    for (i = 0; i < n; i++) {
        dispatcher[i].registry = registry;
        dispatcher[i].url = url[i];
        dispatcher[i].due = ngx_current_msec;
        dispatcher[i].left_out = ngx_current_msec - 1;
    }

    for (i = 0; i < registry->napps; i++) {
        app[i].conf = &gmcf->apps.apps[i];
        app[i].index = i;

        ngx_queue_init(&app[i].pairs);

        ngx_gateway_select_registry_query(registry, &app[i].query,
                                          NGX_GATEWAY_SELECT_QUERY_APP, i);
    }

    ngx_gateway_select_registry_query(registry, &registry->session_blocks,
                                      NGX_GATEWAY_SELECT_QUERY_BLOCKS, 0);
    return NGX_OK;
}


static void
ngx_gateway_select_registry_query(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_query_t *query, ngx_gateway_select_query_e kind,
    ngx_uint_t turn)
{
    query->registry = registry;
    query->kind = kind;
    query->turn = turn;
    query->due = ngx_current_msec;
}


static void
ngx_gateway_select_registry_stop(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q;
    ngx_gateway_select_app_t   *app;
    ngx_gateway_select_pair_t  *pair;

    if (registry->pool == NULL) {
        return;
    }

    ngx_gateway_select_dispatchers_stop(registry);
    ngx_gateway_select_used_stop(registry);
    ngx_gateway_select_query_stop(&registry->session_blocks);

    for (i = 0; i < registry->napps; i++) {

        app = &registry->apps[i];

        ngx_gateway_select_query_stop(&app->query);
        ngx_gateway_select_kept_stop(app);

        for (q = ngx_queue_head(&app->pairs);
             q != ngx_queue_sentinel(&app->pairs);
             q = ngx_queue_next(q))
        {
            pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);
            ngx_gateway_select_query_stop(&pair->query);
        }
    }

    ngx_destroy_pool(registry->pool);
    registry->pool = NULL;
}


static void
ngx_gateway_select_registry_tick(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q;
    ngx_gateway_select_app_t   *app;
    ngx_gateway_select_pair_t  *pair;

    ngx_gateway_select_dispatchers_tick(registry);
    ngx_gateway_select_kept_tick(registry);

    if (registry->blocks.height) {
        ngx_gateway_select_query_tick(&registry->session_blocks);
    }

    for (i = 0; i < registry->napps; i++) {

        app = &registry->apps[i];

        ngx_gateway_select_query_tick(&app->query);

        for (q = ngx_queue_head(&app->pairs);
             q != ngx_queue_sentinel(&app->pairs);
             q = ngx_queue_next(q))
        {
            pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);
            ngx_gateway_select_query_tick(&pair->query);
        }
    }

    ngx_gateway_select_hearsay_tick(registry);
    ngx_gateway_select_session_ramp(registry);
    ngx_gateway_select_used_tick(registry);
}


/* In another session all pairs are dispatched, each at a moment of its own. */

void
ngx_gateway_select_registry_height(ngx_gateway_select_registry_t *registry,
    int64_t height)
{
    int64_t                     session;
    ngx_msec_t                  spread;
    ngx_uint_t                  i;
    ngx_queue_t                *q;
    gateway_blocks_t           *blocks;
    ngx_gateway_select_app_t   *app;
    ngx_gateway_select_pair_t  *pair;

    blocks = &registry->blocks;
    session = blocks->height ? gateway_blocks_session(blocks, blocks->height)
                             : 0;

    gateway_blocks_seen(blocks, height, ngx_current_msec);

    ngx_gateway_select_zone(registry->gmcf)->sh->block_height
                                                  = (ngx_atomic_uint_t) height;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "height %L of the network, a block in %uD ms", height,
                  blocks->block_time);

    for (i = 0; i < registry->napps; i++) {
        registry->apps[i].kept = 0;
    }

    if (gateway_blocks_session(blocks, height) != session) {

        spread = ngx_gateway_select_registry_pairs(registry)
                 * NGX_GATEWAY_SELECT_STAGGER;
        spread = ngx_min(spread, NGX_GATEWAY_SELECT_STAGGER_MAX);

        for (i = 0; i < registry->napps; i++) {

            app = &registry->apps[i];

            for (q = ngx_queue_head(&app->pairs);
                 q != ngx_queue_sentinel(&app->pairs);
                 q = ngx_queue_next(q))
            {
                pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

                pair->query.failures = 0;
                pair->query.due = ngx_current_msec
                                  + (ngx_msec_t) ngx_random() % (spread + 1);
                pair->asked = 0;
                pair->asked_due = pair->query.due;
            }
        }
    }

    ngx_gateway_select_session_sweep(registry);
}


static ngx_uint_t
ngx_gateway_select_registry_pairs(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t    i, n;
    ngx_queue_t  *q, *pairs;

    n = 0;

    for (i = 0; i < registry->napps; i++) {

        pairs = &registry->apps[i].pairs;

        for (q = ngx_queue_head(pairs);
             q != ngx_queue_sentinel(pairs);
             q = ngx_queue_next(q))
        {
            n++;
        }
    }

    return n;
}


void
ngx_gateway_select_registry_app(ngx_gateway_select_app_t *app,
    gateway_dispatch_app_t *told)
{
    ngx_str_t                       *name;
    ngx_uint_t                       i, changed;
    ngx_queue_t                     *q, *next;
    ngx_gateway_select_pair_t       *pair;
    ngx_gateway_select_registry_t   *registry;

    registry = app->query.registry;
    name = (ngx_str_t *) &app->conf->name;

    if (told->status != app->status) {

        if (told->status == GATEWAY_APP_UNSTAKED) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "application \"%V\" is not staked", name);

        } else {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "application \"%V\" is staked for %uL relays on "
                          "%uD chains", name, told->max_relays,
                          told->nchains);
        }
    }

    changed = (told->max_relays != app->max_relays
               || told->nchains != app->nchains);

    if (changed) {
        app->kept = 0;
    }

    app->status = told->status;
    app->max_relays = told->max_relays;
    app->nchains = told->nchains;

    for (q = ngx_queue_head(&app->pairs);
         q != ngx_queue_sentinel(&app->pairs);
         q = ngx_queue_next(q))
    {
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);
        pair->gone = 1;
    }

    for (i = 0; told->status == GATEWAY_APP_STAKED && i < told->n; i++) {
        (void) ngx_gateway_select_registry_chain(app, (ngx_str_t *)
                                                      &told->chains[i]);
    }

    for (q = ngx_queue_head(&app->pairs);
         q != ngx_queue_sentinel(&app->pairs);
         q = next)
    {
        next = ngx_queue_next(q);
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

        if (pair->gone) {
            ngx_gateway_select_registry_forget(pair);

        } else if (changed) {
            ngx_gateway_select_session_allow(pair);
        }
    }

    ngx_gateway_select_session_sweep(registry);
}


ngx_gateway_select_pair_t *
ngx_gateway_select_registry_chain(ngx_gateway_select_app_t *app,
    ngx_str_t *name)
{
    ngx_queue_t                     *q;
    ngx_gateway_select_pair_t       *pair;
    ngx_gateway_select_registry_t   *registry;
    ngx_gateway_select_chain_sh_t   *chain;

    registry = app->query.registry;

    chain = ngx_gateway_select_zone_chain_add(registry->gmcf, name);
    if (chain == NULL) {
        return NULL;
    }

    pair = ngx_gateway_select_registry_find(app, chain);

    if (pair) {
        pair->gone = 0;
        return pair;
    }

    if (ngx_queue_empty(&registry->free)) {
        pair = ngx_palloc(registry->pool, sizeof(ngx_gateway_select_pair_t));
        if (pair == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&registry->free);
        ngx_queue_remove(q);
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);
    }

    ngx_memzero(pair, sizeof(ngx_gateway_select_pair_t));

    ngx_gateway_select_registry_query(registry, &pair->query,
                                      NGX_GATEWAY_SELECT_QUERY_SESSION,
                                      (ngx_uint_t) ngx_random());
    pair->app = app;
    pair->chain = chain;

    ngx_queue_insert_tail(&app->pairs, &pair->queue);

    ngx_gateway_select_session_adopt(pair);

    return pair;
}


static void
ngx_gateway_select_registry_forget(ngx_gateway_select_pair_t *pair)
{
    ngx_gateway_select_query_stop(&pair->query);

    ngx_queue_remove(&pair->queue);
    ngx_queue_insert_tail(&pair->query.registry->free, &pair->queue);
}


static ngx_gateway_select_pair_t *
ngx_gateway_select_registry_find(ngx_gateway_select_app_t *app,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_queue_t                *q;
    ngx_gateway_select_pair_t  *pair;

    for (q = ngx_queue_head(&app->pairs);
         q != ngx_queue_sentinel(&app->pairs);
         q = ngx_queue_next(q))
    {
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

        if (pair->chain == chain) {
            return pair;
        }
    }

    return NULL;
}


ngx_gateway_select_pair_t *
ngx_gateway_select_registry_pair(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain, u_char *app_key)
{
    ngx_uint_t                 i;
    ngx_gateway_select_app_t  *app;

    for (i = 0; i < registry->napps; i++) {

        app = &registry->apps[i];

        if (ngx_memcmp(app->conf->aat.app_pub_key.data, app_key,
                       GATEWAY_DISPATCH_KEY)
            == 0)
        {
            return ngx_gateway_select_registry_find(app, chain);
        }
    }

    return NULL;
}


ngx_msec_t
ngx_gateway_select_registry_ttl(ngx_gateway_select_registry_t *registry)
{
    ngx_msec_t         ttl;
    gateway_blocks_t  *blocks;

    blocks = &registry->blocks;

    if (blocks->block_time == 0) {
        return NGX_GATEWAY_SELECT_KEPT_TTL;
    }

    ttl = (ngx_msec_t) blocks->block_time * NGX_GATEWAY_SELECT_KEPT_SESSIONS
          * (blocks->per_session ? blocks->per_session
                                 : POCKET_NODE_BLOCKS_PER_SESSION);

    return ngx_max(ttl, NGX_GATEWAY_SELECT_KEPT_TTL_MIN);
}
