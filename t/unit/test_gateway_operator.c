
/*
 * Guards who is taken for one operator: hosts as they are written on chain,
 * odd ones too, public suffixes, addresses, and rules that come first.  Two
 * operators taken for one lose votes and traffic; one taken for two can
 * outvote others alone.
 */


#include "gateway_operator.h"
#include "test.h"

#include <string.h>


typedef struct {
    const char  *url;
    const char  *operator;
} test_url_t;


typedef struct {
    const char  *rule;
    const char  *url;
    int          matches;                  /* -1: no rule */
} test_rule_t;


static const test_url_t  urls[] = {
    { "https://complex.subdomain.root.com:443", "root.com" },
    { "https://root.com", "root.com" },
    { "http://ROOT.Com:8081/v1?a=b#c", "root.com" },
    { "https://root.com.", "root.com" },
    { "https://user:pass@a.root.com:1/x@y", "root.com" },
    { "http://localhost:8081", "localhost" },
    { "https://foo.co.uk", "foo.co.uk" },
    { "https://a.b.foo.co.uk:443", "foo.co.uk" },
    { "https://co.uk", "co.uk" },
    { "https://a.github.io", "a.github.io" },
    { "https://b.a.github.io", "a.github.io" },
    { "https://www.city.kawasaki.jp", "city.kawasaki.jp" },
    { "https://node.svc.cluster.local", "cluster.local" },
    { "https://node-7:8081", "node-7" },
    { "https://xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "http://10.0.0.1:8545", "10.0.0.0/24" },
    { "10.0.0.255:8545", "10.0.0.0/24" },
    { "10.0.1.1", "10.0.1.0/24" },
    { "https://[2001:db8:1:2::3]:443/", "2001:db8:1::/48" },
    { "2001:db8:1:ff::", "2001:db8:1::/48" },
    { "https://[::ffff:10.0.0.7]:1", "10.0.0.0/24" },
    { "http://unix:/run/geth.sock:/", "localhost" },
    { "unix:/run/geth.sock", "localhost" },
    { "a.root.com:8545", "root.com" },
    { "", "" },
    { "https://", "" },
    { "https://:443", "" },
    { "https://[2001:db8::1", "" },
    { "https://a b.com", "" },
    { "https://a\x01.com", "" },
    { "https://%41.com", "" },
};


static const test_rule_t  rules[] = {
    { "node.example.com", "https://node.example.com:1", 1 },
    { "Node.Example.com", "https://nodE.example.com:1", 1 },
    { "node.example.com", "https://a.node.example.com", 0 },
    { ".example.com", "https://example.com", 1 },
    { ".example.com", "https://a.b.example.com", 1 },
    { ".example.com", "https://badexample.com", 0 },
    { "*.example.com", "https://a.b.example.com", 1 },
    { "*.example.com", "https://example.com", 0 },
    { "node-*.example.*", "https://node-7.example.net", 1 },
    { "node-*.example.*", "https://node.example.net", 0 },
    { "*a*b", "https://xxaxxaxxb", 1 },
    { "*a*b", "https://xxaxxaxxbc", 0 },
    { "*", "https://anything", 1 },
    { "*", "http://10.0.0.1", 1 },
    { "10.0.*", "http://10.0.0.1", 1 },
    { "10.0.0.0/8", "http://10.200.0.1:1", 1 },
    { "10.0.0.0/8", "http://11.0.0.1", 0 },
    { "10.0.0.128/25", "http://10.0.0.129", 1 },
    { "10.0.0.128/25", "http://10.0.0.127", 0 },
    { "0.0.0.0/0", "http://1.2.3.4", 1 },
    { "0.0.0.0/0", "http://[2001:db8::1]", 0 },
    { "0.0.0.0/0", "http://name", 0 },
    { "::/0", "http://1.2.3.4", 1 },
    { "10.0.0.1", "http://10.0.0.1", 1 },
    { "10.0.0.1", "http://10.0.0.2", 0 },
    { "2001:db8::/32", "http://[2001:db8:5::1]:80", 1 },
    { "2001:db8::/33", "http://[2001:db8:8000::1]:80", 0 },
    { "2001:db8::1", "http://[2001:DB8::1]", 1 },
    { "::ffff:10.0.0.0/120", "http://10.0.0.9", 1 },
    { "::ffff:10.0.0.0/120", "http://10.0.1.9", 0 },
    { "*.example.com", "https://", 0 },
    { "", "", -1 },
    { "10.0.0.0/33", "", -1 },
    { "10.0.0.0/", "", -1 },
    { "10.0.0.0/1a", "", -1 },
    { "10.0.0.0/1000", "", -1 },
    { "2001:db8::/129", "", -1 },
    { "example.com/24", "", -1 },
    { "/24", "", -1 },
    { "https://example.com", "", -1 },
    { "a:8545", "", -1 },
    { "a b", "", -1 },
};


int
main(void)
{
    int                        got;
    char                       name[300];
    size_t                     i, len;
    const char                *err;
    pocket_str_t               url, text;
    unsigned char              out[GATEWAY_OPERATOR_LEN];
    gateway_operator_rule_t    rule, pair[2];

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        url = test_str(urls[i].url);
        len = gateway_operator(&url, out);

        test(len == strlen(urls[i].operator)
             && memcmp(out, urls[i].operator, len) == 0,
             urls[i].url, urls[i].operator);
    }

    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        url = test_str(rules[i].url);
        text = test_str(rules[i].rule);
        err = NULL;

        got = gateway_operator_rule(&text, &rule, &err);

        if (got == POCKET_OK) {
            got = gateway_operator_match(&rule, 1, &url) == 0;

        } else {
            got = err ? -1 : -2;
        }

        test(got == rules[i].matches, rules[i].rule, rules[i].url);
    }

    /* the first one counts */

    text = test_str("*.b.com");
    (void) gateway_operator_rule(&text, &pair[0], &err);
    text = test_str(".b.com");
    (void) gateway_operator_rule(&text, &pair[1], &err);

    url = test_str("http://a.b.com");
    test(gateway_operator_match(pair, 2, &url) == 0, "first", NULL);
    url = test_str("http://b.com");
    test(gateway_operator_match(pair, 2, &url) == 1, "second", NULL);
    url = test_str("http://c.com");
    test(gateway_operator_match(pair, 2, &url) == 2, "none", NULL);

    /* the longest host, and one more */

    memset(name, 'a', sizeof(name));
    url.data = (unsigned char *) name;
    url.len = 253;
    test(gateway_operator(&url, out) == 253, "longest", NULL);
    url.len = 254;
    test(gateway_operator(&url, out) == 0, "too long", NULL);

    return test_done();
}
