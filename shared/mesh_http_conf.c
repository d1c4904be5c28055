
/*
 * Configuration of the HTTP client: URLs, names, TLS.
 */


#include "mesh_http_core.h"


#define MESH_HTTP_RESOLV_CONF      "/etc/resolv.conf"
#define MESH_HTTP_RESOLV_SIZE      4096
#define MESH_HTTP_NAMESERVERS      3

/* a name that took longer than this to be not found: DNS is down, in ms */

#define MESH_HTTP_LOOKUP_MAX       1000


static mesh_http_peer_t *mesh_http_peer(ngx_conf_t *cf,
    mesh_http_conf_t *conf, mesh_http_url_t *url, ngx_url_t *u);
static mesh_http_peer_t *mesh_http_peer_new(ngx_conf_t *cf,
    mesh_http_conf_t *conf, mesh_http_url_t *url, ngx_url_t *u);
static ngx_int_t mesh_http_conf_names(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_resolver_t *resolver);
static ngx_uint_t mesh_http_localhost(ngx_str_t *host);
static ngx_int_t mesh_http_lookup(ngx_conf_t *cf, mesh_http_peer_t *peer);
static ngx_resolver_t *mesh_http_system_resolver(ngx_conf_t *cf);
static ngx_uint_t mesh_http_nameservers(ngx_conf_t *cf, u_char *text,
    ngx_str_t *names);
static ngx_int_t mesh_http_nameserver(ngx_conf_t *cf, u_char *p, size_t len,
    ngx_str_t *name);
static ngx_int_t mesh_http_conf_ssl(ngx_conf_t *cf, mesh_http_conf_t *conf);


