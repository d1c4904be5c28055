
/*
 * POST /gateway/admin/<verb>: {"chain", "node" or "operator"}.
 */


#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_answer.h"
#include "ngx_gateway_select_sync.h"
#include "pocket_json.h"


#define NGX_GATEWAY_SELECT_ADMIN_BODY  4096


typedef struct {
    pocket_str_t                     chain;
    pocket_str_t                     node;
    pocket_str_t                     operator;
} ngx_gateway_select_order_t;


static ngx_int_t ngx_gateway_select_admin_handler(ngx_http_request_t *r);
static void ngx_gateway_select_admin_body(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_admin_read(ngx_http_request_t *r,
    pocket_str_t *text);
static ngx_int_t ngx_gateway_select_admin_order(ngx_http_request_t *r,
    ngx_gateway_select_verb_e verb, pocket_str_t *text);
static ngx_int_t ngx_gateway_select_admin_done(ngx_http_request_t *r,
    ngx_gateway_select_verb_e verb, ngx_gateway_select_order_t *order,
    ngx_int_t nodes);
static ngx_int_t ngx_gateway_select_admin_which(ngx_http_request_t *r,
    ngx_str_t *name);


ngx_gateway_select_endpoint_t  ngx_gateway_select_admin_endpoint = {
    ngx_gateway_select_admin_handler
};


static const pocket_json_field_t  ngx_gateway_select_order_fields[] = {
    { pocket_string("chain"), POCKET_JSON_T_STRING,
      offsetof(ngx_gateway_select_order_t, chain), NULL },
    { pocket_string("node"), POCKET_JSON_T_STRING,
      offsetof(ngx_gateway_select_order_t, node), NULL },
    { pocket_string("operator"), POCKET_JSON_T_STRING,
      offsetof(ngx_gateway_select_order_t, operator), NULL }
};

static const pocket_json_table_t  ngx_gateway_select_order_table = {
    ngx_gateway_select_order_fields,
    sizeof(ngx_gateway_select_order_fields) / sizeof(pocket_json_field_t),
    sizeof(ngx_gateway_select_order_t)
};

static const pocket_json_field_t  ngx_gateway_select_order_root = {
    pocket_string("the body"), POCKET_JSON_T_STRUCT, 0,
    &ngx_gateway_select_order_table
};


static ngx_int_t
ngx_gateway_select_admin_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    if (!ngx_gateway_select_accept(r, NGX_HTTP_POST, "POST", &rc)) {
        return rc;
    }

    ngx_gateway_select_tail(r, &name);

    if (ngx_gateway_select_admin_which(r, &name) == NGX_ERROR) {
        rc = ngx_http_discard_request_body(r);

        return (rc != NGX_OK) ? rc
               : ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                           "there is no verb", &name);
    }

    if (r->headers_in.content_length_n > NGX_GATEWAY_SELECT_ADMIN_BODY) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_gateway_select_admin_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_gateway_select_admin_body(ngx_http_request_t *r)
{
    ngx_int_t     rc;
    ngx_str_t     name;
    pocket_str_t  text;

    rc = ngx_gateway_select_admin_read(r, &text);

    if (rc == NGX_OK) {
        ngx_gateway_select_tail(r, &name);

        rc = ngx_gateway_select_admin_order(r,
                             ngx_gateway_select_admin_which(r, &name), &text);
    }

    ngx_http_finalize_request(r, rc);
}


/* The body in one piece of memory. */

