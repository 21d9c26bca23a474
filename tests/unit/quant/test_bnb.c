/*
 * bnb: folders whose weights bitsandbytes quantized to NF4 (tests/golden/format/make_bnb.py): the
 * values are bitsandbytes' own to the bit, in the folder, in a file that keeps them, and in one of
 * floats.
 */
#include "support/support.h"

#include <cmocka.h>

#include "format/source.h"
#include "kern/traits.h"
#include "pith.h"
#include "quant/convert.h"

#include <stdlib.h>
#include <string.h>

static pith_error err;

static const char *const NAMES[][2] = {
    {"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj"},
    {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj"},
    {"blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj"},
    {"blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj"},
    {"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj"},
    {"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj"},
    {"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj"},
};
enum { N = sizeof NAMES / sizeof NAMES[0], MOST = 256 * 256 };

static const char *folder(void)
{
    return test_source("tests/golden/format/bnb");
}

static float *decoded(const px_tensor *t)
{
    int64_t n = t->ne[0] * t->ne[1];
    float *out = malloc(MOST * sizeof *out);
    assert_non_null(out);
    assert_true(n <= MOST);
    px_traits_get(t->dtype)->decode(t->data, out, n);
    return out;
}

static uint64_t expected_hash(const char *name)
{
    const char *text = test_read(test_source("tests/golden/format/bnb/expected.txt"), NULL);
    const char *at = strstr(text, test_format("%s ", name));
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 16);
}

static uint64_t hash(const void *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return h;
}

/* o has no double quantization, down no rows of whole super-blocks: they become f32. */
static void values_are_those_of_bitsandbytes(void **state)
{
    (void)state;
    px_source *s;
    if (px_source_open(folder(), NULL, &s, &err) != PITH_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < N; i++) {
        const px_tensor *t = px_source_tensor(s, NAMES[i][0]);
        assert_non_null(t);
        assert_int_equal(t->dtype, i == 3 || i == 6 ? PX_F32 : PX_NF4);
        float *x = decoded(t);
        size_t n = (size_t)(t->ne[0] * t->ne[1]) * sizeof *x;
        if (hash(x, n) != expected_hash(NAMES[i][1]))
            fail_msg("%s has other values than bitsandbytes", NAMES[i][0]);
        free(x);
    }
    px_source_close(s);
}

/* Element of q or k in GGUF's order: rows of each head as pairs. */
static int64_t folder_row(int64_t r, int64_t dim)
{
    int64_t head = r / dim, at = r % dim;
    return head * dim + at / 2 + at % 2 * (dim / 2);
}

static void check_file(const char *path, const px_source *from, bool keep)
{
    px_source *s;
    assert_int_equal(px_source_open(path, NULL, &s, &err), PITH_OK);
    for (int i = 0; i < N; i++) {
        const px_tensor *a = px_source_tensor(from, NAMES[i][0]);
        const px_tensor *b = px_source_tensor(s, NAMES[i][0]);
        assert_int_equal(b->dtype, keep ? a->dtype : PX_F32);
        float *x = decoded(a), *y = decoded(b);
        for (int64_t r = 0; r < b->ne[1]; r++) {
            int64_t row = i < 2 ? folder_row(r, 32) : r;
            assert_memory_equal(y + r * b->ne[0], x + row * b->ne[0], (size_t)b->ne[0] * sizeof *x);
        }
        free(x);
        free(y);
    }
    px_source_close(s);
}

static void conversion_keeps_them(void **state)
{
    (void)state;
    px_source *from;
    assert_int_equal(px_source_open(folder(), NULL, &from, &err), PITH_OK);
    const px_convert_options kept = {.keep = true}, floats = {.dtype = PX_F32};
    const char *a = test_temp("nf4.gguf"), *b = test_temp("f32.gguf");
    assert_int_equal(px_convert(from, a, &kept, &err), PITH_OK);
    check_file(a, from, true);
    assert_int_equal(px_convert(from, b, &floats, &err), PITH_OK);
    check_file(b, from, false);
    px_source_close(from);
}

/* Parts that are missing or of the wrong size. */
static void damaged_folders_are_refused(void **state)
{
    (void)state;
    static const char *const PARTS[] = {"v_proj.weight.quant_map", "v_proj.weight.nested_absmax",
                                        "v_proj.weight.absmax", "o_proj.weight.absmax"};
    size_t n, m;
    char *config = test_read(test_source("tests/golden/format/bnb/config.json"), &m);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        char *file = test_read(test_source("tests/golden/format/bnb/model.safetensors"), &n);
        char *at = memmem(file, n, PARTS[i], strlen(PARTS[i]));
        assert_non_null(at);
        at[strlen(PARTS[i]) - 1] = 'y';
        const char *path = test_temp("config.json");
        test_write(path, config, m);
        test_write(test_temp("model.safetensors"), file, n);
        px_source *s = NULL;
        px_error_clear(&err);
        const char *where = test_format("%.*s", (int)(strrchr(path, '/') - path), path);
        pith_status st = px_source_open(where, NULL, &s, &err);
        if (st != PITH_E_FORMAT && st != PITH_E_UNSUPPORTED)
            fail_msg("%s: status %d, %s", PARTS[i], (int)st, err.text);
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_bitsandbytes),
        cmocka_unit_test(conversion_keeps_them),
        cmocka_unit_test(damaged_folders_are_refused),
    };
    return cmocka_run_group_tests_name("bnb", tests, NULL, NULL);
}
