
/*
 * HTTP/1.1 server of the demo programs, on epoll.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cli_mem.h"
#include "demo_listen.h"
#include "demo_server.h"


#define DEMO_EVENTS         256
#define DEMO_ACCEPT_MAX     64
#define DEMO_READ_SIZE      16384
#define DEMO_HEAD_MAX       65536
#define DEMO_BODY_MAX       (64 * 1024 * 1024)
#define DEMO_KEEP_BUFFER    (256 * 1024)


typedef enum {
    DEMO_READING = 0,
    DEMO_SENDING,               /* an answer that the socket did not take */
    DEMO_WAITING,               /* an answer that is not due */
    DEMO_HANGING,               /* until the client closes */
    DEMO_CLOSED
} demo_state_e;


typedef enum {
    DEMO_PARSE_MORE = 0,
    DEMO_PARSE_DONE,
    DEMO_PARSE_BAD,
    DEMO_PARSE_LENGTH,          /* a body without a length */
    DEMO_PARSE_LARGE
} demo_parse_e;


typedef struct {
    size_t                  head;       /* its length, the empty line too */
    size_t                  body;
    unsigned                chunked:1;
    unsigned                close:1;
    unsigned                keepalive:1;
} demo_frame_t;


typedef struct {
    demo_handler_pt         handler;
    void                   *data;
    int                     epoll;
    int                     listener;
    demo_conn_t            *conns;
    demo_conn_t            *closed;     /* to be freed after the events */
    demo_conn_t            *waiting;    /* by time, soonest first */
    cli_arena_t             arena;
} demo_server_t;


struct demo_conn_s {
    int                     fd;
    demo_state_e            state;
    uint32_t                events;
    demo_server_t          *server;
    demo_conn_t            *prev;
    demo_conn_t            *next;
    demo_conn_t            *later;      /* of waiting, or of closed */

    unsigned char          *in;
    size_t                  in_size;
    size_t                  in_len;

    cli_buf_t               out;
    size_t                  sent;
    size_t                  answer;     /* where in out the answer begins */
    int64_t                 due;

    unsigned                head:1;     /* HEAD: an answer without its body */
    unsigned                close:1;    /* after the answer */
    unsigned                hang:1;
    unsigned                delayed:1;
};


static void demo_loop(demo_server_t *s);
static int demo_wait_time(demo_server_t *s);
static void demo_accept(demo_server_t *s);
static void demo_event(demo_conn_t *c, uint32_t events);
static int demo_read(demo_conn_t *c);
static void demo_process(demo_conn_t *c);
static void demo_handle(demo_conn_t *c, demo_request_t *rq);
static void demo_refuse(demo_conn_t *c, demo_parse_e why);
static demo_parse_e demo_parse(demo_conn_t *c, demo_request_t *rq,
    demo_frame_t *frame);
static demo_parse_e demo_parse_lines(demo_request_t *rq, demo_frame_t *frame);
static void demo_parse_line(demo_request_t *rq, demo_frame_t *frame,
    pocket_str_t *name, pocket_str_t *value);
static void demo_send(demo_conn_t *c);
static void demo_want(demo_conn_t *c, uint32_t events);
static void demo_wait(demo_conn_t *c);
static void demo_due(demo_server_t *s);
static void demo_close(demo_conn_t *c);
static void demo_reap(demo_server_t *s);
static void demo_signal(int signo);


static volatile sig_atomic_t  demo_quit;


int
demo_serve(const char *address, demo_handler_pt handler, void *data)
{
    demo_server_t       s;
    demo_listen_t       listener;
    struct sigaction    sa;
    struct epoll_event  ev;

    memset(&s, 0, sizeof(demo_server_t));
    s.handler = handler;
    s.data = data;
    cli_arena_init(&s.arena);

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);

    if (demo_listen(&listener, address) != 0) {
        return -1;
    }

    s.listener = listener.fd;
    s.epoll = epoll_create1(EPOLL_CLOEXEC);

    memset(&ev, 0, sizeof(struct epoll_event));
    ev.events = EPOLLIN;

    if (s.epoll == -1
        || epoll_ctl(s.epoll, EPOLL_CTL_ADD, s.listener, &ev) != 0)
    {
        fprintf(stderr, "meshdemo: epoll: %s\n", strerror(errno));
        demo_listen_close(&listener);
        return -1;
    }

    printf("ready %s\n", listener.url);
    fflush(stdout);

    demo_loop(&s);

    while (s.conns) {
        demo_close(s.conns);
    }

    demo_reap(&s);
    close(s.epoll);
    demo_listen_close(&listener);
    cli_arena_free(&s.arena);

    return 0;
}


