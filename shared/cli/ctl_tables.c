
/*
 * The tables of a gateway-server's database: its applications, whose keys
 * are encrypted, and its chains.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ctl_csv.h"
#include "ctl_gateway.h"
#include "ctl_gpg.h"
#include "pocket_key.h"
#include "pocket_url.h"


#define CTL_TABLES_ROWS        65536
#define CTL_TABLES_TOLERANCE   1000000

/* the row that the gateway-server's own migration inserts */

#define CTL_TABLES_SAMPLE      "0000"
#define CTL_TABLES_SAMPLE_URL  "example.com"


typedef enum {
    CTL_CHAIN_ID = 0,
    CTL_CHAIN_ALTRUIST,
    CTL_CHAIN_ALTRUIST_TIMEOUT,
    CTL_CHAIN_TOLERANCE,
    CTL_CHAIN_COLUMNS
} ctl_chain_column_e;


typedef struct {
    const char           *id;
    const char           *family;
    unsigned              testnet;
} ctl_tables_family_t;


static int ctl_tables_apps(ctl_csv_t *csv, ctl_gateway_t *g);
static int ctl_tables_app(ctl_csv_t *csv, ctl_gateway_t *g, ctl_gpg_t *gpg,
    size_t column, unsigned char *buf);
static int ctl_tables_message(ctl_csv_t *csv, size_t column,
    unsigned char *buf, pocket_str_t *message);
static int ctl_tables_key(ctl_csv_t *csv, ctl_gpg_t *gpg, size_t column,
    unsigned char *key);
static int ctl_tables_chains(ctl_csv_t *csv, ctl_gateway_t *g);
static int ctl_tables_chain(ctl_csv_t *csv, ctl_gateway_t *g,
    const int *columns);
static int ctl_tables_altruist(ctl_csv_t *csv, ctl_gateway_chain_t *chain,
    const int *columns);
static int ctl_tables_chain_id(const pocket_str_t *id);
static const char *ctl_tables_family(ctl_gateway_t *g,
    const pocket_str_t *id);
static void *ctl_tables_room(void *elts, size_t n, size_t size);
static int ctl_tables_copy(ctl_gateway_t *g, pocket_str_t *to,
    const pocket_str_t *from);
static unsigned ctl_tables_is(const pocket_str_t *s, const char *text);
static int ctl_tables_no_memory(void);


static const char  *ctl_chain_columns[CTL_CHAIN_COLUMNS] = {
    "chain_id",
    "altruist_url",
    "altruist_request_timeout_duration",
    "height_check_block_tolerance"
};


/* every other id is "evm" to the gateway-server */

static const ctl_tables_family_t  ctl_tables_families[] = {
    { "0001", "pokt", 0 },
    { "0006", "solana", 0 },
    { "C006", "solana", 0 },
    { "0013", "pokt", 1 },
    { "0008", "solana", 1 }
};


int
ctl_gateway_table(const char *file, ctl_gateway_t *g)
{
    int         rc;
    ctl_csv_t   csv;

    rc = ctl_csv_open(file, &csv);

    if (rc == CTL_OK) {

        if (ctl_csv_column(&csv, "encrypted_private_key") != -1) {
            rc = ctl_tables_apps(&csv, g);

        } else if (ctl_csv_column(&csv, "chain_id") != -1) {
            rc = ctl_tables_chains(&csv, g);

        } else {
            ctl_error("\"%s\", line 1: no column \"encrypted_private_key\" "
                      "(pokt_applications) and no \"chain_id\" "
                      "(chain_configurations)", file);
            rc = CTL_FAILED;
        }
    }

    ctl_csv_close(&csv);

    return rc;
}


static int
ctl_tables_apps(ctl_csv_t *csv, ctl_gateway_t *g)
{
    int            rc, column;
    ctl_gpg_t      gpg;
    unsigned char  message[CTL_GPG_MESSAGE_MAX];

    if (g->apps_file) {
        ctl_error("\"%s\" has pokt_applications, as \"%s\" has", csv->file,
                  g->apps_file);
        return CTL_FAILED;
    }

    g->apps_file = csv->file;
    column = ctl_csv_column(csv, "encrypted_private_key");

    rc = ctl_gpg_open(&gpg);

    while (rc == CTL_OK) {
        rc = ctl_csv_next(csv);

        if (rc == CTL_OK) {
            rc = ctl_tables_app(csv, g, &gpg, column, message);
        }
    }

    ctl_gpg_close(&gpg);

    if (rc == CTL_CSV_END && g->napps == 0) {
        ctl_error("\"%s\" has no applications", csv->file);
        return CTL_FAILED;
    }

    return rc == CTL_CSV_END ? CTL_OK : rc;
}


