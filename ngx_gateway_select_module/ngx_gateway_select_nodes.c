
/*
 * GET /gateway/nodes: all that is known of each node, and why it is used or
 * not.  GET /qosnodes/: the same as the gateway-server tells it (reference,
 * 2.4), for the tools that read it there.
 */


#include "ngx_gateway_select_checked.h"
#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_pick.h"
#include "ngx_gateway_select_report.h"


static ngx_int_t ngx_gateway_select_nodes_handler(ngx_http_request_t *r);
static u_char *ngx_gateway_select_nodes_item(
    ngx_gateway_select_report_t *report, u_char *p);
static u_char *ngx_gateway_select_nodes_excluded(
    ngx_gateway_select_report_t *report, u_char *p);
static u_char *ngx_gateway_select_nodes_lacking(
    ngx_gateway_select_report_t *report, u_char *p);
static u_char *ngx_gateway_select_nodes_factors(
    ngx_gateway_select_report_t *report, u_char *p);
static u_char *ngx_gateway_select_nodes_counted(
    ngx_gateway_select_report_t *report, u_char *p);
static double ngx_gateway_select_nodes_given(
    ngx_gateway_select_report_t *report);
static ngx_int_t ngx_gateway_select_qosnodes_handler(ngx_http_request_t *r);
static u_char *ngx_gateway_select_qosnodes_item(
    ngx_gateway_select_report_t *report, u_char *p);
static ngx_int_t ngx_gateway_select_qosnodes_reason(
    ngx_gateway_select_report_t *report);
static ngx_uint_t ngx_gateway_select_qosnodes_spent(
    ngx_gateway_select_report_t *report);


ngx_gateway_select_endpoint_t  ngx_gateway_select_nodes_endpoint = {
    ngx_gateway_select_nodes_handler
};


ngx_gateway_select_endpoint_t  ngx_gateway_select_qosnodes_endpoint = {
    ngx_gateway_select_qosnodes_handler
};


const char  *ngx_gateway_select_node_states[NGX_GATEWAY_SELECT_NODE_STATES] =
{
    "in", "idle", "spent", "backup", "out", "degraded", "down", "cordoned",
    "drained"
};


/* the reference's word for each reason, by gateway_penalty_e */

static const char  *ngx_gateway_select_timeouts[GATEWAY_PENALTIES] = {
    "node_response_timeout",
    "out_of_sync_timeout",
    "invalid_data_timeout",
    "invalid_data_timeout",
    "node_response_timeout",
    "maximum_relays_timeout"
};


static ngx_int_t
ngx_gateway_select_nodes_handler(ngx_http_request_t *r)
{
    return ngx_gateway_select_report(r, ngx_gateway_select_report_next,
                                     ngx_gateway_select_nodes_item, 0);
}


static u_char *
ngx_gateway_select_nodes_item(ngx_gateway_select_report_t *report, u_char *p)
{
    ngx_str_t                   error;
    ngx_gateway_select_node_t  *node;

    node = &report->node;

    p = ngx_gateway_select_text(p, "{\"chain\":", &report->name);
    p = ngx_gateway_select_text(p, ",\"node\":", &node->sn.str);
    p = ngx_gateway_select_text(p, ",\"url\":", &report->url);
    p = ngx_gateway_select_text(p, ",\"operator\":", &report->operator);

    p = ngx_sprintf(p, ",\"state\":\"%s\"",
                    ngx_gateway_select_node_states[
                        ngx_gateway_select_node_state(report)]);

    p = ngx_gateway_select_nodes_excluded(report, p);
    p = ngx_gateway_select_nodes_lacking(report, p);
    p = ngx_gateway_select_nodes_factors(report, p);
    p = ngx_gateway_select_nodes_counted(report, p);
    p = ngx_gateway_select_checked_write(report, p);

    if (report->seat->sessions) {
        p = ngx_sprintf(p, ",\"sessions\":%uD,\"used\":%uL,"
                        "\"allowance\":%uL",
                        report->seat->sessions, report->seat->used,
                        report->seat->allowance);
    }

    p = ngx_cpymem(p, ",\"error\":", sizeof(",\"error\":") - 1);

    if (node->record.error_at == 0) {
        return ngx_cpymem(p, "null}", sizeof("null}") - 1);
    }

    error.data = node->record.error;
    error.len = node->record.error_len;

    p = ngx_gateway_select_text(p, "{\"text\":", &error);
    p = ngx_gateway_select_time(p, ",\"at\":", node->record.error_at);

    *p++ = '}';
    *p++ = '}';

    return p;
}


