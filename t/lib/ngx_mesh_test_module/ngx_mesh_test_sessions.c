
/*
 * Sessions of a gateway's chain as they stand in the zone, and what servicers
 * might answer in them.
 */


#include "ngx_mesh_test.h"

#include "gateway_find.h"
#include "ngx_gateway_select_zone.h"


#define NGX_MESH_TEST_SESSIONS_SIZE  65536
#define NGX_MESH_TEST_SESSIONS_KEY   8      /* characters of a key shown */
#define NGX_MESH_TEST_SESSIONS_PICKS 1000


static ngx_int_t ngx_mesh_test_sessions_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_test_session_code_handler(ngx_http_request_t *r);
static u_char *ngx_mesh_test_session(u_char *p, u_char *last,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static void ngx_mesh_test_session_height(ngx_str_t *name,
    gateway_found_t *found, ngx_int_t height);
static ngx_gateway_select_chain_sh_t *ngx_mesh_test_sessions_chain(
    ngx_str_t *name);
static ngx_int_t ngx_mesh_test_sessions_send(ngx_http_request_t *r,
    u_char *start, u_char *end);


char *
ngx_mesh_test_sessions(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = (ngx_strcmp(cmd->name.data, "mesh_test_sessions") == 0)
                        ? ngx_mesh_test_sessions_handler
                        : ngx_mesh_test_session_code_handler;

    return NGX_CONF_OK;
}


/* ?chain=NAME: a line for each session, and one for each of its nodes */

static ngx_int_t
ngx_mesh_test_sessions_handler(ngx_http_request_t *r)
{
    u_char                         *start, *p, *last;
    ngx_str_t                       name;
    ngx_uint_t                      i;
    ngx_gateway_select_chain_sh_t  *chain;

    if (ngx_http_discard_request_body(r) != NGX_OK
        || ngx_http_arg(r, (u_char *) "chain", 5, &name) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    start = ngx_pnalloc(r->pool, NGX_MESH_TEST_SESSIONS_SIZE);
    if (start == NULL) {
        return NGX_ERROR;
    }

    last = start + NGX_MESH_TEST_SESSIONS_SIZE;
    p = start;

    chain = ngx_mesh_test_sessions_chain(&name);

    if (chain) {
        p = ngx_slprintf(p, last, "height %uA letters %ui\n",
                         chain->sh->block_height, chain->sh->nletters);

        for (i = 0; i < chain->nsessions; i++) {
            if (chain->sessions[i].height) {
                p = ngx_mesh_test_session(p, last, chain,
                                          &chain->sessions[i]);
            }
        }
    }

    return ngx_mesh_test_sessions_send(r, start, p);
}


static u_char *
ngx_mesh_test_session(u_char *p, u_char *last,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    uint32_t                    i;
    ngx_gateway_select_node_t  *node;

    p = ngx_slprintf(p, last, "session %uL app %*s nodes %uD allowance %uL "
                     "ramp %.3f left %i\n", session->height,
                     (size_t) NGX_MESH_TEST_SESSIONS_KEY, session->app_key,
                     session->nnodes, session->allowance, session->ramp,
                     session->ends ? (ngx_int_t) (session->ends
                                                  - ngx_current_msec) : 0);

    for (i = 0; i < session->nnodes; i++) {

        node = ngx_gateway_select_node(chain, session->nodes[i]);

        p = ngx_slprintf(p, last, "node %*s used %uA refused %ui waiting "
                         "%ui\n", (size_t) NGX_MESH_TEST_SESSIONS_KEY,
                         node->key, session->used[i],
                         (ngx_uint_t) (session->refused >> i & 1),
                         (ngx_uint_t) (session->waiting >> i & 1));
    }

    return p;
}


/*
 * ?chain=NAME&node=KEY&code=N&dispatch=TEXT&height=N: a try at that node (its
 * first characters; none: any) that is answered so; with a height it is a good
 * one, which told that.
 */

static ngx_int_t
ngx_mesh_test_session_code_handler(ngx_http_request_t *r)
{
    u_char                      *p, *src, *dst;
    ngx_str_t                    name, node, code, dispatch, height;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    gateway_found_t              found;
    const gateway_find_calls_t  *calls;

    if (ngx_http_discard_request_body(r) != NGX_OK
        || ngx_http_arg(r, (u_char *) "chain", 5, &name) != NGX_OK
        || ngx_http_arg(r, (u_char *) "code", 4, &code) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_arg(r, (u_char *) "node", 4, &node) != NGX_OK) {
        ngx_str_null(&node);
    }

    ngx_str_null(&dispatch);

    if (ngx_http_arg(r, (u_char *) "dispatch", 8, &dispatch) == NGX_OK) {

        dst = ngx_pnalloc(r->pool, dispatch.len);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        src = dispatch.data;
        dispatch.data = dst;

        ngx_unescape_uri(&dst, &src, dispatch.len, 0);

        dispatch.len = (size_t) (dst - dispatch.data);
    }

    p = ngx_pnalloc(r->pool, GATEWAY_FIND_KEY + NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    calls = gateway_find_calls((ngx_cycle_t *) ngx_cycle);

    for (i = 0; calls && i < NGX_MESH_TEST_SESSIONS_PICKS; i++) {

        if (calls->find((ngx_cycle_t *) ngx_cycle, &name, &found) != NGX_OK
            || ngx_strncmp(found.key.data, node.data, node.len) != 0)
        {
            continue;
        }

        calls->begin(&found);

        if (ngx_http_arg(r, (u_char *) "height", 6, &height) == NGX_OK) {
            ngx_mesh_test_session_height(&name, &found,
                                         ngx_atoi(height.data, height.len));
            calls->end(&found, GATEWAY_FIND_OK, 1);

            return ngx_mesh_test_sessions_send(r, p,
                                               ngx_sprintf(p, "told\n"));
        }

        rc = calls->session((ngx_cycle_t *) ngx_cycle, &found,
                            (ngx_uint_t) ngx_atoi(code.data, code.len),
                            &dispatch);
        calls->end(&found, GATEWAY_FIND_CENSORED, 1);

        return ngx_mesh_test_sessions_send(r, p,
                                ngx_sprintf(p, "%s\n",
                                            rc == NGX_OK ? "fault"
                                            : rc == NGX_DONE ? "out"
                                                             : "not ready"));
    }

    return ngx_mesh_test_sessions_send(r, p, ngx_sprintf(p, "none\n"));
}


/* As an answer to a caller tells it. */

static void
ngx_mesh_test_session_height(ngx_str_t *name, gateway_found_t *found,
    ngx_int_t height)
{
    ngx_uint_t                      i;
    ngx_gateway_select_node_t      *node;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = ngx_mesh_test_sessions_chain(name);

    for (i = 0; chain && i < chain->nnodes; i++) {

        node = ngx_gateway_select_node(chain, i);

        if (ngx_memcmp(node->key, found->key.data, found->key.len) == 0) {
            node->fresh.height = (ngx_atomic_uint_t) height;
            node->fresh.height_at = (ngx_atomic_uint_t)
                                    (ngx_cached_time->sec * 1000
                                     + ngx_cached_time->msec);
        }
    }
}


static ngx_gateway_select_chain_sh_t *
ngx_mesh_test_sessions_chain(ngx_str_t *name)
{
    ngx_uint_t                       i;
    ngx_module_t                    *module;
    ngx_gateway_select_sh_t         *sh;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = NULL;

    for (i = 0; ngx_cycle->modules[i]; i++) {

        module = ngx_cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_gateway_select_module") == 0) {
            gmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, (*module));
        }
    }

    if (gmcf == NULL || gmcf->shm_zone == NULL) {
        return NULL;
    }

    sh = ngx_gateway_select_zone(gmcf)->sh;

    for (i = 0; i < sh->nchains; i++) {

        if (sh->chains[i]->name_len == name->len
            && ngx_memcmp(sh->chains[i]->name, name->data, name->len) == 0)
        {
            return sh->chains[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_mesh_test_sessions_send(ngx_http_request_t *r, u_char *start, u_char *end)
{
    ngx_str_t                 type;
    ngx_http_complex_value_t  cv;

    ngx_str_set(&type, "text/plain");
    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = start;
    cv.value.len = (size_t) (end - start);

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}
