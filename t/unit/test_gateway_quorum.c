
/*
 * Guards who is blamed by the votes of nodes: the characterisation cases of
 * height (H) and data integrity checks (D), each with its better outcome, and
 * properties over random votes.  A rule too lax lets a liar into the traffic,
 * one too strict bans honest nodes.
 */


#include "gateway_quorum.h"
#include "test.h"

#include <string.h>


#define TEST_MAX     300
#define TEST_ROUNDS  20000
#define TEST_BLOCK   12000

#define NONE         GATEWAY_VERDICT_NONE
#define AGREED       GATEWAY_VERDICT_AGREED
#define OUTVOTED     GATEWAY_VERDICT_OUTVOTED
#define BEHIND       GATEWAY_VERDICT_BEHIND
#define AHEAD        GATEWAY_VERDICT_AHEAD


/* so many votes of one height, each of an operator of its own */

typedef struct {
    uint32_t           count;
    uint64_t           height;
    gateway_verdict_e  verdict;
} test_group_t;


typedef struct {
    const char        *name;
    uint64_t           reference;          /* proven before, 0: none */
    uint32_t           tolerance;
    int                rc;
    uint64_t           after;              /* reference then */
    test_group_t       groups[4];
} test_height_t;


/*
 * Letters are identifiers, a blank is an answer without one; each is of an
 * operator of its own.  Verdicts: + agreed, - outvoted, . none.
 */

typedef struct {
    const char        *name;
    const char        *votes;
    const char        *reference;
    const char        *agreed;             /* "": inconclusive */
    const char        *verdicts;
} test_data_t;


static gateway_vote_t  votes[TEST_MAX];


static const test_height_t  heights[] = {
    { "H1 nobody", 0, 100, POCKET_ERROR, 0, { { 0, 0, 0 } } },
    { "H2 one, nothing known", 0, 100, POCKET_ERROR, 42,
      { { 1, 42, NONE } } },
    { "H2 one at the reference", 42, 100, POCKET_OK, 42,
      { { 1, 42, AGREED } } },
    { "H2 one behind the reference", 143, 100, POCKET_ERROR, 143,
      { { 1, 42, BEHIND } } },
    { "H2 one far above the reference", 42, 100, POCKET_ERROR, 42,
      { { 1, 1000000, NONE } } },
    { "H3", 0, 100, POCKET_OK, 1000, { { 2, 1000, AGREED } } },
    { "H4", 0, 100, POCKET_OK, 1000,
      { { 1, 1000, AGREED }, { 1, 1100, AGREED } } },
    { "H5", 0, 100, POCKET_ERROR, 0, { { 1, 1000, NONE }, { 1, 1101, NONE } } },
    { "H5 turned", 0, 100, POCKET_ERROR, 0,
      { { 1, 1101, NONE }, { 1, 1000, NONE } } },
    { "H6", 1000, 100, POCKET_OK, 1000,
      { { 1, 1000, AGREED }, { 1, 990, AGREED }, { 1, 899, BEHIND } } },
    { "H6 more at the tip", 0, 100, POCKET_OK, 1000,
      { { 3, 1000, AGREED }, { 1, 990, AGREED }, { 1, 899, BEHIND } } },
    { "H6 nothing known", 0, 100, POCKET_OK, 990,
      { { 1, 1000, AGREED }, { 1, 990, AGREED }, { 1, 899, AGREED } } },
    { "H7", 0, 100, POCKET_OK, 1000,
      { { 23, 1000, AGREED }, { 1, 1000000, AHEAD } } },
    { "H8", 0, 100, POCKET_OK, 1000,
      { { 9, 1000, AGREED }, { 1, 1000000, AHEAD } } },
    { "H9", 0, 100, POCKET_OK, 1000,
      { { 10, 1000, AGREED }, { 1, 1000000, AHEAD } } },
    { "H10", 0, 100, POCKET_OK, 1000,
      { { 22, 1000, AGREED }, { 2, 1000000, AHEAD } } },
    { "H11", 0, 100, POCKET_OK, 1000,
      { { 21, 1000, AGREED }, { 3, 1000000, AHEAD } } },
    { "H11 many more liars", 0, 100, POCKET_OK, 1000,
      { { 16, 1000, AGREED }, { 8, 1000000, AHEAD } } },
    { "H11 a third too many", 0, 100, POCKET_ERROR, 0,
      { { 15, 1000, NONE }, { 9, 1000000, NONE } } },
    { "H12", 0, 100, POCKET_OK, 1000,
      { { 23, 1000, AGREED }, { 1, 0, BEHIND } } },
    { "H13", 0, 100, POCKET_OK, 1000,
      { { 23, 1000, AGREED }, { 1, 1101, NONE } } },
    { "H14", 0, 100, POCKET_OK, 1000, { { 23, 1000, AGREED } } },
    { "H17", 1000, 0, POCKET_ERROR, 1000,
      { { 1, 1000, NONE }, { 1, 999, BEHIND } } },
    { "above, where all are wide apart", 0, 10, POCKET_OK, 1000,
      { { 2, 990, AGREED }, { 1, 1000, AGREED }, { 2, 1010, AGREED },
        { 1, 1040, NONE } } },
    { "half and half", 0, 5, POCKET_ERROR, 0,
      { { 3, 1000, NONE }, { 3, 900, NONE } } },
    { "half and half, known", 1000, 5, POCKET_ERROR, 1000,
      { { 3, 1000, NONE }, { 3, 900, BEHIND } } },
    { "all behind what was proven", 1000, 5, POCKET_OK, 1000,
      { { 5, 900, BEHIND } } },
    { "ends of the numbers", 0, 5, POCKET_OK, UINT64_MAX - 1,
      { { 4, UINT64_MAX - 1, AGREED }, { 1, UINT64_MAX, AGREED },
        { 1, 0, BEHIND } } },
};


