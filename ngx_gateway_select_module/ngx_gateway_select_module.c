
/*
 * ngx_gateway_select_module: directives and the life of the processes.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_check.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_find.h"
#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_registry.h"
#include "ngx_gateway_select_report.h"
#include "ngx_gateway_select_signed.h"
#include "ngx_gateway_select_sync.h"
#include "mesh_keyfile.h"


static ngx_int_t ngx_gateway_select_init_process(ngx_cycle_t *cycle);
static void ngx_gateway_select_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_gateway_select_nodes_bounds = {
    NULL, 1, 16384
};


static ngx_command_t  ngx_gateway_select_commands[] = {

    MESH_CONF_COMMANDS,

    { ngx_string("gateway_chain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_chain,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_check"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_check,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_operator"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_gateway_select_conf_operator,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_dispatcher"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_gateway_select_conf_dispatcher,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_apps"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_apps,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_weights"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_gateway_select_conf_weights,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_verify"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_portion,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_chain_t, verify),
      NULL },

    { ngx_string("gateway_hedge"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_portion,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_chain_t, hedge),
      NULL },

    { ngx_string("gateway_auth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_token,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, auth_token),
      NULL },

    { ngx_string("gateway_find_auth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, find_auth),
      NULL },

    { ngx_string("gateway_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, interval),
      NULL },

    { ngx_string("gateway_max_nodes"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_num,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, max_nodes),
      &ngx_gateway_select_nodes_bounds },

    { ngx_string("gateway_ssl_verify"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, ssl_verify),
      NULL },

    { ngx_string("gateway_ssl_verify_depth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, ssl_verify_depth),
      NULL },

    { ngx_string("gateway_ssl_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, ssl_trusted_certificate),
      NULL },

    { ngx_string("gateway_ssl_conf_command"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_conf_set_keyval_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_gateway_select_main_conf_t, ssl_conf_commands),
      NULL },

    { ngx_string("gateway_find"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_find_endpoint },

    { ngx_string("gateway_nodes"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_nodes_endpoint },

    { ngx_string("gateway_qosnodes"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_qosnodes_endpoint },

    { ngx_string("gateway_sessions"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_sessions_endpoint },

    { ngx_string("gateway_history"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_history_endpoint },

    { ngx_string("gateway_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_metrics_endpoint },

    { ngx_string("gateway_admin"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_gateway_select_conf_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_admin_endpoint },

    { ngx_string("gateway_relay"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_gateway_select_conf_relay,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_gateway_select_relay_endpoint },

    { ngx_string("gateway_pass_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_gateway_select_conf_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gateway_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_loc_conf_t, headers),
      NULL },

    { ngx_string("gateway_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_loc_conf_t, buffer),
      NULL },

    { ngx_string("gateway_max_answer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_loc_conf_t, max_answer),
      NULL },

    { ngx_string("gateway_deadline"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_loc_conf_t, deadline),
      NULL },

    { ngx_string("gateway_node"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF
                        |NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_gateway_select_loc_conf_t, node),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_gateway_select_module_ctx = {
    ngx_gateway_select_add_variables,      /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_gateway_select_create_main_conf,   /* create main configuration */
    ngx_gateway_select_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_gateway_select_create_loc_conf,    /* create location configuration */
    ngx_gateway_select_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_gateway_select_module = {
    NGX_MODULE_V1,
    &ngx_gateway_select_module_ctx,        /* module context */
    ngx_gateway_select_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_gateway_select_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_gateway_select_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_gateway_select_main_conf_t *
ngx_gateway_select_main_conf(ngx_cycle_t *cycle)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_gateway_select_module);

    if (gmcf == NULL
        || (gmcf->chains.nelts == 0 && gmcf->dispatchers.nelts == 0))
    {
        return NULL;
    }

    return gmcf;
}


/*
 * Nothing here may fail for a peer's sake: a worker whose init_process
 * returns NGX_ERROR is never started again.
 */

static ngx_int_t
ngx_gateway_select_init_process(ngx_cycle_t *cycle)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    gmcf = ngx_gateway_select_main_conf(cycle);

    if (gmcf == NULL) {
        return NGX_OK;
    }

    mesh_secret_relock(cycle->pool, cycle->log);

    if (mesh_http_start(cycle, gmcf->http) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_gateway_select_pick_seed();
    ngx_gateway_select_rows_take(gmcf);

    if (ngx_gateway_select_budgets_init(cycle, gmcf) != NGX_OK
        || ngx_gateway_select_signed_init(gmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_gateway_select_checker_init(cycle, gmcf) != NGX_OK
        || ngx_gateway_select_sync_init(cycle, gmcf) != NGX_OK
        || ngx_gateway_select_leader_init(cycle, gmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gateway_select_registry_init(cycle, gmcf);
}


static void
ngx_gateway_select_exit_process(ngx_cycle_t *cycle)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    gmcf = ngx_gateway_select_main_conf(cycle);

    if (gmcf == NULL) {
        return;
    }

    ngx_gateway_select_registry_exit(gmcf);
    ngx_gateway_select_checker_exit(gmcf);
    ngx_gateway_select_sync_exit(gmcf);
    ngx_gateway_select_leader_exit(gmcf);
    ngx_gateway_select_rows_give(gmcf);
    mesh_http_stop(gmcf->http);
    ngx_gateway_select_signed_exit(gmcf);
}
