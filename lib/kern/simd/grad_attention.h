/*
 * grad_attention: attention over a segment and its gradient, for any instruction set. Included once
 * in a file of each level, after its vec header and GRAD.
 *
 * Blocks of KEYS keys; groups of PANEL_COLS tokens go through each block. All five products are
 * those of panel.h, with keys or values of a head as lanes:
 *
 *   s  = q k'      keys turned,  tokens apart            [token, key]
 *   o += p v       values laid,  p apart
 *   dp = dout v'   values turned, tokens apart
 *   dq += ds k     keys laid,    ds apart
 *   dk += ds' q    tokens laid,  ds woven, dv += p' dout likewise: of TOKENS tokens at once, since
 *                  the reduction runs over tokens, and sums of 12 are not worth their stores
 *
 * Forward goes through the blocks of keys for each TOKENS tokens with a running maximum and sum
 * (online softmax, arXiv 1805.02867) and keeps o in `out` meanwhile. Back goes through the tokens
 * for each block of keys; probabilities come from lse, dk and dv of the block grow in place, dq
 * over the blocks. Where units are bf16, q, k, v, dout, p and ds are rounded to it; all else is
 * f32.
 *
 * Cost of a token and a key, of which back has five products and forward two: D / (VF_N UNIT)
 * products each, an exponential of some 14 instructions / VF_N. No scratch grows with the segment.
 */
#include "kern/grad.h"
#include "kern/simd/math.h"
#include "kern/simd/panel.h"

#include <assert.h>
#include <math.h>

enum {
    KEYS = 96, // of a block
    TOKENS = 96,
    GROUP = PANEL_COLS,
    KEY_UNITS = (KEYS + UNIT - 1) / UNIT,
    TOKEN_UNITS = (TOKENS + UNIT - 1) / UNIT,
    SCORES = KEYS + 16, // floats between rows of scores
    /* floats of scratch before what grows with the size of heads */
    S_AT = 0,                              // scores, then p [GROUP, SCORES]
    DP_AT = S_AT + GROUP * SCORES,         // dp, then ds
    P_AT = DP_AT + GROUP * SCORES,         // p or ds apart
    Q_AT = P_AT + COLUMNS_FLOATS,          // q apart
    DOUT_AT = Q_AT + COLUMNS_FLOATS,       // dout apart
    WOVEN_P_AT = DOUT_AT + COLUMNS_FLOATS, // [TOKEN_UNITS, KEYS]
    WOVEN_DS_AT = WOVEN_P_AT + TOKEN_UNITS * KEYS,
    STATE_AT = WOVEN_DS_AT + TOKEN_UNITS * KEYS, // forward: most, sum of each token
    PANELS_AT = STATE_AT + 2 * TOKENS,
};
static_assert((int)KEYS % (int)PANEL_LANES == 0 && (int)KEYS % (int)GROUP == 0, "whole panels");
static_assert((int)TOKENS % (int)GROUP == 0 && (int)GROUP % (int)UNIT == 0, "whole groups");

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Vectors of a head's values, whole panels of them; units, whole vectors of them. */
static int64_t lanes_of(int64_t dim)
{
    return (dim + PANEL_LANES - 1) / PANEL_LANES * PANEL_LANES;
}

static int64_t units_of(int64_t dim)
{
    return (dim + UNIT - 1) / UNIT;
}

static int64_t whole_units(int64_t dim)
{
    return (units_of(dim) + VF_N - 1) / VF_N * VF_N;
}

/* What both directions know of a block of keys and of a segment. */
typedef struct attend {
    const px_grad_attn *a;
    float *s, *dp, *p, *q, *dout, *woven_p, *woven_ds;
    float *k_turned; // KEYS / PANEL_LANES panels of units of D
    float *v_turned; // of Dv (back)
    float *k_laid;   // panels of D, KEY_UNITS units (back)
    float *v_laid;   // of Dv (forward)
    float *q_laid;   // panels of D, TOKEN_UNITS units (back)
    float *dout_laid;
    int64_t k0, n_keys; // the block
} attend;

