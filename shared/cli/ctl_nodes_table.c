
/*
 * meshctl gateway nodes, why: how each node is used, and what that follows
 * from.
 */


#include <ctype.h>
#include <stdio.h>

#include "ctl_nodes.h"


/* widths; host: 0, there is no such column */

typedef struct {
    int                   chain;
    int                   node;
    int                   host;
    int                   operator;
} ctl_nodes_columns_t;


static void ctl_nodes_table(ctl_nodes_t *nodes);
static void ctl_nodes_line(const ctl_nodes_row_t *row,
    const ctl_nodes_columns_t *c);
static void ctl_nodes_reasons(const ctl_nodes_row_t *row);
static void ctl_nodes_explain(const ctl_nodes_row_t *row);


int
ctl_nodes_list(ctl_nodes_t *nodes)
{
    int     rc;
    size_t  i;

    rc = ctl_nodes_get(nodes, nodes->chain);

    if (rc != CTL_OK) {
        return rc;
    }

    if (!nodes->json) {
        ctl_nodes_table(nodes);
        return CTL_OK;
    }

    for (i = 0; i < nodes->nrows; i++) {
        printf("%.*s\n", (int) nodes->rows[i].raw.len,
               nodes->rows[i].raw.data);
    }

    return CTL_OK;
}


static void
ctl_nodes_table(ctl_nodes_t *nodes)
{
    size_t                i;
    pocket_str_t          label, host;
    ctl_nodes_row_t      *row;
    ctl_nodes_columns_t   c;

    c.chain = 5;
    c.node = 4;
    c.host = 0;
    c.operator = 8;

    for (i = 0; i < nodes->nrows; i++) {
        row = &nodes->rows[i];
        label = ctl_nodes_label(row);
        host = ctl_nodes_host(row);

        c.chain = ctl_nodes_width(&row->chain, c.chain);
        c.node = ctl_nodes_width(&label, c.node);
        c.operator = ctl_nodes_width(&row->operator, c.operator);

        /* names of plain servers tell where they are */

        if (label.len < row->node.len) {
            c.host = ctl_nodes_width(&host, c.host);
        }
    }

    printf("%-*s  %-*s  ", c.chain, "CHAIN", c.node, "NODE");

    if (c.host) {
        printf("%-*s  ", c.host, "AT");
    }

    printf("%-*s  %-8s %6s %6s %6s %8s %8s %12s  %s\n", c.operator,
           "OPERATOR", "STATE", "SHARE", "GIVEN", "OK", "LATENCY", "P99",
           "HEIGHT", "WHY");

    for (i = 0; i < nodes->nrows; i++) {
        ctl_nodes_line(&nodes->rows[i], &c);
    }
}


static void
ctl_nodes_line(const ctl_nodes_row_t *row, const ctl_nodes_columns_t *c)
{
    pocket_str_t  label, host;

    label = ctl_nodes_label(row);
    host = ctl_nodes_host(row);

    printf("%-*.*s  %-*.*s  ",
           c->chain, ctl_nodes_width(&row->chain, 0), row->chain.data,
           c->node, ctl_nodes_width(&label, 0), label.data);

    if (c->host) {
        printf("%-*.*s  ", c->host, ctl_nodes_width(&host, 0), host.data);
    }

    printf("%-*.*s  %-8.*s %5.1f%% %5.1f%% %5.1f%% %6.0fms %6.0fms %12.0f",
           c->operator, ctl_nodes_width(&row->operator, 0),
           row->operator.data, (int) row->state.len, row->state.data,
           100 * ctl_nodes_double(&row->share),
           100 * ctl_nodes_double(&row->given),
           100 * ctl_nodes_double(&row->success),
           ctl_nodes_double(&row->latency), ctl_nodes_double(&row->p99),
           ctl_nodes_double(&row->height));

    if (row->excluded.n) {
        printf("  ");
        ctl_nodes_reasons(row);
    }

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


int
ctl_nodes_why(ctl_nodes_t *nodes)
{
    int               rc;
    ctl_nodes_row_t  *row;

    rc = ctl_nodes_get(nodes, nodes->args[0]);

    if (rc != CTL_OK) {
        return rc;
    }

    row = ctl_nodes_wanted(nodes);

    if (row == NULL) {
        return CTL_FAILED;
    }

    if (nodes->json) {
        printf("%.*s\n", (int) row->raw.len, row->raw.data);

    } else {
        ctl_nodes_explain(row);
    }

    return ctl_nodes_double(&row->share) > 0 ? CTL_OK : CTL_FAILED;
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


int
ctl_nodes_width(const pocket_str_t *text, int width)
{
    int  len;

    len = text->len < CTL_NODES_NAME_MAX ? (int) text->len
                                         : CTL_NODES_NAME_MAX;

    return len > width ? len : width;
}


pocket_str_t
ctl_nodes_label(const ctl_nodes_row_t *row)
{
    size_t        i;
    pocket_str_t  label;

    label = row->node;

    if (label.len != 2 * POCKET_PUBKEY_LEN) {
        return label;
    }

    for (i = 0; i < label.len; i++) {
        if (!isxdigit(label.data[i])) {
            return label;
        }
    }

    label.len = CTL_NODES_KEY_SHOWN;

    return label;
}
