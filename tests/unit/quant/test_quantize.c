/* Quantizing as a whole: the bytes against the encoders themselves, with importance, over rows of
 * any length; what the file says; cancelling, damage, a full disk; importance matrices written,
 * read, and refused. */
#include "../format/gguf_bytes.h"

#include "format/gguf_write.h"
#include "kern/half.h"
#include "kern/nf4.h"
#include "kern/traits.h"
#include "quant/quantize.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LAYERS = 2, COLUMNS = 768, ROWS = 70, WIDE = 40000 / 32 * 32 };

typedef struct tensor {
    const char *name;
    int n_dims;
    int64_t ne[2];
} tensor;

/* 768 x 70 and 40000 x 3 values are no whole number of the pieces that are written. */
static const tensor TENSORS[] = {
    {"token_embd.weight", 2, {COLUMNS, 50}},     {"blk.0.attn_norm.weight", 1, {COLUMNS, 1}},
    {"blk.0.attn_v.weight", 2, {COLUMNS, ROWS}}, {"blk.0.ffn_down.weight", 2, {WIDE, 3}},
    {"blk.1.attn_v.weight", 2, {COLUMNS, ROWS}},
};
enum { N_TENSORS = sizeof TENSORS / sizeof TENSORS[0] };

static float value_at(int t, int64_t i)
{
    const uint32_t h = (uint32_t)(i * 2654435761u) ^ (uint32_t)(t * 40503);
    const float u = (float)(h >> 8) / 16777216.0f - 0.5f;
    return u * u * u * (h % 97 == 0 ? 3.0f : 0.8f);
}

/* A model of f32 with one value replaced (place < 0: none). */
static px_source *make_model(int64_t place, float value)
{
    pith_error err;
    px_gguf_writer *w;
    px_source *s;
    const char *path = test_temp("in.gguf");
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    assert_ok(px_gguf_set_str(w, "general.architecture", px_str_of("llama"), &err));
    assert_ok(px_gguf_set_u32(w, "llama.block_count", LAYERS, &err));
    assert_ok(px_gguf_set_u32(w, "general.file_type", 0, &err));
    for (int t = 0; t < N_TENSORS; t++)
        assert_ok(
            px_gguf_add_tensor(w, TENSORS[t].name, PX_F32, TENSORS[t].n_dims, TENSORS[t].ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    for (int t = 0; t < N_TENSORS; t++) {
        const int64_t n = TENSORS[t].ne[0] * TENSORS[t].ne[1];
        float *x = malloc((size_t)n * sizeof *x);
        assert_non_null(x);
        for (int64_t i = 0; i < n; i++)
            x[i] = value_at(t, i);
        if (t == 2 && place >= 0)
            x[place] = value;
        assert_ok(px_gguf_write_data(w, x, (size_t)n * sizeof *x, &err));
        free(x);
    }
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);
    assert_ok(px_source_open(path, NULL, &s, &err));
    return s;
}

static px_source *quantized(const px_source *from, const char *type,
                            const px_quantize_options *options, px_quantized *result)
{
    pith_error err;
    px_source *s;
    px_quantized ignored;
    const char *path = test_temp(test_format("%s.gguf", type));
    assert_ok(
        px_quantize(from, path, px_mixture_find(type), options, result ? result : &ignored, &err));
    assert_ok(px_source_open(path, NULL, &s, &err));
    return s;
}

/* What the encoders make of a whole tensor, row by row. */
static uint8_t *expected_bytes(int t, px_dtype to, const float *importance, size_t *bytes)
{
    const int64_t row = TENSORS[t].ne[0], n = row * TENSORS[t].ne[1];
    size_t row_bytes;
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    assert_true(px_dtype_row_bytes(to, n, bytes) && px_dtype_row_bytes(to, row, &row_bytes));
    uint8_t *out = malloc(*bytes);
    assert_non_null(out);
    for (int64_t i = 0; i < n; i++)
        x[i] = value_at(t, i);
    if (to == PX_NF4)
        px_nf4_encode_tensor(x, out, n);
    else
        for (int64_t r = 0; r < TENSORS[t].ne[1]; r++)
            px_traits_get(to)->encode(x + r * row, out + (size_t)r * row_bytes, row, importance);
    free(x);
    return out;
}

static void check_bytes(const px_source *s, const float *const *importance)
{
    for (int t = 0; t < N_TENSORS; t++) {
        const px_tensor *got = px_source_tensor(s, TENSORS[t].name);
        size_t n;
        uint8_t *bytes = expected_bytes(t, got->dtype, importance ? importance[t] : NULL, &n);
        assert_int_equal(got->bytes, n);
        assert_memory_equal(got->data, bytes, n);
        free(bytes);
    }
}

static void bytes_are_the_encoders(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"q4_0", "q8_0", "q4_k_m", "q6_k",  "iq4_xs",
                                        "nf4",  "bf16", "mxfp4",  "q5_k_s"};
    px_source *from = make_model(-1, 0);
    const px_quantize_options one = {.n_threads = 1}, three = {.n_threads = 3, .level = PX_CPU_REF};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        px_quantize_options o = one;
        o.level = px_cpu_detect();
        px_quantized r;
        px_source *a = quantized(from, TYPES[i], &o, &r);
        check_bytes(a, NULL);
        int64_t type, version, bytes = 0;
        pith_error err;
        assert_ok(px_source_get_int(a, "general.file_type", true, 0, 9999, &type, &err));
        assert_ok(
            px_source_get_int(a, "general.quantization_version", true, 0, 99, &version, &err));
        assert_int_equal(type, px_mixture_file_type(px_mixture_find(TYPES[i])));
        assert_int_equal(version, 2);
        assert_int_equal(px_source_tensor(a, "blk.0.attn_norm.weight")->dtype, PX_F32);
        for (int64_t k = 0; k < a->n_tensors; k++)
            bytes += (int64_t)a->tensors[k].bytes;
        assert_int_equal(r.out_bytes, bytes);
        assert_int_equal(r.n_requantized, 0);
        px_source_close(a);
        a = quantized(from, TYPES[i], &three, NULL);
        check_bytes(a, NULL);
        px_source_close(a);
    }
    px_source_close(from);
}

