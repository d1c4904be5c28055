
/*
 * meshctl convert: the nginx.conf of an edge for the configuration of a mesh
 * client.
 */


#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_config.h"


#define CTL_CONF_COLUMN  32

#define CTL_CHAIN_LOCATION  "/_mesh_relay_chain_timed"


typedef struct {
    const char           *file;
    const char           *datadir;
    const char           *region;
    const char           *redis;
    const char           *listen;
    const char           *rundir;
    const char           *modules;
    const char           *include;
    const char           *user;
    const char           *resolver;
    int64_t               workers;
} ctl_convert_options_t;


typedef struct {
    ctl_convert_options_t  *options;
    ctl_config_t            conf;
    char                    file[PATH_MAX];
    char                    datadir[PATH_MAX];
    cli_buf_t               out;
} ctl_convert_t;


static int ctl_convert_options(ctl_convert_options_t *o, int argc,
    char **argv);
static int ctl_convert_option(ctl_convert_options_t *o, int opt);
static int ctl_convert_file(ctl_convert_t *cv);
static int ctl_convert_datadir(ctl_convert_t *cv);
static int ctl_convert_check(ctl_convert_t *cv);
static void ctl_convert_report(ctl_convert_t *cv);
static void ctl_convert_main(ctl_convert_t *cv);
static void ctl_convert_http(ctl_convert_t *cv);
static void ctl_convert_relay(ctl_convert_t *cv);
static void ctl_convert_server(ctl_convert_t *cv);
static void ctl_convert_chain(ctl_convert_t *cv);
static const char *ctl_convert_log_level(ctl_convert_t *cv);
static int64_t ctl_convert_concurrency(ctl_convert_t *cv);
static void ctl_conf_path(ctl_convert_t *cv, const char *name,
    ctl_setting_e setting);
static void ctl_conf_rundir(ctl_convert_t *cv, const char *name,
    const char *file, const char *without, const char *more);
static void ctl_conf_word(ctl_convert_t *cv, unsigned depth,
    const char *name, const pocket_str_t *value, const char *more);
static void ctl_conf_number(ctl_convert_t *cv, unsigned depth,
    const char *name, int64_t value, const char *unit);
static void ctl_conf_text(ctl_convert_t *cv, unsigned depth,
    const char *name, const char *value);
static void ctl_conf_name(ctl_convert_t *cv, unsigned depth,
    const char *name);


static const char  ctl_convert_usage[] =
"usage: meshctl convert FILE [OPTION...]\n"
"\n"
"Prints the nginx.conf of an edge that does what a geo-mesh client does with\n"
"the config.json FILE, which may have comments; or FILE is the client's data\n"
"directory.  Each setting of FILE is named in a comment with the directive\n"
"that it became, or with why none is needed.\n"
"\n"
"  --datadir DIR         where the other files are (default: data_dir of FILE\n"
"                        when it is there, else the folder of FILE, or above\n"
"                        it when that is \"config\")\n"
"  --redis ADDRESS       HOST:PORT or unix:PATH (127.0.0.1:6379)\n"
"  --listen ADDRESS      instead of rpc_port\n"
"  --region NAME         mesh_region\n"
"  --workers N           worker_processes (auto)\n"
"  --user NAME           whom nginx's workers run as, and the group\n"
"  --resolver ADDRESS    DNS server for names in the files\n"
"  --rundir DIR          for pid, logs and temporary files\n"
"  --modules DIR         where ngx_mesh_relay_module.so is (modules)\n"
"  --include FILE        the locations (mesh_relay.conf)\n"
"\n"
"Exit code: 0 converted, 1 FILE is not as it should be, 2 usage or files.\n";


/* log levels of the mesh client, and nginx's */

static const char  *ctl_levels[][2] = {
    { "debug", "info" },
    { "info", "notice" },
    { "error", "error" },
    { "none", "crit" }
};


