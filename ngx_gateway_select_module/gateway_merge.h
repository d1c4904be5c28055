
/*
 * What one gateway has to tell of a node since it last shared the record, and
 * how that is added to the record all gateways share: pure arithmetic.  The
 * script of gateway_script.h does in Redis what gateway_record_merge() does
 * here, number by number.
 *
 * A delta is the difference of a record from the shared one it began with:
 * sums are added (they may be negative, where failures were forgiven), what
 * cannot be added is merged so that the order of merges does not matter.
 */


#ifndef _GATEWAY_MERGE_H_INCLUDED_
#define _GATEWAY_MERGE_H_INCLUDED_


#include "gateway_record.h"


/*
 * since tells one penalty of a slot from the next: the later one holds, and
 * of one and the same its end, else its latest until.  add and sub are the
 * checks it waits for since, and those that were passed.  since 0: nothing.
 */

typedef struct {
    uint64_t                   since;
    uint64_t                   until;
    uint64_t                   add;
    uint64_t                   sub;
} gateway_delta_penalty_t;


typedef struct {
    double                     tries;          /* as of stamp */
    double                     successes;
    double                     latency_sum;
    double                     agreed;
    double                     outvoted;
    double                     pace;           /* a factor */
    double                     latency[GATEWAY_LATENCY_BUCKETS];
    uint64_t                   stamp;
    uint64_t                   first_seen;
    uint64_t                   returned_at;    /* 0: as it was */
    uint32_t                   returns;
    int32_t                    run;
    uint64_t                   run_since;
    uint64_t                   height;         /* 0: as it was */
    uint64_t                   height_at;
    uint64_t                   total_tries;
    uint64_t                   total_successes;
    uint64_t                   cleared_at;     /* known of when it was found */
    uint64_t                   checked_at;     /* 0: as it was */
    uint64_t                   checked_by;
    uint64_t                   lacked_at[GATEWAY_ABILITIES];   /* the same */
    uint64_t                   able_at[GATEWAY_ABILITIES];
    uint64_t                   error_at;       /* 0: as it was */
    gateway_delta_penalty_t    penalties[GATEWAY_PENALTIES];
    uint32_t                   error_len;
    u_char                     error[GATEWAY_ERROR_LEN];
} gateway_delta_t;


/* The shared record of a node that nobody has shared yet. */

void gateway_record_blank(gateway_record_t *record, uint64_t stamp);


/* What the record has become since it was base. */

void gateway_delta_init(gateway_delta_t *delta, const gateway_record_t *record,
    const gateway_record_t *base, const gateway_record_conf_t *conf);


/*
 * Decays both to the later of their times, then adds.  now is the time of
 * whoever keeps the record: a delta of later is of a clock that is ahead.
 * Of a delta from before or soon after the record was cleared, by one who did
 * not know of that, nothing counts against the node but the tries.
 */

void gateway_record_merge(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta,
    uint64_t now);


/* As text for Redis, at most GATEWAY_DELTA_LEN bytes; gives the end. */

#define GATEWAY_DELTA_LEN        3072

u_char *gateway_delta_format(u_char *p, const gateway_delta_t *delta);


#endif /* _GATEWAY_MERGE_H_INCLUDED_ */
