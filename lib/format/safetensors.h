/*
 * safetensors: reads the header of one safetensors file lying in memory. Which files make a model
 * and what its tensors are called in GGUF is hf_tensors.c's.
 */
#ifndef PX_FORMAT_SAFETENSORS_H
#define PX_FORMAT_SAFETENSORS_H

#include "base/arena.h"
#include "format/source.h"

/* Data types of the format; bits of one element; whether pith reads weights of it. */
#define PX_ST_DTYPES(X)          \
    X("F32", 32, PX_F32, true)   \
    X("F16", 16, PX_F16, true)   \
    X("BF16", 16, PX_BF16, true) \
    X("F64", 64, PX_F64, false)  \
    X("I64", 64, PX_I64, false)  \
    X("I32", 32, PX_I32, false)  \
    X("I16", 16, PX_I16, false)  \
    X("I8", 8, PX_I8, false)     \
    X("U64", 64, 0, false)       \
    X("U32", 32, 0, false)       \
    X("U16", 16, 0, false)       \
    X("U8", 8, 0, false)         \
    X("BOOL", 8, 0, false)       \
    X("C64", 64, 0, false)       \
    X("F8_E4M3", 8, 0, false)    \
    X("F8_E5M2", 8, 0, false)    \
    X("F8_E8M0", 8, 0, false)    \
    X("F6_E2M3", 6, 0, false)    \
    X("F6_E3M2", 6, 0, false)    \
    X("F4", 4, 0, false)

typedef struct px_st_tensor {
    const char *name;       // as in the file, zero-terminated
    const char *dtype_name; // static storage
    px_dtype dtype;         // when readable
    bool readable;          // f32, f16, bf16
    int n_dims;             // 0 for a scalar; may exceed PX_MAX_DIMS, then shape holds the first
    int64_t shape[PX_MAX_DIMS]; // slowest first, may hold zeros
    const uint8_t *data;
    size_t bytes;
    uint64_t file_offset;
} px_st_tensor;

typedef struct px_st_file {
    px_st_tensor *tensors; // in the order of the header
    int64_t n_tensors;
} px_st_file;

/* Parses and checks bytes[0..n); `path` is for messages. The tensors' data covers the file's data
 * section without gap or overlap. */
pith_status px_st_parse(const char *path, const uint8_t *bytes, size_t n, px_arena *arena,
                        px_st_file *out, pith_error *err);

#endif
