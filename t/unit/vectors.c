
/*
 * Runs all vector files of a folder.  Links vectors*.c with all of
 * shared/pocket_*.c, -lyajl -lsodium -lcrypto -lm.
 */

#include "vectors.h"

#include <dirent.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define VECTOR_PATH  4096


/* a block ends where its data ends: the sanitizers see each overrun */

typedef struct vector_block_s  vector_block_t;

struct vector_block_s {
    vector_block_t   *next;
    max_align_t       data[];
};


/* the values that are open while a file is read */

typedef struct {
    pocket_alloc_t   *alloc;
    vector_value_t   *open[POCKET_JSON_DEPTH + 1];
    vector_value_t    root;
    pocket_str_t      key;
} vector_reader_t;


static int vector_file(const char *dir, const char *name,
    pocket_hash_t *hash);
static const vector_subject_t *vector_subject(const char *file);
static int vector_event(void *data, const pocket_json_event_t *ev);
static int vector_load(const char *path, pocket_str_t *text,
    pocket_alloc_t *a);
static void vector_run(const vector_subject_t *subject,
    const vector_value_t *value, pocket_hash_t *hash);
static vector_value_t *vector_expected(const vector_value_t *expect,
    const char *name);
static void *vector_alloc(void *data, size_t size);
static void vector_free(vector_block_t *blocks);


static const vector_subject_t  vector_subjects[] = {
    { "canonical-json", vector_canonical_json },
    { "hashes", vector_hashes },
    { "heights", vector_heights },
    { "keys", vector_keys },
    { "responses", vector_responses },
    { "session-flow", vector_session_flow },
    { "signatures", vector_signatures },
    { "validation", vector_validation }
};


static unsigned  vector_passed;
static unsigned  vector_failed;


int
main(int argc, char **argv)
{
    int               i, n, bad;
    pocket_hash_t    *hash;
    struct dirent   **files;

    if (argc != 2) {
        fprintf(stderr, "usage: %s folder\n", argv[0]);
        return 2;
    }

    n = scandir(argv[1], &files, NULL, alphasort);

    if (n == -1) {
        perror(argv[1]);
        return 2;
    }

    hash = pocket_hash_create();

    if (hash == NULL || sodium_init() == -1) {
        fprintf(stderr, "the crypto libraries do not start\n");
        return 2;
    }

    bad = 0;

    for (i = 0; i < n; i++) {
        bad |= vector_file(argv[1], files[i]->d_name, hash);
        free(files[i]);
    }

    free(files);
    pocket_hash_destroy(hash);

    printf("%u passed, %u failed\n", vector_passed, vector_failed);

    return (bad || vector_failed || vector_passed == 0) ? 1 : 0;
}


/* 1: the file could not be used; others than vector files are passed over */

static int
vector_file(const char *dir, const char *name, pocket_hash_t *hash)
{
    int                      rc;
    char                     path[VECTOR_PATH];
    pocket_str_t             text;
    vector_value_t          *cases, *value;
    vector_reader_t         *reader;
    pocket_alloc_t           a;
    vector_block_t          *blocks;
    pocket_json_error_t      err;
    const vector_subject_t  *subject;

    if (strlen(name) < 5 || strcmp(name + strlen(name) - 5, ".json") != 0) {
        return 0;
    }

    subject = vector_subject(name);

    if (subject == NULL) {
        printf("FAIL %s: not a known subject\n", name);
        return 1;
    }

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);

    reader = calloc(1, sizeof(vector_reader_t));
    if (reader == NULL) {
        return 1;
    }

    blocks = NULL;

    a.alloc = vector_alloc;
    a.data = &blocks;
    reader->alloc = &a;
    reader->open[0] = &reader->root;

    rc = 1;

    if (vector_load(path, &text, &a) != POCKET_OK) {
        printf("FAIL %s: cannot be read\n", path);

    } else if (pocket_json_read(&text, vector_event, reader, &err) != 1) {
        printf("FAIL %s: %.*s\n", path, (int) err.len, err.text);

    } else {
        cases = vector_get(reader->root.first, "cases");

        if (cases == NULL || cases->first == NULL) {
            printf("FAIL %s: has no cases\n", path);

        } else {
            rc = 0;

            for (value = cases->first; value; value = value->next) {
                vector_run(subject, value, hash);
            }
        }
    }

    free(reader);
    vector_free(blocks);

    return rc;
}


static const vector_subject_t *
vector_subject(const char *file)
{
    size_t  i, len;

    for (i = 0; i < sizeof(vector_subjects) / sizeof(vector_subjects[0]); i++)
    {
        len = strlen(vector_subjects[i].subject);

        if (strncmp(file, vector_subjects[i].subject, len) == 0
            && strcmp(file + len, ".json") == 0)
        {
            return &vector_subjects[i];
        }
    }

    return NULL;
}


