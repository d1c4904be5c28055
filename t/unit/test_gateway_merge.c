
/*
 * Merging of records: nothing is lost or counted twice, whatever the order.
 * "test_gateway_merge script" prints the script that merges in Redis, and
 * "test_gateway_merge cases N" what it must give: N lines of time, row,
 * delta and merged row, after one of the chain's settings.
 */


#include "gateway_merge.h"
#include "gateway_script.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TEST_START   1700000000000


static void test_live(gateway_record_t *record, uint64_t *at, int n);
static int test_near(double a, double b);
static int test_same(const gateway_record_t *a, const gateway_record_t *b);
static void test_back(void);
static void test_order(void);
static void test_forgiven(void);
static void test_ended(void);
static void test_cleared(void);
static void test_lacks(void);
static uint64_t test_lacking(const gateway_record_t *record,
    gateway_ability_e ability, uint64_t now);
static void test_checked(void);
static void test_passed(void);
static void test_later(void);
static void test_runs(void);
static void test_paces(void);
static void test_clocks(void);
static void test_longest(void);
static void test_cases(int n);


static const pocket_str_t     text = pocket_string("it lied");
static gateway_record_conf_t  conf;


int
main(int argc, char **argv)
{
    conf = gateway_record_defaults;

    if (argc > 1 && strcmp(argv[1], "script") == 0) {
        fwrite(gateway_scripts[GATEWAY_SCRIPT_SYNC].text.data, 1,
               gateway_scripts[GATEWAY_SCRIPT_SYNC].text.len, stdout);
        return 0;
    }

    if (argc > 2 && strcmp(argv[1], "cases") == 0) {
        test_cases(atoi(argv[2]));
        return 0;
    }

    test_back();
    test_order();
    test_forgiven();
    test_ended();
    test_cleared();
    test_lacks();
    test_checked();
    test_passed();
    test_later();
    test_runs();
    test_paces();
    test_clocks();
    test_longest();

    return test_done();
}


/* what may happen to a node, n times */

static void
test_live(gateway_record_t *record, uint64_t *at, int n)
{
    uint32_t           i;
    gateway_sample_t   sample;
    gateway_penalty_e  reason;

    while (n--) {
        *at += test_random() % 1500;
        memset(&sample, 0, sizeof(gateway_sample_t));

        for (i = 0; i < GATEWAY_TRIES; i++) {
            sample.tries[i] = (test_random() % 3) ? 0 : test_random() % 6;
        }

        for (i = 0; i < sample.tries[GATEWAY_TRY_OK]; i++) {
            sample.latency[test_random() % GATEWAY_LATENCY_BUCKETS]++;
            sample.latency_sum += test_random() % 3000;
        }

        sample.agreed = test_random() % 2;
        sample.outvoted = (test_random() % 8 == 0);
        sample.height = (test_random() % 2) ? test_random() : 0;
        sample.height_at = sample.height ? *at : 0;

        gateway_record_fold(record, &conf, &sample, *at);

        reason = test_random() % GATEWAY_PENALTIES;

        switch (test_random() % 6) {

        case 0:
            gateway_record_punish(record, reason, *at + test_random() % 9000,
                                  test_random() % 52, &text, *at);
            break;

        case 1:
            (void) gateway_record_pass(record, &conf, 1 + test_random() % 51,
                                       test_random() % 900, *at);
            break;

        case 2:
            record->checked_at = *at;
            record->checked_by = 1 + test_random() % 3;
            record->lacked_at[test_random() % GATEWAY_ABILITIES] = *at;
            break;

        case 3:
            record->able_at[test_random() % GATEWAY_ABILITIES] = *at;
            break;

        default:
            break;
        }
    }
}


static int
test_near(double a, double b)
{
    return fabs(a - b) < 1e-6 * (1 + fabs(a));
}


