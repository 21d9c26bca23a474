/*
 * imatrix: see imatrix.h. Means are made once, when a file is opened; entries are sorted by name.
 *
 * The form before 2025 is read too (little-endian): i32 n, then n times i32 length, name, i32
 * calls, i32 columns, f32 [columns] of means times calls; what follows is not needed.
 */
#include "quant/imatrix.h"

#include "base/arena.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "kern/half.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SUMS[] = ".in_sum2", COUNTS[] = ".counts";

typedef struct entry {
    const char *name; // of the model's tensor
    int64_t columns, n_mat;
    float *means; // [n_mat, columns]
} entry;

struct px_imatrix {
    px_arena arena;
    entry *entries; // by name
    int64_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

/* ---- GGUF */

/* The length of the name before `end`, or -1. */
static int64_t stem(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0 ? (int64_t)(n - m) : -1;
}

static pith_status read_pair(px_imatrix *m, const px_source *s, const px_tensor *sums,
                             int64_t stem_len, entry *e, pith_error *err)
{
    char name[PX_MAX_TENSOR_NAME + sizeof COUNTS];
    snprintf(name, sizeof name, "%.*s%s", (int)stem_len, sums->name, COUNTS);
    const px_tensor *counts = px_source_tensor(s, name);
    const int64_t n_mat = sums->ne[1] * sums->ne[2] * sums->ne[3];
    if (!counts || counts->dtype != PX_F32 || sums->dtype != PX_F32 ||
        counts->bytes != (size_t)n_mat * sizeof(float))
        return px_fail(err, PITH_E_FORMAT,
                       "'%s': '%s' is no sum of squares with its counts, expected f32 tensors "
                       "%.*s%s and %s of one count a matrix",
                       s->path, sums->name, (int)stem_len, sums->name, SUMS, name);
    float *means = PX_NEW(&m->arena, float, (size_t)(n_mat * sums->ne[0]));
    *e = (entry){.name = px_arena_strndup(&m->arena, sums->name, (size_t)stem_len),
                 .columns = sums->ne[0],
                 .n_mat = n_mat,
                 .means = means};
    if (!means || !e->name)
        return px_fail_memory(err, "an importance matrix");
    for (int64_t k = 0; k < n_mat; k++) {
        const float count = px_load_f32(counts->data + 4 * k);
        for (int64_t i = k * e->columns; i < (k + 1) * e->columns; i++)
            means[i] = count > 0 ? px_load_f32(sums->data + 4 * i) / count : 1.0f;
    }
    return PITH_OK;
}

static pith_status read_gguf(px_imatrix *m, const char *path, pith_error *err)
{
    px_source *s;
    pith_status status = px_source_open(path, NULL, &s, err);
    if (status != PITH_OK)
        return status;
    m->entries = PX_NEW(&m->arena, entry, (size_t)s->n_tensors);
    if (!m->entries)
        status = px_fail_memory(err, "an importance matrix");
    for (int64_t i = 0; i < s->n_tensors && status == PITH_OK; i++) {
        const int64_t n = stem(s->tensors[i].name, SUMS);
        if (n > 0)
            status = read_pair(m, s, &s->tensors[i], n, &m->entries[m->n++], err);
    }
    px_source_close(s);
    return status;
}

/* ---- the old form */

static pith_status old_entry(px_imatrix *m, px_cursor *c, entry *e, pith_error *err)
{
    uint32_t len = 0, calls = 0, columns = 0;
    const uint8_t *name = NULL, *values = NULL;
    bool ok = px_cursor_u32(c, &len) && len > 0 && len < PX_MAX_TENSOR_NAME &&
              px_cursor_bytes(c, (size_t)len, &name) && px_cursor_u32(c, &calls) &&
              px_cursor_u32(c, &columns) && columns > 0 &&
              px_cursor_bytes(c, (size_t)columns * sizeof(float), &values);
    if (!ok)
        return PITH_E_FORMAT;
    float *means = PX_NEW(&m->arena, float, (size_t)columns);
    *e = (entry){.name = px_arena_strndup(&m->arena, (const char *)name, (size_t)len),
                 .columns = columns,
                 .n_mat = 1,
                 .means = means};
    if (!means || !e->name)
        return px_fail_memory(err, "an importance matrix");
    for (uint32_t i = 0; i < columns; i++)
        means[i] = px_load_f32(values + 4 * i) / (calls > 0 ? (float)calls : 1.0f);
    return PITH_OK;
}

static pith_status read_old(px_imatrix *m, const char *path, pith_error *err)
{
    px_map map;
    pith_status status = px_map_open(path, &map, err);
    if (status != PITH_OK)
        return status;
    px_cursor c = px_cursor_over(map.data, map.size);
    uint32_t n = 0;
    bool ok = px_cursor_u32(&c, &n) && n > 0 && n <= PX_MAX_TENSORS;
    if (ok) {
        m->entries = PX_NEW(&m->arena, entry, n);
        if (!m->entries)
            status = px_fail_memory(err, "an importance matrix");
    }
    for (uint32_t i = 0; i < n && ok && status == PITH_OK; i++) {
        status = old_entry(m, &c, &m->entries[m->n++], err);
        ok = status != PITH_E_FORMAT;
    }
    if (!ok)
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s' is neither a GGUF file nor an importance matrix of the old form "
                         "(wrong at byte %zu of %zu)",
                         path, px_cursor_offset(&c), map.size);
    px_map_close(&map);
    return status;
}

