
/*
 * Ranking: tables give the probabilities that were asked for, the second
 * choice the shares, operators keep their cap, the pool is never emptied.
 * F1 to F11: the reference's cases of choosing a node, each with what is
 * expected of a better one.
 */


#include "gateway_rank.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define TEST_MAX    1200
#define TEST_DRAWS  1000000


static void test_candidate(uint32_t i, double weight, double latency,
    uint32_t operator);
static void test_record(uint32_t i, const gateway_record_t *record,
    uint64_t now);
static void test_rank(uint32_t n);
static double test_share(uint32_t i);
static double test_sum(void);
static double test_operator(uint32_t operator);
static void test_table(void);
static void test_weights(void);
static void test_draws(void);
static void test_ties(void);
static void test_cap(void);
static void test_cap_kept(void);
static void test_available(void);
static void test_readmit(void);
static void test_liars(void);
static void test_explore(void);
static void test_welcome(void);
static void test_typical(void);
static void test_given(void);
static void test_given_of(double more, uint32_t operators);
static void test_paced(void);
static double test_paced_lasts(double demand, double *used);
static void test_first_tries(void);
static void test_first_tries_of(double latency);
static void test_slices(void);
static void test_not_numbers(void);
static void test_many_operators(void);
static void test_properties(void);
static void test_cases_of_records(void);
static void test_cases_of_sessions(void);


static gateway_rank_conf_t  conf;
static gateway_candidate_t  candidates[TEST_MAX];
static gateway_entry_t      entries[TEST_MAX];
static gateway_rank_t       rank;
static void                *work;


int
main(void)
{
    work = malloc(gateway_rank_size(TEST_MAX));

    if (work == NULL) {
        return 1;
    }

    test_seed(20240527);

    test_weights();
    test_draws();
    test_ties();
    test_cap();
    test_cap_kept();
    test_available();
    test_readmit();
    test_liars();
    test_explore();
    test_welcome();
    test_typical();
    test_given();
    test_paced();
    test_first_tries();
    test_slices();
    test_not_numbers();
    test_many_operators();
    test_properties();
    test_cases_of_records();
    test_cases_of_sessions();

    free(work);

    return test_done();
}


static void
test_candidate(uint32_t i, double weight, double latency, uint32_t operator)
{
    memset(&candidates[i], 0, sizeof(gateway_candidate_t));

    candidates[i].node = i;
    candidates[i].session = 7;
    candidates[i].operator = operator;
    candidates[i].weight = weight;
    candidates[i].latency = latency;
    candidates[i].admitted = 1;
    candidates[i].known = 1;
}


/* as the module makes a candidate of a record */

static void
test_record(uint32_t i, const gateway_record_t *record, uint64_t now)
{
    gateway_peers_t    peers = { 0 };
    gateway_factors_t  factors;

    gateway_record_factors(record, &gateway_record_defaults, &peers, now,
                           &factors);

    test_candidate(i, gateway_rank_weight(&conf, &factors), factors.latency,
                   i);

    candidates[i].state = factors.excluded ? GATEWAY_CANDIDATE_OUT
                                           : GATEWAY_CANDIDATE_IN;
    candidates[i].badness = factors.badness;
    candidates[i].admitted = factors.ramp * factors.pace;
    candidates[i].known = factors.known;
    candidates[i].untried = factors.untried;
}


static void
test_rank(uint32_t n)
{
    gateway_rank_begin(&rank, &conf, candidates, n, entries, work);

    while (gateway_rank_slice(&rank, 1000)) { /* void */ }
}


/* the share of a node: of all its candidates */

static double
test_share(uint32_t node)
{
    double    share;
    uint32_t  i;

    share = 0;

    for (i = 0; i < rank.n; i++) {
        if (candidates[i].node == node) {
            share += candidates[i].share;
        }
    }

    return share;
}


static double
test_sum(void)
{
    double    sum;
    uint32_t  i;

    sum = 0;

    for (i = 0; i < rank.n; i++) {
        sum += candidates[i].share;
    }

    return sum;
}


static double
test_operator(uint32_t operator)
{
    double    sum;
    uint32_t  i;

    sum = 0;

    for (i = 0; i < rank.n; i++) {
        if (candidates[i].operator == operator) {
            sum += candidates[i].share;
        }
    }

    return sum;
}


