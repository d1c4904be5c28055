
/*
 * Sessions that Redis keeps, by application: a gateway that starts serves
 * them while dispatchers are still being asked.  The leader; where Redis is
 * away nothing of it is waited for.
 */


#include "ngx_gateway_select_registry.h"
#include "gateway_kept.h"
#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_sync.h"


#define NGX_GATEWAY_SELECT_KEPT_POOL   4096

/* writes in one turn of the registry */

#define NGX_GATEWAY_SELECT_KEPT_TURN   16

#define NGX_GATEWAY_SELECT_KEPT_KEY                                           \
    (sizeof("gateway:{}:sessions") + GATEWAY_DISPATCH_KEY)


static ngx_uint_t ngx_gateway_select_kept_write(
    ngx_gateway_select_app_t *app, ngx_uint_t n);
static void ngx_gateway_select_kept_lost(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_kept_ask(ngx_gateway_select_app_t *app);
static void ngx_gateway_select_kept_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static ngx_int_t ngx_gateway_select_kept_read(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *reply, gateway_kept_t *kept);
static void ngx_gateway_select_kept_take(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *reply, gateway_kept_t *kept);
static void ngx_gateway_select_kept_publish(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *field, gateway_kept_t *kept,
    gateway_dispatch_t *dispatch, ngx_pool_t *pool);
static void ngx_gateway_select_kept_blocks(
    ngx_gateway_select_registry_t *registry, gateway_kept_t *kept);
static ngx_int_t ngx_gateway_select_kept_app(ngx_gateway_select_app_t *app);
static ngx_int_t ngx_gateway_select_kept_pair(
    ngx_gateway_select_pair_t *pair);
static ngx_int_t ngx_gateway_select_kept_dispatch(
    ngx_gateway_select_pair_t *pair, gateway_dispatch_t *dispatch);
static ngx_int_t ngx_gateway_select_kept_store(ngx_gateway_select_app_t *app,
    ngx_str_t *field, ngx_str_t *value);
static void ngx_gateway_select_kept_key(ngx_gateway_select_app_t *app,
    u_char *buf, ngx_str_t *key);


void
ngx_gateway_select_kept_tick(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                       i, n, connects;
    ngx_gateway_select_app_t        *app;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = registry->gmcf;

    if (gmcf->redis == NULL
        || mesh_redis_state(gmcf->redis) != MESH_REDIS_READY)
    {
        return;
    }

    connects = mesh_redis_stats(gmcf->redis)->connects;

    if (registry->connects != connects) {
        registry->connects = connects;
        ngx_gateway_select_kept_lost(registry);
    }

    n = NGX_GATEWAY_SELECT_KEPT_TURN;

    for (i = 0; i < registry->napps && n; i++) {

        app = &registry->apps[i];

        if (app->kept_state == NGX_GATEWAY_SELECT_KEPT_UNREAD) {
            ngx_gateway_select_kept_ask(app);
        }

        if (app->kept_state == NGX_GATEWAY_SELECT_KEPT_READ
            && app->status == GATEWAY_APP_STAKED
            && registry->blocks.height)
        {
            n = ngx_gateway_select_kept_write(app, n);
        }
    }
}


/* Writes what has changed, n of it at most; gives what is left of n. */

static ngx_uint_t
ngx_gateway_select_kept_write(ngx_gateway_select_app_t *app, ngx_uint_t n)
{
    ngx_queue_t                *q;
    ngx_gateway_select_pair_t  *pair;

    if (!app->kept) {

        if (ngx_gateway_select_kept_app(app) != NGX_OK) {
            return 0;
        }

        n--;
    }

    for (q = ngx_queue_head(&app->pairs);
         q != ngx_queue_sentinel(&app->pairs) && n;
         q = ngx_queue_next(q))
    {
        pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);

        if (pair->kept || pair->hearsay || pair->height == 0) {
            continue;
        }

        if (ngx_gateway_select_kept_pair(pair) != NGX_OK) {
            return 0;
        }

        n--;
    }

    return n;
}


/* Another server than before, or one that may have lost what it had. */

static void
ngx_gateway_select_kept_lost(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q;
    ngx_gateway_select_app_t   *app;
    ngx_gateway_select_pair_t  *pair;

    for (i = 0; i < registry->napps; i++) {

        app = &registry->apps[i];
        app->kept = 0;

        for (q = ngx_queue_head(&app->pairs);
             q != ngx_queue_sentinel(&app->pairs);
             q = ngx_queue_next(q))
        {
            pair = ngx_queue_data(q, ngx_gateway_select_pair_t, queue);
            pair->kept = 0;
        }
    }
}


