
/*
 * Memory of the tools.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_mem.h"
#include "pocket_json.h"


#define CLI_BLOCK_SIZE  65536
#define CLI_ALIGN       16


struct cli_block_s {
    cli_block_t   *next;
    size_t         size;
    size_t         used;
    unsigned char  data[] __attribute__((aligned(CLI_ALIGN)));
};


static void *cli_arena_alloc(void *data, size_t size);
static cli_block_t *cli_arena_block(cli_arena_t *arena, size_t size);


void
cli_arena_init(cli_arena_t *arena)
{
    arena->alloc.alloc = cli_arena_alloc;
    arena->alloc.data = arena;
    arena->blocks = NULL;
}


static void *
cli_arena_alloc(void *data, size_t size)
{
    cli_arena_t *arena = data;

    void         *p;
    cli_block_t  *block;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = (size + CLI_ALIGN - 1) & ~((size_t) CLI_ALIGN - 1);

    block = arena->blocks;

    if (block == NULL || block->size - block->used < size) {
        block = cli_arena_block(arena, size);
        if (block == NULL) {
            return NULL;
        }
    }

    p = block->data + block->used;
    block->used += size;

    return p;
}


static cli_block_t *
cli_arena_block(cli_arena_t *arena, size_t size)
{
    cli_block_t  *block;

    if (size < CLI_BLOCK_SIZE) {
        size = CLI_BLOCK_SIZE;
    }

    block = malloc(sizeof(cli_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->size = size;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;

    return block;
}


void
cli_arena_reset(cli_arena_t *arena)
{
    cli_block_t  *block, *next;

    block = arena->blocks;

    if (block == NULL) {
        return;
    }

    for ( /* void */ ; block->next; block = next) {
        next = block->next;
        free(block);
    }

    block->used = 0;
    arena->blocks = block;
}


void
cli_arena_free(cli_arena_t *arena)
{
    cli_arena_reset(arena);

    free(arena->blocks);
    arena->blocks = NULL;
}


unsigned char *
cli_buf_room(cli_buf_t *buf, size_t len)
{
    size_t          size;
    unsigned char  *p;

    if (buf->failed) {
        return NULL;
    }

    if (buf->size - buf->text.len <= len) {
        size = buf->size ? buf->size : 256;

        while (size - buf->text.len <= len) {
            size *= 2;
        }

        p = realloc(buf->text.data, size);
        if (p == NULL) {
            buf->failed = 1;
            return NULL;
        }

        buf->text.data = p;
        buf->size = size;
    }

    return buf->text.data + buf->text.len;
}


void
cli_buf_add(cli_buf_t *buf, const void *data, size_t len)
{
    unsigned char  *p;

    p = cli_buf_room(buf, len);
    if (p == NULL) {
        return;
    }

    if (len) {
        memcpy(p, data, len);
    }

    p[len] = '\0';
    buf->text.len += len;
}


void
cli_buf_str(cli_buf_t *buf, const pocket_str_t *s)
{
    cli_buf_add(buf, s->data, s->len);
}


void
cli_buf_text(cli_buf_t *buf, const char *text)
{
    cli_buf_add(buf, text, strlen(text));
}


void
cli_buf_printf(cli_buf_t *buf, const char *fmt, ...)
{
    int             n;
    va_list         args;
    unsigned char  *p;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        buf->failed = 1;
        return;
    }

    p = cli_buf_room(buf, n);
    if (p == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf((char *) p, (size_t) n + 1, fmt, args);
    va_end(args);

    buf->text.len += n;
}


void
cli_buf_json(cli_buf_t *buf, const pocket_str_t *s)
{
    size_t          len;
    unsigned char  *p;

    cli_buf_add(buf, "\"", 1);

    len = pocket_json_escaped_len(s);

    p = cli_buf_room(buf, len);
    if (p == NULL) {
        return;
    }

    (void) pocket_json_escape(p, s);
    buf->text.len += len;

    cli_buf_add(buf, "\"", 1);
}


void
cli_buf_free(cli_buf_t *buf)
{
    free(buf->text.data);
    memset(buf, 0, sizeof(cli_buf_t));
}
