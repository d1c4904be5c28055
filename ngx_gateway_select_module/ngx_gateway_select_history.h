
/*
 * What became of tries by the minute and hour.  Each gateway keeps its own
 * sums in the zone, in rings; where there is Redis they are put there too,
 * as they are, so that whoever reads adds up those of all gateways, and a
 * write that is repeated changes nothing.
 */


#ifndef _NGX_GATEWAY_SELECT_HISTORY_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_HISTORY_H_INCLUDED_


#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_zone.h"


/* of a chain, and with Redis of a node, too */

#define NGX_GATEWAY_SELECT_MINUTES       120
#define NGX_GATEWAY_SELECT_HOURS         168

/* of a node, in the zone */

#define NGX_GATEWAY_SELECT_NODE_MINUTES  30
#define NGX_GATEWAY_SELECT_NODE_HOURS    24


typedef struct {
    uint32_t                       tries;
    uint32_t                       successes;
    uint32_t                       latency;    /* ms, sum */
    uint32_t                       latencies;
    uint32_t                       picked;
} ngx_gateway_select_sum_t;


/* What is written last; older sums than a ring has places for are gone. */

typedef struct {
    uint32_t                       minute;     /* since 1970 */
    uint32_t                       hour;
} ngx_gateway_select_past_head_t;


typedef struct {
    ngx_gateway_select_past_head_t head;
    ngx_gateway_select_sum_t       minutes[NGX_GATEWAY_SELECT_MINUTES];
    ngx_gateway_select_sum_t       hours[NGX_GATEWAY_SELECT_HOURS];
} ngx_gateway_select_past_t;


typedef struct {
    ngx_gateway_select_past_head_t head;
    ngx_gateway_select_sum_t       minutes[NGX_GATEWAY_SELECT_NODE_MINUTES];
    ngx_gateway_select_sum_t       hours[NGX_GATEWAY_SELECT_NODE_HOURS];
} ngx_gateway_select_node_past_t;


typedef struct {
    ngx_gateway_select_node_past_t nodes[NGX_GATEWAY_SELECT_CHUNK];
} ngx_gateway_select_pasts_t;


/* no node: the chain */

#define NGX_GATEWAY_SELECT_ALL_NODES  ((uint32_t) -1)


/* Adds to the node's and the chain's sums; the lock is held. */
void ngx_gateway_select_history_add(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, gateway_sample_t *sample, uint64_t picked, uint64_t now);

/* The slot is given to another node; the lock is held. */
void ngx_gateway_select_history_forget(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node);

/*
 * The sums of a minute, or hour, since 1970; NULL: nothing is known of it, or
 * it is too long ago.
 */
ngx_gateway_select_sum_t *ngx_gateway_select_history_minute(
    ngx_gateway_select_chain_sh_t *chain, uint32_t node, uint32_t minute);
ngx_gateway_select_sum_t *ngx_gateway_select_history_hour(
    ngx_gateway_select_chain_sh_t *chain, uint32_t node, uint32_t hour);

/* The key of a bucket in Redis, in buf; hour: of an hour, else a minute. */
#define NGX_GATEWAY_SELECT_ROLLUP_LEN                                         \
    (sizeof("gateway:{}:rollup::m:") + NGX_GATEWAY_SELECT_KEY_MAX + 128       \
     + NGX_INT64_LEN)

void ngx_gateway_select_history_key(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t hour, uint32_t bucket,
    ngx_str_t *key, u_char *buf);


extern ngx_gateway_select_endpoint_t  ngx_gateway_select_history_endpoint;


#endif /* _NGX_GATEWAY_SELECT_HISTORY_H_INCLUDED_ */