static int
vector_load(const char *path, pocket_str_t *text, pocket_alloc_t *a)
{
    FILE         *f;
    struct stat   st;

    f = fopen(path, "rb");
    if (f == NULL) {
        return POCKET_ERROR;
    }

    text->data = NULL;

    if (fstat(fileno(f), &st) == 0) {
        text->len = (size_t) st.st_size;
        text->data = pocket_alloc(a, text->len);
    }

    if (text->data && fread(text->data, 1, text->len, f) != text->len) {
        text->data = NULL;
    }

    (void) fclose(f);

    return text->data ? POCKET_OK : POCKET_ERROR;
}


static int
vector_event(void *data, const pocket_json_event_t *ev)
{
    vector_value_t   *value, *parent;
    vector_reader_t  *reader;

    reader = data;

    switch (ev->type) {

    case POCKET_JSON_OBJECT_END:
    case POCKET_JSON_ARRAY_END:
        value = reader->open[ev->depth + 1];
        value->str.len = (size_t) (ev->raw.data + ev->raw.len
                                   - value->str.data);
        return 1;

    case POCKET_JSON_KEY:
        return pocket_json_string(&ev->raw, ev->escaped, &reader->key,
                                  reader->alloc);

    default:
        break;
    }

    value = pocket_alloc(reader->alloc, sizeof(vector_value_t));
    if (value == NULL) {
        return POCKET_ERROR;
    }

    memset(value, 0, sizeof(vector_value_t));

    value->kind = ev->type;
    value->key = reader->key;
    value->str = ev->raw;

    if (ev->type == POCKET_JSON_STRING
        && pocket_json_string(&ev->raw, ev->escaped, &value->str,
                              reader->alloc)
           != 1)
    {
        return POCKET_ERROR;
    }

    parent = reader->open[ev->depth];

    if (parent->last) {
        parent->last->next = value;

    } else {
        parent->first = value;
    }

    parent->last = value;
    reader->open[ev->depth + 1] = value;

    return 1;
}


static void
vector_run(const vector_subject_t *subject, const vector_value_t *value,
    pocket_hash_t *hash)
{
    pocket_str_t     name;
    vector_case_t    c;
    pocket_alloc_t   a;
    vector_block_t  *blocks;

    blocks = NULL;

    a.alloc = vector_alloc;
    a.data = &blocks;

    memset(&c, 0, sizeof(vector_case_t));

    c.value = value;
    c.alloc = &a;
    c.hash = hash;
    c.kind = vector_str(&c, value, "kind");

    subject->run(&c);

    if (c.failed) {
        name = vector_str(&c, value, "name");
        printf("FAIL %s: %.*s\n", subject->subject, (int) name.len,
               name.data);
        vector_failed++;

    } else {
        vector_passed++;
    }

    vector_free(blocks);
}


void
vector_dispatch(vector_case_t *c, const vector_runner_t *runners)
{
    const vector_value_t   *expect;
    const vector_runner_t  *runner;

    expect = vector_need(c, c->value, "expect");

    for (runner = runners; runner->run; runner++) {

        if (vector_is(&c->kind, runner->kind)) {
            runner->run(c, expect);
            vector_expect_end(c, expect);
            return;
        }
    }

    vector_fail(c, "unknown kind \"%.*s\"", (int) c->kind.len, c->kind.data);
}


