
/*
 * What the unit tests share: checks that are counted, texts, random numbers,
 * and memory that can run out.  A test ends by giving test_done() from main().
 */


#ifndef _TEST_H_INCLUDED_
#define _TEST_H_INCLUDED_


#include "pocket_base.h"


/* counts one check; of one that fails the place and the text are printed */
#define check(cond)                                                           \
    test_check((cond) != 0, #cond, __func__, __LINE__)

void test_check(unsigned ok, const char *text, const char *func, int line);

/*
 * The same for a row of a table: what is checked, and of what (NULL: the name
 * says it).
 */
void test(unsigned ok, const char *name, const char *text);

/* prints the counts, frees the memory; gives what main() returns */
int test_done(void);


/* the text itself, less its NUL */
pocket_str_t test_str(const char *text);
unsigned test_is(const pocket_str_t *s, const char *text);


/* splitmix64, the same row in each run; test_seed() begins another one */
void test_seed(uint64_t seed);
uint64_t test_random(void);

/* 0 <= n < 1 */
double test_uniform(void);


/*
 * Blocks of the exact size, so that a sanitizer sees each overrun.  Of the
 * next allocations test_left succeed; at first all do.
 */
extern pocket_alloc_t  test_alloc;
extern size_t          test_left;

/* frees what test_alloc gave since the last call */
void test_free(void);


#endif /* _TEST_H_INCLUDED_ */
