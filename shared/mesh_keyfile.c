
/*
 * Secret files and the memory that holds their contents.
 *
 * The arena of a pool is a list of page-aligned chunks found through its own
 * cleanup handler, so that callers need nothing but the pool.
 */


#include "mesh_keyfile.h"

#include <sodium.h>
#include <sys/mman.h>


#define MESH_SECRET_CHUNK  (16 * 1024)


typedef struct mesh_secret_chunk_s  mesh_secret_chunk_t;

struct mesh_secret_chunk_s {
    mesh_secret_chunk_t   *next;
    size_t                 size;
    u_char                *last;
    u_char                *end;
};


typedef struct {
    mesh_secret_chunk_t   *chunks;
    ngx_uint_t             warned;       /* unsigned  warned:1; */
} mesh_secrets_t;


static mesh_secrets_t *mesh_secrets_find(ngx_pool_t *pool);
static mesh_secrets_t *mesh_secrets_create(ngx_pool_t *pool);
static mesh_secret_chunk_t *mesh_secret_chunk_create(mesh_secrets_t *secrets,
    size_t size, ngx_log_t *log);
static void mesh_secret_lock(mesh_secrets_t *secrets,
    mesh_secret_chunk_t *chunk, ngx_log_t *log);
static void mesh_secrets_cleanup(void *data);
static ngx_int_t mesh_keyfile_open(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, size_t max, ngx_uint_t secret, ngx_str_t *text);
static ngx_int_t mesh_keyfile_access(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, ngx_file_info_t *fi);
static ngx_int_t mesh_keyfile_check(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, ngx_file_info_t *fi, size_t max);
static ngx_int_t mesh_keyfile_load(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, ngx_fd_t fd, size_t max, ngx_uint_t secret,
    ngx_str_t *text);


void *
mesh_secret_alloc(ngx_pool_t *pool, size_t size, ngx_log_t *log)
{
    u_char               *p;
    mesh_secrets_t       *secrets;
    mesh_secret_chunk_t  *chunk;

    secrets = mesh_secrets_find(pool);

    if (secrets == NULL) {
        secrets = mesh_secrets_create(pool);
        if (secrets == NULL) {
            return NULL;
        }
    }

    size = ngx_align(size, sizeof(max_align_t));

    for (chunk = secrets->chunks; chunk; chunk = chunk->next) {
        if ((size_t) (chunk->end - chunk->last) >= size) {
            break;
        }
    }

    if (chunk == NULL) {
        chunk = mesh_secret_chunk_create(secrets, size, log);
        if (chunk == NULL) {
            return NULL;
        }
    }

    p = chunk->last;
    chunk->last += size;

    return p;
}


void *
mesh_secret_conf_alloc(void *data, size_t size)
{
    ngx_conf_t *cf = data;

    return mesh_secret_alloc(cf->pool, size, cf->log);
}


void
mesh_secret_relock(ngx_pool_t *pool, ngx_log_t *log)
{
    mesh_secrets_t       *secrets;
    mesh_secret_chunk_t  *chunk;

    secrets = mesh_secrets_find(pool);
    if (secrets == NULL) {
        return;
    }

    for (chunk = secrets->chunks; chunk; chunk = chunk->next) {
        mesh_secret_lock(secrets, chunk, log);
    }
}


ngx_int_t
mesh_keyfile_read(ngx_conf_t *cf, const char *directive, ngx_str_t *name,
    size_t max, ngx_str_t *text)
{
    return mesh_keyfile_open(cf, directive, name, max, 1, text);
}


ngx_int_t
mesh_keyfile_read_plain(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, size_t max, ngx_str_t *text)
{
    return mesh_keyfile_open(cf, directive, name, max, 0, text);
}


