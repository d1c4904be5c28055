
/*
 * A deterministic simulation of choosing nodes: the pure ranking layer beside
 * other policies and beside an oracle, in one world with one seed.  No clock,
 * no I/O but the report.
 *
 * The world: nodes of operators, each with a latency of its own that drifts
 * and grows with what is in flight there, an allowance per session, faults.
 * Requests arrive at random; a try that fails is made again elsewhere, three
 * times in all.  Each policy has the same caps, allowances and probes.
 */


#ifndef _SIM_H_INCLUDED_
#define _SIM_H_INCLUDED_


#include "gateway_rank.h"


#define SIM_NODES       200
#define SIM_OPERATORS   32
#define SIM_TRIES       3
#define SIM_FAULTS      8

#define SIM_TICK        200.0              /* ms: fold and rank */
#define SIM_SECOND      1000.0             /* the world moves on */
#define SIM_SESSION     300000.0
#define SIM_WINDOW_PICKS 10000             /* shares of operators */
#define SIM_TIMEOUT     10000.0
#define SIM_SLOW        4000.0
#define SIM_PROBE       15000.0
#define SIM_CAP         0.4
#define SIM_ALLOWANCE   3.0                /* x an even share */
#define SIM_EARNING     60000.0            /* a newcomer's time to be found */
#define SIM_EARNED      240000.0           /* its share is that of so long */

#define SIM_NONE        ((uint32_t) -1)


typedef struct sim_s  sim_t;


typedef enum {
    SIM_WELL = 0,
    SIM_DEAD,                              /* refuses */
    SIM_HUNG,                              /* never answers */
    SIM_TURNED_SLOW,                       /* all answers take 4 s */
    SIM_BROKEN,                            /* 5xx at once */
    SIM_FLAKY,                             /* three of ten fail */
    SIM_ABSENT                             /* cannot be chosen yet */
} sim_state_e;


/* what is to be seen */

typedef enum {
    SIM_FAULTY = 0,                        /* nodes fail, and are slow */
    SIM_JOINING,                           /* nodes come that nobody knows */
    SIM_UNSEEN,                            /* nodes that got no first tries */
    SIM_MIXES
} sim_mix_e;


/* what happens to the node that is then the n-th fastest */

typedef struct {
    const char           *name;
    sim_state_e           state;
    double                from;            /* share of the run */
    double                to;
    uint32_t              rank;
    double                factor;          /* of latency, 0: none */

    uint32_t              node;            /* of this run */
    double                before;          /* its share of picks */
    double                out;             /* ms until it was unused */
    double                back;            /* ms until 80 % of before */
    double                picks;           /* of SIM_EARNED, and of all */
    double                all;
} sim_fault_t;


typedef struct {
    uint32_t              operator;
    sim_state_e           state;
    double                typical;         /* log of its median latency */
    double                current;
    double                sigma;
    double                capacity;        /* in flight, latency doubles */
    double                quota;           /* tries per s, 0: no limit */
    double                quota_left;
    double                spent;           /* of the session's allowance */
    double                tried_at;
    uint32_t              inflight;
    uint32_t              picked;          /* this window */
    double                latest;          /* share of this second's picks */
    double                recent;          /* of those of some seconds */
} sim_node_t;


typedef struct {
    double                begun;
    uint32_t              attempts;
    uint32_t              operators[SIM_TRIES];
} sim_request_t;


typedef struct {
    uint32_t              node;
    uint32_t              request;         /* or SIM_NONE: a probe */
    gateway_try_e         how;
    double                begun;
    unsigned              overdue:1;
} sim_try_t;


typedef struct {
    const char           *name;
    void                (*init)(sim_t *sim);
    void                (*tick)(sim_t *sim);
    uint32_t            (*pick)(sim_t *sim, sim_request_t *request);
    void                (*ended)(sim_t *sim, sim_try_t *try, double ms);
    double              (*patience)(sim_t *sim, uint32_t node);
} sim_policy_t;


typedef enum {
    SIM_ARRIVAL = 0,
    SIM_END,
    SIM_OVERDUE,
    SIM_TICKED,
    SIM_MOVED
} sim_event_e;


typedef struct {
    double                time;
    uint64_t              order;           /* of events of one moment */
    sim_event_e           type;
    uint32_t              try;
} sim_event_t;


/* What came of a run. */

typedef struct {
    double                p50;
    double                p90;
    double                p99;
    double                mean;
    double                first;           /* share of good first tries */
    double                success;         /* of requests, after retries */
    double                cap;             /* most of an operator, by windows */
    double                spent;           /* most of an allowance */
    uint32_t              nlatency;
    float                *latency;         /* sorted */
} sim_result_t;


struct sim_s {
    const sim_policy_t   *policy;
    void                 *data;            /* of the policy */
    double                now;
    double                length;          /* of the run, ms */
    double                rate;            /* requests per s, at present */
    double                mean_rate;
    sim_mix_e             mix;
    uint32_t              n;
    uint32_t              noperators;
    sim_node_t            nodes[SIM_NODES];
    sim_fault_t           faults[SIM_FAULTS];
    uint32_t              nfaults;
    double                session;         /* begun at */
    double                allowance;       /* of a node, tries */
    double                window_picks;
    double                window_share[SIM_OPERATORS];

    uint64_t              world;           /* seeds: of nodes and arrivals, */
    uint64_t              chance;          /* of tries, and of the policy */

    sim_event_t          *events;
    uint32_t              nevents;
    uint64_t              order;
    sim_try_t            *tries;
    uint32_t              ntries;
    uint32_t              free_try;
    sim_request_t        *requests;
    uint32_t              npicks;
    uint32_t              picks;
    uint64_t              good;            /* first tries */
    uint64_t              answered;

    gateway_rank_conf_t   rank;
    gateway_record_conf_t record;
    sim_result_t         *result;
};


/* sim_world.c */

/* n nodes, so many requests per s */
void sim_world_init(sim_t *sim, sim_mix_e mix, uint32_t n, double mean_rate,
    uint64_t seed);
void sim_world_move(sim_t *sim);
gateway_try_e sim_world_try(sim_t *sim, uint32_t node, double *ms);

/* mean latency of a node at so many tries per s, ms, and what may fail */
double sim_world_cost(sim_t *sim, uint32_t node, double rate);

/* the share of picks that a node's allowance, or its quota, leaves */
double sim_world_limit(sim_t *sim, uint32_t node);

/* may it be chosen: it is there, and has some of its allowance left */
int sim_world_usable(sim_t *sim, uint32_t node);

double sim_uniform(uint64_t *seed);
double sim_normal(uint64_t *seed);
uint64_t sim_random(uint64_t *seed);


/* sim_run.c */

/* Gives 0, or -1 without memory. */
int sim_run(sim_t *sim, const sim_policy_t *policy, sim_result_t *result);


/* sim_policy.c, sim_gateway.c */

extern const sim_policy_t  sim_policies[];

#define SIM_POLICIES     5

typedef enum {
    SIM_UNIFORM = 0,
    SIM_TIERED,
    SIM_GREEDY,
    SIM_ORACLE,
    SIM_GATEWAY
} sim_policy_e;

extern const sim_policy_t  sim_gateway_policy;


/* sim_plot.c: 0, or -1 with errno set */

int sim_plot(const char *path, sim_result_t results[][SIM_POLICIES],
    const uint32_t *nodes, uint32_t pools);


#endif /* _SIM_H_INCLUDED_ */
