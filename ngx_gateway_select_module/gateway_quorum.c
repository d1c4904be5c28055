
/*
 * Votes of nodes: weights, identifiers, heights.
 */


#include "gateway_quorum.h"

#include <string.h>


/* of the weight: as one operator has half of it at most, it takes two */

#define GATEWAY_QUORUM_SHARE    (2.0 / 3 - 1e-9)
#define GATEWAY_QUORUM_HALF     (0.5 - 1e-9)

/* deviations of the median that a height may be off, as 3 sigma are */

#define GATEWAY_QUORUM_SPREAD   4.4478

/* blocks that come together, or of a clock that is not exact */

#define GATEWAY_QUORUM_SLACK    2

/* blocks come up to so many times faster, or slower, than on average */

#define GATEWAY_QUORUM_FASTER   2
#define GATEWAY_QUORUM_SLOWER   4

/* no chain is faster: ms of a block where the block time is not known */

#define GATEWAY_QUORUM_FASTEST  100


typedef int (*gateway_quorum_compare_pt)(const gateway_vote_t *a,
    const gateway_vote_t *b);


static uint32_t gateway_quorum_scale(gateway_vote_t *votes, uint32_t n);
static void gateway_quorum_sort(gateway_vote_t *votes, uint32_t n,
    gateway_quorum_compare_pt compare);
static void gateway_quorum_sift(gateway_vote_t *votes, uint32_t root,
    uint32_t n, gateway_quorum_compare_pt compare);
static int gateway_quorum_compare_key(const gateway_vote_t *a,
    const gateway_vote_t *b);
static int gateway_quorum_compare_operator(const gateway_vote_t *a,
    const gateway_vote_t *b);
static int gateway_quorum_compare_identifier(const gateway_vote_t *a,
    const gateway_vote_t *b);
static int gateway_quorum_same(const pocket_str_t *a, const pocket_str_t *b);
static void gateway_quorum_elect(gateway_vote_t *votes, uint32_t n,
    const pocket_str_t *agreed);
static uint64_t gateway_quorum_median(gateway_vote_t *votes, uint32_t n);
static int gateway_quorum_crowd(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now);
static int gateway_quorum_pair(gateway_vote_t *votes, uint32_t operators,
    gateway_height_ref_t *ref, uint64_t now);
static int gateway_quorum_single(gateway_vote_t *vote,
    gateway_height_ref_t *ref, uint64_t now);
static int gateway_quorum_witness(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now);
static int gateway_quorum_fits(const gateway_vote_t *vote,
    const gateway_height_ref_t *ref, uint64_t now);
static uint64_t gateway_quorum_room(const gateway_height_ref_t *ref,
    uint64_t since, uint64_t now);
static void gateway_quorum_advance(gateway_height_ref_t *ref, uint64_t height,
    uint32_t proven, uint64_t now);
static uint64_t gateway_quorum_above(uint64_t a, uint64_t b);
static uint64_t gateway_quorum_apart(uint64_t a, uint64_t b);


uint32_t
gateway_quorum_weigh(gateway_vote_t *votes, uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        votes[i].weight = 1;
    }

    return gateway_quorum_scale(votes, n);
}


/* Scales the weights that are there; those of 0 do not count. */

static uint32_t
gateway_quorum_scale(gateway_vote_t *votes, uint32_t n)
{
    double           sum, most, total, factor;
    uint32_t         i, operators, largest;
    gateway_vote_t  *vote;

    gateway_quorum_sort(votes, n, gateway_quorum_compare_operator);

    sum = 0;
    most = 0;
    total = 0;
    largest = 0;
    operators = 0;

    for (i = 0; i < n; i++) {
        vote = &votes[votes[i].order];

        sum += vote->weight;
        total += vote->weight;

        if (i + 1 < n
            && votes[votes[i + 1].order].operator == vote->operator)
        {
            continue;
        }

        if (sum > 0) {
            operators++;
        }

        if (sum > most) {
            most = sum;
            largest = vote->operator;
        }

        sum = 0;
    }

    if (operators == 0) {
        return 0;
    }

    factor = 1;

    /* only one operator can have more than all others together */

    if (operators > 1 && most > total - most) {
        factor = (total - most) / most;
        total = 2 * (total - most);
    }

    for (i = 0; i < n; i++) {
        if (votes[i].operator == largest) {
            votes[i].weight *= factor;
        }

        votes[i].weight /= total;
    }

    return operators;
}