/* what the table gives, counted from its entries, is what was to be drawn */

static void
test_table(void)
{
    double    worst, kept, drawn[TEST_MAX] = { 0 };
    uint32_t  i, bad;

    bad = 0;

    for (i = 0; i < rank.nentries; i++) {
        if (entries[i].alias >= rank.nentries || entries[i].node >= rank.n) {
            bad++;
            continue;
        }

        kept = (entries[i].alias == i) ? 1
                                       : entries[i].threshold / 4294967296.0;

        drawn[entries[i].node] += kept / rank.nentries;
        drawn[entries[entries[i].alias].node] += (1 - kept) / rank.nentries;
    }

    check(bad == 0);

    worst = 0;

    for (i = 0; i < rank.n; i++) {
        worst = fmax(worst, fabs(drawn[i] - candidates[i].draw));
    }

    check(worst < 1e-9);
}


static void
test_weights(void)
{
    gateway_factors_t  f = { 0 };

    conf = gateway_rank_defaults;
    conf.success = 2;
    conf.correctness = 1;
    conf.liveliness = 3;
    conf.latency = 2;
    conf.latency_floor = 10;

    f.success = 0.5;
    f.correctness = 0.8;
    f.liveliness = 0.5;
    f.latency = 20;
    f.ramp = 0.5;
    f.pace = 0.1;

    check(fabs(gateway_rank_weight(&conf, &f)
               - 0.25 * 0.8 * 0.125 * 0.5 * 0.1 / 400) < 1e-12);

    /* faster than the floor is all alike */

    f.latency = 3;
    check(fabs(gateway_rank_weight(&conf, &f)
               - 0.25 * 0.8 * 0.125 * 0.5 * 0.1 / 100) < 1e-12);

    /* the worse of two penalties counts */

    f.excluded = 1 << GATEWAY_PENALTY_RESPONSE;
    check(gateway_rank_weight(&conf, &f) > 1e-7);
    f.excluded |= 1 << GATEWAY_PENALTY_DATA;
    check(gateway_rank_weight(&conf, &f) < 1e-12);
    check(gateway_rank_weight(&conf, &f) > 0);
}


/* a million draws, and a million picks of the better of two */

static void
test_draws(void)
{
    double    p, expected;
    uint32_t  i, k, a, b, far, n;

    static uint32_t  drawn[TEST_MAX], picked[TEST_MAX];

    n = 24;
    conf = gateway_rank_defaults;

    for (i = 0; i < n; i++) {
        test_candidate(i, 1 + test_uniform() * 20, 20 + 10 * i, i);
    }

    test_rank(n);
    test_table();
    check(rank.nentries == n);

    for (k = 0; k < TEST_DRAWS; k++) {
        a = gateway_rank_draw(entries, n, test_random());
        b = gateway_rank_draw(entries, n, test_random());

        drawn[entries[a].node]++;
        picked[entries[entries[a].latency <= entries[b].latency ? a
                                                                : b].node]++;
    }

    far = 0;

    for (i = 0; i < n; i++) {
        p = candidates[i].draw;
        expected = p * TEST_DRAWS;
        far += fabs(drawn[i] - expected) > 5 * sqrt(expected * (1 - p)) + 1;

        p = candidates[i].share;
        expected = p * TEST_DRAWS;
        far += fabs(picked[i] - expected) > 5 * sqrt(expected * (1 - p)) + 1;
    }

    check(far == 0);
}


/* of equal latency: share alike, whatever their order */

static void
test_ties(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;

    for (i = 0; i < 10; i++) {
        test_candidate(i, 1, 50, i);
    }

    test_rank(10);
    test_table();

    for (i = 0; i < 10; i++) {
        check(fabs(candidates[i].share - 0.1) < 1e-9);
        check(fabs(candidates[i].draw - 0.1) < 1e-9);
    }

    check(fabs(rank.typical - 50) < 1e-6);
}


/* the fastest operator has all of the weight, and two fifths of the shares */

