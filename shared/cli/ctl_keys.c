
/*
 * meshctl keys: checks files of servicers' keys, and makes new ones.
 */


#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "ctl.h"
#include "pocket_files.h"
#include "pocket_key.h"


#define CTL_KEYS_MAX      1000
#define CTL_KEYS_ROOM(n)  ((size_t) (n) * (2 * POCKET_PRIVKEY_LEN + 8) + 8192)


typedef struct {
    const char           *file;
    const char           *url;
    const char           *name;
    int64_t               count;
} ctl_keys_new_t;


static int ctl_keys_check(const char *name);
static void ctl_keys_print(pocket_file_keys_t *keys);
static void *ctl_keys_alloc(void *data, size_t size);
static int ctl_keys_new(int argc, char **argv);
static int ctl_keys_new_options(ctl_keys_new_t *n, int argc, char **argv);
static void ctl_keys_new_key(cli_buf_t *text, cli_buf_t *shown);


static const char  ctl_keys_usage[] =
"usage: meshctl keys check FILE\n"
"       meshctl keys new FILE [--url URL [--name NAME] [--count N]]\n"
"\n"
"check reads FILE as \"mesh_relay_servicers\" does, in either format, and\n"
"prints the full nodes with their servicers: address and public key.\n"
"\n"
"new makes FILE, which must not be there: with --url a key file of N (1) new\n"
"servicers of the full node at URL; without it one private key, as \"relay\n"
"--app-key\" takes it.  Prints addresses and public keys.\n"
"\n"
"Nothing secret is ever printed.\n"
"\n"
"Exit code: 0 the file is good, 1 it is refused (content, mode, owner),\n"
"2 usage, or it cannot be read or written.\n";


static const struct option  ctl_keys_new_table[] = {
    { "url", required_argument, NULL, 'u' },
    { "name", required_argument, NULL, 'n' },
    { "count", required_argument, NULL, 'c' },
    { NULL, 0, NULL, 0 }
};


int
ctl_keys(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(ctl_keys_usage, stdout);
        return CTL_OK;
    }

    if (argc > 1 && strcmp(argv[1], "new") == 0) {
        return ctl_keys_new(argc - 1, argv + 1);
    }

    if (argc < 2 || strcmp(argv[1], "check") != 0) {
        return ctl_usage("keys", "\"check\" or \"new\" is expected");
    }

    if (argc != 3) {
        return ctl_usage("keys", "one file is expected");
    }

    return ctl_keys_check(argv[2]);
}


static int
ctl_keys_check(const char *name)
{
    int                   rc;
    cli_buf_t             text;
    cli_arena_t           arena;
    pocket_alloc_t        secret;
    pocket_file_keys_t    keys;
    pocket_file_error_t   err;

    rc = ctl_file_read(name, 1, &text);

    if (rc != CTL_OK) {
        return rc;
    }

    cli_arena_init(&arena);
    secret.alloc = ctl_keys_alloc;
    secret.data = NULL;

    if (pocket_file_keys(&text.text, &keys, &err, &arena.alloc, &secret)
        == POCKET_OK)
    {
        ctl_keys_print(&keys);

    } else {
        ctl_error("\"%s\": %.*s", name, (int) err.len, err.text);
        rc = CTL_FAILED;
    }

    cli_arena_free(&arena);
    ctl_file_wipe(&text);

    return rc;
}


static void
ctl_keys_print(pocket_file_keys_t *keys)
{
    size_t                   i, j;
    unsigned char            address[2 * POCKET_ADDR_LEN];
    unsigned char            key[2 * POCKET_PUBKEY_LEN];
    pocket_file_node_t      *node;
    pocket_file_servicer_t  *servicer;

    for (i = 0; i < keys->nnodes; i++) {
        node = &keys->nodes[i];

        printf("%.*s  %.*s  %zu servicer%s\n", (int) node->name.len,
               node->name.data, (int) node->url.len, node->url.data,
               node->nservicers, node->nservicers == 1 ? "" : "s");

        for (j = 0; j < keys->nservicers; j++) {
            servicer = &keys->servicers[j];

            if (servicer->node != i) {
                continue;
            }

            pocket_hex_encode(address, servicer->address, POCKET_ADDR_LEN);
            pocket_hex_encode(key, servicer->public_key, POCKET_PUBKEY_LEN);

            printf("  %.*s  %.*s\n", (int) sizeof(address), address,
                   (int) sizeof(key), key);
        }
    }
}


