
/*
 * The notifier, for the files that make it: _notify.c (life, reading),
 * _window.c (entries and their sessions), _dispatch.c (sending, breaker),
 * _settle.c, _slot.c, _adopt.c, _sweep.c.
 *
 * All of it is state of one worker, and all of it can be lost: what is not
 * settled is pending in Redis, and the next owner of the slot reads it again.
 * Times are ngx_current_msec.
 */


#ifndef _NGX_MESH_RELAY_NOTIFY_H_INCLUDED_
#define _NGX_MESH_RELAY_NOTIFY_H_INCLUDED_


#include "ngx_mesh_relay_script.h"


/* after the check that ends a doubt (spec 7) */
#define NGX_MESH_RELAY_DOUBT_WAIT    5000

/* no line of one kind more often than this, per node and worker */
#define NGX_MESH_RELAY_LOG_EVERY     10000

#define ngx_mesh_relay_after(a, b)   ((ngx_msec_int_t) ((a) - (b)) > 0)


typedef struct ngx_mesh_relay_queue_s  ngx_mesh_relay_queue_t;
typedef struct ngx_mesh_relay_lane_s   ngx_mesh_relay_lane_t;
typedef struct ngx_mesh_relay_entry_s  ngx_mesh_relay_entry_t;
typedef struct ngx_mesh_relay_slot_s   ngx_mesh_relay_slot_t;
typedef struct ngx_mesh_relay_adopt_s  ngx_mesh_relay_adopt_t;
typedef struct ngx_mesh_relay_sweep_s  ngx_mesh_relay_sweep_t;


/* id of an entry in its stream, "ms-seq" */

typedef struct {
    uint64_t                        ms;
    uint64_t                        seq;
} ngx_mesh_relay_entry_id_t;


typedef enum {
    NGX_MESH_RELAY_ENTRY_READY = 0,      /* in its lane */
    NGX_MESH_RELAY_ENTRY_FLIGHT,         /* at the node */
    NGX_MESH_RELAY_ENTRY_DOUBT,          /* may still be at the node */
    NGX_MESH_RELAY_ENTRY_DONE            /* has its outcome, not settled */
} ngx_mesh_relay_entry_e;


typedef enum {
    NGX_MESH_RELAY_DELIVERED = 0,
    NGX_MESH_RELAY_DELIVERED_FIRST,      /* by a 37 at the first sending */
    NGX_MESH_RELAY_EXPIRED,
    NGX_MESH_RELAY_REFUSED,              /* with a code */
    NGX_MESH_RELAY_FOREIGN               /* no relay of ours */
} ngx_mesh_relay_outcome_e;


/*
 * A relay in the window.  Sent again only when the last sending was answered
 * or its doubt is over; fresh while no sending of it is known.
 */

struct ngx_mesh_relay_entry_s {
    ngx_rbtree_node_t               node;     /* in queue->entries */
    ngx_queue_t                     link;     /* of the list of its state */
    ngx_mesh_relay_entry_id_t       id;
    ngx_mesh_relay_lane_t          *lane;     /* NULL: foreign */
    mesh_http_exchange_t           *exchange;
    ngx_str_t                       relay;    /* behind the struct */
    int64_t                         height;   /* meta.block_height */
    ngx_msec_t                      since;    /* DOUBT: its begin, or end */
    ngx_mesh_relay_entry_e          state;
    ngx_mesh_relay_outcome_e        outcome;
    ngx_uint_t                      code;
    unsigned                        fresh:1;
    unsigned                        cleared:1; /* DOUBT: since is its end */
};


/*
 * A session with entries in the window, or parked ones: those are pending in
 * Redis only, and read again when the lane is due.  Parked alone: lowest,
 * due, wait.
 */

