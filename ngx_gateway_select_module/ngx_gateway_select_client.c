
/*
 * What is kept of clients: see ngx_gateway_select_client.h.
 *
 * A place is one word, so that no reader sees half of it: a tag of the
 * client, and the height or a time and a node.  Eight places, a cache line,
 * make a row; a client may stand in any place of its row.
 */


#include "ngx_gateway_select_client.h"


#define NGX_GATEWAY_SELECT_CLIENT_ROW      8
#define NGX_GATEWAY_SELECT_CLIENT_BITS     44
#define NGX_GATEWAY_SELECT_CLIENT_HEIGHTS                                     \
    (((uint64_t) 1 << NGX_GATEWAY_SELECT_CLIENT_BITS) - 1)

/* of a sticky client: seconds above the node's slot */

#define NGX_GATEWAY_SELECT_CLIENT_SLOTS                                       \
    (NGX_GATEWAY_SELECT_CHUNKS_MAX * NGX_GATEWAY_SELECT_CHUNK)

/* the share of the zone that a table has: one byte of so many */

#define NGX_GATEWAY_SELECT_CLIENT_SHARE    64
#define NGX_GATEWAY_SELECT_CLIENT_ROWS_MAX 65536


typedef struct {
    ngx_uint_t                     nrows;      /* a power of two */
    ngx_atomic_t                  *places;
} ngx_gateway_select_clients_t;


static void *ngx_gateway_select_clients_table(
    ngx_gateway_select_zone_t *zone);
static ngx_atomic_t *ngx_gateway_select_client_row(
    ngx_gateway_select_clients_t *clients, uint64_t key);
static ngx_atomic_t *ngx_gateway_select_client_place(ngx_atomic_t *row,
    uint64_t key);
static ngx_inline ngx_atomic_uint_t ngx_gateway_select_client_word(
    uint64_t key, uint64_t height);
static ngx_uint_t ngx_gateway_select_client_believed(
    gateway_height_ref_t *ref, uint64_t height);
static ngx_inline uint64_t ngx_gateway_select_client_mix(
    ngx_gateway_select_chain_sh_t *chain, uint64_t key);
static ngx_inline uint64_t ngx_gateway_select_client_seconds(void);


char *
ngx_gateway_select_client(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                  *value;
    ngx_http_complex_value_t  **client;

    client = (ngx_http_complex_value_t **) (p + cmd->offset);

    if (*client != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") != 0
        && ngx_http_script_variables_count(&value[1]) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"gateway_client\", text "
                           "with a variable, or \"off\", is expected",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    *client = mesh_conf_complex(cf, &value[1]);

    return *client ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_gateway_select_clients_create(ngx_gateway_select_zone_t *zone)
{
    zone->sh->clients = ngx_gateway_select_clients_table(zone);
    zone->sh->sticky = ngx_gateway_select_clients_table(zone);

    return (zone->sh->clients && zone->sh->sticky) ? NGX_OK : NGX_ERROR;
}


static void *
ngx_gateway_select_clients_table(ngx_gateway_select_zone_t *zone)
{
    ngx_uint_t                     nrows;
    ngx_gateway_select_clients_t  *clients;

    nrows = 1;

    while (nrows < NGX_GATEWAY_SELECT_CLIENT_ROWS_MAX
           && nrows * 2 * NGX_GATEWAY_SELECT_CLIENT_ROW * sizeof(ngx_atomic_t)
              <= zone->gmcf->mesh.zone_size / NGX_GATEWAY_SELECT_CLIENT_SHARE)
    {
        nrows *= 2;
    }

    clients = ngx_slab_alloc(zone->shpool,
                             sizeof(ngx_gateway_select_clients_t));
    if (clients == NULL) {
        return NULL;
    }

    clients->nrows = nrows;
    clients->places = ngx_slab_calloc(zone->shpool,
                                      nrows * NGX_GATEWAY_SELECT_CLIENT_ROW
                                      * sizeof(ngx_atomic_t));

    return clients->places ? clients : NULL;
}


uint64_t
ngx_gateway_select_client_key(ngx_http_request_t *r,
    ngx_http_complex_value_t *client, ngx_gateway_select_chain_sh_t *chain)
{
    uint64_t   key;
    uint32_t   crc;
    ngx_str_t  value;

    ngx_str_null(&value);

    if (client) {

        if (client->lengths == NULL
            || ngx_http_complex_value(r, client, &value) != NGX_OK)
        {
            return 0;
        }
    }

    /* an empty value is that of no client: the chain as a whole */

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) &chain->index, sizeof(ngx_uint_t));
    ngx_crc32_update(&crc, value.data, value.len);
    ngx_crc32_final(crc);

    key = (uint64_t) crc << 32
          | (ngx_murmur_hash2(value.data, value.len) ^ chain->hash);

    return key ? key : 1;
}


uint64_t
ngx_gateway_select_client_height(ngx_gateway_select_sh_t *sh, uint64_t key)
{
    ngx_atomic_t  *place;

    if (key == 0) {
        return 0;
    }

    place = ngx_gateway_select_client_place(
                       ngx_gateway_select_client_row(sh->clients, key), key);

    return place ? (*place & NGX_GATEWAY_SELECT_CLIENT_HEIGHTS) : 0;
}


