
/*
 * One chain's turn of the leader: what happened since the last one is folded
 * into the records, and the table is made anew.  Work is done in steps that
 * take some tens of microseconds each; the table is built in memory of the
 * process and copied into the zone at the end.
 */


#ifndef _NGX_GATEWAY_SELECT_RANK_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_RANK_H_INCLUDED_


#include "ngx_gateway_select_zone.h"


typedef enum {
    NGX_GATEWAY_SELECT_RANK_FOLD = 0,
    NGX_GATEWAY_SELECT_RANK_COUNT,         /* candidates there may be */
    NGX_GATEWAY_SELECT_RANK_SERVERS,
    NGX_GATEWAY_SELECT_RANK_SESSIONS,
    NGX_GATEWAY_SELECT_RANK_BACKUPS,       /* where no other is in */
    NGX_GATEWAY_SELECT_RANK_TABLE,
    NGX_GATEWAY_SELECT_RANK_PUBLISH,
    NGX_GATEWAY_SELECT_RANK_NOTE,          /* in the nodes, for reports */
    NGX_GATEWAY_SELECT_RANK_STAGES
} ngx_gateway_select_rank_stage_e;


/* what the table has for a node, over its candidates */

typedef struct {
    double                           draw;
    double                           share;
    uint32_t                         seats;      /* sessions it is in */
    uint32_t                         candidates;
    uint32_t                         chosen;
    uint32_t                         degraded;
} ngx_gateway_select_note_t;


typedef struct {
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_gateway_select_chain_t      *conf;
    ngx_gateway_select_chain_sh_t   *chain;
    ngx_gateway_select_rank_stage_e  stage;
    uint32_t                         position;
    uint32_t                         nnodes;
    uint64_t                         now;        /* wall ms */
    ngx_atomic_uint_t                orders;     /* given before it began */
    uint64_t                         picked;     /* since the last tally */
    gateway_peers_t                  peers;
    gateway_rank_t                   rank;

    void                            *memory;     /* of all that follows */
    size_t                           size;
    ngx_gateway_select_note_t       *notes;
    gateway_candidate_t             *candidates;
    gateway_entry_t                 *entries;
    void                            *work;
    uint32_t                         capacity;
    uint32_t                         ncandidates;

    unsigned                         master:1;   /* there are no workers */
    unsigned                         full:1;     /* all nodes, not only */
    unsigned                         touched:1;  /* those with news */
} ngx_gateway_select_ranker_t;


/*
 * Begins a chain's turn.  full: records decay and ramps rise without news,
 * too; else the turn ends early where there are none.
 */
void ngx_gateway_select_rank_begin(ngx_gateway_select_ranker_t *ranker,
    ngx_gateway_select_chain_t *conf, ngx_gateway_select_chain_sh_t *chain,
    ngx_uint_t full);

/*
 * NGX_AGAIN: there is more to do; NGX_OK: done; NGX_DECLINED: another leads;
 * NGX_ERROR: no memory, logged, the table in force stays.
 */
ngx_int_t ngx_gateway_select_rank_step(ngx_gateway_select_ranker_t *ranker);

/* Frees the memory of its turns, which the next one takes again. */
void ngx_gateway_select_rank_free(ngx_gateway_select_ranker_t *ranker);

/* The whole turn of a new chain, before there are workers that pick. */
void ngx_gateway_select_rank_first(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_t *conf);

/*
 * Takes what workers have added since, and folds it into the node's record;
 * 0: there was nothing, and nothing was done unless full.  The lock is held.
 */
ngx_uint_t ngx_gateway_select_fold(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_node_t *node, ngx_gateway_select_chain_t *conf,
    gateway_peers_t *peers, ngx_uint_t full, uint64_t now);


#endif /* _NGX_GATEWAY_SELECT_RANK_H_INCLUDED_ */
