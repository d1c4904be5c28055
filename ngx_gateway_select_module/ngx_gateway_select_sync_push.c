
/*
 * One call of the script: what is told, and what is taken.
 */


#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_evidence.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_sync.h"


/* nodes looked at in one turn */
#define NGX_GATEWAY_SELECT_SYNC_LOOK    1024

#define NGX_GATEWAY_SELECT_SYNC_VERBS   16
#define NGX_GATEWAY_SELECT_SYNC_PROOFS  4
#define NGX_GATEWAY_SELECT_SYNC_ROWS    "32"
#define NGX_GATEWAY_SELECT_SYNC_TTL     "5000"      /* ms, of the lease */

/* a piece of evidence as JSON; each byte takes six at most */
#define NGX_GATEWAY_SELECT_PROOF_LEN                                          \
    ((sizeof(ngx_gateway_select_evidence_t)                                   \
      + NGX_GATEWAY_SELECT_EVIDENCE_LEN) * 6                                  \
     + NGX_GATEWAY_SELECT_KEY_MAX)

#define NGX_GATEWAY_SELECT_SYNC_BUFFER                                        \
    (NGX_GATEWAY_SELECT_PUSH * (GATEWAY_DELTA_LEN + GATEWAY_RECORD_ROW_LEN)   \
     + NGX_GATEWAY_SELECT_SYNC_PROOFS * NGX_GATEWAY_SELECT_PROOF_LEN          \
     + 16 * NGX_INT64_LEN)

#define NGX_GATEWAY_SELECT_SYNC_ARGS                                          \
    (GATEWAY_KEYS + 15 + 2 * NGX_GATEWAY_SELECT_SYNC_VERBS                    \
     + NGX_GATEWAY_SELECT_SYNC_PROOFS + 3 * NGX_GATEWAY_SELECT_PUSH)


/* the arguments of one call, their text in p */

typedef struct {
    ngx_str_t                       *argv;
    ngx_uint_t                       argc;
    u_char                          *p;
} ngx_gateway_select_args_t;


static void ngx_gateway_select_sync_again(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared);
static ngx_int_t ngx_gateway_select_sync_gather(
    ngx_gateway_select_sync_chain_t *sc, ngx_gateway_select_shared_t *shared);
static ngx_gateway_select_synced_t *ngx_gateway_select_sync_slot(
    ngx_gateway_select_sync_chain_t *sc, ngx_gateway_select_shared_t *shared,
    uint32_t i);
static ngx_gateway_select_evidence_t *ngx_gateway_select_sync_proof(
    ngx_gateway_select_sync_chain_t *sc, ngx_gateway_select_shared_t *shared,
    uint64_t *next);
static void ngx_gateway_select_sync_head(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, ngx_uint_t push,
    ngx_gateway_select_args_t *args);
static void ngx_gateway_select_sync_verbs(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_args_t *args);
static void ngx_gateway_select_sync_proofs(
    ngx_gateway_select_sync_chain_t *sc, ngx_gateway_select_shared_t *shared,
    ngx_gateway_select_args_t *args);
static u_char *ngx_gateway_select_sync_evidence(
    ngx_gateway_select_chain_sh_t *chain, u_char *p,
    ngx_gateway_select_evidence_t *evidence);
static void ngx_gateway_select_sync_nodes(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, ngx_gateway_select_args_t *args);
static void ngx_gateway_select_args_number(ngx_gateway_select_args_t *args,
    uint64_t n);
static void ngx_gateway_select_args_string(ngx_gateway_select_args_t *args,
    u_char *data, size_t len);
static void ngx_gateway_select_sync_absent(
    ngx_gateway_select_sync_chain_t *sc, ngx_gateway_select_shared_t *shared,
    mesh_redis_reply_t *absent);
static void ngx_gateway_select_sync_rows(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, mesh_redis_reply_t *rows);
static void ngx_gateway_select_sync_row(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, uint32_t i,
    gateway_record_t *record);
static void ngx_gateway_select_sync_reference(
    ngx_gateway_select_sync_chain_t *sc, ngx_str_t *text);
static uint64_t ngx_gateway_select_sync_number(u_char **p, u_char *last);


