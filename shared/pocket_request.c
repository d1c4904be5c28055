
#include "pocket_request.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define POCKET_METHOD_DEFAULT  "POST"
#define POCKET_UNIX_PREFIX     "unix:"


/* user agent, authorization of the url and of the chain, content type */
#define POCKET_REQUEST_DEFAULTS  4


/* where a byte other than a letter or digit may stand */

typedef enum {
    POCKET_CHAR_TOKEN = 0,    /* methods and header names */
    POCKET_CHAR_PATH,         /* a path as it is */
    POCKET_CHAR_PLAIN,        /* a path when it is encoded */
    POCKET_CHAR_USER,         /* user information */
    POCKET_CHAR_HOST          /* host and port */
} pocket_request_class_e;


/* a header and its place: the later one of two with one name replaces */

typedef struct {
    pocket_header_t           header;
    size_t                    order;
} pocket_request_slot_t;


/* the parts of a chain's url; all are slices of one text */

typedef struct {
    pocket_str_t              scheme;
    pocket_str_t              user;     /* still encoded */
    pocket_str_t              host;
    pocket_str_t              path;
    pocket_str_t              query;    /* with its question mark */
    unsigned                  has_user;
} pocket_request_url_t;


static const pocket_str_t *pocket_request_method(
    const pocket_payload_t *payload);
static int pocket_request_join(const pocket_request_chain_t *chain,
    const pocket_payload_t *payload, pocket_str_t *url, pocket_alloc_t *a);
static pocket_str_t pocket_request_trim(const pocket_str_t *s);
static unsigned char *pocket_request_copy(unsigned char *dst,
    const pocket_str_t *s);
static int pocket_request_parse(const pocket_str_t *text,
    pocket_request_url_t *url);
static pocket_str_t pocket_request_cut(pocket_str_t *s, unsigned char c);
static int pocket_request_scheme(pocket_str_t *rest, pocket_str_t *scheme);
static int pocket_request_authority(pocket_str_t *rest,
    pocket_request_url_t *url);
static int pocket_request_unix(pocket_str_t *rest, pocket_request_url_t *url);
static int pocket_request_host(pocket_str_t *host);
static unsigned pocket_request_is_port(const pocket_str_t *port);
static int pocket_request_target(const pocket_request_url_t *url,
    pocket_str_t *target, pocket_alloc_t *a);
static unsigned char *pocket_request_encode(unsigned char *p,
    const pocket_str_t *path);
static size_t pocket_request_decode(unsigned char *dst, const pocket_str_t *s);
static unsigned pocket_request_is_encoded(const pocket_str_t *s);
static int pocket_request_hex(unsigned char c);
static unsigned pocket_request_char(unsigned char c,
    pocket_request_class_e class);
static unsigned pocket_request_is(const pocket_str_t *s,
    pocket_request_class_e class);
static unsigned pocket_request_has_control(const pocket_str_t *s);
static unsigned pocket_request_headers_valid(const pocket_payload_t *payload);
static int pocket_request_headers(const pocket_request_chain_t *chain,
    const pocket_request_url_t *url, const pocket_str_t *user_agent,
    const pocket_payload_t *payload, pocket_request_t *rq, pocket_alloc_t *a);
static void pocket_request_set(pocket_request_slot_t *slots, size_t *n,
    const pocket_str_t *name, const pocket_str_t *value);
static int pocket_request_merge(pocket_request_slot_t *slots, size_t n,
    pocket_request_t *rq, pocket_alloc_t *a);
static int pocket_request_cmp(const void *one, const void *two);
static int pocket_request_name_cmp(const pocket_str_t *one,
    const pocket_str_t *two);
static unsigned pocket_request_is_ours(const pocket_str_t *name);
static int pocket_request_url_basic(const pocket_request_url_t *url,
    pocket_str_t *value, pocket_alloc_t *a);
static int pocket_request_basic(const pocket_str_t *user,
    const pocket_str_t *password, pocket_str_t *value, pocket_alloc_t *a);


static const pocket_str_t  pocket_request_default_method =
    pocket_string(POCKET_METHOD_DEFAULT);

static const pocket_str_t  pocket_request_user_agent =
    pocket_string("User-Agent");
static const pocket_str_t  pocket_request_authorization =
    pocket_string("Authorization");
static const pocket_str_t  pocket_request_content_type =
    pocket_string("Content-Type");
