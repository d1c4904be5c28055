
/*
 * Sessions in the zone: how they come, take over from the one before, and end.
 * The leader alone.
 */


#include "ngx_gateway_select_account.h"
#include "ngx_gateway_select_registry.h"
#include "pocket_session.h"


#define NGX_GATEWAY_SELECT_SESSIONS_FIRST  8

/* weights of a new session rise from the first part to all in this time */

#define NGX_GATEWAY_SELECT_RAMP_STEP       200      /* ms */
#define NGX_GATEWAY_SELECT_RAMP_MIN        1000
#define NGX_GATEWAY_SELECT_RAMP_MAX        5000
#define NGX_GATEWAY_SELECT_RAMP_PART       16       /* of a block */
#define NGX_GATEWAY_SELECT_RAMP_FIRST      0.05

/* what the session before keeps: for nodes that are not ready for the new */

#define NGX_GATEWAY_SELECT_RAMP_LEFT       0.01

/* a node that was not ready is tried again */

#define NGX_GATEWAY_SELECT_WAIT            1000


typedef struct {
    uint32_t             n;
    uint32_t             nodes[NGX_GATEWAY_SELECT_SESSION_NODES];
} ngx_gateway_select_seats_t;


static void ngx_gateway_select_served_nodes(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch, ngx_gateway_select_seats_t *seats);
static ngx_gateway_select_session_t *ngx_gateway_select_served_place(
    ngx_gateway_select_pair_t *pair, uint64_t height);
static ngx_int_t ngx_gateway_select_served_grow(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain);
static void ngx_gateway_select_served_fill(ngx_gateway_select_pair_t *pair,
    ngx_gateway_select_session_t *session, gateway_dispatch_t *dispatch,
    ngx_gateway_select_seats_t *seats);
static void ngx_gateway_select_served_seat(
    ngx_gateway_select_session_t *session,
    ngx_gateway_select_seats_t *seats);
static ngx_uint_t ngx_gateway_select_served_of(
    ngx_gateway_select_session_t *session, ngx_gateway_select_pair_t *pair);
