
/*
 * The registry of sessions: which applications may relay on which chains, and
 * the session of each such pair, asked of dispatchers.  The leader's work, in
 * its own memory; what comes of it stands in the zone, so another leader goes
 * on with the sessions there are.
 */


#ifndef _NGX_GATEWAY_SELECT_REGISTRY_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_REGISTRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_blocks.h"
#include "gateway_dispatch.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_session.h"


/* queries at a time, polls of heights aside */

#define NGX_GATEWAY_SELECT_QUERIES       16

/* of dispatches that servicers returned */

#define NGX_GATEWAY_SELECT_LETTERS       32
#define NGX_GATEWAY_SELECT_LETTER_MAX    65536


typedef enum {
    NGX_GATEWAY_SELECT_QUERY_BLOCKS = 0,       /* of a session */
    NGX_GATEWAY_SELECT_QUERY_APP,
    NGX_GATEWAY_SELECT_QUERY_SESSION,
    NGX_GATEWAY_SELECT_QUERY_KINDS
} ngx_gateway_select_query_e;


/* refused: its sessions were, one after the other */

typedef struct {
    ngx_gateway_select_registry_t *registry;
    mesh_http_url_t               *url;
    mesh_http_exchange_t          *exchange;   /* asks for the height */
    int64_t                        height;     /* 0: did not answer */
    ngx_msec_t                     due;
    ngx_uint_t                     failures;
    ngx_uint_t                     refused;
    ngx_msec_t                     left_out;   /* until, for that */
    unsigned                       in:1;       /* of those that agree */
    unsigned                       told:1;     /* logged that it is not */
} ngx_gateway_select_dispatcher_t;


/*
 * A question that is asked again and again, of one dispatcher after the other;
 * never twice at once.
 */

typedef struct {
    ngx_gateway_select_registry_t   *registry;
    ngx_gateway_select_query_e       kind;
    ngx_gateway_select_dispatcher_t *dispatcher;   /* asked now, or last */
    mesh_http_exchange_t            *exchange;
    ngx_pool_t                      *pool;
    ngx_uint_t                       turn;
    ngx_uint_t                       failures;
    ngx_msec_t                       due;
} ngx_gateway_select_query_t;


/* What Redis keeps of an application. */

typedef enum {
    NGX_GATEWAY_SELECT_KEPT_UNREAD = 0,
    NGX_GATEWAY_SELECT_KEPT_ASKED,
    NGX_GATEWAY_SELECT_KEPT_READ,
    NGX_GATEWAY_SELECT_KEPT_ALIEN          /* nothing of ours, left alone */
} ngx_gateway_select_kept_e;


/* An application of the configuration, as the network knows it. */

typedef struct {
    ngx_gateway_select_query_t     query;      /* first */
    gateway_app_t                 *conf;
    ngx_uint_t                     index;
    gateway_app_status_e           status;
    uint64_t                       max_relays;
    uint32_t                       nchains;
    ngx_queue_t                    pairs;
    mesh_redis_cmd_t              *kept_cmd;   /* that reads it */
    ngx_gateway_select_kept_e      kept_state;
    unsigned                       kept:1;     /* Redis has its stake */
} ngx_gateway_select_app_t;


/* An application on a chain of its stake. */

typedef struct {
    ngx_gateway_select_query_t     query;      /* first */
    ngx_queue_t                    queue;      /* of the application */
    ngx_gateway_select_app_t      *app;
    ngx_gateway_select_chain_sh_t *chain;
    int64_t                        height;     /* of the session served */
    int64_t                        told;       /* by a servicer, 0: none */
    uint32_t                       told_by;    /* its operator */
    u_char                         told_what[POCKET_HASH_LEN];
                                               /* digest of the nodes */
    uint32_t                       asked_by;   /* operator asked, or last */
    ngx_msec_t                     asked_due;  /* servicers may be, again */
    ngx_uint_t                     asked;      /* in vain, one by one */
    ngx_uint_t                     asked_turn;
    unsigned                       alone:1;    /* that operator is the only */
    unsigned                       hearsay:1;  /* served, but not confirmed */
    unsigned                       gone:1;     /* not of the stake any more */
    unsigned                       kept:1;     /* Redis has its session */
} ngx_gateway_select_pair_t;


/*
 * A dispatch that a servicer returned to any worker, on its way to the leader,
 * in the zone; alone: the session that it was in has no other operator.
 */

typedef struct {
    ngx_queue_t                    queue;
    ngx_gateway_select_chain_sh_t *chain;
    uint64_t                       height;
    uint32_t                       operator;
    ngx_uint_t                     alone;
    size_t                         len;
    u_char                         app_key[GATEWAY_DISPATCH_KEY];
    u_char                         data[1];
} ngx_gateway_select_letter_t;


typedef struct ngx_gateway_select_used_s  ngx_gateway_select_used_t;


