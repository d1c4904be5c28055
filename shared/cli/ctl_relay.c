
/*
 * meshctl relay: makes, signs and sends one relay, verifies the answer.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ctl_relay.h"
#include "pocket_client.h"


#define CTL_RELAY_PATH  "/v1/client/relay"


static int ctl_relay_options(ctl_relay_options_t *o, int argc, char **argv);
static int ctl_relay_option(ctl_relay_options_t *o, int opt);
static int ctl_relay_header(ctl_relay_options_t *o, const char *line);
static int ctl_relay_header_cmp(const void *one, const void *two);
static int ctl_relay_run(ctl_relay_t *r);
static int ctl_relay_answer(ctl_relay_t *r, ctl_http_answer_t *http);
static int ctl_relay_failure(ctl_relay_t *r, ctl_http_answer_t *http,
    pocket_client_answer_t *answer);
static int ctl_relay_verify(ctl_relay_t *r, pocket_client_answer_t *answer);


static const char  ctl_relay_usage[] =
"usage: meshctl relay URL --app-key KEY --chain ID [OPTION...]\n"
"\n"
"Sends one relay to the edge or servicer at URL, prints the answer, and says\n"
"whether the servicer's signature of it is good.\n"
"\n"
"  --app-key KEY         the application's private key (128 hex digits), or a\n"
"                        file that holds it; it signs the token and, without\n"
"                        --client-key, the relay\n"
"  --client-key KEY      the client's private key, likewise\n"
"  --aat FILE            a signed token, as JSON; needs --client-key\n"
"  --chain ID            the chain, as 0021\n"
"  --servicer KEY        the servicer's public key (default: the first of the\n"
"                        dispatch)\n"
"  --session-height N    the session's first block (default: auto, by a\n"
"                        dispatch)\n"
"  --block-height N      meta.block_height (default: the dispatch's, or the\n"
"                        session's)\n"
"  --dispatch URL        where to ask for the dispatch (default: URL)\n"
"  --data TEXT           what the chain is sent; @FILE reads it, @- the input\n"
"                        (default: eth_blockNumber)\n"
"  --method NAME         HTTP method of the chain's request (POST)\n"
"  --path PATH           added to the chain's URL\n"
"  --header LINE         \"Name: value\", for the chain (repeat)\n"
"  --entropy N           (default: a random one)\n"
"  --print               print the signed relay, do not send it\n"
CTL_HTTP_HELP
"\n"
"Exit code: 0 answered and verified, 1 refused or a bad signature, 2 usage,\n"
"files or network.\n";


static const struct option  ctl_relay_table[] = {
    { "app-key", required_argument, NULL, 'a' },
    { "client-key", required_argument, NULL, 'k' },
    { "aat", required_argument, NULL, 't' },
    { "chain", required_argument, NULL, 'c' },
    { "servicer", required_argument, NULL, 's' },
    { "session-height", required_argument, NULL, 'n' },
    { "block-height", required_argument, NULL, 'b' },
    { "dispatch", required_argument, NULL, 'u' },
    { "data", required_argument, NULL, 'd' },
    { "method", required_argument, NULL, 'm' },
    { "path", required_argument, NULL, 'p' },
    { "header", required_argument, NULL, 'H' },
    { "entropy", required_argument, NULL, 'e' },
    { "print", no_argument, NULL, 'P' },
    { "help", no_argument, NULL, 'h' },
    CTL_HTTP_OPTIONS,
    { NULL, 0, NULL, 0 }
};


int
ctl_relay(int argc, char **argv)
{
    int                  rc;
    ctl_relay_t          r;
    ctl_relay_options_t  options;

    memset(&options, 0, sizeof(ctl_relay_options_t));
    memset(&r, 0, sizeof(ctl_relay_t));

    rc = ctl_relay_options(&options, argc, argv);

    if (rc == -1) {
        fputs(ctl_relay_usage, stdout);
        return CTL_OK;
    }

    if (rc != CTL_OK) {
        return rc;
    }

    r.options = &options;
    cli_arena_init(&r.arena);

    rc = ctl_relay_run(&r);

    if (r.client_key && r.client_key != r.app_key) {
        sodium_free(r.client_key);
    }

    if (r.app_key) {
        sodium_free(r.app_key);
    }

    if (r.hash) {
        pocket_hash_destroy(r.hash);
    }

    cli_buf_free(&r.data);
    cli_buf_free(&r.token);
    cli_arena_free(&r.arena);

    return rc;
}


/* -1: help was asked for */

