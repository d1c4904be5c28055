
/*
 * Rounds.  Nodes are asked at different times; what they told stays a vote
 * while it is fresh, and is judged again with each that comes: so a verdict
 * does not wait for all, and one slow node delays nobody's.
 */


#include "ngx_gateway_select_checked.h"


#define NGX_GATEWAY_SELECT_POLL_POOL      1024
#define NGX_GATEWAY_SELECT_POLL_ASK_SOON  200    /* ms, others to be asked */

#define NGX_GATEWAY_SELECT_FRESH_BLOCKS   4
#define NGX_GATEWAY_SELECT_FRESH_ROUNDS   2

/* growth of the chain that its block time is learned by */

#define NGX_GATEWAY_SELECT_GROWN_BLOCKS   16
#define NGX_GATEWAY_SELECT_GROWN_TIME     60000
#define NGX_GATEWAY_SELECT_GROWN_LEAST    3
#define NGX_GATEWAY_SELECT_GROWN_SHARE    4


static void ngx_gateway_select_poll_begin(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll, uint64_t block);
static void ngx_gateway_select_poll_hurry(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll);
static ngx_gateway_select_agreed_t *ngx_gateway_select_poll_agreed(
    ngx_gateway_select_poll_t *poll, uint64_t block);
static void ngx_gateway_select_poll_known(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_agreed_t *agreed, ngx_str_t *identifier,
    ngx_gateway_select_reply_t *reply);
static ngx_uint_t ngx_gateway_select_poll_answer(
    ngx_gateway_select_probe_t *probe, ngx_str_t *identifier,
    ngx_gateway_select_reply_t *reply);
static void ngx_gateway_select_poll_own(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_gateway_select_reply_t *reply);
static ngx_int_t ngx_gateway_select_poll_told(
    ngx_gateway_select_probe_t *probe, ngx_gateway_select_told_t *told,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply);
static ngx_int_t ngx_gateway_select_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src, size_t max);
static void ngx_gateway_select_poll_judge(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll);
static void ngx_gateway_select_poll_verdict(ngx_gateway_select_probe_t *probe,
    gateway_verdict_e verdict, ngx_str_t *agreed);
static void ngx_gateway_select_outvoted(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed);

static void ngx_gateway_select_height_judge(
    ngx_gateway_select_watch_t *watch);
static void ngx_gateway_select_height_grown(
    ngx_gateway_select_watch_t *watch, gateway_height_ref_t *ref,
    ngx_uint_t n);
static ngx_uint_t ngx_gateway_select_height_votes(
    ngx_gateway_select_watch_t *watch, uint64_t now, ngx_uint_t judged,
    ngx_uint_t n);
static void ngx_gateway_select_height_verdict(
    ngx_gateway_select_watch_t *watch, uint32_t node, gateway_vote_t *vote);
static ngx_int_t ngx_gateway_select_height_publish(
    ngx_gateway_select_watch_t *watch, gateway_height_ref_t *ref,
    uint64_t now);
static void ngx_gateway_select_block_time(ngx_gateway_select_watch_t *watch,
    gateway_height_ref_t *ref, uint64_t now);


/* ms, until the chain has told */

static ngx_msec_t  ngx_gateway_select_block_times[] = {
    12000,                                 /* evm */
    400,                                   /* solana */
    900000,                                /* pokt */
    6000,                                  /* cosmos */
    12000,                                 /* generic */
    12000                                  /* none */
};


ngx_int_t
ngx_gateway_select_poll_ask(ngx_gateway_select_probe_t *probe)
{
    uint64_t                      block;
    ngx_msec_t                    interval;
    ngx_gateway_select_poll_t    *poll;
    ngx_gateway_select_check_t   *check;
    ngx_gateway_select_watch_t   *watch;
    ngx_gateway_select_agreed_t  *agreed;

    poll = probe->poll;
    check = probe->check;
    watch = probe->watch;

    interval = ngx_gateway_select_check_interval(watch, check);

    /* what is no block's identifier stays, and so do the votes on it */

    if (check->from == 0) {
        interval *= NGX_GATEWAY_SELECT_SPARSE;
    }

    if (!poll->asked
        || ngx_gateway_select_due(poll->begun + interval, ngx_current_msec))
    {
        block = 0;

        if (check->from) {
            block = gateway_probe_block(probe->shared->height.reference,
                                    probe->chain->record.height_tolerance,
                                    check->from, check->to,
                                    ngx_gateway_select_random());
            if (block == 0) {
                return NGX_DECLINED;
            }
        }

        ngx_gateway_select_poll_begin(watch, poll, block);
    }

    probe->block = poll->block;

    /* one that is out returns by what is agreed already */

    if (poll->nagreed && ngx_gateway_select_probe_awaited(probe)) {
        agreed = &poll->agreed[(poll->nagreed - 1)
                               % NGX_GATEWAY_SELECT_AGREED];
        probe->block = agreed->block;
    }

    return NGX_OK;
}


