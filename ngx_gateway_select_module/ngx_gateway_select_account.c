
/*
 * Accounts of sessions: see ngx_gateway_select_account.h.
 */


#include "ngx_gateway_select_account.h"


/* the share of the zone that the table has: one byte of so many */

#define NGX_GATEWAY_SELECT_ACCOUNTS_SHARE  32
#define NGX_GATEWAY_SELECT_ACCOUNTS_MIN    64


/* codes of errors */

#define NGX_GATEWAY_SELECT_CODE_INTERNAL   1
#define NGX_GATEWAY_SELECT_CODE_CHAIN      28


static ngx_gateway_select_accounts_t *ngx_gateway_select_accounts_create(
    ngx_gateway_select_zone_t *zone);
static ngx_uint_t ngx_gateway_select_account_of(
    ngx_gateway_select_account_t *account,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static void ngx_gateway_select_account_found(
    ngx_gateway_select_account_t *account, uint32_t i,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session);
static uint32_t ngx_gateway_select_account_new(
    ngx_gateway_select_accounts_t *table,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session, ngx_gateway_select_node_t *node);
static ngx_gateway_select_account_t *ngx_gateway_select_account_place(
    ngx_gateway_select_accounts_t *table);


ngx_int_t
ngx_gateway_select_accounts_open(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    uint32_t                        i, place;
    ngx_int_t                       rc;
    ngx_gateway_select_node_t      *node;
    ngx_gateway_select_accounts_t  *table;

    for (place = 0; place < NGX_GATEWAY_SELECT_SESSION_NODES; place++) {
        session->accounts[place] = NGX_GATEWAY_SELECT_NO_ACCOUNT;
    }

    table = ngx_gateway_select_accounts_create(zone);
    if (table == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < table->n; i++) {

        if (ngx_gateway_select_account_of(&table->accounts[i], chain,
                                          session))
        {
            ngx_gateway_select_account_found(&table->accounts[i], i, chain,
                                             session);
        }
    }

    rc = NGX_OK;

    for (place = 0; place < session->nnodes; place++) {

        if (session->accounts[place] != NGX_GATEWAY_SELECT_NO_ACCOUNT) {
            continue;
        }

        node = ngx_gateway_select_node(chain, session->nodes[place]);

        session->accounts[place] = ngx_gateway_select_account_new(table,
                                                       chain, session, node);

        if (session->accounts[place] == NGX_GATEWAY_SELECT_NO_ACCOUNT) {
            rc = NGX_DECLINED;
        }
    }

    return rc;
}


/* With the first session: most who have none need no table. */

static ngx_gateway_select_accounts_t *
ngx_gateway_select_accounts_create(ngx_gateway_select_zone_t *zone)
{
    size_t                          n;
    ngx_gateway_select_accounts_t  *table;

    if (zone->sh->accounts) {
        return zone->sh->accounts;
    }

    n = zone->gmcf->mesh.zone_size / NGX_GATEWAY_SELECT_ACCOUNTS_SHARE
        / sizeof(ngx_gateway_select_account_t);
    n = ngx_max(n, NGX_GATEWAY_SELECT_ACCOUNTS_MIN);

    table = ngx_slab_calloc_locked(zone->shpool,
                                   sizeof(ngx_gateway_select_accounts_t));
    if (table == NULL) {
        return NULL;
    }

    table->room = (uint32_t) n;
    table->accounts = ngx_slab_alloc_locked(zone->shpool,
                                   n * sizeof(ngx_gateway_select_account_t));

    if (table->accounts == NULL) {
        ngx_slab_free_locked(zone->shpool, table);
        return NULL;
    }

    zone->sh->accounts = table;

    return table;
}


static ngx_uint_t
ngx_gateway_select_account_of(ngx_gateway_select_account_t *account,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    return account->chain == chain
           && account->height == session->height
           && ngx_memcmp(account->app_key, session->app_key,
                         sizeof(account->app_key))
              == 0;
}


/* A session that had ended may come back, as of an application unstaked. */

static void
ngx_gateway_select_account_found(ngx_gateway_select_account_t *account,
    uint32_t i, ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    uint32_t                    place;
    ngx_gateway_select_node_t  *node;

    account->served = 1;

    for (place = 0; place < session->nnodes; place++) {

        node = ngx_gateway_select_node(chain, session->nodes[place]);

        if (node->sn.str.len == sizeof(account->key)
            && ngx_memcmp(node->key, account->key, sizeof(account->key)) == 0)
        {
            session->accounts[place] = i;
            return;
        }
    }
}


static uint32_t
ngx_gateway_select_account_new(ngx_gateway_select_accounts_t *table,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session, ngx_gateway_select_node_t *node)
{
    ngx_gateway_select_account_t  *account;

    if (node->sn.str.len != sizeof(account->key)) {
        return NGX_GATEWAY_SELECT_NO_ACCOUNT;
    }

    account = ngx_gateway_select_account_place(table);

    if (account == NULL) {
        return NGX_GATEWAY_SELECT_NO_ACCOUNT;
    }

    /* relays of the one before are not counted from here on */

    account->serial++;

    ngx_memory_barrier();

    account->chain = chain;
    account->height = session->height;
    account->served = 1;

    ngx_memzero((void *) account->counts, sizeof(account->counts));
    ngx_memcpy(account->app_key, session->app_key, sizeof(account->app_key));
    ngx_memcpy(account->key, node->key, sizeof(account->key));

    return (uint32_t) (account - table->accounts);
}


/* A new one while there is room, then of those that ended the oldest. */

static ngx_gateway_select_account_t *
ngx_gateway_select_account_place(ngx_gateway_select_accounts_t *table)
{
    uint32_t                       i;
    ngx_gateway_select_account_t  *account;

    if (table->n < table->room) {
        account = &table->accounts[table->n];

        ngx_memzero(account, sizeof(ngx_gateway_select_account_t));

        table->n++;

        return account;
    }

    for (i = 0; i < table->n; i++) {

        account = &table->accounts[table->hand];

        table->hand = (table->hand + 1) % table->n;

        if (!account->served) {
            return account;
        }
    }

    return NULL;
}


void
ngx_gateway_select_accounts_close(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_session_t *session)
{
    uint32_t                        i;
    ngx_gateway_select_accounts_t  *table;

    table = chain->sh->accounts;

    if (table == NULL) {
        return;
    }

    for (i = 0; i < table->n; i++) {

        if (ngx_gateway_select_account_of(&table->accounts[i], chain,
                                          session))
        {
            table->accounts[i].served = 0;
        }
    }
}


void
ngx_gateway_select_account(ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_account_ref_t *ref)
{
    uint32_t                        i;
    ngx_gateway_select_accounts_t  *table;

    ref->account = NULL;

    table = pick->chain->sh->accounts;
    i = pick->chain->sessions[pick->session].accounts[pick->place];

    if (table && i < table->room) {
        ref->account = &table->accounts[i];
        ref->serial = ref->account->serial;
    }
}


/*
 * The place may be given away between the look and the count: only after its
 * session has ended, and many after it, which no relay lasts.
 */

void
ngx_gateway_select_account_add(ngx_gateway_select_account_ref_t *ref,
    ngx_gateway_select_became_e became)
{
    if (ref->account == NULL) {
        return;
    }

    if (became != NGX_GATEWAY_SELECT_BECAME_NOTHING
        && ref->account->serial == ref->serial)
    {
        (void) ngx_atomic_fetch_add(&ref->account->counts[became], 1);
    }

    ref->account = NULL;
}


/*
 * A servicer takes down the proof before it asks the chain; edges of others
 * tell of all errors as internal ones.
 */

ngx_gateway_select_became_e
ngx_gateway_select_account_code(ngx_uint_t code)
{
    switch (code) {

    case NGX_GATEWAY_SELECT_CODE_INTERNAL:
    case NGX_GATEWAY_SELECT_CODE_CHAIN:
        return NGX_GATEWAY_SELECT_BECAME_CODE_28;

    default:
        return NGX_GATEWAY_SELECT_BECAME_REFUSED;
    }
}
