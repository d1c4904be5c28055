
/*
 * Records of nodes: what is counted, how it decays, when a node is out and
 * how it returns.  P1 to P10: the reference's weaknesses in punishing.
 */


#include "gateway_rank.h"
#include "test.h"

#include <math.h>
#include <string.h>


#define TEST_START   1700000000000
#define TEST_TICK    200
#define TEST_RESPONSE_CHECK  1
#define TEST_HEIGHT_CHECK    2


static void test_init(void);
static void test_add(gateway_try_e how, uint32_t n, uint64_t ms);
static void test_fold(uint64_t ms);
static int test_out(gateway_penalty_e reason);
static gateway_factors_t *test_factors(void);
static void test_buckets(void);
static void test_decay(void);
static void test_commutes(void);
static void test_prior(void);
static void test_single_event(void);
static void test_run(void);
static void test_ratio(void);
static void test_deadline(void);
static uint64_t test_deadline_of(gateway_try_e how, double rate,
    uint64_t *bound);
static void test_stall(void);
static void test_merged(void);
static void test_return(void);
static void test_growth(void);
static void test_time_alone(void);
static void test_fair_share(void);
static void test_slow_forgiven(void);
static void test_slow_stays(void);
static void test_quota(void);
static void test_quota_over(void);
static void test_liveliness(void);
static void test_correctness(void);
static void test_ramp(void);
static void test_quantiles(void);
static void test_outlier(void);
static void test_counts(void);
static void test_clear(void);
static void test_clock(void);
static void test_bounds(void);


static gateway_record_conf_t  conf;
static gateway_record_t       record;
static gateway_sample_t       sample;
static gateway_peers_t        peers;
static uint64_t               now;


int
main(void)
{
    test_buckets();
    test_decay();
    test_commutes();
    test_prior();
    test_single_event();
    test_run();
    test_ratio();
    test_deadline();
    test_stall();
    test_merged();
    test_return();
    test_growth();
    test_time_alone();
    test_fair_share();
    test_slow_forgiven();
    test_slow_stays();
    test_quota();
    test_quota_over();
    test_liveliness();
    test_correctness();
    test_ramp();
    test_quantiles();
    test_outlier();
    test_counts();
    test_clear();
    test_clock();
    test_bounds();

    return test_done();
}


/* an old record, not in slow start */

static void
test_init(void)
{
    conf = gateway_record_defaults;
    conf.response_check = TEST_RESPONSE_CHECK;

    now = TEST_START;
    gateway_record_init(&record, now - 3600000);

    memset(&sample, 0, sizeof(gateway_sample_t));
    memset(&peers, 0, sizeof(gateway_peers_t));
}


static void
test_add(gateway_try_e how, uint32_t n, uint64_t ms)
{
    sample.tries[how] += n;

    if (gateway_latency_counts(how, ms, 100)) {
        sample.latency[gateway_latency_bucket(ms)] += n;
        sample.latency_sum += n * gateway_latency_told(ms,
                                                   test_factors()->latency);
    }
}


/* so many ms later */

static void
test_fold(uint64_t ms)
{
    now += ms;
    gateway_record_fold(&record, &conf, &sample, now);
    memset(&sample, 0, sizeof(gateway_sample_t));
}


static int
test_out(gateway_penalty_e reason)
{
    return (test_factors()->excluded & (1 << reason)) != 0;
}


static gateway_factors_t *
test_factors(void)
{
    static gateway_factors_t  factors;

    gateway_record_factors(&record, &conf, &peers, now, &factors);

    return &factors;
}


static void
test_buckets(void)
{
    uint32_t  i, ms, faults;

    faults = 0;

    for (ms = 0; ms < 70000; ms++) {
        for (i = 0; i < 31 && ms > exp2((i + 2) / 2.0); i++) { /* void */ }

        faults += gateway_latency_bucket(ms) != i;
    }

    check(faults == 0);
    check(gateway_latency_bucket(UINT64_MAX) == 31);
}


