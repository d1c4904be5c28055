
/*
 * The relay client: a caller's request (a call) and what is tried for it.
 *
 * A call reads its body, then tries nodes, one after another or, where one is
 * late, beside it; the first answer that is no node's fault is the caller's.
 * When no node has one, the altruist is asked, else the caller gets an error.
 * All of it ends with the request: attempts under way are given up.
 */


#ifndef _NGX_GATEWAY_SELECT_CALL_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gateway_parts.h"
#include "ngx_gateway_select_conf.h"
#include "ngx_gateway_select_signed.h"


#define NGX_GATEWAY_SELECT_ATTEMPTS    8   /* of a call, in all */
#define NGX_GATEWAY_SELECT_EXCUSED     8   /* besides: nobody's faults */
#define NGX_GATEWAY_SELECT_ABREAST     3   /* of a call, at a time */

/* relays beyond it are cut by servicers, and so refused */

#define NGX_GATEWAY_SELECT_BODY_MAX    1048576


typedef struct ngx_gateway_select_call_s     ngx_gateway_select_call_t;
typedef struct ngx_gateway_select_attempt_s  ngx_gateway_select_attempt_t;
typedef struct ngx_gateway_select_parts_s    ngx_gateway_select_parts_t;


typedef enum {
    NGX_GATEWAY_SELECT_CALL_READING = 0,   /* the caller's body */
    NGX_GATEWAY_SELECT_CALL_TRYING,        /* nodes */
    NGX_GATEWAY_SELECT_CALL_FALLING,       /* back to the altruist */
    NGX_GATEWAY_SELECT_CALL_STREAMING,     /* an answer that still comes */
    NGX_GATEWAY_SELECT_CALL_ANSWERED
} ngx_gateway_select_call_state_e;


/* Why a call failed, in JSON by name; statuses and texts are in one table. */

typedef enum {
    NGX_GATEWAY_SELECT_CALL_BAD_CHAIN = 0,
    NGX_GATEWAY_SELECT_CALL_METHOD,
    NGX_GATEWAY_SELECT_CALL_TOO_LARGE,
    NGX_GATEWAY_SELECT_CALL_NOT_UTF8,
    NGX_GATEWAY_SELECT_CALL_WEBSOCKET,
    NGX_GATEWAY_SELECT_CALL_NO_NODE,       /* the pick's reason says more */
    NGX_GATEWAY_SELECT_CALL_FAILED,        /* so all that were tried */
    NGX_GATEWAY_SELECT_CALL_SENT,          /* a write: maybe it was done */
    NGX_GATEWAY_SELECT_CALL_TOO_LONG,      /* an answer */
    NGX_GATEWAY_SELECT_CALL_DEADLINE,
    NGX_GATEWAY_SELECT_CALL_MEMORY,
    NGX_GATEWAY_SELECT_CALL_ERRORS
} ngx_gateway_select_call_error_e;


/* An answer that is held: in memory, then in a temporary file. */

typedef struct {
    ngx_pool_t                     *pool;
    ngx_chain_t                    *chain;
    ngx_chain_t                   **last;
    ngx_temp_file_t                *file;
    ngx_path_t                     *path;
    ngx_chain_t                    *given;     /* of memory, maybe not sent */
    size_t                          memory;    /* at most */
    off_t                           limit;
    off_t                           size;      /* of all that was added */
    off_t                           gone;      /* of it, sent */
    off_t                           shown;     /* of the file, given */
    unsigned                        filing:1;  /* more goes to the file */
} ngx_gateway_select_hold_t;


/* NGX_DECLINED: it is longer than the limit. */
ngx_int_t ngx_gateway_select_hold_add(ngx_gateway_select_hold_t *hold,
    u_char *p, size_t n, ngx_log_t *log);

/*
 * What has not been given yet, for output; the last buffer is not marked so.
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_hold_give(ngx_gateway_select_hold_t *hold,
    ngx_chain_t **out);

/* All that was added, in one piece; of what has no file. */
ngx_int_t ngx_gateway_select_hold_text(ngx_gateway_select_hold_t *hold,
    ngx_str_t *text);

