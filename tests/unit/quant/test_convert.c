/* Folders and GGUF files to GGUF: every value against what it was made from. */
#include "../format/gguf_bytes.h"

#include "kern/half.h"
#include "quant/convert.h"

#include <math.h>
#include <unistd.h>

/* Element i of a tensor as f32. */
static float value_at(const px_tensor *t, int64_t i)
{
    if (t->dtype == PX_F32)
        return px_load_f32(t->data + 4 * i);
    uint16_t h = px_load16(t->data + 2 * i);
    return t->dtype == PX_F16 ? px_f16_to_f32(h) : px_bits_f32((uint32_t)h << 16);
}

/* What the element of the output should be, from the folder's tensor: rows of each head as pairs,
 * norms plus one. */
static float expected_at(const px_tensor *from, int64_t i)
{
    if (from->fix == PX_FIX_PLUS_ONE)
        return value_at(from, i) + 1;
    if (from->fix != PX_FIX_ROPE_PAIRS)
        return value_at(from, i);
    int64_t rows = from->n_dims == 1 ? from->ne[0] : from->ne[1];
    int64_t columns = from->n_dims == 1 ? 1 : from->ne[0], d = rows / from->fix_heads;
    int64_t r = i / columns, head = r / d, in_head = r % d;
    int64_t row = in_head % 2 == 0 ? in_head / 2 : d / 2 + in_head / 2;
    return value_at(from, (head * d + row) * columns + i % columns);
}

static float rounded(float v, px_dtype to)
{
    if (to == PX_F16)
        return px_f16_to_f32(px_f32_to_f16(v));
    if (to == PX_BF16)
        return px_bits_f32((uint32_t)px_f32_to_bf16(v) << 16);
    return v;
}

static void compare(const px_source *from, const px_source *to, bool keep, px_dtype dtype)
{
    assert_int_equal(to->n_tensors, from->n_tensors);
    assert_int_equal(to->kind, PX_SOURCE_GGUF);
    assert_false(to->rope_halves);
    for (int64_t k = 0; k < from->n_tensors; k++) {
        const px_tensor *a = &from->tensors[k], *b = &to->tensors[k];
        px_dtype wanted = a->n_dims == 1 ? PX_F32 : keep ? a->dtype : dtype;
        assert_string_equal(a->name, b->name);
        assert_int_equal(b->dtype, wanted);
        assert_int_equal(b->fix, PX_FIX_NONE);
        assert_memory_equal(a->ne, b->ne, sizeof a->ne);
        for (int64_t i = 0; i < a->ne[0] * a->ne[1]; i++) {
            float x = rounded(expected_at(a, i), wanted), y = value_at(b, i);
            if (!(x == y))
                fail_msg("%s[%lld] is %g, expected %g", a->name, (long long)i, (double)y,
                         (double)x);
        }
    }
}

typedef struct progress {
    uint64_t last, total;
    int calls, cancel_at;
} progress;

static int on_progress(void *user, uint64_t done, uint64_t total)
{
    progress *p = user;
    assert_true(done > p->last || p->calls == 0);
    assert_true(done <= total);
    p->last = done;
    p->total = total;
    return ++p->calls == p->cancel_at;
}

static pith_status write_vocab(void *user, px_gguf_writer *w, pith_error *err)
{
    return px_gguf_set_str(w, "tokenizer.ggml.model", px_str_of(user), err);
}

static const char *model_path(const char *name)
{
    const char *path = test_source(test_format("tests/golden/models/%s", name));
    if (!test_exists(path))
        skip();
    return path;
}

/* Through a file and back; the caller closes. */
static px_source *converted(const px_source *from, const px_convert_options *options)
{
    pith_error err;
    px_source *to;
    const char *path = test_temp("out.gguf");
    assert_ok(px_convert(from, path, options, &err));
    assert_ok(px_source_open(path, NULL, &to, &err));
    return to;
}

static int64_t int_of(const px_source *s, const char *key)
{
    pith_error err;
    int64_t v;
    assert_ok(px_source_get_int(s, key, true, 0, INT64_MAX, &v, &err));
    return v;
}

static void converts_folders(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"llama3",     "llama32", "llama-bias", "mistral-v01",
                                        "phi35",      "gemma1",  "gemma2",     "gemma3",
                                        "gemma3-vlm", "qwen2",   "qwen3",      "smollm3"};
    static const px_dtype DTYPES[] = {PX_F32, PX_F16, PX_BF16};
    static const int64_t FILE_TYPES[] = {0, 1, 32};
    pith_error err;
    for (size_t n = 0; n < sizeof NAMES / sizeof NAMES[0]; n++) {
        px_source *from;
        assert_ok(px_source_open(model_path(NAMES[n]), NULL, &from, &err));
        for (int d = 0; d < 4; d++) {
            progress p = {0};
            px_convert_options options = {.keep = d == 3,
                                          .dtype = d < 3 ? DTYPES[d] : PX_F32,
                                          .progress = on_progress,
                                          .progress_user = &p,
                                          .write_vocab = write_vocab,
                                          .vocab_user = "none"};
            px_source *to = converted(from, &options);
            compare(from, to, options.keep, options.dtype);
            if (d < 3)
                assert_int_equal(int_of(to, "general.file_type"), FILE_TYPES[d]);
            assert_int_equal(int_of(to, "%s.block_count"), int_of(from, "%s.block_count"));
            assert_true(p.calls > 0 && p.last == p.total);
            assert_true(px_str_is(px_source_meta(to, "tokenizer.ggml.model")->str, "none"));
            px_source_close(to);
        }
        px_source_close(from);
    }
}

