
/*
 * The key file: full nodes and their servicers.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_conf.h"
#include "ngx_mesh_relay_upstream.h"
#include "mesh_keyfile.h"
#include "pocket_files.h"

#include <sodium.h>


#define NGX_MESH_RELAY_KEYS_MAX        (8 * 1024 * 1024)
#define NGX_MESH_RELAY_NODE_NAME_MAX   255


static ngx_int_t ngx_mesh_relay_servicers_read(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *text,
    pocket_file_keys_t *keys);
static ngx_int_t ngx_mesh_relay_servicers_nodes(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, pocket_file_keys_t *keys);
static ngx_int_t ngx_mesh_relay_servicers_name(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_node_t *node);
static ngx_int_t ngx_mesh_relay_servicers_upstream(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_node_t *node);
static ngx_int_t ngx_mesh_relay_servicers_add(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, pocket_file_keys_t *keys);
static ngx_int_t ngx_mesh_relay_servicers_table(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf);
static ngx_uint_t ngx_mesh_relay_servicers_hash(u_char *pk);


char *
ngx_mesh_relay_conf_servicers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    ngx_str_t           *value, text;
    pocket_file_keys_t   keys;

    value = cf->args->elts;

    if (mcf->servicers_file.data) {
        return "is duplicate";
    }

    if (sodium_init() < 0) {
        return "needs libsodium, which does not start";
    }

    mcf->servicers_file = value[1];

    if (ngx_mesh_relay_servicers_read(cf, mcf, &text, &keys) != NGX_OK
        || ngx_mesh_relay_servicers_nodes(cf, mcf, &keys) != NGX_OK
        || ngx_mesh_relay_servicers_add(cf, mcf, &keys) != NGX_OK
        || ngx_mesh_relay_servicers_table(cf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_explicit_memzero(text.data, text.len);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mesh_relay_servicers_read(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *text, pocket_file_keys_t *keys)
{
    pocket_str_t         in;
    pocket_alloc_t       a, secret;
    pocket_file_error_t  err;

    if (mesh_keyfile_read(cf, "mesh_relay_servicers", &mcf->servicers_file,
                          NGX_MESH_RELAY_KEYS_MAX, text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    in.data = text->data;
    in.len = text->len;

    mesh_pool_allocator(cf->pool, &a);

    secret.alloc = mesh_secret_conf_alloc;
    secret.data = cf;

    if (pocket_file_keys(&in, keys, &err, &a, &secret) != POCKET_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_servicers\": %*s in \"%V\"",
                           err.len, err.text, &mcf->servicers_file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the strings are slices of the text, which is wiped: they are copied */

