
#include "gateway_dispatch.h"

#include "gateway_path.h"
#include "pocket_json.h"
#include "pocket_key.h"
#include "pocket_url.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>


#define GATEWAY_DISPATCH_BODY        256
#define GATEWAY_DISPATCH_BLOCKS_MAX  (1 << 20)
#define GATEWAY_DISPATCH_OK          200
#define GATEWAY_DISPATCH_BAD         400
#define GATEWAY_DISPATCH_UNSTAKED    0


typedef struct {
    pocket_json_value_t    chains;
    pocket_json_value_t    jailed;
    pocket_json_value_t    max_relays;
    pocket_json_value_t    public_key;
    pocket_json_value_t    status;
} gateway_dispatch_stake_t;


typedef struct {
    pocket_json_value_t    public_key;
    pocket_json_value_t    service_url;
} gateway_dispatch_entry_t;


typedef struct {
    pocket_json_value_t    app;
    pocket_json_value_t    chain;
    pocket_json_value_t    height;
    pocket_json_value_t    block_height;
    pocket_json_array_t    nodes;          /* pocket_json_value_t */
} gateway_dispatch_text_t;


static int gateway_dispatch_body(pocket_str_t *body, pocket_alloc_t *a,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int gateway_dispatch_number(const char *name, unsigned status,
    const pocket_str_t *body, uint64_t *number, const char **reason,
    pocket_alloc_t *a);
static int gateway_dispatch_value(const pocket_json_value_t *value,
    uint64_t *number);
static int gateway_dispatch_unknown(unsigned status, const pocket_str_t *body,
    gateway_dispatch_app_t *app, const char **reason, pocket_alloc_t *a);
static int gateway_dispatch_chains(const pocket_json_value_t *value,
    gateway_dispatch_app_t *app, pocket_alloc_t *a);
static int gateway_dispatch_is(const pocket_json_value_t *value,
    const pocket_str_t *text, pocket_alloc_t *a);
static int gateway_dispatch_header(const gateway_dispatch_text_t *text,
    const pocket_str_t *app, const pocket_str_t *chain, int64_t height,
    gateway_dispatch_t *dispatch, const char **reason, pocket_alloc_t *a);
static int gateway_dispatch_node(const pocket_json_value_t *value,
    gateway_dispatch_t *dispatch, pocket_alloc_t *a);
static int gateway_dispatch_key(const pocket_json_value_t *value,
    pocket_str_t *key, pocket_alloc_t *a);
static int gateway_dispatch_url(const pocket_json_value_t *value,
    pocket_str_t *url, pocket_alloc_t *a);
static int gateway_dispatch_refuse(const char **reason, const char *text);


static const pocket_json_field_t  gateway_dispatch_stake_fields[] = {
    pocket_json_field("chains", VALUE, gateway_dispatch_stake_t, chains),
    pocket_json_field("jailed", VALUE, gateway_dispatch_stake_t, jailed),
    pocket_json_field("max_relays", VALUE, gateway_dispatch_stake_t,
                      max_relays),
    pocket_json_field("public_key", VALUE, gateway_dispatch_stake_t,
                      public_key),
    pocket_json_field("status", VALUE, gateway_dispatch_stake_t, status)
};

static const pocket_json_table_t  gateway_dispatch_stake_table =
    pocket_json_table(gateway_dispatch_stake_fields, gateway_dispatch_stake_t);

static const pocket_json_field_t  gateway_dispatch_stake_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0,
      &gateway_dispatch_stake_table };


static const pocket_json_field_t  gateway_dispatch_elt =
    { pocket_string(""), POCKET_JSON_T_VALUE, 0, NULL };

static const pocket_json_table_t  gateway_dispatch_elts =
    { &gateway_dispatch_elt, 1, sizeof(pocket_json_value_t) };

static const pocket_json_field_t  gateway_dispatch_list =
    { pocket_string("chains"), POCKET_JSON_T_ARRAY, 0,
      &gateway_dispatch_elts };


static const pocket_json_field_t  gateway_dispatch_entry_fields[] = {
    pocket_json_field("public_key", VALUE, gateway_dispatch_entry_t,
                      public_key),
    pocket_json_field("service_url", VALUE, gateway_dispatch_entry_t,
                      service_url)
};

static const pocket_json_table_t  gateway_dispatch_entry_table =
    pocket_json_table(gateway_dispatch_entry_fields, gateway_dispatch_entry_t);

