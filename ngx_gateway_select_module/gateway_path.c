
#include "gateway_path.h"

#include <string.h>


/* Where the reader is along one path. */

typedef struct {
    const gateway_path_t      *path;
    gateway_value_t           *value;
    size_t                     inside;     /* containers of it that are open */
    uint32_t                   counted[GATEWAY_PATH_STEPS + 1];
    unsigned char              array[GATEWAY_PATH_STEPS + 1];
    unsigned char              named;      /* the last key was its own */
} gateway_path_walk_t;


typedef struct {
    gateway_path_walk_t        walks[GATEWAY_PATHS_MAX];
    uint32_t                   n;
    const pocket_str_t        *text;
    pocket_alloc_t            *alloc;
} gateway_path_reader_t;


static const unsigned char *gateway_path_name(const unsigned char *p,
    const unsigned char *last, gateway_path_step_t *step, const char **err);
static const unsigned char *gateway_path_bracket(const unsigned char *p,
    const unsigned char *last, gateway_path_step_t *step, const char **err);
static const unsigned char *gateway_path_index(const unsigned char *p,
    const unsigned char *last, gateway_path_step_t *step, const char **err);
static int gateway_path_event(void *data, const pocket_json_event_t *ev);
static int gateway_path_key(gateway_path_walk_t *walk,
    const pocket_json_event_t *ev, pocket_alloc_t *a);
static void gateway_path_value(gateway_path_walk_t *walk,
    const pocket_json_event_t *ev);
static void gateway_path_close(gateway_path_walk_t *walk,
    const pocket_json_event_t *ev, const pocket_str_t *text);
static unsigned gateway_path_reached(gateway_path_walk_t *walk, size_t depth);
static int gateway_number_digit(unsigned char c);


int
gateway_path_parse(const pocket_str_t *text, gateway_path_t *path,
    const char **err)
{
    unsigned              named;
    const unsigned char  *p, *last;

    path->n = 0;

    p = text->data;
    last = p + text->len;
    named = 1;                             /* a name may begin without "." */

    if (p < last && *p == '$') {
        p++;
        named = 0;
    }

    while (p < last) {

        if (path->n == GATEWAY_PATH_STEPS) {
            *err = "has too many steps";
            return POCKET_ERROR;
        }

        if (*p == '[') {
            p = gateway_path_bracket(p + 1, last, &path->steps[path->n], err);

        } else if (*p == '.' && (!named || path->n)) {
            p = gateway_path_name(p + 1, last, &path->steps[path->n], err);

        } else if (named && path->n == 0) {
            p = gateway_path_name(p, last, &path->steps[path->n], err);

        } else {
            *err = "lacks a \".\" or \"[\"";
            return POCKET_ERROR;
        }

        if (p == NULL) {
            return POCKET_ERROR;
        }

        path->n++;
    }

    return POCKET_OK;
}


static const unsigned char *
gateway_path_name(const unsigned char *p, const unsigned char *last,
    gateway_path_step_t *step, const char **err)
{
    step->key.data = (unsigned char *) p;

    while (p < last && *p != '.' && *p != '[') {

        if (*p == ']' || *p == '"' || *p == '\'' || *p <= ' ') {
            *err = "has a character that only a name in ['...'] may have";
            return NULL;
        }

        p++;
    }

    step->key.len = p - step->key.data;
    step->index = 0;

    if (step->key.len == 0) {
        *err = "has an empty name";
        return NULL;
    }

    return p;
}


static const unsigned char *
gateway_path_bracket(const unsigned char *p, const unsigned char *last,
    gateway_path_step_t *step, const char **err)
{
    unsigned char         quote;
    const unsigned char  *end;

    if (p == last || (*p != '\'' && *p != '"')) {
        return gateway_path_index(p, last, step, err);
    }

    quote = *p++;
    end = memchr(p, quote, last - p);

    if (end == NULL || last - end < 2 || end[1] != ']') {
        *err = "has a name in brackets without an end";
        return NULL;
    }

    step->key.data = (unsigned char *) p;
    step->key.len = end - p;
    step->index = 0;

    return end + 2;
}


static const unsigned char *
gateway_path_index(const unsigned char *p, const unsigned char *last,
    gateway_path_step_t *step, const char **err)
{
    const unsigned char  *start;

    step->key.data = NULL;
    step->key.len = 0;
    step->index = 0;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {

        if (step->index > UINT32_MAX / 10 - 1) {
            *err = "has an index that is too large";
            return NULL;
        }

        step->index = step->index * 10 + (*p - '0');
    }

    if (p == start || p == last || *p != ']') {
        *err = "has neither a number nor a quoted name in brackets";
        return NULL;
    }

    return p + 1;
}


int
gateway_path_read(const gateway_path_t *paths, uint32_t n,
    const pocket_str_t *text, gateway_value_t *values, pocket_alloc_t *a)
{
    uint32_t               i;
    pocket_json_error_t    err;
    gateway_path_reader_t  reader;

    memset(&reader, 0, sizeof(gateway_path_reader_t));
    memset(values, 0, n * sizeof(gateway_value_t));

    reader.n = n;
    reader.text = text;
    reader.alloc = a;

    for (i = 0; i < n; i++) {
        reader.walks[i].path = &paths[i];
        reader.walks[i].value = &values[i];
    }

    return pocket_json_read(text, gateway_path_event, &reader, &err);
}


