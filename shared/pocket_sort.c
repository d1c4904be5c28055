
#include "pocket_sort.h"

#include "pocket_json.h"
#include "pocket_number.h"

#include <stdlib.h>
#include <string.h>


/* room that a growing array begins with */
#define POCKET_SORT_ELTS       64

/* the prefix of Ed25519 keys in amino's encoding, hex */
#define POCKET_SORT_AMINO      "9d54477420"
#define POCKET_SORT_AMINO_LEN  (sizeof(POCKET_SORT_AMINO) - 1)


/*
 * The text is first written in the order it came, without the
 * commas between members; the second pass writes it again, taking the members
 * of each object in order of their keys.
 */


/* "key":value is text[start..end); object is the first one in the value */

typedef struct {
    pocket_str_t       key;          /* decoded */
    size_t             start;
    size_t             end;
    size_t             object;
} pocket_sort_member_t;


/* next is the first object after this one and all within it */

typedef struct {
    size_t             start;
    size_t             end;
    size_t             members;
    size_t             nmembers;
    size_t             next;
} pocket_sort_object_t;


/* an object or array that is open in the first pass */

typedef struct {
    unsigned           is_object;
    size_t             object;
    size_t             count;        /* of an array's values so far */
    size_t             members;      /* of the object, in open */
} pocket_sort_frame_t;


/* an object that is open in the second pass */

typedef struct {
    size_t             object;
    size_t             member;       /* the one being written */
    size_t             pos;          /* rest of its text */
    size_t             end;
    size_t             nested;       /* next object in this rest */
} pocket_sort_cursor_t;


typedef struct {
    void              *elts;
    size_t             n;
    size_t             max;
    size_t             size;
} pocket_sort_array_t;


typedef struct {
    pocket_alloc_t       *alloc;
    unsigned              flags;

    pocket_sort_array_t   text;
    pocket_sort_array_t   open;      /* members of open objects */
    pocket_sort_array_t   members;   /* of closed ones, object by object */
    pocket_sort_array_t   objects;
    pocket_sort_array_t   frames;
} pocket_sort_t;


static unsigned pocket_sort_is_object(const pocket_str_t *text,
    unsigned flags);
static int pocket_sort_event(void *data, const pocket_json_event_t *ev);
static void *pocket_sort_push(pocket_sort_t *s, pocket_sort_array_t *array,
    size_t n);
static pocket_sort_frame_t *pocket_sort_frame(pocket_sort_t *s);
static int pocket_sort_text(pocket_sort_t *s, const void *data, size_t len);
static int pocket_sort_quoted(pocket_sort_t *s, const pocket_str_t *value);
static int pocket_sort_begin(pocket_sort_t *s);
static void pocket_sort_end(pocket_sort_t *s);
static int pocket_sort_object_start(pocket_sort_t *s);
static int pocket_sort_key(pocket_sort_t *s, const pocket_json_event_t *ev);
static int pocket_sort_object_end(pocket_sort_t *s);
static int pocket_sort_array_start(pocket_sort_t *s);
static int pocket_sort_array_end(pocket_sort_t *s);
static int pocket_sort_string(pocket_sort_t *s, const pocket_json_event_t *ev);
static unsigned pocket_sort_is_amino_key(pocket_sort_t *s,
    const pocket_str_t *value);
static int pocket_sort_number(pocket_sort_t *s, const pocket_str_t *raw);
static int pocket_sort_scalar(pocket_sort_t *s, const pocket_str_t *value);
static void pocket_sort_members(pocket_sort_t *s);
static int pocket_sort_cmp(const void *one, const void *two);
static int pocket_sort_key_cmp(const pocket_str_t *one,
    const pocket_str_t *two);
static int pocket_sort_write(pocket_sort_t *s, pocket_str_t *out);
static int pocket_sort_descend(pocket_sort_t *s, pocket_sort_array_t *stack,
    size_t object);
static unsigned char *pocket_sort_copy(unsigned char *p,
    const unsigned char *text, size_t start, size_t end);
static unsigned pocket_sort_next(pocket_sort_t *s, pocket_sort_cursor_t *c);


int
pocket_sort(const pocket_str_t *text, unsigned flags, pocket_str_t *out,
    pocket_alloc_t *a)
{
    int                  rc;
    pocket_sort_t        s;
    pocket_json_error_t  err;

    memset(&s, 0, sizeof(pocket_sort_t));

    s.alloc = a;
    s.flags = flags;
    s.text.size = 1;
    s.open.size = sizeof(pocket_sort_member_t);
    s.members.size = sizeof(pocket_sort_member_t);
    s.objects.size = sizeof(pocket_sort_object_t);
    s.frames.size = sizeof(pocket_sort_frame_t);

    if (!pocket_sort_is_object(text, flags)) {
        return 0;
    }

    /* the text seldom becomes longer */

    if (pocket_sort_push(&s, &s.text, text->len) == NULL) {
        return POCKET_ERROR;
    }

    s.text.n = 0;

    rc = pocket_json_read(text, pocket_sort_event, &s, &err);

    if (rc != 1) {
        return rc;
    }

    if (s.objects.n == 0) {
        out->data = s.text.elts;
        out->len = s.text.n;
        return 1;
    }

    pocket_sort_members(&s);

    return pocket_sort_write(&s, out);
}


