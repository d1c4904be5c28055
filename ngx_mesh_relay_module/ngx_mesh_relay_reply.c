
/*
 * The answer of a relay while it is made.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_execute.h"
#include "ngx_mesh_relay_reply.h"
#include "pocket_response.h"


#define NGX_MESH_RELAY_REPLY_MAX    65536


static ngx_int_t ngx_mesh_relay_reply_escape(ngx_mesh_relay_reply_t *reply,
    pocket_str_t *piece);
static ngx_buf_t *ngx_mesh_relay_reply_buf(ngx_mesh_relay_reply_t *reply,
    size_t want);
static ngx_chain_t *ngx_mesh_relay_reply_link(ngx_pool_t *pool, u_char *p,
    size_t len);


void
ngx_mesh_relay_reply_begin(ngx_mesh_relay_reply_t *reply, ngx_pool_t *pool,
    ngx_flag_t sort)
{
    ngx_memzero(reply, sizeof(ngx_mesh_relay_reply_t));

    reply->pool = pool;
    reply->sort = sort;
}


ngx_int_t
ngx_mesh_relay_reply_piece(void *data, u_char *p, size_t len)
{
    ngx_mesh_relay_reply_t *reply = data;

    pocket_str_t  piece;

    if (reply->sort) {
        return ngx_mesh_relay_append(reply->pool, &reply->raw,
                                     &reply->raw_len, &reply->raw_size,
                                     p, len);
    }

    piece.data = p;
    piece.len = len;

    return ngx_mesh_relay_reply_escape(reply, &piece);
}


static ngx_int_t
ngx_mesh_relay_reply_escape(ngx_mesh_relay_reply_t *reply,
    pocket_str_t *piece)
{
    u_char     *p;
    ngx_buf_t  *b;

    while (piece->len) {

        b = ngx_mesh_relay_reply_buf(reply, piece->len);
        if (b == NULL) {
            return NGX_ERROR;
        }

        p = pocket_json_stream(&reply->stream, b->last, b->end, piece);

        reply->size += p - b->last;
        b->last = p;
    }

    return NGX_OK;
}


/* a buffer with room for some escapes; want is what is known to come */

static ngx_buf_t *
ngx_mesh_relay_reply_buf(ngx_mesh_relay_reply_t *reply, size_t want)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (reply->last) {
        b = reply->last->buf;

        if (b->end - b->last >= POCKET_JSON_STREAM_MIN) {
            return b;
        }
    }

    size = want + want / 8 + 2 * POCKET_JSON_STREAM_MIN;
    size = ngx_max(size, reply->size);
    size = ngx_min(size, NGX_MESH_RELAY_REPLY_MAX);

    b = ngx_create_temp_buf(reply->pool, size);
    if (b == NULL) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(reply->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    if (reply->last) {
        reply->last->next = cl;

    } else {
        reply->first = cl;
    }

    reply->last = cl;

    return b;
}


ngx_int_t
ngx_mesh_relay_reply_end(ngx_mesh_relay_reply_t *reply)
{
    u_char          *p;
    ngx_buf_t       *b;
    pocket_str_t     text, sorted;
    pocket_alloc_t   a;

    if (reply->sort) {
        mesh_pool_allocator(reply->pool, &a);

        text.data = reply->raw;
        text.len = reply->raw_len;

        if (pocket_response_sort(&text, &sorted, &a) == POCKET_ERROR
            || ngx_mesh_relay_reply_escape(reply, &sorted) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    b = ngx_mesh_relay_reply_buf(reply, 0);
    if (b == NULL) {
        return NGX_ERROR;
    }

    p = pocket_json_stream_end(&reply->stream, b->last);

    reply->size += p - b->last;
    b->last = p;

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_reply_sign(ngx_mesh_relay_reply_t *reply, pocket_hash_t *hash,
    u_char *proof_hash, u_char *private_key, u_char *signature)
{
    u_char        digest[POCKET_HASH_LEN];
    ngx_chain_t  *cl;

    pocket_hash_response_begin(hash);

    for (cl = reply->first; cl; cl = cl->next) {
        pocket_hash_update(hash, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    if (pocket_hash_response_end(hash, proof_hash, digest) != POCKET_OK
        || pocket_key_sign(private_key, digest, signature) != POCKET_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_chain_t *
ngx_mesh_relay_reply_body(ngx_mesh_relay_reply_t *reply, u_char *signature,
    off_t *size)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *head, *tail, **ll;

    p = ngx_pnalloc(reply->pool, POCKET_RESPONSE_SUFFIX_LEN);
    if (p == NULL) {
        return NULL;
    }

    (void) pocket_response_suffix(p, signature);

    head = ngx_mesh_relay_reply_link(reply->pool,
                                     (u_char *) POCKET_RESPONSE_PREFIX,
                                     POCKET_RESPONSE_PREFIX_LEN);
    tail = ngx_mesh_relay_reply_link(reply->pool, p,
                                     POCKET_RESPONSE_SUFFIX_LEN);

    if (head == NULL || tail == NULL) {
        return NULL;
    }

    *size = POCKET_RESPONSE_PREFIX_LEN + POCKET_RESPONSE_SUFFIX_LEN;

    ll = &head->next;

    for (cl = reply->first; cl; cl = cl->next) {
        b = cl->buf;

        if (reply->stream.bad) {
            b->last = b->pos + pocket_json_unescape_bad(b->pos,
                                                        b->last - b->pos);
        }

        /* nginx takes a buffer of no size for a fault */

        if (b->last == b->pos) {
            continue;
        }

        *size += b->last - b->pos;
        *ll = cl;
        ll = &cl->next;
    }

    *ll = tail;

    return head;
}


static ngx_chain_t *
ngx_mesh_relay_reply_link(ngx_pool_t *pool, u_char *p, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(pool);
    if (cl == NULL) {
        return NULL;
    }

    b->pos = p;
    b->last = p + len;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}
