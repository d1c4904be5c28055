
/*
 * The balancer of an upstream{}: a request's tries, and how each ended.
 *
 * nginx's own round robin keeps the peers, their connections and sessions;
 * only the choice and the feedback are ours.  max_fails and fail_timeout do
 * nothing here: nodes are put out by their records.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_fault.h"
#include "ngx_gateway_select_balance.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_upstream.h"


#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
#define ngx_gateway_select_peer_ref(peers, peer)                              \
    ngx_http_upstream_rr_peer_ref(peers, peer)
#else
#define ngx_gateway_select_peer_ref(peers, peer)
#endif


static ngx_int_t ngx_gateway_select_balance_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_gateway_select_balance_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_gateway_select_balance_begin(ngx_gateway_select_balance_t *b);
static void ngx_gateway_select_balance_late(ngx_event_t *ev);
static ngx_uint_t ngx_gateway_select_balance_stale(
    ngx_gateway_select_balance_t *b, ngx_peer_connection_t *pc,
    ngx_uint_t state);
static void ngx_gateway_select_balance_judge(ngx_gateway_select_balance_t *b,
    ngx_peer_connection_t *pc, ngx_uint_t state);
static gateway_try_e ngx_gateway_select_balance_verdict(
    ngx_gateway_select_balance_t *b, ngx_peer_connection_t *pc);
static ngx_atomic_uint_t ngx_gateway_select_balance_wrong(
    ngx_gateway_select_balance_t *b);
static ngx_uint_t ngx_gateway_select_balance_broken(ngx_http_request_t *r,
    ngx_peer_connection_t *pc);
static ngx_str_t *ngx_gateway_select_balance_retry_after(
    ngx_http_upstream_t *u);
static void ngx_gateway_select_balance_count(void *data);


ngx_int_t
ngx_gateway_select_balance_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_str_t                                value;
    ngx_pool_cleanup_t                      *cln;
    ngx_gateway_select_pool_t               *pool;
    ngx_gateway_select_balance_t            *b;
    ngx_gateway_select_upstream_loc_conf_t  *glcf;

    pool = ngx_http_conf_upstream_srv_conf(us,
                                          ngx_gateway_select_upstream_module);

    b = ngx_pcalloc(r->pool, sizeof(ngx_gateway_select_balance_t));
    if (b == NULL) {
        return NGX_ERROR;
    }

    r->upstream->peer.data = &b->rrp;

    if (ngx_http_upstream_init_round_robin_peer(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    b->request = r;
    b->pool = pool;
    b->past.home = NGX_GATEWAY_SELECT_NO_NODE;
    b->begun = ngx_current_msec;
    b->ended = ngx_current_msec;

    if (pool->chain->sh) {
        cln->handler = ngx_gateway_select_balance_count;
        cln->data = b;
    }

    if (pool->sticky) {

        if (ngx_http_complex_value(r, pool->sticky, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len) {
            b->past.sticky = 1;
            b->past.key = ngx_crc32_long(value.data, value.len);
            b->past.key = b->past.key << 32
                          | ngx_murmur_hash2(value.data, value.len);

            if (pool->chain->sh) {
                b->past.home = ngx_gateway_select_client_node(pool->chain->sh,
                                                              b->past.key,
                                                        pool->sticky_time);
            }
        }
    }

    if (pool->chain->sh && pool->chain->family != NGX_GATEWAY_SELECT_NONE) {
        glcf = ngx_http_get_module_loc_conf(r,
                                          ngx_gateway_select_upstream_module);

        b->client = ngx_gateway_select_client_key(r, glcf->client,
                                                  pool->chain->sh);
        b->past.tried.min_height = ngx_gateway_select_client_height(
                                            pool->chain->sh->sh, b->client);
    }

    /* no later try could be told from those before */

    r->upstream->peer.tries = ngx_min(r->upstream->peer.tries,
                                      NGX_GATEWAY_SELECT_TRIED_MAX);

    r->upstream->peer.get = ngx_gateway_select_balance_get;
    r->upstream->peer.free = ngx_gateway_select_balance_free;

    ngx_http_set_ctx(r, b, ngx_gateway_select_upstream_module);

    return NGX_OK;
}


ngx_gateway_select_balance_t *
ngx_gateway_select_balance(ngx_http_request_t *r)
{
    ngx_gateway_select_balance_t  *b;

    b = ngx_http_get_module_ctx(r, ngx_gateway_select_upstream_module);

    return (b && b->trying) ? b : NULL;
}


