
/*
 * The environment variables of a gateway-server.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_gateway.h"


static int ctl_env_line(ctl_env_t *env);
static int ctl_env_name(ctl_env_t *env, pocket_str_t *name);
static int ctl_env_value(ctl_env_t *env, pocket_str_t *value);
static int ctl_env_quoted(ctl_env_t *env, pocket_str_t *value);
static int ctl_env_plain(ctl_env_t *env, pocket_str_t *value);
static int ctl_env_dollar(ctl_env_t *env, unsigned char *p);
static int ctl_env_end(ctl_env_t *env);
static int ctl_env_set(ctl_env_t *env, const pocket_str_t *name,
    const pocket_str_t *value, size_t column);
static size_t ctl_env_column(ctl_env_t *env, unsigned char *p);
static unsigned ctl_env_name_char(unsigned char ch);


const ctl_env_setting_t  ctl_env_settings[CTL_ENV_SETTINGS] = {

    { "POKT_RPC_FULL_HOST", "gateway_dispatcher", NULL, 1 },

    { "POKT_RPC_TIMEOUT", "timeout of each gateway_chain", NULL, 1 },

    { "HTTP_SERVER_PORT", "PORT of \"make run\", \"listen\" of a server of "
                          "yours", NULL, 0 },

    { "ENVIRONMENT_STAGE", "not needed: error_log has the level of logs",
      NULL, 0 },

    { "EMIT_SERVICE_URL_PROM_METRICS", "not needed: /gateway/nodes has every "
                                       "node", NULL, 0 },

    { "CHAIN_NETWORK", "family of each gateway_chain", NULL, 0 },

    { "SESSION_CACHE_TTL", "not needed: sessions are kept as long as nodes "
                           "serve them", NULL, 0 },

    { "ALTRUIST_REQUEST_TIMEOUT", "not needed: an altruist has the time that "
                                  "is left for the caller", NULL, 0 },

    { "API_KEY", "gateway_auth, in auth.json",
      "not needed: no key, so /gateway/nodes and the like answer 401", 0 },

    { "DB_CONNECTION_URL", "not needed: there is no database", NULL, 0 },

    { "POKT_APPLICATIONS_ENCRYPTION_KEY", "not needed: the mode of apps.json "
                                          "guards it", NULL, 1 },

    { "POKT_APPLICATION_PRIVATE_KEY", "not needed: of the gateway-server's "
                                      "Makefile alone", NULL, 0 }
};


int
ctl_env_read(const char *file, ctl_env_t *env)
{
    int     rc;
    size_t  i;

    memset(env, 0, sizeof(ctl_env_t));
    env->file = file;

    rc = ctl_file_read(file, 1, &env->text);

    if (rc != CTL_OK) {
        return rc;
    }

    /* a line feed ends every line, so a NUL-terminated walk is enough */

    cli_buf_add(&env->text, "\n", 1);

    if (env->text.failed) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    if (memchr(env->text.text.data, '\0', env->text.text.len)) {
        ctl_error("\"%s\" has a zero byte: no file of variables", file);
        return CTL_FAILED;
    }

    env->p = env->text.text.data;
    env->line = 1;

    while (*env->p) {
        env->begin = env->p;

        rc = ctl_env_line(env);

        if (rc != CTL_OK) {
            return rc;
        }

        env->line++;
    }

    for (i = 0; i < CTL_ENV_SETTINGS; i++) {
        if (ctl_env_settings[i].required && env->values[i].text.len == 0) {
            ctl_error("\"%s\": there is no %s", file,
                      ctl_env_settings[i].name);
            return CTL_FAILED;
        }
    }

    return CTL_OK;
}


/* Leaves p after the line feed. */

