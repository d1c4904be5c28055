
/*
 * What a relay is made of: keys, token, session, signatures.
 */


#include <string.h>

#include <sodium.h>

#include "ctl_relay.h"
#include "pocket_client.h"
#include "pocket_json.h"
#include "pocket_key.h"


#define CTL_PRIVKEY_HEX    (2 * POCKET_PRIVKEY_LEN)
#define CTL_AAT_VERSION    "0.0.1"
#define CTL_DISPATCH_PATH  "/v1/client/dispatch"

#define CTL_DEFAULT_DATA                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\","           \
    "\"params\":[]}"


typedef struct {
    pocket_str_t          public_key;
} ctl_dispatch_node_t;


typedef struct {
    int64_t               block_height;
    int64_t               session_height;
    pocket_json_array_t   nodes;
} ctl_dispatch_t;


static int ctl_relay_key(const char *value, const char *option,
    unsigned char **key);
static int ctl_relay_key_text(const char *value, cli_buf_t *text,
    pocket_str_t *hex);
static int ctl_relay_data(ctl_relay_t *r);
static int ctl_relay_token(ctl_relay_t *r);
static int ctl_relay_token_file(ctl_relay_t *r);
static int ctl_relay_session(ctl_relay_t *r);
static int ctl_relay_dispatch_use(ctl_relay_t *r, ctl_http_answer_t *answer);
static int ctl_relay_copy(ctl_relay_t *r, const pocket_str_t *from,
    pocket_str_t *to);
static int ctl_relay_hex(ctl_relay_t *r, const unsigned char *p, size_t len,
    pocket_str_t *hex);
static int ctl_relay_signature(ctl_relay_t *r, const unsigned char *key,
    const unsigned char *hash, pocket_str_t *hex);


static const pocket_json_field_t  ctl_aat_fields[] = {

    { pocket_string("version"), POCKET_JSON_T_STRING,
      offsetof(pocket_aat_t, version), NULL },

    { pocket_string("app_pub_key"), POCKET_JSON_T_STRING,
      offsetof(pocket_aat_t, app_pub_key), NULL },

    { pocket_string("client_pub_key"), POCKET_JSON_T_STRING,
      offsetof(pocket_aat_t, client_pub_key), NULL },

    { pocket_string("signature"), POCKET_JSON_T_STRING,
      offsetof(pocket_aat_t, signature), NULL }
};


static const pocket_json_table_t  ctl_aat_table = {
    ctl_aat_fields, 4, sizeof(pocket_aat_t)
};


static const pocket_json_field_t  ctl_aat_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_aat_table
};


static const pocket_json_field_t  ctl_dispatch_node_fields[] = {

    { pocket_string("public_key"), POCKET_JSON_T_STRING,
      offsetof(ctl_dispatch_node_t, public_key), NULL }
};


static const pocket_json_table_t  ctl_dispatch_node_table = {
    ctl_dispatch_node_fields, 1, sizeof(ctl_dispatch_node_t)
};


static const pocket_json_field_t  ctl_dispatch_node_fields_of[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_dispatch_node_table }
};


static const pocket_json_table_t  ctl_dispatch_nodes_table = {
    ctl_dispatch_node_fields_of, 1, sizeof(ctl_dispatch_node_t)
};


static const pocket_json_field_t  ctl_dispatch_header_fields[] = {

    { pocket_string("session_height"), POCKET_JSON_T_INT64,
      offsetof(ctl_dispatch_t, session_height), NULL }
};


static const pocket_json_table_t  ctl_dispatch_header_table = {
    ctl_dispatch_header_fields, 1, sizeof(ctl_dispatch_t)
};


static const pocket_json_field_t  ctl_dispatch_session_fields[] = {

    { pocket_string("header"), POCKET_JSON_T_STRUCT, 0,
      &ctl_dispatch_header_table },

    { pocket_string("nodes"), POCKET_JSON_T_ARRAY,
      offsetof(ctl_dispatch_t, nodes), &ctl_dispatch_nodes_table }
};


static const pocket_json_table_t  ctl_dispatch_session_table = {
    ctl_dispatch_session_fields, 2, sizeof(ctl_dispatch_t)
};


static const pocket_json_field_t  ctl_dispatch_fields[] = {

    { pocket_string("block_height"), POCKET_JSON_T_INT64,
      offsetof(ctl_dispatch_t, block_height), NULL },

    { pocket_string("session"), POCKET_JSON_T_STRUCT, 0,
      &ctl_dispatch_session_table }
};


static const pocket_json_table_t  ctl_dispatch_table = {
    ctl_dispatch_fields, 2, sizeof(ctl_dispatch_t)
};


static const pocket_json_field_t  ctl_dispatch_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_dispatch_table
};


