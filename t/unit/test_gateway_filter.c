
/*
 * Filters that nodes keep: ids get the tag of their node, and give it back,
 * and nothing else of a request or an answer changes.
 */


#include "gateway_filter.h"
#include "test.h"


#define TAG   0x7123456789abcdef
#define TEXT  "7123456789abcdef"

#define RPC(id, method, params)                                               \
    "{\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"


typedef struct {
    const char  *request;
    const char  *answer;
    const char  *out;                      /* NULL: as it was */
} test_answer_t;


typedef struct {
    const char  *body;
    const char  *out;
} test_request_t;


static void test_tags(void);
static void test_requests(void);
static void test_answers(void);
static void test_memory(void);


static const test_request_t  test_request_table[] = {
    { RPC("1", "eth_getFilterChanges", "[\"0x" TEXT "1f\"]"),
      RPC("1", "eth_getFilterChanges", "[\"0x1f\"]") },
    { RPC("1", "eth_getFilterChanges", "[\"0x7123456789ABCDEF1F\"]"),
      RPC("1", "eth_getFilterChanges", "[\"0x1F\"]") },
    { RPC("1", "eth_getFilterChanges", "[\"0x7000000000000000" "1f\"]"),
      NULL },
    { RPC("1", "eth_getFilterChanges", "[\"0x1f\"]"), NULL },
    { "[" RPC("1", "eth_getFilterChanges", "[\"0x" TEXT "1\"]") ","
      RPC("2", "eth_getFilterLogs", "[\"0x7000000000000000" "1f\"]") ","
      RPC("3", "eth_uninstallFilter", "[\"0x" TEXT "22\"]") "]",
      "[" RPC("1", "eth_getFilterChanges", "[\"0x1\"]") ","
      RPC("2", "eth_getFilterLogs", "[\"0x7000000000000000" "1f\"]") ","
      RPC("3", "eth_uninstallFilter", "[\"0x22\"]") "]" },
    { "\"0x" TEXT, NULL },
    { "", NULL }
};


static const test_answer_t  test_answer_table[] = {
    { RPC("1", "eth_newFilter", "[{}]"),
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1f\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x" TEXT "1f\"}" },
    { RPC("\"a\"", "klay_newBlockFilter", "[]"),
      " {\"result\" : \"0x1f\" , \"id\" : \"a\"} ",
      " {\"result\" : \"0x" TEXT "1f\" , \"id\" : \"a\"} " },
    { RPC("1", "eth_newFilter", "[{}]"),
      "{\"id\":\"1\",\"result\":\"0x1f\"}", NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":2,\"result\":\"0x1f\"}",
      NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"result\":null}", NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"result\":\"0x\"}",
      NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"result\":\"0xg\"}",
      NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"result\":{\"result\":"
      "\"0x1\"}}", NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"result\":\"0x1\"",
      NULL },
    { RPC("1", "eth_newFilter", "[{}]"), "{\"id\":1,\"error\":{\"code\":1}}",
      NULL },
    { RPC("1", "eth_call", "[{}]"), "{\"id\":1,\"result\":\"0x1f\"}", NULL },
    { "[" RPC("1", "eth_blockNumber", "[]") "," RPC("2", "eth_newFilter",
      "[{}]") "," RPC("3", "eth_newBlockFilter", "[]") "]",
      "[{\"id\":3,\"result\":\"0x3\"},{\"id\":1,\"result\":\"0x1\"},"
      "{\"id\":2,\"result\":\"0x2\"}]",
      "[{\"id\":3,\"result\":\"0x" TEXT "3\"},{\"id\":1,\"result\":\"0x1\"},"
      "{\"id\":2,\"result\":\"0x" TEXT "2\"}]" },

    /* more answers than calls */

    { "[" RPC("1", "eth_newFilter", "[{}]") "]",
      "[{\"id\":1,\"result\":\"0x1\"},{\"id\":1,\"result\":\"0x2\"}]",
      "[{\"id\":1,\"result\":\"0x" TEXT "1\"},{\"id\":1,\"result\":\"0x2\"}]" }
};


