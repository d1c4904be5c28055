
/*
 * Redis client: address, connection, loss and back-off.
 */


#include "mesh_redis_internal.h"


#define MESH_REDIS_RETRY_MIN      50
#define MESH_REDIS_HURRY          100


static void mesh_redis_start(mesh_redis_t *rc);
static void mesh_redis_resolve(mesh_redis_t *rc);
static void mesh_redis_resolve_handler(ngx_resolver_ctx_t *ctx);
static void mesh_redis_connect(mesh_redis_t *rc, struct sockaddr *sockaddr,
    socklen_t socklen);
static void mesh_redis_report(mesh_redis_t *rc, u_char *text, size_t len);
static void mesh_redis_disconnect(mesh_redis_t *rc);
static void mesh_redis_retry(mesh_redis_t *rc);
static ngx_uint_t mesh_redis_hurries(mesh_redis_t *rc);
static ngx_msec_t mesh_redis_hurried(mesh_redis_t *rc);
static void mesh_redis_give_up(mesh_redis_t *rc, mesh_redis_outcome_e outcome);


mesh_redis_t *
mesh_redis_create(ngx_cycle_t *cycle, mesh_redis_conf_t *conf, char *role,
    ngx_msec_t timeout, mesh_redis_notify_pt notify, void *data)
{
    u_char        *p;
    ngx_pool_t    *pool;
    mesh_redis_t  *rc;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    rc = ngx_pcalloc(pool, sizeof(mesh_redis_t));
    if (rc == NULL) {
        goto failed;
    }

    rc->pool = pool;
    rc->conf = conf;
    rc->timeout = timeout ? timeout : conf->timeout;
    rc->notify = notify;
    rc->data = data;

    rc->log = *cycle->log;
    rc->quiet = *cycle->log;
    rc->quiet.log_level = ngx_min(rc->quiet.log_level, NGX_LOG_ALERT);

    rc->reason.data = rc->reason_buf;
    rc->run_id.data = rc->run_id_buf;
    rc->replication_id.data = rc->replication_id_buf;

    ngx_queue_init(&rc->commands);
    ngx_queue_init(&rc->free);

    rc->loading = ngx_pcalloc(pool, conf->scripts.nelts + 1);
    if (rc->loading == NULL) {
        goto failed;
    }

    p = ngx_pnalloc(pool, ngx_strlen(role) + NGX_INT_T_LEN + NGX_INT64_LEN + 2);
    if (p == NULL) {
        goto failed;
    }

    rc->client_name.data = p;
    rc->client_name.len = ngx_sprintf(p, "%s-%ui-%P", role, ngx_worker,
                                      ngx_pid)
                          - p;

    rc->timer.handler = mesh_redis_timer_handler;
    rc->timer.data = rc;
    rc->timer.log = &rc->log;
    rc->timer.cancelable = 1;

    ngx_add_timer(&rc->timer, 1);

    return rc;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
mesh_redis_close(mesh_redis_t *rc)
{
    ngx_queue_t       *q;
    mesh_redis_cmd_t  *cmd;
    ngx_connection_t  *c;

    if (rc == NULL) {
        return;
    }

    /* what was issued in this turn of the loop leaves, if it can at once */

    if (rc->phase == MESH_REDIS_PHASE_READY && rc->out) {
        c = rc->peer.connection;
        (void) c->send_chain(c, rc->out, 0);
    }

    mesh_redis_disconnect(rc);

    while (!ngx_queue_empty(&rc->commands)) {
        q = ngx_queue_head(&rc->commands);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, mesh_redis_cmd_t, queue);
        mesh_redis_release(rc, cmd);
    }

    if (rc->tail) {
        ngx_free(rc->tail);
    }

    ngx_destroy_pool(rc->pool);
}


