
/*
 * gateway_check {}: what to ask, where the value is, what it is good for, all
 * by configuration.
 */


#include "ngx_gateway_select_check_builtin.h"
#include "ngx_gateway_select_check_conf.h"
#include "ngx_gateway_select_checked.h"


#define NGX_GATEWAY_SELECT_TEXT_SHOWN  40


static ngx_str_t *ngx_gateway_select_custom_name(
    ngx_gateway_select_check_t *check);
static void ngx_gateway_select_custom_perform(
    ngx_gateway_select_probe_t *probe);
static ngx_int_t ngx_gateway_select_custom_request(
    ngx_gateway_select_probe_t *probe, gateway_probe_request_t *request);
static void ngx_gateway_select_custom_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply);
static void ngx_gateway_select_custom_value(ngx_gateway_select_probe_t *probe,
    gateway_value_t *value, ngx_gateway_select_reply_t *reply);
static void ngx_gateway_select_custom_text(ngx_gateway_select_probe_t *probe,
    ngx_str_t *text);


void
ngx_gateway_select_check_custom(ngx_gateway_select_check_t *check)
{
    ngx_gateway_select_check_conf_t  *conf;

    conf = check->conf;

    check->name = ngx_gateway_select_custom_name;
    check->perform = ngx_gateway_select_custom_perform;
    check->should_run = (conf->role == NGX_GATEWAY_SELECT_HEIGHT)
                        ? ngx_gateway_select_probe_idle
                        : ngx_gateway_select_always;

    if (conf->role == NGX_GATEWAY_SELECT_IDENTIFIER && conf->has_height) {
        check->from = conf->offset_from;
        check->to = conf->offset_to;
    }
}


static ngx_str_t *
ngx_gateway_select_custom_name(ngx_gateway_select_check_t *check)
{
    ngx_gateway_select_check_conf_t *conf = check->conf;

    return &conf->name;
}


static void
ngx_gateway_select_custom_perform(ngx_gateway_select_probe_t *probe)
{
    gateway_probe_request_t  *request;

    request = ngx_pcalloc(probe->pool, sizeof(gateway_probe_request_t));

    if (request == NULL
        || ngx_gateway_select_custom_request(probe, request) != NGX_OK
        || ngx_gateway_select_probe_send(probe, request,
                                         ngx_gateway_select_custom_reply)
           != NGX_OK)
    {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
        return;
    }

    probe->ctx = request;
}


static ngx_int_t
ngx_gateway_select_custom_request(ngx_gateway_select_probe_t *probe,
    gateway_probe_request_t *request)
{
    uint64_t                          random;
    pocket_str_t                      path, body;
    pocket_alloc_t                    a;
    ngx_gateway_select_check_conf_t  *conf;

    conf = probe->check->conf;

    mesh_pool_allocator(probe->pool, &a);

    random = ngx_gateway_select_random();

    request->id = (uint32_t) (random >> 33) | 1;
    request->block = probe->block;

    request->method.len = conf->method.len;
    request->method.data = conf->method.data;
    request->header.len = conf->header.len;
    request->header.data = conf->header.data;
    request->value.len = conf->header_value.len;
    request->value.data = conf->header_value.data;

    path.len = conf->path.len;
    path.data = conf->path.data;
    body.len = conf->body.len;
    body.data = conf->body.data;

    if (gateway_probe_expand(&path, request->id, request->block,
                             &request->path, &a)
        != POCKET_OK
        || gateway_probe_expand(&body, request->id, request->block,
                                &request->body, &a)
           != POCKET_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_gateway_select_custom_reply(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply)
{
    pocket_str_t                      body;
    pocket_alloc_t                    a;
    gateway_value_t                   value;
    ngx_gateway_select_check_conf_t  *conf;

    if (reply->status == 0) {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_LOST, 0);
        return;
    }

    if (reply->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_QUOTA,
                                     reply->retry_after);
        return;
    }

    mesh_pool_allocator(probe->pool, &a);

    conf = probe->check->conf;

    body.len = reply->body.len;
    body.data = reply->body.data;

    /* without the value it may be an error of any kind: no vote */

    if (gateway_path_read(&conf->value, 1, &body, &value, &a) != 1
        || !value.found
        || value.type == POCKET_JSON_NULL)
    {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "check \"%V\": the answer has no value, status %ui",
                      &conf->name, reply->status);

        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_FAILED, 0);
        return;
    }

    ngx_gateway_select_custom_value(probe, &value, reply);
}


static void
ngx_gateway_select_custom_value(ngx_gateway_select_probe_t *probe,
    gateway_value_t *value, ngx_gateway_select_reply_t *reply)
{
    uint64_t                          height;
    ngx_str_t                         text;
    pocket_str_t                      str;
    pocket_alloc_t                    a;
    ngx_gateway_select_check_conf_t  *conf;

    conf = probe->check->conf;

    if (conf->role == NGX_GATEWAY_SELECT_HEIGHT) {

        if (gateway_value_number(value, GATEWAY_NUMBER_ANY, &height) != 1
            || height == 0)
        {
            ngx_gateway_select_probe_end(probe, GATEWAY_TRY_FAILED, 0);
            return;
        }

        ngx_gateway_select_probe_height(probe, height);
        return;
    }

    mesh_pool_allocator(probe->pool, &a);

    if (gateway_value_text(value, &str, &a) == POCKET_ERROR) {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
        return;
    }

    /* true, false, objects and arrays are compared as they are written */

    if (value->type != POCKET_JSON_STRING) {
        str = value->raw;
    }

    text.len = str.len;
    text.data = str.data;

    if (conf->role == NGX_GATEWAY_SELECT_IDENTIFIER) {

        if (text.len == 0) {
            ngx_gateway_select_probe_end(probe, GATEWAY_TRY_FAILED, 0);
            return;
        }

        ngx_gateway_select_probe_identifier(probe, &text, reply);
        return;
    }

    ngx_gateway_select_custom_text(probe, &text);
}


static void
ngx_gateway_select_custom_text(ngx_gateway_select_probe_t *probe,
    ngx_str_t *text)
{
    u_char                            error[GATEWAY_ERROR_LEN + 1], *p;
    ngx_uint_t                        good;
    ngx_gateway_select_check_conf_t  *conf;

    conf = probe->check->conf;
    good = 0;

    if (conf->role == NGX_GATEWAY_SELECT_EQUALS) {
        good = (text->len == conf->equals.len
                && ngx_memcmp(text->data, conf->equals.data, text->len) == 0);
    }

#if (NGX_PCRE)
    if (conf->role == NGX_GATEWAY_SELECT_PATTERN) {
        good = (ngx_regex_exec(conf->pattern, text, NULL, 0) >= 0);
    }
#endif

    ngx_gateway_select_checked_told(probe, NGX_GATEWAY_SELECT_RULE_OWN, text,
                                    ngx_gateway_select_now());

    if (conf->role == NGX_GATEWAY_SELECT_EQUALS) {
        ngx_gateway_select_checked(probe,
                                   good ? NGX_GATEWAY_SELECT_CHECKED_PASSED
                                        : NGX_GATEWAY_SELECT_CHECKED_FAILED,
                                   &conf->equals);
    }

    probe->told = 1;

    if (good) {
        ngx_gateway_select_probe_pass(probe);
        return;
    }

    p = ngx_snprintf(error, GATEWAY_ERROR_LEN, "%V: the value is \"%*s\"",
                     &conf->name,
                     ngx_min(text->len, NGX_GATEWAY_SELECT_TEXT_SHOWN),
                     text->data);
    *p = '\0';

    ngx_gateway_select_probe_fail(probe, (char *) error);
}
