
/*
 * The key file, in both of its formats.
 */


#include "pocket_files.h"

#include "pocket_json.h"
#include "pocket_key.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* a private key in hex, even with each digit escaped */
#define POCKET_FILE_KEY_ROOM  (6 * 2 * POCKET_PRIVKEY_LEN)


/* an entry of the key file, in either format */

typedef struct {
    pocket_json_value_t      name;
    pocket_json_value_t      url;
    pocket_json_value_t      keys;
    pocket_json_value_t      priv_key;
    pocket_json_value_t      servicer_url;
} pocket_file_entry_t;


/* memory for one escaped key at a time, wiped after it */

typedef struct {
    size_t                   used;
    unsigned char            data[POCKET_FILE_KEY_ROOM];
} pocket_file_scratch_t;


typedef struct {
    pocket_file_keys_t      *out;
    size_t                   max;         /* room for servicers */
    pocket_file_error_t     *err;
    pocket_alloc_t          *alloc;
    pocket_alloc_t          *secret;
} pocket_file_ctx_t;


static int pocket_file_entry_old(pocket_file_ctx_t *ctx, size_t n,
    const pocket_file_entry_t *entry);
static int pocket_file_entry_new(pocket_file_ctx_t *ctx, size_t n,
    const pocket_file_entry_t *entry);
static int pocket_file_text(pocket_file_ctx_t *ctx, size_t n,
    const char *field, const pocket_json_value_t *value, pocket_str_t *out);
static int pocket_file_node(pocket_file_ctx_t *ctx, size_t n,
    const pocket_str_t *url, const pocket_str_t *name, size_t *node);
static int pocket_file_host(const pocket_str_t *url, pocket_str_t *host);
static int pocket_file_host_error(pocket_file_ctx_t *ctx, size_t n,
    const pocket_str_t *url);
static int pocket_file_key(pocket_file_ctx_t *ctx, size_t n, size_t k,
    const pocket_json_value_t *value, size_t node);
static pocket_key_error_e pocket_file_key_read(
    const pocket_json_value_t *value, unsigned char *key);
static void *pocket_file_scratch(void *data, size_t size);
static pocket_file_servicer_t *pocket_file_servicer(pocket_file_ctx_t *ctx);
static int pocket_file_unique(pocket_file_ctx_t *ctx);
static int pocket_file_servicer_cmp(const void *one, const void *two);
static unsigned pocket_file_equal(const pocket_str_t *one,
    const pocket_str_t *two);


static const pocket_json_field_t  pocket_file_entry_fields[] = {
    pocket_json_field("name", VALUE, pocket_file_entry_t, name),
    pocket_json_field("url", VALUE, pocket_file_entry_t, url),
    pocket_json_field("keys", VALUE, pocket_file_entry_t, keys),
    pocket_json_field("priv_key", VALUE, pocket_file_entry_t, priv_key),
    pocket_json_field("servicer_url", VALUE, pocket_file_entry_t, servicer_url)
};

static const pocket_json_table_t  pocket_file_entry_table =
    pocket_json_table(pocket_file_entry_fields, pocket_file_entry_t);

static const pocket_json_field_t  pocket_file_entry_elt =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_file_entry_table };

static const pocket_json_table_t  pocket_file_entries_table =
    { &pocket_file_entry_elt, 1, sizeof(pocket_file_entry_t) };

static const pocket_json_field_t  pocket_file_entries_root =
    { pocket_string(""), POCKET_JSON_T_ARRAY, 0, &pocket_file_entries_table };


static const pocket_json_field_t  pocket_file_key_elt =
    { pocket_string(""), POCKET_JSON_T_VALUE, 0, NULL };

static const pocket_json_table_t  pocket_file_keys_table =
    { &pocket_file_key_elt, 1, sizeof(pocket_json_value_t) };

static const pocket_json_field_t  pocket_file_keys_root =
    { pocket_string("keys"), POCKET_JSON_T_ARRAY, 0, &pocket_file_keys_table };


int
pocket_file_keys(const pocket_str_t *text, pocket_file_keys_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a, pocket_alloc_t *secret)
{
    size_t                i;
    unsigned              is_old;
    pocket_file_ctx_t     ctx;
    pocket_json_array_t   entries;
    pocket_file_entry_t  *entry;

    memset(out, 0, sizeof(pocket_file_keys_t));
    memset(&entries, 0, sizeof(pocket_json_array_t));

    if (pocket_file_decode(text, &pocket_file_entries_root, &entries, err, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (entries.n == 0) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE, "there are no entries");
    }

    out->nodes = pocket_alloc(a, entries.n * sizeof(pocket_file_node_t));
    if (out->nodes == NULL) {
        return pocket_file_memory(err);
    }

    ctx.out = out;
    ctx.max = 0;
    ctx.err = err;
    ctx.alloc = a;
    ctx.secret = secret;

    entry = entries.elts;

    is_old = (entry->priv_key.kind != POCKET_JSON_NULL
              && entry->servicer_url.kind != POCKET_JSON_NULL);

    for (i = 0; i < entries.n; i++) {

        if ((is_old ? pocket_file_entry_old(&ctx, i + 1, &entry[i])
                    : pocket_file_entry_new(&ctx, i + 1, &entry[i]))
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }
    }

    return pocket_file_unique(&ctx);
}


