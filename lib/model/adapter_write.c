/* adapter_write: see adapter_write.h. Here the GGUF form; adapter_write_peft.c has PEFT's. */
#include "model/adapter_write.h"

#include "base/mem.h"
#include "format/gguf_write.h"
#include "kern/half.h"
#include "model/adapter_write_in.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 4096 }; // values converted at once

typedef struct writer {
    const px_lora_set *set;
    const px_hparams *hp;
    px_gguf_writer *w;
    px_dtype dtype;
    double alpha; // of the file
    const char *path;
    pith_error *err;
} writer;

/* ---- what both forms ask of a set */

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

pith_status px_lora_set_check(const px_lora_set *set, const char *path, pith_error *err)
{
    char name[128];
    if (set->n < 1)
        return px_fail(err, PITH_E_ARGUMENT, "'%s' would be an adapter without any matrix", path);
    for (int32_t i = 0; i < set->n; i++) {
        const px_lora_tensor *t = &set->tensors[i];
        if (t->rank < 1 || t->rank > PX_MAX_LORA_RANK || t->rows < 1 || t->cols < 1)
            return px_fail(err, PITH_E_ARGUMENT,
                           "'%s': the pair of '%s' has rank %" PRId32 " for %" PRId64 " x %" PRId64
                           " values, expected 1 to %d",
                           path, t->name, t->rank, t->rows, t->cols, PX_MAX_LORA_RANK);
        if (!px_lora_hf_name(t->name, false, name))
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "'%s': an adapter's file has no place for a pair of '%s'", path,
                           t->name);
        if (!isfinite(t->alpha) || !all_finite(t->a, t->rank * t->cols) ||
            !all_finite(t->b, t->rank * t->rows) ||
            (t->magnitude && !all_finite(t->magnitude, t->rows)))
            return px_fail(err, PITH_E_NUMERIC, "'%s': the pair of '%s' holds NaN or infinity",
                           path, t->name);
    }
    return PITH_OK;
}

bool px_lora_is_embedding(const px_lora_tensor *t)
{
    return strcmp(t->name, "token_embd.weight") == 0;
}

/* ---- alpha */

/* The alpha with which GGUF's alpha / R is the pair's scale. */
static float wanted_alpha(const px_lora_set *set, const px_lora_tensor *t)
{
    return set->rslora ? (float)((double)t->alpha * sqrt((double)t->rank)) : t->alpha;
}

/* The one that most pairs want; 0 means something else in GGUF, and is taken by none. */
static float choose_alpha(const px_lora_set *set)
{
    float best = 0;
    int32_t most = 0;
    for (int32_t i = 0; i < set->n; i++) {
        float alpha = wanted_alpha(set, &set->tensors[i]);
        int32_t same = 0;
        for (int32_t k = 0; k < set->n; k++)
            same += wanted_alpha(set, &set->tensors[k]) == alpha;
        if (alpha != 0 && same > most) {
            most = same;
            best = alpha;
        }
    }
    return most > 0 ? best : 1;
}

/* Whether all pairs have the same alpha and want the file's. */
static bool is_uniform(const writer *w)
{
    for (int32_t i = 0; i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        if (t->alpha != w->set->tensors[0].alpha || wanted_alpha(w->set, t) != (float)w->alpha)
            return false;
    }
    return true;
}

/* ---- metadata */

static pith_status set_str(writer *w, const char *key, const char *value)
{
    return px_gguf_set_str(w->w, key, px_str_of(value), w->err);
}

static pith_status write_keys(writer *w)
{
    const px_lora_set *s = w->set;
    bool dora = px_lora_set_has_magnitudes(s);
    pith_status st = set_str(w, "general.architecture", w->hp->arch);
    if (st == PITH_OK)
        st = set_str(w, "general.type", "adapter");
    if (st == PITH_OK && s->name && s->name[0])
        st = set_str(w, "general.name", s->name);
    if (st == PITH_OK && s->base_name && s->base_name[0]) {
        st = px_gguf_set_u32(w->w, "general.base_model.count", 1, w->err);
        if (st == PITH_OK)
            st = set_str(w, "general.base_model.0.name", s->base_name);
    }
    if (st == PITH_OK)
        st = set_str(w, "adapter.type", dora ? "dora" : "lora");
    if (st == PITH_OK)
        st = px_gguf_set_f32(w->w, "adapter.lora.alpha", (float)w->alpha, w->err);
    if (st == PITH_OK && s->rslora && is_uniform(w)) {
        st = px_gguf_set_f32(w->w, "pith.lora.alpha", s->tensors[0].alpha, w->err);
        if (st == PITH_OK)
            st = px_gguf_set_bool(w->w, "pith.lora.rslora", true, w->err);
    }
    return st;
}

