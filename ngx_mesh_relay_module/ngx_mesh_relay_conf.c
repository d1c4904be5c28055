
/*
 * Defaults, merging and the plain setters of the relay module.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_conf.h"
#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_shm.h"
#include "ngx_mesh_relay_store.h"


#define NGX_MESH_RELAY_LEASE_MIN     2000
#define NGX_MESH_RELAY_WINDOW_SIZE   (8 * 1024 * 1024)
#define NGX_MESH_RELAY_DEAD_SIZE     (64 * 1024 * 1024)
#define NGX_MESH_RELAY_SIZE_MIN      65536

#define NGX_MESH_RELAY_CHAIN_LOCATION  "/_mesh_relay_chain"


static char *ngx_mesh_relay_init_http(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_conf_conflict(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_mesh_relay_role_handler(ngx_http_request_t *r);
static char *ngx_mesh_relay_conf_bytes(ngx_conf_t *cf, ngx_command_t *cmd,
    size_t *size);


typedef struct {
    ngx_str_t            name;
    ngx_http_handler_pt  handler;
} ngx_mesh_relay_role_t;


/* indexed by ngx_mesh_relay_role_e */

static ngx_mesh_relay_role_t  ngx_mesh_relay_roles[] = {
    { ngx_null_string, NULL },
    { ngx_string("mesh_relay"), ngx_mesh_relay_handler },
    { ngx_string("mesh_relay_simulate"), ngx_mesh_relay_simulate_handler },
    { ngx_string("mesh_relay_private"), ngx_mesh_relay_private_handler }
};


void *
ngx_mesh_relay_create_main_conf(ngx_conf_t *cf)
{
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_relay_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mcf->nodes, servicers, upstreams = { NULL };
     *     mcf->chain_set, chain_file = NULL;
     *     mcf->auth_token, node_token, node_ssl_trusted = { 0, NULL };
     *     mcf->notify_window_size, dead_max_size = 0;
     *     mcf->hash, aats, redis, redis_stream = NULL;
     */

    mcf->mesh.layout = MESH_CONF_LAYOUT;

    mcf->node_http = mesh_http_conf_create(cf);
    if (mcf->node_http == NULL) {
        return NULL;
    }

    mcf->check_interval = NGX_CONF_UNSET_MSEC;
    mcf->check_timeout = NGX_CONF_UNSET_MSEC;
    mcf->node_grace = NGX_CONF_UNSET_MSEC;
    mcf->node_ssl_verify = NGX_CONF_UNSET;
    mcf->session_timeout = NGX_CONF_UNSET_MSEC;
    mcf->session_retries = NGX_CONF_UNSET_UINT;
    mcf->unvalidated_max = NGX_CONF_UNSET_UINT;
    mcf->record_timeout = NGX_CONF_UNSET_MSEC;
    mcf->notify_interval = NGX_CONF_UNSET_MSEC;
    mcf->notify_timeout = NGX_CONF_UNSET_MSEC;
    mcf->notify_concurrency = NGX_CONF_UNSET_UINT;
    mcf->notify_window = NGX_CONF_UNSET_UINT;
    mcf->retry_wait_min = NGX_CONF_UNSET_MSEC;
    mcf->retry_wait_max = NGX_CONF_UNSET_MSEC;
    mcf->slot_lease = NGX_CONF_UNSET_MSEC;
    mcf->ledger_keep = NGX_CONF_UNSET;
    mcf->dead_max = NGX_CONF_UNSET_UINT;

    return mcf;
}


