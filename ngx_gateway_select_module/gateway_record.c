
#include "gateway_record.h"

#include <math.h>
#include <string.h>


/* no factor is below it, so that none hides all the others */
#define GATEWAY_FACTOR_MIN      0.01

/* votes with the quorum that a record begins with */
#define GATEWAY_VOTES_PRIOR     16.0

/* one that took so many times longer than is usual counts as so many */
#define GATEWAY_LATENCY_TAIL    8.0

/*
 * What a return disproves: latencies so many times longer than the check that
 * was passed, and so many buckets beyond the median, which is four times.
 */
#define GATEWAY_LATENCY_PROVEN  4.0
#define GATEWAY_BUCKETS_PROVEN  4

/* a check that takes no longer is passed in time, whatever is usual */
#define GATEWAY_TIMELY          0.25           /* of the patience */

/* samples of latency that are left to a node that returns, at most */
#define GATEWAY_LATENCY_KEPT    20.0

#define GATEWAY_PATIENCE        1.25           /* of p99 */

#define GATEWAY_PACE_LOSS       0.5            /* in a fold, at most */
#define GATEWAY_QUOTA_MAX       60000

#define GATEWAY_EJECT_MAX       600000
#define GATEWAY_RETURNS_MAX     6              /* slow start x 32 */
#define GATEWAY_RETURNS_FORGET  3600000        /* ms without a penalty */

/* clocks of hosts differ by less; more: ours stepped back */
#define GATEWAY_CLOCK_STEP      60000

#define GATEWAY_LATENCY_MAX     92681.9        /* of the last bucket */

#define GATEWAY_LACKS_FORGET    600000         /* ms */


static void gateway_record_add(gateway_record_t *record,
    const gateway_sample_t *sample);
static int gateway_record_distrusted(const gateway_record_t *record);
static void gateway_record_paced(gateway_record_t *record,
    const gateway_sample_t *sample);
static void gateway_record_run(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_sample_t *sample,
    uint64_t now);
static void gateway_record_eject(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now);
static void gateway_record_expire(gateway_record_t *record, uint64_t now);
static void gateway_record_ended(gateway_record_t *record, uint32_t ended,
    uint64_t latency, uint64_t now);
static void gateway_record_forgive(gateway_record_t *record,
    uint64_t latency);
static int gateway_record_timely(const gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t latency);
static uint32_t gateway_record_median(const gateway_record_t *record);
static double gateway_record_samples(const gateway_record_t *record);
static double gateway_record_liveliness(const gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_peers_t *peers,
    uint64_t now);
static double gateway_record_ramp(const gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now);
static double gateway_record_pace(const gateway_record_t *record,
    uint64_t now);
static void gateway_record_excluded(const gateway_record_t *record,
    uint64_t now, gateway_factors_t *factors);
static int gateway_penalty_in_force(const gateway_penalty_t *penalty,
    uint64_t now);
static double gateway_latency_middle(uint32_t bucket);
static double gateway_decay(uint64_t from, uint64_t now, uint32_t half_life);
static double gateway_bound(double value);


const char  *gateway_penalty_names[GATEWAY_PENALTIES] = {
    "response", "height", "data", "signature", "check", "quota"
};


const gateway_record_conf_t  gateway_record_defaults = {
    .half_life = 20000,
    .votes_half_life = 6 * 3600 * 1000,
    .prior_tries = 4,
    .prior_success = 0.98,
    .prior_latency = 200,
    .first_tries = 8,
    .slow_start = 30000,
    .slow_start_tries = 100,
    .probation = 0.1,
    .eject_failures = 10,
    .eject_after = 1000,
    .eject_time = 5000,
    .response_check = 0,
    .patience = 1000,
    .probe_interval = 15000,
    .height_tolerance = 5
};


/* how bad it is to use a node that is out for the reason, after all */

static const double  gateway_penalty_badness[GATEWAY_PENALTIES] = {
    2, 3, 5, 6, 4, 1
};


/* upper bounds of the buckets, ms */

static const double  gateway_latency_bounds[GATEWAY_LATENCY_BUCKETS] = {
    2, 2.828, 4, 5.657, 8, 11.314, 16, 22.627, 32, 45.255, 64, 90.510, 128,
    181.02, 256, 362.04, 512, 724.08, 1024, 1448.2, 2048, 2896.3, 4096,
    5792.6, 8192, 11585.2, 16384, 23170.5, 32768, 46341, 65536,
    GATEWAY_LATENCY_MAX
};


