
/*
 * Asking the chain: a subrequest to the internal location whose proxy_pass
 * takes $mesh_relay_chain_url, its answer captured piece by piece.
 */


#ifndef _NGX_MESH_RELAY_EXECUTE_H_INCLUDED_
#define _NGX_MESH_RELAY_EXECUTE_H_INCLUDED_


#include "ngx_mesh_relay.h"
#include "pocket_request.h"


typedef enum {
    NGX_MESH_RELAY_CHAIN_ANSWERED = 0,
    NGX_MESH_RELAY_CHAIN_UNREACHED,     /* no answer began */
    NGX_MESH_RELAY_CHAIN_TIMEOUT,
    NGX_MESH_RELAY_CHAIN_CUT,           /* the answer began, but is not whole */
    NGX_MESH_RELAY_CHAIN_TOO_LARGE      /* above limit; captured no further */
} ngx_mesh_relay_chain_outcome_e;


typedef struct ngx_mesh_relay_exec_s  ngx_mesh_relay_exec_t;

/* takes the next bytes of the answer, which end with the call */
typedef ngx_int_t (*ngx_mesh_relay_piece_pt)(void *data, u_char *p,
    size_t len);


/*
 * One call of a chain, in r->pool of the request that makes it.  The caller
 * fills the first part; when the parent's write_event_handler is run next,
 * done is set and outcome says how it went.
 */

struct ngx_mesh_relay_exec_s {
    ngx_mesh_relay_chain_t          *chain;
    pocket_request_t                 request;
    size_t                           limit;      /* bytes of the answer */
    ngx_mesh_relay_piece_pt          piece;
    void                            *data;

    ngx_mesh_relay_chain_outcome_e   outcome;
    ngx_uint_t                       status;     /* of the answer, for logs */
    size_t                           size;       /* bytes captured */
    ngx_str_t                        url;        /* of $mesh_relay_chain_url */
    ngx_http_request_t              *sr;
    unsigned                         done:1;
    unsigned                         asked:1;    /* the url was taken */
    unsigned                         began:1;
    unsigned                         complete:1;
    unsigned                         too_large:1;
    unsigned                         retried:1;
};


/*
 * Starts the call; the parent is woken by its write_event_handler.  After a
 * call that failed on a kept connection before a byte came back, _retry()
 * gives 1 once, and the caller starts again.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_mesh_relay_execute(ngx_http_request_t *r,
    ngx_mesh_relay_exec_t *exec);
ngx_uint_t ngx_mesh_relay_execute_retry(ngx_mesh_relay_exec_t *exec);

/* the call whose subrequest this is, or NULL */
ngx_mesh_relay_exec_t *ngx_mesh_relay_execute_of(ngx_http_request_t *r);

/* the error, of code 28, of a call that was not answered */
void ngx_mesh_relay_execute_error(ngx_mesh_relay_exec_t *exec,
    pocket_payload_t *payload, pocket_error_t *err, pocket_alloc_t *a);

/*
 * For pieces that are needed whole: adds len bytes to *data, which holds
 * *used of *size bytes and grows in pool by doubling.
 */
ngx_int_t ngx_mesh_relay_append(ngx_pool_t *pool, u_char **data,
    size_t *used, size_t *size, u_char *p, size_t len);

/* config time: the capturing filters */
ngx_int_t ngx_mesh_relay_capture_init(ngx_conf_t *cf);


#endif /* _NGX_MESH_RELAY_EXECUTE_H_INCLUDED_ */
