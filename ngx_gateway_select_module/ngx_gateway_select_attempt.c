
/*
 * One attempt of a call: a node is picked and asked, its answer is held and
 * judged.
 */


#include "ngx_gateway_select_metrics.h"


/* tries in flight that are enough for a node, of all workers, and a host */

#define NGX_GATEWAY_SELECT_NODE_BUSY     256
#define NGX_GATEWAY_SELECT_HOST_BUSY     1024

/* a hedge is not begun before, ms */

#define NGX_GATEWAY_SELECT_HEDGE_LEAST   10

#define NGX_GATEWAY_SELECT_ATTEMPT_POOL  4096

/* bytes of an answer that are held even where it is not held as a whole */

#define NGX_GATEWAY_SELECT_STREAM_AFTER  65536


static ngx_gateway_select_attempt_t *ngx_gateway_select_attempt_create(
    ngx_gateway_select_call_t *call);
static ngx_int_t ngx_gateway_select_attempt_pick(
    ngx_gateway_select_attempt_t *attempt, mesh_http_url_t **url);
static mesh_http_url_t *ngx_gateway_select_attempt_server(
    ngx_gateway_select_attempt_t *attempt);
static ngx_int_t ngx_gateway_select_attempt_send(
    ngx_gateway_select_attempt_t *attempt, mesh_http_url_t *url);
static ngx_int_t ngx_gateway_select_attempt_begin(
    ngx_gateway_select_attempt_t *attempt);
static ngx_int_t ngx_gateway_select_attempt_sink(void *data,
    mesh_http_result_t *result, u_char *p, size_t n);
static ngx_int_t ngx_gateway_select_attempt_stream(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);
static void ngx_gateway_select_attempt_done(void *data,
    mesh_http_result_t *result);
static void ngx_gateway_select_attempt_left(void *data,
    mesh_http_result_t *result);
static gateway_try_e ngx_gateway_select_attempt_judge(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);
static gateway_fault_e ngx_gateway_select_attempt_fault(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);
static ngx_int_t ngx_gateway_select_attempt_type(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);
static void ngx_gateway_select_attempt_told(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result,
    gateway_try_e how);


ngx_int_t
ngx_gateway_select_attempt(ngx_gateway_select_call_t *call)
{
    ngx_int_t                      rc;
    mesh_http_url_t               *url;
    ngx_gateway_select_attempt_t  *attempt;

    attempt = ngx_gateway_select_attempt_create(call);

    if (attempt == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_gateway_select_attempt_pick(attempt, &url);

    if (rc == NGX_OK) {
        rc = ngx_gateway_select_attempt_send(attempt, url);
    }

    if (rc != NGX_OK) {
        ngx_destroy_pool(attempt->pool);
        attempt->pool = NULL;
        return rc;
    }

    return ngx_gateway_select_attempt_begin(attempt);
}


ngx_int_t
ngx_gateway_select_attempt_altruist(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_attempt_t  *attempt;

    attempt = ngx_gateway_select_attempt_create(call);

    if (attempt == NULL) {
        return NGX_ERROR;
    }

    attempt->altruist = 1;

    ngx_str_set(&attempt->node, "altruist");

    if (ngx_gateway_select_attempt_send(attempt, call->chain->altruist)
        != NGX_OK)
    {
        ngx_destroy_pool(attempt->pool);
        return NGX_ERROR;
    }

    attempt->begun = ngx_current_msec;

    call->attempts[call->n++] = attempt;
    call->open++;

    return NGX_OK;
}


static ngx_gateway_select_attempt_t *
ngx_gateway_select_attempt_create(ngx_gateway_select_call_t *call)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_gateway_select_attempt_t  *attempt;

    attempt = ngx_pcalloc(call->request->pool,
                          sizeof(ngx_gateway_select_attempt_t));
    if (attempt == NULL) {
        return NULL;
    }

    attempt->pool = ngx_create_pool(NGX_GATEWAY_SELECT_ATTEMPT_POOL,
                                    call->request->connection->log);
    if (attempt->pool == NULL) {
        return NULL;
    }

    clcf = ngx_http_get_module_loc_conf(call->request, ngx_http_core_module);

    attempt->call = call;
    attempt->hedging = call->hedging;
    attempt->hold.pool = attempt->pool;
    attempt->hold.path = clcf->client_body_temp_path;
    attempt->hold.memory = call->glcf->buffer;
    attempt->hold.limit = call->glcf->max_answer;

    if (call->edited) {
        attempt->hold.memory = (size_t) attempt->hold.limit;
    }

    gateway_scan_answer(&attempt->scan, call->dialect, call->asked.want);
    attempt->scan.identify = (call->asked.nids != 0);

    return attempt;
}


