
/*
 * Filters that a node keeps: see gateway_filter.h.
 */


#include "gateway_filter.h"
#include "pocket_json.h"

#include <string.h>


/* the first digit: not 0, which who takes an id for a number would cut off */

#define GATEWAY_FILTER_MARK  ((uint64_t) 7 << 60)
#define GATEWAY_FILTER_BITS  (((uint64_t) 1 << 60) - 1)

#define GATEWAY_FILTER_HEAD  (2 + GATEWAY_FILTER_TAG)


/* a value as it stands in its text, and whether it was quoted */

typedef struct {
    pocket_str_t          raw;
    unsigned              quoted;
} gateway_filter_value_t;


typedef enum {
    GATEWAY_FILTER_OTHER = 0,
    GATEWAY_FILTER_MEMBER_ID,
    GATEWAY_FILTER_MEMBER_METHOD,
    GATEWAY_FILTER_MEMBER_RESULT
} gateway_filter_member_e;


/* Reads requests, then their answers: objects, or arrays of them. */

typedef struct {
    gateway_dialect_e        dialect;
    unsigned                 answer;
    unsigned                 batch;
    gateway_filter_member_e  member;
    gateway_filter_value_t   id;
    gateway_filter_value_t   result;
    unsigned                 filter;       /* the call makes one */

    gateway_filter_value_t  *ids;          /* of calls that make one */
    size_t                   n;
    size_t                   size;
    const unsigned char    **places;       /* where the tag is put */
    size_t                   nplaces;
} gateway_filter_reader_t;


static int gateway_filter_read(gateway_filter_reader_t *reader,
    const pocket_str_t *text, unsigned answer);
static int gateway_filter_event(void *data, const pocket_json_event_t *ev);
static void gateway_filter_member(gateway_filter_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_filter_end(gateway_filter_reader_t *reader);
static unsigned gateway_filter_is_id(const pocket_str_t *text, size_t least);
static void gateway_filter_print(uint64_t tag, unsigned char *digits);
static unsigned gateway_filter_at(const unsigned char *p,
    const unsigned char *head);
static unsigned gateway_filter_same(const gateway_filter_value_t *a,
    const gateway_filter_value_t *b);


uint64_t
gateway_filter_tag(const pocket_str_t *name)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ name->data[i]) * 0x100000001b3;
    }

    /* the last bytes are in the low bits alone */

    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15;

    return GATEWAY_FILTER_MARK | (hash >> 4 & GATEWAY_FILTER_BITS);
}


uint64_t
gateway_filter_tag_of(const pocket_str_t *id)
{
    size_t         i;
    uint64_t       tag;
    unsigned char  ch;

    if (!gateway_filter_is_id(id, GATEWAY_FILTER_TAG + 1)
        || id->data[2] != '7')
    {
        return 0;
    }

    for (tag = 0, i = 2; i < GATEWAY_FILTER_HEAD; i++) {
        ch = id->data[i];
        ch = (ch <= '9') ? ch - '0' : (ch | 0x20) - 'a' + 10;
        tag = tag << 4 | ch;
    }

    return tag;
}


/* "0x" and no fewer digits than that, nor more than can have been given */

