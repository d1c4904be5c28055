
/*
 * Long answers about all nodes, or all accounts of sessions, in slices: after
 * each of them other requests are served, and a slow client is waited for.
 */


#ifndef _NGX_GATEWAY_SELECT_REPORT_H_INCLUDED_
#define _NGX_GATEWAY_SELECT_REPORT_H_INCLUDED_


#include "ngx_gateway_select_account.h"
#include "ngx_gateway_select_answer.h"
#include "ngx_gateway_select_zone.h"


/* The most an item takes, and the buffer of a slice. */

#define NGX_GATEWAY_SELECT_ITEM_LEN   24576
#define NGX_GATEWAY_SELECT_SLICE_LEN  32768


typedef struct ngx_gateway_select_report_s  ngx_gateway_select_report_t;

/*
 * A step of an answer: writes at most ITEM_LEN bytes, or nothing, and sets
 * report->done with the last ones.
 */
typedef u_char *(*ngx_gateway_select_step_pt)(
    ngx_gateway_select_report_t *report, u_char *p);

/* Writes one item: report->node, in a session if session_height is not 0. */
typedef u_char *(*ngx_gateway_select_item_pt)(
    ngx_gateway_select_report_t *report, u_char *p);

/*
 * Goes on: NGX_OK, to the next item; NGX_AGAIN, a step without one; NGX_DONE:
 * there are none left.
 */
typedef ngx_int_t (*ngx_gateway_select_next_pt)(
    ngx_gateway_select_report_t *report);


/* what a node has in all its sessions */

typedef struct {
    uint64_t                         used;
    uint64_t                         allowance;
    uint32_t                         sessions;
    ngx_gateway_select_server_t     *server;     /* NULL: it is none */
} ngx_gateway_select_seats_t;


/* The one word for a node; what is out for several reasons has the last. */

typedef enum {
    NGX_GATEWAY_SELECT_NODE_IN = 0,
    NGX_GATEWAY_SELECT_NODE_IDLE,          /* in no table */
    NGX_GATEWAY_SELECT_NODE_SPENT,
    NGX_GATEWAY_SELECT_NODE_BACKUP,
    NGX_GATEWAY_SELECT_NODE_OUT,
    NGX_GATEWAY_SELECT_NODE_DEGRADED,
    NGX_GATEWAY_SELECT_NODE_DOWN,
    NGX_GATEWAY_SELECT_NODE_CORDONED,
    NGX_GATEWAY_SELECT_NODE_DRAINED,
    NGX_GATEWAY_SELECT_NODE_STATES
} ngx_gateway_select_node_state_e;


typedef enum {
    NGX_GATEWAY_SELECT_REPORT_PREPARE = 0,
    NGX_GATEWAY_SELECT_REPORT_SEATS,
    NGX_GATEWAY_SELECT_REPORT_NODES
} ngx_gateway_select_report_e;


struct ngx_gateway_select_report_s {
    ngx_http_request_t              *request;
    ngx_gateway_select_main_conf_t  *gmcf;
    ngx_gateway_select_step_pt       step;
    ngx_gateway_select_next_pt       next;
    ngx_gateway_select_item_pt       item;       /* of an array of JSON */
    void                            *data;       /* of the step's own */
    ngx_str_t                        only;       /* chain; empty: all */
    uint64_t                         now;        /* wall ms */

    /* where it is */
    ngx_uint_t                       index;      /* of the chain */
    ngx_gateway_select_chain_sh_t   *chain;      /* NULL: next one */
    ngx_gateway_select_chain_t      *conf;
    ngx_str_t                        name;       /* of the chain */
    uint32_t                         nnodes;
    ngx_gateway_select_report_e      stage;
    uint32_t                         position;   /* of nodes, or sessions */
    uint32_t                         place;      /* in the session */
    ngx_gateway_select_seats_t      *seats;      /* by node */
    uint32_t                         room;       /* for so many */
    uint64_t                         picked;     /* of all nodes, lately */

    /* the item, as it was a moment ago */
    ngx_gateway_select_account_t     account;
    ngx_gateway_select_node_t        node;
    ngx_gateway_select_seats_t      *seat;
    uint64_t                         session_height;
    uint64_t                         session_used;
    uint64_t                         session_allowance;
    ngx_uint_t                       session_refused;
    ngx_str_t                        app;
    ngx_str_t                        url;        /* without secrets */
    ngx_str_t                        operator;
    u_char                           app_data[2 * POCKET_PUBKEY_LEN];

    ngx_chain_t                     *free;
    ngx_chain_t                     *busy;
    unsigned                         sessions:1; /* an item for each seat */
    unsigned                         some:1;     /* one was written */
    unsigned                         done:1;
};


/*
 * Begins an array of JSON, and gives what a content handler returns; sessions:
 * an item for each node of each session.
 */
ngx_int_t ngx_gateway_select_report(ngx_http_request_t *r,
    ngx_gateway_select_next_pt next, ngx_gateway_select_item_pt item,
    ngx_uint_t sessions);

/*
 * The same in two, for answers of another form.  NULL: the request was
 * refused, *rc is what the handler is to return.
 */
ngx_gateway_select_report_t *ngx_gateway_select_report_create(
    ngx_http_request_t *r, ngx_int_t *rc);
ngx_int_t ngx_gateway_select_report_begin(ngx_gateway_select_report_t *report,
    ngx_gateway_select_step_pt step);

/* That of nodes. */
ngx_int_t ngx_gateway_select_report_next(ngx_gateway_select_report_t *report);


/* Of report->node. */
ngx_gateway_select_node_state_e ngx_gateway_select_node_state(
    ngx_gateway_select_report_t *report);


extern const char  *ngx_gateway_select_node_states[
                        NGX_GATEWAY_SELECT_NODE_STATES];

extern ngx_gateway_select_endpoint_t  ngx_gateway_select_nodes_endpoint;
extern ngx_gateway_select_endpoint_t  ngx_gateway_select_qosnodes_endpoint;
extern ngx_gateway_select_endpoint_t  ngx_gateway_select_sessions_endpoint;


#endif /* _NGX_GATEWAY_SELECT_REPORT_H_INCLUDED_ */
