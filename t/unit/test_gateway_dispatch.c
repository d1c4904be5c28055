
/*
 * Guards what the sessions of a gateway are made of: answers of dispatchers,
 * which may lag or talk nonsense, the blocks by which a boundary is expected,
 * and the file of applications.
 */


#define _GNU_SOURCE
#include "gateway_apps.h"
#include "gateway_blocks.h"
#include "gateway_dispatch.h"
#include "pocket_key.h"
#include "test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>


#define TEST_KEY      "2bcd8227e3077f13861372dc80c845d2cca990ff4721bd23e43389" \
                      "090ae6b8ab"
#define TEST_NODE     "88fb26a474ad583a494447edc79a830ac20b32bf63b8e80245fbb9" \
                      "f1e4c19db3"
#define TEST_OTHER    "4593bc9f85532d3bc7cecbdb9e34949975866c2c9eb1b55df208fa" \
                      "42cb73bd6e"

/* of the reference's published vectors */

#define TEST_PRIVATE  "3fe64039816c44e8872e4ef981725b968422e3d49e95a1eb800707" \
                      "591df30fe3"
#define TEST_PUBLIC   "74039dbe881dd2744e2e0c469cc2241e1e45f14af6975dd89079d2" \
                      "2938377849"
#define TEST_TOKEN    "9c903c10cfdcf8decdbad6651046680972762345b7739ed21b4c89" \
                      "70c35f172f"

#define TEST_HEAD     "{\"block_height\":18,\"session\":{\"header\":{"         \
                      "\"app_public_key\":\"" TEST_KEY "\","                   \
                      "\"chain\":\"0021\",\"session_height\":17},\"nodes\":["
#define TEST_GOOD     "{\"public_key\":\"" TEST_NODE "\","                     \
                      "\"service_url\":\"http://127.0.0.1:9081\"}"


typedef struct {
    const char        *body;
    int64_t            height;
    int                rc;
    uint32_t           n;
    uint32_t           listed;
} test_session_t;


typedef struct {
    const char        *text;
    const char        *error;              /* NULL: it is good */
} test_file_t;


typedef struct {
    int64_t            known;
    int64_t            told[4];
    int64_t            agreed;
    uint8_t            in[4];
} test_agree_t;


static void test_blocks_run(gateway_blocks_t *blocks, int64_t from, uint32_t n,
    uint64_t *now, uint64_t time);


