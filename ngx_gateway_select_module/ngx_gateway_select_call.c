
/*
 * Steps of a call: which attempt is next, and when it is enough.
 */


#include "ngx_gateway_select_call.h"


/* the least time that makes sense to begin an attempt with, ms */

#define NGX_GATEWAY_SELECT_CALL_LEAST  20


static ngx_uint_t ngx_gateway_select_call_drawn(double share);
static void ngx_gateway_select_call_next(ngx_gateway_select_call_t *call,
    ngx_uint_t hedge);
static void ngx_gateway_select_call_retry(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt);
static ngx_uint_t ngx_gateway_select_call_again(
    ngx_gateway_select_call_t *call);
static void ngx_gateway_select_call_agree(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt);
static void ngx_gateway_select_call_fall(ngx_gateway_select_call_t *call);
static void ngx_gateway_select_call_fail(ngx_gateway_select_call_t *call);
static ngx_uint_t ngx_gateway_select_call_too_long(
    ngx_gateway_select_call_t *call);
static void ngx_gateway_select_call_timer(ngx_event_t *ev);
static void ngx_gateway_select_call_beside(ngx_gateway_select_call_t *call);
static void ngx_gateway_select_call_arm(ngx_gateway_select_call_t *call);
static ngx_msec_int_t ngx_gateway_select_call_left(
    ngx_gateway_select_call_t *call);


void
ngx_gateway_select_call_read(ngx_gateway_select_call_t *call)
{
    ngx_http_request_t  *r;

    r = call->request;

    gateway_call_read(&call->asked, call->dialect,
                      (pocket_str_t *) &r->method_name,
                      (pocket_str_t *) &call->path,
                      (pocket_str_t *) &call->body,
                      call->chain->writes.elts, call->chain->writes.nelts);

    call->write = (call->asked.traits & GATEWAY_CALL_WRITE) ? 1 : 0;
    call->edited = (call->batch != NULL
                    || call->asked.traits & GATEWAY_CALL_FILTER);
}


void
ngx_gateway_select_call_begin(ngx_gateway_select_call_t *call)
{
    call->state = NGX_GATEWAY_SELECT_CALL_TRYING;

    switch (ngx_gateway_select_parts(call)) {

    case NGX_OK:
        return;

    case NGX_ERROR:
        ngx_gateway_select_reply_error(call, NGX_GATEWAY_SELECT_CALL_MEMORY);
        return;
    }

    call->agreed = 1;
    call->verify = ngx_gateway_select_call_drawn(call->chain->verify);
    call->begun = ngx_current_msec;
    call->deadline = ngx_current_msec + call->glcf->deadline;

    call->timer.handler = ngx_gateway_select_call_timer;
    call->timer.data = call->request->connection;
    call->timer.log = call->request->connection->log;

    call->ability = gateway_call_ability(&call->asked,
                                         call->shared->height.reference);

    if (call->ability != GATEWAY_ABILITIES) {
        call->tried.abilities = (ngx_uint_t) 1 << call->ability;
    }

    ngx_gateway_select_budget_call(call);

    switch (ngx_gateway_select_origin(call)) {

    case NGX_DECLINED:
        ngx_gateway_select_reply_lost(call);
        return;

    case NGX_ERROR:
        ngx_gateway_select_reply_error(call, NGX_GATEWAY_SELECT_CALL_MEMORY);
        return;
    }

    if (call->fallen) {
        call->reason = NGX_GATEWAY_SELECT_EXCLUDED;
        ngx_gateway_select_call_fall(call);
        return;
    }

    ngx_gateway_select_call_next(call, 0);
}


static ngx_uint_t
ngx_gateway_select_call_drawn(double share)
{
    return (double) ngx_random() < share * ((double) RAND_MAX + 1);
}


static void
ngx_gateway_select_call_next(ngx_gateway_select_call_t *call,
    ngx_uint_t hedge)
{
    ngx_int_t  rc;

    call->hedging = hedge;

    rc = ngx_gateway_select_attempt(call);

    if (rc == NGX_ERROR) {
        ngx_gateway_select_reply_error(call, NGX_GATEWAY_SELECT_CALL_MEMORY);
        return;
    }

    if (call->open) {
        ngx_gateway_select_call_arm(call);
        return;
    }

    ngx_gateway_select_call_fall(call);
}