static int
test_same(const gateway_record_t *a, const gateway_record_t *b)
{
    uint32_t  i;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        if (!test_near(a->latency[i], b->latency[i])) {
            return 0;
        }
    }

    return test_near(a->tries, b->tries)
           && test_near(a->successes, b->successes)
           && test_near(a->latency_sum, b->latency_sum)
           && test_near(a->agreed, b->agreed)
           && test_near(a->outvoted, b->outvoted)
           && test_near(a->pace, b->pace)
           && a->stamp == b->stamp && a->first_seen == b->first_seen
           && a->returned_at == b->returned_at && a->returns == b->returns
           && a->run == b->run && a->run_since == b->run_since
           && a->height == b->height && a->height_at == b->height_at
           && a->total_tries == b->total_tries
           && a->total_successes == b->total_successes
           && a->error_at == b->error_at && a->error_len == b->error_len
           && a->cleared_at == b->cleared_at
           && a->checked_at == b->checked_at && a->checked_by == b->checked_by
           && memcmp(a->lacked_at, b->lacked_at, sizeof(a->lacked_at)) == 0
           && memcmp(a->able_at, b->able_at, sizeof(a->able_at)) == 0
           && memcmp(a->penalties, b->penalties, sizeof(a->penalties)) == 0;
}


/* one gateway alone: what is shared is its record */

static void
test_back(void)
{
    int               i, k;
    uint64_t          at;
    gateway_delta_t   delta;
    gateway_record_t  record, base;

    for (i = 0; i < 200; i++) {
        at = TEST_START;
        gateway_record_init(&record, at);
        gateway_record_blank(&base, at);

        for (k = 0; k < 10; k++) {
            test_live(&record, &at, 1);
            gateway_delta_init(&delta, &record, &base, &conf);
            gateway_record_merge(&base, &conf, &delta, at);
            check(test_same(&base, &record));
        }

        gateway_delta_init(&delta, &record, &base, &conf);
        gateway_record_merge(&base, &conf, &delta, at);
        check(test_same(&base, &record));
    }
}


/* two gateways: who is first does not matter, and nothing is lost */

static void
test_order(void)
{
    int               i;
    uint64_t          at, first, second;
    gateway_delta_t   one, two;
    gateway_record_t  base, record, a, b;

    for (i = 0; i < 500; i++) {
        at = TEST_START;
        gateway_record_init(&base, at);
        test_live(&base, &at, 10);

        first = second = at;

        record = base;
        test_live(&record, &first, 3);
        gateway_delta_init(&one, &record, &base, &conf);

        record = base;
        test_live(&record, &second, 3);
        gateway_delta_init(&two, &record, &base, &conf);

        at = (first > second) ? first : second;

        a = b = base;
        gateway_record_merge(&a, &conf, &one, at);
        gateway_record_merge(&a, &conf, &two, at);
        gateway_record_merge(&b, &conf, &two, at);
        gateway_record_merge(&b, &conf, &one, at);

        check(a.total_tries == base.total_tries + one.total_tries
                               + two.total_tries);
        check(a.total_tries == b.total_tries
              && a.total_successes == b.total_successes);
        check(test_near(a.agreed, b.agreed)
              && test_near(a.outvoted, b.outvoted));
        check(a.pace >= GATEWAY_PACE_MIN && a.pace <= 1);
        check(a.height == b.height && a.stamp == b.stamp);
        check(a.error_at == b.error_at && a.returned_at == b.returned_at);
        check(a.successes <= a.tries && b.successes <= b.tries);
    }
}


/* failures are forgiven once, though both gateways do it */

static void
test_forgiven(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;
    gateway_sample_t  sample;

    now = TEST_START;
    gateway_record_init(&base, now);

    memset(&sample, 0, sizeof(gateway_sample_t));
    sample.tries[GATEWAY_TRY_OK] = 50;
    sample.tries[GATEWAY_TRY_FAILED] = 40;
    sample.latency[7] = 50;
    sample.latency_sum = 1000;
    gateway_record_fold(&base, &conf, &sample, now);
    gateway_record_punish(&base, GATEWAY_PENALTY_RESPONSE, now + 1000, 3,
                          &text, now);

    a = b = base;
    now += 1000;

    check(gateway_record_pass(&a, &conf, 3, 20, now) == 1);
    check(gateway_record_pass(&b, &conf, 3, 20, now + 5) == 1);

    gateway_delta_init(&delta, &a, &base, &conf);
    check(delta.tries < -30);
    gateway_record_merge(&base, &conf, &delta, now);
    check(test_near(base.tries, base.successes));

    gateway_delta_init(&delta, &b, &b, &conf);
    check(delta.tries == 0);
    delta.tries = -40;
    gateway_record_merge(&base, &conf, &delta, now);
    check(base.tries >= 0 && base.successes <= base.tries);
    check(base.returns == 1);
}


