
/*
 * The domain errors: one table of code, codespace, message, HTTP status and
 * metric label for all that a client or a full node is told
 * (spec: checks of a relay node; heights and sessions; node API).
 */


#ifndef _POCKET_ERROR_H_INCLUDED_
#define _POCKET_ERROR_H_INCLUDED_


#include "pocket_base.h"


/*
 * One row per distinct message.  Rows marked R end in a REASON, which the
 * caller adds by pocket_error_set_reason(); without it the message ends
 * where the reason would begin.
 */

typedef enum {
    POCKET_ERR_NONE = 0,

    /* codespace sdk, code 1 */

    POCKET_ERR_INTERNAL,                 /* R: all of the message */
    POCKET_ERR_DECODE,                   /* R: the parser's message */
    POCKET_ERR_SERVICER_KEY,
    POCKET_ERR_SERVICER_UNKNOWN,
    POCKET_ERR_NODE_UNAVAILABLE,
    POCKET_ERR_NODE_STARTING,
    POCKET_ERR_NODE_SYNCING,
    POCKET_ERR_SESSION_UNVERIFIED,       /* validation retries used up */
    POCKET_ERR_NOT_RECORDED,             /* 503: no durable record */
    POCKET_ERR_STOPPED,                  /* 503: stopped by its operator */

    /* codespace pocketcore */

    POCKET_ERR_AAT,                      /* 4 R */
    POCKET_ERR_AAT_VERSION_MISSING,      /* 4 */
    POCKET_ERR_AAT_VERSION,              /* 4 */
    POCKET_ERR_AAT_APP_KEY,              /* 4: empty */
    POCKET_ERR_AAT_CLIENT_KEY,           /* 4: empty */
    POCKET_ERR_AAT_CLIENT_KEY_HEX,       /* 4: not hex */
    POCKET_ERR_AAT_CLIENT_KEY_SIZE,      /* 4: not 32 bytes */
    POCKET_ERR_AAT_SIGNATURE,            /* 4 */
    POCKET_ERR_KEY_HEX,                  /* 6 */
    POCKET_ERR_CHAIN_EMPTY,              /* 8 */
    POCKET_ERR_CHAIN_NOT_OF_APP,         /* 13 */
    POCKET_ERR_NOT_IN_SESSION,           /* 14 */
    POCKET_ERR_TOO_FEW_NODES,            /* 17 */
    POCKET_ERR_SESSION,                  /* 19 R */
    POCKET_ERR_HASH_EMPTY,               /* 23 */
    POCKET_ERR_PAYLOAD_EMPTY,            /* 25 */
    POCKET_ERR_CHAIN_NOT_HOSTED,         /* 26 */
    POCKET_ERR_HTTP,                     /* 28 R */
    POCKET_ERR_HTTP_REQUEST,             /* 28: bad url or method */
    POCKET_ERR_HTTP_BODY,                /* 28: answer cut off */
    POCKET_ERR_ENTROPY,                  /* 29 */
    POCKET_ERR_DUPLICATE,                /* 37 */
    POCKET_ERR_SIGNATURE_SIZE,           /* 38 */
    POCKET_ERR_SIGNATURE_HEX,            /* 39 */
    POCKET_ERR_SIGNATURE,                /* 41 */
    POCKET_ERR_KEY_SIZE,                 /* 42 */
    POCKET_ERR_APP_UNKNOWN,              /* 45 */
    POCKET_ERR_HEX,                      /* 52 R */
    POCKET_ERR_BLOCK_HEIGHT,             /* 60 */
    POCKET_ERR_HASH_SIZE,                /* 62 */
    POCKET_ERR_OVER_SERVICE,             /* 71 */
    POCKET_ERR_REQUEST_HASH,             /* 74 */
    POCKET_ERR_OUT_OF_SYNC,              /* 75 */
    POCKET_ERR_CHAIN_UNSUPPORTED,        /* 76 */
    POCKET_ERR_SEALED,                   /* 90 */

    POCKET_ERR_LAST
} pocket_error_id_e;


typedef struct {
    uint32_t              code;
    unsigned              status;        /* HTTP status of the answer */
    unsigned              dispatch;      /* 1: the answer takes the dispatch */
    pocket_str_t          codespace;
    pocket_str_t          message;
    pocket_str_t          label;         /* of metrics, snake_case */
} pocket_error_def_t;


/*
 * An error on its way to a client.  The strings belong to the table, or
 * to the allocator given to pocket_error_set_reason().
 */

typedef struct {
    pocket_error_id_e     id;
    uint32_t              code;
    pocket_str_t          codespace;
    pocket_str_t          message;
} pocket_error_t;


/*
 * The row of an id; POCKET_ERR_NONE and ids out of range have one too, so
 * that a mistake answers as an internal error.
 */
const pocket_error_def_t *pocket_error_def(pocket_error_id_e id);

/*
 * The first row with this code of codespace pocketcore (for 1:
 * POCKET_ERR_SESSION_UNVERIFIED, the one that a session stores);
 * POCKET_ERR_NONE when the table has none.
 */
pocket_error_id_e pocket_error_by_code(uint32_t code);

/* Fills *err from the row of id; no allocation, cannot fail. */
void pocket_error_set(pocket_error_t *err, pocket_error_id_e id);

/*
 * Same, with reason added to the row's message; the joined text is
 * allocated from a.  POCKET_ERROR when there is no memory: *err then is the
 * row without a reason, still fit to be answered.
 */
int pocket_error_set_reason(pocket_error_t *err, pocket_error_id_e id,
    const pocket_str_t *reason, pocket_alloc_t *a);


#endif /* _POCKET_ERROR_H_INCLUDED_ */