static void
ngx_gateway_select_kept_ask(ngx_gateway_select_app_t *app)
{
    ngx_str_t                       argv[2];
    ngx_gateway_select_registry_t  *registry;
    u_char                          key[NGX_GATEWAY_SELECT_KEPT_KEY];

    registry = app->query.registry;

    ngx_str_set(&argv[0], "HGETALL");
    ngx_gateway_select_kept_key(app, key, &argv[1]);

    if (mesh_redis_command(registry->gmcf->redis, 2, argv,
                           ngx_gateway_select_kept_answer, app,
                           &app->kept_cmd)
        == NGX_OK)
    {
        app->kept_state = NGX_GATEWAY_SELECT_KEPT_ASKED;
    }
}


void
ngx_gateway_select_kept_stop(ngx_gateway_select_app_t *app)
{
    if (app->kept_cmd) {
        mesh_redis_cancel(app->kept_cmd);
        app->kept_cmd = NULL;
    }
}


static void
ngx_gateway_select_kept_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_gateway_select_app_t *app = data;

    ngx_str_t       *name, *text;
    gateway_kept_t   kept;

    app->kept_cmd = NULL;

    if (reply == NULL) {
        app->kept_state = NGX_GATEWAY_SELECT_KEPT_UNREAD;
        return;
    }

    app->kept_state = NGX_GATEWAY_SELECT_KEPT_READ;

    if (reply->kind == MESH_REDIS_ARRAY && reply->nelts == 0) {
        return;
    }

    if (outcome != MESH_REDIS_ANSWERED
        || ngx_gateway_select_kept_read(app, reply, &kept) != NGX_OK)
    {
        app->kept_state = NGX_GATEWAY_SELECT_KEPT_ALIEN;

        name = (ngx_str_t *) &app->conf->name;
        text = &reply->str;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sessions of application \"%V\" are not kept: what "
                      "redis has of it is not of schema %d%s%V", name,
                      GATEWAY_KEPT_SCHEMA, text->len ? ": " : "", text);
        return;
    }

    /* the network has told already: it knows better */

    if (app->status == GATEWAY_APP_UNKNOWN) {
        ngx_gateway_select_kept_take(app, reply, &kept);
    }
}


/* The field without a name is of the application itself. */

