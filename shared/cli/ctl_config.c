
/*
 * Reading the config.json of a mesh client.
 */


#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl_config.h"
#include "pocket_json.h"


typedef struct {
    pocket_str_t          name;
    pocket_json_value_t   value;
} ctl_member_t;


static void ctl_config_comments(pocket_str_t *text);
static const ctl_setting_t *ctl_config_setting(const pocket_str_t *name);
static int ctl_config_members(const char *name, ctl_config_t *conf,
    pocket_json_array_t *members);
static const char *ctl_config_set(ctl_config_t *conf,
    const ctl_setting_t *setting, const pocket_json_value_t *json);


#define CTL_NO_TOTAL                                                          \
    "not needed: head, body, chain and answer have time-outs of their own"
#define CTL_NO_PAYLOADS   "not needed: payloads are never logged"
#define CTL_NO_NAMES      "not needed: there are no metrics to name chains in"
#define CTL_NO_CONNS                                                          \
    "not needed: connections are kept per worker, as many as are used"
#define CTL_NO_CACHE      "not needed: Redis keeps the relays"
#define CTL_NO_RELOAD     "not needed: nginx -s reload"
#define CTL_NO_POOL       "not needed: there are no thread pools"
#define CTL_NO_METRICS    "not needed: there are no metrics"


