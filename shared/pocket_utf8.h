
/*
 * UTF-8 as Go reads it: no overlong forms, no surrogates, nothing above
 * U+10FFFF; a byte that begins no whole sequence is bad by itself.
 */


#ifndef _POCKET_UTF8_H_INCLUDED_
#define _POCKET_UTF8_H_INCLUDED_


#include "pocket_base.h"


#define POCKET_UTF8_BAD       "\xef\xbf\xbd"     /* U+FFFD */
#define POCKET_UTF8_BAD_LEN   3


/*
 * The length of the sequence at p, of which last - p > 0 bytes are there; 0
 * when there is none.  *cut is set to 1 when all of these bytes begin a
 * sequence that only lacks its end (0 is given then), to 0 otherwise.
 */
size_t pocket_utf8_next(const unsigned char *p, const unsigned char *last,
    unsigned *cut);

/* How many bytes are bad in all of s. */
size_t pocket_utf8_bad(const pocket_str_t *s);

/* Writes the 1 to 4 bytes of a character; gives the end of them. */
unsigned char *pocket_utf8_write(unsigned char *dst, uint32_t c);


#endif /* _POCKET_UTF8_H_INCLUDED_ */