static void
ngx_gateway_select_poll_begin(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll, uint64_t block)
{
    ngx_uint_t                     i;
    ngx_gateway_select_watched_t  *watched;

    if (poll->pool) {
        ngx_destroy_pool(poll->pool);
        poll->pool = NULL;
    }

    poll->block = block;
    poll->begun = ngx_current_msec;
    poll->nanswers = 0;
    poll->judge = 0;
    poll->asked = 1;
    ngx_str_null(&poll->witness);

    for (i = 0; i < watch->nnodes; i++) {
        watched = ngx_gateway_select_watched(watch, i);
        watched->votes[poll->index] = 0;
        watched->probes[poll->index].own = NULL;
    }

    if (block) {
        ngx_gateway_select_witness_ask(watch, poll);

        /* a first few votes, against which others are held */

        ngx_gateway_select_poll_hurry(watch, poll);
    }
}


/* some that have not voted yet, wherever they stand, are asked soon */

static void
ngx_gateway_select_poll_hurry(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll)
{
    uint32_t                       node;
    ngx_uint_t                     i, n;
    ngx_gateway_select_watched_t  *watched;

    n = 0;
    node = ngx_gateway_select_random() % watch->nnodes;

    for (i = 0; i < watch->nnodes && n < NGX_GATEWAY_SELECT_HURRY; i++) {
        watched = ngx_gateway_select_watched(watch, node);

        if (watched->votes[poll->index] == 0
            && watched->probes[poll->index].failures == 0)
        {
            ngx_gateway_select_probe_hurry(&watched->probes[poll->index],
                                           ngx_gateway_select_jitter(
                                           NGX_GATEWAY_SELECT_POLL_ASK_SOON));
            n++;
        }

        node = (node + 1) % watch->nnodes;
    }
}


void
ngx_gateway_select_poll_vote(ngx_gateway_select_probe_t *probe,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply)
{
    ngx_uint_t                     answer;
    ngx_gateway_select_poll_t     *poll;
    ngx_gateway_select_agreed_t   *agreed;
    ngx_gateway_select_watched_t  *watched;

    poll = probe->poll;

    if (probe->block) {
        agreed = ngx_gateway_select_poll_agreed(poll, probe->block);

        if (agreed) {
            ngx_gateway_select_poll_known(probe, agreed, identifier, reply);
        }

        /* the question may have changed while it was asked */

        if (probe->block != poll->block) {
            return;
        }
    }

    answer = ngx_gateway_select_poll_answer(probe, identifier, reply);

    if (answer == NGX_GATEWAY_SELECT_ANSWERS) {
        return;
    }

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    watched->votes[poll->index] = answer + 1;

    poll->judge = 1;
    ngx_gateway_select_checker_soon(probe->watch->checker);
}


static ngx_gateway_select_agreed_t *
ngx_gateway_select_poll_agreed(ngx_gateway_select_poll_t *poll,
    uint64_t block)
{
    ngx_uint_t  i, n;

    n = ngx_min(poll->nagreed, NGX_GATEWAY_SELECT_AGREED);

    for (i = 0; i < n; i++) {
        if (poll->agreed[i].block == block) {
            return &poll->agreed[i];
        }
    }

    return NULL;
}


/* a single answer, and what the quorum said of the same block before */

static void
ngx_gateway_select_poll_known(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_agreed_t *agreed, ngx_str_t *identifier,
    ngx_gateway_select_reply_t *reply)
{
    ngx_str_t                  name;
    ngx_gateway_select_told_t  told;

    if (probe->block == probe->poll->block) {
        return;                            /* judged as a vote */
    }

    name.len = agreed->len;
    name.data = agreed->identifier;

    if (name.len == identifier->len
        && ngx_memcmp(name.data, identifier->data, name.len) == 0)
    {
        ngx_gateway_select_voted(probe, 1);
        ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_PASSED,
                                   &name);
        ngx_gateway_select_passed(probe);
        return;
    }

    told.identifier = *identifier;
    told.text = reply->body;
    told.size = reply->body.len;
    told.signature = reply->signature;
    told.proof = reply->proof;
    told.hash = reply->hash;
    told.node = probe->node;

    ngx_gateway_select_outvoted(probe, &told, &name);
}


