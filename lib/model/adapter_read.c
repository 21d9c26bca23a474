/*
 * adapter_read: see adapter_read.h. Here the GGUF form, and what both have in common: parts sorted
 * by the tensor that they adapt, put together to pairs, and decoded.
 */
#include "model/adapter_read.h"

#include "base/mem.h"
#include "kern/traits.h"
#include "model/adapter_read_in.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pair being put together. */
typedef struct pair {
    const px_lora_part *of[3]; // by role
    int64_t at;                // the first of its parts in the file
} pair;

/* ---- values */

/* A part as rows of f32; transposed where asked. */
static pith_status decode(px_lora_file *f, const px_lora_part *p, bool transposed,
                          const float **out, pith_error *err)
{
    size_t row_bytes = 0, n;
    if (!px_traits_get(p->dtype))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%s' has type %s, with which pith does not compute", f->path,
                       p->name, px_dtype_name((uint32_t)p->dtype));
    if (!px_dtype_row_bytes(p->dtype, p->cols, &row_bytes))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': tensor '%s' has rows of %" PRId64
                       " elements, expected a multiple of the %s block",
                       f->path, p->name, p->cols, px_dtype_name((uint32_t)p->dtype));
    bool fits = px_mul_size((size_t)p->rows, (size_t)p->cols, &n);
    float *values = fits ? PX_NEW(&f->arena, float, n) : NULL;
    float *row = transposed ? px_malloc((size_t)p->cols, sizeof *row) : NULL;
    if (!values || (transposed && !row)) {
        px_free(row);
        return px_fail_memory(err, "an adapter");
    }
    bool good = true;
    for (int64_t i = 0; i < p->rows; i++) {
        float *to = transposed ? row : values + i * p->cols;
        px_traits_get(p->dtype)->decode(p->data + (size_t)i * row_bytes, to, p->cols);
        for (int64_t k = 0; k < p->cols; k++) {
            good = good && isfinite(to[k]);
            if (transposed)
                values[k * p->rows + i] = row[k];
        }
    }
    px_free(row);
    *out = values;
    if (!good)
        return px_fail(err, PITH_E_FORMAT, "'%s': tensor '%s' holds NaN or infinity", f->path,
                       p->name);
    return PITH_OK;
}

/* ---- pairs */

static pith_status check_pair(const px_lora_file *f, const pair *p, int64_t rank_a, int64_t rows,
                              pith_error *err)
{
    const px_lora_part *a = p->of[PX_LORA_A], *b = p->of[PX_LORA_B], *m = p->of[PX_LORA_MAGNITUDE];
    if (rank_a != b->cols)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': tensor '%s' is of rank %" PRId64 " and '%s' of rank %" PRId64
                       ", expected the same; one of them may not be transposed",
                       f->path, a->name, rank_a, b->name, b->cols);
    if (rank_a < 1 || rank_a > PX_MAX_LORA_RANK)
        return px_fail(err, PITH_E_LIMIT,
                       "'%s': tensor '%s' is of rank %" PRId64 ", expected 1 to %d", f->path,
                       a->name, rank_a, PX_MAX_LORA_RANK);
    if (m && m->rows * m->cols != rows)
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': tensor '%s' has %" PRId64 " values, expected %" PRId64
                       ", one for each row of '%s'",
                       f->path, m->name, m->rows * m->cols, rows, b->name);
    return PITH_OK;
}

static pith_status half_a_pair(const px_lora_file *f, const pair *p, pith_error *err)
{
    static const char *const WHAT[2][2] = {{".lora_a", ".lora_b"}, {"lora_A", "lora_B"}};
    const px_lora_part *found = p->of[PX_LORA_A];
    int missing = 1;
    if (!found) {
        found = p->of[PX_LORA_B] ? p->of[PX_LORA_B] : p->of[PX_LORA_MAGNITUDE];
        missing = 0;
    }
    if (f->form == PX_LORA_PEFT)
        return px_fail(err, PITH_E_FORMAT, "'%s' has tensor '%s' but no %s of '%s'", f->path,
                       found->name, WHAT[1][missing], found->module);
    return px_fail(err, PITH_E_FORMAT, "'%s' has tensor '%s' but no '%s%s'", f->path, found->name,
                   found->base, WHAT[0][missing]);
}