static const pocket_str_t  pocket_request_json =
    pocket_string("application/json");

/* headers that the connection to the chain decides, not the client */

static const pocket_str_t  pocket_request_ours[] = {
    pocket_string("Host"),
    pocket_string("Content-Length"),
    pocket_string("Transfer-Encoding"),
    pocket_string("Trailer"),
    pocket_string("Connection")
};


/*
 * The punctuation of each class: RFC 9110 tokens; RFC 3986 paths, with the
 * brackets that the reference lets pass; what its encoder leaves alone;
 * user information; reg-name and IP literals, without percent.
 */

static const char *const  pocket_request_punctuation[] = {
    [POCKET_CHAR_TOKEN] = "!#$%&'*+-.^_`|~",
    [POCKET_CHAR_PATH] = "!$&'()*+,;=:@[]-_.~/%",
    [POCKET_CHAR_PLAIN] = "$&+,/:;=@-_.~",
    [POCKET_CHAR_USER] = "-._:~!$&'()*+,;=%@",
    [POCKET_CHAR_HOST] = "-._~:[]"
};


int
pocket_request_build(const pocket_request_chain_t *chain,
    const pocket_str_t *user_agent, const pocket_payload_t *payload,
    pocket_request_t *rq, pocket_error_t *err, pocket_alloc_t *a)
{
    pocket_str_t          text;
    pocket_request_url_t  url;

    memset(rq, 0, sizeof(pocket_request_t));

    rq->method = *pocket_request_method(payload);
    rq->body = payload->data;

    if (pocket_request_join(chain, payload, &text, a) != POCKET_OK) {
        return POCKET_ERROR;
    }

    if (!pocket_request_is(&rq->method, POCKET_CHAR_TOKEN)
        || pocket_request_parse(&text, &url) != POCKET_OK)
    {
        pocket_error_set(err, POCKET_ERR_HTTP_REQUEST);
        return 0;
    }

    /* the reference meets a bad header only when it makes the call */

    if (!pocket_request_headers_valid(payload)) {

        if (pocket_request_failure(POCKET_CHAIN_CONNECT, &chain->id, payload,
                                   err, a)
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }

        return 0;
    }

    rq->scheme = url.scheme;
    rq->host = url.host;

    if (pocket_request_target(&url, &rq->target, a) != POCKET_OK
        || pocket_request_headers(chain, &url, user_agent, payload, rq, a)
           != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    return 1;
}


int
pocket_request_failure(pocket_chain_failure_e failure,
    const pocket_str_t *chain_id, const pocket_payload_t *payload,
    pocket_error_t *err, pocket_alloc_t *a)
{
    size_t                    i;
    pocket_str_t              reason;
    unsigned char            *p;
    const pocket_str_t       *parts[6];

    static const pocket_str_t  connect = pocket_string("blockchain request");
    static const pocket_str_t  timeout = pocket_string("request timeout");
    static const pocket_str_t  chain = pocket_string(" for CHAIN=");
    static const pocket_str_t  path = pocket_string(" PATH=");
    static const pocket_str_t  method = pocket_string(" METHOD=");

    if (failure == POCKET_CHAIN_BODY) {
        pocket_error_set(err, POCKET_ERR_HTTP_BODY);
        return POCKET_OK;
    }

    pocket_error_set(err, POCKET_ERR_HTTP);

    parts[0] = (failure == POCKET_CHAIN_TIMEOUT) ? &timeout : &connect;
    parts[1] = &chain;
    parts[2] = chain_id;
    parts[3] = &path;
    parts[4] = &payload->path;
    parts[5] = &method;

    reason.len = pocket_request_method(payload)->len;

    for (i = 0; i < 6; i++) {
        reason.len += parts[i]->len;
    }

    p = pocket_alloc(a, reason.len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    reason.data = p;

    for (i = 0; i < 6; i++) {
        p = pocket_request_copy(p, parts[i]);
    }

    (void) pocket_request_copy(p, pocket_request_method(payload));

    return pocket_error_set_reason(err, POCKET_ERR_HTTP, &reason, a);
}


static const pocket_str_t *
pocket_request_method(const pocket_payload_t *payload)
{
    return payload->method.len ? &payload->method
                               : &pocket_request_default_method;
}


static int
pocket_request_join(const pocket_request_chain_t *chain,
    const pocket_payload_t *payload, pocket_str_t *url, pocket_alloc_t *a)
{
    pocket_str_t    base, path;
    unsigned char  *p;

    base = pocket_request_trim(&chain->url);
    path = pocket_request_trim(&payload->path);

    p = pocket_alloc(a, base.len + 1 + path.len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    url->data = p;
    p = pocket_request_copy(p, &base);

    if (payload->path.len) {
        *p++ = '/';
        p = pocket_request_copy(p, &path);
    }

    url->len = (size_t) (p - url->data);

    return POCKET_OK;
}


static pocket_str_t
pocket_request_trim(const pocket_str_t *s)
{
    pocket_str_t  t;

    t = *s;

    while (t.len && t.data[0] == '/') {
        t.data++;
        t.len--;
    }

    while (t.len && t.data[t.len - 1] == '/') {
        t.len--;
    }

    return t;
}


static unsigned char *
pocket_request_copy(unsigned char *dst, const pocket_str_t *s)
{
    if (s->len) {
        memcpy(dst, s->data, s->len);
    }

    return dst + s->len;
}


static int
pocket_request_parse(const pocket_str_t *text, pocket_request_url_t *url)
{
    pocket_str_t  rest, fragment;

    memset(url, 0, sizeof(pocket_request_url_t));

    if (pocket_request_has_control(text)) {
        return POCKET_ERROR;
    }

    rest = *text;
    fragment = pocket_request_cut(&rest, '#');
    url->query = pocket_request_cut(&rest, '?');

    if (!pocket_request_is_encoded(&fragment)
        || pocket_request_scheme(&rest, &url->scheme) != POCKET_OK
        || pocket_request_authority(&rest, url) != POCKET_OK
        || !pocket_request_is_encoded(&rest))
    {
        return POCKET_ERROR;
    }

    url->path = rest;

    return POCKET_OK;
}


/* splits *s before the first c: *s is the head, the rest is returned */

static pocket_str_t
pocket_request_cut(pocket_str_t *s, unsigned char c)
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
pocket_request_scheme(pocket_str_t *rest, pocket_str_t *scheme)
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
pocket_request_authority(pocket_str_t *rest, pocket_request_url_t *url)
{
    size_t        i;
    pocket_str_t  path;

    if (rest->len > sizeof(POCKET_UNIX_PREFIX) - 1
        && memcmp(rest->data, POCKET_UNIX_PREFIX,
                  sizeof(POCKET_UNIX_PREFIX) - 1) == 0)
    {
        return pocket_request_unix(rest, url);
    }

    path = pocket_request_cut(rest, '/');

    url->host = *rest;
    *rest = path;

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

    if (!pocket_request_is(&url->user, POCKET_CHAR_USER)
        || !pocket_request_is_encoded(&url->user))
    {
        return POCKET_ERROR;
    }

    return pocket_request_host(&url->host);
}


/* unix:/path:/target, as nginx writes it */

static int
pocket_request_unix(pocket_str_t *rest, pocket_request_url_t *url)
{
    pocket_str_t  path;

    rest->data += sizeof(POCKET_UNIX_PREFIX) - 1;
    rest->len -= sizeof(POCKET_UNIX_PREFIX) - 1;

    path = pocket_request_cut(rest, ':');

    if (rest->len == 0 || rest->data[0] != '/' || path.len == 0
        || (path.len > 1 && path.data[1] != '/'))
    {
        return POCKET_ERROR;
    }

    url->host.data = rest->data - (sizeof(POCKET_UNIX_PREFIX) - 1);
    url->host.len = rest->len + sizeof(POCKET_UNIX_PREFIX) - 1;

    rest->data = path.data + 1;
    rest->len = path.len - 1;

    return POCKET_OK;
}


static int
pocket_request_host(pocket_str_t *host)
{
    pocket_str_t  name, port;

    if (!pocket_request_is(host, POCKET_CHAR_HOST)) {
        return POCKET_ERROR;
    }

    name = *host;

    if (name.len && name.data[0] == '[') {
        port = pocket_request_cut(&name, ']');

        if (port.len == 0) {
            return POCKET_ERROR;
        }

        name.len++;
        port.data++;
        port.len--;

    } else {
        port = pocket_request_cut(&name, ':');
    }

    if (name.len == 0 || !pocket_request_is_port(&port)) {
        return POCKET_ERROR;
    }

    if (port.len == 1) {
        host->len--;
    }

    return POCKET_OK;
}


static unsigned
pocket_request_is_port(const pocket_str_t *port)
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
 * it is decoded and encoded as a whole.  The query is sent as it came, even
 * with a space in it: both as the reference does.
 */

static int
pocket_request_target(const pocket_request_url_t *url, pocket_str_t *target,
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

    } else if (pocket_request_is(&url->path, POCKET_CHAR_PATH)) {
        p = pocket_request_copy(p, &url->path);

    } else {
        path.data = pocket_alloc(a, url->path.len);
        if (path.data == NULL) {
            return POCKET_ERROR;
        }

        path.len = pocket_request_decode(path.data, &url->path);
        p = pocket_request_encode(p, &path);
    }

    p = pocket_request_copy(p, &url->query);

    target->len = (size_t) (p - target->data);

    return POCKET_OK;
}


static unsigned char *
pocket_request_encode(unsigned char *p, const pocket_str_t *path)
{
    size_t         i;
    unsigned char  c;

    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < path->len; i++) {
        c = path->data[i];

        if (pocket_request_char(c, POCKET_CHAR_PLAIN)) {
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

static size_t
pocket_request_decode(unsigned char *dst, const pocket_str_t *s)
{
    size_t          i;
    unsigned char  *p;

    p = dst;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '%') {
            *p++ = (unsigned char) (pocket_request_hex(s->data[i + 1]) << 4
                                    | pocket_request_hex(s->data[i + 2]));
            i += 2;

        } else {
            *p++ = s->data[i];
        }
    }

    return (size_t) (p - dst);
}


static unsigned
pocket_request_is_encoded(const pocket_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] != '%') {
            continue;
        }

        if (s->len - i < 3
            || pocket_request_hex(s->data[i + 1]) < 0
            || pocket_request_hex(s->data[i + 2]) < 0)
        {
            return 0;
        }
    }

    return 1;
}


