
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define SIM_EJECTED      15000.0           /* ms, the reference's time-out */
#define SIM_STEPS        1000              /* of the oracle's shares */
#define SIM_SCORE        80.0
#define SIM_FORGET       0.1               /* of greedy's mean, per try */


/* What policies know of a node by its tries. */

typedef struct {
    double             share;
    double             credit;             /* owed picks */
    double             out_until;
    double             score;
    double             latency;
} sim_known_t;


static void sim_init(sim_t *sim);
static uint32_t sim_pick_random(sim_t *sim, sim_request_t *request);
static uint32_t sim_pick_owed(sim_t *sim, sim_request_t *request);
static int sim_tried(sim_t *sim, sim_request_t *request, uint32_t node);
static int sim_usable(sim_t *sim, uint32_t node);
static void sim_limit(sim_t *sim);
static void sim_uniform_tick(sim_t *sim);
static void sim_uniform_ended(sim_t *sim, sim_try_t *try, double ms);
static void sim_tiered_tick(sim_t *sim);
static void sim_tiered_ended(sim_t *sim, sim_try_t *try, double ms);
static void sim_greedy_tick(sim_t *sim);
static void sim_greedy_ended(sim_t *sim, sim_try_t *try, double ms);
static void sim_oracle_tick(sim_t *sim);
static void sim_oracle_ended(sim_t *sim, sim_try_t *try, double ms);


const sim_policy_t  sim_policies[] = {
    { "uniform", sim_init, sim_uniform_tick, sim_pick_random,
      sim_uniform_ended, NULL },
    { "tiered random", sim_init, sim_tiered_tick, sim_pick_random,
      sim_tiered_ended, NULL },
    { "least latency", sim_init, sim_greedy_tick, sim_pick_random,
      sim_greedy_ended, NULL },
    { "oracle", sim_init, sim_oracle_tick, sim_pick_owed,
      sim_oracle_ended, NULL }
};


static void
sim_init(sim_t *sim)
{
    uint32_t      i;
    sim_known_t  *known;

    known = calloc(sim->n, sizeof(sim_known_t));
    sim->data = known;

    if (known == NULL) {
        abort();
    }

    /* nothing is known yet: every node is worth a first try */

    for (i = 0; i < sim->n; i++) {
        known[i].share = 1.0 / sim->n;
        known[i].score = SIM_SCORE;
        known[i].latency = 1;
    }
}


static uint32_t
sim_pick_random(sim_t *sim, sim_request_t *request)
{
    int           any;
    double        at, sum;
    uint32_t      i, node;
    sim_known_t  *known;

    known = sim->data;

    /* other operators first, then whatever is left */

    for (any = 0; any < 2; any++) {
        sum = 0;

        for (i = 0; i < sim->n; i++) {
            if (any || !sim_tried(sim, request, i)) {
                sum += known[i].share;
            }
        }

        if (sum <= 0) {
            continue;
        }

        at = sim_uniform(&sim->chance) * sum;
        node = SIM_NONE;

        for (i = 0; i < sim->n; i++) {
            if (known[i].share > 0 && (any || !sim_tried(sim, request, i))) {
                node = i;
                at -= known[i].share;

                if (at <= 0) {
                    break;
                }
            }
        }

        return node;
    }

    return SIM_NONE;
}


/* the one that is owed most: shares without the noise of chance */

static uint32_t
sim_pick_owed(sim_t *sim, sim_request_t *request)
{
    uint32_t      i, best;
    sim_known_t  *known;

    known = sim->data;
    best = SIM_NONE;

    for (i = 0; i < sim->n; i++) {
        known[i].credit += (request->attempts == 0) ? known[i].share : 0;

        if (known[i].share > 0 && !sim_tried(sim, request, i)
            && (best == SIM_NONE || known[i].credit > known[best].credit))
        {
            best = i;
        }
    }

    if (best == SIM_NONE) {
        return sim_pick_random(sim, request);
    }

    known[best].credit -= 1;

    return best;
}


static int
sim_tried(sim_t *sim, sim_request_t *request, uint32_t node)
{
    uint32_t  i;

    for (i = 0; i < request->attempts; i++) {
        if (request->operators[i] == sim->nodes[node].operator) {
            return 1;
        }
    }

    return 0;
}


static int
sim_usable(sim_t *sim, uint32_t i)
{
    sim_known_t  *known;

    known = sim->data;

    return known[i].out_until <= sim->now && sim_world_usable(sim, i);
}


/*
 * Scales shares to 1, and what is above an operator's cap down to it, again
 * and again until nothing is.
 */

static void
sim_limit(sim_t *sim)
{
    double        sum, left, shares[SIM_OPERATORS];
    uint32_t      i, k, newly, held[SIM_OPERATORS];
    sim_known_t  *known;

    known = sim->data;
    memset(held, 0, sizeof(held));

    do {
        memset(shares, 0, sizeof(shares));
        sum = 0;
        left = 1;
        newly = 0;

        for (i = 0; i < sim->n; i++) {
            k = sim->nodes[i].operator;
            shares[k] += known[i].share;
            sum += held[k] ? 0 : known[i].share;
        }

        for (k = 0; k < sim->noperators; k++) {
            left -= held[k] ? SIM_CAP : 0;
        }

        if (sum <= 0) {
            return;
        }

        for (i = 0; i < sim->n; i++) {
            if (!held[sim->nodes[i].operator]) {
                known[i].share *= left / sum;
            }
        }

        for (k = 0; k < sim->noperators; k++) {
            if (!held[k] && shares[k] * left / sum > SIM_CAP * 1.000001) {
                held[k] = 1;
                newly = 1;

                for (i = 0; i < sim->n; i++) {
                    if (sim->nodes[i].operator == k) {
                        known[i].share *= SIM_CAP
                                          / (shares[k] * left / sum);
                    }
                }
            }
        }

    } while (newly);
}


