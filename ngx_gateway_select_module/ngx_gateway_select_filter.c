
/*
 * Answers of an upstream{} with gateway_select as they pass by: the time of
 * the header, JSON-RPC errors, and heights.  Nothing is kept, changed or
 * delayed.
 */


#include "ngx_gateway_select_balance.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_upstream.h"


static ngx_int_t ngx_gateway_select_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_gateway_select_filter_begin(ngx_http_request_t *r,
    ngx_gateway_select_balance_t *b);
static void ngx_gateway_select_filter_read(gateway_scan_t *scan,
    ngx_chain_t *in);
static void ngx_gateway_select_filter_height(ngx_gateway_select_balance_t *b);


static gateway_dialect_e
    ngx_gateway_select_dialects[NGX_GATEWAY_SELECT_FAMILIES] =
{
    GATEWAY_DIALECT_EVM,
    GATEWAY_DIALECT_SOLANA,
    GATEWAY_DIALECT_POCKET,
    GATEWAY_DIALECT_COSMOS,
    GATEWAY_DIALECT_PLAIN,
    GATEWAY_DIALECT_NONE
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_gateway_select_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_gateway_select_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_gateway_select_body_filter;

    return NGX_OK;
}


void
ngx_gateway_select_balance_asked(ngx_gateway_select_balance_t *b)
{
    gateway_scan_t       scan;
    gateway_dialect_e    dialect;
    ngx_http_request_t  *r;

    if (b->asked) {
        return;
    }

    b->asked = 1;

    r = b->request;
    dialect = ngx_gateway_select_dialects[b->pool->chain->family];

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        b->want = gateway_scan_uri(dialect, (pocket_str_t *) &r->uri);
        return;
    }

    gateway_scan_request(&scan, dialect);
    ngx_gateway_select_filter_read(&scan, r->request_body->bufs);

    b->rpc = (dialect != GATEWAY_DIALECT_NONE && scan.rpc);
    b->want = scan.want;
}


static ngx_int_t
ngx_gateway_select_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t           *u;
    ngx_gateway_select_balance_t  *b;

    b = ngx_gateway_select_balance(r);

    if (b == NULL) {
        return ngx_http_next_header_filter(r);
    }

    ngx_gateway_select_balance_header(b);

    u = r->upstream;

    if (u->upgrade) {

        /* it may live for days: the try is its beginning */

        ngx_gateway_select_balance_end(b, GATEWAY_TRY_OK,
                                       u->state->header_time);

    } else if (ngx_gateway_select_filter_begin(r, b) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_gateway_select_filter_begin(ngx_http_request_t *r,
    ngx_gateway_select_balance_t *b)
{
    gateway_dialect_e   dialect;
    ngx_table_elt_t    *encoding;

    dialect = ngx_gateway_select_dialects[b->pool->chain->family];
    encoding = r->headers_out.content_encoding;

    if (dialect == GATEWAY_DIALECT_NONE
        || r->header_only
        || (encoding && encoding->value.len))
    {
        return NGX_OK;
    }

    b->scan = ngx_palloc(r->pool, sizeof(gateway_scan_t));
    if (b->scan == NULL) {
        return NGX_ERROR;
    }

    ngx_gateway_select_balance_asked(b);

    gateway_scan_answer(b->scan, dialect, b->want);

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_gateway_select_balance_t  *b;

    b = ngx_gateway_select_balance(r);

    if (b && b->scan && !b->scan->done) {
        ngx_gateway_select_filter_read(b->scan, in);

        if (b->scan->height) {
            ngx_gateway_select_filter_height(b);
        }
    }

    return ngx_http_next_body_filter(r, in);
}


/* What is not in memory ends the reading: the rest would be another text. */

static void
ngx_gateway_select_filter_read(gateway_scan_t *scan, ngx_chain_t *in)
{
    ngx_buf_t    *buf;
    ngx_chain_t  *cl;

    for (cl = in; cl && !scan->done; cl = cl->next) {

        buf = cl->buf;

        if (ngx_buf_in_memory(buf)) {
            (void) gateway_scan(scan, buf->pos, buf->last - buf->pos);

        } else if (buf->in_file) {
            scan->done = 1;
        }
    }
}


static void
ngx_gateway_select_filter_height(ngx_gateway_select_balance_t *b)
{
    if (b->pick.chain == NULL) {
        return;
    }

    ngx_gateway_select_height(&b->pick, b->scan->height);

    ngx_gateway_select_client_told(b->pick.chain, b->client, b->scan->height,
                                   b->back);

    b->scan->done = 1;
}