static const test_session_t  test_sessions[] = {

    { TEST_HEAD TEST_GOOD "]}}", 17, 1, 1, 1 },
    { TEST_HEAD TEST_GOOD "]}}", 0, 1, 1, 1 },

    /* of another session: a dispatcher answers with its latest */

    { TEST_HEAD TEST_GOOD "]}}", 21, 0, 0, 0 },
    { TEST_HEAD TEST_GOOD "]}}", 13, 0, 0, 0 },

    /* what crashed the reference */

    { "{\"block_height\":18}", 17, 0, 0, 0 },
    { "{\"block_height\":18,\"session\":null}", 17, 0, 0, 0 },
    { "{\"session\":{\"header\":null,\"nodes\":null}}", 17, 0, 0, 0 },
    { TEST_HEAD "null," TEST_GOOD "]}}", 17, 1, 1, 2 },
    { "null", 17, 0, 0, 0 },
    { "[]", 17, 0, 0, 0 },
    { "", 17, 0, 0, 0 },
    { "<html>", 17, 0, 0, 0 },

    /* nodes that are none; a repeated one; a socket of this host */

    { TEST_HEAD "]}}", 17, 0, 0, 0 },
    { TEST_HEAD "null]}}", 17, 0, 0, 0 },
    { TEST_HEAD "{\"public_key\":\"88\",\"service_url\":\"http://a\"}]}}",
      17, 0, 0, 0 },
    { TEST_HEAD "{\"public_key\":1,\"service_url\":\"http://a\"},7,\"x\","
      TEST_GOOD "]}}", 17, 1, 1, 4 },
    { TEST_HEAD TEST_GOOD "," TEST_GOOD "]}}", 17, 1, 1, 2 },
    { TEST_HEAD TEST_GOOD ",{\"public_key\":\"" TEST_OTHER "\","
      "\"service_url\":\"https://a.example\"}]}}", 17, 1, 2, 2 },
    { TEST_HEAD TEST_GOOD ",{\"public_key\":\"" TEST_OTHER "\","
      "\"service_url\":\"ftp://a\"}]}}", 17, 1, 1, 2 },
    { TEST_HEAD TEST_GOOD ",{\"public_key\":\"" TEST_OTHER "\","
      "\"service_url\":\"http://unix:/run/a\"}]}}", 17, 1, 1, 2 },

    /* another application, chain; heights that are none */

    { "{\"session\":{\"header\":{\"app_public_key\":\"" TEST_NODE "\","
      "\"chain\":\"0021\",\"session_height\":17},\"nodes\":[" TEST_GOOD "]}}",
      17, 0, 0, 0 },
    { "{\"session\":{\"header\":{\"app_public_key\":\"" TEST_KEY "\","
      "\"chain\":\"0001\",\"session_height\":17},\"nodes\":[" TEST_GOOD "]}}",
      17, 0, 0, 0 },
    { "{\"session\":{\"header\":{\"app_public_key\":\"" TEST_KEY "\","
      "\"chain\":\"0021\",\"session_height\":-17},\"nodes\":[" TEST_GOOD "]}}",
      17, 0, 0, 0 },
    { "{\"session\":{\"header\":{\"app_public_key\":\"" TEST_KEY "\","
      "\"chain\":\"0021\",\"session_height\":18446744073709551613},\"nodes\":["
      TEST_GOOD "]}}", 0, 0, 0, 0 },

    /* as text; either case */

    { "{\"session\":{\"header\":{\"app_public_key\":\"" TEST_KEY "\","
      "\"chain\":\"0021\",\"session_height\":\"17\"},\"nodes\":[" TEST_GOOD
      "]}}", 17, 1, 1, 1 },
    { TEST_HEAD "{\"public_key\":\"88FB26A474AD583A494447EDC79A830AC20B32BF63"
      "B8E80245FBB9F1E4C19DB3\",\"service_url\":\"http://127.0.0.1:9081\"}]}}",
      17, 1, 1, 1 }
};


static const test_file_t  test_files[] = {

    { "[{\"name\":\"one\",\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\"}]",
      NULL },
    { "[{\"priv_key\":\"3FE64039816C44E8872E4EF981725B968422E3D49E95A1EB80070"
      "7591DF30FE374039DBE881DD2744E2E0C469CC2241E1E45F14AF6975DD89079D229383"
      "77849\"}]", NULL },
    { "[]", "there are no entries" },
    { "{}", "the value must be an array" },
    { "[", "" },
    { "[{}]", "entry 1: either \"priv_key\" or \"aat\"" },
    { "[{\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\",\"aat\":{}}]",
      "entry 1: either" },
    { "[{\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\",\"client_priv_key\":"
      "\"00\"}]", "entry 1: \"client_priv_key\" goes with \"aat\"" },
    { "[{\"priv_key\":5}]", "entry 1: \"priv_key\" must be a string" },
    { "[{\"priv_key\":\"xx\"}]", "entry 1: \"priv_key\" is not hexadecimal" },
    { "[{\"priv_key\":\"00\"}]", "entry 1: \"priv_key\" is not 64 bytes" },
    { "[{\"priv_key\":\"" TEST_PRIVATE TEST_NODE "\"}]",
      "entry 1: \"priv_key\" has halves that do not belong together" },
    { "[{\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\"},"
      "{\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\"}]",
      "entry 2: application c6ffb8a4ec6d5f0e7b0a3b6f0b3a9f4ddd7e9f5d" },
    { "[{\"name\":7,\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC "\"}]",
      "entry 1: \"name\" must be a string" },
    { "[{\"name\":\"a\\u0001\",\"priv_key\":\"" TEST_PRIVATE TEST_PUBLIC
      "\"}]", "entry 1: \"name\" has a control character" },
    { "[{\"aat\":{\"version\":\"0.0.2\"},\"client_priv_key\":\"00\"}]",
      "entry 1: \"aat.version\" must be \"0.0.1\"" },
    { "[{\"aat\":{\"version\":\"0.0.1\",\"app_pub_key\":\"00\"},"
      "\"client_priv_key\":\"00\"}]",
      "entry 1: \"aat.app_pub_key\" must be 32 bytes" },
    { "[{\"aat\":7,\"client_priv_key\":\"00\"}]", "entry 1: " }
};