/* the place of this answer among the different ones, or none */

static ngx_uint_t
ngx_gateway_select_poll_answer(ngx_gateway_select_probe_t *probe,
    ngx_str_t *identifier, ngx_gateway_select_reply_t *reply)
{
    ngx_uint_t                  i;
    ngx_gateway_select_poll_t  *poll;
    ngx_gateway_select_told_t  *told;

    poll = probe->poll;
    probe->own = NULL;

    for (i = 0; i < poll->nanswers; i++) {
        told = &poll->answers[i];

        if (told->identifier.len == identifier->len
            && ngx_memcmp(told->identifier.data, identifier->data,
                          identifier->len)
               == 0)
        {
            ngx_gateway_select_poll_own(probe, told, reply);
            return i;
        }
    }

    if (i == NGX_GATEWAY_SELECT_ANSWERS) {
        return i;
    }

    if (poll->pool == NULL) {
        poll->pool = ngx_create_pool(NGX_GATEWAY_SELECT_POLL_POOL,
                                     ngx_cycle->log);
        if (poll->pool == NULL) {
            return NGX_GATEWAY_SELECT_ANSWERS;
        }
    }

    told = &poll->answers[i];

    if (ngx_gateway_select_poll_told(probe, told, identifier, reply)
        != NGX_OK)
    {
        return NGX_GATEWAY_SELECT_ANSWERS;
    }

    poll->nanswers++;

    return i;
}


/* Who tells the same has signed it on its own: few of them are kept, too. */

static void
ngx_gateway_select_poll_own(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_gateway_select_reply_t *reply)
{
    ngx_gateway_select_told_t  *own;

    if (reply->signature.len == 0
        || told->tellers >= NGX_GATEWAY_SELECT_TELLERS)
    {
        return;
    }

    own = ngx_palloc(probe->poll->pool, sizeof(ngx_gateway_select_told_t));

    if (own
        && ngx_gateway_select_poll_told(probe, own, &told->identifier, reply)
           == NGX_OK)
    {
        told->tellers++;
        probe->own = own;
    }
}


