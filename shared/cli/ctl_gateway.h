
/*
 * What "meshctl convert-gateway" knows of a gateway-server's installation
 * (reference, settings and database).
 */


#ifndef _CTL_GATEWAY_H_INCLUDED_
#define _CTL_GATEWAY_H_INCLUDED_


#include "ctl.h"


typedef enum {
    CTL_ENV_HOST = 0,
    CTL_ENV_TIMEOUT,
    CTL_ENV_PORT,
    CTL_ENV_STAGE,
    CTL_ENV_METRICS,
    CTL_ENV_NETWORK,
    CTL_ENV_SESSION_TTL,
    CTL_ENV_ALTRUIST_TIMEOUT,
    CTL_ENV_API_KEY,
    CTL_ENV_DATABASE,
    CTL_ENV_PASSPHRASE,
    CTL_ENV_PRIVATE_KEY,
    CTL_ENV_SETTINGS
} ctl_env_setting_e;


typedef struct {
    const char           *name;
    const char           *becomes;     /* or why nothing is needed */
    const char           *empty;       /* the same without a value, or NULL */
    unsigned              required:1;
} ctl_env_setting_t;


typedef struct {
    pocket_str_t          text;
    size_t                line;        /* 0: not in the file */
    size_t                column;
} ctl_env_value_t;


typedef struct {
    const char           *file;
    cli_buf_t             text;
    ctl_env_value_t       values[CTL_ENV_SETTINGS];
    pocket_str_t         *unknown;     /* names that are no settings */
    size_t                nunknown;
    unsigned char        *p;           /* while it is read */
    unsigned char        *begin;
    size_t                line;
} ctl_env_t;


typedef struct {
    pocket_str_t          id;
    pocket_str_t          altruist;    /* empty: none */
    const char           *family;
    int64_t               tolerance;
    size_t                line;
    unsigned              sample:1;    /* of the gateway-server's own making */
} ctl_gateway_chain_t;


typedef struct {
    pocket_str_t          id;
    unsigned char        *key;         /* POCKET_PRIVKEY_LEN, locked */
    unsigned char         address[POCKET_ADDR_LEN];
    size_t                line;
    unsigned              repeated:1;  /* of an application that was there */
} ctl_gateway_app_t;


/* strings are of the arena */

typedef struct {
    ctl_env_t             env;
    int64_t               timeout;     /* POKT_RPC_TIMEOUT, milliseconds */
    unsigned              testnet;
    const char           *apps_file;   /* NULL: not read yet */
    const char           *chains_file;
    ctl_gateway_app_t    *apps;
    size_t                napps;
    ctl_gateway_chain_t  *chains;
    size_t                nchains;
    cli_arena_t           arena;
} ctl_gateway_t;


extern const ctl_env_setting_t  ctl_env_settings[CTL_ENV_SETTINGS];


/*
 * Reads a file of environment variables as godotenv does; a value that
 * refers to another variable is refused.  An exit code, after ctl_error().
 */
int ctl_env_read(const char *file, ctl_env_t *env);

/* ctl_error() with file, line and column before it; gives CTL_FAILED. */
int ctl_env_error(ctl_env_t *env, size_t line, size_t column,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Wipes all of it. */
void ctl_env_free(ctl_env_t *env);

/*
 * Reads an export of pokt_applications or chain_configurations, whichever
 * its columns tell, into g; the settings must be there.  An exit code, after
 * ctl_error().
 */
int ctl_gateway_table(const char *file, ctl_gateway_t *g);

/* The milliseconds of a duration as Go writes it ("1m30s"), or -1. */
int64_t ctl_gateway_duration(const pocket_str_t *text);


#endif /* _CTL_GATEWAY_H_INCLUDED_ */
