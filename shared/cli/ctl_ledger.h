
/*
 * Rows of the ledger, from an edge or from Redis itself.
 */


#ifndef _CTL_LEDGER_H_INCLUDED_
#define _CTL_LEDGER_H_INCLUDED_


#include "ctl_http.h"
#include "pocket_json.h"


typedef struct {
    pocket_str_t          code;
    int64_t               relays;
} ctl_ledger_code_t;


typedef struct {
    pocket_str_t          node;
    pocket_str_t          servicer;
    pocket_str_t          chain;
    pocket_str_t          app;
    int64_t               session;
    int64_t               recorded;
    int64_t               queued;
    int64_t               delivered;
    int64_t               delivered_by_37;
    int64_t               expired;
    pocket_json_array_t   refused;       /* of ctl_ledger_code_t */
} ctl_ledger_row_t;


/* rows grow in the arena, their strings are there too */

typedef struct {
    ctl_http_request_t    http;
    const char           *redis;
    const char           *user;
    const char           *password_file;
    const char           *node;
    int64_t               db;
    const char           *token_file;
    unsigned              json;

    cli_arena_t           arena;
    ctl_ledger_row_t     *rows;
    size_t                nrows;
} ctl_ledger_t;


/* Both: CTL_OK, or another exit code after ctl_error(). */

int ctl_ledger_edge(ctl_ledger_t *l, cli_buf_t *text);
int ctl_ledger_redis(ctl_ledger_t *l);


#endif /* _CTL_LEDGER_H_INCLUDED_ */
