
/*
 * What a caller asks a chain for: see gateway_call.h.
 */


#include "gateway_call.h"
#include "pocket_json.h"

#include <string.h>


/* blocks whose state nodes keep that are no archive */

#define GATEWAY_CALL_RECENT   120

#define GATEWAY_CALL_DIGITS   12           /* of a block, with "0x" */

/* where a block may be named: of as many parameters */

#define GATEWAY_CALL_BLOCKS   3


/*
 * A name that ends with "*" stands for all that begin so, one that begins
 * with it for all that end so.  block: the parameter that names the block,
 * from 1; 0: none does, or no matter.
 */

typedef struct {
    unsigned              dialects;
    const char           *name;
    unsigned              traits;
    unsigned              block;
} gateway_call_method_t;


typedef enum {
    GATEWAY_CALL_OTHER = 0,
    GATEWAY_CALL_ID,
    GATEWAY_CALL_METHOD,
    GATEWAY_CALL_PARAMS
} gateway_call_member_e;


typedef struct {
    const char             *name;
    gateway_call_member_e   member;
} gateway_call_name_t;


typedef struct {
    gateway_call_t               *call;
    gateway_dialect_e             dialect;
    const pocket_str_t           *writes;
    size_t                        nwrites;
    const pocket_str_t           *body;
    gateway_call_member_e         member;

    /* of the call being read */
    const gateway_call_method_t  *method;
    unsigned                      traits;
    unsigned                      listed;  /* its parameters are an array */
    unsigned                      numbered;    /* a block's number is next */
    uint32_t                      nparams;
    uint64_t                      blocks[GATEWAY_CALL_BLOCKS];
    pocket_str_t                  first;   /* parameter, a string */
} gateway_call_reader_t;


static void gateway_call_none(gateway_call_t *call);
static void gateway_call_rest(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path);
static int gateway_call_event(void *data, const pocket_json_event_t *ev);
static void gateway_call_member(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_call_param(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_call_object(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev);
static uint64_t gateway_call_block(const pocket_json_event_t *ev);
static void gateway_call_begin(gateway_call_reader_t *reader);
static void gateway_call_end(gateway_call_reader_t *reader);
static const gateway_call_method_t *gateway_call_find(
    gateway_dialect_e dialect, const pocket_str_t *method);
static unsigned gateway_call_traits(gateway_call_reader_t *reader,
    const pocket_str_t *method);
static unsigned gateway_call_is(const pocket_str_t *text, const char *name);
static void gateway_call_ids(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body);


const char  *gateway_ability_names[GATEWAY_ABILITIES] = {
    "archive", "trace", "logs"
};


static const gateway_call_method_t  gateway_call_methods[] = {

    /* where the family is not known, what changes any chain is a write */

    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "eth_send*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "personal_*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "eth_cancel*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "eth_submit*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "mev_*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_PLAIN, "bor_send*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_SOLANA, "sendTransaction", GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_SOLANA|GATEWAY_DIALECT_PLAIN, "requestAirdrop",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_COSMOS, "broadcast_*", GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_COSMOS|GATEWAY_DIALECT_PLAIN, "send*",
      GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_PLAIN, "submit*", GATEWAY_CALL_WRITE, 0 },
    { GATEWAY_DIALECT_PLAIN, "broadcast*", GATEWAY_CALL_WRITE, 0 },

    /* eth_, and what chains of their own name make of it: klay_, hmy_, ... */

    { GATEWAY_DIALECT_EVM, "*_newFilter",
      GATEWAY_CALL_FILTER|GATEWAY_CALL_LOGS, 0 },
    { GATEWAY_DIALECT_EVM, "*_newBlockFilter", GATEWAY_CALL_FILTER, 0 },
    { GATEWAY_DIALECT_EVM, "*_newPendingTransactionFilter",
      GATEWAY_CALL_FILTER, 0 },
    { GATEWAY_DIALECT_EVM, "*_getFilterChanges", GATEWAY_CALL_STICKY, 0 },
    { GATEWAY_DIALECT_EVM, "*_getFilterLogs", GATEWAY_CALL_STICKY, 0 },
    { GATEWAY_DIALECT_EVM, "*_uninstallFilter", GATEWAY_CALL_STICKY, 0 },

    { GATEWAY_DIALECT_EVM, "trace_*", GATEWAY_CALL_TRACE, 0 },
    { GATEWAY_DIALECT_EVM, "debug_*", GATEWAY_CALL_TRACE, 0 },
    { GATEWAY_DIALECT_EVM, "arbtrace_*", GATEWAY_CALL_TRACE, 0 },
    { GATEWAY_DIALECT_EVM, "eth_getLogs", GATEWAY_CALL_LOGS, 0 },

    { GATEWAY_DIALECT_EVM, "eth_call", GATEWAY_CALL_STATE, 2 },
    { GATEWAY_DIALECT_EVM, "eth_getBalance", GATEWAY_CALL_STATE, 2 },
    { GATEWAY_DIALECT_EVM, "eth_getCode", GATEWAY_CALL_STATE, 2 },
    { GATEWAY_DIALECT_EVM, "eth_getStorageAt", GATEWAY_CALL_STATE, 3 },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionCount", GATEWAY_CALL_STATE,
      2 },
    { GATEWAY_DIALECT_EVM, "eth_getProof", GATEWAY_CALL_STATE, 3 },
    { GATEWAY_DIALECT_EVM, "eth_estimateGas", GATEWAY_CALL_STATE, 2 },
    { GATEWAY_DIALECT_SOLANA, "getBlock", GATEWAY_CALL_STATE, 1 },

    { GATEWAY_DIALECT_EVM, "eth_getBlockByNumber", GATEWAY_CALL_NULL, 1 },
    { GATEWAY_DIALECT_EVM, "eth_getBlockByHash", GATEWAY_CALL_NULL, 0 },
    { GATEWAY_DIALECT_EVM, "eth_getBlockReceipts", GATEWAY_CALL_NULL, 1 },
    { GATEWAY_DIALECT_EVM, "eth_getBlockTransactionCountByNumber",
      GATEWAY_CALL_NULL, 1 },
    { GATEWAY_DIALECT_EVM, "eth_getBlockTransactionCountByHash",
      GATEWAY_CALL_NULL, 0 },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionByHash", GATEWAY_CALL_NULL,
      0 },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionByBlockNumberAndIndex",
      GATEWAY_CALL_NULL, 1 },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionByBlockHashAndIndex",
      GATEWAY_CALL_NULL, 0 },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionReceipt", GATEWAY_CALL_NULL,
      0 },
    { GATEWAY_DIALECT_SOLANA, "getTransaction", GATEWAY_CALL_NULL, 0 },
    { GATEWAY_DIALECT_SOLANA, "getBlockTime", GATEWAY_CALL_NULL, 1 }
};


