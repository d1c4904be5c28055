
/*
 * meshctl ledger: what became of the relays.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_ledger.h"


#define CTL_LEDGER_PATH  "/v1/private/mesh/ledger"
#define CTL_SHORT_KEY    12


static int ctl_ledger_options(ctl_ledger_t *l, int argc, char **argv);
static int ctl_ledger_option(ctl_ledger_t *l, int opt);
static int ctl_ledger_decode(ctl_ledger_t *l, const pocket_str_t *text);
static void ctl_ledger_filter(ctl_ledger_t *l);
static int ctl_ledger_cmp(const void *one, const void *two);
static int ctl_ledger_str_cmp(const pocket_str_t *a, const pocket_str_t *b);
static int64_t ctl_ledger_refused(const ctl_ledger_row_t *row);
static void ctl_ledger_table(ctl_ledger_t *l);
static void ctl_ledger_line(const ctl_ledger_row_t *row, int node);
static void ctl_ledger_json(ctl_ledger_t *l);


static const char  ctl_ledger_usage[] =
"usage: meshctl ledger --url URL --token-file FILE [OPTION...]\n"
"       meshctl ledger --redis ADDRESS [OPTION...]\n"
"\n"
"Prints per full node, servicer, session, chain and application how many\n"
"relays were recorded, and what became of them: recorded = queued + delivered\n"
"+ refused + expired.  Asks an edge, or reads Redis itself.\n"
"\n"
"  --url URL             of the edge\n"
"  --token-file FILE     its auth.json (mesh_relay_auth)\n"
"  --redis ADDRESS       HOST:PORT or unix:PATH\n"
"  --db N                (0)\n"
"  --user NAME           of an ACL\n"
"  --password-file FILE\n"
"  --node NAME           only this full node\n"
"  --json                print JSON, one row a line\n"
CTL_HTTP_HELP
"\n"
"Exit code: 0 printed, 1 refused by the edge or Redis, 2 usage, files or\n"
"network.\n";


static const struct option  ctl_ledger_options_table[] = {
    { "url", required_argument, NULL, 'u' },
    { "token-file", required_argument, NULL, 't' },
    { "redis", required_argument, NULL, 'r' },
    { "db", required_argument, NULL, 'd' },
    { "user", required_argument, NULL, 'U' },
    { "password-file", required_argument, NULL, 'p' },
    { "node", required_argument, NULL, 'n' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },
    CTL_HTTP_OPTIONS,
    { NULL, 0, NULL, 0 }
};


static const pocket_json_field_t  ctl_code_fields[] = {

    { pocket_string(""), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_code_t, relays), NULL }
};


static const pocket_json_table_t  ctl_code_table = {
    ctl_code_fields, 1, sizeof(ctl_ledger_code_t)
};


static const pocket_json_field_t  ctl_row_fields[] = {

    { pocket_string("node"), POCKET_JSON_T_STRING,
      offsetof(ctl_ledger_row_t, node), NULL },

    { pocket_string("servicer"), POCKET_JSON_T_STRING,
      offsetof(ctl_ledger_row_t, servicer), NULL },

    { pocket_string("chain"), POCKET_JSON_T_STRING,
      offsetof(ctl_ledger_row_t, chain), NULL },

    { pocket_string("app"), POCKET_JSON_T_STRING,
      offsetof(ctl_ledger_row_t, app), NULL },

    { pocket_string("session_height"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, session), NULL },

    { pocket_string("recorded"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, recorded), NULL },

    { pocket_string("queued"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, queued), NULL },

    { pocket_string("delivered"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, delivered), NULL },

    { pocket_string("delivered_by_37"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, delivered_by_37), NULL },

    { pocket_string("refused"), POCKET_JSON_T_MAP,
      offsetof(ctl_ledger_row_t, refused), &ctl_code_table },

    { pocket_string("expired"), POCKET_JSON_T_INT64,
      offsetof(ctl_ledger_row_t, expired), NULL }
};


static const pocket_json_table_t  ctl_row_table = {
    ctl_row_fields, sizeof(ctl_row_fields) / sizeof(ctl_row_fields[0]),
    sizeof(ctl_ledger_row_t)
};


static const pocket_json_field_t  ctl_rows_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_row_table }
};


static const pocket_json_table_t  ctl_rows_table = {
    ctl_rows_fields, 1, sizeof(ctl_ledger_row_t)
};


static const pocket_json_field_t  ctl_rows_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &ctl_rows_table
};


int
ctl_ledger(int argc, char **argv)
{
    int           rc;
    cli_buf_t     text;
    ctl_ledger_t  l;

    memset(&l, 0, sizeof(ctl_ledger_t));
    memset(&text, 0, sizeof(cli_buf_t));

    rc = ctl_ledger_options(&l, argc, argv);

    if (rc == -1) {
        fputs(ctl_ledger_usage, stdout);
        return CTL_OK;
    }

    if (rc != CTL_OK) {
        return rc;
    }

    cli_arena_init(&l.arena);

    if (l.redis) {
        rc = ctl_ledger_redis(&l);

    } else {
        rc = ctl_ledger_edge(&l, &text);

        if (rc == CTL_OK) {
            rc = ctl_ledger_decode(&l, &text.text);
        }
    }

    if (rc == CTL_OK) {

        ctl_ledger_filter(&l);

        if (l.nrows) {
            qsort(l.rows, l.nrows, sizeof(ctl_ledger_row_t), ctl_ledger_cmp);
        }

        if (l.json) {
            ctl_ledger_json(&l);

        } else {
            ctl_ledger_table(&l);
        }
    }

    cli_buf_free(&text);
    cli_arena_free(&l.arena);

    return rc;
}


/* -1: help was asked for */

