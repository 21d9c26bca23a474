/* adapter: see adapter.h. Each tensor ending in lora_a brings its pair; those ending in lora_b only
 * have to have one. */
#include "model/adapter.h"

#include "base/limits.h"
#include "base/mem.h"
#include "kern/traits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loader {
    const px_source *s, *model;
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
static const kind *find_kind(const loader *l, const char *name, size_t len, int32_t *layer)
{
    if (len < 5 || strncmp(name, "blk.", 4) != 0)
        return NULL;
    int64_t n = 0;
    size_t at = 4;
    for (; at < len && at < 12 && name[at] >= '0' && name[at] <= '9'; at++)
        n = 10 * n + (name[at] - '0');
    if (at == 4 || at >= len || name[at++] != '.' || n >= l->hp->n_layers)
        return NULL;
    *layer = (int32_t)n;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        const kind *k = &KINDS[i];
        if (strlen(k->name) != len - at || memcmp(k->name, name + at, len - at) != 0)
            continue;
        return l->hp->gate_up_fused && k->slots[0] == PX_SLOT_UP ? &GATE_UP : k;
    }
    return NULL;
}

static int64_t rows_of(const px_hparams *hp, px_slot slot)
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

/* ---- values */

/* Decodes row `row` of a tensor into out. */
static pith_status decode_row(const loader *l, const px_tensor *t, int64_t row, float *out)
{
    size_t row_bytes = 0;
    if (!px_dtype_row_bytes(t->dtype, t->ne[0], &row_bytes))
        return px_fail(l->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' has rows of %" PRId64
                       " elements, expected a multiple of the %s block",
                       l->s->path, t->name, t->ne[0], px_dtype_name((uint32_t)t->dtype));
    px_traits_get(t->dtype)->decode(t->data + (size_t)row * row_bytes, out, t->ne[0]);
    for (int64_t i = 0; i < t->ne[0]; i++)
        if (!isfinite(out[i]))
            return px_fail(l->err, PITH_E_FORMAT, "'%s': tensor '%s' holds NaN or infinity",
                           l->s->path, t->name);
    return PITH_OK;
}

/* A tensor row after row. */
static const float *copy_rows(loader *l, const px_tensor *t)
{
    size_t n;
    float *out =
        px_mul_size((size_t)t->ne[0], (size_t)t->ne[1], &n) ? PX_NEW(&l->a->arena, float, n) : NULL;
    if (!out) {
        px_fail_memory(l->err, "an adapter");
        return NULL;
    }
    l->a->bytes += n * sizeof *out;
    for (int64_t i = 0; i < t->ne[1]; i++)
        if (decode_row(l, t, i, out + i * t->ne[0]) != PITH_OK)
            return NULL;
    return out;
}

/* Where row `row` of the model's matrix stands in the adapter's: a folder of a llama-like model has
 * each head's rows as two halves, GGUF writes them as pairs. */
static int64_t row_in_file(const px_tensor *base, int64_t row)
{
    if (!base || base->fix != PX_FIX_ROPE_PAIRS || base->fix_heads < 1)
        return row;
    int64_t dim = base->ne[1] / base->fix_heads, half = dim / 2;
    int64_t head = row / dim, i = row % dim;
    return head * dim + (i < half ? 2 * i : 2 * (i - half) + 1);
}

/* Rows [first, first + n) of a tensor of R columns, in blocks; base: the model's tensor, or NULL.
 */
