
/*
 * What is sent to a chain for a relay's payload, and the error when it
 * cannot be or gets no answer (spec: serving a relay; check 22).
 */


#ifndef _POCKET_REQUEST_H_INCLUDED_
#define _POCKET_REQUEST_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_error.h"
#include "pocket_relay.h"


/* an entry of the chains file */

typedef struct {
    pocket_str_t              id;
    pocket_str_t              url;
    pocket_str_t              username;     /* empty: no basic auth */
    pocket_str_t              password;
} pocket_request_chain_t;


/*
 * The request.  scheme is "http" or "https"; host is with its port when the
 * url has one, or "unix:/path" for an url "http://unix:/path:/target".
 * headers are sorted by name, without case, each name once; neither Host
 * nor framing headers are among them.
 */

typedef struct {
    pocket_str_t              method;
    pocket_str_t              scheme;
    pocket_str_t              host;
    pocket_str_t              target;
    pocket_str_t              body;
    pocket_header_t          *headers;
    size_t                    nheaders;
} pocket_request_t;


typedef enum {
    POCKET_CHAIN_CONNECT = 0,    /* no connection, or broken off */
    POCKET_CHAIN_TIMEOUT,
    POCKET_CHAIN_BODY            /* the answer was cut off or is too large */
} pocket_chain_failure_e;


/*
 * Makes the request.  1: done; 0: the payload or the url do not allow it,
 * *err is of code 28; POCKET_ERROR: no memory.  The strings given out are
 * slices of the input, which must outlive them, or allocated from a.  An
 * empty user_agent sends none.
 */
int pocket_request_build(const pocket_request_chain_t *chain,
    const pocket_str_t *user_agent, const pocket_payload_t *payload,
    pocket_request_t *rq, pocket_error_t *err, pocket_alloc_t *a);

/*
 * The error, of code 28, of a request that got no usable answer.
 * POCKET_ERROR when there is no memory: *err then has no reason.
 */
int pocket_request_failure(pocket_chain_failure_e failure,
    const pocket_str_t *chain_id, const pocket_payload_t *payload,
    pocket_error_t *err, pocket_alloc_t *a);


#endif /* _POCKET_REQUEST_H_INCLUDED_ */
