
/*
 * signatures.json: signing, and verifying just as the reference does.
 */


#include "vectors.h"
#include "pocket_error.h"
#include "pocket_key.h"

#include <string.h>


static void vector_sign(vector_case_t *c, const vector_value_t *expect);
static void vector_verify(vector_case_t *c, const vector_value_t *expect);


static const vector_runner_t  vector_runners[] = {
    { "sign", vector_sign },
    { "verify", vector_verify },
    { NULL, NULL }
};


void
vector_signatures(vector_case_t *c)
{
    vector_dispatch(c, vector_runners);
}


static void
vector_sign(vector_case_t *c, const vector_value_t *expect)
{
    unsigned char  key[POCKET_PRIVKEY_LEN], hash[POCKET_HASH_LEN];
    unsigned char  signature[POCKET_SIG_LEN];

    vector_raw(c, c->value, "private_key", key, POCKET_PRIVKEY_LEN);
    vector_raw(c, c->value, "message", hash, POCKET_HASH_LEN);

    if (pocket_key_sign(key, hash, signature) != POCKET_OK) {
        vector_fail(c, "not signed");
        return;
    }

    vector_expect_hex(c, expect, "signature", signature, POCKET_SIG_LEN);
}


static void
vector_verify(vector_case_t *c, const vector_value_t *expect)
{
    pocket_str_t       key, signature;
    unsigned char      hash[POCKET_HASH_LEN];
    pocket_error_id_e  id;

    key = vector_str(c, c->value, "public_key");
    signature = vector_str(c, c->value, "signature");
    vector_raw(c, c->value, "message", hash, POCKET_HASH_LEN);

    id = pocket_key_check(&key, hash, &signature);

    vector_expect_bool(c, expect, "valid", id == POCKET_ERR_NONE);

    if (id != POCKET_ERR_NONE) {
        vector_expect_int(c, expect, "code", pocket_error_def(id)->code);
    }
}
