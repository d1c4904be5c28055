
/*
 * Sessions in the shared zone: admission of relays, what became of them,
 * validation's outcome, sweep.  The rules are those of the pure machine
 * (pocket_session.h); here are the table around it and its lock.
 */


#include "ngx_mesh_relay_zone.h"


/* sessions looked at under one lock */

#define NGX_MESH_RELAY_SCAN  64


typedef struct {
    pocket_error_id_e   err;
    unsigned            claimed:1;
    unsigned            ahead:1;
} ngx_mesh_relay_ruling_t;


static ngx_mesh_relay_admit_e ngx_mesh_relay_session_judge(
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_session_key_t *key,
    u_char *proof_hash, ngx_mesh_relay_ruling_t *ruling);
static ngx_uint_t ngx_mesh_relay_session_ask(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_t *ss);
static ngx_mesh_relay_node_t *ngx_mesh_relay_session_node(
    ngx_mesh_relay_main_conf_t *mcf, ngx_mesh_relay_session_t *ss);
static ngx_mesh_relay_session_t *ngx_mesh_relay_session_find(
    ngx_mesh_relay_zone_t *zone, ngx_str_t *id);
static ngx_mesh_relay_session_t *ngx_mesh_relay_session_create(
    ngx_mesh_relay_zone_t *zone, ngx_mesh_relay_session_key_t *key);
static void ngx_mesh_relay_session_destroy(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss);
static void ngx_mesh_relay_session_file(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss);
static void ngx_mesh_relay_session_keep(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss, ngx_str_t *dispatch);
static ngx_int_t ngx_mesh_relay_session_scan(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_claim_t *claim);
static void ngx_mesh_relay_session_drop(ngx_mesh_relay_main_conf_t *mcf,
    ngx_str_t *id);
static void ngx_mesh_relay_session_conf(ngx_mesh_relay_main_conf_t *mcf,
    pocket_session_conf_t *conf);


static const pocket_str_t  ngx_mesh_relay_session_full =
    pocket_string("no memory for it");


void
ngx_mesh_relay_session_id(ngx_mesh_relay_session_key_t *key, u_char *buf)
{
    u_char  *p;

    if (key->servicer == NULL
        || key->app.len != 2 * POCKET_PUBKEY_LEN
        || key->chain.len > 2 * POCKET_CHAIN_LEN)
    {
        ngx_str_null(&key->id);
        return;
    }

    p = ngx_cpymem(buf, key->servicer->address, NGX_MESH_RELAY_ADDR_HEX_LEN);
    p = ngx_sprintf(p, ":%V:%V:%L", &key->app, &key->chain, key->height);

    key->id.data = buf;
    key->id.len = p - buf;
}


ngx_int_t
ngx_mesh_relay_session_parse(ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *id,
    ngx_mesh_relay_session_key_t *key)
{
    off_t                       height;
    u_char                     *p, *last;
    ngx_uint_t                  i;
    ngx_mesh_relay_servicer_t  *servicer;

    p = id->data;
    last = p + id->len;

    if (id->len <= NGX_MESH_RELAY_ADDR_HEX_LEN
        || p[NGX_MESH_RELAY_ADDR_HEX_LEN] != ':')
    {
        return NGX_ERROR;
    }

    key->id = *id;
    key->servicer = NULL;

    servicer = mcf->servicers.elts;

    for (i = 0; i < mcf->servicers.nelts; i++) {

        if (ngx_memcmp(servicer[i].address, p, NGX_MESH_RELAY_ADDR_HEX_LEN)
            == 0)
        {
            key->servicer = &servicer[i];
            break;
        }
    }

    p += NGX_MESH_RELAY_ADDR_HEX_LEN + 1;

    key->app.data = p;
    p = ngx_strlchr(p, last, ':');

    if (p == NULL) {
        return NGX_ERROR;
    }

    key->app.len = p - key->app.data;

    key->chain.data = ++p;
    p = ngx_strlchr(p, last, ':');

    if (p == NULL) {
        return NGX_ERROR;
    }

    key->chain.len = p - key->chain.data;

    height = ngx_atoof(p + 1, last - p - 1);

    if (height == NGX_ERROR) {
        return NGX_ERROR;
    }

    key->height = height;

    return NGX_OK;
}


