
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define SIM_TRIES_MAX    65536
#define SIM_UNUSED       0.2               /* of the share before: unused */
#define SIM_BACK         0.8
#define SIM_RECENT       5.0               /* s: half-life of node->recent */


static void sim_push(sim_t *sim, double time, sim_event_e type, uint32_t try);
static sim_event_t sim_pop(sim_t *sim);
static int sim_before(const sim_event_t *a, const sim_event_t *b);
static void sim_arrive(sim_t *sim);
static void sim_try_request(sim_t *sim, uint32_t request);
static void sim_try_node(sim_t *sim, uint32_t node, uint32_t request);
static void sim_try_ended(sim_t *sim, uint32_t index);
static void sim_try_overdue(sim_t *sim, uint32_t index);
static void sim_request_ended(sim_t *sim, sim_request_t *request, int ok);
static void sim_moved(sim_t *sim);
static void sim_probe(sim_t *sim);
static void sim_window(sim_t *sim);
static void sim_fault(sim_t *sim, sim_fault_t *fault);
static void sim_earned(sim_t *sim, sim_fault_t *fault, double picks);
static int sim_result(sim_t *sim);
static int sim_compare(const void *one, const void *two);


int
sim_run(sim_t *sim, const sim_policy_t *policy, sim_result_t *result)
{
    int          rc;
    sim_event_t  event;

    memset(result, 0, sizeof(sim_result_t));

    sim->policy = policy;
    sim->result = result;
    sim->length = sim->npicks / sim->mean_rate * 1000;
    sim->free_try = SIM_NONE;

    sim->events = malloc((2 * SIM_TRIES_MAX + 8) * sizeof(sim_event_t));
    sim->tries = malloc(SIM_TRIES_MAX * sizeof(sim_try_t));
    sim->requests = calloc(sim->npicks, sizeof(sim_request_t));
    result->latency = malloc(sim->npicks * sizeof(float));

    if (sim->events == NULL || sim->tries == NULL || sim->requests == NULL
        || result->latency == NULL)
    {
        return -1;
    }

    policy->init(sim);

    sim_push(sim, 0, SIM_TICKED, SIM_NONE);
    sim_push(sim, 0, SIM_MOVED, SIM_NONE);
    sim_push(sim, 1, SIM_ARRIVAL, SIM_NONE);

    while (sim->now < sim->length + SIM_TIMEOUT) {
        event = sim_pop(sim);
        sim->now = event.time;

        switch (event.type) {

        case SIM_ARRIVAL:
            sim_arrive(sim);
            break;

        case SIM_END:
            sim_try_ended(sim, event.try);
            break;

        case SIM_OVERDUE:
            sim_try_overdue(sim, event.try);
            break;

        case SIM_TICKED:
            policy->tick(sim);
            sim_push(sim, sim->now + SIM_TICK, SIM_TICKED, SIM_NONE);
            break;

        default:
            sim_moved(sim);
            sim_push(sim, sim->now + SIM_SECOND, SIM_MOVED, SIM_NONE);
            break;
        }
    }

    rc = sim_result(sim);

    free(sim->events);
    free(sim->tries);
    free(sim->requests);
    free(sim->data);

    return rc;
}


static void
sim_push(sim_t *sim, double time, sim_event_e type, uint32_t try)
{
    uint32_t     i;
    sim_event_t  event;

    event.time = time;
    event.order = sim->order++;
    event.type = type;
    event.try = try;

    for (i = sim->nevents++; i > 0; i = (i - 1) / 2) {
        if (!sim_before(&event, &sim->events[(i - 1) / 2])) {
            break;
        }

        sim->events[i] = sim->events[(i - 1) / 2];
    }

    sim->events[i] = event;
}


static sim_event_t
sim_pop(sim_t *sim)
{
    uint32_t     i, child;
    sim_event_t  first, last;

    first = sim->events[0];
    last = sim->events[--sim->nevents];

    for (i = 0; 2 * i + 1 < sim->nevents; i = child) {
        child = 2 * i + 1;

        if (child + 1 < sim->nevents
            && sim_before(&sim->events[child + 1], &sim->events[child]))
        {
            child++;
        }

        if (!sim_before(&sim->events[child], &last)) {
            break;
        }

        sim->events[i] = sim->events[child];
    }

    sim->events[i] = last;

    return first;
}


