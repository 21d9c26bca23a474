/* data: rendering, checking, cleaning and splitting a small set, with each allocation failing in
 * turn. */
#include "support/fault.h"
#include "support/support.h"

#include "train/dataset.h"

#include <string.h>

#include <cmocka.h>

static pith_model *model;

static const char ROWS[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Where does the river go in winter, and who "
    "has "
    "seen it there?\"},{\"role\":\"assistant\",\"content\":\"To the lake.\"},{\"role\":\"user\","
    "\"content\":\"So?\"},{\"role\":\"assistant\",\"content\":\"Yes.\"}]}\n"
    "{\"messages\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}]}\n"
    "{\"messages\":[{\"role\":\"user\"\n"
    "{\"messages\":[{\"from\":\"human\",\"value\":\"c\"},{\"from\":\"gpt\",\"value\":\"d\"}]}\n";

static const char TABLE[] = "prompt,completion\n\"a \"\"b\"\"\",c\nd\ne,f\n";

static void need_files(void)
{
    pith_error err;
    test_write(test_temp("a.jsonl"), ROWS, sizeof ROWS - 1);
    test_write(test_temp("a.csv"), TABLE, sizeof TABLE - 1);
    if (!model &&
        pith_model_open(test_shared("models/stories260K.gguf"), NULL, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
}

static pith_status examples(void *ctx, pith_error *err)
{
    pith_dataset *set;
    px_examples e = {.n = 0};
    pith_render_options o = PITH_INIT(pith_render_options);
    pith_dataset_options so = PITH_INIT(pith_dataset_options);
    so.now = 1700000000;
    so.system = "S.";
    o.skip_bad = true;
    pith_status st = pith_dataset_open(ctx, &so, &set, err);
    if (st == PITH_OK)
        st = px_dataset_examples(set, model, &o, &e, NULL, err);
    px_examples_clear(&e);
    pith_dataset_close(set);
    return st;
}

static pith_status check(void *ctx, pith_error *err)
{
    pith_dataset *set = NULL, *eval = NULL;
    pith_data_report *report = NULL;
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    pith_dataset_options so = PITH_INIT(pith_dataset_options);
    so.now = 1700000000;
    pith_status st = pith_dataset_open(ctx, &so, &set, err);
    if (st == PITH_OK)
        st = pith_dataset_open(ctx, &so, &eval, err);
    o.eval = eval;
    o.fixed = test_temp("fixed");
    if (st == PITH_OK)
        st = pith_data_check(set, &o, &report, err);
    pith_data_report_free(report);
    pith_dataset_close(eval);
    pith_dataset_close(set);
    return st;
}

static pith_status check_tokens(void *ctx, pith_error *err)
{
    pith_dataset *set;
    pith_data_report *report = NULL;
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.model = model;
    pith_status st = pith_dataset_open(ctx, NULL, &set, err);
    if (st == PITH_OK)
        st = pith_data_check(set, &o, &report, err);
    pith_data_report_free(report);
    pith_dataset_close(set);
    return st;
}

static pith_status split(void *ctx, pith_error *err)
{
    pith_dataset *set;
    pith_data_split_options o = PITH_INIT(pith_data_split_options);
    o.n_rows = 1;
    pith_status st = pith_dataset_open(ctx, NULL, &set, err);
    if (st == PITH_OK)
        st = pith_data_split(set, test_temp("x"), test_temp("y"), &o, NULL, err);
    pith_dataset_close(set);
    return st;
}

static void rendering(void **state)
{
    (void)state;
    need_files();
    test_fault_each(examples, (void *)test_temp("a.jsonl"), 120);
    test_fault_each(examples, (void *)test_temp("a.csv"), 120);
}

static void checking(void **state)
{
    (void)state;
    need_files();
    test_fault_each(check, (void *)test_temp("a.jsonl"), 0);
    test_fault_each(check, (void *)test_temp("a.csv"), 0);
    test_fault_each(check_tokens, (void *)test_temp("a.jsonl"), 120);
    pith_model_close(model);
    model = NULL;
}

static void splitting(void **state)
{
    (void)state;
    need_files();
    test_fault_each(split, (void *)test_temp("a.jsonl"), 0);
    pith_model_close(model);
    model = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rendering), cmocka_unit_test(checking),
                                       cmocka_unit_test(splitting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
