
/*
 * The decoder: the reader's events, stored into structs by tables.
 */


#include "pocket_json.h"

#include <string.h>


#define POCKET_JSON_ELTS  8


/* an object or array of the text that has a place in the structs */

typedef struct {
    const pocket_json_table_t  *table;
    const pocket_json_field_t  *field;    /* for the next value; NULL: none */
    unsigned char              *base;     /* of this field's offset */
    pocket_json_array_t        *array;    /* of arrays and maps */
    unsigned                    is_map;
} pocket_json_frame_t;


typedef struct {
    pocket_json_frame_t         frames[POCKET_JSON_FRAMES];
    size_t                      nframes;

    const pocket_json_field_t  *root;
    unsigned char              *out;
    const pocket_str_t         *text;

    /* inside an object or array that is passed over, perhaps kept raw */

    unsigned                    passing;
    size_t                      depth;
    size_t                      start;
    pocket_json_value_t        *value;

    pocket_json_error_t        *err;
    pocket_alloc_t             *alloc;
} pocket_json_decoder_t;


typedef int (*pocket_json_store_pt)(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);


static int pocket_json_decode_event(void *data,
    const pocket_json_event_t *ev);
static int pocket_json_decode_key(pocket_json_decoder_t *d,
    const pocket_json_event_t *ev);
static const pocket_json_field_t *pocket_json_find(
    const pocket_json_table_t *table, const pocket_str_t *key);
static unsigned pocket_json_fold_equal(const pocket_str_t *name,
    const pocket_str_t *key);
static int pocket_json_decode_value(pocket_json_decoder_t *d,
    const pocket_json_event_t *ev);
static void pocket_json_store_null(const pocket_json_field_t *field, void *p);
static void pocket_json_pass(pocket_json_decoder_t *d,
    const pocket_json_event_t *ev, pocket_json_value_t *value);
