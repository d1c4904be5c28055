
/*
 * Outcomes of checks in the zone: for each chain that is checked the names of
 * its checks, and for each of its nodes as many slots.
 */


#include "ngx_gateway_select_checked.h"


/* generation: of the node's slot, when it was written */

typedef struct {
    uint64_t                         at;           /* ms, wall */
    uint64_t                         block;
    uint32_t                         generation;
    u_char                           outcome;
    u_char                           open;         /* not counted yet */
    u_char                           value_len;
    u_char                           agreed_len;
    u_char                           value[NGX_GATEWAY_SELECT_CHECKED_LEN];
    u_char                           agreed[NGX_GATEWAY_SELECT_CHECKED_LEN];
} ngx_gateway_select_checked_t;


typedef struct {
    u_char                           rule;
    u_char                           len;
    u_char                           name[NGX_GATEWAY_SELECT_CHECKED_NAME];
    uint64_t                         counts[
                                         NGX_GATEWAY_SELECT_CHECKED_OUTCOMES];
} ngx_gateway_select_checked_name_t;


/* chain->checked; a chunk has CHUNK * n slots, and comes with its first */

typedef struct {
    ngx_uint_t                          n;
    ngx_gateway_select_checked_name_t   names[GATEWAY_CHECKS_MAX];
    ngx_gateway_select_checked_t       *chunks[NGX_GATEWAY_SELECT_CHUNKS_MAX];
} ngx_gateway_select_checkeds_t;


static ngx_uint_t ngx_gateway_select_checked_same(
    ngx_gateway_select_watch_t *watch);
static void ngx_gateway_select_checked_name(ngx_str_t *name,
    ngx_gateway_select_checked_name_t *kept);
static void ngx_gateway_select_checked_keep(
    ngx_gateway_select_checkeds_t *old,
    ngx_gateway_select_checked_name_t *kept);
static void ngx_gateway_select_checked_free(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain);
static ngx_gateway_select_checked_t *ngx_gateway_select_checked_lock(
    ngx_gateway_select_probe_t *probe);
static void ngx_gateway_select_checked_unlock(
    ngx_gateway_select_probe_t *probe);
static void ngx_gateway_select_checked_count(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_t *checked,
    ngx_gateway_select_checked_e outcome);
static u_char ngx_gateway_select_checked_copy(u_char *dst, ngx_str_t *src,
    size_t max);
static ngx_uint_t ngx_gateway_select_checked_read(
    ngx_gateway_select_report_t *report, ngx_uint_t i,
    ngx_gateway_select_checked_name_t *name,
    ngx_gateway_select_checked_t *checked);


/* by ngx_gateway_select_checked_e */

static const char  *ngx_gateway_select_checked_outcomes[] = {
    "never", "open", "passed", "failed", "no answer", "quota"
};


/* by ngx_gateway_select_rule_e */

static const char  *ngx_gateway_select_checked_rules[] = {
    "unknown", "height", "votes", "own"
};


void
ngx_gateway_select_checked_begin(ngx_gateway_select_watch_t *watch)
{
    ngx_uint_t                       i;
    ngx_gateway_select_check_t      *check;
    ngx_gateway_select_zone_t       *zone;
    ngx_gateway_select_checkeds_t   *checkeds, *old;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = watch->checker->gmcf;
    zone = ngx_gateway_select_zone(gmcf);

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return;
    }

    if (!ngx_gateway_select_checked_same(watch)) {

        old = watch->shared->checked;

        checkeds = ngx_gateway_select_zone_alloc(zone,
                                       sizeof(ngx_gateway_select_checkeds_t));
        if (checkeds) {
            checkeds->n = ngx_min(watch->nchecks, GATEWAY_CHECKS_MAX);

            for (i = 0; i < checkeds->n; i++) {
                check = watch->checks[i];
                ngx_gateway_select_checked_name(check->name(check),
                                                &checkeds->names[i]);
                ngx_gateway_select_checked_keep(old, &checkeds->names[i]);
            }
        }

        ngx_gateway_select_checked_free(zone, watch->shared);

        watch->shared->checked = checkeds;
    }

    ngx_gateway_select_leader_unlock(gmcf);

    ngx_gateway_select_zone_warn(zone);
}