static int
sim_before(const sim_event_t *a, const sim_event_t *b)
{
    if (a->time != b->time) {
        return a->time < b->time;
    }

    return a->order < b->order;
}


static void
sim_arrive(sim_t *sim)
{
    double  wait;

    if (sim->picks == sim->npicks) {
        return;
    }

    sim->requests[sim->picks].begun = sim->now;
    sim_try_request(sim, sim->picks++);

    wait = -log(sim_uniform(&sim->world)) * 1000 / sim->rate;
    sim_push(sim, sim->now + wait, SIM_ARRIVAL, SIM_NONE);
}


static void
sim_try_request(sim_t *sim, uint32_t index)
{
    uint32_t        node;
    sim_request_t  *request;

    request = &sim->requests[index];
    node = sim->policy->pick(sim, request);

    if (node == SIM_NONE) {
        sim_request_ended(sim, request, 0);
        return;
    }

    if (request->attempts == 0) {
        sim->nodes[node].picked++;
        sim->window_picks++;
        sim->window_share[sim->nodes[node].operator]++;
    }

    request->operators[request->attempts++] = sim->nodes[node].operator;
    sim_try_node(sim, node, index);
}


static void
sim_try_node(sim_t *sim, uint32_t node, uint32_t request)
{
    double      ms, patience;
    uint32_t    index;
    sim_try_t  *try;

    if (sim->free_try != SIM_NONE) {
        index = sim->free_try;
        sim->free_try = sim->tries[index].request;

    } else if (sim->ntries < SIM_TRIES_MAX) {
        index = sim->ntries++;

    } else {

        if (request != SIM_NONE) {
            sim_request_ended(sim, &sim->requests[request], 0);
        }

        return;
    }

    try = &sim->tries[index];
    try->node = node;
    try->request = request;
    try->begun = sim->now;
    try->overdue = 0;
    try->how = sim_world_try(sim, node, &ms);

    sim->nodes[node].inflight++;

    patience = sim->policy->patience ? sim->policy->patience(sim, node)
                                     : SIM_TIMEOUT;

    if (patience < ms) {
        sim_push(sim, sim->now + patience, SIM_OVERDUE, index);
    }

    sim_push(sim, sim->now + ms, SIM_END, index);
}


static void
sim_try_overdue(sim_t *sim, uint32_t index)
{
    double         ms;
    sim_try_t     *try;
    gateway_try_e  how;

    try = &sim->tries[index];
    ms = sim->now - try->begun;

    how = try->how;
    try->how = GATEWAY_TRY_OVERDUE;
    sim->policy->ended(sim, try, ms);

    try->how = how;
    try->overdue = 1;
}


static void
sim_try_ended(sim_t *sim, uint32_t index)
{
    int             ok;
    double          ms;
    uint32_t        number;
    sim_try_t      *try;
    sim_request_t  *request;

    try = &sim->tries[index];
    ms = sim->now - try->begun;
    ok = (try->how == GATEWAY_TRY_OK);
    number = try->request;

    if (try->overdue) {
        try->how = GATEWAY_TRY_LATE;
    }

    sim->nodes[try->node].inflight--;
    sim->policy->ended(sim, try, ms);

    try->request = sim->free_try;
    sim->free_try = index;

    if (number == SIM_NONE) {
        return;
    }

    request = &sim->requests[number];

    if (ok) {
        sim->good += (request->attempts == 1);
        sim_request_ended(sim, request, 1);

    } else if (request->attempts < SIM_TRIES) {
        sim_try_request(sim, number);

    } else {
        sim_request_ended(sim, request, 0);
    }
}


static void
sim_request_ended(sim_t *sim, sim_request_t *request, int ok)
{
    sim_result_t  *result;

    result = sim->result;

    sim->answered += ok;
    result->latency[result->nlatency++] = sim->now - request->begun;
}