/* H15, H16, H18 to H21, D1, D8 to D15 are decided before there are votes */

static const test_data_t  data[] = {
    { "D2", "AAAB", "", "A", "+++-" },
    { "D3", "AB", "", "", ".." },
    { "D4", "AABB", "", "", "...." },
    { "D4 known", "AABB", "B", "B", "--++" },
    { "D4 nobody confirms", "AABB", "C", "", "...." },
    { "three apart, known", "ABC ", "C", "C", "--+." },
    { "D5", "A", "A", "A", "+" },
    { "D5 another", "B", "A", "A", "-" },
    { "D5 nothing known", "A", "", "", "." },
    { "D6", "  A", "", "", "..." },
    { "D7", "AA ", "", "", "..." },
    { "D7 known", "AA ", "A", "A", "++." },
    { "D8, D9, D10", "AA", "", "", ".." },
    { "D11", "A", "", "", "." },
    { "two against the reference", "BB", "A", "A", "--" },
    { "two of three", "AAB", "", "A", "++-" },
    { "four of seven", "AAAABBB", "", "", "......." },
    { "five of seven", "AABABAA", "", "A", "++-+-++" },
    { "a quorum against the reference", "AAAA", "B", "A", "++++" },
    { "nobody", "", "A", "", "" },
};


static uint32_t
test_below(uint32_t n)
{
    return test_random() % n;
}


static void
test_vote(uint32_t i, uint32_t operator, uint64_t height)
{
    memset(&votes[i], 0, sizeof(gateway_vote_t));

    votes[i].operator = operator;
    votes[i].height = height;
    votes[i].verdict = OUTVOTED;
}


static void
test_identify(uint32_t i, uint32_t operator, const char *identifier)
{
    test_vote(i, operator, 0);

    votes[i].identifier.data = (unsigned char *) identifier;
    votes[i].identifier.len = *identifier == ' ' ? 0 : 1;
}