struct ngx_mesh_relay_lane_s {
    ngx_str_node_t                  sn;       /* in queue->lanes, by id */
    ngx_rbtree_node_t               node;     /* in queue->ready, by height */
    ngx_queue_t                     link;     /* of queue->parked */
    ngx_queue_t                     due_link; /* of queue->due */
    ngx_queue_t                     ready;    /* entries, oldest first */
    ngx_mesh_relay_queue_t         *queue;
    ngx_mesh_relay_session_key_t    key;
    ngx_str_t                       args;     /* of the notification's URL */
    ngx_uint_t                      entries;  /* in the window */
    ngx_mesh_relay_entry_id_t       lowest;
    int64_t                         height;   /* meta's, of a parked one */
    ngx_msec_t                      due;
    ngx_msec_t                      wait;
    ngx_uint_t                      retries;  /* in a row */
    ngx_uint_t                      code;     /* the node ended it: told */
    ngx_uint_t                      place;    /* in a batch being written */
    unsigned                        listed:1; /* in queue->ready */
    unsigned                        parked:1;
    unsigned                        overdue:1; /* in queue->due */
    unsigned                        held:1;   /* whole session waits */
    unsigned                        unready:1; /* not deliverable yet */
    unsigned                        resent:1; /* parked after a sending */
};


/*
 * When what is pending may be at a node: until a check that began after
 * since has been answered, and then (cleared) until since.
 */

typedef struct {
    ngx_msec_t                      since;
    ngx_uint_t                      cleared;  /* unsigned  cleared:1; */
} ngx_mesh_relay_doubt_t;


typedef enum {
    NGX_MESH_RELAY_BREAKER_CLOSED = 0,
    NGX_MESH_RELAY_BREAKER_OPEN,
    NGX_MESH_RELAY_BREAKER_PROBING       /* one notification at a time */
} ngx_mesh_relay_breaker_e;


/* reading of what is pending */

typedef enum {
    NGX_MESH_RELAY_SCAN_NONE = 0,
    NGX_MESH_RELAY_SCAN_DOUBT,           /* to be done when in doubt no more */
    NGX_MESH_RELAY_SCAN_WANTED,
    NGX_MESH_RELAY_SCAN_RUNNING
} ngx_mesh_relay_scan_e;


typedef enum {
    NGX_MESH_RELAY_READ_NONE = 0,
    NGX_MESH_RELAY_READ_LAST,            /* the id of the last one there */
    NGX_MESH_RELAY_READ_NEW,
    NGX_MESH_RELAY_READ_PENDING,
    NGX_MESH_RELAY_READ_STALE            /* pending, to be dropped */
} ngx_mesh_relay_read_e;


/* the notifier's state for one node */

struct ngx_mesh_relay_queue_s {
    ngx_mesh_relay_notify_t        *notify;
    ngx_mesh_relay_main_conf_t     *mcf;
    ngx_mesh_relay_node_t          *node;
    ngx_mesh_relay_keys_t          *keys;

    ngx_rbtree_t                    entries;
    ngx_rbtree_t                    lanes;
    ngx_rbtree_t                    ready;    /* lanes with ready entries */
    ngx_rbtree_node_t               entries_sentinel;
    ngx_rbtree_node_t               lanes_sentinel;
    ngx_rbtree_node_t               ready_sentinel;
    ngx_queue_t                     parked;   /* lanes */
    ngx_queue_t                     due;      /* lanes of the scan */
    ngx_queue_t                     flights;  /* entries */
    ngx_queue_t                     doubts;   /* entries, by since */
    ngx_queue_t                     done;     /* entries to be settled */

    ngx_uint_t                      count;    /* ready, flight, doubt */
    size_t                          size;     /* bytes of these */
    ngx_uint_t                      nflights;
    ngx_uint_t                      ndone;
    ngx_uint_t                      nsettling; /* first of done, under way */
    ngx_msec_t                      settle_at;

    ngx_mesh_relay_breaker_e        breaker;
    ngx_msec_t                      opened_at; /* the last failure */
    ngx_msec_t                      open_until;
    ngx_msec_t                      open_wait;
    ngx_msec_t                      ask_at;   /* for a check */
    ngx_msec_t                      ask_wait;

