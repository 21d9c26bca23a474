/* peaks: see peaks.h. The caller has asked whether the machine has the instructions. */
#include "peaks.h"

#include <stdint.h>

#if defined(__x86_64__)
/* Twelve independent sums hide the latency. Written in assembly, so that no compiler keeps them in
 * memory or sees that nobody wants them; registers 12 to 15 hold whatever they held, made whole
 * numbers, since denormal ones would be slow. */
enum { CHAINS = 12 };
#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define BUSY                                                                                 \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define CLEAR(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"

#define LOOP(name, X)                                                                    \
    static void name(long rounds)                                                        \
    {                                                                                    \
        __asm__ volatile(TWELVE(CLEAR) CLEAR(12) CLEAR(13) CLEAR(14)                     \
                             CLEAR(15) "1:\n" TWELVE(X) "dec %0\n jnz 1b\n vzeroupper\n" \
                         : "+r"(rounds)                                                  \
                         :                                                               \
                         : "cc", BUSY);                                                  \
    }

#define VNNI(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n"
LOOP(int8_vnni, VNNI)

#define MADD512(i)                           \
    "vpmaddubsw %%zmm12, %%zmm13, %%zmm14\n" \
    "vpmaddwd %%zmm14, %%zmm15, %%zmm14\n"   \
    "vpaddd %%zmm14, %%zmm" #i ", %%zmm" #i "\n"
LOOP(int8_avx512, MADD512)

#define MADD256(i)                           \
    "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n" \
    "vpmaddwd %%ymm14, %%ymm15, %%ymm14\n"   \
    "vpaddd %%ymm14, %%ymm" #i ", %%ymm" #i "\n"
LOOP(int8_avx2, MADD256)

#define FMA512(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n"
LOOP(f32_avx512, FMA512)

#define FMA256(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n"
LOOP(f32_avx2, FMA256)

double peak_int8(px_cpu_level level, long rounds)
{
    if (px_cpu_runs(PX_CPU_VNNI, level)) {
        int8_vnni(rounds);
        return (double)rounds * CHAINS * 64 * 2;
    }
    if (px_cpu_runs(PX_CPU_AVX512, level)) {
        int8_avx512(rounds);
        return (double)rounds * CHAINS * 64 * 2;
    }
    if (px_cpu_runs(PX_CPU_AVX2, level)) {
        int8_avx2(rounds);
        return (double)rounds * CHAINS * 32 * 2;
    }
    return 0;
}

double peak_f32(px_cpu_level level, long rounds)
{
    if (px_cpu_runs(PX_CPU_AVX512, level)) {
        f32_avx512(rounds);
        return (double)rounds * CHAINS * 16 * 2;
    }
    if (px_cpu_runs(PX_CPU_AVX2, level)) {
        f32_avx2(rounds);
        return (double)rounds * CHAINS * 8 * 2;
    }
    return 0;
}
#else
double peak_int8(px_cpu_level level, long rounds)
{
    (void)level;
    (void)rounds;
    return 0;
}

double peak_f32(px_cpu_level level, long rounds)
{
    (void)level;
    (void)rounds;
    return 0;
}
#endif

double peak_read(const void *p, size_t n)
{
    typedef uint64_t line __attribute__((vector_size(64), aligned(64)));
    const size_t quarter = n / 4;
    const uint8_t *from = p;
    line sum = {0};
    for (size_t i = 0; i < quarter; i += 64)
        for (size_t s = 0; s < 4; s++) {
            const uint8_t *at = from + s * quarter + i;
            __builtin_prefetch(at + 2048, 0, 0);
            sum += *(const line *)(const void *)at;
        }
    __asm__ volatile("" : : "m"(sum));
    return (double)n;
}
