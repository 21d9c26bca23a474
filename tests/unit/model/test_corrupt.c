/*
 * corrupt: small models whose header was changed at random are opened, bound and, where they still
 * make sense, run. Whatever they hold, each ends well or with a status and a sentence; the
 * sanitizers watch the rest.
 */
#include "tiny.h"

#include "model/decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct tally {
    int unreadable, refused, ran;
} tally;

static pith_status run(const px_hparams *hp, const px_weights *w, const px_kern *kern,
                       px_pool *pool, pith_error *err)
{
    px_decoder_options options = {.max_batch = 8, .max_logits = 1, .n_ctx = 16};
    px_kv_layout layout;
    px_kv_pool *kv = NULL;
    px_decoder *d = NULL;
    px_kv_seq seq = {0};
    static const int32_t TOKENS[] = {1, 2, 0};
    pith_status status = px_kv_layout_make(hp, PX_F16, PX_F16, &layout, err);
    if (status == PITH_OK)
        status = px_kv_pool_new(&layout, 1, 0, &kv, err);
    if (status == PITH_OK)
        status = px_kv_seq_init(&seq, kv, 16, err);
    if (status == PITH_OK)
        status = px_kv_seq_reserve(&seq, 3, err);
    if (status == PITH_OK)
        status = px_decoder_new(hp, w, kern, pool, &options, &d, err);
    px_chunk chunk = {.seq = &seq, .tokens = TOKENS, .n = 3, .n_logits = 1};
    const float *logits;
    if (status == PITH_OK)
        status = px_decoder_step(d, &chunk, 1, NULL, &logits, err);
    px_decoder_free(d);
    if (seq.pool)
        px_kv_seq_clear(&seq);
    px_kv_pool_free(kv);
    return status;
}

static void try_file(const char *path, const px_kern *kern, px_pool *pool, tally *sum)
{
    pith_error err = {0};
    px_source *source;
    px_arena arena;
    px_hparams hp;
    px_weights w;
    pith_status status = px_source_open(path, NULL, &source, &err);
    if (status != PITH_OK) {
        assert_true(err.status == status && err.text[0]);
        sum->unreadable++;
        return;
    }
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    status = px_hparams_load(source, &arena, &hp, &err);
    if (status == PITH_OK)
        status = px_weights_bind(source, &hp, &arena, &w, &err);
    if (status == PITH_OK)
        status = run(&hp, &w, kern, pool, &err);
    if (status == PITH_OK)
        sum->ran++;
    else
        sum->refused++;
    assert_true(err.status == status && (status == PITH_OK) == (err.text[0] == '\0'));
    px_arena_clear(&arena);
    px_source_close(source);
}

/* The header ends where the data begins: at the first tensor, which stands first in the file. */
static size_t header_bytes(const char *path)
{
    pith_error err = {0};
    px_source *s;
    assert_int_equal(px_source_open(path, NULL, &s, &err), PITH_OK);
    size_t n = (size_t)s->tensors[0].file_offset;
    px_source_close(s);
    return n;
}

/* A flipped bit, a byte, or a small or great number over four bytes. */
static void spoil(uint8_t *bytes, size_t n, test_random *r)
{
    size_t at = (size_t)test_random_below(r, n - 4);
    uint32_t v = (uint32_t)test_random_below(r, 4);
    switch (test_random_below(r, 4)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << test_random_below(r, 8));
        break;
    case 1:
        bytes[at] = (uint8_t)test_random_u64(r);
        break;
    case 2:
        memcpy(bytes + at, &v, sizeof v);
        break;
    case 3:
        v = (uint32_t)test_random_u64(r);
        memcpy(bytes + at, &v, sizeof v);
        break;
    }
}

typedef struct bench {
    px_kern kern;
    px_pool *pool;
    test_random random;
} bench;

static bench set_up(uint64_t seed)
{
    pith_error err = {0};
    bench b = {.random = test_random_start(seed)};
    assert_int_equal(px_kern_fill(&b.kern, PX_CPU_REF, &err), PITH_OK);
    assert_int_equal(px_pool_new(1, &b.pool, &err), PITH_OK);
    return b;
}

static const char *const ARCHS[] = {"llama", "phi3", "gemma3", "smollm3"};

enum { N_ARCHS = 4, N_FILES = 1000 };

