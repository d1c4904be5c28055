
#include "gateway_record.h"

#include <string.h>


#define GATEWAY_ROW_VERSION    1

/* a row is integers only; fine enough to decay by the second over hours */
#define GATEWAY_ROW_UNIT       1000000.0

#define GATEWAY_ROW_TIME_MAX   ((uint64_t) 1 << 52)    /* ms */
#define GATEWAY_ROW_COUNT_MAX  ((uint64_t) 1 << 52)
#define GATEWAY_ROW_HEIGHT_MAX UINT64_MAX

#define gateway_row_real(name, max)                                           \
    { GATEWAY_ROW_REAL, offsetof(gateway_record_t, name), max }
#define gateway_row_long(name, max)                                           \
    { GATEWAY_ROW_LONG, offsetof(gateway_record_t, name), max }
#define gateway_row_int(name, max)                                            \
    { GATEWAY_ROW_INT, offsetof(gateway_record_t, name), max }


typedef enum {
    GATEWAY_ROW_REAL = 0,
    GATEWAY_ROW_LONG,
    GATEWAY_ROW_INT
} gateway_row_type_e;


typedef struct {
    gateway_row_type_e   type;
    size_t               offset;
    uint64_t             max;
} gateway_row_field_t;


static u_char *gateway_row_write(u_char *p, const void *base,
    const gateway_row_field_t *field);
static int gateway_row_read(const u_char **p, const u_char *last, void *base,
    const gateway_row_field_t *field);
static int gateway_row_parse_number(const u_char **p, const u_char *last,
    uint64_t max, uint64_t *n);


/*
 * in the order of the row; the penalties, the buckets, the tail and the error
 * follow
 */

