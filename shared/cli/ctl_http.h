
/*
 * A blocking HTTP/1.1 client: one request, one connection.
 */


#ifndef _CTL_HTTP_H_INCLUDED_
#define _CTL_HTTP_H_INCLUDED_


#include "ctl.h"


/* time of silence that is given up after, s */
#define CTL_HTTP_TIMEOUT  30


/*
 * url is http:// or https://, of a host or (http) of "unix:PATH:", and is
 * prefixed to path.  Certificates are verified with the system's authorities
 * or those of cafile, unless insecure.
 */

typedef struct {
    const char           *url;
    const char           *path;
    const char           *method;
    pocket_str_t          headers;     /* whole lines with their ends */
    pocket_str_t          body;
    const char           *cafile;
    unsigned              insecure;
    int64_t               timeout;     /* s, 0: CTL_HTTP_TIMEOUT */
} ctl_http_request_t;


/* slices of raw, which is to be given to cli_buf_free() */

typedef struct {
    unsigned              status;
    pocket_str_t          body;
    cli_buf_t             raw;
} ctl_http_answer_t;


/* CTL_OK, or CTL_USAGE after ctl_error(): no whole answer came */
int ctl_http(const ctl_http_request_t *rq, ctl_http_answer_t *answer);


/*
 * An option of all commands that use HTTP: --cacert, --insecure, --timeout.
 * 1: taken, 0: is none of them, -1: bad value.
 */

#define CTL_HTTP_OPTIONS                                                      \
    { "cacert", required_argument, NULL, CTL_HTTP_CACERT },                   \
    { "insecure", no_argument, NULL, CTL_HTTP_INSECURE },                     \
    { "timeout", required_argument, NULL, CTL_HTTP_SECONDS }

#define CTL_HTTP_HELP                                                         \
"  --cacert FILE         authorities to verify https by (the system's)\n"     \
"  --insecure            do not verify https\n"                               \
"  --timeout SECONDS     of silence, until giving up (30)\n"

typedef enum {
    CTL_HTTP_CACERT = 1000,
    CTL_HTTP_INSECURE,
    CTL_HTTP_SECONDS
} ctl_http_option_e;

int ctl_http_option(ctl_http_request_t *rq, int opt, const char *value);


#endif /* _CTL_HTTP_H_INCLUDED_ */
