
/*
 * CPU time of the protocol core for a relay like those of relays.c: the
 * crypto floor (one verification, one signature, the hashes), which no relay
 * can do without, and what decoding, validating and writing it cost.
 *
 *     crypto RATE
 *
 * A gateway's floor is that of an edge but for the token, which it hashes
 * once.  Either is taken twice: without a pause, and RATE times a second, when
 * the CPU has slept in between and its caches held other things.  The last
 * lines are for scripts: crypto_floor_us N, crypto_floor_paced_us N,
 * gateway_floor_us N, gateway_floor_paced_us N.
 */


#include "pocket_hash.h"
#include "pocket_key.h"
#include "pocket_relay.h"
#include "pocket_validate.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define BENCH_BODY    4096
#define BENCH_ANSWER  100
#define BENCH_ARENA   65536
#define BENCH_AATS    64
#define BENCH_SECOND  1000000000
#define BENCH_NS      300000000.0    /* of each row */
#define BENCH_BATCH   64
#define BENCH_PACED   3              /* seconds of the floor at a rate */


/* keys, a good relay in all its forms, and what the checks need */

typedef struct {
    unsigned char           app[POCKET_PRIVKEY_LEN];
    unsigned char           client[POCKET_PRIVKEY_LEN];
    unsigned char           servicer[POCKET_PRIVKEY_LEN];

    char                    text[BENCH_BODY];
    pocket_str_t            body;
    pocket_relay_t          relay;
    pocket_relay_hashes_t   hashes;
    unsigned char           signature[POCKET_SIG_LEN];
    pocket_str_t            answer;
    unsigned char           data[BENCH_BODY];

    pocket_hash_t          *hash;
    pocket_node_status_t    node;
    pocket_validate_t       checks;

    pocket_alloc_t          alloc;
    size_t                  used;
    unsigned char           arena[BENCH_ARENA];
} bench_t;


typedef void (*bench_pt)(bench_t *b);


static void bench_key(unsigned char *key, char *hex);
static void bench_relay(bench_t *b);
static void *bench_alloc(void *data, size_t size);
static int bench_servicer(void *data, const unsigned char *public_key,
    const pocket_node_status_t **node);
static int bench_chain(void *data, const pocket_str_t *id);
static double bench_run(bench_t *b, const char *name, bench_pt run);
static double bench_paced(bench_t *b, long rate, bench_pt hashes);
static double bench_now(void);
static void bench_fail(const char *what);
static void bench_verify(bench_t *b);
static void bench_sign(bench_t *b);
static void bench_hashes(bench_t *b);
static void bench_client_hashes(bench_t *b);
static void bench_answer(bench_t *b);
static void bench_decode(bench_t *b);
static void bench_write(bench_t *b);
static void bench_validate(bench_t *b);


int
main(int argc, char **argv)
{
    long      rate;
    double    floor_us, edge_us, gateway_us;
    bench_t  *b;

    rate = (argc == 2) ? strtol(argv[1], NULL, 10) : 0;

    if (rate <= 0 || rate > BENCH_SECOND) {
        fprintf(stderr, "usage: crypto RATE\n");
        return 2;
    }

    b = calloc(1, sizeof(bench_t));

    if (b == NULL || sodium_init() < 0) {
        bench_fail("start");
    }

    b->hash = pocket_hash_create();
    b->checks.aats = malloc(pocket_aat_cache_size(BENCH_AATS));

    if (b->hash == NULL || b->checks.aats == NULL) {
        bench_fail("start");
    }

    b->alloc.alloc = bench_alloc;
    b->alloc.data = b;

    b->node.height = 66;
    b->node.blocks_per_session = 4;

    b->checks.servicer = bench_servicer;
    b->checks.chain = bench_chain;
    b->checks.data = b;
    b->checks.hash = b->hash;
    b->checks.aats = pocket_aat_cache_init(b->checks.aats, BENCH_AATS);

    bench_relay(b);

    printf("a relay of %zu bytes, an answer of %d\n", b->body.len,
           BENCH_ANSWER);

    floor_us = bench_run(b, "verify", bench_verify);
    floor_us += bench_run(b, "sign", bench_sign);
    floor_us += bench_run(b, "hash of the answer", bench_answer);

    edge_us = bench_run(b, "hashes of the relay", bench_hashes);
    gateway_us = bench_run(b, "the same, AAT known", bench_client_hashes);

    (void) bench_run(b, "decode", bench_decode);
    (void) bench_run(b, "write", bench_write);
    (void) bench_run(b, "validate, AAT known", bench_validate);

    printf("crypto_floor_us %.2f\n", floor_us + edge_us);
    printf("crypto_floor_paced_us %.2f\n",
           bench_paced(b, rate, bench_hashes));
    printf("gateway_floor_us %.2f\n", floor_us + gateway_us);
    printf("gateway_floor_paced_us %.2f\n",
           bench_paced(b, rate, bench_client_hashes));

    pocket_hash_destroy(b->hash);
    free(b->checks.aats);
    free(b);

    return 0;
}