static void
test_cap(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;
    conf.operator_cap = 0.4;

    for (i = 0; i < 24; i++) {
        test_candidate(i, (i % 4 == 0) ? 1e6 : 1, (i % 4 == 0) ? 20 : 90,
                       i % 4);
    }

    test_rank(24);
    test_table();

    check(rank.cap == 0.4);
    check(fabs(test_operator(0) - 0.4) < 1e-6);
    check(fabs(test_operator(1) - 0.2) < 1e-6);
    check(fabs(test_sum() - 1) < 1e-9);

    conf.operator_cap = 1;
    test_rank(24);
    check(test_operator(0) > 0.99);

    /* where nothing is limited, draws are by weight alone */

    conf.explore = 0;
    test_candidate(0, 3, 90, 1);
    test_candidate(1, 2, 20, 2);
    test_candidate(2, 5, 50, 3);
    test_rank(3);
    check(fabs(candidates[0].draw - 0.3) < 1e-9);
    check(fabs(candidates[1].draw - 0.2) < 1e-9);
    check(fabs(candidates[0].share - 0.09) < 1e-9);
    check(fabs(candidates[1].share - 0.36) < 1e-9);

    /* two operators: half of it each, and one has all */

    conf = gateway_rank_defaults;
    test_candidate(0, 1e9, 10, 1);
    test_candidate(1, 1, 100, 2);
    test_rank(2);
    check(rank.cap == 0.5);
    check(fabs(test_operator(1) - 0.5) < 1e-6);

    test_rank(1);
    check(rank.cap == 1);
    check(fabs(candidates[0].share - 1) < 1e-9);
}


/* shares of the cap are what picks give, not only what is computed */

static void
test_cap_kept(void)
{
    uint32_t  i, k, a, b, first;

    conf = gateway_rank_defaults;

    for (i = 0; i < 200; i++) {
        test_candidate(i, pow(20 + i, -8), 20 + i, i / 40);
    }

    test_rank(200);
    test_table();

    first = 0;

    for (k = 0; k < TEST_DRAWS; k++) {
        a = gateway_rank_draw(entries, rank.nentries, test_random());
        b = gateway_rank_draw(entries, rank.nentries, test_random());
        a = (entries[a].latency <= entries[b].latency) ? a : b;
        first += candidates[entries[a].node].operator == 0;
    }

    check(fabs(first / (double) TEST_DRAWS - 0.4) < 0.003);
}


/*
 * The share that others may not have is no gift: an operator that is just
 * beginning gets it by degrees, one that is only degraded not at all.
 */

static void
test_available(void)
{
    conf = gateway_rank_defaults;
    conf.operator_cap = 0.4;
    conf.max_ejected = 0;

    test_candidate(0, 1, 50, 1);
    test_candidate(1, 1, 50, 2);
    test_candidate(2, 0.01, 50, 3);
    candidates[2].admitted = 0.1;

    test_rank(3);
    check(fabs(rank.cap - 1 / 2.1) < 1e-9);
    check(test_operator(3) < 0.05);
    check(test_operator(3) > 0.04);

    candidates[2].state = GATEWAY_CANDIDATE_OUT;

    test_rank(3);
    check(candidates[2].degraded == 1);
    check(rank.degraded == 1);
    check(rank.cap == 0.5);
    check(test_operator(3) < 0.011);
    check(test_operator(3) > 0);
}


static void
test_readmit(void)
{
    uint32_t  i, degraded;

    conf = gateway_rank_defaults;
    conf.max_ejected = 0.5;

    for (i = 0; i < 24; i++) {
        test_candidate(i, i < 14 ? 0.01 : 1, 50, i);
        candidates[i].badness = 2 + (i * 7 % 14) / 14.0;
        candidates[i].state = (i < 14) ? GATEWAY_CANDIDATE_OUT
                                       : GATEWAY_CANDIDATE_IN;
    }

    test_rank(24);
    test_table();

    degraded = 0;

    for (i = 0; i < 24; i++) {
        degraded += candidates[i].degraded;
        check(!candidates[i].degraded || candidates[i].badness < 2.1);
        check((candidates[i].share > 0) == (i >= 14
                                            || candidates[i].degraded));
    }

    check(degraded == 2);
    check(rank.degraded == 2);
    check(rank.nentries == 12);
    check(test_share(0) + test_share(2) < 0.005);

    /* what must not be used is neither used nor counted */

    for (i = 0; i < 14; i++) {
        candidates[i].state = GATEWAY_CANDIDATE_NEVER;
    }

    test_rank(24);
    check(rank.nentries == 10);
    check(rank.degraded == 0);

    /* even if no share at all may stay */

    conf.max_ejected = 1;

    for (i = 0; i < 24; i++) {
        candidates[i].state = GATEWAY_CANDIDATE_OUT;
        candidates[i].badness = 30 - i;
    }

    test_rank(24);
    check(rank.nentries == 1);
    check(fabs(test_share(23) - 1) < 1e-9);
}


