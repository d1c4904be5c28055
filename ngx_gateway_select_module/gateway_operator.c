
/*
 * Operators of nodes, by their URLs.
 */


#include "gateway_operator.h"

#include <arpa/inet.h>
#include <libpsl.h>
#include <stdio.h>
#include <string.h>


#define GATEWAY_OPERATOR_HOST      253
#define GATEWAY_OPERATOR_MAPPED    96      /* bits before an IPv4 address */

#define GATEWAY_OPERATOR_BITS4     24
#define GATEWAY_OPERATOR_BITS6     48


/* text is lower case, terminated; address if it is one */

typedef struct {
    size_t           len;
    char             text[GATEWAY_OPERATOR_HOST + 1];
    unsigned         numeric;
    unsigned         v4;
    unsigned char    address[16];
} gateway_operator_host_t;


static int gateway_operator_cidr(const pocket_str_t *text,
    gateway_operator_rule_t *rule, const char **err);
static int gateway_operator_host(const pocket_str_t *url,
    gateway_operator_host_t *host);
static pocket_str_t gateway_operator_authority(const pocket_str_t *url);
static int gateway_operator_address(gateway_operator_host_t *host);
static size_t gateway_operator_network(const gateway_operator_host_t *host,
    unsigned char *out);
static int gateway_operator_within(const unsigned char *address,
    const unsigned char *network, unsigned prefix);
static int gateway_operator_glob(const pocket_str_t *pattern,
    const char *text, size_t len);
static int gateway_operator_wild(const pocket_str_t *pattern, int wild,
    const char *text, size_t len);
static unsigned char gateway_operator_lower(unsigned char ch);
static int gateway_operator_char(unsigned char ch);


int
gateway_operator_rule(const pocket_str_t *text, gateway_operator_rule_t *rule,
    const char **err)
{
    size_t                   i;
    gateway_operator_host_t  host;

    memset(&rule->host, 0, sizeof(pocket_str_t));

    if (text->len == 0 || text->len > GATEWAY_OPERATOR_HOST) {
        *err = "a pattern or a network is expected";
        return POCKET_ERROR;
    }

    if (memchr(text->data, '/', text->len)) {
        return gateway_operator_cidr(text, rule, err);
    }

    memcpy(host.text, text->data, text->len);
    host.text[text->len] = '\0';

    if (gateway_operator_address(&host)) {
        memcpy(rule->network, host.address, sizeof(rule->network));
        rule->prefix = 128;

        return POCKET_OK;
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] != '*' && !gateway_operator_char(text->data[i])) {
            *err = "invalid character";
            return POCKET_ERROR;
        }
    }

    rule->host = *text;

    return POCKET_OK;
}


static int
gateway_operator_cidr(const pocket_str_t *text, gateway_operator_rule_t *rule,
    const char **err)
{
    unsigned                  bits, most, first;
    unsigned char            *p, *last;
    gateway_operator_host_t   host;

    last = text->data + text->len;
    p = memchr(text->data, '/', text->len);

    memcpy(host.text, text->data, p - text->data);
    host.text[p - text->data] = '\0';

    if (!gateway_operator_address(&host)) {
        *err = "no address before \"/\"";
        return POCKET_ERROR;
    }

    first = memchr(text->data, ':', text->len) ? 0 : GATEWAY_OPERATOR_MAPPED;
    most = 128 - first;
    bits = 0;
    p++;

    if (p == last || last - p > 3) {
        *err = "invalid length of a network";
        return POCKET_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p < '0' || *p > '9') {
            *err = "invalid length of a network";
            return POCKET_ERROR;
        }

        bits = bits * 10 + (*p - '0');
    }

    if (bits > most) {
        *err = "invalid length of a network";
        return POCKET_ERROR;
    }

    memcpy(rule->network, host.address, sizeof(rule->network));
    rule->prefix = first + bits;

    return POCKET_OK;
}


uint32_t
gateway_operator_match(const gateway_operator_rule_t *rules, uint32_t n,
    const pocket_str_t *url)
{
    uint32_t                 i;
    gateway_operator_host_t  host;

    if (gateway_operator_host(url, &host) != POCKET_OK) {
        return n;
    }

    for (i = 0; i < n; i++) {

        if (rules[i].host.len) {
            if (gateway_operator_glob(&rules[i].host, host.text, host.len)) {
                return i;
            }

        } else if (host.numeric
                   && gateway_operator_within(host.address, rules[i].network,
                                              rules[i].prefix))
        {
            return i;
        }
    }

    return n;
}


size_t
gateway_operator(const pocket_str_t *url, unsigned char *out)
{
    size_t                    len;
    const char               *domain;
    gateway_operator_host_t   host;

    if (gateway_operator_host(url, &host) != POCKET_OK) {
        return 0;
    }

    if (host.numeric) {
        return gateway_operator_network(&host, out);
    }

    domain = psl_registrable_domain(psl_builtin(), host.text);

    if (domain == NULL) {
        domain = host.text;
    }

    len = strlen(domain);
    memcpy(out, domain, len);

    return len;
}


static int
gateway_operator_host(const pocket_str_t *url, gateway_operator_host_t *host)
{
    size_t         i;
    pocket_str_t   authority;

    authority = gateway_operator_authority(url);

    /* the root's dot */

    if (authority.len && authority.data[authority.len - 1] == '.') {
        authority.len--;
    }

    if (authority.len == 0 || authority.len > GATEWAY_OPERATOR_HOST) {
        return POCKET_ERROR;
    }

    for (i = 0; i < authority.len; i++) {
        host->text[i] = gateway_operator_lower(authority.data[i]);
    }

    host->text[i] = '\0';
    host->len = i;
    host->numeric = gateway_operator_address(host);

    for (i = 0; i < host->len && !host->numeric; i++) {
        if (!gateway_operator_char(host->text[i])) {
            return POCKET_ERROR;
        }
    }

    return POCKET_OK;
}