/* A node that has too much to do already is as good as tried. */

static ngx_int_t
ngx_gateway_select_attempt_pick(ngx_gateway_select_attempt_t *attempt,
    mesh_http_url_t **url)
{
    ngx_int_t                    rc;
    ngx_gateway_select_call_t   *call;
    ngx_gateway_select_pick_t   *pick;

    call = attempt->call;
    pick = &attempt->pick;

    while (call->tried.n < NGX_GATEWAY_SELECT_TRIED_MAX) {

        call->reason = ngx_gateway_select_target(call, pick);

        if (call->reason != NGX_GATEWAY_SELECT_FOUND) {
            return NGX_DECLINED;
        }

        ngx_gateway_select_tried_add(&call->tried, pick);

        if (ngx_gateway_select_inflight(pick->chain, pick->node)
            >= NGX_GATEWAY_SELECT_NODE_BUSY)
        {
            continue;
        }

        if (pick->session == NGX_GATEWAY_SELECT_NO_SESSION) {
            attempt->relay = NULL;
            *url = ngx_gateway_select_attempt_server(attempt);

        } else {
            rc = ngx_gateway_select_servicer(attempt);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            *url = (rc == NGX_OK) ? &attempt->relay->url : NULL;
        }

        if (*url && mesh_http_url_busy(*url) < NGX_GATEWAY_SELECT_HOST_BUSY) {
            return NGX_OK;
        }
    }

    call->reason = NGX_GATEWAY_SELECT_TRIED;

    return NGX_DECLINED;
}


static mesh_http_url_t *
ngx_gateway_select_attempt_server(ngx_gateway_select_attempt_t *attempt)
{
    ngx_uint_t                    i;
    ngx_gateway_select_chain_t   *chain;
    ngx_gateway_select_server_t  *servers;

    chain = attempt->call->chain;
    servers = chain->servers.elts;

    for (i = 0; i < chain->servers.nelts; i++) {
        if (servers[i].node == attempt->pick.node) {
            attempt->node = servers[i].name;
            return servers[i].url;
        }
    }

    return NULL;
}


/* To a server as the caller sent it, below the URL's own path. */

