
/*
 * State in Redis beside the relays: sessions, the nodes' last answers, the
 * length of the streams.
 */


#include "ngx_mesh_relay_script.h"


/*
 * A question to Redis.  It belongs to nobody who might be gone before it is
 * answered; those that are not are freed at exit.
 */

typedef struct {
    ngx_queue_t                           link;
    ngx_mesh_relay_main_conf_t           *mcf;
    void                                 *data;

    union {
        ngx_mesh_relay_store_session_pt   session;
        ngx_mesh_relay_store_node_pt      node;
        ngx_mesh_relay_queued_pt          queued;
    } handler;

    /* of a sum over nodes */
    ngx_uint_t                            left;
    ngx_int_t                             sum;
} ngx_mesh_relay_ask_t;


static ngx_mesh_relay_ask_t *ngx_mesh_relay_ask_create(
    ngx_mesh_relay_main_conf_t *mcf, void *data);
static ngx_int_t ngx_mesh_relay_ask_start(ngx_mesh_relay_ask_t *ask,
    ngx_int_t rc);
static void ngx_mesh_relay_ask_free(ngx_mesh_relay_ask_t *ask);
static void ngx_mesh_relay_session_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static int64_t ngx_mesh_relay_state_number(mesh_redis_reply_t *reply,
    int64_t none);
static void ngx_mesh_relay_node_kept(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_mesh_relay_queued_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);


static ngx_str_t  ngx_mesh_relay_session_fields[] = {
    ngx_string("s"),
    ngx_string("c"),
    ngx_string("x"),
    ngx_string("m"),
    ngx_string("d")
};


/* height, blocks per session, allowance, starting, catching up, wall time */

static ngx_str_t  ngx_mesh_relay_node_fields[] = {
    ngx_string("h"),
    ngx_string("b"),
    ngx_string("a"),
    ngx_string("s"),
    ngx_string("c"),
    ngx_string("t")
};


#define NGX_MESH_RELAY_SESSION_FIELDS                                         \
    (sizeof(ngx_mesh_relay_session_fields) / sizeof(ngx_str_t))
#define NGX_MESH_RELAY_NODE_FIELDS                                            \
    (sizeof(ngx_mesh_relay_node_fields) / sizeof(ngx_str_t))


static ngx_mesh_relay_ask_t *
ngx_mesh_relay_ask_create(ngx_mesh_relay_main_conf_t *mcf, void *data)
{
    ngx_mesh_relay_ask_t  *ask;

    ask = ngx_calloc(sizeof(ngx_mesh_relay_ask_t), ngx_cycle->log);
    if (ask == NULL) {
        return NULL;
    }

    ask->mcf = mcf;
    ask->data = data;

    ngx_queue_insert_tail(&mcf->store->asks, &ask->link);

    return ask;
}


static ngx_int_t
ngx_mesh_relay_ask_start(ngx_mesh_relay_ask_t *ask, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    ngx_mesh_relay_ask_free(ask);

    return NGX_ERROR;
}


static void
ngx_mesh_relay_ask_free(ngx_mesh_relay_ask_t *ask)
{
    ngx_queue_remove(&ask->link);
    ngx_free(ask);
}


void
ngx_mesh_relay_state_exit(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_queue_t            *q;
    ngx_mesh_relay_ask_t   *ask;

    while (!ngx_queue_empty(&mcf->store->asks)) {
        q = ngx_queue_head(&mcf->store->asks);
        ask = ngx_queue_data(q, ngx_mesh_relay_ask_t, link);

        ngx_mesh_relay_ask_free(ask);
    }
}


ngx_int_t
ngx_mesh_relay_store_session_get(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key,
    ngx_mesh_relay_store_session_pt handler, void *data)
{
    u_char                 buf[NGX_MESH_RELAY_KEY_MAX];
    ngx_str_t              argv[2 + NGX_MESH_RELAY_SESSION_FIELDS];
    ngx_mesh_relay_ask_t  *ask;

    ask = ngx_mesh_relay_ask_create(mcf, data);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->handler.session = handler;

    ngx_str_set(&argv[0], "HMGET");

    ngx_mesh_relay_key_join(&argv[1], buf,
               &ngx_mesh_relay_store_keys(mcf, key->servicer->node)->session,
               &key->id);

    ngx_memcpy(&argv[2], ngx_mesh_relay_session_fields,
               sizeof(ngx_mesh_relay_session_fields));

    return ngx_mesh_relay_ask_start(ask,
               mesh_redis_command(mcf->redis,
                                  2 + NGX_MESH_RELAY_SESSION_FIELDS, argv,
                                  ngx_mesh_relay_session_answer, ask, NULL));
}