/* Sums for attn_v of both layers and ffn_down of the first. */
static const char *save_imatrix(float wide_last)
{
    static float narrow[2][COLUMNS], wide[WIDE];
    const char *path = test_temp("imatrix.gguf");
    pith_error err;
    for (int i = 0; i < COLUMNS; i++) {
        narrow[0][i] = (float)(1 + i % 13) * 8;
        narrow[1][i] = (float)(1 + i % 5) * 2;
    }
    for (int i = 0; i < WIDE; i++)
        wide[i] = (float)(1 + i % 3);
    wide[WIDE - 1] = wide_last;
    const px_imatrix_sums sums[] = {{"blk.1.attn_v.weight", narrow[1], COLUMNS, 2},
                                    {"blk.0.ffn_down.weight", wide, WIDE, 1},
                                    {"blk.0.attn_v.weight", narrow[0], COLUMNS, 8}};
    const px_imatrix_about about = {.dataset = "a text", .n_chunks = 3, .chunk_size = 512};
    assert_ok(px_imatrix_save(path, sums, 3, &about, &err));
    return path;
}

static void importance_weighs(void **state)
{
    (void)state;
    pith_error err;
    px_imatrix *m;
    px_quantized r;
    px_source *from = make_model(-1, 0), *about;
    const char *path = save_imatrix(2);
    assert_ok(px_source_open(path, NULL, &about, &err));
    int64_t v;
    px_str text;
    assert_ok(px_source_get_str(about, "general.type", true, &text, &err));
    assert_int_equal(text.len, 7);
    assert_memory_equal(text.data, "imatrix", 7);
    assert_ok(px_source_get_int(about, "imatrix.chunk_count", true, 0, 9, &v, &err));
    assert_int_equal(v, 3);
    assert_ok(px_source_get_int(about, "imatrix.chunk_size", true, 0, 999, &v, &err));
    assert_int_equal(v, 512);
    assert_string_equal(about->tensors[0].name, "blk.0.attn_v.weight.in_sum2");
    assert_string_equal(about->tensors[1].name, "blk.0.attn_v.weight.counts");
    assert_int_equal(about->tensors[1].n_dims, 2);
    px_source_close(about);

    assert_ok(px_imatrix_open(path, &m, &err));
    assert_int_equal(px_imatrix_count(m), 3);
    const float *means[N_TENSORS] = {0};
    for (int t = 0; t < N_TENSORS; t++)
        assert_ok(px_imatrix_find(m, px_source_tensor(from, TENSORS[t].name), &means[t], &err));
    assert_null(means[0]);
    assert_null(means[1]);
    for (int i = 0; i < COLUMNS; i++) {
        assert_true(means[2][i] == (float)(1 + i % 13));
        assert_true(means[4][i] == (float)(1 + i % 5));
    }
    const px_quantize_options o = {.imatrix = m, .n_threads = 2, .level = px_cpu_detect()};
    static const char *const TYPES[] = {"q4_k_s", "q5_0", "iq4_nl"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        px_source *s = quantized(from, TYPES[i], &o, &r);
        assert_int_equal(r.n_importance, 3);
        check_bytes(s, means);
        px_source_close(s);
    }
    px_imatrix_close(m);
    px_source_close(from);
}

