
/*
 * Relays as clients make them: vectors of another gateway, whose signatures
 * servicers take.
 */


#include "pocket_client.h"
#include "pocket_key.h"
#include "test.h"

#include <sodium.h>
#include <string.h>


#define TEST_KEY                                                              \
    "3fe64039816c44e8872e4ef981725b968422e3d49e95a1eb800707591df30fe3"        \
    "74039dbe881dd2744e2e0c469cc2241e1e45f14af6975dd89079d22938377849"

#define TEST_PUBLIC  (&TEST_KEY[64])

#define TEST_TOKEN                                                            \
    "f233ca857b4ada2ca4996e0da8c1761cfbc855edf282fc5a753d4631785946d6"        \
    "c2b08c781c84abbca2dc929de50008729079124e5c5c16921a81139279020a05"

#define TEST_SERVICER                                                         \
    "fd332ff15904c5b6d68f42aa5f05c66e9f2d9ba8267014e80112a1a39105f4e8"


typedef struct {
    const char     *name;
    const char     *data;
    const char     *method;
    const char     *path;
    const char     *chain;
    const char     *servicer;
    int64_t         height;
    int64_t         entropy;
    const char     *request_hash;
    const char     *proof_hash;
    const char     *signature;
    size_t          size;                  /* 0: not known */
} test_vector_t;


static void test_vector(const test_vector_t *v);
static unsigned test_hex(const unsigned char *p, size_t len,
    const char *hex);
static void test_texts(const pocket_relay_t *relay, const unsigned char *key,
    const pocket_relay_hashes_t *hashes, const char *name);
static void test_not_utf8(void);
static void test_answers(void);


static pocket_hash_t   *hash;


static const test_vector_t  test_vectors[] = {

    { "V1", "randomJsonPayload", "post", "", "0001", "0x", 1, 1,
      "c5b64f9a7901ed8c3341f7440913a5ddd7b694dc7b4daeb234a47a9c42b653bb",
      "807f21139a09d58859f853753e5e7e2e077d3d9c9aaab27a67473f8d636f1c6b",
      "befcc42130fb9e46fb9874acfb5bd8a9f783db60f86d1b1eb61cdba23fdb7e9e"
      "17544cb99afb480c9e1308532e07cdf6f4e2da27790f47dae30133725191b309",
      0 },

    { "V2", "{\"jsonrpc\":\"2.0\",\"method\":\"eth_blockNumber\","
      "\"params\": [],\"id\":1}", "POST", "", "0021", TEST_SERVICER, 108181,
      INT64_MAX,
      "7c478252de6f98302e5fb6843fc0c85a8d58720c14c4b21d520edd1c9322a394",
      "2fcb76cd64bd72668b081358d87ee30c051c5e8cab7cca168de0123600451c90",
      "eddd0c9f3c4717cb4feccec5ff97af5500e5022dfb75b82916b9a1d1cf488d3d"
      "55b5bf19c233d54728765834246e2b98134e687a80e370e6ccdc87d8e156ad03",
      906 },

    { "V3", "", "POST", "/v1/query/height", "0001", TEST_SERVICER, 108181, 0,
      "87a06ddf4c4a51ff633dd93e5b73523a84fc0d40ffdd134be1cc61e4ade05a2c",
      "66d1cded8ac3d88ce3beffaf95e50243da60be08c9eaeb250ea57b7babea050a",
      "6efadcf4aeebed1d3a23593b76f6dae8d043c022f9628383f37297ef85524f8d"
      "8566cd6501bfbe3dd89285a23a13738c1a332c265da3970c384a5b8082402e0a",
      828 },

    { "V4", "{\"a\":\"<b>&\xe2\x80\xa8\xc3\xa9\t\"}", "POST", "/x y", "C006",
      TEST_SERVICER, 5, 42,
      "c758598e7e4f59a5bdb0e9e93f6d3a1085d7f57f170727f8323f1dfc56694b24",
      "39d54e48a2aab96eb62241d0b901fcc672182cf7ee026dd377566dda48bd4bb1",
      "89510144e0235481f539ef9ee01604fa157fc5728b9bf43e42e5af29dbd4068d"
      "8906a5daccdc8b429e8dc107139cecdc2a59fe525c7f9746f291ad93d640580f",
      848 }
};


