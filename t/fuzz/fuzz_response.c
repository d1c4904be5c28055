
/*
 * Fuzzer of what is made of a chain's answer (shared/pocket_response.c,
 * pocket_sort.c, pocket_number.c).  Sorting what was sorted changes nothing,
 * and it is JSON; bodies are JSON whatever the answer was; an answer that
 * comes in pieces is escaped as if it came whole.
 *
 * Input: the size of the pieces (a byte), then the answer.
 */


#include "fuzz_memory.h"

#include "pocket_json.h"
#include "pocket_response.h"

#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_sort(const pocket_str_t *text, pocket_alloc_t *a);
static void fuzz_bodies(const pocket_str_t *text, pocket_alloc_t *a);
static void fuzz_pieces(const pocket_str_t *text, size_t size,
    pocket_alloc_t *a);
static int fuzz_event(void *data, const pocket_json_event_t *ev);
static unsigned fuzz_is_json(const pocket_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pocket_str_t    text;
    fuzz_block_t   *blocks;
    pocket_alloc_t  a;

    if (size < 1) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    /* a copy of its own size, not the fuzzer's buffer */

    text.len = size - 1;
    text.data = pocket_alloc(&a, text.len);
    memcpy(text.data, data + 1, text.len);

    fuzz_sort(&text, &a);
    fuzz_bodies(&text, &a);
    fuzz_pieces(&text, (size_t) data[0] % 16 + 1, &a);

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_sort(const pocket_str_t *text, pocket_alloc_t *a)
{
    int           rc;
    pocket_str_t  once, twice;

    rc = pocket_response_sort(text, &once, a);

    fuzz_check(rc == 0 || rc == 1);

    if (rc == 0) {
        fuzz_check(once.data == text->data && once.len == text->len);
        return;
    }

    fuzz_check(fuzz_is_json(text));
    fuzz_check(fuzz_is_json(&once));
    fuzz_check(pocket_response_sort(&once, &twice, a) == 1);
    fuzz_check(once.len == twice.len
               && memcmp(once.data, twice.data, once.len) == 0);
}


static void
fuzz_bodies(const pocket_str_t *text, pocket_alloc_t *a)
{
    pocket_str_t    body;
    unsigned char   signature[POCKET_SIG_LEN] = { 0xa5 };
    pocket_error_t  err;

    fuzz_check(pocket_response_success(text, signature, &body, a)
               == POCKET_OK);
    fuzz_check(fuzz_is_json(&body));

    fuzz_check(pocket_response_sim(text, &body, a) == POCKET_OK);
    fuzz_check(fuzz_is_json(&body));

    fuzz_check(pocket_response_http_error(400, text, &body, a) == POCKET_OK);
    fuzz_check(fuzz_is_json(&body));

    fuzz_check(pocket_error_set_reason(&err, POCKET_ERR_DECODE, text, a)
               == POCKET_OK);
    fuzz_check(pocket_response_error(&err, NULL, &body, a) == POCKET_OK);
    fuzz_check(fuzz_is_json(&body));
}


static void
fuzz_pieces(const pocket_str_t *text, size_t size, pocket_alloc_t *a)
{
    size_t                 n;
    pocket_str_t           piece, whole;
    unsigned char         *p, *pieces;
    pocket_json_stream_t   stream = { 0 };

    whole.len = pocket_json_escaped_len(text);
    whole.data = pocket_alloc(a, whole.len + POCKET_JSON_STREAM_MIN);
    pieces = pocket_alloc(a, whole.len + POCKET_JSON_STREAM_MIN);

    p = pocket_json_escape(whole.data, text);
    fuzz_check(p == whole.data + whole.len);

    p = pieces;

    for (n = 0; n < text->len; n += size) {
        piece.data = text->data + n;
        piece.len = (text->len - n < size) ? text->len - n : size;

        p = pocket_json_stream(&stream, p,
                               pieces + whole.len + POCKET_JSON_STREAM_MIN,
                               &piece);
        fuzz_check(piece.len == 0);
    }

    p = pocket_json_stream_end(&stream, p);

    fuzz_check((size_t) (p - pieces) == whole.len);
    fuzz_check(memcmp(pieces, whole.data, whole.len) == 0);
}


static unsigned
fuzz_is_json(const pocket_str_t *text)
{
    pocket_json_error_t  err;

    return pocket_json_read(text, fuzz_event, NULL, &err) == 1;
}


static int
fuzz_event(void *data, const pocket_json_event_t *ev)
{
    return 1;
}