int
gateway_quorum_identifier(gateway_vote_t *votes, uint32_t n,
    const pocket_str_t *reference, pocket_str_t *agreed)
{
    double           weight;
    uint32_t         i, voters, operators;
    gateway_vote_t  *vote;

    voters = 0;

    for (i = 0; i < n; i++) {
        votes[i].verdict = GATEWAY_VERDICT_NONE;
        votes[i].weight = votes[i].identifier.len ? 1 : 0;
        voters += votes[i].identifier.len ? 1 : 0;
    }

    if (voters == 0) {
        return POCKET_ERROR;
    }

    operators = gateway_quorum_scale(votes, n);

    if (voters < GATEWAY_QUORUM_VOTERS
        || operators < GATEWAY_QUORUM_OPERATORS)
    {
        if (reference == NULL || reference->len == 0) {
            return POCKET_ERROR;
        }

        *agreed = *reference;
        gateway_quorum_elect(votes, n, agreed);

        return POCKET_OK;
    }

    gateway_quorum_sort(votes, n, gateway_quorum_compare_identifier);

    weight = 0;

    for (i = 0; i < n; i++) {
        vote = &votes[votes[i].order];
        weight += vote->weight;

        if (weight >= GATEWAY_QUORUM_SHARE) {
            *agreed = vote->identifier;
            gateway_quorum_elect(votes, n, agreed);

            return POCKET_OK;
        }

        if (i + 1 < n
            && !gateway_quorum_same(&votes[votes[i + 1].order].identifier,
                                    &vote->identifier))
        {
            weight = 0;
        }
    }

    if (reference == NULL || reference->len == 0) {
        return POCKET_ERROR;
    }

    /* one that nobody confirms may itself be wrong */

    for (i = 0; i < n; i++) {
        if (gateway_quorum_same(&votes[i].identifier, reference)) {
            *agreed = *reference;
            gateway_quorum_elect(votes, n, agreed);

            return POCKET_OK;
        }
    }

    return POCKET_ERROR;
}


static void
gateway_quorum_elect(gateway_vote_t *votes, uint32_t n,
    const pocket_str_t *agreed)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {

        if (votes[i].identifier.len == 0) {
            continue;
        }

        votes[i].verdict = gateway_quorum_same(&votes[i].identifier, agreed)
                           ? GATEWAY_VERDICT_AGREED
                           : GATEWAY_VERDICT_OUTVOTED;
    }
}


int
gateway_quorum_height(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now)
{
    int                   rc;
    uint32_t              i, operators;
    gateway_height_ref_t  before;

    before = *ref;

    for (i = 0; i < n; i++) {
        votes[i].verdict = GATEWAY_VERDICT_NONE;
    }

    operators = gateway_quorum_weigh(votes, n);

    if (n == 0) {
        return POCKET_ERROR;
    }

    if (n == 1) {
        rc = gateway_quorum_single(votes, ref, now);

    } else if (n == 2) {
        rc = gateway_quorum_pair(votes, operators, ref, now);

    } else if (operators >= GATEWAY_QUORUM_OPERATORS) {
        rc = gateway_quorum_crowd(votes, n, ref, now);

    } else {
        rc = POCKET_ERROR;
    }

    if (rc != POCKET_OK && ref->witness) {
        rc = gateway_quorum_witness(votes, n, ref, now);
    }

    if (rc != POCKET_OK && operators == 1) {

        /* proves nothing of others, but tells how fast the chain is */

        for (i = 0; i < n; i++) {
            votes[i].key = votes[i].height;
        }

        gateway_quorum_advance(ref, gateway_quorum_median(votes, n), 0, now);
    }

    if (!before.proven || ref->reference < before.reference) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        if (gateway_quorum_above(before.reference, votes[i].height)
            > ref->tolerance)
        {
            votes[i].verdict = GATEWAY_VERDICT_BEHIND;
        }
    }

    return rc;
}


static int
gateway_quorum_crowd(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now)
{
    double    within, far;
    uint32_t  i;
    uint64_t  median, highest;

    for (i = 0; i < n; i++) {
        votes[i].key = votes[i].height;
    }

    median = gateway_quorum_median(votes, n);
    within = 0;

    for (i = 0; i < n; i++) {
        votes[i].key = gateway_quorum_apart(votes[i].height, median);

        if (votes[i].key <= ref->tolerance) {
            votes[i].verdict = GATEWAY_VERDICT_AGREED;
            within += votes[i].weight;
        }
    }

    if (within < GATEWAY_QUORUM_SHARE) {

        for (i = 0; i < n; i++) {
            votes[i].verdict = GATEWAY_VERDICT_NONE;
        }

        return POCKET_ERROR;
    }

    far = GATEWAY_QUORUM_SPREAD * gateway_quorum_median(votes, n);

    if (far < 2.0 * ref->tolerance + GATEWAY_QUORUM_SLACK) {
        far = 2.0 * ref->tolerance + GATEWAY_QUORUM_SLACK;
    }

    /* whoever is where the chain was proven to be is not too high */

    highest = ref->proven && ref->reference > median ? ref->reference : median;

    for (i = 0; i < n; i++) {

        if (gateway_quorum_above(median, votes[i].height) > ref->tolerance) {
            votes[i].verdict = GATEWAY_VERDICT_BEHIND;

        } else if (gateway_quorum_above(votes[i].height, highest) > far) {
            votes[i].verdict = GATEWAY_VERDICT_AHEAD;
        }
    }

    gateway_quorum_advance(ref, median, 1, now);

    return POCKET_OK;
}


