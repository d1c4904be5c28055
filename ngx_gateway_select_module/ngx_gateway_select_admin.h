
/*
 * Verbs of the administrator: which nodes and operators of a chain are not to
 * be used.  They stand in the zone, and in Redis where there is one, which
 * tells them to all gateways.
 */


#ifndef _NGX_GATEWAY_SELECT_ADMIN_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_ADMIN_H_INCLUDED_


#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_zone.h"


/* of a chain, as in Redis */

#define NGX_GATEWAY_SELECT_VERBS_MAX  1024
#define NGX_GATEWAY_SELECT_FIELD_MAX  (NGX_GATEWAY_SELECT_KEY_MAX + 1)


typedef enum {
    NGX_GATEWAY_SELECT_UNCORDON = 0,
    NGX_GATEWAY_SELECT_CORDON,
    NGX_GATEWAY_SELECT_DRAIN,
    NGX_GATEWAY_SELECT_CLEAR,
    NGX_GATEWAY_SELECT_ADMIN_VERBS
} ngx_gateway_select_verb_e;


/*
 * One that is in force, or one that Redis does not have yet.  The field is
 * "n" and a node's key or "o" and an operator's name.
 */

typedef struct {
    ngx_gateway_select_verb_e        verb;
    unsigned                         pending:1;  /* Redis is to have it */
    unsigned                         told:1;     /* in the call now made */
    u_short                          len;
    u_char                           field[NGX_GATEWAY_SELECT_FIELD_MAX];
} ngx_gateway_select_admin_t;


typedef struct {
    uint64_t                         version;    /* of Redis', last known */
    ngx_uint_t                       n;
    ngx_uint_t                       pending;
    ngx_gateway_select_admin_t      *list[NGX_GATEWAY_SELECT_VERBS_MAX];
} ngx_gateway_select_admins_t;


/*
 * Sets, changes or removes one and applies it; shared: Redis is to have it.
 * Gives how many nodes of the chain here it is about; NGX_DECLINED: there is
 * no such node or operator; NGX_ERROR: no memory, or too many.  Locks; any
 * worker.
 */
ngx_int_t ngx_gateway_select_admin_set(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_verb_e verb,
    ngx_str_t *field, ngx_uint_t shared);

/* What is in force for the node, as its flags; the lock is held. */
uint32_t ngx_gateway_select_admin_flags(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_node_t *node);

/* Those of the chain, made if there are none; the lock is held. */
ngx_gateway_select_admins_t *ngx_gateway_select_admins(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain);

/*
 * What Redis has: fields and verbs, elts of n strings.  version is above the
 * one known: they replace ours, but those that Redis is to have yet.  Else it
 * has lost some, and is to have all of ours.  The leader; locks.
 */
void ngx_gateway_select_admin_take(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, uint64_t version,
    mesh_redis_reply_t *elts, ngx_uint_t n);

/* Those that were told are known to Redis; or not.  The leader; locks. */
void ngx_gateway_select_admin_told(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t known);


extern ngx_str_t  ngx_gateway_select_verbs[NGX_GATEWAY_SELECT_ADMIN_VERBS];

extern ngx_gateway_select_endpoint_t  ngx_gateway_select_admin_endpoint;


#endif /* _NGX_GATEWAY_SELECT_ADMIN_H_INCLUDED_ */
