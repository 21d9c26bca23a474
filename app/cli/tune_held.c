/* tune_held: see tune_held.h. */
#include "cli/tune_held.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST_ROWS = 20, // of the data, for any to be held back
    MOST_KEPT = 500,
    SAMPLE_TOKENS = 96,
    SAMPLE_PROMPT = 2000 // bytes of a prompt that are shown, its end
};

/* ---- reading */

typedef struct reader {
    cli_held *held;
    bool all;       // goes to kept, whole
    uint64_t below; // of a row's hash, for it to be kept
    pith_goal goal;
    bool kept_last; // where the chosen one of the pair went
    pith_status status;
    pith_error *err;
} reader;

static uint64_t hash_of(const pith_example *e)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int32_t i = 0; i < e->n; i++) {
        h ^= (uint32_t)e->ids[i];
        h *= 0x100000001b3u;
    }
    h ^= h >> 33; // FNV's upper bits hang on the last tokens alone
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 33;
}

static pith_status keep_one(cli_held *h, const pith_example *e, pith_error *err)
{
    if (h->n_few == CLI_HELD_MOST || e->rejected || e->n_learned == 0 ||
        (h->goal == PITH_GOAL_LABEL && !e->good))
        return PITH_OK;
    cli_held_one one = {malloc((size_t)e->n * sizeof *e->ids), malloc((size_t)e->n), e->n};
    if (!one.ids || !one.learn) {
        free(one.ids);
        free(one.learn);
        return px_fail_memory(err, "examples that are held back");
    }
    memcpy(one.ids, e->ids, (size_t)e->n * sizeof *e->ids);
    memcpy(one.learn, e->learn, (size_t)e->n);
    h->few[h->n_few++] = one;
    return PITH_OK;
}

static int on_example(void *user, const pith_example *e)
{
    reader *r = user;
    cli_held *h = r->held;
    const bool second = r->goal == PITH_GOAL_PAIR && e->rejected;
    const bool keep =
        r->all || (second ? r->kept_last : h->n_kept < MOST_KEPT && hash_of(e) < r->below);
    r->kept_last = keep;
    r->status = pith_examples_add(keep ? h->kept : h->learned, e->ids, e->learn, e->n, e->line,
                                  e->good, r->err);
    if (keep && r->status == PITH_OK) {
        h->n_kept += !second;
        r->status = keep_one(h, e, r->err);
    }
    return r->status != PITH_OK;
}

static pith_status goal_of(pith_dataset *d, pith_goal *goal, pith_error *err)
{
    pith_dataset_info info = PITH_INIT(pith_dataset_info);
    pith_status st = pith_dataset_get_info(d, &info, err);
    if (st == PITH_OK)
        *goal = strcmp(info.kind, "pair") == 0    ? PITH_GOAL_PAIR
                : strcmp(info.kind, "label") == 0 ? PITH_GOAL_LABEL
                                                  : PITH_GOAL_NEXT;
    return st;
}

/* Reads one file into learned and, by r, kept. */
static pith_status read_file(const char *path, const pith_model *model, const cli_held_options *o,
                             reader *r, pith_render_result *result, pith_error *err)
{
    pith_dataset *d = NULL;
    pith_status st = pith_dataset_open(path, &o->dataset, &d, err);
    if (st == PITH_OK)
        st = goal_of(d, &r->goal, err);
    r->held->goal = r->all ? r->held->goal : r->goal; // the data's, not the evaluation file's
    if (st == PITH_OK && !r->held->learned && !r->all)
        st = pith_examples_new(r->goal, &r->held->learned, err);
    if (st == PITH_OK && !r->held->kept && (r->all || r->below > 0))
        st = pith_examples_new(r->goal, &r->held->kept, err);
    if (st == PITH_OK) {
        st = pith_dataset_render(d, model, &o->render, on_example, r, result, err);
        if (r->status != PITH_OK)
            st = r->status;
    }
    pith_dataset_close(d);
    return st;
}

/* The data again, with nothing held back: there is too little of it. */
static pith_status read_all(const char *data, const pith_model *model, const cli_held_options *o,
                            cli_held *out, pith_render_result *result, pith_error *err)
{
    cli_held_clear(out);
    reader r = {.held = out, .err = err};
    return read_file(data, model, o, &r, result, err);
}

pith_status cli_held_read(const char *data, const pith_model *model,
                          const cli_held_options *options, cli_held *out,
                          pith_render_result *data_result, pith_render_result *kept_result,
                          pith_error *err)
{
    *out = (cli_held){0};
    reader r = {.held = out, .err = err};
    if (!options->evaluation && options->share > 0)
        r.below = (uint64_t)(options->share * 0x1p63) * 2;
    pith_status st = read_file(data, model, options, &r, data_result, err);
    if (st == PITH_OK && r.below > 0 &&
        (out->n_kept == 0 ||
         pith_examples_count(out->learned, NULL, NULL) + out->n_kept < LEAST_ROWS))
        st = read_all(data, model, options, out, data_result, err);
    if (st == PITH_OK && options->evaluation) {
        r = (reader){.held = out, .all = true, .err = err};
        st = read_file(options->evaluation, model, options, &r, kept_result, err);
    }
    if (st != PITH_OK)
        cli_held_clear(out);
    return st;
}

