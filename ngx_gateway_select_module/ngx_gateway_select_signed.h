
/*
 * Relays to the servicers of sessions: signed when they are sent, by the key
 * of the session's application, and what comes back is read as it comes and
 * judged.  With and without a caller's request; any worker.
 */


#ifndef _NGX_GATEWAY_SELECT_SIGNED_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_SIGNED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_gateway_select_account.h"
#include "ngx_gateway_select_session.h"
#include "pocket_answer.h"


/*
 * What is asked, whoever of a chain's servicers it goes to.  relay.payload is
 * set by who asks, its headers sorted bytewise, each name once; the rest by
 * _payload().
 */

typedef struct {
    pocket_relay_t                 relay;
    ngx_str_t                      head;       /* of the relay's text */
    u_char                         hash[POCKET_HASH_LEN];
} ngx_gateway_select_payload_t;


/*
 * One relay, and its answer as far as it has come; of a pool, with which it
 * ends.  The exchange that sends it must have ended before.
 */

typedef struct {
    ngx_gateway_select_payload_t  *payload;
    ngx_str_t                      servicer;   /* public key, hex */
    uint64_t                       height;     /* of the session */
    mesh_http_url_t                url;        /* of the node, see _send() */
    ngx_gateway_select_account_ref_t
                                   account;
    pocket_answer_t                answer;
    u_char                         proof[POCKET_HASH_LEN];
    ngx_chain_t                    chain[2];   /* the body */
    ngx_buf_t                      bufs[2];
    u_char                         key[2 * POCKET_PUBKEY_LEN];
} ngx_gateway_select_signed_t;


/* What an answer is for a caller and for the node. */

typedef struct {
    pocket_answer_e                verdict;
    pocket_client_answer_t         told;       /* all but the response */
    pocket_json_error_t            err;        /* why it is NONE */
} ngx_gateway_select_verdict_t;


/*
 * Writes what all relays of the payload have in common, to pool, and hashes
 * it; pick is of the first one.  NGX_DECLINED: a string of it is not UTF-8, no
 * servicer would get it as it is; NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_payload(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_payload_t *payload,
    ngx_pool_t *pool);

/*
 * Signs a relay of the payload to the pick's node, in its session, and finds
 * the node's URL (relay->url.peer is NULL when it has none that is good).
 * verify: the answer's signature will be judged.  NGX_DECLINED: the session
 * is over, its application is not ours any more, or the node has changed:
 * pick again; NGX_ERROR: no memory.  url is good while the current event's
 * handlers run.
 */
ngx_int_t ngx_gateway_select_sign(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_payload_t *payload,
    ngx_uint_t verify, ngx_gateway_select_signed_t *relay, ngx_pool_t *pool);

/*
 * Sends it: rq has deadlines, sink and limits; method, URL, headers and body
 * are set here.  As mesh_http_send().
 */
mesh_http_exchange_t *ngx_gateway_select_signed_send(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_signed_t *relay, mesh_http_request_t *rq,
    mesh_http_handler_pt handler, void *data);

/*
 * The answer's body as it comes.  1: *text is more of the response, see
 * pocket_answer_read(); 0: all of *piece was taken; NGX_ERROR: this is no
 * answer of a relay.
 */
ngx_int_t ngx_gateway_select_signed_read(ngx_gateway_select_signed_t *relay,
    ngx_str_t *piece, ngx_str_t *text);

/* All of it was read. */
void ngx_gateway_select_signed_end(ngx_gateway_select_signed_t *relay,
    ngx_gateway_select_verdict_t *verdict);

/* Both for a body in one piece, which is overwritten; text is of it. */
void ngx_gateway_select_signed_judge(ngx_gateway_select_signed_t *relay,
    ngx_str_t *body, ngx_str_t *text, ngx_gateway_select_verdict_t *verdict);

/*
 * Tells sessions of an error that a servicer answered with: its code, and
 * its dispatch.  FAULT is for the caller to count.
 */
ngx_gateway_select_session_e ngx_gateway_select_signed_error(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_verdict_t *verdict);

/*
 * The verdict was FORGED: the node is out soon, by the leader, and the answer
 * is kept as evidence with the signature and both hashes.  text is what there
 * is of the answer of that size.
 */
void ngx_gateway_select_signed_forged(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_pick_t *pick, ngx_gateway_select_signed_t *relay,
    ngx_gateway_select_verdict_t *verdict, ngx_str_t *text, size_t size);


/* Worker's start and end.  NGX_ERROR: no memory. */
ngx_int_t ngx_gateway_select_signed_init(
    ngx_gateway_select_main_conf_t *gmcf);
void ngx_gateway_select_signed_exit(ngx_gateway_select_main_conf_t *gmcf);


#endif /* _NGX_GATEWAY_SELECT_SIGNED_H_INCLUDED_ */
