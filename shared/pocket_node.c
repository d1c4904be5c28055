
#include "pocket_node.h"

#include "pocket_json.h"
#include "pocket_sort.h"

#include <string.h>


#define POCKET_NODE_TYPE  "application/json"


typedef struct {
    uint32_t                code;
    pocket_str_t            codespace;
    pocket_str_t            message;
} pocket_node_error_t;


/*
 * What is read of a dispatch; the rest is there to have its type checked,
 * all strings in one place.
 */

typedef struct {
    int64_t                 block_height;
    int64_t                 session_height;
    pocket_str_t            text;
    pocket_json_array_t     nodes;
} pocket_node_dispatch_t;


typedef struct {
    int64_t                 status;
    unsigned                jailed;
    pocket_str_t            text;
    pocket_json_array_t     chains;
} pocket_node_member_t;


/* the form of all answers; each kind has its own fields besides */

typedef struct {
    unsigned                success;
    pocket_node_error_t    *error;
    pocket_json_value_t     dispatch;
    pocket_json_value_t     remaining;
    pocket_check_answer_t   check;
    unsigned                is_starting;
    unsigned                is_catching_up;
    pocket_json_value_t     wrong_servicers;
    pocket_json_value_t     wrong_chains;
} pocket_node_body_t;


typedef struct {
    uint32_t                code;
    pocket_notify_class_e   class;
} pocket_node_code_t;


static int pocket_node_decode(const pocket_str_t *text,
    const pocket_json_field_t *root, void *out, pocket_alloc_t *a);
static int pocket_node_decode_value(const pocket_json_value_t *value,
    pocket_json_event_e kind, const pocket_json_field_t *root, void *out,
    pocket_alloc_t *a);
static int pocket_node_names(const pocket_json_value_t *value,
    pocket_str_t *raw, pocket_alloc_t *a);
static int pocket_node_remaining(const pocket_json_value_t *value,
    int64_t *remaining, pocket_alloc_t *a);
static void pocket_node_session_error(const pocket_node_error_t *error,
    pocket_session_answer_t *out);
static int pocket_node_read_dispatch(const pocket_node_body_t *body,
    pocket_node_dispatch_t *dispatch, pocket_alloc_t *a);
static pocket_notify_class_e pocket_node_code_class(uint32_t code);
static unsigned pocket_node_is_json(const pocket_node_answer_t *in);


/* what a code means for a notification; codes not listed: retry */

static const pocket_node_code_t  pocket_node_codes[] = {
    {  4, POCKET_NOTIFY_REFUSED },
    {  6, POCKET_NOTIFY_REFUSED },
    {  8, POCKET_NOTIFY_REFUSED },
    { 13, POCKET_NOTIFY_SESSION_INVALID },
    { 14, POCKET_NOTIFY_SESSION_INVALID },
    { 17, POCKET_NOTIFY_SESSION_INVALID },
    { 23, POCKET_NOTIFY_REFUSED },
    { 25, POCKET_NOTIFY_REFUSED },
    { 29, POCKET_NOTIFY_REFUSED },
    { 37, POCKET_NOTIFY_DELIVERED },
    { 38, POCKET_NOTIFY_REFUSED },
    { 39, POCKET_NOTIFY_REFUSED },
    { 41, POCKET_NOTIFY_REFUSED },
    { 42, POCKET_NOTIFY_REFUSED },
    { 45, POCKET_NOTIFY_SESSION_INVALID },
    { 52, POCKET_NOTIFY_REFUSED },
    { 62, POCKET_NOTIFY_REFUSED },
    { 71, POCKET_NOTIFY_SESSION_INVALID },
    { 74, POCKET_NOTIFY_REFUSED },
    { 76, POCKET_NOTIFY_REFUSED },
    { 90, POCKET_NOTIFY_SESSION_INVALID }
};


/* the tables of the decoder, innermost first */

static const pocket_json_field_t  pocket_node_string_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRING, 0, NULL }
};

