
/*
 * Fuzzer of the answer reader (shared/mesh_http_parse.c).  An input is fed
 * whole and in random pieces: both must end alike.  Each piece of memory is
 * one malloc(), so that the sanitizers see what a pool would hide.
 *
 * The parsers under it are nginx's own, of a whole source tree (NGINX_SRC).
 * Links: shared/mesh_http_parse.c nginx/src/http/ngx_http_parse.c
 * Links: nginx/src/core/ngx_string.c
 *
 * Input: size of the buffer, limit of the body, seed of the pieces, flags
 * (a byte each), then the answer.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "mesh_http_parse.h"


#define FUZZ_HEAD      4
#define FUZZ_MALLOCS   64


typedef struct {
    ngx_int_t             rc;
    ngx_uint_t            eof;
    mesh_http_reader_t    reader;
    u_char               *buffer;
    void                 *mallocs[FUZZ_MALLOCS];
    ngx_uint_t            nmallocs;
} fuzz_run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_feed(fuzz_run_t *run, const u_char *head, const u_char *p,
    const u_char *last, ngx_uint_t seed);
static void fuzz_check(fuzz_run_t *run);
static void fuzz_compare(fuzz_run_t *a, fuzz_run_t *b);
static void fuzz_free(fuzz_run_t *run);


static fuzz_run_t  *fuzz_current;

volatile ngx_cycle_t  *ngx_cycle;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_run_t     whole, pieces;
    const u_char  *p, *last;

    if (size < FUZZ_HEAD) {
        return 0;
    }

    p = data + FUZZ_HEAD;
    last = data + size;

    fuzz_feed(&whole, data, p, last, 0);
    fuzz_feed(&pieces, data, p, last, 1 + data[2]);

    fuzz_compare(&whole, &pieces);

    fuzz_free(&whole);
    fuzz_free(&pieces);

    return 0;
}


static void
fuzz_feed(fuzz_run_t *run, const u_char *head, const u_char *p,
    const u_char *last, ngx_uint_t seed)
{
    size_t            n, size;
    ngx_log_t         log;
    ngx_connection_t  c;

    ngx_memzero(&log, sizeof(ngx_log_t));
    ngx_memzero(&c, sizeof(ngx_connection_t));
    ngx_memzero(run, sizeof(fuzz_run_t));

    c.log = &log;
    fuzz_current = run;

    size = 32 + 8 * head[0];

    run->buffer = malloc(size);
    if (run->buffer == NULL) {
        abort();
    }

    run->rc = NGX_AGAIN;

    mesh_http_reader_init(&run->reader, &c, (ngx_pool_t *) run, run->buffer,
                          size, 16 * head[1], head[3] & 1);

    while (p < last && run->rc == NGX_AGAIN) {

        n = run->reader.buf.end - run->reader.buf.last;

        if (seed) {
            seed = seed * 1103515245 + 12345;
            n = ngx_min(n, 1 + (seed >> 16) % 23);
        }

        n = ngx_min(n, (size_t) (last - p));

        run->reader.buf.last = ngx_cpymem(run->reader.buf.last, p, n);
        p += n;

        run->rc = mesh_http_reader_process(&run->reader);

        fuzz_check(run);
    }

    if (run->rc == NGX_AGAIN && head[3] & 2) {
        run->eof = 1;
        run->rc = mesh_http_reader_eof(&run->reader);
    }
}


static void
fuzz_check(fuzz_run_t *run)
{
    ngx_uint_t           i;
    mesh_http_reader_t  *reader;

    reader = &run->reader;

    if (reader->buf.last > reader->buf.end
        || reader->buf.pos > reader->buf.last
        || reader->nheaders > MESH_HTTP_MAX_HEADERS)
    {
        abort();
    }

    if (run->rc == NGX_AGAIN && reader->buf.last == reader->buf.end) {
        abort();
    }

    if (run->rc == NGX_ERROR && reader->outcome == MESH_HTTP_OK) {
        abort();
    }

    if (run->rc == NGX_OK
        && (size_t) (reader->body_last - reader->body) > reader->max_body)
    {
        abort();
    }

    for (i = 0; i < reader->nheaders; i++) {

        if (reader->headers[i].name.data < run->buffer
            || reader->headers[i].value.data < reader->headers[i].name.data)
        {
            abort();
        }
    }
}


static void
fuzz_compare(fuzz_run_t *a, fuzz_run_t *b)
{
    size_t  size;

    if (a->rc != b->rc || a->reader.state != b->reader.state) {
        abort();
    }

    if (a->rc == NGX_ERROR) {
        return;
    }

    size = a->reader.body_last - a->reader.body;

    if (a->reader.status != b->reader.status
        || a->reader.nheaders != b->reader.nheaders
        || (size_t) (b->reader.body_last - b->reader.body) != size
        || (size && ngx_memcmp(a->reader.body, b->reader.body, size) != 0))
    {
        abort();
    }
}


static void
fuzz_free(fuzz_run_t *run)
{
    ngx_uint_t  i;

    for (i = 0; i < run->nmallocs; i++) {
        free(run->mallocs[i]);
    }

    free(run->buffer);
}


/* what the reader and the parsers need of nginx's core */


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    void        *p;
    fuzz_run_t  *run;

    run = (fuzz_run_t *) pool;

    if (run != fuzz_current || run->nmallocs == FUZZ_MALLOCS) {
        abort();
    }

    p = malloc(size);
    if (p) {
        run->mallocs[run->nmallocs++] = p;
    }

    return p;
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    ngx_uint_t   i;
    fuzz_run_t  *run;

    run = (fuzz_run_t *) pool;

    for (i = 0; i < run->nmallocs; i++) {

        if (run->mallocs[i] == p) {
            run->mallocs[i] = run->mallocs[--run->nmallocs];
            free(p);

            return NGX_OK;
        }
    }

    abort();
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    /* the parsers log at debug level only */

    abort();
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}
