
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define SIM_DRAWS     20
#define SIM_SLICE     1000
#define SIM_EPOCH     1000000              /* ms, of the records' clock */
#define SIM_CHECK     1


/* A gateway: what the module keeps in shared memory, for one chain. */

typedef struct {
    gateway_record_t      records[SIM_NODES];
    gateway_sample_t      fresh[SIM_NODES];
    gateway_factors_t     factors[SIM_NODES];
    gateway_tally_t       tallies[SIM_NODES];
    uint32_t              given[SIM_NODES];
    uint32_t              all;
    double                probed_at[SIM_NODES];
    double                paced[SIM_NODES];
    gateway_candidate_t   candidates[SIM_NODES];
    gateway_entry_t       entries[SIM_NODES];
    uint32_t              nentries;
    gateway_peers_t       peers;
    void                 *work;
} sim_gateway_t;


static void sim_gateway_init(sim_t *sim);
static void sim_gateway_tick(sim_t *sim);
static uint32_t sim_gateway_pick(sim_t *sim, sim_request_t *request);
static void sim_gateway_ended(sim_t *sim, sim_try_t *try, double ms);
static double sim_gateway_patience(sim_t *sim, uint32_t node);
static void sim_gateway_pace(sim_t *sim, sim_gateway_t *gateway, uint32_t i);
static void sim_gateway_check(sim_t *sim, sim_gateway_t *gateway, uint32_t i);
static int sim_gateway_tried(sim_t *sim, sim_request_t *request,
    uint32_t node);


const sim_policy_t  sim_gateway_policy = {
    "ours", sim_gateway_init, sim_gateway_tick, sim_gateway_pick,
    sim_gateway_ended, sim_gateway_patience
};


static void
sim_gateway_init(sim_t *sim)
{
    uint32_t        i;
    sim_gateway_t  *gateway;

    gateway = calloc(1, sizeof(sim_gateway_t) + gateway_rank_size(SIM_NODES));

    if (gateway == NULL) {
        abort();
    }

    sim->data = gateway;
    gateway->work = gateway + 1;
    sim->record.response_check = SIM_CHECK;

    for (i = 0; i < sim->n; i++) {
        gateway_record_init(&gateway->records[i], SIM_EPOCH);
        gateway->paced[i] = 1;
    }
}


static void
sim_gateway_tick(sim_t *sim)
{
    uint32_t              i;
    uint64_t              now;
    gateway_rank_t        rank;
    sim_gateway_t        *gateway;
    gateway_factors_t    *factors;
    gateway_candidate_t  *candidate;

    gateway = sim->data;
    now = SIM_EPOCH + sim->now;

    for (i = 0; i < sim->n; i++) {

        /* nobody knew of it before */

        if (sim->mix == SIM_JOINING && sim->nodes[i].state == SIM_ABSENT) {
            gateway_record_init(&gateway->records[i], now);
        }

        gateway_record_fold(&gateway->records[i], &sim->record,
                            &gateway->fresh[i], now);
        memset(&gateway->fresh[i], 0, sizeof(gateway_sample_t));

        factors = &gateway->factors[i];
        gateway_record_factors(&gateway->records[i], &sim->record,
                               &gateway->peers, now, factors);

        if (factors->excluded) {
            sim_gateway_check(sim, gateway, i);
        }

        sim_gateway_pace(sim, gateway, i);

        candidate = &gateway->candidates[i];
        gateway_rank_tally(&gateway->tallies[i], candidate->share,
                           gateway->given[i], gateway->all, SIM_TICK);
        gateway->given[i] = 0;

        candidate->node = i;
        candidate->operator = sim->nodes[i].operator;
        candidate->state = factors->excluded ? GATEWAY_CANDIDATE_OUT
                                             : GATEWAY_CANDIDATE_IN;

        if (!sim_world_usable(sim, i)) {
            candidate->state = GATEWAY_CANDIDATE_NEVER;
        }

        candidate->weight = gateway_rank_weight(&sim->rank, factors)
                            * gateway->paced[i];
        candidate->admitted = factors->ramp * factors->pace
                              * gateway->paced[i];
        candidate->known = factors->known;
        candidate->untried = factors->untried;
        candidate->tally = gateway->tallies[i];
        candidate->badness = factors->badness;
        candidate->latency = factors->latency;
    }

    gateway->all = 0;

    gateway_rank_begin(&rank, &sim->rank, gateway->candidates, sim->n,
                       gateway->entries, gateway->work);

    while (gateway_rank_slice(&rank, SIM_SLICE)) { /* void */ }

    gateway->nentries = rank.nentries;
    gateway->peers.latency = rank.typical;
}


