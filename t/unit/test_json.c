
/*
 * The JSON reader and decoder beyond the golden vectors: what is refused and
 * where, limits, events and their slices, each type of a table.
 */


#include "pocket_json.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TEST_LOG    4096


typedef struct {
    uint32_t              code;
    pocket_str_t          message;
} test_error_t;


typedef struct {
    pocket_str_t          key;
    int64_t               value;
} test_pair_t;


typedef struct {
    pocket_str_t          name;
    int64_t               height;
    unsigned              success;
    test_error_t         *error;
    test_error_t          inner;
    pocket_json_array_t   list;
    pocket_json_array_t   map;
    pocket_json_value_t   any;
} test_struct_t;


/* without a message: the words and the place are yajl's */

typedef struct {
    const char           *text;
    size_t                pos;
    const char           *message;
} test_refusal_t;


static int test_event(void *data, const pocket_json_event_t *ev);
static int test_ignore(void *data, const pocket_json_event_t *ev);
static int test_stop(void *data, const pocket_json_event_t *ev);
static int test_decode(const char *text, test_struct_t *out,
    pocket_json_error_t *err);
static void test_events(void);
static void test_refusals(void);
static void test_depth(void);
static void test_large(void);
static void test_no_memory(void);
static void test_int64(void);
static void test_types(void);
static void test_nulls(void);
static void test_repeats(void);
static void test_wrong_types(void);
static void test_unescape_bad(void);
static void test_stream_runs(void);

const char *__asan_default_options(void);


static const pocket_json_field_t  test_error_fields[] = {
    { pocket_string("code"), POCKET_JSON_T_UINT32,
      offsetof(test_error_t, code), NULL },
    { pocket_string("message"), POCKET_JSON_T_STRING,
      offsetof(test_error_t, message), NULL }
};

static const pocket_json_table_t  test_error_table =
    { test_error_fields, 2, sizeof(test_error_t) };

static const pocket_json_field_t  test_list_element =
    { pocket_string(""), POCKET_JSON_T_STRING, 0, NULL };

static const pocket_json_table_t  test_list_table =
    { &test_list_element, 1, sizeof(pocket_str_t) };

static const pocket_json_field_t  test_map_element =
    { pocket_string(""), POCKET_JSON_T_INT64, offsetof(test_pair_t, value),
      NULL };

static const pocket_json_table_t  test_map_table =
    { &test_map_element, 1, sizeof(test_pair_t) };

static const pocket_json_field_t  test_fields[] = {
    { pocket_string("name"), POCKET_JSON_T_STRING,
      offsetof(test_struct_t, name), NULL },
    { pocket_string("height"), POCKET_JSON_T_INT64,
      offsetof(test_struct_t, height), NULL },
    { pocket_string("success"), POCKET_JSON_T_BOOL,
      offsetof(test_struct_t, success), NULL },
    { pocket_string("error"), POCKET_JSON_T_POINTER,
      offsetof(test_struct_t, error), &test_error_table },
    { pocket_string("inner"), POCKET_JSON_T_STRUCT,
      offsetof(test_struct_t, inner), &test_error_table },
    { pocket_string("list"), POCKET_JSON_T_ARRAY,
      offsetof(test_struct_t, list), &test_list_table },
    { pocket_string("map"), POCKET_JSON_T_MAP,
      offsetof(test_struct_t, map), &test_map_table },
    { pocket_string("any"), POCKET_JSON_T_VALUE,
      offsetof(test_struct_t, any), NULL }
};

static const pocket_json_table_t  test_table =
    { test_fields, 8, sizeof(test_struct_t) };

static const pocket_json_field_t  test_root =
    { pocket_string(""), POCKET_JSON_T_STRUCT, 0, &test_table };


static const test_refusal_t  test_refusal_rows[] = {
    { "", 0, "parse error: premature EOF at byte 0" },
    { " ", 1, "parse error: premature EOF at byte 1" },
    { "{} x", 4, "trailing garbage" },
    { "{} \"", 3, "trailing garbage" },
    { "[1]t", 0, NULL },
    { "7 -", 0, NULL },
    { "{}\f", 2, "invalid char in json text." },
    { "\v{}", 0, "invalid char in json text." },
    { "[1,\f2]", 3, "invalid char in json text." },
    { "{\"a\" 1}", 0, NULL },
    { "[1 2]", 0, NULL },
    { "[01]", 0, NULL },
    { "[1.]", 0, NULL },
    { "[\"a\nb\"]", 0, NULL },
    { "[\"\\x\"]", 0, NULL },
    { "[\"\\u12g4\"]", 0, NULL },
    { "\xef\xbb\xbf{}", 1, "invalid char in json text." },
    { "{}/* */", 0, NULL },
    { "[nul]", 0, NULL },
    { "[NaN]", 0, NULL }
};


