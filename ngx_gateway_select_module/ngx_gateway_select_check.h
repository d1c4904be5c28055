
/*
 * Writing a check (CheckJob).  A check is three functions:
 *
 *     name        what logs, penalties and evidence call it
 *     should_run  when a node's turn has come: is it to be asked now?
 *     perform     asks it: ngx_gateway_select_probe_send()
 *
 * perform gets a probe, one node's turn.  When its handler has the answer it
 * ends the turn, with exactly one of the functions _height, _identifier,
 * _pass, _fail and _end; ngx_gateway_select_check_example.c is a whole one.
 * The checker does the rest: a jittered timer per node, caps on what is
 * outstanding, votes, penalties, evidence, and the node's return.
 *
 * All of it runs in one worker of the host, the leader.
 */


#ifndef _NGX_GATEWAY_SELECT_CHECK_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_probe.h"
#include "ngx_gateway_select_pick.h"


typedef struct ngx_gateway_select_probe_s  ngx_gateway_select_probe_t;
typedef struct ngx_gateway_select_watch_s  ngx_gateway_select_watch_t;
typedef struct ngx_gateway_select_poll_s   ngx_gateway_select_poll_t;
typedef struct ngx_gateway_select_reply_s  ngx_gateway_select_reply_t;


typedef ngx_str_t *(*ngx_gateway_select_name_pt)(
    ngx_gateway_select_check_t *check);
typedef ngx_uint_t (*ngx_gateway_select_should_run_pt)(
    ngx_gateway_select_probe_t *probe);
typedef void (*ngx_gateway_select_perform_pt)(
    ngx_gateway_select_probe_t *probe);
typedef void (*ngx_gateway_select_reply_pt)(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);


typedef enum {
    NGX_GATEWAY_SELECT_AUTO = 0,           /* relayed to servicers */
    NGX_GATEWAY_SELECT_DIRECT,             /* to a servicer's own URL, too */
    NGX_GATEWAY_SELECT_RELAYED             /* signed, through a session */
} ngx_gateway_select_mode_e;


/* A check of one chain: read-only once the workers run. */

struct ngx_gateway_select_check_s {
    ngx_gateway_select_name_pt        name;
    ngx_gateway_select_should_run_pt  should_run;
    ngx_gateway_select_perform_pt     perform;
    gateway_probe_e                   kind;      /* of a built-in one */
    gateway_penalty_e                 reason;    /* of failing it */
    ngx_msec_t                        interval;  /* 0: by the block time */
    ngx_msec_t                        penalty;   /* 0: until it passes */
    uint32_t                          from;      /* how far back probe->block */
    uint32_t                          to;        /*   is, at random; 0: none */
    ngx_gateway_select_mode_e         mode;
    void                             *conf;      /* of the check's own */
};


/* What came of a request; ends with all it points to with its handler. */

struct ngx_gateway_select_reply_s {
    ngx_uint_t                        status;    /* 0: no answer */
    ngx_str_t                         body;
    ngx_msec_t                        time;
    ngx_msec_t                        retry_after;   /* 0: not told */
    const char                       *reason;    /* no answer: why */
    ngx_str_t                         signature; /* servicer's, hex, or "" */
    ngx_str_t                         proof;     /* hash of what it signed */
                                                 /*   it for, hex, or "" */
    ngx_str_t                         hash;      /* that it is to sign: the */
                                                 /*   same */
};


/*
 * One node's turn.  pool ends with the turn; ctx is the check's own for as
 * long.  The chain's settings are in chain, its nodes (0 to nnodes - 1) in
 * shared, see ngx_gateway_select_node().
 */

struct ngx_gateway_select_probe_s {
    ngx_gateway_select_check_t       *check;
    ngx_gateway_select_chain_t       *chain;
    ngx_gateway_select_chain_sh_t    *shared;
    uint32_t                          node;
    ngx_pool_t                       *pool;
    void                             *ctx;
    uint64_t                          block;     /* what to ask for */