int
ctl_relay_prepare(ctl_relay_t *r)
{
    int                   rc;
    ctl_relay_options_t  *o;

    o = r->options;
    r->relay = o->relay;

    r->hash = pocket_hash_create();

    if (r->hash == NULL) {
        ctl_error("OpenSSL has no SHA3-256");
        return CTL_USAGE;
    }

    rc = CTL_OK;

    if (o->app_key) {
        rc = ctl_relay_key(o->app_key, "--app-key", &r->app_key);
    }

    if (rc == CTL_OK && o->client_key) {
        rc = ctl_relay_key(o->client_key, "--client-key", &r->client_key);
    }

    if (rc != CTL_OK) {
        return rc;
    }

    if (r->client_key == NULL) {
        r->client_key = r->app_key;
    }

    rc = ctl_relay_data(r);

    if (rc == CTL_OK) {
        rc = o->aat_file ? ctl_relay_token_file(r) : ctl_relay_token(r);
    }

    return rc == CTL_OK ? ctl_relay_session(r) : rc;
}


static int
ctl_relay_key(const char *value, const char *option, unsigned char **key)
{
    int                 rc;
    cli_buf_t           text;
    pocket_str_t        hex;
    pocket_key_error_e  err;

    memset(&text, 0, sizeof(cli_buf_t));

    rc = ctl_relay_key_text(value, &text, &hex);

    if (rc != CTL_OK) {
        return rc;
    }

    *key = sodium_malloc(POCKET_PRIVKEY_LEN);

    if (*key == NULL) {
        ctl_error("no memory for a key");
        ctl_file_wipe(&text);
        return CTL_USAGE;
    }

    err = pocket_key_private(&hex, *key);

    ctl_file_wipe(&text);

    if (err != POCKET_KEY_OK) {
        ctl_error("%s: the private key %s", option,
                  err == POCKET_KEY_HEX ? "is not hex"
                  : err == POCKET_KEY_LENGTH ? "is not 64 bytes long"
                  : "and its public half do not match");
        return CTL_USAGE;
    }

    return CTL_OK;
}


/* the key itself, or what is in the file but white space around it */

static int
ctl_relay_key_text(const char *value, cli_buf_t *text, pocket_str_t *hex)
{
    int  rc;

    *hex = ctl_str(value);

    if (hex->len == CTL_PRIVKEY_HEX
        && strspn(value, "0123456789abcdefABCDEF") == CTL_PRIVKEY_HEX)
    {
        return CTL_OK;
    }

    rc = ctl_file_read(value, 1, text);

    if (rc != CTL_OK) {
        return rc;
    }

    *hex = text->text;

    while (hex->len && hex->data[0] <= ' ') {
        hex->data++;
        hex->len--;
    }

    while (hex->len && hex->data[hex->len - 1] <= ' ') {
        hex->len--;
    }

    return CTL_OK;
}


static int
ctl_relay_data(ctl_relay_t *r)
{
    int                   rc;
    const char           *name;
    ctl_relay_options_t  *o;

    o = r->options;

    if (o->data == NULL) {

        r->relay.payload.data = ctl_str(r->relay.payload.path.len
                                        ? "" : CTL_DEFAULT_DATA);

    } else if (o->data[0] != '@') {
        r->relay.payload.data = ctl_str(o->data);

    } else {
        name = strcmp(o->data, "@-") == 0 ? "/dev/stdin" : o->data + 1;

        rc = ctl_file_read(name, 0, &r->data);

        if (rc != CTL_OK) {
            return rc;
        }

        r->relay.payload.data = r->data.text;
    }

    if (r->relay.payload.method.len == 0) {
        r->relay.payload.method = ctl_str("POST");
    }

    return CTL_OK;
}


static int
ctl_relay_token(ctl_relay_t *r)
{
    pocket_aat_t   *aat;
    unsigned char   hash[POCKET_HASH_LEN];

    aat = &r->relay.proof.aat;
    aat->version = ctl_str(CTL_AAT_VERSION);

    if (ctl_relay_hex(r, r->app_key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                      POCKET_PUBKEY_LEN, &aat->app_pub_key)
        != CTL_OK
        || ctl_relay_hex(r, r->client_key + POCKET_PRIVKEY_LEN
                         - POCKET_PUBKEY_LEN, POCKET_PUBKEY_LEN,
                         &aat->client_pub_key)
           != CTL_OK)
    {
        return CTL_USAGE;
    }

    if (pocket_hash_aat(r->hash, aat, hash) != POCKET_OK) {
        ctl_error("cannot hash the token");
        return CTL_USAGE;
    }

    return ctl_relay_signature(r, r->app_key, hash, &aat->signature);
}


static int
ctl_relay_token_file(ctl_relay_t *r)
{
    int                   rc;
    const char           *name;
    pocket_json_error_t   err;

    name = r->options->aat_file;

    rc = ctl_file_read(name, 0, &r->token);

    if (rc != CTL_OK) {
        return rc;
    }

    if (pocket_json_decode(&r->token.text, &ctl_aat_root,
                           &r->relay.proof.aat, &err, &r->arena.alloc)
        != 1)
    {
        ctl_error("\"%s\": %.*s", name, (int) err.len, err.text);
        return CTL_USAGE;
    }

    return CTL_OK;
}


