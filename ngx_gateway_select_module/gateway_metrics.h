
/*
 * Prometheus' text format, version 0.0.4 (prometheus.io, "Exposition
 * formats"): lines of metrics, written from given values.  Pure: no I/O, no
 * clock; the caller has room for what is written and gets its end.
 */


#ifndef _GATEWAY_METRICS_H_INCLUDED_
#define _GATEWAY_METRICS_H_INCLUDED_


#include "pocket_base.h"


/* upper bounds of durations in ms, and one more bucket without */

#define GATEWAY_METRICS_BOUNDS     17
#define GATEWAY_METRICS_BUCKETS    (GATEWAY_METRICS_BOUNDS + 1)

/* of a value of a label what is written, and how long that may be */

#define GATEWAY_METRICS_LABEL_MAX  255
#define GATEWAY_METRICS_LABEL_LEN  (5 * GATEWAY_METRICS_LABEL_MAX)


typedef struct {
    const char          *name;             /* [a-zA-Z_][a-zA-Z0-9_]* */
    pocket_str_t         value;            /* any bytes */
} gateway_label_t;


/* HELP and TYPE, ahead of all lines of a metric; help needs no escapes. */

u_char *gateway_metrics_head(u_char *p, const char *name, const char *type,
    const char *help);


/*
 * Name, suffix ("", "_sum", ...) and labels of a line, which ends with one of
 * the two below.  Values that are not UTF-8 are told with "\xHH" for what is
 * not ASCII.
 */

u_char *gateway_metrics_begin(u_char *p, const char *name, const char *suffix,
    const gateway_label_t *labels, uint32_t n);

u_char *gateway_metrics_number(u_char *p, uint64_t value);

/* ms, told in seconds */
u_char *gateway_metrics_seconds(u_char *p, uint64_t ms);


/*
 * The lines of a histogram: buckets (GATEWAY_METRICS_BUCKETS counts, each of
 * its own), the sum in ms; at most 15 labels.
 */

u_char *gateway_metrics_histogram(u_char *p, const char *name,
    const gateway_label_t *labels, uint32_t n, const uint64_t *buckets,
    uint64_t sum);

/* The bucket a duration falls into. */

uint32_t gateway_metrics_bucket(uint64_t ms);


#endif /* _GATEWAY_METRICS_H_INCLUDED_ */
