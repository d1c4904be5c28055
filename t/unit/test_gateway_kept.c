/*
 * Guards what a gateway that starts believes of what Redis has kept: texts
 * come back as they were, others are refused, and so is a session that the
 * network must have left behind.
 */


#include "gateway_kept.h"
#include "test.h"

#include <stdio.h>
#include <string.h>


#define TEST_APP     "2bcd8227e3077f13861372dc80c845d2cca990ff4721bd23e43389" \
                     "090ae6b8ab"
#define TEST_NODE    "88fb26a474ad583a494447edc79a830ac20b32bf63b8e80245fbb9" \
                     "f1e4c19db3"
#define TEST_OTHER   "4593bc9f85532d3bc7cecbdb9e34949975866c2c9eb1b55df208fa" \
                     "42cb73bd6e"


/* network at height since at, blocks of a session, block time; the session */

typedef struct {
    int64_t         height;
    uint32_t        per_session;
    uint32_t        block_time;
    int64_t         session;
    uint64_t        later;                 /* ms */
    unsigned        good;
} test_good_t;


static const test_good_t  test_goods[] = {

    { 18, 4, 1000, 17, 0, 1 },
    { 18, 4, 1000, 17, 2999, 1 },
    { 18, 4, 1000, 17, 3000, 1 },          /* the next one's first block */
    { 18, 4, 1000, 17, 3999, 1 },
    { 18, 4, 1000, 17, 4000, 0 },
    { 20, 4, 1000, 17, 1999, 1 },
    { 20, 4, 1000, 17, 2000, 0 },

    /* not a first block; one that may be next, one that cannot be yet */

    { 18, 4, 1000, 18, 0, 0 },
    { 18, 4, 1000, 0, 0, 0 },
    { 18, 4, 1000, -3, 0, 0 },
    { 18, 4, 1000, 21, 0, 1 },
    { 18, 4, 1000, 25, 0, 0 },

    /* one of long ago */

    { 18, 4, 1000, 13, 0, 0 },
    { 17, 4, 1000, 13, 0, 1 },

    /* by what is known of the main network */

    { 18, 0, 0, 17, 3599999, 1 },
    { 18, 0, 0, 17, 3600000, 0 },
    { 7, 6, 1000, 7, 6999, 1 },
    { 7, 6, 1000, 7, 7000, 0 }
};


static const char  *test_texts[] = {
    "", " ", "1", "2 18 1 4 1000 100 2", "1 18 1 4 1000 100",
    "1 18 1 4 1000 100 2 3", "1 18 1 4 1000 100 2 ", "1  18 1 4 1000 100",
    "1 -18 1 4 1000 100 2", "1 18 1 4 1000 100 x", "a 18 1 4 1000 100 2",
    "1 9999999999999 1 4 1000 100 2", "1 18 1 9999999999 1000 100 2",
    "1 18 1 4 9999999999 100 2", "1 18 1 4 1000 100 9999999999",
    "1 18 1 4 1000 9999999999999999999 2"
};


static void
test_numbers(void)
{
    size_t          i;
    pocket_str_t    text;
    gateway_kept_t  kept, same;
    unsigned char   buf[GATEWAY_KEPT_LEN];

    memset(&kept, 0, sizeof(gateway_kept_t));

    kept.height = 18;
    kept.seen_at = 1767225600123;
    kept.per_session = 4;
    kept.block_time = 900000;
    kept.max_relays = 123456789012345;
    kept.nchains = 15;

    text.data = buf;
    text.len = (size_t) (gateway_kept_format(buf, &kept) - buf);

    memset(&same, 0, sizeof(gateway_kept_t));

    check(gateway_kept_parse(&same, &text) == 1);
    check(memcmp(&kept, &same, sizeof(gateway_kept_t)) == 0);

    for (i = 0; i < sizeof(test_texts) / sizeof(test_texts[0]); i++) {
        text = test_str(test_texts[i]);
        check(gateway_kept_parse(&same, &text) == 0);
    }
}


static void
test_session(void)
{
    const char          *reason;
    pocket_str_t         app, chain, text;
    gateway_dispatch_t   dispatch, same;

    app = test_str(TEST_APP);
    chain = test_str("0021");

    memset(&dispatch, 0, sizeof(gateway_dispatch_t));

    dispatch.height = 17;
    dispatch.listed = 4;
    dispatch.n = 2;
    dispatch.nodes[0].public_key = test_str(TEST_NODE);
    dispatch.nodes[0].url = test_str("https://a.example:8081/x?\"");
    dispatch.nodes[1].public_key = test_str(TEST_OTHER);
    dispatch.nodes[1].url = test_str("http://10.0.0.1");

    check(gateway_kept_session(&dispatch, &app, &chain, &text, &test_alloc)
          == POCKET_OK);
    check(gateway_dispatch_session(&text, &app, &chain, 17, &same, &reason,
                                   &test_alloc)
          == 1);

    check(same.height == 17 && same.listed == 4 && same.n == 2);
    check(memcmp(same.nodes[1].public_key.data, TEST_OTHER,
                 sizeof(TEST_OTHER) - 1)
          == 0);
    check(same.nodes[0].url.len == dispatch.nodes[0].url.len
          && memcmp(same.nodes[0].url.data, dispatch.nodes[0].url.data,
                    same.nodes[0].url.len)
             == 0);

    chain = test_str("0001");

    check(gateway_dispatch_session(&text, &app, &chain, 0, &same, &reason,
                                   &test_alloc)
          == 0);
}


static void
test_good(void)
{
    char                row[32];
    size_t              i;
    gateway_kept_t      kept;
    const test_good_t  *t;

    memset(&kept, 0, sizeof(gateway_kept_t));

    kept.seen_at = 1767225600000;

    for (i = 0; i < sizeof(test_goods) / sizeof(test_goods[0]); i++) {

        t = &test_goods[i];

        kept.height = t->height;
        kept.per_session = t->per_session;
        kept.block_time = t->block_time;

        (void) snprintf(row, sizeof(row), "%zu", i);

        test(gateway_kept_good(&kept, t->session, kept.seen_at + t->later)
             == t->good, "case", row);
    }

    /* clocks differ, but not by hours */

    kept.height = 18;
    kept.per_session = 4;
    kept.block_time = 1000;

    check(gateway_kept_good(&kept, 17, kept.seen_at - 60000) == 1);
    check(gateway_kept_good(&kept, 17, kept.seen_at - 60001) == 0);
}


int
main(void)
{
    test_numbers();
    test_session();
    test_good();

    return test_done();
}
