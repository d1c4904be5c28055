
/*
 * Batches in parts: see gateway_parts.h.
 */


#include "gateway_filter.h"
#include "gateway_parts.h"
#include "pocket_json.h"

#include <stdio.h>
#include <string.h>


/* the call of an answer is looked for among so many, from the last one on */

#define GATEWAY_PARTS_WINDOW   1024

#define GATEWAY_PARTS_ERROR                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":%.*s,"                                       \
    "\"error\":{\"code\":%d,\"message\":\"%.*s\"}}"

#define GATEWAY_PARTS_CODE     12          /* characters of a code */

/* what calls are told that have no part */

#define GATEWAY_PARTS_TOO_MANY                                                \
    "a batch names filters of too many nodes"
#define GATEWAY_PARTS_LIMIT    -32005


typedef enum {
    GATEWAY_PARTS_OTHER = 0,
    GATEWAY_PARTS_ID,
    GATEWAY_PARTS_METHOD,
    GATEWAY_PARTS_PARAMS
} gateway_parts_member_e;


/* Reads batches, then their answers: both are arrays of objects. */

typedef struct {
    gateway_dialect_e        dialect;
    const pocket_str_t      *text;
    gateway_parts_t         *parts;
    unsigned                 answer;
    uint32_t                 part;         /* that has answered */
    uint32_t                 next;         /* call that may be answered */
    gateway_parts_member_e   member;
    size_t                   start;
    pocket_str_t             id;
    pocket_str_t             first;        /* parameter, a string */
    unsigned                 params;       /* seen so far */
    unsigned                 sticky;
    pocket_str_t            *rest;         /* answers of no call */
    uint32_t                 nrest;
} gateway_parts_reader_t;


static int gateway_parts_read(gateway_parts_reader_t *reader,
    const pocket_str_t *text);
