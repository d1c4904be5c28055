
/*
 * meshctl gateway: the nodes of a gateway, why they are used or not, and the
 * verbs by which that is changed.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "ctl_http.h"
#include "pocket_json.h"


#define CTL_NODES_NAME_MAX   40
#define CTL_NODES_TIME_LEN   (sizeof("2026-01-31T12:00:00") - 1)


typedef struct ctl_nodes_s  ctl_nodes_t;


typedef struct {
    const char           *name;
    int                 (*run)(ctl_nodes_t *nodes);
    const char           *arguments;
    int                   least;         /* arguments, without options */
    int                   most;
    unsigned              token;         /* is needed */
} ctl_nodes_verb_t;


typedef struct {
    pocket_str_t          reason;
    pocket_str_t          until;
    unsigned              check;
} ctl_nodes_excluded_t;


typedef struct {
    pocket_str_t          chain;
    pocket_str_t          node;
    pocket_str_t          url;
    pocket_str_t          operator;
    pocket_str_t          state;
    pocket_json_array_t   excluded;      /* of ctl_nodes_excluded_t */
    pocket_json_value_t   weight;
    pocket_json_value_t   success;
    pocket_json_value_t   correctness;
    pocket_json_value_t   liveliness;
    pocket_json_value_t   latency;
    pocket_json_value_t   ramp;
    pocket_json_value_t   pace;
    pocket_json_value_t   share;
    pocket_json_value_t   given;
    pocket_json_value_t   p99;
    pocket_json_value_t   height;
    pocket_json_value_t   tries;
    pocket_json_value_t   successes;
    pocket_json_value_t   sessions;
    pocket_json_value_t   used;
    pocket_json_value_t   allowance;
    struct {
        pocket_str_t      text;
        pocket_str_t      at;
    } last;
} ctl_nodes_row_t;


struct ctl_nodes_s {
    ctl_http_request_t       http;
    const ctl_nodes_verb_t  *verb;
    char                   **args;
    int                      nargs;
    const char              *token_file;
    const char              *chain;
    const char              *operator;
    unsigned                 json;

    cli_arena_t              arena;
    cli_buf_t                path;
    cli_buf_t                answer;
    unsigned                 status;
    ctl_nodes_row_t         *rows;
    size_t                   nrows;
};


static int ctl_nodes_options(ctl_nodes_t *nodes, int argc, char **argv);
static int ctl_nodes_option(ctl_nodes_t *nodes, int opt);
static const ctl_nodes_verb_t *ctl_nodes_verb(const char *name);
static int ctl_nodes_ask(ctl_nodes_t *nodes, const char *method,
    const pocket_str_t *body);
static int ctl_nodes_refused(ctl_nodes_t *nodes);
static int ctl_nodes_get(ctl_nodes_t *nodes, const char *chain);
static int ctl_nodes_list(ctl_nodes_t *nodes);
static int ctl_nodes_raw(ctl_nodes_t *nodes, const pocket_str_t *only);
static void ctl_nodes_table(ctl_nodes_t *nodes);
static void ctl_nodes_line(const ctl_nodes_row_t *row, int chain, int node,
    int operator);
static void ctl_nodes_reasons(const ctl_nodes_row_t *row);
static int ctl_nodes_cmp(const void *one, const void *two);
static int ctl_nodes_str_cmp(const pocket_str_t *a, const pocket_str_t *b);
static int ctl_nodes_find(ctl_nodes_t *nodes);
static int ctl_nodes_why(ctl_nodes_t *nodes);
static void ctl_nodes_explain(const ctl_nodes_row_t *row);
static int ctl_nodes_change(ctl_nodes_t *nodes);
static void ctl_nodes_escape(cli_buf_t *path, const char *text);
static double ctl_nodes_double(const pocket_json_value_t *value);
static int ctl_nodes_width(const pocket_str_t *text, int width);


