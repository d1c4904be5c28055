
/*
 * Sessions of an edge: the arithmetic of heights, and the state machine of
 * one session as it is kept in shared memory (spec: heights and sessions).
 * The caller holds the lock of the zone; time comes as an argument, in ms
 * of one monotonic clock.
 */


#ifndef _POCKET_SESSION_H_INCLUDED_
#define _POCKET_SESSION_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_error.h"
#include "pocket_node.h"


#define POCKET_SESSION_EXPIRE_BLOCKS   12
#define POCKET_RELAY_SYNC_ALLOWANCE    10
#define POCKET_SESSION_RETRY_MAX       10
#define POCKET_SESSION_NO_COUNT        -1


/* what the heights alone say of a relay of an unknown session */

typedef enum {
    POCKET_HEIGHT_SERVE = 0,
    POCKET_HEIGHT_SERVE_OPTIMISTIC,
    POCKET_HEIGHT_REFUSE,              /* 60 */
    POCKET_HEIGHT_AHEAD                /* 90, not stored */
} pocket_height_verdict_e;


typedef enum {
    POCKET_SESSION_UNVALIDATED = 0,
    POCKET_SESSION_VALID,
    POCKET_SESSION_INVALID
} pocket_session_state_e;


/*
 * A session: flat, without pointers, all zero but for height after
 * pocket_session_init().  recorded and queued follow the ledger: queued
 * are those recorded and not yet settled (delivered, refused, expired).
 * spent of the quota are those queued when the node gave it and all
 * recorded since; a relay refused later gives nothing back.
 */

typedef struct {
    int64_t               height;      /* session_block_height */
    int64_t               quota;       /* of the node's answer, or NO_COUNT */
    int64_t               spent;
    int64_t               recorded;
    int64_t               queued;
    int64_t               next_ask;    /* ms: not to be asked before */
    int64_t               invalid_at;  /* ms: when the code was stored */
    uint32_t              code;        /* of an invalid session */
    uint32_t              retries;     /* used of those allowed */
    uint8_t               state;       /* pocket_session_state_e */
    uint8_t               optimistic;  /* was ahead of the node at first */
    uint8_t               unverified;  /* invalid by code 1: asked again */
                                       /*   after the next good check */
} pocket_session_t;


typedef struct {
    uint32_t              retry_max;         /* n: n + 1 retries */
    uint32_t              unvalidated_max;   /* relays recorded before the */
                                             /*   node's answer, 0: any */
} pocket_session_conf_t;


typedef enum {
    POCKET_SESSION_SERVE = 0,
    POCKET_SESSION_WAIT,               /* for the node's answer */
    POCKET_SESSION_REFUSE,             /* with *err */
    POCKET_SESSION_REFUSE_AHEAD        /* with *err; the node is to be */
                                       /*   checked at once */
} pocket_session_verdict_e;


/* what the notifier may do with the queued relays of a session */

typedef enum {
    POCKET_SESSION_HOLD = 0,           /* until the node has validated it */
    POCKET_SESSION_SEND,               /* retried while the window is open */
    POCKET_SESSION_SEND_ONCE           /* the node has ended the session */
} pocket_session_notify_e;


/*
 * Arithmetic.  node is the last check answer; its heights are taken as
 * 0 to 2^53, blocks per session as 1 to 2^20 (4 when not known), the
 * allowance as 0 to 2^20; s and relay_height may be anything.
 */

/* L: the first block of the session the node is in */
int64_t pocket_session_latest(const pocket_node_status_t *node);

/* served: s > 0 and at most a - 1 sessions back */
int pocket_session_within(const pocket_node_status_t *node, int64_t s);

/* the node is at the end of its session, the client one session ahead */
int pocket_session_is_optimistic(const pocket_node_status_t *node, int64_t s);

/* delivered: s > 0 and at most a sessions back */
int pocket_session_drain(const pocket_node_status_t *node, int64_t s);

/* dropped from the cache */
int pocket_session_expired(const pocket_node_status_t *node, int64_t s);

/*
 * The claim window of a relay is open: its session is within drain, and
 * the node at most 10 blocks past the relay's meta.block_height.
 */
