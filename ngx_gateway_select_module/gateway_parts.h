
/*
 * Batches that name filters of several nodes: pure.  Each node is asked for
 * its own in a batch of its own, the other calls are a batch that is anybody's,
 * and the answers become one again, in the order of the calls.
 */


#ifndef _GATEWAY_PARTS_H_INCLUDED_
#define _GATEWAY_PARTS_H_INCLUDED_


#include "gateway_call.h"


#define GATEWAY_PARTS_MAX     32           /* what is beyond has no part */

/* tags of parts that are no node's, see gateway_filter_tag() */

#define GATEWAY_PARTS_ANY     0            /* its calls name no filter */
#define GATEWAY_PARTS_NOBODY  1            /* filters that nobody has given */


typedef struct {
    pocket_str_t          call;            /* as the caller wrote it */
    pocket_str_t          id;              /* with its quotes; empty: none */
    uint32_t              part;            /* GATEWAY_PARTS_MAX: none */
    pocket_str_t          answer;          /* empty: none came */
} gateway_parts_call_t;


/* A part, and what its calls are answered that got no answer of their own. */

typedef struct {
    uint64_t              tag;
    uint32_t              n;               /* calls */
    pocket_str_t          body;            /* a batch */
    pocket_str_t          answer;          /* of it, or empty */
    int                   code;
    pocket_str_t          message;         /* no character to be escaped */
} gateway_part_t;


typedef struct {
    uint32_t              n;
    gateway_part_t        parts[GATEWAY_PARTS_MAX];
    uint32_t              ncalls;
    gateway_parts_call_t *calls;
} gateway_parts_t;


/*
 * Splits the batch that call was read from.  parts->n is 0 where one node can
 * be asked for all of it.  POCKET_OK, or POCKET_ERROR: no memory.
 */
int gateway_parts_split(gateway_parts_t *parts, const gateway_call_t *call,
    gateway_dialect_e dialect, const pocket_str_t *body, pocket_alloc_t *a);

/*
 * One answer of those of the parts; calls without an id have none.  What a
 * node has answered to none of its calls comes last.  As above.
 */
int gateway_parts_join(gateway_parts_t *parts, pocket_str_t *out,
    pocket_alloc_t *a);


#endif /* _GATEWAY_PARTS_H_INCLUDED_ */
