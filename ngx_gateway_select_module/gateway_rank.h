
/*
 * From weights to a table that is drawn from in O(1): pure arithmetic.
 *
 * A candidate is a node, in a session where the chain has sessions.  A pick
 * draws two candidates and takes the better by gateway_rank_cost(); so the
 * share a candidate gets is not the probability it is drawn with.
 * The cap on an operator is kept on the shares: these are limited first, and
 * the draws that give them follow from T = sqrt(U) (T: sum of the draws, U:
 * of the shares, of all that are no faster).
 */


#ifndef _GATEWAY_RANK_H_INCLUDED_
#define _GATEWAY_RANK_H_INCLUDED_


#include "gateway_record.h"


typedef struct {
    double               success;          /* exponents of the factors */
    double               correctness;
    double               liveliness;
    double               latency;
    double               latency_floor;    /* ms: faster counts alike */
    double               operator_cap;     /* share, or 1 / operators */
    double               max_ejected;      /* share of the candidates */
    double               explore;          /* share given to all alike */
    double               welcome;          /* at most, of those untried */
} gateway_rank_conf_t;


typedef enum {
    GATEWAY_CANDIDATE_IN = 0,
    GATEWAY_CANDIDATE_OUT,                 /* may be re-admitted: degraded */
    GATEWAY_CANDIDATE_NEVER                /* cordoned, spent, refused */
} gateway_candidate_e;


/*
 * What a node was given lately, in choices, beside what its share of all of
 * them was: decayed sums.  They differ, as tries in flight decide, too, and
 * as retries, checks and sticky callers choose for themselves.
 */

typedef struct {
    double               given;
    double               due;
} gateway_tally_t;


/*
 * A node that is in several sessions has a candidate in each, and the caller
 * divides its weight among them.  The weight is that of gateway_rank_weight()
 * whether it is in or out.
 */

typedef struct {
    uint32_t             node;             /* slots of the caller */
    uint32_t             session;
    uint32_t             operator;         /* any number, equal: the same */
    gateway_candidate_e  state;
    double               weight;
    double               admitted;         /* ramp x pace, 0 to 1 */
    double               known;            /* of gateway_factors_t */
    double               untried;
    double               badness;          /* orders the excluded */
    double               latency;          /* ms */
    gateway_tally_t      tally;            /* its part of the node's */
    uint32_t             degraded;         /* out: re-admitted, least bad */
    double               draw;             /* out: probability of one draw */
    double               share;            /* out: after the second choice */
} gateway_candidate_t;


/*
 * An entry of the published table, all 32-bit so that a torn read is only
 * ever a wrong number: the generation is read again after it.
 */

typedef struct {
    uint32_t             threshold;        /* of 2^32: this, else alias */
    uint32_t             alias;            /* an index of the table */
    uint32_t             node;
    uint32_t             session;
    float                latency;          /* ms */
} gateway_entry_t;


typedef enum {
    GATEWAY_RANK_ADMIT = 0,                /* who is in, and who is out */
    GATEWAY_RANK_SORT_OUT,                 /* by badness */
    GATEWAY_RANK_READMIT,                  /* the least bad */
    GATEWAY_RANK_GATHER,                   /* all that are in */
    GATEWAY_RANK_SORT,                     /* by latency */
    GATEWAY_RANK_SHARE,                    /* after the second choice */
    GATEWAY_RANK_SUM,                      /* of operators below the cap */
    GATEWAY_RANK_CAP,                      /* more of them: SUM again */
    GATEWAY_RANK_DRAW,                     /* what gives these shares */
    GATEWAY_RANK_FILL,
    GATEWAY_RANK_ALIAS,
    GATEWAY_RANK_DONE
} gateway_rank_step_e;


typedef struct gateway_rank_work_s  gateway_rank_work_t;


/*
 * A rebuild in slices.  The caller gives candidates, n and work memory
 * (gateway_rank_size(n) bytes, aligned for any type), which stay until it is
 * done; entries gets n entries at most, the candidates that are out are left
 * out.
 */

typedef struct {
    gateway_rank_step_e         step;
    const gateway_rank_conf_t  *conf;
    gateway_candidate_t        *candidates;
    gateway_entry_t            *entries;
    uint32_t                    n;
    uint32_t                    nentries;  /* out, once done */
    uint32_t                    degraded;  /* out: how many of them */
    double                      cap;       /* out: kept for operators */
    double                      typical;   /* out: median latency of what
                                              is known, or 0: nothing; for
                                              gateway_peers_t */
    gateway_rank_work_t        *work;
} gateway_rank_t;


/* What the simulation found best (t/sim); the only place of these numbers. */

extern const gateway_rank_conf_t  gateway_rank_defaults;


/*
 * success^a x correctness^b x liveliness^c x ramp x pace / latency^d, and
 * where a penalty is in force the small share of it that a degraded node has.
 */

double gateway_rank_weight(const gateway_rank_conf_t *conf,
    const gateway_factors_t *factors);

/*
 * Adds choices to a tally, ms after the last time: so many of the node, of so
 * many of all, while its share was that.
 */

void gateway_rank_tally(gateway_tally_t *tally, double share, double given,
    double all, double ms);

/*
 * What is left of a weight where an allowance is spent so fast that it would
 * not last: 1 where it would, or where too little was spent to tell.  Times
 * in ms since it was given, and until the next; a remaining of 0: not known.
 */

double gateway_rank_paced(double used, double allowance, double elapsed,
    double remaining);

/* Bytes of the work space of n candidates. */

size_t gateway_rank_size(uint32_t n);

/*
 * Begins a table: of n candidates, into n entries, with work of
 * gateway_rank_size(n) bytes aligned for any type.  All of it, and conf, is
 * the caller's, and stays until the last slice.
 */

void gateway_rank_begin(gateway_rank_t *rank, const gateway_rank_conf_t *conf,
    gateway_candidate_t *candidates, uint32_t n, gateway_entry_t *entries,
    void *work);

/*
 * Works on about "budget" candidates (10,000 take less than 1 ms); gives 1
 * while there is more to do.
 */

int gateway_rank_slice(gateway_rank_t *rank, uint32_t budget);


/*
 * What the better of two draws is chosen by: latency x in-flight, with some
 * more added, since the first few tries on a node do not make it slower.
 */

#define GATEWAY_RANK_IDLE   4

#define gateway_rank_cost(entry, inflight)                                    \
    ((entry)->latency * (float) ((inflight) + GATEWAY_RANK_IDLE))


/*
 * One draw from a table of n entries (n > 0) with 64 random bits: the index
 * of an entry.  Inline: it is the hot path of FindNode.
 */

static inline uint32_t
gateway_rank_draw(const gateway_entry_t *entries, uint32_t n, uint64_t random)
{
    uint32_t  i;

    i = (uint32_t) (((random >> 32) * n) >> 32);

    return ((uint32_t) random < entries[i].threshold) ? i : entries[i].alias;
}


#endif /* _GATEWAY_RANK_H_INCLUDED_ */