    ngx_mesh_relay_scan_e           scan;
    ngx_mesh_relay_entry_id_t       cursor;
    ngx_mesh_relay_doubt_t          doubt;    /* of SCAN_DOUBT */

    ngx_mesh_relay_entry_id_t       last;     /* when the server changed */
    ngx_msec_t                      changed;
    ngx_msec_t                      proven;   /* doubts begun before it end */
    ngx_msec_t                      proven_end;

    ngx_mesh_relay_read_e           reading;
    ngx_uint_t                      asked;    /* entries, by the read */
    ngx_msec_t                      poll_at;
    ngx_msec_t                      poll_wait;
    ngx_uint_t                      poll_max; /* entries a read may bring */
    size_t                          poll_size; /* bytes of one, expected */

    ngx_msec_t                      logged_at;
    ngx_uint_t                      unlogged;
    unsigned                        logged:1;
    unsigned                        scan_stale:1; /* was in doubt */
    unsigned                        doubt_asked:1; /* for the check of it */
    unsigned                        ask_last:1;
    unsigned                        proof:1;  /* proven is set */
};


struct ngx_mesh_relay_notify_s {
    ngx_event_t                     timer;
    ngx_mesh_relay_main_conf_t     *mcf;
    ngx_mesh_relay_queue_t         *queues;   /* by node->index */
    ngx_mesh_relay_slot_t          *slot;
    ngx_mesh_relay_adopt_t         *adopt;
    ngx_mesh_relay_sweep_t         *sweep;
    ngx_str_t                       consumer;
    ngx_pool_t                     *scratch;  /* of one node's answer */
};


/* _notify.c */

/*
 * The slot is not ours any more: forgets all but what is to be settled, and
 * cuts what is at the node, which makes it doubtful.
 */
void ngx_mesh_relay_notify_lost(ngx_mesh_relay_notify_t *notify);

/*
 * Redis was restarted, or another server is behind its address: forgets all,
 * and takes what it holds by now for doubtful, though it says it is new.
 */
void ngx_mesh_relay_notify_changed(ngx_mesh_relay_notify_t *notify);

/* The slot is ours; what is pending may be at the node: NULL if not. */
void ngx_mesh_relay_notify_owned(ngx_mesh_relay_notify_t *notify,
    ngx_mesh_relay_doubt_t *doubt);

/* What is pending is to be read; if in doubt, when that is over. */
void ngx_mesh_relay_queue_scan(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_doubt_t *doubt);

/*
 * May anything pending still be at a node?  *doubt is then the longest of
 * these.  Is anything sent and not answered?  Answered and not settled?
 */
ngx_uint_t ngx_mesh_relay_notify_doubt(ngx_mesh_relay_notify_t *notify,
    ngx_mesh_relay_doubt_t *doubt);
ngx_uint_t ngx_mesh_relay_notify_busy(ngx_mesh_relay_notify_t *notify);
ngx_uint_t ngx_mesh_relay_notify_unsettled(ngx_mesh_relay_notify_t *notify);

/* A relay of len bytes was recorded by this worker. */
void ngx_mesh_relay_notify_wake(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_node_t *node, size_t len);

/* Asks Redis for more, if there is room. */
void ngx_mesh_relay_queue_read(ngx_mesh_relay_queue_t *queue);

/* May the caller log about the node now?  Counts what it may not. */
ngx_uint_t ngx_mesh_relay_queue_log(ngx_mesh_relay_queue_t *queue);


static ngx_inline ngx_int_t
ngx_mesh_relay_id_cmp(ngx_mesh_relay_entry_id_t *a,
    ngx_mesh_relay_entry_id_t *b)
{
    if (a->ms != b->ms) {
        return a->ms < b->ms ? -1 : 1;
    }

    if (a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }

    return 0;
}


