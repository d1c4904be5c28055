
/*
 * Relays: from the body of a request to a struct of slices, and back to
 * canonical text (spec: objects; canonical JSON).
 */


#ifndef _POCKET_RELAY_H_INCLUDED_
#define _POCKET_RELAY_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_error.h"
#include "pocket_text.h"


typedef struct {
    pocket_str_t         name;
    pocket_str_t         value;
} pocket_header_t;


/*
 * headers are sorted bytewise by name, each name once; has_headers tells
 * none from null.
 */

typedef struct {
    pocket_str_t         data;
    pocket_str_t         method;
    pocket_str_t         path;
    pocket_header_t     *headers;
    size_t               nheaders;
    unsigned             has_headers;
} pocket_payload_t;


typedef struct {
    pocket_str_t         version;
    pocket_str_t         app_pub_key;
    pocket_str_t         client_pub_key;
    pocket_str_t         signature;
} pocket_aat_t;


typedef struct {
    pocket_str_t         request_hash;
    int64_t              entropy;
    int64_t              session_block_height;
    pocket_str_t         servicer_pub_key;
    pocket_str_t         blockchain;
    pocket_aat_t         aat;
    pocket_str_t         signature;
} pocket_proof_t;


typedef struct {
    pocket_payload_t     payload;
    int64_t              block_height;     /* of meta */
    pocket_proof_t       proof;
} pocket_relay_t;


/* a simulated relay */

typedef struct {
    pocket_str_t         chain;            /* relay_network_id */
    pocket_payload_t     payload;
} pocket_sim_t;


/*
 * Decodes a body; the strings are slices of it, valid UTF-8, and it must
 * outlive them; those with escapes, and the headers, come from a.
 * POCKET_OK, or POCKET_ERROR with *err: POCKET_ERR_DECODE and the parser's
 * message, POCKET_ERR_INTERNAL without memory.
 */
int pocket_relay_decode(const pocket_str_t *body, pocket_relay_t *relay,
    pocket_error_t *err, pocket_alloc_t *a);
int pocket_sim_decode(const pocket_str_t *body, pocket_sim_t *sim,
    pocket_error_t *err, pocket_alloc_t *a);


/*
 * The whole relay re-marshalled, as full nodes are notified of it: its
 * size, and the writing of just so many bytes, of which the end is given.
 */
size_t pocket_relay_size(const pocket_relay_t *relay);
unsigned char *pocket_relay_write(unsigned char *dst,
    const pocket_relay_t *relay);


/*
 * Canonical texts, written to t: of all the relay; its head, which is that of
 * the request, too, and the rest, from the proof on; and those that are
 * hashed.  aat_hash is POCKET_HASH_LEN raw bytes.
 */
void pocket_relay_text(pocket_text_t *t, const pocket_relay_t *relay);
void pocket_relay_head_text(pocket_text_t *t, const pocket_relay_t *relay);
void pocket_relay_tail_text(pocket_text_t *t, const pocket_proof_t *proof);
void pocket_relay_request_text(pocket_text_t *t, const pocket_relay_t *relay);
void pocket_relay_aat_text(pocket_text_t *t, const pocket_aat_t *aat);
void pocket_relay_proof_text(pocket_text_t *t, const pocket_proof_t *proof,
    const unsigned char *aat_hash);


#endif /* _POCKET_RELAY_H_INCLUDED_ */
