
/*
 * What a full node answers to an edge: to checks, session requests and
 * relay notifications, and what becomes of it (spec: edge node to full
 * node).  All strings given out are slices of the answer's body or come
 * from the caller's allocator; the body must outlive them.
 */


#ifndef _POCKET_NODE_H_INCLUDED_
#define _POCKET_NODE_H_INCLUDED_


#include "pocket_base.h"


/* blocks per session until the node has told its own */
#define POCKET_NODE_BLOCKS_PER_SESSION  4


/* how far a request to the node came */

typedef enum {
    POCKET_NODE_ANSWERED = 0,
    POCKET_NODE_NO_CONNECTION,        /* no byte of the request was sent */
    POCKET_NODE_TIMEOUT,              /* sent, and no answer in time */
    POCKET_NODE_BROKEN                /* sent, the connection then broke */
} pocket_node_failure_e;


/* An HTTP answer; the rest counts for POCKET_NODE_ANSWERED only. */

typedef struct {
    pocket_node_failure_e   failure;
    unsigned                status;
    pocket_str_t            content_type;
    pocket_str_t            body;
} pocket_node_answer_t;


/*
 * The node's last accepted check answer.  Flat: it is kept in shared
 * memory.  checked is the caller's monotonic clock in ms at that answer
 * (the parser leaves it 0).  blocks_per_session is 0 until known.
 */

typedef struct {
    int64_t                 height;
    int64_t                 blocks_per_session;
    int64_t                 client_session_sync_allowance;
    int64_t                 checked;
    unsigned                is_starting:1;
    unsigned                is_catching_up:1;
} pocket_node_status_t;


/*
 * wrong_servicers and wrong_chains are the raw JSON arrays (empty slices
 * when absent or null), for the log.
 */

typedef struct {
    pocket_node_status_t    status;
    pocket_str_t            version;
    pocket_str_t            wrong_servicers;
    pocket_str_t            wrong_chains;
} pocket_check_answer_t;


typedef enum {
    POCKET_SESSION_ANSWER_VALID = 0,
    POCKET_SESSION_ANSWER_INVALID,
    POCKET_SESSION_ANSWER_RETRY,      /* uses up a retry */
    POCKET_SESSION_ANSWER_NONE        /* no answer came: uses up none */
} pocket_session_class_e;


/*
 * remaining counts for VALID only: relays the node still takes in the
 * session, -1 when it gave no count.  code and message are those of the
 * node's error, 0 and empty without one.  dispatch is the raw JSON object,
 * an empty slice when absent or null.
 */

typedef struct {
    pocket_session_class_e  class;
    int64_t                 remaining;
    uint32_t                code;
    pocket_str_t            message;
    pocket_str_t            dispatch;
} pocket_session_answer_t;


typedef enum {
    POCKET_NOTIFY_DELIVERED = 0,
    POCKET_NOTIFY_REFUSED,            /* this relay only */
    POCKET_NOTIFY_SESSION_INVALID,    /* refused, and so is its session */
    POCKET_NOTIFY_RETRY
} pocket_notify_class_e;


/*
 * code and message are those of the node's error (of a retry too), 0 and
 * empty without one.  height is the dispatch's block height, 0 without a
 * dispatch; when larger than the known one it updates it.  answered: an
 * answer came, whatever it was; without one the relay is in doubt, unless
 * failure was POCKET_NODE_NO_CONNECTION.
 */

typedef struct {
    pocket_notify_class_e   class;
    uint32_t                code;
    int64_t                 height;
    unsigned                answered;
    pocket_str_t            message;
} pocket_notify_answer_t;


/*
 * Reads the answer to a check.  1: accepted, *out is the node's new status;
 * 0: not usable, the node's last status stays; POCKET_ERROR: no memory.
 */
int pocket_node_check_answer(const pocket_node_answer_t *in,
    pocket_check_answer_t *out, pocket_alloc_t *a);

/*
 * Reads and classifies the answer to a session request.  POCKET_OK, or
 * POCKET_ERROR when there is no memory (*out is then of class NONE).
 */
int pocket_node_session_answer(const pocket_node_answer_t *in,
    pocket_session_answer_t *out, pocket_alloc_t *a);

/*
 * Reads and classifies the answer to a relay notification by the table of
 * codes.  POCKET_OK, or POCKET_ERROR when there is no memory (*out is then
 * of class RETRY, as if none had come).
 */
int pocket_node_notify_answer(const pocket_node_answer_t *in,
    pocket_notify_answer_t *out, pocket_alloc_t *a);

/*
 * Does an error with this code, answered to a session request or to a
 * notification, end the session?
 */
int pocket_node_code_ends_session(uint32_t code);

/*
 * The dispatch of a session answer as clients get it: all keys sorted, no
 * spaces, the nodes' public keys without their amino prefix.  1: *out is
 * allocated from a; 0: raw is no JSON object; POCKET_ERROR: no memory.
 */
int pocket_node_client_dispatch(const pocket_str_t *raw, pocket_str_t *out,
    pocket_alloc_t *a);


#endif /* _POCKET_NODE_H_INCLUDED_ */
