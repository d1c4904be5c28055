
/*
 * Keys of a chain, of gateway_chain {} and of gateway_select, by one table,
 * and the directives of http{} that give their defaults.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"


#define NGX_GATEWAY_SELECT_WEIGHT_MAX  64
#define NGX_GATEWAY_SELECT_COUNT_MAX   1000000

#define NGX_GATEWAY_SELECT_ANYWHERE    (NGX_GATEWAY_SELECT_IN_CHAIN           \
                                        |NGX_GATEWAY_SELECT_IN_POOL)

/* how often a key and its values may stand there */

#define NGX_GATEWAY_SELECT_MANY        0x04    /* values */
#define NGX_GATEWAY_SELECT_REPEATED    0x08


typedef struct ngx_gateway_select_key_s  ngx_gateway_select_key_t;

typedef char *(*ngx_gateway_select_set_pt)(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);

struct ngx_gateway_select_key_s {
    ngx_str_t                  name;
    ngx_uint_t                 flags;
    ngx_gateway_select_set_pt  set;
    size_t                     offset;
};


typedef struct {
    ngx_str_t                  name;
    size_t                     offset;
} ngx_gateway_select_exponent_t;


static char *ngx_gateway_select_invalid(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, const char *expected);
static char *ngx_gateway_select_set_family(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_count(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_share(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_msec(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_url(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_checks(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_node(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_portion(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_header(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_writes(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_host(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_uri(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_flag(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_set_weights(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n);
static double ngx_gateway_select_portion(ngx_str_t *value);
static const char *ngx_gateway_select_weight(
    ngx_gateway_select_chain_t *chain, ngx_str_t *value);


static ngx_str_t  ngx_gateway_select_families[] = {
    ngx_string("evm"),
    ngx_string("solana"),
    ngx_string("pokt"),
    ngx_string("cosmos"),
    ngx_string("generic"),
    ngx_string("none")
};


static ngx_gateway_select_exponent_t  ngx_gateway_select_exponents[] = {

    { ngx_string("success"),
      offsetof(ngx_gateway_select_chain_t, rank.success) },

    { ngx_string("correctness"),
      offsetof(ngx_gateway_select_chain_t, rank.correctness) },

    { ngx_string("liveliness"),
      offsetof(ngx_gateway_select_chain_t, rank.liveliness) },

    { ngx_string("latency"),
      offsetof(ngx_gateway_select_chain_t, rank.latency) },

    { ngx_null_string, 0 }
};


static ngx_gateway_select_key_t  ngx_gateway_select_keys[] = {

    { ngx_string("family"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_family,
      0 },

    { ngx_string("height_tolerance"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_count,
      offsetof(ngx_gateway_select_chain_t, record.height_tolerance) },

    { ngx_string("operator_cap"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_share,
      offsetof(ngx_gateway_select_chain_t, rank.operator_cap) },

    { ngx_string("max_ejected"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_share,
      offsetof(ngx_gateway_select_chain_t, rank.max_ejected) },

    { ngx_string("weights"),
      NGX_GATEWAY_SELECT_ANYWHERE|NGX_GATEWAY_SELECT_MANY,
      ngx_gateway_select_set_weights,
      0 },

    { ngx_string("timeout"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_msec,
      offsetof(ngx_gateway_select_chain_t, timeout) },

    { ngx_string("check_interval"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_msec,
      offsetof(ngx_gateway_select_chain_t, check_interval) },

    { ngx_string("witness"),
      NGX_GATEWAY_SELECT_ANYWHERE,
      ngx_gateway_select_set_url,
      offsetof(ngx_gateway_select_chain_t, witness) },

    { ngx_string("check"),
      NGX_GATEWAY_SELECT_ANYWHERE|NGX_GATEWAY_SELECT_MANY,
      ngx_gateway_select_set_checks,
      0 },

    { ngx_string("altruist"),
      NGX_GATEWAY_SELECT_IN_CHAIN,
      ngx_gateway_select_set_url,
      offsetof(ngx_gateway_select_chain_t, altruist) },

    { ngx_string("verify"),
      NGX_GATEWAY_SELECT_IN_CHAIN,
      ngx_gateway_select_set_portion,
      offsetof(ngx_gateway_select_chain_t, verify) },

    { ngx_string("hedge"),
      NGX_GATEWAY_SELECT_IN_CHAIN,
      ngx_gateway_select_set_portion,
      offsetof(ngx_gateway_select_chain_t, hedge) },

    { ngx_string("header"),
      NGX_GATEWAY_SELECT_IN_CHAIN|NGX_GATEWAY_SELECT_MANY
                                 |NGX_GATEWAY_SELECT_REPEATED,
      ngx_gateway_select_set_header,
      0 },

    { ngx_string("write_method"),
      NGX_GATEWAY_SELECT_IN_CHAIN|NGX_GATEWAY_SELECT_MANY
                                 |NGX_GATEWAY_SELECT_REPEATED,
      ngx_gateway_select_set_writes,
      0 },

    { ngx_string("node"),
      NGX_GATEWAY_SELECT_IN_CHAIN|NGX_GATEWAY_SELECT_MANY
                                 |NGX_GATEWAY_SELECT_REPEATED,
      ngx_gateway_select_set_node,
      0 },

    { ngx_string("host"),
      NGX_GATEWAY_SELECT_IN_POOL,
      ngx_gateway_select_set_host,
      offsetof(ngx_gateway_select_chain_t, check_host) },

    { ngx_string("uri"),
      NGX_GATEWAY_SELECT_IN_POOL,
      ngx_gateway_select_set_uri,
      offsetof(ngx_gateway_select_chain_t, check_uri) },

    { ngx_string("tls"),
      NGX_GATEWAY_SELECT_IN_POOL,
      ngx_gateway_select_set_flag,
      offsetof(ngx_gateway_select_chain_t, check_tls) },

    { ngx_null_string, 0, NULL, 0 }
};


char *
ngx_gateway_select_conf_key(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char       *p, *last;
    ngx_str_t    *part;
    ngx_array_t   parts;

    if (ngx_array_init(&parts, cf->temp_pool, 4, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;
    part = NULL;

    for (p = value->data; p <= last; p++) {

        if (part == NULL) {
            part = ngx_array_push(&parts);
            if (part == NULL) {
                return NGX_CONF_ERROR;
            }

            part->data = p;
        }

        if (p == last || *p == ',') {
            part->len = p - part->data;
            part = NULL;
        }
    }

    return ngx_gateway_select_conf_values(cf, chain,
                                          NGX_GATEWAY_SELECT_IN_POOL, name,
                                          parts.elts, parts.nelts);
}


char *
ngx_gateway_select_conf_values(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_uint_t where, ngx_str_t *name,
    ngx_str_t *values, ngx_uint_t n)
{
    uint64_t                   bit;
    ngx_gateway_select_key_t  *key;

    for (key = ngx_gateway_select_keys; key->name.len; key++) {
        if (key->name.len == name->len
            && ngx_strncmp(key->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (key->name.len == 0 || !(key->flags & where)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\" of chain \"%V\"",
                           name, &chain->name);
        return NGX_CONF_ERROR;
    }

    if (n == 0 || values[0].len == 0
        || (n > 1 && !(key->flags & NGX_GATEWAY_SELECT_MANY)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of values of \"%V\" of chain "
                           "\"%V\"", name, &chain->name);
        return NGX_CONF_ERROR;
    }

    bit = (uint64_t) 1 << (key - ngx_gateway_select_keys);

    if ((chain->keys & bit) && !(key->flags & NGX_GATEWAY_SELECT_REPEATED)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" of chain \"%V\"",
                           name, &chain->name);
        return NGX_CONF_ERROR;
    }

    chain->keys |= bit;

    return key->set(cf, chain, key, values, n);
}


static char *
ngx_gateway_select_invalid(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, const char *expected)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"%V\" of chain \"%V\", "
                       "%s is expected", value, &key->name, &chain->name,
                       expected);

    return NGX_CONF_ERROR;
}


static char *
ngx_gateway_select_set_family(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GATEWAY_SELECT_FAMILIES; i++) {
        if (ngx_gateway_select_families[i].len == value->len
            && ngx_strncmp(ngx_gateway_select_families[i].data, value->data,
                           value->len)
               == 0)
        {
            chain->family = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_gateway_select_invalid(cf, chain, key, value,
                                      "evm, solana, pokt, cosmos, generic or "
                                      "none");
}


static char *
ngx_gateway_select_set_count(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t  count;

    count = ngx_atoi(value->data, value->len);

    if (count == NGX_ERROR || count > NGX_GATEWAY_SELECT_COUNT_MAX) {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "a number of 0 to 1000000");
    }

    *(uint32_t *) ((u_char *) chain + key->offset) = count;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_share(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t  share;

    share = NGX_ERROR;

    if (value->data[value->len - 1] == '%') {
        share = ngx_atofp(value->data, value->len - 1, 2);
    }

    if (share == NGX_ERROR || share == 0 || share > 100 * 100) {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "a share up to 100%");
    }

    *(double *) ((u_char *) chain + key->offset) = share / 10000.0;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_msec(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t  msec;

    msec = ngx_parse_time(value, 0);

    if (msec == NGX_ERROR || msec == 0) {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "a time above zero");
    }

    *(ngx_msec_t *) ((u_char *) chain + key->offset) = msec;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_url(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    mesh_http_url_t  **url;

    url = (mesh_http_url_t **) ((u_char *) chain + key->offset);

    *url = ngx_gateway_select_conf_url(cf, chain, (char *) key->name.data,
                                       value);

    return *url ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_gateway_select_set_checks(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t   i, j;
    ngx_str_t   *name;

    for (i = 0; i < n; i++) {

        for (j = 0; j < i; j++) {
            if (value[j].len == value[i].len
                && ngx_strncmp(value[j].data, value[i].data, value[i].len)
                   == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate \"%V\" in \"check\" of chain "
                                   "\"%V\"", &value[i], &chain->name);
                return NGX_CONF_ERROR;
            }
        }

        name = ngx_array_push(&chain->check_names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


/* verify, hedge: a share, or its ends by name */

static char *
ngx_gateway_select_set_portion(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    double  portion;

    portion = ngx_gateway_select_portion(value);

    if (portion == NGX_GATEWAY_SELECT_UNSET) {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "\"always\", \"off\" or a share "
                                          "up to 100%");
    }

    *(double *) ((u_char *) chain + key->offset) = portion;

    return NGX_CONF_OK;
}


/* UNSET: it is none */

static double
ngx_gateway_select_portion(ngx_str_t *value)
{
    ngx_int_t  share;

    if (ngx_strcmp(value->data, "always") == 0) {
        return 1.0;
    }

    if (ngx_strcmp(value->data, "off") == 0) {
        return 0.0;
    }

    share = NGX_ERROR;

    if (value->len > 1 && value->data[value->len - 1] == '%') {
        share = ngx_atofp(value->data, value->len - 1, 2);
    }

    if (share == NGX_ERROR || share > 100 * 100) {
        return NGX_GATEWAY_SELECT_UNSET;
    }

    return share / 10000.0;
}


char *
ngx_gateway_select_conf_portion(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    double      portion, *field;
    ngx_str_t  *value;

    value = cf->args->elts;
    field = (double *) ((u_char *) gmcf->defaults + cmd->offset);

    if (*field != NGX_GATEWAY_SELECT_UNSET) {
        return "is duplicate";
    }

    portion = ngx_gateway_select_portion(&value[1]);

    if (portion == NGX_GATEWAY_SELECT_UNSET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", \"always\", "
                           "\"off\" or a share up to 100% is expected",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *field = portion;

    return NGX_CONF_OK;
}


/* A header that each request to the chain has, whatever the caller's. */

static char *
ngx_gateway_select_set_header(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    size_t               i;
    mesh_http_header_t  *header;

    for (i = 0; n == 2 && i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f) {
            return ngx_gateway_select_invalid(cf, chain, key, &value[1],
                                              "a value without control "
                                              "characters");
        }
    }

    if (n != 2 || ngx_gateway_select_conf_header(value) != NGX_OK) {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "a header's name, other than "
                                          "those of the connection, and its "
                                          "value");
    }

    header = ngx_array_push(&chain->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->name = value[0];
    header->value = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_writes(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t   i;
    ngx_str_t   *method;

    for (i = 0; i < n; i++) {

        if (ngx_gateway_select_conf_name(&value[i]) != NGX_OK) {
            return ngx_gateway_select_invalid(cf, chain, key, &value[i],
                                              "a method's name");
        }

        method = ngx_array_push(&chain->writes);
        if (method == NULL) {
            return NGX_CONF_ERROR;
        }

        *method = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_node(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    return ngx_gateway_select_conf_node(cf, chain, value, n);
}


static char *
ngx_gateway_select_set_host(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    if (ngx_gateway_select_conf_name(value) != NGX_OK) {
        return ngx_gateway_select_invalid(cf, chain, key, value, "a host");
    }

    chain->check_host = *value;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_uri(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    if (value->data[0] != '/'
        || ngx_gateway_select_conf_plain(value) != NGX_OK)
    {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "a URI that begins with \"/\"");
    }

    chain->check_uri = *value;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_flag(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_key_t *key, ngx_str_t *value, ngx_uint_t n)
{
    ngx_flag_t  *flag;

    flag = (ngx_flag_t *) ((u_char *) chain + key->offset);

    if (ngx_strcmp(value->data, "on") == 0) {
        *flag = 1;

    } else if (ngx_strcmp(value->data, "off") == 0) {
        *flag = 0;

    } else {
        return ngx_gateway_select_invalid(cf, chain, key, value,
                                          "\"on\" or \"off\"");
    }

    return NGX_CONF_OK;
}


mesh_http_url_t *
ngx_gateway_select_conf_url(ngx_conf_t *cf, ngx_gateway_select_chain_t *chain,
    const char *name, ngx_str_t *value)
{
    const char                      *err;
    mesh_http_url_t                 *url;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_gateway_select_module);

    url = mesh_http_url_parse(cf, gmcf->http, value, &err);

    if (url == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"%s\" of chain \"%V\": %s",
                           value, name, &chain->name, err);
    }

    return url;
}


char *
ngx_gateway_select_conf_weights(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *err;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        err = ngx_gateway_select_weight(gmcf->defaults, &value[i]);

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid weight \"%V\" in \"%V\": %s",
                               &value[i], &cmd->name, err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_set_weights(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain, ngx_gateway_select_key_t *key,
    ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t   i;
    const char  *err;

    for (i = 0; i < n; i++) {
        err = ngx_gateway_select_weight(chain, &value[i]);

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid weight \"%V\" in \"%V\" of chain "
                               "\"%V\": %s", &value[i], &key->name,
                               &chain->name, err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* An exponent, name=value; NULL, or what is wrong with it. */

static const char *
ngx_gateway_select_weight(ngx_gateway_select_chain_t *chain, ngx_str_t *value)
{
    size_t                          len;
    double                         *field;
    ngx_int_t                       n;
    ngx_gateway_select_exponent_t  *e;

    for (e = ngx_gateway_select_exponents; e->name.len; e++) {
        len = e->name.len;

        if (value->len <= len
            || value->data[len] != '='
            || ngx_strncmp(value->data, e->name.data, len) != 0)
        {
            continue;
        }

        field = (double *) ((u_char *) chain + e->offset);

        if (*field != NGX_GATEWAY_SELECT_UNSET) {
            return "it is duplicate";
        }

        n = ngx_atofp(value->data + len + 1, value->len - len - 1, 2);

        if (n == NGX_ERROR || n > NGX_GATEWAY_SELECT_WEIGHT_MAX * 100) {
            return "an exponent of 0 to 64 is expected";
        }

        *field = n / 100.0;

        return NULL;
    }

    return "success=, correctness=, liveliness= or latency= is expected";
}
