
/*
 * Makes what a benchmark of an edge sends: a key file of servicers, and
 * relays of the first of them, signed beforehand.  Keys are made of the
 * names of their owners, so that both commands agree on them.
 */


#include "pocket_hash.h"
#include "pocket_key.h"
#include "pocket_relay.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define RELAYS_BODY    4096
#define RELAYS_HEIGHT  1
#define RELAYS_DATA    "{\"jsonrpc\":\"2.0\",\"id\":1,"                       \
                       "\"method\":\"eth_blockNumber\",\"params\":[]}"


typedef struct {
    unsigned char    key[POCKET_PRIVKEY_LEN];
    unsigned char    hex[2 * POCKET_PUBKEY_LEN];
} relays_key_t;


typedef struct {
    relays_key_t     app;
    relays_key_t     client;
    relays_key_t     servicer;

    unsigned char    request[2 * POCKET_HASH_LEN];
    unsigned char    token[2 * POCKET_SIG_LEN];
    unsigned char    signature[2 * POCKET_SIG_LEN];

    pocket_relay_t   relay;
    pocket_hash_t   *hash;
} relays_t;


static int relays_keys(const char *file, const char *url, size_t n);
static int relays_run(size_t n, int64_t first, const char *path);
static void relays_init(relays_t *rs, const char *path);
static int relays_write(relays_t *rs);
static void relays_key(relays_key_t *key, const char *owner, size_t n);
static void relays_sign(relays_key_t *key, const unsigned char *hash,
    unsigned char *hex);
static pocket_str_t relays_str(const char *text);
static pocket_str_t relays_hex(const unsigned char *hex, size_t len);
static void relays_fail(const char *what);


int
main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        relays_fail("sodium_init()");
    }

    if (argc == 5 && strcmp(argv[1], "keys") == 0) {
        return relays_keys(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    }

    if (argc == 5 && strcmp(argv[1], "make") == 0) {
        return relays_run(strtoul(argv[2], NULL, 10), atoll(argv[3]),
                          argv[4]);
    }

    fputs("usage: relays keys FILE NODE-URL COUNT\n"
          "       relays make COUNT FIRST-ENTROPY PATH > FILE\n", stderr);

    return 2;
}


static int
relays_keys(const char *file, const char *url, size_t n)
{
    FILE          *f;
    size_t         i;
    relays_key_t   key;
    char           hex[2 * POCKET_PRIVKEY_LEN + 1];

    (void) umask(077);

    f = fopen(file, "w");

    if (f == NULL) {
        relays_fail(file);
    }

    fprintf(f, "[{\"name\":\"bench\",\"url\":\"%s\",\"keys\":[", url);

    for (i = 0; i < n; i++) {
        relays_key(&key, "servicer", i);
        *pocket_hex_encode((unsigned char *) hex, key.key,
                           POCKET_PRIVKEY_LEN) = '\0';
        fprintf(f, "%s\"%s\"", i ? "," : "", hex);
    }

    fputs("]}]\n", f);

    if (fclose(f) != 0) {
        relays_fail(file);
    }

    return 0;
}


static int
relays_run(size_t n, int64_t first, const char *path)
{
    relays_t  rs;

    relays_init(&rs, path);

    for (rs.relay.proof.entropy = first; n; n--) {

        if (relays_write(&rs) != POCKET_OK) {
            relays_fail("a relay");
        }

        rs.relay.proof.entropy++;
    }

    pocket_hash_destroy(rs.hash);

    if (fflush(stdout) != 0) {
        relays_fail("standard output");
    }

    return 0;
}


static void
relays_init(relays_t *rs, const char *path)
{
    pocket_aat_t    *aat;
    pocket_proof_t  *proof;
    unsigned char    hash[POCKET_HASH_LEN];

    memset(rs, 0, sizeof(relays_t));

    relays_key(&rs->app, "app", 0);
    relays_key(&rs->client, "client", 0);
    relays_key(&rs->servicer, "servicer", 0);

    rs->relay.payload.data = relays_str(RELAYS_DATA);
    rs->relay.payload.method = relays_str("POST");
    rs->relay.payload.path = relays_str(path);
    rs->relay.block_height = RELAYS_HEIGHT;

    proof = &rs->relay.proof;
    proof->session_block_height = RELAYS_HEIGHT;
    proof->blockchain = relays_str("0021");
    proof->servicer_pub_key = relays_hex(rs->servicer.hex,
                                         sizeof(rs->servicer.hex));
    proof->request_hash = relays_hex(rs->request, sizeof(rs->request));
    proof->signature = relays_hex(rs->signature, sizeof(rs->signature));

    aat = &proof->aat;
    aat->version = relays_str("0.0.1");
    aat->app_pub_key = relays_hex(rs->app.hex, sizeof(rs->app.hex));
    aat->client_pub_key = relays_hex(rs->client.hex, sizeof(rs->client.hex));
    aat->signature = relays_hex(rs->token, sizeof(rs->token));

    rs->hash = pocket_hash_create();

    if (rs->hash == NULL
        || pocket_hash_aat(rs->hash, aat, hash) != POCKET_OK)
    {
        relays_fail("SHA3-256");
    }

    relays_sign(&rs->app, hash, rs->token);

    if (pocket_hash_request(rs->hash, &rs->relay, hash) != POCKET_OK) {
        relays_fail("SHA3-256");
    }

    (void) pocket_hex_encode(rs->request, hash, POCKET_HASH_LEN);
}


/* one line: a body */

static int
relays_write(relays_t *rs)
{
    size_t                 size;
    unsigned char          body[RELAYS_BODY];
    pocket_relay_hashes_t  hashes;

    if (pocket_hash_relay(rs->hash, &rs->relay, &hashes) != POCKET_OK) {
        return POCKET_ERROR;
    }

    relays_sign(&rs->client, hashes.proof, rs->signature);

    size = pocket_relay_size(&rs->relay);

    if (size >= RELAYS_BODY) {
        return POCKET_ERROR;
    }

    *pocket_relay_write(body, &rs->relay) = '\n';

    return fwrite(body, 1, size + 1, stdout) == size + 1 ? POCKET_OK
                                                         : POCKET_ERROR;
}


static void
relays_key(relays_key_t *key, const char *owner, size_t n)
{
    char           text[64];
    unsigned char  seed[crypto_sign_SEEDBYTES], public[POCKET_PUBKEY_LEN];

    (void) snprintf(text, sizeof(text), "benchmark %s %zu", owner, n);
    (void) crypto_generichash(seed, sizeof(seed), (unsigned char *) text,
                              strlen(text), NULL, 0);
    (void) crypto_sign_seed_keypair(public, key->key, seed);
    (void) pocket_hex_encode(key->hex, public, POCKET_PUBKEY_LEN);
}


static void
relays_sign(relays_key_t *key, const unsigned char *hash, unsigned char *hex)
{
    unsigned char  signature[POCKET_SIG_LEN];

    if (pocket_key_sign(key->key, hash, signature) != POCKET_OK) {
        relays_fail("a signature");
    }

    (void) pocket_hex_encode(hex, signature, POCKET_SIG_LEN);
}


static pocket_str_t
relays_str(const char *text)
{
    pocket_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


static pocket_str_t
relays_hex(const unsigned char *hex, size_t len)
{
    pocket_str_t  s;

    s.data = (unsigned char *) hex;
    s.len = len;

    return s;
}


static void
relays_fail(const char *what)
{
    fprintf(stderr, "relays: %s failed\n", what);
    exit(1);
}
