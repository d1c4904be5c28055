
/*
 * Layout of the gateway's shared zone.  All workers see it at one address.
 *
 * Chains and nodes are only ever added: their memory stays valid while the
 * zone lives, so that a request needs no lock.  A node that has not been
 * seen for long gives its place to another; its generation then changes.
 *
 * Who writes what: any worker adds to node->fresh and its own row of
 * counters; records, ranks, sessions and everything else are written by one
 * worker of the host, the leader, with the zone's lock held and after a look
 * that it still is the leader.
 */


#ifndef _NGX_GATEWAY_SELECT_ZONE_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_call.h"
#include "ngx_gateway_select.h"


/* grows with any change of the structs below */

#define NGX_GATEWAY_SELECT_ZONE_LAYOUT  9

#define NGX_GATEWAY_SELECT_CHAINS_MAX   1024
#define NGX_GATEWAY_SELECT_CHAINS_SLOTS 2048   /* of the directory */
#define NGX_GATEWAY_SELECT_CHUNK        32
#define NGX_GATEWAY_SELECT_CHUNKS_MAX   512
#define NGX_GATEWAY_SELECT_ROWS_MAX     512    /* processes over reloads */
#define NGX_GATEWAY_SELECT_SESSIONS     256    /* of a chain, at a time */

#define NGX_GATEWAY_SELECT_ID_LEN       16     /* of a zone, in Redis */
#define NGX_GATEWAY_SELECT_KEY_MAX      255    /* public key hex, or server */
#define NGX_GATEWAY_SELECT_URL_MAX      511

/* an operator that is a node of its own: with the slot, of one chain */

#define NGX_GATEWAY_SELECT_OWN          0x80000000

/* no session: a plain server */

#define NGX_GATEWAY_SELECT_NO_SESSION   ((uint32_t) -1)

/* a server that the zone had no room for */

#define NGX_GATEWAY_SELECT_NO_NODE      ((uint32_t) -1)

/* relays to a node of a session are not counted: there was no room */

#define NGX_GATEWAY_SELECT_NO_ACCOUNT   ((uint32_t) -1)


/*
 * Admin verbs in force for a node; from Redis where there is one.  Neither is
 * in a table; who sticks to a cordoned one stays with it.
 */

#define NGX_GATEWAY_SELECT_CORDONED     0x0001
#define NGX_GATEWAY_SELECT_DRAINED      0x0002


/* a gateway_sample_t that any worker adds to, and the leader takes */

typedef struct {
    ngx_atomic_t                   tries[GATEWAY_TRIES];
    ngx_atomic_t                   latency[GATEWAY_LATENCY_BUCKETS];
    ngx_atomic_t                   latency_sum;
    ngx_atomic_t                   height;     /* highest told, by any */
    ngx_atomic_t                   height_at;
    ngx_atomic_t                   picked;     /* for the share given */
    ngx_atomic_t                   paced;      /* wall ms: Retry-After */
    ngx_atomic_t                   wrong;      /* last fault, see _pick.h */
    ngx_atomic_t                   lacked[GATEWAY_ABILITIES];
                                               /* wall ms: found to */
    ngx_atomic_t                   able[GATEWAY_ABILITIES];
    ngx_atomic_t                   forged;     /* answers, wrongly signed */
} ngx_gateway_select_fresh_t;


/* sn.str is the key, in the node's own memory */

typedef struct {
    ngx_str_node_t                 sn;
    ngx_gateway_select_fresh_t     fresh;
    gateway_record_t               record;
    gateway_factors_t              factors;    /* of the last ranking */
    double                         weight;     /* before caps */
    double                         draw;
    double                         share;
    uint64_t                       picked;     /* total */
    uint64_t                       tallied;    /* of them */
    gateway_tally_t                tally;
    uint64_t                       seen_at;    /* ms, wall: a candidate */
    uint32_t                       slot;       /* its own place */
    uint32_t                       operator;   /* in sh->operators */
    uint32_t                       flags;      /* CORDONED, DRAINED */
    uint32_t                       degraded;
    uint32_t                       chosen;     /* in the table in force */
    u_char                         key[NGX_GATEWAY_SELECT_KEY_MAX];
    u_short                        url_len;
    u_char                         url[NGX_GATEWAY_SELECT_URL_MAX];
} ngx_gateway_select_node_t;


typedef struct {
    ngx_gateway_select_node_t      nodes[NGX_GATEWAY_SELECT_CHUNK];
} ngx_gateway_select_chunk_t;


/*
 * What a pick reads of a chunk's nodes, apart from them: a hundredth of the
 * memory, and of whole cache lines.  In-flight tries have a row for each
 * process, which alone writes it; others add the rows up.  It is cleared
 * when another process takes it.
 */

