
/*
 * upstreams for the servers that chain and node URLs name: proxy_pass by
 * variable keeps connections only where it finds an upstream by name.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_upstream.h"


#define NGX_MESH_RELAY_UPSTREAM_PREFIX  "mesh-relay-"


/* in mcf->upstreams */

typedef struct {
    ngx_str_t             scheme;
    ngx_str_t             authority;
    ngx_str_t             name;
} ngx_mesh_relay_upstream_t;


static ngx_http_upstream_srv_conf_t *ngx_mesh_relay_upstream_find(
    ngx_http_upstream_main_conf_t *umcf, ngx_str_t *authority);
static ngx_int_t ngx_mesh_relay_upstream_resolve(ngx_conf_t *cf,
    ngx_str_t *scheme, ngx_str_t *authority, ngx_url_t *u);
static ngx_int_t ngx_mesh_relay_upstream_add(ngx_conf_t *cf, ngx_str_t *name,
    ngx_url_t *server);
static ngx_int_t ngx_mesh_relay_upstream_confs(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf, ngx_http_conf_ctx_t *ctx);
static ngx_int_t ngx_mesh_relay_upstream_keepalive(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);


ngx_int_t
ngx_mesh_relay_url_split(ngx_str_t *url, ngx_str_t *scheme,
    ngx_str_t *authority, ngx_str_t *rest)
{
    u_char  *p, *last;

    last = url->data + url->len;

    if (url->len > 7
        && ngx_strncasecmp(url->data, (u_char *) "http://", 7) == 0)
    {
        p = url->data + 7;

    } else if (url->len > 8
               && ngx_strncasecmp(url->data, (u_char *) "https://", 8) == 0)
    {
        p = url->data + 8;

    } else {
        return NGX_DECLINED;
    }

    scheme->data = url->data;
    scheme->len = p - 3 - url->data;

    authority->data = p;

    if (last - p > 5 && ngx_strncasecmp(p, (u_char *) "unix:", 5) == 0) {
        p = ngx_strlchr(p + 5, last, ':');
        p = p ? p : last;

        authority->len = p - authority->data;

        /* the colon divides, and is part of neither */

        p = (p < last) ? p + 1 : p;

    } else {
        while (p < last && *p != '/' && *p != '?' && *p != '#') {
            p++;
        }

        authority->len = p - authority->data;
    }

    rest->data = p;
    rest->len = last - p;

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_upstream_declare(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *scheme, ngx_str_t *authority)
{
    ngx_url_t                       u;
    ngx_mesh_relay_upstream_t      *up;
    ngx_http_upstream_main_conf_t  *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);

    if (ngx_mesh_relay_upstream_find(umcf, authority)
        || ngx_mesh_relay_upstream_name(mcf, scheme, authority).len)
    {
        return NGX_OK;
    }

    if (ngx_mesh_relay_upstream_resolve(cf, scheme, authority, &u)
        != NGX_OK)
    {
        return NGX_OK;
    }

    if (mcf->upstreams.elts == NULL
        && ngx_array_init(&mcf->upstreams, cf->pool, 4,
                          sizeof(ngx_mesh_relay_upstream_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    up = ngx_array_push(&mcf->upstreams);
    if (up == NULL) {
        return NGX_ERROR;
    }

    up->scheme = *scheme;
    up->authority = *authority;

    up->name.data = ngx_pnalloc(cf->pool,
                                sizeof(NGX_MESH_RELAY_UPSTREAM_PREFIX)
                                + NGX_INT_T_LEN);
    if (up->name.data == NULL) {
        return NGX_ERROR;
    }

    up->name.len = ngx_sprintf(up->name.data,
                               NGX_MESH_RELAY_UPSTREAM_PREFIX "%ui",
                               mcf->upstreams.nelts)
                   - up->name.data;

    return ngx_mesh_relay_upstream_add(cf, &up->name, &u);
}


ngx_str_t
ngx_mesh_relay_upstream_name(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *scheme, ngx_str_t *authority)
{
    ngx_uint_t                     i;
    ngx_mesh_relay_upstream_t     *up;
    ngx_http_upstream_srv_conf_t  *uscf;

    static ngx_str_t  none = ngx_null_string;

    if (mcf->umcf) {
        uscf = ngx_mesh_relay_upstream_find(mcf->umcf, authority);

        if (uscf) {
            return uscf->host;
        }
    }

    up = mcf->upstreams.elts;

    for (i = 0; i < mcf->upstreams.nelts; i++) {
        if (up[i].authority.len == authority->len
            && up[i].scheme.len == scheme->len
            && ngx_strncasecmp(up[i].authority.data, authority->data,
                               authority->len)
               == 0)
        {
            return up[i].name;
        }
    }

    return none;
}


/* an upstream{} that the operator wrote */

static ngx_http_upstream_srv_conf_t *
ngx_mesh_relay_upstream_find(ngx_http_upstream_main_conf_t *umcf,
    ngx_str_t *authority)
{
    ngx_uint_t                      i;
    ngx_http_upstream_srv_conf_t  **uscfp;

    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        if ((uscfp[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && uscfp[i]->host.len == authority->len
            && ngx_strncasecmp(uscfp[i]->host.data, authority->data,
                               authority->len)
               == 0)
        {
            return uscfp[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_mesh_relay_upstream_resolve(ngx_conf_t *cf, ngx_str_t *scheme,
    ngx_str_t *authority, ngx_url_t *u)
{
    ngx_memzero(u, sizeof(ngx_url_t));

    u->url = *authority;
    u->default_port = (scheme->len == 5) ? 443 : 80;

    if (ngx_parse_url(cf->pool, u) == NGX_OK) {
        return NGX_OK;
    }

    /* upstream{} of that name may still come: see init_main_conf */

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "mesh relay: no upstream for \"%V\": %s", authority,
                   u->err ? u->err : "no memory");

    return NGX_DECLINED;
}


/* what upstream NAME { server ADDRESS; keepalive 64; } does */

static ngx_int_t
ngx_mesh_relay_upstream_add(ngx_conf_t *cf, ngx_str_t *name,
    ngx_url_t *server)
{
    ngx_url_t                      u;
    ngx_http_conf_ctx_t           *ctx;
    ngx_http_upstream_server_t    *us;
    ngx_http_upstream_srv_conf_t  *uscf;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.host = *name;
    u.no_resolve = 1;
    u.no_port = 1;

    uscf = ngx_http_upstream_add(cf, &u, NGX_HTTP_UPSTREAM_CREATE
                                         |NGX_HTTP_UPSTREAM_WEIGHT
                                         |NGX_HTTP_UPSTREAM_MAX_CONNS
                                         |NGX_HTTP_UPSTREAM_MAX_FAILS
                                         |NGX_HTTP_UPSTREAM_FAIL_TIMEOUT);
    if (uscf == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_conf_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ngx_mesh_relay_upstream_confs(cf, uscf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    uscf->servers = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_http_upstream_server_t));
    if (uscf->servers == NULL) {
        return NGX_ERROR;
    }

    us = ngx_array_push(uscf->servers);
    if (us == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(us, sizeof(ngx_http_upstream_server_t));

    us->name = server->url;
    us->addrs = server->addrs;
    us->naddrs = server->naddrs;
    us->weight = 1;
    us->max_fails = 1;
    us->fail_timeout = 10;

    return ngx_mesh_relay_upstream_keepalive(cf, ctx);
}


static ngx_int_t
ngx_mesh_relay_upstream_confs(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf, ngx_http_conf_ctx_t *ctx)
{
    void                 *conf;
    ngx_uint_t            m;
    ngx_module_t        **modules;
    ngx_http_module_t    *module;
    ngx_http_conf_ctx_t  *http;

    http = cf->ctx;
    modules = cf->cycle->modules;

    ctx->main_conf = http->main_conf;
    ctx->loc_conf = http->loc_conf;

    ctx->srv_conf = ngx_pcalloc(cf->pool,
                                sizeof(void *) * ngx_http_max_module);
    if (ctx->srv_conf == NULL) {
        return NGX_ERROR;
    }

    uscf->srv_conf = ctx->srv_conf;

    for (m = 0; modules[m]; m++) {
        if (modules[m]->type != NGX_HTTP_MODULE) {
            continue;
        }

        module = modules[m]->ctx;

        if (module->create_srv_conf == NULL) {
            continue;
        }

        conf = module->create_srv_conf(cf);
        if (conf == NULL) {
            return NGX_ERROR;
        }

        ctx->srv_conf[modules[m]->ctx_index] = conf;
    }

    ctx->srv_conf[ngx_http_upstream_module.ctx_index] = uscf;

    return NGX_OK;
}


/* the directive of nginx's own module, which exports nothing else */

static ngx_int_t
ngx_mesh_relay_upstream_keepalive(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    char           *rv;
    void           *conf;
    ngx_str_t      *value;
    ngx_conf_t      saved;
    ngx_uint_t      m;
    ngx_array_t     args;
    ngx_command_t  *cmd;
    ngx_module_t  **modules;

    modules = cf->cycle->modules;
    cmd = NULL;

    for (m = 0; modules[m]; m++) {
        if (ngx_strcmp(modules[m]->name, "ngx_http_upstream_keepalive_module")
            == 0)
        {
            cmd = modules[m]->commands;
            break;
        }
    }

    while (cmd && cmd->name.len && ngx_strcmp(cmd->name.data, "keepalive")) {
        cmd++;
    }

    if (cmd == NULL || cmd->name.len == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&args, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    value = ngx_array_push_n(&args, 2);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&value[0], "keepalive");
    ngx_str_set(&value[1], "64");

    conf = ctx->srv_conf[modules[m]->ctx_index];

    saved = *cf;
    cf->ctx = ctx;
    cf->args = &args;

    rv = cmd->set(cf, cmd, conf);

    *cf = saved;

    return (rv == NGX_CONF_OK) ? NGX_OK : NGX_ERROR;
}
