
/*
 * GET /gateway/metrics: counters and gauges for Prometheus.
 *
 * All lines of a metric stand together.  So what there is to tell of all
 * chains is gathered first, which takes a look at each node; then metric after
 * metric is written for chain after chain.  Both are steps of a report.
 */


#include "ngx_gateway_select_checked.h"
#include "ngx_gateway_select_metrics.h"


/* sessions looked at in one step, with the lock held */

#define NGX_GATEWAY_SELECT_METRICS_STEP     32

/* sessions of different heights that are told of a chain: the last ones */

#define NGX_GATEWAY_SELECT_METRICS_HEIGHTS  4

/* a value that there is not: no line tells it */

#define NGX_GATEWAY_SELECT_METRICS_ABSENT   ((uint64_t) -1)

#define NGX_GATEWAY_SELECT_METRICS                                            \
    (sizeof(ngx_gateway_select_metric_table)                                  \
     / sizeof(ngx_gateway_select_metric_t))


/* Sessions of one height. */

typedef struct {
    uint64_t                          height;      /* 0: none */
    uint64_t                          sessions;
    uint64_t                          used;
    uint64_t                          allowance;
} ngx_gateway_select_seated_t;


/* What is gathered of a chain. */

typedef struct {
    ngx_gateway_select_chain_sh_t    *chain;       /* NULL: it is not told */
    uint64_t                          altruist[2];
    uint64_t                          tries[GATEWAY_TRIES];
    uint64_t                          penalties[GATEWAY_PENALTIES];
    uint64_t                          states[NGX_GATEWAY_SELECT_NODE_STATES];
    uint64_t                          excluded[GATEWAY_PENALTIES];
    uint64_t                          inflight;
    uint64_t                          height;
    uint64_t                          rankings;
    uint64_t                          ranked_at;   /* ms, wall */
    ngx_gateway_select_seated_t       seated[
                                          NGX_GATEWAY_SELECT_METRICS_HEIGHTS];
} ngx_gateway_select_gathered_t;


/* The answer: its position, and what is gathered of no chain. */

typedef struct {
    ngx_gateway_select_main_conf_t   *gmcf;
    ngx_gateway_select_gathered_t    *chains;      /* by index */
    ngx_uint_t                        nchains;
    ngx_uint_t                        i;           /* of the chain */
    ngx_uint_t                        position;    /* of its sessions */
    ngx_uint_t                        metric;
    ngx_uint_t                        part;        /* of metric and chain */
    uint64_t                          refused[NGX_GATEWAY_SELECT_CALL_ERRORS];
    uint64_t                          height;
    uint64_t                          redis;
    uint64_t                          leader;
    uint64_t                          leaders;
    unsigned                          headed:1;    /* the metric has a line */
} ngx_gateway_select_scrape_t;


typedef struct ngx_gateway_select_metric_s  ngx_gateway_select_metric_t;

/*
 * Writes the lines of one part of a metric, of a chain where it is of chains,
 * or none.  NULL: there is no such part.
 */
typedef u_char *(*ngx_gateway_select_metric_pt)(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);


typedef enum {
    NGX_GATEWAY_SELECT_METRIC_CHAIN = 0,
    NGX_GATEWAY_SELECT_METRIC_ALONE,               /* of no chain */
    NGX_GATEWAY_SELECT_METRIC_TIME                 /* of a chain, in ms */
} ngx_gateway_select_metric_e;


/* n values at the offset in what is gathered; label NULL: there is but one */

struct ngx_gateway_select_metric_s {
    const char                       *name;
    const char                       *type;
    const char                       *help;
    ngx_gateway_select_metric_pt      write;
    ngx_gateway_select_metric_e       of;
    size_t                            offset;
    const char                       *label;
    const char                      **names;       /* NULL: not told */
    ngx_uint_t                        n;
};


static ngx_int_t ngx_gateway_select_metrics_handler(ngx_http_request_t *r);
static u_char *ngx_gateway_select_metrics_nothing(
    ngx_gateway_select_report_t *report, u_char *p);
static void ngx_gateway_select_metrics_zone(
    ngx_gateway_select_scrape_t *scrape);
static u_char *ngx_gateway_select_metrics_nodes(
    ngx_gateway_select_report_t *report, u_char *p);
static void ngx_gateway_select_metrics_chain(
    ngx_gateway_select_report_t *report,
    ngx_gateway_select_gathered_t *gathered);
