
#include "sim.h"

#include <math.h>
#include <string.h>


#define SIM_SPREAD        0.55             /* of the nodes' medians, in logs */
#define SIM_DRIFT         0.25             /* of one node's */
#define SIM_DRIFT_TIME    200.0            /* s */
#define SIM_TAIL          0.01             /* answers that take 4 x as long */
#define SIM_TAIL_FACTOR   4.0
#define SIM_LOAD_MAX      20.0
#define SIM_REFUSED       2.0              /* ms */
#define SIM_RETRY         1.5              /* what a failure costs, x */


static void sim_world_operators(sim_t *sim);
static void sim_world_faults(sim_t *sim);
static void sim_world_fault(sim_t *sim, sim_fault_t *fault);
static uint32_t sim_world_fastest(sim_t *sim, uint32_t rank);
static double sim_world_median(const sim_node_t *node);
static double sim_world_load(const sim_node_t *node, double inflight);
static double sim_world_failing(const sim_node_t *node);


#define sim_fault(name, state, from, to, rank, factor)                        \
    { name, state, from, to, rank, factor, 0, 0, 0, 0, 0, 0 }


static const sim_fault_t  sim_faults[] = {
    sim_fault("refuses",      SIM_DEAD,        0.10, 0.20, 1, 0),
    sim_fault("hangs",        SIM_HUNG,        0.24, 0.31, 1, 0),
    sim_fault("4 s answers",  SIM_TURNED_SLOW, 0.35, 0.45, 1, 0),
    sim_fault("3 x slower",   SIM_WELL,        0.48, 0.58, 0, 3),
    sim_fault("5xx",          SIM_BROKEN,      0.60, 0.66, 1, 0),
    sim_fault("30 % fail",    SIM_FLAKY,       0.70, 0.80, 1, 0),
    sim_fault("4 x faster",   SIM_WELL,        0.84, 0.94, 11, 0.25)
};


/* of the others there is none: a node comes that is then the n-th fastest */

static const sim_fault_t  sim_comers[] = {
    sim_fault("fastest",      SIM_ABSENT,      0, 0.15, 0, 0),
    sim_fault("slow",         SIM_ABSENT,      0, 0.30, 22, 0),
    sim_fault("fast",         SIM_ABSENT,      0, 0.40, 2, 0),
    sim_fault("slowest",      SIM_ABSENT,      0, 0.50, 23, 0)
};


void
sim_world_init(sim_t *sim, sim_mix_e mix, uint32_t n, double mean_rate,
    uint64_t seed)
{
    double       rate, offset[SIM_OPERATORS];
    uint32_t     i;
    sim_node_t  *node;

    memset(sim, 0, sizeof(sim_t));

    sim->mix = mix;
    sim->n = n;
    sim->world = seed;
    sim->chance = seed ^ 0x5851f42d4c957f2d;
    sim->rank = gateway_rank_defaults;
    sim->record = gateway_record_defaults;

    sim->mean_rate = mean_rate;
    sim->rate = sim->mean_rate;
    rate = sim->mean_rate / n;

    sim_world_operators(sim);

    /* nodes of one operator stand near each other */

    for (i = 0; i < sim->noperators; i++) {
        offset[i] = 0.5 * SIM_SPREAD * sim_normal(&sim->world);
    }

    for (i = 0; i < n; i++) {
        node = &sim->nodes[i];

        node->typical = log(80) + offset[node->operator]
                        + 0.85 * SIM_SPREAD * sim_normal(&sim->world);
        node->current = node->typical;
        node->sigma = 0.15 + 0.3 * sim_uniform(&sim->world);
        node->capacity = rate * exp(node->typical) / 1000
                         * (8 + 24 * sim_uniform(&sim->world));

        if (i % 8 == 3) {
            node->quota = rate * (1 + sim_uniform(&sim->world));
            node->quota_left = node->quota;
        }
    }

    if (mix == SIM_FAULTY) {
        sim->nfaults = sizeof(sim_faults) / sizeof(sim_fault_t);
        memcpy(sim->faults, sim_faults, sizeof(sim_faults));

    } else {
        sim->nfaults = sizeof(sim_comers) / sizeof(sim_fault_t);
        memcpy(sim->faults, sim_comers, sizeof(sim_comers));
    }

    sim->allowance = SIM_ALLOWANCE * rate * SIM_SESSION / 1000;
}


/* the largest has two fifths of the nodes, the next half as many, ... */

static void
sim_world_operators(sim_t *sim)
{
    uint32_t  i, k, size;

    i = 0;
    size = sim->n * 2 / 5;

    for (k = 0; i < sim->n; k++) {
        while (size-- > 0 && i < sim->n) {
            sim->nodes[i++].operator = k;
        }

        size = (sim->n - i) / 3;

        if (size < sim->n / 24 || size == 0) {
            size = sim->n / 24;
        }
    }

    sim->noperators = k;
}


/* each second: nodes drift, callers come and go, faults begin and end */

void
sim_world_move(sim_t *sim)
{
    double       back, step;
    uint32_t     i;
    sim_node_t  *node;

    back = 1 / SIM_DRIFT_TIME;
    step = SIM_DRIFT * sqrt(2 / SIM_DRIFT_TIME);

    for (i = 0; i < sim->n; i++) {
        node = &sim->nodes[i];
        node->current += back * (node->typical - node->current)
                         + step * sim_normal(&sim->world);
        node->quota_left = node->quota;
    }

    sim->rate = sim->mean_rate
                * (1 + 0.4 * sin(6.28318 * 3 * sim->now / sim->length));

    sim_world_faults(sim);

    if (sim->now >= sim->session + SIM_SESSION) {
        sim->session += SIM_SESSION;

        for (i = 0; i < sim->n; i++) {
            sim->nodes[i].spent = 0;
        }
    }
}