ngx_mesh_relay_admit_e
ngx_mesh_relay_session_admit(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, u_char *proof_hash,
    pocket_error_t *err, ngx_pool_t *pool)
{
    pocket_alloc_t            a;
    ngx_mesh_relay_zone_t    *zone;
    ngx_mesh_relay_admit_e    rc;
    ngx_mesh_relay_ruling_t   ruling;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_memzero(&ruling, sizeof(ngx_mesh_relay_ruling_t));

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = ngx_mesh_relay_session_judge(mcf, key, proof_hash, &ruling);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (zone->sh->head.full) {
        ngx_mesh_relay_zone_warn(zone);
    }

    if (ruling.claimed) {
        ngx_mesh_relay_validate_session(mcf, key);
    }

    if (ruling.ahead) {
        ngx_mesh_relay_node_want_check(mcf, key->servicer->node);
    }

    if (ruling.err == POCKET_ERR_SESSION) {
        mesh_pool_allocator(pool, &a);

        (void) pocket_error_set_reason(err, ruling.err,
                                       &ngx_mesh_relay_session_full, &a);

    } else {
        pocket_error_set(err, ruling.err);
    }

    return rc;
}


/* the lock is held */

static ngx_mesh_relay_admit_e
ngx_mesh_relay_session_judge(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, u_char *proof_hash,
    ngx_mesh_relay_ruling_t *ruling)
{
    pocket_session_conf_t         conf;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_session_t     *ss;
    pocket_session_verdict_e      rc;
    ngx_mesh_relay_node_state_t  *node;

    zone = ngx_mesh_relay_zone(mcf);
    node = key->servicer->node->state;

    if (!node->known) {
        ruling->err = POCKET_ERR_NODE_UNAVAILABLE;
        return NGX_MESH_RELAY_ADMIT_REFUSE;
    }

    ngx_mesh_relay_session_conf(mcf, &conf);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    rc = pocket_session_relay(ss ? &ss->machine : NULL, key->height,
                              &node->status, &conf, &ruling->err);

    if (rc == POCKET_SESSION_REFUSE || rc == POCKET_SESSION_REFUSE_AHEAD) {
        ruling->ahead = (rc == POCKET_SESSION_REFUSE_AHEAD);
        return NGX_MESH_RELAY_ADMIT_REFUSE;
    }

    if (ngx_mesh_relay_proof_find(zone, proof_hash)) {
        ruling->err = POCKET_ERR_DUPLICATE;
        return NGX_MESH_RELAY_ADMIT_REFUSE;
    }

    if (ss == NULL) {
        ss = ngx_mesh_relay_session_create(zone, key);

        if (ss == NULL) {
            ruling->err = POCKET_ERR_SESSION;
            return NGX_MESH_RELAY_ADMIT_REFUSE;
        }
    }

    ngx_queue_remove(&ss->lru);
    ngx_queue_insert_head(&zone->sh->lru, &ss->lru);

    ss->node = node;

    ruling->claimed = ngx_mesh_relay_session_ask(mcf, ss);

    /* the machine knows those recorded, these are on their way there */

    if (rc == POCKET_SESSION_WAIT
        || (ss->machine.state == POCKET_SESSION_UNVALIDATED
            && ss->machine.recorded + (int64_t) ss->serving
               >= (int64_t) mcf->unvalidated_max))
    {
        return NGX_MESH_RELAY_ADMIT_WAIT;
    }

    ss->serving++;

    return NGX_MESH_RELAY_ADMIT_SERVE;
}


/*
 * Claims the question for this worker, if the session is due and the worker
 * has room.  A claim that is not answered is over by itself: whoever next
 * looks at the session asks again.  The lock is held.
 */