static void
test_decay(void)
{
    double  half;

    test_init();
    conf.half_life = 30000;

    test_add(GATEWAY_TRY_OK, 100, 50);
    test_fold(0);
    check(record.tries == 100);
    check(record.successes == 100);

    /* what stands still is decayed by its readers */

    test_fold(30000);
    check(record.tries == 100);

    half = (50.0 * 100 / 2 + conf.prior_tries * conf.prior_latency)
           / (100.0 / 2 + conf.prior_tries);
    check(fabs(test_factors()->latency - half) < 1e-9);

    test_add(GATEWAY_TRY_FAILED, 1, 1);
    test_fold(0);
    check(fabs(record.tries - 51) < 1e-9);
    check(fabs(record.successes - 50) < 1e-9);
    check(fabs(record.latency_sum - 2500) < 1e-6);
    check(record.total_tries == 101);
    check(record.total_successes == 100);
}


/* increments of several gateways: in any order, in any parts */

static void
test_commutes(void)
{
    uint32_t          i;
    gateway_record_t  parts;
    gateway_sample_t  sum, one;

    test_init();
    parts = record;
    memset(&sum, 0, sizeof(gateway_sample_t));

    for (i = 0; i < 50; i++) {
        memset(&one, 0, sizeof(gateway_sample_t));
        one.tries[test_random() % GATEWAY_TRIES] = 1 + test_random() % 4;
        one.latency[test_random() % GATEWAY_LATENCY_BUCKETS] = 3;
        one.latency_sum = test_random() % 1000;
        one.agreed = test_random() % 2;
        one.height = test_random() % 100;
        one.height_at = i;

        gateway_sample_add(&sum, &one);
        gateway_record_fold(&parts, &conf, &one, now);
    }

    gateway_record_fold(&record, &conf, &sum, now);

    check(fabs(record.tries - parts.tries) < 1e-6);
    check(fabs(record.successes - parts.successes) < 1e-6);
    check(memcmp(record.latency, parts.latency, sizeof(record.latency)) == 0);
    check(record.latency_sum == parts.latency_sum);
    check(record.agreed == parts.agreed);
    check(record.height == parts.height);
    check(record.height_at == parts.height_at);
    check(record.total_tries == parts.total_tries);
}


/* of a node never asked nothing bad is thought, and nothing better either */

static void
test_prior(void)
{
    test_init();

    check(test_factors()->success == conf.prior_success);
    check(test_factors()->latency == conf.prior_latency);
    check(test_factors()->correctness == 1);
    check(test_factors()->liveliness == 1);
    check(test_factors()->excluded == 0);
    check(test_factors()->known == 0);
    check(test_factors()->untried == 1);

    test_add(GATEWAY_TRY_QUOTA, 10, 1);
    test_fold(0);
    check(test_factors()->untried == 0.5);
    record.pace = 1;

    peers.latency = 70;
    check(test_factors()->latency == 70);

    /* what is not asked any more is forgotten, not kept for bad */

    test_add(GATEWAY_TRY_OK, 50, 5000);
    test_fold(0);
    check(test_factors()->latency > 500);
    check(test_factors()->known > 0.9);
    check(test_factors()->untried == 0);
    test_fold(20 * conf.half_life);
    check(test_factors()->latency < 71);
    check(test_factors()->known < 0.001);
    check(test_factors()->untried == 0);
}


/* P3: a heavy query that times out turns no node away */

static void
test_single_event(void)
{
    uint32_t       i;
    gateway_try_e  how;

    for (how = GATEWAY_TRY_FAILED; how <= GATEWAY_TRY_OVERDUE; how++) {
        test_init();
        test_add(how, 1, 10000);

        for (i = 0; i < 100; i++) {
            test_fold(TEST_TICK);
            check(!test_out(GATEWAY_PENALTY_RESPONSE));
        }

        check(test_factors()->ramp > 0.85);
    }
}


static void
test_run(void)
{
    uint32_t  i;

    test_init();

    for (i = 0; i < conf.eject_failures - 1; i++) {
        test_add(GATEWAY_TRY_FAILED, 1, 1);
        test_fold(1000);
    }

    check(!test_out(GATEWAY_PENALTY_RESPONSE));
    check(test_factors()->ramp < 0.2);

    /* good ones take away as much as bad ones have added */

    test_add(GATEWAY_TRY_OK, 4, 50);
    test_fold(TEST_TICK);
    check(record.run == conf.eject_failures - 5);

    test_add(GATEWAY_TRY_LOST, 5, 50);
    test_fold(TEST_TICK);
    check(test_out(GATEWAY_PENALTY_RESPONSE));
    check(record.run == 0);
    check(test_factors()->until == now + conf.eject_time);

    /* a burst within one blink of the network is waited for */

    test_init();
    test_add(GATEWAY_TRY_LOST, 500, 50);
    test_fold(TEST_TICK);
    check(!test_out(GATEWAY_PENALTY_RESPONSE));
    test_add(GATEWAY_TRY_OK, 20, 50);
    test_fold(TEST_TICK);
    test_fold(conf.eject_after);
    check(!test_out(GATEWAY_PENALTY_RESPONSE));

    /* and without a word, it was none */

    test_add(GATEWAY_TRY_LOST, 500, 50);
    test_fold(TEST_TICK);
    test_fold(conf.eject_after);
    check(test_out(GATEWAY_PENALTY_RESPONSE));
}


