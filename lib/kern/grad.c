/*
 * grad: filling the table of training's kernels. See grad.h.
 */
#include "kern/grad.h"
#include "kern/grad_levels.h"

#include <string.h>

typedef struct adder {
    px_cpu_level level;
    void (*add)(px_grad *grad);
} adder;

static const adder ADDERS[] = {
    {PX_CPU_REF, px_grad_add_ref},
#if defined(__x86_64__)
    {PX_CPU_AVX2, px_grad_add_avx2},
    {PX_CPU_AVX512, px_grad_add_avx512},
    {PX_CPU_BF16, px_grad_add_bf16},
#endif
};
enum { N_ADDERS = sizeof ADDERS / sizeof ADDERS[0] };

/* What the kernels of any level need at most (simd/grad_attention.h in f32, vectors of 16): bytes
 * whatever the heads are, and bytes a value of heads, whose lanes are filled up. */
enum { ATTN_FIXED = 176 << 10, ATTN_A_VALUE = 3 * 96 * 4, ATTN_LANES = 32 };

pith_status px_grad_fill(px_grad *grad, px_cpu_level level, pith_error *err)
{
    const px_cpu_level top = px_cpu_detect();
    if (!px_cpu_runs(level, top))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "this machine cannot run kernels of level %s, which need %s; its highest "
                       "level is %s",
                       px_cpu_name(level), px_cpu_text(level), px_cpu_name(top));
    memset(grad, 0, sizeof *grad);
    grad->level = level;
    for (int i = 0; i < N_ADDERS; i++)
        if (px_cpu_runs(ADDERS[i].level, level))
            ADDERS[i].add(grad);
    return PITH_OK;
}

size_t px_grad_attn_scratch(int32_t head_dim, int32_t value_dim)
{
    const int32_t values = (head_dim + ATTN_LANES - 1) / ATTN_LANES * ATTN_LANES +
                           (value_dim + ATTN_LANES - 1) / ATTN_LANES * ATTN_LANES;
    return ATTN_FIXED + (size_t)values * ATTN_A_VALUE;
}
