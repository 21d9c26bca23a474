/*
 * vec_plain: the few names of a vec header that simd/fit.h needs, with the vector extension of gcc
 * and clang: 4 floats and no instruction set of its own.
 */
#ifndef PX_KERN_REF_VEC_PLAIN_H
#define PX_KERN_REF_VEC_PLAIN_H

#include <stdint.h>
#include <string.h>

#define LEVEL(name) px_ref_##name
#define VF_N        4

typedef float vf __attribute__((vector_size(VF_N * sizeof(float))));
typedef int32_t vf_mask __attribute__((vector_size(VF_N * sizeof(int32_t))));

static inline vf vf_all(float x)
{
    return (vf){x, x, x, x};
}

static inline vf vf_zero(void)
{
    return (vf){0};
}

static inline vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vf_store(float *p, vf x)
{
    memcpy(p, &x, sizeof x);
}

static inline vf vf_add(vf a, vf b)
{
    return a + b;
}

static inline vf vf_sub(vf a, vf b)
{
    return a - b;
}

static inline vf vf_mul(vf a, vf b)
{
    return a * b;
}

/* a where x < y, b elsewhere. */
static inline vf vf_where_less(vf x, vf y, vf a, vf b)
{
    const vf_mask mask = x < y;
    return (vf)((mask & (vf_mask)a) | (~mask & (vf_mask)b));
}

/* b where either is NaN, as x86 has it. */
static inline vf vf_max(vf a, vf b)
{
    return vf_where_less(b, a, a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return vf_where_less(a, b, a, b);
}

#endif
