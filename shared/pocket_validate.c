
#include "pocket_validate.h"

#include "pocket_key.h"
#include "pocket_session.h"

#include <string.h>


/* what one check leaves for those after it */

typedef struct {
    const pocket_validate_t      *v;
    const pocket_relay_t         *relay;
    const pocket_node_status_t   *node;
    pocket_relay_hashes_t        *hashes;
    unsigned char                 app[POCKET_PUBKEY_LEN];
} pocket_validate_ctx_t;


typedef pocket_error_id_e (*pocket_validate_pt)(pocket_validate_ctx_t *ctx);


static pocket_error_id_e pocket_validate_servicer(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_node(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_payload(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_meta(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_app(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_chain(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_request_hash(
    pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_hosted(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_height(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_entropy(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_aat(pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_aat_signature(
    pocket_validate_ctx_t *ctx);
static pocket_error_id_e pocket_validate_signature(
    pocket_validate_ctx_t *ctx);


static const pocket_str_t  pocket_validate_version = pocket_string("0.0.1");


/*
 * In the reference's order, by the numbers of the spec.  13 to 15 cannot
 * fail after 1, 8 and 9.
 */

static const pocket_validate_pt  pocket_validate_checks[] = {
    pocket_validate_servicer,              /* 1, 2 */
    pocket_validate_node,                  /* 3 to 5 */
    pocket_validate_payload,               /* 6 */
    pocket_validate_meta,                  /* 6b */
    pocket_validate_app,                   /* 7 */
    pocket_validate_chain,                 /* 8 */
    pocket_validate_request_hash,          /* 9 */
    pocket_validate_hosted,                /* 10 */
    pocket_validate_height,                /* 11, 12 */
    pocket_validate_entropy,               /* 16 */
    pocket_validate_aat,                   /* 17 */
    pocket_validate_aat_signature,
    pocket_validate_signature              /* 18 */
};


int
pocket_validate_static(const pocket_validate_t *v,
    const pocket_relay_t *relay, pocket_relay_hashes_t *hashes,
    pocket_error_t *err)
{
    size_t                 i;
    pocket_error_id_e      id;
    pocket_validate_ctx_t  ctx;

    memset(&ctx, 0, sizeof(pocket_validate_ctx_t));

    ctx.v = v;
    ctx.relay = relay;
    ctx.hashes = hashes;

    for (i = 0;
         i < sizeof(pocket_validate_checks) / sizeof(pocket_validate_pt);
         i++)
    {
        id = pocket_validate_checks[i](&ctx);

        if (id != POCKET_ERR_NONE) {
            pocket_error_set(err, id);
            return POCKET_ERROR;
        }
    }

    return POCKET_OK;
}


static pocket_error_id_e
pocket_validate_servicer(pocket_validate_ctx_t *ctx)
{
    unsigned char  key[POCKET_PUBKEY_LEN];

    switch (pocket_key_servicer(&ctx->relay->proof.servicer_pub_key, key)) {

    case POCKET_SERVICER_KEY:
        break;

    case POCKET_SERVICER_SECP256K1:
        return POCKET_ERR_SERVICER_UNKNOWN;

    default: /* POCKET_SERVICER_BAD */
        return POCKET_ERR_SERVICER_KEY;
    }

    if (ctx->v->servicer(ctx->v->data, key, &ctx->node) != 1) {
        return POCKET_ERR_SERVICER_UNKNOWN;
    }

    return POCKET_ERR_NONE;
}


static pocket_error_id_e
pocket_validate_node(pocket_validate_ctx_t *ctx)
{
    return pocket_session_node_error(ctx->node);
}


static pocket_error_id_e
pocket_validate_payload(pocket_validate_ctx_t *ctx)
{
    const pocket_payload_t  *payload;

    payload = &ctx->relay->payload;

    return (payload->data.len || payload->path.len)
           ? POCKET_ERR_NONE : POCKET_ERR_PAYLOAD_EMPTY;
}


static pocket_error_id_e
pocket_validate_meta(pocket_validate_ctx_t *ctx)
{
    return pocket_session_in_sync(ctx->node, ctx->relay->block_height)
           ? POCKET_ERR_NONE : POCKET_ERR_OUT_OF_SYNC;
}


static pocket_error_id_e
pocket_validate_app(pocket_validate_ctx_t *ctx)
{
    size_t  len;

    if (pocket_hex_decode(&ctx->relay->proof.aat.app_pub_key, ctx->app,
                          POCKET_PUBKEY_LEN, &len)
        != POCKET_OK)
    {
        return POCKET_ERR_KEY_HEX;
    }

    return (len == POCKET_PUBKEY_LEN) ? POCKET_ERR_NONE
                                      : POCKET_ERR_KEY_SIZE;
}


static pocket_error_id_e
pocket_validate_chain(pocket_validate_ctx_t *ctx)
{
    size_t         len;
    unsigned char  chain[POCKET_CHAIN_LEN];

    if (pocket_hex_decode(&ctx->relay->proof.blockchain, chain,
                          POCKET_CHAIN_LEN, &len)
        != POCKET_OK
        || len == 0 || len > POCKET_CHAIN_LEN)
    {
        return POCKET_ERR_CHAIN_EMPTY;
    }

    return POCKET_ERR_NONE;
}


static pocket_error_id_e
pocket_validate_request_hash(pocket_validate_ctx_t *ctx)
{
    unsigned char        hex[2 * POCKET_HASH_LEN];
    const pocket_str_t  *claimed;

    if (pocket_hash_request(ctx->v->hash, ctx->relay, ctx->hashes->request)
        != POCKET_OK)
    {
        return POCKET_ERR_INTERNAL;
    }

    (void) pocket_hex_encode(hex, ctx->hashes->request, POCKET_HASH_LEN);

    claimed = &ctx->relay->proof.request_hash;

    if (claimed->len != sizeof(hex)
        || memcmp(claimed->data, hex, sizeof(hex)) != 0)
    {
        return POCKET_ERR_REQUEST_HASH;
    }

    return POCKET_ERR_NONE;
}


static pocket_error_id_e
pocket_validate_hosted(pocket_validate_ctx_t *ctx)
{
    return (ctx->v->chain(ctx->v->data, &ctx->relay->proof.blockchain) == 1)
           ? POCKET_ERR_NONE : POCKET_ERR_CHAIN_NOT_HOSTED;
}


/* a height ahead of the node is the session's to judge */

static pocket_error_id_e
pocket_validate_height(pocket_validate_ctx_t *ctx)
{
    int64_t  s;

    s = ctx->relay->proof.session_block_height;

    return (pocket_session_admit(ctx->node, s) == POCKET_HEIGHT_REFUSE)
           ? POCKET_ERR_BLOCK_HEIGHT : POCKET_ERR_NONE;
}


static pocket_error_id_e
pocket_validate_entropy(pocket_validate_ctx_t *ctx)
{
    return (ctx->relay->proof.entropy >= 0) ? POCKET_ERR_NONE
                                            : POCKET_ERR_ENTROPY;
}


/* the app key's form was seen at 7 */

static pocket_error_id_e
pocket_validate_aat(pocket_validate_ctx_t *ctx)
{
    size_t               len;
    unsigned char        key[POCKET_PUBKEY_LEN];
    const pocket_aat_t  *aat;

    aat = &ctx->relay->proof.aat;

    if (aat->version.len == 0) {
        return POCKET_ERR_AAT_VERSION_MISSING;
    }

    if (aat->version.len != pocket_validate_version.len
        || memcmp(aat->version.data, pocket_validate_version.data,
                  aat->version.len)
           != 0)
    {
        return POCKET_ERR_AAT_VERSION;
    }

    if (aat->client_pub_key.len == 0) {
        return POCKET_ERR_AAT_CLIENT_KEY;
    }

    if (pocket_hex_decode(&aat->client_pub_key, key, POCKET_PUBKEY_LEN, &len)
        != POCKET_OK)
    {
        return POCKET_ERR_AAT_CLIENT_KEY_HEX;
    }

    return (len == POCKET_PUBKEY_LEN) ? POCKET_ERR_NONE
                                      : POCKET_ERR_AAT_CLIENT_KEY_SIZE;
}


static pocket_error_id_e
pocket_validate_aat_signature(pocket_validate_ctx_t *ctx)
{
    size_t                    len;
    unsigned char             signature[POCKET_SIG_LEN];
    const pocket_aat_t       *aat;
    const pocket_validate_t  *v;

    v = ctx->v;
    aat = &ctx->relay->proof.aat;

    if (pocket_hash_aat(v->hash, aat, ctx->hashes->aat) != POCKET_OK) {
        return POCKET_ERR_INTERNAL;
    }

    if (pocket_hex_decode(&aat->signature, signature, POCKET_SIG_LEN, &len)
        != POCKET_OK
        || len != POCKET_SIG_LEN)
    {
        return POCKET_ERR_AAT_SIGNATURE;
    }

    if (v->aats
        && pocket_aat_cache_find(v->aats, ctx->hashes->aat, signature))
    {
        return POCKET_ERR_NONE;
    }

    if (!pocket_key_verify(ctx->app, ctx->hashes->aat, signature)) {
        return POCKET_ERR_AAT_SIGNATURE;
    }

    if (v->aats) {
        pocket_aat_cache_add(v->aats, ctx->hashes->aat, signature);
    }

    return POCKET_ERR_NONE;
}


static pocket_error_id_e
pocket_validate_signature(pocket_validate_ctx_t *ctx)
{
    const pocket_proof_t  *proof;

    proof = &ctx->relay->proof;

    if (pocket_hash_proof(ctx->v->hash, proof, ctx->hashes->aat,
                          ctx->hashes->proof)
        != POCKET_OK)
    {
        return POCKET_ERR_INTERNAL;
    }

    return pocket_key_check(&proof->aat.client_pub_key, ctx->hashes->proof,
                            &proof->signature);
}
