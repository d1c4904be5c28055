
/*
 * Test module: configuration and processes.
 */


#include "ngx_mesh_test.h"


static void *ngx_mesh_test_create_main_conf(ngx_conf_t *cf);
static char *ngx_mesh_test_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_mesh_test_create_loc_conf(ngx_conf_t *cf);
static char *ngx_mesh_test_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_mesh_test_init_process(ngx_cycle_t *cycle);
static void ngx_mesh_test_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_mesh_test_commands[] = {

    NGX_MESH_TEST_HTTP_COMMANDS,
    NGX_MESH_TEST_REDIS_COMMANDS,
    NGX_MESH_TEST_FIND_COMMANDS,
    NGX_MESH_TEST_SESSIONS_COMMANDS,
    NGX_MESH_TEST_CONF_COMMANDS,

      ngx_null_command
};


static ngx_http_module_t  ngx_mesh_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_mesh_test_create_main_conf,        /* create main configuration */
    ngx_mesh_test_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_mesh_test_create_loc_conf,         /* create location configuration */
    ngx_mesh_test_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_mesh_test_module = {
    NGX_MODULE_V1,
    &ngx_mesh_test_module_ctx,             /* module context */
    ngx_mesh_test_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_mesh_test_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_mesh_test_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_mesh_test_create_main_conf(ngx_conf_t *cf)
{
    ngx_mesh_test_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_test_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->http_conf = mesh_http_conf_create(cf);
    if (mcf->http_conf == NULL) {
        return NULL;
    }

    return mcf;
}


static char *
ngx_mesh_test_init_main_conf(ngx_conf_t *cf, void *conf)
{
    if (ngx_mesh_test_http_init_conf(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_mesh_test_redis_init_conf(cf, conf);
}


static void *
ngx_mesh_test_create_loc_conf(ngx_conf_t *cf)
{
    ngx_mesh_test_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_mesh_test_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->redis_repeat = NGX_CONF_UNSET_UINT;
    conf->redis_cancel = NGX_CONF_UNSET;
    conf->redis_wanted = NGX_CONF_UNSET_UINT;
    conf->redis_wait = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_mesh_test_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_mesh_test_loc_conf_t *prev = parent;
    ngx_mesh_test_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->redis_repeat, prev->redis_repeat, 1);
    ngx_conf_merge_value(conf->redis_cancel, prev->redis_cancel, 0);
    ngx_conf_merge_uint_value(conf->redis_wanted, prev->redis_wanted,
                              MESH_REDIS_READY);
    ngx_conf_merge_msec_value(conf->redis_wait, prev->redis_wait, 5000);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mesh_test_init_process(ngx_cycle_t *cycle)
{
    ngx_mesh_test_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_mesh_test_module);
    if (mcf == NULL) {
        return NGX_OK;
    }

    if (ngx_mesh_test_http_init(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mesh_test_redis_init(cycle, mcf);
}


static void
ngx_mesh_test_exit_process(ngx_cycle_t *cycle)
{
    ngx_mesh_test_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_mesh_test_module);

    if (mcf) {
        ngx_mesh_test_http_exit(mcf);
        ngx_mesh_test_redis_exit(mcf);
    }
}
