
/*
 * What is known of one node of a chain, in one region: pure arithmetic, no
 * clock, no I/O.  A record outlives sessions, reloads and restarts; several
 * gateways add to it by increments (gateway_sample_t), never as a whole.
 *
 * Times are wall clock in ms (gateways of several hosts share a record),
 * latencies in ms; "now" is given by the caller and may step back: a record
 * never decays by a negative time.
 */


#ifndef _GATEWAY_RECORD_H_INCLUDED_
#define _GATEWAY_RECORD_H_INCLUDED_


#include "pocket_base.h"


/* upper bounds of latency buckets are 2^((i + 2) / 2) ms: 2 ms to 65 s */

#define GATEWAY_LATENCY_BUCKETS  32

#define GATEWAY_ERROR_LEN        100

/* of a node that answers nothing but quotas */

#define GATEWAY_PACE_MIN         0.001

/* ms in which a pace doubles: in some ten times as long all is forgotten */

#define GATEWAY_PACE_DOUBLES     5000.0


/*
 * How one try at a node ended, as it counts for the node; each try counts
 * once.  A fault of the caller is OK.  OVERDUE is counted as soon as a try
 * has lasted longer than gateway_record_patience(), before its end is known,
 * which then counts as LATE, however it ends.  CENSORED is a try that was
 * given up for no fault of the node: it tells a least latency.
 */

typedef enum {
    GATEWAY_TRY_OK = 0,
    GATEWAY_TRY_FAILED,                    /* answered, and wrongly */
    GATEWAY_TRY_LOST,                      /* refused, closed, timed out */
    GATEWAY_TRY_OVERDUE,
    GATEWAY_TRY_LATE,                      /* the end of an OVERDUE one */
    GATEWAY_TRY_CENSORED,
    GATEWAY_TRY_QUOTA,                     /* 429, -32005: paced */
    GATEWAY_TRIES
} gateway_try_e;


/*
 * Why a node is out, or less used.  Each reason has a slot of its own, so
 * that none shortens another (max-merged).
 */

typedef enum {
    GATEWAY_PENALTY_RESPONSE = 0,          /* fails, hangs, turned slow */
    GATEWAY_PENALTY_HEIGHT,                /* behind, or far too high */
    GATEWAY_PENALTY_DATA,                  /* outvoted on an identifier */
    GATEWAY_PENALTY_SIGNATURE,             /* of the servicer: wrong */
    GATEWAY_PENALTY_CHECK,                 /* chain_id, a configured check */
    GATEWAY_PENALTY_QUOTA,                 /* Retry-After: for a short time */
    GATEWAY_PENALTIES
} gateway_penalty_e;


/*
 * In force while now < until, and beyond while there are checks: each of
 * them must be passed after until.  until is 0 when it is over; since stays.
 */

#define GATEWAY_CHECKS_MAX       51        /* exact in Redis' numbers */

typedef struct {
    uint64_t             since;            /* 0: never */
    uint64_t             until;            /* not chosen before it */
    uint64_t             checks;           /* bits 1 << number of check */
} gateway_penalty_t;


/* What not every node has; classes of methods by which it is learned. */

typedef enum {
    GATEWAY_ABILITY_ARCHIVE = 0,
    GATEWAY_ABILITY_TRACE,
    GATEWAY_ABILITY_LOGS,
    GATEWAY_ABILITIES
} gateway_ability_e;


/* What happened since the last fold; sums of samples commute. */

typedef struct {
    uint32_t             tries[GATEWAY_TRIES];
    uint32_t             latency[GATEWAY_LATENCY_BUCKETS];
    uint32_t             agreed;           /* votes with the quorum */
    uint32_t             outvoted;
    uint64_t             latency_sum;      /* gateway_latency_told(), ms */
    uint64_t             height;           /* highest seen, 0: none */
    uint64_t             height_at;
} gateway_sample_t;