static int
ctl_relay_options(ctl_relay_options_t *o, int argc, char **argv)
{
    int  opt, rc;

    while ((opt = getopt_long(argc, argv, "", ctl_relay_table, NULL)) != -1) {

        if (opt == 'h') {
            return -1;
        }

        if (opt == '?') {
            return CTL_USAGE;
        }

        rc = ctl_http_option(&o->http, opt, optarg);

        if (rc == 0) {
            rc = ctl_relay_option(o, opt);
        }

        if (rc == -1) {
            return ctl_usage("relay", "invalid value \"%s\"", optarg);
        }
    }

    if (optind != argc - 1) {
        return ctl_usage("relay", "one URL is expected");
    }

    o->http.url = argv[optind];

    if (o->relay.proof.blockchain.len == 0) {
        return ctl_usage("relay", "--chain is missing");
    }

    if (o->aat_file && o->client_key == NULL) {
        return ctl_usage("relay", "--aat needs --client-key");
    }

    if (o->aat_file == NULL && o->app_key == NULL) {
        return ctl_usage("relay", "--app-key is missing");
    }

    if (o->aat_file && o->app_key) {
        return ctl_usage("relay", "--app-key and --aat exclude each other");
    }

    qsort(o->headers, o->relay.payload.nheaders, sizeof(pocket_header_t),
          ctl_relay_header_cmp);

    return CTL_OK;
}


static int
ctl_relay_option(ctl_relay_options_t *o, int opt)
{
    int64_t  n;

    switch (opt) {

    case 'a':
        o->app_key = optarg;
        return 1;

    case 'k':
        o->client_key = optarg;
        return 1;

    case 't':
        o->aat_file = optarg;
        return 1;

    case 'c':
        o->relay.proof.blockchain = ctl_str(optarg);
        return *optarg ? 1 : -1;

    case 's':
        o->relay.proof.servicer_pub_key = ctl_str(optarg);
        return *optarg ? 1 : -1;

    case 'n':
        o->session_height = optarg;
        return strcmp(optarg, "auto") == 0 || ctl_number(optarg, &n) ? 1 : -1;

    case 'b':
        o->block_height = optarg;
        return ctl_number(optarg, &n) ? 1 : -1;

    case 'e':
        o->entropy = optarg;
        return ctl_number(optarg, &n) ? 1 : -1;

    case 'u':
        o->dispatch_url = optarg;
        return 1;

    case 'd':
        o->data = optarg;
        return 1;

    case 'm':
        o->relay.payload.method = ctl_str(optarg);
        return 1;

    case 'p':
        o->relay.payload.path = ctl_str(optarg);
        return 1;

    case 'H':
        return ctl_relay_header(o, optarg);

    default:
        o->print = 1;
        return 1;
    }
}


static int
ctl_relay_header(ctl_relay_options_t *o, const char *line)
{
    size_t             len;
    const char        *value;
    pocket_header_t   *header;
    pocket_payload_t  *payload;

    payload = &o->relay.payload;
    len = strcspn(line, ":");

    if (line[len] == '\0' || len == 0
        || payload->nheaders == CTL_RELAY_HEADERS)
    {
        return -1;
    }

    value = line + len + 1;
    value += strspn(value, " ");

    header = &o->headers[payload->nheaders++];
    header->name.data = (unsigned char *) line;
    header->name.len = len;
    header->value = ctl_str(value);

    payload->headers = o->headers;
    payload->has_headers = 1;

    return 1;
}