#define ngx_gateway_select_args_text(args, text)                              \
    ngx_gateway_select_args_string(args, (u_char *) text, sizeof(text) - 1)


ngx_gateway_select_shared_t *
ngx_gateway_select_sync_shared(ngx_gateway_select_sync_chain_t *sc)
{
    ngx_gateway_select_zone_t  *zone;

    zone = ngx_gateway_select_zone(sc->sync->gmcf);

    if (sc->chain->shared == NULL) {

        if (ngx_gateway_select_leader_lock(sc->sync->gmcf) != NGX_OK) {
            return NULL;
        }

        sc->chain->shared = ngx_gateway_select_zone_alloc(zone,
                                         sizeof(ngx_gateway_select_shared_t));

        ngx_gateway_select_leader_unlock(sc->sync->gmcf);
        ngx_gateway_select_zone_warn(zone);
    }

    return sc->chain->shared;
}


ngx_int_t
ngx_gateway_select_sync_push(ngx_gateway_select_sync_chain_t *sc)
{
    ngx_int_t                     rc;
    ngx_str_t                     argv[NGX_GATEWAY_SELECT_SYNC_ARGS];
    ngx_uint_t                    push;
    ngx_gateway_select_sync_t    *sync;
    ngx_gateway_select_args_t     args;
    ngx_gateway_select_shared_t  *shared;

    sync = sc->sync;
    shared = sc->chain->shared;

    if (sync->buffer == NULL) {
        sync->buffer = ngx_alloc(NGX_GATEWAY_SELECT_SYNC_BUFFER,
                                 ngx_cycle->log);
        if (sync->buffer == NULL) {
            return NGX_DECLINED;
        }
    }

    if (ngx_gateway_select_leader_lock(sync->gmcf) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = NGX_OK;

    if (shared->n || shared->proofs_sent != shared->proofs) {
        ngx_gateway_select_sync_again(sc, shared);

    } else {
        rc = ngx_gateway_select_sync_gather(sc, shared);
    }

    push = (shared->n || shared->proofs_sent != shared->proofs);

    /* nothing has changed so far: there is more to look at */

    if (rc == NGX_AGAIN && !push) {
        ngx_gateway_select_leader_unlock(sync->gmcf);
        return NGX_AGAIN;
    }

    args.argv = argv;
    args.argc = 0;
    args.p = sync->buffer;

    ngx_gateway_select_sync_head(sc, shared, push, &args);
    ngx_gateway_select_sync_verbs(sc, &args);
    ngx_gateway_select_sync_proofs(sc, shared, &args);
    ngx_gateway_select_sync_nodes(sc, shared, &args);

    /* the arguments point into the zone until they are copied */

    rc = ngx_gateway_select_sync_eval(sync->gmcf, GATEWAY_SCRIPT_SYNC,
                                      GATEWAY_KEYS, args.argc, argv,
                                      ngx_gateway_select_sync_answer, sc,
                                      &sc->cmd);

    ngx_gateway_select_leader_unlock(sync->gmcf);
    ngx_gateway_select_zone_warn(ngx_gateway_select_zone(sync->gmcf));

    if (rc != NGX_OK) {
        ngx_gateway_select_admin_told(sync->gmcf, sc->chain, 0);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The same push: but for nodes that lost their place to others meanwhile. */

static void
ngx_gateway_select_sync_again(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared)
{
    uint32_t                      i, n;
    ngx_gateway_select_synced_t  *synced;

    n = 0;

    for (i = 0; i < shared->n; i++) {

        synced = ngx_gateway_select_sync_slot(sc, shared, shared->nodes[i]);

        if (synced && synced->pending) {
            shared->nodes[n++] = shared->nodes[i];
        }
    }

    shared->n = n;
}


/*
 * The next nodes that changed.  NGX_AGAIN: not all were looked at; NGX_OK:
 * the sweep is over, or the push is full.
 */

static ngx_int_t
ngx_gateway_select_sync_gather(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared)
{
    uint32_t                      i, last, nnodes;
    uint64_t                      next;
    gateway_record_t             *record;
    ngx_gateway_select_synced_t  *synced;

    nnodes = (uint32_t) sc->chain->nnodes;
    last = ngx_min(sc->position + NGX_GATEWAY_SELECT_SYNC_LOOK, nnodes);

    for (i = sc->position;
         i < last && shared->n < NGX_GATEWAY_SELECT_PUSH;
         i++)
    {
        synced = ngx_gateway_select_sync_slot(sc, shared, i);
        if (synced == NULL) {
            continue;
        }

        record = &ngx_gateway_select_node(sc->chain, i)->record;

        if (synced->known && !synced->whole
            && ngx_memcmp(record, &synced->base, sizeof(gateway_record_t))
               == 0)
        {
            continue;
        }

        synced->sent = *record;
        synced->pending = 1;

        shared->nodes[shared->n++] = i;
    }

    sc->position = (i < nnodes) ? i : 0;

    next = shared->proofs;

    for (i = 0; i < NGX_GATEWAY_SELECT_SYNC_PROOFS; i++) {
        if (ngx_gateway_select_sync_proof(sc, shared, &next) == NULL) {
            break;
        }
    }

    shared->proofs_sent = next;

    if (shared->n || i) {
        shared->push++;

    } else {
        shared->proofs = next;
    }

    return sc->position ? NGX_AGAIN : NGX_OK;
}


/* NULL: no memory */

static ngx_gateway_select_synced_t *
ngx_gateway_select_sync_slot(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, uint32_t i)
{
    ngx_uint_t  k;

    k = i / NGX_GATEWAY_SELECT_CHUNK;

    if (shared->chunks[k] == NULL) {
        shared->chunks[k] = ngx_gateway_select_zone_alloc(
                                      ngx_gateway_select_zone(sc->sync->gmcf),
                                      sizeof(ngx_gateway_select_synceds_t));
        if (shared->chunks[k] == NULL) {
            return NULL;
        }
    }

    return ngx_gateway_select_synced(shared, i);
}


void
ngx_gateway_select_sync_forget(ngx_gateway_select_chain_sh_t *chain,
    ngx_uint_t node)
{
    ngx_gateway_select_shared_t  *shared;

    shared = chain->shared;

    if (shared && shared->chunks[node / NGX_GATEWAY_SELECT_CHUNK]) {
        ngx_memzero(ngx_gateway_select_synced(shared, node),
                    sizeof(ngx_gateway_select_synced_t));
    }
}


/* The chain's next piece of evidence; *next is moved past it, or to the end. */

static ngx_gateway_select_evidence_t *
ngx_gateway_select_sync_proof(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, uint64_t *next)
{
    ngx_gateway_select_evidence_t   *evidence;
    ngx_gateway_select_evidences_t  *evidences;

    evidences = sc->chain->sh->evidence;

    if (evidences == NULL) {
        return NULL;
    }

    if (evidences->written > *next + NGX_GATEWAY_SELECT_EVIDENCE) {
        *next = evidences->written - NGX_GATEWAY_SELECT_EVIDENCE;
    }

    while (*next < evidences->written) {

        evidence = &evidences->ring[(*next)++ % NGX_GATEWAY_SELECT_EVIDENCE];

        if (evidence->chain == sc->chain->index) {
            return evidence;
        }
    }

    return NULL;
}


static void
ngx_gateway_select_sync_head(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, ngx_uint_t push,
    ngx_gateway_select_args_t *args)
{
    u_char                *p;
    ngx_uint_t             i;
    gateway_height_ref_t  *height;

    for (i = 0; i < GATEWAY_KEYS; i++) {
        args->argv[args->argc++] = sc->keys[i];
    }

    ngx_gateway_select_args_text(args, GATEWAY_SCHEMA);
    ngx_gateway_select_args_string(args, sc->chain->sh->id,
                                   NGX_GATEWAY_SELECT_ID_LEN);
    ngx_gateway_select_args_number(args, push ? shared->push : 0);
    ngx_gateway_select_args_number(args, ngx_gateway_select_now());
    ngx_gateway_select_args_number(args, sc->conf->record.half_life);
    ngx_gateway_select_args_number(args, sc->conf->record.votes_half_life);
    ngx_gateway_select_args_number(args, sc->conf->record.eject_failures);
    ngx_gateway_select_args_number(args, shared->revision);
    ngx_gateway_select_args_text(args, NGX_GATEWAY_SELECT_SYNC_ROWS);
    ngx_gateway_select_args_text(args, NGX_GATEWAY_SELECT_SYNC_TTL);

    /* what it was told by those who check is told by nobody else */

    height = &sc->chain->height;
    p = args->p;

    if (sc->leased && height->proven) {
        args->p = ngx_sprintf(p, "%uL %uL %uD", height->reference,
                              height->reference_at, height->block_time);
    }

    ngx_gateway_select_args_string(args, p, args->p - p);
}


static void
ngx_gateway_select_sync_verbs(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_args_t *args)
{
    ngx_str_t                    *count, *verb;
    ngx_uint_t                    i, n;
    ngx_gateway_select_admin_t   *admin;
    ngx_gateway_select_admins_t  *admins;

    admins = sc->chain->verbs;

    ngx_gateway_select_args_number(args, admins ? admins->version : 0);

    /* their numbers are known at the end */

    count = &args->argv[args->argc];
    args->argc += 2;

    n = 0;

    for (i = 0; admins && i < admins->n; i++) {

        admin = admins->list[i];

        if (!admin->pending) {
            continue;
        }

        if (n == NGX_GATEWAY_SELECT_SYNC_VERBS) {
            break;
        }

        admin->told = 1;
        n++;

        verb = &ngx_gateway_select_verbs[admin->verb];

        ngx_gateway_select_args_string(args, verb->data, verb->len);
        ngx_gateway_select_args_string(args, admin->field, admin->len);
    }

    count->data = args->p;
    args->p = ngx_sprintf(args->p, "%ui", n);
    count->len = args->p - count->data;
}


static void
ngx_gateway_select_sync_proofs(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, ngx_gateway_select_args_t *args)
{
    u_char                         *p;
    uint64_t                        next;
    ngx_str_t                      *count;
    ngx_uint_t                      n, verbs;
    ngx_gateway_select_evidence_t  *evidence;

    /* the place that the verbs left, before them */

    verbs = GATEWAY_KEYS + 13;
    count = &args->argv[verbs];

    next = shared->proofs;

    for (n = 0; n < NGX_GATEWAY_SELECT_SYNC_PROOFS; n++) {

        evidence = ngx_gateway_select_sync_proof(sc, shared, &next);

        if (evidence == NULL || next > shared->proofs_sent) {
            break;
        }

        p = args->p;
        args->p = ngx_gateway_select_sync_evidence(sc->chain, p, evidence);

        ngx_gateway_select_args_string(args, p, args->p - p);
    }

    count->data = args->p;
    args->p = ngx_sprintf(args->p, "%ui", n);
    count->len = args->p - count->data;
}


static u_char *
ngx_gateway_select_sync_evidence(ngx_gateway_select_chain_sh_t *chain,
    u_char *p, ngx_gateway_select_evidence_t *evidence)
{
    ngx_uint_t   i;
    ngx_str_t   *key, text;

    struct {
        const char  *name;
        u_char      *data;
        size_t       len;
    } texts[] = {
        { "check", evidence->check, evidence->check_len },
        { "told", evidence->told, evidence->told_len },
        { "agreed", evidence->agreed, evidence->agreed_len },
        { "signature", evidence->signature, evidence->signature_len },
        { "proof", evidence->proof, evidence->proof_len },
        { "hash", evidence->hash, evidence->hash_len },
        { "answer", NULL, 0 }
    };

    ngx_gateway_select_evidence_text(chain->sh->evidence, evidence, &text);

    i = sizeof(texts) / sizeof(texts[0]) - 1;
    texts[i].data = text.data;
    texts[i].len = text.len;

    p = ngx_sprintf(p, "{\"at\":%uL,\"block\":%uL,\"size\":%uz,\"node\":\"",
                    evidence->at, evidence->block, evidence->size);

    if (evidence->generation
        == ngx_gateway_select_generation(chain, evidence->node))
    {
        key = &ngx_gateway_select_node(chain, evidence->node)->sn.str;
        p = (u_char *) ngx_escape_json(p, key->data, key->len);
    }

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        p = ngx_sprintf(p, "\",\"%s\":\"", texts[i].name);
        p = (u_char *) ngx_escape_json(p, texts[i].data, texts[i].len);
    }

    *p++ = '"';
    *p++ = '}';

    return p;
}


static void
ngx_gateway_select_sync_nodes(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, ngx_gateway_select_args_t *args)
{
    u_char                       *p;
    uint32_t                      i, n;
    ngx_str_t                    *key;
    gateway_delta_t               delta;
    gateway_record_t              blank, *base;
    ngx_gateway_select_synced_t  *synced;

    for (i = 0; i < shared->n; i++) {

        n = shared->nodes[i];
        synced = ngx_gateway_select_synced(shared, n);
        key = &ngx_gateway_select_node(sc->chain, n)->sn.str;

        ngx_gateway_select_args_string(args, key->data, key->len);

        base = &synced->base;

        if (!synced->known) {
            gateway_record_blank(&blank, synced->sent.stamp);
            base = &blank;
        }

        gateway_delta_init(&delta, &synced->sent, base, &sc->conf->record);

        p = args->p;
        args->p = gateway_delta_format(p, &delta);

        ngx_gateway_select_args_string(args, p, args->p - p);

        if (!synced->known) {
            ngx_gateway_select_args_text(args, "-");
            continue;
        }

        p = args->p;

        if (synced->whole) {
            args->p = gateway_record_format(p, base);
        }

        ngx_gateway_select_args_string(args, p, args->p - p);
    }
}


static void
ngx_gateway_select_args_number(ngx_gateway_select_args_t *args, uint64_t n)
{
    u_char  *p;

    p = args->p;
    args->p = ngx_sprintf(p, "%uL", n);

    ngx_gateway_select_args_string(args, p, args->p - p);
}


static void
ngx_gateway_select_args_string(ngx_gateway_select_args_t *args, u_char *data,
    size_t len)
{
    args->argv[args->argc].data = data;
    args->argv[args->argc].len = len;
    args->argc++;
}


ngx_uint_t
ngx_gateway_select_sync_take(ngx_gateway_select_sync_chain_t *sc,
    mesh_redis_reply_t *reply)
{
    u_char                          *p;
    uint64_t                         version;
    mesh_redis_reply_t              *elts;
    ngx_gateway_select_shared_t     *shared;
    ngx_gateway_select_main_conf_t  *gmcf;

    elts = reply->elts;
    shared = sc->chain->shared;
    gmcf = sc->sync->gmcf;

    ngx_gateway_select_sync_absent(sc, shared, &elts[5]);
    ngx_gateway_select_sync_rows(sc, shared, &elts[6]);

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return 0;
    }

    shared->n = 0;
    shared->proofs = shared->proofs_sent;
    shared->revision = elts[0].integer;

    ngx_gateway_select_sync_reference(sc, &elts[2].str);

    ngx_gateway_select_leader_unlock(gmcf);

    ngx_gateway_select_admin_told(gmcf, sc->chain, 1);

    p = elts[3].str.data;
    version = ngx_gateway_select_sync_number(&p, p + elts[3].str.len);

    ngx_gateway_select_admin_take(gmcf, sc->chain, version, elts[4].elts,
                                  elts[4].nelts);

    return elts[7].integer != 0;
}


/* Redis lost these: it is to have all of them. */

static void
ngx_gateway_select_sync_absent(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, mesh_redis_reply_t *absent)
{
    ngx_int_t                     slot;
    ngx_uint_t                    i;
    ngx_gateway_select_synced_t  *synced;

    for (i = 0; i < absent->nelts; i++) {

        slot = ngx_gateway_select_zone_find(sc->sync->gmcf, sc->chain,
                                            &absent->elts[i].str);

        if (slot == NGX_DECLINED
            || ngx_gateway_select_leader_lock(sc->sync->gmcf) != NGX_OK)
        {
            continue;
        }

        synced = ngx_gateway_select_sync_slot(sc, shared, (uint32_t) slot);

        if (synced) {
            synced->pending = 0;
            synced->whole = 1;
        }

        ngx_gateway_select_leader_unlock(sc->sync->gmcf);
    }
}


static void
ngx_gateway_select_sync_rows(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, mesh_redis_reply_t *rows)
{
    ngx_int_t          slot;
    ngx_str_t          name;
    ngx_uint_t         i;
    gateway_record_t   record;

    for (i = 0; i + 1 < rows->nelts; i += 2) {

        /* one of other gateways only */

        slot = ngx_gateway_select_zone_find(sc->sync->gmcf, sc->chain,
                                            &rows->elts[i].str);
        if (slot == NGX_DECLINED) {
            continue;
        }

        if (gateway_record_parse(&record,
                                 (pocket_str_t *) &rows->elts[i + 1].str)
            != POCKET_OK)
        {
            name.len = sc->chain->name_len;
            name.data = sc->chain->name;

            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "row of node \"%V\" of chain \"%V\" in redis is "
                          "none: \"%V\"", &rows->elts[i].str, &name,
                          &rows->elts[i + 1].str);
            continue;
        }

        ngx_gateway_select_sync_row(sc, shared, (uint32_t) slot, &record);
    }
}