static const pocket_json_table_t  pocket_node_string_table =
    pocket_json_table(pocket_node_string_fields, pocket_str_t);


static const pocket_json_field_t  pocket_node_member_fields[] = {
    pocket_json_field("address", STRING, pocket_node_member_t, text),
    pocket_json_field_of("chains", ARRAY, pocket_node_member_t, chains,
                         &pocket_node_string_table),
    pocket_json_field("jailed", BOOL, pocket_node_member_t, jailed),
    pocket_json_field("output_address", STRING, pocket_node_member_t, text),
    pocket_json_field("public_key", STRING, pocket_node_member_t, text),
    pocket_json_field("service_url", STRING, pocket_node_member_t, text),
    pocket_json_field("status", INT64, pocket_node_member_t, status),
    pocket_json_field("tokens", STRING, pocket_node_member_t, text),
    pocket_json_field("unstaking_time", STRING, pocket_node_member_t, text)
};

static const pocket_json_table_t  pocket_node_member_table =
    pocket_json_table(pocket_node_member_fields, pocket_node_member_t);

static const pocket_json_field_t  pocket_node_members_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_node_member_table }
};

static const pocket_json_table_t  pocket_node_members_table =
    pocket_json_table(pocket_node_members_fields, pocket_node_member_t);


static const pocket_json_field_t  pocket_node_header_fields[] = {
    pocket_json_field("app_public_key", STRING, pocket_node_dispatch_t, text),
    pocket_json_field("chain", STRING, pocket_node_dispatch_t, text),
    pocket_json_field("session_height", INT64, pocket_node_dispatch_t,
                      session_height)
};

static const pocket_json_table_t  pocket_node_header_table =
    pocket_json_table(pocket_node_header_fields, pocket_node_dispatch_t);

static const pocket_json_field_t  pocket_node_session_fields[] = {
    { pocket_string("header"), POCKET_JSON_T_STRUCT, 0,
      &pocket_node_header_table },
    pocket_json_field("key", STRING, pocket_node_dispatch_t, text),
    pocket_json_field_of("nodes", ARRAY, pocket_node_dispatch_t, nodes,
                         &pocket_node_members_table)
};

static const pocket_json_table_t  pocket_node_session_table =
    pocket_json_table(pocket_node_session_fields, pocket_node_dispatch_t);

static const pocket_json_field_t  pocket_node_dispatch_fields[] = {
    pocket_json_field("block_height", INT64, pocket_node_dispatch_t,
                      block_height),
    { pocket_string("session"), POCKET_JSON_T_STRUCT, 0,
      &pocket_node_session_table }
};

static const pocket_json_table_t  pocket_node_dispatch_table =
    pocket_json_table(pocket_node_dispatch_fields, pocket_node_dispatch_t);


static const pocket_json_field_t  pocket_node_error_fields[] = {
    pocket_json_field("code", UINT32, pocket_node_error_t, code),
    pocket_json_field("codespace", STRING, pocket_node_error_t, codespace),
    pocket_json_field("message", STRING, pocket_node_error_t, message)
};

static const pocket_json_table_t  pocket_node_error_table =
    pocket_json_table(pocket_node_error_fields, pocket_node_error_t);


static const pocket_json_field_t  pocket_node_status_fields[] = {
    pocket_json_field("version", STRING, pocket_node_body_t, check.version),
    pocket_json_field("is_starting", BOOL, pocket_node_body_t, is_starting),
    pocket_json_field("is_catching_up", BOOL, pocket_node_body_t,
                      is_catching_up),
    pocket_json_field("height", INT64, pocket_node_body_t, check.status.height)
};

static const pocket_json_table_t  pocket_node_status_table =
    pocket_json_table(pocket_node_status_fields, pocket_node_body_t);