/* what one gateway ended is not brought back by one that knows it not yet */

static void
test_ended(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;

    now = TEST_START;
    gateway_record_init(&base, now);
    gateway_record_punish(&base, GATEWAY_PENALTY_HEIGHT, now + 1000, 3, &text,
                          now);
    a = b = base;

    check(gateway_record_pass(&a, &conf, 3, 20, now + 1000) != 0);
    gateway_record_punish(&b, GATEWAY_PENALTY_HEIGHT, now + 9000, 3, NULL,
                          now + 900);

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 1000);
    check(base.penalties[GATEWAY_PENALTY_HEIGHT].until == 0);

    gateway_delta_init(&delta, &b, &a, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 1000);
    check(base.penalties[GATEWAY_PENALTY_HEIGHT].until == 0);

    /* a new one is another matter */

    a = base;
    gateway_record_punish(&a, GATEWAY_PENALTY_HEIGHT, now + 9000, 3, NULL,
                          now + 2000);
    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 2000);
    check(base.penalties[GATEWAY_PENALTY_HEIGHT].until == now + 9000);
}


/* a penalty waits for the checks of both, and for each until it is passed */

/* nor is what was given before it was cleared, by one who knows not yet */

static void
test_cleared(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b, c;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = b = base;

    gateway_record_punish(&a, GATEWAY_PENALTY_RESPONSE, now + 9000, 0, NULL,
                          now);
    gateway_record_punish(&b, GATEWAY_PENALTY_RESPONSE, now + 9300, 0, NULL,
                          now + 300);
    gateway_record_clear(&a, now + 500);

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 500);
    gateway_delta_init(&delta, &b, &a, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 600);
    check(base.penalties[GATEWAY_PENALTY_RESPONSE].until == 0);

    /* nor what is given soon after, by one who knows not yet */

    b.stamp = now + 1500;
    b.run = 5;
    b.run_since = now - 100;
    b.pace = 0.5;
    gateway_record_punish(&b, GATEWAY_PENALTY_DATA, now + 90000, 3, NULL,
                          now + 1500);
    gateway_record_blank(&c, now);
    gateway_delta_init(&delta, &b, &c, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 1500);
    check(base.penalties[GATEWAY_PENALTY_DATA].until == 0);
    check(base.run == 0 && base.pace == 1);

    /* who has not heard of it for long has found something new */

    b.stamp = now + 60000;
    gateway_delta_init(&delta, &b, &c, &conf);
    c = base;
    gateway_record_merge(&c, &conf, &delta, now + 60000);
    check(c.penalties[GATEWAY_PENALTY_DATA].until == now + 90000);

    /* what comes after it counts, of those who know */

    a = base;
    gateway_record_punish(&a, GATEWAY_PENALTY_RESPONSE, now + 9700, 0, NULL,
                          now + 700);
    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 800);
    check(base.penalties[GATEWAY_PENALTY_RESPONSE].until == now + 9700);
}


/* what a node lacks is learned of others, until it has it, or is cleared */

static void
test_lacks(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = b = base;

    a.lacked_at[GATEWAY_ABILITY_TRACE] = now + 10;
    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 20);
    check(test_lacking(&base, GATEWAY_ABILITY_TRACE, now + 20)
          == now + 10 + 600000);
    check(test_lacking(&base, GATEWAY_ABILITY_LOGS, now + 20) == 0);
    check(test_lacking(&base, GATEWAY_ABILITY_TRACE, now + 600010) == 0);

    b.able_at[GATEWAY_ABILITY_TRACE] = now + 5;
    gateway_delta_init(&delta, &b, &a, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 20);
    check(test_lacking(&base, GATEWAY_ABILITY_TRACE, now + 20) != 0);

    b.able_at[GATEWAY_ABILITY_TRACE] = now + 10;
    gateway_delta_init(&delta, &b, &a, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 20);
    check(test_lacking(&base, GATEWAY_ABILITY_TRACE, now + 20) == 0);

    gateway_record_clear(&a, now + 9);
    check(test_lacking(&a, GATEWAY_ABILITY_TRACE, now + 20) == 0);

    /* a clock that steps back does not make it long */

    gateway_record_init(&a, now + 7200000);
    a.lacked_at[GATEWAY_ABILITY_LOGS] = now + 7200000;
    check(test_lacking(&a, GATEWAY_ABILITY_LOGS, now) == 0);
    gateway_record_clock(&a, now);
    check(test_lacking(&a, GATEWAY_ABILITY_LOGS, now) == now + 600000);
}


