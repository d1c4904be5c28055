
#include "pocket_response.h"

#include "pocket_json.h"
#include "pocket_sort.h"

#include <stdio.h>
#include <string.h>


/* digits of a 64-bit number */
#define POCKET_DECIMAL_LEN  20


/*
 * A body is made of parts: literals, numbers and strings to be escaped.
 * The parts are walked twice, to measure and to write.
 */

typedef enum {
    POCKET_PART_TEXT = 0,        /* str as it is */
    POCKET_PART_ESCAPED,         /* str, bad bytes as \ufffd */
    POCKET_PART_CLIENT,          /* str, bad bytes as U+FFFD */
    POCKET_PART_NUMBER           /* number */
} pocket_part_e;


typedef struct {
    pocket_part_e              type;
    const pocket_str_t        *str;
    uint64_t                   number;
} pocket_part_t;


static int pocket_response_make(const pocket_part_t *parts, size_t n,
    pocket_str_t *body, pocket_alloc_t *a);
static unsigned char *pocket_response_part(unsigned char *p,
    const pocket_part_t *part);


#define pocket_parts(parts)  parts, sizeof(parts) / sizeof(parts[0])

static const pocket_str_t  pocket_text_null = pocket_string("null");
static const pocket_str_t  pocket_text_quote = pocket_string("\"");
static const pocket_str_t  pocket_text_close =
    pocket_string(POCKET_RESPONSE_END);

static const pocket_str_t  pocket_text_prefix =
    pocket_string(POCKET_RESPONSE_PREFIX);

static const pocket_str_t  pocket_text_dispatch =
    pocket_string("{\"dispatch\":");
static const pocket_str_t  pocket_text_error =
    pocket_string(",\"error\":{\"code\":");
static const pocket_str_t  pocket_text_codespace =
    pocket_string(",\"codespace\":\"");
static const pocket_str_t  pocket_text_error_message =
    pocket_string("\",\"message\":\"");
static const pocket_str_t  pocket_text_error_end = pocket_string("\"}}\n");

static const pocket_str_t  pocket_text_code = pocket_string("{\"code\":");
static const pocket_str_t  pocket_text_message =
    pocket_string(",\"message\":\"");
static const pocket_str_t  pocket_text_too_large =
    pocket_string("Request body too large. Max allowed bytes is: ");


unsigned char *
pocket_response_suffix(unsigned char *buf, const unsigned char *signature)
{
    size_t          i;
    unsigned char  *p;

    static const char  hex[] = "0123456789abcdef";

    p = buf;

    memcpy(p, POCKET_RESPONSE_SUFFIX, sizeof(POCKET_RESPONSE_SUFFIX) - 1);
    p += sizeof(POCKET_RESPONSE_SUFFIX) - 1;

    for (i = 0; i < POCKET_SIG_LEN; i++) {
        *p++ = (unsigned char) hex[signature[i] >> 4];
        *p++ = (unsigned char) hex[signature[i] & 0xf];
    }

    memcpy(p, POCKET_RESPONSE_END, sizeof(POCKET_RESPONSE_END) - 1);

    return p + sizeof(POCKET_RESPONSE_END) - 1;
}


int
pocket_response_success(const pocket_str_t *text,
    const unsigned char *signature, pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_str_t   suffix;
    unsigned char  buf[POCKET_RESPONSE_SUFFIX_LEN];

    const pocket_part_t  parts[] = {
        { POCKET_PART_TEXT, &pocket_text_prefix, 0 },
        { POCKET_PART_CLIENT, text, 0 },
        { POCKET_PART_TEXT, &suffix, 0 }
    };

    (void) pocket_response_suffix(buf, signature);

    suffix.data = buf;
    suffix.len = POCKET_RESPONSE_SUFFIX_LEN;

    return pocket_response_make(pocket_parts(parts), body, a);
}