mesh_http_conf_t *
mesh_http_conf_create(ngx_conf_t *cf)
{
    mesh_http_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(mesh_http_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->ssl_trusted_certificate = { 0, NULL };
     *     conf->ssl_conf_commands = NULL;
     *     conf->user_agent = { 0, NULL };
     *     conf->ssl = NULL;
     *     conf->resolver = NULL;
     *     conf->worker = NULL;
     */

    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->read_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->max_header = NGX_CONF_UNSET_SIZE;
    conf->max_body = NGX_CONF_UNSET_SIZE;
    conf->keepalive = NGX_CONF_UNSET_UINT;
    conf->keepalive_timeout = NGX_CONF_UNSET_MSEC;
    conf->ssl_verify = NGX_CONF_UNSET;
    conf->ssl_verify_depth = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&conf->peers, cf->pool, 4, sizeof(mesh_http_peer_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


mesh_http_url_t *
mesh_http_url_parse(ngx_conf_t *cf, mesh_http_conf_t *conf, ngx_str_t *text,
    const char **err)
{
    return mesh_http_url_at(cf, conf, text, NULL, err);
}


mesh_http_url_t *
mesh_http_url_at(ngx_conf_t *cf, mesh_http_conf_t *conf, ngx_str_t *text,
    ngx_addr_t *addr, const char **err)
{
    ngx_url_t         u;
    mesh_http_url_t  *url;

    *err = "no memory";

    url = ngx_pcalloc(cf->pool, sizeof(mesh_http_url_t));
    if (url == NULL) {
        return NULL;
    }

    url->text.len = text->len;
    url->text.data = ngx_pstrdup(cf->pool, text);
    if (url->text.data == NULL) {
        return NULL;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    if (mesh_http_url_scheme(url, &u, err) != NGX_OK) {
        return NULL;
    }

    u.uri_part = 1;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {

        if (u.err) {
            *err = u.err;
        }

        return NULL;
    }

    url->host = u.host;
    url->port = u.port;

    if (url->host.len == 0) {
        *err = "no host";
        return NULL;
    }

    if (url->host.data[0] == '[') {
        url->host.data++;
        url->host.len -= 2;
    }

    if (mesh_http_url_uri(url, &u.uri, err) != NGX_OK) {
        return NULL;
    }

    url->peer = addr ? mesh_http_peer_new(cf, conf, url, &u)
                     : mesh_http_peer(cf, conf, url, &u);

    if (url->peer == NULL) {
        return NULL;
    }

    if (addr) {
        url->peer->addrs = addr;
        url->peer->naddrs = 1;
        url->peer->given = 1;
    }

    return url;
}


ngx_int_t
mesh_http_url_scheme(mesh_http_url_t *url, ngx_url_t *u, const char **err)
{
    size_t   i, add;
    u_char  *p, *last;

    p = url->text.data;

    for (i = 0; i < url->text.len; i++) {

        /* it becomes part of a request line */

        if (p[i] <= 0x20 || p[i] == 0x7f) {
            *err = "space or control character";
            return NGX_ERROR;
        }
    }

    last = p + url->text.len;

    if (ngx_strncasecmp(p, (u_char *) "http://", 7) == 0) {
        add = 7;
        u->default_port = 80;

    } else if (ngx_strncasecmp(p, (u_char *) "https://", 8) == 0) {
        add = 8;
        u->default_port = 443;
        url->ssl = 1;

    } else {
        *err = "no http:// or https:// prefix";
        return NGX_ERROR;
    }

    u->url.data = p + add;
    u->url.len = last - u->url.data;

    for (p += add; p < last && *p != '/' && *p != '?'; p++) {

        if (*p == '@') {
            *err = "user name in URL is not supported";
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
mesh_http_url_uri(mesh_http_url_t *url, ngx_str_t *uri, const char **err)
{
    u_char  *p, *last;

    if (uri->len == 0) {
        return NGX_OK;
    }

    last = uri->data + uri->len;

    if (ngx_strlchr(uri->data, last, '#')) {
        *err = "fragment in URL is not supported";
        return NGX_ERROR;
    }

    p = ngx_strlchr(uri->data, last, '?');

    if (p) {
        url->args.data = p + 1;
        url->args.len = last - url->args.data;
        last = p;
    }

    if (last > uri->data && uri->data[0] != '/') {
        *err = "path without \"/\"";
        return NGX_ERROR;
    }

    url->path.data = uri->data;
    url->path.len = last - uri->data;

    return NGX_OK;
}


static mesh_http_peer_t *
mesh_http_peer(ngx_conf_t *cf, mesh_http_conf_t *conf, mesh_http_url_t *url,
    ngx_url_t *u)
{
    ngx_uint_t          i;
    mesh_http_peer_t   *peer, **peers;

    peers = conf->peers.elts;

    for (i = 0; i < conf->peers.nelts; i++) {
        peer = peers[i];

        if (!peer->given
            && peer->ssl == url->ssl
            && peer->port == url->port
            && peer->local == (u->family == AF_UNIX)
            && peer->host.len == url->host.len
            && ngx_strncasecmp(peer->host.data, url->host.data,
                               url->host.len)
               == 0)
        {
            return peer;
        }
    }

    return mesh_http_peer_new(cf, conf, url, u);
}


static mesh_http_peer_t *
mesh_http_peer_new(ngx_conf_t *cf, mesh_http_conf_t *conf,
    mesh_http_url_t *url, ngx_url_t *u)
{
    mesh_http_peer_t   *peer, **peers;

    peer = ngx_pcalloc(cf->pool, sizeof(mesh_http_peer_t));
    if (peer == NULL) {
        return NULL;
    }

    mesh_http_peer_fill(peer, url, u);

    if (mesh_http_peer_names(cf->pool, peer, u) != NGX_OK) {
        return NULL;
    }

    peers = ngx_array_push(&conf->peers);
    if (peers == NULL) {
        return NULL;
    }

    *peers = peer;

    return peer;
}


void
mesh_http_peer_fill(mesh_http_peer_t *peer, mesh_http_url_t *url,
    ngx_url_t *u)
{
    peer->host = url->host;
    peer->port = url->port;
    peer->addrs = u->addrs;
    peer->naddrs = u->naddrs;
    peer->ssl = url->ssl;
    peer->literal = (u->addrs != NULL);
    peer->local = (u->family == AF_UNIX);

    /*
     * It is empty in each worker that begins: set there it would give each of
     * them a copy of all peers.
     */

    ngx_queue_init(&peer->idle);
}


ngx_int_t
mesh_http_peer_names(ngx_pool_t *pool, mesh_http_peer_t *peer, ngx_url_t *u)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   host;

    host = u->host;

    len = sizeof("https://unix:") + host.len + sizeof(":65535");

    peer->name.data = ngx_pnalloc(pool, len);
    peer->host.data = ngx_pnalloc(pool, peer->host.len + 1);

    if (peer->name.data == NULL || peer->host.data == NULL) {
        return NGX_ERROR;
    }

    if (host.data[0] == '[') {
        ngx_memcpy(peer->host.data, host.data + 1, peer->host.len);

    } else {
        ngx_memcpy(peer->host.data, host.data, peer->host.len);
    }

    peer->host.data[peer->host.len] = '\0';

    p = ngx_cpymem(peer->name.data, "http", 4);

    if (peer->ssl) {
        *p++ = 's';
    }

    p = ngx_cpymem(p, "://", 3);

    if (peer->local) {
        p = ngx_sprintf(p, "unix:%V", &host);
        peer->name.len = p - peer->name.data;

        ngx_str_set(&peer->authority, "localhost");

        return NGX_OK;
    }

    peer->authority.data = p;

    p = ngx_cpymem(p, host.data, host.len);

    if (peer->port != u->default_port) {
        p = ngx_sprintf(p, ":%ui", (ngx_uint_t) peer->port);
    }

    peer->authority.len = p - peer->authority.data;
    peer->name.len = p - peer->name.data;

    return NGX_OK;
}


ngx_int_t
mesh_http_conf_init(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout)
{
    ngx_conf_init_msec_value(conf->connect_timeout, 5000);
    ngx_conf_init_msec_value(conf->send_timeout, 10000);
    ngx_conf_init_msec_value(conf->read_timeout, 10000);
    ngx_conf_init_msec_value(conf->timeout, 30000);
    ngx_conf_init_size_value(conf->max_header, 16384);
    ngx_conf_init_size_value(conf->max_body, 1024 * 1024);
    ngx_conf_init_uint_value(conf->keepalive, 64);
    ngx_conf_init_msec_value(conf->keepalive_timeout, 30000);
    ngx_conf_init_value(conf->ssl_verify, 1);
    ngx_conf_init_uint_value(conf->ssl_verify_depth, 5);

    conf->resolver_timeout = resolver_timeout;
    ngx_conf_init_msec_value(conf->resolver_timeout, 30000);

    /* without "resolver" nginx puts one without servers in its place */

    if (resolver && resolver->connections.nelts == 0) {
        resolver = NULL;
    }

    if (conf->open) {
        conf->resolver = resolver ? resolver : mesh_http_system_resolver(cf);

        if (conf->resolver == NULL) {
            return NGX_ERROR;
        }
    }

    if (mesh_http_conf_names(cf, conf, resolver) != NGX_OK) {
        return NGX_ERROR;
    }

    return mesh_http_conf_ssl(cf, conf);
}


static ngx_int_t
mesh_http_conf_names(ngx_conf_t *cf, mesh_http_conf_t *conf,
    ngx_resolver_t *resolver)
{
    ngx_int_t           rc;
    ngx_uint_t          i, down;
    ngx_msec_t          start;
    ngx_resolver_t     *system;
    mesh_http_peer_t   *peer, **peers;

    down = 0;
    system = NULL;
    peers = conf->peers.elts;

    for (i = 0; i < conf->peers.nelts; i++) {
        peer = peers[i];

        if (peer->addrs) {
            continue;
        }

        if (resolver && !mesh_http_localhost(&peer->host)) {
            peer->resolver = resolver;
            continue;
        }

        if (!down) {
            ngx_time_update();
            start = ngx_current_msec;

            rc = mesh_http_lookup(cf, peer);

            if (rc == NGX_OK) {
                continue;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            /* hundreds of names would else wait for a dead server, each */

            ngx_time_update();
            down = (ngx_current_msec - start > MESH_HTTP_LOOKUP_MAX);
        }

        if (system == NULL) {
            system = mesh_http_system_resolver(cf);
            if (system == NULL) {
                return NGX_ERROR;
            }
        }

        peer->resolver = system;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "host not found in \"%V\", it will be looked up "
                           "again when needed", &peer->name);
    }

    return NGX_OK;
}


/* RFC 6761: servers do not know it, the machine does */

static ngx_uint_t
mesh_http_localhost(ngx_str_t *host)
{
    return host->len == 9
           && ngx_strncasecmp(host->data, (u_char *) "localhost", 9) == 0;
}


static ngx_int_t
mesh_http_lookup(ngx_conf_t *cf, mesh_http_peer_t *peer)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.host = peer->host;
    u.port = peer->port;

    if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK) {
        return u.err ? NGX_DECLINED : NGX_ERROR;
    }

    peer->addrs = u.addrs;
    peer->naddrs = u.naddrs;

    return NGX_OK;
}


/* without name servers it is a resolver that answers nothing */

static ngx_resolver_t *
mesh_http_system_resolver(ngx_conf_t *cf)
{
    u_char      text[MESH_HTTP_RESOLV_SIZE];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   names[MESH_HTTP_NAMESERVERS];

    n = 0;

    fd = ngx_open_file(MESH_HTTP_RESOLV_CONF, NGX_FILE_RDONLY, NGX_FILE_OPEN,
                       0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, text, MESH_HTTP_RESOLV_SIZE - 1);

        if (ngx_close_file(fd) == NGX_FILE_ERROR) {
            ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                               ngx_close_file_n " \"%s\" failed",
                               MESH_HTTP_RESOLV_CONF);
        }
    }

    text[ngx_max(n, 0)] = '\0';

    return ngx_resolver_create(cf, names,
                               mesh_http_nameservers(cf, text, names));
}


static ngx_uint_t
mesh_http_nameservers(ngx_conf_t *cf, u_char *text, ngx_str_t *names)
{
    size_t       len;
    u_char      *p, *line;
    ngx_uint_t   n;

    n = 0;

    for (line = text; *line && n < MESH_HTTP_NAMESERVERS; line = p) {

        p = line + strcspn((char *) line, "\n");

        if (*p) {
            p++;
        }

        if (ngx_strncmp(line, "nameserver", 10) != 0) {
            continue;
        }

        line += 10;
        line += strspn((char *) line, " \t");

        len = strcspn((char *) line, " \t\r\n");

        if (mesh_http_nameserver(cf, line, len, &names[n]) == NGX_OK) {
            n++;
        }
    }

    return n;
}


/* addresses with an interface (fe80::1%eth0) are declined: nginx has none */

static ngx_int_t
mesh_http_nameserver(ngx_conf_t *cf, u_char *p, size_t len, ngx_str_t *name)
{
    ngx_addr_t  addr;

    if (ngx_parse_addr(cf->pool, &addr, p, len) != NGX_OK) {
        return NGX_DECLINED;
    }

    name->data = ngx_pnalloc(cf->pool, len + 2);
    if (name->data == NULL) {
        return NGX_DECLINED;
    }

    if (addr.sockaddr->sa_family == AF_INET) {
        name->len = len;
        ngx_memcpy(name->data, p, len);

        return NGX_OK;
    }

    name->len = len + 2;
    name->data[0] = '[';
    ngx_memcpy(name->data + 1, p, len);
    name->data[len + 1] = ']';

    return NGX_OK;
}


static ngx_int_t
mesh_http_conf_ssl(ngx_conf_t *cf, mesh_http_conf_t *conf)
{
    ngx_uint_t            i;
    ngx_pool_cleanup_t   *cln;
    mesh_http_peer_t    **peers;

    peers = conf->peers.elts;

    for (i = 0; i < conf->peers.nelts; i++) {
        if (peers[i]->ssl) {
            break;
        }
    }

    /* a bundle of authorities is a megabyte in memory */

    if (i == conf->peers.nelts && !conf->open) {
        return NGX_OK;
    }

    conf->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (conf->ssl == NULL) {
        return NGX_ERROR;
    }

    conf->ssl->log = cf->log;

    if (ngx_ssl_create(conf->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(conf->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = conf->ssl;

    if (ngx_ssl_client_session_cache(cf, conf->ssl, 1) != NGX_OK
        || ngx_ssl_conf_commands(cf, conf->ssl, conf->ssl_conf_commands)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!conf->ssl_verify) {
        return NGX_OK;
    }

    if (conf->ssl_trusted_certificate.len == 0) {
        ngx_str_set(&conf->ssl_trusted_certificate, MESH_HTTP_CA_BUNDLE);
    }

    return ngx_ssl_trusted_certificate(cf, conf->ssl,
                                       &conf->ssl_trusted_certificate,
                                       conf->ssl_verify_depth);
}
