
/*
 * Configuration of the relay module: setters, defaults, checks.
 */


#ifndef _NGX_MESH_RELAY_CONF_H_INCLUDED_
#define _NGX_MESH_RELAY_CONF_H_INCLUDED_


#include "ngx_mesh_relay.h"


/* the phases of nginx's configuration; all of them config time only */

void *ngx_mesh_relay_create_main_conf(ngx_conf_t *cf);
char *ngx_mesh_relay_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_mesh_relay_create_loc_conf(ngx_conf_t *cf);
char *ngx_mesh_relay_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
ngx_int_t ngx_mesh_relay_postconfiguration(ngx_conf_t *cf);


/* setters of directives */

char *ngx_mesh_relay_conf_user_agent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_relay_conf_dead(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_relay_conf_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_relay_conf_retry_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_relay_conf_lease(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_mesh_relay_conf_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_mesh_relay_servicers.c: the key file */
char *ngx_mesh_relay_conf_servicers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* what the servicers' nodes need of the finished configuration */
ngx_int_t ngx_mesh_relay_servicers_init(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);

/* ngx_mesh_relay_chains.c: chains.json and its upstreams */
char *ngx_mesh_relay_conf_chains(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_mesh_relay_chains_init(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);


#endif /* _NGX_MESH_RELAY_CONF_H_INCLUDED_ */
