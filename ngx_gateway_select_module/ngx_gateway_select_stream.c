
/*
 * Answers that go on to callers before they are whole.  What a caller does not
 * take at once is held, in memory and then in a file, so that a slow caller
 * is no slow node.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_metrics.h"


static void ngx_gateway_select_stream_begin(
    ngx_gateway_select_attempt_t *attempt);
static void ngx_gateway_select_stream_event(ngx_event_t *ev);
static void ngx_gateway_select_stream_writer(ngx_http_request_t *r);
static void ngx_gateway_select_stream_send(ngx_gateway_select_call_t *call);
static ngx_int_t ngx_gateway_select_stream_header(
    ngx_gateway_select_call_t *call);
static ngx_int_t ngx_gateway_select_stream_output(
    ngx_gateway_select_call_t *call, ngx_chain_t *out);
static ngx_int_t ngx_gateway_select_stream_wait(ngx_http_request_t *r);


/* Called by a sink, during which the request must not end. */

void
ngx_gateway_select_stream_more(ngx_gateway_select_attempt_t *attempt)
{
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    if (call->stream == NULL) {
        ngx_gateway_select_stream_begin(attempt);
    }

    ngx_post_event(&call->more, &ngx_posted_events);
}


static void
ngx_gateway_select_stream_begin(ngx_gateway_select_attempt_t *attempt)
{
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    call->state = NGX_GATEWAY_SELECT_CALL_STREAMING;
    call->stream = attempt;
    call->won = attempt;

    /* the exchange has a deadline of its own, which is not later */

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_gateway_select_call_leave(call);

    if (attempt->scan.height && !attempt->altruist) {
        ngx_gateway_select_client_told(call->shared, call->client,
                                       attempt->scan.height, call->back);
    }

    call->more.handler = ngx_gateway_select_stream_event;
    call->more.data = call->request->connection;
    call->more.log = call->request->connection->log;
}


static void
ngx_gateway_select_stream_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_gateway_select_call_t  *call;

    call = (ngx_gateway_select_call_t *)
               ((u_char *) ev - offsetof(ngx_gateway_select_call_t, more));

    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    ngx_gateway_select_stream_send(call);

    ngx_http_run_posted_requests(c);
}


static void
ngx_gateway_select_stream_writer(ngx_http_request_t *r)
{
    ngx_connection_t           *c;
    ngx_gateway_select_call_t  *call;

    c = r->connection;

    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    call = ngx_http_get_module_ctx(r, ngx_gateway_select_module);

    ngx_gateway_select_stream_send(call);
}


static void
ngx_gateway_select_stream_send(ngx_gateway_select_call_t *call)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = call->request;

    if (!r->header_sent) {
        rc = ngx_gateway_select_stream_header(call);

        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            ngx_http_finalize_request(r, rc);
            return;
        }

    } else if (call->blocked) {

        rc = ngx_gateway_select_stream_output(call, NULL);

        if (rc != NGX_OK) {
            if (rc == NGX_ERROR) {
                ngx_http_finalize_request(r, NGX_ERROR);
            }

            return;
        }
    }

    if (ngx_gateway_select_hold_give(&call->stream->hold, &out) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (out && ngx_gateway_select_stream_output(call, out) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static ngx_int_t
ngx_gateway_select_stream_header(ngx_gateway_select_call_t *call)
{
    call->request->write_event_handler = ngx_gateway_select_stream_writer;

    return ngx_gateway_select_reply_head(call, call->stream, -1);
}


/* NGX_AGAIN: the caller is to take what there is before there is more. */

static ngx_int_t
ngx_gateway_select_stream_output(ngx_gateway_select_call_t *call,
    ngx_chain_t *out)
{
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = call->request;

    for (cl = out; cl; cl = cl->next) {
        cl->buf->flush = (cl->next == NULL);
    }

    if (ngx_http_output_filter(r, out) == NGX_ERROR) {
        return NGX_ERROR;
    }

    call->blocked = (r->buffered || r->postponed || r->connection->buffered);

    if (call->blocked) {
        return ngx_gateway_select_stream_wait(r) == NGX_OK ? NGX_AGAIN
                                                           : NGX_ERROR;
    }

    if (r->connection->write->timer_set) {
        ngx_del_timer(r->connection->write);
    }

    ngx_gateway_select_hold_sent(&call->stream->hold);

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_stream_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


void
ngx_gateway_select_stream_end(ngx_gateway_select_attempt_t *attempt)
{
    ngx_int_t                   rc;
    ngx_buf_t                  *b;
    ngx_uint_t                  whole;
    ngx_chain_t                *out, *cl, **ll;
    ngx_http_request_t         *r;
    ngx_gateway_select_call_t  *call;

    call = attempt->call;
    r = call->request;
    whole = attempt->held;

    ngx_gateway_select_call_cancel(call);

    if (!whole) {
        ngx_gateway_select_metrics_end(call, NGX_GATEWAY_SELECT_ROUTE_NONE,
                                       NGX_GATEWAY_SELECT_ENDED_BROKEN);

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "node \"%V\" of chain \"%V\" ended within an answer "
                      "that was streamed", &attempt->node, &call->name);

        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_gateway_select_metrics_answer(call, attempt);

    rc = r->header_sent ? NGX_OK : ngx_gateway_select_stream_header(call);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL
        || ngx_gateway_select_hold_give(&attempt->hold, &out) != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    cl->buf = b;
    cl->next = NULL;

    for (ll = &out; *ll; ll = &(*ll)->next) { /* void */ }

    *ll = cl;

    rc = ngx_http_output_filter(r, out);

    ngx_http_finalize_request(r, rc);
}