static const test_agree_t  test_agreed[] = {

    /* the highest leads, who lags or raves is left out */

    { 0, { 0, 0, 0, 0 }, 0, { 0, 0, 0, 0 } },
    { 0, { 100, 0, 0, 0 }, 100, { 1, 0, 0, 0 } },
    { 0, { 100, 101, 0, 0 }, 101, { 1, 1, 0, 0 } },
    { 0, { 100, 50, 0, 0 }, 100, { 1, 0, 0, 0 } },
    { 0, { 100, 100, 1000000, 0 }, 100, { 1, 1, 0, 0 } },
    { 100, { 101, 90, 0, 0 }, 101, { 1, 0, 0, 0 } },
    { 100, { 101, 1000000, 0, 0 }, 101, { 1, 0, 0, 0 } },
    { 100, { 1000000, 0, 0, 0 }, 0, { 0, 0, 0, 0 } },
    { 100, { 100, 5000, 5001, 0 }, 5001, { 0, 1, 1, 0 } },
    { 100, { 100, 5000, 6000, 0 }, 100, { 1, 0, 0, 0 } },
    { 100, { 50, 60, 0, 0 }, 0, { 0, 0, 0, 0 } },
    { 100, { 99, 0, 0, 0 }, 99, { 1, 0, 0, 0 } },
    { 100, { 100, 101, 97, 100 }, 101, { 1, 1, 0, 1 } },
    { 100, { -5, 101, 0, 0 }, 101, { 0, 1, 0, 0 } }
};


static void
test_session(void)
{
    int                    rc;
    size_t                 i;
    const char            *reason;
    pocket_str_t           body, key, chain;
    gateway_dispatch_t     dispatch;
    const test_session_t  *t;

    key = test_str(TEST_KEY);
    chain = test_str("0021");

    for (i = 0; i < sizeof(test_sessions) / sizeof(test_sessions[0]); i++) {

        t = &test_sessions[i];
        body = test_str(t->body);
        reason = NULL;
        test_free();

        rc = gateway_dispatch_session(&body, &key, &chain, t->height,
                                      &dispatch, &reason, &test_alloc);

        if (rc != t->rc || (rc == 1 && (dispatch.n != t->n
                                        || dispatch.listed != t->listed)))
        {
            printf("session %zu: %d %s\n", i, rc, reason ? reason : "");
        }

        check(rc == t->rc);
        check(rc == 1 || reason);

        if (rc == 1) {
            check(dispatch.n == t->n && dispatch.listed == t->listed);
            check(dispatch.height == 17);
            check(memcmp(dispatch.nodes[0].public_key.data, TEST_NODE,
                         sizeof(TEST_NODE) - 1)
                  == 0);
        }
    }
}


