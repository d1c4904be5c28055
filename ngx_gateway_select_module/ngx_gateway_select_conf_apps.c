
/*
 * gateway_dispatcher and gateway_apps.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_registry.h"
#include "mesh_keyfile.h"

#include <sodium.h>


#define NGX_GATEWAY_SELECT_APPS_MAX   (1024 * 1024)


static ngx_int_t ngx_gateway_select_apps_read(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *text);


char *
ngx_gateway_select_conf_dispatcher(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    ngx_str_t         *value;
    ngx_uint_t         i, k;
    const char        *err;
    mesh_http_url_t   *url, **have;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        url = mesh_http_url_parse(cf, gmcf->http, &value[i], &err);

        if (url == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URL \"%V\" in \"%V\": %s",
                               &value[i], &cmd->name, err);
            return NGX_CONF_ERROR;
        }

        if (url->args.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "URL \"%V\" in \"%V\" must have no arguments",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        /* paths of requests, which begin with a slash, are appended */

        if (url->path.len && url->path.data[url->path.len - 1] == '/') {
            url->path.len--;
        }

        have = gmcf->dispatchers.elts;

        for (k = 0; k < gmcf->dispatchers.nelts; k++) {

            if (have[k]->peer == url->peer
                && have[k]->path.len == url->path.len
                && ngx_strncmp(have[k]->path.data, url->path.data,
                               url->path.len)
                   == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate URL \"%V\" in \"%V\"",
                                   &value[i], &cmd->name);
                return NGX_CONF_ERROR;
            }
        }

        have = ngx_array_push(&gmcf->dispatchers);
        if (have == NULL) {
            return NGX_CONF_ERROR;
        }

        *have = url;
    }

    return NGX_CONF_OK;
}


char *
ngx_gateway_select_conf_apps(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    ngx_int_t   rc;
    ngx_str_t  *value, text;

    value = cf->args->elts;

    if (gmcf->apps_file.data) {
        return "is duplicate";
    }

    if (sodium_init() < 0) {
        return "needs libsodium, which does not start";
    }

    gmcf->apps_file = value[1];

    if (mesh_keyfile_read(cf, (char *) cmd->name.data, &gmcf->apps_file,
                          NGX_GATEWAY_SELECT_APPS_MAX, &text)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = ngx_gateway_select_apps_read(cf, gmcf, &text);

    ngx_explicit_memzero(text.data, text.len);

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_gateway_select_apps_read(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *text)
{
    int                   rc;
    pocket_hash_t        *hash;
    pocket_alloc_t        a, secret;
    pocket_file_error_t   err;

    hash = pocket_hash_create();
    if (hash == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gateway_apps\" needs SHA3-256 of OpenSSL");
        return NGX_ERROR;
    }

    mesh_pool_allocator(cf->pool, &a);

    secret.alloc = mesh_secret_conf_alloc;
    secret.data = cf;

    rc = gateway_apps_parse((pocket_str_t *) text, &gmcf->apps, &err, hash,
                            &a, &secret);

    pocket_hash_destroy(hash);

    if (rc != POCKET_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gateway_apps\": %*s in \"%V\"",
                           err.len, err.text, &gmcf->apps_file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_apps_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    if (gmcf->apps.n && gmcf->dispatchers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gateway_apps\" needs \"gateway_dispatcher\"");
        return NGX_ERROR;
    }

    if (gmcf->dispatchers.nelts && gmcf->apps.n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gateway_dispatcher\" needs \"gateway_apps\"");
        return NGX_ERROR;
    }

    /* only sessions tell where servicers are */

    gmcf->http->open = (gmcf->apps.n != 0);

    return ngx_gateway_select_used_script(cf, gmcf);
}