/* three quarters to five quarters of it: workers do not march in step */

static ngx_inline ngx_msec_t
ngx_mesh_relay_jitter(ngx_msec_t wait)
{
    return wait - wait / 4 + ngx_random() % (wait / 2 + 1);
}


/* _window.c */

void ngx_mesh_relay_window_init(ngx_mesh_relay_queue_t *queue);

/* Frees all, or all but what is to be settled; exchanges are canceled. */
void ngx_mesh_relay_window_clear(ngx_mesh_relay_queue_t *queue,
    ngx_uint_t keep);

/*
 * An entry of a reply, new or pending: into its lane; or nowhere, if it is
 * known or its lane is parked.  *id is set.  NGX_ERROR: no memory, or no id.
 */
ngx_int_t ngx_mesh_relay_window_add(ngx_mesh_relay_queue_t *queue,
    mesh_redis_reply_t *reply, ngx_uint_t new,
    ngx_mesh_relay_entry_id_t *id);

/* The id of an entry of a reply; NGX_ERROR: it has none. */
ngx_int_t ngx_mesh_relay_window_id(mesh_redis_reply_t *reply,
    ngx_mesh_relay_entry_id_t *id);

/* The oldest session's first entry, or NULL. */
ngx_mesh_relay_entry_t *ngx_mesh_relay_window_next(
    ngx_mesh_relay_queue_t *queue);

/* Moves an entry between the states; READY puts it back in order. */
void ngx_mesh_relay_entry_set(ngx_mesh_relay_entry_t *entry,
    ngx_mesh_relay_entry_e state);

/* Its outcome is known: it waits to be settled. */
void ngx_mesh_relay_entry_done(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry, ngx_mesh_relay_outcome_e outcome,
    ngx_uint_t code);

/* The same for one whose claim window is over; it is logged. */
void ngx_mesh_relay_entry_expire(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);

/* Leaves the window and stays pending, or is settled: freed. */
void ngx_mesh_relay_entry_free(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);

/* "ms-seq" in buf of NGX_MESH_RELAY_ENTRY_LEN bytes; and back */
void ngx_mesh_relay_entry_id(ngx_mesh_relay_entry_id_t *id, ngx_str_t *text,
    u_char *buf);


/* _lane.c */

/*
 * The lane of a session, made if need be; its key has no id when that names
 * no session.  _release() frees a lane that holds nothing any more.
 */
ngx_mesh_relay_lane_t *ngx_mesh_relay_lane_get(ngx_mesh_relay_queue_t *queue,
    ngx_str_t *id);
void ngx_mesh_relay_lane_release(ngx_mesh_relay_lane_t *lane);

/*
 * An entry that the node did not take yet waits in Redis, and its session
 * with it when that went on; or the session is not to be notified yet.
 */
void ngx_mesh_relay_park_entry(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_entry_t *entry);
void ngx_mesh_relay_park_unready(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane);

/* May this entry's session be notified?  As ..._session_deliverable(). */
ngx_int_t ngx_mesh_relay_lane_deliverable(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_lane_t *lane, int64_t height);

/* Lanes that are due: a scan from the lowest entry of them is wanted. */
void ngx_mesh_relay_park_wake(ngx_mesh_relay_queue_t *queue);

/* A scan has come to its end. */
void ngx_mesh_relay_park_scanned(ngx_mesh_relay_queue_t *queue);


/* _dispatch.c */

/* Sends what may be sent; to be called when anything has changed. */
void ngx_mesh_relay_dispatch(ngx_mesh_relay_queue_t *queue);

/* Breaker, doubts, expiry while nothing is sent: the timer's part. */
void ngx_mesh_relay_dispatch_tick(ngx_mesh_relay_queue_t *queue,
    ngx_mesh_relay_node_view_t *view);

/*
 * Is a doubt over?  since is when it began; once a check that was begun
 * later has been answered, cleared is set and since is when it ends.
 */
