
/*
 * The scripts, one role each, and the names of the keys.
 *
 * A ledger row is "recorded,delivered,by37,expired,time[,r<code>=n...]"; what
 * is queued is what is left of recorded.  Its time is that of the first record
 * or the last settling, so a record needs to touch the first number only.
 */


#include "ngx_mesh_relay_script.h"


typedef struct {
    ngx_str_t  name;
    ngx_str_t  text;
} ngx_mesh_relay_script_t;


/* indexed by ngx_mesh_relay_script_e */

static ngx_mesh_relay_script_t  ngx_mesh_relay_scripts[] = {

    { ngx_string("relay_open"),
      ngx_string(
"local v = redis.call('GET', KEYS[1])\n"
"if not v then\n"
"  redis.call('SET', KEYS[1], ARGV[1])\n"
"elseif v ~= ARGV[1] then\n"
"  return v\n"
"end\n"
"local e = redis.pcall('XGROUP', 'CREATE', KEYS[2], 'edge', '0',\n"
"                      'MKSTREAM')\n"
"if e.err and string.sub(e.err, 1, 9) ~= 'BUSYGROUP' then\n"
"  return e\n"
"end\n"
"return 1\n") },

    { ngx_string("relay_record"),
      ngx_string(
"local call = redis.call\n"
"local session, proof, id = KEYS[2], ARGV[1], ARGV[4]\n"
"local doubt, again = ARGV[7], ARGV[8]\n"
"local s = call('HMGET', session, 's', 'm', 'c', 'x')\n"
"local left = tonumber(s[2] or -1)\n"
"if s[1] == 'i' and not again then\n"
"  if call('HGET', KEYS[3], proof) == ARGV[2] then\n"
"    return {0, left}\n"
"  end\n"
"  return {tonumber(s[3]), s[4] or ''}\n"
"end\n"
"if call('HSETNX', KEYS[3], proof, ARGV[2]) == 0 then\n"
"  if again or call('HGET', KEYS[3], proof) == ARGV[2] then\n"
"    return {0, left}\n"
"  end\n"
"  return {37, ''}\n"
"end\n"
"if doubt then\n"
"  call('XADD', KEYS[1], '*', 's', id, 'r', ARGV[3], 't', ARGV[5],\n"
"       'd', doubt)\n"
"else\n"
"  call('XADD', KEYS[1], '*', 's', id, 'r', ARGV[3], 't', ARGV[5])\n"
"end\n"
"local row = call('HGET', KEYS[4], id)\n"
"if row then\n"
"  local n, rest = string.match(row, '^(%d+)(.*)$')\n"
"  row = string.format('%d', n + 1) .. rest\n"
"else\n"
"  row = '1,0,0,0,' .. ARGV[5]\n"
"end\n"
"call('HSET', KEYS[4], id, row)\n"
"if not s[1] then\n"
"  call('ZADD', KEYS[5], ARGV[6], id)\n"
"elseif s[1] == 'v' and left > 1 then\n"
"  left = left - 1\n"
"  call('HSET', session, 'm', left)\n"
"elseif s[1] == 'v' and left >= 0 then\n"
"  left = 0\n"
"  call('HSET', session, 's', 'i', 'c', 90, 'x', '', 'm', 0)\n"
"end\n"
"return again and {0, left, 1} or {0, left}\n") },

    { ngx_string("relay_settle"),
      ngx_string(
"local call = redis.call\n"
"local relays, ledger, dead = KEYS[1], KEYS[2], KEYS[3]\n"
"local now, n = ARGV[1], tonumber(ARGV[4])\n"
"local rows, gone, total = {}, {}, nil\n"
"local function bytes(e)\n"
"  return e and tonumber(e[2][#e[2]]) or 0\n"
"end\n"
"for i = n + 5, #ARGV, 3 do\n"
"  local id, at, out = ARGV[i], ARGV[i + 1], ARGV[i + 2]\n"
"  if call('XACK', relays, 'edge', id) == 1 then\n"
"    gone[#gone + 1] = id\n"
"    if out ~= 'd' and out ~= 'f' and ARGV[2] ~= '0' then\n"
"      local e = call('XRANGE', relays, id, id)[1]\n"
"      local copy = e and e[2] or {}\n"
"      copy[#copy + 1] = 'w'\n"
"      copy[#copy + 1] = out\n"
"      copy[#copy + 1] = 'n'\n"
"      copy[#copy + 1] = now\n"
"      total = total\n"
"          or bytes(call('XREVRANGE', dead, '+', '-', 'COUNT', 1)[1])\n"
"      total = total + #table.concat(copy)\n"
"      copy[#copy + 1] = 'b'\n"
"      copy[#copy + 1] = string.format('%.0f', total)\n"
"      call('XADD', dead, 'MAXLEN', '~', ARGV[2], '*', unpack(copy))\n"
"    end\n"
"    if out ~= 'x' then\n"
"      local r = rows[at]\n"
"      if not r then\n"
"        r = {}\n"
"        rows[at] = r\n"
"      end\n"
"      r[out] = (r[out] or 0) + 1\n"
"    end\n"
"  end\n"
"end\n"
"while total do\n"
"  local e = call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]\n"
"  if not e or total - bytes(e) <= tonumber(ARGV[3]) then\n"
"    break\n"
"  end\n"
"  call('XDEL', dead, e[1])\n"
"end\n"
"if #gone > 0 then\n"
"  call('XDEL', relays, unpack(gone))\n"
"end\n"
"for at, add in pairs(rows) do\n"
"  local id = ARGV[at + 4]\n"
"  local row = call('HGET', ledger, id) or '0,0,0,0,0'\n"
"  local a, b, c, d, codes =\n"
"      string.match(row, '^(%d+),(%d+),(%d+),(%d+),%d+(.*)$')\n"
"  b = b + (add.d or 0) + (add.f or 0)\n"
"  c = c + (add.f or 0)\n"
"  d = d + (add.e or 0)\n"
"  for k, v in string.gmatch(codes, '(%d+)=(%d+)') do\n"
"    add['r' .. k] = (add['r' .. k] or 0) + v\n"
"  end\n"
"  row = {a, b, c, d, now}\n"
"  for k, v in pairs(add) do\n"
"    if string.sub(k, 1, 1) == 'r' then\n"
"      row[#row + 1] = string.sub(k, 2) .. '=' .. string.format('%d', v)\n"
"    end\n"
"  end\n"
"  call('HSET', ledger, id, table.concat(row, ','))\n"
"end\n"
"return #gone\n") },

    { ngx_string("relay_session"),
      ngx_string(
"local call = redis.call\n"
"local session, id = KEYS[1], ARGV[1]\n"
"local s = call('HMGET', session, 's', 'c', 'm')\n"
"local old, code, left = s[1], s[2], tonumber(s[3] or -1)\n"
"local count = tonumber(ARGV[6])\n"
"local open = old ~= 'i' or code == '1'\n"
"if open and ARGV[3] == 'i' then\n"
"  if old ~= 'v' or ARGV[4] ~= '1' then\n"
"    call('HSET', session, 's', 'i', 'c', ARGV[4], 'x', ARGV[5],\n"
"         'm', left)\n"
"  end\n"
"elseif open and (old ~= 'v' or (left < 0 and count >= 0)) then\n"
"  local row = call('HGET', KEYS[2], id)\n"
"  if row and count >= 0 then\n"
"    local a, b, d, codes =\n"
"        string.match(row, '^(%d+),(%d+),%d+,(%d+),%d+(.*)$')\n"
"    count = count - (a - b - d)\n"
"    for v in string.gmatch(codes, '=(%d+)') do\n"
"      count = count + v\n"
"    end\n"
"    count = math.max(count, 0)\n"
"  end\n"
"  if count == 0 then\n"
"    call('HSET', session, 's', 'i', 'c', 90, 'x', '', 'm', 0)\n"
"  else\n"
"    call('HSET', session, 's', 'v', 'c', 0, 'x', '', 'm', count)\n"
"  end\n"
"end\n"
"if ARGV[7] ~= '' then\n"
"  call('HSET', session, 'd', ARGV[7])\n"
"end\n"
"call('ZADD', KEYS[3], ARGV[2], id)\n"
"return call('HMGET', session, 's', 'c', 'x', 'm', 'd')\n") },

    { ngx_string("relay_lease"),
      ngx_string(
"local v = redis.call('GET', KEYS[1])\n"
"if v == ARGV[1] then\n"
"  redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
"  return 1\n"
"end\n"
"local held = v and v ~= 'clean' and string.sub(v, 6, 6) ~= ':'\n"
"if ARGV[3] == '0' or held then\n"
"  return 0\n"
"end\n"
"redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
"return v == 'clean' and 2 or v or 3\n") },

    { ngx_string("relay_release"),
      ngx_string(
"if redis.call('GET', KEYS[1]) ~= ARGV[1] then\n"
"  return 0\n"
"end\n"
"redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
"return 1\n") },

    { ngx_string("relay_adopt"),
      ngx_string(
"local call = redis.call\n"
"local p = call('XPENDING', KEYS[1], 'edge', '-', '+', ARGV[3], ARGV[1])\n"
"if #p == 0 then\n"
"  call('XGROUP', 'DELCONSUMER', KEYS[1], 'edge', ARGV[1])\n"
"  return 0\n"
"end\n"
"local ids = {}\n"
"for i = 1, #p do\n"
"  ids[i] = p[i][1]\n"
"end\n"
"ids[#ids + 1] = 'JUSTID'\n"
"call('XCLAIM', KEYS[1], 'edge', ARGV[2], 0, unpack(ids))\n"
"return #p\n") },

    { ngx_string("relay_sweep"),
      ngx_string(
"local call = redis.call\n"
"local n = 0\n"
"for i, id in ipairs(ARGV) do\n"
"  local row = call('HGET', KEYS[1], id)\n"
"  local queued = 0\n"
"  if row then\n"
"    local a, b, d, codes =\n"
"        string.match(row, '^(%d+),(%d+),%d+,(%d+),%d+(.*)$')\n"
"    queued = a - b - d\n"
"    for v in string.gmatch(codes, '=(%d+)') do\n"
"      queued = queued - v\n"
"    end\n"
"  end\n"
"  if queued == 0 then\n"
"    call('UNLINK', KEYS[2 * i + 1], KEYS[2 * i + 2])\n"
"    call('ZREM', KEYS[2], id)\n"
"    n = n + 1\n"
"  end\n"
"end\n"
"return n\n") },

    { ngx_string("relay_prune"),
      ngx_string(
"local n = 0\n"
"for i = 1, #ARGV, 2 do\n"
"  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then\n"
"    n = n + redis.call('HDEL', KEYS[1], ARGV[i])\n"
"  end\n"
"end\n"
"return n\n") }
};


