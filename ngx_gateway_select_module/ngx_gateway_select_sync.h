
/*
 * What gateways share in Redis (gateway_script.h): once a second the leader
 * tells what changed of each chain's nodes, and takes what others changed.
 *
 * A record is what Redis had of it last, and what happened here since.  What
 * was pushed is kept beside both until Redis has said that it has it, under
 * the push's number: so a push whose answer was lost is pushed again, by
 * whoever leads, and counts once.
 */


#ifndef _NGX_GATEWAY_SELECT_SYNC_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_SYNC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_merge.h"
#include "gateway_script.h"
#include "ngx_gateway_select_zone.h"


/* nodes of a push, and rows taken besides */

#define NGX_GATEWAY_SELECT_PUSH       16
#define NGX_GATEWAY_SELECT_ROWS       32


typedef struct {
    gateway_record_t               base;       /* as Redis has it */
    gateway_record_t               sent;       /* as it was pushed */
    unsigned                       known:1;    /* there is a base */
    unsigned                       pending:1;  /* sent is not yet part of it */
    unsigned                       whole:1;    /* Redis may have lost it */
} ngx_gateway_select_synced_t;


typedef struct {
    ngx_gateway_select_synced_t    nodes[NGX_GATEWAY_SELECT_CHUNK];
} ngx_gateway_select_synceds_t;


/* Of a chain, in the zone; written by the leader with the lock held. */

typedef struct {
    uint64_t                       push;       /* number of the last one */
    uint64_t                       revision;   /* known of Redis' */
    uint64_t                       proofs;     /* evidence that Redis has */
    uint64_t                       proofs_sent;
    uint32_t                       minute;     /* of sums that Redis has */
    uint32_t                       n;          /* nodes pushed, 0: answered */
    uint32_t                       nodes[NGX_GATEWAY_SELECT_PUSH];
    ngx_gateway_select_synceds_t  *chunks[NGX_GATEWAY_SELECT_CHUNKS_MAX];
} ngx_gateway_select_shared_t;


/*
 * Worker's start and end: a connection of each worker (gmcf->redis), and the
 * timer by which the leader shares.  Does nothing without mesh_redis.
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_sync_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_sync_exit(ngx_gateway_select_main_conf_t *gmcf);

/* The slot is given to another node; the lock is held. */
void ngx_gateway_select_sync_forget(ngx_gateway_select_chain_sh_t *chain,
    ngx_uint_t node);

/*
 * May this gateway check the chain?  One of those of a region holds its lease;
 * where Redis does not answer for as long as that lasts, each may.
 */
ngx_uint_t ngx_gateway_select_sync_lease(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain);

/* Runs a script; the handler is called later, unless it is not NGX_OK. */
ngx_int_t ngx_gateway_select_sync_eval(ngx_gateway_select_main_conf_t *gmcf,
    gateway_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv, mesh_redis_handler_pt handler, void *data,
    mesh_redis_cmd_t **cmd);

/* Config time: registers the scripts with the client of mesh_redis. */
ngx_int_t ngx_gateway_select_sync_scripts(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);

/* The region of the keys: mesh_region, or "default". */
ngx_str_t *ngx_gateway_select_region(ngx_gateway_select_main_conf_t *gmcf);


/* Between the files of it. */

typedef enum {
    NGX_GATEWAY_SELECT_SYNC_IDLE = 0,
    NGX_GATEWAY_SELECT_SYNC_CALLED,            /* the script */
    NGX_GATEWAY_SELECT_SYNC_SUMS               /* roll-ups are written */
} ngx_gateway_select_sync_e;


/* A chain, in the leader's memory. */

typedef struct {
    ngx_gateway_select_sync_t     *sync;
    ngx_gateway_select_chain_t    *conf;
    ngx_gateway_select_chain_sh_t *chain;
    ngx_gateway_select_sync_e      state;
    mesh_redis_cmd_t              *cmd;
    ngx_str_t                      keys[GATEWAY_KEYS];
    ngx_msec_t                     due;
    ngx_msec_t                     issued;
    ngx_msec_t                     answered;   /* or begun */
    ngx_msec_t                     lease;      /* ours until */
    uint32_t                       position;   /* of the sweep */
    uint32_t                       minute;     /* being written, 0: none */
    uint32_t                       from;       /* the first of its nodes */
    uint32_t                       next;       /* and the one after them */
    unsigned                       hour:1;     /* its hour is */
    unsigned                       leased:1;
    unsigned                       alien:1;    /* logged */
    unsigned                       failed:1;   /* logged */
} ngx_gateway_select_sync_chain_t;


struct ngx_gateway_select_sync_s {
    ngx_gateway_select_main_conf_t  *gmcf;
    mesh_redis_script_t             *scripts[GATEWAY_SCRIPTS];
    ngx_event_t                      timer;
    ngx_gateway_select_sync_chain_t *chains[NGX_GATEWAY_SELECT_CHAINS_MAX];
    ngx_uint_t                       index;    /* of the next one's turn */
    u_char                          *buffer;   /* for one call's arguments */
    ngx_uint_t                       connects; /* seen */
    unsigned                         leading:1;
};


#define ngx_gateway_select_synced(shared, i)                                  \
    (&(shared)->chunks[(i) / NGX_GATEWAY_SELECT_CHUNK]                        \
          ->nodes[(i) % NGX_GATEWAY_SELECT_CHUNK])

/* The chain's part of the zone; NULL: no memory. */
ngx_gateway_select_shared_t *ngx_gateway_select_sync_shared(
    ngx_gateway_select_sync_chain_t *sc);

/*
 * Calls the script.  NGX_OK: it is called; NGX_AGAIN: nothing was found to
 * call it for, there are more nodes; NGX_DECLINED: not now.
 */
ngx_int_t ngx_gateway_select_sync_push(ngx_gateway_select_sync_chain_t *sc);

/* Takes the script's answer; 1: there is more to be asked for. */
ngx_uint_t ngx_gateway_select_sync_take(ngx_gateway_select_sync_chain_t *sc,
    mesh_redis_reply_t *reply);

/* The next roll-ups, if any are due: as ngx_gateway_select_sync_push(). */
ngx_int_t ngx_gateway_select_sync_sums(ngx_gateway_select_sync_chain_t *sc,
    mesh_redis_handler_pt handler);

/* They are in Redis: on to the next ones. */
void ngx_gateway_select_sync_summed(ngx_gateway_select_sync_chain_t *sc);

/* The handler of the script's answer; data is the chain's. */
void ngx_gateway_select_sync_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply);


#endif /* _NGX_GATEWAY_SELECT_SYNC_H_INCLUDED_ */
