
#include "pocket_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define POCKET_NUMBER_DIGITS   17
#define POCKET_NUMBER_TEXT     64

/* an exponent this far out cannot be brought back by the digits */
#define POCKET_NUMBER_EXP_MAX  (INT64_C(1) << 60)

/* a mantissa of so many digits is exact, and its own shortest form */
#define POCKET_NUMBER_EXACT    15


/* 0.d1d2d3... times ten to the exp */

typedef struct {
    char           digits[POCKET_NUMBER_DIGITS + 1];
    int            ndigits;
    int            exp;
} pocket_decimal_t;


static int pocket_number_is_exact(const pocket_str_t *number);
static int pocket_number_read(const pocket_str_t *number, double *d,
    pocket_alloc_t *a);
static int64_t pocket_number_exponent(const unsigned char *p,
    const unsigned char *last);
static void pocket_number_shortest(double d, pocket_decimal_t *dec);
static int pocket_number_try(double d, int ndigits, pocket_decimal_t *dec);
static unsigned char *pocket_number_plain(unsigned char *p,
    const pocket_decimal_t *dec);
static unsigned char *pocket_number_scientific(unsigned char *p,
    const pocket_decimal_t *dec);


int
pocket_number_format(const pocket_str_t *number, unsigned char *buf,
    size_t *len, pocket_alloc_t *a)
{
    int                rc;
    double             d;
    unsigned char     *p;
    pocket_decimal_t   dec;

    if (pocket_number_is_exact(number)) {
        memcpy(buf, number->data, number->len);
        *len = number->len;
        return 1;
    }

    rc = pocket_number_read(number, &d, a);
    if (rc != 1) {
        return rc;
    }

    p = buf;

    if (signbit(d)) {
        *p++ = '-';
        d = -d;
    }

    if (d == 0) {
        *p++ = '0';

    } else {
        pocket_number_shortest(d, &dec);

        if (d >= 1e-6 && d < 1e21) {
            p = pocket_number_plain(p, &dec);

        } else {
            p = pocket_number_scientific(p, &dec);
        }
    }

    *len = (size_t) (p - buf);

    return 1;
}


/* nearly all numbers are short integers; these stay as they are */

static int
pocket_number_is_exact(const pocket_str_t *number)
{
    size_t  i;

    if (number->len > POCKET_NUMBER_EXACT) {
        return 0;
    }

    for (i = (number->data[0] == '-'); i < number->len; i++) {
        if (number->data[i] < '0' || number->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


/*
 * The decimal point is taken out and the exponent corrected for it, since
 * strtod() wants the locale's point.
 */

static int
pocket_number_read(const pocket_str_t *number, double *d, pocket_alloc_t *a)
{
    char                 *text, *t, fixed[POCKET_NUMBER_TEXT + 32];
    int64_t               exp;
    unsigned              fraction;
    const unsigned char  *p, *last;

    text = fixed;

    if (number->len > POCKET_NUMBER_TEXT) {
        text = pocket_alloc(a, number->len + 32);
        if (text == NULL) {
            return POCKET_ERROR;
        }
    }

    t = text;
    p = number->data;
    last = p + number->len;
    exp = 0;
    fraction = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == 'e' || *p == 'E') {
            exp += pocket_number_exponent(p + 1, last);
            break;
        }

        if (*p == '.') {
            fraction = 1;
            continue;
        }

        exp -= fraction;
        *t++ = (char) *p;
    }

    (void) snprintf(t, 32, "e%lld", (long long) exp);

    *d = strtod(text, NULL);

    return isfinite(*d) ? 1 : 0;
}


static int64_t
pocket_number_exponent(const unsigned char *p, const unsigned char *last)
{
    int64_t   n;
    unsigned  minus;

    n = 0;
    minus = (p < last && *p == '-');

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    for ( /* void */ ; p < last; p++) {

        if (n < POCKET_NUMBER_EXP_MAX / 10) {
            n = n * 10 + (*p - '0');
        }
    }

    return minus ? -n : n;
}


/*
 * Up to DBL_DIG digits survive the way through a normal double, so that
 * the form with as many, less its zeros, is the shortest if it reads back;
 * below DBL_MIN even fewer digits may do.
 */

static void
pocket_number_shortest(double d, pocket_decimal_t *dec)
{
    int  n;

    for (n = (d < DBL_MIN) ? 1 : DBL_DIG; n < POCKET_NUMBER_DIGITS; n++) {

        if (pocket_number_try(d, n, dec)) {
            return;
        }
    }

    (void) pocket_number_try(d, POCKET_NUMBER_DIGITS, dec);
}


static int
pocket_number_try(double d, int ndigits, pocket_decimal_t *dec)
{
    int    n;
    char  *p, text[POCKET_NUMBER_DIGITS + 32];

    (void) snprintf(text, sizeof(text), "%.*e", ndigits - 1, d);

    n = 0;

    for (p = text; *p != 'e'; p++) {

        /* skips the point, whatever it is in this locale */

        if (*p >= '0' && *p <= '9' && n < ndigits) {
            dec->digits[n++] = *p;
        }
    }

    dec->exp = (int) strtol(p + 1, NULL, 10) + 1;

    while (n > 1 && dec->digits[n - 1] == '0') {
        n--;
    }

    dec->digits[n] = '\0';
    dec->ndigits = n;

    (void) snprintf(text, sizeof(text), "%se%d", dec->digits, dec->exp - n);

    return strtod(text, NULL) == d;
}


static unsigned char *
pocket_number_plain(unsigned char *p, const pocket_decimal_t *dec)
{
    int  i;

    if (dec->exp <= 0) {
        *p++ = '0';
        *p++ = '.';

        for (i = dec->exp; i < 0; i++) {
            *p++ = '0';
        }
    }

    for (i = 0; i < dec->ndigits; i++) {

        if (i > 0 && i == dec->exp) {
            *p++ = '.';
        }

        *p++ = (unsigned char) dec->digits[i];
    }

    for ( /* void */ ; i < dec->exp; i++) {
        *p++ = '0';
    }

    return p;
}


static unsigned char *
pocket_number_scientific(unsigned char *p, const pocket_decimal_t *dec)
{
    *p++ = (unsigned char) dec->digits[0];

    if (dec->ndigits > 1) {
        *p++ = '.';
        memcpy(p, dec->digits + 1, (size_t) dec->ndigits - 1);
        p += dec->ndigits - 1;
    }

    p += sprintf((char *) p, "e%+d", dec->exp - 1);

    return p;
}
