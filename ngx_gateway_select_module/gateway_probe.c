
#include "gateway_fault.h"
#include "gateway_probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>


#define GATEWAY_PROBE_TEXT_LEN     320
#define GATEWAY_PROBE_VARIANTS     4
#define GATEWAY_PROBE_HASH_HEX     64

/* options of Solana's getBlock: without them it is megabytes */

#define GATEWAY_PROBE_SIGNATURES   "\"transactionDetails\":\"none\""
#define GATEWAY_PROBE_REWARDS      "\"rewards\":false"
#define GATEWAY_PROBE_VERSION      "\"maxSupportedTransactionVersion\":0"

#define GATEWAY_PROBE_NO_METHOD    -32601

/* Solana's: the slot was skipped; the same, or not in the archive */

#define GATEWAY_PROBE_SKIPPED      -32007
#define GATEWAY_PROBE_NOT_STORED   -32009


/* How the members of a JSON-RPC request are written. */

typedef struct {
    const char                *order;      /* j, i, m, p */
    const char                *colon;
    const char                *comma;
} gateway_probe_form_t;


typedef enum {
    GATEWAY_PROBE_NUMBER = 0,              /* a height */
    GATEWAY_PROBE_CHAIN,                   /* an identifier that counts */
    GATEWAY_PROBE_HASH,                    /* 64 hex digits, maybe 0x */
    GATEWAY_PROBE_BASE58
} gateway_probe_value_e;


/* Where an answer has what was asked for; own paths come after the error's. */

enum {
    GATEWAY_PROBE_ERROR = 0,
    GATEWAY_PROBE_ERROR_CODE,
    GATEWAY_PROBE_ERROR_TEXT,
    GATEWAY_PROBE_ID,
    GATEWAY_PROBE_RESULT,
    GATEWAY_PROBE_VALUE,
    GATEWAY_PROBE_OTHER,                   /* the same in another dialect */
    GATEWAY_PROBE_BLOCK,                   /* which block it is */
    GATEWAY_PROBE_PATHS
};


/* Equivalent requests: a method and its parameters, or a path and a body. */

typedef struct {
    const char                *method;
    const char                *params;     /* NULL: a GET */
} gateway_probe_variant_t;


typedef struct {
    gateway_probe_variant_t    variants[GATEWAY_PROBE_VARIANTS];
    gateway_probe_value_e      value;
    gateway_number_e           number;
    const char                *path;
    const char                *other;
    const char                *block;      /* NULL: not told */
    unsigned                   rpc:1;      /* has an id */
    unsigned                   of_block:1; /* errors may mean: not there */
    gateway_dialect_e          dialect;
} gateway_probe_kind_t;


static int gateway_probe_rpc(const gateway_probe_variant_t *variant,
    uint64_t random, pocket_str_t *text, pocket_alloc_t *a);
static int gateway_probe_chain(uint64_t n, pocket_str_t *text,
    pocket_alloc_t *a);

static gateway_answer_e gateway_probe_error(const gateway_probe_kind_t *kind,
    const gateway_value_t *values, gateway_probe_answer_t *answer);
static unsigned gateway_probe_is_id(const gateway_value_t *value,
    uint32_t id);
static gateway_answer_e gateway_probe_value(const gateway_probe_kind_t *kind,
    const gateway_value_t *value, gateway_probe_answer_t *answer,
    pocket_alloc_t *a);
static int gateway_probe_hash(const pocket_str_t *text, pocket_str_t *hash,
    pocket_alloc_t *a);
static unsigned gateway_probe_base58(const pocket_str_t *text);
static gateway_answer_e gateway_probe_fault(gateway_probe_answer_t *answer,
    const char *reason);
static size_t gateway_probe_variable(const unsigned char *p,
    const unsigned char *last);


static const gateway_probe_form_t  gateway_probe_forms[] = {
    { "jimp", ":", "," },
    { "jmpi", ":", "," },
    { "jmpi", ": ", ", " },
    { "imjp", ":", "," },
    { "mpij", ":", "," },
    { "jimp", ": ", ", " },
    { "ijmp", ":", "," },
    { "mpji", ":", "," }
};


