
/*
 * Fuzzer of what checks read (gateway_probe.c, gateway_path.c).  A vote is
 * of the form its kind has, values lie within the text, and no path that is
 * taken reads something else than its own steps.
 *
 * Input: kind, status and length of a path (a byte each), the path, the
 * answer.
 */


#include "fuzz_memory.h"

#include "gateway_probe.h"

#include <string.h>


#define FUZZ_HEAD  3


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_answer(gateway_probe_e kind, uint32_t status,
    const pocket_str_t *body, pocket_alloc_t *a);
static void fuzz_path(const pocket_str_t *text, const pocket_str_t *body,
    pocket_alloc_t *a);
static void fuzz_expand(const pocket_str_t *text, pocket_alloc_t *a);
static pocket_str_t fuzz_copy(const uint8_t *data, size_t len,
    pocket_alloc_t *a);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           len;
    fuzz_block_t    *blocks;
    pocket_str_t     path, body;
    pocket_alloc_t   a;

    static const uint32_t  status[] = { 200, 200, 429, 500, 404 };

    if (size < FUZZ_HEAD) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    len = data[2] < size - FUZZ_HEAD ? data[2] : size - FUZZ_HEAD;

    /* copies of their own size, not the fuzzer's buffer */

    path = fuzz_copy(data + FUZZ_HEAD, len, &a);
    body = fuzz_copy(data + FUZZ_HEAD + len, size - FUZZ_HEAD - len, &a);

    fuzz_answer(1 + data[0] % (GATEWAY_PROBE_KINDS - 1), status[data[1] % 5],
                &body, &a);
    fuzz_path(&path, &body, &a);
    fuzz_expand(&body, &a);

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_answer(gateway_probe_e kind, uint32_t status, const pocket_str_t *body,
    pocket_alloc_t *a)
{
    size_t                   i;
    gateway_answer_e         rc;
    gateway_probe_answer_t   answer;
    gateway_probe_request_t  request;

    fuzz_check(gateway_probe_request(kind, 100, body->len, &request, a)
               == POCKET_OK);

    request.id = 7;

    rc = gateway_probe_answer(kind, &request, status, body, &answer, a);

    if (rc != GATEWAY_ANSWER_OK) {
        fuzz_check(rc != GATEWAY_ANSWER_FAULT || answer.reason);
        return;
    }

    fuzz_check(status == 200);

    switch (kind) {

    case GATEWAY_PROBE_EVM_HEIGHT:
    case GATEWAY_PROBE_SOLANA_HEIGHT:
    case GATEWAY_PROBE_POKT_HEIGHT:
    case GATEWAY_PROBE_COSMOS_HEIGHT:
        fuzz_check(answer.height != 0);
        break;

    default:
        fuzz_check(answer.identifier.len > 0 && answer.identifier.len <= 64);

        for (i = 0; i < answer.identifier.len; i++) {
            fuzz_check(answer.identifier.data[i] > ' '
                       && answer.identifier.data[i] < 0x7f);
        }

        break;
    }
}


static void
fuzz_path(const pocket_str_t *text, const pocket_str_t *body,
    pocket_alloc_t *a)
{
    int              rc;
    uint64_t         number;
    const char      *err;
    pocket_str_t     str;
    gateway_path_t   paths[2];
    gateway_value_t  values[2];

    if (gateway_path_parse(text, &paths[0], &err) != POCKET_OK) {
        fuzz_check(err != NULL);
        return;
    }

    /* the whole beside it: found whenever it is JSON */

    paths[1].n = 0;

    rc = gateway_path_read(paths, 2, body, values, a);

    if (rc != 1) {
        fuzz_check(rc == 0);
        return;
    }

    fuzz_check(values[1].found);

    if (values[0].found) {
        fuzz_check(values[0].raw.data >= body->data);
        fuzz_check(values[0].raw.data + values[0].raw.len
                   <= body->data + body->len);
        fuzz_check(values[0].raw.len <= values[1].raw.len + 2);
    }

    (void) gateway_value_number(&values[0], GATEWAY_NUMBER_ANY, &number);
    (void) gateway_value_number(&values[0], GATEWAY_NUMBER_HEX, &number);

    fuzz_check(gateway_value_text(&values[0], &str, a) != POCKET_ERROR);
}


static void
fuzz_expand(const pocket_str_t *text, pocket_alloc_t *a)
{
    pocket_str_t  out;

    fuzz_check(gateway_probe_expand(text, UINT32_MAX, UINT64_MAX, &out, a)
               == POCKET_OK);
    fuzz_check(gateway_probe_has_height(text) == 0 || out.len > text->len);
}


static pocket_str_t
fuzz_copy(const uint8_t *data, size_t len, pocket_alloc_t *a)
{
    pocket_str_t  s;

    s.len = len;
    s.data = pocket_alloc(a, len);

    if (len) {
        memcpy(s.data, data, len);
    }

    return s;
}
