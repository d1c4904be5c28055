
/*
 * Filters that a node keeps for its callers (eth_newFilter and its like):
 * pure.  A caller gets the id of a filter with the tag of its node put before
 * it, 0x1f as 0x7TTTTTTTTTTTTTTT1f.  So any worker of any gateway finds the
 * node again, also after a restart, nothing has to be kept, and two nodes
 * that number their filters alike are told apart.  What it makes is a
 * quantity still, which fits into 256 bits where the node's own has 192.
 */


#ifndef _GATEWAY_FILTER_H_INCLUDED_
#define _GATEWAY_FILTER_H_INCLUDED_


#include "gateway_call.h"


#define GATEWAY_FILTER_TAG   16            /* digits */
#define GATEWAY_FILTER_ID    128           /* digits of a node's id, at most */


/* The tag of a node by its name, of any bytes; never 0. */
uint64_t gateway_filter_tag(const pocket_str_t *name);

/* The tag of an id as a caller names it; 0: it has none. */
uint64_t gateway_filter_tag_of(const pocket_str_t *id);

/*
 * The request with ids as the node knows them; only of filters with this tag.
 * *out is body itself or allocated.  POCKET_OK, or POCKET_ERROR: no memory.
 */
int gateway_filter_request(const pocket_str_t *body, uint64_t tag,
    pocket_str_t *out, pocket_alloc_t *a);

/*
 * The answer with the tag in the ids of filters that this request, which call
 * was read from, has made.  Results of other calls, and of answers that are
 * not JSON, stay as they are.  As above.
 */
int gateway_filter_answer(const gateway_call_t *call,
    gateway_dialect_e dialect, const pocket_str_t *body,
    const pocket_str_t *answer, uint64_t tag, pocket_str_t *out,
    pocket_alloc_t *a);


#endif /* _GATEWAY_FILTER_H_INCLUDED_ */
