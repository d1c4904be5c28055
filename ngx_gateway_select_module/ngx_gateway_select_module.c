
/*
 * ngx_gateway_select_module: which node of a chain a request goes to.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "mesh_conf.h"


typedef struct {
    mesh_conf_t  mesh;  /* first: filled by the setter of the shared ones */
} ngx_gateway_select_main_conf_t;


static void *ngx_gateway_select_create_main_conf(ngx_conf_t *cf);


static ngx_http_module_t  ngx_gateway_select_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_gateway_select_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_gateway_select_module = {
    NGX_MODULE_V1,
    &ngx_gateway_select_module_ctx,        /* module context */
    NULL,                                  /* module directives */
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


static void *
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
     *     gmcf->mesh = { 0, { NULL }, ... };
     */

    gmcf->mesh.layout = MESH_CONF_LAYOUT;

    return gmcf;
}
