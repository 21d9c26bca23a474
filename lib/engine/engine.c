/*
 * engine: see engine.h. All memory that grows with the options is made here, and most of it only
 * becomes real when touched: work memory and logits are for n_batch tokens, the cache reserves
 * address space and commits pages as sessions fill them.
 */
#include "engine/engine.h"

#include "base/mem.h"
#include "engine/answer.h"
#include "engine/identity.h"
#include "engine/options.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_BATCH = 192, // 512 reads prompts 3 % faster and takes 19 MiB more (1B)
    DEFAULT_LOGITS = 32,
    DEFAULT_SESSIONS = 64,
    SPARE_SESSIONS = 4, // contexts of address space for prefixes
    IDLE_SHARE = 4,     // of free memory, without a limit on the cache
    DEFAULT_DIR_GIB = 4,
    MOST_BATCH = 65536,
    MOST_SESSIONS = 4096
};

pith_status px_engine_level(const char *cap, px_cpu_level *out, pith_error *err)
{
    px_cpu_level best = px_cpu_detect();
    const char *from = "";
    if (!cap || !*cap) {
        cap = getenv("PITH_CPU");
        from = "PITH_CPU names ";
    }
    if (!cap || !*cap) {
        *out = best;
        return PITH_OK;
    }
    if (!px_cpu_find(cap, out)) {
        char names[256] = "";
        for (size_t i = 0, at = 0; i < PX_CPU_N && at < sizeof names; i++)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i > 0 ? ", " : "",
                                   px_cpu_name((px_cpu_level)i));
        return px_fail(err, PITH_E_ARGUMENT, "%sCPU level '%s', which is none of: %s", from, cap,
                       names);
    }
    if (!px_cpu_runs(*out, best))
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "%sCPU level '%s' (%s), which this machine does not run; its best is '%s'",
                       from, cap, px_cpu_text(*out), px_cpu_name(best));
    return PITH_OK;
}

static pith_status kv_type(const char *member, const char *name, px_dtype *out, pith_error *err)
{
    const px_dtype_info *info = px_dtype_find(name ? name : "f16");
    if (!info || (info->id != PX_F32 && info->id != PX_F16 && info->id != PX_Q8_0))
        return px_fail(err, PITH_E_ARGUMENT,
                       "%s of the KV cache is '%s', expected f16, f32 or q8_0", member, name);
    *out = info->id;
    return PITH_OK;
}

static pith_status in_range(const char *member, int64_t x, int64_t max, pith_error *err)
{
    if (x >= 1 && x <= max)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT, "engine option %s is %lld, expected 1 to %lld", member,
                   (long long)x, (long long)max);
}

/* The context when the caller names none: the trained one. longrope has other factors for long
 * contexts, which change short texts too; unless asked for, the model stays in the context that it
 * was made for. */
static int64_t default_ctx(const px_hparams *hp)
{
    if (hp->rope_scaling == PX_ROPE_SCALING_LONGROPE && hp->rope_ctx_orig > 0)
        return hp->rope_ctx_orig;
    return hp->n_ctx_train;
}