static void
sim_moved(sim_t *sim)
{
    double       keep, picks;
    uint32_t     i;
    sim_node_t  *node;

    sim_world_move(sim);
    sim_probe(sim);

    keep = exp2(-1 / SIM_RECENT);
    picks = 0;

    for (i = 0; i < sim->n; i++) {
        picks += sim->nodes[i].picked;
    }

    for (i = 0; i < sim->nfaults; i++) {
        sim_earned(sim, &sim->faults[i], picks);
    }

    for (i = 0; i < sim->n; i++) {
        node = &sim->nodes[i];

        if (picks != 0) {
            node->recent = keep * node->recent
                           + (1 - keep) * node->picked / picks;
        }

        node->latest = (picks != 0) ? node->picked / picks : node->latest;
        node->picked = 0;
    }

    for (i = 0; i < sim->nfaults; i++) {
        sim_fault(sim, &sim->faults[i]);
    }

    if (sim->window_picks >= SIM_WINDOW_PICKS) {
        sim_window(sim);
    }
}


/*
 * The budget of probes: one for a node without a try for so long.  Newcomers
 * have to be found by callers alone.
 */

static void
sim_probe(sim_t *sim)
{
    uint32_t  i;

    if (sim->mix != SIM_FAULTY) {
        return;
    }

    for (i = 0; i < sim->n; i++) {
        if (sim->now - sim->nodes[i].tried_at >= SIM_PROBE
            && sim_world_usable(sim, i))
        {
            sim_try_node(sim, i, SIM_NONE);
        }
    }
}


static void
sim_window(sim_t *sim)
{
    double    share;
    uint32_t  i;

    for (i = 0; i < sim->noperators; i++) {
        share = sim->window_share[i] / sim->window_picks;

        if (sim->result->cap < share) {
            sim->result->cap = share;
        }

        sim->window_share[i] = 0;
    }

    for (i = 0; i < sim->n; i++) {
        share = sim->nodes[i].spent / sim->allowance;

        if (sim->result->spent < share) {
            sim->result->spent = share;
        }
    }

    sim->window_picks = 0;
}


/* how soon a faulty node is used no longer, and is again when it is well */

static void
sim_fault(sim_t *sim, sim_fault_t *fault)
{
    double  passed, share;

    share = sim->nodes[fault->node].latest;
    passed = sim->now - fault->from * sim->length;

    if (passed > 0 && fault->out == 0 && share < SIM_UNUSED * fault->before) {
        fault->out = passed;
    }

    share = sim->nodes[fault->node].recent;
    passed = sim->now - fault->to * sim->length;

    if (passed > 0 && fault->back == 0 && share > SIM_BACK * fault->before) {
        fault->back = passed;
    }
}


/* what a newcomer is given, once there was time to find it */

static void
sim_earned(sim_t *sim, sim_fault_t *fault, double picks)
{
    double  passed;

    passed = sim->now - fault->to * sim->length;

    if (fault->state == SIM_ABSENT
        && passed > SIM_EARNING && passed <= SIM_EARNING + SIM_EARNED)
    {
        fault->picks += sim->nodes[fault->node].picked;
        fault->all += picks;
    }
}


static int
sim_result(sim_t *sim)
{
    double         sum;
    uint32_t       i;
    sim_result_t  *result;

    result = sim->result;

    if (result->nlatency == 0) {
        return -1;
    }

    qsort(result->latency, result->nlatency, sizeof(float), sim_compare);

    sum = 0;

    for (i = 0; i < result->nlatency; i++) {
        sum += result->latency[i];
    }

    result->mean = sum / result->nlatency;
    result->p50 = result->latency[result->nlatency / 2];
    result->p90 = result->latency[(uint32_t) (result->nlatency * 0.9)];
    result->p99 = result->latency[(uint32_t) (result->nlatency * 0.99)];
    result->first = (double) sim->good / sim->picks;
    result->success = (double) sim->answered / sim->picks;

    return 0;
}


static int
sim_compare(const void *one, const void *two)
{
    float  a, b;

    a = *(const float *) one;
    b = *(const float *) two;

    return (a > b) - (a < b);
}
