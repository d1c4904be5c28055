
/*
 * Roll-ups: the sums of a minute that is over, then those of its hour so far,
 * are written for each node that has any.  Values are whole, a gateway's own:
 * so a write may be repeated.
 */


#include "ngx_gateway_select_history.h"
#include "ngx_gateway_select_sync.h"


#define NGX_GATEWAY_SELECT_SUMS        32
#define NGX_GATEWAY_SELECT_SUMS_LOOK   1024

/* how long a bucket is kept after it was written, ms */
#define NGX_GATEWAY_SELECT_SUMS_MINUTE  "7500000"
#define NGX_GATEWAY_SELECT_SUMS_HOUR    "608400000"

/* of a minute that has ended: what was in flight may still be added to it */
#define NGX_GATEWAY_SELECT_SUMS_LATE   3000        /* ms */

#define NGX_GATEWAY_SELECT_SUMS_LEN    (5 * (NGX_INT32_LEN + 1))


static ngx_int_t ngx_gateway_select_sync_minute(
    ngx_gateway_select_sync_chain_t *sc);
static u_char *ngx_gateway_select_sync_sum(ngx_gateway_select_sync_chain_t *sc,
    uint32_t node, ngx_str_t *argv, u_char *p);


ngx_int_t
ngx_gateway_select_sync_sums(ngx_gateway_select_sync_chain_t *sc,
    mesh_redis_handler_pt handler)
{
    u_char                       *p, *last;
    u_char                        key[NGX_GATEWAY_SELECT_ROLLUP_LEN];
    u_char                        text[NGX_GATEWAY_SELECT_SUMS
                                       * (NGX_GATEWAY_SELECT_ID_LEN + 1
                                          + NGX_GATEWAY_SELECT_KEY_MAX
                                          + NGX_GATEWAY_SELECT_SUMS_LEN)];
    uint32_t                      i, n, nnodes;
    ngx_str_t                     argv[2 + 2 * NGX_GATEWAY_SELECT_SUMS];
    ngx_uint_t                    argc;

    if (sc->minute == 0 && ngx_gateway_select_sync_minute(sc) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_gateway_select_history_key(sc->sync->gmcf, sc->chain, sc->hour,
                                   sc->hour ? sc->minute / 60 : sc->minute,
                                   &argv[0], key);

    if (sc->hour) {
        ngx_str_set(&argv[1], NGX_GATEWAY_SELECT_SUMS_HOUR);

    } else {
        ngx_str_set(&argv[1], NGX_GATEWAY_SELECT_SUMS_MINUTE);
    }

    argc = 2;
    p = text;

    /* the chain's own come first, in the place before the first node's */

    nnodes = (uint32_t) sc->chain->nnodes + 1;
    n = ngx_min(sc->from + NGX_GATEWAY_SELECT_SUMS_LOOK, nnodes);

    for (i = sc->from;
         i < n && argc < 2 + 2 * NGX_GATEWAY_SELECT_SUMS;
         i++)
    {
        last = ngx_gateway_select_sync_sum(sc, i - 1, &argv[argc], p);

        if (last != p) {
            argc += 2;
            p = last;
        }
    }

    sc->next = (i < nnodes) ? i : 0;

    if (argc == 2) {
        ngx_gateway_select_sync_summed(sc);
        return NGX_AGAIN;
    }

    return ngx_gateway_select_sync_eval(sc->sync->gmcf,
                                        GATEWAY_SCRIPT_STORE, 1, argc, argv,
                                        handler, sc, &sc->cmd);
}


/* The next minute that is over, if there is one. */

static ngx_int_t
ngx_gateway_select_sync_minute(ngx_gateway_select_sync_chain_t *sc)
{
    uint32_t                      now;
    ngx_gateway_select_shared_t  *shared;

    shared = sc->chain->shared;

    now = (uint32_t) ((ngx_gateway_select_now()
                       - NGX_GATEWAY_SELECT_SUMS_LATE) / 60000);

    if (shared->minute == 0 || shared->minute > now) {
        shared->minute = now - 1;
    }

    if (shared->minute + 1 == now) {
        return NGX_DECLINED;
    }

    /* what is older is not in the zone any more */

    sc->minute = ngx_max(shared->minute + 1,
                         now - NGX_GATEWAY_SELECT_NODE_MINUTES + 1);
    sc->hour = 0;
    sc->from = 0;

    return NGX_OK;
}


/* Field and value; gives p itself where there is no sum. */

static u_char *
ngx_gateway_select_sync_sum(ngx_gateway_select_sync_chain_t *sc,
    uint32_t node, ngx_str_t *argv, u_char *p)
{
    ngx_str_t                  *key;
    ngx_gateway_select_sum_t   *sum;

    sum = sc->hour ? ngx_gateway_select_history_hour(sc->chain, node,
                                                     sc->minute / 60)
                   : ngx_gateway_select_history_minute(sc->chain, node,
                                                       sc->minute);
    if (sum == NULL) {
        return p;
    }

    argv[0].data = p;
    p = ngx_cpymem(p, sc->chain->sh->id, NGX_GATEWAY_SELECT_ID_LEN);
    *p++ = ' ';

    if (node != NGX_GATEWAY_SELECT_ALL_NODES) {
        key = &ngx_gateway_select_node(sc->chain, node)->sn.str;
        p = ngx_cpymem(p, key->data, key->len);
    }

    argv[0].len = p - argv[0].data;

    argv[1].data = p;
    p = ngx_sprintf(p, "%uD %uD %uD %uD %uD", sum->tries, sum->successes,
                    sum->latency, sum->latencies, sum->picked);
    argv[1].len = p - argv[1].data;

    return p;
}


void
ngx_gateway_select_sync_summed(ngx_gateway_select_sync_chain_t *sc)
{
    sc->from = sc->next;

    if (sc->from) {
        return;
    }

    if (!sc->hour) {
        sc->hour = 1;
        return;
    }

    ((ngx_gateway_select_shared_t *) sc->chain->shared)->minute = sc->minute;
    sc->minute = 0;
}