static int
ctl_ledger_options(ctl_ledger_t *l, int argc, char **argv)
{
    int  opt, rc;

    while ((opt = getopt_long(argc, argv, "", ctl_ledger_options_table, NULL))
           != -1)
    {
        if (opt == 'h') {
            return -1;
        }

        if (opt == '?') {
            return CTL_USAGE;
        }

        rc = ctl_http_option(&l->http, opt, optarg);

        if (rc == 0) {
            rc = ctl_ledger_option(l, opt);
        }

        if (rc == -1) {
            return ctl_usage("ledger", "invalid value \"%s\"", optarg);
        }
    }

    if (optind != argc) {
        return ctl_usage("ledger", "unexpected \"%s\"", argv[optind]);
    }

    if ((l->http.url == NULL) == (l->redis == NULL)) {
        return ctl_usage("ledger", "one of --url and --redis is expected");
    }

    if (l->http.url && l->token_file == NULL) {
        return ctl_usage("ledger", "--url needs --token-file");
    }

    return CTL_OK;
}


static int
ctl_ledger_option(ctl_ledger_t *l, int opt)
{
    switch (opt) {

    case 'u':
        l->http.url = optarg;
        return 1;

    case 't':
        l->token_file = optarg;
        return 1;

    case 'r':
        l->redis = optarg;
        return *optarg ? 1 : -1;

    case 'd':
        return ctl_number(optarg, &l->db) && l->db >= 0 ? 1 : -1;

    case 'U':
        l->user = optarg;
        return 1;

    case 'p':
        l->password_file = optarg;
        return 1;

    case 'n':
        l->node = optarg;
        return *optarg ? 1 : -1;

    default:
        l->json = 1;
        return 1;
    }
}


/* text is the answer's body, which the rows are slices of */

int
ctl_ledger_edge(ctl_ledger_t *l, cli_buf_t *text)
{
    int                 rc;
    cli_buf_t           headers;
    pocket_str_t        token;
    ctl_http_answer_t   answer;

    rc = ctl_file_token(l->token_file, &token, &l->arena);

    if (rc != CTL_OK) {
        return rc;
    }

    memset(&headers, 0, sizeof(cli_buf_t));
    cli_buf_text(&headers, "Authorization: ");
    cli_buf_str(&headers, &token);
    cli_buf_text(&headers, "\r\n");

    l->http.path = CTL_LEDGER_PATH;
    l->http.method = "GET";
    l->http.headers = headers.text;

    rc = ctl_http(&l->http, &answer);

    ctl_file_wipe(&headers);

    if (rc != CTL_OK) {
        return rc;
    }

    if (answer.status != 200) {
        ctl_error("\"%s\" answered with status %u: %.*s", l->http.url,
                  answer.status, (int) answer.body.len, answer.body.data);
        rc = CTL_FAILED;

    } else {
        cli_buf_str(text, &answer.body);
    }

    cli_buf_free(&answer.raw);

    return rc;
}


static int
ctl_ledger_decode(ctl_ledger_t *l, const pocket_str_t *text)
{
    pocket_json_array_t   rows;
    pocket_json_error_t   err;

    memset(&rows, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(text, &ctl_rows_root, &rows, &err, &l->arena.alloc)
        != 1)
    {
        ctl_error("the ledger cannot be read: %.*s", (int) err.len, err.text);
        return CTL_FAILED;
    }

    l->rows = rows.elts;
    l->nrows = rows.n;

    return CTL_OK;
}


static void
ctl_ledger_filter(ctl_ledger_t *l)
{
    size_t        i, n;
    pocket_str_t  node;

    if (l->node == NULL) {
        return;
    }

    node = ctl_str(l->node);

    for (i = 0, n = 0; i < l->nrows; i++) {
        if (ctl_ledger_str_cmp(&l->rows[i].node, &node) == 0) {
            l->rows[n++] = l->rows[i];
        }
    }

    l->nrows = n;
}


static int
ctl_ledger_cmp(const void *one, const void *two)
{
    const ctl_ledger_row_t *a = one;
    const ctl_ledger_row_t *b = two;

    int  rc;

    rc = ctl_ledger_str_cmp(&a->node, &b->node);

    if (rc == 0) {
        rc = (a->session > b->session) - (a->session < b->session);
    }

    if (rc == 0) {
        rc = ctl_ledger_str_cmp(&a->servicer, &b->servicer);
    }

    if (rc == 0) {
        rc = ctl_ledger_str_cmp(&a->chain, &b->chain);
    }

    return rc ? rc : ctl_ledger_str_cmp(&a->app, &b->app);
}