static void
bench_key(unsigned char *key, char *hex)
{
    unsigned char  pk[POCKET_PUBKEY_LEN];

    (void) crypto_sign_keypair(pk, key);
    *pocket_hex_encode((unsigned char *) hex, pk, sizeof(pk)) = '\0';
}


static void
bench_relay(bench_t *b)
{
    char             app[2 * POCKET_PUBKEY_LEN + 1];
    char             client[2 * POCKET_PUBKEY_LEN + 1];
    char             servicer[2 * POCKET_PUBKEY_LEN + 1];
    char             hash[2 * POCKET_HASH_LEN + 1] = "";
    char             aat[2 * POCKET_SIG_LEN + 1] = "";
    char             proof[2 * POCKET_SIG_LEN + 1] = "";
    size_t           round;
    unsigned char    sig[POCKET_SIG_LEN];
    pocket_error_t   err;

    bench_key(b->app, app);
    bench_key(b->client, client);
    bench_key(b->servicer, servicer);

    b->answer.data = b->data;
    b->answer.len = BENCH_ANSWER;
    memset(b->data, 'y', BENCH_ANSWER);

    /* each signature covers the one before */

    for (round = 0; round < 4; round++) {
        b->body.data = (unsigned char *) b->text;
        b->body.len = (size_t) snprintf(b->text, BENCH_BODY,
            "{\"payload\":{\"data\":\"{\\\"jsonrpc\\\":\\\"2.0\\\","
            "\\\"id\\\":1,\\\"method\\\":\\\"eth_blockNumber\\\","
            "\\\"params\\\":[]}\",\"method\":\"POST\",\"path\":\"size/100\","
            "\"headers\":null},\"meta\":{\"block_height\":66},\"proof\":{"
            "\"request_hash\":\"%s\",\"entropy\":4711,"
            "\"session_block_height\":65,\"servicer_pub_key\":\"%s\","
            "\"blockchain\":\"0021\",\"aat\":{\"version\":\"0.0.1\","
            "\"app_pub_key\":\"%s\",\"client_pub_key\":\"%s\","
            "\"signature\":\"%s\"},\"signature\":\"%s\"}}",
            hash, servicer, app, client, aat, proof);

        b->used = 0;

        if (pocket_relay_decode(&b->body, &b->relay, &err, &b->alloc)
            != POCKET_OK
            || pocket_hash_relay(b->hash, &b->relay, &b->hashes)
               != POCKET_OK)
        {
            bench_fail("decode");
        }

        (void) pocket_hex_encode((unsigned char *) hash, b->hashes.request,
                                 POCKET_HASH_LEN);
        (void) pocket_key_sign(b->app, b->hashes.aat, sig);
        (void) pocket_hex_encode((unsigned char *) aat, sig, sizeof(sig));
        (void) pocket_key_sign(b->client, b->hashes.proof, b->signature);
        (void) pocket_hex_encode((unsigned char *) proof, b->signature,
                                 POCKET_SIG_LEN);
    }
}


static void *
bench_alloc(void *data, size_t size)
{
    bench_t *b = data;

    void  *p;

    size = (size + 15) & ~(size_t) 15;

    if (size > BENCH_ARENA - b->used) {
        return NULL;
    }

    p = b->arena + b->used;
    b->used += size;

    return p;
}


