/* format: opening, writing and converting, with each allocation failing in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "format/gguf_write.h"
#include "format/source.h"
#include "quant/convert.h"

#include <string.h>

#include <cmocka.h>

static pith_status open_path(void *ctx, pith_error *err)
{
    px_source *s;
    const px_source_options options = {.tensors_optional = true};
    pith_status status = px_source_open(ctx, &options, &s, err);
    if (status == PITH_OK)
        assert_true(s->n_metas > 0);
    px_source_close(s);
    return status;
}

static pith_status write_file(void *ctx, pith_error *err)
{
    px_gguf_writer *w;
    const px_str strs[] = {px_str_of("a"), px_str_of("b")};
    const int64_t ne[] = {4, 1};
    const float data[4] = {1, 2, 3, 4};
    pith_status status = px_gguf_writer_new(ctx, 64, &w, err);
    if (status == PITH_OK)
        status = px_gguf_set_strs(w, "a.strs", strs, 2, err);
    for (int i = 0; i < 100 && status == PITH_OK; i++)
        status = px_gguf_set_u32(w, test_format("a.%d", i), 1, err);
    for (int i = 0; i < 100 && status == PITH_OK; i++)
        status = px_gguf_add_tensor(w, test_format("t.%d", i), PX_F32, 2, ne, err);
    if (status == PITH_OK)
        status = px_gguf_begin_data(w, err);
    for (int i = 0; i < 100 && status == PITH_OK; i++)
        status = px_gguf_write_data(w, data, sizeof data, err);
    if (status == PITH_OK)
        status = px_gguf_finish(w, err);
    px_gguf_writer_free(w);
    return status;
}

static pith_status convert(void *ctx, pith_error *err)
{
    px_source *s;
    const px_convert_options options = {.dtype = PX_F16};
    pith_status status = px_source_open(ctx, NULL, &s, err);
    if (status == PITH_OK)
        status = px_convert(s, test_temp("converted.gguf"), &options, err);
    px_source_close(s);
    return status;
}

static const char *golden(const char *name)
{
    const char *path = test_source(test_format("tests/golden/models/%s", name));
    if (!test_exists(path))
        skip();
    return path;
}

static void opening_gguf(void **state)
{
    (void)state;
    test_fault_each(open_path, (void *)test_shared("models/stories260K.gguf"), 0);
}

static void opening_folders(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"llama3", "llama32", "phi35", "gemma3-vlm", "smollm3"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        test_fault_each(open_path, (void *)golden(NAMES[i]), 0);
}

static void writing(void **state)
{
    (void)state;
    const char *path = test_temp("written.gguf");
    test_fault_each(write_file, (void *)path, 0);
    assert_true(test_exists(path));
}

static void converting(void **state)
{
    (void)state;
    test_fault_each(convert, (void *)golden("llama2"), 60);
    test_fault_each(convert, (void *)test_shared("models/stories260K.gguf"), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_gguf),
        cmocka_unit_test(opening_folders),
        cmocka_unit_test(writing),
        cmocka_unit_test(converting),
    };
    return cmocka_run_group_tests_name("fault-format", tests, NULL, NULL);
}
