/* show: what the store knows of a model. `pith inspect` looks into the file itself. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pith_status print_json(const store_model *m, pith_error *err)
{
    static const char *const STORES[] = {"path", "pith", "ollama", "built in"};
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:O, "
        "s:O, s:O, s:O}",
        "name", m->name, "store", STORES[m->origin], "path", m->path, "digest", m->digest, "from",
        m->source, "bytes", (json_int_t)m->bytes, "modified", (json_int_t)m->modified, "family",
        m->family, "parameter_size", m->parameter_size, "quantization", m->quantization,
        "n_parameters", (json_int_t)m->n_parameters, "n_ctx_train", (json_int_t)m->n_ctx_train,
        "system", m->system, "template_file", m->template_file, "template_go", m->template_go,
        "license", m->license, "parameters", m->parameters, "messages", m->messages, "adapters",
        m->adapters, "files", m->files);
    return cli_print_json(o, err);
}

static void row(const char *label, const char *value)
{
    if (*value)
        printf("%-14s %s\n", label, value);
}

/* A text of several lines by its first one. */
static void row_first_line(const char *label, const char *value)
{
    size_t n = strcspn(value, "\n");
    if (n > 0)
        printf("%-14s %.*s%s\n", label, (int)(n > 100 ? 100 : n), value,
               value[n] || n > 100 ? " ..." : "");
}

static pith_status print_text(const store_model *m, pith_error *err)
{
    char text[64];
    row("name", m->name);
    row("path", m->path);
    row("from", m->source);
    row("size", cli_size(m->bytes, text));
    row("family", m->family);
    row("parameters", m->parameter_size);
    row("type", m->quantization);
    if (m->n_ctx_train > 0) {
        snprintf(text, sizeof text, "%lld tokens", (long long)m->n_ctx_train);
        row("context", text);
    }
    row_first_line("license", m->license);
    row_first_line("system", m->system);
    row("template", m->template_file);
    if (*m->template_go && !*m->template_file)
        row("template", "in Go's language, which is not run: the model's own is used");
    const char *key;
    json_t *value;
    json_object_foreach(m->parameters, key, value)
    {
        char *dumped = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-14s %s %s\n", "parameter", key, dumped ? dumped : "");
        free(dumped);
    }
    size_t i;
    json_array_foreach(m->adapters, i, value) row("adapter", json_string_value(value));
    json_array_foreach(m->files, i, value)
    {
        const char *digest = json_string_value(json_object_get(value, "digest"));
        printf("%-14s %s  %s\n", "file", json_string_value(json_object_get(value, "name")),
               digest ? digest : json_string_value(json_object_get(value, "path")));
    }
    return cli_flush(err);
}

int cli_cmd_show(int argc, char **argv)
{
    bool json = false, modelfile = false, license = false;
    const cli_option options[] = {
        {CLI_FLAG, "modelfile", 0, &modelfile, NULL, "print the Modelfile that makes it again", 0,
         0, NULL},
        {CLI_FLAG, "license", 0, &license, NULL, "print the licence", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith show MODEL [--modelfile | --license | --json]",
        .summary = "Shows what the store knows of a model: its files, parameters, system prompt, "
                   "licence, where it is from.\n'pith inspect' looks into the model itself.",
        .options = options,
        .n_options = 3,
        .min_words = 1,
        .max_words = 1,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_model m = {0};
    px_buf text = {0};
    pith_status status = PITH_OK;
    if (modelfile + license + json > 1)
        status = px_fail(&err, PITH_E_ARGUMENT,
                         "of --modelfile, --license and --json only one can be given");
    if (status == PITH_OK)
        status = cli_find(words.items[0], &m, &err);
    if (status == PITH_OK && license && !*m.license)
        status = px_fail(&err, PITH_E_NOT_FOUND, "the store knows no licence of '%s'", m.name);
    if (status == PITH_OK && modelfile) {
        status = store_modelfile_print(&m, &text, &err);
        if (status == PITH_OK)
            fputs(text.data, stdout);
    } else if (status == PITH_OK && license) {
        puts(m.license);
    } else if (status == PITH_OK) {
        status = json ? print_json(&m, &err) : print_text(&m, &err);
    }
    if (status == PITH_OK)
        status = cli_flush(&err);
    px_buf_clear(&text);
    store_model_clear(&m);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
