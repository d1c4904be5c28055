
/*
 * Redis client: commands, output, replies, deadlines.
 *
 * A command costs one copy into a block of output and no allocation once
 * the connection is warm; all blocks of one turn of the loop leave by one
 * writev() of a posted write event.
 */


#include "mesh_redis_internal.h"


#define MESH_REDIS_BLOCK_SIZE  (32 * 1024)
#define MESH_REDIS_READ_SIZE   (16 * 1024)

/* a script may be flushed again while its command is sent again */

#define MESH_REDIS_TRIES       3

/* seconds between two lines about errors of a server that goes on */

#define MESH_REDIS_COMPLAIN    60


typedef struct {
    ngx_str_t                    prefix;
    mesh_redis_outcome_e         outcome;
    ngx_uint_t                   leave;
    ngx_uint_t                   complain;
} mesh_redis_verdict_t;


static ngx_int_t mesh_redis_issue(mesh_redis_t *rc, ngx_uint_t nhead,
    ngx_str_t *head, ngx_uint_t argc, ngx_str_t *argv,
    mesh_redis_cmd_t **cmd);
static mesh_redis_cmd_t *mesh_redis_cmd_get(mesh_redis_t *rc);
static void mesh_redis_enqueue(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_block_t *block);
static mesh_redis_block_t *mesh_redis_block_get(mesh_redis_t *rc, size_t size);
static void mesh_redis_hold(mesh_redis_t *rc);
static ngx_int_t mesh_redis_read(mesh_redis_t *rc);
static ngx_int_t mesh_redis_answers(mesh_redis_t *rc, u_char *data,
    size_t len);
static void mesh_redis_answer(mesh_redis_t *rc, mesh_redis_reply_t *reply);
static void mesh_redis_complete(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_verdict_t *verdict, mesh_redis_reply_t *reply);
static mesh_redis_verdict_t *mesh_redis_verdict(mesh_redis_reply_t *reply);
static ngx_int_t mesh_redis_reload(mesh_redis_t *rc, mesh_redis_cmd_t *cmd);


static mesh_redis_verdict_t  mesh_redis_answered = {
    ngx_null_string, MESH_REDIS_ANSWERED, 0, 0
};

static mesh_redis_verdict_t  mesh_redis_noscript = {
    ngx_string("NOSCRIPT "), MESH_REDIS_REFUSED, 0, 1
};

/*
 * Error replies that tell that nothing was executed.  Redis checks all of
 * these before the first write of a script, which is why they hold for
 * scripts too; NOPERM may come in the middle of one.
 */

