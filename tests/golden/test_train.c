/*
 * test_train: whole runs of training on a tiny model: they learn by heart, go on after a kill to
 * the same bits, do not care how many threads there are or how an update is cut into passes, stop
 * early, and do not apply what is not finite.
 */
#include "support/support.h"

#include <cmocka.h>

#include "golden/support/runner.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_EXAMPLES = 8, MOST = 24 };

/* Examples whose answers cannot be guessed from their prompts. */
typedef struct data {
    px_example all[2 * N_EXAMPLES];
    int32_t ids[2 * N_EXAMPLES][MOST];
    uint8_t learn[2 * N_EXAMPLES][MOST];
    px_examples e;
} data;

static void make_data(data *d, px_goal goal, int32_t vocab)
{
    *d = (data){0};
    d->e = (px_examples){.goal = goal, .all = d->all};
    d->e.n = goal == PX_GOAL_PAIR ? 2 * N_EXAMPLES : N_EXAMPLES;
    for (int i = 0; i < d->e.n; i++) {
        int unit = goal == PX_GOAL_PAIR ? i / 2 : i;
        int prompt = 4 + unit % 3, n = prompt + 6 + i % 9;
        for (int t = 0; t < n; t++) {
            int salt = t < prompt ? unit : i;
            d->ids[i][t] = (t * t * 5 + t * 3 + salt * salt * 7 + salt * 13 + 1) % vocab;
            d->learn[i][t] = t >= prompt;
        }
        d->all[i] = (px_example){.ids = d->ids[i],
                                 .learn = d->learn[i],
                                 .n = n,
                                 .n_learn = n - prompt,
                                 .line = i + 1,
                                 .good = i % 2 == 0};
        d->e.n_tokens += n;
        d->e.n_learn += n - prompt;
    }
}

typedef struct run {
    runner_model model;
    px_pool *pool;
    px_net *net;
    px_trainer *trainer;
    data data, held;
    double losses[4096];
    double evals[64];
    int n, n_evals, n_skipped;
    int kill_at;
} run;

static int on_event(void *user, const px_train_event *e)
{
    run *r = user;
    if (e->kind == PX_TRAIN_UPDATE) {
        assert_in_range(r->n, 0, 4095);
        r->losses[r->n++] = e->loss;
    }
    if (e->kind == PX_TRAIN_EVALUATION)
        r->evals[r->n_evals++] = e->loss;
    r->n_skipped += e->kind == PX_TRAIN_SKIPPED;
    if (r->kill_at > 0 && e->update == r->kill_at)
        raise(SIGKILL);
    return 0;
}

typedef struct wish {
    px_net_options net;
    px_trainer_options trainer;
    int threads;
    bool evaluates;
} wish;

static wish a_wish(void)
{
    wish w = {.threads = 2};
    px_cpu_level level = px_cpu_detect();
    w.net = (px_net_options){
        .rank = 8, .alpha = 16, .seed = 7, .n_ctx = 128, .level = level, .product_level = level};
    w.trainer = (px_trainer_options){
        .optim = {.kind = PX_OPTIM_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f},
        .lr = 1e-2,
        .clip = 1,
        .epochs = 1e6,
        .max_updates = 40,
        .batch = 4,
        .seq = 64,
        .keep = 1,
        .beta = 0.1,
        .seed = 3,
        .on_event = on_event,
    };
    return w;
}

static void open_run(run *r, const char *model, const wish *w)
{
    pith_error err = {0};
    *r = (run){0};
    runner_open(&r->model, runner_folder(model));
    runner_ok(px_pool_new(w->threads, &r->pool, &err), &err);
    runner_ok(px_net_new(&r->model.hp, &r->model.weights, r->pool, &w->net, &r->net, &err), &err);
    px_goal goal = w->trainer.objective == PX_OBJECTIVE_SFT   ? PX_GOAL_NEXT
                   : w->trainer.objective == PX_OBJECTIVE_KTO ? PX_GOAL_LABEL
                                                              : PX_GOAL_PAIR;
    make_data(&r->data, goal, r->model.hp.n_vocab);
    make_data(&r->held, goal, r->model.hp.n_vocab);
    for (int i = 0; i < r->held.e.n; i++) // another text
        for (int t = 0; t < r->held.all[i].n; t++)
            r->held.ids[i][t] = (r->held.ids[i][t] * 3 + 5) % r->model.hp.n_vocab;
    px_trainer_options o = w->trainer;
    o.user = r;
    runner_ok(
        px_trainer_new(r->net, &r->data.e, w->evaluates ? &r->held.e : NULL, &o, &r->trainer, &err),
        &err);
}

