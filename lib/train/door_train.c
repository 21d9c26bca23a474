/*
 * door_train: the door's training: options with their defaults, examples made by hand, and the run
 * over a pool of its own.
 */
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/hash.h"
#include "engine/options.h"
#include "train/dataset.h"
#include "train/save.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

struct pith_examples {
    px_examples e;
};

struct pith_train {
    const pith_model *model;
    px_pool *pool;
    px_net *net;
    px_trainer *trainer;
    pith_train_options o; // read: pointers are the caller's until pith_train_new returns
    px_rank_rule *rules;
    char *folder;
};

/* ---- examples */

pith_status pith_examples_new(pith_goal goal, pith_examples **out, pith_error *err)
{
    px_error_clear(err);
    if (!out || goal < PITH_GOAL_NEXT || goal > PITH_GOAL_LABEL)
        return px_fail(err, PITH_E_ARGUMENT, "pith_examples_new: a goal that is none");
    pith_examples *e = px_calloc(1, sizeof *e);
    *out = e;
    if (!e)
        return px_fail_memory(err, "examples");
    e->e.goal = (px_goal)goal;
    return PITH_OK;
}

void pith_examples_free(pith_examples *examples)
{
    if (!examples)
        return;
    px_examples_clear(&examples->e);
    px_free(examples);
}

pith_status pith_examples_add(pith_examples *examples, const int32_t *ids, const uint8_t *learn,
                              int32_t n, int64_t line, bool good, pith_error *err)
{
    px_error_clear(err);
    if (!examples || !ids || !learn || n < 1)
        return px_fail(err, PITH_E_ARGUMENT, "pith_examples_add: an example without tokens");
    uint8_t *marks = px_malloc((size_t)n, 1);
    if (!marks)
        return px_fail_memory(err, "an example");
    px_example x = {.ids = ids, .learn = marks, .n = n, .line = line, .good = good};
    for (int32_t t = 0; t < n; t++) {
        marks[t] = t > 0 && learn[t];
        x.n_learn += marks[t];
    }
    pith_status st = px_examples_add(&examples->e, &x, err);
    px_free(marks);
    return st;
}

