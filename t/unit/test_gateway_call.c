
/*
 * What calls are: writes and their like, ids, abilities; and whose an answer
 * is.
 */


#include "gateway_call.h"
#include "test.h"

#include <string.h>


typedef struct {
    gateway_dialect_e   dialect;
    const char         *method;
    const char         *path;
    const char         *body;
    unsigned            rpc;
    unsigned            traits;
} test_call_t;


typedef struct {
    const char         *request;
    const char         *answer;
    unsigned            stranger;
} test_answer_t;


typedef struct {
    gateway_dialect_e   dialect;
    const char         *body;
    uint64_t            block;
    uint64_t            newest;
} test_block_t;


typedef struct {
    const char         *body;
    const char         *id;
    const char         *filter;
} test_slice_t;


static void test_read(gateway_call_t *call, gateway_dialect_e dialect,
    const char *method, const char *path, const char *body);
static void test_calls(void);
static void test_writes(void);
static void test_abilities(void);
static void test_blocks(void);
static void test_slices(void);
static void test_answers(void);


#define EVM     GATEWAY_DIALECT_EVM
#define SOLANA  GATEWAY_DIALECT_SOLANA
#define COSMOS  GATEWAY_DIALECT_COSMOS
#define POCKET  GATEWAY_DIALECT_POCKET
#define PLAIN   GATEWAY_DIALECT_PLAIN

#define RPC(method)  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"}"


