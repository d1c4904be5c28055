
/*
 * Exchanges of the HTTP client: from the request to the handler's call.
 */


#include "mesh_http_core.h"


/* bytes at a time: others have their turn, the permit is asked again */

#define MESH_HTTP_SEND_MAX  2097152


typedef struct {
    const char       *name;
    const char       *action;
    const char       *timeout;
} mesh_http_stage_t;


static mesh_http_exchange_t *mesh_http_create(mesh_http_conf_t *conf,
    mesh_http_request_t *req);
static mesh_http_exchange_t *mesh_http_alloc(mesh_http_conf_t *conf);
static void mesh_http_free(mesh_http_exchange_t *ex);
static void mesh_http_destroy(mesh_http_exchange_t *ex);
static void mesh_http_write_handler(ngx_event_t *wev);
static void mesh_http_write(mesh_http_exchange_t *ex);
static void mesh_http_sent_handler(ngx_event_t *wev);
static void mesh_http_read_handler(ngx_event_t *rev);
static void mesh_http_read(mesh_http_exchange_t *ex);
static ngx_int_t mesh_http_process(mesh_http_exchange_t *ex, size_t n);
static ngx_int_t mesh_http_pour(mesh_http_exchange_t *ex);
static void mesh_http_eof(mesh_http_exchange_t *ex, ssize_t n);
static void mesh_http_broken(mesh_http_exchange_t *ex, const char *reason);
static void mesh_http_timer_handler(ngx_event_t *ev);
static void mesh_http_timed_out(mesh_http_exchange_t *ex);
static void mesh_http_set_timer(mesh_http_exchange_t *ex);
static ngx_uint_t mesh_http_reusable(mesh_http_exchange_t *ex);
static void mesh_http_deliver(mesh_http_exchange_t *ex);
static void mesh_http_head(mesh_http_exchange_t *ex);
static ngx_int_t mesh_http_drain(void *data, mesh_http_result_t *result,
    u_char *p, size_t n);
static u_char *mesh_http_log_error(ngx_log_t *log, u_char *buf, size_t len);


static const char  *mesh_http_outcomes[] = {
    "ok",
    "dns",
    "connect",
    "tls",
    "timeout",
    "closed",
    "protocol",
    "too_large",
    "canceled",
    "refused",
    "internal"
};


static mesh_http_stage_t  mesh_http_stages[] = {
    { "resolve", "resolving the name", "resolver timed out" },
    { "connect", "connecting", "connect timed out" },
    { "handshake", "TLS handshake", "TLS handshake timed out" },
    { "send", "sending request", "sending timed out" },
    { "wait", "waiting for answer", "waiting for the answer timed out" },
    { "read", "reading answer", "reading the answer timed out" }
};


ngx_int_t
mesh_http_start(ngx_cycle_t *cycle, mesh_http_conf_t *conf)
{
    mesh_http_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(mesh_http_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->log = cycle->log;

    ngx_queue_init(&worker->exchanges);
    ngx_queue_init(&worker->free);
    ngx_queue_init(&worker->idle);

    mesh_http_open_init(worker);

    conf->worker = worker;

    return NGX_OK;
}


void
mesh_http_stop(mesh_http_conf_t *conf)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    mesh_http_conn_t       *conn;
    mesh_http_peer_t      **peers;
    mesh_http_worker_t     *worker;
    mesh_http_exchange_t   *ex;

    worker = conf->worker;

    if (worker == NULL) {
        return;
    }

    while (!ngx_queue_empty(&worker->exchanges)) {
        q = ngx_queue_head(&worker->exchanges);
        ex = ngx_queue_data(q, mesh_http_exchange_t, link);

        mesh_http_cancel(ex);
    }

    while (!ngx_queue_empty(&worker->idle)) {
        q = ngx_queue_head(&worker->idle);
        conn = ngx_queue_data(q, mesh_http_conn_t, link);

        ngx_queue_remove(q);
        mesh_http_close(conn->connection);
    }

    while (!ngx_queue_empty(&worker->free)) {
        q = ngx_queue_head(&worker->free);
        ex = ngx_queue_data(q, mesh_http_exchange_t, link);

        ngx_queue_remove(q);
        mesh_http_destroy(ex);
    }

    mesh_http_open_free(worker);

    peers = conf->peers.elts;

    for (i = 0; i < conf->peers.nelts; i++) {
        mesh_http_session_free(peers[i]);
    }

    conf->worker = NULL;
}