static const gateway_row_field_t  gateway_row_fields[] = {
    gateway_row_real(tries, GATEWAY_ROW_COUNT_MAX),
    gateway_row_real(successes, GATEWAY_ROW_COUNT_MAX),
    gateway_row_real(latency_sum, GATEWAY_ROW_COUNT_MAX),
    gateway_row_real(agreed, GATEWAY_ROW_COUNT_MAX),
    gateway_row_real(outvoted, GATEWAY_ROW_COUNT_MAX),
    gateway_row_real(pace, (uint64_t) GATEWAY_ROW_UNIT),
    gateway_row_long(stamp, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(first_seen, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(returned_at, GATEWAY_ROW_TIME_MAX),
    gateway_row_int(returns, 6),
    gateway_row_int(run, UINT32_MAX),
    gateway_row_long(run_since, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(height, GATEWAY_ROW_HEIGHT_MAX),
    gateway_row_long(height_at, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(total_tries, GATEWAY_ROW_COUNT_MAX),
    gateway_row_long(total_successes, GATEWAY_ROW_COUNT_MAX),
    gateway_row_long(error_at, GATEWAY_ROW_TIME_MAX),
};

#define GATEWAY_ROW_FIELDS                                                    \
    (sizeof(gateway_row_fields) / sizeof(gateway_row_field_t))


static const gateway_row_field_t  gateway_row_penalty[] = {
    { GATEWAY_ROW_LONG, offsetof(gateway_penalty_t, since),
      GATEWAY_ROW_TIME_MAX },
    { GATEWAY_ROW_LONG, offsetof(gateway_penalty_t, until),
      GATEWAY_ROW_TIME_MAX },
    { GATEWAY_ROW_LONG, offsetof(gateway_penalty_t, checks), UINT64_MAX },
};


static const gateway_row_field_t  gateway_row_bucket = {
    GATEWAY_ROW_REAL, 0, GATEWAY_ROW_COUNT_MAX
};


static const gateway_row_field_t  gateway_row_tail[] = {
    gateway_row_long(cleared_at, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(checked_at, GATEWAY_ROW_TIME_MAX),
    gateway_row_long(checked_by, GATEWAY_ROW_COUNT_MAX),
    gateway_row_long(lacked_at[GATEWAY_ABILITY_ARCHIVE],
                     GATEWAY_ROW_TIME_MAX),
    gateway_row_long(lacked_at[GATEWAY_ABILITY_TRACE], GATEWAY_ROW_TIME_MAX),
    gateway_row_long(lacked_at[GATEWAY_ABILITY_LOGS], GATEWAY_ROW_TIME_MAX),
    gateway_row_long(able_at[GATEWAY_ABILITY_ARCHIVE], GATEWAY_ROW_TIME_MAX),
    gateway_row_long(able_at[GATEWAY_ABILITY_TRACE], GATEWAY_ROW_TIME_MAX),
    gateway_row_long(able_at[GATEWAY_ABILITY_LOGS], GATEWAY_ROW_TIME_MAX),
};

#define GATEWAY_ROW_TAIL                                                      \
    (sizeof(gateway_row_tail) / sizeof(gateway_row_field_t))


u_char *
gateway_record_format(u_char *p, const gateway_record_t *record)
{
    uint32_t  i, k;

    p = gateway_row_number(p, GATEWAY_ROW_VERSION);

    for (i = 0; i < GATEWAY_ROW_FIELDS; i++) {
        p = gateway_row_write(p, record, &gateway_row_fields[i]);
    }

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        for (k = 0; k < 3; k++) {
            p = gateway_row_write(p, &record->penalties[i],
                                  &gateway_row_penalty[k]);
        }
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        p = gateway_row_write(p, &record->latency[i], &gateway_row_bucket);
    }

    for (i = 0; i < GATEWAY_ROW_TAIL; i++) {
        p = gateway_row_write(p, record, &gateway_row_tail[i]);
    }

    /* anything: to the end of the row */

    *p++ = ' ';
    memcpy(p, record->error, record->error_len);

    return p + record->error_len;
}


static u_char *
gateway_row_write(u_char *p, const void *base,
    const gateway_row_field_t *field)
{
    double       real;
    uint64_t     n;
    const char  *value;

    value = (const char *) base + field->offset;

    switch (field->type) {

    case GATEWAY_ROW_REAL:
        real = *(const double *) value * GATEWAY_ROW_UNIT + 0.5;
        n = (real < (double) field->max) ? (uint64_t) real : field->max;
        break;

    case GATEWAY_ROW_INT:
        n = *(const uint32_t *) value;
        break;

    default:
        n = *(const uint64_t *) value;
        break;
    }

    *p++ = ' ';

    return gateway_row_number(p, n < field->max ? n : field->max);
}


u_char *
gateway_row_number(u_char *p, uint64_t n)
{
    size_t  len;
    u_char  digits[20];

    len = sizeof(digits);

    do {
        digits[--len] = '0' + n % 10;
        n /= 10;
    } while (n);

    memcpy(p, digits + len, sizeof(digits) - len);

    return p + sizeof(digits) - len;
}


int
gateway_record_parse(gateway_record_t *record, const pocket_str_t *row)
{
    uint32_t           i, k;
    uint64_t           version;
    const u_char      *p, *last;
    gateway_record_t   parsed;

    p = row->data;
    last = p + row->len;

    if (gateway_row_parse_number(&p, last, GATEWAY_ROW_VERSION, &version)
        != POCKET_OK
        || version != GATEWAY_ROW_VERSION)
    {
        return POCKET_ERROR;
    }

    memset(&parsed, 0, sizeof(gateway_record_t));

    for (i = 0; i < GATEWAY_ROW_FIELDS; i++) {
        if (gateway_row_read(&p, last, &parsed, &gateway_row_fields[i])
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }
    }

    for (i = 0; i < GATEWAY_PENALTIES; i++) {
        for (k = 0; k < 3; k++) {
            if (gateway_row_read(&p, last, &parsed.penalties[i],
                                 &gateway_row_penalty[k])
                != POCKET_OK)
            {
                return POCKET_ERROR;
            }
        }
    }

    for (i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
        if (gateway_row_read(&p, last, &parsed.latency[i],
                             &gateway_row_bucket)
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }
    }

    for (i = 0; i < GATEWAY_ROW_TAIL; i++) {
        if (gateway_row_read(&p, last, &parsed, &gateway_row_tail[i])
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }
    }

    if (p == last || *p++ != ' ' || last - p > GATEWAY_ERROR_LEN
        || parsed.successes > parsed.tries)
    {
        return POCKET_ERROR;
    }

    parsed.error_len = last - p;
    memcpy(parsed.error, p, parsed.error_len);

    *record = parsed;

    return POCKET_OK;
}


static int
gateway_row_read(const u_char **p, const u_char *last, void *base,
    const gateway_row_field_t *field)
{
    char      *value;
    uint64_t   n;

    if (*p == last || *(*p)++ != ' '
        || gateway_row_parse_number(p, last, field->max, &n) != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    value = (char *) base + field->offset;

    switch (field->type) {

    case GATEWAY_ROW_REAL:
        *(double *) value = n / GATEWAY_ROW_UNIT;
        break;

    case GATEWAY_ROW_INT:
        *(uint32_t *) value = n;
        break;

    default:
        *(uint64_t *) value = n;
        break;
    }

    return POCKET_OK;
}


static int
gateway_row_parse_number(const u_char **p, const u_char *last, uint64_t max,
    uint64_t *n)
{
    uint64_t       value;
    uint32_t       digit;
    const u_char  *start;

    value = 0;

    for (start = *p; *p < last && **p >= '0' && **p <= '9'; (*p)++) {
        digit = **p - '0';

        if (digit > max || value > (max - digit) / 10) {
            return POCKET_ERROR;
        }

        value = value * 10 + digit;
    }

    *n = value;

    return (*p > start) ? POCKET_OK : POCKET_ERROR;
}
