
/*
 * Picking a node: two draws from the table in force, or, where some nodes are
 * not wanted, as many as it takes.
 */


#include "ngx_gateway_select_pick.h"

#include <sys/random.h>


/* how often a table is read again that was written meanwhile */

#define NGX_GATEWAY_SELECT_READS    8

/* draws until all of a table is looked at, where some nodes are not wanted */

#define NGX_GATEWAY_SELECT_DRAWS    16

/* draws that are known beforehand */

#define NGX_GATEWAY_SELECT_AHEAD    8


/* how far an option is from what is wanted: sums, the least is the best */

#define NGX_GATEWAY_SELECT_WANTED   0
#define NGX_GATEWAY_SELECT_OPERATED 1          /* by an operator tried */
#define NGX_GATEWAY_SELECT_LOW      2          /* below the height wanted */
#define NGX_GATEWAY_SELECT_UNABLE   4          /* lacks what is needed */
#define NGX_GATEWAY_SELECT_SPENT    8          /* from here on: never */
#define NGX_GATEWAY_SELECT_BEEN     9


/* a table as it is read: one of the halves at one generation */

typedef struct {
    ngx_gateway_select_chain_sh_t  *chain;
    ngx_gateway_select_half_t      *half;
    ngx_gateway_select_tried_t     *tried;
    ngx_atomic_uint_t               generation;
    ngx_gateway_select_entry_t     *entries;
    uint32_t                        n;
    unsigned                        ordered:1; /* it knows all admin verbs */
} ngx_gateway_select_view_t;


static ngx_int_t ngx_gateway_select_view(ngx_gateway_select_view_t *view,
    ngx_gateway_select_chain_sh_t *chain);
static ngx_inline ngx_uint_t ngx_gateway_select_view_changed(
    ngx_gateway_select_view_t *view);
static ngx_inline ngx_int_t ngx_gateway_select_draw(
    ngx_gateway_select_view_t *view, ngx_gateway_select_option_t *option);
static ngx_inline void ngx_gateway_select_better(
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_option_t *best,
    ngx_gateway_select_option_t *other);
static ngx_gateway_select_reason_e ngx_gateway_select_pick_any(
    ngx_gateway_select_view_t *view, ngx_gateway_select_option_t *option);
static ngx_gateway_select_reason_e ngx_gateway_select_pick_wanted(
    ngx_gateway_select_view_t *view, ngx_gateway_select_option_t *option);
static ngx_gateway_select_reason_e ngx_gateway_select_pick_scan(
    ngx_gateway_select_view_t *view, ngx_gateway_select_option_t *option);
static ngx_uint_t ngx_gateway_select_far(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option);
static ngx_uint_t ngx_gateway_select_unable(ngx_gateway_select_node_t *node,
    ngx_uint_t abilities);
static ngx_uint_t ngx_gateway_select_spent(
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_option_t *option);
static ngx_int_t ngx_gateway_select_take(ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_option_t *option);
static ngx_inline uint64_t ngx_gateway_select_pick_random(void);
static ngx_inline double ngx_gateway_select_pick_part(void);


ngx_str_t  ngx_gateway_select_reasons[NGX_GATEWAY_SELECT_REASONS] = {
    ngx_string("found"),
    ngx_string("unknown_chain"),
    ngx_string("no_nodes"),
    ngx_string("no_session"),
    ngx_string("excluded"),
    ngx_string("tried")
};


/* of the worker: the state of its random numbers */

static uint64_t  ngx_gateway_select_seed;

/*
 * The numbers that the next picks draw by are there before them: the entries
 * they lead to are loaded while the worker does other things.
 */

static uint64_t  ngx_gateway_select_next[NGX_GATEWAY_SELECT_AHEAD];
static uint32_t  ngx_gateway_select_drawn;


