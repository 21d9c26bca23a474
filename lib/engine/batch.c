/* batch: see batch.h. */
#include "engine/batch.h"

#include "base/mem.h"
#include "engine/options.h"
#include "engine/plan.h"
#include "engine/step.h"

#include <string.h>

/* ---- the list */

void px_batch_add(px_batch *b, pith_answer *a)
{
    b->answers[b->n++] = a;
}

void px_batch_remove(px_batch *b, const pith_answer *a)
{
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++)
        if (b->answers[i] != a)
            b->answers[n++] = b->answers[i];
    b->n = n;
}

/* Takes those that are done out and settles them. */
static void settle(px_batch *b)
{
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++) {
        pith_answer *a = b->answers[i];
        if (a->done)
            px_answer_settle(a);
        else
            b->answers[n++] = a;
    }
    b->n = n;
}

/* Moves those that had a part in the step behind the others. */
static void queue_anew(px_batch *b, const px_part *parts, int32_t n_parts)
{
    for (int32_t i = 0; i < n_parts; i++)
        parts[i].answer->served = true;
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++)
        if (!b->answers[i]->served)
            b->answers[n++] = b->answers[i];
    for (int32_t i = 0; i < n_parts; i++)
        if (parts[i].answer->served) {
            parts[i].answer->served = false;
            b->answers[n++] = parts[i].answer;
        }
}

/* ---- a step */

/* Whether an answer should not write another token now: px_answer_look will say why. */
static bool called_off(const pith_answer *a)
{
    return px_session_cancelled(a->session) || (a->until > 0 && px_now() >= a->until);
}

/* What an answer does with its rows of logits, [n_draft + 1, V]: it writes, and as long as what it
 * writes is what was guessed, the next row holds. Returns how many tokens it wrote. */
static int32_t take_rows(pith_engine *e, const px_part *part, const float *rows)
{
    pith_answer *a = part->answer;
    pith_session *s = a->session;
    px_answer_read(a);
    int64_t base = s->n_tokens;
    int32_t token = -1, n_true = 0;
    for (int32_t r = 0; !a->done; r++) {
        int32_t guess = r < part->n_draft ? s->tokens[base + r] : -1;
        px_answer_write(a, rows + (int64_t)r * e->model->hp.n_vocab, &token);
        if (token < 0 || token != guess)
            break;
        n_true++;
        if (called_off(a))
            break;
    }
    px_kv_seq_truncate(&s->seq, token >= 0 ? s->n_tokens - 1 : s->n_tokens);
    if (part->n_draft > 0) {
        px_guess_judge(&a->guesser, part->n_draft, n_true);
        a->result.n_drafted += part->n_draft;
        a->result.n_accepted += n_true;
        e->n_drafted += (uint64_t)part->n_draft;
        e->n_accepted += (uint64_t)n_true;
    }
    return (int32_t)(s->n_tokens - base);
}

/* Measures a step of n parts that only writes; 0 for others. */
static double measure(pith_engine *e, int32_t first, int32_t n, double seconds)
{
    int64_t columns = 0;
    for (int32_t i = first; i < first + n; i++) {
        columns += e->chunks[i].n;
        if (e->chunks[i].n != 1 + e->parts[i].n_draft || e->parts[i].answer->first == 0)
            return 0;
    }
    px_costs_note(&e->costs, columns, seconds);
    return seconds;
}

typedef struct beside {
    pith_engine *e;
    int32_t first;
} beside;

static void prepare_part(void *ctx, int64_t i, int member)
{
    const beside *b = ctx;
    pith_engine *e = b->e;
    const px_part *part = &e->parts[b->first + i];
    if (part->row)
        px_answer_prepare(part->answer, member == 0 ? &e->candidates : &e->beside[member - 1],
                          part->row);
}

/* Chooses the tokens of several answers at once, where that is worth waking the threads: with a
 * vocabulary of 152k it takes 1 to 2 ms for each. Parts with guesses choose one after another. */
