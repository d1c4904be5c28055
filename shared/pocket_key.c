
#include "pocket_key.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>


#define POCKET_SECP256K1_LEN  33
#define POCKET_SEED_LEN       32
#define POCKET_POINT_LEN      32


static unsigned pocket_key_small_order(const unsigned char *point);
static int pocket_key_verify_openssl(const unsigned char *public_key,
    const unsigned char *hash, const unsigned char *signature);


/*
 * All encodings of the points of small order, without the sign bit: 0 and 1,
 * the two of order 8, p - 1, and 0 and 1 again as p and p + 1.
 */

static const unsigned char  pocket_key_small_points[][POCKET_POINT_LEN] = {

    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },

    { 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },

    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
      0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
      0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },

    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
      0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
      0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },

    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },

    { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },

    { 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }
};


/* the value of a hex digit, and one more; 0: it is none */

static const unsigned char  pocket_hex_digits[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0,
    0, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0
};


int
pocket_hex_decode(const pocket_str_t *hex, unsigned char *dst, size_t max,
    size_t *len)
{
    size_t                i, n;
    unsigned              high, low;
    const unsigned char  *p;

    if (hex->len % 2) {
        return POCKET_ERROR;
    }

    p = hex->data;
    n = hex->len / 2;

    for (i = 0; i < n; i++) {
        high = pocket_hex_digits[*p++];
        low = pocket_hex_digits[*p++];

        if (high == 0 || low == 0) {
            return POCKET_ERROR;
        }

        if (i < max) {
            dst[i] = (unsigned char) ((high - 1) << 4 | (low - 1));
        }
    }

    *len = n;

    return POCKET_OK;
}


unsigned char *
pocket_hex_encode(unsigned char *dst, const unsigned char *p, size_t len)
{
    static const unsigned char  hex[] = "0123456789abcdef";

    while (len--) {
        *dst++ = hex[*p >> 4];
        *dst++ = hex[*p++ & 0x0f];
    }

    return dst;
}


pocket_key_error_e
pocket_key_private(const pocket_str_t *hex, unsigned char *key)
{
    size_t              len;
    unsigned char       pair[POCKET_PRIVKEY_LEN], pk[POCKET_PUBKEY_LEN];
    pocket_key_error_e  error;

    error = POCKET_KEY_OK;

    if (pocket_hex_decode(hex, key, POCKET_PRIVKEY_LEN, &len) != POCKET_OK) {
        error = POCKET_KEY_HEX;

    } else if (len != POCKET_PRIVKEY_LEN) {
        error = POCKET_KEY_LENGTH;

    } else if (crypto_sign_seed_keypair(pk, pair, key) != 0
               || sodium_memcmp(pk, key + POCKET_SEED_LEN, POCKET_PUBKEY_LEN)
                  != 0)
    {
        error = POCKET_KEY_MISMATCH;
    }

    if (error != POCKET_KEY_OK) {
        sodium_memzero(key, POCKET_PRIVKEY_LEN);
    }

    sodium_memzero(pair, sizeof(pair));

    return error;
}


const char *
pocket_key_reason(pocket_key_error_e error)
{
    static const char *const  reasons[] = {
        "is good",                         /* POCKET_KEY_OK */
        "is not hexadecimal",              /* POCKET_KEY_HEX */
        "is not 64 bytes long",            /* POCKET_KEY_LENGTH */
        "has halves that do not belong together"
    };

    return reasons[error];
}


void
pocket_key_address(const unsigned char *public_key, unsigned char *address)
{
    unsigned char  hash[crypto_hash_sha256_BYTES];

    (void) crypto_hash_sha256(hash, public_key, POCKET_PUBKEY_LEN);

    memcpy(address, hash, POCKET_ADDR_LEN);
}


pocket_servicer_key_e
pocket_key_servicer(const pocket_str_t *hex, unsigned char *public_key)
{
    size_t  len;

    if (pocket_hex_decode(hex, public_key, POCKET_PUBKEY_LEN, &len)
        != POCKET_OK)
    {
        return POCKET_SERVICER_BAD;
    }

    switch (len) {

    case POCKET_PUBKEY_LEN:
        return POCKET_SERVICER_KEY;

    case POCKET_SECP256K1_LEN:
        return POCKET_SERVICER_SECP256K1;

    default:
        return POCKET_SERVICER_BAD;
    }
}


int
pocket_key_sign(const unsigned char *private_key, const unsigned char *hash,
    unsigned char *signature)
{
    if (crypto_sign_detached(signature, NULL, hash, POCKET_HASH_LEN,
                             private_key)
        != 0)
    {
        return POCKET_ERROR;
    }

    return POCKET_OK;
}


/*
 * libsodium refuses keys and R of small order, which the reference does not;
 * only for these OpenSSL, which is slower, is asked.
 */

int
pocket_key_verify(const unsigned char *public_key, const unsigned char *hash,
    const unsigned char *signature)
{
    if (crypto_sign_verify_detached(signature, hash, POCKET_HASH_LEN,
                                    public_key)
        == 0)
    {
        return 1;
    }

    if (!pocket_key_small_order(public_key)
        && !pocket_key_small_order(signature))
    {
        return 0;
    }

    return pocket_key_verify_openssl(public_key, hash, signature);
}


static unsigned
pocket_key_small_order(const unsigned char *point)
{
    size_t                i;
    const unsigned char  *small;

    for (i = 0;
         i < sizeof(pocket_key_small_points) / POCKET_POINT_LEN;
         i++)
    {
        small = pocket_key_small_points[i];

        if (memcmp(point, small, POCKET_POINT_LEN - 1) == 0
            && (point[POCKET_POINT_LEN - 1] & 0x7f)
               == small[POCKET_POINT_LEN - 1])
        {
            return 1;
        }
    }

    return 0;
}


static int
pocket_key_verify_openssl(const unsigned char *public_key,
    const unsigned char *hash, const unsigned char *signature)
{
    int          rc;
    EVP_PKEY    *key;
    EVP_MD_CTX  *ctx;

    rc = 0;

    ctx = EVP_MD_CTX_new();
    key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key,
                                      POCKET_PUBKEY_LEN);

    if (ctx && key
        && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1
        && EVP_DigestVerify(ctx, signature, POCKET_SIG_LEN, hash,
                            POCKET_HASH_LEN)
           == 1)
    {
        rc = 1;
    }

    EVP_PKEY_free(key);
    EVP_MD_CTX_free(ctx);

    return rc;
}


pocket_error_id_e
pocket_key_check(const pocket_str_t *public_key, const unsigned char *hash,
    const pocket_str_t *signature)
{
    size_t         len;
    unsigned char  key[POCKET_PUBKEY_LEN], sig[POCKET_SIG_LEN];

    if (pocket_hex_decode(signature, sig, POCKET_SIG_LEN, &len)
        != POCKET_OK)
    {
        return POCKET_ERR_SIGNATURE_HEX;
    }

    if (len != POCKET_SIG_LEN) {
        return POCKET_ERR_SIGNATURE_SIZE;
    }

    if (pocket_hex_decode(public_key, key, POCKET_PUBKEY_LEN, &len)
        != POCKET_OK
        || len != POCKET_PUBKEY_LEN)
    {
        return POCKET_ERR_KEY_HEX;
    }

    return pocket_key_verify(key, hash, sig) ? POCKET_ERR_NONE
                                             : POCKET_ERR_SIGNATURE;
}
