
/*
 * RESP2: commands to bytes, bytes to replies.  The reader is hiredis', which
 * is known to nobody but mesh_redis_resp.c.
 */


#ifndef _MESH_REDIS_RESP_H_INCLUDED_
#define _MESH_REDIS_RESP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "mesh_redis.h"


typedef struct mesh_redis_reader_s  mesh_redis_reader_t;


/*
 * The reader buffers up to max bytes of an unfinished reply and makes
 * replies of at most max bytes.  Destroying NULL is allowed.
 */

mesh_redis_reader_t *mesh_redis_reader_create(size_t max, ngx_log_t *log);
void mesh_redis_reader_destroy(mesh_redis_reader_t *reader);


/*
 * Feed copies the bytes.  Next gives NGX_OK and a reply that lives until the
 * following call, or NGX_AGAIN.  After NGX_ERROR the stream is out of step
 * and the reader only good for mesh_redis_reader_error().
 */

ngx_int_t mesh_redis_reader_feed(mesh_redis_reader_t *reader, u_char *data,
    size_t len);
ngx_int_t mesh_redis_reader_next(mesh_redis_reader_t *reader,
    mesh_redis_reply_t **reply);
const char *mesh_redis_reader_error(mesh_redis_reader_t *reader);


/*
 * Bytes that the two writers below need at most, and the writers, which
 * return the end of what they wrote: the head of an array of n elements, and
 * an element.
 */

size_t mesh_redis_resp_size(ngx_uint_t argc, ngx_str_t *argv);
u_char *mesh_redis_resp_array(u_char *p, size_t n);
u_char *mesh_redis_resp_strings(u_char *p, ngx_uint_t argc, ngx_str_t *argv);


#endif /* _MESH_REDIS_RESP_H_INCLUDED_ */