static const pocket_json_field_t  gateway_dispatch_entry_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0,
      &gateway_dispatch_entry_table };


/* the members of header and session are of one struct, at its offsets */

static const pocket_json_field_t  gateway_dispatch_header_fields[] = {
    pocket_json_field("app_public_key", VALUE, gateway_dispatch_text_t, app),
    pocket_json_field("chain", VALUE, gateway_dispatch_text_t, chain),
    pocket_json_field("session_height", VALUE, gateway_dispatch_text_t, height)
};

static const pocket_json_table_t  gateway_dispatch_header_table =
    pocket_json_table(gateway_dispatch_header_fields, gateway_dispatch_text_t);

static const pocket_json_field_t  gateway_dispatch_session_fields[] = {
    { pocket_string("header"), POCKET_JSON_T_STRUCT, 0,
      &gateway_dispatch_header_table },
    { pocket_string("nodes"), POCKET_JSON_T_ARRAY,
      offsetof(gateway_dispatch_text_t, nodes), &gateway_dispatch_elts }
};

static const pocket_json_table_t  gateway_dispatch_session_table =
    pocket_json_table(gateway_dispatch_session_fields, gateway_dispatch_text_t);

static const pocket_json_field_t  gateway_dispatch_fields[] = {
    pocket_json_field("block_height", VALUE, gateway_dispatch_text_t,
                      block_height),
    { pocket_string("session"), POCKET_JSON_T_STRUCT, 0,
      &gateway_dispatch_session_table }
};

static const pocket_json_table_t  gateway_dispatch_text_table =
    pocket_json_table(gateway_dispatch_fields, gateway_dispatch_text_t);

static const pocket_json_field_t  gateway_dispatch_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0,
      &gateway_dispatch_text_table };


int
gateway_dispatch_app_body(const pocket_str_t *address, pocket_str_t *body,
    pocket_alloc_t *a)
{
    return gateway_dispatch_body(body, a, "{\"address\":\"%.*s\","
                                 "\"height\":0}", (int) address->len,
                                 (char *) address->data);
}


int
gateway_dispatch_session_body(const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, pocket_str_t *body,
    pocket_alloc_t *a)
{
    return gateway_dispatch_body(body, a, "{\"app_public_key\":\"%.*s\","
                                 "\"chain\":\"%.*s\","
                                 "\"session_height\":%" PRId64 "}",
                                 (int) app->len, (char *) app->data,
                                 (int) chain->len, (char *) chain->data,
                                 height);
}


static int
gateway_dispatch_body(pocket_str_t *body, pocket_alloc_t *a, const char *fmt,
    ...)
{
    int      n;
    va_list  args;

    body->data = pocket_alloc(a, GATEWAY_DISPATCH_BODY);
    if (body->data == NULL) {
        return POCKET_ERROR;
    }

    va_start(args, fmt);
    n = vsnprintf((char *) body->data, GATEWAY_DISPATCH_BODY, fmt, args);
    va_end(args);

    if (n < 0 || n >= GATEWAY_DISPATCH_BODY) {
        return POCKET_ERROR;
    }

    body->len = (size_t) n;

    return POCKET_OK;
}


int
gateway_dispatch_height(unsigned status, const pocket_str_t *body,
    int64_t *height, const char **reason, pocket_alloc_t *a)
{
    int       rc;
    uint64_t  n;

    rc = gateway_dispatch_number("height", status, body, &n, reason, a);

    if (rc != 1) {
        return rc;
    }

    if (n == 0 || n > GATEWAY_DISPATCH_HEIGHT_MAX) {
        return gateway_dispatch_refuse(reason, "its height is none");
    }

    *height = (int64_t) n;

    return 1;
}


int
gateway_dispatch_blocks(unsigned status, const pocket_str_t *body,
    int64_t *blocks, const char **reason, pocket_alloc_t *a)
{
    int       rc;
    uint64_t  n;

    rc = gateway_dispatch_number("param_value", status, body, &n, reason, a);

    if (rc != 1) {
        return rc;
    }

    if (n == 0 || n > GATEWAY_DISPATCH_BLOCKS_MAX) {
        return gateway_dispatch_refuse(reason,
                                       "its blocks of a session are none");
    }

    *blocks = (int64_t) n;

    return 1;
}