static const gateway_probe_kind_t  gateway_probe_kinds[GATEWAY_PROBE_KINDS] = {

    [GATEWAY_PROBE_EVM_HEIGHT] =
    { { { "eth_blockNumber", "[]" },
        { "eth_blockNumber", "[]" },
        { "eth_blockNumber", "[]" },
        { "eth_getBlockByNumber", "[\"latest\",false]" } },
      GATEWAY_PROBE_NUMBER, GATEWAY_NUMBER_HEX,
      "result", "result.number", NULL, 1, 0, GATEWAY_DIALECT_EVM },

    [GATEWAY_PROBE_EVM_BLOCK] =
    { { { "eth_getBlockByNumber", "[\"$height_hex\",false]" },
        { "eth_getBlockByNumber", "[\"$height_hex\", false]" },
        { "eth_getBlockByNumber", "[ \"$height_hex\", false ]" },
        { "eth_getBlockByNumber", "[\"$height_hex\",false]" } },
      GATEWAY_PROBE_HASH, GATEWAY_NUMBER_HEX,
      "result.hash", NULL, "result.number", 1, 1, GATEWAY_DIALECT_EVM },

    [GATEWAY_PROBE_EVM_CHAIN] =
    { { { "eth_chainId", "[]" },
        { "eth_chainId", "[]" },
        { "eth_chainId", "[ ]" },
        { "eth_chainId", "[]" } },
      GATEWAY_PROBE_CHAIN, GATEWAY_NUMBER_HEX,
      "result", NULL, NULL, 1, 0, GATEWAY_DIALECT_EVM },

    [GATEWAY_PROBE_SOLANA_HEIGHT] =
    { { { "getSlot", "[]" },
        { "getSlot", "[{\"commitment\":\"finalized\"}]" },
        { "getSlot", "[ { \"commitment\": \"finalized\" } ]" },
        { "getSlot", "[{}]" } },
      GATEWAY_PROBE_NUMBER, GATEWAY_NUMBER_ANY,
      "result", NULL, NULL, 1, 0, GATEWAY_DIALECT_SOLANA },

    [GATEWAY_PROBE_SOLANA_BLOCK] =
    { { { "getBlock", "[$height,{" GATEWAY_PROBE_SIGNATURES ","
                      GATEWAY_PROBE_REWARDS "," GATEWAY_PROBE_VERSION "}]" },
        { "getBlock", "[$height,{" GATEWAY_PROBE_VERSION ","
                      GATEWAY_PROBE_SIGNATURES "," GATEWAY_PROBE_REWARDS "}]" },
        { "getBlock", "[$height, {\"encoding\": \"json\", "
                      GATEWAY_PROBE_REWARDS ", " GATEWAY_PROBE_SIGNATURES ", "
                      GATEWAY_PROBE_VERSION "}]" },
        { "getBlock", "[$height,{" GATEWAY_PROBE_REWARDS ","
                      GATEWAY_PROBE_VERSION "," GATEWAY_PROBE_SIGNATURES
                      "}]" } },
      GATEWAY_PROBE_BASE58, GATEWAY_NUMBER_ANY,
      "result.blockhash", NULL, NULL, 1, 1, GATEWAY_DIALECT_SOLANA },

    [GATEWAY_PROBE_POKT_HEIGHT] =
    { { { "/v1/query/height", "" },
        { "/v1/query/height", "{}" },
        { "/v1/query/height", "" },
        { "/v1/query/height", "{ }" } },
      GATEWAY_PROBE_NUMBER, GATEWAY_NUMBER_ANY,
      "height", NULL, NULL, 0, 0, GATEWAY_DIALECT_POCKET },

    [GATEWAY_PROBE_POKT_BLOCK] =
    { { { "/v1/query/block", "{\"height\":$height}" },
        { "/v1/query/block", "{\"height\": $height}" },
        { "/v1/query/block", "{ \"height\": $height }" },
        { "/v1/query/block", "{\"height\" : $height}" } },
      GATEWAY_PROBE_HASH, GATEWAY_NUMBER_ANY,
      "block_id.hash", NULL, "block.header.height", 0, 1,
      GATEWAY_DIALECT_POCKET },

    [GATEWAY_PROBE_COSMOS_HEIGHT] =
    { { { "/status", NULL },
        { "/status", NULL },
        { "/status?", NULL },
        { "/status", NULL } },
      GATEWAY_PROBE_NUMBER, GATEWAY_NUMBER_ANY,
      "result.sync_info.latest_block_height", "sync_info.latest_block_height",
      NULL, 0, 0, GATEWAY_DIALECT_COSMOS },

    [GATEWAY_PROBE_COSMOS_BLOCK] =
    { { { "/block?height=$height", NULL },
        { "/block?height=$height", NULL },
        { "/block?height=$height&", NULL },
        { "/block?height=$height", NULL } },
      GATEWAY_PROBE_HASH, GATEWAY_NUMBER_ANY,
      "result.block_id.hash", "block_id.hash", "result.block.header.height",
      0, 1, GATEWAY_DIALECT_COSMOS }
};


