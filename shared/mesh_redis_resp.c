
/*
 * RESP2: commands to bytes, bytes to replies.
 *
 * hiredis' reader builds its objects through our functions, straight into a
 * pool that is reset with each reply: no malloc() per element.
 */


#include "mesh_redis_resp.h"

#include <hiredis/hiredis.h>


#define MESH_REDIS_POOL_SIZE   (16 * 1024)

/* a pool that grew beyond this is not kept for the next reply */

#define MESH_REDIS_POOL_KEEP   (256 * 1024)

/* "$", the number and CRLF, and CRLF after the string */

#define MESH_REDIS_ARG_LEN     (1 + NGX_SIZE_T_LEN + 2 + 2)


/* the type of a count of elements changed with the major version */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  mesh_redis_count_t;
#else
typedef int     mesh_redis_count_t;
#endif


struct mesh_redis_reader_s {
    redisReader          *reader;
    ngx_pool_t           *pool;
    ngx_log_t            *log;
    size_t                max;
    size_t                used;      /* of the pool, by the present reply */
    unsigned              done:1;    /* the pool holds a whole reply */
    unsigned              exceeded:1;
};


static mesh_redis_reply_t *mesh_redis_reader_slot(const redisReadTask *task,
    mesh_redis_kind_e kind);
static void *mesh_redis_reader_alloc(mesh_redis_reader_t *reader, size_t size);
static ngx_int_t mesh_redis_reader_reset(mesh_redis_reader_t *reader);
static void *mesh_redis_create_string(const redisReadTask *task, char *data,
    size_t len);
static void *mesh_redis_create_array(const redisReadTask *task,
    mesh_redis_count_t elements);
static void *mesh_redis_create_integer(const redisReadTask *task,
    long long value);
static void *mesh_redis_create_nil(const redisReadTask *task);
#if (HIREDIS_MAJOR >= 1)
static void *mesh_redis_create_double(const redisReadTask *task, double value,
    char *data, size_t len);
static void *mesh_redis_create_bool(const redisReadTask *task, int value);
#endif
static void mesh_redis_free_object(void *object);
static u_char *mesh_redis_resp_number(u_char *p, u_char prefix, size_t n);


static redisReplyObjectFunctions  mesh_redis_functions = {
    mesh_redis_create_string,
    mesh_redis_create_array,
    mesh_redis_create_integer,
#if (HIREDIS_MAJOR >= 1)
    mesh_redis_create_double,
#endif
    mesh_redis_create_nil,
#if (HIREDIS_MAJOR >= 1)
    mesh_redis_create_bool,
#endif
    mesh_redis_free_object
};


mesh_redis_reader_t *
mesh_redis_reader_create(size_t max, ngx_log_t *log)
{
    mesh_redis_reader_t  *reader;

    reader = ngx_calloc(sizeof(mesh_redis_reader_t), log);
    if (reader == NULL) {
        return NULL;
    }

    reader->max = max;
    reader->log = log;

    reader->pool = ngx_create_pool(MESH_REDIS_POOL_SIZE, log);
    reader->reader = redisReaderCreateWithFunctions(&mesh_redis_functions);

    if (reader->pool == NULL || reader->reader == NULL) {
        mesh_redis_reader_destroy(reader);
        return NULL;
    }

    reader->reader->privdata = reader;

    return reader;
}


void
mesh_redis_reader_destroy(mesh_redis_reader_t *reader)
{
    if (reader == NULL) {
        return;
    }

    if (reader->reader) {
        redisReaderFree(reader->reader);
    }

    if (reader->pool) {
        ngx_destroy_pool(reader->pool);
    }

    ngx_free(reader);
}


