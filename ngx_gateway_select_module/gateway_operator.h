
/*
 * Who runs a node, by its service URL alone: a rule of the configuration,
 * else the registrable domain (public suffix list, as libpsl has it built
 * in), else the network of the address.  Pure: names are not looked up.
 */


#ifndef _GATEWAY_OPERATOR_H_INCLUDED_
#define _GATEWAY_OPERATOR_H_INCLUDED_


#include "pocket_base.h"


/* a host name, or a network in text */

#define GATEWAY_OPERATOR_LEN  256


/* Slices are of the rule's text; IPv4 is mapped into IPv6. */

typedef struct {
    pocket_str_t     name;               /* of the operator */
    pocket_str_t     host;               /* pattern; empty: a network */
    unsigned char    network[16];
    unsigned         prefix;             /* bits of it */
} gateway_operator_rule_t;


/*
 * A network in CIDR form or a single address; else a pattern of host names:
 * "*" is any text, even with dots in it, and one that begins with "." is the
 * domain and all below.  Letters match whatever their case.  Leaves
 * rule->name as it is.  POCKET_ERROR: *err says why.
 */
int gateway_operator_rule(const pocket_str_t *text,
    gateway_operator_rule_t *rule, const char **err);

/*
 * The first rule that the host of a URL, or HOST[:PORT], matches: its index,
 * or n.
 */
uint32_t gateway_operator_match(const gateway_operator_rule_t *rules,
    uint32_t n, const pocket_str_t *url);

/*
 * The operator by the URL: the registrable domain, or the whole name where
 * there is none ("localhost", a public suffix); of an address the network of
 * 24 (IPv4) or 48 bits (IPv6).  Writes at most GATEWAY_OPERATOR_LEN bytes;
 * gives the number, 0: there is no host in it.
 */
size_t gateway_operator(const pocket_str_t *url, unsigned char *out);


#endif /* _GATEWAY_OPERATOR_H_INCLUDED_ */