typedef struct {
    volatile uint32_t              generations[NGX_GATEWAY_SELECT_CHUNK];
    volatile uint32_t              inflight[]; /* [sh->nrows][CHUNK] */
} ngx_gateway_select_hot_t;


/* what a draw gives */

typedef struct {
    uint32_t                       node;
    uint32_t                       session;    /* with the place */
    float                          latency;    /* ms */
} ngx_gateway_select_option_t;


/*
 * An entry of gateway_rank.h with its alias put beside it, so that a draw
 * reads nothing that depends on what it has read, and packed: four to a cache
 * line, as all of the table comes from another processor whenever it is made
 * anew.  Of latencies there are the upper halves.
 */

typedef struct {
    uint32_t                       threshold;
    uint32_t                       options[2]; /* own, alias */
    uint16_t                       latencies[2];
} ngx_gateway_select_entry_t;


#define NGX_GATEWAY_SELECT_NODE_BITS    14
#define NGX_GATEWAY_SELECT_PLACE_BITS   6
#define NGX_GATEWAY_SELECT_SEATED       0x80000000


/* One of the two halves of a chain's table. */

typedef struct {
    ngx_atomic_t                   generation; /* odd: being written */
    ngx_atomic_uint_t              orders;     /* of the chain, it knows of */
    uint32_t                       nentries;
    uint32_t                       capacity;
    ngx_gateway_select_entry_t    *entries;
} ngx_gateway_select_half_t;


/* the session of an option and the node's place in it, in one number */

#define ngx_gateway_select_seat(session, place)                               \
    ((uint32_t) (session) | (uint32_t) (place) << 16)
#define ngx_gateway_select_seat_session(seat)  ((seat) & 0xffff)
#define ngx_gateway_select_seat_place(seat)    ((seat) >> 16)


/*
 * A session of an application on a chain, as a dispatcher gave it.  What any
 * worker writes: used is counted at sending, refused has the nodes (by place)
 * that are out for the session, waiting those that are not ready for it, which
 * the leader soon tries again, and sealed what they said of code 90.
 */

#define NGX_GATEWAY_SELECT_SESSION_NODES  64

typedef struct {
    ngx_atomic_t                   generation; /* odd: being replaced */
    uint64_t                       height;     /* of the session; 0: free */
    uint32_t                       app;        /* in apps, maybe of another */
                                               /*   configuration: a hint */
    uint32_t                       nnodes;
    uint32_t                       listed;     /* nodes, also unusable */
    uint64_t                       allowance;  /* per node */
    ngx_msec_t                     begun;      /* first seen here */
    ngx_msec_t                     ends;       /* expected; 0: unknown */
    double                         ramp;       /* 0 to 1, at rollover */
    uint32_t                       nodes[NGX_GATEWAY_SELECT_SESSION_NODES];
    ngx_atomic_t                   used[NGX_GATEWAY_SELECT_SESSION_NODES];
    uint64_t                       others[NGX_GATEWAY_SELECT_SESSION_NODES];
                                               /* of used: other gateways' */
    uint32_t                       checked[NGX_GATEWAY_SELECT_SESSION_NODES];
                                               /* of used: checks, by the */
                                               /*   leader */
    uint32_t                       accounts[NGX_GATEWAY_SELECT_SESSION_NODES];
                                               /* see _account.h */
    ngx_atomic_t                   refused;    /* bits */
    ngx_atomic_t                   waiting;    /* bits */
    ngx_atomic_t                   waiting_at; /* ms: the last of them */
    ngx_atomic_t                   sealed[NGX_GATEWAY_SELECT_SESSION_NODES];
    u_char                         app_key[2 * POCKET_PUBKEY_LEN];
} ngx_gateway_select_session_t;


typedef struct ngx_gateway_select_sh_s  ngx_gateway_select_sh_t;


struct ngx_gateway_select_chain_sh_s {
    ngx_gateway_select_sh_t       *sh;
    ngx_uint_t                     index;
    ngx_atomic_uint_t              generation; /* last that listed it */
    uint32_t                       hash;
    u_char                         name_len;
    u_char                         name[NGX_GATEWAY_SELECT_KEY_MAX];

    ngx_atomic_t                   current;    /* which half is in force */
    ngx_gateway_select_half_t      halves[2];
    ngx_atomic_t                   orders;     /* admin verbs, so far */
    ngx_atomic_t                   dirty;      /* rank again at once */
    ngx_atomic_t                   empty;      /* ..._reason_e, why it is */

    ngx_atomic_t                   nnodes;     /* slots ever taken */
    ngx_gateway_select_chunk_t    *chunks[NGX_GATEWAY_SELECT_CHUNKS_MAX];
    ngx_gateway_select_hot_t      *hot[NGX_GATEWAY_SELECT_CHUNKS_MAX];
    ngx_rbtree_t                   tree;       /* nodes by key */
    ngx_rbtree_node_t              sentinel;
    uint32_t                       hand;       /* looks for idle slots */
    ngx_msec_t                     full_at;    /* it found none */

