/* imatrix: which columns of a model's matrices a text uses. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/engine_args.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>

static pith_status report(const char *out, const pith_imatrix_result *r, bool json, double seconds,
                          pith_error *err)
{
    if (json)
        return cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:f}", "path", out, "matrices",
                                        (json_int_t)r->n_matrices, "chunks",
                                        (json_int_t)r->n_chunks, "tokens", (json_int_t)r->n_tokens,
                                        "seconds", seconds),
                              err);
    printf("%s: %lld matrices from %lld tokens in %lld chunks, in %.0f s\n", out,
           (long long)r->n_matrices, (long long)r->n_tokens, (long long)r->n_chunks, seconds);
    return cli_flush(err);
}

int cli_cmd_imatrix(int argc, char **argv)
{
    const char *file = NULL, *out = NULL;
    int64_t chunk = 0, chunks = 0, threads = 0;
    bool json = false, force = false;
    const cli_option options[] = {
        {CLI_TEXT, "file", 'f', &file, "TEXT",
         "the text, best of the kind that the model will meet; '-' or nothing is standard input", 0,
         0, NULL},
        {CLI_TEXT, "output", 'o', &out, "OUT.gguf", "the importance matrix", 0, 0, NULL},
        {CLI_INT, "chunk", 'c', &chunk, "N",
         "tokens read together (default: 512, or the context if less)", 2, 67108864, NULL},
        {CLI_INT, "chunks", 0, &chunks, "N", "no more than the first N chunks", 1, 1000000000,
         NULL},
        {CLI_INT, "threads", 't', &threads, "N", "default: the physical cores", 1, 512, NULL},
        {CLI_FLAG, "force", 0, &force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object when done", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith imatrix MODEL -f TEXT -o OUT.gguf [options]",
        .summary =
            "Runs a text through a model and notes how strongly each column of each matrix is "
            "used, so that\n'pith quantize --imatrix' keeps what matters exact. 100 000 tokens are "
            "plenty. The file has the GGUF\nform that llama.cpp reads too.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith imatrix qwen-f16.gguf -f calibration.txt -o qwen.imatrix.gguf",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    if (!out) {
        px_fail(&err, PITH_E_ARGUMENT, "no file to write was named; expected -o OUT.gguf");
        return cli_fail(&err);
    }
    if (!force && px_file_kind_of(out) != PX_FILE_NONE) {
        px_fail(&err, PITH_E_ARGUMENT, "'%s' exists; give another name, or --force to replace it",
                out);
        return cli_fail(&err);
    }
    cli_engine_args none = {0};
    px_buf text = {0};
    pith_model *model = NULL;
    cli_progress progress = {0};
    pith_imatrix_options o = PITH_INIT(pith_imatrix_options);
    pith_imatrix_result r = PITH_INIT(pith_imatrix_result);
    o.chunk = chunk;
    o.most_chunks = chunks;
    o.n_threads = (int32_t)threads;
    o.dataset = file;
    o.progress = cli_progress_step;
    o.user = &progress;
    const double started = cli_now();
    pith_status status = cli_read(file, &text, &err);
    if (status == PITH_OK)
        status = cli_open(words.items[0], &none, &model, NULL, &err);
    if (status == PITH_OK) {
        cli_interrupt_watch(NULL);
        cli_progress_start(&progress, "reading", "tokens");
        status = pith_imatrix(model, text.data ? text.data : "", text.len, out, &o, &r, &err);
        cli_progress_end(&progress);
    }
    if (status == PITH_OK)
        status = report(out, &r, json, cli_now() - started, &err);
    pith_model_close(model);
    px_buf_clear(&text);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
