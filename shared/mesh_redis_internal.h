
/*
 * What the files of the Redis client share:
 *
 *   mesh_redis_conf.c     directive parameters, scripts
 *   mesh_redis_connect.c  address, connection, loss and back-off
 *   mesh_redis_setup.c    what is asked of a server before it is used
 *   mesh_redis.c          commands, output, replies, deadlines
 *   mesh_redis_resp.c     the wire format
 */


#ifndef _MESH_REDIS_INTERNAL_H_INCLUDED_
#define _MESH_REDIS_INTERNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "mesh_redis.h"
#include "mesh_redis_resp.h"


#define MESH_REDIS_REASON_LEN  512


/*
 * WAIT has no connection and a timer for the next attempt (none when the
 * worker exits).  LEAVE is a connection whose server refuses to serve: no new
 * commands, it ends with the last answer.
 */

typedef enum {
    MESH_REDIS_PHASE_WAIT = 0,
    MESH_REDIS_PHASE_RESOLVE,
    MESH_REDIS_PHASE_CONNECT,
    MESH_REDIS_PHASE_SETUP,
    MESH_REDIS_PHASE_READY,
    MESH_REDIS_PHASE_LEAVE
} mesh_redis_phase_e;


typedef struct mesh_redis_step_s  mesh_redis_step_t;

struct mesh_redis_step_s {
    const char                  *name;
    ngx_int_t                  (*send)(mesh_redis_t *rc,
                                     mesh_redis_step_t *step);
    ngx_int_t                  (*check)(mesh_redis_t *rc,
                                     mesh_redis_reply_t *reply);
};


/*
 * Bytes of commands, each whole command in one block.  A block lives until
 * the last of its commands is answered, so that a command can be sent again;
 * buf.pos is the end of what was sent.
 */

typedef struct {
    ngx_chain_t                  link;
    ngx_buf_t                    buf;
    ngx_uint_t                   commands;
} mesh_redis_block_t;


struct mesh_redis_cmd_s {
    ngx_queue_t                  queue;
    mesh_redis_block_t          *block;
    u_char                      *start;
    u_char                      *last;
    mesh_redis_handler_pt        handler;
    void                        *data;
    mesh_redis_script_t         *script;
    mesh_redis_step_t           *step;     /* our own, not an owner's */
    ngx_msec_t                   issued;
    unsigned                     secret:1;
    unsigned                     tries:3;
};


struct mesh_redis_s {
    mesh_redis_conf_t           *conf;
    ngx_pool_t                  *pool;
    ngx_log_t                    log;
    ngx_log_t                    quiet;    /* for connect(), we say it once */

    mesh_redis_phase_e           phase;
    ngx_event_t                  timer;    /* one for all, by phase */
    ngx_msec_t                   timeout;
    ngx_uint_t                   attempts;
    ngx_msec_t                   started;  /* the last of them */
    ngx_msec_t                   hurry;    /* until then */
    ngx_msec_t                   ready_at;
    ngx_uint_t                   outage;   /* unsigned  outage:1; */

    ngx_resolver_ctx_t          *resolving;
    ngx_peer_connection_t        peer;
    ngx_sockaddr_t               sockaddr;
    ngx_str_t                    client_name;
    ngx_uint_t                   setup;    /* answers until it is ready */

    mesh_redis_reader_t         *reader;
    ngx_chain_t                 *out;      /* blocks with unsent bytes */
    mesh_redis_block_t          *tail;

    ngx_queue_t                  commands; /* in the order of answers */
    ngx_queue_t                  free;
    ngx_uint_t                   pending;  /* of owners */
    size_t                       pending_size;
    u_char                      *loading;  /* by script: LOAD is under way */

    mesh_redis_notify_pt         notify;
    void                        *data;

    ngx_str_t                    reason;
    ngx_str_t                    run_id;
    ngx_str_t                    replication_id;
    time_t                       complained;
    mesh_redis_stats_t           stats;

    u_char                       reason_buf[MESH_REDIS_REASON_LEN];
    u_char                       run_id_buf[MESH_REDIS_ID_LEN];
    u_char                       replication_id_buf[MESH_REDIS_ID_LEN];
};


/* mesh_redis.c */

/*
 * Appends a command of head and arguments to the output; NULL when there is
 * no memory.  The bytes leave with the posted write event.
 */

mesh_redis_cmd_t *mesh_redis_append(mesh_redis_t *rc, ngx_uint_t nhead,
    ngx_str_t *head, ngx_uint_t argc, ngx_str_t *argv);

/* Drops the reference of a command to its bytes, which it wipes if secret. */

void mesh_redis_release(mesh_redis_t *rc, mesh_redis_cmd_t *cmd);

/* Whether all bytes of a command were given to the kernel. */

#define mesh_redis_sent(cmd)  ((cmd)->last <= (cmd)->block->buf.pos)

void mesh_redis_read_handler(ngx_event_t *rev);
void mesh_redis_write_handler(ngx_event_t *wev);
void mesh_redis_deadline(mesh_redis_t *rc);


/* mesh_redis_connect.c */

void mesh_redis_timer_handler(ngx_event_t *ev);
void mesh_redis_connected(mesh_redis_t *rc);

/* All steps of the set-up are answered: commands may be sent. */

void mesh_redis_ready(mesh_redis_t *rc);

/*
 * Ends the connection or the attempt, for a reason with an errno or 0:
 * outcome goes to the oldest pending command if it had left, LOST to the
 * others that had, REFUSED to the rest.
 */

void mesh_redis_fail(mesh_redis_t *rc, mesh_redis_outcome_e outcome,
    ngx_err_t err, const char *fmt, ...);

/* No more commands; fails once the last one is answered. */

void mesh_redis_leave(mesh_redis_t *rc, ngx_str_t *error);


/* mesh_redis_setup.c */

/* Sends all steps at once; NGX_ERROR: no memory, and the attempt has ended. */

ngx_int_t mesh_redis_setup(mesh_redis_t *rc);

/*
 * Has a script loaded that the server does not know any more, before the
 * command that is sent again.  NGX_ERROR: no memory.
 */

ngx_int_t mesh_redis_load_script(mesh_redis_t *rc,
    mesh_redis_script_t *script);

/* The answer to a step, or to such a script; drops the command's bytes. */

void mesh_redis_setup_answer(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_reply_t *reply);


#endif /* _MESH_REDIS_INTERNAL_H_INCLUDED_ */
