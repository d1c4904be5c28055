
/*
 * Blocks of the network whose sessions are used: how high it is, by several
 * dispatchers of which some may lag or talk nonsense, and when the next
 * session is to be expected.  Pure; times are ms of one monotonic clock.
 */


#ifndef _GATEWAY_BLOCKS_H_INCLUDED_
#define _GATEWAY_BLOCKS_H_INCLUDED_


#include "pocket_base.h"


#define GATEWAY_BLOCKS_KEPT   16

/* polls: around a boundary, while it is overdue, otherwise */

#define GATEWAY_BLOCKS_FAST   250
#define GATEWAY_BLOCKS_LATE   1000
#define GATEWAY_BLOCKS_SLOW   15000

/* dispatchers that differ by no more agree */

#define GATEWAY_BLOCKS_SLACK  2


/*
 * All zero at first.  exact: the block began when it was seen; else it was
 * there before.
 */

typedef struct {
    int64_t              height;           /* 0: not known */
    uint64_t             seen_at;
    uint32_t             per_session;      /* 0: not known, taken as 4 */
    uint32_t             exact;
    uint32_t             ntimes;           /* ever */
    uint32_t             times[GATEWAY_BLOCKS_KEPT];
    uint32_t             block_time;       /* robust mean, 0: not known */
    uint32_t             spread;           /* median deviation of it */
} gateway_blocks_t;


/* The network is at this height now; one that is not above changes nothing. */
void gateway_blocks_seen(gateway_blocks_t *blocks, int64_t height,
    uint64_t now);

/* First block of the session of that height, and of the one after it. */
int64_t gateway_blocks_session(const gateway_blocks_t *blocks,
    int64_t height);
int64_t gateway_blocks_next(const gateway_blocks_t *blocks, int64_t height);

/* When this height is expected, maybe in the past; 0: not known. */
uint64_t gateway_blocks_expected(const gateway_blocks_t *blocks,
    int64_t height);

/* In how many ms dispatchers are to be asked for the height again. */
uint32_t gateway_blocks_poll(const gateway_blocks_t *blocks, uint64_t now);

/*
 * The height that n dispatchers agree upon, by what each told (0: nothing):
 * the highest of the largest group that differs by at most the slack.  Where
 * a height is known, none counts that is below it by more than the slack, and
 * none alone that is beyond what the blocks of the time since allow.  in:
 * whether it is of the group.  0: there is none.
 */
int64_t gateway_blocks_agree(const gateway_blocks_t *blocks,
    const int64_t *heights, uint8_t *in, uint32_t n, uint64_t now);


#endif /* _GATEWAY_BLOCKS_H_INCLUDED_ */
