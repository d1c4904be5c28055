
/*
 * The reader: yajl's stream parser checks the grammar; the tokens are taken
 * from the text itself, because yajl spoils lone surrogates when it decodes
 * escapes.  Strings and numbers are read here.
 */


#include "pocket_json.h"

#include "pocket_utf8.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>


/*
 * What yajl needs besides its buffers: handle, lexer, one byte of state per
 * level, the first 2048 bytes of two buffers.  The buffers hold at most each
 * byte of the text once, and grow by doubling.
 */

#define POCKET_JSON_ARENA       12288
#define POCKET_JSON_STACK       (POCKET_JSON_ARENA + 4096)
#define POCKET_JSON_ALIGN       16

#define POCKET_JSON_HEX_DIGITS  4


/*
 * yajl checks no allocation: so that none fails, it gets its memory from one
 * block that is large enough.  Should it want more after all, the C library
 * is asked.
 */

typedef struct {
    unsigned char              *start;
    unsigned char              *pos;
    unsigned char              *end;
    unsigned char              *newest;    /* may grow where it is */
} pocket_json_arena_t;


typedef struct {
    pocket_json_handler_pt      handler;
    void                       *data;
    yajl_handle                 yajl;
    const pocket_str_t         *text;
    size_t                      last;      /* end of the token before */
    size_t                      depth;
    int                         rc;        /* of the handler */
    unsigned                    ending;    /* yajl_parse() is done */
    unsigned                    broken;    /* what yajl takes is no JSON */
    pocket_json_error_t        *err;
} pocket_json_reader_t;


static void *pocket_json_arena_alloc(void *ctx, size_t size);
static void *pocket_json_arena_realloc(void *ctx, void *p, size_t size);
static void pocket_json_arena_free(void *ctx, void *p);
static unsigned pocket_json_arena_has(pocket_json_arena_t *arena, void *p);
static int pocket_json_parse(pocket_json_reader_t *r,
    pocket_json_arena_t *arena);
static int pocket_json_finished(pocket_json_reader_t *r);
static int pocket_json_failed(pocket_json_reader_t *r, yajl_status status);
static void pocket_json_locate(pocket_json_error_t *err, size_t pos);
static int pocket_json_token(pocket_json_reader_t *r,
    pocket_json_event_e type, unsigned escaped);
static int pocket_json_space(pocket_json_reader_t *r, size_t *pos,
    size_t end);
static int pocket_json_on_null(void *ctx);
static int pocket_json_on_bool(void *ctx, int value);
static int pocket_json_on_number(void *ctx, const char *p, size_t len);
static int pocket_json_on_string(void *ctx, const unsigned char *p,
    size_t len);
static int pocket_json_on_key(void *ctx, const unsigned char *p, size_t len);
static int pocket_json_on_object(void *ctx);
static int pocket_json_on_object_end(void *ctx);
static int pocket_json_on_array(void *ctx);
static int pocket_json_on_array_end(void *ctx);
static unsigned char *pocket_json_unescape(unsigned char *dst,
    const unsigned char *p, const unsigned char *last);
static const unsigned char *pocket_json_unescape_one(unsigned char **dst,
    const unsigned char *p, const unsigned char *last);
static uint32_t pocket_json_hex(const unsigned char *p,
    const unsigned char *last);


static const yajl_callbacks  pocket_json_callbacks = {
    pocket_json_on_null,
    pocket_json_on_bool,
    NULL,
    NULL,
    pocket_json_on_number,
    pocket_json_on_string,
    pocket_json_on_object,
    pocket_json_on_key,
    pocket_json_on_object_end,
    pocket_json_on_array,
    pocket_json_on_array_end
};


int
pocket_json_read(const pocket_str_t *text, pocket_json_handler_pt handler,
    void *data, pocket_json_error_t *err)
{
    int                   rc;
    size_t                size;
    pocket_json_arena_t   arena;
    pocket_json_reader_t  r;
    unsigned char         stack[POCKET_JSON_STACK];

    memset(&r, 0, sizeof(pocket_json_reader_t));

    r.handler = handler;
    r.data = data;
    r.text = text;
    r.rc = 1;
    r.err = err;

    err->pos = 0;
    err->refused = 0;
    err->len = 0;

    size = POCKET_JSON_ARENA + 2 * text->len;

    arena.start = (size <= sizeof(stack)) ? stack : malloc(size);

    if (arena.start == NULL) {
        (void) pocket_json_refuse(err, NULL, "no memory");
        return POCKET_ERROR;
    }

    arena.pos = arena.start;
    arena.end = arena.start + size;
    arena.newest = NULL;

    rc = pocket_json_parse(&r, &arena);

    /* a decoded string may be a secret of a key file */

    sodium_memzero(arena.start, (size_t) (arena.pos - arena.start));

    if (arena.start != stack) {
        free(arena.start);
    }

    return rc;
}


