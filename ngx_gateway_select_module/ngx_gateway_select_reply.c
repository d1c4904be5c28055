
/*
 * What a caller gets: an answer that was held, or an error.
 */


#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_metrics.h"


/* in the words of the nodes of EVM chains, which alone have filters */

#define NGX_GATEWAY_SELECT_REPLY_LOST                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":%V,\"error\":{\"code\":%d,"                  \
    "\"message\":\"%V\"}}\n"

#define NGX_GATEWAY_SELECT_REPLY_LOST_CODE     -32000
#define NGX_GATEWAY_SELECT_REPLY_LOST_MESSAGE  "filter not found"

/* of calls of a batch: what others are told by the status */

#define NGX_GATEWAY_SELECT_REPLY_INTERNAL      -32603


static ngx_int_t ngx_gateway_select_reply_send(ngx_http_request_t *r,
    ngx_chain_t *out, off_t size);
static ngx_int_t ngx_gateway_select_reply_header_out(ngx_http_request_t *r,
    off_t size);
static ngx_int_t ngx_gateway_select_reply_body(ngx_http_request_t *r,
    ngx_chain_t *out);
static ngx_int_t ngx_gateway_select_reply_text(ngx_http_request_t *r,
    ngx_gateway_select_call_error_e error);
static ngx_str_t *ngx_gateway_select_reply_reason(
    ngx_gateway_select_call_t *call, ngx_gateway_select_call_error_e error);
static ngx_int_t ngx_gateway_select_reply_cors(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_reply_told(
    ngx_gateway_select_call_t *call, ngx_gateway_select_attempt_t *attempt);
static ngx_int_t ngx_gateway_select_reply_node(ngx_http_request_t *r,
    ngx_gateway_select_attempt_t *attempt);
static ngx_int_t ngx_gateway_select_reply_number(ngx_http_request_t *r,
    const char *name, uint64_t n);
static ngx_table_elt_t *ngx_gateway_select_reply_header(
    ngx_http_request_t *r, const char *name);


typedef struct {
    ngx_uint_t   status;
    ngx_str_t    reason;
    ngx_str_t    message;
} ngx_gateway_select_reply_error_t;


/* in the order of ngx_gateway_select_call_error_e */

static ngx_gateway_select_reply_error_t
    ngx_gateway_select_reply_errors[NGX_GATEWAY_SELECT_CALL_ERRORS] =
{
    { NGX_HTTP_BAD_REQUEST, ngx_string("bad_chain"),
      ngx_string("Incorrect chain id") },

    { NGX_HTTP_NOT_ALLOWED, ngx_string("bad_method"),
      ngx_string("method not allowed") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, ngx_string("too_large"),
      ngx_string("a relay of more than 1048576 bytes is not served by any "
                 "node") },

    { NGX_HTTP_BAD_REQUEST, ngx_string("not_utf8"),
      ngx_string("what servicers are asked must be UTF-8") },

    { NGX_HTTP_NOT_IMPLEMENTED, ngx_string("no_websocket"),
      ngx_string("WebSocket is not relayed") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, ngx_null_string,
      ngx_string("no node can be found") },

    { NGX_HTTP_BAD_GATEWAY, ngx_string("nodes_failed"),
      ngx_string("no node has answered well") },

    { NGX_HTTP_BAD_GATEWAY, ngx_string("not_repeated"),
      ngx_string("a node failed after it was sent a write, which is not "
                 "repeated") },

    { NGX_HTTP_BAD_GATEWAY, ngx_string("answer_too_long"),
      ngx_string("the answer is longer than the gateway passes") },

    { NGX_HTTP_GATEWAY_TIME_OUT, ngx_string("deadline"),
      ngx_string("no node has answered in time") },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_string("no_memory"),
      ngx_string("no memory") }
};


static const struct {
    const char  *name;
    ngx_str_t    value;
} ngx_gateway_select_reply_headers[] = {
    { "Access-Control-Allow-Origin", ngx_string("*") },
    { "Access-Control-Allow-Methods",
      ngx_string("POST, GET, PUT, DELETE, OPTIONS") },
    { "Access-Control-Allow-Headers",
      ngx_string("Accept, Content-Type, Content-Length, Accept-Encoding, "
                 "X-CSRF-Token, Authorization") }
};


void
ngx_gateway_select_reply_answer(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = call->request;

    call->won = attempt;

    ngx_gateway_select_call_leave(call);
    ngx_gateway_select_call_cancel(call);
    ngx_gateway_select_metrics_answer(call, attempt);

    if (attempt->scan.height && !attempt->altruist) {
        ngx_gateway_select_client_told(call->shared, call->client,
                                       attempt->scan.height, call->back);
    }

    rc = ngx_gateway_select_origin_answer(attempt);

    if (call->batch) {
        ngx_gateway_select_parts_answer(call, rc == NGX_OK ? attempt : NULL);
        return;
    }

    if (rc != NGX_OK
        || ngx_gateway_select_hold_give(&attempt->hold, &out) != NGX_OK)
    {
        ngx_gateway_select_metrics_error(call, NGX_GATEWAY_SELECT_CALL_MEMORY);
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rc = ngx_gateway_select_reply_head(call, attempt, attempt->hold.size);

    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = ngx_gateway_select_reply_body(r, out);
    }

    ngx_http_finalize_request(r, rc);
}