static int
ctl_tables_app(ctl_csv_t *csv, ctl_gateway_t *g, ctl_gpg_t *gpg,
    size_t column, unsigned char *buf)
{
    int                 rc, id;
    size_t              i;
    pocket_str_t        message, *pass;
    ctl_gateway_app_t  *app;

    pass = &g->env.values[CTL_ENV_PASSPHRASE].text;

    if (pass->len > CTL_GPG_PASSPHRASE_MAX || memchr(pass->data, '\n',
                                                     pass->len))
    {
        return ctl_env_error(&g->env, g->env.values[CTL_ENV_PASSPHRASE].line,
                             g->env.values[CTL_ENV_PASSPHRASE].column,
                             "gpg takes a passphrase of one line, up to %d "
                             "bytes", CTL_GPG_PASSPHRASE_MAX);
    }

    app = ctl_tables_room(g->apps, g->napps, sizeof(ctl_gateway_app_t));
    if (app == NULL) {
        return ctl_tables_no_memory();
    }

    g->apps = app;
    app += g->napps;
    memset(app, 0, sizeof(ctl_gateway_app_t));

    rc = ctl_tables_message(csv, column, buf, &message);

    if (rc == CTL_OK) {
        rc = ctl_gpg_decrypt(gpg, &message, pass);

        if (rc == CTL_FAILED) {
            return ctl_csv_error(csv, column, "cannot be decrypted with "
                                 "POKT_APPLICATIONS_ENCRYPTION_KEY: %s",
                                 gpg->reason);
        }
    }

    if (rc != CTL_OK) {
        return rc;
    }

    app->key = sodium_malloc(POCKET_PRIVKEY_LEN);

    if (app->key == NULL) {
        return ctl_tables_no_memory();
    }

    g->napps++;

    rc = ctl_tables_key(csv, gpg, column, app->key);

    if (rc != CTL_OK) {
        return rc;
    }

    app->line = csv->row;
    pocket_key_address(app->key + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                       app->address);

    for (i = 0; i + 1 < g->napps; i++) {
        if (memcmp(g->apps[i].address, app->address, POCKET_ADDR_LEN) == 0) {
            app->repeated = 1;
        }
    }

    id = ctl_csv_column(csv, "id");

    return id == -1 ? CTL_OK : ctl_tables_copy(g, &app->id, &csv->fields[id]);
}


/* bytea as PostgreSQL writes it since 9.0 */

static int
ctl_tables_message(ctl_csv_t *csv, size_t column, unsigned char *buf,
    pocket_str_t *message)
{
    pocket_str_t  hex;

    hex = csv->fields[column];

    if (hex.len <= 2 || hex.data[0] != '\\' || hex.data[1] != 'x') {
        return ctl_csv_error(csv, column, "a bytea in hexadecimal is "
                             "expected, as \\xc30d...");
    }

    hex.data += 2;
    hex.len -= 2;

    if (pocket_hex_decode(&hex, buf, CTL_GPG_MESSAGE_MAX, &message->len)
        != POCKET_OK)
    {
        return ctl_csv_error(csv, column, "what follows \\x is not "
                             "hexadecimal");
    }

    if (message->len > CTL_GPG_MESSAGE_MAX) {
        return ctl_csv_error(csv, column, "more than %d bytes",
                             CTL_GPG_MESSAGE_MAX);
    }

    message->data = buf;

    return CTL_OK;
}


static int
ctl_tables_key(ctl_csv_t *csv, ctl_gpg_t *gpg, size_t column,
    unsigned char *key)
{
    pocket_str_t        text;
    pocket_key_error_e  error;

    static const char  *errors[] = {
        "is good",
        "is not hexadecimal",
        "is not 128 digits long",
        "has halves that do not belong together"
    };

    text.data = gpg->plain;
    text.len = gpg->len;

    error = pocket_key_private(&text, key);

    if (error != POCKET_KEY_OK) {
        return ctl_csv_error(csv, column, "the decrypted private key %s",
                             errors[error]);
    }

    return CTL_OK;
}


static int
ctl_tables_chains(ctl_csv_t *csv, ctl_gateway_t *g)
{
    int     rc, columns[CTL_CHAIN_COLUMNS];
    size_t  i;

    if (g->chains_file) {
        ctl_error("\"%s\" has chain_configurations, as \"%s\" has",
                  csv->file, g->chains_file);
        return CTL_FAILED;
    }

    g->chains_file = csv->file;

    for (i = 0; i < CTL_CHAIN_COLUMNS; i++) {
        columns[i] = ctl_csv_column(csv, ctl_chain_columns[i]);

        if (columns[i] == -1) {
            ctl_error("\"%s\", line 1: there is no column \"%s\"", csv->file,
                      ctl_chain_columns[i]);
            return CTL_FAILED;
        }
    }

    do {
        rc = ctl_csv_next(csv);

        if (rc == CTL_OK) {
            rc = ctl_tables_chain(csv, g, columns);
        }

    } while (rc == CTL_OK);

    return rc == CTL_CSV_END ? CTL_OK : rc;
}