static int
pocket_request_hex(unsigned char c)
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
pocket_request_char(unsigned char c, pocket_request_class_e class)
{
    unsigned char  lower;

    lower = c | 0x20;

    if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) {
        return 1;
    }

    return c != '\0' && strchr(pocket_request_punctuation[class], c) != NULL;
}


static unsigned
pocket_request_is(const pocket_str_t *s, pocket_request_class_e class)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (!pocket_request_char(s->data[i], class)) {
            return 0;
        }
    }

    return 1;
}


static unsigned
pocket_request_has_control(const pocket_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}


static unsigned
pocket_request_headers_valid(const pocket_payload_t *payload)
{
    size_t               i, n;
    const pocket_str_t  *name, *value;

    for (i = 0; i < payload->nheaders; i++) {
        name = &payload->headers[i].name;
        value = &payload->headers[i].value;

        if (name->len == 0 || !pocket_request_is(name, POCKET_CHAR_TOKEN)) {
            return 0;
        }

        for (n = 0; n < value->len; n++) {

            if ((value->data[n] < 0x20 && value->data[n] != '\t')
                || value->data[n] == 0x7f)
            {
                return 0;
            }
        }
    }

    return 1;
}


static int
pocket_request_headers(const pocket_request_chain_t *chain,
    const pocket_request_url_t *url, const pocket_str_t *user_agent,
    const pocket_payload_t *payload, pocket_request_t *rq, pocket_alloc_t *a)
{
    size_t                  i, n;
    pocket_str_t            value;
    pocket_request_slot_t  *slots;

    slots = pocket_alloc(a, (payload->nheaders + POCKET_REQUEST_DEFAULTS)
                            * sizeof(pocket_request_slot_t));
    if (slots == NULL) {
        return POCKET_ERROR;
    }

    n = 0;

    pocket_request_set(slots, &n, &pocket_request_user_agent, user_agent);

    if (url->has_user) {

        if (pocket_request_url_basic(url, &value, a) != POCKET_OK) {
            return POCKET_ERROR;
        }

        pocket_request_set(slots, &n, &pocket_request_authorization, &value);
    }

    if (chain->username.len) {

        if (pocket_request_basic(&chain->username, &chain->password, &value, a)
            != POCKET_OK)
        {
            return POCKET_ERROR;
        }

        pocket_request_set(slots, &n, &pocket_request_authorization, &value);
    }

    if (payload->nheaders == 0) {
        pocket_request_set(slots, &n, &pocket_request_content_type,
                           &pocket_request_json);
    }

    for (i = 0; i < payload->nheaders; i++) {
        pocket_request_set(slots, &n, &payload->headers[i].name,
                           &payload->headers[i].value);
    }

    return pocket_request_merge(slots, n, rq, a);
}


