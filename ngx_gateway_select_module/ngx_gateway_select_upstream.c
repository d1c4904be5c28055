
/*
 * gateway_select in upstream{}: the directive, and the servers of the
 * upstream as nodes of a chain.
 */


#include "ngx_gateway_select_balance.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_upstream.h"


#define NGX_GATEWAY_SELECT_UPSTREAM_PREFIX  "u:"

/* how long a caller who sticks to a cordoned server may pause, seconds */

#define NGX_GATEWAY_SELECT_STICKY_TIME      600

/* addresses that "resolve" may find beyond those of the configuration */

#define NGX_GATEWAY_SELECT_RESOLVED_MAX     256

/* how long an address that has gone keeps its place, ms */

#define NGX_GATEWAY_SELECT_GONE             600000

/* below it "keepalive" is an init_upstream of its own around the one before */

#define NGX_GATEWAY_SELECT_KEEPALIVE_FREE   1029007


#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
#define NGX_GATEWAY_SELECT_RESOLVE          1
#else
#define NGX_GATEWAY_SELECT_RESOLVE          0
#endif


static char *ngx_gateway_select_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_gateway_select_chain_t *ngx_gateway_select_upstream_chain(
    ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *uscf);
static char *ngx_gateway_select_upstream_key(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *value);
static ngx_uint_t ngx_gateway_select_upstream_is(ngx_str_t *name,
    const char *key);
static char *ngx_gateway_select_upstream_sticky(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *text);
static char *ngx_gateway_select_upstream_sticky_time(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *text);
static ngx_uint_t ngx_gateway_select_upstream_keepalive(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_int_t ngx_gateway_select_upstream_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_gateway_select_upstream_servers(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peers_t *peers,
    ngx_uint_t backup);
static ngx_gateway_select_server_t *ngx_gateway_select_upstream_find(
    ngx_gateway_select_chain_t *chain, ngx_str_t *name);
static ngx_int_t ngx_gateway_select_upstream_url(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peer_t *peer,
    ngx_gateway_select_server_t *server);
static void ngx_gateway_select_upstream_fails(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
#if (NGX_GATEWAY_SELECT_RESOLVE)
static ngx_int_t ngx_gateway_select_upstream_reserve(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool);
static void ngx_gateway_select_upstream_resolved(
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peers_t *peers,
    ngx_uint_t backup);
static ngx_gateway_select_server_t *ngx_gateway_select_upstream_place(
    ngx_gateway_select_pool_t *pool, ngx_str_t *name);
#endif
static void *ngx_gateway_select_upstream_create_conf(ngx_conf_t *cf);
static void *ngx_gateway_select_upstream_create_loc_conf(ngx_conf_t *cf);
static char *ngx_gateway_select_upstream_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);


static ngx_command_t  ngx_gateway_select_upstream_commands[] = {

    { ngx_string("gateway_select"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_gateway_select_upstream,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_client"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_gateway_select_client,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_upstream_loc_conf_t, client),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_gateway_select_upstream_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_gateway_select_filter_init,        /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_gateway_select_upstream_create_conf, /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_gateway_select_upstream_create_loc_conf, /* create location conf. */
    ngx_gateway_select_upstream_merge_loc_conf   /* merge location conf. */
};


ngx_module_t  ngx_gateway_select_upstream_module = {
    NGX_MODULE_V1,
    &ngx_gateway_select_upstream_module_ctx, /* module context */
    ngx_gateway_select_upstream_commands,  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_gateway_select_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_pool_t *pool = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_upstream_srv_conf_t  *uscf;

    if (pool->chain) {
        return "is duplicate";
    }

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

    if (uscf->peer.init_upstream) {

        if (ngx_gateway_select_upstream_keepalive(cf, uscf)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"keepalive\" must stand below "
                               "\"gateway_select\" in upstream \"%V\": above "
                               "it no connection would be kept",
                               &uscf->host);
            return NGX_CONF_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "load balancing method redefined");
    }

    pool->chain = ngx_gateway_select_upstream_chain(cf, uscf);
    if (pool->chain == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_gateway_select_upstream_key(cf, pool, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ngx_conf_init_value(pool->sticky_time, NGX_GATEWAY_SELECT_STICKY_TIME);

    /*
     * The servers are of one owner, who has no reason to spread over them:
     * a cap would outvote weights, and with two servers all of the ranking.
     */

    if (pool->chain->rank.operator_cap < 0) {
        pool->chain->rank.operator_cap = 1;
    }

    uscf->peer.init_upstream = ngx_gateway_select_upstream_init;

    uscf->flags = NGX_HTTP_UPSTREAM_CREATE
#if (nginx_version >= 1027003)
                  |NGX_HTTP_UPSTREAM_MODIFY
#endif
                  |NGX_HTTP_UPSTREAM_WEIGHT
                  |NGX_HTTP_UPSTREAM_MAX_CONNS
                  |NGX_HTTP_UPSTREAM_MAX_FAILS
                  |NGX_HTTP_UPSTREAM_FAIL_TIMEOUT
                  |NGX_HTTP_UPSTREAM_DOWN
                  |NGX_HTTP_UPSTREAM_BACKUP;

    return NGX_CONF_OK;
}


static ngx_gateway_select_chain_t *
ngx_gateway_select_upstream_chain(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf)
{
    u_char                          *p;
    ngx_str_t                        name;
    ngx_gateway_select_chain_t      *chain;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_gateway_select_module);

    name.len = sizeof(NGX_GATEWAY_SELECT_UPSTREAM_PREFIX) - 1
               + uscf->host.len;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(name.data, NGX_GATEWAY_SELECT_UPSTREAM_PREFIX,
                   sizeof(NGX_GATEWAY_SELECT_UPSTREAM_PREFIX) - 1);
    ngx_memcpy(p, uscf->host.data, uscf->host.len);

    chain = ngx_gateway_select_chain_add(cf, gmcf, &name);

    if (chain) {
        chain->upstream = uscf;
    }

    return chain;
}


static char *
ngx_gateway_select_upstream_key(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   name, text;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"gateway_select\", "
                           "name=value is expected", value);
        return NGX_CONF_ERROR;
    }

    name.data = value->data;
    name.len = p - value->data;
    text.data = p + 1;
    text.len = value->len - name.len - 1;

    if (ngx_gateway_select_upstream_is(&name, "sticky")) {
        return ngx_gateway_select_upstream_sticky(cf, pool, &text);
    }

    if (ngx_gateway_select_upstream_is(&name, "sticky_time")) {
        return ngx_gateway_select_upstream_sticky_time(cf, pool, &text);
    }

    return ngx_gateway_select_conf_key(cf, pool->chain, &name, &text);
}


static ngx_uint_t
ngx_gateway_select_upstream_is(ngx_str_t *name, const char *key)
{
    return name->len == ngx_strlen(key)
           && ngx_strncmp(name->data, key, name->len) == 0;
}


static char *
ngx_gateway_select_upstream_sticky(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *text)
{
    if (pool->sticky) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"sticky\" of \"gateway_select\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_script_variables_count(text) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"sticky\" of "
                           "\"gateway_select\", text with a variable is "
                           "expected", text);
        return NGX_CONF_ERROR;
    }

    pool->sticky = mesh_conf_complex(cf, text);

    return pool->sticky ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_gateway_select_upstream_sticky_time(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_str_t *text)
{
    time_t  seconds;

    if (pool->sticky_time != NGX_CONF_UNSET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"sticky_time\" of "
                           "\"gateway_select\"");
        return NGX_CONF_ERROR;
    }

    seconds = ngx_parse_time(text, 1);

    if (seconds == (time_t) NGX_ERROR || seconds == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"sticky_time\" of "
                           "\"gateway_select\"", text);
        return NGX_CONF_ERROR;
    }

    pool->sticky_time = seconds;

    return NGX_CONF_OK;
}


