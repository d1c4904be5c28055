
/*
 * Tables as a database exports them (RFC 4180; "\copy ... csv header" of
 * psql): the first row has the names of the columns.
 */


#ifndef _CTL_CSV_H_INCLUDED_
#define _CTL_CSV_H_INCLUDED_


#include "ctl.h"


#define CTL_CSV_COLUMNS  64

#define CTL_CSV_END      -1


/* fields are slices of text, valid until the close; quotes are taken off */

typedef struct {
    const char           *file;
    cli_buf_t             text;
    unsigned char        *p;
    size_t                line;        /* of p, from 1 */
    size_t                row;         /* the line where the row begins */
    size_t                ncolumns;
    pocket_str_t          names[CTL_CSV_COLUMNS];
    pocket_str_t          fields[CTL_CSV_COLUMNS];
} ctl_csv_t;


/* Reads the file and its first row.  An exit code, after ctl_error(). */
int ctl_csv_open(const char *file, ctl_csv_t *csv);

/* The next row: CTL_OK, CTL_CSV_END, or an exit code after ctl_error(). */
int ctl_csv_next(ctl_csv_t *csv);

/* The index of a column, or -1. */
int ctl_csv_column(ctl_csv_t *csv, const char *name);

/* ctl_error() with file, line and column before it; gives CTL_FAILED. */
int ctl_csv_error(ctl_csv_t *csv, size_t column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Wipes the text. */
void ctl_csv_close(ctl_csv_t *csv);


#endif /* _CTL_CSV_H_INCLUDED_ */
