/*
 * quantize: a source to one GGUF file with its matrices in the types of a mixture. Plans, tells the
 * plan, writes (stream.h).
 */
#ifndef PX_QUANT_QUANTIZE_H
#define PX_QUANT_QUANTIZE_H

#include "base/cpu.h"
#include "quant/imatrix.h"
#include "quant/mixture.h"
#include "quant/stream.h"

typedef struct px_tensor_plan {
    const px_tensor *tensor;
    px_dtype to;
    size_t to_bytes;
    px_type_note note;
    bool importance;
} px_tensor_plan;

/* Nonzero cancels. */
typedef int (*px_tensor_plan_fn)(void *user, const px_tensor_plan *plan);

typedef struct px_quantize_options {
    px_mixture_options mixture; // has_importance is set here
    const px_imatrix *imatrix;  // or NULL
    px_cpu_level level;         // of kernels
    int n_threads;              // 0: the physical cores
    px_stream_edit_fn edit;     // or NULL
    void *edit_user;
    const bool *edited;          // [n_tensors], where there is edit
    px_stream_meta_fn set_metas; // or NULL
    void *metas_user;
    px_tensor_plan_fn on_tensor; // or NULL
    void *tensor_user;
    pith_progress_fn progress; // or NULL
    void *progress_user;
} px_quantize_options;

typedef struct px_quantized {
    uint64_t in_bytes, out_bytes, n_parameters;
    int64_t n_fallback, n_requantized, n_importance;
} px_quantized;

/* mixture NULL: tensors keep their types, but those that are edited and hold no floats become f16,
 * and vectors f32. out_path NULL: plans only. Errors: as px_mixture_plan and px_stream_write;
 * MISMATCH (the importance matrix is of another model); CANCELLED. */
pith_status px_quantize(const px_source *source, const char *out_path, const px_mixture *mixture,
                        const px_quantize_options *options, px_quantized *result, pith_error *err);

#endif