static int
ctl_env_line(ctl_env_t *env)
{
    int            rc;
    size_t         column;
    pocket_str_t   name, value;

    env->p += strspn((char *) env->p, " \t\r");

    if (strncmp((char *) env->p, "export", 6) == 0
        && (env->p[6] == ' ' || env->p[6] == '\t'))
    {
        env->p += 6;
        env->p += strspn((char *) env->p, " \t");
    }

    if (*env->p == '#' || *env->p == '\n') {
        return ctl_env_end(env);
    }

    rc = ctl_env_name(env, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    column = ctl_env_column(env, env->p);

    rc = ctl_env_value(env, &value);

    if (rc == CTL_OK) {
        rc = ctl_env_end(env);
    }

    return rc == CTL_OK ? ctl_env_set(env, &name, &value, column) : rc;
}


static int
ctl_env_name(ctl_env_t *env, pocket_str_t *name)
{
    unsigned char  *p;

    for (p = env->p; ctl_env_name_char(*p); p++) { /* void */ }

    name->data = env->p;
    name->len = p - env->p;

    p += strspn((char *) p, " \t");

    if (name->len == 0 || (*p != '=' && *p != ':')) {
        return ctl_env_error(env, env->line, ctl_env_column(env, p),
                             "NAME=VALUE is expected");
    }

    env->p = p + 1 + strspn((char *) p + 1, " \t");

    return CTL_OK;
}


static int
ctl_env_value(ctl_env_t *env, pocket_str_t *value)
{
    return *env->p == '"' || *env->p == '\'' ? ctl_env_quoted(env, value)
                                             : ctl_env_plain(env, value);
}


/* escapes are taken out where they stand */

static int
ctl_env_quoted(ctl_env_t *env, pocket_str_t *value)
{
    unsigned char  *p, *to, quote;

    quote = *env->p;
    to = env->p + 1;
    value->data = to;

    for (p = to; *p != quote; p++) {

        if (*p == '\n') {
            return ctl_env_error(env, env->line, ctl_env_column(env, env->p),
                                 "the quoted value has no end in its line");
        }

        if (quote == '"' && *p == '\\' && p[1] != '\n') {
            p++;
            *to++ = *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p;
            continue;
        }

        if (quote == '"' && ctl_env_dollar(env, p) != CTL_OK) {
            return CTL_FAILED;
        }

        *to++ = *p;
    }

    value->len = to - value->data;
    env->p = p + 1;

    return CTL_OK;
}


/* up to the end of the line, or to a comment */

static int
ctl_env_plain(ctl_env_t *env, pocket_str_t *value)
{
    unsigned char  *p, *last;

    value->data = env->p;
    last = env->p;

    for (p = env->p; *p != '\n'; p++) {

        if (*p == '#' && (p == env->p || p[-1] == ' ' || p[-1] == '\t')) {
            break;
        }

        if (ctl_env_dollar(env, p) != CTL_OK) {
            return CTL_FAILED;
        }

        if (*p != ' ' && *p != '\t' && *p != '\r') {
            last = p + 1;
        }
    }

    value->len = last - value->data;
    env->p = p;

    return CTL_OK;
}


/* what godotenv would replace by another variable's value */

static int
ctl_env_dollar(ctl_env_t *env, unsigned char *p)
{
    unsigned char  *name;

    if (*p != '$') {
        return CTL_OK;
    }

    name = p + 1 + (p[1] == '{');

    if ((*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9')
        || *name == '_')
    {
        return ctl_env_error(env, env->line, ctl_env_column(env, p),
                             "variables are not looked up here, write their "
                             "values (or the \"$\" in single quotes)");
    }

    return CTL_OK;
}


static int
ctl_env_end(ctl_env_t *env)
{
    env->p += strspn((char *) env->p, " \t\r");

    if (*env->p == '#') {
        env->p += strcspn((char *) env->p, "\n");
    }

    if (*env->p != '\n') {
        return ctl_env_error(env, env->line, ctl_env_column(env, env->p),
                             "text after the value");
    }

    env->p++;

    return CTL_OK;
}


/* of several the last counts */

static int
ctl_env_set(ctl_env_t *env, const pocket_str_t *name,
    const pocket_str_t *value, size_t column)
{
    size_t         i;
    pocket_str_t  *unknown;

    for (i = 0; i < CTL_ENV_SETTINGS; i++) {
        if (strlen(ctl_env_settings[i].name) == name->len
            && memcmp(ctl_env_settings[i].name, name->data, name->len) == 0)
        {
            env->values[i].text = *value;
            env->values[i].line = env->line;
            env->values[i].column = column;
            return CTL_OK;
        }
    }

    unknown = realloc(env->unknown,
                      (env->nunknown + 1) * sizeof(pocket_str_t));
    if (unknown == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    env->unknown = unknown;
    env->unknown[env->nunknown++] = *name;

    return CTL_OK;
}


static size_t
ctl_env_column(ctl_env_t *env, unsigned char *p)
{
    return p - env->begin + 1;
}


static unsigned
ctl_env_name_char(unsigned char ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9') || ch == '_' || ch == '.';
}


int
ctl_env_error(ctl_env_t *env, size_t line, size_t column, const char *fmt,
    ...)
{
    char     text[512];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    ctl_error("\"%s\", line %zu, column %zu: %s", env->file, line, column,
              text);

    return CTL_FAILED;
}


void
ctl_env_free(ctl_env_t *env)
{
    free(env->unknown);
    ctl_file_wipe(&env->text);
}


int64_t
ctl_gateway_duration(const pocket_str_t *text)
{
    char        *end, buf[64];
    double       n, sum;
    size_t       i;
    const char  *p;

    static const struct {
        const char  *name;
        double       msec;
    } units[] = {
        { "ms", 1 }, { "us", 1e-3 }, { "\302\265s", 1e-3 }, { "ns", 1e-6 },
        { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }
    };

    if (text->len == 0 || text->len >= sizeof(buf)) {
        return -1;
    }

    memcpy(buf, text->data, text->len);
    buf[text->len] = '\0';

    if (strspn(buf, "0123456789.hmsun\302\265") != text->len) {
        return -1;
    }

    sum = 0;

    for (p = buf; *p; p += strlen(units[i].name)) {

        n = strtod(p, &end);

        if (end == p) {
            return -1;
        }

        p = end;

        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (strncmp(p, units[i].name, strlen(units[i].name)) == 0) {
                break;
            }
        }

        if (i == sizeof(units) / sizeof(units[0])) {
            return -1;
        }

        sum += n * units[i].msec;
    }

    return sum < 1e12 ? (int64_t) (sum + 0.5) : -1;
}
