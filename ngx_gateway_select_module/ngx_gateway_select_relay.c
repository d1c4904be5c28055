
/*
 * gateway_relay: reads a caller's request and makes a call of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_dispatch.h"
#include "ngx_gateway_select_balance.h"
#include "ngx_gateway_select_call.h"
#include "ngx_gateway_select_client.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_upstream.h"


#define NGX_GATEWAY_SELECT_METHODS                                            \
    (NGX_HTTP_GET|NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_DELETE)


static ngx_int_t ngx_gateway_select_relay_handler(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_relay_target(ngx_http_request_t *r,
    ngx_gateway_select_loc_conf_t *glcf, ngx_str_t *chain, ngx_str_t *path);
static ngx_int_t ngx_gateway_select_relay_rest(ngx_http_request_t *r,
    ngx_str_t *rest);
static void ngx_gateway_select_relay_after(ngx_str_t *path,
    ngx_str_t *segment);
static ngx_uint_t ngx_gateway_select_relay_upgrade(ngx_http_request_t *r);
static ngx_gateway_select_call_t *ngx_gateway_select_relay_call(
    ngx_http_request_t *r, ngx_str_t *chain, ngx_str_t *path);
static void ngx_gateway_select_relay_body(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_relay_flat(
    ngx_gateway_select_call_t *call);
static u_char *ngx_gateway_select_relay_copy(ngx_http_request_t *r, u_char *p,
    ngx_buf_t *b);
static ngx_int_t ngx_gateway_select_relay_headers(
    ngx_gateway_select_call_t *call);
static ngx_uint_t ngx_gateway_select_relay_passed(
    ngx_gateway_select_call_t *call, ngx_str_t *name);
static ngx_int_t ngx_gateway_select_relay_header(
    ngx_gateway_select_call_t *call, ngx_str_t *name, ngx_str_t *value);
static void ngx_gateway_select_relay_client(ngx_gateway_select_call_t *call);
static void ngx_gateway_select_relay_cleanup(void *data);


/* of callers; what else is passed is configured */

static ngx_str_t  ngx_gateway_select_passed[] = {
    ngx_string("Accept"),
    ngx_string("Content-Type"),
    ngx_null_string
};


/* names of the connection and its framing, and what answers depend on */