int
main(void)
{
    size_t  i;

    hash = pocket_hash_create();

    if (sodium_init() < 0 || hash == NULL) {
        return 1;
    }

    for (i = 0; i < sizeof(test_vectors) / sizeof(test_vector_t); i++) {
        test_vector(&test_vectors[i]);
    }

    test_not_utf8();
    test_answers();

    pocket_hash_destroy(hash);

    return test_done();
}


/* of memory that is given back by nobody: the test is short */

static void
test_vector(const test_vector_t *v)
{
    size_t                  len;
    unsigned char           key[POCKET_PRIVKEY_LEN];
    pocket_str_t            hex;
    pocket_relay_t          relay;
    pocket_relay_hashes_t   hashes;

    memset(&relay, 0, sizeof(pocket_relay_t));

    hex = test_str(TEST_KEY);
    (void) pocket_hex_decode(&hex, key, POCKET_PRIVKEY_LEN, &len);

    relay.payload.data = test_str(v->data);
    relay.payload.method = test_str(v->method);
    relay.payload.path = test_str(v->path);
    relay.block_height = v->height;
    relay.proof.entropy = v->entropy;
    relay.proof.session_block_height = v->height;
    relay.proof.servicer_pub_key = test_str(v->servicer);
    relay.proof.blockchain = test_str(v->chain);
    relay.proof.aat.version = test_str("0.0.1");
    relay.proof.aat.app_pub_key = test_str(TEST_PUBLIC);
    relay.proof.aat.client_pub_key = test_str(TEST_PUBLIC);
    relay.proof.aat.signature = test_str(TEST_TOKEN);

    test(pocket_client_sign(&relay, key, hash, &hashes, &test_alloc)
         == POCKET_OK, v->name, "signed");

    test(test_hex(hashes.request, POCKET_HASH_LEN, v->request_hash), v->name,
         "request hash");
    test(test_hex(hashes.proof, POCKET_HASH_LEN, v->proof_hash), v->name,
         "proof hash");
    test(relay.proof.signature.len == 2 * POCKET_SIG_LEN
         && memcmp(relay.proof.signature.data, v->signature,
                   2 * POCKET_SIG_LEN)
            == 0, v->name, "signature");

    /* that gateway orders the members otherwise */

    test(v->size == 0 || pocket_relay_size(&relay) == v->size, v->name,
         "size");

    test_texts(&relay, key, &hashes, v->name);
}


/* the two texts are that of the whole relay */

static void
test_texts(const pocket_relay_t *relay, const unsigned char *key,
    const pocket_relay_hashes_t *hashes, const char *name)
{
    pocket_str_t     head, tail;
    pocket_proof_t   proof;
    unsigned char    request[POCKET_HASH_LEN], told[POCKET_HASH_LEN];
    unsigned char    text[4096];

    proof = relay->proof;

    test(pocket_client_head(relay, hash, request, &head, &test_alloc) == 1
         && memcmp(request, hashes->request, POCKET_HASH_LEN) == 0, name,
         "the head's hash");

    test(pocket_client_tail(&proof, key, request, hashes->aat, hash, told,
                            &tail, &test_alloc)
         == POCKET_OK
         && memcmp(told, hashes->proof, POCKET_HASH_LEN) == 0, name,
         "the proof's hash");

    test(pocket_relay_size(relay) == head.len + tail.len, name,
         "size of both");

    (void) pocket_relay_write(text, relay);

    test(memcmp(text, head.data, head.len) == 0
         && memcmp(text + head.len, tail.data, tail.len) == 0, name,
         "both texts");
}


/* headers, and what must not be sent, as it would arrive as something else */

