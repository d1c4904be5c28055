
/*
 * Writing canonical text once, to where it is wanted: counted, into memory,
 * or through a small buffer to a hash.
 */


#ifndef _POCKET_TEXT_H_INCLUDED_
#define _POCKET_TEXT_H_INCLUDED_


#include "pocket_base.h"


/* room that the buffer of a text must have */
#define POCKET_TEXT_MIN   64

/* one that is hashed: a usual relay's text goes through it in one piece */
#define POCKET_TEXT_SIZE  4096


typedef struct pocket_text_s  pocket_text_t;

/* takes len bytes at p, which are overwritten afterwards */
typedef void (*pocket_text_flush_pt)(void *data, const unsigned char *p,
    size_t len);


/*
 * flush is called when the buffer is full and by pocket_text_end(); without
 * one the text is counted only.  size is what has been written so far.
 */

struct pocket_text_s {
    unsigned char          *start;
    unsigned char          *pos;
    unsigned char          *last;
    size_t                  size;
    pocket_text_flush_pt    flush;
    void                   *data;
};


/* Starts a text in a buffer of size bytes, at least POCKET_TEXT_MIN. */
void pocket_text_init(pocket_text_t *t, unsigned char *buf, size_t size,
    pocket_text_flush_pt flush, void *data);

/* Flushes what is left, and gives the size of all the text in bytes. */
size_t pocket_text_end(pocket_text_t *t);

/*
 * A flush for memory that is large enough: data is an unsigned char **, the
 * place to write to, which is moved on.
 */
void pocket_text_copy(void *data, const unsigned char *p, size_t len);

void pocket_text_raw(pocket_text_t *t, const void *p, size_t len);

/* a string with its quotes, canonically escaped */
void pocket_text_string(pocket_text_t *t, const pocket_str_t *s);
void pocket_text_int(pocket_text_t *t, int64_t n);

/* lower-case hex, with quotes */
void pocket_text_hex(pocket_text_t *t, const unsigned char *p, size_t len);

#define pocket_text_literal(t, str)                                           \
    pocket_text_raw(t, str, sizeof(str) - 1)


#endif /* _POCKET_TEXT_H_INCLUDED_ */
