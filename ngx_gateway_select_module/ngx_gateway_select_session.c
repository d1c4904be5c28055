
/*
 * What servicers tell of sessions, by any worker: codes, and dispatches, which
 * go to the leader as letters in the zone.
 */


#include "ngx_gateway_select_registry.h"
#include "ngx_gateway_select_checker.h"
#include "pocket_node.h"


#define NGX_GATEWAY_SELECT_SESSION_POOL    4096

/* 90: so many times, the last of them in a later block than the first */

#define NGX_GATEWAY_SELECT_SEALED          3
#define NGX_GATEWAY_SELECT_SEALED_COUNT    0xff


/* codes of pocketcore */

typedef enum {
    NGX_GATEWAY_SELECT_NOT_IN_SESSION = 14,
    NGX_GATEWAY_SELECT_BAD_HEIGHT = 60,
    NGX_GATEWAY_SELECT_OVER_SERVICE = 71,
    NGX_GATEWAY_SELECT_OUT_OF_SYNC = 75,
    NGX_GATEWAY_SELECT_IS_SEALED = 90
} ngx_gateway_select_code_e;


static ngx_gateway_select_session_t *ngx_gateway_select_session_of(
    ngx_gateway_select_pick_t *pick);
static ngx_uint_t ngx_gateway_select_session_sealed(
    ngx_gateway_select_session_t *session, uint32_t place,
    ngx_atomic_uint_t height);
static ngx_uint_t ngx_gateway_select_session_near(
    ngx_gateway_select_sh_t *sh, ngx_gateway_select_session_t *session);
static void ngx_gateway_select_session_wait(
    ngx_gateway_select_session_t *session, uint32_t place);
static void ngx_gateway_select_session_set(ngx_atomic_t *bits,
    uint32_t place);
static ngx_int_t ngx_gateway_select_letter_send(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_session_t *session, uint64_t height,
    ngx_str_t *text);
static ngx_uint_t ngx_gateway_select_letter_known(
    ngx_gateway_select_sh_t *sh, ngx_gateway_select_letter_t *letter);


ngx_gateway_select_session_e
ngx_gateway_select_session_outcome(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_uint_t code)
{
    ngx_gateway_select_sh_t       *sh;
    ngx_gateway_select_session_t  *session;

    if (pick->session == NGX_GATEWAY_SELECT_NO_SESSION) {
        return NGX_GATEWAY_SELECT_SESSION_FAULT;
    }

    sh = ngx_gateway_select_zone(gmcf)->sh;
    session = ngx_gateway_select_session_of(pick);

    switch (code) {

    case NGX_GATEWAY_SELECT_OVER_SERVICE:
        break;

    case NGX_GATEWAY_SELECT_IS_SEALED:

        if (session == NULL) {
            return NGX_GATEWAY_SELECT_SESSION_NOT_READY;
        }

        if (session->used[pick->place] >= session->allowance
            || ngx_gateway_select_session_sealed(session, pick->place,
                                                 sh->block_height))
        {
            break;
        }

        ngx_gateway_select_session_wait(session, pick->place);

        return NGX_GATEWAY_SELECT_SESSION_NOT_READY;

    case NGX_GATEWAY_SELECT_NOT_IN_SESSION:
    case NGX_GATEWAY_SELECT_BAD_HEIGHT:
    case NGX_GATEWAY_SELECT_OUT_OF_SYNC:

        /* a session that has ended meanwhile was at its boundary */

        if (session == NULL) {
            return NGX_GATEWAY_SELECT_SESSION_NOT_READY;
        }

        sh->hurry = 1;

        if (!ngx_gateway_select_session_near(sh, session)) {
            return NGX_GATEWAY_SELECT_SESSION_FAULT;
        }

        ngx_gateway_select_session_wait(session, pick->place);

        return NGX_GATEWAY_SELECT_SESSION_NOT_READY;

    default:
        return NGX_GATEWAY_SELECT_SESSION_FAULT;
    }

    if (session) {
        ngx_gateway_select_session_set(&session->refused, pick->place);
        pick->chain->dirty = 1;
    }

    return NGX_GATEWAY_SELECT_SESSION_OUT;
}


