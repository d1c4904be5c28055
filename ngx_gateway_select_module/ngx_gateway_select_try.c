
/*
 * Tries: how they begin and end, what is told of their nodes meanwhile, and
 * the rows of counters of what is in flight.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_pick.h"


#define NGX_GATEWAY_SELECT_NO_ROW     ((uint32_t) -1)

/* Retry-After is believed up to this, s */

#define NGX_GATEWAY_SELECT_RETRY_MAX  600


static ngx_inline ngx_uint_t ngx_gateway_select_same(
    ngx_gateway_select_pick_t *pick);
static ngx_inline void ngx_gateway_select_raise(ngx_atomic_t *value,
    ngx_atomic_uint_t n);
static void ngx_gateway_select_row_clear(ngx_gateway_select_sh_t *sh,
    ngx_uint_t row);
static void ngx_gateway_select_row_list(ngx_gateway_select_sh_t *sh);


/* by gateway_try_e */

static const ngx_gateway_select_wrong_e
    ngx_gateway_select_wrongs[GATEWAY_TRIES] =
{
    NGX_GATEWAY_SELECT_WRONG_NONE,
    NGX_GATEWAY_SELECT_WRONG_ANSWER,
    NGX_GATEWAY_SELECT_WRONG_LOST,
    NGX_GATEWAY_SELECT_WRONG_OVERDUE,
    NGX_GATEWAY_SELECT_WRONG_NONE,
    NGX_GATEWAY_SELECT_WRONG_NONE,
    NGX_GATEWAY_SELECT_WRONG_NONE
};


/* the row of this worker */

static uint32_t  ngx_gateway_select_row = NGX_GATEWAY_SELECT_NO_ROW;


void
ngx_gateway_select_begin(ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_session_t  *session;

    pick->begun = ngx_current_msec;

    if (ngx_gateway_select_row != NGX_GATEWAY_SELECT_NO_ROW) {
        ngx_gateway_select_counter(pick->chain, pick->node,
                                   ngx_gateway_select_row)++;
        pick->counted = 1;
    }

    if (ngx_gateway_select_same(pick)) {
        node = ngx_gateway_select_node(pick->chain, pick->node);
        (void) ngx_atomic_fetch_add(&node->fresh.picked, 1);
    }

    if (pick->session == NGX_GATEWAY_SELECT_NO_SESSION) {
        return;
    }

    session = &pick->chain->sessions[pick->session];

    if (session->generation == pick->session_generation) {
        (void) ngx_atomic_fetch_add(&session->used[pick->place], 1);
    }
}


void
ngx_gateway_select_end(ngx_gateway_select_pick_t *pick, gateway_try_e how,
    ngx_msec_t latency)
{
    ngx_gateway_select_node_t   *node;
    ngx_gateway_select_fresh_t  *fresh;

    /* a row that was given back is not ours to write */

    if (pick->counted
        && ngx_gateway_select_row != NGX_GATEWAY_SELECT_NO_ROW)
    {
        ngx_gateway_select_counter(pick->chain, pick->node,
                                   ngx_gateway_select_row)--;
        pick->counted = 0;
    }

    if (!ngx_gateway_select_same(pick)) {
        return;
    }

    if (pick->overdue) {
        how = GATEWAY_TRY_LATE;
    }

    node = ngx_gateway_select_node(pick->chain, pick->node);
    fresh = &node->fresh;

    if (gateway_latency_counts(how, latency, node->factors.latency)) {
        (void) ngx_atomic_fetch_add(
                           &fresh->latency[gateway_latency_bucket(latency)], 1);
        (void) ngx_atomic_fetch_add(&fresh->latency_sum,
                       gateway_latency_told(latency, node->factors.latency));
    }

    if (pick->wrong == 0) {
        pick->wrong = ngx_gateway_select_wrong(
                                         ngx_gateway_select_wrongs[how], 0);
    }

    /* before its try is counted: who counts it may tell of it */

    if (ngx_gateway_select_wrongs[how] != NGX_GATEWAY_SELECT_WRONG_NONE) {
        fresh->wrong = pick->wrong;
    }

    (void) ngx_atomic_fetch_add(&fresh->tries[how], 1);
}


