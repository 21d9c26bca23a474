/*
 * imatrix: pith's sums of squared activations against those of transformers (tests/golden/quant/
 * make_imatrix.py) for tiny models: plain, with fused matrices, with norms after each block and
 * soft caps.
 *
 * Bound: activations are f32 on both sides, but keys and values pass f16 here (2^-11 each), so that
 * what follows attention may differ by some parts in a thousand, and its square by twice that.
 */
#include "../unit/format/gguf_bytes.h"

#include "quant/imatrix.h"

#include <math.h>
#include <stdlib.h>

static void check(const char *name)
{
    pith_error err;
    pith_model *model;
    size_t len;
    char *text = test_read(test_source("tests/golden/quant/imatrix.text"), &len);
    pith_imatrix_options o = PITH_INIT(pith_imatrix_options);
    pith_imatrix_result r = PITH_INIT(pith_imatrix_result);
    o.chunk = 24;
    o.n_threads = 2;
    o.dataset = "imatrix.text";
    const char *ours = test_temp(test_format("%s.gguf", name));
    const char *theirs = test_source(test_format("tests/golden/quant/%s.imatrix.gguf", name));
    const char *folder = test_source(test_format("tests/golden/models/%s", name));
    assert_ok(pith_model_open(folder, NULL, &model, &err));
    assert_ok(pith_imatrix(model, text, len, ours, &o, &r, &err));
    pith_model_close(model);

    px_source *a, *b;
    assert_ok(px_source_open(ours, NULL, &a, &err));
    assert_ok(px_source_open(theirs, NULL, &b, &err));
    assert_int_equal(a->n_tensors, b->n_tensors);
    assert_int_equal(a->n_metas, b->n_metas);
    assert_int_equal(2 * r.n_matrices, a->n_tensors);
    double worst = 0;
    for (int64_t t = 0; t < b->n_tensors; t++) {
        const px_tensor *y = &b->tensors[t], *x = px_source_tensor(a, y->name);
        if (!x)
            fail_msg("%s: '%s' is missing", name, y->name);
        assert_int_equal(x->dtype, PX_F32);
        assert_memory_equal(x->ne, y->ne, sizeof x->ne);
        double mean = 0;
        float u, v;
        for (int64_t i = 0; i < y->ne[0]; i++) {
            memcpy(&v, y->data + 4 * i, 4);
            mean += (double)v / (double)y->ne[0];
        }
        for (int64_t i = 0; i < y->ne[0]; i++) {
            memcpy(&u, x->data + 4 * i, 4);
            memcpy(&v, y->data + 4 * i, 4);
            const double gap = fabs((double)u - (double)v) / (fabs((double)v) + 0.1 * mean);
            worst = gap > worst ? gap : worst;
            if (!(gap <= 5e-3))
                fail_msg("%s: %s[%lld] is %g, transformers has %g", name, y->name, (long long)i,
                         (double)u, (double)v);
        }
    }
    print_message("# %s: at most %.2g apart\n", name, worst);
    px_source_close(a);
    px_source_close(b);
}

static void equals_transformers(void **state)
{
    (void)state;
    check("llama32");
    check("phi3");
    check("gemma2");
}

int main(void)
{
    /* The plain C level multiplies with f32 activations where weights are floats. */
    setenv("PITH_CPU", "ref", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
