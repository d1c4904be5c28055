
/*
 * meshctl convert-gateway: the files of a gateway for the installation of a
 * gateway-server.
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "ctl_gateway.h"
#include "pocket_key.h"
#include "pocket_url.h"


#define CTL_GATEWAY_COLUMN  40

/* of an entry of apps.json, beside its id */

#define CTL_GATEWAY_APP_ROOM  (2 * POCKET_PRIVKEY_LEN + 64)


typedef struct {
    const char           *dir;
    const char           *env;
    char                **tables;
    int                   ntables;
} ctl_gateway_options_t;


/* columns of chain_configurations, and what becomes of them */

typedef struct {
    const char           *name;
    const char           *becomes;
} ctl_gateway_column_t;


static int ctl_gateway_options(ctl_gateway_options_t *o, int argc,
    char **argv);
static int ctl_gateway_read(ctl_gateway_options_t *o, ctl_gateway_t *g);
static int ctl_gateway_settings(ctl_gateway_t *g);
static int ctl_gateway_target(const char *dir);
static void ctl_gateway_report(ctl_gateway_t *g, cli_buf_t *out);
static void ctl_gateway_report_chains(ctl_gateway_t *g, cli_buf_t *out);
static void ctl_gateway_report_apps(ctl_gateway_t *g, cli_buf_t *out);
static void ctl_gateway_line(cli_buf_t *out, const char *name, size_t len,
    const char *becomes);
static void ctl_gateway_conf(ctl_gateway_t *g, const cli_buf_t *report,
    cli_buf_t *out);
static void ctl_gateway_directive(cli_buf_t *out, unsigned depth,
    const char *name, const pocket_str_t *value);
static void ctl_gateway_number(cli_buf_t *out, const char *name, int64_t n,
    const char *unit);
static void ctl_gateway_apps(ctl_gateway_t *g, cli_buf_t *out);
static int ctl_gateway_write(ctl_gateway_t *g, const char *dir,
    cli_buf_t *report);
static int ctl_gateway_files(ctl_gateway_t *g, const char *dir,
    const cli_buf_t *report);
static int ctl_gateway_file(const char *dir, const char *name,
    const cli_buf_t *text);
static void ctl_gateway_remove(const char *dir);
static void ctl_gateway_free(ctl_gateway_t *g);


static const char  ctl_gateway_usage[] =
"usage: meshctl convert-gateway ENVFILE CSV... -o DIR\n"
"\n"
"Makes DIR, which must be new or empty, with the files of a gateway that does\n"
"what a gateway-server does: gateway.conf (directives of http{}), apps.json\n"
"(the applications' keys) and, when it has an API_KEY, auth.json.  Each\n"
"setting is named with the directive that it became, or with why none is\n"
"needed, here and at the head of gateway.conf.\n"
"\n"
"ENVFILE has the gateway-server's environment variables, one NAME=VALUE a\n"
"line, and is to be its owner's alone (chmod 600).  The CSVs are exports of\n"
"its tables, with the names of the columns in the first row, as psql writes\n"
"them:\n"
"\n"
"  \\copy pokt_applications to 'apps.csv' csv header\n"
"  \\copy chain_configurations to 'chains.csv' csv header\n"
"\n"
"  -o, --output DIR      the folder to be made\n"
"\n"
"Keys are decrypted by gpg, which must be there, with the\n"
"POKT_APPLICATIONS_ENCRYPTION_KEY of ENVFILE.  Nothing secret is printed; all\n"
"files are for their owner alone.\n"
"\n"
"Exit code: 0 made, 1 a file is not as it should be, 2 usage or files.  But\n"
"for 0 there is no DIR.\n";


