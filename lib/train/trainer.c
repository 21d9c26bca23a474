/* trainer: see trainer.h. Here: checking and making a run. */
#include "base/file.h"
#include "base/mem.h"
#include "train/trainer_in.h"

#include <inttypes.h>
#include <math.h>

enum { MOST_BATCH = 8192 }; // units of an update

/* ---- making */

static bool wants_reference(const px_trainer_options *o)
{
    return o->objective == PX_OBJECTIVE_DPO || o->objective == PX_OBJECTIVE_KTO;
}

static pith_status check(const px_trainer_options *o, const px_net *net, const px_examples *e,
                         pith_error *err)
{
    if (!e || px_pack_units(e) < 1)
        return px_fail(err, PITH_E_ARGUMENT, "no examples to learn from");
    px_goal goal = o->objective == PX_OBJECTIVE_SFT   ? PX_GOAL_NEXT
                   : o->objective == PX_OBJECTIVE_KTO ? PX_GOAL_LABEL
                                                      : PX_GOAL_PAIR;
    if (e->goal != goal)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the examples do not fit the method: SFT wants text or answers, DPO and "
                       "ORPO a chosen and a rejected answer, KTO answers with a label");
    if (wants_reference(o) && net->full)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "DPO and KTO compare with the model without its adapter, which full "
                       "training does not keep; use LoRA");
    if (o->batch < 1 || o->batch > MOST_BATCH || !(o->lr > 0) ||
        !(o->epochs > 0 || o->max_updates > 0))
        return px_fail(err, PITH_E_ARGUMENT,
                       "a batch of %d, a learning rate of %g and %g epochs, expected more than 0, "
                       "and a batch of at most %d",
                       o->batch, o->lr, o->epochs, MOST_BATCH);
    for (int64_t i = 0; i < e->n; i++)
        if (e->all[i].n > o->seq)
            return px_fail(err, PITH_E_ARGUMENT,
                           "the example of line %" PRId64 " has %d tokens, expected at most %d; "
                           "split or drop it, or take longer rows",
                           e->all[i].line, e->all[i].n, o->seq);
    return PITH_OK;
}

static pith_status make_set(px_trainer *t, px_train_set *s, const px_examples *e, int32_t capacity,
                            pith_error *err)
{
    s->e = e;
    s->units = px_pack_units(e);
    return px_pack_init(&s->pack, e, px_trainer_most(s->units, t->o.batch), capacity, err);
}

static pith_status make_references(px_trainer *t, pith_error *err)
{
    if (!wants_reference(&t->o))
        return PITH_OK;
    t->n_references = 2 * (t->train.units + t->eval.units);
    t->references = px_calloc((size_t)t->n_references, sizeof *t->references);
    if (!t->references)
        return px_fail_memory(err, "reference probabilities");
    t->train.references = t->references;
    t->eval.references = t->eval.e ? t->references + 2 * t->train.units : NULL;
    return PITH_OK;
}

static pith_status make_paths(px_trainer *t, pith_error *err)
{
    if (!t->o.folder)
        return PITH_OK;
    px_path_join(&t->last, t->o.folder, "last.ckpt");
    px_path_join(&t->best, t->o.folder, "best.ckpt");
    pith_status st = px_buf_status(&t->last, "a path", err);
    return st == PITH_OK ? px_buf_status(&t->best, "a path", err) : st;
}

static pith_status make_room(px_trainer *t, int32_t capacity, pith_error *err)
{
    size_t n = (size_t)capacity, b = 2 * (size_t)t->o.batch;
    t->order = px_calloc((size_t)t->train.units, sizeof *t->order);
    t->losses = px_calloc(n, sizeof *t->losses);
    t->scales = px_calloc(n, sizeof *t->scales);
    t->sums = px_calloc(b, sizeof *t->sums);
    t->slopes = px_calloc(b, sizeof *t->slopes);
    t->counts = px_calloc(b, sizeof *t->counts);
    if (!t->order || !t->losses || !t->scales || !t->sums || !t->slopes || !t->counts)
        return px_fail_memory(err, "a training run");
    return PITH_OK;
}

