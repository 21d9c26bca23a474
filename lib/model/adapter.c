/* adapter: see adapter.h. Each pair of the set is checked against the model's tensor and copied. */
#include "model/adapter.h"

#include "base/limits.h"
#include "base/mem.h"
#include "kern/traits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loader {
    const px_lora_set *set;
    const char *path;
    const px_source *model;
    const px_hparams *hp;
    px_adapter *a;
    pith_error *err;
} loader;

/* ---- names */

/* A matrix of a file, which holds the rows of one or several of the decoder's. */
typedef struct kind {
    const char *name;
    px_slot slots[3];
    int n;
} kind;

static const kind KINDS[] = {
    {"attn_q.weight", {PX_SLOT_Q}, 1},
    {"attn_k.weight", {PX_SLOT_K}, 1},
    {"attn_v.weight", {PX_SLOT_V}, 1},
    {"attn_qkv.weight", {PX_SLOT_Q, PX_SLOT_K, PX_SLOT_V}, 3},
    {"attn_output.weight", {PX_SLOT_O}, 1},
    {"ffn_gate.weight", {PX_SLOT_GATE}, 1},
    {"ffn_up.weight", {PX_SLOT_UP}, 1},
    {"ffn_down.weight", {PX_SLOT_DOWN}, 1},
};

static const kind GATE_UP = {"ffn_up.weight", {PX_SLOT_GATE, PX_SLOT_UP}, 2};

/* The kind of the matrix with that name and its layer, or NULL. */
static const kind *find_kind(const px_hparams *hp, const char *name, int32_t *layer)
{
    size_t len = strlen(name);
    if (len < 5 || strncmp(name, "blk.", 4) != 0)
        return NULL;
    int64_t n = 0;
    size_t at = 4;
    for (; at < len && at < 12 && name[at] >= '0' && name[at] <= '9'; at++)
        n = 10 * n + (name[at] - '0');
    if (at == 4 || at >= len || name[at++] != '.' || n >= hp->n_layers)
        return NULL;
    *layer = (int32_t)n;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        const kind *k = &KINDS[i];
        if (strlen(k->name) != len - at || memcmp(k->name, name + at, len - at) != 0)
            continue;
        return hp->gate_up_fused && k->slots[0] == PX_SLOT_UP ? &GATE_UP : k;
    }
    return NULL;
}

int64_t px_adapter_rows(const px_hparams *hp, px_slot slot)
{
    switch (slot) {
    case PX_SLOT_Q:
        return (int64_t)hp->n_heads * hp->head_dim;
    case PX_SLOT_K:
        return (int64_t)hp->n_kv_heads * hp->head_dim;
    case PX_SLOT_V:
        return (int64_t)hp->n_kv_heads * hp->value_dim;
    case PX_SLOT_GATE:
    case PX_SLOT_UP:
        return hp->ffn;
    case PX_SLOT_HEAD:
        return hp->n_vocab;
    default:
        return hp->width;
    }
}

static int64_t cols_of(const px_hparams *hp, px_slot slot)
{
    return slot == PX_SLOT_O      ? (int64_t)hp->n_heads * hp->value_dim
           : slot == PX_SLOT_DOWN ? hp->ffn
                                  : hp->width;
}

int px_adapter_slots(const px_hparams *hp, const char *name, int32_t *layer, px_slot out[3])
{
    if (strcmp(name, "output.weight") == 0) {
        *layer = 0;
        out[0] = PX_SLOT_HEAD;
        return 1;
    }
    const kind *k = find_kind(hp, name, layer);
    for (int i = 0; k && i < k->n; i++)
        out[i] = k->slots[i];
    return k ? k->n : 0;
}

/* ---- values */

static float *room(loader *l, size_t n)
{
    float *out = PX_ZNEW(&l->a->arena, float, n);
    if (out)
        l->a->bytes += n * sizeof *out;
    else
        px_fail_memory(l->err, "an adapter");
    return out;
}

static const float *copy(loader *l, const float *x, size_t n)
{
    float *out = room(l, n);
    if (out)
        memcpy(out, x, n * sizeof *out);
    return out;
}

/* An embedding's A, token after token. */
static const float *transpose(loader *l, const px_lora_tensor *t)
{
    float *out = room(l, (size_t)t->cols * (size_t)t->rank);
    for (int64_t c = 0; out && c < t->cols; c++)
        for (int32_t k = 0; k < t->rank; k++)
            out[c * t->rank + k] = t->a[k * t->cols + c];
    return out;
}

/* Where row i of the model's matrix stands in the set. */
static int64_t row_of(const loader *l, const px_lora_tensor *t, int64_t i)
{
    return px_lora_row(l->set, t, l->hp, l->model->rope_halves, i);
}

