
/*
 * Secret files and the memory that holds their contents.
 */


#ifndef _MESH_KEYFILE_H_INCLUDED_
#define _MESH_KEYFILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Gives size bytes, aligned for any type and zeroed, of memory that is
 * locked, left out of core dumps, and wiped when the pool is destroyed.
 * Callers share pages, so many small secrets are cheap.  There is no free.
 * Memory that could not be locked (RLIMIT_MEMLOCK) is given all the same,
 * with one warning per pool.  NULL when there is no memory.
 */

void *mesh_secret_alloc(ngx_pool_t *pool, size_t size, ngx_log_t *log);

/* The same from cf->pool, as the function of a pocket_alloc_t: data is cf. */

void *mesh_secret_conf_alloc(void *data, size_t size);


/*
 * Locks the secrets of a pool again: mlock() is not inherited by fork(), so
 * every worker calls this for cycle->pool in its init_process.  A failure is
 * one warning, never an error; a pool without secrets is fine.
 */

void mesh_secret_relock(ngx_pool_t *pool, ngx_log_t *log);


/*
 * Reads a whole secret file at configuration time into memory of
 * mesh_secret_alloc(cf->pool); a NUL that is not counted follows the text.
 * A relative name is taken from the configuration prefix and the full name
 * is left in *name.  Refused with NGX_ERROR and an emerg line that names the
 * directive, the file and the remedy: not a regular file, empty, above max
 * bytes, readable or writable by group or others, owned by anybody else than
 * root or the effective user (root reads anybody's).  Wipe the text by
 * ngx_explicit_memzero() once it is parsed.
 */

ngx_int_t mesh_keyfile_read(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, size_t max, ngx_str_t *text);

/* The same for a file that is no secret: mode and owner are not looked at. */

ngx_int_t mesh_keyfile_read_plain(ngx_conf_t *cf, const char *directive,
    ngx_str_t *name, size_t max, ngx_str_t *text);


#endif /* _MESH_KEYFILE_H_INCLUDED_ */
