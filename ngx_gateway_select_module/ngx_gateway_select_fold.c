
/*
 * From what workers have added to the record of a node.
 */


#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_rank.h"


/* how long a wrong signature is held against a servicer, ms */

#define NGX_GATEWAY_SELECT_FORGED_TIME  (uint64_t) 60000
#define NGX_GATEWAY_SELECT_FORGED_MAX   600000


static ngx_uint_t ngx_gateway_select_fold_take(
    ngx_gateway_select_fresh_t *fresh, gateway_sample_t *sample);
static void ngx_gateway_select_fold_error(ngx_gateway_select_node_t *node,
    uint64_t now);
static ngx_uint_t ngx_gateway_select_fold_forged(
    ngx_gateway_select_node_t *node, uint64_t now);
static ngx_inline ngx_atomic_uint_t ngx_gateway_select_fold_sum(
    ngx_atomic_t *sum);


/* by ngx_gateway_select_wrong_e */

static const char
    *ngx_gateway_select_fold_wrongs[NGX_GATEWAY_SELECT_WRONGS] =
{
    "nothing told",
    "status %d",
    "JSON-RPC error %d",
    "no JSON",
    "the answer of another call",
    "an answer that is too long",
    "%s",
    "certificate: %s",
    "a relay refused with code %d",
    "no answer of a relay, status %d",
    "a wrong signature",
    "a wrong answer",
    "no answer",
    "an answer is overdue"
};


ngx_uint_t
ngx_gateway_select_fold(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_node_t *node, ngx_gateway_select_chain_t *conf,
    gateway_peers_t *peers, ngx_uint_t full, uint64_t now)
{
    uint64_t                       paced, picked, until;
    ngx_uint_t                     i, news;
    gateway_sample_t               sample;
    ngx_gateway_select_metrics_t  *metrics;

    metrics = ngx_gateway_select_metrics(chain);

    ngx_gateway_select_learn(node);

    picked = ngx_gateway_select_fold_sum(&node->fresh.picked);
    node->picked += picked;

    news = ngx_gateway_select_fold_take(&node->fresh, &sample)
           || sample.height > node->record.height;

    if (news || picked) {
        for (i = 0; i < GATEWAY_TRIES; i++) {
            metrics->tries[i] += sample.tries[i];
        }

        ngx_gateway_select_history_add(chain, node->slot, &sample, picked,
                                       now);
    }

    paced = node->fresh.paced;

    if (paced && ngx_atomic_cmp_set(&node->fresh.paced, paced, 0)) {
        news = 1;
    }

    if (!news && !full) {
        return 0;
    }

    until = node->record.penalties[GATEWAY_PENALTY_RESPONSE].until;

    gateway_record_fold(&node->record, &conf->record, &sample, now);

    if (node->record.penalties[GATEWAY_PENALTY_RESPONSE].until > until) {
        ngx_gateway_select_fold_error(node, now);
        metrics->penalties[GATEWAY_PENALTY_RESPONSE]++;
    }

    if (sample.outvoted) {
        metrics->penalties[GATEWAY_PENALTY_SIGNATURE]
            += ngx_gateway_select_fold_forged(node, now);
    }

    if (paced > now) {

        if (node->record.penalties[GATEWAY_PENALTY_QUOTA].until <= now) {
            metrics->penalties[GATEWAY_PENALTY_QUOTA]++;
        }

        gateway_record_punish(&node->record, GATEWAY_PENALTY_QUOTA, paced, 0,
                              NULL, now);
    }

    gateway_record_factors(&node->record, &conf->record, peers, now,
                           &node->factors);

    node->weight = gateway_rank_weight(&conf->rank, &node->factors);

    return news;
}


/* Gives 1 if a try has ended, or was found overdue. */