char *
ngx_mesh_relay_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    char  *rv;

    ngx_conf_init_msec_value(mcf->check_interval, 10000);
    ngx_conf_init_msec_value(mcf->check_timeout, 5000);
    ngx_conf_init_msec_value(mcf->node_grace, 15 * 60 * 1000);
    ngx_conf_init_value(mcf->node_ssl_verify, 1);
    ngx_conf_init_msec_value(mcf->session_timeout, 3000);
    ngx_conf_init_uint_value(mcf->session_retries, POCKET_SESSION_RETRY_MAX);
    ngx_conf_init_uint_value(mcf->unvalidated_max, 32);
    ngx_conf_init_msec_value(mcf->record_timeout, 3000);
    ngx_conf_init_msec_value(mcf->notify_interval, 100);
    ngx_conf_init_msec_value(mcf->notify_timeout, 30000);
    ngx_conf_init_uint_value(mcf->notify_concurrency, 32);
    ngx_conf_init_msec_value(mcf->retry_wait_min, 1000);
    ngx_conf_init_msec_value(mcf->retry_wait_max, 30000);
    ngx_conf_init_msec_value(mcf->slot_lease, 10000);
    ngx_conf_init_value(mcf->ledger_keep, 7 * 24 * 60 * 60);

    if (mcf->dead_max == NGX_CONF_UNSET_UINT) {
        mcf->dead_max = 10000;
        mcf->dead_max_size = NGX_MESH_RELAY_DEAD_SIZE;
    }

    if (mcf->notify_window == NGX_CONF_UNSET_UINT) {
        mcf->notify_window = 1024;
        mcf->notify_window_size = NGX_MESH_RELAY_WINDOW_SIZE;
    }

    if (mcf->user_agent.data == NULL) {
        ngx_str_set(&mcf->user_agent, "mesh-node");
    }

    rv = mesh_conf_init(cf, &mcf->mesh);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (mcf->node_grace < mcf->check_interval) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_node_grace\" of %Mms is below "
                           "\"mesh_relay_node_check_interval\" of %Mms: "
                           "relays would be refused between two checks",
                           mcf->node_grace, mcf->check_interval);
        return NGX_CONF_ERROR;
    }

    if (mcf->servicers_file.data == NULL) {
        return NGX_CONF_OK;
    }

    if (mcf->chains_file.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_servicers\" is used without "
                           "\"mesh_relay_chains\"");
        return NGX_CONF_ERROR;
    }

    /* the checks alone record nothing */

    if (mcf->mesh.redis == NULL && mcf->records) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay\" or \"mesh_relay_private\" is used "
                           "without \"mesh_redis\": relays could not be "
                           "recorded");
        return NGX_CONF_ERROR;
    }

    if (mcf->node_token.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_servicers\" is used without "
                           "\"mesh_relay_node_auth\": full nodes would "
                           "refuse every notification");
        return NGX_CONF_ERROR;
    }

    return ngx_mesh_relay_init_http(cf, mcf);
}


static char *
ngx_mesh_relay_init_http(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    mcf->umcf = ngx_http_conf_get_module_main_conf(cf,
                                                   ngx_http_upstream_module);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    mcf->node_http->ssl_verify = mcf->node_ssl_verify;
    mcf->node_http->user_agent = mcf->user_agent;
    mcf->node_http->keepalive = mcf->notify_concurrency;

    if (mcf->node_ssl_trusted.len) {
        mcf->node_http->ssl_trusted_certificate = mcf->node_ssl_trusted;
    }

    if (mesh_http_conf_init(cf, mcf->node_http, clcf->resolver,
                            clcf->resolver_timeout)
        != NGX_OK
        || ngx_mesh_relay_servicers_init(cf, mcf) != NGX_OK
        || ngx_mesh_relay_chains_init(cf, mcf) != NGX_OK
        || ngx_mesh_relay_shm_add(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (mcf->mesh.redis == NULL) {
        return NGX_CONF_OK;
    }

    if (mesh_redis_conf_init(cf, mcf->mesh.redis, clcf->resolver,
                             clcf->resolver_timeout)
        != NGX_OK
        || ngx_mesh_relay_store_conf(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_mesh_relay_create_loc_conf(ngx_conf_t *cf)
{
    ngx_mesh_relay_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_relay_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lcf->role = NGX_MESH_RELAY_NOTHING;
     *     lcf->chain_location = { 0, NULL };
     */

    lcf->check = NGX_CONF_UNSET;
    lcf->sort = NGX_CONF_UNSET;
    lcf->max_response = NGX_CONF_UNSET_SIZE;

    return lcf;
}


char *
ngx_mesh_relay_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_mesh_relay_loc_conf_t *prev = parent;
    ngx_mesh_relay_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t    *clcf;
    ngx_mesh_relay_main_conf_t  *mcf;

    ngx_conf_merge_value(conf->check, prev->check, 0);
    ngx_conf_merge_value(conf->sort, prev->sort, 0);
    ngx_conf_merge_size_value(conf->max_response, prev->max_response,
                              16 * 1024 * 1024);
    ngx_conf_merge_str_value(conf->chain_location, prev->chain_location,
                             NGX_MESH_RELAY_CHAIN_LOCATION);

    if (conf->chain_location.len == 0 || conf->chain_location.data[0] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of "
                           "\"mesh_relay_chain_location\", a URI that begins "
                           "with \"/\" is expected", &conf->chain_location);
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mesh_relay_module);

    if (conf->check && mcf->servicers_file.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_check\" needs "
                           "\"mesh_relay_servicers\"");
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" or "limit_except" */

    if (clcf->noname && conf->role == NGX_MESH_RELAY_NOTHING
        && (clcf->handler == NULL
            || clcf->handler == ngx_mesh_relay_role_handler))
    {
        conf->role = prev->role;
        clcf->handler = conf->role ? ngx_mesh_relay_role_handler : NULL;
    }

    if (conf->role == NGX_MESH_RELAY_NOTHING) {
        return NGX_CONF_OK;
    }

    if (clcf->handler != ngx_mesh_relay_role_handler) {
        ngx_mesh_relay_conf_conflict(cf,
                                     &ngx_mesh_relay_roles[conf->role].name,
                                     clcf);
        return NGX_CONF_ERROR;
    }

    if (mcf->servicers_file.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in location \"%V\" needs "
                           "\"mesh_relay_servicers\"",
                           &ngx_mesh_relay_roles[conf->role].name,
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->role == NGX_MESH_RELAY_PRIVATE && mcf->auth_token.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_private\" in location \"%V\" needs "
                           "\"mesh_relay_auth\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_mesh_relay_conf_conflict(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" and another content handler, such as "
                       "\"proxy_pass\", are in one location \"%V\"",
                       name, &clcf->name);
}


ngx_int_t
ngx_mesh_relay_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_mesh_relay_capture_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mesh_relay_check_init(cf);
}


/* the roles share one content handler, so that a foreign one is noticed */

static ngx_int_t
ngx_mesh_relay_role_handler(ngx_http_request_t *r)
{
    ngx_mesh_relay_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_relay_module);

    return ngx_mesh_relay_roles[lcf->role].handler(r);
}


char *
ngx_mesh_relay_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_loc_conf_t *lcf = conf;

    ngx_str_t                   *value;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_mesh_relay_main_conf_t  *mcf;

    value = cf->args->elts;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mesh_relay_module);

    if (ngx_strcasecmp(value[1].data, (u_char *) "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcasecmp(value[1].data, (u_char *) "on") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%s\" in \"%s\" directive, "
                           "it must be \"on\" or \"off\"",
                           value[1].data, cmd->name.data);
        return NGX_CONF_ERROR;
    }

    if (lcf->role != NGX_MESH_RELAY_NOTHING) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" conflicts with \"%V\" of the same location",
                           &cmd->name,
                           &ngx_mesh_relay_roles[lcf->role].name);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* one that is set below is found when the locations are merged */

    if (clcf->handler) {
        ngx_mesh_relay_conf_conflict(cf, &cmd->name, clcf);
        return NGX_CONF_ERROR;
    }

    clcf->handler = ngx_mesh_relay_role_handler;

    lcf->role = (ngx_mesh_relay_role_e) cmd->offset;

    if (lcf->role != NGX_MESH_RELAY_SIMULATE) {
        mcf->records = 1;
    }

    if (lcf->role == NGX_MESH_RELAY_PRIVATE) {

        /* the chains file is written by a thread */

        mcf->thread_pool = ngx_thread_pool_add(cf, NULL);
        if (mcf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* a header's value: no control bytes */

char *
ngx_mesh_relay_conf_user_agent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    size_t      i;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->user_agent.data) {
        return "is duplicate";
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "control character in value \"%V\" of \"%V\"",
                               &value[1], &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    mcf->user_agent = value[1];

    return NGX_CONF_OK;
}


char *
ngx_mesh_relay_conf_window(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->notify_window != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < 1 || n > 65536) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid count \"%V\" in \"%V\", "
                           "1 to 65536 is expected", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    mcf->notify_window = n;
    mcf->notify_window_size = NGX_MESH_RELAY_WINDOW_SIZE;

    return ngx_mesh_relay_conf_bytes(cf, cmd, &mcf->notify_window_size);
}


