/* template: renders a chat template with the variables of a JSON file. */
#include "base/file.h"
#include "base/limits.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

static json_t *spans_json(const pith_rendered *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->n_spans; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:I, s:I}", "kind",
                            r->spans[i].kind == PITH_SPAN_GENERATION ? "generation" : "message",
                            "index", r->spans[i].index, "start", (json_int_t)r->spans[i].start,
                            "end", (json_int_t)r->spans[i].end));
    return list;
}

/* Where the template comes from: a Jinja file, or a model's own. */
typedef struct origin {
    px_buf source;
    pith_template *parsed; // of a file
    pith_model *model;
} origin;

static pith_status open_origin(const char *path, const char *name, origin *o, pith_error *err)
{
    if (ends_with(path, ".jinja") || ends_with(path, ".j2")) {
        pith_status status = px_file_read(path, PX_MAX_TEMPLATE_BYTES, &o->source, err);
        if (status != PITH_OK)
            return status;
        return pith_template_new(path, o->source.data, o->source.len, &o->parsed, err);
    }
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_WEIGHTS;
    mo.template_name = name;
    return cli_model_open(path, &mo, &o->model, err);
}

int cli_cmd_template(int argc, char **argv)
{
    bool json = false, source = false;
    const char *name = NULL;
    const cli_option options[] = {
        {CLI_FLAG, "source", 0, &source, NULL, "print the template itself instead", 0, 0, NULL},
        {CLI_TEXT, "template-name", 0, &name, "NAME",
         "one of several templates that the model names", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL,
         "a JSON object with the text and the span of each message", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith template MODEL|FILE.jinja [FILE.json] [options]",
        .summary = "Renders a chat template with an object of messages, tools, "
                   "add_generation_prompt and any further\n"
                   "variables, read from FILE.json or standard input, and prints the exact text.",
        .options = options,
        .n_options = 3,
        .min_words = 1,
        .max_words = 2,
        .examples = "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], "
                    "\"add_generation_prompt\": true}' |\n"
                    "    pith template model.gguf",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    origin o = {0};
    px_buf vars = {0};
    pith_rendered r = {0};
    pith_status status = open_origin(words.items[0], name, &o, &err);
    const pith_template *t = o.parsed  ? o.parsed
                             : o.model ? pith_model_template(o.model, NULL)
                                       : NULL;
    if (status == PITH_OK && !t)
        status = px_fail(&err, PITH_E_NOT_FOUND, "'%s' has no tokenizer, and so no chat template",
                         words.items[0]);
    if (status == PITH_OK && source) {
        pith_str text = pith_template_get_source(t);
        fwrite(text.data, 1, text.len, stdout);
        status = cli_flush(&err);
    } else if (status == PITH_OK) {
        status = cli_read(words.n > 1 ? words.items[1] : NULL, &vars, &err);
        if (status == PITH_OK)
            status =
                pith_template_render(t, o.model, vars.data ? vars.data : "", vars.len, &r, &err);
        if (status == PITH_OK && json) {
            status = cli_print_json(
                json_pack("{s:s%, s:o}", "text", r.text.data, r.text.len, "spans", spans_json(&r)),
                &err);
        } else if (status == PITH_OK) {
            fwrite(r.text.data, 1, r.text.len, stdout);
            status = cli_flush(&err);
        }
    }
    pith_rendered_free(&r);
    pith_template_free(o.parsed);
    pith_model_close(o.model);
    px_buf_clear(&o.source);
    px_buf_clear(&vars);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
