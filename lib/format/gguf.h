/*
 * gguf: reads the metadata and the tensor table of one GGUF file lying in memory. Splits, maps and
 * name indexes are source.c's.
 */
#ifndef PX_FORMAT_GGUF_H
#define PX_FORMAT_GGUF_H

#include "base/arena.h"
#include "format/source.h"

/* What one file holds; arrays and names lie in the arena, values and data in the file. */
typedef struct px_gguf_file {
    uint32_t version;
    uint32_t alignment;
    px_meta *metas; // in file order; keys not yet checked to be unique
    int64_t n_metas;
    px_tensor *tensors; // in file order; names not yet checked to be unique
    int64_t n_tensors;
} px_gguf_file;

/* Parses and checks bytes[0..n); `path` is for messages, `file` becomes each tensor's file. What
 * was allocated on failure stays in the arena. */
pith_status px_gguf_parse(const char *path, const uint8_t *bytes, size_t n, int32_t file,
                          px_arena *arena, px_gguf_file *out, pith_error *err);

#endif
