
/*
 * Messages of OpenPGP that a passphrase opens, by gpg.
 */


#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "ctl_gpg.h"


/* the child's end of a pipe has the number that gpg is told */

#define CTL_GPG_PASSPHRASE  3


typedef enum {
    CTL_GPG_IN = 0,
    CTL_GPG_OUT,
    CTL_GPG_ERR,
    CTL_GPG_PASS,
    CTL_GPG_PIPES
} ctl_gpg_pipe_e;


typedef struct {
    int                   child[CTL_GPG_PIPES];
    int                   own[CTL_GPG_PIPES];
} ctl_gpg_pipes_t;


static int ctl_gpg_pipes(ctl_gpg_pipes_t *pipes);
static void ctl_gpg_pipes_close(int *fds);
static void ctl_gpg_child(ctl_gpg_t *gpg, ctl_gpg_pipes_t *pipes);
static int ctl_gpg_send(int *fd, const pocket_str_t *text);
static int ctl_gpg_receive(ctl_gpg_t *gpg, ctl_gpg_pipes_t *pipes);
static void ctl_gpg_reason(ctl_gpg_t *gpg, char *text, size_t len);


int
ctl_gpg_open(ctl_gpg_t *gpg)
{
    const char  *dir;

    memset(gpg, 0, sizeof(ctl_gpg_t));

    gpg->plain = sodium_malloc(CTL_GPG_PLAIN_MAX);

    if (gpg->plain == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    dir = getenv("TMPDIR");

    if (dir == NULL || strlen(dir) > sizeof(gpg->home) - 16) {
        dir = "/tmp";
    }

    snprintf(gpg->home, sizeof(gpg->home), "%s/meshctl-XXXXXX", dir);

    if (mkdtemp(gpg->home) == NULL) {
        ctl_error("cannot create \"%s\": %s", gpg->home, strerror(errno));
        gpg->home[0] = '\0';
        return CTL_USAGE;
    }

    /* gpg may end before it has read all */

    signal(SIGPIPE, SIG_IGN);

    return CTL_OK;
}


void
ctl_gpg_close(ctl_gpg_t *gpg)
{
    size_t              i;
    char                name[128];
    static const char  *files[] = { "pubring.kbx", "pubring.kbx~",
                                    "trustdb.gpg", "random_seed" };

    sodium_free(gpg->plain);

    if (gpg->home[0] == '\0') {
        return;
    }

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", gpg->home, files[i]);
        (void) unlink(name);
    }

    if (rmdir(gpg->home) != 0) {
        ctl_error("cannot remove \"%s\": %s", gpg->home, strerror(errno));
    }
}


int
ctl_gpg_decrypt(ctl_gpg_t *gpg, const pocket_str_t *message,
    const pocket_str_t *passphrase)
{
    int              rc, status;
    pid_t            pid;
    ctl_gpg_pipes_t  pipes;

    gpg->len = 0;
    snprintf(gpg->reason, CTL_GPG_REASON_LEN, "gpg does not open it");

    if (ctl_gpg_pipes(&pipes) != 0) {
        ctl_error("pipe() failed: %s", strerror(errno));
        return CTL_USAGE;
    }

    pid = fork();

    if (pid == -1) {
        ctl_error("fork() failed: %s", strerror(errno));
        ctl_gpg_pipes_close(pipes.child);
        ctl_gpg_pipes_close(pipes.own);
        return CTL_USAGE;
    }

    if (pid == 0) {
        ctl_gpg_child(gpg, &pipes);
    }

    ctl_gpg_pipes_close(pipes.child);

    rc = CTL_USAGE;

    if (ctl_gpg_send(&pipes.own[CTL_GPG_PASS], passphrase) == 0
        && ctl_gpg_send(&pipes.own[CTL_GPG_IN], message) == 0)
    {
        rc = ctl_gpg_receive(gpg, &pipes);
    }

    ctl_gpg_pipes_close(pipes.own);

    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) { /* void */ }

    if (rc == CTL_USAGE) {
        ctl_error("gpg: %s", strerror(errno));
        return rc;
    }

    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        ctl_error("there is no gpg that can be run");
        return CTL_USAGE;
    }

    return status == 0 ? rc : CTL_FAILED;
}


