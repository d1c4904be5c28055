
/*
 * Whose fault an answer tells of: pure.  One table for the pools of
 * upstream{} and for relays: the codes and words of JSON-RPC servers, and
 * HTTP statuses.  What is not known passes as the caller's, so that no node
 * is blamed for it.
 */


#ifndef _GATEWAY_FAULT_H_INCLUDED_
#define _GATEWAY_FAULT_H_INCLUDED_


#include "gateway_record.h"


/* By weight: of several answers of a batch the heaviest counts. */

typedef enum {
    GATEWAY_FAULT_NONE = 0,                /* an answer */
    GATEWAY_FAULT_CALLER,                  /* any node would say so */
    GATEWAY_FAULT_LACKING,                 /* no archive, no traces, ...: */
                                           /*   another node may have them */
    GATEWAY_FAULT_QUOTA,                   /* asks less of me: paced */
    GATEWAY_FAULT_NODE,
    GATEWAY_FAULTS
} gateway_fault_e;


/* Codes mean different things; bits, for the table. */

typedef enum {
    GATEWAY_DIALECT_NONE   = 0x00,
    GATEWAY_DIALECT_EVM    = 0x01,         /* EIP-1474 and its liberties */
    GATEWAY_DIALECT_SOLANA = 0x02,
    GATEWAY_DIALECT_COSMOS = 0x04,         /* CometBFT */
    GATEWAY_DIALECT_PLAIN  = 0x08,         /* JSON-RPC 2.0 itself */
    GATEWAY_DIALECT_POCKET = 0x10          /* Pocket's REST */
} gateway_dialect_e;


/*
 * A JSON-RPC error; text is its message, and its data if that is a string,
 * compared without case.
 */
gateway_fault_e gateway_fault_error(gateway_dialect_e dialect, int64_t code,
    const pocket_str_t *text);

/*
 * 1: a node that lacks what calls of one class need may say so: it does not
 * know the method, or has not got the block.  That is a lack only for who
 * knows that the call is of such a class.
 */
unsigned gateway_fault_absent(int64_t code, const pocket_str_t *text);

/*
 * A status, when the body tells nothing better.  retry_after: the answer
 * has that header; rpc: JSON-RPC was asked, so that any page that is not
 * its answer is the node's fault.
 */
gateway_fault_e gateway_fault_status(uint32_t status, unsigned retry_after,
    unsigned rpc);

/* What a try at the node counts as that ended so. */
gateway_try_e gateway_fault_try(gateway_fault_e fault);


#endif /* _GATEWAY_FAULT_H_INCLUDED_ */
