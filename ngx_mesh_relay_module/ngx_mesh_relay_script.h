
/*
 * What the edge does to Redis' keys: names of the keys of a full node, and
 * the scripts.  A script is the only way a relay's state changes; each one
 * says below what it takes and gives.
 */


#ifndef _NGX_MESH_RELAY_SCRIPT_H_INCLUDED_
#define _NGX_MESH_RELAY_SCRIPT_H_INCLUDED_


#include "ngx_mesh_relay_store.h"


#define NGX_MESH_RELAY_SCHEMA     "1"
#define NGX_MESH_RELAY_GROUP      "edge"
#define NGX_MESH_RELAY_KEY_MAX    512

/* a stream's entry id: two decimal uint64 */
#define NGX_MESH_RELAY_ENTRY_LEN  (2 * NGX_INT64_LEN + 1)

/* a moment: a zone's id in hex, ":", ms of its clock */
#define NGX_MESH_RELAY_MOMENT_LEN                                             \
    (2 * sizeof(uint64_t) + 1 + NGX_INT64_LEN)


/*
 * Arguments are KEYS; ARGV.  Times are wall clock ms, heights and counts
 * decimal.
 *
 * OPEN     version, relays; schema.  1: stream and group are there; or the
 *          version that Redis holds, when it is another one.
 * RECORD   relays, session, proofs, ledger, sessions; proof hash, attempt,
 *          relay, session id, time, height[, moment its doubt begins[, "1"]].
 *          { 0, remaining (-1: no count) }; or { code, message } and nothing
 *          is changed.  With the "1" it was acknowledged before and counts
 *          whatever became of its session: never a code, and a third
 *          element, if it was not known.
 * SETTLE   relays, ledger, dead; time, dead max and its bytes, n, n session
 *          ids, then three for each entry: its id, place of its session
 *          (1..n), outcome: "d", "f" (delivered, by a 37 at the first
 *          sending), "e" (expired), "r<code>" (refused), "x" (no relay of
 *          ours).  The number settled, which are those that were pending.
 * SESSION  session, ledger, sessions; id, height, "v" or "i", code, message,
 *          count (-1: none), dispatch.  What holds now, as READ of fields.
 * LEASE    lease; token, ttl ms, "1" (take it) or "0" (only renew it).
 *          0: another's, or lost; 1: was ours; 2: taken, let go cleanly;
 *          3: taken, its last owner did not let go; a string: taken, let go
 *          with this in doubt.
 * RELEASE  lease; token, "clean" or "doubt:" or "until:" with a moment (as
 *          ngx_mesh_relay_doubt_t), ms to keep it.
 * ADOPT    relays; consumer from, consumer to, count.  Pending entries moved;
 *          0: there were none, and the consumer is deleted.
 * SWEEP    ledger, sessions, then session and proofs for each id; the ids.
 *          Drops those with nothing queued, the number of them.
 * PRUNE    ledger; id and row in turn.  Deletes those that are unchanged.
 */

typedef enum {
    NGX_MESH_RELAY_SCRIPT_OPEN = 0,
    NGX_MESH_RELAY_SCRIPT_RECORD,
    NGX_MESH_RELAY_SCRIPT_SETTLE,
    NGX_MESH_RELAY_SCRIPT_SESSION,
    NGX_MESH_RELAY_SCRIPT_LEASE,
    NGX_MESH_RELAY_SCRIPT_RELEASE,
    NGX_MESH_RELAY_SCRIPT_ADOPT,
    NGX_MESH_RELAY_SCRIPT_SWEEP,
    NGX_MESH_RELAY_SCRIPT_PRUNE,
    NGX_MESH_RELAY_SCRIPT_LAST
} ngx_mesh_relay_script_e;


typedef struct ngx_mesh_relay_repeat_s  ngx_mesh_relay_repeat_t;


/* names of the keys; session and proofs are prefixes of a session id */

typedef struct {
    ngx_str_t                version;
    ngx_str_t                relays;
    ngx_str_t                session;
    ngx_str_t                proofs;
    ngx_str_t                sessions;
    ngx_str_t                ledger;
    ngx_str_t                dead;
    ngx_str_t                node;
} ngx_mesh_relay_keys_t;


/* what the store knows of one full node in this worker */

typedef struct {
    ngx_mesh_relay_keys_t    keys;
    ngx_mesh_relay_main_conf_t
                            *mcf;
    ngx_mesh_relay_node_t   *node;
    unsigned                 open:1;      /* schema and group are there */
    unsigned                 opening:1;
    unsigned                 alien:1;     /* another schema: it was logged */
} ngx_mesh_relay_store_node_t;