static int
gateway_dispatch_number(const char *name, unsigned status,
    const pocket_str_t *body, uint64_t *number, const char **reason,
    pocket_alloc_t *a)
{
    int              rc;
    const char      *err;
    pocket_str_t     text;
    gateway_path_t   path;
    gateway_value_t  value;

    if (status != GATEWAY_DISPATCH_OK) {
        return gateway_dispatch_refuse(reason, "its status is not 200");
    }

    text.data = (unsigned char *) name;
    text.len = strlen(name);

    if (gateway_path_parse(&text, &path, &err) != POCKET_OK) {
        return gateway_dispatch_refuse(reason, err);
    }

    rc = gateway_path_read(&path, 1, body, &value, a);

    if (rc == 0) {
        return gateway_dispatch_refuse(reason, "its answer is not JSON");
    }

    if (rc != 1) {
        return POCKET_ERROR;
    }

    if (!gateway_value_number(&value, GATEWAY_NUMBER_ANY, number)) {
        return gateway_dispatch_refuse(reason, "its answer has no number");
    }

    return 1;
}


/* The same of a decoded value: 16, "16". */

static int
gateway_dispatch_value(const pocket_json_value_t *value, uint64_t *number)
{
    gateway_value_t  v;

    v.found = (value->kind != POCKET_JSON_NULL);
    v.type = value->kind;
    v.escaped = 0;
    v.raw = value->raw;

    if (value->kind == POCKET_JSON_STRING) {
        v.raw.data++;
        v.raw.len -= 2;
    }

    return gateway_value_number(&v, GATEWAY_NUMBER_ANY, number);
}


int
gateway_dispatch_app(unsigned status, const pocket_str_t *body,
    const pocket_str_t *key, gateway_dispatch_app_t *app,
    const char **reason, pocket_alloc_t *a)
{
    int                       rc;
    uint64_t                  n;
    pocket_json_error_t       error;
    gateway_dispatch_stake_t  stake;

    memset(app, 0, sizeof(gateway_dispatch_app_t));

    if (status != GATEWAY_DISPATCH_OK) {
        return gateway_dispatch_unknown(status, body, app, reason, a);
    }

    memset(&stake, 0, sizeof(gateway_dispatch_stake_t));

    rc = pocket_json_decode(body, &gateway_dispatch_stake_root, &stake,
                            &error, a);

    if (rc == POCKET_ERROR) {
        return POCKET_ERROR;
    }

    if (rc != 1) {
        return gateway_dispatch_refuse(reason, "its answer is not an object");
    }

    rc = gateway_dispatch_is(&stake.public_key, key, a);

    if (rc != 1) {
        return (rc == 0) ? gateway_dispatch_refuse(reason,
                                             "it is another application's")
                         : rc;
    }

    if (!gateway_dispatch_value(&stake.max_relays, &app->max_relays)) {
        return gateway_dispatch_refuse(reason, "it has no \"max_relays\"");
    }

    rc = gateway_dispatch_chains(&stake.chains, app, a);

    if (rc != 1) {
        return (rc == 0) ? gateway_dispatch_refuse(reason,
                                                   "it has no \"chains\"")
                         : rc;
    }

    app->status = GATEWAY_APP_STAKED;

    if (stake.jailed.kind == POCKET_JSON_TRUE
        || (gateway_dispatch_value(&stake.status, &n)
            && n == GATEWAY_DISPATCH_UNSTAKED))
    {
        app->status = GATEWAY_APP_UNSTAKED;
    }

    return 1;
}


static int
gateway_dispatch_unknown(unsigned status, const pocket_str_t *body,
    gateway_dispatch_app_t *app, const char **reason, pocket_alloc_t *a)
{
    int              rc;
    size_t           i;
    pocket_str_t     name, text;
    const char      *err;
    gateway_path_t   path;
    gateway_value_t  value;

    static const char    message[] = "message";
    static const char    none[] = "does not exist";
    static const size_t  len = sizeof(none) - 1;

    name.data = (unsigned char *) message;
    name.len = sizeof(message) - 1;

    rc = 0;

    if (status == GATEWAY_DISPATCH_BAD
        && gateway_path_parse(&name, &path, &err) == POCKET_OK)
    {
        rc = gateway_path_read(&path, 1, body, &value, a);

        if (rc == 1) {
            rc = gateway_value_text(&value, &text, a);
        }

        if (rc == POCKET_ERROR) {
            return POCKET_ERROR;
        }
    }

    for (i = 0; rc == 1 && i + len <= text.len; i++) {
        if (memcmp(text.data + i, none, len) == 0) {
            app->status = GATEWAY_APP_UNSTAKED;
            return 1;
        }
    }

    return gateway_dispatch_refuse(reason, "its status is not 200");
}


