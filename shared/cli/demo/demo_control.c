
/*
 * What a test asks of a demo node: its claims and counters, and faults.
 */


#include <string.h>

#include "demo_node.h"


static void demo_set_node(demo_node_t *n, const pocket_str_t *query);
static void demo_set_fault(demo_fault_t *f, const pocket_str_t *query);
static int64_t demo_set_number(const pocket_str_t *query, const char *name,
    int64_t value);


static const char  *demo_endpoint_names[] = {
    "relay", "session", "check", "other"
};


void
demo_node_claims(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    n->body.text.len = 0;
    demo_claims_json(&n->claims, &n->body,
                     n->status.height - n->claim_after);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &n->body.text);
}


void
demo_node_stats(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    size_t       i;
    unsigned     first;
    cli_buf_t   *b;

    b = &n->body;
    b->text.len = 0;

    cli_buf_printf(b, "{\"height\":%lld", (long long) n->status.height);

    for (i = 0; i < DEMO_OTHER; i++) {
        cli_buf_printf(b, ",\"%s\":%llu", demo_endpoint_names[i],
                       (unsigned long long) n->requests[i]);
    }

    cli_buf_printf(b, ",\"delivered\":%llu,\"codes\":{",
                   (unsigned long long) n->delivered);

    for (i = 0, first = 1; i < DEMO_NODE_CODES; i++) {
        if (n->codes[i]) {
            cli_buf_printf(b, "%s\"%zu\":%llu", first ? "" : ",", i,
                           (unsigned long long) n->codes[i]);
            first = 0;
        }
    }

    cli_buf_text(b, "}}\n");

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &b->text);
}


void
demo_node_set(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    size_t        i;
    pocket_str_t  path;

    demo_set_node(n, &rq->query);

    if (demo_param(&rq->query, "path", &path)) {
        for (i = 0; i < DEMO_OTHER; i++) {
            if (demo_is(&path, demo_endpoint_names[i])
                || demo_is(&path, "all"))
            {
                demo_set_fault(&n->faults[i], &rq->query);
            }
        }
    }

    demo_node_height(n);
    demo_node_health(n, c, rq, a);
}


static void
demo_set_node(demo_node_t *n, const pocket_str_t *query)
{
    int64_t        height;
    pocket_str_t   value;

    if (demo_param(query, "height", &value) && demo_number(&value, &height)) {
        n->base = value.data[0] == '+' ? n->status.height + height : height;
        n->since = demo_now();
    }

    if (demo_param(query, "block_time", &value)) {
        n->base = n->status.height;
        n->since = demo_now();
        n->block_time = demo_set_number(query, "block_time", 0);
    }

    if (demo_param(query, "forget", &value)) {
        demo_claims_free(&n->claims);
    }

    n->status.client_session_sync_allowance =
        demo_set_number(query, "allowance",
                        n->status.client_session_sync_allowance);
    n->status.is_starting = demo_set_number(query, "starting",
                                            n->status.is_starting) != 0;
    n->status.is_catching_up = demo_set_number(query, "catching_up",
                                               n->status.is_catching_up) != 0;
}


static void
demo_set_fault(demo_fault_t *f, const pocket_str_t *query)
{
    pocket_str_t  value;

    memset(f, 0, sizeof(demo_fault_t));

    f->status = demo_set_number(query, "status", 0);
    f->code = demo_set_number(query, "code", 0);
    f->delay = demo_set_number(query, "delay", 0);
    f->left = demo_set_number(query, "count", -1);

    if (demo_param(query, "drop", &value)) {
        f->drop = demo_is(&value, "after") ? DEMO_FAULT_AFTER
                                           : DEMO_FAULT_BEFORE;
    }

    if (demo_param(query, "hang", &value)) {
        f->hang = demo_is(&value, "after") ? DEMO_FAULT_AFTER
                                           : DEMO_FAULT_BEFORE;
    }

    if (demo_param(query, "spoil", &value)) {
        f->spoil = demo_is(&value, "html") ? DEMO_SPOIL_HTML
                 : demo_is(&value, "empty") ? DEMO_SPOIL_EMPTY
                 : DEMO_SPOIL_GARBAGE;
    }

    f->on = f->status || f->code || f->delay || f->drop || f->hang
            || f->spoil;
}


static int64_t
demo_set_number(const pocket_str_t *query, const char *name, int64_t value)
{
    int64_t       number;
    pocket_str_t  text;

    if (demo_param(query, name, &text) && demo_number(&text, &number)
        && number >= 0)
    {
        return number;
    }

    return value;
}


int
demo_fault_before(demo_node_t *n, demo_fault_t *f, demo_conn_t *c)
{
    demo_error_t         err;
    pocket_error_id_e    id;
    static pocket_str_t  text = pocket_string("on purpose\n");

    if (f->drop == DEMO_FAULT_BEFORE) {
        demo_drop(c, 0);
        return 1;
    }

    if (f->hang == DEMO_FAULT_BEFORE) {
        demo_hang(c);
        return 1;
    }

    if (f->status) {
        demo_answer(c, f->status, DEMO_TYPE_TEXT, NULL, &text);
        demo_fault_after(f, c);
        return 1;
    }

    if (f->code == 0) {
        return 0;
    }

    id = pocket_error_by_code(f->code);

    if (id == POCKET_ERR_NONE) {
        demo_error_text(&err, "on purpose");
        err.codespace = "pocketcore";

    } else {
        demo_error_row(&err, id);
    }

    err.code = f->code;

    demo_relay_refuse(n, c, &err, NULL);
    demo_fault_after(f, c);

    return 1;
}


void
demo_fault_after(demo_fault_t *f, demo_conn_t *c)
{
    static pocket_str_t  html = pocket_string("<html>on purpose</html>\n");
    static pocket_str_t  garbage = pocket_string("{\"signature\":tr");
    static pocket_str_t  empty = pocket_string("");

    switch (f->spoil) {

    case DEMO_SPOIL_HTML:
        demo_answer(c, 200, "text/html", NULL, &html);
        break;

    case DEMO_SPOIL_EMPTY:
        demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &empty);
        break;

    case DEMO_SPOIL_GARBAGE:
        demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &garbage);
        break;

    case DEMO_SPOIL_NO:
        break;
    }

    if (f->drop == DEMO_FAULT_AFTER) {
        demo_drop(c, 0);
    }

    if (f->hang == DEMO_FAULT_AFTER) {
        demo_hang(c);

    } else if (f->delay) {
        demo_delay(c, f->delay);
    }
}
