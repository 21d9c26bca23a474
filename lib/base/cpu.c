/*
 * cpu: see cpu.h. Features are asked of the processor itself: CPUID and XGETBV on x86 (Intel SDM
 * volume 1, chapters 13.1 and 15.2), the kernel's HWCAP words on AArch64. The compiler's
 * __builtin_cpu_supports is not used: its names and its care for the operating system's part differ
 * between compilers. Counting cores is cores.c's.
 */
#include "base/cpu.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const struct {
    const char *name, *text;
} LEVELS[PX_CPU_N] = {
#define LEVEL(id, name, text) {name, text},
    PX_CPU_LEVELS(LEVEL)
#undef LEVEL
};

#if defined(__x86_64__)

typedef struct leaf {
    uint32_t a, b, c, d;
} leaf;

/* All zeros for a leaf that this processor does not have. */
static leaf cpuid(uint32_t number, uint32_t sub)
{
    leaf l = {0};
    if (!__get_cpuid_count(number, sub, &l.a, &l.b, &l.c, &l.d))
        return (leaf){0};
    return l;
}

/* The register states that the operating system saves; 0 when it has not said. */
static uint64_t saved_states(void)
{
    enum { OSXSAVE = 1u << 27 };
    if (!(cpuid(1, 0).c & OSXSAVE))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

px_cpu_level px_cpu_detect(void)
{
    const uint32_t basic_c = 1u << 12 | 1u << 28 | 1u << 29;           // FMA, AVX, F16C
    const uint32_t wide_b = 1u << 3 | 1u << 5 | 1u << 8;               // BMI1, AVX2, BMI2
    const uint32_t f512_b = 1u << 16 | 1u << 17 | 1u << 28 | 3u << 30; // F, DQ, CD, BW, VL
    const uint32_t vnni_c = 1u << 1 | 1u << 11;                        // VBMI, VNNI
    const uint32_t bf16_a = 1u << 5;                                   // in subleaf 1
    const uint64_t ymm = 0x06, zmm = 0xe6; // SSE and AVX; opmask and both parts of ZMM
    uint64_t saved = saved_states();
    leaf seven = cpuid(7, 0);
    if (!has(cpuid(1, 0).c, basic_c) || !has(seven.b, wide_b) || (saved & ymm) != ymm)
        return PX_CPU_REF;
    if (!has(seven.b, f512_b) || (saved & zmm) != zmm)
        return PX_CPU_AVX2;
    if (!has(seven.c, vnni_c))
        return PX_CPU_AVX512;
    return seven.a >= 1 && has(cpuid(7, 1).a, bf16_a) ? PX_CPU_BF16 : PX_CPU_VNNI;
}

#elif defined(__aarch64__) && defined(__linux__)

px_cpu_level px_cpu_detect(void)
{
    /* Bits of arch/arm64/include/uapi/asm/hwcap.h. */
    const unsigned long neon = 1ul << 1, half = 1ul << 9 | 1ul << 10, dotprod = 1ul << 20;
    const unsigned long i8mm = 1ul << 13, bf16 = 1ul << 14; // of the second word
    unsigned long one = getauxval(AT_HWCAP), two = getauxval(AT_HWCAP2);
    if (!(one & neon))
        return PX_CPU_REF;
    if (!(one & dotprod) || (one & half) != half)
        return PX_CPU_NEON;
    return (two & i8mm) && (two & bf16) ? PX_CPU_I8MM : PX_CPU_DOTPROD;
}

#elif defined(__aarch64__)

px_cpu_level px_cpu_detect(void)
{
    return PX_CPU_NEON; // part of the architecture; what lies above it, Linux alone is asked for
}

#else

px_cpu_level px_cpu_detect(void)
{
    return PX_CPU_REF;
}

#endif

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

/* ---- the model's name */

/* Copies a name into text[n]: printable ASCII only, no spaces at the ends, single ones within.
 * False when nothing is left. */
static bool set_name(const char *from, size_t len, char *text, size_t n)
{
    size_t to = 0;
    bool gap = false;
    for (size_t i = 0; i < len && from[i] && to + 2 < n; i++) {
        if (from[i] <= ' ' || from[i] > '~') {
            gap = to > 0;
            continue;
        }
        if (gap)
            text[to++] = ' ';
        gap = false;
        text[to++] = from[i];
    }
    text[to] = '\0';
    return to > 0;
}

#if defined(__x86_64__)

static bool system_name(char *text, size_t n)
{
    const uint32_t first = 0x80000002, last = 0x80000004;
    leaf brand[3];
    if (cpuid(0x80000000, 0).a < last)
        return false;
    for (uint32_t number = first; number <= last; number++)
        brand[number - first] = cpuid(number, 0);
    return set_name((const char *)brand, sizeof brand, text, n);
}

#else

/* The first bytes of a small file; 0 when it cannot be read. */
static size_t read_start(const char *path, char *out, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, out, n);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

static bool system_name(char *text, size_t n)
{
    char bytes[256];
    size_t got = read_start("/sys/firmware/devicetree/base/model", bytes, sizeof bytes);
    if (got == 0)
        got = read_start("/sys/devices/virtual/dmi/id/product_name", bytes, sizeof bytes);
    return set_name(bytes, got, text, n);
}

#endif

void px_cpu_model(char *text, int n)
{
    if (n < 1)
        return;
    if (!system_name(text, (size_t)n))
        set_name("unknown", 7, text, (size_t)n);
}
