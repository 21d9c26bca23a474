/*
 * stream: writes a source as one GGUF v3 file, each tensor in a type of its own: what converting
 * and quantizing share. What a folder's tensors still need (px_tensor.fix) is applied.
 *
 * Tensors are cut into pieces of PX_STREAM_PIECE values, whatever their rows; the pool decodes and
 * encodes a batch of pieces, then they are written in order. Memory: a few MiB of buffers for any
 * model, and for NF4 a sixteenth of a byte for each value of a tensor. The bytes do not depend on
 * the number of threads. Runs on the pool's owner.
 */
#ifndef PX_QUANT_STREAM_H
#define PX_QUANT_STREAM_H

#include "base/pool.h"
#include "format/gguf_write.h"
#include "format/source.h"
#include "kern/ops.h"

/* general.file_type of files of floats */
enum { PX_FILE_TYPE_F32 = 0, PX_FILE_TYPE_F16 = 1, PX_FILE_TYPE_BF16 = 32 };

enum { PX_STREAM_PIECE = 1 << 14 }; // values: the group of NF4, a multiple of every block

/* Sets further metadata; called after the source's own. */
typedef pith_status (*px_stream_meta_fn)(void *user, px_gguf_writer *w, pith_error *err);

/* Changes n values of a source's tensor from element `at` on, in the order in which the source has
 * them, before anything else is done with them. Called by many threads at once. */
typedef void (*px_stream_edit_fn)(void *user, const px_tensor *tensor, int64_t at, int64_t n,
                                  float *values);

typedef struct px_stream {
    const px_source *source;
    const char *doing;     // "converting": stands in messages
    const px_dtype *types; // [n_tensors] that tensors get; their own: copied as they lie
    /* [n_tensors] of mean squared activations, [ne[2] * ne[3], ne[0]] each, or NULL; or NULL */
    const float *const *importance;
    uint32_t file_type; // general.file_type
    px_pool *pool;
    const px_kern *kern;
    px_stream_edit_fn edit; // or NULL
    void *edit_user;
    const bool *edited;          // [n_tensors] which tensors edit changes
    px_stream_meta_fn set_metas; // or NULL
    void *metas_user;
    pith_progress_fn progress; // bytes of tensors written, and of all; or NULL
    void *progress_user;
} px_stream;

/* Writes path, which appears under its name only when whole. A value that a tensor's type cannot
 * hold (over 65504 in f16), and NaN or infinity anywhere, is NUMERIC, naming the tensor and the
 * place. Other errors: UNSUPPORTED (a type that pith cannot decode or encode), CANCELLED, IO,
 * MEMORY. */
pith_status px_stream_write(const px_stream *stream, const char *path, pith_error *err);

#endif