void cli_held_clear(cli_held *h)
{
    pith_examples_free(h->learned);
    pith_examples_free(h->kept);
    for (int32_t i = 0; i < h->n_few; i++) {
        free(h->few[i].ids);
        free(h->few[i].learn);
    }
    *h = (cli_held){0};
}

/* ---- measuring */

static int32_t first_learned(const cli_held_one *one)
{
    int32_t t = 1;
    while (t < one->n && !one->learn[t])
        t++;
    return t;
}

static pith_status score(const cli_held *h, pith_session *session, int32_t longest, double *loss,
                         pith_error *err)
{
    float *p = malloc((size_t)longest * sizeof *p);
    double sum = 0;
    int64_t n = 0;
    pith_status st = p ? PITH_OK : px_fail_memory(err, "scores");
    for (int32_t i = 0; i < h->n_few && st == PITH_OK; i++) {
        const cli_held_one *one = &h->few[i];
        const int32_t first = first_learned(one);
        if (first >= one->n)
            continue;
        st = pith_score_tokens(session, one->ids, one->n, first, p, NULL, err);
        for (int32_t t = first; t < one->n && st == PITH_OK; t++)
            if (one->learn[t]) {
                sum -= (double)p[t - first];
                n++;
            }
    }
    free(p);
    *loss = n > 0 ? sum / (double)n : 0;
    return st;
}

/* Appends the text of an event; the buffer belongs to the sample. */
typedef struct sample {
    char text[4096];
    size_t n;
} sample;

static int on_text(void *user, const pith_event *e)
{
    sample *s = user;
    const size_t n = e->len < sizeof s->text - s->n ? e->len : sizeof s->text - s->n;
    if (n > 0)
        memcpy(s->text + s->n, e->text, n);
    s->n += n;
    return 0;
}

/* JSON takes UTF-8 alone: a text that was cut inside a character is cut before it. */
static json_t *text_json(const char *text, size_t n)
{
    json_t *v = NULL;
    for (int cut = 0; cut < 4 && !v && n >= (size_t)cut; cut++)
        v = json_stringn(text, n - (size_t)cut);
    return v ? v : json_string("");
}

static json_t *prompt_json(const pith_model *model, const cli_held_one *one, int32_t n)
{
    pith_text text = {0};
    pith_error ignored = {0};
    json_t *v = NULL;
    if (pith_detokenize(pith_model_tokenizer(model), one->ids, n, true, &text, &ignored) ==
        PITH_OK) {
        size_t skip = text.len > SAMPLE_PROMPT ? text.len - SAMPLE_PROMPT : 0;
        while (skip > 0 && skip < text.len && ((unsigned char)text.data[skip] & 0xc0) == 0x80)
            skip++;
        v = text_json(text.data + skip, text.len - skip);
    }
    pith_text_free(&text);
    return v ? v : json_string("");
}

static pith_status answer(const cli_held *h, const pith_model *model, pith_session *session,
                          int n_samples, json_t *samples, pith_error *err)
{
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < h->n_few && i < n_samples && st == PITH_OK; i++) {
        const cli_held_one *one = &h->few[i];
        sample s = {.n = 0};
        pith_sampling greedy = PITH_INIT(pith_sampling);
        pith_request request = PITH_INIT(pith_request);
        st = pith_sampling_init(&greedy, model, err);
        greedy.temperature = 0;
        request.tokens = one->ids;
        request.n_tokens = first_learned(one);
        request.max_tokens = SAMPLE_TOKENS;
        request.sampling = &greedy;
        request.on_event = on_text;
        request.user = &s;
        if (st == PITH_OK)
            st = pith_generate(session, &request, NULL, err);
        if (st == PITH_OK &&
            json_array_append_new(samples,
                                  json_pack("{s:o, s:o}", "prompt",
                                            prompt_json(model, one, (int32_t)request.n_tokens),
                                            "answer", text_json(s.text, s.n))) != 0)
            st = px_fail_memory(err, "samples");
    }
    return st;
}

pith_status cli_held_measure(const cli_held *h, const pith_model *model,
                             const pith_adapter *adapter, int32_t n_threads, int n_samples,
                             double *loss, json_t *samples, pith_error *err)
{
    int32_t longest = 0;
    for (int32_t i = 0; i < h->n_few; i++)
        longest = h->few[i].n > longest ? h->few[i].n : longest;
    pith_engine_options eo = PITH_INIT(pith_engine_options);
    eo.n_threads = n_threads;
    eo.n_ctx = longest + SAMPLE_TOKENS;
    eo.no_prefix_cache = true;
    const pith_adapter_use use = {adapter, 1};
    pith_session_options so = PITH_INIT(pith_session_options);
    so.adapters = &use;
    so.n_adapters = adapter != NULL;
    pith_engine *engine = NULL;
    pith_session *session = NULL;
    pith_status st = pith_engine_new(model, &eo, &engine, err);
    if (st == PITH_OK)
        st = pith_session_new(engine, &so, &session, err);
    if (st == PITH_OK)
        st = score(h, session, longest, loss, err);
    if (st == PITH_OK)
        st = answer(h, model, session, n_samples, samples, err);
    pith_session_free(session);
    pith_engine_free(engine);
    return st;
}
