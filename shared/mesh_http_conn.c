
/*
 * Connections of the HTTP client: names, connect, TLS, keepalive pool.
 */


#include "mesh_http_core.h"


#define MESH_HTTP_CONN_POOL_SIZE    512
#define MESH_HTTP_REASON_LEN        256


static mesh_http_conn_t *mesh_http_take_idle(mesh_http_exchange_t *ex);
static ngx_uint_t mesh_http_silent(ngx_connection_t *c);
static void mesh_http_attach(mesh_http_exchange_t *ex,
    mesh_http_conn_t *conn);
static void mesh_http_resolve(mesh_http_exchange_t *ex);
static void mesh_http_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t mesh_http_copy_addrs(mesh_http_exchange_t *ex,
    ngx_resolver_ctx_t *ctx);
static void mesh_http_connect_addr(mesh_http_exchange_t *ex);
static mesh_http_conn_t *mesh_http_conn_create(mesh_http_exchange_t *ex,
    ngx_connection_t *c);
static void mesh_http_connect_handler(ngx_event_t *ev);
static void mesh_http_connected(mesh_http_exchange_t *ex);
static void mesh_http_handshake(mesh_http_exchange_t *ex);
static void mesh_http_handshake_handler(ngx_connection_t *c);
static void mesh_http_save_session(ngx_connection_t *c);
static ngx_int_t mesh_http_verify(mesh_http_exchange_t *ex,
    ngx_connection_t *c);
static ngx_int_t mesh_http_distrust(mesh_http_exchange_t *ex, long verify,
    const char *reason);
static ngx_int_t mesh_http_check_host(ngx_connection_t *c,
    mesh_http_peer_t *peer);
static const char *mesh_http_connect_reason(mesh_http_exchange_t *ex,
    ngx_err_t err);
static const char *mesh_http_reason(mesh_http_exchange_t *ex,
    const char *fmt, ...);
static void mesh_http_keep(mesh_http_conn_t *conn);
static void mesh_http_drop(mesh_http_conn_t *conn);
static void mesh_http_idle_handler(ngx_event_t *ev);
static void mesh_http_empty_handler(ngx_event_t *ev);


void
mesh_http_connect(mesh_http_exchange_t *ex, ngx_uint_t fresh)
{
    mesh_http_conn_t  *conn;
    mesh_http_peer_t  *peer;

    conn = fresh ? NULL : mesh_http_take_idle(ex);

    if (conn) {
        ex->result.reused = 1;
        mesh_http_ready(ex);
        return;
    }

    peer = ex->peer;
    ex->result.reused = 0;

    if (peer->addrs == NULL) {
        mesh_http_resolve(ex);
        return;
    }

    ex->addrs = peer->addrs;
    ex->naddrs = peer->naddrs;
    ex->naddr = 0;

    mesh_http_connect_addr(ex);
}


void
mesh_http_connect_next(mesh_http_exchange_t *ex, mesh_http_outcome_e outcome,
    const char *reason)
{
    mesh_http_release(ex, 0);

    if (++ex->naddr < ex->naddrs) {
        ngx_log_error(NGX_LOG_INFO, &ex->log, 0, "%s, trying next address",
                      reason);

        mesh_http_connect_addr(ex);
        return;
    }

    mesh_http_finish(ex, outcome, reason);
}


static mesh_http_conn_t *
mesh_http_take_idle(mesh_http_exchange_t *ex)
{
    ngx_queue_t       *q;
    mesh_http_conn_t  *conn;

    while (!ngx_queue_empty(&ex->peer->idle)) {

        q = ngx_queue_head(&ex->peer->idle);
        conn = ngx_queue_data(q, mesh_http_conn_t, peer_link);

        /*
         * A close that the loop has not told yet would leave a request in
         * doubt that cannot be repeated: worth a system call.
         */

        if (ex->once && !mesh_http_silent(conn->connection)) {
            mesh_http_drop(conn);
            continue;
        }

        ngx_queue_remove(&conn->peer_link);
        ngx_queue_remove(&conn->link);
        ex->conf->worker->nidle--;

        mesh_http_attach(ex, conn);

        return conn;
    }

    return NULL;
}


static ngx_uint_t
mesh_http_silent(ngx_connection_t *c)
{
    int   n;
    char  buf[1];

    n = recv(c->fd, buf, 1, MSG_PEEK);

    return n == -1 && ngx_socket_errno == NGX_EAGAIN;
}


static void
mesh_http_attach(mesh_http_exchange_t *ex, mesh_http_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    conn->exchange = ex;
    ex->conn = conn;
    ex->log.connection = c->number;

    c->idle = 0;
    c->sent = 0;
    c->log = &ex->log;
    c->pool->log = &ex->log;
    c->read->log = &ex->log;
    c->write->log = &ex->log;

    /*
     * The timer of the idle time is left as it is: taking it out and putting
     * it back would cost more than a timeout to ignore now and then.
     */
}