static ngx_uint_t
ngx_gateway_select_checked_same(ngx_gateway_select_watch_t *watch)
{
    ngx_uint_t                          i;
    ngx_gateway_select_check_t         *check;
    ngx_gateway_select_checkeds_t      *checkeds;
    ngx_gateway_select_checked_name_t   name;

    checkeds = watch->shared->checked;

    if (checkeds == NULL
        || checkeds->n != ngx_min(watch->nchecks, GATEWAY_CHECKS_MAX))
    {
        return 0;
    }

    for (i = 0; i < checkeds->n; i++) {
        check = watch->checks[i];
        ngx_gateway_select_checked_name(check->name(check), &name);

        if (name.len != checkeds->names[i].len
            || ngx_memcmp(name.name, checkeds->names[i].name, name.len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_gateway_select_checked_name(ngx_str_t *name,
    ngx_gateway_select_checked_name_t *kept)
{
    ngx_memzero(kept, sizeof(ngx_gateway_select_checked_name_t));

    kept->len = ngx_gateway_select_checked_copy(kept->name, name,
                                            NGX_GATEWAY_SELECT_CHECKED_NAME);
}


/* What was counted of a check goes on, whatever others there were. */

static void
ngx_gateway_select_checked_keep(ngx_gateway_select_checkeds_t *old,
    ngx_gateway_select_checked_name_t *kept)
{
    ngx_uint_t                          i;
    ngx_gateway_select_checked_name_t  *name;

    if (old == NULL) {
        return;
    }

    for (i = 0; i < old->n; i++) {

        name = &old->names[i];

        if (name->len == kept->len
            && ngx_memcmp(name->name, kept->name, kept->len) == 0)
        {
            ngx_memcpy(kept->counts, name->counts, sizeof(kept->counts));
            return;
        }
    }
}


static void
ngx_gateway_select_checked_free(ngx_gateway_select_zone_t *zone,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_uint_t                      i;
    ngx_gateway_select_checkeds_t  *checkeds;

    checkeds = chain->checked;

    if (checkeds == NULL) {
        return;
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_CHUNKS_MAX; i++) {
        if (checkeds->chunks[i]) {
            ngx_slab_free_locked(zone->shpool, checkeds->chunks[i]);
        }
    }

    ngx_slab_free_locked(zone->shpool, checkeds);

    chain->checked = NULL;
}


void
ngx_gateway_select_checked_told(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_rule_e rule, ngx_str_t *value, uint64_t at)
{
    ngx_gateway_select_checked_t   *checked;
    ngx_gateway_select_checkeds_t  *checkeds;

    checked = ngx_gateway_select_checked_lock(probe);

    if (checked == NULL) {
        return;
    }

    checkeds = probe->shared->checked;
    checkeds->names[probe->poll->index].rule = (u_char) rule;

    checked->at = at;
    checked->block = (rule == NGX_GATEWAY_SELECT_RULE_VOTES) ? probe->block
                                                             : 0;

    ngx_gateway_select_checked_count(probe, checked,
                                     NGX_GATEWAY_SELECT_CHECKED_OPEN);

    /* one that failed has failed until it passes */

    if (checked->outcome != NGX_GATEWAY_SELECT_CHECKED_FAILED) {
        checked->outcome = NGX_GATEWAY_SELECT_CHECKED_OPEN;
        checked->agreed_len = 0;
    }

    checked->value_len = ngx_gateway_select_checked_copy(checked->value, value,
                                             NGX_GATEWAY_SELECT_CHECKED_LEN);

    ngx_gateway_select_checked_unlock(probe);
}


void
ngx_gateway_select_checked(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_e outcome, ngx_str_t *agreed)
{
    ngx_gateway_select_checked_t  *checked;

    checked = ngx_gateway_select_checked_lock(probe);

    if (checked == NULL) {
        return;
    }

    ngx_gateway_select_checked_count(probe, checked, outcome);

    checked->outcome = (u_char) outcome;

    if (agreed) {
        checked->agreed_len = ngx_gateway_select_checked_copy(checked->agreed,
                                     agreed, NGX_GATEWAY_SELECT_CHECKED_LEN);
    }

    /* a verdict may come long after the answer; without one it is now */

    if (outcome == NGX_GATEWAY_SELECT_CHECKED_NO_ANSWER
        || outcome == NGX_GATEWAY_SELECT_CHECKED_QUOTA)
    {
        checked->at = ngx_gateway_select_now();
        checked->block = probe->block;
        checked->value_len = 0;
        checked->agreed_len = 0;
    }

    ngx_gateway_select_checked_unlock(probe);
}


/*
 * The node's slot for the probe's check, with the lock held; NULL: another
 * worker leads, or there is no room.
 */

static ngx_gateway_select_checked_t *
ngx_gateway_select_checked_lock(ngx_gateway_select_probe_t *probe)
{
    uint32_t                         generation;
    ngx_uint_t                       chunk;
    ngx_gateway_select_checked_t    *checked;
    ngx_gateway_select_checkeds_t   *checkeds;
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = probe->watch->checker->gmcf;

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return NULL;
    }

    checkeds = probe->shared->checked;

    if (checkeds == NULL || probe->poll->index >= checkeds->n) {
        ngx_gateway_select_leader_unlock(gmcf);
        return NULL;
    }

    chunk = probe->node / NGX_GATEWAY_SELECT_CHUNK;

    if (checkeds->chunks[chunk] == NULL) {
        checkeds->chunks[chunk] = ngx_gateway_select_zone_alloc(
                                      ngx_gateway_select_zone(gmcf),
                                      NGX_GATEWAY_SELECT_CHUNK * checkeds->n
                                      * sizeof(ngx_gateway_select_checked_t));

        if (checkeds->chunks[chunk] == NULL) {
            ngx_gateway_select_checked_unlock(probe);
            return NULL;
        }
    }

    checked = checkeds->chunks[chunk]
              + probe->node % NGX_GATEWAY_SELECT_CHUNK * checkeds->n
              + probe->poll->index;

    generation = ngx_gateway_select_generation(probe->shared, probe->node);

    if (checked->generation != generation) {
        ngx_memzero(checked, sizeof(ngx_gateway_select_checked_t));
        checked->generation = generation;
    }

    return checked;
}


static void
ngx_gateway_select_checked_unlock(ngx_gateway_select_probe_t *probe)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = probe->watch->checker->gmcf;

    ngx_gateway_select_leader_unlock(gmcf);

    ngx_gateway_select_zone_warn(ngx_gateway_select_zone(gmcf));
}


/*
 * A verdict on what was answered counts once; what is not judged until the
 * next turn, and then another is open, never will be.
 */

static void
ngx_gateway_select_checked_count(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_checked_t *checked,
    ngx_gateway_select_checked_e outcome)
{
    uint64_t                       *counts;
    ngx_gateway_select_checkeds_t  *checkeds;

    checkeds = probe->shared->checked;
    counts = checkeds->names[probe->poll->index].counts;

    switch (outcome) {

    case NGX_GATEWAY_SELECT_CHECKED_PASSED:
    case NGX_GATEWAY_SELECT_CHECKED_FAILED:

        if (checked->open) {
            counts[outcome]++;
            checked->open = 0;
        }

        break;

    case NGX_GATEWAY_SELECT_CHECKED_OPEN:
        counts[outcome] += checked->open;
        checked->open = 1;
        break;

    default:
        counts[NGX_GATEWAY_SELECT_CHECKED_OPEN] += checked->open;
        checked->open = 0;
        counts[outcome]++;
        break;
    }
}


static u_char
ngx_gateway_select_checked_copy(u_char *dst, ngx_str_t *src, size_t max)
{
    u_char  c;
    size_t  i, len;

    len = ngx_min(src->len, max);

    for (i = 0; i < len; i++) {
        c = src->data[i];
        dst[i] = (c < ' ' || c > '~' || c == '"' || c == '\\') ? '?' : c;
    }

    return (u_char) len;
}


u_char *
ngx_gateway_select_checked_write(ngx_gateway_select_report_t *report,
    u_char *p)
{
    u_char                             *start;
    ngx_uint_t                          i;
    ngx_gateway_select_checked_t        checked;
    ngx_gateway_select_checked_name_t   name;

    p = ngx_cpymem(p, ",\"checks\":[", sizeof(",\"checks\":[") - 1);
    start = p;

    for (i = 0; ngx_gateway_select_checked_read(report, i, &name, &checked);
         i++)
    {
        p = ngx_sprintf(p, "%s{\"name\":\"%*s\",\"rule\":\"%s\","
                        "\"outcome\":\"%s\"",
                        p == start ? "" : ",", (size_t) name.len, name.name,
                        ngx_gateway_select_checked_rules[name.rule],
                        ngx_gateway_select_checked_outcomes[checked.outcome]);

        p = ngx_gateway_select_time(p, ",\"at\":", checked.at);

        p = checked.block ? ngx_sprintf(p, ",\"block\":%uL", checked.block)
                          : ngx_sprintf(p, ",\"block\":null");

        p = ngx_sprintf(p, ",\"value\":\"%*s\",\"agreed\":\"%*s\"}",
                        (size_t) checked.value_len, checked.value,
                        (size_t) checked.agreed_len, checked.agreed);
    }

    *p++ = ']';

    return p;
}


/* The outcome of a chain's check number i; 0: there are less of them. */

static ngx_uint_t
ngx_gateway_select_checked_read(ngx_gateway_select_report_t *report,
    ngx_uint_t i, ngx_gateway_select_checked_name_t *name,
    ngx_gateway_select_checked_t *checked)
{
    uint32_t                        node;
    ngx_uint_t                      found;
    ngx_slab_pool_t                *shpool;
    ngx_gateway_select_checked_t   *slots;
    ngx_gateway_select_checkeds_t  *checkeds;

    node = report->node.slot;
    shpool = ngx_gateway_select_zone(report->gmcf)->shpool;

    ngx_memzero(checked, sizeof(ngx_gateway_select_checked_t));

    ngx_shmtx_lock(&shpool->mutex);

    checkeds = report->chain->checked;
    found = (checkeds && i < checkeds->n);

    if (found) {
        *name = checkeds->names[i];
        slots = checkeds->chunks[node / NGX_GATEWAY_SELECT_CHUNK];

        if (slots) {
            slots += node % NGX_GATEWAY_SELECT_CHUNK * checkeds->n;

            if (slots[i].generation
                == ngx_gateway_select_generation(report->chain, node))
            {
                *checked = slots[i];
            }
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return found;
}


ngx_uint_t
ngx_gateway_select_checked_counts(ngx_gateway_select_main_conf_t *gmcf,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i, ngx_str_t *name,
    u_char *buf, uint64_t *counts)
{
    ngx_uint_t                          found;
    ngx_slab_pool_t                    *shpool;
    ngx_gateway_select_checkeds_t      *checkeds;
    ngx_gateway_select_checked_name_t  *kept;

    shpool = ngx_gateway_select_zone(gmcf)->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    checkeds = chain->checked;
    found = (checkeds && i < checkeds->n);

    if (found) {
        kept = &checkeds->names[i];

        name->data = buf;
        name->len = kept->len;
        ngx_memcpy(buf, kept->name, kept->len);
        ngx_memcpy(counts, kept->counts, sizeof(kept->counts));
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return found;
}