ngx_gateway_select_node_state_e
ngx_gateway_select_node_state(ngx_gateway_select_report_t *report)
{
    ngx_gateway_select_node_t    *node;
    ngx_gateway_select_seats_t   *seat;

    node = &report->node;
    seat = report->seat;

    if (node->flags & NGX_GATEWAY_SELECT_DRAINED) {
        return NGX_GATEWAY_SELECT_NODE_DRAINED;
    }

    if (node->flags & NGX_GATEWAY_SELECT_CORDONED) {
        return NGX_GATEWAY_SELECT_NODE_CORDONED;
    }

    if (seat->server && seat->server->down) {
        return NGX_GATEWAY_SELECT_NODE_DOWN;
    }

    if (node->degraded) {
        return NGX_GATEWAY_SELECT_NODE_DEGRADED;
    }

    if (node->factors.excluded) {
        return NGX_GATEWAY_SELECT_NODE_OUT;
    }

    if (seat->server && seat->server->backup) {
        return NGX_GATEWAY_SELECT_NODE_BACKUP;
    }

    if (seat->sessions && seat->used >= seat->allowance) {
        return NGX_GATEWAY_SELECT_NODE_SPENT;
    }

    return node->chosen ? NGX_GATEWAY_SELECT_NODE_IN
                        : NGX_GATEWAY_SELECT_NODE_IDLE;
}


static u_char *
ngx_gateway_select_nodes_excluded(ngx_gateway_select_report_t *report,
    u_char *p)
{
    u_char             *start;
    ngx_uint_t          i;
    gateway_penalty_t  *penalty;

    p = ngx_cpymem(p, ",\"excluded\":[", sizeof(",\"excluded\":[") - 1);

    start = p;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {

        penalty = &report->node.record.penalties[i];

        if (penalty->until == 0
            || (penalty->until <= report->now && penalty->checks == 0))
        {
            continue;
        }

        if (p != start) {
            *p++ = ',';
        }

        p = ngx_sprintf(p, "{\"reason\":\"%s\"", gateway_penalty_names[i]);
        p = ngx_gateway_select_time(p, ",\"since\":", penalty->since);
        p = ngx_gateway_select_time(p, ",\"until\":", penalty->until);
        p = ngx_sprintf(p, ",\"check\":%s}",
                        penalty->checks ? "true" : "false");
    }

    *p++ = ']';

    return p;
}


/* What it was found to lack: others are preferred for calls that need it. */