static ngx_int_t
ngx_gateway_select_kept_read(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *reply, gateway_kept_t *kept)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < reply->nelts; i += 2) {

        if (reply->elts[i].str.len == 0) {
            return gateway_kept_parse(kept, (pocket_str_t *)
                                            &reply->elts[i + 1].str)
                   ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/*
 * The stake is the network's to tell: until then chains whose sessions are
 * not kept are not given up.
 */

static void
ngx_gateway_select_kept_take(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *reply, gateway_kept_t *kept)
{
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    gateway_dispatch_t  *dispatch;

    pool = ngx_create_pool(NGX_GATEWAY_SELECT_KEPT_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    dispatch = ngx_palloc(pool, sizeof(gateway_dispatch_t));
    if (dispatch == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    app->max_relays = kept->max_relays;
    app->nchains = kept->nchains;

    for (i = 0; i + 1 < reply->nelts; i += 2) {
        ngx_gateway_select_kept_publish(app, &reply->elts[i], kept, dispatch,
                                        pool);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_gateway_select_kept_publish(ngx_gateway_select_app_t *app,
    mesh_redis_reply_t *field, gateway_kept_t *kept,
    gateway_dispatch_t *dispatch, ngx_pool_t *pool)
{
    const char                 *reason;
    pocket_str_t               *chain;
    pocket_alloc_t              a;
    ngx_gateway_select_pair_t  *pair;

    mesh_pool_allocator(pool, &a);

    chain = (pocket_str_t *) &field[0].str;

    if (!gateway_dispatch_is_chain(chain)
        || gateway_dispatch_session((pocket_str_t *) &field[1].str,
                                    &app->conf->aat.app_pub_key, chain, 0,
                                    dispatch, &reason, &a)
           != 1
        || !gateway_kept_good(kept, dispatch->height,
                              ngx_gateway_select_now()))
    {
        return;
    }

    ngx_gateway_select_kept_blocks(app->query.registry, kept);

    pair = ngx_gateway_select_registry_chain(app, &field[0].str);

    if (pair
        && pair->height < dispatch->height
        && ngx_gateway_select_session_publish(pair, dispatch) == NGX_OK)
    {
        pair->kept = 1;
    }
}


/* What else is known of the network, until it tells. */

static void
ngx_gateway_select_kept_blocks(ngx_gateway_select_registry_t *registry,
    gateway_kept_t *kept)
{
    gateway_blocks_t         *blocks;
    ngx_gateway_select_sh_t  *sh;

    sh = ngx_gateway_select_zone(registry->gmcf)->sh;
    blocks = &registry->blocks;

    if (blocks->per_session == 0) {
        blocks->per_session = kept->per_session;
    }

    if (blocks->block_time == 0) {
        blocks->block_time = kept->block_time;
    }

    if (sh->block_height == 0) {
        sh->block_height = (ngx_atomic_uint_t) kept->height;
    }
}


static ngx_int_t
ngx_gateway_select_kept_app(ngx_gateway_select_app_t *app)
{
    ngx_int_t          rc;
    ngx_str_t          field, value;
    gateway_kept_t     kept;
    gateway_blocks_t  *blocks;
    u_char             text[GATEWAY_KEPT_LEN];

    blocks = &app->query.registry->blocks;

    kept.height = blocks->height;
    kept.seen_at = ngx_gateway_select_now()
                   - (ngx_current_msec - (ngx_msec_t) blocks->seen_at);
    kept.per_session = blocks->per_session;
    kept.block_time = blocks->block_time;
    kept.max_relays = app->max_relays;
    kept.nchains = app->nchains;

    ngx_str_null(&field);

    value.data = text;
    value.len = (size_t) (gateway_kept_format(text, &kept) - text);

    rc = ngx_gateway_select_kept_store(app, &field, &value);

    app->kept = (rc == NGX_OK);

    return rc;
}


static ngx_int_t
ngx_gateway_select_kept_pair(ngx_gateway_select_pair_t *pair)
{
    ngx_int_t            rc;
    ngx_str_t            field;
    ngx_pool_t          *pool;
    pocket_str_t         chain, text;
    pocket_alloc_t       a;
    gateway_dispatch_t  *dispatch;

    pool = ngx_create_pool(NGX_GATEWAY_SELECT_KEPT_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    mesh_pool_allocator(pool, &a);

    chain.len = pair->chain->name_len;
    chain.data = pair->chain->name;
    field.len = chain.len;
    field.data = chain.data;

    rc = NGX_ERROR;

    dispatch = ngx_palloc(pool, sizeof(gateway_dispatch_t));

    if (dispatch) {
        rc = ngx_gateway_select_kept_dispatch(pair, dispatch);
    }

    if (rc == NGX_OK) {
        rc = (gateway_kept_session(dispatch,
                                   &pair->app->conf->aat.app_pub_key, &chain,
                                   &text, &a)
              == POCKET_OK)
             ? ngx_gateway_select_kept_store(pair->app, &field,
                                             (ngx_str_t *) &text)
             : NGX_ERROR;
    }

    ngx_destroy_pool(pool);

    /* one that has ended meanwhile is not there to be kept */

    pair->kept = (rc == NGX_OK || rc == NGX_DECLINED);

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/* The pair's session as the zone has it; NGX_DECLINED: there is none. */

static ngx_int_t
ngx_gateway_select_kept_dispatch(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch)
{
    uint32_t                       i;
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_session_t  *session;

    session = ngx_gateway_select_session_find(pair, (uint64_t) pair->height);

    if (session == NULL) {
        return NGX_DECLINED;
    }

    dispatch->height = pair->height;
    dispatch->listed = session->listed;
    dispatch->n = session->nnodes;

    for (i = 0; i < session->nnodes; i++) {

        node = ngx_gateway_select_node(pair->chain, session->nodes[i]);

        dispatch->nodes[i].public_key.data = node->sn.str.data;
        dispatch->nodes[i].public_key.len = node->sn.str.len;
        dispatch->nodes[i].url.data = node->url;
        dispatch->nodes[i].url.len = node->url_len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_kept_store(ngx_gateway_select_app_t *app,
    ngx_str_t *field, ngx_str_t *value)
{
    ngx_str_t                       argv[4];
    ngx_gateway_select_registry_t  *registry;
    u_char                          key[NGX_GATEWAY_SELECT_KEPT_KEY];
    u_char                          ttl[NGX_INT64_LEN];

    registry = app->query.registry;

    ngx_gateway_select_kept_key(app, key, &argv[0]);

    argv[1].data = ttl;
    argv[1].len = (size_t)
                  (ngx_sprintf(ttl, "%M",
                               ngx_gateway_select_registry_ttl(registry))
                   - ttl);
    argv[2] = *field;
    argv[3] = *value;

    /* what is lost is told again when Redis is back */

    return ngx_gateway_select_sync_eval(registry->gmcf, GATEWAY_SCRIPT_STORE,
                                        1, 4, argv, NULL, NULL, NULL);
}


static void
ngx_gateway_select_kept_key(ngx_gateway_select_app_t *app, u_char *buf,
    ngx_str_t *key)
{
    ngx_str_t  *name;

    name = (ngx_str_t *) &app->conf->aat.app_pub_key;

    key->data = buf;
    key->len = (size_t) (ngx_sprintf(buf, "gateway:{%V}:sessions", name)
                         - buf);
}