void
gateway_record_init(gateway_record_t *record, uint64_t now)
{
    memset(record, 0, sizeof(gateway_record_t));

    record->pace = 1;
    record->stamp = now;
    record->first_seen = now;
}


void
gateway_record_fold(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_sample_t *sample,
    uint64_t now)
{
    static const gateway_sample_t  empty;

    gateway_record_clock(record, now);
    gateway_record_expire(record, now);

    /* what stands still is decayed by those who read it */

    if (memcmp(sample, &empty, sizeof(gateway_sample_t)) != 0) {
        gateway_record_decay(record, conf, now);
        gateway_record_add(record, sample);
        gateway_record_paced(record, sample);
        gateway_record_run(record, conf, sample, now);
    }

    gateway_record_eject(record, conf, now);
}


/* The clock stepped back: all that was told before moves with it. */

void
gateway_record_clock(gateway_record_t *record, uint64_t now)
{
    uint64_t    shift;
    uint64_t   *times[7 + 2 * GATEWAY_PENALTIES + 2 * GATEWAY_ABILITIES];
    uint32_t    i, n;

    if (record->stamp <= now + GATEWAY_CLOCK_STEP) {
        return;
    }

    shift = record->stamp - now;
    n = 0;

    times[n++] = &record->first_seen;
    times[n++] = &record->returned_at;
    times[n++] = &record->run_since;
    times[n++] = &record->height_at;
    times[n++] = &record->error_at;
    times[n++] = &record->cleared_at;
    times[n++] = &record->checked_at;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        times[n++] = &record->penalties[i].since;
        times[n++] = &record->penalties[i].until;
    }

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        times[n++] = &record->lacked_at[i];
        times[n++] = &record->able_at[i];
    }

    for (i = 0; i < n; i++) {
        if (*times[i] != 0) {
            *times[i] = (*times[i] > shift) ? *times[i] - shift : 1;
        }
    }

    record->stamp = now;
}


void
gateway_record_decay(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now)
{
    double    decay, votes;
    uint32_t  i;

    if (now <= record->stamp) {
        return;
    }

    decay = gateway_decay(record->stamp, now, conf->half_life);
    votes = gateway_decay(record->stamp, now, conf->votes_half_life);

    record->tries *= decay;
    record->successes *= decay;
    record->latency_sum *= decay;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        record->latency[i] *= decay;
    }

    record->agreed *= votes;
    record->outvoted *= votes;

    record->pace = gateway_record_pace(record, now);
    record->stamp = now;
}


static void
gateway_record_add(gateway_record_t *record, const gateway_sample_t *sample)
{
    uint32_t         i;
    uint64_t         tries;
    const uint32_t  *n;

    n = sample->tries;

    tries = (uint64_t) n[GATEWAY_TRY_OK] + n[GATEWAY_TRY_FAILED]
            + n[GATEWAY_TRY_LOST] + n[GATEWAY_TRY_OVERDUE];

    record->tries += tries;
    record->successes += n[GATEWAY_TRY_OK];
    record->total_tries += tries;
    record->total_successes += n[GATEWAY_TRY_OK];

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        record->latency[i] += sample->latency[i];
    }

    record->latency_sum += sample->latency_sum;
    record->agreed += sample->agreed;

    /* what keeps it out already is held against it once */

    if (!gateway_record_distrusted(record)) {
        record->outvoted += sample->outvoted;
    }

    if (sample->height > record->height
        || (sample->height != 0 && sample->height_at > record->height_at))
    {
        record->height = sample->height;
        record->height_at = sample->height_at;
    }
}


static int
gateway_record_distrusted(const gateway_record_t *record)
{
    return record->penalties[GATEWAY_PENALTY_DATA].until != 0
           || record->penalties[GATEWAY_PENALTY_SIGNATURE].until != 0;
}


/*
 * Smooth instead of a saw-tooth: the pace settles where it loses by quota
 * answers what it gains by time.
 */

