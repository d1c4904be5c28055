
/*
 * Memory of a fuzzer's one run: each piece is one malloc(), so that the
 * sanitizers see what a pool would hide.
 */


#ifndef _FUZZ_MEMORY_H_INCLUDED_
#define _FUZZ_MEMORY_H_INCLUDED_


#include "pocket_base.h"

#include <stdio.h>
#include <stdlib.h>


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t     *next;
    max_align_t       data[];
};


/* an invariant: what does not hold is a finding */

#define fuzz_check(cond)                                                      \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);        \
            abort();                                                          \
        }                                                                     \
    } while (0)


static void *
fuzz_alloc(void *data, size_t size)
{
    fuzz_block_t  *block, **blocks;

    blocks = data;

    block = malloc(sizeof(fuzz_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = *blocks;
    *blocks = block;

    return block->data;
}


static void
fuzz_free(fuzz_block_t *blocks)
{
    fuzz_block_t  *next;

    for ( /* void */ ; blocks; blocks = next) {
        next = blocks->next;
        free(blocks);
    }
}


#endif /* _FUZZ_MEMORY_H_INCLUDED_ */
