
/*
 * Guards what checks ask and how they read: a request that is always the
 * same is told apart from callers', and an answer read too kindly makes an
 * error a vote, by which honest nodes are banned.
 */


#include "gateway_probe.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TEST_HASH    "00112233445566778899aabbccddeeff" \
                     "00112233445566778899aabbccddeeff"
#define TEST_BASE58  "4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn"


typedef struct {
    gateway_probe_e    kind;
    uint32_t           status;
    const char        *body;
    gateway_answer_e   answer;
    uint64_t           height;
    const char        *identifier;
} test_answer_t;


typedef struct {
    const char        *path;
    const char        *raw;                /* NULL: not found */
} test_path_t;


static const test_answer_t  test_answers[] = {

    /* heights of EVM, by the characterisation cases */

    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"id\":7,\"result\":\"0x10\"}",
      GATEWAY_ANSWER_OK, 16, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"10\"}",
      GATEWAY_ANSWER_OK, 16, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"id\":\"7\",\"result\":\"0xffffffffffffffff\"}",
      GATEWAY_ANSWER_OK, UINT64_MAX, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"id\":7,\"result\":{\"number\":\"0x11\",\"hash\":\"\"}}",
      GATEWAY_ANSWER_OK, 17, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"0x1000000000000000a\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"0X10\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"0x\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":\"0x0\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":null}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"result\":16}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "not json",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "<html><body>hello</body></html>",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "[{\"id\":7,\"result\":\"0x10\"}]",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 500, "{\"id\":7,\"result\":\"0x10\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"id\":8,\"result\":\"0x10\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"id\":7,\"error\":null,\"result\":\"0x10\"}",
      GATEWAY_ANSWER_OK, 16, NULL },

    /* errors, and what they mean */

    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"error\":{\"code\":-32603,\"message\":\"internal\"}}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200, "{\"error\":\"x\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"error\":{\"code\":-32601,\"message\":\"no\"}}",
      GATEWAY_ANSWER_ABSENT, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"error\":{\"code\":-32005,\"message\":\"slow down\"}}",
      GATEWAY_ANSWER_QUOTA, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 200,
      "{\"error\":{\"code\":1,\"message\":\"Too Many Requests\"}}",
      GATEWAY_ANSWER_QUOTA, 0, NULL },
    { GATEWAY_PROBE_EVM_HEIGHT, 429, "", GATEWAY_ANSWER_QUOTA, 0, NULL },

    /* Solana's -32005 is a node that is behind */

    { GATEWAY_PROBE_SOLANA_HEIGHT, 200,
      "{\"error\":{\"code\":-32005,\"message\":\"Node is behind by 9\"}}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_SOLANA_HEIGHT, 200, "{\"id\":7,\"result\":305}",
      GATEWAY_ANSWER_OK, 305, NULL },
    { GATEWAY_PROBE_SOLANA_HEIGHT, 200, "{\"id\":7}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_SOLANA_HEIGHT, 200,
      "{\"result\":18446744073709551626}", GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_SOLANA_HEIGHT, 200, "{\"result\":-1}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_SOLANA_HEIGHT, 200, "{\"result\":1.5}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_POKT_HEIGHT, 200, "{\"height\":\"90\"}",
      GATEWAY_ANSWER_OK, 90, NULL },
    { GATEWAY_PROBE_POKT_HEIGHT, 200, "{\"code\":400,\"message\":\"\"}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_COSMOS_HEIGHT, 200,
      "{\"result\":{\"sync_info\":{\"latest_block_height\":\"12\"}}}",
      GATEWAY_ANSWER_OK, 12, NULL },
    { GATEWAY_PROBE_COSMOS_HEIGHT, 200,
      "{\"sync_info\":{\"latest_block_height\":\"13\"}}",
      GATEWAY_ANSWER_OK, 13, NULL },

    /* identifiers; the block asked for is 100 */

    { GATEWAY_PROBE_EVM_BLOCK, 200,
      "{\"id\":7,\"result\":{\"number\":\"0x64\",\"hash\":\"0x" TEST_HASH
      "\"}}", GATEWAY_ANSWER_OK, 0, TEST_HASH },
    { GATEWAY_PROBE_EVM_BLOCK, 200,
      "{\"id\":7,\"result\":{\"number\":\"0x65\",\"hash\":\"0x" TEST_HASH
      "\"}}", GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_BLOCK, 200, "{\"id\":7,\"result\":null}",
      GATEWAY_ANSWER_ABSENT, 0, NULL },
    { GATEWAY_PROBE_EVM_BLOCK, 200, "{\"id\":7,\"result\":{}}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_BLOCK, 200, "{\"id\":7,\"result\":{\"hash\":\"\"}}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_EVM_BLOCK, 200,
      "{\"error\":{\"code\":-32001,\"message\":\"resource not found\"}}",
      GATEWAY_ANSWER_ABSENT, 0, NULL },
    { GATEWAY_PROBE_EVM_CHAIN, 200, "{\"id\":7,\"result\":\"0x89\"}",
      GATEWAY_ANSWER_OK, 0, "137" },
    { GATEWAY_PROBE_SOLANA_BLOCK, 200,
      "{\"id\":7,\"result\":{\"blockhash\":\"" TEST_BASE58 "\"}}",
      GATEWAY_ANSWER_OK, 0, TEST_BASE58 },
    { GATEWAY_PROBE_SOLANA_BLOCK, 200,
      "{\"id\":7,\"result\":{\"blockhash\":\"0OIl\"}}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_SOLANA_BLOCK, 200,
      "{\"error\":{\"code\":-32007,\"message\":\"Slot 100 was skipped\"}}",
      GATEWAY_ANSWER_SKIPPED, 0, NULL },
    { GATEWAY_PROBE_SOLANA_BLOCK, 200,
      "{\"error\":{\"code\":-32001,\"message\":\"cleaned up\"}}",
      GATEWAY_ANSWER_ABSENT, 0, NULL },
    { GATEWAY_PROBE_POKT_BLOCK, 200,
      "{\"block_id\":{\"hash\":\"00112233445566778899AABBCCDDEEFF"
      "00112233445566778899AABBCCDDEEFF\"},\"block\":{\"header\":"
      "{\"height\":\"100\"}}}", GATEWAY_ANSWER_OK, 0, TEST_HASH },
    { GATEWAY_PROBE_POKT_BLOCK, 200, "{\"total_txs\":0,\"txs\":[]}",
      GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_COSMOS_BLOCK, 500,
      "{\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":"
      "\"x\"}}", GATEWAY_ANSWER_FAULT, 0, NULL },
    { GATEWAY_PROBE_COSMOS_BLOCK, 500,
      "{\"error\":{\"code\":-32603,\"message\":\"height 100 must be less "
      "than or equal to the current height 9\"}}",
      GATEWAY_ANSWER_ABSENT, 0, NULL },
    { GATEWAY_PROBE_COSMOS_BLOCK, 200,
      "{\"result\":{\"block_id\":{\"hash\":\"" TEST_HASH "\"},\"block\":"
      "{\"header\":{\"height\":\"99\"}}}}", GATEWAY_ANSWER_FAULT, 0, NULL }
};


static const char  test_json[] =
    "{\"a\":{\"b\":[1,{\"c\":\"x\"},[2,3]],\"d.e\":null},"
    "\"a\\u0062\":true,\"f\":0,\"f\":{\"g\":1},\"f\":{\"h\":2}}";

static const test_path_t  test_paths[] = {
    { "a.b[0]", "1" },
    { "$.a.b[1].c", "x" },
    { "a.b[2][1]", "3" },
    { "a.b[2]", "[2,3]" },
    { "a['d.e']", "null" },
    { "$['a'][\"b\"][1]", "{\"c\":\"x\"}" },
    { "ab", "true" },
    { "f.h", "2" },
    { "f.g", NULL },
    { "a.b[3]", NULL },
    { "a.b.c", NULL },
    { "a[0]", NULL },
    { "f[0]", NULL },
    { "b", NULL },
    { "", test_json },
    { "$", test_json }
};

static const char  *test_bad_paths[] = {
    "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a['b", "a['b'", "a[1", "$a",
    "a b", "a]", "a[99999999999]", "a['b']c",
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"
};


static void
test_read_answers(void)
{
    size_t                   i;
    pocket_str_t             body;
    gateway_answer_e         rc;
    const test_answer_t     *t;
    gateway_probe_answer_t   answer;
    gateway_probe_request_t  request = { 0 };

    request.id = 7;
    request.block = 100;

    for (i = 0; i < sizeof(test_answers) / sizeof(test_answers[0]); i++) {
        t = &test_answers[i];
        test_free();
        body = test_str(t->body);

        rc = gateway_probe_answer(t->kind, &request, t->status, &body,
                                  &answer, &test_alloc);

        test(rc == t->answer
             && (rc != GATEWAY_ANSWER_OK || answer.height == t->height)
             && (t->identifier == NULL
                 || test_is(&answer.identifier, t->identifier))
             && (rc != GATEWAY_ANSWER_FAULT || answer.reason != NULL),
             "answer", t->body);
    }
}


/* all are JSON of the same meaning, and no two need look alike */

static void
test_requests(void)
{
    int                      kind;
    size_t                   i, forms;
    gateway_path_t           paths[3];
    pocket_str_t             text, last;
    const char              *err;
    gateway_value_t          values[3];
    gateway_probe_request_t  request;

    static const char  *names[] = { "method", "id", "params[0]" };

    for (i = 0; i < 3; i++) {
        text = test_str(names[i]);
        check(gateway_path_parse(&text, &paths[i], &err) == POCKET_OK);
    }

    for (kind = 1; kind < GATEWAY_PROBE_KINDS; kind++) {
        forms = 0;
        memset(&last, 0, sizeof(pocket_str_t));

        for (i = 0; i < 200; i++) {
            check(gateway_probe_request(kind, 0x3cf, test_random(), &request,
                                        &test_alloc)
                  == POCKET_OK);

            text = request.body.len ? request.body : request.path;

            forms += text.len != last.len
                     || memcmp(text.data, last.data, text.len) != 0;
            last = text;

            if (request.path.len == 0) {
                check(gateway_path_read(paths, 3, &request.body, values,
                                        &test_alloc)
                      == 1);
                check(values[0].found && values[1].found);
                check(atoll((char *) values[1].raw.data) == request.id);
            }

            if (kind == GATEWAY_PROBE_EVM_BLOCK) {
                check(test_is(&values[2].raw, "0x3cf"));
            }

            if (kind == GATEWAY_PROBE_SOLANA_BLOCK) {
                check(test_is(&values[2].raw, "975"));
            }
        }

        /* a REST path with the block in it has few forms */

        check(forms > (kind < GATEWAY_PROBE_POKT_HEIGHT ? 150 : 20));
    }

    check(gateway_probe_request(GATEWAY_PROBE_COSMOS_BLOCK, 975, 0, &request,
                                &test_alloc)
          == POCKET_OK);
    check(test_is(&request.path, "/block?height=975"));
    check(test_is(&request.method, "GET"));
}


static void
test_read_paths(void)
{
    size_t              i;
    const char         *err;
    gateway_path_t      path;
    pocket_str_t        text, json;
    gateway_value_t     value;
    const test_path_t  *t;

    json = test_str(test_json);

    for (i = 0; i < sizeof(test_paths) / sizeof(test_paths[0]); i++) {
        t = &test_paths[i];
        text = test_str(t->path);
        test_free();

        check(gateway_path_parse(&text, &path, &err) == POCKET_OK);
        check(gateway_path_read(&path, 1, &json, &value, &test_alloc) == 1);

        if (value.found != (t->raw != NULL)
            || (t->raw && !test_is(&value.raw, t->raw)))
        {
            printf("path %s: found %u, %.*s\n", t->path, value.found,
                   (int) value.raw.len, value.raw.data);
            check(0);
        }
    }

    for (i = 0; i < sizeof(test_bad_paths) / sizeof(test_bad_paths[0]); i++) {
        text = test_str(test_bad_paths[i]);
        err = NULL;

        if (gateway_path_parse(&text, &path, &err) == POCKET_OK
            || err == NULL)
        {
            printf("path %s is taken\n", test_bad_paths[i]);
            check(0);
        }
    }
}


static void
test_expand(void)
{
    pocket_str_t  text, out;

    test_free();

    text = test_str("{\"id\":$id,\"a\":\"$height_hex\",\"b\":$height,"
                    "\"c\":\"$identity $heights $ $\"}");

    check(gateway_probe_expand(&text, 5, 255, &out, &test_alloc) == POCKET_OK);
    check(test_is(&out, "{\"id\":5,\"a\":\"0xff\",\"b\":255,"
                        "\"c\":\"$identity $heights $ $\"}"));
    check(gateway_probe_has_height(&text));

    text = test_str("$id$id$id");
    check(gateway_probe_expand(&text, UINT32_MAX, UINT64_MAX, &out, &test_alloc)
          == POCKET_OK);
    check(test_is(&out, "429496729542949672954294967295"));
    check(!gateway_probe_has_height(&text));

    text = test_str("$height_hex$height");
    check(gateway_probe_expand(&text, 1, UINT64_MAX, &out, &test_alloc)
          == POCKET_OK);
    check(test_is(&out, "0xffffffffffffffff18446744073709551615"));
}


static void
test_block(void)
{
    uint64_t  block, random;

    /* beyond the tolerance, in the range, never wrapped around */

    for (random = 0; random < 500; random++) {
        block = gateway_probe_block(1000, 5, 16, 96, random);
        check(block >= 904 && block <= 984);

        block = gateway_probe_block(1000, 100, 16, 96, random);
        check(block >= 819 && block <= 899);

        block = gateway_probe_block(20, 5, 16, 96, random);
        check(block >= 1 && block <= 4);
    }

    check(gateway_probe_block(10, 5, 25, 25, 7) == 0);
    check(gateway_probe_block(0, 5, 16, 96, 7) == 0);
    check(gateway_probe_block(1000, UINT32_MAX, 16, 96, 7) == 0);
    check(gateway_probe_block(1000, 5, 25, 25, 7) == 975);
}


static void
test_no_memory(void)
{
    pocket_str_t             body;
    gateway_probe_answer_t   answer;
    gateway_probe_request_t  request = { 0 };

    request.id = 7;
    body = test_str("{\"id\":7,\"result\":\"0x1\"}");

    test_left = 0;

    check(gateway_probe_request(GATEWAY_PROBE_EVM_HEIGHT, 1, 1, &request,
                                &test_alloc)
          == POCKET_ERROR);
    check(gateway_probe_answer(GATEWAY_PROBE_EVM_CHAIN, &request, 200, &body,
                               &answer, &test_alloc)
          == GATEWAY_ANSWER_FAULT);

    test_left = SIZE_MAX;
}


int
main(void)
{
    test_read_answers();
    test_requests();
    test_read_paths();
    test_expand();
    test_block();
    test_no_memory();

    return test_done();
}
