
/*
 * Shares: what two draws and the better of both give each candidate, how the
 * caps of operators limit that, and the draws that give what is left.
 */


#include "gateway_rank_work.h"

#include <math.h>
#include <string.h>


/* draws below it are none, but their squares are numbers still */
#define GATEWAY_DRAW_MIN       1e-30

/* from what part of the known latencies, the longest first, one is typical */
#define GATEWAY_TYPICAL        0.4

/* rounds of the cap; each holds one operator more at least */
#define GATEWAY_CAP_ROUNDS     64

/* tallies: half-life in ms, choices by which they are doubted, most effect */
#define GATEWAY_TALLY_LIFE     3000.0
#define GATEWAY_TALLY_PRIOR    50.0
#define GATEWAY_TALLY_RATIO    2.0

/* spending of less than this part of an allowance tells no rate */
#define GATEWAY_PACED_FROM     0.0625


static void gateway_rank_typical(gateway_rank_t *rank, uint32_t key);
static uint32_t gateway_rank_tied(gateway_rank_work_t *work, uint32_t last);
static double gateway_rank_held(const gateway_rank_t *rank,
    const gateway_tally_t *tally);
static double gateway_rank_scale(gateway_rank_t *rank, uint32_t index);


void
gateway_rank_tally(gateway_tally_t *tally, double share, double given,
    double all, double ms)
{
    double  keep;

    keep = (ms > 0) ? exp2(-ms / GATEWAY_TALLY_LIFE) : 1;

    tally->given = tally->given * keep + given;
    tally->due = tally->due * keep + share * all;
}


double
gateway_rank_paced(double used, double allowance, double elapsed,
    double remaining)
{
    double  left, spend;

    if (elapsed <= 0
        || remaining <= 0
        || used >= allowance
        || used < allowance * GATEWAY_PACED_FROM)
    {
        return 1;
    }

    left = allowance - used;
    spend = used / elapsed * remaining;

    return (spend > left) ? left / spend : 1;
}


/*
 * From the slowest to the fastest: a candidate is taken if both draws are of
 * it or slower ones, but not both of slower ones.  Those of equal latency
 * share by their draws.
 */

uint32_t
gateway_rank_share(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    double                    draw, tail, explore, welcome;
    uint32_t                  i, n, end;
    gateway_candidate_t      *candidate;
    gateway_rank_work_t      *work;
    gateway_rank_operator_t  *operator;

    work = rank->work;
    explore = rank->conf->explore;
    welcome = rank->conf->welcome * fmin(work->untried, 1);

    while (position < last) {
        end = work->npairs - position;
        n = gateway_rank_tied(work, end);
        tail = work->tail;

        for (i = end - n; i < end; i++) {
            candidate = &rank->candidates[work->pairs[i].index];

            draw = candidate->weight / work->weight;
            candidate->draw = (draw > GATEWAY_DRAW_MIN) ? draw
                                                        : GATEWAY_DRAW_MIN;
            work->tail += candidate->draw;
            work->seen += candidate->known;
        }

        gateway_rank_typical(rank, work->pairs[end - 1].key);

        for (i = end - n; i < end; i++) {
            candidate = &rank->candidates[work->pairs[i].index];
            operator = &work->operators[work->members[work->pairs[i].index]];

            candidate->share = candidate->draw * (tail + work->tail);

            if (work->in != 0) {
                candidate->share *= 1 - explore - welcome;
            }

            if (candidate->degraded && work->in != 0) {
                operator->fixed += candidate->share;
                continue;
            }

            if (work->in != 0) {
                candidate->share += explore / work->in;
            }

            if (welcome > 0) {
                candidate->share += welcome * candidate->untried
                                    / work->untried;
            }

            operator->share += candidate->share;
        }

        position += n;
    }

    return position;
}


/*
 * The median of what is known, when the slower half of it has been seen:
 * nodes of which nothing is known would else vouch for each other.
 */

static void
gateway_rank_typical(gateway_rank_t *rank, uint32_t key)
{
    float                 latency;
    gateway_rank_work_t  *work;

    work = rank->work;

    if (rank->typical > 0 || work->known <= 0
        || work->seen < GATEWAY_TYPICAL * work->known)
    {
        return;
    }

    memcpy(&latency, &key, sizeof(float));
    rank->typical = latency;
}


/* How many that end there have the same latency. */

static uint32_t
gateway_rank_tied(gateway_rank_work_t *work, uint32_t last)
{
    uint32_t  n;

    for (n = 1; n < last; n++) {
        if (work->pairs[last - 1 - n].key != work->pairs[last - 1].key) {
            break;
        }
    }

    return n;
}


/*
 * An operator that is only degraded is not available, and one whose nodes
 * are just beginning is so by degrees: else the cap would give all that
 * others may not have to what nobody should rely on.
 */