static attend attend_of(const px_grad_attn *a)
{
    float *f = a->scratch;
    attend t = {.a = a,
                .s = f + S_AT,
                .dp = f + DP_AT,
                .p = f + P_AT,
                .q = f + Q_AT,
                .dout = f + DOUT_AT,
                .woven_p = f + WOVEN_P_AT,
                .woven_ds = f + WOVEN_DS_AT,
                .k_turned = f + PANELS_AT};
    t.v_turned = t.k_turned + KEYS * whole_units(a->head_dim);
    t.k_laid = t.v_turned + KEYS * whole_units(a->value_dim);
    t.q_laid = t.k_laid + KEY_UNITS * lanes_of(a->head_dim);
    t.dout_laid = t.q_laid + TOKEN_UNITS * lanes_of(a->head_dim);
    t.v_laid = t.k_laid; // forward has no other
    return t;
}

/* ---- operands */

/* n rows of x, dim values each, turned to panels of PANEL_LANES rows. */
static void turn_rows(const float *x, int64_t stride, int64_t n, int64_t dim, float *out)
{
    for (int64_t r = 0; r < n; r += PANEL_LANES, out += PANEL_LANES * whole_units(dim))
        panel_turn(x + r * stride, stride, n - r, dim, out);
}

/* n rows of x, dim values each, laid to panels of `units` units. */
static void lay_rows(const float *x, int64_t stride, int64_t n, int64_t dim, int64_t units,
                     float *out)
{
    panel_lay(x, stride, n, dim, out, PANEL_LANES, (size_t)(units * PANEL_LANES));
}

/* n rows of x apart: columns for panel_product; those that are missing up to a third are zeros. */
static void take_rows(const float *x, int64_t stride, int64_t n, int64_t dim, float *out)
{
    const int64_t filled = panel_thirds(n) * PANEL_THIRD;
    for (int64_t r = 0; r < filled; r++, out += COLUMN_FLOATS)
        for (int64_t i = 0; i < dim; i += VF_N * UNIT)
            vf_store(out + i / UNIT, r < n ? unit_row(x + r * stride + i, dim - i) : vf_zero());
}

/* ---- what tokens see */

static int64_t first_key(const px_grad_attn *a, int64_t i)
{
    return a->window > 0 && i >= a->window ? i - a->window + 1 : 0;
}

/* Keys [first, end) of the block at hand that token i sees, from the block's first on. */
typedef struct seen {
    int64_t first, end;
} seen;

static seen seen_by(const attend *t, int64_t i)
{
    const int64_t first = most_of(first_key(t->a, i) - t->k0, 0);
    const int64_t end = least(i + 1 - t->k0, t->n_keys);
    return first < end ? (seen){first, end} : (seen){0, 0};
}

/* Keys that any of the n tokens from i on sees: whole panels from the first on, which panels of
 * scores are made for. The last token sees the furthest, the first one the earliest. */
static seen seen_by_group(const attend *t, int64_t i, int64_t n)
{
    const int64_t first = most_of(first_key(t->a, i) - t->k0, 0) / PANEL_LANES * PANEL_LANES;
    const int64_t end = least(i + n - t->k0, t->n_keys);
    return first < end ? (seen){first, end} : (seen){0, 0};
}

/* ---- scores */

/* y[token, key] = x[token] . panel rows of keys, for the keys of g. */
static void multiply_keys(const float *panels, const float *x, int64_t dim, seen g, int64_t n,
                          float *y)
{
    for (int64_t j = g.first; j < g.end; j += PANEL_LANES) {
        const panel_place p = {.y = y + j, .y_stride = SCORES, .n_rows = PANEL_LANES, .n_cols = n};
        panel_product(panels + j * whole_units(dim), x, units_of(dim), &p);
    }
}

INLINE vf capped(const px_grad_attn *a, vf s)
{
    return vf_mul(vf_all(a->softcap), vf_tanh(vf_mul(s, vf_all(1.0f / a->softcap))));
}

