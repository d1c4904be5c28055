
/*
 * Relays as a client sees them: see pocket_client.h.
 */


#include "pocket_client.h"
#include "pocket_key.h"
#include "pocket_utf8.h"

#include <string.h>


/* names, braces, quotes and a height; and the room that a text wants to have */

#define POCKET_CLIENT_HEAD    160

/* of a header: its quotes, colon and comma */

#define POCKET_CLIENT_HEADER  6


static int pocket_client_hex(const unsigned char *p, size_t len,
    pocket_str_t *hex, pocket_alloc_t *a);
static size_t pocket_client_head_len(const pocket_payload_t *payload);
static unsigned pocket_client_clean(const pocket_payload_t *payload);


static const pocket_json_field_t  pocket_client_error_fields[] = {

    { pocket_string("code"), POCKET_JSON_T_UINT32,
      offsetof(pocket_client_error_t, code), NULL },

    { pocket_string("codespace"), POCKET_JSON_T_STRING,
      offsetof(pocket_client_error_t, codespace), NULL },

    { pocket_string("message"), POCKET_JSON_T_STRING,
      offsetof(pocket_client_error_t, message), NULL }
};


static const pocket_json_table_t  pocket_client_error_table = {
    pocket_client_error_fields, 3, sizeof(pocket_client_error_t)
};


static const pocket_json_field_t  pocket_client_fields[] = {

    { pocket_string("response"), POCKET_JSON_T_STRING,
      offsetof(pocket_client_answer_t, response), NULL },

    { pocket_string("signature"), POCKET_JSON_T_STRING,
      offsetof(pocket_client_answer_t, signature), NULL },

    { pocket_string("error"), POCKET_JSON_T_POINTER,
      offsetof(pocket_client_answer_t, error), &pocket_client_error_table },

    { pocket_string("dispatch"), POCKET_JSON_T_VALUE,
      offsetof(pocket_client_answer_t, dispatch), NULL }
};


static const pocket_json_table_t  pocket_client_table = {
    pocket_client_fields, 4, sizeof(pocket_client_answer_t)
};


static const pocket_json_field_t  pocket_client_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_client_table
};


