
/*
 * canonical-json.json: what is hashed of relays and answers, and the hashes.
 */


#include "vectors.h"

#include <string.h>


static void vector_relay(vector_case_t *c, const vector_value_t *expect);
static void vector_relay_again(vector_case_t *c, const pocket_str_t *text,
    const pocket_relay_hashes_t *hashes);
static void vector_response(vector_case_t *c, const vector_value_t *expect);
static void vector_response_pieces(vector_case_t *c, const pocket_str_t *answer,
    const pocket_str_t *escaped, size_t size);
static void vector_expect_written(vector_case_t *c,
    const vector_value_t *expect, const char *name,
    void (*write)(pocket_text_t *t, const void *object), const void *object);
static void vector_write_relay(pocket_text_t *t, const void *object);
static void vector_write_request(pocket_text_t *t, const void *object);
static void vector_write_aat(pocket_text_t *t, const void *object);
static void vector_write_proof(pocket_text_t *t, const void *object);
static void vector_collect(void *data, const unsigned char *p, size_t len);


typedef struct {
    const pocket_relay_t    *relay;
    pocket_relay_hashes_t    hashes;
} vector_relay_t;


static const vector_runner_t  vector_runners[] = {
    { "relay", vector_relay },
    { "response", vector_response },
    { NULL, NULL }
};


void
vector_canonical_json(vector_case_t *c)
{
    vector_dispatch(c, vector_runners);
}


static void
vector_relay(vector_case_t *c, const vector_value_t *expect)
{
    int              rc;
    pocket_str_t     body, text;
    pocket_relay_t   relay;
    pocket_error_t   err;
    vector_relay_t  both;

    body = vector_str(c, c->value, "body");

    rc = pocket_relay_decode(&body, &relay, &err, c->alloc);

    vector_expect_bool(c, expect, "error", rc != POCKET_OK);

    if (rc != POCKET_OK) {

        if (vector_get(expect, "error") == NULL) {
            vector_fail(c, "not decoded: %.*s", (int) err.message.len,
                         (char *) err.message.data);
        }

        return;
    }

    both.relay = &relay;

    if (pocket_hash_relay(c->hash, &relay, &both.hashes) != POCKET_OK) {
        vector_fail(c, "not hashed");
        return;
    }

    vector_expect_hex(c, expect, "request_hash", both.hashes.request,
                       POCKET_HASH_LEN);
    vector_expect_hex(c, expect, "aat_hash", both.hashes.aat,
                       POCKET_HASH_LEN);
    vector_expect_hex(c, expect, "proof_hash", both.hashes.proof,
                       POCKET_HASH_LEN);

    vector_expect_written(c, expect, "request", vector_write_request, &both);
    vector_expect_written(c, expect, "aat", vector_write_aat, &both);
    vector_expect_written(c, expect, "proof", vector_write_proof, &both);
    vector_expect_written(c, expect, "relay", vector_write_relay, &both);

    text.len = pocket_relay_size(&relay);
    text.data = pocket_alloc(c->alloc, text.len);

    if (text.data == NULL
        || pocket_relay_write(text.data, &relay) != text.data + text.len)
    {
        vector_fail(c, "not written in %zu bytes", text.len);
        return;
    }

    vector_expect_str(c, expect, "relay", &text);
    vector_relay_again(c, &text, &both.hashes);
}


/* a relay re-marshalled is the same relay */

static void
vector_relay_again(vector_case_t *c, const pocket_str_t *text,
    const pocket_relay_hashes_t *hashes)
{
    pocket_relay_t         relay;
    pocket_error_t         err;
    pocket_relay_hashes_t  again;

    if (pocket_relay_decode(text, &relay, &err, c->alloc) != POCKET_OK
        || pocket_hash_relay(c->hash, &relay, &again) != POCKET_OK
        || memcmp(&again, hashes, sizeof(pocket_relay_hashes_t)) != 0)
    {
        vector_fail(c, "the re-marshalled relay is another one");
    }
}