const ctl_setting_t  ctl_settings[CTL_SETTINGS] = {

    { "data_dir", CTL_TEXT, "", 0, "the directory of the files" },
    { "rpc_port", CTL_TEXT, "8081", 0, "listen" },
    { "client_rpc_timeout", CTL_COUNT, NULL, 120000, CTL_NO_TOTAL },
    { "client_rpc_read_timeout", CTL_COUNT, NULL, 60000,
      "client_body_timeout" },
    { "client_rpc_read_header_timeout", CTL_COUNT, NULL, 50000,
      "client_header_timeout" },
    { "client_rpc_write_timeout", CTL_COUNT, NULL, 90000, "send_timeout" },
    { "client_rpc_max_bytes_size", CTL_COUNT, NULL, 1048576,
      "client_max_body_size" },
    { "log_level", CTL_TEXT, "*:error", 0, "error_log" },
    { "log_relay_request", CTL_FLAG, NULL, 0, CTL_NO_PAYLOADS },
    { "log_chain_request", CTL_FLAG, NULL, 0, CTL_NO_PAYLOADS },
    { "log_chain_response", CTL_FLAG, NULL, 0, CTL_NO_PAYLOADS },
    { "user_agent", CTL_TEXT, "mesh-node", 0, "mesh_relay_user_agent" },
    { "auth_token_file", CTL_TEXT, "auth/mesh.json", 0, "mesh_relay_auth" },
    { "json_sort_relay_responses", CTL_FLAG, NULL, 1,
      "mesh_relay_sort_response" },

    { "chains_name", CTL_TEXT, "chains.json", 0, "mesh_relay_chains" },
    { "chains_name_map", CTL_TEXT, "", 0, CTL_NO_NAMES },
    { "remote_chains_name_map", CTL_TEXT, "", 0, CTL_NO_NAMES },
    { "chain_rpc_timeout", CTL_COUNT, NULL, 1200,
      "proxy_connect_timeout, proxy_send_timeout, proxy_read_timeout" },
    { "chain_rpc_max_idle_connections", CTL_COUNT, NULL, 2500, CTL_NO_CONNS },
    { "chain_rpc_max_conns_per_host", CTL_COUNT, NULL, 2500, CTL_NO_CONNS },
    { "chain_rpc_max_idle_conns_per_host", CTL_COUNT, NULL, 2500,
      CTL_NO_CONNS },
    { "chain_drop_connections", CTL_FLAG, NULL, 0,
      "proxy_set_header Connection" },
    { "chain_request_path_cleanup", CTL_FLAG, NULL, 0,
      "not needed: such bytes are percent-encoded, or refused with code 28" },

    { "relay_cache_file", CTL_TEXT, "data/relays.pkt", 0, CTL_NO_CACHE },
    { "relay_cache_background_sync_interval", CTL_COUNT, NULL, 3600,
      CTL_NO_CACHE },
    { "relay_cache_background_compaction_interval", CTL_COUNT, NULL, 18000,
      CTL_NO_CACHE },

    { "keys_hot_reload_interval", CTL_COUNT, NULL, 180000, CTL_NO_RELOAD },
    { "chains_hot_reload_interval", CTL_COUNT, NULL, 180000, CTL_NO_RELOAD },

    { "servicer_worker_strategy", CTL_TEXT, "balanced", 0, CTL_NO_POOL },
    { "servicer_max_workers", CTL_COUNT, NULL, 50,
      "mesh_relay_notify_concurrency, shared by nginx's workers" },
    { "servicer_max_workers_capacity", CTL_COUNT, NULL, 50000,
      "not needed: the queue is in Redis" },
    { "servicer_workers_idle_timeout", CTL_COUNT, NULL, 10000, CTL_NO_POOL },
    { "servicer_private_key_file", CTL_TEXT, "key/key.json", 0,
      "mesh_relay_servicers" },
    { "servicer_rpc_timeout", CTL_COUNT, NULL, 60000,
      "mesh_relay_notify_timeout" },
    { "servicer_rpc_max_idle_connections", CTL_COUNT, NULL, 2500,
      CTL_NO_CONNS },
    { "servicer_rpc_max_conns_per_host", CTL_COUNT, NULL, 2500,
      CTL_NO_CONNS },
    { "servicer_rpc_max_idle_conns_per_host", CTL_COUNT, NULL, 2500,
      CTL_NO_CONNS },
    { "servicer_auth_token_file", CTL_TEXT, "auth/servicer.json", 0,
      "mesh_relay_node_auth" },
    { "servicer_retry_max_times", CTL_COUNT, NULL, 3,
      "not needed: a relay is retried until it cannot be claimed any more" },
    { "servicer_retry_wait_min", CTL_COUNT, NULL, 10,
      "mesh_relay_retry_wait" },
    { "servicer_retry_wait_max", CTL_COUNT, NULL, 1200,
      "mesh_relay_retry_wait" },

    { "session_storage_worker_strategy", CTL_TEXT, "lazy", 0, CTL_NO_POOL },
    { "session_storage_max_workers", CTL_COUNT, NULL, 5, CTL_NO_POOL },
    { "session_storage_max_workers_capacity", CTL_COUNT, NULL, 10000,
      CTL_NO_POOL },
    { "session_storage_workers_idle_timeout", CTL_COUNT, NULL, 10000,
      CTL_NO_POOL },
    { "session_storage_validate_retry_max_times", CTL_COUNT, NULL, 10,
      "mesh_relay_session_retries" },

    { "node_check_interval", CTL_COUNT, NULL, 10,
      "mesh_relay_node_check_interval" },
    { "session_cache_clean_up_interval", CTL_COUNT, NULL, 1800,
      "not needed: sessions are dropped when they have expired" },

    { "pocket_prometheus_port", CTL_TEXT, "8083", 0, CTL_NO_METRICS },
    { "prometheus_max_open_files", CTL_COUNT, NULL, 3, CTL_NO_METRICS },
    { "metrics_moniker", CTL_TEXT, "geo-mesh-node", 0, CTL_NO_METRICS },
    { "metrics_worker_strategy", CTL_TEXT, "balanced", 0, CTL_NO_METRICS },
    { "metrics_max_workers", CTL_COUNT, NULL, 50, CTL_NO_METRICS },
    { "metrics_max_workers_capacity", CTL_COUNT, NULL, 50000,
      CTL_NO_METRICS },
    { "metrics_workers_idle_timeout", CTL_COUNT, NULL, 10000,
      CTL_NO_METRICS },
    { "metrics_attach_servicer_label", CTL_FLAG, NULL, 0, CTL_NO_METRICS },
    { "metrics_report_interval", CTL_COUNT, NULL, 10, CTL_NO_METRICS }
};


static const pocket_json_field_t  ctl_member_fields[] = {

    { pocket_string(""), POCKET_JSON_T_VALUE,
      offsetof(ctl_member_t, value), NULL }
};


static const pocket_json_table_t  ctl_member_table = {
    ctl_member_fields, 1, sizeof(ctl_member_t)
};


static const pocket_json_field_t  ctl_config_root = {
    pocket_string(""), POCKET_JSON_T_MAP, 0, &ctl_member_table
};