/* two of three fail: out after 20 of them; three of ten: less used only */

static void
test_ratio(void)
{
    uint32_t  i, bad;

    test_init();
    bad = 0;

    for (i = 0; i < 60 && !test_out(GATEWAY_PENALTY_RESPONSE); i++) {
        if (i % 3 != 0) {
            bad++;
            test_add(GATEWAY_TRY_FAILED, 1, 10);

        } else {
            test_add(GATEWAY_TRY_OK, 1, 10);
        }

        test_fold(TEST_TICK);
    }

    check(test_out(GATEWAY_PENALTY_RESPONSE));
    check(bad <= 20);

    test_init();

    for (i = 0; i < 20000; i++) {
        test_add((test_uniform() < 0.3) ? GATEWAY_TRY_FAILED
                                        : GATEWAY_TRY_OK, 1, 10);
        test_fold(TEST_TICK);
    }

    check(!test_out(GATEWAY_PENALTY_RESPONSE));
    check(record.returns == 0);
    check(fabs(test_factors()->success - 0.7) < 0.12);
}


/* 20 tries or 3 s, whichever is later: at any rate, whatever the fault */

static void
test_deadline(void)
{
    double         rate;
    uint64_t       took, bound;
    gateway_try_e  how;

    for (how = GATEWAY_TRY_FAILED; how <= GATEWAY_TRY_OVERDUE; how++) {
        for (rate = 0.05; rate < 2000; rate *= 3) {
            took = test_deadline_of(how, rate, &bound);
            check(took <= bound + TEST_TICK);
        }
    }
}


static uint64_t
test_deadline_of(gateway_try_e how, double rate, uint64_t *bound)
{
    double    due;
    uint64_t  begun, patience;
    uint32_t  i, bad, n;

    test_init();

    for (i = 0; i < 500; i++) {
        test_add(GATEWAY_TRY_OK, 1, 40 + test_random() % 200);
        test_fold(20);
    }

    begun = now;
    patience = (how == GATEWAY_TRY_OVERDUE)
               ? gateway_record_patience(&record, &conf) : 0;
    *bound = 3000;
    due = 0;
    bad = 0;

    while (!test_out(GATEWAY_PENALTY_RESPONSE) && now < begun + 3600000) {

        /* tries of one tick, told when they fail or are overdue */

        if (now >= begun + patience) {
            due += rate * TEST_TICK / 1000;
            n = due;
            due -= n;
            test_add(how, n, 2000);
            bad += n;
        }

        test_fold(TEST_TICK);

        if (bad < 20 && *bound < now - begun + TEST_TICK) {
            *bound = now - begun + TEST_TICK;
        }
    }

    return now - begun;
}


/* a closed loop: 50 callers wait for 4 s answers, and nothing ends before */

static void
test_stall(void)
{
    uint64_t  begun;

    test_init();
    test_add(GATEWAY_TRY_OK, 5000, 30);
    test_fold(TEST_TICK);

    check(gateway_record_patience(&record, &conf) == conf.patience);

    begun = now;
    test_fold(1000);
    test_add(GATEWAY_TRY_OVERDUE, 50, 1000);
    test_fold(TEST_TICK);
    check(test_out(GATEWAY_PENALTY_RESPONSE));
    check(now - begun < 3000);
    check(record.total_tries == 5050);

    /* what comes of them later is no second fault, and no success */

    test_add(GATEWAY_TRY_LATE, 50, 4000);
    test_fold(2000);
    check(record.total_tries == 5050);
    check(record.total_successes == 5000);
    check(record.run == 0);
}


/* P4: no penalty shortens another, of its own reason or a different one */