static void
vector_response(vector_case_t *c, const vector_value_t *expect)
{
    size_t                 size;
    pocket_str_t           answer, text, proof, escaped;
    unsigned char         *p;
    unsigned char          hash[POCKET_HASH_LEN], proof_hash[POCKET_HASH_LEN];

    static const pocket_str_t  head =
        pocket_string("{\"signature\":\"\",\"payload\":\"");
    static const pocket_str_t  middle = pocket_string("\",\"Proof\":\"");
    static const pocket_str_t  tail = pocket_string("\"}");

    answer = vector_str(c, c->value, "response");
    proof = vector_str(c, c->value, "proof_hash");
    vector_raw(c, c->value, "proof_hash", proof_hash, POCKET_HASH_LEN);

    escaped.len = pocket_json_escaped_len(&answer);

    text.len = head.len + escaped.len + middle.len + proof.len + tail.len;
    text.data = pocket_alloc(c->alloc, text.len);

    if (text.data == NULL) {
        vector_fail(c, "no memory");
        return;
    }

    p = text.data;
    memcpy(p, head.data, head.len);
    p += head.len;

    escaped.data = p;
    p = pocket_json_escape(p, &answer);

    if (p != escaped.data + escaped.len) {
        vector_fail(c, "escaped to another length than foretold");
        return;
    }

    memcpy(p, middle.data, middle.len);
    p += middle.len;
    memcpy(p, proof.data, proof.len);
    p += proof.len;
    memcpy(p, tail.data, tail.len);

    vector_expect_str(c, expect, "text", &text);

    if (pocket_hash_response(c->hash, &answer, proof_hash, hash)
        != POCKET_OK)
    {
        vector_fail(c, "not hashed");
    }

    vector_expect_hex(c, expect, "hash", hash, POCKET_HASH_LEN);

    for (size = 1; size < 8; size++) {
        vector_response_pieces(c, &answer, &escaped, size);
    }
}


/* however an answer is cut into pieces, the same comes out */

static void
vector_response_pieces(vector_case_t *c, const pocket_str_t *answer,
    const pocket_str_t *escaped, size_t size)
{
    size_t                 i, n;
    pocket_str_t           piece, got;
    unsigned char         *p, *last;
    pocket_json_stream_t   stream;

    memset(&stream, 0, sizeof(pocket_json_stream_t));

    got.data = pocket_alloc(c->alloc,
                            escaped->len + 2 * POCKET_JSON_STREAM_MIN);
    if (got.data == NULL) {
        vector_fail(c, "no memory");
        return;
    }

    p = got.data;
    last = p + escaped->len + 2 * POCKET_JSON_STREAM_MIN;

    for (i = 0; i < answer->len; i += n) {
        n = answer->len - i;

        if (n > size) {
            n = size;
        }

        piece.len = n;
        piece.data = answer->data + i;

        while (piece.len) {
            p = pocket_json_stream(&stream, p,
                                   (last - p > 2 * POCKET_JSON_STREAM_MIN)
                                   ? p + POCKET_JSON_STREAM_MIN : last,
                                   &piece);
        }
    }

    p = pocket_json_stream_end(&stream, p);
    got.len = (size_t) (p - got.data);

    if (got.len != escaped->len
        || (got.len && memcmp(got.data, escaped->data, got.len) != 0))
    {
        vector_fail(c, "in pieces of %zu: \"%.*s\"", size, (int) got.len,
                     (char *) got.data);
    }
}


static void
vector_expect_written(vector_case_t *c, const vector_value_t *expect,
    const char *name,
    void (*write)(pocket_text_t *t, const void *object), const void *object)
{
    pocket_str_t   text;
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_MIN];

    if (vector_get(expect, name) == NULL) {
        return;
    }

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    write(&t, object);

    text.data = pocket_alloc(c->alloc, pocket_text_end(&t));
    text.len = 0;

    if (text.data == NULL) {
        vector_fail(c, "no memory");
        return;
    }

    pocket_text_init(&t, buf, sizeof(buf), vector_collect, &text);
    write(&t, object);
    (void) pocket_text_end(&t);

    vector_expect_str(c, expect, name, &text);
}


static void
vector_write_relay(pocket_text_t *t, const void *object)
{
    const vector_relay_t  *both = object;

    pocket_relay_text(t, both->relay);
}


static void
vector_write_request(pocket_text_t *t, const void *object)
{
    const vector_relay_t  *both = object;

    pocket_relay_request_text(t, both->relay);
}


static void
vector_write_aat(pocket_text_t *t, const void *object)
{
    const vector_relay_t  *both = object;

    pocket_relay_aat_text(t, &both->relay->proof.aat);
}


static void
vector_write_proof(pocket_text_t *t, const void *object)
{
    const vector_relay_t  *both = object;

    pocket_relay_proof_text(t, &both->relay->proof, both->hashes.aat);
}


static void
vector_collect(void *data, const unsigned char *p, size_t len)
{
    pocket_str_t *text = data;

    memcpy(text->data + text->len, p, len);
    text->len += len;
}