static void
test_numbers(void)
{
    int64_t        n;
    const char    *reason;
    pocket_str_t   body;

    body = test_str("{\"height\":17}\n");
    check(gateway_dispatch_height(200, &body, &n, &reason, &test_alloc) == 1
          && n == 17);
    check(gateway_dispatch_height(500, &body, &n, &reason, &test_alloc) == 0);

    body = test_str("{\"height\":0}");
    check(gateway_dispatch_height(200, &body, &n, &reason, &test_alloc) == 0);

    body = test_str("{\"height\":-1}");
    check(gateway_dispatch_height(200, &body, &n, &reason, &test_alloc) == 0);

    body = test_str("{\"height\":9223372036854775807}");
    check(gateway_dispatch_height(200, &body, &n, &reason, &test_alloc) == 0);

    body = test_str("<html>17</html>");
    check(gateway_dispatch_height(200, &body, &n, &reason, &test_alloc) == 0);

    body = test_str("{\"param_key\":\"pos/BlocksPerSession\","
                    "\"param_value\":\"4\"}");
    check(gateway_dispatch_blocks(200, &body, &n, &reason, &test_alloc) == 1
          && n == 4);

    body = test_str("{\"param_value\":\"0\"}");
    check(gateway_dispatch_blocks(200, &body, &n, &reason, &test_alloc) == 0);
}


static void
test_app(void)
{
    const char              *reason;
    pocket_str_t             body, key;
    gateway_dispatch_app_t   app;

    key = test_str(TEST_KEY);

    body = test_str("{\"chains\":[\"0001\",\"0021\",\"0021\",7,\"zz\"],"
                    "\"jailed\":false,\"max_relays\":\"3000000\","
                    "\"public_key\":\"" TEST_KEY "\",\"status\":2}");
    check(gateway_dispatch_app(200, &body, &key, &app, &reason, &test_alloc)
          == 1);
    check(app.status == GATEWAY_APP_STAKED && app.max_relays == 3000000);
    check(app.nchains == 5 && app.n == 2);
    check(memcmp(app.chains[1].data, "0021", 4) == 0);

    body = test_str("{\"chains\":[\"0001\"],\"max_relays\":5,\"jailed\":true,"
                    "\"public_key\":\"" TEST_KEY "\",\"status\":2}");
    check(gateway_dispatch_app(200, &body, &key, &app, &reason, &test_alloc)
          == 1 && app.status == GATEWAY_APP_UNSTAKED);

    body = test_str("{\"code\":400,\"message\":\"ERROR: application does not "
                    "exist for that address\"}");
    check(gateway_dispatch_app(400, &body, &key, &app, &reason, &test_alloc)
          == 1 && app.status == GATEWAY_APP_UNSTAKED);

    /* no answer at all is not the same: what was known stays */

    body = test_str("{\"code\":400,\"message\":\"busy\"}");
    check(gateway_dispatch_app(400, &body, &key, &app, &reason, &test_alloc)
          == 0);

    body = test_str("{\"chains\":[\"0001\"],\"max_relays\":5,"
                    "\"public_key\":\"" TEST_NODE "\"}");
    check(gateway_dispatch_app(200, &body, &key, &app, &reason, &test_alloc)
          == 0);

    body = test_str("{\"chains\":null,\"max_relays\":\"5\","
                    "\"public_key\":\"" TEST_KEY "\"}");
    check(gateway_dispatch_app(200, &body, &key, &app, &reason, &test_alloc)
          == 0);
}


/* MaxPossibleRelays: half to even */

static void
test_allowance(void)
{
    check(gateway_dispatch_allowance(3000000, 3, 5) == 200000);
    check(gateway_dispatch_allowance(1000, 1, 24) == 42);
    check(gateway_dispatch_allowance(5, 1, 2) == 2);
    check(gateway_dispatch_allowance(7, 1, 2) == 4);
    check(gateway_dispatch_allowance(0, 1, 24) == 0);
    check(gateway_dispatch_allowance(1000, 0, 24) == 0);
    check(gateway_dispatch_allowance(UINT64_MAX, 1, 5)
          == 3689348814741910323);
}


/* so many blocks of that time, the first of them seen late */

static void
test_blocks_run(gateway_blocks_t *blocks, int64_t from, uint32_t n,
    uint64_t *now, uint64_t time)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        gateway_blocks_seen(blocks, from + i, *now);
        *now += time;
    }
}


