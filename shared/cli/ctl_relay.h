
/*
 * A relay as a client makes it: made, signed, sent, verified.
 */


#ifndef _CTL_RELAY_H_INCLUDED_
#define _CTL_RELAY_H_INCLUDED_


#include "ctl_http.h"
#include "pocket_hash.h"
#include "pocket_relay.h"


#define CTL_RELAY_HEADERS  64


/* the command line */

typedef struct {
    ctl_http_request_t    http;
    const char           *app_key;
    const char           *client_key;
    const char           *aat_file;
    const char           *dispatch_url;
    const char           *session_height;
    const char           *block_height;
    const char           *entropy;
    const char           *data;
    unsigned              print;
    pocket_relay_t        relay;
    pocket_header_t       headers[CTL_RELAY_HEADERS];
} ctl_relay_options_t;


/* keys are in guarded memory, wiped by ctl_relay_end() */

typedef struct {
    ctl_relay_options_t  *options;
    cli_arena_t           arena;
    cli_buf_t             data;         /* of files */
    cli_buf_t             token;
    unsigned char        *app_key;      /* NULL with an AAT of a file */
    unsigned char        *client_key;
    pocket_hash_t        *hash;
    pocket_relay_t        relay;
    pocket_relay_hashes_t hashes;
} ctl_relay_t;


/* All of them: CTL_OK, or another exit code after ctl_error(). */

/* keys, AAT, data; the session by a dispatch when it was not given */
int ctl_relay_prepare(ctl_relay_t *r);

/* hashes, signs; the relay is whole then */
int ctl_relay_sign(ctl_relay_t *r);

/* sends it, prints the answer and what its signature is worth */
int ctl_relay_send(ctl_relay_t *r);


/* ctl_session.c: session and block height, and a servicer, of a dispatch */
int ctl_relay_dispatch(ctl_relay_t *r);


#endif /* _CTL_RELAY_H_INCLUDED_ */
