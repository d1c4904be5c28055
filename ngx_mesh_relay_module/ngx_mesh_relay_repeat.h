
/*
 * What Redis acknowledged and may still lose: the records of the last 3 s of
 * this worker, kept in its memory, and made again, before any new one, when
 * Redis comes back as another server than the one that acknowledged them.
 *
 * Kept are at most NGX_MESH_RELAY_REPEAT_MAX records of together
 * NGX_MESH_RELAY_REPEAT_SIZE bytes, per worker; the oldest give way, and a
 * warning tells of it once a minute.  The 3 s end with the last that was heard
 * of Redis, so an outage does not use them up.  A worker that quits stays for
 * them, but no longer than 6 s after its last record.
 */


#ifndef _NGX_MESH_RELAY_REPEAT_H_INCLUDED_
#define _NGX_MESH_RELAY_REPEAT_H_INCLUDED_


#include "ngx_mesh_relay_script.h"


#define NGX_MESH_RELAY_REPEAT_KEEP   3000                /* ms */
#define NGX_MESH_RELAY_REPEAT_MAX    16384
#define NGX_MESH_RELAY_REPEAT_SIZE   (16 * 1024 * 1024)


/* a server as a connection has seen it: run id, replication id */

typedef struct {
    size_t                   len;
    u_char                   ids[2 * MESH_REDIS_ID_LEN];
} ngx_mesh_relay_server_t;


/*
 * Is the server of a connection that has become ready another one than *server
 * says, restarted, or with other data?  Not the first one; *server is set.
 */
ngx_uint_t ngx_mesh_relay_server_changed(ngx_mesh_relay_server_t *server,
    mesh_redis_t *redis);

/* init_process and exit_process; the latter when the connection is closed */
ngx_int_t ngx_mesh_relay_repeat_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_repeat_exit(ngx_mesh_relay_main_conf_t *mcf);

/* Redis acknowledged a record: a copy is kept. */
void ngx_mesh_relay_repeat_keep(ngx_mesh_relay_record_t *rec);

/*
 * The connection for commands is ready: finds out what is to be repeated;
 * that is sent by _send(), once all nodes are open, and those who wait for
 * the store are woken at its end.  busy: it has not come yet.
 */
void ngx_mesh_relay_repeat_connected(ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_repeat_send(ngx_mesh_relay_main_conf_t *mcf);
ngx_uint_t ngx_mesh_relay_repeat_busy(ngx_mesh_relay_main_conf_t *mcf);


#endif /* _NGX_MESH_RELAY_REPEAT_H_INCLUDED_ */