static const float *copy_blocks(loader *l, const px_tensor *t, const px_tensor *base, int64_t first,
                                int64_t n)
{
    int64_t rank = t->ne[0], n_blocks = (n + PX_LORA_BLOCK - 1) / PX_LORA_BLOCK;
    size_t total;
    float *out = px_mul_size((size_t)n_blocks * PX_LORA_BLOCK, (size_t)rank, &total)
                     ? PX_ZNEW(&l->a->arena, float, total)
                     : NULL;
    float *row = px_malloc((size_t)rank, sizeof *row);
    if (!out || !row) {
        px_fail_memory(l->err, "an adapter");
        px_free(row);
        return NULL;
    }
    l->a->bytes += total * sizeof *out;
    for (int64_t i = 0; i < n; i++) {
        if (decode_row(l, t, row_in_file(base, first + i), row) != PITH_OK) {
            px_free(row);
            return NULL;
        }
        float *block = out + i / PX_LORA_BLOCK * PX_LORA_BLOCK * rank + i % PX_LORA_BLOCK;
        for (int64_t k = 0; k < rank; k++)
            block[k * PX_LORA_BLOCK] = row[k];
    }
    px_free(row);
    return out;
}

/* ---- pairs */

static pith_status check_shape(const loader *l, const px_tensor *t, int64_t ne0, int64_t ne1)
{
    if (t->ne[0] == ne0 && t->ne[1] == ne1 && t->ne[2] == 1 && t->ne[3] == 1)
        return PITH_OK;
    return px_fail(l->err, PITH_E_MISMATCH,
                   "'%s': tensor '%s' has shape [%" PRId64 ", %" PRId64 "], expected [%" PRId64
                   ", %" PRId64 "] for '%s'; the adapter is of another model",
                   l->s->path, t->name, t->ne[0], t->ne[1], ne0, ne1, l->model->path);
}

/* A pair's tensors: their types, and a rank that is the same in both. */
static pith_status check_pair(const loader *l, const px_tensor *a, const px_tensor *b,
                              int64_t rank_a)
{
    const px_tensor *both[] = {a, b};
    for (int i = 0; i < 2; i++)
        if (!px_traits_get(both[i]->dtype))
            return px_fail(l->err, PITH_E_UNSUPPORTED,
                           "'%s': tensor '%s' has type %s, with which pith does not compute",
                           l->s->path, both[i]->name, px_dtype_name((uint32_t)both[i]->dtype));
    if (rank_a != b->ne[0])
        return px_fail(l->err, PITH_E_FORMAT,
                       "'%s': tensor '%s' is of rank %" PRId64 " and '%s' of rank %" PRId64
                       ", expected the same; one of them may not be transposed",
                       l->s->path, a->name, rank_a, b->name, b->ne[0]);
    if (rank_a < 1 || rank_a > PX_MAX_LORA_RANK)
        return px_fail(l->err, PITH_E_LIMIT,
                       "'%s': tensor '%s' is of rank %" PRId64 ", expected 1 to %d", l->s->path,
                       a->name, rank_a, PX_MAX_LORA_RANK);
    if (rank_a > l->a->most_rank)
        l->a->most_rank = (int32_t)rank_a;
    l->a->n_pairs++;
    return PITH_OK;
}

static px_lora make_pair(const loader *l, int64_t rank, int64_t rows, int64_t cols)
{
    float alpha = l->a->alpha;
    return (px_lora){.rank = (int32_t)rank,
                     .scale = alpha != 0 ? alpha / (float)rank : 1,
                     .rows = rows,
                     .cols = cols};
}

/* The pair of a matrix with the rows of `n` slots. */
static pith_status load_pair(loader *l, const px_tensor *a, const px_tensor *b,
                             const px_tensor *base, px_lora *const *to, const px_slot *slots, int n)
{
    int64_t rank = a->ne[1], rows = 0;
    for (int i = 0; i < n; i++)
        rows += rows_of(l->hp, slots[i]);
    pith_status st = check_pair(l, a, b, rank);
    if (st == PITH_OK)
        st = check_shape(l, a, cols_of(l->hp, slots[0]), rank);
    if (st == PITH_OK)
        st = check_shape(l, b, rank, rows);
    const float *values = st == PITH_OK ? copy_rows(l, a) : NULL;
    if (!values)
        return st != PITH_OK ? st : px_fail(l->err, PITH_E_MEMORY, "out of memory");
    rows = 0;
    for (int i = 0; i < n; i++) {
        px_lora pair = make_pair(l, rank, rows_of(l->hp, slots[i]), a->ne[0]);
        pair.shared = i > 0;
        pair.a = values;
        pair.b = copy_blocks(l, b, base, rows, pair.rows);
        if (!pair.b)
            return px_fail(l->err, PITH_E_MEMORY, "out of memory");
        rows += pair.rows;
        *to[i] = pair;
    }
    return PITH_OK;
}