static const char  ctl_nodes_usage[] =
"usage: meshctl gateway nodes [OPTION...]\n"
"       meshctl gateway find CHAIN [OPTION...]\n"
"       meshctl gateway why CHAIN NODE [OPTION...]\n"
"       meshctl gateway cordon|uncordon|drain|clear CHAIN NODE [OPTION...]\n"
"       meshctl gateway cordon|uncordon|drain|clear CHAIN --operator NAME ...\n"
"\n"
"nodes     prints how each node is used, and why it is not\n"
"find      prints the node that a request would go to\n"
"why       tells all that a node's use follows from\n"
"cordon    gives a node no new requests, until it is uncordoned\n"
"drain     the same, for clients that stick to it, too\n"
"clear     ends its penalties and its slow start\n"
"\n"
"  --url URL             of the gateway\n"
"  --token-file FILE     its auth.json (gateway_auth)\n"
"  --chain CHAIN         only this one's nodes\n"
"  --operator NAME       all nodes of an operator\n"
"  --json                print JSON as the gateway gave it, one node a line\n"
CTL_HTTP_HELP
"\n"
"Exit code: 0 done, 1 refused by the gateway, no node was found, or (why) the\n"
"node is not used, 2 usage, files or network.\n";


static const struct option  ctl_nodes_options_table[] = {
    { "url", required_argument, NULL, 'u' },
    { "token-file", required_argument, NULL, 't' },
    { "chain", required_argument, NULL, 'c' },
    { "operator", required_argument, NULL, 'o' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },
    CTL_HTTP_OPTIONS,
    { NULL, 0, NULL, 0 }
};


static const ctl_nodes_verb_t  ctl_nodes_verbs[] = {
    { "nodes", ctl_nodes_list, "no", 0, 0, 1 },
    { "find", ctl_nodes_find, "a chain is", 1, 1, 0 },
    { "why", ctl_nodes_why, "a chain and a node are", 2, 2, 1 },
    { "cordon", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "uncordon", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "drain", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "clear", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { NULL, NULL, NULL, 0, 0, 0 }
};


#define ctl_nodes_field(name, type)                                           \
    { pocket_string(#name), POCKET_JSON_T_##type,                             \
      offsetof(ctl_nodes_row_t, name), NULL }


static const pocket_json_field_t  ctl_nodes_excluded_fields[] = {

    { pocket_string("reason"), POCKET_JSON_T_STRING,
      offsetof(ctl_nodes_excluded_t, reason), NULL },

    { pocket_string("until"), POCKET_JSON_T_STRING,
      offsetof(ctl_nodes_excluded_t, until), NULL },

    { pocket_string("check"), POCKET_JSON_T_BOOL,
      offsetof(ctl_nodes_excluded_t, check), NULL }
};


static const pocket_json_table_t  ctl_nodes_excluded_struct = {
    ctl_nodes_excluded_fields, 3, sizeof(ctl_nodes_excluded_t)
};


static const pocket_json_field_t  ctl_nodes_excluded_root[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_nodes_excluded_struct }
};


static const pocket_json_table_t  ctl_nodes_excluded_table = {
    ctl_nodes_excluded_root, 1, sizeof(ctl_nodes_excluded_t)
};


static const pocket_json_field_t  ctl_nodes_error_fields[] = {

    { pocket_string("text"), POCKET_JSON_T_STRING,
      0, NULL },

    { pocket_string("at"), POCKET_JSON_T_STRING,
      sizeof(pocket_str_t), NULL }
};


static const pocket_json_table_t  ctl_nodes_error_table = {
    ctl_nodes_error_fields, 2, 2 * sizeof(pocket_str_t)
};


static const pocket_json_field_t  ctl_nodes_fields[] = {
    ctl_nodes_field(chain, STRING),
    ctl_nodes_field(node, STRING),
    ctl_nodes_field(url, STRING),
    ctl_nodes_field(operator, STRING),
    ctl_nodes_field(state, STRING),
    { pocket_string("excluded"), POCKET_JSON_T_ARRAY,
      offsetof(ctl_nodes_row_t, excluded), &ctl_nodes_excluded_table },
    ctl_nodes_field(weight, VALUE),
    ctl_nodes_field(success, VALUE),
    ctl_nodes_field(correctness, VALUE),
    ctl_nodes_field(liveliness, VALUE),
    ctl_nodes_field(latency, VALUE),
    ctl_nodes_field(ramp, VALUE),
    ctl_nodes_field(pace, VALUE),
    ctl_nodes_field(share, VALUE),
    ctl_nodes_field(given, VALUE),
    ctl_nodes_field(p99, VALUE),
    ctl_nodes_field(height, VALUE),
    ctl_nodes_field(tries, VALUE),
    ctl_nodes_field(successes, VALUE),
    ctl_nodes_field(sessions, VALUE),
    ctl_nodes_field(used, VALUE),
    ctl_nodes_field(allowance, VALUE),
    { pocket_string("error"), POCKET_JSON_T_STRUCT,
      offsetof(ctl_nodes_row_t, last), &ctl_nodes_error_table }
};


static const pocket_json_table_t  ctl_nodes_row_table = {
    ctl_nodes_fields, sizeof(ctl_nodes_fields) / sizeof(ctl_nodes_fields[0]),
    sizeof(ctl_nodes_row_t)
};


static const pocket_json_field_t  ctl_nodes_rows_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_nodes_row_table }
};