static uint64_t
test_lacking(const gateway_record_t *record, gateway_ability_e ability,
    uint64_t now)
{
    return gateway_record_lacking(record->lacked_at[ability],
                                  record->able_at[ability], now);
}


/* of who saw to its checks the last one is known, whoever tells first */

static void
test_checked(void)
{
    uint64_t          now;
    gateway_delta_t   one, two;
    gateway_record_t  base, a, b;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = b = base;

    a.checked_at = now + 10;
    a.checked_by = 7;
    b.checked_at = now + 10;
    b.checked_by = 9;

    gateway_delta_init(&one, &a, &base, &conf);
    gateway_delta_init(&two, &b, &base, &conf);

    a = b = base;
    gateway_record_merge(&a, &conf, &one, now + 20);
    gateway_record_merge(&a, &conf, &two, now + 20);
    gateway_record_merge(&b, &conf, &two, now + 20);
    gateway_record_merge(&b, &conf, &one, now + 20);
    check(a.checked_by == 9 && test_same(&a, &b));
}


static void
test_passed(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;

    now = TEST_START;
    gateway_record_init(&base, now);
    gateway_record_punish(&base, GATEWAY_PENALTY_CHECK, now + 10, 3, &text,
                          now);
    a = b = base;

    gateway_record_punish(&a, GATEWAY_PENALTY_CHECK, now + 20, 51, NULL, now);
    gateway_record_punish(&b, GATEWAY_PENALTY_CHECK, now + 30, 33, NULL, now);

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&b, &conf, &delta, now);
    check(b.penalties[GATEWAY_PENALTY_CHECK].until == now + 30);
    check(b.penalties[GATEWAY_PENALTY_CHECK].checks
          == ((uint64_t) 1 << 3 | (uint64_t) 1 << 33 | (uint64_t) 1 << 51));

    base = a = b;
    (void) gateway_record_pass(&a, &conf, 33, 20, now + 40);
    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&b, &conf, &delta, now + 40);
    check(b.penalties[GATEWAY_PENALTY_CHECK].checks
          == ((uint64_t) 1 << 3 | (uint64_t) 1 << 51));
    check(b.penalties[GATEWAY_PENALTY_CHECK].until != 0);
}


/* two begin a penalty at once: the longer one holds, for all checks */

static void
test_later(void)
{
    uint64_t          now;
    gateway_delta_t   one, two;
    gateway_record_t  base, a, b, ab, ba;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = b = base;

    gateway_record_punish(&a, GATEWAY_PENALTY_DATA, now + 900, 1, &text, now);
    gateway_record_punish(&b, GATEWAY_PENALTY_DATA, now + 700, 2, NULL,
                          now + 50);

    gateway_delta_init(&one, &a, &base, &conf);
    gateway_delta_init(&two, &b, &base, &conf);

    ab = ba = base;
    gateway_record_merge(&ab, &conf, &one, now + 60);
    gateway_record_merge(&ab, &conf, &two, now + 60);
    gateway_record_merge(&ba, &conf, &two, now + 60);
    gateway_record_merge(&ba, &conf, &one, now + 60);

    check(test_same(&ab, &ba));
    check(ab.penalties[GATEWAY_PENALTY_DATA].until == now + 900);
    check(ab.penalties[GATEWAY_PENALTY_DATA].checks == 6);
    check(ab.error_len == text.len);
}


/* failures at two gateways are one run, which one of them ends by ejecting */

