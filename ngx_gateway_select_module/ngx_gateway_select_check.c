
/*
 * The built-in checks, and what they have in common: a request by kind, an
 * answer by kind.
 */


#include "ngx_gateway_select_check_builtin.h"


#define NGX_GATEWAY_SELECT_DATA_PENALTY   60000
#define NGX_GATEWAY_SELECT_CHAIN_PENALTY  60000


static ngx_str_t *ngx_gateway_select_builtin_name(
    ngx_gateway_select_check_t *check);


static ngx_str_t  ngx_gateway_select_builtin_names[GATEWAY_PROBE_KINDS] = {
    ngx_string("custom"),
    ngx_string("evm_height_check"),
    ngx_string("evm_data_integrity_check"),
    ngx_string("evm_chain_id_check"),
    ngx_string("solana_height_check"),
    ngx_string("solana_data_integrity_check"),
    ngx_string("pokt_height_check"),
    ngx_string("pokt_data_integrity_check"),
    ngx_string("cosmos_height_check"),
    ngx_string("cosmos_data_integrity_check")
};


#define ngx_gateway_select_height_check(kind)                                 \
    { ngx_gateway_select_builtin_name, ngx_gateway_select_probe_idle,         \
      ngx_gateway_select_height_perform, kind, GATEWAY_PENALTY_HEIGHT, 0, 0,  \
      0, 0, NGX_GATEWAY_SELECT_AUTO, NULL }

#define ngx_gateway_select_data_check(kind, from, to)                         \
    { ngx_gateway_select_builtin_name, ngx_gateway_select_always,             \
      ngx_gateway_select_data_perform, kind, GATEWAY_PENALTY_DATA, 0,         \
      NGX_GATEWAY_SELECT_DATA_PENALTY, from, to, NGX_GATEWAY_SELECT_AUTO,     \
      NULL }


/* a chain's height comes first: the others need it */

static ngx_gateway_select_check_t  ngx_gateway_select_evm_height =
    ngx_gateway_select_height_check(GATEWAY_PROBE_EVM_HEIGHT);

static ngx_gateway_select_check_t  ngx_gateway_select_evm_data =
    ngx_gateway_select_data_check(GATEWAY_PROBE_EVM_BLOCK, 16, 96);

static ngx_gateway_select_check_t  ngx_gateway_select_evm_chain = {
    ngx_gateway_select_builtin_name, ngx_gateway_select_sparse,
    ngx_gateway_select_chain_perform, GATEWAY_PROBE_EVM_CHAIN,
    GATEWAY_PENALTY_CHECK, 0, NGX_GATEWAY_SELECT_CHAIN_PENALTY, 0, 0,
    NGX_GATEWAY_SELECT_AUTO, NULL
};

static ngx_gateway_select_check_t  ngx_gateway_select_solana_height =
    ngx_gateway_select_height_check(GATEWAY_PROBE_SOLANA_HEIGHT);

static ngx_gateway_select_check_t  ngx_gateway_select_solana_data =
    ngx_gateway_select_data_check(GATEWAY_PROBE_SOLANA_BLOCK, 64, 256);

static ngx_gateway_select_check_t  ngx_gateway_select_pokt_height =
    ngx_gateway_select_height_check(GATEWAY_PROBE_POKT_HEIGHT);

static ngx_gateway_select_check_t  ngx_gateway_select_pokt_data =
    ngx_gateway_select_data_check(GATEWAY_PROBE_POKT_BLOCK, 2, 32);

static ngx_gateway_select_check_t  ngx_gateway_select_cosmos_height =
    ngx_gateway_select_height_check(GATEWAY_PROBE_COSMOS_HEIGHT);

static ngx_gateway_select_check_t  ngx_gateway_select_cosmos_data =
    ngx_gateway_select_data_check(GATEWAY_PROBE_COSMOS_BLOCK, 4, 64);


static ngx_gateway_select_check_t  *ngx_gateway_select_evm_checks[] = {
    &ngx_gateway_select_evm_height,
    &ngx_gateway_select_evm_data,
    &ngx_gateway_select_evm_chain
};

static ngx_gateway_select_check_t  *ngx_gateway_select_solana_checks[] = {
    &ngx_gateway_select_solana_height,
    &ngx_gateway_select_solana_data
};

static ngx_gateway_select_check_t  *ngx_gateway_select_pokt_checks[] = {
    &ngx_gateway_select_pokt_height,
    &ngx_gateway_select_pokt_data
};

static ngx_gateway_select_check_t  *ngx_gateway_select_cosmos_checks[] = {
    &ngx_gateway_select_cosmos_height,
    &ngx_gateway_select_cosmos_data
};