/* three of five lie, are fast, and stay: but nobody hears of them */

static void
test_liars(void)
{
    uint32_t           i;
    gateway_record_t   record;

    conf = gateway_rank_defaults;

    for (i = 0; i < 5; i++) {
        gateway_record_init(&record, 1000);

        if (i < 3) {
            gateway_record_punish(&record, GATEWAY_PENALTY_DATA, 2000, 3,
                                  NULL, 2000);
        }

        test_record(i, &record, 500000);
        candidates[i].operator = (i < 3) ? 1 : i;
    }

    test_rank(5);

    check(rank.degraded == 1);
    check(test_operator(1) < 1e-8);
    check(fabs(test_share(3) - 0.5) < 1e-6);

    /* the cap gives them nothing, though the only honest one may have less */

    candidates[4].state = GATEWAY_CANDIDATE_NEVER;
    test_rank(5);
    check(test_operator(1) < 1e-8);
}


static void
test_explore(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;
    conf.explore = 0.01;

    for (i = 0; i < 10; i++) {
        test_candidate(i, i ? 1e-20 : 1, i ? 900 : 10, i);
    }

    conf.operator_cap = 1;
    test_rank(10);
    test_table();

    for (i = 1; i < 10; i++) {
        check(fabs(candidates[i].share - 0.001) < 1e-9);
    }
}


/* a node that was never tried is: whatever weight it has, and never much */

static void
test_welcome(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;
    conf.explore = 0;
    conf.operator_cap = 1;

    for (i = 0; i < 24; i++) {
        test_candidate(i, i ? 1e-20 : 1, i ? 900 : 10, i);
    }

    candidates[7].untried = 1;
    test_rank(24);
    test_table();
    check(fabs(candidates[7].share - conf.welcome) < 1e-9);
    check(candidates[8].share < 1e-6);

    /* less and less with each try */

    candidates[7].untried = 0.25;
    test_rank(24);
    check(fabs(candidates[7].share - conf.welcome / 4) < 1e-9);

    /* all of them together have no more */

    for (i = 1; i < 24; i++) {
        candidates[i].untried = 1;
    }

    test_rank(24);
    test_table();
    check(fabs(candidates[7].share - conf.welcome / 23) < 1e-9);
    check(fabs(test_sum() - 1) < 1e-9);
}


/* what is typical is told by those of which something is known */

static void
test_typical(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;

    for (i = 0; i < 10; i++) {
        test_candidate(i, 1, (i < 3) ? 40 + i : 200, i);
        candidates[i].known = (i < 3);
    }

    test_rank(10);
    check(fabs(rank.typical - 41) < 1e-3);

    /* little is known of many */

    for (i = 3; i < 10; i++) {
        candidates[i].known = 0.1;
    }

    test_rank(10);
    check(fabs(rank.typical - 42) < 1e-3);

    for (i = 0; i < 10; i++) {
        candidates[i].known = 0;
    }

    test_rank(10);
    check(rank.typical == 0);
}


/*
 * The cap is kept on what is given, though one operator gets more than its
 * share of the table, as its nodes have less in flight, or callers stick.
 */

static void
test_given(void)
{
    test_given_of(1.3, 6);
    test_given_of(1.1, 3);
    test_given_of(0.8, 6);
}


static void
test_given_of(double more, uint32_t operators)
{
    double           sum, given[TEST_MAX], all;
    uint32_t         i, k;
    gateway_tally_t  tallies[12];

    conf = gateway_rank_defaults;
    memset(tallies, 0, sizeof(tallies));
    memset(given, 0, sizeof(given));
    all = 0;

    for (k = 0; k < 300; k++) {

        for (i = 0; i < 12; i++) {
            test_candidate(i, (i % operators) ? 1 : 8,
                           (i % operators) ? 80 : 40, i % operators);
            candidates[i].tally = tallies[i];
        }

        test_rank(12);
        sum = 1 + (more - 1) * test_operator(0);

        for (i = 0; i < 12; i++) {
            given[i] = 80 * candidates[i].share / sum
                       * ((i % operators) ? 1 : more);
            all += (k < 200 || i % operators) ? 0 : given[i];

            gateway_rank_tally(&tallies[i], candidates[i].share, given[i], 80,
                               200);
        }
    }

    check(all / (100 * 80) < 0.41);
    check(all / (100 * 80) > 0.38);
}


