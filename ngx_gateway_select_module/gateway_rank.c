
#include "gateway_rank.h"

#include <float.h>
#include <math.h>
#include <string.h>


#define GATEWAY_RADIX          256
#define GATEWAY_RADIX_PASSES   4

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

#define GATEWAY_2_32           4294967296.0


/*
 * Keys are the bits of a positive float, whose order is that of its value:
 * sorting is four passes over all, whatever stands in them.
 */

typedef struct {
    uint32_t                   key;
    uint32_t                   index;
} gateway_rank_pair_t;


typedef struct {
    uint32_t                   id;
    uint32_t                   capped;
    double                     ramp;       /* best of its candidates */
    double                     share;
    double                     fixed;      /* of the degraded: never raised */
    double                     cap;
    gateway_tally_t            tally;
} gateway_rank_operator_t;


/* arrays of n, but slots: a power of two, at least 2 n */

struct gateway_rank_work_s {
    double                    *scaled;     /* draws x entries, for Vose */
    gateway_rank_pair_t       *pairs;
    gateway_rank_pair_t       *sorted;
    gateway_rank_operator_t   *operators;
    uint32_t                  *members;    /* operator of a candidate */
    uint32_t                  *stack;      /* small from left, large right */
    uint32_t                  *slots;      /* operator + 1, by hash of id */
    uint32_t                   mask;

    uint32_t                   position;   /* in this step, of limit */
    uint32_t                   limit;
    uint32_t                   npairs;
    uint32_t                   noperators;
    uint32_t                   radix;      /* pass of the sort */
    uint32_t                   in;
    uint32_t                   round;      /* of the cap */
    uint32_t                   newly;      /* capped, in this round */
    uint32_t                   small;
    uint32_t                   large;

    double                     weight;     /* of all that are in */
    double                     known;
    double                     untried;
    double                     seen;       /* of what is known, from above */
    double                     held;       /* caps of those at theirs */
    double                     tail;       /* sum of the slower ones' draws */
    double                     upper;      /* of their shares */
    double                     share;      /* of operators below the cap */
    double                     fixed;
    double                     scale;      /* what share is raised by */

    uint32_t                   digits[GATEWAY_RADIX_PASSES][GATEWAY_RADIX];
};


/*
 * run() works on items from position to last and gives where it came to;
 * done() sets what the next step begins with, and gives that step.
 */

typedef struct {
    uint32_t                 (*run)(gateway_rank_t *rank, uint32_t position,
                                    uint32_t last);
    gateway_rank_step_e      (*done)(gateway_rank_t *rank);
} gateway_rank_pass_t;


