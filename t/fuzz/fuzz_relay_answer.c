
/*
 * Fuzzer of what a call's answer goes through: a servicer's relay answer read
 * as it comes (shared/pocket_answer.c), then the reader of faults, the
 * judgment by what was asked (gateway_call.c), the ids of filters in it
 * (gateway_filter.c), and batches in parts (gateway_parts.c).  Pieces change
 * nothing, slices lie within their text, a tag that was put into an answer
 * comes out of it again, and parts and their one answer are batches.
 *
 * Input: dialect, form (bit 0: of a servicer, bit 1: its signature is
 * verified), size of pieces, length of the request in 16 bytes (a byte each);
 * the request; the answer.
 */


#include "fuzz_memory.h"

#include "../../ngx_gateway_select_module/gateway_filter.h"
#include "../../ngx_gateway_select_module/gateway_parts.h"
#include "pocket_answer.h"
#include "pocket_hash.h"
#include "pocket_json.h"

#include <string.h>


#define FUZZ_HEAD  4
#define FUZZ_TAG   0x7123456789abcdef

/* a byte that is no UTF-8 is decoded as three */

#define FUZZ_GROWS 3


typedef struct {
    pocket_answer_e   verdict;
    gateway_scan_t    scan;
    pocket_str_t      text;
} fuzz_answer_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_read(const uint8_t *data, const pocket_str_t *body,
    const gateway_call_t *call, size_t piece, fuzz_answer_t *out,
    pocket_alloc_t *a);
static void fuzz_relay(const uint8_t *data, const pocket_str_t *body,
    size_t piece, fuzz_answer_t *out, pocket_alloc_t *a);
static void fuzz_call(const gateway_call_t *call, const pocket_str_t *body);
static void fuzz_judge(const gateway_call_t *call,
    const fuzz_answer_t *answer);
static void fuzz_filter(const gateway_call_t *call,
    gateway_dialect_e dialect, const pocket_str_t *body,
    const pocket_str_t *answer, pocket_alloc_t *a);
static void fuzz_parts(const gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body, const pocket_str_t *answer, pocket_alloc_t *a);
static int fuzz_event(void *data, const pocket_json_event_t *ev);
static void fuzz_within(const pocket_str_t *slice, const pocket_str_t *text);
static unsigned fuzz_same(const pocket_str_t *one, const pocket_str_t *other);
static pocket_str_t fuzz_copy(const uint8_t *data, size_t len,
    pocket_alloc_t *a);
static gateway_dialect_e fuzz_dialect(const uint8_t *data);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           len;
    pocket_str_t     method, path, request, answer;
    fuzz_block_t    *blocks;
    fuzz_answer_t    whole, pieces;
    pocket_alloc_t   a;
    gateway_call_t   call;

    if (size < FUZZ_HEAD) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    size -= FUZZ_HEAD;
    len = (size_t) data[3] * 16;
    len = (len < size) ? len : size;

    /* copies of their own size, not the fuzzer's buffer */

    method = fuzz_copy((const uint8_t *) "POST", 4, &a);
    path = fuzz_copy(NULL, 0, &a);
    request = fuzz_copy(data + FUZZ_HEAD, len, &a);
    answer = fuzz_copy(data + FUZZ_HEAD + len, size - len, &a);

    gateway_call_read(&call, fuzz_dialect(data), &method, &path, &request,
                      NULL, 0);
    fuzz_call(&call, &request);

    fuzz_read(data, &answer, &call, answer.len, &whole, &a);
    fuzz_read(data, &answer, &call, data[2] % 64 + 1, &pieces, &a);

    fuzz_check(whole.verdict == pieces.verdict);

    if (whole.verdict != POCKET_ANSWER_NONE) {
        fuzz_check(fuzz_same(&whole.text, &pieces.text));
        fuzz_check(whole.scan.fault == pieces.scan.fault);
        fuzz_check(whole.scan.erred == pieces.scan.erred);
        fuzz_check(whole.scan.null == pieces.scan.null);
        fuzz_check(whole.scan.absent == pieces.scan.absent);
        fuzz_check(gateway_call_stranger(&call, &whole.scan)
                   == gateway_call_stranger(&call, &pieces.scan));

        fuzz_judge(&call, &whole);
        fuzz_filter(&call, fuzz_dialect(data), &request, &whole.text, &a);
        fuzz_parts(&call, fuzz_dialect(data), &request, &whole.text, &a);
    }

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_read(const uint8_t *data, const pocket_str_t *body,
    const gateway_call_t *call, size_t piece, fuzz_answer_t *out,
    pocket_alloc_t *a)
{
    size_t  i, n;

    gateway_scan_answer(&out->scan, fuzz_dialect(data), call->want);
    out->scan.identify = (call->nids != 0);
    out->text.data = pocket_alloc(a, FUZZ_GROWS * body->len);
    out->text.len = 0;
    out->verdict = POCKET_ANSWER_GOOD;

    if (data[1] & 1) {
        fuzz_relay(data, body, piece, out, a);
        return;
    }

    for (i = 0; i < body->len; i += n) {
        n = (body->len - i < piece) ? body->len - i : piece;
        (void) gateway_scan(&out->scan, body->data + i, n);
    }

    memcpy(out->text.data, body->data, body->len);
    out->text.len = body->len;
}


