
/*
 * Lines of Prometheus' text format.
 */


#include "gateway_metrics.h"
#include "test.h"

#include <string.h>


static void test_text(const u_char *last, const char *text);
static gateway_label_t test_label(const char *name, const char *value);
static void test_head(void);
static void test_lines(void);
static void test_escapes(void);
static void test_longest(void);
static void test_histogram(void);
static void test_buckets(void);


static u_char  buf[16384];


int
main(void)
{
    test_head();
    test_lines();
    test_escapes();
    test_longest();
    test_histogram();
    test_buckets();

    return test_done();
}


static void
test_text(const u_char *last, const char *text)
{
    check((size_t) (last - buf) == strlen(text)
          && memcmp(buf, text, strlen(text)) == 0);
}


static gateway_label_t
test_label(const char *name, const char *value)
{
    gateway_label_t  label;

    label.name = name;
    label.value.data = (u_char *) value;
    label.value.len = strlen(value);

    return label;
}


static void
test_head(void)
{
    test_text(gateway_metrics_head(buf, "a_total", "counter", "What it is."),
              "# HELP a_total What it is.\n# TYPE a_total counter\n");
}


static void
test_lines(void)
{
    u_char           *p;
    gateway_label_t   labels[2];

    labels[0] = test_label("chain", "u:eth");
    labels[1] = test_label("route", "node");

    p = gateway_metrics_begin(buf, "a", "", labels, 0);
    test_text(gateway_metrics_number(p, 0), "a 0\n");

    p = gateway_metrics_begin(buf, "a", "_sum", labels, 1);
    test_text(gateway_metrics_seconds(p, 61007), "a_sum{chain=\"u:eth\"} "
              "61.007\n");

    p = gateway_metrics_begin(buf, "a", "", labels, 2);
    test_text(gateway_metrics_number(p, UINT64_MAX),
              "a{chain=\"u:eth\",route=\"node\"} 18446744073709551615\n");
}


static void
test_escapes(void)
{
    gateway_label_t  label;

    label = test_label("l", "a\"b\\c\nd");
    test_text(gateway_metrics_begin(buf, "a", "", &label, 1),
              "a{l=\"a\\\"b\\\\c\\nd\"} ");

    label = test_label("l", "\xc3\xa4");
    test_text(gateway_metrics_begin(buf, "a", "", &label, 1),
              "a{l=\"\xc3\xa4\"} ");

    /* a stray byte: all that is not ASCII is told by its number */

    label = test_label("l", "\xc3\xa4\xff");
    test_text(gateway_metrics_begin(buf, "a", "", &label, 1),
              "a{l=\"\\\\xc3\\\\xa4\\\\xff\"} ");
}


static void
test_longest(void)
{
    u_char            value[GATEWAY_METRICS_LABEL_MAX + 10], *p;
    gateway_label_t   label;

    memset(value, 0xff, sizeof(value));

    label.name = "l";
    label.value.data = value;
    label.value.len = sizeof(value);

    p = gateway_metrics_begin(buf, "a", "", &label, 1);

    check((size_t) (p - buf) == strlen("a{l=\"\"} ")
                                + GATEWAY_METRICS_LABEL_LEN);
}


static void
test_histogram(void)
{
    u_char           *p;
    uint64_t          buckets[GATEWAY_METRICS_BUCKETS];
    gateway_label_t   label;

    memset(buckets, 0, sizeof(buckets));

    buckets[0] = 2;
    buckets[2] = 1;
    buckets[GATEWAY_METRICS_BOUNDS] = 4;

    label = test_label("chain", "x");

    p = gateway_metrics_histogram(buf, "a", &label, 1, buckets, 250001);
    *p = '\0';

    check(strstr((char *) buf, "a_bucket{chain=\"x\",le=\"0.005\"} 2\n")
          == (char *) buf);
    check(strstr((char *) buf, "a_bucket{chain=\"x\",le=\"0.01\"} 2\n"));
    check(strstr((char *) buf, "a_bucket{chain=\"x\",le=\"0.025\"} 3\n"));
    check(strstr((char *) buf, "a_bucket{chain=\"x\",le=\"60\"} 3\n"));
    check(strstr((char *) buf, "a_bucket{chain=\"x\",le=\"+Inf\"} 7\n"
                               "a_sum{chain=\"x\"} 250.001\n"
                               "a_count{chain=\"x\"} 7\n"));
}


static void
test_buckets(void)
{
    check(gateway_metrics_bucket(0) == 0);
    check(gateway_metrics_bucket(5) == 0);
    check(gateway_metrics_bucket(6) == 1);
    check(gateway_metrics_bucket(1000) == 7);
    check(gateway_metrics_bucket(60000) == GATEWAY_METRICS_BOUNDS - 1);
    check(gateway_metrics_bucket(60001) == GATEWAY_METRICS_BOUNDS);
}
