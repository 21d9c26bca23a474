/*
 * kerncheck: every op and dtype at every level that the binary has and the machine runs, against
 * plain C or double arithmetic on the same bytes. Prints TAP, the seed and the levels.
 *
 *   kerncheck [--seed N] [--require LEVEL] [--only TEXT] [--quick 1]
 *
 * --require: a level that this machine must run; without it, a level that the machine lacks is
 * skipped. --only: only points whose name contains TEXT. --quick: fewer and smaller problems, and
 * no products of plain C, which runs without an emulator check.
 */
#include "check.h"

#include "base/dtype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    uint64_t seed;
    const char *require;
    const char *only;
    bool quick;
} options;

typedef struct run {
    options o;
    px_kern ref;
    px_grad grad_ref, grad; // plain C, the level at hand
    int n_points, n_failed;
} run;

static void point(run *r, const px_kern *kern, const char *op, const char *detail,
                  void (*part)(check *))
{
    char name[64];
    snprintf(name, sizeof name, "%s %s%s%s", px_cpu_name(kern->level), op, *detail ? " " : "",
             detail);
    if (r->o.only && !strstr(name, r->o.only))
        return;
    check c = {.kern = kern,
               .ref = &r->ref,
               .grad = &r->grad,
               .grad_ref = &r->grad_ref,
               .random = {.state = r->o.seed},
               .quick = r->o.quick};
    part(&c);
    check_release();
    r->n_points++;
    r->n_failed += c.failed;
    printf("%s %d - %s (%lld compared)\n", c.failed ? "not ok" : "ok", r->n_points, name,
           (long long)c.n_compared);
    if (c.failed)
        printf("# %s: %s\n", name, c.why);
}

/* Parts that take a dtype or a form, as parts that take none. */
#define DTYPE_PARTS(id, value, name, block, bytes, computes) \
    static void mul_##id(check *c)                           \
    {                                                        \
        check_mul(c, id);                                    \
    }                                                        \
    static void decode_##id(check *c)                        \
    {                                                        \
        check_decode(c, id);                                 \
    }                                                        \
    static void forward_##id(check *c)                       \
    {                                                        \
        check_forward(c, id);                                \
    }                                                        \
    static void back_##id(check *c)                          \
    {                                                        \
        check_back(c, id);                                   \
    }
PX_DTYPES(DTYPE_PARTS)

static void pack_f32(check *c)
{
    check_pack(c, PX_ACT_F32);
}

static void pack_bf16(check *c)
{
    check_pack(c, PX_ACT_BF16);
}

static void pack_q8(check *c)
{
    check_pack(c, PX_ACT_Q8);
}

static void pack_q8k(check *c)
{
    check_pack(c, PX_ACT_Q8K);
}

static const struct {
    const char *op, *detail;
    void (*part)(check *);
} PARTS[] = {
    {"pack", "f32", pack_f32},
    {"pack", "bf16", pack_bf16},
    {"pack", "q8", pack_q8},
    {"pack", "q8k", pack_q8k},
    {"rms_norm", "", check_rms_norm},
    {"silu_mul", "", check_silu_mul},
    {"gelu_mul", "", check_gelu_mul},
    {"axpy", "", check_axpy},
    {"rope_pairs", "", check_rope_pairs},
    {"rope_halves", "", check_rope_halves},
    {"store_f32", "", check_store_f32},
    {"store_f16", "", check_store_f16},
    {"store_q8_0", "", check_store_q8_0},
    {"attention", "", check_attention},
    {"grad", "gemm_nt", check_gemm_nt},
    {"grad", "gemm_nn", check_gemm_nn},
    {"grad", "gemm_tn", check_gemm_tn},
    {"grad", "weight_grad", check_weight_grad},
    {"grad", "attention", check_grad_attention},
    {"grad", "attention_back", check_attention_back},
    {"grad", "norm_back", check_norm_back},
    {"grad", "silu_back", check_silu_back},
    {"grad", "gelu_back", check_gelu_back},
    {"grad", "loss", check_loss},
};
enum { N_PARTS = sizeof PARTS / sizeof PARTS[0] };

/* Every row that the table describes must have a part here. */
static void check_covered(run *r, const px_kern *kern)
{
    px_kern_row row;
    for (int i = 0; px_kern_row_at(kern, i, &row); i++) {
        bool covered = strcmp(row.op, "mul") == 0 || strcmp(row.op, "tile") == 0 ||
                       strcmp(row.op, "decode") == 0;
        for (int p = 0; p < N_PARTS; p++)
            covered |= strcmp(PARTS[p].op, row.op) == 0 && strcmp(PARTS[p].detail, row.detail) == 0;
        if (!covered) {
            printf("not ok %d - %s %s has no check\n", ++r->n_points, row.op, row.detail);
            r->n_failed++;
        }
    }
}

static void check_level(run *r, px_cpu_level level)
{
    px_kern kern;
    pith_error err = {0};
    if (px_kern_fill(&kern, level, &err) != PITH_OK) {
        const bool required = r->o.require && strcmp(r->o.require, px_cpu_name(level)) == 0;
        r->n_points++;
        r->n_failed += required;
        printf("%s %d - %s # %s%s\n", required ? "not ok" : "ok", r->n_points, px_cpu_name(level),
               required ? "" : "SKIP ", err.text);
        return;
    }
    if (px_grad_fill(&r->grad, level, &err) != PITH_OK) {
        printf("not ok %d - %s # %s\n", ++r->n_points, px_cpu_name(level), err.text);
        r->n_failed++;
        return;
    }
    printf("# level %s\n", px_cpu_name(level));
    check_covered(r, &kern);
#define DTYPE_POINTS(id, value, name, block, bytes, computes) \
    if (computes) {                                           \
        if (!r->o.quick || level != PX_CPU_REF)               \
            point(r, &kern, "mul", name, mul_##id);           \
        point(r, &kern, "decode", name, decode_##id);         \
        if (!r->o.quick || level != PX_CPU_REF) {             \
            point(r, &kern, "forward", name, forward_##id);   \
            point(r, &kern, "back", name, back_##id);         \
        }                                                     \
    }
    PX_DTYPES(DTYPE_POINTS)
    for (int i = 0; i < N_PARTS; i++)
        point(r, &kern, PARTS[i].op, PARTS[i].detail, PARTS[i].part);
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            o->seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--require") == 0)
            o->require = argv[i + 1];
        else if (strcmp(argv[i], "--only") == 0)
            o->only = argv[i + 1];
        else if (strcmp(argv[i], "--quick") == 0)
            o->quick = strcmp(argv[i + 1], "0") != 0;
        else
            return false;
    }
    return argc % 2 == 1;
}

int main(int argc, char **argv)
{
    run r = {.o = {.seed = 20260103}};
    px_cpu_level level;
    if (!parse(argc, argv, &r.o) || (r.o.require && !px_cpu_find(r.o.require, &level))) {
        fprintf(stderr,
                "usage: kerncheck [--seed N] [--require LEVEL] [--only TEXT] [--quick 1]\n");
        return 2;
    }
    printf("# seed %llu\n", (unsigned long long)r.o.seed);
    if (px_kern_fill(&r.ref, PX_CPU_REF, NULL) != PITH_OK ||
        px_grad_fill(&r.grad_ref, PX_CPU_REF, NULL) != PITH_OK)
        return 1;
    for (level = 0; level < PX_CPU_N; level++)
        if (px_kern_has_level(level))
            check_level(&r, level);
    printf("1..%d\n", r.n_points);
    return r.n_failed > 0;
}
