
/*
 * Fuzzer of what dispatchers and servicers tell of sessions
 * (gateway_dispatch.c).  What is taken is of the application, chain and height
 * that were asked for, keys are hex, nodes differ, and no text is read beyond
 * its end.
 *
 * Input: kind and status (a byte each), the answer.
 */


#include "fuzz_memory.h"

#include "gateway_dispatch.h"

#include <string.h>


#define FUZZ_HEAD  2
#define FUZZ_APP   "2bcd8227e3077f13861372dc80c845d2cca990ff4721bd23e433890"  \
                   "90ae6b8ab"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_session(const pocket_str_t *body, int64_t height,
    pocket_alloc_t *a);
static void fuzz_app(unsigned status, const pocket_str_t *body,
    pocket_alloc_t *a);


static const pocket_str_t  fuzz_key = pocket_string(FUZZ_APP);
static const pocket_str_t  fuzz_chain = pocket_string("0021");


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t          n;
    unsigned         status;
    const char      *reason;
    fuzz_block_t    *blocks;
    pocket_str_t     body;
    pocket_alloc_t   a;

    static const unsigned  codes[] = { 200, 200, 400, 500 };

    if (size < FUZZ_HEAD) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    status = codes[data[1] % 4];

    body.len = size - FUZZ_HEAD;
    body.data = pocket_alloc(&a, body.len);

    if (body.len) {
        memcpy(body.data, data + FUZZ_HEAD, body.len);
    }

    switch (data[0] % 4) {

    case 0:
        fuzz_session(&body, 17, &a);
        fuzz_session(&body, 0, &a);
        break;

    case 1:
        fuzz_app(status, &body, &a);
        break;

    case 2:
        if (gateway_dispatch_height(status, &body, &n, &reason, &a) == 1) {
            fuzz_check(n > 0 && n <= GATEWAY_DISPATCH_HEIGHT_MAX);
        }
        break;

    default:
        if (gateway_dispatch_blocks(status, &body, &n, &reason, &a) == 1) {
            fuzz_check(n > 0 && n <= 1 << 20);
        }
        break;
    }

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_session(const pocket_str_t *body, int64_t height, pocket_alloc_t *a)
{
    int                  rc;
    size_t               k;
    uint32_t             i;
    const char          *reason;
    pocket_str_t        *key;
    gateway_dispatch_t   dispatch;

    reason = NULL;

    rc = gateway_dispatch_session(body, &fuzz_key, &fuzz_chain, height,
                                  &dispatch, &reason, a);
    if (rc != 1) {
        fuzz_check(rc == 0 && reason);
        return;
    }

    fuzz_check(height == 0 || dispatch.height == height);
    fuzz_check(dispatch.height > 0
               && dispatch.height <= GATEWAY_DISPATCH_HEIGHT_MAX);
    fuzz_check(dispatch.n > 0 && dispatch.n <= dispatch.listed
               && dispatch.listed <= GATEWAY_DISPATCH_NODES);

    for (i = 0; i < dispatch.n; i++) {

        key = &dispatch.nodes[i].public_key;

        fuzz_check(key->len == GATEWAY_DISPATCH_KEY);
        fuzz_check(dispatch.nodes[i].url.len <= GATEWAY_DISPATCH_URL);

        for (k = 0; k < key->len; k++) {
            fuzz_check(strchr("0123456789abcdef", key->data[k]));
        }

        fuzz_check(i == 0 || memcmp(key->data,
                                    dispatch.nodes[i - 1].public_key.data,
                                    key->len) != 0);
    }
}


static void
fuzz_app(unsigned status, const pocket_str_t *body, pocket_alloc_t *a)
{
    uint32_t                 i;
    const char              *reason;
    gateway_dispatch_app_t   app;

    if (gateway_dispatch_app(status, body, &fuzz_key, &app, &reason, a)
        != 1)
    {
        return;
    }

    fuzz_check(app.status != GATEWAY_APP_UNKNOWN);
    fuzz_check(app.n <= app.nchains && app.n <= GATEWAY_DISPATCH_CHAINS);

    for (i = 0; i < app.n; i++) {
        fuzz_check(gateway_dispatch_is_chain(&app.chains[i]));
    }
}