static ngx_int_t
ngx_gateway_select_balance_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_gateway_select_balance_t *b = data;

    ngx_gateway_select_member_t  *member;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "gateway select get peer, try: %ui", pc->tries);

    pc->cached = 0;
    pc->connection = NULL;

    ngx_gateway_select_pool_lock(b->pool);

    if (ngx_gateway_select_pool_view(b->pool) != NGX_OK) {
        ngx_gateway_select_pool_unlock(b->pool);
        return NGX_ERROR;
    }

    member = ngx_gateway_select_pool_choose(b->pool, &b->past, &b->pick);

    if (member == NULL) {
        pc->name = b->rrp.peers->name;
        ngx_gateway_select_pool_unlock(b->pool);
        return NGX_BUSY;
    }

    b->member = *member;
    b->rrp.peers = member->peers;
    b->rrp.current = member->peer;

    ngx_http_upstream_rr_peer_lock(member->peers, member->peer);

    member->peer->conns++;
    ngx_gateway_select_peer_ref(member->peers, member->peer);

    ngx_http_upstream_rr_peer_unlock(member->peers, member->peer);

    pc->sockaddr = member->peer->sockaddr;
    pc->socklen = member->peer->socklen;
    pc->name = &member->peer->name;

#ifdef NGX_HTTP_UPSTREAM_SID
    pc->sid = &member->peer->sid;
#endif

    ngx_gateway_select_pool_unlock(b->pool);

    ngx_gateway_select_pool_tried(&b->past, &b->member, &b->pick);

    ngx_gateway_select_balance_begin(b);

    return NGX_OK;
}


static void
ngx_gateway_select_balance_begin(ngx_gateway_select_balance_t *b)
{
    uint64_t                    patience;
    ngx_connection_t           *c;
    ngx_gateway_select_node_t  *node;

    b->trying = 1;
    b->tries++;
    b->scan = NULL;
    b->back = 0;

    if (b->pick.chain == NULL) {
        return;
    }

    node = ngx_gateway_select_node(b->pick.chain, b->pick.node);

    b->back = (node->record.height < b->past.tried.min_height
               && node->fresh.height < b->past.tried.min_height);

    ngx_gateway_select_begin(&b->pick);

    patience = gateway_record_patience(&node->record,
                                       &b->pool->chain->record);

    c = b->request->connection;

    b->overdue.handler = ngx_gateway_select_balance_late;
    b->overdue.data = c;
    b->overdue.log = c->log;
    b->overdue.cancelable = 1;

    ngx_add_timer(&b->overdue, (ngx_msec_t) patience);
}


/* Its end may be far away: it counts before it. */

static void
ngx_gateway_select_balance_late(ngx_event_t *ev)
{
    ngx_gateway_select_balance_t  *b;

    b = (ngx_gateway_select_balance_t *)
            ((u_char *) ev - offsetof(ngx_gateway_select_balance_t, overdue));

    /* of answers for memory no filter has told of the header */

    if (b->request->upstream->state->header_time == (ngx_msec_t) -1) {
        ngx_gateway_select_overdue(&b->pick);
    }
}


void
ngx_gateway_select_balance_header(ngx_gateway_select_balance_t *b)
{
    if (b->overdue.timer_set) {
        ngx_del_timer(&b->overdue);
    }
}


void
ngx_gateway_select_balance_end(ngx_gateway_select_balance_t *b,
    gateway_try_e how, ngx_msec_t latency)
{
    if (!b->trying) {
        return;
    }

    b->trying = 0;
    b->how = how;
    b->ended = ngx_current_msec;

    if (b->pick.chain == NULL) {
        return;
    }

    ngx_gateway_select_balance_header(b);

    ngx_gateway_select_end(&b->pick, how, latency);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, b->request->connection->log, 0,
                   "gateway select node %uD ended %d after %M",
                   b->pick.node, (int) how, latency);
}


static void
ngx_gateway_select_balance_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_gateway_select_balance_t *b = data;

    if (ngx_gateway_select_balance_stale(b, pc, state)) {
        b->past.stale |= (ngx_uint_t) 1 << (b->past.n - 1);

        ngx_gateway_select_balance_end(b, GATEWAY_TRY_CENSORED, 0);

    } else {
        ngx_gateway_select_balance_judge(b, pc, state);
    }

    /* without FAILED: its own counting of failures is not used */

    ngx_http_upstream_free_round_robin_peer(pc, &b->rrp, 0);
}


/*
 * A kept connection that the server closed in the same moment says nothing
 * of the server.
 */

static ngx_uint_t
ngx_gateway_select_balance_stale(ngx_gateway_select_balance_t *b,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_http_upstream_t  *u;

    u = b->request->upstream;

    return (state & NGX_PEER_FAILED)
           && pc->cached
           && pc->connection
           && !pc->connection->read->timedout
           && !pc->connection->write->timedout
           && u->state->bytes_received == 0;
}