void
mesh_redis_timer_handler(ngx_event_t *ev)
{
    mesh_redis_t *rc = ev->data;

    switch (rc->phase) {

    case MESH_REDIS_PHASE_WAIT:
        if (!ngx_terminate && (!ngx_exiting || mesh_redis_hurries(rc))) {
            mesh_redis_start(rc);
        }

        break;

    case MESH_REDIS_PHASE_LEAVE:
        if (ngx_queue_empty(&rc->commands)) {
            mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "%V", &rc->reason);
            break;
        }

        /* fall through */

    case MESH_REDIS_PHASE_READY:
        mesh_redis_deadline(rc);
        break;

    case MESH_REDIS_PHASE_CONNECT:
        mesh_redis_fail(rc, MESH_REDIS_LOST, NGX_ETIMEDOUT,
                        "connect() failed");
        break;

    default: /* MESH_REDIS_PHASE_RESOLVE has no timer, _SETUP */
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0,
                        "no answer for %Mms while connecting",
                        rc->conf->connect_timeout);
        break;
    }
}


static void
mesh_redis_start(mesh_redis_t *rc)
{
    ngx_url_t   *url;
    ngx_addr_t  *addr;

    url = &rc->conf->url;

    rc->attempts++;
    rc->started = ngx_current_msec;

    if (url->naddrs) {
        addr = &url->addrs[rc->attempts % url->naddrs];
        mesh_redis_connect(rc, addr->sockaddr, addr->socklen);
        return;
    }

    mesh_redis_resolve(rc);
}


static void
mesh_redis_resolve(mesh_redis_t *rc)
{
    ngx_resolver_ctx_t  *ctx;

    if (rc->conf->resolver == NULL) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0,
                        "host not found, and no resolver is defined");
        return;
    }

    ctx = ngx_resolve_start(rc->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "the resolver cannot be used");
        return;
    }

    ctx->name = rc->conf->url.host;
    ctx->handler = mesh_redis_resolve_handler;
    ctx->data = rc;
    ctx->timeout = rc->conf->resolver_timeout;
    ctx->cancelable = 1;

    rc->phase = MESH_REDIS_PHASE_RESOLVE;
    rc->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        rc->resolving = NULL;
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "the resolver cannot be used");
    }
}


static void
mesh_redis_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    mesh_redis_t *rc = ctx->data;

    socklen_t             socklen;
    ngx_sockaddr_t        sockaddr;
    ngx_resolver_addr_t  *addr;

    if (ctx->state) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "host not found (%i: %s)",
                        ctx->state, ngx_resolver_strerror(ctx->state));
        return;
    }

    addr = &ctx->addrs[rc->attempts % ctx->naddrs];

    socklen = addr->socklen;
    ngx_memcpy(&sockaddr, addr->sockaddr, socklen);

    ngx_inet_set_port(&sockaddr.sockaddr, rc->conf->url.port);

    rc->resolving = NULL;
    ngx_resolve_name_done(ctx);

    mesh_redis_connect(rc, &sockaddr.sockaddr, socklen);
}


static void
mesh_redis_connect(mesh_redis_t *rc, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_err_t               err;
    ngx_int_t               rv;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    rc->phase = MESH_REDIS_PHASE_CONNECT;

    peer = &rc->peer;
    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = sockaddr;
    peer->socklen = socklen;
    peer->name = &rc->conf->name;
    peer->get = ngx_event_get_peer;
    peer->log = &rc->quiet;
    peer->log_error = NGX_ERROR_INFO;
    peer->so_keepalive = (sockaddr->sa_family != AF_UNIX);

    rv = ngx_event_connect_peer(peer);
    err = ngx_socket_errno;

    peer->sockaddr = NULL;

    if (rv != NGX_OK && rv != NGX_AGAIN) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, err, "connect() failed");
        return;
    }

    c = peer->connection;

    c->data = rc;
    c->log = &rc->log;
    c->read->log = &rc->log;
    c->write->log = &rc->log;
    c->read->handler = mesh_redis_read_handler;
    c->write->handler = mesh_redis_write_handler;

    ngx_add_timer(&rc->timer, rc->conf->connect_timeout);

    if (rv == NGX_OK) {
        mesh_redis_connected(rc);
    }
}


