
/*
 * gateway_node: a node for the request, in variables; and what becomes of the
 * request tells how the node did.
 */


#include "ngx_gateway_select_find.h"


typedef enum {
    NGX_GATEWAY_SELECT_VAR_NODE = 0,
    NGX_GATEWAY_SELECT_VAR_URL
} ngx_gateway_select_var_e;


/*
 * One per request, whatever its subrequests and redirects: it hangs on a
 * cleanup of the main one, as contexts of modules are cleared on the way.
 */

typedef struct {
    ngx_http_request_t         *request;
    gateway_found_t             found;
    ngx_gateway_select_pick_t   pick;
    unsigned                    chosen:1;
} ngx_gateway_select_choice_t;


static ngx_int_t ngx_gateway_select_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_gateway_select_choice_t *ngx_gateway_select_choice(
    ngx_http_request_t *r, ngx_http_complex_value_t *chain);
static void ngx_gateway_select_choice_end(void *data);
static gateway_try_e ngx_gateway_select_choice_how(ngx_http_request_t *r,
    ngx_msec_t *latency);


static ngx_http_variable_t  ngx_gateway_select_vars[] = {

    { ngx_string("gateway_node"), NULL, ngx_gateway_select_variable,
      NGX_GATEWAY_SELECT_VAR_NODE, 0, 0 },

    { ngx_string("gateway_node_url"), NULL, ngx_gateway_select_variable,
      NGX_GATEWAY_SELECT_VAR_URL, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_gateway_select_add_variables(ngx_conf_t *cf)
{
    return mesh_conf_add_variables(cf, ngx_gateway_select_vars);
}


static ngx_int_t
ngx_gateway_select_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                       *s;
    ngx_gateway_select_choice_t     *choice;
    ngx_gateway_select_loc_conf_t   *glcf;
    ngx_gateway_select_main_conf_t  *gmcf;

    v->not_found = 1;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_gateway_select_module);

    if (glcf->node == NULL || gmcf->shm_zone == NULL) {
        return NGX_OK;
    }

    choice = ngx_gateway_select_choice(r, glcf->node);

    if (choice == NULL) {
        return NGX_ERROR;
    }

    if (!choice->chosen) {
        return NGX_OK;
    }

    s = (data == NGX_GATEWAY_SELECT_VAR_URL) ? &choice->found.url
                                             : &choice->found.key;

    v->data = s->data;
    v->len = s->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* The choice of the request, made now if there is none; NULL: no memory. */

static ngx_gateway_select_choice_t *
ngx_gateway_select_choice(ngx_http_request_t *r,
    ngx_http_complex_value_t *chain)
{
    ngx_str_t                        name;
    ngx_http_cleanup_t              *cln;
    ngx_gateway_select_choice_t     *choice;
    ngx_gateway_select_main_conf_t  *gmcf;

    for (cln = r->main->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_gateway_select_choice_end) {
            return cln->data;
        }
    }

    if (ngx_http_complex_value(r, chain, &name) != NGX_OK) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r->main, sizeof(ngx_gateway_select_choice_t));
    if (cln == NULL) {
        return NULL;
    }

    choice = cln->data;

    choice->request = r->main;
    choice->chosen = 0;

    cln->handler = ngx_gateway_select_choice_end;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    if (ngx_gateway_select_find(gmcf, &name, &choice->found, &choice->pick)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "no node of chain \"%V\" can be found: %V",
                      &name, &choice->found.reason);
        return choice;
    }

    choice->chosen = 1;

    ngx_gateway_select_begin(&choice->pick);

    return choice;
}


static void
ngx_gateway_select_choice_end(void *data)
{
    ngx_gateway_select_choice_t *choice = data;

    ngx_msec_t     latency;
    gateway_try_e  how;

    if (!choice->chosen) {
        return;
    }

    choice->chosen = 0;

    latency = ngx_current_msec - choice->pick.begun;
    how = ngx_gateway_select_choice_how(choice->request, &latency);

    ngx_gateway_select_end(&choice->pick, how, latency);
}


/*
 * By the last upstream of the request; without one nothing is known of the
 * node.  No header means that it was lost, or that the client left.
 */

static gateway_try_e
ngx_gateway_select_choice_how(ngx_http_request_t *r, ngx_msec_t *latency)
{
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL || r->upstream_states->nelts == 0) {
        return GATEWAY_TRY_CENSORED;
    }

    state = r->upstream_states->elts;
    state += r->upstream_states->nelts - 1;

    if (state->header_time == (ngx_msec_t) -1) {
        return (state->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
               ? GATEWAY_TRY_LOST : GATEWAY_TRY_CENSORED;
    }

    *latency = state->header_time;

    if (state->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        return GATEWAY_TRY_QUOTA;
    }

    return (state->status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
           ? GATEWAY_TRY_FAILED : GATEWAY_TRY_OK;
}
