
/*
 * Asking dispatchers: the height of each, from time to time and closely around
 * a boundary; everything else of those that agree upon it, one after the
 * other until one answers.
 */


#include "ngx_gateway_select_registry.h"
#include "ngx_gateway_select_checker.h"


#define NGX_GATEWAY_SELECT_POLL_TIMEOUT   2000
#define NGX_GATEWAY_SELECT_QUERY_TIMEOUT  5000
#define NGX_GATEWAY_SELECT_QUERY_POOL     4096

/* failures in a row wait so long, doubled each time, up to that */

#define NGX_GATEWAY_SELECT_BACKOFF        500
#define NGX_GATEWAY_SELECT_BACKOFF_MAX    30000
#define NGX_GATEWAY_SELECT_BACKOFF_STEPS  6

/* the next one is asked at once, but for this */

#define NGX_GATEWAY_SELECT_FAILOVER       20

/* a stake is looked at so often */

#define NGX_GATEWAY_SELECT_APP_EVERY      25000
#define NGX_GATEWAY_SELECT_BLOCKS_EVERY   600000

/* who gives so many refused sessions in a row is left out for a while */

#define NGX_GATEWAY_SELECT_REFUSED        3
#define NGX_GATEWAY_SELECT_LEFT_OUT       30000

/* at the start all are waited for so long */

#define NGX_GATEWAY_SELECT_FIRST          800

/* nobody told a height that may be: what is told then is believed */

#define NGX_GATEWAY_SELECT_PATIENCE       60000


/*
 * Reads an answer.  NGX_OK: it is taken; NGX_DECLINED: refused, *reason says
 * why; NGX_ERROR: no memory.
 */

typedef ngx_int_t (*ngx_gateway_select_answer_pt)(
    ngx_gateway_select_query_t *query, mesh_http_result_t *result,
    const char **reason, pocket_alloc_t *a);

typedef int (*ngx_gateway_select_question_pt)(
    ngx_gateway_select_query_t *query, pocket_str_t *body, pocket_alloc_t *a);


typedef struct {
    ngx_str_t                        path;
    ngx_msec_t                       every;    /* 0: once */
    ngx_gateway_select_question_pt   question;
    ngx_gateway_select_answer_pt     answer;
} ngx_gateway_select_query_kind_t;


static void ngx_gateway_select_dispatcher_poll(
    ngx_gateway_select_dispatcher_t *dispatcher);
static void ngx_gateway_select_dispatcher_answer(void *data,
    mesh_http_result_t *result);
static void ngx_gateway_select_dispatcher_failed(
    ngx_gateway_select_dispatcher_t *dispatcher, const char *reason);
static void ngx_gateway_select_dispatchers_agree(
    ngx_gateway_select_registry_t *registry);
static void ngx_gateway_select_dispatcher_tell(
    ngx_gateway_select_dispatcher_t *dispatcher, int64_t height);

static ngx_gateway_select_dispatcher_t *ngx_gateway_select_query_of(
    ngx_gateway_select_query_t *query);
static ngx_uint_t ngx_gateway_select_query_needed(
    ngx_gateway_select_query_t *query);
static void ngx_gateway_select_query_send(ngx_gateway_select_query_t *query);
static void ngx_gateway_select_query_answer(void *data,
    mesh_http_result_t *result);
static void ngx_gateway_select_query_failed(
    ngx_gateway_select_query_t *query, const char *reason);
static void ngx_gateway_select_query_log(ngx_gateway_select_query_t *query,
    ngx_uint_t level, const char *reason);

static int ngx_gateway_select_blocks_question(
    ngx_gateway_select_query_t *query, pocket_str_t *body, pocket_alloc_t *a);
static ngx_int_t ngx_gateway_select_blocks_answer(
    ngx_gateway_select_query_t *query, mesh_http_result_t *result,
    const char **reason, pocket_alloc_t *a);
static int ngx_gateway_select_app_question(
    ngx_gateway_select_query_t *query, pocket_str_t *body, pocket_alloc_t *a);
static ngx_int_t ngx_gateway_select_app_answer(
    ngx_gateway_select_query_t *query, mesh_http_result_t *result,
    const char **reason, pocket_alloc_t *a);
static int ngx_gateway_select_pair_question(
    ngx_gateway_select_query_t *query, pocket_str_t *body, pocket_alloc_t *a);