void
ngx_gateway_select_client_told(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, uint64_t height, ngx_uint_t back)
{
    ngx_uint_t          i;
    ngx_atomic_t       *row, *place;
    ngx_atomic_uint_t   old, word;

    if (key == 0
        || height == 0
        || !ngx_gateway_select_client_believed(&chain->height, height))
    {
        return;
    }

    row = ngx_gateway_select_client_row(chain->sh->clients, key);
    place = ngx_gateway_select_client_place(row, key);
    word = ngx_gateway_select_client_word(key, height);

    if (place == NULL) {

        for (i = 0; i < NGX_GATEWAY_SELECT_CLIENT_ROW - 1; i++) {
            if (row[i] == 0) {
                break;
            }
        }

        /* a full row: any of the last ones gives its place */

        if (row[i] != 0) {
            i = height % NGX_GATEWAY_SELECT_CLIENT_ROW;
        }

        (void) ngx_atomic_cmp_set(&row[i], row[i], word);

        return;
    }

    do {
        old = *place;

        /* another client's by now, or as high already */

        if (old >> NGX_GATEWAY_SELECT_CLIENT_BITS
            != word >> NGX_GATEWAY_SELECT_CLIENT_BITS
            || old == word
            || (old > word && !back))
        {
            return;
        }

    } while (!ngx_atomic_cmp_set(place, old, word));
}


uint32_t
ngx_gateway_select_client_node(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, time_t seconds)
{
    uint64_t       at;
    ngx_atomic_t  *place;

    key = ngx_gateway_select_client_mix(chain, key);

    place = ngx_gateway_select_client_place(
                ngx_gateway_select_client_row(chain->sh->sticky, key), key);

    if (place == NULL) {
        return NGX_GATEWAY_SELECT_NO_NODE;
    }

    at = *place & NGX_GATEWAY_SELECT_CLIENT_HEIGHTS;

    if (ngx_gateway_select_client_seconds()
        > at / NGX_GATEWAY_SELECT_CLIENT_SLOTS + (uint64_t) seconds)
    {
        return NGX_GATEWAY_SELECT_NO_NODE;
    }

    return (uint32_t) (at % NGX_GATEWAY_SELECT_CLIENT_SLOTS);
}


void
ngx_gateway_select_client_sent(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key, uint32_t node)
{
    ngx_uint_t          i;
    ngx_atomic_t       *row, *place;
    ngx_atomic_uint_t   word;

    key = ngx_gateway_select_client_mix(chain, key);
    row = ngx_gateway_select_client_row(chain->sh->sticky, key);
    place = ngx_gateway_select_client_place(row, key);

    word = ngx_gateway_select_client_word(key,
                   ngx_gateway_select_client_seconds()
                   * NGX_GATEWAY_SELECT_CLIENT_SLOTS + node);

    if (place == NULL) {

        /* a full row: who came last the longest ago gives its place */

        place = &row[0];

        for (i = 1; i < NGX_GATEWAY_SELECT_CLIENT_ROW; i++) {
            if ((row[i] & NGX_GATEWAY_SELECT_CLIENT_HEIGHTS)
                < (*place & NGX_GATEWAY_SELECT_CLIENT_HEIGHTS))
            {
                place = &row[i];
            }
        }
    }

    /* most callers come more than once a second: nothing is new then */

    if (*place != word) {
        *place = word;
    }
}


static ngx_atomic_t *
ngx_gateway_select_client_row(ngx_gateway_select_clients_t *clients,
    uint64_t key)
{
    return &clients->places[(key & (clients->nrows - 1))
                            * NGX_GATEWAY_SELECT_CLIENT_ROW];
}


static ngx_atomic_t *
ngx_gateway_select_client_place(ngx_atomic_t *row, uint64_t key)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  tag;

    tag = ngx_gateway_select_client_word(key, 0);

    for (i = 0; i < NGX_GATEWAY_SELECT_CLIENT_ROW; i++) {
        if (row[i] && (row[i] & ~NGX_GATEWAY_SELECT_CLIENT_HEIGHTS) == tag) {
            return &row[i];
        }
    }

    return NULL;
}


static ngx_inline ngx_atomic_uint_t
ngx_gateway_select_client_word(uint64_t key, uint64_t height)
{
    return (key >> NGX_GATEWAY_SELECT_CLIENT_BITS
                << NGX_GATEWAY_SELECT_CLIENT_BITS)
           | (height & NGX_GATEWAY_SELECT_CLIENT_HEIGHTS);
}


/*
 * One node that tells an absurd height must not bind its clients to itself.
 */

static ngx_uint_t
ngx_gateway_select_client_believed(gateway_height_ref_t *ref, uint64_t height)
{
    uint64_t  now, highest;

    if (ref->reference == 0) {
        return 0;
    }

    now = ngx_gateway_select_now();
    highest = ref->reference + ref->tolerance + 1;

    if (ref->block_time && now > ref->reference_at) {
        highest += (now - ref->reference_at) / ref->block_time;
    }

    return height <= highest;
}


/* as a client may ask several chains */

static ngx_inline uint64_t
ngx_gateway_select_client_mix(ngx_gateway_select_chain_sh_t *chain,
    uint64_t key)
{
    return key ^ (uint64_t) chain->hash * 0x9e3779b97f4a7c15;
}


/* never 0: a word of 0 is a free place */

static ngx_inline uint64_t
ngx_gateway_select_client_seconds(void)
{
    return ngx_current_msec / 1000 + 1;
}
