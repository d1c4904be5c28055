
/*
 * Whose fault an answer tells of: see gateway_fault.h.
 */


#include "gateway_fault.h"

#include <string.h>


#define GATEWAY_FAULT_ANY    (GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_SOLANA      \
                              |GATEWAY_DIALECT_COSMOS|GATEWAY_DIALECT_PLAIN)

#define GATEWAY_FAULT_EVM    GATEWAY_DIALECT_EVM
#define GATEWAY_FAULT_SOL    GATEWAY_DIALECT_SOLANA
#define GATEWAY_FAULT_COSMOS GATEWAY_DIALECT_COSMOS

#define GATEWAY_FAULT_METHOD -32601        /* JSON-RPC: not found */


/* words are lower case */

typedef struct {
    unsigned         dialects;
    const char      *words;
    gateway_fault_e  fault;
} gateway_fault_words_t;


typedef struct {
    unsigned         dialects;
    int64_t          from;
    int64_t          to;
    gateway_fault_e  fault;
} gateway_fault_code_t;


typedef struct {
    uint32_t         from;
    uint32_t         to;
    gateway_fault_e  fault;
    gateway_fault_e  rpc;                  /* when JSON-RPC was asked */
} gateway_fault_status_t;


static unsigned gateway_fault_has(const pocket_str_t *text,
    const char *words);
static unsigned char gateway_fault_lower(unsigned char ch);


/*
 * Words come before codes: most servers say all they have to say with
 * -32000 or -32603.  The first row that fits counts, so what is said of one
 * transaction or query stands before what resembles it.
 */

static const gateway_fault_words_t  gateway_fault_words[] = {

    /* the caller's transaction or call */

    { GATEWAY_FAULT_ANY, "revert", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "nonce", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "insufficient", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "underpriced", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "already known", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "known transaction", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "base fee", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "out of gas", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "gas limit", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "intrinsic gas", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "gas required exceeds", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "invalid opcode", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "invalid jump", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "stack ", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_SOL, "simulation failed", GATEWAY_FAULT_CALLER },

    /* a query that is too wide for any node */

    { GATEWAY_FAULT_ANY, "query returned more than", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "block range", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "range is too", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "range too", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, "response size", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_EVM, "filter not found", GATEWAY_FAULT_CALLER },

    /* what this node does not keep */

    { GATEWAY_FAULT_EVM, "missing trie node", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_ANY, "pruned", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_ANY, "historical state", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_EVM, "state not available", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_EVM, "state is not available", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_EVM, "no state available", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_ANY, "archive", GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_COSMOS, "lowest height is", GATEWAY_FAULT_LACKING },

    /* a block that does not exist yet, a transaction that nobody has */

    { GATEWAY_FAULT_COSMOS, "must be less than or equal",
      GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_COSMOS, "must be greater than", GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_COSMOS, "not found", GATEWAY_FAULT_CALLER },

    { GATEWAY_FAULT_ANY, "rate limit", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "rate exceeded", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "too many requests", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "request limit", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "limit exceeded", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "count exceeded", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "quota", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "exceeded its compute units", GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, "capacity", GATEWAY_FAULT_QUOTA },

    { GATEWAY_FAULT_EVM, "header not found", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_EVM, "unknown block", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "not synced", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "syncing", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "node is behind", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "unhealthy", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "not ready", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "timed out", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "timeout", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "deadline exceeded", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "overloaded", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "unavailable", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "bad gateway", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "connection refused", GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, "leveldb", GATEWAY_FAULT_NODE }
};


static const gateway_fault_code_t  gateway_fault_codes[] = {
    { GATEWAY_FAULT_ANY, -32700, -32700, GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, -32602, -32600, GATEWAY_FAULT_CALLER },
    { GATEWAY_FAULT_ANY, -32603, -32603, GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_ANY, 429, 429, GATEWAY_FAULT_QUOTA },
    { GATEWAY_FAULT_ANY, 500, 599, GATEWAY_FAULT_NODE },

    /* resource not found, resource unavailable, method not supported */

    { GATEWAY_FAULT_EVM, -32001, -32001, GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_EVM, -32002, -32002, GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_EVM, -32004, -32004, GATEWAY_FAULT_LACKING },

    /*
     * Solana's: a block cleaned up; not available for the slot; behind; no
     * snapshot; keys and history not indexed, scan; status not yet
     * available; minimum context slot not reached
     */

    { GATEWAY_FAULT_SOL, -32001, -32001, GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_SOL, -32005, -32004, GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_SOL, -32008, -32008, GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_SOL, -32012, -32010, GATEWAY_FAULT_LACKING },
    { GATEWAY_FAULT_SOL, -32014, -32014, GATEWAY_FAULT_NODE },
    { GATEWAY_FAULT_SOL, -32016, -32016, GATEWAY_FAULT_NODE },

    { GATEWAY_FAULT_ANY & ~GATEWAY_FAULT_SOL, -32005, -32005,
      GATEWAY_FAULT_QUOTA }
};


