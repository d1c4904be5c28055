
/*
 * Blocking HTTP/1.1 client.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "ctl_http.h"


#define CTL_HTTP_HOST_MAX    256
#define CTL_HTTP_HEAD_MAX    65536
#define CTL_HTTP_ANSWER_MAX  (256 * 1024 * 1024)
#define CTL_HTTP_PIECE       65536


typedef struct {
    unsigned                tls;
    unsigned                unix_socket;
    char                    host[CTL_HTTP_HOST_MAX];  /* or the path */
    char                    port[8];
    const char             *prefix;       /* of the path */
    size_t                  prefix_len;
} ctl_url_t;


typedef struct {
    int                     fd;
    SSL_CTX                *ctx;
    SSL                    *ssl;
    int                     timeout;      /* ms */
} ctl_link_t;


static int ctl_url_parse(ctl_url_t *u, const char *url);
static int ctl_url_unix(ctl_url_t *u, const char *p);
static int ctl_url_host(ctl_url_t *u, const char *p);
static int ctl_link_open(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq);
static int ctl_link_unix(const ctl_url_t *u);
static int ctl_link_tcp(ctl_link_t *link, const ctl_url_t *u);
static int ctl_link_connect(int fd, const struct sockaddr *sa, socklen_t len,
    int timeout);
static int ctl_link_tls(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq);
static void ctl_link_tls_error(ctl_link_t *link, const ctl_url_t *u);
static ssize_t ctl_link_write(ctl_link_t *link, const void *p, size_t len);
static ssize_t ctl_link_read(ctl_link_t *link, void *p, size_t len);
static void ctl_link_close(ctl_link_t *link);
static int ctl_http_send(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq);
static int ctl_http_receive(ctl_link_t *link, const ctl_http_request_t *rq,
    ctl_http_answer_t *answer);
static int ctl_http_more(ctl_link_t *link, cli_buf_t *raw);
static int ctl_http_head(ctl_http_answer_t *answer, size_t head,
    size_t *length, unsigned *chunked);
static int ctl_http_chunks(ctl_link_t *link, ctl_http_answer_t *answer,
    size_t head);
static int ctl_http_bad(const ctl_http_request_t *rq, const char *why);


int
ctl_http(const ctl_http_request_t *rq, ctl_http_answer_t *answer)
{
    int         rc;
    ctl_url_t   u;
    ctl_link_t  link;

    memset(answer, 0, sizeof(ctl_http_answer_t));
    memset(&link, 0, sizeof(ctl_link_t));

    link.fd = -1;
    link.timeout = (rq->timeout ? rq->timeout : CTL_HTTP_TIMEOUT) * 1000;

    signal(SIGPIPE, SIG_IGN);

    if (ctl_url_parse(&u, rq->url) != 0) {
        ctl_error("invalid URL \"%s\"", rq->url);
        return CTL_USAGE;
    }

    rc = CTL_USAGE;

    if (ctl_link_open(&link, &u, rq) == 0
        && ctl_http_send(&link, &u, rq) == 0
        && ctl_http_receive(&link, rq, answer) == 0)
    {
        rc = CTL_OK;

    } else {
        cli_buf_free(&answer->raw);
    }

    ctl_link_close(&link);

    return rc;
}


static int
ctl_url_parse(ctl_url_t *u, const char *url)
{
    memset(u, 0, sizeof(ctl_url_t));

    if (strncasecmp(url, "https://", 8) == 0) {
        u->tls = 1;
        url += 8;

    } else if (strncasecmp(url, "http://", 7) == 0) {
        url += 7;

        if (strncmp(url, "unix:", 5) == 0) {
            return ctl_url_unix(u, url + 5);
        }

    } else {
        return -1;
    }

    return ctl_url_host(u, url);
}


static int
ctl_url_unix(ctl_url_t *u, const char *p)
{
    size_t  len;

    len = strcspn(p, ":");

    if (len == 0 || len >= sizeof(((struct sockaddr_un *) 0)->sun_path)) {
        return -1;
    }

    u->unix_socket = 1;
    memcpy(u->host, p, len);

    u->prefix = p[len] ? p + len + 1 : p + len;
    u->prefix_len = strcspn(u->prefix, "?#");

    return 0;
}


