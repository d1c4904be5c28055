
/*
 * What was sent of each session's allowance, over all gateways: once a second
 * a gateway tells Redis all that it has sent itself in a session, and is told
 * the sums.  So a call whose answer was lost may be made again, and Redis
 * that has lost all is told all.  Without Redis each gateway counts for
 * itself.
 */


#include "ngx_gateway_select_registry.h"


#define NGX_GATEWAY_SELECT_USED_EVERY  1000

/* "gateway:{}:used::" with a chain, a height and an application in it */

#define NGX_GATEWAY_SELECT_USED_KEY                                           \
    (sizeof("gateway:{}:used::") + NGX_GATEWAY_SELECT_KEY_MAX                 \
     + NGX_INT64_LEN + GATEWAY_DISPATCH_KEY)

#define NGX_GATEWAY_SELECT_USED_ARGS                                          \
    (3 + 2 * NGX_GATEWAY_SELECT_SESSION_NODES)


/* a call, and what this gateway had sent when it left */

struct ngx_gateway_select_used_s {
    ngx_gateway_select_registry_t *registry;
    mesh_redis_cmd_t              *cmd;
    ngx_gateway_select_chain_sh_t *chain;
    ngx_uint_t                     session;
    ngx_atomic_uint_t              generation;
    uint32_t                       n;
    uint64_t                       own[NGX_GATEWAY_SELECT_SESSION_NODES];
    ngx_uint_t                     next_chain; /* of the round */
    ngx_uint_t                     next_session;
    unsigned                       round:1;    /* under way */
    unsigned                       refused:1;  /* a call of the round was */
    unsigned                       told:1;     /* logged */
};


static void ngx_gateway_select_used_next(ngx_gateway_select_used_t *used);
static ngx_int_t ngx_gateway_select_used_send(ngx_gateway_select_used_t *used,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i);
static void ngx_gateway_select_used_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static void ngx_gateway_select_used_failed(ngx_gateway_select_used_t *used,
    mesh_redis_reply_t *reply);
static void ngx_gateway_select_used_sums(ngx_gateway_select_used_t *used,
    mesh_redis_reply_t *reply);


static ngx_str_t  ngx_gateway_select_used_name = ngx_string("gateway_used");

/*
 * KEYS: of a session; ARGV: ms to live, gateway, then node and what this
 * gateway sent to it, ...  The hash has "gateway node" -> that, and node ->
 * the sum, which is what is given.
 */

static ngx_str_t  ngx_gateway_select_used_text = ngx_string(
    "local key, fields, n, sums = KEYS[1], {}, (#ARGV - 2) / 2, {}\n"
    "for i = 1, n do\n"
    "  fields[i] = ARGV[2 * i + 1]\n"
    "  fields[n + i] = ARGV[2] .. ' ' .. ARGV[2 * i + 1]\n"
    "end\n"
    "local told = redis.call('HMGET', key, unpack(fields))\n"
    "for i = 1, n do\n"
    "  local more = ARGV[2 * i + 2] - (told[n + i] or 0)\n"
    "  sums[i] = tonumber(told[i] or 0)\n"
    "  if more > 0 then\n"
    "    redis.call('HSET', key, fields[n + i], ARGV[2 * i + 2])\n"
    "    sums[i] = redis.call('HINCRBY', key, fields[i], more)\n"
    "    redis.call('PEXPIRE', key, ARGV[1])\n"
    "  end\n"
    "end\n"
    "return sums\n");


ngx_int_t
ngx_gateway_select_used_script(ngx_conf_t *cf,
    ngx_gateway_select_main_conf_t *gmcf)
{
    if (gmcf->mesh.redis == NULL || gmcf->apps.n == 0) {
        return NGX_OK;
    }

    gmcf->used_script = mesh_redis_script_add(cf, gmcf->mesh.redis,
                                              &ngx_gateway_select_used_name,
                                              &ngx_gateway_select_used_text);

    return gmcf->used_script ? NGX_OK : NGX_ERROR;
}


void
ngx_gateway_select_used_tick(ngx_gateway_select_registry_t *registry)
{
    ngx_gateway_select_used_t       *used;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = registry->gmcf;
    used = registry->used;

    if (gmcf->redis == NULL
        || gmcf->used_script == NULL
        || mesh_redis_state(gmcf->redis) != MESH_REDIS_READY
        || ngx_current_msec - registry->counted
           < NGX_GATEWAY_SELECT_USED_EVERY)
    {
        return;
    }

    if (used == NULL) {
        used = ngx_pcalloc(registry->pool, sizeof(ngx_gateway_select_used_t));
        if (used == NULL) {
            return;
        }

        used->registry = registry;
        registry->used = used;
    }

    if (used->round) {
        return;
    }

    registry->counted = ngx_current_msec;

    used->round = 1;
    used->refused = 0;
    used->next_chain = 0;
    used->next_session = 0;

    ngx_gateway_select_used_next(used);
}


void
ngx_gateway_select_used_stop(ngx_gateway_select_registry_t *registry)
{
    if (registry->used && registry->used->cmd) {
        mesh_redis_cancel(registry->used->cmd);
    }

    registry->used = NULL;
}