static int
bench_servicer(void *data, const unsigned char *public_key,
    const pocket_node_status_t **node)
{
    bench_t *b = data;

    *node = &b->node;

    return memcmp(public_key,
                  b->servicer + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                  POCKET_PUBKEY_LEN)
           == 0;
}


static int
bench_chain(void *data, const pocket_str_t *id)
{
    return 1;
}


static double
bench_run(bench_t *b, const char *name, bench_pt run)
{
    size_t  i, n;
    double  start, ns;

    start = bench_now();
    n = 0;

    do {
        for (i = 0; i < BENCH_BATCH; i++) {
            b->used = 0;
            run(b);
        }

        n += BENCH_BATCH;
        ns = bench_now() - start;

    } while (ns < BENCH_NS);

    printf("%-22s %8.2f us\n", name, ns / 1000 / (double) n);

    return ns / 1000 / (double) n;
}


/* all of the floor, as often as that a second; sleeping is not counted */

static double
bench_paced(bench_t *b, long rate, bench_pt hashes)
{
    long             i, n;
    double           start, ns;
    struct timespec  pause;

    n = rate * BENCH_PACED;
    pause.tv_sec = BENCH_SECOND / rate / BENCH_SECOND;
    pause.tv_nsec = BENCH_SECOND / rate % BENCH_SECOND;
    ns = 0;

    for (i = 0; i < n; i++) {
        (void) nanosleep(&pause, NULL);

        start = bench_now();

        bench_verify(b);
        bench_sign(b);
        hashes(b);
        bench_answer(b);

        ns += bench_now() - start;
    }

    return ns / 1000 / (double) n;
}


static double
bench_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}


static void
bench_fail(const char *what)
{
    fprintf(stderr, "bench crypto: %s failed\n", what);
    exit(1);
}


static void
bench_verify(bench_t *b)
{
    if (!pocket_key_verify(b->client + POCKET_PRIVKEY_LEN - POCKET_PUBKEY_LEN,
                           b->hashes.proof, b->signature))
    {
        bench_fail("verify");
    }
}


static void
bench_sign(bench_t *b)
{
    unsigned char  sig[POCKET_SIG_LEN];

    if (pocket_key_sign(b->servicer, b->hashes.proof, sig) != POCKET_OK) {
        bench_fail("sign");
    }
}


static void
bench_hashes(bench_t *b)
{
    pocket_relay_hashes_t  hashes;

    if (pocket_hash_relay(b->hash, &b->relay, &hashes) != POCKET_OK) {
        bench_fail("hashes");
    }
}


static void
bench_client_hashes(bench_t *b)
{
    pocket_relay_hashes_t  hashes;

    if (pocket_hash_request(b->hash, &b->relay, hashes.request) != POCKET_OK
        || pocket_hash_proof(b->hash, &b->relay.proof, b->hashes.aat,
                             hashes.proof)
           != POCKET_OK)
    {
        bench_fail("hashes");
    }
}


static void
bench_answer(bench_t *b)
{
    unsigned char  hash[POCKET_HASH_LEN];

    if (pocket_hash_response(b->hash, &b->answer, b->hashes.proof, hash)
        != POCKET_OK)
    {
        bench_fail("hash");
    }
}


static void
bench_decode(bench_t *b)
{
    pocket_error_t  err;
    pocket_relay_t  relay;

    if (pocket_relay_decode(&b->body, &relay, &err, &b->alloc) != POCKET_OK) {
        bench_fail("decode");
    }
}


static void
bench_write(bench_t *b)
{
    if (pocket_relay_size(&b->relay) > BENCH_BODY) {
        bench_fail("size");
    }

    (void) pocket_relay_write(b->data, &b->relay);
}


static void
bench_validate(bench_t *b)
{
    pocket_error_t         err;
    pocket_relay_hashes_t  hashes;

    if (pocket_validate_static(&b->checks, &b->relay, &hashes, &err)
        != POCKET_OK)
    {
        bench_fail("validate");
    }
}
