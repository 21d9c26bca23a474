/* rope: the plain C kernels that turn pairs of values. Contracts in kern/ops.h. */
#ifndef PX_KERN_REF_ROPE_H
#define PX_KERN_REF_ROPE_H

#include "kern/real.h"

#include <stdint.h>

void PX_REAL_NAME(px_ref_rope_pairs)(px_real *x, const px_real *cos, const px_real *sin,
                                     int64_t n_rot);
void PX_REAL_NAME(px_ref_rope_halves)(px_real *x, const px_real *cos, const px_real *sin,
                                      int64_t n_rot);

#endif