/* for chains whose "check" names them */

static ngx_gateway_select_check_t  *ngx_gateway_select_named_checks[] = {
    &ngx_gateway_select_syncing
};


typedef struct {
    ngx_gateway_select_check_t  **checks;
    ngx_uint_t                    n;
} ngx_gateway_select_builtin_t;


#define ngx_gateway_select_builtin_row(checks)                                \
    { checks, sizeof(checks) / sizeof(checks[0]) }


static ngx_gateway_select_builtin_t  ngx_gateway_select_builtins[] = {
    ngx_gateway_select_builtin_row(ngx_gateway_select_evm_checks),
    ngx_gateway_select_builtin_row(ngx_gateway_select_solana_checks),
    ngx_gateway_select_builtin_row(ngx_gateway_select_pokt_checks),
    ngx_gateway_select_builtin_row(ngx_gateway_select_cosmos_checks),
    { NULL, 0 },                           /* generic: by configuration */
    { NULL, 0 }                            /* none */
};


ngx_gateway_select_check_t **
ngx_gateway_select_check_builtin(ngx_gateway_select_family_e family,
    ngx_uint_t *n)
{
    ngx_gateway_select_builtin_t  *row;

    row = &ngx_gateway_select_builtins[family];
    *n = row->n;

    return row->checks;
}


ngx_gateway_select_check_t *
ngx_gateway_select_check_named(ngx_str_t *name)
{
    ngx_str_t                    *known;
    ngx_uint_t                    i, n;
    ngx_gateway_select_check_t  **checks;

    checks = ngx_gateway_select_named_checks;
    n = sizeof(ngx_gateway_select_named_checks) / sizeof(checks[0]);

    for (i = 0; i < n; i++) {
        known = checks[i]->name(checks[i]);

        if (known->len == name->len
            && ngx_strncmp(known->data, name->data, name->len) == 0)
        {
            return checks[i];
        }
    }

    return NULL;
}


static ngx_str_t *
ngx_gateway_select_builtin_name(ngx_gateway_select_check_t *check)
{
    return &ngx_gateway_select_builtin_names[check->kind];
}


ngx_uint_t
ngx_gateway_select_always(ngx_gateway_select_probe_t *probe)
{
    return 1;
}


/* once for each question; a node that is out for it is asked each time */

ngx_uint_t
ngx_gateway_select_sparse(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    return watched->votes[probe->poll->index] == 0
           || ngx_gateway_select_probe_awaited(probe);
}


void
ngx_gateway_select_builtin_ask(ngx_gateway_select_probe_t *probe,
    uint64_t block, ngx_gateway_select_reply_pt handler)
{
    pocket_alloc_t            a;
    gateway_probe_request_t  *request;

    mesh_pool_allocator(probe->pool, &a);

    request = ngx_palloc(probe->pool, sizeof(gateway_probe_request_t));

    if (request == NULL
        || gateway_probe_request(probe->check->kind, block,
                                 ngx_gateway_select_random(), request, &a)
           != POCKET_OK
        || ngx_gateway_select_probe_send(probe, request, handler) != NGX_OK)
    {
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_CENSORED, 0);
        return;
    }

    probe->ctx = request;
}


gateway_answer_e
ngx_gateway_select_builtin_read(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_reply_t *reply, gateway_probe_answer_t *answer)
{
    pocket_str_t       body;
    pocket_alloc_t     a;
    gateway_answer_e   rc;

    if (reply->status == 0) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "check \"%V\": no answer: %s",
                      probe->check->name(probe->check), reply->reason);

        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_LOST, 0);
        return GATEWAY_ANSWER_FAULT;
    }

    mesh_pool_allocator(probe->pool, &a);

    body.len = reply->body.len;
    body.data = reply->body.data;

    rc = gateway_probe_answer(probe->check->kind, probe->ctx, reply->status,
                              &body, answer, &a);

    switch (rc) {

    case GATEWAY_ANSWER_OK:
    case GATEWAY_ANSWER_SKIPPED:
        break;

    case GATEWAY_ANSWER_ABSENT:
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_OK, 0);
        break;

    case GATEWAY_ANSWER_QUOTA:
        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_QUOTA,
                                     reply->retry_after);
        break;

    default:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "check \"%V\": the answer %s, status %ui",
                      probe->check->name(probe->check), answer->reason,
                      reply->status);

        ngx_gateway_select_probe_end(probe, GATEWAY_TRY_FAILED, 0);
        break;
    }

    return rc;
}
