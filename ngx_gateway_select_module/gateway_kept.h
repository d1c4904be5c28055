
/*
 * What is kept of an application for gateways that start: the texts of its
 * fields, and whether a session among them may still be used.  Pure; times
 * are wall clock ms.
 */


#ifndef _GATEWAY_KEPT_H_INCLUDED_
#define _GATEWAY_KEPT_H_INCLUDED_


#include "gateway_dispatch.h"


#define GATEWAY_KEPT_SCHEMA  1
#define GATEWAY_KEPT_LEN     (7 * sizeof("-9223372036854775808"))


/* The network, and the application's stake in it. */

typedef struct {
    int64_t              height;
    uint64_t             seen_at;          /* this height, for the first time */
    uint32_t             per_session;      /* blocks; 0: not known */
    uint32_t             block_time;       /* 0: not known */
    uint64_t             max_relays;
    uint32_t             nchains;
} gateway_kept_t;


/* Writes at most GATEWAY_KEPT_LEN bytes to p, gives the end of them. */
unsigned char *gateway_kept_format(unsigned char *p,
    const gateway_kept_t *kept);

/* 1; 0: of another schema, or no such text. */
int gateway_kept_parse(gateway_kept_t *kept, const pocket_str_t *text);

/*
 * A session, of memory of a, as gateway_dispatch_session() reads it.
 * POCKET_OK or POCKET_ERROR.
 */
int gateway_kept_session(const gateway_dispatch_t *dispatch,
    const pocket_str_t *app, const pocket_str_t *chain, pocket_str_t *text,
    pocket_alloc_t *a);

/*
 * 1: by the pace of its blocks the network is in the session that begins at
 * height, or not more than a block after it.
 */
unsigned gateway_kept_good(const gateway_kept_t *kept, int64_t height,
    uint64_t now);


#endif /* _GATEWAY_KEPT_H_INCLUDED_ */