/* The pick's session; NULL: it is over. */

static ngx_gateway_select_session_t *
ngx_gateway_select_session_of(ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_session_t  *session;

    session = &pick->chain->sessions[pick->session];

    return (session->generation == pick->session_generation
            && session->height)
           ? session : NULL;
}


/* Counts it once more: 1, it is told often enough to be believed. */

static ngx_uint_t
ngx_gateway_select_session_sealed(ngx_gateway_select_session_t *session,
    uint32_t place, ngx_atomic_uint_t height)
{
    ngx_atomic_uint_t  old, new, count, first;

    do {
        old = session->sealed[place];
        count = old & NGX_GATEWAY_SELECT_SEALED_COUNT;
        first = count ? old >> 8 : height;

        if (count < NGX_GATEWAY_SELECT_SEALED_COUNT) {
            count++;
        }

        new = first << 8 | count;

    } while (!ngx_atomic_cmp_set(&session->sealed[place], old, new));

    return count >= NGX_GATEWAY_SELECT_SEALED && height > first;
}


/*
 * Is it within a block of the session's first, or of that of the next one?
 * Where the height is not known, it may be.
 */

static ngx_uint_t
ngx_gateway_select_session_near(ngx_gateway_select_sh_t *sh,
    ngx_gateway_select_session_t *session)
{
    ngx_atomic_uint_t  height, blocks;

    height = sh->block_height;
    blocks = sh->session_blocks ? sh->session_blocks
                                : POCKET_NODE_BLOCKS_PER_SESSION;

    return height <= session->height
           || height >= session->height + blocks - 1;
}


/* Never do all of them wait: then those that have for longest are tried. */

static void
ngx_gateway_select_session_wait(ngx_gateway_select_session_t *session,
    uint32_t place)
{
    ngx_atomic_uint_t  old, new, bit, left;

    bit = (ngx_atomic_uint_t) 1 << place;

    left = (session->nnodes < NGX_GATEWAY_SELECT_SESSION_NODES)
               ? ((ngx_atomic_uint_t) 1 << session->nnodes) - 1
               : ~(ngx_atomic_uint_t) 0;
    left &= ~session->refused;

    do {
        old = session->waiting;
        new = old | bit;

        if ((new & left) == left) {
            new = ((bit & left) == left) ? 0 : bit;
        }

    } while (!ngx_atomic_cmp_set(&session->waiting, old, new));

    session->waiting_at = ngx_current_msec;
}


static void
ngx_gateway_select_session_set(ngx_atomic_t *bits, uint32_t place)
{
    ngx_atomic_uint_t  old;

    do {
        old = *bits;

    } while (!ngx_atomic_cmp_set(bits, old,
                                 old | (ngx_atomic_uint_t) 1 << place));
}


gateway_app_t *
ngx_gateway_select_session_app(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, uint64_t *height)
{
    ngx_uint_t                     i, n;
    gateway_app_t                 *app;
    ngx_gateway_select_session_t  *session;
    u_char                         key[GATEWAY_DISPATCH_KEY];

    if (pick->session == NGX_GATEWAY_SELECT_NO_SESSION) {
        return NULL;
    }

    session = &pick->chain->sessions[pick->session];

    *height = session->height;
    n = session->app;
    ngx_memcpy(key, session->app_key, sizeof(key));

    ngx_gateway_select_read_barrier();

    if (ngx_gateway_select_session_of(pick) == NULL) {
        return NULL;
    }

    for (i = 0; i < gmcf->apps.n; i++) {

        app = &gmcf->apps.apps[(n + i) % gmcf->apps.n];

        if (ngx_memcmp(app->aat.app_pub_key.data, key, sizeof(key)) == 0) {
            return app;
        }
    }

    return NULL;
}