static pith_status make_tensor(px_lora_file *f, const pair *p, px_lora_tensor *out, pith_error *err)
{
    const px_lora_part *a = p->of[PX_LORA_A], *b = p->of[PX_LORA_B], *m = p->of[PX_LORA_MAGNITUDE];
    if (!a || !b)
        return half_a_pair(f, p, err);
    bool flipped = f->form == PX_LORA_GGUF && strcmp(a->base, "token_embd.weight") == 0;
    int64_t rank = flipped ? a->cols : a->rows;
    *out = (px_lora_tensor){.name = a->base,
                            .rank = (int32_t)(rank <= PX_MAX_LORA_RANK ? rank : 0),
                            .alpha = f->alpha,
                            .rows = b->rows,
                            .cols = flipped ? a->rows : a->cols};
    pith_status st = check_pair(f, p, rank, b->rows, err);
    if (st == PITH_OK)
        st = decode(f, a, flipped, &out->a, err);
    if (st == PITH_OK)
        st = decode(f, b, false, &out->b, err);
    if (st == PITH_OK && m)
        st = decode(f, m, false, &out->magnitude, err);
    if (f->form == PX_LORA_GGUF && f->alpha == 0)
        out->alpha = (float)out->rank; // 0 stands for no scale of its own
    if (out->rank > f->most_rank)
        f->most_rank = out->rank;
    return st;
}

static int by_base(const void *x, const void *y)
{
    const px_lora_part *a = x, *b = y;
    int order = strcmp(a->base, b->base);
    return order                ? order
           : a->role != b->role ? (int)a->role - (int)b->role
           : a->at < b->at      ? -1
                                : 1;
}

