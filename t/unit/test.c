
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct test_block_s  test_block_t;

struct test_block_s {
    test_block_t     *next;
    max_align_t       data[];
};


static void *test_block(void *data, size_t size);


pocket_alloc_t  test_alloc = { test_block, NULL };
size_t          test_left = SIZE_MAX;

static test_block_t  *blocks;
static uint64_t       state = 4711;
static unsigned       passed, failed;


void
test_check(unsigned ok, const char *text, const char *func, int line)
{
    if (ok) {
        passed++;
        return;
    }

    failed++;
    printf("FAIL %s:%d: %s\n", func, line, text);
}


void
test(unsigned ok, const char *name, const char *text)
{
    if (ok) {
        passed++;
        return;
    }

    failed++;
    printf("FAIL %s%s%s\n", name, text ? ": " : "", text ? text : "");
}


int
test_done(void)
{
    test_free();

    printf("%u passed, %u failed\n", passed, failed);

    return failed != 0;
}


pocket_str_t
test_str(const char *text)
{
    pocket_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


unsigned
test_is(const pocket_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


void
test_seed(uint64_t seed)
{
    state = seed;
}


uint64_t
test_random(void)
{
    uint64_t  z;

    state += 0x9e3779b97f4a7c15;

    z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


double
test_uniform(void)
{
    return (test_random() >> 11) / 9007199254740992.0;
}


static void *
test_block(void *data, size_t size)
{
    test_block_t  *block;

    if (test_left == 0) {
        return NULL;
    }

    test_left--;

    block = malloc(sizeof(test_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = blocks;
    blocks = block;

    return block->data;
}


void
test_free(void)
{
    test_block_t  *next;

    for ( /* void */ ; blocks; blocks = next) {
        next = blocks->next;
        free(blocks);
    }
}