static void
mesh_http_resolve(mesh_http_exchange_t *ex)
{
    mesh_http_peer_t    *peer;
    ngx_resolver_ctx_t  *ctx;

    peer = ex->peer;

    ctx = ngx_resolve_start(peer->resolver, NULL);

    if (ctx == NULL) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no memory");
        return;
    }

    if (ctx == NGX_NO_RESOLVER) {
        mesh_http_finish(ex, MESH_HTTP_DNS, "no resolver for the name");
        return;
    }

    mesh_http_stage(ex, MESH_HTTP_RESOLVING, ex->conf->resolver_timeout);

    ctx->name = peer->host;
    ctx->handler = mesh_http_resolve_handler;
    ctx->data = ex;
    ctx->timeout = ex->conf->resolver_timeout;

    ex->resolve = ctx;

    /* the handler may be called before this returns, and end the exchange */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        ex->resolve = NULL;
        mesh_http_finish(ex, MESH_HTTP_DNS, "name could not be asked for");
    }
}


static void
mesh_http_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t              rc;
    mesh_http_exchange_t  *ex;

    ex = ctx->data;

    if (ctx->state == NGX_RESOLVE_TIMEDOUT) {
        mesh_http_finish(ex, MESH_HTTP_TIMEOUT, "resolver timed out");
        return;
    }

    if (ctx->state) {
        mesh_http_finish(ex, MESH_HTTP_DNS,
                         mesh_http_reason(ex, "%V could not be resolved "
                                          "(%i: %s)%Z", &ctx->name,
                                          ctx->state,
                                          ngx_resolver_strerror(ctx->state)));
        return;
    }

    rc = mesh_http_copy_addrs(ex, ctx);

    mesh_http_resolve_done(ex);

    if (rc != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no memory");
        return;
    }

    mesh_http_connect_addr(ex);
}


static ngx_int_t
mesh_http_copy_addrs(mesh_http_exchange_t *ex, ngx_resolver_ctx_t *ctx)
{
    u_char           *p;
    socklen_t         socklen;
    ngx_addr_t       *addr;
    ngx_uint_t        i;
    struct sockaddr  *sockaddr;

    ex->naddr = 0;
    ex->naddrs = ctx->naddrs;

    ex->addrs = ngx_palloc(ex->pool, ctx->naddrs * sizeof(ngx_addr_t));
    if (ex->addrs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->naddrs; i++) {

        socklen = ctx->addrs[i].socklen;

        sockaddr = ngx_palloc(ex->pool, socklen);
        p = ngx_pnalloc(ex->pool, NGX_SOCKADDR_STRLEN);

        if (sockaddr == NULL || p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(sockaddr, ctx->addrs[i].sockaddr, socklen);
        ngx_inet_set_port(sockaddr, ex->peer->port);

        addr = &ex->addrs[i];

        addr->sockaddr = sockaddr;
        addr->socklen = socklen;
        addr->name.data = p;
        addr->name.len = ngx_sock_ntop(sockaddr, socklen, p,
                                       NGX_SOCKADDR_STRLEN, 1);
    }

    return NGX_OK;
}


void
mesh_http_resolve_done(mesh_http_exchange_t *ex)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ex->resolve;

    if (ctx) {
        ex->resolve = NULL;
        ngx_resolve_name_done(ctx);
    }
}


static void
mesh_http_connect_addr(mesh_http_exchange_t *ex)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    mesh_http_conn_t       *conn;
    ngx_peer_connection_t   peer;

    mesh_http_stage(ex, MESH_HTTP_CONNECTING, ex->conf->connect_timeout);

    addr = &ex->addrs[ex->naddr];

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = addr->sockaddr;
    peer.socklen = addr->socklen;
    peer.name = &addr->name;
    peer.get = ngx_event_get_peer;
    peer.log = &ex->log;
    peer.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&peer);

    if (rc == NGX_ERROR) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no connection to use");
        return;
    }

    if (rc == NGX_DECLINED) {
        mesh_http_connect_next(ex, MESH_HTTP_CONNECT,
                               mesh_http_reason(ex, "connect to %V failed%Z",
                                                &addr->name));
        return;
    }

    c = peer.connection;

    conn = mesh_http_conn_create(ex, c);
    if (conn == NULL) {
        ngx_close_connection(c);
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no memory");
        return;
    }

    mesh_http_attach(ex, conn);

    c->read->handler = mesh_http_connect_handler;
    c->write->handler = mesh_http_connect_handler;

    if (rc == NGX_OK) {
        mesh_http_connected(ex);
    }
}


