
/*
 * POST /v1/client/sim: asks a chain without a proof, for the operator's own
 * tests (spec 6).
 */


#include "ngx_mesh_relay_handler.h"
#include "ngx_mesh_relay_chains.h"
#include "pocket_response.h"


typedef struct {
    ngx_http_request_t        *request;
    pocket_sim_t               body;
    ngx_mesh_relay_exec_t      exec;
    pocket_alloc_t             alloc;

    u_char                    *answer;
    size_t                     len;
    size_t                     size;
} ngx_mesh_relay_sim_t;


static void ngx_mesh_relay_sim_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_sim_start(ngx_mesh_relay_sim_t *sim);
static ngx_int_t ngx_mesh_relay_sim_chain(ngx_mesh_relay_sim_t *sim);
static ngx_int_t ngx_mesh_relay_sim_execute(ngx_mesh_relay_sim_t *sim);
static ngx_int_t ngx_mesh_relay_sim_piece(void *data, u_char *p, size_t len);
static void ngx_mesh_relay_sim_write_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_relay_sim_answer(ngx_mesh_relay_sim_t *sim);
static ngx_int_t ngx_mesh_relay_sim_refuse(ngx_mesh_relay_sim_t *sim,
    u_char *text, size_t len);


/* code 46 is told here only, and in this form */

static u_char  ngx_mesh_relay_sim_not_hosted[] =
    "ERROR:\nCodespace: pocketcore\nCode: 46\n"
    "Message: \"the blockchain requested is not hosted\"\n";


ngx_int_t
ngx_mesh_relay_simulate_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_mesh_relay_sim_t  *sim;

    if (ngx_mesh_relay_cors(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_mesh_relay_method(r, NGX_HTTP_POST, NGX_MESH_RELAY_ALLOW_POST);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    sim = ngx_pcalloc(r->pool, sizeof(ngx_mesh_relay_sim_t));
    if (sim == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    sim->request = r;
    mesh_pool_allocator(r->pool, &sim->alloc);

    ngx_http_set_ctx(r, sim, ngx_mesh_relay_module);

    rc = ngx_http_read_client_request_body(r,
                                           ngx_mesh_relay_sim_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_mesh_relay_sim_body_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_mesh_relay_sim_t  *sim;

    sim = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    r->write_event_handler = ngx_mesh_relay_sim_write_handler;

    rc = ngx_mesh_relay_sim_start(sim);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_mesh_relay_sim_start(ngx_mesh_relay_sim_t *sim)
{
    ngx_str_t       text;
    pocket_str_t    body;
    pocket_error_t  err;

    if (ngx_mesh_relay_body(sim->request, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = text.data;
    body.len = text.len;

    if (pocket_sim_decode(&body, &sim->body, &err, &sim->alloc)
        != POCKET_OK)
    {
        return ngx_mesh_relay_sim_refuse(sim, err.message.data,
                                         err.message.len);
    }

    return ngx_mesh_relay_sim_chain(sim);
}


static ngx_int_t
ngx_mesh_relay_sim_chain(ngx_mesh_relay_sim_t *sim)
{
    ngx_int_t                    rc;
    ngx_str_t                    id;
    pocket_str_t                 agent;
    pocket_error_t               err;
    ngx_http_request_t          *r;
    ngx_mesh_relay_loc_conf_t   *lcf;
    ngx_mesh_relay_main_conf_t  *mcf;

    r = sim->request;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_relay_module);

    id.data = sim->body.chain.data;
    id.len = sim->body.chain.len;

    sim->exec.chain = ngx_mesh_relay_chain_find(mcf, r, &id);

    if (sim->exec.chain == NULL) {
        return ngx_mesh_relay_sim_refuse(sim, ngx_mesh_relay_sim_not_hosted,
                                   sizeof(ngx_mesh_relay_sim_not_hosted) - 1);
    }

    agent.data = mcf->user_agent.data;
    agent.len = mcf->user_agent.len;

    rc = pocket_request_build(&sim->exec.chain->entry, &agent,
                              &sim->body.payload, &sim->exec.request, &err,
                              &sim->alloc);

    if (rc == POCKET_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == 0) {
        return ngx_mesh_relay_sim_refuse(sim, err.message.data,
                                         err.message.len);
    }

    sim->exec.limit = lcf->max_response;
    sim->exec.piece = ngx_mesh_relay_sim_piece;
    sim->exec.data = sim;

    return ngx_mesh_relay_sim_execute(sim);
}


static ngx_int_t
ngx_mesh_relay_sim_execute(ngx_mesh_relay_sim_t *sim)
{
    sim->len = 0;

    if (ngx_mesh_relay_execute(sim->request, &sim->exec) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mesh_relay_sim_piece(void *data, u_char *p, size_t len)
{
    ngx_mesh_relay_sim_t *sim = data;

    return ngx_mesh_relay_append(sim->request->pool, &sim->answer, &sim->len,
                                 &sim->size, p, len);
}


static void
ngx_mesh_relay_sim_write_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_mesh_relay_sim_t  *sim;

    sim = ngx_http_get_module_ctx(r, ngx_mesh_relay_module);

    if (!sim->exec.done) {
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_mesh_relay_execute_retry(&sim->exec)) {
        r->write_event_handler = ngx_mesh_relay_sim_write_handler;

        rc = ngx_mesh_relay_sim_execute(sim);

        if (rc == NGX_AGAIN) {
            return;
        }

    } else {
        rc = ngx_mesh_relay_sim_answer(sim);
    }

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_mesh_relay_sim_answer(ngx_mesh_relay_sim_t *sim)
{
    ngx_str_t                   text;
    pocket_str_t                answer, sorted, body;
    pocket_error_t              err;
    ngx_mesh_relay_loc_conf_t  *lcf;

    if (sim->exec.outcome != NGX_MESH_RELAY_CHAIN_ANSWERED) {
        ngx_mesh_relay_execute_error(&sim->exec, &sim->body.payload, &err,
                                     &sim->alloc);

        return ngx_mesh_relay_sim_refuse(sim, err.message.data,
                                         err.message.len);
    }

    answer.data = sim->answer;
    answer.len = sim->len;

    lcf = ngx_http_get_module_loc_conf(sim->request, ngx_mesh_relay_module);

    sorted = answer;

    if (lcf->sort
        && pocket_response_sort(&answer, &sorted, &sim->alloc)
           == POCKET_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pocket_response_sim(&sorted, &body, &sim->alloc) != POCKET_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = body.data;
    text.len = body.len;

    return ngx_mesh_relay_send_text(sim->request, NGX_HTTP_OK,
                                    NGX_MESH_RELAY_TYPE_HTTP, &text);
}


static ngx_int_t
ngx_mesh_relay_sim_refuse(ngx_mesh_relay_sim_t *sim, u_char *text, size_t len)
{
    ngx_str_t  message;

    message.data = text;
    message.len = len;

    return ngx_mesh_relay_send_http_error(sim->request,
                                          NGX_HTTP_BAD_REQUEST, &message);
}
