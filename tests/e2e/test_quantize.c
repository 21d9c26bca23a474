/* quantize: pith quantize, its --compare, and pith imatrix, as a user runs them. */
#include "../unit/format/gguf_bytes.h"

#include "pith.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char TEXT[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park "
    "with her friends. One day, she saw a big dog near the tree. The dog was sad because he lost "
    "his ball. Lily wanted to help him. She looked under the bench and behind the slide.";

static const char *stories(void)
{
    return test_shared("models/stories260K.gguf");
}

static const char *text_file(void)
{
    const char *path = test_temp("text");
    test_write(path, TEXT, sizeof TEXT - 1);
    return path;
}

static json_t *ok_json(test_result r)
{
    json_error_t je;
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    json_t *v = json_loads(r.out, 0, &je);
    if (!v)
        fail_msg("not JSON: %s: %s", je.text, r.out);
    return v;
}

static void expect_fail(test_result r, pith_status status, const char *part)
{
    if (r.exit_code != pith_status_exit_code(status) || !strstr(r.err, part))
        fail_msg("exit code %d, expected %d with '%s': %s", r.exit_code,
                 pith_status_exit_code(status), part, r.err);
    assert_string_equal(r.out, "");
}

static const char *text_of(json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static double real_of(json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* The object of a tensor in "tensors". */
static json_t *tensor_of(json_t *o, const char *name)
{
    json_t *t;
    size_t i;
    json_array_foreach(json_object_get(o, "tensors"), i,
                       t) if (strcmp(text_of(t, "name"), name) == 0) return t;
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static void writes_what_it_plans(void **state)
{
    (void)state;
    const char *out = test_temp("q8.gguf");
    json_t *plan =
        ok_json(test_pith(NULL, "quantize", stories(), "q8_0", "--dry-run", "--json", NULL));
    json_t *done = ok_json(test_pith(NULL, "quantize", stories(), out, "q8_0", "--json", NULL));
    assert_true(json_is_null(json_object_get(plan, "path")));
    assert_string_equal(text_of(done, "path"), out);
    assert_true(json_equal(json_object_get(plan, "tensors"), json_object_get(done, "tensors")));
    assert_true(real_of(plan, "out_bytes") == real_of(done, "out_bytes"));
    assert_string_equal(text_of(done, "type"), "q8_0");
    assert_string_equal(text_of(tensor_of(done, "blk.0.attn_q.weight"), "to"), "q8_0");
    assert_string_equal(text_of(tensor_of(done, "blk.0.attn_norm.weight"), "to"), "f32");
    /* ffn_down has 172 columns: no multiple of 32 */
    assert_string_equal(text_of(tensor_of(done, "blk.0.ffn_down.weight"), "to"), "f16");
    assert_string_equal(text_of(tensor_of(done, "blk.0.ffn_down.weight"), "note"),
                        "rows do not fit");
    struct stat st;
    assert_int_equal(stat(out, &st), 0);
    assert_true((double)st.st_size > real_of(done, "out_bytes"));
    json_decref(plan);
    json_decref(done);
    /* It answers as the original does. */
    test_result a =
        test_pith(NULL, "run", stories(), "Once upon a time", "-n", "16", "--temp", "0", NULL);
    test_result b =
        test_pith(NULL, "run", out, "Once upon a time", "-n", "16", "--temp", "0", NULL);
    assert_int_equal(b.exit_code, 0);
    assert_string_equal(a.out, b.out);
    test_result table = test_pith(NULL, "quantize", stories(), "q4_0", "--dry-run", NULL);
    assert_non_null(strstr(table.out, "blk.4.attn_v.weight"));
    assert_non_null(strstr(table.out, "q4_0: "));
}

/* A folder of safetensors becomes the same bytes as the GGUF file that it converts to, tokenizer
 * and all. */
static void folders_too(void **state)
{
    (void)state;
    const char *folder = test_source("tests/golden/models/wide");
    const char *f32 = test_temp("wide-f32.gguf");
    const char *a = test_temp("wide-a.gguf"), *b = test_temp("wide-b.gguf");
    size_t n_a, n_b;
    assert_int_equal(test_pith(NULL, "convert", folder, f32, "--type", "f32", NULL).exit_code, 0);
    assert_int_equal(test_pith(NULL, "quantize", folder, a, "q4_k_m", NULL).exit_code, 0);
    assert_int_equal(test_pith(NULL, "quantize", f32, b, "q4_k_m", NULL).exit_code, 0);
    const char *bytes_a = test_read(a, &n_a), *bytes_b = test_read(b, &n_b);
    test_result x = test_pith("the cat", "tokenize", a, NULL);
    test_result y = test_pith("the cat", "tokenize", f32, NULL);
    assert_int_equal(x.exit_code, 0);
    assert_string_equal(x.out, y.out);
    /* Keys may stand in another order; tensors follow them. */
    assert_int_equal(n_a, n_b);
    const size_t tail = n_a / 2;
    assert_memory_equal(bytes_a + n_a - tail, bytes_b + n_b - tail, tail);
}

static void options_reach_the_plan(void **state)
{
    (void)state;
    json_t *o = ok_json(test_pith(NULL, "quantize", stories(), "q4_0", "-n", "--json",
                                  "--tensor-type", "attn_k=q8_0", "--tensor-type",
                                  "blk.1.*_v.*=f16", "--token-embd-type", "q5_1", NULL));
    assert_string_equal(text_of(tensor_of(o, "blk.3.attn_k.weight"), "to"), "q8_0");
    assert_string_equal(text_of(tensor_of(o, "blk.1.attn_v.weight"), "to"), "f16");
    assert_string_equal(text_of(tensor_of(o, "blk.2.attn_v.weight"), "to"), "q4_0");
    assert_string_equal(text_of(tensor_of(o, "token_embd.weight"), "to"), "q5_1");
    json_decref(o);
}

static void compares(void **state)
{
    (void)state;
    const char *q8 = test_temp("c8.gguf"), *q4 = test_temp("c4.gguf"), *text = text_file();
    assert_int_equal(test_pith(NULL, "quantize", stories(), q8, "q8_0", NULL).exit_code, 0);
    assert_int_equal(test_pith(NULL, "quantize", stories(), q4, "q4_0", NULL).exit_code, 0);
    json_t *same = ok_json(
        test_pith(NULL, "quantize", stories(), "--compare", stories(), "-f", text, "--json", NULL));
    json_t *fine = ok_json(test_pith(TEXT, "quantize", q8, "--compare", stories(), "--json", NULL));
    json_t *rough = ok_json(
        test_pith(NULL, "quantize", q4, "--compare", stories(), "-f", text, "--json", NULL));
    json_t *kl0 = json_object_get(same, "kl"), *kl8 = json_object_get(fine, "kl"),
           *kl4 = json_object_get(rough, "kl");
    assert_true(real_of(kl0, "max") < 1e-9);
    assert_true(real_of(same, "same_top") == 1.0);
    assert_true(real_of(kl8, "mean") > 1e-5 && real_of(kl8, "mean") < 0.01);
    assert_true(real_of(kl4, "mean") > 5 * real_of(kl8, "mean"));
    assert_true(real_of(kl4, "median") <= real_of(kl4, "p99"));
    assert_true(real_of(kl4, "p99") <= real_of(kl4, "max"));
    /* The perplexity is that of `pith score` over the same windows: each text token after bos. */
    json_t *score = ok_json(
        test_pith(TEXT, "score", stories(), "--window", "128", "--stride", "127", "--json", NULL));
    assert_true(real_of(score, "n_tokens") == real_of(rough, "tokens"));
    const double a = real_of(score, "perplexity");
    const double b = real_of(json_object_get(rough, "reference"), "perplexity");
    if (!(fabs(a - b) <= 1e-4 * a))
        fail_msg("perplexity %.9g, pith score says %.9g", b, a);
    test_result table = test_pith(TEXT, "quantize", q4, "--compare", stories(), NULL);
    assert_non_null(strstr(table.out, "KL divergence  mean"));
    json_decref(same);
    json_decref(fine);
    json_decref(rough);
    json_decref(score);
}

static void importance_helps(void **state)
{
    (void)state;
    const char *im = test_temp("im.gguf"), *text = text_file();
    const char *plain = test_temp("plain.gguf"), *weighed = test_temp("weighed.gguf");
    json_t *made =
        ok_json(test_pith(NULL, "imatrix", stories(), "-f", text, "-o", im, "--json", NULL));
    assert_true(real_of(made, "matrices") == 35);
    json_decref(made);
    assert_int_equal(test_pith(NULL, "quantize", stories(), plain, "q4_1", NULL).exit_code, 0);
    json_t *done = ok_json(
        test_pith(NULL, "quantize", stories(), weighed, "q4_1", "--imatrix", im, "--json", NULL));
    /* All matrices that blocks of 32 fit; ffn_down is f16 and needs none. */
    assert_true(real_of(done, "importance") == 30);
    assert_true(
        json_is_true(json_object_get(tensor_of(done, "blk.0.attn_q.weight"), "importance")));
    json_decref(done);
    double kl[2];
    const char *const files[] = {plain, weighed};
    for (int i = 0; i < 2; i++) {
        json_t *o = ok_json(test_pith(NULL, "quantize", files[i], "--compare", stories(), "-f",
                                      text, "--json", NULL));
        kl[i] = real_of(json_object_get(o, "kl"), "mean");
        json_decref(o);
    }
    /* On the very text that the weights come from. */
    if (!(kl[1] < kl[0]))
        fail_msg("divergence %g with importance, %g without", kl[1], kl[0]);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    const char *out = test_temp("out.gguf"), *there = test_temp("there.gguf"), *text = text_file();
    test_write(there, "x", 1);
    const char *q8 = test_temp("w8.gguf");
    assert_int_equal(test_pith(NULL, "quantize", stories(), q8, "q8_0", NULL).exit_code, 0);
    expect_fail(test_pith(NULL, "quantize", stories(), out, "q4", NULL), PITH_E_ARGUMENT,
                "unknown type 'q4', expected one of: q2_k_s, q2_k");
    expect_fail(test_pith(NULL, "quantize", stories(), there, "q4_0", NULL), PITH_E_ARGUMENT,
                "exists; give another name, or --force");
    expect_fail(test_pith(NULL, "quantize", q8, q8, "q4_0", "--force", NULL), PITH_E_ARGUMENT,
                "read and written at once");
    expect_fail(test_pith(NULL, "quantize", stories(), "q4_0", NULL), PITH_E_ARGUMENT,
                "pith quantize MODEL OUT.gguf TYPE");
    expect_fail(test_pith(NULL, "quantize", stories(), out, "q4_0", "--tensor-type", "attn", NULL),
                PITH_E_ARGUMENT, "expected PATTERN=TYPE");
    expect_fail(
        test_pith(NULL, "quantize", stories(), out, "q4_0", "--tensor-type", "attn=q7", NULL),
        PITH_E_ARGUMENT, "'q7', expected a type");
    expect_fail(
        test_pith(NULL, "quantize", stories(), out, "q4_0", "--tensor-type", "attn_q=q6_k", NULL),
        PITH_E_ARGUMENT, "rows of 64 values, which q6_k");
    expect_fail(test_pith(NULL, "quantize", stories(), out, "q4_0", "--imatrix", q8, NULL),
                PITH_E_FORMAT, "holds no importance matrix");
    expect_fail(test_pith("", "quantize", q8, "--compare", stories(), NULL), PITH_E_ARGUMENT,
                "tokens");
    expect_fail(test_pith(NULL, "imatrix", stories(), "-f", text, NULL), PITH_E_ARGUMENT,
                "-o OUT.gguf");
    expect_fail(test_pith("", "imatrix", stories(), "-o", out, NULL), PITH_E_ARGUMENT, "too few");
    assert_false(test_exists(out));
    test_result r = test_pith(NULL, "quantize", q8, out, "q4_0", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.err, "were quantized before and lose twice"));
}

/* A model of one f16 matrix of 8192 x 8192 zeros, 128 MiB, most of which no disk holds. */
static const char *large_model(void)
{
    const char *path = test_temp("large.gguf");
    const uint64_t ne[] = {8192, 8192};
    px_buf b = {0};
    put_head(&b, 3, 1, 1);
    put_key(&b, "general.architecture", 8);
    put_str(&b, "llama");
    put_tensor(&b, "blk.0.attn_q.weight", 2, ne, 1, 0);
    put_pad(&b, 32);
    test_write(path, b.data, b.len);
    assert_int_equal(truncate(path, (off_t)(b.len + 2 * 8192 * 8192)), 0);
    px_buf_clear(&b);
    return path;
}

static test_result shell(const char *script)
{
    const char *const args[] = {"sh", "-c", script, NULL};
    return test_run(&(test_command){.args = args});
}

#if !TEST_SANITIZED // they need more than that themselves

/* 40 MiB of private memory, stacks of threads included, for 128 MiB of weights. */
static void memory_does_not_grow_with_the_model(void **state)
{
    (void)state;
    const char *in = large_model(), *out = test_temp("large-q4_0.gguf");
    test_result r = shell(test_format("ulimit -d 40960; exec '%s' quantize '%s' '%s' q4_0 -t 2",
                                      test_pith_program(), in, out));
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    struct stat st;
    assert_int_equal(stat(out, &st), 0);
    assert_true(st.st_size > 8192 * 8192 / 32 * 18);
    assert_int_equal(unlink(out), 0);
    /* The limit is one: with the buffers alone as large as that, nothing goes. */
    r = shell(test_format("ulimit -d 4096; exec '%s' quantize '%s' '%s' q4_0 -t 1",
                          test_pith_program(), in, out));
    if (r.exit_code != pith_status_exit_code(PITH_E_MEMORY))
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_false(test_exists(out));
}

#endif

/* Ctrl-C while the file is written. */
static void interrupt_leaves_nothing(void **state)
{
    (void)state;
    const char *in = large_model(), *out = test_temp("stopped.gguf");
    test_result r =
        shell(test_format("'%s' quantize '%s' '%s' q2_k -t 1 & p=$!\n"
                          "until ls '%s'.partial* >/dev/null 2>&1; do sleep 0.02; done\n"
                          "kill -INT $p; wait $p; echo $?; ls '%s'*",
                          test_pith_program(), in, out, out, out));
    assert_string_equal(r.out, "130\n");
    assert_non_null(strstr(r.err, "quantizing was cancelled after"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_plans),
        cmocka_unit_test(folders_too),
        cmocka_unit_test(options_reach_the_plan),
        cmocka_unit_test(compares),
        cmocka_unit_test(importance_helps),
        cmocka_unit_test(says_what_is_wrong),
#if !TEST_SANITIZED
        cmocka_unit_test(memory_does_not_grow_with_the_model),
#endif
        cmocka_unit_test(interrupt_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