static mesh_redis_verdict_t  mesh_redis_verdicts[] = {
    { ngx_string("OOM "), MESH_REDIS_OOM, 0, 1 },
    { ngx_string("READONLY "), MESH_REDIS_REFUSED, 1, 0 },
    { ngx_string("LOADING "), MESH_REDIS_REFUSED, 1, 0 },
    { ngx_string("MASTERDOWN "), MESH_REDIS_REFUSED, 1, 0 },
    { ngx_string("NOAUTH "), MESH_REDIS_REFUSED, 1, 0 },
    { ngx_string("MISCONF "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("NOREPLICAS "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("BUSY "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("MOVED "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("ASK "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("TRYAGAIN "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("CLUSTERDOWN "), MESH_REDIS_REFUSED, 0, 1 },
    { ngx_string("NOPERM "), MESH_REDIS_FAILED, 0, 1 },
    { ngx_null_string, MESH_REDIS_FAILED, 0, 0 }
};


ngx_int_t
mesh_redis_command(mesh_redis_t *rc, ngx_uint_t argc, ngx_str_t *argv,
    mesh_redis_handler_pt handler, void *data, mesh_redis_cmd_t **cmd)
{
    ngx_int_t          rv;
    mesh_redis_cmd_t  *issued;

    rv = mesh_redis_issue(rc, 0, NULL, argc, argv, &issued);
    if (rv != NGX_OK) {
        return rv;
    }

    issued->handler = handler;
    issued->data = data;

    if (cmd) {
        *cmd = issued;
    }

    return NGX_OK;
}


ngx_int_t
mesh_redis_eval(mesh_redis_t *rc, mesh_redis_script_t *script,
    ngx_uint_t nkeys, ngx_uint_t argc, ngx_str_t *argv,
    mesh_redis_handler_pt handler, void *data, mesh_redis_cmd_t **cmd)
{
    u_char             number[NGX_INT_T_LEN];
    ngx_int_t          rv;
    ngx_str_t          head[3];
    mesh_redis_cmd_t  *issued;

    ngx_str_set(&head[0], "EVALSHA");
    head[1] = script->sha1;
    head[2].data = number;
    head[2].len = ngx_sprintf(number, "%ui", nkeys) - number;

    rv = mesh_redis_issue(rc, 3, head, argc, argv, &issued);
    if (rv != NGX_OK) {
        return rv;
    }

    issued->script = script;
    issued->handler = handler;
    issued->data = data;

    if (cmd) {
        *cmd = issued;
    }

    return NGX_OK;
}


void
mesh_redis_cancel(mesh_redis_cmd_t *cmd)
{
    cmd->handler = NULL;
}


static ngx_int_t
mesh_redis_issue(mesh_redis_t *rc, ngx_uint_t nhead, ngx_str_t *head,
    ngx_uint_t argc, ngx_str_t *argv, mesh_redis_cmd_t **cmd)
{
    size_t  size;

    if (rc->phase != MESH_REDIS_PHASE_READY) {
        rc->stats.refused++;
        return NGX_DECLINED;
    }

    size = mesh_redis_resp_size(nhead, head) + mesh_redis_resp_size(argc, argv);

    if (rc->pending >= rc->conf->max_pending
        || size > rc->conf->max_pending_size
        || rc->pending_size > rc->conf->max_pending_size - size)
    {
        rc->stats.refused++;
        return NGX_BUSY;
    }

    *cmd = mesh_redis_append(rc, nhead, head, argc, argv);
    if (*cmd == NULL) {
        rc->stats.refused++;
        return NGX_ERROR;
    }

    rc->stats.commands++;
    rc->pending_size += (*cmd)->last - (*cmd)->start;

    if (rc->pending++ == 0) {
        mesh_redis_hold(rc);
    }

    return NGX_OK;
}


/*
 * Between commands the timer stays where it was and only stops to hold the
 * worker, which spares two operations on the timer tree per command.
 */

static void
mesh_redis_hold(mesh_redis_t *rc)
{
    rc->timer.cancelable = 0;

    if (!rc->timer.timer_set) {
        ngx_add_timer(&rc->timer, rc->timeout);
    }
}


void
mesh_redis_deadline(mesh_redis_t *rc)
{
    ngx_msec_int_t     left;
    mesh_redis_cmd_t  *cmd;

    if (ngx_queue_empty(&rc->commands)) {
        return;
    }

    cmd = ngx_queue_data(ngx_queue_head(&rc->commands), mesh_redis_cmd_t,
                         queue);

    left = (ngx_msec_int_t) (cmd->issued + rc->timeout - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(&rc->timer, (ngx_msec_t) left);
        return;
    }

    mesh_redis_fail(rc, MESH_REDIS_TIMEOUT, 0,
                    "no answer for %Mms", rc->timeout);
}


mesh_redis_cmd_t *
mesh_redis_append(mesh_redis_t *rc, ngx_uint_t nhead, ngx_str_t *head,
    ngx_uint_t argc, ngx_str_t *argv)
{
    u_char              *p;
    size_t               size;
    mesh_redis_cmd_t    *cmd;
    mesh_redis_block_t  *block;

    size = mesh_redis_resp_size(nhead, head) + mesh_redis_resp_size(argc, argv);

    cmd = mesh_redis_cmd_get(rc);
    if (cmd == NULL) {
        return NULL;
    }

    block = mesh_redis_block_get(rc, size);
    if (block == NULL) {
        ngx_queue_insert_head(&rc->free, &cmd->queue);
        return NULL;
    }

    p = block->buf.last;

    cmd->start = p;

    p = mesh_redis_resp_array(p, nhead + argc);
    p = mesh_redis_resp_strings(p, nhead, head);
    p = mesh_redis_resp_strings(p, argc, argv);

    cmd->last = p;

    mesh_redis_enqueue(rc, cmd, block);

    return cmd;
}


static mesh_redis_cmd_t *
mesh_redis_cmd_get(mesh_redis_t *rc)
{
    ngx_queue_t       *q;
    mesh_redis_cmd_t  *cmd;

    if (ngx_queue_empty(&rc->free)) {
        return ngx_pcalloc(rc->pool, sizeof(mesh_redis_cmd_t));
    }

    q = ngx_queue_head(&rc->free);
    ngx_queue_remove(q);

    cmd = ngx_queue_data(q, mesh_redis_cmd_t, queue);
    ngx_memzero(cmd, sizeof(mesh_redis_cmd_t));

    return cmd;
}


static void
mesh_redis_enqueue(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_block_t *block)
{
    ngx_event_t  *wev;

    block->buf.last = cmd->last;
    block->commands++;

    cmd->block = block;
    cmd->issued = ngx_current_msec;

    ngx_queue_insert_tail(&rc->commands, &cmd->queue);

    if (rc->out == NULL) {
        rc->out = &block->link;
    }

    wev = rc->peer.connection->write;

    if (wev->ready) {
        ngx_post_event(wev, &ngx_posted_events);
    }
}


/* the last block if it has room, else a new one behind it */

static mesh_redis_block_t *
mesh_redis_block_get(mesh_redis_t *rc, size_t size)
{
    ngx_buf_t           *b;
    mesh_redis_block_t  *block;

    block = rc->tail;

    if (block && (size_t) (block->buf.end - block->buf.last) >= size) {
        return block;
    }

    size = ngx_max(size, MESH_REDIS_BLOCK_SIZE);

    block = ngx_alloc(sizeof(mesh_redis_block_t) + size, &rc->log);
    if (block == NULL) {
        return NULL;
    }

    ngx_memzero(block, sizeof(mesh_redis_block_t));

    b = &block->buf;
    b->start = (u_char *) block + sizeof(mesh_redis_block_t);
    b->pos = b->start;
    b->last = b->start;
    b->end = b->start + size;
    b->temporary = 1;

    block->link.buf = b;

    if (rc->out) {
        rc->tail->link.next = &block->link;

    } else if (rc->tail && rc->tail->commands == 0) {
        ngx_free(rc->tail);
    }

    rc->tail = block;

    return block;
}


void
mesh_redis_release(mesh_redis_t *rc, mesh_redis_cmd_t *cmd)
{
    ngx_buf_t           *b;
    mesh_redis_block_t  *block;

    block = cmd->block;
    b = &block->buf;

    if (cmd->step == NULL) {
        rc->pending--;
        rc->pending_size -= cmd->last - cmd->start;

        if (rc->pending == 0) {
            rc->timer.cancelable = 1;
        }
    }

    if (cmd->secret) {
        ngx_explicit_memzero(cmd->start, cmd->last - cmd->start);
    }

    ngx_queue_insert_head(&rc->free, &cmd->queue);

    if (--block->commands) {
        return;
    }

    if (block != rc->tail) {
        ngx_free(block);
        return;
    }

    if (b->end - b->start > MESH_REDIS_BLOCK_SIZE) {
        rc->tail = NULL;
        ngx_free(block);
        return;
    }

    b->pos = b->start;
    b->last = b->start;
}


void
mesh_redis_write_handler(ngx_event_t *wev)
{
    off_t              sent;
    ngx_err_t          err;
    ngx_chain_t       *cl;
    mesh_redis_t      *rc;
    ngx_connection_t  *c;

    c = wev->data;
    rc = c->data;

    if (rc->phase == MESH_REDIS_PHASE_CONNECT) {
        mesh_redis_connected(rc);
        return;
    }

    if (rc->out) {
        sent = c->sent;

        cl = c->send_chain(c, rc->out, 0);

        if (cl == NGX_CHAIN_ERROR) {
            err = ngx_socket_errno;

            /*
             * answers that came before the server closed, and its reason;
             * their event may not have been seen yet
             */

            c->read->available = -1;

            if (mesh_redis_read(rc) == NGX_AGAIN) {
                mesh_redis_fail(rc, MESH_REDIS_LOST, err, "writing failed");
            }

            return;
        }

        rc->out = cl;
        rc->stats.writes++;
        rc->stats.sent += c->sent - sent;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "writing failed");
    }
}


void
mesh_redis_read_handler(ngx_event_t *rev)
{
    mesh_redis_t      *rc;
    ngx_connection_t  *c;

    c = rev->data;
    rc = c->data;

    if (c->close) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "the worker is shutting down");
        return;
    }

    if (rc->phase == MESH_REDIS_PHASE_CONNECT) {
        /* the write event reports the outcome */
        return;
    }

    if (mesh_redis_read(rc) != NGX_AGAIN) {
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "reading failed");
    }
}


/* NGX_AGAIN, or NGX_ERROR: there is no connection any more */

static ngx_int_t
mesh_redis_read(mesh_redis_t *rc)
{
    ssize_t            n;
    ngx_connection_t  *c;
    u_char             buf[MESH_REDIS_READ_SIZE];

    c = rc->peer.connection;

    for ( ;; ) {
        n = c->recv(c, buf, MESH_REDIS_READ_SIZE);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n == NGX_ERROR) {
            mesh_redis_fail(rc, MESH_REDIS_LOST, ngx_socket_errno,
                            "reading failed");
            return NGX_ERROR;
        }

        if (n == 0) {
            mesh_redis_fail(rc, MESH_REDIS_LOST, 0,
                            "the server closed the connection");
            return NGX_ERROR;
        }

        rc->stats.received += n;

        if (mesh_redis_answers(rc, buf, n) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* NGX_ERROR: there is no connection any more */

static ngx_int_t
mesh_redis_answers(mesh_redis_t *rc, u_char *data, size_t len)
{
    ngx_int_t            rv;
    mesh_redis_reply_t  *reply;

    rv = mesh_redis_reader_feed(rc->reader, data, len);

    while (rv == NGX_OK) {
        rv = mesh_redis_reader_next(rc->reader, &reply);

        if (rv == NGX_OK) {
            mesh_redis_answer(rc, reply);

            if (rc->peer.connection == NULL) {
                return NGX_ERROR;
            }
        }
    }

    if (rv == NGX_AGAIN) {
        return NGX_OK;
    }

    mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "invalid answer: %s",
                    mesh_redis_reader_error(rc->reader));

    return NGX_ERROR;
}


static void
mesh_redis_answer(mesh_redis_t *rc, mesh_redis_reply_t *reply)
{
    mesh_redis_cmd_t      *cmd;
    mesh_redis_verdict_t  *verdict;

    cmd = NULL;

    if (!ngx_queue_empty(&rc->commands)) {
        cmd = ngx_queue_data(ngx_queue_head(&rc->commands), mesh_redis_cmd_t,
                             queue);
    }

    if (cmd == NULL || !mesh_redis_sent(cmd)) {

        /* a server that ends a connection may say why */

        if (reply->kind == MESH_REDIS_ERROR) {
            mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "%V", &reply->str);

        } else {
            mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "answer to no command");
        }

        return;
    }

    ngx_queue_remove(&cmd->queue);

    if (cmd->step) {
        mesh_redis_setup_answer(rc, cmd, reply);

    } else {
        verdict = mesh_redis_verdict(reply);

        if (verdict != &mesh_redis_noscript
            || mesh_redis_reload(rc, cmd) != NGX_OK)
        {
            mesh_redis_complete(rc, cmd, verdict, reply);
        }
    }

    if (rc->phase == MESH_REDIS_PHASE_LEAVE
        && ngx_queue_empty(&rc->commands))
    {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "%V", &rc->reason);
    }
}


