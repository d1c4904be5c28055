
/*
 * Answers of servicers read in pieces: each way to cut them gives what the
 * decoder of whole ones gives, and a signature is judged alike.
 */


#include "pocket_answer.h"
#include "pocket_key.h"
#include "pocket_response.h"
#include "test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TEST_MAX  4096


/* the whole body is given; signed: "@" in it stands for the signature */

typedef struct {
    const char       *name;
    const char       *body;
    const char       *text;                /* of the response, decoded */
    pocket_answer_e   verdict;
} test_row_t;


static void test_row(const test_row_t *row);
static pocket_answer_e test_read(const pocket_str_t *body, size_t one,
    size_t two, pocket_str_t *text, pocket_client_answer_t *told);
static void test_sign(const pocket_str_t *text, char *hex);
static void test_bad_bytes(void);
static void test_long(void);
static void test_memory(void);


static pocket_hash_t   *hash;
static unsigned char    key[POCKET_PRIVKEY_LEN];
static unsigned char    proof[POCKET_HASH_LEN];
static pocket_str_t     servicer;


static const test_row_t  test_rows[] = {

    { "usual", "{\"response\":\"{\\\"id\\\":1}\",\"signature\":\"@\"}\n",
      "{\"id\":1}", POCKET_ANSWER_GOOD },
    { "empty", "{\"response\":\"\",\"signature\":\"@\"}", "",
      POCKET_ANSWER_GOOD },
    { "spaces", " {\n\"response\" : \"a\" , \"signature\" : \"@\" } ", "a",
      POCKET_ANSWER_GOOD },
    { "the signature first", "{\"signature\":\"@\",\"response\":\"ab\"}",
      "ab", POCKET_ANSWER_GOOD },
    { "other members", "{\"a\":{\"response\":\"x\"},\"b\":[\"response\","
      "\"y\"],\"c\":\"response\",\"response\":\"z\",\"signature\":\"@\"}",
      "z", POCKET_ANSWER_GOOD },
    { "escapes", "{\"response\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9"
      "\\u20AC\\ud83d\\uDE00\\u003c&\",\"signature\":\"@\"}",
      "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80<&",
      POCKET_ANSWER_GOOD },
    { "surrogates alone", "{\"response\":\"\\ud83d\\n\\ud83dx\\ude00"
      "\\ud83d\\ud83d\\ude00\\ud83d\",\"signature\":\"@\"}",
      "\xef\xbf\xbd\n\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
      "\xf0\x9f\x98\x80\xef\xbf\xbd", POCKET_ANSWER_GOOD },
    { "characters", "{\"response\":\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\","
      "\"signature\":\"@\"}", "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80",
      POCKET_ANSWER_GOOD },

    { "another signature", "{\"response\":\"ab\",\"signature\":\""
      "00000000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000000000000000000000000000000000000000000\"}", "ab",
      POCKET_ANSWER_FORGED },
    { "no signature", "{\"response\":\"ab\"}", "ab", POCKET_ANSWER_FORGED },
    { "a signature that is no hex", "{\"response\":\"ab\",\"signature\":"
      "\"xy\"}", "ab", POCKET_ANSWER_FORGED },
    { "U+FFFD", "{\"response\":\"\xef\xbf\xbd\",\"signature\":\"ab\"}",
      "\xef\xbf\xbd", POCKET_ANSWER_DOUBTFUL },

    { "an error", "{\"dispatch\":null,\"error\":{\"code\":14,\"codespace\":"
      "\"pocketcore\",\"message\":\"\\\"m\\\"\"}}", "",
      POCKET_ANSWER_ERROR },
    { "an error beside a response", "{\"response\":\"ab\",\"error\":{"
      "\"code\":1,\"codespace\":\"sdk\",\"message\":\"m\"}}", "ab",
      POCKET_ANSWER_ERROR },

    { "none", "", "", POCKET_ANSWER_NONE },
    { "HTML", "<html>", "", POCKET_ANSWER_NONE },
    { "an array", "[\"response\"]", "", POCKET_ANSWER_NONE },
    { "null", "null", "", POCKET_ANSWER_NONE },
    { "no members", "{}", "", POCKET_ANSWER_NONE },
    { "a response of another type", "{\"response\":1}", "",
      POCKET_ANSWER_NONE },
    { "a null response", "{\"response\":null,\"signature\":\"a\"}", "",
      POCKET_ANSWER_NONE },
    { "two responses", "{\"response\":\"a\",\"response\":\"b\"}", "a",
      POCKET_ANSWER_NONE },
    { "another one by another name", "{\"response\":\"a\",\"Response\":"
      "\"b\"}", "a", POCKET_ANSWER_NONE },
    { "cut in the response", "{\"response\":\"abc", "abc",
      POCKET_ANSWER_NONE },
    { "cut in an escape", "{\"response\":\"abc\\u00", "abc",
      POCKET_ANSWER_NONE },
    { "cut after it", "{\"response\":\"abc\"", "abc", POCKET_ANSWER_NONE },
    { "more behind it", "{\"response\":\"abc\"}}", "abc",
      POCKET_ANSWER_NONE },
    { "a bad escape", "{\"response\":\"a\\x\"}", "", POCKET_ANSWER_NONE },
    { "a bad number of an escape", "{\"response\":\"\\u00g0\"}", "",
      POCKET_ANSWER_NONE },
    { "a bad second surrogate", "{\"response\":\"\\ud83d\\u00g0\"}", "",
      POCKET_ANSWER_NONE },
    { "a raw control byte", "{\"response\":\"\n\"}", "",
      POCKET_ANSWER_NONE },
    { "an escaped name", "{\"resp\\u006fnse\":\"a\"}", "",
      POCKET_ANSWER_NONE },
    { "a longer name", "{\"responses\":\"a\"}", "", POCKET_ANSWER_NONE },
    { "a name that ends alike", "{\"xresponse\":\"a\"}", "",
      POCKET_ANSWER_NONE },
    { "a shorter name", "{\"respons\":\"a\"}", "", POCKET_ANSWER_NONE }
};


