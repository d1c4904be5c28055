
/*
 * A servicer's answer, read as it comes: see pocket_answer.h.
 */


#include "pocket_answer.h"
#include "pocket_key.h"
#include "pocket_utf8.h"

#include <string.h>


#define POCKET_ANSWER_NAME      "response"
#define POCKET_ANSWER_NAME_LEN  (sizeof(POCKET_ANSWER_NAME) - 1)

/* digits after "\u", and all of such an escape */

#define POCKET_ANSWER_DIGITS    4
#define POCKET_ANSWER_UNICODE   6


static int pocket_answer_rest(pocket_answer_t *answer, pocket_str_t *piece);
static int pocket_answer_rest_byte(pocket_answer_t *answer, unsigned char ch);
static int pocket_answer_plain(pocket_answer_t *answer, unsigned char ch);
static void pocket_answer_string(pocket_answer_t *answer, unsigned char ch);
static int pocket_answer_keep(pocket_answer_t *answer,
    const unsigned char *p, size_t n);
static int pocket_answer_text(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text);
static int pocket_answer_cut(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text);
static int pocket_answer_escape(const unsigned char *p, size_t n,
    unsigned char *dst, size_t *len);
static int pocket_answer_unicode(const unsigned char *p, size_t n,
    uint32_t *c);
static int pocket_answer_hex(const unsigned char *p, uint32_t *c);
static void pocket_answer_hash(pocket_answer_t *answer,
    const pocket_str_t *text);
static void pocket_answer_hashed(pocket_answer_t *answer,
    const unsigned char *p, size_t n);
static const unsigned char *pocket_answer_bad(const unsigned char *p,
    const unsigned char *last);
static pocket_answer_e pocket_answer_verify(pocket_answer_t *answer,
    const pocket_str_t *servicer, const unsigned char *proof_hash,
    pocket_client_answer_t *told);


/* what is in a string as it stands there */

static const unsigned char  pocket_answer_as_is[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* the quote */
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    /* the backslash */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
};


int
pocket_answer_init(pocket_answer_t *answer, pocket_hash_t *hash,
    pocket_alloc_t *a)
{
    memset(answer, 0, sizeof(pocket_answer_t));

    answer->alloc = *a;
    answer->rest.data = answer->first;
    answer->room = POCKET_ANSWER_REST;

    if (hash == NULL) {
        return POCKET_OK;
    }

    answer->hash = pocket_hash_copy(hash);

    if (answer->hash == NULL) {
        return POCKET_ERROR;
    }

    pocket_hash_response_begin(answer->hash);

    return POCKET_OK;
}


void
pocket_answer_destroy(pocket_answer_t *answer)
{
    if (answer->hash) {
        pocket_hash_destroy(answer->hash);
        answer->hash = NULL;
    }

    if (answer->other) {
        pocket_hash_destroy(answer->other);
        answer->other = NULL;
    }
}


int
pocket_answer_read(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text)
{
    int  rc;

    text->len = 0;

    while (piece->len) {

        if (answer->state != POCKET_ANSWER_TEXT) {
            rc = pocket_answer_rest(answer, piece);

        } else if (answer->cut) {
            rc = pocket_answer_cut(answer, piece, text);

        } else {
            rc = pocket_answer_text(answer, piece, text);
        }

        if (rc != POCKET_OK) {

            if (answer->broken == POCKET_ANSWER_GOOD) {
                answer->broken = POCKET_ANSWER_NONE;
            }

            return POCKET_ERROR;
        }

        if (text->len) {

            if (answer->hash) {
                pocket_answer_hash(answer, text);
            }

            return 1;
        }
    }

    return 0;
}


/* Up to the first byte of the response, if it is there. */

static int
pocket_answer_rest(pocket_answer_t *answer, pocket_str_t *piece)
{
    size_t                n;
    const unsigned char  *p, *last;

    p = piece->data;
    last = p + piece->len;

    do {
        if (pocket_answer_rest_byte(answer, *p++) != POCKET_OK) {
            return POCKET_ERROR;
        }

    } while (p < last && answer->state != POCKET_ANSWER_TEXT);

    n = (size_t) (p - piece->data);

    if (pocket_answer_keep(answer, piece->data, n) != POCKET_OK) {
        return POCKET_ERROR;
    }

    piece->data += n;
    piece->len -= n;

    return POCKET_OK;
}


