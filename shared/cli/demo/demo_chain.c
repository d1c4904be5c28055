
/*
 * A demo blockchain: answers JSON-RPC for any chain id, the first segment of
 * the path.  Further segments steer an answer, so that a relay's path does:
 * latency/MS, size/BYTES, status/CODE, lag/BLOCKS, lie, hangup, cut, echo.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../cli_mem.h"
#include "demo_chain.h"
#include "demo_server.h"
#include "pocket_json.h"


#define DEMO_CHAIN_BLOCK_TIME   2
#define DEMO_CHAIN_SIZE_MAX     (64 * 1024 * 1024)


typedef struct {
    int64_t                  latency;
    int64_t                  size;
    int64_t                  status;
    int64_t                  lag;
    unsigned                 lie:1;       /* its blocks are not the chain's */
    unsigned                 hangup:1;
    unsigned                 cut:1;
    unsigned                 echo:1;
} demo_steer_t;


typedef struct {
    pocket_str_t             method;
    pocket_json_value_t      id;
    pocket_json_value_t      params;
} demo_rpc_t;


/* what an answer is made of */

typedef struct {
    pocket_str_t             id;
    int64_t                  height;
    int64_t                  size;
    unsigned                 lie:1;
} demo_view_t;


typedef struct {
    demo_steer_t             defaults;
    cli_buf_t                body;
    uint64_t                 answers;
} demo_chain_t;


typedef void (*demo_result_pt)(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);


typedef struct {
    const char              *method;
    demo_result_pt           result;
} demo_method_t;


static void demo_chain_handler(void *data, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);
static void demo_chain_steer(demo_steer_t *steer, const pocket_str_t *path,
    pocket_str_t *chain);
static int demo_chain_segment(pocket_str_t *rest, pocket_str_t *segment);
static void demo_chain_body(cli_buf_t *b, const demo_view_t *chain,
    const demo_request_t *rq, pocket_alloc_t *a);
static void demo_chain_call(cli_buf_t *b, const demo_view_t *chain,
    const pocket_str_t *text, pocket_alloc_t *a);
static void demo_chain_batch(cli_buf_t *b, const demo_view_t *chain,
    const pocket_str_t *text, pocket_alloc_t *a);