/* All that was given is sent, its memory and room in the file are free. */
void ngx_gateway_select_hold_sent(ngx_gateway_select_hold_t *hold);


/*
 * One try.  It is open while an exchange is under way, and keeps its answer
 * until the request ends.
 */

struct ngx_gateway_select_attempt_s {
    ngx_gateway_select_call_t      *call;
    ngx_gateway_select_pick_t       pick;
    ngx_pool_t                     *pool;
    mesh_http_exchange_t           *exchange;
    ngx_str_t                       node;      /* as callers are told */
    ngx_msec_t                      begun;
    ngx_msec_t                      patience;
    ngx_msec_t                      hedge;     /* its p95 */
    gateway_scan_t                  scan;
    gateway_fault_e                 fault;
    ngx_gateway_select_hold_t       hold;
    ngx_uint_t                      status;
    ngx_str_t                       content_type;
    ngx_str_t                       encoding;
    ngx_gateway_select_signed_t    *relay;     /* of a session, or NULL */
    ngx_gateway_select_became_e     became;    /* the relay */
    unsigned                        begun_pick:1;
    unsigned                        late:1;
    unsigned                        hedging:1;
    unsigned                        altruist:1;
    unsigned                        held:1;    /* a whole answer */
    unsigned                        sent:1;    /* a byte may have arrived */
    unsigned                        too_long:1;
    unsigned                        null:1;    /* a result that is null */
    unsigned                        garbled:1; /* no answer of a relay */
    unsigned                        excused:1; /* nobody's fault */
};


struct ngx_gateway_select_call_s {
    ngx_http_request_t             *request;
    ngx_gateway_select_call_state_e state;
    ngx_gateway_select_main_conf_t *gmcf;
    ngx_gateway_select_loc_conf_t  *glcf;
    ngx_gateway_select_chain_t     *chain;
    ngx_gateway_select_chain_sh_t  *shared;
    ngx_str_t                       name;      /* of the chain */
    ngx_str_t                       path;      /* of the payload, raw */
    ngx_str_t                       args;
    ngx_str_t                       body;
    ngx_array_t                     headers;   /* mesh_http_header_t */
    gateway_dialect_e               dialect;
    gateway_call_t                  asked;
    gateway_ability_e               ability;   /* that it needs */
    ngx_gateway_select_tried_t      tried;
    ngx_gateway_select_pick_t       origin;    /* of its filter */
    ngx_str_t                       whole;     /* body as the caller sent it */
    ngx_gateway_select_parts_t     *parts;     /* it is asked in, or NULL */
    ngx_gateway_select_call_t      *batch;     /* it is a part of, or NULL */
    ngx_uint_t                      part;      /* which one */
    uint64_t                        client;
    uint64_t                        higher;    /* least height that counts */
    ngx_event_t                     timer;
    ngx_event_t                     more;      /* of what is streamed */
    ngx_msec_t                      begun;
    ngx_msec_t                      deadline;
    ngx_gateway_select_payload_t   *payload;   /* of relays, NULL: none yet */
    ngx_gateway_select_attempt_t   *attempts[NGX_GATEWAY_SELECT_ATTEMPTS
                                             + NGX_GATEWAY_SELECT_EXCUSED
                                             + 1];
    ngx_uint_t                      n;         /* attempts ever */
    ngx_uint_t                      excused;   /* of them */
    ngx_uint_t                      open;
    ngx_gateway_select_attempt_t   *last;      /* that has an answer */
    ngx_gateway_select_attempt_t   *fallback;  /* a null, if none is better */
    ngx_gateway_select_attempt_t   *stream;    /* that goes on to the caller */
    ngx_gateway_select_attempt_t   *won;       /* whose answer it gets */
    ngx_gateway_select_reason_e     reason;    /* of the last pick */
    ngx_uint_t                      route;     /* see _metrics.h */
    ngx_uint_t                      ended;
    ngx_msec_t                      took;
    unsigned                        write:1;
    unsigned                        verify:1;  /* answers are held, and */
                                               /*   signatures verified */
    unsigned                        edited:1;  /* answers are, and so are */
                                               /*   held in memory */
    unsigned                        too_large:1;   /* to be a relay */
    unsigned                        not_utf8:1;    /* the same */
    unsigned                        sent:1;    /* a write has left */
    unsigned                        back:1;    /* no node is as high */
    unsigned                        agreed:1;  /* all have said the same */
    unsigned                        hedged:1;
    unsigned                        hedging:1; /* the attempt being begun */
    unsigned                        sticky:1;  /* only its origin is asked */
    unsigned                        fallen:1;  /* which is the altruist */
    unsigned                        blocked:1; /* the caller is slow */
    unsigned                        told:1;    /* how it ends */
};


