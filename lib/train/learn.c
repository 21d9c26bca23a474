/* learn: the passes of a run: order of examples, gradients of an update, evaluation, references. */
#include "train/random.h"
#include "train/trainer_in.h"

#include <string.h>

/* ---- order */

/* The units of an epoch, shuffled (Fisher and Yates) by seed and epoch. */
static void order_epoch(px_trainer *t, int64_t epoch)
{
    if (t->order_epoch == epoch)
        return;
    uint64_t key = px_random_key(px_random_key(t->o.seed, 0x6f72646572), (uint64_t)epoch);
    for (int64_t i = 0; i < t->train.units; i++)
        t->order[i] = i;
    for (int64_t i = t->train.units - 1; i > 0; i--) {
        int64_t j = (int64_t)(px_random_at(key, (uint64_t)i) % (uint64_t)(i + 1));
        int64_t kept = t->order[i];
        t->order[i] = t->order[j];
        t->order[j] = kept;
    }
    t->order_epoch = epoch;
}

/* Lays out update u. */
void px_trainer_take(px_trainer *t, int64_t u)
{
    order_epoch(t, u / t->per_epoch);
    int64_t first = u % t->per_epoch * t->o.batch;
    px_pack_make(&t->train.pack, t->order + first,
                 px_trainer_most(t->train.units - first, t->o.batch));
}

/* ---- passes */

static px_objective objective_of(const px_trainer *t, const px_train_set *s)
{
    return (px_objective){.kind = t->o.objective, .beta = t->o.beta, .reference = s->references};
}

/* By what a pass is divided: learned tokens of the update, or its units. */
static double divisor(const px_trainer *t, const px_pack *pack, int32_t n_units)
{
    int64_t n = t->o.objective == PX_OBJECTIVE_SFT ? pack->n_learned : n_units;
    return n > 0 ? (double)n : 1;
}

static int32_t units_of(const px_pack *pack)
{
    int32_t n = 0;
    for (int32_t i = 0; i < pack->n_passes; i++)
        n += pack->passes[i].n_units;
    return n;
}

/* Each learned position gets the slope of its segment. */
static void spread(px_trainer *t, const px_packed *b)
{
    int32_t at = 0;
    for (int32_t s = 0; s < b->n_segs; s++)
        for (int32_t i = b->segs[s].first; i < b->segs[s].first + b->segs[s].n; i++)
            if (b->targets[i] >= 0)
                t->scales[at++] = (float)t->slopes[s];
}

static void add_sum(px_objective_sum *to, const px_objective_sum *s)
{
    to->loss += s->loss;
    to->n_right += s->n_right;
    to->margin += s->margin;
}

/* One pass with its way back. */
static pith_status learn_pass(px_trainer *t, const px_pack_pass *pass, double total, uint64_t key,
                              px_objective_sum *sum, pith_error *err)
{
    px_tape_pass how = {.drops = t->o.dropout > 0, .key = key, .cancel = &t->stop};
    pith_status st = px_tape_forward(t->tape, &pass->batch, &how, err);
    if (st != PITH_OK)
        return st;
    px_objective o = objective_of(t, &t->train);
    bool plain = o.kind == PX_OBJECTIVE_SFT;
    if (plain)
        px_tape_head(t->tape, NULL, (float)(1 / total), t->losses);
    else
        px_tape_losses(t->tape, t->losses);
    px_objective_sums(&pass->batch, t->losses, t->sums, t->counts);
    px_objective_sum s =
        px_objective_pass(&o, &t->train.pack, pass, t->sums, t->counts, total, t->slopes);
    add_sum(sum, &s);
    if (!plain) {
        spread(t, &pass->batch);
        px_tape_head(t->tape, t->scales, 0, t->losses);
    }
    return px_tape_back(t->tape, err);
}

pith_status px_trainer_learn(px_trainer *t, int64_t u, px_objective_sum *sum, pith_error *err)
{
    const px_pack *pack = &t->train.pack;
    uint64_t key = px_random_key(px_random_key(t->o.seed, 0x64726f70), (uint64_t)u);
    double total = divisor(t, pack, units_of(pack));
    *sum = (px_objective_sum){0};
    memset(t->net->params.grad, 0, (size_t)t->net->params.n * sizeof(float));
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < pack->n_passes && st == PITH_OK; i++)
        st = learn_pass(t, &pack->passes[i], total, px_random_key(key, (uint64_t)i), sum, err);
    return st;
}

/* ---- without a way back */

typedef void (*pass_fn)(px_trainer *t, px_train_set *s, const px_pack_pass *pass, void *ctx);

/* Forward over a set, its units in order; `each` sees the sums of each pass. */
static pith_status look_through(px_trainer *t, px_train_set *s, bool plain, pass_fn each, void *ctx,
                                pith_error *err)
{
    pith_status st = PITH_OK;
    for (int64_t first = 0; first < s->units && st == PITH_OK; first += t->o.batch) {
        px_pack_range(&s->pack, first, px_trainer_most(s->units - first, t->o.batch));
        for (int32_t i = 0; i < s->pack.n_passes && st == PITH_OK; i++) {
            const px_pack_pass *pass = &s->pack.passes[i];
            px_tape_pass how = {.plain = plain, .cancel = &t->stop};
            st = px_tape_forward(t->tape, &pass->batch, &how, err);
            if (st != PITH_OK)
                break;
            px_tape_losses(t->tape, t->losses);
            px_objective_sums(&pass->batch, t->losses, t->sums, t->counts);
            each(t, s, pass, ctx);
        }
    }
    return st;
}

static void keep_reference(px_trainer *t, px_train_set *s, const px_pack_pass *pass, void *ctx)
{
    (void)ctx;
    for (int32_t i = 0; i < pass->n_units; i++)
        for (int j = 0; j < 2; j++) {
            int64_t unit = s->pack.order[pass->first_unit + i];
            s->references[2 * unit + j] = t->sums[2 * i + j];
        }
}

pith_status px_trainer_look_back(px_trainer *t, pith_error *err)
{
    pith_status st = PITH_OK;
    if (t->train.references)
        st = look_through(t, &t->train, true, keep_reference, NULL, err);
    if (st == PITH_OK && t->eval.references)
        st = look_through(t, &t->eval, true, keep_reference, NULL, err);
    return st;
}

/* Loss of a set: sums and what they are divided by. */
typedef struct measure {
    double loss, n;
} measure;

static void add_loss(px_trainer *t, px_train_set *s, const px_pack_pass *pass, void *ctx)
{
    measure *m = ctx;
    px_objective o = objective_of(t, s);
    px_objective_sum sum = px_objective_pass(&o, &s->pack, pass, t->sums, t->counts, 1, t->slopes);
    m->loss += sum.loss;
    m->n += o.kind == PX_OBJECTIVE_SFT ? pass->n_learned : pass->n_units;
}

pith_status px_trainer_evaluate(px_trainer *t, bool plain, double *loss, pith_error *err)
{
    px_train_set *s = t->eval.e ? &t->eval : &t->train;
    measure m = {0};
    pith_status st = look_through(t, s, plain, add_loss, &m, err);
    *loss = m.n > 0 ? m.loss / m.n : 0;
    return st;
}