int
main(void)
{
    size_t         i;
    unsigned char  public[POCKET_PUBKEY_LEN], seed[32];

    static unsigned char  hex[2 * POCKET_PUBKEY_LEN];

    hash = pocket_hash_create();

    if (sodium_init() < 0 || hash == NULL) {
        return 1;
    }

    memset(seed, 5, sizeof(seed));
    memset(proof, 9, sizeof(proof));

    (void) crypto_sign_seed_keypair(public, key, seed);
    (void) pocket_hex_encode(hex, public, sizeof(public));

    servicer.data = hex;
    servicer.len = sizeof(hex);

    for (i = 0; i < sizeof(test_rows) / sizeof(test_row_t); i++) {
        test_row(&test_rows[i]);
    }

    test_bad_bytes();
    test_long();
    test_memory();

    pocket_hash_destroy(hash);

    return test_done();
}


/* cut nowhere, and at each two places */

static void
test_row(const test_row_t *row)
{
    char                    body[TEST_MAX], hex[2 * POCKET_SIG_LEN + 1], *p;
    size_t                  one, two, len;
    unsigned                same, good;
    pocket_str_t            str, text, expected;
    pocket_client_answer_t  told;

    expected = test_str(row->text);
    p = strchr(row->body, '@');

    if (p) {
        test_sign(&expected, hex);
        (void) snprintf(body, sizeof(body), "%.*s%s%s",
                        (int) (p - row->body), row->body, hex, p + 1);

    } else {
        (void) snprintf(body, sizeof(body), "%s", row->body);
    }

    str = test_str(body);
    len = str.len;
    same = 1;
    good = 1;

    for (one = 0; one <= len; one++) {
        for (two = one; two <= len; two += (len > 200) ? 7 : 1) {

            good &= (test_read(&str, one, two, &text, &told)
                     == row->verdict);

            /* what is no answer is given as far as it goes */

            same &= (row->verdict == POCKET_ANSWER_NONE
                     ? text.len <= len
                     : text.len == expected.len
                       && memcmp(text.data, expected.data, text.len) == 0);

            good &= ((row->verdict == POCKET_ANSWER_ERROR)
                     == (told.error != NULL));
            test_free();
        }
    }

    test(good, row->name, "the verdict");
    test(same, row->name, "the text");
}


/* in three pieces, each of memory of its own */

static pocket_answer_e
test_read(const pocket_str_t *body, size_t one, size_t two,
    pocket_str_t *text, pocket_client_answer_t *told)
{
    int                   i, rc;
    size_t                at[4];
    pocket_str_t          piece, part;
    pocket_answer_t       answer;
    pocket_answer_e       verdict;
    pocket_json_error_t   err;
    unsigned char        *copy;

    static unsigned char  out[65536];

    at[0] = 0;
    at[1] = one;
    at[2] = two;
    at[3] = body->len;

    text->data = out;
    text->len = 0;

    (void) pocket_answer_init(&answer, hash, &test_alloc);

    rc = 0;

    for (i = 0; i < 3 && rc != POCKET_ERROR; i++) {

        piece.len = at[i + 1] - at[i];
        copy = malloc(piece.len + 1);
        piece.data = copy;
        memcpy(copy, body->data + at[i], piece.len);

        for ( ;; ) {
            rc = pocket_answer_read(&answer, &piece, &part);

            if (rc != 1) {
                break;
            }

            memcpy(out + text->len, part.data, part.len);
            text->len += part.len;
        }

        free(copy);
    }

    memset(&err, 0, sizeof(pocket_json_error_t));

    verdict = pocket_answer_end(&answer, &servicer, proof, told, &err);

    if (verdict == POCKET_ANSWER_NONE && err.len == 0) {
        verdict = POCKET_ANSWER_FAILED;
    }

    pocket_answer_destroy(&answer);

    return verdict;
}


