
#include "pocket_text.h"

#include "pocket_json.h"
#include "pocket_key.h"

#include <string.h>


#define POCKET_TEXT_INT_LEN  (sizeof("-9223372036854775808") - 1)

/* bytes that become hex at once: a hash */

#define POCKET_TEXT_HEX      32


static void pocket_text_flush(pocket_text_t *t);


void
pocket_text_init(pocket_text_t *t, unsigned char *buf, size_t size,
    pocket_text_flush_pt flush, void *data)
{
    t->start = buf;
    t->pos = buf;
    t->last = buf + size;
    t->size = 0;
    t->flush = flush;
    t->data = data;
}


size_t
pocket_text_end(pocket_text_t *t)
{
    pocket_text_flush(t);

    return t->size;
}


static void
pocket_text_flush(pocket_text_t *t)
{
    size_t  len;

    len = (size_t) (t->pos - t->start);

    if (t->flush && len) {
        t->flush(t->data, t->start, len);
    }

    t->size += len;
    t->pos = t->start;
}


void
pocket_text_copy(void *data, const unsigned char *p, size_t len)
{
    unsigned char **dst = data;

    memcpy(*dst, p, len);
    *dst += len;
}


void
pocket_text_raw(pocket_text_t *t, const void *p, size_t len)
{
    size_t                n;
    const unsigned char  *next;

    next = p;

    while (len) {

        if (t->pos == t->last) {
            pocket_text_flush(t);
        }

        n = (size_t) (t->last - t->pos);

        if (n > len) {
            n = len;
        }

        memcpy(t->pos, next, n);
        t->pos += n;
        next += n;
        len -= n;
    }
}


void
pocket_text_string(pocket_text_t *t, const pocket_str_t *s)
{
    pocket_str_t          rest;
    pocket_json_stream_t  stream;

    memset(&stream, 0, sizeof(pocket_json_stream_t));

    rest = *s;

    pocket_text_literal(t, "\"");

    while (rest.len) {
        t->pos = pocket_json_stream(&stream, t->pos, t->last, &rest);

        if (rest.len) {
            pocket_text_flush(t);
        }
    }

    if (t->last - t->pos < POCKET_JSON_STREAM_MIN) {
        pocket_text_flush(t);
    }

    t->pos = pocket_json_stream_end(&stream, t->pos);

    pocket_text_literal(t, "\"");
}


void
pocket_text_int(pocket_text_t *t, int64_t n)
{
    uint64_t        rest;
    unsigned char  *p, buf[POCKET_TEXT_INT_LEN];

    p = buf + POCKET_TEXT_INT_LEN;
    rest = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;

    do {
        *--p = (unsigned char) ('0' + rest % 10);
        rest /= 10;
    } while (rest);

    if (n < 0) {
        *--p = '-';
    }

    pocket_text_raw(t, p, (size_t) (buf + POCKET_TEXT_INT_LEN - p));
}


void
pocket_text_hex(pocket_text_t *t, const unsigned char *p, size_t len)
{
    size_t         n;
    unsigned char  buf[2 * POCKET_TEXT_HEX];

    pocket_text_literal(t, "\"");

    while (len) {
        n = (len < POCKET_TEXT_HEX) ? len : POCKET_TEXT_HEX;

        (void) pocket_hex_encode(buf, p, n);
        pocket_text_raw(t, buf, 2 * n);

        p += n;
        len -= n;
    }

    pocket_text_literal(t, "\"");
}
