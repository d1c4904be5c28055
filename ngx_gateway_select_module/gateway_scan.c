
/*
 * Reads what passes by: see gateway_scan.h.  A string followed by a colon is
 * a key, so that no stack of objects and arrays is needed: a depth is.
 */


#include "gateway_scan.h"

#include <string.h>


#define GATEWAY_SCAN_STEPS       3
#define GATEWAY_SCAN_HEIGHT_MAX  ((uint64_t) 1 << 53)


/* members of depth 1, then those of an error */

typedef enum {
    GATEWAY_SCAN_OTHER = 0,
    GATEWAY_SCAN_RESULT,
    GATEWAY_SCAN_ERROR,
    GATEWAY_SCAN_ID,
    GATEWAY_SCAN_METHOD,
    GATEWAY_SCAN_PARAMS,
    GATEWAY_SCAN_CODE,
    GATEWAY_SCAN_TEXT
} gateway_scan_member_e;


typedef struct {
    unsigned               answer;
    uint32_t               depth;
    const char            *name;
    gateway_scan_member_e  member;
} gateway_scan_name_t;


typedef struct {
    uint32_t               n;
    const char            *steps[GATEWAY_SCAN_STEPS];
} gateway_scan_path_t;


typedef enum {
    GATEWAY_SCAN_ANY = 0,
    GATEWAY_SCAN_LATEST,                   /* the first one is "latest" */
    GATEWAY_SCAN_NONE                      /* without parameters */
} gateway_scan_params_e;


typedef struct {
    gateway_dialect_e      dialect;
    const char            *method;         /* or the end of a path */
    gateway_scan_params_e  params;
    gateway_want_e         want;
} gateway_scan_ask_t;


static void gateway_scan_init(gateway_scan_t *scan,
    gateway_dialect_e dialect);
static size_t gateway_scan_string(gateway_scan_t *scan,
    const unsigned char *p, size_t n);
static void gateway_scan_byte(gateway_scan_t *scan, unsigned char ch);
static void gateway_scan_root(gateway_scan_t *scan, unsigned char ch);
static void gateway_scan_append(gateway_scan_t *scan, const unsigned char *p,
    size_t n);
static void gateway_scan_open(gateway_scan_t *scan, unsigned object);
static void gateway_scan_close(gateway_scan_t *scan);
static void gateway_scan_key(gateway_scan_t *scan);
static void gateway_scan_value(gateway_scan_t *scan);
static void gateway_scan_value_request(gateway_scan_t *scan, uint32_t depth);
static void gateway_scan_value_answer(gateway_scan_t *scan, uint32_t depth);
static void gateway_scan_id(gateway_scan_t *scan);
static void gateway_scan_asked(gateway_scan_t *scan);
static void gateway_scan_erred(gateway_scan_t *scan);
static void gateway_scan_say(gateway_scan_t *scan);
static unsigned gateway_scan_is(const gateway_scan_t *scan,
    const char *text);
static int64_t gateway_scan_code(const gateway_scan_t *scan);
static uint64_t gateway_scan_height(const gateway_scan_t *scan);


static const gateway_scan_name_t  gateway_scan_names[] = {
    { 1, 1, "result", GATEWAY_SCAN_RESULT },
    { 1, 1, "error", GATEWAY_SCAN_ERROR },
    { 1, 1, "id", GATEWAY_SCAN_ID },
    { 1, 2, "code", GATEWAY_SCAN_CODE },
    { 1, 2, "message", GATEWAY_SCAN_TEXT },
    { 1, 2, "data", GATEWAY_SCAN_TEXT },
    { 0, 1, "method", GATEWAY_SCAN_METHOD },
    { 0, 1, "params", GATEWAY_SCAN_PARAMS }
};


static const gateway_scan_path_t  gateway_scan_paths[GATEWAY_WANTS] = {
    { 0, { NULL, NULL, NULL } },
    { 1, { "result", NULL, NULL } },
    { 2, { "result", "number", NULL } },
    { 3, { "result", "sync_info", "latest_block_height" } },
    { 3, { "block", "header", "height" } },
    { 1, { "height", NULL, NULL } }
};


/* getSlot with parameters may ask for a slot that is not yet rooted */

static const gateway_scan_ask_t  gateway_scan_methods[] = {
    { GATEWAY_DIALECT_EVM, "eth_blockNumber", GATEWAY_SCAN_ANY,
      GATEWAY_WANT_RESULT },
    { GATEWAY_DIALECT_EVM, "eth_getBlockByNumber", GATEWAY_SCAN_LATEST,
      GATEWAY_WANT_NUMBER },
    { GATEWAY_DIALECT_SOLANA, "getSlot", GATEWAY_SCAN_NONE,
      GATEWAY_WANT_RESULT },
    { GATEWAY_DIALECT_COSMOS, "status", GATEWAY_SCAN_ANY,
      GATEWAY_WANT_STATUS }
};