static int
pocket_file_entry_old(pocket_file_ctx_t *ctx, size_t n,
    const pocket_file_entry_t *entry)
{
    size_t        node;
    pocket_str_t  url;

    static const pocket_str_t  no_name = { 0, NULL };

    if (pocket_file_text(ctx, n, "servicer_url", &entry->servicer_url, &url)
        != POCKET_OK
        || pocket_file_node(ctx, n, &url, &no_name, &node) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    return pocket_file_key(ctx, n, 0, &entry->priv_key, node);
}


static int
pocket_file_entry_new(pocket_file_ctx_t *ctx, size_t n,
    const pocket_file_entry_t *entry)
{
    size_t                i, node;
    pocket_str_t          url, name;
    pocket_json_array_t   keys;
    pocket_json_value_t  *key;

    if (pocket_file_text(ctx, n, "name", &entry->name, &name) != POCKET_OK
        || pocket_file_text(ctx, n, "url", &entry->url, &url) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    memset(&keys, 0, sizeof(pocket_json_array_t));

    if (entry->keys.kind == POCKET_JSON_ARRAY
        && pocket_file_decode(&entry->keys.raw, &pocket_file_keys_root, &keys,
                              ctx->err, ctx->alloc)
           != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (keys.n == 0) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"keys\" must be an array of "
                                "private keys, not empty", n);
    }

    if (pocket_file_node(ctx, n, &url, &name, &node) != POCKET_OK) {
        return POCKET_ERROR;
    }

    key = keys.elts;

    for (i = 0; i < keys.n; i++) {

        if (pocket_file_key(ctx, n, i + 1, &key[i], node) != POCKET_OK) {
            return POCKET_ERROR;
        }
    }

    return POCKET_OK;
}


/* a string, empty for none and null */

static int
pocket_file_text(pocket_file_ctx_t *ctx, size_t n, const char *field,
    const pocket_json_value_t *value, pocket_str_t *out)
{
    memset(out, 0, sizeof(pocket_str_t));

    if (value->kind == POCKET_JSON_NULL) {
        return POCKET_OK;
    }

    switch (pocket_json_value_string(value, out, ctx->alloc)) {

    case 1:
        return POCKET_OK;

    case 0:
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"%s\" must be a string", n,
                                field);

    default: /* POCKET_ERROR */
        return pocket_file_memory(ctx->err);
    }
}


/* the node of this url, which the first entry that has it makes */

static int
pocket_file_node(pocket_file_ctx_t *ctx, size_t n, const pocket_str_t *url,
    const pocket_str_t *name, size_t *node)
{
    size_t               i;
    pocket_str_t         host;
    pocket_file_keys_t  *out;

    out = ctx->out;

    if (pocket_file_host(url, &host) != POCKET_OK) {
        return pocket_file_host_error(ctx, n, url);
    }

    for (i = 0; i < out->nnodes; i++) {
        if (pocket_file_equal(&out->nodes[i].url, url)) {
            *node = i;
            return POCKET_OK;
        }
    }

    out->nodes[i].url = *url;
    out->nodes[i].name = name->len ? *name : host;
    out->nodes[i].nservicers = 0;

    *node = out->nnodes++;

    return POCKET_OK;
}


/* the host alone: without user, port, and the brackets of IPv6 */

static int
pocket_file_host(const pocket_str_t *url, pocket_str_t *host)
{
    size_t                i;
    unsigned char        *p, *last;
    static const char     separator[] = "://";
    static const size_t   len = sizeof(separator) - 1;

    if (url->len == 0) {
        return POCKET_ERROR;
    }

    p = url->data;
    last = p + url->len;

    while (last - p > (ssize_t) len && memcmp(p, separator, len) != 0) {
        p++;
    }

    if (last - p <= (ssize_t) len) {
        return POCKET_ERROR;
    }

    p += len;

    host->data = p;

    for ( /* void */ ; p < last && strchr("/?#", *p) == NULL; p++) {

        if (*p == '@') {
            host->data = p + 1;
        }
    }

    host->len = (size_t) (p - host->data);

    if (host->len && host->data[0] == '[') {
        host->data++;
        host->len--;
        p = memchr(host->data, ']', host->len);

    } else {
        p = memchr(host->data, ':', host->len);
    }

    if (p) {
        host->len = (size_t) (p - host->data);
    }

    for (i = 0; i < host->len; i++) {
        if (host->data[i] <= ' ') {
            return POCKET_ERROR;
        }
    }

    return host->len ? POCKET_OK : POCKET_ERROR;
}


/* the url is shown, unless there may be a password in it */

static int
pocket_file_host_error(pocket_file_ctx_t *ctx, size_t n,
    const pocket_str_t *url)
{
    if (url->len == 0) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: the url of its node is missing",
                                n);
    }

    if (memchr(url->data, '@', url->len)) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: the url of its node has no host",
                                n);
    }

    return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                            "entry %zu: the url of its node has no host: "
                            "\"%.*s\"", n, (int) url->len,
                            (char *) url->data);
}


