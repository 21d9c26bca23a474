/* cpu: see cpu.h. */
#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} LEVELS[PX_CPU_N] = {
#define LEVEL(id, name, text) {name, text},
    PX_CPU_LEVELS(LEVEL)
#undef LEVEL
};

px_cpu_level px_cpu_detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return PX_CPU_REF;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return PX_CPU_AVX2;
    if (!__builtin_cpu_supports("avx512vnni") || !__builtin_cpu_supports("avx512vbmi"))
        return PX_CPU_AVX512;
    return __builtin_cpu_supports("avx512bf16") ? PX_CPU_BF16 : PX_CPU_VNNI;
#else
    return PX_CPU_REF;
#endif
}

bool px_cpu_runs(px_cpu_level level, px_cpu_level top)
{
    if (level == PX_CPU_REF)
        return true;
    return (level < PX_CPU_NEON) == (top < PX_CPU_NEON) && level <= top;
}

const char *px_cpu_name(px_cpu_level level)
{
    return LEVELS[level].name;
}

const char *px_cpu_text(px_cpu_level level)
{
    return LEVELS[level].text;
}

bool px_cpu_find(const char *name, px_cpu_level *out)
{
    for (int i = 0; i < PX_CPU_N; i++) {
        if (strcmp(LEVELS[i].name, name) == 0) {
            *out = (px_cpu_level)i;
            return true;
        }
    }
    return false;
}

/* Logical processors that this process may run on. */
static int count_allowed(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

px_cpu_cores px_cpu_count(void)
{
    int n = count_allowed();
    return (px_cpu_cores){.physical = n, .logical = n};
}

void px_cpu_model(char *text, int n)
{
    snprintf(text, (size_t)n, "unknown");
}
