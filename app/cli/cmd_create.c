/* create: a model made by a Modelfile. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/fetching.h"

#include <stdio.h>
#include <string.h>

int cli_cmd_create(int argc, char **argv)
{
    store_job job = {0};
    cli_fetching f = {0};
    const char *file = "Modelfile";
    const cli_option options[] = {
        {CLI_TEXT, "file", 'f', &file, "FILE", "the Modelfile (default: Modelfile); '-' is input",
         0, 0, NULL},
        {CLI_TEXT, "quantize", 'q', &job.quantize, "TYPE", "quantize the weights on the way", 0, 0,
         NULL},
        {CLI_FLAG, "json", 0, &f.json, NULL, "a line of JSON for each event", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith create NAME [-f Modelfile]",
        .summary =
            "Makes a model of another one and of words about it. The Modelfile is Ollama's: FROM "
            "(a name, a GGUF\nfile or a folder), PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, "
            "MESSAGE, REQUIRES. No weights are\ncopied. A TEMPLATE in Jinja is used; one in Go's "
            "language is kept and not run, and a warning says so.",
        .options = options,
        .n_options = 3,
        .min_words = 1,
        .max_words = 1,
        .examples = "  printf 'FROM llama3.2:1b\\nSYSTEM You are brief.\\n' | pith create brief -f "
                    "-",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_root *s = NULL;
    px_buf text = {0};
    json_t *recipe = NULL;
    char folder[4096] = ".";
    const char *slash = strrchr(file, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == file ? 1 : (int)(slash - file), file);
    job.folder = folder;
    job.progress = cli_fetching_step;
    job.user = &f;
    cli_interrupt_watch(NULL);
    pith_status status = cli_read(file, &text, &err);
    if (status == PITH_OK)
        status = store_modelfile_parse(strcmp(file, "-") == 0 ? "standard input" : file,
                                       text.data ? text.data : "", text.len, &recipe, &err);
    if (status == PITH_OK)
        status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_create(s, words.items[0], recipe, &job, &err);
    cli_fetching_end(&f);
    if (status == PITH_OK && !f.json)
        printf("%s\n", words.items[0]);
    if (status == PITH_OK)
        status = cli_flush(&err);
    json_decref(recipe);
    px_buf_clear(&text);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
