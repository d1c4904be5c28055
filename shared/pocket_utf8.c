
#include "pocket_utf8.h"

#include <string.h>


#define POCKET_UTF8_HIGH_BITS  0x8080808080808080ULL


/* of a first byte: the length, and what the second byte may be */

typedef struct {
    unsigned char   first;
    unsigned char   last;
    unsigned char   len;
    unsigned char   low;
    unsigned char   high;
} pocket_utf8_row_t;


static const pocket_utf8_row_t *pocket_utf8_row(unsigned char c);


static const pocket_utf8_row_t  pocket_utf8_rows[] = {
    { 0xc2, 0xdf, 2, 0x80, 0xbf },
    { 0xe1, 0xec, 3, 0x80, 0xbf },
    { 0xee, 0xef, 3, 0x80, 0xbf },
    { 0xf1, 0xf3, 4, 0x80, 0xbf },
    { 0xe0, 0xe0, 3, 0xa0, 0xbf },
    { 0xed, 0xed, 3, 0x80, 0x9f },
    { 0xf0, 0xf0, 4, 0x90, 0xbf },
    { 0xf4, 0xf4, 4, 0x80, 0x8f },
    { 0, 0, 0, 0, 0 }
};


size_t
pocket_utf8_next(const unsigned char *p, const unsigned char *last,
    unsigned *cut)
{
    size_t                    i, n;
    const pocket_utf8_row_t  *row;

    *cut = 0;

    if (*p < 0x80) {
        return 1;
    }

    row = pocket_utf8_row(*p);

    if (row->len == 0) {
        return 0;
    }

    n = (size_t) (last - p);

    if (n > row->len) {
        n = row->len;
    }

    if (n > 1 && (p[1] < row->low || p[1] > row->high)) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    if (n < row->len) {
        *cut = 1;
        return 0;
    }

    return n;
}


static const pocket_utf8_row_t *
pocket_utf8_row(unsigned char c)
{
    const pocket_utf8_row_t  *row;

    for (row = pocket_utf8_rows; row->len; row++) {
        if (c >= row->first && c <= row->last) {
            break;
        }
    }

    return row;
}


size_t
pocket_utf8_bad(const pocket_str_t *s)
{
    size_t                n, bad;
    uint64_t              word;
    unsigned              cut;
    const unsigned char  *p, *last;

    bad = 0;
    p = s->data;
    last = p + s->len;

    while (p < last) {

        while (last - p >= (ssize_t) sizeof(uint64_t)) {
            memcpy(&word, p, sizeof(uint64_t));

            if (word & POCKET_UTF8_HIGH_BITS) {
                break;
            }

            p += sizeof(uint64_t);
        }

        if (p == last) {
            break;
        }

        n = pocket_utf8_next(p, last, &cut);

        if (n == 0) {
            bad++;
            n = 1;
        }

        p += n;
    }

    return bad;
}


unsigned char *
pocket_utf8_write(unsigned char *dst, uint32_t c)
{
    if (c < 0x80) {
        *dst++ = (unsigned char) c;
        return dst;
    }

    if (c < 0x800) {
        *dst++ = (unsigned char) (0xc0 | c >> 6);

    } else {

        if (c < 0x10000) {
            *dst++ = (unsigned char) (0xe0 | c >> 12);

        } else {
            *dst++ = (unsigned char) (0xf0 | c >> 18);
            *dst++ = (unsigned char) (0x80 | (c >> 12 & 0x3f));
        }

        *dst++ = (unsigned char) (0x80 | (c >> 6 & 0x3f));
    }

    *dst++ = (unsigned char) (0x80 | (c & 0x3f));

    return dst;
}
