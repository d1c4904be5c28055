
/*
 * The listening socket of the demo programs.
 */


#ifndef _DEMO_LISTEN_H_INCLUDED_
#define _DEMO_LISTEN_H_INCLUDED_


#include <sys/un.h>


typedef struct {
    int           fd;
    const char   *path;           /* of a unix socket, else NULL */
    char          url[256];       /* how a client names it */
} demo_listen_t;


/* address as demo_serve() has it; -1 after a line on the standard error */
int demo_listen(demo_listen_t *l, const char *address);

/* removes the unix socket too */
void demo_listen_close(demo_listen_t *l);

/* answers are sent whole: waiting for more would only delay them */
void demo_listen_nodelay(int fd);


#endif /* _DEMO_LISTEN_H_INCLUDED_ */