void
ngx_gateway_select_overdue(ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_node_t  *node;

    if (pick->overdue || !ngx_gateway_select_same(pick)) {
        return;
    }

    pick->overdue = 1;

    node = ngx_gateway_select_node(pick->chain, pick->node);

    node->fresh.wrong = ngx_gateway_select_wrong(
                                      NGX_GATEWAY_SELECT_WRONG_OVERDUE, 0);

    (void) ngx_atomic_fetch_add(&node->fresh.tries[GATEWAY_TRY_OVERDUE], 1);
}


void
ngx_gateway_select_pace(ngx_gateway_select_pick_t *pick, ngx_msec_t delay)
{
    ngx_gateway_select_node_t  *node;

    if (!ngx_gateway_select_same(pick)) {
        return;
    }

    node = ngx_gateway_select_node(pick->chain, pick->node);

    ngx_gateway_select_raise(&node->fresh.paced,
                             ngx_gateway_select_now() + delay);
}


ngx_msec_t
ngx_gateway_select_retry_after(ngx_str_t *value)
{
    time_t  delay, until;

    if (value == NULL) {
        return 0;
    }

    delay = ngx_atotm(value->data, value->len);

    if (delay == NGX_ERROR) {
        until = ngx_parse_http_time(value->data, value->len);

        if (until == NGX_ERROR || until <= ngx_time()) {
            return 0;
        }

        delay = until - ngx_time();
    }

    return (ngx_msec_t) ngx_min(delay, NGX_GATEWAY_SELECT_RETRY_MAX) * 1000;
}


void
ngx_gateway_select_height(ngx_gateway_select_pick_t *pick, uint64_t height)
{
    ngx_gateway_select_node_t  *node;

    if (!ngx_gateway_select_same(pick)) {
        return;
    }

    node = ngx_gateway_select_node(pick->chain, pick->node);

    ngx_gateway_select_raise(&node->fresh.height, height);

    if (node->fresh.height == height) {
        node->fresh.height_at = ngx_gateway_select_now();
    }
}


uint64_t
ngx_gateway_select_told(ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_node(pick->chain, pick->node);

    return ngx_max(node->record.height, (uint64_t) node->fresh.height);
}


void
ngx_gateway_select_lacks(ngx_gateway_select_pick_t *pick,
    gateway_ability_e ability)
{
    ngx_gateway_select_fresh_t  *fresh;

    if (ngx_gateway_select_same(pick)) {
        fresh = &ngx_gateway_select_node(pick->chain, pick->node)->fresh;

        /* the later one counts, also where the clock stepped back */

        ngx_gateway_select_raise(&fresh->lacked[ability],
                                 ngx_max(ngx_gateway_select_now(),
                                         fresh->able[ability] + 1));
    }
}


void
ngx_gateway_select_able(ngx_gateway_select_pick_t *pick,
    gateway_ability_e ability)
{
    ngx_gateway_select_fresh_t  *fresh;

    if (ngx_gateway_select_same(pick)) {
        fresh = &ngx_gateway_select_node(pick->chain, pick->node)->fresh;

        if (ngx_gateway_select_lacking(fresh, ability)) {
            ngx_gateway_select_raise(&fresh->able[ability],
                                     ngx_max(ngx_gateway_select_now(),
                                             fresh->lacked[ability]));
        }
    }
}


ngx_atomic_uint_t
ngx_gateway_select_unanswered(mesh_http_result_t *result)
{
    if (result->verify != X509_V_OK) {
        return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_CERTIFICATE,
                                        result->verify);
    }

    return ngx_gateway_select_wrong(NGX_GATEWAY_SELECT_WRONG_EXCHANGE,
                                    result->outcome);
}


