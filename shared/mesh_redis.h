
/*
 * Redis client on nginx's event loop.
 *
 * One mesh_redis_t is one connection of one worker.  Commands issued in one
 * turn of the loop leave in one write; answers come in the same order.  The
 * client connects by itself, and again after a loss; while it is not ready
 * commands are refused at once, nothing is queued for later.
 *
 * No function calls a handler before it returns.  Handlers may issue and
 * cancel commands, but must not call mesh_redis_close().
 */


#ifndef _MESH_REDIS_H_INCLUDED_
#define _MESH_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define MESH_REDIS_SHA1_LEN    40
#define MESH_REDIS_ID_LEN      40


typedef enum {
    MESH_REDIS_NIL = 0,
    MESH_REDIS_INTEGER,
    MESH_REDIS_STRING,
    MESH_REDIS_STATUS,
    MESH_REDIS_ERROR,
    MESH_REDIS_ARRAY
} mesh_redis_kind_e;


typedef struct mesh_redis_reply_s   mesh_redis_reply_t;

struct mesh_redis_reply_s {
    mesh_redis_kind_e            kind;
    int64_t                      integer;  /* INTEGER */
    ngx_str_t                    str;      /* STRING, STATUS, ERROR */
    ngx_uint_t                   nelts;    /* ARRAY */
    mesh_redis_reply_t          *elts;
};


/*
 * What became of a command.  ANSWERED and FAILED were executed as far as
 * the command got; OOM and REFUSED certainly were not; after LOST and TIMEOUT
 * it is unknown.  The reply is NULL for LOST and TIMEOUT, and for REFUSED
 * when the command never left this process.
 */

typedef enum {
    MESH_REDIS_ANSWERED = 0,
    MESH_REDIS_FAILED,                     /* an error reply not named below */
    MESH_REDIS_OOM,                        /* maxmemory reached */
    MESH_REDIS_REFUSED,                    /* READONLY, LOADING, BUSY, ... */
    MESH_REDIS_LOST,
    MESH_REDIS_TIMEOUT
} mesh_redis_outcome_e;


typedef enum {
    MESH_REDIS_DOWN = 0,
    MESH_REDIS_CONNECTING,
    MESH_REDIS_READY
} mesh_redis_state_e;


typedef struct {
    ngx_uint_t                   connects;  /* times it became ready */
    ngx_uint_t                   failures;  /* connects that failed */
    ngx_uint_t                   losses;    /* ready connections lost */
    ngx_uint_t                   commands;  /* accepted, without set-up */
    ngx_uint_t                   refused;   /* not accepted: down or full */
    ngx_uint_t                   answered;
    ngx_uint_t                   errors;    /* FAILED, OOM, REFUSED */
    ngx_uint_t                   unknown;   /* LOST, TIMEOUT */
    ngx_uint_t                   reloads;   /* scripts loaded on NOSCRIPT */
    ngx_uint_t                   writes;    /* calls of writev() */
    off_t                        sent;      /* bytes */
    off_t                        received;
} mesh_redis_stats_t;


typedef struct {
    ngx_str_t                    name;
    ngx_str_t                    text;
    ngx_str_t                    sha1;     /* hex */
    ngx_uint_t                   index;
} mesh_redis_script_t;


/* One Redis server as configured; lives in cf->pool. */

typedef struct {
    ngx_str_t                    name;     /* as written: host:port, unix:/ */
    ngx_url_t                    url;
    ngx_uint_t                   db;
    ngx_str_t                    user;
    ngx_str_t                    password; /* locked memory */
    ngx_msec_t                   connect_timeout;
    ngx_msec_t                   timeout;
    ngx_msec_t                   reconnect_max;
    ngx_uint_t                   max_pending;
    size_t                       max_pending_size;
    size_t                       max_reply_size;
    ngx_resolver_t              *resolver;
    ngx_msec_t                   resolver_timeout;
    ngx_array_t                  scripts;  /* mesh_redis_script_t * */
} mesh_redis_conf_t;


typedef struct mesh_redis_s      mesh_redis_t;
typedef struct mesh_redis_cmd_s  mesh_redis_cmd_t;


/*
 * Called once for each accepted command that was not canceled.  The reply
 * and all it points to end with the call: copy.  Strings may hold any bytes
 * and are not terminated.
 */

typedef void (*mesh_redis_handler_pt)(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply);

/*
 * Called on each change of mesh_redis_state() to READY (commands are taken
 * now) and from READY to DOWN (pending commands got their outcomes, or get
 * them soon).
 */

typedef void (*mesh_redis_notify_pt)(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state);


/* Configuration. */

