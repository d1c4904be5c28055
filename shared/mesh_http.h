
/*
 * HTTP/1.1 client on nginx's event loop, without a client's request.
 *
 * One mesh_http_conf_t holds what exchanges of one purpose share: deadlines,
 * limits, TLS, resolver and, in each worker, the keepalive pool.  A URL is
 * parsed once, at configuration time.  An exchange is one request and its
 * whole answer.
 *
 * No function calls a handler before it returns.  Handlers may send and
 * cancel exchanges, but must not call mesh_http_stop().
 */


#ifndef _MESH_HTTP_H_INCLUDED_
#define _MESH_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>


#define MESH_HTTP_CA_BUNDLE    "/etc/ssl/certs/ca-certificates.crt"


typedef enum {
    MESH_HTTP_OK = 0,                      /* a whole answer, of any status */
    MESH_HTTP_DNS,                         /* no address for the name */
    MESH_HTTP_CONNECT,                     /* refused, unreachable */
    MESH_HTTP_TLS,                         /* handshake, certificate or name */
    MESH_HTTP_TIMEOUT,                     /* in the stage of the result */
    MESH_HTTP_CLOSED,                      /* before the answer was whole */
    MESH_HTTP_PROTOCOL,                    /* not an HTTP/1.x answer */
    MESH_HTTP_TOO_LARGE,                   /* header or body over the limit */
    MESH_HTTP_CANCELED,                    /* worker_shutdown_timeout, or */
                                           /*   not permitted any more */
    MESH_HTTP_REFUSED,                     /* by the sink */
    MESH_HTTP_INTERNAL                     /* no memory, no connections */
} mesh_http_outcome_e;


typedef enum {
    MESH_HTTP_RESOLVING = 0,
    MESH_HTTP_CONNECTING,
    MESH_HTTP_HANDSHAKING,
    MESH_HTTP_SENDING,
    MESH_HTTP_WAITING,                     /* for the first byte */
    MESH_HTTP_READING
} mesh_http_stage_e;


/* Scheme and authority of URLs: what connections may be shared for. */

typedef struct mesh_http_peer_s      mesh_http_peer_t;
typedef struct mesh_http_worker_s    mesh_http_worker_t;
typedef struct mesh_http_exchange_s  mesh_http_exchange_t;


/* Strings are in cf->pool; host, path and args are parts of text. */

typedef struct {
    ngx_str_t                    text;     /* as written */
    ngx_str_t                    host;     /* without []; path of a socket */
    ngx_str_t                    path;     /* "/..." or empty */
    ngx_str_t                    args;     /* without "?" */
    in_port_t                    port;
    unsigned                     ssl:1;
    mesh_http_peer_t            *peer;
} mesh_http_url_t;


/*
 * Fields are NGX_CONF_UNSET* after mesh_http_conf_create(), so that slots
 * of nginx can set them; mesh_http_conf_init() gives the defaults.
 */

typedef struct {
    ngx_msec_t                   connect_timeout;    /* 5s, and the handshake */
    ngx_msec_t                   send_timeout;       /* 10s between writes */
    ngx_msec_t                   read_timeout;       /* 10s between reads */
    ngx_msec_t                   timeout;            /* 30s, in all */
    size_t                       max_header;         /* 16k */
    size_t                       max_body;           /* 1m */
    ngx_uint_t                   keepalive;          /* 64 idle, per worker */
    ngx_msec_t                   keepalive_timeout;  /* 30s idle */
    ngx_flag_t                   ssl_verify;         /* on */
    ngx_uint_t                   ssl_verify_depth;   /* 5 */
    ngx_str_t                    ssl_trusted_certificate;
    ngx_array_t                 *ssl_conf_commands;  /* ngx_keyval_t, NULL */
    ngx_str_t                    user_agent;         /* empty: not sent */

    unsigned                     open:1;   /* mesh_http_url_open() is used */

    /* private */
    ngx_array_t                  peers;    /* mesh_http_peer_t * */
    ngx_ssl_t                   *ssl;
    ngx_resolver_t              *resolver;
    ngx_msec_t                   resolver_timeout;
    mesh_http_worker_t          *worker;
} mesh_http_conf_t;


typedef struct {
    ngx_str_t                    name;
    ngx_str_t                    value;
} mesh_http_header_t;


/*
 * Asked whenever bytes of a request are about to leave, which may be long
 * after mesh_http_send(), with the data of the handler.  0: they must not;
 * the connection is closed, and the exchange ends CANCELED.
 */

typedef ngx_uint_t (*mesh_http_permit_pt)(void *data);


typedef struct mesh_http_result_s  mesh_http_result_t;

/*
 * Takes the body as it comes, with the data of the handler; the result then
 * has status, content type and headers only, and no body in the end.  It must
 * not cancel the exchange.  Not NGX_OK: the exchange ends REFUSED.
 */

typedef ngx_int_t (*mesh_http_sink_pt)(void *data, mesh_http_result_t *result,
    u_char *p, size_t n);


/*
 * A request; zero what is not used.  The struct, path, args and headers are
 * copied.  The body's bytes are not: they stay as they are until the handler
 * is called or the exchange canceled.  Host, User-Agent, Content-Length and
 * Connection are made here.  Deadlines are in ms, 0 means that of the conf.
 */