static ngx_int_t
mesh_keyfile_open(ngx_conf_t *cf, const char *directive, ngx_str_t *name,
    size_t max, ngx_uint_t secret, ngx_str_t *text)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a FIFO in the place of the file must not hang the start */

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%s\": " ngx_open_file_n " \"%V\" failed",
                           directive, name);
        return NGX_ERROR;
    }

    rc = mesh_keyfile_load(cf, directive, name, fd, max, secret, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


static mesh_secrets_t *
mesh_secrets_find(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == mesh_secrets_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static mesh_secrets_t *
mesh_secrets_create(ngx_pool_t *pool)
{
    mesh_secrets_t      *secrets;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(mesh_secrets_t));
    if (cln == NULL) {
        return NULL;
    }

    secrets = cln->data;
    ngx_memzero(secrets, sizeof(mesh_secrets_t));

    cln->handler = mesh_secrets_cleanup;

    return secrets;
}


static mesh_secret_chunk_t *
mesh_secret_chunk_create(mesh_secrets_t *secrets, size_t size, ngx_log_t *log)
{
    void                 *p;
    size_t                head;
    mesh_secret_chunk_t  *chunk;

    head = ngx_align(sizeof(mesh_secret_chunk_t), sizeof(max_align_t));

    if (size > NGX_MAX_SIZE_T_VALUE - head - ngx_pagesize) {
        return NULL;
    }

    size = ngx_align(ngx_max(size + head, MESH_SECRET_CHUNK), ngx_pagesize);

    /* pages of its own: locks and wiping work on whole pages */

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS,
             -1, 0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "mmap(%uz) for secrets failed", size);
        return NULL;
    }

    chunk = p;
    chunk->size = size;
    chunk->last = (u_char *) p + head;
    chunk->end = (u_char *) p + size;

    chunk->next = secrets->chunks;
    secrets->chunks = chunk;

    mesh_secret_lock(secrets, chunk, log);

    return chunk;
}


static void
mesh_secret_lock(mesh_secrets_t *secrets, mesh_secret_chunk_t *chunk,
    ngx_log_t *log)
{
    /* leaves the pages out of core dumps even where the lock is refused */

    if (sodium_mlock(chunk, chunk->size) == 0 || secrets->warned) {
        return;
    }

    secrets->warned = 1;

    ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                  "mlock() of secrets failed, they may be swapped out; "
                  "raise RLIMIT_MEMLOCK");
}


static void
mesh_secrets_cleanup(void *data)
{
    mesh_secrets_t *secrets = data;

    size_t                size;
    mesh_secret_chunk_t  *chunk, *next;

    for (chunk = secrets->chunks; chunk; chunk = next) {
        next = chunk->next;
        size = chunk->size;

        ngx_explicit_memzero(chunk, size);

        (void) munmap(chunk, size);
    }

    secrets->chunks = NULL;
}


static ngx_int_t
mesh_keyfile_load(ngx_conf_t *cf, const char *directive, ngx_str_t *name,
    ngx_fd_t fd, size_t max, ngx_uint_t secret, ngx_str_t *text)
{
    size_t           size;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%s\": " ngx_fd_info_n " \"%V\" failed",
                           directive, name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\": \"%V\" is not a regular file",
                           directive, name);
        return NGX_ERROR;
    }

    if (secret && mesh_keyfile_access(cf, directive, name, &fi) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mesh_keyfile_check(cf, directive, name, &fi, max) != NGX_OK) {
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&fi);

    text->len = 0;
    text->data = mesh_secret_alloc(cf->pool, size + 1, cf->log);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    while (text->len < size) {
        n = ngx_read_fd(fd, text->data + text->len, size - text->len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "\"%s\": " ngx_read_fd_n " \"%V\" failed",
                               directive, name);
            return NGX_ERROR;
        }

        if (n == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%s\": \"%V\" shrank while it was read",
                               directive, name);
            return NGX_ERROR;
        }

        text->len += n;
    }

    return NGX_OK;
}


/* root may read the file of whoever nginx is run for */

static ngx_int_t
mesh_keyfile_access(ngx_conf_t *cf, const char *directive, ngx_str_t *name,
    ngx_file_info_t *fi)
{
    ngx_uint_t  mode;

    mode = ngx_file_access(fi);

    if (mode & 077) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\": \"%V\" is open to group or others "
                           "(mode 0%ui%ui%ui), run \"chmod 600 %V\"",
                           directive, name, mode >> 6, (mode >> 3) & 7,
                           mode & 7, name);
        return NGX_ERROR;
    }

    if (geteuid() != 0 && fi->st_uid != 0 && fi->st_uid != geteuid()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\": \"%V\" belongs to user %ui, neither root "
                           "nor who starts nginx, run \"chown %ui %V\"",
                           directive, name, (ngx_uint_t) fi->st_uid,
                           (ngx_uint_t) geteuid(), name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
mesh_keyfile_check(ngx_conf_t *cf, const char *directive, ngx_str_t *name,
    ngx_file_info_t *fi, size_t max)
{
    if (ngx_file_size(fi) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%s\": \"%V\" is empty",
                           directive, name);
        return NGX_ERROR;
    }

    if (ngx_file_size(fi) > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\": \"%V\" has %O bytes, at most %uz are "
                           "expected", directive, name,
                           ngx_file_size(fi), max);
        return NGX_ERROR;
    }

    return NGX_OK;
}
