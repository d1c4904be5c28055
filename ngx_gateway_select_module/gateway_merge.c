
#include "gateway_merge.h"

#include <math.h>
#include <string.h>


#define GATEWAY_DELTA_VERSION  1

/* as long as others may take to learn that a record was cleared, ms */
#define GATEWAY_CLEAR_GRACE    10000

#define GATEWAY_DELTA_UNIT     1000000.0
#define GATEWAY_DELTA_MAX      4503599627370496.0     /* 2^52 */


static void gateway_delta_penalty(gateway_delta_penalty_t *delta,
    const gateway_penalty_t *penalty, const gateway_penalty_t *base);
static void gateway_delta_void(gateway_delta_t *delta);
static void gateway_merge_stamps(gateway_record_t *record,
    const gateway_delta_t *delta);
static void gateway_merge_sums(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta,
    uint64_t stamp);
static double gateway_merge_decay(uint64_t from, uint64_t to,
    uint32_t half_life);
static double gateway_merge_add(double sum, double n);
static void gateway_merge_run(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta);
static void gateway_merge_penalty(gateway_penalty_t *penalty,
    const gateway_delta_penalty_t *delta);
static u_char *gateway_delta_real(u_char *p, double value);
static u_char *gateway_delta_signed(u_char *p, int64_t n);
static u_char *gateway_delta_number(u_char *p, uint64_t n);


void
gateway_record_blank(gateway_record_t *record, uint64_t stamp)
{
    gateway_record_init(record, stamp);

    record->first_seen = 0;
}


void
gateway_delta_init(gateway_delta_t *delta, const gateway_record_t *record,
    const gateway_record_t *base, const gateway_record_conf_t *conf)
{
    uint32_t          i;
    gateway_record_t  then;

    memset(delta, 0, sizeof(gateway_delta_t));

    /* what it would be by now, had nothing happened */

    then = *base;

    gateway_record_clock(&then, record->stamp);
    gateway_record_decay(&then, conf, record->stamp);

    delta->stamp = record->stamp;
    delta->tries = record->tries - then.tries;
    delta->successes = record->successes - then.successes;
    delta->latency_sum = record->latency_sum - then.latency_sum;
    delta->agreed = record->agreed - then.agreed;
    delta->outvoted = record->outvoted - then.outvoted;
    delta->pace = record->pace / then.pace;
    delta->first_seen = record->first_seen;
    delta->run = (int32_t) (record->run - then.run);
    delta->run_since = record->run_since;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        delta->latency[i] = record->latency[i] - then.latency[i];
    }

    if (record->total_tries > then.total_tries) {
        delta->total_tries = record->total_tries - then.total_tries;
    }

    if (record->total_successes > then.total_successes) {
        delta->total_successes = record->total_successes
                                 - then.total_successes;
    }

    if (record->returned_at != then.returned_at
        || record->returns != then.returns)
    {
        delta->returned_at = record->returned_at;
        delta->returns = record->returns;
    }

    if (record->height != then.height || record->height_at != then.height_at) {
        delta->height = record->height;
        delta->height_at = record->height_at;
    }

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        gateway_delta_penalty(&delta->penalties[i], &record->penalties[i],
                              &then.penalties[i]);
    }

    delta->cleared_at = record->cleared_at;

    if (record->checked_at != then.checked_at
        || record->checked_by != then.checked_by)
    {
        delta->checked_at = record->checked_at;
        delta->checked_by = record->checked_by;
    }

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        if (record->lacked_at[i] != then.lacked_at[i]) {
            delta->lacked_at[i] = record->lacked_at[i];
        }

        if (record->able_at[i] != then.able_at[i]) {
            delta->able_at[i] = record->able_at[i];
        }
    }

    if (record->error_at != then.error_at) {
        delta->error_at = record->error_at;
        delta->error_len = record->error_len;
        memcpy(delta->error, record->error, record->error_len);
    }
}


static void
gateway_delta_penalty(gateway_delta_penalty_t *delta,
    const gateway_penalty_t *penalty, const gateway_penalty_t *base)
{
    if (penalty->since == base->since
        && penalty->until == base->until
        && penalty->checks == base->checks)
    {
        return;
    }

    delta->since = penalty->since;
    delta->until = penalty->until;
    delta->add = penalty->checks;

    if (penalty->since == base->since) {
        delta->add &= ~base->checks;
        delta->sub = base->checks & ~penalty->checks;
    }
}


