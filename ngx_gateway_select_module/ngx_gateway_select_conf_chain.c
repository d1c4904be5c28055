
/*
 * Chains of the configuration: gateway_chain {}, defaults and merging.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"


#define NGX_GATEWAY_SELECT_HEDGE     0.05

#define ngx_gateway_select_merge_real(conf, value)                            \
    if (conf == NGX_GATEWAY_SELECT_UNSET) {                                   \
        conf = value;                                                         \
    }


typedef struct {
    ngx_str_t                    id;
    ngx_gateway_select_family_e  family;
} ngx_gateway_select_known_t;


static char *ngx_gateway_select_chain_key(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);


/*
 * Chains of Pocket's main network whose requests go to the path "/": those
 * of the same family that have one of their own are not here.
 */

static ngx_gateway_select_known_t  ngx_gateway_select_known[] = {
    { ngx_string("0001"), NGX_GATEWAY_SELECT_POKT },
    { ngx_string("0004"), NGX_GATEWAY_SELECT_EVM },    /* BNB Smart Chain */
    { ngx_string("0005"), NGX_GATEWAY_SELECT_EVM },    /* Fuse */
    { ngx_string("0006"), NGX_GATEWAY_SELECT_SOLANA },
    { ngx_string("0009"), NGX_GATEWAY_SELECT_EVM },    /* Polygon */
    { ngx_string("000A"), NGX_GATEWAY_SELECT_EVM },    /* Fuse archival */
    { ngx_string("000B"), NGX_GATEWAY_SELECT_EVM },    /* Polygon archival */
    { ngx_string("000C"), NGX_GATEWAY_SELECT_EVM },    /* Gnosis archival */
    { ngx_string("0010"), NGX_GATEWAY_SELECT_EVM },    /* BNB archival */
    { ngx_string("0021"), NGX_GATEWAY_SELECT_EVM },    /* Ethereum */
    { ngx_string("0022"), NGX_GATEWAY_SELECT_EVM },    /* archival */
    { ngx_string("0027"), NGX_GATEWAY_SELECT_EVM },    /* Gnosis */
    { ngx_string("0028"), NGX_GATEWAY_SELECT_EVM },    /* Ethereum, traces */
    { ngx_string("0040"), NGX_GATEWAY_SELECT_EVM },    /* Harmony */
    { ngx_string("0048"), NGX_GATEWAY_SELECT_EVM },    /* Boba */
    { ngx_string("0049"), NGX_GATEWAY_SELECT_EVM },    /* Fantom */
    { ngx_string("C006"), NGX_GATEWAY_SELECT_SOLANA },
    { ngx_null_string, NGX_GATEWAY_SELECT_NONE }
};


