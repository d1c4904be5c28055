
/*
 * GET /gateway/history/<chain>[?node=]: sums by the minute and hour, of all
 * gateways of the region where Redis answers, else of this one.
 */


#include "ngx_gateway_select_answer.h"
#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_sync.h"


#define NGX_GATEWAY_SELECT_BUCKETS                                            \
    (NGX_GATEWAY_SELECT_MINUTES + NGX_GATEWAY_SELECT_HOURS)

/* a sum as JSON */
#define NGX_GATEWAY_SELECT_SUM_LEN                                            \
    (sizeof("{\"at\":\"\",\"tries\":,\"successes\":,\"latency\":,"            \
            "\"picked\":},\n")                                                \
     + NGX_GATEWAY_SELECT_TIME_LEN + 3 * NGX_INT64_LEN                        \
     + NGX_GATEWAY_SELECT_DOUBLE_LEN)


typedef struct {
    uint64_t                         tries;
    uint64_t                         successes;
    uint64_t                         latency;
    uint64_t                         latencies;
    uint64_t                         picked;
} ngx_gateway_select_total_t;


/* Buckets begin with the oldest minute, then the oldest hour. */

typedef struct {
    ngx_http_request_t              *request;
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_gateway_select_chain_sh_t   *chain;
    ngx_str_t                        name;       /* of the chain */
    ngx_str_t                        node;       /* empty: all */
    uint32_t                         minute;     /* the present one */
    const char                      *source;
    mesh_redis_cmd_t                *cmd;
    ngx_gateway_select_total_t       totals[NGX_GATEWAY_SELECT_BUCKETS];
} ngx_gateway_select_past_answer_t;


