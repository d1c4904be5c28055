
/*
 * Evidence: what nodes told that was outvoted, or not what they had signed.
 * The last pieces of all chains are kept in a ring in the zone, under its
 * lock, until Redis has them.
 */


#ifndef _NGX_GATEWAY_SELECT_EVIDENCE_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_EVIDENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_zone.h"


/* pieces, bytes of a signed answer, of one that proves nothing, of all */

#define NGX_GATEWAY_SELECT_EVIDENCE        128
#define NGX_GATEWAY_SELECT_EVIDENCE_LEN    32768
#define NGX_GATEWAY_SELECT_EVIDENCE_START  512
#define NGX_GATEWAY_SELECT_EVIDENCE_TEXTS  262144

#define NGX_GATEWAY_SELECT_IDENTIFIER_LEN  96


/*
 * An answer.  text may be its start only, size is of the whole one.  With a
 * signature, all in hex, whoever has the node's public key can verify that it
 * is of the hash; and where the text is whole, that the hash is of it and of
 * the proof.
 */

typedef struct ngx_gateway_select_told_s {
    ngx_str_t                         identifier;
    ngx_str_t                         text;
    size_t                            size;
    ngx_str_t                         signature;
    ngx_str_t                         proof;
    ngx_str_t                         hash;
    uint32_t                          node;      /* that told it */
    ngx_uint_t                        tellers;   /* whose texts are kept */
} ngx_gateway_select_told_t;


typedef struct {
    uint64_t                          at;        /* ms, wall */
    uint64_t                          block;
    uint32_t                          chain;     /* index in sh->chains */
    uint32_t                          node;
    ngx_atomic_uint_t                 generation;
    u_char                            check_len;
    u_char                            check[32];
    u_char                            told_len;
    u_char                            told[NGX_GATEWAY_SELECT_IDENTIFIER_LEN];
    u_char                            agreed_len;
    u_char                            agreed[
                                          NGX_GATEWAY_SELECT_IDENTIFIER_LEN];
    u_char                            signature_len;
    u_char                            signature[2 * POCKET_SIG_LEN];
    u_char                            proof_len;
    u_char                            proof[2 * POCKET_HASH_LEN];
    u_char                            hash_len;
    u_char                            hash[2 * POCKET_HASH_LEN];
    uint64_t                          text_at;   /* of all bytes ever */
    size_t                            text_len;
    size_t                            size;
} ngx_gateway_select_evidence_t;

typedef struct {
    uint64_t                          written;   /* ever; the rings are of */
    uint64_t                          texts;     /*   the last ones */
    size_t                            room;
    u_char                           *text;
    ngx_gateway_select_evidence_t     ring[NGX_GATEWAY_SELECT_EVIDENCE];
} ngx_gateway_select_evidences_t;


/* Keeps it, with the zone's lock held; node and generation are of the pick. */
void ngx_gateway_select_evidence_keep(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t block, ngx_str_t *check,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed);

/*
 * Any worker: a servicer signed another answer than this one, in the session
 * of that height.
 */
void ngx_gateway_select_evidence_signed(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t height,
    ngx_gateway_select_told_t *told);

/* The text, empty when others have taken its room; with the lock held. */
void ngx_gateway_select_evidence_text(
    ngx_gateway_select_evidences_t *evidences,
    ngx_gateway_select_evidence_t *evidence, ngx_str_t *text);


#endif /* _NGX_GATEWAY_SELECT_EVIDENCE_H_INCLUDED_ */