static const gateway_scan_ask_t  gateway_scan_uris[] = {
    { GATEWAY_DIALECT_COSMOS, "/status", GATEWAY_SCAN_ANY,
      GATEWAY_WANT_STATUS },
    { GATEWAY_DIALECT_COSMOS, "/blocks/latest", GATEWAY_SCAN_ANY,
      GATEWAY_WANT_BLOCK },
    { GATEWAY_DIALECT_POCKET, "/query/height", GATEWAY_SCAN_ANY,
      GATEWAY_WANT_HEIGHT }
};


void
gateway_scan_request(gateway_scan_t *scan, gateway_dialect_e dialect)
{
    gateway_scan_init(scan, dialect);
}


void
gateway_scan_answer(gateway_scan_t *scan, gateway_dialect_e dialect,
    gateway_want_e want)
{
    gateway_scan_init(scan, dialect);

    scan->answer = 1;
    scan->want = want;
}


int
gateway_scan(gateway_scan_t *scan, const unsigned char *p, size_t n)
{
    size_t  i;

    if (n > GATEWAY_SCAN_LIMIT - scan->read) {
        n = GATEWAY_SCAN_LIMIT - scan->read;
    }

    scan->read += (uint32_t) n;

    for (i = 0; i < n && !scan->done; /* void */ ) {

        if (scan->string) {
            i += gateway_scan_string(scan, p + i, n - i);
            continue;
        }

        gateway_scan_byte(scan, p[i++]);
    }

    if (scan->read == GATEWAY_SCAN_LIMIT) {
        scan->done = 1;
    }

    return !scan->done;
}


gateway_fault_e
gateway_scan_fault(const gateway_scan_t *scan, unsigned rpc)
{
    return (scan->other && rpc) ? GATEWAY_FAULT_NODE : scan->fault;
}


gateway_want_e
gateway_scan_uri(gateway_dialect_e dialect, const pocket_str_t *uri)
{
    size_t                     i, len;
    const gateway_scan_ask_t  *ask;

    for (i = 0;
         i < sizeof(gateway_scan_uris) / sizeof(gateway_scan_uris[0]);
         i++)
    {
        ask = &gateway_scan_uris[i];
        len = strlen(ask->method);

        if (ask->dialect == dialect && uri->len >= len
            && memcmp(uri->data + uri->len - len, ask->method, len) == 0)
        {
            return ask->want;
        }
    }

    return GATEWAY_WANT_NONE;
}


static void
gateway_scan_init(gateway_scan_t *scan, gateway_dialect_e dialect)
{
    memset(scan, 0, offsetof(gateway_scan_t, bytes));

    scan->dialect = dialect;
}


/* The rest of a string as far as it is here; gives the bytes taken. */

static size_t
gateway_scan_string(gateway_scan_t *scan, const unsigned char *p, size_t n)
{
    size_t  i, begun;

    i = 0;

    while (i < n) {

        if (scan->escape) {
            scan->escape = 0;
            gateway_scan_append(scan, p + i++, 1);
            continue;
        }

        begun = i;

        while (i < n && p[i] != '"' && p[i] != '\\') {
            i++;
        }

        gateway_scan_append(scan, p + begun, i - begun);

        if (i == n) {
            break;
        }

        if (p[i++] == '"') {
            scan->string = 0;
            return i;
        }

        scan->escape = 1;
    }

    return n;
}


static void
gateway_scan_byte(gateway_scan_t *scan, unsigned char ch)
{
    if (!scan->begun) {
        gateway_scan_root(scan, ch);
        return;
    }

    switch (ch) {

    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return;

    case '"':
        scan->string = 1;
        scan->quoted = 1;
        scan->token = 1;
        scan->len = 0;
        return;

    case ':':
        gateway_scan_key(scan);
        return;

    case ',':
        gateway_scan_value(scan);
        return;

    case '{':
    case '[':
        gateway_scan_open(scan, ch == '{');
        return;

    case '}':
    case ']':
        gateway_scan_close(scan);
        return;

    default:

        if (!scan->token) {
            scan->token = 1;
            scan->quoted = 0;
            scan->len = 0;
        }

        gateway_scan_append(scan, &ch, 1);
    }
}


static void
gateway_scan_root(gateway_scan_t *scan, unsigned char ch)
{
    switch (ch) {

    case ' ':
    case '\t':
    case '\r':
    case '\n':

    /* a byte order mark */

    case 0xef:
    case 0xbb:
    case 0xbf:
        return;

    case '[':
        scan->batch = 1;
        scan->want = GATEWAY_WANT_NONE;

        if (!scan->answer) {
            scan->rpc = 1;
            scan->done = 1;
        }

        /* fall through */

    case '{':
        scan->begun = 1;
        scan->json = 1;
        scan->depth = 1;
        return;

    default:
        scan->other = 1;
        scan->done = 1;
    }
}


