/* plan: see plan.h. */
#include "engine/plan.h"

#include <string.h>

enum {
    PAGE = PX_KV_PAGE_TOKENS,
    /* With a deadline, contexts are read in pieces of this many tokens, so that it is looked at now
     * and then; a number apart from time keeps results the same from run to run. */
    DEADLINE_BATCH = 64,
    /* Tokens of contexts in a step that also writes, unless told: so many, and so many for each who
     * writes, at most so many. Steps that also read then take at most some 2.5 times as long as
     * those that do not (1B, 2 threads; bench/clients.c). */
    PROMPT_BASE = 16,
    PROMPT_EACH = 2,
    PROMPT_MOST = 64,
    OVERTAKE = 16 // answers that may go before one that has no room, so that it has some one day
};

/* ---- room in the cache */

static int64_t pages_for(int64_t n)
{
    return (n + PAGE - 1) / PAGE;
}

/* Pages that an answer needs soon and does not hold: for its context and at most a page more. */
static int64_t growth(const pith_answer *a)
{
    const pith_session *s = a->session;
    int64_t left = a->request.max_tokens < 0 ? PAGE : a->request.max_tokens - a->result.n_generated;
    int64_t n = s->n_tokens + (left < PAGE ? left : PAGE);
    if (n > s->engine->setup.n_ctx)
        n = s->engine->setup.n_ctx;
    int64_t pages = pages_for(n) - s->seq.n_pages;
    return pages > 0 ? pages : 0;
}

int64_t px_plan_promised(const px_batch *b)
{
    int64_t n = 0;
    for (int32_t i = 0; i < b->n; i++)
        if (b->answers[i]->entered)
            n += growth(b->answers[i]);
    return n;
}

pith_fit px_plan_fits(const pith_engine *e, int64_t n_tokens, int64_t max_tokens)
{
    const px_kv_pool *kv = e->kv;
    int64_t n_ctx = e->setup.n_ctx, most = px_kv_pool_most(kv);
    int64_t left = max_tokens < 0 ? PAGE : max_tokens;
    int64_t all = left < n_ctx - n_tokens ? n_tokens + left : n_ctx;
    if (n_tokens > n_ctx || pages_for(all) > most)
        return PITH_FIT_NEVER;
    int64_t soon = left < PAGE ? n_tokens + left : n_tokens + PAGE;
    int64_t have = most - px_kv_pool_used(kv) + px_kv_pool_idle(kv) - px_plan_promised(&e->batch);
    for (int32_t i = 0; i < e->batch.n; i++)
        if (!e->batch.answers[i]->entered)
            have -= growth(e->batch.answers[i]); // it came before
    return pages_for(soon < n_ctx ? soon : n_ctx) <= have ? PITH_FIT_NOW : PITH_FIT_LATER;
}

/* Lets an answer in when there is room for it beside the others. */
static bool enters(px_plan *p, const px_batch *b, pith_answer *a)
{
    const px_kv_pool *kv = p->e->kv;
    int64_t have = px_kv_pool_most(kv) - px_kv_pool_used(kv) + px_kv_pool_idle(kv);
    if (!a->entered && (p->force || a->number <= p->oldest || a->number - p->oldest <= OVERTAKE))
        a->entered = (p->force && p->n == 0) || growth(a) + px_plan_promised(b) <= have;
    return a->entered;
}

/* ---- parts */

/* Adds the next n tokens of an answer to the step, when the cache has room for them. */
static bool add_part(px_plan *p, pith_answer *a, int32_t n, int32_t n_rows)
{
    px_kv_seq *seq = &a->session->seq;
    pith_error err = {0};
    if (px_kv_seq_reserve(seq, n, &err) != PITH_OK) {
        if (!p->starved || a->number > p->starved->number) {
            p->starved = a;
            p->error = err;
        }
        return false;
    }
    p->e->parts[p->n] = (px_part){.answer = a};
    p->e->chunks[p->n] = (px_chunk){.seq = seq,
                                    .tokens = a->session->tokens + seq->n_tokens,
                                    .n = n,
                                    .n_logits = n_rows,
                                    .loras = a->session->loras,
                                    .n_loras = a->session->n_loras};
    if (a->sum)
        px_answer_pool(a, &p->e->chunks[p->n]);
    p->n++;
    p->n_tokens += n;
    p->n_rows += n_rows;
    a->looked = a->planned = true;
    px_shares_charge(&p->e->shares, a->share, n);
    return true;
}

