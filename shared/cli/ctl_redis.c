
/*
 * The ledger read from Redis: hash "mesh:{NODE}:ledger", a row of it is
 * "address:app:chain:height" -> "recorded,delivered,by37,expired,time"
 * followed by ",code=n" for each code that relays were refused with.
 */


#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "ctl_ledger.h"


#define CTL_REDIS_PORT    6379
#define CTL_REDIS_PREFIX  "mesh:{"
#define CTL_REDIS_SUFFIX  "}:ledger"
#define CTL_REDIS_CODES   128


static redisContext *ctl_redis_connect(ctl_ledger_t *l);
static int ctl_redis_auth(redisContext *c, ctl_ledger_t *l);
static redisReply *ctl_redis_reply(redisContext *c, void *reply, int type);
static int ctl_redis_nodes(redisContext *c, ctl_ledger_t *l);
static int ctl_redis_node(redisContext *c, ctl_ledger_t *l, const char *key,
    size_t len);
static int ctl_redis_row(ctl_ledger_t *l, const pocket_str_t *node,
    redisReply *id, redisReply *value);
static int ctl_redis_id(ctl_ledger_row_t *row, char *id);
static int ctl_redis_value(ctl_ledger_t *l, ctl_ledger_row_t *row, char *p);
static char *ctl_redis_copy(ctl_ledger_t *l, const char *p, size_t len);


int
ctl_ledger_redis(ctl_ledger_t *l)
{
    int            rc;
    cli_buf_t      key;
    redisContext  *c;

    c = ctl_redis_connect(l);
    if (c == NULL) {
        return CTL_USAGE;
    }

    rc = ctl_redis_auth(c, l);

    if (rc == CTL_OK && l->node) {
        memset(&key, 0, sizeof(cli_buf_t));
        cli_buf_printf(&key, CTL_REDIS_PREFIX "%s" CTL_REDIS_SUFFIX, l->node);
        rc = ctl_redis_node(c, l, (char *) key.text.data, key.text.len);
        cli_buf_free(&key);

    } else if (rc == CTL_OK) {
        rc = ctl_redis_nodes(c, l);
    }

    redisFree(c);

    return rc;
}


static redisContext *
ctl_redis_connect(ctl_ledger_t *l)
{
    char             host[256], *colon;
    int64_t          port;
    redisContext    *c;
    struct timeval   tv;

    tv.tv_sec = l->http.timeout ? l->http.timeout : CTL_HTTP_TIMEOUT;
    tv.tv_usec = 0;

    if (strncmp(l->redis, "unix:", 5) == 0) {
        c = redisConnectUnixWithTimeout(l->redis + 5, tv);

    } else {
        snprintf(host, sizeof(host), "%s", l->redis);
        port = CTL_REDIS_PORT;
        colon = strrchr(host, ':');

        if (colon) {
            *colon = '\0';

            if (!ctl_number(colon + 1, &port) || port < 1 || port > 65535) {
                ctl_error("invalid port in \"%s\"", l->redis);
                return NULL;
            }
        }

        c = redisConnectWithTimeout(host, port, tv);
    }

    if (c == NULL || c->err) {
        ctl_error("cannot connect to redis \"%s\": %s", l->redis,
                  c ? c->errstr : "no memory");

        if (c) {
            redisFree(c);
        }

        return NULL;
    }

    redisSetTimeout(c, tv);

    return c;
}


static int
ctl_redis_auth(redisContext *c, ctl_ledger_t *l)
{
    int          rc;
    cli_buf_t    text;
    redisReply  *reply;

    if (l->password_file) {

        rc = ctl_file_read(l->password_file, 1, &text);

        if (rc != CTL_OK) {
            return rc;
        }

        while (text.text.len && text.text.data[text.text.len - 1] <= ' ') {
            text.text.len--;
        }

        reply = ctl_redis_reply(c, redisCommand(c, "AUTH %s %b",
                                                l->user ? l->user : "default",
                                                text.text.data,
                                                text.text.len),
                                REDIS_REPLY_STATUS);
        ctl_file_wipe(&text);

        if (reply == NULL) {
            return CTL_FAILED;
        }

        freeReplyObject(reply);
    }

    if (l->db) {
        reply = ctl_redis_reply(c, redisCommand(c, "SELECT %lld",
                                                (long long) l->db),
                                REDIS_REPLY_STATUS);

        if (reply == NULL) {
            return CTL_FAILED;
        }

        freeReplyObject(reply);
    }

    return CTL_OK;
}


/* NULL after ctl_error(): another reply than of this type */

static redisReply *
ctl_redis_reply(redisContext *c, void *reply, int type)
{
    redisReply *r = reply;

    if (r == NULL) {
        ctl_error("redis: %s", c->errstr);
        return NULL;
    }

    if (r->type == type) {
        return r;
    }

    ctl_error("redis: %s", r->type == REDIS_REPLY_ERROR ? r->str
                                                        : "odd reply");
    freeReplyObject(r);

    return NULL;
}


