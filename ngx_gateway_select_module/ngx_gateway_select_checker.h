
/*
 * Inside of the checker: what the leader knows of the chains it watches, in
 * its own memory.  Gone when another leads, which learns it within one
 * interval; what must outlive it stands in the zone.
 */


#ifndef _NGX_GATEWAY_SELECT_CHECKER_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CHECKER_H_INCLUDED_


#include "ngx_gateway_select_check.h"
#include "ngx_gateway_select_evidence.h"
#include "ngx_gateway_select_leader.h"


/* outstanding probes, and those launched in one go */

#define NGX_GATEWAY_SELECT_PROBES       64
#define NGX_GATEWAY_SELECT_PROBES_OPER  4
#define NGX_GATEWAY_SELECT_LAUNCH       16

/* a vote that was judged */

#define NGX_GATEWAY_SELECT_JUDGED       0x80

/* votes judged together, different answers to one question */

#define NGX_GATEWAY_SELECT_VOTES        1024
#define NGX_GATEWAY_SELECT_ANSWERS      16
#define NGX_GATEWAY_SELECT_TELLERS      4    /* of each, that are kept */
#define NGX_GATEWAY_SELECT_AGREED       4
#define NGX_GATEWAY_SELECT_HURRY        4

/* intervals that a question without a block lasts */

#define NGX_GATEWAY_SELECT_SPARSE       8


/* What was agreed of a block: it decides where few vote. */

typedef struct {
    uint64_t                       block;
    u_char                         len;
    u_char                         identifier[
                                       NGX_GATEWAY_SELECT_IDENTIFIER_LEN];
} ngx_gateway_select_agreed_t;


/*
 * The question that a check asks all nodes for some time: so answers given at
 * different times can be compared.  block 0: the question has none.
 */

struct ngx_gateway_select_poll_s {
    ngx_gateway_select_check_t    *check;
    uint32_t                       number;     /* of the check in records */
    ngx_uint_t                     index;
    uint64_t                       block;
    ngx_msec_t                     begun;
    ngx_uint_t                     nanswers;
    ngx_gateway_select_told_t      answers[NGX_GATEWAY_SELECT_ANSWERS];
                                               /* by the first who told it */
    ngx_pool_t                    *pool;       /* of the answers */
    ngx_gateway_select_agreed_t    agreed[NGX_GATEWAY_SELECT_AGREED];
    ngx_uint_t                     nagreed;    /* ever */
    ngx_str_t                      witness;    /* its answer, or empty */
    u_char                         told[NGX_GATEWAY_SELECT_IDENTIFIER_LEN];
    unsigned                       asked:1;    /* there is a question */
    unsigned                       judge:1;    /* votes came */
};


/* What a node of the chain told last, and its probes, one for each check. */

typedef struct {
    ngx_atomic_uint_t              generation; /* of its slot */
    ngx_gateway_select_server_t   *server;     /* NULL: of sessions */
    uint64_t                       height;
    uint64_t                       at;         /* ms, wall; 0: never */
    uint64_t                       last_height;
    uint64_t                       last_at;
    uint64_t                       asked_at;   /* by us */
    uint8_t                       *votes;      /* by check: answer + 1 */
    ngx_gateway_select_probe_t    *probes;
    ngx_gateway_select_probe_t    *teller;     /* who asked the height */
    unsigned                       judged:1;   /* its height was */
} ngx_gateway_select_watched_t;


typedef struct ngx_gateway_select_witness_s  ngx_gateway_select_witness_t;


/* a chain */

struct ngx_gateway_select_watch_s {
    ngx_gateway_select_checker_t  *checker;
    ngx_gateway_select_chain_t    *chain;
    ngx_gateway_select_chain_sh_t *shared;
    ngx_gateway_select_check_t   **checks;
    ngx_gateway_select_poll_t     *polls;
    ngx_uint_t                     nchecks;
    uint64_t                       numbers;    /* of the checks, bits */
    ngx_uint_t                     nnodes;
    ngx_gateway_select_watched_t  *nodes[NGX_GATEWAY_SELECT_CHUNKS_MAX];
    ngx_gateway_select_witness_t  *witness;    /* NULL: none configured */
    uint64_t                       grown_from; /* height, for the block time */
    uint64_t                       grown_at;
    uint64_t                       grown_to;   /* as it was judged last */
    ngx_uint_t                     grown_by;   /* votes, 0: it was proven */
    unsigned                       judge:1;    /* heights came */
};


struct ngx_gateway_select_checker_s {
    ngx_gateway_select_main_conf_t *gmcf;
    ngx_event_t                    event;
    ngx_pool_t                    *pool;       /* while it leads, or NULL */
    ngx_gateway_select_watch_t    *watches[NGX_GATEWAY_SELECT_CHAINS_MAX];
    ngx_uint_t                     nwatches;
    ngx_rbtree_t                   timers;     /* of probes */
    ngx_rbtree_node_t              sentinel;
    ngx_uint_t                     outstanding;
    u_char                        *operators;  /* outstanding, by number */
    ngx_uint_t                     noperators;
    gateway_vote_t                *votes;      /* room for one judgment */
    uint32_t                      *voters;
    ngx_gateway_select_relay_t    *relay;
    ngx_gateway_select_lease_pt    lease;
    uint64_t                       id;         /* as checked_by of records */
};


#define ngx_gateway_select_watched(watch, i)                                  \
    (&(watch)->nodes[(i) / NGX_GATEWAY_SELECT_CHUNK]                          \
          [(i) % NGX_GATEWAY_SELECT_CHUNK])


/* Is the other one later, or the same time? */

