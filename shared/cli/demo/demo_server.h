
/*
 * A small HTTP/1.1 server of one thread, for the demo programs: keepalive,
 * pipelining, answers that come late or never.
 */


#ifndef _DEMO_SERVER_H_INCLUDED_
#define _DEMO_SERVER_H_INCLUDED_


#include "pocket_base.h"


#define DEMO_TYPE_JSON  "application/json; charset=utf-8"
#define DEMO_TYPE_TEXT  "text/plain; charset=utf-8"


typedef struct demo_conn_s  demo_conn_t;


/*
 * A request, whole.  path is without the query, both as they came; lines are
 * the header lines as they came.  All of it is valid in the handler only.
 */

typedef struct {
    pocket_str_t          method;
    pocket_str_t          path;
    pocket_str_t          query;
    pocket_str_t          lines;
    pocket_str_t          authorization;
    pocket_str_t          body;
} demo_request_t;


/*
 * Called once for each request; answers by demo_answer() before it returns,
 * unless it calls demo_hang() or demo_drop().  Memory from a is gone after
 * the handler.
 */

typedef void (*demo_handler_pt)(void *data, demo_conn_t *c,
    demo_request_t *rq, pocket_alloc_t *a);


/*
 * Listens on "HOST:PORT" (a number, 0: any free one) or "unix:PATH", prints
 * "ready URL" on the standard output once it does, and serves until SIGTERM
 * or SIGINT.  0, or -1 after a line on the standard error.
 */
int demo_serve(const char *address, demo_handler_pt handler, void *data);


/* headers are whole lines with their ends, or NULL */
void demo_answer(demo_conn_t *c, unsigned status, const char *type,
    const char *headers, const pocket_str_t *body);

/* what is or will be answered leaves ms later */
void demo_delay(demo_conn_t *c, int64_t ms);

/* no answer, the connection stays open until the client closes it */
void demo_hang(demo_conn_t *c);

/* no answer (or only len bytes of it), the connection is closed */
void demo_drop(demo_conn_t *c, size_t len);


/* the value of a query's parameter, as it came; 0: has none of the name */
int demo_param(const pocket_str_t *query, const char *name,
    pocket_str_t *value);

/* 1, or 0: is no decimal number, sign allowed */
int demo_number(const pocket_str_t *s, int64_t *n);

int demo_is(const pocket_str_t *s, const char *text);

/* ms of the monotonic clock */
int64_t demo_now(void);


#endif /* _DEMO_SERVER_H_INCLUDED_ */
