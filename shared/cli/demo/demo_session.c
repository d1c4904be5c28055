
/*
 * Checks, sessions and dispatches of a demo node.
 */


#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "demo_node.h"
#include "pocket_json.h"
#include "pocket_key.h"
#include "pocket_session.h"


#define DEMO_AMINO  "9d54477420"

#define DEMO_CORS                                                             \
    "Access-Control-Allow-Origin: *\r\n"                                      \
    "Access-Control-Allow-Methods: POST\r\n"                                  \
    "Access-Control-Allow-Headers: Accept, Content-Type, Content-Length, "    \
    "Accept-Encoding, X-CSRF-Token, Authorization\r\n"


typedef struct {
    pocket_json_array_t   servicers;
    pocket_json_array_t   chains;
} demo_check_t;


typedef struct {
    pocket_str_t          app;
    pocket_str_t          chain;
    int64_t               height;
} demo_header_t;


typedef struct {
    demo_header_t         header;
    pocket_str_t          servicer;
    pocket_str_t          chain;
    int64_t               height;
} demo_session_t;


static void demo_check_wrong(demo_node_t *n, const demo_check_t *rq,
    cli_buf_t *chains, cli_buf_t *servicers);
static int demo_check_addresses(const demo_check_t *rq);
static int demo_check_held(demo_node_t *n, const pocket_str_t *address);
static int demo_session_check(demo_node_t *n, const demo_session_t *rq,
    int64_t *remaining, demo_error_t *err);
static void demo_session_error(demo_node_t *n, demo_conn_t *c,
    const demo_error_t *err);
static void demo_error_long(cli_buf_t *b, const demo_error_t *err);
static void demo_dispatch_key(demo_node_t *n, cli_buf_t *b,
    const pocket_str_t *app, const pocket_str_t *chain, int64_t height,
    unsigned client);
static void demo_dispatch_node(demo_node_t *n, cli_buf_t *b,
    const demo_servicer_t *servicer, const pocket_str_t *chain,
    unsigned client);


static const pocket_json_field_t  demo_string_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRING, 0, NULL }
};


static const pocket_json_table_t  demo_strings = {
    demo_string_fields, 1, sizeof(pocket_str_t)
};


static const pocket_json_field_t  demo_check_fields[] = {

    { pocket_string("servicers"), POCKET_JSON_T_ARRAY,
      offsetof(demo_check_t, servicers), &demo_strings },

    { pocket_string("Chains"), POCKET_JSON_T_ARRAY,
      offsetof(demo_check_t, chains), &demo_strings }
};


static const pocket_json_table_t  demo_check_table = {
    demo_check_fields, 2, sizeof(demo_check_t)
};


static const pocket_json_field_t  demo_check_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_check_table
};


static const pocket_json_field_t  demo_header_fields[] = {

    { pocket_string("app_public_key"), POCKET_JSON_T_STRING,
      offsetof(demo_header_t, app), NULL },

    { pocket_string("chain"), POCKET_JSON_T_STRING,
      offsetof(demo_header_t, chain), NULL },

    { pocket_string("session_height"), POCKET_JSON_T_INT64,
      offsetof(demo_header_t, height), NULL }
};


static const pocket_json_table_t  demo_header_table = {
    demo_header_fields, 3, sizeof(demo_header_t)
};


static const pocket_json_field_t  demo_header_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_header_table
};


static const pocket_json_field_t  demo_session_fields[] = {

    { pocket_string("session_header"), POCKET_JSON_T_STRUCT,
      offsetof(demo_session_t, header), &demo_header_table },

    { pocket_string("servicer_pub_key"), POCKET_JSON_T_STRING,
      offsetof(demo_session_t, servicer), NULL },

    { pocket_string("blockchain"), POCKET_JSON_T_STRING,
      offsetof(demo_session_t, chain), NULL },

    { pocket_string("session_block_height"), POCKET_JSON_T_INT64,
      offsetof(demo_session_t, height), NULL }
};


static const pocket_json_table_t  demo_session_table = {
    demo_session_fields, 4, sizeof(demo_session_t)
};


static const pocket_json_field_t  demo_session_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_session_table
};


