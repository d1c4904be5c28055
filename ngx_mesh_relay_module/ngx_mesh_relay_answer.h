
/*
 * Answers of the module's own making.
 */


#ifndef _NGX_MESH_RELAY_ANSWER_H_INCLUDED_
#define _NGX_MESH_RELAY_ANSWER_H_INCLUDED_


#include "ngx_mesh_relay.h"


/* the methods of a location, besides OPTIONS; the value of Allow */

#define NGX_MESH_RELAY_ALLOW_POST  "OPTIONS, POST"
#define NGX_MESH_RELAY_ALLOW_GET   "GET, OPTIONS"


typedef enum {
    NGX_MESH_RELAY_TYPE_RELAY = 0,      /* of relays, success and error */
    NGX_MESH_RELAY_TYPE_HTTP,           /* of other JSON */
    NGX_MESH_RELAY_TYPE_TEXT
} ngx_mesh_relay_type_e;


/*
 * Sends status and body (a chain of memory buffers, size bytes in all, the
 * last one marked here) and gives what ngx_http_finalize_request() takes.
 * The request's body must have been read or discarded.
 */
ngx_int_t ngx_mesh_relay_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_mesh_relay_type_e type, ngx_chain_t *body, off_t size);

/* the same for one string, which must live as long as the request */
ngx_int_t ngx_mesh_relay_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_mesh_relay_type_e type, ngx_str_t *text);

/* {"code":status,"message":...} and a newline (spec 6, 8) */
ngx_int_t ngx_mesh_relay_send_http_error(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *message);

/*
 * {"dispatch":...,"error":...} of spec 6 with the status of the error's row;
 * dispatch may be empty.
 */
ngx_int_t ngx_mesh_relay_send_error(ngx_http_request_t *r,
    pocket_error_t *err, ngx_str_t *dispatch);

/* Access-Control-* of the client endpoints (spec 6) */
ngx_int_t ngx_mesh_relay_cors(ngx_http_request_t *r);

/* one header to the answer; name and value are static or of r->pool */
ngx_int_t ngx_mesh_relay_header(ngx_http_request_t *r, const char *name,
    const char *value);

/*
 * What every location does before its own work: OPTIONS is answered with
 * 200, other methods than mask's with 405, their body discarded.
 * NGX_DECLINED: go on; else the handler's return code.
 */
ngx_int_t ngx_mesh_relay_method(ngx_http_request_t *r, ngx_uint_t mask,
    const char *allow);

/* the body in one piece: its own buffer, or a copy in r->pool */
ngx_int_t ngx_mesh_relay_body(ngx_http_request_t *r, ngx_str_t *body);


#endif /* _NGX_MESH_RELAY_ANSWER_H_INCLUDED_ */
