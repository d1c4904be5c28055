
/*
 * A request in an upstream{} with gateway_select: what the balancer and the
 * filters know of it.  It is the request's context of the module, and ends
 * with it.
 */


#ifndef _NGX_GATEWAY_SELECT_BALANCE_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_BALANCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_scan.h"
#include "ngx_gateway_select_pool.h"


typedef struct {
    ngx_http_upstream_rr_peer_data_t  rrp;      /* first: TLS sessions */
    ngx_http_request_t               *request;
    ngx_gateway_select_pool_t        *pool;
    ngx_gateway_select_past_t         past;
    ngx_gateway_select_pick_t         pick;
    ngx_gateway_select_member_t       member;   /* as it was */
    ngx_event_t                       overdue;
    uint64_t                          client;   /* see _client.h */
    ngx_uint_t                        tries;    /* begun so far */
    gateway_try_e                     how;      /* the last one ended */
    ngx_msec_t                        begun;
    ngx_msec_t                        ended;

    gateway_scan_t                   *scan;     /* of the answer, or NULL */
    unsigned                          rpc:1;    /* JSON-RPC was asked */
    unsigned                          asked:1;  /* want and rpc are known */
    unsigned                          trying:1; /* a try is going on */
    unsigned                          back:1;   /* none was high enough */
    gateway_want_e                    want;
} ngx_gateway_select_balance_t;


typedef struct {
    ngx_http_complex_value_t         *client;   /* gateway_client, or NULL */
} ngx_gateway_select_upstream_loc_conf_t;


/* The request's balance while a try is going on, else NULL. */
ngx_gateway_select_balance_t *ngx_gateway_select_balance(
    ngx_http_request_t *r);

/* The header has come: the try is overdue no more. */
void ngx_gateway_select_balance_header(ngx_gateway_select_balance_t *b);

/* The try ends before its connection does: an upgrade. */
void ngx_gateway_select_balance_end(ngx_gateway_select_balance_t *b,
    gateway_try_e how, ngx_msec_t latency);

/* Reads what the request asks for, if that was not done yet. */
void ngx_gateway_select_balance_asked(ngx_gateway_select_balance_t *b);

/* For uscf->peer.init of an upstream with gateway_select. */
ngx_int_t ngx_gateway_select_balance_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);

/* Puts the filters into place: postconfiguration. */
ngx_int_t ngx_gateway_select_filter_init(ngx_conf_t *cf);


#endif /* _NGX_GATEWAY_SELECT_BALANCE_H_INCLUDED_ */