static void
test_runs(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;
    gateway_sample_t  sample;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = b = base;

    memset(&sample, 0, sizeof(gateway_sample_t));
    sample.tries[GATEWAY_TRY_FAILED] = conf.eject_failures - 4;
    gateway_record_fold(&a, &conf, &sample, now);
    gateway_record_fold(&b, &conf, &sample, now + 100);

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now);
    check(base.run == conf.eject_failures - 4 && base.run_since == now);

    gateway_record_init(&a, TEST_START);
    gateway_delta_init(&delta, &b, &a, &conf);
    gateway_record_merge(&base, &conf, &delta, now + 100);
    check(base.run == conf.eject_failures && base.run_since == now);

    memset(&sample, 0, sizeof(gateway_sample_t));
    a = base;
    gateway_record_fold(&a, &conf, &sample, now + conf.eject_after);
    check(a.penalties[GATEWAY_PENALTY_RESPONSE].until != 0);

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now + conf.eject_after);
    check(base.run == 0 && base.run_since == 0);
}


static void
test_paces(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a;
    gateway_sample_t  sample;

    now = TEST_START;
    gateway_record_init(&base, now);
    a = base;

    memset(&sample, 0, sizeof(gateway_sample_t));
    sample.tries[GATEWAY_TRY_QUOTA] = 1;
    gateway_record_fold(&a, &conf, &sample, now);
    check(test_near(a.pace, 0.5));

    gateway_delta_init(&delta, &a, &base, &conf);
    gateway_record_merge(&base, &conf, &delta, now);
    gateway_record_merge(&base, &conf, &delta, now);
    check(test_near(base.pace, 0.25));
}


/* a clock that is ahead moves nothing; one that stepped back, all times */

static void
test_clocks(void)
{
    uint64_t          now;
    gateway_delta_t   delta;
    gateway_record_t  base, a, b;

    now = TEST_START;
    gateway_record_init(&base, now);
    gateway_record_punish(&base, GATEWAY_PENALTY_DATA, now + 50000, 0, NULL,
                          now);
    base.tries = base.successes = 100;

    a = base;
    a.stamp += 3600000;
    a.tries = 1;
    gateway_delta_init(&delta, &a, &base, &conf);
    b = base;
    gateway_record_merge(&b, &conf, &delta, now);
    check(b.stamp == now && b.tries > 99);

    a = base;
    gateway_record_clock(&a, now - 3600000);
    gateway_delta_init(&delta, &a, &base, &conf);
    check(delta.penalties[GATEWAY_PENALTY_DATA].since == 0);
    gateway_record_merge(&base, &conf, &delta, now - 3600000);
    check(base.penalties[GATEWAY_PENALTY_DATA].until
          == now + 50000 - 3600000);
    check(base.stamp == now - 3600000);
}


static void
test_longest(void)
{
    u_char           row[GATEWAY_DELTA_LEN];
    uint32_t         i;
    gateway_delta_t  delta;

    memset(&delta, 0xff, sizeof(gateway_delta_t));
    delta.tries = delta.successes = delta.latency_sum = -1e300;
    delta.agreed = delta.outvoted = delta.pace = NAN;
    delta.error_len = GATEWAY_ERROR_LEN;
    delta.run = INT32_MIN;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        delta.latency[i] = -1e300;
    }

    check(gateway_delta_format(row, &delta) - row < GATEWAY_DELTA_LEN);
}


static void
test_cases(int n)
{
    u_char            buf[GATEWAY_DELTA_LEN + 1];
    uint64_t          at, then;
    gateway_delta_t   delta;
    gateway_record_t  base, record, ours;

    printf("%u %u %u\n", conf.half_life, conf.votes_half_life,
           conf.eject_failures);

    while (n--) {
        at = TEST_START;
        gateway_record_init(&base, at);
        test_live(&base, &at, test_random() % 12);

        then = at;
        record = ours = base;
        test_live(&record, &then, 1 + test_random() % 4);
        gateway_delta_init(&delta, &record, &ours, &conf);

        if (test_random() % 4) {
            test_live(&base, &at, test_random() % 4);
        }

        if (test_random() % 4 == 0) {
            gateway_record_clear(&base, then - test_random() % 15000);
        }

        at = (at > then) ? at : then;
        at += test_random() % 5000;

        if (test_random() % 8 == 0) {
            at -= 300000;
        }

        *gateway_record_format(buf, &base) = '\0';
        printf("%llu\t%s", (unsigned long long) at, buf);

        *gateway_delta_format(buf, &delta) = '\0';
        printf("\t%s", buf);

        gateway_record_merge(&base, &conf, &delta, at);
        *gateway_record_format(buf, &base) = '\0';
        printf("\t%s\n", buf);
    }
}
