
#include "gateway_blocks.h"

#include "pocket_session.h"

#include <stdlib.h>
#include <string.h>


#define GATEWAY_BLOCKS_UNKNOWN   1000      /* poll without a block time, ms */
#define GATEWAY_BLOCKS_PART      16        /* polls in a block */
#define GATEWAY_BLOCKS_MARGIN    1000
#define GATEWAY_BLOCKS_PATIENCE  30000     /* overdue so long: polled less */
#define GATEWAY_BLOCKS_LEAP      4         /* times faster than usual */
#define GATEWAY_BLOCKS_TIME_MAX  86400000


static void gateway_blocks_pace(gateway_blocks_t *blocks);
static int gateway_blocks_cmp(const void *one, const void *two);
static uint32_t gateway_blocks_slow(const gateway_blocks_t *blocks);
static uint64_t gateway_blocks_growth(const gateway_blocks_t *blocks,
    uint64_t now);
static unsigned gateway_blocks_plausible(const gateway_blocks_t *blocks,
    const int64_t *heights, uint32_t n, uint32_t i, uint64_t growth);


void
gateway_blocks_seen(gateway_blocks_t *blocks, int64_t height, uint64_t now)
{
    uint64_t  time;

    if (height <= blocks->height) {
        return;
    }

    if (blocks->height && blocks->exact) {
        time = (now - blocks->seen_at)
               / (uint64_t) (height - blocks->height);

        if (time > 0 && time <= GATEWAY_BLOCKS_TIME_MAX) {
            blocks->times[blocks->ntimes++ % GATEWAY_BLOCKS_KEPT]
                = (uint32_t) time;
            gateway_blocks_pace(blocks);
        }
    }

    /* of several blocks at once the last began at an unknown time */

    blocks->exact = (blocks->height && height == blocks->height + 1);
    blocks->height = height;
    blocks->seen_at = now;
}


/* The mean of the middle half: halts and bursts count for nothing. */

static void
gateway_blocks_pace(gateway_blocks_t *blocks)
{
    uint32_t  i, n, first, last, sorted[GATEWAY_BLOCKS_KEPT];
    uint64_t  sum;

    n = blocks->ntimes < GATEWAY_BLOCKS_KEPT ? blocks->ntimes
                                             : GATEWAY_BLOCKS_KEPT;

    memcpy(sorted, blocks->times, n * sizeof(uint32_t));
    qsort(sorted, n, sizeof(uint32_t), gateway_blocks_cmp);

    first = n / 4;
    last = n - first;
    sum = 0;

    for (i = first; i < last; i++) {
        sum += sorted[i];
    }

    blocks->block_time = (uint32_t) (sum / (last - first));

    for (i = 0; i < n; i++) {
        sorted[i] = (blocks->times[i] > blocks->block_time)
                        ? blocks->times[i] - blocks->block_time
                        : blocks->block_time - blocks->times[i];
    }

    qsort(sorted, n, sizeof(uint32_t), gateway_blocks_cmp);

    blocks->spread = sorted[n / 2];
}


static int
gateway_blocks_cmp(const void *one, const void *two)
{
    const uint32_t  *a, *b;

    a = one;
    b = two;

    return (*a > *b) - (*a < *b);
}


int64_t
gateway_blocks_session(const gateway_blocks_t *blocks, int64_t height)
{
    pocket_node_status_t  status;

    memset(&status, 0, sizeof(pocket_node_status_t));

    status.height = height;
    status.blocks_per_session = blocks->per_session;

    return pocket_session_latest(&status);
}


int64_t
gateway_blocks_next(const gateway_blocks_t *blocks, int64_t height)
{
    return gateway_blocks_session(blocks, height)
           + (blocks->per_session ? blocks->per_session
                                  : POCKET_NODE_BLOCKS_PER_SESSION);
}


uint64_t
gateway_blocks_expected(const gateway_blocks_t *blocks, int64_t height)
{
    if (blocks->height == 0 || blocks->block_time == 0) {
        return 0;
    }

    return blocks->seen_at
           + (uint64_t) ((height - blocks->height) * blocks->block_time);
}