static ngx_int_t ngx_gateway_select_history_handler(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_history_ask(
    ngx_gateway_select_past_answer_t *past);
static void ngx_gateway_select_history_cleanup(void *data);
static void ngx_gateway_select_history_told(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static ngx_uint_t ngx_gateway_select_history_parse(
    ngx_gateway_select_past_answer_t *past, mesh_redis_reply_t *reply);
static void ngx_gateway_select_history_own(
    ngx_gateway_select_past_answer_t *past);
static ngx_uint_t ngx_gateway_select_history_bucket(
    ngx_gateway_select_past_answer_t *past, ngx_uint_t i, uint32_t *bucket);
static ngx_int_t ngx_gateway_select_history_answer(
    ngx_gateway_select_past_answer_t *past);
static u_char *ngx_gateway_select_history_list(
    ngx_gateway_select_past_answer_t *past, u_char *p, const char *name,
    ngx_uint_t from, ngx_uint_t to);


ngx_gateway_select_endpoint_t  ngx_gateway_select_history_endpoint = {
    ngx_gateway_select_history_handler
};


static ngx_int_t
ngx_gateway_select_history_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          name, node;
    ngx_gateway_select_chain_sh_t     *chain;
    ngx_gateway_select_main_conf_t    *gmcf;
    ngx_gateway_select_past_answer_t  *past;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    if (!ngx_gateway_select_accept(r, NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
                                   &rc))
    {
        return rc;
    }

    ngx_gateway_select_tail(r, &name);

    if (ngx_gateway_select_argument(r, "node", &node) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    chain = gmcf->shm_zone ? ngx_gateway_select_zone_chain(gmcf, &name)
                           : NULL;
    if (chain == NULL) {
        return ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                         "there is no chain", &name);
    }

    past = ngx_pcalloc(r->pool, sizeof(ngx_gateway_select_past_answer_t));
    if (past == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    past->request = r;
    past->gmcf = gmcf;
    past->chain = chain;
    past->name = name;
    past->node = node;
    past->minute = (uint32_t) (ngx_gateway_select_now() / 60000);
    past->source = "zone";

    if (gmcf->redis && ngx_gateway_select_history_ask(past) == NGX_OK) {
        r->main->count++;
        return NGX_DONE;
    }

    if (node.len
        && ngx_gateway_select_zone_find(gmcf, chain, &node) == NGX_DECLINED)
    {
        return ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                         "there is no node", &node);
    }

    ngx_gateway_select_history_own(past);

    return ngx_gateway_select_history_answer(past);
}


static ngx_int_t
ngx_gateway_select_history_ask(ngx_gateway_select_past_answer_t *past)
{
    u_char              *p;
    uint32_t             bucket;
    ngx_str_t           *argv;
    ngx_uint_t           i, hour;
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    pool = past->request->pool;

    argv = ngx_palloc(pool, (NGX_GATEWAY_SELECT_BUCKETS + 2)
                            * (sizeof(ngx_str_t)
                               + NGX_GATEWAY_SELECT_ROLLUP_LEN));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (argv == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) &argv[NGX_GATEWAY_SELECT_BUCKETS + 2];

    argv[0].data = p;
    p = ngx_sprintf(p, "gateway:{%V}:%s:%V", &past->name,
                    gateway_key_names[GATEWAY_KEY_PEERS],
                    ngx_gateway_select_region(past->gmcf));
    argv[0].len = p - argv[0].data;

    for (i = 0; i < NGX_GATEWAY_SELECT_BUCKETS; i++) {
        hour = ngx_gateway_select_history_bucket(past, i, &bucket);

        ngx_gateway_select_history_key(past->gmcf, past->chain, hour, bucket,
                                       &argv[i + 1], p);
        p += argv[i + 1].len;
    }

    argv[i + 1] = past->node;

    cln->handler = ngx_gateway_select_history_cleanup;
    cln->data = past;

    return ngx_gateway_select_sync_eval(past->gmcf, GATEWAY_SCRIPT_HISTORY,
                                        NGX_GATEWAY_SELECT_BUCKETS + 1,
                                        NGX_GATEWAY_SELECT_BUCKETS + 2, argv,
                                        ngx_gateway_select_history_told, past,
                                        &past->cmd);
}


/* The client is gone. */

static void
ngx_gateway_select_history_cleanup(void *data)
{
    ngx_gateway_select_past_answer_t *past = data;

    if (past->cmd) {
        mesh_redis_cancel(past->cmd);
    }
}


static void
ngx_gateway_select_history_told(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_gateway_select_past_answer_t *past = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = past->request;
    c = r->connection;

    past->cmd = NULL;

    if (outcome == MESH_REDIS_ANSWERED
        && reply->kind == MESH_REDIS_ARRAY
        && reply->nelts == NGX_GATEWAY_SELECT_BUCKETS)
    {
        past->source = "redis";
        (void) ngx_gateway_select_history_parse(past, reply);

    } else {
        ngx_gateway_select_history_own(past);
    }

    ngx_http_finalize_request(r, ngx_gateway_select_history_answer(past));
    ngx_http_run_posted_requests(c);
}


/* Gives how many buckets have sums. */

static ngx_uint_t
ngx_gateway_select_history_parse(ngx_gateway_select_past_answer_t *past,
    mesh_redis_reply_t *reply)
{
    u_char      *p, *last;
    uint64_t    *sums[5];
    ngx_uint_t   i, k, n;

    n = 0;

    for (i = 0; i < reply->nelts; i++) {

        sums[0] = &past->totals[i].tries;
        sums[1] = &past->totals[i].successes;
        sums[2] = &past->totals[i].latency;
        sums[3] = &past->totals[i].latencies;
        sums[4] = &past->totals[i].picked;

        p = reply->elts[i].str.data;
        last = p + reply->elts[i].str.len;

        n += (p != last);

        for (k = 0; k < 5 && p < last; p++) {

            if (*p == ' ') {
                k++;
                continue;
            }

            *sums[k] = *sums[k] * 10 + (*p - '0');
        }
    }

    return n;
}


/* What this gateway knows itself. */

static void
ngx_gateway_select_history_own(ngx_gateway_select_past_answer_t *past)
{
    uint32_t                     node, bucket;
    ngx_int_t                    slot;
    ngx_uint_t                   i;
    ngx_slab_pool_t             *shpool;
    ngx_gateway_select_sum_t    *sum;
    ngx_gateway_select_total_t  *total;

    node = NGX_GATEWAY_SELECT_ALL_NODES;

    if (past->node.len) {
        slot = ngx_gateway_select_zone_find(past->gmcf, past->chain,
                                            &past->node);
        if (slot == NGX_DECLINED) {
            return;
        }

        node = (uint32_t) slot;
    }

    shpool = ngx_gateway_select_zone(past->gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < NGX_GATEWAY_SELECT_BUCKETS; i++) {

        sum = ngx_gateway_select_history_bucket(past, i, &bucket)
              ? ngx_gateway_select_history_hour(past->chain, node, bucket)
              : ngx_gateway_select_history_minute(past->chain, node, bucket);

        if (sum == NULL) {
            continue;
        }

        total = &past->totals[i];

        total->tries = sum->tries;
        total->successes = sum->successes;
        total->latency = sum->latency;
        total->latencies = sum->latencies;
        total->picked = sum->picked;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


/* 1: an hour, else a minute */

static ngx_uint_t
ngx_gateway_select_history_bucket(ngx_gateway_select_past_answer_t *past,
    ngx_uint_t i, uint32_t *bucket)
{
    if (i < NGX_GATEWAY_SELECT_MINUTES) {
        *bucket = past->minute - (NGX_GATEWAY_SELECT_MINUTES - 1 - i);
        return 0;
    }

    *bucket = past->minute / 60 - (NGX_GATEWAY_SELECT_BUCKETS - 1 - i);

    return 1;
}


static ngx_int_t
ngx_gateway_select_history_answer(ngx_gateway_select_past_answer_t *past)
{
    u_char     *p;
    size_t      len;
    ngx_buf_t  *b;

    len = sizeof("{\"chain\":\"\",\"node\":\"\",\"region\":\"\","
                 "\"source\":\"redis\",\"minutes\":[],\"hours\":[]}\n")
          + ngx_gateway_select_text_len(&past->name)
          + ngx_gateway_select_text_len(&past->node)
          + ngx_gateway_select_region(past->gmcf)->len
          + NGX_GATEWAY_SELECT_BUCKETS * NGX_GATEWAY_SELECT_SUM_LEN;

    b = ngx_create_temp_buf(past->request->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_gateway_select_text(b->last, "{\"chain\":", &past->name);

    if (past->node.len) {
        p = ngx_gateway_select_text(p, ",\"node\":", &past->node);

    } else {
        p = ngx_cpymem(p, ",\"node\":null", sizeof(",\"node\":null") - 1);
    }

    p = ngx_sprintf(p, ",\"region\":\"%V\",\"source\":\"%s\"",
                    ngx_gateway_select_region(past->gmcf), past->source);

    p = ngx_gateway_select_history_list(past, p, ",\"minutes\":[", 0,
                                        NGX_GATEWAY_SELECT_MINUTES);
    p = ngx_gateway_select_history_list(past, p, ",\"hours\":[",
                                        NGX_GATEWAY_SELECT_MINUTES,
                                        NGX_GATEWAY_SELECT_BUCKETS);
    *p++ = '}';
    *p++ = LF;

    b->last = p;

    return ngx_gateway_select_answer(past->request, NGX_HTTP_OK, b);
}


static u_char *
ngx_gateway_select_history_list(ngx_gateway_select_past_answer_t *past,
    u_char *p, const char *name, ngx_uint_t from, ngx_uint_t to)
{
    u_char                      *start;
    uint32_t                     bucket;
    uint64_t                     at;
    ngx_uint_t                   i;
    ngx_gateway_select_total_t  *total;

    p = ngx_cpymem(p, name, ngx_strlen(name));
    start = p;

    for (i = from; i < to; i++) {

        total = &past->totals[i];

        if (total->tries == 0 && total->picked == 0) {
            continue;
        }

        at = ngx_gateway_select_history_bucket(past, i, &bucket) ? 3600000
                                                                 : 60000;
        at *= bucket;

        if (p != start) {
            *p++ = ',';
        }

        p = ngx_gateway_select_time(p, "\n{\"at\":", at);
        p = ngx_sprintf(p, ",\"tries\":%uL,\"successes\":%uL", total->tries,
                        total->successes);
        p = ngx_gateway_select_double(p, ",\"latency\":", total->latencies
                                      ? (double) total->latency
                                        / (double) total->latencies : 0);
        p = ngx_sprintf(p, ",\"picked\":%uL}", total->picked);
    }

    *p++ = ']';

    return p;
}
