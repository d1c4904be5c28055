
/*
 * The answer of a relay while it is made: the chain's bytes are escaped once,
 * as they come; what was escaped is hashed, then sent.
 */


#ifndef _NGX_MESH_RELAY_REPLY_H_INCLUDED_
#define _NGX_MESH_RELAY_REPLY_H_INCLUDED_


#include "ngx_mesh_relay.h"
#include "pocket_json.h"


/* in the request's pool; nothing is allocated before the first byte */

typedef struct {
    ngx_pool_t              *pool;
    pocket_json_stream_t     stream;
    ngx_chain_t             *first;      /* escaped text */
    ngx_chain_t             *last;
    size_t                   size;       /* of all of it */

    /* sorting needs the whole answer before it is escaped */
    ngx_flag_t               sort;
    u_char                  *raw;
    size_t                   raw_len;
    size_t                   raw_size;
} ngx_mesh_relay_reply_t;


/* begins anew, also after an answer that was cut off */
void ngx_mesh_relay_reply_begin(ngx_mesh_relay_reply_t *reply,
    ngx_pool_t *pool, ngx_flag_t sort);

/* the next bytes of the chain's answer; data is the reply */
ngx_int_t ngx_mesh_relay_reply_piece(void *data, u_char *p, size_t len);

/*
 * The answer is whole: sorts it when asked for.  To be called once, before
 * _sign().
 */
ngx_int_t ngx_mesh_relay_reply_end(ngx_mesh_relay_reply_t *reply);

/* signs the response hash of the answer and this proof (spec 3) */
ngx_int_t ngx_mesh_relay_reply_sign(ngx_mesh_relay_reply_t *reply,
    pocket_hash_t *hash, u_char *proof_hash, u_char *private_key,
    u_char *signature);

/*
 * The body of the answer, size bytes; the text's buffers are used, so this
 * is the last call.  NULL: no memory.
 */
ngx_chain_t *ngx_mesh_relay_reply_body(ngx_mesh_relay_reply_t *reply,
    u_char *signature, off_t *size);


#endif /* _NGX_MESH_RELAY_REPLY_H_INCLUDED_ */