/* One session after the other: never more than one call is under way. */

static void
ngx_gateway_select_used_next(ngx_gateway_select_used_t *used)
{
    ngx_uint_t                      i;
    ngx_gateway_select_sh_t        *sh;
    ngx_gateway_select_chain_sh_t  *chain;

    sh = ngx_gateway_select_zone(used->registry->gmcf)->sh;

    while (used->next_chain < sh->nchains) {

        chain = sh->chains[used->next_chain];

        if (used->next_session >= chain->nsessions) {
            used->next_chain++;
            used->next_session = 0;
            continue;
        }

        i = used->next_session++;

        if (chain->sessions[i].height == 0) {
            continue;
        }

        if (ngx_gateway_select_used_send(used, chain, i) == NGX_OK) {
            return;
        }

        used->round = 0;
        return;
    }

    used->round = 0;
    used->told = used->refused;
}


static ngx_int_t
ngx_gateway_select_used_send(ngx_gateway_select_used_t *used,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i)
{
    u_char                         *p;
    uint32_t                        k;
    ngx_str_t                      *arg;
    ngx_gateway_select_node_t      *node;
    ngx_gateway_select_session_t   *session;
    ngx_gateway_select_main_conf_t *gmcf;
    ngx_str_t                       args[NGX_GATEWAY_SELECT_USED_ARGS];
    u_char                          key[NGX_GATEWAY_SELECT_USED_KEY];
    u_char                          ttl[NGX_INT64_LEN];
    u_char                          text[NGX_GATEWAY_SELECT_SESSION_NODES
                                         * NGX_INT64_LEN];

    gmcf = used->registry->gmcf;
    session = &chain->sessions[i];

    used->chain = chain;
    used->session = i;
    used->generation = session->generation;
    used->n = session->nnodes;

    args[0].data = key;
    args[0].len = (size_t)
                  (ngx_sprintf(key, "gateway:{%*s}:used:%uL:%*s",
                               (size_t) chain->name_len, chain->name,
                               session->height,
                               (size_t) GATEWAY_DISPATCH_KEY,
                               session->app_key)
                   - key);

    args[1].data = ttl;
    args[1].len = (size_t)
                  (ngx_sprintf(ttl, "%M",
                               ngx_gateway_select_registry_ttl(used->registry))
                   - ttl);

    args[2].data = chain->sh->id;
    args[2].len = NGX_GATEWAY_SELECT_ID_LEN;

    p = text;
    arg = &args[3];

    for (k = 0; k < used->n; k++) {

        node = ngx_gateway_select_node(chain, session->nodes[k]);
        used->own[k] = session->used[k] - session->others[k];

        *arg++ = node->sn.str;

        arg->data = p;
        p = ngx_sprintf(p, "%uL", used->own[k]);
        arg->len = (size_t) (p - arg->data);
        arg++;
    }

    return mesh_redis_eval(gmcf->redis, gmcf->used_script, 1,
                           (ngx_uint_t) (arg - args), args,
                           ngx_gateway_select_used_answer, used, &used->cmd);
}


static void
ngx_gateway_select_used_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_gateway_select_used_t *used = data;

    used->cmd = NULL;

    /* lost, or it never left: Redis is away */

    if (reply == NULL) {
        used->round = 0;
        return;
    }

    if (outcome == MESH_REDIS_ANSWERED
        && reply->kind == MESH_REDIS_ARRAY && reply->nelts == used->n)
    {
        ngx_gateway_select_used_sums(used, reply);

    } else {
        ngx_gateway_select_used_failed(used, reply);
    }

    ngx_gateway_select_used_next(used);
}


/* What is wrong with one session's key leaves the others alone. */

static void
ngx_gateway_select_used_failed(ngx_gateway_select_used_t *used,
    mesh_redis_reply_t *reply)
{
    used->refused = 1;

    if (used->told) {
        return;
    }

    used->told = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "relays of session %uL on chain \"%*s\" are not counted "
                  "with other gateways: redis says \"%V\"",
                  used->chain->sessions[used->session].height,
                  (size_t) used->chain->name_len, used->chain->name,
                  &reply->str);
}


/* What Redis does not know any more was sent all the same. */

static void
ngx_gateway_select_used_sums(ngx_gateway_select_used_t *used,
    mesh_redis_reply_t *reply)
{
    int64_t                        others;
    uint32_t                       k;
    ngx_gateway_select_session_t  *session;

    session = &used->chain->sessions[used->session];

    if (session->generation != used->generation
        || ngx_gateway_select_leader_lock(used->registry->gmcf) != NGX_OK)
    {
        return;
    }

    for (k = 0; k < used->n; k++) {

        others = reply->elts[k].integer - (int64_t) used->own[k];

        if (others > (int64_t) session->others[k]) {
            (void) ngx_atomic_fetch_add(&session->used[k],
                                        (ngx_atomic_int_t) others
                                        - (ngx_atomic_int_t)
                                          session->others[k]);
            session->others[k] = (uint64_t) others;
        }
    }

    ngx_gateway_select_leader_unlock(used->registry->gmcf);
}
