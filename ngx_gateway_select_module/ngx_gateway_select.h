
/*
 * ngx_gateway_select_module: which node of a chain a request goes to.
 *
 * A chain is a gateway_chain, a chain of a Pocket application, or an
 * upstream{} with gateway_select (its name is then "u:" and that of the
 * upstream).  This header holds the configuration, which is read-only once
 * the workers run; what workers share is in ngx_gateway_select_zone.h.
 */


#ifndef _NGX_GATEWAY_SELECT_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "gateway_apps.h"
#include "gateway_operator.h"
#include "gateway_quorum.h"
#include "gateway_rank.h"
#include "gateway_record.h"
#include "mesh_compat.h"
#include "mesh_conf.h"
#include "mesh_http.h"
#include "mesh_pool.h"
#include "mesh_redis.h"
#include "mesh_zone.h"


typedef struct ngx_gateway_select_main_conf_s  ngx_gateway_select_main_conf_t;
typedef struct ngx_gateway_select_chain_s      ngx_gateway_select_chain_t;
typedef struct ngx_gateway_select_server_s     ngx_gateway_select_server_t;
typedef struct ngx_gateway_select_check_s      ngx_gateway_select_check_t;
typedef struct ngx_gateway_select_sync_s       ngx_gateway_select_sync_t;
typedef struct ngx_gateway_select_leader_s     ngx_gateway_select_leader_t;
typedef struct ngx_gateway_select_checker_s    ngx_gateway_select_checker_t;
typedef struct ngx_gateway_select_registry_s   ngx_gateway_select_registry_t;
typedef struct ngx_gateway_select_budgets_s    ngx_gateway_select_budgets_t;
typedef struct ngx_gateway_select_chain_sh_s   ngx_gateway_select_chain_sh_t;


typedef enum {
    NGX_GATEWAY_SELECT_EVM = 0,
    NGX_GATEWAY_SELECT_SOLANA,
    NGX_GATEWAY_SELECT_POKT,
    NGX_GATEWAY_SELECT_COSMOS,
    NGX_GATEWAY_SELECT_GENERIC,
    NGX_GATEWAY_SELECT_NONE,               /* passive only */
    NGX_GATEWAY_SELECT_FAMILIES
} ngx_gateway_select_family_e;


/*
 * A plain server of a chain: "node URL" or a "server" of an upstream{}.  The
 * name is the key of its record: that of the upstream's server, else name=,
 * else host and port, with a digest where the URL has more (a path may be a
 * secret).
 */

struct ngx_gateway_select_server_s {
    ngx_str_t                      name;
    ngx_str_t                      operator;   /* operator=, or empty */
    mesh_http_url_t               *url;        /* of direct checks, or NULL */
    ngx_uint_t                     weight;     /* 1 unless configured */
    uint32_t                       node;       /* slot, by the zone's init */
    unsigned                       backup:1;
    unsigned                       down:1;
};


/*
 * Settings of a chain: gateway_chain {}, gateway_select, or the defaults of
 * http{} for a chain that only the network names.
 */

struct ngx_gateway_select_chain_s {
    ngx_str_t                      name;
    ngx_gateway_select_family_e    family;
    gateway_record_conf_t          record;
    gateway_rank_conf_t            rank;
    ngx_array_t                    servers;    /* ngx_gateway_select_server_t */
    ngx_array_t                    check_names;    /* ngx_str_t: "check" */
    ngx_array_t                    checks;     /* ..._check_t * */
    mesh_http_url_t               *witness;    /* or NULL */
    mesh_http_url_t               *altruist;   /* or NULL */
    double                         verify;     /* share of calls, 1 */
    double                         hedge;      /* share of calls, 0.05 */
    ngx_array_t                    headers;    /* mesh_http_header_t */
    ngx_array_t                    writes;     /* ngx_str_t: write_method */
    ngx_msec_t                     timeout;    /* of a relay or check, 10s */
    ngx_msec_t                     check_interval;  /* 0: of the family */
    ngx_str_t                      check_host; /* Host of direct checks */
    ngx_str_t                      check_uri;
    ngx_flag_t                     check_tls;
    ngx_http_upstream_srv_conf_t  *upstream;   /* of gateway_select, or NULL */
    ngx_gateway_select_chain_sh_t *sh;         /* by the zone's init */
    uint64_t                       keys;       /* what was configured, bits */
    unsigned                       configured:1;    /* not only named */
};