static char            events[TEST_LOG];


/* the refusal of a huge allocation is what is tested */

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}


/* type, depth, the token itself; the raw text must lie in it */

static int
test_event(void *data, const pocket_json_event_t *ev)
{
    size_t              n;
    const pocket_str_t *text = data;

    static const char  types[] = "0ftns{[k}]";

    n = strlen(events);

    (void) snprintf(events + n, sizeof(events) - n, "%c%zu%s%.*s ",
                    types[ev->type], ev->depth, ev->escaped ? "e" : "",
                    (int) (ev->end - ev->start),
                    (char *) text->data + ev->start);

    if (ev->type == POCKET_JSON_STRING || ev->type == POCKET_JSON_KEY) {
        test(ev->raw.data == text->data + ev->start + 1
             && ev->raw.len == ev->end - ev->start - 2, "raw in quotes", NULL);
    }

    return 1;
}


static int
test_ignore(void *data, const pocket_json_event_t *ev)
{
    return 1;
}


static int
test_stop(void *data, const pocket_json_event_t *ev)
{
    return (ev->type == POCKET_JSON_NUMBER) ? POCKET_ERROR : 1;
}


static int
test_decode(const char *text, test_struct_t *out, pocket_json_error_t *err)
{
    pocket_str_t  s;

    s = test_str(text);
    memset(out, 0, sizeof(test_struct_t));
    test_free();

    return pocket_json_decode(&s, &test_root, out, err, &test_alloc);
}


static void
test_events(void)
{
    pocket_str_t         text;
    pocket_json_error_t  err;

    text = test_str(" {\"a\" : [ 1,-2.5e3 ,true,null] ,\"\\u0062\":"
                    "{\"\":\"\",\"c\":\"\\n\xff\"}, \"d\":false }\r\n");

    events[0] = '\0';

    test(pocket_json_read(&text, test_event, &text, &err) == 1, "read", NULL);
    test(strcmp(events, "{0{ k1\"a\" [1[ n21 n2-2.5e3 t2true 02null ]1] "
                        "k1e\"\\u0062\" {1{ k2\"\" s2\"\" k2\"c\" "
                        "s2e\"\\n\xff\" }1} k1\"d\" f1false }0} ")
         == 0, "events", NULL);

    text = test_str("12");
    events[0] = '\0';

    test(pocket_json_read(&text, test_event, &text, &err) == 1
         && strcmp(events, "n012 ") == 0, "number at the end of the text",
         NULL);

    text = test_str("[1]");

    test(pocket_json_read(&text, test_stop, NULL, &err) == POCKET_ERROR,
         "handler without memory", NULL);
}


static void
test_refusals(void)
{
    size_t                 i;
    pocket_str_t           text;
    pocket_json_error_t    err;
    const test_refusal_t  *row;

    for (i = 0;
         i < sizeof(test_refusal_rows) / sizeof(test_refusal_rows[0]);
         i++)
    {
        row = &test_refusal_rows[i];
        text = test_str(row->text);

        test(pocket_json_read(&text, test_ignore, NULL, &err) == 0,
             row->text, NULL);

        err.text[err.len] = '\0';

        if (err.refused || err.pos > text.len
            || (row->message
                && (err.pos != row->pos
                    || strstr((char *) err.text, row->message) == NULL)))
        {
            printf("pos %zu: %s\n", err.pos, (char *) err.text);
            test(0, "where and why", NULL);
        }
    }

    text.data = (unsigned char *) "{}\0";
    text.len = 3;

    test(pocket_json_read(&text, test_ignore, NULL, &err) == 0, "NUL", NULL);
}


/* POCKET_JSON_DEPTH levels are read, one more is not */

static void
test_depth(void)
{
    size_t               i, n;
    unsigned char       *p;
    pocket_str_t         text;
    pocket_json_error_t  err;

    for (n = POCKET_JSON_DEPTH; n <= POCKET_JSON_DEPTH + 1; n++) {
        p = malloc(2 * n);

        if (p == NULL) {
            test(0, "malloc", NULL);
            return;
        }

        for (i = 0; i < n; i++) {
            p[i] = '[';
            p[2 * n - 1 - i] = ']';
        }

        text.data = p;
        text.len = 2 * n;

        test(pocket_json_read(&text, test_ignore, NULL, &err)
             == (n == POCKET_JSON_DEPTH), "depth", NULL);

        free(p);
    }

    test(!err.refused && strstr((char *) err.text, "nested too deep"),
         "depth refused", NULL);
}


/* long strings of escapes, whole and cut off: yajl's buffers fit */

