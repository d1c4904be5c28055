
/*
 * JSON: a strict reader that gives slices of its text, a decoder by tables
 * with the rules of Go's encoding/json, and canonical strings (spec: objects;
 * canonical JSON).  Nothing here recurses.  Unless said otherwise functions
 * return 1: done; 0: the text is refused and *err says why; POCKET_ERROR: no
 * memory (err->text says so too).
 */


#ifndef _POCKET_JSON_H_INCLUDED_
#define _POCKET_JSON_H_INCLUDED_


#include "pocket_base.h"


/* objects and arrays open at once; the reference allows 10000 */
#define POCKET_JSON_DEPTH       2000

#define POCKET_JSON_ERROR_LEN   160


/* kinds of values; then what else the reader tells of */

typedef enum {
    POCKET_JSON_NULL = 0,
    POCKET_JSON_FALSE,
    POCKET_JSON_TRUE,
    POCKET_JSON_NUMBER,
    POCKET_JSON_STRING,
    POCKET_JSON_OBJECT,              /* begins */
    POCKET_JSON_ARRAY,               /* begins */

    POCKET_JSON_KEY,
    POCKET_JSON_OBJECT_END,
    POCKET_JSON_ARRAY_END
} pocket_json_event_e;


/*
 * The token is text[start, end); raw is the same, without the quotes of
 * strings and keys.  escaped: raw has a backslash in it.  depth counts the
 * objects and arrays around the token; a begin and its end have the same.
 */

typedef struct {
    pocket_json_event_e         type;
    unsigned                    escaped;
    size_t                      depth;
    size_t                      start;
    size_t                      end;
    pocket_str_t                raw;
} pocket_json_event_t;


/*
 * pos is where in the text; text is for logs and clients, one line; refused:
 * what has been read so far is JSON, but of another form than wanted.
 */

typedef struct {
    size_t                      pos;
    unsigned                    refused;
    size_t                      len;
    unsigned char               text[POCKET_JSON_ERROR_LEN];
} pocket_json_error_t;


/*
 * Takes one event.  1: go on; 0: stop, the text is refused (with what
 * pocket_json_refuse() has put into *err, if anything); POCKET_ERROR: stop,
 * no memory.
 */

typedef int (*pocket_json_handler_pt)(void *data,
    const pocket_json_event_t *ev);


/*
 * Reads one JSON value in one pass; events come in the order of the text
 * until an error ends it.  Trailing bytes other than space, a BOM, raw
 * bytes below 0x20 in strings, nesting deeper than POCKET_JSON_DEPTH and an
 * empty text are errors.  Memory it needs itself is given back.
 */
int pocket_json_read(const pocket_str_t *text, pocket_json_handler_pt handler,
    void *data, pocket_json_error_t *err);

/*
 * Fills *err: field "name" reason; "the value" when name is empty, reason
 * alone when it is NULL.  Always gives 0, for handlers to return; the reader
 * then adds where it was.
 */
int pocket_json_refuse(pocket_json_error_t *err, const pocket_str_t *name,
    const char *reason);

/*
 * The characters of a string or key: *out is raw itself, or allocated from a
 * when raw has escapes or bad bytes: lone surrogates and bytes that belong
 * to no valid UTF-8 sequence become one U+FFFD each.  1 or POCKET_ERROR.
 */
int pocket_json_string(const pocket_str_t *raw, unsigned escaped,
    pocket_str_t *out, pocket_alloc_t *a);

/* A number's text as int64.  1, or 0: has a fraction, exponent, or no room */
int pocket_json_int64(const pocket_str_t *raw, int64_t *out);


/*
 * The decoder.  A table lists the members of a struct; what the text has
 * beyond is skipped.  As in Go: a name matches exactly, else without case; of
 * a repeated scalar or array the last one stays, repeated objects and maps
 * merge; null leaves the member as it is (but see the types); a value of
 * another type refuses the text.
 */

typedef enum {
    POCKET_JSON_T_STRING = 0,    /* pocket_str_t, decoded */
    POCKET_JSON_T_INT64,         /* int64_t */
    POCKET_JSON_T_UINT32,        /* uint32_t */
    POCKET_JSON_T_BOOL,          /* unsigned, 0 or 1 */
    POCKET_JSON_T_STRUCT,        /* a struct in place, by its table */
    POCKET_JSON_T_POINTER,       /* pointer to a struct allocated when it */
                                 /*   comes, zeroed; null makes it NULL */
    POCKET_JSON_T_ARRAY,         /* pocket_json_array_t of elements */
    POCKET_JSON_T_MAP,           /* same, keys and elements as they came */
    POCKET_JSON_T_VALUE          /* pocket_json_value_t, of any kind */
} pocket_json_type_e;