/*
 * Half-lives and bounds of a chain's records; all times in ms.
 *
 * A RESPONSE penalty begins by what is counted, never by one event: a run
 * grows by 1 with every FAILED, LOST and OVERDUE try, shrinks by 1 with every
 * OK one, not below 0; at eject_failures, and eject_after since it left 0,
 * the node is out.  So is whatever fails at least 2 of 3 tries after 20.
 */

typedef struct {
    uint32_t             half_life;        /* of tries and latency */
    uint32_t             votes_half_life;  /* of correctness */
    double               prior_tries;      /* weight of the prior */
    double               prior_success;
    double               prior_latency;    /* where no peer is known */
    double               first_tries;      /* tell what a new node is like */
    uint32_t             slow_start;       /* until a new node is full */
    double               slow_start_tries; /* or so many tries, if earlier */
    double               probation;        /* least share of full weight */
    uint32_t             eject_failures;
    uint32_t             eject_after;
    uint32_t             eject_time;       /* least RESPONSE penalty */
    uint32_t             response_check;   /* ends it, 0: time alone, which
                                              doubles with each return */
    uint32_t             patience;         /* no try is overdue before */
    uint32_t             probe_interval;   /* of an ejected node */
    uint32_t             height_tolerance; /* blocks */
} gateway_record_conf_t;


typedef struct {
    double               tries;            /* decayed */
    double               successes;
    double               latency[GATEWAY_LATENCY_BUCKETS];
    double               latency_sum;
    double               agreed;
    double               outvoted;
    double               pace;             /* of quota, 1: unhindered */
    uint64_t             stamp;            /* decayed up to */
    uint64_t             first_seen;
    uint64_t             returned_at;      /* slow start begins, 0: never */
    uint32_t             returns;          /* lengthens the slow start */
    uint32_t             run;              /* see gateway_record_conf_t */
    uint64_t             run_since;
    uint64_t             height;
    uint64_t             height_at;
    gateway_penalty_t    penalties[GATEWAY_PENALTIES];
    uint64_t             total_tries;      /* never decayed */
    uint64_t             total_successes;
    uint64_t             cleared_at;       /* older evidence is void */
    uint64_t             checked_at;       /* somebody saw to its checks, */
    uint64_t             checked_by;       /*   and who did; see _checker.h */
    uint64_t             lacked_at[GATEWAY_ABILITIES];
    uint64_t             able_at[GATEWAY_ABILITIES];
    uint64_t             error_at;
    uint32_t             error_len;
    u_char               error[GATEWAY_ERROR_LEN];
} gateway_record_t;


/* What is known of all nodes of the chain together; zero what is not. */

typedef struct {
    uint64_t             height;           /* the reference height */
    uint32_t             block_time;       /* ms */
    double               latency;          /* gateway_rank_t: typical, ms */
} gateway_peers_t;


/*
 * The factors of a weight, each in (0, 1] but latency, which is in ms; and
 * what keeps the node out, if anything does.
 */

typedef struct {
    double               success;
    double               correctness;
    double               liveliness;
    double               latency;
    double               ramp;             /* slow start, doubt, probation */
    double               pace;             /* of quota */
    double               known;            /* of the latency: 0, by nobody */
    double               untried;          /* 1: never, 0: often enough */
    double               badness;          /* orders those that are out */
    uint32_t             excluded;         /* bits 1 << gateway_penalty_e */
    uint64_t             until;            /* latest of these penalties */
} gateway_factors_t;


/* What the simulation found best (t/sim); the only place of these numbers. */

extern const gateway_record_conf_t  gateway_record_defaults;


/* A record never seen before; now becomes its first_seen. */

void gateway_record_init(gateway_record_t *record, uint64_t now);


/*
 * Decays to now, then adds the sample; may begin a RESPONSE penalty, and ends
 * those that time alone ends: to be called, with an empty sample too, before
 * gateway_record_factors().
 */

