
/*
 * meshctl gateway report: the accounts of sessions in the form of relaygen's
 * reports, which "localnet compare" holds against the claims.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_nodes.h"


typedef struct {
    pocket_str_t          chain;
    int64_t               session;
    pocket_str_t          app;
    pocket_str_t          state;
    pocket_str_t          servicer;      /* address */
    int64_t               answered;
    int64_t               checks;
    int64_t               rejected;
    int64_t               code_28;
    int64_t               hedges;
    int64_t               timeouts;
    int64_t               refused;
} ctl_report_row_t;


static int ctl_report_get(ctl_nodes_t *nodes, pocket_json_array_t *rows);
static int ctl_report_cmp(const void *one, const void *two);
static int64_t ctl_report_count(const ctl_report_row_t *row, size_t i);
static int64_t ctl_report_sent(const ctl_report_row_t *row);
static void ctl_report_counts(cli_buf_t *out, const int64_t *counts);
static void ctl_report_row(cli_buf_t *out, const ctl_report_row_t *row);


#define ctl_report_field(name, type)                                          \
    { pocket_string(#name), POCKET_JSON_T_##type,                             \
      offsetof(ctl_report_row_t, name), NULL }


static const pocket_json_field_t  ctl_report_node_fields[] = {
    { pocket_string("address"), POCKET_JSON_T_STRING, 0, NULL }
};


static const pocket_json_table_t  ctl_report_node_table = {
    ctl_report_node_fields, 1, sizeof(pocket_str_t)
};


static const pocket_json_field_t  ctl_report_fields[] = {
    ctl_report_field(chain, STRING),
    { pocket_string("session_height"), POCKET_JSON_T_INT64,
      offsetof(ctl_report_row_t, session), NULL },
    ctl_report_field(app, STRING),
    ctl_report_field(state, STRING),
    { pocket_string("node"), POCKET_JSON_T_STRUCT,
      offsetof(ctl_report_row_t, servicer), &ctl_report_node_table },
    ctl_report_field(answered, INT64),
    ctl_report_field(checks, INT64),
    ctl_report_field(rejected, INT64),
    ctl_report_field(code_28, INT64),
    ctl_report_field(hedges, INT64),
    ctl_report_field(timeouts, INT64),
    ctl_report_field(refused, INT64)
};


/* those of them that are counts */

#define CTL_REPORT_COUNTS  7
#define CTL_REPORT_FIRST                                                      \
    (sizeof(ctl_report_fields) / sizeof(ctl_report_fields[0])                 \
     - CTL_REPORT_COUNTS)


static const pocket_json_table_t  ctl_report_row_table = {
    ctl_report_fields,
    sizeof(ctl_report_fields) / sizeof(ctl_report_fields[0]),
    sizeof(ctl_report_row_t)
};


static const pocket_json_field_t  ctl_report_rows_fields[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_report_row_table }
};


static const pocket_json_table_t  ctl_report_rows_table = {
    ctl_report_rows_fields, 1, sizeof(ctl_report_row_t)
};


static const pocket_json_field_t  ctl_report_root = {
    pocket_string(""), POCKET_JSON_T_ARRAY, 0, &ctl_report_rows_table
};


int
ctl_nodes_report(ctl_nodes_t *nodes)
{
    int                   rc;
    size_t                i, k, n;
    int64_t               sums[CTL_REPORT_COUNTS];
    cli_buf_t             out;
    ctl_report_row_t     *row;
    pocket_json_array_t   rows;

    rc = ctl_report_get(nodes, &rows);

    if (rc != CTL_OK) {
        return rc;
    }

    row = rows.elts;
    n = 0;

    memset(sums, 0, sizeof(sums));
    memset(&out, 0, sizeof(cli_buf_t));

    for (i = 0; i < rows.n; i++) {
        for (k = 0; k < CTL_REPORT_COUNTS; k++) {
            sums[k] += ctl_report_count(&row[i], k);
        }
    }

    cli_buf_text(&out, "{");
    ctl_report_counts(&out, sums);
    cli_buf_text(&out, ",\n\"rows\":[");

    for (i = 0; i < rows.n; i++) {

        /* nothing was sent: nothing is to be claimed */

        if (ctl_report_sent(&row[i]) == 0) {
            continue;
        }

        cli_buf_text(&out, n++ ? ",\n" : "\n");
        ctl_report_row(&out, &row[i]);
    }

    cli_buf_text(&out, "\n]}\n");

    if (out.failed) {
        ctl_error("no memory");
        rc = CTL_USAGE;

    } else if (nodes->output) {
        rc = ctl_file_write(nodes->output, &out.text);

    } else {
        (void) fwrite(out.text.data, 1, out.text.len, stdout);
    }

    cli_buf_free(&out);

    return rc;
}