static void
pocket_request_set(pocket_request_slot_t *slots, size_t *n,
    const pocket_str_t *name, const pocket_str_t *value)
{
    pocket_str_t  v;

    v = *value;

    while (v.len && (v.data[0] == ' ' || v.data[0] == '\t')) {
        v.data++;
        v.len--;
    }

    while (v.len && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t')) {
        v.len--;
    }

    slots[*n].header.name = *name;
    slots[*n].header.value = v;
    slots[*n].order = *n;
    (*n)++;
}


/* of the headers with one name the last stays, if it may be sent at all */

static int
pocket_request_merge(pocket_request_slot_t *slots, size_t n,
    pocket_request_t *rq, pocket_alloc_t *a)
{
    size_t               i;
    const pocket_str_t  *name;

    qsort(slots, n, sizeof(pocket_request_slot_t), pocket_request_cmp);

    rq->headers = pocket_alloc(a, n * sizeof(pocket_header_t));
    if (rq->headers == NULL) {
        return POCKET_ERROR;
    }

    for (i = 0; i < n; i++) {
        name = &slots[i].header.name;

        if (i + 1 < n
            && pocket_request_name_cmp(name, &slots[i + 1].header.name) == 0)
        {
            continue;
        }

        if (pocket_request_is_ours(name)) {
            continue;
        }

        /* an empty User-Agent means none */

        if (slots[i].header.value.len == 0
            && pocket_request_name_cmp(name, &pocket_request_user_agent) == 0)
        {
            continue;
        }

        rq->headers[rq->nheaders++] = slots[i].header;
    }

    return POCKET_OK;
}