static int
ctl_relay_session(ctl_relay_t *r)
{
    int                   rc;
    pocket_proof_t       *proof;
    ctl_relay_options_t  *o;

    o = r->options;
    proof = &r->relay.proof;

    if (o->session_height && strcmp(o->session_height, "auto") == 0) {
        o->session_height = NULL;
    }

    if (o->session_height == NULL || proof->servicer_pub_key.len == 0) {

        rc = ctl_relay_dispatch(r);

        if (rc != CTL_OK) {
            return rc;
        }
    }

    if (o->session_height) {
        ctl_number(o->session_height, &proof->session_block_height);
    }

    if (o->block_height) {
        ctl_number(o->block_height, &r->relay.block_height);

    } else if (r->relay.block_height == 0) {
        r->relay.block_height = proof->session_block_height;
    }

    if (o->entropy) {
        ctl_number(o->entropy, &proof->entropy);

    } else {
        randombytes_buf(&proof->entropy, sizeof(int64_t));
        proof->entropy &= INT64_MAX;
    }

    return CTL_OK;
}


int
ctl_relay_dispatch(ctl_relay_t *r)
{
    int                  rc;
    int64_t              height;
    cli_buf_t            body;
    ctl_http_answer_t    answer;
    ctl_http_request_t   rq;

    height = 0;

    if (r->options->session_height) {
        ctl_number(r->options->session_height, &height);
    }

    memset(&body, 0, sizeof(cli_buf_t));

    cli_buf_text(&body, "{\"app_public_key\":");
    cli_buf_json(&body, &r->relay.proof.aat.app_pub_key);
    cli_buf_text(&body, ",\"chain\":");
    cli_buf_json(&body, &r->relay.proof.blockchain);
    cli_buf_printf(&body, ",\"session_height\":%lld}", (long long) height);

    rq = r->options->http;

    if (r->options->dispatch_url) {
        rq.url = r->options->dispatch_url;
    }

    rq.path = CTL_DISPATCH_PATH;
    rq.method = "POST";
    rq.headers = ctl_str("Content-Type: application/json\r\n");
    rq.body = body.text;

    rc = ctl_http(&rq, &answer);

    cli_buf_free(&body);

    if (rc != CTL_OK) {
        return rc;
    }

    rc = ctl_relay_dispatch_use(r, &answer);

    cli_buf_free(&answer.raw);

    return rc;
}


static int
ctl_relay_dispatch_use(ctl_relay_t *r, ctl_http_answer_t *answer)
{
    ctl_dispatch_t        d;
    pocket_proof_t       *proof;
    pocket_json_error_t   err;
    ctl_dispatch_node_t  *node;

    memset(&d, 0, sizeof(ctl_dispatch_t));

    if (answer->status != 200
        || pocket_json_decode(&answer->body, &ctl_dispatch_root, &d, &err,
                              &r->arena.alloc)
           != 1
        || d.session_height == 0)
    {
        ctl_error("no session: the dispatch was answered with status %u, "
                  "%.*s", answer->status, (int) answer->body.len,
                  answer->body.data);
        return CTL_FAILED;
    }

    proof = &r->relay.proof;
    proof->session_block_height = d.session_height;
    r->relay.block_height = d.block_height;

    if (proof->servicer_pub_key.len) {
        return CTL_OK;
    }

    if (d.nodes.n == 0) {
        ctl_error("the session has no servicers");
        return CTL_FAILED;
    }

    node = d.nodes.elts;

    return ctl_relay_copy(r, &node->public_key, &proof->servicer_pub_key);
}


int
ctl_relay_sign(ctl_relay_t *r)
{
    if (pocket_client_sign(&r->relay, r->client_key, r->hash, &r->hashes,
                           &r->arena.alloc)
        != POCKET_OK)
    {
        ctl_error("cannot sign the relay");
        return CTL_USAGE;
    }

    return CTL_OK;
}


/* the answer that it is a slice of is about to be freed */

static int
ctl_relay_copy(ctl_relay_t *r, const pocket_str_t *from, pocket_str_t *to)
{
    to->len = from->len;
    to->data = pocket_alloc(&r->arena.alloc, from->len + 1);

    if (to->data == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    memcpy(to->data, from->data, from->len);

    return CTL_OK;
}


static int
ctl_relay_hex(ctl_relay_t *r, const unsigned char *p, size_t len,
    pocket_str_t *hex)
{
    hex->len = 2 * len;
    hex->data = pocket_alloc(&r->arena.alloc, hex->len);

    if (hex->data == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    pocket_hex_encode(hex->data, p, len);

    return CTL_OK;
}


static int
ctl_relay_signature(ctl_relay_t *r, const unsigned char *key,
    const unsigned char *hash, pocket_str_t *hex)
{
    unsigned char  signature[POCKET_SIG_LEN];

    if (pocket_key_sign(key, hash, signature) != POCKET_OK) {
        ctl_error("cannot sign");
        return CTL_USAGE;
    }

    return ctl_relay_hex(r, signature, POCKET_SIG_LEN, hex);
}
