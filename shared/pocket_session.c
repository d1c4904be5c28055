
#include "pocket_session.h"

#include <string.h>


#define POCKET_HEIGHT_MAX      ((int64_t) 1 << 53)
#define POCKET_SESSIONS_MAX    ((int64_t) 1 << 20)
#define POCKET_SESSION_WAIT_MS 1000


/* the node's numbers, bounded so that no sum of them can overflow */

typedef struct {
    int64_t   height;
    int64_t   blocks;
    int64_t   allowance;
    int64_t   latest;
} pocket_heights_t;


static void pocket_session_heights(pocket_heights_t *h,
    const pocket_node_status_t *node);
static int64_t pocket_session_bound(int64_t n, int64_t max);
static void pocket_session_reopen(pocket_session_t *ss,
    const pocket_node_status_t *node);
static void pocket_session_retry(pocket_session_t *ss,
    const pocket_session_conf_t *conf, int64_t now);
static void pocket_session_invalidate(pocket_session_t *ss, uint32_t code,
    int64_t now);
static void pocket_session_settle(pocket_session_t *ss);


int64_t
pocket_session_latest(const pocket_node_status_t *node)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return h.latest;
}


int
pocket_session_within(const pocket_node_status_t *node, int64_t s)
{
    int64_t           back;
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    back = (h.allowance > 0) ? h.allowance - 1 : 0;

    return s > 0 && s <= h.latest && s >= h.latest - back * h.blocks;
}


/*
 * Comparisons are with sums of bounded numbers, never differences with s:
 * s comes from a client and may be anything.
 */

int
pocket_session_is_optimistic(const pocket_node_status_t *node, int64_t s)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return s >= h.height && h.height % h.blocks == 0
           && s <= h.latest + h.blocks;
}


int
pocket_session_drain(const pocket_node_status_t *node, int64_t s)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return s > 0 && s <= h.latest
           && s >= h.latest - h.allowance * h.blocks;
}


int
pocket_session_expired(const pocket_node_status_t *node, int64_t s)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return s <= h.height - POCKET_SESSION_EXPIRE_BLOCKS;
}


int
pocket_session_claimable(const pocket_node_status_t *node, int64_t s,
    int64_t relay_height)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return pocket_session_drain(node, s)
           && relay_height >= h.height - POCKET_RELAY_SYNC_ALLOWANCE;
}


int
pocket_session_claim_over(const pocket_node_status_t *node, int64_t s,
    int64_t relay_height)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return s <= 0 || s < h.latest - h.allowance * h.blocks
           || relay_height < h.height - POCKET_RELAY_SYNC_ALLOWANCE;
}


int
pocket_session_in_sync(const pocket_node_status_t *node, int64_t relay_height)
{
    pocket_heights_t  h;

    pocket_session_heights(&h, node);

    return relay_height >= h.height - POCKET_RELAY_SYNC_ALLOWANCE
           && relay_height <= h.height + POCKET_RELAY_SYNC_ALLOWANCE;
}


/* a session of one block is within and optimistic at once: within counts */

pocket_height_verdict_e
pocket_session_admit(const pocket_node_status_t *node, int64_t s)
{
    if (pocket_session_within(node, s)) {
        return POCKET_HEIGHT_SERVE;
    }

    if (s < 1 || s <= pocket_session_latest(node)) {
        return POCKET_HEIGHT_REFUSE;
    }

    if (pocket_session_is_optimistic(node, s)) {
        return POCKET_HEIGHT_SERVE_OPTIMISTIC;
    }

    return POCKET_HEIGHT_AHEAD;
}


pocket_error_id_e
pocket_session_node_error(const pocket_node_status_t *node)
{
    if (node == NULL) {
        return POCKET_ERR_NODE_UNAVAILABLE;
    }

    if (node->is_starting) {
        return POCKET_ERR_NODE_STARTING;
    }

    if (node->is_catching_up) {
        return POCKET_ERR_NODE_SYNCING;
    }

    return POCKET_ERR_NONE;
}


static void
pocket_session_heights(pocket_heights_t *h, const pocket_node_status_t *node)
{
    int64_t  blocks;

    blocks = node->blocks_per_session;

    if (blocks <= 0) {
        blocks = POCKET_NODE_BLOCKS_PER_SESSION;
    }

    h->height = pocket_session_bound(node->height, POCKET_HEIGHT_MAX);
    h->blocks = pocket_session_bound(blocks, POCKET_SESSIONS_MAX);
    h->allowance = pocket_session_bound(node->client_session_sync_allowance,
                                        POCKET_SESSIONS_MAX);

    if (h->height % h->blocks == 0) {
        h->latest = h->height - h->blocks + 1;

    } else {
        h->latest = h->height / h->blocks * h->blocks + 1;
    }
}