static int by_place(const void *x, const void *y)
{
    const pair *a = x, *b = y;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Sorted parts to pairs; returns how many, or -1 with the error set. */
static int64_t join(px_lora_file *f, const px_lora_part *parts, int64_t n, pair *pairs,
                    px_lora_copy *copies, pith_error *err)
{
    int64_t n_pairs = 0;
    const char *base = NULL;
    for (int64_t i = 0; i < n; i++) {
        const px_lora_part *p = &parts[i];
        if (i > 0 && p[-1].role == p->role && strcmp(p[-1].base, p->base) == 0) {
            px_fail(err, PITH_E_FORMAT, "'%s' has tensors '%s' and '%s', expected one of them",
                    f->path, p[-1].name, p->name);
            return -1;
        }
        if (p->role == PX_LORA_COPY) {
            copies[f->n_copies++] = (px_lora_copy){p->base, p->dtype, p->rows, p->cols, p->data};
            continue;
        }
        if (!base || strcmp(base, p->base) != 0)
            pairs[n_pairs++] = (pair){.at = p->at};
        base = p->base;
        pair *to = &pairs[n_pairs - 1];
        to->of[p->role] = p;
        to->at = p->at < to->at ? p->at : to->at;
    }
    return n_pairs;
}

/* The alphas of a folder's modules. */
static pith_status set_alphas(px_lora_file *f, const pair *pairs, px_lora_tensor *tensors,
                              int64_t n, pith_error *err)
{
    px_lora_alphas *alphas = NULL;
    pith_status st = px_lora_alphas_new(&f->peft, &alphas, err);
    for (int64_t i = 0; st == PITH_OK && i < n; i++)
        st = px_lora_alphas_find(alphas, pairs[i].of[PX_LORA_A]->module, &tensors[i].alpha, err);
    px_lora_alphas_free(alphas);
    return st;
}

static pith_status assemble(px_lora_file *f, px_lora_part *parts, int64_t n, pith_error *err)
{
    size_t room = (size_t)(n > 0 ? n : 1);
    pair *pairs = PX_ZNEW(&f->arena, pair, room);
    px_lora_tensor *tensors = PX_ZNEW(&f->arena, px_lora_tensor, room);
    px_lora_copy *copies = PX_ZNEW(&f->arena, px_lora_copy, room);
    if (!pairs || !tensors || !copies)
        return px_fail_memory(err, "an adapter");
    f->copies = copies;
    qsort(parts, (size_t)n, sizeof *parts, by_base);
    int64_t n_pairs = join(f, parts, n, pairs, copies, err);
    if (n_pairs < 0)
        return PITH_E_FORMAT;
    if (n_pairs == 0)
        return px_fail(err, PITH_E_FORMAT, "'%s' is an empty adapter: it has no tensors", f->path);
    qsort(pairs, (size_t)n_pairs, sizeof *pairs, by_place);
    for (int64_t i = 0; i < n_pairs; i++) {
        pith_status st = make_tensor(f, &pairs[i], &tensors[i], err);
        if (st != PITH_OK)
            return st;
    }
    f->dtype = px_dtype_name((uint32_t)pairs[0].of[PX_LORA_A]->dtype);
    f->set.tensors = tensors;
    f->set.n = (int32_t)n_pairs;
    return f->form == PX_LORA_PEFT ? set_alphas(f, pairs, tensors, n_pairs, err) : PITH_OK;
}

/* ---- GGUF */

static const char *copy_str(px_lora_file *f, px_str s)
{
    return px_arena_strndup(&f->arena, s.data ? s.data : "", s.len);
}

static pith_status check_kind(const px_source *s, bool *dora, pith_error *err)
{
    px_str type = {0}, kind = {0};
    pith_status st = px_source_get_str(s, "general.type", false, &type, err);
    if (st == PITH_OK && !px_str_is(type, "adapter"))
        st = px_fail(err, PITH_E_FORMAT,
                     "'%s' is no adapter: its general.type is '%.*s', expected 'adapter'", s->path,
                     (int)(type.len < 40 ? type.len : 40), type.data ? type.data : "");
    if (st == PITH_OK)
        st = px_source_get_str(s, "adapter.type", true, &kind, err);
    *dora = px_str_is(kind, "dora");
    if (st == PITH_OK && !*dora && !px_str_is(kind, "lora"))
        st = px_fail(err, PITH_E_UNSUPPORTED,
                     "'%s' is an adapter of type '%.*s', pith has 'lora' and 'dora' only", s->path,
                     (int)(kind.len < 40 ? kind.len : 40), kind.data);
    if (st == PITH_OK && px_source_meta(s, "adapter.alora.invocation_tokens"))
        st =
            px_fail(err, PITH_E_UNSUPPORTED,
                    "'%s' is an adapter that certain tokens switch on (aLoRA), which pith does not "
                    "do",
                    s->path);
    return st;
}

/* What adapter_write noted of rsLoRA, where it is true. */
static void read_rslora(px_lora_file *f)
{
    double alpha = 0;
    bool rslora = false;
    if (px_source_get_float(f->source, "pith.lora.alpha", true, -1e6, 1e6, &alpha, NULL) !=
            PITH_OK ||
        px_source_get_bool(f->source, "pith.lora.rslora", &rslora, NULL) != PITH_OK || !rslora)
        return;
    px_lora_tensor *t = (px_lora_tensor *)(uintptr_t)f->set.tensors;
    for (int32_t i = 0; i < f->set.n; i++)
        if ((float)((double)(float)alpha * sqrt((double)t[i].rank)) != f->alpha)
            return;
    for (int32_t i = 0; i < f->set.n; i++)
        t[i].alpha = (float)alpha;
    f->set.rslora = true;
}

static pith_status read_keys(px_lora_file *f, bool *dora, pith_error *err)
{
    const px_source *s = f->source;
    px_str arch = {0}, name = {0}, base = {0};
    double alpha = 0;
    pith_status st = check_kind(s, dora, err);
    if (st == PITH_OK)
        st = px_source_get_str(s, "general.architecture", true, &arch, err);
    if (st == PITH_OK)
        st = px_source_get_float(s, "adapter.lora.alpha", true, -1e6, 1e6, &alpha, err);
    if (st != PITH_OK)
        return st;
    px_source_get_str(s, "general.name", false, &name, NULL);
    px_source_get_str(s, "general.base_model.0.name", false, &base, NULL);
    f->alpha = (float)alpha;
    f->arch = copy_str(f, arch);
    f->set.name = copy_str(f, name);
    f->set.base_name = copy_str(f, base);
    return f->arch && f->set.name && f->set.base_name ? PITH_OK
                                                      : px_fail_memory(err, "an adapter's name");
}

/* The base's name and the role, by the ending. */
static pith_status split_name(px_lora_file *f, const char *name, px_lora_part *p, pith_error *err)
{
    static const struct {
        const char *text;
        px_lora_role role;
    } ENDS[] = {
        {".lora_a", PX_LORA_A}, {".lora_b", PX_LORA_B}, {".lora_magnitude", PX_LORA_MAGNITUDE}};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        size_t k = strlen(ENDS[i].text);
        if (n <= k || strcmp(name + n - k, ENDS[i].text) != 0)
            continue;
        p->role = ENDS[i].role;
        p->base = px_arena_strndup(&f->arena, name, n - k);
        return p->base ? PITH_OK : px_fail_memory(err, "a tensor's name");
    }
    if (strstr(name, "norm"))
        return px_fail(
            err, PITH_E_UNSUPPORTED,
            "'%s' replaces tensor '%s', and pith adapts matrices only; train the adapter "
            "without saving norms",
            f->path, name);
    return px_fail(err, PITH_E_FORMAT,
                   "'%s' has tensor '%s', expected names that end in .lora_a or .lora_b", f->path,
                   name);
}