static void demo_chain_result(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_chain_pad(cli_buf_t *b, size_t start, int64_t size);
static void demo_chain_echo(cli_buf_t *b, const demo_request_t *rq);
static void demo_chain_stats(demo_chain_t *dc, demo_conn_t *c);
static int64_t demo_chain_height(void);
static void demo_result_id(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_version(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_height(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_block(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_balance(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_price(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_syncing(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);
static void demo_result_slot(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc);


static const demo_method_t  demo_methods[] = {
    { "eth_blockNumber", demo_result_height },
    { "eth_chainId", demo_result_id },
    { "net_version", demo_result_version },
    { "eth_getBlockByNumber", demo_result_block },
    { "eth_getBalance", demo_result_balance },
    { "eth_gasPrice", demo_result_price },
    { "eth_syncing", demo_result_syncing },
    { "getSlot", demo_result_slot }
};


static const pocket_json_field_t  demo_rpc_fields[] = {

    { pocket_string("method"), POCKET_JSON_T_STRING,
      offsetof(demo_rpc_t, method), NULL },

    { pocket_string("id"), POCKET_JSON_T_VALUE,
      offsetof(demo_rpc_t, id), NULL },

    { pocket_string("params"), POCKET_JSON_T_VALUE,
      offsetof(demo_rpc_t, params), NULL }
};


static const pocket_json_table_t  demo_rpc_table = {
    demo_rpc_fields,
    sizeof(demo_rpc_fields) / sizeof(demo_rpc_fields[0]),
    sizeof(demo_rpc_t)
};


static const pocket_json_field_t  demo_rpc_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_rpc_table
};


static const pocket_json_field_t  demo_batch_fields[] = {
    { pocket_string(""), POCKET_JSON_T_VALUE, 0, NULL }
};


static const pocket_json_table_t  demo_batch_table = {
    demo_batch_fields, 1, sizeof(pocket_json_value_t)
};


static const pocket_json_field_t  demo_batch_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &demo_batch_table
};


static const struct option  demo_chain_options[] = {
    { "listen", required_argument, NULL, 'l' },
    { "latency", required_argument, NULL, 't' },
    { "size", required_argument, NULL, 's' },
    { NULL, 0, NULL, 0 }
};


int
demo_chain_main(int argc, char **argv)
{
    int            opt, rc;
    const char    *address;
    demo_chain_t   dc;

    memset(&dc, 0, sizeof(demo_chain_t));
    dc.defaults.status = 200;
    address = "127.0.0.1:0";

    while ((opt = getopt_long(argc, argv, "", demo_chain_options, NULL)) != -1)
    {
        switch (opt) {

        case 'l':
            address = optarg;
            break;

        case 't':
            dc.defaults.latency = atoll(optarg);
            break;

        case 's':
            dc.defaults.size = atoll(optarg);
            break;

        default:
            return 2;
        }
    }

    if (optind != argc) {
        fprintf(stderr, "meshdemo: unexpected \"%s\"\n", argv[optind]);
        return 2;
    }

    rc = demo_serve(address, demo_chain_handler, &dc);

    cli_buf_free(&dc.body);

    return rc == 0 ? 0 : 1;
}


static void
demo_chain_handler(void *data, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    demo_chain_t *dc = data;

    demo_view_t    chain;
    demo_steer_t   steer;

    if (demo_is(&rq->path, "/_stats")) {
        demo_chain_stats(dc, c);
        return;
    }

    dc->answers++;
    dc->body.text.len = 0;
    steer = dc->defaults;

    demo_chain_steer(&steer, &rq->path, &chain.id);

    chain.height = demo_chain_height() - steer.lag;
    chain.size = steer.size;
    chain.lie = steer.lie;

    if (steer.hangup) {
        demo_drop(c, 0);

    } else {
        if (steer.echo) {
            demo_chain_echo(&dc->body, rq);

        } else {
            demo_chain_body(&dc->body, &chain, rq, a);
        }

        demo_answer(c, steer.status, DEMO_TYPE_JSON, NULL, &dc->body.text);
    }

    if (steer.cut) {
        demo_drop(c, dc->body.text.len / 2);
    }

    if (steer.latency) {
        demo_delay(c, steer.latency);
    }
}


static void
demo_chain_steer(demo_steer_t *steer, const pocket_str_t *path,
    pocket_str_t *chain)
{
    int64_t        n, *number;
    pocket_str_t   rest, segment, value;

    rest = *path;

    if (!demo_chain_segment(&rest, chain)) {
        chain->len = 0;
        return;
    }

    while (demo_chain_segment(&rest, &segment)) {

        number = demo_is(&segment, "latency") ? &steer->latency
               : demo_is(&segment, "size") ? &steer->size
               : demo_is(&segment, "status") ? &steer->status
               : demo_is(&segment, "lag") ? &steer->lag : NULL;

        if (number) {

            if (demo_chain_segment(&rest, &value) && demo_number(&value, &n)
                && n >= 0 && n <= DEMO_CHAIN_SIZE_MAX)
            {
                *number = n;
            }

        } else if (demo_is(&segment, "lie")) {
            steer->lie = 1;

        } else if (demo_is(&segment, "hangup")) {
            steer->hangup = 1;

        } else if (demo_is(&segment, "cut")) {
            steer->cut = 1;

        } else if (demo_is(&segment, "echo")) {
            steer->echo = 1;
        }
    }
}


static int
demo_chain_segment(pocket_str_t *rest, pocket_str_t *segment)
{
    while (rest->len && rest->data[0] == '/') {
        rest->data++;
        rest->len--;
    }

    segment->data = rest->data;

    while (rest->len && rest->data[0] != '/') {
        rest->data++;
        rest->len--;
    }

    segment->len = rest->data - segment->data;

    return segment->len != 0;
}


static void
demo_chain_body(cli_buf_t *b, const demo_view_t *chain,
    const demo_request_t *rq, pocket_alloc_t *a)
{
    size_t  i;

    for (i = 0; i < rq->body.len; i++) {
        if (rq->body.data[i] > ' ') {
            break;
        }
    }

    if (i < rq->body.len && rq->body.data[i] == '[') {
        demo_chain_batch(b, chain, &rq->body, a);
        return;
    }

    demo_chain_call(b, chain, &rq->body, a);
}


static void
demo_chain_batch(cli_buf_t *b, const demo_view_t *chain,
    const pocket_str_t *text, pocket_alloc_t *a)
{
    size_t                i;
    pocket_json_array_t   array;
    pocket_json_error_t   err;
    pocket_json_value_t  *calls;

    memset(&array, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(text, &demo_batch_root, &array, &err, a) != 1) {
        array.n = 0;
    }

    calls = array.elts;

    cli_buf_text(b, "[");

    for (i = 0; i < array.n; i++) {
        if (i) {
            cli_buf_text(b, ",");
        }

        demo_chain_call(b, chain, &calls[i].raw, a);
    }

    cli_buf_text(b, "]");
}


static void
demo_chain_call(cli_buf_t *b, const demo_view_t *chain,
    const pocket_str_t *text, pocket_alloc_t *a)
{
    size_t               start;
    demo_rpc_t           rpc;
    pocket_json_error_t  err;

    memset(&rpc, 0, sizeof(demo_rpc_t));
    start = b->text.len;

    if (text->len
        && pocket_json_decode(text, &demo_rpc_root, &rpc, &err, a) != 1)
    {
        cli_buf_text(b, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":"
                        "{\"code\":-32700,\"message\":\"parse error\"}}");
        return;
    }

    cli_buf_text(b, "{\"jsonrpc\":\"2.0\",\"id\":");

    if (rpc.id.raw.len) {
        cli_buf_str(b, &rpc.id.raw);

    } else {
        cli_buf_text(b, "null");
    }

    cli_buf_text(b, ",\"result\":");

    if (chain->size) {
        demo_chain_pad(b, start, chain->size);

    } else {
        demo_chain_result(b, chain, &rpc);
    }

    cli_buf_text(b, "}");
}


static void
demo_chain_result(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    size_t  i;

    for (i = 0; i < sizeof(demo_methods) / sizeof(demo_methods[0]); i++) {
        if (demo_is(&rpc->method, demo_methods[i].method)) {
            demo_methods[i].result(b, chain, rpc);
            return;
        }
    }

    cli_buf_text(b, "{\"echo\":");
    cli_buf_json(b, &rpc->method);
    cli_buf_text(b, ",\"params\":");

    if (rpc->params.raw.len) {
        cli_buf_str(b, &rpc->params.raw);

    } else {
        cli_buf_text(b, "null");
    }

    cli_buf_text(b, "}");
}


/* a result that makes the answer size bytes long, when that is possible */

static void
demo_chain_pad(cli_buf_t *b, size_t start, int64_t size)
{
    size_t          used, len;
    unsigned char  *p;

    used = b->text.len - start + sizeof("\"\"}") - 1;
    len = (size_t) size > used ? (size_t) size - used : 0;

    cli_buf_text(b, "\"");

    p = cli_buf_room(b, len);
    if (p == NULL) {
        return;
    }

    memset(p, 'x', len);
    b->text.len += len;

    cli_buf_text(b, "\"");
}


static void
demo_chain_echo(cli_buf_t *b, const demo_request_t *rq)
{
    cli_buf_text(b, "{\"method\":");
    cli_buf_json(b, &rq->method);
    cli_buf_text(b, ",\"path\":");
    cli_buf_json(b, &rq->path);
    cli_buf_text(b, ",\"query\":");
    cli_buf_json(b, &rq->query);
    cli_buf_text(b, ",\"headers\":");
    cli_buf_json(b, &rq->lines);
    cli_buf_text(b, ",\"body\":");
    cli_buf_json(b, &rq->body);
    cli_buf_text(b, "}");
}


static void
demo_chain_stats(demo_chain_t *dc, demo_conn_t *c)
{
    dc->body.text.len = 0;
    cli_buf_printf(&dc->body, "{\"answers\":%llu}\n",
                   (unsigned long long) dc->answers);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &dc->body.text);
}


/* of the wall clock, so that all demo chains agree */

static int64_t
demo_chain_height(void)
{
    return time(NULL) / DEMO_CHAIN_BLOCK_TIME;
}


static void
demo_result_id(cli_buf_t *b, const demo_view_t *chain, const demo_rpc_t *rpc)
{
    char  id[32];

    snprintf(id, sizeof(id), "%.*s", (int) chain->id.len, chain->id.data);

    cli_buf_printf(b, "\"0x%lx\"", strtoul(id, NULL, 16));
}


static void
demo_result_version(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    char  id[32];

    snprintf(id, sizeof(id), "%.*s", (int) chain->id.len, chain->id.data);

    cli_buf_printf(b, "\"%lu\"", strtoul(id, NULL, 16));
}


static void
demo_result_height(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    cli_buf_printf(b, "\"0x%llx\"", (unsigned long long) chain->height);
}


/* block n's hash is n itself, or begins with f where it is a lie */

static void
demo_result_block(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    char                param[32], first;
    size_t              len;
    unsigned long long  n;

    n = chain->height;
    first = chain->lie ? 'f' : '0';

    if (rpc->params.raw.len > 4
        && memcmp(rpc->params.raw.data, "[\"0x", 4) == 0)
    {
        len = rpc->params.raw.len - 2;
        snprintf(param, sizeof(param), "%.*s", (int) len,
                 rpc->params.raw.data + 2);
        n = strtoull(param, NULL, 16);
    }

    if (n > (unsigned long long) chain->height) {
        cli_buf_text(b, "null");
        return;
    }

    cli_buf_printf(b, "{\"number\":\"0x%llx\",\"hash\":\"0x%c%063llx\","
                      "\"parentHash\":\"0x%c%063llx\","
                      "\"timestamp\":\"0x%llx\"}",
                   n, first, n, first, n ? n - 1 : 0,
                   n * DEMO_CHAIN_BLOCK_TIME);
}


static void
demo_result_balance(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    cli_buf_text(b, "\"0xde0b6b3a7640000\"");
}


static void
demo_result_price(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    cli_buf_text(b, "\"0x3b9aca00\"");
}


static void
demo_result_syncing(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    cli_buf_text(b, "false");
}


static void
demo_result_slot(cli_buf_t *b, const demo_view_t *chain,
    const demo_rpc_t *rpc)
{
    cli_buf_printf(b, "%lld", (long long) chain->height);
}