static void
test_merged(void)
{
    uint64_t      day;
    pocket_str_t  text = pocket_string("over service");

    test_init();
    day = now + 86400000;

    gateway_record_punish(&record, GATEWAY_PENALTY_CHECK, day, 0, &text, now);
    gateway_record_punish(&record, GATEWAY_PENALTY_CHECK, now + 15000, 0,
                          NULL, now);
    check(record.penalties[GATEWAY_PENALTY_CHECK].until == day);

    gateway_record_punish(&record, GATEWAY_PENALTY_RESPONSE, now + 15000, 0,
                          NULL, now);
    check(test_factors()->until == day);
    check(test_factors()->excluded == ((1 << GATEWAY_PENALTY_CHECK)
                                       | (1 << GATEWAY_PENALTY_RESPONSE)));

    test_fold(20000);
    check(test_factors()->excluded == (1 << GATEWAY_PENALTY_CHECK));
    check(record.returned_at == 0);
    check(record.penalties[GATEWAY_PENALTY_CHECK].since == TEST_START);

    check(record.error_len == 12);
    check(memcmp(record.error, "over service", 12) == 0);
    check(record.error_at == TEST_START);
}


/* P6: only what it failed proves that it is well */

static void
test_return(void)
{
    test_init();

    gateway_record_punish(&record, GATEWAY_PENALTY_HEIGHT, now + 10000,
                          TEST_HEIGHT_CHECK, NULL, now);
    check(gateway_record_pass(&record, &conf, TEST_HEIGHT_CHECK, 30, now + 9999)
          == 0);
    check(test_out(GATEWAY_PENALTY_HEIGHT));
    gateway_record_punish(&record, GATEWAY_PENALTY_HEIGHT, now + 10000, 5,
                          NULL, now);

    /* not by time, not by another check, not before its time */

    test_fold(5000);
    check(gateway_record_pass(&record, &conf, TEST_HEIGHT_CHECK, 30, now) == 0);
    test_fold(86400000);
    check(test_out(GATEWAY_PENALTY_HEIGHT));
    check(gateway_record_pass(&record, &conf, 3, 30, now) == 0);
    check(gateway_record_pass(&record, &conf, 0, 30, now) == 0);
    check(gateway_record_pass(&record, &conf, 64, 30, now) == 0);

    check(gateway_record_pass(&record, &conf, TEST_HEIGHT_CHECK, 30, now) == 0);
    check(test_out(GATEWAY_PENALTY_HEIGHT));
    check(gateway_record_pass(&record, &conf, 5, 30, now)
          == 1 << GATEWAY_PENALTY_HEIGHT);
    check(!test_out(GATEWAY_PENALTY_HEIGHT));

    /* slow start begins when the last penalty ended, not the first */

    check(record.returned_at == now);
    check(record.returns == 1);
    check(test_factors()->ramp == conf.probation);
    now += conf.slow_start / 2;
    check(fabs(test_factors()->ramp - 0.5) < 1e-9);
    now += conf.slow_start / 2;
    check(test_factors()->ramp == 1);
}


/* P5: each return takes longer than the one before, the probing does not */

static void
test_growth(void)
{
    uint64_t  until;
    uint32_t  i, length;

    test_init();
    length = conf.slow_start;

    for (i = 0; i < 10; i++) {
        until = now + 15000;
        gateway_record_punish(&record, GATEWAY_PENALTY_RESPONSE, until,
                              TEST_RESPONSE_CHECK, NULL, now);
        check(test_factors()->until == until);

        now = until;
        check(gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 30,
                                  now));

        now += length / 2;
        check(fabs(test_factors()->ramp - 0.5) < 1e-9);
        now += length / 2;
        check(test_factors()->ramp == 1);

        length = (length * 2 < conf.slow_start * 32) ? length * 2
                                                     : conf.slow_start * 32;
    }

    /* a good hour, and it is a first time again */

    now += 3700000;
    gateway_record_punish(&record, GATEWAY_PENALTY_RESPONSE, now,
                          TEST_RESPONSE_CHECK, NULL, now);
    gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 30, now);
    check(record.returns == 1);
}


/* without checks a dead node is tried less and less */

static void
test_time_alone(void)
{
    uint64_t  length, last;
    uint32_t  i, tries;

    test_init();
    conf.response_check = 0;
    last = 0;
    tries = 0;

    for (i = 0; i < 12; i++) {

        while (!test_out(GATEWAY_PENALTY_RESPONSE)) {
            test_add(GATEWAY_TRY_LOST, 1, 10);
            test_fold(TEST_TICK);
            tries++;
        }

        length = test_factors()->until - now;
        check(length >= last);
        check(length <= 600000);
        last = length;

        test_fold(length - 1);
        check(test_out(GATEWAY_PENALTY_RESPONSE));
        test_fold(1);
        check(!test_out(GATEWAY_PENALTY_RESPONSE));
        check(record.returned_at == now);
    }

    check(last == conf.eject_time << 6);
    check(tries <= 12 * conf.eject_failures);
}


