/* advise: counts of shapes against those of real files, times against hand calculation, the
 * catalogue. */
#include "support/support.h"

#include "cli/advise.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

static advise_catalogue load(const char *home)
{
    advise_catalogue c;
    pith_error err = {0};
    if (advise_catalogue_load(home, &c, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return c;
}

/* LLaMA 3.2 1B, by its config.json. */
static const advise_shape LLAMA = {.layers = 16,
                                   .width = 2048,
                                   .ffn = 8192,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head = 64,
                                   .vocab = 128256,
                                   .tied = true};
/* Gemma 3 1B: 22 of 26 layers see 512 tokens. */
static const advise_shape GEMMA = {.layers = 26,
                                   .width = 1152,
                                   .ffn = 6912,
                                   .heads = 4,
                                   .kv_heads = 1,
                                   .head = 256,
                                   .vocab = 262144,
                                   .window = 512,
                                   .window_layers = 22,
                                   .tied = true};

static void close_to(double got, double want, double part)
{
    if (!(fabs(got - want) <= part * want))
        fail_msg("%.9g, expected %.9g within %g %%", got, want, part * 100);
}

/* Weights of files that `pith quantize` wrote of this shape (bytes of tensors; 2026-11-22). */
static void sizes_are_those_of_files(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        double bytes;
    } FILES[] = {{"bf16", 2471763968.0},
                 {"q8_0", 1313251328.0},
                 {"q6_k", 1013968896.0},
                 {"q5_k_m", 903671808.0},
                 {"q4_k_m", 799862784.0}};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        advise_bytes b = advise_weights(&LLAMA, advise_type_find(FILES[i].type));
        close_to((double)(b.layers + b.output + b.embed), FILES[i].bytes, 0.001);
    }
}

static void an_output_of_its_own_counts(void **state)
{
    (void)state;
    advise_shape s = LLAMA;
    const advise_type *t = advise_type_find("q8_0");
    s.tied = false;
    advise_bytes b = advise_weights(&s, t);
    close_to((double)b.embed, 128256.0 * 2048 * 8.5 / 8, 1e-9);
    close_to((double)b.output, 128256.0 * 2048 * 8.5 / 8, 1e-9);
    close_to((double)b.layers, 16 * 60817408.0 * 8.5 / 8, 1e-9);
}

static void keys_and_values_know_windows(void **state)
{
    (void)state;
    assert_int_equal(advise_kv(&LLAMA, 1), 16 * 8 * 64 * 2 * 2);
    assert_int_equal(advise_kv(&LLAMA, 4096), (uint64_t)4096 * 16 * 8 * 64 * 2 * 2);
    assert_int_equal(advise_kv(&GEMMA, 100), (uint64_t)100 * 26 * 256 * 2 * 2);
    assert_int_equal(advise_kv(&GEMMA, 4096), (uint64_t)(4 * 4096 + 22 * 512) * 256 * 2 * 2);
}

static void work_is_counted_by_hand(void **state)
{
    (void)state;
    const advise_type *t = advise_type_find("q8_0");
    advise_work_of w = advise_token(&LLAMA, t, 1000);
    close_to(w.int8, 2 * (16 * 60817408.0 + 128256.0 * 2048), 1e-9);
    close_to(w.attention, 4.0 * 16 * 1001 * 2048, 1e-9);
    assert_true(w.bf16 == 0 && w.f32 == 0);
    w = advise_prompt(&LLAMA, advise_type_find("bf16"), 3);
    close_to(w.bf16, 2 * (3 * 16 * 60817408.0 + 128256.0 * 2048), 1e-9);
    close_to(w.attention, 4.0 * 16 * 6 * 2048, 1e-9); // 1 + 2 + 3 keys
    assert_true(w.int8 == 0);
    /* A window is never seen beyond: token 600 of GEMMA has 512 keys in 22 layers, 601 in 4. */
    w = advise_token(&GEMMA, t, 600);
    close_to(w.attention, 4.0 * (22 * 512 + 4 * 601) * 1024, 1e-9);
    w = advise_prompt(&GEMMA, t, 513);
    close_to(w.attention, 4.0 * (22 * (512 * 513 / 2 + 512) + 4 * (513 * 514 / 2)) * 1024, 1e-9);
}

static void the_engine_counts_the_same(void **state)
{
    (void)state;
    pith_model *model = NULL;
    pith_engine *engine = NULL;
    pith_error err = {0};
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_cost cost = PITH_INIT(pith_cost);
    if (pith_model_open(test_source("tests/golden/models/llama32"), NULL, &model, &err) !=
            PITH_OK ||
        pith_engine_new(model, NULL, &engine, &err) != PITH_OK ||
        pith_model_get_info(model, &info, &err) != PITH_OK)
        fail_msg("%s", err.text);
    advise_shape read = {.layers = info.n_layers,
                         .width = info.width,
                         .ffn = info.ffn,
                         .heads = info.n_heads,
                         .kv_heads = info.n_kv_heads,
                         .head = info.head_dim,
                         .vocab = info.n_vocab,
                         .tied = true};
    cost.n_tokens = 7;
    cost.n_logits = 1;
    assert_int_equal(pith_engine_get_cost(engine, &cost, &err), PITH_OK);
    advise_work_of mine = advise_prompt(&read, advise_type_find("bf16"), 7);
    advise_work_of theirs = advise_of_cost(&cost, info.n_layers);
    close_to(mine.bf16, theirs.bf16 + theirs.f32, 1e-9);
    close_to(mine.attention, theirs.attention, 1e-9);
    assert_true(mine.layers == theirs.layers);
    pith_engine_free(engine);
    pith_model_close(model);
}

