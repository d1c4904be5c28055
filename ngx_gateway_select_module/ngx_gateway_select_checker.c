
/*
 * The checker's clock: finds the nodes to watch, keeps a timer for each of
 * their checks, and gives them their turns, within the caps.
 */


#include "ngx_gateway_select_checked.h"


#define NGX_GATEWAY_SELECT_CHECK_POOL      4096
#define NGX_GATEWAY_SELECT_CHECK_TICK      200   /* looks for new nodes */
#define NGX_GATEWAY_SELECT_CHECK_SOON      10
#define NGX_GATEWAY_SELECT_CHECK_FIRST     1000  /* of a new node, at most */
#define NGX_GATEWAY_SELECT_CHECK_CROWDED   40    /* its operator has enough */
#define NGX_GATEWAY_SELECT_CHECK_GONE      120000
#define NGX_GATEWAY_SELECT_CHECK_JITTER    8     /* part of the interval */

/* intervals by block time, where none is configured */

#define NGX_GATEWAY_SELECT_CHECK_LEAST     5000
#define NGX_GATEWAY_SELECT_CHECK_MOST      60000
#define NGX_GATEWAY_SELECT_CHECK_BLOCKS    2

#define NGX_GATEWAY_SELECT_OPERATORS_STEP  256


static void ngx_gateway_select_checker_first(
    ngx_gateway_select_chain_t *chain);
static void ngx_gateway_select_checker_handler(ngx_event_t *ev);
static ngx_int_t ngx_gateway_select_checker_start(
    ngx_gateway_select_checker_t *checker);
static void ngx_gateway_select_checker_rest(
    ngx_gateway_select_checker_t *checker);
static void ngx_gateway_select_checker_look(
    ngx_gateway_select_checker_t *checker);
static ngx_gateway_select_watch_t *ngx_gateway_select_watch_create(
    ngx_gateway_select_checker_t *checker,
    ngx_gateway_select_chain_sh_t *shared);
static ngx_int_t ngx_gateway_select_watch_checks(
    ngx_gateway_select_watch_t *watch);
static ngx_int_t ngx_gateway_select_watch_chunk(
    ngx_gateway_select_watch_t *watch);
static ngx_int_t ngx_gateway_select_watch_node(
    ngx_gateway_select_watch_t *watch);
static void ngx_gateway_select_watch_reset(ngx_gateway_select_watch_t *watch,
    uint32_t node);
static void ngx_gateway_select_checker_launch(
    ngx_gateway_select_checker_t *checker);
static void ngx_gateway_select_probe_turn(ngx_gateway_select_probe_t *probe);
static void ngx_gateway_select_probe_begin(ngx_gateway_select_probe_t *probe,
    u_char *count);
static ngx_uint_t ngx_gateway_select_probe_eligible(
    ngx_gateway_select_probe_t *probe);
static u_char *ngx_gateway_select_operator_count(
    ngx_gateway_select_checker_t *checker, uint32_t operator);


ngx_int_t
ngx_gateway_select_checker_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                      i;
    ngx_event_t                    *ev;
    ngx_gateway_select_chain_t    **chain;
    ngx_gateway_select_checker_t   *checker;

    checker = ngx_pcalloc(cycle->pool, sizeof(ngx_gateway_select_checker_t));
    if (checker == NULL) {
        return NGX_ERROR;
    }

    checker->gmcf = gmcf;
    gmcf->checker = checker;
    checker->id = ngx_gateway_select_tender(gmcf);

    if (gmcf->apps.n) {
        checker->relay = &ngx_gateway_select_relayed;
    }

    chain = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        ngx_gateway_select_checker_first(chain[i]);
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_FAMILIES; i++) {
        ngx_gateway_select_checker_first(gmcf->families[i]);
    }

    ev = &checker->event;

    ev->handler = ngx_gateway_select_checker_handler;
    ev->data = checker;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_GATEWAY_SELECT_CHECK_SOON);

    return NGX_OK;
}


/* Whoever answers the first check is not out of order any more. */

