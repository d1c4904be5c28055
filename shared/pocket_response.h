
/*
 * Bodies of answers to clients, and the sorting of a chain's answer
 * (spec: serving a relay).  All bodies are allocated from the caller's
 * allocator; POCKET_ERROR always means that it had no memory.
 */


#ifndef _POCKET_RESPONSE_H_INCLUDED_
#define _POCKET_RESPONSE_H_INCLUDED_


#include "pocket_base.h"
#include "pocket_error.h"


/* of relays, success and error; of simulated relays and HTTP errors; of 413 */
#define POCKET_TYPE_RELAY     "application/json; charset=utf-8"
#define POCKET_TYPE_HTTP      "application/json; charset=UTF-8"
#define POCKET_TYPE_TEXT      "text/plain; charset=utf-8"

/*
 * A success is this prefix, the answer escaped by pocket_json_stream() and
 * pocket_json_unescape_bad(), and the suffix: nothing is copied again.
 */
#define POCKET_RESPONSE_PREFIX      "{\"response\":\""
#define POCKET_RESPONSE_SUFFIX      "\",\"signature\":\""
#define POCKET_RESPONSE_END         "\"}\n"

#define POCKET_RESPONSE_PREFIX_LEN  (sizeof(POCKET_RESPONSE_PREFIX) - 1)
#define POCKET_RESPONSE_SUFFIX_LEN  (sizeof(POCKET_RESPONSE_SUFFIX) - 1       \
                                     + 2 * POCKET_SIG_LEN                     \
                                     + sizeof(POCKET_RESPONSE_END) - 1)


/*
 * Writes the suffix, exactly POCKET_RESPONSE_SUFFIX_LEN bytes, to buf;
 * signature is POCKET_SIG_LEN raw bytes.  Returns the end of it.
 */
unsigned char *pocket_response_suffix(unsigned char *buf,
    const unsigned char *signature);

/* The whole success body, for an answer that is in one piece. */
int pocket_response_success(const pocket_str_t *text,
    const unsigned char *signature, pocket_str_t *body, pocket_alloc_t *a);

/*
 * The error body, of HTTP status pocket_error_def(err->id)->status.
 * dispatch is what pocket_node_client_dispatch() made, empty or NULL when
 * the session's is not known; it is sent with codes 14, 60, 71, 75 only.
 */
int pocket_response_error(const pocket_error_t *err,
    const pocket_str_t *dispatch, pocket_str_t *body, pocket_alloc_t *a);

/* {"code":status,"message":...}: simulated relays and private endpoints */
int pocket_response_http_error(unsigned status, const pocket_str_t *message,
    pocket_str_t *body, pocket_alloc_t *a);

/* The same form of 413, for a body of more than max bytes. */
int pocket_response_too_large(size_t max, pocket_str_t *body,
    pocket_alloc_t *a);

/* A simulated relay's answer: one JSON string, bad bytes as \ufffd. */
int pocket_response_sim(const pocket_str_t *text, pocket_str_t *body,
    pocket_alloc_t *a);

/*
 * Sorts a chain's answer.  1: *sorted is the new text; 0: it is no JSON
 * object or null, is nested too deep or has a number beyond float64, and
 * is to be served as it is (*sorted is text).  Takes linear space and
 * n log n time.
 */
int pocket_response_sort(const pocket_str_t *text, pocket_str_t *sorted,
    pocket_alloc_t *a);


#endif /* _POCKET_RESPONSE_H_INCLUDED_ */