static int
ctl_relay_header_cmp(const void *one, const void *two)
{
    const pocket_header_t *a = one;
    const pocket_header_t *b = two;

    int     rc;
    size_t  len;

    len = a->name.len < b->name.len ? a->name.len : b->name.len;
    rc = memcmp(a->name.data, b->name.data, len);

    return rc ? rc : (a->name.len > b->name.len)
                     - (a->name.len < b->name.len);
}


static int
ctl_relay_run(ctl_relay_t *r)
{
    int            rc;
    size_t         size;
    unsigned char *text;

    rc = ctl_relay_prepare(r);

    if (rc == CTL_OK) {
        rc = ctl_relay_sign(r);
    }

    if (rc != CTL_OK) {
        return rc;
    }

    if (!r->options->print) {
        return ctl_relay_send(r);
    }

    size = pocket_relay_size(&r->relay);

    text = pocket_alloc(&r->arena.alloc, size);
    if (text == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    pocket_relay_write(text, &r->relay);
    printf("%.*s\n", (int) size, text);

    return CTL_OK;
}


int
ctl_relay_send(ctl_relay_t *r)
{
    int                  rc;
    unsigned char       *text;
    ctl_http_answer_t    answer;
    ctl_http_request_t  *http;

    http = &r->options->http;

    http->body.len = pocket_relay_size(&r->relay);

    text = pocket_alloc(&r->arena.alloc, http->body.len);
    if (text == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    pocket_relay_write(text, &r->relay);

    http->body.data = text;
    http->path = CTL_RELAY_PATH;
    http->method = "POST";
    http->headers = ctl_str("Content-Type: application/json\r\n");

    rc = ctl_http(http, &answer);

    if (rc != CTL_OK) {
        return rc;
    }

    rc = ctl_relay_answer(r, &answer);

    cli_buf_free(&answer.raw);

    return rc;
}


static int
ctl_relay_answer(ctl_relay_t *r, ctl_http_answer_t *http)
{
    pocket_client_answer_t  answer;
    pocket_json_error_t     err;

    if (pocket_client_answer(&http->body, &answer, &err, &r->arena.alloc)
        != 1)
    {
        ctl_error("status %u, the answer is no JSON of a relay: %.*s",
                  http->status, (int) http->body.len, http->body.data);
        return CTL_FAILED;
    }

    if (http->status != 200 || answer.error) {
        return ctl_relay_failure(r, http, &answer);
    }

    printf("%.*s\n", (int) answer.response.len, answer.response.data);
    fflush(stdout);

    return ctl_relay_verify(r, &answer);
}


static int
ctl_relay_failure(ctl_relay_t *r, ctl_http_answer_t *http,
    pocket_client_answer_t *answer)
{
    if (answer->error == NULL) {
        ctl_error("status %u: %.*s", http->status, (int) http->body.len,
                  http->body.data);
        return CTL_FAILED;
    }

    ctl_error("refused with status %u, code %u (%.*s): %.*s", http->status,
              answer->error->code, (int) answer->error->codespace.len,
              answer->error->codespace.data,
              (int) answer->error->message.len, answer->error->message.data);

    return CTL_FAILED;
}


static int
ctl_relay_verify(ctl_relay_t *r, pocket_client_answer_t *answer)
{
    pocket_error_id_e    id;
    const pocket_str_t  *servicer;

    servicer = &r->relay.proof.servicer_pub_key;

    id = pocket_client_verify(answer, servicer, r->hashes.proof, r->hash);

    if (id == POCKET_ERR_INTERNAL) {
        ctl_error("cannot hash the answer");
        return CTL_USAGE;
    }

    if (id != POCKET_ERR_NONE) {
        ctl_error("bad signature of servicer %.*s: %.*s",
                  (int) servicer->len, servicer->data,
                  (int) pocket_error_def(id)->message.len,
                  pocket_error_def(id)->message.data);
        return CTL_FAILED;
    }

    fprintf(stderr, "signature verified: servicer %.*s, chain %.*s, "
            "session %lld\n", (int) servicer->len, servicer->data,
            (int) r->relay.proof.blockchain.len,
            r->relay.proof.blockchain.data,
            (long long) r->relay.proof.session_block_height);

    return CTL_OK;
}
