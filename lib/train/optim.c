/* optim: see optim.h. A part's work is cut into pieces of PIECE values. */
#include "train/optim.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    PIECE = 1 << 15, // a multiple of BLOCK
    BLOCK = 256,
    LEAST_8BIT = 4096,
    MAP = 256,
    LINE = 64
};

/* Where the state of a part begins: m and v as f32, or as codes and the largest of each block. */
typedef struct place {
    size_t m, v, m_max, v_max;
    bool codes;
    int64_t first_piece;
} place;

struct px_optim {
    const px_params *p;
    px_optim_options o;
    px_pool *pool;
    place *places; // [n_parts]
    uint8_t *state;
    size_t bytes;
    int64_t n_pieces, steps;
    double *sums; // [n_pieces]
    float maps[2][MAP];
    double lr, clip; // of the step at hand
};

/* ---- dynamic maps */

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void sort_floats(float *x, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && ascending(&x[j - 1], &x[j]) > 0; j--) {
            float t = x[j];
            x[j] = x[j - 1];
            x[j - 1] = t;
        }
}

/* For i = 0..6, n = 2^i (unsigned: 2^(i+1)) means of neighbours of n + 1 numbers from 0.1 to 1,
 * times 10^(i - 6); their negatives where signed; 0 and 1. */
void px_optim_map(bool is_signed, float map[256])
{
    int at = 0;
    for (int i = 0; i < 7; i++) {
        int n = is_signed ? 1 << i : 2 << i;
        double step = 0.9 / n;
        for (int j = 0; j < n; j++) {
            double low = 0.1 + step * j, high = 0.1 + step * (j + 1);
            float value = (float)((low + high) / 2 * pow(10, i - 6));
            map[at++] = value;
            if (is_signed)
                map[at++] = -value;
        }
    }
    map[at++] = 0;
    map[at++] = 1;
    sort_floats(map, at);
}

/* The nearest of the map; of two that are as near the lower. */
static uint8_t encode(const float *map, float x)
{
    int low = 0, high = MAP - 1;
    while (high - low > 1) {
        int mid = (low + high) / 2;
        if (map[mid] <= x)
            low = mid;
        else
            high = mid;
    }
    return (uint8_t)(x - map[low] <= map[high] - x ? low : high);
}

/* ---- memory */

static size_t take(size_t *at, size_t n, size_t size)
{
    size_t here = *at;
    *at += px_round_up(n * size, LINE);
    return here;
}

static void lay_out(px_optim *o)
{
    bool has_v = o->o.kind != PX_OPTIM_LION;
    size_t at = 0;
    for (int32_t i = 0; i < o->p->n_parts; i++) {
        size_t n = (size_t)o->p->parts[i].n, blocks = (n + BLOCK - 1) / BLOCK;
        place *w = &o->places[i];
        w->codes = o->o.kind == PX_OPTIM_ADAMW8 && n >= LEAST_8BIT;
        w->m = take(&at, n, w->codes ? 1 : sizeof(float));
        w->v = take(&at, has_v ? n : 0, w->codes ? 1 : sizeof(float));
        w->m_max = take(&at, w->codes ? blocks : 0, sizeof(float));
        w->v_max = take(&at, w->codes ? blocks : 0, sizeof(float));
        w->first_piece = o->n_pieces;
        o->n_pieces += (o->p->parts[i].n + PIECE - 1) / PIECE;
    }
    o->bytes = at;
}

pith_status px_optim_new(const px_params *params, const px_optim_options *options, px_pool *pool,
                         px_optim **out, pith_error *err)
{
    *out = NULL;
    px_optim *o = px_calloc(1, sizeof *o);
    if (!o)
        return px_fail_memory(err, "an optimizer");
    o->p = params;
    o->o = *options;
    o->pool = pool;
    o->places = px_calloc((size_t)params->n_parts, sizeof *o->places);
    if (o->places)
        lay_out(o);
    o->sums = px_calloc((size_t)o->n_pieces, sizeof *o->sums);
    o->state = px_aligned(o->bytes, 1, LINE);
    if (!o->places || !o->sums || !o->state) {
        px_optim_free(o);
        return px_fail_memory(err, "the state of an optimizer");
    }
    memset(o->state, 0, o->bytes);
    px_optim_map(true, o->maps[0]);
    px_optim_map(false, o->maps[1]);
    for (int32_t i = 0; i < params->n_parts; i++) // codes of zero
        if (o->places[i].codes) {
            size_t n = (size_t)params->parts[i].n;
            memset(o->state + o->places[i].m, encode(o->maps[0], 0), n);
            memset(o->state + o->places[i].v, encode(o->maps[1], 0), n);
        }
    *out = o;
    return PITH_OK;
}

void px_optim_free(px_optim *o)
{
    if (!o)
        return;
    px_free(o->places);
    px_free(o->sums);
    px_free(o->state);
    px_free(o);
}

uint8_t *px_optim_state(px_optim *o, size_t *bytes)
{
    *bytes = o->bytes;
    return o->state;
}

int64_t px_optim_steps(const px_optim *o)
{
    return o->steps;
}

void px_optim_set_steps(px_optim *o, int64_t steps)
{
    o->steps = steps;
}

/* ---- pieces */

