
/*
 * From what workers have added to the record of a node.
 */


#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_rank.h"


static ngx_uint_t ngx_gateway_select_fold_take(
    ngx_gateway_select_fresh_t *fresh, gateway_sample_t *sample);
static ngx_inline ngx_atomic_uint_t ngx_gateway_select_fold_sum(
    ngx_atomic_t *sum);


ngx_uint_t
ngx_gateway_select_fold(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_node_t *node, ngx_gateway_select_chain_t *conf,
    gateway_peers_t *peers, ngx_uint_t full, uint64_t now)
{
    uint64_t          paced, picked;
    ngx_uint_t        news;
    gateway_sample_t  sample;

    picked = ngx_gateway_select_fold_sum(&node->fresh.picked);
    node->picked += picked;

    news = ngx_gateway_select_fold_take(&node->fresh, &sample)
           || sample.height > node->record.height;

    if (news || picked) {
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

    gateway_record_fold(&node->record, &conf->record, &sample, now);

    if (paced > now) {
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

    /* a latency is added before its try: it does not stay behind */

    if (n == 0) {
        return 0;
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        sample->latency[i] = (uint32_t)
                              ngx_gateway_select_fold_sum(&fresh->latency[i]);
    }

    sample->latency_sum = ngx_gateway_select_fold_sum(&fresh->latency_sum);

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