static uint32_t gateway_rank_admit(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_admitted(gateway_rank_t *rank);
static uint32_t gateway_rank_sort(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_sorted(gateway_rank_t *rank);
static uint32_t gateway_rank_readmit(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_readmitted(gateway_rank_t *rank);
static uint32_t gateway_rank_gather(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_gathered(gateway_rank_t *rank);
static uint32_t gateway_rank_share(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_shared(gateway_rank_t *rank);
static uint32_t gateway_rank_sum(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_summed(gateway_rank_t *rank);
static uint32_t gateway_rank_cap(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_capped(gateway_rank_t *rank);
static uint32_t gateway_rank_deal(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_dealt(gateway_rank_t *rank);
static uint32_t gateway_rank_fill(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_filled(gateway_rank_t *rank);
static uint32_t gateway_rank_alias(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
static gateway_rank_step_e gateway_rank_done(gateway_rank_t *rank);
static void gateway_rank_pair(gateway_rank_work_t *work, double key,
    uint32_t index);
static void gateway_rank_sort_begin(gateway_rank_work_t *work);
static uint32_t gateway_rank_operator(gateway_rank_work_t *work, uint32_t id);
static double gateway_rank_held(const gateway_rank_t *rank,
    const gateway_tally_t *tally);
static void gateway_rank_typical(gateway_rank_t *rank, uint32_t key);
static double gateway_rank_scale(gateway_rank_t *rank, uint32_t index);
static uint32_t gateway_rank_tied(gateway_rank_work_t *work, uint32_t last);
static uint32_t gateway_rank_slots(uint32_t n);


const gateway_rank_conf_t  gateway_rank_defaults = {
    .success = 16,
    .correctness = 4,
    .liveliness = 2,
    .latency = 6,
    .latency_floor = 2,
    .operator_cap = 0.4,
    .max_ejected = 0.5,
    .explore = 0.0005,
    .welcome = 0.02
};


/*
 * What is left of the weight of a node that is out, and used because too many
 * are: one that fails may be tried, one that lies only if there is no other.
 */

static const double  gateway_rank_degraded[GATEWAY_PENALTIES] = {
    0.01, 1e-4, 1e-9, 1e-9, 1e-9, 0.05
};


/* by gateway_rank_step_e */

static const gateway_rank_pass_t  gateway_rank_passes[] = {
    { gateway_rank_admit, gateway_rank_admitted },
    { gateway_rank_sort, gateway_rank_sorted },
    { gateway_rank_readmit, gateway_rank_readmitted },
    { gateway_rank_gather, gateway_rank_gathered },
    { gateway_rank_sort, gateway_rank_sorted },
    { gateway_rank_share, gateway_rank_shared },
    { gateway_rank_sum, gateway_rank_summed },
    { gateway_rank_cap, gateway_rank_capped },
    { gateway_rank_deal, gateway_rank_dealt },
    { gateway_rank_fill, gateway_rank_filled },
    { gateway_rank_alias, gateway_rank_done }
};


double
gateway_rank_weight(const gateway_rank_conf_t *conf,
    const gateway_factors_t *factors)
{
    double    weight, latency, degraded;
    uint32_t  i;

    latency = (factors->latency > conf->latency_floor)
              ? factors->latency : conf->latency_floor;

    weight = pow(factors->success, conf->success)
             * pow(factors->correctness, conf->correctness)
             * pow(factors->liveliness, conf->liveliness)
             * factors->ramp * factors->pace
             / pow(latency, conf->latency);

    if (factors->excluded == 0) {
        return weight;
    }

    degraded = 1;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        if ((factors->excluded & (1 << i))
            && degraded > gateway_rank_degraded[i])
        {
            degraded = gateway_rank_degraded[i];
        }
    }

    return weight * degraded;
}


void
gateway_rank_tally(gateway_tally_t *tally, double share, double given,
    double all, double ms)
{
    double  keep;

    keep = (ms > 0) ? exp2(-ms / GATEWAY_TALLY_LIFE) : 1;

    tally->given = tally->given * keep + given;
    tally->due = tally->due * keep + share * all;
}


size_t
gateway_rank_size(uint32_t n)
{
    return sizeof(gateway_rank_work_t)
           + n * (sizeof(double) + 2 * sizeof(gateway_rank_pair_t)
                  + sizeof(gateway_rank_operator_t) + 2 * sizeof(uint32_t))
           + gateway_rank_slots(n) * sizeof(uint32_t);
}


void
gateway_rank_begin(gateway_rank_t *rank, const gateway_rank_conf_t *conf,
    gateway_candidate_t *candidates, uint32_t n, gateway_entry_t *entries,
    void *work)
{
    gateway_rank_work_t  *w;

    w = work;
    memset(w, 0, sizeof(gateway_rank_work_t));

    /* those aligned for more first */

    w->scaled = (double *) (w + 1);
    w->operators = (gateway_rank_operator_t *) (w->scaled + n);
    w->pairs = (gateway_rank_pair_t *) (w->operators + n);
    w->sorted = w->pairs + n;
    w->members = (uint32_t *) (w->sorted + n);
    w->stack = w->members + n;
    w->slots = w->stack + n;
    w->mask = gateway_rank_slots(n) - 1;
    w->limit = n;

    rank->step = GATEWAY_RANK_ADMIT;
    rank->conf = conf;
    rank->candidates = candidates;
    rank->entries = entries;
    rank->n = n;
    rank->nentries = 0;
    rank->degraded = 0;
    rank->cap = 1;
    rank->typical = 0;
    rank->work = w;
}


int
gateway_rank_slice(gateway_rank_t *rank, uint32_t budget)
{
    uint32_t                    last, position;
    gateway_rank_work_t        *work;
    const gateway_rank_pass_t  *pass;

    work = rank->work;

    while (rank->step != GATEWAY_RANK_DONE) {

        if (budget == 0) {
            return 1;
        }

        pass = &gateway_rank_passes[rank->step];
        last = (work->limit - work->position > budget)
               ? work->position + budget : work->limit;

        position = pass->run(rank, work->position, last);

        /* items that are tied are worked on together: it may be beyond */

        budget -= (position - work->position < budget)
                  ? position - work->position : budget;
        work->position = position;

        if (position == work->limit) {
            work->position = 0;
            rank->step = pass->done(rank);
        }
    }

    return 0;
}


static uint32_t
gateway_rank_admit(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    gateway_candidate_t  *candidate;

    for ( ; position < last; position++) {
        candidate = &rank->candidates[position];

        candidate->degraded = 0;
        candidate->draw = 0;
        candidate->share = 0;

        /* what is no number is not drawn by */

        if (!(candidate->weight > 0 && candidate->weight <= DBL_MAX)) {
            continue;
        }

        if (candidate->state == GATEWAY_CANDIDATE_IN) {
            rank->work->in++;

        } else if (candidate->state == GATEWAY_CANDIDATE_OUT) {
            gateway_rank_pair(rank->work, candidate->badness, position);
        }
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_admitted(gateway_rank_t *rank)
{
    uint32_t              ejected;
    gateway_rank_work_t  *work;

    work = rank->work;
    ejected = rank->conf->max_ejected * (work->in + work->npairs);

    /* one is left, whatever the share */

    if (work->in == 0 && ejected == work->npairs && ejected != 0) {
        ejected--;
    }

    if (work->npairs > ejected) {
        rank->degraded = work->npairs - ejected;
        gateway_rank_sort_begin(work);

        return GATEWAY_RANK_SORT_OUT;
    }

    work->limit = 0;

    return GATEWAY_RANK_READMIT;
}


static void
gateway_rank_pair(gateway_rank_work_t *work, double key, uint32_t index)
{
    float                 value;
    uint32_t              i;
    gateway_rank_pair_t  *pair;

    value = (key > 0) ? key : 0;

    pair = &work->pairs[work->npairs++];
    pair->index = index;
    memcpy(&pair->key, &value, sizeof(float));

    for (i = 0; i < GATEWAY_RADIX_PASSES; i++) {
        work->digits[i][(pair->key >> (8 * i)) % GATEWAY_RADIX]++;
    }
}


/* counts of digits become the places where they begin */

static void
gateway_rank_sort_begin(gateway_rank_work_t *work)
{
    uint32_t  i, k, n, place;

    for (i = 0; i < GATEWAY_RADIX_PASSES; i++) {
        place = 0;

        for (k = 0; k < GATEWAY_RADIX; k++) {
            n = work->digits[i][k];
            work->digits[i][k] = place;
            place += n;
        }
    }

    work->radix = 0;
    work->limit = work->npairs;
}


static uint32_t
gateway_rank_sort(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    uint32_t              shift, *places;
    gateway_rank_work_t  *work;
    gateway_rank_pair_t  *pair;

    work = rank->work;
    places = work->digits[work->radix];
    shift = 8 * work->radix;

    for ( ; position < last; position++) {
        pair = &work->pairs[position];
        work->sorted[places[(pair->key >> shift) % GATEWAY_RADIX]++] = *pair;
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_sorted(gateway_rank_t *rank)
{
    gateway_rank_work_t  *work;
    gateway_rank_pair_t  *pairs;

    work = rank->work;

    pairs = work->pairs;
    work->pairs = work->sorted;
    work->sorted = pairs;

    if (++work->radix < GATEWAY_RADIX_PASSES) {
        return rank->step;
    }

    memset(work->digits, 0, sizeof(work->digits));

    if (rank->step == GATEWAY_RANK_SORT_OUT) {
        work->limit = rank->degraded;
    }

    return rank->step + 1;
}


static uint32_t
gateway_rank_readmit(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    for ( ; position < last; position++) {
        rank->candidates[rank->work->pairs[position].index].degraded = 1;
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_readmitted(gateway_rank_t *rank)
{
    gateway_rank_work_t  *work;

    work = rank->work;

    work->npairs = 0;
    work->limit = rank->n;

    memset(work->digits, 0, sizeof(work->digits));
    memset(work->slots, 0, (work->mask + 1) * sizeof(uint32_t));

    return GATEWAY_RANK_GATHER;
}


static uint32_t
gateway_rank_gather(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    double                    latency;
    uint32_t                  member;
    gateway_candidate_t      *candidate;
    gateway_rank_work_t      *work;
    gateway_rank_operator_t  *operator;

    work = rank->work;

    for ( ; position < last; position++) {
        candidate = &rank->candidates[position];

        if (!candidate->degraded
            && (candidate->state != GATEWAY_CANDIDATE_IN
                || !(candidate->weight > 0 && candidate->weight <= DBL_MAX)))
        {
            continue;
        }

        latency = (candidate->latency > rank->conf->latency_floor)
                  ? candidate->latency : rank->conf->latency_floor;

        gateway_rank_pair(work, latency, position);
        work->weight += candidate->weight;
        work->known += candidate->known;

        work->untried += candidate->degraded ? 0 : candidate->untried;

        member = gateway_rank_operator(work, candidate->operator);
        work->members[position] = member;
        operator = &work->operators[member];
        operator->tally.given += candidate->tally.given;
        operator->tally.due += candidate->tally.due;

        if (!candidate->degraded && operator->ramp < candidate->admitted) {
            operator->ramp = candidate->admitted;
        }
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_gathered(gateway_rank_t *rank)
{
    gateway_rank_work_t  *work;

    work = rank->work;

    if (work->npairs == 0) {
        return GATEWAY_RANK_DONE;
    }

    gateway_rank_sort_begin(work);

    return GATEWAY_RANK_SORT;
}


/* The place of an operator by its number; a new one is added. */

static uint32_t
gateway_rank_operator(gateway_rank_work_t *work, uint32_t id)
{
    uint32_t                  i;
    gateway_rank_operator_t  *operator;

    for (i = id * 2654435769u; /* void */ ; i++) {
        i &= work->mask;

        if (work->slots[i] == 0) {
            break;
        }

        if (work->operators[work->slots[i] - 1].id == id) {
            return work->slots[i] - 1;
        }
    }

    operator = &work->operators[work->noperators++];
    memset(operator, 0, sizeof(gateway_rank_operator_t));

    operator->id = id;
    work->slots[i] = work->noperators;

    return work->noperators - 1;
}


/*
 * From the slowest to the fastest: a candidate is taken if both draws are of
 * it or slower ones, but not both of slower ones.  Those of equal latency
 * share by their draws.
 */

static uint32_t
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

static gateway_rank_step_e
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


static uint32_t
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


static gateway_rank_step_e
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


static uint32_t
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


static gateway_rank_step_e
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

static uint32_t
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


static gateway_rank_step_e
gateway_rank_dealt(gateway_rank_t *rank)
{
    rank->work->large = rank->work->npairs;

    return GATEWAY_RANK_FILL;
}


static uint32_t
gateway_rank_fill(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    gateway_entry_t      *entry;
    gateway_candidate_t  *candidate;
    gateway_rank_work_t  *work;

    work = rank->work;

    for ( ; position < last; position++) {
        candidate = &rank->candidates[work->pairs[position].index];

        candidate->share /= work->upper;
        candidate->draw /= work->tail;

        entry = &rank->entries[position];
        entry->threshold = UINT32_MAX;
        entry->alias = position;
        entry->node = candidate->node;
        entry->session = candidate->session;
        memcpy(&entry->latency, &work->pairs[position].key, sizeof(float));

        work->scaled[position] = candidate->draw * work->npairs;

        if (work->scaled[position] < 1) {
            work->stack[work->small++] = position;

        } else {
            work->stack[--work->large] = position;
        }
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_filled(gateway_rank_t *rank)
{
    return GATEWAY_RANK_ALIAS;
}


/*
 * Vose: each small one is filled up by a large one, which is small itself
 * once too little of it is left.  What is left over at last is 1 but for
 * rounding.
 */

static uint32_t
gateway_rank_alias(gateway_rank_t *rank, uint32_t position, uint32_t last)
{
    double                threshold;
    uint32_t              small, large;
    gateway_rank_work_t  *work;

    work = rank->work;

    for ( ; position < last; position++) {

        if (work->small == 0 || work->large == work->npairs) {
            return work->limit;
        }

        small = work->stack[--work->small];
        large = work->stack[work->large];

        threshold = work->scaled[small] * GATEWAY_2_32;

        rank->entries[small].threshold = (threshold < UINT32_MAX)
                                         ? (uint32_t) threshold : UINT32_MAX;
        rank->entries[small].alias = large;

        work->scaled[large] -= 1 - work->scaled[small];

        if (work->scaled[large] < 1) {
            work->large++;
            work->stack[work->small++] = large;
        }
    }

    return position;
}


static gateway_rank_step_e
gateway_rank_done(gateway_rank_t *rank)
{
    rank->nentries = rank->work->npairs;

    return GATEWAY_RANK_DONE;
}


static uint32_t
gateway_rank_slots(uint32_t n)
{
    uint32_t  slots;

    for (slots = 8; slots < 2 * n; slots *= 2) { /* void */ }

    return slots;
}
