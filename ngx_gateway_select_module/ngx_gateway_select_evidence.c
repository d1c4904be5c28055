
/*
 * Evidence: see ngx_gateway_select_evidence.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_evidence.h"


/* texts take no more than this part of the zone */

#define NGX_GATEWAY_SELECT_EVIDENCE_PART  16


static ngx_gateway_select_evidences_t *ngx_gateway_select_evidence_ring(
    ngx_gateway_select_zone_t *zone);
static void ngx_gateway_select_evidence_put(
    ngx_gateway_select_evidences_t *evidences,
    ngx_gateway_select_evidence_t *evidence, ngx_str_t *text);
static size_t ngx_gateway_select_evidence_copy(u_char *dst, size_t max,
    ngx_str_t *src);


void
ngx_gateway_select_evidence_keep(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t block, ngx_str_t *check,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed)
{
    ngx_gateway_select_evidence_t   *evidence;
    ngx_gateway_select_evidences_t  *evidences;

    evidences = ngx_gateway_select_evidence_ring(
                                             ngx_gateway_select_zone(gmcf));
    if (evidences == NULL) {
        return;
    }

    evidence = &evidences->ring[evidences->written++
                                % NGX_GATEWAY_SELECT_EVIDENCE];

    evidence->at = ngx_gateway_select_now();
    evidence->block = block;
    evidence->chain = pick->chain->index;
    evidence->node = pick->node;
    evidence->generation = pick->generation;

    evidence->check_len = ngx_gateway_select_evidence_copy(evidence->check,
                                           sizeof(evidence->check), check);
    evidence->told_len = ngx_gateway_select_evidence_copy(evidence->told,
                                 sizeof(evidence->told), &told->identifier);
    evidence->agreed_len = ngx_gateway_select_evidence_copy(evidence->agreed,
                                          sizeof(evidence->agreed), agreed);
    evidence->signature_len = ngx_gateway_select_evidence_copy(
                         evidence->signature, sizeof(evidence->signature),
                         &told->signature);
    evidence->proof_len = ngx_gateway_select_evidence_copy(evidence->proof,
                                     sizeof(evidence->proof), &told->proof);
    evidence->hash_len = ngx_gateway_select_evidence_copy(evidence->hash,
                                       sizeof(evidence->hash), &told->hash);
    evidence->size = told->size;

    ngx_gateway_select_evidence_put(evidences, evidence, &told->text);
}


void
ngx_gateway_select_evidence_signed(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t height,
    ngx_gateway_select_told_t *told)
{
    ngx_str_t                   agreed;
    ngx_gateway_select_zone_t  *zone;

    static ngx_str_t  check = ngx_string("signature");

    zone = ngx_gateway_select_zone(gmcf);

    ngx_str_null(&agreed);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_gateway_select_evidence_keep(gmcf, pick, height, &check, told,
                                     &agreed);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_gateway_select_zone_warn(zone);
}


/* NULL: no memory, it is made with the first piece */

static ngx_gateway_select_evidences_t *
ngx_gateway_select_evidence_ring(ngx_gateway_select_zone_t *zone)
{
    size_t                           room;
    ngx_gateway_select_evidences_t  *evidences;

    if (zone->sh->evidence) {
        return zone->sh->evidence;
    }

    evidences = ngx_gateway_select_zone_alloc(zone,
                                     sizeof(ngx_gateway_select_evidences_t));
    if (evidences == NULL) {
        return NULL;
    }

    room = (size_t) (zone->shpool->end - zone->shpool->start)
           / NGX_GATEWAY_SELECT_EVIDENCE_PART;
    room = ngx_min(room, NGX_GATEWAY_SELECT_EVIDENCE_TEXTS);

    evidences->text = ngx_gateway_select_zone_alloc(zone, room);
    if (evidences->text) {
        evidences->room = room;
    }

    zone->sh->evidence = evidences;

    return evidences;
}


/* In one piece: what is too short for it before the end stays empty. */

static void
ngx_gateway_select_evidence_put(ngx_gateway_select_evidences_t *evidences,
    ngx_gateway_select_evidence_t *evidence, ngx_str_t *text)
{
    size_t  len, max, at;

    len = text->len;
    max = evidence->signature_len ? NGX_GATEWAY_SELECT_EVIDENCE_LEN
                                  : NGX_GATEWAY_SELECT_EVIDENCE_START;

    len = ngx_min(len, max);
    len = ngx_min(len, evidences->room);

    evidence->text_len = len;

    if (len == 0) {
        return;
    }

    at = evidences->texts % evidences->room;

    if (evidences->room - at < len) {
        evidences->texts += evidences->room - at;
        at = 0;
    }

    evidence->text_at = evidences->texts;
    evidences->texts += len;

    ngx_memcpy(evidences->text + at, text->data, len);
}


void
ngx_gateway_select_evidence_text(ngx_gateway_select_evidences_t *evidences,
    ngx_gateway_select_evidence_t *evidence, ngx_str_t *text)
{
    ngx_str_null(text);

    if (evidence->text_len
        && evidence->text_at + evidences->room >= evidences->texts)
    {
        text->len = evidence->text_len;
        text->data = evidences->text + evidence->text_at % evidences->room;
    }
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
