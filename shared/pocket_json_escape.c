
/*
 * Canonical strings: what Go's encoding/json writes, before its version
 * 1.22.
 */


#include "pocket_json.h"

#include "pocket_utf8.h"

#include <string.h>


#define POCKET_JSON_BAD      "\\ufffd"
#define POCKET_JSON_BAD_LEN  (sizeof(POCKET_JSON_BAD) - 1)

/* after so many plain bytes more are looked for by words */

#define POCKET_JSON_RUN      16

/* a word of one byte, and the high bits of the bytes of w that are 0 */

#define POCKET_JSON_WORD(c)  (0x0101010101010101 * (uint64_t) (c))
#define POCKET_JSON_ZERO(w)  (((w) - POCKET_JSON_WORD(1)) & ~(w))


static size_t pocket_json_escape_one(unsigned char *dst,
    const unsigned char *p, const unsigned char *last, size_t *taken,
    unsigned *cut);
static size_t pocket_json_escape_ascii(unsigned char *dst, unsigned char c);
static size_t pocket_json_plain_words(const unsigned char *p, size_t len);
static unsigned char *pocket_json_stream_tail(pocket_json_stream_t *s,
    unsigned char *dst, pocket_str_t *piece);
static unsigned char *pocket_json_stream_bad(pocket_json_stream_t *s,
    unsigned char *dst, size_t n);


/* bytes that are written as they are */

static const unsigned char  pocket_json_plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* the quote and & */
    1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    /* < and > */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    /* the backslash */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
};


size_t
pocket_json_escaped_len(const pocket_str_t *s)
{
    size_t                n, taken;
    unsigned              cut;
    unsigned char         buf[POCKET_JSON_ESCAPE_MAX];
    const unsigned char  *p, *last;

    n = 0;
    p = s->data;
    last = p + s->len;

    while (p < last) {

        if (pocket_json_plain[*p]) {
            n++;
            p++;
            continue;
        }

        n += pocket_json_escape_one(buf, p, last, &taken, &cut);
        p += taken;
    }

    return n;
}


unsigned char *
pocket_json_escape(unsigned char *dst, const pocket_str_t *s)
{
    size_t                taken;
    unsigned              cut;
    const unsigned char  *p, *last;

    p = s->data;
    last = p + s->len;

    while (p < last) {

        if (pocket_json_plain[*p]) {
            *dst++ = *p++;
            continue;
        }

        dst += pocket_json_escape_one(dst, p, last, &taken, &cut);
        p += taken;
    }

    return dst;
}


/*
 * Writes what a byte or sequence that is not plain becomes, and gives the
 * length of it; *taken bytes of the text are done with.  *cut: the text ends
 * inside of a sequence, whose first byte was taken as a bad one.
 */

static size_t
pocket_json_escape_one(unsigned char *dst, const unsigned char *p,
    const unsigned char *last, size_t *taken, unsigned *cut)
{
    size_t  n;

    n = pocket_utf8_next(p, last, cut);

    *taken = n ? n : 1;

    if (n == 1) {
        return pocket_json_escape_ascii(dst, *p);
    }

    if (n == 0) {
        memcpy(dst, POCKET_JSON_BAD, POCKET_JSON_BAD_LEN);
        return POCKET_JSON_BAD_LEN;
    }

    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) {
        memcpy(dst, p[2] == 0xa8 ? "\\u2028" : "\\u2029",
               POCKET_JSON_ESCAPE_MAX);
        return POCKET_JSON_ESCAPE_MAX;
    }

    memcpy(dst, p, n);

    return n;
}


static size_t
pocket_json_escape_ascii(unsigned char *dst, unsigned char c)
{
    static const unsigned char  hex[] = "0123456789abcdef";

    dst[0] = '\\';

    switch (c) {

    case '"':
    case '\\':
        dst[1] = c;
        return 2;

    case '\n':
        dst[1] = 'n';
        return 2;

    case '\r':
        dst[1] = 'r';
        return 2;

    case '\t':
        dst[1] = 't';
        return 2;

    default:
        dst[1] = 'u';
        dst[2] = '0';
        dst[3] = '0';
        dst[4] = hex[c >> 4];
        dst[5] = hex[c & 0x0f];
        return 6;
    }
}


/* a backslash of the text itself is escaped, so it cannot begin a \ufffd */