ngx_gateway_select_reason_e
ngx_gateway_select_pick(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_tried_t *tried, ngx_gateway_select_pick_t *pick)
{
    ngx_uint_t                   reads;
    ngx_gateway_select_view_t    view;
    ngx_gateway_select_option_t  option;
    ngx_gateway_select_reason_e  reason;

    if (chain == NULL) {
        return NGX_GATEWAY_SELECT_UNKNOWN_CHAIN;
    }

    view.tried = tried;

    for (reads = 0; reads < NGX_GATEWAY_SELECT_READS; reads++) {

        if (ngx_gateway_select_view(&view, chain) != NGX_OK) {
            continue;
        }

        if (view.n == 0) {
            reason = (ngx_gateway_select_reason_e) chain->empty;

        } else if (!view.ordered
                   || (tried && (tried->n || tried->min_height
                                 || tried->abilities)))
        {
            reason = ngx_gateway_select_pick_wanted(&view, &option);

        } else {
            reason = ngx_gateway_select_pick_any(&view, &option);
        }

        if (ngx_gateway_select_view_changed(&view)) {
            continue;
        }

        if (reason != NGX_GATEWAY_SELECT_FOUND
            || ngx_gateway_select_take(pick, chain, &option) == NGX_OK)
        {
            return reason;
        }
    }

    /*
     * Each time, the table was written twice while it was read: this process
     * has not run for as long.
     */

    return NGX_GATEWAY_SELECT_NO_NODES;
}


/* NGX_AGAIN: it is being written; the other one is in force by now. */

