/* compare: see compare.h. Both models are open at once; weights are mapped, so that memory holds
 * what both touch. */
#include "cli/compare.h"

#include "cli/engine_args.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>

enum { LOGITS = 64, CONTEXT = 4096 };

typedef struct side {
    pith_model *model;
    pith_engine *engine;
    pith_model_info info;
} side;

static pith_status open_side(const char *path, const cli_compare_args *args, side *s,
                             pith_error *err)
{
    cli_engine_args none = {0};
    pith_engine_options o = PITH_INIT(pith_engine_options);
    s->info = PITH_INIT(pith_model_info);
    pith_status st = cli_open(path, &none, &s->model, NULL, err);
    if (st == PITH_OK)
        st = pith_model_get_info(s->model, &s->info, err);
    if (st != PITH_OK)
        return st;
    o.n_threads = (int32_t)args->threads;
    o.max_logits = o.n_batch = LOGITS;
    o.n_ctx = args->window > CONTEXT ? args->window : CONTEXT;
    if (s->info.n_ctx_train > 0 && o.n_ctx > s->info.n_ctx_train)
        o.n_ctx = s->info.n_ctx_train;
    return pith_engine_new(s->model, &o, &s->engine, err);
}

static double bits(const side *s)
{
    return s->info.n_parameters ? 8.0 * (double)s->info.weight_bytes / (double)s->info.n_parameters
                                : 0;
}

static json_t *side_json(const char *path, const side *s, double perplexity)
{
    return json_pack("{s:s, s:I, s:f, s:f}", "path", path, "bytes",
                     (json_int_t)s->info.weight_bytes, "bits", bits(s), "perplexity", perplexity);
}

static pith_status report(const cli_compare_args *a, const side *r, const side *o,
                          const pith_comparison *c, pith_error *err)
{
    char size[2][32];
    if (a->json)
        return cli_print_json(
            json_pack("{s:o, s:o, s:I, s:I, s:{s:f, s:f, s:f, s:f}, s:f}", "reference",
                      side_json(a->reference, r, c->perplexity_reference), "model",
                      side_json(a->other, o, c->perplexity_other), "tokens",
                      (json_int_t)c->n_tokens, "window", (json_int_t)c->window, "kl", "mean",
                      c->kl_mean, "median", c->kl_median, "p99", c->kl_p99, "max", c->kl_max,
                      "same_top", c->same_top),
            err);
    printf("%-14s %12s %12s\n", "", "reference", "model");
    printf("%-14s %12s %12s\n", "size", cli_size(r->info.weight_bytes, size[0]),
           cli_size(o->info.weight_bytes, size[1]));
    printf("%-14s %12.2f %12.2f\n", "bits a weight", bits(r), bits(o));
    printf("%-14s %12.4f %12.4f  (%+.2f %%)\n", "perplexity", c->perplexity_reference,
           c->perplexity_other, 100.0 * (c->perplexity_other / c->perplexity_reference - 1.0));
    printf("KL divergence  mean %.6f, median %.6f, 99 %% %.6f, largest %.6f\n", c->kl_mean,
           c->kl_median, c->kl_p99, c->kl_max);
    printf("same top token %.2f %%\n", 100.0 * c->same_top);
    printf("compared       %lld predictions in windows of %lld tokens\n", (long long)c->n_tokens,
           (long long)c->window);
    return cli_flush(err);
}

int cli_compare(const cli_compare_args *args)
{
    pith_error err = {0};
    px_buf text = {0};
    side reference = {0}, other = {0};
    cli_progress progress = {0};
    pith_comparison c = PITH_INIT(pith_comparison);
    c.window = args->window;
    pith_status st = cli_read(args->file, &text, &err);
    if (st == PITH_OK)
        st = open_side(args->reference, args, &reference, &err);
    if (st == PITH_OK)
        st = open_side(args->other, args, &other, &err);
    if (st == PITH_OK) {
        cli_interrupt_watch(NULL);
        cli_progress_start(&progress, "comparing", "tokens");
        st = pith_compare_text(reference.engine, other.engine, text.data ? text.data : "", text.len,
                               &c, cli_progress_step, &progress, &err);
        cli_progress_end(&progress);
    }
    if (st == PITH_OK)
        st = report(args, &reference, &other, &c, &err);
    pith_engine_free(reference.engine);
    pith_engine_free(other.engine);
    pith_model_close(reference.model);
    pith_model_close(other.model);
    px_buf_clear(&text);
    return st == PITH_OK ? 0 : cli_fail(&err);
}
