
/*
 * Rows of records: what is written is read again, and nothing else is.
 */


#include "gateway_record.h"
#include "test.h"

#include <math.h>
#include <string.h>


#define TEST_START  1700000000000


static void test_init(void);
static void test_add(gateway_try_e how, uint32_t n, uint64_t ms);
static void test_fold(uint64_t ms);
static void test_row(void);
static void test_longest(void);
static void test_bad_rows(void);


static gateway_record_t  record;
static gateway_sample_t  sample;
static uint64_t          now;


int
main(void)
{
    test_row();
    test_longest();
    test_bad_rows();

    return test_done();
}


static void
test_init(void)
{
    now = TEST_START;
    gateway_record_init(&record, now - 3600000);
    memset(&sample, 0, sizeof(gateway_sample_t));
}


static void
test_add(gateway_try_e how, uint32_t n, uint64_t ms)
{
    sample.tries[how] += n;
    sample.latency[gateway_latency_bucket(ms)] += n;
    sample.latency_sum += n * ms;
}


static void
test_fold(uint64_t ms)
{
    now += ms;
    gateway_record_fold(&record, &gateway_record_defaults, &sample, now);
    memset(&sample, 0, sizeof(gateway_sample_t));
}


static void
test_row(void)
{
    u_char            row[GATEWAY_RECORD_ROW_LEN], *p;
    u_char            again[GATEWAY_RECORD_ROW_LEN];
    uint32_t          i, k;
    uint64_t          noise;
    pocket_str_t      text;
    gateway_record_t  parsed;

    for (k = 0; k < 500; k++) {
        test_init();
        noise = test_random();
        text.data = (u_char *) &noise;
        text.len = test_random() % 9;

        for (i = 0; i < 20; i++) {
            test_add(test_random() % GATEWAY_TRIES, test_random() % 5000,
                     exp2(17 * test_uniform()));
            sample.height = test_random();
            sample.height_at = now;
            test_fold(test_random() % 5000);
        }

        gateway_record_clear(&record, now - 1 - test_random() % 5000);
        gateway_record_punish(&record, test_random() % GATEWAY_PENALTIES,
                              now + 1000, test_random() % 64, &text, now);

        record.checked_at = now;
        record.checked_by = test_random() >> 12;
        record.lacked_at[test_random() % GATEWAY_ABILITIES] = now;

        p = gateway_record_format(row, &record);
        text.data = row;
        text.len = p - row;

        check(gateway_record_parse(&parsed, &text) == POCKET_OK);
        check(fabs(parsed.tries - record.tries) < 0.001);
        check(fabs(parsed.latency_sum - record.latency_sum) < 0.001);
        check(parsed.height == record.height);
        check(parsed.total_tries == record.total_tries);
        check(memcmp(parsed.penalties, record.penalties,
                     sizeof(record.penalties)) == 0);
        check(parsed.cleared_at == record.cleared_at);
        check(parsed.checked_at == now
              && parsed.checked_by == record.checked_by);
        check(memcmp(parsed.lacked_at, record.lacked_at,
                     sizeof(record.lacked_at)) == 0);
        check(memcmp(parsed.able_at, record.able_at,
                     sizeof(record.able_at)) == 0);
        check(parsed.error_len == record.error_len);
        check(memcmp(parsed.error, record.error, record.error_len) == 0);

        /* what was a row once stays that row */

        p = gateway_record_format(again, &parsed);
        check((size_t) (p - again) == text.len
              && memcmp(again, row, text.len) == 0);
    }
}


static void
test_longest(void)
{
    u_char            row[GATEWAY_RECORD_ROW_LEN], *p;
    uint32_t          i;
    pocket_str_t      text;
    gateway_record_t  parsed;

    memset(&record, 0xff, sizeof(gateway_record_t));
    record.tries = record.successes = record.latency_sum = 1e300;
    record.agreed = record.outvoted = record.pace = 1e300;
    record.error_len = GATEWAY_ERROR_LEN;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        record.latency[i] = 1e300;
    }

    p = gateway_record_format(row, &record);
    check(p - row < GATEWAY_RECORD_ROW_LEN);

    text.data = row;
    text.len = p - row;
    check(gateway_record_parse(&parsed, &text) == POCKET_OK);
}


static void
test_bad_rows(void)
{
    u_char            row[GATEWAY_RECORD_ROW_LEN + 200], *p;
    u_char            changed[GATEWAY_RECORD_ROW_LEN];
    size_t            len, i;
    pocket_str_t      text;
    gateway_record_t  parsed, before;

    test_init();
    test_add(GATEWAY_TRY_OK, 70, 50);
    test_fold(0);

    p = gateway_record_format(row, &record);
    len = p - row;

    memset(&before, 0x5a, sizeof(gateway_record_t));
    parsed = before;

    /* cut anywhere, or with a byte that is none of a number */

    text.data = row;

    for (text.len = 0; text.len < len; text.len++) {
        check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);
    }

    text.data = changed;
    text.len = len;

    for (i = 0; i < len; i++) {
        memcpy(changed, row, len);
        changed[i] = '-';
        check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);
    }

    /* another version, numbers beyond their bounds, an error too long */

    text.data = row;
    row[0] = '2';
    check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);
    row[0] = '1';

    memset(row + len, 'x', GATEWAY_ERROR_LEN + 1);
    text.len = len + GATEWAY_ERROR_LEN;
    check(gateway_record_parse(&parsed, &text) == POCKET_OK);
    text.len++;
    parsed = before;
    check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);

    text.data = changed;

    for (i = 0; i < 60; i++) {
        memcpy(changed, row, len);
        memset(changed + 2 + i, '9', 22);
        text.len = len;

        if (gateway_record_parse(&parsed, &text) == POCKET_OK) {
            check(parsed.tries >= parsed.successes);
            parsed = before;
        }
    }

    /* more successes than tries; more returns than are counted */

    check(memcmp(row, "1 70", 4) == 0);
    memcpy(changed, row, len);
    changed[2] = '6';
    text.len = len;
    check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);

    record.returns = 6;
    text.len = gateway_record_format(changed, &record) - changed;
    check(gateway_record_parse(&parsed, &text) == POCKET_OK);
    parsed = before;

    for (i = 0, p = changed; i < 10; p++) {
        i += (*p == ' ');
    }

    check(*p == '6');
    *p = '9';
    check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);

    memcpy(changed, "1 99999999999999999999999 ", 26);
    check(gateway_record_parse(&parsed, &text) == POCKET_ERROR);
    check(memcmp(&parsed, &before, sizeof(gateway_record_t)) == 0);
}