static void
fuzz_relay(const uint8_t *data, const pocket_str_t *body, size_t piece,
    fuzz_answer_t *out, pocket_alloc_t *a)
{
    int                      rc;
    size_t                   i, n;
    pocket_str_t             in, part, servicer;
    pocket_hash_t           *hash;
    pocket_answer_t          answer;
    pocket_json_error_t      err;
    pocket_client_answer_t   told;

    static const unsigned char  proof[POCKET_HASH_LEN];
    static unsigned char        key[2 * POCKET_PUBKEY_LEN];

    memset(key, 'a', sizeof(key));

    servicer.data = key;
    servicer.len = sizeof(key);

    hash = (data[1] & 2) ? pocket_hash_create() : NULL;

    fuzz_check(pocket_answer_init(&answer, hash, a) == POCKET_OK);

    for (i = 0; i < body->len; i += n) {
        n = (body->len - i < piece) ? body->len - i : piece;

        /* it is decoded in its own place */

        in = fuzz_copy(body->data + i, n, a);

        for ( ;; ) {
            rc = pocket_answer_read(&answer, &in, &part);

            if (rc != 1) {
                break;
            }

            fuzz_check(out->text.len + part.len <= FUZZ_GROWS * body->len);

            memcpy(out->text.data + out->text.len, part.data, part.len);
            out->text.len += part.len;

            (void) gateway_scan(&out->scan, part.data, part.len);
        }

        if (rc == POCKET_ERROR) {
            break;
        }
    }

    out->verdict = pocket_answer_end(&answer, &servicer, proof, &told, &err);

    /* nobody can have signed it */

    fuzz_check(hash == NULL || out->verdict != POCKET_ANSWER_GOOD);
    fuzz_check(hash || (out->verdict != POCKET_ANSWER_FORGED
                        && out->verdict != POCKET_ANSWER_DOUBTFUL));
    fuzz_check(out->verdict != POCKET_ANSWER_ERROR || told.error);

    pocket_answer_destroy(&answer);

    if (hash) {
        pocket_hash_destroy(hash);
    }
}


static void
fuzz_call(const gateway_call_t *call, const pocket_str_t *body)
{
    fuzz_check(call->rpc || (call->n == 0 || call->traits));
    fuzz_check(call->want < GATEWAY_WANTS);

    fuzz_within(&call->id, body);
    fuzz_within(&call->filter, body);

    fuzz_check(call->block == GATEWAY_CALL_NO_BLOCK
               || (call->traits & GATEWAY_CALL_STATE));
    fuzz_check(call->newest == GATEWAY_CALL_NO_BLOCK
               || (call->traits & GATEWAY_CALL_NULL));
}