static ngx_int_t ngx_gateway_select_pair_answer(
    ngx_gateway_select_query_t *query, mesh_http_result_t *result,
    const char **reason, pocket_alloc_t *a);
static void ngx_gateway_select_pair_refused(
    ngx_gateway_select_dispatcher_t *dispatcher, const char *reason);


#define ngx_gateway_select_read(rc)                                           \
    ((rc) == 1 ? NGX_OK : ((rc) == 0 ? NGX_DECLINED : NGX_ERROR))


static ngx_str_t  ngx_gateway_select_height_path =
    ngx_string("/v1/query/height");


/* by ngx_gateway_select_query_e */

static ngx_gateway_select_query_kind_t  ngx_gateway_select_queries[] = {

    { ngx_string("/v1/query/param"), NGX_GATEWAY_SELECT_BLOCKS_EVERY,
      ngx_gateway_select_blocks_question, ngx_gateway_select_blocks_answer },

    { ngx_string("/v1/query/app"), NGX_GATEWAY_SELECT_APP_EVERY,
      ngx_gateway_select_app_question, ngx_gateway_select_app_answer },

    { ngx_string("/v1/client/dispatch"), 0,
      ngx_gateway_select_pair_question, ngx_gateway_select_pair_answer }
};


void
ngx_gateway_select_dispatchers_tick(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                        i, hurry;
    ngx_msec_t                        soon;
    ngx_gateway_select_sh_t          *sh;
    ngx_gateway_select_dispatcher_t  *dispatcher;

    sh = ngx_gateway_select_zone(registry->gmcf)->sh;
    soon = ngx_current_msec + GATEWAY_BLOCKS_FAST;

    /* a servicer is in a session that is not known: the time has come */

    hurry = sh->hurry;
    sh->hurry = 0;

    if (hurry && ngx_gateway_select_reached(registry->heard_due, soon)) {
        registry->heard_due = soon;
    }

    for (i = 0; i < registry->ndispatchers; i++) {

        dispatcher = &registry->dispatchers[i];

        if (dispatcher->exchange) {
            continue;
        }

        if (hurry
            && dispatcher->failures == 0
            && ngx_gateway_select_reached(dispatcher->due, soon))
        {
            dispatcher->due = soon;
        }

        if (ngx_gateway_select_reached(ngx_current_msec, dispatcher->due)) {
            ngx_gateway_select_dispatcher_poll(dispatcher);
        }
    }
}


static void
ngx_gateway_select_dispatcher_poll(
    ngx_gateway_select_dispatcher_t *dispatcher)
{
    pocket_str_t          body;
    mesh_http_header_t    header;
    mesh_http_request_t   rq;

    static u_char  empty[] = "{}";

    body.data = empty;
    body.len = sizeof(empty) - 1;

    ngx_gateway_select_query_post(&rq, &header, dispatcher->url,
                                  &ngx_gateway_select_height_path, &body);

    rq.timeout = NGX_GATEWAY_SELECT_POLL_TIMEOUT;

    dispatcher->exchange = mesh_http_send(dispatcher->registry->gmcf->http,
                                         &rq,
                                         ngx_gateway_select_dispatcher_answer,
                                         dispatcher);
    if (dispatcher->exchange == NULL) {
        ngx_gateway_select_dispatcher_failed(dispatcher, "no memory");
    }
}


static void
ngx_gateway_select_dispatcher_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_dispatcher_t *dispatcher = data;

    int                             rc;
    int64_t                         height;
    ngx_pool_t                     *pool;
    const char                     *reason;
    pocket_str_t                    body;
    pocket_alloc_t                  a;
    ngx_gateway_select_registry_t  *registry;

    registry = dispatcher->registry;
    dispatcher->exchange = NULL;

    if (result->outcome != MESH_HTTP_OK) {
        ngx_gateway_select_dispatcher_failed(dispatcher, result->reason);
        return;
    }

    pool = ngx_create_pool(NGX_GATEWAY_SELECT_QUERY_POOL, ngx_cycle->log);
    if (pool == NULL) {
        ngx_gateway_select_dispatcher_failed(dispatcher, "no memory");
        return;
    }

    mesh_pool_allocator(pool, &a);

    body.len = result->body.len;
    body.data = result->body.data;
    reason = "no memory";

    rc = gateway_dispatch_height((unsigned) result->status, &body, &height,
                                 &reason, &a);
    ngx_destroy_pool(pool);

    if (rc != 1) {
        ngx_gateway_select_dispatcher_failed(dispatcher, reason);
        return;
    }

    if (dispatcher->failures) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "dispatcher \"%V\" answers again",
                      &dispatcher->url->text);
        dispatcher->failures = 0;
    }

    dispatcher->height = height;

    ngx_gateway_select_dispatchers_agree(registry);

    dispatcher->due = ngx_current_msec
                      + gateway_blocks_poll(&registry->blocks,
                                            ngx_current_msec);
}