static int
gateway_quorum_pair(gateway_vote_t *votes, uint32_t operators,
    gateway_height_ref_t *ref, uint64_t now)
{
    gateway_vote_t  *low, *high;

    low = &votes[votes[0].height > votes[1].height];
    high = &votes[votes[0].height <= votes[1].height];

    if (high->height - low->height <= ref->tolerance) {

        if (operators < GATEWAY_QUORUM_OPERATORS) {
            return POCKET_ERROR;
        }

        low->verdict = GATEWAY_VERDICT_AGREED;
        high->verdict = GATEWAY_VERDICT_AGREED;

        gateway_quorum_advance(ref, low->height, 1, now);

        return POCKET_OK;
    }

    if (gateway_quorum_fits(high, ref, now)) {
        high->verdict = GATEWAY_VERDICT_AGREED;
        low->verdict = GATEWAY_VERDICT_BEHIND;

        gateway_quorum_advance(ref, high->height, 0, now);

        return POCKET_OK;
    }

    /* tells how fast the chain is, if nothing else */

    if (gateway_quorum_fits(low, ref, now)) {
        gateway_quorum_advance(ref, low->height, 0, now);
    }

    return POCKET_ERROR;
}


static int
gateway_quorum_single(gateway_vote_t *vote, gateway_height_ref_t *ref,
    uint64_t now)
{
    uint64_t  elapsed, expected;

    if (ref->reference && ref->block_time) {
        elapsed = gateway_quorum_above(now, ref->reference_at);

        expected = ref->reference
                   + elapsed / ref->block_time / GATEWAY_QUORUM_SLOWER;

        if (gateway_quorum_above(expected, vote->height) > ref->tolerance) {
            vote->verdict = GATEWAY_VERDICT_BEHIND;
            return POCKET_ERROR;
        }
    }

    if (ref->proven) {

        if (gateway_quorum_above(ref->reference, vote->height)
            > ref->tolerance
            || gateway_quorum_above(vote->height, ref->reference)
               > gateway_quorum_room(ref, ref->reference_at, now)
                 + ref->tolerance)
        {
            return POCKET_ERROR;
        }

        vote->verdict = GATEWAY_VERDICT_AGREED;

        return POCKET_OK;
    }

    if (!gateway_quorum_fits(vote, ref, now)) {
        return POCKET_ERROR;
    }

    vote->verdict = GATEWAY_VERDICT_AGREED;

    gateway_quorum_advance(ref, vote->height, 0, now);

    return POCKET_OK;
}


/*
 * A witness that stands still must not condemn nodes that go on: too high is
 * only who is not as fast as the chain, and was seen before.
 */

static int
gateway_quorum_witness(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now)
{
    uint32_t  i;
    uint64_t  far, agreed;

    far = 2 * (uint64_t) ref->tolerance + GATEWAY_QUORUM_SLACK;
    agreed = 0;

    for (i = 0; i < n; i++) {

        if (gateway_quorum_apart(votes[i].height, ref->witness)
            <= ref->tolerance)
        {
            votes[i].verdict = GATEWAY_VERDICT_AGREED;

            if (votes[i].height > agreed) {
                agreed = votes[i].height;
            }

        } else if (votes[i].height < ref->witness) {
            votes[i].verdict = GATEWAY_VERDICT_BEHIND;

        } else if (votes[i].height - ref->witness > far
                   && votes[i].last_height
                   && !gateway_quorum_fits(&votes[i], ref, now))
        {
            votes[i].verdict = GATEWAY_VERDICT_AHEAD;
        }
    }

    if (agreed == 0) {
        return POCKET_ERROR;
    }

    gateway_quorum_advance(ref, agreed < ref->witness ? agreed : ref->witness,
                           1, now);

    return POCKET_OK;
}


/* Has it grown since it was last told, and no more than a chain does? */