static int
ctl_url_host(ctl_url_t *u, const char *p)
{
    size_t       len;
    const char  *end, *at, *port;

    end = p + strcspn(p, "/?#");
    at = memchr(p, '@', end - p);

    if (at) {
        return -1;
    }

    if (*p == '[') {
        p++;
        len = strcspn(p, "]");
        port = p + len + 1;

    } else {
        len = strcspn(p, ":/?#");
        port = p + len;
    }

    if (len == 0 || len >= sizeof(u->host) || port > end) {
        return -1;
    }

    memcpy(u->host, p, len);
    strcpy(u->port, u->tls ? "443" : "80");

    if (port < end) {

        len = end - port - 1;

        if (*port != ':' || len == 0 || len > 5
            || strspn(port + 1, "0123456789") < len)
        {
            return -1;
        }

        memcpy(u->port, port + 1, len);
        u->port[len] = '\0';
    }

    u->prefix = end;
    u->prefix_len = strcspn(end, "?#");

    return 0;
}


static int
ctl_link_open(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq)
{
    int             rc;
    struct timeval  tv;

    rc = u->unix_socket ? ctl_link_unix(u) : ctl_link_tcp(link, u);

    if (rc == -1) {
        return -1;
    }

    link->fd = rc;

    tv.tv_sec = link->timeout / 1000;
    tv.tv_usec = 0;

    if (setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0
        || setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv))
           != 0)
    {
        ctl_error("setsockopt: %s", strerror(errno));
        return -1;
    }

    return u->tls ? ctl_link_tls(link, u, rq) : 0;
}


static int
ctl_link_unix(const ctl_url_t *u)
{
    int                 fd;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    strcpy(sun.sun_path, u->host);

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0) {
        ctl_error("cannot connect to \"%s\": %s", u->host, strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return -1;
    }

    return fd;
}


static int
ctl_link_tcp(ctl_link_t *link, const ctl_url_t *u)
{
    int               fd, rc, err;
    struct addrinfo   hints, *ai, *p;

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG|AI_NUMERICSERV;

    rc = getaddrinfo(u->host, u->port, &hints, &ai);

    if (rc != 0) {
        ctl_error("cannot resolve \"%s\": %s", u->host, gai_strerror(rc));
        return -1;
    }

    err = 0;

    for (p = ai, fd = -1; p && fd == -1; p = p->ai_next) {

        fd = socket(p->ai_family, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

        if (fd == -1) {
            err = errno;
            continue;
        }

        err = ctl_link_connect(fd, p->ai_addr, p->ai_addrlen, link->timeout);

        if (err) {
            close(fd);
            fd = -1;
        }
    }

    freeaddrinfo(ai);

    if (fd == -1) {
        ctl_error("cannot connect to %s port %s: %s", u->host, u->port,
                  strerror(err));
    }

    return fd;
}


/* 0, or errno's value */

static int
ctl_link_connect(int fd, const struct sockaddr *sa, socklen_t len,
    int timeout)
{
    int             n, err;
    socklen_t       size;
    struct pollfd   pfd;

    if (connect(fd, sa, len) != 0) {

        if (errno != EINPROGRESS) {
            return errno;
        }

        pfd.fd = fd;
        pfd.events = POLLOUT;

        n = poll(&pfd, 1, timeout);

        if (n != 1) {
            return n == 0 ? ETIMEDOUT : errno;
        }

        err = 0;
        size = sizeof(int);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0) {
            return errno;
        }

        if (err) {
            return err;
        }
    }

    if (fcntl(fd, F_SETFL, 0) != 0) {
        return errno;
    }

    return 0;
}


static int
ctl_link_tls(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq)
{
    int                 ok;
    unsigned char       addr[16];
    X509_VERIFY_PARAM  *param;

    link->ctx = SSL_CTX_new(TLS_client_method());

    if (link->ctx == NULL) {
        ctl_error("cannot initialize TLS");
        return -1;
    }

    ok = rq->cafile ? SSL_CTX_load_verify_locations(link->ctx, rq->cafile,
                                                    NULL)
                    : SSL_CTX_set_default_verify_paths(link->ctx);

    if (ok != 1) {
        ctl_error("cannot load the authorities of \"%s\"",
                  rq->cafile ? rq->cafile : "the system");
        return -1;
    }

    SSL_CTX_set_min_proto_version(link->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(link->ctx, rq->insecure ? SSL_VERIFY_NONE
                                               : SSL_VERIFY_PEER, NULL);

    link->ssl = SSL_new(link->ctx);

    if (link->ssl == NULL || SSL_set_fd(link->ssl, link->fd) != 1) {
        ctl_error("cannot initialize TLS");
        return -1;
    }

    param = SSL_get0_param(link->ssl);

    if (inet_pton(AF_INET, u->host, addr) == 1
        || inet_pton(AF_INET6, u->host, addr) == 1)
    {
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, u->host);

    } else {
        ok = X509_VERIFY_PARAM_set1_host(param, u->host, 0)
             && SSL_set_tlsext_host_name(link->ssl, u->host);
    }

    if (ok != 1) {
        ctl_error("\"%s\" cannot be verified by", u->host);
        return -1;
    }

    if (SSL_connect(link->ssl) != 1) {
        ctl_link_tls_error(link, u);
        return -1;
    }

    return 0;
}


