
#include "gateway_apps.h"

#include "pocket_json.h"
#include "pocket_key.h"

#include <string.h>


#define GATEWAY_APPS_HEX(n)   (2 * (n))
#define GATEWAY_APPS_VERSION  "0.0.1"
#define GATEWAY_APPS_NAME     64


/* an entry as it is in the file */

typedef struct {
    pocket_json_value_t    name;
    pocket_json_value_t    priv_key;
    pocket_json_value_t    aat;
    pocket_json_value_t    client_priv_key;
} gateway_apps_entry_t;


typedef struct {
    gateway_apps_t        *out;
    pocket_file_error_t   *err;
    pocket_hash_t         *hash;
    pocket_alloc_t        *alloc;
    pocket_alloc_t        *secret;
} gateway_apps_ctx_t;


static int gateway_apps_entry(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry);
static int gateway_apps_own(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry, gateway_app_t *app);
static int gateway_apps_token(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry, gateway_app_t *app);
static int gateway_apps_token_check(gateway_apps_ctx_t *ctx, size_t n,
    gateway_app_t *app);
static int gateway_apps_key(gateway_apps_ctx_t *ctx, size_t n,
    const char *field, const pocket_json_value_t *value,
    unsigned char **key);
static int gateway_apps_hex(gateway_apps_ctx_t *ctx, size_t n,
    const char *field, pocket_str_t *hex, size_t len);
static int gateway_apps_name(gateway_apps_ctx_t *ctx, size_t n,
    const pocket_json_value_t *value, gateway_app_t *app);
static int gateway_apps_address(gateway_apps_ctx_t *ctx, size_t n,
    gateway_app_t *app);
static unsigned char *gateway_apps_encode(gateway_apps_ctx_t *ctx,
    const unsigned char *p, size_t len, pocket_str_t *hex);


static const pocket_json_field_t  gateway_apps_entry_fields[] = {
    pocket_json_field("name", VALUE, gateway_apps_entry_t, name),
    pocket_json_field("priv_key", VALUE, gateway_apps_entry_t, priv_key),
    pocket_json_field("aat", VALUE, gateway_apps_entry_t, aat),
    pocket_json_field("client_priv_key", VALUE, gateway_apps_entry_t,
                      client_priv_key)
};

static const pocket_json_table_t  gateway_apps_entry_table =
    pocket_json_table(gateway_apps_entry_fields, gateway_apps_entry_t);

static const pocket_json_field_t  gateway_apps_elt =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &gateway_apps_entry_table };

static const pocket_json_table_t  gateway_apps_entries_table =
    { &gateway_apps_elt, 1, sizeof(gateway_apps_entry_t) };

static const pocket_json_field_t  gateway_apps_root =
    { pocket_string(""), POCKET_JSON_T_ARRAY, 0, &gateway_apps_entries_table };


static const pocket_json_field_t  gateway_apps_aat_fields[] = {
    pocket_json_field("version", STRING, pocket_aat_t, version),
    pocket_json_field("app_pub_key", STRING, pocket_aat_t, app_pub_key),
    pocket_json_field("client_pub_key", STRING, pocket_aat_t, client_pub_key),
    pocket_json_field("signature", STRING, pocket_aat_t, signature)
};

static const pocket_json_table_t  gateway_apps_aat_table =
    pocket_json_table(gateway_apps_aat_fields, pocket_aat_t);

static const pocket_json_field_t  gateway_apps_aat_root =
    { pocket_string("aat"), POCKET_JSON_T_STRUCT, 0, &gateway_apps_aat_table };


int
gateway_apps_parse(const pocket_str_t *text, gateway_apps_t *out,
    pocket_file_error_t *err, pocket_hash_t *hash, pocket_alloc_t *a,
    pocket_alloc_t *secret)
{
    int                    rc;
    size_t                 i;
    gateway_apps_ctx_t     ctx;
    pocket_json_array_t    entries;
    pocket_json_error_t    error;
    gateway_apps_entry_t  *entry;

    memset(out, 0, sizeof(gateway_apps_t));
    memset(&entries, 0, sizeof(pocket_json_array_t));

    rc = pocket_json_decode(text, &gateway_apps_root, &entries, &error, a);

    if (rc == POCKET_ERROR) {
        return pocket_file_memory(err);
    }

    if (rc != 1) {
        return pocket_file_fail(err, POCKET_FILE_JSON, "%.*s",
                                (int) error.len, (char *) error.text);
    }

    if (entries.n == 0) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "there are no entries");
    }

    out->apps = pocket_alloc(a, entries.n * sizeof(gateway_app_t));
    if (out->apps == NULL) {
        return pocket_file_memory(err);
    }

    memset(out->apps, 0, entries.n * sizeof(gateway_app_t));

    ctx.out = out;
    ctx.err = err;
    ctx.hash = hash;
    ctx.alloc = a;
    ctx.secret = secret;

    entry = entries.elts;

    for (i = 0; i < entries.n; i++) {

        if (gateway_apps_entry(&ctx, i + 1, &entry[i]) != POCKET_OK) {
            return POCKET_ERROR;
        }

        out->n++;
    }

    return POCKET_OK;
}


