
/*
 * The demo full node: options, routes, faults on demand.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "demo_node.h"
#include "pocket_files.h"
#include "pocket_key.h"
#include "pocket_response.h"


#define DEMO_TOKEN_MAX  16384


typedef void (*demo_route_pt)(demo_node_t *n, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);


typedef struct {
    const char           *path;
    const char           *methods;
    demo_endpoint_e       endpoint;
    demo_route_pt         handler;
    const char           *verified;    /* answer to ?verify=true; guarded */
} demo_route_t;


typedef struct {
    demo_node_t          *node;
    const char           *address;
    const char           *token_file;
    cli_arena_t           arena;
} demo_setup_t;


static int demo_node_options(demo_setup_t *s, int argc, char **argv);
static int demo_node_option(demo_setup_t *s, int opt);
static int demo_node_name(demo_names_t *names, const char *value);
static int demo_node_app(demo_names_t *names, const char *value);
static int demo_node_servicer(demo_node_t *n, const char *value,
    unsigned spare);
static int demo_node_count(int64_t *number, const char *value);
static int demo_node_token(demo_setup_t *s);
static void demo_node_handler(void *data, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a);
static void demo_node_route(demo_node_t *n, const demo_route_t *route,
    demo_conn_t *c, demo_request_t *rq, pocket_alloc_t *a);
static void demo_node_version(demo_node_t *n, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);


static const demo_route_t  demo_routes[] = {

    { "/v1/private/mesh/relay", "POST", DEMO_RELAY, demo_node_relay,
      "{\"dispatch\":null,\"error\":null,\"signature\":true}\n" },

    { "/v1/private/mesh/session", "POST", DEMO_SESSION, demo_node_session,
      "{\"dispatch\":null,\"error\":null,\"remaining_relays\":0,"
      "\"success\":true}\n" },

    { "/v1/private/mesh/check", "POST", DEMO_CHECK, demo_node_check, "{}\n" },

    { "/v1/client/dispatch", "POST OPTIONS", DEMO_OTHER, demo_node_dispatch,
      NULL },

    { "/v1/query/height", "POST", DEMO_OTHER, demo_node_query_height, NULL },
    { "/v1/query/app", "POST", DEMO_OTHER, demo_node_query_app, NULL },
    { "/v1/query/param", "POST", DEMO_OTHER, demo_node_query_param, NULL },
    { "/v1/health", "GET", DEMO_OTHER, demo_node_health, NULL },
    { "/v1", "GET", DEMO_OTHER, demo_node_version, NULL },
    { "/_demo/claims", "GET", DEMO_OTHER, demo_node_claims, NULL },
    { "/_demo/stats", "GET", DEMO_OTHER, demo_node_stats, NULL },
    { "/_demo/set", "GET POST", DEMO_OTHER, demo_node_set, NULL }
};


static const struct option  demo_node_table[] = {
    { "listen", required_argument, NULL, 'l' },
    { "token-file", required_argument, NULL, 't' },
    { "chain", required_argument, NULL, 'c' },
    { "app", required_argument, NULL, 'a' },
    { "servicer", required_argument, NULL, 's' },
    { "spare", required_argument, NULL, 'S' },
    { "service-url", required_argument, NULL, 'u' },
    { "quota", required_argument, NULL, 'q' },
    { "height", required_argument, NULL, 'h' },
    { "block-time", required_argument, NULL, 'b' },
    { "blocks-per-session", required_argument, NULL, 'p' },
    { "allowance", required_argument, NULL, 'y' },
    { "claim-after", required_argument, NULL, 'm' },
    { "check-signatures", no_argument, NULL, 'v' },
    { NULL, 0, NULL, 0 }
};


