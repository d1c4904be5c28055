
/*
 * Small helpers of the demo programs: texts of requests, the clock.
 */


#include <string.h>
#include <time.h>

#include "demo_server.h"


int64_t
demo_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int
demo_is(const pocket_str_t *s, const char *text)
{
    return strlen(text) == s->len && memcmp(s->data, text, s->len) == 0;
}


int
demo_number(const pocket_str_t *s, int64_t *n)
{
    size_t   i;
    int64_t  value;

    i = s->len && (s->data[0] == '-' || s->data[0] == '+');

    if (i == s->len || s->len > 18) {
        return 0;
    }

    for (value = 0; i < s->len; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') {
            return 0;
        }

        value = value * 10 + (s->data[i] - '0');
    }

    *n = s->data[0] == '-' ? -value : value;

    return 1;
}


int
demo_param(const pocket_str_t *query, const char *name, pocket_str_t *value)
{
    size_t          len;
    unsigned char  *p, *last, *end;

    p = query->data;
    last = p + query->len;
    len = strlen(name);

    for ( /* void */ ; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > len && p[len] == '='
            && memcmp(p, name, len) == 0)
        {
            value->data = p + len + 1;
            value->len = end - value->data;
            return 1;
        }
    }

    return 0;
}
