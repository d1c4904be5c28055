
/*
 * Inside of the HTTP client: exchanges (mesh_http.c), their requests
 * (mesh_http_request.c) and connections (mesh_http_conn.c).  An exchange owns
 * at most one connection; a connection without an exchange is idle in the
 * pool of its peer.
 */


#ifndef _MESH_HTTP_CORE_H_INCLUDED_
#define _MESH_HTTP_CORE_H_INCLUDED_


#include <ngx_event_connect.h>

#include "mesh_compat.h"
#include "mesh_http.h"
#include "mesh_http_parse.h"


/* ended exchanges that are kept for reuse, with buffer and pool */

#define MESH_HTTP_MAX_FREE     32

#define MESH_HTTP_POOL_SIZE    2048


/* peers of URLs that only running showed; those longest unused are freed */

#define MESH_HTTP_MAX_OPEN     4096


typedef struct mesh_http_conn_s  mesh_http_conn_t;


/* Set at configuration time, but for the queue of idle connections. */

struct mesh_http_peer_s {
    ngx_str_t                    name;       /* https://host:port, for logs */
    ngx_str_t                    host;       /* terminated: SNI, checks */
    ngx_str_t                    authority;  /* for Host */
    in_port_t                    port;
    ngx_addr_t                  *addrs;      /* NULL: ask the resolver */
    ngx_uint_t                   naddrs;
    ngx_resolver_t              *resolver;
    ngx_ssl_session_t           *session;    /* to resume, or NULL */
    unsigned                     ssl:1;
    unsigned                     literal:1;  /* an address, not a name */
    unsigned                     local:1;    /* a unix socket */
    unsigned                     given:1;    /* addrs, whatever the name is */

    ngx_queue_t                  idle;       /* most recent first */
    ngx_uint_t                   busy;       /* exchanges */
};


/* A peer that is not of the configuration; str is its name. */

typedef struct {
    ngx_str_node_t               sn;
    ngx_queue_t                  link;
    ngx_pool_t                  *pool;
    mesh_http_peer_t             peer;
} mesh_http_open_t;


struct mesh_http_worker_s {
    ngx_log_t                   *log;
    ngx_queue_t                  exchanges;
    ngx_queue_t                  free;
    ngx_uint_t                   nfree;
    ngx_queue_t                  idle;       /* of all peers, recent first */
    ngx_uint_t                   nidle;
    ngx_rbtree_t                 open;       /* mesh_http_open_t */
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  opened;     /* recently used first */
    ngx_uint_t                   nopen;
};


struct mesh_http_conn_s {
    ngx_connection_t            *connection;
    mesh_http_conf_t            *conf;
    mesh_http_exchange_t        *exchange;   /* NULL: idle */
    ngx_queue_t                  peer_link;
    ngx_queue_t                  link;
};


struct mesh_http_exchange_s {
    ngx_queue_t                  link;
    mesh_http_conf_t            *conf;
    mesh_http_peer_t            *peer;
    mesh_http_handler_pt         handler;
    mesh_http_permit_pt          permit;
    mesh_http_sink_pt            sink;
    void                        *data;

    ngx_pool_t                  *pool;       /* survives the exchange */
    ngx_log_t                    log;
    mesh_http_conn_t            *conn;

    mesh_http_stage_e            stage;
    ngx_event_t                  timer;
    ngx_msec_t                   start;
    ngx_msec_t                   end;        /* of all */
    ngx_msec_t                   stage_end;
    ngx_msec_t                   read_timeout;

    ngx_str_t                    method;
    ngx_str_t                    head;       /* request line and headers */
    ngx_str_t                    body;
    ngx_chain_t                 *chain;
    ngx_chain_t                 *out;        /* not yet sent */
    ngx_chain_t                  links[2];
    ngx_buf_t                    bufs[2];

    ngx_resolver_ctx_t          *resolve;
    ngx_addr_t                  *addrs;
    ngx_uint_t                   naddrs;
    ngx_uint_t                   naddr;

    size_t                       max_body;
    mesh_http_result_t           result;

    unsigned                     starting:1; /* inside mesh_http_send() */
    unsigned                     finished:1;
    unsigned                     once:1;
    unsigned                     answered:1; /* a byte of an answer came */

    mesh_http_reader_t           reader;
    u_char                       buffer[1];  /* conf->max_header bytes */
};


/* mesh_http_conf.c: parts of a URL, *err as mesh_http_url_parse() has it. */

ngx_int_t mesh_http_url_scheme(mesh_http_url_t *url, ngx_url_t *u,
    const char **err);
ngx_int_t mesh_http_url_uri(mesh_http_url_t *url, ngx_str_t *uri,
    const char **err);
void mesh_http_peer_fill(mesh_http_peer_t *peer, mesh_http_url_t *url,
    ngx_url_t *u);
ngx_int_t mesh_http_peer_names(ngx_pool_t *pool, mesh_http_peer_t *peer,
    ngx_url_t *u);


/* mesh_http_open.c: all of a worker's, whose connections are closed. */

void mesh_http_open_init(mesh_http_worker_t *worker);
void mesh_http_open_free(mesh_http_worker_t *worker);


/* mesh_http.c: called by the connection side. */

/* Begins a stage, with its deadline. */

void mesh_http_stage(mesh_http_exchange_t *ex, mesh_http_stage_e stage,
    ngx_msec_t timeout);

/* ex->conn is connected: sends the request. */

void mesh_http_ready(mesh_http_exchange_t *ex);

/* Ends an exchange; ex is invalid after this. */

void mesh_http_finish(mesh_http_exchange_t *ex, mesh_http_outcome_e outcome,
    const char *reason);


/* mesh_http_request.c */

/* Whether no data of others would end a line and begin the next; logged. */

ngx_uint_t mesh_http_valid(mesh_http_request_t *req, ngx_log_t *log);

/* Makes ex->head, in ex->pool. */

ngx_int_t mesh_http_create_head(mesh_http_exchange_t *ex,
    mesh_http_request_t *req);

/* Makes ex->out of head and body; again for each try. */

ngx_int_t mesh_http_output(mesh_http_exchange_t *ex);


/* mesh_http_conn.c: called by the exchange side. */

/*
 * Gives ex a connection: an idle one (unless fresh), or a new one.  Ends in
 * mesh_http_ready() or mesh_http_finish(), maybe before it returns.
 */

void mesh_http_connect(mesh_http_exchange_t *ex, ngx_uint_t fresh);

/* The next address of the name, if there is one; else finishes ex. */

void mesh_http_connect_next(mesh_http_exchange_t *ex,
    mesh_http_outcome_e outcome, const char *reason);

/* Takes the connection from ex, for the next exchange or to close it. */

void mesh_http_release(mesh_http_exchange_t *ex, ngx_uint_t reusable);

/* The next handshake with the peer is a whole one. */

void mesh_http_session_free(mesh_http_peer_t *peer);

/* Ends a pending question to the resolver. */

void mesh_http_resolve_done(mesh_http_exchange_t *ex);

void mesh_http_close(ngx_connection_t *c);


#endif /* _MESH_HTTP_CORE_H_INCLUDED_ */