static const pocket_json_field_t  pocket_node_check_fields[] = {
    pocket_json_field("success", BOOL, pocket_node_body_t, success),
    pocket_json_field_of("error", POINTER, pocket_node_body_t, error,
                         &pocket_node_error_table),
    { pocket_string("status"), POCKET_JSON_T_STRUCT, 0,
      &pocket_node_status_table },
    pocket_json_field("blocks_per_session", INT64, pocket_node_body_t,
                      check.status.blocks_per_session),
    pocket_json_field("servicers", BOOL, pocket_node_body_t, success),
    pocket_json_field("chains", BOOL, pocket_node_body_t, success),
    pocket_json_field("wrong_servicers", VALUE, pocket_node_body_t,
                      wrong_servicers),
    pocket_json_field("wrong_chains", VALUE, pocket_node_body_t, wrong_chains),
    pocket_json_field("client_session_sync_allowance", INT64,
                      pocket_node_body_t,
                      check.status.client_session_sync_allowance)
};

static const pocket_json_field_t  pocket_node_answer_fields[] = {
    pocket_json_field("success", BOOL, pocket_node_body_t, success),
    pocket_json_field_of("error", POINTER, pocket_node_body_t, error,
                         &pocket_node_error_table),
    pocket_json_field("dispatch", VALUE, pocket_node_body_t, dispatch),
    pocket_json_field("remaining_relays", VALUE, pocket_node_body_t, remaining)
};

/* the success of a notification is named so */

static const pocket_json_field_t  pocket_node_notify_fields[] = {
    pocket_json_field("signature", BOOL, pocket_node_body_t, success),
    pocket_json_field_of("error", POINTER, pocket_node_body_t, error,
                         &pocket_node_error_table),
    pocket_json_field("dispatch", VALUE, pocket_node_body_t, dispatch)
};


static const pocket_json_table_t  pocket_node_check_table =
    pocket_json_table(pocket_node_check_fields, pocket_node_body_t);

static const pocket_json_table_t  pocket_node_answer_table =
    pocket_json_table(pocket_node_answer_fields, pocket_node_body_t);

static const pocket_json_table_t  pocket_node_notify_table =
    pocket_json_table(pocket_node_notify_fields, pocket_node_body_t);


static const pocket_json_field_t  pocket_node_check_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_node_check_table
};

static const pocket_json_field_t  pocket_node_answer_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_node_answer_table
};

static const pocket_json_field_t  pocket_node_notify_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_node_notify_table
};

static const pocket_json_field_t  pocket_node_dispatch_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_node_dispatch_table
};

static const pocket_json_field_t  pocket_node_names_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &pocket_node_string_table
};

static const pocket_json_field_t  pocket_node_value_root = {
    pocket_string(""), POCKET_JSON_T_VALUE, 0, NULL
};


int
pocket_node_check_answer(const pocket_node_answer_t *in,
    pocket_check_answer_t *out, pocket_alloc_t *a)
{
    int                 rc;
    pocket_node_body_t  body;

    memset(out, 0, sizeof(pocket_check_answer_t));

    if (in->failure != POCKET_NODE_ANSWERED || in->status != 200
        || !pocket_node_is_json(in))
    {
        return 0;
    }

    memset(&body, 0, sizeof(pocket_node_body_t));

    rc = pocket_node_decode(&in->body, &pocket_node_check_root, &body, a);

    if (rc != 1) {
        return rc;
    }

    rc = pocket_node_names(&body.wrong_servicers, &body.check.wrong_servicers,
                           a);

    if (rc != 1) {
        return rc;
    }

    rc = pocket_node_names(&body.wrong_chains, &body.check.wrong_chains, a);

    if (rc != 1) {
        return rc;
    }

    *out = body.check;
    out->status.is_starting = body.is_starting;
    out->status.is_catching_up = body.is_catching_up;

    return 1;
}


/* an array of strings, given out as it was written */

static int
pocket_node_names(const pocket_json_value_t *value, pocket_str_t *raw,
    pocket_alloc_t *a)
{
    int                  rc;
    pocket_json_array_t  names;

    memset(&names, 0, sizeof(pocket_json_array_t));

    /* decoded for its types only */

    rc = pocket_node_decode_value(value, POCKET_JSON_ARRAY,
                                  &pocket_node_names_root, &names, a);

    if (rc == 1 && value->kind == POCKET_JSON_ARRAY) {
        *raw = value->raw;
    }

    return rc;
}


