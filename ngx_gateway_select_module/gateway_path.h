
/*
 * Paths into JSON texts: "result.hash", "$.result[0].height",
 * "sync_info['latest height']"; an empty path, or "$", is the whole value.
 * Pure: no I/O, no clock.
 */


#ifndef _GATEWAY_PATH_H_INCLUDED_
#define _GATEWAY_PATH_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_json.h"


#define GATEWAY_PATH_STEPS  16


/* key.data is NULL for the element of an array */

typedef struct {
    pocket_str_t               key;
    uint32_t                   index;
} gateway_path_step_t;


typedef struct {
    uint32_t                   n;
    gateway_path_step_t        steps[GATEWAY_PATH_STEPS];
} gateway_path_t;


/* raw is as in pocket_json_event_t; all of the text of objects and arrays */

typedef struct {
    unsigned                   found;
    pocket_json_event_e        type;
    unsigned                   escaped;
    pocket_str_t               raw;
} gateway_value_t;


typedef enum {
    GATEWAY_NUMBER_ANY = 0,                /* 16, "16", "0x10" */
    GATEWAY_NUMBER_HEX                     /* "0x10", "10": JSON-RPC's */
} gateway_number_e;


/*
 * POCKET_OK, or POCKET_ERROR: *err says why.  Keys are slices of text, which
 * must outlive the path.
 */
int gateway_path_parse(const pocket_str_t *text, gateway_path_t *path,
    const char **err);

/*
 * Reads the values at n paths, at most GATEWAY_PATHS_MAX, in one pass; of
 * repeated keys the last one counts.  1: text is JSON; 0: it is not;
 * POCKET_ERROR: no memory.  The values are slices of text.
 */
#define GATEWAY_PATHS_MAX  8

int gateway_path_read(const gateway_path_t *paths, uint32_t n,
    const pocket_str_t *text, gateway_value_t *values, pocket_alloc_t *a);

/*
 * A value as an unsigned integer.  1, or 0: absent, null, empty, negative,
 * with a fraction or exponent, beyond 64 bits, of another type.
 */
int gateway_value_number(const gateway_value_t *value, gateway_number_e form,
    uint64_t *number);

/* The characters of a string, the text of a number.  1, 0, POCKET_ERROR. */
int gateway_value_text(const gateway_value_t *value, pocket_str_t *text,
    pocket_alloc_t *a);


#endif /* _GATEWAY_PATH_H_INCLUDED_ */