static int64_t
pocket_session_bound(int64_t n, int64_t max)
{
    if (n < 0) {
        return 0;
    }

    return (n < max) ? n : max;
}


void
pocket_session_init(pocket_session_t *ss, int64_t s,
    const pocket_node_status_t *node)
{
    memset(ss, 0, sizeof(pocket_session_t));

    ss->height = s;
    ss->quota = POCKET_SESSION_NO_COUNT;
    ss->state = POCKET_SESSION_UNVALIDATED;
    ss->optimistic = (s > node->height);
}


pocket_session_verdict_e
pocket_session_relay(pocket_session_t *ss, int64_t s,
    const pocket_node_status_t *node, const pocket_session_conf_t *conf,
    pocket_error_id_e *err)
{
    pocket_height_verdict_e  verdict;

    *err = POCKET_ERR_NONE;

    verdict = pocket_session_admit(node, s);

    if (verdict == POCKET_HEIGHT_REFUSE) {
        *err = POCKET_ERR_BLOCK_HEIGHT;
        return POCKET_SESSION_REFUSE;
    }

    if (ss == NULL) {

        /*
         * Not stored: the edge may only be behind, and the next check make
         * this a session like others.
         */

        if (verdict == POCKET_HEIGHT_AHEAD) {
            *err = POCKET_ERR_SEALED;
            return POCKET_SESSION_REFUSE_AHEAD;
        }

        return POCKET_SESSION_SERVE;
    }

    pocket_session_reopen(ss, node);

    switch (ss->state) {

    case POCKET_SESSION_UNVALIDATED:

        if (conf->unvalidated_max
            && ss->recorded >= (int64_t) conf->unvalidated_max)
        {
            return POCKET_SESSION_WAIT;
        }

        return POCKET_SESSION_SERVE;

    case POCKET_SESSION_VALID:

        /*
         * Used up is told by the count alone: unlike in a session that the
         * node has ended, all that is queued will still be taken.
         */

        if (pocket_session_left(ss) == 0) {
            *err = POCKET_ERR_SEALED;
            return POCKET_SESSION_REFUSE;
        }

        return POCKET_SESSION_SERVE;

    default: /* POCKET_SESSION_INVALID */

        *err = pocket_error_by_code(ss->code);

        if (*err == POCKET_ERR_NONE) {
            *err = POCKET_ERR_SESSION_UNVERIFIED;
        }

        return POCKET_SESSION_REFUSE;
    }
}


void
pocket_session_recorded(pocket_session_t *ss)
{
    ss->recorded++;
    ss->queued++;
    ss->spent++;
}


int64_t
pocket_session_left(const pocket_session_t *ss)
{
    if (ss->quota == POCKET_SESSION_NO_COUNT) {
        return POCKET_SESSION_NO_COUNT;
    }

    return (ss->spent < ss->quota) ? ss->quota - ss->spent : 0;
}


int
pocket_session_due(pocket_session_t *ss, const pocket_node_status_t *node,
    int64_t now)
{
    /* a node out of service would judge the session by an old state */

    if (pocket_session_node_error(node) != POCKET_ERR_NONE) {
        return 0;
    }

    pocket_session_reopen(ss, node);

    return ss->state == POCKET_SESSION_UNVALIDATED
           && node->height >= ss->height
           && now >= ss->next_ask;
}


/*
 * A session that could not be verified is asked for again once the node
 * has answered a check; done when it is next looked at, so that a check
 * need not walk all sessions.
 */

static void
pocket_session_reopen(pocket_session_t *ss, const pocket_node_status_t *node)
{
    if (!ss->unverified || node->checked <= ss->invalid_at) {
        return;
    }

    ss->state = POCKET_SESSION_UNVALIDATED;
    ss->unverified = 0;
    ss->code = 0;
    ss->retries = 0;
    ss->next_ask = 0;
}


void
pocket_session_asked(pocket_session_t *ss, int64_t until)
{
    ss->next_ask = until;
}