static mesh_http_conn_t *
mesh_http_conn_create(mesh_http_exchange_t *ex, ngx_connection_t *c)
{
    mesh_http_conn_t  *conn;

    /* TLS allocates here, and outlives the exchange */

    c->pool = ngx_create_pool(MESH_HTTP_CONN_POOL_SIZE, &ex->log);
    if (c->pool == NULL) {
        return NULL;
    }

    conn = ngx_pcalloc(c->pool, sizeof(mesh_http_conn_t));
    if (conn == NULL) {
        ngx_destroy_pool(c->pool);
        return NULL;
    }

    conn->connection = c;
    conn->conf = ex->conf;

    c->data = conn;

    return conn;
}


static void
mesh_http_connect_handler(ngx_event_t *ev)
{
    int                    err;
    socklen_t              len;
    ngx_connection_t      *c;
    mesh_http_conn_t      *conn;
    mesh_http_exchange_t  *ex;

    c = ev->data;
    conn = c->data;
    ex = conn->exchange;

    if (c->close) {
        mesh_http_finish(ex, MESH_HTTP_CANCELED, "worker shuts down");
        return;
    }

    err = 0;
    len = sizeof(int);

    /* BSDs and Linux return 0 and set a pending error in err */

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        mesh_http_connect_next(ex, MESH_HTTP_CONNECT,
                               mesh_http_connect_reason(ex, err));
        return;
    }

    mesh_http_connected(ex);
}


static void
mesh_http_connected(mesh_http_exchange_t *ex)
{
    ngx_connection_t  *c;

    c = ex->conn->connection;

    if (ex->addrs[ex->naddr].sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "setsockopt() failed");
        return;
    }

    if (ex->peer->ssl) {
        mesh_http_handshake(ex);
        return;
    }

    mesh_http_ready(ex);
}


static void
mesh_http_handshake(mesh_http_exchange_t *ex)
{
    ngx_connection_t  *c;
    mesh_http_peer_t  *peer;

    peer = ex->peer;
    c = ex->conn->connection;

    mesh_http_stage(ex, MESH_HTTP_HANDSHAKING, ex->conf->connect_timeout);

    if (ngx_ssl_create_connection(ex->conf->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no TLS connection");
        return;
    }

    c->sendfile = 0;

    /* RFC 6066 forbids addresses in SNI */

    if (!peer->literal
        && SSL_set_tlsext_host_name(c->ssl->connection,
                                    (char *) peer->host.data)
           == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%V\") failed", &peer->host);
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no TLS server name");
        return;
    }

    c->ssl->save_session = mesh_http_save_session;

    if (peer->session && ngx_ssl_set_session(c, peer->session) != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no TLS session");
        return;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = mesh_http_handshake_handler;
        return;
    }

    mesh_http_handshake_handler(c);
}


static void
mesh_http_handshake_handler(ngx_connection_t *c)
{
    mesh_http_conn_t      *conn;
    mesh_http_exchange_t  *ex;

    conn = c->data;
    ex = conn->exchange;

    if (!c->ssl->handshaked) {
        mesh_http_session_free(ex->peer);
        mesh_http_finish(ex, MESH_HTTP_TLS, "TLS handshake failed");
        return;
    }

    if (ex->conf->ssl_verify && mesh_http_verify(ex, c) != NGX_OK) {
        return;
    }

    mesh_http_ready(ex);
}


/* Of TLS 1.3 it comes with an answer, and maybe more than once. */

static void
mesh_http_save_session(ngx_connection_t *c)
{
    mesh_http_conn_t   *conn;
    ngx_ssl_session_t  *session;

    conn = c->data;

    if (conn->exchange == NULL) {
        return;
    }

    session = ngx_ssl_get_session(c);

    if (session) {
        mesh_http_session_free(conn->exchange->peer);
        conn->exchange->peer->session = session;
    }
}


void
mesh_http_session_free(mesh_http_peer_t *peer)
{
    if (peer->session) {
        ngx_ssl_free_session(peer->session);
        peer->session = NULL;
    }
}


/* the handshake itself accepts any certificate */

static ngx_int_t
mesh_http_verify(mesh_http_exchange_t *ex, ngx_connection_t *c)
{
    long  rc;

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        return mesh_http_distrust(ex, rc,
                         mesh_http_reason(ex, "certificate verify error "
                                          "(%l:%s)%Z", rc,
                                          X509_verify_cert_error_string(rc)));
    }

    if (mesh_http_check_host(c, ex->peer) != NGX_OK) {
        return mesh_http_distrust(ex, X509_V_ERR_HOSTNAME_MISMATCH,
                         mesh_http_reason(ex, "certificate does not match "
                                          "\"%V\"%Z", &ex->peer->host));
    }

    return NGX_OK;
}


