
/*
 * What the edge keeps in Redis: relays on their way, sessions, proofs, the
 * ledger.  Every change is one script call: it happens as a whole or not at
 * all, and {N} in the keys keeps them on one cluster slot.
 *
 *   mesh:{N}:version        schema version
 *   mesh:{N}:relays         stream: s session id, r relay, t ms, and d the
 *                           moment since when it may be at the node; group
 *                           "edge"
 *   mesh:{N}:session:<id>   hash: s state (v, i), c code, x message,
 *                           m remaining, d dispatch
 *   mesh:{N}:proofs:<id>    hash: proof hash -> attempt id
 *   mesh:{N}:sessions       sorted set: id by session height, for the sweep
 *   mesh:{N}:ledger         hash: id -> "recorded,delivered,by37,expired,
 *                           time[,code=n...]"; queued is the rest
 *   mesh:{N}:dead           stream of refused and expired entries, capped
 *   mesh:{N}:node           hash: last good check answer, its wall time
 *   mesh:lease:<edge>:<slot>  token of the owner, or how it was let go
 */


#ifndef _NGX_MESH_RELAY_STORE_H_INCLUDED_
#define _NGX_MESH_RELAY_STORE_H_INCLUDED_


#include "ngx_mesh_relay_shm.h"


#define NGX_MESH_RELAY_ATTEMPT_LEN  12


typedef enum {
    NGX_MESH_RELAY_STORE_OK = 0,     /* recorded, durably acknowledged */
    NGX_MESH_RELAY_STORE_REFUSED,    /* code says why: 37, 90, session's */
    NGX_MESH_RELAY_STORE_DOWN        /* no acknowledgement: answer 503 */
} ngx_mesh_relay_store_e;


/* Somebody who waits for the store; all zero at first. */

typedef struct {
    ngx_queue_t                    link;
    ngx_event_t                   *event;
    unsigned                       waiting:1;
} ngx_mesh_relay_waiter_t;


typedef struct ngx_mesh_relay_record_s  ngx_mesh_relay_record_t;

typedef void (*ngx_mesh_relay_record_pt)(ngx_mesh_relay_record_t *rec);

/*
 * One attempt to record a relay.  The caller fills the first part; handler
 * is called exactly once, never from within _record() itself, unless
 * _cancel() came first.  The strings must live until then.
 */

struct ngx_mesh_relay_record_s {
    ngx_mesh_relay_session_key_t  *key;
    u_char                        *proof_hash;    /* 32 bytes */
    ngx_str_t                      relay;         /* canonical relay text */
    ngx_mesh_relay_record_pt       handler;
    void                          *data;
    ngx_log_t                     *log;

    /* the outcome */
    ngx_mesh_relay_store_e         outcome;
    ngx_uint_t                     code;          /* of REFUSED */
    ngx_str_t                      message;       /* may be empty */
    int64_t                        remaining;     /* -1: no count */

    /* of the store */
    u_char                         attempt[NGX_MESH_RELAY_ATTEMPT_LEN];
    ngx_mesh_relay_main_conf_t    *mcf;
    ngx_event_t                    timer;
    ngx_mesh_relay_waiter_t        waiter;
    mesh_redis_cmd_t              *command;
    ngx_msec_t                     begun;
    uint64_t                       time;          /* wall clock ms */
    unsigned                       resent:1;      /* one may be executed */
};


/*
 * Starts recording.  A lost reply is asked again with the same attempt id
 * until mcf->record_timeout; then the outcome is DOWN.
 */
void ngx_mesh_relay_store_record(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_record_t *rec);

/* the client is gone: no handler call any more; what was sent may stay */
void ngx_mesh_relay_store_cancel(ngx_mesh_relay_record_t *rec);

/* config time: scripts and the two connections of mesh_redis */
ngx_int_t ngx_mesh_relay_store_conf(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);

/* init_process, exit_process of worker processes */
ngx_int_t ngx_mesh_relay_store_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_store_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);

/*
 * 1 when relays can be recorded now: connected, group and schema are there,
 * what Redis may have lost was repeated
 */
ngx_uint_t ngx_mesh_relay_store_ready(ngx_mesh_relay_main_conf_t *mcf);

/*
 * Waits for that: the event is called when it is so, or when limit ms have
 * passed, and has then to call _leave(), as has who waits no more.  Meanwhile
 * the connection hurries.
 */
void ngx_mesh_relay_store_wait(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_waiter_t *waiter, ngx_event_t *ev, ngx_msec_t limit);
void ngx_mesh_relay_store_leave(ngx_mesh_relay_waiter_t *waiter,
    ngx_event_t *ev);


typedef struct {
    unsigned         found:1;      /* Redis knows the session's validation */
    unsigned         valid:1;
    ngx_uint_t       code;
    ngx_str_t        message;
    int64_t          remaining;    /* -1: no count */
    ngx_str_t        dispatch;
} ngx_mesh_relay_store_session_t;

/* s is NULL when Redis could not say */
typedef void (*ngx_mesh_relay_store_session_pt)(void *data,
    ngx_mesh_relay_store_session_t *s);

/*
 * Reads a session's state; or writes the outcome of its validation, where
 * in->remaining is the node's count and the answer's is that less what is
 * recorded and not delivered (spec 5).  handler is called once, later; data
 * must outlive it (worker lifetime or own pool).  NGX_ERROR: not started.
 */
ngx_int_t ngx_mesh_relay_store_session_get(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key,
    ngx_mesh_relay_store_session_pt handler, void *data);
ngx_int_t ngx_mesh_relay_store_session_set(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_mesh_relay_store_session_t *in,
    ngx_mesh_relay_store_session_pt handler, void *data);

/* the last good check answer, kept over restarts in Redis, if any (grace) */
void ngx_mesh_relay_store_node_set(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, pocket_node_status_t *status, time_t at);

typedef void (*ngx_mesh_relay_store_node_pt)(void *data,
    pocket_node_status_t *status, time_t at);

/* status is NULL when there is none or Redis could not say */
ngx_int_t ngx_mesh_relay_store_node_get(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, ngx_mesh_relay_store_node_pt handler,
    void *data);


/* init_process, exit_process: slots, stream readers, notifier, sweep */
ngx_int_t ngx_mesh_relay_notify_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_notify_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);


/*
 * The ledger as the JSON array of GET /v1/private/mesh/ledger, in pool;
 * called back once with NULL when Redis did not answer.  Cancel by setting
 * *cancel, which the caller gets at start, to 1.
 */
typedef void (*ngx_mesh_relay_ledger_pt)(void *data, ngx_chain_t *json,
    off_t length);

ngx_int_t ngx_mesh_relay_ledger_read(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_mesh_relay_ledger_pt handler, void *data,
    ngx_uint_t **cancel);

/* entries in all nodes' streams as last seen; for health and stop */
typedef void (*ngx_mesh_relay_queued_pt)(void *data, ngx_int_t queued);
ngx_int_t ngx_mesh_relay_store_queued(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_queued_pt handler, void *data);


#endif /* _NGX_MESH_RELAY_STORE_H_INCLUDED_ */