static const pocket_json_table_t  ctl_nodes_rows_table = {
    ctl_nodes_rows_fields, 1, sizeof(ctl_nodes_row_t)
};


static const pocket_json_field_t  ctl_nodes_rows_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &ctl_nodes_rows_table
};


static const pocket_json_field_t  ctl_nodes_raw_fields[] = {
    { pocket_string(""), POCKET_JSON_T_VALUE, 0, NULL }
};


static const pocket_json_table_t  ctl_nodes_raw_table = {
    ctl_nodes_raw_fields, 1, sizeof(pocket_json_value_t)
};


static const pocket_json_field_t  ctl_nodes_raw_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &ctl_nodes_raw_table
};


int
ctl_gateway(int argc, char **argv)
{
    int          rc;
    ctl_nodes_t  nodes;

    memset(&nodes, 0, sizeof(ctl_nodes_t));

    rc = ctl_nodes_options(&nodes, argc, argv);

    if (rc == -1) {
        fputs(ctl_nodes_usage, stdout);
        return CTL_OK;
    }

    if (rc != CTL_OK) {
        return rc;
    }

    cli_arena_init(&nodes.arena);

    rc = nodes.verb->run(&nodes);

    cli_buf_free(&nodes.path);
    cli_buf_free(&nodes.answer);
    cli_arena_free(&nodes.arena);

    return rc;
}


/* -1: help was asked for */

static int
ctl_nodes_options(ctl_nodes_t *nodes, int argc, char **argv)
{
    int  opt, rc;

    while ((opt = getopt_long(argc, argv, "", ctl_nodes_options_table, NULL))
           != -1)
    {
        if (opt == 'h') {
            return -1;
        }

        if (opt == '?') {
            return CTL_USAGE;
        }

        rc = ctl_http_option(&nodes->http, opt, optarg);

        if (rc == 0) {
            rc = ctl_nodes_option(nodes, opt);
        }

        if (rc == -1) {
            return ctl_usage("gateway", "invalid value \"%s\"", optarg);
        }
    }

    if (optind == argc) {
        return ctl_usage("gateway", "a verb is expected");
    }

    nodes->verb = ctl_nodes_verb(argv[optind]);

    if (nodes->verb == NULL) {
        return ctl_usage("gateway", "unknown verb \"%s\"", argv[optind]);
    }

    nodes->args = argv + optind + 1;
    nodes->nargs = argc - optind - 1;

    if (nodes->nargs < nodes->verb->least) {
        return ctl_usage("gateway", "%s expected after \"%s\"",
                         nodes->verb->arguments, nodes->verb->name);
    }

    if (nodes->nargs > nodes->verb->most) {
        return ctl_usage("gateway", "unexpected \"%s\"",
                         nodes->args[nodes->verb->most]);
    }

    if (nodes->verb->run == ctl_nodes_change
        && (nodes->nargs == 2) == (nodes->operator != NULL))
    {
        return ctl_usage("gateway", "one of a node and --operator is expected "
                         "after \"%s\"", nodes->verb->name);
    }

    if (nodes->http.url == NULL) {
        return ctl_usage("gateway", "--url is expected");
    }

    if (nodes->verb->token && nodes->token_file == NULL) {
        return ctl_usage("gateway", "\"%s\" needs --token-file",
                         nodes->verb->name);
    }

    return CTL_OK;
}