static ngx_uint_t
ngx_mesh_relay_session_ask(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_t *ss)
{
    int64_t                 now;
    ngx_mesh_relay_node_t  *node;

    now = (int64_t) ngx_current_msec;

    if (!ss->is_pending
        || !ss->node->known
        || !pocket_session_due(&ss->machine, &ss->node->status, now))
    {
        return 0;
    }

    node = ngx_mesh_relay_session_node(mcf, ss);

    if (node == NULL || !ngx_mesh_relay_validate_ready(mcf, node)) {
        return 0;
    }

    pocket_session_asked(&ss->machine,
                         now + ngx_mesh_relay_validate_lease(mcf));

    return 1;
}


void
ngx_mesh_relay_session_done(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, u_char *proof_hash,
    ngx_uint_t recorded, int64_t remaining)
{
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (recorded) {
        ngx_mesh_relay_proof_add(zone, proof_hash);
    }

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss && ss->serving) {
        ss->serving--;
    }

    if (ss && recorded) {

        /*
         * Redis counts what counts: a relay recorded before the node's answer
         * is part of the count that came with it.
         */

        if (ss->machine.state == POCKET_SESSION_UNVALIDATED) {
            pocket_session_recorded(&ss->machine);

        } else {
            pocket_session_count(&ss->machine, remaining);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_mesh_relay_session_invalidate(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_uint_t code)
{
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss) {
        pocket_session_end(&ss->machine, (uint32_t) code,
                           (int64_t) ngx_current_msec);
        ngx_mesh_relay_session_file(zone, ss);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_mesh_relay_session_dispatch(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_pool_t *pool, ngx_str_t *dispatch)
{
    size_t                     len;
    u_char                    *p;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_str_null(dispatch);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);
    len = (ss && ss->dispatch) ? ss->dispatch_len : 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (len == 0) {
        return;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss && ss->dispatch && ss->dispatch_len == len) {
        ngx_memcpy(p, ss->dispatch, len);
        dispatch->data = p;
        dispatch->len = len;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_mesh_relay_session_deliverable(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, int64_t meta_height)
{
    ngx_int_t                     rc;
    ngx_uint_t                    claimed;
    ngx_mesh_relay_zone_t        *zone;
    ngx_mesh_relay_session_t     *ss;
    ngx_mesh_relay_node_state_t  *node;

    zone = ngx_mesh_relay_zone(mcf);
    node = key->servicer->node->state;

    rc = NGX_AGAIN;
    claimed = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    /* a session that the node has not reached has a window still to come */

    if (!node->known || node->status.height < key->height) {
        goto done;
    }

    if (!pocket_session_claimable(&node->status, key->height, meta_height)) {
        rc = NGX_DECLINED;
        goto done;
    }

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss == NULL) {
        ss = ngx_mesh_relay_session_create(zone, key);

        if (ss == NULL) {
            goto done;
        }
    }

    ss->node = node;

    claimed = ngx_mesh_relay_session_ask(mcf, ss);

    if (pocket_session_notify(&ss->machine, &node->status)
        != POCKET_SESSION_HOLD)
    {
        rc = NGX_OK;
    }

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (claimed) {
        ngx_mesh_relay_validate_session(mcf, key);
    }

    return rc;
}


ngx_uint_t
ngx_mesh_relay_session_code(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key)
{
    ngx_uint_t                 code;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);
    code = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss
        && ss->machine.state == POCKET_SESSION_INVALID
        && !ss->machine.unverified)
    {
        code = ss->machine.code;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return code;
}


void
ngx_mesh_relay_session_adopt(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, ngx_mesh_relay_store_session_t *s)
{
    ngx_uint_t                 code;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    code = s->valid ? 0 : ngx_max(s->code, 1);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss) {
        pocket_session_restore(&ss->machine, (uint32_t) code, s->remaining,
                               (int64_t) ngx_current_msec);

        ngx_mesh_relay_session_keep(zone, ss, &s->dispatch);
        ngx_mesh_relay_session_file(zone, ss);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_mesh_relay_session_retry(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_key_t *key, pocket_session_answer_t *answer)
{
    ngx_uint_t                 unverified;
    pocket_session_conf_t      conf;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);
    unverified = 0;

    ngx_mesh_relay_session_conf(mcf, &conf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, &key->id);

    if (ss) {
        pocket_session_answered(&ss->machine, answer, &conf,
                                (int64_t) ngx_current_msec);
        unverified = ss->machine.unverified;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return unverified;
}


ngx_int_t
ngx_mesh_relay_session_claim(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_claim_t *claim)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MESH_RELAY_SCAN; i++) {

        if (ngx_mesh_relay_session_scan(mcf, claim) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (ngx_mesh_relay_session_parse(mcf, &claim->key.id, &claim->key)
            == NGX_OK
            && claim->key.servicer)
        {
            return NGX_OK;
        }

        /* its servicer has left the configuration */

        ngx_mesh_relay_session_drop(mcf, &claim->key.id);
    }

    return NGX_DECLINED;
}


/* what was looked at goes to the tail, so that all get their turn */

static ngx_int_t
ngx_mesh_relay_session_scan(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_claim_t *claim)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);
    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0;
         i < NGX_MESH_RELAY_SCAN && !ngx_queue_empty(&zone->sh->pending);
         i++)
    {
        q = ngx_queue_head(&zone->sh->pending);
        ss = ngx_queue_data(q, ngx_mesh_relay_session_t, pending);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&zone->sh->pending, q);

        if (ngx_mesh_relay_session_ask(mcf, ss)) {
            ngx_memcpy(claim->id, ss->sn.str.data, ss->sn.str.len);
            claim->key.id.data = claim->id;
            claim->key.id.len = ss->sn.str.len;
            rc = NGX_OK;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


static void
ngx_mesh_relay_session_drop(ngx_mesh_relay_main_conf_t *mcf, ngx_str_t *id)
{
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ss = ngx_mesh_relay_session_find(zone, id);

    if (ss) {
        ngx_mesh_relay_session_destroy(zone, ss);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_mesh_relay_session_sweep(ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_mesh_relay_zone_t     *zone;
    ngx_mesh_relay_session_t  *ss;

    zone = ngx_mesh_relay_zone(mcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0;
         i < NGX_MESH_RELAY_SCAN && !ngx_queue_empty(&zone->sh->all);
         i++)
    {
        q = ngx_queue_head(&zone->sh->all);
        ss = ngx_queue_data(q, ngx_mesh_relay_session_t, all);

        if (pocket_session_expired(&ss->node->status, ss->machine.height)
            || ngx_mesh_relay_session_node(mcf, ss) == NULL)
        {
            ngx_mesh_relay_session_destroy(zone, ss);
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&zone->sh->all, q);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_mesh_relay_session_evict(ngx_mesh_relay_zone_t *zone)
{
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_mesh_relay_sh_t       *sh;
    ngx_mesh_relay_session_t  *ss;

    sh = zone->sh;

    if (ngx_queue_empty(&sh->lru)) {
        return 0;
    }

    for (i = 0, q = ngx_queue_last(&sh->lru);
         i < NGX_MESH_RELAY_SCAN && q != ngx_queue_sentinel(&sh->lru);
         i++, q = ngx_queue_prev(q))
    {
        ss = ngx_queue_data(q, ngx_mesh_relay_session_t, lru);

        if (ss->machine.state == POCKET_SESSION_INVALID
            || pocket_session_expired(&ss->node->status, ss->machine.height))
        {
            ngx_mesh_relay_session_destroy(zone, ss);
            return 1;
        }
    }

    /* none has ended: the one used longest ago, Redis knows it again */

    q = ngx_queue_last(&sh->lru);
    ss = ngx_queue_data(q, ngx_mesh_relay_session_t, lru);

    ngx_mesh_relay_session_destroy(zone, ss);

    sh->head.full = 1;

    return 1;
}


/* the functions below are called with the lock held */


/* NULL: the node has left the configuration, and is not checked any more */

static ngx_mesh_relay_node_t *
ngx_mesh_relay_session_node(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_session_t *ss)
{
    ngx_uint_t              i;
    ngx_mesh_relay_node_t  *node;

    node = mcf->nodes.elts;

    for (i = 0; i < mcf->nodes.nelts; i++) {
        if (node[i].state == ss->node) {
            return &node[i];
        }
    }

    return NULL;
}


static ngx_mesh_relay_session_t *
ngx_mesh_relay_session_find(ngx_mesh_relay_zone_t *zone, ngx_str_t *id)
{
    return (ngx_mesh_relay_session_t *)
               ngx_str_rbtree_lookup(&zone->sh->tree, id,
                                     ngx_crc32_long(id->data, id->len));
}


static ngx_mesh_relay_session_t *
ngx_mesh_relay_session_create(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_key_t *key)
{
    size_t                     size;
    ngx_mesh_relay_session_t  *ss;

    size = sizeof(ngx_mesh_relay_session_t) + key->id.len;

    ss = ngx_mesh_relay_zone_alloc(zone, size);
    if (ss == NULL) {
        return NULL;
    }

    ngx_memzero(ss, sizeof(ngx_mesh_relay_session_t));

    ss->sn.str.len = key->id.len;
    ss->sn.str.data = (u_char *) ss + sizeof(ngx_mesh_relay_session_t);
    ngx_memcpy(ss->sn.str.data, key->id.data, key->id.len);

    ss->sn.node.key = ngx_crc32_long(key->id.data, key->id.len);
    ss->node = key->servicer->node->state;

    pocket_session_init(&ss->machine, key->height, &ss->node->status);

    ngx_rbtree_insert(&zone->sh->tree, &ss->sn.node);
    ngx_queue_insert_head(&zone->sh->lru, &ss->lru);
    ngx_queue_insert_head(&zone->sh->all, &ss->all);

    ngx_mesh_relay_session_file(zone, ss);

    return ss;
}


static void
ngx_mesh_relay_session_destroy(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss)
{
    ngx_rbtree_delete(&zone->sh->tree, &ss->sn.node);
    ngx_queue_remove(&ss->lru);
    ngx_queue_remove(&ss->all);

    if (ss->is_pending) {
        ngx_queue_remove(&ss->pending);
    }

    if (ss->dispatch) {
        ngx_slab_free_locked(zone->shpool, ss->dispatch);
    }

    ngx_slab_free_locked(zone->shpool, ss);
}


/* in pending is what the node has not answered, or will be asked again */

static void
ngx_mesh_relay_session_file(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss)
{
    ngx_uint_t  pending;

    pending = (ss->machine.state == POCKET_SESSION_UNVALIDATED
               || ss->machine.unverified);

    if (pending && !ss->is_pending) {
        ngx_queue_insert_tail(&zone->sh->pending, &ss->pending);

    } else if (!pending && ss->is_pending) {
        ngx_queue_remove(&ss->pending);
    }

    ss->is_pending = pending;
}


/* a dispatch is a courtesy: without room for it, it is not kept */

static void
ngx_mesh_relay_session_keep(ngx_mesh_relay_zone_t *zone,
    ngx_mesh_relay_session_t *ss, ngx_str_t *dispatch)
{
    if (ss->dispatch
        || dispatch->len == 0
        || dispatch->len > NGX_MESH_RELAY_DISPATCH_MAX)
    {
        return;
    }

    ss->dispatch = ngx_slab_alloc_locked(zone->shpool, dispatch->len);

    if (ss->dispatch) {
        ngx_memcpy(ss->dispatch, dispatch->data, dispatch->len);
        ss->dispatch_len = dispatch->len;
    }
}


static void
ngx_mesh_relay_session_conf(ngx_mesh_relay_main_conf_t *mcf,
    pocket_session_conf_t *conf)
{
    conf->retry_max = (uint32_t) mcf->session_retries;
    conf->unvalidated_max = (uint32_t) mcf->unvalidated_max;
}
