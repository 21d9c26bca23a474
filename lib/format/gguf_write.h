/*
 * gguf_write: makes a GGUF v3 file. First all metadata, then all tensors are declared, then their
 * bytes follow in the same order. The file appears under its name only when finished whole
 * (px_out).
 */
#ifndef PX_FORMAT_GGUF_WRITE_H
#define PX_FORMAT_GGUF_WRITE_H

#include "format/source.h"

typedef struct px_gguf_writer px_gguf_writer;

/* Tensor data is aligned to `alignment` bytes: a power of two, 32 unless asked otherwise. */
pith_status px_gguf_writer_new(const char *path, uint32_t alignment, px_gguf_writer **out,
                               pith_error *err);
/* Drops the writer, and the partial file unless it was finished. */
void px_gguf_writer_free(px_gguf_writer *w);

/* Metadata. A key may be set once; a second time replaces the value in place. */
pith_status px_gguf_set_meta(px_gguf_writer *w, const px_meta *meta, pith_error *err);
pith_status px_gguf_set_u32(px_gguf_writer *w, const char *key, uint32_t v, pith_error *err);
pith_status px_gguf_set_i32(px_gguf_writer *w, const char *key, int32_t v, pith_error *err);
pith_status px_gguf_set_f32(px_gguf_writer *w, const char *key, float v, pith_error *err);
pith_status px_gguf_set_bool(px_gguf_writer *w, const char *key, bool v, pith_error *err);
pith_status px_gguf_set_str(px_gguf_writer *w, const char *key, px_str v, pith_error *err);
pith_status px_gguf_set_strs(px_gguf_writer *w, const char *key, const px_str *v, uint64_t n,
                             pith_error *err);
pith_status px_gguf_set_f32s(px_gguf_writer *w, const char *key, const float *v, uint64_t n,
                             pith_error *err);
pith_status px_gguf_set_i32s(px_gguf_writer *w, const char *key, const int32_t *v, uint64_t n,
                             pith_error *err);

/* Declares a tensor; ne fastest first. */
pith_status px_gguf_add_tensor(px_gguf_writer *w, const char *name, px_dtype dtype, int n_dims,
                               const int64_t *ne, pith_error *err);

/* Writes header, metadata and tensor table. After it only data and finish may follow. */
pith_status px_gguf_begin_data(px_gguf_writer *w, pith_error *err);
/* Appends bytes of the current tensor (any number of calls); moves to the next when its size is
 * reached. */
pith_status px_gguf_write_data(px_gguf_writer *w, const void *bytes, size_t n, pith_error *err);
/* All tensors must be complete. */
pith_status px_gguf_finish(px_gguf_writer *w, pith_error *err);

#endif