/* of methods and blocks that a node has not got, with any code */

static const char  *const gateway_fault_absences[] = {
    "does not exist/is not available",
    "method not found",
    "not supported",
    "unsupported method",
    "not whitelisted",
    "not enabled",
    "not implemented",
    "header not found",
    "block not found",
    "unknown block"
};


/* statuses below 300 and all others say nothing of the node */

static const gateway_fault_status_t  gateway_fault_statuses[] = {
    { 300, 399, GATEWAY_FAULT_NONE, GATEWAY_FAULT_NODE },
    { 401, 401, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_NODE },
    { 402, 402, GATEWAY_FAULT_QUOTA, GATEWAY_FAULT_QUOTA },
    { 403, 405, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_NODE },
    { 407, 407, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_NODE },
    { 410, 410, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_NODE },
    { 421, 421, GATEWAY_FAULT_NODE, GATEWAY_FAULT_NODE },
    { 429, 429, GATEWAY_FAULT_QUOTA, GATEWAY_FAULT_QUOTA },
    { 400, 499, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_CALLER },
    { 501, 501, GATEWAY_FAULT_CALLER, GATEWAY_FAULT_NODE },
    { 500, 599, GATEWAY_FAULT_NODE, GATEWAY_FAULT_NODE }
};


static const gateway_try_e  gateway_fault_tries[GATEWAY_FAULTS] = {
    GATEWAY_TRY_OK,                        /* GATEWAY_FAULT_NONE */
    GATEWAY_TRY_OK,                        /* GATEWAY_FAULT_CALLER */
    GATEWAY_TRY_FAILED,                    /* GATEWAY_FAULT_LACKING */
    GATEWAY_TRY_QUOTA,                     /* GATEWAY_FAULT_QUOTA */
    GATEWAY_TRY_FAILED                     /* GATEWAY_FAULT_NODE */
};


gateway_fault_e
gateway_fault_error(gateway_dialect_e dialect, int64_t code,
    const pocket_str_t *text)
{
    size_t                        i;
    const gateway_fault_code_t   *row;
    const gateway_fault_words_t  *words;

    for (i = 0;
         i < sizeof(gateway_fault_words) / sizeof(gateway_fault_words[0]);
         i++)
    {
        words = &gateway_fault_words[i];

        if ((words->dialects & dialect)
            && gateway_fault_has(text, words->words))
        {
            return words->fault;
        }
    }

    for (i = 0;
         i < sizeof(gateway_fault_codes) / sizeof(gateway_fault_codes[0]);
         i++)
    {
        row = &gateway_fault_codes[i];

        if ((row->dialects & dialect) && code >= row->from && code <= row->to)
        {
            return row->fault;
        }
    }

    return GATEWAY_FAULT_CALLER;
}


unsigned
gateway_fault_absent(int64_t code, const pocket_str_t *text)
{
    size_t  i;

    if (code == GATEWAY_FAULT_METHOD) {
        return 1;
    }

    for (i = 0;
         i < sizeof(gateway_fault_absences)
             / sizeof(gateway_fault_absences[0]);
         i++)
    {
        if (gateway_fault_has(text, gateway_fault_absences[i])) {
            return 1;
        }
    }

    return 0;
}


gateway_fault_e
gateway_fault_status(uint32_t status, unsigned retry_after, unsigned rpc)
{
    size_t                         i;
    const gateway_fault_status_t  *row;

    if (status == 503 && retry_after) {
        return GATEWAY_FAULT_QUOTA;
    }

    for (i = 0;
         i < sizeof(gateway_fault_statuses)
             / sizeof(gateway_fault_statuses[0]);
         i++)
    {
        row = &gateway_fault_statuses[i];

        if (status >= row->from && status <= row->to) {
            return rpc ? row->rpc : row->fault;
        }
    }

    return GATEWAY_FAULT_NONE;
}


gateway_try_e
gateway_fault_try(gateway_fault_e fault)
{
    return gateway_fault_tries[fault];
}


static unsigned
gateway_fault_has(const pocket_str_t *text, const char *words)
{
    size_t  i, j, len;

    len = strlen(words);

    for (i = 0; i + len <= text->len; i++) {

        for (j = 0; j < len; j++) {
            if (gateway_fault_lower(text->data[i + j])
                != (unsigned char) words[j])
            {
                break;
            }
        }

        if (j == len) {
            return 1;
        }
    }

    return 0;
}


static unsigned char
gateway_fault_lower(unsigned char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (unsigned char) (ch | 0x20) : ch;
}
