
/*
 * Nodes as /gateway/nodes tells them.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_nodes.h"


static int ctl_nodes_cmp(const void *one, const void *two);


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


#define ctl_nodes_checked_field(name, type)                                   \
    { pocket_string(#name), POCKET_JSON_T_##type,                             \
      offsetof(ctl_nodes_checked_t, name), NULL }


static const pocket_json_field_t  ctl_nodes_checked_fields[] = {
    ctl_nodes_checked_field(name, STRING),
    ctl_nodes_checked_field(rule, STRING),
    ctl_nodes_checked_field(outcome, STRING),
    ctl_nodes_checked_field(at, STRING),
    ctl_nodes_checked_field(block, VALUE),
    ctl_nodes_checked_field(value, STRING),
    ctl_nodes_checked_field(agreed, STRING)
};


static const pocket_json_table_t  ctl_nodes_checked_struct = {
    ctl_nodes_checked_fields, 7, sizeof(ctl_nodes_checked_t)
};


static const pocket_json_field_t  ctl_nodes_checked_root[] = {
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &ctl_nodes_checked_struct }
};


static const pocket_json_table_t  ctl_nodes_checked_table = {
    ctl_nodes_checked_root, 1, sizeof(ctl_nodes_checked_t)
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
    { pocket_string("checks"), POCKET_JSON_T_ARRAY,
      offsetof(ctl_nodes_row_t, checks), &ctl_nodes_checked_table },
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
ctl_nodes_get(ctl_nodes_t *nodes, const char *chain)
{
    int                   rc;
    size_t                i;
    pocket_json_array_t   rows, raw;
    pocket_json_error_t   err;
    pocket_json_value_t  *value;

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
    memset(&raw, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(&nodes->answer.text, &ctl_nodes_rows_root, &rows,
                           &err, &nodes->arena.alloc)
        != 1
        || pocket_json_decode(&nodes->answer.text, &ctl_nodes_raw_root, &raw,
                              &err, &nodes->arena.alloc)
           != 1)
    {
        ctl_error("the answer cannot be read: %.*s", (int) err.len, err.text);
        return CTL_FAILED;
    }

    nodes->rows = rows.elts;
    nodes->nrows = rows.n;

    for (i = 0, value = raw.elts; i < rows.n; i++) {
        nodes->rows[i].raw = value[i].raw;
    }

    if (rows.n) {
        qsort(rows.elts, rows.n, sizeof(ctl_nodes_row_t), ctl_nodes_cmp);
    }

    return CTL_OK;
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


int
ctl_nodes_str_cmp(const pocket_str_t *a, const pocket_str_t *b)
{
    int     rc;
    size_t  len;

    len = a->len < b->len ? a->len : b->len;
    rc = len ? memcmp(a->data, b->data, len) : 0;

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}


ctl_nodes_row_t *
ctl_nodes_row(ctl_nodes_t *nodes, const char *name, size_t *n)
{
    size_t            i;
    pocket_str_t      text, host;
    ctl_nodes_row_t  *row, *found;

    *n = 0;
    found = NULL;
    text = ctl_str(name);

    for (i = 0; i < nodes->nrows; i++) {
        row = &nodes->rows[i];
        host = ctl_nodes_host(row);

        if (ctl_nodes_str_cmp(&row->node, &text) == 0) {
            *n = 1;
            return row;
        }

        if ((text.len && text.len < row->node.len
             && memcmp(row->node.data, text.data, text.len) == 0)
            || ctl_nodes_str_cmp(&host, &text) == 0)
        {
            found = row;
            (*n)++;
        }
    }

    return *n == 1 ? found : NULL;
}


ctl_nodes_row_t *
ctl_nodes_wanted(ctl_nodes_t *nodes)
{
    size_t            n;
    ctl_nodes_row_t  *row;

    row = ctl_nodes_row(nodes, nodes->args[1], &n);

    if (row) {
        return row;
    }

    if (n) {
        ctl_error("%zu nodes of chain \"%s\" could be \"%s\"", n,
                  nodes->args[0], nodes->args[1]);

    } else {
        ctl_error("chain \"%s\" has no node \"%s\"", nodes->args[0],
                  nodes->args[1]);
    }

    return NULL;
}


pocket_str_t
ctl_nodes_host(const ctl_nodes_row_t *row)
{
    size_t         i;
    pocket_str_t   host;

    host = row->url;

    for (i = 0; i + 3 <= host.len; i++) {
        if (memcmp(host.data + i, "://", 3) == 0) {
            host.data += i + 3;
            host.len -= i + 3;
            break;
        }
    }

    for (i = 0; i < host.len; i++) {
        if (host.data[i] == '/' || host.data[i] == '?') {
            host.len = i;
        }
    }

    return host;
}


double
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
