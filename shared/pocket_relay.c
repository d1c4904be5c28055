
#include "pocket_relay.h"

#include "pocket_json.h"

#include <string.h>


/*
 * The decoder fills this: a relay, and its headers as they came.  All tables
 * but the element's count their offsets from its start.
 */

typedef struct {
    pocket_relay_t        relay;
    pocket_str_t          chain;
    pocket_json_array_t   headers;
} pocket_relay_body_t;


static int pocket_relay_decode_body(const pocket_str_t *body,
    const pocket_json_field_t *root, pocket_relay_body_t *out,
    pocket_error_t *err, pocket_alloc_t *a);
static int pocket_relay_headers(pocket_relay_body_t *body,
    pocket_alloc_t *a);
static void pocket_relay_merge(pocket_header_t *dst,
    const pocket_header_t *src, size_t n, size_t width);
static int pocket_relay_header_cmp(const pocket_header_t *one,
    const pocket_header_t *two);
static void pocket_relay_payload_text(pocket_text_t *t,
    const pocket_payload_t *payload);


#define pocket_relay_field(name, type, member)                                \
    pocket_json_field(name, type, pocket_relay_body_t, member)

#define pocket_relay_struct(name, table)                                      \
    { pocket_string(name), POCKET_JSON_T_STRUCT, 0, &table }

#define pocket_relay_table(fields)                                            \
    pocket_json_table(fields, pocket_relay_body_t)


static const pocket_json_field_t  pocket_relay_header_field =
    { pocket_string(""), POCKET_JSON_T_STRING,
      offsetof(pocket_header_t, value), NULL };

static const pocket_json_table_t  pocket_relay_header_table =
    { &pocket_relay_header_field, 1, sizeof(pocket_header_t) };


static const pocket_json_field_t  pocket_relay_payload_fields[] = {
    pocket_relay_field("data", STRING, relay.payload.data),
    pocket_relay_field("method", STRING, relay.payload.method),
    pocket_relay_field("path", STRING, relay.payload.path),
    { pocket_string("headers"), POCKET_JSON_T_MAP,
      offsetof(pocket_relay_body_t, headers), &pocket_relay_header_table }
};

static const pocket_json_table_t  pocket_relay_payload_table =
    pocket_relay_table(pocket_relay_payload_fields);


static const pocket_json_field_t  pocket_relay_meta_fields[] = {
    pocket_relay_field("block_height", INT64, relay.block_height)
};

static const pocket_json_table_t  pocket_relay_meta_table =
    pocket_relay_table(pocket_relay_meta_fields);


static const pocket_json_field_t  pocket_relay_aat_fields[] = {
    pocket_relay_field("version", STRING, relay.proof.aat.version),
    pocket_relay_field("app_pub_key", STRING, relay.proof.aat.app_pub_key),
    pocket_relay_field("client_pub_key", STRING,
                       relay.proof.aat.client_pub_key),
    pocket_relay_field("signature", STRING, relay.proof.aat.signature)
};

static const pocket_json_table_t  pocket_relay_aat_table =
    pocket_relay_table(pocket_relay_aat_fields);


static const pocket_json_field_t  pocket_relay_proof_fields[] = {
    pocket_relay_field("request_hash", STRING, relay.proof.request_hash),
    pocket_relay_field("entropy", INT64, relay.proof.entropy),
    pocket_relay_field("session_block_height", INT64,
                       relay.proof.session_block_height),
    pocket_relay_field("servicer_pub_key", STRING,
                       relay.proof.servicer_pub_key),
    pocket_relay_field("blockchain", STRING, relay.proof.blockchain),
    pocket_relay_struct("aat", pocket_relay_aat_table),
    pocket_relay_field("signature", STRING, relay.proof.signature)
};

static const pocket_json_table_t  pocket_relay_proof_table =
    pocket_relay_table(pocket_relay_proof_fields);


static const pocket_json_field_t  pocket_relay_fields[] = {
    pocket_relay_struct("payload", pocket_relay_payload_table),
    pocket_relay_struct("meta", pocket_relay_meta_table),
    pocket_relay_struct("proof", pocket_relay_proof_table)
};

static const pocket_json_table_t  pocket_relay_table =
    pocket_relay_table(pocket_relay_fields);

static const pocket_json_field_t  pocket_relay_root =
    pocket_relay_struct("", pocket_relay_table);


static const pocket_json_field_t  pocket_sim_fields[] = {
    pocket_relay_field("relay_network_id", STRING, chain),
    pocket_relay_struct("payload", pocket_relay_payload_table)
};

static const pocket_json_table_t  pocket_sim_table =
    pocket_relay_table(pocket_sim_fields);