static void
sim_uniform_tick(sim_t *sim)
{
    uint32_t      i;
    sim_known_t  *known;

    known = sim->data;

    for (i = 0; i < sim->n; i++) {
        known[i].share = sim_usable(sim, i);
    }

    sim_limit(sim);
}


static void
sim_uniform_ended(sim_t *sim, sim_try_t *try, double ms)
{
    sim_known_t  *known;

    known = sim->data;

    if (try->how == GATEWAY_TRY_FAILED || try->how == GATEWAY_TRY_LOST) {
        known[try->node].out_until = sim->now + SIM_EJECTED;
        sim_uniform_tick(sim);
    }
}


static void
sim_tiered_tick(sim_t *sim)
{
    uint32_t      i, k, tier;
    sim_known_t  *known;

    static const double  tiers[] = { 70, 50, 30, 0 };

    known = sim->data;
    tier = 3;

    for (i = 0; i < sim->n; i++) {
        for (k = 0; k < tier; k++) {
            if (sim_usable(sim, i) && known[i].score >= tiers[k]) {
                tier = k;
            }
        }
    }

    for (i = 0; i < sim->n; i++) {
        known[i].share = sim_usable(sim, i) && known[i].score >= tiers[tier];
    }

    sim_limit(sim);
}


static void
sim_tiered_ended(sim_t *sim, sim_try_t *try, double ms)
{
    double       *score;
    sim_known_t  *known;

    known = sim->data;
    score = &known[try->node].score;

    if (try->how == GATEWAY_TRY_OK) {
        *score = fmin(*score + 1, 100);

    } else {
        *score = fmax(*score - 10, 0);
    }
}


static void
sim_greedy_tick(sim_t *sim)
{
    double        left, share, used[SIM_OPERATORS];
    uint32_t      i, k, best;
    sim_known_t  *known;

    known = sim->data;
    memset(used, 0, sizeof(used));

    for (i = 0; i < sim->n; i++) {
        known[i].share = 0;
    }

    left = 1;

    while (left > 1e-9) {
        best = SIM_NONE;

        for (i = 0; i < sim->n; i++) {
            if (known[i].share == 0 && sim_usable(sim, i)
                && used[sim->nodes[i].operator] < SIM_CAP - 1e-9
                && (best == SIM_NONE
                    || known[i].latency < known[best].latency))
            {
                best = i;
            }
        }

        if (best == SIM_NONE) {
            break;
        }

        k = sim->nodes[best].operator;
        share = fmin(fmin(left, SIM_CAP - used[k]),
                     sim_world_limit(sim, best));

        known[best].share = fmax(share, 1e-12);
        used[k] += share;
        left -= share;
    }
}


static void
sim_greedy_ended(sim_t *sim, sim_try_t *try, double ms)
{
    sim_known_t  *known;

    known = &((sim_known_t *) sim->data)[try->node];

    if (try->how == GATEWAY_TRY_OK) {
        known->latency += SIM_FORGET * (ms - known->latency);

    } else if (try->how != GATEWAY_TRY_QUOTA) {
        known->out_until = sim->now + SIM_EJECTED;
        sim_greedy_tick(sim);
    }
}


/*
 * The shares of the least mean latency, step by step to the node that adds
 * least to the sum of all: the cost of each is convex, so that is the best
 * there is under these limits.
 */

static void
sim_oracle_tick(sim_t *sim)
{
    double        cost, used[SIM_OPERATORS], limit[SIM_NODES];
    double        next[SIM_NODES], total[SIM_NODES];
    uint32_t      i, k, best;
    sim_known_t  *known;

    if (fmod(sim->now, SIM_SECOND) > SIM_TICK / 2) {
        return;
    }

    known = sim->data;
    memset(used, 0, sizeof(used));

    for (i = 0; i < sim->n; i++) {
        known[i].share = 0;
        total[i] = 0;
        next[i] = sim_world_cost(sim, i, sim->rate / SIM_STEPS);
        limit[i] = sim_world_limit(sim, i);

        if (sim->nodes[i].quota) {
            limit[i] = fmin(limit[i], 0.9 * sim->nodes[i].quota / sim->rate);
        }
    }

    for (k = 0; k < SIM_STEPS; k++) {
        best = SIM_NONE;

        for (i = 0; i < sim->n; i++) {
            if ((best == SIM_NONE || next[i] < next[best])
                && known[i].share + 1.0 / SIM_STEPS <= limit[i]
                && used[sim->nodes[i].operator] + 1.0 / SIM_STEPS
                   <= SIM_CAP + 1e-9)
            {
                best = i;
            }
        }

        if (best == SIM_NONE) {
            return;
        }

        known[best].share += 1.0 / SIM_STEPS;
        used[sim->nodes[best].operator] += 1.0 / SIM_STEPS;
        total[best] += next[best];

        cost = (known[best].share + 1.0 / SIM_STEPS) * SIM_STEPS
               * sim_world_cost(sim, best, (known[best].share
                                            + 1.0 / SIM_STEPS) * sim->rate);
        next[best] = cost - total[best];
    }
}


static void
sim_oracle_ended(sim_t *sim, sim_try_t *try, double ms)
{
}