static void
ngx_gateway_select_dispatcher_failed(
    ngx_gateway_select_dispatcher_t *dispatcher, const char *reason)
{
    if (dispatcher->failures++ == 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "dispatcher \"%V\" does not tell its height: %s",
                      &dispatcher->url->text, reason);
    }

    dispatcher->height = 0;
    dispatcher->due = ngx_current_msec
                + ngx_min(ngx_gateway_select_query_backoff(
                                                        dispatcher->failures),
                          GATEWAY_BLOCKS_SLOW);

    ngx_gateway_select_dispatchers_agree(dispatcher->registry);
}


static void
ngx_gateway_select_dispatchers_agree(ngx_gateway_select_registry_t *registry)
{
    int64_t                           height, *heights;
    uint8_t                          *in;
    ngx_uint_t                        i, n, told;
    gateway_blocks_t                 *blocks;
    ngx_gateway_select_dispatcher_t  *dispatcher;

    blocks = &registry->blocks;
    n = registry->ndispatchers;
    heights = registry->heights;
    in = registry->in;
    told = 0;

    for (i = 0; i < n; i++) {
        dispatcher = &registry->dispatchers[i];

        /* the first to answer is not believed before others had the time */

        if (blocks->height == 0
            && dispatcher->height == 0 && dispatcher->failures == 0
            && ngx_current_msec - registry->started
               < NGX_GATEWAY_SELECT_FIRST)
        {
            return;
        }

        heights[i] = ngx_gateway_select_reached(dispatcher->left_out,
                                                ngx_current_msec)
                         ? 0 : dispatcher->height;
        told += (heights[i] != 0);
    }

    height = gateway_blocks_agree(blocks, heights, in, (uint32_t) n,
                                  ngx_current_msec);

    if (height == 0 && told && ngx_current_msec - registry->agreed
                               > NGX_GATEWAY_SELECT_PATIENCE)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "height %L that was known before is given up: "
                      "no dispatcher is near it", blocks->height);

        blocks->height = 0;
        blocks->exact = 0;

        height = gateway_blocks_agree(blocks, heights, in, (uint32_t) n,
                                      ngx_current_msec);
    }

    if (height || told == 0) {
        registry->agreed = ngx_current_msec;
    }

    for (i = 0; i < n; i++) {
        registry->dispatchers[i].in = in[i];
        ngx_gateway_select_dispatcher_tell(&registry->dispatchers[i],
                                           ngx_max(height, blocks->height));
    }

    if (height > blocks->height) {
        ngx_gateway_select_registry_height(registry, height);
    }
}


/* Once, when it is left out for its height, and when it is not any more. */

static void
ngx_gateway_select_dispatcher_tell(
    ngx_gateway_select_dispatcher_t *dispatcher, int64_t height)
{
    if (dispatcher->height == 0) {
        return;
    }

    if (dispatcher->in) {

        if (dispatcher->told) {
            dispatcher->told = 0;
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "dispatcher \"%V\" is asked again, its height is "
                          "%L", &dispatcher->url->text, dispatcher->height);
        }

        return;
    }

    if (!dispatcher->told) {
        dispatcher->told = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "dispatcher \"%V\" is left out: its height is %L, and "
                      "%L is known", &dispatcher->url->text,
                      dispatcher->height, height);
    }
}


void
ngx_gateway_select_dispatchers_stop(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                        i;
    ngx_gateway_select_dispatcher_t  *dispatcher;

    for (i = 0; i < registry->ndispatchers; i++) {

        dispatcher = &registry->dispatchers[i];

        if (dispatcher->exchange) {
            mesh_http_cancel(dispatcher->exchange);
            dispatcher->exchange = NULL;
        }
    }
}


void
ngx_gateway_select_query_tick(ngx_gateway_select_query_t *query)
{
    if (query->exchange
        || !ngx_gateway_select_reached(ngx_current_msec, query->due)
        || query->registry->queries >= NGX_GATEWAY_SELECT_QUERIES
        || !ngx_gateway_select_query_needed(query))
    {
        return;
    }

    query->dispatcher = ngx_gateway_select_query_of(query);

    if (query->dispatcher) {
        ngx_gateway_select_query_send(query);
    }
}


