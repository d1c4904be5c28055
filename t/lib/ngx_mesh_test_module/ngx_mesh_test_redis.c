
/*
 * Test module: commands to Redis, and what became of them.
 *
 *   mesh_test_redis ADDRESS [parameters];   http, as of mesh_redis
 *   mesh_test_redis_command ARG...;         one command
 *   mesh_test_redis_eval NAME=LUA NKEYS ARG...;
 *   mesh_test_redis_repeat N;               N times in one turn of the loop
 *   mesh_test_redis_cancel on;              cancel them before they answer
 *   mesh_test_redis_status;                 state, reason, counters
 *   mesh_test_redis_wait STATE TIME;        before any of these
 */


#include "ngx_mesh_test.h"
#include "mesh_keyfile.h"


#define NGX_MESH_TEST_POLL     5
#define NGX_MESH_TEST_SHOWN    200
#define NGX_MESH_TEST_OUTPUT   4096


typedef struct {
    ngx_http_request_t     *request;
    mesh_redis_cmd_t      **commands;
    ngx_uint_t              issued;
    ngx_uint_t              left;
    ngx_uint_t              writes;
    ngx_uint_t              outcomes[MESH_REDIS_TIMEOUT + 1];
    ngx_event_t             timer;
    ngx_msec_t              started;
    ngx_str_t               output;
    ngx_uint_t              status;       /* unsigned  status:1; */
} ngx_mesh_test_redis_ctx_t;


static ngx_int_t ngx_mesh_test_redis_args(ngx_conf_t *cf,
    ngx_mesh_test_loc_conf_t *lcf, ngx_uint_t first);
static void ngx_mesh_test_redis_install(ngx_conf_t *cf);
static void ngx_mesh_test_redis_notify(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state);
static ngx_int_t ngx_mesh_test_redis_handler(ngx_http_request_t *r);
static void ngx_mesh_test_redis_poll(ngx_event_t *ev);
static ngx_int_t ngx_mesh_test_redis_issue(ngx_mesh_test_redis_ctx_t *ctx);
static void ngx_mesh_test_redis_done(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply);
static void ngx_mesh_test_redis_cleanup(void *data);
static void ngx_mesh_test_redis_report(ngx_mesh_test_redis_ctx_t *ctx);
static void ngx_mesh_test_redis_printf(ngx_mesh_test_redis_ctx_t *ctx,
    const char *fmt, ...);
static void ngx_mesh_test_redis_print(ngx_mesh_test_redis_ctx_t *ctx,
    mesh_redis_reply_t *reply);
static void ngx_mesh_test_redis_send(ngx_mesh_test_redis_ctx_t *ctx);


static char  *ngx_mesh_test_outcomes[] = {
    "answered", "failed", "oom", "refused", "lost", "timeout"
};

static char  *ngx_mesh_test_states[] = {
    "down", "connecting", "ready"
};


char *
ngx_mesh_test_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_test_main_conf_t *mcf = conf;

    if (mcf->redis_conf) {
        return "is duplicate";
    }

    mcf->redis_conf = mesh_redis_conf_create(cf);

    return mcf->redis_conf ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_mesh_test_redis_command(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (ngx_mesh_test_redis_args(cf, conf, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_mesh_test_redis_install(cf);

    return NGX_CONF_OK;
}


char *
ngx_mesh_test_redis_eval(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_test_loc_conf_t *lcf = conf;

    u_char                     *p;
    ngx_str_t                  *value, name, text;
    ngx_mesh_test_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mesh_test_module);
    value = cf->args->elts;

    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, '=');

    if (mcf->redis_conf == NULL || p == NULL) {
        return "requires \"mesh_test_redis\" before and NAME=LUA";
    }

    name.data = value[1].data;
    name.len = p - name.data;
    text.data = p + 1;
    text.len = value[1].len - name.len - 1;

    lcf->redis_script = mesh_redis_script_add(cf, mcf->redis_conf, &name,
                                              &text);
    if (lcf->redis_script == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->redis_nkeys = ngx_atoi(value[2].data, value[2].len);

    if (ngx_mesh_test_redis_args(cf, lcf, 3) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_mesh_test_redis_install(cf);

    return NGX_CONF_OK;
}


char *
ngx_mesh_test_redis_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_test_redis_install(cf);

    return NGX_CONF_OK;
}


char *
ngx_mesh_test_redis_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mesh_test_loc_conf_t *lcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 0; i <= MESH_REDIS_READY; i++) {
        if (ngx_strcmp(value[1].data, ngx_mesh_test_states[i]) == 0) {
            lcf->redis_wanted = i;
            lcf->redis_wait = ngx_parse_time(&value[2], 0);
            return NGX_CONF_OK;
        }
    }

    return "names no state";
}


