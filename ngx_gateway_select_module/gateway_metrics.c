
/*
 * Prometheus' text format.
 */


#include "gateway_metrics.h"
#include "gateway_record.h"
#include "pocket_utf8.h"

#include <string.h>


#define GATEWAY_METRICS_LABELS  16


static u_char *gateway_metrics_text(u_char *p, const char *text);
static u_char *gateway_metrics_label(u_char *p, const pocket_str_t *value);


/* as others' dashboards have them */

static const struct {
    uint32_t      ms;
    const char   *seconds;
} gateway_metrics_bounds[GATEWAY_METRICS_BOUNDS] = {
    { 5, "0.005" },
    { 10, "0.01" },
    { 25, "0.025" },
    { 50, "0.05" },
    { 100, "0.1" },
    { 250, "0.25" },
    { 500, "0.5" },
    { 1000, "1" },
    { 2500, "2.5" },
    { 5000, "5" },
    { 10000, "10" },
    { 15000, "15" },
    { 20000, "20" },
    { 30000, "30" },
    { 40000, "40" },
    { 50000, "50" },
    { 60000, "60" }
};


u_char *
gateway_metrics_head(u_char *p, const char *name, const char *type,
    const char *help)
{
    p = gateway_metrics_text(p, "# HELP ");
    p = gateway_metrics_text(p, name);
    *p++ = ' ';
    p = gateway_metrics_text(p, help);

    p = gateway_metrics_text(p, "\n# TYPE ");
    p = gateway_metrics_text(p, name);
    *p++ = ' ';
    p = gateway_metrics_text(p, type);
    *p++ = '\n';

    return p;
}


u_char *
gateway_metrics_begin(u_char *p, const char *name, const char *suffix,
    const gateway_label_t *labels, uint32_t n)
{
    uint32_t  i;

    p = gateway_metrics_text(p, name);
    p = gateway_metrics_text(p, suffix);

    for (i = 0; i < n; i++) {
        *p++ = i ? ',' : '{';
        p = gateway_metrics_text(p, labels[i].name);
        *p++ = '=';
        p = gateway_metrics_label(p, &labels[i].value);
    }

    if (n) {
        *p++ = '}';
    }

    *p++ = ' ';

    return p;
}


u_char *
gateway_metrics_number(u_char *p, uint64_t value)
{
    p = gateway_row_number(p, value);
    *p++ = '\n';

    return p;
}


u_char *
gateway_metrics_seconds(u_char *p, uint64_t ms)
{
    p = gateway_row_number(p, ms / 1000);
    *p++ = '.';
    *p++ = '0' + ms / 100 % 10;
    *p++ = '0' + ms / 10 % 10;
    *p++ = '0' + ms % 10;
    *p++ = '\n';

    return p;
}


u_char *
gateway_metrics_histogram(u_char *p, const char *name,
    const gateway_label_t *labels, uint32_t n, const uint64_t *buckets,
    uint64_t sum)
{
    uint32_t          i;
    uint64_t          count;
    const char       *bound;
    gateway_label_t   own[GATEWAY_METRICS_LABELS];

    n = (n < GATEWAY_METRICS_LABELS) ? n : GATEWAY_METRICS_LABELS - 1;

    memcpy(own, labels, n * sizeof(gateway_label_t));

    own[n].name = "le";
    count = 0;

    for (i = 0; i < GATEWAY_METRICS_BUCKETS; i++) {

        count += buckets[i];

        bound = (i < GATEWAY_METRICS_BOUNDS)
                ? gateway_metrics_bounds[i].seconds : "+Inf";

        own[n].value.data = (u_char *) bound;
        own[n].value.len = strlen(bound);

        p = gateway_metrics_begin(p, name, "_bucket", own, n + 1);
        p = gateway_metrics_number(p, count);
    }

    p = gateway_metrics_begin(p, name, "_sum", labels, n);
    p = gateway_metrics_seconds(p, sum);

    p = gateway_metrics_begin(p, name, "_count", labels, n);

    return gateway_metrics_number(p, count);
}


uint32_t
gateway_metrics_bucket(uint64_t ms)
{
    uint32_t  i;

    for (i = 0; i < GATEWAY_METRICS_BOUNDS; i++) {
        if (ms <= gateway_metrics_bounds[i].ms) {
            break;
        }
    }

    return i;
}


static u_char *
gateway_metrics_text(u_char *p, const char *text)
{
    size_t  len;

    len = strlen(text);
    memcpy(p, text, len);

    return p + len;
}


/* One character that is not UTF-8 would make all of the answer unreadable. */

static u_char *
gateway_metrics_label(u_char *p, const pocket_str_t *value)
{
    size_t        i;
    u_char        c;
    unsigned      valid;
    pocket_str_t  text;

    static const u_char  hex[] = "0123456789abcdef";

    text = *value;

    if (text.len > GATEWAY_METRICS_LABEL_MAX) {
        text.len = GATEWAY_METRICS_LABEL_MAX;
    }

    valid = (pocket_utf8_bad(&text) == 0);

    *p++ = '"';

    for (i = 0; i < text.len; i++) {

        c = text.data[i];

        if (c == '\n') {
            *p++ = '\\';
            *p++ = 'n';
            continue;
        }

        if ((c & 0x80) && !valid) {
            p = gateway_metrics_text(p, "\\\\x");
            *p++ = hex[c >> 4];
            *p++ = hex[c & 0xf];
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        *p++ = c;
    }

    *p++ = '"';

    return p;
}
