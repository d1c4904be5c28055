
/*
 * GET /gateway/find/<chain>: FindNode by HTTP.
 */


#include "ngx_gateway_select_answer.h"
#include "ngx_gateway_select_find.h"
#include "pocket_key.h"

#include <openssl/crypto.h>


static ngx_int_t ngx_gateway_select_find_handler(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_find_answer(ngx_http_request_t *r,
    ngx_str_t *chain, gateway_found_t *found,
    ngx_gateway_select_pick_t *pick);
static void ngx_gateway_select_find_address(gateway_found_t *found,
    ngx_str_t *address, u_char *buf);
static ngx_int_t ngx_gateway_select_find_refuse(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *reason);
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

        if (ngx_gateway_select_allow(r, "GET, HEAD") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_gateway_select_find_refuse(r, NGX_HTTP_NOT_ALLOWED, NULL);
    }

    ngx_gateway_select_tail(r, &chain);

    if (chain.len == 0
        || ngx_strlchr(chain.data, chain.data + chain.len, '/') != NULL)
    {
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

        found->url.len = ngx_gateway_select_open(&found->url);
    }

    len = sizeof("{\"chain\":\"\",\"node\":{\"address\":\"\","
                 "\"public_key\":\"\",\"service_url\":\"\"},"
                 "\"session_height\":,\"app\":\"\",\"weight\":,"
                 "\"reason\":\"\"}\n")
          + ngx_gateway_select_text_len(chain)
          + ngx_gateway_select_text_len(&address)
          + ngx_gateway_select_text_len(&public_key)
          + ngx_gateway_select_text_len(&found->url)
          + ngx_gateway_select_text_len(&found->app)
          + ngx_gateway_select_text_len(&found->reason)
          + NGX_INT64_LEN + NGX_GATEWAY_SELECT_DOUBLE_LEN;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = b->last;

    p = ngx_gateway_select_text(p, "{\"chain\":", chain);
    p = ngx_gateway_select_text(p, ",\"node\":{\"address\":", &address);
    p = ngx_gateway_select_text(p, ",\"public_key\":", &public_key);
    p = ngx_gateway_select_text(p, ",\"service_url\":", &found->url);
    p = ngx_sprintf(p, "},\"session_height\":%uL", found->session_height);
    p = ngx_gateway_select_text(p, ",\"app\":", &found->app);

    p = ngx_gateway_select_double(p, ",\"weight\":", found->weight);
    p = ngx_gateway_select_text(p, ",\"reason\":", &found->reason);
    *p++ = '}';
    *p++ = LF;

    b->last = p;

    return ngx_gateway_select_answer(r, NGX_HTTP_OK, b);
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

    return ngx_gateway_select_answer(r, status, b);
}


ngx_uint_t
ngx_gateway_select_authorized(ngx_http_request_t *r,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_str_t         value, *token;
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

        value = h[i].value;

        /* what monitoring systems send is a bearer's */

        if (value.len > token->len
            && value.len - token->len == sizeof("Bearer ") - 1
            && ngx_strncasecmp(value.data, (u_char *) "Bearer ",
                               sizeof("Bearer ") - 1)
               == 0)
        {
            value.data += sizeof("Bearer ") - 1;
            value.len = token->len;
        }

        if (value.len == token->len
            && CRYPTO_memcmp(value.data, token->data, token->len) == 0)
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