/* The part of a piece, and its values [*first, *end) of that part. */
static int32_t find_part(const px_optim *o, int64_t piece, int64_t *first, int64_t *end)
{
    int32_t low = 0, high = o->p->n_parts;
    while (high - low > 1) {
        int32_t mid = (low + high) / 2;
        if (o->places[mid].first_piece <= piece)
            low = mid;
        else
            high = mid;
    }
    int64_t n = o->p->parts[low].n;
    *first = (piece - o->places[low].first_piece) * PIECE;
    *end = *first + PIECE < n ? *first + PIECE : n;
    return low;
}

static void sum_piece(void *ctx, int64_t piece, int member)
{
    (void)member;
    px_optim *o = ctx;
    int64_t first, end;
    const px_param *part = &o->p->parts[find_part(o, piece, &first, &end)];
    const float *g = o->p->grad + part->at;
    double sum[4] = {0};
    int64_t i = first;
    for (; i + 4 <= end; i += 4)
        for (int j = 0; j < 4; j++)
            sum[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < end; i++)
        sum[0] += (double)g[i] * (double)g[i];
    o->sums[piece] = sum[0] + sum[1] + (sum[2] + sum[3]);
}

double px_optim_norm(px_optim *o)
{
    double sum = 0;
    px_pool_for(o->pool, o->n_pieces, sum_piece, o);
    for (int64_t i = 0; i < o->n_pieces; i++)
        sum += o->sums[i];
    return sqrt(sum);
}

/* What all values of a part's update share. */
typedef struct rule {
    float b1, b2, eps, keep, step, root, clip, sign_step;
} rule;

static rule rule_of(const px_optim *o, const px_param *part)
{
    double lr = o->lr * (double)part->lr, t = (double)(o->steps + 1);
    double b1 = (double)o->o.beta1, b2 = (double)o->o.beta2;
    rule r = {.b1 = o->o.beta1, .b2 = o->o.beta2, .eps = o->o.eps, .clip = (float)o->clip};
    r.keep = part->decays ? (float)(1 - lr * (double)o->o.decay) : 1.0f;
    r.step = (float)(lr / (1 - pow(b1, t)));
    r.root = (float)(1 / sqrt(1 - pow(b2, t)));
    r.sign_step = (float)lr;
    return r;
}

static void adam(const rule *r, float *p, const float *g, float *m, float *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * r->clip;
        m[i] = r->b1 * m[i] + (1 - r->b1) * d;
        v[i] = r->b2 * v[i] + (1 - r->b2) * d * d;
        p[i] = p[i] * r->keep - r->step * m[i] / (sqrtf(v[i]) * r->root + r->eps);
    }
}

static void lion(const rule *r, float *p, const float *g, float *m, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * r->clip, way = r->b1 * m[i] + (1 - r->b1) * d;
        m[i] = r->b2 * m[i] + (1 - r->b2) * d;
        float sign = way > 0 ? 1.0f : way < 0 ? -1.0f : 0.0f;
        p[i] = p[i] * r->keep - r->sign_step * sign;
    }
}

static void decode_block(const float *map, const uint8_t *codes, float most, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = map[codes[i]] * most;
}

static float encode_block(const float *map, const float *x, uint8_t *codes, int64_t n)
{
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    float inverse = most > 0 ? 1.0f / most : 0.0f;
    for (int64_t i = 0; i < n; i++)
        codes[i] = encode(map, x[i] * inverse);
    return most;
}

/* Values [first, first + n) of a part with coded state, n at most BLOCK. */
static void adam_block(px_optim *o, const place *w, const rule *r, float *p, const float *g,
                       int64_t first, int64_t n)
{
    float m[BLOCK], v[BLOCK];
    uint8_t *m8 = o->state + w->m + first, *v8 = o->state + w->v + first;
    float *m_max = (float *)(void *)(o->state + w->m_max) + first / BLOCK;
    float *v_max = (float *)(void *)(o->state + w->v_max) + first / BLOCK;
    decode_block(o->maps[0], m8, *m_max, m, n);
    decode_block(o->maps[1], v8, *v_max, v, n);
    adam(r, p + first, g + first, m, v, n);
    *m_max = encode_block(o->maps[0], m, m8, n);
    *v_max = encode_block(o->maps[1], v, v8, n);
}

static void step_piece(void *ctx, int64_t piece, int member)
{
    (void)member;
    px_optim *o = ctx;
    int64_t first, end;
    int32_t which = find_part(o, piece, &first, &end);
    const px_param *part = &o->p->parts[which];
    const place *w = &o->places[which];
    rule r = rule_of(o, part);
    float *p = o->p->value + part->at;
    const float *g = o->p->grad + part->at;
    if (w->codes) {
        for (int64_t i = first; i < end; i += BLOCK)
            adam_block(o, w, &r, p, g, i, end - i < BLOCK ? end - i : BLOCK);
        return;
    }
    float *m = (float *)(void *)(o->state + w->m) + first;
    float *v = (float *)(void *)(o->state + w->v) + first;
    if (o->o.kind == PX_OPTIM_LION)
        lion(&r, p + first, g + first, m, end - first);
    else
        adam(&r, p + first, g + first, m, v, end - first);
}

void px_optim_step(px_optim *o, double lr, double clip)
{
    o->lr = lr;
    o->clip = clip;
    px_pool_for(o->pool, o->n_pieces, step_piece, o);
    o->steps++;
}
