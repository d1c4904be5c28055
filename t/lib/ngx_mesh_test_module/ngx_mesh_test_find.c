
/*
 * Test module: FindNode through gateway_find.h alone, what the gateway's zone
 * holds, and how long it takes to find a node in a worker.
 */


#include "ngx_mesh_test.h"

#include "gateway_find.h"
#include "ngx_gateway_select_zone.h"


#define NGX_MESH_TEST_FIND_WARM    100000
#define NGX_MESH_TEST_FIND_LOOPS   4000000
#define NGX_MESH_TEST_FIND_COLD    200
#define NGX_MESH_TEST_FIND_FLUSH   (64 * 1024 * 1024)
#define NGX_MESH_TEST_FIND_LINE    1024


typedef ngx_int_t (*ngx_mesh_test_find_pt)(ngx_cycle_t *cycle,
    ngx_str_t *chain, gateway_found_t *found);


static ngx_int_t ngx_mesh_test_find_handler(ngx_http_request_t *r);
static ngx_int_t ngx_mesh_test_find_zone_handler(ngx_http_request_t *r);
static u_char *ngx_mesh_test_find_node(u_char *p, u_char *last,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i);
static ngx_int_t ngx_mesh_test_find_bench_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_mesh_test_find_measure(ngx_mesh_test_find_pt find,
    ngx_str_t *name, ngx_gateway_select_chain_sh_t *chain, uint32_t *ns,
    ngx_uint_t n, u_char *flush);
static int ngx_libc_cdecl ngx_mesh_test_find_compare(const void *one,
    const void *two);
static uint64_t ngx_mesh_test_find_clock(void);
static ngx_gateway_select_zone_t *ngx_mesh_test_find_zone(void);
static ngx_gateway_select_chain_sh_t *ngx_mesh_test_find_chain(
    ngx_gateway_select_zone_t *zone, ngx_str_t *name);
static ngx_int_t ngx_mesh_test_find_arg(ngx_http_request_t *r,
    ngx_str_t *chain);
static ngx_int_t ngx_mesh_test_find_send(ngx_http_request_t *r, u_char *start,
    u_char *end);


char *
ngx_mesh_test_find(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_strcmp(cmd->name.data, "mesh_test_find_zone") == 0) {
        clcf->handler = ngx_mesh_test_find_zone_handler;

    } else if (ngx_strcmp(cmd->name.data, "mesh_test_find_bench") == 0) {
        clcf->handler = ngx_mesh_test_find_bench_handler;

    } else {
        clcf->handler = ngx_mesh_test_find_handler;
    }

    return NGX_CONF_OK;
}


/* ?chain=NAME: a node, and its try ends well at once */

