
/*
 * The listening socket of the demo programs.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo_listen.h"


#define DEMO_BACKLOG  4096


static int demo_listen_unix(demo_listen_t *l, const char *path);
static int demo_listen_tcp(demo_listen_t *l, const char *address);
static int demo_listen_bind(demo_listen_t *l, struct addrinfo *ai,
    const char *address);
static int demo_listen_error(demo_listen_t *l, const char *address,
    const char *reason);


int
demo_listen(demo_listen_t *l, const char *address)
{
    memset(l, 0, sizeof(demo_listen_t));
    l->fd = -1;

    if (strncmp(address, "unix:", 5) == 0) {
        return demo_listen_unix(l, address + 5);
    }

    return demo_listen_tcp(l, address);
}


static int
demo_listen_unix(demo_listen_t *l, const char *path)
{
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(sun.sun_path)) {
        return demo_listen_error(l, path, "the path is too long");
    }

    strcpy(sun.sun_path, path);

    l->fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (l->fd == -1
        || bind(l->fd, (struct sockaddr *) &sun, sizeof(sun)) != 0)
    {
        return demo_listen_error(l, path, strerror(errno));
    }

    l->path = path;

    if (listen(l->fd, DEMO_BACKLOG) != 0) {
        return demo_listen_error(l, path, strerror(errno));
    }

    snprintf(l->url, sizeof(l->url), "http://unix:%s:", path);

    return 0;
}


static int
demo_listen_tcp(demo_listen_t *l, const char *address)
{
    int               rc;
    char              host[64];
    size_t            len;
    const char       *port;
    struct addrinfo   hints, *ai;

    port = strrchr(address, ':');

    if (port == NULL) {
        return demo_listen_error(l, address,
                                 "HOST:PORT or unix:PATH is expected");
    }

    len = port - address;

    if (len > 2 && address[0] == '[' && port[-1] == ']') {
        address++;
        len -= 2;
    }

    if (len >= sizeof(host)) {
        return demo_listen_error(l, address, "the host is too long");
    }

    memcpy(host, address, len);
    host[len] = '\0';

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE|AI_NUMERICSERV;

    rc = getaddrinfo(len ? host : NULL, port + 1, &hints, &ai);

    if (rc != 0) {
        return demo_listen_error(l, address, gai_strerror(rc));
    }

    rc = demo_listen_bind(l, ai, address);

    freeaddrinfo(ai);

    return rc;
}


static int
demo_listen_bind(demo_listen_t *l, struct addrinfo *ai, const char *address)
{
    int                      on = 1;
    char                     host[64], port[16];
    socklen_t                len;
    struct sockaddr_storage  ss;

    len = sizeof(struct sockaddr_storage);

    l->fd = socket(ai->ai_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (l->fd == -1
        || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int)) != 0
        || bind(l->fd, ai->ai_addr, ai->ai_addrlen) != 0
        || listen(l->fd, DEMO_BACKLOG) != 0
        || getsockname(l->fd, (struct sockaddr *) &ss, &len) != 0)
    {
        return demo_listen_error(l, address, strerror(errno));
    }

    if (getnameinfo((struct sockaddr *) &ss, len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST|NI_NUMERICSERV)
        != 0)
    {
        return demo_listen_error(l, address, "has no name");
    }

    snprintf(l->url, sizeof(l->url),
             ss.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s",
             host, port);

    return 0;
}


static int
demo_listen_error(demo_listen_t *l, const char *address, const char *reason)
{
    fprintf(stderr, "meshdemo: cannot listen on \"%s\": %s\n", address,
            reason);

    demo_listen_close(l);

    return -1;
}


void
demo_listen_close(demo_listen_t *l)
{
    if (l->fd != -1) {
        close(l->fd);
    }

    if (l->path) {
        unlink(l->path);
    }

    l->fd = -1;
    l->path = NULL;
}


void
demo_listen_nodelay(int fd)
{
    int  on = 1;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));
}