static const ctl_gateway_column_t  ctl_gateway_columns[] = {
    { "chain_id", "gateway_chain" },
    { "pocket_request_timeout_duration",
      "not needed: the gateway-server does not read it" },
    { "altruist_url", "altruist" },
    { "altruist_request_timeout_duration",
      "not needed: as ALTRUIST_REQUEST_TIMEOUT" },
    { "top_bucket_p90latency_duration",
      "not needed: the gateway-server does not read it" },
    { "height_check_block_tolerance", "height_tolerance" },
    { "data_integrity_check_lookback_height",
      "not needed: blocks of random depth are compared" }
};


static const struct option  ctl_gateway_table_options[] = {
    { "output", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


int
ctl_convert_gateway(int argc, char **argv)
{
    int                    rc;
    cli_buf_t              report;
    ctl_gateway_t          g;
    ctl_gateway_options_t  options;

    memset(&options, 0, sizeof(ctl_gateway_options_t));

    rc = ctl_gateway_options(&options, argc, argv);

    if (rc == -1) {
        fputs(ctl_gateway_usage, stdout);
        return CTL_OK;
    }

    if (rc != CTL_OK) {
        return rc;
    }

    memset(&g, 0, sizeof(ctl_gateway_t));
    memset(&report, 0, sizeof(cli_buf_t));
    cli_arena_init(&g.arena);

    rc = ctl_gateway_target(options.dir);

    if (rc == CTL_OK) {
        rc = ctl_gateway_read(&options, &g);
    }

    if (rc == CTL_OK) {
        ctl_gateway_report(&g, &report);
        rc = ctl_gateway_write(&g, options.dir, &report);
    }

    if (rc == CTL_OK) {
        fwrite(report.text.data, 1, report.text.len, stdout);
        printf("\nmade %s; next: make run GATEWAY=%s\n", options.dir,
               options.dir);
    }

    cli_buf_free(&report);
    ctl_gateway_free(&g);

    return rc;
}


/* -1: help was asked for */

static int
ctl_gateway_options(ctl_gateway_options_t *o, int argc, char **argv)
{
    int  opt;

    while ((opt = getopt_long(argc, argv, "o:", ctl_gateway_table_options,
                              NULL))
           != -1)
    {
        if (opt == 'h') {
            return -1;
        }

        if (opt == '?') {
            return CTL_USAGE;
        }

        if (*optarg == '\0') {
            return ctl_usage("convert-gateway", "the folder has no name");
        }

        o->dir = optarg;
    }

    if (o->dir == NULL) {
        return ctl_usage("convert-gateway", "\"-o DIR\" is missing");
    }

    if (argc - optind < 2) {
        return ctl_usage("convert-gateway", "a file of environment variables "
                         "and at least one CSV are expected");
    }

    o->env = argv[optind];
    o->tables = &argv[optind + 1];
    o->ntables = argc - optind - 1;

    return CTL_OK;
}


static int
ctl_gateway_read(ctl_gateway_options_t *o, ctl_gateway_t *g)
{
    int  i, rc;

    rc = ctl_env_read(o->env, &g->env);

    if (rc == CTL_OK) {
        rc = ctl_gateway_settings(g);
    }

    for (i = 0; rc == CTL_OK && i < o->ntables; i++) {
        rc = ctl_gateway_table(o->tables[i], g);
    }

    if (rc == CTL_OK && g->apps_file == NULL) {
        ctl_error("none of the CSVs is of pokt_applications");
        return CTL_FAILED;
    }

    return rc;
}


static int
ctl_gateway_settings(ctl_gateway_t *g)
{
    pocket_url_t      url;
    ctl_env_value_t  *value;

    value = &g->env.values[CTL_ENV_HOST];

    if (pocket_url_parse(&value->text, &url) != POCKET_OK) {
        return ctl_env_error(&g->env, value->line, value->column,
                             "POKT_RPC_FULL_HOST is no http:// or https:// "
                             "URL");
    }

    value = &g->env.values[CTL_ENV_TIMEOUT];
    g->timeout = ctl_gateway_duration(&value->text);

    if (g->timeout <= 0) {
        return ctl_env_error(&g->env, value->line, value->column,
                             "POKT_RPC_TIMEOUT is \"%.*s\", a duration as 5s "
                             "is expected", (int) value->text.len,
                             (char *) value->text.data);
    }

    /* anything else is the main network to the gateway-server, too */

    value = &g->env.values[CTL_ENV_NETWORK];
    g->testnet = value->text.len == 13
                 && memcmp(value->text.data, "morse_testnet", 13) == 0;

    return CTL_OK;
}


static int
ctl_gateway_target(const char *dir)
{
    int             rc;
    DIR            *d;
    struct dirent  *entry;

    d = opendir(dir);

    if (d == NULL) {

        if (errno == ENOENT) {
            return CTL_OK;
        }

        ctl_error("\"%s\": %s", dir, strerror(errno));
        return CTL_USAGE;
    }

    rc = CTL_OK;

    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0)
        {
            ctl_error("\"%s\" is not empty", dir);
            rc = CTL_USAGE;
            break;
        }
    }

    closedir(d);

    return rc;
}