ngx_int_t
ngx_gateway_select_reply_head(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt, off_t length)
{
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = call->request;

    if (ngx_gateway_select_reply_told(call, attempt) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = attempt->status;
    r->headers_out.content_type = attempt->content_type;
    r->headers_out.content_type_len = attempt->content_type.len;

    if (attempt->encoding.len) {
        h = ngx_gateway_select_reply_header(r, "Content-Encoding");

        if (h == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        h->value = attempt->encoding;
        r->headers_out.content_encoding = h;
    }

    return ngx_gateway_select_reply_header_out(r, length);
}


void
ngx_gateway_select_reply_error(ngx_gateway_select_call_t *call,
    ngx_gateway_select_call_error_e error)
{
    ngx_uint_t                         level;
    ngx_http_request_t                *r;
    ngx_gateway_select_reply_error_t  *e;

    r = call->request;
    e = &ngx_gateway_select_reply_errors[error];

    level = (e->status >= NGX_HTTP_INTERNAL_SERVER_ERROR) ? NGX_LOG_WARN
                                                          : NGX_LOG_INFO;

    ngx_gateway_select_call_cancel(call);
    ngx_gateway_select_metrics_error(call, error);

    ngx_log_error(level, r->connection->log, 0,
                  "call of chain \"%V\" failed after %ui attempts: %V",
                  &call->name, call->n,
                  ngx_gateway_select_reply_reason(call, error));

    if (call->batch) {
        ngx_gateway_select_parts_error(call, NGX_GATEWAY_SELECT_REPLY_INTERNAL,
                                       &e->message);
        return;
    }

    ngx_http_finalize_request(r, ngx_gateway_select_reply_text(r, error));
}


void
ngx_gateway_select_reply_lost(ngx_gateway_select_call_t *call)
{
    ngx_str_t  id, text;

    static ngx_str_t  lost =
                           ngx_string(NGX_GATEWAY_SELECT_REPLY_LOST_MESSAGE);

    ngx_gateway_select_call_cancel(call);
    ngx_gateway_select_metrics_end(call, NGX_GATEWAY_SELECT_ROUTE_NONE,
                                   NGX_GATEWAY_SELECT_ENDED_FILTER);

    if (call->batch) {
        ngx_gateway_select_parts_error(call,
                                       NGX_GATEWAY_SELECT_REPLY_LOST_CODE,
                                       &lost);
        return;
    }

    id.data = call->asked.id.data;
    id.len = call->asked.id.len;

    if (id.len == 0) {
        ngx_str_set(&id, "null");
    }

    text.data = ngx_pnalloc(call->request->pool,
                            sizeof(NGX_GATEWAY_SELECT_REPLY_LOST)
                            + NGX_INT_T_LEN + id.len + lost.len);
    if (text.data == NULL) {
        ngx_http_finalize_request(call->request,
                                  NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    text.len = ngx_sprintf(text.data, NGX_GATEWAY_SELECT_REPLY_LOST, &id,
                           NGX_GATEWAY_SELECT_REPLY_LOST_CODE, &lost)
               - text.data;

    ngx_gateway_select_reply_json(call, &text);
}


void
ngx_gateway_select_reply_json(ngx_gateway_select_call_t *call,
    ngx_str_t *text)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = call->request;

    b = ngx_calloc_buf(r->pool);

    if (b == NULL || ngx_gateway_select_reply_told(call, NULL) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;

    r->headers_out.status = NGX_HTTP_OK;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    out.buf = b;
    out.next = NULL;

    rc = ngx_gateway_select_reply_send(r, &out, (off_t) text->len);

    ngx_http_finalize_request(r, rc);
}


ngx_int_t
ngx_gateway_select_reply_refuse(ngx_http_request_t *r,
    ngx_gateway_select_call_error_e error)
{
    ngx_int_t                        rc;
    ngx_table_elt_t                 *h;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    ngx_gateway_select_metrics_refused(gmcf, error);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (error == NGX_GATEWAY_SELECT_CALL_METHOD) {
        h = ngx_gateway_select_reply_header(r, "Allow");

        if (h == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        h->value = ngx_gateway_select_reply_headers[1].value;
    }

    return ngx_gateway_select_reply_text(r, error);
}


ngx_int_t
ngx_gateway_select_reply_options(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = NGX_HTTP_OK;

    return ngx_gateway_select_reply_send(r, NULL, 0);
}


static ngx_int_t
ngx_gateway_select_reply_text(ngx_http_request_t *r,
    ngx_gateway_select_call_error_e error)
{
    size_t                             len;
    ngx_buf_t                         *b;
    ngx_str_t                         *reason;
    ngx_chain_t                        out;
    ngx_gateway_select_call_t         *call;
    ngx_gateway_select_reply_error_t  *e;

    e = &ngx_gateway_select_reply_errors[error];
    call = ngx_http_get_module_ctx(r, ngx_gateway_select_module);
    reason = ngx_gateway_select_reply_reason(call, error);

    len = sizeof("{\"message\":\"\",\"status\":,\"error\":{\"reason\":\"\","
                 "\"attempts\":}}\n")
          + e->message.len + reason->len + 2 * NGX_INT_T_LEN;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"message\":\"%V\",\"status\":%ui,"
                          "\"error\":{\"reason\":\"%V\",\"attempts\":%ui}}\n",
                          &e->message, e->status, reason, call ? call->n : 0);

    if (call && ngx_gateway_select_reply_told(call, NULL) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = e->status;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    out.buf = b;
    out.next = NULL;

    return ngx_gateway_select_reply_send(r, &out, b->last - b->pos);
}


static ngx_str_t *
ngx_gateway_select_reply_reason(ngx_gateway_select_call_t *call,
    ngx_gateway_select_call_error_e error)
{
    return (error == NGX_GATEWAY_SELECT_CALL_NO_NODE)
           ? &ngx_gateway_select_reasons[call->reason]
           : &ngx_gateway_select_reply_errors[error].reason;
}


ngx_str_t *
ngx_gateway_select_reply_name(ngx_gateway_select_call_error_e error)
{
    return &ngx_gateway_select_reply_errors[error].reason;
}


static ngx_int_t
ngx_gateway_select_reply_send(ngx_http_request_t *r, ngx_chain_t *out,
    off_t size)
{
    ngx_int_t  rc;

    rc = ngx_gateway_select_reply_header_out(r, size);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_gateway_select_reply_body(r, out);
}


static ngx_int_t
ngx_gateway_select_reply_header_out(ngx_http_request_t *r, off_t size)
{
    if (ngx_gateway_select_reply_cors(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = size;
    r->headers_out.content_type_lowcase = NULL;

    if (size == 0) {
        r->header_only = (r->method == NGX_HTTP_OPTIONS);
    }

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_gateway_select_reply_body(ngx_http_request_t *r, ngx_chain_t *out)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl, empty;

    if (out == NULL) {
        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        empty.buf = b;
        empty.next = NULL;
        out = &empty;
    }

    for (cl = out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main);
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out);
}


static ngx_int_t
ngx_gateway_select_reply_cors(ngx_http_request_t *r)
{
    ngx_uint_t        i, n;
    ngx_table_elt_t  *h;

    n = sizeof(ngx_gateway_select_reply_headers)
        / sizeof(ngx_gateway_select_reply_headers[0]);

    for (i = 0; i < n; i++) {
        h = ngx_gateway_select_reply_header(r,
                                  ngx_gateway_select_reply_headers[i].name);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->value = ngx_gateway_select_reply_headers[i].value;
    }

    return NGX_OK;
}


/* Who answered, of which session, and how many were asked. */

static ngx_int_t
ngx_gateway_select_reply_told(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt)
{
    ngx_uint_t                   i, n;
    ngx_gateway_select_parts_t  *parts;

    if (!call->glcf->headers) {
        return NGX_OK;
    }

    n = call->n;
    parts = call->parts;

    for (i = 0; parts && i < parts->batch.n; i++) {

        n += parts->calls[i]->n;

        if (parts->answers[i]
            && ngx_gateway_select_reply_node(call->request, parts->answers[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (attempt
        && ngx_gateway_select_reply_node(call->request, attempt) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gateway_select_reply_number(call->request, "Gateway-Attempts",
                                           n);
}


static ngx_int_t
ngx_gateway_select_reply_node(ngx_http_request_t *r,
    ngx_gateway_select_attempt_t *attempt)
{
    ngx_table_elt_t  *h;

    h = ngx_gateway_select_reply_header(r, "Gateway-Node");

    if (h == NULL) {
        return NGX_ERROR;
    }

    /* what is of the attempt ends before the request is logged */

    h->value.len = attempt->node.len;
    h->value.data = ngx_pstrdup(r->pool, &attempt->node);

    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    if (attempt->relay == NULL) {
        return NGX_OK;
    }

    return ngx_gateway_select_reply_number(r, "Gateway-Session",
                                           attempt->relay->height);
}


static ngx_int_t
ngx_gateway_select_reply_number(ngx_http_request_t *r, const char *name,
    uint64_t n)
{
    ngx_table_elt_t  *h;

    h = ngx_gateway_select_reply_header(r, name);

    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);

    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    h->value.len = ngx_sprintf(h->value.data, "%uL", n) - h->value.data;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_gateway_select_reply_header(ngx_http_request_t *r, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    mesh_table_elt_last(h);
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    ngx_str_null(&h->value);

    return h;
}
