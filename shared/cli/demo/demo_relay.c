
/*
 * Relay notifications of a demo node, checked in a full node's order.
 */


#include <string.h>

#include "demo_node.h"
#include "pocket_key.h"
#include "pocket_session.h"
#include "pocket_validate.h"


static int demo_relay_check(demo_node_t *n, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes, demo_claim_t **claim, demo_error_t *err);
static int demo_relay_app(demo_node_t *n, const pocket_str_t *app);
static int demo_relay_claim(demo_node_t *n, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes, demo_servicer_t *servicer,
    demo_claim_t **claim, demo_error_t *err);
static int demo_relay_proof(demo_node_t *n, const pocket_relay_t *relay,
    demo_error_t *err);
static int demo_relay_any_servicer(void *data, const unsigned char *key,
    const pocket_node_status_t **node);
static int demo_relay_any_chain(void *data, const pocket_str_t *id);


static pocket_str_t  demo_relay_unread =
    pocket_string("{\"dispatch\":null,\"error\":{\"Offset\":1}}\n");

static pocket_str_t  demo_relay_delivered =
    pocket_string("{\"dispatch\":null,\"error\":null,\"signature\":true}\n");


void
demo_node_relay(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    demo_error_t            err;
    demo_claim_t           *claim;
    pocket_relay_t          relay;
    pocket_error_t          reason;
    pocket_relay_hashes_t   hashes;

    memset(&relay, 0, sizeof(pocket_relay_t));

    if (rq->body.len
        && pocket_relay_decode(&rq->body, &relay, &reason, a) != POCKET_OK)
    {
        demo_answer(c, 400, DEMO_TYPE_JSON, NULL, &demo_relay_unread);
        return;
    }

    if (!demo_relay_check(n, &relay, &hashes, &claim, &err)) {
        demo_relay_refuse(n, c, &err, &relay);
        return;
    }

    if (demo_claim_add(claim, hashes.proof) != 0) {
        demo_error_text(&err, "no memory");
        demo_relay_refuse(n, c, &err, NULL);
        return;
    }

    n->delivered++;

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &demo_relay_delivered);
}


static int
demo_relay_check(demo_node_t *n, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes, demo_claim_t **claim, demo_error_t *err)
{
    unsigned char          hex[2 * POCKET_HASH_LEN];
    demo_servicer_t        servicer;
    const pocket_proof_t  *proof;

    proof = &relay->proof;

    if (!pocket_session_drain(&n->status, proof->session_block_height)) {
        demo_error_row(err, POCKET_ERR_BLOCK_HEIGHT);
        return 0;
    }

    if (!demo_servicer_find(n, &proof->servicer_pub_key, &servicer, err)) {
        return 0;
    }

    if (relay->payload.data.len == 0 && relay->payload.path.len == 0) {
        demo_error_row(err, POCKET_ERR_PAYLOAD_EMPTY);
        return 0;
    }

    if (!pocket_session_in_sync(&n->status, relay->block_height)) {
        demo_error_row(err, POCKET_ERR_OUT_OF_SYNC);
        return 0;
    }

    if (pocket_hash_relay(n->hash, relay, hashes) != POCKET_OK) {
        demo_error_text(err, "cannot hash");
        return 0;
    }

    pocket_hex_encode(hex, hashes->request, POCKET_HASH_LEN);

    if (proof->request_hash.len != sizeof(hex)
        || memcmp(proof->request_hash.data, hex, sizeof(hex)) != 0)
    {
        demo_error_row(err, POCKET_ERR_REQUEST_HASH);
        return 0;
    }

    if (!demo_names_have(&n->chains, &proof->blockchain)) {
        demo_error_row(err, POCKET_ERR_CHAIN_NOT_HOSTED);
        return 0;
    }

    if (!demo_relay_app(n, &proof->aat.app_pub_key)) {
        demo_error_row(err, POCKET_ERR_APP_UNKNOWN);
        return 0;
    }

    return demo_relay_claim(n, relay, hashes, &servicer, claim, err);
}