static void
ctl_gateway_report(ctl_gateway_t *g, cli_buf_t *out)
{
    size_t                    i;
    const char               *becomes;
    ctl_env_value_t          *value;
    const ctl_env_setting_t  *setting;

    for (i = 0; i < CTL_ENV_SETTINGS; i++) {
        setting = &ctl_env_settings[i];
        value = &g->env.values[i];
        becomes = setting->becomes;

        if (value->line == 0) {
            continue;
        }

        if (setting->empty && value->text.len == 0) {
            becomes = setting->empty;
        }

        ctl_gateway_line(out, setting->name, strlen(setting->name), becomes);
    }

    for (i = 0; i < g->env.nunknown; i++) {
        ctl_gateway_line(out, (char *) g->env.unknown[i].data,
                         g->env.unknown[i].len,
                         "not needed: no setting of the gateway-server");
    }

    ctl_gateway_line(out, "encrypted_private_key", 21,
                     "priv_key in apps.json");

    if (g->chains_file) {
        for (i = 0; i < sizeof(ctl_gateway_columns)
                        / sizeof(ctl_gateway_columns[0]); i++)
        {
            ctl_gateway_line(out, ctl_gateway_columns[i].name,
                             strlen(ctl_gateway_columns[i].name),
                             ctl_gateway_columns[i].becomes);
        }
    }

    cli_buf_text(out, "\n");

    ctl_gateway_report_chains(g, out);
    ctl_gateway_report_apps(g, out);
}


static void
ctl_gateway_report_chains(ctl_gateway_t *g, cli_buf_t *out)
{
    size_t                i, named;
    cli_buf_t             name, becomes;
    ctl_gateway_chain_t  *chain;

    named = 0;

    for (i = 0; i < g->nchains; i++) {
        chain = &g->chains[i];

        memset(&name, 0, sizeof(cli_buf_t));
        memset(&becomes, 0, sizeof(cli_buf_t));

        cli_buf_text(&name, "chain ");
        cli_buf_str(&name, &chain->id);

        if (chain->sample) {
            cli_buf_text(&becomes, "not needed: the sample row of the "
                                   "gateway-server");

        } else {
            named++;
            cli_buf_printf(&becomes, "family %s%s", chain->family,
                           chain->altruist.len ? ", altruist" : "");
        }

        if (!name.failed && !becomes.failed) {
            ctl_gateway_line(out, (char *) name.text.data, name.text.len,
                             (char *) becomes.text.data);
        }

        cli_buf_free(&name);
        cli_buf_free(&becomes);
    }

    if (named) {
        cli_buf_text(out, "\n\"evm\" is what the gateway-server takes every "
                          "other chain for: give those that\nare something "
                          "else the family that they are of.\n");
    }

    cli_buf_text(out, "\nChains of the applications without a row are served "
                      "with family \"none\".\n\n");
}


