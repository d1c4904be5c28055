
/*
 * Relays to servicers: signing, sending, judging.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_evidence.h"
#include "ngx_gateway_select_signed.h"
#include "pocket_key.h"

#include <sodium.h>


#define NGX_GATEWAY_SELECT_RELAY_PATH  "/v1/client/relay"


static int64_t ngx_gateway_select_signed_height(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick);
static ngx_int_t ngx_gateway_select_signed_node(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_signed_t *relay, ngx_pool_t *pool);
static ngx_int_t ngx_gateway_select_signed_body(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    gateway_app_t *app, ngx_gateway_select_signed_t *relay,
    pocket_alloc_t *a);
static ngx_int_t ngx_gateway_select_signed_answer(
    ngx_gateway_select_main_conf_t *gmcf, ngx_uint_t verify,
    ngx_gateway_select_signed_t *relay, pocket_alloc_t *a, ngx_pool_t *pool);
static void ngx_gateway_select_signed_cleanup(void *data);


static mesh_http_header_t  ngx_gateway_select_signed_headers[] = {
    { ngx_string("Content-Type"), ngx_string("application/json") }
};


ngx_int_t
ngx_gateway_select_payload(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_payload_t *payload,
    ngx_pool_t *pool)
{
    pocket_alloc_t  a;

    mesh_pool_allocator(pool, &a);

    payload->relay.block_height = ngx_gateway_select_signed_height(gmcf,
                                                                   pick);

    switch (pocket_client_head(&payload->relay, gmcf->hash, payload->hash,
                               (pocket_str_t *) &payload->head, &a))
    {
    case 1:
        return NGX_OK;

    case 0:
        return NGX_DECLINED;

    default:
        return NGX_ERROR;
    }
}


/*
 * Servicers take relays of some blocks around their own height, and are paid
 * for them the longer the higher it is; a session may be known before it.
 */

static int64_t
ngx_gateway_select_signed_height(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick)
{
    uint64_t  height, session;

    height = ngx_gateway_select_zone(gmcf)->sh->block_height;
    session = pick->chain->sessions[pick->session].height;

    return (int64_t) ngx_max(height, session);
}


