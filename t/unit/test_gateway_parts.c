
/*
 * Batches that name filters of several nodes: who is asked for what, and the
 * answers in the order of the calls, whatever nodes make of it.
 */


#include "gateway_parts.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define ONE    "7123456789abcdef"
#define TWO    "7fedcba987654321"

#define RPC(id, method, params)                                               \
    "{\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define POLL(id, filter)  RPC(id, "eth_getFilterChanges", "[\"" filter "\"]")
#define OK(id, text)      "{\"id\":" id ",\"result\":\"" text "\"}"
#define ERR(id, code, text)                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code            \
    ",\"message\":\"" text "\"}}"

#define GONE(id)          ERR(id, "-32000", "gone")


/* what parts are asked, what they answer (NULL: nothing), and the whole */

typedef struct {
    const char  *body;
    const char  *asked[4];
    const char  *answers[4];
    const char  *out;
} test_batch_t;


static int test_split(gateway_parts_t *parts, const char *text);
static void test_batch(const test_batch_t *batch);
static void test_whole(void);
static void test_many(void);
static void test_window(void);
static void test_memory(void);


static const test_batch_t  test_batches[] = {

    /* two nodes, and what is anybody's between them */

    { "[" POLL("1", "0x" ONE "1") ", " POLL("\"b\"", "0x" TWO "1") ","
      RPC("3", "eth_chainId", "[]") "," POLL("4", "0x" ONE "2") "]",
      { "[" POLL("1", "0x" ONE "1") "," POLL("4", "0x" ONE "2") "]",
        "[" POLL("\"b\"", "0x" TWO "1") "]",
        "[" RPC("3", "eth_chainId", "[]") "]" },
      { "[" OK("1", "x") "," OK("4", "y") "]", "[" OK("\"b\"", "z") "]",
        " [ " OK("3", "0x1") " ] " },
      "[" OK("1", "x") "," OK("\"b\"", "z") "," OK("3", "0x1") ","
      OK("4", "y") "]" },

    /* nodes may answer in another order; ids may be used twice */

    { "[" POLL("1", "0x" ONE "1") "," POLL("1", "0x" TWO "1") ","
      POLL("2", "0x" ONE "2") "," POLL("1", "0x" ONE "3") "]",
      { "[" POLL("1", "0x" ONE "1") "," POLL("2", "0x" ONE "2") ","
        POLL("1", "0x" ONE "3") "]",
        "[" POLL("1", "0x" TWO "1") "]" },
      { "[" OK("2", "b") "," OK("1", "a") "," OK("1", "c") "]",
        "[" OK("1", "z") "]" },
      "[" OK("1", "c") "," OK("1", "z") "," OK("2", "b") "," OK("1", "a")
      "]" },

    /* one is gone, one answers for all of its batch, one leaves out */

    { "[" POLL("1", "0x" ONE "1") "," POLL("2", "0x" TWO "1") ","
      RPC("3", "eth_a", "[]") "," RPC("4", "eth_b", "[]") "]",
      { "[" POLL("1", "0x" ONE "1") "]", "[" POLL("2", "0x" TWO "1") "]",
        "[" RPC("3", "eth_a", "[]") "," RPC("4", "eth_b", "[]") "]" },
      { NULL, "{\"id\":null,\"error\":{}}", "[" OK("4", "b") "]" },
      "[" GONE("1") "," GONE("2") "," GONE("3") "," OK("4", "b") "]" },

    /* an answer that is none, one to no call, one too many */

    { "[" POLL("1", "0x" ONE "1") "," POLL("2", "0x" TWO "1") "]",
      { "[" POLL("1", "0x" ONE "1") "]", "[" POLL("2", "0x" TWO "1") "]" },
      { "[" OK("1", "a") "," OK("null", "x") "," OK("2", "y") "]", "[1" },
      "[" OK("1", "a") "," GONE("2") "," OK("null", "x") "," OK("2", "y")
      "]" },

    /* notifications have no answer; what is no call has what it is told */

    { "[" POLL("1", "0x" ONE "1") ",{\"method\":\"eth_x\"},5,"
      POLL("2", "0x" TWO "1") ",[1,{\"id\":9}]]",
      { "[" POLL("1", "0x" ONE "1") "]",
        "[{\"method\":\"eth_x\"},5,[1,{\"id\":9}]]",
        "[" POLL("2", "0x" TWO "1") "]" },
      { "[" OK("1", "a") "]", "[" OK("null", "invalid") "]",
        "[" OK("2", "b") "]" },
      "[" OK("1", "a") "," OK("2", "b") "," OK("null", "invalid") "]" },

    /* an id that no gateway gave is another's at any node */

    { "[" POLL("1", "0x1") "," RPC("2", "eth_chainId", "[]") "]",
      { "[" POLL("1", "0x1") "]", "[" RPC("2", "eth_chainId", "[]") "]" },
      { NULL, "[" OK("2", "0x1") "]" },
      "[" GONE("1") "," OK("2", "0x1") "]" },

    /* one node has them all */

    { "[" POLL("1", "0x" ONE "1") "," RPC("2", "eth_chainId", "[]") ","
      POLL("3", "0x" ONE "2") "]", { NULL }, { NULL }, NULL },

    /* which is named in a call that is none of filters */

    { "[" POLL("1", "0x" ONE "1") "," RPC("2", "eth_call", "[\"0x" TWO "1\"]")
      "]", { NULL }, { NULL }, NULL }
};


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(test_batches) / sizeof(test_batches[0]); i++) {
        test_batch(&test_batches[i]);
        test_free();
    }

    test_whole();
    test_many();
    test_window();
    test_memory();

    return test_done();
}