int
pocket_node_session_answer(const pocket_node_answer_t *in,
    pocket_session_answer_t *out, pocket_alloc_t *a)
{
    int                     rc;
    pocket_node_body_t      body;
    pocket_node_dispatch_t  dispatch;

    memset(out, 0, sizeof(pocket_session_answer_t));

    out->remaining = -1;

    /* these tell of the way to the node, not of the session */

    if (in->failure == POCKET_NODE_NO_CONNECTION
        || in->failure == POCKET_NODE_TIMEOUT)
    {
        out->class = POCKET_SESSION_ANSWER_NONE;
        return POCKET_OK;
    }

    out->class = POCKET_SESSION_ANSWER_RETRY;

    if (in->failure != POCKET_NODE_ANSWERED) {
        return POCKET_OK;
    }

    memset(&body, 0, sizeof(pocket_node_body_t));

    rc = pocket_node_decode(&in->body, &pocket_node_answer_root, &body, a);

    if (rc == 1) {
        rc = pocket_node_read_dispatch(&body, &dispatch, a);
    }

    if (rc == 1) {
        rc = pocket_node_remaining(&body.remaining, &out->remaining, a);
    }

    if (rc == POCKET_ERROR) {
        out->class = POCKET_SESSION_ANSWER_NONE;
        return POCKET_ERROR;
    }

    if (rc == 0) {
        return POCKET_OK;
    }

    if (body.dispatch.kind == POCKET_JSON_OBJECT) {
        out->dispatch = body.dispatch.raw;
    }

    /* the flag of success is not looked at: the reference does not either */

    if (in->status == 200) {
        out->class = POCKET_SESSION_ANSWER_VALID;
        return POCKET_OK;
    }

    out->remaining = -1;

    if (body.error != NULL) {
        pocket_node_session_error(body.error, out);
    }

    return POCKET_OK;
}


static void
pocket_node_session_error(const pocket_node_error_t *error,
    pocket_session_answer_t *out)
{
    out->code = error->code;
    out->message = error->message;

    if (pocket_node_code_ends_session(error->code)) {
        out->class = POCKET_SESSION_ANSWER_INVALID;
        return;
    }

    /* the node is not ready, or behind after a restart */

    if (error->code == 1 || error->code == 75) {
        return;
    }

    out->class = POCKET_SESSION_ANSWER_VALID;
}


/*
 * As Go reads a json.Number: a number, or a string that holds one; 0 when
 * that is no integer, the nearest one when it has no room.
 */

static int
pocket_node_remaining(const pocket_json_value_t *value, int64_t *remaining,
    pocket_alloc_t *a)
{
    int                  rc;
    size_t               i;
    pocket_str_t         text;
    pocket_json_value_t  number;

    *remaining = 0;

    number = *value;

    switch (value->kind) {

    case POCKET_JSON_NULL:
        return 1;

    case POCKET_JSON_NUMBER:
        break;

    case POCKET_JSON_STRING:

        rc = pocket_json_value_string(value, &text, a);

        if (rc == 1) {
            rc = pocket_node_decode(&text, &pocket_node_value_root, &number,
                                    a);
        }

        if (rc != 1) {
            return rc;
        }

        if (number.kind != POCKET_JSON_NUMBER || number.raw.len != text.len) {
            return 0;
        }

        break;

    default:
        return 0;
    }

    /* nothing remains; and -1 has a meaning of its own */

    if (number.raw.data[0] == '-') {
        return 1;
    }

    if (pocket_json_int64(&number.raw, remaining)) {
        return 1;
    }

    *remaining = 0;

    for (i = 0; i < number.raw.len; i++) {
        if (number.raw.data[i] < '0' || number.raw.data[i] > '9') {
            return 1;
        }
    }

    *remaining = INT64_MAX;

    return 1;
}


