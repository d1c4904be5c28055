
#include "pocket_url.h"

#include <string.h>
#include <strings.h>


#define POCKET_UNIX_PREFIX      "unix:"
#define POCKET_UNIX_PREFIX_LEN  (sizeof(POCKET_UNIX_PREFIX) - 1)


/* where a byte other than a letter or digit may stand */

typedef enum {
    POCKET_URL_PATH = 0,      /* a path as it is */
    POCKET_URL_PLAIN,         /* a path when it is encoded */
    POCKET_URL_USER,          /* user information */
    POCKET_URL_HOST           /* host and port */
} pocket_url_class_e;


static int pocket_url_scheme(pocket_str_t *rest, pocket_str_t *scheme);
static int pocket_url_authority(pocket_str_t *rest, pocket_url_t *url);
static int pocket_url_unix(pocket_str_t *rest, pocket_url_t *url);
static int pocket_url_host(pocket_str_t *host);
static unsigned pocket_url_is_port(const pocket_str_t *port);
static unsigned char *pocket_url_encode(unsigned char *p,
    const pocket_str_t *path);
static unsigned pocket_url_is_encoded(const pocket_str_t *s);
static int pocket_url_hex(unsigned char c);
static unsigned pocket_url_char(unsigned char c, pocket_url_class_e class);
static unsigned pocket_url_is(const pocket_str_t *s, pocket_url_class_e class);
static unsigned pocket_url_has_control(const pocket_str_t *s);


/*
 * Sub-delimiters and brackets pass in a path that came so, but are not left
 * alone when one is encoded: so the reference's library has it.  No percent
 * in hosts: zones of IPv6 addresses have no use in a chain's url.
 */

static const char *const  pocket_url_punctuation[] = {
    [POCKET_URL_PATH] = "!$&'()*+,;=:@[]-_.~/%",
    [POCKET_URL_PLAIN] = "$&+,/:;=@-_.~",
    [POCKET_URL_USER] = "-._:~!$&'()*+,;=%@",
    [POCKET_URL_HOST] = "-._~:[]"
};


int
pocket_url_parse(const pocket_str_t *text, pocket_url_t *url)
{
    pocket_str_t  rest, fragment;

    memset(url, 0, sizeof(pocket_url_t));

    rest = *text;
    fragment = pocket_url_cut(&rest, '#');

    if (pocket_url_has_control(&rest)) {
        return POCKET_ERROR;
    }

    url->query = pocket_url_cut(&rest, '?');

    /* the fragment is dropped, but the reference has it decoded first */

    if (!pocket_url_is_encoded(&fragment)
        || pocket_url_scheme(&rest, &url->scheme) != POCKET_OK
        || pocket_url_authority(&rest, url) != POCKET_OK
        || !pocket_url_is_encoded(&rest))
    {
        return POCKET_ERROR;
    }

    url->path = rest;

    return POCKET_OK;
}


pocket_str_t
pocket_url_cut(pocket_str_t *s, unsigned char c)
{
    size_t        i;
    pocket_str_t  tail;

    for (i = 0; i < s->len && s->data[i] != c; i++) { /* void */ }

    tail.data = s->data + i;
    tail.len = s->len - i;
    s->len = i;

    return tail;
}


static int
pocket_url_scheme(pocket_str_t *rest, pocket_str_t *scheme)
{
    size_t  i;

    static const pocket_str_t  schemes[] = {
        pocket_string("http"),
        pocket_string("https")
    };

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        *scheme = schemes[i];

        if (rest->len > scheme->len + 3
            && strncasecmp((char *) rest->data, (char *) scheme->data,
                           scheme->len) == 0
            && memcmp(rest->data + scheme->len, "://", 3) == 0)
        {
            rest->data += scheme->len + 3;
            rest->len -= scheme->len + 3;
            return POCKET_OK;
        }
    }

    return POCKET_ERROR;
}


static int
pocket_url_authority(pocket_str_t *rest, pocket_url_t *url)
{
    size_t        i;
    pocket_str_t  path;

    if (rest->len > POCKET_UNIX_PREFIX_LEN
        && memcmp(rest->data, POCKET_UNIX_PREFIX, POCKET_UNIX_PREFIX_LEN)
           == 0)
    {
        return pocket_url_unix(rest, url);
    }

    path = pocket_url_cut(rest, '/');

    url->host = *rest;
    *rest = path;

    /* a password may have an @ in it, a host may not */

    for (i = url->host.len; i > 0; i--) {

        if (url->host.data[i - 1] == '@') {
            url->has_user = 1;
            url->user.data = url->host.data;
            url->user.len = i - 1;
            url->host.data += i;
            url->host.len -= i;
            break;
        }
    }

    if (!pocket_url_is(&url->user, POCKET_URL_USER)
        || !pocket_url_is_encoded(&url->user))
    {
        return POCKET_ERROR;
    }

    return pocket_url_host(&url->host);
}