static const gateway_call_name_t  gateway_call_members[] = {
    { "id", GATEWAY_CALL_ID },
    { "method", GATEWAY_CALL_METHOD },
    { "params", GATEWAY_CALL_PARAMS }
};


/* POST without JSON-RPC that changes nothing, by the beginning of its path */

static const gateway_call_method_t  gateway_call_queries[] = {
    { GATEWAY_DIALECT_POCKET, "/v1/query/*", 0, 0 },
    { GATEWAY_DIALECT_POCKET, "/v1/client/dispatch", 0, 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/simulate", 0, 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/decode", 0, 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/encode", 0, 0 }
};


void
gateway_call_read(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path,
    const pocket_str_t *body, const pocket_str_t *writes, size_t n)
{
    gateway_scan_t         scan;
    pocket_json_error_t    err;
    gateway_call_reader_t  reader;

    gateway_call_none(call);

    memset(&reader, 0, sizeof(gateway_call_reader_t));

    reader.call = call;
    reader.dialect = dialect;
    reader.writes = writes;
    reader.nwrites = n;
    reader.body = body;

    if (body->len == 0
        || pocket_json_read(body, gateway_call_event, &reader, &err) != 1
        || call->n == 0)
    {
        /* what was read before it was found to be none */

        gateway_call_none(call);
        gateway_call_rest(call, dialect, method, path);
        return;
    }

    gateway_scan_request(&scan, dialect);
    (void) gateway_scan(&scan, body->data, body->len);

    call->rpc = 1;
    call->want = scan.want;

    gateway_call_ids(call, dialect, body);
}


static void
gateway_call_none(gateway_call_t *call)
{
    memset(call, 0, sizeof(gateway_call_t));

    call->block = GATEWAY_CALL_NO_BLOCK;
    call->newest = GATEWAY_CALL_NO_BLOCK;
}


/* No JSON-RPC: by HTTP's own meaning of the method. */

static void
gateway_call_rest(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path)
{
    size_t                        i;
    const gateway_call_method_t  *query;

    if (gateway_call_is(method, "GET") || gateway_call_is(method, "HEAD")) {
        call->traits = 0;
        call->want = gateway_scan_uri(dialect, path);
        return;
    }

    call->traits = GATEWAY_CALL_WRITE;

    for (i = 0;
         i < sizeof(gateway_call_queries) / sizeof(gateway_call_queries[0]);
         i++)
    {
        query = &gateway_call_queries[i];

        if ((query->dialects & dialect)
            && gateway_call_is(path, query->name))
        {
            call->traits = 0;
            call->want = gateway_scan_uri(dialect, path);
            return;
        }
    }
}


static int
gateway_call_event(void *data, const pocket_json_event_t *ev)
{
    gateway_call_reader_t *reader = data;

    size_t           depth;
    gateway_call_t  *call;

    call = reader->call;

    if (ev->depth == 0 && ev->type == POCKET_JSON_ARRAY) {
        call->batch = 1;
        return 1;
    }

    depth = ev->depth - (call->batch && ev->depth);

    switch (depth) {

    case 0:

        if (ev->type == POCKET_JSON_OBJECT) {
            gateway_call_begin(reader);

        } else if (ev->type == POCKET_JSON_OBJECT_END) {
            gateway_call_end(reader);
        }

        break;

    case 1:
        gateway_call_member(reader, ev);
        break;

    case 2:
        gateway_call_param(reader, ev);
        break;

    case 3:
        gateway_call_object(reader, ev);
        break;
    }

    return 1;
}


static void
gateway_call_begin(gateway_call_reader_t *reader)
{
    uint32_t  i;

    reader->member = GATEWAY_CALL_OTHER;
    reader->method = NULL;
    reader->traits = 0;
    reader->listed = 0;
    reader->numbered = 0;
    reader->nparams = 0;
    reader->first.len = 0;

    for (i = 0; i < GATEWAY_CALL_BLOCKS; i++) {
        reader->blocks[i] = GATEWAY_CALL_NO_BLOCK;
    }
}


static void
gateway_call_member(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev)
{
    size_t  i;

    if (ev->type == POCKET_JSON_KEY) {
        reader->member = GATEWAY_CALL_OTHER;

        for (i = 0;
             i < sizeof(gateway_call_members) / sizeof(gateway_call_name_t);
             i++)
        {
            if (gateway_call_is(&ev->raw, gateway_call_members[i].name)) {
                reader->member = gateway_call_members[i].member;
            }
        }

        return;
    }

    if (reader->member == GATEWAY_CALL_PARAMS) {
        reader->listed = (ev->type == POCKET_JSON_ARRAY);

    } else if (reader->member == GATEWAY_CALL_ID) {

        if (reader->call->id.len == 0 && ev->type <= POCKET_JSON_STRING) {
            reader->call->id.data = reader->body->data + ev->start;
            reader->call->id.len = ev->end - ev->start;
        }

    } else if (reader->member == GATEWAY_CALL_METHOD
               && ev->type == POCKET_JSON_STRING)
    {
        reader->call->n++;
        reader->method = gateway_call_find(reader->dialect, &ev->raw);

        /* one that is escaped is meant to be mistaken for another */

        reader->traits |= ev->escaped ? GATEWAY_CALL_WRITE
                                      : gateway_call_traits(reader, &ev->raw);
    }
}


static void
gateway_call_param(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev)
{
    if (reader->member != GATEWAY_CALL_PARAMS || !reader->listed
        || ev->type > POCKET_JSON_ARRAY)
    {
        return;
    }

    if (reader->nparams == 0 && ev->type == POCKET_JSON_STRING) {
        reader->first = ev->raw;
    }

    if (reader->nparams < GATEWAY_CALL_BLOCKS) {
        reader->blocks[reader->nparams] = gateway_call_block(ev);
    }

    reader->numbered = 0;
    reader->nparams++;
}


/* A block as EIP-1898 has it: {"blockNumber":"0x10"} */

static void
gateway_call_object(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev)
{
    if (reader->member != GATEWAY_CALL_PARAMS || !reader->listed
        || reader->nparams == 0 || reader->nparams > GATEWAY_CALL_BLOCKS)
    {
        return;
    }

    if (ev->type == POCKET_JSON_KEY) {
        reader->numbered = gateway_call_is(&ev->raw, "blockNumber");

    } else if (reader->numbered) {
        reader->blocks[reader->nparams - 1] = gateway_call_block(ev);
        reader->numbered = 0;
    }
}


/* Hexadecimal in a string, or a number, each of few digits. */

static uint64_t
gateway_call_block(const pocket_json_event_t *ev)
{
    size_t         i;
    unsigned       hex, digit;
    uint64_t       block;
    unsigned char  ch;

    hex = (ev->type == POCKET_JSON_STRING);

    if (hex && gateway_call_is(&ev->raw, "earliest")) {
        return 0;
    }

    if ((!hex && ev->type != POCKET_JSON_NUMBER)
        || ev->raw.len > GATEWAY_CALL_DIGITS
        || (hex && (ev->raw.len < 3 || ev->raw.data[0] != '0'
                    || ev->raw.data[1] != 'x')))
    {
        return GATEWAY_CALL_NO_BLOCK;
    }

    for (block = 0, i = hex ? 2 : 0; i < ev->raw.len; i++) {

        ch = ev->raw.data[i];

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else {
            ch |= 0x20;

            if (!hex || ch < 'a' || ch > 'f') {
                return GATEWAY_CALL_NO_BLOCK;
            }

            digit = ch - 'a' + 10;
        }

        block = block * (hex ? 16 : 10) + digit;
    }

    return block;
}


/* One call of a batch, or the only one, has been read. */

static void
gateway_call_end(gateway_call_reader_t *reader)
{
    uint64_t         block;
    gateway_call_t  *call;

    call = reader->call;
    call->traits |= reader->traits;

    block = (reader->method && reader->method->block)
            ? reader->blocks[reader->method->block - 1]
            : GATEWAY_CALL_NO_BLOCK;

    if ((reader->traits & GATEWAY_CALL_STATE) && block < call->block) {
        call->block = block;
    }

    if ((reader->traits & GATEWAY_CALL_NULL)
        && block != GATEWAY_CALL_NO_BLOCK
        && (call->newest == GATEWAY_CALL_NO_BLOCK || block > call->newest))
    {
        call->newest = block;
    }

    if ((reader->traits & GATEWAY_CALL_STICKY) && call->filter.len == 0) {
        call->filter = reader->first;
    }
}


unsigned
gateway_call_method(gateway_dialect_e dialect, const pocket_str_t *method)
{
    const gateway_call_method_t  *m;

    m = gateway_call_find(dialect, method);

    return m ? m->traits : 0;
}


static const gateway_call_method_t *
gateway_call_find(gateway_dialect_e dialect, const pocket_str_t *method)
{
    size_t                        i;
    const gateway_call_method_t  *m;

    for (i = 0;
         i < sizeof(gateway_call_methods) / sizeof(gateway_call_methods[0]);
         i++)
    {
        m = &gateway_call_methods[i];

        if ((m->dialects & dialect) && gateway_call_is(method, m->name)) {
            return m;
        }
    }

    return NULL;
}


static unsigned
gateway_call_traits(gateway_call_reader_t *reader, const pocket_str_t *method)
{
    size_t    i;
    unsigned  traits;

    traits = reader->method ? reader->method->traits : 0;

    if (reader->nwrites == 0) {
        return traits;
    }

    traits &= ~GATEWAY_CALL_WRITE;

    for (i = 0; i < reader->nwrites; i++) {
        if (reader->writes[i].len == method->len
            && memcmp(reader->writes[i].data, method->data, method->len) == 0)
        {
            return traits | GATEWAY_CALL_WRITE;
        }
    }

    return traits;
}


static unsigned
gateway_call_is(const pocket_str_t *text, const char *name)
{
    size_t  len;

    len = strlen(name);

    if (name[0] == '*') {
        len--;
        return text->len > len
               && memcmp(text->data + text->len - len, name + 1, len) == 0;
    }

    if (name[len - 1] == '*') {
        len--;
        return text->len >= len && memcmp(text->data, name, len) == 0;
    }

    return text->len == len && memcmp(text->data, name, len) == 0;
}


/* Ids stand where they do in answers: the same reader takes both. */

static void
gateway_call_ids(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body)
{
    gateway_scan_t  scan;

    gateway_scan_answer(&scan, dialect, GATEWAY_WANT_NONE);
    scan.identify = 1;

    (void) gateway_scan(&scan, body->data, body->len);

    if (scan.closed) {
        call->nids = scan.nids;
        call->ids = scan.ids;
    }
}


unsigned
gateway_call_stranger(const gateway_call_t *call, const gateway_scan_t *answer)
{
    if (answer->batch && !call->batch) {
        return 1;
    }

    if (call->nids == 0 || answer->nids == 0
        || call->batch != answer->batch
        || (answer->batch && !answer->closed))
    {
        return 0;
    }

    return call->ids != answer->ids || call->nids != answer->nids;
}


gateway_ability_e
gateway_call_ability(const gateway_call_t *call, uint64_t height)
{
    if (call->traits & GATEWAY_CALL_TRACE) {
        return GATEWAY_ABILITY_TRACE;
    }

    if (call->traits & GATEWAY_CALL_LOGS) {
        return GATEWAY_ABILITY_LOGS;
    }

    if (call->block != GATEWAY_CALL_NO_BLOCK
        && call->block + GATEWAY_CALL_RECENT < height)
    {
        return GATEWAY_ABILITY_ARCHIVE;
    }

    return GATEWAY_ABILITIES;
}