static u_char *
ngx_gateway_select_nodes_lacking(ngx_gateway_select_report_t *report,
    u_char *p)
{
    u_char      *start;
    uint64_t     until;
    ngx_uint_t   i;

    p = ngx_cpymem(p, ",\"lacks\":[", sizeof(",\"lacks\":[") - 1);

    start = p;

    for (i = 0; i < GATEWAY_ABILITIES; i++) {

        until = ngx_gateway_select_lacking(&report->node.fresh, i);

        if (until == 0) {
            continue;
        }

        if (p != start) {
            *p++ = ',';
        }

        p = ngx_sprintf(p, "{\"ability\":\"%s\"", gateway_ability_names[i]);
        p = ngx_gateway_select_time(p, ",\"until\":", until);
        *p++ = '}';
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_gateway_select_nodes_factors(ngx_gateway_select_report_t *report,
    u_char *p)
{
    gateway_factors_t          *factors;
    ngx_gateway_select_node_t  *node;

    node = &report->node;
    factors = &node->factors;

    p = ngx_gateway_select_double(p, ",\"weight\":", node->weight);
    p = ngx_gateway_select_double(p, ",\"success\":", factors->success);
    p = ngx_gateway_select_double(p, ",\"correctness\":",
                                  factors->correctness);
    p = ngx_gateway_select_double(p, ",\"liveliness\":", factors->liveliness);
    p = ngx_gateway_select_double(p, ",\"latency\":", factors->latency);
    p = ngx_gateway_select_double(p, ",\"ramp\":", factors->ramp);
    p = ngx_gateway_select_double(p, ",\"pace\":", factors->pace);
    p = ngx_gateway_select_double(p, ",\"draw\":", node->draw);
    p = ngx_gateway_select_double(p, ",\"share\":", node->share);

    return ngx_gateway_select_double(p, ",\"given\":",
                                     ngx_gateway_select_nodes_given(report));
}


static u_char *
ngx_gateway_select_nodes_counted(ngx_gateway_select_report_t *report,
    u_char *p)
{
    gateway_record_t       *record;
    gateway_record_conf_t  *conf;

    record = &report->node.record;
    conf = &report->conf->record;

    p = ngx_gateway_select_double(p, ",\"p50\":",
                                  gateway_record_quantile(record, conf, 0.5));
    p = ngx_gateway_select_double(p, ",\"p90\":",
                                  gateway_record_quantile(record, conf, 0.9));
    p = ngx_gateway_select_double(p, ",\"p99\":",
                                 gateway_record_quantile(record, conf, 0.99));

    p = ngx_sprintf(p, ",\"inflight\":%uD,\"tries\":%uL,\"successes\":%uL,"
                    "\"height\":%uL",
                    ngx_gateway_select_inflight(report->chain,
                                                report->node.slot),
                    record->total_tries, record->total_successes,
                    record->height);

    p = ngx_gateway_select_time(p, ",\"height_at\":", record->height_at);
    p = ngx_gateway_select_time(p, ",\"first_seen\":", record->first_seen);

    return ngx_gateway_select_time(p, ",\"returned_at\":",
                                   record->returned_at);
}


/* Of the choices of this minute and the last one, here. */

static double
ngx_gateway_select_nodes_given(ngx_gateway_select_report_t *report)
{
    double                     picked;
    uint32_t                   i, minute;
    ngx_gateway_select_sum_t  *sum;

    if (report->picked == 0) {
        return 0;
    }

    picked = 0;
    minute = (uint32_t) (report->now / 60000);

    for (i = 0; i < 2; i++) {
        sum = ngx_gateway_select_history_minute(report->chain,
                                                report->node.slot,
                                                minute - i);
        picked += sum ? sum->picked : 0;
    }

    return picked / (double) report->picked;
}


static ngx_int_t
ngx_gateway_select_qosnodes_handler(ngx_http_request_t *r)
{
    return ngx_gateway_select_report(r, ngx_gateway_select_report_next,
                                     ngx_gateway_select_qosnodes_item, 1);
}


static u_char *
ngx_gateway_select_qosnodes_item(ngx_gateway_select_report_t *report,
    u_char *p)
{
    double                      p90;
    uint64_t                    until;
    ngx_int_t                   reason;
    ngx_str_t                   error;
    ngx_uint_t                  synced, healthy;
    ngx_gateway_select_node_t  *node;

    node = &report->node;

    reason = ngx_gateway_select_qosnodes_reason(report);
    until = (reason == NGX_ERROR) ? 0 : node->record.penalties[reason].until;
    synced = !(node->factors.excluded & (1 << GATEWAY_PENALTY_HEIGHT));

    healthy = node->factors.excluded == 0
              && node->flags == 0
              && !ngx_gateway_select_qosnodes_spent(report);

    error.data = node->record.error;
    error.len = node->record.error_len;

    p90 = node->record.total_tries
          ? gateway_record_quantile(&node->record, &report->conf->record, 0.9)
          : 0;

    p = ngx_gateway_select_text(p, "{\"node_public_key\":", &node->sn.str);
    p = ngx_gateway_select_text(p, ",\"service_url\":", &report->url);
    p = ngx_gateway_select_text(p, ",\"chain\":", &report->name);
    p = ngx_sprintf(p, ",\"session_height\":%uL", report->session_height);
    p = ngx_gateway_select_text(p, ",\"app_public_key\":", &report->app);

    if (until) {
        p = ngx_gateway_select_time(p, ",\"timeout_until\":", until);

    } else {
        p = ngx_sprintf(p, ",\"timeout_until\":\"0001-01-01T00:00:00Z\"");
    }

    p = ngx_sprintf(p, ",\"timeout_reason\":\"%s\"",
                    reason != NGX_ERROR ? ngx_gateway_select_timeouts[reason]
                    : ngx_gateway_select_qosnodes_spent(report)
                      ? "maximum_relays_timeout" : "");

    p = ngx_gateway_select_text(p, ",\"last_known_err\":", &error);

    p = ngx_sprintf(p, ",\"is_healthy\":%s,\"is_synced\":%s,"
                    "\"last_known_height\":%uL",
                    healthy ? "true" : "false", synced ? "true" : "false",
                    node->record.height);

    p = ngx_gateway_select_double(p, ",\"p90_latency\":", p90);

    *p++ = '}';

    return p;
}


/* Of the penalty that ends last; NGX_ERROR: there is none. */

static ngx_int_t
ngx_gateway_select_qosnodes_reason(ngx_gateway_select_report_t *report)
{
    uint64_t            until;
    ngx_int_t           i, reason;
    gateway_penalty_t  *penalty;

    until = 0;
    reason = NGX_ERROR;

    for (i = 0; i < GATEWAY_PENALTIES; i++) {

        penalty = &report->node.record.penalties[i];

        if (penalty->until > until) {
            until = penalty->until;
            reason = i;
        }
    }

    return reason;
}


static ngx_uint_t
ngx_gateway_select_qosnodes_spent(ngx_gateway_select_report_t *report)
{
    return report->session_height != 0
           && (report->session_refused
               || report->session_used >= report->session_allowance);
}