/* The record is that of Redis, and what happened here since. */

static void
ngx_gateway_select_sync_row(ngx_gateway_select_sync_chain_t *sc,
    ngx_gateway_select_shared_t *shared, uint32_t i, gateway_record_t *record)
{
    ngx_uint_t                    k, changed;
    gateway_delta_t               delta;
    gateway_record_t              merged, blank, *from;
    ngx_gateway_select_node_t    *node;
    ngx_gateway_select_synced_t  *synced;

    if (ngx_gateway_select_leader_lock(sc->sync->gmcf) != NGX_OK) {
        return;
    }

    synced = ngx_gateway_select_sync_slot(sc, shared, i);

    if (synced == NULL) {
        ngx_gateway_select_leader_unlock(sc->sync->gmcf);
        return;
    }

    node = ngx_gateway_select_node(sc->chain, i);
    from = synced->pending ? &synced->sent : &synced->base;

    if (!synced->pending && !synced->known) {
        gateway_record_blank(&blank, node->record.stamp);
        from = &blank;
    }

    merged = *record;

    if (ngx_memcmp(&node->record, from, sizeof(gateway_record_t)) != 0) {
        gateway_delta_init(&delta, &node->record, from, &sc->conf->record);
        gateway_record_merge(&merged, &sc->conf->record, &delta,
                             ngx_gateway_select_now());
    }

    changed = 0;

    for (k = 0; k < GATEWAY_PENALTIES; k++) {
        changed |= (merged.penalties[k].until != 0)
                   != (node->record.penalties[k].until != 0);
    }

    node->record = merged;

    synced->base = *record;
    synced->known = 1;
    synced->pending = 0;
    synced->whole = 0;

    ngx_gateway_select_leader_unlock(sc->sync->gmcf);

    if (changed) {
        ngx_gateway_select_rank_soon(sc->sync->gmcf, sc->chain);
    }
}