pith_status px_engine_setup_make(const pith_model *model, const pith_engine_options *options,
                                 px_engine_setup *out, pith_error *err)
{
    pith_engine_options o = {0};
    pith_status st = px_options_read(options, "pith_engine_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    if (!model->has_weights)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "'%s' was opened without weights and cannot compute; open it with them",
                       model->info.path);
    *out = (px_engine_setup){
        .n_threads = o.n_threads,
        .n_ctx = o.n_ctx ? o.n_ctx : default_ctx(&model->hp),
        .n_batch = o.n_batch ? o.n_batch : DEFAULT_BATCH,
        .max_sessions = o.max_sessions ? o.max_sessions : DEFAULT_SESSIONS,
        .kv_bytes = o.kv_bytes,
        .no_prefix_cache = o.no_prefix_cache,
        .kv_dir = o.kv_dir,
        .kv_dir_bytes = o.kv_dir_bytes ? o.kv_dir_bytes : (uint64_t)DEFAULT_DIR_GIB << 30,
        .prompt_batch = o.prompt_batch,
    };
    st = in_range("n_ctx", out->n_ctx, PX_MAX_CONTEXT, err);
    if (st == PITH_OK)
        st = in_range("n_batch", out->n_batch, MOST_BATCH, err);
    if (st == PITH_OK)
        st = in_range("max_sessions", out->max_sessions, MOST_SESSIONS, err);
    if (st == PITH_OK && out->prompt_batch != 0)
        st = in_range("prompt_batch", out->prompt_batch, MOST_BATCH, err);
    if (st != PITH_OK)
        return st;
    if (o.kv_dir && o.no_prefix_cache)
        return px_fail(
            err, PITH_E_ARGUMENT,
            "engine option kv_dir keeps what the prefix cache has, and no_prefix_cache is "
            "set; leave one of them out");
    if (out->n_batch > out->n_ctx)
        out->n_batch = (int32_t)out->n_ctx;
    out->max_logits = o.max_logits ? o.max_logits : DEFAULT_LOGITS;
    st = in_range("max_logits", out->max_logits, MOST_BATCH, err);
    if (out->max_logits > out->n_batch)
        out->max_logits = out->n_batch;
    if (st == PITH_OK)
        st = kv_type("k_type", o.k_type, &out->k_type, err);
    if (st == PITH_OK)
        st = kv_type("v_type", o.v_type, &out->v_type, err);
    return st == PITH_OK ? px_engine_level(o.cpu, &out->level, err) : st;
}

/* Pages of address space: what all sessions could fill, and prefixes that they have left behind,
 * but no more than memory could hold. */
static int64_t pages_of(const px_engine_setup *setup, const px_kv_layout *layout)
{
    int64_t each = (setup->n_ctx + 1 + PX_KV_PAGE_TOKENS - 1) / PX_KV_PAGE_TOKENS;
    int64_t pages = each * (setup->max_sessions + (setup->no_prefix_cache ? 0 : SPARE_SESSIONS));
    uint64_t total, available;
    px_machine_memory("", &total, &available);
    if (setup->kv_bytes > 0 && (total == 0 || setup->kv_bytes < total))
        total = setup->kv_bytes;
    if (total > 0 && (uint64_t)pages > total / layout->page_bytes + 1)
        pages = (int64_t)(total / layout->page_bytes + 1);
    return pages;
}

/* Idle pages that the cache of prefixes may hold: as many as the caller's limit has room for, or a
 * part of what memory is free. */
static int64_t most_idle(const px_engine_setup *setup, const px_kv_layout *layout)
{
    uint64_t total, available;
    px_machine_memory("", &total, &available);
    if (setup->kv_bytes > 0 || available == 0)
        return INT64_MAX;
    return (int64_t)(available / IDLE_SHARE / layout->page_bytes);
}

/* Has the cache of prefixes keep pages on disk. */
static pith_status open_disk(pith_engine *e, pith_error *err)
{
    const px_engine_setup *setup = &e->setup;
    const px_kv_layout *layout = px_kv_pool_layout(e->kv);
    px_disk_options o = {.folder = setup->kv_dir,
                         .most_bytes = setup->kv_dir_bytes,
                         .identity = px_identity(e->model, layout, setup->n_ctx),
                         .page_bytes = layout->page_bytes,
                         .most_tokens = setup->n_ctx + PX_KV_PAGE_TOKENS};
    px_disk *disk;
    pith_status st = px_disk_open(&o, &disk, err);
    if (st != PITH_OK)
        return st;
    st = px_cache_set_disk(e->cache, disk, o.most_tokens, err);
    if (st != PITH_OK)
        px_disk_close(disk);
    return st;
}

