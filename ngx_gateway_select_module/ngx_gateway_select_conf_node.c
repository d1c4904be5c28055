
/*
 * "node URL" of gateway_chain {}: a plain server.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_zone.h"

#include <ngx_sha1.h>


#define NGX_GATEWAY_SELECT_DIGEST      4
#define NGX_GATEWAY_SELECT_WEIGHT_MAX  65535


typedef struct ngx_gateway_select_param_s  ngx_gateway_select_param_t;

struct ngx_gateway_select_param_s {
    ngx_str_t      name;
    ngx_int_t    (*set)(ngx_gateway_select_server_t *server,
                     ngx_str_t *value);
};


static ngx_int_t ngx_gateway_select_node_param(
    ngx_gateway_select_server_t *server, ngx_str_t *arg);
static ngx_int_t ngx_gateway_select_node_name(
    ngx_gateway_select_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_gateway_select_node_operator(
    ngx_gateway_select_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_gateway_select_node_weight(
    ngx_gateway_select_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_gateway_select_node_backup(
    ngx_gateway_select_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_gateway_select_node_down(
    ngx_gateway_select_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_gateway_select_node_key(ngx_conf_t *cf,
    ngx_gateway_select_server_t *server);


/* a name that ends with "=" has a value */

static ngx_gateway_select_param_t  ngx_gateway_select_node_params[] = {
    { ngx_string("name="), ngx_gateway_select_node_name },
    { ngx_string("operator="), ngx_gateway_select_node_operator },
    { ngx_string("weight="), ngx_gateway_select_node_weight },
    { ngx_string("backup"), ngx_gateway_select_node_backup },
    { ngx_string("down"), ngx_gateway_select_node_down },
    { ngx_null_string, NULL }
};


char *
ngx_gateway_select_conf_node(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t                    i;
    ngx_gateway_select_server_t   server, *servers, *added;

    ngx_memzero(&server, sizeof(ngx_gateway_select_server_t));

    if (value[0].len > NGX_GATEWAY_SELECT_URL_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL \"%V\" in \"node\" of chain \"%V\" is longer "
                           "than %d characters", &value[0], &chain->name,
                           NGX_GATEWAY_SELECT_URL_MAX);
        return NGX_CONF_ERROR;
    }

    server.url = ngx_gateway_select_conf_url(cf, chain, "node", &value[0]);
    if (server.url == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < n; i++) {
        if (ngx_gateway_select_node_param(&server, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"node\" of chain "
                               "\"%V\"", &value[i], &chain->name);
            return NGX_CONF_ERROR;
        }
    }

    if (server.weight == 0) {
        server.weight = 1;
    }

    if (server.name.len == 0
        && ngx_gateway_select_node_key(cf, &server) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    servers = chain->servers.elts;

    for (i = 0; i < chain->servers.nelts; i++) {
        if (servers[i].name.len == server.name.len
            && ngx_strncmp(servers[i].name.data, server.name.data,
                           server.name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate node \"%V\" of chain \"%V\"",
                               &server.name, &chain->name);
            return NGX_CONF_ERROR;
        }
    }

    added = ngx_array_push(&chain->servers);
    if (added == NULL) {
        return NGX_CONF_ERROR;
    }

    *added = server;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_gateway_select_node_param(ngx_gateway_select_server_t *server,
    ngx_str_t *arg)
{
    ngx_str_t                    value;
    ngx_gateway_select_param_t  *param;

    for (param = ngx_gateway_select_node_params; param->set; param++) {

        if (arg->len < param->name.len
            || ngx_strncmp(arg->data, param->name.data, param->name.len) != 0)
        {
            continue;
        }

        value.data = arg->data + param->name.len;
        value.len = arg->len - param->name.len;

        /* a value where there is to be one, and nowhere else */

        if ((param->name.data[param->name.len - 1] == '=') != (value.len > 0))
        {
            return NGX_ERROR;
        }

        return param->set(server, &value);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_gateway_select_node_name(ngx_gateway_select_server_t *server,
    ngx_str_t *value)
{
    if (server->name.len
        || ngx_gateway_select_conf_name(value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    server->name = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_node_operator(ngx_gateway_select_server_t *server,
    ngx_str_t *value)
{
    if (server->operator.len
        || ngx_gateway_select_conf_name(value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    server->operator = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_node_weight(ngx_gateway_select_server_t *server,
    ngx_str_t *value)
{
    ngx_int_t  weight;

    weight = ngx_atoi(value->data, value->len);

    if (server->weight || weight < 1
        || weight > NGX_GATEWAY_SELECT_WEIGHT_MAX)
    {
        return NGX_ERROR;
    }

    server->weight = weight;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_node_backup(ngx_gateway_select_server_t *server,
    ngx_str_t *value)
{
    if (server->backup) {
        return NGX_ERROR;
    }

    server->backup = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_node_down(ngx_gateway_select_server_t *server,
    ngx_str_t *value)
{
    if (server->down) {
        return NGX_ERROR;
    }

    server->down = 1;

    return NGX_OK;
}


/*
 * Reports and Redis know a node by this, so no path is in it: a provider's
 * often is its user's secret.  A digest tells such nodes of a host apart.
 */

static ngx_int_t
ngx_gateway_select_node_key(ngx_conf_t *cf,
    ngx_gateway_select_server_t *server)
{
    u_char           *p, digest[20];
    size_t            size;
    ngx_sha1_t        sha1;
    mesh_http_url_t  *url;

    url = server->url;

    size = url->host.len + sizeof("unix:[]:65535#") - 1
           + 2 * NGX_GATEWAY_SELECT_DIGEST;

    p = ngx_pnalloc(cf->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    server->name.data = p;

    if (url->host.data[0] == '/') {
        p = ngx_sprintf(p, "unix:%V", &url->host);

    } else if (ngx_strlchr(url->host.data, url->host.data + url->host.len,
                           ':'))
    {
        p = ngx_sprintf(p, "[%V]:%ui", &url->host, (ngx_uint_t) url->port);

    } else {
        p = ngx_sprintf(p, "%V:%ui", &url->host, (ngx_uint_t) url->port);
    }

    if (url->path.len > 1 || url->args.len) {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, url->text.data, url->text.len);
        ngx_sha1_final(digest, &sha1);

        *p++ = '#';
        p = ngx_hex_dump(p, digest, NGX_GATEWAY_SELECT_DIGEST);
    }

    server->name.len = p - server->name.data;

    if (server->name.len > NGX_GATEWAY_SELECT_KEY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "host of node \"%V\" is too long", &url->text);
        return NGX_ERROR;
    }

    return NGX_OK;
}
