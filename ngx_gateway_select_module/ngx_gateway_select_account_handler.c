
/*
 * GET /gateway/sessions[?chain=]: what became of the relays to each servicer
 * of each session, those that have ended among them, as far as it is kept.
 */


#include "ngx_gateway_select_account.h"
#include "ngx_gateway_select_report.h"
#include "pocket_key.h"


/* accounts looked at in one step */

#define NGX_GATEWAY_SELECT_ACCOUNT_STEP  64


static ngx_int_t ngx_gateway_select_sessions_handler(ngx_http_request_t *r);
static ngx_int_t ngx_gateway_select_sessions_next(
    ngx_gateway_select_report_t *report);
static u_char *ngx_gateway_select_sessions_item(
    ngx_gateway_select_report_t *report, u_char *p);
static void ngx_gateway_select_sessions_address(ngx_str_t *key, u_char *hex);


/* by ngx_gateway_select_became_e */

static const char  *ngx_gateway_select_sessions_counts[] = {
    "answered",
    "checks",
    "rejected",
    "code_28",
    "hedges",
    "timeouts",
    "refused"
};


ngx_gateway_select_endpoint_t  ngx_gateway_select_sessions_endpoint = {
    ngx_gateway_select_sessions_handler
};


static ngx_int_t
ngx_gateway_select_sessions_handler(ngx_http_request_t *r)
{
    return ngx_gateway_select_report(r, ngx_gateway_select_sessions_next,
                                     ngx_gateway_select_sessions_item, 0);
}


static ngx_int_t
ngx_gateway_select_sessions_next(ngx_gateway_select_report_t *report)
{
    uint32_t                        last;
    ngx_str_t                      *only;
    ngx_slab_pool_t                *shpool;
    ngx_gateway_select_zone_t      *zone;
    ngx_gateway_select_account_t   *account;
    ngx_gateway_select_accounts_t  *table;

    if (report->gmcf->shm_zone == NULL) {
        return NGX_DONE;
    }

    zone = ngx_gateway_select_zone(report->gmcf);
    shpool = zone->shpool;
    table = zone->sh->accounts;
    only = &report->only;

    if (table == NULL || report->position >= table->n) {
        return NGX_DONE;
    }

    last = ngx_min(report->position + NGX_GATEWAY_SELECT_ACCOUNT_STEP,
                   table->n);

    while (report->position < last) {

        account = &table->accounts[report->position++];

        ngx_shmtx_lock(&shpool->mutex);
        report->account = *account;
        ngx_shmtx_unlock(&shpool->mutex);

        account = &report->account;

        if (only->len == 0
            || (only->len == account->chain->name_len
                && ngx_memcmp(only->data, account->chain->name, only->len)
                   == 0))
        {
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


static u_char *
ngx_gateway_select_sessions_item(ngx_gateway_select_report_t *report,
    u_char *p)
{
    ngx_str_t                      name, app, key, address;
    ngx_uint_t                     i;
    ngx_gateway_select_account_t  *account;
    u_char                         hex[2 * POCKET_ADDR_LEN];

    account = &report->account;

    name.len = account->chain->name_len;
    name.data = account->chain->name;
    app.len = sizeof(account->app_key);
    app.data = account->app_key;
    key.len = sizeof(account->key);
    key.data = account->key;
    address.len = sizeof(hex);
    address.data = hex;

    ngx_gateway_select_sessions_address(&key, hex);

    p = ngx_gateway_select_text(p, "{\"chain\":", &name);
    p = ngx_sprintf(p, ",\"session_height\":%uL", account->height);
    p = ngx_gateway_select_text(p, ",\"app\":", &app);
    p = ngx_sprintf(p, ",\"state\":\"%s\"",
                    account->served ? "served" : "ended");
    p = ngx_gateway_select_text(p, ",\"node\":{\"address\":", &address);
    p = ngx_gateway_select_text(p, ",\"public_key\":", &key);
    *p++ = '}';

    for (i = 0; i < NGX_GATEWAY_SELECT_BECAMES; i++) {
        p = ngx_sprintf(p, ",\"%s\":%uA",
                        ngx_gateway_select_sessions_counts[i],
                        account->counts[i]);
    }

    *p++ = '}';

    return p;
}


/* Keys of sessions have been decoded when they came. */

static void
ngx_gateway_select_sessions_address(ngx_str_t *key, u_char *hex)
{
    size_t  len;
    u_char  binary[POCKET_PUBKEY_LEN], address[POCKET_ADDR_LEN];

    ngx_memzero(binary, sizeof(binary));

    (void) pocket_hex_decode((pocket_str_t *) key, binary, sizeof(binary),
                             &len);
    pocket_key_address(binary, address);

    ngx_hex_dump(hex, address, sizeof(address));
}