size_t
pocket_json_unescape_bad(unsigned char *p, size_t len)
{
    unsigned char  *dst, *next, *last, *start;

    start = p;
    dst = p;
    last = p + len;

    while (p < last) {
        next = memchr(p, '\\', (size_t) (last - p));

        if (next == NULL) {
            next = last;
        }

        memmove(dst, p, (size_t) (next - p));
        dst += next - p;
        p = next;

        if ((size_t) (last - p) >= POCKET_JSON_BAD_LEN
            && memcmp(p, POCKET_JSON_BAD, POCKET_JSON_BAD_LEN) == 0)
        {
            memcpy(dst, POCKET_UTF8_BAD, POCKET_UTF8_BAD_LEN);
            dst += POCKET_UTF8_BAD_LEN;
            p += POCKET_JSON_BAD_LEN;
            continue;
        }

        /* the backslash, and what it escapes */

        if (p < last) {
            *dst++ = *p++;
        }

        if (p < last) {
            *dst++ = *p++;
        }
    }

    return (size_t) (dst - start);
}


unsigned char *
pocket_json_stream(pocket_json_stream_t *s, unsigned char *dst,
    unsigned char *last, pocket_str_t *piece)
{
    size_t                n, run, taken;
    unsigned              cut;
    const unsigned char  *p, *end;

    if (s->len) {

        if (last - dst < POCKET_JSON_STREAM_MIN) {
            return dst;
        }

        dst = pocket_json_stream_tail(s, dst, piece);
    }

    p = piece->data;
    end = p + piece->len;
    run = 0;

    while (p < end && last - dst >= POCKET_JSON_ESCAPE_MAX) {

        if (pocket_json_plain[*p]) {
            *dst++ = *p++;

            if (++run == POCKET_JSON_RUN) {
                n = (size_t) (end - p < last - dst ? end - p : last - dst);
                n = pocket_json_plain_words(p, n);

                memcpy(dst, p, n);
                dst += n;
                p += n;
                run = 0;
            }

            continue;
        }

        run = 0;
        n = pocket_json_escape_one(dst, p, end, &taken, &cut);

        if (cut) {
            s->len = (unsigned) (end - p);
            memcpy(s->tail, p, s->len);
            p = end;
            break;
        }

        if (taken == 1 && *p >= 0x80) {
            s->bad++;
        }

        dst += n;
        p += taken;
    }

    piece->len = (size_t) (end - p);
    piece->data = (unsigned char *) p;

    return dst;
}


/* Gives how many of len bytes are plain, in whole words. */

static size_t
pocket_json_plain_words(const unsigned char *p, size_t len)
{
    size_t    i;
    uint64_t  w, bad;

    for (i = 0; len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {

        memcpy(&w, p + i, sizeof(uint64_t));

        bad = w | (w - POCKET_JSON_WORD(' '))
              | POCKET_JSON_ZERO(w ^ POCKET_JSON_WORD('"'))
              | POCKET_JSON_ZERO(w ^ POCKET_JSON_WORD('&'))
              | POCKET_JSON_ZERO(w ^ POCKET_JSON_WORD('<'))
              | POCKET_JSON_ZERO(w ^ POCKET_JSON_WORD('>'))
              | POCKET_JSON_ZERO(w ^ POCKET_JSON_WORD('\\'));

        if (bad & POCKET_JSON_WORD(0x80)) {
            break;
        }
    }

    return i;
}


/* goes on with the sequence that the last piece has cut off */

static unsigned char *
pocket_json_stream_tail(pocket_json_stream_t *s, unsigned char *dst,
    pocket_str_t *piece)
{
    size_t         n, len, taken;
    unsigned       cut;
    unsigned char  seq[sizeof(s->tail) + 1];

    len = s->len;
    memcpy(seq, s->tail, len);

    while (piece->len) {
        seq[len++] = piece->data[0];

        n = pocket_utf8_next(seq, seq + len, &cut);

        if (n == 0 && !cut) {
            return pocket_json_stream_bad(s, dst, len - 1);
        }

        piece->data++;
        piece->len--;

        if (n) {
            s->len = 0;
            return dst + pocket_json_escape_one(dst, seq, seq + len, &taken,
                                                &cut);
        }
    }

    s->len = (unsigned) len;
    memcpy(s->tail, seq, len);

    return dst;
}


static unsigned char *
pocket_json_stream_bad(pocket_json_stream_t *s, unsigned char *dst, size_t n)
{
    s->bad += n;
    s->len = 0;

    for ( /* void */ ; n; n--) {
        memcpy(dst, POCKET_JSON_BAD, POCKET_JSON_BAD_LEN);
        dst += POCKET_JSON_BAD_LEN;
    }

    return dst;
}


unsigned char *
pocket_json_stream_end(pocket_json_stream_t *s, unsigned char *dst)
{
    return pocket_json_stream_bad(s, dst, s->len);
}