static ngx_int_t
ngx_gateway_select_poll_told(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_str_t *identifier,
    ngx_gateway_select_reply_t *reply)
{
    size_t       max;
    ngx_pool_t  *pool;

    pool = probe->poll->pool;
    max = reply->signature.len ? NGX_GATEWAY_SELECT_EVIDENCE_LEN
                               : NGX_GATEWAY_SELECT_EVIDENCE_START;

    told->node = probe->node;
    told->size = reply->body.len;
    told->tellers = 1;

    if (ngx_gateway_select_copy(pool, &told->identifier, identifier,
                                NGX_GATEWAY_SELECT_IDENTIFIER_LEN)
        != NGX_OK
        || ngx_gateway_select_copy(pool, &told->text, &reply->body, max)
           != NGX_OK
        || ngx_gateway_select_copy(pool, &told->signature, &reply->signature,
                                   2 * POCKET_SIG_LEN)
           != NGX_OK
        || ngx_gateway_select_copy(pool, &told->proof, &reply->proof,
                                   2 * POCKET_HASH_LEN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gateway_select_copy(pool, &told->hash, &reply->hash,
                                   2 * POCKET_HASH_LEN);
}


static ngx_int_t
ngx_gateway_select_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src,
    size_t max)
{
    dst->len = ngx_min(src->len, max);
    dst->data = NULL;

    if (dst->len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(pool, dst->len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, dst->len);

    return NGX_OK;
}


void
ngx_gateway_select_watch_judge(ngx_gateway_select_watch_t *watch)
{
    ngx_uint_t  i;

    if (watch->judge) {
        watch->judge = 0;
        ngx_gateway_select_height_judge(watch);
    }

    for (i = 0; i < watch->nchecks; i++) {
        if (watch->polls[i].judge) {
            watch->polls[i].judge = 0;
            ngx_gateway_select_poll_judge(watch, &watch->polls[i]);
        }
    }
}


static void
ngx_gateway_select_poll_judge(ngx_gateway_select_watch_t *watch,
    ngx_gateway_select_poll_t *poll)
{
    uint32_t                       i, n, *voters;
    ngx_str_t                      agreed;
    pocket_str_t                   reference, winner;
    gateway_vote_t                *votes;
    ngx_gateway_select_told_t     *told;
    ngx_gateway_select_agreed_t   *slot;
    ngx_gateway_select_watched_t  *watched;

    votes = watch->checker->votes;
    voters = watch->checker->voters;
    n = 0;

    for (i = 0; i < watch->nnodes && n < NGX_GATEWAY_SELECT_VOTES; i++) {
        watched = ngx_gateway_select_watched(watch, i);

        if (watched->votes[poll->index] == 0
            || watched->generation
               != ngx_gateway_select_generation(watch->shared, i))
        {
            continue;
        }

        ngx_memzero(&votes[n], sizeof(gateway_vote_t));

        told = &poll->answers[(watched->votes[poll->index]
                               & ~NGX_GATEWAY_SELECT_JUDGED) - 1];

        votes[n].identifier.len = told->identifier.len;
        votes[n].identifier.data = told->identifier.data;
        votes[n].operator = ngx_gateway_select_node(watch->shared, i)
                                ->operator;
        voters[n++] = i;
    }

    reference.len = poll->witness.len;
    reference.data = poll->witness.data;

    if (n == 0
        || gateway_quorum_identifier(votes, n, &reference, &winner)
           != POCKET_OK)
    {
        /* they differ, and who is right is not known yet */

        if (n && poll->nanswers > 1) {
            ngx_gateway_select_poll_hurry(watch, poll);
        }

        return;
    }

    agreed.len = winner.len;
    agreed.data = winner.data;

    if (poll->block
        && ngx_gateway_select_poll_agreed(poll, poll->block) == NULL)
    {
        slot = &poll->agreed[poll->nagreed++ % NGX_GATEWAY_SELECT_AGREED];

        slot->block = poll->block;
        slot->len = agreed.len;
        ngx_memcpy(slot->identifier, agreed.data, agreed.len);
    }

    for (i = 0; i < n; i++) {
        watched = ngx_gateway_select_watched(watch, voters[i]);

        if (watched->votes[poll->index] & NGX_GATEWAY_SELECT_JUDGED
            || votes[i].verdict == GATEWAY_VERDICT_NONE)
        {
            continue;
        }

        ngx_gateway_select_poll_verdict(&watched->probes[poll->index],
                                        votes[i].verdict, &agreed);
        watched->votes[poll->index] |= NGX_GATEWAY_SELECT_JUDGED;
    }
}


static void
ngx_gateway_select_poll_verdict(ngx_gateway_select_probe_t *probe,
    gateway_verdict_e verdict, ngx_str_t *agreed)
{
    ngx_uint_t                     answer;
    ngx_gateway_select_watched_t  *watched;

    if (verdict == GATEWAY_VERDICT_AGREED) {
        ngx_gateway_select_voted(probe, 1);
        ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_PASSED,
                                   agreed);
        ngx_gateway_select_passed(probe);
        return;
    }

    watched = ngx_gateway_select_watched(probe->watch, probe->node);
    answer = watched->votes[probe->poll->index] - 1;

    ngx_gateway_select_outvoted(probe,
                                probe->own ? probe->own
                                           : &probe->poll->answers[answer],
                                agreed);
}


static void
ngx_gateway_select_outvoted(ngx_gateway_select_probe_t *probe,
    ngx_gateway_select_told_t *told, ngx_str_t *agreed)
{
    u_char  *p, text[GATEWAY_ERROR_LEN];

    ngx_gateway_select_voted(probe, 0);
    ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_FAILED,
                               agreed);
    ngx_gateway_select_evidence(probe, told, agreed);

    p = ngx_snprintf(text, sizeof(text), "%V outvoted at %uL: told %V",
                     probe->check->name(probe->check), probe->block,
                     &told->identifier);

    ngx_gateway_select_punish(probe, probe->check->reason,
                              ngx_gateway_select_penalty(probe),
                              text, p - text);

    ngx_gateway_select_probe_hurry(probe,
                                   ngx_gateway_select_probe_interval(probe));
}


