
/*
 * Redis client: what is asked of a server before it is used, and scripts that
 * it has lost.
 */


#include "mesh_redis_internal.h"


#define MESH_REDIS_VERSION_MIN  7


static ngx_int_t mesh_redis_send_step(mesh_redis_t *rc,
    mesh_redis_step_t *step, ngx_uint_t argc, ngx_str_t *argv);
static ngx_int_t mesh_redis_send_auth(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_send_select(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_send_setname(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_send_info_server(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_send_info_replication(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_send_scripts(mesh_redis_t *rc,
    mesh_redis_step_t *step);
static ngx_int_t mesh_redis_check_server(mesh_redis_t *rc,
    mesh_redis_reply_t *reply);
static ngx_int_t mesh_redis_check_replication(mesh_redis_t *rc,
    mesh_redis_reply_t *reply);
static void mesh_redis_info_field(ngx_str_t *info, const char *name,
    ngx_str_t *value);
static void mesh_redis_keep_id(ngx_str_t *id, ngx_str_t *value);


/* sent at once, answered in this order; any error ends the attempt */

static mesh_redis_step_t  mesh_redis_steps[] = {
    { "AUTH", mesh_redis_send_auth, NULL },
    { "SELECT", mesh_redis_send_select, NULL },
    { "CLIENT SETNAME", mesh_redis_send_setname, NULL },
    { "INFO server", mesh_redis_send_info_server, mesh_redis_check_server },
    { "INFO replication", mesh_redis_send_info_replication,
      mesh_redis_check_replication },
    { "SCRIPT LOAD", mesh_redis_send_scripts, NULL },
    { NULL, NULL, NULL }
};

static mesh_redis_step_t  mesh_redis_reload_step = {
    "SCRIPT LOAD", NULL, NULL
};


ngx_int_t
mesh_redis_setup(mesh_redis_t *rc)
{
    mesh_redis_step_t  *step;

    rc->setup = 0;

    for (step = mesh_redis_steps; step->name; step++) {
        if (step->send(rc, step) != NGX_OK) {
            mesh_redis_fail(rc, MESH_REDIS_LOST, NGX_ENOMEM, "%s failed",
                            step->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
mesh_redis_send_step(mesh_redis_t *rc, mesh_redis_step_t *step,
    ngx_uint_t argc, ngx_str_t *argv)
{
    mesh_redis_cmd_t  *cmd;

    cmd = mesh_redis_append(rc, 0, NULL, argc, argv);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->step = step;
    rc->setup++;

    return NGX_OK;
}


static ngx_int_t
mesh_redis_send_auth(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    ngx_str_t          argv[3];
    ngx_uint_t         argc;
    mesh_redis_cmd_t  *cmd;

    if (rc->conf->password.len == 0) {
        return NGX_OK;
    }

    argc = 0;

    ngx_str_set(&argv[argc], "AUTH");
    argc++;

    if (rc->conf->user.len) {
        argv[argc++] = rc->conf->user;
    }

    argv[argc++] = rc->conf->password;

    cmd = mesh_redis_append(rc, 0, NULL, argc, argv);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->step = step;
    cmd->secret = 1;
    rc->setup++;

    return NGX_OK;
}


static ngx_int_t
mesh_redis_send_select(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    u_char     db[NGX_INT_T_LEN];
    ngx_str_t  argv[2];

    if (rc->conf->db == 0) {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "SELECT");
    argv[1].data = db;
    argv[1].len = ngx_sprintf(db, "%ui", rc->conf->db) - db;

    return mesh_redis_send_step(rc, step, 2, argv);
}


static ngx_int_t
mesh_redis_send_setname(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "SETNAME");
    argv[2] = rc->client_name;

    return mesh_redis_send_step(rc, step, 3, argv);
}


static ngx_int_t
mesh_redis_send_info_server(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    static ngx_str_t  argv[] = {
        ngx_string("INFO"), ngx_string("server")
    };

    return mesh_redis_send_step(rc, step, 2, argv);
}


static ngx_int_t
mesh_redis_send_info_replication(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    static ngx_str_t  argv[] = {
        ngx_string("INFO"), ngx_string("replication")
    };

    return mesh_redis_send_step(rc, step, 2, argv);
}


static ngx_int_t
mesh_redis_send_scripts(mesh_redis_t *rc, mesh_redis_step_t *step)
{
    ngx_str_t             argv[3];
    ngx_uint_t            i;
    mesh_redis_script_t **scripts;

    ngx_str_set(&argv[0], "SCRIPT");
    ngx_str_set(&argv[1], "LOAD");

    scripts = rc->conf->scripts.elts;

    for (i = 0; i < rc->conf->scripts.nelts; i++) {
        argv[2] = scripts[i]->text;

        if (mesh_redis_send_step(rc, step, 3, argv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
mesh_redis_load_script(mesh_redis_t *rc, mesh_redis_script_t *script)
{
    ngx_str_t          argv[3];
    mesh_redis_cmd_t  *cmd;

    ngx_str_set(&argv[0], "SCRIPT");
    ngx_str_set(&argv[1], "LOAD");
    argv[2] = script->text;

    cmd = mesh_redis_append(rc, 0, NULL, 3, argv);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->step = &mesh_redis_reload_step;
    cmd->script = script;

    rc->loading[script->index] = 1;

    return NGX_OK;
}


void
mesh_redis_setup_answer(mesh_redis_t *rc, mesh_redis_cmd_t *cmd,
    mesh_redis_reply_t *reply)
{
    mesh_redis_step_t    *step;
    mesh_redis_script_t  *script;

    step = cmd->step;
    script = cmd->script;

    mesh_redis_release(rc, cmd);

    if (step == &mesh_redis_reload_step) {
        rc->loading[script->index] = 0;

        if (reply->kind == MESH_REDIS_ERROR) {
            ngx_log_error(NGX_LOG_ERR, &rc->log, 0,
                          "redis \"%V\" did not load script \"%V\": %V",
                          &rc->conf->name, &script->name, &reply->str);
        }

        return;
    }

    if (reply->kind == MESH_REDIS_ERROR) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0, "%s: %V", step->name,
                        &reply->str);
        return;
    }

    if (step->check && step->check(rc, reply) != NGX_OK) {
        return;
    }

    if (--rc->setup == 0) {
        mesh_redis_ready(rc);
    }
}


static ngx_int_t
mesh_redis_check_server(mesh_redis_t *rc, mesh_redis_reply_t *reply)
{
    u_char     *dot;
    ngx_int_t   major;
    ngx_str_t   version, run_id;

    mesh_redis_info_field(&reply->str, "redis_version:", &version);
    mesh_redis_info_field(&reply->str, "run_id:", &run_id);

    dot = ngx_strlchr(version.data, version.data + version.len, '.');
    major = dot ? ngx_atoi(version.data, dot - version.data) : NGX_ERROR;

    if (major < MESH_REDIS_VERSION_MIN) {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0,
                        "the server's version is \"%V\", %d.0 or later "
                        "is required", &version, MESH_REDIS_VERSION_MIN);
        return NGX_ERROR;
    }

    mesh_redis_keep_id(&rc->run_id, &run_id);

    return NGX_OK;
}


static ngx_int_t
mesh_redis_check_replication(mesh_redis_t *rc, mesh_redis_reply_t *reply)
{
    ngx_str_t  read_only, id;

    mesh_redis_info_field(&reply->str, "slave_read_only:", &read_only);
    mesh_redis_info_field(&reply->str, "master_replid:", &id);

    if (read_only.len == 1 && read_only.data[0] == '1') {
        mesh_redis_fail(rc, MESH_REDIS_LOST, 0,
                        "the server is a read-only replica");
        return NGX_ERROR;
    }

    mesh_redis_keep_id(&rc->replication_id, &id);

    return NGX_OK;
}


/* the value of a line "name:value" of INFO, empty if there is none */

static void
mesh_redis_info_field(ngx_str_t *info, const char *name, ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    ngx_str_null(value);

    len = ngx_strlen(name);
    p = info->data;
    last = info->data + info->len;

    while (p < last) {
        end = ngx_strlchr(p, last, CR);

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) >= len && ngx_memcmp(p, name, len) == 0) {
            value->data = p + len;
            value->len = end - value->data;
            return;
        }

        p = end + 2;
    }
}


static void
mesh_redis_keep_id(ngx_str_t *id, ngx_str_t *value)
{
    id->len = ngx_min(value->len, MESH_REDIS_ID_LEN);

    if (id->len) {
        ngx_memcpy(id->data, value->data, id->len);
    }
}
