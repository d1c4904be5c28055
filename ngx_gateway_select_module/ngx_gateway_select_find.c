
/*
 * FindNode for other modules, see gateway_find.h.
 */


#include "ngx_gateway_select_find.h"
#include "ngx_gateway_select_session.h"


/* a node whose slot is given away while it is read is a rare thing */

#define NGX_GATEWAY_SELECT_FIND_READS  4


static ngx_int_t ngx_gateway_select_find_copy(gateway_found_t *found,
    ngx_gateway_select_pick_t *pick);
static ngx_int_t ngx_gateway_select_find_call(ngx_cycle_t *cycle,
    ngx_str_t *chain, gateway_found_t *found);
static ngx_int_t ngx_gateway_select_find_pick(ngx_cycle_t *cycle,
    ngx_str_t *chain, gateway_found_t *found);
static ngx_int_t ngx_gateway_select_find_tell(gateway_found_t *found);
static void ngx_gateway_select_find_begin(gateway_found_t *found);
static void ngx_gateway_select_find_end(gateway_found_t *found,
    gateway_find_how_e how, ngx_msec_t ms);
static ngx_int_t ngx_gateway_select_find_session(ngx_cycle_t *cycle,
    gateway_found_t *found, ngx_uint_t code, ngx_str_t *dispatch);


_Static_assert(sizeof(ngx_gateway_select_pick_t)
               <= sizeof(((gateway_found_t *) 0)->pick),
               "a pick has room in gateway_found_t");


/* by gateway_find_how_e */

static gateway_try_e  ngx_gateway_select_find_how[] = {
    GATEWAY_TRY_OK,
    GATEWAY_TRY_FAILED,
    GATEWAY_TRY_LOST,
    GATEWAY_TRY_CENSORED
};


const gateway_find_calls_t  ngx_gateway_select_calls = {
    GATEWAY_FIND_VERSION,
    ngx_gateway_select_find_call,
    ngx_gateway_select_find_pick,
    ngx_gateway_select_find_tell,
    ngx_gateway_select_find_begin,
    ngx_gateway_select_find_end,
    ngx_gateway_select_find_session
};


/* by ngx_gateway_select_session_e */

static ngx_int_t  ngx_gateway_select_find_outcome[] = {
    NGX_OK,
    NGX_AGAIN,
    NGX_DONE
};


ngx_int_t
ngx_gateway_select_find(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *chain, gateway_found_t *found, ngx_gateway_select_pick_t *pick)
{
    ngx_uint_t                      reads;
    ngx_gateway_select_reason_e     reason;
    ngx_gateway_select_chain_sh_t  *shared;

    shared = ngx_gateway_select_zone_chain(gmcf, chain);

    for (reads = 0; reads < NGX_GATEWAY_SELECT_FIND_READS; reads++) {

        reason = ngx_gateway_select_pick(shared, NULL, pick);
        found->reason = ngx_gateway_select_reasons[reason];

        if (reason != NGX_GATEWAY_SELECT_FOUND) {
            return NGX_DECLINED;
        }

        if (ngx_gateway_select_find_copy(found, pick) == NGX_OK) {
            return NGX_OK;
        }
    }

    found->reason = ngx_gateway_select_reasons[NGX_GATEWAY_SELECT_NO_NODES];

    return NGX_DECLINED;
}


/* NGX_DECLINED: the slot was given to another node meanwhile. */

static ngx_int_t
ngx_gateway_select_find_copy(gateway_found_t *found,
    ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_node_t     *node;
    ngx_gateway_select_session_t  *session;

    node = ngx_gateway_select_node(pick->chain, pick->node);

    found->key.data = found->key_data;
    found->key.len = ngx_min(node->sn.str.len, NGX_GATEWAY_SELECT_KEY_MAX);
    ngx_memcpy(found->key_data, node->key, found->key.len);

    found->url.data = found->url_data;
    found->url.len = ngx_min(node->url_len, NGX_GATEWAY_SELECT_URL_MAX);
    ngx_memcpy(found->url_data, node->url, found->url.len);

    found->weight = node->weight;
    found->session_height = 0;
    found->app.data = found->app_data;
    found->app.len = 0;

    if (pick->session != NGX_GATEWAY_SELECT_NO_SESSION) {
        session = &pick->chain->sessions[pick->session];

        found->session_height = session->height;
        found->app.len = GATEWAY_FIND_APP;
        ngx_memcpy(found->app_data, session->app_key, GATEWAY_FIND_APP);

        ngx_gateway_select_read_barrier();

        if (session->generation != pick->session_generation) {
            return NGX_DECLINED;
        }
    }

    ngx_gateway_select_read_barrier();

    return (ngx_gateway_select_generation(pick->chain, pick->node)
            == pick->generation)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_gateway_select_find_call(ngx_cycle_t *cycle, ngx_str_t *chain,
    gateway_found_t *found)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_gateway_select_main_conf(cycle);

    if (gmcf == NULL) {
        found->reason
            = ngx_gateway_select_reasons[NGX_GATEWAY_SELECT_UNKNOWN_CHAIN];
        return NGX_DECLINED;
    }

    return ngx_gateway_select_find(gmcf, chain, found,
                                   (ngx_gateway_select_pick_t *) found->pick);
}


static ngx_int_t
ngx_gateway_select_find_pick(ngx_cycle_t *cycle, ngx_str_t *chain,
    gateway_found_t *found)
{
    ngx_gateway_select_reason_e      reason;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_gateway_select_main_conf(cycle);

    reason = gmcf ? ngx_gateway_select_pick(
                        ngx_gateway_select_zone_chain(gmcf, chain), NULL,
                        (ngx_gateway_select_pick_t *) found->pick)
                  : NGX_GATEWAY_SELECT_UNKNOWN_CHAIN;

    found->reason = ngx_gateway_select_reasons[reason];

    return (reason == NGX_GATEWAY_SELECT_FOUND) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_gateway_select_find_tell(gateway_found_t *found)
{
    return ngx_gateway_select_find_copy(found,
                                   (ngx_gateway_select_pick_t *) found->pick);
}


static void
ngx_gateway_select_find_begin(gateway_found_t *found)
{
    ngx_gateway_select_begin((ngx_gateway_select_pick_t *) found->pick);
}


static void
ngx_gateway_select_find_end(gateway_found_t *found, gateway_find_how_e how,
    ngx_msec_t ms)
{
    ngx_gateway_select_end((ngx_gateway_select_pick_t *) found->pick,
                           ngx_gateway_select_find_how[how], ms);
}


static ngx_int_t
ngx_gateway_select_find_session(ngx_cycle_t *cycle, gateway_found_t *found,
    ngx_uint_t code, ngx_str_t *dispatch)
{
    ngx_gateway_select_pick_t       *pick;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = ngx_gateway_select_main_conf(cycle);
    pick = (ngx_gateway_select_pick_t *) found->pick;

    if (gmcf == NULL) {
        return NGX_OK;
    }

    if (dispatch->len) {
        (void) ngx_gateway_select_session_refresh(gmcf, pick, dispatch);
    }

    return ngx_gateway_select_find_outcome[
                     ngx_gateway_select_session_outcome(gmcf, pick, code)];
}