static void
gateway_record_paced(gateway_record_t *record,
    const gateway_sample_t *sample)
{
    double  quota, tries;

    quota = sample->tries[GATEWAY_TRY_QUOTA];

    if (quota == 0) {
        return;
    }

    tries = quota + sample->tries[GATEWAY_TRY_OK]
            + sample->tries[GATEWAY_TRY_FAILED];

    record->pace *= 1 - fmin(quota / tries, GATEWAY_PACE_LOSS);

    if (record->pace < GATEWAY_PACE_MIN) {
        record->pace = GATEWAY_PACE_MIN;
    }
}


static void
gateway_record_run(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_sample_t *sample,
    uint64_t now)
{
    uint64_t  bad, good, patience;

    /* ends of tries begun before the penalty say nothing new */

    if (record->penalties[GATEWAY_PENALTY_RESPONSE].until != 0) {
        return;
    }

    bad = (uint64_t) sample->tries[GATEWAY_TRY_FAILED]
          + sample->tries[GATEWAY_TRY_LOST]
          + sample->tries[GATEWAY_TRY_OVERDUE];
    good = sample->tries[GATEWAY_TRY_OK];

    if (bad != 0 && record->run == 0) {
        record->run_since = now;

        /* overdue tries were bad before they were counted */

        patience = gateway_record_patience(record, conf);

        if (sample->tries[GATEWAY_TRY_OVERDUE] != 0 && patience < now) {
            record->run_since -= patience;
        }
    }

    bad += record->run;

    if (bad <= good) {
        record->run = 0;
        record->run_since = 0;
        return;
    }

    bad -= good;

    record->run = (bad < conf->eject_failures) ? bad : conf->eject_failures;
}


static void
gateway_record_eject(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now)
{
    uint64_t  time;

    if (record->run == 0 || record->run < conf->eject_failures
        || now < record->run_since + conf->eject_after)
    {
        return;
    }

    time = conf->eject_time;

    if (conf->response_check == 0) {
        time <<= record->returns;

        if (time > GATEWAY_EJECT_MAX) {
            time = GATEWAY_EJECT_MAX;
        }
    }

    gateway_record_punish(record, GATEWAY_PENALTY_RESPONSE, now + time,
                          conf->response_check, NULL, now);
}


void
gateway_record_punish(gateway_record_t *record, gateway_penalty_e reason,
    uint64_t until, uint32_t check, const pocket_str_t *text, uint64_t now)
{
    gateway_penalty_t  *penalty;

    penalty = &record->penalties[reason];

    if (reason == GATEWAY_PENALTY_QUOTA) {
        check = 0;

        if (until > now + GATEWAY_QUOTA_MAX) {
            until = now + GATEWAY_QUOTA_MAX;
        }

    } else if (record->returned_at != 0
               && now > record->returned_at + GATEWAY_RETURNS_FORGET)
    {
        record->returns = 0;
    }

    if (penalty->until == 0) {
        penalty->since = now;
        penalty->checks = 0;
    }

    if (until < now) {
        until = now;
    }

    if (until > penalty->until) {
        penalty->until = until;
    }

    if (check != 0 && check <= GATEWAY_CHECKS_MAX) {
        penalty->checks |= (uint64_t) 1 << check;
    }

    if (reason == GATEWAY_PENALTY_RESPONSE) {
        record->run = 0;
        record->run_since = 0;
    }

    if (text != NULL) {
        record->error_at = now;
        record->error_len = (text->len < GATEWAY_ERROR_LEN)
                            ? text->len : GATEWAY_ERROR_LEN;
        memcpy(record->error, text->data, record->error_len);
    }
}


uint32_t
gateway_record_pass(gateway_record_t *record,
    const gateway_record_conf_t *conf, uint32_t check, uint64_t latency,
    uint64_t now)
{
    uint64_t            bit;
    uint32_t            i, ended;
    gateway_penalty_t  *penalty;

    if (check == 0 || check > GATEWAY_CHECKS_MAX) {
        return 0;
    }

    bit = (uint64_t) 1 << check;
    ended = 0;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        penalty = &record->penalties[i];

        if (!(penalty->checks & bit) || now < penalty->until) {
            continue;
        }

        if (i == GATEWAY_PENALTY_RESPONSE
            && !gateway_record_timely(record, conf, latency))
        {
            continue;
        }

        penalty->checks &= ~bit;

        if (penalty->checks == 0) {
            penalty->until = 0;
            ended |= 1 << i;
        }
    }

    gateway_record_ended(record, ended, latency, now);

    return ended;
}