/* A session is resumed with the certificate that it began with. */

static ngx_int_t
mesh_http_distrust(mesh_http_exchange_t *ex, long verify, const char *reason)
{
    mesh_http_session_free(ex->peer);

    ex->result.verify = verify;
    mesh_http_finish(ex, MESH_HTTP_TLS, reason);

    return NGX_ERROR;
}


static ngx_int_t
mesh_http_check_host(ngx_connection_t *c, mesh_http_peer_t *peer)
{
    int         rc;
    X509       *cert;
    ngx_str_t   name;

    if (peer->local) {
        ngx_str_set(&name, "localhost");
        return ngx_ssl_check_host(c, &name);
    }

    if (!peer->literal) {
        return ngx_ssl_check_host(c, &peer->host);
    }

    /* ngx_ssl_check_host() knows names only */

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) peer->host.data, 0);

    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}


static const char *
mesh_http_connect_reason(mesh_http_exchange_t *ex, ngx_err_t err)
{
    u_char      text[MESH_HTTP_REASON_LEN];
    u_char     *p;
    ngx_str_t   s;

    p = ngx_strerror(err, text, MESH_HTTP_REASON_LEN);

    s.data = text;
    s.len = p - text;

    return mesh_http_reason(ex, "connect to %V failed (%d: %V)%Z",
                            &ex->addrs[ex->naddr].name, err, &s);
}


static const char *
mesh_http_reason(mesh_http_exchange_t *ex, const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    p = ngx_pnalloc(ex->pool, MESH_HTTP_REASON_LEN);
    if (p == NULL) {
        return "no memory for the reason";
    }

    va_start(args, fmt);
    last = ngx_vslprintf(p, p + MESH_HTTP_REASON_LEN, fmt, args);
    va_end(args);

    if (last == p + MESH_HTTP_REASON_LEN) {
        *--last = '\0';
    }

    return (const char *) p;
}


void
mesh_http_release(mesh_http_exchange_t *ex, ngx_uint_t reusable)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;
    mesh_http_conn_t  *conn;

    conn = ex->conn;

    if (conn == NULL) {
        return;
    }

    ex->conn = NULL;
    ex->log.connection = 0;
    conn->exchange = NULL;

    c = conn->connection;
    log = ex->conf->worker->log;

    c->log = log;
    c->pool->log = log;
    c->read->log = log;
    c->write->log = log;

    if (reusable
        && !ngx_exiting
        && !ngx_terminate
        && ex->conf->keepalive
        && !c->close
        && !c->read->eof
        && !c->read->error
        && !c->write->error)
    {
        ngx_queue_insert_head(&ex->peer->idle, &conn->peer_link);
        mesh_http_keep(conn);
        return;
    }

    mesh_http_close(c);
}


static void
mesh_http_keep(mesh_http_conn_t *conn)
{
    ngx_queue_t         *q;
    ngx_connection_t    *c;
    mesh_http_conf_t    *conf;
    mesh_http_conn_t    *last;
    mesh_http_worker_t  *worker;

    c = conn->connection;
    conf = conn->conf;
    worker = conf->worker;

    if (worker->nidle == conf->keepalive) {
        q = ngx_queue_last(&worker->idle);
        last = ngx_queue_data(q, mesh_http_conn_t, link);
        mesh_http_drop(last);
    }

    ngx_queue_insert_head(&worker->idle, &conn->link);
    worker->nidle++;

    c->idle = 1;
    c->read->handler = mesh_http_idle_handler;
    c->write->handler = mesh_http_empty_handler;

    /* does nothing if the timer of the last idle time is recent */

    c->read->cancelable = 1;
    ngx_add_timer(c->read, conf->keepalive_timeout);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        mesh_http_drop(conn);
        return;
    }

    if (c->read->ready) {
        mesh_http_idle_handler(c->read);
    }
}


/* closes an idle connection */

static void
mesh_http_drop(mesh_http_conn_t *conn)
{
    ngx_queue_remove(&conn->peer_link);
    ngx_queue_remove(&conn->link);
    conn->conf->worker->nidle--;

    mesh_http_close(conn->connection);
}


static void
mesh_http_idle_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (!c->close && !ev->timedout && mesh_http_silent(c)) {
        ev->ready = 0;

        if (ngx_handle_read_event(ev, 0) == NGX_OK) {
            return;
        }
    }

    mesh_http_drop(c->data);
}


static void
mesh_http_empty_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "mesh http empty handler");
}


void
mesh_http_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    if (c->ssl) {

        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->handler = mesh_http_close;
            return;
        }
    }

    pool = c->pool;

    ngx_close_connection(c);

    ngx_destroy_pool(pool);
}