/* _call.c: steps of a call. */

/* What its body asks for. */
void ngx_gateway_select_call_read(ngx_gateway_select_call_t *call);

/* The first step, when all of the request is known. */
void ngx_gateway_select_call_begin(ngx_gateway_select_call_t *call);

/* An attempt has ended, its pick has been told; it may be answered by it. */
void ngx_gateway_select_call_ended(ngx_gateway_select_attempt_t *attempt);

/* All that is under way is given up; the timer is removed. */
void ngx_gateway_select_call_cancel(ngx_gateway_select_call_t *call);

/* There is an answer: all attempts that are open are left. */
void ngx_gateway_select_call_leave(ngx_gateway_select_call_t *call);


/*
 * _attempt.c.  NGX_DECLINED: there is no node, call->reason says why;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_gateway_select_attempt(ngx_gateway_select_call_t *call);

/* The same of the altruist. */
ngx_int_t ngx_gateway_select_attempt_altruist(
    ngx_gateway_select_call_t *call);

/* Gives it up, for no fault of the node. */
void ngx_gateway_select_attempt_cancel(ngx_gateway_select_attempt_t *attempt);

/*
 * Another attempt was faster: its answer is not needed, but whether it comes
 * in time is told of the node.
 */
void ngx_gateway_select_attempt_leave(ngx_gateway_select_attempt_t *attempt);

/* Takes what the caller is to get: for sinks. */
ngx_int_t ngx_gateway_select_attempt_take(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result,
    u_char *p, size_t n);


/*
 * _stream.c: answers that go on to callers before they are whole.  _more():
 * there is more of it, the first time it begins and all other attempts end;
 * _end(): that was all, or nothing more comes.  The request is finalized, but
 * never by _more().
 */
void ngx_gateway_select_stream_more(ngx_gateway_select_attempt_t *attempt);
void ngx_gateway_select_stream_end(ngx_gateway_select_attempt_t *attempt);


/*
 * _servicer.c: attempts at the servicers of sessions.  NGX_DECLINED: the
 * pick's session is over, its node cannot be asked, or no servicer this.
 */
ngx_int_t ngx_gateway_select_servicer(ngx_gateway_select_attempt_t *attempt);

/* Sends the relay; rq has deadlines and limits. */
mesh_http_exchange_t *ngx_gateway_select_servicer_send(
    ngx_gateway_select_attempt_t *attempt, mesh_http_request_t *rq,
    mesh_http_handler_pt handler);

/* A whole answer.  OK: there is a response in it, which is to be judged. */
gateway_try_e ngx_gateway_select_servicer_judge(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result);

/* The exchange is about to be canceled, or left. */
void ngx_gateway_select_servicer_cancel(
    ngx_gateway_select_attempt_t *attempt);

/* The call is over: what became of the relay is counted, once. */
void ngx_gateway_select_servicer_count(ngx_gateway_select_attempt_t *attempt);


/*
 * _target.c.  The node of the next attempt; it is not yet among those tried.
 */
ngx_gateway_select_reason_e ngx_gateway_select_target(
    ngx_gateway_select_call_t *call, ngx_gateway_select_pick_t *pick);