static u_char *ngx_gateway_select_metrics_sessions(
    ngx_gateway_select_report_t *report, u_char *p);
static void ngx_gateway_select_metrics_seat(
    ngx_gateway_select_gathered_t *gathered,
    ngx_gateway_select_session_t *session);
static u_char *ngx_gateway_select_metrics_write(
    ngx_gateway_select_report_t *report, u_char *p);
static u_char *ngx_gateway_select_metrics_values(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);
static u_char *ngx_gateway_select_metrics_seated(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);
static u_char *ngx_gateway_select_metrics_checks(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);
static u_char *ngx_gateway_select_metrics_durations(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);
static u_char *ngx_gateway_select_metrics_calls(
    ngx_gateway_select_scrape_t *scrape, ngx_gateway_select_metric_t *metric,
    ngx_gateway_select_gathered_t *chain, ngx_uint_t part, u_char *p);
static ngx_uint_t ngx_gateway_select_metrics_shown(
    ngx_gateway_select_gathered_t *chain, ngx_uint_t route, ngx_uint_t ended);
static ngx_str_t *ngx_gateway_select_metrics_reason(ngx_uint_t ended);
static void ngx_gateway_select_metrics_label(gateway_label_t *label,
    const char *name, const char *value);
static void ngx_gateway_select_metrics_of(gateway_label_t *label,
    ngx_gateway_select_gathered_t *chain);


ngx_gateway_select_endpoint_t  ngx_gateway_select_metrics_endpoint = {
    ngx_gateway_select_metrics_handler
};


/* by ngx_gateway_select_route_e */

static const char
    *ngx_gateway_select_metrics_routes[NGX_GATEWAY_SELECT_ROUTES] =
{
    "node", "retried", "hedged", "altruist", "none"
};


/* by ngx_gateway_select_outcome_e */

static const char
    *ngx_gateway_select_metrics_outcomes[NGX_GATEWAY_SELECT_OUTCOMES] =
{
    "success", "failure", "aborted"
};


/* by ngx_gateway_select_ended_e; all others have names elsewhere */

static ngx_str_t
    ngx_gateway_select_metrics_ends[NGX_GATEWAY_SELECT_ENDED_NO_NODE] =
{
    ngx_string("caller_gone"),
    ngx_string("answered"),
    ngx_string("caller_fault"),
    ngx_string("nodes_agree"),
    ngx_string("filter_not_found"),
    ngx_string("answer_broken")
};


/* by gateway_try_e; LATE is the end of an overdue one, which is counted */

static const char  *ngx_gateway_select_metrics_hows[GATEWAY_TRIES] = {
    "ok", "failed", "lost", "overdue", NULL, "censored", "quota"
};


/* by ngx_gateway_select_checked_e */

static const char
    *ngx_gateway_select_metrics_verdicts[NGX_GATEWAY_SELECT_CHECKED_OUTCOMES] =
{
    NULL, "inconclusive", "passed", "failed", "unanswered", "quota"
};


/* by the altruist's answer: was it good? */

static const char  *ngx_gateway_select_metrics_good[] = {
    "failure", "success"
};


/* by ngx_gateway_select_call_error_e: what is refused without a call */

static const char
    *ngx_gateway_select_metrics_refusals[NGX_GATEWAY_SELECT_CALL_ERRORS] =
{
    "bad_chain", "bad_method", "too_large", NULL, "no_websocket",
    "unknown_chain"
};


#define ngx_gateway_select_metric_chain(field, label, names, n)               \
    ngx_gateway_select_metrics_values, NGX_GATEWAY_SELECT_METRIC_CHAIN,       \
    offsetof(ngx_gateway_select_gathered_t, field), label, names, n
#define ngx_gateway_select_metric_alone(field, label, names, n)               \
    ngx_gateway_select_metrics_values, NGX_GATEWAY_SELECT_METRIC_ALONE,       \
    offsetof(ngx_gateway_select_scrape_t, field), label, names, n
#define ngx_gateway_select_metric_seated(field)                               \
    ngx_gateway_select_metrics_seated, NGX_GATEWAY_SELECT_METRIC_CHAIN,       \
    offsetof(ngx_gateway_select_seated_t, field), NULL, NULL, 0