static void prepare(pith_engine *e, int32_t first, int32_t n, const float *rows)
{
    enum { LEAST_LOGITS = 1024 };
    int64_t n_vocab = e->model->hp.n_vocab;
    int32_t found = 0;
    for (int32_t i = first; i < first + n; i++) {
        px_part *part = &e->parts[i];
        const pith_session *s = part->answer->session;
        int32_t n_rows = e->chunks[i].n_logits;
        bool may = n_rows > 0 && part->n_draft == 0 && s->seq.n_tokens >= s->n_tokens &&
                   part->answer->request.max_tokens != 0 && !px_answer_tells(part->answer) &&
                   px_answer_may_prepare(part->answer);
        part->row = may ? rows + (n_rows - 1) * n_vocab : NULL;
        found += may;
        rows += n_rows * n_vocab;
    }
    beside b = {e, first};
    if (found > 1 && e->n_beside > 0 && found * n_vocab >= LEAST_LOGITS)
        px_pool_for(e->pool, n, prepare_part, &b);
}

/* Runs parts [first, first + n) as one step. */
static pith_status run_parts(pith_engine *e, int32_t first, int32_t n, pith_error *err)
{
    const px_chunk *chunks = e->chunks + first;
    const volatile int *cancel = n == 1 ? &e->parts[first].answer->session->cancel : NULL;
    const float *rows;
    int failed;
    double start = px_now();
    pith_status st = px_step_run(e, chunks, n, cancel, &rows, &failed, err);
    if (st != PITH_OK)
        return st;
    double seconds = measure(e, first, n, px_now() - start);
    double plain = px_costs_of(&e->costs, n); // a step without guesses
    prepare(e, first, n, rows);
    for (int32_t i = 0; i < n; i++) {
        const px_part *part = &e->parts[first + i];
        pith_answer *a = part->answer;
        const pith_session *s = a->session;
        int64_t n_rows = chunks[i].n_logits, n_vocab = e->model->hp.n_vocab;
        if (n_rows > 0 && px_answer_tells(a))
            px_answer_tell(a, rows, s->seq.n_tokens - n_rows, n_rows);
        bool writes = n_rows > 0 && s->seq.n_tokens >= s->n_tokens && a->request.max_tokens != 0;
        if (writes && !a->done) {
            int32_t wrote = take_rows(e, part, rows + (n_rows - 1 - part->n_draft) * n_vocab);
            if (part->n_draft > 0 && seconds > 0 && plain > 0)
                a->result.saved_seconds += wrote * plain - seconds - a->guesser.draft_seconds;
        }
        px_session_note(a->session);
        rows += n_rows * n_vocab;
    }
    return PITH_OK;
}

static void run_alone(pith_engine *e, int32_t i)
{
    pith_answer *a = e->parts[i].answer;
    pith_error err = {0};
    pith_status st = run_parts(e, i, 1, &err);
    if (st == PITH_E_CANCELLED)
        px_answer_finish(a, PITH_FINISH_CANCELLED);
    else if (st != PITH_OK)
        px_answer_fail(a, st, &err);
}

/* When nobody can move for want of pages: of several that hold some, the one that came last gives
 * its own up. False: there is at most one. */
static bool pause_last(pith_engine *e, const px_batch *b)
{
    pith_answer *last = NULL;
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++) {
        pith_answer *a = b->answers[i];
        if (a->session->seq.n_pages == 0)
            continue;
        n++;
        if (!last || a->number > last->number)
            last = a;
    }
    if (n < 2)
        return false;
    px_answer_pause(last);
    e->n_paused++;
    return true;
}

void px_batch_step(pith_engine *e, px_batch *b)
{
    for (int32_t i = 0; i < b->n; i++)
        px_answer_look(b->answers[i]);
    settle(b);
    px_heap_forbid();
    px_plan p;
    int32_t pauses = b->n;
    do
        px_plan_make(e, b, &p);
    while (p.n == 0 && p.starved && pauses-- > 0 && pause_last(e, b));
    if (p.n == 0 && p.starved)
        px_answer_fail(p.starved, p.error.status, &p.error);
    if (p.n == 1) {
        run_alone(e, 0);
    } else if (p.n > 1) {
        /* A step that fails has changed nothing: whose fault it was shows when each runs alone. */
        pith_error err = {0};
        if (run_parts(e, 0, p.n, &err) != PITH_OK)
            for (int32_t i = 0; i < p.n; i++)
                run_alone(e, i);
    }
    px_heap_allow();
    queue_anew(b, e->parts, p.n);
    px_shares_level(&e->shares);
    settle(b);
}

