
/*
 * Picking a node and telling how it went: what the balancer, the relay
 * client, the checks and gateway_find.h share.  Any worker; no lock, no
 * allocation.
 */


#ifndef _NGX_GATEWAY_SELECT_PICK_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_PICK_H_INCLUDED_


#include "ngx_gateway_select_zone.h"


#define NGX_GATEWAY_SELECT_TRIED_MAX  16


/* Why there is no node, in JSON and logs by name: one table. */

typedef enum {
    NGX_GATEWAY_SELECT_FOUND = 0,
    NGX_GATEWAY_SELECT_UNKNOWN_CHAIN,      /* neither configured nor staked */
    NGX_GATEWAY_SELECT_NO_NODES,
    NGX_GATEWAY_SELECT_UNDISPATCHED,       /* no session yet */
    NGX_GATEWAY_SELECT_EXCLUDED,           /* all cordoned, out or spent */
    NGX_GATEWAY_SELECT_TRIED,              /* all others were tried */
    NGX_GATEWAY_SELECT_REASONS
} ngx_gateway_select_reason_e;


/* What was wrong with a try, for the texts of errors; n says more of it. */

typedef enum {
    NGX_GATEWAY_SELECT_WRONG_NONE = 0,     /* by how the try ended */
    NGX_GATEWAY_SELECT_WRONG_STATUS,       /* n: of HTTP */
    NGX_GATEWAY_SELECT_WRONG_ERROR,        /* n: code of JSON-RPC */
    NGX_GATEWAY_SELECT_WRONG_TEXT,         /* no JSON */
    NGX_GATEWAY_SELECT_WRONG_CALL,         /* the answer of another call */
    NGX_GATEWAY_SELECT_WRONG_SIZE,         /* an answer too long */
    NGX_GATEWAY_SELECT_WRONG_EXCHANGE,     /* n: mesh_http_outcome_e */
    NGX_GATEWAY_SELECT_WRONG_CERTIFICATE,  /* n: X509_V_ERR_... */
    NGX_GATEWAY_SELECT_WRONG_REFUSAL,      /* n: code of pocketcore */
    NGX_GATEWAY_SELECT_WRONG_RELAY,        /* n: of HTTP; no relay's answer */
    NGX_GATEWAY_SELECT_WRONG_SIGNATURE,
    NGX_GATEWAY_SELECT_WRONG_ANSWER,
    NGX_GATEWAY_SELECT_WRONG_LOST,
    NGX_GATEWAY_SELECT_WRONG_OVERDUE,
    NGX_GATEWAY_SELECT_WRONGS
} ngx_gateway_select_wrong_e;


#define ngx_gateway_select_wrong(what, n)                                     \
    ((ngx_atomic_uint_t) (what) << 32 | (uint32_t) (int32_t) (n))
#define ngx_gateway_select_wrong_what(wrong)                                  \
    ((ngx_gateway_select_wrong_e) ((wrong) >> 32))
#define ngx_gateway_select_wrong_n(wrong)                                     \
    ((int32_t) (uint32_t) (wrong))


/* What was tried already, and what the next one must hold. */

typedef struct {
    uint32_t                       nodes[NGX_GATEWAY_SELECT_TRIED_MAX];
    uint32_t                       operators[NGX_GATEWAY_SELECT_TRIED_MAX];
    ngx_uint_t                     n;
    uint64_t                       min_height; /* preferred, 0: any */
    ngx_uint_t                     abilities;  /* preferred, bits */
} ngx_gateway_select_tried_t;


/*
 * A node picked.  generation tells whether its slot was given to another
 * node meanwhile: feedback for that one is then dropped.
 */

typedef struct {
    ngx_gateway_select_chain_sh_t *chain;
    uint32_t                       node;
    uint32_t                       session;    /* or NO_SESSION */
    uint32_t                       place;      /* of the node in it */
    ngx_atomic_uint_t              generation;
    ngx_atomic_uint_t              session_generation;
    ngx_msec_t                     begun;
    ngx_atomic_uint_t              wrong;      /* 0: by how it ends */
    unsigned                       counted:1;  /* in-flight */
    unsigned                       overdue:1;  /* told: it ends LATE */
} ngx_gateway_select_pick_t;


