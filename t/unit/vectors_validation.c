
/*
 * validation.json: the verdict on a relay before its chain is asked.
 */


#include "vectors.h"
#include "pocket_key.h"
#include "pocket_session.h"
#include "pocket_validate.h"

#include <string.h>


/* entries of the cache that each case is run with */
#define VECTOR_AATS  4


typedef struct {
    const vector_value_t   *context;
    pocket_node_status_t     status;
    unsigned                 reached;
} vector_edge_t;


static void vector_validate(vector_case_t *c, const vector_value_t *expect);
static int vector_verdict(vector_case_t *c, vector_edge_t *edge,
    const pocket_validate_t *checks, pocket_error_t *err);
static int vector_session_verdict(vector_case_t *c, vector_edge_t *edge,
    const pocket_relay_t *relay, const pocket_relay_hashes_t *hashes,
    pocket_error_t *err);
static int vector_session_stored(vector_case_t *c,
    const vector_value_t *session, pocket_error_t *err);
static unsigned vector_seen(const vector_value_t *session,
    const unsigned char *proof);
static void vector_expect_verdict(vector_case_t *c,
    const vector_value_t *expect, int rc, const pocket_error_t *err);
static int vector_servicer(void *data, const unsigned char *public_key,
    const pocket_node_status_t **node);
static int vector_chain(void *data, const pocket_str_t *id);


static const vector_runner_t  vector_runners[] = {
    { "", vector_validate },
    { NULL, NULL }
};


void
vector_validation(vector_case_t *c)
{
    vector_dispatch(c, vector_runners);
}


static void
vector_validate(vector_case_t *c, const vector_value_t *expect)
{
    int                 rc;
    unsigned            round;
    vector_edge_t      edge;
    pocket_error_t      err;
    vector_value_t    *node;
    pocket_validate_t   checks;

    memset(&edge, 0, sizeof(vector_edge_t));

    edge.context = vector_get(c->value, "context");
    node = vector_get(edge.context, "node");

    if (node && node->kind == POCKET_JSON_OBJECT) {
        edge.reached = 1;
        edge.status.is_starting = vector_bool(node, "is_starting") & 1;
        edge.status.is_catching_up = vector_bool(node, "is_catching_up") & 1;
        edge.status.height = vector_int(c, node, "height");
        edge.status.blocks_per_session = vector_int(c, node,
                                                     "blocks_per_session");
        edge.status.client_session_sync_allowance =
            vector_int(c, node, "client_session_sync_allowance");
    }

    memset(&checks, 0, sizeof(pocket_validate_t));

    checks.servicer = vector_servicer;
    checks.chain = vector_chain;
    checks.data = &edge;
    checks.hash = c->hash;

    /* without a cache of AATs, with an empty one, with a filled one */

    for (round = 0; round < 3; round++) {

        if (round == 1) {
            checks.aats = pocket_alloc(c->alloc,
                                       pocket_aat_cache_size(VECTOR_AATS));
            if (checks.aats == NULL) {
                vector_fail(c, "no memory");
                return;
            }

            checks.aats = pocket_aat_cache_init(checks.aats, VECTOR_AATS);
        }

        rc = vector_verdict(c, &edge, &checks, &err);
        vector_expect_verdict(c, expect, rc, &err);
    }
}


