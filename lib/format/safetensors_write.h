/*
 * safetensors_write: makes one safetensors file of tensors that lie in memory. The layout is drawn
 * in safetensors.c; the header is padded with spaces so that the data begins on 8 bytes.
 */
#ifndef PX_FORMAT_SAFETENSORS_WRITE_H
#define PX_FORMAT_SAFETENSORS_WRITE_H

#include "format/source.h"

typedef struct px_st_part {
    const char *name;
    px_dtype dtype; // PX_F32, PX_F16 or PX_BF16
    int n_dims;
    int64_t shape[PX_MAX_DIMS]; // slowest first
    const void *data;           // packed
} px_st_part;

/* Writes the parts in their order, with the metadata {"format": "pt"}; the file appears under its
 * name only when whole. Errors: ARGUMENT (a type), LIMIT (sizes), IO, MEMORY. */
pith_status px_st_save(const char *path, const px_st_part *parts, size_t n, pith_error *err);

#endif