void
gateway_record_merge(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta,
    uint64_t now)
{
    uint32_t         i;
    gateway_delta_t  voided;

    gateway_record_clock(record, now);

    if (delta->cleared_at < record->cleared_at
        && delta->stamp <= record->cleared_at + GATEWAY_CLEAR_GRACE)
    {
        voided = *delta;
        gateway_delta_void(&voided);
        delta = &voided;
    }

    gateway_merge_sums(record, conf, delta,
                       (delta->stamp < now) ? delta->stamp : now);

    if (delta->first_seen != 0
        && (record->first_seen == 0
            || delta->first_seen < record->first_seen))
    {
        record->first_seen = delta->first_seen;
    }

    if (delta->returned_at > record->returned_at) {
        record->returned_at = delta->returned_at;
        record->returns = delta->returns;

    } else if (delta->returned_at == record->returned_at
               && delta->returns > record->returns)
    {
        record->returns = delta->returns;
    }

    if (delta->height_at > record->height_at
        || (delta->height_at == record->height_at
            && delta->height > record->height))
    {
        record->height = delta->height;
        record->height_at = delta->height_at;
    }

    if (delta->error_at > record->error_at) {
        record->error_at = delta->error_at;
        record->error_len = delta->error_len;
        memcpy(record->error, delta->error, delta->error_len);
    }

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        gateway_merge_penalty(&record->penalties[i], &delta->penalties[i]);
    }

    gateway_merge_run(record, conf, delta);
    gateway_merge_stamps(record, delta);
}


static void
gateway_delta_void(gateway_delta_t *delta)
{
    delta->pace = 1;
    delta->returned_at = 0;
    delta->returns = 0;
    delta->run = 0;

    memset(delta->penalties, 0, sizeof(delta->penalties));
}


static void
gateway_merge_stamps(gateway_record_t *record, const gateway_delta_t *delta)
{
    uint32_t  i;

    if (delta->cleared_at > record->cleared_at) {
        record->cleared_at = delta->cleared_at;
    }

    if (delta->checked_at > record->checked_at
        || (delta->checked_at == record->checked_at
            && delta->checked_by > record->checked_by))
    {
        record->checked_at = delta->checked_at;
        record->checked_by = delta->checked_by;
    }

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        if (delta->lacked_at[i] > record->lacked_at[i]) {
            record->lacked_at[i] = delta->lacked_at[i];
        }

        if (delta->able_at[i] > record->able_at[i]) {
            record->able_at[i] = delta->able_at[i];
        }
    }
}


static void
gateway_merge_sums(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta,
    uint64_t stamp)
{
    double    decay, votes;
    uint32_t  i;

    gateway_record_decay(record, conf, stamp);

    decay = gateway_merge_decay(stamp, record->stamp, conf->half_life);
    votes = gateway_merge_decay(stamp, record->stamp, conf->votes_half_life);

    record->tries = gateway_merge_add(record->tries, delta->tries * decay);
    record->successes = gateway_merge_add(record->successes,
                                          delta->successes * decay);
    record->latency_sum = gateway_merge_add(record->latency_sum,
                                            delta->latency_sum * decay);
    record->agreed = gateway_merge_add(record->agreed, delta->agreed * votes);
    record->outvoted = gateway_merge_add(record->outvoted,
                                         delta->outvoted * votes);

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        record->latency[i] = gateway_merge_add(record->latency[i],
                                               delta->latency[i] * decay);
    }

    if (record->successes > record->tries) {
        record->successes = record->tries;
    }

    record->pace *= delta->pace;

    if (record->pace > 1) {
        record->pace = 1;
    }

    if (record->pace < GATEWAY_PACE_MIN) {
        record->pace = GATEWAY_PACE_MIN;
    }

    record->total_tries += delta->total_tries;
    record->total_successes += delta->total_successes;
}


static double
gateway_merge_decay(uint64_t from, uint64_t to, uint32_t half_life)
{
    return (to > from && half_life != 0)
           ? exp2(-(double) (to - from) / half_life) : 1;
}


/* two may forgive the same failures at once */

static double
gateway_merge_add(double sum, double n)
{
    sum += n;

    return (sum > 0) ? sum : 0;
}