static int
pocket_answer_rest_byte(pocket_answer_t *answer, unsigned char ch)
{
    switch (answer->state) {

    case POCKET_ANSWER_START:

        if (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n') {
            return POCKET_OK;
        }

        if (ch != '{') {
            return POCKET_ERROR;
        }

        answer->depth = 1;
        answer->state = POCKET_ANSWER_PLAIN;

        return POCKET_OK;

    case POCKET_ANSWER_STRING:
        pocket_answer_string(answer, ch);
        return POCKET_OK;

    default: /* POCKET_ANSWER_PLAIN */
        return pocket_answer_plain(answer, ch);
    }
}


/* What is wrong in it is found when it is decoded. */

static int
pocket_answer_plain(pocket_answer_t *answer, unsigned char ch)
{
    switch (ch) {

    case '"':

        if (answer->depth == 1 && answer->value && answer->named) {

            if (answer->told) {
                return POCKET_ERROR;
            }

            answer->told = 1;
            answer->state = POCKET_ANSWER_TEXT;

            return POCKET_OK;
        }

        answer->name = (answer->depth == 1 && !answer->value);
        answer->matched = 0;
        answer->state = POCKET_ANSWER_STRING;

        return POCKET_OK;

    case '{':
    case '[':
        answer->depth++;
        return POCKET_OK;

    case '}':
    case ']':

        if (answer->depth == 0) {
            return POCKET_ERROR;
        }

        answer->depth--;
        return POCKET_OK;

    case ':':
    case ',':

        if (answer->depth == 1) {
            answer->value = (ch == ':');
        }

        return POCKET_OK;

    default:
        return POCKET_OK;
    }
}


static void
pocket_answer_string(pocket_answer_t *answer, unsigned char ch)
{
    if (answer->escape) {
        answer->escape = 0;
        answer->matched = POCKET_ANSWER_NAME_LEN + 1;
        return;
    }

    switch (ch) {

    case '\\':
        answer->escape = 1;
        return;

    case '"':
        answer->state = POCKET_ANSWER_PLAIN;

        if (answer->name) {
            answer->named = (answer->matched == POCKET_ANSWER_NAME_LEN);
        }

        return;

    default:

        if (answer->matched < POCKET_ANSWER_NAME_LEN
            && ch == (unsigned char) POCKET_ANSWER_NAME[answer->matched])
        {
            answer->matched++;
            return;
        }

        answer->matched = POCKET_ANSWER_NAME_LEN + 1;
        return;
    }
}


static int
pocket_answer_keep(pocket_answer_t *answer, const unsigned char *p, size_t n)
{
    size_t          room;
    unsigned char  *data;

    if (n > POCKET_ANSWER_REST_MAX - answer->rest.len) {
        return POCKET_ERROR;
    }

    room = answer->room;

    while (room < answer->rest.len + n) {
        room *= 2;
    }

    if (room > answer->room) {
        data = pocket_alloc(&answer->alloc, room);
        if (data == NULL) {
            answer->broken = POCKET_ANSWER_FAILED;
            return POCKET_ERROR;
        }

        memcpy(data, answer->rest.data, answer->rest.len);

        answer->rest.data = data;
        answer->room = room;
    }

    memcpy(answer->rest.data + answer->rest.len, p, n);
    answer->rest.len += n;

    return POCKET_OK;
}


/* Decoded where it stands: no escape is shorter than its character. */

static int
pocket_answer_text(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text)
{
    int             taken;
    size_t          len;
    unsigned char  *p, *dst, *last;

    p = piece->data;
    dst = p;
    last = p + piece->len;

    while (p < last) {

        if (pocket_answer_as_is[*p]) {
            *dst++ = *p++;
            continue;
        }

        if (*p == '"') {
            answer->state = POCKET_ANSWER_STRING;
            answer->name = 0;
            break;
        }

        if (*p != '\\') {
            return POCKET_ERROR;
        }

        taken = pocket_answer_escape(p, (size_t) (last - p), answer->chars,
                                     &len);
        if (taken == POCKET_ERROR) {
            return POCKET_ERROR;
        }

        if (taken == 0) {
            answer->cut = (size_t) (last - p);
            memcpy(answer->escaped, p, answer->cut);
            p = last;
            break;
        }

        memcpy(dst, answer->chars, len);
        dst += len;
        p += taken;
    }

    text->data = piece->data;
    text->len = (size_t) (dst - piece->data);

    piece->data = p;
    piece->len = (size_t) (last - p);

    return POCKET_OK;
}