static ngx_uint_t
ngx_gateway_select_query_needed(ngx_gateway_select_query_t *query)
{
    int64_t                     height;
    gateway_blocks_t           *blocks;
    ngx_gateway_select_pair_t  *pair;

    if (query->kind != NGX_GATEWAY_SELECT_QUERY_SESSION) {
        return 1;
    }

    pair = (ngx_gateway_select_pair_t *) query;
    blocks = &query->registry->blocks;

    if (blocks->height == 0) {
        return 0;
    }

    height = gateway_blocks_session(blocks, blocks->height);

    return pair->height < height
           || (pair->hearsay && pair->height == height);
}


/* The next of those that agree; NULL: there is none. */

static ngx_gateway_select_dispatcher_t *
ngx_gateway_select_query_of(ngx_gateway_select_query_t *query)
{
    ngx_uint_t                      i, n;
    ngx_gateway_select_registry_t  *registry;

    registry = query->registry;

    for (i = 0; i < registry->ndispatchers; i++) {

        n = query->turn++ % registry->ndispatchers;

        if (registry->dispatchers[n].in
            && registry->dispatchers[n].height)
        {
            return &registry->dispatchers[n];
        }
    }

    return NULL;
}


static void
ngx_gateway_select_query_send(ngx_gateway_select_query_t *query)
{
    pocket_str_t                      body;
    pocket_alloc_t                    a;
    mesh_http_header_t                header;
    mesh_http_request_t               rq;
    ngx_gateway_select_query_kind_t  *kind;

    kind = &ngx_gateway_select_queries[query->kind];

    query->pool = ngx_create_pool(NGX_GATEWAY_SELECT_QUERY_POOL,
                                  ngx_cycle->log);
    if (query->pool == NULL) {
        ngx_gateway_select_query_failed(query, "no memory");
        return;
    }

    mesh_pool_allocator(query->pool, &a);

    if (kind->question(query, &body, &a) == POCKET_OK) {

        ngx_gateway_select_query_post(&rq, &header, query->dispatcher->url,
                                      &kind->path, &body);

        rq.timeout = NGX_GATEWAY_SELECT_QUERY_TIMEOUT;

        query->exchange = mesh_http_send(query->registry->gmcf->http, &rq,
                                         ngx_gateway_select_query_answer,
                                         query);
    }

    if (query->exchange == NULL) {
        ngx_gateway_select_query_stop(query);
        ngx_gateway_select_query_failed(query, "no memory");
        return;
    }

    query->registry->queries++;
}


static void
ngx_gateway_select_query_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_query_t *query = data;

    ngx_int_t                         rc;
    const char                       *reason;
    pocket_alloc_t                    a;
    ngx_gateway_select_query_kind_t  *kind;

    kind = &ngx_gateway_select_queries[query->kind];

    query->exchange = NULL;
    query->registry->queries--;

    if (result->outcome == MESH_HTTP_OK) {
        mesh_pool_allocator(query->pool, &a);

        reason = "no memory";
        rc = kind->answer(query, result, &reason, &a);

    } else {
        reason = result->reason;
        rc = NGX_DECLINED;
    }

    ngx_destroy_pool(query->pool);
    query->pool = NULL;

    if (rc != NGX_OK) {
        ngx_gateway_select_query_failed(query, reason);
        return;
    }

    if (query->failures) {
        ngx_gateway_select_query_log(query, NGX_LOG_NOTICE,
                                     "answered again");
    }

    query->failures = 0;
    query->due = ngx_current_msec + kind->every;

    if (kind->every) {
        query->due += ngx_random() % (kind->every / 8);
    }
}


void
ngx_gateway_select_query_stop(ngx_gateway_select_query_t *query)
{
    if (query->exchange) {
        mesh_http_cancel(query->exchange);
        query->exchange = NULL;
        query->registry->queries--;
    }

    if (query->pool) {
        ngx_destroy_pool(query->pool);
        query->pool = NULL;
    }
}


/* The next dispatcher is asked at once; when all were, there is a pause. */