static int
ctl_nodes_option(ctl_nodes_t *nodes, int opt)
{
    switch (opt) {

    case 'u':
        nodes->http.url = optarg;
        return *optarg ? 1 : -1;

    case 't':
        nodes->token_file = optarg;
        return 1;

    case 'c':
        nodes->chain = optarg;
        return *optarg ? 1 : -1;

    case 'o':
        nodes->operator = optarg;
        return *optarg ? 1 : -1;

    default:
        nodes->json = 1;
        return 1;
    }
}


static const ctl_nodes_verb_t *
ctl_nodes_verb(const char *name)
{
    const ctl_nodes_verb_t  *verb;

    for (verb = ctl_nodes_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }

    return NULL;
}


/* Sends to nodes->path; the body of the answer stays in nodes->answer. */

static int
ctl_nodes_ask(ctl_nodes_t *nodes, const char *method,
    const pocket_str_t *body)
{
    int                 rc;
    cli_buf_t           headers;
    pocket_str_t        token;
    ctl_http_answer_t   answer;

    memset(&headers, 0, sizeof(cli_buf_t));

    if (nodes->token_file) {
        rc = ctl_file_token(nodes->token_file, &token, &nodes->arena);

        if (rc != CTL_OK) {
            return rc;
        }

        cli_buf_text(&headers, "Authorization: ");
        cli_buf_str(&headers, &token);
        cli_buf_text(&headers, "\r\n");
    }

    if (body) {
        cli_buf_text(&headers, "Content-Type: application/json\r\n");
        nodes->http.body = *body;
    }

    if (headers.failed || nodes->path.failed) {
        ctl_error("no memory");
        ctl_file_wipe(&headers);
        return CTL_USAGE;
    }

    nodes->http.path = (char *) nodes->path.text.data;
    nodes->http.method = method;
    nodes->http.headers = headers.text;

    rc = ctl_http(&nodes->http, &answer);

    ctl_file_wipe(&headers);

    if (rc != CTL_OK) {
        return rc;
    }

    nodes->status = answer.status;
    cli_buf_str(&nodes->answer, &answer.body);

    cli_buf_free(&answer.raw);

    return CTL_OK;
}


/* Tells what the gateway said instead. */

static int
ctl_nodes_refused(ctl_nodes_t *nodes)
{
    pocket_str_t         message;
    pocket_json_error_t  err;

    static const pocket_json_field_t  field = {
        pocket_string("message"), POCKET_JSON_T_STRING, 0, NULL
    };

    static const pocket_json_table_t  table = {
        &field, 1, sizeof(pocket_str_t)
    };

    static const pocket_json_field_t  root = {
        pocket_string(""), POCKET_JSON_T_STRUCT, 0, &table
    };

    memset(&message, 0, sizeof(pocket_str_t));

    if (pocket_json_decode(&nodes->answer.text, &root, &message, &err,
                           &nodes->arena.alloc)
        == 1
        && message.len)
    {
        ctl_error("%.*s", (int) message.len, message.data);

    } else {
        ctl_error("\"%s\" answered with status %u: %.*s", nodes->http.url,
                  nodes->status, (int) nodes->answer.text.len,
                  nodes->answer.text.data);
    }

    return CTL_FAILED;
}


/* All nodes, or those of a chain, as rows. */

static int
ctl_nodes_get(ctl_nodes_t *nodes, const char *chain)
{
    int                   rc;
    pocket_json_array_t   rows;
    pocket_json_error_t   err;

    cli_buf_text(&nodes->path, "/gateway/nodes");

    if (chain) {
        cli_buf_text(&nodes->path, "?chain=");
        ctl_nodes_escape(&nodes->path, chain);
    }

    rc = ctl_nodes_ask(nodes, "GET", NULL);

    if (rc != CTL_OK) {
        return rc;
    }

    if (nodes->status != 200) {
        return ctl_nodes_refused(nodes);
    }

    memset(&rows, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(&nodes->answer.text, &ctl_nodes_rows_root, &rows,
                           &err, &nodes->arena.alloc)
        != 1)
    {
        ctl_error("the answer cannot be read: %.*s", (int) err.len, err.text);
        return CTL_FAILED;
    }

    nodes->rows = rows.elts;
    nodes->nrows = rows.n;

    return CTL_OK;
}