gateway_rank_step_e
gateway_rank_shared(gateway_rank_t *rank)
{
    double                ramp, most;
    uint32_t              i;
    gateway_rank_work_t  *work;

    work = rank->work;
    ramp = 0;
    most = 0;

    for (i = 0; i < work->noperators; i++) {
        ramp += work->operators[i].ramp;

        if (most < work->operators[i].ramp) {
            most = work->operators[i].ramp;
        }
    }

    rank->cap = (ramp > 0) ? most / ramp : 1;

    if (rank->cap < rank->conf->operator_cap) {
        rank->cap = rank->conf->operator_cap;
    }

    work->limit = work->noperators;

    return GATEWAY_RANK_SUM;
}


uint32_t
gateway_rank_sum(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    gateway_rank_work_t      *work;
    gateway_rank_operator_t  *operator;

    work = rank->work;

    if (position == 0) {
        work->share = 0;
        work->fixed = 0;
    }

    for ( ; position < last; position++) {
        operator = &work->operators[position];
        operator->cap = gateway_rank_held(rank, &operator->tally);

        if (!operator->capped) {
            work->share += operator->share;
            work->fixed += operator->fixed;
        }
    }

    return position;
}


gateway_rank_step_e
gateway_rank_summed(gateway_rank_t *rank)
{
    double                left;
    gateway_rank_work_t  *work;

    work = rank->work;

    left = 1 - work->held - work->fixed;
    work->scale = (left > 0 && work->share > 0) ? left / work->share : 0;
    work->newly = 0;

    return GATEWAY_RANK_CAP;
}


/*
 * What an operator may be due, that what it is given keeps the cap: as much
 * less as it was given more before.
 */

static double
gateway_rank_held(const gateway_rank_t *rank, const gateway_tally_t *tally)
{
    double  ratio;

    ratio = (tally->due + GATEWAY_TALLY_PRIOR)
            / (tally->given + GATEWAY_TALLY_PRIOR);

    if (ratio > GATEWAY_TALLY_RATIO) {
        ratio = GATEWAY_TALLY_RATIO;
    }

    if (ratio < 1 / GATEWAY_TALLY_RATIO) {
        ratio = 1 / GATEWAY_TALLY_RATIO;
    }

    return rank->cap * ratio;
}


uint32_t
gateway_rank_cap(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    double                    share;
    gateway_rank_work_t      *work;
    gateway_rank_operator_t  *operator;

    work = rank->work;

    for ( ; position < last; position++) {
        operator = &work->operators[position];
        share = operator->share * work->scale + operator->fixed;

        if (!operator->capped && share > operator->cap * (1 + 1e-9)) {
            operator->capped = 1;
            work->held += operator->cap;
            work->newly++;
        }
    }

    return position;
}


gateway_rank_step_e
gateway_rank_capped(gateway_rank_t *rank)
{
    gateway_rank_work_t  *work;

    work = rank->work;

    if (work->newly != 0 && ++work->round < GATEWAY_CAP_ROUNDS) {
        return GATEWAY_RANK_SUM;
    }

    /* with caps of next to nothing: alike for all keeps any of them */

    if (work->newly != 0) {
        rank->cap = 1.0 / work->noperators;
    }

    work->limit = work->npairs;
    work->tail = 0;

    return GATEWAY_RANK_DRAW;
}


/* The draws that give the shares, from the slowest on, as in _share(). */

uint32_t
gateway_rank_deal(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    double                tail, upper, ratio;
    uint32_t              i, n, end;
    gateway_candidate_t  *candidate;
    gateway_rank_work_t  *work;

    work = rank->work;

    while (position < last) {
        end = work->npairs - position;
        n = gateway_rank_tied(work, end);
        tail = work->tail;
        upper = work->upper;

        for (i = end - n; i < end; i++) {
            candidate = &rank->candidates[work->pairs[i].index];
            candidate->share *= gateway_rank_scale(rank, work->pairs[i].index);
            work->upper += candidate->share;
        }

        work->tail = sqrt(work->upper);

        /* (T - t) / (U - u), with no difference of nearly equal numbers */

        ratio = (work->upper > upper) ? 1 / (work->tail + tail) : 0;

        for (i = end - n; i < end; i++) {
            candidate = &rank->candidates[work->pairs[i].index];
            candidate->draw = candidate->share * ratio;
        }

        position += n;
    }

    return position;
}


static double
gateway_rank_scale(gateway_rank_t *rank, uint32_t index)
{
    gateway_rank_work_t      *work;
    gateway_rank_operator_t  *operator;

    work = rank->work;
    operator = &work->operators[work->members[index]];

    if (work->newly != 0) {
        return rank->cap / (operator->share + operator->fixed);
    }

    if (operator->capped) {
        return operator->cap / (operator->share + operator->fixed);
    }

    if (rank->candidates[index].degraded && work->in != 0) {
        return 1;
    }

    return work->scale;
}


gateway_rank_step_e
gateway_rank_dealt(gateway_rank_t *rank)
{
    rank->work->large = rank->work->npairs;

    return GATEWAY_RANK_FILL;
}
