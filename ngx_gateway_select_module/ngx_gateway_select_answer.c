
/*
 * Answers of the gateway's endpoints.
 */


#include "ngx_gateway_select_answer.h"
#include "ngx_gateway_select_find.h"


ngx_uint_t
ngx_gateway_select_accept(ngx_http_request_t *r, ngx_uint_t methods,
    const char *allowed, ngx_int_t *rc)
{
    ngx_uint_t                       accepted, authorized;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    authorized = ngx_gateway_select_authorized(r, gmcf);
    accepted = authorized && (r->method & methods);

    if (accepted && r->method == NGX_HTTP_POST) {
        return 1;
    }

    *rc = ngx_http_discard_request_body(r);

    if (*rc != NGX_OK) {
        return 0;
    }

    if (accepted) {
        return 1;
    }

    if (!authorized) {
        *rc = ngx_gateway_select_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                        "a token is needed", NULL);

    } else {
        *rc = ngx_gateway_select_allow(r, allowed) == NGX_OK
              ? ngx_gateway_select_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                          "method not allowed", NULL)
              : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return 0;
}


void
ngx_gateway_select_tail(ngx_http_request_t *r, ngx_str_t *tail)
{
    u_char                    *p, *last;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->uri.data;
    last = p + r->uri.len;

    if (r->uri.len >= clcf->name.len
        && ngx_strncmp(p, clcf->name.data, clcf->name.len) == 0)
    {
        p += clcf->name.len;

    } else {
        for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }
    }

    if (p < last && *p == '/') {
        p++;
    }

    tail->data = p;
    tail->len = last - p;
}


ngx_int_t
ngx_gateway_select_argument(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char     *dst, *src;
    ngx_str_t   raw;

    ngx_str_null(value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, raw.len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    src = raw.data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_header(ngx_http_request_t *r, ngx_uint_t status,
    off_t length)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    mesh_table_elt_last(h);
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    r->headers_out.status = status;
    r->headers_out.content_length_n = length;

    if (r->headers_out.content_type.len == 0) {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_gateway_select_answer(ngx_http_request_t *r, ngx_uint_t status,
    ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    rc = ngx_gateway_select_header(r, status, b->last - b->pos);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_gateway_select_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *message, ngx_str_t *name)
{
    size_t      len;
    u_char     *p;
    ngx_buf_t  *b;

    len = sizeof("{\"message\":\" \\\"\\\"\",\"status\":,\"error\":null}\n")
          + ngx_strlen(message) + NGX_INT_T_LEN
          + (name ? 2 * ngx_gateway_select_text_len(name) : 0);

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(b->last, "{\"message\":\"%s", message);

    if (name) {
        p = ngx_cpymem(p, " \\\"", sizeof(" \\\"") - 1);
        p = (u_char *) ngx_escape_json(p, name->data, name->len);
        p = ngx_cpymem(p, "\\\"", sizeof("\\\"") - 1);
    }

    b->last = ngx_sprintf(p, "\",\"status\":%ui,\"error\":null}\n", status);

    return ngx_gateway_select_answer(r, status, b);
}


ngx_int_t
ngx_gateway_select_allow(ngx_http_request_t *r, const char *methods)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    mesh_table_elt_last(h);
    ngx_str_set(&h->key, "Allow");
    h->value.data = (u_char *) methods;
    h->value.len = ngx_strlen(methods);

    return NGX_OK;
}


u_char *
ngx_gateway_select_text(u_char *p, const char *name, ngx_str_t *value)
{
    p = ngx_cpymem(p, name, ngx_strlen(name));

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, value->data, value->len);
    *p++ = '"';

    return p;
}


/* they are of all magnitudes, and nginx prints no exponents */

u_char *
ngx_gateway_select_double(u_char *p, const char *name, double value)
{
    p = ngx_cpymem(p, name, ngx_strlen(name));

    return p + snprintf((char *) p, NGX_GATEWAY_SELECT_DOUBLE_LEN, "%.6g",
                        value);
}


u_char *
ngx_gateway_select_time(u_char *p, const char *name, uint64_t ms)
{
    ngx_tm_t  tm;

    p = ngx_cpymem(p, name, ngx_strlen(name));

    if (ms == 0) {
        return ngx_cpymem(p, "null", sizeof("null") - 1);
    }

    ngx_gmtime((time_t) (ms / 1000), &tm);

    return ngx_sprintf(p, "\"%4d-%02d-%02dT%02d:%02d:%02d.%03uLZ\"",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                       tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                       ms % 1000);
}


size_t
ngx_gateway_select_text_len(ngx_str_t *value)
{
    return value->len + ngx_escape_json(NULL, value->data, value->len);
}


size_t
ngx_gateway_select_open(ngx_str_t *url)
{
    u_char  *p, *last;

    last = url->data + url->len;

    p = ngx_strnstr(url->data, "://", url->len);

    for (p = p ? p + 3 : url->data; p < last; p++) {
        if (*p == '/' || *p == '?') {
            break;
        }
    }

    return p - url->data;
}
