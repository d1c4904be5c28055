
/* heights.json: the arithmetic of sessions */

#include "vectors.h"

#include "pocket_session.h"


void
vector_heights(vector_case_t *c)
{
    int64_t                s;
    pocket_str_t           admit;
    pocket_node_status_t   node = { 0 };
    const vector_value_t  *in, *expect;

    static const char *const  names[] = {
        [POCKET_HEIGHT_SERVE] = "serve",
        [POCKET_HEIGHT_SERVE_OPTIMISTIC] = "serve-optimistic",
        [POCKET_HEIGHT_REFUSE] = "refuse-60",
        [POCKET_HEIGHT_AHEAD] = "invalid-90"
    };

    in = vector_need(c, c->value, "input");
    expect = vector_need(c, c->value, "expect");

    node.height = vector_int(c, in, "height");
    node.blocks_per_session = vector_int(c, in, "blocks_per_session");
    node.client_session_sync_allowance =
        vector_int(c, in, "client_session_sync_allowance");

    s = vector_int(c, in, "session_height");

    vector_expect_int(c, expect, "latest", pocket_session_latest(&node));
    vector_expect_bool(c, expect, "within",
                       pocket_session_within(&node, s));
    vector_expect_bool(c, expect, "optimistic",
                       pocket_session_is_optimistic(&node, s));
    vector_expect_bool(c, expect, "drain", pocket_session_drain(&node, s));
    vector_expect_bool(c, expect, "expired",
                       pocket_session_expired(&node, s));

    admit = vector_cstr(names[pocket_session_admit(&node, s)]);
    vector_expect_str(c, expect, "admit", &admit);

    vector_expect_end(c, expect);
}
