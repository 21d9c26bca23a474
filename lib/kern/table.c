/*
 * table: filling and describing px_kern. See ops.h.
 *
 * Which level an entry came from is not stored: it is the lowest level whose filled table has the
 * same function there.
 */
#include "kern/act.h"
#include "kern/levels.h"

#include <assert.h>
#include <string.h>

/* ---- slots */

static const px_dtype SLOTS[] = {
#define SLOT(id, value, name, block, bytes, computes) id,
    PX_DTYPES(SLOT)
#undef SLOT
};
enum { N_SLOTS = sizeof SLOTS / sizeof SLOTS[0] };
static_assert((int)N_SLOTS <= (int)PX_KERN_DTYPES, "more dtypes than slots");

int px_kern_slot(px_dtype dtype)
{
    for (int i = 0; i < N_SLOTS; i++)
        if (SLOTS[i] == dtype)
            return px_dtype_get((uint32_t)dtype)->computes ? i : -1;
    return -1;
}

/* ---- filling */

typedef struct adder {
    px_cpu_level level;
    void (*add)(px_kern *kern);
} adder;

static const adder ADDERS[] = {
    {PX_CPU_REF, px_kern_add_ref},
#if defined(__x86_64__)
    {PX_CPU_AVX2, px_kern_add_avx2}, {PX_CPU_AVX512, px_kern_add_avx512},
    {PX_CPU_VNNI, px_kern_add_vnni}, {PX_CPU_BF16, px_kern_add_bf16},
#elif defined(__aarch64__)
    {PX_CPU_NEON, px_kern_add_neon},
    {PX_CPU_DOTPROD, px_kern_add_dotprod},
    {PX_CPU_I8MM, px_kern_add_i8mm},
#endif
};
enum { N_ADDERS = sizeof ADDERS / sizeof ADDERS[0] };

bool px_kern_has_level(px_cpu_level level)
{
    for (int i = 0; i < N_ADDERS; i++)
        if (ADDERS[i].level == level)
            return true;
    return false;
}

static void fill(px_kern *kern, px_cpu_level level)
{
    memset(kern, 0, sizeof *kern);
    kern->level = level;
    kern->scratch_bytes = PX_KERN_SCRATCH;
    for (int i = 0; i < N_ADDERS; i++)
        if (px_cpu_runs(ADDERS[i].level, level))
            ADDERS[i].add(kern);
}

pith_status px_kern_fill(px_kern *kern, px_cpu_level level, pith_error *err)
{
    const px_cpu_level top = px_cpu_detect();
    if (!px_cpu_runs(level, top))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "this machine cannot run kernels of level %s, which need %s; its highest "
                       "level is %s",
                       px_cpu_name(level), px_cpu_text(level), px_cpu_name(top));
    fill(kern, level);
    return PITH_OK;
}

/* ---- activations */

size_t px_act_column_bytes(px_act_form form, int64_t k)
{
    switch (form) {
    case PX_ACT_F32:
        return px_act_padded(px_act_after(k, 4));
    case PX_ACT_BF16:
        return px_act_padded(px_act_after(k, 2));
    case PX_ACT_Q8:
        return px_q8_bytes(k);
    case PX_ACT_Q8K:
        return px_q8k_bytes(k);
    default:
        return 0;
    }
}

/* ---- rows for people */

typedef struct entry {
    const char *op;
    size_t offset; // of the function in px_kern
} entry;

static const entry BY_DTYPE[] = {
    {"mul", offsetof(px_kern, mul)},
    {"tile", offsetof(px_kern, tile)},
    {"decode", offsetof(px_kern, decode)},
};
enum { N_BY_DTYPE = sizeof BY_DTYPE / sizeof BY_DTYPE[0] };

static const entry SINGLE[] = {
    {"rms_norm", offsetof(px_kern, rms_norm)},     {"silu_mul", offsetof(px_kern, silu_mul)},
    {"gelu_mul", offsetof(px_kern, gelu_mul)},     {"axpy", offsetof(px_kern, axpy)},
    {"rope_pairs", offsetof(px_kern, rope_pairs)}, {"rope_halves", offsetof(px_kern, rope_halves)},
    {"store_f32", offsetof(px_kern, store_f32)},   {"store_f16", offsetof(px_kern, store_f16)},
    {"store_q8_0", offsetof(px_kern, store_q8_0)}, {"attention", offsetof(px_kern, attention)},
};
enum { N_SINGLE = sizeof SINGLE / sizeof SINGLE[0] };

typedef void (*any_fn)(void);

static any_fn function_at(const px_kern *kern, size_t offset)
{
    any_fn f;
    memcpy(&f, (const char *)kern + offset, sizeof f);
    return f;
}

static px_cpu_level level_of(const px_kern *kern, size_t offset)
{
    for (int i = 0; i < N_ADDERS; i++) {
        px_kern lower;
        if (!px_cpu_runs(ADDERS[i].level, kern->level))
            continue;
        fill(&lower, ADDERS[i].level);
        if (function_at(&lower, offset) == function_at(kern, offset))
            return ADDERS[i].level;
    }
    return kern->level;
}

static bool set_row(const px_kern *kern, const char *op, const char *detail, size_t offset,
                    px_kern_row *out)
{
    *out = (px_kern_row){op, detail, level_of(kern, offset)};
    return true;
}

bool px_kern_row_at(const px_kern *kern, int i, px_kern_row *out)
{
    if (i < 0)
        return false;
    static const char *const FORM_NAMES[PX_ACT_FORMS] = {"f32", "bf16", "q8", "q8k"};
    for (int o = 0; o < N_BY_DTYPE; o++) {
        for (int slot = 0; slot < N_SLOTS; slot++) {
            const size_t at = BY_DTYPE[o].offset + (size_t)slot * sizeof(any_fn);
            if (px_kern_slot(SLOTS[slot]) < 0 || !function_at(kern, at) || i-- != 0)
                continue;
            return set_row(kern, BY_DTYPE[o].op, px_dtype_name((uint32_t)SLOTS[slot]), at, out);
        }
    }
    if (i < PX_ACT_FORMS)
        return set_row(kern, "pack", FORM_NAMES[i],
                       offsetof(px_kern, pack) + (size_t)i * sizeof(px_pack_fn), out);
    i -= PX_ACT_FORMS;
    if (i < N_SINGLE)
        return set_row(kern, SINGLE[i].op, "", SINGLE[i].offset, out);
    return false;
}
