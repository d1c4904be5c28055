
/*
 * A servicer's answer to a relay, read as it comes: the text of the response
 * goes on piece by piece, decoded, and is hashed meanwhile; what is around it
 * is kept, and decoded at the end (spec: hashes and signatures; serving a
 * relay).
 */


#ifndef _POCKET_ANSWER_H_INCLUDED_
#define _POCKET_ANSWER_H_INCLUDED_


#include "pocket_client.h"


/* of all but the response, bytes; a dispatch has some thousands */

#define POCKET_ANSWER_REST_MAX  131072

#define POCKET_ANSWER_REST      256    /* without another allocation */
#define POCKET_ANSWER_ESCAPE    12     /* the longest: two surrogates */


typedef enum {
    POCKET_ANSWER_GOOD = 0,            /* a success, and not found wrong */
    POCKET_ANSWER_FORGED,              /* its signature is of another one */
    POCKET_ANSWER_DOUBTFUL,            /* so it seems; but a servicer sends */
                                       /*   U+FFFD where it hashed a bad */
                                       /*   byte, and there are some */
    POCKET_ANSWER_ERROR,               /* code, maybe a dispatch */
    POCKET_ANSWER_NONE,                /* of a relay: *err says why */
    POCKET_ANSWER_FAILED               /* no memory */
} pocket_answer_e;


typedef enum {
    POCKET_ANSWER_START = 0,
    POCKET_ANSWER_PLAIN,               /* between strings */
    POCKET_ANSWER_STRING,
    POCKET_ANSWER_TEXT,                /* the response's */
    POCKET_ANSWER_STATES
} pocket_answer_state_e;


/* private, but told: the response has begun */

typedef struct {
    pocket_answer_state_e   state;
    unsigned                told:1;
    unsigned                name:1;    /* the string is a member's name */
    unsigned                value:1;   /* a member's value follows */
    unsigned                named:1;   /* that of the response */
    unsigned                escape:1;
    size_t                  depth;
    size_t                  matched;   /* of the name */
    size_t                  cut;       /* of an escape, bytes */
    unsigned char           escaped[POCKET_ANSWER_ESCAPE];
    unsigned char           chars[4];
    pocket_str_t            rest;
    size_t                  room;
    unsigned char           first[POCKET_ANSWER_REST];
    pocket_hash_t          *hash;
    pocket_hash_t          *other;     /* if U+FFFD was a bad byte */
    pocket_json_stream_t    stream;
    pocket_answer_e         broken;    /* NONE or FAILED: nothing more */
    pocket_alloc_t          alloc;
} pocket_answer_t;


/*
 * hash is of what context the response's hash is to be made, NULL: its
 * signature is not verified.  POCKET_OK or POCKET_ERROR, without memory; to
 * be destroyed in either case, which a does not do.
 */
int pocket_answer_init(pocket_answer_t *answer, pocket_hash_t *hash,
    pocket_alloc_t *a);
void pocket_answer_destroy(pocket_answer_t *answer);

/*
 * Takes from *piece what comes next.  1: *text is more of the response,
 * decoded in the piece's own memory, or up to four bytes of the answer's,
 * good until the next call; 0: all of the piece is taken; POCKET_ERROR: it is
 * no answer of a relay, which _end() tells, too.
 */
int pocket_answer_read(pocket_answer_t *answer, pocket_str_t *piece,
    pocket_str_t *text);

/*
 * All was read: what it is.  The response itself is not in *told.  servicer
 * is the public key in hex that the relay of this proof hash was sent to.
 */
pocket_answer_e pocket_answer_end(pocket_answer_t *answer,
    const pocket_str_t *servicer, const unsigned char *proof_hash,
    pocket_client_answer_t *told, pocket_json_error_t *err);


#endif /* _POCKET_ANSWER_H_INCLUDED_ */
