
/*
 * Long answers in slices: mostly a JSON array of items, one for each node or
 * for each node of each session.
 */


#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_report.h"


/* a slice ends after so long; an item takes some tens of microseconds */
#define NGX_GATEWAY_SELECT_REPORT_SLICE  200000     /* ns */

/* until the next slice, where others are reported to as well */
#define NGX_GATEWAY_SELECT_REPORT_TURN   1          /* ms */

/* nodes, or sessions, looked at in one step */
#define NGX_GATEWAY_SELECT_REPORT_STEP   32

/* a node that was a candidate so lately is one */
#define NGX_GATEWAY_SELECT_REPORT_SEEN   60000      /* ms */


static u_char *ngx_gateway_select_report_json(
    ngx_gateway_select_report_t *report, u_char *p);
static void ngx_gateway_select_report_write(ngx_http_request_t *r);
static ngx_uint_t ngx_gateway_select_report_turn(
    ngx_gateway_select_report_t *report);
static ngx_int_t ngx_gateway_select_report_pending(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_report_slice(
    ngx_gateway_select_report_t *report);
static ngx_buf_t *ngx_gateway_select_report_buf(
    ngx_gateway_select_report_t *report);
static void ngx_gateway_select_report_fill(
    ngx_gateway_select_report_t *report, ngx_buf_t *b);
static ngx_int_t ngx_gateway_select_report_chain(
    ngx_gateway_select_report_t *report);
static ngx_int_t ngx_gateway_select_report_prepare(
    ngx_gateway_select_report_t *report);
static ngx_int_t ngx_gateway_select_report_seats(
    ngx_gateway_select_report_t *report);
static ngx_int_t ngx_gateway_select_report_nodes(
    ngx_gateway_select_report_t *report);
static void ngx_gateway_select_report_copy(
    ngx_gateway_select_report_t *report, uint32_t i);


/* of the worker: the last slice, and whose it was, only to be compared */

static ngx_msec_t                    ngx_gateway_select_report_at;
static ngx_gateway_select_report_t  *ngx_gateway_select_report_last;


ngx_int_t
ngx_gateway_select_report(ngx_http_request_t *r,
    ngx_gateway_select_next_pt next, ngx_gateway_select_item_pt item,
    ngx_uint_t sessions)
{
    ngx_int_t                     rc;
    ngx_gateway_select_report_t  *report;

    report = ngx_gateway_select_report_create(r, &rc);

    if (report == NULL) {
        return rc;
    }

    report->next = next;
    report->item = item;
    report->sessions = sessions;

    return ngx_gateway_select_report_begin(report,
                                           ngx_gateway_select_report_json);
}


ngx_gateway_select_report_t *
ngx_gateway_select_report_create(ngx_http_request_t *r, ngx_int_t *rc)
{
    ngx_str_t                        chain;
    ngx_gateway_select_report_t     *report;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    if (!ngx_gateway_select_accept(r, NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
                                   rc))
    {
        return NULL;
    }

    *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ngx_gateway_select_argument(r, "chain", &chain) != NGX_OK) {
        return NULL;
    }

    if (chain.len
        && (gmcf->shm_zone == NULL
            || ngx_gateway_select_zone_chain(gmcf, &chain) == NULL))
    {
        *rc = ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                        "there is no chain", &chain);
        return NULL;
    }

    report = ngx_pcalloc(r->pool, sizeof(ngx_gateway_select_report_t));
    if (report == NULL) {
        return NULL;
    }

    report->request = r;
    report->gmcf = gmcf;
    report->only = chain;

    return report;
}


ngx_int_t
ngx_gateway_select_report_begin(ngx_gateway_select_report_t *report,
    ngx_gateway_select_step_pt step)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = report->request;
    report->step = step;

    rc = ngx_gateway_select_header(r, NGX_HTTP_OK, -1);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    ngx_http_set_ctx(r, report, ngx_gateway_select_module);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_gateway_select_report_write;
    r->main->count++;

    ngx_gateway_select_report_write(r);

    return NGX_DONE;
}


