
/*
 * Defaults, merging and the plain setters of the gateway.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_find.h"
#include "ngx_gateway_select_sync.h"
#include "ngx_gateway_select_check_conf.h"


static char *ngx_gateway_select_init_http(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);
static char *ngx_gateway_select_conf_conflict(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_gateway_select_conf_known(ngx_conf_t *cf,
    ngx_http_complex_value_t *name, const char *directive);


void *
ngx_gateway_select_create_main_conf(ngx_conf_t *cf)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_main_conf_t));
    if (gmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     gmcf->apps_file, auth_token = { 0, NULL };
     *     gmcf->ssl_trusted_certificate = { 0, NULL };
     *     gmcf->ssl_conf_commands = NULL;
     *     gmcf->apps = { NULL, 0 };
     *     gmcf->used_script = NULL;
     *     gmcf->shm_zone, redis = NULL;
     *     gmcf->leader, sync, checker, registry = NULL;
     */

    gmcf->mesh.layout = MESH_CONF_LAYOUT;
    gmcf->mesh.calls = &ngx_gateway_select_calls;

    gmcf->find_auth = NGX_CONF_UNSET;
    gmcf->max_nodes = NGX_CONF_UNSET_UINT;
    gmcf->interval = NGX_CONF_UNSET_MSEC;
    gmcf->ssl_verify = NGX_CONF_UNSET;
    gmcf->ssl_verify_depth = NGX_CONF_UNSET_UINT;

    gmcf->http = mesh_http_conf_create(cf);
    if (gmcf->http == NULL) {
        return NULL;
    }

    gmcf->defaults = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_chain_t));
    if (gmcf->defaults == NULL) {
        return NULL;
    }

    if (ngx_gateway_select_chain_init(cf, gmcf->defaults) != NGX_OK
        || ngx_array_init(&gmcf->chains, cf->pool, 4,
                          sizeof(ngx_gateway_select_chain_t *))
           != NGX_OK
        || ngx_array_init(&gmcf->operators, cf->pool, 4,
                          sizeof(gateway_operator_rule_t))
           != NGX_OK
        || ngx_array_init(&gmcf->checks, cf->pool, 4,
                          sizeof(ngx_gateway_select_check_conf_t *))
           != NGX_OK
        || ngx_array_init(&gmcf->dispatchers, cf->pool, 2,
                          sizeof(mesh_http_url_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return gmcf;
}


char *
ngx_gateway_select_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    char                         *rv;
    ngx_uint_t                    i;
    ngx_gateway_select_chain_t  **chains;

    ngx_conf_init_value(gmcf->find_auth, 0);
    ngx_conf_init_uint_value(gmcf->max_nodes, 16384);
    ngx_conf_init_msec_value(gmcf->interval, 200);

    rv = mesh_conf_init(cf, &gmcf->mesh);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (gmcf->find_auth && gmcf->auth_token.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gateway_find_auth on\" needs "
                           "\"gateway_auth\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_gateway_select_apps_init(cf, gmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_gateway_select_chain_merge(gmcf->defaults, NULL);

    if (ngx_gateway_select_families_init(cf, gmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    chains = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        ngx_gateway_select_chain_merge(chains[i], gmcf->defaults);
    }

    if (gmcf->chains.nelts == 0 && gmcf->dispatchers.nelts == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_gateway_select_operators_init(cf, gmcf) != NGX_OK
        || ngx_gateway_select_checks_init(cf, gmcf) != NGX_OK
        || ngx_gateway_select_sync_scripts(cf, gmcf) != NGX_OK
        || ngx_gateway_select_zone_add(cf, gmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_gateway_select_init_http(cf, gmcf);
}


ngx_gateway_select_chain_t *
ngx_gateway_select_chain(ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_gateway_select_chain_t  **chains;

    chains = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        if (chains[i]->name.len == name->len
            && ngx_memcmp(chains[i]->name.data, name->data, name->len) == 0)
        {
            return chains[i];
        }
    }

    return gmcf->families[ngx_gateway_select_family_of(name)];
}


static char *
ngx_gateway_select_init_http(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    gmcf->http->ssl_verify = gmcf->ssl_verify;
    gmcf->http->ssl_verify_depth = gmcf->ssl_verify_depth;
    gmcf->http->ssl_trusted_certificate = gmcf->ssl_trusted_certificate;
    gmcf->http->ssl_conf_commands = gmcf->ssl_conf_commands;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (mesh_http_conf_init(cf, gmcf->http, clcf->resolver,
                            clcf->resolver_timeout)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (gmcf->mesh.redis
        && mesh_redis_conf_init(cf, gmcf->mesh.redis, clcf->resolver,
                                clcf->resolver_timeout)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_gateway_select_create_loc_conf(ngx_conf_t *cf)
{
    ngx_gateway_select_loc_conf_t  *glcf;

    glcf = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_loc_conf_t));
    if (glcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     glcf->handler = NULL;
     *     glcf->directive = { 0, NULL };
     *     glcf->relay = NULL;
     */

    glcf->node = NGX_CONF_UNSET_PTR;
    glcf->pass = NGX_CONF_UNSET_PTR;
    glcf->headers = NGX_CONF_UNSET;
    glcf->buffer = NGX_CONF_UNSET_SIZE;
    glcf->max_answer = NGX_CONF_UNSET_SIZE;
    glcf->deadline = NGX_CONF_UNSET_MSEC;

    return glcf;
}


char *
ngx_gateway_select_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_gateway_select_loc_conf_t *prev = parent;
    ngx_gateway_select_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->node, prev->node, NULL);
    ngx_conf_merge_ptr_value(conf->pass, prev->pass, NULL);
    ngx_conf_merge_value(conf->headers, prev->headers, 1);
    ngx_conf_merge_size_value(conf->buffer, prev->buffer, 1024 * 1024);
    ngx_conf_merge_size_value(conf->max_answer, prev->max_answer,
                              32 * 1024 * 1024);
    ngx_conf_merge_msec_value(conf->deadline, prev->deadline, 30000);

    if (ngx_gateway_select_conf_known(cf, conf->node, "gateway_node")
        != NGX_OK
        || ngx_gateway_select_conf_known(cf, conf->relay, "gateway_relay")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" or "limit_except" */

    if (clcf->noname && clcf->handler == NULL) {
        conf->handler = prev->handler;
        conf->directive = prev->directive;
        conf->relay = prev->relay;
        clcf->handler = conf->handler;
    }

    if (conf->handler && clcf->handler != conf->handler) {
        return ngx_gateway_select_conf_conflict(cf, &conf->directive, clcf);
    }

    return NGX_CONF_OK;
}


/* Without applications there are the chains of the configuration, no more. */

static ngx_int_t
ngx_gateway_select_conf_known(ngx_conf_t *cf, ngx_http_complex_value_t *name,
    const char *directive)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_gateway_select_module);

    if (name == NULL
        || name->lengths
        || gmcf->dispatchers.nelts
        || ngx_gateway_select_chain(gmcf, &name->value)->name.len)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown chain \"%V\" in \"%s\"",
                       &name->value, directive);

    return NGX_ERROR;
}


char *
ngx_gateway_select_conf_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_gateway_select_loc_conf_t *glcf = conf;

    ngx_http_core_loc_conf_t       *clcf;
    ngx_gateway_select_endpoint_t  *endpoint;

    endpoint = cmd->post;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (glcf->handler == endpoint->handler) {
        return "is duplicate";
    }

    /* one that is set below is found when the locations are merged */

    if (clcf->handler) {
        return ngx_gateway_select_conf_conflict(cf, &cmd->name, clcf);
    }

    clcf->handler = endpoint->handler;

    glcf->handler = endpoint->handler;
    glcf->directive = cmd->name;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_conf_conflict(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" and another content handler, such as "
                       "\"proxy_pass\", are in one location \"%V\"",
                       name, &clcf->name);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_gateway_select_conf_name(ngx_str_t *text)
{
    size_t  i;

    if (text->len == 0 || text->len > NGX_GATEWAY_SELECT_NAME_MAX
        || ngx_gateway_select_conf_plain(text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] >= 0x80
            || ngx_strchr("\"'\\/{}?#%", text->data[i]))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_conf_plain(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= 0x20 || text->data[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