/*
 * A node that was out for ten minutes has four fifths of its share a minute
 * later: of 24 alike, each with what it is given of 100 requests a second.
 */

static void
test_fair_share(void)
{
    double               due;
    uint32_t             i, n;
    uint64_t             end;
    gateway_rank_t       rank;
    gateway_entry_t      entries[24];
    gateway_candidate_t  candidates[24];

    static double             work[4096];
    static const double       others = 50;

    check(gateway_rank_size(24) <= sizeof(work));

    test_init();
    test_add(GATEWAY_TRY_OK, 200, others);
    test_fold(TEST_TICK);

    while (!test_out(GATEWAY_PENALTY_RESPONSE)) {
        test_add(GATEWAY_TRY_LOST, 2, 10);
        test_fold(TEST_TICK);
    }

    gateway_record_punish(&record, GATEWAY_PENALTY_RESPONSE, now + 600000,
                          TEST_RESPONSE_CHECK, NULL, now);
    peers.latency = others;
    test_fold(600000);
    check(test_out(GATEWAY_PENALTY_RESPONSE));
    gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, others, now);

    due = 0;
    memset(candidates, 0, sizeof(candidates));

    for (end = now + 60000; now < end; /* void */ ) {

        for (i = 0; i < 24; i++) {
            candidates[i].operator = i;
            candidates[i].latency = others;
            candidates[i].admitted = 1;
            candidates[i].weight = pow(0.999, gateway_rank_defaults.success)
                                   / pow(others,
                                         gateway_rank_defaults.latency);
        }

        candidates[0].latency = test_factors()->latency;
        candidates[0].admitted = test_factors()->ramp;
        candidates[0].weight = gateway_rank_weight(&gateway_rank_defaults,
                                                   test_factors());

        gateway_rank_begin(&rank, &gateway_rank_defaults, candidates, 24,
                           entries, work);
        while (gateway_rank_slice(&rank, 100)) { /* void */ }

        due += candidates[0].share * 100 * TEST_TICK / 1000;
        n = due;
        due -= n;
        test_add(GATEWAY_TRY_OK, n, others);
        test_fold(TEST_TICK);
    }

    check(candidates[0].share > 0.8 / 24);
    check(candidates[0].share < 1.3 / 24);
}


/* 4 s answers are no part of a node's record once it answers fast again */

static void
test_slow_forgiven(void)
{
    test_init();
    peers.latency = 50;
    test_add(GATEWAY_TRY_OK, 500, 50);
    test_fold(TEST_TICK);

    test_add(GATEWAY_TRY_OVERDUE, 40, 1000);
    test_fold(1000);
    check(test_out(GATEWAY_PENALTY_RESPONSE));
    test_add(GATEWAY_TRY_LATE, 40, 4000);
    test_fold(4000);
    check(test_factors()->latency > 75);

    now += 15000;
    gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 60, now);
    check(test_factors()->latency < 60);
    check(test_factors()->success > 0.97);

    /* a check that hung, too, comes late: what is usual is known */

    test_init();
    peers.latency = 50;
    test_add(GATEWAY_TRY_OK, 500, 50);
    test_fold(TEST_TICK);
    test_add(GATEWAY_TRY_OVERDUE, 40, 1000);
    test_fold(1000);
    test_add(GATEWAY_TRY_LATE, 40, 1000);
    test_fold(4000);
    now += 15000;
    check(gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 900, now)
          == 0);
    check(gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 240, now)
          == 1 << GATEWAY_PENALTY_RESPONSE);
    check(test_factors()->latency < 60);

    /* it is not what it was: that is soon known */

    test_add(GATEWAY_TRY_OK, 60, 100);
    test_fold(TEST_TICK);
    check(test_factors()->latency > 80);

    /* one that answered in 4 s only, and is fast now */

    test_init();
    test_add(GATEWAY_TRY_OVERDUE, 40, 1000);
    test_fold(1000);
    test_add(GATEWAY_TRY_LATE, 40, 4000);
    test_fold(4000);
    now += 15000;
    gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 60, now);
    check(test_factors()->latency < 200);

    /* and one that still does: that is known */

    test_init();
    test_add(GATEWAY_TRY_OVERDUE, 40, 1000);
    test_fold(1000);
    test_add(GATEWAY_TRY_LATE, 40, 4000);
    test_fold(4000);
    now += 15000;
    gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 4000, now);
    check(test_factors()->latency > 1300);
}


