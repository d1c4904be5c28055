
/*
 * Batches that name filters of several nodes: asked in parts, see
 * gateway_parts.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_call.h"


/* of calls that a node has left out of its answer */

#define NGX_GATEWAY_SELECT_PARTS_UNANSWERED  -32603


static ngx_gateway_select_call_t *ngx_gateway_select_parts_call(
    ngx_gateway_select_call_t *call, ngx_gateway_select_parts_t *parts,
    ngx_uint_t i);
static void ngx_gateway_select_parts_ended(ngx_gateway_select_call_t *call);


ngx_int_t
ngx_gateway_select_parts(ngx_gateway_select_call_t *call)
{
    ngx_uint_t                   i, n;
    pocket_alloc_t               a;
    ngx_gateway_select_parts_t  *parts;

    if (call->batch || !call->asked.batch || call->asked.filter.len == 0) {
        return NGX_DECLINED;
    }

    parts = ngx_pcalloc(call->request->pool,
                        sizeof(ngx_gateway_select_parts_t));
    if (parts == NULL) {
        return NGX_ERROR;
    }

    mesh_pool_allocator(call->request->pool, &a);

    if (gateway_parts_split(&parts->batch, &call->asked, call->dialect,
                            (pocket_str_t *) &call->body, &a)
        != POCKET_OK)
    {
        return NGX_ERROR;
    }

    n = parts->batch.n;

    if (n == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < n; i++) {
        parts->calls[i] = ngx_gateway_select_parts_call(call, parts, i);

        if (parts->calls[i] == NULL) {
            return NGX_ERROR;
        }
    }

    parts->open = n;
    call->parts = parts;

    /* with the end of the last one the request may be gone */

    for (i = 0; i < n; i++) {
        ngx_gateway_select_call_begin(parts->calls[i]);
    }

    return NGX_OK;
}


/* As the caller's, but for what it asks; NULL: no memory. */

static ngx_gateway_select_call_t *
ngx_gateway_select_parts_call(ngx_gateway_select_call_t *call,
    ngx_gateway_select_parts_t *parts, ngx_uint_t i)
{
    ngx_gateway_select_call_t  *part;

    part = ngx_palloc(call->request->pool, sizeof(ngx_gateway_select_call_t));
    if (part == NULL) {
        return NULL;
    }

    *part = *call;

    part->batch = call;
    part->part = i;
    part->body.data = parts->batch.parts[i].body.data;
    part->body.len = parts->batch.parts[i].body.len;

    ngx_gateway_select_call_read(part);

    return part;
}


void
ngx_gateway_select_parts_answer(ngx_gateway_select_call_t *part,
    ngx_gateway_select_attempt_t *attempt)
{
    gateway_part_t              *answered;
    ngx_gateway_select_parts_t  *parts;

    static ngx_str_t  unanswered = ngx_string("no node has answered well");

    parts = part->batch->parts;
    answered = &parts->batch.parts[part->part];

    if (attempt
        && ngx_gateway_select_hold_text(&attempt->hold,
                                        (ngx_str_t *) &answered->answer)
           == NGX_OK)
    {
        parts->answers[part->part] = attempt;

    } else {
        answered->answer.len = 0;
    }

    ngx_gateway_select_parts_error(part, NGX_GATEWAY_SELECT_PARTS_UNANSWERED,
                                   &unanswered);
}


void
ngx_gateway_select_parts_error(ngx_gateway_select_call_t *part, int code,
    ngx_str_t *message)
{
    gateway_part_t              *ended;
    ngx_gateway_select_parts_t  *parts;

    parts = part->batch->parts;
    ended = &parts->batch.parts[part->part];

    ended->code = code;
    ended->message.data = message->data;
    ended->message.len = message->len;

    if (--parts->open == 0) {
        ngx_gateway_select_parts_ended(part->batch);
    }
}


static void
ngx_gateway_select_parts_ended(ngx_gateway_select_call_t *call)
{
    ngx_str_t       text;
    pocket_alloc_t  a;

    mesh_pool_allocator(call->request->pool, &a);

    call->state = NGX_GATEWAY_SELECT_CALL_ANSWERED;

    if (gateway_parts_join(&call->parts->batch, (pocket_str_t *) &text, &a)
        != POCKET_OK)
    {
        ngx_http_finalize_request(call->request,
                                  NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_gateway_select_reply_json(call, &text);
}