pith_status pith_examples_read(pith_dataset *dataset, const pith_model *model,
                               const pith_render_options *options, pith_examples **out,
                               pith_render_result *result, pith_error *err)
{
    px_error_clear(err);
    if (!dataset || !model || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_examples_read: an argument is NULL");
    *out = NULL;
    pith_examples *e = px_calloc(1, sizeof *e);
    if (!e)
        return px_fail_memory(err, "examples");
    pith_status st = px_dataset_examples(dataset, model, options, &e->e, result, err);
    if (st == PITH_OK)
        *out = e;
    else
        pith_examples_free(e);
    return st;
}

int64_t pith_examples_count(const pith_examples *examples, int64_t *n_tokens, int64_t *n_learned)
{
    if (n_tokens)
        *n_tokens = examples ? examples->e.n_tokens : 0;
    if (n_learned)
        *n_learned = examples ? examples->e.n_learn : 0;
    return examples ? examples->e.n : 0;
}

/* ---- options */

/* The place of a name in a list that ends in NULL; name NULL: the first. */
static pith_status choose(const char *what, const char *name, const char *const *list, int *out,
                          pith_error *err)
{
    char all[128] = "";
    *out = 0;
    if (!name)
        return PITH_OK;
    for (int i = 0; list[i]; i++) {
        if (strcmp(list[i], name) == 0) {
            *out = i;
            return PITH_OK;
        }
        strncat(all, i > 0 ? ", " : "", sizeof all - strlen(all) - 1);
        strncat(all, list[i], sizeof all - strlen(all) - 1);
    }
    return px_fail(err, PITH_E_ARGUMENT, "unknown %s '%s', expected one of: %s", what, name, all);
}

static double or_else(double value, double otherwise)
{
    return value == 0 ? otherwise : value;
}

static double unless_negative(double value, double otherwise)
{
    return value < 0 ? 0 : or_else(value, otherwise);
}

static pith_status read_net(const pith_train_options *o, pith_train *t, px_net_options *out,
                            pith_error *err)
{
    static const char *const METHODS[] = {"lora", "full", NULL};
    int method;
    pith_status st = choose("method", o->method, METHODS, &method, err);
    if (st != PITH_OK)
        return st;
    if (o->n_rules > 0 && !o->rules)
        return px_fail(err, PITH_E_ARGUMENT, "rules of ranks are NULL");
    t->rules = px_calloc((size_t)o->n_rules + 1, sizeof *t->rules);
    if (!t->rules)
        return px_fail_memory(err, "rules of ranks");
    for (int32_t i = 0; i < o->n_rules; i++) {
        if (!o->rules[i].part)
            return px_fail(err, PITH_E_ARGUMENT, "rule %d of ranks has no part of a name", i + 1);
        t->rules[i] = (px_rank_rule){o->rules[i].part, o->rules[i].rank, (float)o->rules[i].alpha};
    }
    int32_t rank = o->rank == 0 ? 16 : o->rank;
    *out = (px_net_options){.full = method == 1,
                            .rank = rank,
                            .alpha = (float)or_else(o->alpha, 2.0 * rank),
                            .rslora = o->rslora,
                            .dora = o->dora,
                            .lora_plus = (float)o->lora_plus,
                            .rules = t->rules,
                            .n_rules = o->n_rules,
                            .seed = o->seed};
    st = px_engine_level(o->cpu, &out->level, err);
    out->product_level = out->level;
    if (o->exact && px_cpu_runs(PX_CPU_VNNI, out->level))
        out->product_level = PX_CPU_VNNI;
    return st;
}

static pith_status read_objective(const pith_train_options *o, pith_goal goal,
                                  px_objective_kind *out, pith_error *err)
{
    static const char *const OBJECTIVES[] = {"sft", "dpo", "orpo", "kto", NULL};
    static const px_objective_kind BY_GOAL[] = {PX_OBJECTIVE_SFT, PX_OBJECTIVE_DPO,
                                                PX_OBJECTIVE_KTO};
    int which;
    pith_status st = choose("objective", o->objective, OBJECTIVES, &which, err);
    *out = o->objective ? (px_objective_kind)which : BY_GOAL[goal];
    return st;
}

static pith_status read_optim(const pith_train_options *o, px_trainer_options *out, pith_error *err)
{
    static const char *const OPTIMIZERS[] = {"adamw", "adamw8", "lion", NULL};
    static const char *const SCHEDULES[] = {"cosine", "constant", "linear", "wsd", NULL};
    static const px_schedule_kind KINDS[] = {PX_SCHEDULE_COSINE, PX_SCHEDULE_CONSTANT,
                                             PX_SCHEDULE_LINEAR, PX_SCHEDULE_WSD};
    int optimizer, schedule;
    pith_status st = choose("optimizer", o->optimizer, OPTIMIZERS, &optimizer, err);
    if (st == PITH_OK)
        st = choose("schedule", o->schedule, SCHEDULES, &schedule, err);
    if (st != PITH_OK)
        return st;
    bool lion = optimizer == PX_OPTIM_LION;
    out->optim = (px_optim_options){.kind = (px_optim_kind)optimizer,
                                    .beta1 = (float)or_else(o->beta1, 0.9),
                                    .beta2 = (float)or_else(o->beta2, lion ? 0.99 : 0.999),
                                    .eps = (float)or_else(o->eps, 1e-8),
                                    .decay = (float)o->weight_decay};
    out->schedule = KINDS[schedule];
    return PITH_OK;
}

static int32_t default_seq(const pith_model *model, const px_examples *e, const px_examples *held)
{
    int32_t seq = 512, longest = 0;
    for (int64_t i = 0; i < e->n; i++)
        longest = e->all[i].n > longest ? e->all[i].n : longest;
    for (int64_t i = 0; held && i < held->n; i++)
        longest = held->all[i].n > longest ? held->all[i].n : longest;
    seq = longest > seq ? longest : seq;
    return model->hp.n_ctx_train > 0 && seq > model->hp.n_ctx_train &&
                   longest <= model->hp.n_ctx_train
               ? model->hp.n_ctx_train
               : seq;
}

static int tell(void *user, const px_train_event *in)
{
    const pith_train *t = user;
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    pith_train_event e = {
        .size = sizeof e,
        .kind = (pith_train_kind)in->kind,
        .update = in->update,
        .total = in->total,
        .epoch = in->epoch,
        .loss = in->loss,
        .grad_norm = in->norm,
        .lr = in->lr,
        .right = in->right,
        .margin = in->margin,
        .tokens = in->tokens,
        .learned = in->learned,
        .tokens_per_second = in->tokens_per_second,
        .seconds = in->seconds,
        .seconds_left = in->seconds_left,
        .best = in->best,
        .improved = in->improved,
        .memory_bytes = (uint64_t)usage.ru_maxrss * 1024,
    };
    return t->o.on_event ? t->o.on_event(t->o.user, &e) : 0;
}

static pith_status read_run(pith_train *t, const px_examples *e, const px_examples *held,
                            const px_net_options *net, px_trainer_options *out, pith_error *err)
{
    const pith_train_options *o = &t->o;
    *out = (px_trainer_options){.beta = or_else(o->beta, 0.1), .on_event = tell, .user = t};
    pith_status st = read_objective(o, (pith_goal)e->goal, &out->objective, err);
    if (st == PITH_OK)
        st = read_optim(o, out, err);
    if (st != PITH_OK)
        return st;
    double lr = net->full ? 3e-4 : out->objective == PX_OBJECTIVE_SFT ? 2e-4 : 1e-5;
    out->lr = or_else(o->lr, lr);
    out->least = o->lr_least;
    out->warmup = unless_negative(o->warmup, 0.03);
    out->clip = unless_negative(o->clip, 1);
    out->spike = unless_negative(o->spike, 8);
    out->epochs = or_else(o->epochs, 3);
    out->max_updates = o->max_updates;
    out->max_seconds = o->max_seconds;
    out->batch = o->batch == 0 ? 16 : o->batch;
    out->seq = o->seq == 0 ? default_seq(t->model, e, held) : o->seq;
    out->keep = o->keep_layers < 0 ? t->model->hp.n_layers : o->keep_layers;
    out->dropout = net->full ? 0 : (float)o->dropout;
    out->seed = o->seed;
    out->eval_every = o->eval_every;
    out->patience = o->patience;
    out->folder = t->folder;
    out->save_every = o->save_every;
    out->save_seconds = unless_negative(o->save_seconds, 300);
    return PITH_OK;
}

/* ---- what a checkpoint belongs to */

static uint64_t hash_examples(uint64_t key, const px_examples *e)
{
    for (int64_t i = 0; e && i < e->n; i++) {
        const px_example *x = &e->all[i];
        key = px_hash_bytes(key, x->ids, (size_t)x->n * sizeof *x->ids);
        key = px_hash_bytes(key, x->learn, (size_t)x->n);
        key = px_hash_word(key, x->good);
    }
    return key;
}

/* Names, types, shapes, and a sample of the bytes of all tensors. */
static uint64_t hash_model(uint64_t key, const px_source *s)
{
    for (int64_t i = 0; i < s->n_tensors; i++) {
        const px_tensor *t = &s->tensors[i];
        key = px_hash_bytes(key, t->name, strlen(t->name));
        key = px_hash_word(key, (uint64_t)t->dtype);
        key = px_hash_bytes(key, t->ne, sizeof t->ne);
        key = px_hash_bytes(key, t->data, t->bytes < 256 ? t->bytes : 256);
    }
    return key;
}

static uint64_t hash_numbers(uint64_t key, const double *x, size_t n)
{
    return px_hash_bytes(key, x, n * sizeof *x);
}

static uint64_t identity_of(const pith_train *t, const px_examples *e, const px_examples *held,
                            const px_net_options *net, const px_trainer_options *o)
{
    uint64_t key = hash_model(1, t->model->source);
    key = hash_examples(hash_examples(key, e), held);
    double numbers[] = {net->full,
                        net->rank,
                        (double)net->alpha,
                        net->rslora,
                        net->dora,
                        (double)net->lora_plus,
                        net->product_level,
                        (double)o->optim.decay,
                        o->objective,
                        o->beta,
                        o->optim.kind,
                        (double)o->optim.beta1,
                        (double)o->optim.beta2,
                        (double)o->optim.eps,
                        o->schedule,
                        o->lr,
                        o->least,
                        o->warmup,
                        o->clip,
                        o->spike,
                        o->epochs,
                        (double)o->max_updates,
                        o->batch,
                        o->seq,
                        (double)o->dropout,
                        (double)o->eval_every};
    key = hash_numbers(key, numbers, sizeof numbers / sizeof numbers[0]);
    for (int32_t i = 0; i < net->n_rules; i++) {
        key = px_hash_bytes(key, net->rules[i].part, strlen(net->rules[i].part));
        key = px_hash_word(key, (uint64_t)(int64_t)net->rules[i].rank);
        double alpha = (double)net->rules[i].alpha;
        key = hash_numbers(key, &alpha, 1);
    }
    return px_hash_word(key, o->seed);
}

/* ---- the run */

static pith_status make(pith_train *t, const px_examples *e, const px_examples *held,
                        pith_error *err)
{
    px_net_options net;
    px_trainer_options run;
    pith_status st = PITH_OK;
    if (t->o.folder && !(t->folder = px_strndup(t->o.folder, strlen(t->o.folder))))
        st = px_fail_memory(err, "a training run");
    if (st == PITH_OK)
        st = read_net(&t->o, t, &net, err);
    if (st == PITH_OK)
        st = read_run(t, e, held, &net, &run, err);
    if (st == PITH_OK)
        st = px_pool_new(t->o.n_threads, &t->pool, err);
    if (st != PITH_OK)
        return st;
    net.n_ctx = run.seq;
    run.identity = identity_of(t, e, held, &net, &run);
    st = px_net_new(&t->model->hp, &t->model->weights, t->pool, &net, &t->net, err);
    if (st == PITH_OK)
        st = px_trainer_new(t->net, e, held, &run, &t->trainer, err);
    return st;
}

pith_status pith_train_new(const pith_model *model, const pith_examples *examples,
                           const pith_examples *evaluation, const pith_train_options *options,
                           pith_train **out, pith_error *err)
{
    px_error_clear(err);
    if (!model || !examples || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_new: an argument is NULL");
    *out = NULL;
    if (!model->has_weights)
        return px_fail(err, PITH_E_UNSUPPORTED, "'%s' was opened without weights",
                       model->info.path);
    pith_train *t = px_calloc(1, sizeof *t);
    if (!t)
        return px_fail_memory(err, "a training run");
    t->model = model;
    pith_status st = px_options_read(options, "pith_train_options", &t->o, sizeof t->o, err);
    if (st == PITH_OK)
        st = make(t, &examples->e, evaluation ? &evaluation->e : NULL, err);
    if (st != PITH_OK)
        pith_train_free(t);
    else
        *out = t;
    return st;
}

void pith_train_free(pith_train *train)
{
    if (!train)
        return;
    px_trainer_free(train->trainer);
    px_net_free(train->net);
    px_pool_free(train->pool);
    px_free(train->rules);
    px_free(train->folder);
    px_free(train);
}

pith_status pith_train_resume(pith_train *train, bool *found, pith_error *err)
{
    px_error_clear(err);
    bool there = false;
    if (!train)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_resume: the run is NULL");
    pith_status st = px_trainer_resume(train->trainer, &there, err);
    if (found)
        *found = there;
    return st;
}

pith_status pith_train_run(pith_train *train, pith_error *err)
{
    px_error_clear(err);
    if (!train)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_run: the run is NULL");
    pith_status st = px_trainer_run(train->trainer, err);
    return st == PITH_OK ? px_trainer_take_best(train->trainer, err) : st;
}

void pith_train_stop(pith_train *train)
{
    if (train)
        px_trainer_stop(train->trainer);
}

pith_status pith_train_get_info(const pith_train *train, pith_train_info *out, pith_error *err)
{
    px_error_clear(err);
    if (!train || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_get_info: an argument is NULL");
    const px_train_state *s = px_trainer_state(train->trainer);
    pith_train_info info = {.updates = s->updates,
                            .total = s->total,
                            .updates_per_epoch = px_trainer_per_epoch(train->trainer),
                            .memory_bytes = px_trainer_bytes(train->trainer),
                            .tokens = s->tokens,
                            .learned = s->learned,
                            .skipped = s->skipped,
                            .eval_before = s->base,
                            .eval_best = s->best,
                            .best_at = s->best_at,
                            .seconds = s->seconds};
    for (int32_t i = 0; i < train->net->params.n_parts; i++)
        info.n_trained += train->net->params.parts[i].n;
    return px_options_write(out, "pith_train_info", &info, sizeof info, err);
}

pith_status pith_train_evaluate(pith_train *train, bool base, double *loss, pith_error *err)
{
    px_error_clear(err);
    if (!train || !loss)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_evaluate: an argument is NULL");
    if (base && train->net->full)
        return px_fail(err, PITH_E_ARGUMENT,
                       "the model as it was before is not kept while all weights are trained");
    return px_trainer_evaluate(train->trainer, base, loss, err);
}

pith_status pith_train_save(pith_train *train, const char *form, const char *name, const char *path,
                            pith_error *err)
{
    px_error_clear(err);
    if (!train || !path || !*path)
        return px_fail(err, PITH_E_ARGUMENT, "pith_train_save: an argument is NULL");
    if (train->net->full)
        return px_save_model(train->net, train->model, form, path, err);
    return px_save_adapter(train->net, train->model, form, name, (float)train->o.dropout, path,
                           err);
}