static int
ctl_gpg_pipes(ctl_gpg_pipes_t *pipes)
{
    int     fds[2];
    size_t  i, ours;

    memset(pipes, 0xff, sizeof(ctl_gpg_pipes_t));

    for (i = 0; i < CTL_GPG_PIPES; i++) {

        if (pipe(fds) != 0) {
            break;
        }

        ours = (i == CTL_GPG_OUT || i == CTL_GPG_ERR) ? 0 : 1;

        /* out of the way of the numbers that the child wants */

        pipes->own[i] = fcntl(fds[ours], F_DUPFD_CLOEXEC, 10);
        pipes->child[i] = fcntl(fds[!ours], F_DUPFD_CLOEXEC, 10);

        close(fds[0]);
        close(fds[1]);

        if (pipes->own[i] == -1 || pipes->child[i] == -1) {
            break;
        }
    }

    if (i == CTL_GPG_PIPES) {
        return 0;
    }

    ctl_gpg_pipes_close(pipes->child);
    ctl_gpg_pipes_close(pipes->own);

    return -1;
}


static void
ctl_gpg_pipes_close(int *fds)
{
    size_t  i;

    for (i = 0; i < CTL_GPG_PIPES; i++) {
        if (fds[i] != -1) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}


/*
 * A home of its own and no agent: nothing of the caller's keys, settings or
 * remembered passphrases has a say.
 */

static void
ctl_gpg_child(ctl_gpg_t *gpg, ctl_gpg_pipes_t *pipes)
{
    signal(SIGPIPE, SIG_DFL);

    if (setenv("LC_ALL", "C", 1) == 0
        && dup2(pipes->child[CTL_GPG_IN], STDIN_FILENO) != -1
        && dup2(pipes->child[CTL_GPG_OUT], STDOUT_FILENO) != -1
        && dup2(pipes->child[CTL_GPG_ERR], STDERR_FILENO) != -1
        && dup2(pipes->child[CTL_GPG_PASS], CTL_GPG_PASSPHRASE) != -1)
    {
        execlp("gpg", "gpg", "--homedir", gpg->home, "--no-options",
               "--batch", "--quiet", "--no-autostart", "--pinentry-mode",
               "loopback", "--passphrase-fd", "3", "--decrypt", (char *) NULL);
    }

    _exit(127);
}


/* a pipe has room for all of it */

static int
ctl_gpg_send(int *fd, const pocket_str_t *text)
{
    ssize_t  n;

    n = text->len ? write(*fd, text->data, text->len) : 0;

    close(*fd);
    *fd = -1;

    return n == (ssize_t) text->len || (n == -1 && errno == EPIPE) ? 0 : -1;
}


static int
ctl_gpg_receive(ctl_gpg_t *gpg, ctl_gpg_pipes_t *pipes)
{
    char           words[1024], drain[256], *to;
    size_t         i, left, len;
    ssize_t        n;
    struct pollfd  polls[2];

    polls[0].fd = pipes->own[CTL_GPG_OUT];
    polls[1].fd = pipes->own[CTL_GPG_ERR];
    polls[0].events = POLLIN;
    polls[1].events = POLLIN;
    len = 0;

    while (polls[0].fd != -1 || polls[1].fd != -1) {

        if (poll(polls, 2, -1) == -1) {

            if (errno == EINTR) {
                continue;
            }

            return CTL_USAGE;
        }

        for (i = 0; i < 2; i++) {

            if (polls[i].fd == -1 || polls[i].revents == 0) {
                continue;
            }

            to = i ? words + len : (char *) gpg->plain + gpg->len;
            left = i ? sizeof(words) - len : CTL_GPG_PLAIN_MAX - gpg->len;

            /* too much of its words is dropped, too much of text is none */

            if (left == 0 && i == 0) {
                snprintf(gpg->reason, CTL_GPG_REASON_LEN, "it has more than "
                         "%d bytes of text", CTL_GPG_PLAIN_MAX - 1);
                return CTL_FAILED;
            }

            n = read(polls[i].fd, left ? to : drain,
                     left ? left : sizeof(drain));

            if (n == -1) {
                return CTL_USAGE;
            }

            if (n == 0) {
                polls[i].fd = -1;
                continue;
            }

            if (i == 0) {
                gpg->len += n;

            } else if (left) {
                len += n;
            }
        }
    }

    ctl_gpg_reason(gpg, words, len);

    return CTL_OK;
}


/* the last line that it said */

static void
ctl_gpg_reason(ctl_gpg_t *gpg, char *text, size_t len)
{
    char  *p, *last;

    last = text + len;

    while (last > text && last[-1] == '\n') {
        last--;
    }

    for (p = last; p > text && p[-1] != '\n'; p--) { /* void */ }

    if (p < last) {
        snprintf(gpg->reason, CTL_GPG_REASON_LEN, "%.*s", (int) (last - p), p);
    }
}