static int
ctl_tables_chain(ctl_csv_t *csv, ctl_gateway_t *g, const int *columns)
{
    int                   rc;
    char                  text[32];
    size_t                i;
    pocket_str_t         *id, *tolerance;
    ctl_gateway_chain_t  *chain;

    chain = ctl_tables_room(g->chains, g->nchains,
                            sizeof(ctl_gateway_chain_t));
    if (chain == NULL) {
        return ctl_tables_no_memory();
    }

    g->chains = chain;
    chain += g->nchains;
    memset(chain, 0, sizeof(ctl_gateway_chain_t));

    id = &csv->fields[columns[CTL_CHAIN_ID]];

    if (!ctl_tables_chain_id(id)) {
        return ctl_csv_error(csv, columns[CTL_CHAIN_ID],
                             "\"%.*s\" is no id of a chain, letters and "
                             "digits are expected", (int) id->len,
                             (char *) id->data);
    }

    for (i = 0; i < g->nchains; i++) {
        if (g->chains[i].id.len == id->len
            && memcmp(g->chains[i].id.data, id->data, id->len) == 0)
        {
            return ctl_csv_error(csv, columns[CTL_CHAIN_ID],
                                 "chain \"%.*s\" is in line %zu already",
                                 (int) id->len, (char *) id->data,
                                 g->chains[i].line);
        }
    }

    tolerance = &csv->fields[columns[CTL_CHAIN_TOLERANCE]];
    snprintf(text, sizeof(text), "%.*s", (int) tolerance->len,
             (char *) tolerance->data);

    if (tolerance->len >= sizeof(text) || !ctl_number(text, &chain->tolerance)
        || chain->tolerance < 0 || chain->tolerance > CTL_TABLES_TOLERANCE)
    {
        return ctl_csv_error(csv, columns[CTL_CHAIN_TOLERANCE],
                             "\"%s\" is no number of 0 to %d", text,
                             CTL_TABLES_TOLERANCE);
    }

    chain->line = csv->row;
    chain->family = ctl_tables_family(g, id);

    rc = ctl_tables_altruist(csv, chain, columns);

    if (rc == CTL_OK) {
        rc = ctl_tables_copy(g, &chain->id, id);
    }

    if (rc == CTL_OK) {
        rc = ctl_tables_copy(g, &chain->altruist, &chain->altruist);
        g->nchains++;
    }

    return rc;
}


static int
ctl_tables_altruist(ctl_csv_t *csv, ctl_gateway_chain_t *chain,
    const int *columns)
{
    pocket_str_t  *url, *timeout;
    pocket_url_t   parts;

    url = &csv->fields[columns[CTL_CHAIN_ALTRUIST]];
    timeout = &csv->fields[columns[CTL_CHAIN_ALTRUIST_TIMEOUT]];

    if (ctl_tables_is(&csv->fields[columns[CTL_CHAIN_ID]], CTL_TABLES_SAMPLE)
        && ctl_tables_is(url, CTL_TABLES_SAMPLE_URL))
    {
        chain->sample = 1;
        return CTL_OK;
    }

    /* the url may have a key in it: it is not shown */

    if (url->len && pocket_url_parse(url, &parts) != POCKET_OK) {
        return ctl_csv_error(csv, columns[CTL_CHAIN_ALTRUIST],
                             "no http:// or https:// URL");
    }

    if (timeout->len && ctl_gateway_duration(timeout) == -1) {
        return ctl_csv_error(csv, columns[CTL_CHAIN_ALTRUIST_TIMEOUT],
                             "\"%.*s\" is no duration, as 10s",
                             (int) timeout->len, (char *) timeout->data);
    }

    chain->altruist = *url;

    return CTL_OK;
}


static int
ctl_tables_chain_id(const pocket_str_t *id)
{
    size_t  i;

    for (i = 0; i < id->len; i++) {
        if (!((id->data[i] >= '0' && id->data[i] <= '9')
              || (id->data[i] >= 'A' && id->data[i] <= 'Z')
              || (id->data[i] >= 'a' && id->data[i] <= 'z')))
        {
            return 0;
        }
    }

    return id->len > 0 && id->len < 64;
}


static const char *
ctl_tables_family(ctl_gateway_t *g, const pocket_str_t *id)
{
    size_t  i;

    for (i = 0; i < sizeof(ctl_tables_families) / sizeof(ctl_tables_family_t);
         i++)
    {
        if (ctl_tables_families[i].testnet == g->testnet
            && ctl_tables_is(id, ctl_tables_families[i].id))
        {
            return ctl_tables_families[i].family;
        }
    }

    return "evm";
}


/* room for one more: doubled whenever n is a power of two */

static void *
ctl_tables_room(void *elts, size_t n, size_t size)
{
    if (n && (n & (n - 1))) {
        return elts;
    }

    if (n >= CTL_TABLES_ROWS) {
        return NULL;
    }

    return realloc(elts, (n ? 2 * n : 1) * size);
}


static int
ctl_tables_copy(ctl_gateway_t *g, pocket_str_t *to, const pocket_str_t *from)
{
    unsigned char  *p;

    p = pocket_alloc(&g->arena.alloc, from->len + 1);
    if (p == NULL) {
        return ctl_tables_no_memory();
    }

    if (from->len) {
        memcpy(p, from->data, from->len);
    }

    to->data = p;
    to->len = from->len;

    return CTL_OK;
}


static unsigned
ctl_tables_is(const pocket_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


static int
ctl_tables_no_memory(void)
{
    ctl_error("no memory");

    return CTL_USAGE;
}
