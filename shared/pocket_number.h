
/*
 * JSON numbers as the reference re-marshals them: read into a float64 and
 * written with the fewest digits that read back the same, plain from 1e-6
 * to below 1e21, else with an exponent (spec: serving a relay).
 */


#ifndef _POCKET_NUMBER_H_INCLUDED_
#define _POCKET_NUMBER_H_INCLUDED_


#include "pocket_base.h"


/* longest output: "-0.00000" and 17 digits; 1e20 has 21 */
#define POCKET_NUMBER_LEN  32


/*
 * Writes number, a valid JSON number of any length, to buf of at least
 * POCKET_NUMBER_LEN bytes.  1: *len bytes were written; 0: it is beyond
 * float64; POCKET_ERROR: no memory (numbers over 64 bytes take some from
 * a).  The locale does not matter.
 */
int pocket_number_format(const pocket_str_t *number, unsigned char *buf,
    size_t *len, pocket_alloc_t *a);


#endif /* _POCKET_NUMBER_H_INCLUDED_ */
