
/*
 * One chain's turn: from records to the table that is drawn from.
 */


#include "ngx_gateway_select_rank.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_metrics.h"
#include "ngx_gateway_select_pick.h"


/* an option of the table has room for all nodes, sessions and their places */

_Static_assert(NGX_GATEWAY_SELECT_CHUNK * NGX_GATEWAY_SELECT_CHUNKS_MAX
               <= 1 << NGX_GATEWAY_SELECT_NODE_BITS,
               "nodes of a chain");
_Static_assert(NGX_GATEWAY_SELECT_SESSION_NODES
               <= 1 << NGX_GATEWAY_SELECT_PLACE_BITS,
               "nodes of a session");
_Static_assert(NGX_GATEWAY_SELECT_SESSIONS
               <= 1 << (31 - NGX_GATEWAY_SELECT_NODE_BITS
                        - NGX_GATEWAY_SELECT_PLACE_BITS),
               "sessions of a chain");


/* work of one step, in candidates and in sessions */

#define NGX_GATEWAY_SELECT_RANK_SLICE       256
#define NGX_GATEWAY_SELECT_RANK_SESSIONS    8

/* room that a table is given beyond what it needs, in entries */

#define NGX_GATEWAY_SELECT_RANK_SPARE       64

typedef ngx_int_t (*ngx_gateway_select_rank_pt)(
    ngx_gateway_select_ranker_t *ranker);