static int
ctl_nodes_list(ctl_nodes_t *nodes)
{
    int  rc;

    rc = ctl_nodes_get(nodes, nodes->chain);

    if (rc != CTL_OK) {
        return rc;
    }

    if (nodes->json) {
        return ctl_nodes_raw(nodes, NULL);
    }

    if (nodes->nrows) {
        qsort(nodes->rows, nodes->nrows, sizeof(ctl_nodes_row_t),
              ctl_nodes_cmp);
    }

    ctl_nodes_table(nodes);

    return CTL_OK;
}


/* The nodes as they came, one a line; only: that one. */

static int
ctl_nodes_raw(ctl_nodes_t *nodes, const pocket_str_t *only)
{
    size_t                i;
    pocket_json_array_t   rows;
    pocket_json_error_t   err;
    pocket_json_value_t  *row;

    memset(&rows, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(&nodes->answer.text, &ctl_nodes_raw_root, &rows,
                           &err, &nodes->arena.alloc)
        != 1)
    {
        ctl_error("the answer cannot be read: %.*s", (int) err.len, err.text);
        return CTL_FAILED;
    }

    row = rows.elts;

    for (i = 0; i < rows.n && i < nodes->nrows; i++) {
        if (only == NULL
            || ctl_nodes_str_cmp(&nodes->rows[i].node, only) == 0)
        {
            printf("%.*s\n", (int) row[i].raw.len, row[i].raw.data);
        }
    }

    return CTL_OK;
}


static void
ctl_nodes_table(ctl_nodes_t *nodes)
{
    int               chain, node, operator;
    size_t            i;
    ctl_nodes_row_t  *row;

    chain = 5;
    node = 4;
    operator = 8;

    for (i = 0; i < nodes->nrows; i++) {
        row = &nodes->rows[i];
        chain = ctl_nodes_width(&row->chain, chain);
        node = ctl_nodes_width(&row->node, node);
        operator = ctl_nodes_width(&row->operator, operator);
    }

    printf("%-*s  %-*s  %-*s  %-8s %6s %6s %6s %8s %8s %12s  %s\n", chain,
           "CHAIN", node, "NODE", operator, "OPERATOR", "STATE", "SHARE",
           "GIVEN", "OK", "LATENCY", "P99", "HEIGHT", "WHY");

    for (i = 0; i < nodes->nrows; i++) {
        ctl_nodes_line(&nodes->rows[i], chain, node, operator);
    }
}


static void
ctl_nodes_line(const ctl_nodes_row_t *row, int chain, int node, int operator)
{
    printf("%-*.*s  %-*.*s  %-*.*s  %-8.*s %5.1f%% %5.1f%% %5.1f%% %6.0fms "
           "%6.0fms %12.0f  ",
           chain, ctl_nodes_width(&row->chain, 0), row->chain.data,
           node, ctl_nodes_width(&row->node, 0), row->node.data,
           operator, ctl_nodes_width(&row->operator, 0), row->operator.data,
           (int) row->state.len, row->state.data,
           100 * ctl_nodes_double(&row->share),
           100 * ctl_nodes_double(&row->given),
           100 * ctl_nodes_double(&row->success),
           ctl_nodes_double(&row->latency), ctl_nodes_double(&row->p99),
           ctl_nodes_double(&row->height));

    ctl_nodes_reasons(row);

    putchar('\n');
}


static void
ctl_nodes_reasons(const ctl_nodes_row_t *row)
{
    int                    len;
    size_t                 i;
    ctl_nodes_excluded_t  *excluded;

    excluded = row->excluded.elts;

    for (i = 0; i < row->excluded.n; i++) {

        len = excluded[i].until.len < CTL_NODES_TIME_LEN
              ? (int) excluded[i].until.len : (int) CTL_NODES_TIME_LEN;

        printf("%s%.*s until %.*s%s", i ? ", " : "",
               (int) excluded[i].reason.len, excluded[i].reason.data, len,
               excluded[i].until.data,
               excluded[i].check ? " and a passed check" : "");
    }
}