static ngx_int_t
ngx_mesh_relay_servicers_nodes(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, pocket_file_keys_t *keys)
{
    size_t                  i;
    const char             *err;
    ngx_str_t               s;
    ngx_mesh_relay_node_t  *node;

    if (ngx_array_init(&mcf->nodes, cf->pool, keys->nnodes,
                       sizeof(ngx_mesh_relay_node_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < keys->nnodes; i++) {
        node = ngx_array_push(&mcf->nodes);
        if (node == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(node, sizeof(ngx_mesh_relay_node_t));

        node->index = i;

        s.len = keys->nodes[i].url.len;
        s.data = keys->nodes[i].url.data;
        node->url.len = s.len;
        node->url.data = ngx_pstrdup(cf->pool, &s);

        s.len = keys->nodes[i].name.len;
        s.data = keys->nodes[i].name.data;
        node->name.len = s.len;
        node->name.data = ngx_pstrdup(cf->pool, &s);

        if (node->url.data == NULL || node->name.data == NULL
            || ngx_array_init(&node->servicers, cf->pool,
                              keys->nodes[i].nservicers,
                              sizeof(ngx_mesh_relay_servicer_t *))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_mesh_relay_servicers_name(cf, mcf, node) != NGX_OK) {
            return NGX_ERROR;
        }

        node->endpoint = mesh_http_url_parse(cf, mcf->node_http, &node->url,
                                             &err);
        if (node->endpoint == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mesh_relay_servicers\": %s in url \"%V\" "
                               "in \"%V\"", err, &node->url,
                               &mcf->servicers_file);
            return NGX_ERROR;
        }

        if (ngx_mesh_relay_servicers_upstream(cf, mcf, node) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the name stands in braces in Redis keys, and tells two queues apart */

static ngx_int_t
ngx_mesh_relay_servicers_name(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node)
{
    u_char                  ch;
    size_t                  i;
    ngx_uint_t              n;
    ngx_mesh_relay_node_t  *other;

    if (node->name.len == 0
        || node->name.len > NGX_MESH_RELAY_NODE_NAME_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_servicers\": name \"%V\" of node "
                           "\"%V\" in \"%V\" is empty or above %d bytes",
                           &node->name, &node->url, &mcf->servicers_file,
                           NGX_MESH_RELAY_NODE_NAME_MAX);
        return NGX_ERROR;
    }

    for (i = 0; i < node->name.len; i++) {
        ch = node->name.data[i];

        if (ch < 0x20 || ch == 0x7f || ch == '{' || ch == '}') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mesh_relay_servicers\": brace or control "
                               "character in name of node \"%V\" in \"%V\"",
                               &node->url, &mcf->servicers_file);
            return NGX_ERROR;
        }
    }

    other = mcf->nodes.elts;

    for (n = 0; n < node->index; n++) {
        if (other[n].name.len == node->name.len
            && ngx_memcmp(other[n].name.data, node->name.data, node->name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"mesh_relay_servicers\": nodes \"%V\" and "
                               "\"%V\" in \"%V\" have one name \"%V\"",
                               &other[n].url, &node->url,
                               &mcf->servicers_file, &node->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_servicers_upstream(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_node_t *node)
{
    ngx_str_t  scheme, authority, rest;

    if (ngx_mesh_relay_url_split(&node->url, &scheme, &authority, &rest)
        != NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_mesh_relay_upstream_declare(cf, mcf, &scheme, &authority);
}


static ngx_int_t
ngx_mesh_relay_servicers_add(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf,
    pocket_file_keys_t *keys)
{
    size_t                       i;
    ngx_mesh_relay_node_t       *node;
    ngx_mesh_relay_servicer_t   *servicer, **ref;

    if (ngx_array_init(&mcf->servicers, cf->pool, keys->nservicers,
                       sizeof(ngx_mesh_relay_servicer_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    node = mcf->nodes.elts;

    for (i = 0; i < keys->nservicers; i++) {

        /* never moves: the array has its full size */

        servicer = ngx_array_push(&mcf->servicers);
        if (servicer == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(servicer->public_key, keys->servicers[i].public_key,
                   POCKET_PUBKEY_LEN);

        (void) pocket_hex_encode(servicer->address,
                                 keys->servicers[i].address,
                                 POCKET_ADDR_LEN);

        servicer->private_key = keys->servicers[i].private_key;
        servicer->node = &node[keys->servicers[i].node];
        servicer->index = i;

        ref = ngx_array_push(&servicer->node->servicers);
        if (ref == NULL) {
            return NGX_ERROR;
        }

        *ref = servicer;
    }

    return NGX_OK;
}


/* at most half full, so that a probe ends soon */

static ngx_int_t
ngx_mesh_relay_servicers_table(ngx_conf_t *cf,
    ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                  i, n, size;
    ngx_mesh_relay_servicer_t  *servicer;

    for (size = 16; size < 2 * mcf->servicers.nelts; size *= 2) {
        /* void */
    }

    mcf->servicer_table = ngx_pcalloc(cf->pool, size * sizeof(ngx_uint_t));
    if (mcf->servicer_table == NULL) {
        return NGX_ERROR;
    }

    mcf->servicer_mask = size - 1;

    servicer = mcf->servicers.elts;

    for (i = 0; i < mcf->servicers.nelts; i++) {
        n = ngx_mesh_relay_servicers_hash(servicer[i].public_key);

        while (mcf->servicer_table[n & mcf->servicer_mask]) {
            n++;
        }

        mcf->servicer_table[n & mcf->servicer_mask] = i + 1;
    }

    return NGX_OK;
}


/* a public key is as good as random: its first bytes will do */

static ngx_uint_t
ngx_mesh_relay_servicers_hash(u_char *pk)
{
    uint32_t  hash;

    ngx_memcpy(&hash, pk, sizeof(uint32_t));

    return hash;
}


ngx_mesh_relay_servicer_t *
ngx_mesh_relay_find_servicer(ngx_mesh_relay_main_conf_t *mcf, u_char *pk)
{
    ngx_uint_t                  n, i;
    ngx_mesh_relay_servicer_t  *servicer;

    if (mcf->servicers.nelts == 0) {
        return NULL;
    }

    servicer = mcf->servicers.elts;

    n = ngx_mesh_relay_servicers_hash(pk);

    for ( ;; ) {
        i = mcf->servicer_table[n & mcf->servicer_mask];

        if (i == 0) {
            return NULL;
        }

        if (ngx_memcmp(servicer[i - 1].public_key, pk, POCKET_PUBKEY_LEN)
            == 0)
        {
            return &servicer[i - 1];
        }

        n++;
    }
}


ngx_int_t
ngx_mesh_relay_servicers_init(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_str_t               scheme, authority, rest;
    ngx_mesh_relay_node_t  *node;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {
        if (ngx_mesh_relay_url_split(&node[i].url, &scheme, &authority, &rest)
            == NGX_OK)
        {
            node[i].upstream = ngx_mesh_relay_upstream_name(mcf, &scheme,
                                                            &authority);
        }
    }

    return NGX_OK;
}
