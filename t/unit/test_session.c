
/*
 * What the golden flows do not reach of the session machine: the question's
 * lease, retry waits, the way back from code 1, the shared store's word,
 * what the notifier may send, and heights at the ends of int64.  A session
 * that is stuck, or served without an end, would go unnoticed there.
 */


#include "pocket_session.h"
#include "test.h"


static const pocket_session_conf_t  conf = { 2, 3 };


static pocket_node_status_t
test_node(int64_t height, int64_t checked)
{
    pocket_node_status_t  node = { 0 };

    node.height = height;
    node.blocks_per_session = 4;
    node.client_session_sync_allowance = 1;
    node.checked = checked;

    return node;
}


static void
test_answer(pocket_session_t *ss, pocket_session_class_e class,
    int64_t remaining, uint32_t code, int64_t now)
{
    pocket_session_answer_t  answer = { 0 };

    answer.class = class;
    answer.remaining = remaining;
    answer.code = code;

    pocket_session_answered(ss, &answer, &conf, now);
}


static pocket_notify_class_e
test_notify(pocket_session_t *ss, pocket_notify_class_e class,
    unsigned answered, uint32_t code, uint32_t *out)
{
    pocket_notify_answer_t  answer = { 0 };

    answer.class = class;
    answer.code = code;
    answer.answered = answered;

    return pocket_session_notified(ss, &answer, out, 5000);
}


/* one question at a time, and a lost one is asked again */

static void
test_lease(void)
{
    pocket_session_t      ss;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);
    check(pocket_session_due(&ss, &node, 1000));

    pocket_session_asked(&ss, 4000);
    check(!pocket_session_due(&ss, &node, 1000));
    check(!pocket_session_due(&ss, &node, 3999));
    check(pocket_session_due(&ss, &node, 4000));

    test_answer(&ss, POCKET_SESSION_ANSWER_VALID, 10, 0, 4100);
    check(!pocket_session_due(&ss, &node, 100000));

    /* the answer to the lost question comes after all */

    test_answer(&ss, POCKET_SESSION_ANSWER_VALID, 99, 0, 4200);
    check(pocket_session_left(&ss) == 10);

    test_answer(&ss, POCKET_SESSION_ANSWER_INVALID, 0, 45, 4300);
    check(ss.state == POCKET_SESSION_VALID);
}


/* waits of 1, 2, 3 s; then invalid, then asked again after a good check */

static void
test_retries(void)
{
    pocket_session_t      ss;
    pocket_error_id_e     err;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);

    test_answer(&ss, POCKET_SESSION_ANSWER_RETRY, 0, 0, 1000);
    check(!pocket_session_due(&ss, &node, 1999));
    check(pocket_session_due(&ss, &node, 2000));

    test_answer(&ss, POCKET_SESSION_ANSWER_NONE, 0, 0, 2000);
    test_answer(&ss, POCKET_SESSION_ANSWER_NONE, 0, 0, 2000);
    check(ss.retries == 1);
    check(!pocket_session_due(&ss, &node, 2999));
    check(pocket_session_due(&ss, &node, 3000));

    test_answer(&ss, POCKET_SESSION_ANSWER_RETRY, 0, 0, 3000);
    check(!pocket_session_due(&ss, &node, 4999));
    check(pocket_session_due(&ss, &node, 5000));

    test_answer(&ss, POCKET_SESSION_ANSWER_RETRY, 0, 0, 5000);
    check(ss.state == POCKET_SESSION_UNVALIDATED);
    check(!pocket_session_due(&ss, &node, 7999));

    test_answer(&ss, POCKET_SESSION_ANSWER_RETRY, 0, 0, 8000);
    check(ss.state == POCKET_SESSION_INVALID);
    check(!pocket_session_due(&ss, &node, 100000));
    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_REFUSE);
    check(err == POCKET_ERR_SESSION_UNVERIFIED);

    /* serving has stopped, sending has not */

    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_SEND);

    node.checked = 8000;
    check(!pocket_session_due(&ss, &node, 100000));

    node.checked = 8001;
    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_SERVE);
    check(pocket_session_due(&ss, &node, 100000));
    check(ss.retries == 0 && ss.code == 0);
    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_HOLD);
}