static ngx_int_t
ngx_gateway_select_admin_read(ngx_http_request_t *r, pocket_str_t *text)
{
    size_t        len, n;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += (size_t) ngx_buf_size(cl->buf);
    }

    if (len > NGX_GATEWAY_SELECT_ADMIN_BODY) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text->data = p;
    text->len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;
        n = (size_t) ngx_buf_size(b);

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, n);

        } else if (ngx_read_file(b->file, p, n, b->file_pos) == (ssize_t) n) {
            p += n;

        } else {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_admin_order(ngx_http_request_t *r,
    ngx_gateway_select_verb_e verb, pocket_str_t *text)
{
    int                              ok;
    u_char                          *p;
    ngx_int_t                        nodes;
    ngx_str_t                        field;
    pocket_str_t                    *target;
    pocket_alloc_t                   alloc;
    pocket_json_error_t              err;
    ngx_gateway_select_order_t       order;
    ngx_gateway_select_chain_sh_t   *chain;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    ngx_memzero(&order, sizeof(ngx_gateway_select_order_t));

    mesh_pool_allocator(r->pool, &alloc);

    ok = pocket_json_decode(text, &ngx_gateway_select_order_root, &order,
                            &err, &alloc);

    if (ok != 1) {
        field.data = err.text;
        field.len = err.len;

        return ngx_gateway_select_refuse(r, NGX_HTTP_BAD_REQUEST,
                                         "the body is not an order:", &field);
    }

    if ((order.node.len == 0) == (order.operator.len == 0)) {
        return ngx_gateway_select_refuse(r, NGX_HTTP_BAD_REQUEST,
                         "\\\"chain\\\" and one of \\\"node\\\" and "
                         "\\\"operator\\\" are needed", NULL);
    }

    chain = gmcf->shm_zone
            ? ngx_gateway_select_zone_chain(gmcf, (ngx_str_t *) &order.chain)
            : NULL;

    if (chain == NULL) {
        return ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                         "there is no chain",
                                         (ngx_str_t *) &order.chain);
    }

    target = order.node.len ? &order.node : &order.operator;

    p = ngx_pnalloc(r->pool, target->len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    field.data = p;
    *p++ = order.node.len ? 'n' : 'o';
    field.len = ngx_cpymem(p, target->data, target->len) - field.data;

    nodes = ngx_gateway_select_admin_set(gmcf, chain, verb, &field,
                                         gmcf->sync != NULL);

    if (nodes == NGX_DECLINED) {
        return ngx_gateway_select_refuse(r, NGX_HTTP_NOT_FOUND,
                                         order.node.len
                                         ? "the chain has no node"
                                         : "the chain has no operator",
                                         (ngx_str_t *) target);
    }

    if (nodes == NGX_ERROR) {
        return ngx_gateway_select_refuse(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                         "there is no room for more of the "
                                         "chain", (ngx_str_t *) &order.chain);
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "%V of %s \"%V\" of chain \"%V\", by %V",
                  &ngx_gateway_select_verbs[verb],
                  order.node.len ? "node" : "operator", target, &order.chain,
                  &r->connection->addr_text);

    return ngx_gateway_select_admin_done(r, verb, &order, nodes);
}


static ngx_int_t
ngx_gateway_select_admin_done(ngx_http_request_t *r,
    ngx_gateway_select_verb_e verb, ngx_gateway_select_order_t *order,
    ngx_int_t nodes)
{
    u_char                          *p;
    size_t                           len;
    ngx_buf_t                       *b;
    ngx_str_t                       *target;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_gateway_select_module);

    target = (ngx_str_t *) (order->node.len ? &order->node
                                            : &order->operator);

    len = sizeof("{\"chain\":\"\",\"operator\":\"\",\"verb\":\"uncordon\","
                 "\"nodes\":,\"scope\":\"cluster\"}\n")
          + ngx_gateway_select_text_len((ngx_str_t *) &order->chain)
          + ngx_gateway_select_text_len(target) + NGX_INT_T_LEN;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_gateway_select_text(b->last, "{\"chain\":",
                                (ngx_str_t *) &order->chain);
    p = ngx_gateway_select_text(p, order->node.len ? ",\"node\":"
                                                   : ",\"operator\":",
                                target);

    b->last = ngx_sprintf(p, ",\"verb\":\"%V\",\"nodes\":%i,"
                          "\"scope\":\"%s\"}\n",
                          &ngx_gateway_select_verbs[verb], nodes,
                          gmcf->sync ? "cluster" : "zone");

    return ngx_gateway_select_answer(r, NGX_HTTP_OK, b);
}


static ngx_int_t
ngx_gateway_select_admin_which(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_int_t   i;
    ngx_str_t  *verb;

    for (i = 0; i < NGX_GATEWAY_SELECT_ADMIN_VERBS; i++) {

        verb = &ngx_gateway_select_verbs[i];

        if (verb->len == name->len
            && ngx_memcmp(verb->data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}