static void
ctl_gateway_report_apps(ctl_gateway_t *g, cli_buf_t *out)
{
    char                becomes[64];
    size_t              i;
    unsigned char       address[2 * POCKET_ADDR_LEN];
    ctl_gateway_app_t  *app;

    for (i = 0; i < g->napps; i++) {
        app = &g->apps[i];

        snprintf(becomes, sizeof(becomes), app->repeated
                 ? "line %zu: left out, it is there already"
                 : "line %zu: application", app->line);

        pocket_hex_encode(address, app->address, POCKET_ADDR_LEN);
        ctl_gateway_line(out, (char *) address, sizeof(address), becomes);
    }
}


static void
ctl_gateway_line(cli_buf_t *out, const char *name, size_t len,
    const char *becomes)
{
    cli_buf_printf(out, "%-*.*s  %s\n", CTL_GATEWAY_COLUMN, (int) len, name,
                   becomes);
}


static void
ctl_gateway_conf(ctl_gateway_t *g, const cli_buf_t *report, cli_buf_t *out)
{
    char                 *line, *end;
    size_t                i;
    pocket_str_t          value;
    ctl_gateway_chain_t  *chain;

    cli_buf_text(out, "# made by \"meshctl convert-gateway\"; to be included "
                      "in http{}\n#\n");

    for (line = (char *) report->text.data; *line; line = end + 1) {
        end = strchr(line, '\n');
        cli_buf_printf(out, "#%s%.*s\n", end > line ? " " : "",
                       (int) (end - line), line);
    }

    cli_buf_text(out, "\n");
    ctl_gateway_directive(out, 0, "gateway_dispatcher",
                          &g->env.values[CTL_ENV_HOST].text);

    value = ctl_str("apps.json");
    ctl_gateway_directive(out, 0, "gateway_apps", &value);

    if (g->env.values[CTL_ENV_API_KEY].text.len) {
        value = ctl_str("auth.json");
        ctl_gateway_directive(out, 0, "gateway_auth", &value);
    }

    for (i = 0; i < g->nchains; i++) {
        chain = &g->chains[i];

        if (chain->sample) {
            continue;
        }

        cli_buf_text(out, "\ngateway_chain ");
        ctl_conf_quote(out, &chain->id);
        cli_buf_text(out, " {\n");

        value = ctl_str(chain->family);
        ctl_gateway_directive(out, 1, "family", &value);
        ctl_gateway_number(out, "height_tolerance", chain->tolerance, "");
        ctl_gateway_number(out, "timeout", g->timeout, "ms");

        if (chain->altruist.len) {
            ctl_gateway_directive(out, 1, "altruist", &chain->altruist);
        }

        cli_buf_text(out, "}\n");
    }
}


static void
ctl_gateway_directive(cli_buf_t *out, unsigned depth, const char *name,
    const pocket_str_t *value)
{
    cli_buf_printf(out, "%*s%-*s", 4 * (int) depth, "", depth ? 20 : 24,
                   name);
    ctl_conf_quote(out, value);
    cli_buf_text(out, ";\n");
}


static void
ctl_gateway_number(cli_buf_t *out, const char *name, int64_t n,
    const char *unit)
{
    cli_buf_printf(out, "    %-20s%lld%s;\n", name, (long long) n, unit);
}