static void
test_heights(void)
{
    int                    rc, ok;
    uint32_t               i, g, n;
    const test_height_t   *t;
    gateway_height_ref_t   ref;

    for (t = heights; t < heights + sizeof(heights) / sizeof(*t); t++) {
        n = 0;

        for (g = 0; g < 4; g++) {
            for (i = 0; i < t->groups[g].count; i++) {
                test_vote(n, n * 7 + 3, t->groups[g].height);
                n++;
            }
        }

        memset(&ref, 0, sizeof(gateway_height_ref_t));
        ref.reference = t->reference;
        ref.reference_at = 1000000;
        ref.proven = t->reference ? 1 : 0;
        ref.tolerance = t->tolerance;

        rc = gateway_quorum_height(votes, n, &ref, 1001000);

        ok = rc == t->rc && ref.reference == t->after;
        n = 0;

        for (g = 0; g < 4; g++) {
            for (i = 0; i < t->groups[g].count; i++) {
                ok = ok && votes[n++].verdict == t->groups[g].verdict;
            }
        }

        test_check(ok, t->name, __func__, __LINE__);
    }
}


static void
test_identifiers(void)
{
    int                  rc, ok;
    uint32_t             i, n;
    pocket_str_t         reference, agreed;
    const test_data_t   *t;

    for (t = data; t < data + sizeof(data) / sizeof(*t); t++) {
        n = strlen(t->votes);

        for (i = 0; i < n; i++) {
            test_identify(i, i + 1, &t->votes[i]);
        }

        reference.data = (unsigned char *) t->reference;
        reference.len = strlen(t->reference);
        memset(&agreed, 0, sizeof(pocket_str_t));

        rc = gateway_quorum_identifier(votes, n, &reference, &agreed);

        ok = rc == (*t->agreed ? POCKET_OK : POCKET_ERROR)
             && agreed.len == strlen(t->agreed)
             && (agreed.len == 0 || agreed.data[0] == *t->agreed);

        for (i = 0; i < n; i++) {
            ok = ok && votes[i].verdict == (t->verdicts[i] == '+' ? AGREED
                                            : t->verdicts[i] == '-' ? OUTVOTED
                                            : NONE);
        }

        test_check(ok, t->name, __func__, __LINE__);
    }

    check(gateway_quorum_identifier(votes, 0, NULL, &agreed) == POCKET_ERROR);
}


static void
test_weights(void)
{
    double    sum;
    uint32_t  i, n;

    /* 10 of one operator, 1 and 1: half of it is theirs */

    for (i = 0; i < 12; i++) {
        test_vote(i, i < 10 ? 5 : i, 0);
    }

    check(gateway_quorum_weigh(votes, 12) == 3);
    check(votes[0].weight > 0.0499 && votes[0].weight < 0.0501);
    check(votes[11].weight > 0.2499 && votes[11].weight < 0.2501);

    for (i = 0; i < 4; i++) {
        test_vote(i, 1, 0);
    }

    check(gateway_quorum_weigh(votes, 4) == 1);
    check(votes[3].weight > 0.2499 && votes[3].weight < 0.2501);
    check(gateway_quorum_weigh(votes, 0) == 0);

    for (n = 1; n <= TEST_MAX; n++) {

        for (i = 0; i < n; i++) {
            test_vote(i, test_below(1 + n / 5), 0);
        }

        (void) gateway_quorum_weigh(votes, n);

        for (sum = 0, i = 0; i < n; i++) {
            sum += votes[i].weight;
        }

        check(sum > 0.999999 && sum < 1.000001);
    }
}


/* three of one operator lie; what the other operators need to find out */

