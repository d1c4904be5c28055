
/*
 * The pure part of FindNode: two draws from a table and the better of them
 * by latency and tries in flight; and the slices a table is rebuilt in.
 * Each at 24, 1,000 and 10,000 nodes: mean and p99 in ns, the longest slice
 * in us.  The last lines are for scripts: rank_NAME_N value.
 */


#include "gateway_rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define BENCH_SIZES    3
#define BENCH_BATCHES  20000
#define BENCH_BATCH    64                  /* picks between two clocks */
#define BENCH_SLICE    10000
#define BENCH_BUILDS   50


typedef struct {
    uint32_t              n;
    uint32_t              nentries;
    gateway_candidate_t  *candidates;
    gateway_entry_t      *entries;
    uint32_t             *inflight;
    void                 *work;
    uint64_t              seed;
} bench_t;


static void bench_init(bench_t *b, uint32_t n);
static void bench_build(bench_t *b, double *longest, double *total);
static void bench_picks(bench_t *b, double *mean, double *p99);
static uint32_t bench_pick(bench_t *b);
static uint64_t bench_random(bench_t *b);
static void *bench_memory(size_t size);
static double bench_now(void);
static int bench_compare(const void *one, const void *two);


int
main(void)
{
    double    mean, p99, longest, total;
    bench_t   b;
    uint32_t  i;

    static const uint32_t  sizes[BENCH_SIZES] = { 24, 1000, 10000 };

    for (i = 0; i < BENCH_SIZES; i++) {
        bench_init(&b, sizes[i]);
        bench_build(&b, &longest, &total);
        bench_picks(&b, &mean, &p99);

        printf("%6u nodes: a pick takes %.1f ns, p99 %.1f ns; a table "
               "%.0f us, its longest slice %.0f us\n", b.n, mean, p99, total,
               longest);
        printf("rank_pick_ns_%u %.1f\n", b.n, mean);
        printf("rank_pick_p99_ns_%u %.1f\n", b.n, p99);
        printf("rank_slice_us_%u %.1f\n", b.n, longest);

        free(b.candidates);
        free(b.entries);
        free(b.inflight);
        free(b.work);
    }

    return 0;
}


static void
bench_init(bench_t *b, uint32_t n)
{
    uint32_t              i;
    gateway_candidate_t  *candidate;

    b->n = n;
    b->seed = 1;
    b->candidates = bench_memory(n * sizeof(gateway_candidate_t));
    b->entries = bench_memory(n * sizeof(gateway_entry_t));
    b->inflight = bench_memory(n * sizeof(uint32_t));
    b->work = bench_memory(gateway_rank_size(n));

    for (i = 0; i < n; i++) {
        candidate = &b->candidates[i];

        candidate->node = i;
        candidate->operator = i % (n / 4);
        candidate->latency = 20 + bench_random(b) % 500;
        candidate->weight = pow(candidate->latency, -6);
        candidate->admitted = 1;
        candidate->state = (i % 10 == 0) ? GATEWAY_CANDIDATE_OUT
                                         : GATEWAY_CANDIDATE_IN;

        b->inflight[i] = bench_random(b) % 4;
    }
}


static void
bench_build(bench_t *b, double *longest, double *total)
{
    int             more;
    double          from, took, slowest, builds[BENCH_BUILDS];
    uint32_t        i;
    gateway_rank_t  rank;

    /* slices are judged by the best of many runs: others share the machine */

    *longest = HUGE_VAL;

    for (i = 0; i < BENCH_BUILDS; i++) {
        gateway_rank_begin(&rank, &gateway_rank_defaults, b->candidates, b->n,
                           b->entries, b->work);
        slowest = 0;
        builds[i] = 0;

        do {
            from = bench_now();
            more = gateway_rank_slice(&rank, BENCH_SLICE);
            took = bench_now() - from;

            builds[i] += took / 1000;
            slowest = fmax(slowest, took / 1000);
        } while (more);

        *longest = fmin(*longest, slowest);
    }

    qsort(builds, BENCH_BUILDS, sizeof(double), bench_compare);

    *total = builds[BENCH_BUILDS / 2];
    b->nentries = rank.nentries;
}


static void
bench_picks(bench_t *b, double *mean, double *p99)
{
    double             from, sum;
    uint32_t           i, k;
    volatile uint32_t  sink;

    static double  batches[BENCH_BATCHES];

    sum = 0;

    for (i = 0; i < BENCH_BATCHES; i++) {
        from = bench_now();

        for (k = 0; k < BENCH_BATCH; k++) {
            sink = bench_pick(b);
            (void) sink;
        }

        batches[i] = (bench_now() - from) / BENCH_BATCH;
        sum += batches[i];
    }

    qsort(batches, BENCH_BATCHES, sizeof(double), bench_compare);

    *mean = sum / BENCH_BATCHES;
    *p99 = batches[(uint32_t) (BENCH_BATCHES * 0.99)];
}


static uint32_t
bench_pick(bench_t *b)
{
    gateway_entry_t  *one, *two;

    one = &b->entries[gateway_rank_draw(b->entries, b->nentries,
                                        bench_random(b))];
    two = &b->entries[gateway_rank_draw(b->entries, b->nentries,
                                        bench_random(b))];

    if (gateway_rank_cost(two, b->inflight[two->node])
        < gateway_rank_cost(one, b->inflight[one->node]))
    {
        one = two;
    }

    b->inflight[one->node] ^= 1;

    return one->node;
}


/* splitmix64 */

static uint64_t
bench_random(bench_t *b)
{
    uint64_t  z;

    b->seed += 0x9e3779b97f4a7c15;

    z = b->seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


static void *
bench_memory(size_t size)
{
    void  *p;

    p = calloc(1, size);

    if (p == NULL) {
        fprintf(stderr, "rank: no memory\n");
        exit(1);
    }

    return p;
}


static double
bench_now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec * 1e9 + t.tv_nsec;
}


static int
bench_compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}
