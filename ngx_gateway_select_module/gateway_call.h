
/*
 * What a caller asks a chain for: pure.  Whether it may be asked twice, what
 * of a node it needs, and by what its answer is known.
 */


#ifndef _GATEWAY_CALL_H_INCLUDED_
#define _GATEWAY_CALL_H_INCLUDED_


#include "gateway_record.h"
#include "gateway_scan.h"


/* Traits of a call; of a batch those of all its calls. */

#define GATEWAY_CALL_WRITE    0x01         /* it changes the chain */
#define GATEWAY_CALL_STICKY   0x02         /* of a filter its node keeps */
#define GATEWAY_CALL_STATE    0x04         /* of a block that is named */
#define GATEWAY_CALL_TRACE    0x08
#define GATEWAY_CALL_LOGS     0x10
#define GATEWAY_CALL_FILTER   0x20         /* makes a filter */
#define GATEWAY_CALL_NULL     0x40         /* null: the node has it not yet */


#define GATEWAY_CALL_NO_BLOCK  UINT64_MAX


/*
 * ids is a sum over the ids of all calls: answers may come in any order.
 * filter and id are slices of the body: the first filter that is named, and
 * the id of the first call with its quotes.
 */

typedef struct {
    unsigned              rpc:1;           /* JSON-RPC */
    unsigned              batch:1;
    unsigned              traits;          /* GATEWAY_CALL_* */
    uint32_t              n;               /* calls */
    uint32_t              nids;            /* 0: none, or not known */
    uint64_t              ids;
    uint64_t              block;           /* lowest one, of the STATE */
    uint64_t              newest;          /* highest one, of the NULL */
    pocket_str_t          filter;          /* empty: none is named */
    pocket_str_t          id;
    gateway_want_e        want;
} gateway_call_t;


/*
 * Reads a request: its HTTP method, its path without query, its body.  writes
 * are the names of methods that change the chain, n 0: those known of the
 * dialect.  What cannot be told apart is a write.
 */
void gateway_call_read(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path,
    const pocket_str_t *body, const pocket_str_t *writes, size_t n);

/* The traits of a method by itself. */
unsigned gateway_call_method(gateway_dialect_e dialect,
    const pocket_str_t *method);

/*
 * 1: the answer, read by a scan with "identify", is of another call.
 */
unsigned gateway_call_stranger(const gateway_call_t *call,
    const gateway_scan_t *answer);

/*
 * The ability that a call needs where the chain is at this height (0: not
 * known); GATEWAY_ABILITIES: none.
 */
gateway_ability_e gateway_call_ability(const gateway_call_t *call,
    uint64_t height);


extern const char  *gateway_ability_names[GATEWAY_ABILITIES];


#endif /* _GATEWAY_CALL_H_INCLUDED_ */