uint64_t
ngx_gateway_select_lacking(ngx_gateway_select_fresh_t *fresh,
    gateway_ability_e ability)
{
    return gateway_record_lacking(fresh->lacked[ability],
                                  fresh->able[ability],
                                  ngx_gateway_select_now());
}


void
ngx_gateway_select_learn(ngx_gateway_select_node_t *node)
{
    ngx_uint_t                   i;
    gateway_record_t            *record;
    ngx_gateway_select_fresh_t  *fresh;

    fresh = &node->fresh;
    record = &node->record;

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        ngx_gateway_select_raise(&fresh->lacked[i], record->lacked_at[i]);
        ngx_gateway_select_raise(&fresh->able[i], record->able_at[i]);

        record->lacked_at[i] = fresh->lacked[i];
        record->able_at[i] = fresh->able[i];
    }
}


/* Is the slot still that node's? */

static ngx_inline ngx_uint_t
ngx_gateway_select_same(ngx_gateway_select_pick_t *pick)
{
    return ngx_gateway_select_generation(pick->chain, pick->node)
           == pick->generation;
}


static ngx_inline void
ngx_gateway_select_raise(ngx_atomic_t *value, ngx_atomic_uint_t n)
{
    ngx_atomic_uint_t  old;

    do {
        old = *value;

    } while (old < n && !ngx_atomic_cmp_set(value, old, n));
}


void
ngx_gateway_select_rows_take(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                  i, row;
    ngx_gateway_select_sh_t    *sh;
    ngx_gateway_select_row_t   *rows;
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(gmcf);
    sh = zone->sh;
    rows = sh->rows;
    row = sh->nrows;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0; i < sh->nrows; i++) {

        if (rows[i].pid == 0) {
            row = ngx_min(row, i);

        } else if (rows[i].worker == ngx_worker
                   && rows[i].generation == zone->generation)
        {
            row = i;
            break;
        }
    }

    if (row < sh->nrows) {
        rows[row].pid = ngx_pid;
        rows[row].worker = ngx_worker;
        rows[row].generation = zone->generation;

        ngx_gateway_select_row_clear(sh, row);
        ngx_gateway_select_row_list(sh);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_gateway_select_row = (row < sh->nrows) ? (uint32_t) row
                                               : NGX_GATEWAY_SELECT_NO_ROW;
}


void
ngx_gateway_select_rows_give(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_zone_t  *zone;

    if (ngx_gateway_select_row == NGX_GATEWAY_SELECT_NO_ROW) {
        return;
    }

    zone = ngx_gateway_select_zone(gmcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    zone->sh->rows[ngx_gateway_select_row].pid = 0;
    ngx_gateway_select_row_list(zone->sh);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_gateway_select_row = NGX_GATEWAY_SELECT_NO_ROW;
}


/* A worker of an older configuration that was killed has no successor. */

void
ngx_gateway_select_rows_sweep(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                  i;
    ngx_gateway_select_row_t   *rows;
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(gmcf);
    rows = zone->sh->rows;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0; i < zone->sh->nrows; i++) {

        if (rows[i].pid
            && rows[i].pid != ngx_pid
            && kill(rows[i].pid, 0) == -1 && ngx_errno == NGX_ESRCH)
        {
            rows[i].pid = 0;
            ngx_gateway_select_row_list(zone->sh);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/* The lock is held. */

static void
ngx_gateway_select_row_clear(ngx_gateway_select_sh_t *sh, ngx_uint_t row)
{
    ngx_uint_t                      i, n;
    ngx_gateway_select_chain_sh_t  *chain;

    for (i = 0; i < sh->nchains; i++) {

        chain = sh->chains[i];

        for (n = 0; n < chain->nnodes; n++) {
            ngx_gateway_select_counter(chain, n, row) = 0;
        }
    }
}


/* Rows that are added up.  The lock is held. */

static void
ngx_gateway_select_row_list(ngx_gateway_select_sh_t *sh)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < sh->nrows; i++) {
        if (sh->rows[i].pid) {
            sh->used[n++] = (uint16_t) i;
        }
    }

    sh->nused = n;
}