static void
gateway_merge_run(gateway_record_t *record,
    const gateway_record_conf_t *conf, const gateway_delta_t *delta)
{
    int64_t  run;

    run = (int64_t) record->run + delta->run;

    if (run > conf->eject_failures) {
        run = conf->eject_failures;
    }

    if (run <= 0 || record->penalties[GATEWAY_PENALTY_RESPONSE].until != 0) {
        record->run = 0;
        record->run_since = 0;
        return;
    }

    if (record->run == 0) {
        record->run_since = delta->run_since;
    }

    record->run = (uint32_t) run;
}


static void
gateway_merge_penalty(gateway_penalty_t *penalty,
    const gateway_delta_penalty_t *delta)
{
    uint64_t  until;

    if (delta->since == 0) {
        return;
    }

    until = (delta->until > penalty->until) ? delta->until : penalty->until;

    if (delta->since < penalty->since) {

        if (delta->until != 0 && penalty->until != 0) {
            penalty->until = until;
            penalty->checks |= delta->add;
        }

        return;
    }

    if (delta->until == 0) {
        penalty->since = delta->since;
        penalty->until = 0;
        penalty->checks = 0;
        return;
    }

    if (delta->since > penalty->since) {
        penalty->checks = delta->add
                          | (penalty->until != 0 ? penalty->checks : 0);
        penalty->since = delta->since;
        penalty->until = until;
        return;
    }

    /* one that has ended does not begin again */

    if (penalty->until != 0) {
        penalty->until = until;
        penalty->checks = (penalty->checks & ~delta->sub) | delta->add;
    }
}


u_char *
gateway_delta_format(u_char *p, const gateway_delta_t *delta)
{
    uint32_t  i;

    *p++ = '0' + GATEWAY_DELTA_VERSION;

    p = gateway_delta_real(p, delta->tries);
    p = gateway_delta_real(p, delta->successes);
    p = gateway_delta_real(p, delta->latency_sum);
    p = gateway_delta_real(p, delta->agreed);
    p = gateway_delta_real(p, delta->outvoted);
    p = gateway_delta_real(p, delta->pace);
    p = gateway_delta_number(p, delta->stamp);
    p = gateway_delta_number(p, delta->first_seen);
    p = gateway_delta_number(p, delta->returned_at);
    p = gateway_delta_number(p, delta->returns);
    p = gateway_delta_signed(p, delta->run);
    p = gateway_delta_number(p, delta->run_since);
    p = gateway_delta_number(p, delta->height);
    p = gateway_delta_number(p, delta->height_at);
    p = gateway_delta_number(p, delta->total_tries);
    p = gateway_delta_number(p, delta->total_successes);
    p = gateway_delta_number(p, delta->error_at);

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        p = gateway_delta_number(p, delta->penalties[i].since);
        p = gateway_delta_number(p, delta->penalties[i].until);
        p = gateway_delta_number(p, delta->penalties[i].add);
        p = gateway_delta_number(p, delta->penalties[i].sub);
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        p = gateway_delta_real(p, delta->latency[i]);
    }

    p = gateway_delta_number(p, delta->cleared_at);
    p = gateway_delta_number(p, delta->checked_at);
    p = gateway_delta_number(p, delta->checked_by);

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        p = gateway_delta_number(p, delta->lacked_at[i]);
    }

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        p = gateway_delta_number(p, delta->able_at[i]);
    }

    *p++ = ' ';
    memcpy(p, delta->error, delta->error_len);

    return p + delta->error_len;
}


static u_char *
gateway_delta_real(u_char *p, double value)
{
    value = floor(value * GATEWAY_DELTA_UNIT + 0.5);

    if (!(value < GATEWAY_DELTA_MAX)) {
        value = GATEWAY_DELTA_MAX;
    }

    if (value < -GATEWAY_DELTA_MAX) {
        value = -GATEWAY_DELTA_MAX;
    }

    return gateway_delta_signed(p, (int64_t) value);
}


static u_char *
gateway_delta_signed(u_char *p, int64_t n)
{
    *p++ = ' ';

    if (n < 0) {
        *p++ = '-';
        n = -n;
    }

    return gateway_row_number(p, (uint64_t) n);
}


static u_char *
gateway_delta_number(u_char *p, uint64_t n)
{
    *p++ = ' ';

    return gateway_row_number(p, n);
}