static ngx_gateway_select_metric_t  ngx_gateway_select_metric_table[] = {

    { "mesh_gateway_calls_total", "counter",
      "Calls and proxied requests by whose answer the caller got, each once.",
      ngx_gateway_select_metrics_calls, NGX_GATEWAY_SELECT_METRIC_CHAIN, 0,
      NULL, NULL, 0 },

    { "mesh_gateway_call_duration_seconds", "histogram",
      "Time from a call to its answer, with all attempts.",
      ngx_gateway_select_metrics_durations, NGX_GATEWAY_SELECT_METRIC_CHAIN,
      0, NULL, NULL, 0 },

    { "mesh_gateway_refused_total", "counter",
      "Requests of gateway_relay that are of no known chain or form.",
      ngx_gateway_select_metric_alone(refused, "reason",
                                      ngx_gateway_select_metrics_refusals,
                                      NGX_GATEWAY_SELECT_CALL_ERRORS) },

    { "mesh_gateway_altruist_total", "counter",
      "Answers of the altruist, which is asked when no node has one.",
      ngx_gateway_select_metric_chain(altruist, "outcome",
                                      ngx_gateway_select_metrics_good, 2) },

    { "mesh_gateway_tries_total", "counter",
      "Tries at nodes, of calls, proxied requests and checks, each once.",
      ngx_gateway_select_metric_chain(tries, "outcome",
                                      ngx_gateway_select_metrics_hows,
                                      GATEWAY_TRIES) },

    { "mesh_gateway_checks_total", "counter",
      "Answers to checks, each once when it is known what came of it.",
      ngx_gateway_select_metrics_checks, NGX_GATEWAY_SELECT_METRIC_CHAIN, 0,
      NULL, NULL, 0 },

    { "mesh_gateway_penalties_total", "counter",
      "Penalties of nodes that this gateway began.",
      ngx_gateway_select_metric_chain(penalties, "reason",
                                      gateway_penalty_names,
                                      GATEWAY_PENALTIES) },

    { "mesh_gateway_nodes", "gauge",
      "Nodes by state, each in one.",
      ngx_gateway_select_metric_chain(states, "state",
                                      ngx_gateway_select_node_states,
                                      NGX_GATEWAY_SELECT_NODE_STATES) },

    { "mesh_gateway_nodes_excluded", "gauge",
      "Nodes with a penalty in force, by each of its reasons.",
      ngx_gateway_select_metric_chain(excluded, "reason",
                                      gateway_penalty_names,
                                      GATEWAY_PENALTIES) },

    { "mesh_gateway_inflight", "gauge",
      "Tries under way.",
      ngx_gateway_select_metric_chain(inflight, NULL, NULL, 1) },

    { "mesh_gateway_height", "gauge",
      "Height of the chain, as its nodes prove it.",
      ngx_gateway_select_metric_chain(height, NULL, NULL, 1) },

    { "mesh_gateway_sessions", "gauge",
      "Sessions of applications.",
      ngx_gateway_select_metric_seated(sessions) },

    { "mesh_gateway_session_relays_used", "gauge",
      "Relays sent in these sessions.",
      ngx_gateway_select_metric_seated(used) },

    { "mesh_gateway_session_relays_allowed", "gauge",
      "Relays that these sessions allow.",
      ngx_gateway_select_metric_seated(allowance) },

    { "mesh_gateway_rankings_total", "counter",
      "Tables of nodes made.",
      ngx_gateway_select_metric_chain(rankings, NULL, NULL, 1) },

    { "mesh_gateway_ranked_timestamp_seconds", "gauge",
      "When the table in force was made.",
      ngx_gateway_select_metrics_values, NGX_GATEWAY_SELECT_METRIC_TIME,
      offsetof(ngx_gateway_select_gathered_t, ranked_at), NULL, NULL, 1 },

    { "mesh_gateway_pocket_height", "gauge",
      "Height of the network that sessions are of.",
      ngx_gateway_select_metric_alone(height, NULL, NULL, 1) },

    { "mesh_gateway_redis_up", "gauge",
      "Whether Redis answers the worker that tells it.",
      ngx_gateway_select_metric_alone(redis, NULL, NULL, 1) },

    { "mesh_gateway_leader", "gauge",
      "Whether there is a worker that ranks and checks.",
      ngx_gateway_select_metric_alone(leader, NULL, NULL, 1) },

    { "mesh_gateway_leader_changes_total", "counter",
      "How often another worker began to.",
      ngx_gateway_select_metric_alone(leaders, NULL, NULL, 1) }
};