static void
mesh_redis_complete(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_verdict_t *verdict, mesh_redis_reply_t *reply)
{
    void                   *data;
    mesh_redis_handler_pt   handler;

    handler = cmd->handler;
    data = cmd->data;

    mesh_redis_release(rc, cmd);

    if (verdict->outcome == MESH_REDIS_ANSWERED) {
        rc->stats.answered++;

    } else {
        rc->stats.errors++;
    }

    if (verdict->complain && ngx_time() - rc->complained >= MESH_REDIS_COMPLAIN)
    {
        rc->complained = ngx_time();

        ngx_log_error(NGX_LOG_ERR, &rc->log, 0,
                      "redis \"%V\" refused a command: %V",
                      &rc->conf->name, &reply->str);
    }

    if (verdict->leave && rc->phase == MESH_REDIS_PHASE_READY) {
        mesh_redis_leave(rc, &reply->str);
    }

    if (handler) {
        handler(data, verdict->outcome, reply);
    }
}


static mesh_redis_verdict_t *
mesh_redis_verdict(mesh_redis_reply_t *reply)
{
    ngx_str_t             *str, *prefix;
    mesh_redis_verdict_t  *verdict;

    if (reply->kind != MESH_REDIS_ERROR) {
        return &mesh_redis_answered;
    }

    str = &reply->str;
    prefix = &mesh_redis_noscript.prefix;

    if (str->len >= prefix->len
        && ngx_memcmp(str->data, prefix->data, prefix->len) == 0)
    {
        return &mesh_redis_noscript;
    }

    for (verdict = mesh_redis_verdicts; verdict->prefix.len; verdict++) {
        prefix = &verdict->prefix;

        if (str->len >= prefix->len
            && ngx_memcmp(str->data, prefix->data, prefix->len) == 0)
        {
            break;
        }
    }

    return verdict;
}


