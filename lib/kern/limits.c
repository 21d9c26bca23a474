/* limits: the loops of each level. See limits.h. */
#include "kern/limits.h"

#include "kern/limits_levels.h"

typedef struct adder {
    px_cpu_level level;
    void (*add)(px_limits *limits);
} adder;

static const adder ADDERS[] = {
    {PX_CPU_REF, px_ref_limits},
#if defined(__x86_64__)
    {PX_CPU_AVX2, px_avx2_limits}, {PX_CPU_AVX512, px_avx512_limits},
    {PX_CPU_VNNI, px_vnni_limits}, {PX_CPU_BF16, px_bf16_limits},
#endif
};

void px_limits_fill(px_limits *out, px_cpu_level level)
{
    *out = (px_limits){0};
    for (size_t i = 0; i < sizeof ADDERS / sizeof ADDERS[0]; i++)
        if (px_cpu_runs(ADDERS[i].level, level))
            ADDERS[i].add(out);
}