/* The host without brackets and port; of a socket it is this machine. */

static pocket_str_t
gateway_operator_authority(const pocket_str_t *url)
{
    size_t           i;
    pocket_str_t     host;
    unsigned char   *p;

    static unsigned char  local[] = "localhost";

    host = *url;

    for (i = 0; i + 2 < host.len; i++) {
        if (memcmp(host.data + i, "://", 3) == 0) {
            host.data += i + 3;
            host.len -= i + 3;
            break;
        }
    }

    if (host.len >= 5 && memcmp(host.data, "unix:", 5) == 0) {
        host.data = local;
        host.len = sizeof(local) - 1;

        return host;
    }

    for (i = 0; i < host.len; i++) {
        if (host.data[i] == '/' || host.data[i] == '?' || host.data[i] == '#')
        {
            host.len = i;
        }
    }

    for (i = host.len; i > 0; i--) {
        if (host.data[i - 1] == '@') {
            host.data += i;
            host.len -= i;
            break;
        }
    }

    if (host.len && host.data[0] == '[') {
        p = memchr(host.data, ']', host.len);

        host.len = p ? p - host.data - 1 : 0;
        host.data++;

        return host;
    }

    p = memchr(host.data, ':', host.len);

    /* more colons than one: an address without brackets */

    if (p && !memchr(p + 1, ':', host.data + host.len - p - 1)) {
        host.len = p - host.data;
    }

    return host;
}


/* Takes host->text; 1: it is an address. */

static int
gateway_operator_address(gateway_operator_host_t *host)
{
    static const unsigned char  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                               0xff, 0xff };

    if (inet_pton(AF_INET, host->text, host->address + 12) == 1) {
        memcpy(host->address, mapped, sizeof(mapped));
        host->v4 = 1;

        return 1;
    }

    if (inet_pton(AF_INET6, host->text, host->address) != 1) {
        return 0;
    }

    host->v4 = memcmp(host->address, mapped, sizeof(mapped)) == 0;

    return 1;
}


static size_t
gateway_operator_network(const gateway_operator_host_t *host,
    unsigned char *out)
{
    int            len;
    char           text[INET6_ADDRSTRLEN];
    unsigned char  network[16];

    memset(network, 0, sizeof(network));

    if (host->v4) {
        memcpy(network, host->address + 12, GATEWAY_OPERATOR_BITS4 / 8);
        (void) inet_ntop(AF_INET, network, text, sizeof(text));

    } else {
        memcpy(network, host->address, GATEWAY_OPERATOR_BITS6 / 8);
        (void) inet_ntop(AF_INET6, network, text, sizeof(text));
    }

    len = snprintf((char *) out, GATEWAY_OPERATOR_LEN, "%s/%d", text,
                   host->v4 ? GATEWAY_OPERATOR_BITS4
                            : GATEWAY_OPERATOR_BITS6);

    return len > 0 ? (size_t) len : 0;
}


static int
gateway_operator_within(const unsigned char *address,
    const unsigned char *network, unsigned prefix)
{
    unsigned  left, mask;

    if (memcmp(address, network, prefix / 8) != 0) {
        return 0;
    }

    left = prefix % 8;

    if (left == 0) {
        return 1;
    }

    mask = 0xff << (8 - left) & 0xff;

    return ((address[prefix / 8] ^ network[prefix / 8]) & mask) == 0;
}


/* A domain and all below it, or a pattern as it is. */

static int
gateway_operator_glob(const pocket_str_t *pattern, const char *text,
    size_t len)
{
    pocket_str_t  domain;

    if (pattern->data[0] != '.') {
        return gateway_operator_wild(pattern, 0, text, len);
    }

    domain.data = pattern->data + 1;
    domain.len = pattern->len - 1;

    return gateway_operator_wild(&domain, 0, text, len)
           || gateway_operator_wild(pattern, 1, text, len);
}


/*
 * wild: as if a star stood before the pattern.  When nothing matches, the
 * last star takes one byte more.
 */

static int
gateway_operator_wild(const pocket_str_t *pattern, int wild, const char *text,
    size_t len)
{
    size_t  i, t, star, taken;

    i = 0;
    t = 0;
    star = 0;
    taken = 0;

    while (t < len) {

        if (i < pattern->len && pattern->data[i] == '*') {
            wild = 1;
            star = ++i;
            taken = t;

        } else if (i < pattern->len
                   && gateway_operator_lower(pattern->data[i])
                      == (unsigned char) text[t])
        {
            i++;
            t++;

        } else if (wild) {
            i = star;
            t = ++taken;

        } else {
            return 0;
        }
    }

    while (i < pattern->len && pattern->data[i] == '*') {
        i++;
    }

    return i == pattern->len;
}


static unsigned char
gateway_operator_lower(unsigned char ch)
{
    return ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
}


/* of a host name; bytes above ASCII are left to the public suffix list */

static int
gateway_operator_char(unsigned char ch)
{
    ch = gateway_operator_lower(ch);

    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
           || ch == '-' || ch == '.' || ch == '_' || ch >= 0x80;
}
