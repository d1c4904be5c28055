
/*
 * Load of one thread: posts the lines of a file over kept connections, at
 * a rate (latencies count from the moment a request was due) or as fast as
 * answers come, and prints a line of JSON.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define LOAD_CONNECTIONS  256
#define LOAD_BUFFER       262144
#define LOAD_HEAD         512
#define LOAD_SECOND       1000000000


typedef enum {
    LOAD_IDLE = 0,
    LOAD_HEADERS,
    LOAD_BODY,
    LOAD_CHUNK_SIZE,
    LOAD_CHUNK
} load_state_e;


typedef struct {
    load_state_e       state;
    int                fd;
    int                status;
    int                last;            /* chunk */
    int64_t            due;             /* ns */
    size_t             rest;            /* of a body or a chunk */
    size_t             len;             /* kept in head */
    char               head[4096];
} load_conn_t;


typedef struct {
    struct sockaddr_in  addr;
    const char         *path;
    size_t              connections;
    size_t              requests;
    double              rate;           /* 0: as fast as answers come */

    const char         *lines;          /* the file, and where it is read */
    const char         *end;
    const char         *next;

    int64_t             start;
    int64_t             stop;           /* of the last answer */
    size_t              sent;
    size_t              done;
    size_t              answered;
    size_t              bytes;
    int                 status;         /* the last that was not 200 */
    int64_t            *latencies;

    load_conn_t         conns[LOAD_CONNECTIONS];
    char                buffer[LOAD_BUFFER];
} load_t;


static void load_options(load_t *l, int argc, char **argv);
static void load_file(load_t *l, const char *name);
static void load_run(load_t *l);
static int64_t load_send_due(load_t *l);
static void load_connect(load_t *l, load_conn_t *c);
static void load_send(load_t *l, load_conn_t *c, int64_t due);
static void load_read(load_t *l, load_conn_t *c);
static void load_parse(load_t *l, load_conn_t *c, const char *p, size_t len);
static size_t load_line(load_conn_t *c, const char *p, size_t len,
    const char *end);
static void load_headers(load_conn_t *c);
static void load_done(load_t *l, load_conn_t *c);
static void load_report(load_t *l);
static int load_compare(const void *one, const void *two);
static int64_t load_now(void);
static void load_fail(const char *what);


int
main(int argc, char **argv)
{
    size_t   i;
    load_t  *l;

    l = calloc(1, sizeof(load_t));

    if (l == NULL) {
        load_fail("memory");
    }

    load_options(l, argc, argv);

    l->latencies = calloc(l->requests, sizeof(int64_t));

    if (l->latencies == NULL) {
        load_fail("memory");
    }

    for (i = 0; i < l->connections; i++) {
        l->conns[i].fd = -1;
        load_connect(l, &l->conns[i]);
    }

    load_run(l);
    load_report(l);

    free(l->latencies);
    free(l);

    return 0;
}


static void
load_options(load_t *l, int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: load PORT PATH FILE CONNECTIONS REQUESTS RATE\n",
              stderr);
        exit(2);
    }

    l->addr.sin_family = AF_INET;
    l->addr.sin_port = htons((uint16_t) atoi(argv[1]));
    l->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    l->path = argv[2];
    load_file(l, argv[3]);

    l->connections = strtoul(argv[4], NULL, 10);
    l->requests = strtoul(argv[5], NULL, 10);
    l->rate = atof(argv[6]);

    if (l->connections == 0 || l->connections > LOAD_CONNECTIONS
        || l->requests == 0)
    {
        load_fail("options");
    }
}


static void
load_file(load_t *l, const char *name)
{
    int          fd;
    void        *p;
    struct stat  st;

    fd = open(name, O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1 || st.st_size == 0) {
        load_fail(name);
    }

    p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
             fd, 0);

    if (p == MAP_FAILED) {
        load_fail(name);
    }

    (void) close(fd);

    l->lines = p;
    l->next = p;
    l->end = l->lines + st.st_size;
}


static void
load_run(load_t *l)
{
    size_t           i;
    int64_t          wait;
    struct pollfd    fds[LOAD_CONNECTIONS];
    struct timespec  ts;

    l->start = load_now();

    while (l->done < l->requests) {

        wait = load_send_due(l);

        for (i = 0; i < l->connections; i++) {
            fds[i].fd = l->conns[i].state == LOAD_IDLE ? -1 : l->conns[i].fd;
            fds[i].events = POLLIN;
            fds[i].revents = 0;
        }

        ts.tv_sec = wait / LOAD_SECOND;
        ts.tv_nsec = wait % LOAD_SECOND;

        if (ppoll(fds, l->connections, &ts, NULL) == -1) {
            load_fail("ppoll()");
        }

        for (i = 0; i < l->connections; i++) {
            if (fds[i].revents) {
                load_read(l, &l->conns[i]);
            }
        }
    }
}


/* gives the ns until the next request is due, as far as that matters */

static int64_t
load_send_due(load_t *l)
{
    size_t   i;
    int64_t  now, due;

    now = load_now();
    due = now;

    for (i = 0; i < l->connections && l->sent < l->requests; i++) {

        if (l->rate > 0) {
            due = l->start
                  + (int64_t) ((double) l->sent * LOAD_SECOND / l->rate);

            if (due > now) {
                return due - now;
            }
        }

        if (l->conns[i].state == LOAD_IDLE) {
            load_send(l, &l->conns[i], due);
        }
    }

    return LOAD_SECOND;
}


