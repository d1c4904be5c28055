
/*
 * hashes.json: hashes of decoded values, and the bodies of requests to the
 * full node.
 */


#include "vectors.h"

#include <string.h>


static void vector_sha3(vector_case_t *c, const vector_value_t *expect);
static void vector_aat(vector_case_t *c, const vector_value_t *expect);
static void vector_proof(vector_case_t *c, const vector_value_t *expect);
static void vector_session(vector_case_t *c, const vector_value_t *expect);
static void vector_session_key(vector_case_t *c, const vector_value_t *expect);
static void vector_session_request(vector_case_t *c,
    const vector_value_t *expect);
static void vector_check_request(vector_case_t *c,
    const vector_value_t *expect);
static pocket_str_t *vector_list(vector_case_t *c, const vector_value_t *array,
    size_t *n);
static void vector_expect_hash(vector_case_t *c,
    const vector_value_t *expect, int rc, const unsigned char *hash);
static pocket_text_t *vector_text_start(vector_case_t *c, pocket_text_t *t,
    pocket_str_t *text);
static void vector_text_done(vector_case_t *c, const vector_value_t *expect,
    pocket_text_t *t, pocket_str_t *text);


#define VECTOR_TEXT_SIZE  4096


static const vector_runner_t  vector_runners[] = {
    { "sha3", vector_sha3 },
    { "aat", vector_aat },
    { "proof", vector_proof },
    { "session", vector_session },
    { "session_key", vector_session_key },
    { "session_request", vector_session_request },
    { "check_request", vector_check_request },
    { NULL, NULL }
};


void
vector_hashes(vector_case_t *c)
{
    vector_dispatch(c, vector_runners);
}


static void
vector_sha3(vector_case_t *c, const vector_value_t *expect)
{
    int            rc;
    pocket_str_t   data;
    unsigned char  hash[POCKET_HASH_LEN];

    data = vector_str(c, vector_get(c->value, "input"), "data");

    rc = pocket_hash_sha3(c->hash, &data, hash);

    vector_expect_hash(c, expect, rc, hash);
}


static void
vector_aat(vector_case_t *c, const vector_value_t *expect)
{
    int               rc;
    pocket_aat_t      aat;
    pocket_str_t      text;
    pocket_text_t     t;
    unsigned char     hash[POCKET_HASH_LEN];
    vector_value_t  *input;

    input = vector_get(c->value, "input");

    aat.version = vector_str(c, input, "version");
    aat.app_pub_key = vector_str(c, input, "app_pub_key");
    aat.client_pub_key = vector_str(c, input, "client_pub_key");
    aat.signature = vector_str(c, input, "signature");

    pocket_relay_aat_text(vector_text_start(c, &t, &text), &aat);
    vector_text_done(c, expect, &t, &text);

    rc = pocket_hash_aat(c->hash, &aat, hash);

    vector_expect_hash(c, expect, rc, hash);
}


static void
vector_proof(vector_case_t *c, const vector_value_t *expect)
{
    int               rc;
    pocket_str_t      text;
    pocket_text_t     t;
    pocket_proof_t    proof;
    unsigned char     hash[POCKET_HASH_LEN], aat_hash[POCKET_HASH_LEN];
    vector_value_t  *input;

    input = vector_get(c->value, "input");

    memset(&proof, 0, sizeof(pocket_proof_t));

    proof.entropy = vector_int(c, input, "entropy");
    proof.session_block_height = vector_int(c, input, "session_block_height");
    proof.servicer_pub_key = vector_str(c, input, "servicer_pub_key");
    proof.blockchain = vector_str(c, input, "blockchain");
    proof.request_hash = vector_str(c, input, "request_hash");
    vector_raw(c, input, "aat_hash", aat_hash, POCKET_HASH_LEN);

    pocket_relay_proof_text(vector_text_start(c, &t, &text), &proof,
                            aat_hash);
    vector_text_done(c, expect, &t, &text);

    rc = pocket_hash_proof(c->hash, &proof, aat_hash, hash);

    vector_expect_hash(c, expect, rc, hash);
}


