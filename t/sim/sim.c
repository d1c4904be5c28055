
/*
 * usage: gateway [--fast] [--seed N] [--plot FILE]
 *
 * Runs every policy over pools of 24 and 200 nodes, a million picks each,
 * prints a table and whether the goals are met; --fast takes fewer picks, and
 * only the policies that the goals are about.
 */


#include "sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define SIM_PICKS        1000000
#define SIM_PICKS_FAST   400000
#define SIM_POOLS        2

/* goals: share of the oracle's gain in p50, its p99 x, what windows add */
#define SIM_GAIN         0.9
#define SIM_P99          1.3
#define SIM_CHANCE       0.02
#define SIM_SUCCESS      0.9999
#define SIM_OUT          4000              /* ms, in whole seconds */
#define SIM_SEEN         0.02              /* least share to tell it by */


static int sim_pool(uint32_t pool, uint32_t picks, uint64_t seed, int fast);
static void sim_row(const sim_policy_t *policy, const sim_result_t *result);
static void sim_goals(const sim_result_t *results);
static void sim_faults(const sim_t *sim);
static void sim_goal(int ok, const char *what, double is, double goal);


static const uint32_t  sim_nodes[SIM_POOLS] = { 24, 200 };
static const double    sim_rates[SIM_POOLS] = { 400, 1500 };

static sim_t         sim;
static sim_result_t  results[SIM_POOLS][SIM_POLICIES];
static unsigned      failed;
static unsigned      passed;


int
main(int argc, char **argv)
{
    int          i, fast;
    uint32_t     pool, picks;
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

    if (plot && sim_plot(plot, results, sim_nodes, SIM_POOLS) != 0) {
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
    const sim_policy_t  *policy;

    printf("%u nodes, %u picks\n\n", sim_nodes[pool], picks);
    printf("| policy         | p50, ms | p90, ms | p99, ms | mean, ms "
           "| first tries | answered  | operator |\n");
    printf("|----------------|--------:|--------:|--------:|---------:"
           "|------------:|----------:|---------:|\n");

    for (i = 0; i < SIM_POLICIES; i++) {

        if (fast && (i == SIM_TIERED || i == SIM_GREEDY)) {
            continue;
        }

        policy = (i == SIM_GATEWAY) ? &sim_gateway_policy : &sim_policies[i];

        sim_world_init(&sim, sim_nodes[pool], sim_rates[pool], seed);
        sim.npicks = picks;

        if (sim_run(&sim, policy, &results[pool][i]) != 0) {
            return -1;
        }

        sim_row(policy, &results[pool][i]);
    }

    printf("\n");
    sim_faults(&sim);
    sim_goals(results[pool]);
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


static void
sim_goals(const sim_result_t *results)
{
    double               gain;
    const sim_result_t  *ours, *oracle, *uniform;

    ours = &results[SIM_GATEWAY];
    oracle = &results[SIM_ORACLE];
    uniform = &results[SIM_UNIFORM];

    gain = (uniform->p50 - ours->p50) / (uniform->p50 - oracle->p50);

    printf("of the oracle's gain in p50: %.1f %%, p99: %.2f x\n", gain * 100,
           ours->p99 / oracle->p99);

    sim_goal(gain >= SIM_GAIN, "share of the oracle's gain in p50", gain,
             SIM_GAIN);
    sim_goal(ours->p99 <= SIM_P99 * oracle->p99, "p99, x of the oracle's",
             ours->p99 / oracle->p99, SIM_P99);
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
