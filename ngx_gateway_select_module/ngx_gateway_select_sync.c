
/*
 * The life of what is shared: turns of the chains, leases, connections.
 */


#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_check.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_sync.h"


#define NGX_GATEWAY_SELECT_SYNC_TICK    100        /* ms */
#define NGX_GATEWAY_SELECT_SYNC_EVERY   1000       /* ms */
#define NGX_GATEWAY_SELECT_SYNC_LATER   10000      /* ms, after an error */
#define NGX_GATEWAY_SELECT_SYNC_LEASE   5000       /* ms, in Redis */
#define NGX_GATEWAY_SELECT_SYNC_MARGIN  1000       /* and less here */


static void ngx_gateway_select_sync_handler(ngx_event_t *ev);
static void ngx_gateway_select_sync_release(
    ngx_gateway_select_sync_t *sync);
static void ngx_gateway_select_sync_rest(ngx_gateway_select_sync_t *sync);
static ngx_uint_t ngx_gateway_select_sync_turn(
    ngx_gateway_select_sync_t *sync, ngx_uint_t i);
static ngx_gateway_select_sync_chain_t *ngx_gateway_select_sync_chain(
    ngx_gateway_select_sync_t *sync, ngx_gateway_select_chain_sh_t *chain);
static ngx_int_t ngx_gateway_select_sync_keys(
    ngx_gateway_select_sync_chain_t *sc);
static void ngx_gateway_select_sync_summed_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_gateway_select_sync_failed(
    ngx_gateway_select_sync_chain_t *sc, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply);
static ngx_msec_t ngx_gateway_select_sync_wait(ngx_msec_t wait);
static void ngx_gateway_select_sync_connected(
    ngx_gateway_select_sync_t *sync);
static void ngx_gateway_select_sync_lost(ngx_gateway_select_sync_t *sync,
    ngx_uint_t lost);


#define ngx_gateway_select_sync_due(at)                                       \
    ((ngx_msec_int_t) (ngx_current_msec - (at)) >= 0)


ngx_int_t
ngx_gateway_select_sync_scripts(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                  i;
    ngx_gateway_select_sync_t  *sync;

    if (gmcf->mesh.redis == NULL) {
        return NGX_OK;
    }

    sync = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_sync_t));
    if (sync == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < GATEWAY_SCRIPTS; i++) {

        /* the layouts are one */

        sync->scripts[i] = mesh_redis_script_add(cf, gmcf->mesh.redis,
                                     (ngx_str_t *) &gateway_scripts[i].name,
                                     (ngx_str_t *) &gateway_scripts[i].text);
        if (sync->scripts[i] == NULL) {
            return NGX_ERROR;
        }
    }

    sync->gmcf = gmcf;
    gmcf->sync = sync;

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_sync_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_sync_t  *sync;

    sync = gmcf->sync;

    if (sync == NULL) {
        return NGX_OK;
    }

    sync->timer.handler = ngx_gateway_select_sync_handler;
    sync->timer.data = sync;
    sync->timer.log = cycle->log;
    sync->timer.cancelable = 1;

    ngx_add_timer(&sync->timer, NGX_GATEWAY_SELECT_SYNC_TICK);

    ngx_gateway_select_check_lease(gmcf, ngx_gateway_select_sync_lease);

    gmcf->redis = mesh_redis_create(cycle, gmcf->mesh.redis, "gateway", 0,
                                    NULL, NULL);

    return gmcf->redis ? NGX_OK : NGX_ERROR;
}


void
ngx_gateway_select_sync_exit(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_sync_t  *sync;

    sync = gmcf->sync;

    if (sync == NULL) {
        return;
    }

    ngx_gateway_select_sync_release(sync);
    ngx_gateway_select_sync_rest(sync);

    if (sync->timer.timer_set) {
        ngx_del_timer(&sync->timer);
    }

    mesh_redis_close(gmcf->redis);
    gmcf->redis = NULL;

    if (sync->buffer) {
        ngx_free(sync->buffer);
        sync->buffer = NULL;
    }
}


ngx_str_t *
ngx_gateway_select_region(ngx_gateway_select_main_conf_t *gmcf)
{
    static ngx_str_t  region = ngx_string("default");

    return gmcf->mesh.region.len ? &gmcf->mesh.region : &region;
}


ngx_int_t
ngx_gateway_select_sync_eval(ngx_gateway_select_main_conf_t *gmcf,
    gateway_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv, mesh_redis_handler_pt handler, void *data,
    mesh_redis_cmd_t **cmd)
{
    return mesh_redis_eval(gmcf->redis, gmcf->sync->scripts[script], nkeys,
                           argc, argv, handler, data, cmd);
}


