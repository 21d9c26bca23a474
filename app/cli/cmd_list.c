/* list: the models that are here, of our store and of Ollama's. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static json_t *as_json(const store_model *m)
{
    static const char *const STORES[] = {"path", "pith", "ollama", "built in"};
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:s}", "name",
                     m->name, "store", STORES[m->origin], "digest", m->digest, "path", m->path,
                     "bytes", (json_int_t)m->bytes, "modified", (json_int_t)m->modified, "family",
                     m->family, "parameter_size", m->parameter_size, "quantization",
                     m->quantization, "n_parameters", (json_int_t)m->n_parameters, "n_ctx_train",
                     (json_int_t)m->n_ctx_train, "from", m->source);
}

static void print_row(const store_model *m, int width)
{
    static const char *const NOTES[] = {"", "", "  (Ollama)", "built in"};
    char size[32], date[32] = "";
    time_t t = (time_t)m->modified;
    struct tm tm;
    if (t > 0 && localtime_r(&t, &tm))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M", &tm);
    printf("%-*s  %-12.12s  %9s  %-8s %-8s  %s%s\n", width, m->name, m->digest,
           cli_size(m->bytes, size), m->parameter_size, m->quantization, date, NOTES[m->origin]);
}

int cli_cmd_list(int argc, char **argv)
{
    bool json = false;
    const cli_option options[] = {
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON array", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith list [--json]",
        .summary = "Lists the models that are here by name: of pith's store ($PITH_HOME, else "
                   "~/.local/share/pith),\nof Ollama's, which is read and never changed, and the "
                   "guide, which is inside the program.",
        .options = options,
        .n_options = 1,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_root *s = NULL;
    store_model *list = NULL;
    size_t n = 0;
    px_buf warnings = {0};
    json_t *all = json ? json_array() : NULL;
    pith_status status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_list(s, &list, &n, &warnings, &err);
    store_model inside = {0};
    bool guide = status == PITH_OK && store_built_in();
    if (guide)
        status = store_built_in_get(&inside, &err);
    int width = 5;
    for (size_t i = 0; i < n; i++)
        width = (int)strlen(list[i].name) > width ? (int)strlen(list[i].name) : width;
    if (status == PITH_OK && !json && n + guide > 0)
        printf("%-*s  %-12s  %9s  %-8s %-8s  %s\n", width, "NAME", "ID", "SIZE", "PARAMS", "TYPE",
               "CHANGED");
    for (size_t i = 0; status == PITH_OK && i < n; i++) {
        if (json)
            json_array_append_new(all, as_json(&list[i]));
        else
            print_row(&list[i], width);
    }
    if (status == PITH_OK && guide && json)
        json_array_append_new(all, as_json(&inside));
    else if (status == PITH_OK && guide)
        print_row(&inside, width);
    if (status == PITH_OK)
        status = json ? cli_print_json(all, &err) : cli_flush(&err);
    for (char *line = warnings.data; status == PITH_OK && line && *line;) {
        size_t len = strcspn(line, "\n");
        cli_warn("%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
    if (status == PITH_OK && !json && n == 0)
        fprintf(stderr, "no models are here; 'pith pull NAME' fetches one\n");
    store_list_free(list, n);
    store_model_clear(&inside);
    px_buf_clear(&warnings);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