static int
gateway_path_event(void *data, const pocket_json_event_t *ev)
{
    gateway_path_reader_t *reader = data;

    uint32_t              i;
    gateway_path_walk_t  *walk;

    for (i = 0; i < reader->n; i++) {
        walk = &reader->walks[i];

        switch (ev->type) {

        case POCKET_JSON_KEY:
            if (gateway_path_key(walk, ev, reader->alloc) == POCKET_ERROR) {
                return POCKET_ERROR;
            }

            break;

        case POCKET_JSON_OBJECT_END:
        case POCKET_JSON_ARRAY_END:
            gateway_path_close(walk, ev, reader->text);
            break;

        default:
            gateway_path_value(walk, ev);
            break;
        }
    }

    return 1;
}


static int
gateway_path_key(gateway_path_walk_t *walk, const pocket_json_event_t *ev,
    pocket_alloc_t *a)
{
    pocket_str_t         name;
    const pocket_str_t  *key;

    if (ev->depth != walk->inside || walk->inside > walk->path->n) {
        return POCKET_OK;
    }

    key = &walk->path->steps[walk->inside - 1].key;
    walk->named = 0;

    if (key->data == NULL) {
        return POCKET_OK;
    }

    name = ev->raw;

    /* an escape takes up to six bytes for one */

    if (ev->escaped
        && name.len <= key->len * POCKET_JSON_ESCAPE_MAX
        && pocket_json_string(&ev->raw, 1, &name, a) == POCKET_ERROR)
    {
        return POCKET_ERROR;
    }

    walk->named = (name.len == key->len
                   && memcmp(name.data, key->data, key->len) == 0);

    return POCKET_OK;
}


static void
gateway_path_value(gateway_path_walk_t *walk, const pocket_json_event_t *ev)
{
    unsigned          container;
    gateway_value_t  *value;

    if (ev->depth != walk->inside || !gateway_path_reached(walk, ev->depth)) {
        return;
    }

    value = walk->value;
    container = (ev->type == POCKET_JSON_OBJECT
                 || ev->type == POCKET_JSON_ARRAY);

    if (ev->depth == walk->path->n) {
        value->found = 1;
        value->type = ev->type;
        value->escaped = ev->escaped;
        value->raw = ev->raw;

    } else {

        /* a value met before, under the same key, is void */

        value->found = 0;
    }

    if (container) {
        walk->inside = ev->depth + 1;

        if (walk->inside <= walk->path->n) {
            walk->array[walk->inside] = (ev->type == POCKET_JSON_ARRAY);
            walk->counted[walk->inside] = 0;
        }
    }
}


/* Is a value in the innermost container of the path the path's next one? */

static unsigned
gateway_path_reached(gateway_path_walk_t *walk, size_t depth)
{
    const gateway_path_step_t  *step;

    if (depth == 0) {
        return 1;
    }

    if (depth > walk->path->n) {
        return 0;
    }

    step = &walk->path->steps[depth - 1];

    if (walk->array[depth]) {
        return walk->counted[depth]++ == step->index
               && step->key.data == NULL;
    }

    return walk->named;
}


static void
gateway_path_close(gateway_path_walk_t *walk, const pocket_json_event_t *ev,
    const pocket_str_t *text)
{
    gateway_value_t  *value;

    if (ev->depth + 1 != walk->inside) {
        return;
    }

    walk->inside = ev->depth;
    walk->named = 0;

    if (ev->depth == walk->path->n) {
        value = walk->value;
        value->raw.len = text->data + ev->end - value->raw.data;
    }
}


int
gateway_value_number(const gateway_value_t *value, gateway_number_e form,
    uint64_t *number)
{
    int             digit;
    size_t          i;
    unsigned        base;
    uint64_t        n;
    pocket_str_t    text;

    if (!value->found || value->escaped) {
        return 0;
    }

    text = value->raw;
    base = 10;

    if (value->type == POCKET_JSON_STRING) {

        if (form == GATEWAY_NUMBER_HEX) {
            base = 16;
        }

        if (text.len > 1 && text.data[0] == '0' && text.data[1] == 'x') {
            text.data += 2;
            text.len -= 2;
            base = 16;
        }

    } else if (value->type != POCKET_JSON_NUMBER
               || form == GATEWAY_NUMBER_HEX)
    {
        return 0;
    }

    if (text.len == 0) {
        return 0;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        digit = gateway_number_digit(text.data[i]);

        if (digit < 0 || (unsigned) digit >= base
            || n > (UINT64_MAX - digit) / base)
        {
            return 0;
        }

        n = n * base + digit;
    }

    *number = n;

    return 1;
}


static int
gateway_number_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
gateway_value_text(const gateway_value_t *value, pocket_str_t *text,
    pocket_alloc_t *a)
{
    if (!value->found) {
        return 0;
    }

    switch (value->type) {

    case POCKET_JSON_STRING:
        return pocket_json_string(&value->raw, value->escaped, text, a);

    case POCKET_JSON_NUMBER:
        *text = value->raw;
        return 1;

    default:
        return 0;
    }
}