static void
test_sign(const pocket_str_t *text, char *hex)
{
    unsigned char  response[POCKET_HASH_LEN], signature[POCKET_SIG_LEN];

    (void) pocket_hash_response(hash, text, proof, response);
    (void) pocket_key_sign(key, response, signature);

    *pocket_hex_encode((unsigned char *) hex, signature, POCKET_SIG_LEN) = 0;
}


/*
 * What an edge makes of bytes that are not UTF-8: they are hashed as \ufffd,
 * and sent as U+FFFD.
 */

static void
test_bad_bytes(void)
{
    size_t                  at;
    unsigned                good;
    pocket_str_t            text, body, out;
    unsigned char           response[POCKET_HASH_LEN];
    unsigned char           signature[POCKET_SIG_LEN];
    pocket_client_answer_t  told;

    text = test_str("a\xff\xfe\"b\xc3");

    (void) pocket_hash_response(hash, &text, proof, response);
    (void) pocket_key_sign(key, response, signature);
    (void) pocket_response_success(&text, signature, &body, &test_alloc);

    good = 1;

    for (at = 0; at <= body.len; at++) {
        good &= (test_read(&body, at, at, &out, &told)
                 == POCKET_ANSWER_GOOD);
        good &= (out.len == 12
                 && memcmp(out.data, "a\xef\xbf\xbd\xef\xbf\xbd\"b\xef\xbf\xbd",
                           out.len)
                    == 0);
    }

    test(good, "bad bytes", "verified");

    /* beside a U+FFFD that was in the text, nothing can be told */

    text = test_str("\xff\xef\xbf\xbd");

    (void) pocket_hash_response(hash, &text, proof, response);
    (void) pocket_key_sign(key, response, signature);
    (void) pocket_response_success(&text, signature, &body, &test_alloc);

    test(test_read(&body, 0, 0, &out, &told) == POCKET_ANSWER_DOUBTFUL,
         "bad bytes", "in doubt");

    test_free();
}


/* what is around a response is bounded, itself it is not */

static void
test_long(void)
{
    int                     rc;
    size_t                  i, n;
    pocket_str_t            piece, part;
    pocket_answer_t         answer;
    pocket_json_error_t     err;
    pocket_client_answer_t  told;
    unsigned char           text[1000];

    (void) pocket_answer_init(&answer, NULL, &test_alloc);

    piece = test_str("{\"response\":\"");
    (void) pocket_answer_read(&answer, &piece, &part);

    n = 0;

    for (i = 0; i < 1000; i++) {
        memset(text, 'x', sizeof(text));
        piece.data = text;
        piece.len = sizeof(text);

        if (pocket_answer_read(&answer, &piece, &part) == 1) {
            n += part.len;
        }
    }

    piece = test_str("\"}");
    (void) pocket_answer_read(&answer, &piece, &part);

    test(n == 1000000
         && pocket_answer_end(&answer, &servicer, proof, &told, &err)
            == POCKET_ANSWER_GOOD, "a long response", "read");

    pocket_answer_destroy(&answer);
    test_free();

    (void) pocket_answer_init(&answer, NULL, &test_alloc);

    piece = test_str("{\"dispatch\":\"");
    rc = pocket_answer_read(&answer, &piece, &part);

    for (i = 0; i < 1000 && rc == 0; i++) {
        memset(text, 'x', sizeof(text));
        piece.data = text;
        piece.len = sizeof(text);
        rc = pocket_answer_read(&answer, &piece, &part);
    }

    test(rc == POCKET_ERROR && i * sizeof(text) <= POCKET_ANSWER_REST_MAX
                                                   + 2 * sizeof(text),
         "a long dispatch", "refused");
    test(pocket_answer_end(&answer, &servicer, proof, &told, &err)
         == POCKET_ANSWER_NONE, "a long dispatch", "is none");

    pocket_answer_destroy(&answer);
    test_free();
}


static void
test_memory(void)
{
    size_t                  n;
    pocket_str_t            body, text;
    pocket_answer_e         verdict;
    pocket_client_answer_t  told;

    static char  error[2048];

    (void) snprintf(error, sizeof(error), "{\"dispatch\":\"%01000d\","
                    "\"error\":{\"code\":14,\"codespace\":\"p\",\"message\":"
                    "\"\\u0041\"}}", 0);

    body = test_str(error);
    verdict = POCKET_ANSWER_FAILED;

    for (n = 0; n < 20 && verdict == POCKET_ANSWER_FAILED; n++) {
        test_left = n;
        verdict = test_read(&body, 0, 0, &text, &told);
        test_free();
    }

    test_left = SIZE_MAX;

    test(n > 2 && verdict == POCKET_ANSWER_ERROR, "no memory", "is told");
}