static void old_imatrix_is_read(void **state)
{
    (void)state;
    px_buf b = {0};
    pith_error err;
    px_imatrix *m;
    const float *means;
    px_source *from = make_model(-1, 0);
    put_u32(&b, 1);
    put_u32(&b, 19);
    px_buf_puts(&b, "blk.0.attn_v.weight");
    put_u32(&b, 4); // calls
    put_u32(&b, COLUMNS);
    for (int i = 0; i < COLUMNS; i++) {
        const float v = (float)(4 * (i + 1));
        px_buf_put(&b, &v, sizeof v);
    }
    const char *path = test_temp("old.dat");
    test_write(path, b.data, b.len);
    assert_ok(px_imatrix_open(path, &m, &err));
    assert_ok(px_imatrix_find(m, px_source_tensor(from, "blk.0.attn_v.weight"), &means, &err));
    for (int i = 0; i < COLUMNS; i++)
        assert_true(means[i] == (float)(i + 1));
    px_imatrix_close(m);
    for (size_t n = 0; n < b.len; n += n < 64 ? 1 : 997) { // cut anywhere: refused
        test_write(path, b.data, n);
        assert_refused(px_imatrix_open(path, &m, &err), PITH_E_FORMAT, "old.dat");
        assert_null(m);
    }
    px_buf_clear(&b);
    px_source_close(from);
}

static void bad_imatrices_are_refused(void **state)
{
    (void)state;
    pith_error err;
    px_imatrix *m;
    px_quantized r;
    const float odd[] = {NAN, -1.0f, INFINITY};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_refused(px_imatrix_open(save_imatrix(odd[i]), &m, &err), PITH_E_FORMAT,
                       "expected a mean of squares");
    px_source *from = make_model(-1, 0);
    px_source_close(from);
    assert_refused(px_imatrix_open(test_temp("in.gguf"), &m, &err), PITH_E_FORMAT,
                   "holds no importance matrix");
    from = make_model(-1, 0);
    /* another model's: no tensor in common, or another width */
    static const float ones[2 * COLUMNS];
    const px_imatrix_about about = {.dataset = "", .n_chunks = 1, .chunk_size = 1};
    static const px_imatrix_sums other = {"blk.9.attn_v.weight", ones, COLUMNS, 1},
                                 wide = {"blk.0.attn_v.weight", ones, 2 * COLUMNS, 1};
    px_quantize_options o = {.n_threads = 1, .level = px_cpu_detect()};
    const char *path = test_temp("other.gguf"), *out = test_temp("not-made.gguf");
    assert_ok(px_imatrix_save(path, &other, 1, &about, &err));
    assert_ok(px_imatrix_open(path, &m, &err));
    o.imatrix = m;
    assert_refused(px_quantize(from, out, px_mixture_find("q4_0"), &o, &r, &err), PITH_E_MISMATCH,
                   "made from another model");
    px_imatrix_close(m);
    assert_ok(px_imatrix_save(path, &wide, 1, &about, &err));
    assert_ok(px_imatrix_open(path, &m, &err));
    o.imatrix = m;
    assert_refused(px_quantize(from, out, px_mixture_find("q4_0"), &o, &r, &err), PITH_E_MISMATCH,
                   "1536 columns for tensor 'blk.0.attn_v.weight', which has 768");
    px_imatrix_close(m);
    assert_false(test_exists(out));
    px_source_close(from);
}

