/*
 * Guards the clock of records: when the time of day is set it goes on, no
 * slower or faster than by an eighth, until it has caught up.
 */


#include "gateway_clock.h"
#include "test.h"


#define TEST_START   ((uint64_t) 1700000000000)
#define TEST_MONO    ((uint64_t) 5000)
#define TEST_HOUR    ((int64_t) 3600000)


typedef struct {
    const char     *name;
    int64_t         step;                  /* of the time of day, ms */
    uint64_t        passed;
    int64_t         follows;
} test_step_t;


static const test_step_t  test_steps[] = {

    { "none", 0, 200, 0 },
    { "little", 3, 200, 3 },
    { "little, back", -3, 200, -3 },
    { "an eighth", 25, 200, 25 },
    { "an hour", TEST_HOUR, 200, 25 },
    { "an hour back", -TEST_HOUR, 200, -25 },
    { "no time has passed", TEST_HOUR, 0, 0 },
    { "hardly any", -TEST_HOUR, 7, 0 },
    { "all of it", TEST_HOUR, 8 * TEST_HOUR, TEST_HOUR },
    { "but for 1 ms", -TEST_HOUR, 8 * TEST_HOUR - 8, 1 - TEST_HOUR },
    { "a year", 365 * 24 * TEST_HOUR, 200, 25 },
    { "a year back", -365 * 24 * TEST_HOUR, 200, -25 }
};


static void
test_follow(void)
{
    size_t              i;
    uint64_t            offset;
    const test_step_t  *t;

    for (i = 0; i < sizeof(test_steps) / sizeof(test_steps[0]); i++) {

        t = &test_steps[i];
        offset = gateway_clock_follow(TEST_START,
                                      TEST_START + (uint64_t) t->step,
                                      TEST_MONO, t->passed);

        test((int64_t) (offset - TEST_START) == t->follows, t->name, NULL);
    }
}


/* A machine that learns what day it is. */

static void
test_known(void)
{
    check(gateway_clock_follow(0, TEST_START, TEST_MONO, 200) == TEST_START);
    check(gateway_clock_follow(TEST_START, 0, TEST_MONO, 200)
          == TEST_START - 25);
    check(gateway_clock_follow(0, (uint64_t) TEST_HOUR, TEST_MONO, 200) == 25);
}


/* Set back by an hour and looked at five times a second, it never stops. */

static void
test_on(void)
{
    unsigned  n;
    uint64_t  offset, wanted, mono, now, last;

    wanted = TEST_START - (uint64_t) TEST_HOUR;
    offset = TEST_START;
    last = 0;
    n = 0;

    for (mono = 200; offset != wanted; mono += 200) {

        offset = gateway_clock_follow(offset, wanted, mono, 200);
        now = mono + offset;

        if (now < last + 175 && last) {
            break;
        }

        last = now;
        n++;
    }

    check(offset == wanted);
    check(n == TEST_HOUR / 25);
}


int
main(void)
{
    test_follow();
    test_known();
    test_on();

    return test_done();
}
