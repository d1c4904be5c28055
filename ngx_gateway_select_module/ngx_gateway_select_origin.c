
/*
 * Filters stay with the node that made them, which the id tells that callers
 * know them by; see gateway_filter.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_filter.h"
#include "ngx_gateway_select_call.h"


static ngx_int_t ngx_gateway_select_origin_find(
    ngx_gateway_select_call_t *call, uint64_t tag);
static ngx_int_t ngx_gateway_select_origin_server(
    ngx_gateway_select_call_t *call, uint64_t tag);
static ngx_int_t ngx_gateway_select_origin_session(
    ngx_gateway_select_call_t *call, uint32_t i, uint64_t tag);
static uint64_t ngx_gateway_select_origin_tag(
    ngx_gateway_select_attempt_t *attempt);


/* The altruist has the name that no node has. */

static ngx_str_t  ngx_gateway_select_origin_altruist = ngx_null_string;


ngx_int_t
ngx_gateway_select_origin(ngx_gateway_select_call_t *call)
{
    uint64_t        tag;
    ngx_int_t       rc;
    pocket_alloc_t  a;

    if (call->asked.filter.len == 0) {
        return NGX_OK;
    }

    tag = gateway_filter_tag_of(&call->asked.filter);
    rc = tag ? ngx_gateway_select_origin_find(call, tag) : NGX_DECLINED;

    if (rc == NGX_DECLINED) {

        /* the other calls of a batch have their answers */

        return (call->asked.batch && call->batch == NULL) ? NGX_OK
                                                          : NGX_DECLINED;
    }

    mesh_pool_allocator(call->request->pool, &a);

    call->whole = call->body;

    if (gateway_filter_request((pocket_str_t *) &call->whole, tag,
                               (pocket_str_t *) &call->body, &a)
        != POCKET_OK)
    {
        return NGX_ERROR;
    }

    call->sticky = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_origin_find(ngx_gateway_select_call_t *call, uint64_t tag)
{
    uint32_t  i, n;

    if (call->chain->altruist
        && tag == gateway_filter_tag((pocket_str_t *)
                                     &ngx_gateway_select_origin_altruist))
    {
        call->fallen = 1;
        return NGX_OK;
    }

    if (ngx_gateway_select_origin_server(call, tag) == NGX_OK) {
        return NGX_OK;
    }

    n = (uint32_t) ngx_gateway_select_load(&call->shared->nsessions);

    for (i = 0; i < n; i++) {
        if (ngx_gateway_select_origin_session(call, i, tag) == NGX_OK) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_gateway_select_origin_server(ngx_gateway_select_call_t *call,
    uint64_t tag)
{
    ngx_uint_t                    i;
    ngx_gateway_select_node_t    *node;
    ngx_gateway_select_server_t  *server;

    server = call->chain->servers.elts;

    for (i = 0; i < call->chain->servers.nelts; i++) {

        if (server[i].down
            || server[i].node == NGX_GATEWAY_SELECT_NO_NODE
            || gateway_filter_tag((pocket_str_t *) &server[i].name) != tag)
        {
            continue;
        }

        node = ngx_gateway_select_node(call->shared, server[i].node);

        if (node->flags & NGX_GATEWAY_SELECT_DRAINED) {
            return NGX_DECLINED;
        }

        ngx_gateway_select_pick_node(call->shared, server[i].node,
                                     NGX_GATEWAY_SELECT_NO_SESSION,
                                     &call->origin);
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* A session that the servicer is in, and has not done with. */

static ngx_int_t
ngx_gateway_select_origin_session(ngx_gateway_select_call_t *call,
    uint32_t i, uint64_t tag)
{
    uint32_t                       place;
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_session_t  *session;

    session = &call->shared->sessions[i];

    if (session->generation & 1 || session->height == 0) {
        return NGX_DECLINED;
    }

    for (place = 0; place < NGX_GATEWAY_SELECT_SESSION_NODES; place++) {

        if (place >= session->nnodes
            || session->nodes[place] >= call->shared->nnodes)
        {
            break;
        }

        node = ngx_gateway_select_node(call->shared, session->nodes[place]);

        if (gateway_filter_tag((pocket_str_t *) &node->sn.str) != tag) {
            continue;
        }

        if (node->flags & NGX_GATEWAY_SELECT_DRAINED
            || (session->refused | session->waiting) >> place & 1
            || session->used[place] >= session->allowance)
        {
            return NGX_DECLINED;
        }

        ngx_gateway_select_pick_node(call->shared, session->nodes[place], i,
                                     &call->origin);

        return (call->origin.session == i) ? NGX_OK : NGX_DECLINED;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_gateway_select_origin_answer(ngx_gateway_select_attempt_t *attempt)
{
    uint64_t                    tag;
    ngx_buf_t                  *b;
    ngx_chain_t                *cl;
    pocket_str_t                text, out;
    pocket_alloc_t              a;
    ngx_gateway_select_call_t  *call;
    ngx_gateway_select_hold_t  *hold;

    call = attempt->call;
    hold = &attempt->hold;

    if (!(call->asked.traits & GATEWAY_CALL_FILTER) || hold->chain == NULL) {
        return NGX_OK;
    }

    tag = ngx_gateway_select_origin_tag(attempt);

    mesh_pool_allocator(hold->pool, &a);

    if (ngx_gateway_select_hold_text(hold, (ngx_str_t *) &text) != NGX_OK
        || gateway_filter_answer(&call->asked, call->dialect,
                                 (pocket_str_t *) &call->body, &text, tag,
                                 &out, &a)
           != POCKET_OK)
    {
        return NGX_ERROR;
    }

    b = ngx_calloc_buf(hold->pool);
    cl = ngx_alloc_chain_link(hold->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = out.data;
    b->last = out.data + out.len;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    hold->chain = cl;
    hold->last = &cl->next;
    hold->size = out.len;

    return NGX_OK;
}


static uint64_t
ngx_gateway_select_origin_tag(ngx_gateway_select_attempt_t *attempt)
{
    ngx_str_t  *name;

    name = attempt->altruist
           ? &ngx_gateway_select_origin_altruist
           : &ngx_gateway_select_node(attempt->pick.chain,
                                      attempt->pick.node)->sn.str;

    return gateway_filter_tag((pocket_str_t *) name);
}
