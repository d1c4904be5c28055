
/* session-flow.json: sessions in time, and the classes of nodes' answers */

#include "vectors.h"

#include "pocket_session.h"

#include <string.h>


#define VECTOR_SESSIONS  16
#define VECTOR_PROOFS    1024

/* between two events: longer than any wait for a retry */
#define VECTOR_STEP      60000


typedef struct {
    pocket_str_t           name;
    int64_t                height;
    unsigned               known;
    pocket_session_t       ss;
    pocket_str_t           proofs[VECTOR_PROOFS];
    size_t                 nproofs;
} vector_session_t;


typedef struct {
    vector_case_t         *c;
    int64_t                now;
    pocket_node_status_t   node;
    pocket_session_conf_t  conf;
    vector_session_t       sessions[VECTOR_SESSIONS];
    size_t                 nsessions;
} vector_flow_t;


typedef struct {
    const char            *name;
    void                 (*run)(vector_flow_t *flow, vector_session_t *s,
                                const vector_value_t *event,
                                const vector_value_t *expect);
} vector_event_t;


static void vector_flow(vector_case_t *c);
static void vector_flow_start(vector_flow_t *flow,
    const vector_value_t *context);
static void vector_flow_event(vector_flow_t *flow,
    const vector_value_t *event);
static void vector_event_relay(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static pocket_error_id_e vector_flow_relay(vector_flow_t *flow,
    vector_session_t *s, const pocket_str_t *proof);
static void vector_event_node(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static void vector_event_due(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static void vector_event_session(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static void vector_event_notify(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static void vector_event_sweep(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect);
static void vector_notify(vector_case_t *c);
static void vector_session_answer(vector_case_t *c);
static void vector_check_answer(vector_case_t *c);
static void vector_node_answer(vector_case_t *c, const vector_value_t *in,
    pocket_node_answer_t *answer);
static void vector_expect_name(vector_case_t *c,
    const vector_value_t *expect, const char *name, const char *got);
static void vector_expect_remaining(vector_case_t *c,
    const vector_value_t *expect, int64_t remaining);


static const vector_event_t  vector_events[] = {
    { "relay", vector_event_relay },
    { "node", vector_event_node },
    { "due", vector_event_due },
    { "session_answer", vector_event_session },
    { "notify_answer", vector_event_notify },
    { "sweep", vector_event_sweep }
};


static const char *const  vector_states[] = {
    [POCKET_SESSION_UNVALIDATED] = "unvalidated",
    [POCKET_SESSION_VALID] = "valid",
    [POCKET_SESSION_INVALID] = "invalid"
};

static const char *const  vector_notify_classes[] = {
    [POCKET_NOTIFY_DELIVERED] = "delivered",
    [POCKET_NOTIFY_REFUSED] = "refused",
    [POCKET_NOTIFY_SESSION_INVALID] = "session-invalid",
    [POCKET_NOTIFY_RETRY] = "retry"
};

static const char *const  vector_session_classes[] = {
    [POCKET_SESSION_ANSWER_VALID] = "valid",
    [POCKET_SESSION_ANSWER_INVALID] = "invalid",
    [POCKET_SESSION_ANSWER_RETRY] = "retry",
    [POCKET_SESSION_ANSWER_NONE] = "retry"
};


void
vector_session_flow(vector_case_t *c)
{
    if (vector_is(&c->kind, "flow")) {
        vector_flow(c);

    } else if (vector_is(&c->kind, "notify")) {
        vector_notify(c);

    } else if (vector_is(&c->kind, "session_answer")) {
        vector_session_answer(c);

    } else if (vector_is(&c->kind, "check_answer")) {
        vector_check_answer(c);

    } else {
        vector_fail(c, "unknown kind");
    }
}


static void
vector_flow(vector_case_t *c)
{
    vector_flow_t         *flow;
    const vector_value_t  *context, *events, *event;

    context = vector_need(c, c->value, "context");
    events = vector_need(c, c->value, "events");

    if (context == NULL || events == NULL) {
        return;
    }

    flow = pocket_alloc(c->alloc, sizeof(vector_flow_t));
    memset(flow, 0, sizeof(vector_flow_t));

    flow->c = c;

    vector_flow_start(flow, context);

    for (event = events->first; event && !c->failed; event = event->next) {
        flow->now += VECTOR_STEP;
        vector_flow_event(flow, event);
    }
}


static void
vector_flow_start(vector_flow_t *flow, const vector_value_t *context)
{
    vector_case_t         *c;
    const vector_value_t  *node, *sessions, *session;

    c = flow->c;
    node = vector_need(c, context, "node");
    sessions = vector_need(c, context, "sessions");

    flow->now = VECTOR_STEP;
    flow->conf.retry_max = (uint32_t) vector_int(c, context,
                                                 "session_retry_max");

    flow->node.height = vector_int(c, node, "height");
    flow->node.blocks_per_session = vector_int(c, node, "blocks_per_session");
    flow->node.client_session_sync_allowance =
        vector_int(c, node, "client_session_sync_allowance");
    flow->node.is_starting = vector_bool(node, "is_starting");
    flow->node.is_catching_up = vector_bool(node, "is_catching_up");
    flow->node.checked = flow->now;

    for (session = sessions->first; session; session = session->next) {

        if (flow->nsessions == VECTOR_SESSIONS) {
            vector_fail(c, "too many sessions");
            return;
        }

        flow->sessions[flow->nsessions].name = vector_str(c, session, "name");
        flow->sessions[flow->nsessions].height =
            vector_int(c, session, "session_height");
        flow->nsessions++;
    }
}


static void
vector_flow_event(vector_flow_t *flow, const vector_value_t *event)
{
    size_t                 i, k;
    pocket_str_t           name, action;
    vector_session_t      *s;
    const vector_value_t  *expect;

    name = vector_str(flow->c, event, "session");
    action = vector_str(flow->c, event, "do");
    expect = vector_get(event, "expect");

    s = NULL;

    for (k = 0; k < flow->nsessions; k++) {

        if (flow->sessions[k].name.len == name.len
            && memcmp(flow->sessions[k].name.data, name.data, name.len) == 0)
        {
            s = &flow->sessions[k];
        }
    }

    for (i = 0; i < sizeof(vector_events) / sizeof(vector_events[0]); i++) {

        if (vector_is(&action, vector_events[i].name)) {

            if (s == NULL && vector_get(event, "session")) {
                vector_fail(flow->c, "unknown session");
                return;
            }

            vector_events[i].run(flow, s, event, expect);
            vector_expect_end(flow->c, expect);

            if (flow->c->failed) {
                vector_fail(flow->c, "in event \"%.*s\" %.*s",
                            (int) action.len, action.data,
                            (int) event->str.len, event->str.data);
            }

            return;
        }
    }

    vector_fail(flow->c, "unknown event");
}


static void
vector_event_relay(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    pocket_str_t       proof;
    pocket_error_t     err;
    pocket_error_id_e  id;

    proof = vector_str(flow->c, event, "proof");

    id = vector_flow_relay(flow, s, &proof);

    vector_expect_bool(flow->c, expect, "ok", id == POCKET_ERR_NONE);

    if (id != POCKET_ERR_NONE) {
        pocket_error_set(&err, id);
        vector_expect_int(flow->c, expect, "code", err.code);
        vector_expect_str(flow->c, expect, "codespace", &err.codespace);
    }
}


static pocket_error_id_e
vector_flow_relay(vector_flow_t *flow, vector_session_t *s,
    const pocket_str_t *proof)
{
    size_t                     i;
    pocket_error_id_e          err;
    pocket_session_verdict_e   verdict;

    err = pocket_session_node_error(&flow->node);

    if (err != POCKET_ERR_NONE) {
        return err;
    }

    verdict = pocket_session_relay(s->known ? &s->ss : NULL, s->height,
                                   &flow->node, &flow->conf, &err);

    if (verdict != POCKET_SESSION_SERVE) {
        return err;
    }

    if (!s->known) {
        pocket_session_init(&s->ss, s->height, &flow->node);
        s->known = 1;
    }

    for (i = 0; i < s->nproofs; i++) {

        if (s->proofs[i].len == proof->len
            && memcmp(s->proofs[i].data, proof->data, proof->len) == 0)
        {
            return POCKET_ERR_DUPLICATE;
        }
    }

    if (s->nproofs == VECTOR_PROOFS) {
        vector_fail(flow->c, "too many proofs");
        return POCKET_ERR_NONE;
    }

    s->proofs[s->nproofs++] = *proof;
    pocket_session_recorded(&s->ss);

    return POCKET_ERR_NONE;
}


static void
vector_event_node(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    flow->node.height = vector_int(flow->c, event, "height");
    flow->node.is_catching_up = vector_bool(event, "is_catching_up");
    flow->node.checked = flow->now;
}


static void
vector_event_due(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    vector_expect_bool(flow->c, expect, "due",
                       s->known && pocket_session_due(&s->ss, &flow->node,
                                                      flow->now));
}


static void
vector_event_session(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    pocket_node_answer_t     in;
    pocket_session_answer_t  answer;

    vector_node_answer(flow->c, event, &in);

    if (pocket_node_session_answer(&in, &answer, flow->c->alloc)
        != POCKET_OK)
    {
        vector_fail(flow->c, "no memory");
        return;
    }

    pocket_session_asked(&s->ss, flow->now + VECTOR_STEP);
    pocket_session_answered(&s->ss, &answer, &flow->conf, flow->now);

    vector_expect_name(flow->c, expect, "state", vector_states[s->ss.state]);

    if (s->ss.state == POCKET_SESSION_VALID) {
        vector_expect_remaining(flow->c, expect, s->ss.quota);
    }

    if (s->ss.state == POCKET_SESSION_INVALID) {
        vector_expect_int(flow->c, expect, "code", s->ss.code);
    }
}


static void
vector_event_notify(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    uint32_t                code;
    pocket_node_answer_t    in;
    pocket_notify_class_e   class;
    pocket_notify_answer_t  answer;

    vector_node_answer(flow->c, event, &in);

    if (pocket_node_notify_answer(&in, &answer, flow->c->alloc) != POCKET_OK) {
        vector_fail(flow->c, "no memory");
        return;
    }

    class = pocket_session_notified(&s->ss, &answer, &code, flow->now);

    vector_expect_name(flow->c, expect, "class",
                       vector_notify_classes[class]);

    if (code) {
        vector_expect_int(flow->c, expect, "code", code);
    }
}


static void
vector_event_sweep(vector_flow_t *flow, vector_session_t *s,
    const vector_value_t *event, const vector_value_t *expect)
{
    size_t            i;
    vector_value_t   *kept, *name;

    kept = vector_get(expect, "kept");

    if (kept == NULL) {
        return;
    }

    kept->seen = 1;
    name = kept->first;

    for (i = 0; i < flow->nsessions; i++) {
        s = &flow->sessions[i];

        if (s->known && pocket_session_expired(&flow->node, s->height)) {
            s->known = 0;
            s->nproofs = 0;
        }

        if (!s->known) {
            continue;
        }

        if (name == NULL || name->str.len != s->name.len
            || memcmp(name->str.data, s->name.data, s->name.len) != 0)
        {
            vector_fail(flow->c, "session %.*s is kept", (int) s->name.len,
                        s->name.data);
            return;
        }

        name = name->next;
    }

    if (name) {
        vector_fail(flow->c, "session %.*s is not kept", (int) name->str.len,
                    name->str.data);
    }
}


static void
vector_notify(vector_case_t *c)
{
    pocket_node_answer_t    in;
    const vector_value_t   *expect;
    pocket_notify_answer_t  answer;

    vector_node_answer(c, vector_need(c, c->value, "input"), &in);
    expect = vector_need(c, c->value, "expect");

    if (pocket_node_notify_answer(&in, &answer, c->alloc) != POCKET_OK) {
        vector_fail(c, "no memory");
        return;
    }

    vector_expect_name(c, expect, "class",
                       vector_notify_classes[answer.class]);

    if (answer.code) {
        vector_expect_int(c, expect, "code", answer.code);
    }

    if (answer.height) {
        vector_expect_int(c, expect, "height", answer.height);
    }

    vector_expect_end(c, expect);
}


static void
vector_session_answer(vector_case_t *c)
{
    pocket_node_answer_t     in;
    const vector_value_t    *expect;
    pocket_session_answer_t  answer;

    vector_node_answer(c, vector_need(c, c->value, "input"), &in);
    expect = vector_need(c, c->value, "expect");

    if (pocket_node_session_answer(&in, &answer, c->alloc) != POCKET_OK) {
        vector_fail(c, "no memory");
        return;
    }

    vector_expect_name(c, expect, "class",
                       vector_session_classes[answer.class]);

    if (answer.class == POCKET_SESSION_ANSWER_VALID) {
        vector_expect_remaining(c, expect, answer.remaining);
    }

    if (answer.class == POCKET_SESSION_ANSWER_INVALID) {
        vector_expect_int(c, expect, "code", answer.code);
    }

    vector_expect_end(c, expect);
}


static void
vector_check_answer(vector_case_t *c)
{
    int                     rc;
    pocket_node_answer_t    in;
    const vector_value_t   *expect;
    pocket_check_answer_t   answer;
    pocket_node_status_t   *status;

    vector_node_answer(c, vector_need(c, c->value, "input"), &in);
    expect = vector_need(c, c->value, "expect");

    rc = pocket_node_check_answer(&in, &answer, c->alloc);

    vector_expect_bool(c, expect, "accepted", rc == 1);

    if (rc == 1) {
        status = &answer.status;

        vector_expect_bool(c, expect, "is_starting", status->is_starting);
        vector_expect_bool(c, expect, "is_catching_up",
                           status->is_catching_up);
        vector_expect_int(c, expect, "height", status->height);
        vector_expect_int(c, expect, "blocks_per_session",
                          status->blocks_per_session);
        vector_expect_int(c, expect, "client_session_sync_allowance",
                          status->client_session_sync_allowance);
    }

    vector_expect_end(c, expect);
}


static void
vector_node_answer(vector_case_t *c, const vector_value_t *in,
    pocket_node_answer_t *answer)
{
    pocket_str_t  failure;

    memset(answer, 0, sizeof(pocket_node_answer_t));

    failure = vector_str(c, in, "failure");

    if (vector_is(&failure, "connect")) {
        answer->failure = POCKET_NODE_NO_CONNECTION;

    } else if (vector_is(&failure, "timeout")) {
        answer->failure = POCKET_NODE_TIMEOUT;

    } else if (failure.len) {
        vector_fail(c, "unknown failure");
    }

    answer->status = (unsigned) vector_int(c, in, "status");
    answer->content_type = vector_str(c, in, "content_type");
    answer->body = vector_str(c, in, "body");
}


static void
vector_expect_name(vector_case_t *c, const vector_value_t *expect,
    const char *name, const char *got)
{
    pocket_str_t  str;

    str = vector_cstr(got);

    vector_expect_str(c, expect, name, &str);
}


static void
vector_expect_remaining(vector_case_t *c, const vector_value_t *expect,
    int64_t remaining)
{
    if (remaining == POCKET_SESSION_NO_COUNT) {
        vector_expect_null(c, expect, "remaining");

    } else {
        vector_expect_int(c, expect, "remaining", remaining);
    }
}
