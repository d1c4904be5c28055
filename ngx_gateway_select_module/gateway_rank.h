
/*
 * From weights to a table that is drawn from in O(1): pure arithmetic.
 *
 * A candidate is a node, in a session where the chain has sessions.  A pick
 * draws two candidates and takes the better by latency x (in-flight + 1);
 * so the share a candidate gets is not the probability it is drawn with.
 * The cap on an operator is kept on the shares.
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
    double               operator_cap;     /* share, 0.4 */
    double               max_ejected;      /* share of the nodes, 0.5 */
} gateway_rank_conf_t;


typedef struct {
    uint32_t             node;             /* slots of the caller */
    uint32_t             session;
    uint32_t             operator;         /* any number, equal: the same */
    uint32_t             degraded;         /* re-admitted: the least bad */
    double               weight;           /* 0: excluded */
    double               badness;          /* orders the excluded */
    double               latency;          /* ms */
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
    GATEWAY_RANK_ADMIT = 0,                /* re-admits the least bad */
    GATEWAY_RANK_SORT,                     /* by latency */
    GATEWAY_RANK_CAP,                      /* rounds of shares and caps */
    GATEWAY_RANK_ALIAS,
    GATEWAY_RANK_DONE
} gateway_rank_step_e;


/*
 * A rebuild in slices.  The caller gives candidates, n and work memory
 * (gateway_rank_size(n) bytes), which stay until it is done; entries gets n
 * entries at most, the candidates of weight 0 are left out.
 */

typedef struct {
    gateway_rank_step_e         step;
    const gateway_rank_conf_t  *conf;
    gateway_candidate_t        *candidates;
    gateway_entry_t            *entries;
    uint32_t                    n;
    uint32_t                    nentries;  /* out, once done */
    void                       *work;
    uint32_t                    position;  /* private from here */
    uint32_t                    round;
} gateway_rank_t;


/* success^a x correctness^b x liveliness^c x ramp / latency^d */

double gateway_rank_weight(const gateway_rank_conf_t *conf,
    const gateway_factors_t *factors);

size_t gateway_rank_size(uint32_t n);

void gateway_rank_begin(gateway_rank_t *rank, const gateway_rank_conf_t *conf,
    gateway_candidate_t *candidates, uint32_t n, gateway_entry_t *entries,
    void *work);

/*
 * Works on about "budget" candidates (10,000 take less than 1 ms); gives 1
 * while there is more to do.
 */

int gateway_rank_slice(gateway_rank_t *rank, uint32_t budget);


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
