
/*
 * meshdemo: a demo chain and a demo full node, to try an edge with and to
 * test it against.
 */


#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo_chain.h"
#include "demo_node.h"


/* below those that the kernel gives to clients, which would take it again */

#define DEMO_PORT_FIRST  10240
#define DEMO_PORT_LAST   32767
#define DEMO_PORT_TRIES  1000


static int demo_port(void);
static int demo_port_free(in_port_t port);


static const char  demo_usage[] =
"usage: meshdemo chain [--listen ADDRESS] [--latency MS] [--size BYTES]\n"
"       meshdemo node [--listen ADDRESS] [--token-file FILE] [OPTION...]\n"
"       meshdemo port\n"
"\n"
"ADDRESS is HOST:PORT (default 127.0.0.1:0, any free port) or unix:PATH.\n"
"Either prints \"ready URL\" once it serves, and ends by SIGTERM.\n"
"\n"
"chain answers JSON-RPC; the first segment of the path is the chain's id,\n"
"further ones steer the answer: latency/MS, size/BYTES, status/CODE,\n"
"lag/BLOCKS, lie (blocks of another chain), hangup, cut, echo.  GET /_stats\n"
"counts.\n"
"\n"
"node answers an edge as a full node does.  Its options:\n"
"  --token-file FILE      the edge's token, as in auth.json (default: any)\n"
"  --chain ID             a chain it hosts (repeat; default: any)\n"
"  --app KEY[:N]          a staked application, and its quota (repeat;\n"
"                         default: any)\n"
"  --servicer KEY[@URL]   public key of a servicer it holds, and its URL in\n"
"                         dispatches (repeat; default: any)\n"
"  --spare KEY            one that it holds and that is in no session\n"
"  --service-url URL      URL of servicers without one, in dispatches\n"
"  --quota N              relays of a session and servicer (1000000)\n"
"  --height N             block height at the start (1)\n"
"  --block-time MS        of one block; 0 (default): the height stands still\n"
"  --blocks-per-session N (4)\n"
"  --allowance N          client_session_sync_allowance (1)\n"
"  --claim-after N        blocks from a session's begin to its claim\n"
"                         (blocks per session and one)\n"
"  --check-signatures     of tokens and clients too\n"
"\n"
"port prints a port that is free.\n"
"\n"
"GET /_demo/claims tells what it would claim, GET /_demo/stats what it has\n"
"answered.  GET /_demo/set?NAME=VALUE&... changes height (also +N),\n"
"block_time, allowance, starting, catching_up, forget=1 (all evidence); with\n"
"path=relay, session, check or all it fails on purpose: status=N, code=N,\n"
"delay=MS, drop=before or after, hang=before or after, spoil=html, empty or\n"
"garbage, and count=N ends that after N requests; without any of these it\n"
"works again.\n";


int
main(int argc, char **argv)
{
    if (argc >= 2) {

        if (strcmp(argv[1], "chain") == 0) {
            return demo_chain_main(argc - 1, argv + 1);
        }

        if (strcmp(argv[1], "node") == 0) {
            return demo_node_main(argc - 1, argv + 1);
        }

        if (strcmp(argv[1], "port") == 0) {
            return demo_port();
        }

        if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
            fputs(demo_usage, stdout);
            return 0;
        }
    }

    fputs(demo_usage, stderr);

    return 2;
}


static int
demo_port(void)
{
    int        i;
    uint32_t   n;
    in_port_t  port;

    for (i = 0; i < DEMO_PORT_TRIES; i++) {

        if (getrandom(&n, sizeof(uint32_t), 0) != sizeof(uint32_t)) {
            break;
        }

        port = DEMO_PORT_FIRST + n % (DEMO_PORT_LAST - DEMO_PORT_FIRST + 1);

        if (demo_port_free(port)) {
            printf("%u\n", (unsigned) port);
            return 0;
        }
    }

    fputs("meshdemo: no free port\n", stderr);

    return 1;
}


/* of all addresses, as demos listen on several of the loopback */

static int
demo_port_free(in_port_t port)
{
    int                 fd, on, rc;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return 0;
    }

    rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int)) == 0
         && bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == 0
         && listen(fd, 1) == 0;

    close(fd);

    return rc;
}
