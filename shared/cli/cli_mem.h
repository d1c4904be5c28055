
/*
 * Memory of the tools: an arena behind pocket_alloc_t, and a text that grows.
 */


#ifndef _CLI_MEM_H_INCLUDED_
#define _CLI_MEM_H_INCLUDED_


#include "pocket_base.h"


typedef struct cli_block_s  cli_block_t;


/* zeroed with its alloc set by cli_arena_init(); nothing is taken before use */

typedef struct {
    pocket_alloc_t        alloc;
    cli_block_t          *blocks;
} cli_arena_t;


/*
 * A text in memory of its own.  Once there is no memory it stays failed and
 * takes nothing more, so that only the end of a row of calls needs a look.
 */

typedef struct {
    pocket_str_t          text;
    size_t                size;
    unsigned              failed;
} cli_buf_t;


void cli_arena_init(cli_arena_t *arena);

/* forgets all that was allocated; keeps one block for the next round */
void cli_arena_reset(cli_arena_t *arena);
void cli_arena_free(cli_arena_t *arena);


/* appends; a NUL that is not counted follows the text */
void cli_buf_add(cli_buf_t *buf, const void *data, size_t len);
void cli_buf_str(cli_buf_t *buf, const pocket_str_t *s);
void cli_buf_text(cli_buf_t *buf, const char *text);
void cli_buf_printf(cli_buf_t *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* appends a JSON string with its quotes, canonically escaped */
void cli_buf_json(cli_buf_t *buf, const pocket_str_t *s);

/* makes room for len more bytes and gives where they go, or NULL */
unsigned char *cli_buf_room(cli_buf_t *buf, size_t len);

void cli_buf_free(cli_buf_t *buf);


#endif /* _CLI_MEM_H_INCLUDED_ */
