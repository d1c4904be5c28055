
/*
 * Relays as a client sees them: see pocket_client.h.
 */


#include "pocket_client.h"
#include "pocket_key.h"

#include <string.h>


static int pocket_client_hex(const unsigned char *p, size_t len,
    pocket_str_t *hex, pocket_alloc_t *a);


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