static void times_follow_the_limits(void **state)
{
    (void)state;
    const advise_factors *f = &ADVISE_FACTORS;
    pith_limits l = PITH_INIT(pith_limits);
    l.n_threads = 2;
    l.read_gbps = 10;
    l.int8_gops = 1000;
    l.bf16_gflops = 100;
    advise_work_of w = {.bytes = 1e9, .layers = 10};
    close_to(advise_token_seconds(&w, &l), 0.1 / f->read + 10 * f->layer_us * 1e-6, 1e-9);
    l.read_gbps = 1000; // then threads are what limits
    close_to(advise_token_seconds(&w, &l), 1 / (2 * f->thread_gbps) + 10 * f->layer_us * 1e-6,
             1e-9);
    w = (advise_work_of){.int8 = 1e12, .attention = 1e11};
    close_to(advise_prompt_seconds(&w, &l), 1 / f->int8 + 1 / f->attention, 1e-9);
}

/* ---- the catalogue */

/* What a publisher states must follow from the shape: matrices are nearly all of a model. */
static void shapes_give_the_stated_parameters(void **state)
{
    (void)state;
    advise_catalogue c = load(test_temp("none"));
    assert_true(c.n >= 30);
    for (int i = 0; i < c.n; i++) {
        const advise_entry *e = &c.items[i];
        const advise_shape *s = &e->shape;
        int64_t layer = 2 * s->width * (s->heads + s->kv_heads) * s->head + 3 * s->width * s->ffn;
        double all = (double)(layer * s->layers + (s->tied ? 1 : 2) * s->vocab * s->width);
        if (!(fabs(all - (double)e->parameters) <= 0.004 * (double)e->parameters))
            fail_msg("%s: its shape has %.0f parameters, it states %llu", e->name, all,
                     (unsigned long long)e->parameters);
        assert_true(strchr(e->repo, '/') != NULL);
        assert_true(json_array_size(e->languages) > 0 && json_array_size(e->good_for) > 0);
    }
    advise_catalogue_clear(&c);
}

static void users_add_and_replace(void **state)
{
    (void)state;
    static const char MINE[] =
        "{\"models\": [{\"name\": \"Mine\", \"repo\": \"me/mine\", \"license\": \"mit\", "
        "\"parameters\": 1000, \"context\": 100, \"languages\": [\"en\"], \"good_for\": "
        "[\"chat\"], \"shape\": {\"layers\": 1, \"width\": 8, \"ffn\": 16, \"heads\": 2, "
        "\"kv_heads\": 1, \"head\": 4, \"vocab\": 50}}, {\"name\": \"Qwen3 4B\", \"repo\": "
        "\"me/other\", \"license\": \"x\", \"parameters\": 5, \"context\": 100, \"languages\": [], "
        "\"good_for\": [], \"shape\": {\"layers\": 1, \"width\": 8, \"ffn\": 16, \"heads\": 2, "
        "\"kv_heads\": 1, \"head\": 4, \"vocab\": 50}}]}";
    const char *home = test_temp("");
    advise_catalogue without = load(test_temp("none"));
    test_write(test_temp("catalogue.json"), MINE, sizeof MINE - 1);
    advise_catalogue c = load(home);
    assert_int_equal(c.n, without.n + 1);
    assert_string_equal(c.items[c.n - 1].name, "Mine");
    int found = 0;
    for (int i = 0; i < c.n; i++)
        if (strcmp(c.items[i].name, "Qwen3 4B") == 0) {
            assert_string_equal(c.items[i].repo, "me/other");
            found++;
        }
    assert_int_equal(found, 1);
    advise_catalogue_clear(&c);
    advise_catalogue_clear(&without);
}

static void mistakes_name_the_model(void **state)
{
    (void)state;
    static const struct {
        const char *json, *part;
    } BAD[] = {
        {"{}", "no array \"models\""},
        {"{\"models\": [{}]}", "no proper 'name'"},
        {"{\"models\": [{\"name\": \"A\"}]}", "'A' has no proper 'repo'"},
        {"{\"models\": [{\"name\": \"A\", \"repo\": \"a/b\", \"license\": \"x\", \"parameters\": "
         "-1}]}",
         "'A' has no proper 'parameters'"},
        {"{\"models\": [{\"name\": \"A\", \"repo\": \"a/b\", \"license\": \"x\", \"parameters\": "
         "1, "
         "\"context\": 1, \"languages\": [], \"good_for\": [], \"shape\": {\"layers\": "
         "100000000}}]}",
         "'A' has no proper 'layers'"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        advise_catalogue c = {0};
        pith_error err = {0};
        c.json[0] = json_loads(BAD[i].json, 0, NULL);
        assert_non_null(c.json[0]);
        assert_int_equal(advise_catalogue_add(&c, "x.json", c.json[0], &err), PITH_E_FORMAT);
        if (!strstr(err.text, BAD[i].part))
            fail_msg("'%s' is not in '%s'", BAD[i].part, err.text);
        advise_catalogue_clear(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_files),
        cmocka_unit_test(an_output_of_its_own_counts),
        cmocka_unit_test(keys_and_values_know_windows),
        cmocka_unit_test(work_is_counted_by_hand),
        cmocka_unit_test(the_engine_counts_the_same),
        cmocka_unit_test(times_follow_the_limits),
        cmocka_unit_test(shapes_give_the_stated_parameters),
        cmocka_unit_test(users_add_and_replace),
        cmocka_unit_test(mistakes_name_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
