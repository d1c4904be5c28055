
/*
 * Claims of a demo node.
 */


#include <stdlib.h>
#include <string.h>

#include "demo_claim.h"
#include "pocket_key.h"


#define DEMO_CLAIM_TABLE  256


static size_t demo_claim_bucket(const demo_claim_key_t *key);
static int demo_claim_same(const demo_claim_t *claim,
    const demo_claim_key_t *key);
static unsigned char *demo_claim_place(unsigned char *table, size_t size,
    const unsigned char *proof);
static int demo_claim_grow(demo_claim_t *claim);
static void demo_claim_json(demo_claim_t *claim, cli_buf_t *b,
    int64_t sealed);


static const unsigned char  demo_claim_free[POCKET_HASH_LEN];


demo_claim_t *
demo_claim_find(demo_claims_t *claims, const demo_claim_key_t *key)
{
    demo_claim_t  *claim;

    claim = claims->buckets[demo_claim_bucket(key)];

    for ( /* void */ ; claim; claim = claim->next) {
        if (demo_claim_same(claim, key)) {
            return claim;
        }
    }

    return NULL;
}


demo_claim_t *
demo_claim_get(demo_claims_t *claims, const demo_claim_key_t *key)
{
    demo_claim_t   *claim, **bucket;

    claim = demo_claim_find(claims, key);

    if (claim) {
        return claim;
    }

    claim = calloc(1, sizeof(demo_claim_t) + key->app.len + key->chain.len);
    if (claim == NULL) {
        return NULL;
    }

    claim->key = *key;
    claim->key.app.data = claim->text;
    claim->key.chain.data = claim->text + key->app.len;

    memcpy(claim->key.app.data, key->app.data, key->app.len);
    memcpy(claim->key.chain.data, key->chain.data, key->chain.len);

    bucket = &claims->buckets[demo_claim_bucket(key)];
    claim->next = *bucket;
    *bucket = claim;

    return claim;
}


/* public keys are spread well enough without being hashed */

static size_t
demo_claim_bucket(const demo_claim_key_t *key)
{
    size_t  n;

    n = key->servicer[0] | (size_t) key->servicer[1] << 8;
    n += (size_t) key->session_height * 31;

    if (key->app.len > 2) {
        n += (size_t) key->app.data[1] * 7 + key->app.data[2];
    }

    if (key->chain.len) {
        n += (size_t) key->chain.data[key->chain.len - 1] * 131;
    }

    return n % DEMO_CLAIM_BUCKETS;
}


static int
demo_claim_same(const demo_claim_t *claim, const demo_claim_key_t *key)
{
    return claim->key.session_height == key->session_height
           && claim->key.app.len == key->app.len
           && claim->key.chain.len == key->chain.len
           && memcmp(claim->key.servicer, key->servicer, POCKET_PUBKEY_LEN)
              == 0
           && memcmp(claim->key.app.data, key->app.data, key->app.len) == 0
           && memcmp(claim->key.chain.data, key->chain.data, key->chain.len)
              == 0;
}


int
demo_claim_has(const demo_claim_t *claim, const unsigned char *proof)
{
    unsigned char  *place;

    if (claim->size == 0) {
        return 0;
    }

    place = demo_claim_place(claim->table, claim->size, proof);

    return memcmp(place, proof, POCKET_HASH_LEN) == 0;
}


int
demo_claim_add(demo_claim_t *claim, const unsigned char *proof)
{
    unsigned char  *place;

    if ((size_t) claim->proofs * 2 >= claim->size
        && demo_claim_grow(claim) != 0)
    {
        return -1;
    }

    place = demo_claim_place(claim->table, claim->size, proof);

    memcpy(place, proof, POCKET_HASH_LEN);
    claim->proofs++;

    return 0;
}


/* where the proof is, or would be */

static unsigned char *
demo_claim_place(unsigned char *table, size_t size,
    const unsigned char *proof)
{
    uint64_t        n;
    unsigned char  *p;

    memcpy(&n, proof, sizeof(uint64_t));

    for ( ;; n++) {
        p = table + (n & (size - 1)) * POCKET_HASH_LEN;

        if (memcmp(p, proof, POCKET_HASH_LEN) == 0
            || memcmp(p, demo_claim_free, POCKET_HASH_LEN) == 0)
        {
            return p;
        }
    }
}


static int
demo_claim_grow(demo_claim_t *claim)
{
    size_t          i, size;
    unsigned char  *table, *p;

    size = claim->size ? claim->size * 2 : DEMO_CLAIM_TABLE;

    table = calloc(size, POCKET_HASH_LEN);
    if (table == NULL) {
        return -1;
    }

    for (i = 0; i < claim->size; i++) {
        p = claim->table + i * POCKET_HASH_LEN;

        if (memcmp(p, demo_claim_free, POCKET_HASH_LEN) != 0) {
            memcpy(demo_claim_place(table, size, p), p, POCKET_HASH_LEN);
        }
    }

    free(claim->table);
    claim->table = table;
    claim->size = size;

    return 0;
}


void
demo_claims_json(demo_claims_t *claims, cli_buf_t *b, int64_t sealed)
{
    size_t         i;
    unsigned       n;
    demo_claim_t  *claim;

    cli_buf_text(b, "[");

    for (i = 0, n = 0; i < DEMO_CLAIM_BUCKETS; i++) {
        for (claim = claims->buckets[i]; claim; claim = claim->next) {
            if (claim->proofs) {
                cli_buf_text(b, n++ ? ",\n" : "\n");
                demo_claim_json(claim, b, sealed);
            }
        }
    }

    cli_buf_text(b, "\n]\n");
}


static void
demo_claim_json(demo_claim_t *claim, cli_buf_t *b, int64_t sealed)
{
    unsigned char  address[POCKET_ADDR_LEN], hex[2 * POCKET_ADDR_LEN];

    pocket_key_address(claim->key.servicer, address);
    pocket_hex_encode(hex, address, POCKET_ADDR_LEN);

    cli_buf_printf(b, "{\"session_height\":%lld,\"servicer\":\"%.*s\","
                      "\"chain\":", (long long) claim->key.session_height,
                   2 * POCKET_ADDR_LEN, hex);
    cli_buf_json(b, &claim->key.chain);
    cli_buf_text(b, ",\"app\":");
    cli_buf_json(b, &claim->key.app);
    cli_buf_printf(b, ",\"proofs\":%lld,\"sealed\":%s}",
                   (long long) claim->proofs,
                   claim->key.session_height <= sealed ? "true" : "false");
}


void
demo_claims_free(demo_claims_t *claims)
{
    size_t         i;
    demo_claim_t  *claim;

    for (i = 0; i < DEMO_CLAIM_BUCKETS; i++) {

        while (claims->buckets[i]) {
            claim = claims->buckets[i];
            claims->buckets[i] = claim->next;

            free(claim->table);
            free(claim);
        }
    }
}
