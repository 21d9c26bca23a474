/* model: each allocation fails in turn while a model is opened, a decoder made and a step run. */
#include "support/fault.h"
#include "support/support.h"

#include "model/decoder.h"
#include "unit/model/tiny.h"

#include <cmocka.h>

typedef struct work {
    px_source *source;
    px_kern kern;
    px_pool *pool;
} work;

static pith_status decode(const work *w, const px_hparams *hp, const px_weights *weights,
                          px_kv_pool *kv, pith_error *err)
{
    px_kv_seq first = {0}, second = {0};
    px_decoder *d = NULL;
    static const int32_t TOKENS[] = {1, 2, 3};
    px_decoder_options options = {.max_batch = 4, .max_logits = 1, .n_ctx = 100};
    pith_status status = px_decoder_new(hp, weights, &w->kern, w->pool, &options, &d, err);
    if (status == PITH_OK)
        status = px_kv_seq_init(&first, kv, 100, err);
    if (status == PITH_OK)
        status = px_kv_seq_reserve(&first, 3, err);
    px_chunk chunk = {.seq = &first, .tokens = TOKENS, .n = 3, .n_logits = 1};
    const float *logits;
    if (status == PITH_OK)
        status = px_decoder_step(d, &chunk, 1, NULL, &logits, err);
    if (status == PITH_OK)
        status = px_kv_seq_init(&second, kv, 100, err);
    if (status == PITH_OK)
        status = px_kv_seq_fork(&second, &first, 2, err);
    if (first.pool)
        px_kv_seq_clear(&first);
    if (second.pool)
        px_kv_seq_clear(&second);
    px_decoder_free(d);
    assert_int_equal(px_kv_pool_bytes(kv), 0);
    return status;
}

static pith_status open_and_step(void *ctx, pith_error *err)
{
    const work *w = ctx;
    px_arena arena;
    px_hparams hp;
    px_weights weights;
    px_kv_layout layout;
    px_kv_pool *kv = NULL;
    px_arena_init(&arena, 256, 0); // small chunks: many allocations to fail
    pith_status status = px_hparams_load(w->source, &arena, &hp, err);
    if (status == PITH_OK)
        status = px_weights_bind(w->source, &hp, &arena, &weights, err);
    if (status == PITH_OK)
        status = px_kv_layout_make(&hp, PX_F16, PX_F16, &layout, err);
    if (status == PITH_OK)
        status = px_kv_pool_new(&layout, 4, 0, &kv, err);
    if (status == PITH_OK)
        status = decode(w, &hp, &weights, kv, err);
    px_kv_pool_free(kv);
    px_arena_clear(&arena);
    return status;
}

static void models_fail_cleanly(void **state)
{
    (void)state;
    static const char *const ARCHS[] = {"llama", "gemma3"};
    for (int i = 0; i < 2; i++) {
        static tiny t;
        pith_error err = {0};
        tiny_make(&t, ARCHS[i], NULL);
        tiny_set(&t, "attention.sliding_window", TINY_U32(8));
        work w = {.source = tiny_open(&t)};
        assert_int_equal(px_kern_fill(&w.kern, PX_CPU_REF, &err), PITH_OK);
        assert_int_equal(px_pool_new(1, &w.pool, &err), PITH_OK);
        assert_true(test_fault_each(open_and_step, &w, 0) > 10);
        px_pool_free(w.pool);
        px_source_close(w.source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_fail_cleanly),
    };
    return cmocka_run_group_tests_name("fault-model", tests, NULL, NULL);
}