char *
ngx_mesh_relay_conf_dead(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    char  *rv;

    rv = mesh_conf_set_num(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    mcf->dead_max_size = NGX_MESH_RELAY_DEAD_SIZE;

    return ngx_mesh_relay_conf_bytes(cf, cmd, &mcf->dead_max_size);
}


/* a second argument: without it the size stays as it is */

static char *
ngx_mesh_relay_conf_bytes(ngx_conf_t *cf, ngx_command_t *cmd, size_t *size)
{
    ssize_t     n;
    ngx_str_t  *value;

    if (cf->args->nelts < 3) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    n = ngx_parse_size(&value[2]);

    if (n == NGX_ERROR || n < NGX_MESH_RELAY_SIZE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"%V\", "
                           "64k is the least", &value[2], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *size = n;

    return NGX_CONF_OK;
}


char *
ngx_mesh_relay_conf_retry_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    ngx_int_t   min, max;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->retry_wait_min != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    min = ngx_parse_time(&value[1], 0);
    max = ngx_parse_time(&value[2], 0);

    if (min == NGX_ERROR || max == NGX_ERROR || min < 1 || max < min) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid times \"%V\" \"%V\" in \"%V\", the least "
                           "wait and a longest not below it are expected",
                           &value[1], &value[2], &cmd->name);
        return NGX_CONF_ERROR;
    }

    mcf->retry_wait_min = min;
    mcf->retry_wait_max = max;

    return NGX_CONF_OK;
}


char *
ngx_mesh_relay_conf_lease(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    ngx_int_t   lease;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (mcf->slot_lease != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    lease = ngx_parse_time(&value[1], 0);

    if (lease == NGX_ERROR || lease < NGX_MESH_RELAY_LEASE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\", 2s is the least",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    mcf->slot_lease = lease;

    return NGX_CONF_OK;
}
