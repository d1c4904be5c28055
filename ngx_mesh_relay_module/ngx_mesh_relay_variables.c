
/*
 * Variables: what the shipped locations and the access log need.
 */


#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_upstream.h"


typedef enum {
    NGX_MESH_RELAY_VAR_URL = 0,      /* for proxy_pass */
    NGX_MESH_RELAY_VAR_HOST,         /* for the Host header */
    NGX_MESH_RELAY_VAR_NAME          /* for TLS: the host without a port */
} ngx_mesh_relay_var_e;


static ngx_int_t ngx_mesh_relay_chain_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_mesh_relay_node_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_mesh_relay_node_t *ngx_mesh_relay_node_pick(
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_int_t ngx_mesh_relay_node_url(ngx_http_request_t *r,
    ngx_mesh_relay_node_t *node, ngx_str_t *url);
static ngx_int_t ngx_mesh_relay_max_body_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_mesh_relay_variable_set(ngx_http_variable_value_t *v,
    ngx_str_t *s);
static void ngx_mesh_relay_host(ngx_str_t *authority,
    ngx_mesh_relay_var_e part, ngx_str_t *host);


/* a subrequest shares its parent's values, but only it has a chain */

static ngx_http_variable_t  ngx_mesh_relay_vars[] = {

    { ngx_string("mesh_relay_chain_url"), NULL,
      ngx_mesh_relay_chain_variable, NGX_MESH_RELAY_VAR_URL,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mesh_relay_chain_host"), NULL,
      ngx_mesh_relay_chain_variable, NGX_MESH_RELAY_VAR_HOST,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mesh_relay_chain_name"), NULL,
      ngx_mesh_relay_chain_variable, NGX_MESH_RELAY_VAR_NAME,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("mesh_relay_node_url"), NULL,
      ngx_mesh_relay_node_variable, NGX_MESH_RELAY_VAR_URL, 0, 0 },

    { ngx_string("mesh_relay_node_host"), NULL,
      ngx_mesh_relay_node_variable, NGX_MESH_RELAY_VAR_HOST, 0, 0 },

    { ngx_string("mesh_relay_node_name"), NULL,
      ngx_mesh_relay_node_variable, NGX_MESH_RELAY_VAR_NAME, 0, 0 },

    { ngx_string("mesh_relay_max_body"), NULL,
      ngx_mesh_relay_max_body_variable, 0, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_mesh_relay_add_variables(ngx_conf_t *cf)
{
    return mesh_conf_add_variables(cf, ngx_mesh_relay_vars);
}


/* good in the chain's location only, which runs in a subrequest of ours */

static ngx_int_t
ngx_mesh_relay_chain_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               s, authority;
    ngx_mesh_relay_exec_t  *exec;

    exec = ngx_mesh_relay_execute_of(r);

    if (exec == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (data == NGX_MESH_RELAY_VAR_URL) {
        exec->asked = 1;
        s = exec->url;

    } else {
        authority.len = exec->request.host.len;
        authority.data = exec->request.host.data;

        ngx_mesh_relay_host(&authority, data, &s);
    }

    ngx_mesh_relay_variable_set(v, &s);

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_node_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    s, scheme, authority, rest;
    ngx_mesh_relay_node_t       *node;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    node = ngx_mesh_relay_node_pick(mcf);

    if (node == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (data == NGX_MESH_RELAY_VAR_URL) {
        if (ngx_mesh_relay_node_url(r, node, &s) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        if (ngx_mesh_relay_url_split(&node->url, &scheme, &authority, &rest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_mesh_relay_host(&authority, data, &s);
    }

    ngx_mesh_relay_variable_set(v, &s);

    return NGX_OK;
}


/*
 * The first node in sync, else the first of all.  The variables of one
 * request are computed in one event, so that they agree.
 */

static ngx_mesh_relay_node_t *
ngx_mesh_relay_node_pick(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                   i;
    ngx_mesh_relay_node_t       *node;
    ngx_mesh_relay_node_view_t   view;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {
        ngx_mesh_relay_node_view(mcf, &node[i], &view);

        if (view.in_grace && !view.status.is_starting
            && !view.status.is_catching_up)
        {
            return &node[i];
        }
    }

    return mcf->nodes.nelts ? node : NULL;
}


static ngx_int_t
ngx_mesh_relay_node_url(ngx_http_request_t *r, ngx_mesh_relay_node_t *node,
    ngx_str_t *url)
{
    u_char     *p;
    ngx_str_t   scheme, authority, rest;

    if (ngx_mesh_relay_url_split(&node->url, &scheme, &authority, &rest)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (node->upstream.len) {
        authority = node->upstream;
    }

    while (rest.len && rest.data[rest.len - 1] == '/') {
        rest.len--;
    }

    p = ngx_pnalloc(r->pool, scheme.len + 3 + authority.len + 1 + rest.len
                             + r->unparsed_uri.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_sprintf(p, "%V://%V", &scheme, &authority);

    if (ngx_strncasecmp(authority.data, (u_char *) "unix:", 5) == 0) {
        *p++ = ':';
    }

    p = ngx_cpymem(p, rest.data, rest.len);
    p = ngx_cpymem(p, r->unparsed_uri.data, r->unparsed_uri.len);

    url->len = p - url->data;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_max_body_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  s;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    s.data = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (s.data == NULL) {
        return NGX_ERROR;
    }

    s.len = ngx_sprintf(s.data, "%O", clcf->client_max_body_size) - s.data;

    ngx_mesh_relay_variable_set(v, &s);

    return NGX_OK;
}


static void
ngx_mesh_relay_variable_set(ngx_http_variable_value_t *v, ngx_str_t *s)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = s->len;
    v->data = s->data;
}


static void
ngx_mesh_relay_host(ngx_str_t *authority, ngx_mesh_relay_var_e part,
    ngx_str_t *host)
{
    u_char  *p, *last;

    static ngx_str_t  local = ngx_string("localhost");

    if (ngx_strncasecmp(authority->data, (u_char *) "unix:", 5) == 0) {
        *host = local;
        return;
    }

    *host = *authority;

    if (part == NGX_MESH_RELAY_VAR_HOST) {
        return;
    }

    last = host->data + host->len;
    p = host->data;

    if (host->len && *p == '[') {
        p = ngx_strlchr(p, last, ']');
        host->len = p ? (size_t) (p + 1 - host->data) : host->len;
        return;
    }

    p = ngx_strlchr(p, last, ':');
    host->len = p ? (size_t) (p - host->data) : host->len;
}
