
/*
 * The file of gateway_apps: applications by whose stake relays are paid, each
 * with a key that signs them (spec: objects; hashes and signatures).
 *
 * An entry is {"name","priv_key"}: the application's own key, its token is
 * made here; or {"name","aat":{"version","app_pub_key","client_pub_key",
 * "signature"},"client_priv_key"}: a token that was made elsewhere.
 */


#ifndef _GATEWAY_APPS_H_INCLUDED_
#define _GATEWAY_APPS_H_INCLUDED_


#include "pocket_files.h"
#include "pocket_hash.h"


/*
 * All hex is lower case, whatever the file has.  Strings are of the caller's
 * memory, none is a slice of the file's text.
 */

typedef struct {
    pocket_str_t       name;               /* or the address, for logs */
    pocket_str_t       address;            /* hex */
    pocket_aat_t       aat;                /* signed; its app_pub_key is */
                                           /*   how dispatchers know it */
    unsigned char      token[POCKET_HASH_LEN];    /* hash of the aat */
    unsigned char     *client_key;         /* POCKET_PRIVKEY_LEN, secret */
} gateway_app_t;


typedef struct {
    gateway_app_t     *apps;
    size_t             n;
} gateway_apps_t;


/*
 * POCKET_OK, or POCKET_ERROR with *err, which names entry and field and no
 * part of a secret.  Refused are keys that are none or whose halves do not
 * belong together, a token that its application has not signed or that is of
 * another client key, an application that is there twice, an empty list.
 * secret gives the memory of keys; sodium_init() must have succeeded.
 */
int gateway_apps_parse(const pocket_str_t *text, gateway_apps_t *out,
    pocket_file_error_t *err, pocket_hash_t *hash, pocket_alloc_t *a,
    pocket_alloc_t *secret);


#endif /* _GATEWAY_APPS_H_INCLUDED_ */