static int
ctl_nodes_cmp(const void *one, const void *two)
{
    const ctl_nodes_row_t *a = one;
    const ctl_nodes_row_t *b = two;

    int     rc;
    double  x, y;

    rc = ctl_nodes_str_cmp(&a->chain, &b->chain);

    if (rc == 0) {
        x = ctl_nodes_double(&a->share);
        y = ctl_nodes_double(&b->share);
        rc = (x < y) - (x > y);
    }

    return rc ? rc : ctl_nodes_str_cmp(&a->node, &b->node);
}


static int
ctl_nodes_str_cmp(const pocket_str_t *a, const pocket_str_t *b)
{
    int     rc;
    size_t  len;

    len = a->len < b->len ? a->len : b->len;
    rc = len ? memcmp(a->data, b->data, len) : 0;

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}


static int
ctl_nodes_find(ctl_nodes_t *nodes)
{
    int                   rc;
    pocket_json_error_t   err;

    struct {
        pocket_str_t      address;
        pocket_str_t      url;
        pocket_str_t      reason;
    } found;

    static const pocket_json_field_t  node_fields[] = {
        { pocket_string("address"), POCKET_JSON_T_STRING, 0, NULL },
        { pocket_string("service_url"), POCKET_JSON_T_STRING,
          sizeof(pocket_str_t), NULL }
    };

    static const pocket_json_table_t  node_table = {
        node_fields, 2, 2 * sizeof(pocket_str_t)
    };

    static const pocket_json_field_t  error_fields[] = {
        { pocket_string("reason"), POCKET_JSON_T_STRING, 0, NULL }
    };

    static const pocket_json_table_t  error_table = {
        error_fields, 1, sizeof(pocket_str_t)
    };

    static const pocket_json_field_t  fields[] = {
        { pocket_string("node"), POCKET_JSON_T_STRUCT, 0, &node_table },
        { pocket_string("error"), POCKET_JSON_T_STRUCT,
          2 * sizeof(pocket_str_t), &error_table }
    };

    static const pocket_json_table_t  table = { fields, 2, sizeof(found) };

    static const pocket_json_field_t  root = {
        pocket_string(""), POCKET_JSON_T_STRUCT, 0, &table
    };

    cli_buf_text(&nodes->path, "/gateway/find/");
    ctl_nodes_escape(&nodes->path, nodes->args[0]);

    rc = ctl_nodes_ask(nodes, "GET", NULL);

    if (rc != CTL_OK) {
        return rc;
    }

    if (nodes->json) {
        printf("%.*s", (int) nodes->answer.text.len, nodes->answer.text.data);
        return nodes->status == 200 ? CTL_OK : CTL_FAILED;
    }

    memset(&found, 0, sizeof(found));

    if (nodes->status != 200 && nodes->status != 503) {
        return ctl_nodes_refused(nodes);
    }

    if (pocket_json_decode(&nodes->answer.text, &root, &found, &err,
                           &nodes->arena.alloc)
        != 1)
    {
        return ctl_nodes_refused(nodes);
    }

    if (nodes->status == 503) {
        ctl_error("no node of chain \"%s\": %.*s", nodes->args[0],
                  (int) found.reason.len, found.reason.data);
        return CTL_FAILED;
    }

    printf("%.*s  %.*s\n", (int) found.address.len, found.address.data,
           (int) found.url.len, found.url.data);

    return CTL_OK;
}


static int
ctl_nodes_why(ctl_nodes_t *nodes)
{
    int               rc, used;
    size_t            i;
    pocket_str_t      name;
    ctl_nodes_row_t  *row;

    rc = ctl_nodes_get(nodes, nodes->args[0]);

    if (rc != CTL_OK) {
        return rc;
    }

    name = ctl_str(nodes->args[1]);

    for (i = 0; i < nodes->nrows; i++) {
        if (ctl_nodes_str_cmp(&nodes->rows[i].node, &name) == 0) {
            break;
        }
    }

    if (i == nodes->nrows) {
        ctl_error("chain \"%s\" has no node \"%s\"", nodes->args[0],
                  nodes->args[1]);
        return CTL_FAILED;
    }

    row = &nodes->rows[i];
    used = ctl_nodes_double(&row->share) > 0;

    if (nodes->json) {
        rc = ctl_nodes_raw(nodes, &name);

    } else {
        ctl_nodes_explain(row);
    }

    return (rc == CTL_OK && !used) ? CTL_FAILED : rc;
}