/* a check that takes too long proves nothing, until that is how it is */

static void
test_slow_stays(void)
{
    uint32_t  i;

    test_init();
    test_add(GATEWAY_TRY_OK, 500, 50);
    test_fold(TEST_TICK);

    test_add(GATEWAY_TRY_OVERDUE, 40, 1000);
    test_add(GATEWAY_TRY_LATE, 40, 1100);
    test_fold(1000);
    check(test_out(GATEWAY_PENALTY_RESPONSE));

    now += 15000;
    check(gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 4000, now)
          == 0);
    check(record.returns == 0);

    for (i = 0; i < 40 && test_out(GATEWAY_PENALTY_RESPONSE); i++) {
        test_add(GATEWAY_TRY_OK, 1, 4000);
        test_fold(15000);
        gateway_record_pass(&record, &conf, TEST_RESPONSE_CHECK, 4000, now);
    }

    check(i > 1 && i < 20);
    check(test_factors()->latency > 1000);

    /* another reason has nothing to do with time */

    gateway_record_punish(&record, GATEWAY_PENALTY_HEIGHT, now,
                          TEST_HEIGHT_CHECK, NULL, now);
    check(gateway_record_pass(&record, &conf, TEST_HEIGHT_CHECK, 60000, now)
          == 1 << GATEWAY_PENALTY_HEIGHT);
}


/*
 * A server that takes 50 requests a second and is offered 500: it gets what
 * it takes, a few more are refused, and it is never thrown out for it.
 */

static void
test_quota(void)
{
    double    offered, good, refused, least;
    uint32_t  i, n;

    test_init();
    good = 0;
    refused = 0;
    offered = 0;
    least = 1;

    for (i = 0; i < 5 * 600; i++) {
        offered += test_factors()->pace * 500 * TEST_TICK / 1000;
        n = offered;
        offered -= n;

        test_add(GATEWAY_TRY_OK, n < 10 ? n : 10, 50);
        test_add(GATEWAY_TRY_QUOTA, n < 10 ? 0 : n - 10, 5);
        test_fold(TEST_TICK);

        least = fmin(least, test_factors()->success);

        if (i > 5 * 60) {
            good += n < 10 ? n : 10;
            refused += n < 10 ? 0 : n - 10;
        }

        check(test_factors()->excluded == 0);
    }

    check(good > 0.9 * 50 * 540);
    check(refused < 0.1 * good);
    check(least > 0.97);

    /* Retry-After of an hour */

    gateway_record_punish(&record, GATEWAY_PENALTY_QUOTA, now + 3600000, 4,
                          NULL, now);
    check(test_out(GATEWAY_PENALTY_QUOTA));
    test_fold(60000);
    check(!test_out(GATEWAY_PENALTY_QUOTA));
    check(record.returns == 0);
    check(test_factors()->ramp == 1);
}


/* A server that takes nothing for a time: hardly asked, and soon again. */

static void
test_quota_over(void)
{
    double    offered;
    uint32_t  i, n, refused;

    test_init();
    offered = 0;
    refused = 0;

    for (i = 0; i < 5 * 600; i++) {
        offered += test_factors()->pace * 32 * TEST_TICK / 1000;
        n = offered;
        offered -= n;

        test_add(GATEWAY_TRY_QUOTA, n, 5);
        test_fold(TEST_TICK);
        refused += n;
    }

    check(refused > 600 / 20);
    check(refused < 600 / 3);

    for (i = 0; i < 5 * 60 && test_factors()->pace < 0.8; i++) {
        offered += test_factors()->pace * 32 * TEST_TICK / 1000;
        n = offered;
        offered -= n;

        test_add(GATEWAY_TRY_OK, n, 50);
        test_fold(TEST_TICK);
    }

    check(i < 5 * 50);
}