uint32_t
gateway_blocks_poll(const gateway_blocks_t *blocks, uint64_t now)
{
    uint32_t  slow, margin;
    uint64_t  expected, patience;

    slow = gateway_blocks_slow(blocks);

    if (blocks->block_time == 0
        || gateway_blocks_next(blocks, blocks->height) != blocks->height + 1)
    {
        return slow;
    }

    expected = gateway_blocks_expected(blocks, blocks->height + 1);

    margin = GATEWAY_BLOCKS_MARGIN + slow + 2 * blocks->spread;

    if (!blocks->exact || margin > blocks->block_time) {
        margin = blocks->block_time;
    }

    if (now + margin < expected) {
        expected -= now + margin;
        return expected < slow ? (uint32_t) expected : slow;
    }

    patience = blocks->block_time / 2;

    if (patience < GATEWAY_BLOCKS_PATIENCE) {
        patience = GATEWAY_BLOCKS_PATIENCE;
    }

    return (now > expected + patience) ? GATEWAY_BLOCKS_LATE
                                       : GATEWAY_BLOCKS_FAST;
}


static uint32_t
gateway_blocks_slow(const gateway_blocks_t *blocks)
{
    uint32_t  slow;

    if (blocks->block_time == 0) {
        return GATEWAY_BLOCKS_UNKNOWN;
    }

    slow = blocks->block_time / GATEWAY_BLOCKS_PART;

    if (slow < GATEWAY_BLOCKS_UNKNOWN) {
        return GATEWAY_BLOCKS_UNKNOWN;
    }

    return slow < GATEWAY_BLOCKS_SLOW ? slow : GATEWAY_BLOCKS_SLOW;
}


int64_t
gateway_blocks_agree(const gateway_blocks_t *blocks, const int64_t *heights,
    uint8_t *in, uint32_t n, uint64_t now)
{
    int64_t   top;
    uint32_t  i, k, votes, most;
    uint64_t  growth;

    growth = gateway_blocks_growth(blocks, now);
    most = 0;
    top = 0;

    for (i = 0; i < n; i++) {

        if (!gateway_blocks_plausible(blocks, heights, n, i, growth)) {
            continue;
        }

        votes = 0;

        for (k = 0; k < n; k++) {
            votes += (heights[k] <= heights[i]
                      && heights[k] >= heights[i] - GATEWAY_BLOCKS_SLACK
                      && gateway_blocks_plausible(blocks, heights, n, k,
                                                  growth));
        }

        if (votes > most || (votes == most && heights[i] > top)) {
            most = votes;
            top = heights[i];
        }
    }

    for (i = 0; i < n; i++) {
        in[i] = top
                && heights[i] > 0
                && heights[i] <= top
                && heights[i] >= top - GATEWAY_BLOCKS_SLACK;
    }

    return top;
}


/* Blocks that there may be since the height known was seen. */

static uint64_t
gateway_blocks_growth(const gateway_blocks_t *blocks, uint64_t now)
{
    uint32_t  time;

    time = blocks->block_time ? blocks->block_time / GATEWAY_BLOCKS_LEAP
                              : GATEWAY_BLOCKS_UNKNOWN;

    return GATEWAY_BLOCKS_SLACK
           + (now - blocks->seen_at) / (time ? time : 1);
}


/* Far ahead may be one that another is with: then what is known lagged. */

static unsigned
gateway_blocks_plausible(const gateway_blocks_t *blocks,
    const int64_t *heights, uint32_t n, uint32_t i, uint64_t growth)
{
    int64_t   height;
    uint32_t  k;

    height = heights[i];

    if (height <= 0 || blocks->height == 0) {
        return height > 0;
    }

    if (height <= blocks->height) {
        return height >= blocks->height - GATEWAY_BLOCKS_SLACK;
    }

    if ((uint64_t) (height - blocks->height) <= growth) {
        return 1;
    }

    for (k = 0; k < n; k++) {
        if (k != i
            && heights[k] <= height + GATEWAY_BLOCKS_SLACK
            && heights[k] >= height - GATEWAY_BLOCKS_SLACK)
        {
            return 1;
        }
    }

    return 0;
}