static void plan(px_trainer *t)
{
    const px_trainer_options *o = &t->o;
    t->per_epoch = (t->train.units + o->batch - 1) / o->batch;
    int64_t total = o->max_updates;
    if (total <= 0)
        total = (int64_t)ceil(o->epochs * (double)t->per_epoch - 1e-9);
    t->state.total = total < 1 ? 1 : total;
}

void px_trainer_set_schedule(px_trainer *t)
{
    int64_t total = t->state.total;
    int64_t warmup = (int64_t)ceil(t->o.warmup * (double)total - 1e-9);
    t->schedule = (px_schedule){.kind = t->o.schedule,
                                .base = t->o.lr,
                                .least = t->o.least,
                                .warmup = warmup,
                                .total = total};
}

static pith_status make(px_trainer *t, const px_examples *e, const px_examples *evaluation,
                        pith_error *err)
{
    int32_t capacity = t->o.seq, longest = px_pack_longest(e);
    if (evaluation && px_pack_longest(evaluation) > longest)
        longest = px_pack_longest(evaluation);
    if (longest > capacity) // of pairs
        capacity = longest;
    pith_status st = make_set(t, &t->train, e, capacity, err);
    if (st == PITH_OK && evaluation)
        st = make_set(t, &t->eval, evaluation, capacity, err);
    if (st == PITH_OK)
        st = make_references(t, err);
    if (st == PITH_OK)
        st = px_optim_new(&t->net->params, &t->o.optim, t->net->pool, &t->optim, err);
    px_tape_options tape = {.max_tokens = capacity,
                            .head_rows = t->o.head_rows,
                            .keep = t->o.keep,
                            .dropout = t->o.dropout};
    if (st == PITH_OK)
        st = px_tape_new(t->net, &tape, &t->tape, err);
    if (st == PITH_OK)
        st = make_room(t, capacity, err);
    return st == PITH_OK ? make_paths(t, err) : st;
}

pith_status px_trainer_new(px_net *net, const px_examples *examples, const px_examples *evaluation,
                           const px_trainer_options *options, px_trainer **out, pith_error *err)
{
    *out = NULL;
    if (evaluation && px_pack_units(evaluation) == 0)
        evaluation = NULL;
    pith_status st = check(options, net, examples, err);
    if (st == PITH_OK && evaluation)
        st = check(options, net, evaluation, err);
    if (st != PITH_OK)
        return st;
    px_trainer *t = px_calloc(1, sizeof *t);
    if (!t)
        return px_fail_memory(err, "a training run");
    t->net = net;
    t->o = *options;
    t->order_epoch = -1;
    st = make(t, examples, evaluation, err);
    if (st != PITH_OK) {
        px_trainer_free(t);
        return st;
    }
    plan(t);
    px_trainer_set_schedule(t);
    *out = t;
    return PITH_OK;
}

void px_trainer_free(px_trainer *t)
{
    if (!t)
        return;
    px_pack_clear(&t->train.pack);
    px_pack_clear(&t->eval.pack);
    px_free(t->references);
    px_optim_free(t->optim);
    px_tape_free(t->tape);
    px_free(t->order);
    px_free(t->losses);
    px_free(t->scales);
    px_free(t->sums);
    px_free(t->slopes);
    px_free(t->counts);
    px_buf_clear(&t->last);
    px_buf_clear(&t->best);
    px_free(t);
}

const px_train_state *px_trainer_state(const px_trainer *t)
{
    return &t->state;
}

size_t px_trainer_bytes(const px_trainer *t)
{
    size_t state = 0;
    px_optim_state(t->optim, &state);
    px_tape_options tape = {
        .max_tokens = t->train.pack.capacity, .head_rows = t->o.head_rows, .keep = t->o.keep};
    return state + 2 * (size_t)t->net->params.n * sizeof(float) + px_tape_bytes(t->net, &tape);
}

int64_t px_trainer_per_epoch(const px_trainer *t)
{
    return t->per_epoch;
}
