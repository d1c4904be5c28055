
/*
 * The config.json of a mesh client.
 */


#ifndef _CTL_CONFIG_H_INCLUDED_
#define _CTL_CONFIG_H_INCLUDED_


#include "ctl.h"


typedef enum {
    CTL_TEXT = 0,
    CTL_COUNT,                  /* 0 and above */
    CTL_FLAG
} ctl_setting_type_e;


/* of the table, in the order of the mesh client's own struct */

typedef enum {
    CTL_DATA_DIR = 0,
    CTL_RPC_PORT,
    CTL_CLIENT_TIMEOUT,
    CTL_CLIENT_READ_TIMEOUT,
    CTL_CLIENT_HEADER_TIMEOUT,
    CTL_CLIENT_WRITE_TIMEOUT,
    CTL_CLIENT_MAX_BYTES,
    CTL_LOG_LEVEL,
    CTL_LOG_RELAY,
    CTL_LOG_CHAIN_REQUEST,
    CTL_LOG_CHAIN_RESPONSE,
    CTL_USER_AGENT,
    CTL_AUTH_FILE,
    CTL_SORT,
    CTL_CHAINS,
    CTL_CHAINS_NAMES,
    CTL_CHAINS_REMOTE_NAMES,
    CTL_CHAIN_TIMEOUT,
    CTL_CHAIN_IDLE,
    CTL_CHAIN_CONNS,
    CTL_CHAIN_IDLE_HOST,
    CTL_CHAIN_DROP,
    CTL_CHAIN_CLEANUP,
    CTL_CACHE_FILE,
    CTL_CACHE_SYNC,
    CTL_CACHE_COMPACTION,
    CTL_KEYS_RELOAD,
    CTL_CHAINS_RELOAD,
    CTL_WORKER_STRATEGY,
    CTL_WORKERS,
    CTL_WORKERS_CAPACITY,
    CTL_WORKERS_IDLE,
    CTL_SERVICERS,
    CTL_NODE_TIMEOUT,
    CTL_NODE_IDLE,
    CTL_NODE_CONNS,
    CTL_NODE_IDLE_HOST,
    CTL_NODE_AUTH_FILE,
    CTL_RETRY_TIMES,
    CTL_RETRY_MIN,
    CTL_RETRY_MAX,
    CTL_SESSION_STRATEGY,
    CTL_SESSION_WORKERS,
    CTL_SESSION_CAPACITY,
    CTL_SESSION_IDLE,
    CTL_SESSION_RETRIES,
    CTL_CHECK_INTERVAL,
    CTL_SESSION_CLEANUP,
    CTL_PROMETHEUS_PORT,
    CTL_PROMETHEUS_FILES,
    CTL_METRICS_MONIKER,
    CTL_METRICS_STRATEGY,
    CTL_METRICS_WORKERS,
    CTL_METRICS_CAPACITY,
    CTL_METRICS_IDLE,
    CTL_METRICS_SERVICER,
    CTL_METRICS_INTERVAL,
    CTL_SETTINGS
} ctl_setting_e;


/* text and number are the mesh client's defaults */

typedef struct {
    const char           *name;
    ctl_setting_type_e    type;
    const char           *text;
    int64_t               number;
    const char           *becomes;     /* a directive, or why none is needed */
} ctl_setting_t;


typedef struct {
    pocket_str_t          text;
    int64_t               number;
    unsigned              set;         /* in the file */
} ctl_value_t;


typedef struct {
    ctl_value_t           values[CTL_SETTINGS];
    pocket_str_t         *unknown;     /* names that are no settings */
    size_t                nunknown;
    cli_arena_t           arena;
} ctl_config_t;


extern const ctl_setting_t  ctl_settings[CTL_SETTINGS];


/*
 * Reads the file; its values, else the defaults.  Comments of either kind
 * are taken as space.  CTL_OK, or another exit code after ctl_error().
 */
int ctl_config_read(const char *name, ctl_config_t *conf);
void ctl_config_free(ctl_config_t *conf);


#endif /* _CTL_CONFIG_H_INCLUDED_ */
