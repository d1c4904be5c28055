
/*
 * What a demo node was notified of: per session, servicer, chain and
 * application a set of proof hashes, sealed when it would be claimed.
 */


#ifndef _DEMO_CLAIM_H_INCLUDED_
#define _DEMO_CLAIM_H_INCLUDED_


#include "../cli_mem.h"
#include "pocket_base.h"


#define DEMO_CLAIM_BUCKETS  1024


typedef struct demo_claim_s  demo_claim_t;


/* of which the claim is; the strings are hex, as they came */

typedef struct {
    int64_t               session_height;
    pocket_str_t          app;
    pocket_str_t          chain;
    unsigned char         servicer[POCKET_PUBKEY_LEN];
} demo_claim_key_t;


struct demo_claim_s {
    demo_claim_key_t      key;
    demo_claim_t         *next;
    int64_t               proofs;
    unsigned char        *table;      /* open addressing, zeros: free */
    size_t                size;       /* of it, a power of two */
    unsigned char         text[];     /* of the key's strings */
};


typedef struct {
    demo_claim_t         *buckets[DEMO_CLAIM_BUCKETS];
} demo_claims_t;


/* NULL: not notified of any yet */
demo_claim_t *demo_claim_find(demo_claims_t *claims,
    const demo_claim_key_t *key);

/* the same, made when it is not there; NULL: no memory */
demo_claim_t *demo_claim_get(demo_claims_t *claims,
    const demo_claim_key_t *key);

/* proof hashes of POCKET_HASH_LEN bytes; _add(): -1 without memory */
int demo_claim_has(const demo_claim_t *claim, const unsigned char *proof);
int demo_claim_add(demo_claim_t *claim, const unsigned char *proof);

/*
 * Appends a JSON array of all claims; those of sessions up to sealed are
 * said to be.
 */
void demo_claims_json(demo_claims_t *claims, cli_buf_t *b, int64_t sealed);

void demo_claims_free(demo_claims_t *claims);


#endif /* _DEMO_CLAIM_H_INCLUDED_ */
