
/*
 * SHA3-256 and the hashes of the protocol, and the texts of an edge's
 * requests to its full node (spec: hashes and signatures; edge node to full
 * node).  A hash is POCKET_HASH_LEN raw bytes.
 */


#ifndef _POCKET_HASH_H_INCLUDED_
#define _POCKET_HASH_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_relay.h"


/* the digest, fetched once, and one context: not for two threads at once */
typedef struct pocket_hash_s  pocket_hash_t;


typedef struct {
    unsigned char    request[POCKET_HASH_LEN];
    unsigned char    aat[POCKET_HASH_LEN];
    unsigned char    proof[POCKET_HASH_LEN];
} pocket_relay_hashes_t;


/* NULL: no memory, or OpenSSL has no SHA3-256.  Owned by the caller. */
pocket_hash_t *pocket_hash_create(void);

/* Another context in the state of h; NULL: no memory. */
pocket_hash_t *pocket_hash_copy(const pocket_hash_t *h);
void pocket_hash_destroy(pocket_hash_t *h);


/*
 * One hash at a time: _begin() drops whatever was begun before.  A failure
 * inside is remembered: _end() then gives POCKET_ERROR, else POCKET_OK.
 */
void pocket_hash_begin(pocket_hash_t *h);
void pocket_hash_update(pocket_hash_t *h, const void *p, size_t len);
int pocket_hash_end(pocket_hash_t *h, unsigned char *hash);


/* Each begins and ends a hash: POCKET_OK or POCKET_ERROR. */
int pocket_hash_sha3(pocket_hash_t *h, const pocket_str_t *data,
    unsigned char *hash);
int pocket_hash_request(pocket_hash_t *h, const pocket_relay_t *relay,
    unsigned char *hash);
int pocket_hash_aat(pocket_hash_t *h, const pocket_aat_t *aat,
    unsigned char *hash);
int pocket_hash_proof(pocket_hash_t *h, const pocket_proof_t *proof,
    const unsigned char *aat_hash, unsigned char *hash);

/* All three of a relay. */
int pocket_hash_relay(pocket_hash_t *h, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes);

/* app is the application's public key in hex */
int pocket_hash_session(pocket_hash_t *h, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, unsigned char *hash);

/* block_hash is hex */
int pocket_hash_session_key(pocket_hash_t *h, const pocket_str_t *app,
    const pocket_str_t *chain, const pocket_str_t *block_hash,
    unsigned char *hash);


/*
 * The response hash of a chain's answer: _begin(), then the answer as
 * pocket_json_escape() or pocket_json_stream() made it, in pieces of any
 * size, by pocket_hash_update(), then _end().
 */
void pocket_hash_response_begin(pocket_hash_t *h);
int pocket_hash_response_end(pocket_hash_t *h,
    const unsigned char *proof_hash, unsigned char *hash);

/* The same for a raw answer in one piece. */
int pocket_hash_response(pocket_hash_t *h, const pocket_str_t *answer,
    const unsigned char *proof_hash, unsigned char *hash);


/* what the node is asked about a session; keys in hex */

typedef struct {
    pocket_str_t     app_pub_key;
    pocket_str_t     chain;
    pocket_str_t     servicer_pub_key;
    int64_t          session_height;
    int64_t          block_height;       /* of meta: the node's last known */
} pocket_session_request_t;


/* The texts, for any sink. */
void pocket_session_text(pocket_text_t *t, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height);
void pocket_session_key_text(pocket_text_t *t, const pocket_str_t *app,
    const pocket_str_t *chain, const pocket_str_t *block_hash);
void pocket_session_request_text(pocket_text_t *t,
    const pocket_session_request_t *rq);

/* servicers are addresses in hex */
void pocket_check_request_text(pocket_text_t *t,
    const pocket_str_t *servicers, size_t nservicers,
    const pocket_str_t *chains, size_t nchains);

/* The bodies, allocated from a: POCKET_OK, or POCKET_ERROR without memory. */
int pocket_session_request_body(const pocket_session_request_t *rq,
    pocket_str_t *body, pocket_alloc_t *a);
int pocket_check_request_body(const pocket_str_t *servicers,
    size_t nservicers, const pocket_str_t *chains, size_t nchains,
    pocket_str_t *body, pocket_alloc_t *a);


#endif /* _POCKET_HASH_H_INCLUDED_ */