static int pocket_json_store_string(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_int64(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_uint32(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_bool(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_struct(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_pointer(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_array(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_map(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static int pocket_json_store_value(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev);
static pocket_json_frame_t *pocket_json_push(pocket_json_decoder_t *d,
    const pocket_json_field_t *field);
static int pocket_json_element(pocket_json_decoder_t *d,
    pocket_json_frame_t *frame);


/* indexed by pocket_json_type_e */

static const pocket_json_store_pt  pocket_json_stores[] = {
    pocket_json_store_string,
    pocket_json_store_int64,
    pocket_json_store_uint32,
    pocket_json_store_bool,
    pocket_json_store_struct,
    pocket_json_store_pointer,
    pocket_json_store_array,
    pocket_json_store_map,
    pocket_json_store_value
};


int
pocket_json_decode(const pocket_str_t *text, const pocket_json_field_t *root,
    void *out, pocket_json_error_t *err, pocket_alloc_t *a)
{
    pocket_json_decoder_t  d;

    memset(&d, 0, sizeof(pocket_json_decoder_t));

    d.root = root;
    d.out = out;
    d.text = text;
    d.err = err;
    d.alloc = a;

    return pocket_json_read(text, pocket_json_decode_event, &d, err);
}


static int
pocket_json_decode_event(void *data, const pocket_json_event_t *ev)
{
    pocket_json_decoder_t *d = data;

    unsigned  is_end;

    is_end = (ev->type == POCKET_JSON_OBJECT_END
              || ev->type == POCKET_JSON_ARRAY_END);

    if (d->passing) {

        if (is_end && ev->depth == d->depth) {
            d->passing = 0;

            if (d->value) {
                d->value->raw.data = d->text->data + d->start;
                d->value->raw.len = ev->end - d->start;
            }
        }

        return 1;
    }

    if (is_end) {
        d->nframes--;
        return 1;
    }

    if (ev->type == POCKET_JSON_KEY) {
        return pocket_json_decode_key(d, ev);
    }

    return pocket_json_decode_value(d, ev);
}


static int
pocket_json_decode_key(pocket_json_decoder_t *d,
    const pocket_json_event_t *ev)
{
    pocket_str_t          key;
    pocket_json_frame_t  *frame;

    frame = &d->frames[d->nframes - 1];

    if (pocket_json_string(&ev->raw, ev->escaped, &key, d->alloc) != 1) {
        return POCKET_ERROR;
    }

    if (!frame->is_map) {
        frame->field = pocket_json_find(frame->table, &key);
        return 1;
    }

    if (pocket_json_element(d, frame) != 1) {
        return POCKET_ERROR;
    }

    memcpy(frame->base, &key, sizeof(pocket_str_t));

    return 1;
}


static const pocket_json_field_t *
pocket_json_find(const pocket_json_table_t *table, const pocket_str_t *key)
{
    size_t                      i;
    const pocket_json_field_t  *field;

    for (i = 0; i < table->nfields; i++) {
        field = &table->fields[i];

        if (field->name.len == key->len
            && memcmp(field->name.data, key->data, key->len) == 0)
        {
            return field;
        }
    }

    for (i = 0; i < table->nfields; i++) {
        field = &table->fields[i];

        if (pocket_json_fold_equal(&field->name, key)) {
            return field;
        }
    }

    return NULL;
}


/*
 * Unicode's simple folding, of which a name in ASCII meets just two letters
 * beyond ASCII: U+017F folds to s, U+212A to k.
 */

static unsigned
pocket_json_fold_equal(const pocket_str_t *name, const pocket_str_t *key)
{
    size_t         i, n;
    unsigned char  c, k;

    n = 0;

    for (i = 0; i < name->len; i++) {

        if (n == key->len) {
            return 0;
        }

        c = name->data[i];
        k = key->data[n];

        if (key->len - n >= 2 && memcmp(key->data + n, "\xc5\xbf", 2) == 0) {
            k = 's';
            n++;

        } else if (key->len - n >= 3
                   && memcmp(key->data + n, "\xe2\x84\xaa", 3) == 0)
        {
            k = 'k';
            n += 2;
        }

        n++;

        c |= (c >= 'A' && c <= 'Z') ? 0x20 : 0;
        k |= (k >= 'A' && k <= 'Z') ? 0x20 : 0;

        if (c != k) {
            return 0;
        }
    }

    return n == key->len;
}


static int
pocket_json_decode_value(pocket_json_decoder_t *d,
    const pocket_json_event_t *ev)
{
    void                       *p;
    unsigned char              *base;
    pocket_json_frame_t        *frame;
    const pocket_json_field_t  *field;

    if (d->nframes == 0) {
        field = d->root;
        base = d->out;

    } else {
        frame = &d->frames[d->nframes - 1];

        if (frame->array && !frame->is_map
            && pocket_json_element(d, frame) != 1)
        {
            return POCKET_ERROR;
        }

        field = frame->field;
        base = frame->base;
    }

    if (field == NULL) {

        if (ev->type == POCKET_JSON_OBJECT || ev->type == POCKET_JSON_ARRAY) {
            pocket_json_pass(d, ev, NULL);
        }

        return 1;
    }

    p = base + field->offset;

    if (ev->type == POCKET_JSON_NULL && field->type != POCKET_JSON_T_VALUE) {
        pocket_json_store_null(field, p);
        return 1;
    }

    return pocket_json_stores[field->type](d, field, p, ev);
}


static void
pocket_json_store_null(const pocket_json_field_t *field, void *p)
{
    switch (field->type) {

    case POCKET_JSON_T_POINTER:
        memset(p, 0, sizeof(void *));
        return;

    case POCKET_JSON_T_ARRAY:
    case POCKET_JSON_T_MAP:
        memset(p, 0, sizeof(pocket_json_array_t));
        return;

    default:
        return;
    }
}


/* passes over the object or array that begins here */

static void
pocket_json_pass(pocket_json_decoder_t *d, const pocket_json_event_t *ev,
    pocket_json_value_t *value)
{
    d->passing = 1;
    d->depth = ev->depth;
    d->start = ev->start;
    d->value = value;
}


static int
pocket_json_store_string(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    if (ev->type != POCKET_JSON_STRING) {
        return pocket_json_refuse(d->err, &field->name, "must be a string");
    }

    return pocket_json_string(&ev->raw, ev->escaped, p, d->alloc);
}


static int
pocket_json_store_int64(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    if (ev->type != POCKET_JSON_NUMBER || !pocket_json_int64(&ev->raw, p)) {
        return pocket_json_refuse(d->err, &field->name,
                                  "must be an integer of 64 bits");
    }

    return 1;
}


static int
pocket_json_store_uint32(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    int64_t   n;
    uint32_t *value = p;

    if (ev->type != POCKET_JSON_NUMBER
        || !pocket_json_int64(&ev->raw, &n)
        || ev->raw.data[0] == '-'
        || n > UINT32_MAX)
    {
        return pocket_json_refuse(d->err, &field->name,
                                  "must be an unsigned integer of 32 bits");
    }

    *value = (uint32_t) n;

    return 1;
}


static int
pocket_json_store_bool(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    unsigned *value = p;

    if (ev->type != POCKET_JSON_TRUE && ev->type != POCKET_JSON_FALSE) {
        return pocket_json_refuse(d->err, &field->name,
                                  "must be true or false");
    }

    *value = (ev->type == POCKET_JSON_TRUE);

    return 1;
}


static int
pocket_json_store_struct(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    pocket_json_frame_t  *frame;

    if (ev->type != POCKET_JSON_OBJECT) {
        return pocket_json_refuse(d->err, &field->name, "must be an object");
    }

    frame = pocket_json_push(d, field);
    if (frame == NULL) {
        return 0;
    }

    frame->base = p;

    return 1;
}


static int
pocket_json_store_pointer(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    void **value = p;

    if (*value == NULL && ev->type == POCKET_JSON_OBJECT) {

        *value = pocket_alloc(d->alloc, field->table->size);
        if (*value == NULL) {
            return POCKET_ERROR;
        }

        memset(*value, 0, field->table->size);
    }

    return pocket_json_store_struct(d, field, *value, ev);
}


static int
pocket_json_store_array(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    pocket_json_array_t *array = p;

    pocket_json_frame_t  *frame;

    if (ev->type != POCKET_JSON_ARRAY) {
        return pocket_json_refuse(d->err, &field->name, "must be an array");
    }

    frame = pocket_json_push(d, field);
    if (frame == NULL) {
        return 0;
    }

    frame->array = array;
    array->n = 0;
    array->present = 1;

    return 1;
}


static int
pocket_json_store_map(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    pocket_json_array_t *array = p;

    pocket_json_frame_t  *frame;

    if (ev->type != POCKET_JSON_OBJECT) {
        return pocket_json_refuse(d->err, &field->name, "must be an object");
    }

    frame = pocket_json_push(d, field);
    if (frame == NULL) {
        return 0;
    }

    frame->array = array;
    frame->is_map = 1;
    array->present = 1;

    return 1;
}


static int
pocket_json_store_value(pocket_json_decoder_t *d,
    const pocket_json_field_t *field, void *p, const pocket_json_event_t *ev)
{
    pocket_json_value_t *value = p;

    value->kind = ev->type;
    value->raw.data = d->text->data + ev->start;
    value->raw.len = ev->end - ev->start;

    if (ev->type == POCKET_JSON_OBJECT || ev->type == POCKET_JSON_ARRAY) {
        pocket_json_pass(d, ev, value);
    }

    return 1;
}


static pocket_json_frame_t *
pocket_json_push(pocket_json_decoder_t *d, const pocket_json_field_t *field)
{
    pocket_json_frame_t  *frame;

    if (d->nframes == POCKET_JSON_FRAMES) {
        (void) pocket_json_refuse(d->err, &field->name,
                                  "is nested deeper than its tables may");
        return NULL;
    }

    frame = &d->frames[d->nframes++];

    memset(frame, 0, sizeof(pocket_json_frame_t));
    frame->table = field->table;

    return frame;
}


/* the next element of an array or map, zeroed */

static int
pocket_json_element(pocket_json_decoder_t *d, pocket_json_frame_t *frame)
{
    void                 *p;
    size_t                max, size;
    pocket_json_array_t  *array;

    array = frame->array;
    size = frame->table->size;

    if (array->n == array->max) {
        max = array->max ? 2 * array->max : POCKET_JSON_ELTS;

        p = pocket_alloc(d->alloc, max * size);
        if (p == NULL) {
            return POCKET_ERROR;
        }

        if (array->n) {
            memcpy(p, array->elts, array->n * size);
        }

        array->elts = p;
        array->max = max;
    }

    frame->base = (unsigned char *) array->elts + array->n * size;
    frame->field = &frame->table->fields[0];
    array->n++;

    memset(frame->base, 0, size);

    return 1;
}


int
pocket_json_value_string(const pocket_json_value_t *value, pocket_str_t *out,
    pocket_alloc_t *a)
{
    pocket_str_t  raw;

    if (value->kind != POCKET_JSON_STRING) {
        return 0;
    }

    raw.data = value->raw.data + 1;
    raw.len = value->raw.len - 2;

    return pocket_json_string(&raw, memchr(raw.data, '\\', raw.len) != NULL,
                              out, a);
}
