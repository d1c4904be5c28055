
/*
 * What the commands of meshctl share.
 */


#ifndef _CTL_H_INCLUDED_
#define _CTL_H_INCLUDED_


#include "cli_mem.h"
#include "pocket_base.h"


#define CTL_VERSION       "0.1.0"

#define CTL_FILE_MAX      (64 * 1024 * 1024)


/* exit codes */

typedef enum {
    CTL_OK = 0,
    CTL_FAILED,                  /* what was asked about is not as it should */
    CTL_USAGE                    /* usage, files, network */
} ctl_code_e;


/* the commands; argv[0] is the command's name */

int ctl_keys(int argc, char **argv);
int ctl_relay(int argc, char **argv);
int ctl_convert(int argc, char **argv);
int ctl_convert_gateway(int argc, char **argv);
int ctl_ledger(int argc, char **argv);
int ctl_gateway(int argc, char **argv);


/* prints a line "meshctl: ..." on the standard error */
void ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* the same, of a mistake in the command line; gives CTL_USAGE */
int ctl_usage(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Reads a whole file.  A secret one is refused with the remedy when anybody
 * else could read or write it.  CTL_OK; or after ctl_error(): CTL_FAILED
 * when the file is refused, CTL_USAGE when it cannot be read.
 */
int ctl_file_read(const char *name, unsigned secret, cli_buf_t *text);

/*
 * Makes a file for its owner alone, which must not be there, with all of the
 * text in it or not at all.  CTL_OK, or CTL_USAGE after ctl_error().
 */
int ctl_file_write(const char *name, const pocket_str_t *text);

/* appends a word as nginx.conf takes it, quoted where it must be */
void ctl_conf_quote(cli_buf_t *out, const pocket_str_t *value);

/* wipes it, then frees it */
void ctl_file_wipe(cli_buf_t *text);

/* the token of an auth.json, in memory of the arena */
int ctl_file_token(const char *name, pocket_str_t *token, cli_arena_t *arena);


/* the text of a NUL-terminated string */
pocket_str_t ctl_str(const char *text);

/* a decimal int64: 1, or 0 */
int ctl_number(const char *text, int64_t *n);


#endif /* _CTL_H_INCLUDED_ */