static void
test_operators(void)
{
    uint32_t              i;
    pocket_str_t          agreed;
    gateway_height_ref_t  ref = { .tolerance = 5 };

    for (i = 0; i < 3; i++) {
        test_identify(i, 1, "B");
    }

    for (i = 3; i < 5; i++) {
        test_identify(i, i, "A");
    }

    check(gateway_quorum_identifier(votes, 5, NULL, &agreed) == POCKET_ERROR);

    for (i = 5; i < 9; i++) {
        test_identify(i, i, "A");
    }

    check(gateway_quorum_identifier(votes, 9, NULL, &agreed) == POCKET_OK);
    check(*agreed.data == 'A' && votes[0].verdict == OUTVOTED);

    /* two operators, one node lies: the demo's three servicers */

    test_identify(0, 1, "A");
    test_identify(1, 1, "B");
    test_identify(2, 2, "A");

    check(gateway_quorum_identifier(votes, 3, NULL, &agreed) == POCKET_OK);
    check(votes[1].verdict == OUTVOTED && votes[2].verdict == AGREED);

    /* all nodes of one operator prove nothing, but show the chain's pace */

    for (i = 0; i < 5; i++) {
        test_identify(i, 1, "A");
        test_vote(i + 10, 1, 1000);
    }

    check(gateway_quorum_identifier(votes, 5, NULL, &agreed) == POCKET_ERROR);
    check(gateway_quorum_height(votes + 10, 5, &ref, 1) == POCKET_ERROR);
    check(votes[10].verdict == NONE && ref.reference == 1000 && !ref.proven);
}


static void
test_two(uint64_t low, uint64_t high, uint64_t last, uint64_t elapsed,
    gateway_height_ref_t *ref, int rc, gateway_verdict_e lower,
    gateway_verdict_e higher, const char *name)
{
    int  got;

    test_vote(0, 1, high);
    test_vote(1, 2, low);

    votes[0].last_height = last;
    votes[0].last_at = 10000000 - elapsed;

    got = gateway_quorum_height(votes, 2, ref, 10000000);

    test_check(got == rc && votes[0].verdict == higher
               && votes[1].verdict == lower, name, __func__, __LINE__);
}


static void
test_pairs(void)
{
    gateway_height_ref_t  ref;
    gateway_height_ref_t  known = { 0, 0, 0, 5, TEST_BLOCK, 0 };
    gateway_height_ref_t  proven = { 900, 10000000 - 120000, 0, 5, TEST_BLOCK,
                                     1 };

    ref = known;
    test_two(900, 1000, 998, 24000, &ref, POCKET_OK, BEHIND, AGREED,
             "it grows as the chain does");
    check(ref.reference == 1000 && !ref.proven);

    ref = known;
    test_two(900, 1000, 1000, 24000, &ref, POCKET_ERROR, NONE, NONE,
             "it stands still");
    check(ref.reference == 0);

    ref = known;
    test_two(900, 1000, 990, 24000, &ref, POCKET_ERROR, NONE, NONE,
             "it grows too fast");

    ref = known;
    test_two(900, 1000, 999, 600000, &ref, POCKET_ERROR, NONE, NONE,
             "it grows too slowly");

    ref = known;
    ref.block_time = 0;
    test_two(900, 1000, 999, 12000, &ref, POCKET_OK, BEHIND, AGREED,
             "it grows, the block time is not known");

    ref = proven;
    test_two(905, 1000, 999, 12000, &ref, POCKET_ERROR, NONE, NONE,
             "it grows, but cannot have come so far");

    ref = proven;
    test_two(905, 912, 911, 12000, &ref, POCKET_OK, BEHIND, AGREED,
             "it grows, and can have come so far");
    check(ref.reference == 900 && ref.proven);

    /* two nodes of one operator do not prove that they are right */

    ref = known;
    test_vote(0, 1, 1000);
    test_vote(1, 1, 1001);
    check(gateway_quorum_height(votes, 2, &ref, 1) == POCKET_ERROR);
    check(ref.reference == 1000 && !ref.proven);
}