ngx_int_t
ngx_mesh_relay_store_session_set(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_mesh_relay_store_session_t *in,
    ngx_mesh_relay_store_session_pt handler, void *data)
{
    u_char                  buf[NGX_MESH_RELAY_KEY_MAX];
    u_char                  height[NGX_INT64_LEN], code[NGX_INT64_LEN];
    u_char                  count[NGX_INT64_LEN];
    ngx_str_t               argv[10];
    ngx_mesh_relay_ask_t   *ask;
    ngx_mesh_relay_keys_t  *keys;

    ask = ngx_mesh_relay_ask_create(mcf, data);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->handler.session = handler;

    keys = ngx_mesh_relay_store_keys(mcf, key->servicer->node);

    ngx_mesh_relay_key_join(&argv[0], buf, &keys->session, &key->id);
    argv[1] = keys->ledger;
    argv[2] = keys->sessions;
    argv[3] = key->id;
    argv[4].data = height;
    argv[4].len = ngx_sprintf(height, "%L", key->height) - height;
    argv[5].len = 1;
    argv[5].data = (u_char *) (in->valid ? "v" : "i");
    argv[6].data = code;
    argv[6].len = ngx_sprintf(code, "%ui", in->code) - code;
    argv[7] = in->message;
    argv[8].data = count;
    argv[8].len = ngx_sprintf(count, "%L", in->remaining) - count;
    argv[9] = in->dispatch;

    return ngx_mesh_relay_ask_start(ask,
               ngx_mesh_relay_script_eval(mcf, mcf->redis,
                                  NGX_MESH_RELAY_SCRIPT_SESSION, 3, 10, argv,
                                  ngx_mesh_relay_session_answer, ask, NULL));
}


static void
ngx_mesh_relay_session_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_ask_t *ask = data;

    mesh_redis_reply_t               *elt;
    ngx_mesh_relay_store_session_t    s, *result;

    ngx_memzero(&s, sizeof(ngx_mesh_relay_store_session_t));

    result = NULL;

    if (outcome == MESH_REDIS_ANSWERED
        && reply->kind == MESH_REDIS_ARRAY
        && reply->nelts == NGX_MESH_RELAY_SESSION_FIELDS)
    {
        elt = reply->elts;
        result = &s;

        s.found = (elt[0].kind == MESH_REDIS_STRING && elt[0].str.len);
        s.valid = s.found && elt[0].str.data[0] == 'v';
        s.code = (ngx_uint_t) ngx_mesh_relay_state_number(&elt[1], 0);
        s.remaining = ngx_mesh_relay_state_number(&elt[3], -1);

        if (elt[2].kind == MESH_REDIS_STRING) {
            s.message = elt[2].str;
        }

        if (elt[4].kind == MESH_REDIS_STRING) {
            s.dispatch = elt[4].str;
        }

    } else if (reply && outcome != MESH_REDIS_REFUSED) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "redis \"%V\" did not answer for a session: %V",
                      &ask->mcf->mesh.redis->name, &reply->str);
    }

    ask->handler.session(ask->data, result);

    ngx_mesh_relay_ask_free(ask);
}


/* -1 is the only negative number in Redis: there is no count */

static int64_t
ngx_mesh_relay_state_number(mesh_redis_reply_t *reply, int64_t none)
{
    off_t  n;

    if (reply->kind != MESH_REDIS_STRING) {
        return none;
    }

    n = ngx_atoof(reply->str.data, reply->str.len);

    return (n == NGX_ERROR) ? none : n;
}


void
ngx_mesh_relay_store_node_set(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, pocket_node_status_t *status, time_t at)
{
    u_char      buf[NGX_MESH_RELAY_NODE_FIELDS][NGX_INT64_LEN];
    int64_t     values[NGX_MESH_RELAY_NODE_FIELDS];
    ngx_str_t   argv[2 + 2 * NGX_MESH_RELAY_NODE_FIELDS];
    ngx_uint_t  i;

    if (mcf->store == NULL) {
        return;
    }

    values[0] = status->height;
    values[1] = status->blocks_per_session;
    values[2] = status->client_session_sync_allowance;
    values[3] = status->is_starting;
    values[4] = status->is_catching_up;
    values[5] = at;

    ngx_str_set(&argv[0], "HSET");
    argv[1] = ngx_mesh_relay_store_keys(mcf, node)->node;

    for (i = 0; i < NGX_MESH_RELAY_NODE_FIELDS; i++) {
        argv[2 + 2 * i] = ngx_mesh_relay_node_fields[i];
        argv[3 + 2 * i].data = buf[i];
        argv[3 + 2 * i].len = ngx_sprintf(buf[i], "%L", values[i]) - buf[i];
    }

    /* one lost is made good by the next check */

    (void) mesh_redis_command(mcf->redis, 2 + 2 * NGX_MESH_RELAY_NODE_FIELDS,
                              argv, NULL, NULL, NULL);
}