typedef struct pocket_json_table_s  pocket_json_table_t;


/*
 * table is needed by STRUCT and POINTER (its fields are the members), ARRAY
 * and MAP (its one field describes the element, name unused).
 */

typedef struct {
    pocket_str_t                name;
    pocket_json_type_e          type;
    size_t                      offset;    /* in the struct of its table */
    const pocket_json_table_t  *table;
} pocket_json_field_t;


struct pocket_json_table_s {
    const pocket_json_field_t  *fields;
    size_t                      nfields;
    size_t                      size;      /* of the struct or element */
};


/* initializers: a member that needs no table, and the table of a struct */

#define pocket_json_field(name, type, str, member)                            \
    pocket_json_field_of(name, type, str, member, NULL)

#define pocket_json_field_of(name, type, str, member, table)                  \
    { pocket_string(name), POCKET_JSON_T_##type, offsetof(str, member), table }

#define pocket_json_table(fields, str)                                        \
    { fields, sizeof(fields) / sizeof(fields[0]), sizeof(str) }


/*
 * The elements of an array or map, each table->size bytes; in a map's each
 * begins with the key, a pocket_str_t, and repeated keys are still there,
 * later ones later.  present tells an empty one from null or none; null
 * empties it.  max is the decoder's.
 */

typedef struct {
    void                       *elts;
    size_t                      n;
    size_t                      max;
    unsigned                    present;
} pocket_json_array_t;


/* raw is all of the value's text, quotes included; null and none: kind 0 */

typedef struct {
    pocket_json_event_e         kind;
    pocket_str_t                raw;
} pocket_json_value_t;


/*
 * Decodes text into out, a struct that the caller has zeroed (or filled with
 * defaults); root describes the whole value, at its offset in out.  The
 * strings are slices of text, which must outlive them, or from a.  Tables
 * nest at most POCKET_JSON_FRAMES deep.
 */
#define POCKET_JSON_FRAMES      8

int pocket_json_decode(const pocket_str_t *text,
    const pocket_json_field_t *root, void *out, pocket_json_error_t *err,
    pocket_alloc_t *a);

/* The string of a value of kind STRING.  1, 0 (another kind), POCKET_ERROR */
int pocket_json_value_string(const pocket_json_value_t *value,
    pocket_str_t *out, pocket_alloc_t *a);


/*
 * Canonical strings, without the quotes around them.  The escapes are those
 * of the spec; each byte that belongs to no valid UTF-8 sequence becomes the
 * six characters \ufffd.
 */

#define POCKET_JSON_ESCAPE_MAX  6     /* bytes written for one byte */

size_t pocket_json_escaped_len(const pocket_str_t *s);

/* writes pocket_json_escaped_len() bytes, gives the end of them */
unsigned char *pocket_json_escape(unsigned char *dst, const pocket_str_t *s);

/*
 * Turns each \ufffd that stands for a bad byte in the len bytes of escaped
 * text at p into U+FFFD itself, in place, and gives the new length: so a
 * text is escaped once, hashed, and then sent.  A text that comes in
 * buffers may be given buffer by buffer when each holds whole escapes.
 */
size_t pocket_json_unescape_bad(unsigned char *p, size_t len);


/*
 * The same for a text that comes in pieces, zeroed at the start: a sequence
 * cut off by the end of a piece waits for the next one.  bad counts the bad
 * bytes so far.
 */

typedef struct {
    size_t                      bad;
    unsigned                    len;
    unsigned char               tail[3];
} pocket_json_stream_t;


/*
 * Escapes as much of *piece as fits between dst and last, whole escapes
 * only, moves piece->data and len past what was taken, and gives the end of
 * what was written.  With at least POCKET_JSON_STREAM_MIN bytes of room it
 * always takes something.
 */
#define POCKET_JSON_STREAM_MIN  (4 * POCKET_JSON_ESCAPE_MAX)

unsigned char *pocket_json_stream(pocket_json_stream_t *s, unsigned char *dst,
    unsigned char *last, pocket_str_t *piece);

/* the end of the text: at most POCKET_JSON_STREAM_MIN bytes are written */
unsigned char *pocket_json_stream_end(pocket_json_stream_t *s,
    unsigned char *dst);


#endif /* _POCKET_JSON_H_INCLUDED_ */
