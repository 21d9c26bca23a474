/*
 * params: what training changes, as one vector of f32 with its gradient: the pairs of an adapter,
 * or all tensors of a model. Optimizer, clipping and checkpoints know this vector and nothing else.
 *
 * A part is one tensor. Parts start at multiples of PX_PART_ALIGN values; the gaps are zeros and
 * stay zeros.
 */
#ifndef PX_TRAIN_PARAMS_H
#define PX_TRAIN_PARAMS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { PX_PART_ALIGN = 64 };

typedef struct px_param {
    const char *name; // lent: of the tensor in the model's file
    char role;        // 'a', 'b', 'm' of a pair; 'w' a tensor itself
    int64_t at, n;    // values [at, at + n)
    float lr;         // times the learning rate
    bool decays;      // weight decay reaches it
} px_param;

typedef struct px_params {
    float *value, *grad; // [n]
    int64_t n;           // gaps counted
    px_param *parts;     // [n_parts]
    int32_t n_parts, cap;
} px_params;

/* Room for `cap` parts in the arena. */
pith_status px_params_init(px_params *p, int32_t cap, px_arena *arena, pith_error *err);
/* Adds a part before memory is made; returns where it begins. */
int64_t px_params_add(px_params *p, const char *name, char role, int64_t n, float lr, bool decays);
/* Makes value and grad, zeroed. Errors: MEMORY. */
pith_status px_params_make(px_params *p, pith_error *err);
void px_params_clear(px_params *p);

#endif