ngx_int_t
ngx_gateway_select_sign(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_payload_t *payload,
    ngx_uint_t verify, ngx_gateway_select_signed_t *relay, ngx_pool_t *pool)
{
    ngx_int_t        rc;
    gateway_app_t   *app;
    pocket_alloc_t   a;

    ngx_gateway_select_account(pick, &relay->account);

    app = ngx_gateway_select_session_app(gmcf, pick, &relay->height);

    if (app == NULL) {
        return NGX_DECLINED;
    }

    relay->payload = payload;

    rc = ngx_gateway_select_signed_node(gmcf, pick, relay, pool);

    if (rc != NGX_OK) {
        return rc;
    }

    mesh_pool_allocator(pool, &a);

    if (ngx_gateway_select_signed_answer(gmcf, verify, relay, &a, pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gateway_select_signed_body(gmcf, pick, app, relay, &a);
}


/* Key and URL of the node, copied before it is looked whether it still is. */

static ngx_int_t
ngx_gateway_select_signed_node(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_signed_t *relay,
    ngx_pool_t *pool)
{
    ngx_int_t                   rc;
    ngx_str_t                   url;
    const char                 *err;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_node(pick->chain, pick->node);

    url.len = ngx_min(node->url_len, NGX_GATEWAY_SELECT_URL_MAX);
    url.data = ngx_pnalloc(pool, url.len);

    if (url.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(url.data, node->url, url.len);
    ngx_memcpy(relay->key, node->key, sizeof(relay->key));

    relay->servicer.data = relay->key;
    relay->servicer.len = node->sn.str.len;

    ngx_gateway_select_read_barrier();

    if (ngx_gateway_select_generation(pick->chain, pick->node)
        != pick->generation
        || relay->servicer.len != sizeof(relay->key))
    {
        return NGX_DECLINED;
    }

    rc = mesh_http_url_open(gmcf->http, &url, &relay->url, &err);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, pool->log, 0,
                      "invalid URL \"%V\" of servicer \"%V\": %s",
                      &url, &relay->servicer, err);

        relay->url.peer = NULL;
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_gateway_select_signed_answer(ngx_gateway_select_main_conf_t *gmcf,
    ngx_uint_t verify, ngx_gateway_select_signed_t *relay, pocket_alloc_t *a,
    ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (pocket_answer_init(&relay->answer, verify ? gmcf->hash : NULL, a)
        != POCKET_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_gateway_select_signed_cleanup;
    cln->data = &relay->answer;

    return NGX_OK;
}


static void
ngx_gateway_select_signed_cleanup(void *data)
{
    pocket_answer_destroy(data);
}


static ngx_int_t
ngx_gateway_select_signed_body(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, gateway_app_t *app,
    ngx_gateway_select_signed_t *relay, pocket_alloc_t *a)
{
    ngx_str_t        tail, *head;
    pocket_proof_t   proof;

    ngx_memzero(&proof, sizeof(pocket_proof_t));

    randombytes_buf(&proof.entropy, sizeof(int64_t));

    proof.entropy &= INT64_MAX;
    proof.session_block_height = (int64_t) relay->height;
    proof.servicer_pub_key.data = relay->servicer.data;
    proof.servicer_pub_key.len = relay->servicer.len;
    proof.blockchain.data = pick->chain->name;
    proof.blockchain.len = pick->chain->name_len;
    proof.aat = app->aat;

    if (pocket_client_tail(&proof, app->client_key, relay->payload->hash,
                           app->token, gmcf->hash, relay->proof,
                           (pocket_str_t *) &tail, a)
        != POCKET_OK)
    {
        return NGX_ERROR;
    }

    head = &relay->payload->head;

    ngx_memzero(relay->bufs, sizeof(relay->bufs));

    relay->bufs[0].pos = head->data;
    relay->bufs[0].last = head->data + head->len;
    relay->bufs[0].memory = 1;

    relay->bufs[1].pos = tail.data;
    relay->bufs[1].last = tail.data + tail.len;
    relay->bufs[1].memory = 1;

    relay->chain[0].buf = &relay->bufs[0];
    relay->chain[0].next = &relay->chain[1];
    relay->chain[1].buf = &relay->bufs[1];
    relay->chain[1].next = NULL;

    return NGX_OK;
}


mesh_http_exchange_t *
ngx_gateway_select_signed_send(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_signed_t *relay, mesh_http_request_t *rq,
    mesh_http_handler_pt handler, void *data)
{
    ngx_str_set(&rq->method, "POST");
    ngx_str_set(&rq->path, NGX_GATEWAY_SELECT_RELAY_PATH);

    rq->url = &relay->url;
    rq->headers = ngx_gateway_select_signed_headers;
    rq->nheaders = sizeof(ngx_gateway_select_signed_headers)
                   / sizeof(mesh_http_header_t);
    rq->chain = relay->chain;

    return mesh_http_send(gmcf->http, rq, handler, data);
}


ngx_int_t
ngx_gateway_select_signed_read(ngx_gateway_select_signed_t *relay,
    ngx_str_t *piece, ngx_str_t *text)
{
    return pocket_answer_read(&relay->answer, (pocket_str_t *) piece,
                              (pocket_str_t *) text);
}


void
ngx_gateway_select_signed_end(ngx_gateway_select_signed_t *relay,
    ngx_gateway_select_verdict_t *verdict)
{
    verdict->err.len = 0;
    verdict->verdict = pocket_answer_end(&relay->answer,
                                         (pocket_str_t *) &relay->servicer,
                                         relay->proof, &verdict->told,
                                         &verdict->err);
}


void
ngx_gateway_select_signed_judge(ngx_gateway_select_signed_t *relay,
    ngx_str_t *body, ngx_str_t *text, ngx_gateway_select_verdict_t *verdict)
{
    ngx_str_t  piece, part;

    piece = *body;
    ngx_str_null(text);

    /* in one piece nothing is cut: its text is in one part */

    while (ngx_gateway_select_signed_read(relay, &piece, &part) == 1) {
        *text = part;
    }

    ngx_gateway_select_signed_end(relay, verdict);
}


ngx_gateway_select_session_e
ngx_gateway_select_signed_error(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_verdict_t *verdict)
{
    pocket_str_t            space;
    pocket_client_error_t  *error;

    static const pocket_str_t  core = pocket_string("pocketcore");

    error = verdict->told.error;

    if (verdict->told.dispatch.kind == POCKET_JSON_OBJECT) {
        (void) ngx_gateway_select_session_refresh(gmcf, pick,
                                (ngx_str_t *) &verdict->told.dispatch.raw);
    }

    space = error->codespace;

    if (space.len != core.len
        || ngx_strncmp(space.data, core.data, core.len) != 0)
    {
        return NGX_GATEWAY_SELECT_SESSION_FAULT;
    }

    return ngx_gateway_select_session_outcome(gmcf, pick, error->code);
}


void
ngx_gateway_select_signed_forged(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_signed_t *relay,
    ngx_gateway_select_verdict_t *verdict, ngx_str_t *text, size_t size)
{
    ngx_gateway_select_told_t   told;
    ngx_gateway_select_node_t  *node;
    u_char                      proof[2 * POCKET_HASH_LEN];
    u_char                      hash[2 * POCKET_HASH_LEN];

    if (ngx_gateway_select_generation(pick->chain, pick->node)
        != pick->generation)
    {
        return;
    }

    node = ngx_gateway_select_node(pick->chain, pick->node);

    /* who forges all does not make others' evidence go */

    if (ngx_atomic_fetch_add(&node->fresh.forged, 1)) {
        return;
    }

    ngx_memzero(&told, sizeof(ngx_gateway_select_told_t));

    (void) pocket_hex_encode(proof, relay->proof, POCKET_HASH_LEN);
    (void) pocket_hex_encode(hash, verdict->told.hash, POCKET_HASH_LEN);

    told.text = *text;
    told.size = size;
    told.proof.data = proof;
    told.proof.len = sizeof(proof);
    told.hash.data = hash;
    told.hash.len = sizeof(hash);
    told.signature.data = verdict->told.signature.data;
    told.signature.len = verdict->told.signature.len;

    ngx_gateway_select_evidence_signed(gmcf, pick, relay->height, &told);
}


ngx_int_t
ngx_gateway_select_signed_init(ngx_gateway_select_main_conf_t *gmcf)
{
    if (gmcf->apps.n == 0) {
        return NGX_OK;
    }

    gmcf->hash = pocket_hash_create();

    return gmcf->hash ? NGX_OK : NGX_ERROR;
}


void
ngx_gateway_select_signed_exit(ngx_gateway_select_main_conf_t *gmcf)
{
    if (gmcf->hash) {
        pocket_hash_destroy(gmcf->hash);
        gmcf->hash = NULL;
    }
}
