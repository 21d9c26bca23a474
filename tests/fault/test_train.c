/* train: a whole run of training, with its checkpoints and what it writes, with each allocation
 * failing in turn. */
#include "support/fault.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const int32_t IDS[][12] = {
    {1, 403, 407, 261, 378, 383, 286, 404, 273, 410, 390, 2},
    {1, 403, 407, 261, 378, 383, 286, 260, 305, 410, 391, 2},
};

static pith_status add_examples(pith_examples *e, pith_error *err)
{
    uint8_t learn[12];
    memset(learn, 1, sizeof learn);
    pith_status st = PITH_OK;
    for (int i = 0; i < 2 && st == PITH_OK; i++)
        st = pith_examples_add(e, IDS[i], learn, 12, i + 1, false, err);
    return st;
}

typedef struct work {
    const pith_model *model;
    const char *method, *optimizer, *form, *folder;
    pith_goal goal;
} work;

static pith_status train(void *ctx, pith_error *err)
{
    const work *w = ctx;
    pith_examples *e = NULL;
    pith_train *t = NULL;
    pith_train_options o = PITH_INIT(pith_train_options);
    o.method = w->method;
    o.optimizer = w->optimizer;
    o.rank = 4;
    o.n_threads = 1;
    o.max_updates = 2;
    o.seq = 32;
    o.folder = w->folder;
    const pith_rank_rule rule = {"blk.0.attn_q", 2, 4};
    o.rules = &rule;
    o.n_rules = 1;
    pith_status st = pith_examples_new(w->goal, &e, err);
    if (st == PITH_OK)
        st = add_examples(e, err);
    if (st == PITH_OK)
        st = pith_train_new(w->model, e, e, &o, &t, err);
    if (st == PITH_OK)
        st = pith_train_run(t, err);
    if (st == PITH_OK)
        st = pith_train_resume(t, NULL, err);
    if (st == PITH_OK)
        st = pith_train_save(t, w->form, "a name", test_temp(w->method), err);
    pith_train_free(t);
    pith_examples_free(e);
    return st;
}

static void training(void **state)
{
    (void)state;
    pith_error err = {0};
    pith_model *model = NULL;
    if (pith_model_open(test_shared("models/stories260K.gguf"), NULL, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const char *folder = test_temp("run");
    assert_int_equal(mkdir(folder, 0700), 0);
    work w = {.model = model, .method = "lora", .form = "gguf", .folder = folder};
    test_fault_each(train, &w, 60);
    w.goal = PITH_GOAL_PAIR;
    test_fault_each(train, &w, 40);
    w = (work){.model = model, .method = "full", .optimizer = "adamw8", .form = "f16"};
    test_fault_each(train, &w, 40);
    pith_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(training)};
    return cmocka_run_group_tests_name("fault-train", tests, NULL, NULL);
}
