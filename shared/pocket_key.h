
/*
 * Hex, Ed25519 keys, addresses and signatures (spec: objects; hashes and
 * signatures; check 18).  sodium_init() must have succeeded before.
 */


#ifndef _POCKET_KEY_H_INCLUDED_
#define _POCKET_KEY_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_error.h"


typedef enum {
    POCKET_KEY_OK = 0,
    POCKET_KEY_HEX,             /* not an even number of hex digits */
    POCKET_KEY_LENGTH,          /* not POCKET_PRIVKEY_LEN bytes */
    POCKET_KEY_MISMATCH         /* the public half is not the seed's */
} pocket_key_error_e;


typedef enum {
    POCKET_SERVICER_KEY = 0,
    POCKET_SERVICER_SECP256K1,  /* passes check 1, is never held */
    POCKET_SERVICER_BAD
} pocket_servicer_key_e;


/*
 * Decodes hex of either case, at most max bytes, to dst.  POCKET_OK with the
 * length in *len, also when it exceeds max (then dst is not whole: nothing
 * past max is written); POCKET_ERROR when it is not hex.
 */
int pocket_hex_decode(const pocket_str_t *hex, unsigned char *dst, size_t max,
    size_t *len);

/* Writes 2 * len lower-case digits, not terminated; gives the end of them. */
unsigned char *pocket_hex_encode(unsigned char *dst, const unsigned char *p,
    size_t len);


/*
 * Checks a private key as a key file has it, and writes POCKET_PRIVKEY_LEN
 * bytes (seed, then public key) to key, which should be locked memory; it is
 * wiped when the key is refused.  No other copy stays anywhere.
 */
pocket_key_error_e pocket_key_private(const pocket_str_t *hex,
    unsigned char *key);

/* What is wrong with one, to follow its name: "is not hexadecimal". */
const char *pocket_key_reason(pocket_key_error_e error);

/* The POCKET_ADDR_LEN bytes of the address of a public key. */
void pocket_key_address(const unsigned char *public_key,
    unsigned char *address);

/* Check 1 on a servicer_pub_key; public_key is written for a good one. */
pocket_servicer_key_e pocket_key_servicer(const pocket_str_t *hex,
    unsigned char *public_key);


/* Signs a hash: POCKET_SIG_LEN bytes.  POCKET_OK or POCKET_ERROR. */
int pocket_key_sign(const unsigned char *private_key,
    const unsigned char *hash, unsigned char *signature);

/*
 * Verifies a hash's signature just as the reference does, also with keys
 * and points of small order.  1: valid, 0: not.
 */
int pocket_key_verify(const unsigned char *public_key,
    const unsigned char *hash, const unsigned char *signature);

/* The same in hex: POCKET_ERR_NONE or the error of check 18. */
pocket_error_id_e pocket_key_check(const pocket_str_t *public_key,
    const unsigned char *hash, const pocket_str_t *signature);


#endif /* _POCKET_KEY_H_INCLUDED_ */