/* a look at the first byte spares other texts all further work */

static unsigned
pocket_sort_is_object(const pocket_str_t *text, unsigned flags)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            continue;

        case '{':
            return 1;

        default:
            return text->data[i] == 'n' && (flags & POCKET_SORT_NULL);
        }
    }

    return 0;
}


/* 1: go on; 0: the text is not to be sorted; POCKET_ERROR: no memory */

static int
pocket_sort_event(void *data, const pocket_json_event_t *ev)
{
    pocket_sort_t  *s;

    s = data;

    if (ev->depth == 0 && ev->type != POCKET_JSON_OBJECT
        && ev->type != POCKET_JSON_OBJECT_END
        && !(ev->type == POCKET_JSON_NULL && (s->flags & POCKET_SORT_NULL)))
    {
        return 0;
    }

    switch (ev->type) {

    case POCKET_JSON_OBJECT:
        return pocket_sort_object_start(s);

    case POCKET_JSON_OBJECT_END:
        return pocket_sort_object_end(s);

    case POCKET_JSON_ARRAY:
        return pocket_sort_array_start(s);

    case POCKET_JSON_ARRAY_END:
        return pocket_sort_array_end(s);

    case POCKET_JSON_KEY:
        return pocket_sort_key(s, ev);

    case POCKET_JSON_STRING:
        return pocket_sort_string(s, ev);

    case POCKET_JSON_NUMBER:
        return pocket_sort_number(s, &ev->raw);

    default: /* POCKET_JSON_NULL, POCKET_JSON_FALSE, POCKET_JSON_TRUE */
        return pocket_sort_scalar(s, &ev->raw);
    }
}


/* room for n more elements, counted as used; NULL: no memory */

static void *
pocket_sort_push(pocket_sort_t *s, pocket_sort_array_t *array, size_t n)
{
    void    *p;
    size_t   max;

    if (n > array->max - array->n) {
        max = 2 * array->max;

        if (max < array->n + n) {
            max = array->n + n;
        }

        if (max < POCKET_SORT_ELTS) {
            max = POCKET_SORT_ELTS;
        }

        p = pocket_alloc(s->alloc, max * array->size);
        if (p == NULL) {
            return NULL;
        }

        if (array->n) {
            memcpy(p, array->elts, array->n * array->size);
        }

        array->elts = p;
        array->max = max;
    }

    p = (unsigned char *) array->elts + array->n * array->size;
    array->n += n;

    return p;
}


static pocket_sort_frame_t *
pocket_sort_frame(pocket_sort_t *s)
{
    pocket_sort_frame_t  *frames;

    if (s->frames.n == 0) {
        return NULL;
    }

    frames = s->frames.elts;

    return &frames[s->frames.n - 1];
}


