
/*
 * Accounts: what became of the relays that were sent to each servicer in a
 * session, so that claims can be compared with it.  They stand in a table of
 * the zone, apart from the sessions' places, and outlive them: those of the
 * sessions that ended first give their room to new ones.
 */


#ifndef _NGX_GATEWAY_SELECT_ACCOUNT_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_ACCOUNT_H_INCLUDED_


#include "ngx_gateway_select_pick.h"


/*
 * Each relay that was sent becomes one of these, or none, when nothing of it
 * can have arrived.  A servicer claims the first three, and CODE_28; of the
 * next two it may.
 */

typedef enum {
    NGX_GATEWAY_SELECT_BECAME_ANSWERED = 0,    /* a caller has its answer */
    NGX_GATEWAY_SELECT_BECAME_CHECKS,          /* a check has */
    NGX_GATEWAY_SELECT_BECAME_REJECTED,        /* an answer for nobody */
    NGX_GATEWAY_SELECT_BECAME_CODE_28,         /* the chain failed: 28, 1 */
    NGX_GATEWAY_SELECT_BECAME_HEDGES,          /* another was quicker */
    NGX_GATEWAY_SELECT_BECAME_TIMEOUTS,        /* no whole answer came */
    NGX_GATEWAY_SELECT_BECAME_REFUSED,         /* any other code, and 429 */
    NGX_GATEWAY_SELECT_BECAME_NOTHING          /* it was not sent */
} ngx_gateway_select_became_e;


#define NGX_GATEWAY_SELECT_BECAMES  NGX_GATEWAY_SELECT_BECAME_NOTHING


/*
 * A servicer in a session.  Written with the zone's lock held, by the leader;
 * counts by any worker.
 */

typedef struct {
    ngx_atomic_t                   serial;     /* of who has the place */
    ngx_gateway_select_chain_sh_t *chain;
    uint64_t                       height;     /* of the session */
    ngx_uint_t                     served;     /* it has not ended */
    ngx_atomic_t                   counts[NGX_GATEWAY_SELECT_BECAMES];
    u_char                         app_key[2 * POCKET_PUBKEY_LEN];
    u_char                         key[2 * POCKET_PUBKEY_LEN];
} ngx_gateway_select_account_t;


/* Memory beyond n has not been touched yet. */

typedef struct {
    uint32_t                       n;
    uint32_t                       room;       /* for so many */
    uint32_t                       hand;       /* the next to be given away */
    ngx_gateway_select_account_t  *accounts;
} ngx_gateway_select_accounts_t;


/* That of one relay, which is counted once; account NULL: it is, or has none */

typedef struct {
    ngx_gateway_select_account_t  *account;
    ngx_atomic_uint_t              serial;
} ngx_gateway_select_account_ref_t;


/*
 * The nodes of a session have these seats now: each gets its account, what
 * was counted before is kept.  The lock is held; the leader.  NGX_DECLINED:
 * the table has no room for all, or the zone none for the table.
 */
ngx_int_t ngx_gateway_select_accounts_open(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);

/* The session ends, height and app_key are still there.  As above. */
void ngx_gateway_select_accounts_close(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);

/*
 * The account of a pick's node in its session.  Any worker, no lock; to be
 * called before it is looked whether the session still is the pick's.
 */
void ngx_gateway_select_account(ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_account_ref_t *ref);

/* Counts the relay, once: nothing is, where it was called before. */
void ngx_gateway_select_account_add(ngx_gateway_select_account_ref_t *ref,
    ngx_gateway_select_became_e became);

/* What an error with this code means for the servicer's claim. */
ngx_gateway_select_became_e ngx_gateway_select_account_code(
    ngx_uint_t code);


#endif /* _NGX_GATEWAY_SELECT_ACCOUNT_H_INCLUDED_ */