struct ngx_gateway_select_main_conf_s {
    mesh_conf_t                    mesh;       /* first: common to modules */

    ngx_array_t                    chains;     /* ..._chain_t * */
    ngx_gateway_select_chain_t    *defaults;   /* gateway_weights, ... */
    ngx_gateway_select_chain_t    *families[NGX_GATEWAY_SELECT_FAMILIES];
                                               /* the same, of each */
    ngx_array_t                    operators;  /* gateway_operator_rule_t */
    ngx_array_t                    checks;     /* gateway_check {} by name */
    ngx_array_t                    dispatchers;    /* mesh_http_url_t * */
    ngx_str_t                      apps_file;
    gateway_apps_t                 apps;       /* of gateway_apps */
    mesh_redis_script_t           *used_script;    /* NULL: no Redis */
    ngx_str_t                      auth_token; /* locked; empty: none */
    ngx_flag_t                     find_auth;  /* gateway_find_auth */
    ngx_uint_t                     max_nodes;  /* per chain, 16384 */
    ngx_msec_t                     interval;   /* fold and rank, 200ms */
    ngx_flag_t                     ssl_verify; /* of https nodes, on */
    ngx_uint_t                     ssl_verify_depth;
    ngx_str_t                      ssl_trusted_certificate;
    ngx_array_t                   *ssl_conf_commands;    /* ngx_keyval_t */

    mesh_http_conf_t              *http;       /* checks, dispatch, relays */
    ngx_shm_zone_t                *shm_zone;

    /* per worker, set by init_process */
    ngx_gateway_select_leader_t   *leader;     /* who folds, ranks, checks */
    ngx_gateway_select_sync_t     *sync;       /* NULL without mesh_redis */
    ngx_gateway_select_checker_t  *checker;
    ngx_gateway_select_registry_t *registry;   /* sessions, NULL: no apps */
    ngx_gateway_select_budgets_t  *budgets;    /* of calls */
    pocket_hash_t                 *hash;       /* of relays, NULL: no apps */
    mesh_redis_t                  *redis;
};


typedef struct {
    ngx_http_handler_pt            handler;    /* of gateway_find, ... */
    ngx_str_t                      directive;  /* which set it */
    ngx_http_complex_value_t      *node;       /* gateway_node: the chain */
    ngx_http_complex_value_t      *relay;      /* gateway_relay: the chain */
    ngx_array_t                   *pass;       /* headers, ngx_str_t */
    ngx_flag_t                     headers;    /* gateway_headers */
    size_t                         buffer;     /* gateway_buffer, 1m */
    size_t                         max_answer; /* gateway_max_answer, 32m */
    ngx_msec_t                     deadline;   /* of a call, 30s */
} ngx_gateway_select_loc_conf_t;


/*
 * Our main configuration of the cycle; NULL when there is no http{} or
 * nothing of the module is used.
 */
ngx_gateway_select_main_conf_t *ngx_gateway_select_main_conf(
    ngx_cycle_t *cycle);

/*
 * Settings of a chain by name: the configured ones, else the defaults, of the
 * family that it is known to be of.
 */
ngx_gateway_select_chain_t *ngx_gateway_select_chain(
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name);

/*
 * The operator of a service URL by gateway_operator, or by the URL itself,
 * which takes the GATEWAY_OPERATOR_LEN bytes of buf.  Empty: no host in it.
 */
void ngx_gateway_select_operator_of(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *url, u_char *buf, ngx_str_t *operator);

/* The same by gateway_operator alone; empty: no rule matches. */
void ngx_gateway_select_operator_mapped(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *url, ngx_str_t *operator);


extern ngx_module_t  ngx_gateway_select_module;


#endif /* _NGX_GATEWAY_SELECT_H_INCLUDED_ */
