/*
 * run: the loop of updates, what ends it, its events and checkpoints.
 *
 * Order of an update: gradients, guard, clip, optimizer; then state; then events; then, where it is
 * time, evaluation and checkpoint. A checkpoint is written between updates only.
 */
#include "base/file.h"
#include "train/trainer_in.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
    MAX_ROW = 5,       // skipped updates in a row
    LEAST_WINDOW = 16, // losses by which a spike is known
    MEASURED = 3       // updates after which the time of one is known
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- events */

static void set_rates(const px_trainer *t, px_train_event *e)
{
    const px_train_state *s = &t->state;
    double here = now() - t->begun;
    int64_t tokens = s->tokens - t->begun_tokens, updates = s->updates - t->begun_updates;
    e->seconds = s->seconds;
    if (here > 0 && updates > 0) {
        e->tokens_per_second = (double)tokens / here;
        e->seconds_left = here / (double)updates * (double)(s->total - s->updates);
    }
}

static pith_status tell(px_trainer *t, px_train_event *e, pith_error *err)
{
    const px_train_state *s = &t->state;
    e->update = s->updates;
    e->total = s->total;
    e->epoch = (double)s->updates / (double)t->per_epoch;
    e->best = s->best;
    set_rates(t, e);
    if (t->o.on_event && t->o.on_event(t->o.user, e) != 0)
        return px_fail(err, PITH_E_CANCELLED,
                       "training was cancelled after update %" PRId64 " of %" PRId64, s->updates,
                       s->total);
    return PITH_OK;
}

/* ---- checkpoints */

static px_checkpoint checkpoint_of(px_trainer *t, bool whole)
{
    return (px_checkpoint){.identity = t->o.identity,
                           .state = &t->state,
                           .params = &t->net->params,
                           .optim = whole ? t->optim : NULL,
                           .references = t->references,
                           .n_references = whole ? t->n_references : 0};
}

static pith_status save(px_trainer *t, bool best, pith_error *err)
{
    if (!t->o.folder)
        return PITH_OK;
    px_checkpoint c = checkpoint_of(t, !best);
    pith_status st = px_checkpoint_save(&c, best ? t->best.data : t->last.data, err);
    if (st != PITH_OK || best)
        return st;
    t->saved_at = now();
    return tell(t, &(px_train_event){.kind = PX_TRAIN_SAVED}, err);
}

static bool time_to_save(const px_trainer *t)
{
    const px_trainer_options *o = &t->o;
    if (o->save_every > 0 && t->state.updates % o->save_every == 0)
        return true;
    return o->save_seconds > 0 && now() - t->saved_at >= o->save_seconds;
}

pith_status px_trainer_resume(px_trainer *t, bool *found, pith_error *err)
{
    *found = false;
    if (!t->o.folder || px_file_kind_of(t->last.data) == PX_FILE_NONE)
        return PITH_OK;
    px_checkpoint c = checkpoint_of(t, true);
    pith_status st = px_checkpoint_load(&c, t->last.data, err);
    if (st != PITH_OK)
        return st;
    *found = t->resumed = true;
    px_trainer_set_schedule(t);
    px_net_refresh(t->net);
    return PITH_OK;
}

pith_status px_trainer_take_best(px_trainer *t, pith_error *err)
{
    if (!t->o.folder || !t->state.has_best || t->state.best_at == t->state.updates)
        return PITH_OK;
    px_checkpoint c = checkpoint_of(t, false);
    pith_status st = px_checkpoint_load(&c, t->best.data, err);
    if (st == PITH_OK)
        px_net_refresh(t->net);
    return st;
}

/* ---- the guard */