/* signals are let through only while waiting, so that none is missed */

static void
demo_loop(demo_server_t *s)
{
    int                 i, n;
    sigset_t            block, wait;
    struct sigaction    sa;
    struct epoll_event  events[DEMO_EVENTS];

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = demo_signal;
    sigemptyset(&sa.sa_mask);

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGINT);
    sigprocmask(SIG_BLOCK, &block, &wait);
    sigdelset(&wait, SIGTERM);
    sigdelset(&wait, SIGINT);

    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);

    while (!demo_quit) {

        n = epoll_pwait(s->epoll, events, DEMO_EVENTS, demo_wait_time(s),
                        &wait);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                demo_accept(s);

            } else {
                demo_event(events[i].data.ptr, events[i].events);
            }
        }

        demo_due(s);
        demo_reap(s);
    }
}


static void
demo_signal(int signo)
{
    demo_quit = 1;
}


static int
demo_wait_time(demo_server_t *s)
{
    int64_t  ms;

    if (s->waiting == NULL) {
        return -1;
    }

    ms = s->waiting->due - demo_now();

    return ms < 0 ? 0 : ms > 60000 ? 60000 : (int) ms;
}


static void
demo_accept(demo_server_t *s)
{
    int                  i, fd;
    demo_conn_t         *c;
    struct epoll_event   ev;

    for (i = 0; i < DEMO_ACCEPT_MAX; i++) {

        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);
        if (fd == -1) {
            return;
        }

        demo_listen_nodelay(fd);

        c = calloc(1, sizeof(demo_conn_t));
        if (c == NULL) {
            close(fd);
            return;
        }

        c->fd = fd;
        c->server = s;
        c->events = EPOLLIN;

        memset(&ev, 0, sizeof(struct epoll_event));
        ev.events = EPOLLIN;
        ev.data.ptr = c;

        if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
            close(fd);
            free(c);
            return;
        }

        c->next = s->conns;

        if (s->conns) {
            s->conns->prev = c;
        }

        s->conns = c;
    }
}


static void
demo_event(demo_conn_t *c, uint32_t events)
{
    switch (c->state) {

    case DEMO_READING:

        if (demo_read(c) == 0) {
            demo_process(c);
        }

        return;

    case DEMO_SENDING:

        demo_send(c);

        if (c->state == DEMO_READING) {
            demo_process(c);
        }

        return;

    case DEMO_WAITING:
    case DEMO_HANGING:

        if (events & (EPOLLRDHUP|EPOLLHUP|EPOLLERR)) {
            demo_close(c);
        }

        return;

    case DEMO_CLOSED:

        return;
    }
}


/* 0: something came; -1: nothing, or the connection is closed */

static int
demo_read(demo_conn_t *c)
{
    size_t          size;
    ssize_t         n;
    unsigned char  *p;

    if (c->in_len == c->in_size) {
        size = c->in_size ? c->in_size * 2 : DEMO_READ_SIZE;

        p = realloc(c->in, size);
        if (p == NULL) {
            demo_close(c);
            return -1;
        }

        c->in = p;
        c->in_size = size;
    }

    n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len, 0);

    if (n > 0) {
        c->in_len += n;
        return 0;
    }

    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        demo_close(c);
    }

    return -1;
}


/* all requests that are whole, until one of them has to wait */

static void
demo_process(demo_conn_t *c)
{
    size_t          used;
    demo_parse_e    rc;
    demo_frame_t    frame;
    demo_request_t  rq;

    while (c->state == DEMO_READING) {

        rc = demo_parse(c, &rq, &frame);

        if (rc == DEMO_PARSE_MORE) {
            return;
        }

        if (rc != DEMO_PARSE_DONE) {
            demo_refuse(c, rc);
            return;
        }

        c->close = frame.close;

        demo_handle(c, &rq);

        if (c->state == DEMO_CLOSED) {
            return;
        }

        used = frame.head + frame.body;
        c->in_len -= used;

        if (c->in_len) {
            memmove(c->in, c->in + used, c->in_len);

        } else if (c->in_size > DEMO_KEEP_BUFFER) {
            free(c->in);
            c->in = NULL;
            c->in_size = 0;
        }
    }
}


