/*
 * convert: a source of float weights (a Hugging Face folder, or a GGUF file) to one GGUF v3 file
 * that other GGUF programs read too: norms and all other vectors in f32, matrices in the wanted
 * type, what a folder's tensors still need (px_tensor.fix) applied.
 *
 * Streams: a few MiB of buffers, whatever the model's size (stream.h). Uses all physical cores.
 */
#ifndef PX_QUANT_CONVERT_H
#define PX_QUANT_CONVERT_H

#include "format/gguf_write.h"
#include "format/source.h"

/* Writes the tokenizer's keys; a folder's source has none. This room does not know tokenizers. */
typedef pith_status (*px_convert_vocab_fn)(void *user, px_gguf_writer *w, pith_error *err);

typedef struct px_convert_options {
    bool keep;                 // matrices keep their type; else they become `dtype`
    px_dtype dtype;            // PX_F32, PX_F16 or PX_BF16
    pith_progress_fn progress; // bytes of tensors written, and of all; or NULL
    void *progress_user;
    px_convert_vocab_fn write_vocab; // or NULL
    void *vocab_user;
} px_convert_options;

/* Writes out_path, which appears under its name only when whole. A value that the wanted type
 * cannot hold (over 65504 in f16), and NaN or infinity anywhere, is NUMERIC, naming the tensor and
 * the place. Other errors: UNSUPPORTED (a tensor that is not f32, f16 or bf16), ARGUMENT (dtype),
 * CANCELLED, IO. */
pith_status px_convert(const px_source *source, const char *out_path,
                       const px_convert_options *options, pith_error *err);

#endif
