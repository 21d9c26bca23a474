/*
 * imatrix: how strongly each input column of each matrix is used: the mean of the squared
 * activations over a text. Quantizing weighs its errors by it.
 *
 * File, as llama.cpp writes and reads it since 2025: GGUF v3 with general.type "imatrix",
 * imatrix.datasets (array of string), imatrix.chunk_count, imatrix.chunk_size (u32), and for each
 * matrix NAME two f32 tensors: NAME.in_sum2 [n_mat, columns], sums of squared activations, and
 * NAME.counts [n_mat, 1], how many rows were added up (n_mat: experts, else 1).
 *
 * Immutable once open.
 */
#ifndef PX_QUANT_IMATRIX_H
#define PX_QUANT_IMATRIX_H

#include "format/source.h"

typedef struct px_imatrix px_imatrix;

/* Errors: as px_source_open; FORMAT (no importance matrix). */
pith_status px_imatrix_open(const char *path, px_imatrix **out, pith_error *err);
void px_imatrix_close(px_imatrix *m);

/* Tensors that it has. */
int64_t px_imatrix_count(const px_imatrix *m);

/* Means for a tensor, [ne[2] * ne[3], ne[0]], lent; *means is NULL where the matrix has none of it.
 * Errors: MISMATCH (another number of columns). */
pith_status px_imatrix_find(const px_imatrix *m, const px_tensor *t, const float **means,
                            pith_error *err);

/* ---- making one */

/* Sums of squared activations of one matrix. */
typedef struct px_imatrix_sums {
    const char *name;  // of the model's tensor
    const float *sums; // [columns]
    int64_t columns;
    uint64_t rows; // that were added up
} px_imatrix_sums;

typedef struct px_imatrix_about {
    const char *dataset; // the text's name
    uint32_t n_chunks, chunk_size;
} px_imatrix_about;

/* Writes n matrices in the order of their names; the file appears only when whole. */
pith_status px_imatrix_save(const char *path, const px_imatrix_sums *matrices, int64_t n,
                            const px_imatrix_about *about, pith_error *err);

#endif