/* ---- reading */

/* Squares of errors times these, summed, are still numbers. A matrix whose columns are all below
 * the least says nothing. */
static const float MOST_MEAN = 1e30f;
static const double LEAST_MEAN = 1e-20;

/* Refuses what no mean of squares is; lifts columns that were never used, so that their weights
 * still count a little. */
static pith_status check_means(const px_imatrix *m, const char *path, pith_error *err)
{
    for (int64_t k = 0; k < m->n; k++) {
        const entry *e = &m->entries[k];
        const int64_t n = e->columns * e->n_mat;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            if (!(e->means[i] >= 0 && e->means[i] <= MOST_MEAN))
                return px_fail(err, PITH_E_FORMAT,
                               "'%s': '%s' has %g for column %" PRId64
                               ", expected a mean of squares: the file is damaged",
                               path, e->name, (double)e->means[i], i % e->columns);
            sum += (double)e->means[i];
        }
        const double mean = sum / (double)n;
        const float least = mean >= LEAST_MEAN ? (float)(1e-5 * mean) : 1.0f;
        for (int64_t i = 0; i < n; i++)
            e->means[i] = mean >= LEAST_MEAN && e->means[i] > least ? e->means[i] : least;
    }
    return PITH_OK;
}

static pith_status look(const char *path, bool *gguf, pith_error *err)
{
    px_map map;
    pith_status status = px_map_open(path, &map, err);
    if (status != PITH_OK)
        return status;
    *gguf = map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0;
    px_map_close(&map);
    return PITH_OK;
}

pith_status px_imatrix_open(const char *path, px_imatrix **out, pith_error *err)
{
    *out = NULL;
    px_imatrix *m = px_calloc(1, sizeof *m);
    if (!m)
        return px_fail_memory(err, "an importance matrix");
    px_arena_init(&m->arena, 0, 0);
    bool gguf = false;
    pith_status status = look(path, &gguf, err);
    if (status == PITH_OK)
        status = gguf ? read_gguf(m, path, err) : read_old(m, path, err);
    if (status == PITH_OK && m->n == 0)
        status = px_fail(err, PITH_E_FORMAT,
                         "'%s' holds no importance matrix, expected tensors NAME%s and NAME%s; "
                         "'pith imatrix' makes one",
                         path, SUMS, COUNTS);
    if (status == PITH_OK)
        status = check_means(m, path, err);
    if (status != PITH_OK) {
        px_imatrix_close(m);
        return status;
    }
    qsort(m->entries, (size_t)m->n, sizeof *m->entries, by_name);
    *out = m;
    return PITH_OK;
}