static void converts_gguf(void **state)
{
    (void)state;
    pith_error err;
    px_source *from;
    assert_ok(px_source_open(test_shared("models/stories260K.gguf"), NULL, &from, &err));
    px_convert_options options = {.dtype = PX_F16};
    px_source *half = converted(from, &options);
    compare(from, half, false, PX_F16);
    assert_int_equal(half->n_metas, from->n_metas + 2 -
                                        !!px_source_meta(from, "general.file_type") -
                                        !!px_source_meta(from, "general.quantization_version"));
    const px_meta *a = px_source_meta(from, "tokenizer.ggml.tokens");
    const px_meta *b = px_source_meta(half, "tokenizer.ggml.tokens");
    assert_int_equal(a->array.bytes, b->array.bytes);
    assert_memory_equal(a->array.data, b->array.data, a->array.bytes);
    px_source_close(half);
    px_source_close(from);
}

static void cancels(void **state)
{
    (void)state;
    pith_error err;
    px_source *from;
    assert_ok(px_source_open(model_path("llama2"), NULL, &from, &err));
    progress p = {.cancel_at = 3};
    px_convert_options options = {.dtype = PX_F16, .progress = on_progress, .progress_user = &p};
    const char *path = test_temp("cancelled.gguf");
    assert_refused(px_convert(from, path, &options, &err), PITH_E_CANCELLED, "cancelled");
    assert_int_equal(p.calls, 3);
    assert_false(test_exists(path));
    px_source_close(from);
}

/* A GGUF file of one tensor [64] x 2 with one value set. */
static px_source *one_tensor(px_dtype dtype, float value)
{
    pith_error err;
    px_gguf_writer *w;
    px_source *s;
    const char *path = test_temp("one.gguf");
    const int64_t ne[] = {64, 2};
    uint8_t data[64 * 2 * 4] = {0};
    size_t size = dtype == PX_F32 ? 4 : dtype == PX_Q8_0 ? 0 : 2;
    if (dtype == PX_F32)
        px_store_f32(data + 4 * 70, value);
    else if (dtype == PX_BF16)
        px_store16(data + 2 * 70, px_f32_to_bf16(value));
    assert_ok(px_gguf_writer_new(path, 32, &w, &err));
    assert_ok(px_gguf_set_str(w, "general.architecture", px_str_of("llama"), &err));
    assert_ok(px_gguf_add_tensor(w, "blk.0.x", dtype, 2, ne, &err));
    assert_ok(px_gguf_begin_data(w, &err));
    assert_ok(px_gguf_write_data(w, data, size ? 128 * size : 128 / 32 * 34, &err));
    assert_ok(px_gguf_finish(w, &err));
    px_gguf_writer_free(w);
    assert_ok(px_source_open(path, NULL, &s, &err));
    return s;
}

static void refuses_bad_values(void **state)
{
    (void)state;
    static const struct {
        px_dtype from;
        float value;
        px_dtype to;
        pith_status status;
        const char *text;
    } CASES[] = {
        {PX_BF16, 1e6f, PX_F16, PITH_E_NUMERIC, "'blk.0.x' holds 999424 at element 70"},
        {PX_BF16, 1e6f, PX_F32, PITH_OK, ""},
        {PX_F32, 65519.0f, PX_F16, PITH_OK, ""},
        {PX_F32, -65520.0f, PX_F16, PITH_E_NUMERIC, "convert to bf16 or f32"},
        {PX_F32, NAN, PX_F32, PITH_E_NUMERIC, "the model is damaged"},
        {PX_F32, -INFINITY, PX_BF16, PITH_E_NUMERIC, "holds -inf at element 70"},
        {PX_Q8_0, 0, PX_F16, PITH_E_UNSUPPORTED, "tensor 'blk.0.x' is q8_0"},
        {PX_F32, 0, PX_Q8_0, PITH_E_ARGUMENT, "cannot convert to q8_0"},
    };
    pith_error err;
    const char *path = test_temp("refused.gguf");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        px_source *s = one_tensor(CASES[i].from, CASES[i].value);
        px_convert_options options = {.dtype = CASES[i].to};
        if (CASES[i].status == PITH_OK)
            assert_ok(px_convert(s, path, &options, &err));
        else
            assert_refused(px_convert(s, path, &options, &err), CASES[i].status, CASES[i].text);
        assert_int_equal(test_exists(path), CASES[i].status == PITH_OK);
        unlink(path);
        px_source_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_folders),
        cmocka_unit_test(converts_gguf),
        cmocka_unit_test(cancels),
        cmocka_unit_test(refuses_bad_values),
    };
    return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