static ngx_int_t
ngx_gateway_select_attempt_send(ngx_gateway_select_attempt_t *attempt,
    mesh_http_url_t *url)
{
    ngx_msec_t                  left;
    mesh_http_request_t         rq;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    ngx_memzero(&rq, sizeof(mesh_http_request_t));

    left = call->deadline - ngx_current_msec;

    rq.timeout = ngx_min(call->chain->timeout, left);
    rq.read_timeout = rq.timeout;
    rq.max_body = call->glcf->max_answer;
    rq.once = call->write;

    if (attempt->relay) {
        attempt->exchange = ngx_gateway_select_servicer_send(attempt, &rq,
                                             ngx_gateway_select_attempt_done);

        return attempt->exchange ? NGX_OK : NGX_ERROR;
    }

    rq.method = call->request->method_name;
    rq.url = url;
    rq.path = call->path;
    rq.args = call->args;
    rq.headers = call->headers.elts;
    rq.nheaders = call->headers.nelts;
    rq.body = call->body;
    rq.sink = ngx_gateway_select_attempt_sink;

    attempt->exchange = mesh_http_send(call->gmcf->http, &rq,
                                       ngx_gateway_select_attempt_done,
                                       attempt);

    return attempt->exchange ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_gateway_select_attempt_begin(ngx_gateway_select_attempt_t *attempt)
{
    double                      p95;
    gateway_record_t           *record;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    record = &ngx_gateway_select_node(attempt->pick.chain,
                                      attempt->pick.node)->record;

    attempt->begun = ngx_current_msec;
    attempt->patience = (ngx_msec_t) gateway_record_patience(record,
                                                        &call->chain->record);

    p95 = gateway_record_quantile(record, &call->chain->record, 0.95);

    attempt->hedge = ngx_max((ngx_msec_t) p95,
                             NGX_GATEWAY_SELECT_HEDGE_LEAST);

    /* it is lower than what the caller was told, and so are all others */

    call->back = (record->height < call->tried.min_height);

    ngx_gateway_select_begin(&attempt->pick);
    attempt->begun_pick = 1;

    call->attempts[call->n++] = attempt;
    call->open++;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_attempt_sink(void *data, mesh_http_result_t *result,
    u_char *p, size_t n)
{
    return ngx_gateway_select_attempt_take(data, result, p, n);
}


ngx_int_t
ngx_gateway_select_attempt_take(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result, u_char *p, size_t n)
{
    ngx_int_t  rc;

    if (!attempt->scan.done) {
        (void) gateway_scan(&attempt->scan, p, n);
    }

    rc = ngx_gateway_select_hold_add(&attempt->hold, p, n,
                                     attempt->call->request->connection->log);

    if (rc == NGX_DECLINED) {
        attempt->too_long = 1;
    }

    if (rc == NGX_OK
        && attempt->hold.size >= NGX_GATEWAY_SELECT_STREAM_AFTER
        && !attempt->call->verify
        && !attempt->call->edited)
    {
        return ngx_gateway_select_attempt_stream(attempt, result);
    }

    return rc;
}


/* What an answer begins with must be good before the caller sees it. */

static ngx_int_t
ngx_gateway_select_attempt_stream(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    gateway_fault_e             fault;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    if (call->stream == NULL) {

        if (call->request != call->request->main) {
            return NGX_OK;
        }

        attempt->status = attempt->relay ? NGX_HTTP_OK : result->status;

        fault = ngx_gateway_select_attempt_fault(attempt, result);

        if (fault != GATEWAY_FAULT_NONE && fault != GATEWAY_FAULT_CALLER) {
            return NGX_OK;
        }

        if (ngx_gateway_select_attempt_type(attempt, result) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_gateway_select_stream_more(attempt);

    return NGX_OK;
}


static void
ngx_gateway_select_attempt_done(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_attempt_t *attempt = data;

    gateway_try_e               how;
    ngx_connection_t           *c;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;
    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    attempt->exchange = NULL;
    attempt->sent = result->sent;
    attempt->became = result->sent ? NGX_GATEWAY_SELECT_BECAME_TIMEOUTS
                                   : NGX_GATEWAY_SELECT_BECAME_NOTHING;
    call->open--;

    how = ngx_gateway_select_attempt_judge(attempt, result);
    how = ngx_gateway_select_target_judge(attempt, result, how);

    ngx_gateway_select_attempt_told(attempt, result, how);

    ngx_gateway_select_call_ended(attempt);

    ngx_http_run_posted_requests(c);
}


static gateway_try_e
ngx_gateway_select_attempt_judge(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    gateway_try_e  how;

    switch (result->outcome) {

    case MESH_HTTP_OK:
        break;

    case MESH_HTTP_CANCELED:
    case MESH_HTTP_INTERNAL:
        return GATEWAY_TRY_CENSORED;

    case MESH_HTTP_TOO_LARGE:
        attempt->too_long = 1;
        return GATEWAY_TRY_FAILED;

    case MESH_HTTP_REFUSED:

        if (attempt->garbled) {
            break;
        }

        return attempt->too_long ? GATEWAY_TRY_FAILED : GATEWAY_TRY_CENSORED;

    default:
        return GATEWAY_TRY_LOST;
    }

    attempt->status = result->status;

    if (attempt->relay) {
        how = ngx_gateway_select_servicer_judge(attempt, result);

        if (how != GATEWAY_TRY_OK) {
            return how;
        }
    }

    attempt->fault = ngx_gateway_select_attempt_fault(attempt, result);

    if (attempt->call->stream != attempt
        && ngx_gateway_select_attempt_type(attempt, result) != NGX_OK)
    {
        return GATEWAY_TRY_CENSORED;
    }

    attempt->held = 1;

    return gateway_fault_try(attempt->fault);
}


/* The body tells more than the status; a limit is one, whatever it says. */

static gateway_fault_e
ngx_gateway_select_attempt_fault(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    gateway_fault_e   fault;
    gateway_call_t   *asked;

    asked = &attempt->call->asked;

    fault = gateway_fault_status((uint32_t) attempt->status,
                                 mesh_http_header(result, "Retry-After")
                                 != NULL, asked->rpc);

    if (fault != GATEWAY_FAULT_QUOTA
        && (fault == GATEWAY_FAULT_NONE || attempt->scan.fault))
    {
        fault = gateway_scan_fault(&attempt->scan, asked->rpc);
    }

    if (fault != GATEWAY_FAULT_NONE && fault != GATEWAY_FAULT_CALLER) {
        return fault;
    }

    /* JSON-RPC that has no answer in it, half of one, or somebody else's */

    if (asked->rpc
        && (!attempt->scan.json
            || !attempt->scan.done
            || gateway_call_stranger(asked, &attempt->scan)))
    {
        return GATEWAY_FAULT_NODE;
    }

    return fault;
}


/* Of a servicer only the text of the response is known. */

static ngx_int_t
ngx_gateway_select_attempt_type(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result)
{
    ngx_str_t   *encoding;
    ngx_pool_t  *pool;

    if (attempt->relay) {

        if (attempt->scan.json) {
            ngx_str_set(&attempt->content_type, "application/json");

        } else {
            ngx_str_set(&attempt->content_type, "text/plain");
        }

        return NGX_OK;
    }

    /* the request is logged when attempts have ended */

    pool = attempt->call->request->pool;

    attempt->content_type.len = result->content_type.len;
    attempt->content_type.data = ngx_pstrdup(pool, &result->content_type);
    if (attempt->content_type.data == NULL) {
        return NGX_ERROR;
    }

    encoding = mesh_http_header(result, "Content-Encoding");

    if (encoding) {
        attempt->encoding.len = encoding->len;
        attempt->encoding.data = ngx_pstrdup(pool, encoding);
        if (attempt->encoding.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_gateway_select_attempt_told(ngx_gateway_select_attempt_t *attempt,
    mesh_http_result_t *result, gateway_try_e how)
{
    ngx_msec_t                     pause;
    ngx_uint_t                     good;
    ngx_gateway_select_call_t     *call;
    ngx_gateway_select_metrics_t  *metrics;

    call = attempt->call;

    if (how != GATEWAY_TRY_OK) {
        ngx_log_error(NGX_LOG_INFO, call->request->connection->log, 0,
                      "node \"%V\" of chain \"%V\" failed a call: %s, "
                      "status %ui, fault %d, %M ms", &attempt->node,
                      &call->name,
                      result->outcome == MESH_HTTP_OK
                      ? "answered" : result->reason,
                      result->status, (int) attempt->fault, result->time);
    }

    if (attempt->altruist) {
        good = (how == GATEWAY_TRY_OK);
        metrics = ngx_gateway_select_metrics(call->shared);

        (void) ngx_atomic_fetch_add(&metrics->altruist[good], 1);
        ngx_gateway_select_budget_altruist_told(call, good);
        return;
    }

    if (how == GATEWAY_TRY_QUOTA) {
        pause = ngx_gateway_select_retry_after(
                                    mesh_http_header(result, "Retry-After"));
        if (pause) {
            ngx_gateway_select_pace(&attempt->pick, pause);
        }
    }

    if (how == GATEWAY_TRY_OK && attempt->scan.height) {
        ngx_gateway_select_height(&attempt->pick, attempt->scan.height);
    }

    ngx_gateway_select_end(&attempt->pick, how, result->time);
    attempt->begun_pick = 0;
}


void
ngx_gateway_select_attempt_cancel(ngx_gateway_select_attempt_t *attempt)
{
    if (attempt->exchange) {

        if (attempt->relay) {
            ngx_gateway_select_servicer_cancel(attempt);
        }

        mesh_http_cancel(attempt->exchange);
        attempt->exchange = NULL;
        attempt->call->open--;

        if (attempt->altruist) {
            ngx_gateway_select_budget_altruist_told(attempt->call, 0);
        }
    }

    if (attempt->begun_pick) {
        ngx_gateway_select_end(&attempt->pick, GATEWAY_TRY_CENSORED,
                               ngx_current_msec - attempt->begun);
        attempt->begun_pick = 0;
    }
}


void
ngx_gateway_select_attempt_leave(ngx_gateway_select_attempt_t *attempt)
{
    ngx_msec_int_t  left;

    if (attempt->exchange == NULL
        || !attempt->begun_pick
        || attempt->late)
    {
        ngx_gateway_select_attempt_cancel(attempt);
        return;
    }

    if (attempt->relay) {
        ngx_gateway_select_servicer_cancel(attempt);
    }

    left = (ngx_msec_int_t) (attempt->begun + attempt->patience
                             - ngx_current_msec);

    if (mesh_http_leave(attempt->exchange, ngx_gateway_select_attempt_left,
                        &attempt->pick, sizeof(ngx_gateway_select_pick_t),
                        (ngx_msec_t) ngx_max(left, 1))
        != NGX_OK)
    {
        ngx_gateway_select_attempt_cancel(attempt);
        return;
    }

    attempt->exchange = NULL;
    attempt->begun_pick = 0;
    attempt->call->open--;
}


/* Nobody has looked into the answer: only that there is one is known. */

static void
ngx_gateway_select_attempt_left(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_pick_t *pick = data;

    gateway_try_e  how;

    how = GATEWAY_TRY_CENSORED;

    if (result->outcome == MESH_HTTP_TIMEOUT) {
        ngx_gateway_select_overdue(pick);

    } else if (result->outcome == MESH_HTTP_CLOSED) {
        how = GATEWAY_TRY_LOST;
    }

    ngx_gateway_select_end(pick, how, result->time);
}