void
ngx_gateway_select_height_vote(ngx_gateway_select_probe_t *probe,
    uint64_t height, uint64_t at)
{
    u_char                         buf[NGX_INT64_LEN];
    ngx_str_t                      told;
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(probe->watch, probe->node);

    if (at <= watched->at) {
        return;
    }

    watched->last_height = watched->height;
    watched->last_at = watched->at;
    watched->height = height;
    watched->at = at;
    watched->teller = probe;
    watched->judged = 0;

    told.data = buf;
    told.len = ngx_sprintf(buf, "%uL", height) - buf;

    ngx_gateway_select_checked_told(probe, NGX_GATEWAY_SELECT_RULE_HEIGHT,
                                    &told, at);

    probe->watch->judge = 1;
    ngx_gateway_select_checker_soon(probe->watch->checker);
}


static void
ngx_gateway_select_height_judge(ngx_gateway_select_watch_t *watch)
{
    uint64_t               now;
    uint32_t              *voters;
    ngx_uint_t             i, n;
    gateway_vote_t        *votes;
    gateway_height_ref_t   ref;

    votes = watch->checker->votes;
    voters = watch->checker->voters;
    now = ngx_gateway_select_now();

    /* those that are to be judged have their room first */

    n = ngx_gateway_select_height_votes(watch, now, 0, 0);
    n = ngx_gateway_select_height_votes(watch, now, 1, n);

    if (n == 0) {
        return;
    }

    ref = watch->shared->height;
    ref.tolerance = watch->chain->record.height_tolerance;

    /* other gateways know better: that is no growth */

    if (ref.reference != watch->grown_to) {
        watch->grown_from = 0;
    }

    /* even where it proves nothing, it may tell how fast the chain is */

    (void) gateway_quorum_height(votes, n, &ref, now);

    ngx_gateway_select_height_grown(watch, &ref, n);

    if (ngx_gateway_select_height_publish(watch, &ref, now) != NGX_OK) {
        return;
    }

    for (i = 0; i < n; i++) {
        if (!ngx_gateway_select_watched(watch, voters[i])->judged) {
            ngx_gateway_select_height_verdict(watch, voters[i], &votes[i]);
        }
    }
}


/* Nor is it growth that one more has voted, who is higher. */

static void
ngx_gateway_select_height_grown(ngx_gateway_select_watch_t *watch,
    gateway_height_ref_t *ref, ngx_uint_t n)
{
    if (ref->proven) {
        n = 0;
    }

    if (n != watch->grown_by) {
        watch->grown_by = n;
        watch->grown_from = 0;
    }

    watch->grown_to = ref->reference;
}


/*
 * Adds the fresh votes, judged ones or others.  An older one is moved on by
 * the blocks that have come since for sure, so that nodes asked at different
 * times can be compared.
 */

static ngx_uint_t
ngx_gateway_select_height_votes(ngx_gateway_select_watch_t *watch,
    uint64_t now, ngx_uint_t judged, ngx_uint_t n)
{
    uint32_t                       i, block_time;
    uint64_t                       age, blocks;
    ngx_msec_t                     fresh;
    gateway_vote_t                *vote;
    ngx_gateway_select_watched_t  *watched;

    fresh = ngx_gateway_select_watch_fresh(watch);
    block_time = watch->shared->height.block_time;

    for (i = 0; i < watch->nnodes && n < NGX_GATEWAY_SELECT_VOTES; i++) {
        watched = ngx_gateway_select_watched(watch, i);

        if (watched->at == 0
            || watched->judged != judged
            || watched->at + fresh < now
            || watched->generation
               != ngx_gateway_select_generation(watch->shared, i))
        {
            continue;
        }

        /* wall clock may have stepped back */

        age = now > watched->at ? now - watched->at : 0;
        blocks = block_time ? age / block_time : 0;

        vote = &watch->checker->votes[n];

        ngx_memzero(vote, sizeof(gateway_vote_t));

        vote->operator = ngx_gateway_select_node(watch->shared, i)->operator;
        vote->height = watched->height + (blocks ? blocks - 1 : 0);
        vote->last_height = watched->last_height;
        vote->last_at = watched->last_at;

        watch->checker->voters[n++] = i;
    }

    return n;
}