static void
test_large(void)
{
    size_t               i, n, cut;
    unsigned char       *p;
    pocket_str_t         text, s;
    pocket_json_error_t  err;
    pocket_json_value_t  value;

    n = 300000;
    p = malloc(2 * n + 4);

    if (p == NULL) {
        test(0, "malloc", NULL);
        return;
    }

    for (cut = 0; cut < 3; cut++) {
        p[0] = '"';

        for (i = 0; i < n; i++) {
            p[1 + 2 * i] = '\\';
            p[2 + 2 * i] = 'n';
        }

        p[1 + 2 * n] = '"';

        text.data = p;
        text.len = 2 * n + 2 - cut;

        test(pocket_json_read(&text, test_ignore, NULL, &err) == (cut == 0),
             "large", NULL);
    }

    value.kind = POCKET_JSON_STRING;
    value.raw.data = p;
    value.raw.len = 2 * n + 2;
    test_free();

    test(pocket_json_value_string(&value, &s, &test_alloc) == 1 && s.len == n
         && s.data[0] == '\n' && s.data[n - 1] == '\n', "large value", NULL);

    free(p);
}


static void
test_no_memory(void)
{
    pocket_str_t         text;
    pocket_json_error_t  err;

    /* more than can be had: refused before a byte is read */

    text.data = (unsigned char *) "{}";
    text.len = SIZE_MAX / 8;

    test(pocket_json_read(&text, test_ignore, NULL, &err) == POCKET_ERROR
         && err.len > 0, "no memory", NULL);
}


