/* find: see find.h. */
#include "cli/find.h"

#include "base/file.h"
#include "base/mem.h"

#include "cli/engine_args.h"

#include <stdio.h>
#include <string.h>

pith_status cli_find(const char *word, store_model *out, pith_error *err)
{
    store_root *s = NULL;
    *out = (store_model){0};
    pith_status status = store_open(NULL, &s, err);
    if (status == PITH_OK || status == PITH_E_NOT_FOUND) // a path needs no store
        status = store_resolve(s, word, false, out, err);
    store_close(s);
    return status;
}

pith_status cli_find_path(const char *word, char **path, pith_error *err)
{
    store_model m = {0};
    *path = NULL;
    if (px_file_kind_of(word) != PX_FILE_NONE) { // needs no store
        *path = px_strndup(word, strlen(word));
        return *path ? PITH_OK : px_fail_memory(err, "a path");
    }
    pith_status status = cli_find(word, &m, err);
    if (status == PITH_OK && m.memory)
        status = px_fail(err, PITH_E_UNSUPPORTED,
                         "'%s' is built into the program and has no file of its own", word);
    if (status == PITH_OK) {
        *path = m.path;
        m.path = NULL;
    }
    store_model_clear(&m);
    return status;
}

pith_status cli_model_open(const char *word, const pith_model_options *options, pith_model **out,
                           pith_error *err)
{
    store_model m = {0};
    *out = NULL;
    pith_status status = cli_find(word, &m, err);
    if (status == PITH_OK)
        status = store_model_open(&m, options, out, err);
    store_model_clear(&m);
    return status;
}

pith_status cli_record_sampling(const store_model *m, pith_sampling *s, pith_error *err)
{
    static const struct {
        const char *theirs, *ours;
    } NAMES[] = {
        {"temperature", "temp"},
        {"top_k", "top-k"},
        {"top_p", "top-p"},
        {"min_p", "min-p"},
        {"typical_p", "typical"},
        {"repeat_penalty", "repeat-penalty"},
        {"repeat_last_n", "repeat-last-n"},
        {"presence_penalty", "presence-penalty"},
        {"frequency_penalty", "frequency-penalty"},
        {"mirostat", "mirostat"},
        {"mirostat_tau", "mirostat-tau"},
        {"mirostat_eta", "mirostat-eta"},
        {"seed", "seed"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const json_t *v = json_object_get(m->parameters, NAMES[i].theirs);
        char text[64];
        if (!json_is_number(v))
            continue;
        if (json_is_integer(v))
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
        else
            snprintf(text, sizeof text, "%.9g", json_real_value(v));
        pith_status status = cli_sampling_set(s, NAMES[i].ours, text, err);
        if (status != PITH_OK) {
            px_prefix(err, "the model '%s' was made with parameters that do not fit", m->name);
            return status;
        }
    }
    return PITH_OK;
}
