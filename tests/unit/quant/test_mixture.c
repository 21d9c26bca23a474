/* Which type each tensor gets: against what llama.cpp's quantizer wrote for the same shapes
 * (tests/golden/quant/plans.txt), and what the caller asks for over it. */
#include "../format/gguf_bytes.h"

#include "format/gguf_write.h"
#include "quant/mixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1024 };

/* A model of the shape that a line of plans.txt states, without data: planning reads none. */
typedef struct shape {
    char name[64], arch[32];
    int64_t layers, heads, kv_heads;
    px_tensor tensors[MOST];
    char names[MOST][64];
    int n;
} shape;

static void put(px_gguf_writer *w, const shape *s, const char *key, int64_t v)
{
    pith_error err;
    assert_ok(px_gguf_set_u32(w, test_format("%s.%s", s->arch, key), (uint32_t)v, &err));
}

/* The shape as a file, opened. */
static px_source *open_shape(const shape *s)
{
    pith_error err;
    px_gguf_writer *w;
    px_source *source;
    const char *path = test_temp("shape.gguf");
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    assert_ok(px_gguf_set_str(w, "general.architecture", px_str_of(s->arch), &err));
    put(w, s, "block_count", s->layers);
    put(w, s, "attention.head_count", s->heads);
    put(w, s, "attention.head_count_kv", s->kv_heads);
    for (int i = 0; i < s->n; i++)
        assert_ok(px_gguf_add_tensor(w, s->names[i], PX_F16, 2, s->tensors[i].ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    static const uint8_t zeros[1 << 23];
    for (int i = 0; i < s->n; i++)
        assert_ok(px_gguf_write_data(
            w, zeros, (size_t)(2 * s->tensors[i].ne[0] * s->tensors[i].ne[1]), &err));
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);
    assert_ok(px_source_open(path, NULL, &source, &err));
    return source;
}

/* Where rows do not fit q2_k or q3_k, llama.cpp takes q4_0; iq4_nl has the same size and a tenth
 * less error. */
static bool better_fallback(const char *ours, const char *theirs)
{
    return strcmp(ours, "iq4_nl") == 0 && strcmp(theirs, "q4_0") == 0;
}

/* Holds the plan of a mixture against "TYPE*N TYPE*N ..". */
static void compare(const shape *s, const px_source *source, const char *mixture, char *runs)
{
    static px_dtype types[MOST];
    static px_type_note notes[MOST];
    const px_mixture_options none = {0};
    pith_error err;
    const px_mixture *m = px_mixture_find(mixture);
    assert_non_null(m);
    assert_ok(px_mixture_plan(m, source, &none, types, notes, &err));
    int at = 0;
    char *save;
    for (char *run = strtok_r(runs, " ", &save); run; run = strtok_r(NULL, " ", &save)) {
        char *star = strchr(run, '*');
        assert_non_null(star);
        *star = 0;
        for (int k = atoi(star + 1); k > 0; k--, at++) {
            const char *ours = px_dtype_name((uint32_t)types[at]);
            if (strcmp(ours, run) != 0 &&
                !(better_fallback(ours, run) && notes[at] == PX_TYPE_FALLBACK))
                fail_msg("%s %s: %s is %s, llama.cpp has %s", s->name, mixture, s->names[at], ours,
                         run);
        }
    }
    assert_int_equal(at, s->n);
}

static void equal_llama_cpp(void **state)
{
    (void)state;
    static shape s;
    px_source *source = NULL;
    int n_models = 0, n_plans = 0;
    char *save, *text = test_read(test_source("tests/golden/quant/plans.txt"), NULL);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[64];
        long long a, b, c;
        int at = 0;
        if (sscanf(line, "tensor %63s %lld %lld", name, &a, &b) == 3) {
            assert_in_range(s.n, 0, MOST - 1);
            snprintf(s.names[s.n], sizeof s.names[0], "%s", name);
            s.tensors[s.n] = (px_tensor){.ne = {a, b, 1, 1}};
            s.n++;
        } else if (sscanf(line, "mixture %63s %n", name, &at) == 1) {
            if (!source)
                source = open_shape(&s);
            compare(&s, source, name, line + at);
            n_plans++;
        } else {
            px_source_close(source);
            source = NULL;
            s.n = 0;
            n_models++;
            assert_int_equal(
                sscanf(line, "model %63s %31s %lld %lld %lld", s.name, s.arch, &a, &b, &c), 5);
            s.layers = a;
            s.heads = b;
            s.kv_heads = c;
        }
    }
    px_source_close(source);
    assert_int_equal(n_models, 11);
    assert_int_equal(n_plans, 11 * 19);
}

