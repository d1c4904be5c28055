
/*
 * What follows of a verdict: penalties, returns, the correctness of a record,
 * evidence.  Only the leader writes, with the zone's lock held.
 */


#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_metrics.h"


static uint64_t ngx_gateway_select_punish_at(
    ngx_gateway_select_probe_t *probe, gateway_penalty_e reason);


void
ngx_gateway_select_punish(ngx_gateway_select_probe_t *probe,
    gateway_penalty_e reason, ngx_msec_t ms, const u_char *text, size_t len)
{
    uint64_t                    now;
    ngx_str_t                   name;
    ngx_uint_t                  out;
    pocket_str_t                error;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    /* what was asked before the record was cleared proves nothing any more */

    if (ngx_gateway_select_punish_at(probe, reason)
        <= node->record.cleared_at)
    {
        ngx_gateway_select_verdict_unlock(probe);
        return;
    }

    now = ngx_gateway_select_now();
    out = (node->record.penalties[reason].until != 0);

    error.data = (u_char *) text;
    error.len = len;

    gateway_record_punish(&node->record, reason, now + ms,
                          probe->poll->number, &error, now);

    if (!out) {
        ngx_gateway_select_metrics(probe->shared)->penalties[reason]++;
    }

    ngx_gateway_select_verdict_unlock(probe);

    if (out) {
        return;
    }

    ngx_gateway_select_rank_soon(probe->watch->checker->gmcf, probe->shared);

    name.len = probe->shared->name_len;
    name.data = probe->shared->name;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "node \"%V\" of chain \"%V\" is out, reason \"%s\": %*s",
                  &node->sn.str, &name, gateway_penalty_names[reason],
                  len, text);
}


/* When the evidence is of, wall ms: heights are told by live traffic, too. */

static uint64_t
ngx_gateway_select_punish_at(ngx_gateway_select_probe_t *probe,
    gateway_penalty_e reason)
{
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    return (reason == GATEWAY_PENALTY_HEIGHT)
           ? ngx_max(watched->at, probe->asked_at) : probe->asked_at;
}


void
ngx_gateway_select_passed(ngx_gateway_select_probe_t *probe)
{
    uint32_t                    ended;
    ngx_str_t                   name;
    ngx_gateway_select_node_t  *node;

    /* a look without the lock: mostly there is nothing to end */

    if (!ngx_gateway_select_probe_awaited(probe)) {
        return;
    }

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    ended = gateway_record_pass(&node->record, &probe->chain->record,
                                probe->poll->number, probe->latency,
                                ngx_gateway_select_now());

    ngx_gateway_select_verdict_unlock(probe);

    if (ended == 0) {
        return;
    }

    ngx_gateway_select_rank_soon(probe->watch->checker->gmcf, probe->shared);

    name.len = probe->shared->name_len;
    name.data = probe->shared->name;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "node \"%V\" of chain \"%V\" passed \"%V\" and returns",
                  &node->sn.str, &name, probe->check->name(probe->check));
}


void
ngx_gateway_select_waive(ngx_gateway_select_probe_t *probe)
{
    uint32_t                    i;
    uint64_t                    checks;
    gateway_penalty_t          *penalty;
    ngx_gateway_select_node_t  *node;

    checks = 0;
    penalty = ngx_gateway_select_node(probe->shared, probe->node)
                  ->record.penalties;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        if (penalty[i].until) {
            checks |= penalty[i].checks;
        }
    }

    checks &= ~probe->watch->numbers;

    if (checks == 0) {
        return;
    }

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    for (i = 1; i <= GATEWAY_CHECKS_MAX; i++) {
        if (checks & (uint64_t) 1 << i) {
            (void) gateway_record_pass(&node->record, &probe->chain->record,
                                       i, probe->latency,
                                       ngx_gateway_select_now());
        }
    }

    ngx_gateway_select_verdict_unlock(probe);
}


void
ngx_gateway_select_voted(ngx_gateway_select_probe_t *probe,
    ngx_uint_t agreed)
{
    gateway_sample_t            sample;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    ngx_memzero(&sample, sizeof(gateway_sample_t));

    sample.agreed = agreed ? 1 : 0;
    sample.outvoted = agreed ? 0 : 1;

    gateway_record_fold(&node->record, &probe->chain->record, &sample,
                        ngx_gateway_select_now());

    ngx_gateway_select_verdict_unlock(probe);
}


void
ngx_gateway_select_evidence(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed)
{
    ngx_gateway_select_pick_t        pick;
    ngx_gateway_select_told_t        own;
    ngx_gateway_select_node_t       *node;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = probe->watch->checker->gmcf;
    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    pick.chain = probe->shared;
    pick.node = probe->node;
    pick.generation = ngx_gateway_select_generation(probe->shared,
                                                    probe->node);
    own = *told;

    /* another's signature is none of this node's */

    if (told->node != probe->node) {
        ngx_str_null(&own.signature);
        ngx_str_null(&own.proof);
        ngx_str_null(&own.hash);
    }

    ngx_gateway_select_evidence_keep(gmcf, &pick, probe->block,
                                     probe->check->name(probe->check), &own,
                                     agreed);

    ngx_gateway_select_verdict_unlock(probe);

    ngx_gateway_select_zone_warn(ngx_gateway_select_zone(gmcf));
}


ngx_gateway_select_node_t *
ngx_gateway_select_verdict_lock(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    if (ngx_gateway_select_leader_lock(probe->watch->checker->gmcf) != NGX_OK)
    {
        return NULL;
    }

    if (watched->generation
        != ngx_gateway_select_generation(probe->shared, probe->node))
    {
        ngx_gateway_select_verdict_unlock(probe);
        return NULL;
    }

    return ngx_gateway_select_node(probe->shared, probe->node);
}


void
ngx_gateway_select_verdict_unlock(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_leader_unlock(probe->watch->checker->gmcf);
}
