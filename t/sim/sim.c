
/*
 * usage: gateway [--fast] [--seed N] [--plot FILE]
 *
 * Runs every policy over pools of 24 and 200 nodes, a million picks each,
 * prints a table and whether the goals are met; then over pools that nodes
 * come to.  --fast takes fewer picks, and only the policies that the goals
 * are about.
 */


#include "sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define SIM_PICKS        1000000
#define SIM_PICKS_FAST   400000
#define SIM_POOLS        5
#define SIM_PLOTTED      2                 /* the first of them */

/* goals: share of the oracle's gain in p50, its p99 x, what windows add */
#define SIM_GAIN         0.9
#define SIM_P99          1.3
#define SIM_CHANCE       0.02
#define SIM_SUCCESS      0.9999
#define SIM_OUT          4000              /* ms, in whole seconds */
#define SIM_SEEN         0.02              /* least share to tell it by */
#define SIM_FOUND        0.4               /* of the oracle's for a newcomer */


typedef struct {
    const char  *name;
    sim_mix_e    mix;
    uint32_t     nodes;
    double       rate;                     /* requests per s */
    int          judged;                   /* also by latency */
} sim_pool_t;


static int sim_pool(uint32_t pool, uint32_t picks, uint64_t seed, int fast);
static void sim_row(const sim_policy_t *policy, const sim_result_t *result);
static void sim_goals(const sim_result_t *results, int judged);
static void sim_faults(const sim_t *sim);
static void sim_comers(const sim_t *sim, const sim_fault_t *oracle);
static void sim_goal(int ok, const char *what, double is, double goal);


static const sim_pool_t  sim_pools[SIM_POOLS] = {
    { "faults", SIM_FAULTY, 24, 400, 1 },
    { "faults", SIM_FAULTY, 200, 1500, 1 },
    { "late joiners", SIM_JOINING, 24, 400, 1 },
    { "late joiners, quiet", SIM_JOINING, 24, 40, 0 },
    { "no first tries", SIM_UNSEEN, 24, 400, 1 }
};

static sim_t         sim_world;
static sim_result_t  sim_results[SIM_POOLS][SIM_POLICIES];
static unsigned      failed;
static unsigned      passed;


int
main(int argc, char **argv)
{
    int          i, fast;
    uint32_t     pool, picks, nodes[SIM_PLOTTED];
    uint64_t     seed;
    const char  *plot;

    fast = 0;
    seed = 1;
    plot = NULL;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--fast") == 0) {
            fast = 1;

        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);

        } else if (strcmp(argv[i], "--plot") == 0 && i + 1 < argc) {
            plot = argv[++i];

        } else {
            fprintf(stderr, "%s: unknown argument \"%s\"\n", argv[0],
                    argv[i]);
            return 2;
        }
    }

    picks = fast ? SIM_PICKS_FAST : SIM_PICKS;

    for (pool = 0; pool < SIM_POOLS; pool++) {
        if (sim_pool(pool, picks, seed, fast) != 0) {
            fprintf(stderr, "%s: no memory\n", argv[0]);
            return 1;
        }
    }

    for (pool = 0; pool < SIM_PLOTTED; pool++) {
        nodes[pool] = sim_pools[pool].nodes;
    }

    if (plot && sim_plot(plot, sim_results, nodes, SIM_PLOTTED) != 0) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], plot, strerror(errno));
        return 1;
    }

    printf("%u passed, %u failed\n", passed, failed);

    return failed != 0;
}


