/* adapter: each allocation fails in turn while adapters are read, written, compared and merged. */
#include "support/fault.h"
#include "support/support.h"

#include <cmocka.h>

#include "pith.h"

typedef struct work {
    const char *adapter, *gguf, *folder, *merged;
    pith_model *model;
} work;

static void on_difference(void *user, const pith_adapter_difference *d)
{
    (void)d;
    ++*(int *)user;
}

static pith_status read_and_write(void *ctx, pith_error *err)
{
    const work *w = ctx;
    pith_adapter_file *f = NULL, *g = NULL;
    int n = 0;
    pith_status st = pith_adapter_file_open(w->adapter, &f, err);
    if (st == PITH_OK)
        st = pith_adapter_file_save(f, w->model, w->gguf, "gguf", "f16", err);
    if (st == PITH_OK)
        st = pith_adapter_file_open(w->gguf, &g, err);
    if (st == PITH_OK)
        st = pith_adapter_file_save(g, w->model, w->folder, "peft", NULL, err);
    if (st == PITH_OK)
        st = pith_adapter_file_compare(f, g, w->model, on_difference, &n, err);
    pith_adapter_file_close(f);
    pith_adapter_file_close(g);
    return st;
}

static pith_status merge(void *ctx, pith_error *err)
{
    const work *w = ctx;
    pith_adapter *a = NULL;
    pith_merge_options o = PITH_INIT(pith_merge_options);
    o.n_threads = 1;
    pith_status st = pith_adapter_open(w->model, w->adapter, &a, err);
    pith_adapter_use use = {a, 1};
    if (st == PITH_OK)
        st = pith_merge(w->model, &use, 1, w->merged, &o, NULL, err);
    pith_adapter_close(a);
    return st;
}

static void each_allocation(void **state)
{
    (void)state;
    pith_error err = {0};
    work w = {.adapter = test_source("tests/golden/adapters/peft/llama32-dora"),
              .gguf = test_temp("a.gguf"),
              .folder = test_temp("a"),
              .merged = test_temp("m.gguf")};
    assert_int_equal(
        pith_model_open(test_source("tests/golden/models/llama32"), NULL, &w.model, &err), PITH_OK);
    test_fault_each(read_and_write, &w, 200);
    w.adapter = test_source("tests/golden/adapters/peft/llama32-patterns");
    test_fault_each(merge, &w, 200);
    pith_model_close(w.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation)};
    return cmocka_run_group_tests_name("fault adapter", tests, NULL, NULL);
}
