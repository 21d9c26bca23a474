/* quant: quantizing with an importance matrix, making one, and comparing two models, with each
 * allocation failing in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "quant/quantize.h"

#include <string.h>

#include <cmocka.h>

static const char TEXT[] = "Once upon a time, there was a little girl named Lily.";

static pith_status collect(void *ctx, pith_error *err)
{
    pith_model *model;
    pith_imatrix_options o = PITH_INIT(pith_imatrix_options);
    o.n_threads = 1;
    o.chunk = 16;
    pith_status st = pith_model_open(ctx, NULL, &model, err);
    if (st == PITH_OK)
        st = pith_imatrix(model, TEXT, sizeof TEXT - 1, test_temp("i.gguf"), &o, NULL, err);
    pith_model_close(model);
    return st;
}

static pith_status quantize(void *ctx, pith_error *err)
{
    const pith_tensor_rule rule = {"attn_k", "q8_0"};
    pith_quantize_options o = PITH_INIT(pith_quantize_options);
    pith_quantized r = PITH_INIT(pith_quantized);
    o.rules = &rule;
    o.n_rules = 1;
    o.n_threads = 2;
    o.importance = test_temp("i.gguf");
    return pith_quantize(ctx, test_temp("q.gguf"), "q4_0", &o, &r, err);
}

typedef struct both {
    pith_engine *a, *b;
} both;

static pith_status compare(void *ctx, pith_error *err)
{
    const both *engines = ctx;
    pith_comparison c = PITH_INIT(pith_comparison);
    return pith_compare_text(engines->a, engines->b, TEXT, sizeof TEXT - 1, &c, NULL, NULL, err);
}

static void quantizing(void **state)
{
    (void)state;
    test_fault_each(collect, (void *)test_shared("models/stories260K.gguf"), 60);
    test_fault_each(quantize, (void *)test_shared("models/stories260K.gguf"), 0);
}

static void comparing(void **state)
{
    (void)state;
    pith_error err;
    pith_model *model;
    both engines;
    assert_int_equal(pith_model_open(test_shared("models/stories260K.gguf"), NULL, &model, &err),
                     0);
    assert_int_equal(pith_engine_new(model, NULL, &engines.a, &err), 0);
    assert_int_equal(pith_engine_new(model, NULL, &engines.b, &err), 0);
    test_fault_each(compare, &engines, 0);
    pith_engine_free(engines.a);
    pith_engine_free(engines.b);
    pith_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quantizing), cmocka_unit_test(comparing)};
    return cmocka_run_group_tests_name("fault-quant", tests, NULL, NULL);
}