int
main(void)
{
    test_tags();
    test_requests();
    test_answers();
    test_memory();

    return test_done();
}


static void
test_tags(void)
{
    uint64_t      tag;
    pocket_str_t  s;

    s = test_str("n1");
    tag = gateway_filter_tag(&s);
    test(tag >> 60 == 7, "tag", "its first digit");

    s = test_str("n2");
    test(gateway_filter_tag(&s) != tag, "tag", "of another node");

    s = test_str("0x" TEXT "1f");
    test(gateway_filter_tag_of(&s) == TAG, "tag of", "an id");

    s = test_str("0x7123456789ABCDEF1F");
    test(gateway_filter_tag_of(&s) == TAG, "tag of", "one in capitals");

    s = test_str("0x" TEXT);
    test(gateway_filter_tag_of(&s) == 0, "tag of", "nothing behind it");

    s = test_str("0x6123456789abcdef1f");
    test(gateway_filter_tag_of(&s) == 0, "tag of", "another mark");

    s = test_str("0x" TEXT "1g");
    test(gateway_filter_tag_of(&s) == 0, "tag of", "no number");

    s = test_str("");
    test(gateway_filter_tag_of(&s) == 0, "tag of", "none");
}


static void
test_requests(void)
{
    size_t                 i;
    pocket_str_t           body, out;
    const test_request_t  *t;

    for (i = 0; i < sizeof(test_request_table) / sizeof(test_request_t); i++)
    {
        t = &test_request_table[i];
        body = test_str(t->body);

        test(gateway_filter_request(&body, TAG, &out, &test_alloc)
             == POCKET_OK, "request", t->body);
        test(test_is(&out, t->out ? t->out : t->body), "request out",
             t->body);
        test(t->out || out.data == body.data, "request as it was", t->body);

        test_free();
    }
}


static void
test_answers(void)
{
    size_t                i;
    pocket_str_t          method, path, request, answer, out;
    gateway_call_t        call;
    const test_answer_t  *t;

    method = test_str("POST");
    path = test_str("");

    for (i = 0; i < sizeof(test_answer_table) / sizeof(test_answer_t); i++) {
        t = &test_answer_table[i];
        request = test_str(t->request);
        answer = test_str(t->answer);

        gateway_call_read(&call, GATEWAY_DIALECT_EVM, &method, &path,
                          &request, NULL, 0);

        test(gateway_filter_answer(&call, GATEWAY_DIALECT_EVM, &request,
                                   &answer, TAG, &out, &test_alloc)
             == POCKET_OK, "answer", t->answer);
        test(test_is(&out, t->out ? t->out : t->answer), "answer out",
             t->answer);

        test_free();
    }
}


/* each allocation fails once */

static void
test_memory(void)
{
    size_t          n;
    pocket_str_t    method, path, request, answer, out;
    gateway_call_t  call;

    method = test_str("POST");
    path = test_str("");
    request = test_str(RPC("1", "eth_newFilter", "[{}]"));
    answer = test_str("{\"id\":1,\"result\":\"0x1f\"}");

    gateway_call_read(&call, GATEWAY_DIALECT_EVM, &method, &path, &request,
                      NULL, 0);

    for (n = 0; n < 3; n++) {
        test_left = n;

        test(gateway_filter_answer(&call, GATEWAY_DIALECT_EVM, &request,
                                   &answer, TAG, &out, &test_alloc)
             == POCKET_ERROR, "no memory", "answer");

        test_free();
    }

    test_left = 0;
    request = test_str(RPC("1", "eth_getFilterLogs", "[\"0x" TEXT "1\"]"));

    test(gateway_filter_request(&request, TAG, &out, &test_alloc)
         == POCKET_ERROR, "no memory", "request");

    test_left = SIZE_MAX;
}
