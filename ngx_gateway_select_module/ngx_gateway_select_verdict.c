
/*
 * What follows of a verdict: penalties, returns, the correctness of a record,
 * evidence.  Only the leader writes, with the zone's lock held; evidence of
 * wrong signatures any worker does, too.
 */


#include "ngx_gateway_select_checker.h"


static ngx_gateway_select_node_t *ngx_gateway_select_verdict_lock(
    ngx_gateway_select_probe_t *probe);
static void ngx_gateway_select_verdict_unlock(
    ngx_gateway_select_probe_t *probe);
static ngx_gateway_select_evidence_t *ngx_gateway_select_evidence_next(
    ngx_gateway_select_main_conf_t *gmcf);
static size_t ngx_gateway_select_evidence_copy(u_char *dst, size_t max,
    ngx_str_t *src);


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

    now = ngx_gateway_select_now();
    out = (node->record.penalties[reason].until != 0);

    error.data = (u_char *) text;
    error.len = len;

    gateway_record_punish(&node->record, reason, now + ms,
                          probe->poll->number, &error, now);

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

    ended = gateway_record_pass(&node->record, probe->poll->number,
                                probe->latency, ngx_gateway_select_now());

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
            (void) gateway_record_pass(&node->record, i, probe->latency,
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
    ngx_str_t                      *check;
    ngx_gateway_select_node_t      *node;
    ngx_gateway_select_evidence_t  *evidence;

    node = ngx_gateway_select_verdict_lock(probe);

    if (node == NULL) {
        return;
    }

    evidence = ngx_gateway_select_evidence_next(probe->watch->checker->gmcf);

    if (evidence) {
        check = probe->check->name(probe->check);

        evidence->at = ngx_gateway_select_now();
        evidence->block = probe->block;
        evidence->chain = probe->shared->index;
        evidence->node = probe->node;
        evidence->generation =
                     ngx_gateway_select_generation(probe->shared, probe->node);

        evidence->check_len = ngx_gateway_select_evidence_copy(
                            evidence->check, sizeof(evidence->check), check);
        evidence->told_len = ngx_gateway_select_evidence_copy(
                  evidence->told, sizeof(evidence->told), &told->identifier);
        evidence->agreed_len = ngx_gateway_select_evidence_copy(
                         evidence->agreed, sizeof(evidence->agreed), agreed);

        /* text and signature are those of the first who told it */

        evidence->signature_len = 0;
        evidence->proof_len = 0;

        if (told->node == probe->node) {
            evidence->signature_len = ngx_gateway_select_evidence_copy(
                         evidence->signature, sizeof(evidence->signature),
                         &told->signature);
            evidence->proof_len = ngx_gateway_select_evidence_copy(
                     evidence->proof, sizeof(evidence->proof), &told->proof);
        }

        evidence->text_len = ngx_gateway_select_evidence_copy(
                        evidence->text, sizeof(evidence->text), &told->text);
    }

    ngx_gateway_select_verdict_unlock(probe);

    ngx_gateway_select_zone_warn(
                       ngx_gateway_select_zone(probe->watch->checker->gmcf));
}


void
ngx_gateway_select_evidence_signed(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t height, ngx_str_t *proof,
    ngx_str_t *signature, ngx_str_t *text)
{
    ngx_gateway_select_zone_t      *zone;
    ngx_gateway_select_evidence_t  *evidence;

    static ngx_str_t  check = ngx_string("signature");

    zone = ngx_gateway_select_zone(gmcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    evidence = ngx_gateway_select_evidence_next(gmcf);

    if (evidence) {
        evidence->at = ngx_gateway_select_now();
        evidence->block = height;
        evidence->chain = pick->chain->index;
        evidence->node = pick->node;
        evidence->generation = pick->generation;

        evidence->check_len = ngx_gateway_select_evidence_copy(
                           evidence->check, sizeof(evidence->check), &check);
        evidence->told_len = 0;
        evidence->agreed_len = 0;
        evidence->proof_len = ngx_gateway_select_evidence_copy(
                            evidence->proof, sizeof(evidence->proof), proof);
        evidence->signature_len = ngx_gateway_select_evidence_copy(
                evidence->signature, sizeof(evidence->signature), signature);
        evidence->text_len = ngx_gateway_select_evidence_copy(
                               evidence->text, sizeof(evidence->text), text);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_gateway_select_zone_warn(zone);
}


/* the oldest place of the ring; NULL: no memory, it is made with the first */

static ngx_gateway_select_evidence_t *
ngx_gateway_select_evidence_next(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_zone_t       *zone;
    ngx_gateway_select_evidences_t  *evidences;

    zone = ngx_gateway_select_zone(gmcf);
    evidences = zone->sh->evidence;

    if (evidences == NULL) {
        evidences = ngx_gateway_select_zone_alloc(zone,
                                     sizeof(ngx_gateway_select_evidences_t));
        if (evidences == NULL) {
            return NULL;
        }

        ngx_memzero(evidences, sizeof(ngx_gateway_select_evidences_t));

        zone->sh->evidence = evidences;
    }

    return &evidences->ring[evidences->written++
                            % NGX_GATEWAY_SELECT_EVIDENCE];
}


static size_t
ngx_gateway_select_evidence_copy(u_char *dst, size_t max, ngx_str_t *src)
{
    size_t  len;

    len = ngx_min(src->len, max);

    if (len) {
        ngx_memcpy(dst, src->data, len);
    }

    return len;
}


/*
 * The node, with the lock held; NULL: another worker leads, or the slot is
 * another node's by now.
 */

static ngx_gateway_select_node_t *
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


static void
ngx_gateway_select_verdict_unlock(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_leader_unlock(probe->watch->checker->gmcf);
}