static void
load_connect(load_t *l, load_conn_t *c)
{
    int  on;

    on = 1;

    if (c->fd != -1) {
        (void) close(c->fd);
    }

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->state = LOAD_IDLE;
    c->len = 0;

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &l->addr, sizeof(l->addr)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
    {
        load_fail("connect()");
    }
}


/* the lines of the file in turn, from the first again at its end */

static void
load_send(load_t *l, load_conn_t *c, int64_t due)
{
    int           n;
    char          head[LOAD_HEAD];
    size_t        len;
    const char   *p;
    struct iovec  iov[2];

    if (l->next == l->end) {
        l->next = l->lines;
    }

    p = memchr(l->next, '\n', (size_t) (l->end - l->next));

    if (p == NULL) {
        load_fail("a line without end");
    }

    len = (size_t) (p - l->next);

    n = snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: bench\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n", l->path, len);

    if (n < 0 || (size_t) n >= sizeof(head)) {
        load_fail("the path");
    }

    iov[0].iov_base = head;
    iov[0].iov_len = (size_t) n;
    iov[1].iov_base = (void *) l->next;
    iov[1].iov_len = len;

    l->next = p + 1;
    l->sent++;

    c->due = due;
    c->state = LOAD_HEADERS;
    c->len = 0;

    if (writev(c->fd, iov, 2) != (ssize_t) (len + (size_t) n)) {
        load_fail("writev()");
    }
}


static void
load_read(load_t *l, load_conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, l->buffer, LOAD_BUFFER, MSG_DONTWAIT);

    if (n > 0) {
        l->bytes += (size_t) n;
        load_parse(l, c, l->buffer, (size_t) n);
        return;
    }

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    /* closed before the answer was whole */

    c->status = 0;
    load_done(l, c);
    load_connect(l, c);
}


static void
load_parse(load_t *l, load_conn_t *c, const char *p, size_t len)
{
    size_t  n;

    while (len) {

        switch (c->state) {

        case LOAD_HEADERS:
            n = load_line(c, p, len, "\r\n\r\n");

            if (c->state == LOAD_BODY) {
                load_headers(c);
            }

            break;

        case LOAD_CHUNK_SIZE:
            n = load_line(c, p, len, "\r\n");

            if (c->state == LOAD_CHUNK) {
                c->rest = strtoul(c->head, NULL, 16);
                c->last = (c->rest == 0);
                c->rest += 2;
            }

            break;

        case LOAD_BODY:
        case LOAD_CHUNK:
            n = len < c->rest ? len : c->rest;
            c->rest -= n;
            break;

        default:
            load_fail("bytes after an answer");
            return;
        }

        p += n;
        len -= n;

        if (c->state == LOAD_CHUNK && c->rest == 0 && !c->last) {
            c->state = LOAD_CHUNK_SIZE;
            c->len = 0;

        } else if ((c->state == LOAD_BODY || c->state == LOAD_CHUNK)
                   && c->rest == 0)
        {
            load_done(l, c);
        }
    }
}


/* Collects up to end, then goes on to the next state; gives what it took. */

static size_t
load_line(load_conn_t *c, const char *p, size_t len, const char *end)
{
    size_t  i, n;

    n = strlen(end);

    for (i = 0; i < len; i++) {

        if (c->len == sizeof(c->head) - 1) {
            load_fail("a long header");
        }

        c->head[c->len++] = p[i];

        if (c->len >= n && memcmp(c->head + c->len - n, end, n) == 0) {
            c->head[c->len] = '\0';
            c->state++;
            return i + 1;
        }
    }

    return len;
}


static void
load_headers(load_conn_t *c)
{
    char  *p;

    c->last = 0;
    c->rest = 0;
    c->status = (int) strtol(c->head + sizeof("HTTP/1.1 ") - 1, NULL, 10);

    p = strcasestr(c->head, "\r\nContent-Length:");

    if (p) {
        c->rest = strtoul(p + sizeof("\r\nContent-Length:") - 1, NULL, 10);
        return;
    }

    c->state = LOAD_CHUNK_SIZE;
    c->len = 0;
}


static void
load_done(load_t *l, load_conn_t *c)
{
    l->stop = load_now();
    l->latencies[l->done++] = l->stop - c->due;

    if (c->status == 200) {
        l->answered++;

    } else {
        l->status = c->status;
    }

    c->state = LOAD_IDLE;
}


static void
load_report(load_t *l)
{
    double  seconds;

    qsort(l->latencies, l->done, sizeof(int64_t), load_compare);

    seconds = (double) (l->stop - l->start) / LOAD_SECOND;

    printf("{\"sent\":%zu,\"answered\":%zu,\"status\":%d,\"bytes\":%zu,"
           "\"seconds\":%.3f,\"rps\":%.1f,\"p50_us\":%lld,\"p99_us\":%lld}\n",
           l->sent, l->answered, l->answered == l->sent ? 200 : l->status,
           l->bytes, seconds, (double) l->done / seconds,
           (long long) l->latencies[l->done / 2] / 1000,
           (long long) l->latencies[l->done * 99 / 100] / 1000);
}


static int
load_compare(const void *one, const void *two)
{
    const int64_t *a = one;
    const int64_t *b = two;

    return (*a > *b) - (*a < *b);
}


static int64_t
load_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * LOAD_SECOND + ts.tv_nsec;
}


static void
load_fail(const char *what)
{
    fprintf(stderr, "load: %s failed\n", what);
    exit(1);
}
