/*
 * optim: optimizers over the vector of what is trained, g the clipped gradient, t counting from 1:
 *
 *   AdamW  m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2
 *          p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps); p *= 1 - lr wd first
 *          (Loshchilov and Hutter 2019, arXiv 1711.05101)
 *   AdamW with 8-bit state: m and v as codes of dynamic maps in blocks of 256 with one f32 each
 *          (Dettmers et al. 2022, arXiv 2110.02861); parts under 4096 values stay f32
 *   Lion   p -= lr (sign(b1 m + (1 - b1) g) + wd p); m = b2 m + (1 - b2) g
 *          (Chen et al. 2023, arXiv 2302.06675)
 *
 * The state is one block of bytes, so that a checkpoint is a copy. Sums are cut by shapes alone.
 */
#ifndef PX_TRAIN_OPTIM_H
#define PX_TRAIN_OPTIM_H

#include "base/pool.h"
#include "train/params.h"

typedef enum px_optim_kind { PX_OPTIM_ADAMW, PX_OPTIM_ADAMW8, PX_OPTIM_LION } px_optim_kind;

typedef struct px_optim_options {
    px_optim_kind kind;
    float beta1, beta2, eps, decay;
} px_optim_options;

typedef struct px_optim px_optim;

/* params is lent. The state begins with zeros. Errors: MEMORY. */
pith_status px_optim_new(const px_params *params, const px_optim_options *options, px_pool *pool,
                         px_optim **out, pith_error *err);
void px_optim_free(px_optim *o);

/* The length of all gradients, sums in double. */
double px_optim_norm(px_optim *o);

/* One update with gradients times `clip`. */
void px_optim_step(px_optim *o, double lr, double clip);

/* The state: bytes to keep, and updates done. */
uint8_t *px_optim_state(px_optim *o, size_t *bytes);
int64_t px_optim_steps(const px_optim *o);
void px_optim_set_steps(px_optim *o, int64_t steps);

/* The 256 values of a dynamic map, ascending. */
void px_optim_map(bool is_signed, float map[256]);

#endif
