
/*
 * Faults and heights in the answers of nodes: the table of errors, statuses,
 * and the reader that sees answers in pieces.
 */


#include "gateway_scan.h"
#include "test.h"

#include <stdio.h>
#include <string.h>


typedef struct {
    gateway_dialect_e     dialect;
    int64_t               code;
    const char           *text;
    gateway_fault_e       fault;
} test_error_t;


typedef struct {
    uint32_t              status;
    unsigned              retry_after;
    unsigned              rpc;
    gateway_fault_e       fault;
} test_status_t;


typedef struct {
    gateway_dialect_e     dialect;
    const char           *body;
    unsigned              rpc;
    gateway_want_e        want;
} test_request_t;


typedef struct {
    gateway_dialect_e     dialect;
    gateway_want_e        want;
    const char           *body;
    gateway_fault_e       fault;
    uint64_t              height;
} test_answer_t;


typedef struct {
    const char           *body;
    unsigned              null;
    unsigned              absent;
    int64_t               erred;
} test_told_t;


static void test_errors(void);
static void test_absences(void);
static void test_statuses(void);
static void test_requests(void);
static void test_answers(void);
static void test_answer(const test_answer_t *in, size_t piece);
static void test_told(void);
static void test_limit(void);
static void test_uris(void);


#define EVM     GATEWAY_DIALECT_EVM
#define SOLANA  GATEWAY_DIALECT_SOLANA
#define COSMOS  GATEWAY_DIALECT_COSMOS
#define PLAIN   GATEWAY_DIALECT_PLAIN
#define POCKET  GATEWAY_DIALECT_POCKET


/* as nodes and providers write them */

static const test_error_t  test_error_table[] = {
    { EVM, -32603, "Internal error", GATEWAY_FAULT_NODE },
    { EVM, -32603, "execution reverted: ERC20", GATEWAY_FAULT_CALLER },
    { EVM, 3, "execution reverted", GATEWAY_FAULT_CALLER },
    { EVM, -32000, "execution reverted", GATEWAY_FAULT_CALLER },
    { EVM, -32000, "nonce too low", GATEWAY_FAULT_CALLER },
    { EVM, -32000, "insufficient funds for gas * price + value",
      GATEWAY_FAULT_CALLER },
    { EVM, -32000, "replacement transaction underpriced",
      GATEWAY_FAULT_CALLER },
    { EVM, -32000, "max fee per gas less than block base fee",
      GATEWAY_FAULT_CALLER },
    { EVM, -32000, "header not found", GATEWAY_FAULT_NODE },
    { EVM, -32000, "Header Not Found", GATEWAY_FAULT_NODE },
    { EVM, -32000, "missing trie node 9a (path )", GATEWAY_FAULT_LACKING },
    { EVM, -32000, "node is not synced", GATEWAY_FAULT_NODE },
    { EVM, -32000, "something new", GATEWAY_FAULT_CALLER },
    { EVM, -32002, "request timed out", GATEWAY_FAULT_NODE },
    { EVM, -32005, "limit exceeded", GATEWAY_FAULT_QUOTA },
    { EVM, -32005, "", GATEWAY_FAULT_QUOTA },
    { EVM, -32005, "query returned more than 10000 results",
      GATEWAY_FAULT_CALLER },
    { EVM, -32005, "daily request count exceeded", GATEWAY_FAULT_QUOTA },
    { EVM, -32700, "parse error", GATEWAY_FAULT_CALLER },
    { EVM, -32600, "invalid request", GATEWAY_FAULT_CALLER },
    { EVM, -32601, "the method x does not exist/is not available",
      GATEWAY_FAULT_CALLER },
    { EVM, -32602, "missing value for required argument 0",
      GATEWAY_FAULT_CALLER },
    { EVM, 429, "", GATEWAY_FAULT_QUOTA },
    { EVM, 0, "", GATEWAY_FAULT_CALLER },
    { SOLANA, -32005, "Node is behind by 42 slots", GATEWAY_FAULT_NODE },
    { SOLANA, -32005, "", GATEWAY_FAULT_NODE },
    { SOLANA, -32002, "Transaction simulation failed: Blockhash not found",
      GATEWAY_FAULT_CALLER },
    { SOLANA, -32004, "Block not available for slot 1", GATEWAY_FAULT_NODE },
    { SOLANA, -32007, "Slot 1 was skipped", GATEWAY_FAULT_CALLER },
    { SOLANA, -32016, "Minimum context slot has not been reached",
      GATEWAY_FAULT_NODE },
    { COSMOS, -32603, "Internal error tx (AB) not found",
      GATEWAY_FAULT_CALLER },
    { COSMOS, -32603, "Internal error height 9 must be less than or equal to "
      "the current blockchain height 8", GATEWAY_FAULT_CALLER },
    { COSMOS, -32603, "Internal error height 1 is not available, lowest "
      "height is 5", GATEWAY_FAULT_LACKING },
    { COSMOS, -32603, "Internal error", GATEWAY_FAULT_NODE },
    { PLAIN, -32005, "", GATEWAY_FAULT_QUOTA },
    { PLAIN, -32000, "Server error", GATEWAY_FAULT_CALLER }
};