ngx_uint_t
ngx_gateway_select_sync_lease(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_gateway_select_sync_chain_t  *sc;

    sc = gmcf->sync->chains[chain->index];

    if (sc == NULL) {
        return 0;
    }

    if (sc->leased && !ngx_gateway_select_sync_due(sc->lease)) {
        return 1;
    }

    /* alone, as far as can be told */

    return ngx_current_msec - sc->answered > NGX_GATEWAY_SELECT_SYNC_LEASE;
}


static void
ngx_gateway_select_sync_handler(ngx_event_t *ev)
{
    ngx_gateway_select_sync_t *sync = ev->data;

    ngx_msec_t                wait;
    ngx_uint_t                i, n;
    ngx_gateway_select_sh_t  *sh;

    wait = NGX_GATEWAY_SELECT_SYNC_TICK;

    if (ngx_exiting || ngx_terminate) {
        ngx_gateway_select_sync_release(sync);
        ngx_gateway_select_sync_rest(sync);
        return;
    }

    if (!ngx_gateway_select_leading(sync->gmcf)) {
        ngx_gateway_select_sync_rest(sync);
        ngx_add_timer(ev, wait);
        return;
    }

    sync->leading = 1;

    if (mesh_redis_state(sync->gmcf->redis) == MESH_REDIS_READY
        && mesh_redis_stats(sync->gmcf->redis)->connects != sync->connects)
    {
        sync->connects = mesh_redis_stats(sync->gmcf->redis)->connects;
        ngx_gateway_select_sync_connected(sync);
    }

    /* at most one chain in a turn does something */

    sh = ngx_gateway_select_zone(sync->gmcf)->sh;
    n = sh->nchains;

    for (i = 0; i < n; i++) {

        if (sync->index >= n) {
            sync->index = 0;
        }

        if (ngx_gateway_select_sync_turn(sync, sync->index++)) {
            wait = 1;
            break;
        }
    }

    ngx_add_timer(ev, wait);
}


/* Others need not wait for the end of the leases; one who leads here does. */

static void
ngx_gateway_select_sync_release(ngx_gateway_select_sync_t *sync)
{
    ngx_str_t                         argv[2];
    ngx_uint_t                        i;
    ngx_gateway_select_sh_t          *sh;
    ngx_gateway_select_sync_chain_t  *sc;

    sh = ngx_gateway_select_zone(sync->gmcf)->sh;

    if (sh->leader != 0 && sh->leader != ngx_pid) {
        return;
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_CHAINS_MAX; i++) {

        sc = sync->chains[i];

        if (sc == NULL
            || !sc->leased
            || ngx_gateway_select_sync_due(sc->lease))
        {
            continue;
        }

        argv[0] = sc->keys[GATEWAY_KEY_LEASE];
        argv[1].data = sh->id;
        argv[1].len = NGX_GATEWAY_SELECT_ID_LEN;

        (void) ngx_gateway_select_sync_eval(sync->gmcf,
                                            GATEWAY_SCRIPT_RELEASE, 1, 2,
                                            argv, NULL, NULL, NULL);
    }
}


/* Another leads, or this worker ends: answers are not waited for. */

static void
ngx_gateway_select_sync_rest(ngx_gateway_select_sync_t *sync)
{
    ngx_uint_t                        i;
    ngx_gateway_select_sync_chain_t  *sc;

    if (!sync->leading) {
        return;
    }

    sync->leading = 0;
    sync->connects = 0;

    for (i = 0; i < NGX_GATEWAY_SELECT_CHAINS_MAX; i++) {

        sc = sync->chains[i];

        if (sc == NULL) {
            continue;
        }

        if (sc->cmd) {
            mesh_redis_cancel(sc->cmd);
        }

        ngx_free(sc);
        sync->chains[i] = NULL;
    }
}


/* 1: it did something that takes its time */

