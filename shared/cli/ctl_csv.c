
/*
 * Tables as a database exports them.
 */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl_csv.h"


static int ctl_csv_row(ctl_csv_t *csv, pocket_str_t *fields, size_t *n);
static int ctl_csv_plain(ctl_csv_t *csv, pocket_str_t *field, size_t n);
static int ctl_csv_quoted(ctl_csv_t *csv, pocket_str_t *field, size_t n);
static unsigned char *ctl_csv_last(ctl_csv_t *csv);


int
ctl_csv_open(const char *file, ctl_csv_t *csv)
{
    int  rc;

    memset(csv, 0, sizeof(ctl_csv_t));
    csv->file = file;
    csv->line = 1;

    rc = ctl_file_read(file, 0, &csv->text);

    if (rc != CTL_OK) {
        return rc;
    }

    csv->p = csv->text.text.data;

    /* what spreadsheets put before it */

    if (csv->text.text.len >= 3 && memcmp(csv->p, "\xef\xbb\xbf", 3) == 0) {
        csv->p += 3;
    }

    rc = ctl_csv_row(csv, csv->names, &csv->ncolumns);

    if (rc == CTL_CSV_END) {
        ctl_error("\"%s\" is empty, a row with the names of the columns is "
                  "expected", file);
        rc = CTL_FAILED;
    }

    return rc;
}


int
ctl_csv_next(ctl_csv_t *csv)
{
    int     rc;
    size_t  n;

    rc = ctl_csv_row(csv, csv->fields, &n);

    if (rc == CTL_OK && n != csv->ncolumns) {
        return ctl_csv_error(csv, n - 1, "the row has %zu columns, the first "
                             "row %zu", n, csv->ncolumns);
    }

    return rc;
}


static int
ctl_csv_row(ctl_csv_t *csv, pocket_str_t *fields, size_t *n)
{
    int             rc;
    unsigned char  *last;

    last = ctl_csv_last(csv);

    if (csv->p == last) {
        return CTL_CSV_END;
    }

    csv->row = csv->line;
    *n = 0;

    for ( ;; ) {

        if (*n == CTL_CSV_COLUMNS) {
            return ctl_csv_error(csv, *n, "more than %d columns",
                                 CTL_CSV_COLUMNS);
        }

        rc = csv->p < last && *csv->p == '"'
             ? ctl_csv_quoted(csv, &fields[*n], *n)
             : ctl_csv_plain(csv, &fields[*n], *n);

        if (rc != CTL_OK) {
            return rc;
        }

        (*n)++;

        if (csv->p == last) {
            return CTL_OK;
        }

        if (*csv->p++ == '\n') {
            csv->line++;
            return CTL_OK;
        }
    }
}


/* Leaves p at the comma or the line feed after the field, or at the end. */

static int
ctl_csv_plain(ctl_csv_t *csv, pocket_str_t *field, size_t n)
{
    unsigned char  *p, *last;

    last = ctl_csv_last(csv);
    field->data = csv->p;

    for (p = csv->p; p < last && *p != ',' && *p != '\n'; p++) {
        if (*p == '"' || *p == '\0') {
            return ctl_csv_error(csv, n, "%s within a value",
                                 *p ? "a quote" : "a zero byte");
        }
    }

    field->len = p - field->data;

    if (field->len && p[-1] == '\r' && (p == last || *p == '\n')) {
        field->len--;
    }

    csv->p = p;

    return CTL_OK;
}


static int
ctl_csv_quoted(ctl_csv_t *csv, pocket_str_t *field, size_t n)
{
    unsigned char  *p, *to, *last;

    last = ctl_csv_last(csv);
    p = csv->p + 1;
    to = p;
    field->data = p;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {

            if (p + 1 == last || p[1] != '"') {
                break;
            }

            p++;
        }

        if (*p == '\0') {
            return ctl_csv_error(csv, n, "a zero byte within a value");
        }

        if (*p == '\n') {
            csv->line++;
        }

        *to++ = *p;
    }

    if (p == last) {
        return ctl_csv_error(csv, n, "the quoted value has no end");
    }

    p++;

    if (p < last && *p == '\r' && (p + 1 == last || p[1] == '\n')) {
        p++;
    }

    if (p < last && *p != ',' && *p != '\n') {
        return ctl_csv_error(csv, n, "text after a quoted value");
    }

    field->len = to - field->data;
    csv->p = p;

    return CTL_OK;
}


static unsigned char *
ctl_csv_last(ctl_csv_t *csv)
{
    return csv->text.text.data + csv->text.text.len;
}


int
ctl_csv_column(ctl_csv_t *csv, const char *name)
{
    size_t  i, len;

    len = strlen(name);

    for (i = 0; i < csv->ncolumns; i++) {
        if (csv->names[i].len == len
            && memcmp(csv->names[i].data, name, len) == 0)
        {
            return i;
        }
    }

    return -1;
}


int
ctl_csv_error(ctl_csv_t *csv, size_t column, const char *fmt, ...)
{
    char           text[512];
    va_list        args;
    pocket_str_t  *name;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (column < csv->ncolumns) {
        name = &csv->names[column];
        ctl_error("\"%s\", line %zu, column %zu (%.*s): %s", csv->file,
                  csv->row, column + 1, (int) name->len, (char *) name->data,
                  text);

    } else {
        ctl_error("\"%s\", line %zu, column %zu: %s", csv->file, csv->row,
                  column + 1, text);
    }

    return CTL_FAILED;
}


void
ctl_csv_close(ctl_csv_t *csv)
{
    ctl_file_wipe(&csv->text);
}
