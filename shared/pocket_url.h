
/*
 * Urls of chains, taken apart and encoded as the reference's library does
 * it (spec: serving a relay; RFC 3986).
 */


#ifndef _POCKET_URL_H_INCLUDED_
#define _POCKET_URL_H_INCLUDED_


#include "pocket_base.h"


/*
 * The parts, all slices of one text, still encoded.  host has its port, but
 * no empty one; it is "unix:/path" for http://unix:/path:/target, as nginx
 * writes it.  query begins with its question mark; a fragment is dropped.
 */

typedef struct {
    pocket_str_t     scheme;         /* "http" or "https" */
    pocket_str_t     user;           /* user:password, without the @ */
    pocket_str_t     host;
    pocket_str_t     path;
    pocket_str_t     query;
    unsigned         has_user;
} pocket_url_t;


/*
 * POCKET_OK, or POCKET_ERROR: no http or https url, a control byte, a bad
 * escape, or a host or port that is none.
 */
int pocket_url_parse(const pocket_str_t *text, pocket_url_t *url);

/*
 * The target of a request line, "/" at least, allocated from a.  The path
 * is percent-encoded where it must be; the query stays as it came, even with
 * a space in it.  POCKET_ERROR: no memory.
 */
int pocket_url_target(const pocket_url_t *url, pocket_str_t *target,
    pocket_alloc_t *a);

/*
 * Writes the bytes that s, a part of a parsed url, stands for: at most
 * s->len, of which the number is returned.
 */
size_t pocket_url_decode(unsigned char *dst, const pocket_str_t *s);

/*
 * Splits *s before the first c: *s becomes the head, and the rest, with c at
 * its start, is returned; empty when there is no c.
 */
pocket_str_t pocket_url_cut(pocket_str_t *s, unsigned char c);


#endif /* _POCKET_URL_H_INCLUDED_ */
