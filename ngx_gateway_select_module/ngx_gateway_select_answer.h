
/*
 * Answers of the gateway's endpoints: JSON mostly, and not to be cached.
 */


#ifndef _NGX_GATEWAY_SELECT_ANSWER_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_ANSWER_H_INCLUDED_


#include "ngx_gateway_select_conf.h"


/* a double as text, by %.6g */

#define NGX_GATEWAY_SELECT_DOUBLE_LEN  32

/* "2026-01-31T12:00:00.000Z" */

#define NGX_GATEWAY_SELECT_TIME_LEN    24


/*
 * What most endpoints begin with; 0: it was refused, and *rc is what the
 * handler is to return.  The token of gateway_auth is needed; methods are
 * bits of NGX_HTTP_GET, ..., allowed their names.  The body is discarded, but
 * that of a POST which is accepted.
 */
ngx_uint_t ngx_gateway_select_accept(ngx_http_request_t *r,
    ngx_uint_t methods, const char *allowed, ngx_int_t *rc);

/* What follows the location's name, or the last "/" with a regular one. */
void ngx_gateway_select_tail(ngx_http_request_t *r, ngx_str_t *tail);

/* An argument of the request's, unescaped, in r->pool; empty: there is none. */
ngx_int_t ngx_gateway_select_argument(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

/* The headers; length -1: it is not known.  Without a type it is JSON. */
ngx_int_t ngx_gateway_select_header(ngx_http_request_t *r, ngx_uint_t status,
    off_t length);

/* The whole answer, b its body. */
ngx_int_t ngx_gateway_select_answer(ngx_http_request_t *r, ngx_uint_t status,
    ngx_buf_t *b);

/* {"message","status","error":null}; the message ends with the name, if any */
ngx_int_t ngx_gateway_select_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *message, ngx_str_t *name);

/* Adds "Allow". */
ngx_int_t ngx_gateway_select_allow(ngx_http_request_t *r,
    const char *methods);


/* Pieces of JSON: name is with its comma and colon; the end is given. */

u_char *ngx_gateway_select_text(u_char *p, const char *name,
    ngx_str_t *value);
u_char *ngx_gateway_select_double(u_char *p, const char *name, double value);

/* in quotes; 0: null */
u_char *ngx_gateway_select_time(u_char *p, const char *name, uint64_t ms);

/* the most that ngx_gateway_select_text() writes, without name and quotes */
size_t ngx_gateway_select_text_len(ngx_str_t *value);

/* The length of a URL's scheme and authority: the path may be a secret. */
size_t ngx_gateway_select_open(ngx_str_t *url);


#endif /* _NGX_GATEWAY_SELECT_ANSWER_H_INCLUDED_ */