/* an allowance lasts, and most of it is spent where there is the demand */

static void
test_paced(void)
{
    double  spent;

    /* not told by little, not where the end is unknown, not by a clock back */

    check(gateway_rank_paced(62, 1000, 10, 90) == 1);
    check(gateway_rank_paced(63, 1000, 10, 900) < 1);
    check(gateway_rank_paced(500, 1000, 100, 0) == 1);
    check(gateway_rank_paced(500, 1000, -5, 100) == 1);

    /* half of it in a third of the time: what is left is half the spending */

    check(fabs(gateway_rank_paced(500, 1000, 1000, 2000) - 0.5) < 1e-9);
    check(gateway_rank_paced(500, 1000, 1000, 1000) == 1);
    check(gateway_rank_paced(1000, 1000, 1000, 1000) == 1);

    check(test_paced_lasts(0.9, &spent) == 1);
    check(fabs(spent - 0.9) < 1e-3);
    check(test_paced_lasts(1.5, &spent) > 0.99);
    check(spent > 0.99);
    check(test_paced_lasts(10, &spent) > 0.99);
}


/*
 * What part of a session an allowance lasts for, when as many times more is
 * asked for as would last.
 */

static double
test_paced_lasts(double demand, double *used)
{
    double  at;

    *used = 0;

    for (at = 0; at < 1 && *used < 1; at += 0.0001) {
        *used += 0.0001 * demand
                 * gateway_rank_paced(*used, 1, at, 1 - at);
    }

    return (*used < 1) ? 1 : at;
}


/*
 * Of two servers, weights 9 and 1, the lighter got no caller at first: it is
 * no slower for that.
 */

static void
test_first_tries(void)
{
    test_first_tries_of(gateway_rank_defaults.latency);
    test_first_tries_of(0);
}


static void
test_first_tries_of(double latency)
{
    uint32_t           i, k, a, b, tries[2] = { 0, 0 };
    uint64_t           now;
    gateway_peers_t    peers = { 0 };
    gateway_record_t   records[2];
    gateway_sample_t   sample;
    gateway_factors_t  factors;

    now = 1700000000000;
    conf = gateway_rank_defaults;
    conf.latency = latency;

    gateway_record_init(&records[0], now);
    gateway_record_init(&records[1], now);

    /* 25 requests a second, for a minute */

    for (k = 0; k < 300; k++) {
        memset(&sample, 0, sizeof(gateway_sample_t));

        for (i = 0; i < 2; i++) {
            gateway_record_fold(&records[i], &gateway_record_defaults,
                                &sample, now);
            gateway_record_factors(&records[i], &gateway_record_defaults,
                                   &peers, now, &factors);
            test_candidate(i, gateway_rank_weight(&conf, &factors)
                              * (i ? 1 : 9), factors.latency, i);
            candidates[i].admitted = factors.ramp;
            candidates[i].known = factors.known;
            candidates[i].untried = factors.untried;
        }

        conf.operator_cap = 1;
        test_rank(2);
        peers.latency = rank.typical;
        now += 200;

        for (i = 0; i < 5; i++) {
            a = gateway_rank_draw(entries, 2, test_random());
            b = gateway_rank_draw(entries, 2, test_random());
            a = entries[entries[a].latency <= entries[b].latency ? a : b].node;

            if (k < 20) {
                a = 0;
            }

            tries[a]++;
            memset(&sample, 0, sizeof(gateway_sample_t));
            sample.tries[GATEWAY_TRY_OK] = 1;
            sample.latency[gateway_latency_bucket(40)] = 1;
            sample.latency_sum = 40;
            gateway_record_fold(&records[a], &gateway_record_defaults,
                                &sample, now);
        }
    }

    check(tries[1] > 1500 / 50);
    check(tries[1] < 1500 / 4);
}