/*
 * "height at block_time".  Who checks follows others only upwards; who does
 * not has no better knowledge.  The lock is held.
 */

static void
ngx_gateway_select_sync_reference(ngx_gateway_select_sync_chain_t *sc,
    ngx_str_t *text)
{
    u_char                *p, *last;
    uint64_t               reference, at, block_time;
    gateway_height_ref_t  *height;

    if (text->len == 0) {
        return;
    }

    p = text->data;
    last = p + text->len;

    reference = ngx_gateway_select_sync_number(&p, last);
    at = ngx_gateway_select_sync_number(&p, last);
    block_time = ngx_gateway_select_sync_number(&p, last);

    height = &sc->chain->height;

    if (sc->leased && height->proven && reference <= height->reference) {
        return;
    }

    height->reference = reference;
    height->reference_at = at;
    height->proven = 1;

    if (block_time) {
        height->block_time = (uint32_t) block_time;
    }
}


/* A number, and the space after it. */

static uint64_t
ngx_gateway_select_sync_number(u_char **p, u_char *last)
{
    uint64_t  n;

    for (n = 0; *p < last && **p >= '0' && **p <= '9'; (*p)++) {
        n = n * 10 + (**p - '0');
    }

    if (*p < last) {
        (*p)++;
    }

    return n;
}