static ngx_int_t
ngx_mesh_test_find_handler(ngx_http_request_t *r)
{
    u_char                      *p;
    ngx_str_t                    name;
    gateway_found_t              found;
    const gateway_find_calls_t  *calls;

    if (ngx_mesh_test_find_arg(r, &name) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    p = ngx_pnalloc(r->pool, NGX_MESH_TEST_FIND_LINE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    calls = gateway_find_calls((ngx_cycle_t *) ngx_cycle);

    if (calls == NULL) {
        return ngx_mesh_test_find_send(r, p, ngx_sprintf(p, "no calls\n"));
    }

    if (calls->find((ngx_cycle_t *) ngx_cycle, &name, &found) != NGX_OK) {
        return ngx_mesh_test_find_send(r, p, ngx_sprintf(p, "none: %V\n",
                                                         &found.reason));
    }

    calls->begin(&found);
    calls->end(&found, GATEWAY_FIND_OK, 5);

    return ngx_mesh_test_find_send(r, p,
                                   ngx_sprintf(p, "%V %V \"%V\" %uL %V\n",
                                               &found.key, &found.url,
                                               &found.app,
                                               found.session_height,
                                               &found.reason));
}


/*
 * ?chain=NAME[&age=MS]: who leads, and each node's record and tries in
 * flight; with an age they were all seen so long before.
 */

static ngx_int_t
ngx_mesh_test_find_zone_handler(ngx_http_request_t *r)
{
    size_t                          size;
    u_char                         *start, *p, *last;
    ngx_str_t                       name, age;
    ngx_uint_t                      i, n;
    ngx_gateway_select_zone_t      *zone;
    ngx_gateway_select_chain_sh_t  *chain;

    zone = ngx_mesh_test_find_zone();

    if (zone == NULL || ngx_mesh_test_find_arg(r, &name) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    chain = ngx_mesh_test_find_chain(zone, &name);
    n = chain ? chain->nnodes : 0;

    size = (n + 1) * NGX_MESH_TEST_FIND_LINE;

    start = ngx_pnalloc(r->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    last = start + size;

    p = ngx_slprintf(start, last, "pid %P leader %P generation %uA rows %uA "
                     "chains %uA nodes %ui entries %uD\n",
                     ngx_pid, zone->sh->leader, zone->generation,
                     zone->sh->nused, zone->sh->nchains, n,
                     chain ? chain->halves[chain->current & 1].nentries : 0);

    if (ngx_http_arg(r, (u_char *) "age", 3, &age) != NGX_OK) {
        age.len = 0;
    }

    for (i = 0; i < n; i++) {

        if (age.len) {
            ngx_gateway_select_node(chain, i)->seen_at
                -= (uint64_t) ngx_atoi(age.data, age.len);
        }

        p = ngx_mesh_test_find_node(p, last, chain, i);
    }

    return ngx_mesh_test_find_send(r, start, p);
}


static u_char *
ngx_mesh_test_find_node(u_char *p, u_char *last,
    ngx_gateway_select_chain_sh_t *chain, ngx_uint_t i)
{
    uint32_t                    inflight;
    ngx_uint_t                  row;
    ngx_gateway_select_node_t  *node;

    node = ngx_gateway_select_node(chain, i);
    inflight = 0;

    for (row = 0; row < chain->sh->nused; row++) {
        inflight += ngx_gateway_select_counter(chain, i,
                                               chain->sh->used[row]);
    }

    return ngx_slprintf(p, last, "%V inflight=%uD picked=%uL tries=%uL "
                        "successes=%uL excluded=%xD chosen=%uD "
                        "latency=%.0f share=%.4f slot=%uD operator=%uD\n",
                        &node->sn.str, inflight, node->picked,
                        node->record.total_tries,
                        node->record.total_successes,
                        node->factors.excluded, node->chosen,
                        node->factors.latency, node->share, node->slot,
                        node->operator);
}


/*
 * ?chain=NAME[&tell=1]: nanoseconds of a pick (of a whole find), the clock's
 * own left out: mean, p50, p99, and the mean where the caches were filled
 * with other things before.  Answers 409 in the worker that leads: the tables
 * are to be rebuilt by another process meanwhile.
 */

static ngx_int_t
ngx_mesh_test_find_bench_handler(ngx_http_request_t *r)
{
    u_char                         *p, *flush;
    uint32_t                       *ns;
    ngx_str_t                       name, tell;
    ngx_uint_t                      mean, cold, p50, p99, generation;
    ngx_mesh_test_find_pt           find;
    const gateway_find_calls_t     *calls;
    ngx_gateway_select_zone_t      *zone;
    ngx_gateway_select_chain_sh_t  *chain;

    calls = gateway_find_calls((ngx_cycle_t *) ngx_cycle);
    zone = ngx_mesh_test_find_zone();

    if (calls == NULL || zone == NULL
        || ngx_mesh_test_find_arg(r, &name) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (zone->sh->leader == ngx_pid) {
        return NGX_HTTP_CONFLICT;
    }

    chain = ngx_mesh_test_find_chain(zone, &name);
    if (chain == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    p = ngx_pnalloc(r->pool, NGX_MESH_TEST_FIND_LINE);
    ns = ngx_palloc(r->pool, NGX_MESH_TEST_FIND_LOOPS * sizeof(uint32_t));
    flush = ngx_pcalloc(r->pool, NGX_MESH_TEST_FIND_FLUSH);

    if (p == NULL || ns == NULL || flush == NULL) {
        return NGX_ERROR;
    }

    find = (ngx_http_arg(r, (u_char *) "tell", 4, &tell) == NGX_OK)
           ? calls->find : calls->pick;

    (void) ngx_mesh_test_find_measure(find, &name, chain, ns,
                                      NGX_MESH_TEST_FIND_WARM, NULL);

    generation = chain->halves[0].generation;

    mean = ngx_mesh_test_find_measure(find, &name, chain, ns,
                                      NGX_MESH_TEST_FIND_LOOPS, NULL);

    generation = chain->halves[0].generation - generation;

    ngx_qsort(ns, NGX_MESH_TEST_FIND_LOOPS, sizeof(uint32_t),
              ngx_mesh_test_find_compare);

    p50 = ns[NGX_MESH_TEST_FIND_LOOPS / 2];
    p99 = ns[NGX_MESH_TEST_FIND_LOOPS - NGX_MESH_TEST_FIND_LOOPS / 100];

    cold = ngx_mesh_test_find_measure(find, &name, chain, ns,
                                      NGX_MESH_TEST_FIND_COLD, flush);

    return ngx_mesh_test_find_send(r, p,
               ngx_sprintf(p, "nodes=%uA mean=%ui p50=%ui p99=%ui cold=%ui "
                           "rebuilt=%ui\n", chain->nnodes, mean, p50, p99,
                           cold, generation));
}


/* Gives the mean; the others, one by one, in ns. */

static ngx_uint_t
ngx_mesh_test_find_measure(ngx_mesh_test_find_pt find, ngx_str_t *name,
    ngx_gateway_select_chain_sh_t *chain, uint32_t *ns, ngx_uint_t n,
    u_char *flush)
{
    uint64_t         begun, empty, sum;
    ngx_uint_t       i, k;
    gateway_found_t  found;

    empty = (uint64_t) -1;

    for (i = 0; i < 1000; i++) {
        begun = ngx_mesh_test_find_clock();
        begun = ngx_mesh_test_find_clock() - begun;
        empty = ngx_min(empty, begun);
    }

    sum = 0;

    for (i = 0; i < n; i++) {

        /* all of it is ranked again, as soon as the leader looks */

        if (i % 64 == 0) {
            chain->dirty = 1;
        }

        for (k = 0; flush && k < NGX_MESH_TEST_FIND_FLUSH; k += 64) {
            flush[k]++;
        }

        begun = ngx_mesh_test_find_clock();

        (void) find((ngx_cycle_t *) ngx_cycle, name, &found);

        begun = ngx_mesh_test_find_clock() - begun;

        ns[i] = (uint32_t) ((begun > empty) ? begun - empty : 0);
        sum += ns[i];
    }

    return (ngx_uint_t) (sum / n);
}


static int ngx_libc_cdecl
ngx_mesh_test_find_compare(const void *one, const void *two)
{
    const uint32_t  *a, *b;

    a = one;
    b = two;

    return (*a > *b) - (*a < *b);
}


static uint64_t
ngx_mesh_test_find_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* as gateway_find_calls() finds the module */

static ngx_gateway_select_zone_t *
ngx_mesh_test_find_zone(void)
{
    ngx_uint_t                       i;
    ngx_module_t                    *module;
    ngx_gateway_select_main_conf_t  *gmcf;

    for (i = 0; ngx_cycle->modules[i]; i++) {

        module = ngx_cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_gateway_select_module") == 0) {
            gmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, (*module));

            return gmcf->shm_zone ? ngx_gateway_select_zone(gmcf) : NULL;
        }
    }

    return NULL;
}


static ngx_gateway_select_chain_sh_t *
ngx_mesh_test_find_chain(ngx_gateway_select_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_gateway_select_chain_sh_t  *chain;

    for (i = 0; i < zone->sh->nchains; i++) {
        chain = zone->sh->chains[i];

        if (chain->name_len == name->len
            && ngx_memcmp(chain->name, name->data, name->len) == 0)
        {
            return chain;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_mesh_test_find_arg(ngx_http_request_t *r, ngx_str_t *chain)
{
    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_arg(r, (u_char *) "chain", 5, chain);
}


static ngx_int_t
ngx_mesh_test_find_send(ngx_http_request_t *r, u_char *start, u_char *end)
{
    ngx_str_t                 type;
    ngx_http_complex_value_t  cv;

    ngx_str_set(&type, "text/plain");
    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = start;
    cv.value.len = end - start;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}
