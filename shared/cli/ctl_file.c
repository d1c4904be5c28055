
/*
 * Files of meshctl, secret ones among them.
 */


#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "ctl.h"
#include "pocket_files.h"


static int ctl_file_check(const char *name, int fd, unsigned secret);


int
ctl_file_read(const char *name, unsigned secret, cli_buf_t *text)
{
    int             fd, rc;
    ssize_t         n;
    unsigned char  *p;

    memset(text, 0, sizeof(cli_buf_t));

    fd = open(name, O_RDONLY|O_CLOEXEC|(secret ? O_NONBLOCK : 0));

    if (fd == -1) {
        ctl_error("cannot open \"%s\": %s", name, strerror(errno));
        return CTL_USAGE;
    }

    rc = ctl_file_check(name, fd, secret);

    while (rc == CTL_OK) {

        p = cli_buf_room(text, 65536);

        n = p ? read(fd, p, 65536) : -1;

        if (n == -1) {
            ctl_error("cannot read \"%s\": %s", name,
                      p ? strerror(errno) : "no memory");
            rc = CTL_USAGE;
            break;
        }

        text->text.len += n;

        if (n == 0) {
            break;
        }

        if (text->text.len > CTL_FILE_MAX) {
            ctl_error("\"%s\" is too large", name);
            rc = CTL_USAGE;
        }
    }

    close(fd);

    if (rc != CTL_OK) {
        ctl_file_wipe(text);
    }

    return rc;
}


static int
ctl_file_check(const char *name, int fd, unsigned secret)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        ctl_error("cannot stat \"%s\": %s", name, strerror(errno));
        return CTL_USAGE;
    }

    if (!secret) {
        return CTL_OK;
    }

    if (!S_ISREG(st.st_mode)) {
        ctl_error("\"%s\" is not a regular file", name);
        return CTL_FAILED;
    }

    if (st.st_mode & (S_IRWXG|S_IRWXO)) {
        ctl_error("\"%s\" is open to group or others (mode %04o), run: "
                  "chmod 600 %s", name, (unsigned) st.st_mode & 07777, name);
        return CTL_FAILED;
    }

    if (geteuid() != 0 && st.st_uid != 0 && st.st_uid != geteuid()) {
        ctl_error("\"%s\" is owned by user %u, neither by root nor by you",
                  name, (unsigned) st.st_uid);
        return CTL_FAILED;
    }

    return CTL_OK;
}


void
ctl_file_wipe(cli_buf_t *text)
{
    if (text->text.data) {
        sodium_memzero(text->text.data, text->size);
    }

    cli_buf_free(text);
}


int
ctl_file_token(const char *name, pocket_str_t *token, cli_arena_t *arena)
{
    int                   rc;
    cli_buf_t             text;
    pocket_file_error_t   err;

    rc = ctl_file_read(name, 1, &text);

    if (rc != CTL_OK) {
        return rc;
    }

    if (pocket_file_auth(&text.text, token, &err, &arena->alloc)
        != POCKET_OK)
    {
        ctl_error("\"%s\": %.*s", name, (int) err.len, err.text);
        rc = CTL_FAILED;
    }

    ctl_file_wipe(&text);

    return rc;
}


int
ctl_file_write(const char *name, const pocket_str_t *text)
{
    int      fd;
    ssize_t  n;

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        ctl_error("cannot create \"%s\": %s", name, strerror(errno));
        return CTL_USAGE;
    }

    n = write(fd, text->data, text->len);

    if (n != (ssize_t) text->len || fsync(fd) != 0) {
        ctl_error("cannot write \"%s\": %s", name, strerror(errno));
        close(fd);
        unlink(name);
        return CTL_USAGE;
    }

    close(fd);

    return CTL_OK;
}


void
ctl_conf_quote(cli_buf_t *out, const pocket_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || strchr("\"'{};$#\\", value->data[i])) {
            break;
        }
    }

    if (i && i == value->len) {
        cli_buf_str(out, value);
        return;
    }

    cli_buf_text(out, "\"");

    for (i = 0; i < value->len; i++) {

        if (value->data[i] == '"' || value->data[i] == '\\') {
            cli_buf_text(out, "\\");
        }

        cli_buf_add(out, &value->data[i], 1);
    }

    cli_buf_text(out, "\"");
}