/*
 * Picks by two draws; tried may be NULL.  Nodes of operators already tried
 * are avoided while there are others, nodes already tried always.
 */
ngx_gateway_select_reason_e ngx_gateway_select_pick(
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_tried_t *tried,
    ngx_gateway_select_pick_t *pick);

/* This node, whatever its weight: checks, sticky clients. */
void ngx_gateway_select_pick_node(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, uint32_t session, ngx_gateway_select_pick_t *pick);

/* The try begins: it is in-flight, and counted against the allowance. */
void ngx_gateway_select_begin(ngx_gateway_select_pick_t *pick);

/*
 * It ended; latency in ms.  Called once for each begin(); OVERDUE may be
 * told before by _overdue(), which keeps it in flight.
 */
void ngx_gateway_select_end(ngx_gateway_select_pick_t *pick,
    gateway_try_e how, ngx_msec_t latency);
void ngx_gateway_select_overdue(ngx_gateway_select_pick_t *pick);

/*
 * It asked to be left alone for so long, in ms (Retry-After): the leader
 * takes fresh.paced for a QUOTA penalty.
 */
void ngx_gateway_select_pace(ngx_gateway_select_pick_t *pick,
    ngx_msec_t delay);

/*
 * What Retry-After asks for, by seconds or a date (RFC 9110, 10.2.3): ms, at
 * most 10 minutes; 0: nothing.  value may be NULL.
 */
ngx_msec_t ngx_gateway_select_retry_after(ngx_str_t *value);

/* The node told this height of the chain. */
void ngx_gateway_select_height(ngx_gateway_select_pick_t *pick,
    uint64_t height);

/* The highest that the node has told, 0: none; also not yet folded. */
uint64_t ngx_gateway_select_told(ngx_gateway_select_pick_t *pick);

/*
 * It lacks, or has, what calls of this kind need: for a time others are
 * preferred for them; no penalty.
 */
void ngx_gateway_select_lacks(ngx_gateway_select_pick_t *pick,
    gateway_ability_e ability);
void ngx_gateway_select_able(ngx_gateway_select_pick_t *pick,
    gateway_ability_e ability);

/* What was wrong, where there is no answer. */
ngx_atomic_uint_t ngx_gateway_select_unanswered(mesh_http_result_t *result);

/* Until when a node is taken for lacking it, wall ms; 0: it is not. */
uint64_t ngx_gateway_select_lacking(ngx_gateway_select_fresh_t *fresh,
    gateway_ability_e ability);

/*
 * What workers found of its abilities goes into the record, and what other
 * gateways did to the workers; the leader, with the lock held.
 */
void ngx_gateway_select_learn(ngx_gateway_select_node_t *node);

/* Worker's start: seeds the random numbers. */
void ngx_gateway_select_pick_seed(void);

/* All 64 bits of it are random; nothing that must not be guessed. */
uint64_t ngx_gateway_select_random(void);

/*
 * Worker's start and end: takes a row of in-flight counters.  Without a row
 * (too many old workers still end) what this worker has in flight is not
 * counted.
 */
void ngx_gateway_select_rows_take(ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_rows_give(ngx_gateway_select_main_conf_t *gmcf);

/* Rows of processes that are gone are freed; the leader, now and then. */
void ngx_gateway_select_rows_sweep(ngx_gateway_select_main_conf_t *gmcf);

/* The node's tries in flight, of all workers. */
uint32_t ngx_gateway_select_inflight(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node);

/* No later pick of this call is of the node, nor of its operator if it can. */
void ngx_gateway_select_tried_add(ngx_gateway_select_tried_t *tried,
    ngx_gateway_select_pick_t *pick);


extern ngx_str_t  ngx_gateway_select_reasons[NGX_GATEWAY_SELECT_REASONS];


#endif /* _NGX_GATEWAY_SELECT_PICK_H_INCLUDED_ */
