
#include "pocket_aat_cache.h"

#include <string.h>


#define POCKET_AAT_ROW  4


typedef struct {
    unsigned char        hash[POCKET_HASH_LEN];
    unsigned char        signature[POCKET_SIG_LEN];
    uint64_t             used;     /* 0: empty */
} pocket_aat_entry_t;


/* an AAT can stand in any place of just one row */

struct pocket_aat_cache_s {
    uint64_t             clock;
    size_t               nrows;
    pocket_aat_entry_t   entries[];
};


static pocket_aat_entry_t *pocket_aat_row(pocket_aat_cache_t *cache,
    const unsigned char *aat_hash);
static size_t pocket_aat_rows(size_t entries);


size_t
pocket_aat_cache_size(size_t entries)
{
    return sizeof(pocket_aat_cache_t)
           + pocket_aat_rows(entries) * POCKET_AAT_ROW
             * sizeof(pocket_aat_entry_t);
}


static size_t
pocket_aat_rows(size_t entries)
{
    return entries / POCKET_AAT_ROW + 1;
}


pocket_aat_cache_t *
pocket_aat_cache_init(void *memory, size_t entries)
{
    pocket_aat_cache_t  *cache;

    cache = memory;

    memset(cache, 0, pocket_aat_cache_size(entries));
    cache->nrows = pocket_aat_rows(entries);

    return cache;
}


int
pocket_aat_cache_find(pocket_aat_cache_t *cache,
    const unsigned char *aat_hash, const unsigned char *signature)
{
    size_t               i;
    pocket_aat_entry_t  *row;

    row = pocket_aat_row(cache, aat_hash);

    for (i = 0; i < POCKET_AAT_ROW; i++) {

        if (row[i].used
            && memcmp(row[i].hash, aat_hash, POCKET_HASH_LEN) == 0
            && memcmp(row[i].signature, signature, POCKET_SIG_LEN) == 0)
        {
            row[i].used = ++cache->clock;
            return 1;
        }
    }

    return 0;
}


static pocket_aat_entry_t *
pocket_aat_row(pocket_aat_cache_t *cache, const unsigned char *aat_hash)
{
    uint64_t  n;

    memcpy(&n, aat_hash, sizeof(uint64_t));

    return &cache->entries[n % cache->nrows * POCKET_AAT_ROW];
}


void
pocket_aat_cache_add(pocket_aat_cache_t *cache, const unsigned char *aat_hash,
    const unsigned char *signature)
{
    size_t               i, oldest;
    pocket_aat_entry_t  *row;

    row = pocket_aat_row(cache, aat_hash);
    oldest = 0;

    for (i = 1; i < POCKET_AAT_ROW; i++) {
        if (row[i].used < row[oldest].used) {
            oldest = i;
        }
    }

    memcpy(row[oldest].hash, aat_hash, POCKET_HASH_LEN);
    memcpy(row[oldest].signature, signature, POCKET_SIG_LEN);
    row[oldest].used = ++cache->clock;
}
