
/*
 * Directives that the modules share, and setters of others.
 */


#include "mesh_conf.h"
#include "mesh_keyfile.h"
#include "pocket_files.h"


#define MESH_CONF_NAME_MAX    128
#define MESH_CONF_ZONE_SIZE   (32 * 1024 * 1024)
#define MESH_CONF_TOKEN_MAX   16384


typedef struct {
    ngx_str_t         name;
    char           *(*parse)(ngx_conf_t *cf, mesh_conf_t *conf);
    void            (*copy)(mesh_conf_t *to, mesh_conf_t *from);
} mesh_conf_directive_t;


static mesh_conf_directive_t *mesh_conf_find(ngx_str_t *name);
static char *mesh_conf_region(ngx_conf_t *cf, mesh_conf_t *conf);
static char *mesh_conf_edge(ngx_conf_t *cf, mesh_conf_t *conf);
static char *mesh_conf_zone(ngx_conf_t *cf, mesh_conf_t *conf);
static char *mesh_conf_redis(ngx_conf_t *cf, mesh_conf_t *conf);
static void mesh_conf_copy_region(mesh_conf_t *to, mesh_conf_t *from);
static void mesh_conf_copy_edge(mesh_conf_t *to, mesh_conf_t *from);
static void mesh_conf_copy_zone(mesh_conf_t *to, mesh_conf_t *from);
static void mesh_conf_copy_redis(mesh_conf_t *to, mesh_conf_t *from);
static char *mesh_conf_name(ngx_conf_t *cf, ngx_str_t *name);


static char  *mesh_conf_modules[] = {
    "ngx_mesh_relay_module",
    "ngx_gateway_select_module",
    NULL
};


static mesh_conf_directive_t  mesh_conf_directives[] = {
    { ngx_string("mesh_region"), mesh_conf_region, mesh_conf_copy_region },
    { ngx_string("mesh_edge"), mesh_conf_edge, mesh_conf_copy_edge },
    { ngx_string("mesh_zone"), mesh_conf_zone, mesh_conf_copy_zone },
    { ngx_string("mesh_redis"), mesh_conf_redis, mesh_conf_copy_redis },
    { ngx_null_string, NULL, NULL }
};


char *
mesh_conf_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                   *rv;
    ngx_uint_t              i, n;
    mesh_conf_t            *mesh;
    ngx_module_t          **modules;
    ngx_http_conf_ctx_t    *ctx;
    mesh_conf_directive_t  *directive;

    directive = mesh_conf_find(&cmd->name);
    if (directive == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = directive->parse(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        for (n = 0; mesh_conf_modules[n]; n++) {
            if (ngx_strcmp(modules[i]->name, mesh_conf_modules[n]) == 0) {
                break;
            }
        }

        if (mesh_conf_modules[n] == NULL) {
            continue;
        }

        mesh = ctx->main_conf[modules[i]->ctx_index];

        if (mesh == conf) {
            continue;
        }

        if (mesh->layout != MESH_CONF_LAYOUT) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "module \"%s\" is of another build, install "
                               "the modules together", modules[i]->name);
            return NGX_CONF_ERROR;
        }

        directive->copy(mesh, conf);
    }

    return NGX_CONF_OK;
}


static mesh_conf_directive_t *
mesh_conf_find(ngx_str_t *name)
{
    mesh_conf_directive_t  *d;

    for (d = mesh_conf_directives; d->name.len; d++) {
        if (d->name.len == name->len
            && ngx_strncmp(d->name.data, name->data, name->len) == 0)
        {
            return d;
        }
    }

    return NULL;
}


static char *
mesh_conf_region(ngx_conf_t *cf, mesh_conf_t *conf)
{
    if (conf->region.data) {
        return "is duplicate";
    }

    return mesh_conf_name(cf, &conf->region);
}


static char *
mesh_conf_edge(ngx_conf_t *cf, mesh_conf_t *conf)
{
    if (conf->edge.data) {
        return "is duplicate";
    }

    return mesh_conf_name(cf, &conf->edge);
}


static char *
mesh_conf_zone(ngx_conf_t *cf, mesh_conf_t *conf)
{
    u_char     *p;
    ssize_t     size;
    ngx_str_t  *value, s;

    value = cf->args->elts;

    if (conf->zone_name.data) {
        return "is duplicate";
    }

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\" in \"mesh_zone\", "
                           "NAME:SIZE is expected", &value[1]);
        return NGX_CONF_ERROR;
    }

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\" in \"mesh_zone\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) MESH_CONF_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" in \"mesh_zone\" is too small, "
                           "%uzk is the least", &value[1],
                           (size_t) MESH_CONF_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    conf->zone_name.data = value[1].data;
    conf->zone_name.len = p - value[1].data;
    conf->zone_size = size;

    return NGX_CONF_OK;
}


