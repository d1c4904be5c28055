
/*
 * Fuzzer of the parsers of files (shared/pocket_files.c, pocket_key.c).
 * What is taken is whole: each key is one, each servicer has its node, none
 * is there twice; what is refused says why.
 *
 * Input: which file it is (a byte), then its text.
 */


#include "fuzz_memory.h"

#include "pocket_files.h"
#include "pocket_key.h"

#include <sodium.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_keys(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a);
static int fuzz_chains(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a);
static int fuzz_auth(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a);
static int fuzz_names(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a);


typedef int (*fuzz_parse_pt)(const pocket_str_t *text,
    pocket_file_error_t *err, pocket_alloc_t *a);


static const fuzz_parse_pt  fuzz_parsers[] = {
    fuzz_keys,
    fuzz_chains,
    fuzz_auth,
    fuzz_names
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pocket_str_t          text;
    fuzz_block_t         *blocks;
    pocket_alloc_t        a;
    pocket_file_error_t   err;

    if (size < 1 || sodium_init() < 0) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    text.len = size - 1;
    text.data = pocket_alloc(&a, text.len);
    memcpy(text.data, data + 1, text.len);

    if (fuzz_parsers[data[0] % 4](&text, &err, &a) != POCKET_OK) {
        fuzz_check(err.type != POCKET_FILE_OK);
        fuzz_check(err.len > 0 && err.len < POCKET_FILE_ERROR_LEN);
    }

    fuzz_free(blocks);

    return 0;
}


static int
fuzz_keys(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a)
{
    size_t                         i, n;
    pocket_str_t                   hex;
    unsigned char                  key[POCKET_PRIVKEY_LEN];
    unsigned char                  digits[2 * POCKET_PRIVKEY_LEN];
    pocket_file_keys_t             keys;
    const pocket_file_servicer_t  *servicer;

    if (pocket_file_keys(text, &keys, err, a, a) != POCKET_OK) {
        return POCKET_ERROR;
    }

    fuzz_check(keys.nnodes > 0 && keys.nservicers > 0);

    n = 0;

    for (i = 0; i < keys.nnodes; i++) {
        fuzz_check(keys.nodes[i].name.len > 0 && keys.nodes[i].url.len > 0);
        fuzz_check(keys.nodes[i].nservicers > 0);
        n += keys.nodes[i].nservicers;
    }

    fuzz_check(n == keys.nservicers);

    for (i = 0; i < keys.nservicers; i++) {
        servicer = &keys.servicers[i];

        fuzz_check(servicer->node < keys.nnodes);

        (void) pocket_hex_encode(digits, servicer->private_key,
                                 POCKET_PRIVKEY_LEN);
        hex.data = digits;
        hex.len = sizeof(digits);

        fuzz_check(pocket_key_private(&hex, key) == POCKET_KEY_OK);
        fuzz_check(memcmp(servicer->public_key,
                          key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                          POCKET_PUBKEY_LEN)
                   == 0);
        fuzz_check(i == 0
                   || memcmp(servicer->public_key,
                             keys.servicers[i - 1].public_key,
                             POCKET_PUBKEY_LEN)
                      != 0);
    }

    return POCKET_OK;
}


static int
fuzz_chains(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a)
{
    size_t                i;
    pocket_file_chains_t  chains;

    if (pocket_file_chains(text, &chains, err, a) != POCKET_OK) {
        return POCKET_ERROR;
    }

    for (i = 0; i < chains.nchains; i++) {
        fuzz_check(chains.chains[i].id.len >= 2);
        fuzz_check(chains.chains[i].id.len <= 2 * POCKET_CHAIN_LEN);
        fuzz_check(chains.chains[i].url.len > 0);
    }

    return POCKET_OK;
}


static int
fuzz_auth(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a)
{
    pocket_str_t  token;

    if (pocket_file_auth(text, &token, err, a) != POCKET_OK) {
        return POCKET_ERROR;
    }

    fuzz_check(token.len > 0);
    fuzz_check(memchr(token.data, '\r', token.len) == NULL);
    fuzz_check(memchr(token.data, '\n', token.len) == NULL);

    return POCKET_OK;
}


static int
fuzz_names(const pocket_str_t *text, pocket_file_error_t *err,
    pocket_alloc_t *a)
{
    pocket_file_names_t  names;

    return pocket_file_names(text, &names, err, a);
}