void
ngx_gateway_select_call_ended(ngx_gateway_select_attempt_t *attempt)
{
    ngx_gateway_select_call_t  *call;

    call = attempt->call;

    if (call->stream == attempt) {
        ngx_gateway_select_stream_end(attempt);
        return;
    }

    if (attempt->held
        && (attempt->fault == GATEWAY_FAULT_NONE
            || attempt->fault == GATEWAY_FAULT_CALLER))
    {
        if (attempt->null && ngx_gateway_select_target_higher(attempt)) {
            call->fallback = attempt;
            ngx_gateway_select_call_retry(call, attempt);
            return;
        }

        ngx_gateway_select_reply_answer(call, attempt);
        return;
    }

    if (attempt->altruist && !call->fallen) {
        ngx_gateway_select_call_fail(call);
        return;
    }

    if (attempt->excused) {
        call->excused++;

    } else {
        ngx_gateway_select_call_agree(call, attempt);
    }

    /* of a batch the other calls are anybody's */

    if (call->sticky && call->asked.batch && call->batch == NULL) {
        call->sticky = 0;
        call->fallen = 0;
        call->body = call->whole;
    }

    ngx_gateway_select_call_retry(call, attempt);
}


static void
ngx_gateway_select_call_retry(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt)
{
    if (call->write && attempt->sent) {
        call->sent = 1;
    }

    if (ngx_gateway_select_call_again(call)
        && (attempt->excused || ngx_gateway_select_budget_retry(call)))
    {
        ngx_gateway_select_call_next(call, 0);
        return;
    }

    if (call->open == 0) {
        ngx_gateway_select_call_fall(call);
    }
}


/* May there be another attempt? */

static ngx_uint_t
ngx_gateway_select_call_again(ngx_gateway_select_call_t *call)
{
    return !call->sent
           && !call->sticky
           && call->n - call->excused < NGX_GATEWAY_SELECT_ATTEMPTS
           && call->excused < NGX_GATEWAY_SELECT_EXCUSED
           && call->open < NGX_GATEWAY_SELECT_ABREAST
           && ngx_gateway_select_call_left(call)
              > NGX_GATEWAY_SELECT_CALL_LEAST;
}


/* Where all nodes say the same, it is the caller's to know. */

static void
ngx_gateway_select_call_agree(ngx_gateway_select_call_t *call,
    ngx_gateway_select_attempt_t *attempt)
{
    if (!attempt->held
        || attempt->scan.other
        || (call->last && call->last->fault != attempt->fault))
    {
        call->agreed = 0;
    }

    if (attempt->held) {
        call->last = attempt;
    }
}


/* No node is left to be asked. */

static void
ngx_gateway_select_call_fall(ngx_gateway_select_call_t *call)
{
    ngx_int_t  rc;

    if (call->fallback) {
        ngx_gateway_select_reply_answer(call, call->fallback);
        return;
    }

    /* a filter's node alone is asked: that may be the altruist, once */

    if (!call->sent
        && (!call->sticky || (call->fallen && call->n == 0))
        && ngx_gateway_select_call_left(call) > NGX_GATEWAY_SELECT_CALL_LEAST
        && ngx_gateway_select_budget_altruist(call))
    {
        call->state = NGX_GATEWAY_SELECT_CALL_FALLING;

        rc = ngx_gateway_select_attempt_altruist(call);

        if (rc == NGX_OK) {
            ngx_gateway_select_call_arm(call);
            return;
        }

        ngx_gateway_select_budget_altruist_told(call, 0);
    }

    ngx_gateway_select_call_fail(call);
}


static void
ngx_gateway_select_call_fail(ngx_gateway_select_call_t *call)
{
    ngx_gateway_select_call_error_e  error;

    if (call->agreed && call->last) {
        ngx_gateway_select_reply_answer(call, call->last);
        return;
    }

    /* no other node has it: who makes it anew is served */

    if (call->sticky && call->n) {
        ngx_gateway_select_reply_lost(call);
        return;
    }

    if (call->n == 0 || (call->n == 1 && call->attempts[0]->altruist)) {
        error = call->too_large ? NGX_GATEWAY_SELECT_CALL_TOO_LARGE
                : call->not_utf8 ? NGX_GATEWAY_SELECT_CALL_NOT_UTF8
                                 : NGX_GATEWAY_SELECT_CALL_NO_NODE;

    } else if (call->sent) {
        error = NGX_GATEWAY_SELECT_CALL_SENT;

    } else if (ngx_gateway_select_call_left(call)
               <= NGX_GATEWAY_SELECT_CALL_LEAST)
    {
        error = NGX_GATEWAY_SELECT_CALL_DEADLINE;

    } else if (ngx_gateway_select_call_too_long(call)) {
        error = NGX_GATEWAY_SELECT_CALL_TOO_LONG;

    } else {
        error = NGX_GATEWAY_SELECT_CALL_FAILED;
    }

    ngx_gateway_select_reply_error(call, error);
}