/* k is the key's number in its entry, 0 where there is just one */

static int
pocket_file_key(pocket_file_ctx_t *ctx, size_t n, size_t k,
    const pocket_json_value_t *value, size_t node)
{
    char                     where[64];
    pocket_key_error_e       error;
    pocket_file_servicer_t  *servicer;

    if (k) {
        (void) snprintf(where, sizeof(where), "entry %zu: key %zu", n, k);

    } else {
        (void) snprintf(where, sizeof(where), "entry %zu: \"priv_key\"", n);
    }

    if (value->kind == POCKET_JSON_NULL) {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY, "%s is missing",
                                where);
    }

    if (value->kind != POCKET_JSON_STRING) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "%s must be a string", where);
    }

    servicer = pocket_file_servicer(ctx);
    if (servicer == NULL) {
        return pocket_file_memory(ctx->err);
    }

    error = pocket_file_key_read(value, servicer->private_key);

    if (error != POCKET_KEY_OK) {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY, "%s %s", where,
                                pocket_key_reason(error));
    }

    memcpy(servicer->public_key,
           servicer->private_key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
           POCKET_PUBKEY_LEN);

    pocket_key_address(servicer->public_key, servicer->address);

    servicer->node = node;

    ctx->out->nodes[node].nservicers++;
    ctx->out->nservicers++;

    return POCKET_OK;
}


static pocket_key_error_e
pocket_file_key_read(const pocket_json_value_t *value, unsigned char *key)
{
    pocket_str_t           hex;
    pocket_alloc_t         a;
    pocket_key_error_e     error;
    pocket_file_scratch_t  scratch;

    scratch.used = 0;

    a.alloc = pocket_file_scratch;
    a.data = &scratch;

    if (pocket_json_value_string(value, &hex, &a) != 1) {
        return POCKET_KEY_LENGTH;
    }

    error = pocket_key_private(&hex, key);

    sodium_memzero(scratch.data, scratch.used);

    return error;
}


static void *
pocket_file_scratch(void *data, size_t size)
{
    pocket_file_scratch_t *scratch = data;

    if (size > sizeof(scratch->data)) {
        return NULL;
    }

    scratch->used = size;

    return scratch->data;
}


/* room for one more; not counted yet */

static pocket_file_servicer_t *
pocket_file_servicer(pocket_file_ctx_t *ctx)
{
    size_t                   max;
    pocket_file_keys_t      *out;
    pocket_file_servicer_t  *servicer;

    out = ctx->out;

    if (out->nservicers == ctx->max) {
        max = ctx->max ? 2 * ctx->max : 8;

        servicer = pocket_alloc(ctx->alloc,
                                max * sizeof(pocket_file_servicer_t));
        if (servicer == NULL) {
            return NULL;
        }

        if (out->nservicers) {
            memcpy(servicer, out->servicers,
                   out->nservicers * sizeof(pocket_file_servicer_t));
        }

        out->servicers = servicer;
        ctx->max = max;
    }

    servicer = &out->servicers[out->nservicers];

    servicer->private_key = pocket_alloc(ctx->secret, POCKET_PRIVKEY_LEN);

    return servicer->private_key ? servicer : NULL;
}


static int
pocket_file_unique(pocket_file_ctx_t *ctx)
{
    size_t                          i;
    unsigned char                   hex[2 * POCKET_ADDR_LEN];
    pocket_file_keys_t             *out;
    const pocket_file_servicer_t  **sorted;

    out = ctx->out;

    sorted = pocket_alloc(ctx->alloc,
                          out->nservicers * sizeof(pocket_file_servicer_t *));
    if (sorted == NULL) {
        return pocket_file_memory(ctx->err);
    }

    for (i = 0; i < out->nservicers; i++) {
        sorted[i] = &out->servicers[i];
    }

    qsort(sorted, out->nservicers, sizeof(pocket_file_servicer_t *),
          pocket_file_servicer_cmp);

    for (i = 1; i < out->nservicers; i++) {

        if (pocket_file_servicer_cmp(&sorted[i - 1], &sorted[i]) == 0) {
            (void) pocket_hex_encode(hex, sorted[i]->address,
                                     POCKET_ADDR_LEN);

            return pocket_file_fail(ctx->err, POCKET_FILE_DUPLICATE,
                                    "the key of servicer %.*s is there twice",
                                    (int) sizeof(hex), (char *) hex);
        }
    }

    return POCKET_OK;
}


static int
pocket_file_servicer_cmp(const void *one, const void *two)
{
    const pocket_file_servicer_t *const  *first, *const *second;

    first = one;
    second = two;

    return memcmp((*first)->public_key, (*second)->public_key,
                  POCKET_PUBKEY_LEN);
}


static unsigned
pocket_file_equal(const pocket_str_t *one, const pocket_str_t *two)
{
    return one->len == two->len
           && (one->len == 0 || memcmp(one->data, two->data, one->len) == 0);
}