void
demo_node_check(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    cli_buf_t            chains, servicers, *b;
    demo_check_t         check;
    static pocket_str_t  bad = pocket_string("could not convert servicer hex");

    memset(&check, 0, sizeof(demo_check_t));

    if (!demo_decode(n, c, rq, &demo_check_root, &check, NULL, a)) {
        return;
    }

    if (!demo_check_addresses(&check)) {
        demo_http_error(n, c, 400, NULL, &bad);
        return;
    }

    memset(&chains, 0, sizeof(cli_buf_t));
    memset(&servicers, 0, sizeof(cli_buf_t));

    demo_check_wrong(n, &check, &chains, &servicers);

    b = &n->body;
    b->text.len = 0;

    cli_buf_printf(b, "{\"blocks_per_session\":%lld,\"chains\":%s,"
                      "\"client_session_sync_allowance\":%lld,"
                      "\"error\":null,\"servicers\":%s,\"status\":"
                      "{\"height\":%lld,\"is_catching_up\":%s,"
                      "\"is_starting\":%s,\"version\":\"%s\"},"
                      "\"success\":true,\"wrong_chains\":[",
                   (long long) n->status.blocks_per_session,
                   chains.text.len ? "false" : "true",
                   (long long) n->status.client_session_sync_allowance,
                   servicers.text.len ? "false" : "true",
                   (long long) n->status.height,
                   n->status.is_catching_up ? "true" : "false",
                   n->status.is_starting ? "true" : "false",
                   DEMO_NODE_VERSION);
    cli_buf_str(b, &chains.text);
    cli_buf_text(b, "],\"wrong_servicers\":[");
    cli_buf_str(b, &servicers.text);
    cli_buf_text(b, "]}\n");

    cli_buf_free(&chains);
    cli_buf_free(&servicers);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &b->text);
}


static int
demo_check_addresses(const demo_check_t *rq)
{
    size_t          i, len;
    pocket_str_t   *address;
    unsigned char   raw[POCKET_ADDR_LEN];

    address = rq->servicers.elts;

    for (i = 0; i < rq->servicers.n; i++) {
        if (pocket_hex_decode(&address[i], raw, sizeof(raw), &len)
            != POCKET_OK)
        {
            return 0;
        }
    }

    return 1;
}


static void
demo_check_wrong(demo_node_t *n, const demo_check_t *rq, cli_buf_t *chains,
    cli_buf_t *servicers)
{
    size_t         i;
    pocket_str_t  *name;

    name = rq->chains.elts;

    for (i = 0; i < rq->chains.n; i++) {
        if (!demo_names_have(&n->chains, &name[i])) {
            cli_buf_text(chains, chains->text.len ? "," : "");
            cli_buf_json(chains, &name[i]);
        }
    }

    name = rq->servicers.elts;

    for (i = 0; i < rq->servicers.n; i++) {
        if (!demo_check_held(n, &name[i])) {
            cli_buf_text(servicers, servicers->text.len ? "," : "");
            cli_buf_json(servicers, &name[i]);
        }
    }
}


static int
demo_check_held(demo_node_t *n, const pocket_str_t *address)
{
    size_t  i;

    for (i = 0; i < n->nservicers; i++) {
        if (address->len == DEMO_ADDRESS_LEN
            && memcmp(address->data, n->servicers[i].address,
                      DEMO_ADDRESS_LEN)
               == 0)
        {
            return 1;
        }
    }

    return n->nservicers == 0;
}


void
demo_node_session(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    int64_t          remaining;
    cli_buf_t       *b;
    demo_error_t     err;
    demo_session_t   session;

    memset(&session, 0, sizeof(demo_session_t));

    if (!demo_decode(n, c, rq, &demo_session_root, &session, NULL, a)) {
        return;
    }

    if (!demo_session_check(n, &session, &remaining, &err)) {
        demo_session_error(n, c, &err);
        return;
    }

    b = &n->body;
    b->text.len = 0;

    cli_buf_text(b, "{\"dispatch\":");
    demo_dispatch_add(n, b, &session.header.app, &session.chain,
                      session.height, &session.servicer, 0);
    cli_buf_printf(b, ",\"error\":null,\"remaining_relays\":%lld,"
                      "\"success\":true}\n", (long long) remaining);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &b->text);
}