/* What is no chain's id is left out, but counts: the stake is divided by it. */

static int
gateway_dispatch_chains(const pocket_json_value_t *value,
    gateway_dispatch_app_t *app, pocket_alloc_t *a)
{
    int                   rc;
    size_t                i, k;
    pocket_str_t          id;
    pocket_json_array_t   array;
    pocket_json_error_t   error;
    pocket_json_value_t  *chain;

    if (value->kind != POCKET_JSON_ARRAY) {
        return 0;
    }

    memset(&array, 0, sizeof(pocket_json_array_t));

    rc = pocket_json_decode(&value->raw, &gateway_dispatch_list, &array,
                            &error, a);
    if (rc != 1) {
        return rc;
    }

    chain = array.elts;
    app->nchains = (uint32_t) array.n;

    for (i = 0; i < array.n && app->n < GATEWAY_DISPATCH_CHAINS; i++) {

        rc = pocket_json_value_string(&chain[i], &id, a);

        if (rc == POCKET_ERROR) {
            return rc;
        }

        if (rc == 0 || !gateway_dispatch_is_chain(&id)) {
            continue;
        }

        for (k = 0; k < app->n; k++) {
            if (app->chains[k].len == id.len
                && memcmp(app->chains[k].data, id.data, id.len) == 0)
            {
                break;
            }
        }

        if (k == app->n) {
            app->chains[app->n++] = id;
        }
    }

    return 1;
}


/* The value is this text, in either case. */

static int
gateway_dispatch_is(const pocket_json_value_t *value,
    const pocket_str_t *text, pocket_alloc_t *a)
{
    int           rc;
    pocket_str_t  str;

    rc = pocket_json_value_string(value, &str, a);

    if (rc != 1) {
        return rc;
    }

    return str.len == text->len
           && strncasecmp((char *) str.data, (char *) text->data, str.len)
              == 0;
}


int
gateway_dispatch_session(const pocket_str_t *body, const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, gateway_dispatch_t *dispatch,
    const char **reason, pocket_alloc_t *a)
{
    int                      rc;
    size_t                   i;
    pocket_json_error_t      error;
    pocket_json_value_t     *node;
    gateway_dispatch_text_t  text;

    memset(dispatch, 0, sizeof(gateway_dispatch_t));
    memset(&text, 0, sizeof(gateway_dispatch_text_t));

    rc = pocket_json_decode(body, &gateway_dispatch_root, &text, &error, a);

    if (rc == POCKET_ERROR) {
        return POCKET_ERROR;
    }

    if (rc != 1) {
        return gateway_dispatch_refuse(reason, "its answer is not a dispatch");
    }

    rc = gateway_dispatch_header(&text, app, chain, height, dispatch, reason,
                                 a);
    if (rc != 1) {
        return rc;
    }

    if (text.nodes.n > GATEWAY_DISPATCH_NODES) {
        return gateway_dispatch_refuse(reason, "it has too many nodes");
    }

    node = text.nodes.elts;
    dispatch->listed = (uint32_t) text.nodes.n;

    for (i = 0; i < text.nodes.n; i++) {
        if (gateway_dispatch_node(&node[i], dispatch, a) == POCKET_ERROR) {
            return POCKET_ERROR;
        }
    }

    if (dispatch->n == 0) {
        return gateway_dispatch_refuse(reason, "it has no node");
    }

    return 1;
}


static int
gateway_dispatch_header(const gateway_dispatch_text_t *text,
    const pocket_str_t *app, const pocket_str_t *chain, int64_t height,
    gateway_dispatch_t *dispatch, const char **reason, pocket_alloc_t *a)
{
    int       rc;
    uint64_t  n;

    if (!gateway_dispatch_value(&text->height, &n)
        || n == 0 || n > GATEWAY_DISPATCH_HEIGHT_MAX)
    {
        return gateway_dispatch_refuse(reason, "it has no session");
    }

    dispatch->height = (int64_t) n;

    rc = gateway_dispatch_is(&text->app, app, a);

    if (rc == 1) {
        rc = gateway_dispatch_is(&text->chain, chain, a);
    }

    if (rc == POCKET_ERROR) {
        return POCKET_ERROR;
    }

    if (rc == 0) {
        return gateway_dispatch_refuse(reason,
                              "its session is of another application or chain");
    }

    if (height && dispatch->height != height) {
        return gateway_dispatch_refuse(reason, "its session is stale");
    }

    if (gateway_dispatch_value(&text->block_height, &n)
        && n <= GATEWAY_DISPATCH_HEIGHT_MAX)
    {
        dispatch->block_height = (int64_t) n;
    }

    return 1;
}


