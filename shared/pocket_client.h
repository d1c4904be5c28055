
/*
 * Relays as a client sees them: signed, and their answers read and verified
 * (spec: hashes and signatures; serving a relay).
 */


#ifndef _POCKET_CLIENT_H_INCLUDED_
#define _POCKET_CLIENT_H_INCLUDED_


#include "pocket_error.h"
#include "pocket_hash.h"
#include "pocket_json.h"


typedef struct {
    uint32_t              code;
    pocket_str_t          codespace;
    pocket_str_t          message;
} pocket_client_error_t;


/*
 * error is NULL in a success; dispatch is the text of the member, if any.
 * hash is what the signature of the answer was held against, where it was.
 */

typedef struct {
    pocket_str_t            response;
    pocket_str_t            signature;
    unsigned char           hash[POCKET_HASH_LEN];
    pocket_client_error_t  *error;
    pocket_json_value_t     dispatch;
} pocket_client_answer_t;


/*
 * Fills in request hash and signature, of memory of a, by the client's
 * private key; all else of the relay is set.  POCKET_OK or POCKET_ERROR.
 */
int pocket_client_sign(pocket_relay_t *relay, const unsigned char *key,
    pocket_hash_t *hash, pocket_relay_hashes_t *hashes, pocket_alloc_t *a);

/*
 * The same as text, in two pieces that follow one another, for a relay that
 * several servicers may be asked for.  The first one, of payload and height,
 * is that of them all, as is the request's hash.  1; 0: a string is not UTF-8,
 * and would not arrive as it is; POCKET_ERROR: no memory, or no hash.
 */
int pocket_client_head(const pocket_relay_t *relay, pocket_hash_t *hash,
    unsigned char *request_hash, pocket_str_t *text, pocket_alloc_t *a);

/*
 * The second one, the proof: all of it is set but request hash and signature.
 * aat_hash is that of its AAT.  POCKET_OK or POCKET_ERROR.
 */
int pocket_client_tail(pocket_proof_t *proof, const unsigned char *key,
    const unsigned char *request_hash, const unsigned char *aat_hash,
    pocket_hash_t *hash, unsigned char *proof_hash, pocket_str_t *text,
    pocket_alloc_t *a);

/*
 * Reads an answer of any status.  1; 0: it is none of a relay, *err says why;
 * POCKET_ERROR: no memory.  Strings are slices of body or of a.
 */
int pocket_client_answer(const pocket_str_t *body,
    pocket_client_answer_t *answer, pocket_json_error_t *err,
    pocket_alloc_t *a);

/*
 * The signature of a success by the servicer (hex) that was asked for the
 * relay of this proof hash: POCKET_ERR_NONE, or what is wrong with it;
 * POCKET_ERR_INTERNAL: it could not be hashed.
 */
pocket_error_id_e pocket_client_verify(const pocket_client_answer_t *answer,
    const pocket_str_t *servicer, const unsigned char *proof_hash,
    pocket_hash_t *hash);


#endif /* _POCKET_CLIENT_H_INCLUDED_ */