static int
gateway_apps_entry(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry)
{
    int             rc;
    unsigned        own;
    gateway_app_t  *app;

    app = &ctx->out->apps[ctx->out->n];
    own = (entry->priv_key.kind != POCKET_JSON_NULL);

    if (own == (entry->aat.kind != POCKET_JSON_NULL)) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: either \"priv_key\" or \"aat\" "
                                "with \"client_priv_key\" is expected", n);
    }

    rc = own ? gateway_apps_own(ctx, n, entry, app)
             : gateway_apps_token(ctx, n, entry, app);

    if (rc != POCKET_OK || gateway_apps_address(ctx, n, app) != POCKET_OK) {
        return POCKET_ERROR;
    }

    return gateway_apps_name(ctx, n, &entry->name, app);
}


/* The application signs for itself. */

static int
gateway_apps_own(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry, gateway_app_t *app)
{
    unsigned char        *key;
    unsigned char         signature[POCKET_SIG_LEN];

    static pocket_str_t   version = pocket_string(GATEWAY_APPS_VERSION);

    if (entry->client_priv_key.kind != POCKET_JSON_NULL) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"client_priv_key\" goes with "
                                "\"aat\"", n);
    }

    if (gateway_apps_key(ctx, n, "priv_key", &entry->priv_key, &key)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    app->client_key = key;
    app->aat.version = version;

    if (gateway_apps_encode(ctx, key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                            POCKET_PUBKEY_LEN, &app->aat.app_pub_key)
        == NULL)
    {
        return pocket_file_memory(ctx->err);
    }

    app->aat.client_pub_key = app->aat.app_pub_key;

    if (pocket_hash_aat(ctx->hash, &app->aat, app->token) != POCKET_OK
        || pocket_key_sign(key, app->token, signature) != POCKET_OK)
    {
        return pocket_file_memory(ctx->err);
    }

    if (gateway_apps_encode(ctx, signature, POCKET_SIG_LEN,
                            &app->aat.signature)
        == NULL)
    {
        return pocket_file_memory(ctx->err);
    }

    return POCKET_OK;
}


static int
gateway_apps_token(gateway_apps_ctx_t *ctx, size_t n,
    const gateway_apps_entry_t *entry, gateway_app_t *app)
{
    int                  rc;
    pocket_aat_t        *aat;
    pocket_json_error_t  error;

    aat = &app->aat;

    rc = pocket_json_decode(&entry->aat.raw, &gateway_apps_aat_root, aat,
                            &error, ctx->alloc);

    if (rc == POCKET_ERROR) {
        return pocket_file_memory(ctx->err);
    }

    if (rc != 1) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: %.*s", n, (int) error.len,
                                (char *) error.text);
    }

    if (aat->version.len != sizeof(GATEWAY_APPS_VERSION) - 1
        || memcmp(aat->version.data, GATEWAY_APPS_VERSION, aat->version.len)
           != 0)
    {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"aat.version\" must be \""
                                GATEWAY_APPS_VERSION "\"", n);
    }

    aat->version.data = (unsigned char *) GATEWAY_APPS_VERSION;

    if (gateway_apps_hex(ctx, n, "aat.app_pub_key", &aat->app_pub_key,
                         POCKET_PUBKEY_LEN)
        != POCKET_OK
        || gateway_apps_hex(ctx, n, "aat.client_pub_key",
                            &aat->client_pub_key, POCKET_PUBKEY_LEN)
           != POCKET_OK
        || gateway_apps_hex(ctx, n, "aat.signature", &aat->signature,
                            POCKET_SIG_LEN)
           != POCKET_OK
        || gateway_apps_key(ctx, n, "client_priv_key",
                            &entry->client_priv_key, &app->client_key)
           != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    return gateway_apps_token_check(ctx, n, app);
}


static int
gateway_apps_token_check(gateway_apps_ctx_t *ctx, size_t n,
    gateway_app_t *app)
{
    size_t         len;
    unsigned char  pk[POCKET_PUBKEY_LEN];

    (void) pocket_hex_decode(&app->aat.client_pub_key, pk, sizeof(pk), &len);

    if (memcmp(pk, app->client_key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
               POCKET_PUBKEY_LEN)
        != 0)
    {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY,
                                "entry %zu: \"client_priv_key\" is not the "
                                "key of \"aat.client_pub_key\"", n);
    }

    if (pocket_hash_aat(ctx->hash, &app->aat, app->token) != POCKET_OK) {
        return pocket_file_memory(ctx->err);
    }

    if (pocket_key_check(&app->aat.app_pub_key, app->token,
                         &app->aat.signature)
        != POCKET_ERR_NONE)
    {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY,
                                "entry %zu: \"aat.signature\" is not the "
                                "application's (keys are taken in lower "
                                "case)", n);
    }

    return POCKET_OK;
}