int
ctl_config_read(const char *name, ctl_config_t *conf)
{
    int                   rc;
    size_t                i;
    cli_buf_t             text;
    pocket_str_t          json;
    pocket_json_error_t   err;
    pocket_json_array_t   members;

    cli_arena_init(&conf->arena);
    conf->unknown = NULL;
    conf->nunknown = 0;

    for (i = 0; i < CTL_SETTINGS; i++) {
        conf->values[i].set = 0;
        conf->values[i].number = ctl_settings[i].number;
        conf->values[i].text = ctl_str(ctl_settings[i].text
                                       ? ctl_settings[i].text : "");
    }

    rc = ctl_file_read(name, 0, &text);

    if (rc != CTL_OK) {
        return rc;
    }

    json.len = text.text.len;
    json.data = pocket_alloc(&conf->arena.alloc, json.len + 1);

    if (json.data == NULL) {
        ctl_error("no memory");
        cli_buf_free(&text);
        return CTL_USAGE;
    }

    if (json.len) {
        memcpy(json.data, text.text.data, json.len);
    }

    cli_buf_free(&text);
    ctl_config_comments(&json);

    memset(&members, 0, sizeof(pocket_json_array_t));

    if (pocket_json_decode(&json, &ctl_config_root, &members, &err,
                           &conf->arena.alloc)
        != 1)
    {
        ctl_error("\"%s\": %.*s", name, (int) err.len, err.text);
        return CTL_FAILED;
    }

    return ctl_config_members(name, conf, &members);
}


/* a comment becomes space, so that positions in errors stay right */

static void
ctl_config_comments(pocket_str_t *text)
{
    unsigned char  *p, *last, *end;

    p = text->data;
    last = p + text->len;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {

            for (p++; p < last && *p != '"'; p++) {
                p += *p == '\\';
            }

            continue;
        }

        if (*p != '/' || last - p < 2) {
            continue;
        }

        if (p[1] == '/') {
            end = memchr(p, '\n', last - p);

        } else if (p[1] == '*') {
            for (end = p + 2; end < last - 1; end++) {
                if (end[0] == '*' && end[1] == '/') {
                    break;
                }
            }

            end = end < last - 1 ? end + 2 : NULL;

        } else {
            continue;
        }

        if (end == NULL) {
            end = last;
        }

        while (p < end) {
            *p = *p == '\n' ? '\n' : ' ';
            p++;
        }

        p--;
    }
}


static int
ctl_config_members(const char *name, ctl_config_t *conf,
    pocket_json_array_t *members)
{
    size_t                i;
    const char           *expected;
    ctl_member_t         *member;
    const ctl_setting_t  *setting;

    conf->unknown = pocket_alloc(&conf->arena.alloc,
                                 (members->n + 1) * sizeof(pocket_str_t));
    if (conf->unknown == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    member = members->elts;

    for (i = 0; i < members->n; i++) {

        setting = ctl_config_setting(&member[i].name);

        if (setting == NULL) {
            conf->unknown[conf->nunknown++] = member[i].name;
            continue;
        }

        expected = ctl_config_set(conf, setting, &member[i].value);

        if (expected) {
            ctl_error("\"%s\": \"%s\" is %.*s, %s is expected", name,
                      setting->name, (int) member[i].value.raw.len,
                      member[i].value.raw.data, expected);
            return CTL_FAILED;
        }
    }

    return CTL_OK;
}


static const ctl_setting_t *
ctl_config_setting(const pocket_str_t *name)
{
    size_t       i;
    const char  *s;

    for (i = 0; i < CTL_SETTINGS; i++) {
        s = ctl_settings[i].name;

        if (strlen(s) == name->len
            && strncasecmp(s, (char *) name->data, name->len) == 0)
        {
            return &ctl_settings[i];
        }
    }

    return NULL;
}


/* NULL, or what is expected instead; null leaves the default, as in Go */

static const char *
ctl_config_set(ctl_config_t *conf, const ctl_setting_t *setting,
    const pocket_json_value_t *json)
{
    ctl_value_t  *value;

    value = &conf->values[setting - ctl_settings];
    value->set = 1;

    if (json->kind == POCKET_JSON_NULL) {
        return NULL;
    }

    switch (setting->type) {

    case CTL_TEXT:

        if (json->kind == POCKET_JSON_NUMBER) {
            value->text = json->raw;
            return NULL;
        }

        if (pocket_json_value_string(json, &value->text, &conf->arena.alloc)
            != 1
            || memchr(value->text.data, '\0', value->text.len)
            || memchr(value->text.data, '\n', value->text.len))
        {
            return "a string of one line";
        }

        return NULL;

    case CTL_COUNT:

        if (json->kind != POCKET_JSON_NUMBER
            || !pocket_json_int64(&json->raw, &value->number)
            || value->number < 0 || value->number > INT32_MAX)
        {
            return "a number from 0 on";
        }

        return NULL;

    default:

        if (json->kind != POCKET_JSON_TRUE && json->kind != POCKET_JSON_FALSE)
        {
            return "true or false";
        }

        value->number = json->kind == POCKET_JSON_TRUE;

        return NULL;
    }
}


void
ctl_config_free(ctl_config_t *conf)
{
    cli_arena_free(&conf->arena);
}
