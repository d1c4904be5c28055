
/*
 * ngx_mesh_relay_module: an edge that serves relays in the name of far-away
 * servicers.  This header holds the configuration, which is read-only once
 * the workers run; state shared by workers is in ngx_mesh_relay_shm.h, state
 * in Redis behind ngx_mesh_relay_store.h.
 */


#ifndef _NGX_MESH_RELAY_H_INCLUDED_
#define _NGX_MESH_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "pocket_aat_cache.h"
#include "pocket_base.h"
#include "pocket_error.h"
#include "pocket_hash.h"
#include "pocket_key.h"
#include "pocket_relay.h"
#include "pocket_request.h"
#include "pocket_session.h"
#include "mesh_compat.h"
#include "mesh_conf.h"
#include "mesh_http.h"
#include "mesh_pool.h"
#include "mesh_redis.h"


#define NGX_MESH_RELAY_VERSION         "0.1.0"

#define NGX_MESH_RELAY_ADDR_HEX_LEN    (2 * POCKET_ADDR_LEN)

/* address ":" app key ":" chain ":" height, see ngx_mesh_relay_session_id() */
#define NGX_MESH_RELAY_SESSION_ID_MAX  (NGX_MESH_RELAY_ADDR_HEX_LEN + 1       \
                                        + 2 * POCKET_PUBKEY_LEN + 1           \
                                        + 2 * POCKET_CHAIN_LEN + 1            \
                                        + NGX_INT64_LEN)


typedef struct ngx_mesh_relay_node_s         ngx_mesh_relay_node_t;
typedef struct ngx_mesh_relay_servicer_s     ngx_mesh_relay_servicer_t;
typedef struct ngx_mesh_relay_chain_s        ngx_mesh_relay_chain_t;
typedef struct ngx_mesh_relay_chain_set_s    ngx_mesh_relay_chain_set_t;
typedef struct ngx_mesh_relay_main_conf_s    ngx_mesh_relay_main_conf_t;
typedef struct ngx_mesh_relay_node_state_s   ngx_mesh_relay_node_state_t;
typedef struct ngx_mesh_relay_watch_s        ngx_mesh_relay_watch_t;
typedef struct ngx_mesh_relay_validator_s    ngx_mesh_relay_validator_t;
typedef struct ngx_mesh_relay_store_s        ngx_mesh_relay_store_t;
typedef struct ngx_mesh_relay_notify_s       ngx_mesh_relay_notify_t;


/* a full node of the key file: claims what its servicers relayed */

struct ngx_mesh_relay_node_s {
    ngx_str_t                     name;       /* {N} of the Redis keys */
    ngx_str_t                     url;        /* as in the key file */
    ngx_uint_t                    index;      /* in mcf->nodes */
    mesh_http_url_t              *endpoint;   /* scheme, host, port, prefix */
    ngx_array_t                   servicers;  /* ngx_mesh_relay_servicer_t * */
    ngx_str_t                     upstream;   /* of proxy_pass to it */

    /* in the zone, set when the zone is made, never freed before it */
    ngx_mesh_relay_node_state_t  *state;

    /* per worker, set by init_process */
    ngx_mesh_relay_watch_t       *watch;
};


struct ngx_mesh_relay_servicer_s {
    u_char                        public_key[POCKET_PUBKEY_LEN];
    u_char                        address[NGX_MESH_RELAY_ADDR_HEX_LEN];
    u_char                       *private_key;  /* 64 bytes, locked memory */
    ngx_mesh_relay_node_t        *node;
    ngx_uint_t                    index;        /* in mcf->servicers */
};


/* an entry of chains.json; the set in force may be newer than the file's */

struct ngx_mesh_relay_chain_s {
    pocket_request_chain_t        entry;      /* id, url, basic auth */

    /*
     * the name proxy_pass is given instead of the url's authority: that of
     * an upstream{} of the configuration, or of the one declared for it;
     * empty for a chain that came by updatechains and names no upstream{}
     */
    ngx_str_t                     upstream;
};


struct ngx_mesh_relay_main_conf_s {
    mesh_conf_t                   mesh;         /* first: common to modules */

    ngx_str_t                     servicers_file;
    ngx_str_t                     chains_file;
    ngx_str_t                     auth_file;
    ngx_str_t                     node_auth_file;