int
demo_node_main(int argc, char **argv)
{
    int           rc;
    demo_node_t   n;
    demo_setup_t  setup;

    memset(&n, 0, sizeof(demo_node_t));
    memset(&setup, 0, sizeof(demo_setup_t));

    n.base = 1;
    n.since = demo_now();
    n.quota = 1000000;
    n.service_url = "http://127.0.0.1:8081";
    n.status.blocks_per_session = POCKET_NODE_BLOCKS_PER_SESSION;
    n.status.client_session_sync_allowance = 1;

    setup.node = &n;
    setup.address = "127.0.0.1:0";
    cli_arena_init(&setup.arena);

    rc = 1;

    if (sodium_init() < 0) {
        fprintf(stderr, "meshdemo: libsodium cannot be initialized\n");

    } else if (demo_node_options(&setup, argc, argv) != 0) {
        rc = 2;

    } else if (demo_node_token(&setup) == 0) {

        n.hash = pocket_hash_create();

        if (n.hash == NULL) {
            fprintf(stderr, "meshdemo: SHA3-256 is not there\n");

        } else if (demo_serve(setup.address, demo_node_handler, &n) == 0) {
            rc = 0;
        }
    }

    if (n.hash) {
        pocket_hash_destroy(n.hash);
    }

    demo_claims_free(&n.claims);
    cli_buf_free(&n.body);
    cli_arena_free(&setup.arena);
    free(n.servicers);

    return rc;
}


static int
demo_node_options(demo_setup_t *s, int argc, char **argv)
{
    int  opt;

    while ((opt = getopt_long(argc, argv, "", demo_node_table, NULL)) != -1) {

        if (opt == '?') {
            return -1;
        }

        if (demo_node_option(s, opt) != 0) {
            fprintf(stderr, "meshdemo: invalid value \"%s\"\n", optarg);
            return -1;
        }
    }

    if (optind != argc) {
        fprintf(stderr, "meshdemo: unexpected \"%s\"\n", argv[optind]);
        return -1;
    }

    if (s->node->claim_after == 0) {
        s->node->claim_after = s->node->status.blocks_per_session + 1;
    }

    return 0;
}


static int
demo_node_option(demo_setup_t *s, int opt)
{
    demo_node_t  *n;

    n = s->node;

    switch (opt) {

    case 'l':
        s->address = optarg;
        return 0;

    case 't':
        s->token_file = optarg;
        return 0;

    case 'c':
        return demo_node_name(&n->chains, optarg);

    case 'a':
        return demo_node_app(&n->apps, optarg);

    case 's':
    case 'S':
        return demo_node_servicer(n, optarg, opt == 'S');

    case 'u':
        n->service_url = optarg;
        return 0;

    case 'q':
        return demo_node_count(&n->quota, optarg);

    case 'h':
        return demo_node_count(&n->base, optarg);

    case 'b':
        return demo_node_count(&n->block_time, optarg);

    case 'p':
        return demo_node_count(&n->status.blocks_per_session, optarg);

    case 'y':
        return demo_node_count(&n->status.client_session_sync_allowance,
                               optarg);

    case 'm':
        return demo_node_count(&n->claim_after, optarg);

    default:
        n->check_signatures = 1;
        return 0;
    }
}


static int
demo_node_name(demo_names_t *names, const char *value)
{
    pocket_str_t  *name;

    if (names->n == DEMO_NODE_LIST) {
        return -1;
    }

    name = &names->names[names->n++];
    name->data = (unsigned char *) value;
    name->len = strlen(value);

    return 0;
}


static int
demo_node_app(demo_names_t *names, const char *value)
{
    const char  *quota;

    if (demo_node_name(names, value) != 0) {
        return -1;
    }

    quota = strchr(value, ':');

    if (quota == NULL) {
        return 0;
    }

    names->names[names->n - 1].len = quota - value;

    return demo_node_count(&names->quotas[names->n - 1], quota + 1);
}