#define ngx_gateway_select_due(deadline, now)                                 \
    ((ngx_msec_int_t) ((deadline) - (now)) <= 0)


/* Scheduling: the probe's turn comes in delay ms, or at once if it is less. */

void ngx_gateway_select_probe_arm(ngx_gateway_select_probe_t *probe,
    ngx_msec_t delay);
void ngx_gateway_select_probe_hurry(ngx_gateway_select_probe_t *probe,
    ngx_msec_t delay);
void ngx_gateway_select_checker_soon(ngx_gateway_select_checker_t *checker);

/* ms between two turns, jittered; the same without jitter */

ngx_msec_t ngx_gateway_select_probe_interval(
    ngx_gateway_select_probe_t *probe);
ngx_msec_t ngx_gateway_select_check_interval(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_check_t *check);
ngx_msec_t ngx_gateway_select_jitter(ngx_msec_t interval);

/* Does a penalty wait for the probe's check? */
ngx_uint_t ngx_gateway_select_probe_awaited(ngx_gateway_select_probe_t *probe);

/* The end of a turn's means, not yet of its result: it is to be armed. */
void ngx_gateway_select_probe_leave(ngx_gateway_select_probe_t *probe);

/* The form of mesh_http.h; url, timeout and limits are left to the caller. */
void ngx_gateway_select_probe_http(gateway_probe_request_t *request,
    mesh_http_request_t *rq, mesh_http_header_t *header);

/* Bytes that an answer may have; 0: as many as of any exchange. */
size_t ngx_gateway_select_probe_max(ngx_gateway_select_probe_t *probe);

/* Checks have not yet spent their part of what the node's sessions allow. */
ngx_uint_t ngx_gateway_select_relayed_affordable(
    ngx_gateway_select_probe_t *probe);

/* ms that a node which fails the check is out, longer each time. */
ngx_msec_t ngx_gateway_select_penalty(ngx_gateway_select_probe_t *probe);

/* Gives up a turn: no handler is called, nothing counted. */
void ngx_gateway_select_probe_cancel(ngx_gateway_select_probe_t *probe);

/* The number of a check in records, see gateway_penalty_t. */
uint32_t ngx_gateway_select_check_number(ngx_gateway_select_check_t *check);


/*
 * Who sees to a node where another gateway checks the chain: it may not know
 * the node, which is of an application that it has not got.
 */

/* This gateway's name in records, above 0. */
uint64_t ngx_gateway_select_tender(ngx_gateway_select_main_conf_t *gmcf);

/* 1: the node of the probe is to be checked here. */
ngx_uint_t ngx_gateway_select_tended(ngx_gateway_select_probe_t *probe);

/* The node has its turn here, as others are to know. */
void ngx_gateway_select_tend(ngx_gateway_select_probe_t *probe);


/* Rounds: votes, verdicts and what follows of them. */

/*
 * Sets probe->block by the check's question, which is chosen anew when it is
 * due.  NGX_DECLINED: the chain's height is not known, or too low.
 */
ngx_int_t ngx_gateway_select_poll_ask(ngx_gateway_select_probe_t *probe);

/*
 * What the probe's node told: of the check's question, or of the height, at
 * this wall time.  Judged soon, together with what others have told.
 */
void ngx_gateway_select_poll_vote(ngx_gateway_select_probe_t *probe,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply);
void ngx_gateway_select_height_vote(ngx_gateway_select_probe_t *probe,
    uint64_t height, uint64_t at);

/* Judges what came since; called soon after a vote. */
void ngx_gateway_select_watch_judge(ngx_gateway_select_watch_t *watch);

/* how long a vote counts with others, ms */
ngx_msec_t ngx_gateway_select_watch_fresh(ngx_gateway_select_watch_t *watch);
ngx_msec_t ngx_gateway_select_watch_block_time(
    ngx_gateway_select_watch_t *watch);


/* Consequences, in the zone, and in the log. */

/*
 * until is now + ms; the penalty ends when the probe passes.  A node that is
 * out for the reason anyway is not logged again.
 */
void ngx_gateway_select_punish(ngx_gateway_select_probe_t *probe,
    gateway_penalty_e reason, ngx_msec_t ms, const u_char *text, size_t len);
void ngx_gateway_select_passed(ngx_gateway_select_probe_t *probe);

/*
 * The probe's node, with the lock held; NULL: another worker leads, or the
 * slot is another node's by now.
 */
ngx_gateway_select_node_t *ngx_gateway_select_verdict_lock(
    ngx_gateway_select_probe_t *probe);
void ngx_gateway_select_verdict_unlock(ngx_gateway_select_probe_t *probe);

/* Penalties do not wait for checks that the chain no longer has. */
void ngx_gateway_select_waive(ngx_gateway_select_probe_t *probe);

/* The node agreed with the others, or was outvoted: for its correctness. */
void ngx_gateway_select_voted(ngx_gateway_select_probe_t *probe,
    ngx_uint_t agreed);

/* What the probe's node told: its own answer, or another's that is the same. */
void ngx_gateway_select_evidence(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed);


/*
 * The witness of a chain: an endpoint of the operator's trust.  Init of a
 * chain without one does nothing; NGX_ERROR: no memory.  Tick asks for the
 * height when that is due, ask for a round's block; stop gives both up.
 */
ngx_int_t ngx_gateway_select_witness_init(ngx_gateway_select_watch_t *watch);
void ngx_gateway_select_witness_tick(ngx_gateway_select_watch_t *watch);
void ngx_gateway_select_witness_ask(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll);
void ngx_gateway_select_witness_stop(ngx_gateway_select_watch_t *watch);


#endif /* _NGX_GATEWAY_SELECT_CHECKER_H_INCLUDED_ */