/* Scores of one token, scaled and capped, -infinity where it does not see. Whole vectors. */
static void finish_scores(const px_grad_attn *a, float *s, seen group, seen row)
{
    const vf scale = vf_all(a->scale);
    for (int64_t j = group.first; j < group.end; j += VF_N) {
        const vf x = vf_mul(vf_load(s + j), scale);
        vf_store(s + j, a->softcap > 0 ? capped(a, x) : x);
    }
    const int64_t whole = group.first + (group.end - group.first + VF_N - 1) / VF_N * VF_N;
    for (int64_t j = group.first; j < row.first; j++)
        s[j] = -INFINITY;
    for (int64_t j = most_of(row.end, group.first); j < whole; j++)
        s[j] = -INFINITY;
}

/* ---- forward */

static float most_score(const float *s, seen g)
{
    vf most = vf_all(-INFINITY);
    for (int64_t j = g.first; j < g.end; j += VF_N)
        most = vf_max(vf_load(s + j), most);
    return vf_most(most);
}

/* p = e^(s - most) in place; returns the sum. */
static float weigh(float *s, seen g, float most)
{
    vf sum = vf_zero();
    for (int64_t j = g.first; j < g.end; j += VF_N) {
        const vf p = vf_exp(vf_sub(vf_load(s + j), vf_all(most)));
        vf_store(s + j, p);
        sum = vf_add(sum, p);
    }
    return vf_sum(sum);
}

static void scale_row(float *x, int64_t n, float by)
{
    int64_t i = 0;
    for (; i + VF_N <= n; i += VF_N)
        vf_store(x + i, vf_mul(vf_load(x + i), vf_all(by)));
    if (i < n)
        vf_store_part(x + i, vf_mul(vf_load_part(x + i, n - i), vf_all(by)), n - i);
}

/* One group of n tokens from i on and the block at hand; state [n][2]: most, sum. */
static void forward_group(const attend *t, int64_t i, int64_t n, float *state)
{
    const px_grad_attn *a = t->a;
    const seen g = seen_by_group(t, i, n);
    if (g.first == g.end)
        return;
    const bool first = t->k0 <= first_key(a, i); // the first block that the first token sees
    take_rows(a->q + i * a->q_stride, a->q_stride, n, a->head_dim, t->q);
    multiply_keys(t->k_turned, t->q, a->head_dim, g, n, t->s);
    for (int64_t r = 0; r < n; r++) {
        float *s = t->s + r * SCORES, *most = state + 2 * r, *sum = most + 1;
        const seen row = seen_by(t, i + r);
        finish_scores(a, s, g, row);
        if (first)
            *most = -INFINITY, *sum = 0;
        const float here = most_score(s, g);
        if (here > *most) { // what was summed stands for a smaller maximum
            const float shrink = *most > -INFINITY ? expf(*most - here) : 0;
            if (!first)
                scale_row(a->out + (i + r) * a->out_stride, a->value_dim, shrink);
            *sum *= shrink;
            *most = here;
        }
        // a token that sees nothing yet: -infinity less itself would be NaN; NaN scores stay so
        *sum += weigh(s, g, *most == -INFINITY ? 0 : *most);
    }
    const int64_t n_seen = g.end - g.first;
    take_rows(t->s + g.first, SCORES, n, n_seen, t->p);
    for (int64_t d = 0; d < a->value_dim; d += PANEL_LANES) {
        const panel_place p = {.y = a->out + i * a->out_stride + d,
                               .y_stride = a->out_stride,
                               .n_rows = a->value_dim - d,
                               .n_cols = n,
                               .add = !first};
        panel_product(t->v_laid + d * KEY_UNITS + g.first / UNIT * PANEL_LANES, t->p,
                      units_of(n_seen), &p);
    }
}

