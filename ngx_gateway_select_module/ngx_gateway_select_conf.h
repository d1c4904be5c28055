
/*
 * Directives of the gateway: setters that the command table names, and what
 * the other files read the configuration by.  All at configuration time; an
 * error is logged with the value and the directive before NGX_CONF_ERROR or
 * NGX_ERROR is given.
 */


#ifndef _NGX_GATEWAY_SELECT_CONF_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CONF_H_INCLUDED_


#include "ngx_gateway_select.h"


#define NGX_GATEWAY_SELECT_NAME_MAX    255    /* of a chain, a node, ... */

/* where a key of a chain stands: gateway_chain {}, gateway_select */

#define NGX_GATEWAY_SELECT_IN_CHAIN    0x01
#define NGX_GATEWAY_SELECT_IN_POOL     0x02

/* what is not configured, of types that nginx has no such value for */

#define NGX_GATEWAY_SELECT_UNSET       -1.0
#define NGX_GATEWAY_SELECT_UNSET_COUNT ((uint32_t) -1)


/*
 * The content handler of an endpoint: the command's "post" points to one of
 * these, its setter is ngx_gateway_select_conf_endpoint(), which refuses a
 * location that has another content handler.
 */

typedef struct {
    ngx_http_handler_pt  handler;
} ngx_gateway_select_endpoint_t;


/* For the module's context, and setters of its command table. */

void *ngx_gateway_select_create_main_conf(ngx_conf_t *cf);
char *ngx_gateway_select_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_gateway_select_create_loc_conf(ngx_conf_t *cf);
char *ngx_gateway_select_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_gateway_select_conf_chain(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_weights(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_portion(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_relay(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_check(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_operator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_dispatcher(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_apps(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_gateway_select_conf_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/*
 * Adds a chain of this name, nothing of it set: values are those of http{}
 * and the defaults once init_main_conf has run.  NULL: no memory, or there
 * is one of that name (logged).  The name's memory must stay.
 */
ngx_gateway_select_chain_t *ngx_gateway_select_chain_add(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name);

/*
 * A key of gateway_select: the name and value of "name=value"; several
 * values are separated by commas.
 */
char *ngx_gateway_select_conf_key(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_str_t *name, ngx_str_t *value);

/* One key and its n values; where: IN_CHAIN or IN_POOL. */
char *ngx_gateway_select_conf_values(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_uint_t where, ngx_str_t *name,
    ngx_str_t *values, ngx_uint_t n);

/* A chain without any value, for what is then merged into. */
ngx_int_t ngx_gateway_select_chain_init(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain);

/* Values that are not set are taken from prev; prev NULL: the defaults. */
void ngx_gateway_select_chain_merge(ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_chain_t *prev);

/* The defaults of each family, once they are merged. */
ngx_int_t ngx_gateway_select_families_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);

/* Of a chain of Pocket by its id; NONE where it is not known. */
ngx_gateway_select_family_e ngx_gateway_select_family_of(ngx_str_t *name);

/* The values of "node": the URL, then parameters. */
char *ngx_gateway_select_conf_node(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_str_t *value, ngx_uint_t n);

/* A URL of a chain's key, for gmcf->http; NULL: it is none. */
mesh_http_url_t *ngx_gateway_select_conf_url(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, const char *name, ngx_str_t *value);

/* Operators of the chains' servers, when all of http{} has been read. */
ngx_int_t ngx_gateway_select_operators_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);

/* Dispatchers and applications need each other. */
ngx_int_t ngx_gateway_select_apps_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);

/* Makes chain->checks of the names, when all of http{} has been read. */
ngx_int_t ngx_gateway_select_checks_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);


/* NGX_ERROR, nothing logged: what follows is not true of the text. */

/* 1 to 255 characters that need no quoting in URLs, JSON, Redis and logs */
ngx_int_t ngx_gateway_select_conf_name(ngx_str_t *text);

/* a header's name that is not of the connection or its framing */
ngx_int_t ngx_gateway_select_conf_header(ngx_str_t *name);

/* no space and no control character in it */
ngx_int_t ngx_gateway_select_conf_plain(ngx_str_t *text);


#endif /* _NGX_GATEWAY_SELECT_CONF_H_INCLUDED_ */