static void
test_node_out_of_service(void)
{
    pocket_session_t      ss;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);

    check(pocket_session_node_error(NULL) == POCKET_ERR_NODE_UNAVAILABLE);
    check(!pocket_session_due(&ss, NULL, 1000));

    node.is_catching_up = 1;
    check(pocket_session_node_error(&node) == POCKET_ERR_NODE_SYNCING);
    check(!pocket_session_due(&ss, &node, 1000));

    node.is_starting = 1;
    check(pocket_session_node_error(&node) == POCKET_ERR_NODE_STARTING);

    node = test_node(6, 100);
    check(pocket_session_node_error(&node) == POCKET_ERR_NONE);
    check(pocket_session_due(&ss, &node, 1000));
}


static void
test_unvalidated_max(void)
{
    int                   i;
    pocket_session_t      ss;
    pocket_error_id_e     err;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);

    for (i = 0; i < 3; i++) {
        check(pocket_session_relay(&ss, 5, &node, &conf, &err)
              == POCKET_SESSION_SERVE);
        pocket_session_recorded(&ss);
    }

    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_WAIT);
    check(err == POCKET_ERR_NONE);

    test_answer(&ss, POCKET_SESSION_ANSWER_VALID, POCKET_SESSION_NO_COUNT, 0,
                1000);
    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_SERVE);
    check(pocket_session_left(&ss) == POCKET_SESSION_NO_COUNT);
}


/* the node's word of the end is kept, code 1 gives way to it */

static void
test_end(void)
{
    uint32_t              code;
    pocket_session_t      ss;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);
    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_HOLD);

    pocket_session_recorded(&ss);
    pocket_session_recorded(&ss);
    pocket_session_recorded(&ss);
    pocket_session_recorded(&ss);

    test_answer(&ss, POCKET_SESSION_ANSWER_VALID, 4, 0, 1000);
    check(pocket_session_left(&ss) == 0);

    /* used up: all that is queued was within the quota */

    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_SEND);
    check(test_notify(&ss, POCKET_NOTIFY_RETRY, 1, 60, &code)
          == POCKET_NOTIFY_RETRY);
    check(code == 60 && ss.queued == 4);

    check(test_notify(&ss, POCKET_NOTIFY_SESSION_INVALID, 1, 71, &code)
          == POCKET_NOTIFY_SESSION_INVALID);
    check(code == 71 && ss.code == 71 && ss.queued == 3);
    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_SEND_ONCE);

    check(test_notify(&ss, POCKET_NOTIFY_SESSION_INVALID, 1, 90, &code)
          == POCKET_NOTIFY_SESSION_INVALID);
    check(code == 90 && ss.code == 71 && ss.queued == 2);

    /* no answer settles nothing, any answer does */

    check(test_notify(&ss, POCKET_NOTIFY_RETRY, 0, 0, &code)
          == POCKET_NOTIFY_RETRY);
    check(ss.queued == 2);
    check(test_notify(&ss, POCKET_NOTIFY_RETRY, 1, 60, &code)
          == POCKET_NOTIFY_REFUSED);
    check(code == 71 && ss.queued == 1);

    pocket_session_expire_relay(&ss);
    check(ss.queued == 0);
    pocket_session_expire_relay(&ss);
    check(ss.queued == 0 && ss.recorded == 4);

    node.checked = 100000;
    check(!pocket_session_due(&ss, &node, 100001));

    pocket_session_init(&ss, 5, &node);
    ss.retries = 3;
    test_answer(&ss, POCKET_SESSION_ANSWER_RETRY, 0, 0, 100002);
    check(ss.code == 1);
    pocket_session_end(&ss, 14, 100003);
    check(ss.code == 14 && !ss.unverified);
}