static void
gateway_scan_append(gateway_scan_t *scan, const unsigned char *p, size_t n)
{
    if (n > GATEWAY_SCAN_TOKEN - scan->len) {
        n = GATEWAY_SCAN_TOKEN - scan->len;
    }

    memcpy(scan->bytes + scan->len, p, n);
    scan->len += (uint32_t) n;
}


static void
gateway_scan_open(gateway_scan_t *scan, unsigned object)
{
    uint32_t  depth;

    depth = scan->depth - scan->batch;
    scan->depth++;
    scan->token = 0;

    if (!scan->answer) {
        if (depth == 2 && scan->section == GATEWAY_SCAN_PARAMS) {
            scan->params++;
        }

        return;
    }

    if (depth != 1) {
        return;
    }

    if (scan->section == GATEWAY_SCAN_RESULT) {
        scan->result = 1;
        gateway_scan_say(scan);

    } else if (scan->section == GATEWAY_SCAN_ERROR && object) {
        scan->error = 1;
    }
}


static void
gateway_scan_close(gateway_scan_t *scan)
{
    uint32_t  depth;

    gateway_scan_value(scan);

    scan->depth--;

    if (scan->depth == 0) {
        scan->done = 1;
        scan->closed = 1;

        if (!scan->answer) {
            gateway_scan_asked(scan);
        }

        return;
    }

    depth = scan->depth - scan->batch;

    if (depth == 1 && scan->answer && scan->section == GATEWAY_SCAN_ERROR) {
        gateway_scan_erred(scan);
    }

    if (depth < 2) {
        scan->section = GATEWAY_SCAN_OTHER;
        scan->field = GATEWAY_SCAN_OTHER;
    }
}


static void
gateway_scan_key(gateway_scan_t *scan)
{
    size_t                      i;
    uint32_t                    depth;
    gateway_scan_member_e       member;
    const gateway_scan_path_t  *path;

    depth = scan->depth - scan->batch;
    path = &gateway_scan_paths[scan->want];

    scan->token = 0;

    if (scan->answer) {

        if (depth && scan->matched >= depth) {
            scan->matched = depth - 1;
        }

        if (scan->matched + 1 == depth && depth <= path->n
            && gateway_scan_is(scan, path->steps[depth - 1]))
        {
            scan->matched = depth;
        }
    }

    if (depth == 0 || depth > 2) {
        return;
    }

    member = GATEWAY_SCAN_OTHER;

    for (i = 0;
         i < sizeof(gateway_scan_names) / sizeof(gateway_scan_names[0]);
         i++)
    {
        if (gateway_scan_names[i].answer == scan->answer
            && gateway_scan_names[i].depth == depth
            && gateway_scan_is(scan, gateway_scan_names[i].name))
        {
            member = gateway_scan_names[i].member;
            break;
        }
    }

    if (depth == 2) {
        scan->field = member;
        return;
    }

    scan->section = member;
    scan->field = GATEWAY_SCAN_OTHER;

    if (member == GATEWAY_SCAN_METHOD) {
        scan->rpc = 1;
    }
}


static void
gateway_scan_value(gateway_scan_t *scan)
{
    uint32_t  depth;

    if (!scan->token) {
        return;
    }

    scan->token = 0;

    depth = scan->depth - scan->batch;

    if (depth == 0) {
        return;
    }

    if (scan->answer) {
        gateway_scan_value_answer(scan, depth);

    } else {
        gateway_scan_value_request(scan, depth);
    }
}


static void
gateway_scan_value_request(gateway_scan_t *scan, uint32_t depth)
{
    size_t  i;

    if (depth == 2 && scan->section == GATEWAY_SCAN_PARAMS) {

        if (scan->params++ == 0) {
            scan->latest = scan->quoted && gateway_scan_is(scan, "latest");
        }

        return;
    }

    if (depth != 1 || scan->section != GATEWAY_SCAN_METHOD) {
        return;
    }

    for (i = 0;
         i < sizeof(gateway_scan_methods) / sizeof(gateway_scan_methods[0]);
         i++)
    {
        if (gateway_scan_methods[i].dialect == scan->dialect
            && gateway_scan_is(scan, gateway_scan_methods[i].method))
        {
            scan->method = 1;
            scan->index = (uint32_t) i;
            return;
        }
    }

    /* of no other method is there more to know */

    scan->done = 1;
}