ngx_int_t
ngx_mesh_relay_script_add(ngx_conf_t *cf, ngx_mesh_relay_main_conf_t *mcf)
{
    ngx_uint_t                i;
    mesh_redis_script_t      *added;
    ngx_mesh_relay_script_t  *script;

    for (i = 0; i < NGX_MESH_RELAY_SCRIPT_LAST; i++) {

        script = &ngx_mesh_relay_scripts[i];

        added = mesh_redis_script_add(cf, mcf->mesh.redis, &script->name,
                                      &script->text);
        if (added == NULL) {
            return NGX_ERROR;
        }

        mcf->store->scripts[i] = added;
    }

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_script_eval(ngx_mesh_relay_main_conf_t *mcf,
    mesh_redis_t *redis, ngx_mesh_relay_script_e script, ngx_uint_t nkeys,
    ngx_uint_t argc, ngx_str_t *argv, mesh_redis_handler_pt handler,
    void *data, mesh_redis_cmd_t **cmd)
{
    return mesh_redis_eval(redis, mcf->store->scripts[script], nkeys, argc,
                           argv, handler, data, cmd);
}


ngx_int_t
ngx_mesh_relay_script_record(ngx_mesh_relay_main_conf_t *mcf,
    ngx_mesh_relay_script_record_t *in, mesh_redis_handler_pt handler,
    void *data, mesh_redis_cmd_t **cmd)
{
    u_char                  session[NGX_MESH_RELAY_KEY_MAX];
    u_char                  proofs[NGX_MESH_RELAY_KEY_MAX];
    u_char                  time[NGX_INT64_LEN], height[NGX_INT64_LEN];
    u_char                  doubt[NGX_MESH_RELAY_MOMENT_LEN];
    ngx_str_t               argv[13];
    ngx_uint_t              argc;
    ngx_mesh_relay_keys_t  *keys;

    keys = ngx_mesh_relay_store_keys(mcf, in->node);

    argv[0] = keys->relays;
    ngx_mesh_relay_key_join(&argv[1], session, &keys->session, &in->id);
    ngx_mesh_relay_key_join(&argv[2], proofs, &keys->proofs, &in->id);
    argv[3] = keys->ledger;
    argv[4] = keys->sessions;
    argv[5].data = in->proof_hash;
    argv[5].len = POCKET_HASH_LEN;
    argv[6].data = in->attempt;
    argv[6].len = NGX_MESH_RELAY_ATTEMPT_LEN;
    argv[7] = in->relay;
    argv[8] = in->id;
    argv[9].data = time;
    argv[9].len = ngx_sprintf(time, "%uL", in->time) - time;
    argv[10].data = height;
    argv[10].len = ngx_sprintf(height, "%L", in->height) - height;

    argc = 11;

    if (in->resent || in->again) {
        ngx_mesh_relay_store_moment(mcf, ngx_current_msec, &argv[argc],
                                    doubt);
        argc++;
    }

    if (in->again) {
        ngx_str_set(&argv[argc], "1");
        argc++;
    }

    return ngx_mesh_relay_script_eval(mcf, mcf->redis,
                                      NGX_MESH_RELAY_SCRIPT_RECORD, 5, argc,
                                      argv, handler, data, cmd);
}


ngx_int_t
ngx_mesh_relay_keys_init(ngx_conf_t *cf, ngx_mesh_relay_node_t *node,
    ngx_mesh_relay_keys_t *keys)
{
    u_char      *p;
    ngx_uint_t   i;
    ngx_str_t   *key;

    struct {
        ngx_str_t  *key;
        ngx_str_t   tail;
    } names[] = {
        { &keys->version, ngx_string("version") },
        { &keys->relays, ngx_string("relays") },
        { &keys->session, ngx_string("session:") },
        { &keys->proofs, ngx_string("proofs:") },
        { &keys->sessions, ngx_string("sessions") },
        { &keys->ledger, ngx_string("ledger") },
        { &keys->dead, ngx_string("dead") },
        { &keys->node, ngx_string("node") }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        key = names[i].key;
        key->len = sizeof("mesh:{}:") - 1 + node->name.len
                   + names[i].tail.len;

        if (key->len + NGX_MESH_RELAY_SESSION_ID_MAX
            > NGX_MESH_RELAY_KEY_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "name of full node \"%V\" is too long",
                               &node->name);
            return NGX_ERROR;
        }

        p = ngx_pnalloc(cf->pool, key->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        key->data = p;
        ngx_sprintf(p, "mesh:{%V}:%V", &node->name, &names[i].tail);
    }

    return NGX_OK;
}


void
ngx_mesh_relay_key_join(ngx_str_t *key, u_char *buf, ngx_str_t *prefix,
    ngx_str_t *id)
{
    u_char  *p;
    size_t   len;

    /* keys_init() left room for the longest id there is */

    len = ngx_min(id->len, NGX_MESH_RELAY_KEY_MAX - prefix->len);

    p = ngx_cpymem(buf, prefix->data, prefix->len);
    p = ngx_cpymem(p, id->data, len);

    key->data = buf;
    key->len = p - buf;
}
