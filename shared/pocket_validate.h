
/*
 * The checks of a relay that its session has no part in: 1 to 18 of the
 * spec, in the reference's order.  Those of the session, 19 to 21, are
 * pocket_session_relay() and the look-up of the proof.
 */


#ifndef _POCKET_VALIDATE_H_INCLUDED_
#define _POCKET_VALIDATE_H_INCLUDED_


#include "pocket_aat_cache.h"
#include "pocket_base.h"
#include "pocket_error.h"
#include "pocket_hash.h"
#include "pocket_node.h"
#include "pocket_relay.h"


/*
 * What the checks ask of their caller.  servicer: 1 when the key is held,
 * with the last check answer of its node in *node, NULL when it was not
 * reached.  chain: 1 when the id is hosted.  aats may be NULL.
 */

typedef struct {
    int                  (*servicer)(void *data,
                                     const unsigned char *public_key,
                                     const pocket_node_status_t **node);
    int                  (*chain)(void *data, const pocket_str_t *id);
    void                  *data;

    pocket_hash_t         *hash;
    pocket_aat_cache_t    *aats;
} pocket_validate_t;


/*
 * POCKET_OK: the relay passes, and *hashes is filled; POCKET_ERROR: *err is
 * what its client is told, *hashes is not to be used.  With the AAT in aats
 * it takes one verification of a signature, else two.
 */
int pocket_validate_static(const pocket_validate_t *v,
    const pocket_relay_t *relay, pocket_relay_hashes_t *hashes,
    pocket_error_t *err);


#endif /* _POCKET_VALIDATE_H_INCLUDED_ */