/* 1: its answer is null, and there is a node that may know more: once. */
ngx_uint_t ngx_gateway_select_target_higher(
    ngx_gateway_select_attempt_t *attempt);

/*
 * What an exchange tells besides: what the node lacks is learned, and is no
 * failure.  May change the fault; gives how the try counts.
 */
gateway_try_e ngx_gateway_select_target_judge(
    ngx_gateway_select_attempt_t *attempt, mesh_http_result_t *result,
    gateway_try_e how);


/*
 * _origin.c.  Finds the node of the filter that a call is of, and makes the
 * call sticky; NGX_DECLINED: it is gone, or was never ours.
 */
ngx_int_t ngx_gateway_select_origin(ngx_gateway_select_call_t *call);

/* Ids of filters in an answer get the tag of its node. */
ngx_int_t ngx_gateway_select_origin_answer(
    ngx_gateway_select_attempt_t *attempt);


/*
 * _parts.c: a batch of filters of several nodes is asked in parts, each a call
 * of its own, but of the same request; what they end with is told here, and
 * the last one's end is the caller's answer.
 */

struct ngx_gateway_select_parts_s {
    gateway_parts_t                 batch;
    ngx_gateway_select_call_t      *calls[GATEWAY_PARTS_MAX];
    ngx_gateway_select_attempt_t   *answers[GATEWAY_PARTS_MAX];
    ngx_uint_t                      open;
};

/* NGX_DECLINED: it is none of these; NGX_ERROR: no memory. */
ngx_int_t ngx_gateway_select_parts(ngx_gateway_select_call_t *call);

void ngx_gateway_select_parts_answer(ngx_gateway_select_call_t *part,
    ngx_gateway_select_attempt_t *attempt);
void ngx_gateway_select_parts_error(ngx_gateway_select_call_t *part,
    int code, ngx_str_t *message);


/* _reply.c: what the caller gets; the request is finalized. */

/* The headers alone, of an answer of this length, -1: not known yet. */
ngx_int_t ngx_gateway_select_reply_head(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt, off_t length);

void ngx_gateway_select_reply_answer(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt);
void ngx_gateway_select_reply_error(ngx_gateway_select_call_t *call,
    ngx_gateway_select_call_error_e error);

/* The filter is not found: what a node says that has lost it. */
void ngx_gateway_select_reply_lost(ngx_gateway_select_call_t *call);

/* This text, JSON. */
void ngx_gateway_select_reply_json(ngx_gateway_select_call_t *call,
    ngx_str_t *text);

/* The same without a call: gives what the content handler returns. */
ngx_int_t ngx_gateway_select_reply_refuse(ngx_http_request_t *r,
    ngx_gateway_select_call_error_e error);

/* The error's name; NO_NODE has none, its reasons do. */
ngx_str_t *ngx_gateway_select_reply_name(
    ngx_gateway_select_call_error_e error);

/* An answer without a body to OPTIONS. */
ngx_int_t ngx_gateway_select_reply_options(ngx_http_request_t *r);


/* _budget.c: what calls may cost besides; per worker. */

ngx_int_t ngx_gateway_select_budgets_init(ngx_cycle_t *cycle,
    ngx_gateway_select_main_conf_t *gmcf);

/* Each call adds to the budgets of its chain. */
void ngx_gateway_select_budget_call(ngx_gateway_select_call_t *call);

/* 1: it may be done, and has been paid for. */
ngx_uint_t ngx_gateway_select_budget_retry(ngx_gateway_select_call_t *call);
ngx_uint_t ngx_gateway_select_budget_hedge(ngx_gateway_select_call_t *call);

/* May the altruist be asked?  Then how it went is to be told. */
ngx_uint_t ngx_gateway_select_budget_altruist(
    ngx_gateway_select_call_t *call);
void ngx_gateway_select_budget_altruist_told(ngx_gateway_select_call_t *call,
    ngx_uint_t good);


extern ngx_gateway_select_endpoint_t  ngx_gateway_select_relay_endpoint;


#endif /* _NGX_GATEWAY_SELECT_CALL_H_INCLUDED_ */