    gateway_height_ref_t           height;
    double                         typical;    /* latency, of the ranking */
    uint64_t                       tallied_at; /* ms, wall */
    ngx_atomic_t                   nsessions;  /* places there are */
    ngx_gateway_select_session_t  *sessions;
    void                          *shared;     /* see _sync.h */
    void                          *verbs;      /* see _admin.h */
    void                          *checked;    /* see _checked.h */
    void                          *metrics;    /* see _metrics.h */
    void                          *past;       /* see _history.h */
    void                          *pasts[NGX_GATEWAY_SELECT_CHUNKS_MAX];
};


/*
 * Who has a row of in-flight counters.  When a process of the same worker
 * number and configuration starts, the one before it is dead.
 */

typedef struct {
    ngx_pid_t                      pid;        /* 0: free */
    ngx_uint_t                     worker;
    ngx_atomic_uint_t              generation;
} ngx_gateway_select_row_t;


struct ngx_gateway_select_sh_s {
    mesh_zone_head_t               head;
    u_char                         id[NGX_GATEWAY_SELECT_ID_LEN]; /* hex */
    u_char                         run_id[MESH_REDIS_ID_LEN];
    u_char                         replication_id[MESH_REDIS_ID_LEN];
    ngx_atomic_t                   generation; /* one more per configuration */

    /* the lease of who folds, ranks and checks; see _leader.h */
    ngx_pid_t                      leader;
    ngx_msec_t                     leader_until;
    ngx_atomic_uint_t              leader_generation;

    /* ms beyond the monotonic clock, and when it last followed */
    volatile uint64_t              clock;
    ngx_msec_t                     clock_at;

    /* chains, found by hash without a lock: places + 1, 0: free */
    ngx_atomic_t                   nchains;
    ngx_gateway_select_chain_sh_t *chains[NGX_GATEWAY_SELECT_CHAINS_MAX];
    volatile uint16_t              directory[NGX_GATEWAY_SELECT_CHAINS_SLOTS];

    ngx_uint_t                     nrows;
    ngx_gateway_select_row_t       rows[NGX_GATEWAY_SELECT_ROWS_MAX];
    ngx_atomic_t                   nused;
    volatile uint16_t              used[NGX_GATEWAY_SELECT_ROWS_MAX];

    /* of the network whose sessions are used; see _registry.h */
    ngx_atomic_t                   block_height;   /* 0: not known */
    ngx_atomic_t                   session_blocks;
    ngx_atomic_t                   hurry;      /* a servicer is past it */
    ngx_queue_t                    letters;    /* dispatches of servicers */
    ngx_uint_t                     nletters;

    void                          *operators;  /* names, numbered */
    void                          *evidence;   /* see _check.h */
    void                          *clients;    /* heights, see _client.h */
    void                          *sticky;     /* nodes, see _client.h */
    void                          *metrics;    /* see _metrics.h */
    void                          *accounts;   /* see _account.h */
};


typedef struct {
    ngx_gateway_select_sh_t         *sh;
    ngx_slab_pool_t                 *shpool;
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_cycle_t                     *cycle;
    ngx_atomic_uint_t                generation;
} ngx_gateway_select_zone_t;


#define ngx_gateway_select_zone(gmcf)                                         \
    ((ngx_gateway_select_zone_t *) (gmcf)->shm_zone->data)

#define ngx_gateway_select_node(chain, i)                                     \
    (&(chain)->chunks[(i) / NGX_GATEWAY_SELECT_CHUNK]                         \
          ->nodes[(i) % NGX_GATEWAY_SELECT_CHUNK])

/* an option of an entry, as it is packed and unpacked */

static ngx_inline void
ngx_gateway_select_pack(ngx_gateway_select_entry_t *e, ngx_uint_t which,
    uint32_t node, uint32_t seat, float latency)
{
    uint32_t  bits, option;

    option = node;

    if (seat != NGX_GATEWAY_SELECT_NO_SESSION) {
        option |= NGX_GATEWAY_SELECT_SEATED
                  | ngx_gateway_select_seat_place(seat)
                    << NGX_GATEWAY_SELECT_NODE_BITS
                  | ngx_gateway_select_seat_session(seat)
                    << (NGX_GATEWAY_SELECT_NODE_BITS
                        + NGX_GATEWAY_SELECT_PLACE_BITS);
    }

    ngx_memcpy(&bits, &latency, sizeof(uint32_t));

    e->options[which] = option;
    e->latencies[which] = (uint16_t) (bits >> 16);
}


