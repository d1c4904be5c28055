
#include "pocket_hash.h"

#include "pocket_json.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>


#define POCKET_HASH_NAME  "SHA3-256"


struct pocket_hash_s {
    EVP_MD        *md;
    EVP_MD_CTX    *ctx;
    unsigned       failed;
};


static void pocket_hash_text(pocket_hash_t *h, pocket_text_t *t,
    unsigned char *buf, size_t size);
static int pocket_hash_text_end(pocket_hash_t *h, pocket_text_t *t,
    unsigned char *hash);
static void pocket_hash_sink(void *data, const unsigned char *p, size_t len);
static void pocket_hash_list_text(pocket_text_t *t, const pocket_str_t *s,
    size_t n);


pocket_hash_t *
pocket_hash_create(void)
{
    pocket_hash_t  *h;

    h = calloc(1, sizeof(pocket_hash_t));
    if (h == NULL) {
        return NULL;
    }

    h->md = EVP_MD_fetch(NULL, POCKET_HASH_NAME, NULL);
    h->ctx = EVP_MD_CTX_new();

    if (h->md == NULL || h->ctx == NULL) {
        pocket_hash_destroy(h);
        return NULL;
    }

    return h;
}


pocket_hash_t *
pocket_hash_copy(const pocket_hash_t *h)
{
    pocket_hash_t  *copy;

    copy = calloc(1, sizeof(pocket_hash_t));
    if (copy == NULL) {
        return NULL;
    }

    (void) EVP_MD_up_ref(h->md);

    copy->md = h->md;
    copy->failed = h->failed;
    copy->ctx = EVP_MD_CTX_new();

    /* one that was never begun has no state */

    if (copy->ctx == NULL
        || (EVP_MD_CTX_get0_md(h->ctx) != NULL
            && EVP_MD_CTX_copy_ex(copy->ctx, h->ctx) != 1))
    {
        pocket_hash_destroy(copy);
        return NULL;
    }

    return copy;
}


void
pocket_hash_destroy(pocket_hash_t *h)
{
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->md);
    free(h);
}


void
pocket_hash_begin(pocket_hash_t *h)
{
    h->failed = (EVP_DigestInit_ex(h->ctx, h->md, NULL) != 1);
}


void
pocket_hash_update(pocket_hash_t *h, const void *p, size_t len)
{
    if (len && !h->failed) {
        h->failed = (EVP_DigestUpdate(h->ctx, p, len) != 1);
    }
}


int
pocket_hash_end(pocket_hash_t *h, unsigned char *hash)
{
    if (h->failed || EVP_DigestFinal_ex(h->ctx, hash, NULL) != 1) {
        return POCKET_ERROR;
    }

    return POCKET_OK;
}


int
pocket_hash_sha3(pocket_hash_t *h, const pocket_str_t *data,
    unsigned char *hash)
{
    pocket_hash_begin(h);
    pocket_hash_update(h, data->data, data->len);

    return pocket_hash_end(h, hash);
}


/* begins a hash that takes what is written to t, through buf */

static void
pocket_hash_text(pocket_hash_t *h, pocket_text_t *t, unsigned char *buf,
    size_t size)
{
    pocket_hash_begin(h);
    pocket_text_init(t, buf, size, pocket_hash_sink, h);
}


static int
pocket_hash_text_end(pocket_hash_t *h, pocket_text_t *t, unsigned char *hash)
{
    (void) pocket_text_end(t);

    return pocket_hash_end(h, hash);
}


static void
pocket_hash_sink(void *data, const unsigned char *p, size_t len)
{
    pocket_hash_update(data, p, len);
}


int
pocket_hash_request(pocket_hash_t *h, const pocket_relay_t *relay,
    unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_hash_text(h, &t, buf, sizeof(buf));
    pocket_relay_request_text(&t, relay);

    return pocket_hash_text_end(h, &t, hash);
}


int
pocket_hash_aat(pocket_hash_t *h, const pocket_aat_t *aat,
    unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_hash_text(h, &t, buf, sizeof(buf));
    pocket_relay_aat_text(&t, aat);

    return pocket_hash_text_end(h, &t, hash);
}


int
pocket_hash_proof(pocket_hash_t *h, const pocket_proof_t *proof,
    const unsigned char *aat_hash, unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_hash_text(h, &t, buf, sizeof(buf));
    pocket_relay_proof_text(&t, proof, aat_hash);

    return pocket_hash_text_end(h, &t, hash);
}


int
pocket_hash_relay(pocket_hash_t *h, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes)
{
    if (pocket_hash_request(h, relay, hashes->request) != POCKET_OK
        || pocket_hash_aat(h, &relay->proof.aat, hashes->aat) != POCKET_OK
        || pocket_hash_proof(h, &relay->proof, hashes->aat, hashes->proof)
           != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    return POCKET_OK;
}


int
pocket_hash_session(pocket_hash_t *h, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_hash_text(h, &t, buf, sizeof(buf));
    pocket_session_text(&t, app, chain, height);

    return pocket_hash_text_end(h, &t, hash);
}


int
pocket_hash_session_key(pocket_hash_t *h, const pocket_str_t *app,
    const pocket_str_t *chain, const pocket_str_t *block_hash,
    unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_hash_text(h, &t, buf, sizeof(buf));
    pocket_session_key_text(&t, app, chain, block_hash);

    return pocket_hash_text_end(h, &t, hash);
}


void
pocket_hash_response_begin(pocket_hash_t *h)
{
    static const char  head[] = "{\"signature\":\"\",\"payload\":\"";

    pocket_hash_begin(h);
    pocket_hash_update(h, head, sizeof(head) - 1);
}


int
pocket_hash_response_end(pocket_hash_t *h, const unsigned char *proof_hash,
    unsigned char *hash)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_MIN];

    pocket_text_init(&t, buf, sizeof(buf), pocket_hash_sink, h);

    pocket_text_literal(&t, "\",\"Proof\":");
    pocket_text_hex(&t, proof_hash, POCKET_HASH_LEN);
    pocket_text_literal(&t, "}");

    return pocket_hash_text_end(h, &t, hash);
}