/* Others may have failed besides: of this the caller can make something. */

static ngx_uint_t
ngx_gateway_select_call_too_long(ngx_gateway_select_call_t *call)
{
    ngx_uint_t  i;

    for (i = 0; i < call->n; i++) {
        if (call->attempts[i]->too_long) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_gateway_select_call_timer(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_gateway_select_call_t  *call;

    call = (ngx_gateway_select_call_t *)
               ((u_char *) ev - offsetof(ngx_gateway_select_call_t, timer));

    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    if (ngx_gateway_select_call_left(call) > 0) {
        ngx_gateway_select_call_beside(call);

    } else if (call->fallback) {
        ngx_gateway_select_reply_answer(call, call->fallback);

    } else {
        ngx_gateway_select_reply_error(call,
                                       NGX_GATEWAY_SELECT_CALL_DEADLINE);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * What lasts longer than the node's patience counts at once, and another node
 * is asked besides, as it is, within a budget, at the node's 95th percentile.
 */

static void
ngx_gateway_select_call_beside(ngx_gateway_select_call_t *call)
{
    ngx_uint_t                     i, late, slow;
    ngx_msec_t                     elapsed;
    ngx_gateway_select_attempt_t  *attempt;

    late = 0;
    slow = 0;

    for (i = 0; i < call->n; i++) {

        attempt = call->attempts[i];

        if (attempt->exchange == NULL || attempt->altruist) {
            continue;
        }

        elapsed = ngx_current_msec - attempt->begun;

        if (!attempt->late && elapsed >= attempt->patience) {
            attempt->late = 1;
            late = 1;

            ngx_gateway_select_overdue(&attempt->pick);
        }

        slow |= (elapsed >= attempt->hedge);
    }

    if (!call->write && ngx_gateway_select_call_again(call)) {

        if (late && ngx_gateway_select_budget_retry(call)) {
            ngx_gateway_select_call_next(call, 0);
            return;
        }

        if (slow && !call->hedged) {
            call->hedged = 1;

            if (ngx_gateway_select_budget_hedge(call)) {
                ngx_gateway_select_call_next(call, 1);
                return;
            }
        }
    }

    ngx_gateway_select_call_arm(call);
}


/* The earliest of the deadline and what is to be done before it. */

static void
ngx_gateway_select_call_arm(ngx_gateway_select_call_t *call)
{
    ngx_uint_t                     i;
    ngx_msec_int_t                 left, wait;
    ngx_gateway_select_attempt_t  *attempt;

    left = ngx_gateway_select_call_left(call);

    for (i = 0; i < call->n; i++) {

        attempt = call->attempts[i];

        if (attempt->exchange == NULL || attempt->altruist) {
            continue;
        }

        if (!attempt->late) {
            wait = (ngx_msec_int_t) (attempt->begun + attempt->patience
                                     - ngx_current_msec);
            left = ngx_min(left, wait);
        }

        if (!call->hedged && !call->write) {
            wait = (ngx_msec_int_t) (attempt->begun + attempt->hedge
                                     - ngx_current_msec);
            left = ngx_min(left, wait);
        }
    }

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_add_timer(&call->timer, (ngx_msec_t) ngx_max(left, 1));
}


static ngx_msec_int_t
ngx_gateway_select_call_left(ngx_gateway_select_call_t *call)
{
    return (ngx_msec_int_t) (call->deadline - ngx_current_msec);
}


void
ngx_gateway_select_call_leave(ngx_gateway_select_call_t *call)
{
    ngx_uint_t  i;

    for (i = 0; i < call->n; i++) {
        if (call->attempts[i] != call->stream) {
            ngx_gateway_select_attempt_leave(call->attempts[i]);
        }
    }
}


void
ngx_gateway_select_call_cancel(ngx_gateway_select_call_t *call)
{
    ngx_uint_t  i;

    call->state = NGX_GATEWAY_SELECT_CALL_ANSWERED;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->more.posted) {
        ngx_delete_posted_event(&call->more);
    }

    for (i = 0; i < call->n; i++) {
        ngx_gateway_select_attempt_cancel(call->attempts[i]);

        if (call->attempts[i]->relay) {
            ngx_gateway_select_servicer_count(call->attempts[i]);
        }
    }
}