ngx_int_t
ngx_mesh_relay_store_node_get(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, ngx_mesh_relay_store_node_pt handler,
    void *data)
{
    ngx_str_t              argv[2 + NGX_MESH_RELAY_NODE_FIELDS];
    ngx_mesh_relay_ask_t  *ask;

    if (mcf->store == NULL) {
        return NGX_ERROR;
    }

    ask = ngx_mesh_relay_ask_create(mcf, data);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->handler.node = handler;

    ngx_str_set(&argv[0], "HMGET");
    argv[1] = ngx_mesh_relay_store_keys(mcf, node)->node;
    ngx_memcpy(&argv[2], ngx_mesh_relay_node_fields,
               sizeof(ngx_mesh_relay_node_fields));

    return ngx_mesh_relay_ask_start(ask,
               mesh_redis_command(mcf->redis, 2 + NGX_MESH_RELAY_NODE_FIELDS,
                                  argv, ngx_mesh_relay_node_kept, ask, NULL));
}


static void
ngx_mesh_relay_node_kept(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_ask_t *ask = data;

    time_t                 at;
    mesh_redis_reply_t    *elt;
    pocket_node_status_t   status, *result;

    ngx_memzero(&status, sizeof(pocket_node_status_t));

    at = 0;
    result = NULL;

    if (outcome == MESH_REDIS_ANSWERED
        && reply->kind == MESH_REDIS_ARRAY
        && reply->nelts == NGX_MESH_RELAY_NODE_FIELDS
        && reply->elts[0].kind == MESH_REDIS_STRING)
    {
        elt = reply->elts;
        result = &status;

        status.height = ngx_mesh_relay_state_number(&elt[0], 0);
        status.blocks_per_session = ngx_mesh_relay_state_number(&elt[1], 0);
        status.client_session_sync_allowance =
                                    ngx_mesh_relay_state_number(&elt[2], 0);
        status.is_starting = (ngx_mesh_relay_state_number(&elt[3], 0) == 1);
        status.is_catching_up =
                            (ngx_mesh_relay_state_number(&elt[4], 0) == 1);
        at = (time_t) ngx_mesh_relay_state_number(&elt[5], 0);
    }

    ask->handler.node(ask->data, result, at);

    ngx_mesh_relay_ask_free(ask);
}


/* of several commands, those issued are answered whatever becomes of others */

ngx_int_t
ngx_mesh_relay_store_queued(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_queued_pt handler, void *data)
{
    ngx_str_t               argv[2];
    ngx_uint_t              i;
    ngx_mesh_relay_ask_t   *ask;
    ngx_mesh_relay_node_t  *node;

    ask = ngx_mesh_relay_ask_create(mcf, data);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->handler.queued = handler;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {

        ngx_str_set(&argv[0], "XLEN");
        argv[1] = ngx_mesh_relay_store_keys(mcf, &node[i])->relays;

        if (mesh_redis_command(mcf->redis, 2, argv,
                               ngx_mesh_relay_queued_answer, ask, NULL)
            == NGX_OK)
        {
            ask->left++;
            continue;
        }

        ask->sum = NGX_ERROR;
        break;
    }

    return ngx_mesh_relay_ask_start(ask, ask->left ? NGX_OK : NGX_ERROR);
}


static void
ngx_mesh_relay_queued_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_ask_t *ask = data;

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_INTEGER)
    {
        ask->sum = NGX_ERROR;

    } else if (ask->sum != NGX_ERROR) {
        ask->sum += (ngx_int_t) reply->integer;
    }

    if (--ask->left == 0) {
        ask->handler.queued(ask->data, ask->sum);
        ngx_mesh_relay_ask_free(ask);
    }
}


uint64_t
ngx_mesh_relay_store_clock(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


void
ngx_mesh_relay_store_time(ngx_str_t *text, u_char *buf)
{
    text->data = buf;
    text->len = ngx_sprintf(buf, "%uL", ngx_mesh_relay_store_clock()) - buf;
}


void
ngx_mesh_relay_store_moment(ngx_mesh_relay_main_conf_t *mcf, ngx_msec_t at,
    ngx_str_t *text, u_char *buf)
{
    text->data = buf;
    text->len = ngx_sprintf(buf, "%016xL:%M", ngx_mesh_relay_zone_id(mcf), at)
                - buf;
}


ngx_int_t
ngx_mesh_relay_store_moment_read(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *text, ngx_msec_t *at)
{
    off_t      ms;
    size_t     len;
    u_char     buf[NGX_MESH_RELAY_MOMENT_LEN];
    ngx_str_t  ours;

    ngx_mesh_relay_store_moment(mcf, 0, &ours, buf);

    /* without its "0" */

    len = ours.len - 1;

    if (text->len <= len || ngx_memcmp(text->data, buf, len) != 0) {
        return NGX_DECLINED;
    }

    ms = ngx_atoof(text->data + len, text->len - len);

    if (ms == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *at = (ngx_msec_t) ms;

    return NGX_OK;
}