static void
test_one(void)
{
    gateway_height_ref_t  ref = { 0, 0, 0, 5, TEST_BLOCK, 0 };

    test_vote(0, 1, 1000);
    check(gateway_quorum_height(votes, 1, &ref, 1000000) == POCKET_ERROR);
    check(votes[0].verdict == NONE && ref.reference == 1000);

    votes[0].height = 1002;
    votes[0].last_height = 1000;
    votes[0].last_at = 1000000;
    check(gateway_quorum_height(votes, 1, &ref, 1024000) == POCKET_OK);
    check(votes[0].verdict == AGREED && ref.reference == 1002);

    /* no progress, until it must be behind */

    votes[0].last_height = 1002;
    votes[0].last_at = 1024000;
    check(gateway_quorum_height(votes, 1, &ref, 1048000) == POCKET_ERROR);
    check(votes[0].verdict == NONE);
    check(gateway_quorum_height(votes, 1, &ref, 1024000 + 6 * 4 * TEST_BLOCK)
          == POCKET_ERROR);
    check(votes[0].verdict == BEHIND);

    /* the clock stepped back */

    check(gateway_quorum_height(votes, 1, &ref, 5) == POCKET_ERROR);
    check(votes[0].verdict == NONE && ref.reference == 1002);
}


static void
test_witness(void)
{
    gateway_height_ref_t  ref = { 0, 0, 1000, 5, TEST_BLOCK, 0 };

    test_vote(0, 1, 1001);
    test_vote(1, 2, 900);
    check(gateway_quorum_height(votes, 2, &ref, 1000000) == POCKET_OK);
    check(votes[0].verdict == AGREED && votes[1].verdict == BEHIND);
    check(ref.reference == 1000 && ref.proven);

    /* one that stands still condemns nobody who goes on */

    ref.witness = 500;
    ref.proven = 0;
    ref.reference = 0;
    test_vote(0, 1, 1001);
    check(gateway_quorum_height(votes, 1, &ref, 1000000) == POCKET_ERROR);
    check(votes[0].verdict == NONE);

    votes[0].last_height = 1000;
    votes[0].last_at = 1000000 - TEST_BLOCK;
    check(gateway_quorum_height(votes, 1, &ref, 1000000) == POCKET_OK);
    check(votes[0].verdict == AGREED);

    votes[0].last_height = 1001;
    check(gateway_quorum_height(votes, 1, &ref, 1000000) == POCKET_ERROR);
    check(votes[0].verdict == AHEAD);

    /* a quorum is stronger */

    ref.witness = 5000;
    test_vote(0, 1, 1001);
    test_vote(1, 2, 1001);
    test_vote(2, 3, 1001);
    check(gateway_quorum_height(votes, 3, &ref, 1000000) == POCKET_OK);
    check(votes[2].verdict == AGREED && ref.reference == 1001);
}


static void
test_guard(void)
{
    uint32_t              i;
    gateway_height_ref_t  ref = { 1000, 1000000, 0, 5, TEST_BLOCK, 1 };

    for (i = 0; i < 5; i++) {
        test_vote(i, i, 900);
    }

    /* back only when nobody has reached it for long */

    check(gateway_quorum_height(votes, 5, &ref, 1000000
                                + GATEWAY_QUORUM_PATIENCE) == POCKET_OK);
    check(ref.reference == 1000 && votes[0].verdict == BEHIND);
    check(gateway_quorum_height(votes, 5, &ref, 1000001
                                + GATEWAY_QUORUM_PATIENCE) == POCKET_OK);
    check(ref.reference == 900 && votes[0].verdict == AGREED && ref.proven);

    /* who is still there is not too high */

    ref.reference = 1000;
    ref.reference_at = 1000000;
    test_vote(5, 5, 1001);
    check(gateway_quorum_height(votes, 6, &ref, 1000001
                                + GATEWAY_QUORUM_PATIENCE) == POCKET_OK);
    check(ref.reference == 900 && votes[5].verdict == NONE);

    /* a step is no longer than the chain's */

    ref.reference = 1000;
    ref.reference_at = 1000000;

    for (i = 0; i < 5; i++) {
        test_vote(i, i, 5000);
    }

    check(gateway_quorum_height(votes, 5, &ref, 1000000 + 10 * TEST_BLOCK)
          == POCKET_OK);
    check(ref.reference == 1000 + 20 + 2 + 5 && votes[0].verdict == AGREED);
}