static void close_run(run *r)
{
    px_trainer_free(r->trainer);
    px_net_free(r->net);
    px_pool_free(r->pool);
    runner_close(&r->model);
    free(r);
}

static run *whole_run(const char *model, const wish *w)
{
    pith_error err = {0};
    run *r = malloc(sizeof *r);
    open_run(r, model, w);
    runner_ok(px_trainer_run(r->trainer, &err), &err);
    return r;
}

static void assert_same(const run *a, const run *b)
{
    assert_int_equal(a->net->params.n, b->net->params.n);
    assert_memory_equal(a->net->params.value, b->net->params.value,
                        (size_t)a->net->params.n * sizeof(float));
}

/* ---- */

static void check_by_heart(const wish *w)
{
    run *r = whole_run("llama3", w);
    double after = 0;
    pith_error err = {0};
    assert_true(r->losses[0] > 1);
    runner_ok(px_trainer_evaluate(r->trainer, false, &after, &err), &err);
    if (!(after < 0.05))
        fail_msg("loss %g after %d updates, from %g", after, r->n, r->losses[0]);
    close_run(r);
}

static void test_learns_by_heart(void **state)
{
    (void)state;
    wish w = a_wish();
    w.trainer.max_updates = 150;
    check_by_heart(&w);
    w.trainer.optim.kind = PX_OPTIM_ADAMW8;
    check_by_heart(&w);
    w.net.dora = true;
    w.net.lora_plus = 2;
    w.trainer.optim.kind = PX_OPTIM_ADAMW;
    check_by_heart(&w);
    w.net.dora = false;
    w.net.full = true;
    w.trainer.lr = 3e-3;
    check_by_heart(&w);
    w.trainer.optim.kind = PX_OPTIM_LION;
    w.trainer.lr = 1e-3;
    w.trainer.optim.beta2 = 0.99f;
    check_by_heart(&w);
}

static void test_threads_and_passes(void **state)
{
    (void)state;
    wish w = a_wish();
    w.trainer.dropout = 0.1f;
    w.trainer.max_updates = 6;
    run *two = whole_run("gemma2", &w);
    w.threads = 1;
    run *one = whole_run("gemma2", &w);
    assert_same(one, two);
    close_run(one);
    close_run(two);
    w.trainer.dropout = 0;
    w.trainer.seq = MOST; // an example a pass
    one = whole_run("gemma2", &w);
    w.trainer.seq = 256;
    two = whole_run("gemma2", &w);
    for (int i = 0; i < one->n; i++)
        if (!(fabs(one->losses[i] - two->losses[i]) < 1e-3 * two->losses[i]))
            fail_msg("update %d: %.9g by single examples, %.9g packed", i, one->losses[i],
                     two->losses[i]);
    close_run(one);
    close_run(two);
}

