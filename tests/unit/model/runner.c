/* runner: see runner.h. */
#include "runner.h"

#include <string.h>

#include <cmocka.h>

static void must(pith_status status, const pith_error *err)
{
    if (status != PITH_OK)
        fail_msg("%s", err->text);
}

void runner_open(runner *r, px_source *source, const runner_options *options)
{
    pith_error err = {0};
    runner_options o = *options;
    *r = (runner){.source = source};
    px_arena_init(&r->arena, 0, 0);
    must(px_hparams_load(source, &r->arena, &r->hp, &err), &err);
    must(px_weights_bind(source, &r->hp, &r->arena, &r->w, &err), &err);
    must(px_kern_fill(&r->kern, o.level, &err), &err);
    must(px_pool_new(o.n_threads ? o.n_threads : 1, &r->pool, &err), &err);
    px_kv_layout layout;
    must(px_kv_layout_make(&r->hp, o.kv_dtype, o.kv_dtype, &layout, &err), &err);
    must(px_kv_pool_new(&layout, 256, 0, &r->kv, &err), &err);
    int32_t batch = o.max_batch ? o.max_batch : 256;
    r->options = (px_decoder_options){
        .max_batch = batch, .max_logits = batch, .n_ctx = o.n_ctx ? o.n_ctx : r->hp.n_ctx_train};
    must(px_decoder_new(&r->hp, &r->w, &r->kern, r->pool, &r->options, &r->decoder, &err), &err);
}

void runner_close(runner *r)
{
    px_decoder_free(r->decoder);
    assert_int_equal(px_kv_pool_bytes(r->kv), 0);
    px_kv_pool_free(r->kv);
    px_pool_free(r->pool);
    px_arena_clear(&r->arena);
    px_source_close(r->source);
}

px_kv_seq runner_seq(runner *r)
{
    pith_error err = {0};
    px_kv_seq seq;
    must(px_kv_seq_init(&seq, r->kv, r->options.n_ctx, &err), &err);
    return seq;
}

void runner_step(runner *r, px_kv_seq *seq, const int32_t *tokens, int32_t n, int32_t n_logits,
                 float *out)
{
    pith_error err = {0};
    const float *logits;
    px_chunk chunk = {.seq = seq, .tokens = tokens, .n = n, .n_logits = n_logits};
    must(px_kv_seq_reserve(seq, n, &err), &err);
    must(px_decoder_step(r->decoder, &chunk, 1, NULL, &logits, &err), &err);
    if (out)
        memcpy(out, logits, (size_t)n_logits * (size_t)r->hp.n_vocab * sizeof *out);
}