static char *
mesh_conf_redis(ngx_conf_t *cf, mesh_conf_t *conf)
{
    if (conf->redis) {
        return "is duplicate";
    }

    conf->redis = mesh_redis_conf_create(cf);
    if (conf->redis == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
mesh_conf_copy_region(mesh_conf_t *to, mesh_conf_t *from)
{
    to->region = from->region;
}


static void
mesh_conf_copy_edge(mesh_conf_t *to, mesh_conf_t *from)
{
    to->edge = from->edge;
}


static void
mesh_conf_copy_zone(mesh_conf_t *to, mesh_conf_t *from)
{
    to->zone_name = from->zone_name;
    to->zone_size = from->zone_size;
}


static void
mesh_conf_copy_redis(mesh_conf_t *to, mesh_conf_t *from)
{
    to->redis = from->redis;
}


/* a name becomes part of Redis keys, labels and headers */

static char *
mesh_conf_name(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char      ch;
    size_t      i;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > MESH_CONF_NAME_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs a name of 1 to %d characters, "
                           "not \"%V\"",
                           &value[0], MESH_CONF_NAME_MAX, &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (ch <= 0x20 || ch >= 0x7f || ch == '{' || ch == '}' || ch == '"') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid character in \"%V\" of \"%V\"",
                               &value[1], &value[0]);
            return NGX_CONF_ERROR;
        }
    }

    *name = value[1];

    return NGX_CONF_OK;
}


char *
mesh_conf_set_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t            *value, *token, text, name;
    pocket_str_t          in, out;
    pocket_alloc_t        secret;
    pocket_file_error_t   err;

    value = cf->args->elts;
    token = (ngx_str_t *) (p + cmd->offset);

    if (token->data) {
        return "is duplicate";
    }

    name = value[1];

    if (mesh_keyfile_read(cf, (char *) cmd->name.data, &name,
                          MESH_CONF_TOKEN_MAX, &text)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    in.data = text.data;
    in.len = text.len;

    secret.alloc = mesh_secret_conf_alloc;
    secret.data = cf;

    if (pocket_file_auth(&in, &out, &err, &secret) != POCKET_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %*s in \"%V\"",
                           &cmd->name, err.len, err.text, &name);
        return NGX_CONF_ERROR;
    }

    token->data = out.data;
    token->len = out.len;

    ngx_explicit_memzero(text.data, text.len);

    return NGX_CONF_OK;
}


/* a timer of no length would spin */

char *
mesh_conf_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t    msec;
    ngx_str_t   *value;
    ngx_msec_t  *field;

    value = cf->args->elts;
    field = (ngx_msec_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    msec = ngx_parse_time(&value[1], 0);

    if (msec == NGX_ERROR || msec == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\", "
                           "one above zero is expected",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *field = msec;

    return NGX_CONF_OK;
}


char *
mesh_conf_set_num(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t               n, *field;
    ngx_str_t              *value;
    ngx_conf_num_bounds_t  *bounds;

    value = cf->args->elts;
    bounds = cmd->post;
    field = (ngx_int_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < bounds->low || n > bounds->high) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\", "
                           "%i to %i is expected", &value[1], &cmd->name,
                           bounds->low, bounds->high);
        return NGX_CONF_ERROR;
    }

    *field = n;

    return NGX_CONF_OK;
}


char *
mesh_conf_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    size_t     *field;
    ssize_t     size;
    ngx_str_t  *value;

    value = cf->args->elts;
    field = (size_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"%V\", "
                           "one above zero is expected",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *field = size;

    return NGX_CONF_OK;
}


ngx_http_complex_value_t *
mesh_conf_complex(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t          *complex;
    ngx_http_compile_complex_value_t   ccv;

    complex = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (complex == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = complex;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? complex : NULL;
}


char *
mesh_conf_init(ngx_conf_t *cf, mesh_conf_t *conf)
{
    u_char           *p;
    ngx_str_t         pid;
    ngx_core_conf_t  *ccf;

    if (conf->zone_name.data == NULL) {
        ngx_str_set(&conf->zone_name, "mesh");
        conf->zone_size = MESH_CONF_ZONE_SIZE;
    }

    if (conf->edge.data) {
        return NGX_CONF_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    /* the core's init_conf has not run yet: pid may still be unset */

    if (ccf->pid.len) {
        pid = ccf->pid;

    } else {
        ngx_str_set(&pid, NGX_PID_PATH);
    }

    if (ngx_conf_full_name(cf->cycle, &pid, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, cf->cycle->hostname.len + 1 + pid.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->edge.data = p;

    p = ngx_cpymem(p, cf->cycle->hostname.data, cf->cycle->hostname.len);
    *p++ = ':';
    p = ngx_cpymem(p, pid.data, pid.len);

    conf->edge.len = p - conf->edge.data;

    return NGX_CONF_OK;
}


ngx_int_t
mesh_conf_add_variables(ngx_conf_t *cf, ngx_http_variable_t *vars)
{
    ngx_http_variable_t  *var, *v;

    for (v = vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