mesh_http_exchange_t *
mesh_http_send(mesh_http_conf_t *conf, mesh_http_request_t *req,
    mesh_http_handler_pt handler, void *data)
{
    mesh_http_exchange_t  *ex;

    if (conf->worker == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "HTTP client was not started");
        return NULL;
    }

    if (!mesh_http_valid(req, conf->worker->log)) {
        return NULL;
    }

    ex = mesh_http_create(conf, req);
    if (ex == NULL) {
        return NULL;
    }

    ex->handler = handler;
    ex->data = data;
    ex->starting = 1;

    mesh_http_connect(ex, 0);

    ex->starting = 0;

    return ex;
}


static mesh_http_exchange_t *
mesh_http_create(mesh_http_conf_t *conf, mesh_http_request_t *req)
{
    mesh_http_exchange_t  *ex;

    ex = mesh_http_alloc(conf);
    if (ex == NULL) {
        return NULL;
    }

    ex->conf = conf;
    ex->peer = req->url->peer;
    ex->peer->busy++;
    ex->once = req->once;
    ex->permit = req->permit;
    ex->sink = req->sink;
    ex->body = req->body;
    ex->chain = req->chain;
    ex->read_timeout = req->read_timeout ? req->read_timeout
                                         : conf->read_timeout;
    ex->max_body = req->max_body ? req->max_body : conf->max_body;

    ex->start = ngx_current_msec;
    ex->end = ex->start + (req->timeout ? req->timeout : conf->timeout);

    ex->log = *conf->worker->log;
    ex->log.handler = mesh_http_log_error;
    ex->log.data = ex;

    ex->timer.log = &ex->log;
    ex->timer.data = ex;
    ex->timer.handler = mesh_http_timer_handler;

    ngx_str_set(&ex->result.body, "");
    ngx_str_set(&ex->result.content_type, "");

    if (mesh_http_create_head(ex, req) != NGX_OK) {
        mesh_http_free(ex);
        return NULL;
    }

    return ex;
}


/* an ended exchange, or a new one */

static mesh_http_exchange_t *
mesh_http_alloc(mesh_http_conf_t *conf)
{
    ngx_pool_t            *pool;
    ngx_queue_t           *q;
    mesh_http_worker_t    *worker;
    mesh_http_exchange_t  *ex;

    worker = conf->worker;

    if (!ngx_queue_empty(&worker->free)) {
        q = ngx_queue_head(&worker->free);
        ngx_queue_remove(q);
        worker->nfree--;

        ex = ngx_queue_data(q, mesh_http_exchange_t, link);
        pool = ex->pool;

    } else {
        pool = ngx_create_pool(MESH_HTTP_POOL_SIZE, worker->log);
        if (pool == NULL) {
            return NULL;
        }

        ex = ngx_alloc(offsetof(mesh_http_exchange_t, buffer)
                       + conf->max_header, worker->log);
        if (ex == NULL) {
            ngx_destroy_pool(pool);
            return NULL;
        }
    }

    /* the reader is set up when there is something to read */

    ngx_memzero(ex, offsetof(mesh_http_exchange_t, reader));

    ex->pool = pool;

    ngx_queue_insert_tail(&worker->exchanges, &ex->link);

    return ex;
}


static void
mesh_http_free(mesh_http_exchange_t *ex)
{
    mesh_http_worker_t  *worker;

    worker = ex->conf->worker;

    ex->peer->busy--;

    ngx_queue_remove(&ex->link);

    /* a pool that grew would never shrink */

    if (worker->nfree == MESH_HTTP_MAX_FREE || ex->pool->d.next) {
        mesh_http_destroy(ex);
        return;
    }

    ngx_reset_pool(ex->pool);

    ngx_queue_insert_head(&worker->free, &ex->link);
    worker->nfree++;
}


static void
mesh_http_destroy(mesh_http_exchange_t *ex)
{
    ngx_destroy_pool(ex->pool);
    ngx_free(ex);
}