static int
demo_relay_app(demo_node_t *n, const pocket_str_t *app)
{
    size_t         len;
    unsigned char  key[POCKET_PUBKEY_LEN];

    return pocket_hex_decode(app, key, sizeof(key), &len) == POCKET_OK
           && len == sizeof(key)
           && demo_names_have(&n->apps, app);
}


static int
demo_relay_claim(demo_node_t *n, const pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes, demo_servicer_t *servicer,
    demo_claim_t **claim, demo_error_t *err)
{
    demo_claim_key_t       key;
    const pocket_proof_t  *proof;

    proof = &relay->proof;

    key.session_height = proof->session_block_height;
    key.app = proof->aat.app_pub_key;
    key.chain = proof->blockchain;
    memcpy(key.servicer, servicer->key, POCKET_PUBKEY_LEN);

    if (n->status.height >= key.session_height + n->claim_after) {
        demo_error_row(err, POCKET_ERR_SEALED);
        return 0;
    }

    *claim = demo_claim_get(&n->claims, &key);

    if (*claim == NULL) {
        demo_error_text(err, "no memory");
        return 0;
    }

    if (demo_claim_has(*claim, hashes->proof)) {
        demo_error_row(err, POCKET_ERR_DUPLICATE);
        return 0;
    }

    if ((*claim)->proofs >= demo_node_quota(n, &key.app)) {
        demo_error_row(err, POCKET_ERR_SEALED);
        return 0;
    }

    if (!demo_relay_proof(n, relay, err)) {
        return 0;
    }

    if (servicer->spare) {
        demo_error_row(err, POCKET_ERR_NOT_IN_SESSION);
        return 0;
    }

    return 1;
}


/*
 * What is left is checked as an edge does it, with a tolerance of one session
 * more, which is the node's own.
 */

static int
demo_relay_proof(demo_node_t *n, const pocket_relay_t *relay,
    demo_error_t *err)
{
    pocket_error_t          reason;
    pocket_validate_t       v;
    pocket_node_status_t    status;
    pocket_relay_hashes_t   hashes;

    if (!n->check_signatures) {

        if (relay->proof.entropy < 0) {
            demo_error_row(err, POCKET_ERR_ENTROPY);
            return 0;
        }

        return 1;
    }

    status = n->status;
    status.is_starting = 0;
    status.is_catching_up = 0;
    status.client_session_sync_allowance++;

    memset(&v, 0, sizeof(pocket_validate_t));
    v.servicer = demo_relay_any_servicer;
    v.chain = demo_relay_any_chain;
    v.data = &status;
    v.hash = n->hash;

    if (pocket_validate_static(&v, relay, &hashes, &reason) != POCKET_OK) {
        err->code = reason.code;
        err->codespace = reason.code == 1 ? "sdk" : "pocketcore";
        err->message = reason.message;
        return 0;
    }

    return 1;
}


static int
demo_relay_any_servicer(void *data, const unsigned char *key,
    const pocket_node_status_t **node)
{
    *node = data;

    return 1;
}


static int
demo_relay_any_chain(void *data, const pocket_str_t *id)
{
    return 1;
}


void
demo_relay_refuse(demo_node_t *n, demo_conn_t *c, const demo_error_t *err,
    const pocket_relay_t *relay)
{
    cli_buf_t             *b;
    const pocket_proof_t  *proof;

    b = &n->body;
    b->text.len = 0;

    if (err->code < DEMO_NODE_CODES) {
        n->codes[err->code]++;
    }

    cli_buf_text(b, "{\"dispatch\":");

    if (relay && relay->proof.blockchain.len
        && (err->code == 14 || err->code == 60 || err->code == 71
            || err->code == 75))
    {
        proof = &relay->proof;
        demo_dispatch_add(n, b, &proof->aat.app_pub_key, &proof->blockchain,
                          pocket_session_latest(&n->status),
                          &proof->servicer_pub_key, 1);

    } else {
        cli_buf_text(b, "null");
    }

    cli_buf_printf(b, ",\"error\":{\"code\":%u,\"codespace\":\"%s\","
                      "\"message\":", err->code, err->codespace);
    cli_buf_json(b, &err->message);
    cli_buf_text(b, "},\"signature\":false}\n");

    demo_answer(c, 400, DEMO_TYPE_JSON, NULL, &b->text);
}
