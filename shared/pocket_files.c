
/*
 * Files of an edge: chains, tokens, names of chains, and what is common to
 * their readers.
 */


#include "pocket_files.h"

#include "pocket_json.h"
#include "pocket_key.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


typedef struct {
    pocket_str_t             id;
    pocket_str_t             url;
    pocket_str_t             username;
    pocket_str_t             password;
} pocket_file_chain_t;


typedef struct {
    pocket_str_t             key;
    pocket_json_value_t      value;
} pocket_file_member_t;


static int pocket_file_ignore(void *data, const pocket_json_event_t *ev);
static int pocket_file_chain(const pocket_file_chains_t *out, size_t n,
    pocket_file_error_t *err);
static int pocket_file_name(const pocket_file_member_t *member,
    pocket_file_name_t *name, pocket_file_error_t *err, pocket_alloc_t *a);


static const pocket_json_field_t  pocket_file_basic_fields[] = {
    pocket_json_field("username", STRING, pocket_file_chain_t, username),
    pocket_json_field("password", STRING, pocket_file_chain_t, password)
};

static const pocket_json_table_t  pocket_file_basic_table =
    pocket_json_table(pocket_file_basic_fields, pocket_file_chain_t);

static const pocket_json_field_t  pocket_file_chain_fields[] = {
    pocket_json_field("id", STRING, pocket_file_chain_t, id),
    pocket_json_field("url", STRING, pocket_file_chain_t, url),
    { pocket_string("basic_auth"), POCKET_JSON_T_STRUCT, 0,
      &pocket_file_basic_table }
};

static const pocket_json_table_t  pocket_file_chain_table =
    pocket_json_table(pocket_file_chain_fields, pocket_file_chain_t);

static const pocket_json_field_t  pocket_file_chain_elt =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_file_chain_table };

static const pocket_json_table_t  pocket_file_chains_table =
    { &pocket_file_chain_elt, 1, sizeof(pocket_file_chain_t) };

static const pocket_json_field_t  pocket_file_chains_root =
    { pocket_string(""), POCKET_JSON_T_ARRAY, 0, &pocket_file_chains_table };


static const pocket_json_field_t  pocket_file_auth_fields[] = {
    { pocket_string("Value"), POCKET_JSON_T_STRING, 0, NULL }
};

static const pocket_json_table_t  pocket_file_auth_table =
    pocket_json_table(pocket_file_auth_fields, pocket_str_t);

static const pocket_json_field_t  pocket_file_auth_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_file_auth_table };


static const pocket_json_field_t  pocket_file_member_elt =
    pocket_json_field("", VALUE, pocket_file_member_t, value);

static const pocket_json_table_t  pocket_file_members_table =
    { &pocket_file_member_elt, 1, sizeof(pocket_file_member_t) };

static const pocket_json_field_t  pocket_file_names_root =
    { pocket_string(""), POCKET_JSON_T_MAP, 0, &pocket_file_members_table };


static const pocket_json_field_t  pocket_file_label_fields[] = {
    { pocket_string("label"), POCKET_JSON_T_STRING, 0, NULL }
};

static const pocket_json_table_t  pocket_file_label_table =
    pocket_json_table(pocket_file_label_fields, pocket_str_t);

static const pocket_json_field_t  pocket_file_label_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &pocket_file_label_table };


int
pocket_file_decode(const pocket_str_t *text, const pocket_json_field_t *root,
    void *out, pocket_file_error_t *err, pocket_alloc_t *a)
{
    int                  rc;
    pocket_json_error_t  error, rest;

    rc = pocket_json_decode(text, root, out, &error, a);

    if (rc == 1) {
        return POCKET_OK;
    }

    if (rc == POCKET_ERROR) {
        return pocket_file_memory(err);
    }

    /* what is not JSON at all is told first */

    if (error.refused) {

        if (pocket_json_read(text, pocket_file_ignore, NULL, &rest) == 1) {
            return pocket_file_fail(err, POCKET_FILE_SHAPE, "%.*s",
                                    (int) error.len, (char *) error.text);
        }

        error = rest;
    }

    return pocket_file_fail(err, POCKET_FILE_JSON, "%.*s", (int) error.len,
                            (char *) error.text);
}


static int
pocket_file_ignore(void *data, const pocket_json_event_t *ev)
{
    return 1;
}


int
pocket_file_fail(pocket_file_error_t *err, pocket_file_error_e type,
    const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf((char *) err->text, POCKET_FILE_ERROR_LEN, fmt, args);
    va_end(args);

    err->type = type;
    err->len = 0;

    if (n > 0) {
        err->len = (n < POCKET_FILE_ERROR_LEN) ? (size_t) n
                                               : POCKET_FILE_ERROR_LEN - 1;
    }

    return POCKET_ERROR;
}


int
pocket_file_memory(pocket_file_error_t *err)
{
    return pocket_file_fail(err, POCKET_FILE_MEMORY, "no memory");
}