static void
gateway_record_expire(gateway_record_t *record, uint64_t now)
{
    uint32_t            i, ended;
    gateway_penalty_t  *penalty;

    ended = 0;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        penalty = &record->penalties[i];

        if (penalty->until != 0 && !gateway_penalty_in_force(penalty, now)) {
            penalty->until = 0;
            ended |= 1 << i;
        }
    }

    gateway_record_ended(record, ended, 0, now);
}


static void
gateway_record_ended(gateway_record_t *record, uint32_t ended,
    uint64_t latency, uint64_t now)
{
    uint32_t  i;

    if (ended & (1 << GATEWAY_PENALTY_RESPONSE)) {
        gateway_record_forgive(record, latency);
    }

    ended &= ~(1 << GATEWAY_PENALTY_QUOTA);

    if (ended == 0) {
        return;
    }

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        if (i != GATEWAY_PENALTY_QUOTA && record->penalties[i].until != 0) {
            return;
        }
    }

    record->returned_at = now;

    if (record->returns < GATEWAY_RETURNS_MAX) {
        record->returns++;
    }
}


/*
 * Slow start is what a node pays for having failed; were its failures kept,
 * it would pay twice, and latencies of its bad time would keep it unused long
 * after it is fast again.  Latency 0: nothing was proven, nothing is known.
 */

static void
gateway_record_forgive(gateway_record_t *record, uint64_t latency)
{
    double    n, sum, part;
    uint32_t  i, last, usual;

    record->tries = record->successes;
    record->run = 0;
    record->run_since = 0;

    last = gateway_latency_bucket(latency * GATEWAY_LATENCY_PROVEN);
    usual = gateway_record_median(record) + GATEWAY_BUCKETS_PROVEN;

    if (last > usual) {
        last = usual;
    }

    n = 0;
    sum = 0;

    for (i = 0; i <= last && i < GATEWAY_LATENCY_BUCKETS; i++) {
        n += record->latency[i];
        sum += record->latency[i] * gateway_latency_middle(i);
    }

    if (latency == 0 || n == 0) {
        memset(record->latency, 0, sizeof(record->latency));
        record->latency[gateway_latency_bucket(latency)] = (latency != 0);
        record->latency_sum = latency;
        return;
    }

    /* buckets are rough: what comes now tells more than all of them */

    part = (n > GATEWAY_LATENCY_KEPT) ? GATEWAY_LATENCY_KEPT / n : 1;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        record->latency[i] *= (i <= last) ? part : 0;
    }

    record->latency_sum = sum * part;
}


/*
 * A node that still hangs, or still is slow, answers a check, too.  In time
 * its checks alone are what is usual: then it returns as what it is now.
 */

static int
gateway_record_timely(const gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t latency)
{
    return latency <= GATEWAY_TIMELY * conf->patience
           || gateway_latency_bucket(latency)
              <= gateway_record_median(record) + GATEWAY_BUCKETS_PROVEN;
}


static uint32_t
gateway_record_median(const gateway_record_t *record)
{
    double    n;
    uint32_t  i;

    n = gateway_record_samples(record) / 2;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS - 1; i++) {
        n -= record->latency[i];

        if (n <= 0) {
            break;
        }
    }

    return i;
}


void
gateway_record_clear(gateway_record_t *record, uint64_t now)
{
    uint32_t  i, ended;

    ended = 0;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        if (record->penalties[i].until != 0) {
            ended |= 1 << i;
        }

        /* those that others have given by now do not come back with theirs */

        record->penalties[i].since = now;
        record->penalties[i].until = 0;
        record->penalties[i].checks = 0;
    }

    gateway_record_ended(record, ended, 0, now);

    record->returned_at = 0;
    record->returns = 0;
    record->run = 0;
    record->run_since = 0;
    record->pace = 1;
    record->cleared_at = now;

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        record->able_at[i] = (record->lacked_at[i] > now)
                             ? record->lacked_at[i] : now;
    }
}