static int
pocket_sort_text(pocket_sort_t *s, const void *data, size_t len)
{
    unsigned char  *p;

    p = pocket_sort_push(s, &s->text, len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    memcpy(p, data, len);

    return 1;
}


static int
pocket_sort_quoted(pocket_sort_t *s, const pocket_str_t *value)
{
    unsigned char  *p;

    p = pocket_sort_push(s, &s->text, pocket_json_escaped_len(value) + 2);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    *p++ = '"';
    p = pocket_json_escape(p, value);
    *p = '"';

    return 1;
}


/* any value begins; commas between members come in the second pass */

static int
pocket_sort_begin(pocket_sort_t *s)
{
    pocket_sort_frame_t  *frame;

    frame = pocket_sort_frame(s);

    if (frame == NULL || frame->is_object || frame->count++ == 0) {
        return 1;
    }

    return pocket_sort_text(s, ",", 1);
}


/* a member's text goes on until its value has ended */

static void
pocket_sort_end(pocket_sort_t *s)
{
    pocket_sort_frame_t   *frame;
    pocket_sort_member_t  *open;

    frame = pocket_sort_frame(s);

    if (frame != NULL && frame->is_object) {
        open = s->open.elts;
        open[s->open.n - 1].end = s->text.n;
    }
}


static int
pocket_sort_object_start(pocket_sort_t *s)
{
    pocket_sort_frame_t   *frame;
    pocket_sort_object_t  *object;

    if (pocket_sort_begin(s) != 1) {
        return POCKET_ERROR;
    }

    object = pocket_sort_push(s, &s->objects, 1);
    frame = pocket_sort_push(s, &s->frames, 1);

    if (object == NULL || frame == NULL) {
        return POCKET_ERROR;
    }

    object->start = s->text.n;

    frame->is_object = 1;
    frame->object = s->objects.n - 1;
    frame->members = s->open.n;
    frame->count = 0;

    return pocket_sort_text(s, "{", 1);
}


static int
pocket_sort_key(pocket_sort_t *s, const pocket_json_event_t *ev)
{
    pocket_str_t           key;
    pocket_sort_member_t  *member;

    if (pocket_json_string(&ev->raw, ev->escaped, &key, s->alloc) != 1) {
        return POCKET_ERROR;
    }

    member = pocket_sort_push(s, &s->open, 1);
    if (member == NULL) {
        return POCKET_ERROR;
    }

    /* keys sort by their characters, not by how these are escaped */

    member->key = key;
    member->start = s->text.n;
    member->end = s->text.n;
    member->object = s->objects.n;

    if (pocket_sort_quoted(s, &key) != 1) {
        return POCKET_ERROR;
    }

    return pocket_sort_text(s, ":", 1);
}


/* the object's members leave the open ones, to stand side by side */

static int
pocket_sort_object_end(pocket_sort_t *s)
{
    size_t                 n;
    pocket_sort_frame_t   *frame;
    pocket_sort_object_t  *object;
    pocket_sort_member_t  *members, *open;

    frame = pocket_sort_frame(s);

    object = s->objects.elts;
    object += frame->object;

    n = s->open.n - frame->members;

    if (pocket_sort_text(s, "}", 1) != 1) {
        return POCKET_ERROR;
    }

    object->end = s->text.n;
    object->next = s->objects.n;
    object->members = s->members.n;
    object->nmembers = n;

    if (n) {
        members = pocket_sort_push(s, &s->members, n);
        if (members == NULL) {
            return POCKET_ERROR;
        }

        open = s->open.elts;
        memcpy(members, &open[frame->members],
               n * sizeof(pocket_sort_member_t));
    }

    s->open.n = frame->members;
    s->frames.n--;

    pocket_sort_end(s);

    return 1;
}


static int
pocket_sort_array_start(pocket_sort_t *s)
{
    pocket_sort_frame_t  *frame;

    if (pocket_sort_begin(s) != 1) {
        return POCKET_ERROR;
    }

    frame = pocket_sort_push(s, &s->frames, 1);
    if (frame == NULL) {
        return POCKET_ERROR;
    }

    memset(frame, 0, sizeof(pocket_sort_frame_t));

    return pocket_sort_text(s, "[", 1);
}


static int
pocket_sort_array_end(pocket_sort_t *s)
{
    s->frames.n--;

    if (pocket_sort_text(s, "]", 1) != 1) {
        return POCKET_ERROR;
    }

    pocket_sort_end(s);

    return 1;
}


static int
pocket_sort_string(pocket_sort_t *s, const pocket_json_event_t *ev)
{
    pocket_str_t  value;

    if (pocket_sort_begin(s) != 1
        || pocket_json_string(&ev->raw, ev->escaped, &value, s->alloc) != 1)
    {
        return POCKET_ERROR;
    }

    if (pocket_sort_is_amino_key(s, &value)) {
        value.data += POCKET_SORT_AMINO_LEN;
        value.len -= POCKET_SORT_AMINO_LEN;
    }

    if (pocket_sort_quoted(s, &value) != 1) {
        return POCKET_ERROR;
    }

    pocket_sort_end(s);

    return 1;
}


static unsigned
pocket_sort_is_amino_key(pocket_sort_t *s, const pocket_str_t *value)
{
    pocket_sort_member_t  *member;

    static const pocket_str_t  name = pocket_string("public_key");

    if (!(s->flags & POCKET_SORT_KEYS)
        || !pocket_sort_frame(s)->is_object
        || value->len != POCKET_SORT_AMINO_LEN + 2 * POCKET_PUBKEY_LEN
        || memcmp(value->data, POCKET_SORT_AMINO, POCKET_SORT_AMINO_LEN) != 0)
    {
        return 0;
    }

    member = s->open.elts;
    member += s->open.n - 1;

    return pocket_sort_key_cmp(&member->key, &name) == 0;
}


static int
pocket_sort_number(pocket_sort_t *s, const pocket_str_t *raw)
{
    int            rc;
    pocket_str_t   value;
    unsigned char  buf[POCKET_NUMBER_LEN];

    value = *raw;

    if (s->flags & POCKET_SORT_FLOAT64) {
        rc = pocket_number_format(raw, buf, &value.len, s->alloc);

        if (rc != 1) {
            return rc;
        }

        value.data = buf;
    }

    return pocket_sort_scalar(s, &value);
}


static int
pocket_sort_scalar(pocket_sort_t *s, const pocket_str_t *value)
{
    if (pocket_sort_begin(s) != 1
        || pocket_sort_text(s, value->data, value->len) != 1)
    {
        return POCKET_ERROR;
    }

    pocket_sort_end(s);

    return 1;
}


static void
pocket_sort_members(pocket_sort_t *s)
{
    size_t                 i, k, n;
    pocket_sort_object_t  *objects;
    pocket_sort_member_t  *members;

    objects = s->objects.elts;

    for (i = 0; i < s->objects.n; i++) {

        if (objects[i].nmembers < 2) {
            continue;
        }

        members = s->members.elts;
        members += objects[i].members;

        qsort(members, objects[i].nmembers, sizeof(pocket_sort_member_t),
              pocket_sort_cmp);

        /* of equal keys the last written stands last, and stays */

        n = 0;

        for (k = 1; k < objects[i].nmembers; k++) {

            if (pocket_sort_key_cmp(&members[n].key, &members[k].key) != 0) {
                n++;
            }

            members[n] = members[k];
        }

        objects[i].nmembers = n + 1;
    }
}


static int
pocket_sort_cmp(const void *one, const void *two)
{
    int                          rc;
    const pocket_sort_member_t  *first, *second;

    first = one;
    second = two;

    rc = pocket_sort_key_cmp(&first->key, &second->key);

    if (rc) {
        return rc;
    }

    return (first->start < second->start) ? -1 : 1;
}


static int
pocket_sort_key_cmp(const pocket_str_t *one, const pocket_str_t *two)
{
    int     rc;
    size_t  len;

    len = (one->len < two->len) ? one->len : two->len;

    rc = len ? memcmp(one->data, two->data, len) : 0;

    if (rc || one->len == two->len) {
        return rc;
    }

    return (one->len < two->len) ? -1 : 1;
}


/*
 * The text has the braces and all commas of arrays; each member but an
 * object's first brings one comma more.
 */

static int
pocket_sort_write(pocket_sort_t *s, pocket_str_t *out)
{
    size_t                 object;
    unsigned char         *p, *text;
    pocket_sort_array_t    stack;
    pocket_sort_cursor_t  *c;
    pocket_sort_object_t  *objects;

    text = s->text.elts;
    objects = s->objects.elts;

    /* enough, also if repeated members are left out */

    p = pocket_alloc(s->alloc, s->text.n + s->members.n);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    out->data = p;

    memset(&stack, 0, sizeof(pocket_sort_array_t));
    stack.size = sizeof(pocket_sort_cursor_t);

    if (pocket_sort_descend(s, &stack, 0) != 1) {
        return POCKET_ERROR;
    }

    *p++ = '{';

    while (stack.n) {
        c = stack.elts;
        c += stack.n - 1;

        object = c->nested;

        if (object < s->objects.n && objects[object].start < c->end) {
            p = pocket_sort_copy(p, text, c->pos, objects[object].start);
            *p++ = '{';

            c->pos = objects[object].end;
            c->nested = objects[object].next;

            if (pocket_sort_descend(s, &stack, object) != 1) {
                return POCKET_ERROR;
            }

            continue;
        }

        p = pocket_sort_copy(p, text, c->pos, c->end);

        if (!pocket_sort_next(s, c)) {
            *p++ = '}';
            stack.n--;

        } else if (c->member > 1) {
            *p++ = ',';
        }
    }

    out->len = (size_t) (p - out->data);

    return 1;
}


static int
pocket_sort_descend(pocket_sort_t *s, pocket_sort_array_t *stack,
    size_t object)
{
    pocket_sort_cursor_t  *c;

    c = pocket_sort_push(s, stack, 1);
    if (c == NULL) {
        return POCKET_ERROR;
    }

    memset(c, 0, sizeof(pocket_sort_cursor_t));

    c->object = object;
    c->nested = s->objects.n;

    return 1;
}


static unsigned char *
pocket_sort_copy(unsigned char *p, const unsigned char *text, size_t start,
    size_t end)
{
    memcpy(p, text + start, end - start);

    return p + (end - start);
}


/* the cursor goes to the object's next member, if there is one */

static unsigned
pocket_sort_next(pocket_sort_t *s, pocket_sort_cursor_t *c)
{
    pocket_sort_object_t  *object;
    pocket_sort_member_t  *member;

    object = s->objects.elts;
    object += c->object;

    if (c->member == object->nmembers) {
        return 0;
    }

    member = s->members.elts;
    member += object->members + c->member;

    c->member++;
    c->pos = member->start;
    c->end = member->end;
    c->nested = member->object;

    return 1;
}
