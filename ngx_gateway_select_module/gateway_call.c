
/*
 * What a caller asks a chain for: see gateway_call.h.
 */


#include "gateway_call.h"
#include "pocket_json.h"

#include <string.h>


/* blocks whose state nodes keep that are no archive */

#define GATEWAY_CALL_RECENT   120

#define GATEWAY_CALL_ANY      (GATEWAY_DIALECT_EVM|GATEWAY_DIALECT_SOLANA     \
                               |GATEWAY_DIALECT_COSMOS|GATEWAY_DIALECT_PLAIN)


/* a name that ends with "*" stands for all that begin so */

typedef struct {
    unsigned              dialects;
    const char           *name;
    unsigned              traits;
} gateway_call_method_t;


typedef enum {
    GATEWAY_CALL_OTHER = 0,
    GATEWAY_CALL_METHOD,
    GATEWAY_CALL_PARAMS
} gateway_call_member_e;


typedef struct {
    gateway_call_t        *call;
    gateway_dialect_e      dialect;
    const pocket_str_t    *writes;
    size_t                 nwrites;
    gateway_call_member_e  member;
    unsigned               traits;         /* of the call being read */
    uint64_t               block;
} gateway_call_reader_t;


static void gateway_call_rest(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path);
static int gateway_call_event(void *data, const pocket_json_event_t *ev);
static void gateway_call_member(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_call_param(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_call_end(gateway_call_reader_t *reader);
static unsigned gateway_call_traits(gateway_call_reader_t *reader,
    const pocket_str_t *method);
static unsigned gateway_call_is(const pocket_str_t *text, const char *name);
static void gateway_call_ids(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body);


static const gateway_call_method_t  gateway_call_methods[] = {
    { GATEWAY_DIALECT_EVM, "eth_send*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_EVM, "personal_*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_EVM, "eth_cancel*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_EVM, "eth_submit*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_EVM, "mev_*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_EVM, "bor_send*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_SOLANA, "sendTransaction", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_SOLANA, "requestAirdrop", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_COSMOS, "broadcast_*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_COSMOS|GATEWAY_DIALECT_PLAIN, "send*",
      GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_PLAIN, "submit*", GATEWAY_CALL_WRITE },
    { GATEWAY_DIALECT_PLAIN, "broadcast*", GATEWAY_CALL_WRITE },

    { GATEWAY_DIALECT_EVM, "eth_newFilter",
      GATEWAY_CALL_STICKY|GATEWAY_CALL_LOGS },
    { GATEWAY_DIALECT_EVM, "eth_newBlockFilter", GATEWAY_CALL_STICKY },
    { GATEWAY_DIALECT_EVM, "eth_newPendingTransactionFilter",
      GATEWAY_CALL_STICKY },
    { GATEWAY_DIALECT_EVM, "eth_getFilterChanges", GATEWAY_CALL_STICKY },
    { GATEWAY_DIALECT_EVM, "eth_getFilterLogs", GATEWAY_CALL_STICKY },
    { GATEWAY_DIALECT_EVM, "eth_uninstallFilter", GATEWAY_CALL_STICKY },

    { GATEWAY_DIALECT_EVM, "trace_*", GATEWAY_CALL_TRACE },
    { GATEWAY_DIALECT_EVM, "debug_*", GATEWAY_CALL_TRACE },
    { GATEWAY_DIALECT_EVM, "arbtrace_*", GATEWAY_CALL_TRACE },
    { GATEWAY_DIALECT_EVM, "eth_getLogs", GATEWAY_CALL_LOGS },

    { GATEWAY_DIALECT_EVM, "eth_call", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_getBalance", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_getCode", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_getStorageAt", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_getTransactionCount", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_getProof", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_EVM, "eth_estimateGas", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_SOLANA, "getBlock", GATEWAY_CALL_STATE },
    { GATEWAY_DIALECT_SOLANA, "getTransaction", GATEWAY_CALL_STATE }
};


/* POST without JSON-RPC that changes nothing, by the beginning of its path */

static const gateway_call_method_t  gateway_call_queries[] = {
    { GATEWAY_DIALECT_POCKET, "/v1/query/*", 0 },
    { GATEWAY_DIALECT_POCKET, "/v1/client/dispatch", 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/simulate", 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/decode", 0 },
    { GATEWAY_DIALECT_COSMOS, "/cosmos/tx/v1beta1/encode", 0 }
};


void
gateway_call_read(gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *method, const pocket_str_t *path,
    const pocket_str_t *body, const pocket_str_t *writes, size_t n)
{
    gateway_scan_t         scan;
    pocket_json_error_t    err;
    gateway_call_reader_t  reader;

    memset(call, 0, sizeof(gateway_call_t));

    call->block = GATEWAY_CALL_NO_BLOCK;

    memset(&reader, 0, sizeof(gateway_call_reader_t));

    reader.call = call;
    reader.dialect = dialect;
    reader.writes = writes;
    reader.nwrites = n;
    reader.block = GATEWAY_CALL_NO_BLOCK;

    if (body->len == 0
        || pocket_json_read(body, gateway_call_event, &reader, &err) != 1
        || call->n == 0)
    {
        call->rpc = 0;
        call->batch = 0;

        gateway_call_rest(call, dialect, method, path);
        return;
    }

    gateway_scan_request(&scan, dialect);
    (void) gateway_scan(&scan, body->data, body->len);

    call->rpc = 1;
    call->want = scan.want;

    gateway_call_ids(call, dialect, body);
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

    if (depth == 0 && ev->type == POCKET_JSON_OBJECT_END) {
        gateway_call_end(reader);

    } else if (depth == 1) {
        gateway_call_member(reader, ev);

    } else if (depth == 2 && reader->member == GATEWAY_CALL_PARAMS) {
        gateway_call_param(reader, ev);
    }

    return 1;
}


static void
gateway_call_member(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev)
{
    if (ev->type == POCKET_JSON_KEY) {
        reader->member = gateway_call_is(&ev->raw, "method")
                         ? GATEWAY_CALL_METHOD
                         : gateway_call_is(&ev->raw, "params")
                         ? GATEWAY_CALL_PARAMS : GATEWAY_CALL_OTHER;
        return;
    }

    if (reader->member == GATEWAY_CALL_METHOD
        && ev->type == POCKET_JSON_STRING)
    {
        reader->call->n++;

        /* one that is escaped is meant to be mistaken for another */

        reader->traits |= ev->escaped ? GATEWAY_CALL_WRITE
                                      : gateway_call_traits(reader, &ev->raw);
    }
}


/* The number of a block is a hexadecimal string of few digits. */

static void
gateway_call_param(gateway_call_reader_t *reader,
    const pocket_json_event_t *ev)
{
    size_t         i;
    uint64_t       block;
    unsigned char  ch;

    if (ev->type != POCKET_JSON_STRING) {
        return;
    }

    if (gateway_call_is(&ev->raw, "earliest")) {
        reader->block = 0;
        return;
    }

    if (ev->raw.len < 3 || ev->raw.len > 12
        || ev->raw.data[0] != '0' || ev->raw.data[1] != 'x')
    {
        return;
    }

    for (block = 0, i = 2; i < ev->raw.len; i++) {

        ch = ev->raw.data[i];

        if (ch >= '0' && ch <= '9') {
            block = block << 4 | (uint64_t) (ch - '0');
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'f') {
            return;
        }

        block = block << 4 | (uint64_t) (ch - 'a' + 10);
    }

    if (block < reader->block) {
        reader->block = block;
    }
}


/* One call of a batch, or the only one, has been read. */

static void
gateway_call_end(gateway_call_reader_t *reader)
{
    gateway_call_t  *call;

    call = reader->call;
    call->traits |= reader->traits;

    if ((reader->traits & GATEWAY_CALL_STATE) && reader->block < call->block)
    {
        call->block = reader->block;
    }

    reader->traits = 0;
    reader->block = GATEWAY_CALL_NO_BLOCK;
    reader->member = GATEWAY_CALL_OTHER;
}


static unsigned
gateway_call_traits(gateway_call_reader_t *reader, const pocket_str_t *method)
{
    size_t                        i;
    unsigned                      traits;
    const gateway_call_method_t  *m;

    traits = 0;

    for (i = 0;
         i < sizeof(gateway_call_methods) / sizeof(gateway_call_methods[0]);
         i++)
    {
        m = &gateway_call_methods[i];

        if ((m->dialects & reader->dialect)
            && gateway_call_is(method, m->name))
        {
            traits = m->traits;
            break;
        }
    }

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
