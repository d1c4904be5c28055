
/*
 * State shared by the workers of one nginx: nodes, sessions, proofs lately
 * recorded, the chain set, the stop flag.  All of it can be lost: Redis has
 * what matters, and a missing session is asked for again.
 *
 * One lock, shpool->mutex, is held for bounded, log-free code only; a
 * pointer into the zone is good only under that lock, but for the node
 * states, which are never freed.
 */


#ifndef _NGX_MESH_RELAY_SHM_H_INCLUDED_
#define _NGX_MESH_RELAY_SHM_H_INCLUDED_


#include "ngx_mesh_relay.h"


/* what a request needs to know of a node; a copy, no lock is needed */

typedef struct {
    pocket_node_status_t     status;
    unsigned                 known:1;
    unsigned                 in_grace:1;  /* last good check: node_grace */
    ngx_msec_t               good_begun;  /* when its request was sent; 0: */
                                          /*   before this nginx's start */
} ngx_mesh_relay_node_view_t;


/* identity of a session: texts of the relay; servicer by its decoded key */

typedef struct {
    ngx_mesh_relay_servicer_t  *servicer;
    ngx_str_t                   app;      /* hex text as it came */
    ngx_str_t                   chain;
    int64_t                     height;
    ngx_str_t                   id;       /* ngx_mesh_relay_session_id() */
} ngx_mesh_relay_session_key_t;


typedef enum {
    NGX_MESH_RELAY_ADMIT_SERVE = 0,       /* execute it; ends by _done */
    NGX_MESH_RELAY_ADMIT_WAIT,            /* ask again when validated */
    NGX_MESH_RELAY_ADMIT_REFUSE           /* with *err */
} ngx_mesh_relay_admit_e;


/*
 * Config time, after mcf->nodes is filled: declares the zone of mesh_zone.
 * When nginx makes it, or takes it over from the old cycle, each node of the
 * configuration gets its state there.
 */
ngx_int_t ngx_mesh_relay_shm_add(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);

/* copies the node's state out */
void ngx_mesh_relay_node_view(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, ngx_mesh_relay_node_view_t *view);

/*
 * Writes "address:app:chain:height" into buf, of at least
 * NGX_MESH_RELAY_SESSION_ID_MAX bytes, and sets key->id to it; empty, when
 * the texts cannot be those of a session, or the servicer is not known.
 */
void ngx_mesh_relay_session_id(ngx_mesh_relay_session_key_t *key, u_char *buf);

/* parses such an id back (texts point into it); servicer NULL: not held */
ngx_int_t ngx_mesh_relay_session_parse(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *id, ngx_mesh_relay_session_key_t *key);

/*
 * Rows 11, 19, 20, 21 of spec 4: finds the session or makes it, refuses
 * known duplicates and used up sessions, counts the relays served before
 * validation, and starts the validator where it is due.  Every SERVE is
 * followed by exactly one ngx_mesh_relay_session_done().
 */
ngx_mesh_relay_admit_e ngx_mesh_relay_session_admit(
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_session_key_t *key,
    u_char *proof_hash, pocket_error_t *err, ngx_pool_t *pool);

/*
 * The relay was recorded (recorded = 1; remaining as Redis gave it, -1: no
 * count), or not (0: chain failure, refusal, client gone).
 */
void ngx_mesh_relay_session_done(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, u_char *proof_hash,
    ngx_uint_t recorded, int64_t remaining);

/* the session is invalid with code, as Redis or a notification said */
void ngx_mesh_relay_session_invalidate(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_uint_t code);

/* a copy of the session's dispatch in pool, empty when it is not known */
void ngx_mesh_relay_session_dispatch(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_pool_t *pool,
    ngx_str_t *dispatch);

/*
 * May relays of the session be notified now?  NGX_OK; NGX_AGAIN: it is
 * optimistic or not validated (an unknown one is made, so that the validator
 * asks for it); NGX_DECLINED: its claim window is over (height
 * tolerance).  meta_height is that of the relay.
 */
ngx_int_t ngx_mesh_relay_session_deliverable(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, int64_t meta_height);

/* the code with which the node has ended the session; 0: it has not */
ngx_uint_t ngx_mesh_relay_session_code(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key);

/* a higher block height seen in a node's answer */
void ngx_mesh_relay_node_height(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, int64_t height);

/* a result of mesh_http as the pure layer takes it; strings are not copied */
void ngx_mesh_relay_node_answer(mesh_http_result_t *result,
    pocket_node_answer_t *answer);

/*
 * Asks for a check as soon as possible (at most one a second per node): a
 * breaker that wants to close, a future session.
 */
void ngx_mesh_relay_node_want_check(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node);

/* init_process, exit_process: timers of checks, validation and sweep */
ngx_int_t ngx_mesh_relay_watch_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_watch_exit(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf);

/*
 * Random, made with the zone: processes that find the same one share host and
 * boot, so that their ngx_current_msec are of one clock.
 */
uint64_t ngx_mesh_relay_zone_id(ngx_mesh_relay_main_conf_t *mcf);

/* the stop flag: set until a reload */
void ngx_mesh_relay_stop_set(ngx_mesh_relay_main_conf_t *mcf);
ngx_uint_t ngx_mesh_relay_stopped(ngx_mesh_relay_main_conf_t *mcf);

/*
 * Chain set: generation in the zone, 0 while it is that of the file.  get
 * copies the text (chains.json form) into pool; NGX_DECLINED: the file's.
 * A reload puts the file in force again.
 */
ngx_uint_t ngx_mesh_relay_chains_generation(ngx_mesh_relay_main_conf_t *mcf);
ngx_int_t ngx_mesh_relay_chains_get(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t *generation);
ngx_int_t ngx_mesh_relay_chains_set(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *text);

/*
 * Of all workers one at a time replaces the set and the file, so that both
 * are of the same update in the end.  begin: its number, for _end(), or 0
 * while another is under way; one whose worker died is over after 10 s.
 */
ngx_uint_t ngx_mesh_relay_update_begin(ngx_mesh_relay_main_conf_t *mcf);
void ngx_mesh_relay_update_end(ngx_mesh_relay_main_conf_t *mcf,
    ngx_uint_t number);


#endif /* _NGX_MESH_RELAY_SHM_H_INCLUDED_ */