ngx_uint_t ngx_mesh_relay_doubt_over(ngx_mesh_relay_node_view_t *view,
    ngx_msec_t *since, ngx_uint_t *cleared);

/*
 * The node has answered a check begun at the given time; end is when the
 * doubts end that began before it.
 */
void ngx_mesh_relay_doubt_proven(ngx_mesh_relay_queue_t *queue,
    ngx_msec_t begun, ngx_msec_t end);


/* _settle.c */

/* Settles what is done, if it is time; force: now. */
void ngx_mesh_relay_settle(ngx_mesh_relay_queue_t *queue, ngx_uint_t force);


/* _slot.c */

ngx_int_t ngx_mesh_relay_slot_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_notify_t *notify);

/* The timer's part: takes, renews, or at the worker's end lets go. */
void ngx_mesh_relay_slot_tick(ngx_mesh_relay_notify_t *notify);

/* May this worker read and send now? */
ngx_uint_t ngx_mesh_relay_slot_owned(ngx_mesh_relay_notify_t *notify);

/* Has the worker to stay for it?  Is all done that a quit asks for? */
ngx_uint_t ngx_mesh_relay_slot_held(ngx_mesh_relay_notify_t *notify);
ngx_uint_t ngx_mesh_relay_slot_over(ngx_mesh_relay_notify_t *notify);

/* A fast end of the worker: lets go as far as one write can. */
void ngx_mesh_relay_slot_exit(ngx_mesh_relay_notify_t *notify);

/* A new connection: nothing is done before the lease has been renewed. */
void ngx_mesh_relay_slot_reconnected(ngx_mesh_relay_notify_t *notify);

/*
 * LEASE and RELEASE of slot n of this edge, by this process; reply's meaning
 * is the script's.  doubt, NULL for none, goes to the next owner: or else an
 * nginx that is reloaded again and again would never come to send.
 */
ngx_int_t ngx_mesh_relay_slot_lease(ngx_mesh_relay_notify_t *notify,
    ngx_uint_t n, ngx_uint_t take, mesh_redis_handler_pt handler, void *data);
ngx_int_t ngx_mesh_relay_slot_release(ngx_mesh_relay_notify_t *notify,
    ngx_uint_t n, ngx_mesh_relay_doubt_t *doubt,
    mesh_redis_handler_pt handler, void *data);

/*
 * What is in doubt of a slot that was taken, from the reply of the lease;
 * NGX_DECLINED: nothing, it was let go cleanly.
 */
ngx_int_t ngx_mesh_relay_slot_doubt(ngx_mesh_relay_notify_t *notify,
    mesh_redis_reply_t *reply, ngx_mesh_relay_doubt_t *doubt);


/* _adopt.c, _sweep.c: housekeeping of the owner of slot 0 */

ngx_int_t ngx_mesh_relay_adopt_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_notify_t *notify);
void ngx_mesh_relay_adopt_tick(ngx_mesh_relay_notify_t *notify);
ngx_int_t ngx_mesh_relay_sweep_init(ngx_cycle_t *cycle,
    ngx_mesh_relay_notify_t *notify);
void ngx_mesh_relay_sweep_tick(ngx_mesh_relay_notify_t *notify);


/* _ledger.c */

/* A row of the ledger; codes is what follows the time, ",code=n..." */

typedef struct {
    int64_t                         recorded;
    int64_t                         delivered;
    int64_t                         by37;
    int64_t                         expired;
    int64_t                         time;
    int64_t                         refused;  /* sum */
    ngx_str_t                       codes;
} ngx_mesh_relay_row_t;

/* Parses a row; NGX_ERROR: it is none. */
ngx_int_t ngx_mesh_relay_ledger_row(ngx_str_t *text,
    ngx_mesh_relay_row_t *row);


#endif /* _NGX_MESH_RELAY_NOTIFY_H_INCLUDED_ */