void px_imatrix_close(px_imatrix *m)
{
    if (!m)
        return;
    px_arena_clear(&m->arena);
    px_free(m);
}

int64_t px_imatrix_count(const px_imatrix *m)
{
    return m->n;
}

pith_status px_imatrix_find(const px_imatrix *m, const px_tensor *t, const float **means,
                            pith_error *err)
{
    const entry key = {.name = t->name};
    const entry *e = bsearch(&key, m->entries, (size_t)m->n, sizeof *m->entries, by_name);
    *means = NULL;
    if (!e)
        return PITH_OK;
    if (e->columns * e->n_mat != t->ne[0] * t->ne[2] * t->ne[3])
        return px_fail(err, PITH_E_MISMATCH,
                       "the importance matrix has %" PRId64 " columns for tensor '%s', which has "
                       "%" PRId64 "; it was made from another model",
                       e->columns * e->n_mat, t->name, t->ne[0] * t->ne[2] * t->ne[3]);
    *means = e->means;
    return PITH_OK;
}

/* ---- writing */

static int by_sum_name(const void *a, const void *b)
{
    return strcmp((*(const px_imatrix_sums *const *)a)->name,
                  (*(const px_imatrix_sums *const *)b)->name);
}

static pith_status add_pair(px_gguf_writer *w, const px_imatrix_sums *m, pith_error *err)
{
    char name[PX_MAX_TENSOR_NAME + sizeof SUMS];
    const int64_t sums_ne[] = {m->columns, 1}, counts_ne[] = {1, 1};
    snprintf(name, sizeof name, "%s%s", m->name, SUMS);
    pith_status status = px_gguf_add_tensor(w, name, PX_F32, 2, sums_ne, err);
    snprintf(name, sizeof name, "%s%s", m->name, COUNTS);
    return status == PITH_OK ? px_gguf_add_tensor(w, name, PX_F32, 2, counts_ne, err) : status;
}

static pith_status write_pair(px_gguf_writer *w, const px_imatrix_sums *m, pith_error *err)
{
    const float rows = (float)m->rows;
    pith_status status = px_gguf_write_data(w, m->sums, (size_t)m->columns * sizeof *m->sums, err);
    return status == PITH_OK ? px_gguf_write_data(w, &rows, sizeof rows, err) : status;
}

static pith_status write_all(px_gguf_writer *w, const px_imatrix_sums *const *sorted, int64_t n,
                             const px_imatrix_about *about, pith_error *err)
{
    const px_str dataset = px_str_of(about->dataset);
    pith_status status = px_gguf_set_str(w, "general.type", px_str_of("imatrix"), err);
    if (status == PITH_OK)
        status = px_gguf_set_strs(w, "imatrix.datasets", &dataset, 1, err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(w, "imatrix.chunk_count", about->n_chunks, err);
    if (status == PITH_OK)
        status = px_gguf_set_u32(w, "imatrix.chunk_size", about->chunk_size, err);
    for (int64_t i = 0; i < n && status == PITH_OK; i++)
        status = add_pair(w, sorted[i], err);
    if (status == PITH_OK)
        status = px_gguf_begin_data(w, err);
    for (int64_t i = 0; i < n && status == PITH_OK; i++)
        status = write_pair(w, sorted[i], err);
    return status == PITH_OK ? px_gguf_finish(w, err) : status;
}

pith_status px_imatrix_save(const char *path, const px_imatrix_sums *matrices, int64_t n,
                            const px_imatrix_about *about, pith_error *err)
{
    px_gguf_writer *w = NULL;
    const px_imatrix_sums **sorted = px_malloc((size_t)n, sizeof *sorted);
    if (!sorted)
        return px_fail_memory(err, "an importance matrix");
    for (int64_t i = 0; i < n; i++)
        sorted[i] = &matrices[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_sum_name);
    pith_status status = px_gguf_writer_new(path, 32, &w, err);
    if (status == PITH_OK)
        status = write_all(w, sorted, n, about, err);
    px_gguf_writer_free(w);
    px_free(sorted);
    return status;
}
