
/*
 * What checks ask nodes, and how their answers are read: pure.
 *
 * Requests carry random ids and come in equivalent forms, so that a node
 * does not know them from its users' by their look.  Answers are read
 * strictly: what is not clearly an answer is none, and never a vote.
 */


#ifndef _GATEWAY_PROBE_H_INCLUDED_
#define _GATEWAY_PROBE_H_INCLUDED_


#include "gateway_path.h"


typedef enum {
    GATEWAY_PROBE_CUSTOM = 0,              /* by configuration */
    GATEWAY_PROBE_EVM_HEIGHT,
    GATEWAY_PROBE_EVM_BLOCK,
    GATEWAY_PROBE_EVM_CHAIN,
    GATEWAY_PROBE_SOLANA_HEIGHT,
    GATEWAY_PROBE_SOLANA_BLOCK,
    GATEWAY_PROBE_POKT_HEIGHT,
    GATEWAY_PROBE_POKT_BLOCK,
    GATEWAY_PROBE_COSMOS_HEIGHT,
    GATEWAY_PROBE_COSMOS_BLOCK,
    GATEWAY_PROBE_KINDS
} gateway_probe_e;


typedef enum {
    GATEWAY_ANSWER_OK = 0,
    GATEWAY_ANSWER_ABSENT,                 /* has no such block: no vote */
    GATEWAY_ANSWER_SKIPPED,                /* nobody has: ask for another */
    GATEWAY_ANSWER_FAULT,                  /* an error, or not an answer */
    GATEWAY_ANSWER_QUOTA                   /* 429, -32005: ask later */
} gateway_answer_e;


/* One header at most; name empty: none.  id 0: the answer has no id. */

typedef struct {
    pocket_str_t               method;
    pocket_str_t               path;       /* with its query */
    pocket_str_t               body;
    pocket_str_t               header;
    pocket_str_t               value;
    uint64_t                   block;
    uint32_t                   id;
} gateway_probe_request_t;


typedef struct {
    uint64_t                   height;
    pocket_str_t               identifier; /* lower-case where it is hex */
    int64_t                    code;       /* of a JSON-RPC error, or 0 */
    const char                *reason;     /* FAULT: in words, for logs */
} gateway_probe_answer_t;


/*
 * A request of a kind other than CUSTOM; block is what it asks for, random
 * chooses id and form.  Strings are constant or of a.  POCKET_OK or
 * POCKET_ERROR: no memory.
 */
int gateway_probe_request(gateway_probe_e kind, uint64_t block,
    uint64_t random, gateway_probe_request_t *request, pocket_alloc_t *a);

/* status 0 is not an answer, the caller deals with it. */
gateway_answer_e gateway_probe_answer(gateway_probe_e kind,
    const gateway_probe_request_t *request, uint32_t status,
    const pocket_str_t *body, gateway_probe_answer_t *answer,
    pocket_alloc_t *a);


/*
 * Text of a configured request with $id, $height and $height_hex (0x...)
 * replaced; others stay.  POCKET_OK or POCKET_ERROR: no memory.
 */
int gateway_probe_expand(const pocket_str_t *text, uint32_t id,
    uint64_t height, pocket_str_t *out, pocket_alloc_t *a);

/* Does the text have $height or $height_hex in it? */
int gateway_probe_has_height(const pocket_str_t *text);


/*
 * The block to compare nodes by: reference less a random lookback in from
 * to, which is moved beyond the tolerance.  0: the chain is too short.
 */
uint64_t gateway_probe_block(uint64_t reference, uint32_t tolerance,
    uint32_t from, uint32_t to, uint64_t random);


#endif /* _GATEWAY_PROBE_H_INCLUDED_ */
