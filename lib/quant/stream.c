/*
 * stream: see stream.h. Rows are taken in the order in which the output wants them, which is
 * another than the source's only for q and k of LLaMA-like folders.
 */
#include "quant/stream.h"

#include "base/mem.h"
#include "kern/nf4.h"
#include "kern/traits.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    PIECE = PX_STREAM_PIECE,
    BATCH = 64,        // pieces between two writes: a million values
    NF4_BLOCK = 64,    // values that share a scale
    QUANT_VERSION = 2, // of GGUF's block formats
};

/* The tensor at work. */
typedef struct work {
    const px_kern *kern;
    const px_tensor *t;
    px_dtype to;
    px_decode_fn decode;     // NULL: pith cannot
    const float *importance; // [ne[2] * ne[3], ne[0]] or NULL
    int64_t n;               // values
    int64_t first;           // of the batch
    int64_t row, rows;       // values of a row; rows that the fix reorders
    float offset;            // of NF4
    px_stream_edit_fn edit;  // NULL: the values stay
    void *edit_user;
} work;

typedef struct job {
    const px_stream *s;
    px_gguf_writer *w;
    float *values; // [members, PIECE]
    uint8_t *out;  // [BATCH, PIECE] in at most 4 bytes each
    work at;
    float *absmax;      // NF4: the largest magnitudes of blocks, while the offset is looked for
    int64_t bad[BATCH]; // place in the piece of a value that cannot be, or -1
    float bad_value[BATCH];
    uint64_t done, total; // bytes of tensors
    pith_error *err;
} job;

static int64_t count(const px_tensor *t)
{
    return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
}

/* ---- metadata and table */

/* Keys that describe the file rather than the model. */
static bool of_file(const char *key)
{
    return strcmp(key, "general.alignment") == 0 || strcmp(key, "general.file_type") == 0 ||
           strcmp(key, "general.quantization_version") == 0 || strncmp(key, "split.", 6) == 0;
}