static int
ctl_ledger_str_cmp(const pocket_str_t *a, const pocket_str_t *b)
{
    int     rc;
    size_t  len;

    len = a->len < b->len ? a->len : b->len;
    rc = len ? memcmp(a->data, b->data, len) : 0;

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}


static int64_t
ctl_ledger_refused(const ctl_ledger_row_t *row)
{
    size_t               i;
    int64_t              n;
    ctl_ledger_code_t   *code;

    code = row->refused.elts;

    for (i = 0, n = 0; i < row->refused.n; i++) {
        n += code[i].relays;
    }

    return n;
}


static void
ctl_ledger_table(ctl_ledger_t *l)
{
    int                  node;
    size_t               i;
    int64_t              refused;
    ctl_ledger_row_t     sum;

    memset(&sum, 0, sizeof(ctl_ledger_row_t));
    node = 4;
    refused = 0;

    for (i = 0; i < l->nrows; i++) {
        if ((int) l->rows[i].node.len > node) {
            node = l->rows[i].node.len;
        }

        sum.recorded += l->rows[i].recorded;
        sum.queued += l->rows[i].queued;
        sum.delivered += l->rows[i].delivered;
        sum.expired += l->rows[i].expired;
        refused += ctl_ledger_refused(&l->rows[i]);
    }

    printf("%-*s  %-40s %8s %-8s  %-12s %9s %9s %9s %9s  %s\n", node, "NODE",
           "SERVICER", "SESSION", "CHAIN", "APP", "RECORDED", "QUEUED",
           "DELIVERED", "EXPIRED", "REFUSED");

    for (i = 0; i < l->nrows; i++) {
        ctl_ledger_line(&l->rows[i], node);
    }

    printf("%-*s  %-40s %8s %-8s  %-12s %9lld %9lld %9lld %9lld  %lld\n",
           node, "all", "", "", "", "", (long long) sum.recorded,
           (long long) sum.queued, (long long) sum.delivered,
           (long long) sum.expired, (long long) refused);
}


static void
ctl_ledger_line(const ctl_ledger_row_t *row, int node)
{
    size_t              i;
    ctl_ledger_code_t  *code;

    printf("%-*.*s  %-40.*s %8lld %-8.*s  %-12.*s %9lld %9lld %9lld %9lld  "
           "%lld", node, (int) row->node.len, row->node.data,
           (int) row->servicer.len, row->servicer.data,
           (long long) row->session, (int) row->chain.len, row->chain.data,
           row->app.len > CTL_SHORT_KEY ? CTL_SHORT_KEY : (int) row->app.len,
           row->app.data, (long long) row->recorded,
           (long long) row->queued, (long long) row->delivered,
           (long long) row->expired, (long long) ctl_ledger_refused(row));

    code = row->refused.elts;

    for (i = 0; i < row->refused.n; i++) {
        printf("%s%.*s:%lld", i ? " " : " (", (int) code[i].code.len,
               code[i].code.data, (long long) code[i].relays);
    }

    puts(i ? ")" : "");
}


static void
ctl_ledger_json(ctl_ledger_t *l)
{
    size_t              i, j;
    cli_buf_t           out;
    ctl_ledger_row_t   *row;
    ctl_ledger_code_t  *code;

    memset(&out, 0, sizeof(cli_buf_t));

    for (i = 0; i < l->nrows; i++) {
        row = &l->rows[i];

        cli_buf_text(&out, "{\"node\":");
        cli_buf_json(&out, &row->node);
        cli_buf_text(&out, ",\"servicer\":");
        cli_buf_json(&out, &row->servicer);
        cli_buf_printf(&out, ",\"session_height\":%lld,\"chain\":",
                       (long long) row->session);
        cli_buf_json(&out, &row->chain);
        cli_buf_text(&out, ",\"app\":");
        cli_buf_json(&out, &row->app);
        cli_buf_printf(&out, ",\"recorded\":%lld,\"queued\":%lld,"
                             "\"delivered\":%lld,\"delivered_by_37\":%lld,"
                             "\"refused\":{", (long long) row->recorded,
                       (long long) row->queued, (long long) row->delivered,
                       (long long) row->delivered_by_37);

        code = row->refused.elts;

        for (j = 0; j < row->refused.n; j++) {
            cli_buf_text(&out, j ? "," : "");
            cli_buf_json(&out, &code[j].code);
            cli_buf_printf(&out, ":%lld", (long long) code[j].relays);
        }

        cli_buf_printf(&out, "},\"expired\":%lld}\n",
                       (long long) row->expired);
    }

    if (out.failed) {
        ctl_error("no memory");

    } else if (out.text.len) {
        fwrite(out.text.data, 1, out.text.len, stdout);
    }

    cli_buf_free(&out);
}
