
#include "pocket_request.h"

#include "pocket_url.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define POCKET_METHOD_DEFAULT  "POST"


/* user agent, authorization of the url and of the chain, content type */
#define POCKET_REQUEST_DEFAULTS  4


/* a header and its place: the later one of two with one name replaces */

typedef struct {
    pocket_header_t           header;
    size_t                    order;
} pocket_request_slot_t;


static const pocket_str_t *pocket_request_method(
    const pocket_payload_t *payload);
static int pocket_request_join(const pocket_request_chain_t *chain,
    const pocket_payload_t *payload, pocket_str_t *url, pocket_alloc_t *a);
static pocket_str_t pocket_request_trim(const pocket_str_t *s);
static unsigned char *pocket_request_copy(unsigned char *dst,
    const pocket_str_t *s);
static unsigned pocket_request_is_token(const pocket_str_t *s);
static unsigned pocket_request_headers_valid(const pocket_payload_t *payload);
static int pocket_request_headers(const pocket_request_chain_t *chain,
    const pocket_url_t *url, const pocket_str_t *user_agent,
    const pocket_payload_t *payload, pocket_request_t *rq, pocket_alloc_t *a);
static void pocket_request_set(pocket_request_slot_t *slots, size_t *n,
    const pocket_str_t *name, const pocket_str_t *value);
static int pocket_request_merge(pocket_request_slot_t *slots, size_t n,
    pocket_request_t *rq, pocket_alloc_t *a);
static int pocket_request_cmp(const void *one, const void *two);
static int pocket_request_name_cmp(const pocket_str_t *one,
    const pocket_str_t *two);
static unsigned pocket_request_is_ours(const pocket_str_t *name);
static int pocket_request_url_basic(const pocket_url_t *url,
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


int
pocket_request_build(const pocket_request_chain_t *chain,
    const pocket_str_t *user_agent, const pocket_payload_t *payload,
    pocket_request_t *rq, pocket_error_t *err, pocket_alloc_t *a)
{
    pocket_str_t  text;
    pocket_url_t  url;

    memset(rq, 0, sizeof(pocket_request_t));

    rq->method = *pocket_request_method(payload);
    rq->body = payload->data;

    if (pocket_request_join(chain, payload, &text, a) != POCKET_OK) {
        return POCKET_ERROR;
    }

    if (!pocket_request_is_token(&rq->method)
        || pocket_url_parse(&text, &url) != POCKET_OK)
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

    if (pocket_url_target(&url, &rq->target, a) != POCKET_OK
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


/* the reference names the method it has used, not the one it was given */

static const pocket_str_t *
pocket_request_method(const pocket_payload_t *payload)
{
    return payload->method.len ? &payload->method
                               : &pocket_request_default_method;
}


/*
 * The path is put behind all of the url, its query too if it has one: that
 * is how the keys of some providers' urls get to them.
 */

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


/* RFC 9110: letters, digits and some punctuation, one at least */

static unsigned
pocket_request_is_token(const pocket_str_t *s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
            || (c >= 'A' && c <= 'Z'))
        {
            continue;
        }

        if (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL) {
            return 0;
        }
    }

    return s->len != 0;
}


static unsigned
pocket_request_headers_valid(const pocket_payload_t *payload)
{
    size_t               i, n;
    const pocket_str_t  *name, *value;

    for (i = 0; i < payload->nheaders; i++) {
        name = &payload->headers[i].name;
        value = &payload->headers[i].value;

        if (!pocket_request_is_token(name)) {
            return 0;
        }

        /* a line break in a value would be another header, or a request */

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
    const pocket_url_t *url, const pocket_str_t *user_agent,
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

    /* each of these gives way to what comes after it */

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

    /* spaces around a value are no part of it */

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

    /*
     * The payload decides how many headers there are, so that a look through
     * all of them for each would be the client's to make expensive.
     */

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
pocket_request_url_basic(const pocket_url_t *url, pocket_str_t *value,
    pocket_alloc_t *a)
{
    pocket_str_t    user, password;
    unsigned char  *p;

    user = url->user;
    password = pocket_url_cut(&user, ':');

    if (password.len) {
        password.data++;
        password.len--;
    }

    p = pocket_alloc(a, url->user.len + 1);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    user.len = pocket_url_decode(p, &user);
    user.data = p;

    p += user.len;

    password.len = pocket_url_decode(p, &password);
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