int pocket_session_claimable(const pocket_node_status_t *node, int64_t s,
    int64_t relay_height);

/*
 * The claim window has closed for good.  Of a session still ahead of the
 * node it is neither open nor over.
 */
int pocket_session_claim_over(const pocket_node_status_t *node, int64_t s,
    int64_t relay_height);

/* check 6b: relay_height is at most 10 blocks from the node's height */
int pocket_session_in_sync(const pocket_node_status_t *node,
    int64_t relay_height);

pocket_height_verdict_e pocket_session_admit(const pocket_node_status_t *node,
    int64_t s);

/*
 * Checks 3 to 5: POCKET_ERR_NONE, or the error of a node that is not in
 * service; node is NULL when it was not reached (longer than the grace).
 */
pocket_error_id_e pocket_session_node_error(const pocket_node_status_t *node);


/*
 * The machine.  In a relay's life: _relay(), then the look-up of its proof
 * (37 when known), the chain, the record, _recorded(), the notification,
 * _notified() or _expire_relay().  In the session's: _init(), _due(),
 * _asked(), _answered(), and _expired() in the sweep.
 */

/* A new session of height s, first seen with this status of its node. */
void pocket_session_init(pocket_session_t *ss, int64_t s,
    const pocket_node_status_t *node);

/*
 * Checks 11, 12, 19 and 20 for one relay of height s; ss is NULL when its
 * session is unknown: SERVE then means that it is to be made by _init().
 * *err is set by the refusals and POCKET_ERR_NONE otherwise.  Nothing is
 * counted here.
 */
pocket_session_verdict_e pocket_session_relay(pocket_session_t *ss,
    int64_t s, const pocket_node_status_t *node,
    const pocket_session_conf_t *conf, pocket_error_id_e *err);

/* One relay of it was recorded, and queued for notification. */
void pocket_session_recorded(pocket_session_t *ss);

/*
 * Is the node to be asked about the session now?  Never when it is settled,
 * ahead of the node, waiting for a retry, or being asked.
 */
int pocket_session_due(pocket_session_t *ss, const pocket_node_status_t *node,
    int64_t now);

/*
 * The node is being asked; until (ms) the question counts as lost with the
 * process that asked, and the session is due again.
 */
void pocket_session_asked(pocket_session_t *ss, int64_t until);

/*
 * The node's answer.  Only an unvalidated session takes it: the first
 * answer counts, and an error that a notification brought stays.
 */
void pocket_session_answered(pocket_session_t *ss,
    const pocket_session_answer_t *answer, const pocket_session_conf_t *conf,
    int64_t now);

/*
 * What a store common to several edges says of an unvalidated session:
 * invalid with code, or (code 0) valid with left relays to be served, net
 * of what all edges have recorded; POCKET_SESSION_NO_COUNT: no count.
 */
void pocket_session_restore(pocket_session_t *ss, uint32_t code,
    int64_t left, int64_t now);

/* The same store's count after a record: replaces the one kept here. */
void pocket_session_count(pocket_session_t *ss, int64_t left);

/* The node has ended the session, as a notification or the store said. */
void pocket_session_end(pocket_session_t *ss, uint32_t code, int64_t now);

/* What may be sent of what is queued. */
pocket_session_notify_e pocket_session_notify(const pocket_session_t *ss,
    const pocket_node_status_t *node);

/*
 * The node's answer to the notification of one queued relay.  Gives its
 * class as it counts for the ledger: a retry answered in a session that the
 * node has ended is refused, with the session's code in *code; otherwise
 * *code is the answer's.  All but RETRY take the relay from the queue.
 */
pocket_notify_class_e pocket_session_notified(pocket_session_t *ss,
    const pocket_notify_answer_t *answer, uint32_t *code, int64_t now);

/* A queued relay's claim window has closed. */
void pocket_session_expire_relay(pocket_session_t *ss);

/* Relays still to be served, POCKET_SESSION_NO_COUNT without a count. */
int64_t pocket_session_left(const pocket_session_t *ss);


#endif /* _POCKET_SESSION_H_INCLUDED_ */
