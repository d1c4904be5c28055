
/*
 * ngx_mesh_relay_module: directives and the life of the processes.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_conf.h"
#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_idle.h"
#include "ngx_mesh_relay_shm.h"
#include "ngx_mesh_relay_store.h"
#include "ngx_mesh_relay_verdict.h"
#include "mesh_keyfile.h"


static ngx_int_t ngx_mesh_relay_init_process(ngx_cycle_t *cycle);
static void ngx_mesh_relay_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_mesh_relay_count_bounds = {
    NULL, 1, 65536
};


static ngx_conf_num_bounds_t  ngx_mesh_relay_retries_bounds = {
    NULL, 0, 1000
};


static ngx_conf_num_bounds_t  ngx_mesh_relay_dead_bounds = {
    NULL, 0, 10000000
};


static ngx_command_t  ngx_mesh_relay_commands[] = {

    MESH_CONF_COMMANDS,

    { ngx_string("mesh_relay_servicers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_mesh_relay_conf_servicers,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_chains"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_mesh_relay_conf_chains,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_auth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_token,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, auth_token),
      NULL },

    { ngx_string("mesh_relay_node_auth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_token,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, node_token),
      NULL },

    { ngx_string("mesh_relay_user_agent"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_mesh_relay_conf_user_agent,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_node_check_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, check_interval),
      NULL },

    { ngx_string("mesh_relay_node_check_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, check_timeout),
      NULL },

    { ngx_string("mesh_relay_node_grace"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, node_grace),
      NULL },

    { ngx_string("mesh_relay_node_ssl_verify"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, node_ssl_verify),
      NULL },

    { ngx_string("mesh_relay_node_ssl_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, node_ssl_trusted),
      NULL },

    { ngx_string("mesh_relay_session_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, session_timeout),
      NULL },

    { ngx_string("mesh_relay_session_retries"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_num,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, session_retries),
      &ngx_mesh_relay_retries_bounds },

    { ngx_string("mesh_relay_unvalidated_max"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_num,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, unvalidated_max),
      &ngx_mesh_relay_count_bounds },

    { ngx_string("mesh_relay_record_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, record_timeout),
      NULL },

    { ngx_string("mesh_relay_notify_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, notify_interval),
      NULL },

    { ngx_string("mesh_relay_notify_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, notify_timeout),
      NULL },

    { ngx_string("mesh_relay_notify_concurrency"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_num,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, notify_concurrency),
      &ngx_mesh_relay_count_bounds },

    { ngx_string("mesh_relay_notify_window"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_mesh_relay_conf_window,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_retry_wait"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_mesh_relay_conf_retry_wait,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_slot_lease"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_mesh_relay_conf_lease,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mesh_relay_ledger_keep"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, ledger_keep),
      NULL },

    { ngx_string("mesh_relay_dead_max"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_mesh_relay_conf_dead,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_mesh_relay_main_conf_t, dead_max),
      &ngx_mesh_relay_dead_bounds },

    { ngx_string("mesh_relay"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_mesh_relay_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_MESH_RELAY_SERVE,
      NULL },

    { ngx_string("mesh_relay_simulate"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_mesh_relay_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_MESH_RELAY_SIMULATE,
      NULL },

    { ngx_string("mesh_relay_private"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_mesh_relay_conf_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_MESH_RELAY_PRIVATE,
      NULL },

    { ngx_string("mesh_relay_check"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_mesh_relay_loc_conf_t, check),
      NULL },

    { ngx_string("mesh_relay_sort_response"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_mesh_relay_loc_conf_t, sort),
      NULL },

    { ngx_string("mesh_relay_max_response"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      mesh_conf_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_mesh_relay_loc_conf_t, max_response),
      NULL },

    { ngx_string("mesh_relay_chain_location"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_mesh_relay_loc_conf_t, chain_location),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_mesh_relay_module_ctx = {
    ngx_mesh_relay_add_variables,          /* preconfiguration */
    ngx_mesh_relay_postconfiguration,      /* postconfiguration */

    ngx_mesh_relay_create_main_conf,       /* create main configuration */
    ngx_mesh_relay_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_mesh_relay_create_loc_conf,        /* create location configuration */
    ngx_mesh_relay_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_mesh_relay_module = {
    NGX_MODULE_V1,
    &ngx_mesh_relay_module_ctx,            /* module context */
    ngx_mesh_relay_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_mesh_relay_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_mesh_relay_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_mesh_relay_main_conf_t *
ngx_mesh_relay_main_conf(ngx_cycle_t *cycle)
{
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_mesh_relay_module);

    if (mcf == NULL || mcf->servicers.nelts == 0) {
        return NULL;
    }

    return mcf;
}


/*
 * Nothing here may fail for a peer's sake: a worker whose init_process
 * returns NGX_ERROR is never started again.
 */

static ngx_int_t
ngx_mesh_relay_init_process(ngx_cycle_t *cycle)
{
    ngx_mesh_relay_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_mesh_relay_main_conf(cycle);

    if (mcf == NULL) {
        return NGX_OK;
    }

    /* the cached time is that of the start: reading the files took its own */

    ngx_time_update();

    mcf->started = ngx_current_msec;

    mesh_secret_relock(cycle->pool, cycle->log);
    ngx_mesh_relay_idle_init(cycle);

    if (ngx_mesh_relay_verdict_init(cycle, mcf) != NGX_OK
        || mesh_http_start(cycle, mcf->node_http) != NGX_OK
        || (mcf->store && ngx_mesh_relay_store_init(cycle, mcf) != NGX_OK)
        || ngx_mesh_relay_watch_init(cycle, mcf) != NGX_OK
        || (mcf->store && ngx_mesh_relay_notify_init(cycle, mcf) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_mesh_relay_exit_process(ngx_cycle_t *cycle)
{
    ngx_mesh_relay_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    mcf = ngx_mesh_relay_main_conf(cycle);

    if (mcf == NULL) {
        return;
    }

    if (mcf->store) {
        ngx_mesh_relay_notify_exit(cycle, mcf);
    }

    ngx_mesh_relay_watch_exit(cycle, mcf);

    if (mcf->store) {
        ngx_mesh_relay_store_exit(cycle, mcf);
    }

    mesh_http_stop(mcf->node_http);
    ngx_mesh_relay_verdict_exit(mcf);
}
