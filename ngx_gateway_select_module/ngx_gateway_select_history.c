
/*
 * Sums by the minute and hour, in rings of the zone.
 */


#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_sync.h"


#define NGX_GATEWAY_SELECT_MINUTE  60000           /* ms */
#define NGX_GATEWAY_SELECT_HOUR    60              /* minutes */


static ngx_gateway_select_sum_t *ngx_gateway_select_ring(
    ngx_gateway_select_sum_t *sums, uint32_t size, uint32_t *last,
    uint32_t at);
static void ngx_gateway_select_sum_add(ngx_gateway_select_sum_t *sum,
    ngx_gateway_select_sum_t *more);
static uint32_t ngx_gateway_select_sum_bound(uint64_t n);
static ngx_gateway_select_sum_t *ngx_gateway_select_ring_at(
    ngx_gateway_select_sum_t *sums, uint32_t size, uint32_t last,
    uint32_t at);


#define ngx_gateway_select_node_past(chain, i)                                \
    (&((ngx_gateway_select_pasts_t *)                                         \
           (chain)->pasts[(i) / NGX_GATEWAY_SELECT_CHUNK])                    \
          ->nodes[(i) % NGX_GATEWAY_SELECT_CHUNK])


void
ngx_gateway_select_history_add(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, gateway_sample_t *sample, uint64_t picked, uint64_t now)
{
    uint32_t                         i, minute, hour;
    uint64_t                         tries, latencies;
    ngx_gateway_select_sum_t         more;
    ngx_gateway_select_past_t       *past;
    ngx_gateway_select_node_past_t  *npast;

    tries = (uint64_t) sample->tries[GATEWAY_TRY_OK]
            + sample->tries[GATEWAY_TRY_FAILED]
            + sample->tries[GATEWAY_TRY_LOST]
            + sample->tries[GATEWAY_TRY_OVERDUE];

    latencies = 0;

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        latencies += sample->latency[i];
    }

    more.tries = ngx_gateway_select_sum_bound(tries);
    more.successes = sample->tries[GATEWAY_TRY_OK];
    more.latency = ngx_gateway_select_sum_bound(sample->latency_sum);
    more.latencies = ngx_gateway_select_sum_bound(latencies);
    more.picked = ngx_gateway_select_sum_bound(picked);

    minute = (uint32_t) (now / NGX_GATEWAY_SELECT_MINUTE);
    hour = minute / NGX_GATEWAY_SELECT_HOUR;

    past = chain->past;
    npast = ngx_gateway_select_node_past(chain, node);

    ngx_gateway_select_sum_add(
        ngx_gateway_select_ring(past->minutes, NGX_GATEWAY_SELECT_MINUTES,
                                &past->head.minute, minute), &more);
    ngx_gateway_select_sum_add(
        ngx_gateway_select_ring(past->hours, NGX_GATEWAY_SELECT_HOURS,
                                &past->head.hour, hour), &more);
    ngx_gateway_select_sum_add(
        ngx_gateway_select_ring(npast->minutes,
                                NGX_GATEWAY_SELECT_NODE_MINUTES,
                                &npast->head.minute, minute), &more);
    ngx_gateway_select_sum_add(
        ngx_gateway_select_ring(npast->hours, NGX_GATEWAY_SELECT_NODE_HOURS,
                                &npast->head.hour, hour), &more);
}


/* The place to add to; all between the last one and it had nothing. */

static ngx_gateway_select_sum_t *
ngx_gateway_select_ring(ngx_gateway_select_sum_t *sums, uint32_t size,
    uint32_t *last, uint32_t at)
{
    uint32_t  i, n;

    /* a clock that stepped back adds to what was the present */

    if (at <= *last) {
        return &sums[*last % size];
    }

    n = ngx_min(at - *last, size);

    for (i = 0; i < n; i++) {
        ngx_memzero(&sums[(at - i) % size], sizeof(ngx_gateway_select_sum_t));
    }

    *last = at;

    return &sums[at % size];
}


static void
ngx_gateway_select_sum_add(ngx_gateway_select_sum_t *sum,
    ngx_gateway_select_sum_t *more)
{
    sum->tries = ngx_gateway_select_sum_bound((uint64_t) sum->tries
                                              + more->tries);
    sum->successes = ngx_gateway_select_sum_bound((uint64_t) sum->successes
                                                  + more->successes);
    sum->latency = ngx_gateway_select_sum_bound((uint64_t) sum->latency
                                                + more->latency);
    sum->latencies = ngx_gateway_select_sum_bound((uint64_t) sum->latencies
                                                  + more->latencies);
    sum->picked = ngx_gateway_select_sum_bound((uint64_t) sum->picked
                                               + more->picked);
}


static uint32_t
ngx_gateway_select_sum_bound(uint64_t n)
{
    return (n < UINT32_MAX) ? (uint32_t) n : UINT32_MAX;
}


void
ngx_gateway_select_history_forget(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node)
{
    ngx_memzero(ngx_gateway_select_node_past(chain, node),
                sizeof(ngx_gateway_select_node_past_t));
}


ngx_gateway_select_sum_t *
ngx_gateway_select_history_minute(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, uint32_t minute)
{
    ngx_gateway_select_past_t       *past;
    ngx_gateway_select_node_past_t  *npast;

    if (node == NGX_GATEWAY_SELECT_ALL_NODES) {
        past = chain->past;

        return ngx_gateway_select_ring_at(past->minutes,
                                          NGX_GATEWAY_SELECT_MINUTES,
                                          past->head.minute, minute);
    }

    npast = ngx_gateway_select_node_past(chain, node);

    return ngx_gateway_select_ring_at(npast->minutes,
                                      NGX_GATEWAY_SELECT_NODE_MINUTES,
                                      npast->head.minute, minute);
}


ngx_gateway_select_sum_t *
ngx_gateway_select_history_hour(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, uint32_t hour)
{
    ngx_gateway_select_past_t       *past;
    ngx_gateway_select_node_past_t  *npast;

    if (node == NGX_GATEWAY_SELECT_ALL_NODES) {
        past = chain->past;

        return ngx_gateway_select_ring_at(past->hours,
                                          NGX_GATEWAY_SELECT_HOURS,
                                          past->head.hour, hour);
    }

    npast = ngx_gateway_select_node_past(chain, node);

    return ngx_gateway_select_ring_at(npast->hours,
                                      NGX_GATEWAY_SELECT_NODE_HOURS,
                                      npast->head.hour, hour);
}


static ngx_gateway_select_sum_t *
ngx_gateway_select_ring_at(ngx_gateway_select_sum_t *sums, uint32_t size,
    uint32_t last, uint32_t at)
{
    ngx_gateway_select_sum_t  *sum;

    if (at > last || last - at >= size) {
        return NULL;
    }

    sum = &sums[at % size];

    return (sum->tries || sum->picked) ? sum : NULL;
}


void
ngx_gateway_select_history_key(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t hour, uint32_t bucket,
    ngx_str_t *key, u_char *buf)
{
    ngx_str_t  name;

    name.len = chain->name_len;
    name.data = chain->name;

    key->data = buf;
    key->len = ngx_sprintf(buf, "gateway:{%V}:rollup:%V:%c:%uL", &name,
                           ngx_gateway_select_region(gmcf),
                           hour ? 'h' : 'm',
                           (uint64_t) bucket * (hour ? 3600 : 60))
               - buf;
}