int
pocket_hash_response(pocket_hash_t *h, const pocket_str_t *answer,
    const unsigned char *proof_hash, unsigned char *hash)
{
    pocket_str_t          rest;
    unsigned char        *p, buf[POCKET_TEXT_SIZE];
    pocket_json_stream_t  stream;

    memset(&stream, 0, sizeof(pocket_json_stream_t));

    rest = *answer;

    pocket_hash_response_begin(h);

    while (rest.len) {
        p = pocket_json_stream(&stream, buf, buf + sizeof(buf), &rest);
        pocket_hash_update(h, buf, (size_t) (p - buf));
    }

    p = pocket_json_stream_end(&stream, buf);
    pocket_hash_update(h, buf, (size_t) (p - buf));

    return pocket_hash_response_end(h, proof_hash, hash);
}


void
pocket_session_text(pocket_text_t *t, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height)
{
    pocket_text_literal(t, "{\"app_public_key\":");
    pocket_text_string(t, app);
    pocket_text_literal(t, ",\"chain\":");
    pocket_text_string(t, chain);
    pocket_text_literal(t, ",\"session_height\":");
    pocket_text_int(t, height);
    pocket_text_literal(t, "}");
}


void
pocket_session_key_text(pocket_text_t *t, const pocket_str_t *app,
    const pocket_str_t *chain, const pocket_str_t *block_hash)
{
    pocket_text_literal(t, "{\"app_pub_key\":");
    pocket_text_string(t, app);
    pocket_text_literal(t, ",\"chain\":");
    pocket_text_string(t, chain);
    pocket_text_literal(t, ",\"blockchain\":");
    pocket_text_string(t, block_hash);
    pocket_text_literal(t, "}");
}


void
pocket_session_request_text(pocket_text_t *t,
    const pocket_session_request_t *rq)
{
    pocket_text_literal(t, "{\"session_header\":");
    pocket_session_text(t, &rq->app_pub_key, &rq->chain, rq->session_height);
    pocket_text_literal(t, ",\"meta\":{\"block_height\":");
    pocket_text_int(t, rq->block_height);
    pocket_text_literal(t, "},\"servicer_pub_key\":");
    pocket_text_string(t, &rq->servicer_pub_key);
    pocket_text_literal(t, ",\"blockchain\":");
    pocket_text_string(t, &rq->chain);
    pocket_text_literal(t, ",\"session_block_height\":");
    pocket_text_int(t, rq->session_height);
    pocket_text_literal(t, "}");
}


void
pocket_check_request_text(pocket_text_t *t, const pocket_str_t *servicers,
    size_t nservicers, const pocket_str_t *chains, size_t nchains)
{
    pocket_text_literal(t, "{\"servicers\":");
    pocket_hash_list_text(t, servicers, nservicers);
    pocket_text_literal(t, ",\"Chains\":");
    pocket_hash_list_text(t, chains, nchains);
    pocket_text_literal(t, "}");
}


static void
pocket_hash_list_text(pocket_text_t *t, const pocket_str_t *s, size_t n)
{
    size_t  i;

    pocket_text_literal(t, "[");

    for (i = 0; i < n; i++) {

        if (i) {
            pocket_text_literal(t, ",");
        }

        pocket_text_string(t, &s[i]);
    }

    pocket_text_literal(t, "]");
}


int
pocket_session_request_body(const pocket_session_request_t *rq,
    pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_text_t   t;
    unsigned char  *p, buf[POCKET_TEXT_SIZE];

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    pocket_session_request_text(&t, rq);
    body->len = pocket_text_end(&t);

    p = pocket_alloc(a, body->len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    body->data = p;

    pocket_text_init(&t, buf, sizeof(buf), pocket_text_copy, &p);
    pocket_session_request_text(&t, rq);
    (void) pocket_text_end(&t);

    return POCKET_OK;
}


int
pocket_check_request_body(const pocket_str_t *servicers, size_t nservicers,
    const pocket_str_t *chains, size_t nchains, pocket_str_t *body,
    pocket_alloc_t *a)
{
    pocket_text_t   t;
    unsigned char  *p, buf[POCKET_TEXT_SIZE];

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    pocket_check_request_text(&t, servicers, nservicers, chains, nchains);
    body->len = pocket_text_end(&t);

    p = pocket_alloc(a, body->len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    body->data = p;

    pocket_text_init(&t, buf, sizeof(buf), pocket_text_copy, &p);
    pocket_check_request_text(&t, servicers, nservicers, chains, nchains);
    (void) pocket_text_end(&t);

    return POCKET_OK;
}
