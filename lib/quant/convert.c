/*
 * convert: see convert.h. Tensors go through two buffers in pieces: one of f32 values, one of bytes
 * to write. Rows are taken in the order in which the output wants them, which is another than the
 * source's only for q and k of LLaMA-like folders.
 */
#include "quant/convert.h"

#include "base/mem.h"
#include "kern/traits.h"

#include <inttypes.h>
#include <math.h>

enum {
    PIECE = 1 << 16,   // values decoded at once
    PENDING = 1 << 20, // bytes written at once
    QUANT_VERSION = 2, // of GGUF's block formats
};

/* general.file_type */
enum { FILE_F32 = 0, FILE_F16 = 1, FILE_BF16 = 32 };

typedef struct job {
    const px_source *source;
    const px_convert_options *options;
    px_gguf_writer *w;
    float *values;    // [PIECE]
    uint8_t *pending; // [PENDING]
    size_t n_pending;
    uint64_t done, total; // bytes of tensors
    pith_error *err;
} job;

/* The type that a tensor gets. */
static px_dtype target(const px_convert_options *options, const px_tensor *t)
{
    if (t->n_dims == 1)
        return PX_F32;
    return options->keep ? t->dtype : options->dtype;
}

static bool is_float(px_dtype d)
{
    return d == PX_F32 || d == PX_F16 || d == PX_BF16;
}

/* ---- metadata */

/* Keys that describe the file rather than the model. */
static bool of_file(const char *key)
{
    return strcmp(key, "general.alignment") == 0 || strcmp(key, "general.file_type") == 0 ||
           strcmp(key, "general.quantization_version") == 0 || strncmp(key, "split.", 6) == 0;
}

static uint32_t file_type(const job *j)
{
    const px_tensor *embed = px_source_tensor(j->source, "token_embd.weight");
    px_dtype d = j->options->keep ? (embed ? embed->dtype : PX_F32) : j->options->dtype;
    return d == PX_F32 ? FILE_F32 : d == PX_F16 ? FILE_F16 : FILE_BF16;
}

