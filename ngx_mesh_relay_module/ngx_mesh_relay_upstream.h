
/*
 * upstreams of nginx for the servers that chain and node URLs name.
 */


#ifndef _NGX_MESH_RELAY_UPSTREAM_H_INCLUDED_
#define _NGX_MESH_RELAY_UPSTREAM_H_INCLUDED_


#include "ngx_mesh_relay.h"


/*
 * Splits an http or https URL: scheme without "://", authority with its port
 * ("unix:/path" of a socket), rest from the slash on, perhaps empty.
 * NGX_DECLINED: it is neither.
 */
ngx_int_t ngx_mesh_relay_url_split(ngx_str_t *url, ngx_str_t *scheme,
    ngx_str_t *authority, ngx_str_t *rest);

/*
 * From a directive's setter: declares an upstream with kept connections for
 * scheme and authority, unless upstream{} of that name is there already or
 * the name has no address now (a warning: it is then resolved at run time).
 * The same server is declared once.  NGX_ERROR: logged.
 */
ngx_int_t ngx_mesh_relay_upstream_declare(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *scheme,
    ngx_str_t *authority);

/*
 * What proxy_pass is to be given for this server: the name of the operator's
 * upstream{}, of the declared one, or empty.  From init_main_conf on, in
 * workers too.
 */
ngx_str_t ngx_mesh_relay_upstream_name(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *scheme, ngx_str_t *authority);


#endif /* _NGX_MESH_RELAY_UPSTREAM_H_INCLUDED_ */