static const struct option  ctl_convert_table[] = {
    { "datadir", required_argument, NULL, 'd' },
    { "region", required_argument, NULL, 'r' },
    { "redis", required_argument, NULL, 'R' },
    { "listen", required_argument, NULL, 'l' },
    { "workers", required_argument, NULL, 'w' },
    { "user", required_argument, NULL, 'u' },
    { "resolver", required_argument, NULL, 's' },
    { "rundir", required_argument, NULL, 'D' },
    { "modules", required_argument, NULL, 'm' },
    { "include", required_argument, NULL, 'i' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


int
ctl_convert(int argc, char **argv)
{
    int                     rc;
    ctl_convert_t           cv;
    ctl_convert_options_t   options;

    memset(&options, 0, sizeof(ctl_convert_options_t));
    options.redis = "127.0.0.1:6379";
    options.modules = "modules";
    options.include = "mesh_relay.conf";

    rc = ctl_convert_options(&options, argc, argv);

    if (rc == -1) {
        fputs(ctl_convert_usage, stdout);
        return CTL_OK;
    }

    if (rc != CTL_OK) {
        return rc;
    }

    memset(&cv, 0, sizeof(ctl_convert_t));
    cv.options = &options;

    rc = ctl_convert_file(&cv);

    if (rc == CTL_OK) {
        rc = ctl_config_read(cv.file, &cv.conf);
    }

    if (rc == CTL_OK) {
        rc = ctl_convert_datadir(&cv);
    }

    if (rc == CTL_OK) {
        rc = ctl_convert_check(&cv);
    }

    if (rc == CTL_OK) {
        ctl_convert_report(&cv);
        ctl_convert_main(&cv);
        ctl_convert_http(&cv);

        if (cv.out.failed) {
            ctl_error("no memory");
            rc = CTL_USAGE;

        } else {
            fwrite(cv.out.text.data, 1, cv.out.text.len, stdout);
        }
    }

    cli_buf_free(&cv.out);
    ctl_config_free(&cv.conf);

    return rc;
}


/* -1: help was asked for */

static int
ctl_convert_options(ctl_convert_options_t *o, int argc, char **argv)
{
    int  opt;

    while ((opt = getopt_long(argc, argv, "", ctl_convert_table, NULL))
           != -1)
    {
        if (opt == 'h') {
            return -1;
        }

        if (opt == '?') {
            return CTL_USAGE;
        }

        if (*optarg == '\0' || strpbrk(optarg, "\r\n")
            || ctl_convert_option(o, opt) != 0)
        {
            return ctl_usage("convert", "invalid value \"%s\"", optarg);
        }
    }

    if (optind != argc - 1) {
        return ctl_usage("convert", "one file is expected");
    }

    o->file = argv[optind];

    return CTL_OK;
}


static int
ctl_convert_option(ctl_convert_options_t *o, int opt)
{
    switch (opt) {

    case 'd':
        o->datadir = optarg;
        return 0;

    case 'r':
        o->region = optarg;
        return 0;

    case 'R':
        o->redis = optarg;
        return 0;

    case 'l':
        o->listen = optarg;
        return 0;

    case 'w':
        return ctl_number(optarg, &o->workers) && o->workers > 0
               && o->workers <= 1024 ? 0 : -1;

    case 'u':
        o->user = optarg;
        return 0;

    case 's':
        o->resolver = optarg;
        return 0;

    case 'D':
        o->rundir = optarg;
        return 0;

    case 'm':
        o->modules = optarg;
        return 0;

    default:
        o->include = optarg;
        return 0;
    }
}


static int
ctl_convert_file(ctl_convert_t *cv)
{
    int          n;
    const char  *name;
    struct stat  st;

    name = cv->options->file;

    if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {

        n = snprintf(cv->file, PATH_MAX, "%s/config/config.json", name);

        if (n < PATH_MAX && access(cv->file, F_OK) != 0) {
            n = snprintf(cv->file, PATH_MAX, "%s/config.json", name);
        }

        if (cv->options->datadir == NULL) {
            cv->options->datadir = name;
        }

    } else {
        n = snprintf(cv->file, PATH_MAX, "%s", name);
    }

    if (n >= PATH_MAX) {
        ctl_error("\"%s\" is too long", name);
        return CTL_USAGE;
    }

    return CTL_OK;
}


static int
ctl_convert_datadir(ctl_convert_t *cv)
{
    char                 dir[PATH_MAX], *slash;
    const char          *name;
    struct stat          st;
    const pocket_str_t  *value;

    name = cv->options->datadir;

    if (name == NULL) {
        value = &cv->conf.values[CTL_DATA_DIR].text;
        snprintf(dir, PATH_MAX, "%.*s", (int) value->len, value->data);
        name = dir;

        if (*dir == '\0' || stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {

            if (realpath(cv->file, dir) == NULL) {
                ctl_error("cannot find \"%s\"", cv->file);
                return CTL_USAGE;
            }

            slash = strrchr(dir, '/');
            slash[slash == dir] = '\0';

            slash = strrchr(dir, '/');

            if (strcmp(slash, "/config") == 0) {
                slash[slash == dir] = '\0';
            }
        }
    }

    if (realpath(name, cv->datadir) == NULL
        || stat(cv->datadir, &st) != 0 || !S_ISDIR(st.st_mode))
    {
        ctl_error("\"%s\" is no directory", name);
        return CTL_USAGE;
    }

    return CTL_OK;
}


/* what nginx would not name well, or take for something else */

static int
ctl_convert_check(ctl_convert_t *cv)
{
    char           text[16];
    int64_t        port;
    ctl_value_t   *value;

    value = &cv->conf.values[CTL_RPC_PORT];

    snprintf(text, sizeof(text), "%.*s", (int) value->text.len,
             value->text.data);

    if (cv->options->listen == NULL
        && (value->text.len > 5 || !ctl_number(text, &port) || port < 1
            || port > 65535))
    {
        ctl_error("\"%s\": \"rpc_port\" is \"%.*s\", a port is expected",
                  cv->file, (int) value->text.len, value->text.data);
        return CTL_FAILED;
    }

    return CTL_OK;
}


static void
ctl_convert_report(ctl_convert_t *cv)
{
    size_t                i;
    ctl_value_t          *value;
    const ctl_setting_t  *setting;

    cli_buf_printf(&cv->out, "# made by \"meshctl convert\" from %s\n"
                             "#\n", cv->file);

    for (i = 0; i < CTL_SETTINGS; i++) {
        setting = &ctl_settings[i];
        value = &cv->conf.values[i];

        if (!value->set) {
            continue;
        }

        cli_buf_printf(&cv->out, "# %-40s  ", setting->name);

        if (i == CTL_RPC_PORT && cv->options->listen) {
            cli_buf_text(&cv->out, "not needed: --listen was given");

        } else if (i == CTL_DATA_DIR) {
            cli_buf_printf(&cv->out, "files are in %s", cv->datadir);

        } else {
            cli_buf_text(&cv->out, setting->becomes);
        }

        cli_buf_text(&cv->out, "\n");
    }

    for (i = 0; i < cv->conf.nunknown; i++) {
        cli_buf_printf(&cv->out, "# %-40.*s  not needed: "
                                 "no setting of the mesh client\n",
                       (int) cv->conf.unknown[i].len,
                       cv->conf.unknown[i].data);
    }

    cli_buf_text(&cv->out, "\n");
}


static void
ctl_convert_main(ctl_convert_t *cv)
{
    cli_buf_t               module;
    ctl_convert_options_t  *o;

    o = cv->options;

    memset(&module, 0, sizeof(cli_buf_t));
    cli_buf_printf(&module, "%s/ngx_mesh_relay_module.so", o->modules);
    ctl_conf_word(cv, 0, "load_module", &module.text, NULL);
    cli_buf_free(&module);

    cli_buf_text(&cv->out, "\n");

    if (o->user) {
        ctl_conf_text(cv, 0, "user", o->user);
    }

    if (o->workers) {
        ctl_conf_number(cv, 0, "worker_processes", o->workers, "");

    } else {
        ctl_conf_text(cv, 0, "worker_processes", "auto");
    }

    ctl_conf_text(cv, 0, "worker_shutdown_timeout", "60s");
    ctl_conf_rundir(cv, "pid", "nginx.pid", "/run/nginx.pid", NULL);
    ctl_conf_rundir(cv, "error_log", "error.log", "/var/log/nginx/error.log",
                    ctl_convert_log_level(cv));

    cli_buf_text(&cv->out, "\nevents {\n");
    ctl_conf_text(cv, 1, "worker_connections", "4096");
    cli_buf_text(&cv->out, "}\n\nhttp {\n");
}


static void
ctl_convert_http(ctl_convert_t *cv)
{
    ctl_conf_rundir(cv, "access_log", "access.log",
                    "/var/log/nginx/access.log", NULL);

    if (cv->options->rundir) {
        ctl_conf_rundir(cv, "client_body_temp_path", "body_temp", NULL,
                        NULL);
        ctl_conf_rundir(cv, "proxy_temp_path", "proxy_temp", NULL, NULL);
        ctl_conf_rundir(cv, "fastcgi_temp_path", "fastcgi_temp", NULL, NULL);
        ctl_conf_rundir(cv, "uwsgi_temp_path", "uwsgi_temp", NULL, NULL);
        ctl_conf_rundir(cv, "scgi_temp_path", "scgi_temp", NULL, NULL);
    }

    if (cv->options->resolver) {
        ctl_conf_text(cv, 1, "resolver", cv->options->resolver);
    }

    cli_buf_text(&cv->out, "\n");

    ctl_convert_relay(cv);
    ctl_convert_server(cv);

    cli_buf_text(&cv->out, "}\n");
}


static void
ctl_convert_relay(ctl_convert_t *cv)
{
    int64_t       min, max;
    cli_buf_t    *out;
    ctl_value_t  *values;

    out = &cv->out;
    values = cv->conf.values;

    if (cv->options->region) {
        ctl_conf_text(cv, 1, "mesh_region", cv->options->region);
    }

    ctl_conf_text(cv, 1, "mesh_redis", cv->options->redis);
    cli_buf_text(out, "\n");

    ctl_conf_path(cv, "mesh_relay_servicers", CTL_SERVICERS);
    ctl_conf_path(cv, "mesh_relay_chains", CTL_CHAINS);
    ctl_conf_path(cv, "mesh_relay_auth", CTL_AUTH_FILE);
    ctl_conf_path(cv, "mesh_relay_node_auth", CTL_NODE_AUTH_FILE);
    cli_buf_text(out, "\n");

    ctl_conf_word(cv, 1, "mesh_relay_user_agent",
                  &values[CTL_USER_AGENT].text, NULL);
    ctl_conf_text(cv, 1, "mesh_relay_sort_response",
                  values[CTL_SORT].number ? "on" : "off");

    /* of these the mesh client takes 0 for its default, nginx does not */

    if (values[CTL_CHECK_INTERVAL].number) {
        ctl_conf_number(cv, 1, "mesh_relay_node_check_interval",
                        values[CTL_CHECK_INTERVAL].number, "s");
    }

    ctl_conf_number(cv, 1, "mesh_relay_session_retries",
                    values[CTL_SESSION_RETRIES].number < 1000
                    ? values[CTL_SESSION_RETRIES].number : 1000, "");

    if (values[CTL_NODE_TIMEOUT].number) {
        ctl_conf_number(cv, 1, "mesh_relay_notify_timeout",
                        values[CTL_NODE_TIMEOUT].number, "ms");
    }

    ctl_conf_number(cv, 1, "mesh_relay_notify_concurrency",
                    ctl_convert_concurrency(cv), "");

    min = values[CTL_RETRY_MIN].number ? values[CTL_RETRY_MIN].number : 1;
    max = values[CTL_RETRY_MAX].number > min ? values[CTL_RETRY_MAX].number
                                             : min;

    ctl_conf_name(cv, 1, "mesh_relay_retry_wait");
    cli_buf_printf(out, "%lldms %lldms;\n\n", (long long) min,
                   (long long) max);
}


static void
ctl_convert_server(ctl_convert_t *cv)
{
    ctl_value_t   *values;
    pocket_str_t   listen, include;

    values = cv->conf.values;

    listen = cv->options->listen ? ctl_str(cv->options->listen)
                                 : values[CTL_RPC_PORT].text;
    include = ctl_str(cv->options->include);

    cli_buf_text(&cv->out, "    server {\n");
    ctl_conf_word(cv, 2, "listen", &listen, NULL);
    cli_buf_text(&cv->out, "\n");

    ctl_conf_number(cv, 2, "client_max_body_size",
                    values[CTL_CLIENT_MAX_BYTES].number, "");

    if (values[CTL_CLIENT_HEADER_TIMEOUT].number) {
        ctl_conf_number(cv, 2, "client_header_timeout",
                        values[CTL_CLIENT_HEADER_TIMEOUT].number, "ms");
    }

    if (values[CTL_CLIENT_READ_TIMEOUT].number) {
        ctl_conf_number(cv, 2, "client_body_timeout",
                        values[CTL_CLIENT_READ_TIMEOUT].number, "ms");
    }

    if (values[CTL_CLIENT_WRITE_TIMEOUT].number) {
        ctl_conf_number(cv, 2, "send_timeout",
                        values[CTL_CLIENT_WRITE_TIMEOUT].number, "ms");
    }

    ctl_conf_text(cv, 2, "mesh_relay_chain_location", CTL_CHAIN_LOCATION);
    cli_buf_text(&cv->out, "\n");
    ctl_conf_word(cv, 2, "include", &include, NULL);
    cli_buf_text(&cv->out, "\n");

    ctl_convert_chain(cv);

    cli_buf_text(&cv->out, "    }\n");
}


/*
 * The chains' location of mesh_relay.conf again: a time-out there cannot be
 * set from outside.
 */

static void
ctl_convert_chain(ctl_convert_t *cv)
{
    int64_t     timeout;
    cli_buf_t  *out;

    out = &cv->out;
    timeout = cv->conf.values[CTL_CHAIN_TIMEOUT].number;

    cli_buf_printf(out,
"        location = %s {\n"
"            internal;\n"
"            client_max_body_size            0;\n"
"\n"
"            proxy_pass                      $mesh_relay_chain_url;\n"
"            proxy_http_version              1.1;\n"
"            proxy_set_header                Host $mesh_relay_chain_host;\n"
"            proxy_set_header                Connection \"%s\";\n"
"\n"
"            proxy_buffering                 off;\n"
"            proxy_buffer_size               32k;\n"
"            proxy_buffers                   4 32k;\n"
"            proxy_ignore_headers            X-Accel-Redirect X-Accel-Expires\n"
"                                            X-Accel-Limit-Rate\n"
"                                            X-Accel-Buffering\n"
"                                            X-Accel-Charset;\n"
"\n", CTL_CHAIN_LOCATION,
                   cv->conf.values[CTL_CHAIN_DROP].number ? "close" : "");

    if (timeout) {
        ctl_conf_number(cv, 3, "proxy_connect_timeout", timeout, "ms");
        ctl_conf_number(cv, 3, "proxy_send_timeout", timeout, "ms");
        ctl_conf_number(cv, 3, "proxy_read_timeout", timeout, "ms");
        cli_buf_text(out, "\n");
    }

    cli_buf_text(out,
"            proxy_ssl_server_name           on;\n"
"            proxy_ssl_name                  $mesh_relay_chain_name;\n"
"            proxy_ssl_verify                on;\n"
"            proxy_ssl_verify_depth          5;\n"
"            proxy_ssl_trusted_certificate   "
                           "/etc/ssl/certs/ca-certificates.crt;\n"
"        }\n");
}


/* "*:info, consensus:error": the one of all names counts */

static const char *
ctl_convert_log_level(ctl_convert_t *cv)
{
    char                 text[256];
    size_t               i, len;
    const char          *p, *level, *name;
    const pocket_str_t  *value;

    value = &cv->conf.values[CTL_LOG_LEVEL].text;
    snprintf(text, sizeof(text), "%.*s", (int) value->len, value->data);

    p = text;
    level = "error";

    while (*p) {

        p += strspn(p, ", ");
        len = strcspn(p, ",");

        name = memchr(p, ':', len);

        if (name == NULL || (name == p + 1 && *p == '*')) {

            name = name ? name + 1 : p;

            for (i = 0; i < sizeof(ctl_levels) / sizeof(ctl_levels[0]); i++) {
                if (strncmp(name, ctl_levels[i][0], strlen(ctl_levels[i][0]))
                    == 0)
                {
                    level = ctl_levels[i][1];
                }
            }
        }

        p += len;
    }

    return level;
}


static int64_t
ctl_convert_concurrency(ctl_convert_t *cv)
{
    int64_t  n, workers;

    workers = cv->options->workers ? cv->options->workers
                                   : sysconf(_SC_NPROCESSORS_ONLN);

    n = cv->conf.values[CTL_WORKERS].number;
    n = workers > 1 ? (n + workers - 1) / workers : n;

    return n < 1 ? 1 : n > 65536 ? 65536 : n;
}


/* the mesh client puts the data directory before every name */

static void
ctl_conf_path(ctl_convert_t *cv, const char *name, ctl_setting_e setting)
{
    cli_buf_t            path;
    const pocket_str_t  *value;

    value = &cv->conf.values[setting].text;

    memset(&path, 0, sizeof(cli_buf_t));

    cli_buf_text(&path, cv->datadir);

    if (value->len == 0 || value->data[0] != '/') {
        cli_buf_text(&path, "/");
    }

    cli_buf_str(&path, value);

    if (value->len && value->data[0] == '/' && !path.failed
        && access((char *) path.text.data, F_OK) != 0)
    {
        ctl_conf_word(cv, 1, name, value, NULL);

    } else {
        ctl_conf_word(cv, 1, name, &path.text, NULL);
    }

    cli_buf_free(&path);
}


static void
ctl_conf_rundir(ctl_convert_t *cv, const char *name, const char *file,
    const char *without, const char *more)
{
    unsigned      depth;
    cli_buf_t     path;
    pocket_str_t  value;

    memset(&path, 0, sizeof(cli_buf_t));

    depth = strcmp(name, "pid") != 0 && strcmp(name, "error_log") != 0;

    if (cv->options->rundir) {
        cli_buf_printf(&path, "%s/%s", cv->options->rundir, file);
        ctl_conf_word(cv, depth, name, &path.text, more);
        cli_buf_free(&path);
        return;
    }

    value = ctl_str(without);
    ctl_conf_word(cv, depth, name, &value, more);
}


static void
ctl_conf_word(ctl_convert_t *cv, unsigned depth, const char *name,
    const pocket_str_t *value, const char *more)
{
    ctl_conf_name(cv, depth, name);
    ctl_conf_quote(&cv->out, value);

    if (more) {
        cli_buf_printf(&cv->out, " %s", more);
    }

    cli_buf_text(&cv->out, ";\n");
}


static void
ctl_conf_number(ctl_convert_t *cv, unsigned depth, const char *name,
    int64_t value, const char *unit)
{
    ctl_conf_name(cv, depth, name);
    cli_buf_printf(&cv->out, "%lld%s;\n", (long long) value, unit);
}


/* a value of the command line, which may be several words */

static void
ctl_conf_text(ctl_convert_t *cv, unsigned depth, const char *name,
    const char *value)
{
    ctl_conf_name(cv, depth, name);
    cli_buf_printf(&cv->out, "%s;\n", value);
}


static void
ctl_conf_name(ctl_convert_t *cv, unsigned depth, const char *name)
{
    cli_buf_printf(&cv->out, "%*s%-*s", 4 * (int) depth, "",
                   CTL_CONF_COLUMN, name);
}