static void *
pocket_json_arena_alloc(void *ctx, size_t size)
{
    pocket_json_arena_t *arena = ctx;

    size_t          room;
    unsigned char  *p;

    room = (size + 2 * POCKET_JSON_ALIGN - 1) & ~(POCKET_JSON_ALIGN - 1UL);

    if (room < size || room > (size_t) (arena->end - arena->pos)) {
        return malloc(size);
    }

    /* the size stands before the block, for realloc */

    p = arena->pos + POCKET_JSON_ALIGN;
    memcpy(arena->pos, &size, sizeof(size_t));

    arena->pos += room;
    arena->newest = p;

    return p;
}


static void *
pocket_json_arena_realloc(void *ctx, void *p, size_t size)
{
    pocket_json_arena_t *arena = ctx;

    void           *fresh;
    size_t          old;
    unsigned char  *newest;

    if (p == NULL) {
        return pocket_json_arena_alloc(ctx, size);
    }

    if (!pocket_json_arena_has(arena, p)) {
        return realloc(p, size);
    }

    memcpy(&old, (unsigned char *) p - POCKET_JSON_ALIGN, sizeof(size_t));

    if (size <= old) {
        return p;
    }

    newest = arena->newest;

    if (p == newest && size < (size_t) (arena->end - newest)
                              - POCKET_JSON_ALIGN)
    {
        arena->pos = newest - POCKET_JSON_ALIGN;
        return pocket_json_arena_alloc(ctx, size);
    }

    fresh = pocket_json_arena_alloc(ctx, size);

    if (fresh) {
        memcpy(fresh, p, old);
    }

    return fresh;
}


static void
pocket_json_arena_free(void *ctx, void *p)
{
    if (!pocket_json_arena_has(ctx, p)) {
        free(p);
    }
}


static unsigned
pocket_json_arena_has(pocket_json_arena_t *arena, void *p)
{
    return (uintptr_t) p >= (uintptr_t) arena->start
           && (uintptr_t) p < (uintptr_t) arena->end;
}


static int
pocket_json_parse(pocket_json_reader_t *r, pocket_json_arena_t *arena)
{
    int               rc;
    yajl_status       status;
    yajl_alloc_funcs  funcs;

    funcs.malloc = pocket_json_arena_alloc;
    funcs.realloc = pocket_json_arena_realloc;
    funcs.free = pocket_json_arena_free;
    funcs.ctx = arena;

    r->yajl = yajl_alloc(&pocket_json_callbacks, &funcs, r);
    if (r->yajl == NULL) {
        (void) pocket_json_refuse(r->err, NULL, "no memory");
        return POCKET_ERROR;
    }

    yajl_config(r->yajl, yajl_dont_validate_strings, 1);

    status = yajl_parse(r->yajl, r->text->data, r->text->len);

    if (status == yajl_status_ok) {
        r->ending = 1;
        status = yajl_complete_parse(r->yajl);
    }

    if (status != yajl_status_ok) {
        rc = pocket_json_failed(r, status);

    } else {
        rc = pocket_json_finished(r);
    }

    yajl_free(r->yajl);

    return rc;
}


/* yajl takes the beginning of a token after the value for nothing */

static int
pocket_json_finished(pocket_json_reader_t *r)
{
    size_t  pos;

    pos = r->last;

    if (pocket_json_space(r, &pos, r->text->len) == 1) {

        if (pos == r->text->len) {
            return 1;
        }

        (void) pocket_json_refuse(r->err, NULL,
                                  "parse error: trailing garbage");
    }

    pocket_json_locate(r->err, pos);

    return 0;
}


static int
pocket_json_failed(pocket_json_reader_t *r, yajl_status status)
{
    size_t          len, pos;
    unsigned char  *text;

    if (r->rc == POCKET_ERROR) {
        (void) pocket_json_refuse(r->err, NULL, "no memory");
        return POCKET_ERROR;
    }

    if (status == yajl_status_client_canceled) {

        r->err->refused = !r->broken;

        if (r->err->len == 0) {
            (void) pocket_json_refuse(r->err, NULL, "is refused");
        }

        pocket_json_locate(r->err, r->last);
        return 0;
    }

    pos = r->ending ? r->text->len : yajl_get_bytes_consumed(r->yajl);

    text = yajl_get_error(r->yajl, 0, NULL, 0);

    if (text) {
        len = strcspn((char *) text, "\n");
        text[len] = '\0';
    }

    (void) pocket_json_refuse(r->err, NULL,
                              text ? (char *) text : "parse error");

    if (text) {
        yajl_free_error(r->yajl, text);
    }

    pocket_json_locate(r->err, pos);

    return 0;
}