static void
ctl_link_tls_error(ctl_link_t *link, const ctl_url_t *u)
{
    long        verify;
    const char *reason;

    verify = SSL_get_verify_result(link->ssl);

    if (verify != X509_V_OK) {
        ctl_error("certificate of %s port %s: %s", u->host, u->port,
                  X509_verify_cert_error_string(verify));
        return;
    }

    reason = ERR_reason_error_string(ERR_peek_error());

    ctl_error("TLS with %s port %s: %s", u->host, u->port,
              reason ? reason : "closed or no answer");
}


static ssize_t
ctl_link_write(ctl_link_t *link, const void *p, size_t len)
{
    int  n;

    if (link->ssl == NULL) {
        return send(link->fd, p, len, 0);
    }

    n = SSL_write(link->ssl, p, len > INT32_MAX ? INT32_MAX : (int) len);

    return n > 0 ? n : -1;
}


/* 0: the end, -1: an error or a time-out */

static ssize_t
ctl_link_read(ctl_link_t *link, void *p, size_t len)
{
    int  n;

    if (link->ssl == NULL) {
        return recv(link->fd, p, len, 0);
    }

    errno = 0;
    n = SSL_read(link->ssl, p, (int) len);

    if (n > 0) {
        return n;
    }

    return SSL_get_error(link->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}


static void
ctl_link_close(ctl_link_t *link)
{
    if (link->ssl) {
        SSL_free(link->ssl);
    }

    if (link->ctx) {
        SSL_CTX_free(link->ctx);
    }

    if (link->fd != -1) {
        close(link->fd);
    }
}


static int
ctl_http_send(ctl_link_t *link, const ctl_url_t *u,
    const ctl_http_request_t *rq)
{
    int        rc;
    size_t     prefix, sent;
    ssize_t    n;
    cli_buf_t  out;

    memset(&out, 0, sizeof(cli_buf_t));

    prefix = u->prefix_len;

    while (prefix && u->prefix[prefix - 1] == '/') {
        prefix--;
    }

    cli_buf_printf(&out, "%s %.*s%s HTTP/1.1\r\n", rq->method, (int) prefix,
                   u->prefix, rq->path);

    if (u->unix_socket) {
        cli_buf_text(&out, "Host: localhost\r\n");

    } else {
        cli_buf_printf(&out, strchr(u->host, ':') ? "Host: [%s]:%s\r\n"
                                                  : "Host: %s:%s\r\n",
                       u->host, u->port);
    }

    cli_buf_str(&out, &rq->headers);
    cli_buf_printf(&out, "User-Agent: meshctl/%s\r\nConnection: close\r\n",
                   CTL_VERSION);

    if (strcmp(rq->method, "GET") != 0) {
        cli_buf_printf(&out, "Content-Length: %zu\r\n", rq->body.len);
    }

    cli_buf_text(&out, "\r\n");
    cli_buf_str(&out, &rq->body);

    rc = out.failed ? -1 : 0;

    for (sent = 0; rc == 0 && sent < out.text.len; sent += n) {

        n = ctl_link_write(link, out.text.data + sent, out.text.len - sent);

        if (n <= 0) {
            rc = -1;
        }
    }

    if (rc != 0) {
        ctl_error("cannot send to \"%s\": %s", rq->url, strerror(errno));
    }

    cli_buf_free(&out);

    return rc;
}


static int
ctl_http_receive(ctl_link_t *link, const ctl_http_request_t *rq,
    ctl_http_answer_t *answer)
{
    int             n;
    size_t          head, length;
    unsigned        chunked;
    cli_buf_t      *raw;
    unsigned char  *end;

    raw = &answer->raw;

    do {
        n = ctl_http_more(link, raw);

        if (n <= 0) {
            return ctl_http_bad(rq, raw->text.len ? "the answer is cut off"
                                : n == 0 ? "closed without an answer"
                                : "no answer in time");
        }

        end = memmem(raw->text.data, raw->text.len, "\r\n\r\n", 4);

    } while (end == NULL && raw->text.len < CTL_HTTP_HEAD_MAX);

    if (end == NULL) {
        return ctl_http_bad(rq, "the head of the answer is too long");
    }

    head = end + 4 - raw->text.data;

    if (ctl_http_head(answer, head, &length, &chunked) != 0) {
        return ctl_http_bad(rq, "not an HTTP answer");
    }

    if (chunked) {
        if (ctl_http_chunks(link, answer, head) != 0) {
            return ctl_http_bad(rq, "the answer is cut off");
        }

        return 0;
    }

    while (raw->text.len - head < length) {

        n = ctl_http_more(link, raw);

        if (n == 0 && length == SIZE_MAX) {
            break;
        }

        if (n <= 0) {
            return ctl_http_bad(rq, "the answer is cut off");
        }
    }

    answer->body.data = raw->text.data + head;
    answer->body.len = raw->text.len - head;

    if (answer->body.len > length) {
        answer->body.len = length;
    }

    return 0;
}


static int
ctl_http_more(ctl_link_t *link, cli_buf_t *raw)
{
    ssize_t         n;
    unsigned char  *p;

    p = raw->text.len < CTL_HTTP_ANSWER_MAX
        ? cli_buf_room(raw, CTL_HTTP_PIECE) : NULL;

    if (p == NULL) {
        return -1;
    }

    n = ctl_link_read(link, p, CTL_HTTP_PIECE);

    if (n > 0) {
        raw->text.len += n;
        p[n] = '\0';
    }

    return n;
}


/* *length is SIZE_MAX when the answer ends with the connection */

static int
ctl_http_head(ctl_http_answer_t *answer, size_t head, size_t *length,
    unsigned *chunked)
{
    char  *p, *last;

    p = (char *) answer->raw.text.data;
    last = p + head - 2;

    *length = SIZE_MAX;
    *chunked = 0;

    if (head < 14 || strncmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ') {
        return -1;
    }

    answer->status = strtoul(p + 9, NULL, 10);

    if (answer->status < 200 || answer->status > 999) {
        return -1;
    }

    while (p < last) {

        p = memchr(p, '\n', last - p);

        if (p == NULL) {
            break;
        }

        p++;

        if (strncasecmp(p, "Content-Length:", 15) == 0) {
            *length = strtoull(p + 15, NULL, 10);

        } else if (strncasecmp(p, "Transfer-Encoding: chunked", 26) == 0) {
            *chunked = 1;
        }
    }

    if (answer->status == 204 || answer->status == 304) {
        *length = 0;
    }

    return 0;
}


/* the body is put together in place, behind the head */

static int
ctl_http_chunks(ctl_link_t *link, ctl_http_answer_t *answer, size_t head)
{
    char        *line, *end;
    size_t       pos, done, size;
    cli_buf_t   *raw;

    raw = &answer->raw;
    pos = head;
    done = head;

    for ( ;; ) {

        while (memmem(raw->text.data + pos, raw->text.len - pos, "\r\n", 2)
               == NULL)
        {
            if (ctl_http_more(link, raw) <= 0) {
                return -1;
            }
        }

        line = (char *) raw->text.data + pos;
        size = strtoull(line, &end, 16);

        if (end == line || size > CTL_HTTP_ANSWER_MAX) {
            return -1;
        }

        if (size == 0) {
            answer->body.data = raw->text.data + head;
            answer->body.len = done - head;
            return 0;
        }

        pos = strstr(line, "\r\n") + 2 - (char *) raw->text.data;

        while (raw->text.len - pos < size + 2) {
            if (ctl_http_more(link, raw) <= 0) {
                return -1;
            }
        }

        memmove(raw->text.data + done, raw->text.data + pos, size);
        done += size;
        pos += size + 2;
    }
}


static int
ctl_http_bad(const ctl_http_request_t *rq, const char *why)
{
    ctl_error("\"%s%s\": %s", rq->url, rq->path, why);

    return -1;
}


int
ctl_http_option(ctl_http_request_t *rq, int opt, const char *value)
{
    switch (opt) {

    case CTL_HTTP_CACERT:
        rq->cafile = value;
        return 1;

    case CTL_HTTP_INSECURE:
        rq->insecure = 1;
        return 1;

    case CTL_HTTP_SECONDS:
        return ctl_number(value, &rq->timeout) && rq->timeout > 0
               && rq->timeout <= 86400 ? 1 : -1;

    default:
        return 0;
    }
}
