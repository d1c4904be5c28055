
#include "gateway_kept.h"

#include "gateway_blocks.h"
#include "pocket_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>


/* where the pace is not known: that of the main network */

#define GATEWAY_KEPT_BLOCK_TIME   900000

/* so much may the clocks of gateways differ */

#define GATEWAY_KEPT_SKEW         60000

#define GATEWAY_KEPT_FIELDS       7
#define GATEWAY_KEPT_DIGITS       18


static int gateway_kept_numbers(const pocket_str_t *text, int64_t *numbers);
static void gateway_kept_text(pocket_text_t *t,
    const gateway_dispatch_t *dispatch, const pocket_str_t *app,
    const pocket_str_t *chain);


unsigned char *
gateway_kept_format(unsigned char *p, const gateway_kept_t *kept)
{
    int  n;

    n = snprintf((char *) p, GATEWAY_KEPT_LEN,
                 "%d %" PRId64 " %" PRIu64 " %" PRIu32 " %" PRIu32
                 " %" PRIu64 " %" PRIu32, GATEWAY_KEPT_SCHEMA, kept->height,
                 kept->seen_at, kept->per_session, kept->block_time,
                 kept->max_relays, kept->nchains);

    return p + n;
}


int
gateway_kept_parse(gateway_kept_t *kept, const pocket_str_t *text)
{
    int64_t  n[GATEWAY_KEPT_FIELDS];

    if (!gateway_kept_numbers(text, n)
        || n[0] != GATEWAY_KEPT_SCHEMA
        || n[1] > GATEWAY_DISPATCH_HEIGHT_MAX
        || n[3] > INT32_MAX || n[4] > INT32_MAX || n[6] > INT32_MAX)
    {
        return 0;
    }

    kept->height = n[1];
    kept->seen_at = (uint64_t) n[2];
    kept->per_session = (uint32_t) n[3];
    kept->block_time = (uint32_t) n[4];
    kept->max_relays = (uint64_t) n[5];
    kept->nchains = (uint32_t) n[6];

    return 1;
}


/* Just so many, with a space between them. */

static int
gateway_kept_numbers(const pocket_str_t *text, int64_t *numbers)
{
    size_t    i;
    unsigned  n, digits;

    n = 0;
    digits = 0;
    numbers[0] = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == ' ') {

            if (digits == 0 || ++n == GATEWAY_KEPT_FIELDS) {
                return 0;
            }

            digits = 0;
            numbers[n] = 0;
            continue;
        }

        if (text->data[i] < '0' || text->data[i] > '9'
            || digits++ == GATEWAY_KEPT_DIGITS)
        {
            return 0;
        }

        numbers[n] = numbers[n] * 10 + (text->data[i] - '0');
    }

    return digits && n == GATEWAY_KEPT_FIELDS - 1;
}


int
gateway_kept_session(const gateway_dispatch_t *dispatch,
    const pocket_str_t *app, const pocket_str_t *chain, pocket_str_t *text,
    pocket_alloc_t *a)
{
    unsigned char  *p;
    pocket_text_t   t;
    unsigned char   buf[POCKET_TEXT_MIN];

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    gateway_kept_text(&t, dispatch, app, chain);

    text->len = pocket_text_end(&t);
    text->data = pocket_alloc(a, text->len);

    if (text->data == NULL) {
        return POCKET_ERROR;
    }

    p = text->data;

    pocket_text_init(&t, buf, sizeof(buf), pocket_text_copy, &p);
    gateway_kept_text(&t, dispatch, app, chain);
    (void) pocket_text_end(&t);

    return POCKET_OK;
}


/* Nodes that were not usable are null: relays are divided by all. */

static void
gateway_kept_text(pocket_text_t *t, const gateway_dispatch_t *dispatch,
    const pocket_str_t *app, const pocket_str_t *chain)
{
    uint32_t  i;

    pocket_text_literal(t, "{\"session\":{\"header\":{\"app_public_key\":");
    pocket_text_string(t, app);
    pocket_text_literal(t, ",\"chain\":");
    pocket_text_string(t, chain);
    pocket_text_literal(t, ",\"session_height\":");
    pocket_text_int(t, dispatch->height);
    pocket_text_literal(t, "},\"nodes\":[");

    for (i = 0; i < dispatch->listed; i++) {

        if (i) {
            pocket_text_literal(t, ",");
        }

        if (i >= dispatch->n) {
            pocket_text_literal(t, "null");
            continue;
        }

        pocket_text_literal(t, "{\"public_key\":");
        pocket_text_string(t, &dispatch->nodes[i].public_key);
        pocket_text_literal(t, ",\"service_url\":");
        pocket_text_string(t, &dispatch->nodes[i].url);
        pocket_text_literal(t, "}");
    }

    pocket_text_literal(t, "]}}");
}


unsigned
gateway_kept_good(const gateway_kept_t *kept, int64_t height, uint64_t now)
{
    uint64_t          age, block_time;
    gateway_blocks_t  blocks;

    memset(&blocks, 0, sizeof(gateway_blocks_t));

    blocks.per_session = kept->per_session;

    if (height < 1
        || gateway_blocks_session(&blocks, height) != height
        || height > gateway_blocks_next(&blocks, kept->height)
        || kept->seen_at > now + GATEWAY_KEPT_SKEW)
    {
        return 0;
    }

    age = now > kept->seen_at ? now - kept->seen_at : 0;
    block_time = kept->block_time ? kept->block_time : GATEWAY_KEPT_BLOCK_TIME;

    return kept->height + (int64_t) (age / block_time)
           <= gateway_blocks_next(&blocks, height);
}
