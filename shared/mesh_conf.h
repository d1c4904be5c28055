
/*
 * The directives that the modules of the suite share, and setters for those
 * of each.  Each module carries the shared ones (MESH_CONF_COMMANDS at the
 * head of its table), and its main configuration begins with a mesh_conf_t;
 * nginx calls the setter of the first module only, which therefore fills
 * every loaded module of ours.
 */


#ifndef _MESH_CONF_H_INCLUDED_
#define _MESH_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "mesh_redis.h"


/* grows with the struct: modules of different builds do not mix */

#define MESH_CONF_LAYOUT      2

#define MESH_CONF_ZONE_MIN    (32 * ngx_pagesize)


typedef struct {
    ngx_uint_t            layout;     /* MESH_CONF_LAYOUT */
    const void           *calls;      /* for other modules; stays second */
    ngx_str_t             region;     /* mesh_region */
    ngx_str_t             edge;       /* mesh_edge */
    ngx_str_t             zone_name;  /* mesh_zone */
    size_t                zone_size;
    mesh_redis_conf_t    *redis;      /* mesh_redis; NULL: not configured */
} mesh_conf_t;


#define MESH_CONF_COMMANDS                                                    \
                                                                              \
    { ngx_string("mesh_region"),                                              \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      mesh_conf_set,                                                          \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_edge"),                                                \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      mesh_conf_set,                                                          \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_zone"),                                                \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      mesh_conf_set,                                                          \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_redis"),                                               \
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,                                      \
      mesh_conf_set,                                                          \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL }


/*
 * The setter of all these directives: parses the value once and puts it into
 * each loaded module of the suite.  Config time only.
 */
char *mesh_conf_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * The setter of directives that name a file with a token, of the form of
 * auth.json: reads it into locked memory, into the ngx_str_t at cmd->offset.
 */
char *mesh_conf_set_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Setters as core's, which tell value, directive and what is expected when
 * they refuse: a time above zero, for an ngx_msec_t; a number within the
 * ngx_conf_num_bounds_t at cmd->post, for an ngx_int_t or ngx_uint_t; a size
 * above zero, for a size_t.
 */
char *mesh_conf_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *mesh_conf_set_num(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *mesh_conf_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* A text with variables, of cf->pool; NULL: no memory, or an error, logged. */
ngx_http_complex_value_t *mesh_conf_complex(ngx_conf_t *cf, ngx_str_t *text);

/*
 * Sets what was not configured: the edge's name (host name and path of the
 * pid file, so that two nginx of one host differ), the zone (mesh:32m).
 * Called from init_main_conf; strings are of cf->pool.
 */
char *mesh_conf_init(ngx_conf_t *cf, mesh_conf_t *conf);

/*
 * For a preconfiguration: adds the variables of a table, which ends with
 * ngx_http_null_variable.  NGX_ERROR: no memory, or a name that is taken,
 * logged.
 */
ngx_int_t mesh_conf_add_variables(ngx_conf_t *cf, ngx_http_variable_t *vars);


#endif /* _MESH_CONF_H_INCLUDED_ */