static ngx_int_t
ngx_gateway_select_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_gateway_select_scrape_t  *scrape;
    ngx_gateway_select_report_t  *report;

    report = ngx_gateway_select_report_create(r, &rc);

    if (report == NULL) {
        return rc;
    }

    scrape = ngx_pcalloc(r->pool, sizeof(ngx_gateway_select_scrape_t));
    if (scrape == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    scrape->gmcf = report->gmcf;

    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;

    if (scrape->gmcf->shm_zone == NULL) {
        return ngx_gateway_select_report_begin(report,
                                           ngx_gateway_select_metrics_nothing);
    }

    ngx_gateway_select_metrics_zone(scrape);

    scrape->chains = ngx_pcalloc(r->pool, (scrape->nchains + 1)
                                     * sizeof(ngx_gateway_select_gathered_t));
    if (scrape->chains == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    report->data = scrape;

    return ngx_gateway_select_report_begin(report,
                                           ngx_gateway_select_metrics_nodes);
}


/* Without chains there is nothing to tell. */

static u_char *
ngx_gateway_select_metrics_nothing(ngx_gateway_select_report_t *report,
    u_char *p)
{
    report->done = 1;

    return p;
}


static void
ngx_gateway_select_metrics_zone(ngx_gateway_select_scrape_t *scrape)
{
    ngx_uint_t                       i;
    ngx_msec_t                       until;
    ngx_gateway_select_sh_t         *sh;
    ngx_gateway_select_totals_t     *totals;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = scrape->gmcf;
    sh = ngx_gateway_select_zone(gmcf)->sh;
    totals = ngx_gateway_select_totals(sh);
    until = sh->leader_until;

    /* chains that come meanwhile are told of the next time */

    scrape->nchains = sh->nchains;

    for (i = 0; i < NGX_GATEWAY_SELECT_CALL_ERRORS; i++) {
        scrape->refused[i] = totals->refused[i];
    }

    scrape->leaders = totals->leaders;
    scrape->leader = sh->leader != 0
                     && (ngx_msec_int_t) (until - ngx_current_msec) > 0;

    scrape->height = sh->block_height ? sh->block_height
                                      : NGX_GATEWAY_SELECT_METRICS_ABSENT;

    scrape->redis = NGX_GATEWAY_SELECT_METRICS_ABSENT;

    if (gmcf->redis) {
        scrape->redis = (mesh_redis_state(gmcf->redis) == MESH_REDIS_READY);
    }
}


/* A node, or a chain, is looked at. */

static u_char *
ngx_gateway_select_metrics_nodes(ngx_gateway_select_report_t *report,
    u_char *p)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_gateway_select_scrape_t    *scrape;
    ngx_gateway_select_gathered_t  *gathered;

    scrape = report->data;

    rc = ngx_gateway_select_report_next(report);

    if (rc == NGX_DONE) {
        report->step = ngx_gateway_select_metrics_sessions;
        return p;
    }

    if (report->chain == NULL || report->chain->index >= scrape->nchains) {
        return p;
    }

    gathered = &scrape->chains[report->chain->index];

    if (gathered->chain == NULL) {
        ngx_gateway_select_metrics_chain(report, gathered);
    }

    if (rc == NGX_AGAIN) {
        return p;
    }

    gathered->states[ngx_gateway_select_node_state(report)]++;
    gathered->inflight += ngx_gateway_select_inflight(report->chain,
                                                      report->node.slot);

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        gathered->excluded[i] += (report->node.factors.excluded >> i) & 1;
    }

    return p;
}


static void
ngx_gateway_select_metrics_chain(ngx_gateway_select_report_t *report,
    ngx_gateway_select_gathered_t *gathered)
{
    ngx_uint_t                      i;
    ngx_gateway_select_metrics_t   *metrics;
    ngx_gateway_select_chain_sh_t  *chain;

    chain = report->chain;
    metrics = ngx_gateway_select_metrics(chain);

    gathered->chain = chain;

    for (i = 0; i < 2; i++) {
        gathered->altruist[i] = report->conf->altruist
                                ? metrics->altruist[i]
                                : NGX_GATEWAY_SELECT_METRICS_ABSENT;
    }

    ngx_memcpy(gathered->tries, metrics->tries, sizeof(metrics->tries));
    ngx_memcpy(gathered->penalties, metrics->penalties,
               sizeof(metrics->penalties));

    gathered->rankings = metrics->rankings;
    gathered->ranked_at = metrics->ranked_at;

    /* it is known where checks tell it */

    gathered->height = chain->height.reference
                       ? chain->height.reference
                       : NGX_GATEWAY_SELECT_METRICS_ABSENT;
}


