/* import: a name for a model that lies on this disk. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "store/store.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* "Llama 3.2.Q4_K_M.gguf" is named "llama-3.2.q4_k_m". */
static void name_of(const char *path, char out[128])
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && path[from - 1] != '/')
        from--;
    size_t n = 0;
    for (size_t i = from; i < end && n + 1 < 128; i++) {
        int c = tolower((unsigned char)path[i]);
        bool plain = isalnum(c) || (n > 0 && (c == '.' || c == '_' || c == '-'));
        if (plain || n > 0)
            out[n++] = plain ? (char)c : '-';
    }
    if (n > 5 && strncmp(out + n - 5, ".gguf", 5) == 0)
        n -= 5;
    out[n] = '\0';
}

static int on_progress(void *user, const store_progress *p)
{
    if (p->step == STORE_STEP_NOTE)
        cli_warn("%s", p->text);
    return p->step == STORE_STEP_CONVERT ? cli_progress_step(user, p->done, p->total)
                                         : cli_interrupt_count() > 0;
}

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
    char made[128];
    name_of(words.items[0], made);
    const char *name = words.n > 1 ? words.items[1] : made;
    store_root *s = NULL;
    store_model m = {0};
    cli_progress progress;
    cli_interrupt_watch(NULL);
    cli_progress_start(&progress, "copying", "B");
    const store_job job = {.progress = on_progress, .user = &progress};
    pith_status status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_import(s, words.items[0], name, copy, &job, &err);
    cli_progress_end(&progress);
    if (status == PITH_OK)
        status = store_resolve(s, name, true, &m, &err);
    if (status == PITH_OK && json)
        status = cli_print_json(json_pack("{s:s, s:s, s:I}", "name", m.name, "path", m.path,
                                          "bytes", (json_int_t)m.bytes),
                                &err);
    else if (status == PITH_OK)
        printf("%s\n", m.name);
    if (status == PITH_OK)
        status = cli_flush(&err);
    store_model_clear(&m);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