struct ngx_gateway_select_registry_s {
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_event_t                      event;
    ngx_pool_t                      *pool;     /* while it leads, or NULL */
    gateway_blocks_t                 blocks;
    ngx_msec_t                       started;
    ngx_msec_t                       agreed;   /* when dispatchers last did */
    ngx_gateway_select_dispatcher_t *dispatchers;
    ngx_uint_t                       ndispatchers;
    int64_t                         *heights;  /* of each, for the quorum */
    uint8_t                         *in;
    ngx_gateway_select_app_t        *apps;
    ngx_uint_t                       napps;
    ngx_gateway_select_query_t       session_blocks;
    ngx_uint_t                       queries;  /* open */
    ngx_msec_t                       ramped;   /* when weights last rose */
    ngx_gateway_select_used_t       *used;     /* NULL: nothing counted */
    ngx_msec_t                       counted;  /* by Redis, when begun */
    ngx_uint_t                       connects; /* to Redis, seen */
    ngx_queue_t                      free;     /* pairs */
    int64_t                          heard;    /* height, of a servicer */
    uint32_t                         heard_by; /* its operator */
    ngx_msec_t                       heard_due;
    ngx_uint_t                       heard_turn;
    unsigned                         hearing:1;    /* no dispatcher answers */
    unsigned                         ramping:1;
};


/* a is not before b */

#define ngx_gateway_select_reached(a, b)  ((ngx_msec_int_t) ((a) - (b)) >= 0)


/*
 * Worker's start and end: arms the timer by which the leader keeps sessions.
 * Does nothing without gateway_apps.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_registry_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_registry_exit(ngx_gateway_select_main_conf_t *gmcf);


/* Between the files of it; the leader. */

/* _dispatch.c: asks what is due, of whom it may. */
void ngx_gateway_select_dispatchers_tick(
    ngx_gateway_select_registry_t *registry);
void ngx_gateway_select_query_tick(ngx_gateway_select_query_t *query);
void ngx_gateway_select_query_stop(ngx_gateway_select_query_t *query);
void ngx_gateway_select_dispatchers_stop(
    ngx_gateway_select_registry_t *registry);

/* _dispatch.c: a POST of JSON; ms to wait after so many failures. */
void ngx_gateway_select_query_post(mesh_http_request_t *rq,
    mesh_http_header_t *header, mesh_http_url_t *url, ngx_str_t *path,
    pocket_str_t *body);
ngx_msec_t ngx_gateway_select_query_backoff(ngx_uint_t failures);

/* _registry.c: the network is higher, maybe in another session. */
void ngx_gateway_select_registry_height(
    ngx_gateway_select_registry_t *registry, int64_t height);

/*
 * _registry.c: an application was told of; dispatches of its new chains are
 * asked for, sessions of those that are not of its stake any more end.
 */
void ngx_gateway_select_registry_app(ngx_gateway_select_app_t *app,
    gateway_dispatch_app_t *told);

/*
 * _registry.c: the pair of an application's chain, made if there is none;
 * NULL: no memory.
 */
ngx_gateway_select_pair_t *ngx_gateway_select_registry_chain(
    ngx_gateway_select_app_t *app, ngx_str_t *name);

/* _registry.c: ms that Redis keeps what it is told of sessions. */
ngx_msec_t ngx_gateway_select_registry_ttl(
    ngx_gateway_select_registry_t *registry);

/*
 * _session.c: the session of a pair is served from now on, instead of the one
 * before it.  NGX_ERROR: no memory of the zone, logged; NGX_DECLINED: it does
 * not lead any more.
 */
ngx_int_t ngx_gateway_select_session_publish(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch);

/* The pair's session of this height; NULL: the zone has none. */
ngx_gateway_select_session_t *ngx_gateway_select_session_find(
    ngx_gateway_select_pair_t *pair, uint64_t height);

/* Takes over the session that the zone has of a new pair. */
void ngx_gateway_select_session_adopt(ngx_gateway_select_pair_t *pair);

/* The allowance of the pair's sessions has changed. */
void ngx_gateway_select_session_allow(ngx_gateway_select_pair_t *pair);

/* Ends what is over or not to be served; and tells when the others will. */
void ngx_gateway_select_session_sweep(
    ngx_gateway_select_registry_t *registry);

/* Weights of new sessions rise, nodes that wait are tried again. */
void ngx_gateway_select_session_ramp(ngx_gateway_select_registry_t *registry);

/* _session.c: 1, the nodes of a session are all of one operator. */
ngx_uint_t ngx_gateway_select_session_alone(
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);

/*
 * _hearsay.c: reads the letters; and while no dispatcher tells a height, or a
 * session, the servicers of the last sessions are asked for both.
 */
void ngx_gateway_select_hearsay_tick(
    ngx_gateway_select_registry_t *registry);

/* The pair of a session's application and chain; NULL: there is none. */
ngx_gateway_select_pair_t *ngx_gateway_select_registry_pair(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain, u_char *app_key);

/* _used.c: what was sent in all sessions is shared with other gateways. */
void ngx_gateway_select_used_tick(ngx_gateway_select_registry_t *registry);
void ngx_gateway_select_used_stop(ngx_gateway_select_registry_t *registry);

/*
 * _kept.c: sessions are kept in Redis, and read from there at the start, when
 * dispatchers have not answered yet.
 */
void ngx_gateway_select_kept_tick(ngx_gateway_select_registry_t *registry);
void ngx_gateway_select_kept_stop(ngx_gateway_select_app_t *app);

/* Config time: registers the script of it with the client of mesh_redis. */
ngx_int_t ngx_gateway_select_used_script(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf);


#endif /* _NGX_GATEWAY_SELECT_REGISTRY_H_INCLUDED_ */