static const pocket_json_field_t  pocket_sim_root =
    pocket_relay_struct("", pocket_sim_table);


int
pocket_relay_decode(const pocket_str_t *body, pocket_relay_t *relay,
    pocket_error_t *err, pocket_alloc_t *a)
{
    pocket_relay_body_t  out;

    if (pocket_relay_decode_body(body, &pocket_relay_root, &out, err, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    *relay = out.relay;

    return POCKET_OK;
}


int
pocket_sim_decode(const pocket_str_t *body, pocket_sim_t *sim,
    pocket_error_t *err, pocket_alloc_t *a)
{
    pocket_relay_body_t  out;

    if (pocket_relay_decode_body(body, &pocket_sim_root, &out, err, a)
        != POCKET_OK)
    {
        return POCKET_ERROR;
    }

    sim->chain = out.chain;
    sim->payload = out.relay.payload;

    return POCKET_OK;
}


static int
pocket_relay_decode_body(const pocket_str_t *body,
    const pocket_json_field_t *root, pocket_relay_body_t *out,
    pocket_error_t *err, pocket_alloc_t *a)
{
    int                  rc;
    pocket_str_t         reason;
    pocket_json_error_t  error;

    memset(out, 0, sizeof(pocket_relay_body_t));

    /* the reference takes an empty body for the zero relay */

    if (body->len == 0) {
        return POCKET_OK;
    }

    rc = pocket_json_decode(body, root, out, &error, a);

    if (rc == 1 && pocket_relay_headers(out, a) == POCKET_OK) {
        return POCKET_OK;
    }

    if (rc == 0) {
        reason.data = error.text;
        reason.len = error.len;
        (void) pocket_error_set_reason(err, POCKET_ERR_DECODE, &reason, a);

    } else {
        pocket_error_set(err, POCKET_ERR_INTERNAL);
    }

    return POCKET_ERROR;
}


/* sorts the headers that came, and drops all but the last of one name */

static int
pocket_relay_headers(pocket_relay_body_t *body, pocket_alloc_t *a)
{
    size_t             i, n, width;
    pocket_header_t   *headers, *other, *swap;
    pocket_payload_t  *payload;

    payload = &body->relay.payload;

    payload->has_headers = body->headers.present;

    n = body->headers.n;

    if (n == 0) {
        return POCKET_OK;
    }

    headers = body->headers.elts;

    if (n > 1) {

        other = pocket_alloc(a, n * sizeof(pocket_header_t));
        if (other == NULL) {
            return POCKET_ERROR;
        }

        for (width = 1; width < n; width *= 2) {
            pocket_relay_merge(other, headers, n, width);

            swap = headers;
            headers = other;
            other = swap;
        }
    }

    payload->headers = headers;
    payload->nheaders = 0;

    for (i = 0; i < n; i++) {

        if (i + 1 < n
            && pocket_relay_header_cmp(&headers[i], &headers[i + 1]) == 0)
        {
            continue;
        }

        headers[payload->nheaders++] = headers[i];
    }

    return POCKET_OK;
}


/*
 * One round of a merge sort, which keeps the order of equal names: sorted
 * stretches of width become stretches of twice that.
 */

static void
pocket_relay_merge(pocket_header_t *dst, const pocket_header_t *src, size_t n,
    size_t width)
{
    size_t  i, j, k, left, right;

    for (k = 0; k < n; /* void */ ) {
        i = k;
        left = (n - k > width) ? k + width : n;
        j = left;
        right = (n - left > width) ? left + width : n;

        while (k < right) {

            if (j == right
                || (i < left
                    && pocket_relay_header_cmp(&src[i], &src[j]) <= 0))
            {
                dst[k++] = src[i++];

            } else {
                dst[k++] = src[j++];
            }
        }
    }
}


static int
pocket_relay_header_cmp(const pocket_header_t *one,
    const pocket_header_t *two)
{
    int     rc;
    size_t  len;

    len = (one->name.len < two->name.len) ? one->name.len : two->name.len;

    rc = len ? memcmp(one->name.data, two->name.data, len) : 0;

    if (rc || one->name.len == two->name.len) {
        return rc;
    }

    return (one->name.len < two->name.len) ? -1 : 1;
}


size_t
pocket_relay_size(const pocket_relay_t *relay)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_text_init(&t, buf, sizeof(buf), NULL, NULL);
    pocket_relay_text(&t, relay);

    return pocket_text_end(&t);
}


unsigned char *
pocket_relay_write(unsigned char *dst, const pocket_relay_t *relay)
{
    pocket_text_t  t;
    unsigned char  buf[POCKET_TEXT_SIZE];

    pocket_text_init(&t, buf, sizeof(buf), pocket_text_copy, &dst);
    pocket_relay_text(&t, relay);
    (void) pocket_text_end(&t);

    return dst;
}


void
pocket_relay_text(pocket_text_t *t, const pocket_relay_t *relay)
{
    pocket_relay_head_text(t, relay);
    pocket_relay_tail_text(t, &relay->proof);
}


void
pocket_relay_request_text(pocket_text_t *t, const pocket_relay_t *relay)
{
    pocket_relay_head_text(t, relay);
    pocket_text_literal(t, "}");
}


void
pocket_relay_head_text(pocket_text_t *t, const pocket_relay_t *relay)
{
    pocket_text_literal(t, "{\"payload\":");
    pocket_relay_payload_text(t, &relay->payload);

    pocket_text_literal(t, ",\"meta\":{\"block_height\":");
    pocket_text_int(t, relay->block_height);
    pocket_text_literal(t, "}");
}


void
pocket_relay_tail_text(pocket_text_t *t, const pocket_proof_t *proof)
{
    const pocket_aat_t  *aat;

    aat = &proof->aat;

    pocket_text_literal(t, ",\"proof\":{\"request_hash\":");
    pocket_text_string(t, &proof->request_hash);
    pocket_text_literal(t, ",\"entropy\":");
    pocket_text_int(t, proof->entropy);
    pocket_text_literal(t, ",\"session_block_height\":");
    pocket_text_int(t, proof->session_block_height);
    pocket_text_literal(t, ",\"servicer_pub_key\":");
    pocket_text_string(t, &proof->servicer_pub_key);
    pocket_text_literal(t, ",\"blockchain\":");
    pocket_text_string(t, &proof->blockchain);

    pocket_text_literal(t, ",\"aat\":{\"version\":");
    pocket_text_string(t, &aat->version);
    pocket_text_literal(t, ",\"app_pub_key\":");
    pocket_text_string(t, &aat->app_pub_key);
    pocket_text_literal(t, ",\"client_pub_key\":");
    pocket_text_string(t, &aat->client_pub_key);
    pocket_text_literal(t, ",\"signature\":");
    pocket_text_string(t, &aat->signature);

    pocket_text_literal(t, "},\"signature\":");
    pocket_text_string(t, &proof->signature);
    pocket_text_literal(t, "}}");
}


static void
pocket_relay_payload_text(pocket_text_t *t, const pocket_payload_t *payload)
{
    size_t  i;

    pocket_text_literal(t, "{\"data\":");
    pocket_text_string(t, &payload->data);
    pocket_text_literal(t, ",\"method\":");
    pocket_text_string(t, &payload->method);
    pocket_text_literal(t, ",\"path\":");
    pocket_text_string(t, &payload->path);
    pocket_text_literal(t, ",\"headers\":");

    if (!payload->has_headers) {
        pocket_text_literal(t, "null}");
        return;
    }

    pocket_text_literal(t, "{");

    for (i = 0; i < payload->nheaders; i++) {

        if (i) {
            pocket_text_literal(t, ",");
        }

        pocket_text_string(t, &payload->headers[i].name);
        pocket_text_literal(t, ":");
        pocket_text_string(t, &payload->headers[i].value);
    }

    pocket_text_literal(t, "}}");
}


void
pocket_relay_aat_text(pocket_text_t *t, const pocket_aat_t *aat)
{
    pocket_text_literal(t, "{\"version\":");
    pocket_text_string(t, &aat->version);
    pocket_text_literal(t, ",\"app_pub_key\":");
    pocket_text_string(t, &aat->app_pub_key);
    pocket_text_literal(t, ",\"client_pub_key\":");
    pocket_text_string(t, &aat->client_pub_key);
    pocket_text_literal(t, ",\"signature\":\"\"}");
}


void
pocket_relay_proof_text(pocket_text_t *t, const pocket_proof_t *proof,
    const unsigned char *aat_hash)
{
    pocket_text_literal(t, "{\"entropy\":");
    pocket_text_int(t, proof->entropy);
    pocket_text_literal(t, ",\"session_block_height\":");
    pocket_text_int(t, proof->session_block_height);
    pocket_text_literal(t, ",\"servicer_pub_key\":");
    pocket_text_string(t, &proof->servicer_pub_key);
    pocket_text_literal(t, ",\"blockchain\":");
    pocket_text_string(t, &proof->blockchain);
    pocket_text_literal(t, ",\"signature\":\"\",\"token\":");
    pocket_text_hex(t, aat_hash, POCKET_HASH_LEN);
    pocket_text_literal(t, ",\"request_hash\":");
    pocket_text_string(t, &proof->request_hash);
    pocket_text_literal(t, "}");
}
