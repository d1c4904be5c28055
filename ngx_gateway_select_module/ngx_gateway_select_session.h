
/*
 * Sessions as requests see them: what a servicer's answer tells of the session
 * that a relay was sent in, and whose application signs it.  Any worker.
 */


#ifndef _NGX_GATEWAY_SELECT_SESSION_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_apps.h"
#include "ngx_gateway_select_pick.h"


/* what an error of a servicer means */

typedef enum {
    NGX_GATEWAY_SELECT_SESSION_FAULT = 0,  /* the node's, as any other */
    NGX_GATEWAY_SELECT_SESSION_NOT_READY,  /* nobody's: try another node */
    NGX_GATEWAY_SELECT_SESSION_OUT         /* nobody's: the node takes no */
                                           /*   more in this session */
} ngx_gateway_select_session_e;


/*
 * A servicer answered with this code of pocketcore (spec: what a relay node
 * checks; what a full node answers).  14, 60 and 75 within a block of a
 * session's boundary: it is not ready for the session, and left alone for a
 * moment.  71: out.  90: out, if our own count reached the allowance, or when
 * told three times over two blocks; before that not ready.  FAULT is for the
 * caller to count; the two others are told the zone here.
 */
ngx_gateway_select_session_e ngx_gateway_select_session_outcome(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    ngx_uint_t code);

/*
 * The "dispatch" object beside an error, as it came.  A session that is newer
 * than the pick's is served once servicers of two operators have told of the
 * same one (or of one, where the session has no other); dispatchers are asked
 * at once.  NGX_OK: newer, taken; NGX_DECLINED: nothing new, or nonsense;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_session_refresh(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    ngx_str_t *dispatch);

/*
 * The application of a pick's session, with its key; NULL: this configuration
 * does not have it (any more), or the session has ended.  *height is the
 * session's.
 */
gateway_app_t *ngx_gateway_select_session_app(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    uint64_t *height);


#endif /* _NGX_GATEWAY_SELECT_SESSION_H_INCLUDED_ */