static void
ctl_gateway_apps(ctl_gateway_t *g, cli_buf_t *out)
{
    size_t              i, size;
    unsigned            first;
    unsigned char      *p;
    ctl_gateway_app_t  *app;

    /* all the room at once: growing would leave copies of keys in the heap */

    size = 16;

    for (i = 0; i < g->napps; i++) {
        size += CTL_GATEWAY_APP_ROOM + 6 * g->apps[i].id.len;
    }

    (void) cli_buf_room(out, size);

    cli_buf_text(out, "[");
    first = 1;

    for (i = 0; i < g->napps; i++) {
        app = &g->apps[i];

        if (app->repeated) {
            continue;
        }

        cli_buf_text(out, first ? "\n{" : ",\n{");
        first = 0;

        if (app->id.len) {
            cli_buf_text(out, "\"name\":");
            cli_buf_json(out, &app->id);
            cli_buf_text(out, ",");
        }

        cli_buf_text(out, "\"priv_key\":\"");

        p = cli_buf_room(out, 2 * POCKET_PRIVKEY_LEN);
        if (p == NULL) {
            return;
        }

        pocket_hex_encode(p, app->key, POCKET_PRIVKEY_LEN);
        out->text.len += 2 * POCKET_PRIVKEY_LEN;

        cli_buf_text(out, "\"}");
    }

    cli_buf_text(out, "\n]\n");
}


/* in a folder beside it, so that DIR is there with all or not at all */

static int
ctl_gateway_write(ctl_gateway_t *g, const char *dir, cli_buf_t *report)
{
    int     rc;
    char    temp[PATH_MAX];
    size_t  len;

    len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }

    if (report->failed || len + 16 > PATH_MAX) {
        ctl_error(report->failed ? "no memory" : "the name of the folder is "
                                                 "too long");
        return CTL_USAGE;
    }

    snprintf(temp, PATH_MAX, "%.*s.XXXXXX", (int) len, dir);

    if (mkdtemp(temp) == NULL) {
        ctl_error("cannot create \"%s\": %s", temp, strerror(errno));
        return CTL_USAGE;
    }

    rc = ctl_gateway_files(g, temp, report);

    if (rc == CTL_OK && rename(temp, dir) != 0) {
        ctl_error("cannot make \"%s\": %s", dir, strerror(errno));
        rc = CTL_USAGE;
    }

    if (rc != CTL_OK) {
        ctl_gateway_remove(temp);
    }

    return rc;
}


static int
ctl_gateway_files(ctl_gateway_t *g, const char *dir, const cli_buf_t *report)
{
    int            rc;
    cli_buf_t      conf, apps, auth;
    pocket_str_t  *token;

    memset(&conf, 0, sizeof(cli_buf_t));
    memset(&apps, 0, sizeof(cli_buf_t));
    memset(&auth, 0, sizeof(cli_buf_t));

    ctl_gateway_conf(g, report, &conf);
    ctl_gateway_apps(g, &apps);

    rc = ctl_gateway_file(dir, "gateway.conf", &conf);

    if (rc == CTL_OK) {
        rc = ctl_gateway_file(dir, "apps.json", &apps);
    }

    token = &g->env.values[CTL_ENV_API_KEY].text;

    if (rc == CTL_OK && token->len) {
        (void) cli_buf_room(&auth, 6 * token->len + 64);
        cli_buf_text(&auth, "{\"Value\":");
        cli_buf_json(&auth, token);
        cli_buf_text(&auth, ",\"Issued\":\"\"}\n");

        rc = ctl_gateway_file(dir, "auth.json", &auth);
    }

    ctl_file_wipe(&conf);
    ctl_file_wipe(&apps);
    ctl_file_wipe(&auth);

    return rc;
}


static int
ctl_gateway_file(const char *dir, const char *name, const cli_buf_t *text)
{
    char  path[PATH_MAX + 16];

    if (text->failed) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    return ctl_file_write(path, &text->text);
}


static void
ctl_gateway_remove(const char *dir)
{
    char                path[PATH_MAX + 16];
    size_t              i;

    static const char  *names[] = { "gateway.conf", "apps.json",
                                    "auth.json" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void) unlink(path);
    }

    (void) rmdir(dir);
}


static void
ctl_gateway_free(ctl_gateway_t *g)
{
    size_t  i;

    for (i = 0; i < g->napps; i++) {
        sodium_free(g->apps[i].key);
    }

    free(g->apps);
    free(g->chains);
    cli_arena_free(&g->arena);
    ctl_env_free(&g->env);
}
