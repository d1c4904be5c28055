
/*
 * Kept connections of clients over a reload.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_idle.h"


#define NGX_MESH_RELAY_IDLE_LOOK     500     /* ms */
#define NGX_MESH_RELAY_IDLE_LINGER   3000    /* ms */


/*
 * nginx marks a connection as idle after it has freed the request: what is
 * to be spared waits here for the posted event, by a number that tells
 * whether the connection is still the same.
 */

typedef struct {
    ngx_queue_t          queue;
    ngx_connection_t    *connection;
    ngx_atomic_uint_t    number;
} ngx_mesh_relay_idle_t;


static void ngx_mesh_relay_idle_cleanup(void *data);
static void ngx_mesh_relay_idle_posted(ngx_event_t *ev);
static void ngx_mesh_relay_idle_look(ngx_event_t *ev);


/* of the worker; the handler is nginx's for idle connections */

static ngx_queue_t             ngx_mesh_relay_idle_queue;
static ngx_event_t             ngx_mesh_relay_idle_event;
static ngx_event_t             ngx_mesh_relay_idle_timer;
static ngx_connection_t        ngx_mesh_relay_idle_dummy;
static ngx_event_handler_pt    ngx_mesh_relay_idle_handler;


void
ngx_mesh_relay_idle_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_mesh_relay_idle_queue);

    ngx_mesh_relay_idle_dummy.fd = (ngx_socket_t) -1;

    ngx_mesh_relay_idle_event.handler = ngx_mesh_relay_idle_posted;
    ngx_mesh_relay_idle_event.data = &ngx_mesh_relay_idle_dummy;
    ngx_mesh_relay_idle_event.log = cycle->log;

    ngx_mesh_relay_idle_timer.handler = ngx_mesh_relay_idle_look;
    ngx_mesh_relay_idle_timer.data = &ngx_mesh_relay_idle_dummy;
    ngx_mesh_relay_idle_timer.log = cycle->log;
    ngx_mesh_relay_idle_timer.cancelable = 1;

    ngx_add_timer(&ngx_mesh_relay_idle_timer, NGX_MESH_RELAY_IDLE_LOOK);
}


ngx_int_t
ngx_mesh_relay_idle_spare(ngx_http_request_t *r)
{
    ngx_http_cleanup_t     *cln;
    ngx_mesh_relay_idle_t  *idle;

    if (r != r->main || !r->keepalive || r->http_version > NGX_HTTP_VERSION_11)
    {
        return NGX_OK;
    }

    if (ngx_exiting) {
        r->keepalive = 0;
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    idle = ngx_alloc(sizeof(ngx_mesh_relay_idle_t), r->connection->log);
    if (idle == NULL) {
        return NGX_ERROR;
    }

    idle->connection = r->connection;
    idle->number = r->connection->number;

    cln->handler = ngx_mesh_relay_idle_cleanup;
    cln->data = idle;

    return NGX_OK;
}


static void
ngx_mesh_relay_idle_cleanup(void *data)
{
    ngx_mesh_relay_idle_t *idle = data;

    ngx_queue_insert_tail(&ngx_mesh_relay_idle_queue, &idle->queue);

    ngx_post_event(&ngx_mesh_relay_idle_event, &ngx_posted_events);
}


static void
ngx_mesh_relay_idle_posted(ngx_event_t *ev)
{
    ngx_queue_t            *q;
    ngx_connection_t       *c;
    ngx_mesh_relay_idle_t  *idle;

    while (!ngx_queue_empty(&ngx_mesh_relay_idle_queue)) {

        q = ngx_queue_head(&ngx_mesh_relay_idle_queue);
        ngx_queue_remove(q);

        idle = ngx_queue_data(q, ngx_mesh_relay_idle_t, queue);
        c = idle->connection;

        if (c->fd != (ngx_socket_t) -1 && c->number == idle->number
            && c->idle)
        {
            c->idle = 0;
            ngx_mesh_relay_idle_handler = c->read->handler;
        }

        ngx_free(idle);
    }
}


static void
ngx_mesh_relay_idle_look(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_msec_int_t     left;
    ngx_connection_t  *c;

    ngx_add_timer(ev, NGX_MESH_RELAY_IDLE_LOOK);

    if (!ngx_exiting || ngx_mesh_relay_idle_handler == NULL) {
        return;
    }

    c = ngx_cycle->connections;

    for (i = 0; i < ngx_cycle->connection_n; i++) {

        if (c[i].fd == (ngx_socket_t) -1
            || c[i].read->handler != ngx_mesh_relay_idle_handler
            || !c[i].read->timer_set)
        {
            continue;
        }

        left = (ngx_msec_int_t) (c[i].read->timer.key - ngx_current_msec);

        if (left > NGX_MESH_RELAY_IDLE_LINGER) {
            ngx_del_timer(c[i].read);
            ngx_add_timer(c[i].read, NGX_MESH_RELAY_IDLE_LINGER);
        }
    }
}