static const test_status_t  test_status_table[] = {
    { 200, 0, 1, GATEWAY_FAULT_NONE },
    { 301, 0, 0, GATEWAY_FAULT_NONE },
    { 301, 0, 1, GATEWAY_FAULT_NODE },
    { 400, 0, 1, GATEWAY_FAULT_CALLER },
    { 401, 0, 0, GATEWAY_FAULT_CALLER },
    { 401, 0, 1, GATEWAY_FAULT_NODE },
    { 404, 0, 0, GATEWAY_FAULT_CALLER },
    { 404, 0, 1, GATEWAY_FAULT_NODE },
    { 413, 0, 1, GATEWAY_FAULT_CALLER },
    { 429, 0, 0, GATEWAY_FAULT_QUOTA },
    { 500, 0, 0, GATEWAY_FAULT_NODE },
    { 503, 0, 0, GATEWAY_FAULT_NODE },
    { 503, 1, 0, GATEWAY_FAULT_QUOTA },
    { 504, 1, 1, GATEWAY_FAULT_NODE }
};


static const test_request_t  test_request_table[] = {
    { EVM, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\","
           "\"params\":[]}", 1, GATEWAY_WANT_RESULT },
    { EVM, "{\"method\":\"eth_blockNumber\"}", 1, GATEWAY_WANT_RESULT },
    { EVM, "{\"params\":[\"latest\",false],"
           "\"method\":\"eth_getBlockByNumber\"}", 1, GATEWAY_WANT_NUMBER },
    { EVM, "{\"method\":\"eth_getBlockByNumber\","
           "\"params\":[\"latest\",true]}", 1, GATEWAY_WANT_NUMBER },
    { EVM, "{\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x1\",true]}",
      1, GATEWAY_WANT_NONE },
    { EVM, "{\"method\":\"eth_getBlockByNumber\","
           "\"params\":[[\"latest\"],true]}", 1, GATEWAY_WANT_NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{\"to\":\"0x\"},\"latest\"]}",
      1, GATEWAY_WANT_NONE },
    { EVM, "{\"method\":\"getSlot\"}", 1, GATEWAY_WANT_NONE },
    { EVM, "[{\"method\":\"eth_blockNumber\"}]", 1, GATEWAY_WANT_NONE },
    { EVM, "{\"query\":\"{ method }\"}", 0, GATEWAY_WANT_NONE },
    { EVM, "{\"a\":{\"method\":\"eth_blockNumber\"}}", 0, GATEWAY_WANT_NONE },
    { EVM, "", 0, GATEWAY_WANT_NONE },
    { EVM, "a=b", 0, GATEWAY_WANT_NONE },
    { EVM, "{\"method\":\"eth_block", 1, GATEWAY_WANT_NONE },
    { SOLANA, "{\"method\":\"getSlot\",\"params\":[]}", 1,
      GATEWAY_WANT_RESULT },
    { SOLANA, "{\"method\":\"getSlot\","
              "\"params\":[{\"commitment\":\"processed\"}]}", 1,
      GATEWAY_WANT_NONE },
    { COSMOS, " {\"method\" : \"status\" , \"params\" : {} }", 1,
      GATEWAY_WANT_STATUS }
};


static const test_answer_t  test_answer_table[] = {
    { EVM, GATEWAY_WANT_RESULT, "{\"jsonrpc\":\"2.0\",\"id\":1,"
      "\"result\":\"0x10d4f\"}", GATEWAY_FAULT_NONE, 0x10d4f },
    { EVM, GATEWAY_WANT_RESULT, " {\"result\" : \"0xAbC\" } ",
      GATEWAY_FAULT_NONE, 0xabc },
    { EVM, GATEWAY_WANT_RESULT, "{\"result\":\"0xffffffffffffffff\"}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_RESULT, "{\"result\":\"0xg\"}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_RESULT, "{\"result\":\"-5\"}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_RESULT, "{\"result\":[7]}", GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"result\":\"0x10\"}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NUMBER, "{\"result\":{\"hash\":\"0x1\","
      "\"transactions\":[{\"number\":\"0x1\"}],\"number\":\"0x20\"}}",
      GATEWAY_FAULT_NONE, 0x20 },
    { EVM, GATEWAY_WANT_NUMBER, "{\"number\":\"0x1\",\"result\":"
      "{\"x\":{\"number\":\"0x2\"}}}", GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NUMBER, "{\"result\":1,\"x\":{\"number\":\"0x2\"}}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NUMBER, "{\"result\":null}", GATEWAY_FAULT_NONE, 0 },
    { SOLANA, GATEWAY_WANT_RESULT, "{\"result\":123456,\"id\":1}",
      GATEWAY_FAULT_NONE, 123456 },
    { COSMOS, GATEWAY_WANT_STATUS, "{\"result\":{\"node_info\":{\"id\":1},"
      "\"sync_info\":{\"latest_block_hash\":\"AA\","
      "\"latest_block_height\":\"77\"}}}", GATEWAY_FAULT_NONE, 77 },
    { COSMOS, GATEWAY_WANT_BLOCK, "{\"block_id\":{},\"block\":{\"header\":"
      "{\"version\":{\"height\":1},\"height\":\"9\"}}}",
      GATEWAY_FAULT_NONE, 9 },
    { POCKET, GATEWAY_WANT_HEIGHT, "{\"height\":101}",
      GATEWAY_FAULT_NONE, 101 },

    { EVM, GATEWAY_WANT_RESULT, "{\"id\":1,\"error\":{\"code\":-32603,"
      "\"message\":\"Internal error\"}}", GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"error\":{\"message\":"
      "\"execution \\\"reverted\\\"\",\"code\":-32603}}",
      GATEWAY_FAULT_CALLER, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"error\":{\"code\":-32000,\"data\":"
      "{\"code\":-32603,\"message\":\"x\"},\"message\":\"y\"}}",
      GATEWAY_FAULT_CALLER, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"error\":null,\"result\":1}",
      GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"result\":null,\"error\":"
      "{\"code\":-32603}}", GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"result\":\"an \\\"error\\\":{\\\"code\\\":"
      "-32603}\"}", GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{\"error\":\"Too Many Requests\"}",
      GATEWAY_FAULT_QUOTA, 0 },
    { EVM, GATEWAY_WANT_NONE, "[{\"result\":1},{\"error\":{\"code\":-32602}},"
      "{\"error\":{\"code\":-32603}},{\"result\":2}]",
      GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_RESULT, "[{\"result\":1}]", GATEWAY_FAULT_NONE, 0 },
    { COSMOS, GATEWAY_WANT_NONE, "{\"error\":{\"code\":-32603,\"message\":"
      "\"Internal error\",\"data\":\"tx (AB) not found\"}}",
      GATEWAY_FAULT_CALLER, 0 },
    { EVM, GATEWAY_WANT_NONE, "<html>", GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_NONE, "\xef\xbb\xbf{\"error\":{\"code\":-32603}}",
      GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_NONE, "", GATEWAY_FAULT_NONE, 0 },
    { EVM, GATEWAY_WANT_NONE, "}}}]]]", GATEWAY_FAULT_NODE, 0 },
    { EVM, GATEWAY_WANT_NONE, "{}}}]]]", GATEWAY_FAULT_NONE, 0 }
};


static const test_told_t  test_told_table[] = {
    { "{\"result\":null,\"id\":1}", 1, 0, 0 },
    { "{\"result\":\"null\",\"id\":1}", 0, 0, 0 },
    { "{\"result\":{\"result\":null}}", 0, 0, 0 },
    { "{\"id\":null,\"result\":1}", 0, 0, 0 },
    { "[{\"result\":1},{\"result\":null}]", 1, 0, 0 },
    { "{\"error\":{\"code\":-32601,\"message\":\"no\"}}", 0, 1, -32601 },
    { "{\"error\":{\"code\":-32603,\"message\":\"x\"}}", 0, 0, -32603 },
    { "{\"error\":{\"code\":-32000,\"message\":\"header not found\"}}", 0, 1,
      -32000 },
    { "[{\"error\":{\"code\":-32602}},{\"error\":{\"code\":-32601}},"
      "{\"error\":{\"code\":-32603}}]", 0, 1, -32603 }
};


int
main(void)
{
    test_errors();
    test_absences();
    test_statuses();
    test_requests();
    test_answers();
    test_told();
    test_limit();
    test_uris();

    return test_done();
}


static void
test_errors(void)
{
    size_t               i;
    pocket_str_t         text;
    const test_error_t  *in;

    for (i = 0; i < sizeof(test_error_table) / sizeof(test_error_t); i++) {
        in = &test_error_table[i];
        text = test_str(in->text);

        test(gateway_fault_error(in->dialect, in->code, &text) == in->fault,
             "error", in->text);
    }
}


static void
test_absences(void)
{
    pocket_str_t  text;

    text = test_str("");
    test(gateway_fault_absent(-32601, &text) == 1, "absent", "by code");
    test(gateway_fault_absent(-32603, &text) == 0, "absent", "no words");

    text = test_str("the method trace_block does not exist/is not available");
    test(gateway_fault_absent(-32000, &text) == 1, "absent", "by words");

    text = test_str("Header not found");
    test(gateway_fault_absent(-32000, &text) == 1, "absent", "header");

    text = test_str("execution reverted");
    test(gateway_fault_absent(3, &text) == 0, "absent", "revert");
}


static void
test_statuses(void)
{
    char                  text[16];
    size_t                i;
    const test_status_t  *in;

    for (i = 0; i < sizeof(test_status_table) / sizeof(test_status_t); i++) {
        in = &test_status_table[i];

        (void) snprintf(text, sizeof(text), "%u", in->status);

        test(gateway_fault_status(in->status, in->retry_after, in->rpc)
             == in->fault, "status", text);
    }
}


static void
test_requests(void)
{
    size_t                 i, j;
    gateway_scan_t         whole, bytes;
    const unsigned char   *p;
    const test_request_t  *in;

    for (i = 0; i < sizeof(test_request_table) / sizeof(test_request_t); i++)
    {
        in = &test_request_table[i];
        p = (const unsigned char *) in->body;

        gateway_scan_request(&whole, in->dialect);
        (void) gateway_scan(&whole, p, strlen(in->body));

        test(whole.rpc == in->rpc && whole.want == in->want, "request",
             in->body);

        gateway_scan_request(&bytes, in->dialect);

        for (j = 0; j < strlen(in->body); j++) {
            (void) gateway_scan(&bytes, p + j, 1);
        }

        test(bytes.rpc == in->rpc && bytes.want == in->want,
             "request in bytes", in->body);
    }
}


static void
test_answers(void)
{
    size_t  i;

    for (i = 0; i < sizeof(test_answer_table) / sizeof(test_answer_t); i++) {
        test_answer(&test_answer_table[i], 1024);
        test_answer(&test_answer_table[i], 7);
        test_answer(&test_answer_table[i], 1);
    }
}


static void
test_answer(const test_answer_t *in, size_t piece)
{
    size_t                n, len;
    gateway_scan_t        scan;
    const unsigned char  *p;

    p = (const unsigned char *) in->body;

    gateway_scan_answer(&scan, in->dialect, in->want);

    for (len = strlen(in->body); len; p += n, len -= n) {
        n = (len < piece) ? len : piece;
        (void) gateway_scan(&scan, p, n);
    }

    test(gateway_scan_fault(&scan, 1) == in->fault
         && scan.height == in->height, "answer", in->body);
}


/* what else an answer tells: null, a lack, the code of its error */

static void
test_told(void)
{
    size_t              i;
    gateway_scan_t      scan;
    const test_told_t  *in;

    for (i = 0; i < sizeof(test_told_table) / sizeof(test_told_t); i++) {
        in = &test_told_table[i];

        gateway_scan_answer(&scan, EVM, GATEWAY_WANT_NONE);
        (void) gateway_scan(&scan, (const unsigned char *) in->body,
                            strlen(in->body));

        test(scan.null == in->null, "null", in->body);
        test(scan.absent == in->absent, "absent", in->body);
        test(scan.erred == in->erred, "code", in->body);
    }
}


/* what stands behind the limit is not read, and nothing grows */

static void
test_limit(void)
{
    size_t                i;
    gateway_scan_t        scan;
    static unsigned char  bytes[4096];

    const char           *end = "\",\"error\":{\"code\":-32603}}";

    memset(bytes, 'a', sizeof(bytes));

    gateway_scan_answer(&scan, EVM, GATEWAY_WANT_NONE);
    (void) gateway_scan(&scan, (const unsigned char *) "{\"x\":\"", 6);

    for (i = 0; i < GATEWAY_SCAN_LIMIT / sizeof(bytes) - 1; i++) {
        test(gateway_scan(&scan, bytes, sizeof(bytes)) == 1, "limit", "more");
    }

    test(gateway_scan(&scan, bytes, sizeof(bytes)) == 0, "limit", "reached");
    test(gateway_scan(&scan, (const unsigned char *) end, strlen(end)) == 0
         && gateway_scan_fault(&scan, 1) == GATEWAY_FAULT_NONE, "limit",
         "behind");
}


static void
test_uris(void)
{
    pocket_str_t  uri;

    uri = test_str("/v1/query/height");
    test(gateway_scan_uri(POCKET, &uri) == GATEWAY_WANT_HEIGHT, "uri",
         "height");
    test(gateway_scan_uri(EVM, &uri) == GATEWAY_WANT_NONE, "uri", "of EVM");

    uri = test_str("/cosmos/base/tendermint/v1beta1/blocks/latest");
    test(gateway_scan_uri(COSMOS, &uri) == GATEWAY_WANT_BLOCK, "uri",
         "latest");

    uri = test_str("/st");
    test(gateway_scan_uri(COSMOS, &uri) == GATEWAY_WANT_NONE, "uri", "short");
}