static pith_status load_embed(loader *l, const px_tensor *a, const px_tensor *b)
{
    int64_t rank = a->ne[0];
    pith_status st = check_pair(l, a, b, rank);
    if (st == PITH_OK)
        st = check_shape(l, a, rank, l->hp->n_vocab);
    if (st == PITH_OK)
        st = check_shape(l, b, rank, l->hp->width);
    if (st != PITH_OK)
        return st;
    px_lora pair = make_pair(l, rank, l->hp->width, l->hp->n_vocab);
    pair.a = copy_rows(l, a);
    pair.b = pair.a ? copy_blocks(l, b, NULL, 0, pair.rows) : NULL;
    l->a->embed = pair;
    return pair.b ? PITH_OK : px_fail(l->err, PITH_E_MEMORY, "out of memory");
}

/* The pair that begins with lora_a of the matrix `name`, zero-terminated. */
static pith_status load_named(loader *l, const char *name, const px_tensor *a)
{
    char partner[PX_MAX_TENSOR_NAME + 16];
    snprintf(partner, sizeof partner, "%s.lora_b", name);
    const px_tensor *b = px_source_tensor(l->s, partner);
    if (!b)
        return px_fail(l->err, PITH_E_FORMAT, "'%s' has tensor '%s' but no '%s'", l->s->path,
                       a->name, partner);
    if (strcmp(name, "token_embd.weight") == 0)
        return load_embed(l, a, b);
    px_lora *to[3] = {&l->a->head};
    if (strcmp(name, "output.weight") == 0)
        return load_pair(l, a, b, NULL, to, &(px_slot){PX_SLOT_HEAD}, 1);
    int32_t layer = 0;
    const px_tensor *base = px_source_tensor(l->model, name);
    const kind *k = find_kind(l, name, strlen(name), &layer);
    if (!base)
        return px_fail(l->err, PITH_E_MISMATCH,
                       "'%s' adapts tensor '%s', which '%s' does not have; the adapter is of "
                       "another model",
                       l->s->path, name, l->model->path);
    if (!k)
        return px_fail(l->err, PITH_E_UNSUPPORTED,
                       "'%s' adapts tensor '%s', which pith does not adapt", l->s->path, name);
    for (int i = 0; i < k->n; i++)
        to[i] = &l->a->layers[layer][k->slots[i]];
    return load_pair(l, a, b, base, to, k->slots, k->n);
}

/* The name of the matrix that a tensor adapts, into out, and whether it is the A of its pair. */
static pith_status split_name(const loader *l, const char *name, char out[PX_MAX_TENSOR_NAME],
                              bool *is_a)
{
    size_t n = strlen(name);
    *is_a = n > 7 && strcmp(name + n - 7, ".lora_a") == 0;
    if (n > 7 && n - 7 < PX_MAX_TENSOR_NAME && (*is_a || strcmp(name + n - 7, ".lora_b") == 0)) {
        memcpy(out, name, n - 7);
        out[n - 7] = '\0';
        return PITH_OK;
    }
    if (strstr(name, "norm"))
        return px_fail(
            l->err, PITH_E_UNSUPPORTED,
            "'%s' replaces tensor '%s', and pith adapts matrices only; train the adapter "
            "without saving norms",
            l->s->path, name);
    return px_fail(l->err, PITH_E_FORMAT,
                   "'%s' has tensor '%s', expected names that end in .lora_a or .lora_b",
                   l->s->path, name);
}