/*
 * Loads the script, unless that is under way, and sends the same bytes again.
 * NGX_DECLINED: NOSCRIPT is the answer.
 */

static ngx_int_t
mesh_redis_reload(mesh_redis_t *rc, mesh_redis_cmd_t *cmd)
{
    size_t               size;
    mesh_redis_block_t  *old, *block;

    if (cmd->script == NULL
        || rc->phase != MESH_REDIS_PHASE_READY
        || ++cmd->tries > MESH_REDIS_TRIES)
    {
        return NGX_DECLINED;
    }

    if (!rc->loading[cmd->script->index]) {

        if (mesh_redis_load_script(rc, cmd->script) != NGX_OK) {
            return NGX_DECLINED;
        }

        rc->stats.reloads++;
    }

    old = cmd->block;
    size = cmd->last - cmd->start;

    block = mesh_redis_block_get(rc, size);
    if (block == NULL) {
        return NGX_DECLINED;
    }

    cmd->last = ngx_cpymem(block->buf.last, cmd->start, size);
    cmd->start = block->buf.last;

    mesh_redis_enqueue(rc, cmd, block);

    /* the last block cannot become free here: it has this command */

    if (--old->commands == 0) {
        ngx_free(old);
    }

    return NGX_OK;
}


mesh_redis_state_e
mesh_redis_state(mesh_redis_t *rc)
{
    switch (rc->phase) {

    case MESH_REDIS_PHASE_RESOLVE:
    case MESH_REDIS_PHASE_CONNECT:
    case MESH_REDIS_PHASE_SETUP:
        return MESH_REDIS_CONNECTING;

    case MESH_REDIS_PHASE_READY:
        return MESH_REDIS_READY;

    default: /* MESH_REDIS_PHASE_WAIT, MESH_REDIS_PHASE_LEAVE */
        return MESH_REDIS_DOWN;
    }
}


ngx_uint_t
mesh_redis_pending(mesh_redis_t *rc)
{
    return rc->pending;
}


mesh_redis_stats_t *
mesh_redis_stats(mesh_redis_t *rc)
{
    return &rc->stats;
}


ngx_str_t *
mesh_redis_reason(mesh_redis_t *rc)
{
    return &rc->reason;
}


ngx_str_t *
mesh_redis_run_id(mesh_redis_t *rc)
{
    return &rc->run_id;
}


ngx_str_t *
mesh_redis_replication_id(mesh_redis_t *rc)
{
    return &rc->replication_id;
}