static ngx_inline void
ngx_gateway_select_unpack(ngx_gateway_select_option_t *option,
    ngx_gateway_select_entry_t *e, ngx_uint_t which)
{
    uint32_t  bits, packed;

    packed = e->options[which];
    bits = (uint32_t) e->latencies[which] << 16;

    option->node = packed & ((1 << NGX_GATEWAY_SELECT_NODE_BITS) - 1);
    ngx_memcpy(&option->latency, &bits, sizeof(uint32_t));

    if (!(packed & NGX_GATEWAY_SELECT_SEATED)) {
        option->session = NGX_GATEWAY_SELECT_NO_SESSION;
        return;
    }

    packed &= ~NGX_GATEWAY_SELECT_SEATED;
    packed >>= NGX_GATEWAY_SELECT_NODE_BITS;

    option->session = ngx_gateway_select_seat(
                          packed >> NGX_GATEWAY_SELECT_PLACE_BITS,
                          packed & ((1 << NGX_GATEWAY_SELECT_PLACE_BITS) - 1));
}


/* odd while the slot is being given to another node */

#define ngx_gateway_select_generation(chain, i)                               \
    ((chain)->hot[(i) / NGX_GATEWAY_SELECT_CHUNK]                             \
          ->generations[(i) % NGX_GATEWAY_SELECT_CHUNK])


/* the counter of a node in a row */

#define ngx_gateway_select_counter(chain, i, row)                             \
    ((chain)->hot[(i) / NGX_GATEWAY_SELECT_CHUNK]                             \
          ->inflight[(row) * NGX_GATEWAY_SELECT_CHUNK                         \
                     + (i) % NGX_GATEWAY_SELECT_CHUNK])


/*
 * What readers without a lock need between two loads; ngx_memory_barrier()
 * is a full one, which costs more than all the rest of a pick.
 */

#define ngx_gateway_select_load(value)                                        \
    __atomic_load_n(value, __ATOMIC_ACQUIRE)
#define ngx_gateway_select_read_barrier()                                     \
    __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define ngx_gateway_select_prefetch(p)  __builtin_prefetch(p)


/*
 * What records are kept by: wall clock ms that never leap, by the zone's clock
 * in all processes (see gateway_clock.h).
 */

extern volatile uint64_t  *ngx_gateway_select_clock;

#define ngx_gateway_select_now()                                              \
    ((uint64_t) ngx_current_msec + *ngx_gateway_select_clock)


/* The leader, from time to time: follows the time of day. */
void ngx_gateway_select_clock_follow(ngx_gateway_select_sh_t *sh);

/*
 * ns of the processor that this worker has had, for work in slices: what
 * other processes take meanwhile does not count.
 */
uint64_t ngx_gateway_select_cpu_ns(void);


/*
 * Declares the zone of mesh_zone (ours is "NAME:gateway"); config time, once
 * all chains are there.  Before workers start each chain's sh and the node of
 * each of its servers are set, and new chains have a table.
 */
ngx_int_t ngx_gateway_select_zone_add(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);

/*
 * A chain of the zone by name: no lock, no allocation; NULL when it is not
 * there (yet).
 */
ngx_gateway_select_chain_sh_t *ngx_gateway_select_zone_chain(
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name);

/* The same, added if it is not there; NULL: no memory, logged.  Locks. */
ngx_gateway_select_chain_sh_t *ngx_gateway_select_zone_chain_add(
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name);

/*
 * The slot of a node by key (public key hex, or a server's name), added if
 * it is not there, its url and operator (empty: it is one of its own) brought
 * up to date.  Locks; the leader and init only.  NGX_ERROR: key or url too
 * long, no memory or max_nodes reached, and no node of the chain is idle
 * enough to give its place (logged, once a minute).
 */
ngx_int_t ngx_gateway_select_zone_node(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key, ngx_str_t *url,
    ngx_str_t *operator);

/*
 * The slots of all servers of a chain, added where they are not there; gives
 * how many have one.  Locks, once for each; the leader and init only.
 */
ngx_uint_t ngx_gateway_select_zone_servers(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_t *chain);

/* The slot of a node that is there, else NGX_DECLINED.  Locks. */
ngx_int_t ngx_gateway_select_zone_find(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *key);

/*
 * The name of a node's operator, of shared memory; its own key where it is an
 * operator of its own.
 */
ngx_str_t *ngx_gateway_select_zone_operator(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_node_t *node);

/* Names of operators, for a new zone. */
ngx_int_t ngx_gateway_select_operators_create(ngx_gateway_select_zone_t *zone);

/*
 * Memory of the zone with the lock held; a lack of it is kept for _warn(),
 * which logs it once a minute and is called without the lock.
 */
void *ngx_gateway_select_zone_alloc(ngx_gateway_select_zone_t *zone,
    size_t size);
void ngx_gateway_select_zone_warn(ngx_gateway_select_zone_t *zone);


#endif /* _NGX_GATEWAY_SELECT_ZONE_H_INCLUDED_ */
