
/*
 * gateway_check NAME {}: checks by configuration alone.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_check_conf.h"


#define NGX_GATEWAY_SELECT_CHECK_NAME_MAX  32
#define NGX_GATEWAY_SELECT_OFFSET_MAX      1000000

#define NGX_GATEWAY_SELECT_OFFSET_FROM     8
#define NGX_GATEWAY_SELECT_OFFSET_TO       64


typedef struct ngx_gateway_select_item_s  ngx_gateway_select_item_t;

typedef struct {
    ngx_gateway_select_check_conf_t  *check;
    ngx_uint_t                        set;     /* bits of the items there */
} ngx_gateway_select_check_block_t;


/* a directive of the block, with its least and highest number of values */

struct ngx_gateway_select_item_s {
    ngx_str_t     name;
    ngx_uint_t    min;
    ngx_uint_t    max;
    char       *(*set)(ngx_conf_t *cf, ngx_gateway_select_check_conf_t *check,
                    ngx_str_t *value, ngx_uint_t n);
};


static ngx_gateway_select_check_conf_t *ngx_gateway_select_check_find(
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name);
static char *ngx_gateway_select_check_item(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_gateway_select_check_request(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_body(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_header(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_value(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_role(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_pattern(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value);
static char *ngx_gateway_select_check_offset(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_interval(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_penalty(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_mode(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n);
static char *ngx_gateway_select_check_invalid(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value,
    const char *item, const char *expected);
static char *ngx_gateway_select_check_complete(ngx_conf_t *cf,
    ngx_gateway_select_check_block_t *block);
static ngx_gateway_select_check_t *ngx_gateway_select_check_create(
    ngx_conf_t *cf, ngx_gateway_select_check_conf_t *conf);


typedef enum {
    NGX_GATEWAY_SELECT_ITEM_REQUEST = 0,
    NGX_GATEWAY_SELECT_ITEM_VALUE,
    NGX_GATEWAY_SELECT_ITEM_ROLE,
    NGX_GATEWAY_SELECT_ITEM_BODY,
    NGX_GATEWAY_SELECT_ITEM_HEADER,
    NGX_GATEWAY_SELECT_ITEM_OFFSET,
    NGX_GATEWAY_SELECT_ITEM_INTERVAL,
    NGX_GATEWAY_SELECT_ITEM_PENALTY,
    NGX_GATEWAY_SELECT_ITEM_MODE,
    NGX_GATEWAY_SELECT_ITEMS
} ngx_gateway_select_item_e;


/* the first ones, up to the role, must be there */

static ngx_gateway_select_item_t  ngx_gateway_select_items[] = {
    { ngx_string("request"), 1, 2, ngx_gateway_select_check_request },
    { ngx_string("value"), 1, 1, ngx_gateway_select_check_value },
    { ngx_string("role"), 1, 2, ngx_gateway_select_check_role },
    { ngx_string("body"), 1, 1, ngx_gateway_select_check_body },
    { ngx_string("header"), 2, 2, ngx_gateway_select_check_header },
    { ngx_string("offset"), 2, 2, ngx_gateway_select_check_offset },
    { ngx_string("interval"), 1, 1, ngx_gateway_select_check_interval },
    { ngx_string("penalty"), 1, 1, ngx_gateway_select_check_penalty },
    { ngx_string("mode"), 1, 1, ngx_gateway_select_check_mode }
};


static ngx_str_t  ngx_gateway_select_roles[] = {
    ngx_string("height"),
    ngx_string("identifier"),
    ngx_string("equals"),
    ngx_string("pattern"),
    ngx_null_string
};


/* a node's failure counts by what was checked */

static gateway_penalty_e  ngx_gateway_select_role_penalties[] = {
    GATEWAY_PENALTY_HEIGHT,
    GATEWAY_PENALTY_DATA,
    GATEWAY_PENALTY_CHECK,
    GATEWAY_PENALTY_CHECK
};


char *
ngx_gateway_select_conf_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    char                              *rv;
    ngx_str_t                         *value;
    ngx_conf_t                         save;
    ngx_gateway_select_check_conf_t   *check, **checks;
    ngx_gateway_select_check_block_t   block;

    value = cf->args->elts;

    if (ngx_gateway_select_conf_name(&value[1]) != NGX_OK
        || value[1].len > NGX_GATEWAY_SELECT_CHECK_NAME_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"gateway_check\", 1 to %d "
                           "characters other than space, quotes, braces and "
                           "\"/\" are expected", &value[1],
                           NGX_GATEWAY_SELECT_CHECK_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    if (ngx_gateway_select_check_find(gmcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"gateway_check\" \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    check = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_check_conf_t));
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    check->name = value[1];
    check->offset_from = NGX_GATEWAY_SELECT_OFFSET_FROM;
    check->offset_to = NGX_GATEWAY_SELECT_OFFSET_TO;

    block.check = check;
    block.set = 0;

    save = *cf;

    cf->handler = ngx_gateway_select_check_item;
    cf->handler_conf = (char *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_gateway_select_check_complete(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    checks = ngx_array_push(&gmcf->checks);
    if (checks == NULL) {
        return NGX_CONF_ERROR;
    }

    *checks = check;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_gateway_select_checks_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_str_t                         *names;
    ngx_uint_t                         i, n;
    ngx_gateway_select_check_t       **check, *named;
    ngx_gateway_select_chain_t       **chains, *chain;
    ngx_gateway_select_check_conf_t   *conf;

    chains = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        chain = chains[i];
        names = chain->check_names.elts;

        for (n = 0; n < chain->check_names.nelts; n++) {
            conf = ngx_gateway_select_check_find(gmcf, &names[n]);
            named = ngx_gateway_select_check_named(&names[n]);

            if (conf == NULL && named == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "no \"gateway_check\" has the name \"%V\" "
                                   "in \"check\" of chain \"%V\"",
                                   &names[n], &chain->name);
                return NGX_ERROR;
            }

            check = ngx_array_push(&chain->checks);
            if (check == NULL) {
                return NGX_ERROR;
            }

            *check = conf ? ngx_gateway_select_check_create(cf, conf) : named;
            if (*check == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_gateway_select_check_t *
ngx_gateway_select_check_create(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *conf)
{
    ngx_gateway_select_check_t  *check;

    check = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_check_t));
    if (check == NULL) {
        return NULL;
    }

    check->kind = GATEWAY_PROBE_CUSTOM;
    check->reason = ngx_gateway_select_role_penalties[conf->role];
    check->interval = conf->interval;
    check->penalty = conf->penalty;
    check->mode = conf->mode;
    check->conf = conf;

    ngx_gateway_select_check_custom(check);

    return check;
}


static ngx_gateway_select_check_conf_t *
ngx_gateway_select_check_find(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *name)
{
    ngx_uint_t                         i;
    ngx_gateway_select_check_conf_t  **checks;

    checks = gmcf->checks.elts;

    for (i = 0; i < gmcf->checks.nelts; i++) {
        if (checks[i]->name.len == name->len
            && ngx_strncmp(checks[i]->name.data, name->data, name->len) == 0)
        {
            return checks[i];
        }
    }

    return NULL;
}


static char *
ngx_gateway_select_check_item(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_gateway_select_check_block_t *block = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i, n;
    ngx_gateway_select_item_t  *item;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n == 1 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_ITEMS; i++) {
        if (ngx_strcmp(value[0].data, ngx_gateway_select_items[i].name.data)
            == 0)
        {
            break;
        }
    }

    if (i == NGX_GATEWAY_SELECT_ITEMS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" in \"gateway_check\" "
                           "\"%V\"", &value[0], &block->check->name);
        return NGX_CONF_ERROR;
    }

    item = &ngx_gateway_select_items[i];

    if (n < item->min || n > item->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of values of \"%V\" in "
                           "\"gateway_check\" \"%V\"",
                           &value[0], &block->check->name);
        return NGX_CONF_ERROR;
    }

    if (block->set & (1 << i)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"gateway_check\" \"%V\"",
                           &value[0], &block->check->name);
        return NGX_CONF_ERROR;
    }

    block->set |= 1 << i;

    return item->set(cf, block->check, &value[1], n);
}


static char *
ngx_gateway_select_check_request(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    size_t  len;

    len = strspn((char *) value[0].data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (len == 0 || len != value[0].len) {
        return ngx_gateway_select_check_invalid(cf, check, &value[0],
                                                "request",
                                                "a method in upper case");
    }

    check->method = value[0];

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (value[1].len == 0 || value[1].data[0] != '/'
        || ngx_gateway_select_conf_plain(&value[1]) != NGX_OK)
    {
        return ngx_gateway_select_check_invalid(cf, check, &value[1],
                                                "request",
                                                "a path that begins with "
                                                "\"/\"");
    }

    check->path = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_body(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    check->body = value[0];

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_header(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    size_t  i;

    if (ngx_gateway_select_conf_name(&value[0]) != NGX_OK
        || ngx_strchr(value[0].data, ':'))
    {
        return ngx_gateway_select_check_invalid(cf, check, &value[0],
                                                "header",
                                                "a header's name");
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f) {
            return ngx_gateway_select_check_invalid(cf, check, &value[1],
                                            "header",
                                            "no control character");
        }
    }

    check->header = value[0];
    check->header_value = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_value(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    const char    *err;
    pocket_str_t   text;

    text.data = value[0].data;
    text.len = value[0].len;

    if (gateway_path_parse(&text, &check->value, &err) != POCKET_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\" in \"value\" of "
                           "\"gateway_check\" \"%V\": %s",
                           &value[0], &check->name, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_role(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t  role, wanted;

    for (role = 0; ngx_gateway_select_roles[role].len; role++) {
        if (ngx_strcmp(value[0].data, ngx_gateway_select_roles[role].data)
            == 0)
        {
            break;
        }
    }

    if (ngx_gateway_select_roles[role].len == 0) {
        return ngx_gateway_select_check_invalid(cf, check, &value[0], "role",
                                                "height, identifier, equals "
                                                "or pattern");
    }

    wanted = (role == NGX_GATEWAY_SELECT_EQUALS
              || role == NGX_GATEWAY_SELECT_PATTERN) ? 2 : 1;

    if (n != wanted) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of values of \"role %V\" in "
                           "\"gateway_check\" \"%V\"", &value[0],
                           &check->name);
        return NGX_CONF_ERROR;
    }

    check->role = role;

    if (role == NGX_GATEWAY_SELECT_PATTERN) {
        return ngx_gateway_select_check_pattern(cf, check, &value[1]);
    }

    if (role == NGX_GATEWAY_SELECT_EQUALS) {
        check->equals = value[1];
    }

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_pattern(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value)
{
#if (NGX_PCRE)
    u_char               errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *value;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V in \"role pattern\" of \"gateway_check\" "
                           "\"%V\"", &rc.err, &check->name);
        return NGX_CONF_ERROR;
    }

    check->pattern = rc.regex;

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"role pattern\" of \"gateway_check\" \"%V\" needs "
                       "an nginx with the PCRE library", &check->name);

    return NGX_CONF_ERROR;

#endif
}


static char *
ngx_gateway_select_check_offset(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t   offset[2];
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        offset[i] = ngx_atoi(value[i].data, value[i].len);

        if (offset[i] == NGX_ERROR
            || offset[i] > NGX_GATEWAY_SELECT_OFFSET_MAX
            || (i == 1 && offset[1] < offset[0]))
        {
            return ngx_gateway_select_check_invalid(cf, check, &value[i],
                                            "offset",
                                            "the least number of blocks and "
                                            "a highest not below it");
        }
    }

    check->offset_from = offset[0];
    check->offset_to = offset[1];

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_interval(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t  msec;

    msec = ngx_parse_time(value, 0);

    if (msec == NGX_ERROR || msec == 0) {
        return ngx_gateway_select_check_invalid(cf, check, value, "interval",
                                                "a time above zero");
    }

    check->interval = msec;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_penalty(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    ngx_int_t  msec;

    msec = ngx_parse_time(value, 0);

    if (msec == NGX_ERROR || msec == 0) {
        return ngx_gateway_select_check_invalid(cf, check, value, "penalty",
                                                "a time above zero");
    }

    check->penalty = msec;

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_mode(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value, ngx_uint_t n)
{
    if (ngx_strcmp(value->data, "direct") == 0) {
        check->mode = NGX_GATEWAY_SELECT_DIRECT;

    } else if (ngx_strcmp(value->data, "relayed") == 0) {
        check->mode = NGX_GATEWAY_SELECT_RELAYED;

    } else {
        return ngx_gateway_select_check_invalid(cf, check, value, "mode",
                                                "direct or relayed");
    }

    return NGX_CONF_OK;
}


static char *
ngx_gateway_select_check_invalid(ngx_conf_t *cf,
    ngx_gateway_select_check_conf_t *check, ngx_str_t *value,
    const char *item, const char *expected)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"%s\" in \"gateway_check\" "
                       "\"%V\", %s is expected",
                       value, item, &check->name, expected);

    return NGX_CONF_ERROR;
}


/* what is there fits together, and nothing is lacking */

static char *
ngx_gateway_select_check_complete(ngx_conf_t *cf,
    ngx_gateway_select_check_block_t *block)
{
    ngx_uint_t                        i;
    pocket_str_t                      path, body;
    ngx_gateway_select_check_conf_t  *check;

    check = block->check;

    for (i = 0; i <= NGX_GATEWAY_SELECT_ITEM_ROLE; i++) {
        if (!(block->set & (1 << i))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"%V\" in \"gateway_check\" \"%V\"",
                               &ngx_gateway_select_items[i].name,
                               &check->name);
            return NGX_CONF_ERROR;
        }
    }

    path.data = check->path.data;
    path.len = check->path.len;
    body.data = check->body.data;
    body.len = check->body.len;

    check->has_height = gateway_probe_has_height(&path)
                        || gateway_probe_has_height(&body);

    if (check->has_height && check->role != NGX_GATEWAY_SELECT_IDENTIFIER) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "$height in the request of \"gateway_check\" "
                           "\"%V\" needs \"role identifier\"",
                           &check->name);
        return NGX_CONF_ERROR;
    }

    if ((block->set & (1 << NGX_GATEWAY_SELECT_ITEM_OFFSET))
        && !check->has_height)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"offset\" in \"gateway_check\" \"%V\" needs "
                           "$height or $height_hex in its request",
                           &check->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