static void
demo_handle(demo_conn_t *c, demo_request_t *rq)
{
    demo_server_t  *s;

    s = c->server;

    c->head = demo_is(&rq->method, "HEAD");
    c->out.text.len = 0;
    c->sent = 0;

    s->handler(s->data, c, rq, &s->arena.alloc);

    cli_arena_reset(&s->arena);

    if (c->hang) {
        c->hang = 0;
        c->state = DEMO_HANGING;
        demo_want(c, EPOLLRDHUP);
        return;
    }

    if (c->delayed) {
        demo_wait(c);
        return;
    }

    demo_send(c);
}


static void
demo_refuse(demo_conn_t *c, demo_parse_e why)
{
    unsigned             status;
    static pocket_str_t  text = pocket_string("cannot read the request\n");

    status = why == DEMO_PARSE_LENGTH ? 411
             : why == DEMO_PARSE_LARGE ? 413 : 400;

    c->close = 1;
    c->head = 0;
    c->in_len = 0;
    c->out.text.len = 0;
    c->sent = 0;

    demo_answer(c, status, DEMO_TYPE_TEXT, NULL, &text);
    demo_send(c);
}


static demo_parse_e
demo_parse(demo_conn_t *c, demo_request_t *rq, demo_frame_t *frame)
{
    demo_parse_e    rc;
    unsigned char  *end;

    memset(rq, 0, sizeof(demo_request_t));
    memset(frame, 0, sizeof(demo_frame_t));

    end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

    if (end == NULL) {
        return c->in_len < DEMO_HEAD_MAX ? DEMO_PARSE_MORE : DEMO_PARSE_LARGE;
    }

    frame->head = end + 4 - c->in;

    rq->lines.data = c->in;
    rq->lines.len = end + 2 - c->in;

    rc = demo_parse_lines(rq, frame);

    if (rc != DEMO_PARSE_DONE) {
        return rc;
    }

    if (frame->chunked) {
        return DEMO_PARSE_LENGTH;
    }

    if (frame->body > DEMO_BODY_MAX) {
        return DEMO_PARSE_LARGE;
    }

    if (c->in_len - frame->head < frame->body) {
        return DEMO_PARSE_MORE;
    }

    rq->body.data = c->in + frame->head;
    rq->body.len = frame->body;

    return DEMO_PARSE_DONE;
}


static demo_parse_e
demo_parse_lines(demo_request_t *rq, demo_frame_t *frame)
{
    pocket_str_t    name, value;
    unsigned char  *p, *last, *end, *sep, *target;

    p = rq->lines.data;
    last = p + rq->lines.len;

    end = memchr(p, '\r', last - p);
    sep = memchr(p, ' ', end - p);

    if (sep == NULL) {
        return DEMO_PARSE_BAD;
    }

    rq->method.data = p;
    rq->method.len = sep - p;

    target = sep + 1;

    sep = memrchr(target, ' ', end - target);

    if (sep == NULL || end - sep != 9 || memcmp(sep, " HTTP/1.", 8) != 0) {
        return DEMO_PARSE_BAD;
    }

    frame->close = sep[8] == '0';

    rq->path.data = target;
    rq->path.len = sep - target;

    target = memchr(rq->path.data, '?', rq->path.len);

    if (target) {
        rq->query.data = target + 1;
        rq->query.len = sep - target - 1;
        rq->path.len = target - rq->path.data;
    }

    rq->lines.data = end + 2;
    rq->lines.len = last - rq->lines.data;

    for (p = rq->lines.data; p < last; p = end + 2) {

        end = memchr(p, '\r', last - p);
        sep = memchr(p, ':', end - p);

        if (sep == NULL || end[1] != '\n') {
            return DEMO_PARSE_BAD;
        }

        name.data = p;
        name.len = sep - p;

        for (sep++; sep < end && *sep == ' '; sep++) { /* void */ }

        value.data = sep;
        value.len = end - sep;

        demo_parse_line(rq, frame, &name, &value);
    }

    if (frame->keepalive) {
        frame->close = 0;
    }

    return DEMO_PARSE_DONE;
}


static void
demo_parse_line(demo_request_t *rq, demo_frame_t *frame, pocket_str_t *name,
    pocket_str_t *value)
{
    int64_t  n;

#define demo_header(text)                                                     \
    (name->len == sizeof(text) - 1                                            \
     && strncasecmp((char *) name->data, text, sizeof(text) - 1) == 0)

    if (demo_header("Content-Length")) {
        frame->body = demo_number(value, &n) && n >= 0 ? (size_t) n
                                                       : SIZE_MAX;

    } else if (demo_header("Transfer-Encoding")) {
        frame->chunked = 1;

    } else if (demo_header("Authorization")) {
        rq->authorization = *value;

    } else if (demo_header("Connection")) {

        if (value->len == 5
            && strncasecmp((char *) value->data, "close", 5) == 0)
        {
            frame->close = 1;

        } else if (value->len == 10
                   && strncasecmp((char *) value->data, "keep-alive", 10)
                      == 0)
        {
            frame->keepalive = 1;
        }
    }

#undef demo_header
}