static ngx_str_t  ngx_gateway_select_unpassed[] = {
    ngx_string("Host"),
    ngx_string("Connection"),
    ngx_string("Content-Length"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Accept-Encoding"),
    ngx_string("Keep-Alive"),
    ngx_string("Trailer"),
    ngx_string("TE"),
    ngx_string("Upgrade"),
    ngx_string("Expect"),
    ngx_null_string
};


static gateway_dialect_e
    ngx_gateway_select_relay_dialects[NGX_GATEWAY_SELECT_FAMILIES] =
{
    GATEWAY_DIALECT_EVM,
    GATEWAY_DIALECT_SOLANA,
    GATEWAY_DIALECT_POCKET,
    GATEWAY_DIALECT_COSMOS,
    GATEWAY_DIALECT_PLAIN,
    GATEWAY_DIALECT_PLAIN
};


ngx_gateway_select_endpoint_t  ngx_gateway_select_relay_endpoint = {
    ngx_gateway_select_relay_handler
};


char *
ngx_gateway_select_conf_relay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_loc_conf_t *glcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_gateway_select_conf_endpoint(cf, cmd, conf);

    if (rv != NGX_CONF_OK || cf->args->nelts == 1) {
        return rv;
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty chain in \"%V\"", &cmd->name);
        return NGX_CONF_ERROR;
    }

    glcf->relay = mesh_conf_complex(cf, &value[1]);

    return glcf->relay ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_gateway_select_conf_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_loc_conf_t *glcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (glcf->pass != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    glcf->pass = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (glcf->pass == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_gateway_select_conf_header(&value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid name \"%V\" in \"%V\", that of a "
                               "header other than those of the connection is "
                               "expected", &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(glcf->pass);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_gateway_select_conf_header(ngx_str_t *name)
{
    size_t      i;
    u_char      ch;
    ngx_str_t  *own;

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if (!(ch >= '0' && ch <= '9')
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
            && ngx_strchr("!#$%&'*+-.^_`|~", ch) == NULL)
        {
            return NGX_ERROR;
        }
    }

    for (own = ngx_gateway_select_unpassed; own->len; own++) {
        if (own->len == name->len
            && ngx_strncasecmp(own->data, name->data, name->len) == 0)
        {
            return NGX_ERROR;
        }
    }

    return name->len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_gateway_select_relay_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_str_t                       chain, path;
    ngx_gateway_select_call_t      *call;
    ngx_gateway_select_loc_conf_t  *glcf;

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_gateway_select_reply_options(r);
    }

    if (!(r->method & NGX_GATEWAY_SELECT_METHODS)) {
        return ngx_gateway_select_reply_refuse(r,
                                               NGX_GATEWAY_SELECT_CALL_METHOD);
    }

    if (ngx_gateway_select_relay_upgrade(r)) {
        return ngx_gateway_select_reply_refuse(r,
                                            NGX_GATEWAY_SELECT_CALL_WEBSOCKET);
    }

    if (r->headers_in.content_length_n > NGX_GATEWAY_SELECT_BODY_MAX) {
        return ngx_gateway_select_reply_refuse(r,
                                            NGX_GATEWAY_SELECT_CALL_TOO_LARGE);
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_gateway_select_module);

    rc = ngx_gateway_select_relay_target(r, glcf, &chain, &path);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_gateway_select_reply_refuse(r,
                                            NGX_GATEWAY_SELECT_CALL_BAD_CHAIN);
    }

    call = ngx_gateway_select_relay_call(r, &chain, &path);

    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (call->shared == NULL) {

        call->reason = NGX_GATEWAY_SELECT_UNKNOWN_CHAIN;

        return ngx_gateway_select_reply_refuse(r,
                  gateway_dispatch_is_chain((pocket_str_t *) &chain)
                  ? NGX_GATEWAY_SELECT_CALL_NO_NODE
                  : NGX_GATEWAY_SELECT_CALL_BAD_CHAIN);
    }

    rc = ngx_http_read_client_request_body(r, ngx_gateway_select_relay_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


/*
 * The chain, and what of the URI is the payload's path: what follows the
 * location's name and, where that stands in it, the chain's.
 */

static ngx_int_t
ngx_gateway_select_relay_target(ngx_http_request_t *r,
    ngx_gateway_select_loc_conf_t *glcf, ngx_str_t *chain, ngx_str_t *path)
{
    u_char  *p, *last;

    if (ngx_gateway_select_relay_rest(r, path) != NGX_OK) {
        return NGX_ERROR;
    }

    if (glcf->relay) {

        if (ngx_http_complex_value(r, glcf->relay, chain) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_gateway_select_relay_after(path, chain);

    } else {
        last = path->data + path->len;
        p = path->data;

        if (p < last && *p == '/') {
            p++;
        }

        chain->data = p;

        while (p < last && *p != '/') {
            p++;
        }

        chain->len = p - chain->data;

        path->data = p;
        path->len = last - p;
    }

    if (chain->len == 0
        || ngx_gateway_select_conf_name(chain) != NGX_OK
        || (chain->len > 1 && ngx_strncmp(chain->data, "u:", 2) == 0))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* As the caller wrote it, unless nginx had to decode it to find out. */

static ngx_int_t
ngx_gateway_select_relay_rest(ngx_http_request_t *r, ngx_str_t *rest)
{
    size_t                     len;
    u_char                    *p, *last;
    uintptr_t                  escape;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = clcf->name.len;

#if (NGX_PCRE)
    if (clcf->regex) {
        len = 0;
    }
#endif

    last = ngx_strlchr(r->unparsed_uri.data,
                       r->unparsed_uri.data + r->unparsed_uri.len, '?');
    if (last == NULL) {
        last = r->unparsed_uri.data + r->unparsed_uri.len;
    }

    p = r->unparsed_uri.data;

    if (!r->internal && (size_t) (last - p) >= len
        && ngx_strncmp(p, clcf->name.data, len) == 0)
    {
        rest->data = p + len;
        rest->len = last - rest->data;

    } else {
        len = ngx_min(len, r->uri.len);
        p = r->uri.data + len;

        escape = 2 * ngx_escape_uri(NULL, p, r->uri.len - len,
                                    NGX_ESCAPE_URI);

        rest->len = r->uri.len - len + escape;
        rest->data = ngx_pnalloc(r->pool, rest->len + 1);
        if (rest->data == NULL) {
            return NGX_ERROR;
        }

        /* room for the "/" that stood before it */

        *rest->data++ = '/';

        ngx_escape_uri(rest->data, p, r->uri.len - len, NGX_ESCAPE_URI);
    }

    /* the "/" that ends a location's name begins what follows */

    if (rest->len && rest->data[0] != '/') {
        rest->data--;
        rest->len++;
    }

    return NGX_OK;
}


/* Behind the first segment of this text, if there is one. */

static void
ngx_gateway_select_relay_after(ngx_str_t *path, ngx_str_t *segment)
{
    u_char  *p, *next, *last;

    last = path->data + path->len;

    for (p = path->data; p < last && *p == '/'; p = next) {

        next = ngx_strlchr(p + 1, last, '/');

        if (next == NULL) {
            next = last;
        }

        if ((size_t) (next - p) == segment->len + 1
            && ngx_strncmp(p + 1, segment->data, segment->len) == 0)
        {
            path->data = next;
            path->len = last - next;
            return;
        }
    }
}


static ngx_uint_t
ngx_gateway_select_relay_upgrade(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.upgrade;

    return h && h->value.len == sizeof("websocket") - 1
           && ngx_strncasecmp(h->value.data, (u_char *) "websocket",
                              sizeof("websocket") - 1)
              == 0;
}


static ngx_gateway_select_call_t *
ngx_gateway_select_relay_call(ngx_http_request_t *r, ngx_str_t *chain,
    ngx_str_t *path)
{
    ngx_http_cleanup_t         *cln;
    ngx_gateway_select_call_t  *call;

    call = ngx_pcalloc(r->pool, sizeof(ngx_gateway_select_call_t));
    if (call == NULL) {
        return NULL;
    }

    call->request = r;
    call->gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);
    call->glcf = ngx_http_get_module_loc_conf(r, ngx_gateway_select_module);
    call->name = *chain;
    call->path = *path;
    call->args = r->args;

    if (call->gmcf->shm_zone) {
        call->chain = ngx_gateway_select_chain(call->gmcf, chain);
        call->shared = ngx_gateway_select_zone_chain(call->gmcf, chain);
        call->dialect = ngx_gateway_select_relay_dialects[call->chain->family];
    }

    if (ngx_array_init(&call->headers, r->pool, 4, sizeof(mesh_http_header_t))
        != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_gateway_select_relay_cleanup;
    cln->data = call;

    ngx_http_set_ctx(r, call, ngx_gateway_select_module);

    return call;
}


static void
ngx_gateway_select_relay_body(ngx_http_request_t *r)
{
    ngx_connection_t           *c;
    ngx_gateway_select_call_t  *call;

    c = r->connection;
    call = ngx_http_get_module_ctx(r, ngx_gateway_select_module);

    if (ngx_gateway_select_relay_flat(call) != NGX_OK
        || ngx_gateway_select_relay_headers(call) != NGX_OK)
    {
        ngx_gateway_select_metrics_error(call, NGX_GATEWAY_SELECT_CALL_MEMORY);
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (call->body.len > NGX_GATEWAY_SELECT_BODY_MAX) {
        ngx_gateway_select_reply_error(call,
                                       NGX_GATEWAY_SELECT_CALL_TOO_LARGE);
        return;
    }

    ngx_gateway_select_call_read(call);
    ngx_gateway_select_relay_client(call);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    ngx_gateway_select_call_begin(call);
}


/* The body in one piece. */

static ngx_int_t
ngx_gateway_select_relay_flat(ngx_gateway_select_call_t *call)
{
    u_char              *p;
    ngx_buf_t           *b;
    ngx_chain_t         *in, *cl;
    ngx_http_request_t  *r;

    r = call->request;
    in = r->request_body ? r->request_body->bufs : NULL;

    for (cl = in; cl; cl = cl->next) {
        if (!ngx_buf_special(cl->buf)) {
            call->body.len += ngx_buf_size(cl->buf);
        }
    }

    /* the rest of one too large is of no interest */

    if (call->body.len == 0
        || call->body.len > NGX_GATEWAY_SELECT_BODY_MAX)
    {
        return NGX_OK;
    }

    b = in->buf;

    if (in->next == NULL && ngx_buf_in_memory(b)) {
        call->body.data = b->pos;
        return NGX_OK;
    }

    call->body.data = ngx_pnalloc(r->pool, call->body.len);
    if (call->body.data == NULL) {
        return NGX_ERROR;
    }

    p = call->body.data;

    for (cl = in; cl; cl = cl->next) {

        if (ngx_buf_special(cl->buf)) {
            continue;
        }

        p = ngx_gateway_select_relay_copy(r, p, cl->buf);

        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static u_char *
ngx_gateway_select_relay_copy(ngx_http_request_t *r, u_char *p, ngx_buf_t *b)
{
    size_t   size;
    ssize_t  n;

    if (ngx_buf_in_memory(b)) {
        return ngx_cpymem(p, b->pos, b->last - b->pos);
    }

    size = (size_t) (b->file_last - b->file_pos);

    n = ngx_read_file(b->file, p, size, b->file_pos);

    if (n != (ssize_t) size) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "request body in \"%V\" could not be read whole",
                      &b->file->name);
        return NULL;
    }

    return p + size;
}


static ngx_int_t
ngx_gateway_select_relay_headers(ngx_gateway_select_call_t *call)
{
    ngx_uint_t           i;
    ngx_str_t            type, json;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    mesh_http_header_t  *fixed;
    ngx_http_request_t  *r;

    r = call->request;

    if (call->body.len) {
        ngx_str_set(&type, "Content-Type");
        ngx_str_set(&json, "application/json");

        if (ngx_gateway_select_relay_header(call, &type, &json) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_gateway_select_relay_passed(call, &h[i].key)
                && ngx_gateway_select_relay_header(call, &h[i].key,
                                                   &h[i].value)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    fixed = call->chain->headers.elts;

    for (i = 0; i < call->chain->headers.nelts; i++) {
        if (ngx_gateway_select_relay_header(call, &fixed[i].name,
                                            &fixed[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_gateway_select_relay_passed(ngx_gateway_select_call_t *call,
    ngx_str_t *name)
{
    ngx_str_t   *pass;
    ngx_uint_t   i, n;

    pass = ngx_gateway_select_passed;
    n = sizeof(ngx_gateway_select_passed) / sizeof(ngx_str_t) - 1;

    if (call->glcf->pass) {
        pass = call->glcf->pass->elts;
        n = call->glcf->pass->nelts;
    }

    for (i = 0; i < n; i++) {
        if (pass[i].len == name->len
            && ngx_strncasecmp(pass[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Each name once, sorted bytewise as payloads have them; the last one stays. */

static ngx_int_t
ngx_gateway_select_relay_header(ngx_gateway_select_call_t *call,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_uint_t           i;
    mesh_http_header_t  *header, last;

    header = call->headers.elts;

    for (i = 0; i < call->headers.nelts; i++) {
        if (header[i].name.len == name->len
            && ngx_strncasecmp(header[i].name.data, name->data, name->len)
               == 0)
        {
            header[i].value = *value;
            return NGX_OK;
        }
    }

    if (ngx_array_push(&call->headers) == NULL) {
        return NGX_ERROR;
    }

    last.name = *name;
    last.value = *value;

    header = call->headers.elts;

    while (i && ngx_memn2cmp(header[i - 1].name.data, name->data,
                             header[i - 1].name.len, name->len)
                > 0)
    {
        header[i] = header[i - 1];
        i--;
    }

    header[i] = last;

    return NGX_OK;
}


/* What the caller was told of the chain's height holds for its next calls. */

static void
ngx_gateway_select_relay_client(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_upstream_loc_conf_t  *ulcf;

    if (call->chain->family == NGX_GATEWAY_SELECT_NONE) {
        return;
    }

    ulcf = ngx_http_get_module_loc_conf(call->request,
                                        ngx_gateway_select_upstream_module);

    call->client = ngx_gateway_select_client_key(call->request, ulcf->client,
                                                 call->shared);
    call->tried.min_height = ngx_gateway_select_client_height(
                                             call->shared->sh, call->client);
}


static void
ngx_gateway_select_relay_cleanup(void *data)
{
    ngx_gateway_select_call_t *call = data;

    ngx_uint_t  i;

    if (call->parts) {
        for (i = 0; i < call->parts->batch.n; i++) {
            ngx_gateway_select_relay_cleanup(call->parts->calls[i]);
        }
    }

    ngx_gateway_select_call_cancel(call);

    if (call->shared) {
        ngx_gateway_select_metrics_call(call);
    }

    for (i = 0; i < call->n; i++) {
        if (call->attempts[i]->pool) {
            ngx_destroy_pool(call->attempts[i]->pool);
            call->attempts[i]->pool = NULL;
        }
    }
}