static void
ngx_gateway_select_checker_first(ngx_gateway_select_chain_t *chain)
{
    ngx_uint_t                    n;
    ngx_gateway_select_check_t  **checks;

    checks = ngx_gateway_select_check_builtin(chain->family, &n);

    if (n == 0) {
        checks = chain->checks.elts;
        n = chain->checks.nelts;
    }

    if (n) {
        chain->record.response_check =
                                   ngx_gateway_select_check_number(checks[0]);
    }
}


void
ngx_gateway_select_checker_exit(ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_gateway_select_checker_t  *checker;

    checker = gmcf->checker;

    if (checker == NULL) {
        return;
    }

    ngx_gateway_select_checker_rest(checker);

    if (checker->event.timer_set) {
        ngx_del_timer(&checker->event);
    }

    gmcf->checker = NULL;
}


void
ngx_gateway_select_check_lease(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_lease_pt lease)
{
    gmcf->checker->lease = lease;
}


static void
ngx_gateway_select_checker_handler(ngx_event_t *ev)
{
    ngx_gateway_select_checker_t *checker = ev->data;

    ngx_uint_t          i;
    ngx_msec_t          wait;
    ngx_rbtree_node_t  *first;

    wait = NGX_GATEWAY_SELECT_CHECK_TICK;

    if (ngx_exiting || ngx_terminate
        || !ngx_gateway_select_leading(checker->gmcf))
    {
        ngx_gateway_select_checker_rest(checker);

    } else if (ngx_gateway_select_checker_start(checker) == NGX_OK) {

        ngx_gateway_select_checker_look(checker);
        ngx_gateway_select_checker_launch(checker);

        for (i = 0; i < checker->nwatches; i++) {
            if (checker->watches[i]) {
                ngx_gateway_select_watch_judge(checker->watches[i]);
                ngx_gateway_select_witness_tick(checker->watches[i]);
            }
        }

        if (checker->outstanding < NGX_GATEWAY_SELECT_PROBES
            && checker->timers.root != &checker->sentinel)
        {
            first = ngx_rbtree_min(checker->timers.root, &checker->sentinel);

            wait = ngx_gateway_select_due(first->key, ngx_current_msec)
                   ? 1 : ngx_min(wait, first->key - ngx_current_msec);
        }
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, wait);
    }
}