static bool is_spike(const px_trainer *t, double loss)
{
    const px_train_state *s = &t->state;
    if (t->o.spike <= 0 || s->n_window < LEAST_WINDOW)
        return false;
    int n = s->n_window < PX_TRAIN_WINDOW ? s->n_window : PX_TRAIN_WINDOW;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += s->window[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (s->window[i] - mean) * (s->window[i] - mean);
    double deviation = sqrt(squares / n);
    return loss > mean + t->o.spike * deviation && loss > s->most;
}

static pith_status skip(px_trainer *t, double loss, double norm, double lr, pith_error *err)
{
    px_train_state *s = &t->state;
    s->skipped++;
    s->skipped_row++;
    if (s->skipped_row >= MAX_ROW)
        return px_fail(err, PITH_E_NUMERIC,
                       "%d updates in a row up to %" PRId64 " had a loss of %g with a gradient of "
                       "length %g and were not applied; lower the learning rate of %g or look at "
                       "the data",
                       s->skipped_row, s->updates, loss, norm, lr);
    px_train_event e = {.kind = PX_TRAIN_SKIPPED, .loss = loss, .norm = norm, .lr = lr};
    return tell(t, &e, err);
}

/* ---- an update */

/* How many updates the run has when it is to end in time: known by the time of the first ones. */
static void fit_time(px_trainer *t)
{
    px_train_state *s = &t->state;
    if (t->o.max_seconds <= 0 || s->updates != MEASURED)
        return;
    int64_t fit = (int64_t)(t->o.max_seconds / (s->seconds / MEASURED));
    fit = fit > MEASURED ? fit : MEASURED;
    if (fit < s->total)
        s->total = fit;
    px_trainer_set_schedule(t);
}

static pith_status apply(px_trainer *t, const px_objective_sum *sum, double began, pith_error *err)
{
    px_train_state *s = &t->state;
    const px_pack *pack = &t->train.pack;
    double norm = px_optim_norm(t->optim), lr = px_schedule_at(&t->schedule, s->updates);
    double clip = t->o.clip > 0 && norm > t->o.clip ? t->o.clip / norm : 1;
    bool odd = !isfinite(norm) || !isfinite(sum->loss) || is_spike(t, sum->loss);
    if (!odd) {
        px_optim_step(t->optim, lr, clip);
        px_net_refresh(t->net);
        s->window[s->n_window % PX_TRAIN_WINDOW] = sum->loss;
        s->n_window++;
        if (s->n_window >= 2 * PX_TRAIN_WINDOW)
            s->n_window -= PX_TRAIN_WINDOW;
        s->most = sum->loss > s->most ? sum->loss : s->most;
        s->skipped_row = 0;
    }
    s->updates++;
    s->tokens += pack->n_tokens;
    s->learned += pack->n_learned;
    s->seconds += now() - began;
    fit_time(t);
    if (odd)
        return skip(t, sum->loss, norm, lr, err);
    px_train_event e = {.kind = PX_TRAIN_UPDATE, .loss = sum->loss, .norm = norm, .lr = lr};
    double units = 0;
    for (int32_t i = 0; i < pack->n_passes; i++)
        units += pack->passes[i].n_units;
    e.right = sum->n_right / units;
    e.margin = sum->margin / units;
    e.tokens = pack->n_tokens;
    e.learned = pack->n_learned;
    return tell(t, &e, err);
}

static bool time_to_evaluate(const px_trainer *t)
{
    int64_t every = t->o.eval_every > 0 ? t->o.eval_every : t->per_epoch;
    const px_train_state *s = &t->state;
    return t->eval.e && (s->updates % every == 0 || s->updates == s->total);
}

/* What the evaluation set says of the model as it came. */
static pith_status evaluate_base(px_trainer *t, pith_error *err)
{
    px_train_state *s = &t->state;
    if (!t->eval.e || s->has_base)
        return PITH_OK;
    pith_status st = px_trainer_evaluate(t, false, &s->base, err);
    if (st != PITH_OK)
        return st;
    s->has_base = 1;
    return tell(t, &(px_train_event){.kind = PX_TRAIN_EVALUATION, .loss = s->base}, err);
}

static pith_status evaluate(px_trainer *t, pith_error *err)
{
    px_train_state *s = &t->state;
    double loss = 0;
    pith_status st = px_trainer_evaluate(t, false, &loss, err);
    if (st != PITH_OK)
        return st;
    px_train_event e = {.kind = PX_TRAIN_EVALUATION, .loss = loss};
    e.improved = isfinite(loss) && (!s->has_best || loss < s->best);
    s->worse = e.improved ? 0 : s->worse + 1;
    if (e.improved) {
        s->best = loss;
        s->best_at = s->updates;
        s->has_best = 1;
        st = save(t, true, err);
    }
    if (t->o.patience > 0 && s->worse >= t->o.patience)
        s->ended = 1;
    return st == PITH_OK ? tell(t, &e, err) : st;
}

static pith_status update(px_trainer *t, pith_error *err)
{
    double began = now();
    px_objective_sum sum;
    px_trainer_take(t, t->state.updates);
    pith_status st = px_trainer_learn(t, t->state.updates, &sum, err);
    if (st == PITH_OK)
        st = apply(t, &sum, began, err);
    if (st == PITH_OK && time_to_evaluate(t))
        st = evaluate(t, err);
    if (st == PITH_OK && (time_to_save(t) || t->state.ended || t->state.updates >= t->state.total))
        st = save(t, false, err);
    return st;
}

void px_trainer_stop(px_trainer *t)
{
    __atomic_store_n(&t->stop, 1, __ATOMIC_RELAXED);
}

pith_status px_trainer_run(px_trainer *t, pith_error *err)
{
    pith_status st = PITH_OK;
    __atomic_store_n(&t->stop, 0, __ATOMIC_RELAXED);
    if (!t->resumed)
        st = px_trainer_look_back(t, err);
    t->begun = t->saved_at = now();
    t->begun_tokens = t->state.tokens;
    t->begun_updates = t->state.updates;
    if (st == PITH_OK)
        st = tell(t, &(px_train_event){.kind = PX_TRAIN_BEGIN}, err);
    if (st == PITH_OK)
        st = evaluate_base(t, err);
    while (st == PITH_OK && !t->state.ended && t->state.updates < t->state.total)
        st = update(t, err);
    if (st == PITH_E_CANCELLED) {
        pith_error ignored = {0};
        save(t, false, &ignored);
    }
    return st;
}
