/* grad_decode: how a level decodes weights of a dtype, without a table at hand. */
#ifndef PX_KERN_X86_GRAD_DECODE_H
#define PX_KERN_X86_GRAD_DECODE_H

#include "kern/traits.h"

px_decode_fn px_avx2_grad_decode(px_dtype dtype);
px_decode_fn px_avx512_grad_decode(px_dtype dtype);

#endif