static const char *folder_of(const char *name)
{
    const char *path = test_temp(name);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

/* A child runs and is killed without warning in the event of update `updates`. */
static void run_and_kill(const char *model, const wish *w, int updates)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run *r = malloc(sizeof *r);
        open_run(r, model, w);
        r->kill_at = updates;
        pith_error err = {0};
        px_trainer_run(r->trainer, &err);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_resume(wish w, const char *name)
{
    pith_error err = {0};
    w.trainer.max_updates = 12;
    w.trainer.dropout = w.net.dora || w.net.full ? 0 : 0.2f;
    w.evaluates = true;
    w.trainer.eval_every = 3;
    run *whole = whole_run("llama32", &w);
    w.trainer.folder = folder_of(name);
    w.trainer.save_every = 5;
    run_and_kill("llama32", &w, 7);
    run *r = malloc(sizeof *r);
    open_run(r, "llama32", &w);
    bool found = false;
    runner_ok(px_trainer_resume(r->trainer, &found, &err), &err);
    assert_true(found);
    assert_int_equal(px_trainer_state(r->trainer)->updates, 5);
    runner_ok(px_trainer_run(r->trainer, &err), &err);
    assert_same(whole, r);
    assert_true(px_trainer_state(r->trainer)->best == px_trainer_state(whole->trainer)->best);
    close_run(r);
    w.trainer.identity = 99; // other data
    r = malloc(sizeof *r);
    open_run(r, "llama32", &w);
    assert_int_equal(px_trainer_resume(r->trainer, &found, &err), PITH_E_MISMATCH);
    close_run(r);
    close_run(whole);
}

static void test_resumes(void **state)
{
    (void)state;
    wish w = a_wish();
    check_resume(w, "lora");
    w.trainer.optim.kind = PX_OPTIM_ADAMW8;
    check_resume(w, "lora8");
    w.net.full = true;
    check_resume(w, "full");
    w = a_wish();
    w.trainer.objective = PX_OBJECTIVE_DPO;
    check_resume(w, "dpo");
}

static void test_preferences(void **state)
{
    (void)state;
    static const px_objective_kind KINDS[] = {PX_OBJECTIVE_DPO, PX_OBJECTIVE_ORPO,
                                              PX_OBJECTIVE_KTO};
    for (int i = 0; i < 3; i++) {
        wish w = a_wish();
        w.trainer.objective = KINDS[i];
        w.trainer.lr = 3e-3;
        run *r = whole_run("qwen3", &w);
        if (KINDS[i] == PX_OBJECTIVE_DPO) // the model as it is likes neither
            assert_true(fabs(r->losses[0] - log(2)) < 1e-6);
        if (!(r->losses[r->n - 1] < 0.6 * r->losses[0]))
            fail_msg("objective %d: %g after %g", i, r->losses[r->n - 1], r->losses[0]);
        close_run(r);
    }
}

static void test_stops_early(void **state)
{
    (void)state;
    pith_error err = {0};
    wish w = a_wish();
    w.evaluates = true;
    w.trainer.eval_every = 2;
    w.trainer.patience = 3;
    w.trainer.max_updates = 100;
    w.trainer.folder = folder_of("early");
    run *r = whole_run("llama3", &w);
    const px_train_state *s = px_trainer_state(r->trainer);
    assert_true(s->updates < 100);
    assert_int_equal(s->updates, s->best_at + 6);
    double best = 0;
    runner_ok(px_trainer_take_best(r->trainer, &err), &err);
    runner_ok(px_trainer_evaluate(r->trainer, false, &best, &err), &err);
    assert_true(best == s->best);
    close_run(r);
}

/* As `fill` of tests/golden/train/grads.py. */
static void fill(float *to, int64_t n, int64_t index, double size)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t h = ((uint64_t)i * 2654435761u + (uint64_t)index * 40503u + 12345u) & 0xffffffffu;
        h = ((h ^ h >> 15) * 2246822519u) & 0xffffffffu;
        to[i] = (float)(((double)(h >> 16) / 65536.0 - 0.5) * size);
    }
}

static void fill_a(px_net *net, const char *name, int64_t index)
{
    for (int32_t i = 0; i < net->params.n_parts; i++) {
        const px_param *p = &net->params.parts[i];
        if (p->role == 'a' && strcmp(p->name, name) == 0) {
            fill(net->params.value + p->at, p->n, index, 0.3);
            return;
        }
    }
    fail_msg("no A of '%s'", name);
}

/* A curve of tests/golden/train/curves.py. */
typedef struct curve {
    char name[16];
    double beta, lr, alpha;
    int rank, n_a, n;
    char a[64][64];
    double losses[64];
} curve;

