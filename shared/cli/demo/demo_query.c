
/*
 * What a gateway asks a demo full node: height, applications, parameters
 * (reference, /v1/query).
 */


#include <string.h>

#include "demo_node.h"
#include "pocket_key.h"


#define DEMO_APP_TOKENS  "1000000000"


typedef struct {
    pocket_str_t          name;          /* "address" or "key" */
} demo_query_t;


static int demo_query_app_is(const pocket_str_t *key,
    const pocket_str_t *address);
static void demo_query_app_add(demo_node_t *n, cli_buf_t *b,
    const pocket_str_t *key, const pocket_str_t *address);


static const pocket_json_field_t  demo_address_fields[] = {
    { pocket_string("address"), POCKET_JSON_T_STRING,
      offsetof(demo_query_t, name), NULL }
};


static const pocket_json_table_t  demo_address_table = {
    demo_address_fields, 1, sizeof(demo_query_t)
};


static const pocket_json_field_t  demo_address_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_address_table
};


static const pocket_json_field_t  demo_key_fields[] = {
    { pocket_string("key"), POCKET_JSON_T_STRING,
      offsetof(demo_query_t, name), NULL }
};


static const pocket_json_table_t  demo_key_table = {
    demo_key_fields, 1, sizeof(demo_query_t)
};


static const pocket_json_field_t  demo_key_root = {
    pocket_string(""), POCKET_JSON_T_STRUCT, 0, &demo_key_table
};


void
demo_node_query_height(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    n->body.text.len = 0;
    cli_buf_printf(&n->body, "{\"height\":%lld}\n",
                   (long long) n->status.height);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &n->body.text);
}


void
demo_node_query_app(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    size_t               i;
    demo_query_t         query;
    static pocket_str_t  unknown = pocket_string("ERROR:\nCodespace: "
                                       "application\nCode: 101\nMessage: "
                                       "\"application does not exist for "
                                       "that address\"\n");

    memset(&query, 0, sizeof(demo_query_t));

    if (!demo_decode(n, c, rq, &demo_address_root, &query, NULL, a)) {
        return;
    }

    for (i = 0; i < n->apps.n; i++) {

        if (demo_query_app_is(&n->apps.names[i], &query.name)) {
            n->body.text.len = 0;
            demo_query_app_add(n, &n->body, &n->apps.names[i], &query.name);
            demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &n->body.text);
            return;
        }
    }

    demo_http_error(n, c, 400, NULL, &unknown);
}


static int
demo_query_app_is(const pocket_str_t *key, const pocket_str_t *address)
{
    size_t         len;
    unsigned char  raw[POCKET_PUBKEY_LEN], own[POCKET_ADDR_LEN];
    unsigned char  asked[POCKET_ADDR_LEN];

    if (pocket_hex_decode(key, raw, sizeof(raw), &len) != POCKET_OK
        || len != POCKET_PUBKEY_LEN
        || pocket_hex_decode(address, asked, sizeof(asked), &len) != POCKET_OK
        || len != POCKET_ADDR_LEN)
    {
        return 0;
    }

    pocket_key_address(raw, own);

    return memcmp(own, asked, POCKET_ADDR_LEN) == 0;
}


/* a quota is of one servicer and chain, max_relays is of all of them */

static void
demo_query_app_add(demo_node_t *n, cli_buf_t *b, const pocket_str_t *key,
    const pocket_str_t *address)
{
    size_t   i, nodes;
    int64_t  relays;

    for (i = 0, nodes = 0; i < n->nservicers; i++) {
        nodes += !n->servicers[i].spare;
    }

    relays = demo_node_quota(n, key) * (nodes ? nodes : 1)
             * (n->chains.n ? n->chains.n : 1);

    cli_buf_text(b, "{\"address\":");
    cli_buf_json(b, address);
    cli_buf_text(b, ",\"chains\":[");

    for (i = 0; i < n->chains.n; i++) {
        cli_buf_text(b, i ? "," : "");
        cli_buf_json(b, &n->chains.names[i]);
    }

    cli_buf_printf(b, "],\"jailed\":false,\"max_relays\":\"%lld\","
                      "\"public_key\":", (long long) relays);
    cli_buf_json(b, key);
    cli_buf_text(b, ",\"staked_tokens\":\"" DEMO_APP_TOKENS "\",\"status\":2,"
                    "\"unstaking_time\":\"0001-01-01T00:00:00Z\"}\n");
}


/* the one parameter that is not as it always is; of others it knows nothing */

void
demo_node_query_param(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    demo_query_t  query;

    memset(&query, 0, sizeof(demo_query_t));

    if (!demo_decode(n, c, rq, &demo_key_root, &query, NULL, a)) {
        return;
    }

    n->body.text.len = 0;

    if (demo_is(&query.name, "pos/BlocksPerSession")) {
        cli_buf_printf(&n->body, "{\"param_key\":\"pos/BlocksPerSession\","
                                 "\"param_value\":\"%lld\"}\n",
                       (long long) n->status.blocks_per_session);

    } else {
        cli_buf_text(&n->body, "{\"param_key\":\"\",\"param_value\":\"\"}\n");
    }

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &n->body.text);
}
