
/*
 * Fuzzer of the relay decoder (shared/pocket_relay.c, pocket_json*.c,
 * pocket_text.c, pocket_hash.c).  What was decoded and written again is the
 * same relay: the same text, the same hashes, in just the foretold size;
 * what is refused says why.
 *
 * Input: a relay's body.
 */


#include "fuzz_memory.h"

#include "pocket_hash.h"
#include "pocket_json.h"
#include "pocket_relay.h"
#include "pocket_utf8.h"

#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_relay(const pocket_str_t *body, pocket_alloc_t *a);
static void fuzz_headers(const pocket_payload_t *payload);
static void fuzz_text(const pocket_str_t *s);
static void fuzz_write(const pocket_relay_t *relay, pocket_str_t *text,
    pocket_alloc_t *a);
static void fuzz_sim(const pocket_str_t *body, pocket_alloc_t *a);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pocket_str_t    body;
    fuzz_block_t   *blocks;
    pocket_alloc_t  a;

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    /* a copy of its own size, not the fuzzer's buffer */

    body.len = size;
    body.data = pocket_alloc(&a, size);

    if (size) {
        memcpy(body.data, data, size);
    }

    fuzz_relay(&body, &a);
    fuzz_sim(&body, &a);

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_relay(const pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_str_t           text, again;
    pocket_hash_t         *h;
    pocket_error_t         err;
    pocket_relay_t         relay, same;
    pocket_relay_hashes_t  hashes, equal;

    if (pocket_relay_decode(body, &relay, &err, a) != POCKET_OK) {
        fuzz_check(err.code == 1);
        fuzz_check(err.message.len > 0);
        return;
    }

    fuzz_headers(&relay.payload);
    fuzz_text(&relay.payload.data);
    fuzz_text(&relay.payload.method);
    fuzz_text(&relay.payload.path);
    fuzz_text(&relay.proof.aat.version);
    fuzz_text(&relay.proof.signature);

    fuzz_write(&relay, &text, a);

    fuzz_check(pocket_relay_decode(&text, &same, &err, a) == POCKET_OK);

    fuzz_write(&same, &again, a);

    fuzz_check(text.len == again.len);
    fuzz_check(memcmp(text.data, again.data, text.len) == 0);

    h = pocket_hash_create();

    fuzz_check(h != NULL);
    fuzz_check(pocket_hash_relay(h, &relay, &hashes) == POCKET_OK);
    fuzz_check(pocket_hash_relay(h, &same, &equal) == POCKET_OK);
    fuzz_check(memcmp(&hashes, &equal, sizeof(hashes)) == 0);

    pocket_hash_destroy(h);
}


static void
fuzz_headers(const pocket_payload_t *payload)
{
    int                     rc;
    size_t                  i, len;
    const pocket_header_t  *one, *two;

    fuzz_check(payload->has_headers || payload->nheaders == 0);

    for (i = 0; i < payload->nheaders; i++) {
        fuzz_text(&payload->headers[i].name);
        fuzz_text(&payload->headers[i].value);

        if (i == 0) {
            continue;
        }

        one = &payload->headers[i - 1];
        two = &payload->headers[i];

        len = (one->name.len < two->name.len) ? one->name.len
                                              : two->name.len;
        rc = len ? memcmp(one->name.data, two->name.data, len) : 0;

        fuzz_check(rc < 0 || (rc == 0 && one->name.len < two->name.len));
    }
}


static void
fuzz_text(const pocket_str_t *s)
{
    fuzz_check(s->len == 0 || pocket_utf8_bad(s) == 0);
}


static void
fuzz_write(const pocket_relay_t *relay, pocket_str_t *text,
    pocket_alloc_t *a)
{
    text->len = pocket_relay_size(relay);
    text->data = pocket_alloc(a, text->len);

    fuzz_check(pocket_relay_write(text->data, relay)
               == text->data + text->len);
}


static void
fuzz_sim(const pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_sim_t    sim;
    pocket_error_t  err;

    if (pocket_sim_decode(body, &sim, &err, a) == POCKET_OK) {
        fuzz_text(&sim.chain);
        fuzz_headers(&sim.payload);
    }
}