static void
ngx_gateway_select_query_failed(ngx_gateway_select_query_t *query,
    const char *reason)
{
    ngx_uint_t  n;

    query->failures++;

    n = query->registry->ndispatchers;

    ngx_gateway_select_query_log(query, query->failures == n ? NGX_LOG_WARN
                                                             : NGX_LOG_INFO,
                                 reason);

    query->due = ngx_current_msec
                 + (query->failures < n
                        ? NGX_GATEWAY_SELECT_FAILOVER
                        : ngx_gateway_select_query_backoff(query->failures
                                                           - n + 1));
}


static void
ngx_gateway_select_query_log(ngx_gateway_select_query_t *query,
    ngx_uint_t level, const char *reason)
{
    ngx_str_t                   chain, *name, *url;
    ngx_gateway_select_app_t   *app;
    ngx_gateway_select_pair_t  *pair;

    url = &query->dispatcher->url->text;

    switch (query->kind) {

    case NGX_GATEWAY_SELECT_QUERY_SESSION:
        pair = (ngx_gateway_select_pair_t *) query;
        name = (ngx_str_t *) &pair->app->conf->name;

        chain.data = pair->chain->name;
        chain.len = pair->chain->name_len;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "dispatcher \"%V\", session of application \"%V\" on "
                      "chain \"%V\": %s", url, name, &chain, reason);
        break;

    case NGX_GATEWAY_SELECT_QUERY_APP:
        app = (ngx_gateway_select_app_t *) query;
        name = (ngx_str_t *) &app->conf->name;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "dispatcher \"%V\", application \"%V\": %s",
                      url, name, reason);
        break;

    default: /* NGX_GATEWAY_SELECT_QUERY_BLOCKS */
        ngx_log_error(level, ngx_cycle->log, 0,
                      "dispatcher \"%V\", blocks of a session: %s", url,
                      reason);
        break;
    }
}


/* Of the first failure, the second ...: three quarters of it to five. */

ngx_msec_t
ngx_gateway_select_query_backoff(ngx_uint_t failures)
{
    ngx_msec_t  wait;

    wait = NGX_GATEWAY_SELECT_BACKOFF
           << (ngx_min(failures, NGX_GATEWAY_SELECT_BACKOFF_STEPS + 1) - 1);

    wait = ngx_min(wait, NGX_GATEWAY_SELECT_BACKOFF_MAX);

    return wait - wait / 4 + (ngx_msec_t) ngx_random() % (wait / 2);
}


void
ngx_gateway_select_query_post(mesh_http_request_t *rq,
    mesh_http_header_t *header, mesh_http_url_t *url, ngx_str_t *path,
    pocket_str_t *body)
{
    ngx_memzero(rq, sizeof(mesh_http_request_t));

    ngx_str_set(&rq->method, "POST");
    ngx_str_set(&header->name, "Content-Type");
    ngx_str_set(&header->value, "application/json");

    rq->url = url;
    rq->path = *path;
    rq->headers = header;
    rq->nheaders = 1;
    rq->body.data = body->data;
    rq->body.len = body->len;
}


static int
ngx_gateway_select_blocks_question(ngx_gateway_select_query_t *query,
    pocket_str_t *body, pocket_alloc_t *a)
{
    static u_char  key[] = "{\"height\":0,\"key\":\"pos/BlocksPerSession\"}";

    body->data = key;
    body->len = sizeof(key) - 1;

    return POCKET_OK;
}


static ngx_int_t
ngx_gateway_select_blocks_answer(ngx_gateway_select_query_t *query,
    mesh_http_result_t *result, const char **reason, pocket_alloc_t *a)
{
    int                       rc;
    int64_t                   blocks;
    ngx_gateway_select_sh_t  *sh;

    rc = gateway_dispatch_blocks((unsigned) result->status,
                                 (pocket_str_t *) &result->body, &blocks,
                                 reason, a);
    if (rc == 1) {
        sh = ngx_gateway_select_zone(query->registry->gmcf)->sh;

        query->registry->blocks.per_session = (uint32_t) blocks;
        sh->session_blocks = (ngx_atomic_uint_t) blocks;
    }

    return ngx_gateway_select_read(rc);
}


static int
ngx_gateway_select_app_question(ngx_gateway_select_query_t *query,
    pocket_str_t *body, pocket_alloc_t *a)
{
    ngx_gateway_select_app_t  *app;

    app = (ngx_gateway_select_app_t *) query;

    return gateway_dispatch_app_body(&app->conf->address, body, a);
}


