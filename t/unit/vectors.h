
/*
 * The driver of golden vectors: the files of a folder are read into trees,
 * and each case goes to the function of its subject.  A subject compares
 * what it has made with the members of the case's "expect"; a member that
 * nothing was compared with fails the case, and so does a kind or a file
 * that nobody knows.
 */


#ifndef _VECTORS_H_INCLUDED_
#define _VECTORS_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_hash.h"
#include "pocket_json.h"


/*
 * A value; key is that of a member, str the decoded string, and of all else
 * the text as it stands in the file; seen: something was compared with it.
 */

typedef struct vector_value_s  vector_value_t;

struct vector_value_s {
    pocket_json_event_e     kind;
    pocket_str_t            key;
    pocket_str_t            str;
    unsigned                seen;
    vector_value_t         *first;
    vector_value_t         *last;
    vector_value_t         *next;
};


typedef struct {
    const vector_value_t   *value;
    pocket_str_t            kind;        /* empty: none */
    pocket_alloc_t         *alloc;       /* memory that ends with the case */
    pocket_hash_t          *hash;        /* the driver's */
    unsigned                failed;
} vector_case_t;


typedef struct {
    const char             *subject;     /* the file's name, less ".json" */
    void                  (*run)(vector_case_t *c);
} vector_subject_t;


/* one kind of a subject's cases; a table ends with a row without a run */

typedef struct {
    const char             *kind;
    void                  (*run)(vector_case_t *c,
                                 const vector_value_t *expect);
} vector_runner_t;


/*
 * Runs a case by the row of its kind, and sees that all members of its
 * "expect" were compared.
 */
void vector_dispatch(vector_case_t *c, const vector_runner_t *runners);


/* A member of an object, NULL when it has none of this name. */
vector_value_t *vector_get(const vector_value_t *object, const char *name);

/* The same, of what a case must have: its lack fails the case. */
vector_value_t *vector_need(vector_case_t *c, const vector_value_t *object,
    const char *name);

/* A string member, or the bytes of name_hex; empty when there is none. */
pocket_str_t vector_str(vector_case_t *c, const vector_value_t *object,
    const char *name);

/* An integer member, 0 when there is none; a boolean one. */
int64_t vector_int(vector_case_t *c, const vector_value_t *object,
    const char *name);
unsigned vector_bool(const vector_value_t *object, const char *name);

/* Is s the string literal? */
unsigned vector_is(const pocket_str_t *s, const char *literal);

/* Lower-case hex of raw bytes, and back; a wrong digit fails the case. */
pocket_str_t vector_hex(vector_case_t *c, const void *p, size_t len);
pocket_str_t vector_unhex(vector_case_t *c, const pocket_str_t *hex);

pocket_str_t vector_cstr(const char *s);

/* A member in hex, of just len bytes; otherwise the case fails. */
void vector_raw(vector_case_t *c, const vector_value_t *object,
    const char *name, unsigned char *dst, size_t len);

/*
 * Compares what was made with a member of expect, if it has it, and marks
 * it as seen.
 */
void vector_expect_str(vector_case_t *c, const vector_value_t *expect,
    const char *name, const pocket_str_t *got);
void vector_expect_hex(vector_case_t *c, const vector_value_t *expect,
    const char *name, const unsigned char *got, size_t len);
void vector_expect_int(vector_case_t *c, const vector_value_t *expect,
    const char *name, int64_t got);
void vector_expect_bool(vector_case_t *c, const vector_value_t *expect,
    const char *name, unsigned got);
void vector_expect_null(vector_case_t *c, const vector_value_t *expect,
    const char *name);

/* Fails the case for the members of expect that were not compared. */
void vector_expect_end(vector_case_t *c, const vector_value_t *expect);

/* Fails the case. */
void vector_fail(vector_case_t *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


void vector_canonical_json(vector_case_t *c);
void vector_hashes(vector_case_t *c);
void vector_heights(vector_case_t *c);
void vector_keys(vector_case_t *c);
void vector_responses(vector_case_t *c);
void vector_session_flow(vector_case_t *c);
void vector_signatures(vector_case_t *c);
void vector_validation(vector_case_t *c);


#endif /* _VECTORS_H_INCLUDED_ */
