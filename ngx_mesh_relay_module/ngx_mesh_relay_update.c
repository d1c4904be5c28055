
/*
 * Replacing the chain set at run time.
 */


#include "ngx_mesh_relay.h"
#include "ngx_mesh_relay_answer.h"
#include "ngx_mesh_relay_chains.h"
#include "ngx_mesh_relay_shm.h"
#include "ngx_mesh_relay_update.h"


#define NGX_MESH_RELAY_UPDATE_AGAIN   20        /* ms, while another runs */
#define NGX_MESH_RELAY_UPDATE_WAIT    20000

#define NGX_MESH_RELAY_UPDATE_SUFFIX  ".new"

/* of the name of the temporary file: process, connection, suffix */
#define NGX_MESH_RELAY_UPDATE_TAIL                                            \
    (sizeof(NGX_MESH_RELAY_UPDATE_SUFFIX) + 2 + NGX_INT64_LEN                 \
     + NGX_ATOMIC_T_LEN)


/* an update, and what the thread works on; of the request's pool */

typedef struct {
    ngx_event_t           timer;      /* set while another one runs */
    ngx_msec_t            begun;
    ngx_uint_t            number;     /* 0: it waits, or is over */
    ngx_http_request_t   *request;
    u_char               *file;
    u_char                tail[NGX_MESH_RELAY_UPDATE_TAIL];
    ngx_str_t             text;       /* as it came: goes to the file */
    ngx_str_t             before;     /* the set in force until now */
    ngx_err_t             err;
    const char           *failed;     /* the call that failed, or NULL */
} ngx_mesh_relay_update_t;


static void ngx_mesh_relay_update_try(ngx_http_request_t *r,
    ngx_thread_task_t *task);
static void ngx_mesh_relay_update_again(ngx_event_t *ev);
static void ngx_mesh_relay_update_cleanup(void *data);
static void ngx_mesh_relay_update_over(ngx_mesh_relay_update_t *up);
static void ngx_mesh_relay_update_run(ngx_http_request_t *r,
    ngx_thread_task_t *task);
static ngx_int_t ngx_mesh_relay_update_start(ngx_http_request_t *r,
    ngx_thread_task_t *task);
static void ngx_mesh_relay_update_write(void *data, ngx_log_t *log);
static void ngx_mesh_relay_update_replace(ngx_mesh_relay_update_t *up,
    char *file, char *temp);
static void ngx_mesh_relay_update_written(ngx_event_t *ev);
static ngx_int_t ngx_mesh_relay_update_failed(ngx_mesh_relay_update_t *up);
static ngx_int_t ngx_mesh_relay_update_answer(ngx_http_request_t *r);


