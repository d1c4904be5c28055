
/*
 * gateway_operator, and the operators of nodes by it.
 */


#include "ngx_gateway_select.h"
#include "ngx_gateway_select_conf.h"


static ngx_uint_t ngx_gateway_select_operator_known(
    ngx_gateway_select_main_conf_t *gmcf, gateway_operator_rule_t *rule);
static ngx_int_t ngx_gateway_select_chain_operators(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_chain_t *chain);


char *
ngx_gateway_select_conf_operator(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_gateway_select_main_conf_t *gmcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    const char               *err;
    pocket_str_t              text;
    gateway_operator_rule_t   rule, *rules;

    value = cf->args->elts;

    if (ngx_gateway_select_conf_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"%V\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rule.name.data = value[1].data;
        rule.name.len = value[1].len;

        text.data = value[i].data;
        text.len = value[i].len;

        if (gateway_operator_rule(&text, &rule, &err) != POCKET_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\": %s",
                               &value[i], &cmd->name, err);
            return NGX_CONF_ERROR;
        }

        if (ngx_gateway_select_operator_known(gmcf, &rule)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate value \"%V\" in \"%V\"",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        rules = ngx_array_push(&gmcf->operators);
        if (rules == NULL) {
            return NGX_CONF_ERROR;
        }

        *rules = rule;
    }

    return NGX_CONF_OK;
}


/* The first rule that matches counts: another one like it never would. */

static ngx_uint_t
ngx_gateway_select_operator_known(ngx_gateway_select_main_conf_t *gmcf,
    gateway_operator_rule_t *rule)
{
    ngx_uint_t                i;
    gateway_operator_rule_t  *rules;

    rules = gmcf->operators.elts;

    for (i = 0; i < gmcf->operators.nelts; i++) {

        if (rules[i].host.len != rule->host.len) {
            continue;
        }

        if (rule->host.len) {
            if (ngx_strncasecmp((u_char *) rules[i].host.data,
                                (u_char *) rule->host.data, rule->host.len)
                == 0)
            {
                return 1;
            }

        } else if (rules[i].prefix == rule->prefix
                   && ngx_memcmp(rules[i].network, rule->network,
                                 sizeof(rule->network))
                      == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_gateway_select_operators_init(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    ngx_uint_t                    i;
    ngx_gateway_select_chain_t  **chains;

    chains = gmcf->chains.elts;

    for (i = 0; i < gmcf->chains.nelts; i++) {
        if (ngx_gateway_select_chain_operators(cf, gmcf, chains[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gateway_select_chain_operators(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_chain_t *chain)
{
    u_char                        buf[GATEWAY_OPERATOR_LEN];
    ngx_str_t                     operator;
    ngx_uint_t                    i;
    ngx_gateway_select_server_t  *server;

    server = chain->servers.elts;

    for (i = 0; i < chain->servers.nelts; i++) {

        if (server[i].operator.len) {
            continue;
        }

        /* the URL of a pool's server may have the host of all of them */

        if (chain->upstream) {
            ngx_gateway_select_operator_mapped(gmcf, &server[i].name,
                                               &server[i].operator);
            continue;
        }

        ngx_gateway_select_operator_of(gmcf, &server[i].url->text, buf,
                                       &operator);

        server[i].operator.len = operator.len;
        server[i].operator.data = ngx_pstrdup(cf->pool, &operator);

        if (server[i].operator.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_gateway_select_operator_of(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *url, u_char *buf, ngx_str_t *operator)
{
    pocket_str_t  text;

    ngx_gateway_select_operator_mapped(gmcf, url, operator);

    if (operator->len) {
        return;
    }

    text.data = url->data;
    text.len = url->len;

    operator->len = gateway_operator(&text, buf);
    operator->data = buf;
}


void
ngx_gateway_select_operator_mapped(ngx_gateway_select_main_conf_t *gmcf,
    ngx_str_t *url, ngx_str_t *operator)
{
    uint32_t                  i;
    pocket_str_t              text;
    gateway_operator_rule_t  *rules;

    rules = gmcf->operators.elts;

    text.data = url->data;
    text.len = url->len;

    i = gateway_operator_match(rules, gmcf->operators.nelts, &text);

    if (i == gmcf->operators.nelts) {
        ngx_str_null(operator);
        return;
    }

    operator->len = rules[i].name.len;
    operator->data = rules[i].name.data;
}