static void *
vector_alloc(void *data, size_t size)
{
    vector_block_t  *block, **blocks;

    blocks = data;

    block = malloc(sizeof(vector_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = *blocks;
    *blocks = block;

    return block->data;
}


static void
vector_free(vector_block_t *blocks)
{
    vector_block_t  *next;

    for ( /* void */ ; blocks; blocks = next) {
        next = blocks->next;
        free(blocks);
    }
}


vector_value_t *
vector_get(const vector_value_t *object, const char *name)
{
    vector_value_t  *value;

    if (object == NULL) {
        return NULL;
    }

    for (value = object->first; value; value = value->next) {
        if (vector_is(&value->key, name)) {
            return value;
        }
    }

    return NULL;
}


vector_value_t *
vector_need(vector_case_t *c, const vector_value_t *object, const char *name)
{
    vector_value_t  *value;

    value = vector_get(object, name);

    if (value == NULL) {
        vector_fail(c, "the case has no \"%s\"", name);
    }

    return value;
}


pocket_str_t
vector_str(vector_case_t *c, const vector_value_t *object, const char *name)
{
    char             hex[64];
    vector_value_t  *value;

    value = vector_get(object, name);

    if (value && value->kind == POCKET_JSON_STRING) {
        return value->str;
    }

    (void) snprintf(hex, sizeof(hex), "%s_hex", name);

    value = vector_get(object, hex);

    return value ? vector_unhex(c, &value->str) : vector_cstr("");
}


int64_t
vector_int(vector_case_t *c, const vector_value_t *object, const char *name)
{
    int64_t          n;
    vector_value_t  *value;

    value = vector_get(object, name);

    if (value == NULL || value->kind == POCKET_JSON_NULL) {
        return 0;
    }

    if (value->kind != POCKET_JSON_NUMBER
        || !pocket_json_int64(&value->str, &n))
    {
        vector_fail(c, "\"%s\" is no integer", name);
        return 0;
    }

    return n;
}


unsigned
vector_bool(const vector_value_t *object, const char *name)
{
    vector_value_t  *value;

    value = vector_get(object, name);

    return value && value->kind == POCKET_JSON_TRUE;
}


unsigned
vector_is(const pocket_str_t *s, const char *literal)
{
    return s->len == strlen(literal)
           && memcmp(s->data, literal, s->len) == 0;
}


pocket_str_t
vector_hex(vector_case_t *c, const void *p, size_t len)
{
    size_t                i;
    pocket_str_t          hex;
    const unsigned char  *bytes;

    bytes = p;
    hex.len = 2 * len;
    hex.data = pocket_alloc(c->alloc, hex.len + 1);

    for (i = 0; i < len; i++) {
        (void) sprintf((char *) hex.data + 2 * i, "%02x", bytes[i]);
    }

    return hex;
}


pocket_str_t
vector_unhex(vector_case_t *c, const pocket_str_t *hex)
{
    size_t        i;
    char          digits[3] = { 0 }, *end;
    pocket_str_t  bytes;

    bytes.len = hex->len / 2;
    bytes.data = pocket_alloc(c->alloc, bytes.len);

    for (i = 0; i < bytes.len; i++) {
        memcpy(digits, hex->data + 2 * i, 2);
        bytes.data[i] = (unsigned char) strtoul(digits, &end, 16);

        if (*end) {
            vector_fail(c, "wrong hex digit in the case");
        }
    }

    return bytes;
}


void
vector_raw(vector_case_t *c, const vector_value_t *object, const char *name,
    unsigned char *dst, size_t len)
{
    pocket_str_t  hex, bytes;

    hex = vector_str(c, object, name);
    bytes = vector_unhex(c, &hex);

    if (bytes.len != len) {
        vector_fail(c, "\"%s\" is not of %zu bytes", name, len);
        memset(dst, 0, len);
        return;
    }

    memcpy(dst, bytes.data, len);
}


pocket_str_t
vector_cstr(const char *s)
{
    pocket_str_t  str;

    str.data = (unsigned char *) s;
    str.len = strlen(s);

    return str;
}


static vector_value_t *
vector_expected(const vector_value_t *expect, const char *name)
{
    vector_value_t  *value;

    value = vector_get(expect, name);

    if (value) {
        value->seen = 1;
    }

    return value;
}


void
vector_expect_str(vector_case_t *c, const vector_value_t *expect,
    const char *name, const pocket_str_t *got)
{
    char             hex[64];
    pocket_str_t     want;
    vector_value_t  *value;

    (void) snprintf(hex, sizeof(hex), "%s_hex", name);

    value = vector_expected(expect, name);

    if (value == NULL && vector_expected(expect, hex) == NULL) {
        return;
    }

    want = vector_str(c, expect, name);

    if (value && value->kind != POCKET_JSON_STRING) {
        vector_fail(c, "%s: not a string is wanted", name);
        return;
    }

    if (want.len != got->len || memcmp(want.data, got->data, want.len) != 0) {
        vector_fail(c, "%s:\n  got  %.*s\n  want %.*s", name, (int) got->len,
                    got->data, (int) want.len, want.data);
    }
}


void
vector_expect_hex(vector_case_t *c, const vector_value_t *expect,
    const char *name, const unsigned char *got, size_t len)
{
    pocket_str_t  hex;

    hex = vector_hex(c, got, len);
    vector_expect_str(c, expect, name, &hex);
}


void
vector_expect_int(vector_case_t *c, const vector_value_t *expect,
    const char *name, int64_t got)
{
    vector_value_t  *value;

    value = vector_expected(expect, name);

    if (value == NULL) {
        return;
    }

    if (value->kind != POCKET_JSON_NUMBER
        || vector_int(c, expect, name) != got)
    {
        vector_fail(c, "%s: got %lld, want %.*s", name, (long long) got,
                    (int) value->str.len, value->str.data);
    }
}


void
vector_expect_bool(vector_case_t *c, const vector_value_t *expect,
    const char *name, unsigned got)
{
    vector_value_t  *value;

    value = vector_expected(expect, name);

    if (value
        && value->kind != (got ? POCKET_JSON_TRUE : POCKET_JSON_FALSE))
    {
        vector_fail(c, "%s: got %u", name, got);
    }
}


void
vector_expect_null(vector_case_t *c, const vector_value_t *expect,
    const char *name)
{
    vector_value_t  *value;

    value = vector_expected(expect, name);

    if (value && value->kind != POCKET_JSON_NULL) {
        vector_fail(c, "%s: got null, want %.*s", name,
                    (int) value->str.len, value->str.data);
    }
}


void
vector_expect_end(vector_case_t *c, const vector_value_t *expect)
{
    vector_value_t  *value;

    if (expect == NULL) {
        return;
    }

    for (value = expect->first; value; value = value->next) {

        if (!value->seen) {
            vector_fail(c, "%.*s: nothing to compare with",
                        (int) value->key.len, value->key.data);
        }
    }
}


void
vector_fail(vector_case_t *c, const char *fmt, ...)
{
    va_list  args;

    c->failed = 1;

    va_start(args, fmt);
    (void) vprintf(fmt, args);
    va_end(args);

    printf("\n");
}