static int gateway_parts_event(void *data, const pocket_json_event_t *ev);
static void gateway_parts_begin(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_parts_member(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev);
static void gateway_parts_end(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev);
static uint64_t gateway_parts_tag(gateway_parts_reader_t *reader);
static uint32_t gateway_parts_part(gateway_parts_t *parts, uint64_t tag);
static void gateway_parts_answered(gateway_parts_reader_t *reader,
    const pocket_str_t *answer);
static unsigned gateway_parts_needed(const gateway_parts_t *parts);
static int gateway_parts_bodies(gateway_parts_t *parts, pocket_alloc_t *a);
static size_t gateway_parts_size(const gateway_parts_t *parts,
    const gateway_parts_call_t *call);
static unsigned char *gateway_parts_write(unsigned char *p,
    const gateway_parts_t *parts, const gateway_parts_call_t *call);
static const gateway_part_t *gateway_parts_of(const gateway_parts_t *parts,
    const gateway_parts_call_t *call);
static unsigned char *gateway_parts_copy(unsigned char *p,
    const pocket_str_t *text);
static unsigned gateway_parts_is(const pocket_str_t *text, const char *name);


/* of calls that have none */

static const gateway_part_t  gateway_parts_none = {
    GATEWAY_PARTS_NOBODY, 0, pocket_string(""), pocket_string(""),
    GATEWAY_PARTS_LIMIT, pocket_string(GATEWAY_PARTS_TOO_MANY)
};


int
gateway_parts_split(gateway_parts_t *parts, const gateway_call_t *call,
    gateway_dialect_e dialect, const pocket_str_t *body, pocket_alloc_t *a)
{
    uint32_t                n;
    gateway_parts_reader_t  reader;

    memset(parts, 0, sizeof(gateway_parts_t));

    if (!call->batch || !(call->traits & GATEWAY_CALL_STICKY)) {
        return POCKET_OK;
    }

    memset(&reader, 0, sizeof(gateway_parts_reader_t));

    reader.dialect = dialect;
    reader.parts = parts;

    /* the first time they are counted */

    if (gateway_parts_read(&reader, body) != 1
        || !gateway_parts_needed(parts))
    {
        parts->n = 0;
        return POCKET_OK;
    }

    n = parts->ncalls;

    parts->calls = pocket_alloc(a, n * sizeof(gateway_parts_call_t));
    if (parts->calls == NULL) {
        return POCKET_ERROR;
    }

    parts->n = 0;
    parts->ncalls = 0;

    (void) gateway_parts_read(&reader, body);

    return gateway_parts_bodies(parts, a);
}


static int
gateway_parts_read(gateway_parts_reader_t *reader, const pocket_str_t *text)
{
    pocket_json_error_t  err;

    reader->text = text;

    return pocket_json_read(text, gateway_parts_event, reader, &err);
}


static int
gateway_parts_event(void *data, const pocket_json_event_t *ev)
{
    gateway_parts_reader_t *reader = data;

    switch (ev->depth) {

    case 0:

        /* an answer to all of a batch is none of its calls */

        return ev->type == POCKET_JSON_ARRAY
               || ev->type == POCKET_JSON_ARRAY_END;

    case 1:

        if (ev->type <= POCKET_JSON_ARRAY) {
            gateway_parts_begin(reader, ev);
        }

        if (ev->type < POCKET_JSON_OBJECT || ev->type > POCKET_JSON_KEY) {
            gateway_parts_end(reader, ev);
        }

        return 1;

    case 2:
        gateway_parts_member(reader, ev);
        return 1;

    case 3:

        if (reader->member == GATEWAY_PARTS_PARAMS
            && ev->type < POCKET_JSON_KEY)
        {
            if (reader->params++ == 0 && ev->type == POCKET_JSON_STRING) {
                reader->first = ev->raw;
            }
        }

        return 1;

    default:
        return 1;
    }
}


static void
gateway_parts_begin(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev)
{
    reader->member = GATEWAY_PARTS_OTHER;
    reader->start = ev->start;
    reader->id.len = 0;
    reader->first.len = 0;
    reader->params = 0;
    reader->sticky = 0;
}


static void
gateway_parts_member(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev)
{
    if (ev->type == POCKET_JSON_KEY) {
        reader->member = gateway_parts_is(&ev->raw, "id")
                         ? GATEWAY_PARTS_ID
                         : gateway_parts_is(&ev->raw, "method")
                         ? GATEWAY_PARTS_METHOD
                         : gateway_parts_is(&ev->raw, "params")
                         ? GATEWAY_PARTS_PARAMS : GATEWAY_PARTS_OTHER;
        return;
    }

    if (reader->member == GATEWAY_PARTS_ID
        && ev->type <= POCKET_JSON_STRING)
    {
        reader->id.data = reader->text->data + ev->start;
        reader->id.len = ev->end - ev->start;

    } else if (reader->member == GATEWAY_PARTS_METHOD
               && ev->type == POCKET_JSON_STRING)
    {
        reader->sticky = gateway_call_method(reader->dialect, &ev->raw)
                         & GATEWAY_CALL_STICKY;
    }
}


static void
gateway_parts_end(gateway_parts_reader_t *reader,
    const pocket_json_event_t *ev)
{
    uint32_t               part;
    pocket_str_t           text;
    gateway_parts_t       *parts;
    gateway_parts_call_t  *call;

    text.data = reader->text->data + reader->start;
    text.len = ev->end - reader->start;

    if (reader->answer) {
        gateway_parts_answered(reader, &text);
        return;
    }

    parts = reader->parts;
    part = gateway_parts_part(parts, gateway_parts_tag(reader));

    if (parts->calls) {
        call = &parts->calls[parts->ncalls];

        call->call = text;
        call->id = reader->id;
        call->part = part;
        call->answer.len = 0;

        if (part < GATEWAY_PARTS_MAX) {
            parts->parts[part].n++;
            parts->parts[part].body.len += text.len + 1;
        }
    }

    parts->ncalls++;
}


static uint64_t
gateway_parts_tag(gateway_parts_reader_t *reader)
{
    uint64_t  tag;

    /* who names none is told so by any node */

    if (!reader->sticky || reader->first.len == 0) {
        return GATEWAY_PARTS_ANY;
    }

    tag = gateway_filter_tag_of(&reader->first);

    return tag ? tag : GATEWAY_PARTS_NOBODY;
}


static uint32_t
gateway_parts_part(gateway_parts_t *parts, uint64_t tag)
{
    uint32_t         i;
    gateway_part_t  *part;

    for (i = 0; i < parts->n; i++) {
        if (parts->parts[i].tag == tag) {
            return i;
        }
    }

    if (i < GATEWAY_PARTS_MAX) {
        part = &parts->parts[parts->n++];

        memset(part, 0, sizeof(gateway_part_t));
        part->tag = tag;
    }

    return i;
}


/*
 * One node is asked for all, where it has all the filters; those of nobody are
 * another's at a node that numbers alike, and so are none of its.
 */

static unsigned
gateway_parts_needed(const gateway_parts_t *parts)
{
    uint32_t  i, nodes;

    nodes = 0;

    for (i = 0; i < parts->n; i++) {

        if (parts->parts[i].tag == GATEWAY_PARTS_NOBODY) {
            return 1;
        }

        nodes += (parts->parts[i].tag != GATEWAY_PARTS_ANY);
    }

    return nodes > 1;
}


static int
gateway_parts_bodies(gateway_parts_t *parts, pocket_alloc_t *a)
{
    uint32_t               i;
    unsigned char         *p[GATEWAY_PARTS_MAX];
    gateway_part_t        *part;
    gateway_parts_call_t  *call;

    for (i = 0; i < parts->n; i++) {
        part = &parts->parts[i];

        /* a bracket before the first, and one in place of the last comma */

        part->body.len++;
        part->body.data = pocket_alloc(a, part->body.len);
        if (part->body.data == NULL) {
            return POCKET_ERROR;
        }

        p[i] = part->body.data;
        *p[i]++ = '[';
    }

    for (i = 0; i < parts->ncalls; i++) {
        call = &parts->calls[i];

        if (call->part < GATEWAY_PARTS_MAX) {
            p[call->part] = gateway_parts_copy(p[call->part], &call->call);
            *p[call->part]++ = ',';
        }
    }

    for (i = 0; i < parts->n; i++) {
        p[i][-1] = ']';
    }

    return POCKET_OK;
}


int
gateway_parts_join(gateway_parts_t *parts, pocket_str_t *out,
    pocket_alloc_t *a)
{
    size_t                  len;
    uint32_t                i;
    unsigned char          *p;
    gateway_parts_reader_t  reader;

    memset(&reader, 0, sizeof(gateway_parts_reader_t));

    reader.parts = parts;
    reader.answer = 1;
    reader.rest = pocket_alloc(a, parts->ncalls * sizeof(pocket_str_t));
    if (reader.rest == NULL) {
        return POCKET_ERROR;
    }

    for (i = 0; i < parts->n; i++) {
        reader.part = i;
        reader.next = 0;

        if (parts->parts[i].answer.len) {
            (void) gateway_parts_read(&reader, &parts->parts[i].answer);
        }
    }

    len = 2;

    for (i = 0; i < parts->ncalls; i++) {
        len += gateway_parts_size(parts, &parts->calls[i]);
    }

    for (i = 0; i < reader.nrest; i++) {
        len += reader.rest[i].len + 1;
    }

    out->data = pocket_alloc(a, len);
    if (out->data == NULL) {
        return POCKET_ERROR;
    }

    p = out->data;
    *p++ = '[';

    for (i = 0; i < parts->ncalls; i++) {
        p = gateway_parts_write(p, parts, &parts->calls[i]);
    }

    for (i = 0; i < reader.nrest; i++) {
        p = gateway_parts_copy(p, &reader.rest[i]);
        *p++ = ',';
    }

    if (p[-1] == ',') {
        p--;
    }

    *p++ = ']';

    out->len = (size_t) (p - out->data);

    return POCKET_OK;
}


/* Nodes mostly answer in the order of the calls. */

static void
gateway_parts_answered(gateway_parts_reader_t *reader,
    const pocket_str_t *answer)
{
    uint32_t               i, n;
    gateway_parts_t       *parts;
    gateway_parts_call_t  *call;

    parts = reader->parts;
    i = reader->next;

    for (n = 0; n < parts->ncalls && n < GATEWAY_PARTS_WINDOW; n++) {
        call = &parts->calls[i];
        i = (i + 1 == parts->ncalls) ? 0 : i + 1;

        if (call->part == reader->part
            && call->answer.len == 0
            && call->id.len == reader->id.len
            && call->id.len
            && memcmp(call->id.data, reader->id.data, call->id.len) == 0)
        {
            call->answer = *answer;
            reader->next = i;
            return;
        }
    }

    if (reader->nrest < parts->ncalls) {
        reader->rest[reader->nrest++] = *answer;
    }
}


static size_t
gateway_parts_size(const gateway_parts_t *parts,
    const gateway_parts_call_t *call)
{
    if (call->answer.len) {
        return call->answer.len + 1;
    }

    return sizeof(GATEWAY_PARTS_ERROR) + GATEWAY_PARTS_CODE + call->id.len
           + gateway_parts_of(parts, call)->message.len;
}


static unsigned char *
gateway_parts_write(unsigned char *p, const gateway_parts_t *parts,
    const gateway_parts_call_t *call)
{
    const gateway_part_t  *part;

    if (call->answer.len) {
        p = gateway_parts_copy(p, &call->answer);
        *p++ = ',';
        return p;
    }

    /* a notification */

    if (call->id.len == 0) {
        return p;
    }

    part = gateway_parts_of(parts, call);

    p += sprintf((char *) p, GATEWAY_PARTS_ERROR ",", (int) call->id.len,
                 call->id.data, part->code, (int) part->message.len,
                 part->message.data);
    return p;
}


static const gateway_part_t *
gateway_parts_of(const gateway_parts_t *parts,
    const gateway_parts_call_t *call)
{
    return (call->part < GATEWAY_PARTS_MAX) ? &parts->parts[call->part]
                                            : &gateway_parts_none;
}


static unsigned char *
gateway_parts_copy(unsigned char *p, const pocket_str_t *text)
{
    memcpy(p, text->data, text->len);

    return p + text->len;
}


static unsigned
gateway_parts_is(const pocket_str_t *text, const char *name)
{
    return text->len == strlen(name)
           && memcmp(text->data, name, text->len) == 0;
}