/* in slices of any size the same */

static void
test_slices(void)
{
    uint32_t         i, n, budget;
    gateway_entry_t  expected[300];

    n = 300;
    conf = gateway_rank_defaults;

    for (i = 0; i < n; i++) {
        test_candidate(i, test_uniform(), floor(test_uniform() * 90),
                       test_random() % 6);
        candidates[i].state = (i % 5 < 3) ? GATEWAY_CANDIDATE_OUT
                                          : GATEWAY_CANDIDATE_IN;
        candidates[i].badness = test_uniform();
    }

    test_rank(n);
    test_table();
    memcpy(expected, entries, sizeof(expected));

    for (budget = 1; budget < 2000; budget = budget * 3 + 1) {
        memset(entries, 0xff, sizeof(expected));
        gateway_rank_begin(&rank, &conf, candidates, n, entries, work);

        for (i = 0; gateway_rank_slice(&rank, budget); i++) { /* void */ }

        check(i >= n / budget);
        check(memcmp(entries, expected,
                     rank.nentries * sizeof(gateway_entry_t)) == 0);
    }
}


static void
test_not_numbers(void)
{
    conf = gateway_rank_defaults;

    test_candidate(0, NAN, 10, 0);
    test_candidate(1, INFINITY, 10, 1);
    test_candidate(2, -1, 10, 2);
    test_candidate(3, 0, 10, 3);

    test_rank(4);
    check(rank.nentries == 0);

    /* as far apart as factors and exponents can be */

    test_candidate(0, 1e-280, NAN, 0);
    test_candidate(1, 1e200, INFINITY, 1);
    test_candidate(2, 1e-300, -5, 2);

    test_rank(3);
    check(rank.nentries == 3);
    check(fabs(test_sum() - 1) < 1e-9);
    check(test_operator(1) <= 0.4 + 1e-6);
    test_table();

    test_candidate(0, 1e-300, 10, 0);
    test_rank(1);
    check(candidates[0].share == 1);
}


/* more operators at their cap than there are rounds */

static void
test_many_operators(void)
{
    double    most;
    uint32_t  i;

    conf = gateway_rank_defaults;
    conf.operator_cap = 0;
    conf.explore = 0;

    for (i = 0; i < 1000; i++) {
        test_candidate(i, pow(0.6, i % 900), 10 + i, i);
    }

    test_rank(1000);
    test_table();

    most = 0;

    for (i = 0; i < 1000; i++) {
        most = fmax(most, candidates[i].share);
    }

    check(most < 0.001 + 1e-8);
    check(fabs(test_sum() - 1) < 1e-9);
}


static void
test_properties(void)
{
    double    draws, least, over;
    uint32_t  i, k, n, operators, faults;

    faults = 0;

    for (k = 0; k < 3000; k++) {
        n = 1 + test_random() % (k % 10 ? 40 : TEST_MAX);
        operators = 1 + test_random() % n;

        conf = gateway_rank_defaults;
        conf.operator_cap = test_uniform();
        conf.max_ejected = test_uniform();
        conf.latency = 8 * test_uniform();

        for (i = 0; i < n; i++) {
            test_candidate(i, pow(10, -8 * test_uniform()),
                           1 + floor(200 * test_uniform()),
                           test_random() % operators);
            candidates[i].state = (test_random() % 100 < k % 100)
                                  ? test_random() % 3 : GATEWAY_CANDIDATE_IN;
            candidates[i].badness = 6 * test_uniform();
            candidates[i].admitted = test_uniform();
        }

        test_rank(n);

        draws = 0;
        least = 1;
        over = 0;

        for (i = 0; i < n; i++) {
            draws += candidates[i].draw;

            if (candidates[i].state == GATEWAY_CANDIDATE_IN) {
                least = fmin(least, candidates[i].share);
            }

            if (candidates[i].state == GATEWAY_CANDIDATE_NEVER) {
                faults += candidates[i].share != 0;
            }

            over = fmax(over, test_operator(candidates[i].operator));
        }

        if (rank.nentries == 0) {
            faults += draws != 0;
            continue;
        }

        faults += fabs(draws - 1) > 1e-9;
        faults += fabs(test_sum() - 1) > 1e-9;
        faults += least <= 0;
        faults += over > rank.cap * (1 + 1e-6);

        if (k % 10 == 0) {
            test_table();
        }
    }

    check(faults == 0);
}