static pith_status gguf_parts(px_lora_file *f, bool dora, px_lora_part *parts, pith_error *err)
{
    for (int64_t i = 0; i < f->source->n_tensors; i++) {
        const px_tensor *t = &f->source->tensors[i];
        parts[i] = (px_lora_part){.name = t->name,
                                  .dtype = t->dtype,
                                  .rows = t->ne[1],
                                  .cols = t->ne[0],
                                  .data = t->data,
                                  .at = i};
        pith_status st = split_name(f, t->name, &parts[i], err);
        if (st == PITH_OK && (t->ne[2] != 1 || t->ne[3] != 1))
            st = px_fail(err, PITH_E_FORMAT, "'%s': tensor '%s' has %d dimensions, expected 2",
                         f->path, t->name, t->n_dims);
        if (st == PITH_OK && parts[i].role == PX_LORA_MAGNITUDE && !dora)
            st = px_fail(err, PITH_E_FORMAT,
                         "'%s' has tensor '%s', expected no magnitudes in an adapter of type "
                         "'lora'",
                         f->path, t->name);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

static pith_status read_gguf(px_lora_file *f, pith_error *err)
{
    bool dora = false;
    px_lora_part *parts = NULL;
    pith_status st = read_keys(f, &dora, err);
    if (st == PITH_OK) {
        parts = PX_ZNEW(&f->arena, px_lora_part, (size_t)f->source->n_tensors);
        st = parts ? gguf_parts(f, dora, parts, err) : px_fail_memory(err, "an adapter");
    }
    if (st == PITH_OK)
        st = assemble(f, parts, f->source->n_tensors, err);
    if (st == PITH_OK)
        read_rslora(f);
    return st;
}

/* ---- opening */

static px_lora_file *file_new(const char *path, pith_error *err)
{
    px_lora_file *f = px_calloc(1, sizeof *f);
    if (f) {
        px_arena_init(&f->arena, 4096, 0);
        f->path = px_arena_strndup(&f->arena, path, strlen(path));
    }
    if (f && f->path)
        return f;
    px_lora_close(f);
    px_fail_memory(err, "an adapter");
    return NULL;
}

/* Gives the file away or, after a failure, takes it down. */
static pith_status finish(px_lora_file *f, pith_status st, px_lora_file **out)
{
    if (st == PITH_OK)
        *out = f;
    else
        px_lora_close(f);
    return st;
}

pith_status px_lora_open_source(px_source *source, px_lora_file **out, pith_error *err)
{
    *out = NULL;
    px_lora_file *f = file_new(source->path, err);
    if (!f) {
        px_source_close(source);
        return PITH_E_MEMORY;
    }
    f->form = PX_LORA_GGUF;
    f->source = source;
    return finish(f, read_gguf(f, err), out);
}

static pith_status read_peft(px_lora_file *f, const char *path, pith_error *err)
{
    px_lora_part *parts = NULL;
    int64_t n = 0;
    pith_status st = px_peft_open(path, &f->peft, err);
    if (st != PITH_OK)
        return st;
    const px_peft_config *c = &f->peft.config;
    f->alpha = c->alpha;
    f->set.rslora = c->rslora;
    f->set.dropout = c->dropout;
    f->set.base_name = c->base_name ? c->base_name : "";
    f->set.name = "";
    f->set.hf_rows = true;
    st = px_lora_peft_parts(f, &parts, &n, err);
    if (st == PITH_OK)
        st = assemble(f, parts, n, err);
    for (int32_t i = 0; st == PITH_OK && i < f->set.n; i++)
        if ((f->set.tensors[i].magnitude != NULL) != c->dora)
            st = px_fail(err, PITH_E_FORMAT,
                         "'%s' has %s of '%s', but its configuration says that use_dora is %s",
                         f->path, c->dora ? "no magnitude" : "a magnitude", f->set.tensors[i].name,
                         c->dora ? "true" : "false");
    return st;
}

pith_status px_lora_open(const char *path, px_lora_file **out, pith_error *err)
{
    *out = NULL;
    if (px_peft_is_folder(path)) {
        px_lora_file *f = file_new(path, err);
        if (!f)
            return PITH_E_MEMORY;
        f->form = PX_LORA_PEFT;
        return finish(f, read_peft(f, path, err), out);
    }
    px_source *source = NULL;
    pith_status st = px_source_open(path, NULL, &source, err);
    return st == PITH_OK ? px_lora_open_source(source, out, err) : st;
}

void px_lora_close(px_lora_file *f)
{
    if (!f)
        return;
    px_peft_close(&f->peft);
    px_source_close(f->source);
    px_arena_clear(&f->arena);
    px_free(f);
}