static ngx_int_t
ngx_gateway_select_view(ngx_gateway_select_view_t *view,
    ngx_gateway_select_chain_sh_t *chain)
{
    ngx_gateway_select_half_t  *half;

    half = &chain->halves[ngx_gateway_select_load(&chain->current) & 1];

    view->chain = chain;
    view->half = half;
    view->generation = ngx_gateway_select_load(&half->generation);
    view->entries = half->entries;
    view->n = half->nentries;
    view->ordered = (half->orders == chain->orders);

    /* n is never too much for the memory of entries: they belong together */

    if (view->generation & 1 || ngx_gateway_select_view_changed(view)) {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_inline ngx_uint_t
ngx_gateway_select_view_changed(ngx_gateway_select_view_t *view)
{
    ngx_gateway_select_read_barrier();

    return view->half->generation != view->generation;
}


/*
 * Copies the entry: it may be written while it is read, which is found out
 * afterwards; until then all of it is only kept inside its bounds.
 */

static ngx_inline ngx_int_t
ngx_gateway_select_draw(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option)
{
    uint32_t                     i;
    uint64_t                     random, next;
    ngx_gateway_select_entry_t  *e;

    i = ngx_gateway_select_drawn++ % NGX_GATEWAY_SELECT_AHEAD;

    random = ngx_gateway_select_next[i];
    next = ngx_gateway_select_pick_random();

    ngx_gateway_select_next[i] = next;
    ngx_gateway_select_prefetch(
                               &view->entries[((next >> 32) * view->n) >> 32]);

    e = &view->entries[((random >> 32) * view->n) >> 32];

    ngx_gateway_select_unpack(option, e, (uint32_t) random >= e->threshold);

    return (option->node < view->chain->nnodes) ? NGX_OK : NGX_AGAIN;
}


/* Leaves the better of the two in best. */

static ngx_inline void
ngx_gateway_select_better(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_option_t *best, ngx_gateway_select_option_t *other)
{
    uint32_t  a, b;

    if (best->node == other->node) {
        return;
    }

    a = ngx_gateway_select_inflight(chain, best->node);
    b = ngx_gateway_select_inflight(chain, other->node);

    if (gateway_rank_cost(other, b) < gateway_rank_cost(best, a)) {
        *best = *other;
    }
}


static ngx_gateway_select_reason_e
ngx_gateway_select_pick_any(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option)
{
    ngx_gateway_select_option_t  other;

    if (ngx_gateway_select_draw(view, option) != NGX_OK
        || ngx_gateway_select_draw(view, &other) != NGX_OK
        || (option->session != NGX_GATEWAY_SELECT_NO_SESSION
            && ngx_gateway_select_spent(view->chain, option))
        || (other.session != NGX_GATEWAY_SELECT_NO_SESSION
            && ngx_gateway_select_spent(view->chain, &other)))
    {
        return ngx_gateway_select_pick_wanted(view, option);
    }

    ngx_gateway_select_better(view->chain, option, &other);

    return NGX_GATEWAY_SELECT_FOUND;
}


/* The better of two that are wanted, of a bounded number of draws. */

static ngx_gateway_select_reason_e
ngx_gateway_select_pick_wanted(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option)
{
    ngx_uint_t       i, found;
    ngx_gateway_select_option_t  other;

    found = 0;

    for (i = 0; i < NGX_GATEWAY_SELECT_DRAWS; i++) {

        if (ngx_gateway_select_draw(view, &other) != NGX_OK
            || ngx_gateway_select_far(view, &other)
               != NGX_GATEWAY_SELECT_WANTED)
        {
            continue;
        }

        if (found) {
            ngx_gateway_select_better(view->chain, option, &other);
            return NGX_GATEWAY_SELECT_FOUND;
        }

        *option = other;
        found = 1;
    }

    return found ? NGX_GATEWAY_SELECT_FOUND
                 : ngx_gateway_select_pick_scan(view, option);
}


/* The least far of all, by weight where there are several. */

static ngx_gateway_select_reason_e
ngx_gateway_select_pick_scan(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option)
{
    double                      sum, draw;
    uint32_t                    i;
    ngx_uint_t                  far, least, spent;
    ngx_gateway_select_node_t   *node;
    ngx_gateway_select_option_t  other;

    sum = 0;
    spent = 0;
    least = NGX_GATEWAY_SELECT_SPENT;

    for (i = 0; i < view->n; i++) {

        ngx_gateway_select_unpack(&other, &view->entries[i], 0);

        if (other.node >= view->chain->nnodes) {
            continue;
        }

        far = ngx_gateway_select_far(view, &other);

        if (far == NGX_GATEWAY_SELECT_SPENT) {
            spent = 1;
        }

        if (far >= NGX_GATEWAY_SELECT_SPENT || far > least) {
            continue;
        }

        if (far < least) {
            least = far;
            sum = 0;
        }

        node = ngx_gateway_select_node(view->chain, other.node);
        draw = ngx_max(node->draw, 0);

        sum += draw;

        if (sum == draw || ngx_gateway_select_pick_part() * sum < draw) {
            *option = other;
        }
    }

    if (least < NGX_GATEWAY_SELECT_SPENT) {
        return NGX_GATEWAY_SELECT_FOUND;
    }

    return spent ? NGX_GATEWAY_SELECT_EXCLUDED : NGX_GATEWAY_SELECT_TRIED;
}


static ngx_uint_t
ngx_gateway_select_far(ngx_gateway_select_view_t *view,
    ngx_gateway_select_option_t *option)
{
    ngx_uint_t                   i, far;
    ngx_gateway_select_node_t   *node;
    ngx_gateway_select_tried_t  *tried;

    tried = view->tried;
    far = NGX_GATEWAY_SELECT_WANTED;
    node = ngx_gateway_select_node(view->chain, option->node);

    /* none of these is in a table that knows of it */

    if (node->flags) {
        return NGX_GATEWAY_SELECT_SPENT;
    }

    if (tried) {
        for (i = 0; i < tried->n; i++) {
            if (tried->nodes[i] == option->node) {
                return NGX_GATEWAY_SELECT_BEEN;
            }

            if (tried->operators[i] == node->operator) {
                far = NGX_GATEWAY_SELECT_OPERATED;
            }
        }

        if (node->record.height < tried->min_height
            && node->fresh.height < tried->min_height)
        {
            far += NGX_GATEWAY_SELECT_LOW;
        }

        if (tried->abilities
            && ngx_gateway_select_unable(node, tried->abilities))
        {
            far += NGX_GATEWAY_SELECT_UNABLE;
        }
    }

    if (option->session != NGX_GATEWAY_SELECT_NO_SESSION
        && ngx_gateway_select_spent(view->chain, option))
    {
        return NGX_GATEWAY_SELECT_SPENT;
    }

    return far;
}


static ngx_uint_t
ngx_gateway_select_unable(ngx_gateway_select_node_t *node,
    ngx_uint_t abilities)
{
    ngx_uint_t  i;

    for (i = 0; i < GATEWAY_ABILITIES; i++) {
        if ((abilities >> i & 1)
            && ngx_gateway_select_lacking(&node->fresh, i))
        {
            return 1;
        }
    }

    return 0;
}


/* Is the allowance used up, or the session over, since the table was made? */

static ngx_uint_t
ngx_gateway_select_spent(ngx_gateway_select_chain_sh_t *chain,
    ngx_gateway_select_option_t *option)
{
    uint32_t                       i, place;
    ngx_gateway_select_session_t  *session;

    i = ngx_gateway_select_seat_session(option->session);
    place = ngx_gateway_select_seat_place(option->session);

    if (i >= ngx_gateway_select_load(&chain->nsessions)
        || place >= NGX_GATEWAY_SELECT_SESSION_NODES)
    {
        return 1;
    }

    session = &chain->sessions[i];

    return session->generation & 1
           || session->height == 0
           || session->nodes[place] != option->node
           || (session->refused | session->waiting) >> place & 1
           || session->used[place] >= session->allowance;
}


/* NGX_AGAIN: the slot is being given to another node. */

static ngx_int_t
ngx_gateway_select_take(ngx_gateway_select_pick_t *pick,
    ngx_gateway_select_chain_sh_t *chain, ngx_gateway_select_option_t *option)
{
    pick->chain = chain;
    pick->node = option->node;
    pick->session = NGX_GATEWAY_SELECT_NO_SESSION;
    pick->place = 0;
    pick->generation = ngx_gateway_select_generation(chain, option->node);
    pick->session_generation = 0;
    pick->begun = 0;
    pick->wrong = 0;
    pick->counted = 0;
    pick->overdue = 0;

    if (option->session != NGX_GATEWAY_SELECT_NO_SESSION) {
        pick->session = ngx_gateway_select_seat_session(option->session);
        pick->place = ngx_gateway_select_seat_place(option->session);
        pick->session_generation = chain->sessions[pick->session].generation;
    }

    return (pick->generation & 1) ? NGX_AGAIN : NGX_OK;
}


void
ngx_gateway_select_pick_node(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node, uint32_t session, ngx_gateway_select_pick_t *pick)
{
    uint32_t                       place;
    ngx_gateway_select_option_t    option;
    ngx_gateway_select_session_t  *s;

    option.node = node;
    option.session = NGX_GATEWAY_SELECT_NO_SESSION;

    if (session < ngx_gateway_select_load(&chain->nsessions)) {

        s = &chain->sessions[session];

        for (place = 0; place < NGX_GATEWAY_SELECT_SESSION_NODES; place++) {

            if (place < s->nnodes && s->nodes[place] == node) {
                option.session = ngx_gateway_select_seat(session, place);
                break;
            }
        }
    }

    (void) ngx_gateway_select_take(pick, chain, &option);
}


void
ngx_gateway_select_tried_add(ngx_gateway_select_tried_t *tried,
    ngx_gateway_select_pick_t *pick)
{
    ngx_gateway_select_node_t  *node;

    if (tried->n == NGX_GATEWAY_SELECT_TRIED_MAX) {
        return;
    }

    node = ngx_gateway_select_node(pick->chain, pick->node);

    tried->nodes[tried->n] = pick->node;
    tried->operators[tried->n] = node->operator;
    tried->n++;
}


uint32_t
ngx_gateway_select_inflight(ngx_gateway_select_chain_sh_t *chain,
    uint32_t node)
{
    uint32_t                  n;
    ngx_uint_t                i, nused;
    ngx_gateway_select_sh_t  *sh;

    sh = chain->sh;
    nused = sh->nused;
    n = 0;

    /* the list may change meanwhile, its numbers are always those of rows */

    for (i = 0; i < nused; i++) {
        n += ngx_gateway_select_counter(chain, node, sh->used[i]);
    }

    return n;
}


/* splitmix64: one multiplication more than xorshift, and no weak low bits */

static ngx_inline uint64_t
ngx_gateway_select_pick_random(void)
{
    uint64_t  n;

    n = (ngx_gateway_select_seed += 0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
    n = (n ^ (n >> 27)) * 0x94d049bb133111eb;

    return n ^ (n >> 31);
}


uint64_t
ngx_gateway_select_random(void)
{
    return ngx_gateway_select_pick_random();
}


/* 0 to 1, without 1 */

static ngx_inline double
ngx_gateway_select_pick_part(void)
{
    return (double) (ngx_gateway_select_pick_random() >> 11)
           / (double) ((uint64_t) 1 << 53);
}


void
ngx_gateway_select_pick_seed(void)
{
    ngx_uint_t  i;

    if (getrandom(&ngx_gateway_select_seed, sizeof(uint64_t), GRND_NONBLOCK)
        != sizeof(uint64_t))
    {
        ngx_gateway_select_seed = (uint64_t) ngx_random() << 32
                                  ^ (uint64_t) ngx_random() ^ ngx_pid;
    }

    for (i = 0; i < NGX_GATEWAY_SELECT_AHEAD; i++) {
        ngx_gateway_select_next[i] = ngx_gateway_select_pick_random();
    }
}