static ngx_uint_t
ngx_gateway_select_sync_turn(ngx_gateway_select_sync_t *sync, ngx_uint_t i)
{
    ngx_int_t                         rc;
    ngx_gateway_select_admins_t      *admins;
    ngx_gateway_select_chain_sh_t    *chain;
    ngx_gateway_select_sync_chain_t  *sc;

    chain = ngx_gateway_select_zone(sync->gmcf)->sh->chains[i];
    sc = sync->chains[i];

    if (sc == NULL) {
        sc = ngx_gateway_select_sync_chain(sync, chain);

        if (sc == NULL) {
            return 0;
        }
    }

    if (sc->state != NGX_GATEWAY_SELECT_SYNC_IDLE
        || mesh_redis_state(sync->gmcf->redis) != MESH_REDIS_READY)
    {
        return 0;
    }

    /* verbs are told at once, whichever worker took them */

    admins = chain->verbs;

    if (ngx_gateway_select_sync_due(sc->due)
        || (admins && admins->pending && !sc->alien && !sc->failed))
    {
        sc->issued = ngx_current_msec;

        rc = ngx_gateway_select_sync_push(sc);

        if (rc == NGX_OK) {
            sc->state = NGX_GATEWAY_SELECT_SYNC_CALLED;

        } else if (rc != NGX_AGAIN) {
            sc->due = ngx_current_msec
                      + ngx_gateway_select_sync_wait(
                                              NGX_GATEWAY_SELECT_SYNC_EVERY);
        }

        return 1;
    }

    if (sc->alien) {
        return 0;
    }

    rc = ngx_gateway_select_sync_sums(sc,
                                      ngx_gateway_select_sync_summed_answer);
    if (rc == NGX_OK) {
        sc->state = NGX_GATEWAY_SELECT_SYNC_SUMS;
    }

    return rc != NGX_DECLINED;
}


/* NULL: no memory, or a chain of another configuration. */

static ngx_gateway_select_sync_chain_t *
ngx_gateway_select_sync_chain(ngx_gateway_select_sync_t *sync,
    ngx_gateway_select_chain_sh_t *chain)
{
    size_t                            len;
    u_char                           *p;
    ngx_str_t                         name;
    ngx_uint_t                        i;
    ngx_gateway_select_chain_t       *conf;
    ngx_gateway_select_sync_chain_t  *sc;

    name.len = chain->name_len;
    name.data = chain->name;

    conf = ngx_gateway_select_chain(sync->gmcf, &name);

    if (conf->sh != chain && chain->sessions == NULL) {
        return NULL;
    }

    len = sizeof("gateway:{}::") + sizeof("evidence") + name.len
          + ngx_gateway_select_region(sync->gmcf)->len;

    sc = ngx_alloc(sizeof(ngx_gateway_select_sync_chain_t)
                   + GATEWAY_KEYS * len, ngx_cycle->log);
    if (sc == NULL) {
        return NULL;
    }

    ngx_memzero(sc, sizeof(ngx_gateway_select_sync_chain_t));

    p = (u_char *) sc + sizeof(ngx_gateway_select_sync_chain_t);

    for (i = 0; i < GATEWAY_KEYS; i++) {
        sc->keys[i].data = p + i * len;
    }

    sc->sync = sync;
    sc->conf = conf;
    sc->chain = chain;
    sc->answered = ngx_current_msec;
    sc->due = ngx_current_msec;

    if (ngx_gateway_select_sync_keys(sc) != NGX_OK) {
        ngx_free(sc);
        return NULL;
    }

    sync->chains[chain->index] = sc;

    return sc;
}


static ngx_int_t
ngx_gateway_select_sync_keys(ngx_gateway_select_sync_chain_t *sc)
{
    u_char      *p;
    ngx_str_t    name;
    ngx_uint_t   i;

    name.len = sc->chain->name_len;
    name.data = sc->chain->name;

    for (i = 0; i < GATEWAY_KEYS; i++) {

        p = ngx_sprintf(sc->keys[i].data, "gateway:{%V}:%s", &name,
                        gateway_key_names[i]);

        switch (i) {

        case GATEWAY_KEY_HEALTH:
        case GATEWAY_KEY_REV:
        case GATEWAY_KEY_PEERS:
        case GATEWAY_KEY_LEASE:
            p = ngx_sprintf(p, ":%V",
                            ngx_gateway_select_region(sc->sync->gmcf));
            break;

        default:
            break;
        }

        sc->keys[i].len = p - sc->keys[i].data;
    }

    return ngx_gateway_select_sync_shared(sc) ? NGX_OK : NGX_ERROR;
}


void
ngx_gateway_select_sync_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_gateway_select_sync_chain_t *sc = data;

    ngx_uint_t  more;

    sc->cmd = NULL;
    sc->state = NGX_GATEWAY_SELECT_SYNC_IDLE;

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_ARRAY
        || reply->nelts != 8)
    {
        ngx_gateway_select_sync_failed(sc, outcome, reply);
        return;
    }

    sc->alien = 0;
    sc->failed = 0;
    sc->answered = ngx_current_msec;

    /* of the time before it was asked for: it ends here before it does there */

    sc->leased = (reply->elts[1].integer == 1);
    sc->lease = sc->issued + NGX_GATEWAY_SELECT_SYNC_LEASE
                - NGX_GATEWAY_SELECT_SYNC_MARGIN;

    more = ngx_gateway_select_sync_take(sc, reply);

    sc->due = ngx_current_msec;

    if (!more && sc->position == 0) {
        sc->due += ngx_gateway_select_sync_wait(NGX_GATEWAY_SELECT_SYNC_EVERY);
    }
}