/*
 * Parses the arguments of a directive from cf->args: ADDRESS and, in any
 * order, db=, user=, password_file=, connect_timeout=, timeout=,
 * reconnect_max=, max_pending=, max_pending_size=, max_reply_size=.  Gives
 * an object in cf->pool, or NULL with an emerg line that names the value.
 */

mesh_redis_conf_t *mesh_redis_conf_create(ngx_conf_t *cf);


/*
 * To be called from init_main_conf, once the resolver of the http level is
 * known.  With resolver NULL a host name is looked up here; a name that is
 * not found is a warning, and the server then stays down.
 */

ngx_int_t mesh_redis_conf_init(ngx_conf_t *cf, mesh_redis_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);


/*
 * Registers a script: every connection of this conf loads it before it is
 * ready, and again when the server lost it.  Name and text are not copied.
 * The same name with the same text gives the same object.
 */

mesh_redis_script_t *mesh_redis_script_add(ngx_conf_t *cf,
    mesh_redis_conf_t *conf, ngx_str_t *name, ngx_str_t *text);


/* Life of a connection. */

/*
 * Makes a client and lets it connect soon; for init_process of workers and
 * the single process.  role ends up in CLIENT SETNAME (no spaces); timeout
 * in milliseconds is the deadline of each command, 0 means that of conf;
 * notify may be NULL.  NULL only when there is no memory.
 */

mesh_redis_t *mesh_redis_create(ngx_cycle_t *cycle, mesh_redis_conf_t *conf,
    char *role, ngx_msec_t timeout, mesh_redis_notify_pt notify, void *data);


/*
 * For exit_process: closes and frees everything.  Handlers of pending
 * commands are not called; those issued last leave if one write takes them.
 * NULL is allowed.
 */

void mesh_redis_close(mesh_redis_t *rc);


/*
 * Somebody waits for the connection for the next msec milliseconds: until
 * then an attempt begins 100 ms after the one before, whatever the back-off
 * was, and the first of them as soon as that allows.  A worker that quits
 * connects for nothing else.
 */

void mesh_redis_hurry(mesh_redis_t *rc, ngx_msec_t msec);

/*
 * Ends a connection that is ready once its pending commands are answered, and
 * makes it again: what it knows of its server is not true any more.  reason
 * is logged and not copied; notify is called before this returns.
 */

void mesh_redis_renew(mesh_redis_t *rc, ngx_str_t *reason);


/* Commands. */

/*
 * Issues a command of argc binary-safe arguments, which are copied.  handler
 * may be NULL.  cmd, if not NULL, gets a handle for mesh_redis_cancel().
 * NGX_OK: the handler will be called later, exactly once.  Otherwise it will
 * not be called: NGX_DECLINED not ready, NGX_BUSY max_pending or
 * max_pending_size reached, NGX_ERROR no memory.
 *
 * A pending command holds a graceful quit of the worker until its deadline.
 * A missed deadline drops the connection: that command gets TIMEOUT, all
 * others LOST, or REFUSED where they had not left yet.
 */

ngx_int_t mesh_redis_command(mesh_redis_t *rc, ngx_uint_t argc,
    ngx_str_t *argv, mesh_redis_handler_pt handler, void *data,
    mesh_redis_cmd_t **cmd);


/*
 * The same for EVALSHA; argv are nkeys keys, then the script's arguments.
 * NOSCRIPT is never seen by the handler: the script is loaded and the
 * command sent again, behind commands issued in between.
 */

ngx_int_t mesh_redis_eval(mesh_redis_t *rc, mesh_redis_script_t *script,
    ngx_uint_t nkeys, ngx_uint_t argc, ngx_str_t *argv,
    mesh_redis_handler_pt handler, void *data, mesh_redis_cmd_t **cmd);


/*
 * Detaches the owner of a pending command: its handler will not be called.
 * The command itself goes on.  The handle is invalid after this, and after
 * the handler was called.
 */

void mesh_redis_cancel(mesh_redis_cmd_t *cmd);


/* What is known of a connection. */

mesh_redis_state_e mesh_redis_state(mesh_redis_t *rc);
ngx_uint_t mesh_redis_pending(mesh_redis_t *rc);
mesh_redis_stats_t *mesh_redis_stats(mesh_redis_t *rc);

/* Text of the last failure to connect or loss, empty if there was none. */

ngx_str_t *mesh_redis_reason(mesh_redis_t *rc);

/*
 * Run id and replication id (hex) of the server last reached, empty before.
 * Another run id: the server restarted; another replication id: it lost
 * or replaced its data (a failover, a full resynchronization).
 */

ngx_str_t *mesh_redis_run_id(mesh_redis_t *rc);
ngx_str_t *mesh_redis_replication_id(mesh_redis_t *rc);


#endif /* _MESH_REDIS_H_INCLUDED_ */