void
ngx_gateway_select_checker_soon(ngx_gateway_select_checker_t *checker)
{
    ngx_event_t  *ev;

    ev = &checker->event;

    if (ev->timer_set) {

        if (ngx_gateway_select_due(ev->timer.key, ngx_current_msec
                                   + NGX_GATEWAY_SELECT_CHECK_SOON))
        {
            return;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, NGX_GATEWAY_SELECT_CHECK_SOON);
}


static ngx_int_t
ngx_gateway_select_checker_start(ngx_gateway_select_checker_t *checker)
{
    if (checker->pool) {
        return NGX_OK;
    }

    checker->pool = ngx_create_pool(NGX_GATEWAY_SELECT_CHECK_POOL,
                                    ngx_cycle->log);
    if (checker->pool == NULL) {
        return NGX_ERROR;
    }

    checker->votes = ngx_palloc(checker->pool, NGX_GATEWAY_SELECT_VOTES
                                               * sizeof(gateway_vote_t));
    checker->voters = ngx_palloc(checker->pool, NGX_GATEWAY_SELECT_VOTES
                                                * sizeof(uint32_t));

    if (checker->votes == NULL || checker->voters == NULL) {
        ngx_destroy_pool(checker->pool);
        checker->pool = NULL;
        return NGX_ERROR;
    }

    ngx_rbtree_init(&checker->timers, &checker->sentinel,
                    ngx_rbtree_insert_timer_value);

    checker->outstanding = 0;
    checker->nwatches = 0;
    checker->operators = NULL;
    checker->noperators = 0;

    return NGX_OK;
}


static void
ngx_gateway_select_checker_rest(ngx_gateway_select_checker_t *checker)
{
    ngx_uint_t                     i, j, k;
    ngx_gateway_select_watch_t    *watch;
    ngx_gateway_select_watched_t  *watched;

    if (checker->pool == NULL) {
        return;
    }

    for (i = 0; i < checker->nwatches; i++) {
        watch = checker->watches[i];

        if (watch == NULL) {
            continue;
        }

        ngx_gateway_select_witness_stop(watch);

        for (j = 0; j < watch->nnodes; j++) {
            watched = ngx_gateway_select_watched(watch, j);

            for (k = 0; k < watch->nchecks; k++) {
                ngx_gateway_select_probe_cancel(&watched->probes[k]);
            }
        }

        for (k = 0; k < watch->nchecks; k++) {
            if (watch->polls[k].pool) {
                ngx_destroy_pool(watch->polls[k].pool);
            }
        }
    }

    ngx_destroy_pool(checker->pool);

    checker->pool = NULL;
    checker->nwatches = 0;
}


/* chains and nodes are only ever added */

static void
ngx_gateway_select_checker_look(ngx_gateway_select_checker_t *checker)
{
    ngx_uint_t                   i;
    ngx_gateway_select_sh_t     *sh;
    ngx_gateway_select_watch_t  *watch;

    sh = ngx_gateway_select_zone(checker->gmcf)->sh;

    while (checker->nwatches < sh->nchains) {
        i = checker->nwatches++;
        checker->watches[i] = ngx_gateway_select_watch_create(checker,
                                                              sh->chains[i]);
    }

    for (i = 0; i < checker->nwatches; i++) {
        watch = checker->watches[i];

        while (watch && watch->nnodes < watch->shared->nnodes) {
            if (ngx_gateway_select_watch_node(watch) != NGX_OK) {
                return;
            }
        }
    }
}


/* NULL: there is nothing to check, or no memory (logged by the pool) */

static ngx_gateway_select_watch_t *
ngx_gateway_select_watch_create(ngx_gateway_select_checker_t *checker,
    ngx_gateway_select_chain_sh_t *shared)
{
    ngx_str_t                    name;
    ngx_gateway_select_watch_t  *watch;

    watch = ngx_pcalloc(checker->pool, sizeof(ngx_gateway_select_watch_t));
    if (watch == NULL) {
        return NULL;
    }

    name.len = shared->name_len;
    name.data = shared->name;

    watch->checker = checker;
    watch->shared = shared;
    watch->chain = ngx_gateway_select_chain(checker->gmcf, &name);

    if (watch->chain == NULL
        || ngx_gateway_select_watch_checks(watch) != NGX_OK
        || watch->nchecks == 0
        || ngx_gateway_select_witness_init(watch) != NGX_OK)
    {
        return NULL;
    }

    ngx_gateway_select_checked_begin(watch);

    return watch;
}


static ngx_int_t
ngx_gateway_select_watch_checks(ngx_gateway_select_watch_t *watch)
{
    uint32_t                      number;
    ngx_uint_t                    i, n;
    ngx_pool_t                   *pool;
    ngx_array_t                  *own;
    ngx_gateway_select_check_t  **builtin;

    pool = watch->checker->pool;
    own = &watch->chain->checks;

    builtin = ngx_gateway_select_check_builtin(watch->chain->family, &n);

    watch->nchecks = n + own->nelts;

    if (watch->nchecks == 0) {
        return NGX_OK;
    }

    watch->checks = ngx_palloc(pool, watch->nchecks * sizeof(void *));
    watch->polls = ngx_pcalloc(pool, watch->nchecks
                                     * sizeof(ngx_gateway_select_poll_t));

    if (watch->checks == NULL || watch->polls == NULL) {
        return NGX_ERROR;
    }

    if (n) {
        ngx_memcpy(watch->checks, builtin, n * sizeof(void *));
    }

    if (own->nelts) {
        ngx_memcpy(watch->checks + n, own->elts, own->nelts * sizeof(void *));
    }

    for (i = 0; i < watch->nchecks; i++) {
        number = ngx_gateway_select_check_number(watch->checks[i]);

        /* those of one chain differ while there are enough of them */

        while (i < GATEWAY_CHECKS_MAX
               && (watch->numbers & (uint64_t) 1 << number))
        {
            number = number % GATEWAY_CHECKS_MAX + 1;
        }

        watch->numbers |= (uint64_t) 1 << number;

        watch->polls[i].check = watch->checks[i];
        watch->polls[i].index = i;
        watch->polls[i].number = number;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_watch_chunk(ngx_gateway_select_watch_t *watch)
{
    u_char                        *votes;
    ngx_uint_t                     i, n;
    ngx_pool_t                    *pool;
    ngx_gateway_select_probe_t    *probes;
    ngx_gateway_select_watched_t  *nodes;

    pool = watch->checker->pool;
    n = NGX_GATEWAY_SELECT_CHUNK * watch->nchecks;

    nodes = ngx_pcalloc(pool, NGX_GATEWAY_SELECT_CHUNK
                              * sizeof(ngx_gateway_select_watched_t));
    probes = ngx_pcalloc(pool, n * sizeof(ngx_gateway_select_probe_t));
    votes = ngx_pcalloc(pool, n);

    if (nodes == NULL || probes == NULL || votes == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_CHUNK; i++) {
        nodes[i].probes = probes + i * watch->nchecks;
        nodes[i].votes = votes + i * watch->nchecks;
    }

    watch->nodes[watch->nnodes / NGX_GATEWAY_SELECT_CHUNK] = nodes;

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_watch_node(ngx_gateway_select_watch_t *watch)
{
    uint32_t                       i, node;
    ngx_gateway_select_probe_t    *probe;
    ngx_gateway_select_watched_t  *watched;

    node = watch->nnodes;

    if (node % NGX_GATEWAY_SELECT_CHUNK == 0
        && ngx_gateway_select_watch_chunk(watch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    watched = ngx_gateway_select_watched(watch, node);

    for (i = 0; i < watch->nchecks; i++) {
        probe = &watched->probes[i];

        probe->check = watch->checks[i];
        probe->poll = &watch->polls[i];
        probe->watch = watch;
        probe->chain = watch->chain;
        probe->shared = watch->shared;
        probe->node = node;
    }

    watch->nnodes++;

    ngx_gateway_select_watch_reset(watch, node);

    return NGX_OK;
}


/* what was known of the slot was that of another node */

static void
ngx_gateway_select_watch_reset(ngx_gateway_select_watch_t *watch,
    uint32_t node)
{
    ngx_uint_t                     i;
    ngx_msec_t                     spread;
    ngx_gateway_select_server_t   *server;
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(watch, node);

    watched->generation = ngx_gateway_select_generation(watch->shared, node);
    watched->server = NULL;
    watched->height = 0;
    watched->at = 0;
    watched->last_height = 0;
    watched->last_at = 0;
    watched->asked_at = 0;

    server = watch->chain->servers.elts;

    for (i = 0; i < watch->chain->servers.nelts; i++) {
        if (server[i].node == node) {
            watched->server = &server[i];
            break;
        }
    }

    for (i = 0; i < watch->nchecks; i++) {
        watched->votes[i] = 0;
        watched->probes[i].failures = 0;
        watched->probes[i].own = NULL;

        spread = ngx_gateway_select_check_interval(watch, watch->checks[i]);
        spread = ngx_min(spread, NGX_GATEWAY_SELECT_CHECK_FIRST);

        ngx_gateway_select_probe_arm(&watched->probes[i],
                                     ngx_gateway_select_random() % spread);
    }
}


static void
ngx_gateway_select_checker_launch(ngx_gateway_select_checker_t *checker)
{
    ngx_uint_t                   n;
    ngx_rbtree_node_t           *node;
    ngx_gateway_select_probe_t  *probe;

    for (n = 0; n < NGX_GATEWAY_SELECT_LAUNCH; n++) {

        if (checker->outstanding >= NGX_GATEWAY_SELECT_PROBES
            || checker->timers.root == &checker->sentinel)
        {
            return;
        }

        node = ngx_rbtree_min(checker->timers.root, &checker->sentinel);

        if (!ngx_gateway_select_due(node->key, ngx_current_msec)) {
            return;
        }

        probe = ngx_rbtree_data(node, ngx_gateway_select_probe_t, timer);

        ngx_rbtree_delete(&checker->timers, node);
        probe->armed = 0;
        probe->paused = 0;

        ngx_gateway_select_probe_turn(probe);
    }
}


static void
ngx_gateway_select_probe_turn(ngx_gateway_select_probe_t *probe)
{
    u_char                        *count;
    uint32_t                       operator;
    ngx_gateway_select_checker_t  *checker;
    ngx_gateway_select_watched_t  *watched;

    checker = probe->watch->checker;
    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    if (watched->generation
        != ngx_gateway_select_generation(probe->shared, probe->node))
    {
        ngx_gateway_select_watch_reset(probe->watch, probe->node);
        return;
    }

    if (probe->poll->index == 0) {
        ngx_gateway_select_waive(probe);
    }

    if (!ngx_gateway_select_probe_eligible(probe)) {
        ngx_gateway_select_probe_arm(probe,
                                     ngx_gateway_select_probe_interval(probe));
        return;
    }

    if (checker->lease) {
        ngx_gateway_select_tend(probe);
    }

    operator = ngx_gateway_select_node(probe->shared, probe->node)->operator;

    /* a node that is an operator of its own has its slot for a number */

    probe->operator = (operator & NGX_GATEWAY_SELECT_OWN)
                      ? (operator & ~NGX_GATEWAY_SELECT_OWN) * 2 + 1
                      : operator * 2;

    count = ngx_gateway_select_operator_count(checker, probe->operator);

    if (count == NULL || *count >= NGX_GATEWAY_SELECT_PROBES_OPER) {
        ngx_gateway_select_probe_arm(probe,
                                     NGX_GATEWAY_SELECT_CHECK_CROWDED / 2
                                     + ngx_gateway_select_random()
                                       % NGX_GATEWAY_SELECT_CHECK_CROWDED);
        return;
    }

    if (ngx_gateway_select_poll_ask(probe) != NGX_OK) {
        ngx_gateway_select_probe_arm(probe, ngx_gateway_select_jitter(
                                         NGX_GATEWAY_SELECT_CHECK_FIRST));
        return;
    }

    if (!probe->check->should_run(probe)) {
        ngx_gateway_select_probe_arm(probe,
                                     ngx_gateway_select_probe_interval(probe));
        return;
    }

    ngx_gateway_select_probe_begin(probe, count);
}


static void
ngx_gateway_select_probe_begin(ngx_gateway_select_probe_t *probe,
    u_char *count)
{
    ngx_gateway_select_checker_t  *checker;

    checker = probe->watch->checker;

    probe->pool = ngx_create_pool(NGX_GATEWAY_SELECT_CHECK_POOL,
                                  ngx_cycle->log);
    if (probe->pool == NULL) {
        ngx_gateway_select_probe_arm(probe,
                                     ngx_gateway_select_probe_interval(probe));
        return;
    }

    /* a new question hurries nodes, this one perhaps among them */

    if (probe->armed) {
        ngx_rbtree_delete(&checker->timers, &probe->timer);
        probe->armed = 0;
    }

    probe->turn = 1;
    probe->turn_at = ngx_gateway_select_now();
    probe->ctx = NULL;
    checker->outstanding++;
    (*count)++;

    probe->check->perform(probe);
}


static ngx_uint_t
ngx_gateway_select_probe_eligible(ngx_gateway_select_probe_t *probe)
{
    uint64_t                       seen;
    ngx_gateway_select_checker_t  *checker;
    ngx_gateway_select_watched_t  *watched;

    checker = probe->watch->checker;
    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    if (watched->generation & 1) {
        return 0;
    }

    if (checker->lease
        && !checker->lease(checker->gmcf, probe->shared)
        && !ngx_gateway_select_tended(probe))
    {
        return 0;
    }

    if (watched->server) {
        return watched->server->url
               && probe->check->mode != NGX_GATEWAY_SELECT_RELAYED
               && !watched->server->down;
    }

    /* sessions that have ended are not spent on */

    seen = ngx_gateway_select_node(probe->shared, probe->node)->seen_at;

    if (checker->relay == NULL
        || seen + NGX_GATEWAY_SELECT_CHECK_GONE <= ngx_gateway_select_now())
    {
        return 0;
    }

    return probe->check->mode == NGX_GATEWAY_SELECT_DIRECT
           || ngx_gateway_select_probe_awaited(probe)
           || ngx_gateway_select_relayed_affordable(probe);
}


/* the probes outstanding at an operator; NULL: no memory */

static u_char *
ngx_gateway_select_operator_count(ngx_gateway_select_checker_t *checker,
    uint32_t operator)
{
    u_char      *p;
    ngx_uint_t   n;

    if (operator >= checker->noperators) {
        n = operator + NGX_GATEWAY_SELECT_OPERATORS_STEP;

        p = ngx_pcalloc(checker->pool, n);
        if (p == NULL) {
            return NULL;
        }

        if (checker->noperators) {
            ngx_memcpy(p, checker->operators, checker->noperators);
        }

        checker->operators = p;
        checker->noperators = n;
    }

    return &checker->operators[operator];
}


/* the turn is over, whatever came of it */

void
ngx_gateway_select_probe_leave(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_checker_t  *checker;

    checker = probe->watch->checker;

    if (checker->outstanding == NGX_GATEWAY_SELECT_PROBES) {
        ngx_gateway_select_checker_soon(checker);
    }

    checker->outstanding--;
    (*ngx_gateway_select_operator_count(checker, probe->operator))--;

    ngx_destroy_pool(probe->pool);

    probe->pool = NULL;
    probe->turn = 0;
    probe->asked_at = probe->turn_at;
}


void
ngx_gateway_select_probe_arm(ngx_gateway_select_probe_t *probe,
    ngx_msec_t delay)
{
    ngx_gateway_select_checker_t  *checker;

    checker = probe->watch->checker;

    if (probe->armed) {
        ngx_rbtree_delete(&checker->timers, &probe->timer);
    }

    probe->timer.key = ngx_current_msec + delay;
    probe->armed = 1;

    ngx_rbtree_insert(&checker->timers, &probe->timer);
}


void
ngx_gateway_select_probe_hurry(ngx_gateway_select_probe_t *probe,
    ngx_msec_t delay)
{
    if (probe->turn
        || probe->paused
        || (probe->armed
            && ngx_gateway_select_due(probe->timer.key,
                                      ngx_current_msec + delay)))
    {
        return;
    }

    ngx_gateway_select_probe_arm(probe, delay);
    ngx_gateway_select_checker_soon(probe->watch->checker);
}


ngx_msec_t
ngx_gateway_select_check_interval(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_check_t *check)
{
    ngx_msec_t  interval;

    if (check->interval) {
        return check->interval;
    }

    if (watch->chain->check_interval) {
        return watch->chain->check_interval;
    }

    interval = NGX_GATEWAY_SELECT_CHECK_BLOCKS
               * ngx_gateway_select_watch_block_time(watch);

    return ngx_min(ngx_max(interval, NGX_GATEWAY_SELECT_CHECK_LEAST),
                   NGX_GATEWAY_SELECT_CHECK_MOST);
}


/*
 * A node that is out, and waits for this check, is asked at least as often
 * as it may return.
 */

ngx_msec_t
ngx_gateway_select_probe_interval(ngx_gateway_select_probe_t *probe)
{
    ngx_msec_t  interval;

    interval = ngx_gateway_select_check_interval(probe->watch, probe->check);

    if (ngx_gateway_select_probe_awaited(probe)) {
        interval = ngx_min(interval, probe->chain->record.probe_interval);
    }

    return ngx_gateway_select_jitter(interval);
}


ngx_msec_t
ngx_gateway_select_jitter(ngx_msec_t interval)
{
    return interval
           - ngx_gateway_select_random()
             % (interval / NGX_GATEWAY_SELECT_CHECK_JITTER + 1);
}


ngx_uint_t
ngx_gateway_select_probe_awaited(ngx_gateway_select_probe_t *probe)
{
    ngx_uint_t          i;
    gateway_penalty_t  *penalty;

    penalty = ngx_gateway_select_node(probe->shared, probe->node)
                  ->record.penalties;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        if (penalty[i].until
            && (penalty[i].checks & (uint64_t) 1 << probe->poll->number))
        {
            return 1;
        }
    }

    return 0;
}


uint32_t
ngx_gateway_select_check_number(ngx_gateway_select_check_t *check)
{
    ngx_str_t  *name;

    /* of its name, so that it stays over changes of the configuration */

    name = check->name(check);

    return ngx_crc32_long(name->data, name->len) % GATEWAY_CHECKS_MAX + 1;
}
