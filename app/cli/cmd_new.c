/* new: a model with random weights, around a tokenizer. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>

typedef struct new_args {
    const char *tokenizer, *name, *license, *description;
    int64_t layers, width, heads, kv_heads, ffn, ctx;
    double rope_base, temperature;
    uint64_t seed;
    bool untied, has_temperature, json, force;
} new_args;

static pith_status report(const char *out, bool json, pith_error *err)
{
    pith_model *model = NULL;
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_status status = pith_model_open(out, NULL, &model, err);
    if (status == PITH_OK)
        status = pith_model_get_info(model, &info, err);
    if (status == PITH_OK && json) {
        status = cli_print_json(json_pack("{s:s, s:I, s:I}", "path", out, "parameters",
                                          (json_int_t)info.n_parameters, "bytes",
                                          (json_int_t)info.file_bytes),
                                err);
    } else if (status == PITH_OK) {
        char size[32];
        printf("%s: %.2f million parameters, %s; it knows nothing yet\n", out,
               (double)info.n_parameters / 1e6, cli_size(info.file_bytes, size));
        status = cli_flush(err);
    }
    pith_model_close(model);
    return status;
}

static pith_status create(const new_args *a, const char *out, pith_error *err)
{
    if (!a->tokenizer)
        return px_fail(err, PITH_E_ARGUMENT,
                       "no tokenizer was named; expected --tokenizer MODEL, any model or what "
                       "'pith tokenizer train' made");
    if (!a->force && px_file_kind_of(out) != PX_FILE_NONE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' exists; give another name, or --force to replace it", out);
    pith_model_shape s = PITH_INIT(pith_model_shape);
    s.n_layers = (int32_t)a->layers;
    s.width = (int32_t)a->width;
    s.n_heads = (int32_t)a->heads;
    s.n_kv_heads = (int32_t)a->kv_heads;
    s.ffn = (int32_t)a->ffn;
    s.n_ctx = (int32_t)a->ctx;
    s.rope_base = a->rope_base;
    s.untied = a->untied;
    s.seed = a->seed;
    s.name = a->name;
    s.license = a->license;
    s.description = a->description;
    s.temperature = a->temperature;
    s.has_temperature = a->has_temperature;
    return pith_model_create(a->tokenizer, out, &s, err);
}

int cli_cmd_new(int argc, char **argv)
{
    new_args a = {.layers = 6, .width = 256, .heads = 8, .ffn = 768};
    const cli_option options[] = {
        {CLI_TEXT, "tokenizer", 0, &a.tokenizer, "MODEL",
         "whose tokenizer and chat template it gets: a GGUF file or a folder", 0, 0, NULL},
        {CLI_HEADING, "shape", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_INT, "layers", 0, &a.layers, "N", "layers (6)", 1, 1024, NULL},
        {CLI_INT, "width", 0, &a.width, "N", "hidden size (256)", 2, 65536, NULL},
        {CLI_INT, "heads", 0, &a.heads, "N", "heads of attention (8)", 1, 1024, NULL},
        {CLI_INT, "kv-heads", 0, &a.kv_heads, "N", "heads of keys and values (as --heads)", 1, 1024,
         NULL},
        {CLI_INT, "ffn", 0, &a.ffn, "N", "width inside a layer (768)", 1, 262144, NULL},
        {CLI_INT, "ctx", 'c', &a.ctx, "N", "tokens of context (512)", 1, 1048576, NULL},
        {CLI_FLOAT, "rope-base", 0, &a.rope_base, "X", "base of the positions (10000)", 1, 1e12,
         NULL},
        {CLI_FLAG, "untied", 0, &a.untied, NULL, "the output gets a matrix of its own", 0, 0, NULL},
        {CLI_SEED, "seed", 's', &a.seed, "N", "of the random weights (0)", 0, 0, NULL},
        {CLI_HEADING, "what the file says of itself", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_TEXT, "name", 0, &a.name, "TEXT", "its name", 0, 0, NULL},
        {CLI_TEXT, "license", 0, &a.license, "TEXT", "its licence", 0, 0, NULL},
        {CLI_TEXT, "description", 0, &a.description, "TEXT", "a sentence", 0, 0, NULL},
        {CLI_FLOAT, "temp", 0, &a.temperature, "T", "the temperature that it recommends", 0, 100,
         &a.has_temperature},
        {CLI_HEADING, "output", 0, NULL, NULL, NULL, 0, 0, NULL},
        {CLI_FLAG, "force", 0, &a.force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object when done", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith new OUT.gguf --tokenizer MODEL [options]",
        .summary = "Writes a model of the LLaMA architecture with random weights (f32): the "
                   "beginning of training from\n"
                   "nothing. The same seed and shape give the same file.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith new tiny.gguf --tokenizer tok.gguf --layers 6 --width 256 --heads 8 "
                    "--ffn 768",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    pith_status status = create(&a, words.items[0], &err);
    if (status == PITH_OK)
        status = report(words.items[0], a.json, &err);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