struct ngx_mesh_relay_store_s {
    mesh_redis_script_t     *scripts[NGX_MESH_RELAY_SCRIPT_LAST];
    ngx_mesh_relay_store_node_t
                            *nodes;       /* by node->index */

    /* per worker, set by init_process */
    ngx_uint_t               closed;      /* nodes that are not open */
    ngx_event_t              timer;       /* tries those again */
    ngx_queue_t              asks;        /* see _state.c */
    ngx_queue_t              waiters;     /* ngx_mesh_relay_waiter_t */
    ngx_mesh_relay_repeat_t *repeat;
    u_char                   prefix[NGX_MESH_RELAY_ATTEMPT_LEN
                                    - sizeof(uint32_t)];
    uint32_t                 attempts;
};


#define ngx_mesh_relay_store_keys(mcf, n)                                     \
    (&(mcf)->store->nodes[(n)->index].keys)


/* Config time: registers all scripts with the client of mesh_redis. */
ngx_int_t ngx_mesh_relay_script_add(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);

/* Config time: the keys of a node, in cf->pool. */
ngx_int_t ngx_mesh_relay_keys_init(ngx_conf_t *cf,
    ngx_mesh_relay_node_t *node, ngx_mesh_relay_keys_t *keys);

/* Joins a prefix and a session id in buf, of NGX_MESH_RELAY_KEY_MAX bytes. */
void ngx_mesh_relay_key_join(ngx_str_t *key, u_char *buf, ngx_str_t *prefix,
    ngx_str_t *id);

/* mesh_redis_eval() of one of the scripts on the given connection */
ngx_int_t ngx_mesh_relay_script_eval(ngx_mesh_relay_main_conf_t *mcf,
    mesh_redis_t *redis, ngx_mesh_relay_script_e script, ngx_uint_t nkeys,
    ngx_uint_t argc, ngx_str_t *argv, mesh_redis_handler_pt handler,
    void *data, mesh_redis_cmd_t **cmd);

/*
 * A call of RECORD.  resent: an earlier one may have been executed; again:
 * it was acknowledged.  Either way Redis may have lost what a node already
 * has, so the entry is in doubt from now on.  The strings are copied.
 */

typedef struct {
    ngx_mesh_relay_node_t   *node;
    ngx_str_t                id;          /* of the session */
    int64_t                  height;
    u_char                  *proof_hash;  /* 32 bytes */
    u_char                  *attempt;     /* NGX_MESH_RELAY_ATTEMPT_LEN */
    ngx_str_t                relay;
    uint64_t                 time;        /* wall clock ms */
    unsigned                 resent:1;
    unsigned                 again:1;
} ngx_mesh_relay_script_record_t;

ngx_int_t ngx_mesh_relay_script_record(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_script_record_t *in, mesh_redis_handler_pt handler,
    void *data, mesh_redis_cmd_t **cmd);

/*
 * Makes sure that the node's stream and group are there; relays are refused
 * until then.  To be called when Redis said that they are not.
 */
void ngx_mesh_relay_store_open(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node);

/* Wall clock in ms; and as decimal in buf of NGX_INT64_LEN bytes. */
uint64_t ngx_mesh_relay_store_clock(void);
void ngx_mesh_relay_store_time(ngx_str_t *text, u_char *buf);

/*
 * A moment of ngx_current_msec as text in buf of NGX_MESH_RELAY_MOMENT_LEN
 * bytes, and back.  Unlike a wall clock's time it is not moved by a step of
 * that, and of no use elsewhere: NGX_DECLINED, it is of another zone, so of
 * another host or an earlier start, or no moment.
 */
void ngx_mesh_relay_store_moment(ngx_mesh_relay_main_conf_t *mcf,
    ngx_msec_t at, ngx_str_t *text, u_char *buf);
ngx_int_t ngx_mesh_relay_store_moment_read(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *text, ngx_msec_t *at);

/* Wakes all who wait for the store, if it is ready. */
void ngx_mesh_relay_store_wake(ngx_mesh_relay_main_conf_t *mcf);

/* The operations of _state.c that Redis did not answer are freed. */
void ngx_mesh_relay_state_exit(ngx_mesh_relay_main_conf_t *mcf);


#endif /* _NGX_MESH_RELAY_SCRIPT_H_INCLUDED_ */