static int
gateway_quorum_fits(const gateway_vote_t *vote,
    const gateway_height_ref_t *ref, uint64_t now)
{
    uint64_t  growth, elapsed;

    if (vote->last_height == 0 || vote->height <= vote->last_height) {
        return 0;
    }

    growth = vote->height - vote->last_height;

    if (growth > gateway_quorum_room(ref, vote->last_at, now)) {
        return 0;
    }

    elapsed = gateway_quorum_above(now, vote->last_at);

    if (ref->block_time
        && growth < elapsed / ref->block_time / GATEWAY_QUORUM_SLOWER)
    {
        return 0;
    }

    return !ref->proven
           || gateway_quorum_above(vote->height, ref->reference)
              <= gateway_quorum_room(ref, ref->reference_at, now)
                 + ref->tolerance;
}


/* the most blocks that may have come since */

static uint64_t
gateway_quorum_room(const gateway_height_ref_t *ref, uint64_t since,
    uint64_t now)
{
    uint64_t  elapsed;

    elapsed = gateway_quorum_above(now, since);

    if (ref->block_time == 0) {
        return elapsed / GATEWAY_QUORUM_FASTEST + GATEWAY_QUORUM_SLACK;
    }

    return elapsed * GATEWAY_QUORUM_FASTER / ref->block_time
           + GATEWAY_QUORUM_SLACK;
}


static void
gateway_quorum_advance(gateway_height_ref_t *ref, uint64_t height,
    uint32_t proven, uint64_t now)
{
    uint64_t  most;

    if (ref->proven && !proven) {
        return;
    }

    if (ref->reference && ref->proven == proven) {

        most = ref->reference
               + gateway_quorum_room(ref, ref->reference_at, now)
               + ref->tolerance;

        if (height > most) {
            height = most;
        }

        if (height <= ref->reference
            && (ref->reference - height <= ref->tolerance
                || gateway_quorum_above(now, ref->reference_at)
                   <= GATEWAY_QUORUM_PATIENCE))
        {
            return;
        }
    }

    ref->reference = height;
    ref->reference_at = now;
    ref->proven = proven;
}


/* The weighted median of the keys, the lower one of two. */

static uint64_t
gateway_quorum_median(gateway_vote_t *votes, uint32_t n)
{
    double    weight;
    uint32_t  i;

    gateway_quorum_sort(votes, n, gateway_quorum_compare_key);

    weight = 0;

    for (i = 0; i < n - 1; i++) {
        weight += votes[votes[i].order].weight;

        if (weight >= GATEWAY_QUORUM_HALF) {
            break;
        }
    }

    return votes[votes[i].order].key;
}


/*
 * Puts the votes' indices in order, not the votes: votes[i].order is the
 * i-th of them.  A heap needs neither memory nor recursion.
 */

static void
gateway_quorum_sort(gateway_vote_t *votes, uint32_t n,
    gateway_quorum_compare_pt compare)
{
    uint32_t  i, last;

    for (i = 0; i < n; i++) {
        votes[i].order = i;
    }

    for (i = n / 2; i > 0; i--) {
        gateway_quorum_sift(votes, i - 1, n, compare);
    }

    for (i = n; i > 1; i--) {
        last = votes[i - 1].order;
        votes[i - 1].order = votes[0].order;
        votes[0].order = last;

        gateway_quorum_sift(votes, 0, i - 1, compare);
    }
}


static void
gateway_quorum_sift(gateway_vote_t *votes, uint32_t root, uint32_t n,
    gateway_quorum_compare_pt compare)
{
    uint32_t  child, order;

    order = votes[root].order;

    for ( ;; ) {
        child = 2 * root + 1;

        if (child >= n) {
            break;
        }

        if (child + 1 < n
            && compare(&votes[votes[child].order],
                       &votes[votes[child + 1].order]) < 0)
        {
            child++;
        }

        if (compare(&votes[order], &votes[votes[child].order]) >= 0) {
            break;
        }

        votes[root].order = votes[child].order;
        root = child;
    }

    votes[root].order = order;
}


static int
gateway_quorum_compare_key(const gateway_vote_t *a, const gateway_vote_t *b)
{
    return (a->key > b->key) - (a->key < b->key);
}


static int
gateway_quorum_compare_operator(const gateway_vote_t *a,
    const gateway_vote_t *b)
{
    return (a->operator > b->operator) - (a->operator < b->operator);
}


static int
gateway_quorum_compare_identifier(const gateway_vote_t *a,
    const gateway_vote_t *b)
{
    if (a->identifier.len != b->identifier.len) {
        return a->identifier.len < b->identifier.len ? -1 : 1;
    }

    if (a->identifier.len == 0) {
        return 0;
    }

    return memcmp(a->identifier.data, b->identifier.data, a->identifier.len);
}


static int
gateway_quorum_same(const pocket_str_t *a, const pocket_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* a - b, or 0 */

static uint64_t
gateway_quorum_above(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}


static uint64_t
gateway_quorum_apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}
