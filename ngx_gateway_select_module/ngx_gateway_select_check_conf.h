
/*
 * A check by configuration alone: gateway_check NAME {}.  Requests are
 * texts in which gateway_probe_expand() replaces $id, $height and
 * $height_hex; answers are read by gateway_path_read().
 */


#ifndef _NGX_GATEWAY_SELECT_CHECK_CONF_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CHECK_CONF_H_INCLUDED_


#include "ngx_gateway_select_check.h"


typedef enum {
    NGX_GATEWAY_SELECT_HEIGHT = 0,         /* the value is a height: a vote */
    NGX_GATEWAY_SELECT_IDENTIFIER,         /* it names a block: a vote */
    NGX_GATEWAY_SELECT_EQUALS,             /* it is to be this text */
    NGX_GATEWAY_SELECT_PATTERN             /* it is to match */
} ngx_gateway_select_role_e;


/*
 * Read-only once the workers run.  has_height: the request asks for a block,
 * offset_from to offset_to behind the chain's height; otherwise an identifier
 * is one of the chain itself.
 */

typedef struct {
    ngx_str_t                      name;
    ngx_str_t                      method;
    ngx_str_t                      path;       /* empty: that of the node */
    ngx_str_t                      body;
    ngx_str_t                      header;     /* empty: none */
    ngx_str_t                      header_value;
    gateway_path_t                 value;
    ngx_gateway_select_role_e      role;
    ngx_str_t                      equals;
#if (NGX_PCRE)
    ngx_regex_t                   *pattern;
#endif
    uint32_t                       offset_from;
    uint32_t                       offset_to;
    ngx_msec_t                     interval;   /* 0: by the block time */
    ngx_msec_t                     penalty;    /* 0: until it passes */
    ngx_gateway_select_mode_e      mode;
    unsigned                       has_height:1;
} ngx_gateway_select_check_conf_t;


#endif /* _NGX_GATEWAY_SELECT_CHECK_CONF_H_INCLUDED_ */
