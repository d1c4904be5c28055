
/*
 * What the answers of a chain's nodes prove: pure arithmetic (architecture
 * promise 10).  Every answering node votes; all votes of one operator weigh
 * at most as much as all others together.  Errors are no votes: the caller
 * leaves them out.
 */


#ifndef _GATEWAY_QUORUM_H_INCLUDED_
#define _GATEWAY_QUORUM_H_INCLUDED_


#include "pocket_base.h"


#define GATEWAY_QUORUM_VOTERS     3
#define GATEWAY_QUORUM_OPERATORS  2

/* a height that no quorum has reached for so long gives way, ms */

#define GATEWAY_QUORUM_PATIENCE   600000


typedef enum {
    GATEWAY_VERDICT_NONE = 0,              /* inconclusive: nobody is blamed */
    GATEWAY_VERDICT_AGREED,
    GATEWAY_VERDICT_OUTVOTED,              /* another identifier */
    GATEWAY_VERDICT_BEHIND,
    GATEWAY_VERDICT_AHEAD                  /* far above what others hold */
} gateway_verdict_e;


typedef struct {
    uint32_t             operator;         /* equal numbers: the same one */
    uint64_t             height;           /* of a height vote */
    pocket_str_t         identifier;       /* of an identifier vote */
    uint64_t             last_height;      /* told before, 0: never */
    uint64_t             last_at;          /* when, ms */
    double               weight;           /* out: scaled, sums to 1 */
    gateway_verdict_e    verdict;          /* out */
    uint32_t             order;            /* private from here */
    uint64_t             key;
} gateway_vote_t;


/*
 * What was agreed before, and what a witness says; zero what is unknown.
 * proven: a quorum, two operators or the witness hold the reference; one
 * that is not follows a single node, and nobody is blamed by it.
 */

typedef struct {
    uint64_t             reference;        /* height */
    uint64_t             reference_at;     /* when it was reached, ms */
    uint64_t             witness;          /* height told by the witness */
    uint32_t             tolerance;        /* blocks */
    uint32_t             block_time;       /* ms, 0: not yet known */
    uint32_t             proven;
} gateway_height_ref_t;


/* Scales the weights; gives the number of operators. */

uint32_t gateway_quorum_weigh(gateway_vote_t *votes, uint32_t n);


/*
 * Identifiers: POCKET_OK when one holds the quorum (a slice of a vote in
 * *agreed, verdicts set), POCKET_ERROR when none does: verdicts are NONE.
 * reference, if not empty, is the identifier agreed before for the same
 * block, or a witness's: it decides where fewer than three vote, or of one
 * operator only, and where no other has the quorum and some vote for it;
 * *agreed is then the reference itself.
 */

int gateway_quorum_identifier(gateway_vote_t *votes, uint32_t n,
    const pocket_str_t *reference, pocket_str_t *agreed);


/*
 * Heights.  With three voters of two operators: the weighted median, if 2/3
 * of the weight and two operators are within the tolerance of it; who is
 * above by more than twice the tolerance and by far more than the median
 * deviation is AHEAD.  With two the higher counts if its growth since it was
 * last told fits the block time; with one its own progress.  Where this
 * proves nothing, the witness decides.  Whoever is behind a proven reference
 * is BEHIND, whatever the others say.
 *
 * POCKET_OK: *ref was advanced or confirmed.  It never goes back, but for a
 * quorum that has not reached it for GATEWAY_QUORUM_PATIENCE, and one that
 * was not proven; a step is bounded by what the block time allows.
 * POCKET_ERROR: inconclusive; a reference that is not proven may have moved
 * all the same, so that the chain's pace is learned.
 */

int gateway_quorum_height(gateway_vote_t *votes, uint32_t n,
    gateway_height_ref_t *ref, uint64_t now);


#endif /* _GATEWAY_QUORUM_H_INCLUDED_ */
