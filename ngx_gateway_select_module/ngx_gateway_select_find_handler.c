
/*
 * GET /gateway/find/<chain>: FindNode by HTTP.
 */


#include "ngx_gateway_select_find.h"
#include "pocket_key.h"

#include <openssl/crypto.h>


#define NGX_GATEWAY_SELECT_NUMBER_LEN  32


static ngx_int_t ngx_gateway_select_find_handler(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_find_chain(ngx_http_request_t *r,
    ngx_str_t *chain);
static ngx_int_t ngx_gateway_select_find_answer(ngx_http_request_t *r,
    ngx_str_t *chain, gateway_found_t *found,
    ngx_gateway_select_pick_t *pick);
static void ngx_gateway_select_find_address(gateway_found_t *found,
    ngx_str_t *address, u_char *buf);
static size_t ngx_gateway_select_find_open(ngx_str_t *url);
static ngx_int_t ngx_gateway_select_find_refuse(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *reason);
static ngx_int_t ngx_gateway_select_find_allow(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_find_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_buf_t *b);
static u_char *ngx_gateway_select_find_text(u_char *p, const char *name,
    ngx_str_t *value);
static size_t ngx_gateway_select_find_size(ngx_str_t *value);
static ngx_uint_t ngx_gateway_select_named(ngx_table_elt_t *h,
    const char *name);


/* by status; all others are those of a missing node */

typedef struct {
    ngx_uint_t  status;
    ngx_str_t   message;
} ngx_gateway_select_find_message_t;


static ngx_gateway_select_find_message_t  ngx_gateway_select_messages[] = {
    { NGX_HTTP_UNAUTHORIZED, ngx_string("a token is needed") },
    { NGX_HTTP_NOT_FOUND, ngx_string("no chain is named") },
    { NGX_HTTP_NOT_ALLOWED, ngx_string("method not allowed") },
    { 0, ngx_string("no node can be found") }
};


ngx_gateway_select_endpoint_t  ngx_gateway_select_find_endpoint = {
    ngx_gateway_select_find_handler
};


static ngx_int_t
ngx_gateway_select_find_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_str_t                        chain;
    gateway_found_t                  found;
    ngx_gateway_select_pick_t        pick;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (gmcf->find_auth && !ngx_gateway_select_authorized(r, gmcf)) {
        return ngx_gateway_select_find_refuse(r, NGX_HTTP_UNAUTHORIZED, NULL);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_gateway_select_find_allow(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_gateway_select_find_refuse(r, NGX_HTTP_NOT_ALLOWED, NULL);
    }

    if (ngx_gateway_select_find_chain(r, &chain) != NGX_OK) {
        return ngx_gateway_select_find_refuse(r, NGX_HTTP_NOT_FOUND, NULL);
    }

    if (gmcf->shm_zone == NULL) {
        return ngx_gateway_select_find_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
               &ngx_gateway_select_reasons[NGX_GATEWAY_SELECT_UNKNOWN_CHAIN]);
    }

    if (ngx_gateway_select_find(gmcf, &chain, &found, &pick) != NGX_OK) {
        return ngx_gateway_select_find_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                              &found.reason);
    }

    return ngx_gateway_select_find_answer(r, &chain, &found, &pick);
}


/* What follows the location's name, or the last "/" with a regular one. */

static ngx_int_t
ngx_gateway_select_find_chain(ngx_http_request_t *r, ngx_str_t *chain)
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

    chain->data = p;
    chain->len = last - p;

    if (chain->len == 0 || ngx_strlchr(p, last, '/') != NULL) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_find_answer(ngx_http_request_t *r, ngx_str_t *chain,
    gateway_found_t *found, ngx_gateway_select_pick_t *pick)
{
    size_t      len;
    u_char      hex[2 * POCKET_ADDR_LEN], *p;
    ngx_buf_t  *b;
    ngx_str_t   address, public_key;

    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    address = found->key;
    ngx_str_null(&public_key);

    if (pick->session != NGX_GATEWAY_SELECT_NO_SESSION) {
        public_key = found->key;
        ngx_gateway_select_find_address(found, &address, hex);

    } else if (!gmcf->find_auth) {

        /* the path of a server's URL may be a secret */

        found->url.len = ngx_gateway_select_find_open(&found->url);
    }

    len = sizeof("{\"chain\":\"\",\"node\":{\"address\":\"\","
                 "\"public_key\":\"\",\"service_url\":\"\"},"
                 "\"session_height\":,\"app\":\"\",\"weight\":,"
                 "\"reason\":\"\"}\n")
          + ngx_gateway_select_find_size(chain)
          + ngx_gateway_select_find_size(&address)
          + ngx_gateway_select_find_size(&public_key)
          + ngx_gateway_select_find_size(&found->url)
          + ngx_gateway_select_find_size(&found->app)
          + ngx_gateway_select_find_size(&found->reason)
          + NGX_INT64_LEN + NGX_GATEWAY_SELECT_NUMBER_LEN;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = b->last;

    p = ngx_gateway_select_find_text(p, "{\"chain\":", chain);
    p = ngx_gateway_select_find_text(p, ",\"node\":{\"address\":", &address);
    p = ngx_gateway_select_find_text(p, ",\"public_key\":", &public_key);
    p = ngx_gateway_select_find_text(p, ",\"service_url\":", &found->url);
    p = ngx_sprintf(p, "},\"session_height\":%uL", found->session_height);
    p = ngx_gateway_select_find_text(p, ",\"app\":", &found->app);

    /* weights are of all magnitudes, and nginx prints no exponents */

    p = ngx_cpymem(p, ",\"weight\":", sizeof(",\"weight\":") - 1);
    p += snprintf((char *) p, NGX_GATEWAY_SELECT_NUMBER_LEN, "%.6g",
                  found->weight);

    p = ngx_gateway_select_find_text(p, ",\"reason\":", &found->reason);
    *p++ = '}';
    *p++ = LF;

    b->last = p;

    return ngx_gateway_select_find_send(r, NGX_HTTP_OK, b);
}