static int
vector_verdict(vector_case_t *c, vector_edge_t *edge,
    const pocket_validate_t *checks, pocket_error_t *err)
{
    size_t                 len;
    pocket_str_t           body;
    unsigned char          signature[POCKET_SIG_LEN];
    pocket_relay_t         relay;
    pocket_relay_hashes_t  hashes;

    body = vector_str(c, c->value, "body");

    if (pocket_relay_decode(&body, &relay, err, c->alloc) != POCKET_OK
        || pocket_validate_static(checks, &relay, &hashes, err) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (checks->aats
        && (pocket_hex_decode(&relay.proof.aat.signature, signature,
                              POCKET_SIG_LEN, &len)
            != POCKET_OK
            || !pocket_aat_cache_find(checks->aats, hashes.aat, signature)))
    {
        vector_fail(c, "a good AAT was not kept");
    }

    return vector_session_verdict(c, edge, &relay, &hashes, err);
}


/* 19 to 21, as the edge asks its session and its proofs */

static int
vector_session_verdict(vector_case_t *c, vector_edge_t *edge,
    const pocket_relay_t *relay, const pocket_relay_hashes_t *hashes,
    pocket_error_t *err)
{
    int64_t                    s;
    pocket_session_t           ss;
    vector_value_t           *session, *state;
    pocket_error_id_e          id;
    pocket_session_conf_t      conf;
    pocket_session_verdict_e   verdict;

    session = vector_get(edge->context, "session");
    s = relay->proof.session_block_height;

    conf.retry_max = POCKET_SESSION_RETRY_MAX;
    conf.unvalidated_max = 0;

    state = vector_get(session, "state");

    if (state == NULL) {
        verdict = pocket_session_relay(NULL, s, &edge->status, &conf, &id);

    } else {

        if (vector_session_stored(c, session, err) != POCKET_OK) {
            return POCKET_ERROR;
        }

        pocket_session_init(&ss, s, &edge->status);
        verdict = pocket_session_relay(&ss, s, &edge->status, &conf, &id);
    }

    if (verdict == POCKET_SESSION_REFUSE
        || verdict == POCKET_SESSION_REFUSE_AHEAD)
    {
        pocket_error_set(err, id);
        return POCKET_ERROR;
    }

    if (verdict != POCKET_SESSION_SERVE) {
        vector_fail(c, "the relay would have to wait");
    }

    if (vector_seen(session, hashes->proof)) {
        pocket_error_set(err, POCKET_ERR_DUPLICATE);
        return POCKET_ERROR;
    }

    return POCKET_OK;
}


/* an invalid session answers with the error that it was given */

static int
vector_session_stored(vector_case_t *c, const vector_value_t *session,
    pocket_error_t *err)
{
    pocket_str_t      state;
    vector_value_t  *error;

    state = vector_str(c, session, "state");

    if (state.len != 7 || memcmp(state.data, "invalid", 7) != 0) {
        return POCKET_OK;
    }

    error = vector_get(session, "error");

    err->code = (uint32_t) vector_int(c, error, "code");
    err->id = pocket_error_by_code(err->code);
    err->codespace = vector_str(c, error, "codespace");
    err->message = vector_str(c, error, "message");

    return POCKET_ERROR;
}


static unsigned
vector_seen(const vector_value_t *session, const unsigned char *proof)
{
    unsigned char     hex[2 * POCKET_HASH_LEN];
    vector_value_t  *seen, *value;

    (void) pocket_hex_encode(hex, proof, POCKET_HASH_LEN);

    seen = vector_get(session, "seen");

    for (value = seen ? seen->first : NULL; value; value = value->next) {

        if (value->str.len == sizeof(hex)
            && memcmp(value->str.data, hex, sizeof(hex)) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
vector_expect_verdict(vector_case_t *c, const vector_value_t *expect, int rc,
    const pocket_error_t *err)
{
    vector_expect_bool(c, expect, "ok", rc == POCKET_OK);

    if (rc == POCKET_OK) {
        return;
    }

    vector_expect_int(c, expect, "code", err->code);
    vector_expect_str(c, expect, "codespace", &err->codespace);
    vector_expect_str(c, expect, "message", &err->message);
    vector_expect_int(c, expect, "status",
                       pocket_error_def(err->id)->status);
}


static int
vector_servicer(void *data, const unsigned char *public_key,
    const pocket_node_status_t **node)
{
    vector_edge_t *edge = data;

    size_t            len;
    unsigned char     key[POCKET_PUBKEY_LEN];
    vector_value_t  *servicers, *value;

    servicers = vector_get(edge->context, "servicers");

    for (value = servicers ? servicers->first : NULL;
         value;
         value = value->next)
    {
        if (pocket_hex_decode(&value->str, key, POCKET_PUBKEY_LEN, &len)
            == POCKET_OK
            && len == POCKET_PUBKEY_LEN
            && memcmp(key, public_key, POCKET_PUBKEY_LEN) == 0)
        {
            *node = edge->reached ? &edge->status : NULL;
            return 1;
        }
    }

    return 0;
}


static int
vector_chain(void *data, const pocket_str_t *id)
{
    vector_edge_t *edge = data;

    vector_value_t  *chains, *value;

    chains = vector_get(edge->context, "chains");

    for (value = chains ? chains->first : NULL; value; value = value->next) {

        if (value->str.len == id->len
            && memcmp(value->str.data, id->data, id->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