int
pocket_client_sign(pocket_relay_t *relay, const unsigned char *key,
    pocket_hash_t *hash, pocket_relay_hashes_t *hashes, pocket_alloc_t *a)
{
    unsigned char  signature[POCKET_SIG_LEN];

    if (pocket_hash_request(hash, relay, hashes->request) != POCKET_OK
        || pocket_client_hex(hashes->request, POCKET_HASH_LEN,
                             &relay->proof.request_hash, a)
           != POCKET_OK
        || pocket_hash_relay(hash, relay, hashes) != POCKET_OK
        || pocket_key_sign(key, hashes->proof, signature) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    return pocket_client_hex(signature, POCKET_SIG_LEN,
                             &relay->proof.signature, a);
}


static int
pocket_client_hex(const unsigned char *p, size_t len, pocket_str_t *hex,
    pocket_alloc_t *a)
{
    hex->len = 2 * len;
    hex->data = pocket_alloc(a, hex->len);

    if (hex->data == NULL) {
        return POCKET_ERROR;
    }

    pocket_hex_encode(hex->data, p, len);

    return POCKET_OK;
}


int
pocket_client_head(const pocket_relay_t *relay, pocket_hash_t *hash,
    unsigned char *request_hash, pocket_str_t *text, pocket_alloc_t *a)
{
    size_t          len;
    pocket_text_t   t;

    if (!pocket_client_clean(&relay->payload)) {
        return 0;
    }

    len = pocket_client_head_len(&relay->payload);

    text->data = pocket_alloc(a, len);

    if (text->data == NULL) {
        return POCKET_ERROR;
    }

    /* it has room for all: nothing is flushed */

    pocket_text_init(&t, text->data, len, NULL, NULL);
    pocket_relay_head_text(&t, relay);
    text->len = pocket_text_end(&t);

    pocket_hash_begin(hash);
    pocket_hash_update(hash, text->data, text->len);
    pocket_hash_update(hash, "}", 1);

    return pocket_hash_end(hash, request_hash) == POCKET_OK ? 1
                                                            : POCKET_ERROR;
}


/* The most that the head takes. */

static size_t
pocket_client_head_len(const pocket_payload_t *payload)
{
    size_t                  i, len;
    const pocket_header_t  *header;

    len = POCKET_CLIENT_HEAD + pocket_json_escaped_len(&payload->data)
          + pocket_json_escaped_len(&payload->method)
          + pocket_json_escaped_len(&payload->path);

    for (i = 0; i < payload->nheaders; i++) {
        header = &payload->headers[i];

        len += POCKET_CLIENT_HEADER + pocket_json_escaped_len(&header->name)
               + pocket_json_escaped_len(&header->value);
    }

    return len;
}


/* A servicer hashes what it decodes: in that no byte is not UTF-8. */

static unsigned
pocket_client_clean(const pocket_payload_t *payload)
{
    size_t  i;

    for (i = 0; i < payload->nheaders; i++) {
        if (pocket_utf8_bad(&payload->headers[i].name)
            || pocket_utf8_bad(&payload->headers[i].value))
        {
            return 0;
        }
    }

    return pocket_utf8_bad(&payload->data) == 0
           && pocket_utf8_bad(&payload->method) == 0
           && pocket_utf8_bad(&payload->path) == 0;
}


int
pocket_client_tail(pocket_proof_t *proof, const unsigned char *key,
    const unsigned char *request_hash, const unsigned char *aat_hash,
    pocket_hash_t *hash, unsigned char *proof_hash, pocket_str_t *text,
    pocket_alloc_t *a)
{
    unsigned char  *p, buf[POCKET_TEXT_SIZE];
    unsigned char   hex[2 * (POCKET_HASH_LEN + POCKET_SIG_LEN)];
    unsigned char   signature[POCKET_SIG_LEN];
    pocket_text_t   t;

    proof->request_hash.data = hex;
    proof->request_hash.len = 2 * POCKET_HASH_LEN;
    p = pocket_hex_encode(hex, request_hash, POCKET_HASH_LEN);

    if (pocket_hash_proof(hash, proof, aat_hash, proof_hash) != POCKET_OK
        || pocket_key_sign(key, proof_hash, signature) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    proof->signature.data = p;
    proof->signature.len = 2 * POCKET_SIG_LEN;
    (void) pocket_hex_encode(p, signature, POCKET_SIG_LEN);

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    pocket_relay_tail_text(&t, proof);
    text->len = pocket_text_end(&t);

    p = pocket_alloc(a, text->len);
    text->data = p;

    if (p) {
        pocket_text_init(&t, buf, sizeof(buf), pocket_text_copy, &p);
        pocket_relay_tail_text(&t, proof);
        (void) pocket_text_end(&t);
    }

    /* they are in the text, and were of this function's memory */

    memset(&proof->request_hash, 0, sizeof(pocket_str_t));
    memset(&proof->signature, 0, sizeof(pocket_str_t));

    return text->data ? POCKET_OK : POCKET_ERROR;
}


int
pocket_client_answer(const pocket_str_t *body, pocket_client_answer_t *answer,
    pocket_json_error_t *err, pocket_alloc_t *a)
{
    memset(answer, 0, sizeof(pocket_client_answer_t));

    return pocket_json_decode(body, &pocket_client_root, answer, err, a);
}


pocket_error_id_e
pocket_client_verify(const pocket_client_answer_t *answer,
    const pocket_str_t *servicer, const unsigned char *proof_hash,
    pocket_hash_t *hash)
{
    unsigned char  response[POCKET_HASH_LEN];

    if (pocket_hash_response(hash, &answer->response, proof_hash, response)
        != POCKET_OK)
    {
        return POCKET_ERR_INTERNAL;
    }

    return pocket_key_check(servicer, response, &answer->signature);
}