static pith_status load_pairs(loader *l)
{
    char name[PX_MAX_TENSOR_NAME];
    for (int64_t i = 0; i < l->s->n_tensors; i++) {
        const px_tensor *t = &l->s->tensors[i];
        bool is_a = false;
        pith_status st = split_name(l, t->name, name, &is_a);
        if (st == PITH_OK && is_a) {
            st = load_named(l, name, t);
        } else if (st == PITH_OK) {
            char partner[PX_MAX_TENSOR_NAME + 16];
            snprintf(partner, sizeof partner, "%s.lora_a", name);
            if (!px_source_tensor(l->s, partner))
                st = px_fail(l->err, PITH_E_FORMAT, "'%s' has tensor '%s' but no '%s'", l->s->path,
                             t->name, partner);
        }
        if (st != PITH_OK)
            return st;
    }
    if (l->a->n_pairs == 0)
        return px_fail(l->err, PITH_E_FORMAT, "'%s' is an empty adapter: it has no tensors",
                       l->s->path);
    return PITH_OK;
}

/* ---- the rest */

static pith_status check_keys(loader *l)
{
    const px_source *s = l->s;
    px_str type = {0}, arch = {0}, kind_of = {0};
    double alpha = 0;
    pith_status st = px_source_get_str(s, "general.type", false, &type, l->err);
    if (st == PITH_OK && !px_str_is(type, "adapter"))
        st = px_fail(l->err, PITH_E_FORMAT,
                     "'%s' is no adapter: its general.type is '%.*s', expected 'adapter'", s->path,
                     (int)(type.len < 40 ? type.len : 40), type.data ? type.data : "");
    if (st == PITH_OK)
        st = px_source_get_str(s, "general.architecture", true, &arch, l->err);
    if (st == PITH_OK && !px_str_is(arch, l->hp->arch))
        st = px_fail(l->err, PITH_E_MISMATCH,
                     "'%s' is an adapter of a %.*s model, '%s' is a %s model", s->path,
                     (int)(arch.len < 40 ? arch.len : 40), arch.data, l->model->path, l->hp->arch);
    if (st == PITH_OK)
        st = px_source_get_str(s, "adapter.type", true, &kind_of, l->err);
    if (st == PITH_OK && !px_str_is(kind_of, "lora"))
        st = px_fail(l->err, PITH_E_UNSUPPORTED,
                     "'%s' is an adapter of type '%.*s', pith has 'lora' only", s->path,
                     (int)(kind_of.len < 40 ? kind_of.len : 40), kind_of.data);
    if (st == PITH_OK && px_source_meta(s, "adapter.alora.invocation_tokens"))
        st =
            px_fail(l->err, PITH_E_UNSUPPORTED,
                    "'%s' is an adapter that certain tokens switch on (aLoRA), which pith does not "
                    "do",
                    s->path);
    if (st == PITH_OK)
        st = px_source_get_float(s, "adapter.lora.alpha", true, -1e6, 1e6, &alpha, l->err);
    l->a->alpha = (float)alpha;
    return st;
}

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

pith_status px_adapter_load(const px_source *source, const px_source *model, const px_hparams *hp,
                            px_adapter **out, pith_error *err)
{
    *out = NULL;
    pith_error own = {0};
    px_adapter *a = px_calloc(1, sizeof *a);
    if (!a)
        return px_fail_memory(err, "an adapter");
    px_arena_init(&a->arena, 4096, 0);
    loader l = {.s = source, .model = model, .hp = hp, .a = a, .err = &own};
    a->n_layers = hp->n_layers;
    a->layers = px_arena_zalloc(&a->arena, (size_t)hp->n_layers, sizeof *a->layers);
    pith_status st = a->layers ? check_keys(&l) : px_fail_memory(&own, "an adapter");
    if (st == PITH_OK)
        st = load_pairs(&l);
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