static ngx_int_t
ngx_mesh_test_redis_args(ngx_conf_t *cf, ngx_mesh_test_loc_conf_t *lcf,
    ngx_uint_t first)
{
    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    lcf->redis_args = ngx_array_create(cf->pool, 8,
                                       sizeof(ngx_http_complex_value_t));
    if (lcf->redis_args == NULL) {
        return NGX_ERROR;
    }

    for (i = first; i < cf->args->nelts; i++) {
        cv = ngx_array_push(lcf->redis_args);
        if (cv == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_mesh_test_redis_install(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_mesh_test_redis_handler;
}


char *
ngx_mesh_test_redis_init_conf(ngx_conf_t *cf, ngx_mesh_test_main_conf_t *mcf)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    if (mcf->redis_conf == NULL) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    rc = mesh_redis_conf_init(cf, mcf->redis_conf, clcf->resolver,
                              clcf->resolver_timeout);

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_mesh_test_redis_init(ngx_cycle_t *cycle, ngx_mesh_test_main_conf_t *mcf)
{
    mesh_secret_relock(cycle->pool, cycle->log);

    if (mcf->redis_conf == NULL) {
        return NGX_OK;
    }

    mcf->redis = mesh_redis_create(cycle, mcf->redis_conf, "test", 0,
                                   ngx_mesh_test_redis_notify, cycle->log);

    return mcf->redis ? NGX_OK : NGX_ERROR;
}


void
ngx_mesh_test_redis_exit(ngx_mesh_test_main_conf_t *mcf)
{
    mesh_redis_close(mcf->redis);
    mcf->redis = NULL;
}


static void
ngx_mesh_test_redis_notify(void *data, mesh_redis_t *rc,
    mesh_redis_state_e state)
{
    ngx_log_t *log = data;

    ngx_log_error(NGX_LOG_INFO, log, 0, "mesh test redis became %s",
                  ngx_mesh_test_states[state]);
}


static ngx_int_t
ngx_mesh_test_redis_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_cleanup_t         *cln;
    ngx_mesh_test_loc_conf_t   *lcf;
    ngx_mesh_test_redis_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_test_module);

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_mesh_test_redis_ctx_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ctx == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->commands = ngx_pcalloc(r->pool,
                             lcf->redis_repeat * sizeof(mesh_redis_cmd_t *));
    ctx->output.data = ngx_pnalloc(r->pool, NGX_MESH_TEST_OUTPUT);

    if (ctx->commands == NULL || ctx->output.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->started = ngx_current_msec;
    ctx->status = (lcf->redis_args == NULL);

    ctx->timer.handler = ngx_mesh_test_redis_poll;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    cln->handler = ngx_mesh_test_redis_cleanup;
    cln->data = ctx;

    r->main->count++;

    ngx_add_timer(&ctx->timer, 1);

    return NGX_DONE;
}


/* waits for the wanted state, or for the end of the patience */

static void
ngx_mesh_test_redis_poll(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_mesh_test_loc_conf_t   *lcf;
    ngx_mesh_test_main_conf_t  *mcf;
    ngx_mesh_test_redis_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_test_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_test_module);

    if (mesh_redis_state(mcf->redis) != lcf->redis_wanted
        && ngx_current_msec - ctx->started < lcf->redis_wait)
    {
        ngx_add_timer(&ctx->timer, NGX_MESH_TEST_POLL);
        return;
    }

    if (ctx->status) {
        ngx_mesh_test_redis_report(ctx);
        ngx_mesh_test_redis_send(ctx);

    } else if (ngx_mesh_test_redis_issue(ctx) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_mesh_test_redis_issue(ngx_mesh_test_redis_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                  *argv;
    ngx_uint_t                  i, n, argc;
    ngx_http_request_t         *r;
    ngx_http_complex_value_t   *cv;
    ngx_mesh_test_loc_conf_t   *lcf;
    ngx_mesh_test_main_conf_t  *mcf;

    r = ctx->request;

    mcf = ngx_http_get_module_main_conf(r, ngx_mesh_test_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_mesh_test_module);

    cv = lcf->redis_args->elts;
    argc = lcf->redis_args->nelts;

    argv = ngx_palloc(r->pool, argc * sizeof(ngx_str_t) + 1);
    if (argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < argc; i++) {
        if (ngx_http_complex_value(r, &cv[i], &argv[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ctx->writes = mesh_redis_stats(mcf->redis)->writes;

    for (n = 0; n < lcf->redis_repeat; n++) {

        if (lcf->redis_script) {
            rc = mesh_redis_eval(mcf->redis, lcf->redis_script,
                                 lcf->redis_nkeys, argc, argv,
                                 ngx_mesh_test_redis_done, ctx,
                                 &ctx->commands[n]);

        } else {
            rc = mesh_redis_command(mcf->redis, argc, argv,
                                    ngx_mesh_test_redis_done, ctx,
                                    &ctx->commands[n]);
        }

        if (rc != NGX_OK) {
            ngx_mesh_test_redis_printf(ctx, "not accepted: %s\n",
                                       rc == NGX_DECLINED ? "down"
                                       : rc == NGX_BUSY ? "busy" : "error");
            break;
        }
    }

    ctx->issued = n;
    ctx->left = n;

    if (lcf->redis_cancel) {
        ngx_mesh_test_redis_cleanup(ctx);
        ngx_mesh_test_redis_printf(ctx, "canceled %ui\n", n);
    }

    if (ctx->left == 0) {
        ngx_mesh_test_redis_send(ctx);
    }

    return NGX_OK;
}


static void
ngx_mesh_test_redis_done(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_test_redis_ctx_t *ctx = data;

    ngx_uint_t                  i;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_mesh_test_main_conf_t  *mcf;

    r = ctx->request;
    c = r->connection;

    ctx->outcomes[outcome]++;

    if (ctx->issued == 1) {
        ngx_mesh_test_redis_printf(ctx, "%s", ngx_mesh_test_outcomes[outcome]);

        if (reply) {
            ngx_mesh_test_redis_printf(ctx, " ");
            ngx_mesh_test_redis_print(ctx, reply);
        }

        ngx_mesh_test_redis_printf(ctx, "\n");
    }

    ctx->commands[ctx->issued - ctx->left] = NULL;

    if (--ctx->left) {
        return;
    }

    if (ctx->issued > 1) {
        mcf = ngx_http_get_module_main_conf(r, ngx_mesh_test_module);

        for (i = 0; i <= MESH_REDIS_TIMEOUT; i++) {
            if (ctx->outcomes[i]) {
                ngx_mesh_test_redis_printf(ctx, "%ui %s\n", ctx->outcomes[i],
                                           ngx_mesh_test_outcomes[i]);
            }
        }

        ngx_mesh_test_redis_printf(ctx, "%ui writes\n",
                                   mesh_redis_stats(mcf->redis)->writes
                                   - ctx->writes);
    }

    ngx_mesh_test_redis_send(ctx);

    ngx_http_run_posted_requests(c);
}


static void
ngx_mesh_test_redis_cleanup(void *data)
{
    ngx_mesh_test_redis_ctx_t *ctx = data;

    ngx_uint_t  i;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    for (i = ctx->issued - ctx->left; i < ctx->issued; i++) {
        mesh_redis_cancel(ctx->commands[i]);
    }

    ctx->left = 0;
}


static void
ngx_mesh_test_redis_report(ngx_mesh_test_redis_ctx_t *ctx)
{
    mesh_redis_t               *rc;
    mesh_redis_stats_t         *stats;
    ngx_mesh_test_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_mesh_test_module);

    rc = mcf->redis;
    stats = mesh_redis_stats(rc);

    ngx_mesh_test_redis_printf(ctx, "state %s\nreason %V\npending %ui\n",
                               ngx_mesh_test_states[mesh_redis_state(rc)],
                               mesh_redis_reason(rc), mesh_redis_pending(rc));

    ngx_mesh_test_redis_printf(ctx, "run_id %uz\nreplication_id %uz\n",
                               mesh_redis_run_id(rc)->len,
                               mesh_redis_replication_id(rc)->len);

    ngx_mesh_test_redis_printf(ctx, "connects %ui\nlosses %ui\nfailures %s\n"
                               "commands %ui\nrefused %ui\nanswered %ui\n"
                               "errors %ui\nunknown %ui\nreloads %ui\n",
                               stats->connects, stats->losses,
                               stats->failures ? "some" : "none",
                               stats->commands, stats->refused,
                               stats->answered, stats->errors, stats->unknown,
                               stats->reloads);
}


static void
ngx_mesh_test_redis_printf(ngx_mesh_test_redis_ctx_t *ctx, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(ctx->output.data + ctx->output.len,
                      ctx->output.data + NGX_MESH_TEST_OUTPUT, fmt, args);
    va_end(args);

    ctx->output.len = p - ctx->output.data;
}


static void
ngx_mesh_test_redis_print(ngx_mesh_test_redis_ctx_t *ctx,
    mesh_redis_reply_t *reply)
{
    ngx_uint_t  i;

    switch (reply->kind) {

    case MESH_REDIS_NIL:
        ngx_mesh_test_redis_printf(ctx, "nil");
        break;

    case MESH_REDIS_INTEGER:
        ngx_mesh_test_redis_printf(ctx, "%L", reply->integer);
        break;

    case MESH_REDIS_ARRAY:
        ngx_mesh_test_redis_printf(ctx, "[");

        for (i = 0; i < reply->nelts && i < NGX_MESH_TEST_SHOWN; i++) {
            if (i) {
                ngx_mesh_test_redis_printf(ctx, ", ");
            }

            ngx_mesh_test_redis_print(ctx, &reply->elts[i]);
        }

        ngx_mesh_test_redis_printf(ctx, i < reply->nelts ? ", of %ui]" : "]",
                                   reply->nelts);
        break;

    default: /* MESH_REDIS_STRING, MESH_REDIS_STATUS, MESH_REDIS_ERROR */

        if (reply->str.len <= NGX_MESH_TEST_SHOWN) {
            ngx_mesh_test_redis_printf(ctx, "%V", &reply->str);
            break;
        }

        ngx_mesh_test_redis_printf(ctx, "%uz bytes crc %08xD", reply->str.len,
                                   ngx_crc32_long(reply->str.data,
                                                  reply->str.len));
    }
}


static void
ngx_mesh_test_redis_send(ngx_mesh_test_redis_ctx_t *ctx)
{
    ngx_buf_t           *b;
    ngx_int_t            rc;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = ctx->request;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    b->pos = ctx->output.data;
    b->last = b->pos + ctx->output.len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = ctx->output.len;
    ngx_str_set(&r->headers_out.content_type, "text/plain");

    rc = ngx_http_send_header(r);

    if (rc == NGX_OK) {
        rc = ngx_http_output_filter(r, &out);
    }

    ngx_http_finalize_request(r, rc);
}