static ngx_uint_t
ngx_gateway_select_fold_take(ngx_gateway_select_fresh_t *fresh,
    gateway_sample_t *sample)
{
    ngx_uint_t  i, n;

    ngx_memzero(sample, sizeof(gateway_sample_t));

    n = 0;

    for (i = 0; i < GATEWAY_TRIES; i++) {
        sample->tries[i] = (uint32_t)
                                ngx_gateway_select_fold_sum(&fresh->tries[i]);
        n += sample->tries[i];
    }

    sample->height = fresh->height;
    sample->height_at = fresh->height_at;

    /* what was wrongly signed together is wrong once */

    sample->outvoted = (ngx_gateway_select_fold_sum(&fresh->forged) != 0);

    /* a latency is added before its try: it does not stay behind */

    if (n == 0) {
        return sample->outvoted != 0;
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        sample->latency[i] = (uint32_t)
                              ngx_gateway_select_fold_sum(&fresh->latency[i]);
    }

    sample->latency_sum = ngx_gateway_select_fold_sum(&fresh->latency_sum);

    return 1;
}


/* What has just begun to keep it out is told by the last that was wrong. */

static void
ngx_gateway_select_fold_error(ngx_gateway_select_node_t *node, uint64_t now)
{
    u_char                      *p, *last, buf[GATEWAY_ERROR_LEN];
    int32_t                      n;
    pocket_str_t                 text;
    ngx_atomic_uint_t            wrong;
    ngx_gateway_select_wrong_e   what;

    wrong = node->fresh.wrong;
    what = ngx_gateway_select_wrong_what(wrong);
    n = ngx_gateway_select_wrong_n(wrong);

    if (what >= NGX_GATEWAY_SELECT_WRONGS) {
        what = NGX_GATEWAY_SELECT_WRONG_NONE;
    }

    last = buf + GATEWAY_ERROR_LEN;
    p = ngx_slprintf(buf, last, "failing, last by: ");

    switch (what) {

    case NGX_GATEWAY_SELECT_WRONG_EXCHANGE:
        p = ngx_slprintf(p, last, ngx_gateway_select_fold_wrongs[what],
                         mesh_http_outcome_name((mesh_http_outcome_e) n));
        break;

    case NGX_GATEWAY_SELECT_WRONG_CERTIFICATE:
        p = ngx_slprintf(p, last, ngx_gateway_select_fold_wrongs[what],
                         X509_verify_cert_error_string(n));
        break;

    default:
        p = ngx_slprintf(p, last, ngx_gateway_select_fold_wrongs[what], n);
        break;
    }

    text.data = buf;
    text.len = p - buf;

    /* a penalty of no length: what is in force stays as it is */

    gateway_record_punish(&node->record, GATEWAY_PENALTY_RESPONSE, now, 0,
                          &text, now);
}


/*
 * A servicer that signs other answers than it gives is out at once, each time
 * for twice as long: no check tells that it has mended its ways.  1: it was
 * not out already.
 */

static ngx_uint_t
ngx_gateway_select_fold_forged(ngx_gateway_select_node_t *node, uint64_t now)
{
    uint64_t            time;
    gateway_penalty_t  *penalty;

    static const pocket_str_t  text = pocket_string("a wrong signature");

    penalty = &node->record.penalties[GATEWAY_PENALTY_SIGNATURE];

    /* what was sent before it was out tells nothing new */

    if (penalty->until > now) {
        return 0;
    }

    time = NGX_GATEWAY_SELECT_FORGED_TIME << ngx_min(node->record.returns, 5);
    time = ngx_min(time, NGX_GATEWAY_SELECT_FORGED_MAX);

    gateway_record_punish(&node->record, GATEWAY_PENALTY_SIGNATURE,
                          now + time, 0, &text, now);

    return 1;
}


/* Takes the sum, and nothing that is added meanwhile is lost. */

static ngx_inline ngx_atomic_uint_t
ngx_gateway_select_fold_sum(ngx_atomic_t *sum)
{
    ngx_atomic_uint_t  n;

    n = *sum;

    if (n) {
        (void) ngx_atomic_fetch_add(sum, - (ngx_atomic_int_t) n);
    }

    return n;
}