void
ngx_mesh_relay_update_chains(ngx_http_request_t *r)
{
    ngx_event_t              *ev;
    ngx_thread_task_t        *task;
    ngx_pool_cleanup_t       *cln;
    ngx_mesh_relay_update_t  *up;

    task = ngx_thread_task_alloc(r->pool, sizeof(ngx_mesh_relay_update_t));
    if (task == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    up = task->ctx;

    ngx_memzero(up, sizeof(ngx_mesh_relay_update_t));

    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (cln == NULL || ngx_mesh_relay_body(r, &up->text) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    cln->handler = ngx_mesh_relay_update_cleanup;
    cln->data = up;

    ev = &up->timer;

    ev->handler = ngx_mesh_relay_update_again;
    ev->data = task;
    ev->log = r->connection->log;

    up->request = r;
    up->begun = ngx_current_msec;

    ngx_mesh_relay_update_try(r, task);
}


static void
ngx_mesh_relay_update_try(ngx_http_request_t *r, ngx_thread_task_t *task)
{
    ngx_int_t                    rc;
    ngx_mesh_relay_update_t     *up;
    ngx_mesh_relay_main_conf_t  *mcf;

    static ngx_str_t  busy = ngx_string("another update takes too long");

    up = task->ctx;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    up->number = ngx_mesh_relay_update_begin(mcf);

    if (up->number) {
        ngx_mesh_relay_update_run(r, task);
        return;
    }

    if (ngx_current_msec - up->begun < NGX_MESH_RELAY_UPDATE_WAIT) {
        ngx_add_timer(&up->timer, NGX_MESH_RELAY_UPDATE_AGAIN);
        return;
    }

    rc = ngx_mesh_relay_send_http_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        &busy);
    ngx_http_finalize_request(r, rc);
}


static void
ngx_mesh_relay_update_again(ngx_event_t *ev)
{
    ngx_thread_task_t *task = ev->data;

    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_mesh_relay_update_t  *up;

    up = task->ctx;
    r = up->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_mesh_relay_update_try(r, task);

    ngx_http_run_posted_requests(c);
}


/* a request that ends while its thread runs is held by that */

static void
ngx_mesh_relay_update_cleanup(void *data)
{
    ngx_mesh_relay_update_t *up = data;

    if (up->timer.timer_set) {
        ngx_del_timer(&up->timer);
    }

    ngx_mesh_relay_update_over(up);
}


static void
ngx_mesh_relay_update_over(ngx_mesh_relay_update_t *up)
{
    ngx_mesh_relay_main_conf_t  *mcf;

    if (up->number == 0) {
        return;
    }

    mcf = ngx_http_get_module_main_conf(up->request, ngx_mesh_relay_module);

    ngx_mesh_relay_update_end(mcf, up->number);

    up->number = 0;
}


static void
ngx_mesh_relay_update_run(ngx_http_request_t *r, ngx_thread_task_t *task)
{
    ngx_int_t                    rc;
    ngx_str_t                    err;
    ngx_mesh_relay_update_t     *up;
    ngx_mesh_relay_main_conf_t  *mcf;

    up = task->ctx;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    if (ngx_mesh_relay_chains_text(mcf, r->pool, &up->before) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rc = ngx_mesh_relay_chains_replace(mcf, r->pool, &up->text, &err);

    if (rc == NGX_DECLINED) {
        ngx_mesh_relay_update_over(up);

        rc = ngx_mesh_relay_send_http_error(r, NGX_HTTP_BAD_REQUEST, &err);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (rc != NGX_OK || ngx_mesh_relay_update_start(r, task) != NGX_OK) {
        (void) ngx_mesh_relay_chains_replace(mcf, r->pool, &up->before, &err);
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


static ngx_int_t
ngx_mesh_relay_update_start(ngx_http_request_t *r, ngx_thread_task_t *task)
{
    ngx_mesh_relay_update_t     *up;
    ngx_mesh_relay_main_conf_t  *mcf;

    up = task->ctx;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    up->file = mcf->chains_file.data;

    /* one that counts as lost must not write to the file of the next */

    (void) ngx_sprintf(up->tail, ".%P.%uA" NGX_MESH_RELAY_UPDATE_SUFFIX "%Z",
                       ngx_pid, r->connection->number);

    task->handler = ngx_mesh_relay_update_write;
    task->event.handler = ngx_mesh_relay_update_written;
    task->event.data = task;

    if (ngx_thread_task_post(mcf->thread_pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    r->main->blocked++;
    r->aio = 1;

    return NGX_OK;
}


/* runs in the thread: no nginx pools, no logging */

static void
ngx_mesh_relay_update_write(void *data, ngx_log_t *log)
{
    ngx_mesh_relay_update_t *up = data;

    char    *file, *temp;
    size_t   len;

    up->failed = NULL;

    /* a link stays one: what it leads to is replaced */

    file = realpath((char *) up->file, NULL);

    if (file == NULL) {
        up->failed = "realpath()";
        up->err = ngx_errno;
        return;
    }

    len = ngx_strlen(file);
    temp = malloc(len + NGX_MESH_RELAY_UPDATE_TAIL);

    if (temp == NULL) {
        up->failed = "malloc()";
        up->err = ngx_errno;
        free(file);
        return;
    }

    ngx_memcpy(temp, file, len);
    ngx_memcpy(temp + len, up->tail, NGX_MESH_RELAY_UPDATE_TAIL);

    ngx_mesh_relay_update_replace(up, file, temp);

    free(temp);
    free(file);
}


static void
ngx_mesh_relay_update_replace(ngx_mesh_relay_update_t *up, char *file,
    char *temp)
{
    u_char       *p;
    size_t        left;
    ssize_t       n;
    ngx_fd_t      fd;
    struct stat   st;

    if (stat(file, &st) == -1) {
        up->failed = "stat()";
        up->err = ngx_errno;
        return;
    }

    fd = open(temp, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW, S_IRUSR|S_IWUSR);

    if (fd == -1) {
        up->failed = "open()";
        up->err = ngx_errno;
        return;
    }

    p = up->text.data;

    for (left = up->text.len; left; left -= n) {
        n = write(fd, p, left);

        if (n == -1) {
            up->failed = "write()";
            up->err = ngx_errno;
            break;
        }

        p += n;
    }

    if (up->failed == NULL
        && (fchmod(fd, st.st_mode & 07777) == -1 || fsync(fd) == -1))
    {
        up->failed = "fsync()";
        up->err = ngx_errno;
    }

    (void) close(fd);

    if (up->failed == NULL && rename(temp, file) == -1) {
        up->failed = "rename()";
        up->err = ngx_errno;
    }

    if (up->failed) {
        (void) unlink(temp);
    }
}


static void
ngx_mesh_relay_update_written(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_thread_task_t        *task;
    ngx_http_request_t       *r;
    ngx_mesh_relay_update_t  *up;

    task = ev->data;
    up = task->ctx;
    r = up->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;
    r->aio = 0;

    rc = up->failed ? ngx_mesh_relay_update_failed(up)
                    : ngx_mesh_relay_update_answer(r);

    ngx_mesh_relay_update_over(up);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_mesh_relay_update_failed(ngx_mesh_relay_update_t *up)
{
    u_char                      *p;
    size_t                       size;
    ngx_str_t                    message, err;
    ngx_http_request_t          *r;
    ngx_mesh_relay_main_conf_t  *mcf;

    r = up->request;
    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, up->err,
                  "chains were not updated: %s \"%s\" failed",
                  up->failed, up->file);

    if (ngx_mesh_relay_chains_replace(mcf, r->pool, &up->before, &err)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the chains before could not be put in force again");
    }

    size = sizeof("\"\" cannot be written: , nothing was changed")
           + ngx_strlen(up->file) + NGX_MAX_ERROR_STR;

    message.data = ngx_pnalloc(r->pool, size);
    if (message.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_slprintf(message.data, message.data + size,
                     "\"%s\" cannot be written: ", up->file);
    p = ngx_strerror(up->err, p, message.data + size - p);
    p = ngx_slprintf(p, message.data + size, ", nothing was changed");

    message.len = p - message.data;

    return ngx_mesh_relay_send_http_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                          &message);
}


static ngx_int_t
ngx_mesh_relay_update_answer(ngx_http_request_t *r)
{
    ngx_str_t                    text;
    ngx_mesh_relay_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_relay_module);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "chains updated, \"%V\" written", &mcf->chains_file);

    if (ngx_mesh_relay_chains_by_id(mcf, r->pool, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_mesh_relay_send_text(r, NGX_HTTP_OK,
                                    NGX_MESH_RELAY_TYPE_RELAY, &text);
}