/* Room for choosing tokens of several answers at once. */
static pith_status make_beside(pith_engine *e, pith_error *err)
{
    int32_t n = px_pool_size(e->pool) - 1;
    if (n == 0)
        return PITH_OK;
    e->beside = px_calloc((size_t)n, sizeof *e->beside);
    if (!e->beside)
        return px_fail_memory(err, "an engine's candidates");
    pith_status st = PITH_OK;
    while (st == PITH_OK && e->n_beside < n) {
        st = px_candidates_init(&e->beside[e->n_beside], e->model->hp.n_vocab, err);
        e->n_beside += st == PITH_OK;
    }
    return st;
}

static pith_status fill(pith_engine *e, pith_error *err)
{
    const px_engine_setup *setup = &e->setup;
    const px_hparams *hp = &e->model->hp;
    px_kv_layout layout;
    pith_status st = px_kern_fill(&e->kern, setup->level, err);
    if (st == PITH_OK)
        st = px_kv_layout_make(hp, setup->k_type, setup->v_type, &layout, err);
    if (st == PITH_OK)
        st = px_kv_pool_new(&layout, pages_of(setup, &layout), setup->kv_bytes, &e->kv, err);
    if (st == PITH_OK && !setup->no_prefix_cache)
        st = px_cache_new(e->kv, most_idle(setup, &layout), &e->cache, err);
    if (st == PITH_OK && setup->kv_dir)
        st = open_disk(e, err);
    if (st == PITH_OK && !e->pool)
        st = px_pool_new(setup->n_threads, &e->pool, err);
    if (st != PITH_OK)
        return st;
    px_decoder_options d = {
        .max_batch = setup->n_batch, .max_logits = setup->max_logits, .n_ctx = setup->n_ctx};
    st = px_decoder_new(hp, &e->model->weights, &e->kern, e->pool, &d, &e->decoder, err);
    if (st == PITH_OK)
        st = px_candidates_init(&e->candidates, hp->n_vocab, err);
    if (st == PITH_OK)
        st = make_beside(e, err);
    if (st != PITH_OK)
        return st;
    size_t n = (size_t)setup->max_sessions;
    e->chunks = px_malloc(n, sizeof *e->chunks);
    e->parts = px_malloc(n, sizeof *e->parts);
    e->batch.answers = px_malloc(n, sizeof *e->batch.answers);
    e->shares =
        (px_shares){.items = px_calloc(n, sizeof *e->shares.items), .most = setup->max_sessions};
    bool made = e->chunks && e->parts && e->batch.answers && e->shares.items;
    return made ? PITH_OK : px_fail_memory(err, "an engine's steps");
}

static int32_t least_tile(const px_kern *kern, const px_matrix *m, int32_t least)
{
    int slot = px_kern_slot(m->dtype);
    return kern->tile[slot] && kern->tile_from[slot] < least ? kern->tile_from[slot] : least;
}

/* Kernels for few columns, of products as of attention, compute each column as if it were alone;
 * tiles add in another order. */