static const char *const NAMES[] = {
    "token_embd.weight",         "output.weight",          "blk.0.attn_q.weight",
    "blk.0.attn_v.weight",       "blk.0.attn_norm.weight", "blk.1.ffn_down.weight",
    "blk.1.ffn_gate_inp.weight",
};
enum { N_NAMES = sizeof NAMES / sizeof NAMES[0] };

static px_source *small_model(void)
{
    static shape s;
    memset(&s, 0, sizeof s);
    strcpy(s.arch, "llama");
    s.layers = 2;
    s.heads = s.kv_heads = 4;
    for (s.n = 0; s.n < N_NAMES; s.n++) {
        strcpy(s.names[s.n], NAMES[s.n]);
        s.tensors[s.n] = (px_tensor){.ne = {s.n == 5 ? 288 : 256, 8, 1, 1}};
    }
    return open_shape(&s);
}

static void options_decide(void **state)
{
    (void)state;
    static const struct {
        const char *mixture;
        px_mixture_options o;
        px_dtype types[N_NAMES];
    } CASES[] = {
        {"q4_k_m", {0}, {PX_Q4_K, PX_Q6_K, PX_Q4_K, PX_Q6_K, PX_F16, PX_Q8_0, PX_F16}},
        {"Q4_K", {.pure = true}, {PX_Q4_K, PX_Q4_K, PX_Q4_K, PX_Q4_K, PX_F16, PX_Q5_0, PX_F16}},
        {"q8_0",
         {.keep_output = true},
         {PX_Q8_0, PX_F16, PX_Q8_0, PX_Q8_0, PX_F16, PX_Q8_0, PX_F16}},
        {"q4_0",
         {.output_set = true, .output_type = PX_Q8_0, .embed_set = true, .embed_type = PX_F32},
         {PX_F32, PX_Q8_0, PX_Q4_0, PX_Q4_0, PX_F16, PX_Q4_0, PX_F16}},
        {"f16", {0}, {PX_F16, PX_F16, PX_F16, PX_F16, PX_F16, PX_F16, PX_F16}},
        {"nf4", {0}, {PX_NF4, PX_NF4, PX_NF4, PX_NF4, PX_F16, PX_IQ4_NL, PX_F16}},
        {"mxfp4", {0}, {PX_MXFP4, PX_Q8_0, PX_MXFP4, PX_MXFP4, PX_F16, PX_MXFP4, PX_F16}},
    };
    px_source *source = small_model();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        px_dtype types[N_NAMES];
        px_type_note notes[N_NAMES];
        pith_error err;
        assert_ok(px_mixture_plan(px_mixture_find(CASES[i].mixture), source, &CASES[i].o, types,
                                  notes, &err));
        for (int k = 0; k < N_NAMES; k++)
            if (types[k] != CASES[i].types[k])
                fail_msg("%s: %s is %s, expected %s", CASES[i].mixture, NAMES[k],
                         px_dtype_name((uint32_t)types[k]),
                         px_dtype_name((uint32_t)CASES[i].types[k]));
        assert_int_equal(notes[4], PX_TYPE_NO_MATRIX);
        assert_int_equal(notes[6], PX_TYPE_NO_MATRIX);
    }
    px_source_close(source);
}

static px_type_rule rule(const char *pattern, px_dtype type)
{
    return (px_type_rule){.pattern = pattern, .pattern_len = strlen(pattern), .type = type};
}

