
/*
 * Reads what passes by: whether an answer is a JSON-RPC error, the height it
 * tells, and before that what a request asks for.  Pure, no memory but the
 * struct, any pieces; not a validator: what is not JSON is passed over.
 */


#ifndef _GATEWAY_SCAN_H_INCLUDED_
#define _GATEWAY_SCAN_H_INCLUDED_


#include "gateway_fault.h"


#define GATEWAY_SCAN_LIMIT   65536         /* bytes, the rest is not read */
#define GATEWAY_SCAN_TOKEN   256           /* longer strings are cut */


/* Where in an answer the height of the chain stands. */

typedef enum {
    GATEWAY_WANT_NONE = 0,
    GATEWAY_WANT_RESULT,                   /* eth_blockNumber, getSlot */
    GATEWAY_WANT_NUMBER,                   /* the block asked with "latest" */
    GATEWAY_WANT_STATUS,                   /* CometBFT status */
    GATEWAY_WANT_BLOCK,                    /* Cosmos REST, latest block */
    GATEWAY_WANT_HEIGHT,                   /* Pocket v1/query/height */
    GATEWAY_WANTS
} gateway_want_e;


typedef struct {
    unsigned             answer:1;
    unsigned             begun:1;
    unsigned             done:1;
    unsigned             string:1;         /* inside one */
    unsigned             escape:1;
    unsigned             quoted:1;         /* the token was a string */
    unsigned             token:1;          /* there is one */
    unsigned             latest:1;         /* the first parameter */
    unsigned             method:1;         /* index is of it */

    /* out */
    unsigned             rpc:1;            /* a request: JSON-RPC */
    unsigned             batch:1;
    unsigned             json:1;           /* begins as JSON does */
    unsigned             other:1;          /* text that is not JSON */
    unsigned             result:1;         /* other than null */
    unsigned             null:1;           /* a result that is null */
    unsigned             absent:1;         /* gateway_fault_absent() */
    unsigned             error:1;
    unsigned             closed:1;         /* read to its end */
    unsigned             identify:1;       /* in: ids are wanted, too */
    uint32_t             nids;             /* those that are not null */
    uint64_t             ids;              /* their sum, order is no matter */
    gateway_want_e       want;
    uint64_t             height;           /* 0: none was told */
    gateway_fault_e      fault;            /* of errors, the heaviest */
    int64_t              erred;            /* its code, 0: none */

    /* private */
    gateway_dialect_e    dialect;
    uint32_t             depth;
    uint32_t             read;             /* bytes */
    uint32_t             matched;          /* steps of the height's path */
    uint32_t             section;          /* the member of depth 1 */
    uint32_t             field;            /* that of the error */
    uint32_t             index;            /* of the method */
    uint32_t             params;
    uint32_t             len;              /* of the token */
    uint32_t             text_len;
    int64_t              code;
    unsigned char        bytes[GATEWAY_SCAN_TOKEN];
    unsigned char        text[GATEWAY_SCAN_TOKEN];
} gateway_scan_t;


/* A request's body: rpc, batch and want are known when it is done. */
void gateway_scan_request(gateway_scan_t *scan, gateway_dialect_e dialect);

/* Its answer; want as the request gave it, or gateway_scan_uri(). */
void gateway_scan_answer(gateway_scan_t *scan, gateway_dialect_e dialect,
    gateway_want_e want);

/*
 * Takes the next piece.  1: more is wanted; 0: it has seen enough, or
 * GATEWAY_SCAN_LIMIT bytes.
 */
int gateway_scan(gateway_scan_t *scan, const unsigned char *p, size_t n);

/*
 * The verdict so far, may be asked at any time: NONE while there is none.
 * rpc: JSON-RPC was asked, so that a page is the node's fault.
 */
gateway_fault_e gateway_scan_fault(const gateway_scan_t *scan, unsigned rpc);

/* What a request without a body asks for by this path, without query. */
gateway_want_e gateway_scan_uri(gateway_dialect_e dialect,
    const pocket_str_t *uri);


#endif /* _GATEWAY_SCAN_H_INCLUDED_ */