ngx_int_t
mesh_redis_reader_feed(mesh_redis_reader_t *reader, u_char *data, size_t len)
{
    if (reader->reader->len - reader->reader->pos + len > reader->max) {
        reader->exceeded = 1;
        return NGX_ERROR;
    }

    if (redisReaderFeed(reader->reader, (char *) data, len) != REDIS_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
mesh_redis_reader_next(mesh_redis_reader_t *reader, mesh_redis_reply_t **reply)
{
    void  *object;

    if (reader->done && mesh_redis_reader_reset(reader) != NGX_OK) {
        return NGX_ERROR;
    }

    object = NULL;

    if (redisReaderGetReply(reader->reader, &object) != REDIS_OK) {
        return NGX_ERROR;
    }

    if (object == NULL) {
        return NGX_AGAIN;
    }

    reader->done = 1;
    *reply = object;

    return NGX_OK;
}


const char *
mesh_redis_reader_error(mesh_redis_reader_t *reader)
{
    if (reader->exceeded) {
        return "the reply is larger than max_reply_size";
    }

    return reader->reader->errstr;
}


static ngx_int_t
mesh_redis_reader_reset(mesh_redis_reader_t *reader)
{
    reader->done = 0;

    if (reader->used <= MESH_REDIS_POOL_KEEP) {
        reader->used = 0;
        ngx_reset_pool(reader->pool);
        return NGX_OK;
    }

    reader->used = 0;

    ngx_destroy_pool(reader->pool);

    reader->pool = ngx_create_pool(MESH_REDIS_POOL_SIZE, reader->log);

    return reader->pool ? NGX_OK : NGX_ERROR;
}


static void *
mesh_redis_reader_alloc(mesh_redis_reader_t *reader, size_t size)
{
    if (size > reader->max - reader->used) {
        reader->exceeded = 1;
        return NULL;
    }

    reader->used += size;

    return ngx_palloc(reader->pool, size);
}


/* the place of an object: in its array, or on its own at the top level */

static mesh_redis_reply_t *
mesh_redis_reader_slot(const redisReadTask *task, mesh_redis_kind_e kind)
{
    mesh_redis_reply_t   *reply, *parent;

    if (task->parent) {
        parent = task->parent->obj;
        reply = &parent->elts[task->idx];

    } else {
        reply = mesh_redis_reader_alloc(task->privdata,
                                        sizeof(mesh_redis_reply_t));
        if (reply == NULL) {
            return NULL;
        }
    }

    ngx_memzero(reply, sizeof(mesh_redis_reply_t));
    reply->kind = kind;

    return reply;
}


static void *
mesh_redis_create_string(const redisReadTask *task, char *data, size_t len)
{
    mesh_redis_kind_e    kind;
    mesh_redis_reply_t  *reply;

    switch (task->type) {

    case REDIS_REPLY_STRING:
        kind = MESH_REDIS_STRING;
        break;

    case REDIS_REPLY_STATUS:
        kind = MESH_REDIS_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        kind = MESH_REDIS_ERROR;
        break;

    default:
        return NULL;
    }

    reply = mesh_redis_reader_slot(task, kind);
    if (reply == NULL) {
        return NULL;
    }

    /* hiredis' buffer moves while a reply is incomplete */

    reply->str.data = mesh_redis_reader_alloc(task->privdata, len);
    if (reply->str.data == NULL) {
        return NULL;
    }

    reply->str.len = len;
    ngx_memcpy(reply->str.data, data, len);

    return reply;
}


static void *
mesh_redis_create_array(const redisReadTask *task, mesh_redis_count_t elements)
{
    size_t                n;
    mesh_redis_reply_t   *reply;
    mesh_redis_reader_t  *reader;

    reader = task->privdata;

    if (task->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }

    n = elements;

    if (n > reader->max / sizeof(mesh_redis_reply_t)) {
        reader->exceeded = 1;
        return NULL;
    }

    reply = mesh_redis_reader_slot(task, MESH_REDIS_ARRAY);
    if (reply == NULL) {
        return NULL;
    }

    if (n == 0) {
        return reply;
    }

    reply->elts = mesh_redis_reader_alloc(reader,
                                          n * sizeof(mesh_redis_reply_t));
    if (reply->elts == NULL) {
        return NULL;
    }

    reply->nelts = n;

    return reply;
}


static void *
mesh_redis_create_integer(const redisReadTask *task, long long value)
{
    mesh_redis_reply_t  *reply;

    reply = mesh_redis_reader_slot(task, MESH_REDIS_INTEGER);
    if (reply == NULL) {
        return NULL;
    }

    reply->integer = value;

    return reply;
}


static void *
mesh_redis_create_nil(const redisReadTask *task)
{
    return mesh_redis_reader_slot(task, MESH_REDIS_NIL);
}


#if (HIREDIS_MAJOR >= 1)

/*
 * Types of RESP3, which was not asked for.  Without these functions hiredis
 * would hand out a type number in the place of an object.
 */

static void *
mesh_redis_create_double(const redisReadTask *task, double value, char *data,
    size_t len)
{
    return NULL;
}


static void *
mesh_redis_create_bool(const redisReadTask *task, int value)
{
    return NULL;
}

#endif


static void
mesh_redis_free_object(void *object)
{
    /* the pool owns it */
}


size_t
mesh_redis_resp_size(ngx_uint_t argc, ngx_str_t *argv)
{
    size_t      size;
    ngx_uint_t  i;

    size = (argc + 1) * MESH_REDIS_ARG_LEN;

    for (i = 0; i < argc; i++) {
        size += argv[i].len;
    }

    return size;
}


u_char *
mesh_redis_resp_array(u_char *p, size_t n)
{
    return mesh_redis_resp_number(p, '*', n);
}


u_char *
mesh_redis_resp_strings(u_char *p, ngx_uint_t argc, ngx_str_t *argv)
{
    ngx_uint_t  i;

    for (i = 0; i < argc; i++) {
        p = mesh_redis_resp_number(p, '$', argv[i].len);

        if (argv[i].len) {
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }

        *p++ = CR;
        *p++ = LF;
    }

    return p;
}


/* runs for every argument of every command: no ngx_sprintf() */

static u_char *
mesh_redis_resp_number(u_char *p, u_char prefix, size_t n)
{
    u_char  *d, digits[NGX_SIZE_T_LEN];

    d = digits + NGX_SIZE_T_LEN;

    do {
        *--d = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    *p++ = prefix;
    p = ngx_cpymem(p, d, digits + NGX_SIZE_T_LEN - d);
    *p++ = CR;
    *p++ = LF;

    return p;
}