static int
demo_session_check(demo_node_t *n, const demo_session_t *rq,
    int64_t *remaining, demo_error_t *err)
{
    demo_claim_t       *claim;
    demo_servicer_t     servicer;
    demo_claim_key_t    key;
    pocket_error_id_e   id;

    if (!demo_servicer_find(n, &rq->servicer, &servicer, err)) {
        return 0;
    }

    key.session_height = rq->height;
    key.app = rq->header.app;
    key.chain = rq->chain;
    memcpy(key.servicer, servicer.key, POCKET_PUBKEY_LEN);

    claim = demo_claim_find(&n->claims, &key);
    *remaining = demo_node_quota(n, &rq->header.app)
                 - (claim ? claim->proofs : 0);

    id = POCKET_ERR_NONE;

    if (!demo_names_have(&n->chains, &rq->chain)) {
        id = POCKET_ERR_CHAIN_NOT_HOSTED;

    } else if (rq->height != pocket_session_latest(&n->status)) {
        id = POCKET_ERR_BLOCK_HEIGHT;

    } else if (!demo_names_have(&n->apps, &rq->header.app)) {
        id = POCKET_ERR_APP_UNKNOWN;

    } else if (n->status.height >= rq->height + n->claim_after) {
        id = POCKET_ERR_SEALED;

    } else if (*remaining <= 0) {
        id = POCKET_ERR_OVER_SERVICE;

    } else if (servicer.spare) {
        id = POCKET_ERR_NOT_IN_SESSION;
    }

    if (id != POCKET_ERR_NONE) {
        demo_error_row(err, id);
        return 0;
    }

    return 1;
}


static void
demo_session_error(demo_node_t *n, demo_conn_t *c, const demo_error_t *err)
{
    cli_buf_t   *b, text;

    if (err->code < DEMO_NODE_CODES) {
        n->codes[err->code]++;
    }

    memset(&text, 0, sizeof(cli_buf_t));
    demo_error_long(&text, err);

    b = &n->body;
    b->text.len = 0;

    cli_buf_printf(b, "{\"dispatch\":null,\"error\":{\"code\":%u,"
                      "\"codespace\":\"%s\",\"message\":", err->code,
                   err->codespace);
    cli_buf_json(b, &text.text);
    cli_buf_text(b, "},\"remaining_relays\":0,\"success\":false}\n");

    cli_buf_free(&text);

    demo_answer(c, 400, DEMO_TYPE_JSON, NULL, &b->text);
}


/* the reference's text of an error that is not taken apart */

static void
demo_error_long(cli_buf_t *b, const demo_error_t *err)
{
    cli_buf_printf(b, "ERROR:\nCodespace: %s\nCode: %u\nMessage: \"",
                   err->codespace, err->code);
    cli_buf_str(b, &err->message);
    cli_buf_text(b, "\"\n");
}


void
demo_node_dispatch(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    int64_t         height;
    cli_buf_t      *b, text;
    demo_error_t    err;
    pocket_str_t    none;
    demo_header_t   header;

    b = &n->body;
    b->text.len = 0;

    if (demo_is(&rq->method, "OPTIONS")) {
        demo_answer(c, 200, NULL, DEMO_CORS, &b->text);
        return;
    }

    memset(&header, 0, sizeof(demo_header_t));

    if (!demo_decode(n, c, rq, &demo_header_root, &header, DEMO_CORS, a)) {
        return;
    }

    height = header.height ? header.height
                           : pocket_session_latest(&n->status);

    if (!demo_names_have(&n->chains, &header.chain)
        || !pocket_session_drain(&n->status, height))
    {
        demo_error_row(&err, demo_names_have(&n->chains, &header.chain)
                             ? POCKET_ERR_BLOCK_HEIGHT
                             : POCKET_ERR_TOO_FEW_NODES);

        memset(&text, 0, sizeof(cli_buf_t));
        demo_error_long(&text, &err);
        demo_http_error(n, c, 400, DEMO_CORS, &text.text);
        cli_buf_free(&text);
        return;
    }

    none.len = 0;
    none.data = NULL;

    demo_dispatch_add(n, b, &header.app, &header.chain, height, &none, 1);
    cli_buf_text(b, "\n");

    demo_answer(c, 200, DEMO_TYPE_JSON, DEMO_CORS, &b->text);
}