uint64_t
gateway_record_lacking(uint64_t lacked_at, uint64_t able_at, uint64_t now)
{
    if (lacked_at <= able_at) {
        return 0;
    }

    /* of a clock that stepped back */

    if (lacked_at > now + GATEWAY_LACKS_FORGET) {
        return 0;
    }

    lacked_at += GATEWAY_LACKS_FORGET;

    return (lacked_at > now) ? lacked_at : 0;
}


void
gateway_record_factors(const gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_peers_t *peers,
    uint64_t now, gateway_factors_t *factors)
{
    double  decay, votes, prior, latency, samples;

    decay = gateway_decay(record->stamp, now, conf->half_life);
    votes = gateway_decay(record->stamp, now, conf->votes_half_life);
    prior = conf->prior_tries;

    factors->success = gateway_bound(
        (record->successes * decay + prior * conf->prior_success)
        / (record->tries * decay + prior));

    factors->correctness = gateway_bound(
        (record->agreed * votes + GATEWAY_VOTES_PRIOR)
        / ((record->agreed + record->outvoted) * votes
           + GATEWAY_VOTES_PRIOR));

    factors->liveliness = gateway_record_liveliness(record, conf, peers, now);

    /* the mean: the share of long answers is what callers feel */

    latency = (peers->latency > 0) ? peers->latency : conf->prior_latency;

    samples = gateway_record_samples(record) * decay;

    factors->latency = (record->latency_sum * decay + prior * latency)
                       / (samples + prior);
    factors->known = samples / (samples + prior);

    factors->ramp = gateway_record_ramp(record, conf, now);
    factors->pace = gateway_record_pace(record, now);

    /* quota answers are no tries: who gives nothing else is left alone */

    factors->untried = (record->total_tries < conf->first_tries)
                       ? 1 - record->total_tries / conf->first_tries : 0;
    factors->untried *= factors->pace;

    gateway_record_excluded(record, now, factors);
}


/*
 * Heights are of different moments: what the chain has grown since the node
 * told its height is no lag, and neither is one block, which is just coming.
 */

static double
gateway_record_liveliness(const gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_peers_t *peers,
    uint64_t now)
{
    double  behind, tolerance;

    if (record->height == 0 || peers->height <= record->height
        || peers->block_time == 0)
    {
        return 1;
    }

    behind = (double) (peers->height - record->height) - 1;

    if (now > record->height_at) {
        behind -= (double) (now - record->height_at) / peers->block_time;
    }

    if (behind <= 0) {
        return 1;
    }

    tolerance = conf->height_tolerance ? conf->height_tolerance : 1;

    return gateway_bound(tolerance / (tolerance + behind));
}


static double
gateway_record_ramp(const gateway_record_t *record,
    const gateway_record_conf_t *conf, uint64_t now)
{
    double  ramp, tried, length;

    ramp = 1;

    if (conf->slow_start != 0) {
        ramp = (now > record->first_seen)
               ? (double) (now - record->first_seen) / conf->slow_start : 0;
        tried = record->total_tries / conf->slow_start_tries;

        if (ramp < tried) {
            ramp = tried;
        }

        if (ramp > 1) {
            ramp = 1;
        }
    }

    if (conf->slow_start != 0 && record->returned_at != 0
        && record->returns != 0)
    {
        length = ldexp(conf->slow_start, record->returns - 1);

        if (now < record->returned_at + length) {
            ramp *= (now > record->returned_at)
                    ? (now - record->returned_at) / length : 0;
        }
    }

    /* doubt: less and less is risked on a node that may be failing */

    if (conf->eject_failures != 0) {
        ramp *= 1 - (double) record->run / conf->eject_failures;
    }

    return (ramp > conf->probation) ? ramp : conf->probation;
}


static double
gateway_record_pace(const gateway_record_t *record, uint64_t now)
{
    double  pace;

    if (record->pace >= 1 || now <= record->stamp) {
        return record->pace;
    }

    pace = record->pace
           * exp2((now - record->stamp) / GATEWAY_PACE_DOUBLES);

    return (pace < 1) ? pace : 1;
}


