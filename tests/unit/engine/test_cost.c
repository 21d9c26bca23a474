/* cost: bytes and operations of known shapes, exactly; limits of the machine are numbers. */
#include "stories.h"

static pith_engine *engine_of(const pith_model *m, int32_t n_batch, const char *kv)
{
    pith_engine *engine = NULL;
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = 512;
    o.n_batch = n_batch;
    o.n_threads = 1;
    o.k_type = kv;
    o.v_type = kv;
    assert_ok(pith_engine_new(m, &o, &engine, &err));
    return engine;
}

static pith_cost cost_of(const pith_engine *engine, int32_t n, int64_t depth, int32_t n_logits)
{
    pith_cost cost = PITH_INIT(pith_cost);
    cost.n_tokens = n;
    cost.depth = depth;
    cost.n_logits = n_logits;
    assert_ok(pith_engine_get_cost(engine, &cost, &err));
    return cost;
}

/* 5 layers, width 64, 8 heads of 8 over 4 kv heads, ffn 172, 512 tokens, all f32. */
enum {
    STORIES_LAYERS = 5 * (64 * 64 * 2 + 2 * 32 * 64 + 3 * 64 * 172), // weights
    STORIES_HEAD = 512 * 64
};

static void a_token_reads_each_weight_once(void **state)
{
    (void)state;
    need_model();
    pith_engine *engine = engine_of(model, 16, NULL);
    pith_cost c = cost_of(engine, 1, 0, 1);
    assert_int_equal(c.n_steps, 1);
    assert_int_equal(c.weight_bytes, 4 * (STORIES_LAYERS + STORIES_HEAD));
    assert_int_equal(c.embed_bytes, 4 * 64);
    assert_int_equal(c.kv_read_bytes, 5 * 4 * 2 * 16);
    assert_int_equal(c.kv_write_bytes, 5 * 4 * 2 * 16);
    assert_int_equal(c.f32_ops, 2 * (STORIES_LAYERS + STORIES_HEAD));
    assert_int_equal(c.int8_ops, 0);
    assert_int_equal(c.bf16_ops, 0);
    assert_int_equal(c.attention_ops, 5 * 8 * 2 * (8 + 8));
    assert_int_equal(cost_of(engine, 1, 0, 0).weight_bytes, 4 * STORIES_LAYERS);
    assert_int_equal(cost_of(engine, 1, 100, 1).kv_read_bytes, 101 * 5 * 4 * 2 * 16);
    pith_engine_free(engine);
}

/* 40 tokens behind 10 in steps of 16, 16 and 8, which see 26, 42 and 50 positions. */
static void a_prompt_is_counted_in_steps(void **state)
{
    (void)state;
    need_model();
    pith_engine *engine = engine_of(model, 16, "f32");
    pith_cost c = cost_of(engine, 40, 10, 2);
    assert_int_equal(c.n_steps, 3);
    assert_int_equal(c.weight_bytes, 4 * (3 * STORIES_LAYERS + STORIES_HEAD));
    assert_int_equal(c.embed_bytes, 40 * 4 * 64);
    assert_int_equal(c.kv_read_bytes, (26 + 42 + 50) * 5 * 4 * 2 * 32);
    assert_int_equal(c.kv_write_bytes, 40 * 5 * 4 * 2 * 32);
    assert_int_equal(c.f32_ops, 2 * (40 * STORIES_LAYERS + 2 * STORIES_HEAD));
    assert_int_equal(c.attention_ops, 5 * 8 * 2 * (8 + 8) * (50 * 51 / 2 - 10 * 11 / 2));
    pith_engine_free(engine);
}

/* 4 layers, 0 and 2 see 13 tokens; 1 kv head of 32 under 2 heads; width 48, ffn 80, 100 tokens. */
static void windows_bound_what_is_seen(void **state)
{
    (void)state;
    pith_model *gemma = NULL;
    assert_ok(pith_model_open(test_source("tests/golden/models/gemma2"), NULL, &gemma, &err));
    pith_engine *engine = engine_of(gemma, 0, "q8_0");
    const int64_t layer = 2 * 48 * 64 + 2 * 48 * 32 + 3 * 48 * 80;
    pith_cost c = cost_of(engine, 3, 20, 1);
    assert_int_equal(c.f32_ops + c.bf16_ops, 2 * (3 * 4 * layer + 100 * 48));
    /* tokens 20, 21, 22: windows begin at 8 and end at 22 */
    assert_int_equal(c.kv_read_bytes, (2 * 15 + 2 * 23) * 2 * 34);
    assert_int_equal(c.attention_ops, 2 * 2 * (32 + 32) * (2 * 3 * 13 + 2 * (21 + 22 + 23)));
    assert_int_equal(cost_of(engine, 1, 5, 0).kv_read_bytes, 4 * 6 * 2 * 34);
    pith_engine_free(engine);
    pith_model_close(gemma);
}

