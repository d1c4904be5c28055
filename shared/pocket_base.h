
/*
 * Base types of the protocol layer: pure C, no nginx, no I/O, no clock,
 * no mutable globals.
 */


#ifndef _POCKET_BASE_H_INCLUDED_
#define _POCKET_BASE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define POCKET_OK            0
#define POCKET_ERROR        -1

#define POCKET_HASH_LEN      32
#define POCKET_PUBKEY_LEN    32
#define POCKET_PRIVKEY_LEN   64
#define POCKET_SIG_LEN       64
#define POCKET_ADDR_LEN      20
#define POCKET_CHAIN_LEN     4


/*
 * A counted string, not terminated; the layout is that of ngx_str_t, so
 * that the modules pass one for the other without a copy.
 */

typedef struct {
    size_t           len;
    unsigned char   *data;
} pocket_str_t;


/*
 * Memory of the caller: alloc(data, size) gives size bytes aligned for any
 * type, or NULL.  There is no free: all of it ends with the caller's pool
 * (r->pool in the modules, an arena in the tools).
 */

typedef struct {
    void           *(*alloc)(void *data, size_t size);
    void            *data;
} pocket_alloc_t;


#define pocket_string(str)                                                    \
    { sizeof(str) - 1, (unsigned char *) (str) }

#define pocket_alloc(a, size)  (a)->alloc((a)->data, size)


#endif /* _POCKET_BASE_H_INCLUDED_ */
