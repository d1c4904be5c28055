
/*
 * Each function that allocates, with an allocator that fails at its first,
 * second, third ... call: it must say so, read nothing it has not got, and
 * succeed once there is memory for all.
 */


#include "pocket_error.h"
#include "pocket_files.h"
#include "pocket_hash.h"
#include "pocket_node.h"
#include "pocket_relay.h"
#include "pocket_request.h"
#include "pocket_response.h"
#include "test.h"


#define TEST_ALLOCATIONS  4096


/* gives what the function under test returned */

typedef int (*test_call_pt)(pocket_alloc_t *a);


static void
test_fail(const char *name, test_call_pt call, int expected)
{
    int     rc;
    size_t  n;

    rc = POCKET_ERROR;

    for (n = 0; n < TEST_ALLOCATIONS; n++) {
        test_left = n;

        rc = call(&test_alloc);

        test_free();

        if (test_left || rc != POCKET_ERROR) {
            break;
        }
    }

    test(rc == expected && n, name, "not all allocations can fail");
}


static pocket_node_answer_t
test_node_answer(unsigned status, const char *body)
{
    pocket_node_answer_t  in = { 0 };

    in.status = status;
    in.content_type = test_str("application/json");
    in.body = test_str(body);

    return in;
}


static int
test_reason(pocket_alloc_t *a)
{
    pocket_str_t    reason = test_str("CHAIN=0021");
    pocket_error_t  err;

    return pocket_error_set_reason(&err, POCKET_ERR_HTTP, &reason, a);
}


static int
test_node_check(pocket_alloc_t *a)
{
    pocket_node_answer_t   in;
    pocket_check_answer_t  out;

    in = test_node_answer(200, "{\"status\":{\"version\":\"RC\\u002d1\","
                          "\"height\":7},\"wrong_chains\":[\"00\\u00321\"]}");

    return pocket_node_check_answer(&in, &out, a);
}


static int
test_session(pocket_alloc_t *a)
{
    pocket_node_answer_t     in;
    pocket_session_answer_t  out;

    in = test_node_answer(400, "{\"error\":{\"code\":45,\"message\":\"a\\n\"},"
                          "\"dispatch\":{\"block_height\":1}}");

    return pocket_node_session_answer(&in, &out, a);
}


static int
test_notify(pocket_alloc_t *a)
{
    pocket_node_answer_t    in;
    pocket_notify_answer_t  out;

    in = test_node_answer(400, "{\"error\":{\"code\":90,\"message\":\"a\\n\"},"
                          "\"dispatch\":{\"block_height\":1,\"session\":"
                          "{\"nodes\":[{\"chains\":[\"0021\"]}]}}}");

    return pocket_node_notify_answer(&in, &out, a);
}


static int
test_dispatch(pocket_alloc_t *a)
{
    pocket_str_t  raw, out;

    raw = test_str("{\"b\":[{\"public_key\":\"\\u0039\",\"a\":{}}],\"a\":9}");

    return pocket_node_client_dispatch(&raw, &out, a);
}


static int
test_sort(pocket_alloc_t *a)
{
    pocket_str_t  text, out;

    text = test_str("{\"c\":[{},{\"\\u0062\":1.5,\"a\":{\"x\":[]}}],\"b\":1,"
                    "\"a\":0.000000000000000000000000000000000000000000000000"
                    "00000000000000000000000001,\"d\":4,\"e\":5,\"f\":6,"
                    "\"g\":[[[[[[[[[[{\"deep\":[[[[[[1]]]]]]}]]]]]]]]]]}");

    return pocket_response_sort(&text, &out, a);
}


static int
test_success(pocket_alloc_t *a)
{
    pocket_str_t   text, body;
    unsigned char  signature[POCKET_SIG_LEN] = { 0 };

    text = test_str("<\xff>");

    return pocket_response_success(&text, signature, &body, a);
}


static int
test_error(pocket_alloc_t *a)
{
    pocket_str_t    dispatch, body;
    pocket_error_t  err;

    dispatch = test_str("{}");
    pocket_error_set(&err, POCKET_ERR_BLOCK_HEIGHT);

    return pocket_response_error(&err, &dispatch, &body, a);
}


static int
test_http_error(pocket_alloc_t *a)
{
    pocket_str_t  message, body;

    message = test_str("<&>");

    return pocket_response_http_error(401, &message, &body, a);
}


static int
test_too_large(pocket_alloc_t *a)
{
    pocket_str_t  body;

    return pocket_response_too_large(1048576, &body, a);
}


static int
test_sim(pocket_alloc_t *a)
{
    pocket_str_t  text, body;

    text = test_str("<\xff>");

    return pocket_response_sim(&text, &body, a);
}


static int
test_request(pocket_alloc_t *a)
{
    int                     rc;
    pocket_str_t            agent;
    pocket_error_t          err;
    pocket_header_t         header;
    pocket_payload_t        payload = { 0 };
    pocket_request_t        rq;
    pocket_request_chain_t  chain = { 0 };

    chain.url = test_str("http://u:p@h.example/x");
    chain.username = test_str("user");
    chain.password = test_str("password");
    agent = test_str("agent");
    header.name = test_str("Accept");
    header.value = test_str("*/*");
    payload.path = test_str("/a b");
    payload.headers = &header;
    payload.nheaders = 1;

    rc = pocket_request_build(&chain, &agent, &payload, &rq, &err, a);

    return (rc == 1 && rq.nheaders != 3) ? 0 : rc;
}


