
/*
 * meshctl: the command line tool.
 */


#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ctl.h"


typedef struct {
    const char   *name;
    int         (*run)(int argc, char **argv);
    const char   *summary;
} ctl_command_t;


static int ctl_help(int argc, char **argv);
static int ctl_version(int argc, char **argv);
static const ctl_command_t *ctl_find(const char *name);


static const ctl_command_t  ctl_commands[] = {
    { "keys", ctl_keys, "check or make files of keys" },
    { "relay", ctl_relay, "sign and send one relay, verify the answer" },
    { "convert", ctl_convert,
      "print the nginx.conf for a mesh client's config.json" },
    { "convert-gateway", ctl_convert_gateway,
      "make the files of a gateway from a gateway-server's" },
    { "ledger", ctl_ledger, "show what became of the relays" },
    { "gateway", ctl_gateway,
      "show a gateway's nodes, and which it is not to use" },
    { "help", ctl_help, "explain a command" },
    { "version", ctl_version, "print the version" },
    { NULL, NULL, NULL }
};


int
main(int argc, char **argv)
{
    int                   rc;
    char                  name[32];
    const ctl_command_t  *command;

    if (sodium_init() < 0) {
        ctl_error("libsodium cannot be initialized");
        return CTL_USAGE;
    }

    if (argc < 2) {
        ctl_help(0, NULL);
        return CTL_USAGE;
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return ctl_help(0, NULL);
    }

    if (strcmp(argv[1], "--version") == 0) {
        return ctl_version(0, NULL);
    }

    command = ctl_find(argv[1]);

    if (command == NULL) {
        ctl_error("unknown command \"%s\", see \"meshctl help\"", argv[1]);
        return CTL_USAGE;
    }

    snprintf(name, sizeof(name), "meshctl %s", command->name);
    argv[1] = name;

    rc = command->run(argc - 1, argv + 1);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        ctl_error("cannot write: %s", strerror(errno));
        return CTL_USAGE;
    }

    return rc;
}


static const ctl_command_t *
ctl_find(const char *name)
{
    const ctl_command_t  *command;

    for (command = ctl_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }

    return NULL;
}


static int
ctl_help(int argc, char **argv)
{
    char                 *help[3];
    const ctl_command_t  *command;

    if (argc > 1) {
        command = ctl_find(argv[1]);

        if (command == NULL) {
            ctl_error("unknown command \"%s\"", argv[1]);
            return CTL_USAGE;
        }

        if (command->run != ctl_help && command->run != ctl_version) {
            help[0] = argv[1];
            help[1] = "--help";
            help[2] = NULL;

            return command->run(2, help);
        }
    }

    printf("usage: meshctl COMMAND [OPTION...]\n\n");

    for (command = ctl_commands; command->name; command++) {
        printf("  %-16s %s\n", command->name, command->summary);
    }

    printf("\n\"meshctl help COMMAND\" tells more.\n");

    return CTL_OK;
}


static int
ctl_version(int argc, char **argv)
{
    printf("meshctl %s\n", CTL_VERSION);

    return CTL_OK;
}


void
ctl_error(const char *fmt, ...)
{
    va_list  args;

    fflush(stdout);
    fputs("meshctl: ", stderr);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);
}


int
ctl_usage(const char *command, const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "meshctl %s: ", command);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, ", see \"meshctl help %s\"\n", command);

    return CTL_USAGE;
}


pocket_str_t
ctl_str(const char *text)
{
    pocket_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


int
ctl_number(const char *text, int64_t *n)
{
    char      *end;
    long long  value;

    errno = 0;
    value = strtoll(text, &end, 10);

    if (errno || end == text || *end) {
        return 0;
    }

    *n = value;

    return 1;
}