/* The digits are read where they stand in the text: no copy is made. */

static int
gateway_apps_key(gateway_apps_ctx_t *ctx, size_t n, const char *field,
    const pocket_json_value_t *value, unsigned char **key)
{
    pocket_str_t        hex;
    pocket_key_error_e  error;

    if (value->kind == POCKET_JSON_NULL) {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY,
                                "entry %zu: \"%s\" is missing", n, field);
    }

    if (value->kind != POCKET_JSON_STRING) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"%s\" must be a string", n,
                                field);
    }

    *key = pocket_alloc(ctx->secret, POCKET_PRIVKEY_LEN);
    if (*key == NULL) {
        return pocket_file_memory(ctx->err);
    }

    hex.data = value->raw.data + 1;
    hex.len = value->raw.len - 2;

    error = pocket_key_private(&hex, *key);

    if (error != POCKET_KEY_OK) {
        return pocket_file_fail(ctx->err, POCKET_FILE_KEY,
                                "entry %zu: \"%s\" %s", n, field,
                                pocket_key_reason(error));
    }

    return POCKET_OK;
}


/* Of len bytes; a copy in lower case. */

static int
gateway_apps_hex(gateway_apps_ctx_t *ctx, size_t n, const char *field,
    pocket_str_t *hex, size_t len)
{
    size_t         got;
    unsigned char  bytes[POCKET_SIG_LEN];

    if (pocket_hex_decode(hex, bytes, len, &got) != POCKET_OK || got != len) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"%s\" must be %zu bytes in "
                                "hexadecimal", n, field, len);
    }

    if (gateway_apps_encode(ctx, bytes, len, hex) == NULL) {
        return pocket_file_memory(ctx->err);
    }

    return POCKET_OK;
}


static int
gateway_apps_name(gateway_apps_ctx_t *ctx, size_t n,
    const pocket_json_value_t *value, gateway_app_t *app)
{
    int            rc;
    size_t         i;
    pocket_str_t   name;
    unsigned char *p;

    app->name = app->address;

    if (value->kind == POCKET_JSON_NULL) {
        return POCKET_OK;
    }

    rc = pocket_json_value_string(value, &name, ctx->alloc);

    if (rc == POCKET_ERROR) {
        return pocket_file_memory(ctx->err);
    }

    if (rc == 0 || name.len > GATEWAY_APPS_NAME) {
        return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                "entry %zu: \"name\" must be a string of at "
                                "most %d bytes", n, GATEWAY_APPS_NAME);
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < ' ' || name.data[i] == 0x7f) {
            return pocket_file_fail(ctx->err, POCKET_FILE_SHAPE,
                                    "entry %zu: \"name\" has a control "
                                    "character", n);
        }
    }

    if (name.len == 0) {
        return POCKET_OK;
    }

    p = pocket_alloc(ctx->alloc, name.len);
    if (p == NULL) {
        return pocket_file_memory(ctx->err);
    }

    memcpy(p, name.data, name.len);

    app->name.data = p;
    app->name.len = name.len;

    return POCKET_OK;
}


static int
gateway_apps_address(gateway_apps_ctx_t *ctx, size_t n, gateway_app_t *app)
{
    size_t          i, len;
    gateway_app_t  *other;
    unsigned char   pk[POCKET_PUBKEY_LEN], address[POCKET_ADDR_LEN];

    (void) pocket_hex_decode(&app->aat.app_pub_key, pk, sizeof(pk), &len);

    pocket_key_address(pk, address);

    if (gateway_apps_encode(ctx, address, POCKET_ADDR_LEN, &app->address)
        == NULL)
    {
        return pocket_file_memory(ctx->err);
    }

    for (i = 0; i < ctx->out->n; i++) {

        other = &ctx->out->apps[i];

        if (memcmp(other->address.data, app->address.data, app->address.len)
            == 0)
        {
            return pocket_file_fail(ctx->err, POCKET_FILE_DUPLICATE,
                                    "entry %zu: application %.*s is entry "
                                    "%zu already", n,
                                    (int) app->address.len,
                                    (char *) app->address.data, i + 1);
        }
    }

    return POCKET_OK;
}


static unsigned char *
gateway_apps_encode(gateway_apps_ctx_t *ctx, const unsigned char *p,
    size_t len, pocket_str_t *hex)
{
    hex->data = pocket_alloc(ctx->alloc, GATEWAY_APPS_HEX(len));

    if (hex->data) {
        hex->len = GATEWAY_APPS_HEX(len);
        (void) pocket_hex_encode(hex->data, p, len);
    }

    return hex->data;
}
