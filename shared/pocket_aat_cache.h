
/*
 * AATs whose application signature was verified, so that an application's
 * many relays cost one verification.  Bounded, in memory of the caller, for
 * one process; only good ones are kept, so nothing ever needs to leave.
 */


#ifndef _POCKET_AAT_CACHE_H_INCLUDED_
#define _POCKET_AAT_CACHE_H_INCLUDED_


#include "pocket_base.h"


typedef struct pocket_aat_cache_s  pocket_aat_cache_t;


/* Bytes of memory for so many entries or a few more; at least 1. */
size_t pocket_aat_cache_size(size_t entries);

/* An empty cache in just such memory, aligned for any type. */
pocket_aat_cache_t *pocket_aat_cache_init(void *memory, size_t entries);

/*
 * An AAT is known by its hash, which covers the version and both keys, and
 * by the bytes of its signature.  1: was verified before; 0: not known.
 */
int pocket_aat_cache_find(pocket_aat_cache_t *cache,
    const unsigned char *aat_hash, const unsigned char *signature);

/* Takes the place of the one in its row that was used longest ago. */
void pocket_aat_cache_add(pocket_aat_cache_t *cache,
    const unsigned char *aat_hash, const unsigned char *signature);


#endif /* _POCKET_AAT_CACHE_H_INCLUDED_ */
