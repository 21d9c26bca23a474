/* import: a name for a model that lies on this disk. */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/fetching.h"

#include <stdio.h>

int cli_cmd_import(int argc, char **argv)
{
    bool copy = false, json = false;
    const cli_option options[] = {
        {CLI_FLAG, "copy", 0, &copy, NULL,
         "copy the files into the store (default: use them where they are)", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith import PATH [NAME] [--copy]",
        .summary = "Gives a GGUF file or a Hugging Face folder a name. It is used where it lies, "
                   "unless --copy asks otherwise.\nWithout NAME it is named after the file.",
        .options = options,
        .n_options = 2,
        .min_words = 1,
        .max_words = 2,
        .examples = "  pith import /data/llama-3.2-1b-q4_k_m.gguf llama:1b",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    const char *name = words.n > 1 ? words.items[1] : NULL;
    store_root *s = NULL;
    store_model m = {0};
    char *made = NULL;
    cli_fetching f = {0};
    const store_job job = {.progress = cli_fetching_step, .user = &f};
    cli_interrupt_watch(NULL);
    pith_status status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_import(s, words.items[0], name, copy, &job, &made, &err);
    cli_fetching_end(&f);
    if (status == PITH_OK)
        status = store_resolve(s, made, true, &m, &err);
    if (status == PITH_OK && json)
        status = cli_print_json(json_pack("{s:s, s:s, s:I}", "name", m.name, "path", m.path,
                                          "bytes", (json_int_t)m.bytes),
                                &err);
    else if (status == PITH_OK)
        printf("%s\n", m.name);
    if (status == PITH_OK)
        status = cli_flush(&err);
    px_free(made);
    store_model_clear(&m);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