static int
demo_node_servicer(demo_node_t *n, const char *value, unsigned spare)
{
    const char       *url;
    pocket_str_t      key;
    unsigned char     address[POCKET_ADDR_LEN];
    demo_servicer_t  *servicer;

    servicer = realloc(n->servicers,
                       (n->nservicers + 1) * sizeof(demo_servicer_t));
    if (servicer == NULL) {
        return -1;
    }

    n->servicers = servicer;
    servicer += n->nservicers;

    url = strchr(value, '@');

    key.data = (unsigned char *) value;
    key.len = url ? (size_t) (url - value) : strlen(value);

    if (pocket_key_servicer(&key, servicer->key) != POCKET_SERVICER_KEY) {
        return -1;
    }

    pocket_key_address(servicer->key, address);
    pocket_hex_encode(servicer->address, address, POCKET_ADDR_LEN);
    servicer->url = url ? url + 1 : NULL;
    servicer->spare = spare;
    n->nservicers++;

    return 0;
}


static int
demo_node_count(int64_t *number, const char *value)
{
    pocket_str_t  s;

    s.data = (unsigned char *) value;
    s.len = strlen(value);

    return demo_number(&s, number) && *number >= 0 ? 0 : -1;
}


static int
demo_node_token(demo_setup_t *s)
{
    FILE                 *file;
    size_t                len;
    pocket_str_t          text;
    pocket_file_error_t   err;
    static unsigned char  buf[DEMO_TOKEN_MAX];

    if (s->token_file == NULL) {
        return 0;
    }

    file = fopen(s->token_file, "r");

    if (file == NULL) {
        fprintf(stderr, "meshdemo: cannot open \"%s\"\n", s->token_file);
        return -1;
    }

    len = fread(buf, 1, sizeof(buf), file);
    fclose(file);

    text.data = buf;
    text.len = len;

    if (pocket_file_auth(&text, &s->node->token, &err, &s->arena.alloc)
        != POCKET_OK)
    {
        fprintf(stderr, "meshdemo: \"%s\": %.*s\n", s->token_file,
                (int) err.len, err.text);
        return -1;
    }

    return 0;
}


static void
demo_node_handler(void *data, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    demo_node_t *n = data;

    size_t                i;
    char                  method[16];
    const demo_route_t   *route;
    static pocket_str_t   missing = pocket_string("404 page not found\n");
    static pocket_str_t   wrong = pocket_string("Method Not Allowed\n");

    demo_node_height(n);

    for (i = 0; i < sizeof(demo_routes) / sizeof(demo_routes[0]); i++) {
        route = &demo_routes[i];

        if (!demo_is(&rq->path, route->path)) {
            continue;
        }

        snprintf(method, sizeof(method), "%.*s", (int) rq->method.len,
                 rq->method.data);

        if (strstr(route->methods, method) == NULL) {
            demo_answer(c, 405, DEMO_TYPE_TEXT,
                        "X-Content-Type-Options: nosniff\r\n", &wrong);
            return;
        }

        demo_node_route(n, route, c, rq, a);
        return;
    }

    demo_answer(c, 404, DEMO_TYPE_TEXT, "X-Content-Type-Options: nosniff\r\n",
                &missing);
}


void
demo_node_height(demo_node_t *n)
{
    n->status.height = n->base;

    if (n->block_time) {
        n->status.height += (demo_now() - n->since) / n->block_time;
    }
}


static void
demo_node_route(demo_node_t *n, const demo_route_t *route, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a)
{
    cli_buf_t      message;
    demo_fault_t  *f, fault;
    pocket_str_t   verify;

    n->requests[route->endpoint]++;

    f = &n->faults[route->endpoint];
    fault = *f;

    if (f->on && f->left > 0 && --f->left == 0) {
        f->on = 0;
    }

    if (fault.on && demo_fault_before(n, &fault, c)) {
        return;
    }

    if (route->verified && n->token.len
        && (rq->authorization.len != n->token.len
            || memcmp(rq->authorization.data, n->token.data, n->token.len)
               != 0))
    {
        memset(&message, 0, sizeof(cli_buf_t));
        cli_buf_text(&message, "wrong authtoken: ");
        cli_buf_str(&message, &rq->authorization);
        demo_http_error(n, c, 401, NULL, &message.text);
        cli_buf_free(&message);

    } else if (route->verified && demo_param(&rq->query, "verify", &verify)
               && demo_is(&verify, "true"))
    {
        verify.data = (unsigned char *) route->verified;
        verify.len = strlen(route->verified);
        demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &verify);

    } else {
        route->handler(n, c, rq, a);
    }

    if (fault.on) {
        demo_fault_after(&fault, c);
    }
}