static unsigned
gateway_filter_is_id(const pocket_str_t *text, size_t least)
{
    size_t         i;
    unsigned char  ch;

    if (text->len < 2 + least
        || text->len > GATEWAY_FILTER_HEAD + GATEWAY_FILTER_ID
        || text->data[0] != '0' || (text->data[1] | 0x20) != 'x')
    {
        return 0;
    }

    for (i = 2; i < text->len; i++) {
        ch = text->data[i];

        if (!(ch >= '0' && ch <= '9')
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f'))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * All strings that begin so are meant: of 60 bits that are this node's none
 * comes about by chance.
 */

int
gateway_filter_request(const pocket_str_t *body, uint64_t tag,
    pocket_str_t *out, pocket_alloc_t *a)
{
    size_t          i, n;
    unsigned char  *p, head[GATEWAY_FILTER_HEAD + 1];

    head[0] = '"';
    head[1] = '0';
    head[2] = 'x';
    gateway_filter_print(tag, head + 3);

    *out = *body;
    p = NULL;
    n = 0;

    for (i = 0; i < body->len; i++) {

        if (body->len - i <= sizeof(head)
            || !gateway_filter_at(body->data + i, head))
        {
            if (p) {
                p[n++] = body->data[i];
            }

            continue;
        }

        if (p == NULL) {
            p = pocket_alloc(a, body->len);
            if (p == NULL) {
                return POCKET_ERROR;
            }

            memcpy(p, body->data, i);
            n = i;
        }

        memcpy(p + n, body->data + i, 3);
        n += 3;
        i += sizeof(head) - 1;
    }

    if (p) {
        out->data = p;
        out->len = n;
    }

    return POCKET_OK;
}


int
gateway_filter_answer(const gateway_call_t *call, gateway_dialect_e dialect,
    const pocket_str_t *body, const pocket_str_t *answer, uint64_t tag,
    pocket_str_t *out, pocket_alloc_t *a)
{
    size_t                    i, n;
    unsigned char            *p;
    const unsigned char      *from;
    gateway_filter_reader_t   reader;

    *out = *answer;

    if (call->n == 0) {
        return POCKET_OK;
    }

    memset(&reader, 0, sizeof(gateway_filter_reader_t));

    reader.dialect = dialect;
    reader.size = call->n;
    reader.ids = pocket_alloc(a, call->n * sizeof(gateway_filter_value_t));
    reader.places = pocket_alloc(a, call->n * sizeof(unsigned char *));

    if (reader.ids == NULL || reader.places == NULL) {
        return POCKET_ERROR;
    }

    if (gateway_filter_read(&reader, body, 0) != 1
        || gateway_filter_read(&reader, answer, 1) != 1
        || reader.nplaces == 0)
    {
        return POCKET_OK;
    }

    out->len = answer->len + reader.nplaces * GATEWAY_FILTER_TAG;
    out->data = pocket_alloc(a, out->len);
    if (out->data == NULL) {
        return POCKET_ERROR;
    }

    p = out->data;
    from = answer->data;

    for (i = 0; i < reader.nplaces; i++) {
        n = (size_t) (reader.places[i] - from);

        memcpy(p, from, n);
        gateway_filter_print(tag, p + n);

        from += n;
        p += n + GATEWAY_FILTER_TAG;
    }

    memcpy(p, from, (size_t) (answer->data + answer->len - from));

    return POCKET_OK;
}


static int
gateway_filter_read(gateway_filter_reader_t *reader, const pocket_str_t *text,
    unsigned answer)
{
    pocket_json_error_t  err;

    reader->answer = answer;
    reader->batch = 0;

    return pocket_json_read(text, gateway_filter_event, reader, &err);
}


static int
gateway_filter_event(void *data, const pocket_json_event_t *ev)
{
    gateway_filter_reader_t *reader = data;

    size_t  depth;

    if (ev->depth == 0 && ev->type == POCKET_JSON_ARRAY) {
        reader->batch = 1;
        return 1;
    }

    depth = ev->depth - (reader->batch && ev->depth);

    if (depth == 1) {
        gateway_filter_member(reader, ev);

    } else if (depth == 0 && ev->type == POCKET_JSON_OBJECT) {
        reader->member = GATEWAY_FILTER_OTHER;
        reader->id.raw.len = 0;
        reader->result.raw.len = 0;
        reader->filter = 0;

    } else if (depth == 0 && ev->type == POCKET_JSON_OBJECT_END) {
        gateway_filter_end(reader);
    }

    return 1;
}


static void
gateway_filter_member(gateway_filter_reader_t *reader,
    const pocket_json_event_t *ev)
{
    static const struct {
        pocket_str_t             name;
        gateway_filter_member_e  member;
    } members[] = {
        { pocket_string("id"), GATEWAY_FILTER_MEMBER_ID },
        { pocket_string("method"), GATEWAY_FILTER_MEMBER_METHOD },
        { pocket_string("result"), GATEWAY_FILTER_MEMBER_RESULT }
    };

    size_t                  i;
    gateway_filter_value_t  value;

    if (ev->type == POCKET_JSON_KEY) {
        reader->member = GATEWAY_FILTER_OTHER;

        for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            if (ev->raw.len == members[i].name.len
                && memcmp(ev->raw.data, members[i].name.data, ev->raw.len)
                   == 0)
            {
                reader->member = members[i].member;
            }
        }

        return;
    }

    value.raw = ev->raw;
    value.quoted = (ev->type == POCKET_JSON_STRING);

    if (ev->type > POCKET_JSON_STRING) {
        value.raw.len = 0;
    }

    switch (reader->member) {

    case GATEWAY_FILTER_MEMBER_ID:
        reader->id = value;
        break;

    case GATEWAY_FILTER_MEMBER_RESULT:
        reader->result = value;
        break;

    case GATEWAY_FILTER_MEMBER_METHOD:
        reader->filter = value.quoted
                         && (gateway_call_method(reader->dialect, &value.raw)
                             & GATEWAY_CALL_FILTER);
        break;

    default:
        break;
    }
}


static void
gateway_filter_end(gateway_filter_reader_t *reader)
{
    size_t  i;

    if (!reader->answer) {

        if (reader->filter && reader->id.raw.len
            && reader->n < reader->size)
        {
            reader->ids[reader->n++] = reader->id;
        }

        return;
    }

    if (!reader->result.quoted
        || !gateway_filter_is_id(&reader->result.raw, 1)
        || reader->result.raw.len > 2 + GATEWAY_FILTER_ID)
    {
        return;
    }

    /* of several calls with one id each has its answer */

    for (i = 0; i < reader->n; i++) {

        if (gateway_filter_same(&reader->ids[i], &reader->id)) {
            reader->ids[i].raw.len = 0;
            reader->places[reader->nplaces++] = reader->result.raw.data + 2;
            return;
        }
    }
}


static void
gateway_filter_print(uint64_t tag, unsigned char *digits)
{
    unsigned  i;

    for (i = GATEWAY_FILTER_TAG; i > 0; i--, tag >>= 4) {
        digits[i - 1] = (unsigned char) "0123456789abcdef"[tag & 15];
    }
}


/* Callers may write the digits, and the "x", in capitals. */

static unsigned
gateway_filter_at(const unsigned char *p, const unsigned char *head)
{
    size_t  i;

    if (p[0] != head[0] || p[1] != head[1]) {
        return 0;
    }

    for (i = 2; i < GATEWAY_FILTER_HEAD + 1; i++) {
        if (p[i] != head[i]
            && !(head[i] >= 'a' && (p[i] | 0x20) == head[i]))
        {
            return 0;
        }
    }

    return 1;
}


static unsigned
gateway_filter_same(const gateway_filter_value_t *a,
    const gateway_filter_value_t *b)
{
    return a->raw.len && a->raw.len == b->raw.len && a->quoted == b->quoted
           && memcmp(a->raw.data, b->raw.data, a->raw.len) == 0;
}