static void
ctl_nodes_explain(const ctl_nodes_row_t *row)
{
    size_t  i;

    struct {
        const char                 *name;
        const pocket_json_value_t  *value;
        const char                 *text;
    } factors[] = {
        { "success", &row->success, "of its tries, lately" },
        { "correctness", &row->correctness, "of its answers to checks" },
        { "liveliness", &row->liveliness, "by its height" },
        { "latency", &row->latency, "ms" },
        { "p99", &row->p99, "ms" },
        { "ramp", &row->ramp, "1 when it is not new, nor just returned" },
        { "pace", &row->pace, "1 when it has no quota in the way" },
        { "weight", &row->weight, "by all these" },
        { "share", &row->share, "expected" },
        { "given", &row->given, "in this minute and the last" },
        { "tries", &row->tries, "ever" },
        { "successes", &row->successes, "ever" },
        { "height", &row->height, "told" },
        { "sessions", &row->sessions, "" },
        { "used", &row->used, "of them" },
        { "allowance", &row->allowance, "" }
    };

    printf("node         %.*s\nchain        %.*s\noperator     %.*s\n"
           "url          %.*s\nstate        %.*s\n",
           (int) row->node.len, row->node.data,
           (int) row->chain.len, row->chain.data,
           (int) row->operator.len, row->operator.data,
           (int) row->url.len, row->url.data,
           (int) row->state.len, row->state.data);

    if (row->excluded.n) {
        printf("excluded     ");
        ctl_nodes_reasons(row);
        putchar('\n');
    }

    for (i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        if (factors[i].value->raw.len) {
            printf("%-12s %-14.*s %s\n", factors[i].name,
                   (int) factors[i].value->raw.len, factors[i].value->raw.data,
                   factors[i].text);
        }
    }

    if (row->last.text.len) {
        printf("last error   %.*s, at %.*s\n", (int) row->last.text.len,
               row->last.text.data, (int) row->last.at.len,
               row->last.at.data);
    }
}


static int
ctl_nodes_change(ctl_nodes_t *nodes)
{
    int            rc;
    cli_buf_t      body;
    pocket_str_t   chain, target;

    chain = ctl_str(nodes->args[0]);
    target = ctl_str(nodes->operator ? nodes->operator : nodes->args[1]);

    memset(&body, 0, sizeof(cli_buf_t));

    cli_buf_text(&body, "{\"chain\":");
    cli_buf_json(&body, &chain);
    cli_buf_text(&body, nodes->operator ? ",\"operator\":" : ",\"node\":");
    cli_buf_json(&body, &target);
    cli_buf_text(&body, "}");

    cli_buf_text(&nodes->path, "/gateway/admin/");
    cli_buf_text(&nodes->path, nodes->verb->name);

    rc = body.failed ? CTL_USAGE : ctl_nodes_ask(nodes, "POST", &body.text);

    cli_buf_free(&body);

    if (rc != CTL_OK) {
        return rc;
    }

    if (nodes->status != 200) {
        return ctl_nodes_refused(nodes);
    }

    if (nodes->json) {
        printf("%.*s", (int) nodes->answer.text.len, nodes->answer.text.data);
    }

    return CTL_OK;
}


/* Percent-encodes all that is not unreserved. */

static void
ctl_nodes_escape(cli_buf_t *path, const char *text)
{
    const unsigned char  *p;

    for (p = (const unsigned char *) text; *p; p++) {

        if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
            || (*p >= 'A' && *p <= 'Z') || strchr("-._~", *p))
        {
            cli_buf_add(path, p, 1);

        } else {
            cli_buf_printf(path, "%%%02X", *p);
        }
    }
}


static double
ctl_nodes_double(const pocket_json_value_t *value)
{
    char  text[64];

    if (value->kind != POCKET_JSON_NUMBER
        || value->raw.len >= sizeof(text))
    {
        return 0;
    }

    memcpy(text, value->raw.data, value->raw.len);
    text[value->raw.len] = '\0';

    return strtod(text, NULL);
}


/* of a column that has to hold the text, too */

static int
ctl_nodes_width(const pocket_str_t *text, int width)
{
    int  len;

    len = text->len < CTL_NODES_NAME_MAX ? (int) text->len
                                         : CTL_NODES_NAME_MAX;

    return len > width ? len : width;
}