static void
test_blocks(void)
{
    uint64_t          now;
    gateway_blocks_t  blocks;

    memset(&blocks, 0, sizeof(gateway_blocks_t));

    /* R1, and what underflowed there */

    check(gateway_blocks_session(&blocks, 1) == 1);
    check(gateway_blocks_session(&blocks, 4) == 1);
    check(gateway_blocks_session(&blocks, 5) == 5);
    check(gateway_blocks_session(&blocks, 8) == 5);
    check(gateway_blocks_session(&blocks, 9) == 9);
    check(gateway_blocks_session(&blocks, 108183) == 108181);
    check(gateway_blocks_next(&blocks, 8) == 9);

    now = 1000000;
    check(gateway_blocks_poll(&blocks, now) == 1000);

    test_blocks_run(&blocks, 1, 10, &now, 900000);

    check(blocks.height == 10 && blocks.block_time == 900000);
    check(blocks.spread == 0);

    /* lower ones and the same change nothing */

    gateway_blocks_seen(&blocks, 9, now);
    gateway_blocks_seen(&blocks, 10, now);
    check(blocks.height == 10 && blocks.seen_at == now - 900000);

    /* a halt of a day is no block time */

    now += 80000000;
    test_blocks_run(&blocks, 11, 1, &now, 900000);
    check(blocks.block_time == 900000);
}


static void
test_polls(void)
{
    uint64_t          now, seen;
    gateway_blocks_t  blocks;

    memset(&blocks, 0, sizeof(gateway_blocks_t));

    now = 1000000;
    test_blocks_run(&blocks, 1, 12, &now, 900000);
    seen = blocks.seen_at;

    /* 12 is the last of its session: 13 is awaited closely */

    check(gateway_blocks_expected(&blocks, 13) == seen + 900000);
    check(gateway_blocks_poll(&blocks, seen + 1000) == 15000);
    check(gateway_blocks_poll(&blocks, seen + 900000 - 5000) == 250);
    check(gateway_blocks_poll(&blocks, seen + 900000 + 60000) == 250);
    check(gateway_blocks_poll(&blocks, seen + 900000 + 3600000) == 1000);

    /* just so that the last slow poll ends where the close ones begin */

    check(gateway_blocks_poll(&blocks, seen + 900000 - 16000 - 4000) == 4000);

    test_blocks_run(&blocks, 13, 1, &now, 0);
    check(gateway_blocks_poll(&blocks, now + 895000) == 15000);

    /* blocks of half a second */

    memset(&blocks, 0, sizeof(gateway_blocks_t));
    test_blocks_run(&blocks, 1, 12, &now, 500);
    check(gateway_blocks_poll(&blocks, now) == 250);
}


static void
test_agree(void)
{
    size_t               i;
    uint8_t              in[4];
    gateway_blocks_t     blocks;
    const test_agree_t  *t;

    for (i = 0; i < sizeof(test_agreed) / sizeof(test_agreed[0]); i++) {

        t = &test_agreed[i];

        memset(&blocks, 0, sizeof(gateway_blocks_t));
        blocks.height = t->known;
        blocks.block_time = 900000;
        blocks.seen_at = 1000;

        if (gateway_blocks_agree(&blocks, t->told, in, 4, 2000) != t->agreed
            || memcmp(in, t->in, 4) != 0)
        {
            printf("agree %zu\n", i);
            check(0);
        }
    }

    /* after a long time more blocks are believed */

    blocks.height = 100;
    blocks.block_time = 1000;
    blocks.seen_at = 0;

    check(gateway_blocks_agree(&blocks, (int64_t [1]) { 150 }, in, 1, 60000)
          == 150);
    check(gateway_blocks_agree(&blocks, (int64_t [1]) { 150 }, in, 1, 5000)
          == 0);
}