static void wrong_questions_are_refused(void **state)
{
    (void)state;
    need_model();
    pith_engine *engine = engine_of(model, 0, NULL);
    pith_cost c = PITH_INIT(pith_cost);
    assert_refused(pith_engine_get_cost(engine, &c, &err), PITH_E_ARGUMENT, "cost of 0 tokens");
    c.n_tokens = 1;
    c.n_logits = 2;
    assert_refused(pith_engine_get_cost(engine, &c, &err), PITH_E_ARGUMENT, "2 rows of logits");
    c.n_logits = 0;
    c.depth = -1;
    assert_refused(pith_engine_get_cost(engine, &c, &err), PITH_E_ARGUMENT, "depth -1");
    assert_refused(pith_engine_get_cost(NULL, &c, &err), PITH_E_ARGUMENT, "NULL");
    pith_engine_free(engine);
}

static int count_progress(void *user, uint64_t done, uint64_t total)
{
    int *n = user;
    assert_true(done < total);
    return ++*n > 5;
}

static void a_meter_measures(void **state)
{
    (void)state;
    for (int32_t i = 0;; i++) {
        bool runs;
        const char *name = pith_cpu_level(i, &runs);
        if (!name)
            break;
        if (!runs)
            continue;
        pith_meter *meter = NULL;
        pith_meter_options o = PITH_INIT(pith_meter_options);
        o.n_threads = 2;
        o.cpu = name;
        o.read_span = 4 << 20;
        assert_ok(pith_meter_new(&o, &meter, &err));
        pith_limits l = PITH_INIT(pith_limits);
        int n = 0;
        assert_ok(pith_meter_run(meter, &l, count_progress, &n, &err));
        assert_int_equal(n, 4);
        assert_int_equal(l.n_threads, 2);
        assert_string_equal(l.cpu, name);
        assert_int_equal(l.read_span, 4 << 20);
        assert_true(l.read_gbps > 0 && isfinite(l.read_gbps));
        assert_true(l.int8_gops > 0 && isfinite(l.int8_gops));
        assert_true(l.f32_gflops > 0 && isfinite(l.f32_gflops));
        assert_true(l.bf16_gflops > 0 && isfinite(l.bf16_gflops));
        pith_limits read = PITH_INIT(pith_limits);
        read.parts = PITH_LIMIT_READ;
        read.quick = true;
        assert_ok(pith_meter_run(meter, &read, NULL, NULL, &err));
        assert_true(read.read_gbps > 0);
        assert_true(read.int8_gops == 0 && read.f32_gflops == 0 && read.bf16_gflops == 0);
        read.parts = PITH_LIMIT_BF16;
        assert_ok(pith_meter_run(meter, &read, NULL, NULL, &err));
        assert_true(read.bf16_gflops > 0 && read.read_gbps == 0);
        pith_meter_free(meter);
    }
}

static void a_meter_can_be_stopped(void **state)
{
    (void)state;
    pith_meter *meter = NULL;
    pith_meter_options o = PITH_INIT(pith_meter_options);
    o.read_span = 3;
    assert_refused(pith_meter_new(&o, &meter, &err), PITH_E_ARGUMENT, "read_span is 3");
    assert_null(meter);
    o.read_span = 4 << 20;
    o.cpu = "quick";
    assert_refused(pith_meter_new(&o, &meter, &err), PITH_E_ARGUMENT, "quick");
    o.cpu = NULL;
    o.n_threads = 1;
    assert_ok(pith_meter_new(&o, &meter, &err));
    pith_limits l = PITH_INIT(pith_limits);
    int n = 5;
    assert_refused(pith_meter_run(meter, &l, count_progress, &n, &err), PITH_E_CANCELLED,
                   "cancelled");
    l.parts = 16;
    assert_refused(pith_meter_run(meter, &l, NULL, NULL, &err), PITH_E_ARGUMENT, "0x10");
    assert_refused(pith_meter_run(NULL, &l, NULL, NULL, &err), PITH_E_ARGUMENT, "NULL");
    pith_meter_free(meter);
    pith_meter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_reads_each_weight_once),
        cmocka_unit_test(a_prompt_is_counted_in_steps),
        cmocka_unit_test(windows_bound_what_is_seen),
        cmocka_unit_test(wrong_questions_are_refused),
        cmocka_unit_test(a_meter_measures),
        cmocka_unit_test(a_meter_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