static void
test_not_utf8(void)
{
    size_t                  i;
    pocket_str_t            head, *fields[5];
    unsigned char           request[POCKET_HASH_LEN];
    pocket_relay_t          relay;
    pocket_header_t         headers[2];

    memset(&relay, 0, sizeof(pocket_relay_t));

    headers[0].name = test_str("A");
    headers[0].value = test_str("<\"\x01>");
    headers[1].name = test_str("B");
    headers[1].value = test_str("");

    relay.payload.headers = headers;
    relay.payload.nheaders = 2;
    relay.payload.has_headers = 1;
    relay.block_height = INT64_MIN;

    test(pocket_client_head(&relay, hash, request, &head, &test_alloc) == 1
         && head.len == sizeof("{\"payload\":{\"data\":\"\",\"method\":\"\","
                               "\"path\":\"\",\"headers\":{\"A\":\"\\u003c"
                               "\\\"\\u0001\\u003e\",\"B\":\"\"}},\"meta\":{"
                               "\"block_height\":-9223372036854775808}") - 1,
         "head", "with headers");

    fields[0] = &relay.payload.data;
    fields[1] = &relay.payload.method;
    fields[2] = &relay.payload.path;
    fields[3] = &headers[1].name;
    fields[4] = &headers[0].value;

    for (i = 0; i < 5; i++) {
        *fields[i] = test_str("a\xff");
        test(pocket_client_head(&relay, hash, request, &head, &test_alloc) == 0,
             "head", "a byte that is not UTF-8");
        *fields[i] = test_str("\xc3\xa9");
    }

    test(pocket_client_head(&relay, hash, request, &head, &test_alloc) == 1,
         "head", "UTF-8");
}


static unsigned
test_hex(const unsigned char *p, size_t len, const char *hex)
{
    unsigned char  text[2 * POCKET_SIG_LEN];

    pocket_hex_encode(text, p, len);

    return strlen(hex) == 2 * len && memcmp(text, hex, 2 * len) == 0;
}


static void
test_answers(void)
{
    size_t                  len;
    unsigned char           key[POCKET_PRIVKEY_LEN], proof[POCKET_HASH_LEN];
    unsigned char           told[POCKET_HASH_LEN], signature[POCKET_SIG_LEN];
    unsigned char           text[2 * POCKET_SIG_LEN];
    pocket_str_t            hex, body, servicer;
    pocket_json_error_t     err;
    pocket_client_answer_t  answer;

    body = test_str("{\"dispatch\":{\"a\":[1]},\"error\":{\"code\":60,"
                    "\"codespace\":\"pocketcore\",\"message\":\"m\"}}");

    test(pocket_client_answer(&body, &answer, &err, &test_alloc) == 1
         && answer.error && answer.error->code == 60
         && answer.dispatch.kind == POCKET_JSON_OBJECT, "answer", "an error");

    body = test_str("<html>");
    test(pocket_client_answer(&body, &answer, &err, &test_alloc) == 0, "answer",
         "no JSON");

    body = test_str("{\"response\":\"{\\\"a\\\":\\\"<b>\\\"}\"}");
    test(pocket_client_answer(&body, &answer, &err, &test_alloc) == 1
         && answer.error == NULL && answer.response.len == 11, "answer",
         "a success");

    hex = test_str(TEST_KEY);
    (void) pocket_hex_decode(&hex, key, POCKET_PRIVKEY_LEN, &len);

    memset(proof, 7, sizeof(proof));
    (void) pocket_hash_response(hash, &answer.response, proof, told);
    (void) pocket_key_sign(key, told, signature);
    pocket_hex_encode(text, signature, POCKET_SIG_LEN);

    answer.signature.data = text;
    answer.signature.len = sizeof(text);

    servicer = test_str(TEST_PUBLIC);
    test(pocket_client_verify(&answer, &servicer, proof, hash)
         == POCKET_ERR_NONE, "signature", "good");

    answer.response.data[2] ^= 1;
    test(pocket_client_verify(&answer, &servicer, proof, hash)
         == POCKET_ERR_SIGNATURE, "signature", "of another answer");

    answer.response.data[2] ^= 1;
    servicer = test_str(TEST_SERVICER);
    test(pocket_client_verify(&answer, &servicer, proof, hash)
         == POCKET_ERR_SIGNATURE, "signature", "of another servicer");

    answer.signature.len = 0;
    test(pocket_client_verify(&answer, &servicer, proof, hash)
         != POCKET_ERR_NONE, "signature", "none");
}