/* The next one that has not been looked at, of those who write or of those who read: of the key
 * that has had least the first in the list. */
static pith_answer *next_of(const px_plan *p, const px_batch *b, bool writes)
{
    pith_answer *best = NULL;
    const px_share *shares = p->e->shares.items;
    for (int32_t i = 0; i < b->n; i++) {
        pith_answer *a = b->answers[i];
        if (a->looked || (px_answer_pending(a) == 1) != writes)
            continue;
        if (!best || shares[a->share].used < shares[best->share].used)
            best = a;
    }
    return best;
}

/* ---- those who write */

/* Rows of logits that are kept for contexts whose rows are wanted, so that writers, however many,
 * leave them some. */
static int32_t rows_for_readers(const px_plan *p, const px_batch *b)
{
    int32_t most = p->e->setup.max_logits;
    for (int32_t i = 0; i < b->n; i++)
        if (px_answer_tells(b->answers[i]) && px_answer_pending(b->answers[i]) > 1)
            return most > 4 ? most / 4 : most > 1 ? 1 : (int32_t)(p->e->n_steps % 2);
    return 0;
}

/* Those with one token to compute: they write, or their context lacks its last token. */
static void plan_writers(px_plan *p, const px_batch *b)
{
    const px_engine_setup *setup = &p->e->setup;
    int32_t most = setup->max_logits - rows_for_readers(p, b);
    pith_answer *a;
    while (p->n_tokens < setup->n_batch && p->n_rows < most && (a = next_of(p, b, true))) {
        a->looked = true;
        if (enters(p, b, a))
            add_part(p, a, 1, a->request.max_tokens != 0 || px_answer_tells(a));
    }
}

/* Guesses behind the tokens of those who write, as far as there is room for them; those that were
 * planned first have the first choice. AUTO knows what a step costs that only writes. */
static void plan_guesses(px_plan *p, const px_batch *b)
{
    pith_engine *e = p->e;
    int32_t writers = p->n;
    bool reading = b->n > p->n;
    for (int32_t i = 0; i < writers; i++) {
        pith_answer *a = e->parts[i].answer;
        px_chunk *chunk = &e->chunks[i];
        int64_t most = px_answer_most_draft(a);
        if (most > e->setup.n_batch - p->n_tokens)
            most = e->setup.n_batch - p->n_tokens;
        if (most > e->setup.max_logits - p->n_rows - (reading ? 1 : 0))
            most = e->setup.max_logits - p->n_rows - (reading ? 1 : 0);
        /* Unless told otherwise, guesses do not change which kernels compute the step. */
        if (a->request.max_draft == 0 && p->n_tokens <= e->exact_columns &&
            most > e->exact_columns - p->n_tokens)
            most = e->exact_columns - p->n_tokens;
        if (most < 1 || (reading && a->request.speculation == PITH_SPECULATE_AUTO))
            continue;
        int32_t n = px_guess(a, (int32_t)most, p->n_tokens, writers);
        if (n == 0 || px_kv_seq_reserve(chunk->seq, 1 + n, NULL) != PITH_OK)
            continue;
        e->parts[i].n_draft = n;
        chunk->n += n;
        chunk->n_logits += n;
        p->n_tokens += n;
        p->n_rows += n;
    }
}

/* ---- those who read */