static int
ctl_redis_nodes(redisContext *c, ctl_ledger_t *l)
{
    int          rc;
    char         cursor[32];
    size_t       i;
    redisReply  *reply, *keys;

    strcpy(cursor, "0");
    rc = CTL_OK;

    do {
        reply = ctl_redis_reply(c, redisCommand(c, "SCAN %s MATCH %s COUNT "
                                                "1000", cursor,
                                                "mesh:{*}:ledger"),
                                REDIS_REPLY_ARRAY);

        if (reply == NULL) {
            return CTL_FAILED;
        }

        if (reply->elements != 2
            || reply->element[0]->type != REDIS_REPLY_STRING
            || reply->element[1]->type != REDIS_REPLY_ARRAY)
        {
            freeReplyObject(reply);
            ctl_error("redis: odd reply");
            return CTL_FAILED;
        }

        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        keys = reply->element[1];

        for (i = 0; rc == CTL_OK && i < keys->elements; i++) {
            rc = ctl_redis_node(c, l, keys->element[i]->str,
                                keys->element[i]->len);
        }

        freeReplyObject(reply);

    } while (rc == CTL_OK && strcmp(cursor, "0") != 0);

    return rc;
}


static int
ctl_redis_node(redisContext *c, ctl_ledger_t *l, const char *key, size_t len)
{
    int                rc;
    size_t             i;
    redisReply        *reply;
    pocket_str_t       node;
    ctl_ledger_row_t  *rows;

    reply = ctl_redis_reply(c, redisCommand(c, "HGETALL %b", key, len),
                            REDIS_REPLY_ARRAY);

    if (reply == NULL) {
        return CTL_FAILED;
    }

    node.len = len - (sizeof(CTL_REDIS_PREFIX CTL_REDIS_SUFFIX) - 1);
    node.data = (unsigned char *)
                ctl_redis_copy(l, key + sizeof(CTL_REDIS_PREFIX) - 1,
                               node.len);

    rows = pocket_alloc(&l->arena.alloc, (l->nrows + reply->elements / 2 + 1)
                                         * sizeof(ctl_ledger_row_t));

    if (node.data == NULL || rows == NULL) {
        freeReplyObject(reply);
        ctl_error("no memory");
        return CTL_USAGE;
    }

    if (l->nrows) {
        memcpy(rows, l->rows, l->nrows * sizeof(ctl_ledger_row_t));
    }

    l->rows = rows;
    rc = CTL_OK;

    for (i = 0; rc == CTL_OK && i + 1 < reply->elements; i += 2) {
        rc = ctl_redis_row(l, &node, reply->element[i],
                           reply->element[i + 1]);
    }

    freeReplyObject(reply);

    return rc;
}


static int
ctl_redis_row(ctl_ledger_t *l, const pocket_str_t *node, redisReply *id,
    redisReply *value)
{
    char              *name, *text;
    ctl_ledger_row_t  *row;

    row = &l->rows[l->nrows];
    memset(row, 0, sizeof(ctl_ledger_row_t));
    row->node = *node;

    name = ctl_redis_copy(l, id->str, id->len);
    text = ctl_redis_copy(l, value->str, value->len);

    if (name == NULL || text == NULL) {
        ctl_error("no memory");
        return CTL_USAGE;
    }

    if (!ctl_redis_id(row, name) || !ctl_redis_value(l, row, text)) {
        ctl_error("row \"%s\" of node \"%.*s\" cannot be read: \"%s\"",
                  id->str, (int) node->len, node->data, value->str);
        return CTL_FAILED;
    }

    l->nrows++;

    return CTL_OK;
}


static int
ctl_redis_id(ctl_ledger_row_t *row, char *id)
{
    char          *part[4], *p;
    unsigned       i;

    p = id;

    for (i = 0; i < 4; i++) {

        if (p == NULL) {
            return 0;
        }

        part[i] = p;
        p = strchr(p, ':');

        if (p) {
            *p++ = '\0';
        }
    }

    row->servicer = ctl_str(part[0]);
    row->app = ctl_str(part[1]);
    row->chain = ctl_str(part[2]);

    return p == NULL && ctl_number(part[3], &row->session);
}


static int
ctl_redis_value(ctl_ledger_t *l, ctl_ledger_row_t *row, char *p)
{
    int                 n;
    int64_t             refused;
    long long           recorded, delivered, by37, expired, time, relays;
    ctl_ledger_code_t  *code;

    n = 0;

    if (sscanf(p, "%lld,%lld,%lld,%lld,%lld%n", &recorded, &delivered, &by37,
               &expired, &time, &n)
        != 5)
    {
        return 0;
    }

    code = pocket_alloc(&l->arena.alloc,
                        CTL_REDIS_CODES * sizeof(ctl_ledger_code_t));
    if (code == NULL) {
        return 0;
    }

    row->refused.elts = code;
    refused = 0;

    for (p += n; *p == ',' && row->refused.n < CTL_REDIS_CODES; p += n) {

        code->code.data = (unsigned char *) ++p;
        code->code.len = strcspn(p, "=");

        if (sscanf(p + code->code.len, "=%lld%n", &relays, &n) != 1) {
            return 0;
        }

        n += code->code.len;
        code->relays = relays;
        refused += relays;

        code++;
        row->refused.n++;
    }

    row->recorded = recorded;
    row->delivered = delivered;
    row->delivered_by_37 = by37;
    row->expired = expired;
    row->queued = recorded - delivered - refused - expired;

    return *p == '\0';
}


static char *
ctl_redis_copy(ctl_ledger_t *l, const char *p, size_t len)
{
    char  *copy;

    copy = pocket_alloc(&l->arena.alloc, len + 1);

    if (copy) {
        memcpy(copy, p, len);
        copy[len] = '\0';
    }

    return copy;
}
