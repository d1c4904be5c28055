
/*
 * The texts of an edge's files: keys in both formats, chains, tokens, names
 * of chains (spec: files).  The strings given out are slices of the text or
 * from the caller's allocator.
 */


#ifndef _POCKET_FILES_H_INCLUDED_
#define _POCKET_FILES_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_json.h"
#include "pocket_request.h"


#define POCKET_FILE_ERROR_LEN  256


typedef enum {
    POCKET_FILE_OK = 0,
    POCKET_FILE_JSON,            /* not JSON */
    POCKET_FILE_SHAPE,           /* a type, or something that is missing */
    POCKET_FILE_KEY,             /* a private key is none */
    POCKET_FILE_DUPLICATE,       /* a key or an id is there twice */
    POCKET_FILE_MEMORY
} pocket_file_error_e;


/*
 * text names the entry, counted from 1, and the reason; no part of a secret
 * is ever in it.
 */

typedef struct {
    pocket_file_error_e      type;
    size_t                   len;
    unsigned char            text[POCKET_FILE_ERROR_LEN];
} pocket_file_error_t;


typedef struct {
    unsigned char            public_key[POCKET_PUBKEY_LEN];
    unsigned char            address[POCKET_ADDR_LEN];
    unsigned char           *private_key;    /* POCKET_PRIVKEY_LEN, secret */
    size_t                   node;           /* index of its node */
} pocket_file_servicer_t;


typedef struct {
    pocket_str_t             url;
    pocket_str_t             name;           /* or else the url's host */
    size_t                   nservicers;
} pocket_file_node_t;


/* nodes in file order, one per url; servicers in file order too */

typedef struct {
    pocket_file_node_t      *nodes;
    size_t                   nnodes;
    pocket_file_servicer_t  *servicers;
    size_t                   nservicers;
} pocket_file_keys_t;


typedef struct {
    pocket_request_chain_t  *chains;
    size_t                   nchains;
} pocket_file_chains_t;


typedef struct {
    pocket_str_t             id;
    pocket_str_t             label;
} pocket_file_name_t;


typedef struct {
    pocket_file_name_t      *names;
    size_t                   nnames;
} pocket_file_names_t;


/*
 * All of them: POCKET_OK, or POCKET_ERROR with *err.  secret gives the
 * memory of private keys and tokens (locked, wiped by its owner), a all
 * else; other copies are wiped here, the text itself is the caller's to
 * wipe.
 */
int pocket_file_keys(const pocket_str_t *text, pocket_file_keys_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a, pocket_alloc_t *secret);

/* Ids are 1 to 4 bytes of hex, each once; urls are not looked into. */
int pocket_file_chains(const pocket_str_t *text, pocket_file_chains_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a);

/* The token: its Value, not empty, fit for a header. */
int pocket_file_auth(const pocket_str_t *text, pocket_str_t *token,
    pocket_file_error_t *err, pocket_alloc_t *secret);

int pocket_file_names(const pocket_str_t *text, pocket_file_names_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a);

/*
 * For other readers of such files.  The text by its tables: what is no JSON
 * at all is told before what is not of the tables' types.
 */
int pocket_file_decode(const pocket_str_t *text,
    const pocket_json_field_t *root, void *out, pocket_file_error_t *err,
    pocket_alloc_t *a);

/* Set *err, and give POCKET_ERROR. */
int pocket_file_fail(pocket_file_error_t *err, pocket_file_error_e type,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int pocket_file_memory(pocket_file_error_t *err);


#endif /* _POCKET_FILES_H_INCLUDED_ */