int
gateway_probe_request(gateway_probe_e kind, uint64_t block, uint64_t random,
    gateway_probe_request_t *request, pocket_alloc_t *a)
{
    pocket_str_t                    text;
    const gateway_probe_variant_t  *variant;

    static pocket_str_t  get = pocket_string("GET");
    static pocket_str_t  post = pocket_string("POST");
    static pocket_str_t  header = pocket_string("Content-Type");
    static pocket_str_t  value = pocket_string("application/json");

    memset(request, 0, sizeof(gateway_probe_request_t));

    request->block = block;

    /* of any length: libraries count up from 1, or take large ones */

    request->id = (uint32_t) (random >> 33) >> ((random >> 16) % 28);

    if (request->id == 0) {
        request->id = 1;
    }

    variant = &gateway_probe_kinds[kind].variants[(random >> 8)
                                                  % GATEWAY_PROBE_VARIANTS];

    if (variant->params) {
        request->method = post;
        request->header = header;
        request->value = value;

    } else {
        request->method = get;
    }

    if (gateway_probe_kinds[kind].rpc) {

        if (gateway_probe_rpc(variant, random, &text, a) != POCKET_OK) {
            return POCKET_ERROR;
        }

        return gateway_probe_expand(&text, request->id, block, &request->body,
                                    a);
    }

    text.data = (unsigned char *) variant->method;
    text.len = strlen(variant->method);

    if (gateway_probe_expand(&text, request->id, block, &request->path, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (variant->params == NULL) {
        return POCKET_OK;
    }

    text.data = (unsigned char *) variant->params;
    text.len = strlen(variant->params);

    return gateway_probe_expand(&text, request->id, block, &request->body, a);
}


/* a JSON-RPC request with its variables */

static int
gateway_probe_rpc(const gateway_probe_variant_t *variant, uint64_t random,
    pocket_str_t *text, pocket_alloc_t *a)
{
    char                        *p, *last;
    const char                  *member, *comma;
    const gateway_probe_form_t  *form;

    form = &gateway_probe_forms[random % (sizeof(gateway_probe_forms)
                                          / sizeof(gateway_probe_forms[0]))];

    p = pocket_alloc(a, GATEWAY_PROBE_TEXT_LEN);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    text->data = (unsigned char *) p;
    last = p + GATEWAY_PROBE_TEXT_LEN;
    comma = "{";

    for (member = form->order; *member; member++) {
        p += snprintf(p, last - p, "%s", comma);
        comma = form->comma;

        switch (*member) {

        case 'j':
            p += snprintf(p, last - p, "\"jsonrpc\"%s\"2.0\"", form->colon);
            break;

        case 'i':
            p += snprintf(p, last - p, "\"id\"%s$id", form->colon);
            break;

        case 'm':
            p += snprintf(p, last - p, "\"method\"%s\"%s\"", form->colon,
                          variant->method);
            break;

        default:
            p += snprintf(p, last - p, "\"params\"%s%s", form->colon,
                          variant->params);
            break;
        }
    }

    p += snprintf(p, last - p, "}");
    text->len = (unsigned char *) p - text->data;

    return POCKET_OK;
}


static int
gateway_probe_chain(uint64_t n, pocket_str_t *text, pocket_alloc_t *a)
{
    static const pocket_str_t  height = pocket_string("$height");

    return gateway_probe_expand(&height, 0, n, text, a);
}


gateway_answer_e
gateway_probe_answer(gateway_probe_e kind,
    const gateway_probe_request_t *request, uint32_t status,
    const pocket_str_t *body, gateway_probe_answer_t *answer,
    pocket_alloc_t *a)
{
    int                          rc;
    uint32_t                     i;
    uint64_t                     block;
    const char                  *err, *text[GATEWAY_PROBE_PATHS];
    pocket_str_t                 path;
    gateway_path_t               paths[GATEWAY_PROBE_PATHS];
    gateway_value_t             *value, values[GATEWAY_PROBE_PATHS];
    const gateway_probe_kind_t  *k;

    memset(answer, 0, sizeof(gateway_probe_answer_t));

    k = &gateway_probe_kinds[kind];

    if (gateway_fault_status(status, 0, k->rpc) == GATEWAY_FAULT_QUOTA) {
        return GATEWAY_ANSWER_QUOTA;
    }

    text[GATEWAY_PROBE_ERROR] = "error";
    text[GATEWAY_PROBE_ERROR_CODE] = "error.code";
    text[GATEWAY_PROBE_ERROR_TEXT] = "error.message";
    text[GATEWAY_PROBE_ID] = "id";
    text[GATEWAY_PROBE_RESULT] = "result";
    text[GATEWAY_PROBE_VALUE] = k->path;
    text[GATEWAY_PROBE_OTHER] = k->other ? k->other : k->path;
    text[GATEWAY_PROBE_BLOCK] = k->block ? k->block : "result";

    for (i = 0; i < GATEWAY_PROBE_PATHS; i++) {
        path.data = (unsigned char *) text[i];
        path.len = strlen(text[i]);

        if (gateway_path_parse(&path, &paths[i], &err) != POCKET_OK) {
            return gateway_probe_fault(answer, err);
        }
    }

    rc = gateway_path_read(paths, GATEWAY_PROBE_PATHS, body, values, a);

    if (rc != 1) {
        return gateway_probe_fault(answer, rc == 0 ? "is no JSON"
                                                   : "no memory");
    }

    if (values[GATEWAY_PROBE_ERROR].found
        && values[GATEWAY_PROBE_ERROR].type != POCKET_JSON_NULL)
    {
        return gateway_probe_error(k, values, answer);
    }

    if (status < 200 || status > 299) {
        return gateway_probe_fault(answer, "has a status of failure");
    }

    if (k->rpc
        && !gateway_probe_is_id(&values[GATEWAY_PROBE_ID], request->id))
    {
        return gateway_probe_fault(answer, "has another id");
    }

    if (k->of_block
        && values[GATEWAY_PROBE_RESULT].found
        && values[GATEWAY_PROBE_RESULT].type == POCKET_JSON_NULL)
    {
        return GATEWAY_ANSWER_ABSENT;
    }

    value = &values[GATEWAY_PROBE_BLOCK];

    if (k->block
        && gateway_value_number(value, k->number, &block)
        && block != request->block)
    {
        return gateway_probe_fault(answer, "is about another block");
    }

    value = &values[GATEWAY_PROBE_VALUE];

    if (!value->found || value->type == POCKET_JSON_OBJECT) {
        value = &values[GATEWAY_PROBE_OTHER];
    }

    return gateway_probe_value(k, value, answer, a);
}


/*
 * The request was a sound one: what elsewhere would be the caller's fault is
 * the node's here, or tells that it lacks the block.
 */

static gateway_answer_e
gateway_probe_error(const gateway_probe_kind_t *kind,
    const gateway_value_t *values, gateway_probe_answer_t *answer)
{
    pocket_str_t            text;
    gateway_fault_e         fault;
    const gateway_value_t  *value;

    static const pocket_str_t  none = { 0, (unsigned char *) "" };

    value = &values[GATEWAY_PROBE_ERROR_CODE];

    if (!value->found
        || value->type != POCKET_JSON_NUMBER
        || pocket_json_int64(&value->raw, &answer->code) != 1)
    {
        answer->code = 0;
    }

    value = &values[GATEWAY_PROBE_ERROR_TEXT];
    text = (value->found && value->type == POCKET_JSON_STRING) ? value->raw
                                                               : none;
    answer->reason = "is an error";

    if (kind->of_block
        && kind->dialect == GATEWAY_DIALECT_SOLANA
        && (answer->code == GATEWAY_PROBE_SKIPPED
            || answer->code == GATEWAY_PROBE_NOT_STORED))
    {
        return GATEWAY_ANSWER_SKIPPED;
    }

    fault = gateway_fault_error(kind->dialect, answer->code, &text);

    if (fault == GATEWAY_FAULT_QUOTA) {
        return GATEWAY_ANSWER_QUOTA;
    }

    if (fault == GATEWAY_FAULT_LACKING
        || answer->code == GATEWAY_PROBE_NO_METHOD
        || (kind->of_block && fault == GATEWAY_FAULT_CALLER))
    {
        return GATEWAY_ANSWER_ABSENT;
    }

    return GATEWAY_ANSWER_FAULT;
}


/* an answer without an id is taken: there are servers that leave it out */

static unsigned
gateway_probe_is_id(const gateway_value_t *value, uint32_t id)
{
    uint64_t  n;

    return !value->found
           || (gateway_value_number(value, GATEWAY_NUMBER_ANY, &n)
               && n == id);
}


static gateway_answer_e
gateway_probe_value(const gateway_probe_kind_t *kind,
    const gateway_value_t *value, gateway_probe_answer_t *answer,
    pocket_alloc_t *a)
{
    int           rc;
    uint64_t      n;
    pocket_str_t  text;

    if (kind->value <= GATEWAY_PROBE_CHAIN) {

        if (gateway_value_number(value, kind->number, &n) != 1) {
            return gateway_probe_fault(answer, "has no number");
        }

        if (kind->value == GATEWAY_PROBE_NUMBER) {
            answer->height = n;
            return n ? GATEWAY_ANSWER_OK
                     : gateway_probe_fault(answer, "is at height 0");
        }

        rc = gateway_probe_chain(n, &answer->identifier, a);

        return rc == POCKET_OK ? GATEWAY_ANSWER_OK
                               : gateway_probe_fault(answer, "no memory");
    }

    if (!value->found || value->type != POCKET_JSON_STRING) {
        return gateway_probe_fault(answer, "has no hash");
    }

    if (gateway_value_text(value, &text, a) != 1) {
        return gateway_probe_fault(answer, "no memory");
    }

    if (kind->value == GATEWAY_PROBE_BASE58) {
        answer->identifier = text;
        return gateway_probe_base58(&text)
               ? GATEWAY_ANSWER_OK
               : gateway_probe_fault(answer, "has a bad hash");
    }

    rc = gateway_probe_hash(&text, &answer->identifier, a);

    if (rc != 1) {
        return gateway_probe_fault(answer, rc == 0 ? "has a bad hash"
                                                   : "no memory");
    }

    return GATEWAY_ANSWER_OK;
}


/* 1: lower-case digits without 0x; 0: it is none; POCKET_ERROR: no memory */

static int
gateway_probe_hash(const pocket_str_t *text, pocket_str_t *hash,
    pocket_alloc_t *a)
{
    size_t         i;
    pocket_str_t   hex;
    unsigned char  c;

    hex = *text;

    if (hex.len == GATEWAY_PROBE_HASH_HEX + 2
        && hex.data[0] == '0' && hex.data[1] == 'x')
    {
        hex.data += 2;
        hex.len -= 2;
    }

    if (hex.len != GATEWAY_PROBE_HASH_HEX) {
        return 0;
    }

    hash->len = hex.len;
    hash->data = pocket_alloc(a, hex.len);
    if (hash->data == NULL) {
        return POCKET_ERROR;
    }

    for (i = 0; i < hex.len; i++) {
        c = hex.data[i];

        if (c >= 'A' && c <= 'F') {
            c |= 0x20;

        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }

        hash->data[i] = c;
    }

    return 1;
}


/* 32 bytes */

static unsigned
gateway_probe_base58(const pocket_str_t *text)
{
    size_t  i;

    static const char  digits[] =
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

    if (text->len < 32 || text->len > 44) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        if (memchr(digits, text->data[i], sizeof(digits) - 1) == NULL) {
            return 0;
        }
    }

    return 1;
}


static gateway_answer_e
gateway_probe_fault(gateway_probe_answer_t *answer, const char *reason)
{
    answer->reason = reason;

    return GATEWAY_ANSWER_FAULT;
}


int
gateway_probe_expand(const pocket_str_t *text, uint32_t id, uint64_t height,
    pocket_str_t *out, pocket_alloc_t *a)
{
    size_t                len, n, size;
    unsigned char        *dst;
    const unsigned char  *p, *last;

    p = text->data;
    last = p + text->len;
    size = text->len + 1;

    for ( /* void */ ; p < last; p++) {
        size += (*p == '$') ? sizeof("0xffffffffffffffff") + 2 : 0;
    }

    out->data = pocket_alloc(a, size);
    if (out->data == NULL) {
        return POCKET_ERROR;
    }

    dst = out->data;

    for (p = text->data; p < last; p += n) {
        n = gateway_probe_variable(p, last);
        len = out->data + size - dst;

        switch (n) {

        case sizeof("$id") - 1:
            dst += snprintf((char *) dst, len, "%" PRIu32, id);
            break;

        case sizeof("$height") - 1:
            dst += snprintf((char *) dst, len, "%" PRIu64, height);
            break;

        case sizeof("$height_hex") - 1:
            dst += snprintf((char *) dst, len, "0x%" PRIx64, height);
            break;

        default:
            n = 1;
            *dst++ = *p;
            break;
        }
    }

    out->len = dst - out->data;

    return POCKET_OK;
}


/* the length of a variable of ours at p, or 0 */

static size_t
gateway_probe_variable(const unsigned char *p, const unsigned char *last)
{
    size_t  i, len;

    static const pocket_str_t  names[] = {
        pocket_string("$height_hex"),
        pocket_string("$height"),
        pocket_string("$id")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        len = names[i].len;

        if ((size_t) (last - p) >= len
            && memcmp(p, names[i].data, len) == 0
            && (p + len == last
                || !(((p[len] | 0x20) >= 'a' && (p[len] | 0x20) <= 'z')
                     || (p[len] >= '0' && p[len] <= '9')
                     || p[len] == '_')))
        {
            return len;
        }
    }

    return 0;
}


int
gateway_probe_has_height(const pocket_str_t *text)
{
    const unsigned char  *p, *last;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        if (gateway_probe_variable(p, last) >= sizeof("$height") - 1) {
            return 1;
        }
    }

    return 0;
}


uint64_t
gateway_probe_block(uint64_t reference, uint32_t tolerance, uint32_t from,
    uint32_t to, uint64_t random)
{
    uint64_t  least, most;

    least = from > tolerance ? from : (uint64_t) tolerance + 1;
    most = least + (to > from ? to - from : 0);

    if (reference <= least) {
        return 0;
    }

    if (most > reference - 1) {
        most = reference - 1;
    }

    return reference - least - random % (most - least + 1);
}