static int
pocket_request_cmp(const void *one, const void *two)
{
    int                           rc;
    const pocket_request_slot_t  *first, *second;

    first = one;
    second = two;

    rc = pocket_request_name_cmp(&first->header.name, &second->header.name);

    if (rc) {
        return rc;
    }

    return (first->order < second->order) ? -1 : 1;
}


static int
pocket_request_name_cmp(const pocket_str_t *one, const pocket_str_t *two)
{
    int     rc;
    size_t  len;

    len = (one->len < two->len) ? one->len : two->len;

    rc = strncasecmp((char *) one->data, (char *) two->data, len);

    if (rc || one->len == two->len) {
        return rc;
    }

    return (one->len < two->len) ? -1 : 1;
}


static unsigned
pocket_request_is_ours(const pocket_str_t *name)
{
    size_t  i;

    for (i = 0;
         i < sizeof(pocket_request_ours) / sizeof(pocket_request_ours[0]);
         i++)
    {
        if (pocket_request_name_cmp(name, &pocket_request_ours[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
pocket_request_url_basic(const pocket_request_url_t *url, pocket_str_t *value,
    pocket_alloc_t *a)
{
    pocket_str_t    user, password;
    unsigned char  *p;

    user = url->user;
    password = pocket_request_cut(&user, ':');

    if (password.len) {
        password.data++;
        password.len--;
    }

    p = pocket_alloc(a, url->user.len + 1);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    user.len = pocket_request_decode(p, &user);
    user.data = p;

    p += user.len;

    password.len = pocket_request_decode(p, &password);
    password.data = p;

    return pocket_request_basic(&user, &password, value, a);
}


static int
pocket_request_basic(const pocket_str_t *user, const pocket_str_t *password,
    pocket_str_t *value, pocket_alloc_t *a)
{
    size_t          len, size;
    unsigned char  *p, *text;

    static const pocket_str_t  scheme = pocket_string("Basic ");

    len = user->len + 1 + password->len;
    size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);

    text = pocket_alloc(a, len + scheme.len + size);
    if (text == NULL) {
        return POCKET_ERROR;
    }

    p = pocket_request_copy(text, user);
    *p++ = ':';
    p = pocket_request_copy(p, password);

    value->data = p;
    value->len = scheme.len + size - 1;

    p = pocket_request_copy(p, &scheme);

    (void) sodium_bin2base64((char *) p, size, text, len,
                             sodium_base64_VARIANT_ORIGINAL);

    return POCKET_OK;
}