static void
demo_node_version(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    static pocket_str_t  version =
                             pocket_string("\"" DEMO_NODE_VERSION "\"");

    demo_answer(c, 200, DEMO_TYPE_HTTP, NULL, &version);
}


void
demo_node_health(demo_node_t *n, demo_conn_t *c, demo_request_t *rq,
    pocket_alloc_t *a)
{
    n->body.text.len = 0;
    cli_buf_printf(&n->body, "{\"height\":%lld,\"is_catching_up\":%s,"
                             "\"is_starting\":%s,\"version\":\"%s\"}\n",
                   (long long) n->status.height,
                   n->status.is_catching_up ? "true" : "false",
                   n->status.is_starting ? "true" : "false",
                   DEMO_NODE_VERSION);

    demo_answer(c, 200, DEMO_TYPE_JSON, NULL, &n->body.text);
}


void
demo_error_row(demo_error_t *err, pocket_error_id_e id)
{
    const pocket_error_def_t  *def;

    def = pocket_error_def(id);

    err->code = def->code;
    err->codespace = def->code == 1 ? "sdk" : "pocketcore";
    err->message = def->message;
}


void
demo_error_text(demo_error_t *err, const char *message)
{
    err->code = 1;
    err->codespace = "sdk";
    err->message.data = (unsigned char *) message;
    err->message.len = strlen(message);
}


void
demo_http_error(demo_node_t *n, demo_conn_t *c, unsigned status,
    const char *headers, const pocket_str_t *message)
{
    cli_buf_t  *b;

    b = &n->body;
    b->text.len = 0;

    cli_buf_printf(b, "{\"code\":%u,\"message\":", status);
    cli_buf_json(b, message);
    cli_buf_text(b, "}\n");

    demo_answer(c, status, DEMO_TYPE_HTTP, headers, &b->text);
}


int
demo_servicer_find(demo_node_t *n, const pocket_str_t *key,
    demo_servicer_t *servicer, demo_error_t *err)
{
    size_t         i;
    unsigned char  address[POCKET_ADDR_LEN];

    switch (pocket_key_servicer(key, servicer->key)) {

    case POCKET_SERVICER_KEY:
        break;

    case POCKET_SERVICER_SECP256K1:
        demo_error_text(err, "Failed to find correct servicer PK");
        return 0;

    case POCKET_SERVICER_BAD:
        demo_error_text(err, "Could not convert servicer hex to public key");
        return 0;
    }

    for (i = 0; i < n->nservicers; i++) {
        if (memcmp(n->servicers[i].key, servicer->key, POCKET_PUBKEY_LEN)
            == 0)
        {
            *servicer = n->servicers[i];
            return 1;
        }
    }

    if (n->nservicers) {
        demo_error_text(err, "Failed to find correct servicer PK");
        return 0;
    }

    pocket_key_address(servicer->key, address);
    pocket_hex_encode(servicer->address, address, POCKET_ADDR_LEN);
    servicer->url = NULL;
    servicer->spare = 0;

    return 1;
}


int
demo_names_have(const demo_names_t *names, const pocket_str_t *name)
{
    size_t  i;

    for (i = 0; i < names->n; i++) {
        if (names->names[i].len == name->len
            && memcmp(names->names[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return names->n == 0;
}


int64_t
demo_node_quota(const demo_node_t *n, const pocket_str_t *app)
{
    size_t               i;
    const demo_names_t  *apps;

    apps = &n->apps;

    for (i = 0; i < apps->n; i++) {
        if (apps->quotas[i]
            && apps->names[i].len == app->len
            && memcmp(apps->names[i].data, app->data, app->len) == 0)
        {
            return apps->quotas[i];
        }
    }

    return n->quota;
}