static void
test_liveliness(void)
{
    test_init();
    conf.height_tolerance = 5;

    sample.height = 1000;
    sample.height_at = now;
    test_fold(0);

    peers.height = 1020;
    check(test_factors()->liveliness == 1);

    peers.block_time = 12000;
    peers.height = 1001;
    check(test_factors()->liveliness == 1);

    peers.height = 1006;
    check(fabs(test_factors()->liveliness - 0.5) < 1e-9);

    /* it was asked a minute ago, and the chain has grown since */

    now += 60000;
    check(test_factors()->liveliness == 1);

    peers.height = 1000000;
    check(test_factors()->liveliness == 0.01);

    peers.height = 900;
    check(test_factors()->liveliness == 1);

    /* an older height is no news, a newer one may be lower */

    sample.height = 990;
    sample.height_at = now - 70000;
    test_fold(0);
    check(record.height == 1000);

    sample.height = 990;
    sample.height_at = now;
    test_fold(0);
    check(record.height == 990);
}


static void
test_correctness(void)
{
    uint32_t  i;

    test_init();

    sample.agreed = 84;
    sample.outvoted = 100;
    test_fold(0);
    check(fabs(test_factors()->correctness - 0.5) < 1e-9);

    now += conf.votes_half_life * 40;
    check(test_factors()->correctness > 0.999);

    /* a lie that goes on is one: a new node returns to most of its weight */

    test_init();
    sample.outvoted = 1;
    test_fold(0);
    gateway_record_punish(&record, GATEWAY_PENALTY_DATA, now + 15000, 3, NULL,
                          now);

    for (i = 0; i < 4; i++) {
        sample.outvoted = 1;
        test_fold(5000);
    }

    check(record.outvoted < 1.01);
    check(gateway_record_pass(&record, &conf, 3, 30, now)
          == 1 << GATEWAY_PENALTY_DATA);
    check(pow(test_factors()->correctness, gateway_rank_defaults.correctness)
          > 0.76);

    /* the next one is another */

    sample.outvoted = 1;
    test_fold(0);
    check(record.outvoted > 1.9);
}


/* a new node: by time, or by what it has done */

static void
test_ramp(void)
{
    test_init();
    gateway_record_init(&record, now);

    check(test_factors()->ramp == conf.probation);
    now += conf.slow_start / 2;
    check(fabs(test_factors()->ramp - 0.5) < 1e-9);

    test_add(GATEWAY_TRY_OK, conf.slow_start_tries * 3 / 4, 50);
    test_fold(0);
    check(fabs(test_factors()->ramp - 0.75) < 0.01);

    conf.slow_start = 0;
    check(test_factors()->ramp == 1);
}


static void
test_quantiles(void)
{
    uint32_t  i;

    test_init();
    check(gateway_record_quantile(&record, &conf, 0.5) == conf.prior_latency);

    for (i = 1; i <= 1000; i++) {
        test_add(GATEWAY_TRY_OK, 1, i);
    }

    test_fold(0);

    check(fabs(gateway_record_quantile(&record, &conf, 0.1) - 100) < 10);
    check(fabs(gateway_record_quantile(&record, &conf, 0.5) - 500) < 25);
    check(fabs(gateway_record_quantile(&record, &conf, 0.9) - 900) < 45);
    check(gateway_record_quantile(&record, &conf, 0) < 2);
    check(gateway_record_quantile(&record, &conf, 1) <= 1024);

    conf.patience = 100;
    check(fabs(gateway_record_patience(&record, &conf) / 1237.0 - 1) < 0.05);
    conf.patience = 5000;
    check(gateway_record_patience(&record, &conf) == 5000);
}


/* one heavy query does not turn away a fast node, slow ones do */

static void
test_outlier(void)
{
    double  before;

    test_init();
    test_add(GATEWAY_TRY_OK, 100, 50);
    test_fold(0);

    before = gateway_rank_weight(&gateway_rank_defaults, test_factors());

    test_add(GATEWAY_TRY_OK, 1, 60000);
    test_fold(0);
    check(gateway_rank_weight(&gateway_rank_defaults, test_factors())
          > 0.55 * before);

    test_add(GATEWAY_TRY_OK, 30, 300);
    test_fold(0);
    check(gateway_rank_weight(&gateway_rank_defaults, test_factors())
          < 0.1 * before);
}


/* what was given up tells only that it lasted so long */