int
demo_decode(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    const pocket_json_field_t *root, void *out, const char *headers,
    pocket_alloc_t *a)
{
    pocket_str_t         message;
    pocket_json_error_t  err;

    if (rq->body.len == 0
        || pocket_json_decode(&rq->body, root, out, &err, a) == 1)
    {
        return 1;
    }

    message.len = err.len;
    message.data = err.text;

    demo_http_error(n, c, 400, headers, &message);

    return 0;
}


void
demo_dispatch_add(demo_node_t *n, cli_buf_t *b, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, const pocket_str_t *servicer,
    unsigned client)
{
    size_t           i;
    unsigned         first;
    demo_error_t     err;
    demo_servicer_t  one;

    cli_buf_printf(b, "{\"block_height\":%lld,\"session\":{\"header\":"
                      "{\"app_public_key\":", (long long) n->status.height);
    cli_buf_json(b, app);
    cli_buf_text(b, ",\"chain\":");
    cli_buf_json(b, chain);
    cli_buf_printf(b, ",\"session_height\":%lld},\"key\":\"",
                   (long long) height);

    demo_dispatch_key(n, b, app, chain, height, client);

    cli_buf_text(b, "\",\"nodes\":[");

    if (n->nservicers == 0 && servicer->len
        && demo_servicer_find(n, servicer, &one, &err))
    {
        demo_dispatch_node(n, b, &one, chain, client);
    }

    for (i = 0, first = 1; i < n->nservicers; i++) {

        if (n->servicers[i].spare) {
            continue;
        }

        cli_buf_text(b, first ? "" : ",");
        demo_dispatch_node(n, b, &n->servicers[i], chain, client);
        first = 0;
    }

    cli_buf_text(b, "]}}");
}


static void
demo_dispatch_key(demo_node_t *n, cli_buf_t *b, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, unsigned client)
{
    char           block[2 * POCKET_HASH_LEN + 1];
    pocket_str_t   hash;
    unsigned char  key[POCKET_HASH_LEN], text[2 * POCKET_HASH_LEN + 1];

    snprintf(block, sizeof(block), "%064llx", (unsigned long long) height);

    hash.len = 2 * POCKET_HASH_LEN;
    hash.data = (unsigned char *) block;

    if (pocket_hash_session_key(n->hash, app, chain, &hash, key)
        != POCKET_OK)
    {
        return;
    }

    if (client) {
        EVP_EncodeBlock(text, key, POCKET_HASH_LEN);
        cli_buf_text(b, (char *) text);
        return;
    }

    pocket_hex_encode(text, key, POCKET_HASH_LEN);
    cli_buf_add(b, text, 2 * POCKET_HASH_LEN);
}


static void
demo_dispatch_node(demo_node_t *n, cli_buf_t *b,
    const demo_servicer_t *servicer, const pocket_str_t *chain,
    unsigned client)
{
    size_t         i;
    unsigned char  hex[2 * POCKET_PUBKEY_LEN];

    pocket_hex_encode(hex, servicer->key, POCKET_PUBKEY_LEN);

    cli_buf_printf(b, "{\"address\":\"%.*s\",\"chains\":[",
                   DEMO_ADDRESS_LEN, servicer->address);

    if (n->chains.n == 0) {
        cli_buf_json(b, chain);
    }

    for (i = 0; i < n->chains.n; i++) {
        cli_buf_text(b, i ? "," : "");
        cli_buf_json(b, &n->chains.names[i]);
    }

    cli_buf_printf(b, "],\"jailed\":false,\"output_address\":\"\","
                      "\"public_key\":\"%s%.*s\",%s\"service_url\":\"%s\","
                      "\"status\":2,\"tokens\":\"60000000000\","
                      "\"unstaking_time\":\"0001-01-01T00:00:00Z\"}",
                   client ? "" : DEMO_AMINO, (int) sizeof(hex), hex,
                   client ? "\"reward_delegators\":null," : "",
                   servicer->url ? servicer->url : n->service_url);
}