static int
test_split(gateway_parts_t *parts, const char *text)
{
    pocket_str_t    body, method, path;
    gateway_call_t  call;

    body = test_str(text);
    method = test_str("POST");
    path = test_str("");

    gateway_call_read(&call, GATEWAY_DIALECT_EVM, &method, &path, &body, NULL,
                      0);

    return gateway_parts_split(parts, &call, GATEWAY_DIALECT_EVM, &body,
                               &test_alloc);
}


static void
test_batch(const test_batch_t *batch)
{
    uint32_t         i;
    pocket_str_t     out;
    gateway_parts_t  parts;

    test(test_split(&parts, batch->body) == POCKET_OK, "split", batch->body);

    for (i = 0; i < 4 && batch->asked[i]; i++) {

        if (i >= parts.n) {
            break;
        }

        test(test_is(&parts.parts[i].body, batch->asked[i]), "part",
             batch->asked[i]);

        parts.parts[i].answer = test_str(batch->answers[i] ? batch->answers[i]
                                                           : "");
        parts.parts[i].code = -32000;
        parts.parts[i].message = test_str("gone");
    }

    test(parts.n == i && (i == 4 || batch->asked[i] == NULL), "parts",
         batch->body);

    if (batch->out == NULL || parts.n == 0) {
        test(batch->out == NULL && parts.n == 0, "no parts", batch->body);
        return;
    }

    test(gateway_parts_join(&parts, &out, &test_alloc) == POCKET_OK
         && test_is(&out, batch->out), "join", batch->out);
}


/* What is no batch of filters has no parts. */

static void
test_whole(void)
{
    size_t           i;
    gateway_parts_t  parts;

    static const char  *texts[] = {
        POLL("1", "0x" ONE "1"), "[" RPC("1", "eth_newFilter", "[{}]") "]",
        "[]", "[" POLL("1", "0x" ONE "1") "," POLL("2", "0x" TWO "1"), "",
        "[" RPC("1", "eth_getFilterChanges", "[]") ","
        RPC("2", "eth_getFilterChanges", "[{\"a\":\"0x" TWO "1\"}]") "]"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        test(test_split(&parts, texts[i]) == POCKET_OK && parts.n == 0,
             "whole", texts[i]);
        test_free();
    }
}


/* Filters of more nodes than there may be parts: the others are told so. */

static void
test_many(void)
{
    char             text[16384];
    size_t           n;
    unsigned         i;
    pocket_str_t     out;
    gateway_parts_t  parts;

    n = 0;

    for (i = 0; i < GATEWAY_PARTS_MAX + 2; i++) {
        n += sprintf(text + n, "%c{\"id\":%u,\"method\":\"eth_getFilterLogs\","
                     "\"params\":[\"0x70000000000000%02x1\"]}", i ? ',' : '[',
                     i, i);
    }

    strcpy(text + n, "]");

    test(test_split(&parts, text) == POCKET_OK
         && parts.n == GATEWAY_PARTS_MAX, "many", "parts");

    for (i = 0; i < parts.n; i++) {
        parts.parts[i].message = test_str("gone");
    }

    test(gateway_parts_join(&parts, &out, &test_alloc) == POCKET_OK, "many",
         "join");

    for (n = 0, i = 0; i + 4 < out.len; i++) {
        n += (memcmp(out.data + i, "many", 4) == 0);
    }

    test(n == 2, "many", "two have no part");

    test_free();
}


/* So many answers in another order do not take the time of all pairs. */

static void
test_window(void)
{
    char             *text, *answer;
    size_t            n, m;
    unsigned          i, k;
    pocket_str_t      out;
    gateway_parts_t   parts;

    enum { CALLS = 16000 };

    text = malloc(CALLS * 100);
    answer = malloc(CALLS * 100);

    if (text == NULL || answer == NULL) {
        test(0, "window", "no memory");
        free(text);
        free(answer);
        return;
    }

    n = sprintf(text, "[" POLL("0", "0x" TWO "1"));
    m = 0;

    for (i = 1; i < CALLS; i++) {
        k = CALLS - i;
        n += sprintf(text + n, ",{\"id\":%u,\"method\":\"eth_getFilterLogs\","
                     "\"params\":[\"0x" ONE "1\"]}", i);
        m += sprintf(answer + m, "%c{\"id\":%u,\"result\":1}",
                     i > 1 ? ',' : '[', k);
    }

    strcpy(text + n, "]");
    strcpy(answer + m, "]");

    test(test_split(&parts, text) == POCKET_OK && parts.n == 2, "window",
         "split");

    parts.parts[1].answer = test_str(answer);

    test(gateway_parts_join(&parts, &out, &test_alloc) == POCKET_OK
         && out.len > m, "window", "join");

    free(text);
    free(answer);
    test_free();
}


static void
test_memory(void)
{
    size_t           n, left;
    pocket_str_t     out;
    gateway_parts_t  parts;

    left = test_left;

    for (n = 0; n < 3; n++) {
        test_left = n;
        test(test_split(&parts, test_batches[0].body) == POCKET_ERROR,
             "no memory", "split");
        test_left = left;
        test_free();
    }

    (void) test_split(&parts, test_batches[0].body);

    for (n = 0; n < 2; n++) {
        test_left = n;
        test(gateway_parts_join(&parts, &out, &test_alloc) == POCKET_ERROR,
             "no memory", "join");
    }

    test_left = left;
}