static bool read_curve(FILE *f, curve *c)
{
    char row[256];
    *c = (curve){0};
    long at = ftell(f);
    for (; fgets(row, sizeof row, f); at = ftell(f)) {
        if (strncmp(row, "curve ", 6) == 0) {
            if (c->rank > 0)
                break;
            assert_int_equal(sscanf(row, "curve %15s %lf %lf %d %lf", c->name, &c->beta, &c->lr,
                                    &c->rank, &c->alpha),
                             5);
        } else if (strncmp(row, "a ", 2) == 0) {
            assert_in_range(c->n_a, 0, 63);
            assert_int_equal(sscanf(row, "a %63s", c->a[c->n_a++]), 1);
        } else {
            assert_in_range(c->n, 0, 63);
            assert_int_equal(sscanf(row, "loss %lf", &c->losses[c->n++]), 1);
        }
    }
    fseek(f, at, SEEK_SET);
    return c->rank > 0;
}

static void check_curve(const curve *c)
{
    pith_error err = {0};
    wish w = a_wish();
    w.net.rank = c->rank;
    w.net.alpha = (float)c->alpha;
    if (px_cpu_runs(PX_CPU_VNNI, w.net.level))
        w.net.product_level = PX_CPU_VNNI; // f32
    w.trainer.lr = c->lr;
    w.trainer.batch = N_EXAMPLES;
    w.trainer.max_updates = c->n;
    if (strcmp(c->name, "dpo") == 0) {
        w.trainer.objective = PX_OBJECTIVE_DPO;
        w.trainer.beta = c->beta;
    }
    run *r = malloc(sizeof *r);
    open_run(r, "llama32", &w);
    for (int i = 0; i < c->n_a; i++)
        fill_a(r->net, c->a[i], i);
    runner_ok(px_trainer_run(r->trainer, &err), &err);
    assert_int_equal(r->n, c->n);
    for (int i = 0; i < r->n; i++)
        if (!(fabs(r->losses[i] - c->losses[i]) <= 1e-3))
            fail_msg("%s, update %d: loss %.7g, expected %.7g", c->name, i, r->losses[i],
                     c->losses[i]);
    close_run(r);
}

/* Losses of 20 updates as PEFT (LoRA) and TRL (DPO) have them. */
static void test_curves(void **state)
{
    (void)state;
    FILE *f = fopen(test_source("tests/golden/train/curves.txt"), "r");
    assert_non_null(f);
    curve c;
    int n = 0;
    for (; read_curve(f, &c); n++) {
        assert_int_equal(c.n, 20);
        check_curve(&c);
    }
    assert_int_equal(n, 2);
    fclose(f);
}

static void test_guards(void **state)
{
    (void)state;
    pith_error err = {0};
    wish w = a_wish();
    run *r = malloc(sizeof *r);
    open_run(r, "llama3", &w);
    r->net->params.value[3] = NAN;
    assert_int_equal(px_trainer_run(r->trainer, &err), PITH_E_NUMERIC);
    assert_int_equal(r->n_skipped, 4); // the fifth ends the run
    assert_int_equal(r->n, 0);
    close_run(r);
}

static void test_refuses(void **state)
{
    (void)state;
    pith_error err = {0};
    wish w = a_wish();
    run *r = malloc(sizeof *r);
    open_run(r, "llama3", &w);
    px_trainer *t = NULL;
    px_trainer_options o = w.trainer;
    o.seq = 8;
    assert_int_equal(px_trainer_new(r->net, &r->data.e, NULL, &o, &t, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "line 1"));
    err = (pith_error){0};
    o = w.trainer;
    o.objective = PX_OBJECTIVE_DPO;
    assert_int_equal(px_trainer_new(r->net, &r->data.e, NULL, &o, &t, &err), PITH_E_ARGUMENT);
    assert_null(t);
    close_run(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_by_heart), cmocka_unit_test(test_threads_and_passes),
        cmocka_unit_test(test_resumes),         cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_curves),          cmocka_unit_test(test_stops_early),
        cmocka_unit_test(test_guards),          cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests_name("golden-train", tests, NULL, NULL);
}
