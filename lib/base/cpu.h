/*
 * cpu: what this processor and this operating system can run, and the levels at which kernels are
 * written.
 *
 * A level is a promise: a kernel file of level L may use the features of L and of every level
 * before it in the same architecture, nothing else. A feature counts only when the CPU reports it
 * and the OS saves its registers (XCR0).
 */
#ifndef PX_BASE_CPU_H
#define PX_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Levels, lowest first within an architecture: name as --cpu takes it, features needed on top of
 * the one before. */
#define PX_CPU_LEVELS(X)                                               \
    X(PX_CPU_REF, "ref", "plain C")                                    \
    X(PX_CPU_AVX2, "avx2", "AVX2, FMA, F16C, BMI2")                    \
    X(PX_CPU_AVX512, "avx512", "AVX-512 F, BW, DQ, VL, CD")            \
    X(PX_CPU_VNNI, "avx512vnni", "AVX-512 VNNI, VBMI")                 \
    X(PX_CPU_BF16, "avx512bf16", "AVX-512 BF16")                       \
    X(PX_CPU_NEON, "neon", "Advanced SIMD, half-precision conversion") \
    X(PX_CPU_DOTPROD, "dotprod", "NEON dot product, FP16 arithmetic")  \
    X(PX_CPU_I8MM, "i8mm", "NEON int8 matrix multiply, BF16")

typedef enum px_cpu_level {
#define PX_CPU_ENUM(id, name, text) id,
    PX_CPU_LEVELS(PX_CPU_ENUM)
#undef PX_CPU_ENUM
        PX_CPU_N
} px_cpu_level;

/* The highest level that this machine runs. */
px_cpu_level px_cpu_detect(void);

/* Whether a kernel of this level may run when `top` is the chosen level: same architecture and not
 * above it. */
bool px_cpu_runs(px_cpu_level level, px_cpu_level top);

/* "avx2" for PX_CPU_AVX2; what it needs, in words. Static storage. */
const char *px_cpu_name(px_cpu_level level);
const char *px_cpu_text(px_cpu_level level);

/* The level of that name; false when there is none. */
bool px_cpu_find(const char *name, px_cpu_level *out);

/* The processor's name as it or the system reports it, or "unknown", in printable ASCII; fills
 * text[n]. */
void px_cpu_model(char *text, int n);

/* Cores: `physical` cores that this process may run on (affinity and cgroup quota counted), and
 * `logical` ones. At least 1 each. Reads files of /proc and /sys: some tens of microseconds a core.
 */
typedef struct px_cpu_cores {
    int physical;
    int logical;
} px_cpu_cores;
px_cpu_cores px_cpu_count(void);

#endif
