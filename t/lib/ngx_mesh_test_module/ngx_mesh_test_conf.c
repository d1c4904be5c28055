
/*
 * Test module: what the directives that the modules share came to in each of
 * them, and the zones that are there.
 */


#include "ngx_mesh_test.h"

#include "mesh_conf.h"


#define NGX_MESH_TEST_CONF_SIZE  8192


static ngx_int_t ngx_mesh_test_conf_handler(ngx_http_request_t *r);
static u_char *ngx_mesh_test_conf_module(u_char *p, u_char *last,
    ngx_module_t *module, mesh_conf_t *conf);
static u_char *ngx_mesh_test_conf_zones(u_char *p, u_char *last);


static char  *ngx_mesh_test_conf_modules[] = {
    "ngx_mesh_relay_module",
    "ngx_gateway_select_module",
    NULL
};


char *
ngx_mesh_test_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_mesh_test_conf_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mesh_test_conf_handler(ngx_http_request_t *r)
{
    u_char               *start, *p, *last;
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_uint_t            i, n;
    ngx_chain_t           out;
    ngx_module_t         *module;
    ngx_http_conf_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    start = ngx_pnalloc(r->pool, NGX_MESH_TEST_CONF_SIZE);
    b = ngx_calloc_buf(r->pool);

    if (start == NULL || b == NULL) {
        return NGX_ERROR;
    }

    ctx = (ngx_http_conf_ctx_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                               ngx_http_module);
    last = start + NGX_MESH_TEST_CONF_SIZE;
    p = start;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        module = ngx_cycle->modules[i];

        for (n = 0; ngx_mesh_test_conf_modules[n]; n++) {
            if (ngx_strcmp(module->name, ngx_mesh_test_conf_modules[n]) == 0) {
                p = ngx_mesh_test_conf_module(p, last, module,
                                            ctx->main_conf[module->ctx_index]);
            }
        }
    }

    p = ngx_mesh_test_conf_zones(p, last);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = p - start;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = start;
    b->last = p;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_mesh_test_conf_module(u_char *p, u_char *last, ngx_module_t *module,
    mesh_conf_t *conf)
{
    ngx_str_t  redis = ngx_null_string;

    if (conf->redis) {
        redis = conf->redis->name;
    }

    return ngx_slprintf(p, last, "%s region=%V edge=%V zone=%V:%uz redis=%V\n",
                        module->name, &conf->region, &conf->edge,
                        &conf->zone_name, conf->zone_size, &redis);
}


static u_char *
ngx_mesh_test_conf_zones(u_char *p, u_char *last)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;

    for ( /* void */ ; part; part = part->next) {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {
            p = ngx_slprintf(p, last, "zone %V:%uz\n", &zone[i].shm.name,
                             zone[i].shm.size);
        }
    }

    return p;
}