static void
fuzz_judge(const gateway_call_t *call, const fuzz_answer_t *answer)
{
    fuzz_check(gateway_scan_fault(&answer->scan, call->rpc) < GATEWAY_FAULTS);
    fuzz_check(!answer->scan.absent || answer->scan.fault);
    fuzz_check(!answer->scan.erred || answer->scan.fault);
    fuzz_check(!answer->scan.null || answer->scan.json);

    fuzz_check(gateway_call_ability(call, 0) != GATEWAY_ABILITY_ARCHIVE);
}


static void
fuzz_filter(const gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body, const pocket_str_t *answer, pocket_alloc_t *a)
{
    pocket_str_t  tagged, plain, other;

    fuzz_check(gateway_filter_answer(call, dialect, body, answer, FUZZ_TAG,
                                     &tagged, a)
               == POCKET_OK);

    fuzz_check(tagged.len >= answer->len);
    fuzz_check((tagged.len - answer->len) % GATEWAY_FILTER_TAG == 0);
    fuzz_check((tagged.len - answer->len) / GATEWAY_FILTER_TAG <= call->n);

    fuzz_check(gateway_filter_request(&tagged, FUZZ_TAG, &plain, a)
               == POCKET_OK);
    fuzz_check(gateway_filter_request(answer, FUZZ_TAG, &other, a)
               == POCKET_OK);

    /* where it had the tag already, one of two is left */

    fuzz_check(plain.len <= answer->len);
    fuzz_check(other.len != answer->len || fuzz_same(&plain, answer));

    fuzz_check(gateway_filter_request(body, FUZZ_TAG, &plain, a)
               == POCKET_OK);
    fuzz_check(plain.len <= body->len);

    (void) gateway_filter_tag_of(&call->filter);
}


/* All parts but every third one have this answer. */

static void
fuzz_parts(const gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body, const pocket_str_t *answer, pocket_alloc_t *a)
{
    uint32_t              i, n;
    pocket_str_t          out;
    gateway_parts_t       parts;
    pocket_json_error_t   err;

    static const pocket_str_t  gone = pocket_string("gone");

    fuzz_check(gateway_parts_split(&parts, call, dialect, body, a)
               == POCKET_OK);

    if (parts.n == 0) {
        return;
    }

    for (n = 0, i = 0; i < parts.n; i++) {
        n += parts.parts[i].n;

        fuzz_check(parts.parts[i].n > 0);
        fuzz_check(pocket_json_read(&parts.parts[i].body, fuzz_event, NULL,
                                    &err)
                   == 1);

        parts.parts[i].message = gone;

        if (i % 3 != 2) {
            parts.parts[i].answer = *answer;
        }
    }

    fuzz_check(n <= parts.ncalls);

    fuzz_check(gateway_parts_join(&parts, &out, a) == POCKET_OK);
    fuzz_check(pocket_json_read(&out, fuzz_event, NULL, &err) == 1);
}


static int
fuzz_event(void *data, const pocket_json_event_t *ev)
{
    return 1;
}


static void
fuzz_within(const pocket_str_t *slice, const pocket_str_t *text)
{
    if (slice->len) {
        fuzz_check(slice->data >= text->data);
        fuzz_check(slice->data + slice->len <= text->data + text->len);
    }
}


static unsigned
fuzz_same(const pocket_str_t *one, const pocket_str_t *other)
{
    return one->len == other->len
           && (one->len == 0 || memcmp(one->data, other->data, one->len) == 0);
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


static gateway_dialect_e
fuzz_dialect(const uint8_t *data)
{
    static const gateway_dialect_e  dialects[] = {
        GATEWAY_DIALECT_EVM, GATEWAY_DIALECT_SOLANA, GATEWAY_DIALECT_COSMOS,
        GATEWAY_DIALECT_PLAIN, GATEWAY_DIALECT_POCKET
    };

    return dialects[data[0] % 5];
}
