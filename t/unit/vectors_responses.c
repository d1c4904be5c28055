
/* responses.json: requests to chains, their answers, answers to clients */

#include "vectors.h"

#include "pocket_hash.h"
#include "pocket_key.h"
#include "pocket_node.h"
#include "pocket_request.h"
#include "pocket_response.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    const char       *kind;
    void            (*run)(vector_case_t *c, const vector_value_t *in,
                           const vector_value_t *expect);
} vector_kind_t;


static void vector_relay(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_relay_pieces(vector_case_t *c, pocket_hash_t *h,
    const pocket_str_t *text, const unsigned char *proof_hash,
    const unsigned char *signature, const vector_value_t *expect,
    size_t size);
static void vector_sim(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_sort(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_error(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_http_error(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_limit(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_request(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_chain_failure(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect);
static void vector_answer(vector_case_t *c, const vector_value_t *expect,
    unsigned status, const char *type, const pocket_str_t *body);
static void vector_expect_error(vector_case_t *c,
    const vector_value_t *expect, const pocket_error_t *err);
static void vector_payload(vector_case_t *c, const vector_value_t *value,
    pocket_payload_t *payload);
static pocket_str_t vector_got_headers(vector_case_t *c,
    const pocket_request_t *rq);
static pocket_str_t vector_want_headers(vector_case_t *c,
    const vector_value_t *value);
static char *vector_header_line(vector_case_t *c, const pocket_str_t *name,
    const char *sep, const pocket_str_t *value);
static pocket_str_t vector_join(vector_case_t *c, char **lines, size_t n);
static int vector_line_cmp(const void *one, const void *two);


static const vector_kind_t  vector_kinds[] = {
    { "relay", vector_relay },
    { "sim", vector_sim },
    { "sort", vector_sort },
    { "error", vector_error },
    { "http_error", vector_http_error },
    { "limit", vector_limit },
    { "request", vector_request },
    { "chain_failure", vector_chain_failure }
};


void
vector_responses(vector_case_t *c)
{
    size_t                 i;
    const vector_value_t  *in, *expect;

    in = vector_need(c, c->value, "input");
    expect = vector_need(c, c->value, "expect");

    for (i = 0; i < sizeof(vector_kinds) / sizeof(vector_kinds[0]); i++) {

        if (vector_is(&c->kind, vector_kinds[i].kind)) {
            vector_kinds[i].run(c, in, expect);
            vector_expect_end(c, expect);
            return;
        }
    }

    vector_fail(c, "unknown kind");
}


static void
vector_relay(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    size_t          size;
    pocket_str_t    key, proof_hash, text, body, hex;
    pocket_hash_t  *h;
    unsigned char   hash[POCKET_HASH_LEN], signature[POCKET_SIG_LEN];

    hex = vector_str(c, in, "private_key");
    key = vector_unhex(c, &hex);
    hex = vector_str(c, in, "proof_hash");
    proof_hash = vector_unhex(c, &hex);
    text = vector_str(c, in, "response");

    h = pocket_hash_create();

    if (h == NULL
        || key.len != POCKET_PRIVKEY_LEN || proof_hash.len != POCKET_HASH_LEN
        || pocket_hash_response(h, &text, proof_hash.data, hash) != POCKET_OK
        || pocket_key_sign(key.data, hash, signature) != POCKET_OK
        || pocket_response_success(&text, signature, &body, c->alloc)
           != POCKET_OK)
    {
        vector_fail(c, "no answer was made");
        return;
    }

    hex = vector_hex(c, hash, sizeof(hash));
    vector_expect_str(c, expect, "hash", &hex);

    hex = vector_hex(c, signature, sizeof(signature));
    vector_expect_str(c, expect, "signature", &hex);

    vector_answer(c, expect, 200, POCKET_TYPE_RELAY, &body);

    for (size = 1; size < 8; size++) {
        vector_relay_pieces(c, h, &text, proof_hash.data, signature, expect,
                            size);
    }

    pocket_hash_destroy(h);
}


/* the way of the module: the answer comes in pieces and is escaped once */

static void
vector_relay_pieces(vector_case_t *c, pocket_hash_t *h,
    const pocket_str_t *text, const unsigned char *proof_hash,
    const unsigned char *signature, const vector_value_t *expect,
    size_t size)
{
    size_t                 n, len;
    pocket_str_t           piece, body, hex;
    unsigned char         *p, *escaped, hash[POCKET_HASH_LEN];
    unsigned char          buf[POCKET_JSON_STREAM_MIN];
    pocket_json_stream_t   stream = { 0 };

    len = POCKET_JSON_ESCAPE_MAX * text->len + POCKET_JSON_STREAM_MIN;

    body.data = pocket_alloc(c->alloc, POCKET_RESPONSE_PREFIX_LEN + len
                                       + POCKET_RESPONSE_SUFFIX_LEN);
    escaped = body.data + POCKET_RESPONSE_PREFIX_LEN;

    memcpy(body.data, POCKET_RESPONSE_PREFIX, POCKET_RESPONSE_PREFIX_LEN);
    p = escaped;

    for (n = 0; n < text->len; n += size) {
        piece.data = text->data + n;
        piece.len = (text->len - n < size) ? text->len - n : size;

        while (piece.len) {
            len = (size_t) (pocket_json_stream(&stream, buf,
                                               buf + sizeof(buf), &piece)
                            - buf);
            memcpy(p, buf, len);
            p += len;
        }
    }

    p = pocket_json_stream_end(&stream, p);

    pocket_hash_response_begin(h);
    pocket_hash_update(h, escaped, (size_t) (p - escaped));

    if (pocket_hash_response_end(h, proof_hash, hash) != POCKET_OK) {
        vector_fail(c, "no hash of pieces was made");
    }

    hex = vector_hex(c, hash, sizeof(hash));
    vector_expect_str(c, expect, "hash", &hex);

    p = escaped + pocket_json_unescape_bad(escaped, (size_t) (p - escaped));
    p = pocket_response_suffix(p, signature);

    body.len = (size_t) (p - body.data);
    vector_expect_str(c, expect, "body", &body);
}


static void
vector_sim(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    pocket_str_t  text, body;

    text = vector_str(c, in, "response");

    if (pocket_response_sim(&text, &body, c->alloc) != POCKET_OK) {
        vector_fail(c, "no answer was made");
        return;
    }

    vector_answer(c, expect, 200, POCKET_TYPE_HTTP, &body);
}


static void
vector_sort(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    pocket_str_t  text, sorted, again;

    text = vector_str(c, in, "response");

    if (pocket_response_sort(&text, &sorted, c->alloc) == POCKET_ERROR
        || pocket_response_sort(&sorted, &again, c->alloc) == POCKET_ERROR)
    {
        vector_fail(c, "nothing was sorted");
        return;
    }

    vector_expect_str(c, expect, "response", &sorted);
    vector_expect_str(c, expect, "response", &again);
}


static void
vector_error(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    uint32_t               code;
    pocket_str_t           dispatch, body;
    pocket_error_t         err;
    const vector_value_t  *value;

    code = (uint32_t) vector_int(c, in, "code");

    pocket_error_set(&err, pocket_error_by_code(code));

    if (err.code != code) {
        vector_fail(c, "the table has no such code");
    }

    err.codespace = vector_str(c, in, "codespace");
    err.message = vector_str(c, in, "message");

    dispatch = vector_cstr("");
    value = vector_need(c, in, "dispatch");

    if (value && value->kind == POCKET_JSON_OBJECT
        && pocket_node_client_dispatch(&value->str, &dispatch, c->alloc) != 1)
    {
        vector_fail(c, "the dispatch was not taken");
    }

    if (pocket_response_error(&err, &dispatch, &body, c->alloc) != POCKET_OK) {
        vector_fail(c, "no answer was made");
        return;
    }

    vector_answer(c, expect, pocket_error_def(err.id)->status,
                  POCKET_TYPE_RELAY, &body);
}


static void
vector_http_error(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    unsigned      status;
    pocket_str_t  message, body;

    status = (unsigned) vector_int(c, in, "status");
    message = vector_str(c, in, "message");

    if (pocket_response_http_error(status, &message, &body, c->alloc)
        != POCKET_OK)
    {
        vector_fail(c, "no answer was made");
        return;
    }

    vector_answer(c, expect, status, POCKET_TYPE_HTTP, &body);
}


static void
vector_limit(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    int64_t       max, len;
    pocket_str_t  body;

    max = vector_int(c, in, "max_bytes");
    len = vector_int(c, in, "body_bytes");

    vector_expect_bool(c, expect, "accepted", len <= max);

    if (pocket_response_too_large((size_t) max, &body, c->alloc)
        != POCKET_OK)
    {
        vector_fail(c, "no answer was made");
        return;
    }

    vector_answer(c, expect, 413, POCKET_TYPE_TEXT, &body);
}


static void
vector_request(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    int                     rc;
    pocket_str_t            agent, got, want;
    pocket_error_t          err;
    vector_value_t         *headers, *error;
    pocket_request_t        rq;
    pocket_payload_t        payload;
    pocket_request_chain_t  chain;

    chain.id = vector_str(c, in, "chain");
    chain.url = vector_str(c, in, "url");
    chain.username = vector_str(c, in, "username");
    chain.password = vector_str(c, in, "password");
    agent = vector_str(c, in, "user_agent");

    vector_payload(c, vector_need(c, in, "payload"), &payload);

    rc = pocket_request_build(&chain, &agent, &payload, &rq, &err, c->alloc);

    error = vector_get(expect, "error");

    if (rc == 0) {

        if (error == NULL) {
            vector_fail(c, "error: %.*s", (int) err.message.len,
                        err.message.data);
            return;
        }

        error->seen = 1;
        vector_expect_error(c, error, &err);
        vector_expect_end(c, error);
        return;
    }

    if (rc != 1 || error) {
        vector_fail(c, "no error, but %d", rc);
        return;
    }

    vector_expect_str(c, expect, "method", &rq.method);
    vector_expect_str(c, expect, "scheme", &rq.scheme);
    vector_expect_str(c, expect, "host", &rq.host);
    vector_expect_str(c, expect, "target", &rq.target);
    vector_expect_str(c, expect, "body", &rq.body);

    headers = vector_get(expect, "headers");

    if (headers) {
        headers->seen = 1;

        got = vector_got_headers(c, &rq);
        want = vector_want_headers(c, headers);

        if (got.len != want.len || memcmp(got.data, want.data, got.len) != 0) {
            vector_fail(c, "headers:\n  got  %s\n  want %s", got.data,
                        want.data);
        }
    }
}


static void
vector_chain_failure(vector_case_t *c, const vector_value_t *in,
    const vector_value_t *expect)
{
    pocket_str_t            id, text, body;
    pocket_error_t          err;
    pocket_payload_t        payload = { 0 };
    pocket_chain_failure_e  failure;

    id = vector_str(c, in, "chain");
    payload.path = vector_str(c, in, "path");
    payload.method = vector_str(c, in, "method");
    text = vector_str(c, in, "failure");

    if (vector_is(&text, "connect")) {
        failure = POCKET_CHAIN_CONNECT;

    } else if (vector_is(&text, "timeout")) {
        failure = POCKET_CHAIN_TIMEOUT;

    } else if (vector_is(&text, "body")) {
        failure = POCKET_CHAIN_BODY;

    } else {
        vector_fail(c, "unknown failure");
        return;
    }

    if (pocket_request_failure(failure, &id, &payload, &err, c->alloc)
        != POCKET_OK
        || pocket_response_error(&err, NULL, &body, c->alloc) != POCKET_OK)
    {
        vector_fail(c, "no answer was made");
        return;
    }

    vector_expect_error(c, expect, &err);
    vector_answer(c, expect, pocket_error_def(err.id)->status,
                  POCKET_TYPE_RELAY, &body);
}


static void
vector_answer(vector_case_t *c, const vector_value_t *expect, unsigned status,
    const char *type, const pocket_str_t *body)
{
    pocket_str_t  content_type;

    content_type = vector_cstr(type);

    vector_expect_int(c, expect, "status", status);
    vector_expect_str(c, expect, "content_type", &content_type);
    vector_expect_str(c, expect, "body", body);
}


static void
vector_expect_error(vector_case_t *c, const vector_value_t *expect,
    const pocket_error_t *err)
{
    vector_expect_int(c, expect, "code", err->code);
    vector_expect_str(c, expect, "codespace", &err->codespace);
    vector_expect_str(c, expect, "message", &err->message);
}


/* decoded as a client's would be */

static void
vector_payload(vector_case_t *c, const vector_value_t *value,
    pocket_payload_t *payload)
{
    pocket_str_t    body;
    pocket_sim_t    sim;
    pocket_error_t  err;

    static const char  form[] = "{\"payload\":%.*s}";

    body.len = value->str.len + sizeof(form);
    body.data = pocket_alloc(c->alloc, body.len);
    body.len = (size_t) snprintf((char *) body.data, body.len, form,
                                 (int) value->str.len, value->str.data);

    if (pocket_sim_decode(&body, &sim, &err, c->alloc) != POCKET_OK) {
        vector_fail(c, "payload: %.*s", (int) err.message.len,
                    err.message.data);
    }

    *payload = sim.payload;
}


static pocket_str_t
vector_got_headers(vector_case_t *c, const pocket_request_t *rq)
{
    char    **lines;
    size_t    i, n;

    static const char *const  unlisted = "accept-encoding";

    lines = pocket_alloc(c->alloc, (rq->nheaders + 1) * sizeof(char *));
    n = 0;

    for (i = 0; i < rq->nheaders; i++) {
        lines[n] = vector_header_line(c, &rq->headers[i].name, ": ",
                                      &rq->headers[i].value);

        if (strncmp(lines[n], unlisted, strlen(unlisted)) != 0) {
            n++;
        }
    }

    return vector_join(c, lines, n);
}


static pocket_str_t
vector_want_headers(vector_case_t *c, const vector_value_t *value)
{
    char           **lines;
    size_t           n;
    pocket_str_t     none;
    vector_value_t  *line;

    none = vector_cstr("");
    n = 0;

    for (line = value->first; line; line = line->next) {
        n++;
    }

    lines = pocket_alloc(c->alloc, (n + 1) * sizeof(char *));
    n = 0;

    for (line = value->first; line; line = line->next) {
        lines[n++] = vector_header_line(c, &line->str, "", &none);
    }

    return vector_join(c, lines, n);
}


/* the name in lower case, since names compare without it */

static char *
vector_header_line(vector_case_t *c, const pocket_str_t *name,
    const char *sep, const pocket_str_t *value)
{
    char    *p, *line;
    size_t   size;

    size = name->len + strlen(sep) + value->len + 1;
    line = pocket_alloc(c->alloc, size);

    (void) snprintf(line, size, "%.*s%s%.*s", (int) name->len, name->data,
                    sep, (int) value->len, value->data);

    for (p = line; *p && *p != ':'; p++) {
        *p = (char) tolower((unsigned char) *p);
    }

    return line;
}


static pocket_str_t
vector_join(vector_case_t *c, char **lines, size_t n)
{
    size_t        i, size;
    pocket_str_t  text;

    qsort(lines, n, sizeof(char *), vector_line_cmp);

    size = 1;

    for (i = 0; i < n; i++) {
        size += strlen(lines[i]) + 1;
    }

    text.data = pocket_alloc(c->alloc, size);
    text.len = 0;
    text.data[0] = '\0';

    for (i = 0; i < n; i++) {
        text.len += (size_t) sprintf((char *) text.data + text.len, "%s\n",
                                     lines[i]);
    }

    return text;
}


static int
vector_line_cmp(const void *one, const void *two)
{
    char *const  *first = one;
    char *const  *second = two;

    return strcmp(*first, *second);
}
