
/*
 * The ledger as JSON, read from Redis in pieces.
 */


#include "ngx_mesh_relay_notify.h"


#define NGX_MESH_RELAY_LEDGER_PIECE  256       /* rows asked for at once */

/* names and punctuation of a row; its numbers; a code and its number */

#define NGX_MESH_RELAY_LEDGER_TEXT                                            \
    (sizeof(",{\"node\":\"\",\"servicer\":\"\",\"session_height\":,"          \
            "\"chain\":\"\",\"app\":\"\",\"recorded\":,\"queued\":,"          \
            "\"delivered\":,\"delivered_by_37\":,\"refused\":{},"             \
            "\"expired\":}") - 1 + 6 * NGX_INT64_LEN)

#define NGX_MESH_RELAY_LEDGER_CODE   (sizeof(",\"\":") - 1)


/*
 * A reading.  It does not live in the caller's pool, which is gone once
 * canceled is set.
 */

typedef struct {
    ngx_mesh_relay_main_conf_t   *mcf;
    ngx_pool_t                   *pool;
    ngx_mesh_relay_ledger_pt      handler;
    void                         *data;
    ngx_uint_t                    canceled;
    ngx_uint_t                    node;        /* being read */
    ngx_rbtree_t                  seen;        /* rows of it, by id */
    ngx_rbtree_node_t             sentinel;
    ngx_chain_t                  *out;
    ngx_chain_t                 **last;
    off_t                         length;
    ngx_uint_t                    rows;
} ngx_mesh_relay_ledger_t;


static ngx_int_t ngx_mesh_relay_ledger_ask(ngx_mesh_relay_ledger_t *ledger,
    ngx_str_t *cursor);
static void ngx_mesh_relay_ledger_answer(void *data,
    mesh_redis_outcome_e outcome, mesh_redis_reply_t *reply);
static ngx_int_t ngx_mesh_relay_ledger_rows(ngx_mesh_relay_ledger_t *ledger,
    mesh_redis_reply_t *rows);
static ngx_int_t ngx_mesh_relay_ledger_seen(ngx_mesh_relay_ledger_t *ledger,
    ngx_str_t *id);
static ngx_int_t ngx_mesh_relay_ledger_add(ngx_mesh_relay_ledger_t *ledger,
    ngx_str_t *id, ngx_mesh_relay_row_t *row);
static u_char *ngx_mesh_relay_ledger_codes(u_char *p, ngx_str_t *codes);
static ngx_int_t ngx_mesh_relay_ledger_code(ngx_str_t *rest, ngx_str_t *code,
    int64_t *n);
static ngx_buf_t *ngx_mesh_relay_ledger_buf(ngx_mesh_relay_ledger_t *ledger,
    size_t size);
static ngx_int_t ngx_mesh_relay_ledger_text(ngx_mesh_relay_ledger_t *ledger,
    char *text);
static void ngx_mesh_relay_ledger_end(ngx_mesh_relay_ledger_t *ledger,
    ngx_int_t rc);