void
pocket_session_answered(pocket_session_t *ss,
    const pocket_session_answer_t *answer, const pocket_session_conf_t *conf,
    int64_t now)
{
    if (ss->state != POCKET_SESSION_UNVALIDATED) {
        return;
    }

    switch (answer->class) {

    case POCKET_SESSION_ANSWER_VALID:

        /* the node has counted what was delivered, not what is on its way */

        ss->state = POCKET_SESSION_VALID;
        ss->quota = answer->remaining;
        ss->spent = ss->queued;
        break;

    case POCKET_SESSION_ANSWER_INVALID:
        pocket_session_invalidate(ss, answer->code, now);
        break;

    case POCKET_SESSION_ANSWER_RETRY:
        pocket_session_retry(ss, conf, now);
        break;

    default: /* POCKET_SESSION_ANSWER_NONE */

        /* it says nothing of the session, so it uses up no retry */

        ss->next_ask = now + POCKET_SESSION_WAIT_MS;
        break;
    }
}


static void
pocket_session_retry(pocket_session_t *ss, const pocket_session_conf_t *conf,
    int64_t now)
{
    if (ss->retries > conf->retry_max) {
        pocket_session_invalidate(ss, 1, now);
        ss->unverified = 1;
        return;
    }

    ss->retries++;
    ss->next_ask = now + (int64_t) ss->retries * POCKET_SESSION_WAIT_MS;
}


static void
pocket_session_invalidate(pocket_session_t *ss, uint32_t code, int64_t now)
{
    ss->state = POCKET_SESSION_INVALID;
    ss->unverified = 0;
    ss->code = code;
    ss->invalid_at = now;
}


void
pocket_session_restore(pocket_session_t *ss, uint32_t code, int64_t left,
    int64_t now)
{
    if (ss->state != POCKET_SESSION_UNVALIDATED) {
        return;
    }

    if (code) {
        pocket_session_invalidate(ss, code, now);
        return;
    }

    ss->state = POCKET_SESSION_VALID;
    ss->quota = left;
    ss->spent = 0;
}


void
pocket_session_count(pocket_session_t *ss, int64_t left)
{
    int64_t  known;

    if (ss->state != POCKET_SESSION_VALID || left == POCKET_SESSION_NO_COUNT) {
        return;
    }

    /* replies may pass one another on the way here, the count only falls */

    known = pocket_session_left(ss);

    if (known == POCKET_SESSION_NO_COUNT || left < known) {
        ss->quota = left;
        ss->spent = 0;
    }
}


void
pocket_session_end(pocket_session_t *ss, uint32_t code, int64_t now)
{
    /* the first error of the node stays, that of used up retries does not */

    if (ss->state == POCKET_SESSION_INVALID && !ss->unverified) {
        return;
    }

    pocket_session_invalidate(ss, code, now);
}


pocket_session_notify_e
pocket_session_notify(const pocket_session_t *ss,
    const pocket_node_status_t *node)
{
    /*
     * A relay delivered while the node is being asked would be counted twice
     * or not at all; one sent before the session's first block is refused.
     */

    if (ss->state == POCKET_SESSION_UNVALIDATED
        || node->height < ss->height)
    {
        return POCKET_SESSION_HOLD;
    }

    if (ss->state == POCKET_SESSION_INVALID && !ss->unverified) {
        return POCKET_SESSION_SEND_ONCE;
    }

    return POCKET_SESSION_SEND;
}


pocket_notify_class_e
pocket_session_notified(pocket_session_t *ss,
    const pocket_notify_answer_t *answer, uint32_t *code, int64_t now)
{
    *code = answer->code;

    switch (answer->class) {

    case POCKET_NOTIFY_SESSION_INVALID:
        pocket_session_end(ss, answer->code, now);
        break;

    case POCKET_NOTIFY_RETRY:

        /* without an answer the node may have the relay: it stays queued */

        if (!answer->answered || ss->state != POCKET_SESSION_INVALID
            || ss->unverified)
        {
            return POCKET_NOTIFY_RETRY;
        }

        *code = ss->code;
        pocket_session_settle(ss);

        return POCKET_NOTIFY_REFUSED;

    default: /* POCKET_NOTIFY_DELIVERED, POCKET_NOTIFY_REFUSED */
        break;
    }

    pocket_session_settle(ss);

    return answer->class;
}


void
pocket_session_expire_relay(pocket_session_t *ss)
{
    pocket_session_settle(ss);
}


/* a restored session may be told of relays that it has never counted */

static void
pocket_session_settle(pocket_session_t *ss)
{
    if (ss->queued > 0) {
        ss->queued--;
    }
}