static void forward_tokens(attend *t, int64_t i0, int64_t n)
{
    const px_grad_attn *a = t->a;
    float *state = (float *)a->scratch + STATE_AT;
    for (t->k0 = first_key(a, i0) / KEYS * KEYS; t->k0 < i0 + n; t->k0 += KEYS) {
        t->n_keys = least(KEYS, i0 + n - t->k0);
        turn_rows(a->k + t->k0 * a->k_stride, a->k_stride, t->n_keys, a->head_dim, t->k_turned);
        lay_rows(a->v + t->k0 * a->v_stride, a->v_stride, t->n_keys, a->value_dim, KEY_UNITS,
                 t->v_laid);
        for (int64_t i = 0; i < n; i += GROUP)
            forward_group(t, i0 + i, least(GROUP, n - i), state + 2 * i);
    }
    for (int64_t i = 0; i < n; i++) {
        const float most = state[2 * i], sum = state[2 * i + 1];
        scale_row(a->out + (i0 + i) * a->out_stride, a->value_dim, 1.0f / sum);
        if (a->lse)
            a->lse[(i0 + i) * a->lse_stride] = most + logf(sum);
    }
}

void GRAD(attention)(const px_grad_attn *a)
{
    attend t = attend_of(a);
    for (int64_t i = 0; i < a->n; i += TOKENS)
        forward_tokens(&t, i, least(TOKENS, a->n - i));
}

/* ---- back */

static float dot_rows(const float *x, const float *y, int64_t n)
{
    vf sum = vf_zero();
    for (int64_t i = 0; i < n; i += VF_N)
        sum = vf_fma(panel_part(x + i, n - i), panel_part(y + i, n - i), sum);
    return vf_sum(sum);
}

/* s: scores of token i to p; dp to ds. */
static void slopes(const px_grad_attn *a, int64_t i, seen group, seen row, float *s, float *dp)
{
    const float mean =
        dot_rows(a->dout + i * a->dout_stride, a->out + i * a->out_stride, a->value_dim);
    const vf lse = vf_all(a->lse[i * a->lse_stride]), scale = vf_all(a->scale), one = vf_all(1.0f);
    const vf by = vf_all(a->softcap > 0 ? 1.0f / a->softcap : 0.0f);
    for (int64_t j = group.first; j < group.end; j += VF_N) {
        vf x = vf_mul(vf_load(s + j), scale), slope = scale;
        if (a->softcap > 0) {
            const vf c = vf_tanh(vf_mul(x, by));
            slope = vf_mul(scale, vf_fnma(c, c, one));
            x = vf_mul(vf_all(a->softcap), c);
        }
        const vf p = vf_exp(vf_sub(x, lse));
        vf_store(s + j, p);
        vf_store(dp + j, vf_mul(vf_mul(p, vf_sub(vf_load(dp + j), vf_all(mean))), slope));
    }
    const int64_t whole = group.first + (group.end - group.first + VF_N - 1) / VF_N * VF_N;
    for (int64_t j = group.first; j < row.first; j++)
        s[j] = dp[j] = 0;
    for (int64_t j = most_of(row.end, group.first); j < whole; j++)
        s[j] = dp[j] = 0;
}

/* n rows of scores as units of the reduction over tokens: [n / UNIT, KEYS], zeros where the group
 * has no scores. */
static void weave_scores(const float *s, int64_t n, seen g, float *out)
{
    for (int64_t r = 0; r < n; r += UNIT, out += KEYS)
        for (int64_t j = 0; j < KEYS; j += VF_N) {
            const bool here = j >= g.first && j < g.end;
            const vf low = here ? vf_load(s + r * SCORES + j) : vf_zero();
            const vf high =
                UNIT > 1 && here && r + 1 < n ? vf_load(s + (r + 1) * SCORES + j) : vf_zero();
            vf_store(out + j, unit_lanes(low, high));
        }
}

