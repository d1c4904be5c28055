
#include "gateway_rank_work.h"

#include <float.h>
#include <math.h>
#include <string.h>


#define GATEWAY_2_32           4294967296.0


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