static pith_status declare(writer *w)
{
    for (int32_t i = 0; i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        bool flipped = px_lora_is_embedding(t);
        char name[PX_MAX_TENSOR_NAME + 32];
        snprintf(name, sizeof name, "%s.lora_a", t->name);
        int64_t a[] = {flipped ? t->rank : t->cols, flipped ? t->cols : t->rank};
        int64_t b[] = {t->rank, t->rows};
        pith_status st = px_gguf_add_tensor(w->w, name, w->dtype, 2, a, w->err);
        snprintf(name, sizeof name, "%s.lora_b", t->name);
        if (st == PITH_OK)
            st = px_gguf_add_tensor(w->w, name, w->dtype, 2, b, w->err);
        snprintf(name, sizeof name, "%s.lora_magnitude", t->name);
        if (st == PITH_OK && t->magnitude)
            st = px_gguf_add_tensor(w->w, name, PX_F32, 1, &t->rows, w->err);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

/* ---- data */

static pith_status put(writer *w, const px_lora_tensor *t, const float *x, int64_t n)
{
    if (w->dtype == PX_F32)
        return px_gguf_write_data(w->w, x, (size_t)n * sizeof *x, w->err);
    uint16_t half[CHUNK];
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        for (int64_t i = 0; i < m; i++) {
            half[i] = px_f32_to_f16(x[at + i]);
            if ((half[i] & 0x7c00) == 0x7c00)
                return px_fail(w->err, PITH_E_NUMERIC,
                               "'%s': the pair of '%s' holds %g, more than f16 can hold; write "
                               "it as f32",
                               w->path, t->name, (double)x[at + i]);
        }
        pith_status st = px_gguf_write_data(w->w, half, (size_t)m * sizeof *half, w->err);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

/* Each of these gathers a tensor in `room`, which has place for it, and writes it in one go. */

/* A, an embedding's token after token. */
static pith_status put_a(writer *w, const px_lora_tensor *t, float *room)
{
    if (!px_lora_is_embedding(t))
        return put(w, t, t->a, t->rank * t->cols);
    for (int64_t c = 0; c < t->cols; c++)
        for (int32_t k = 0; k < t->rank; k++)
            room[c * t->rank + k] = t->a[k * t->cols + c];
    return put(w, t, room, t->rank * t->cols);
}

static pith_status put_b(writer *w, const px_lora_tensor *t, float *room)
{
    float wanted = wanted_alpha(w->set, t);
    bool fold = wanted != (float)w->alpha;
    double factor = (double)t->alpha / w->alpha * (w->set->rslora ? sqrt((double)t->rank) : 1);
    for (int64_t i = 0; i < t->rows; i++) {
        const float *b = t->b + px_lora_row(w->set, t, w->hp, false, i) * t->rank;
        for (int32_t k = 0; k < t->rank; k++)
            room[i * t->rank + k] = fold ? (float)((double)b[k] * factor) : b[k];
    }
    return put(w, t, room, t->rank * t->rows);
}

static pith_status put_magnitude(writer *w, const px_lora_tensor *t, float *room)
{
    if (!t->magnitude)
        return PITH_OK;
    for (int64_t i = 0; i < t->rows; i++)
        room[i] = t->magnitude[px_lora_row(w->set, t, w->hp, false, i)];
    return px_gguf_write_data(w->w, room, (size_t)t->rows * sizeof *room, w->err);
}

static pith_status write_data(writer *w)
{
    size_t most = 0;
    for (int32_t i = 0; i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        int64_t longest = px_lora_is_embedding(t) && t->cols > t->rows ? t->cols : t->rows;
        size_t n = (size_t)longest * (size_t)t->rank; // of a tensor that lies in memory
        most = n > most ? n : most;
    }
    float *room = px_malloc(most, sizeof *room);
    pith_status st = room ? PITH_OK : px_fail_memory(w->err, "an adapter's tensor");
    for (int32_t i = 0; st == PITH_OK && i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        st = put_a(w, t, room);
        if (st == PITH_OK)
            st = put_b(w, t, room);
        if (st == PITH_OK)
            st = put_magnitude(w, t, room);
    }
    px_free(room);
    return st;
}

static pith_status write_all(writer *w)
{
    pith_status st = write_keys(w);
    if (st == PITH_OK)
        st = declare(w);
    if (st == PITH_OK)
        st = px_gguf_begin_data(w->w, w->err);
    if (st == PITH_OK)
        st = write_data(w);
    return st == PITH_OK ? px_gguf_finish(w->w, w->err) : st;
}

pith_status px_adapter_save_gguf(const px_lora_set *set, const px_hparams *hp, px_dtype dtype,
                                 const char *path, pith_error *err)
{
    if (dtype != PX_F32 && dtype != PX_F16)
        return px_fail(err, PITH_E_ARGUMENT, "an adapter's type is %s, expected f32 or f16",
                       px_dtype_name((uint32_t)dtype));
    pith_status st = px_lora_set_check(set, path, err);
    if (st != PITH_OK)
        return st;
    writer w = {.set = set,
                .hp = hp,
                .dtype = dtype,
                .alpha = (double)choose_alpha(set),
                .path = path,
                .err = err};
    st = px_gguf_writer_new(path, 32, &w.w, err);
    if (st == PITH_OK)
        st = write_all(&w);
    px_gguf_writer_free(w.w);
    return st;
}