static void
test_counts(void)
{
    check(gateway_latency_counts(GATEWAY_TRY_OK, 5, 100));
    check(gateway_latency_counts(GATEWAY_TRY_LATE, 5, 100));
    check(!gateway_latency_counts(GATEWAY_TRY_CENSORED, 99, 100));
    check(gateway_latency_counts(GATEWAY_TRY_CENSORED, 101, 100));
    check(!gateway_latency_counts(GATEWAY_TRY_LOST, 1, 100));
    check(gateway_latency_counts(GATEWAY_TRY_LOST, 10000, 100));
    check(!gateway_latency_counts(GATEWAY_TRY_FAILED, 10000, 100));
    check(!gateway_latency_counts(GATEWAY_TRY_OVERDUE, 10000, 100));
    check(!gateway_latency_counts(GATEWAY_TRY_QUOTA, 10000, 100));

    test_init();
    test_add(GATEWAY_TRY_CENSORED, 20, 3000);
    test_fold(0);
    check(record.total_tries == 0);
    check(test_factors()->latency > 1000);
    check(record.run == 0);
}


static void
test_clear(void)
{
    test_init();
    gateway_record_punish(&record, GATEWAY_PENALTY_DATA, now + 900000, 3,
                          NULL, now);
    gateway_record_punish(&record, GATEWAY_PENALTY_QUOTA, now + 9000, 0,
                          NULL, now);
    record.pace = 0.1;

    gateway_record_clear(&record, now);
    check(test_factors()->excluded == 0);
    check(test_factors()->ramp == 1);
    check(test_factors()->pace == 1);
    check(gateway_record_pass(&record, &conf, 3, 10, now) == 0);
}


/* the clock steps: nothing decays backwards, no penalty becomes a longer one */

static void
test_clock(void)
{
    test_init();
    test_add(GATEWAY_TRY_OK, 100, 50);
    test_fold(0);

    now -= 5000;
    test_add(GATEWAY_TRY_OK, 1, 50);
    test_fold(0);
    check(record.tries == 101);

    gateway_record_punish(&record, GATEWAY_PENALTY_CHECK, now + 15000, 0,
                          NULL, now);

    now -= 86400000;
    test_fold(0);
    check(test_out(GATEWAY_PENALTY_CHECK));
    check(test_factors()->until <= now + 15000);
    check(record.tries == 101);
    test_fold(15001);
    check(!test_out(GATEWAY_PENALTY_CHECK));

    /* forwards by a year: everything is old, nothing is broken */

    now += 365 * 86400000ull;
    test_add(GATEWAY_TRY_OK, 1, 50);
    test_fold(0);
    check(record.tries == 1);
    check(test_factors()->success > 0.9);
}


/* whatever happened, factors are in their bounds */

static void
test_bounds(void)
{
    uint32_t            i, k, faults;
    gateway_factors_t  *f;

    faults = 0;

    for (k = 0; k < 300; k++) {
        test_init();
        peers.height = test_random() % 1000;
        peers.block_time = test_random() % 3 * 1000;

        for (i = 0; i < 100; i++) {
            test_add(test_random() % GATEWAY_TRIES,
                     (test_random() % 5) ? test_random() % 50 : 4000000,
                     exp2(30 * test_uniform()));
            sample.agreed = test_random() % 3;
            sample.outvoted = (test_random() % 9) ? 0 : 4000000000;
            sample.height = test_random() % 2000;
            sample.height_at = now + 5000 - test_random() % 10000;

            if (test_random() % 10 == 0) {
                gateway_record_punish(&record,
                                      test_random() % GATEWAY_PENALTIES,
                                      now + test_random() % 10000,
                                      test_random() % 70, NULL, now);
            }

            if (test_random() % 5 == 0) {
                gateway_record_pass(&record, &conf, test_random() % 70,
                                    test_random() % 5000, now);
            }

            test_fold(exp2(25 * test_uniform()));

            if (test_random() % 20 == 0) {
                now -= test_random() % 100000000;
            }

            f = test_factors();

            faults += !(f->success >= 0.01 && f->success <= 1)
                      || !(f->correctness >= 0.01 && f->correctness <= 1)
                      || !(f->liveliness >= 0.01 && f->liveliness <= 1)
                      || !(f->ramp >= conf.probation && f->ramp <= 1)
                      || !(f->pace > 0 && f->pace <= 1)
                      || !(f->latency >= 0 && f->latency < 1e10)
                      || !(gateway_rank_weight(&gateway_rank_defaults, f) > 0)
                      || record.returns > 6;
        }
    }

    check(faults == 0);
}