int
pocket_file_chains(const pocket_str_t *text, pocket_file_chains_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a)
{
    size_t                i;
    pocket_json_array_t   array;
    pocket_file_chain_t  *chain;

    memset(out, 0, sizeof(pocket_file_chains_t));
    memset(&array, 0, sizeof(pocket_json_array_t));

    if (pocket_file_decode(text, &pocket_file_chains_root, &array, err, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (!array.present) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "the value must be an array");
    }

    out->chains = pocket_alloc(a, (array.n + 1)
                                  * sizeof(pocket_request_chain_t));
    if (out->chains == NULL) {
        return pocket_file_memory(err);
    }

    chain = array.elts;

    for (i = 0; i < array.n; i++) {
        out->chains[i].id = chain[i].id;
        out->chains[i].url = chain[i].url;
        out->chains[i].username = chain[i].username;
        out->chains[i].password = chain[i].password;

        if (pocket_file_chain(out, i, err) != POCKET_OK) {
            return POCKET_ERROR;
        }

        out->nchains++;
    }

    return POCKET_OK;
}


static int
pocket_file_chain(const pocket_file_chains_t *out, size_t n,
    pocket_file_error_t *err)
{
    size_t               i, len;
    unsigned char        bytes[POCKET_CHAIN_LEN];
    const pocket_str_t  *id;

    id = &out->chains[n].id;

    if (pocket_hex_decode(id, bytes, POCKET_CHAIN_LEN, &len) != POCKET_OK
        || len == 0 || len > POCKET_CHAIN_LEN)
    {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "entry %zu: \"id\" must be 1 to 4 bytes in "
                                "hexadecimal: \"%.*s\"", n + 1,
                                (int) id->len, (char *) id->data);
    }

    if (out->chains[n].url.len == 0) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "entry %zu: \"url\" is missing", n + 1);
    }

    for (i = 0; i < n; i++) {

        if (out->chains[i].id.len == id->len
            && memcmp(out->chains[i].id.data, id->data, id->len) == 0)
        {
            return pocket_file_fail(err, POCKET_FILE_DUPLICATE,
                                    "entry %zu: chain \"%.*s\" is there "
                                    "twice", n + 1,
                                    (int) id->len, (char *) id->data);
        }
    }

    return POCKET_OK;
}


int
pocket_file_auth(const pocket_str_t *text, pocket_str_t *token,
    pocket_file_error_t *err, pocket_alloc_t *secret)
{
    size_t         i;
    pocket_str_t   value;
    unsigned char *p;

    memset(&value, 0, sizeof(pocket_str_t));

    if (pocket_file_decode(text, &pocket_file_auth_root, &value, err, secret)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (value.len == 0) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "\"Value\" is missing or empty");
    }

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < ' ' || value.data[i] == 0x7f) {
            return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                    "\"Value\" has a control character");
        }
    }

    p = pocket_alloc(secret, value.len);
    if (p == NULL) {
        return pocket_file_memory(err);
    }

    memcpy(p, value.data, value.len);

    token->data = p;
    token->len = value.len;

    return POCKET_OK;
}


int
pocket_file_names(const pocket_str_t *text, pocket_file_names_t *out,
    pocket_file_error_t *err, pocket_alloc_t *a)
{
    size_t                 i;
    pocket_json_array_t    map;
    pocket_file_member_t  *member;

    memset(out, 0, sizeof(pocket_file_names_t));
    memset(&map, 0, sizeof(pocket_json_array_t));

    if (pocket_file_decode(text, &pocket_file_names_root, &map, err, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    if (!map.present) {
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "the value must be an object");
    }

    out->names = pocket_alloc(a, (map.n + 1) * sizeof(pocket_file_name_t));
    if (out->names == NULL) {
        return pocket_file_memory(err);
    }

    member = map.elts;

    for (i = 0; i < map.n; i++) {

        if (pocket_file_name(&member[i], &out->names[i], err, a)
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }

        out->nnames++;
    }

    return POCKET_OK;
}


static int
pocket_file_name(const pocket_file_member_t *member,
    pocket_file_name_t *name, pocket_file_error_t *err, pocket_alloc_t *a)
{
    name->id = member->key;
    memset(&name->label, 0, sizeof(pocket_str_t));

    if (member->value.kind == POCKET_JSON_OBJECT) {
        return pocket_file_decode(&member->value.raw, &pocket_file_label_root,
                                  &name->label, err, a);
    }

    switch (pocket_json_value_string(&member->value, &name->label, a)) {

    case 1:
        return POCKET_OK;

    case 0:
        return pocket_file_fail(err, POCKET_FILE_SHAPE,
                                "the name of chain \"%.*s\" must be a string "
                                "or an object with a \"label\"",
                                (int) name->id.len, (char *) name->id.data);

    default: /* POCKET_ERROR */
        return pocket_file_memory(err);
    }
}