static pith_status write_metas(job *j)
{
    pith_status status = PITH_OK;
    for (int64_t i = 0; i < j->source->n_metas && status == PITH_OK; i++)
        if (!of_file(j->source->metas[i].key))
            status = px_gguf_set_meta(j->w, &j->source->metas[i], j->err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(j->w, "general.quantization_version", QUANT_VERSION, j->err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(j->w, "general.file_type", file_type(j), j->err);
    if (status == PITH_OK && j->options->write_vocab)
        status = j->options->write_vocab(j->options->vocab_user, j->w, j->err);
    return status;
}

static pith_status declare_tensors(job *j)
{
    for (int64_t i = 0; i < j->source->n_tensors; i++) {
        const px_tensor *t = &j->source->tensors[i];
        size_t bytes;
        if (!is_float(t->dtype))
            return px_fail(j->err, PITH_E_UNSUPPORTED,
                           "'%s': tensor '%s' is %s, expected f32, f16 or bf16: only models of "
                           "floats are converted",
                           j->source->path, t->name, px_dtype_name((uint32_t)t->dtype));
        px_dtype to = target(j->options, t);
        pith_status status = px_gguf_add_tensor(j->w, t->name, to, t->n_dims, t->ne, j->err);
        if (status != PITH_OK)
            return status;
        px_dtype_row_bytes(to, t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3], &bytes);
        j->total += bytes;
    }
    return PITH_OK;
}

/* ---- values */

static pith_status flush(job *j)
{
    pith_status status = px_gguf_write_data(j->w, j->pending, j->n_pending, j->err);
    j->done += j->n_pending;
    j->n_pending = 0;
    if (status == PITH_OK && j->options->progress &&
        j->options->progress(j->options->progress_user, j->done, j->total) != 0)
        status = px_fail(j->err, PITH_E_CANCELLED,
                         "converting was cancelled after %" PRIu64 " of %" PRIu64 " bytes", j->done,
                         j->total);
    return status;
}

/* Holds values against what `to` can hold. `at` is the first one's place in the tensor. */
static pith_status check_values(const job *j, const px_tensor *t, int64_t at, int64_t n,
                                px_dtype to)
{
    const float limit = to == PX_F16 ? 65520.0f : INFINITY; // from there on f16 rounds to infinity
    for (int64_t i = 0; i < n; i++) {
        if (fabsf(j->values[i]) < limit)
            continue;
        if (!isfinite(j->values[i]))
            return px_fail(j->err, PITH_E_NUMERIC,
                           "'%s': tensor '%s' holds %g at element %" PRId64
                           ", expected a number: the model is damaged",
                           j->source->path, t->name, (double)j->values[i], at + i);
        return px_fail(j->err, PITH_E_NUMERIC,
                       "'%s': tensor '%s' holds %g at element %" PRId64
                       ", more than the 65504 that f16 can hold; convert to bf16 or f32",
                       j->source->path, t->name, (double)j->values[i], at + i);
    }
    return PITH_OK;
}

/* n values from `at` on, in the tensor's own order, to the output. */
static pith_status put_values(job *j, const px_tensor *t, int64_t at, int64_t n, px_dtype to)
{
    const px_traits *from_traits = px_traits_get(t->dtype), *to_traits = px_traits_get(to);
    const size_t from_size = t->dtype == PX_F32 ? 4 : 2, to_size = to == PX_F32 ? 4 : 2;
    while (n > 0) {
        int64_t k = n < PIECE ? n : PIECE;
        size_t bytes = (size_t)k * to_size;
        from_traits->decode(t->data + (size_t)at * from_size, j->values, k);
        if (t->fix == PX_FIX_PLUS_ONE)
            for (int64_t i = 0; i < k; i++)
                j->values[i] += 1.0f;
        pith_status status = check_values(j, t, at, k, to);
        if (status == PITH_OK && bytes > PENDING - j->n_pending)
            status = flush(j);
        if (status != PITH_OK)
            return status;
        to_traits->encode(j->values, j->pending + j->n_pending, k, NULL);
        j->n_pending += bytes;
        at += k;
        n -= k;
    }
    return PITH_OK;
}

/* Where row r of the output stands in the source: GGUF has the halves of each head, x and y, as
 * x0 y0 x1 y1 .. */
static int64_t source_row(const px_tensor *t, int64_t r, int64_t rows)
{
    int64_t d = rows / t->fix_heads;
    int64_t head = r / d, i = r % d;
    return head * d + (i % 2) * (d / 2) + i / 2;
}

static pith_status put_tensor(job *j, const px_tensor *t)
{
    px_dtype to = target(j->options, t);
    int64_t all = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    pith_status status = PITH_OK;
    if (t->fix != PX_FIX_ROPE_PAIRS) {
        status = put_values(j, t, 0, all, to);
    } else {
        /* A bias has rows of one element. */
        int64_t rows = t->ne[t->n_dims - 1], columns = all / rows;
        for (int64_t r = 0; r < rows && status == PITH_OK; r++)
            status = put_values(j, t, source_row(t, r, rows) * columns, columns, to);
    }
    return status == PITH_OK ? flush(j) : status;
}

static pith_status run(job *j)
{
    pith_status status = write_metas(j);
    if (status == PITH_OK)
        status = declare_tensors(j);
    if (status == PITH_OK)
        status = px_gguf_begin_data(j->w, j->err);
    for (int64_t i = 0; i < j->source->n_tensors && status == PITH_OK; i++)
        status = put_tensor(j, &j->source->tensors[i]);
    if (status == PITH_OK)
        status = px_gguf_finish(j->w, j->err);
    return status;
}

pith_status px_convert(const px_source *source, const char *out_path,
                       const px_convert_options *options, pith_error *err)
{
    job j = {.source = source, .options = options, .err = err};
    if (!options->keep && !is_float(options->dtype))
        return px_fail(err, PITH_E_ARGUMENT, "cannot convert to %s, expected f32, f16 or bf16",
                       px_dtype_name((uint32_t)options->dtype));
    pith_status status = px_gguf_writer_new(out_path, 32, &j.w, err);
    if (status != PITH_OK)
        return status;
    j.values = px_malloc(PIECE, sizeof *j.values);
    j.pending = px_malloc(PENDING, 1);
    if (j.values && j.pending)
        status = run(&j);
    else
        status = px_fail_memory(err, "buffers for converting");
    px_free(j.values);
    px_free(j.pending);
    px_gguf_writer_free(j.w);
    return status;
}
