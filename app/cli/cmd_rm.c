/* rm: removes models of our store, and the blobs that nothing else uses. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "store/store.h"

#include <stdio.h>

int cli_cmd_rm(int argc, char **argv)
{
    bool json = false, unused = false;
    const cli_option options[] = {
        {CLI_FLAG, "unused", 0, &unused, NULL,
         "also free what no model uses: unfinished pulls, stray files older than a day", 0, 0,
         NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith rm MODEL... [--unused] [--json]",
        .summary = "Removes models from pith's store and frees the files that no other model uses. "
                   "Files that were\nimported in place, and Ollama's models, are left alone.",
        .options = options,
        .n_options = 2,
        .max_words = CLI_MAX_TEXTS,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_root *s = NULL;
    uint64_t all = 0;
    pith_status status = store_open(NULL, &s, &err);
    for (int i = 0; status == PITH_OK && i < words.n; i++) {
        uint64_t freed = 0;
        char size[32];
        status = store_remove(s, words.items[i], &freed, &err);
        all += freed;
        if (status == PITH_OK && !json)
            printf("removed %s, %s freed\n", words.items[i], cli_size(freed, size));
    }
    if (words.n == 0 && !unused)
        status = px_fail(&err, PITH_E_ARGUMENT, "no model is named; usage: %s", spec.usage);
    if (status == PITH_OK && unused) {
        uint64_t freed = 0;
        char size[32];
        status = store_sweep(s, &freed, &err);
        all += freed;
        if (status == PITH_OK && !json)
            printf("%s freed that no model uses\n", cli_size(freed, size));
    }
    if (status == PITH_OK)
        status = json ? cli_print_json(json_pack("{s:i, s:I}", "removed", words.n, "freed_bytes",
                                                 (json_int_t)all),
                                       &err)
                      : cli_flush(&err);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