void
mesh_redis_connected(mesh_redis_t *rc)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = rc->peer.connection;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, err, "connect() failed");
        return;
    }

    rc->phase = MESH_REDIS_PHASE_SETUP;

    /* Nagle's algorithm would hold a second write back for the first answer */

    rc->reader = mesh_redis_reader_create(rc->conf->max_reply_size, &rc->log);

    if (rc->reader == NULL || ngx_tcp_nodelay(c) != NGX_OK) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "the connection is not usable");
        return;
    }

    if (mesh_redis_setup(rc) != NGX_OK) {
        return;
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


void
mesh_redis_ready(mesh_redis_t *rc)
{
    rc->phase = MESH_REDIS_PHASE_READY;
    rc->ready_at = ngx_current_msec;
    rc->stats.connects++;

    /* from now on the timer is that of commands */

    ngx_del_timer(&rc->timer);

    if (rc->outage) {
        rc->outage = 0;

        ngx_log_error(NGX_LOG_NOTICE, &rc->log, 0,
                      "redis \"%V\" is connected again", &rc->conf->name);
    }

    if (rc->notify) {
        rc->notify(rc->data, rc, MESH_REDIS_READY);
    }
}


void
mesh_redis_leave(mesh_redis_t *rc, ngx_str_t *error)
{
    rc->phase = MESH_REDIS_PHASE_LEAVE;

    mesh_redis_report(rc, error->data, error->len);

    if (rc->notify) {
        rc->notify(rc->data, rc, MESH_REDIS_DOWN);
    }
}


void
mesh_redis_fail(mesh_redis_t *rc, mesh_redis_outcome_e outcome, ngx_err_t err,
    const char *fmt, ...)
{
    u_char              *p, *last, text[MESH_REDIS_REASON_LEN];
    va_list              args;
    mesh_redis_phase_e   phase;

    p = text;
    last = text + MESH_REDIS_REASON_LEN;

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    if (err) {
        p = ngx_log_errno(p, last, err);
    }

    mesh_redis_report(rc, text, p - text);

    phase = rc->phase;

    if (phase >= MESH_REDIS_PHASE_READY) {
        rc->stats.losses++;

        if (ngx_current_msec - rc->ready_at >= rc->conf->reconnect_max) {
            rc->attempts = 0;
        }

    } else {
        rc->stats.failures++;
    }

    rc->phase = MESH_REDIS_PHASE_WAIT;

    mesh_redis_disconnect(rc);
    mesh_redis_retry(rc);

    if (phase == MESH_REDIS_PHASE_READY && rc->notify) {
        rc->notify(rc->data, rc, MESH_REDIS_DOWN);
    }

    mesh_redis_give_up(rc, outcome);
}


/* an outage with one and the same reason is one line */

static void
mesh_redis_report(mesh_redis_t *rc, u_char *text, size_t len)
{
    len = ngx_min(len, MESH_REDIS_REASON_LEN);

    if (rc->outage
        && rc->reason.len == len
        && ngx_memcmp(rc->reason.data, text, len) == 0)
    {
        return;
    }

    rc->outage = 1;

    rc->reason.len = len;
    ngx_memcpy(rc->reason.data, text, len);

    ngx_log_error(NGX_LOG_ERR, &rc->log, 0, "redis \"%V\" is down: %V",
                  &rc->conf->name, &rc->reason);
}


static void
mesh_redis_disconnect(mesh_redis_t *rc)
{
    if (rc->resolving) {
        ngx_resolve_name_done(rc->resolving);
        rc->resolving = NULL;
    }

    if (rc->timer.timer_set) {
        ngx_del_timer(&rc->timer);
    }

    if (rc->peer.connection) {
        ngx_close_connection(rc->peer.connection);
        rc->peer.connection = NULL;
    }

    mesh_redis_reader_destroy(rc->reader);
    rc->reader = NULL;

    rc->out = NULL;
    ngx_memzero(rc->loading, rc->conf->scripts.nelts);
}


static void
mesh_redis_retry(mesh_redis_t *rc)
{
    ngx_msec_t  delay;

    rc->timer.cancelable = 1;

    if (ngx_terminate || (ngx_exiting && !mesh_redis_hurries(rc))) {
        return;
    }

    delay = MESH_REDIS_RETRY_MIN << ngx_min(rc->attempts, 16);
    delay = ngx_min(delay, rc->conf->reconnect_max);

    /* workers that lost one server must not come back in step */

    delay = delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
    delay = ngx_max(delay, 1);

    if (mesh_redis_hurries(rc)) {
        delay = ngx_min(delay, mesh_redis_hurried(rc));
    }

    ngx_add_timer(&rc->timer, delay);
}


/* while a worker quits this alone has it connect */

static ngx_uint_t
mesh_redis_hurries(mesh_redis_t *rc)
{
    return (ngx_msec_int_t) (rc->hurry - ngx_current_msec) > 0;
}


void
mesh_redis_renew(mesh_redis_t *rc, ngx_str_t *reason)
{
    if (rc->phase != MESH_REDIS_PHASE_READY) {
        return;
    }

    mesh_redis_leave(rc, reason);

    /* with nothing pending there is no last answer to end it */

    if (ngx_queue_empty(&rc->commands)) {

        if (rc->timer.timer_set) {
            ngx_del_timer(&rc->timer);
        }

        ngx_add_timer(&rc->timer, 1);
    }
}


static ngx_msec_t
mesh_redis_hurried(mesh_redis_t *rc)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - rc->started;

    return (passed < MESH_REDIS_HURRY) ? MESH_REDIS_HURRY - passed : 1;
}


