
/*
 * Inside of "meshctl gateway": what its verbs share.
 */


#ifndef _CTL_NODES_H_INCLUDED_
#define _CTL_NODES_H_INCLUDED_


#include "ctl.h"
#include "ctl_http.h"
#include "pocket_json.h"


#define CTL_NODES_NAME_MAX   40
#define CTL_NODES_KEY_SHOWN  12          /* of a servicer's public key */
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


/* the last of a check; block is null where it asks for none */

typedef struct {
    pocket_str_t          name;
    pocket_str_t          rule;
    pocket_str_t          outcome;
    pocket_str_t          at;
    pocket_json_value_t   block;
    pocket_str_t          value;
    pocket_str_t          agreed;
} ctl_nodes_checked_t;


typedef struct {
    pocket_str_t          chain;
    pocket_str_t          node;
    pocket_str_t          url;
    pocket_str_t          operator;
    pocket_str_t          state;
    pocket_json_array_t   excluded;      /* of ctl_nodes_excluded_t */
    pocket_json_array_t   checks;        /* of ctl_nodes_checked_t */
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
    pocket_str_t          raw;           /* all of it, as it came */
} ctl_nodes_row_t;


struct ctl_nodes_s {
    ctl_http_request_t       http;
    const ctl_nodes_verb_t  *verb;
    char                   **args;
    int                      nargs;
    const char              *token_file;
    const char              *chain;
    const char              *operator;
    const char              *output;     /* NULL: standard output */
    unsigned                 json;

    cli_arena_t              arena;
    cli_buf_t                path;
    cli_buf_t                answer;
    unsigned                 status;
    ctl_nodes_row_t         *rows;
    size_t                   nrows;
};


/* The verbs; exit codes. */

int ctl_nodes_list(ctl_nodes_t *nodes);
int ctl_nodes_why(ctl_nodes_t *nodes);
int ctl_nodes_check(ctl_nodes_t *nodes);
int ctl_nodes_report(ctl_nodes_t *nodes);


/*
 * Asks the gateway for nodes->path; the body of the answer stays in
 * nodes->answer, its status in nodes->status.  CTL_OK, or CTL_USAGE after
 * ctl_error(): no whole answer came.
 */
int ctl_nodes_ask(ctl_nodes_t *nodes, const char *method,
    const pocket_str_t *body);

/* ctl_error() of what the gateway said instead; gives CTL_FAILED. */
int ctl_nodes_refused(ctl_nodes_t *nodes);

/* Adds text to a path, all that is not unreserved percent-encoded. */
void ctl_nodes_escape(cli_buf_t *path, const char *text);

/*
 * All nodes, or those of a chain (NULL: all), into nodes->rows, sorted by
 * chain and share.  An exit code, after ctl_error().
 */
int ctl_nodes_get(ctl_nodes_t *nodes, const char *chain);

/*
 * The row that a name, the beginning of one, or a host and port mean, if it
 * is one alone; else NULL.  *n: how many these could mean.
 */
ctl_nodes_row_t *ctl_nodes_row(ctl_nodes_t *nodes, const char *name,
    size_t *n);

/* That of the verb's argument NODE; NULL after ctl_error(). */
ctl_nodes_row_t *ctl_nodes_wanted(ctl_nodes_t *nodes);

/* A node as tables have it: a key by its beginning. */
pocket_str_t ctl_nodes_label(const ctl_nodes_row_t *row);

/* Host and port of its URL. */
pocket_str_t ctl_nodes_host(const ctl_nodes_row_t *row);

/* Of a column that has to hold the text, too. */
int ctl_nodes_width(const pocket_str_t *text, int width);

/* As memcmp(), a shorter one before those that it begins. */
int ctl_nodes_str_cmp(const pocket_str_t *a, const pocket_str_t *b);

/* 0: it is no number. */
double ctl_nodes_double(const pocket_json_value_t *value);


#endif /* _CTL_NODES_H_INCLUDED_ */