void
mesh_http_ready(mesh_http_exchange_t *ex)
{
    ngx_connection_t  *c;

    c = ex->conn->connection;

    if (mesh_http_output(ex) != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no memory");
        return;
    }

    mesh_http_reader_init(&ex->reader, c, ex->pool, ex->buffer,
                          ex->conf->max_header, ex->max_body,
                          ex->method.len == 4
                          && ngx_strncmp(ex->method.data, "HEAD", 4) == 0);

    ex->reader.pour = (ex->sink != NULL);

    c->read->handler = mesh_http_read_handler;
    c->write->handler = mesh_http_write_handler;

    mesh_http_stage(ex, MESH_HTTP_SENDING, ex->conf->send_timeout);

    mesh_http_write(ex);
}


static void
mesh_http_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;
    mesh_http_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    mesh_http_write(conn->exchange);
}


static void
mesh_http_write(mesh_http_exchange_t *ex)
{
    off_t              sent;
    ngx_chain_t       *cl;
    ngx_connection_t  *c;

    c = ex->conn->connection;

    if (ex->permit && !ex->permit(ex->data)) {
        mesh_http_finish(ex, MESH_HTTP_CANCELED, "not permitted any more");
        return;
    }

    /* a failed record may have left in part */

    if (c->ssl) {
        ex->result.sent = 1;
    }

    sent = c->sent;

    cl = c->send_chain(c, ex->out, MESH_HTTP_SEND_MAX);

    if (c->sent) {
        ex->result.sent = 1;
    }

    if (cl == NGX_CHAIN_ERROR) {
        mesh_http_broken(ex, "sending failed");
        return;
    }

    ex->out = cl;

    if (cl || c->buffered) {

        if (c->sent != sent) {
            mesh_http_stage(ex, MESH_HTTP_SENDING, ex->conf->send_timeout);
        }

    } else {
        c->write->handler = mesh_http_sent_handler;

        mesh_http_stage(ex, MESH_HTTP_WAITING, ex->read_timeout);
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no write event");
        return;
    }

    /* the socket would take more, and tells no second time */

    if (cl && c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_next_events);
    }

    if (c->read->ready) {
        mesh_http_read(ex);
    }
}


static void
mesh_http_sent_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;
    mesh_http_conn_t  *conn;

    /* level-triggered methods must be told that it is of no interest */

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        c = wev->data;
        conn = c->data;
        mesh_http_finish(conn->exchange, MESH_HTTP_INTERNAL,
                         "no write event");
    }
}


static void
mesh_http_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    mesh_http_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {
        mesh_http_finish(conn->exchange, MESH_HTTP_CANCELED,
                         "worker shuts down");
        return;
    }

    if (rev->timedout) {

        /* left from the idle time */

        rev->timedout = 0;
        return;
    }

    mesh_http_read(conn->exchange);
}


static void
mesh_http_read(mesh_http_exchange_t *ex)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ex->conn->connection;
    rev = c->read;
    b = &ex->reader.buf;

    /* core ends "ready" once what was there at first is read */

    do {
        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            mesh_http_eof(ex, n);
            return;
        }

        if (mesh_http_process(ex, n) != NGX_AGAIN) {
            return;
        }

    } while (rev->ready);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_INTERNAL, "no read event");
    }
}


/* NGX_AGAIN: more is needed; otherwise ex is invalid */

static ngx_int_t
mesh_http_process(mesh_http_exchange_t *ex, size_t n)
{
    ngx_int_t  rc;

    ex->answered = 1;
    ex->reader.buf.last += n;

    /* an answer may precede the end of the request */

    if (ex->stage >= MESH_HTTP_WAITING) {
        mesh_http_stage(ex, MESH_HTTP_READING, ex->read_timeout);
    }

    rc = mesh_http_reader_process(&ex->reader);

    if (rc != NGX_ERROR && ex->sink && mesh_http_pour(ex) != NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_REFUSED, "the answer was refused");
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_OK, "");

    } else if (rc == NGX_ERROR) {
        mesh_http_finish(ex, ex->reader.outcome, ex->reader.reason);
    }

    return rc;
}


/* What has come of the body goes to the sink. */