/* an allowance is stretched only where it would not last */

static void
sim_gateway_pace(sim_t *sim, sim_gateway_t *gateway, uint32_t i)
{
    double  limit, share, paced;

    share = gateway->candidates[i].share;
    limit = sim_world_limit(sim, i);
    paced = gateway->paced[i];

    paced *= (share > limit) ? fmax(limit / share, 0.8) : 1.05;

    gateway->paced[i] = fmin(fmax(paced, 1e-6), 1);
}


/* the checks' part: a node that is out is probed, and passes if it answers */

static void
sim_gateway_check(sim_t *sim, sim_gateway_t *gateway, uint32_t i)
{
    double            ms;
    gateway_try_e     how;
    gateway_record_t *record;

    record = &gateway->records[i];

    if (sim->now - gateway->probed_at[i] < sim->record.probe_interval
        || SIM_EPOCH + sim->now < gateway->factors[i].until)
    {
        return;
    }

    gateway->probed_at[i] = sim->now;
    how = sim_world_try(sim, i, &ms);

    if (how == GATEWAY_TRY_OK) {
        gateway_record_pass(record, &sim->record, SIM_CHECK, ms,
                            SIM_EPOCH + sim->now);
    }
}


static uint32_t
sim_gateway_pick(sim_t *sim, sim_request_t *request)
{
    float             one, two;
    uint32_t          a, b, i, best;
    sim_gateway_t    *gateway;
    gateway_entry_t  *entries;

    gateway = sim->data;
    entries = gateway->entries;
    best = SIM_NONE;

    if (gateway->nentries == 0) {
        return SIM_NONE;
    }

    for (i = 0; i < SIM_DRAWS; i++) {
        a = gateway_rank_draw(entries, gateway->nentries,
                              sim_random(&sim->chance));
        b = gateway_rank_draw(entries, gateway->nentries,
                              sim_random(&sim->chance));

        if (sim_gateway_tried(sim, request, entries[a].node)) {
            a = b;
        }

        if (sim_gateway_tried(sim, request, entries[b].node)) {
            b = a;
        }

        one = gateway_rank_cost(&entries[a],
                                sim->nodes[entries[a].node].inflight);
        two = gateway_rank_cost(&entries[b],
                                sim->nodes[entries[b].node].inflight);
        best = entries[one <= two ? a : b].node;

        if (!sim_gateway_tried(sim, request, best)) {
            break;
        }
    }

    gateway->given[best]++;
    gateway->all++;

    return best;
}


static int
sim_gateway_tried(sim_t *sim, sim_request_t *request, uint32_t node)
{
    uint32_t  i;

    for (i = 0; i < request->attempts; i++) {
        if (request->operators[i] == sim->nodes[node].operator) {
            return 1;
        }
    }

    return 0;
}


static void
sim_gateway_ended(sim_t *sim, sim_try_t *try, double ms)
{
    double             known;
    uint64_t           latency;
    sim_gateway_t     *gateway;
    gateway_sample_t  *fresh;

    gateway = sim->data;
    known = gateway->factors[try->node].latency;
    fresh = &gateway->fresh[try->node];
    latency = ms + 0.5;

    fresh->tries[try->how]++;

    if (gateway_latency_counts(try->how, latency, known)) {
        fresh->latency[gateway_latency_bucket(latency)]++;
        fresh->latency_sum += gateway_latency_told(latency, known);
    }
}


static double
sim_gateway_patience(sim_t *sim, uint32_t node)
{
    sim_gateway_t  *gateway;

    gateway = sim->data;

    return gateway_record_patience(&gateway->records[node], &sim->record);
}
