
/*
 * Verbs of the administrator, in the zone.
 */


#include "ngx_gateway_select_admin.h"
#include "ngx_gateway_select_leader.h"
#include "ngx_gateway_select_pick.h"


static ngx_int_t ngx_gateway_select_admin_change(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_gateway_select_verb_e verb,
    ngx_str_t *field, ngx_uint_t shared);
static ngx_gateway_select_admin_t *ngx_gateway_select_admin_new(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_str_t *field);
static ngx_uint_t ngx_gateway_select_admin_find(
    ngx_gateway_select_admins_t *admins, ngx_str_t *field,
    ngx_uint_t clear);
static void ngx_gateway_select_admin_remove(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_uint_t i);
static ngx_gateway_select_node_t *ngx_gateway_select_admin_next(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *field, ngx_uint_t *i);
static ngx_uint_t ngx_gateway_select_admin_is(
    ngx_gateway_select_main_conf_t *gmcf, ngx_gateway_select_node_t *node,
    u_char *field, size_t len);
static ngx_int_t ngx_gateway_select_admin_clear(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_admins_t *admins, ngx_str_t *field,
    ngx_uint_t shared);
static ngx_int_t ngx_gateway_select_admin_apply(
    ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *field);
static ngx_uint_t ngx_gateway_select_admin_listed(
    ngx_gateway_select_admin_t *admin, mesh_redis_reply_t *elts,
    ngx_uint_t n);
static ngx_int_t ngx_gateway_select_admin_verb(ngx_str_t *name);


ngx_str_t  ngx_gateway_select_verbs[NGX_GATEWAY_SELECT_ADMIN_VERBS] = {
    ngx_string("uncordon"),
    ngx_string("cordon"),
    ngx_string("drain"),
    ngx_string("clear")
};


static uint32_t  ngx_gateway_select_verb_flags[] = {
    0, NGX_GATEWAY_SELECT_CORDONED, NGX_GATEWAY_SELECT_DRAINED, 0
};


ngx_int_t
ngx_gateway_select_admin_set(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_verb_e verb,
    ngx_str_t *field, ngx_uint_t shared)
{
    ngx_int_t                     rc;
    ngx_uint_t                    listed;
    ngx_gateway_select_zone_t    *zone;
    ngx_gateway_select_admins_t  *admins;

    zone = ngx_gateway_select_zone(gmcf);

    ngx_shmtx_lock(&zone->shpool->mutex);

    admins = ngx_gateway_select_admins(gmcf, chain);

    if (admins == NULL) {
        rc = NGX_ERROR;
        goto done;
    }

    rc = ngx_gateway_select_admin_apply(gmcf, chain, field);
    listed = (ngx_gateway_select_admin_find(admins, field, 0) < admins->n);

    /* what is no node any more may be cordoned still */

    if (rc == 0 && !(verb == NGX_GATEWAY_SELECT_UNCORDON && listed)) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (verb == NGX_GATEWAY_SELECT_CLEAR) {
        if (ngx_gateway_select_admin_clear(gmcf, chain, admins, field, shared)
            != NGX_OK)
        {
            rc = NGX_ERROR;
        }

    } else if (ngx_gateway_select_admin_change(gmcf, admins, verb, field,
                                               shared)
               != NGX_OK)
    {
        rc = NGX_ERROR;

    } else {
        (void) ngx_gateway_select_admin_apply(gmcf, chain, field);
    }

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    chain->dirty = 1;

    return rc;
}


static ngx_int_t
ngx_gateway_select_admin_change(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_gateway_select_verb_e verb,
    ngx_str_t *field, ngx_uint_t shared)
{
    ngx_uint_t                   i;
    ngx_gateway_select_admin_t  *admin;

    i = ngx_gateway_select_admin_find(admins, field, 0);

    if (verb == NGX_GATEWAY_SELECT_UNCORDON && !shared) {

        if (i < admins->n) {
            ngx_gateway_select_admin_remove(gmcf, admins, i);
        }

        return NGX_OK;
    }

    admin = (i < admins->n) ? admins->list[i]
                            : ngx_gateway_select_admin_new(gmcf, admins,
                                                           field);
    if (admin == NULL) {
        return NGX_ERROR;
    }

    /* an answer to a call made before is none to this verb */

    admins->pending += shared && !admin->pending;

    admin->verb = verb;
    admin->pending |= (shared != 0);
    admin->told = 0;

    return NGX_OK;
}