int
pocket_response_error(const pocket_error_t *err, const pocket_str_t *dispatch,
    pocket_str_t *body, pocket_alloc_t *a)
{
    pocket_part_t  parts[] = {
        { POCKET_PART_TEXT, &pocket_text_dispatch, 0 },
        { POCKET_PART_TEXT, &pocket_text_null, 0 },
        { POCKET_PART_TEXT, &pocket_text_error, 0 },
        { POCKET_PART_NUMBER, NULL, err->code },
        { POCKET_PART_TEXT, &pocket_text_codespace, 0 },
        { POCKET_PART_ESCAPED, &err->codespace, 0 },
        { POCKET_PART_TEXT, &pocket_text_error_message, 0 },
        { POCKET_PART_ESCAPED, &err->message, 0 },
        { POCKET_PART_TEXT, &pocket_text_error_end, 0 }
    };

    /* by the code: the session's error may have come from the node */

    if (dispatch != NULL && dispatch->len
        && pocket_error_def(pocket_error_by_code(err->code))->dispatch)
    {
        parts[1].str = dispatch;
    }

    return pocket_response_make(pocket_parts(parts), body, a);
}


int
pocket_response_http_error(unsigned status, const pocket_str_t *message,
    pocket_str_t *body, pocket_alloc_t *a)
{
    const pocket_part_t  parts[] = {
        { POCKET_PART_TEXT, &pocket_text_code, 0 },
        { POCKET_PART_NUMBER, NULL, status },
        { POCKET_PART_TEXT, &pocket_text_message, 0 },
        { POCKET_PART_ESCAPED, message, 0 },
        { POCKET_PART_TEXT, &pocket_text_close, 0 }
    };

    return pocket_response_make(pocket_parts(parts), body, a);
}


int
pocket_response_too_large(size_t max, pocket_str_t *body, pocket_alloc_t *a)
{
    const pocket_part_t  parts[] = {
        { POCKET_PART_TEXT, &pocket_text_code, 0 },
        { POCKET_PART_NUMBER, NULL, 413 },
        { POCKET_PART_TEXT, &pocket_text_message, 0 },
        { POCKET_PART_TEXT, &pocket_text_too_large, 0 },
        { POCKET_PART_NUMBER, NULL, max },
        { POCKET_PART_TEXT, &pocket_text_close, 0 }
    };

    return pocket_response_make(pocket_parts(parts), body, a);
}


int
pocket_response_sim(const pocket_str_t *text, pocket_str_t *body,
    pocket_alloc_t *a)
{
    const pocket_part_t  parts[] = {
        { POCKET_PART_TEXT, &pocket_text_quote, 0 },
        { POCKET_PART_ESCAPED, text, 0 },
        { POCKET_PART_TEXT, &pocket_text_quote, 0 }
    };

    return pocket_response_make(pocket_parts(parts), body, a);
}


int
pocket_response_sort(const pocket_str_t *text, pocket_str_t *sorted,
    pocket_alloc_t *a)
{
    int  rc;

    rc = pocket_sort(text, POCKET_SORT_FLOAT64|POCKET_SORT_NULL, sorted, a);

    if (rc == 0) {
        *sorted = *text;
    }

    return rc;
}


static int
pocket_response_make(const pocket_part_t *parts, size_t n, pocket_str_t *body,
    pocket_alloc_t *a)
{
    size_t          i, len;
    unsigned char  *p;

    len = 0;

    for (i = 0; i < n; i++) {

        switch (parts[i].type) {

        case POCKET_PART_TEXT:
            len += parts[i].str->len;
            break;

        case POCKET_PART_NUMBER:
            len += POCKET_DECIMAL_LEN;
            break;

        default: /* POCKET_PART_ESCAPED, POCKET_PART_CLIENT */
            len += pocket_json_escaped_len(parts[i].str);
            break;
        }
    }

    /* snprintf() ends numbers with a zero byte */

    p = pocket_alloc(a, len + 1);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    body->data = p;

    for (i = 0; i < n; i++) {
        p = pocket_response_part(p, &parts[i]);
    }

    body->len = (size_t) (p - body->data);

    return POCKET_OK;
}


static unsigned char *
pocket_response_part(unsigned char *p, const pocket_part_t *part)
{
    unsigned char  *last;

    switch (part->type) {

    case POCKET_PART_TEXT:
        memcpy(p, part->str->data, part->str->len);
        return p + part->str->len;

    case POCKET_PART_ESCAPED:
        return pocket_json_escape(p, part->str);

    case POCKET_PART_CLIENT:

        /* the same text as is hashed, but for the bad bytes */

        last = pocket_json_escape(p, part->str);
        return p + pocket_json_unescape_bad(p, (size_t) (last - p));

    default: /* POCKET_PART_NUMBER */
        return p + snprintf((char *) p, POCKET_DECIMAL_LEN + 1, "%llu",
                            (unsigned long long) part->number);
    }
}