static ngx_int_t
mesh_http_pour(mesh_http_exchange_t *ex)
{
    size_t               n;
    mesh_http_reader_t  *reader;

    reader = &ex->reader;

    if (reader->state <= MESH_HTTP_READ_HEADERS) {
        return NGX_OK;
    }

    n = reader->body_last - reader->body;

    if (n == 0) {
        return NGX_OK;
    }

    mesh_http_head(ex);

    if (ex->sink(ex->data, &ex->result, reader->body, n) != NGX_OK) {
        return NGX_ERROR;
    }

    mesh_http_reader_take(reader);

    return NGX_OK;
}


static void
mesh_http_eof(mesh_http_exchange_t *ex, ssize_t n)
{
    if (n == NGX_ERROR) {
        mesh_http_broken(ex, "reading failed");
        return;
    }

    if (mesh_http_reader_eof(&ex->reader) == NGX_OK) {
        mesh_http_finish(ex, MESH_HTTP_OK, "");
        return;
    }

    mesh_http_broken(ex, "peer closed connection");
}


static void
mesh_http_broken(mesh_http_exchange_t *ex, const char *reason)
{
    if (ex->result.reused
        && !ex->answered
        && !(ex->once && ex->result.sent))
    {
        ngx_log_error(NGX_LOG_INFO, &ex->log, 0,
                      "%s on a kept connection, trying a new one", reason);

        ex->result.retried = 1;

        mesh_http_release(ex, 0);
        mesh_http_connect(ex, 1);
        return;
    }

    mesh_http_finish(ex, MESH_HTTP_CLOSED, reason);
}


void
mesh_http_stage(mesh_http_exchange_t *ex, mesh_http_stage_e stage,
    ngx_msec_t timeout)
{
    ex->stage = stage;
    ex->stage_end = ngx_current_msec + timeout;

    mesh_http_set_timer(ex);
}


/*
 * One timer serves the stages and the whole.  A later deadline leaves it as
 * it is: the handler looks, and sets it again.
 */

