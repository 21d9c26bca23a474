/*
 * lora_measure: sizes of what pairs change, without ever making B A: with G = A1 A2^T and H = B1^T
 * B2, both small, the inner product of B1 A1 and B2 A2 is the sum of H o G. Cost: R1 R2 (rows +
 * cols).
 */
#ifndef PX_MODEL_LORA_MEASURE_H
#define PX_MODEL_LORA_MEASURE_H

#include "model/lora_set.h"

/* A pair of a set. hp is needed where the two sets of a product have their rows in different
 * orders, else NULL. */
typedef struct px_lora_of {
    const px_lora_set *set;
    const px_lora_tensor *tensor;
} px_lora_of;

/* The inner product of s1 B1 A1 and s2 B2 A2, of the same shape; in double. */
double px_lora_inner(const px_lora_of *x, const px_lora_of *y, const px_hparams *hp);

/* Frobenius norm of n values. */
double px_lora_norm(const float *x, int64_t n);

#endif