static void
ngx_gateway_select_height_verdict(ngx_gateway_select_watch_t *watch,
    uint32_t node, gateway_vote_t *vote)
{
    u_char                        *p, text[GATEWAY_ERROR_LEN];
    u_char                         buf[NGX_INT64_LEN];
    uint64_t                       reference;
    ngx_str_t                      agreed;
    ngx_gateway_select_told_t      told;
    ngx_gateway_select_probe_t    *probe;
    ngx_gateway_select_watched_t  *watched;

    watched = ngx_gateway_select_watched(watch, node);
    reference = watch->shared->height.reference;
    probe = watched->teller;

    agreed.data = buf;
    agreed.len = ngx_sprintf(buf, "%uL", reference) - buf;

    switch (vote->verdict) {

    case GATEWAY_VERDICT_NONE:

        /* it answers, and nothing that is known speaks against it */

        if (vote->height + watch->chain->record.height_tolerance
            >= reference)
        {
            ngx_gateway_select_passed(probe);
        }

        return;

    case GATEWAY_VERDICT_AGREED:
        watched->judged = 1;
        ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_PASSED,
                                   &agreed);
        ngx_gateway_select_passed(probe);
        return;

    default:
        watched->judged = 1;
        ngx_gateway_select_checked(probe, NGX_GATEWAY_SELECT_CHECKED_FAILED,
                                   &agreed);
        break;
    }

    p = ngx_snprintf(text, sizeof(text), "height %uL, the chain is at %uL",
                     watched->height, reference);

    if (vote->verdict == GATEWAY_VERDICT_AHEAD) {
        ngx_memzero(&told, sizeof(ngx_gateway_select_told_t));

        told.text.data = text;
        told.text.len = p - text;
        told.size = p - text;
        told.identifier = told.text;
        ngx_str_set(&agreed, "");

        ngx_gateway_select_evidence(probe, &told, &agreed);
    }

    ngx_gateway_select_punish(probe, GATEWAY_PENALTY_HEIGHT, 0, text,
                              p - text);

    ngx_gateway_select_probe_hurry(probe,
                                   ngx_gateway_select_probe_interval(probe));
}


static ngx_int_t
ngx_gateway_select_height_publish(ngx_gateway_select_watch_t *watch,
    gateway_height_ref_t *ref, uint64_t now)
{
    ngx_gateway_select_main_conf_t  *gmcf;

    gmcf = watch->checker->gmcf;

    ngx_gateway_select_block_time(watch, ref, now);

    if (ngx_gateway_select_leader_lock(gmcf) != NGX_OK) {
        return NGX_DECLINED;
    }

    watch->shared->height = *ref;

    ngx_gateway_select_leader_unlock(gmcf);

    return NGX_OK;
}


/* smoothed: a chain's blocks come now faster, now slower */

static void
ngx_gateway_select_block_time(ngx_gateway_select_watch_t *watch,
    gateway_height_ref_t *ref, uint64_t now)
{
    uint64_t  blocks, time;

    if (ref->reference == 0) {
        return;
    }

    if (watch->grown_from == 0
        || ref->reference < watch->grown_from
        || now < watch->grown_at)
    {
        watch->grown_from = ref->reference;
        watch->grown_at = now;
        return;
    }

    blocks = ref->reference - watch->grown_from;
    time = now - watch->grown_at;

    if (blocks < NGX_GATEWAY_SELECT_GROWN_LEAST
        || (blocks < NGX_GATEWAY_SELECT_GROWN_BLOCKS
            && time < NGX_GATEWAY_SELECT_GROWN_TIME))
    {
        return;
    }

    time = ngx_max(time / blocks, 1);

    if (ref->block_time) {
        time = (ref->block_time * (NGX_GATEWAY_SELECT_GROWN_SHARE - 1) + time)
               / NGX_GATEWAY_SELECT_GROWN_SHARE;
    }

    ref->block_time = ngx_min(time, NGX_MAX_UINT32_VALUE);

    watch->grown_from = ref->reference;
    watch->grown_at = now;
}


ngx_msec_t
ngx_gateway_select_watch_block_time(ngx_gateway_select_watch_t *watch)
{
    if (watch->shared->height.block_time) {
        return watch->shared->height.block_time;
    }

    return ngx_gateway_select_block_times[watch->chain->family];
}


ngx_msec_t
ngx_gateway_select_watch_fresh(ngx_gateway_select_watch_t *watch)
{
    ngx_msec_t  blocks, rounds;

    blocks = NGX_GATEWAY_SELECT_FRESH_BLOCKS
             * ngx_gateway_select_watch_block_time(watch);

    /* or nodes that are asked in turn would never vote together */

    rounds = NGX_GATEWAY_SELECT_FRESH_ROUNDS
             * ngx_gateway_select_check_interval(watch, watch->checks[0]);

    return ngx_max(blocks, rounds);
}