static int
sim_pool(uint32_t pool, uint32_t picks, uint64_t seed, int fast)
{
    uint32_t             i;
    sim_fault_t          oracle[SIM_FAULTS];
    const sim_pool_t    *p;
    const sim_policy_t  *policy;

    p = &sim_pools[pool];

    printf("%s: %u nodes, %.0f requests/s, %u picks\n\n", p->name, p->nodes,
           p->rate, picks);
    printf("| policy         | p50, ms | p90, ms | p99, ms | mean, ms "
           "| first tries | answered  | operator |\n");
    printf("|----------------|--------:|--------:|--------:|---------:"
           "|------------:|----------:|---------:|\n");

    for (i = 0; i < SIM_POLICIES; i++) {

        if (fast && (i == SIM_TIERED || i == SIM_GREEDY)) {
            continue;
        }

        policy = (i == SIM_GATEWAY) ? &sim_gateway_policy : &sim_policies[i];

        sim_world_init(&sim_world, p->mix, p->nodes, p->rate, seed);
        sim_world.npicks = picks;

        if (sim_run(&sim_world, policy, &sim_results[pool][i]) != 0) {
            return -1;
        }

        sim_row(policy, &sim_results[pool][i]);

        if (i == SIM_ORACLE) {
            memcpy(oracle, sim_world.faults, sizeof(oracle));
        }
    }

    printf("\n");

    if (p->mix == SIM_FAULTY) {
        sim_faults(&sim_world);

    } else {
        sim_comers(&sim_world, oracle);
    }

    sim_goals(sim_results[pool], p->judged);
    printf("\n");

    return 0;
}


static void
sim_row(const sim_policy_t *policy, const sim_result_t *result)
{
    printf("| %-14s | %7.1f | %7.1f | %7.1f | %8.1f | %9.2f %% "
           "| %7.3f %% | %6.1f %% |\n", policy->name, result->p50,
           result->p90, result->p99, result->mean, result->first * 100,
           result->success * 100, result->cap * 100);
}


/* Faults of the run just done: ours, which is the last. */

static void
sim_faults(const sim_t *sim)
{
    uint32_t            i;
    const sim_fault_t  *fault;

    for (i = 0; i < sim->nfaults; i++) {
        fault = &sim->faults[i];

        printf("%-12s of %4.1f %% of the picks: ", fault->name,
               fault->before * 100);

        if (fault->state == SIM_WELL || fault->state == SIM_FLAKY) {
            printf("a lasting change\n");
            continue;
        }

        printf("unused after %.0f s\n", fault->out / 1000);

        if (fault->before >= SIM_SEEN) {
            sim_goal(fault->out > 0 && fault->out <= SIM_OUT,
                     "ms until a failing node is unused", fault->out,
                     SIM_OUT);
        }
    }
}


/* Nodes that came: what ours gave them, and what the oracle did. */

static void
sim_comers(const sim_t *sim, const sim_fault_t *oracle)
{
    double    ours, best;
    uint32_t  i;

    for (i = 0; i < sim->nfaults; i++) {
        ours = sim->faults[i].picks / sim->faults[i].all;
        best = oracle[i].picks / oracle[i].all;

        printf("%-8s came: a minute later it has %4.1f %% of the picks, "
               "the oracle's %4.1f %%\n", sim->faults[i].name, ours * 100,
               best * 100);

        if (best >= SIM_SEEN) {
            sim_goal(ours >= SIM_FOUND * best, "share of a newcomer", ours,
                     SIM_FOUND * best);
        }
    }
}


static void
sim_goals(const sim_result_t *results, int judged)
{
    double               gain;
    const sim_result_t  *ours, *oracle, *uniform;

    ours = &results[SIM_GATEWAY];
    oracle = &results[SIM_ORACLE];
    uniform = &results[SIM_UNIFORM];

    gain = (uniform->p50 - ours->p50) / (uniform->p50 - oracle->p50);

    printf("of the oracle's gain in p50: %.1f %%, p99: %.2f x\n", gain * 100,
           ours->p99 / oracle->p99);

    /* where there are few callers, few tries tell anything */

    if (judged) {
        sim_goal(gain >= SIM_GAIN, "share of the oracle's gain in p50", gain,
                 SIM_GAIN);
        sim_goal(ours->p99 <= SIM_P99 * oracle->p99, "p99, x of the oracle's",
                 ours->p99 / oracle->p99, SIM_P99);
    }

    sim_goal(ours->cap <= SIM_CAP + SIM_CHANCE, "share of an operator",
             ours->cap, SIM_CAP + SIM_CHANCE);
    sim_goal(ours->spent <= 1, "of an allowance spent", ours->spent, 1);
    sim_goal(ours->success >= SIM_SUCCESS, "share of requests answered",
             ours->success, SIM_SUCCESS);
}


static void
sim_goal(int ok, const char *what, double is, double goal)
{
    if (ok) {
        passed++;
        return;
    }

    failed++;
    printf("FAIL %s: %g, the goal is %g\n", what, is, goal);
}
