
/*
 * Fuzzer of the reader of nodes' answers (shared/pocket_node.c) and of the
 * session machine that they drive (shared/pocket_session.c).  What is given
 * out lies within the answer; classes go with their codes; no sequence of
 * answers brings the machine's counts out of order.
 *
 * Input: a status and an action (a byte each), then the body.
 */


#include "fuzz_memory.h"

#include "pocket_json.h"
#include "pocket_node.h"
#include "pocket_session.h"

#include <string.h>


#define FUZZ_HEAD  2


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check_answer(const pocket_node_answer_t *in,
    pocket_session_t *ss, pocket_alloc_t *a);
static void fuzz_session(const pocket_node_answer_t *in,
    pocket_session_t *ss, pocket_alloc_t *a);
static void fuzz_dispatch(const pocket_str_t *raw, pocket_alloc_t *a);
static void fuzz_notify(const pocket_node_answer_t *in, pocket_session_t *ss,
    unsigned recorded, pocket_alloc_t *a);
static void fuzz_machine(const pocket_session_t *ss);
static unsigned fuzz_is_within(const pocket_str_t *s,
    const pocket_str_t *text);


static const pocket_session_conf_t  fuzz_conf = { 1, 4 };


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_block_t          *blocks;
    pocket_alloc_t         a;
    pocket_session_t       ss;
    pocket_node_status_t   node = { 8, 4, 1, 0, 0, 0 };
    pocket_node_answer_t   in = { 0 };

    static char            type[] = "application/json; charset=utf-8";
    static const unsigned  status[] = { 200, 400, 401, 500 };

    if (size < FUZZ_HEAD) {
        return 0;
    }

    blocks = NULL;
    a.alloc = fuzz_alloc;
    a.data = &blocks;

    in.failure = (data[1] & 0x80) ? POCKET_NODE_BROKEN : POCKET_NODE_ANSWERED;
    in.status = status[data[0] % 4];
    in.content_type.data = (unsigned char *) type;
    in.content_type.len = sizeof(type) - 1;

    /* a copy of its own size, not the fuzzer's buffer */

    in.body.len = size - FUZZ_HEAD;
    in.body.data = pocket_alloc(&a, in.body.len);
    memcpy(in.body.data, data + FUZZ_HEAD, in.body.len);

    pocket_session_init(&ss, 5 + (data[1] & 0x0c), &node);

    fuzz_check_answer(&in, &ss, &a);

    fuzz_notify(&in, &ss, data[1] & 0x03, &a);
    fuzz_session(&in, &ss, &a);
    fuzz_notify(&in, &ss, 3, &a);
    fuzz_session(&in, &ss, &a);
    fuzz_session(&in, &ss, &a);

    fuzz_free(blocks);

    return 0;
}


static void
fuzz_check_answer(const pocket_node_answer_t *in, pocket_session_t *ss,
    pocket_alloc_t *a)
{
    int                       rc;
    pocket_error_id_e         err;
    pocket_check_answer_t     out;
    pocket_session_verdict_e  verdict;

    rc = pocket_node_check_answer(in, &out, a);

    fuzz_check(rc == 0 || (rc == 1 && in->status == 200));

    if (rc == 0) {
        return;
    }

    fuzz_check(fuzz_is_within(&out.wrong_servicers, &in->body));
    fuzz_check(fuzz_is_within(&out.wrong_chains, &in->body));

    verdict = pocket_session_relay(NULL, ss->height, &out.status, &fuzz_conf,
                                   &err);

    fuzz_check((verdict == POCKET_SESSION_SERVE) == (err == POCKET_ERR_NONE));

    verdict = pocket_session_relay(ss, ss->height, &out.status, &fuzz_conf,
                                   &err);

    fuzz_check(verdict != POCKET_SESSION_REFUSE_AHEAD);
    (void) pocket_session_due(ss, &out.status, 1000);
    fuzz_machine(ss);
}


static void
fuzz_session(const pocket_node_answer_t *in, pocket_session_t *ss,
    pocket_alloc_t *a)
{
    pocket_session_answer_t  out;

    fuzz_check(pocket_node_session_answer(in, &out, a) == POCKET_OK);

    fuzz_check(out.remaining >= POCKET_SESSION_NO_COUNT);
    fuzz_check(fuzz_is_within(&out.dispatch, &in->body));

    switch (out.class) {

    case POCKET_SESSION_ANSWER_VALID:
        fuzz_check((out.remaining == POCKET_SESSION_NO_COUNT)
                   == (in->status != 200));
        break;

    case POCKET_SESSION_ANSWER_INVALID:
        fuzz_check(in->status != 200);
        fuzz_check(pocket_node_code_ends_session(out.code));
        fuzz_check(pocket_error_by_code(out.code) != POCKET_ERR_NONE);
        break;

    default:
        fuzz_check(out.code == 0 || out.code == 1 || out.code == 75);
        break;
    }

    if (out.dispatch.len) {
        fuzz_dispatch(&out.dispatch, a);
    }

    pocket_session_answered(ss, &out, &fuzz_conf, 1000);
    fuzz_machine(ss);
}


static void
fuzz_dispatch(const pocket_str_t *raw, pocket_alloc_t *a)
{
    pocket_str_t  once, twice;

    fuzz_check(pocket_node_client_dispatch(raw, &once, a) == 1);
    fuzz_check(pocket_node_client_dispatch(&once, &twice, a) == 1);
    fuzz_check(once.len == twice.len
               && memcmp(once.data, twice.data, once.len) == 0);
}


static void
fuzz_notify(const pocket_node_answer_t *in, pocket_session_t *ss,
    unsigned recorded, pocket_alloc_t *a)
{
    int64_t                  queued;
    uint32_t                 code;
    pocket_notify_class_e    class;
    pocket_notify_answer_t   out;

    fuzz_check(pocket_node_notify_answer(in, &out, a) == POCKET_OK);

    fuzz_check(out.answered == (in->failure == POCKET_NODE_ANSWERED));
    fuzz_check(out.code == 0 || in->status == 400);
    fuzz_check((out.class == POCKET_NOTIFY_SESSION_INVALID)
               == (unsigned) pocket_node_code_ends_session(out.code));

    while (recorded--) {
        pocket_session_recorded(ss);
    }

    queued = ss->queued;
    class = pocket_session_notified(ss, &out, &code, 1000);

    fuzz_check(ss->queued == queued - (class != POCKET_NOTIFY_RETRY
                                       && queued > 0));
    fuzz_check(class == out.class || ss->state == POCKET_SESSION_INVALID);
    fuzz_machine(ss);
}


static void
fuzz_machine(const pocket_session_t *ss)
{
    int64_t  left;

    left = pocket_session_left(ss);

    fuzz_check(ss->state <= POCKET_SESSION_INVALID);
    fuzz_check((ss->state == POCKET_SESSION_INVALID) == (ss->code != 0));
    fuzz_check(!ss->unverified || ss->code == 1);
    fuzz_check(ss->queued >= 0 && ss->queued <= ss->recorded);
    fuzz_check(left >= POCKET_SESSION_NO_COUNT);
    fuzz_check(left == POCKET_SESSION_NO_COUNT || left <= ss->quota);
}


static unsigned
fuzz_is_within(const pocket_str_t *s, const pocket_str_t *text)
{
    return s->len == 0
           || (s->data >= text->data
               && s->data + s->len <= text->data + text->len);
}
