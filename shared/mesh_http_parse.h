
/*
 * Reader of one HTTP/1.x answer: bytes in, header and body out.  It does no
 * I/O, so that a fuzzer can feed it.
 *
 * The owner puts bytes at buf.last, at most up to buf.end (there is always
 * room), moves buf.last and calls mesh_http_reader_process().
 */


#ifndef _MESH_HTTP_PARSE_H_INCLUDED_
#define _MESH_HTTP_PARSE_H_INCLUDED_


#include "mesh_compat.h"
#include "mesh_http.h"


#define MESH_HTTP_MAX_HEADERS    100


typedef enum {
    MESH_HTTP_READ_STATUS = 0,
    MESH_HTTP_READ_HEADERS,
    MESH_HTTP_READ_LENGTH,                 /* body of Content-Length */
    MESH_HTTP_READ_CHUNKED,
    MESH_HTTP_READ_TO_EOF,
    MESH_HTTP_READ_DONE
} mesh_http_read_state_e;


typedef struct {
    mesh_http_read_state_e       state;
    ngx_pool_t                  *pool;
    ngx_buf_t                    buf;
    u_char                      *body;     /* decoded part of buf ... */
    u_char                      *body_last;
    size_t                       taken;    /* of the body, before it */
    size_t                       max_body;
    off_t                        length;   /* Content-Length, -1: none */

    ngx_uint_t                   status;
    ngx_str_t                    content_type;
    ngx_uint_t                   nheaders;
    mesh_http_header_t           headers[MESH_HTTP_MAX_HEADERS];

    mesh_http_outcome_e          outcome;  /* of an error */
    const char                  *reason;

    unsigned                     pour:1;   /* the body will be taken */
    unsigned                     head:1;   /* an answer to HEAD */
    unsigned                     chunked:1;
    unsigned                     close:1;  /* the peer will close */

    /* what the parsers of nginx work on */
    ngx_http_status_t            line;
    ngx_http_chunked_t           chunk;
    ngx_http_request_t           request;
} mesh_http_reader_t;


/*
 * Begins an answer, or begins anew.  buffer of size bytes bounds the header;
 * a body that does not fit into its rest is kept in pool.  c is used for its
 * log only.
 */

void mesh_http_reader_init(mesh_http_reader_t *reader, ngx_connection_t *c,
    ngx_pool_t *pool, u_char *buffer, size_t size, size_t max_body,
    ngx_uint_t head);


/*
 * NGX_OK: the answer is whole; NGX_AGAIN: more bytes are needed; NGX_ERROR:
 * outcome and reason say why.
 */

ngx_int_t mesh_http_reader_process(mesh_http_reader_t *reader);


/*
 * Its owner has used the body up to body_last and forgets it; after
 * mesh_http_reader_process() gave NGX_AGAIN or NGX_OK.
 */

void mesh_http_reader_take(mesh_http_reader_t *reader);


/* The peer closed.  NGX_OK: that was the end; NGX_ERROR: something lacks. */

ngx_int_t mesh_http_reader_eof(mesh_http_reader_t *reader);


/* Of a whole answer: whether another may follow on the connection. */

ngx_uint_t mesh_http_reader_reusable(mesh_http_reader_t *reader);


#endif /* _MESH_HTTP_PARSE_H_INCLUDED_ */