static ngx_int_t ngx_gateway_select_rank_fold(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_count(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_reserve(
    ngx_gateway_select_ranker_t *ranker, uint32_t n);
static ngx_int_t ngx_gateway_select_rank_servers(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_sessions(
    ngx_gateway_select_ranker_t *ranker);
static void ngx_gateway_select_rank_session(
    ngx_gateway_select_ranker_t *ranker, uint32_t i);
static double ngx_gateway_select_rank_pace(
    ngx_gateway_select_session_t *session, uint32_t place);
static gateway_candidate_t *ngx_gateway_select_rank_candidate(
    ngx_gateway_select_ranker_t *ranker, uint32_t i);
static ngx_int_t ngx_gateway_select_rank_backups(
    ngx_gateway_select_ranker_t *ranker);
static ngx_uint_t ngx_gateway_select_rank_in(
    ngx_gateway_select_ranker_t *ranker, uint32_t i);
static ngx_int_t ngx_gateway_select_rank_table(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_publish(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_write(
    ngx_gateway_select_ranker_t *ranker);
static void ngx_gateway_select_rank_fill(ngx_gateway_select_entry_t *to,
    gateway_entry_t *from, uint32_t n);
static ngx_gateway_select_reason_e ngx_gateway_select_rank_empty(
    ngx_gateway_select_ranker_t *ranker);
static void ngx_gateway_select_rank_sum(ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_note(
    ngx_gateway_select_ranker_t *ranker);
static ngx_int_t ngx_gateway_select_rank_lock(
    ngx_gateway_select_ranker_t *ranker);
static void ngx_gateway_select_rank_unlock(
    ngx_gateway_select_ranker_t *ranker);


/* by ngx_gateway_select_rank_stage_e; NGX_OK: the next stage begins */

static ngx_gateway_select_rank_pt  ngx_gateway_select_rank_stages[] = {
    ngx_gateway_select_rank_fold,
    ngx_gateway_select_rank_count,
    ngx_gateway_select_rank_servers,
    ngx_gateway_select_rank_sessions,
    ngx_gateway_select_rank_backups,
    ngx_gateway_select_rank_table,
    ngx_gateway_select_rank_publish,
    ngx_gateway_select_rank_note
};


void
ngx_gateway_select_rank_begin(ngx_gateway_select_ranker_t *ranker,
    ngx_gateway_select_chain_t *conf, ngx_gateway_select_chain_sh_t *chain,
    ngx_uint_t full)
{
    ranker->conf = conf;
    ranker->chain = chain;
    ranker->stage = NGX_GATEWAY_SELECT_RANK_FOLD;
    ranker->position = 0;
    ranker->nnodes = (uint32_t) chain->nnodes;
    ranker->now = ngx_gateway_select_now();
    ranker->orders = ngx_gateway_select_load(&chain->orders);
    ranker->picked = 0;
    ranker->ncandidates = 0;
    ranker->full = full;
    ranker->touched = 0;

    ranker->peers.height = chain->height.reference;
    ranker->peers.block_time = chain->height.block_time;
    ranker->peers.latency = chain->typical;
}


ngx_int_t
ngx_gateway_select_rank_step(ngx_gateway_select_ranker_t *ranker)
{
    ngx_int_t  rc;

    rc = ngx_gateway_select_rank_stages[ranker->stage](ranker);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : rc;
    }

    ranker->position = 0;
    ranker->stage++;

    return (ranker->stage == NGX_GATEWAY_SELECT_RANK_STAGES) ? NGX_OK
                                                             : NGX_AGAIN;
}


void
ngx_gateway_select_rank_free(ngx_gateway_select_ranker_t *ranker)
{
    if (ranker->memory) {
        ngx_free(ranker->memory);
        ranker->memory = NULL;
        ranker->size = 0;
    }
}


void
ngx_gateway_select_rank_first(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_t *conf)
{
    ngx_gateway_select_ranker_t  ranker;

    ngx_memzero(&ranker, sizeof(ngx_gateway_select_ranker_t));

    ranker.gmcf = gmcf;
    ranker.master = 1;

    ngx_gateway_select_rank_begin(&ranker, conf, conf->sh, 1);

    while (ngx_gateway_select_rank_step(&ranker) == NGX_AGAIN) {
        /* void */
    }

    ngx_gateway_select_rank_free(&ranker);
}


/* A chunk of nodes; without any news the turn is over. */

static ngx_int_t
ngx_gateway_select_rank_fold(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                    last;
    ngx_gateway_select_node_t  *node;

    if (ngx_gateway_select_rank_lock(ranker) != NGX_OK) {
        return NGX_DECLINED;
    }

    last = ngx_min(ranker->position + NGX_GATEWAY_SELECT_CHUNK,
                   ranker->nnodes);

    for ( /* void */ ; ranker->position < last; ranker->position++) {

        node = ngx_gateway_select_node(ranker->chain, ranker->position);

        if (ngx_gateway_select_fold(ranker->chain, node, ranker->conf,
                                    &ranker->peers, ranker->full,
                                    ranker->now))
        {
            ranker->touched = 1;
        }

        ranker->picked += node->picked - node->tallied;
    }

    ngx_gateway_select_rank_unlock(ranker);

    if (ranker->position < ranker->nnodes) {
        return NGX_AGAIN;
    }

    return (ranker->full || ranker->touched) ? NGX_OK : NGX_DONE;
}


/* How many candidates there may be, and in how many sessions a node is. */

static ngx_int_t
ngx_gateway_select_rank_count(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                       i, k, n, node;
    ngx_gateway_select_session_t  *session;

    session = ranker->chain->sessions;
    n = (uint32_t) ranker->conf->servers.nelts;

    for (i = 0; i < ranker->chain->nsessions; i++) {
        if (session[i].height) {
            n += ngx_min(session[i].nnodes, NGX_GATEWAY_SELECT_SESSION_NODES);
        }
    }

    if (ngx_gateway_select_rank_reserve(ranker, n) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(ranker->notes,
                ranker->nnodes * sizeof(ngx_gateway_select_note_t));

    for (i = 0; i < ranker->chain->nsessions; i++) {

        if (session[i].height == 0) {
            continue;
        }

        for (k = 0; k < session[i].nnodes; k++) {

            if (k == NGX_GATEWAY_SELECT_SESSION_NODES) {
                break;
            }

            node = session[i].nodes[k];

            if (node < ranker->nnodes) {
                ranker->notes[node].seats++;
            }
        }
    }

    return NGX_OK;
}


/* One piece of memory, kept for the next chains: it only grows. */

static ngx_int_t
ngx_gateway_select_rank_reserve(ngx_gateway_select_ranker_t *ranker,
    uint32_t n)
{
    u_char  *p;
    size_t   notes, candidates, entries, work, size;

    notes = ranker->nnodes * sizeof(ngx_gateway_select_note_t);
    candidates = n * sizeof(gateway_candidate_t);
    work = ngx_align(gateway_rank_size(n), NGX_ALIGNMENT);
    entries = n * sizeof(gateway_entry_t);

    size = notes + candidates + work + entries + NGX_ALIGNMENT;

    if (size > ranker->size) {
        ngx_gateway_select_rank_free(ranker);

        ranker->memory = ngx_alloc(size, ngx_cycle->log);
        if (ranker->memory == NULL) {
            return NGX_ERROR;
        }

        ranker->size = size;
    }

    /* all but the entries are of whole words */

    p = ranker->memory;

    ranker->work = p;
    p += work;

    ranker->candidates = (gateway_candidate_t *) p;
    p += candidates;

    ranker->notes = (ngx_gateway_select_note_t *) p;
    p += notes;

    ranker->entries = (gateway_entry_t *) p;
    ranker->capacity = n;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_rank_servers(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                      last, nelts;
    gateway_candidate_t          *candidate;
    ngx_gateway_select_server_t  *server;

    server = ranker->conf->servers.elts;
    nelts = (uint32_t) ngx_min(ranker->conf->servers.nelts, ranker->capacity);
    last = ngx_min(ranker->position + NGX_GATEWAY_SELECT_RANK_SLICE, nelts);

    for ( /* void */ ; ranker->position < last; ranker->position++) {

        if (server[ranker->position].backup || server[ranker->position].down)
        {
            continue;
        }

        candidate = ngx_gateway_select_rank_candidate(ranker,
                                               server[ranker->position].node);
        if (candidate) {
            candidate->weight *= (double) server[ranker->position].weight;
        }
    }

    return (ranker->position < nelts) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_gateway_select_rank_sessions(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t  last, nsessions;

    nsessions = (uint32_t) ranker->chain->nsessions;
    last = ngx_min(ranker->position + NGX_GATEWAY_SELECT_RANK_SESSIONS,
                   nsessions);

    for ( /* void */ ; ranker->position < last; ranker->position++) {

        if (ranker->chain->sessions[ranker->position].height) {
            ngx_gateway_select_rank_session(ranker, ranker->position);
        }
    }

    return (last < nsessions) ? NGX_AGAIN : NGX_OK;
}


/* The nodes of a session, each as what it may still be given in it. */

static void
ngx_gateway_select_rank_session(ngx_gateway_select_ranker_t *ranker,
    uint32_t i)
{
    double                         part;
    uint32_t                       place, seats;
    gateway_candidate_t           *candidate;
    ngx_gateway_select_session_t  *session;

    session = &ranker->chain->sessions[i];

    for (place = 0; place < session->nnodes; place++) {

        if (place == NGX_GATEWAY_SELECT_SESSION_NODES) {
            break;
        }

        candidate = ngx_gateway_select_rank_candidate(ranker,
                                                      session->nodes[place]);
        if (candidate == NULL) {
            continue;
        }

        candidate->session = ngx_gateway_select_seat(i, place);

        /* one that came after they were counted has no seats yet */

        seats = ngx_max(ranker->notes[session->nodes[place]].seats, 1);

        candidate->tally.given /= seats;
        candidate->tally.due /= seats;
        candidate->known /= seats;
        candidate->untried /= seats;

        part = session->ramp / seats;
        part *= ngx_gateway_select_rank_pace(session, place);

        candidate->weight *= part;
        candidate->admitted *= part;

        /* those that wait stay: they are skipped unless all others do */

        if (session->used[place] >= session->allowance
            || session->refused >> place & 1)
        {
            candidate->state = GATEWAY_CANDIDATE_NEVER;
        }
    }
}


/*
 * 1, but less where what is left of the allowance would not last to the end
 * of the session if it went on to be spent as it was.
 */

static double
ngx_gateway_select_rank_pace(ngx_gateway_select_session_t *session,
    uint32_t place)
{
    ngx_msec_int_t  elapsed, remaining;

    elapsed = (ngx_msec_int_t) (ngx_current_msec - session->begun);
    remaining = session->ends
                ? (ngx_msec_int_t) (session->ends - ngx_current_msec) : 0;

    return gateway_rank_paced((double) session->used[place],
                              (double) session->allowance, (double) elapsed,
                              (double) remaining);
}


/* A candidate for the node; NULL: it is none.  Its state may yet change. */

static gateway_candidate_t *
ngx_gateway_select_rank_candidate(ngx_gateway_select_ranker_t *ranker,
    uint32_t i)
{
    gateway_candidate_t        *candidate;
    ngx_gateway_select_node_t  *node;

    if (i >= ranker->nnodes || ranker->ncandidates == ranker->capacity) {
        return NULL;
    }

    node = ngx_gateway_select_node(ranker->chain, i);
    candidate = &ranker->candidates[ranker->ncandidates++];

    ngx_memzero(candidate, sizeof(gateway_candidate_t));

    candidate->node = i;
    candidate->session = NGX_GATEWAY_SELECT_NO_SESSION;
    candidate->operator = node->operator;
    candidate->weight = node->weight;
    candidate->admitted = node->factors.ramp * node->factors.pace;
    candidate->known = node->factors.known;
    candidate->untried = node->factors.untried;
    candidate->badness = node->factors.badness;
    candidate->latency = node->factors.latency;
    candidate->tally = node->tally;

    if (node->flags & (NGX_GATEWAY_SELECT_CORDONED
                       |NGX_GATEWAY_SELECT_DRAINED))
    {
        candidate->state = GATEWAY_CANDIDATE_NEVER;

    } else if (node->factors.excluded) {
        candidate->state = GATEWAY_CANDIDATE_OUT;
    }

    return candidate;
}


/*
 * Backup servers, where no other is in: then those that are out stay so, as
 * long as a backup is better.  An upstream's balancer has its own way.
 */

static ngx_int_t
ngx_gateway_select_rank_backups(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                      i, n;
    gateway_candidate_t          *candidate;
    ngx_gateway_select_server_t  *server;

    n = ranker->ncandidates;

    if (ranker->conf->upstream || ngx_gateway_select_rank_in(ranker, 0)) {
        return NGX_OK;
    }

    server = ranker->conf->servers.elts;

    for (i = 0; i < ranker->conf->servers.nelts; i++) {

        if (!server[i].backup || server[i].down) {
            continue;
        }

        candidate = ngx_gateway_select_rank_candidate(ranker, server[i].node);

        if (candidate) {
            candidate->weight *= (double) server[i].weight;
        }
    }

    if (!ngx_gateway_select_rank_in(ranker, n)) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        ranker->candidates[i].state = GATEWAY_CANDIDATE_NEVER;
    }

    return NGX_OK;
}


/* Is any of the candidates from this one on in? */

static ngx_uint_t
ngx_gateway_select_rank_in(ngx_gateway_select_ranker_t *ranker, uint32_t i)
{
    for ( /* void */ ; i < ranker->ncandidates; i++) {
        if (ranker->candidates[i].state == GATEWAY_CANDIDATE_IN) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_gateway_select_rank_table(ngx_gateway_select_ranker_t *ranker)
{
    if (ranker->position == 0) {
        gateway_rank_begin(&ranker->rank, &ranker->conf->rank,
                           ranker->candidates, ranker->ncandidates,
                           ranker->entries, ranker->work);
        ranker->position = 1;
    }

    return gateway_rank_slice(&ranker->rank, NGX_GATEWAY_SELECT_RANK_SLICE)
           ? NGX_AGAIN : NGX_OK;
}


/*
 * The half that is not in force is written and put in force.  Its generation
 * is odd meanwhile, and stays so when this process is killed: who writes the
 * next table then writes this half.
 */

static ngx_int_t
ngx_gateway_select_rank_publish(ngx_gateway_select_ranker_t *ranker)
{
    ngx_int_t                       rc;
    ngx_gateway_select_metrics_t   *metrics;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = ranker->chain;

    if (ngx_gateway_select_rank_lock(ranker) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = ngx_gateway_select_rank_write(ranker);

    if (rc == NGX_OK) {
        chain->empty = ngx_gateway_select_rank_empty(ranker);
        chain->current ^= 1;
        chain->typical = ranker->rank.typical;

        metrics = ngx_gateway_select_metrics(chain);
        metrics->rankings++;
        metrics->ranked_at = ngx_gateway_select_now();
    }

    ngx_gateway_select_rank_unlock(ranker);

    if (rc != NGX_OK) {
        ngx_gateway_select_zone_warn(ngx_gateway_select_zone(ranker->gmcf));
        return NGX_ERROR;
    }

    ngx_gateway_select_rank_sum(ranker);

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_rank_write(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                     n;
    ngx_gateway_select_half_t   *half;
    ngx_gateway_select_zone_t   *zone;
    ngx_gateway_select_entry_t  *entries, *old;

    zone = ngx_gateway_select_zone(ranker->gmcf);
    half = &ranker->chain->halves[!(ranker->chain->current & 1)];
    n = ranker->rank.nentries;
    entries = half->entries;
    old = NULL;

    if (n > half->capacity) {
        old = entries;

        entries = ngx_gateway_select_zone_alloc(zone,
                                       (n + NGX_GATEWAY_SELECT_RANK_SPARE)
                                       * sizeof(ngx_gateway_select_entry_t));
        if (entries == NULL) {
            return NGX_ERROR;
        }
    }

    half->generation |= 1;

    ngx_memory_barrier();

    if (entries != half->entries) {
        half->entries = entries;
        half->capacity = n + NGX_GATEWAY_SELECT_RANK_SPARE;
    }

    ngx_gateway_select_rank_fill(entries, ranker->entries, n);
    half->nentries = n;
    half->orders = ranker->orders;

    ngx_memory_barrier();

    half->generation++;

    ngx_memory_barrier();

    /* a reader of the old entries sees another generation after it */

    if (old) {
        ngx_slab_free_locked(zone->shpool, old);
    }

    return NGX_OK;
}


static void
ngx_gateway_select_rank_fill(ngx_gateway_select_entry_t *to,
    gateway_entry_t *from, uint32_t n)
{
    uint32_t          i, k;
    gateway_entry_t  *option;

    for (i = 0; i < n; i++) {

        to[i].threshold = from[i].threshold;

        for (k = 0; k < 2; k++) {
            option = &from[k ? from[i].alias : i];

            ngx_gateway_select_pack(&to[i], k, option->node, option->session,
                                    option->latency);
        }
    }
}


/* Why there is nothing to pick, if there is nothing. */

static ngx_gateway_select_reason_e
ngx_gateway_select_rank_empty(ngx_gateway_select_ranker_t *ranker)
{
    if (ranker->ncandidates) {
        return NGX_GATEWAY_SELECT_EXCLUDED;
    }

    if (ranker->conf->servers.nelts) {
        return NGX_GATEWAY_SELECT_NO_NODES;
    }

    if (ranker->gmcf->dispatchers.nelts
        && (ranker->conf->configured || ranker->chain->sessions))
    {
        return NGX_GATEWAY_SELECT_UNDISPATCHED;
    }

    return ranker->conf->configured ? NGX_GATEWAY_SELECT_NO_NODES
                                    : NGX_GATEWAY_SELECT_UNKNOWN_CHAIN;
}


static void
ngx_gateway_select_rank_sum(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                    i;
    gateway_candidate_t        *candidate;
    ngx_gateway_select_note_t  *note;

    for (i = 0; i < ranker->ncandidates; i++) {

        candidate = &ranker->candidates[i];
        note = &ranker->notes[candidate->node];

        note->draw += candidate->draw;
        note->share += candidate->share;
        note->degraded |= candidate->degraded;
        note->chosen += (candidate->draw > 0);
        note->candidates++;
    }
}


static ngx_int_t
ngx_gateway_select_rank_note(ngx_gateway_select_ranker_t *ranker)
{
    uint32_t                    i, last;
    ngx_gateway_select_node_t  *node;
    ngx_gateway_select_note_t  *note;

    if (ngx_gateway_select_rank_lock(ranker) != NGX_OK) {
        return NGX_DECLINED;
    }

    last = ngx_min(ranker->position + NGX_GATEWAY_SELECT_CHUNK,
                   ranker->nnodes);

    for (i = ranker->position; i < last; i++) {

        node = ngx_gateway_select_node(ranker->chain, i);
        note = &ranker->notes[i];

        /* it was chosen by the share that was in force */

        gateway_rank_tally(&node->tally, node->share,
                           (double) (node->picked - node->tallied),
                           (double) ranker->picked,
                           (double) ranker->now
                           - (double) ranker->chain->tallied_at);

        node->tallied = node->picked;
        node->draw = note->draw;
        node->share = note->share;
        node->degraded = note->degraded;
        node->chosen = note->chosen;

        if (note->candidates) {
            node->seen_at = ranker->now;
        }
    }

    if (last == ranker->nnodes) {
        ranker->chain->tallied_at = ranker->now;
    }

    ngx_gateway_select_rank_unlock(ranker);

    ranker->position = last;

    return (last < ranker->nnodes) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_gateway_select_rank_lock(ngx_gateway_select_ranker_t *ranker)
{
    if (!ranker->master) {
        return ngx_gateway_select_leader_lock(ranker->gmcf);
    }

    ngx_shmtx_lock(&ngx_gateway_select_zone(ranker->gmcf)->shpool->mutex);

    return NGX_OK;
}


static void
ngx_gateway_select_rank_unlock(ngx_gateway_select_ranker_t *ranker)
{
    ngx_shmtx_unlock(&ngx_gateway_select_zone(ranker->gmcf)->shpool->mutex);
}
