
/*
 * The witness of a chain: an endpoint whose word its operator trusts.  It is
 * asked for the height once in each interval, and for each block that nodes
 * are compared by.  Where nodes are too few to agree it decides.
 */


#include "ngx_gateway_select_checker.h"


#define NGX_GATEWAY_SELECT_WITNESS_POOL  2048


typedef struct {
    ngx_gateway_select_watch_t    *watch;
    ngx_gateway_select_poll_t     *poll;       /* NULL: its height */
    gateway_probe_e                kind;
    mesh_http_exchange_t          *exchange;
    gateway_probe_request_t        request;
    ngx_pool_t                    *pool;
} ngx_gateway_select_question_t;


struct ngx_gateway_select_witness_s {
    ngx_msec_t                     asked;
    uint64_t                       told_at;    /* ms, wall */
    ngx_gateway_select_question_t  height;
    ngx_gateway_select_question_t  block;
};


static void ngx_gateway_select_question_send(
    ngx_gateway_select_question_t *question, uint64_t block);
static void ngx_gateway_select_question_answer(void *data,
    mesh_http_result_t *result);
static void ngx_gateway_select_question_end(
    ngx_gateway_select_question_t *question);
static void ngx_gateway_select_witness_height(
    ngx_gateway_select_watch_t *watch, uint64_t height);
static void ngx_gateway_select_witness_block(
    ngx_gateway_select_question_t *question, pocket_str_t *identifier);


ngx_int_t
ngx_gateway_select_witness_init(ngx_gateway_select_watch_t *watch)
{
    ngx_gateway_select_witness_t  *witness;

    if (watch->chain->witness == NULL) {
        return NGX_OK;
    }

    witness = ngx_pcalloc(watch->checker->pool,
                          sizeof(ngx_gateway_select_witness_t));
    if (witness == NULL) {
        return NGX_ERROR;
    }

    witness->height.watch = watch;
    witness->block.watch = watch;
    witness->height.kind = watch->checks[0]->kind;
    witness->asked = ngx_current_msec - NGX_TIMER_INFINITE / 2;

    watch->witness = witness;

    return NGX_OK;
}


void
ngx_gateway_select_witness_tick(ngx_gateway_select_watch_t *watch)
{
    ngx_msec_t                     interval;
    ngx_gateway_select_witness_t  *witness;

    witness = watch->witness;

    if (witness == NULL) {
        return;
    }

    interval = ngx_gateway_select_check_interval(watch, watch->checks[0]);

    if (!ngx_gateway_select_due(witness->asked + interval, ngx_current_msec)) {
        return;
    }

    witness->asked = ngx_current_msec;

    if (watch->shared->height.witness
        && witness->told_at + ngx_gateway_select_watch_fresh(watch)
           < ngx_gateway_select_now())
    {
        ngx_gateway_select_witness_height(watch, 0);
    }

    ngx_gateway_select_question_send(&witness->height, 0);
}


void
ngx_gateway_select_witness_ask(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll)
{
    ngx_gateway_select_witness_t  *witness;

    witness = watch->witness;

    if (witness == NULL || poll->check->reason != GATEWAY_PENALTY_DATA) {
        return;
    }

    witness->block.poll = poll;
    witness->block.kind = poll->check->kind;

    ngx_gateway_select_question_send(&witness->block, poll->block);
}


void
ngx_gateway_select_witness_stop(ngx_gateway_select_watch_t *watch)
{
    if (watch->witness) {
        ngx_gateway_select_question_end(&watch->witness->height);
        ngx_gateway_select_question_end(&watch->witness->block);
    }
}


/* a question that is still open gives way: its answer would be too late */

static void
ngx_gateway_select_question_send(ngx_gateway_select_question_t *question,
    uint64_t block)
{
    pocket_alloc_t            a;
    mesh_http_header_t        header;
    mesh_http_request_t       rq;
    gateway_probe_request_t  *request;

    ngx_gateway_select_question_end(question);

    /* configured checks are asked of nodes only */

    if (question->kind == GATEWAY_PROBE_CUSTOM) {
        return;
    }

    question->pool = ngx_create_pool(NGX_GATEWAY_SELECT_WITNESS_POOL,
                                     ngx_cycle->log);
    if (question->pool == NULL) {
        return;
    }

    mesh_pool_allocator(question->pool, &a);

    request = &question->request;

    if (gateway_probe_request(question->kind, block,
                              ngx_gateway_select_random(), request, &a)
        != POCKET_OK)
    {
        ngx_gateway_select_question_end(question);
        return;
    }

    ngx_gateway_select_probe_http(request, &rq, &header);

    rq.url = question->watch->chain->witness;
    rq.timeout = question->watch->chain->timeout;

    question->exchange = mesh_http_send(question->watch->checker->gmcf->http,
                                        &rq,
                                        ngx_gateway_select_question_answer,
                                        question);
    if (question->exchange == NULL) {
        ngx_gateway_select_question_end(question);
    }
}


static void
ngx_gateway_select_question_answer(void *data, mesh_http_result_t *result)
{
    ngx_gateway_select_question_t *question = data;

    pocket_str_t            body;
    pocket_alloc_t          a;
    gateway_answer_e        rc;
    gateway_probe_answer_t  answer;

    question->exchange = NULL;

    if (result->outcome == MESH_HTTP_OK) {
        mesh_pool_allocator(question->pool, &a);

        body.len = result->body.len;
        body.data = result->body.data;

        rc = gateway_probe_answer(question->kind, &question->request,
                                  result->status, &body, &answer, &a);

        if (rc != GATEWAY_ANSWER_OK) {
            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "the witness of chain \"%V\" gave no answer, "
                          "status %ui", &question->watch->chain->name,
                          result->status);

        } else if (question->poll) {
            ngx_gateway_select_witness_block(question, &answer.identifier);

        } else {
            question->watch->witness->told_at = ngx_gateway_select_now();
            ngx_gateway_select_witness_height(question->watch, answer.height);
        }
    }

    ngx_gateway_select_question_end(question);
}


static void
ngx_gateway_select_question_end(ngx_gateway_select_question_t *question)
{
    if (question->exchange) {
        mesh_http_cancel(question->exchange);
        question->exchange = NULL;
    }

    if (question->pool) {
        ngx_destroy_pool(question->pool);
        question->pool = NULL;
    }
}


static void
ngx_gateway_select_witness_height(ngx_gateway_select_watch_t *watch,
    uint64_t height)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = watch->checker->gmcf;

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return;
    }

    watch->shared->height.witness = height;

    ngx_gateway_select_leader_unlock(gmcf);

    watch->judge = 1;
    ngx_gateway_select_checker_soon(watch->checker);
}


static void
ngx_gateway_select_witness_block(ngx_gateway_select_question_t *question,
    pocket_str_t *identifier)
{
    ngx_gateway_select_poll_t  *poll;

    poll = question->poll;

    if (poll->block != question->request.block) {
        return;
    }

    poll->witness.len = identifier->len;
    poll->witness.data = poll->told;

    if (identifier->len > NGX_GATEWAY_SELECT_IDENTIFIER_LEN) {
        poll->witness.len = 0;
        return;
    }

    ngx_memcpy(poll->told, identifier->data, identifier->len);

    poll->judge = 1;
    ngx_gateway_select_checker_soon(question->watch->checker);
}