/* Whether b, ahead of a, holds a's next page or is going to. *page_end: where that ends. */
static bool leads(const pith_answer *b, const pith_answer *a, int64_t *page_end)
{
    const pith_session *s = a->session, *t = b->session;
    if (a == b || b->done || t->secluded || t->adapter_key != s->adapter_key ||
        px_answer_pending(b) <= 1)
        return false;
    if (t->seq.n_tokens < s->seq.n_tokens ||
        (t->seq.n_tokens == s->seq.n_tokens && b->number > a->number))
        return false;
    *page_end = (s->seq.n_tokens / PAGE + 1) * PAGE;
    return *page_end <= px_answer_most_reused(a) && *page_end <= t->n_tokens &&
           memcmp(s->tokens, t->tokens, (size_t)*page_end * sizeof *s->tokens) == 0;
}

/* Whom an answer that reads should wait for, or NULL. What is there by now is taken first. */
static pith_answer *leader_of(const px_batch *b, pith_answer *a)
{
    if (!a->session->engine->cache || a->session->secluded)
        return NULL;
    int64_t page_end;
    for (int32_t i = 0; i < b->n; i++) {
        pith_answer *other = b->answers[i];
        if (!leads(other, a, &page_end))
            continue;
        int64_t before = a->session->seq.n_tokens;
        px_answer_look_up(a);
        if (a->session->seq.n_tokens > before)
            i = -1; // it has moved: who leads now?
        else if (other->session->seq.n_tokens < page_end)
            return other;
    }
    return NULL;
}

/* Tokens of contexts that the step may take in all. */
static int64_t room_for_readers(const px_plan *p)
{
    const px_engine_setup *setup = &p->e->setup;
    int64_t room = setup->n_batch - p->n_tokens, most = setup->prompt_batch;
    if (most == 0) {
        most = PROMPT_BASE + (int64_t)PROMPT_EACH * p->n;
        most = most < PROMPT_MOST ? most : PROMPT_MOST;
    }
    return p->n > 0 && room > most ? most : room;
}

/* Adds a piece of at most `room` tokens; how many it has. */
static int64_t add_piece(px_plan *p, pith_answer *a, int64_t room)
{
    int64_t pending = px_answer_pending(a);
    int64_t rows_left = p->e->setup.max_logits - p->n_rows;
    int64_t most = a->until > 0 && room > DEADLINE_BATCH ? DEADLINE_BATCH : room;
    int64_t n = pending < most ? pending : most, rows = 0;
    if (px_answer_tells(a)) {
        int64_t skipped = px_answer_told(a); // first tokens whose rows nobody wants
        if (n > skipped + rows_left)
            n = skipped + rows_left;
        rows = n > skipped ? n - skipped : 0;
    } else if (n == pending && a->request.max_tokens != 0) {
        rows = rows_left > 0;
        n -= 1 - rows; // where the row must wait, its token does too
    }
    return n > 0 && add_part(p, a, (int32_t)n, (int32_t)rows) ? n : 0;
}

static void plan_readers(px_plan *p, const px_batch *b)
{
    int64_t room = room_for_readers(p);
    pith_answer *a;
    while (room > 0 && p->n < p->e->setup.max_sessions && (a = next_of(p, b, false))) {
        a->looked = true;
        if (!enters(p, b, a))
            continue;
        px_answer_look_up(a);
        pith_answer *leader = leader_of(b, a);
        if (leader && leader->planned)
            continue;
        if (leader) {
            leader->looked = true;
            a = leader;
        }
        if (px_answer_pending(a) > 1 && enters(p, b, a))
            room -= add_piece(p, a, room);
    }
}

void px_plan_make(pith_engine *e, const px_batch *b, px_plan *p)
{
    *p = (px_plan){.e = e};
    for (int round = 0; round < 2 && p->n == 0 && !p->starved; round++) {
        p->force = round > 0; // nobody is in: somebody must
        p->oldest = UINT64_MAX;
        for (int32_t i = 0; i < b->n; i++) {
            pith_answer *a = b->answers[i];
            a->looked = a->planned = false;
            if (!a->entered && a->number < p->oldest)
                p->oldest = a->number;
        }
        plan_writers(p, b);
        plan_guesses(p, b);
        plan_readers(p, b);
    }
}