static void
test_apps(void)
{
    int                   rc;
    size_t                i;
    pocket_str_t          text;
    pocket_hash_t        *hash;
    gateway_apps_t        apps;
    pocket_file_error_t   err;
    unsigned char         hex[2 * POCKET_HASH_LEN];
    const test_file_t    *t;

    hash = pocket_hash_create();

    if (hash == NULL) {
        check(0);
        return;
    }

    for (i = 0; i < sizeof(test_files) / sizeof(test_files[0]); i++) {

        t = &test_files[i];
        text = test_str(t->text);
        test_free();
        err.len = 0;

        rc = gateway_apps_parse(&text, &apps, &err, hash, &test_alloc,
                                &test_alloc);

        if (t->error == NULL) {
            check(rc == POCKET_OK && apps.n == 1);

            /* A.1: the token, whatever the case of the file's key */

            (void) pocket_hex_encode(hex, apps.apps[0].token,
                                     POCKET_HASH_LEN);
            check(memcmp(hex, TEST_TOKEN, sizeof(hex)) == 0);
            check(memcmp(apps.apps[0].aat.app_pub_key.data, TEST_PUBLIC,
                         sizeof(TEST_PUBLIC) - 1)
                  == 0);
            continue;
        }

        check(rc == POCKET_ERROR);

        if (strstr(t->error, "application") == NULL
            && strncmp((char *) err.text, t->error, strlen(t->error)) != 0)
        {
            printf("apps %zu: %.*s\n", i, (int) err.len, (char *) err.text);
            check(0);
        }

        check(memmem(err.text, err.len, TEST_PRIVATE, 16) == NULL);
    }

    pocket_hash_destroy(hash);
}


/* A token made for another client, as the reference's tool writes it. */

static void
test_tokens(void)
{
    char                  file[1024];
    pocket_str_t          text, signature;
    pocket_hash_t        *hash;
    gateway_apps_t        apps, own;
    pocket_file_error_t   err;

    static const char  form[] = "[{\"name\":\"t\",\"aat\":{\"version\":"
        "\"0.0.1\",\"app_pub_key\":\"%s\",\"client_pub_key\":\"%s\","
        "\"signature\":\"%.*s\"},\"client_priv_key\":\"" TEST_PRIVATE
        TEST_PUBLIC "\"}]";

    hash = pocket_hash_create();
    test_free();

    text = test_str(test_files[0].text);

    if (hash == NULL
        || gateway_apps_parse(&text, &own, &err, hash, &test_alloc, &test_alloc)
           != POCKET_OK)
    {
        check(0);
        return;
    }

    signature = own.apps[0].aat.signature;

    (void) snprintf(file, sizeof(file), form, TEST_PUBLIC, TEST_PUBLIC,
                    (int) signature.len, (char *) signature.data);
    text = test_str(file);

    check(gateway_apps_parse(&text, &apps, &err, hash, &test_alloc, &test_alloc)
          == POCKET_OK);
    check(memcmp(apps.apps[0].token, own.apps[0].token, POCKET_HASH_LEN)
          == 0);

    /* another client's key; a signature that is not the application's */

    (void) snprintf(file, sizeof(file), form, TEST_PUBLIC, TEST_NODE,
                    (int) signature.len, (char *) signature.data);
    check(gateway_apps_parse(&text, &apps, &err, hash, &test_alloc, &test_alloc)
          == POCKET_ERROR);
    check(strstr((char *) err.text, "client_priv_key") != NULL);

    signature.data[0] = (signature.data[0] == '0') ? '1' : '0';

    (void) snprintf(file, sizeof(file), form, TEST_PUBLIC, TEST_PUBLIC,
                    (int) signature.len, (char *) signature.data);
    check(gateway_apps_parse(&text, &apps, &err, hash, &test_alloc, &test_alloc)
          == POCKET_ERROR);
    check(strstr((char *) err.text, "aat.signature") != NULL);

    pocket_hash_destroy(hash);
}


int
main(void)
{
    if (sodium_init() < 0) {
        return 1;
    }

    test_session();
    test_numbers();
    test_app();
    test_allowance();
    test_blocks();
    test_polls();
    test_agree();
    test_apps();
    test_tokens();

    return test_done();
}