void
demo_answer(demo_conn_t *c, unsigned status, const char *type,
    const char *headers, const pocket_str_t *body)
{
    c->out.text.len = 0;

    cli_buf_printf(&c->out, "HTTP/1.1 %u %s\r\n", status,
                   status == 200 ? "OK" : "Error");

    if (type) {
        cli_buf_printf(&c->out, "Content-Type: %s\r\n", type);
    }

    if (headers) {
        cli_buf_text(&c->out, headers);
    }

    cli_buf_printf(&c->out, "Content-Length: %zu\r\n%s\r\n", body->len,
                   c->close ? "Connection: close\r\n" : "");

    c->answer = c->out.text.len;

    if (!c->head) {
        cli_buf_str(&c->out, body);
    }
}


void
demo_delay(demo_conn_t *c, int64_t ms)
{
    c->delayed = 1;
    c->due = demo_now() + ms;
}


void
demo_hang(demo_conn_t *c)
{
    c->hang = 1;
}


void
demo_drop(demo_conn_t *c, size_t len)
{
    c->close = 1;

    if (len == 0) {
        c->out.text.len = 0;

    } else if (c->out.text.len - c->answer > len) {
        c->out.text.len = c->answer + len;
    }
}


static void
demo_send(demo_conn_t *c)
{
    ssize_t  n;

    if (c->out.failed) {
        demo_close(c);
        return;
    }

    while (c->sent < c->out.text.len) {

        n = send(c->fd, c->out.text.data + c->sent, c->out.text.len - c->sent,
                 0);

        if (n >= 0) {
            c->sent += n;
            continue;
        }

        if (errno == EAGAIN) {
            c->state = DEMO_SENDING;
            demo_want(c, EPOLLOUT);
            return;
        }

        if (errno != EINTR) {
            demo_close(c);
            return;
        }
    }

    if (c->close) {
        demo_close(c);
        return;
    }

    if (c->out.size > DEMO_KEEP_BUFFER) {
        cli_buf_free(&c->out);
    }

    c->state = DEMO_READING;
    demo_want(c, EPOLLIN);
}


static void
demo_want(demo_conn_t *c, uint32_t events)
{
    struct epoll_event  ev;

    if (c->events == events) {
        return;
    }

    memset(&ev, 0, sizeof(struct epoll_event));
    ev.events = events;
    ev.data.ptr = c;

    if (epoll_ctl(c->server->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0) {
        demo_close(c);
        return;
    }

    c->events = events;
}


static void
demo_wait(demo_conn_t *c)
{
    demo_conn_t  **p;

    c->delayed = 0;
    c->state = DEMO_WAITING;

    for (p = &c->server->waiting; *p; p = &(*p)->later) {
        if ((*p)->due > c->due) {
            break;
        }
    }

    c->later = *p;
    *p = c;

    demo_want(c, EPOLLRDHUP);
}


static void
demo_due(demo_server_t *s)
{
    int64_t       now;
    demo_conn_t  *c;

    if (s->waiting == NULL) {
        return;
    }

    now = demo_now();

    while (s->waiting && s->waiting->due <= now) {
        c = s->waiting;
        s->waiting = c->later;
        c->later = NULL;

        demo_send(c);

        if (c->state == DEMO_READING) {
            demo_process(c);
        }
    }
}


static void
demo_close(demo_conn_t *c)
{
    demo_conn_t    **p;
    demo_server_t   *s;

    if (c->state == DEMO_CLOSED) {
        return;
    }

    s = c->server;

    if (c->state == DEMO_WAITING) {
        for (p = &s->waiting; *p; p = &(*p)->later) {
            if (*p == c) {
                *p = c->later;
                break;
            }
        }
    }

    if (c->prev) {
        c->prev->next = c->next;

    } else {
        s->conns = c->next;
    }

    if (c->next) {
        c->next->prev = c->prev;
    }

    close(c->fd);

    c->state = DEMO_CLOSED;
    c->later = s->closed;
    s->closed = c;
}


/* events of a closed connection may still be in the list just read */

static void
demo_reap(demo_server_t *s)
{
    demo_conn_t  *c;

    while (s->closed) {
        c = s->closed;
        s->closed = c->later;

        cli_buf_free(&c->out);
        free(c->in);
        free(c);
    }
}