static pith_status write_metas(job *j)
{
    const px_stream *s = j->s;
    pith_status status = PITH_OK;
    for (int64_t i = 0; i < s->source->n_metas && status == PITH_OK; i++)
        if (!of_file(s->source->metas[i].key))
            status = px_gguf_set_meta(j->w, &s->source->metas[i], j->err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(j->w, "general.quantization_version", QUANT_VERSION, j->err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(j->w, "general.file_type", s->file_type, j->err);
    if (status == PITH_OK && s->set_metas)
        status = s->set_metas(s->metas_user, j->w, j->err);
    return status;
}

static pith_status declare_tensors(job *j)
{
    for (int64_t i = 0; i < j->s->source->n_tensors; i++) {
        const px_tensor *t = &j->s->source->tensors[i];
        size_t bytes;
        pith_status status =
            px_gguf_add_tensor(j->w, t->name, j->s->types[i], t->n_dims, t->ne, j->err);
        if (status != PITH_OK)
            return status;
        if (!px_dtype_row_bytes(j->s->types[i], count(t), &bytes))
            return px_fail(j->err, PITH_E_LIMIT, "'%s': tensor '%s' is too large",
                           j->s->source->path, t->name);
        j->total += bytes;
    }
    return PITH_OK;
}

/* ---- values of a piece */

/* Where row r of the output stands in the source: GGUF has the halves of each head, x and y, as
 * x0 y0 x1 y1 .. */
static int64_t source_row(const px_tensor *t, int64_t r, int64_t rows)
{
    int64_t d = rows / t->fix_heads;
    int64_t head = r / d, i = r % d;
    return head * d + (i % 2) * (d / 2) + i / 2;
}

/* n values of the source from `at` on; at begins a block, unless n is 0. */
static void decode(const work *k, int64_t at, int64_t n, float *values)
{
    const px_dtype_info *info = px_dtype_get((uint32_t)k->t->dtype);
    size_t offset = (size_t)(at / info->block_elements) * (size_t)info->block_bytes;
    k->decode(k->t->data + offset, values, n);
    if (k->edit && n > 0)
        k->edit(k->edit_user, k->t, at, n, values);
}

/* n values of the output from `at` on, in f32. */
static void gather(const work *k, int64_t at, int64_t n, float *values)
{
    if (k->t->fix != PX_FIX_ROPE_PAIRS) {
        decode(k, at, n, values);
        if (k->t->fix == PX_FIX_PLUS_ONE)
            for (int64_t i = 0; i < n; i++)
                values[i] += 1.0f;
        return;
    }
    for (int64_t i = 0; i < n;) {
        int64_t r = (at + i) / k->row, column = (at + i) % k->row;
        int64_t m = k->row - column < n - i ? k->row - column : n - i;
        decode(k, source_row(k->t, r, k->rows) * k->row + column, m, values + i);
        i += m;
    }
}

/* The first of n values that `to` cannot hold, or -1. */
static int64_t find_bad(const float *values, int64_t n, px_dtype to)
{
    const float limit = to == PX_F16 ? 65520.0f : INFINITY; // from there on f16 rounds to infinity
    enum { STEP = 64 }; // looked at together: without a way out compilers make vectors of it
    for (int64_t at = 0; at < n; at += STEP) {
        const int64_t end = n - at < STEP ? n : at + STEP;
        int good = 1;
        for (int64_t i = at; i < end; i++)
            good &= fabsf(values[i]) < limit;
        for (int64_t i = at; i < end && !good; i++)
            if (!(fabsf(values[i]) < limit))
                return i;
    }
    return -1;
}

/* Encodes values that stand at `at`; each stretch of a row with its importance. */
static void put(const work *k, const float *values, int64_t at, int64_t n, uint8_t *out)
{
    if (k->to == PX_NF4) {
        px_nf4_encode_offset(values, out, n, k->offset);
        return;
    }
    if (!k->importance) {
        px_encode_with(k->kern->fits, k->to, values, out, n, NULL);
        return;
    }
    const px_dtype_info *info = px_dtype_get((uint32_t)k->to);
    const int64_t row = k->t->ne[0], matrix = row * k->t->ne[1];
    for (int64_t i = 0; i < n;) {
        int64_t column = (at + i) % row;
        int64_t m = row - column < n - i ? row - column : n - i;
        px_encode_with(k->kern->fits, k->to, values + i,
                       out + (size_t)(i / info->block_elements) * (size_t)info->block_bytes, m,
                       k->importance + (at + i) / matrix * row + column);
        i += m;
    }
}

static int64_t piece_size(const work *k, int64_t piece)
{
    int64_t left = k->n - piece * PIECE;
    return left < PIECE ? left : PIECE;
}

static size_t out_bytes(const work *k, int64_t n)
{
    size_t bytes = 0;
    (void)px_dtype_row_bytes(k->to, n, &bytes);
    return bytes;
}

static void encode_piece(void *ctx, int64_t chunk, int member)
{
    job *j = ctx;
    const work *k = &j->at;
    const int64_t piece = k->first + chunk, at = piece * PIECE, n = piece_size(k, piece);
    float *values = j->values + (size_t)member * PIECE;
    gather(k, at, n, values);
    j->bad[chunk] = find_bad(values, n, k->to);
    if (j->bad[chunk] >= 0)
        j->bad_value[chunk] = values[j->bad[chunk]];
    else
        put(k, values, at, n, j->out + (size_t)chunk * out_bytes(k, PIECE));
}

/* ---- a tensor */

static pith_status say_progress(job *j, size_t more)
{
    const px_stream *s = j->s;
    j->done += more;
    if (s->progress && s->progress(s->progress_user, j->done, j->total) != 0)
        return px_fail(j->err, PITH_E_CANCELLED,
                       "%s was cancelled after %" PRIu64 " of %" PRIu64 " bytes", s->doing, j->done,
                       j->total);
    return PITH_OK;
}

static pith_status write_out(job *j, const uint8_t *bytes, size_t n)
{
    pith_status status = px_gguf_write_data(j->w, bytes, n, j->err);
    return status == PITH_OK ? say_progress(j, n) : status;
}

static pith_status check_batch(const job *j, int64_t n_pieces)
{
    for (int64_t i = 0; i < n_pieces; i++) {
        if (j->bad[i] < 0)
            continue;
        const int64_t place = (j->at.first + i) * PIECE + j->bad[i];
        if (isfinite(j->bad_value[i]))
            return px_fail(j->err, PITH_E_NUMERIC,
                           "'%s': tensor '%s' holds %g at element %" PRId64
                           ", more than the 65504 that f16 can hold; convert to bf16 or f32",
                           j->s->source->path, j->at.t->name, (double)j->bad_value[i], place);
        return px_fail(j->err, PITH_E_NUMERIC,
                       "'%s': tensor '%s' holds %g at element %" PRId64
                       ", expected a number: the model is damaged",
                       j->s->source->path, j->at.t->name, (double)j->bad_value[i], place);
    }
    return PITH_OK;
}

static void measure_piece(void *ctx, int64_t chunk, int member)
{
    job *j = ctx;
    const int64_t piece = j->at.first + chunk, n = piece_size(&j->at, piece);
    float *values = j->values + (size_t)member * PIECE;
    gather(&j->at, piece * PIECE, n, values);
    px_nf4_absmax(values, j->absmax + piece * (PIECE / NF4_BLOCK), n);
}

/* NF4's offset: the mean of the largest magnitudes of all blocks of the tensor, in a pass of its
 * own. */
static pith_status find_offset(job *j, int64_t n_pieces)
{
    pith_status status = PITH_OK;
    j->absmax = px_malloc((size_t)(j->at.n / NF4_BLOCK + 1), sizeof *j->absmax);
    if (!j->absmax)
        return px_fail_memory(j->err, "the scales of a tensor");
    for (j->at.first = 0; j->at.first < n_pieces && status == PITH_OK; j->at.first += BATCH) {
        const int64_t left = n_pieces - j->at.first, n = left < BATCH ? left : BATCH;
        px_pool_for(j->s->pool, n, measure_piece, j);
        status = say_progress(j, 0);
    }
    j->at.offset = px_nf4_mean(j->absmax, j->at.n / NF4_BLOCK);
    px_free(j->absmax);
    return status;
}

static pith_status encode_tensor(job *j)
{
    const int64_t n_pieces = (j->at.n + PIECE - 1) / PIECE;
    pith_status status = PITH_OK;
    if (j->at.to == PX_NF4)
        status = find_offset(j, n_pieces);
    for (j->at.first = 0; j->at.first < n_pieces && status == PITH_OK; j->at.first += BATCH) {
        const int64_t left = n_pieces - j->at.first, n = left < BATCH ? left : BATCH;
        px_pool_for(j->s->pool, n, encode_piece, j);
        status = check_batch(j, n);
        const int64_t end = (j->at.first + n) * PIECE;
        const int64_t values = (end < j->at.n ? end : j->at.n) - j->at.first * PIECE;
        if (status == PITH_OK)
            status = write_out(j, j->out, out_bytes(&j->at, values));
    }
    return status;
}

static bool is_float(px_dtype d)
{
    return d == PX_F32 || d == PX_F16 || d == PX_BF16;
}

static pith_status copy_tensor(job *j)
{
    const size_t step = (size_t)BATCH * PIECE * sizeof(float);
    const px_tensor *t = j->at.t;
    pith_status status = PITH_OK;
    for (size_t at = 0; at < t->bytes && status == PITH_OK; at += step)
        status = write_out(j, t->data + at, t->bytes - at < step ? t->bytes - at : step);
    return status;
}

/* Rows of packed blocks in the order in which GGUF wants them: blocks move as they are. */
static pith_status copy_rows(job *j)
{
    const work *k = &j->at;
    const size_t row_bytes = out_bytes(k, k->row);
    pith_status status = PITH_OK;
    for (int64_t r = 0; r < k->rows && status == PITH_OK; r++)
        status =
            write_out(j, k->t->data + (size_t)source_row(k->t, r, k->rows) * row_bytes, row_bytes);
    return status;
}

static pith_status put_tensor(job *j, int64_t i)
{
    const px_stream *s = j->s;
    const px_tensor *t = &s->source->tensors[i];
    const int slot = px_kern_slot(t->dtype);
    j->at = (work){.kern = s->kern,
                   .t = t,
                   .to = s->types[i],
                   .decode = slot >= 0 ? s->kern->decode[slot] : NULL,
                   .importance = s->importance ? s->importance[i] : NULL,
                   .n = count(t),
                   .rows = t->ne[t->n_dims - 1],
                   .edit = s->edit && s->edited[i] ? s->edit : NULL,
                   .edit_user = s->edit_user};
    j->at.row = j->at.n / (j->at.rows > 0 ? j->at.rows : 1); // a bias has rows of one element
    /* Floats are looked at even where they stay what they are: nothing damaged goes on. */
    if (t->dtype == j->at.to && t->fix == PX_FIX_NONE && !is_float(t->dtype) && !j->at.edit)
        return copy_tensor(j);
    if (t->dtype == j->at.to && t->fix == PX_FIX_ROPE_PAIRS && !is_float(t->dtype) && !j->at.edit)
        return copy_rows(j);
    if (!j->at.decode || px_kern_slot(j->at.to) < 0)
        return px_fail(j->err, PITH_E_UNSUPPORTED,
                       "'%s': tensor '%s' is %s, which pith cannot turn into %s", s->source->path,
                       t->name, px_dtype_name((uint32_t)t->dtype),
                       px_dtype_name((uint32_t)j->at.to));
    return encode_tensor(j);
}

static pith_status run(job *j)
{
    pith_status status = write_metas(j);
    if (status == PITH_OK)
        status = declare_tensors(j);
    if (status == PITH_OK)
        status = px_gguf_begin_data(j->w, j->err);
    for (int64_t i = 0; i < j->s->source->n_tensors && status == PITH_OK; i++)
        status = put_tensor(j, i);
    if (status == PITH_OK)
        status = px_gguf_finish(j->w, j->err);
    return status;
}

pith_status px_stream_write(const px_stream *stream, const char *path, pith_error *err)
{
    job *j = px_calloc(1, sizeof *j);
    if (!j)
        return px_fail_memory(err, "a job");
    j->s = stream;
    j->err = err;
    pith_status status = px_gguf_writer_new(path, 32, &j->w, err);
    if (status == PITH_OK) {
        j->values = px_malloc((size_t)px_pool_size(stream->pool) * PIECE, sizeof *j->values);
        j->out = px_malloc((size_t)BATCH * PIECE, sizeof(float));
        status = j->values && j->out ? run(j) : px_fail_memory(err, "buffers for tensors");
    }
    px_free(j->values);
    px_free(j->out);
    px_gguf_writer_free(j->w);
    px_free(j);
    return status;
}