    ngx_array_t                   nodes;        /* ngx_mesh_relay_node_t */
    ngx_array_t                   servicers;    /* ngx_mesh_relay_servicer_t */
    ngx_uint_t                   *servicer_table;   /* open addressing */
    ngx_uint_t                    servicer_mask;
    ngx_mesh_relay_chain_set_t   *chain_set;    /* see _chains.h */
    ngx_mesh_relay_chain_set_t   *chain_file;   /* that of the file */
    ngx_array_t                   upstreams;    /* see _upstream.h */
    void                         *umcf;         /* nginx's, of upstreams */
    ngx_thread_pool_t            *thread_pool;  /* of updatechains */
    ngx_uint_t                    records;      /* a location needs Redis */

    ngx_str_t                     auth_token;   /* locked; empty: none */
    ngx_str_t                     node_token;   /* locked; empty: none */
    ngx_str_t                     user_agent;

    ngx_msec_t                    check_interval;        /* 10s */
    ngx_msec_t                    check_timeout;         /* 5s */
    ngx_msec_t                    node_grace;            /* 15m */
    ngx_msec_t                    session_timeout;       /* 3s */
    ngx_uint_t                    session_retries;       /* 10 */
    ngx_uint_t                    unvalidated_max;       /* 32 */
    ngx_msec_t                    record_timeout;        /* 3s */
    ngx_msec_t                    notify_interval;       /* 100ms */
    ngx_msec_t                    notify_timeout;        /* 30s */
    ngx_uint_t                    notify_concurrency;    /* 32, node, worker */
    ngx_uint_t                    notify_window;         /* 1024, likewise */
    size_t                        notify_window_size;    /* 8m, likewise */
    ngx_msec_t                    retry_wait_min;        /* 1s */
    ngx_msec_t                    retry_wait_max;        /* 30s */
    ngx_msec_t                    slot_lease;            /* 10s */
    time_t                        ledger_keep;           /* 7d */
    ngx_uint_t                    dead_max;              /* 10000 */
    size_t                        dead_max_size;         /* 64m */

    ngx_flag_t                    node_ssl_verify;       /* on */
    ngx_str_t                     node_ssl_trusted;

    mesh_http_conf_t             *node_http;    /* TLS, pool, limits: nodes */
    ngx_shm_zone_t               *shm_zone;
    ngx_mesh_relay_store_t       *store;        /* NULL without mesh_redis */

    /* per worker, set by init_process */
    ngx_mesh_relay_validator_t   *validator;
    ngx_mesh_relay_notify_t      *notify;
    ngx_msec_t                    started;
    pocket_hash_t                *hash;
    pocket_aat_cache_t           *aats;
    mesh_redis_t                 *redis;        /* commands */
    mesh_redis_t                 *redis_stream; /* stream reads */
};


/* what a location does; inherited by its "if" and "limit_except" only */

typedef enum {
    NGX_MESH_RELAY_NOTHING = 0,
    NGX_MESH_RELAY_SERVE,                       /* mesh_relay */
    NGX_MESH_RELAY_SIMULATE,                    /* mesh_relay_simulate */
    NGX_MESH_RELAY_PRIVATE                      /* mesh_relay_private */
} ngx_mesh_relay_role_e;


typedef struct {
    ngx_mesh_relay_role_e         role;
    ngx_flag_t                    check;        /* mesh_relay_check */
    ngx_flag_t                    sort;         /* mesh_relay_sort_response */
    size_t                        max_response; /* 16m */
    ngx_str_t                     chain_location;
} ngx_mesh_relay_loc_conf_t;


/*
 * The servicer that holds the key, or NULL.  pk is 32 bytes; one probe of an
 * open addressing table, no allocation.
 */
ngx_mesh_relay_servicer_t *ngx_mesh_relay_find_servicer(
    ngx_mesh_relay_main_conf_t *mcf, u_char *pk);

/*
 * Our main configuration of the cycle; NULL when there is no http{} or the
 * module is not configured (no mesh_relay_servicers).
 */
ngx_mesh_relay_main_conf_t *ngx_mesh_relay_main_conf(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_mesh_relay_module;


#endif /* _NGX_MESH_RELAY_H_INCLUDED_ */
