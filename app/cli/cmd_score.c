/* score: how well a model predicts a text. */
#include "cli/commands.h"
#include "cli/engine_args.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>

static pith_status report(const pith_score *s, bool json, double seconds, pith_error *err)
{
    if (json)
        return cli_print_json(json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f}", "perplexity",
                                        s->perplexity, "bits_per_byte", s->bits_per_byte, "nll",
                                        s->nll, "n_tokens", (json_int_t)s->n_tokens, "n_windows",
                                        (json_int_t)s->n_windows, "window", (json_int_t)s->window,
                                        "stride", (json_int_t)s->stride, "seconds", seconds),
                              err);
    printf("perplexity     %.4f\nbits per byte  %.4f\n", s->perplexity, s->bits_per_byte);
    printf("scored         %lld tokens in %lld windows of %lld, each moved by %lld; every token "
           "once\n",
           (long long)s->n_tokens, (long long)s->n_windows, (long long)s->window,
           (long long)s->stride);
    return cli_flush(err);
}

int cli_cmd_score(int argc, char **argv)
{
    cli_engine_args ea = {0};
    const char *file = NULL;
    int64_t window = 0, stride = 0;
    bool json = false;
    const cli_option options[] = {
        {CLI_HEADING, "text", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "file", 'f', &file, "TEXT", "the text; '-' or nothing is standard input", 0, 0,
         NULL},
        {CLI_INT, "window", 0, &window, "N",
         "tokens of a window (default: 2048, or the context if less)", 2, 67108864, NULL},
        {CLI_INT, "stride", 0, &stride, "N", "tokens that a window moves on (default: half of it)",
         1, 67108864, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
        CLI_ENGINE_ROWS(&ea),
    };
    const cli_spec spec = {
        .usage = "pith score MODEL -f TEXT [options]",
        .summary = "Prints the perplexity of a text under a model and the bits that it takes per "
                   "byte of text.\n"
                   "Long texts are read in windows; each token is scored once, with what its "
                   "window holds before it.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith score model.gguf -f book.txt --window 1024",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    px_buf text = {0};
    pith_model *model = NULL;
    pith_engine *engine = NULL;
    pith_score score = PITH_INIT(pith_score);
    score.window = window;
    score.stride = stride;
    cli_progress progress = {0};
    double started = 0;
    pith_status status = cli_read(file, &text, &err);
    if (status == PITH_OK)
        status = cli_open(words.items[0], &ea, &model, &engine, &err);
    if (status == PITH_OK) {
        cli_interrupt_watch(NULL);
        cli_progress_start(&progress, "scoring", "tokens");
        started = cli_now();
        status = pith_score_text(engine, text.data ? text.data : "", text.len, &score,
                                 cli_progress_step, &progress, &err);
        cli_progress_end(&progress);
    }
    if (status == PITH_OK)
        status = report(&score, json, cli_now() - started, &err);
    pith_engine_free(engine);
    pith_model_close(model);
    px_buf_clear(&text);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
