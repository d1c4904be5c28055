
/*
 * Differences between the versions of nginx, 1.22 and later.
 */


#ifndef _MESH_COMPAT_H_INCLUDED_
#define _MESH_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Without the full flags of the nginx that loads a module, TLS would silently
 * vanish from it although the two are binary compatible.
 */

#if !(NGX_HTTP_SSL)
#error "nginx must be configured with --with-http_ssl_module"
#endif


/* 1.23.0 linked headers of the same name */

#if (nginx_version >= 1023000)
#define mesh_table_elt_last(h)     (h)->next = NULL
#else
#define mesh_table_elt_last(h)
#endif


/* 1.25.4 completes asynchronous operations of terminated requests */

#if (nginx_version >= 1025004)
#define mesh_http_terminated(r)    (r)->terminated
#else
#define mesh_http_terminated(r)    0
#endif


/* 1.27.2 lets the parser keep trailers */

#if (nginx_version >= 1027002)
#define mesh_http_parse_chunked(r, b, ctx)                                    \
    ngx_http_parse_chunked(r, b, ctx, 0)
#else
#define mesh_http_parse_chunked(r, b, ctx)                                    \
    ngx_http_parse_chunked(r, b, ctx)
#endif


#endif /* _MESH_COMPAT_H_INCLUDED_ */
