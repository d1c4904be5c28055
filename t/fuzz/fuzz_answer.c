
/*
 * Fuzzer of servicers' answers (pocket_answer.c).  However an answer is cut,
 * it is judged alike and gives the same text; what is taken for a success is
 * one to the decoder of whole answers, too; nothing is read beyond its end.
 *
 * Input: where to cut (two bytes), the answer.
 */


#include "fuzz_memory.h"

#include "pocket_answer.h"
#include "pocket_utf8.h"

#include <sodium.h>
#include <string.h>


#define FUZZ_HEAD  2
#define FUZZ_KEY   "74039dbe881dd2744e2e0c469cc2241e1e45f14af6975dd89079d22" \
                   "938377849"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static pocket_answer_e fuzz_read(const pocket_str_t *body, size_t cut,
    pocket_hash_t *hash, pocket_str_t *text, pocket_alloc_t *a);
static size_t fuzz_piece(pocket_answer_t *answer, const unsigned char *p,
    size_t n, unsigned char *out, int *rc);
static void fuzz_success(const pocket_str_t *body, const pocket_str_t *text,
    pocket_alloc_t *a);


static const pocket_str_t   fuzz_key = pocket_string(FUZZ_KEY);
static const unsigned char  fuzz_proof[POCKET_HASH_LEN];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            cut;
    fuzz_block_t     *blocks;
    pocket_str_t      body, one, two;
    pocket_alloc_t    a;
    pocket_answer_e   whole, cut_up;

    static pocket_hash_t  *hash;

    if (hash == NULL) {
        hash = (sodium_init() < 0) ? NULL : pocket_hash_create();
    }

    if (size < FUZZ_HEAD || hash == NULL) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    cut = (size_t) data[0] << 8 | data[1];

    body.data = (unsigned char *) data + FUZZ_HEAD;
    body.len = size - FUZZ_HEAD;

    whole = fuzz_read(&body, body.len, hash, &one, &a);
    cut_up = fuzz_read(&body, cut % (body.len + 1), hash, &two, &a);

    fuzz_check(whole == cut_up);
    fuzz_check(whole != POCKET_ANSWER_FAILED);

    if (whole != POCKET_ANSWER_NONE) {
        fuzz_check(one.len == two.len
                   && memcmp(one.data, two.data, one.len) == 0);
    }

    if (fuzz_read(&body, body.len, NULL, &one, &a) == POCKET_ANSWER_GOOD) {
        fuzz_check(whole <= POCKET_ANSWER_DOUBTFUL);
        fuzz_success(&body, &one, &a);
    }

    fuzz_free(blocks);

    return 0;
}


static pocket_answer_e
fuzz_read(const pocket_str_t *body, size_t cut, pocket_hash_t *hash,
    pocket_str_t *text, pocket_alloc_t *a)
{
    int                     rc;
    pocket_answer_t         answer;
    pocket_answer_e         verdict;
    pocket_json_error_t     err;
    pocket_client_answer_t  told;

    text->data = pocket_alloc(a, body->len + 1);
    text->len = 0;

    fuzz_check(pocket_answer_init(&answer, hash, a) == POCKET_OK);

    text->len = fuzz_piece(&answer, body->data, cut, text->data, &rc);

    if (rc != POCKET_ERROR) {
        text->len += fuzz_piece(&answer, body->data + cut, body->len - cut,
                                text->data + text->len, &rc);
    }

    fuzz_check(text->len <= body->len);

    verdict = pocket_answer_end(&answer, &fuzz_key, fuzz_proof, &told, &err);

    pocket_answer_destroy(&answer);

    return verdict;
}


/* in memory of its own, as it is decoded where it stands */

static size_t
fuzz_piece(pocket_answer_t *answer, const unsigned char *p, size_t n,
    unsigned char *out, int *rc)
{
    size_t          len;
    pocket_str_t    piece, text;
    unsigned char  *copy;

    len = 0;

    copy = malloc(n + 1);
    fuzz_check(copy != NULL);
    memcpy(copy, p, n);

    piece.data = copy;
    piece.len = n;

    for ( ;; ) {
        *rc = pocket_answer_read(answer, &piece, &text);

        if (*rc != 1) {
            break;
        }

        fuzz_check(text.len > 0);

        memcpy(out + len, text.data, text.len);
        len += text.len;
    }

    free(copy);

    return len;
}


static void
fuzz_success(const pocket_str_t *body, const pocket_str_t *text,
    pocket_alloc_t *a)
{
    pocket_json_error_t     err;
    pocket_client_answer_t  told;

    fuzz_check(pocket_client_answer(body, &told, &err, a) == 1);
    fuzz_check(told.error == NULL);

    /* a byte that is not UTF-8 is U+FFFD to the decoder */

    if (told.response.len && pocket_utf8_bad(text) == 0) {
        fuzz_check(told.response.len == text->len
                   && memcmp(told.response.data, text->data, text->len) == 0);
    }
}
