
/*
 * Layout of the shared zone, for the files that keep it: _shm.c, _session.c,
 * _validate.c and _node.c; what others may ask is in ngx_mesh_relay_shm.h.
 *
 * All workers of one nginx see the zone at one address, so it may point into
 * itself; it holds no pointer to process memory or to code of ours (the tree
 * uses core's insert function).  Times are ngx_current_msec, which is
 * monotonic and alike in all processes of a host.
 */


#ifndef _NGX_MESH_RELAY_ZONE_H_INCLUDED_
#define _NGX_MESH_RELAY_ZONE_H_INCLUDED_


#include "mesh_zone.h"
#include "ngx_mesh_relay_store.h"


/* grows with any change of the structs below */

#define NGX_MESH_RELAY_ZONE_LAYOUT      4

#define NGX_MESH_RELAY_DISPATCH_MAX     65536


/* is time a (ms) later than b? */

#define ngx_mesh_relay_later(a, b)      ((ngx_msec_int_t) ((a) - (b)) > 0)


/*
 * The last check of a full node.  One check of a node runs at a time:
 * leader has claimed it until leader_until, and stays the worker that makes
 * the next one unless it is late.
 */

struct ngx_mesh_relay_node_state_s {
    ngx_queue_t              queue;
    pocket_node_status_t     status;       /* last good answer */
    ngx_msec_t               good_begun;   /* when its request was sent */
    ngx_msec_t               tried_at;     /* last attempt, good or not */
    ngx_msec_t               leader_until;
    ngx_pid_t                leader;
    ngx_atomic_uint_t        generation;   /* configuration of that attempt */
    ngx_msec_t               failed_at;    /* when a failure was logged */
    ngx_msec_t               wrong_at;     /* and wrong servicers or chains */
    unsigned                 known:1;      /* there was a good answer */
    unsigned                 wanted:1;     /* a check is asked for at once */
    unsigned                 tried:1;
    unsigned                 failing:1;
    unsigned                 wrong:1;
    u_char                   name_len;
    u_char                   name[1];
};


/*
 * A session.  It is in the tree, in lru (the one used last at the head)
 * and in all (order of the sweep); in pending, too, while it is not
 * validated.  serving counts relays between admission and the end of their
 * record: those of a worker that died stay in it, so nothing but the bound
 * on unvalidated relays depends on it.
 */

typedef struct {
    ngx_str_node_t           sn;           /* its id, behind the struct */
    ngx_queue_t              lru;
    ngx_queue_t              all;
    ngx_queue_t              pending;
    pocket_session_t         machine;
    ngx_mesh_relay_node_state_t
                            *node;
    ngx_uint_t               serving;
    u_char                  *dispatch;     /* as clients get it, or NULL */
    size_t                   dispatch_len;
    unsigned                 is_pending:1;
} ngx_mesh_relay_session_t;


/*
 * Proofs recorded lately by this nginx: the whole hashes in a ring, the
 * oldest overwritten, and a table of open addressing into it.  The seed
 * keeps clients from grinding proofs that meet in one place of the table.
 */

typedef struct {
    u_char                  *ring;
    uint32_t                *table;        /* place in the ring + 1, 0: free */
    uint32_t                 size;         /* of the ring, in proofs */
    uint32_t                 mask;         /* of the table */
    uint32_t                 shift;        /* of a hash into the table */
    uint32_t                 next;
    uint32_t                 used;
    uint64_t                 seed;
} ngx_mesh_relay_proofs_t;


typedef struct {
    mesh_zone_head_t         head;         /* full: a session was dropped */
    uint64_t                 id;           /* random */

    /* one more with each configuration that took the zone */
    ngx_atomic_uint_t        generation;

    /* the generation that was told to stop, 0: none */
    ngx_atomic_t             stopped;

    u_char                  *chains;
    size_t                   chains_len;
    ngx_atomic_t             chains_generation;

    /* the update of chains under way, 0: none, and when it counts as lost */
    ngx_uint_t               update;
    ngx_uint_t               updates;
    ngx_msec_t               update_until;

    ngx_queue_t              nodes;

    ngx_rbtree_t             tree;
    ngx_rbtree_node_t        sentinel;
    ngx_queue_t              lru;
    ngx_queue_t              all;
    ngx_queue_t              pending;

    ngx_mesh_relay_proofs_t  proofs;
} ngx_mesh_relay_sh_t;


/*
 * What a configuration knows of the zone; shm_zone->data, in the cycle's
 * pool.  A stop is that of generation, and chain sets up to chains_base are
 * older than the file that this configuration has read: so a reload ends
 * both.
 */

typedef struct {
    ngx_mesh_relay_sh_t         *sh;
    ngx_slab_pool_t             *shpool;
    ngx_mesh_relay_main_conf_t  *mcf;
    ngx_atomic_uint_t            generation;
    ngx_atomic_uint_t            chains_base;
} ngx_mesh_relay_zone_t;


/* work found under the lock, to be begun without it */

typedef struct {
    ngx_mesh_relay_session_key_t  key;
    u_char                        id[NGX_MESH_RELAY_SESSION_ID_MAX];
} ngx_mesh_relay_claim_t;


#define ngx_mesh_relay_zone(mcf)                                              \
    ((ngx_mesh_relay_zone_t *) (mcf)->shm_zone->data)


/* Memory of the zone; the lock is held.  Idle sessions are evicted for it. */
void *ngx_mesh_relay_zone_alloc(ngx_mesh_relay_zone_t *zone, size_t size);

/* Logs a lack of memory, once a minute.  The lock is not held. */
void ngx_mesh_relay_zone_warn(ngx_mesh_relay_zone_t *zone);

/* Frees one idle session; 0 when there is none.  The lock is held. */
ngx_uint_t ngx_mesh_relay_session_evict(ngx_mesh_relay_zone_t *zone);

/* Was this proof recorded lately?  And: it was now.  The lock is held. */
ngx_uint_t ngx_mesh_relay_proof_find(ngx_mesh_relay_zone_t *zone,
    u_char *hash);
void ngx_mesh_relay_proof_add(ngx_mesh_relay_zone_t *zone, u_char *hash);

/*
 * Outcome of a validation in the session's entry: what Redis holds (adopt);
 * or an answer of the classes RETRY and NONE (retry), which gives 1 when the
 * retries are used up with it.
 */
void ngx_mesh_relay_session_adopt(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_mesh_relay_store_session_t *s);
ngx_uint_t ngx_mesh_relay_session_retry(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, pocket_session_answer_t *answer);

/*
 * Finds a session that is due and claims the question for this worker, until
 * the lease is over: NGX_OK with *claim filled, NGX_DECLINED when none is.
 */
ngx_int_t ngx_mesh_relay_session_claim(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_claim_t *claim);

/* Drops a bounded number of sessions that are over; a timer's work. */
void ngx_mesh_relay_session_sweep(ngx_mesh_relay_main_conf_t *mcf);

/*
 * The validator of this worker begins a claimed question.  ready: it has
 * room for one more about this node (asked under the lock); lease: ms after
 * which a question counts as lost with its worker.
 */
void ngx_mesh_relay_validate_session(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key);
ngx_uint_t ngx_mesh_relay_validate_ready(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node);
ngx_msec_t ngx_mesh_relay_validate_lease(ngx_mesh_relay_main_conf_t *mcf);

/* its timer, which also sweeps; called by ngx_mesh_relay_watch_init, _exit */
ngx_int_t ngx_mesh_relay_validate_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_validate_exit(ngx_mesh_relay_main_conf_t *mcf);


#endif /* _NGX_MESH_RELAY_ZONE_H_INCLUDED_ */