static void
test_cases_of_records(void)
{
    uint32_t          i, k;
    uint64_t          now;
    gateway_record_t  record[24];
    gateway_sample_t  none = { 0 };

    conf = gateway_rank_defaults;
    now = 1000000;

    for (i = 0; i < 24; i++) {
        gateway_record_init(&record[i], 1000);
    }

    /* F1, F10: no nodes of this chain */

    test_rank(0);
    check(rank.nentries == 0);

    /* F2: three of which nothing is known yet */

    for (i = 0; i < 3; i++) {
        gateway_record_init(&record[i], now);
        test_record(i, &record[i], now);
    }

    test_rank(3);
    check(fabs(test_share(2) - 1.0 / 3) < 1e-9);

    /* F3: A is well, B is out for a time, C is behind */

    gateway_record_punish(&record[1], GATEWAY_PENALTY_RESPONSE, now + 60000,
                          0, NULL, now);
    gateway_record_punish(&record[2], GATEWAY_PENALTY_HEIGHT, now, 1, NULL,
                          now);

    for (i = 0; i < 3; i++) {
        test_record(i, &record[i], now + 1);
    }

    test_rank(3);
    check(test_share(0) > 0.98);
    check(candidates[2].draw == 0);

    /* F4: the time is over, the check is to be passed still */

    gateway_record_init(&record[0], 1000);
    gateway_record_punish(&record[0], GATEWAY_PENALTY_RESPONSE, now, 1, NULL,
                          now - 60000);
    gateway_record_fold(&record[0], &gateway_record_defaults, &none, now + 1);
    test_record(0, &record[0], now + 1);
    check(candidates[0].state == GATEWAY_CANDIDATE_OUT);

    gateway_record_pass(&record[0], &gateway_record_defaults, 1, 20, now + 1);
    test_record(0, &record[0], now + 2);
    check(candidates[0].state == GATEWAY_CANDIDATE_IN);

    /* F11: all are out: the least bad half is used */

    for (i = 0; i < 24; i++) {
        gateway_record_init(&record[i], 1000);
        gateway_record_punish(&record[i], GATEWAY_PENALTY_RESPONSE,
                              now + 15000, 0, NULL, now);

        for (k = 0; k < i; k++) {
            record[i].tries++;
        }

        test_record(i, &record[i], now);
    }

    test_rank(24);
    check(rank.degraded == 12);
    check(test_share(0) > test_share(11));
    check(test_share(11) > 0);
    check(test_share(12) == 0);
    check(fabs(test_sum() - 1) < 1e-9);
}


static void
test_cases_of_sessions(void)
{
    uint32_t  i;

    conf = gateway_rank_defaults;

    /* F5: a session that begins with A, one that ends with B and C */

    for (i = 0; i < 3; i++) {
        test_candidate(i, i ? 1 : 0.3, 50, i);
        candidates[i].admitted = i ? 1 : 0.3;
    }

    test_rank(3);
    check(test_share(0) > 0.1 && test_share(0) < 0.15);

    /* F6: the new session has nobody that may be used */

    candidates[0].state = GATEWAY_CANDIDATE_NEVER;
    candidates[1].state = GATEWAY_CANDIDATE_NEVER;
    test_rank(3);
    check(fabs(test_share(2) - 1) < 1e-9);

    /* F7: 24 of one application, 24 of another with twice the allowance */

    for (i = 0; i < 48; i++) {
        test_candidate(i, i < 24 ? 1 : 2, 50, i);
    }

    test_rank(48);
    check(fabs(test_share(30) / test_share(3) - 2) < 0.01);

    /* F8: by weight */

    for (i = 0; i < 4; i++) {
        test_candidate(i, 1 + (i == 3), 50, i);
    }

    test_rank(4);
    check(fabs(test_share(3) - 0.4) < 0.001);

    /* F9: a node in two sessions has the share of one */

    for (i = 0; i < 3; i++) {
        test_candidate(i, i < 2 ? 0.5 : 1, 50, i / 2);
        candidates[i].node = i / 2;
    }

    test_rank(3);
    check(fabs(test_share(0) - 0.5) < 0.001);
}
