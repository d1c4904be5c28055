
/*
 * The cache of verified AATs: an entry is found by all of its key only, the
 * one used longest ago gives way, and any number of entries stay in the
 * memory that was asked for.
 */


#include "pocket_aat_cache.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>


#define TEST_ENTRIES  64


static void test_key(unsigned n, unsigned char *hash, unsigned char *sig);
static void test_whole_key(void);
static void test_oldest(void);
static void test_bounded(size_t entries);


/* all of one row: the first bytes of the hash choose it */

static void
test_key(unsigned n, unsigned char *hash, unsigned char *sig)
{
    memset(hash, 0, POCKET_HASH_LEN);
    memset(sig, 0, POCKET_SIG_LEN);

    hash[POCKET_HASH_LEN - 1] = (unsigned char) n;
    sig[POCKET_SIG_LEN - 1] = (unsigned char) n;
}


static void
test_whole_key(void)
{
    size_t               i;
    unsigned char        hash[POCKET_HASH_LEN], sig[POCKET_SIG_LEN];
    pocket_aat_cache_t  *cache;

    cache = malloc(pocket_aat_cache_size(TEST_ENTRIES));
    if (cache == NULL) {
        test(0, "malloc", NULL);
        return;
    }

    cache = pocket_aat_cache_init(cache, TEST_ENTRIES);

    test_key(1, hash, sig);
    test(!pocket_aat_cache_find(cache, hash, sig), "empty", NULL);

    memset(hash, 0, POCKET_HASH_LEN);
    memset(sig, 0, POCKET_SIG_LEN);
    test(!pocket_aat_cache_find(cache, hash, sig), "empty, key of zeroes",
         NULL);

    test_key(1, hash, sig);
    pocket_aat_cache_add(cache, hash, sig);
    test(pocket_aat_cache_find(cache, hash, sig), "found", NULL);

    for (i = 0; i < POCKET_HASH_LEN; i++) {
        hash[i] ^= 1;

        if (pocket_aat_cache_find(cache, hash, sig)) {
            test(0, "another hash", NULL);
        }

        hash[i] ^= 1;
    }

    for (i = 0; i < POCKET_SIG_LEN; i++) {
        sig[i] ^= 1;

        if (pocket_aat_cache_find(cache, hash, sig)) {
            test(0, "another signature", NULL);
        }

        sig[i] ^= 1;
    }

    free(cache);
}


static void
test_oldest(void)
{
    unsigned             i;
    unsigned char        hash[POCKET_HASH_LEN], sig[POCKET_SIG_LEN];
    pocket_aat_cache_t  *cache;

    cache = malloc(pocket_aat_cache_size(TEST_ENTRIES));
    if (cache == NULL) {
        test(0, "malloc", NULL);
        return;
    }

    cache = pocket_aat_cache_init(cache, TEST_ENTRIES);

    for (i = 0; i < 4; i++) {
        test_key(i, hash, sig);
        pocket_aat_cache_add(cache, hash, sig);
    }

    test_key(0, hash, sig);
    test(pocket_aat_cache_find(cache, hash, sig), "four in a row", NULL);

    test_key(4, hash, sig);
    pocket_aat_cache_add(cache, hash, sig);

    for (i = 0; i < 5; i++) {
        test_key(i, hash, sig);
        test(pocket_aat_cache_find(cache, hash, sig) == (i != 1),
             "the one used longest ago is gone", NULL);
    }

    free(cache);
}


static void
test_bounded(size_t entries)
{
    unsigned             i, found;
    unsigned char        hash[POCKET_HASH_LEN], sig[POCKET_SIG_LEN];
    pocket_aat_cache_t  *cache;

    cache = malloc(pocket_aat_cache_size(entries));
    if (cache == NULL) {
        test(0, "malloc", NULL);
        return;
    }

    cache = pocket_aat_cache_init(cache, entries);
    found = 0;

    for (i = 0; i < 1000; i++) {
        test_key(i, hash, sig);
        memcpy(hash, &i, sizeof(i));

        pocket_aat_cache_add(cache, hash, sig);
        found += pocket_aat_cache_find(cache, hash, sig) ? 1 : 0;
    }

    test(found == 1000, "the newest is there", NULL);

    free(cache);
}


int
main(void)
{
    test_whole_key();
    test_oldest();
    test_bounded(0);
    test_bounded(1);
    test_bounded(5);
    test_bounded(1000);

    return test_done();
}