static ngx_gateway_select_admin_t *
ngx_gateway_select_admin_new(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_str_t *field)
{
    ngx_gateway_select_admin_t  *admin;

    if (admins->n == NGX_GATEWAY_SELECT_VERBS_MAX
        || field->len > NGX_GATEWAY_SELECT_FIELD_MAX)
    {
        return NULL;
    }

    admin = ngx_gateway_select_zone_alloc(ngx_gateway_select_zone(gmcf),
                                          sizeof(ngx_gateway_select_admin_t));
    if (admin == NULL) {
        return NULL;
    }

    admin->len = (u_char) field->len;
    ngx_memcpy(admin->field, field->data, field->len);

    admins->list[admins->n++] = admin;

    return admin;
}


/* The place of the field's verb; clear: of its clearing. */

static ngx_uint_t
ngx_gateway_select_admin_find(ngx_gateway_select_admins_t *admins,
    ngx_str_t *field, ngx_uint_t clear)
{
    ngx_uint_t                   i;
    ngx_gateway_select_admin_t  *admin;

    for (i = 0; i < admins->n; i++) {
        admin = admins->list[i];

        if (admin->len == field->len
            && (admin->verb == NGX_GATEWAY_SELECT_CLEAR) == clear
            && ngx_memcmp(admin->field, field->data, field->len) == 0)
        {
            break;
        }
    }

    return i;
}


static void
ngx_gateway_select_admin_remove(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_admins_t *admins, ngx_uint_t i)
{
    admins->pending -= admins->list[i]->pending;

    ngx_slab_free_locked(ngx_gateway_select_zone(gmcf)->shpool,
                         admins->list[i]);

    admins->list[i] = admins->list[--admins->n];
}


/* The next node that the field is about; *i is 0 at first. */