/* Completes an escape that begins in the piece before. */

static int
pocket_answer_cut(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text)
{
    int     taken;
    size_t  len;

    do {
        answer->escaped[answer->cut++] = *piece->data++;
        piece->len--;

        taken = pocket_answer_escape(answer->escaped, answer->cut,
                                     answer->chars, &len);
    } while (taken == 0 && piece->len);

    if (taken <= 0) {
        return taken;
    }

    /* the last byte only told that the escape ends before */

    if ((size_t) taken < answer->cut) {
        answer->cut--;
        piece->data--;
        piece->len++;
    }

    answer->cut -= (size_t) taken;
    memmove(answer->escaped, answer->escaped + taken, answer->cut);

    text->data = answer->chars;
    text->len = len;

    return POCKET_OK;
}


/*
 * Gives the bytes of the escape that n bytes at p begin with, and writes its
 * character, *len bytes; 0: more of them are needed; POCKET_ERROR: none.
 */

static int
pocket_answer_escape(const unsigned char *p, size_t n, unsigned char *dst,
    size_t *len)
{
    int          taken;
    uint32_t     c;
    const char  *found;

    static const char  names[] = "\"\\/bfnrt";
    static const char  chars[] = "\"\\/\b\f\n\r\t";

    if (n < 2) {
        return 0;
    }

    if (p[1] == 'u') {
        taken = pocket_answer_unicode(p, n, &c);

        if (taken > 0) {
            *len = (size_t) (pocket_utf8_write(dst, c) - dst);
        }

        return taken;
    }

    found = p[1] ? strchr(names, p[1]) : NULL;

    if (found == NULL) {
        return POCKET_ERROR;
    }

    dst[0] = (unsigned char) chars[found - names];
    *len = 1;

    return 2;
}


/* A surrogate alone is no character: U+FFFD. */

static int
pocket_answer_unicode(const unsigned char *p, size_t n, uint32_t *c)
{
    uint32_t  low;

    if (n < POCKET_ANSWER_UNICODE) {
        return 0;
    }

    if (pocket_answer_hex(p + 2, c) != POCKET_OK) {
        return POCKET_ERROR;
    }

    if (*c < 0xd800 || *c >= 0xe000) {
        return POCKET_ANSWER_UNICODE;
    }

    if (*c < 0xdc00) {

        p += POCKET_ANSWER_UNICODE;
        n -= POCKET_ANSWER_UNICODE;

        if (n == 0 || (p[0] == '\\' && n == 1)) {
            return 0;
        }

        if (p[0] == '\\' && p[1] == 'u') {

            if (n < POCKET_ANSWER_UNICODE) {
                return 0;
            }

            if (pocket_answer_hex(p + 2, &low) != POCKET_OK) {
                return POCKET_ERROR;
            }

            if (low >= 0xdc00 && low < 0xe000) {
                *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
                return 2 * POCKET_ANSWER_UNICODE;
            }
        }
    }

    *c = 0xfffd;

    return POCKET_ANSWER_UNICODE;
}


static int
pocket_answer_hex(const unsigned char *p, uint32_t *c)
{
    uint32_t       i;
    unsigned char  ch;

    *c = 0;

    for (i = 0; i < POCKET_ANSWER_DIGITS; i++) {

        ch = p[i];

        if (ch >= '0' && ch <= '9') {
            ch -= '0';

        } else {
            ch |= 0x20;

            if (ch < 'a' || ch > 'f') {
                return POCKET_ERROR;
            }

            ch -= 'a' - 10;
        }

        *c = *c << 4 | ch;
    }

    return POCKET_OK;
}