/* ---- the door */

pith_status pith_generate(pith_session *session, const pith_request *request, pith_result *result,
                          pith_error *err)
{
    px_error_clear(err);
    if (!session || !request)
        return px_fail(err, PITH_E_ARGUMENT, "pith_generate: an argument is NULL");
    pith_status st = px_session_begin(session, err);
    if (st != PITH_OK)
        return st;
    pith_answer a;
    st = px_answer_init(&a, session, request, err);
    if (st == PITH_OK) {
        pith_answer *one = &a;
        px_batch batch = {.answers = &one, .n = 1};
        while (!a.done)
            px_batch_step(session->engine, &batch);
        st = a.status;
        if (st != PITH_OK && err)
            *err = a.error;
        px_free(session->embedding);
        session->embedding = a.sum; // lent until the next call
        a.sum = NULL;
        px_answer_clear(&a);
    }
    px_session_end(session);
    if (result) {
        pith_status written =
            px_options_write(result, "pith_result", &a.result, sizeof a.result, err);
        st = st == PITH_OK ? written : st;
    }
    return st;
}

pith_status pith_session_submit(pith_session *session, const pith_request *request,
                                pith_answer **out, pith_error *err)
{
    px_error_clear(err);
    if (!session || !request || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_session_submit: an argument is NULL");
    *out = NULL;
    pith_status st = px_session_begin(session, err);
    if (st != PITH_OK)
        return st;
    pith_answer *a = px_malloc(1, sizeof *a);
    st = a ? px_answer_init(a, session, request, err) : px_fail_memory(err, "an answer");
    px_engine_end(session->engine); // a cancel that came meanwhile is for this answer
    if (st != PITH_OK) {
        px_free(a);
        return st;
    }
    px_batch_add(&session->engine->batch, a);
    *out = a;
    return PITH_OK;
}

pith_status pith_engine_run(pith_engine *engine, int32_t *n_left, pith_error *err)
{
    px_error_clear(err);
    if (n_left)
        *n_left = 0;
    if (!engine)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_run: the engine is NULL");
    pith_status st = px_engine_begin(engine, err);
    if (st != PITH_OK)
        return st;
    px_batch_step(engine, &engine->batch);
    px_engine_end(engine);
    if (n_left)
        *n_left = engine->batch.n;
    return PITH_OK;
}

pith_fit pith_engine_would_fit(const pith_engine *engine, int64_t n_tokens, int64_t max_tokens)
{
    return engine && n_tokens >= 0 ? px_plan_fits(engine, n_tokens, max_tokens) : PITH_FIT_NEVER;
}

bool pith_answer_is_done(const pith_answer *answer)
{
    return !answer || answer->settled;
}

pith_status pith_answer_get_result(const pith_answer *answer, pith_result *result, pith_error *err)
{
    px_error_clear(err);
    if (!answer)
        return px_fail(err, PITH_E_ARGUMENT, "pith_answer_get_result: the answer is NULL");
    if (result) {
        pith_status st =
            px_options_write(result, "pith_result", &answer->result, sizeof answer->result, err);
        if (st != PITH_OK)
            return st;
    }
    if (!answer->settled)
        return px_fail(err, PITH_E_BUSY,
                       "the answer is still being written; run the engine until it is done");
    if (answer->status != PITH_OK && err)
        *err = answer->error;
    return answer->status;
}

void pith_answer_free(pith_answer *answer)
{
    if (!answer)
        return;
    px_answer_abandon(answer);
    px_answer_clear(answer);
    px_free(answer);
}
