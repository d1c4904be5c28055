
/*
 * What dispatchers are asked and how they are read: pure.  An answer comes
 * from elsewhere, and so does the dispatch that a servicer returns: nothing
 * of it is believed that was not looked at.
 *
 * Readers give 1: read; 0: refused, *reason says why in words for a log;
 * POCKET_ERROR: no memory.  Strings are slices of the body or from a.
 */


#ifndef _GATEWAY_DISPATCH_H_INCLUDED_
#define _GATEWAY_DISPATCH_H_INCLUDED_


#include "pocket_base.h"


#define GATEWAY_DISPATCH_NODES   64
#define GATEWAY_DISPATCH_CHAINS  64
#define GATEWAY_DISPATCH_URL     511
#define GATEWAY_DISPATCH_KEY     (2 * POCKET_PUBKEY_LEN)

/* above this a height is nonsense */

#define GATEWAY_DISPATCH_HEIGHT_MAX  ((int64_t) 1 << 40)


typedef enum {
    GATEWAY_APP_UNKNOWN = 0,               /* not asked yet */
    GATEWAY_APP_STAKED,                    /* or still being unstaked */
    GATEWAY_APP_UNSTAKED                   /* not there, jailed or unstaked */
} gateway_app_status_e;


/* Of the application as the network knows it; chains are valid ids. */

typedef struct {
    gateway_app_status_e     status;
    uint64_t                 max_relays;
    uint32_t                 nchains;      /* of its stake: also those that */
    uint32_t                 n;            /*   are none, which n is without */
    pocket_str_t             chains[GATEWAY_DISPATCH_CHAINS];
} gateway_dispatch_app_t;


/* public_key in lower-case hex */

typedef struct {
    pocket_str_t             public_key;
    pocket_str_t             url;
} gateway_dispatch_node_t;


/*
 * listed is how many nodes the session has, also those that are not usable
 * (null, a bad key or URL, there twice): relays are divided by it.
 */

typedef struct {
    int64_t                  height;       /* of the session */
    int64_t                  block_height; /* of who told it, 0: not told */
    uint32_t                 listed;
    uint32_t                 n;
    gateway_dispatch_node_t  nodes[GATEWAY_DISPATCH_NODES];
} gateway_dispatch_t;


/* Bodies of requests; keys and addresses in hex.  POCKET_OK, POCKET_ERROR. */

int gateway_dispatch_app_body(const pocket_str_t *address, pocket_str_t *body,
    pocket_alloc_t *a);
int gateway_dispatch_session_body(const pocket_str_t *app,
    const pocket_str_t *chain, int64_t height, pocket_str_t *body,
    pocket_alloc_t *a);


/* /v1/query/height: at least 1. */
int gateway_dispatch_height(unsigned status, const pocket_str_t *body,
    int64_t *height, const char **reason, pocket_alloc_t *a);

/* /v1/query/param of pos/BlocksPerSession. */
int gateway_dispatch_blocks(unsigned status, const pocket_str_t *body,
    int64_t *blocks, const char **reason, pocket_alloc_t *a);

/*
 * /v1/query/app of the application with this public key.  An error that says
 * it does not exist is an answer: it is not staked.
 */
int gateway_dispatch_app(unsigned status, const pocket_str_t *body,
    const pocket_str_t *key, gateway_dispatch_app_t *app,
    const char **reason, pocket_alloc_t *a);

/*
 * /v1/client/dispatch, and the "dispatch" of a relay's error.  Refused is
 * what is not of this application and chain, or has no usable node; height 0
 * takes any session, else one of another height is refused as stale.
 */
int gateway_dispatch_session(const pocket_str_t *body,
    const pocket_str_t *app, const pocket_str_t *chain, int64_t height,
    gateway_dispatch_t *dispatch, const char **reason, pocket_alloc_t *a);


/*
 * Relays that one servicer of a session takes of an application: max_relays
 * by the number of its chains and by the session's nodes, rounded half to
 * even as the reference does (MaxPossibleRelays).
 */
uint64_t gateway_dispatch_allowance(uint64_t max_relays, uint32_t nchains,
    uint32_t nnodes);

/* 1: an id of a chain: 1 to 4 bytes in hex */
unsigned gateway_dispatch_is_chain(const pocket_str_t *id);


#endif /* _GATEWAY_DISPATCH_H_INCLUDED_ */