static ngx_gateway_select_session_t *ngx_gateway_select_served_newer(
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static ngx_uint_t ngx_gateway_select_served_over(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static ngx_uint_t ngx_gateway_select_served_unwanted(
    ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static void ngx_gateway_select_served_end(
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static void ngx_gateway_select_served_times(gateway_blocks_t *blocks,
    ngx_gateway_select_session_t *session);
static ngx_uint_t ngx_gateway_select_served_ramp(
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session, double step);


ngx_int_t
ngx_gateway_select_session_publish(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch)
{
    ngx_str_t                      *name;
    ngx_gateway_select_seats_t      seats;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_registry_t  *registry;

    registry = pair->query.registry;

    ngx_gateway_select_served_nodes(pair, dispatch, &seats);

    if (seats.n == 0) {
        return NGX_ERROR;
    }

    if (ngx_gateway_select_leader_lock(registry->gmcf) != NGX_OK) {
        return NGX_DECLINED;
    }

    session = ngx_gateway_select_served_place(pair,
                                              (uint64_t) dispatch->height);
    if (session) {
        ngx_gateway_select_served_fill(pair, session, dispatch, &seats);
    }

    ngx_gateway_select_leader_unlock(registry->gmcf);

    if (session == NULL) {
        ngx_gateway_select_zone_warn(ngx_gateway_select_zone(registry->gmcf));
        return NGX_ERROR;
    }

    name = (ngx_str_t *) &pair->app->conf->name;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "session %L of application \"%V\" on chain \"%*s\": "
                  "%uD nodes, %uL relays each", dispatch->height, name,
                  (size_t) pair->chain->name_len, pair->chain->name,
                  seats.n, session->allowance);

    pair->height = dispatch->height;
    pair->kept = 0;
    pair->hearsay = 0;
    pair->told = 0;

    registry->ramping = 1;

    /* what others have sent in it is asked for at once */

    registry->counted = 0;

    ngx_gateway_select_session_sweep(registry);
    ngx_gateway_select_rank_soon(registry->gmcf, pair->chain);

    return NGX_OK;
}


/* A node that the zone has no room for is left out. */

static void
ngx_gateway_select_served_nodes(ngx_gateway_select_pair_t *pair,
    gateway_dispatch_t *dispatch, ngx_gateway_select_seats_t *seats)
{
    uint32_t                         i;
    ngx_int_t                        slot;
    ngx_str_t                       *key, *url, operator;
    ngx_gateway_select_main_conf_t  *gmcf;
    u_char                           buf[GATEWAY_OPERATOR_LEN];

    gmcf = pair->query.registry->gmcf;
    seats->n = 0;

    for (i = 0; i < dispatch->n; i++) {

        key = (ngx_str_t *) &dispatch->nodes[i].public_key;
        url = (ngx_str_t *) &dispatch->nodes[i].url;

        ngx_gateway_select_operator_of(gmcf, url, buf, &operator);

        slot = ngx_gateway_select_zone_node(gmcf, pair->chain, key, url,
                                            &operator);
        if (slot != NGX_ERROR) {
            seats->nodes[seats->n++] = (uint32_t) slot;
        }
    }
}


/* That of the same session, else a free one; NULL: no memory.  Locked. */

static ngx_gateway_select_session_t *
ngx_gateway_select_served_place(ngx_gateway_select_pair_t *pair,
    uint64_t height)
{
    ngx_uint_t                      i;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = pair->chain;

    session = ngx_gateway_select_session_find(pair, height);

    if (session) {
        return session;
    }

    for (i = 0; i < chain->nsessions; i++) {
        if (chain->sessions[i].height == 0) {
            return &chain->sessions[i];
        }
    }

    if (ngx_gateway_select_served_grow(pair->query.registry, chain)
        != NGX_OK)
    {
        return NULL;
    }

    return &chain->sessions[i];
}


ngx_gateway_select_session_t *
ngx_gateway_select_session_find(ngx_gateway_select_pair_t *pair,
    uint64_t height)
{
    ngx_uint_t                     i;
    ngx_gateway_select_session_t  *session;

    for (i = 0; i < pair->chain->nsessions; i++) {

        session = &pair->chain->sessions[i];

        if (session->height == height
            && ngx_gateway_select_served_of(session, pair))
        {
            return session;
        }
    }

    return NULL;
}


/*
 * Readers may go on with the old places for a moment: their memory stays.
 * All that is ever left behind is less than what is in use.
 */

static ngx_int_t
ngx_gateway_select_served_grow(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_uint_t                     n;
    ngx_gateway_select_session_t  *sessions;

    n = chain->nsessions ? 2 * chain->nsessions
                         : NGX_GATEWAY_SELECT_SESSIONS_FIRST;

    if (n > NGX_GATEWAY_SELECT_SESSIONS) {
        return NGX_ERROR;
    }

    sessions = ngx_gateway_select_zone_alloc(
                                    ngx_gateway_select_zone(registry->gmcf),
                                    n * sizeof(ngx_gateway_select_session_t));
    if (sessions == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(sessions, chain->sessions,
               chain->nsessions * sizeof(ngx_gateway_select_session_t));

    chain->sessions = sessions;

    ngx_memory_barrier();

    chain->nsessions = n;

    return NGX_OK;
}


/* The lock is held. */

static void
ngx_gateway_select_served_fill(ngx_gateway_select_pair_t *pair,
    ngx_gateway_select_session_t *session, gateway_dispatch_t *dispatch,
    ngx_gateway_select_seats_t *seats)
{
    ngx_uint_t         i, first;
    gateway_blocks_t  *blocks;

    blocks = &pair->query.registry->blocks;

    session->generation |= 1;

    ngx_memory_barrier();

    if (session->height == 0) {

        first = 1;

        for (i = 0; i < pair->chain->nsessions; i++) {
            if (ngx_gateway_select_served_of(&pair->chain->sessions[i],
                                             pair))
            {
                first = 0;
            }
        }

        session->ramp = first ? 1 : NGX_GATEWAY_SELECT_RAMP_FIRST;
        session->nnodes = 0;
        session->height = (uint64_t) dispatch->height;
        session->begun = ngx_current_msec;

        ngx_memcpy(session->app_key, pair->app->conf->aat.app_pub_key.data,
                   GATEWAY_DISPATCH_KEY);
    }

    ngx_gateway_select_served_seat(session, seats);

    if (ngx_gateway_select_accounts_open(
                       ngx_gateway_select_zone(pair->query.registry->gmcf),
                       pair->chain, session)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "relays of session %uL on chain \"%*s\" are not all "
                      "counted: make \"mesh_zone\" larger",
                      session->height, (size_t) pair->chain->name_len,
                      pair->chain->name);
    }

    session->app = (uint32_t) pair->app->index;
    session->listed = dispatch->listed;
    session->allowance = gateway_dispatch_allowance(pair->app->max_relays,
                                                    pair->app->nchains,
                                                    dispatch->listed);
    ngx_gateway_select_served_times(blocks, session);

    ngx_memory_barrier();

    session->generation++;
}


/* What is known of nodes that were in the session before is kept. */

static void
ngx_gateway_select_served_seat(ngx_gateway_select_session_t *session,
    ngx_gateway_select_seats_t *seats)
{
    uint32_t                       i, k;
    ngx_gateway_select_session_t   old;

    ngx_memcpy(&old, session, sizeof(ngx_gateway_select_session_t));

    session->refused = 0;
    session->waiting = 0;
    session->nnodes = seats->n;

    for (i = 0; i < NGX_GATEWAY_SELECT_SESSION_NODES; i++) {

        session->used[i] = 0;
        session->others[i] = 0;
        session->checked[i] = 0;
        session->sealed[i] = 0;
        session->nodes[i] = NGX_GATEWAY_SELECT_NO_NODE;

        if (i >= seats->n) {
            continue;
        }

        session->nodes[i] = seats->nodes[i];

        for (k = 0; k < old.nnodes; k++) {

            if (old.nodes[k] == seats->nodes[i]) {
                session->used[i] = old.used[k];
                session->others[i] = old.others[k];
                session->checked[i] = old.checked[k];
                session->sealed[i] = old.sealed[k];
                session->refused |= (old.refused >> k & 1) << i;
            }
        }
    }
}


static ngx_uint_t
ngx_gateway_select_served_of(ngx_gateway_select_session_t *session,
    ngx_gateway_select_pair_t *pair)
{
    return session->height
           && ngx_memcmp(session->app_key,
                         pair->app->conf->aat.app_pub_key.data,
                         GATEWAY_DISPATCH_KEY)
              == 0;
}


void
ngx_gateway_select_session_adopt(ngx_gateway_select_pair_t *pair)
{
    ngx_uint_t                     i;
    ngx_gateway_select_session_t  *session;

    for (i = 0; i < pair->chain->nsessions; i++) {

        session = &pair->chain->sessions[i];

        if (!ngx_gateway_select_served_of(session, pair)) {
            continue;
        }

        session->app = (uint32_t) pair->app->index;
        pair->height = ngx_max(pair->height, (int64_t) session->height);
    }

    ngx_gateway_select_session_allow(pair);
}


void
ngx_gateway_select_session_allow(ngx_gateway_select_pair_t *pair)
{
    ngx_uint_t                     i;
    ngx_gateway_select_session_t  *session;

    for (i = 0; i < pair->chain->nsessions; i++) {

        session = &pair->chain->sessions[i];

        if (ngx_gateway_select_served_of(session, pair)) {
            session->allowance
                = gateway_dispatch_allowance(pair->app->max_relays,
                                             pair->app->nchains,
                                             session->listed);
        }
    }

    pair->chain->dirty = 1;
}


void
ngx_gateway_select_session_sweep(ngx_gateway_select_registry_t *registry)
{
    ngx_uint_t                      i, k;
    ngx_gateway_select_sh_t        *sh;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_chain_sh_t  *chain;

    sh = ngx_gateway_select_zone(registry->gmcf)->sh;

    if (ngx_gateway_select_leader_lock(registry->gmcf) != NGX_OK) {
        return;
    }

    for (i = 0; i < sh->nchains; i++) {

        chain = sh->chains[i];

        for (k = 0; k < chain->nsessions; k++) {

            session = &chain->sessions[k];

            if (session->height == 0) {
                continue;
            }

            if (ngx_gateway_select_served_unwanted(registry, chain, session)
                || ngx_gateway_select_served_over(registry, chain, session))
            {
                ngx_gateway_select_served_end(chain, session);
                continue;
            }

            ngx_gateway_select_served_times(&registry->blocks, session);
        }
    }

    ngx_gateway_select_leader_unlock(registry->gmcf);
}


/* The application is gone, or not staked for the chain any more. */

static ngx_uint_t
ngx_gateway_select_served_unwanted(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    ngx_uint_t  i;

    if (ngx_gateway_select_registry_pair(registry, chain, session->app_key)) {
        return 0;
    }

    /* it may only not have been asked for yet */

    for (i = 0; i < registry->napps; i++) {

        if (ngx_memcmp(registry->apps[i].conf->aat.app_pub_key.data,
                       session->app_key, GATEWAY_DISPATCH_KEY)
            == 0)
        {
            return registry->apps[i].status != GATEWAY_APP_UNKNOWN;
        }
    }

    return 1;
}


/*
 * Sessions end by height: the one before when its successor has had a block
 * for those that lag; one without a successor when nobody takes it any more,
 * however long its blocks last.
 */

static ngx_uint_t
ngx_gateway_select_served_over(ngx_gateway_select_registry_t *registry,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    gateway_blocks_t              *blocks;
    pocket_node_status_t           status;
    ngx_gateway_select_session_t  *newer;

    blocks = &registry->blocks;

    if (blocks->height == 0) {
        return 0;
    }

    /* after a height that was given up */

    if ((int64_t) session->height
        > gateway_blocks_next(blocks, blocks->height))
    {
        return 1;
    }

    newer = ngx_gateway_select_served_newer(chain, session);

    if (newer && blocks->height > (int64_t) newer->height) {
        return 1;
    }

    ngx_memzero(&status, sizeof(pocket_node_status_t));

    status.height = blocks->height;
    status.blocks_per_session = blocks->per_session;

    return pocket_session_expired(&status, (int64_t) session->height);
}


/* The newest of the same application; NULL: it is that itself. */

static ngx_gateway_select_session_t *
ngx_gateway_select_served_newer(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    ngx_uint_t                     i;
    ngx_gateway_select_session_t  *other, *newest;

    newest = session;

    for (i = 0; i < chain->nsessions; i++) {

        other = &chain->sessions[i];

        if (other->height > newest->height
            && ngx_memcmp(other->app_key, session->app_key,
                          GATEWAY_DISPATCH_KEY)
               == 0)
        {
            newest = other;
        }
    }

    return (newest == session) ? NULL : newest;
}


/* The lock is held. */

static void
ngx_gateway_select_served_end(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "session %uL on chain \"%*s\" has ended", session->height,
                  (size_t) chain->name_len, chain->name);

    ngx_gateway_select_accounts_close(chain, session);

    session->generation |= 1;

    ngx_memory_barrier();

    session->height = 0;
    session->nnodes = 0;

    ngx_memory_barrier();

    session->generation++;

    chain->dirty = 1;
}


/*
 * When its first block was, which may be long before it came here: what was
 * spent since tells the rate; and when the next one's first block will be.
 */

static void
ngx_gateway_select_served_times(gateway_blocks_t *blocks,
    ngx_gateway_select_session_t *session)
{
    int64_t     next, height;
    uint64_t    age;
    ngx_msec_t  begun;

    height = (int64_t) session->height;
    next = gateway_blocks_next(blocks, height);

    session->ends = (blocks->height >= next)
                    ? ngx_current_msec : gateway_blocks_expected(blocks, next);

    if (blocks->height < height) {
        return;
    }

    age = (uint64_t) (blocks->height - height) * blocks->block_time
          + (ngx_current_msec - blocks->seen_at);
    begun = ngx_current_msec - ngx_min(age, ngx_current_msec - 1);

    session->begun = ngx_min(session->begun, begun);
}


void
ngx_gateway_select_session_ramp(ngx_gateway_select_registry_t *registry)
{
    double                          step;
    ngx_uint_t                      i, k, changed, ramping;
    ngx_msec_t                      time;
    ngx_gateway_select_sh_t        *sh;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_chain_sh_t  *chain;

    if (ngx_current_msec - registry->ramped < NGX_GATEWAY_SELECT_RAMP_STEP) {
        return;
    }

    registry->ramped = ngx_current_msec;

    time = registry->blocks.block_time / NGX_GATEWAY_SELECT_RAMP_PART;
    time = ngx_max(time, NGX_GATEWAY_SELECT_RAMP_MIN);
    time = ngx_min(time, NGX_GATEWAY_SELECT_RAMP_MAX);

    step = (double) NGX_GATEWAY_SELECT_RAMP_STEP / (double) time;
    ramping = 0;

    sh = ngx_gateway_select_zone(registry->gmcf)->sh;

    for (i = 0; i < sh->nchains; i++) {

        chain = sh->chains[i];
        changed = 0;

        for (k = 0; k < chain->nsessions; k++) {

            session = &chain->sessions[k];

            if (session->height == 0) {
                continue;
            }

            if (session->waiting
                && ngx_current_msec - session->waiting_at
                   >= NGX_GATEWAY_SELECT_WAIT)
            {
                session->waiting = 0;
                changed = 1;
            }

            if (registry->ramping) {
                changed |= ngx_gateway_select_served_ramp(chain, session,
                                                          step);
            }
        }

        if (changed) {
            ngx_gateway_select_rank_soon(registry->gmcf, chain);
            ramping = 1;
        }
    }

    registry->ramping = ramping;
}


/* The newest rises, and what it has those before do not have any more. */

static ngx_uint_t
ngx_gateway_select_served_ramp(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session, double step)
{
    double                         ramp;
    ngx_gateway_select_session_t  *newer;

    newer = ngx_gateway_select_served_newer(chain, session);

    if (newer) {
        ramp = ngx_max(1 - newer->ramp, NGX_GATEWAY_SELECT_RAMP_LEFT);

    } else {
        ramp = ngx_min(session->ramp + step, 1);
    }

    if (ramp == session->ramp) {
        return 0;
    }

    session->ramp = ramp;

    return 1;
}