static void
pocket_answer_hash(pocket_answer_t *answer, const pocket_str_t *text)
{
    pocket_str_t    rest;
    unsigned char  *p, buf[POCKET_TEXT_SIZE];

    rest = *text;

    while (rest.len) {
        p = pocket_json_stream(&answer->stream, buf, buf + sizeof(buf),
                               &rest);
        pocket_answer_hashed(answer, buf, (size_t) (p - buf));
    }
}


/* Characters are whole in what is hashed. */

static void
pocket_answer_hashed(pocket_answer_t *answer, const unsigned char *p,
    size_t n)
{
    const unsigned char  *bad, *last;

    static const char  escape[] = "\\ufffd";

    last = p + n;
    bad = pocket_answer_bad(p, last);

    if (bad < last && answer->other == NULL) {
        answer->other = pocket_hash_copy(answer->hash);

        if (answer->other == NULL) {
            answer->broken = POCKET_ANSWER_FAILED;
        }
    }

    pocket_hash_update(answer->hash, p, n);

    if (answer->other == NULL) {
        return;
    }

    for ( ;; ) {
        pocket_hash_update(answer->other, p, (size_t) (bad - p));

        if (bad == last) {
            break;
        }

        pocket_hash_update(answer->other, escape, sizeof(escape) - 1);

        p = bad + POCKET_UTF8_BAD_LEN;
        bad = pocket_answer_bad(p, last);
    }
}


/* The first U+FFFD, or last. */

static const unsigned char *
pocket_answer_bad(const unsigned char *p, const unsigned char *last)
{
    for ( ;; ) {
        p = memchr(p, POCKET_UTF8_BAD[0], (size_t) (last - p));

        if (p == NULL) {
            return last;
        }

        if (last - p >= POCKET_UTF8_BAD_LEN
            && memcmp(p, POCKET_UTF8_BAD, POCKET_UTF8_BAD_LEN) == 0)
        {
            return p;
        }

        p++;
    }
}


pocket_answer_e
pocket_answer_end(pocket_answer_t *answer, const pocket_str_t *servicer,
    const unsigned char *proof_hash, pocket_client_answer_t *told,
    pocket_json_error_t *err)
{
    int  rc;

    memset(told, 0, sizeof(pocket_client_answer_t));

    if (answer->broken != POCKET_ANSWER_GOOD) {
        (void) pocket_json_refuse(err, NULL, "no answer of a relay");
        return answer->broken;
    }

    rc = pocket_client_answer(&answer->rest, told, err, &answer->alloc);

    if (rc == POCKET_ERROR) {
        return POCKET_ANSWER_FAILED;
    }

    if (rc == 0) {
        return POCKET_ANSWER_NONE;
    }

    if (told->error) {
        return POCKET_ANSWER_ERROR;
    }

    /* by another spelling of its name it may be there once more */

    if (!answer->told || told->response.len) {
        (void) pocket_json_refuse(err, NULL, "not one response");
        return POCKET_ANSWER_NONE;
    }

    if (answer->hash == NULL) {
        return POCKET_ANSWER_GOOD;
    }

    return pocket_answer_verify(answer, servicer, proof_hash, told);
}


static pocket_answer_e
pocket_answer_verify(pocket_answer_t *answer, const pocket_str_t *servicer,
    const unsigned char *proof_hash, pocket_client_answer_t *told)
{
    unsigned char  *p, tail[POCKET_JSON_STREAM_MIN];

    p = pocket_json_stream_end(&answer->stream, tail);
    pocket_answer_hashed(answer, tail, (size_t) (p - tail));

    if (answer->broken != POCKET_ANSWER_GOOD
        || pocket_hash_response_end(answer->hash, proof_hash, told->hash)
           != POCKET_OK)
    {
        return POCKET_ANSWER_FAILED;
    }

    if (pocket_key_check(servicer, told->hash, &told->signature)
        == POCKET_ERR_NONE)
    {
        return POCKET_ANSWER_GOOD;
    }

    if (answer->other == NULL) {
        return POCKET_ANSWER_FORGED;
    }

    if (pocket_hash_response_end(answer->other, proof_hash, told->hash)
        != POCKET_OK)
    {
        return POCKET_ANSWER_FAILED;
    }

    return (pocket_key_check(servicer, told->hash, &told->signature)
            == POCKET_ERR_NONE)
           ? POCKET_ANSWER_GOOD : POCKET_ANSWER_DOUBTFUL;
}