int
pocket_json_refuse(pocket_json_error_t *err, const pocket_str_t *name,
    const char *reason)
{
    int  n;

    if (name && name->len) {
        n = snprintf((char *) err->text, POCKET_JSON_ERROR_LEN,
                     "field \"%.*s\" %s", (int) name->len,
                     (char *) name->data, reason);

    } else {
        n = snprintf((char *) err->text, POCKET_JSON_ERROR_LEN, "%s%s",
                     name ? "the value " : "", reason);
    }

    if (n < 0) {
        n = 0;
    }

    err->len = (n < POCKET_JSON_ERROR_LEN) ? (size_t) n
                                           : POCKET_JSON_ERROR_LEN - 1;

    return 0;
}


static void
pocket_json_locate(pocket_json_error_t *err, size_t pos)
{
    int     n;
    size_t  room;

    err->pos = pos;
    room = POCKET_JSON_ERROR_LEN - err->len;

    n = snprintf((char *) err->text + err->len, room, " at byte %zu", pos);

    if (n > 0 && (size_t) n < room) {
        err->len += (size_t) n;
    }
}


static int
pocket_json_token(pocket_json_reader_t *r, pocket_json_event_e type,
    unsigned escaped)
{
    pocket_json_event_t  ev;

    ev.type = type;
    ev.escaped = escaped;
    ev.start = r->last;

    /* only a number ends by the end of the text itself */

    ev.end = r->ending ? r->text->len : yajl_get_bytes_consumed(r->yajl);

    r->rc = pocket_json_space(r, &ev.start, ev.end);

    if (r->rc != 1) {
        return 0;
    }

    ev.raw.data = r->text->data + ev.start;
    ev.raw.len = ev.end - ev.start;

    if (type == POCKET_JSON_STRING || type == POCKET_JSON_KEY) {
        ev.raw.data++;
        ev.raw.len -= 2;
    }

    if (type == POCKET_JSON_OBJECT_END || type == POCKET_JSON_ARRAY_END) {
        r->depth--;
    }

    ev.depth = r->depth;

    if (type == POCKET_JSON_OBJECT || type == POCKET_JSON_ARRAY) {

        if (++r->depth > POCKET_JSON_DEPTH) {
            r->rc = pocket_json_refuse(r->err, NULL,
                                       "parse error: nested too deep");
            r->broken = 1;
            return 0;
        }
    }

    r->last = ev.end;
    r->rc = r->handler(r->data, &ev);

    return r->rc == 1;
}


/*
 * Moves *pos over what stands between two tokens.  yajl takes vertical tabs
 * and form feeds for space.
 */

static int
pocket_json_space(pocket_json_reader_t *r, size_t *pos, size_t end)
{
    for ( /* void */ ; *pos < end; (*pos)++) {

        switch (r->text->data[*pos]) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
        case ',':
        case ':':
            break;

        case '\v':
        case '\f':
            (void) pocket_json_refuse(r->err, NULL, "lexical error: invalid "
                                      "char in json text.");
            r->last = *pos;
            r->broken = 1;
            return 0;

        default:
            return 1;
        }
    }

    return 1;
}


static int
pocket_json_on_null(void *ctx)
{
    return pocket_json_token(ctx, POCKET_JSON_NULL, 0);
}


static int
pocket_json_on_bool(void *ctx, int value)
{
    return pocket_json_token(ctx, value ? POCKET_JSON_TRUE
                                        : POCKET_JSON_FALSE, 0);
}


static int
pocket_json_on_number(void *ctx, const char *p, size_t len)
{
    return pocket_json_token(ctx, POCKET_JSON_NUMBER, 0);
}


/* yajl gives a slice of the text itself when there is nothing to decode */

static int
pocket_json_on_string(void *ctx, const unsigned char *p, size_t len)
{
    pocket_json_reader_t *r = ctx;

    return pocket_json_token(r, POCKET_JSON_STRING,
                             p != r->text->data
                                  + yajl_get_bytes_consumed(r->yajl) - 1
                                  - len);
}