char *
ngx_gateway_select_conf_chain(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_conf_t                   save;
    ngx_gateway_select_chain_t  *chain;

    value = cf->args->elts;

    chain = ngx_gateway_select_chain_add(cf, gmcf, &value[1]);
    if (chain == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;

    cf->handler = ngx_gateway_select_chain_key;
    cf->handler_conf = chain;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


ngx_gateway_select_chain_t *
ngx_gateway_select_chain_add(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_gateway_select_chain_t   *chain, **chains;

    if (ngx_gateway_select_conf_name(name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a chain \"%V\", 1 to %d "
                           "characters other than space, quotes, braces and "
                           "\"/\" are expected", name,
                           NGX_GATEWAY_SELECT_NAME_MAX);
        return NULL;
    }

    chains = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        if (chains[i]->name.len == name->len
            && ngx_strncmp(chains[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate chain \"%V\"", name);
            return NULL;
        }
    }

    chain = ngx_pcalloc(cf->pool, sizeof(ngx_gateway_select_chain_t));
    if (chain == NULL || ngx_gateway_select_chain_init(cf, chain) != NGX_OK) {
        return NULL;
    }

    chain->name = *name;
    chain->configured = 1;

    chains = ngx_array_push(&gmcf->chains);
    if (chains == NULL) {
        return NULL;
    }

    *chains = chain;

    return chain;
}


ngx_int_t
ngx_gateway_select_chain_init(ngx_conf_t *cf,
    ngx_gateway_select_chain_t *chain)
{
    /*
     * set by ngx_pcalloc():
     *
     *     chain->name, check_host, check_uri = { 0, NULL };
     *     chain->witness, altruist, upstream = NULL;
     *     chain->record = { 0, ... };
     *     chain->keys, configured = 0;
     */

    chain->family = NGX_GATEWAY_SELECT_FAMILIES;
    chain->timeout = NGX_CONF_UNSET_MSEC;
    chain->check_interval = NGX_CONF_UNSET_MSEC;
    chain->check_tls = NGX_CONF_UNSET;
    chain->verify = NGX_GATEWAY_SELECT_UNSET;
    chain->hedge = NGX_GATEWAY_SELECT_UNSET;

    chain->record.height_tolerance = NGX_GATEWAY_SELECT_UNSET_COUNT;

    chain->rank.success = NGX_GATEWAY_SELECT_UNSET;
    chain->rank.correctness = NGX_GATEWAY_SELECT_UNSET;
    chain->rank.liveliness = NGX_GATEWAY_SELECT_UNSET;
    chain->rank.latency = NGX_GATEWAY_SELECT_UNSET;
    chain->rank.operator_cap = NGX_GATEWAY_SELECT_UNSET;
    chain->rank.max_ejected = NGX_GATEWAY_SELECT_UNSET;

    if (ngx_array_init(&chain->servers, cf->pool, 4,
                       sizeof(ngx_gateway_select_server_t))
        != NGX_OK
        || ngx_array_init(&chain->check_names, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&chain->writes, cf->pool, 1, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&chain->headers, cf->pool, 1,
                          sizeof(mesh_http_header_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_array_init(&chain->checks, cf->pool, 2,
                          sizeof(ngx_gateway_select_check_t *));
}


void
ngx_gateway_select_chain_merge(ngx_gateway_select_chain_t *chain,
    ngx_gateway_select_chain_t *prev)
{
    uint32_t                    tolerance;
    const gateway_rank_conf_t  *rank;

    if (prev) {
        ngx_conf_merge_msec_value(chain->timeout, prev->timeout, 10000);
        rank = &prev->rank;

    } else {
        ngx_conf_init_msec_value(chain->timeout, 10000);
        rank = &gateway_rank_defaults;
    }

    if (chain->family == NGX_GATEWAY_SELECT_FAMILIES) {
        chain->family = ngx_gateway_select_family_of(&chain->name);
    }

    ngx_gateway_select_merge_real(chain->verify, prev ? prev->verify : 1.0);
    ngx_gateway_select_merge_real(chain->hedge, prev ? prev->hedge
                                                : NGX_GATEWAY_SELECT_HEDGE);

    ngx_conf_init_msec_value(chain->check_interval, 0);
    ngx_conf_init_value(chain->check_tls, 0);

    tolerance = chain->record.height_tolerance;
    chain->record = prev ? prev->record : gateway_record_defaults;

    if (tolerance != NGX_GATEWAY_SELECT_UNSET_COUNT) {
        chain->record.height_tolerance = tolerance;
    }

    ngx_gateway_select_merge_real(chain->rank.success, rank->success);
    ngx_gateway_select_merge_real(chain->rank.correctness, rank->correctness);
    ngx_gateway_select_merge_real(chain->rank.liveliness, rank->liveliness);
    ngx_gateway_select_merge_real(chain->rank.latency, rank->latency);
    ngx_gateway_select_merge_real(chain->rank.operator_cap,
                                  rank->operator_cap);
    ngx_gateway_select_merge_real(chain->rank.max_ejected, rank->max_ejected);

    chain->rank.latency_floor = rank->latency_floor;
    chain->rank.explore = rank->explore;
    chain->rank.welcome = rank->welcome;
}


ngx_int_t
ngx_gateway_select_families_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                   i;
    ngx_gateway_select_chain_t  *chain;

    for (i = 0; i < NGX_GATEWAY_SELECT_FAMILIES; i++) {

        chain = ngx_palloc(cf->pool, sizeof(ngx_gateway_select_chain_t));
        if (chain == NULL) {
            return NGX_ERROR;
        }

        *chain = *gmcf->defaults;
        chain->family = i;

        gmcf->families[i] = chain;
    }

    return NGX_OK;
}


ngx_gateway_select_family_e
ngx_gateway_select_family_of(ngx_str_t *name)
{
    ngx_gateway_select_known_t  *known;

    for (known = ngx_gateway_select_known; known->id.len; known++) {

        if (known->id.len == name->len
            && ngx_strncasecmp(known->id.data, name->data, name->len) == 0)
        {
            return known->family;
        }
    }

    return NGX_GATEWAY_SELECT_NONE;
}


static char *
ngx_gateway_select_chain_key(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_gateway_select_chain_t *chain = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    return ngx_gateway_select_conf_values(cf, chain,
                                          NGX_GATEWAY_SELECT_IN_CHAIN,
                                          &value[0], &value[1],
                                          cf->args->nelts - 1);
}
