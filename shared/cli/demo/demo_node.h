
/*
 * A demo full node: answers an edge as a servicer's node does, keeps the
 * relays it is notified of, and tells what it would claim (spec: edge node
 * to full node).  Single-threaded, all of it in memory.
 */


#ifndef _DEMO_NODE_H_INCLUDED_
#define _DEMO_NODE_H_INCLUDED_


#include "../cli_mem.h"
#include "demo_claim.h"
#include "demo_server.h"
#include "pocket_error.h"
#include "pocket_hash.h"
#include "pocket_json.h"
#include "pocket_node.h"
#include "pocket_relay.h"


#define DEMO_NODE_VERSION  "RC-0.12.0"
#define DEMO_NODE_CODES    128
#define DEMO_NODE_LIST     1024
#define DEMO_ADDRESS_LEN   (2 * POCKET_ADDR_LEN)

#define DEMO_TYPE_HTTP     "application/json; charset=UTF-8"


/* where the connection ends, and whether the request is handled before */

typedef enum {
    DEMO_FAULT_NO = 0,
    DEMO_FAULT_BEFORE,
    DEMO_FAULT_AFTER
} demo_fault_when_e;


typedef enum {
    DEMO_SPOIL_NO = 0,
    DEMO_SPOIL_HTML,
    DEMO_SPOIL_EMPTY,
    DEMO_SPOIL_GARBAGE
} demo_spoil_e;


typedef struct {
    int64_t               status;
    int64_t               code;
    int64_t               delay;
    int64_t               left;         /* requests, -1: without end */
    demo_fault_when_e     drop;
    demo_fault_when_e     hang;
    demo_spoil_e          spoil;
    unsigned              on;
} demo_fault_t;


typedef enum {
    DEMO_RELAY = 0,
    DEMO_SESSION,
    DEMO_CHECK,
    DEMO_OTHER,
    DEMO_ENDPOINTS
} demo_endpoint_e;


typedef struct {
    unsigned char         key[POCKET_PUBKEY_LEN];
    unsigned char         address[DEMO_ADDRESS_LEN];
    const char           *url;          /* in dispatches, or NULL: the node's */
    unsigned              spare;        /* held, but in no session */
} demo_servicer_t;


/* an empty list: anything goes.  quota is of applications, 0: the node's */

typedef struct {
    pocket_str_t          names[DEMO_NODE_LIST];
    int64_t               quotas[DEMO_NODE_LIST];
    size_t                n;
} demo_names_t;


typedef struct {
    int64_t               base;         /* height at the time since */
    int64_t               since;
    int64_t               block_time;   /* ms, 0: stands still */
    pocket_node_status_t  status;
    int64_t               quota;
    int64_t               claim_after;
    unsigned              check_signatures;

    pocket_str_t          token;
    const char           *service_url;
    demo_names_t          chains;
    demo_names_t          apps;
    demo_servicer_t      *servicers;
    size_t                nservicers;

    demo_claims_t         claims;
    pocket_hash_t        *hash;
    cli_buf_t             body;

    demo_fault_t          faults[DEMO_ENDPOINTS];
    uint64_t              requests[DEMO_ENDPOINTS];
    uint64_t              delivered;
    uint64_t              codes[DEMO_NODE_CODES];
} demo_node_t;


/* an error on its way: of a table's row, or with a text of its own */

typedef struct {
    uint32_t              code;
    const char           *codespace;
    pocket_str_t          message;
} demo_error_t;


/* meshdemo node ...: the exit code */
int demo_node_main(int argc, char **argv);


/* demo_session.c: they answer */

void demo_node_check(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
void demo_node_session(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
void demo_node_dispatch(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);

/*
 * The body by a table.  1, or 0 when it was refused.  As in the reference, an
 * empty body is an empty request.
 */
int demo_decode(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    const pocket_json_field_t *root, void *out, const char *headers,
    pocket_alloc_t *a);

/*
 * Appends a dispatch.  Clients get keys plain and the session's key in
 * base64, an edge gets amino keys and hex.  servicer is listed when the node
 * has no list of its own.
 */
void demo_dispatch_add(demo_node_t *n, cli_buf_t *b, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, const pocket_str_t *servicer,
    unsigned client);


/* demo_query.c */

void demo_node_query_height(demo_node_t *n, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);
void demo_node_query_app(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
void demo_node_query_param(demo_node_t *n, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);


/* demo_relay.c */

void demo_node_relay(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);

/* answers a notification with an error; relay gives the dispatch, or NULL */
void demo_relay_refuse(demo_node_t *n, demo_conn_t *c,
    const demo_error_t *err, const pocket_relay_t *relay);


/* demo_control.c: what tests ask for */

void demo_node_claims(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
void demo_node_stats(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
void demo_node_set(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);

/* 1: the fault was the answer, and nothing else is done */
int demo_fault_before(demo_node_t *n, demo_fault_t *f, demo_conn_t *c);

/* what becomes of the answer that was made */
void demo_fault_after(demo_fault_t *f, demo_conn_t *c);


/* demo_node.c */

/* the height of now into n->status */
void demo_node_height(demo_node_t *n);

void demo_node_health(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);

void demo_error_row(demo_error_t *err, pocket_error_id_e id);
void demo_error_text(demo_error_t *err, const char *message);

/* {"code":status,"message":...} */
void demo_http_error(demo_node_t *n, demo_conn_t *c, unsigned status,
    const char *headers, const pocket_str_t *message);

/*
 * The servicer that the node holds, in *servicer; a node without a list
 * holds every key, *servicer is then filled for it.  1, or 0 with *err.
 */
int demo_servicer_find(demo_node_t *n, const pocket_str_t *key,
    demo_servicer_t *servicer, demo_error_t *err);

/* 1: in the list, or the list is empty */
int demo_names_have(const demo_names_t *names, const pocket_str_t *name);

/* relays of an application in a session with a servicer */
int64_t demo_node_quota(const demo_node_t *n, const pocket_str_t *app);


#endif /* _DEMO_NODE_H_INCLUDED_ */
