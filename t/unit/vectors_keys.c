
/*
 * keys.json: private keys, servicers' public keys, key files.
 */


#include "vectors.h"
#include "pocket_files.h"
#include "pocket_key.h"

#include <stdlib.h>
#include <string.h>


static void vector_private(vector_case_t *c, const vector_value_t *expect);
static void vector_public(vector_case_t *c, const vector_value_t *expect);
static void vector_key_file(vector_case_t *c, const vector_value_t *expect);
static void vector_key_node(vector_case_t *c, const pocket_file_keys_t *keys,
    size_t n, vector_value_t *expect);
static int vector_address_cmp(const void *one, const void *two);
static void vector_expect_error(vector_case_t *c,
    const vector_value_t *expect, const char *name);


static const vector_runner_t  vector_runners[] = {
    { "private", vector_private },
    { "public", vector_public },
    { "file", vector_key_file },
    { NULL, NULL }
};


void
vector_keys(vector_case_t *c)
{
    vector_dispatch(c, vector_runners);
}


static void
vector_private(vector_case_t *c, const vector_value_t *expect)
{
    pocket_str_t         hex;
    vector_value_t     *reference;
    unsigned char        key[POCKET_PRIVKEY_LEN], address[POCKET_ADDR_LEN];
    pocket_key_error_e   error;

    static const unsigned char  zeroes[POCKET_PRIVKEY_LEN];

    static const char *const  errors[] = {
        NULL, "hex", "length", "mismatch"
    };

    hex = vector_str(c, c->value, "input");

    reference = vector_get(expect, "reference");

    if (reference) {
        reference->seen = 1;
    }

    memset(key, 0xff, sizeof(key));

    error = pocket_key_private(&hex, key);

    vector_expect_error(c, expect, errors[error]);

    if (error != POCKET_KEY_OK) {

        if (memcmp(key, zeroes, sizeof(key)) != 0) {
            vector_fail(c, "a refused key was not wiped");
        }

        return;
    }

    pocket_key_address(key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN, address);

    vector_expect_hex(c, expect, "public_key",
                       key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                       POCKET_PUBKEY_LEN);
    vector_expect_hex(c, expect, "address", address, POCKET_ADDR_LEN);
}


static void
vector_public(vector_case_t *c, const vector_value_t *expect)
{
    pocket_str_t           hex;
    unsigned char          key[POCKET_PUBKEY_LEN], address[POCKET_ADDR_LEN];
    pocket_servicer_key_e  class;

    hex = vector_str(c, c->value, "input");

    class = pocket_key_servicer(&hex, key);

    vector_expect_bool(c, expect, "error", class == POCKET_SERVICER_BAD);
    vector_expect_bool(c, expect, "secp256k1",
                        class == POCKET_SERVICER_SECP256K1);

    if (class == POCKET_SERVICER_KEY) {
        pocket_key_address(key, address);
        vector_expect_hex(c, expect, "address", address, POCKET_ADDR_LEN);
    }
}


static void
vector_key_file(vector_case_t *c, const vector_value_t *expect)
{
    size_t                n;
    pocket_str_t          text;
    vector_value_t      *nodes, *node, *reference;
    pocket_file_keys_t    keys;
    pocket_file_error_t   err;

    static const char *const  errors[] = {
        NULL, "json", "shape", "key", "duplicate", "memory"
    };

    text = vector_str(c, c->value, "input");

    reference = vector_get(expect, "reference");

    if (reference) {
        reference->seen = 1;
    }

    if (pocket_file_keys(&text, &keys, &err, c->alloc, c->alloc)
        != POCKET_OK)
    {
        vector_expect_error(c, expect, errors[err.type]);
        return;
    }

    vector_expect_error(c, expect, NULL);

    nodes = vector_get(expect, "nodes");

    if (nodes == NULL) {
        return;
    }

    nodes->seen = 1;

    n = 0;

    for (node = nodes->first; node; node = node->next) {

        if (n < keys.nnodes) {
            vector_key_node(c, &keys, n, node);
        }

        n++;
    }

    if (n != keys.nnodes) {
        vector_fail(c, "%zu nodes, expected %zu", keys.nnodes, n);
    }
}


static void
vector_key_node(vector_case_t *c, const pocket_file_keys_t *keys, size_t n,
    vector_value_t *expect)
{
    size_t            i, count;
    unsigned char    *addresses, hex[2 * POCKET_ADDR_LEN];
    vector_value_t  *servicers, *servicer;

    vector_expect_str(c, expect, "url", &keys->nodes[n].url);
    vector_expect_str(c, expect, "name", &keys->nodes[n].name);

    addresses = pocket_alloc(c->alloc, keys->nservicers * POCKET_ADDR_LEN);
    if (addresses == NULL) {
        vector_fail(c, "no memory");
        return;
    }

    count = 0;

    for (i = 0; i < keys->nservicers; i++) {

        if (keys->servicers[i].node == n) {
            memcpy(addresses + count * POCKET_ADDR_LEN,
                   keys->servicers[i].address, POCKET_ADDR_LEN);
            count++;
        }
    }

    qsort(addresses, count, POCKET_ADDR_LEN, vector_address_cmp);

    servicers = vector_get(expect, "servicers");

    if (servicers) {
        servicers->seen = 1;
    }

    i = 0;

    for (servicer = servicers ? servicers->first : NULL;
         servicer;
         servicer = servicer->next)
    {
        if (i < count) {
            (void) pocket_hex_encode(hex, addresses + i * POCKET_ADDR_LEN,
                                     POCKET_ADDR_LEN);
        }

        if (i >= count
            || servicer->str.len != sizeof(hex)
            || memcmp(servicer->str.data, hex, sizeof(hex)) != 0)
        {
            vector_fail(c, "servicer %zu is another one", i);
        }

        i++;
    }

    if (i != count || count != keys->nodes[n].nservicers) {
        vector_fail(c, "%zu servicers, expected %zu", count, i);
    }

    vector_expect_end(c, expect);
}


static int
vector_address_cmp(const void *one, const void *two)
{
    return memcmp(one, two, POCKET_ADDR_LEN);
}


/* the name of the error that came out, NULL: none did */

static void
vector_expect_error(vector_case_t *c, const vector_value_t *expect,
    const char *name)
{
    pocket_str_t  got;

    if (name == NULL) {

        if (vector_get(expect, "error")) {
            vector_fail(c, "was taken");
        }

        return;
    }

    if (vector_get(expect, "error") == NULL) {
        vector_fail(c, "was refused: \"%s\"", name);
        return;
    }

    got.data = (unsigned char *) name;
    got.len = strlen(name);

    vector_expect_str(c, expect, "error", &got);
}