/* One group of n tokens from i on: dq, and p and ds woven. */
static void back_group(const attend *t, int64_t i, int64_t n, float *woven_p, float *woven_ds)
{
    const px_grad_attn *a = t->a;
    const seen g = seen_by_group(t, i, n);
    if (g.first < g.end) {
        take_rows(a->q + i * a->q_stride, a->q_stride, n, a->head_dim, t->q);
        take_rows(a->dout + i * a->dout_stride, a->dout_stride, n, a->value_dim, t->dout);
        multiply_keys(t->k_turned, t->q, a->head_dim, g, n, t->s);
        multiply_keys(t->v_turned, t->dout, a->value_dim, g, n, t->dp);
        for (int64_t r = 0; r < n; r++)
            slopes(a, i + r, g, seen_by(t, i + r), t->s + r * SCORES, t->dp + r * SCORES);
        const int64_t n_seen = g.end - g.first;
        take_rows(t->dp + g.first, SCORES, n, n_seen, t->p);
        for (int64_t d = 0; d < a->head_dim; d += PANEL_LANES) {
            const panel_place p = {.y = a->dq + i * a->dq_stride + d,
                                   .y_stride = a->dq_stride,
                                   .n_rows = a->head_dim - d,
                                   .n_cols = n,
                                   .add = t->k0 > first_key(a, i)};
            panel_product(t->k_laid + d * KEY_UNITS + g.first / UNIT * PANEL_LANES, t->p,
                          units_of(n_seen), &p);
        }
    }
    weave_scores(t->s, n, g, woven_p);
    weave_scores(t->dp, n, g, woven_ds);
}

/* y[key] (+)= sum over n tokens of woven[token][key] x[token] */
static void add_keys(const attend *t, const float *laid, const float *woven, int64_t n, int64_t dim,
                     float *y, int64_t stride, bool add)
{
    for (int64_t j = 0; j < t->n_keys; j += GROUP)
        for (int64_t d = 0; d < dim; d += PANEL_LANES) {
            const panel_place p = {.y = y + (t->k0 + j) * stride + d,
                                   .y_stride = stride,
                                   .n_rows = dim - d,
                                   .n_cols = least(GROUP, t->n_keys - j),
                                   .add = add};
            panel_product_woven(laid + d * TOKEN_UNITS, woven + j, units_of(n), KEYS, &p);
        }
}

/* The block at hand and the n tokens from i on. */
static void back_tokens(const attend *t, int64_t i, int64_t n)
{
    const px_grad_attn *a = t->a;
    lay_rows(a->q + i * a->q_stride, a->q_stride, n, a->head_dim, TOKEN_UNITS, t->q_laid);
    lay_rows(a->dout + i * a->dout_stride, a->dout_stride, n, a->value_dim, TOKEN_UNITS,
             t->dout_laid);
    for (int64_t r = 0; r < n; r += GROUP)
        back_group(t, i + r, least(GROUP, n - r), t->woven_p + r / UNIT * KEYS,
                   t->woven_ds + r / UNIT * KEYS);
    const bool add = i > t->k0;
    add_keys(t, t->q_laid, t->woven_ds, n, a->head_dim, a->dk, a->dk_stride, add);
    add_keys(t, t->dout_laid, t->woven_p, n, a->value_dim, a->dv, a->dv_stride, add);
}

void GRAD(attention_back)(const px_grad_attn *a)
{
    attend t = attend_of(a);
    for (t.k0 = 0; t.k0 < a->n; t.k0 += KEYS) {
        t.n_keys = least(KEYS, a->n - t.k0);
        turn_rows(a->k + t.k0 * a->k_stride, a->k_stride, t.n_keys, a->head_dim, t.k_turned);
        turn_rows(a->v + t.k0 * a->v_stride, a->v_stride, t.n_keys, a->value_dim, t.v_turned);
        lay_rows(a->k + t.k0 * a->k_stride, a->k_stride, t.n_keys, a->head_dim, KEY_UNITS,
                 t.k_laid);
        // the tokens that see any key, in whole groups: a group's dq is begun by all its tokens
        const int64_t see = (t.n_keys - 1 + a->window + GROUP - 1) / GROUP * GROUP;
        const int64_t end = a->window > 0 ? least(a->n, t.k0 + see) : a->n;
        for (int64_t i = t.k0; i < end; i += TOKENS)
            back_tokens(&t, i, least(TOKENS, end - i));
    }
}