/*
 * One operator of any size says what it likes, over many rounds; the nodes
 * of at least two others are at most half the tolerance apart.
 */

static void
test_lone_operator(void)
{
    uint32_t              i, n, honest, liars, round, bad;
    uint64_t              tip, lie, now;
    pocket_str_t          agreed;
    gateway_height_ref_t  ref;

    bad = 0;
    tip = 0;
    now = 0;
    memset(&ref, 0, sizeof(gateway_height_ref_t));

    for (round = 0; round < TEST_ROUNDS; round++) {

        if (round % 50 == 0) {
            memset(&ref, 0, sizeof(gateway_height_ref_t));
            ref.tolerance = 2 * test_below(6);
            ref.block_time = test_below(2) * TEST_BLOCK;
            tip = 1000 + test_below(1000000);
            now = 1000000;
        }

        tip++;
        now += TEST_BLOCK;
        honest = 2 + test_below(20);
        liars = test_below(200);
        lie = tip + test_below(2) * test_below(3 * ref.tolerance + 3)
              - test_below(2) * test_below(3 * ref.tolerance + 3);

        for (n = 0; n < honest; n++) {
            test_vote(n, 1 + (n < 2 ? n : test_below(5)),
                      tip - test_below(ref.tolerance / 2 + 1));
        }

        for ( /* void */ ; n < honest + liars; n++) {
            test_vote(n, 99, test_below(10) ? lie : test_below(2000000));
        }

        (void) gateway_quorum_height(votes, n, &ref, now);

        for (i = 0; i < honest; i++) {
            bad += n >= 3 && votes[i].verdict != NONE
                   && votes[i].verdict != AGREED;
        }

        bad += ref.proven && ref.reference > tip;

        for (i = 0; i < n; i++) {
            test_identify(i, votes[i].operator, i < honest ? "A" : "B");
        }

        (void) gateway_quorum_identifier(votes, n, NULL, &agreed);

        for (i = 0; i < honest; i++) {
            bad += votes[i].verdict == OUTVOTED;
        }
    }

    check(bad == 0);
}


/* more than half of operators alike in size are honest: none of them is out */

static void
test_honest_majority(void)
{
    uint32_t              i, n, operators, honest, size, round, bad, caught;
    uint64_t              tip;
    pocket_str_t          agreed;
    gateway_height_ref_t  ref;

    bad = 0;
    caught = 0;

    for (round = 0; round < TEST_ROUNDS; round++) {
        operators = 3 + test_below(20);
        honest = operators / 2 + 1 + test_below(operators - operators / 2 - 1);
        size = 1 + test_below(8);
        tip = 1000 + test_below(1000000);
        n = operators * size;

        for (i = 0; i < n; i++) {
            test_identify(i, i % operators,
                          i % operators < honest ? "A" : "B");
        }

        if (gateway_quorum_identifier(votes, n, NULL, &agreed) == POCKET_OK) {
            bad += *agreed.data != 'A';
            caught++;

        } else {
            bad += 3 * honest >= 2 * operators;
        }

        for (i = 0; i < n; i++) {
            bad += votes[i].verdict == OUTVOTED && i % operators < honest;
            test_vote(i, i % operators,
                      i % operators < honest ? tip : tip + 50);
        }

        memset(&ref, 0, sizeof(gateway_height_ref_t));
        ref.tolerance = 5;

        (void) gateway_quorum_height(votes, n, &ref, 1000000);

        for (i = 0; i < n; i++) {
            bad += i % operators < honest && votes[i].verdict != NONE
                   && votes[i].verdict != AGREED;
        }
    }

    check(bad == 0);
    check(caught > TEST_ROUNDS / 4);
}


int
main(void)
{
    test_heights();
    test_identifiers();
    test_weights();
    test_operators();
    test_pairs();
    test_one();
    test_witness();
    test_guard();
    test_lone_operator();
    test_honest_majority();

    return test_done();
}