/*
 * Before 1.29.7 only: was "keepalive" read already?  Its configuration is
 * known to its own module alone, but begins with the number of connections
 * in all these versions.  The module is looked up by name: it may be absent.
 */

static ngx_uint_t
ngx_gateway_select_upstream_keepalive(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf)
{
#if (nginx_version < NGX_GATEWAY_SELECT_KEEPALIVE_FREE)
    ngx_uint_t    i, *max_cached;
    ngx_module_t  *module;

    for (i = 0; cf->cycle->modules[i]; i++) {

        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_upstream_keepalive_module")
            == 0)
        {
            max_cached = uscf->srv_conf[module->ctx_index];
            return max_cached && *max_cached;
        }
    }
#endif

    return 0;
}


static ngx_int_t
ngx_gateway_select_upstream_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_gateway_select_pool_t     *pool;
    ngx_http_upstream_rr_peers_t  *peers;

    if (ngx_http_upstream_init_round_robin(cf, us) != NGX_OK) {
        return NGX_ERROR;
    }

    us->peer.init = ngx_gateway_select_balance_init;

    pool = ngx_http_conf_upstream_srv_conf(us,
                                          ngx_gateway_select_upstream_module);
    peers = us->peer.data;

    ngx_gateway_select_upstream_fails(cf, us);

    if (ngx_gateway_select_upstream_servers(cf, pool, peers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (peers->next
        && ngx_gateway_select_upstream_servers(cf, pool, peers->next, 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_GATEWAY_SELECT_RESOLVE)

    if (peers->resolve || (peers->next && peers->next->resolve)) {
        return ngx_gateway_select_upstream_reserve(cf, pool);
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_upstream_servers(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peers_t *peers,
    ngx_uint_t backup)
{
    ngx_gateway_select_server_t  *server;
    ngx_http_upstream_rr_peer_t  *peer;

    for (peer = peers->peer; peer; peer = peer->next) {

        server = ngx_gateway_select_upstream_find(pool->chain, &peer->name);

        if (server) {

            /* an address named twice is one node, and primary if it can */

            if (server->backup == backup) {
                server->weight += peer->weight;
                server->down = server->down && peer->down;
            }

            continue;
        }

        server = ngx_array_push(&pool->chain->servers);
        if (server == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(server, sizeof(ngx_gateway_select_server_t));

        server->name = peer->name;
        server->weight = peer->weight;
        server->backup = backup;
        server->down = (peer->down != 0);

        if (ngx_gateway_select_upstream_url(cf, pool, peer, server) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_gateway_select_server_t *
ngx_gateway_select_upstream_find(ngx_gateway_select_chain_t *chain,
    ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_gateway_select_server_t  *server;

    server = chain->servers.elts;

    for (i = 0; i < chain->servers.nelts; i++) {
        if (server[i].name.len == name->len
            && ngx_memcmp(server[i].name.data, name->data, name->len) == 0)
        {
            return &server[i];
        }
    }

    return NULL;
}


/* Where checks ask it: its address, by the name of "host" if there is one. */

static ngx_int_t
ngx_gateway_select_upstream_url(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool, ngx_http_upstream_rr_peer_t *peer,
    ngx_gateway_select_server_t *server)
{
    u_char                      *p;
    ngx_str_t                    text, host;
    ngx_addr_t                  *addr;
    const char                  *err;
    ngx_gateway_select_chain_t  *chain;

    chain = pool->chain;

    if (chain->family == NGX_GATEWAY_SELECT_NONE
        && chain->check_names.nelts == 0)
    {
        return NGX_OK;
    }

    host = chain->check_host;

    if (host.len == 0) {
        if (peer->sockaddr->sa_family == AF_UNIX) {
            ngx_str_set(&host, "localhost");

        } else {
            host = peer->name;
        }
    }

    text.data = ngx_pnalloc(cf->pool, sizeof("https:///") + host.len
                                      + chain->check_uri.len);
    addr = ngx_palloc(cf->pool, sizeof(ngx_addr_t));

    if (text.data == NULL || addr == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "%s://%V%V",
                    (chain->check_tls == 1) ? "https" : "http",
                    &host, &chain->check_uri);
    text.len = p - text.data;

    addr->sockaddr = peer->sockaddr;
    addr->socklen = peer->socklen;
    addr->name = peer->name;

    server->url = mesh_http_url_at(cf, pool->gmcf->http, &text, addr, &err);

    if (server->url == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s in \"%V\", the URL of checks of \"gateway_select\" "
                      "in upstream \"%V\"", err, &text,
                      &chain->upstream->host);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* What has no effect is said, once. */

static void
ngx_gateway_select_upstream_fails(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                   i;
    ngx_http_upstream_server_t  *server;

    server = us->servers->elts;

    for (i = 0; i < us->servers->nelts; i++) {

        /* the defaults, which nginx does not mark as such */

        if (server[i].max_fails == 1 && server[i].fail_timeout == 10) {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"max_fails\" and \"fail_timeout\" of server \"%V\" "
                      "have no effect with \"gateway_select\" in upstream "
                      "\"%V\": servers are put out by their records",
                      &server[i].name, &us->host);
        return;
    }
}


#if (NGX_GATEWAY_SELECT_RESOLVE)

/* Room for the addresses to come, so that no server ever moves. */

static ngx_int_t
ngx_gateway_select_upstream_reserve(ngx_conf_t *cf,
    ngx_gateway_select_pool_t *pool)
{
    ngx_array_t   servers;
    ngx_array_t  *fixed;

    fixed = &pool->chain->servers;

    pool->nfixed = fixed->nelts;
    pool->nresolved = NGX_GATEWAY_SELECT_RESOLVED_MAX;

    pool->gone = ngx_pcalloc(cf->pool, pool->nresolved * sizeof(ngx_msec_t));
    pool->names = ngx_pnalloc(cf->pool,
                              pool->nresolved * NGX_SOCKADDR_STRLEN);

    if (pool->gone == NULL
        || pool->names == NULL
        || ngx_array_init(&servers, cf->pool,
                          pool->nfixed + pool->nresolved,
                          sizeof(ngx_gateway_select_server_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(servers.elts, fixed->elts,
               pool->nfixed * sizeof(ngx_gateway_select_server_t));

    servers.nelts = pool->nfixed;
    *fixed = servers;

    return NGX_OK;
}


static void
ngx_gateway_select_upstream_resolved(ngx_gateway_select_pool_t *pool,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t backup)
{
    ngx_gateway_select_server_t  *server;
    ngx_http_upstream_rr_peer_t  *peer;

    for (peer = peers->peer; peer; peer = peer->next) {

        if (peer->host == NULL) {
            continue;
        }

        server = ngx_gateway_select_upstream_find(pool->chain, &peer->name);

        if (server == NULL) {
            server = ngx_gateway_select_upstream_place(pool, &peer->name);

            if (server == NULL) {
                return;
            }

        } else if ((ngx_uint_t) (server - (ngx_gateway_select_server_t *)
                                              pool->chain->servers.elts)
                   < pool->nfixed)
        {
            continue;
        }

        server->weight = peer->weight;
        server->backup = backup;
        server->down = (peer->down != 0);
    }
}


/* A new place, or that of an address which has gone for long. */

static ngx_gateway_select_server_t *
ngx_gateway_select_upstream_place(ngx_gateway_select_pool_t *pool,
    ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_array_t                  *servers;
    ngx_gateway_select_server_t  *server;

    servers = &pool->chain->servers;
    server = servers->elts;

    for (i = 0; i < pool->nresolved; i++) {

        if (pool->nfixed + i == servers->nelts) {
            servers->nelts++;
            break;
        }

        if (server[pool->nfixed + i].down
            && pool->gone[i]
            && ngx_current_msec - pool->gone[i] > NGX_GATEWAY_SELECT_GONE)
        {
            break;
        }
    }

    if (i == pool->nresolved || name->len > NGX_SOCKADDR_STRLEN) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "no room for address \"%V\" of upstream \"%V\", it is "
                      "used without a record", name,
                      &pool->chain->upstream->host);
        return NULL;
    }

    server += pool->nfixed + i;

    ngx_memzero(server, sizeof(ngx_gateway_select_server_t));

    server->name.data = pool->names + i * NGX_SOCKADDR_STRLEN;
    server->name.len = name->len;
    ngx_memcpy(server->name.data, name->data, name->len);

    server->node = NGX_GATEWAY_SELECT_NO_NODE;
    pool->gone[i] = 0;

    return server;
}


ngx_int_t
ngx_gateway_select_upstream_sync(ngx_gateway_select_chain_t *chain)
{
    ngx_uint_t                     i;
    ngx_gateway_select_pool_t     *pool;
    ngx_gateway_select_server_t   *server;
    ngx_http_upstream_rr_peers_t  *peers;

    peers = chain->upstream->peer.data;
    pool = ngx_http_conf_upstream_srv_conf(chain->upstream,
                                          ngx_gateway_select_upstream_module);

    if (pool->nresolved == 0
        || peers->config == NULL
        || *peers->config == pool->synced)
    {
        return NGX_DECLINED;
    }

    ngx_gateway_select_pool_lock(pool);

    pool->synced = *peers->config;

    server = (ngx_gateway_select_server_t *) chain->servers.elts
             + pool->nfixed;

    for (i = 0; pool->nfixed + i < chain->servers.nelts; i++) {
        server[i].down = 1;
    }

    ngx_gateway_select_upstream_resolved(pool, peers, 0);

    if (peers->next) {
        ngx_gateway_select_upstream_resolved(pool, peers->next, 1);
    }

    ngx_gateway_select_pool_unlock(pool);

    for (i = 0; pool->nfixed + i < chain->servers.nelts; i++) {

        if (!server[i].down) {
            pool->gone[i] = 0;

        } else if (pool->gone[i] == 0) {
            pool->gone[i] = ngx_max(ngx_current_msec, 1);
        }
    }

    return NGX_OK;
}

#else

ngx_int_t
ngx_gateway_select_upstream_sync(ngx_gateway_select_chain_t *chain)
{
    return NGX_DECLINED;
}

#endif


static void *
ngx_gateway_select_upstream_create_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t         *cln;
    ngx_gateway_select_pool_t  *pool;

    pool = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     pool->chain = NULL;
     *     pool->sticky = NULL;
     *     pool->members = NULL;
     */

    pool->sticky_time = NGX_CONF_UNSET;
    pool->gmcf = ngx_http_conf_get_module_main_conf(cf,
                                                   ngx_gateway_select_module);

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_gateway_select_pool_cleanup;
    cln->data = pool;

    return pool;
}


static void *
ngx_gateway_select_upstream_create_loc_conf(ngx_conf_t *cf)
{
    ngx_gateway_select_upstream_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool,
                      sizeof(ngx_gateway_select_upstream_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->client = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_gateway_select_upstream_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_gateway_select_upstream_loc_conf_t *prev = parent;
    ngx_gateway_select_upstream_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->client, prev->client, NULL);

    return NGX_CONF_OK;
}
