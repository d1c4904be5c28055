
/*
 * What the files of gateway_rank.h share: the work memory of a rebuild, and
 * the steps of it that are in gateway_rank_share.c.
 */


#ifndef _GATEWAY_RANK_WORK_H_INCLUDED_
#define _GATEWAY_RANK_WORK_H_INCLUDED_


#include "gateway_rank.h"


#define GATEWAY_RADIX          256
#define GATEWAY_RADIX_PASSES   4


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
 * Of each step one that works on items from position to last, and gives where
 * it came to, and one that gives the next step.  From the draws of candidates
 * by latency to shares, to those that the caps leave, to the draws for these.
 */

uint32_t gateway_rank_share(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
gateway_rank_step_e gateway_rank_shared(gateway_rank_t *rank);
uint32_t gateway_rank_sum(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
gateway_rank_step_e gateway_rank_summed(gateway_rank_t *rank);
uint32_t gateway_rank_cap(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
gateway_rank_step_e gateway_rank_capped(gateway_rank_t *rank);
uint32_t gateway_rank_deal(gateway_rank_t *rank, uint32_t position,
    uint32_t last);
gateway_rank_step_e gateway_rank_dealt(gateway_rank_t *rank);


#endif /* _GATEWAY_RANK_WORK_H_INCLUDED_ */