static ngx_gateway_select_node_t *
ngx_gateway_select_admin_next(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *field, ngx_uint_t *i)
{
    ngx_str_t                   name;
    ngx_gateway_select_node_t  *node;

    name.len = field->len - 1;
    name.data = field->data + 1;

    if (*field->data == 'n') {

        if ((*i)++) {
            return NULL;
        }

        return (ngx_gateway_select_node_t *)
                   ngx_str_rbtree_lookup(&chain->tree, &name,
                                         ngx_murmur_hash2(name.data,
                                                          name.len));
    }

    while (*i < chain->nnodes) {

        node = ngx_gateway_select_node(chain, *i);
        (*i)++;

        if (ngx_gateway_select_admin_is(gmcf, node, field->data, field->len))
        {
            return node;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_gateway_select_admin_is(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_node_t *node, u_char *field, size_t len)
{
    ngx_str_t  *name;

    name = (*field == 'n') ? &node->sn.str
                           : ngx_gateway_select_zone_operator(gmcf, node);

    return name->len == len - 1
           && ngx_memcmp(name->data, field + 1, name->len) == 0;
}


/*
 * Of the records here at once: this is written with the lock held, as all
 * that the leader writes is.
 */

static ngx_int_t
ngx_gateway_select_admin_clear(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_admins_t *admins, ngx_str_t *field, ngx_uint_t shared)
{
    u_char                       buf[NGX_GATEWAY_SELECT_FIELD_MAX];
    ngx_str_t                    one;
    ngx_uint_t                   i, k;
    ngx_gateway_select_node_t   *node;
    ngx_gateway_select_admin_t  *admin;

    i = 0;

    while ((node = ngx_gateway_select_admin_next(gmcf, chain, field, &i))) {

        gateway_record_clear(&node->record, ngx_gateway_select_now());
        ngx_gateway_select_learn(node);

        node->fresh.forged = 0;
        node->fresh.paced = 0;

        if (!shared) {
            continue;
        }

        /* Redis knows nodes, and not who operates them */

        one.data = buf;
        buf[0] = 'n';
        one.len = ngx_cpymem(buf + 1, node->sn.str.data, node->sn.str.len)
                  - buf;

        k = ngx_gateway_select_admin_find(admins, &one, 1);

        if (k < admins->n) {
            admins->list[k]->told = 0;
            continue;
        }

        admin = ngx_gateway_select_admin_new(gmcf, admins, &one);
        if (admin == NULL) {
            return NGX_ERROR;
        }

        admin->verb = NGX_GATEWAY_SELECT_CLEAR;
        admin->pending = 1;
        admins->pending++;
    }

    return NGX_OK;
}


uint32_t
ngx_gateway_select_admin_flags(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_node_t *node)
{
    uint32_t                      flags;
    ngx_uint_t                    i;
    ngx_gateway_select_admin_t   *admin;
    ngx_gateway_select_admins_t  *admins;

    admins = chain->verbs;
    flags = 0;

    for (i = 0; admins && i < admins->n; i++) {

        admin = admins->list[i];

        if (ngx_gateway_select_verb_flags[admin->verb]
            && ngx_gateway_select_admin_is(gmcf, node, admin->field,
                                           admin->len))
        {
            flags |= ngx_gateway_select_verb_flags[admin->verb];
        }
    }

    return flags;
}


/* Gives the number of nodes that the field is about. */

static ngx_int_t
ngx_gateway_select_admin_apply(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_str_t *field)
{
    ngx_int_t                   n;
    ngx_uint_t                  i;
    ngx_gateway_select_node_t  *node;

    i = 0;
    n = 0;

    while ((node = ngx_gateway_select_admin_next(gmcf, chain, field, &i))) {
        node->flags = ngx_gateway_select_admin_flags(gmcf, chain, node);
        n++;
    }

    /* until the next table flags are looked at, too */

    (void) ngx_atomic_fetch_add(&chain->orders, 1);

    return n;
}


ngx_gateway_select_admins_t *
ngx_gateway_select_admins(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain)
{
    if (chain->verbs == NULL) {
        chain->verbs = ngx_gateway_select_zone_alloc(
                                         ngx_gateway_select_zone(gmcf),
                                         sizeof(ngx_gateway_select_admins_t));
    }

    return chain->verbs;
}


void
ngx_gateway_select_admin_take(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, uint64_t version,
    mesh_redis_reply_t *elts, ngx_uint_t n)
{
    u_char                        buf[NGX_GATEWAY_SELECT_FIELD_MAX];
    ngx_int_t                     verb;
    ngx_str_t                     gone, *field;
    ngx_uint_t                    i, k, lost;
    ngx_gateway_select_admin_t   *admin;
    ngx_gateway_select_admins_t  *admins;

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return;
    }

    admins = ngx_gateway_select_admins(gmcf, chain);

    if (admins == NULL || version == admins->version) {
        ngx_gateway_select_leader_unlock(gmcf);
        return;
    }

    lost = (version < admins->version);
    admins->version = version;

    for (i = 0; i < admins->n; /* void */ ) {

        admin = admins->list[i];

        if (ngx_gateway_select_admin_listed(admin, elts, n)
            || admin->pending)
        {
            i++;

        } else if (lost) {
            admin->pending = 1;
            admins->pending++;
            i++;

        } else {
            gone.len = admin->len;
            gone.data = buf;
            ngx_memcpy(buf, admin->field, admin->len);

            ngx_gateway_select_admin_remove(gmcf, admins, i);
            (void) ngx_gateway_select_admin_apply(gmcf, chain, &gone);
        }
    }

    for (i = 0; i + 1 < n; i += 2) {

        field = &elts[i].str;
        verb = ngx_gateway_select_admin_verb(&elts[i + 1].str);

        if (field->len < 2 || verb == NGX_ERROR) {
            continue;
        }

        k = ngx_gateway_select_admin_find(admins, field, 0);

        admin = (k < admins->n) ? admins->list[k]
                                : ngx_gateway_select_admin_new(gmcf, admins,
                                                               field);

        if (admin && !admin->pending) {
            admin->verb = verb;
            (void) ngx_gateway_select_admin_apply(gmcf, chain, field);
        }
    }

    ngx_gateway_select_leader_unlock(gmcf);

    ngx_gateway_select_rank_soon(gmcf, chain);
}


static ngx_uint_t
ngx_gateway_select_admin_listed(ngx_gateway_select_admin_t *admin,
    mesh_redis_reply_t *elts, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < n; i += 2) {
        if (elts[i].str.len == admin->len
            && ngx_memcmp(elts[i].str.data, admin->field, admin->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* One that stays in force. */

static ngx_int_t
ngx_gateway_select_admin_verb(ngx_str_t *name)
{
    ngx_int_t   i;
    ngx_str_t  *verb;

    for (i = NGX_GATEWAY_SELECT_CORDON; i <= NGX_GATEWAY_SELECT_DRAIN; i++) {

        verb = &ngx_gateway_select_verbs[i];

        if (verb->len == name->len
            && ngx_memcmp(verb->data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


void
ngx_gateway_select_admin_told(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t known)
{
    ngx_uint_t                    i;
    ngx_gateway_select_admin_t   *admin;
    ngx_gateway_select_admins_t  *admins;

    if (chain->verbs == NULL
        || ngx_gateway_select_leader_lock(gmcf) != NGX_OK)
    {
        return;
    }

    admins = chain->verbs;

    for (i = 0; i < admins->n; /* void */ ) {

        admin = admins->list[i];

        if (!admin->told) {
            i++;
            continue;
        }

        admin->told = 0;

        if (known) {
            admins->pending -= admin->pending;
            admin->pending = 0;
        }

        if (known && ngx_gateway_select_verb_flags[admin->verb] == 0) {
            ngx_gateway_select_admin_remove(gmcf, admins, i);
            continue;
        }

        i++;
    }

    ngx_gateway_select_leader_unlock(gmcf);
}