/* locked, guarded, and gone with the process that needs it no longer */

static void *
ctl_keys_alloc(void *data, size_t size)
{
    return sodium_malloc(size);
}


static int
ctl_keys_new(int argc, char **argv)
{
    int              rc;
    int64_t          i;
    cli_buf_t        text, shown;
    pocket_str_t     s;
    ctl_keys_new_t   n;

    memset(&n, 0, sizeof(ctl_keys_new_t));
    memset(&text, 0, sizeof(cli_buf_t));
    memset(&shown, 0, sizeof(cli_buf_t));
    n.count = 1;

    rc = ctl_keys_new_options(&n, argc, argv);

    if (rc != CTL_OK) {
        return rc;
    }

    /* all the room at once: growing would leave copies of keys in the heap */

    if (cli_buf_room(&text, CTL_KEYS_ROOM(n.count)) == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    if (n.url == NULL) {
        ctl_keys_new_key(&text, &shown);
        cli_buf_text(&text, "\n");

    } else {
        cli_buf_text(&text, "[{");

        if (n.name) {
            s = ctl_str(n.name);
            cli_buf_text(&text, "\"name\":");
            cli_buf_json(&text, &s);
            cli_buf_text(&text, ",");
        }

        s = ctl_str(n.url);
        cli_buf_text(&text, "\"url\":");
        cli_buf_json(&text, &s);
        cli_buf_text(&text, ",\"keys\":[");

        for (i = 0; i < n.count; i++) {
            cli_buf_text(&text, i ? ",\n\"" : "\n\"");
            ctl_keys_new_key(&text, &shown);
            cli_buf_text(&text, "\"");
        }

        cli_buf_text(&text, "]}]\n");
    }

    rc = ctl_file_write(n.file, &text.text);

    if (rc == CTL_OK) {
        fwrite(shown.text.data, 1, shown.text.len, stdout);
    }

    ctl_file_wipe(&text);
    cli_buf_free(&shown);

    return rc;
}


static int
ctl_keys_new_options(ctl_keys_new_t *n, int argc, char **argv)
{
    int  opt;

    while ((opt = getopt_long(argc, argv, "", ctl_keys_new_table, NULL))
           != -1)
    {
        switch (opt) {

        case 'u':
            n->url = optarg;
            break;

        case 'n':
            n->name = optarg;
            break;

        case 'c':

            if (!ctl_number(optarg, &n->count) || n->count < 1
                || n->count > CTL_KEYS_MAX)
            {
                return ctl_usage("keys", "invalid value \"%s\"", optarg);
            }

            break;

        default:
            return CTL_USAGE;
        }
    }

    if (optind != argc - 1) {
        return ctl_usage("keys", "one file is expected");
    }

    if (n->url == NULL && (n->name || n->count > 1)) {
        return ctl_usage("keys", "--name and --count need --url");
    }

    n->file = argv[optind];

    return CTL_OK;
}


static void
ctl_keys_new_key(cli_buf_t *text, cli_buf_t *shown)
{
    unsigned char  *p, key[POCKET_PRIVKEY_LEN], public[POCKET_PUBKEY_LEN];
    unsigned char   address[POCKET_ADDR_LEN], hex[2 * POCKET_PUBKEY_LEN];

    p = cli_buf_room(text, 2 * POCKET_PRIVKEY_LEN);
    if (p == NULL) {
        return;
    }

    crypto_sign_keypair(public, key);

    pocket_hex_encode(p, key, POCKET_PRIVKEY_LEN);
    text->text.len += 2 * POCKET_PRIVKEY_LEN;
    sodium_memzero(key, sizeof(key));

    pocket_key_address(public, address);

    pocket_hex_encode(hex, address, POCKET_ADDR_LEN);
    cli_buf_printf(shown, "%.*s  ", 2 * POCKET_ADDR_LEN, hex);
    pocket_hex_encode(hex, public, POCKET_PUBKEY_LEN);
    cli_buf_printf(shown, "%.*s\n", 2 * POCKET_PUBKEY_LEN, hex);
}
