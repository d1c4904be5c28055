
/*
 * meshctl gateway check: what each check of a chain's nodes came to, last
 * time, and what it was held against.
 */


#include <stdio.h>
#include <string.h>

#include "ctl_nodes.h"


/* widths */

typedef struct {
    int                   node;
    int                   host;
    int                   name;
    int                   value;
    int                   agreed;
} ctl_nodes_checked_columns_t;


/* what the gateway calls a rule, and what that means */

typedef struct {
    const char           *name;
    const char           *text;
} ctl_nodes_rule_t;


static void ctl_nodes_checked_widths(ctl_nodes_t *nodes,
    const ctl_nodes_row_t *only, ctl_nodes_checked_columns_t *c);
static int ctl_nodes_checked_row(const ctl_nodes_row_t *row,
    const ctl_nodes_checked_columns_t *c);
static const char *ctl_nodes_checked_rule(const pocket_str_t *rule);
static int ctl_nodes_checked_is(const pocket_str_t *text, const char *name);


static const ctl_nodes_rule_t  ctl_nodes_rules[] = {
    { "height", "not behind, nor far ahead, of the agreed height" },
    { "votes", "as two thirds of the votes, of two operators" },
    { "own", "as the check has it" },
    { NULL, "" }
};


int
ctl_nodes_check(ctl_nodes_t *nodes)
{
    int                          rc, bad;
    size_t                       i;
    const ctl_nodes_row_t       *only;
    ctl_nodes_checked_columns_t  c;

    rc = ctl_nodes_get(nodes, nodes->args[0]);

    if (rc != CTL_OK) {
        return rc;
    }

    only = NULL;

    if (nodes->nargs > 1) {
        only = ctl_nodes_wanted(nodes);

        if (only == NULL) {
            return CTL_FAILED;
        }
    }

    ctl_nodes_checked_widths(nodes, only, &c);

    if (!nodes->json) {
        printf("%-*s  %-*s  %-*s  %-9s  %-*s  %-*s  %10s  %-19s  %s\n",
               c.node, "NODE", c.host, "AT", c.name, "CHECK", "OUTCOME",
               c.value, "VALUE", c.agreed, "AGREED", "BLOCK", "TIME", "RULE");
    }

    bad = 0;

    for (i = 0; i < nodes->nrows; i++) {

        if (only && only != &nodes->rows[i]) {
            continue;
        }

        bad |= ctl_nodes_checked_row(&nodes->rows[i],
                                     nodes->json ? NULL : &c);

        if (nodes->json) {
            printf("%.*s\n", (int) nodes->rows[i].raw.len,
                   nodes->rows[i].raw.data);
        }
    }

    return bad ? CTL_FAILED : CTL_OK;
}


static void
ctl_nodes_checked_widths(ctl_nodes_t *nodes, const ctl_nodes_row_t *only,
    ctl_nodes_checked_columns_t *c)
{
    size_t                 i, k;
    pocket_str_t           label, host;
    ctl_nodes_row_t       *row;
    ctl_nodes_checked_t   *checked;

    c->node = 4;
    c->host = 2;
    c->name = 5;
    c->value = 5;
    c->agreed = 6;

    for (i = 0; i < nodes->nrows; i++) {
        row = &nodes->rows[i];

        if (only && only != row) {
            continue;
        }

        label = ctl_nodes_label(row);
        host = ctl_nodes_host(row);

        c->node = ctl_nodes_width(&label, c->node);
        c->host = ctl_nodes_width(&host, c->host);

        checked = row->checks.elts;

        for (k = 0; k < row->checks.n; k++) {
            c->name = ctl_nodes_width(&checked[k].name, c->name);
            c->value = ctl_nodes_width(&checked[k].value, c->value);
            c->agreed = ctl_nodes_width(&checked[k].agreed, c->agreed);
        }
    }
}


/* Prints the checks of a node, without columns none; 1: one is not well. */

static int
ctl_nodes_checked_row(const ctl_nodes_row_t *row,
    const ctl_nodes_checked_columns_t *c)
{
    int                   bad;
    size_t                i, len;
    pocket_str_t          label, host;
    ctl_nodes_checked_t  *checked;

    bad = 0;
    label = ctl_nodes_label(row);
    host = ctl_nodes_host(row);
    checked = row->checks.elts;

    for (i = 0; i < row->checks.n; i++, checked++) {

        bad |= ctl_nodes_checked_is(&checked->outcome, "failed")
               || ctl_nodes_checked_is(&checked->outcome, "no answer");

        if (c == NULL) {
            continue;
        }

        len = checked->at.len < CTL_NODES_TIME_LEN ? checked->at.len
                                                   : CTL_NODES_TIME_LEN;

        printf("%-*.*s  %-*.*s  %-*.*s  %-9.*s  %-*.*s  %-*.*s  %10.*s  "
               "%-19.*s  %s\n",
               c->node, ctl_nodes_width(&label, 0), label.data,
               c->host, ctl_nodes_width(&host, 0), host.data,
               c->name, ctl_nodes_width(&checked->name, 0),
               checked->name.data,
               (int) checked->outcome.len, checked->outcome.data,
               c->value, ctl_nodes_width(&checked->value, 0),
               checked->value.data,
               c->agreed, ctl_nodes_width(&checked->agreed, 0),
               checked->agreed.data,
               checked->block.kind == POCKET_JSON_NUMBER
               ? (int) checked->block.raw.len : 0, checked->block.raw.data,
               (int) len, checked->at.data,
               ctl_nodes_checked_rule(&checked->rule));
    }

    return bad;
}


static const char *
ctl_nodes_checked_rule(const pocket_str_t *rule)
{
    const ctl_nodes_rule_t  *known;

    for (known = ctl_nodes_rules; known->name; known++) {
        if (ctl_nodes_checked_is(rule, known->name)) {
            break;
        }
    }

    return known->text;
}


static int
ctl_nodes_checked_is(const pocket_str_t *text, const char *name)
{
    pocket_str_t  other;

    other = ctl_str(name);

    return text->len == other.len
           && memcmp(text->data, other.data, other.len) == 0;
}