/* A servicer's address is that of its public key. */

static void
ngx_gateway_select_find_address(gateway_found_t *found, ngx_str_t *address,
    u_char *buf)
{
    size_t        len;
    u_char        public_key[POCKET_PUBKEY_LEN], binary[POCKET_ADDR_LEN];
    pocket_str_t  hex;

    hex.data = found->key.data;
    hex.len = found->key.len;

    if (pocket_hex_decode(&hex, public_key, POCKET_PUBKEY_LEN, &len)
        != POCKET_OK
        || len != POCKET_PUBKEY_LEN)
    {
        return;
    }

    pocket_key_address(public_key, binary);

    address->data = buf;
    address->len = ngx_hex_dump(buf, binary, POCKET_ADDR_LEN) - buf;
}


/* The length of scheme and authority. */

static size_t
ngx_gateway_select_find_open(ngx_str_t *url)
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


/* reason NULL: the error is null */

static ngx_int_t
ngx_gateway_select_find_refuse(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *reason)
{
    size_t                              len;
    u_char                             *p;
    ngx_buf_t                          *b;
    ngx_gateway_select_find_message_t  *m;

    for (m = ngx_gateway_select_messages; m->status; m++) {
        if (m->status == status) {
            break;
        }
    }

    len = sizeof("{\"message\":\"\",\"status\":,"
                 "\"error\":{\"reason\":\"\",\"attempts\":0}}\n")
          + m->message.len + NGX_INT_T_LEN + (reason ? reason->len : 0);

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(b->last, "{\"message\":\"%V\",\"status\":%ui,\"error\":",
                    &m->message, status);

    if (reason) {
        p = ngx_sprintf(p, "{\"reason\":\"%V\",\"attempts\":0}}\n",
                        reason);

    } else {
        p = ngx_cpymem(p, "null}\n", sizeof("null}\n") - 1);
    }

    b->last = p;

    return ngx_gateway_select_find_send(r, status, b);
}


static ngx_int_t
ngx_gateway_select_find_allow(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    mesh_table_elt_last(h);
    ngx_str_set(&h->key, "Allow");
    ngx_str_set(&h->value, "GET, HEAD");

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_find_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_buf_t *b)
{
    ngx_int_t         rc;
    ngx_chain_t       out;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    mesh_table_elt_last(h);
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->last - b->pos;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_gateway_select_find_text(u_char *p, const char *name, ngx_str_t *value)
{
    p = ngx_cpymem(p, name, ngx_strlen(name));

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, value->data, value->len);
    *p++ = '"';

    return p;
}


static size_t
ngx_gateway_select_find_size(ngx_str_t *value)
{
    return value->len + ngx_escape_json(NULL, value->data, value->len);
}


ngx_uint_t
ngx_gateway_select_authorized(ngx_http_request_t *r,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_str_t        *token;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    token = &gmcf->auth_token;

    if (token->len == 0) {
        return 0;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (!ngx_gateway_select_named(&h[i], "authorization")
            && !ngx_gateway_select_named(&h[i], "x-api-key"))
        {
            continue;
        }

        if (h[i].value.len == token->len
            && CRYPTO_memcmp(h[i].value.data, token->data, token->len) == 0)
        {
            return 1;
        }
    }
}


static ngx_uint_t
ngx_gateway_select_named(ngx_table_elt_t *h, const char *name)
{
    return h->key.len == ngx_strlen(name)
           && ngx_strncmp(h->lowcase_key, name, h->key.len) == 0;
}