static void
test_int64(void)
{
    size_t        i;
    int64_t       n;
    pocket_str_t  raw;

    static const struct {
        const char  *raw;
        int          rc;
        int64_t      n;
    } rows[] = {
        { "0", 1, 0 },
        { "-0", 1, 0 },
        { "-1", 1, -1 },
        { "9223372036854775807", 1, INT64_MAX },
        { "-9223372036854775808", 1, INT64_MIN },
        { "9223372036854775808", 0, 0 },
        { "-9223372036854775809", 0, 0 },
        { "92233720368547758070", 0, 0 },
        { "18446744073709551617", 0, 0 },
        { "1.0", 0, 0 },
        { "1e2", 0, 0 },
        { "-", 0, 0 },
        { "", 0, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw = test_str(rows[i].raw);
        n = 0;

        test(pocket_json_int64(&raw, &n) == rows[i].rc && n == rows[i].n,
             rows[i].raw, NULL);
    }
}


static void
test_types(void)
{
    test_pair_t          *pair;
    pocket_str_t         *elt;
    test_struct_t         out;
    pocket_json_error_t   err;

    test(test_decode("{\"x\":[{\"name\":1}],\"Name\":\"\\u0061b\","
                     "\"height\":-7,\"success\":true,"
                     "\"error\":{\"code\":4294967295,\"message\":\"m\"},"
                     "\"inner\":{\"CODE\":3},\"list\":[\"p\",\"q\"],"
                     "\"map\":{\"\\u006b\":1,\"l\":2},"
                     "\"any\":[1, {\"y\":[]}]}", &out, &err) == 1, "types",
         NULL);

    test(out.name.len == 2 && memcmp(out.name.data, "ab", 2) == 0, "string",
         NULL);
    test(out.height == -7, "int64", NULL);
    test(out.success == 1, "bool", NULL);
    test(out.error && out.error->code == UINT32_MAX
         && out.error->message.len == 1, "pointer", NULL);
    test(out.inner.code == 3, "struct", NULL);

    elt = out.list.elts;

    test(out.list.present && out.list.n == 2 && elt[1].len == 1
         && elt[1].data[0] == 'q', "array", NULL);

    pair = out.map.elts;

    test(out.map.present && out.map.n == 2 && pair[0].key.data[0] == 'k'
         && pair[0].value == 1 && pair[1].value == 2, "map", NULL);

    test(out.any.kind == POCKET_JSON_ARRAY && out.any.raw.len == 13
         && memcmp(out.any.raw.data, "[1, {\"y\":[]}]", 13) == 0, "value",
         NULL);
}


static void
test_nulls(void)
{
    test_struct_t        out;
    pocket_json_error_t  err;

    test(test_decode("{\"name\":\"a\",\"name\":null,\"height\":1,"
                     "\"height\":null,\"error\":{\"code\":1},\"error\":null,"
                     "\"inner\":{\"code\":2},\"inner\":null,"
                     "\"list\":[\"a\"],\"list\":null,"
                     "\"map\":{\"a\":1},\"map\":null,"
                     "\"any\":1,\"any\":null}", &out, &err) == 1, "nulls",
         NULL);

    test(out.name.len == 1 && out.height == 1 && out.inner.code == 2,
         "null leaves", NULL);
    test(out.error == NULL && !out.list.present && out.list.n == 0
         && !out.map.present && out.map.n == 0, "null empties", NULL);
    test(out.any.kind == POCKET_JSON_NULL && out.any.raw.len == 4,
         "null as a value", NULL);

    test(test_decode("null", &out, &err) == 1 && out.name.len == 0,
         "null as all", NULL);
}


static void
test_repeats(void)
{
    test_struct_t        out;
    pocket_json_error_t  err;

    test(test_decode("{\"name\":\"a\",\"name\":\"bc\",\"height\":1,"
                     "\"height\":2,\"error\":{\"code\":1},"
                     "\"error\":{\"message\":\"m\"},\"list\":[\"a\",\"b\"],"
                     "\"list\":[\"c\"],\"map\":{\"a\":1},\"map\":{\"b\":2}}",
                     &out, &err) == 1, "repeats", NULL);

    test(out.name.len == 2 && out.height == 2, "the last scalar", NULL);
    test(out.error->code == 1 && out.error->message.len == 1,
         "objects merge", NULL);
    test(out.list.n == 1, "the last array", NULL);
    test(out.map.n == 2, "maps merge", NULL);
}


static void
test_wrong_types(void)
{
    size_t               i;
    test_struct_t        out;
    pocket_json_error_t  err;

    static const struct {
        const char  *text;
        const char  *message;
    } rows[] = {
        { "{\"name\":1}", "field \"name\" must be a string at byte 0" },
        { "{\"height\":\"1\"}", "field \"height\" must be an integer" },
        { "{\"height\":1.5}", "field \"height\" must be an integer" },
        { "{\"success\":1}", "field \"success\" must be true or false" },
        { "{\"error\":[]}", "field \"error\" must be an object" },
        { "{\"error\":{\"code\":-1}}", "field \"code\" must be an unsigned" },
        { "{\"error\":{\"code\":-0}}", "field \"code\" must be an unsigned" },
        { "{\"error\":{\"code\":4294967296}}", "field \"code\" must be" },
        { "{\"inner\":\"\"}", "field \"inner\" must be an object" },
        { "{\"list\":{}}", "field \"list\" must be an array" },
        { "{\"list\":[1]}", "the value must be a string" },
        { "{\"map\":[]}", "field \"map\" must be an object" },
        { "[]", "the value must be an object" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        test(test_decode(rows[i].text, &out, &err) == 0 && err.refused,
             rows[i].text, NULL);

        err.text[err.len] = '\0';

        if (strncmp((char *) err.text, rows[i].message,
                    strcspn(rows[i].message, "0"))
            != 0)
        {
            test(0, (char *) err.text, NULL);
        }
    }
}


/* of escaped text only what stands for a bad byte is turned back */

static void
test_unescape_bad(void)
{
    size_t         n;
    unsigned char  text[] = "a\\ufffdb\\\\ufffd\\n\\ufffd\\ufffd\\u003c\\";

    n = pocket_json_unescape_bad(text, sizeof(text) - 1);

    test(n == sizeof("a???b\\\\ufffd\\n??????\\u003c\\") - 1
         && memcmp(text, "a\xef\xbf\xbd" "b\\\\ufffd\\n"
                         "\xef\xbf\xbd\xef\xbf\xbd\\u003c\\", n)
            == 0, "bad bytes", NULL);
}


/*
 * Long plain runs are taken by words: one byte of any value, anywhere in
 * one, becomes what the plain loop makes of it; with every room left.
 */

static void
test_stream_runs(void)
{
    size_t                at, room;
    unsigned              c, bad;
    pocket_str_t          text, piece;
    unsigned char        *p, *end, *last, raw[64], want[128], got[256];
    pocket_json_stream_t  stream;

    text.data = raw;
    text.len = sizeof(raw);
    bad = 0;

    for (c = 0; c < 256; c++) {
        for (at = 0; at < sizeof(raw); at++) {

            memset(raw, '!' + (int) (at & 1) * ('~' - '!'), sizeof(raw));
            raw[at] = (unsigned char) c;
            last = pocket_json_escape(want, &text);

            for (room = POCKET_JSON_STREAM_MIN; room < 80; room += 5) {

                memset(&stream, 0, sizeof(pocket_json_stream_t));
                piece = text;
                p = got;

                while (piece.len) {
                    end = p + room;
                    p = pocket_json_stream(&stream, p, end, &piece);
                    bad += (p > end);
                }

                p = pocket_json_stream_end(&stream, p);

                bad += (p - got != last - want
                        || memcmp(got, want, (size_t) (p - got)) != 0);
            }
        }
    }

    test(bad == 0, "any byte in a plain run", NULL);
}


int
main(void)
{
    test_events();
    test_refusals();
    test_depth();
    test_large();
    test_no_memory();
    test_int64();
    test_types();
    test_nulls();
    test_repeats();
    test_wrong_types();
    test_unescape_bad();
    test_stream_runs();

    return test_done();
}