static void again_and_as_it_is(void **state)
{
    (void)state;
    px_source *from = make_model(-1, 0);
    px_quantized r;
    const px_quantize_options o = {.n_threads = 2, .level = px_cpu_detect()};
    px_source *q8 = quantized(from, "q8_0", &o, NULL);
    px_source *q4 = quantized(q8, "q4_0", &o, &r); // token_embd, the output: q6_k
    assert_int_equal(r.n_requantized, 4);
    const px_tensor *a = px_source_tensor(q8, "blk.1.attn_v.weight");
    const px_tensor *b = px_source_tensor(q4, "blk.1.attn_v.weight");
    static float x[COLUMNS];
    static uint8_t expected[COLUMNS / 32 * 18];
    px_traits_get(PX_Q8_0)->decode(a->data, x, COLUMNS);
    px_traits_get(PX_Q4_0)->encode(x, expected, COLUMNS, NULL);
    assert_memory_equal(b->data, expected, sizeof expected);
    px_source_close(q4);
    px_quantized same;
    pith_error err;
    const char *path = test_temp("same.gguf");
    assert_ok(px_quantize(q8, path, px_mixture_find("q8_0"), &o, &same, &err));
    assert_int_equal(same.n_requantized, 0);
    assert_ok(px_source_open(path, NULL, &q4, &err));
    for (int64_t i = 0; i < q8->n_tensors; i++)
        assert_memory_equal(q4->tensors[i].data, q8->tensors[i].data, q8->tensors[i].bytes);
    px_source_close(q4);
    px_source_close(q8);
    px_source_close(from);
}

typedef struct stopper {
    int calls, stop_at;
    uint64_t done;
} stopper;

static int on_progress(void *user, uint64_t done, uint64_t total)
{
    stopper *s = user;
    assert_true(done >= s->done && done <= total);
    s->done = done;
    return ++s->calls == s->stop_at;
}

/* No file of that name, nor a partial one, is in the test's folder. */
static void assert_nothing_left(const char *name)
{
    char *const folder = strdup(test_temp("."));
    const char *const args[] = {"ls", folder, NULL};
    test_result r = test_run(&(test_command){.args = args});
    if (strstr(r.out, name))
        fail_msg("something is left of %s: %s", name, r.out);
    free(folder);
}

static void cancels_everywhere(void **state)
{
    (void)state;
    pith_error err;
    px_quantized r;
    px_source *from = make_model(-1, 0);
    stopper s = {0};
    px_quantize_options o = {
        .n_threads = 2, .level = px_cpu_detect(), .progress = on_progress, .progress_user = &s};
    const char *path = test_temp("cancelled.gguf");
    assert_ok(px_quantize(from, path, px_mixture_find("nf4"), &o, &r, &err));
    assert_int_equal(s.done, r.out_bytes);
    const int calls = s.calls;
    assert_true(calls > N_TENSORS);
    unlink(path);
    for (int at = 1; at <= calls; at++) {
        s = (stopper){.stop_at = at};
        assert_refused(px_quantize(from, path, px_mixture_find("nf4"), &o, &r, &err),
                       PITH_E_CANCELLED, "cancelled");
        assert_nothing_left("cancelled.gguf");
    }
    px_source_close(from);
}

static void damage_is_named(void **state)
{
    (void)state;
    pith_error err;
    px_quantized r;
    const px_quantize_options o = {.n_threads = 2, .level = px_cpu_detect()};
    const int64_t place = PX_STREAM_PIECE + 77;
    px_source *from = make_model(place, NAN);
    assert_refused(
        px_quantize(from, test_temp("damaged.gguf"), px_mixture_find("q4_0"), &o, &r, &err),
        PITH_E_NUMERIC, "'blk.0.attn_v.weight' holds nan at element 16461");
    assert_nothing_left("damaged.gguf");
    px_source_close(from);
    from = make_model(place, 70000.0f);
    assert_refused(
        px_quantize(from, test_temp("damaged.gguf"), px_mixture_find("f16"), &o, &r, &err),
        PITH_E_NUMERIC, "more than the 65504 that f16 can hold");
    px_source_close(from);
}

/* A file size limit stands in for a full disk. */
static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    pith_error err;
    px_quantized r;
    px_source *from = make_model(-1, 0);
    const px_quantize_options o = {.n_threads = 2, .level = px_cpu_detect()};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 40000, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    err = (pith_error){0};
    pith_status st =
        px_quantize(from, test_temp("full.gguf"), px_mixture_find("q8_0"), &o, &r, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(st, PITH_E_IO);
    assert_non_null(strstr(err.text, "full.gguf"));
    assert_nothing_left("full.gguf");
    px_source_close(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_encoders), cmocka_unit_test(importance_weighs),
        cmocka_unit_test(old_imatrix_is_read),    cmocka_unit_test(bad_imatrices_are_refused),
        cmocka_unit_test(again_and_as_it_is),     cmocka_unit_test(cancels_everywhere),
        cmocka_unit_test(damage_is_named),        cmocka_unit_test(full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
