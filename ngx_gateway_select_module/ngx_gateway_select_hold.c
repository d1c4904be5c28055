
/*
 * Answers that are held until they are known to be good: the beginning in
 * memory, more than that in a temporary file.
 */


#include "ngx_gateway_select_call.h"


#define NGX_GATEWAY_SELECT_HOLD_MIN   4096
#define NGX_GATEWAY_SELECT_HOLD_MAX   65536


static ngx_int_t ngx_gateway_select_hold_room(ngx_gateway_select_hold_t *hold,
    size_t n, ngx_buf_t **buf);
static ngx_int_t ngx_gateway_select_hold_write(
    ngx_gateway_select_hold_t *hold, u_char *p, size_t n, ngx_log_t *log);
static ngx_int_t ngx_gateway_select_hold_file(ngx_gateway_select_hold_t *hold,
    ngx_log_t *log);
static ngx_chain_t *ngx_gateway_select_hold_last(
    ngx_gateway_select_hold_t *hold);
static ngx_int_t ngx_gateway_select_hold_given(
    ngx_gateway_select_hold_t *hold, ngx_chain_t *out);


ngx_int_t
ngx_gateway_select_hold_add(ngx_gateway_select_hold_t *hold, u_char *p,
    size_t n, ngx_log_t *log)
{
    size_t      part;
    ngx_buf_t  *b;

    hold->size += n;

    if (hold->size > hold->limit) {
        return NGX_DECLINED;
    }

    if (hold->filing || hold->size - hold->gone > (off_t) hold->memory) {
        return ngx_gateway_select_hold_write(hold, p, n, log);
    }

    while (n) {

        if (ngx_gateway_select_hold_room(hold, n, &b) != NGX_OK) {
            return NGX_ERROR;
        }

        part = ngx_min(n, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, p, part);
        p += part;
        n -= part;
    }

    return NGX_OK;
}


/* The last buffer, or a new one: they grow with what is held. */

static ngx_int_t
ngx_gateway_select_hold_room(ngx_gateway_select_hold_t *hold, size_t n,
    ngx_buf_t **buf)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (hold->chain) {
        cl = ngx_gateway_select_hold_last(hold);

        if (cl->buf->last < cl->buf->end) {
            *buf = cl->buf;
            return NGX_OK;
        }

    } else {
        hold->last = &hold->chain;
    }

    size = ngx_max((size_t) hold->size, n);
    size = ngx_max(size, NGX_GATEWAY_SELECT_HOLD_MIN);
    size = ngx_min(size, NGX_GATEWAY_SELECT_HOLD_MAX);

    b = ngx_create_temp_buf(hold->pool, size);
    if (b == NULL) {
        return NGX_ERROR;
    }

    cl = ngx_alloc_chain_link(hold->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    *hold->last = cl;
    hold->last = &cl->next;
    *buf = b;

    return NGX_OK;
}


static ngx_chain_t *
ngx_gateway_select_hold_last(ngx_gateway_select_hold_t *hold)
{
    return (ngx_chain_t *) ((u_char *) hold->last
                            - offsetof(ngx_chain_t, next));
}


static ngx_int_t
ngx_gateway_select_hold_write(ngx_gateway_select_hold_t *hold, u_char *p,
    size_t n, ngx_log_t *log)
{
    ssize_t  written;

    hold->filing = 1;

    if (hold->file == NULL
        && ngx_gateway_select_hold_file(hold, log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    written = ngx_write_file(&hold->file->file, p, n, hold->file->offset);

    if (written == NGX_ERROR) {
        return NGX_ERROR;
    }

    hold->file->offset += written;

    return NGX_OK;
}


/* What is in memory stays there: the file has what follows it. */

static ngx_int_t
ngx_gateway_select_hold_file(ngx_gateway_select_hold_t *hold, ngx_log_t *log)
{
    ngx_temp_file_t  *tf;

    tf = ngx_pcalloc(hold->pool, sizeof(ngx_temp_file_t));
    if (tf == NULL) {
        return NGX_ERROR;
    }

    tf->file.fd = NGX_INVALID_FILE;
    tf->file.log = log;
    tf->path = hold->path;
    tf->pool = hold->pool;
    tf->log_level = NGX_LOG_INFO;
    tf->warn = "an answer of a node is held in a temporary file";

    if (ngx_create_temp_file(&tf->file, tf->path, tf->pool, 0, 1, tf->access)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_error(tf->log_level, log, 0, "%s %V", tf->warn, &tf->file.name);

    hold->file = tf;

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_hold_text(ngx_gateway_select_hold_t *hold, ngx_str_t *text)
{
    u_char       *p;
    ngx_chain_t  *cl;

    text->len = (size_t) hold->size;
    text->data = ngx_pnalloc(hold->pool, text->len);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = text->data;

    for (cl = hold->chain; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}


ngx_int_t
ngx_gateway_select_hold_give(ngx_gateway_select_hold_t *hold,
    ngx_chain_t **out)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *out = hold->chain;

    if (hold->chain) {

        /* what is given is not added to any more */

        cl = ngx_gateway_select_hold_last(hold);
        cl->buf->end = cl->buf->last;

    } else {
        hold->last = out;
    }

    if (hold->file && hold->file->offset > hold->shown) {
        b = ngx_calloc_buf(hold->pool);
        cl = ngx_alloc_chain_link(hold->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->in_file = 1;
        b->file = &hold->file->file;
        b->file_pos = hold->shown;
        b->file_last = hold->file->offset;

        hold->shown = hold->file->offset;

        cl->buf = b;
        cl->next = NULL;

        *hold->last = cl;
    }

    return ngx_gateway_select_hold_given(hold, *out);
}


/* The links of what is given are others' to change. */

static ngx_int_t
ngx_gateway_select_hold_given(ngx_gateway_select_hold_t *hold,
    ngx_chain_t *out)
{
    ngx_chain_t  *cl;

    hold->chain = NULL;

    for ( /* void */ ; out; out = out->next) {

        cl = ngx_alloc_chain_link(hold->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = out->buf;
        cl->next = hold->given;
        hold->given = cl;
    }

    return NGX_OK;
}


void
ngx_gateway_select_hold_sent(ngx_gateway_select_hold_t *hold)
{
    ngx_chain_t  *cl, *next;

    for (cl = hold->given; cl; cl = next) {
        next = cl->next;

        if (!cl->buf->in_file) {
            (void) ngx_pfree(hold->pool, cl->buf->start);
        }

        ngx_free_chain(hold->pool, cl);
    }

    hold->given = NULL;

    if (hold->chain || (hold->file && hold->file->offset > hold->shown)) {
        return;
    }

    hold->gone = hold->size;
    hold->filing = 0;
    hold->shown = 0;

    if (hold->file) {
        hold->file->offset = 0;
    }
}
