
/*
 * JSON text with the keys of all its objects sorted bytewise, canonical
 * strings, no spaces, and of a repeated key the last value (spec: serving a
 * relay).  No recursion; space is linear in the text, time n log n.
 */


#ifndef _POCKET_SORT_H_INCLUDED_
#define _POCKET_SORT_H_INCLUDED_


#include "pocket_base.h"


/* numbers become what a float64 holds of them; else they stay as written */
#define POCKET_SORT_FLOAT64  0x01

/* "null" is taken too */
#define POCKET_SORT_NULL     0x02

/* strings of the members "public_key" lose their amino prefix */
#define POCKET_SORT_KEYS     0x04


/*
 * Sorts text, one JSON object.  1: *out is allocated from a; 0: it is
 * something else, is nested deeper than POCKET_JSON_DEPTH, or has a number
 * beyond float64; POCKET_ERROR: no memory.
 */
int pocket_sort(const pocket_str_t *text, unsigned flags, pocket_str_t *out,
    pocket_alloc_t *a);


#endif /* _POCKET_SORT_H_INCLUDED_ */
