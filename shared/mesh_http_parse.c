
/*
 * Reader of an HTTP/1.x answer, over the parsers of nginx.
 */


#include "mesh_http_parse.h"


/* the least room that is offered to a read of a body */

#define MESH_HTTP_READ_MIN    512
#define MESH_HTTP_READ_PART   16384


typedef struct {
    ngx_str_t         name;
    ngx_int_t       (*handler)(mesh_http_reader_t *reader, ngx_str_t *value);
} mesh_http_known_header_t;


static ngx_int_t mesh_http_read_status(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_read_headers(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_add_header(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_end_header(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_begin_body(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_read_length(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_read_chunked(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_take_chunk(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_read_to_eof(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_read_done(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_reserve(mesh_http_reader_t *reader, size_t size);
static ngx_int_t mesh_http_header_full(mesh_http_reader_t *reader);
static ngx_int_t mesh_http_bad(mesh_http_reader_t *reader,
    mesh_http_outcome_e outcome, const char *reason);
static ngx_int_t mesh_http_content_length(mesh_http_reader_t *reader,
    ngx_str_t *value);
static ngx_int_t mesh_http_transfer_encoding(mesh_http_reader_t *reader,
    ngx_str_t *value);
static ngx_int_t mesh_http_connection(mesh_http_reader_t *reader,
    ngx_str_t *value);
static ngx_int_t mesh_http_content_type(mesh_http_reader_t *reader,
    ngx_str_t *value);


static mesh_http_known_header_t  mesh_http_known_headers[] = {
    { ngx_string("content-length"), mesh_http_content_length },
    { ngx_string("transfer-encoding"), mesh_http_transfer_encoding },
    { ngx_string("connection"), mesh_http_connection },
    { ngx_string("content-type"), mesh_http_content_type },
    { ngx_null_string, NULL }
};


/* by state; NGX_DONE: the state changed, go on */

static ngx_int_t (*mesh_http_read_states[])(mesh_http_reader_t *reader) = {
    mesh_http_read_status,
    mesh_http_read_headers,
    mesh_http_read_length,
    mesh_http_read_chunked,
    mesh_http_read_to_eof,
    mesh_http_read_done
};


void
mesh_http_reader_init(mesh_http_reader_t *reader, ngx_connection_t *c,
    ngx_pool_t *pool, u_char *buffer, size_t size, size_t max_body,
    ngx_uint_t head)
{
    /* all but the table of headers */

    ngx_memzero(reader, offsetof(mesh_http_reader_t, headers));
    ngx_memzero(&reader->outcome,
                sizeof(mesh_http_reader_t)
                - offsetof(mesh_http_reader_t, outcome));

    reader->pool = pool;
    reader->max_body = max_body;
    reader->length = -1;
    reader->head = head;
    reader->reason = "";

    reader->buf.start = buffer;
    reader->buf.pos = buffer;
    reader->buf.last = buffer;
    reader->buf.end = buffer + size;
    reader->buf.temporary = 1;

    reader->request.connection = c;
}


ngx_int_t
mesh_http_reader_process(mesh_http_reader_t *reader)
{
    ngx_int_t  rc;

    do {
        rc = mesh_http_read_states[reader->state](reader);
    } while (rc == NGX_DONE);

    return rc;
}


void
mesh_http_reader_take(mesh_http_reader_t *reader)
{
    size_t      left;
    ngx_buf_t  *b;

    b = &reader->buf;
    left = b->last - b->pos;

    reader->taken += reader->body_last - reader->body;

    /* bytes of another answer stay: the connection is not used again */

    reader->body_last = reader->body;

    if (left == 0) {
        b->pos = reader->body;
        b->last = reader->body;
    }
}


ngx_int_t
mesh_http_reader_eof(mesh_http_reader_t *reader)
{
    if (reader->state == MESH_HTTP_READ_TO_EOF) {
        reader->state = MESH_HTTP_READ_DONE;
    }

    return (reader->state == MESH_HTTP_READ_DONE) ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
mesh_http_reader_reusable(mesh_http_reader_t *reader)
{
    return reader->state == MESH_HTTP_READ_DONE
           && !reader->close
           && reader->buf.pos == reader->buf.last;
}


static ngx_int_t
mesh_http_read_status(mesh_http_reader_t *reader)
{
    ngx_int_t  rc;

    rc = ngx_http_parse_status_line(&reader->request, &reader->buf,
                                    &reader->line);

    if (rc == NGX_AGAIN) {
        return mesh_http_header_full(reader);
    }

    /* the parser takes any major version and any three digits */

    if (rc != NGX_OK
        || reader->line.http_version < 1000
        || reader->line.http_version >= 2000
        || reader->line.code < 100
        || reader->line.code == NGX_HTTP_SWITCHING_PROTOCOLS)
    {
        return mesh_http_bad(reader, MESH_HTTP_PROTOCOL,
                             "invalid status line");
    }

    if (reader->line.http_version < 1001) {
        reader->close = 1;
    }

    reader->status = reader->line.code;
    reader->state = MESH_HTTP_READ_HEADERS;

    return NGX_DONE;
}


static ngx_int_t
mesh_http_read_headers(mesh_http_reader_t *reader)
{
    ngx_int_t  rc;

    for ( ;; ) {

        rc = ngx_http_parse_header_line(&reader->request, &reader->buf, 1);

        if (rc == NGX_OK) {

            if (mesh_http_add_header(reader) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
            return mesh_http_end_header(reader);
        }

        if (rc == NGX_AGAIN) {
            return mesh_http_header_full(reader);
        }

        return mesh_http_bad(reader, MESH_HTTP_PROTOCOL,
                             "invalid header line");
    }
}


static ngx_int_t
mesh_http_add_header(mesh_http_reader_t *reader)
{
    ngx_http_request_t        *r;
    mesh_http_header_t        *h;
    mesh_http_known_header_t  *known;

    r = &reader->request;

    if (r->invalid_header) {
        return NGX_OK;
    }

    if (reader->nheaders == MESH_HTTP_MAX_HEADERS) {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE, "too many headers");
    }

    h = &reader->headers[reader->nheaders++];

    h->name.data = r->header_name_start;
    h->name.len = r->header_name_end - r->header_name_start;
    h->value.data = r->header_start;
    h->value.len = r->header_end - r->header_start;

    for (known = mesh_http_known_headers; known->name.len; known++) {

        if (known->name.len == h->name.len
            && ngx_strncasecmp(known->name.data, h->name.data, h->name.len)
               == 0)
        {
            return known->handler(reader, &h->value);
        }
    }

    return NGX_OK;
}


static ngx_int_t
mesh_http_end_header(mesh_http_reader_t *reader)
{
    if (reader->status < 200) {

        /* an interim answer (RFC 9110, 15.2): the real one follows */

        ngx_memzero(&reader->line, sizeof(ngx_http_status_t));

        reader->state = MESH_HTTP_READ_STATUS;
        reader->status = 0;
        reader->length = -1;
        reader->chunked = 0;
        reader->close = 0;
        reader->nheaders = 0;
        ngx_str_null(&reader->content_type);

        return NGX_DONE;
    }

    reader->body = reader->buf.pos;
    reader->body_last = reader->buf.pos;

    if (reader->head
        || reader->status == NGX_HTTP_NO_CONTENT
        || reader->status == NGX_HTTP_NOT_MODIFIED)
    {
        reader->state = MESH_HTTP_READ_DONE;
        return NGX_DONE;
    }

    return mesh_http_begin_body(reader);
}


static ngx_int_t
mesh_http_begin_body(mesh_http_reader_t *reader)
{
    if (reader->chunked) {

        /* what a length beside it means was abused too often to guess */

        if (reader->length != -1 || reader->line.http_version < 1001) {
            return mesh_http_bad(reader, MESH_HTTP_PROTOCOL,
                                 "misplaced Transfer-Encoding");
        }

        reader->state = MESH_HTTP_READ_CHUNKED;

        return NGX_DONE;
    }

    if (reader->length == -1) {
        reader->close = 1;
        reader->state = MESH_HTTP_READ_TO_EOF;

        return NGX_DONE;
    }

    reader->state = MESH_HTTP_READ_LENGTH;

    if (reader->length > (off_t) reader->max_body) {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE,
                             "too large Content-Length");
    }

    return NGX_DONE;
}


static ngx_int_t
mesh_http_read_length(mesh_http_reader_t *reader)
{
    size_t  size, rest;

    size = reader->taken + (reader->buf.last - reader->body);

    if (size < (size_t) reader->length) {
        rest = (size_t) reader->length - size;

        /* what is taken away as it comes needs no room for all of it */

        if (reader->pour) {
            rest = ngx_min(rest, MESH_HTTP_READ_PART);
        }

        reader->buf.pos = reader->buf.last;
        reader->body_last = reader->buf.last;

        return mesh_http_reserve(reader, rest);
    }

    reader->body_last = reader->body + (reader->length - reader->taken);
    reader->buf.pos = reader->body_last;
    reader->state = MESH_HTTP_READ_DONE;

    return NGX_DONE;
}


static ngx_int_t
mesh_http_read_chunked(mesh_http_reader_t *reader)
{
    size_t     size;
    ngx_int_t  rc;

    for ( ;; ) {

        rc = mesh_http_parse_chunked(&reader->request, &reader->buf,
                                     &reader->chunk);

        if (rc == NGX_OK) {

            if (mesh_http_take_chunk(reader) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (rc == NGX_DONE) {
            reader->state = MESH_HTTP_READ_DONE;
            return NGX_DONE;
        }

        if (rc == NGX_AGAIN) {
            break;
        }

        return mesh_http_bad(reader, MESH_HTTP_PROTOCOL, "invalid chunk");
    }

    /* all was consumed: the next bytes come behind the decoded ones */

    reader->buf.pos = reader->body_last;
    reader->buf.last = reader->body_last;

    size = reader->taken + (size_t) (reader->body_last - reader->body);

    if (reader->chunk.size > (off_t) (reader->max_body - size)) {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE, "too large body");
    }

    return mesh_http_reserve(reader, MESH_HTTP_READ_MIN);
}


/* moves data of a chunk over the framing before it */

static ngx_int_t
mesh_http_take_chunk(mesh_http_reader_t *reader)
{
    size_t      size, left;
    ngx_buf_t  *b;

    b = &reader->buf;

    size = ngx_min((off_t) (b->last - b->pos), reader->chunk.size);
    left = reader->max_body - reader->taken
           - (reader->body_last - reader->body);

    if (size > left) {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE, "too large body");
    }

    ngx_memmove(reader->body_last, b->pos, size);

    reader->body_last += size;
    reader->chunk.size -= size;
    b->pos += size;

    return NGX_OK;
}


static ngx_int_t
mesh_http_read_to_eof(mesh_http_reader_t *reader)
{
    reader->buf.pos = reader->buf.last;
    reader->body_last = reader->buf.last;

    if (reader->taken + (reader->body_last - reader->body)
        > reader->max_body)
    {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE, "too large body");
    }

    return mesh_http_reserve(reader, MESH_HTTP_READ_MIN);
}


static ngx_int_t
mesh_http_read_done(mesh_http_reader_t *reader)
{
    return NGX_OK;
}


/*
 * Makes room for size bytes behind the body; called when there is nothing
 * undecoded in the buffer.  Doubling keeps the copies linear, memory is
 * bounded by max_body.
 */

static ngx_int_t
mesh_http_reserve(mesh_http_reader_t *reader, size_t size)
{
    size_t      used, room;
    u_char     *p;
    ngx_buf_t  *b;

    b = &reader->buf;

    if ((size_t) (b->end - b->last) >= size) {
        return NGX_AGAIN;
    }

    used = reader->body_last - reader->body;
    room = ngx_max(used, size);

    p = ngx_palloc(reader->pool, used + room);
    if (p == NULL) {
        return mesh_http_bad(reader, MESH_HTTP_INTERNAL, "no memory");
    }

    ngx_memcpy(p, reader->body, used);

    /* the first buffer is the owner's, later ones are ours */

    if (b->start == reader->body) {
        (void) ngx_pfree(reader->pool, b->start);
    }

    b->start = p;
    b->pos = p + used;
    b->last = b->pos;
    b->end = b->last + room;

    reader->body = p;
    reader->body_last = b->last;

    return NGX_AGAIN;
}


static ngx_int_t
mesh_http_header_full(mesh_http_reader_t *reader)
{
    if (reader->buf.last == reader->buf.end) {
        return mesh_http_bad(reader, MESH_HTTP_TOO_LARGE, "too large header");
    }

    return NGX_AGAIN;
}


static ngx_int_t
mesh_http_bad(mesh_http_reader_t *reader, mesh_http_outcome_e outcome,
    const char *reason)
{
    reader->outcome = outcome;
    reader->reason = reason;

    return NGX_ERROR;
}


static ngx_int_t
mesh_http_content_length(mesh_http_reader_t *reader, ngx_str_t *value)
{
    off_t  length;

    length = ngx_atoof(value->data, value->len);

    if (length == NGX_ERROR
        || (reader->length != -1 && reader->length != length))
    {
        return mesh_http_bad(reader, MESH_HTTP_PROTOCOL,
                             "invalid Content-Length");
    }

    reader->length = length;

    return NGX_OK;
}


static ngx_int_t
mesh_http_transfer_encoding(mesh_http_reader_t *reader, ngx_str_t *value)
{
    if (reader->chunked
        || value->len != 7
        || ngx_strncasecmp(value->data, (u_char *) "chunked", 7) != 0)
    {
        return mesh_http_bad(reader, MESH_HTTP_PROTOCOL,
                             "unsupported Transfer-Encoding");
    }

    reader->chunked = 1;

    return NGX_OK;
}


static ngx_int_t
mesh_http_connection(mesh_http_reader_t *reader, ngx_str_t *value)
{
    if (ngx_strlcasestrn(value->data, value->data + value->len,
                         (u_char *) "close", 5 - 1)
        != NULL)
    {
        reader->close = 1;
    }

    return NGX_OK;
}


static ngx_int_t
mesh_http_content_type(mesh_http_reader_t *reader, ngx_str_t *value)
{
    reader->content_type = *value;

    return NGX_OK;
}