static void
ngx_gateway_select_sync_failed(ngx_gateway_select_sync_chain_t *sc,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply)
{
    ngx_str_t  name;

    ngx_gateway_select_admin_told(sc->sync->gmcf, sc->chain, 0);

    sc->due = ngx_current_msec
              + ngx_gateway_select_sync_wait(NGX_GATEWAY_SELECT_SYNC_EVERY);

    if (reply == NULL) {
        return;
    }

    name.len = sc->chain->name_len;
    name.data = sc->chain->name;

    sc->due = ngx_current_msec
              + ngx_gateway_select_sync_wait(NGX_GATEWAY_SELECT_SYNC_LATER);

    if (outcome == MESH_REDIS_ANSWERED) {

        if (!sc->alien) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "chain \"%V\" is not shared: \"%V\" in redis has "
                          "schema \"%V\", this version of the module knows "
                          "\"" GATEWAY_SCHEMA "\"",
                          &name, &sc->keys[GATEWAY_KEY_SCHEMA], &reply->str);
        }

        sc->alien = 1;
        return;
    }

    if (!sc->failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "chain \"%V\" is not shared: redis says \"%V\"",
                      &name, &reply->str);
    }

    sc->failed = 1;
}


static void
ngx_gateway_select_sync_summed_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply)
{
    ngx_gateway_select_sync_chain_t *sc = data;

    sc->cmd = NULL;
    sc->state = NGX_GATEWAY_SELECT_SYNC_IDLE;

    if (outcome == MESH_REDIS_ANSWERED) {
        ngx_gateway_select_sync_summed(sc);
    }
}


/* so that gateways which began at once do not stay together */

static ngx_msec_t
ngx_gateway_select_sync_wait(ngx_msec_t wait)
{
    return wait - ngx_random() % (wait / 8);
}


/* A server was reached, again or by another worker than before. */

static void
ngx_gateway_select_sync_connected(ngx_gateway_select_sync_t *sync)
{
    ngx_str_t                *run, *replication;
    ngx_uint_t                lost;
    ngx_gateway_select_sh_t  *sh;

    sh = ngx_gateway_select_zone(sync->gmcf)->sh;
    run = mesh_redis_run_id(sync->gmcf->redis);
    replication = mesh_redis_replication_id(sync->gmcf->redis);

    lost = 1;

    if (run->len == MESH_REDIS_ID_LEN && replication->len == MESH_REDIS_ID_LEN)
    {
        lost = ngx_memcmp(sh->run_id, run->data, run->len) != 0
               || ngx_memcmp(sh->replication_id, replication->data,
                             replication->len)
                  != 0;

        ngx_memcpy(sh->run_id, run->data, run->len);
        ngx_memcpy(sh->replication_id, replication->data, replication->len);
    }

    ngx_gateway_select_sync_lost(sync, lost);
}


/* Its revisions may not be those that are known; lost: nor its rows. */

static void
ngx_gateway_select_sync_lost(ngx_gateway_select_sync_t *sync, ngx_uint_t lost)
{
    uint32_t                         n;
    ngx_uint_t                       i;
    ngx_gateway_select_shared_t     *shared;
    ngx_gateway_select_chain_sh_t  **chains;

    if (ngx_gateway_select_leader_lock(sync->gmcf) != NGX_OK) {
        return;
    }

    chains = ngx_gateway_select_zone(sync->gmcf)->sh->chains;

    for (i = 0; i < NGX_GATEWAY_SELECT_CHAINS_MAX && chains[i]; i++) {

        shared = chains[i]->shared;

        if (shared == NULL) {
            continue;
        }

        shared->revision = 0;

        for (n = 0; lost && n < chains[i]->nnodes; n++) {
            if (shared->chunks[n / NGX_GATEWAY_SELECT_CHUNK]) {
                ngx_gateway_select_synced(shared, n)->whole = 1;
            }
        }

        if (sync->chains[i]) {
            sync->chains[i]->due = ngx_current_msec;
        }
    }

    ngx_gateway_select_leader_unlock(sync->gmcf);
}