static int
pocket_json_on_key(void *ctx, const unsigned char *p, size_t len)
{
    pocket_json_reader_t *r = ctx;

    return pocket_json_token(r, POCKET_JSON_KEY,
                             p != r->text->data
                                  + yajl_get_bytes_consumed(r->yajl) - 1
                                  - len);
}


static int
pocket_json_on_object(void *ctx)
{
    return pocket_json_token(ctx, POCKET_JSON_OBJECT, 0);
}


static int
pocket_json_on_object_end(void *ctx)
{
    return pocket_json_token(ctx, POCKET_JSON_OBJECT_END, 0);
}


static int
pocket_json_on_array(void *ctx)
{
    return pocket_json_token(ctx, POCKET_JSON_ARRAY, 0);
}


static int
pocket_json_on_array_end(void *ctx)
{
    return pocket_json_token(ctx, POCKET_JSON_ARRAY_END, 0);
}


int
pocket_json_string(const pocket_str_t *raw, unsigned escaped,
    pocket_str_t *out, pocket_alloc_t *a)
{
    size_t          bad;
    unsigned char  *p;

    bad = pocket_utf8_bad(raw);

    if (!escaped && bad == 0) {
        *out = *raw;
        return 1;
    }

    /* no escape is shorter than its character */

    p = pocket_alloc(a, raw->len + bad * (POCKET_UTF8_BAD_LEN - 1));
    if (p == NULL) {
        return POCKET_ERROR;
    }

    out->data = p;
    out->len = (size_t) (pocket_json_unescape(p, raw->data,
                                              raw->data + raw->len) - p);

    return 1;
}


static unsigned char *
pocket_json_unescape(unsigned char *dst, const unsigned char *p,
    const unsigned char *last)
{
    size_t    n;
    unsigned  cut;

    while (p < last) {

        if (*p == '\\') {
            p = pocket_json_unescape_one(&dst, p + 1, last);
            continue;
        }

        if (*p < 0x80) {
            *dst++ = *p++;
            continue;
        }

        n = pocket_utf8_next(p, last, &cut);

        if (n == 0) {
            memcpy(dst, POCKET_UTF8_BAD, POCKET_UTF8_BAD_LEN);
            dst += POCKET_UTF8_BAD_LEN;
            p++;
            continue;
        }

        memcpy(dst, p, n);
        dst += n;
        p += n;
    }

    return dst;
}


/* p is after the backslash; yajl has seen that the escape is a good one */

static const unsigned char *
pocket_json_unescape_one(unsigned char **dst, const unsigned char *p,
    const unsigned char *last)
{
    char        *found;
    uint32_t     c, low;

    static const char  names[] = "bfnrt";
    static const char  chars[] = "\b\f\n\r\t";

    if (p == last) {
        return p;
    }

    if (*p != 'u') {
        found = strchr(names, *p);
        *(*dst)++ = found ? (unsigned char) chars[found - names] : *p;
        return p + 1;
    }

    c = pocket_json_hex(p + 1, last);
    p += 1 + POCKET_JSON_HEX_DIGITS;

    if (c >= 0xd800 && c < 0xe000) {
        low = 0;

        if (c < 0xdc00 && last - p > 1 && p[0] == '\\' && p[1] == 'u') {
            low = pocket_json_hex(p + 2, last);
        }

        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 2 + POCKET_JSON_HEX_DIGITS;

        } else {
            c = 0xfffd;
        }
    }

    *dst = pocket_utf8_write(*dst, c);

    return (p < last) ? p : last;
}


static uint32_t
pocket_json_hex(const unsigned char *p, const unsigned char *last)
{
    uint32_t  c, n, i;

    c = 0;

    for (i = 0; i < POCKET_JSON_HEX_DIGITS && p + i < last; i++) {
        n = p[i];
        n = (n <= '9') ? n - '0' : (n | 0x20) - 'a' + 10;
        c = c << 4 | (n & 0x0f);
    }

    return c;
}


int
pocket_json_int64(const pocket_str_t *raw, int64_t *out)
{
    size_t    i;
    uint64_t  n, max;
    unsigned  negative, digit;

    negative = (raw->len > 0 && raw->data[0] == '-');
    max = (uint64_t) INT64_MAX + negative;
    n = 0;

    if (raw->len == negative) {
        return 0;
    }

    for (i = negative; i < raw->len; i++) {

        if (raw->data[i] < '0' || raw->data[i] > '9') {
            return 0;
        }

        digit = raw->data[i] - '0';

        if (n > (max - digit) / 10) {
            return 0;
        }

        n = n * 10 + digit;
    }

    *out = negative ? (int64_t) (0 - n) : (int64_t) n;

    return 1;
}