static void
gateway_scan_value_answer(gateway_scan_t *scan, uint32_t depth)
{
    size_t                      len;
    const gateway_scan_path_t  *path;

    path = &gateway_scan_paths[scan->want];

    if (path->n && depth == path->n && scan->matched == path->n) {
        scan->height = gateway_scan_height(scan);
    }

    if (depth == 1 && !scan->quoted && gateway_scan_is(scan, "null")) {

        if (scan->section == GATEWAY_SCAN_RESULT) {
            scan->null = 1;
        }

    } else if (depth == 1) {

        if (scan->section == GATEWAY_SCAN_ID) {
            gateway_scan_id(scan);

        } else if (scan->section == GATEWAY_SCAN_RESULT) {
            scan->result = 1;

        } else if (scan->section == GATEWAY_SCAN_ERROR && scan->quoted) {
            scan->error = 1;
            scan->text_len = scan->len;
            memcpy(scan->text, scan->bytes, scan->len);
            gateway_scan_erred(scan);
        }
    }

    if (depth == 2 && scan->section == GATEWAY_SCAN_ERROR) {

        if (scan->field == GATEWAY_SCAN_CODE) {
            scan->code = gateway_scan_code(scan);

        } else if (scan->field == GATEWAY_SCAN_TEXT && scan->quoted) {
            len = GATEWAY_SCAN_TOKEN - scan->text_len;

            if (len > scan->len) {
                len = scan->len;
            }

            memcpy(scan->text + scan->text_len, scan->bytes, len);
            scan->text_len += (uint32_t) len;
        }
    }

    gateway_scan_say(scan);
}


/* FNV-1a; ids of a batch are added up, each told from the others */

static void
gateway_scan_id(gateway_scan_t *scan)
{
    uint32_t  i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325 ^ (uint64_t) scan->quoted;

    for (i = 0; i < scan->len; i++) {
        hash = (hash ^ scan->bytes[i]) * 0x100000001b3;
    }

    scan->ids += hash;
    scan->nids++;
}


static void
gateway_scan_asked(gateway_scan_t *scan)
{
    const gateway_scan_ask_t  *ask;

    if (!scan->method) {
        return;
    }

    ask = &gateway_scan_methods[scan->index];

    if ((ask->params == GATEWAY_SCAN_LATEST && !scan->latest)
        || (ask->params == GATEWAY_SCAN_NONE && scan->params))
    {
        return;
    }

    scan->want = ask->want;
}


static void
gateway_scan_erred(gateway_scan_t *scan)
{
    pocket_str_t     text;
    gateway_fault_e  fault;

    if (!scan->error) {
        return;
    }

    text.data = scan->text;
    text.len = scan->text_len;

    fault = gateway_fault_error(scan->dialect, scan->code, &text);

    if (fault > scan->fault) {
        scan->fault = fault;
        scan->erred = scan->code;
    }

    if (gateway_fault_absent(scan->code, &text)) {
        scan->absent = 1;
    }

    scan->error = 0;
    scan->code = 0;
    scan->text_len = 0;

    scan->done = !scan->batch && (!scan->identify || scan->nids);
}


/* A result that tells no height, or has told it, ends the reading. */

static void
gateway_scan_say(gateway_scan_t *scan)
{
    if (scan->identify && scan->nids == 0) {
        return;
    }

    if (scan->result && !scan->batch
        && (scan->want == GATEWAY_WANT_NONE || scan->height))
    {
        scan->done = 1;
    }
}


static unsigned
gateway_scan_is(const gateway_scan_t *scan, const char *text)
{
    return scan->len == strlen(text)
           && memcmp(scan->bytes, text, scan->len) == 0;
}


/* 0: not a whole number of few digits, or quoted in words */

static int64_t
gateway_scan_code(const gateway_scan_t *scan)
{
    int64_t   code;
    uint32_t  i;

    i = (scan->len && scan->bytes[0] == '-');

    if (scan->len - i > 9) {
        return 0;
    }

    for (code = 0; i < scan->len; i++) {

        if (scan->bytes[i] < '0' || scan->bytes[i] > '9') {
            return 0;
        }

        code = code * 10 + (scan->bytes[i] - '0');
    }

    return (scan->len && scan->bytes[0] == '-') ? -code : code;
}


static uint64_t
gateway_scan_height(const gateway_scan_t *scan)
{
    uint32_t       i, base, digit;
    uint64_t       height;
    unsigned char  ch;

    i = 0;
    base = 10;

    if (scan->len > 2 && scan->bytes[0] == '0' && scan->bytes[1] == 'x') {
        i = 2;
        base = 16;
    }

    for (height = 0; i < scan->len; i++) {
        ch = scan->bytes[i];

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else {
            ch |= 0x20;

            if (base != 16 || ch < 'a' || ch > 'f') {
                return 0;
            }

            digit = ch - 'a' + 10;
        }

        height = height * base + digit;

        if (height > GATEWAY_SCAN_HEIGHT_MAX) {
            return 0;
        }
    }

    return height;
}