void gateway_record_fold(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_sample_t *sample,
    uint64_t now);


/*
 * The two steps of a fold that a merge needs, too: where now is long before
 * what the record was decayed up to, all its times move back; and the decay
 * up to now, with the recovery of the pace.
 */

void gateway_record_clock(gateway_record_t *record, uint64_t now);
void gateway_record_decay(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now);


/* Adds one sample to another. */

void gateway_sample_add(gateway_sample_t *sample,
    const gateway_sample_t *other);


/*
 * Excludes the node for the reason until then at least; check is the number
 * (1 to GATEWAY_CHECKS_MAX) of the check that must pass before it returns, 0:
 * time alone.  What is in force for the reason is never shortened, and all
 * its checks must pass.  QUOTA is time alone, and a minute at most.
 * text, at most GATEWAY_ERROR_LEN bytes of it, becomes the last error; NULL:
 * none.
 */

void gateway_record_punish(gateway_record_t *record, gateway_penalty_e reason,
    uint64_t until, uint32_t check, const pocket_str_t *text, uint64_t now);


/*
 * The check was passed, in latency ms: ends the penalties that waited for it
 * and whose time is over, begins the slow start.  A node that was out for its
 * RESPONSE is forgiven the failures, and latencies far above this one or its
 * usual ones; it stays out if the check itself took far longer than these.
 * Gives the bits of the penalties ended.
 */

uint32_t gateway_record_pass(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint32_t check, uint64_t latency,
    uint64_t now);


/*
 * Ends all penalties, whatever slows the node's start, and what it was found
 * to lack (admin clear).  What others find meanwhile, who do not know of it
 * yet, does not count against the node: see gateway_record_merge().
 */

void gateway_record_clear(gateway_record_t *record, uint64_t now);


/*
 * Until when a node is taken for lacking an ability, which it was last found
 * to lack, and to have, at these times (0: never); 0: it is not.
 */

uint64_t gateway_record_lacking(uint64_t lacked_at, uint64_t able_at,
    uint64_t now);


/* What a weight is made of, at this time. */

void gateway_record_factors(const gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_peers_t *peers,
    uint64_t now, gateway_factors_t *factors);


/* A quantile q (0 to 1) of the latency in ms; conf's prior without tries. */

double gateway_record_quantile(const gateway_record_t *record,
    const gateway_record_conf_t *conf, double q);


/* A try that lasts longer than so many ms is OVERDUE; by the own p99. */

uint64_t gateway_record_patience(const gateway_record_t *record,
    const gateway_record_conf_t *conf);


/* The bucket a latency falls into. */

uint32_t gateway_latency_bucket(uint64_t ms);


/*
 * Whether the duration of a try goes into the buckets of a sample: that of
 * a good one does, and that of one without an end if it lasted longer than
 * the latency which is known of the node (gateway_factors_t).
 */

int gateway_latency_counts(gateway_try_e how, uint64_t ms, double known);

/*
 * What such a duration adds to the sample's sum: no more than some times of
 * what is known, so that one heavy query does not turn away a fast node.
 */

uint64_t gateway_latency_told(uint64_t ms, double known);


/*
 * The record as a row for Redis and back, numbers in decimal text separated
 * by spaces, with a version at its head; parse: POCKET_ERROR for a row of
 * another version or with a number out of its bounds, *record untouched.
 * format writes at most GATEWAY_RECORD_ROW_LEN bytes and gives the end.
 */

#define GATEWAY_RECORD_ROW_LEN   2048

u_char *gateway_record_format(u_char *p, const gateway_record_t *record);
int gateway_record_parse(gateway_record_t *record, const pocket_str_t *row);

/* A number of a row, at most 20 digits; gives the end. */
u_char *gateway_row_number(u_char *p, uint64_t n);


extern const char  *gateway_penalty_names[GATEWAY_PENALTIES];


#endif /* _GATEWAY_RECORD_H_INCLUDED_ */