static void
sim_world_faults(sim_t *sim)
{
    uint32_t  i;

    for (i = 0; i < sim->nfaults; i++) {
        sim_world_fault(sim, &sim->faults[i]);
    }
}


static void
sim_world_fault(sim_t *sim, sim_fault_t *fault)
{
    double       passed;
    sim_node_t  *node;

    passed = sim->now - fault->from * sim->length;

    if (passed >= 0 && passed < SIM_SECOND) {
        fault->node = sim_world_fastest(sim, fault->rank);
        node = &sim->nodes[fault->node];
        node->state = fault->state;
        fault->before = node->recent;

        if (fault->factor) {
            node->typical += log(fault->factor);
            node->current += log(fault->factor);
        }
    }

    node = &sim->nodes[fault->node];
    passed = sim->now - fault->to * sim->length;

    if (passed >= 0 && passed < SIM_SECOND) {
        node->state = SIM_WELL;

        if (fault->factor) {
            node->typical -= log(fault->factor);
            node->current -= log(fault->factor);
        }
    }
}


static uint32_t
sim_world_fastest(sim_t *sim, uint32_t rank)
{
    uint32_t  i, k, faster;

    for (i = 0; i < sim->n; i++) {
        faster = 0;

        for (k = 0; k < sim->n; k++) {
            faster += sim->nodes[k].current < sim->nodes[i].current;
        }

        if (faster == rank) {
            return i;
        }
    }

    return 0;
}


gateway_try_e
sim_world_try(sim_t *sim, uint32_t i, double *ms)
{
    sim_node_t  *node;

    node = &sim->nodes[i];
    node->spent++;
    node->tried_at = sim->now;

    *ms = sim_world_median(node) * exp(node->sigma * sim_normal(&sim->chance))
          * sim_world_load(node, node->inflight);

    if (sim_uniform(&sim->chance) < SIM_TAIL) {
        *ms *= SIM_TAIL_FACTOR;
    }

    if (node->state == SIM_HUNG || *ms > SIM_TIMEOUT) {
        *ms = SIM_TIMEOUT;
        return GATEWAY_TRY_LOST;
    }

    if (node->state == SIM_DEAD) {
        *ms = SIM_REFUSED;
        return GATEWAY_TRY_LOST;
    }

    if (node->quota != 0 && --node->quota_left < 0) {
        *ms = SIM_REFUSED + sim_world_median(node) / 4;
        return GATEWAY_TRY_QUOTA;
    }

    return (sim_uniform(&sim->chance) < sim_world_failing(node))
           ? GATEWAY_TRY_FAILED : GATEWAY_TRY_OK;
}


static double
sim_world_median(const sim_node_t *node)
{
    return (node->state == SIM_TURNED_SLOW) ? SIM_SLOW : exp(node->current);
}


static double
sim_world_load(const sim_node_t *node, double inflight)
{
    double  load;

    load = inflight / node->capacity;

    return fmin(1 + load * load, SIM_LOAD_MAX);
}


static double
sim_world_failing(const sim_node_t *node)
{
    switch (node->state) {

    case SIM_DEAD:
    case SIM_HUNG:
    case SIM_BROKEN:
        return 1;

    case SIM_FLAKY:
        return 0.3;

    default:
        return 0.002;
    }
}


double
sim_world_cost(sim_t *sim, uint32_t i, double rate)
{
    double             mean, ms, inflight;
    uint32_t           k;
    const sim_node_t  *node;

    node = &sim->nodes[i];

    mean = sim_world_median(node) * exp(node->sigma * node->sigma / 2)
           * (1 + SIM_TAIL * (SIM_TAIL_FACTOR - 1));

    if (node->state == SIM_HUNG) {
        mean = SIM_TIMEOUT;
    }

    /* in flight: Poisson, its mean by Little's law */

    ms = mean;

    for (k = 0; k < 20; k++) {
        inflight = rate * ms / 1000;
        ms = mean * sim_world_load(node, sqrt(inflight * inflight
                                              + inflight));
    }

    return ms + sim_world_failing(node) * SIM_RETRY * SIM_SECOND / 4;
}


double
sim_world_limit(sim_t *sim, uint32_t i)
{
    double       left, limit;
    sim_node_t  *node;

    node = &sim->nodes[i];

    left = sim->session + SIM_SESSION - sim->now;

    if (left < SIM_SECOND) {
        left = SIM_SECOND;
    }

    if (node->state == SIM_ABSENT) {
        return 0;
    }

    limit = (sim->allowance - node->spent) / (left / 1000 * sim->rate);

    if (limit < 0) {
        return 0;
    }

    return (limit < 1) ? limit : 1;
}


int
sim_world_usable(sim_t *sim, uint32_t i)
{
    return sim->nodes[i].state != SIM_ABSENT
           && sim->nodes[i].spent < sim->allowance;
}


uint64_t
sim_random(uint64_t *seed)
{
    uint64_t  z;

    *seed += 0x9e3779b97f4a7c15;

    z = *seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


double
sim_uniform(uint64_t *seed)
{
    return ((sim_random(seed) >> 11) + 0.5) / 9007199254740992.0;
}


double
sim_normal(uint64_t *seed)
{
    double  r;

    r = sqrt(-2 * log(sim_uniform(seed)));

    return r * cos(6.283185307179586 * sim_uniform(seed));
}
