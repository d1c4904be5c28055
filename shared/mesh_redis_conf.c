
/*
 * Redis client: parameters of a directive, scripts.
 */


#include "mesh_redis_internal.h"
#include "mesh_keyfile.h"

#include <ngx_sha1.h>


#define MESH_REDIS_PORT          6379
#define MESH_REDIS_PASSWORD_MAX  4096

#define MESH_REDIS_RESOLVER_TIMEOUT  30000


typedef struct {
    ngx_str_t           name;
    ngx_int_t         (*set)(ngx_conf_t *cf, ngx_str_t *value, void *field);
    size_t              offset;
} mesh_redis_param_t;


static ngx_int_t mesh_redis_conf_param(ngx_conf_t *cf,
    mesh_redis_conf_t *conf, ngx_str_t *arg);
static ngx_int_t mesh_redis_set_string(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t mesh_redis_set_password(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t mesh_redis_set_index(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t mesh_redis_set_count(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t mesh_redis_set_size(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t mesh_redis_set_msec(ngx_conf_t *cf, ngx_str_t *value,
    void *field);


static mesh_redis_param_t  mesh_redis_params[] = {

    { ngx_string("db="), mesh_redis_set_index,
      offsetof(mesh_redis_conf_t, db) },

    { ngx_string("user="), mesh_redis_set_string,
      offsetof(mesh_redis_conf_t, user) },

    { ngx_string("password_file="), mesh_redis_set_password,
      offsetof(mesh_redis_conf_t, password) },

    { ngx_string("connect_timeout="), mesh_redis_set_msec,
      offsetof(mesh_redis_conf_t, connect_timeout) },

    { ngx_string("timeout="), mesh_redis_set_msec,
      offsetof(mesh_redis_conf_t, timeout) },

    { ngx_string("reconnect_max="), mesh_redis_set_msec,
      offsetof(mesh_redis_conf_t, reconnect_max) },

    { ngx_string("max_pending="), mesh_redis_set_count,
      offsetof(mesh_redis_conf_t, max_pending) },

    { ngx_string("max_pending_size="), mesh_redis_set_size,
      offsetof(mesh_redis_conf_t, max_pending_size) },

    { ngx_string("max_reply_size="), mesh_redis_set_size,
      offsetof(mesh_redis_conf_t, max_reply_size) },

    { ngx_null_string, NULL, 0 }
};


mesh_redis_conf_t *
mesh_redis_conf_create(ngx_conf_t *cf)
{
    ngx_str_t          *value;
    ngx_uint_t          i;
    mesh_redis_conf_t  *conf;

    value = cf->args->elts;

    conf = ngx_pcalloc(cf->pool, sizeof(mesh_redis_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->scripts, cf->pool, 4,
                       sizeof(mesh_redis_script_t *))
        != NGX_OK)
    {
        return NULL;
    }

    conf->connect_timeout = 3000;
    conf->timeout = 3000;
    conf->reconnect_max = 3000;
    conf->max_pending = 16384;
    conf->max_pending_size = 32 * 1024 * 1024;
    conf->max_reply_size = 64 * 1024 * 1024;

    conf->name = value[1];
    conf->url.url = value[1];
    conf->url.default_port = MESH_REDIS_PORT;
    conf->url.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &conf->url) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s in \"%V\"",
                           &value[0], conf->url.err, &value[1]);
        return NULL;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (mesh_redis_conf_param(cf, conf, &value[i]) != NGX_OK) {
            return NULL;
        }
    }

    if (conf->user.len && conf->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"user=%V\" requires \"password_file=\"",
                           &value[0], &conf->user);
        return NULL;
    }

    return conf;
}


ngx_int_t
mesh_redis_conf_init(ngx_conf_t *cf, mesh_redis_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout)
{
    ngx_url_t  url;

    if (conf->url.naddrs) {
        return NGX_OK;
    }

    if (resolver && resolver->connections.nelts) {
        conf->resolver = resolver;

        /* in init_main_conf the http level is not merged with defaults yet */

        conf->resolver_timeout = resolver_timeout != NGX_CONF_UNSET_MSEC
                                 ? resolver_timeout
                                 : MESH_REDIS_RESOLVER_TIMEOUT;
        return NGX_OK;
    }

    ngx_memzero(&url, sizeof(ngx_url_t));

    url.url = conf->name;
    url.default_port = MESH_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &url) != NGX_OK) {

        if (url.err == NULL) {
            return NGX_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s in redis \"%V\", and no \"resolver\" is defined "
                           "to look again", url.err, &conf->name);
        return NGX_OK;
    }

    conf->url = url;

    return NGX_OK;
}