static int
pocket_url_unix(pocket_str_t *rest, pocket_url_t *url)
{
    pocket_str_t  path;

    rest->data += POCKET_UNIX_PREFIX_LEN;
    rest->len -= POCKET_UNIX_PREFIX_LEN;

    path = pocket_url_cut(rest, ':');

    /* without the second colon nothing tells the socket from the target */

    if (rest->len == 0 || rest->data[0] != '/' || path.len == 0
        || (path.len > 1 && path.data[1] != '/'))
    {
        return POCKET_ERROR;
    }

    url->host.data = rest->data - POCKET_UNIX_PREFIX_LEN;
    url->host.len = rest->len + POCKET_UNIX_PREFIX_LEN;

    rest->data = path.data + 1;
    rest->len = path.len - 1;

    return POCKET_OK;
}


static int
pocket_url_host(pocket_str_t *host)
{
    pocket_str_t  name, port;

    if (!pocket_url_is(host, POCKET_URL_HOST)) {
        return POCKET_ERROR;
    }

    name = *host;

    if (name.len && name.data[0] == '[') {
        port = pocket_url_cut(&name, ']');

        if (port.len == 0) {
            return POCKET_ERROR;
        }

        name.len++;
        port.data++;
        port.len--;

    } else {
        port = pocket_url_cut(&name, ':');
    }

    if (name.len == 0 || !pocket_url_is_port(&port)) {
        return POCKET_ERROR;
    }

    /* "host:" means the port of the scheme */

    if (port.len == 1) {
        host->len--;
    }

    return POCKET_OK;
}


static unsigned
pocket_url_is_port(const pocket_str_t *port)
{
    size_t  i;

    for (i = 0; i < port->len; i++) {

        if (i == 0) {
            if (port->data[i] != ':') {
                return 0;
            }

        } else if (port->data[i] < '0' || port->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


/*
 * A path that could stand in a request line is sent as it came; otherwise
 * it is decoded and encoded as a whole, by which escapes that were not
 * needed are lost: the chain is to see what the reference shows it.
 */

int
pocket_url_target(const pocket_url_t *url, pocket_str_t *target,
    pocket_alloc_t *a)
{
    pocket_str_t    path;
    unsigned char  *p;

    p = pocket_alloc(a, 1 + 3 * url->path.len + url->query.len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    target->data = p;

    if (url->path.len == 0) {
        *p++ = '/';

    } else if (pocket_url_is(&url->path, POCKET_URL_PATH)) {
        memcpy(p, url->path.data, url->path.len);
        p += url->path.len;

    } else {
        path.data = pocket_alloc(a, url->path.len);
        if (path.data == NULL) {
            return POCKET_ERROR;
        }

        path.len = pocket_url_decode(path.data, &url->path);
        p = pocket_url_encode(p, &path);
    }

    if (url->query.len) {
        memcpy(p, url->query.data, url->query.len);
        p += url->query.len;
    }

    target->len = (size_t) (p - target->data);

    return POCKET_OK;
}


static unsigned char *
pocket_url_encode(unsigned char *p, const pocket_str_t *path)
{
    size_t         i;
    unsigned char  c;

    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < path->len; i++) {
        c = path->data[i];

        if (pocket_url_char(c, POCKET_URL_PLAIN)) {
            *p++ = c;

        } else {
            *p++ = '%';
            *p++ = (unsigned char) hex[c >> 4];
            *p++ = (unsigned char) hex[c & 0xf];
        }
    }

    return p;
}


/* s was found to be rightly encoded */

size_t
pocket_url_decode(unsigned char *dst, const pocket_str_t *s)
{
    size_t          i;
    unsigned char  *p;

    p = dst;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '%') {
            *p++ = (unsigned char) (pocket_url_hex(s->data[i + 1]) << 4
                                    | pocket_url_hex(s->data[i + 2]));
            i += 2;

        } else {
            *p++ = s->data[i];
        }
    }

    return (size_t) (p - dst);
}


static unsigned
pocket_url_is_encoded(const pocket_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] != '%') {
            continue;
        }

        if (s->len - i < 3
            || pocket_url_hex(s->data[i + 1]) < 0
            || pocket_url_hex(s->data[i + 2]) < 0)
        {
            return 0;
        }
    }

    return 1;
}


static int
pocket_url_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


static unsigned
pocket_url_char(unsigned char c, pocket_url_class_e class)
{
    unsigned char  lower;

    lower = c | 0x20;

    if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) {
        return 1;
    }

    return c != '\0' && strchr(pocket_url_punctuation[class], c) != NULL;
}


static unsigned
pocket_url_is(const pocket_str_t *s, pocket_url_class_e class)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (!pocket_url_char(s->data[i], class)) {
            return 0;
        }
    }

    return 1;
}


static unsigned
pocket_url_has_control(const pocket_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}