static void
ngx_gateway_select_report_write(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_connection_t             *c;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_gateway_select_report_t  *report;

    c = r->connection;
    report = ngx_http_get_module_ctx(r, ngx_gateway_select_module);

    if (c->write->timedout) {
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    rc = ngx_gateway_select_report_pending(r);

    if (rc == NGX_OK && !ngx_gateway_select_report_turn(report)) {
        c->write->delayed = 1;
        ngx_add_timer(c->write, NGX_GATEWAY_SELECT_REPORT_TURN);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_gateway_select_report_slice(report);
    }

    if (rc == NGX_ERROR || report->done) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (rc == NGX_AGAIN || r->buffered || c->buffered) {
        return;
    }

    /* others first; a worker that ends waits only for what has a timer */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_add_timer(c->write, clcf->send_timeout);

    ngx_post_event(c->write, &ngx_posted_next_events);
}


/* However many reports there are, one of them has a slice at a time. */

static ngx_uint_t
ngx_gateway_select_report_turn(ngx_gateway_select_report_t *report)
{
    if (ngx_gateway_select_report_at == ngx_current_msec
        && ngx_gateway_select_report_last != report)
    {
        return 0;
    }

    ngx_gateway_select_report_at = ngx_current_msec;
    ngx_gateway_select_report_last = report;

    return 1;
}


/* What was written before goes first: NGX_AGAIN, the client is to read it. */

static ngx_int_t
ngx_gateway_select_report_pending(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    wev = c->write;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed && (r->buffered || c->buffered)
        && ngx_http_output_filter(r, NULL) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (wev->delayed || r->buffered || c->buffered) {

        if (!wev->delayed) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        return ngx_handle_write_event(wev, clcf->send_lowat) == NGX_OK
               ? NGX_AGAIN : NGX_ERROR;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_report_slice(ngx_gateway_select_report_t *report)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out, *last;
    ngx_http_request_t  *r;

    r = report->request;

    b = ngx_gateway_select_report_buf(report);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_gateway_select_report_fill(report, b);

    if (b->last == b->pos && !report->done) {
        return NGX_OK;
    }

    if (report->done) {
        b->last_buf = (r == r->main);
        b->last_in_chain = 1;
    }

    /* the last one may be empty: it is none in memory then */

    b->temporary = (b->last != b->pos);
    b->flush = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    last = ngx_alloc_chain_link(r->pool);
    if (last == NULL) {
        return NGX_ERROR;
    }

    last->buf = b;
    last->next = NULL;

    ngx_chain_update_chains(r->pool, &report->free, &report->busy, &last,
                            b->tag);

    if (rc == NGX_ERROR || report->done) {
        return rc;
    }

    return ngx_gateway_select_report_pending(r);
}


static ngx_buf_t *
ngx_gateway_select_report_buf(ngx_gateway_select_report_t *report)
{
    ngx_buf_t    *b;
    ngx_pool_t   *pool;
    ngx_chain_t  *cl;

    pool = report->request->pool;
    cl = ngx_chain_get_free_buf(pool, &report->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    ngx_free_chain(pool, cl);

    if (b->start == NULL) {
        b->start = ngx_pnalloc(pool, NGX_GATEWAY_SELECT_SLICE_LEN);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_GATEWAY_SELECT_SLICE_LEN;
        b->tag = (ngx_buf_tag_t) &ngx_gateway_select_module;
    }

    b->pos = b->start;
    b->last = b->start;

    return b;
}


static void
ngx_gateway_select_report_fill(ngx_gateway_select_report_t *report,
    ngx_buf_t *b)
{
    u_char    *p;
    uint64_t   begun, now;

    p = b->last;
    begun = ngx_gateway_select_cpu_ns();

    report->now = ngx_gateway_select_now();

    do {
        p = report->step(report, p);
        now = ngx_gateway_select_cpu_ns();

    } while (!report->done
             && b->end - p >= NGX_GATEWAY_SELECT_ITEM_LEN
             && now - begun < NGX_GATEWAY_SELECT_REPORT_SLICE);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, report->request->connection->log, 0,
                   "gateway report: %uL us", (now - begun) / 1000);

    b->last = p;
}


static u_char *
ngx_gateway_select_report_json(ngx_gateway_select_report_t *report, u_char *p)
{
    ngx_int_t  rc;

    rc = report->next(report);

    if (rc == NGX_AGAIN) {
        return p;
    }

    if (rc == NGX_OK) {
        *p++ = report->some ? ',' : '[';
        *p++ = LF;

        report->some = 1;

        return report->item(report, p);
    }

    report->done = 1;

    if (!report->some) {
        *p++ = '[';
    }

    *p++ = LF;
    *p++ = ']';
    *p++ = LF;

    return p;
}


ngx_int_t
ngx_gateway_select_report_next(ngx_gateway_select_report_t *report)
{
    if (report->chain == NULL) {
        return ngx_gateway_select_report_chain(report);
    }

    switch (report->stage) {

    case NGX_GATEWAY_SELECT_REPORT_PREPARE:
        return ngx_gateway_select_report_prepare(report);

    case NGX_GATEWAY_SELECT_REPORT_SEATS:
        return ngx_gateway_select_report_seats(report);

    default:
        return ngx_gateway_select_report_nodes(report);
    }
}


static ngx_int_t
ngx_gateway_select_report_chain(ngx_gateway_select_report_t *report)
{
    uint32_t                        minute;
    ngx_uint_t                      i;
    ngx_gateway_select_sh_t        *sh;
    ngx_gateway_select_sum_t       *sum;
    ngx_gateway_select_server_t    *server;
    ngx_gateway_select_chain_sh_t  *chain;

    if (report->gmcf->shm_zone == NULL) {
        return NGX_DONE;
    }

    sh = ngx_gateway_select_zone(report->gmcf)->sh;

    if (report->index >= sh->nchains) {
        return NGX_DONE;
    }

    chain = sh->chains[report->index++];

    report->name.len = chain->name_len;
    report->name.data = chain->name;

    if (report->only.len
        && (report->only.len != chain->name_len
            || ngx_memcmp(report->only.data, chain->name, chain->name_len)
               != 0))
    {
        return NGX_AGAIN;
    }

    report->conf = ngx_gateway_select_chain(report->gmcf, &report->name);

    /* one of an older configuration */

    if (report->conf->sh != chain && chain->nsessions == 0) {
        return NGX_AGAIN;
    }

    report->nnodes = (uint32_t) chain->nnodes;

    if (report->nnodes > report->room) {
        report->seats = ngx_palloc(report->request->pool, report->nnodes
                                        * sizeof(ngx_gateway_select_seats_t));
        if (report->seats == NULL) {
            return NGX_AGAIN;
        }

        report->room = report->nnodes;
    }

    ngx_memzero(report->seats,
                report->nnodes * sizeof(ngx_gateway_select_seats_t));

    server = report->conf->servers.elts;

    for (i = 0; i < report->conf->servers.nelts; i++) {
        if (server[i].node < report->nnodes) {
            report->seats[server[i].node].server = &server[i];
        }
    }

    report->picked = 0;
    minute = (uint32_t) (report->now / 60000);

    for (i = 0; i < 2; i++) {
        sum = ngx_gateway_select_history_minute(chain,
                                                NGX_GATEWAY_SELECT_ALL_NODES,
                                                minute - i);
        report->picked += sum ? sum->picked : 0;
    }

    report->chain = chain;
    report->stage = NGX_GATEWAY_SELECT_REPORT_PREPARE;
    report->position = 0;
    report->place = 0;

    return NGX_AGAIN;
}


/* What nodes have in their sessions, some sessions in a step. */

static ngx_int_t
ngx_gateway_select_report_prepare(ngx_gateway_select_report_t *report)
{
    uint32_t                        i, k, n, last;
    ngx_slab_pool_t                *shpool;
    ngx_gateway_select_seats_t     *seats;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = report->chain;
    shpool = ngx_gateway_select_zone(report->gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    n = (uint32_t) chain->nsessions;
    last = ngx_min(report->position + NGX_GATEWAY_SELECT_REPORT_STEP, n);

    for (i = report->position; i < last; i++) {

        session = &chain->sessions[i];

        if (session->height == 0) {
            continue;
        }

        for (k = 0; k < session->nnodes; k++) {

            if (k == NGX_GATEWAY_SELECT_SESSION_NODES) {
                break;
            }

            if (session->nodes[k] >= report->nnodes) {
                continue;
            }

            seats = &report->seats[session->nodes[k]];

            seats->sessions++;
            seats->used += session->used[k];
            seats->allowance += session->allowance;
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    report->position = last;

    if (last == n) {
        report->position = 0;
        report->stage = report->sessions ? NGX_GATEWAY_SELECT_REPORT_SEATS
                                         : NGX_GATEWAY_SELECT_REPORT_NODES;
    }

    return NGX_AGAIN;
}


/* The next node of the next session. */

static ngx_int_t
ngx_gateway_select_report_seats(ngx_gateway_select_report_t *report)
{
    uint32_t                        node, place;
    ngx_slab_pool_t                *shpool;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = report->chain;
    shpool = ngx_gateway_select_zone(report->gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    if (report->position >= chain->nsessions) {
        ngx_shmtx_unlock(&shpool->mutex);

        report->position = 0;
        report->stage = NGX_GATEWAY_SELECT_REPORT_NODES;

        return NGX_AGAIN;
    }

    session = &chain->sessions[report->position];
    place = report->place++;

    if (session->height == 0
        || place >= session->nnodes
        || place >= NGX_GATEWAY_SELECT_SESSION_NODES)
    {
        ngx_shmtx_unlock(&shpool->mutex);

        report->position++;
        report->place = 0;

        return NGX_AGAIN;
    }

    node = session->nodes[place];

    report->session_height = session->height;
    report->session_used = session->used[place];
    report->session_allowance = session->allowance;
    report->session_refused = (session->refused >> place) & 1;

    report->app.len = sizeof(report->app_data);
    report->app.data = report->app_data;
    ngx_memcpy(report->app_data, session->app_key, sizeof(report->app_data));

    ngx_shmtx_unlock(&shpool->mutex);

    if (node >= report->nnodes) {
        return NGX_AGAIN;
    }

    ngx_gateway_select_report_copy(report, node);

    return NGX_OK;
}


/* The next node; or what is none any more, some in a step. */

static ngx_int_t
ngx_gateway_select_report_nodes(ngx_gateway_select_report_t *report)
{
    uint32_t                     i, last;
    uint64_t                     seen;
    ngx_gateway_select_seats_t  *seats;

    report->session_height = 0;
    report->app.len = 0;

    last = ngx_min(report->position + NGX_GATEWAY_SELECT_REPORT_STEP,
                   report->nnodes);

    while (report->position < last) {

        i = report->position++;
        seats = &report->seats[i];
        seen = ngx_gateway_select_node(report->chain, i)->seen_at;

        if (seats->server
            || (seats->sessions && !report->sessions)
            || (!seats->sessions
                && seen + NGX_GATEWAY_SELECT_REPORT_SEEN > report->now))
        {
            ngx_gateway_select_report_copy(report, i);
            return NGX_OK;
        }
    }

    if (last == report->nnodes) {
        report->chain = NULL;
    }

    return NGX_AGAIN;
}


static void
ngx_gateway_select_report_copy(ngx_gateway_select_report_t *report,
    uint32_t i)
{
    ngx_str_t                  *operator;
    ngx_slab_pool_t            *shpool;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_node(report->chain, i);
    shpool = ngx_gateway_select_zone(report->gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    report->node = *node;
    operator = ngx_gateway_select_zone_operator(report->gmcf, node);

    ngx_shmtx_unlock(&shpool->mutex);

    node = &report->node;
    node->sn.str.data = node->key;

    /* names of operators stay */

    report->operator = (node->operator & NGX_GATEWAY_SELECT_OWN)
                       ? node->sn.str : *operator;

    report->seat = &report->seats[i];
    report->url.data = node->url;
    report->url.len = node->url_len;

    /* the path of a server's URL may be a secret */

    if (report->seat->sessions == 0) {
        report->url.len = ngx_gateway_select_open(&report->url);
    }
}