static void make_whole(tiny *t, const char *arch)
{
    static const tiny_shape SHAPE = {.n_layers = 1,
                                     .width = 32,
                                     .n_heads = 2,
                                     .n_kv_heads = 1,
                                     .head_dim = 16,
                                     .ffn = 32,
                                     .n_vocab = 8,
                                     .n_ctx = 64};
    tiny_make(t, arch, &SHAPE);
    tiny_set(t, "rope.scaling.type", TINY_STR("yarn"));
    tiny_set(t, "rope.scaling.factor", TINY_F32(4));
    tiny_set(t, "attention.sliding_window", TINY_U32(8));
    tiny_set(t, "rope.dimension_count", TINY_U32(16));
}

static void spoilt_headers(void **state)
{
    (void)state;
    bench b = set_up(11);
    tally sum = {0};
    for (int a = 0; a < N_ARCHS; a++) {
        static tiny t;
        make_whole(&t, ARCHS[a]);
        const char *path = tiny_write(&t);
        size_t n;
        size_t n_header = header_bytes(path);
        const char *whole = test_read(path, &n);
        uint8_t *bytes = malloc(n);
        const char *spoilt = test_temp("spoilt.gguf");
        for (int i = 0; i < N_FILES; i++) {
            memcpy(bytes, whole, n);
            spoil(bytes, n_header, &b.random);
            test_write(spoilt, bytes, n);
            try_file(spoilt, &b.kern, b.pool, &sum);
        }
        free(bytes);
    }
    assert_true(sum.unreadable > 100 && sum.refused > 100 && sum.ran > 100);
    px_pool_free(b.pool);
}

static px_meta odd_value(test_random *r)
{
    static const int32_t INTS[3] = {1, -1, 1 << 30};
    static const uint8_t BOOLS[1] = {1};
    static const double FLOATS[] = {0, -1, 1e-30, 1e30, 1.5, (double)INFINITY, (double)NAN};
    switch (test_random_below(r, 8)) {
    case 0:
        return TINY_STR("linear");
    case 1:
        return TINY_BOOL(test_random_below(r, 2) == 1);
    case 2:
        return TINY_ARRAY(PX_META_I32, INTS);
    case 3:
        return TINY_ARRAY(PX_META_BOOL, BOOLS);
    case 4:
        return TINY_F32(FLOATS[test_random_below(r, 7)]);
    case 5:
        return TINY_U32((uint32_t)test_random_u64(r));
    default:
        return TINY_U32((uint32_t)test_random_below(r, 40));
    }
}

static void bend(tiny *t, test_random *r)
{
    static const px_dtype TYPES[] = {PX_F16, PX_BF16, PX_I8, PX_I32, PX_F64, PX_F32};
    tiny_meta *meta = &t->metas[1 + test_random_below(r, (uint64_t)t->n_metas - 1)];
    tiny_tensor *x = &t->tensors[test_random_below(r, (uint64_t)t->n_tensors)];
    switch (test_random_below(r, 6)) {
    case 0:
    case 1:
        meta->value = odd_value(r);
        break;
    case 2:
        *meta = t->metas[--t->n_metas];
        break;
    case 3:
        x->ne[test_random_below(r, (uint64_t)x->n_dims)] = 1 + (int64_t)test_random_below(r, 64);
        break;
    case 4:
        x->dtype = TYPES[test_random_below(r, 6)];
        break;
    case 5:
        *x = t->tensors[--t->n_tensors];
        break;
    }
}

static void bent_models(void **state)
{
    (void)state;
    bench b = set_up(12);
    tally sum = {0};
    for (int a = 0; a < N_ARCHS; a++)
        for (int i = 0; i < N_FILES; i++) {
            static tiny t;
            make_whole(&t, ARCHS[a]);
            for (uint64_t k = test_random_below(&b.random, 2) + 1; k > 0; k--)
                bend(&t, &b.random);
            try_file(tiny_write(&t), &b.kern, b.pool, &sum);
        }
    assert_int_equal(sum.unreadable, 0);
    assert_true(sum.refused > 1000 && sum.ran > 300);
    px_pool_free(b.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoilt_headers),
        cmocka_unit_test(bent_models),
    };
    return cmocka_run_group_tests_name("corrupt", tests, NULL, NULL);
}