static void
mesh_http_set_timer(mesh_http_exchange_t *ex)
{
    ngx_msec_t      end;
    ngx_msec_int_t  left;

    end = ex->stage_end;

    if ((ngx_msec_int_t) (ex->end - end) < 0) {
        end = ex->end;
    }

    if (ex->timer.timer_set) {

        if ((ngx_msec_int_t) (end - ex->timer.timer.key) >= 0) {
            return;
        }

        ngx_del_timer(&ex->timer);
    }

    left = (ngx_msec_int_t) (end - ngx_current_msec);

    ngx_add_timer(&ex->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
mesh_http_timer_handler(ngx_event_t *ev)
{
    ngx_msec_int_t         left, stage_left;
    mesh_http_exchange_t  *ex;

    ex = ev->data;

    ev->timedout = 0;

    if (ex->finished) {
        mesh_http_deliver(ex);
        return;
    }

    left = (ngx_msec_int_t) (ex->end - ngx_current_msec);
    stage_left = (ngx_msec_int_t) (ex->stage_end - ngx_current_msec);

    if (left > 0 && stage_left > 0) {
        mesh_http_set_timer(ex);
        return;
    }

    if (left > 0) {
        mesh_http_timed_out(ex);
        return;
    }

    mesh_http_finish(ex, MESH_HTTP_TIMEOUT, "deadline has passed");
}


static void
mesh_http_timed_out(mesh_http_exchange_t *ex)
{
    const char  *reason;

    reason = mesh_http_stages[ex->stage].timeout;

    if (ex->stage == MESH_HTTP_CONNECTING) {
        mesh_http_connect_next(ex, MESH_HTTP_TIMEOUT, reason);
        return;
    }

    mesh_http_finish(ex, MESH_HTTP_TIMEOUT, reason);
}


void
mesh_http_finish(mesh_http_exchange_t *ex, mesh_http_outcome_e outcome,
    const char *reason)
{
    mesh_http_result_t  *result;

    if (outcome != MESH_HTTP_OK) {
        ngx_log_error(NGX_LOG_INFO, &ex->log, 0, "%s", reason);
    }

    result = &ex->result;

    result->outcome = outcome;
    result->reason = reason;
    result->stage = ex->stage;
    result->time = ngx_current_msec - ex->start;

    mesh_http_resolve_done(ex);
    mesh_http_release(ex, outcome == MESH_HTTP_OK && mesh_http_reusable(ex));

    if (ex->timer.timer_set) {
        ngx_del_timer(&ex->timer);
    }

    ex->finished = 1;

    if (ex->starting) {

        /* a timer, not a posted event: it holds a graceful quit as well */

        ngx_add_timer(&ex->timer, 1);
        return;
    }

    mesh_http_deliver(ex);
}


static ngx_uint_t
mesh_http_reusable(mesh_http_exchange_t *ex)
{
    ngx_connection_t  *c;

    c = ex->conn->connection;

    return ex->out == NULL
           && !c->buffered
           && mesh_http_reader_reusable(&ex->reader)
           && !(c->ssl && SSL_pending(c->ssl->connection));
}


static void
mesh_http_deliver(mesh_http_exchange_t *ex)
{
    mesh_http_reader_t  *reader;
    mesh_http_result_t  *result;

    reader = &ex->reader;
    result = &ex->result;

    mesh_http_head(ex);

    if (result->outcome == MESH_HTTP_OK) {
        result->body.data = reader->body;
        result->body.len = reader->body_last - reader->body;
    }

    ex->handler(ex->data, result);

    mesh_http_free(ex);
}


/* What the answer's header tells, once it was read. */

static void
mesh_http_head(mesh_http_exchange_t *ex)
{
    mesh_http_reader_t  *reader;
    mesh_http_result_t  *result;

    reader = &ex->reader;
    result = &ex->result;

    if (ex->answered && reader->state > MESH_HTTP_READ_HEADERS) {
        result->status = reader->status;
        result->content_type = reader->content_type;
        result->headers = reader->headers;
        result->nheaders = reader->nheaders;
    }
}


void
mesh_http_cancel(mesh_http_exchange_t *ex)
{
    mesh_http_resolve_done(ex);
    mesh_http_release(ex, 0);

    if (ex->timer.timer_set) {
        ngx_del_timer(&ex->timer);
    }

    mesh_http_free(ex);
}


ngx_int_t
mesh_http_leave(mesh_http_exchange_t *ex, mesh_http_handler_pt handler,
    void *data, size_t n, ngx_msec_t timeout)
{
    u_char      *p;
    ngx_msec_t   end;

    if (ex->stage < MESH_HTTP_WAITING || ex->finished) {
        return NGX_DECLINED;
    }

    p = ngx_palloc(ex->pool, n);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(p, data, n);

    ex->handler = handler;
    ex->data = p;
    ex->permit = NULL;

    /* what was sent is gone by now: it cannot be sent again */

    ex->once = 1;

    if (ex->sink) {
        ex->sink = mesh_http_drain;
    }

    end = ngx_current_msec + timeout;

    if ((ngx_msec_int_t) (end - ex->end) < 0) {
        ex->end = end;
        mesh_http_set_timer(ex);
    }

    return NGX_OK;
}


static ngx_int_t
mesh_http_drain(void *data, mesh_http_result_t *result, u_char *p, size_t n)
{
    return NGX_OK;
}


ngx_uint_t
mesh_http_sent(mesh_http_exchange_t *ex)
{
    return ex->result.sent;
}


ngx_str_t *
mesh_http_header(mesh_http_result_t *result, const char *name)
{
    size_t               len;
    ngx_uint_t           i;
    mesh_http_header_t  *h;

    len = ngx_strlen(name);

    for (i = 0; i < result->nheaders; i++) {
        h = &result->headers[i];

        if (h->name.len == len
            && ngx_strncasecmp(h->name.data, (u_char *) name, len) == 0)
        {
            return &h->value;
        }
    }

    return NULL;
}


const char *
mesh_http_outcome_name(mesh_http_outcome_e outcome)
{
    return mesh_http_outcomes[outcome];
}


const char *
mesh_http_stage_name(mesh_http_stage_e stage)
{
    return mesh_http_stages[stage].name;
}


static u_char *
mesh_http_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                *p;
    mesh_http_exchange_t  *ex;

    ex = log->data;

    /* path and args may hold a token */

    p = ngx_snprintf(buf, len, " while %s, request: \"%V %V\"",
                     mesh_http_stages[ex->stage].action, &ex->method,
                     &ex->peer->name);

    return p;
}
