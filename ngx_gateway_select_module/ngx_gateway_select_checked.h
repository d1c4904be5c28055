
/*
 * What each check last said of each node, for reports.  Verdicts and their
 * consequences do not depend on it: where the zone has no room nothing is
 * kept.  Written by the leader, read by any worker, under the zone's lock.
 */


#ifndef _NGX_GATEWAY_SELECT_CHECKED_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CHECKED_H_INCLUDED_


#include "ngx_gateway_select_checker.h"
#include "ngx_gateway_select_report.h"


/* of a value, what is kept of it */

#define NGX_GATEWAY_SELECT_CHECKED_LEN   32
#define NGX_GATEWAY_SELECT_CHECKED_NAME  32


typedef enum {
    NGX_GATEWAY_SELECT_CHECKED_NEVER = 0,
    NGX_GATEWAY_SELECT_CHECKED_OPEN,       /* answered; nothing is proven */
    NGX_GATEWAY_SELECT_CHECKED_PASSED,
    NGX_GATEWAY_SELECT_CHECKED_FAILED,
    NGX_GATEWAY_SELECT_CHECKED_NO_ANSWER,  /* or none that tells it */
    NGX_GATEWAY_SELECT_CHECKED_QUOTA
} ngx_gateway_select_checked_e;


/*
 * What became of a check's turns in all, each counted once: an answer that
 * nothing was proven of until the next one is OPEN.
 */

#define NGX_GATEWAY_SELECT_CHECKED_OUTCOMES                                   \
    (NGX_GATEWAY_SELECT_CHECKED_QUOTA + 1)


/* What decides, by how the check ended its turn. */

typedef enum {
    NGX_GATEWAY_SELECT_RULE_UNKNOWN = 0,   /* no node has answered yet */
    NGX_GATEWAY_SELECT_RULE_HEIGHT,
    NGX_GATEWAY_SELECT_RULE_VOTES,
    NGX_GATEWAY_SELECT_RULE_OWN            /* the check's, of one answer */
} ngx_gateway_select_rule_e;


/* The chain is watched from now on: what others kept of other checks ends. */
void ngx_gateway_select_checked_begin(ngx_gateway_select_watch_t *watch);

/*
 * The node answered; at is wall ms.  Of the value the beginning is kept, and
 * no bytes that JSON would have to escape.  Where a check is to decide alone
 * (OWN), its text is told instead if it has not told a value itself.
 */
void ngx_gateway_select_checked_told(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_rule_e rule, ngx_str_t *value, uint64_t at);

/*
 * What came of it, now or later; agreed is what the node's value was held
 * against, NULL: nothing, or what is kept already.
 */
void ngx_gateway_select_checked(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_e outcome, ngx_str_t *agreed);


/*
 * The name, into buf of CHECKED_NAME bytes, and counts, by outcome, of a
 * chain's check number i; 0: it has less of them.
 */
ngx_uint_t ngx_gateway_select_checked_counts(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i, ngx_str_t *name,
    u_char *buf, uint64_t *counts);

/* Writes ,"checks":[…] of the report's node; the end is given. */
u_char *ngx_gateway_select_checked_write(ngx_gateway_select_report_t *report,
    u_char *p);


#endif /* _NGX_GATEWAY_SELECT_CHECKED_H_INCLUDED_ */