    /* private */
    ngx_rbtree_node_t                 timer;     /* key: deadline, ms */
    ngx_gateway_select_watch_t       *watch;
    ngx_gateway_select_poll_t        *poll;      /* of the check */
    ngx_gateway_select_reply_pt       handler;
    mesh_http_exchange_t             *exchange;
    void                             *relayed;   /* handle of the relay */
    ngx_gateway_select_pick_t         pick;
    struct ngx_gateway_select_told_s *own;       /* vote, if it was kept */
    ngx_msec_t                        latency;   /* of the last answer */
    uint64_t                          turn_at;   /* ms, wall: it began */
    uint64_t                          asked_at;  /* the last one that ended */
    uint32_t                          operator;
    uint32_t                          failures;  /* in a row */
    unsigned                          armed:1;
    unsigned                          turn:1;    /* it has its turn */
    unsigned                          begun:1;   /* a try is to be ended */
    unsigned                          paused:1;  /* by its quota */
    unsigned                          told:1;    /* the value, for reports */
};


/*
 * Relayed requests; NULL without applications.  send picks a session of the
 * node and begins probe->pick; it gives a handle for cancel, or NULL when no
 * session of the node takes relays or there is no memory.  The answer is then
 * told by _probe_reply(), once, and never before send has returned; or by
 * _probe_void(), where it is of no concern to the node.
 */

typedef struct {
    void                           *(*send)(ngx_gateway_select_probe_t *probe,
                                        gateway_probe_request_t *request);
    void                            (*cancel)(void *handle);
} ngx_gateway_select_relay_t;

void ngx_gateway_select_probe_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);
void ngx_gateway_select_probe_void(ngx_gateway_select_probe_t *probe);

extern ngx_gateway_select_relay_t  ngx_gateway_select_relayed;


/*
 * For perform and handlers.  send copies nothing: the request's strings are
 * of probe->pool.  NGX_ERROR: the handler will not be called, the turn is to
 * be ended.
 */
ngx_int_t ngx_gateway_select_probe_send(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request, ngx_gateway_select_reply_pt handler);

/* The turn ends; the node told a height: a vote, judged with the others. */
void ngx_gateway_select_probe_height(ngx_gateway_select_probe_t *probe,
    uint64_t height);

/*
 * It told an identifier of probe->block (chosen by the chain's height and
 * tolerance, one for all nodes; 0: of the chain itself): a vote.  The reply
 * is kept as evidence if it is outvoted.
 */
void ngx_gateway_select_probe_identifier(ngx_gateway_select_probe_t *probe,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply);

/* It passed; it failed, and is out until it passes. */
void ngx_gateway_select_probe_pass(ngx_gateway_select_probe_t *probe);
void ngx_gateway_select_probe_fail(ngx_gateway_select_probe_t *probe,
    const char *text);

/* No verdict: the try counts as what it was; QUOTA is paced by wait, ms. */
void ngx_gateway_select_probe_end(ngx_gateway_select_probe_t *probe,
    gateway_try_e how, ngx_msec_t wait);

/*
 * should_run of most checks: a busy node, whose recent requests went well
 * and told its height, is not asked for what they tell anyway.
 */
ngx_uint_t ngx_gateway_select_probe_idle(ngx_gateway_select_probe_t *probe);


/*
 * Configuration: the checks built in for a family, *n of them.  The chain's
 * own (chain->checks) come besides.
 */
ngx_gateway_select_check_t **ngx_gateway_select_check_builtin(
    ngx_gateway_select_family_e family, ngx_uint_t *n);

/* One that is built in for those who name it; NULL: there is none. */
ngx_gateway_select_check_t *ngx_gateway_select_check_named(ngx_str_t *name);

/* Gives a configured check (check->conf is set) its functions. */
void ngx_gateway_select_check_custom(ngx_gateway_select_check_t *check);


/*
 * Worker's start and end.  Checks run while the worker leads (_leader.h);
 * another one begins within a second.
 */
ngx_int_t ngx_gateway_select_checker_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_checker_exit(ngx_gateway_select_main_conf_t *gmcf);

/*
 * May this host check the chain?  Set where there is a lease over several
 * hosts; NULL: yes.  Nodes that nobody seems to check, as the one who may does
 * not know them, are checked by another who does.
 */
typedef ngx_uint_t (*ngx_gateway_select_lease_pt)(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain);

/* Worker's start, before the first check. */
void ngx_gateway_select_check_lease(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_lease_pt lease);


#endif /* _NGX_GATEWAY_SELECT_CHECK_H_INCLUDED_ */