static void
gateway_record_excluded(const gateway_record_t *record, uint64_t now,
    gateway_factors_t *factors)
{
    double                    badness;
    uint32_t                  i;
    const gateway_penalty_t  *penalty;

    factors->excluded = 0;
    factors->until = 0;
    factors->badness = 0;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        penalty = &record->penalties[i];

        if (!gateway_penalty_in_force(penalty, now)) {
            continue;
        }

        badness = gateway_penalty_badness[i];
        factors->excluded |= 1 << i;

        if (factors->until < penalty->until) {
            factors->until = penalty->until;
        }

        if (factors->badness < badness) {
            factors->badness = badness;
        }
    }

    /* alike otherwise, the better is the one that failed less */

    if (factors->excluded) {
        factors->badness += 1 - factors->success;
    }
}


static double
gateway_record_samples(const gateway_record_t *record)
{
    double    n;
    uint32_t  i;

    n = 0;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        n += record->latency[i];
    }

    return n;
}


double
gateway_record_quantile(const gateway_record_t *record,
    const gateway_record_conf_t *conf, double q)
{
    double    n, from;
    uint32_t  i;

    n = gateway_record_samples(record);

    /* decayed to nothing */

    if (n < 1e-6) {
        return conf->prior_latency;
    }

    n *= q;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS - 1; i++) {
        if (n <= record->latency[i]) {
            break;
        }

        n -= record->latency[i];
    }

    from = (i == 0) ? 0 : gateway_latency_bounds[i - 1];

    if (n > record->latency[i]) {
        n = record->latency[i];
    }

    return (record->latency[i] > 0)
           ? from + (gateway_latency_bounds[i] - from) * n / record->latency[i]
           : from;
}


uint64_t
gateway_record_patience(const gateway_record_t *record,
    const gateway_record_conf_t *conf)
{
    double  patience;

    patience = GATEWAY_PATIENCE * gateway_record_quantile(record, conf, 0.99);

    return (patience > conf->patience) ? patience : conf->patience;
}


void
gateway_sample_add(gateway_sample_t *sample, const gateway_sample_t *other)
{
    uint32_t  i;

    for (i = 0; i < GATEWAY_TRIES; i++) {
        sample->tries[i] += other->tries[i];
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        sample->latency[i] += other->latency[i];
    }

    sample->agreed += other->agreed;
    sample->outvoted += other->outvoted;
    sample->latency_sum += other->latency_sum;

    if (other->height_at > sample->height_at
        || (other->height_at == sample->height_at
            && other->height > sample->height))
    {
        sample->height = other->height;
        sample->height_at = other->height_at;
    }
}


/* twice the binary logarithm, rounded up, less 2 */

uint32_t
gateway_latency_bucket(uint64_t ms)
{
    uint32_t  bits;

    if (ms <= 2) {
        return 0;
    }

    if (ms > 65536) {
        return GATEWAY_LATENCY_BUCKETS - 1;
    }

    bits = 63 - __builtin_clzll(ms);

    if (ms == (uint64_t) 1 << bits) {
        return 2 * bits - 2;
    }

    return (ms * ms <= (uint64_t) 2 << (2 * bits)) ? 2 * bits - 1 : 2 * bits;
}


int
gateway_latency_counts(gateway_try_e how, uint64_t ms, double known)
{
    switch (how) {

    case GATEWAY_TRY_OK:
    case GATEWAY_TRY_LATE:
        return 1;

    case GATEWAY_TRY_LOST:
    case GATEWAY_TRY_CENSORED:
        return ms > known;

    default:
        return 0;
    }
}


uint64_t
gateway_latency_told(uint64_t ms, double known)
{
    double  limit;

    limit = GATEWAY_LATENCY_TAIL * known + 1;

    return (known > 0 && ms > limit) ? (uint64_t) limit : ms;
}


static int
gateway_penalty_in_force(const gateway_penalty_t *penalty, uint64_t now)
{
    return penalty->until != 0
           && (now < penalty->until || penalty->checks != 0);
}


/* where the samples of a bucket are taken to be: its geometric middle */

static double
gateway_latency_middle(uint32_t bucket)
{
    return gateway_latency_bounds[bucket] * 0.8409;
}


static double
gateway_decay(uint64_t from, uint64_t now, uint32_t half_life)
{
    if (now <= from || half_life == 0) {
        return 1;
    }

    return exp2(-(double) (now - from) / half_life);
}


static double
gateway_bound(double value)
{
    if (value < GATEWAY_FACTOR_MIN) {
        return GATEWAY_FACTOR_MIN;
    }

    return (value < 1) ? value : 1;
}