static const test_call_t  test_call_table[] = {
    { EVM, "POST", "", RPC("eth_call"), 1, GATEWAY_CALL_STATE },
    { EVM, "POST", "", RPC("eth_blockNumber"), 1, 0 },
    { EVM, "POST", "", RPC("eth_sendRawTransaction"), 1, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", RPC("eth_sendUserOperation"), 1, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", RPC("\\u0065th_call"), 1, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", RPC("trace_block"), 1, GATEWAY_CALL_TRACE },
    { EVM, "POST", "", RPC("eth_newBlockFilter"), 1, GATEWAY_CALL_FILTER },
    { EVM, "POST", "", RPC("eth_newFilter"), 1,
      GATEWAY_CALL_FILTER|GATEWAY_CALL_LOGS },
    { EVM, "POST", "", RPC("klay_newFilter"), 1,
      GATEWAY_CALL_FILTER|GATEWAY_CALL_LOGS },
    { EVM, "POST", "", RPC("_newFilter"), 1, 0 },
    { EVM, "POST", "", RPC("eth_getFilterChanges"), 1, GATEWAY_CALL_STICKY },
    { EVM, "POST", "", RPC("hmy_uninstallFilter"), 1, GATEWAY_CALL_STICKY },
    { EVM, "POST", "", RPC("eth_getTransactionReceipt"), 1,
      GATEWAY_CALL_NULL },
    { EVM, "POST", "", "[" RPC("eth_call") "," RPC("eth_getLogs") "]", 1,
      GATEWAY_CALL_STATE|GATEWAY_CALL_LOGS },
    { EVM, "POST", "", "[" RPC("eth_call") ","
      RPC("eth_sendRawTransaction") "]", 1,
      GATEWAY_CALL_STATE|GATEWAY_CALL_WRITE },
    { EVM, "POST", "", "{\"params\":[{\"method\":\"x\"}],\"method\":"
      "\"eth_sendRawTransaction\"}", 1, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", "{\"a\":{\"method\":\"eth_call\"}}", 0,
      GATEWAY_CALL_WRITE },
    { EVM, "POST", "", "not JSON", 0, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", RPC("eth_call") "x", 0, GATEWAY_CALL_WRITE },
    { EVM, "POST", "", "", 0, GATEWAY_CALL_WRITE },
    { EVM, "GET", "/x", "", 0, 0 },
    { EVM, "PUT", "/x", "", 0, GATEWAY_CALL_WRITE },
    { EVM, "DELETE", "/x", "", 0, GATEWAY_CALL_WRITE },
    { SOLANA, "POST", "", RPC("sendTransaction"), 1, GATEWAY_CALL_WRITE },
    { SOLANA, "POST", "", RPC("getSlot"), 1, 0 },
    { COSMOS, "POST", "", RPC("broadcast_tx_sync"), 1, GATEWAY_CALL_WRITE },
    { COSMOS, "POST", "/cosmos/tx/v1beta1/txs", "{}", 0, GATEWAY_CALL_WRITE },
    { COSMOS, "POST", "/cosmos/tx/v1beta1/simulate", "{}", 0, 0 },
    { POCKET, "POST", "/v1/query/height", "", 0, 0 },
    { POCKET, "POST", "/v1/client/rawtx", "{}", 0, GATEWAY_CALL_WRITE },
    { PLAIN, "POST", "", RPC("eth_sendRawTransaction"), 1,
      GATEWAY_CALL_WRITE },
    { PLAIN, "POST", "", RPC("sendTransaction"), 1, GATEWAY_CALL_WRITE },
    { PLAIN, "POST", "", RPC("requestAirdrop"), 1, GATEWAY_CALL_WRITE },
    { PLAIN, "POST", "", RPC("broadcast_tx_sync"), 1, GATEWAY_CALL_WRITE },
    { PLAIN, "POST", "", RPC("eth_call"), 1, 0 }
};


static const test_answer_t  test_answer_table[] = {
    { "{\"id\":1,\"method\":\"m\"}", "{\"id\":1,\"result\":1}", 0 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"result\":{\"id\":7},\"id\":1}", 0 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"id\":2,\"result\":1}", 1 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"result\":1,\"id\":2}", 1 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"id\":\"1\",\"result\":1}", 1 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"id\":null,\"error\":{}}", 0 },
    { "{\"id\":1,\"method\":\"m\"}", "{\"error\":{\"code\":1},\"id\":2}", 1 },
    { "{\"method\":\"m\"}", "{\"id\":2,\"result\":1}", 0 },
    { "{\"id\":1,\"method\":\"m\"}", "[]", 1 },
    { "[{\"id\":1,\"method\":\"m\"},{\"id\":2,\"method\":\"m\"}]",
      "[{\"id\":2,\"result\":1},{\"id\":1,\"result\":1}]", 0 },
    { "[{\"id\":1,\"method\":\"m\"},{\"id\":2,\"method\":\"m\"}]",
      "[{\"id\":2,\"result\":1},{\"id\":2,\"result\":1}]", 1 },
    { "[{\"id\":1,\"method\":\"m\"},{\"id\":2,\"method\":\"m\"}]",
      "[{\"id\":2,\"result\":1}]", 1 }
};


#define NONE    GATEWAY_CALL_NO_BLOCK

static const test_block_t  test_block_table[] = {
    { EVM, "{\"method\":\"eth_call\",\"params\":[{},\"0x64\"]}", 100, NONE },
    { EVM, "{\"params\":[{},\"0x64\"],\"method\":\"eth_call\"}", 100, NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{\"to\":\"0x1\"},"
      "\"latest\"]}", NONE, NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{},\"earliest\"]}", 0,
      NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{},{\"blockNumber\":"
      "\"0x64\"}]}", 100, NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{\"blockNumber\":\"0x1\"},"
      "{\"blockHash\":\"0x64\"}]}", NONE, NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{},\"0x6g\"]}", NONE,
      NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":[{},"
      "\"0x1234567890abcdef\"]}", NONE, NONE },
    { EVM, "{\"method\":\"eth_call\",\"params\":{\"a\":1,\"b\":\"0x64\"}}",
      NONE, NONE },

    /* the slot of a contract is no block */

    { EVM, "{\"method\":\"eth_getStorageAt\",\"params\":[\"0xa\",\"0x0\","
      "\"latest\"]}", NONE, NONE },
    { EVM, "{\"method\":\"eth_getStorageAt\",\"params\":[\"0xa\",\"0x0\","
      "\"0x64\"]}", 100, NONE },

    { EVM, "[{\"method\":\"eth_call\",\"params\":[{},\"0x64\"]},"
      "{\"method\":\"eth_getCode\",\"params\":[\"0x1\",\"0x63\"]},"
      "{\"method\":\"eth_call\",\"params\":[{},\"0x65\"]}]", 99, NONE },
    { EVM, "{\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x64\","
      "false]}", NONE, 100 },
    { EVM, "{\"method\":\"eth_getBlockByNumber\",\"params\":[\"latest\","
      "false]}", NONE, NONE },
    { EVM, "{\"method\":\"eth_getTransactionByBlockNumberAndIndex\","
      "\"params\":[\"0x64\",\"0x0\"]}", NONE, 100 },
    { EVM, "[{\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x64\"]},"
      "{\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x65\"]}]", NONE,
      101 },
    { EVM, "{\"method\":\"eth_blockNumber\",\"params\":[\"0x64\"]}", NONE,
      NONE },
    { SOLANA, "{\"method\":\"getBlock\",\"params\":[100,{\"x\":1}]}", 100,
      NONE },
    { SOLANA, "{\"method\":\"getBlock\",\"params\":[1.5]}", NONE, NONE },

    /* no JSON, which is found out at its end */

    { EVM, "{\"method\":\"eth_call\",\"params\":[{},\"0x64\"]}x", NONE,
      NONE }
};


static const test_slice_t  test_slice_table[] = {
    { "{\"id\":7,\"method\":\"m\"}", "7", "" },
    { "{\"id\":\"a\",\"method\":\"m\"}", "\"a\"", "" },
    { "{\"method\":\"m\"}", "", "" },
    { "{\"id\":1,\"method\":\"eth_getFilterLogs\",\"params\":[\"0x7a\"]}x",
      "", "" },
    { "{\"id\":{},\"method\":\"m\"}", "", "" },
    { "{\"id\":1,\"method\":\"eth_getFilterChanges\",\"params\":"
      "[\"0x7a\"]}", "1", "0x7a" },
    { "{\"id\":1,\"params\":[\"0x7a\"],\"method\":\"eth_getFilterLogs\"}",
      "1", "0x7a" },
    { "{\"id\":1,\"method\":\"eth_getFilterChanges\",\"params\":[7]}",
      "1", "" },
    { "{\"id\":1,\"method\":\"eth_getCode\",\"params\":[\"0x7a\"]}", "1",
      "" },
    { "[{\"id\":1,\"method\":\"eth_call\",\"params\":[\"0x1\"]},"
      "{\"id\":2,\"method\":\"eth_uninstallFilter\",\"params\":[\"0x2\"]},"
      "{\"id\":3,\"method\":\"eth_getFilterLogs\",\"params\":[\"0x3\"]}]",
      "1", "0x2" }
};


int
main(void)
{
    test_calls();
    test_writes();
    test_abilities();
    test_blocks();
    test_slices();
    test_answers();

    return test_done();
}


static void
test_read(gateway_call_t *call, gateway_dialect_e dialect, const char *method,
    const char *path, const char *body)
{
    pocket_str_t  m, p, b;

    m = test_str(method);
    p = test_str(path);
    b = test_str(body);

    gateway_call_read(call, dialect, &m, &p, &b, NULL, 0);
}


static void
test_calls(void)
{
    size_t              i;
    gateway_call_t      call;
    const test_call_t  *t;

    for (i = 0; i < sizeof(test_call_table) / sizeof(test_call_t); i++) {
        t = &test_call_table[i];

        test_read(&call, t->dialect, t->method, t->path, t->body);

        test(call.rpc == t->rpc, "rpc", t->body);
        test(call.traits == t->traits, "traits", t->body);
    }
}


static void
test_writes(void)
{
    pocket_str_t    method, path, body, writes[1];
    gateway_call_t  call;

    method = test_str("POST");
    path = test_str("");
    writes[0] = test_str("my_write");

    body = test_str(RPC("my_write"));
    gateway_call_read(&call, EVM, &method, &path, &body, writes, 1);
    test(call.traits == GATEWAY_CALL_WRITE, "writes", "the one named");

    body = test_str(RPC("eth_sendRawTransaction"));
    gateway_call_read(&call, EVM, &method, &path, &body, writes, 1);
    test(call.traits == 0, "writes", "instead of the known ones");
}


static void
test_abilities(void)
{
    gateway_call_t  call;

    test_read(&call, EVM, "POST", "", "{\"method\":\"eth_getBalance\","
              "\"params\":[\"0x00000000000000000000000000000000000000a0\","
              "\"0x64\"]}");
    test(gateway_call_ability(&call, 1000) == GATEWAY_ABILITY_ARCHIVE,
         "ability", "archive");
    test(gateway_call_ability(&call, 150) == GATEWAY_ABILITIES, "ability",
         "recent");
    test(gateway_call_ability(&call, 0) == GATEWAY_ABILITIES, "ability",
         "height not known");

    test_read(&call, EVM, "POST", "", "{\"method\":\"eth_call\","
              "\"params\":[{\"to\":\"0x1\"},\"latest\"]}");
    test(gateway_call_ability(&call, 1000) == GATEWAY_ABILITIES, "ability",
         "latest");

    test_read(&call, EVM, "POST", "", RPC("debug_traceCall"));
    test(gateway_call_ability(&call, 1000) == GATEWAY_ABILITY_TRACE,
         "ability", "trace");

    test_read(&call, EVM, "POST", "", RPC("eth_newFilter"));
    test(gateway_call_ability(&call, 1000) == GATEWAY_ABILITY_LOGS,
         "ability", "logs");
}


static void
test_blocks(void)
{
    size_t               i;
    gateway_call_t       call;
    const test_block_t  *t;

    for (i = 0; i < sizeof(test_block_table) / sizeof(test_block_t); i++) {
        t = &test_block_table[i];

        test_read(&call, t->dialect, "POST", "", t->body);

        test(call.block == t->block, "block", t->body);
        test(call.newest == t->newest, "newest", t->body);
    }
}


/* slices of the body: whose filter, and what the first call is known by */

static void
test_slices(void)
{
    size_t               i;
    pocket_str_t         id, filter;
    gateway_call_t       call;
    const test_slice_t  *t;

    for (i = 0; i < sizeof(test_slice_table) / sizeof(test_slice_t); i++) {
        t = &test_slice_table[i];

        test_read(&call, EVM, "POST", "", t->body);

        id = test_str(t->id);
        filter = test_str(t->filter);

        test(call.id.len == id.len
             && (id.len == 0 || memcmp(call.id.data, id.data, id.len) == 0),
             "id", t->body);
        test(call.filter.len == filter.len
             && (filter.len == 0
                 || memcmp(call.filter.data, filter.data, filter.len) == 0),
             "filter", t->body);
    }
}


static void
test_answers(void)
{
    size_t                i;
    gateway_call_t        call;
    gateway_scan_t        scan;
    const test_answer_t  *t;

    for (i = 0; i < sizeof(test_answer_table) / sizeof(test_answer_t); i++) {
        t = &test_answer_table[i];

        test_read(&call, EVM, "POST", "", t->request);

        gateway_scan_answer(&scan, EVM, call.want);
        scan.identify = (call.nids != 0);

        (void) gateway_scan(&scan, (const unsigned char *) t->answer,
                            strlen(t->answer));

        test(gateway_call_stranger(&call, &scan) == t->stranger, "answer",
             t->answer);
    }
}
