
/*
 * chains.json, and the set of chains in force.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_chains.h"
#include "ngx_mesh_relay_conf.h"
#include "ngx_mesh_relay_shm.h"
#include "ngx_mesh_relay_upstream.h"
#include "mesh_keyfile.h"
#include "pocket_files.h"
#include "pocket_text.h"


#define NGX_MESH_RELAY_CHAINS_MAX   (1024 * 1024)
#define NGX_MESH_RELAY_CHAINS_POOL  4096


typedef void (*ngx_mesh_relay_chain_text_pt)(pocket_text_t *t,
    pocket_request_chain_t *entry);


static ngx_mesh_relay_chain_set_t *ngx_mesh_relay_chain_set_parse(
    ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool, ngx_str_t *text,
    pocket_file_error_t *err);
static ngx_uint_t ngx_mesh_relay_chain_secret(pocket_request_chain_t *entry);
static ngx_int_t ngx_mesh_relay_chain_url(pocket_request_chain_t *entry,
    ngx_str_t *scheme, ngx_str_t *authority, pocket_file_error_t *err);
static ngx_uint_t ngx_mesh_relay_chain_unverified(
    pocket_request_chain_t *entry);
static void ngx_mesh_relay_chain_name(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_chain_t *chain);
static ngx_mesh_relay_chain_set_t *ngx_mesh_relay_chain_set(
    ngx_mesh_relay_main_conf_t *mcf);
static void ngx_mesh_relay_chain_set_load(ngx_mesh_relay_main_conf_t *mcf,
    ngx_uint_t generation);
static void ngx_mesh_relay_chain_set_use(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_chain_set_t *set);
static void ngx_mesh_relay_chain_set_release(void *data);
static ngx_int_t ngx_mesh_relay_chains_write(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text, const char *brackets,
    ngx_mesh_relay_chain_text_pt write);
static void ngx_mesh_relay_chain_entry(pocket_text_t *t,
    pocket_request_chain_t *entry);
static void ngx_mesh_relay_chain_member(pocket_text_t *t,
    pocket_request_chain_t *entry);
static int ngx_libc_cdecl ngx_mesh_relay_chain_cmp(const void *one,
    const void *two);


char *
ngx_mesh_relay_conf_chains(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_relay_main_conf_t *mcf = conf;

    ngx_str_t                    *value, text, scheme, authority;
    ngx_uint_t                    i, secret;
    pocket_file_error_t           err;
    ngx_mesh_relay_chain_t       *chain;
    ngx_mesh_relay_chain_set_t   *set;

    value = cf->args->elts;

    if (mcf->chains_file.data) {
        return "is duplicate";
    }

    mcf->chains_file = value[1];

    if (mesh_keyfile_read_plain(cf, "mesh_relay_chains", &mcf->chains_file,
                                NGX_MESH_RELAY_CHAINS_MAX, &text)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* slices of the text stay in use: it is the configuration's, not wiped */

    set = ngx_mesh_relay_chain_set_parse(mcf, cf->pool, &text, &err);

    if (set == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mesh_relay_chains\": %*s in \"%V\"",
                           err.len, err.text, &mcf->chains_file);
        return NGX_CONF_ERROR;
    }

    secret = 0;
    chain = set->chains.elts;

    for (i = 0; i < set->chains.nelts; i++) {

        /* with a password in it the file is a secret one */

        if (!secret && ngx_mesh_relay_chain_secret(&chain[i].entry)) {
            secret = 1;

            if (mesh_keyfile_read(cf, "mesh_relay_chains", &mcf->chains_file,
                                  NGX_MESH_RELAY_CHAINS_MAX, &text)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }
        }

        (void) ngx_mesh_relay_chain_url(&chain[i].entry, &scheme, &authority,
                                        &err);

        if (ngx_mesh_relay_upstream_declare(cf, mcf, &scheme, &authority)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    mcf->chain_file = set;
    mcf->chain_set = set;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_mesh_relay_chains_init(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                 i;
    ngx_mesh_relay_chain_t    *chain;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    chain = mcf->chain_file->chains.elts;

    for (i = 0; i < mcf->chain_file->chains.nelts; i++) {
        ngx_mesh_relay_chain_name(mcf, &chain[i]);

        if (ngx_mesh_relay_chain_unverified(&chain[i].entry)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "chain \"%*s\" in \"%V\" is https by an address: "
                          "nginx verifies names only, with "
                          "\"proxy_ssl_verify on\" its relays fail",
                          chain[i].entry.id.len, chain[i].entry.id.data,
                          &mcf->chains_file);
        }

        if (chain[i].upstream.len) {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "host of chain \"%*s\" in \"%V\" is not found: %s",
                      chain[i].entry.id.len, chain[i].entry.id.data,
                      &mcf->chains_file,
                      clcf->resolver && clcf->resolver->connections.nelts
                      ? "it is asked of the resolver at each call, "
                        "without kept connections"
                      : "its relays fail until it is and nginx is reloaded");
    }

    return NGX_OK;
}


/*
 * NULL with *err: refused, or no memory.  What the set points to is of pool
 * and of the text.
 */

static ngx_mesh_relay_chain_set_t *
ngx_mesh_relay_chain_set_parse(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text, pocket_file_error_t *err)
{
    size_t                       i;
    ngx_str_t                    scheme, authority;
    pocket_str_t                 in;
    pocket_alloc_t               a;
    pocket_file_chains_t         chains;
    ngx_mesh_relay_chain_t      *chain;
    ngx_mesh_relay_chain_set_t  *set;

    mesh_pool_allocator(pool, &a);

    in.data = text->data;
    in.len = text->len;

    if (pocket_file_chains(&in, &chains, err, &a) != POCKET_OK) {
        return NULL;
    }

    ngx_memzero(err, sizeof(pocket_file_error_t));
    err->type = POCKET_FILE_MEMORY;

    set = ngx_pcalloc(pool, sizeof(ngx_mesh_relay_chain_set_t));
    if (set == NULL) {
        return NULL;
    }

    if (ngx_array_init(&set->chains, pool, ngx_max(chains.nchains, 1),
                       sizeof(ngx_mesh_relay_chain_t))
        != NGX_OK)
    {
        return NULL;
    }

    for (i = 0; i < chains.nchains; i++) {
        chain = ngx_array_push(&set->chains);
        if (chain == NULL) {
            return NULL;
        }

        ngx_str_null(&chain->upstream);
        chain->entry = chains.chains[i];

        if (ngx_mesh_relay_chain_url(&chain->entry, &scheme, &authority, err)
            != NGX_OK)
        {
            return NULL;
        }
    }

    return set;
}


static ngx_uint_t
ngx_mesh_relay_chain_secret(pocket_request_chain_t *entry)
{
    ngx_str_t  url, scheme, authority, rest;

    if (entry->password.len) {
        return 1;
    }

    url.data = entry->url.data;
    url.len = entry->url.len;

    return ngx_mesh_relay_url_split(&url, &scheme, &authority, &rest)
           == NGX_OK
           && ngx_strlchr(authority.data, authority.data + authority.len, '@');
}


static ngx_int_t
ngx_mesh_relay_chain_url(pocket_request_chain_t *entry, ngx_str_t *scheme,
    ngx_str_t *authority, pocket_file_error_t *err)
{
    u_char     *last;
    ngx_str_t   url, rest;

    url.data = entry->url.data;
    url.len = entry->url.len;

    if (ngx_mesh_relay_url_split(&url, scheme, authority, &rest) == NGX_OK
        && authority->len)
    {
        last = authority->data + authority->len;

        /* a name and password in the url are the chain's, not the host's */

        while (ngx_strlchr(authority->data, last, '@')) {
            authority->data = ngx_strlchr(authority->data, last, '@') + 1;
        }

        authority->len = last - authority->data;

        return NGX_OK;
    }

    err->type = POCKET_FILE_SHAPE;
    err->len = ngx_snprintf(err->text, POCKET_FILE_ERROR_LEN,
                            "url of chain \"%*s\" is not http:// or https://",
                            entry->id.len, entry->id.data)
               - err->text;

    return NGX_ERROR;
}


/* X509_check_host(), by which core verifies, matches no address */

static ngx_uint_t
ngx_mesh_relay_chain_unverified(pocket_request_chain_t *entry)
{
    u_char               *last;
    ngx_str_t             scheme, authority;
    pocket_file_error_t   err;

    if (ngx_mesh_relay_chain_url(entry, &scheme, &authority, &err) != NGX_OK
        || scheme.len != sizeof("https") - 1
        || authority.len == 0)
    {
        return 0;
    }

    if (authority.data[0] == '[') {
        return 1;
    }

    last = ngx_strlchr(authority.data, authority.data + authority.len, ':');

    if (last) {
        authority.len = last - authority.data;
    }

    return ngx_inet_addr(authority.data, authority.len) != INADDR_NONE;
}


static void
ngx_mesh_relay_chain_name(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_chain_t *chain)
{
    ngx_str_t            scheme, authority;
    pocket_file_error_t  err;

    if (ngx_mesh_relay_chain_url(&chain->entry, &scheme, &authority, &err)
        == NGX_OK)
    {
        chain->upstream = ngx_mesh_relay_upstream_name(mcf, &scheme,
                                                       &authority);
    }
}


/* the set in force: that of the zone when updatechains put one there */

static ngx_mesh_relay_chain_set_t *
ngx_mesh_relay_chain_set(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t  generation;

    generation = ngx_mesh_relay_chains_generation(mcf);

    if (generation != mcf->chain_set->generation) {

        if (generation == 0) {
            ngx_mesh_relay_chain_set_use(mcf, mcf->chain_file);

        } else {
            ngx_mesh_relay_chain_set_load(mcf, generation);
        }
    }

    return mcf->chain_set;
}


/* on a failure the set before stays, and the next call tries again */

static void
ngx_mesh_relay_chain_set_load(ngx_mesh_relay_main_conf_t *mcf,
    ngx_uint_t generation)
{
    ngx_str_t                    text;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    pocket_file_error_t          err;
    ngx_mesh_relay_chain_t      *chain;
    ngx_mesh_relay_chain_set_t  *set;

    pool = ngx_create_pool(NGX_MESH_RELAY_CHAINS_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    if (ngx_mesh_relay_chains_get(mcf, pool, &text, &generation) != NGX_OK) {
        ngx_destroy_pool(pool);
        return;
    }

    set = ngx_mesh_relay_chain_set_parse(mcf, pool, &text, &err);

    if (set == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    set->pool = pool;
    set->generation = generation;
    set->refs = 1;

    chain = set->chains.elts;

    for (i = 0; i < set->chains.nelts; i++) {
        ngx_mesh_relay_chain_name(mcf, &chain[i]);

        if (chain[i].upstream.len == 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "chain \"%*s\" has a new host: no connections "
                          "to it are kept until a reload",
                          chain[i].entry.id.len, chain[i].entry.id.data);
        }
    }

    ngx_mesh_relay_chain_set_use(mcf, set);
}


static void
ngx_mesh_relay_chain_set_use(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_chain_set_t *set)
{
    ngx_mesh_relay_chain_set_t  *old;

    old = mcf->chain_set;
    mcf->chain_set = set;

    if (old != mcf->chain_file) {
        ngx_mesh_relay_chain_set_release(old);
    }
}


static void
ngx_mesh_relay_chain_set_release(void *data)
{
    ngx_mesh_relay_chain_set_t *set = data;

    if (--set->refs == 0) {
        ngx_destroy_pool(set->pool);
    }
}


ngx_mesh_relay_chain_t *
ngx_mesh_relay_chain_find(ngx_mesh_relay_main_conf_t *mcf,
    ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_mesh_relay_chain_t      *chain;
    ngx_mesh_relay_chain_set_t  *set;

    set = ngx_mesh_relay_chain_set(mcf);
    chain = set->chains.elts;

    for (i = 0; i < set->chains.nelts; i++) {
        if (chain[i].entry.id.len == id->len
            && ngx_memcmp(chain[i].entry.id.data, id->data, id->len) == 0)
        {
            break;
        }
    }

    if (i == set->chains.nelts) {
        return NULL;
    }

    if (r && set->pool) {
        cln = ngx_pool_cleanup_add(r->pool, 0);
        if (cln == NULL) {
            return NULL;
        }

        cln->handler = ngx_mesh_relay_chain_set_release;
        cln->data = set;
        set->refs++;
    }

    return &chain[i];
}


ngx_array_t *
ngx_mesh_relay_chains(ngx_mesh_relay_main_conf_t *mcf)
{
    return &ngx_mesh_relay_chain_set(mcf)->chains;
}


ngx_int_t
ngx_mesh_relay_chains_replace(ngx_mesh_relay_main_conf_t *mcf,
    ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *err)
{
    pocket_file_error_t  e;

    if (ngx_mesh_relay_chain_set_parse(mcf, pool, text, &e) == NULL) {

        if (e.type == POCKET_FILE_MEMORY) {
            return NGX_ERROR;
        }

        err->len = e.len;
        err->data = ngx_pnalloc(pool, e.len);

        if (err->data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(err->data, e.text, e.len);

        return NGX_DECLINED;
    }

    return ngx_mesh_relay_chains_set(mcf, text);
}


ngx_int_t
ngx_mesh_relay_chains_text(ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool,
    ngx_str_t *text)
{
    return ngx_mesh_relay_chains_write(mcf, pool, text, "[]",
                                       ngx_mesh_relay_chain_entry);
}


ngx_int_t
ngx_mesh_relay_chains_by_id(ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool,
    ngx_str_t *text)
{
    return ngx_mesh_relay_chains_write(mcf, pool, text, "{}\n",
                                       ngx_mesh_relay_chain_member);
}


/* brackets: the opening one, the closing one and what follows it */

static ngx_int_t
ngx_mesh_relay_chains_write(ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool,
    ngx_str_t *text, const char *brackets, ngx_mesh_relay_chain_text_pt write)
{
    size_t                       size;
    u_char                      *buf, count[POCKET_TEXT_MIN];
    ngx_uint_t                   i, n, pass;
    pocket_text_t                t;
    ngx_mesh_relay_chain_t     **sorted, *chain;
    ngx_mesh_relay_chain_set_t  *set;

    set = ngx_mesh_relay_chain_set(mcf);
    chain = set->chains.elts;
    n = set->chains.nelts;

    sorted = ngx_palloc(pool, ngx_max(n, 1) * sizeof(*sorted));
    if (sorted == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        sorted[i] = &chain[i];
    }

    ngx_qsort(sorted, n, sizeof(*sorted), ngx_mesh_relay_chain_cmp);

    buf = count;
    size = POCKET_TEXT_MIN;

    /* counted first, then written to a buffer that holds it all */

    for (pass = 0; pass < 2; pass++) {

        pocket_text_init(&t, buf, size, NULL, NULL);
        pocket_text_raw(&t, brackets, 1);

        for (i = 0; i < n; i++) {
            if (i) {
                pocket_text_literal(&t, ",");
            }

            write(&t, &sorted[i]->entry);
        }

        pocket_text_raw(&t, brackets + 1, ngx_strlen(brackets + 1));

        text->len = pocket_text_end(&t);

        if (pass == 0) {
            size = text->len + POCKET_TEXT_MIN;

            buf = ngx_pnalloc(pool, size);
            if (buf == NULL) {
                return NGX_ERROR;
            }
        }
    }

    text->data = buf;

    return NGX_OK;
}


static void
ngx_mesh_relay_chain_entry(pocket_text_t *t, pocket_request_chain_t *entry)
{
    pocket_text_literal(t, "{\"id\":");
    pocket_text_string(t, &entry->id);
    pocket_text_literal(t, ",\"url\":");
    pocket_text_string(t, &entry->url);
    pocket_text_literal(t, ",\"basic_auth\":{\"username\":");
    pocket_text_string(t, &entry->username);
    pocket_text_literal(t, ",\"password\":");
    pocket_text_string(t, &entry->password);
    pocket_text_literal(t, "}}");
}


/* all keys sorted, as the reference's maps come out */

static void
ngx_mesh_relay_chain_member(pocket_text_t *t, pocket_request_chain_t *entry)
{
    pocket_text_string(t, &entry->id);
    pocket_text_literal(t, ":{\"basic_auth\":{\"password\":");
    pocket_text_string(t, &entry->password);
    pocket_text_literal(t, ",\"username\":");
    pocket_text_string(t, &entry->username);
    pocket_text_literal(t, "},\"id\":");
    pocket_text_string(t, &entry->id);
    pocket_text_literal(t, ",\"url\":");
    pocket_text_string(t, &entry->url);
    pocket_text_literal(t, "}");
}


static int ngx_libc_cdecl
ngx_mesh_relay_chain_cmp(const void *one, const void *two)
{
    ngx_mesh_relay_chain_t  *a, *b;

    a = *(ngx_mesh_relay_chain_t **) one;
    b = *(ngx_mesh_relay_chain_t **) two;

    return (int) ngx_memn2cmp(a->entry.id.data, b->entry.id.data,
                              a->entry.id.len, b->entry.id.len);
}
