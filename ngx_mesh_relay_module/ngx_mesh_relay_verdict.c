
/*
 * The checks of a relay before its session is looked at.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_chains.h"
#include "ngx_mesh_relay_verdict.h"


#define NGX_MESH_RELAY_AATS  1024


typedef struct {
    ngx_mesh_relay_main_conf_t    *mcf;
    ngx_mesh_relay_session_key_t  *key;
    ngx_mesh_relay_node_view_t     view;
} ngx_mesh_relay_verdict_t;


static int ngx_mesh_relay_verdict_servicer(void *data,
    const unsigned char *public_key, const pocket_node_status_t **node);
static int ngx_mesh_relay_verdict_chain(void *data, const pocket_str_t *id);


ngx_int_t
ngx_mesh_relay_verdict(ngx_mesh_relay_main_conf_t *mcf, pocket_relay_t *relay,
    pocket_relay_hashes_t *hashes, ngx_mesh_relay_session_key_t *key,
    pocket_error_t *err)
{
    int                       rc;
    pocket_validate_t         v;
    ngx_mesh_relay_verdict_t  ctx;

    ngx_memzero(key, sizeof(ngx_mesh_relay_session_key_t));

    ctx.mcf = mcf;
    ctx.key = key;

    v.servicer = ngx_mesh_relay_verdict_servicer;
    v.chain = ngx_mesh_relay_verdict_chain;
    v.data = &ctx;
    v.hash = mcf->hash;
    v.aats = mcf->aats;

    rc = pocket_validate_static(&v, relay, hashes, err);

    key->app.len = relay->proof.aat.app_pub_key.len;
    key->app.data = relay->proof.aat.app_pub_key.data;
    key->chain.len = relay->proof.blockchain.len;
    key->chain.data = relay->proof.blockchain.data;
    key->height = relay->proof.session_block_height;

    return (rc == POCKET_OK) ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_mesh_relay_verdict_early(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, pocket_error_t *err)
{
    ngx_mesh_relay_node_view_t  view;

    if (err->id != POCKET_ERR_NODE_UNAVAILABLE
        || ngx_current_msec - mcf->started >= mcf->session_timeout)
    {
        return 0;
    }

    ngx_mesh_relay_node_view(mcf, key->servicer->node, &view);

    return !view.known;
}


static int
ngx_mesh_relay_verdict_servicer(void *data, const unsigned char *public_key,
    const pocket_node_status_t **node)
{
    ngx_mesh_relay_verdict_t *ctx = data;

    ngx_mesh_relay_servicer_t  *servicer;

    servicer = ngx_mesh_relay_find_servicer(ctx->mcf, (u_char *) public_key);

    if (servicer == NULL) {
        return 0;
    }

    ctx->key->servicer = servicer;

    ngx_mesh_relay_node_view(ctx->mcf, servicer->node, &ctx->view);

    *node = ctx->view.in_grace ? &ctx->view.status : NULL;

    return 1;
}


static int
ngx_mesh_relay_verdict_chain(void *data, const pocket_str_t *id)
{
    ngx_mesh_relay_verdict_t *ctx = data;

    ngx_str_t  name;

    name.len = id->len;
    name.data = id->data;

    return ngx_mesh_relay_chain_find(ctx->mcf, NULL, &name) != NULL;
}


ngx_int_t
ngx_mesh_relay_verdict_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_main_conf_t *mcf)
{
    void  *memory;

    mcf->hash = pocket_hash_create();

    if (mcf->hash == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "OpenSSL provides no SHA3-256");
        return NGX_ERROR;
    }

    memory = ngx_alloc(pocket_aat_cache_size(NGX_MESH_RELAY_AATS),
                       cycle->log);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    mcf->aats = pocket_aat_cache_init(memory, NGX_MESH_RELAY_AATS);

    return NGX_OK;
}


void
ngx_mesh_relay_verdict_exit(ngx_mesh_relay_main_conf_t *mcf)
{
    if (mcf->hash) {
        pocket_hash_destroy(mcf->hash);
        mcf->hash = NULL;
    }

    if (mcf->aats) {
        ngx_free(mcf->aats);
        mcf->aats = NULL;
    }
}