static void
ngx_gateway_select_balance_judge(ngx_gateway_select_balance_t *b,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_msec_t            elapsed;
    gateway_try_e         how;
    ngx_http_upstream_t  *u;

    if (!b->trying) {
        return;
    }

    u = b->request->upstream;
    elapsed = ngx_current_msec - u->start_time;

    if (u->state->header_time == (ngx_msec_t) -1) {

        /*
         * Without a header and not failed: the client has gone, or nginx
         * itself had to give up.
         */

        how = (state & NGX_PEER_FAILED) ? GATEWAY_TRY_LOST
                                        : GATEWAY_TRY_CENSORED;

        ngx_gateway_select_balance_end(b, how, elapsed);
        return;
    }

    how = ngx_gateway_select_balance_verdict(b, pc);

    ngx_gateway_select_balance_end(b, how,
                     (how == GATEWAY_TRY_LOST) ? elapsed
                                               : u->state->header_time);
}


/* Of a try that has an answer, or at least its header. */

static gateway_try_e
ngx_gateway_select_balance_verdict(ngx_gateway_select_balance_t *b,
    ngx_peer_connection_t *pc)
{
    ngx_str_t            *retry_after;
    ngx_msec_t            pause;
    gateway_fault_e       fault;
    ngx_http_upstream_t  *u;

    u = b->request->upstream;

    if (ngx_gateway_select_balance_broken(b->request, pc)) {
        return GATEWAY_TRY_LOST;
    }

    ngx_gateway_select_balance_asked(b);

    retry_after = ngx_gateway_select_balance_retry_after(u);

    fault = gateway_fault_status((uint32_t) u->headers_in.status_n,
                                 retry_after != NULL, b->rpc);

    /*
     * An error in the body tells more than the status; a limit is one,
     * whatever the body makes of it.
     */

    if (b->scan
        && fault != GATEWAY_FAULT_QUOTA
        && (fault == GATEWAY_FAULT_NONE || b->scan->fault))
    {
        fault = gateway_scan_fault(b->scan, b->rpc);
    }

    pause = ngx_gateway_select_retry_after(retry_after);

    if (fault == GATEWAY_FAULT_QUOTA && pause && b->pick.chain) {
        ngx_gateway_select_pace(&b->pick, pause);
    }

    b->pick.wrong = ngx_gateway_select_balance_wrong(b);

    return gateway_fault_try(fault);
}


/* For the text of the node's last error, if it is one. */

static ngx_atomic_uint_t
ngx_gateway_select_balance_wrong(ngx_gateway_select_balance_t *b)
{
    ngx_uint_t  status;

    status = b->request->upstream->headers_in.status_n;

    if (status >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_STATUS,
                                        status);
    }

    if (b->scan && b->scan->other) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_TEXT, 0);
    }

    return b->scan ? ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_ERROR,
                                              b->scan->erred)
                   : 0;
}


/* The answer ended before its end, and not for the client's sake. */

static ngx_uint_t
ngx_gateway_select_balance_broken(ngx_http_request_t *r,
    ngx_peer_connection_t *pc)
{
    ngx_connection_t     *c;
    ngx_event_pipe_t     *p;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    c = pc->connection;

    if (c == NULL || u->upgrade || r->connection->error) {
        return 0;
    }

    p = u->pipe;

    if (p && u->buffering) {
        return !p->downstream_error
               && (p->upstream_error
                   || (p->upstream_eof && !p->upstream_done
                       && p->length > 0));
    }

    return c->read->timedout
           || c->read->error
           || (c->read->eof && u->length > 0);
}


static ngx_str_t *
ngx_gateway_select_balance_retry_after(ngx_http_upstream_t *u)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    if (u->headers_in.status_n < NGX_HTTP_BAD_REQUEST) {
        return NULL;
    }

    part = &u->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len == sizeof("Retry-After") - 1
            && ngx_strncasecmp(header[i].key.data, (u_char *) "Retry-After",
                               sizeof("Retry-After") - 1)
               == 0)
        {
            return &header[i].value;
        }
    }
}


/* With the request's end, when no try can follow: so it counts once. */

static void
ngx_gateway_select_balance_count(void *data)
{
    ngx_gateway_select_balance_t *b = data;

    ngx_uint_t                  ended;
    ngx_gateway_select_route_e  route;

    route = NGX_GATEWAY_SELECT_ROUTE_NONE;

    if (b->tries == 0) {
        ended = NGX_GATEWAY_SELECT_ENDED_NO_NODE + NGX_GATEWAY_SELECT_EXCLUDED;

    } else if (b->how == GATEWAY_TRY_OK) {
        ended = NGX_GATEWAY_SELECT_ENDED_ANSWERED;
        route = (b->tries == 1) ? NGX_GATEWAY_SELECT_ROUTE_NODE
                                : NGX_GATEWAY_SELECT_ROUTE_RETRIED;

    } else if (b->how == GATEWAY_TRY_CENSORED) {
        ended = NGX_GATEWAY_SELECT_ENDED_GONE;

    } else {
        ended = NGX_GATEWAY_SELECT_ENDED_ERROR
                + NGX_GATEWAY_SELECT_CALL_FAILED;
    }

    ngx_gateway_select_metrics_count(b->pool->chain->sh, route,
                                     (ngx_gateway_select_ended_e) ended,
                                     b->ended - b->begun);
}
