
/*
 * Test module: directives that drive the mechanisms of shared/.
 */


#ifndef _NGX_MESH_TEST_H_INCLUDED_
#define _NGX_MESH_TEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "mesh_http.h"
#include "mesh_redis.h"


typedef struct {
    mesh_http_conf_t      *http_conf;      /* mesh_test_http_conf */
    mesh_redis_conf_t     *redis_conf;     /* mesh_test_redis */
    mesh_redis_t          *redis;          /* of this worker */
} ngx_mesh_test_main_conf_t;


typedef struct {
    void                  *http;           /* mesh_test_http */
    ngx_array_t           *redis_args;     /* ngx_http_complex_value_t */
    mesh_redis_script_t   *redis_script;   /* NULL: a plain command */
    ngx_uint_t             redis_nkeys;
    ngx_uint_t             redis_repeat;
    ngx_flag_t             redis_cancel;
    ngx_uint_t             redis_wanted;   /* mesh_redis_state_e */
    ngx_msec_t             redis_wait;
} ngx_mesh_test_loc_conf_t;


/* ngx_mesh_test_http.c */

char *ngx_mesh_test_http_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_mesh_test_http(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_mesh_test_http_init_conf(ngx_conf_t *cf,
    ngx_mesh_test_main_conf_t *mcf);
ngx_int_t ngx_mesh_test_http_init(ngx_cycle_t *cycle,
    ngx_mesh_test_main_conf_t *mcf);
void ngx_mesh_test_http_exit(ngx_mesh_test_main_conf_t *mcf);


#define NGX_MESH_TEST_HTTP_COMMANDS                                           \
                                                                              \
    { ngx_string("mesh_test_http_conf"),                                      \
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,                                      \
      ngx_mesh_test_http_conf,                                                \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_http"),                                           \
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,                                       \
      ngx_mesh_test_http,                                                     \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


/* ngx_mesh_test_redis.c */

char *ngx_mesh_test_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_mesh_test_redis_command(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_test_redis_eval(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_mesh_test_redis_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_test_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_mesh_test_redis_init_conf(ngx_conf_t *cf,
    ngx_mesh_test_main_conf_t *mcf);
ngx_int_t ngx_mesh_test_redis_init(ngx_cycle_t *cycle,
    ngx_mesh_test_main_conf_t *mcf);
void ngx_mesh_test_redis_exit(ngx_mesh_test_main_conf_t *mcf);


#define NGX_MESH_TEST_REDIS_COMMANDS                                          \
                                                                              \
    { ngx_string("mesh_test_redis"),                                          \
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,                                      \
      ngx_mesh_test_redis,                                                    \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_command"),                                  \
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,                                       \
      ngx_mesh_test_redis_command,                                            \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_eval"),                                     \
      NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,                                       \
      ngx_mesh_test_redis_eval,                                               \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_status"),                                   \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_redis_status,                                             \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_repeat"),                                   \
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,                                       \
      ngx_conf_set_num_slot,                                                  \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_mesh_test_loc_conf_t, redis_repeat),                       \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_cancel"),                                   \
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,                                        \
      ngx_conf_set_flag_slot,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_mesh_test_loc_conf_t, redis_cancel),                       \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_redis_wait"),                                     \
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,                                       \
      ngx_mesh_test_redis_wait,                                               \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


/* ngx_mesh_test_find.c */

char *ngx_mesh_test_find(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#define NGX_MESH_TEST_FIND_COMMANDS                                           \
                                                                              \
    { ngx_string("mesh_test_find"),                                           \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_find,                                                     \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_find_zone"),                                      \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_find,                                                     \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_find_bench"),                                     \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_find,                                                     \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


/* ngx_mesh_test_sessions.c */

char *ngx_mesh_test_sessions(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#define NGX_MESH_TEST_SESSIONS_COMMANDS                                       \
                                                                              \
    { ngx_string("mesh_test_sessions"),                                       \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_sessions,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("mesh_test_session_code"),                                   \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_sessions,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


/* ngx_mesh_test_conf.c */

char *ngx_mesh_test_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#define NGX_MESH_TEST_CONF_COMMANDS                                           \
                                                                              \
    { ngx_string("mesh_test_conf"),                                           \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,                                      \
      ngx_mesh_test_conf,                                                     \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL }


extern ngx_module_t  ngx_mesh_test_module;


#endif /* _NGX_MESH_TEST_H_INCLUDED_ */