ngx_int_t
ngx_mesh_relay_ledger_read(ngx_mesh_relay_main_conf_t *mcf, ngx_pool_t *pool,
    ngx_mesh_relay_ledger_pt handler, void *data, ngx_uint_t **cancel)
{
    ngx_str_t                 cursor;
    ngx_mesh_relay_ledger_t  *ledger;

    ledger = ngx_calloc(sizeof(ngx_mesh_relay_ledger_t), ngx_cycle->log);
    if (ledger == NULL) {
        return NGX_ERROR;
    }

    ledger->mcf = mcf;
    ledger->pool = pool;
    ledger->handler = handler;
    ledger->data = data;
    ledger->last = &ledger->out;

    ngx_rbtree_init(&ledger->seen, &ledger->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_str_set(&cursor, "0");

    if (ngx_mesh_relay_ledger_text(ledger, "[") != NGX_OK
        || ngx_mesh_relay_ledger_ask(ledger, &cursor) != NGX_OK)
    {
        ngx_free(ledger);
        return NGX_ERROR;
    }

    *cancel = &ledger->canceled;

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_ledger_ask(ngx_mesh_relay_ledger_t *ledger, ngx_str_t *cursor)
{
    ngx_str_t               argv[5];
    ngx_mesh_relay_node_t  *node;

    node = ledger->mcf->nodes.elts;

    ngx_str_set(&argv[0], "HSCAN");
    argv[1] = ngx_mesh_relay_store_keys(ledger->mcf,
                                        &node[ledger->node])->ledger;
    argv[2] = *cursor;
    ngx_str_set(&argv[3], "COUNT");
    ngx_str_set(&argv[4], ngx_value(NGX_MESH_RELAY_LEDGER_PIECE));

    return mesh_redis_command(ledger->mcf->redis, 5, argv,
                              ngx_mesh_relay_ledger_answer, ledger, NULL);
}


static void
ngx_mesh_relay_ledger_answer(void *data, mesh_redis_outcome_e outcome,
    mesh_redis_reply_t *reply)
{
    ngx_mesh_relay_ledger_t *ledger = data;

    ngx_str_t  *cursor;

    if (ledger->canceled) {
        ngx_free(ledger);
        return;
    }

    if (outcome != MESH_REDIS_ANSWERED
        || reply->kind != MESH_REDIS_ARRAY
        || reply->nelts != 2
        || reply->elts[0].kind != MESH_REDIS_STRING
        || reply->elts[1].kind != MESH_REDIS_ARRAY
        || ngx_mesh_relay_ledger_rows(ledger, &reply->elts[1]) != NGX_OK)
    {
        ngx_mesh_relay_ledger_end(ledger, NGX_ERROR);
        return;
    }

    cursor = &reply->elts[0].str;

    if (cursor->len == 1 && cursor->data[0] == '0') {

        if (++ledger->node == ledger->mcf->nodes.nelts) {
            ngx_mesh_relay_ledger_end(ledger,
                                   ngx_mesh_relay_ledger_text(ledger, "]\n"));
            return;
        }

        ngx_rbtree_init(&ledger->seen, &ledger->sentinel,
                        ngx_str_rbtree_insert_value);
    }

    if (ngx_mesh_relay_ledger_ask(ledger, cursor) != NGX_OK) {
        ngx_mesh_relay_ledger_end(ledger, NGX_ERROR);
    }
}


static ngx_int_t
ngx_mesh_relay_ledger_rows(ngx_mesh_relay_ledger_t *ledger,
    mesh_redis_reply_t *rows)
{
    ngx_int_t              rc;
    ngx_str_t             *id;
    ngx_uint_t             i;
    ngx_mesh_relay_row_t   row;

    for (i = 0; i + 1 < rows->nelts; i += 2) {

        id = &rows->elts[i].str;

        rc = ngx_mesh_relay_ledger_seen(ledger, id);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (ngx_mesh_relay_ledger_row(&rows->elts[i + 1].str, &row)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "row \"%V\" of the ledger cannot be read", id);
            continue;
        }

        if (ngx_mesh_relay_ledger_add(ledger, id, &row) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Redis may give a row twice while it resizes; NGX_DECLINED: it did */

static ngx_int_t
ngx_mesh_relay_ledger_seen(ngx_mesh_relay_ledger_t *ledger, ngx_str_t *id)
{
    uint32_t         hash;
    ngx_str_node_t  *sn;

    hash = ngx_crc32_long(id->data, id->len);

    if (ngx_str_rbtree_lookup(&ledger->seen, id, hash)) {
        return NGX_DECLINED;
    }

    sn = ngx_palloc(ledger->pool, sizeof(ngx_str_node_t));
    if (sn == NULL) {
        return NGX_ERROR;
    }

    sn->str.data = ngx_pstrdup(ledger->pool, id);
    if (sn->str.data == NULL) {
        return NGX_ERROR;
    }

    sn->str.len = id->len;
    sn->node.key = hash;

    ngx_rbtree_insert(&ledger->seen, &sn->node);

    return NGX_OK;
}


static ngx_int_t
ngx_mesh_relay_ledger_add(ngx_mesh_relay_ledger_t *ledger, ngx_str_t *id,
    ngx_mesh_relay_row_t *row)
{
    size_t                         size;
    u_char                        *p;
    ngx_buf_t                     *b;
    ngx_uint_t                     i;
    ngx_mesh_relay_node_t         *node;
    ngx_mesh_relay_session_key_t   key;

    if (ngx_mesh_relay_session_parse(ledger->mcf, id, &key) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "row \"%V\" of the ledger is of no session", id);
        return NGX_OK;
    }

    node = ledger->mcf->nodes.elts;
    node += ledger->node;

    size = NGX_MESH_RELAY_LEDGER_TEXT + id->len + node->name.len
           + ngx_escape_json(NULL, node->name.data, node->name.len)
           + row->codes.len;

    for (i = 0; i < row->codes.len; i++) {

        if (row->codes.data[i] == '=') {
            size += NGX_MESH_RELAY_LEDGER_CODE;
        }
    }

    b = ngx_mesh_relay_ledger_buf(ledger, size);
    if (b == NULL) {
        return NGX_ERROR;
    }

    p = b->last;

    if (ledger->rows++) {
        *p++ = ',';
    }

    p = ngx_cpymem(p, "{\"node\":\"", sizeof("{\"node\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, node->name.data, node->name.len);
    p = ngx_sprintf(p, "\",\"servicer\":\"%*s\",\"session_height\":%L,"
                    "\"chain\":\"%V\",\"app\":\"%V\",\"recorded\":%L,"
                    "\"queued\":%L,\"delivered\":%L,\"delivered_by_37\":%L,"
                    "\"refused\":{",
                    (size_t) NGX_MESH_RELAY_ADDR_HEX_LEN, id->data,
                    key.height, &key.chain, &key.app, row->recorded,
                    row->recorded - row->delivered - row->refused
                    - row->expired, row->delivered, row->by37);
    p = ngx_mesh_relay_ledger_codes(p, &row->codes);
    p = ngx_sprintf(p, "},\"expired\":%L}", row->expired);

    ledger->length += p - b->last;
    b->last = p;

    return NGX_OK;
}


static u_char *
ngx_mesh_relay_ledger_codes(u_char *p, ngx_str_t *codes)
{
    int64_t     n;
    ngx_str_t   rest, code;
    ngx_uint_t  i;

    rest = *codes;

    for (i = 0; ngx_mesh_relay_ledger_code(&rest, &code, &n) == NGX_OK; i++) {
        p = ngx_sprintf(p, "%s\"%V\":%L", i ? "," : "", &code, n);
    }

    return p;
}


/* takes ",code=n" from rest; NGX_DONE: nothing is left */

static ngx_int_t
ngx_mesh_relay_ledger_code(ngx_str_t *rest, ngx_str_t *code, int64_t *n)
{
    off_t    number;
    u_char  *p, *equals, *end, *last;

    if (rest->len == 0) {
        return NGX_DONE;
    }

    p = rest->data + 1;
    last = rest->data + rest->len;

    equals = ngx_strlchr(p, last, '=');

    if (*rest->data != ',' || equals == NULL || equals == p) {
        return NGX_ERROR;
    }

    end = ngx_strlchr(equals, last, ',');

    if (end == NULL) {
        end = last;
    }

    number = ngx_atoof(equals + 1, end - equals - 1);

    if (number == NGX_ERROR) {
        return NGX_ERROR;
    }

    *n = number;

    code->data = p;
    code->len = equals - p;

    rest->data = end;
    rest->len = last - end;

    return NGX_OK;
}


ngx_int_t
ngx_mesh_relay_ledger_row(ngx_str_t *text, ngx_mesh_relay_row_t *row)
{
    off_t        n;
    u_char      *p, *end, *last;
    int64_t      refused;
    int64_t     *fields[] = { &row->recorded, &row->delivered, &row->by37,
                              &row->expired, &row->time };
    ngx_int_t    rc;
    ngx_str_t    rest, code;
    ngx_uint_t   i;

    end = text->data - 1;
    last = text->data + text->len;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {

        if (end == last) {
            return NGX_ERROR;
        }

        p = end + 1;
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        n = ngx_atoof(p, end - p);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *fields[i] = n;
    }

    rest.data = end;
    rest.len = last - end;

    row->codes = rest;
    row->refused = 0;

    while ((rc = ngx_mesh_relay_ledger_code(&rest, &code, &refused))
           == NGX_OK)
    {
        row->refused += refused;
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


static ngx_buf_t *
ngx_mesh_relay_ledger_buf(ngx_mesh_relay_ledger_t *ledger, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (ledger->out) {
        cl = (ngx_chain_t *) ((u_char *) ledger->last
                              - offsetof(ngx_chain_t, next));

        if ((size_t) (cl->buf->end - cl->buf->last) >= size) {
            return cl->buf;
        }
    }

    b = ngx_create_temp_buf(ledger->pool, ngx_max(size, ngx_pagesize));
    if (b == NULL) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(ledger->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    *ledger->last = cl;
    ledger->last = &cl->next;

    return b;
}


static ngx_int_t
ngx_mesh_relay_ledger_text(ngx_mesh_relay_ledger_t *ledger, char *text)
{
    size_t      len;
    ngx_buf_t  *b;

    len = ngx_strlen(text);

    b = ngx_mesh_relay_ledger_buf(ledger, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, text, len);
    ledger->length += len;

    return NGX_OK;
}


static void
ngx_mesh_relay_ledger_end(ngx_mesh_relay_ledger_t *ledger, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        ledger->handler(ledger->data, ledger->out, ledger->length);

    } else {
        ledger->handler(ledger->data, NULL, 0);
    }

    ngx_free(ledger);
}
