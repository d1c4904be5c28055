
/*
 * meshctl gateway: the nodes of a gateway, why they are used or not, and the
 * verbs by which that is changed.
 */


#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ctl_nodes.h"


static int ctl_nodes_options(ctl_nodes_t *nodes, int argc, char **argv);
static int ctl_nodes_option(ctl_nodes_t *nodes, int opt);
static const ctl_nodes_verb_t *ctl_nodes_verb(const char *name);
static int ctl_nodes_find(ctl_nodes_t *nodes);
static int ctl_nodes_change(ctl_nodes_t *nodes);


static const char  ctl_nodes_usage[] =
"usage: meshctl gateway nodes [OPTION...]\n"
"       meshctl gateway find CHAIN [OPTION...]\n"
"       meshctl gateway why CHAIN NODE [OPTION...]\n"
"       meshctl gateway check CHAIN [NODE] [OPTION...]\n"
"       meshctl gateway report [OPTION...]\n"
"       meshctl gateway cordon|uncordon|drain|clear CHAIN NODE [OPTION...]\n"
"       meshctl gateway cordon|uncordon|drain|clear CHAIN --operator NAME ...\n"
"\n"
"nodes     prints how each node is used, and why it is not\n"
"find      prints the node that a request would go to\n"
"why       tells all that a node's use follows from\n"
"check     prints what each check of the nodes came to, last time\n"
"report    writes what became of the relays of each session, by servicer: the\n"
"          JSON of a load generator's report, to be compared with the claims;\n"
"          of what servicers claim beyond what was answered, checks, rejected\n"
"          and code_28 are sure, hedges and timeouts possible\n"
"cordon    gives a node no new callers, until it is uncordoned; those that\n"
"          stick to it stay\n"
"drain     gives it no requests at all\n"
"clear     ends its penalties and its slow start\n"
"\n"
"NODE is a name as the gateway tells it, the beginning of one, or the host\n"
"and port of one.\n"
"\n"
"  --url URL             of the gateway\n"
"  --token-file FILE     its auth.json (gateway_auth)\n"
"  --chain CHAIN         only this one's nodes, or sessions\n"
"  --operator NAME       all nodes of an operator\n"
"  --json                print JSON as the gateway gave it, one node a line\n"
"  -o, --output FILE     of the report, which must not be there yet\n"
CTL_HTTP_HELP
"\n"
"Exit code: 0 done, 1 refused by the gateway, no node was found, (why) it is\n"
"not used, or (check) a check has failed or was not answered, 2 usage,\n"
"files or network.\n";


static const struct option  ctl_nodes_options_table[] = {
    { "url", required_argument, NULL, 'u' },
    { "token-file", required_argument, NULL, 't' },
    { "chain", required_argument, NULL, 'c' },
    { "operator", required_argument, NULL, 'O' },
    { "json", no_argument, NULL, 'j' },
    { "output", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, 'h' },
    CTL_HTTP_OPTIONS,
    { NULL, 0, NULL, 0 }
};


static const ctl_nodes_verb_t  ctl_nodes_verbs[] = {
    { "nodes", ctl_nodes_list, "no", 0, 0, 1 },
    { "find", ctl_nodes_find, "a chain is", 1, 1, 0 },
    { "why", ctl_nodes_why, "a chain and a node are", 2, 2, 1 },
    { "check", ctl_nodes_check, "a chain is", 1, 2, 1 },
    { "report", ctl_nodes_report, "no", 0, 0, 1 },
    { "cordon", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "uncordon", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "drain", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { "clear", ctl_nodes_change, "a chain and a node are", 1, 2, 1 },
    { NULL, NULL, NULL, 0, 0, 0 }
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

    while ((opt = getopt_long(argc, argv, "o:", ctl_nodes_options_table,
                              NULL))
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

    case 'O':
        nodes->operator = optarg;
        return *optarg ? 1 : -1;

    case 'o':
        nodes->output = optarg;
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


int
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

    nodes->answer.text.len = 0;

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


int
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


void
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
ctl_nodes_change(ctl_nodes_t *nodes)
{
    int               rc;
    cli_buf_t         body;
    pocket_str_t      chain, target;
    ctl_nodes_row_t  *row;

    chain = ctl_str(nodes->args[0]);

    if (nodes->operator) {
        target = ctl_str(nodes->operator);

    } else {
        rc = ctl_nodes_get(nodes, nodes->args[0]);

        if (rc != CTL_OK) {
            return rc;
        }

        row = ctl_nodes_wanted(nodes);

        if (row == NULL) {
            return CTL_FAILED;
        }

        target = row->node;
    }

    memset(&body, 0, sizeof(cli_buf_t));

    cli_buf_text(&body, "{\"chain\":");
    cli_buf_json(&body, &chain);
    cli_buf_text(&body, nodes->operator ? ",\"operator\":" : ",\"node\":");
    cli_buf_json(&body, &target);
    cli_buf_text(&body, "}");

    nodes->path.text.len = 0;
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
