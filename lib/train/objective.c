/* objective: see objective.h. */
#include "train/objective.h"

#include <math.h>

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* -log sigmoid(x) */
static double softplus_back(double x)
{
    return x > 0 ? log1p(exp(-x)) : -x + log1p(exp(x));
}

void px_objective_sums(const px_packed *batch, const double *losses, double *sums, int32_t *counts)
{
    int32_t at = 0;
    for (int32_t s = 0; s < batch->n_segs; s++) {
        sums[s] = 0;
        counts[s] = 0;
        const px_segment *seg = &batch->segs[s];
        for (int32_t t = seg->first; t < seg->first + seg->n; t++)
            if (batch->targets[t] >= 0) {
                sums[s] += losses[at++];
                counts[s]++;
            }
    }
}

typedef struct unit {
    double s[2], ref[2], n[2];
    bool good;
} unit;

static double dpo(const px_objective *o, const unit *u, double slope[2], px_objective_sum *sum)
{
    double margin = o->beta * ((u->ref[0] - u->s[0]) - (u->ref[1] - u->s[1]));
    slope[0] = o->beta * sigmoid(-margin);
    slope[1] = -slope[0];
    sum->n_right += margin > 0;
    sum->margin += margin;
    return softplus_back(margin);
}

/* log (1 - p) of p = e^x, x < 0; at p = 1 what the smallest step below it gives. */
static double log_rest(double x)
{
    return log(-expm1(x < -1e-12 ? x : -1e-12));
}

static double orpo(const px_objective *o, const unit *u, double slope[2], px_objective_sum *sum)
{
    double x[2] = {-u->s[0] / u->n[0], -u->s[1] / u->n[1]};
    double odds = (x[0] - x[1]) - (log_rest(x[0]) - log_rest(x[1]));
    double pull = o->beta * sigmoid(-odds);
    for (int i = 0; i < 2; i++) {
        double rest = -expm1(x[i] < -1e-12 ? x[i] : -1e-12);
        slope[i] = (i == 0 ? 1 + pull / rest : -pull / rest) / u->n[i];
    }
    sum->n_right += odds > 0;
    sum->margin += odds;
    return -x[0] + o->beta * softplus_back(odds);
}

static double kto(const px_objective *o, const unit *u, double kl, double slope[2],
                  px_objective_sum *sum)
{
    double way = u->good ? 1 : -1;
    double margin = way * o->beta * (u->ref[0] - u->s[0] - kl);
    double s = sigmoid(margin);
    slope[0] = way * o->beta * s * (1 - s);
    slope[1] = 0;
    sum->n_right += margin > 0;
    sum->margin += margin;
    return 1 - s;
}

static unit unit_of(const px_objective *o, const px_pack *pack, const px_pack_pass *pass, int32_t i,
                    const double *sums, const int32_t *counts)
{
    unit u = {.good = true};
    int64_t which = pack->order[pass->first_unit + i];
    for (int j = 0; j < 2; j++) {
        u.s[j] = sums[2 * i + j];
        u.n[j] = counts[2 * i + j] > 0 ? counts[2 * i + j] : 1;
        u.ref[j] = o->reference ? o->reference[2 * which + j] : 0;
    }
    if (pack->e->goal == PX_GOAL_LABEL)
        u.good = pack->e->all[which].good;
    return u;
}

px_objective_sum px_objective_pass(const px_objective *o, const px_pack *pack,
                                   const px_pack_pass *pass, const double *sums,
                                   const int32_t *counts, double total, double *slopes)
{
    px_objective_sum out = {0};
    if (o->kind == PX_OBJECTIVE_SFT) {
        for (int32_t s = 0; s < pass->batch.n_segs; s++) {
            out.loss += sums[s] / total;
            slopes[s] = 1 / total;
        }
        return out;
    }
    double kl = 0;
    for (int32_t i = 0; i < pass->n_units && o->kind == PX_OBJECTIVE_KTO; i++) {
        unit u = unit_of(o, pack, pass, i, sums, counts);
        kl += (u.ref[1] - u.s[1]) / pass->n_units;
    }
    kl = kl > 0 ? kl : 0;
    for (int32_t i = 0; i < pass->n_units; i++) {
        unit u = unit_of(o, pack, pass, i, sums, counts);
        double *slope = slopes + 2 * (ptrdiff_t)i;
        double loss = o->kind == PX_OBJECTIVE_DPO    ? dpo(o, &u, slope, &out)
                      : o->kind == PX_OBJECTIVE_ORPO ? orpo(o, &u, slope, &out)
                                                     : kto(o, &u, kl, slope, &out);
        out.loss += loss / total;
        slope[0] /= total;
        slope[1] /= total;
    }
    return out;
}