static int
test_bad_header(pocket_alloc_t *a)
{
    pocket_str_t            agent;
    pocket_error_t          err;
    pocket_header_t         header;
    pocket_payload_t        payload = { 0 };
    pocket_request_t        rq;
    pocket_request_chain_t  chain = { 0 };

    chain.id = test_str("0021");
    chain.url = test_str("http://h.example/x");
    agent = test_str("agent");
    header.name = test_str("X");
    header.value = test_str("a\nb");
    payload.headers = &header;
    payload.nheaders = 1;

    return pocket_request_build(&chain, &agent, &payload, &rq, &err, a);
}


static int
test_failure(pocket_alloc_t *a)
{
    pocket_str_t      id;
    pocket_error_t    err;
    pocket_payload_t  payload = { 0 };

    id = test_str("0021");
    payload.path = test_str("/a");

    return pocket_request_failure(POCKET_CHAIN_TIMEOUT, &id, &payload, &err,
                                  a);
}


static int
test_relay(pocket_alloc_t *a)
{
    pocket_str_t    body;
    pocket_error_t  err;
    pocket_relay_t  relay;

    body = test_str("{\"payload\":{\"data\":\"\\u003c\",\"headers\":{"
                    "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\","
                    "\"e\":\"5\",\"f\":\"6\",\"g\":\"7\",\"h\":\"8\","
                    "\"i\":\"9\"}},\"m\\u0065ta\":{\"block_height\":1}}");

    return pocket_relay_decode(&body, &relay, &err, a);
}


static int
test_sim_decode(pocket_alloc_t *a)
{
    pocket_sim_t    sim;
    pocket_str_t    body;
    pocket_error_t  err;

    body = test_str("{\"relay_network_id\":\"\\u0030\","
                    "\"payload\":{\"headers\":{\"a\":\"1\"}}}");

    return pocket_sim_decode(&body, &sim, &err, a);
}


static int
test_session_request(pocket_alloc_t *a)
{
    pocket_str_t              body;
    pocket_session_request_t  rq = { 0 };

    rq.chain = test_str("0021");
    rq.app_pub_key = test_str("a");
    rq.servicer_pub_key = test_str("b");

    return pocket_session_request_body(&rq, &body, a);
}


static int
test_check_request(pocket_alloc_t *a)
{
    pocket_str_t  body, chain;

    chain = test_str("0021");

    return pocket_check_request_body(NULL, 0, &chain, 1, &body, a);
}


/* the key of RFC 8032, section 7.1, test 1 */

static int
test_keys(pocket_alloc_t *a)
{
    pocket_str_t         text;
    pocket_file_keys_t   keys;
    pocket_file_error_t  err;

    text = test_str("[{\"name\":\"\\u006e\",\"url\":\"http:\\/\\/a\","
                    "\"keys\":[\"9d61b19deffd5a60ba844af492ec2cc44449c569"
                    "7b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a"
                    "0ee172f3daa62325af021a68f707511a\"]}]");

    return pocket_file_keys(&text, &keys, &err, a, a);
}


static int
test_chains(pocket_alloc_t *a)
{
    pocket_str_t          text;
    pocket_file_error_t   err;
    pocket_file_chains_t  chains;

    text = test_str("[{\"id\":\"0021\",\"url\":\"http:\\/\\/a\"}]");

    return pocket_file_chains(&text, &chains, &err, a);
}


static int
test_auth(pocket_alloc_t *a)
{
    pocket_str_t         text, token;
    pocket_file_error_t  err;

    text = test_str("{\"Value\":\"a\\u0062\"}");

    return pocket_file_auth(&text, &token, &err, a);
}


static int
test_names(pocket_alloc_t *a)
{
    pocket_str_t         text;
    pocket_file_error_t  err;
    pocket_file_names_t  names;

    text = test_str("{\"0021\":\"\\u0041\",\"0009\":{\"label\":\"\\u0042\"}}");

    return pocket_file_names(&text, &names, &err, a);
}


int
main(void)
{
    test_fail("relay", test_relay, POCKET_OK);
    test_fail("sim_decode", test_sim_decode, POCKET_OK);
    test_fail("session_request", test_session_request, POCKET_OK);
    test_fail("check_request", test_check_request, POCKET_OK);
    test_fail("keys", test_keys, POCKET_OK);
    test_fail("chains", test_chains, POCKET_OK);
    test_fail("auth", test_auth, POCKET_OK);
    test_fail("names", test_names, POCKET_OK);
    test_fail("reason", test_reason, POCKET_OK);
    test_fail("check", test_node_check, 1);
    test_fail("session", test_session, POCKET_OK);
    test_fail("notify", test_notify, POCKET_OK);
    test_fail("dispatch", test_dispatch, 1);
    test_fail("sort", test_sort, 1);
    test_fail("success", test_success, POCKET_OK);
    test_fail("error", test_error, POCKET_OK);
    test_fail("http_error", test_http_error, POCKET_OK);
    test_fail("too_large", test_too_large, POCKET_OK);
    test_fail("sim", test_sim, POCKET_OK);
    test_fail("request", test_request, 1);
    test_fail("bad_header", test_bad_header, 0);
    test_fail("failure", test_failure, POCKET_OK);

    return test_done();
}