static void
vector_session(vector_case_t *c, const vector_value_t *expect)
{
    int               rc;
    int64_t           height;
    pocket_str_t      app, chain, text;
    pocket_text_t     t;
    unsigned char     hash[POCKET_HASH_LEN];
    vector_value_t  *input;

    input = vector_get(c->value, "input");

    app = vector_str(c, input, "app_public_key");
    chain = vector_str(c, input, "chain");
    height = vector_int(c, input, "session_height");

    pocket_session_text(vector_text_start(c, &t, &text), &app, &chain,
                        height);
    vector_text_done(c, expect, &t, &text);

    rc = pocket_hash_session(c->hash, &app, &chain, height, hash);

    vector_expect_hash(c, expect, rc, hash);
}


static void
vector_session_key(vector_case_t *c, const vector_value_t *expect)
{
    int               rc;
    pocket_str_t      app, chain, block_hash, text;
    pocket_text_t     t;
    unsigned char     hash[POCKET_HASH_LEN];
    vector_value_t  *input;

    input = vector_get(c->value, "input");

    app = vector_str(c, input, "app_pub_key");
    chain = vector_str(c, input, "chain");
    block_hash = vector_str(c, input, "block_hash");

    pocket_session_key_text(vector_text_start(c, &t, &text), &app, &chain,
                            &block_hash);
    vector_text_done(c, expect, &t, &text);

    rc = pocket_hash_session_key(c->hash, &app, &chain, &block_hash, hash);

    vector_expect_hash(c, expect, rc, hash);
}


static void
vector_session_request(vector_case_t *c, const vector_value_t *expect)
{
    pocket_str_t               body;
    vector_value_t           *input;
    pocket_session_request_t   rq;

    input = vector_get(c->value, "input");

    rq.app_pub_key = vector_str(c, input, "app_public_key");
    rq.chain = vector_str(c, input, "chain");
    rq.servicer_pub_key = vector_str(c, input, "servicer_pub_key");
    rq.session_height = vector_int(c, input, "session_height");
    rq.block_height = vector_int(c, input, "block_height");

    if (pocket_session_request_body(&rq, &body, c->alloc) != POCKET_OK) {
        vector_fail(c, "no memory");
        return;
    }

    vector_expect_str(c, expect, "text", &body);
}


static void
vector_check_request(vector_case_t *c, const vector_value_t *expect)
{
    size_t            nservicers, nchains;
    pocket_str_t      body, *servicers, *chains;
    vector_value_t  *input;

    input = vector_get(c->value, "input");

    servicers = vector_list(c, vector_get(input, "servicers"), &nservicers);
    chains = vector_list(c, vector_get(input, "chains"), &nchains);

    if (servicers == NULL || chains == NULL
        || pocket_check_request_body(servicers, nservicers, chains, nchains,
                                     &body, c->alloc)
           != POCKET_OK)
    {
        vector_fail(c, "no memory");
        return;
    }

    vector_expect_str(c, expect, "text", &body);
}


static pocket_str_t *
vector_list(vector_case_t *c, const vector_value_t *array, size_t *n)
{
    pocket_str_t     *list;
    vector_value_t  *value;

    *n = 0;

    for (value = array ? array->first : NULL; value; value = value->next) {
        (*n)++;
    }

    list = pocket_alloc(c->alloc, *n * sizeof(pocket_str_t));
    if (list == NULL) {
        return NULL;
    }

    *n = 0;

    for (value = array ? array->first : NULL; value; value = value->next) {
        list[(*n)++] = value->str;
    }

    return list;
}


static void
vector_expect_hash(vector_case_t *c, const vector_value_t *expect, int rc,
    const unsigned char *hash)
{
    if (rc != POCKET_OK) {
        vector_fail(c, "not hashed");
        return;
    }

    vector_expect_hex(c, expect, "hash", hash, POCKET_HASH_LEN);
}


static pocket_text_t *
vector_text_start(vector_case_t *c, pocket_text_t *t, pocket_str_t *text)
{
    text->data = pocket_alloc(c->alloc, VECTOR_TEXT_SIZE);

    pocket_text_init(t, text->data, VECTOR_TEXT_SIZE, NULL, NULL);

    return t;
}


static void
vector_text_done(vector_case_t *c, const vector_value_t *expect,
    pocket_text_t *t, pocket_str_t *text)
{
    text->len = pocket_text_end(t);

    if (text->len >= VECTOR_TEXT_SIZE) {
        vector_fail(c, "the text is longer than the test can hold");
        return;
    }

    vector_expect_str(c, expect, "text", text);
}