static int
ctl_report_get(ctl_nodes_t *nodes, pocket_json_array_t *rows)
{
    int                  rc;
    pocket_json_error_t  err;

    cli_buf_text(&nodes->path, "/gateway/sessions");

    if (nodes->chain) {
        cli_buf_text(&nodes->path, "?chain=");
        ctl_nodes_escape(&nodes->path, nodes->chain);
    }

    rc = ctl_nodes_ask(nodes, "GET", NULL);

    if (rc != CTL_OK) {
        return rc;
    }

    if (nodes->status != 200) {
        return ctl_nodes_refused(nodes);
    }

    memset(rows, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(&nodes->answer.text, &ctl_report_root, rows, &err,
                           &nodes->arena.alloc)
        != 1)
    {
        ctl_error("the answer cannot be read: %.*s", (int) err.len, err.text);
        return CTL_USAGE;
    }

    if (rows->n) {
        qsort(rows->elts, rows->n, sizeof(ctl_report_row_t), ctl_report_cmp);
    }

    return CTL_OK;
}


static int
ctl_report_cmp(const void *one, const void *two)
{
    const ctl_report_row_t *a = one, *b = two;

    int  rc;

    if (a->session != b->session) {
        return a->session < b->session ? -1 : 1;
    }

    rc = ctl_nodes_str_cmp(&a->chain, &b->chain);

    if (rc == 0) {
        rc = ctl_nodes_str_cmp(&a->app, &b->app);
    }

    return rc ? rc : ctl_nodes_str_cmp(&a->servicer, &b->servicer);
}


static int64_t
ctl_report_count(const ctl_report_row_t *row, size_t i)
{
    return *(const int64_t *) ((const char *) row
                          + ctl_report_fields[CTL_REPORT_FIRST + i].offset);
}


static int64_t
ctl_report_sent(const ctl_report_row_t *row)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < CTL_REPORT_COUNTS; i++) {
        n += ctl_report_count(row, i);
    }

    return n;
}


static void
ctl_report_counts(cli_buf_t *out, const int64_t *counts)
{
    size_t               i;
    const pocket_str_t  *name;

    for (i = 0; i < CTL_REPORT_COUNTS; i++) {
        name = &ctl_report_fields[CTL_REPORT_FIRST + i].name;

        cli_buf_printf(out, "%s\"%.*s\":%lld", i ? "," : "",
                       (int) name->len, (const char *) name->data,
                       (long long) counts[i]);
    }
}


static void
ctl_report_row(cli_buf_t *out, const ctl_report_row_t *row)
{
    size_t   i;
    int64_t  counts[CTL_REPORT_COUNTS];

    for (i = 0; i < CTL_REPORT_COUNTS; i++) {
        counts[i] = ctl_report_count(row, i);
    }

    cli_buf_printf(out, "{\"session\":%lld,\"chain\":",
                   (long long) row->session);
    cli_buf_json(out, &row->chain);
    cli_buf_text(out, ",\"app\":");
    cli_buf_json(out, &row->app);
    cli_buf_text(out, ",\"servicer\":");
    cli_buf_json(out, &row->servicer);
    cli_buf_text(out, ",\"state\":");
    cli_buf_json(out, &row->state);
    cli_buf_text(out, ",");
    ctl_report_counts(out, counts);
    cli_buf_text(out, "}");
}