int
pocket_node_notify_answer(const pocket_node_answer_t *in,
    pocket_notify_answer_t *out, pocket_alloc_t *a)
{
    int                     rc;
    pocket_node_body_t      body;
    pocket_node_dispatch_t  dispatch;

    memset(out, 0, sizeof(pocket_notify_answer_t));

    out->class = POCKET_NOTIFY_RETRY;

    if (in->failure != POCKET_NODE_ANSWERED) {
        return POCKET_OK;
    }

    out->answered = 1;

    if ((in->status != 200 && in->status != 400) || !pocket_node_is_json(in)) {
        return POCKET_OK;
    }

    memset(&body, 0, sizeof(pocket_node_body_t));

    rc = pocket_node_decode(&in->body, &pocket_node_notify_root, &body, a);

    if (rc == 1) {
        rc = pocket_node_read_dispatch(&body, &dispatch, a);
    }

    if (rc == POCKET_ERROR) {
        out->answered = 0;
        return POCKET_ERROR;
    }

    if (rc == 0) {
        return POCKET_OK;
    }

    /* a 200 of something else in between must not settle a relay */

    if (in->status == 200) {

        if (body.success) {
            out->class = POCKET_NOTIFY_DELIVERED;
        }

        return POCKET_OK;
    }

    if (body.error == NULL) {
        return POCKET_OK;
    }

    out->class = pocket_node_code_class(body.error->code);
    out->code = body.error->code;
    out->message = body.error->message;
    out->height = dispatch.block_height;

    return POCKET_OK;
}


static pocket_notify_class_e
pocket_node_code_class(uint32_t code)
{
    size_t  i;

    for (i = 0;
         i < sizeof(pocket_node_codes) / sizeof(pocket_node_codes[0]);
         i++)
    {
        if (pocket_node_codes[i].code == code) {
            return pocket_node_codes[i].class;
        }
    }

    return POCKET_NOTIFY_RETRY;
}


int
pocket_node_code_ends_session(uint32_t code)
{
    return pocket_node_code_class(code) == POCKET_NOTIFY_SESSION_INVALID;
}


int
pocket_node_client_dispatch(const pocket_str_t *raw, pocket_str_t *out,
    pocket_alloc_t *a)
{
    return pocket_sort(raw, POCKET_SORT_KEYS, out, a);
}


static int
pocket_node_read_dispatch(const pocket_node_body_t *body,
    pocket_node_dispatch_t *dispatch, pocket_alloc_t *a)
{
    memset(dispatch, 0, sizeof(pocket_node_dispatch_t));

    return pocket_node_decode_value(&body->dispatch, POCKET_JSON_OBJECT,
                                    &pocket_node_dispatch_root, dispatch, a);
}


/* a member kept as written, to be of this kind, null or absent */

static int
pocket_node_decode_value(const pocket_json_value_t *value,
    pocket_json_event_e kind, const pocket_json_field_t *root, void *out,
    pocket_alloc_t *a)
{
    if (value->kind == POCKET_JSON_NULL) {
        return 1;
    }

    if (value->kind != kind) {
        return 0;
    }

    return pocket_node_decode(&value->raw, root, out, a);
}


static int
pocket_node_decode(const pocket_str_t *text, const pocket_json_field_t *root,
    void *out, pocket_alloc_t *a)
{
    pocket_json_error_t  err;

    return pocket_json_decode(text, root, out, &err, a);
}


static unsigned
pocket_node_is_json(const pocket_node_answer_t *in)
{
    size_t               i;
    const pocket_str_t  *type;

    static const pocket_str_t  json = pocket_string(POCKET_NODE_TYPE);

    /* with its case, as the reference compares it */

    type = &in->content_type;

    for (i = 0; i + json.len <= type->len; i++) {

        if (memcmp(type->data + i, json.data, json.len) == 0) {
            return 1;
        }
    }

    return 0;
}
