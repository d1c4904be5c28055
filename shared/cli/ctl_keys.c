
/*
 * meshctl keys: checks a file of servicers' keys, and tells what is in it.
 */


#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "ctl.h"
#include "pocket_files.h"
#include "pocket_key.h"


static int ctl_keys_check(const char *name);
static void ctl_keys_print(pocket_file_keys_t *keys);
static void *ctl_keys_alloc(void *data, size_t size);


static const char  ctl_keys_usage[] =
"usage: meshctl keys check FILE\n"
"\n"
"Reads FILE as \"mesh_relay_servicers\" does, in either format, and prints the\n"
"full nodes with their servicers: address and public key.  Nothing secret is\n"
"printed.\n"
"\n"
"Exit code: 0 the file is good, 1 it is refused (content, mode, owner),\n"
"2 it cannot be read.\n";


int
ctl_keys(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(ctl_keys_usage, stdout);
        return CTL_OK;
    }

    if (argc < 2 || strcmp(argv[1], "check") != 0) {
        return ctl_usage("keys", "\"check\" is expected");
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