typedef struct {
    ngx_str_t                    method;   /* upper case */
    mesh_http_url_t             *url;
    ngx_str_t                    path;     /* appended to the URL's path */
    ngx_str_t                    args;     /* appended to the URL's args */
    mesh_http_header_t          *headers;
    ngx_uint_t                   nheaders;
    ngx_str_t                    body;
    ngx_chain_t                 *chain;    /* instead of body: in memory */

    ngx_msec_t                   read_timeout;
    ngx_msec_t                   timeout;
    size_t                       max_body;

    mesh_http_permit_pt          permit;   /* NULL: nobody is asked */
    mesh_http_sink_pt            sink;     /* NULL: the body is collected */

    unsigned                     once:1;   /* see mesh_http_send() */
} mesh_http_request_t;


/*
 * What became of an exchange; ends, with all it points to, when the handler
 * returns.  Status, content type and headers are there once the header was
 * read, whatever the outcome; the body is there for OK only.
 */

struct mesh_http_result_s {
    mesh_http_outcome_e          outcome;
    mesh_http_stage_e            stage;    /* in which it ended */
    ngx_uint_t                   status;   /* 0: none was read */
    ngx_str_t                    content_type;
    ngx_str_t                    body;     /* contiguous, not terminated */
    ngx_msec_t                   time;     /* ms since mesh_http_send() */
    long                         verify;   /* of TLS: X509_V_ERR_... of the */
                                           /*   certificate, 0: no fault */
    const char                  *reason;   /* for a log line; "" for OK */

    unsigned                     sent:1;   /* bytes may have reached a peer */
    unsigned                     reused:1; /* of the keepalive pool */
    unsigned                     retried:1;

    mesh_http_header_t          *headers;
    ngx_uint_t                   nheaders;
};


typedef void (*mesh_http_handler_pt)(void *data, mesh_http_result_t *result);


/* Configuration. */

/* For create_main_conf.  NULL: no memory. */

mesh_http_conf_t *mesh_http_conf_create(ngx_conf_t *cf);


/*
 * Parses http://HOST[:PORT][/PATH][?ARGS], https:// alike, HOST a name, IPv4
 * or [IPv6], or http://unix:/SOCKET[:/PATH].  To be called between create and
 * init of conf.  NULL: *err says what is wrong with text (not which text).
 */

mesh_http_url_t *mesh_http_url_parse(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_str_t *text, const char **err);


/*
 * The same, of a server at this address: the host is for the Host header and
 * for what a certificate must say, it is not looked up.  addr must stay.
 */

mesh_http_url_t *mesh_http_url_at(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_str_t *text, ngx_addr_t *addr, const char **err);


/*
 * For init_main_conf: gives the defaults, makes the TLS context if there is
 * an https URL.  Names go to the resolver, at each connect.  With resolver
 * NULL or without servers they are looked up here, as proxy_pass does; what
 * is not found is a warning, and asked of the servers of /etc/resolv.conf at
 * each connect.  "localhost" is always looked up here.
 */

ngx_int_t mesh_http_conf_init(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);


/*
 * A URL that only running shows, for conf->open; after the start.  *url is
 * filled, its strings are slices of text; it is good until the handlers of
 * the current event have returned, exchanges sent to it keep what they need.
 * NGX_DECLINED: *err says what is wrong with it; NGX_ERROR: no memory.
 */

ngx_int_t mesh_http_url_open(mesh_http_conf_t *conf, ngx_str_t *text,
    mesh_http_url_t *url, const char **err);

/* Exchanges of this worker with the URL's host that have not ended. */

ngx_uint_t mesh_http_url_busy(mesh_http_url_t *url);


/* Life in a worker. */

/* For init_process of workers and the single process. */

ngx_int_t mesh_http_start(ngx_cycle_t *cycle, mesh_http_conf_t *conf);

/*
 * For exit_process: ends all exchanges without calling their handlers, closes
 * all connections.  Allowed without a start.
 */

void mesh_http_stop(mesh_http_conf_t *conf);


/* Exchanges. */

/*
 * Starts an exchange.  The handler will be called exactly once, unless the
 * exchange is canceled.  NULL: no memory, or a control character in path,
 * args or a header (logged); the handler will not be called.
 *
 * A pooled connection that fails before the first byte of an answer is
 * replaced by a new one, once.  With "once" only if no byte of the request
 * can have reached the peer.  Unfinished exchanges hold a graceful quit.
 */

mesh_http_exchange_t *mesh_http_send(mesh_http_conf_t *conf,
    mesh_http_request_t *request, mesh_http_handler_pt handler, void *data);


/*
 * Ends an exchange: its handler will not be called, its connection is closed.
 * The pointer is invalid after this, and from the call of the handler on.
 */

void mesh_http_cancel(mesh_http_exchange_t *ex);


/*
 * Nobody waits for the answer any more, but how the exchange ends is still of
 * interest: another handler, with a copy of n bytes of data, will be told, by
 * TIMEOUT if it takes that long.  Body and sink of the request are free.
 * NGX_DECLINED: the request has not left as a whole, or no memory; nothing
 * has changed.
 */

ngx_int_t mesh_http_leave(mesh_http_exchange_t *ex,
    mesh_http_handler_pt handler, void *data, size_t n, ngx_msec_t timeout);


/* Whether bytes of its request may have reached a peer. */

ngx_uint_t mesh_http_sent(mesh_http_exchange_t *ex);


/* Value of the first header of that name (any case), or NULL. */

ngx_str_t *mesh_http_header(mesh_http_result_t *result, const char *name);


/* "timeout", "closed", ...: for log lines and metrics. */

const char *mesh_http_outcome_name(mesh_http_outcome_e outcome);
const char *mesh_http_stage_name(mesh_http_stage_e stage);


#endif /* _MESH_HTTP_H_INCLUDED_ */