ngx_int_t
ngx_gateway_select_session_refresh(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_str_t *dispatch)
{
    int                            rc;
    uint64_t                       height;
    ngx_pool_t                    *pool;
    const char                    *reason;
    pocket_str_t                   app, chain;
    pocket_alloc_t                 a;
    gateway_dispatch_t            *told;
    ngx_gateway_select_session_t  *session;

    if (pick->session == NGX_GATEWAY_SELECT_NO_SESSION
        || dispatch->len > NGX_GATEWAY_SELECT_LETTER_MAX)
    {
        return NGX_DECLINED;
    }

    session = ngx_gateway_select_session_of(pick);

    if (session == NULL) {
        return NGX_DECLINED;
    }

    pool = ngx_create_pool(NGX_GATEWAY_SELECT_SESSION_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    mesh_pool_allocator(pool, &a);

    app.data = session->app_key;
    app.len = GATEWAY_DISPATCH_KEY;
    chain.data = pick->chain->name;
    chain.len = pick->chain->name_len;

    rc = POCKET_ERROR;
    height = 0;

    told = pocket_alloc(&a, sizeof(gateway_dispatch_t));

    if (told) {
        rc = gateway_dispatch_session((pocket_str_t *) dispatch, &app, &chain,
                                      0, told, &reason, &a);
        height = (uint64_t) told->height;
    }

    ngx_destroy_pool(pool);

    if (rc != 1 || height <= session->height) {
        return (rc == POCKET_ERROR) ? NGX_ERROR : NGX_DECLINED;
    }

    ngx_gateway_select_zone(gmcf)->sh->hurry = 1;

    return ngx_gateway_select_letter_send(gmcf, pick, session, height,
                                          dispatch);
}


static ngx_int_t
ngx_gateway_select_letter_send(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_session_t *session,
    uint64_t height, ngx_str_t *text)
{
    ngx_int_t                     rc;
    ngx_gateway_select_sh_t      *sh;
    ngx_gateway_select_zone_t    *zone;
    ngx_gateway_select_letter_t  *letter;

    zone = ngx_gateway_select_zone(gmcf);
    sh = zone->sh;
    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    letter = NULL;

    if (sh->nletters < NGX_GATEWAY_SELECT_LETTERS) {
        letter = ngx_gateway_select_zone_alloc(zone,
                                  offsetof(ngx_gateway_select_letter_t, data)
                                  + text->len);
    }

    if (letter) {
        letter->chain = pick->chain;
        letter->height = height;
        letter->operator = ngx_gateway_select_node(pick->chain, pick->node)
                                                                    ->operator;
        letter->alone = ngx_gateway_select_session_alone(pick->chain, session);
        letter->len = text->len;

        ngx_memcpy(letter->app_key, session->app_key, GATEWAY_DISPATCH_KEY);
        ngx_memcpy(letter->data, text->data, text->len);

        if (ngx_gateway_select_letter_known(sh, letter)) {
            ngx_slab_free_locked(zone->shpool, letter);

        } else {
            ngx_queue_insert_tail(&sh->letters, &letter->queue);
            sh->nletters++;
            rc = NGX_OK;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_uint_t
ngx_gateway_select_session_alone(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    uint32_t  i, first, other;

    first = 0;

    for (i = 0; i < session->nnodes; i++) {

        if (session->nodes[i] >= chain->nnodes) {
            continue;
        }

        other = ngx_gateway_select_node(chain, session->nodes[i])->operator;

        if (i == 0) {
            first = other;

        } else if (other != first) {
            return 0;
        }
    }

    return 1;
}


/* The same operator has written already. */

static ngx_uint_t
ngx_gateway_select_letter_known(ngx_gateway_select_sh_t *sh,
    ngx_gateway_select_letter_t *letter)
{
    ngx_queue_t                  *q;
    ngx_gateway_select_letter_t  *other;

    for (q = ngx_queue_head(&sh->letters);
         q != ngx_queue_sentinel(&sh->letters);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_gateway_select_letter_t, queue);

        if (other->chain == letter->chain
            && other->height == letter->height
            && other->operator == letter->operator
            && ngx_memcmp(other->app_key, letter->app_key,
                          GATEWAY_DISPATCH_KEY)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}
