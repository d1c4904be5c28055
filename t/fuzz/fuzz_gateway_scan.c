
/*
 * Fuzzer of the reader of requests and answers that pass by
 * (ngx_gateway_select_module/gateway_scan.c): pieces change nothing of what
 * it tells, and what it tells fits together.
 *
 * Input: a dialect, what is wanted, the size of pieces (a byte each), then
 * the text.
 */


#include "fuzz_memory.h"

#include "../../ngx_gateway_select_module/gateway_scan.h"

#include <string.h>


#define FUZZ_HEAD  3


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_begin(gateway_scan_t *scan, const uint8_t *data);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              more;
    size_t           n, piece, len;
    uint8_t         *p;
    fuzz_block_t    *blocks;
    gateway_scan_t   whole, pieces;

    if (size < FUZZ_HEAD) {
        return 0;
    }

    blocks = NULL;

    len = size - FUZZ_HEAD;
    piece = data[2] % 64 + 1;

    /* a copy of its own size, not the fuzzer's buffer */

    p = fuzz_alloc(&blocks, len);
    memcpy(p, data + FUZZ_HEAD, len);

    fuzz_begin(&whole, data);
    more = gateway_scan(&whole, p, len);

    fuzz_check(more == !whole.done);
    fuzz_check(gateway_scan_fault(&whole, 1) < GATEWAY_FAULTS);
    fuzz_check(whole.want < GATEWAY_WANTS);
    fuzz_check(!whole.height || (whole.answer && whole.want && !whole.batch));
    fuzz_check(!(whole.other && whole.json));
    fuzz_check(!whole.other || !whole.fault);

    fuzz_begin(&pieces, data);

    for ( /* void */ ; len; p += n, len -= n) {
        n = (len < piece) ? len : piece;
        (void) gateway_scan(&pieces, p, n);
    }

    fuzz_check(whole.done == pieces.done || size > GATEWAY_SCAN_LIMIT);
    fuzz_check(whole.rpc == pieces.rpc && whole.want == pieces.want);
    fuzz_check(whole.height == pieces.height);
    fuzz_check(gateway_scan_fault(&whole, 0)
               == gateway_scan_fault(&pieces, 0));

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_begin(gateway_scan_t *scan, const uint8_t *data)
{
    static const gateway_dialect_e  dialects[] = {
        GATEWAY_DIALECT_EVM, GATEWAY_DIALECT_SOLANA, GATEWAY_DIALECT_COSMOS,
        GATEWAY_DIALECT_PLAIN, GATEWAY_DIALECT_POCKET
    };

    if (data[1] & 0x80) {
        gateway_scan_request(scan, dialects[data[0] % 5]);
        return;
    }

    gateway_scan_answer(scan, dialects[data[0] % 5],
                        (gateway_want_e) (data[1] % GATEWAY_WANTS));
}