static void patterns_decide(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        unsigned matched; // bit k: tensor k
    } CASES[] = {
        {"attn", 0x0c},   {"blk.?.attn_*", 0x0c}, {"*", 0x2f},          {"*.weight", 0x2f},
        {"*weigh", 0x00}, {"blk.0*v*t", 0x08},    {"output.weight", 2}, {"out?ut*", 2},
        {"nothing", 0},   {"?????.weight", 0},    {"blk.*q*", 0x04},    {"*a*t*t*_*v*.*", 0x08},
    };
    px_source *source = small_model();
    pith_error err;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        px_dtype types[N_NAMES];
        px_type_note notes[N_NAMES];
        px_type_rule r = rule(CASES[i].pattern, PX_BF16);
        px_mixture_options o = {.rules = &r, .n_rules = 1};
        assert_ok(px_mixture_plan(px_mixture_find("q8_0"), source, &o, types, notes, &err));
        unsigned matched = 0;
        for (int k = 0; k < N_NAMES; k++)
            matched |= (unsigned)(notes[k] == PX_TYPE_ASKED && types[k] == PX_BF16) << k;
        if (matched != CASES[i].matched)
            fail_msg("'%s' matches %#x, expected %#x", CASES[i].pattern, matched, CASES[i].matched);
    }
    px_source_close(source);
}

static void first_rule_wins_and_must_fit(void **state)
{
    (void)state;
    px_source *source = small_model();
    px_dtype types[N_NAMES];
    px_type_note notes[N_NAMES];
    pith_error err;
    const px_type_rule rules[] = {rule("ffn_down", PX_Q5_1), rule("blk", PX_F32)};
    px_mixture_options o = {.rules = rules, .n_rules = 2};
    assert_ok(px_mixture_plan(px_mixture_find("q4_k_m"), source, &o, types, notes, &err));
    assert_int_equal(types[5], PX_Q5_1);
    assert_int_equal(types[2], PX_F32);
    const px_type_rule bad = rule("ffn_down", PX_Q6_K);
    o = (px_mixture_options){.rules = &bad, .n_rules = 1};
    assert_refused(px_mixture_plan(px_mixture_find("q4_k_m"), source, &o, types, notes, &err),
                   PITH_E_ARGUMENT, "'blk.1.ffn_down.weight' has rows of 288 values, which q6_k");
    px_source_close(source);
}

/* With an importance matrix the rules of the plain formats change. */
static void importance_changes_rules(void **state)
{
    (void)state;
    static shape s;
    memset(&s, 0, sizeof s);
    strcpy(s.arch, "llama");
    s.layers = 16;
    s.heads = s.kv_heads = 4;
    for (s.n = 0; s.n < 16; s.n++) {
        snprintf(s.names[s.n], sizeof s.names[0], "blk.%d.ffn_down.weight", s.n);
        s.tensors[s.n] = (px_tensor){.ne = {256, 8, 1, 1}};
    }
    px_source *source = open_shape(&s);
    px_dtype types[16];
    px_type_note notes[16];
    pith_error err;
    const px_mixture_options with = {.has_importance = true}, without = {0};
    assert_ok(px_mixture_plan(px_mixture_find("q4_0"), source, &with, types, notes, &err));
    for (int i = 0; i < 16; i++)
        assert_int_equal(types[i], i < 2 ? PX_Q4_1 : PX_Q4_0);
    assert_ok(px_mixture_plan(px_mixture_find("iq4_xs"), source, &without, types, notes, &err));
    for (int i = 0; i < 16; i++)
        assert_int_equal(types[i], i < 2 ? PX_Q5_K : PX_IQ4_XS);
    assert_ok(px_mixture_plan(px_mixture_find("iq4_xs"), source, &with, types, notes, &err));
    for (int i = 0; i < 16; i++)
        assert_int_equal(types[i], PX_IQ4_XS);
    px_source_close(source);
}

static void names_are_known(void **state)
{
    (void)state;
    assert_ptr_equal(px_mixture_find("q5_k"), px_mixture_find("Q5_K_M"));
    assert_null(px_mixture_find("q4"));
    assert_null(px_mixture_find(""));
    assert_null(px_mixture_get(-1));
    int n = 0;
    for (; px_mixture_get(n); n++)
        assert_ptr_equal(px_mixture_find(px_mixture_name(px_mixture_get(n))), px_mixture_get(n));
    assert_int_equal(n, 22);
    assert_int_equal(px_mixture_file_type(px_mixture_find("q4_k_m")), 15);
    assert_int_equal(px_mixture_file_type(px_mixture_find("bf16")), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_llama_cpp),          cmocka_unit_test(options_decide),
        cmocka_unit_test(patterns_decide),          cmocka_unit_test(first_rule_wins_and_must_fit),
        cmocka_unit_test(importance_changes_rules), cmocka_unit_test(names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