mesh_redis_script_t *
mesh_redis_script_add(ngx_conf_t *cf, mesh_redis_conf_t *conf, ngx_str_t *name,
    ngx_str_t *text)
{
    u_char                 digest[20];
    ngx_uint_t             i;
    ngx_sha1_t             sha1;
    mesh_redis_script_t   *script, **scripts;

    scripts = conf->scripts.elts;

    for (i = 0; i < conf->scripts.nelts; i++) {
        script = scripts[i];

        if (script->name.len == name->len
            && ngx_memcmp(script->name.data, name->data, name->len) == 0
            && script->text.len == text->len
            && ngx_memcmp(script->text.data, text->data, text->len) == 0)
        {
            return script;
        }
    }

    script = ngx_palloc(cf->pool, sizeof(mesh_redis_script_t));
    if (script == NULL) {
        return NULL;
    }

    script->name = *name;
    script->text = *text;
    script->index = conf->scripts.nelts;

    script->sha1.len = MESH_REDIS_SHA1_LEN;
    script->sha1.data = ngx_pnalloc(cf->pool, MESH_REDIS_SHA1_LEN);
    if (script->sha1.data == NULL) {
        return NULL;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, text->data, text->len);
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(script->sha1.data, digest, sizeof(digest));

    scripts = ngx_array_push(&conf->scripts);
    if (scripts == NULL) {
        return NULL;
    }

    *scripts = script;

    return script;
}


static ngx_int_t
mesh_redis_conf_param(ngx_conf_t *cf, mesh_redis_conf_t *conf, ngx_str_t *arg)
{
    ngx_str_t           *directive, value;
    mesh_redis_param_t  *param;

    directive = cf->args->elts;

    for (param = mesh_redis_params; param->set; param++) {

        if (arg->len <= param->name.len
            || ngx_strncmp(arg->data, param->name.data, param->name.len) != 0)
        {
            continue;
        }

        value.data = arg->data + param->name.len;
        value.len = arg->len - param->name.len;

        switch (param->set(cf, &value, (u_char *) conf + param->offset)) {

        case NGX_OK:
            return NGX_OK;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\": invalid value in \"%V\"",
                               directive, arg);
            return NGX_ERROR;

        default: /* NGX_ERROR, which is logged */
            return NGX_ERROR;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": invalid parameter \"%V\"",
                       directive, arg);

    return NGX_ERROR;
}


static ngx_int_t
mesh_redis_set_string(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    *(ngx_str_t *) field = *value;

    return NGX_OK;
}


static ngx_int_t
mesh_redis_set_password(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_str_t *password = field;

    u_char     *p;
    ngx_str_t   name, *directive;

    name = *value;
    directive = cf->args->elts;

    if (mesh_keyfile_read(cf, (char *) directive->data, &name,
                          MESH_REDIS_PASSWORD_MAX, password)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what an editor or echo leaves at the end is not of the password */

    for (p = password->data + password->len; p > password->data; p--) {
        if (p[-1] != LF && p[-1] != CR) {
            break;
        }
    }

    password->len = p - password->data;

    if (password->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": no password in \"%V\"", directive, &name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
mesh_redis_set_index(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);
    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *(ngx_uint_t *) field = n;

    return NGX_OK;
}


static ngx_int_t
mesh_redis_set_count(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    if (mesh_redis_set_index(cf, value, field) != NGX_OK
        || *(ngx_uint_t *) field == 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
mesh_redis_set_size(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ssize_t  size;

    size = ngx_parse_size(value);
    if (size == NGX_ERROR || size == 0) {
        return NGX_DECLINED;
    }

    *(size_t *) field = size;

    return NGX_OK;
}


static ngx_int_t
mesh_redis_set_msec(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_int_t  msec;

    msec = ngx_parse_time(value, 0);
    if (msec == NGX_ERROR || msec == 0) {
        return NGX_DECLINED;
    }

    *(ngx_msec_t *) field = msec;

    return NGX_OK;
}