/* 1: taken; 0: left out; POCKET_ERROR */

static int
gateway_dispatch_node(const pocket_json_value_t *value,
    gateway_dispatch_t *dispatch, pocket_alloc_t *a)
{
    int                        rc;
    uint32_t                   i;
    pocket_str_t               key, url;
    pocket_json_error_t        error;
    gateway_dispatch_entry_t   entry;

    if (value->kind != POCKET_JSON_OBJECT) {
        return 0;
    }

    memset(&entry, 0, sizeof(gateway_dispatch_entry_t));

    rc = pocket_json_decode(&value->raw, &gateway_dispatch_entry_root, &entry,
                            &error, a);

    if (rc != 1) {
        return rc;
    }

    rc = gateway_dispatch_key(&entry.public_key, &key, a);

    if (rc != 1) {
        return rc;
    }

    rc = gateway_dispatch_url(&entry.service_url, &url, a);

    if (rc != 1) {
        return rc;
    }

    for (i = 0; i < dispatch->n; i++) {
        if (memcmp(dispatch->nodes[i].public_key.data, key.data, key.len)
            == 0)
        {
            return 0;
        }
    }

    dispatch->nodes[dispatch->n].public_key = key;
    dispatch->nodes[dispatch->n].url = url;
    dispatch->n++;

    return 1;
}


static int
gateway_dispatch_key(const pocket_json_value_t *value, pocket_str_t *key,
    pocket_alloc_t *a)
{
    int            rc;
    size_t         len;
    pocket_str_t   hex;
    unsigned char  pk[POCKET_PUBKEY_LEN];

    rc = pocket_json_value_string(value, &hex, a);

    if (rc != 1) {
        return rc;
    }

    if (pocket_hex_decode(&hex, pk, sizeof(pk), &len) != POCKET_OK
        || len != POCKET_PUBKEY_LEN)
    {
        return 0;
    }

    key->data = pocket_alloc(a, GATEWAY_DISPATCH_KEY);
    if (key->data == NULL) {
        return POCKET_ERROR;
    }

    key->len = GATEWAY_DISPATCH_KEY;
    (void) pocket_hex_encode(key->data, pk, POCKET_PUBKEY_LEN);

    return 1;
}


static int
gateway_dispatch_url(const pocket_json_value_t *value, pocket_str_t *url,
    pocket_alloc_t *a)
{
    int           rc;
    pocket_url_t  parts;

    static const char    local[] = "unix:";
    static const size_t  len = sizeof(local) - 1;

    rc = pocket_json_value_string(value, url, a);

    if (rc != 1) {
        return rc;
    }

    if (url->len > GATEWAY_DISPATCH_URL
        || pocket_url_parse(url, &parts) != POCKET_OK)
    {
        return 0;
    }

    /* nobody outside names a socket of this host */

    return parts.host.len
           && (parts.host.len < len
               || memcmp(parts.host.data, local, len) != 0);
}


uint64_t
gateway_dispatch_allowance(uint64_t max_relays, uint32_t nchains,
    uint32_t nnodes)
{
    uint64_t  parts, n, rest;

    parts = (uint64_t) nchains * nnodes;

    if (parts == 0) {
        return 0;
    }

    n = max_relays / parts;
    rest = max_relays % parts;

    if (2 * rest > parts || (2 * rest == parts && n & 1)) {
        n++;
    }

    return n;
}


unsigned
gateway_dispatch_is_chain(const pocket_str_t *id)
{
    size_t         len;
    unsigned char  bytes[POCKET_CHAIN_LEN];

    return pocket_hex_decode(id, bytes, sizeof(bytes), &len) == POCKET_OK
           && len > 0 && len <= POCKET_CHAIN_LEN;
}


static int
gateway_dispatch_refuse(const char **reason, const char *text)
{
    *reason = text;

    return 0;
}
