/* cp: a second name for a model. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "store/store.h"

#include <stdio.h>

int cli_cmd_cp(int argc, char **argv)
{
    const cli_spec spec = {
        .usage = "pith cp MODEL NAME",
        .summary = "Gives a model a second name. No weights are copied; both names stand for the "
                   "same files.",
        .min_words = 2,
        .max_words = 2,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_root *s = NULL;
    pith_status status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_copy(s, words.items[0], words.items[1], &err);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