/* Rows [first, first + n) of B, in blocks. */
static const float *copy_blocks(loader *l, const px_lora_tensor *t, int64_t first, int64_t n)
{
    int64_t n_blocks = (n + PX_LORA_BLOCK - 1) / PX_LORA_BLOCK;
    size_t total;
    if (!px_mul_size((size_t)n_blocks * PX_LORA_BLOCK, (size_t)t->rank, &total)) {
        px_fail_memory(l->err, "an adapter");
        return NULL;
    }
    float *out = room(l, total);
    for (int64_t i = 0; out && i < n; i++) {
        const float *row = t->b + row_of(l, t, first + i) * t->rank;
        float *block = out + i / PX_LORA_BLOCK * PX_LORA_BLOCK * t->rank + i % PX_LORA_BLOCK;
        for (int32_t k = 0; k < t->rank; k++)
            block[k * PX_LORA_BLOCK] = row[k];
    }
    return out;
}

/* ---- magnitudes */

enum { LANES = 16 }; // sums side by side, so that compilers make vectors of them

static double dot(const float *x, const float *y, int64_t n)
{
    float sums[LANES] = {0};
    double sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sums[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    for (int k = 0; k < LANES; k++)
        sum += (double)sums[k];
    return sum;
}

/* A A^T, [R, R]. */
static void multiply_self(const px_lora_tensor *t, double *out)
{
    for (int32_t i = 0; i < t->rank; i++)
        for (int32_t k = 0; k <= i; k++)
            out[i * t->rank + k] = out[k * t->rank + i] =
                dot(t->a + i * t->cols, t->a + k * t->cols, t->cols);
}

/* |W|^2, 2 s W.BA and s^2 |BA|^2 of a row: W as f32, b its row of B, aa = A A^T. */
static void measure_row(const px_lora_tensor *t, const float *w, const float *b, const double *aa,
                        double s, double out[3])
{
    double across = 0, own = 0;
    for (int32_t i = 0; i < t->rank; i++) {
        double sum = 0;
        for (int32_t k = 0; k < t->rank; k++)
            sum += aa[i * t->rank + k] * (double)b[k];
        own += sum * (double)b[i];
        across += (double)b[i] * dot(w, t->a + i * t->cols, t->cols);
    }
    out[0] = dot(w, w, t->cols);
    out[1] = 2 * s * across;
    out[2] = s * s * own;
}

/* The values of DoRA for rows [first, first + n). */
static const float *copy_dora(loader *l, const px_lora_tensor *t, const px_tensor *base,
                              int64_t first, int64_t n)
{
    size_t row_bytes = 0;
    const px_traits *traits = px_traits_get(base->dtype);
    if (!traits || !px_dtype_row_bytes(base->dtype, base->ne[0], &row_bytes)) {
        px_fail(l->err, PITH_E_UNSUPPORTED, "'%s': tensor '%s' is %s, which pith cannot decode",
                l->model->path, base->name, px_dtype_name((uint32_t)base->dtype));
        return NULL;
    }
    float *out = room(l, 4 * (size_t)n);
    float *w = px_malloc((size_t)t->cols, sizeof *w);
    double *aa = px_malloc((size_t)t->rank * (size_t)t->rank, sizeof *aa);
    if (!w || !aa)
        px_fail_memory(l->err, "an adapter");
    bool ok = out && w && aa;
    if (ok)
        multiply_self(t, aa);
    for (int64_t i = 0; ok && i < n; i++) {
        double parts[3];
        int64_t row = row_of(l, t, first + i);
        traits->decode(base->data + (size_t)(first + i) * row_bytes, w, t->cols);
        measure_row(t, w, t->b + row * t->rank, aa, (double)px_lora_scale(l->set, t), parts);
        out[i] = t->magnitude[row];
        for (int k = 0; k < 3; k++)
            out[(k + 1) * n + i] = (float)parts[k];
    }
    px_free(w);
    px_free(aa);
    return ok ? out : NULL;
}

/* ---- pairs */

static pith_status check_shape(const loader *l, const px_lora_tensor *t, const char *which,
                               int64_t found, int64_t expected)
{
    if (found == expected)
        return PITH_OK;
    return px_fail(l->err, PITH_E_MISMATCH,
                   "'%s': the pair of '%s' has %" PRId64 " %s, expected %" PRId64
                   " for '%s'; the adapter is of another model",
                   l->path, t->name, found, which, expected, l->model->path);
}

static px_lora make_pair(const loader *l, const px_lora_tensor *t, int64_t rows)
{
    return (px_lora){
        .rank = t->rank, .scale = px_lora_scale(l->set, t), .rows = rows, .cols = t->cols};
}

/* The pair of a matrix with the rows of `n` slots. */
static pith_status load_pair(loader *l, const px_lora_tensor *t, const px_tensor *base,
                             px_lora *const *to, const px_slot *slots, int n)
{
    int64_t rows = 0;
    for (int i = 0; i < n; i++)
        rows += px_adapter_rows(l->hp, slots[i]);
    pith_status st = check_shape(l, t, "columns", t->cols, cols_of(l->hp, slots[0]));
    if (st == PITH_OK)
        st = check_shape(l, t, "rows", t->rows, rows);
    if (st == PITH_OK && (base->ne[0] != t->cols || base->ne[1] != rows))
        st = check_shape(l, t, "values", t->rows * t->cols, base->ne[0] * base->ne[1]);
    const float *a = st == PITH_OK ? copy(l, t->a, (size_t)t->rank * (size_t)t->cols) : NULL;
    if (!a)
        return st != PITH_OK ? st : PITH_E_MEMORY;
    rows = 0;
    for (int i = 0; i < n; i++) {
        px_lora pair = make_pair(l, t, px_adapter_rows(l->hp, slots[i]));
        pair.shared = i > 0;
        pair.a = a;
        pair.b = copy_blocks(l, t, rows, pair.rows);
        if (pair.b && t->magnitude)
            pair.dora = copy_dora(l, t, base, rows, pair.rows);
        if (!pair.b || (t->magnitude && !pair.dora))
            return px_fail(l->err, PITH_E_MEMORY, "out of memory");
        rows += pair.rows;
        *to[i] = pair;
    }
    return PITH_OK;
}

static pith_status load_embed(loader *l, const px_lora_tensor *t)
{
    pith_status st = check_shape(l, t, "columns", t->cols, l->hp->n_vocab);
    if (st == PITH_OK)
        st = check_shape(l, t, "rows", t->rows, l->hp->width);
    if (st == PITH_OK && t->magnitude)
        st = px_fail(l->err, PITH_E_UNSUPPORTED,
                     "'%s' has magnitudes (DoRA) of the embedding, which pith does not compute; "
                     "train the adapter without embed_tokens",
                     l->path);
    if (st != PITH_OK)
        return st;
    px_lora pair = make_pair(l, t, l->hp->width);
    pair.a = transpose(l, t);
    pair.b = pair.a ? copy_blocks(l, t, 0, pair.rows) : NULL;
    l->a->embed = pair;
    return pair.b ? PITH_OK : PITH_E_MEMORY;
}

static pith_status load_tensor(loader *l, const px_lora_tensor *t)
{
    if (!isfinite(px_lora_scale(l->set, t)))
        return px_fail(l->err, PITH_E_NUMERIC, "'%s': the scale of '%s' is no finite number",
                       l->path, t->name);
    if (strcmp(t->name, "token_embd.weight") == 0)
        return load_embed(l, t);
    px_lora *to[3] = {&l->a->head};
    const px_tensor *base = px_source_tensor(l->model, t->name);
    if (strcmp(t->name, "output.weight") == 0) {
        if (!base) // tied
            base = px_source_tensor(l->model, "token_embd.weight");
        if (base)
            return load_pair(l, t, base, to, &(px_slot){PX_SLOT_HEAD}, 1);
    }
    int32_t layer = 0;
    const kind *k = find_kind(l->hp, t->name, &layer);
    if (!base)
        return px_fail(l->err, PITH_E_MISMATCH,
                       "'%s' adapts tensor '%s', which '%s' does not have; the adapter is of "
                       "another model",
                       l->path, t->name, l->model->path);
    if (!k)
        return px_fail(l->err, PITH_E_UNSUPPORTED,
                       "'%s' adapts tensor '%s', which pith does not adapt", l->path, t->name);
    for (int i = 0; i < k->n; i++)
        to[i] = &l->a->layers[layer][k->slots[i]];
    return load_pair(l, t, base, to, k->slots, k->n);
}

/* ---- the rest */

/* Gives the matrices that read one input their places among its values. */
static void place(px_adapter *a, px_lora *const *pairs, int n)
{
    int32_t at = 0;
    for (int i = 0; i < n; i++) {
        if (pairs[i]->rank == 0)
            continue;
        pairs[i]->at = i > 0 && pairs[i]->shared ? pairs[i - 1]->at : at;
        at += pairs[i]->shared ? 0 : pairs[i]->rank;
    }
    if (at > a->stack)
        a->stack = at;
}

static void place_all(px_adapter *a)
{
    for (int32_t i = 0; i < a->n_layers; i++) {
        px_lora *l = a->layers[i];
        place(a, (px_lora *const[]){&l[PX_SLOT_Q], &l[PX_SLOT_K], &l[PX_SLOT_V]}, 3);
        place(a, (px_lora *const[]){&l[PX_SLOT_O]}, 1);
        place(a, (px_lora *const[]){&l[PX_SLOT_GATE], &l[PX_SLOT_UP]}, 2);
        place(a, (px_lora *const[]){&l[PX_SLOT_DOWN]}, 1);
    }
    place(a, (px_lora *const[]){&a->head}, 1);
}

pith_status px_adapter_make(const px_lora_set *set, const char *path, const px_source *model,
                            const px_hparams *hp, px_adapter **out, pith_error *err)
{
    *out = NULL;
    pith_error own = {0};
    px_adapter *a = px_calloc(1, sizeof *a);
    if (!a)
        return px_fail_memory(err, "an adapter");
    px_arena_init(&a->arena, 4096, 0);
    loader l = {.set = set, .path = path, .model = model, .hp = hp, .a = a, .err = &own};
    a->n_layers = hp->n_layers;
    a->n_pairs = set->n;
    a->layers = px_arena_zalloc(&a->arena, (size_t)hp->n_layers, sizeof *a->layers);
    pith_status st = a->layers ? PITH_OK : px_fail_memory(&own, "an adapter");
    for (int32_t i = 0; st == PITH_OK && i < set->n; i++)
        st = load_tensor(&l, &set->tensors[i]);
    if (st != PITH_OK) {
        px_adapter_free(a);
        return px_fail(err, st, "%s", own.text);
    }
    place_all(a);
    *out = a;
    return PITH_OK;
}

void px_adapter_free(px_adapter *a)
{
    if (!a)
        return;
    px_arena_clear(&a->arena);
    px_free(a);
}

/* ---- files */

/* The squares of a tensor's values, and of its differences from the model's. */
static pith_status compare(const px_lora_copy *c, const px_tensor *t, double *all, double *apart,
                           pith_error *err)
{
    size_t of_copy = 0, of_model = 0;
    const px_traits *x = px_traits_get(c->dtype), *y = px_traits_get(t->dtype);
    float *rows = px_malloc(2 * (size_t)c->cols, sizeof *rows);
    if (!rows)
        return px_fail_memory(err, "rows of a tensor");
    bool ok = x && y && px_dtype_row_bytes(c->dtype, c->cols, &of_copy) &&
              px_dtype_row_bytes(t->dtype, c->cols, &of_model);
    for (int64_t i = 0; ok && i < c->rows; i++) {
        x->decode(c->data + (size_t)i * of_copy, rows, c->cols);
        y->decode(t->data + (size_t)i * of_model, rows + c->cols, c->cols);
        for (int64_t k = 0; k < c->cols; k++) {
            double d = (double)rows[k] - (double)rows[c->cols + k];
            *apart += d * d;
            *all += (double)rows[k] * (double)rows[k];
        }
    }
    px_free(rows);
    return PITH_OK;
}

/* A copy of the embedding or the output matrix must be the model's own, up to what quantizing it
 * may have changed. */
static pith_status check_copy(const px_lora_file *f, const px_lora_copy *c, const px_source *model,
                              pith_error *err)
{
    const px_tensor *t = px_source_tensor(model, c->name);
    if (!t)
        t = px_source_tensor(model, "token_embd.weight"); // tied
    double all = 0, apart = 0;
    bool floats = t && (t->dtype == PX_F32 || t->dtype == PX_F16 || t->dtype == PX_BF16);
    double limit = floats ? 1e-2 : 0.2;
    if (!t || t->ne[0] != c->cols || t->ne[1] != c->rows)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' replaces '%s' by %" PRId64 " x %" PRId64
                       " values of its own (tokens were added?), and pith adapts matrices only; "
                       "merge the adapter with PEFT",
                       f->path, c->name, c->rows, c->cols);
    pith_status st = compare(c, t, &all, &apart, err);
    if (st == PITH_OK && !(apart <= limit * limit * all))
        st = px_fail(err, PITH_E_UNSUPPORTED,
                     "'%s' replaces '%s' by other values than those of '%s', and pith adapts "
                     "matrices only; merge the adapter with PEFT",
                     f->path, c->name, model->path);
    return st;
}

pith_status px_adapter_load(const px_lora_file *file, const px_source *model, const px_hparams *hp,
                            px_adapter **out, pith_error *err)
{
    *out = NULL;
    if (file->arch && strcmp(file->arch, hp->arch) != 0)
        return px_fail(err, PITH_E_MISMATCH,
                       "'%s' is an adapter of a %.40s model, '%s' is a %s model", file->path,
                       file->arch, model->path, hp->arch);
    for (int32_t i = 0; i < file->n_copies; i++) {
        pith_status st = check_copy(file, &file->copies[i], model, err);
        if (st != PITH_OK)
            return st;
    }
    return px_adapter_make(&file->set, file->path, model, hp, out, err);
}
