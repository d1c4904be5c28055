
/*
 * URLs of the HTTP client that only running shows.  Their peers are kept by
 * scheme and authority, so that URLs of one host share its connections; what
 * is unused longest goes.
 */


#include "mesh_http_core.h"


#define MESH_HTTP_OPEN_POOL       1024
#define MESH_HTTP_AUTHORITY_MAX   (sizeof("https://[]:65535") + 255)


static ngx_int_t mesh_http_open_name(ngx_str_t *text, u_char *buf,
    ngx_str_t *name, const char **err);
static mesh_http_open_t *mesh_http_open_create(mesh_http_conf_t *conf,
    ngx_str_t *name, uint32_t hash, const char **err);
static ngx_int_t mesh_http_open_parse(mesh_http_conf_t *conf,
    mesh_http_open_t *open, const char **err);
static void mesh_http_open_limit(mesh_http_worker_t *worker);
static void mesh_http_open_destroy(mesh_http_worker_t *worker,
    mesh_http_open_t *open);


ngx_int_t
mesh_http_url_open(mesh_http_conf_t *conf, ngx_str_t *text,
    mesh_http_url_t *url, const char **err)
{
    u_char               buf[MESH_HTTP_AUTHORITY_MAX];
    uint32_t             hash;
    ngx_str_t            name, uri;
    ngx_url_t            u;
    mesh_http_open_t    *open;
    mesh_http_worker_t  *worker;

    worker = conf->worker;

    ngx_memzero(url, sizeof(mesh_http_url_t));
    ngx_memzero(&u, sizeof(ngx_url_t));

    url->text = *text;

    if (mesh_http_url_scheme(url, &u, err) != NGX_OK
        || mesh_http_open_name(text, buf, &name, err) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    uri.data = text->data + name.len;
    uri.len = text->len - name.len;

    if (mesh_http_url_uri(url, &uri, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    hash = ngx_crc32_long(name.data, name.len);

    open = (mesh_http_open_t *) ngx_str_rbtree_lookup(&worker->open, &name,
                                                      hash);

    if (open == NULL) {

        *err = NULL;
        open = mesh_http_open_create(conf, &name, hash, err);

        if (open == NULL) {
            return *err ? NGX_DECLINED : NGX_ERROR;
        }

    } else {
        ngx_queue_remove(&open->link);
        ngx_queue_insert_head(&worker->opened, &open->link);
    }

    url->peer = &open->peer;
    url->host = open->peer.host;
    url->port = open->peer.port;

    return NGX_OK;
}


ngx_uint_t
mesh_http_url_busy(mesh_http_url_t *url)
{
    return url->peer->busy;
}


/* Scheme and authority, in lower case. */

static ngx_int_t
mesh_http_open_name(ngx_str_t *text, u_char *buf, ngx_str_t *name,
    const char **err)
{
    u_char  *p, *last;

    last = text->data + text->len;

    /* the scheme was looked at */

    p = ngx_strlchr(text->data, last, ':') + sizeof("://") - 1;

    while (p < last && *p != '/' && *p != '?' && *p != '#') {
        p++;
    }

    name->len = p - text->data;
    name->data = buf;

    if (name->len > MESH_HTTP_AUTHORITY_MAX) {
        *err = "too long host";
        return NGX_ERROR;
    }

    ngx_strlow(buf, text->data, name->len);

    return NGX_OK;
}


static mesh_http_open_t *
mesh_http_open_create(mesh_http_conf_t *conf, ngx_str_t *name, uint32_t hash,
    const char **err)
{
    ngx_pool_t          *pool;
    mesh_http_open_t    *open;
    mesh_http_worker_t  *worker;

    worker = conf->worker;

    pool = ngx_create_pool(MESH_HTTP_OPEN_POOL, worker->log);
    if (pool == NULL) {
        return NULL;
    }

    open = ngx_pcalloc(pool, sizeof(mesh_http_open_t));
    if (open == NULL) {
        goto failed;
    }

    open->pool = pool;
    open->sn.node.key = hash;
    open->sn.str.len = name->len;
    open->sn.str.data = ngx_pstrdup(pool, name);

    if (open->sn.str.data == NULL
        || mesh_http_open_parse(conf, open, err) != NGX_OK)
    {
        goto failed;
    }

    ngx_rbtree_insert(&worker->open, &open->sn.node);
    ngx_queue_insert_head(&worker->opened, &open->link);
    worker->nopen++;

    mesh_http_open_limit(worker);

    return open;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
mesh_http_open_parse(mesh_http_conf_t *conf, mesh_http_open_t *open,
    const char **err)
{
    ngx_url_t         u;
    mesh_http_url_t   url;

    ngx_memzero(&url, sizeof(mesh_http_url_t));
    ngx_memzero(&u, sizeof(ngx_url_t));

    url.text = open->sn.str;

    if (mesh_http_url_scheme(&url, &u, err) != NGX_OK) {
        return NGX_ERROR;
    }

    /* sockets of this machine are not for strangers to name */

    if (u.url.len >= 5 && ngx_strncmp(u.url.data, "unix:", 5) == 0) {
        *err = "a socket";
        return NGX_ERROR;
    }

    /* what is looked up here is in the machine's own files */

    u.no_resolve = !(u.url.len >= 9
                     && ngx_strncmp(u.url.data, "localhost", 9) == 0
                     && (u.url.len == 9 || u.url.data[9] == ':'));

    if (ngx_parse_url(open->pool, &u) != NGX_OK) {
        *err = u.err;
        return NGX_ERROR;
    }

    if (u.host.len == 0) {
        *err = "no host";
        return NGX_ERROR;
    }

    url.host = u.host;
    url.port = u.port;

    if (url.host.data[0] == '[') {
        url.host.data++;
        url.host.len -= 2;
    }

    mesh_http_peer_fill(&open->peer, &url, &u);

    if (!u.no_resolve) {
        open->peer.literal = 0;
    }

    open->peer.resolver = conf->resolver;

    return mesh_http_peer_names(open->pool, &open->peer, &u);
}


/* A peer in use, or with a connection that is kept, stays. */

static void
mesh_http_open_limit(mesh_http_worker_t *worker)
{
    ngx_queue_t       *q, *prev;
    mesh_http_open_t  *open;

    for (q = ngx_queue_last(&worker->opened);
         q != ngx_queue_head(&worker->opened)
         && worker->nopen > MESH_HTTP_MAX_OPEN;
         q = prev)
    {
        prev = ngx_queue_prev(q);
        open = ngx_queue_data(q, mesh_http_open_t, link);

        if (open->peer.busy == 0 && ngx_queue_empty(&open->peer.idle)) {
            mesh_http_open_destroy(worker, open);
        }
    }
}


static void
mesh_http_open_destroy(mesh_http_worker_t *worker, mesh_http_open_t *open)
{
    ngx_rbtree_delete(&worker->open, &open->sn.node);
    ngx_queue_remove(&open->link);
    worker->nopen--;

    mesh_http_session_free(&open->peer);
    ngx_destroy_pool(open->pool);
}


void
mesh_http_open_init(mesh_http_worker_t *worker)
{
    ngx_rbtree_init(&worker->open, &worker->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&worker->opened);
}


void
mesh_http_open_free(mesh_http_worker_t *worker)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&worker->opened)) {
        q = ngx_queue_head(&worker->opened);
        mesh_http_open_destroy(worker,
                               ngx_queue_data(q, mesh_http_open_t, link));
    }
}