static int32_t exact_columns(const pith_engine *e)
{
    enum { MOST = 8 }; // attention: level avx512bf16 takes nine and more by bf16
    const px_weights *w = &e->model->weights;
    int32_t least = least_tile(&e->kern, &w->head, MOST + 1);
    for (int32_t i = 0; i < e->model->hp.n_layers; i++) {
        const px_layer *l = &w->layers[i];
        const px_matrix *all[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            least = least_tile(&e->kern, all[j], least);
    }
    return least > 1 ? least - 1 : 1;
}

pith_status px_engine_make(const pith_model *model, const pith_engine_options *options,
                           px_pool *pool, pith_engine **out, pith_error *err)
{
    px_engine_setup setup;
    pith_status st = px_engine_setup_make(model, options, &setup, err);
    if (st != PITH_OK)
        return st;
    pith_engine *e = px_calloc(1, sizeof *e);
    if (!e)
        return px_fail_memory(err, "an engine");
    e->model = model;
    e->setup = setup;
    e->pool = pool;
    e->borrows_pool = pool != NULL;
    st = fill(e, err);
    if (st != PITH_OK) {
        pith_engine_free(e);
        return st;
    }
    e->setup.kv_dir = NULL; // the caller's
    e->exact_columns = exact_columns(e);
    *out = e;
    return PITH_OK;
}

pith_status pith_engine_new(const pith_model *model, const pith_engine_options *options,
                            pith_engine **out, pith_error *err)
{
    px_error_clear(err);
    if (!model || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_new: an argument is NULL");
    *out = NULL;
    return px_engine_make(model, options, NULL, out, err);
}

void pith_engine_free(pith_engine *engine)
{
    if (!engine)
        return;
    pith_engine_free(engine->draft);
    px_decoder_free(engine->decoder);
    px_cache_free(engine->cache);
    px_kv_pool_free(engine->kv);
    if (!engine->borrows_pool)
        px_pool_free(engine->pool);
    px_candidates_clear(&engine->candidates);
    for (int32_t i = 0; i < engine->n_beside; i++)
        px_candidates_clear(&engine->beside[i]);
    px_free(engine->beside);
    px_free(engine->chunks);
    px_free(engine->parts);
    px_free(engine->batch.answers);
    px_free(engine->shares.items);
    px_free(engine);
}

/* Bytes of work memory beside weights, cache and tokenizer. */
static uint64_t work_bytes(const pith_model *model, const px_kern *kern, int n_threads,
                           const px_engine_setup *setup)
{
    px_decoder_options d = {
        .max_batch = setup->n_batch, .max_logits = setup->max_logits, .n_ctx = setup->n_ctx};
    return px_decoder_bytes(&model->hp, &model->weights, kern, n_threads, &d) +
           (uint64_t)(n_threads > 1 ? n_threads : 1) * px_candidates_bytes(model->hp.n_vocab);
}

pith_status pith_engine_clear_cache(pith_engine *engine, pith_error *err)
{
    px_error_clear(err);
    if (!engine)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_clear_cache: the engine is NULL");
    pith_status st = px_engine_begin(engine, err);
    if (st != PITH_OK)
        return st;
    for (pith_engine *e = engine; e; e = e->draft)
        if (e->cache)
            px_cache_clear(e->cache);
    px_engine_end(engine);
    return PITH_OK;
}

pith_status pith_engine_save_cache(pith_engine *engine, pith_error *err)
{
    px_error_clear(err);
    if (!engine)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_save_cache: the engine is NULL");
    const px_disk *disk = engine->cache ? px_cache_disk(engine->cache) : NULL;
    if (!disk)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the engine has no folder to save its cache in; make it with kv_dir");
    pith_status st = px_engine_begin(engine, err);
    if (st != PITH_OK)
        return st;
    px_disk_info before, after;
    px_disk_get_info(disk, &before);
    px_cache_save(engine->cache);
    px_disk_get_info(disk, &after);
    px_engine_end(engine);
    if (after.n_failed > before.n_failed)
        return px_fail(err, PITH_E_IO, "%llu pages of the KV cache were not saved: %s",
                       (unsigned long long)(after.n_failed - before.n_failed), after.note);
    return PITH_OK;
}

static int32_t waiting(const px_batch *b)
{
    int32_t n = 0;
    for (int32_t i = 0; i < b->n; i++)
        n += !b->answers[i]->entered;
    return n;
}

pith_status pith_engine_get_info(const pith_engine *engine, pith_engine_info *out, pith_error *err)
{
    px_error_clear(err);
    if (!engine || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_engine_get_info: an argument is NULL");
    const px_engine_setup *setup = &engine->setup;
    int n_threads = px_pool_size(engine->pool);
    size_t page_bytes = px_kv_pool_layout(engine->kv)->page_bytes;
    px_cache_info cache = {0};
    if (engine->cache)
        px_cache_get_info(engine->cache, &cache);
    px_disk_info disk = {.note = ""};
    if (engine->cache && px_cache_disk(engine->cache))
        px_disk_get_info(px_cache_disk(engine->cache), &disk);
    pith_engine_info info = {
        .n_threads = n_threads,
        .cpu = px_cpu_name(engine->kern.level),
        .n_ctx = setup->n_ctx,
        .n_batch = setup->n_batch,
        .max_logits = setup->max_logits,
        .kv_bytes = px_kv_pool_bytes(engine->kv),
        .kv_limit = (uint64_t)px_kv_pool_most(engine->kv) * page_bytes,
        .cache_bytes = (uint64_t)px_kv_pool_idle(engine->kv) * page_bytes,
        .cache_tokens = cache.n_tokens,
        .n_cache_hits = cache.n_hits,
        .n_cache_evicted = cache.n_evicted,
        .n_submitted = engine->n_answers,
        .n_paused = engine->n_paused,
        .disk_bytes = disk.bytes,
        .n_disk_saved = disk.n_saved,
        .n_disk_loaded = disk.n_loaded,
        .n_disk_refused = disk.n_refused,
        .n_disk_failed = disk.n_failed,
        .disk_note = disk.note,
        .n_waiting = waiting(&engine->batch),
        .work_bytes = work_bytes(engine->model, &engine->kern, n_threads, setup) +
                      px_decoder_fit_bytes(engine->decoder),
        .n_sessions = engine->n_sessions,
        .n_answers = engine->batch.n,
        .n_steps = engine->n_steps,
        .n_computed = engine->n_computed,
        .n_generated = engine->n_generated,
        .n_drafted = engine->n_drafted,
        .n_accepted = engine->n_accepted,
    };
    return px_options_write(out, "pith_engine_info", &info, sizeof info, err);
}

pith_status pith_model_plan(const pith_model *model, pith_plan *plan, pith_error *err)
{
    px_error_clear(err);
    if (!model || !plan)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_plan: an argument is NULL");
    pith_plan p = {0};
    pith_status st = px_options_read(plan, "pith_plan", &p, sizeof p, err);
    if (st != PITH_OK)
        return st;
    pith_engine_options o = {.size = sizeof o,
                             .n_ctx = p.n_ctx,
                             .n_threads = p.n_threads,
                             .n_batch = p.n_batch,
                             .k_type = p.kv_type,
                             .v_type = p.kv_type};
    px_engine_setup setup;
    px_kv_layout layout;
    px_kern kern;
    st = px_engine_setup_make(model, &o, &setup, err);
    if (st == PITH_OK)
        st = px_kv_layout_make(&model->hp, setup.k_type, setup.v_type, &layout, err);
    if (st == PITH_OK)
        st = px_kern_fill(&kern, setup.level, err);
    if (st != PITH_OK)
        return st;
    const px_hparams *hp = &model->hp;
    p.n_ctx = setup.n_ctx;
    p.n_batch = setup.n_batch;
    p.n_threads = setup.n_threads ? setup.n_threads : px_cpu_count().physical;
    p.kv_type = px_dtype_name((uint32_t)setup.k_type);
    p.weight_bytes = model->weights.matrix_bytes;
    int64_t pages = (setup.n_ctx + PX_KV_PAGE_TOKENS - 1) / PX_KV_PAGE_TOKENS;
    p.kv_bytes = (uint64_t)pages * layout.page_bytes;
    p.kv_token_bytes = (uint64_t)hp->n_layers * (uint64_t)hp->n_kv_heads *
                       (layout.k_row_bytes + layout.v_row_bytes);
    p.work_bytes = work_bytes(model, &kern, p.n_threads, &setup);
    return px_options_write(plan, "pith_plan", &p, sizeof p, err);
}