/* The sessions of a chain, some in a step. */

static u_char *
ngx_gateway_select_metrics_sessions(ngx_gateway_select_report_t *report,
    u_char *p)
{
    ngx_uint_t                      i, last;
    ngx_slab_pool_t                *shpool;
    ngx_gateway_select_gathered_t    *gathered;
    ngx_gateway_select_scrape_t    *scrape;
    ngx_gateway_select_chain_sh_t  *chain;

    scrape = report->data;

    if (scrape->i == scrape->nchains) {
        scrape->i = 0;
        report->step = ngx_gateway_select_metrics_write;
        return p;
    }

    gathered = &scrape->chains[scrape->i];
    chain = gathered->chain;

    if (chain == NULL || scrape->position >= chain->nsessions) {
        scrape->i++;
        scrape->position = 0;
        return p;
    }

    shpool = ngx_gateway_select_zone(report->gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    last = ngx_min(scrape->position + NGX_GATEWAY_SELECT_METRICS_STEP,
                   chain->nsessions);

    for (i = scrape->position; i < last; i++) {
        ngx_gateway_select_metrics_seat(gathered, &chain->sessions[i]);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    scrape->position = last;

    return p;
}


/* Adds to those of its height; the lowest gives its place to a higher one. */

static void
ngx_gateway_select_metrics_seat(ngx_gateway_select_gathered_t *gathered,
    ngx_gateway_select_session_t *session)
{
    uint32_t                      i, n;
    ngx_gateway_select_seated_t  *seated;

    if (session->height == 0) {
        return;
    }

    seated = &gathered->seated[0];

    for (i = 0; i < NGX_GATEWAY_SELECT_METRICS_HEIGHTS; i++) {

        if (gathered->seated[i].height == session->height) {
            seated = &gathered->seated[i];
            break;
        }

        if (gathered->seated[i].height < seated->height) {
            seated = &gathered->seated[i];
        }
    }

    if (seated->height > session->height) {
        return;
    }

    if (seated->height < session->height) {
        ngx_memzero(seated, sizeof(ngx_gateway_select_seated_t));
        seated->height = session->height;
    }

    n = ngx_min(session->nnodes, NGX_GATEWAY_SELECT_SESSION_NODES);

    seated->sessions++;
    seated->allowance += n * session->allowance;

    for (i = 0; i < n; i++) {
        seated->used += session->used[i];
    }
}


/* A part of a metric, which has its head with the first line. */

static u_char *
ngx_gateway_select_metrics_write(ngx_gateway_select_report_t *report,
    u_char *p)
{
    u_char                         *first, *last;
    ngx_gateway_select_metric_t    *metric;
    ngx_gateway_select_scrape_t    *scrape;
    ngx_gateway_select_gathered_t  *chain;

    scrape = report->data;
    metric = &ngx_gateway_select_metric_table[scrape->metric];
    chain = &scrape->chains[scrape->i];

    first = scrape->headed ? p : gateway_metrics_head(p, metric->name,
                                                      metric->type,
                                                      metric->help);
    last = NULL;

    if (chain->chain || metric->of == NGX_GATEWAY_SELECT_METRIC_ALONE) {
        last = metric->write(scrape, metric, chain, scrape->part, first);
    }

    if (last) {
        scrape->part++;

        if (last == first) {
            return p;
        }

        scrape->headed = 1;

        return last;
    }

    scrape->part = 0;
    scrape->i++;

    if (scrape->i >= scrape->nchains
        || metric->of == NGX_GATEWAY_SELECT_METRIC_ALONE)
    {
        scrape->i = 0;
        scrape->headed = 0;
        scrape->metric++;

        report->done = (scrape->metric == NGX_GATEWAY_SELECT_METRICS);
    }

    return p;
}


static u_char *
ngx_gateway_select_metrics_values(ngx_gateway_select_scrape_t *scrape,
    ngx_gateway_select_metric_t *metric, ngx_gateway_select_gathered_t *chain,
    ngx_uint_t part, u_char *p)
{
    uint64_t         *value;
    ngx_uint_t        i, n;
    gateway_label_t   labels[2];

    if (part) {
        return NULL;
    }

    n = (metric->of == NGX_GATEWAY_SELECT_METRIC_ALONE) ? 0 : 1;
    value = (uint64_t *) ((n ? (u_char *) chain : (u_char *) scrape)
                          + metric->offset);

    if (n) {
        ngx_gateway_select_metrics_of(&labels[0], chain);
    }

    for (i = 0; i < metric->n; i++) {

        if (value[i] == NGX_GATEWAY_SELECT_METRICS_ABSENT
            || (metric->label && metric->names[i] == NULL))
        {
            continue;
        }

        if (metric->label) {
            ngx_gateway_select_metrics_label(&labels[n], metric->label,
                                             metric->names[i]);
        }

        p = gateway_metrics_begin(p, metric->name, "", labels,
                                  metric->label ? n + 1 : n);

        p = (metric->of == NGX_GATEWAY_SELECT_METRIC_TIME)
            ? gateway_metrics_seconds(p, value[i])
            : gateway_metrics_number(p, value[i]);
    }

    return p;
}


/* A value for each height. */

static u_char *
ngx_gateway_select_metrics_seated(ngx_gateway_select_scrape_t *scrape,
    ngx_gateway_select_metric_t *metric, ngx_gateway_select_gathered_t *chain,
    ngx_uint_t part, u_char *p)
{
    u_char                        text[NGX_INT64_LEN];
    ngx_uint_t                    i;
    gateway_label_t               labels[2];
    ngx_gateway_select_seated_t  *seated;

    if (part) {
        return NULL;
    }

    ngx_gateway_select_metrics_of(&labels[0], chain);

    labels[1].name = "session_height";
    labels[1].value.data = text;

    for (i = 0; i < NGX_GATEWAY_SELECT_METRICS_HEIGHTS; i++) {

        seated = &chain->seated[i];

        if (seated->height == 0) {
            continue;
        }

        labels[1].value.len = ngx_sprintf(text, "%uL", seated->height) - text;

        p = gateway_metrics_begin(p, metric->name, "", labels, 2);
        p = gateway_metrics_number(p, *(uint64_t *) ((u_char *) seated
                                                     + metric->offset));
    }

    return p;
}


/* Those of one check. */

static u_char *
ngx_gateway_select_metrics_checks(ngx_gateway_select_scrape_t *scrape,
    ngx_gateway_select_metric_t *metric, ngx_gateway_select_gathered_t *chain,
    ngx_uint_t part, u_char *p)
{
    u_char           buf[NGX_GATEWAY_SELECT_CHECKED_NAME];
    uint64_t         counts[NGX_GATEWAY_SELECT_CHECKED_OUTCOMES];
    ngx_str_t        name;
    ngx_uint_t       i;
    gateway_label_t  labels[3];

    if (!ngx_gateway_select_checked_counts(scrape->gmcf, chain->chain, part,
                                           &name, buf, counts))
    {
        return NULL;
    }

    ngx_gateway_select_metrics_of(&labels[0], chain);

    labels[1].name = "check";
    labels[1].value.data = name.data;
    labels[1].value.len = name.len;

    for (i = NGX_GATEWAY_SELECT_CHECKED_OPEN;
         i < NGX_GATEWAY_SELECT_CHECKED_OUTCOMES;
         i++)
    {
        ngx_gateway_select_metrics_label(&labels[2], "outcome",
                                    ngx_gateway_select_metrics_verdicts[i]);

        p = gateway_metrics_begin(p, metric->name, "", labels, 3);
        p = gateway_metrics_number(p, counts[i]);
    }

    return p;
}


/* Those of one outcome; what callers have cut short tells no duration. */

static u_char *
ngx_gateway_select_metrics_durations(ngx_gateway_select_scrape_t *scrape,
    ngx_gateway_select_metric_t *metric, ngx_gateway_select_gathered_t *chain,
    ngx_uint_t part, u_char *p)
{
    uint64_t                       buckets[GATEWAY_METRICS_BUCKETS];
    ngx_uint_t                     i;
    gateway_label_t                labels[2];
    ngx_gateway_select_metrics_t  *metrics;

    if (part == NGX_GATEWAY_SELECT_ABORTED) {
        return NULL;
    }

    metrics = ngx_gateway_select_metrics(chain->chain);

    ngx_gateway_select_metrics_of(&labels[0], chain);
    ngx_gateway_select_metrics_label(&labels[1], "outcome",
                                 ngx_gateway_select_metrics_outcomes[part]);

    for (i = 0; i < GATEWAY_METRICS_BUCKETS; i++) {
        buckets[i] = metrics->durations[part][i];
    }

    return gateway_metrics_histogram(p, metric->name, labels, 2, buckets,
                                     metrics->duration[part]);
}


/* Those of one route; what never was is told only where an alert may be. */

static u_char *
ngx_gateway_select_metrics_calls(ngx_gateway_select_scrape_t *scrape,
    ngx_gateway_select_metric_t *metric, ngx_gateway_select_gathered_t *chain,
    ngx_uint_t part, u_char *p)
{
    ngx_str_t                     *reason;
    ngx_uint_t                     i, outcome;
    gateway_label_t                labels[4];
    ngx_atomic_uint_t              n;
    ngx_gateway_select_metrics_t  *metrics;

    if (part == NGX_GATEWAY_SELECT_ROUTES) {
        return NULL;
    }

    metrics = ngx_gateway_select_metrics(chain->chain);

    ngx_gateway_select_metrics_of(&labels[0], chain);
    ngx_gateway_select_metrics_label(&labels[1], "route",
                                     ngx_gateway_select_metrics_routes[part]);
    labels[3].name = "reason";

    for (i = 0; i < NGX_GATEWAY_SELECT_ENDS; i++) {

        n = metrics->calls[part][i];

        if (n == 0 && !ngx_gateway_select_metrics_shown(chain, part, i)) {
            continue;
        }

        outcome = ngx_gateway_select_metrics_outcome(
                      (ngx_gateway_select_ended_e) i);
        ngx_gateway_select_metrics_label(&labels[2], "outcome",
                              ngx_gateway_select_metrics_outcomes[outcome]);

        reason = ngx_gateway_select_metrics_reason(i);
        labels[3].value.data = reason->data;
        labels[3].value.len = reason->len;

        p = gateway_metrics_begin(p, metric->name, "", labels, 4);
        p = gateway_metrics_number(p, n);
    }

    return p;
}


/* What an alert may be on is there before it happens. */

static ngx_uint_t
ngx_gateway_select_metrics_shown(ngx_gateway_select_gathered_t *chain,
    ngx_uint_t route, ngx_uint_t ended)
{
    if (route == NGX_GATEWAY_SELECT_ROUTE_ALTRUIST
        && chain->altruist[0] == NGX_GATEWAY_SELECT_METRICS_ABSENT)
    {
        return 0;
    }

    if (route != NGX_GATEWAY_SELECT_ROUTE_NONE) {
        return ended == NGX_GATEWAY_SELECT_ENDED_ANSWERED;
    }

    switch (ended) {

    case NGX_GATEWAY_SELECT_ENDED_GONE:
    case NGX_GATEWAY_SELECT_ENDED_NO_NODE + NGX_GATEWAY_SELECT_NO_NODES:
    case NGX_GATEWAY_SELECT_ENDED_NO_NODE + NGX_GATEWAY_SELECT_EXCLUDED:
    case NGX_GATEWAY_SELECT_ENDED_ERROR + NGX_GATEWAY_SELECT_CALL_FAILED:
    case NGX_GATEWAY_SELECT_ENDED_ERROR + NGX_GATEWAY_SELECT_CALL_DEADLINE:
        return 1;

    default:
        return 0;
    }
}


static ngx_str_t *
ngx_gateway_select_metrics_reason(ngx_uint_t ended)
{
    if (ended < NGX_GATEWAY_SELECT_ENDED_NO_NODE) {
        return &ngx_gateway_select_metrics_ends[ended];
    }

    if (ended < NGX_GATEWAY_SELECT_ENDED_ERROR) {
        ended -= NGX_GATEWAY_SELECT_ENDED_NO_NODE;
        return &ngx_gateway_select_reasons[ended];
    }

    ended -= NGX_GATEWAY_SELECT_ENDED_ERROR;

    return ngx_gateway_select_reply_name(
               (ngx_gateway_select_call_error_e) ended);
}


static void
ngx_gateway_select_metrics_label(gateway_label_t *label, const char *name,
    const char *value)
{
    label->name = name;
    label->value.data = (u_char *) value;
    label->value.len = ngx_strlen(value);
}


static void
ngx_gateway_select_metrics_of(gateway_label_t *label,
    ngx_gateway_select_gathered_t *chain)
{
    label->name = "chain";
    label->value.data = chain->chain->name;
    label->value.len = chain->chain->name_len;
}