void
mesh_redis_hurry(mesh_redis_t *rc, ngx_msec_t msec)
{
    ngx_msec_t  until, delay;

    until = ngx_current_msec + msec;

    if ((ngx_msec_int_t) (until - rc->hurry) > 0) {
        rc->hurry = until;
    }

    if (rc->phase != MESH_REDIS_PHASE_WAIT || ngx_terminate) {
        return;
    }

    delay = mesh_redis_hurried(rc);

    if (!rc->timer.timer_set) {
        ngx_add_timer(&rc->timer, delay);
        return;
    }

    if ((ngx_msec_int_t) (rc->timer.timer.key - ngx_current_msec)
        > (ngx_msec_int_t) delay)
    {
        /* a timer that is set is not moved by less than 300 ms */

        ngx_del_timer(&rc->timer);
        ngx_add_timer(&rc->timer, delay);
    }
}


/*
 * A command whose last byte did not leave was not executed.  Handlers see a
 * client that is down and cannot add to the list.
 */

static void
mesh_redis_give_up(mesh_redis_t *rc, mesh_redis_outcome_e outcome)
{
    void                   *data;
    ngx_uint_t              sent;
    ngx_queue_t            *q;
    mesh_redis_cmd_t       *cmd;
    mesh_redis_handler_pt   handler;

    while (!ngx_queue_empty(&rc->commands)) {

        q = ngx_queue_head(&rc->commands);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, mesh_redis_cmd_t, queue);

        sent = mesh_redis_sent(cmd);
        handler = cmd->handler;
        data = cmd->data;

        if (cmd->step == NULL) {
            if (sent) {
                rc->stats.unknown++;

            } else {
                rc->stats.errors++;
            }
        }

        mesh_redis_release(rc, cmd);

        if (handler) {
            handler(data, sent ? outcome : MESH_REDIS_REFUSED, NULL);
        }

        outcome = MESH_REDIS_LOST;
    }
}