static void
test_store(void)
{
    pocket_session_t      ss;
    pocket_error_id_e     err;
    pocket_node_status_t  node = test_node(6, 100);

    pocket_session_init(&ss, 5, &node);
    pocket_session_recorded(&ss);
    pocket_session_restore(&ss, 0, 7, 1000);
    check(ss.state == POCKET_SESSION_VALID);
    check(pocket_session_left(&ss) == 7);

    pocket_session_recorded(&ss);
    pocket_session_count(&ss, 4);
    check(pocket_session_left(&ss) == 4);

    /* a reply that was passed by a later one */

    pocket_session_count(&ss, 6);
    check(pocket_session_left(&ss) == 4);
    pocket_session_count(&ss, POCKET_SESSION_NO_COUNT);
    check(pocket_session_left(&ss) == 4);
    pocket_session_count(&ss, 0);
    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_REFUSE);
    check(err == POCKET_ERR_SEALED);

    pocket_session_restore(&ss, 45, 0, 1000);
    check(ss.state == POCKET_SESSION_VALID);

    pocket_session_init(&ss, 5, &node);
    pocket_session_restore(&ss, 45, 0, 1000);
    check(ss.state == POCKET_SESSION_INVALID && ss.code == 45);
    check(pocket_session_relay(&ss, 5, &node, &conf, &err)
          == POCKET_SESSION_REFUSE);
    check(err == POCKET_ERR_APP_UNKNOWN);

    pocket_session_init(&ss, 5, &node);
    pocket_session_restore(&ss, 0, POCKET_SESSION_NO_COUNT, 1000);
    pocket_session_count(&ss, 3);
    check(pocket_session_left(&ss) == 3);
}


static void
test_ahead(void)
{
    pocket_session_t      ss;
    pocket_error_id_e     err;
    pocket_node_status_t  node = test_node(8, 100);

    check(pocket_session_relay(NULL, 9, &node, &conf, &err)
          == POCKET_SESSION_SERVE);

    pocket_session_init(&ss, 9, &node);
    check(ss.optimistic);
    check(!pocket_session_due(&ss, &node, 1000));
    check(!pocket_session_claim_over(&node, 9, 8));
    check(!pocket_session_claimable(&node, 9, 8));

    node.height = 9;
    check(pocket_session_due(&ss, &node, 1000));
    check(pocket_session_claimable(&node, 9, 8));

    node.height = 6;
    check(pocket_session_relay(NULL, 9, &node, &conf, &err)
          == POCKET_SESSION_REFUSE_AHEAD);
    check(err == POCKET_ERR_SEALED);

    /* a session that is known stays known when the node falls back */

    test_answer(&ss, POCKET_SESSION_ANSWER_VALID, 5, 0, 1000);
    check(pocket_session_relay(&ss, 9, &node, &conf, &err)
          == POCKET_SESSION_SERVE);
    check(pocket_session_notify(&ss, &node) == POCKET_SESSION_HOLD);
}


static void
test_window(void)
{
    pocket_node_status_t  node = test_node(12, 100);

    check(pocket_session_claimable(&node, 5, 2));
    check(!pocket_session_claim_over(&node, 5, 2));
    check(!pocket_session_claimable(&node, 5, 1));
    check(pocket_session_claim_over(&node, 5, 1));
    check(!pocket_session_claimable(&node, 4, 12));
    check(pocket_session_claim_over(&node, 4, 12));

    check(pocket_session_in_sync(&node, 2));
    check(!pocket_session_in_sync(&node, 1));
    check(pocket_session_in_sync(&node, 22));
    check(!pocket_session_in_sync(&node, 23));
}


/* for the sanitizers as much as for the results */

static void
test_extremes(void)
{
    size_t                n, k;
    pocket_node_status_t  node = test_node(0, 0);

    static const int64_t  ends[] = {
        INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX
    };

    for (n = 0; n < 7 * 7 * 7; n++) {
        node.height = ends[n % 7];
        node.blocks_per_session = ends[n / 7 % 7];
        node.client_session_sync_allowance = ends[n / 49];

        for (k = 0; k < 7; k++) {
            check(!(pocket_session_within(&node, ends[k])
                    && !pocket_session_drain(&node, ends[k])));
            check(!(pocket_session_claimable(&node, ends[k], ends[k])
                    && pocket_session_claim_over(&node, ends[k], ends[k])));
            check(!(pocket_session_expired(&node, ends[k]) && ends[k] > 0
                    && node.height <= 0));
            check(!pocket_session_is_optimistic(&node, INT64_MAX));
            check(!pocket_session_in_sync(&node, ends[k])
                  || (ends[k] > INT64_MIN + 1 && ends[k] < INT64_MAX - 1));
        }
    }

    node = test_node(6, 0);
    node.blocks_per_session = 0;
    check(pocket_session_latest(&node) == 5);
}


int
main(void)
{
    test_lease();
    test_retries();
    test_node_out_of_service();
    test_unvalidated_max();
    test_end();
    test_store();
    test_ahead();
    test_window();
    test_extremes();

    return test_done();
}