static ngx_int_t
ngx_gateway_select_app_answer(ngx_gateway_select_query_t *query,
    mesh_http_result_t *result, const char **reason, pocket_alloc_t *a)
{
    int                        rc;
    gateway_dispatch_app_t    *told;
    ngx_gateway_select_app_t  *app;

    app = (ngx_gateway_select_app_t *) query;

    told = pocket_alloc(a, sizeof(gateway_dispatch_app_t));
    if (told == NULL) {
        return NGX_ERROR;
    }

    rc = gateway_dispatch_app((unsigned) result->status,
                              (pocket_str_t *) &result->body,
                              &app->conf->aat.app_pub_key, told, reason, a);
    if (rc == 1) {
        ngx_gateway_select_registry_app(app, told);
    }

    return ngx_gateway_select_read(rc);
}


static int
ngx_gateway_select_pair_question(ngx_gateway_select_query_t *query,
    pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_str_t                chain;
    gateway_blocks_t           *blocks;
    ngx_gateway_select_pair_t  *pair;

    pair = (ngx_gateway_select_pair_t *) query;
    blocks = &query->registry->blocks;

    chain.data = pair->chain->name;
    chain.len = pair->chain->name_len;

    return gateway_dispatch_session_body(&pair->app->conf->aat.app_pub_key,
                                 &chain,
                                 gateway_blocks_session(blocks,
                                                        blocks->height),
                                 body, a);
}


/*
 * The session that is wanted by now, which may be a newer one than when the
 * question was sent.
 */

static ngx_int_t
ngx_gateway_select_pair_answer(ngx_gateway_select_query_t *query,
    mesh_http_result_t *result, const char **reason, pocket_alloc_t *a)
{
    int                         rc;
    int64_t                     height;
    pocket_str_t                chain;
    gateway_blocks_t           *blocks;
    gateway_dispatch_t         *dispatch;
    ngx_gateway_select_pair_t  *pair;

    pair = (ngx_gateway_select_pair_t *) query;
    blocks = &query->registry->blocks;
    height = gateway_blocks_session(blocks, blocks->height);

    chain.data = pair->chain->name;
    chain.len = pair->chain->name_len;

    dispatch = pocket_alloc(a, sizeof(gateway_dispatch_t));
    if (dispatch == NULL) {
        return NGX_ERROR;
    }

    if (result->status != NGX_HTTP_OK) {
        *reason = "its status is not 200";
        return NGX_DECLINED;
    }

    rc = gateway_dispatch_session((pocket_str_t *) &result->body,
                                  &pair->app->conf->aat.app_pub_key, &chain,
                                  height, dispatch, reason, a);

    /* a session of another height is late, and no nonsense */

    if (rc == 0
        && (dispatch->height == 0 || dispatch->height == height))
    {
        ngx_gateway_select_pair_refused(query->dispatcher, *reason);
    }

    /* it is ahead of what it told before */

    if (dispatch->height > height) {
        query->dispatcher->due = ngx_current_msec;
    }

    if (rc != 1) {
        return ngx_gateway_select_read(rc);
    }

    query->dispatcher->refused = 0;

    if (dispatch->n < dispatch->listed) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "dispatcher \"%V\": %uD of %uD nodes of a session on "
                      "chain \"%*s\" are none", &query->dispatcher->url->text,
                      dispatch->listed - dispatch->n, dispatch->listed,
                      chain.len, chain.data);
    }

    if (ngx_gateway_select_session_publish(pair, dispatch) == NGX_OK) {
        return NGX_OK;
    }

    *reason = "no room in the zone";

    return NGX_ERROR;
}


static void
ngx_gateway_select_pair_refused(ngx_gateway_select_dispatcher_t *dispatcher,
    const char *reason)
{
    ngx_uint_t                      i, others;
    ngx_gateway_select_registry_t  *registry;

    registry = dispatcher->registry;
    others = 0;

    for (i = 0; i < registry->ndispatchers; i++) {
        others += registry->dispatchers[i].in;
    }

    if (++dispatcher->refused < NGX_GATEWAY_SELECT_REFUSED || others < 2) {
        return;
    }

    dispatcher->refused = 0;
    dispatcher->left_out = ngx_current_msec + NGX_GATEWAY_SELECT_LEFT_OUT;
    dispatcher->in = 0;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "dispatcher \"%V\" is left out for %d seconds: %s",
                  &dispatcher->url->text, NGX_GATEWAY_SELECT_LEFT_OUT / 1000,
                  reason);

    ngx_gateway_select_dispatchers_agree(dispatcher->registry);
}
