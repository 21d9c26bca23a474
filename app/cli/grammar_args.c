/* grammar_args: see grammar_args.h. */
#include "cli/grammar_args.h"

#include "cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pith_status read_text(const char *arg, px_buf *out, const char **name, pith_error *err)
{
    *name = NULL;
    if (strlen(arg) < 4096 && access(arg, F_OK) == 0) {
        *name = arg;
        return cli_read(arg, out, err);
    }
    size_t n = strlen(arg);
    bool named = (n > 5 && strcmp(arg + n - 5, ".json") == 0) ||
                 (n > 5 && strcmp(arg + n - 5, ".gbnf") == 0) || arg[0] == '/';
    if (named && !strpbrk(arg, "{\n")) // no schema and no grammar ends or begins so
        return px_fail(err, PITH_E_NOT_FOUND, "there is no file '%s'", arg);
    return px_buf_puts(out, arg) ? PITH_OK : px_fail_memory(err, "the grammar");
}

/* The choices as a JSON array. */
static pith_status write_choices(const cli_texts *choices, px_buf *out, pith_error *err)
{
    json_t *list = json_array();
    for (int i = 0; i < choices->n; i++)
        if (json_array_append_new(list, json_string(choices->items[i])) != 0) {
            json_decref(list);
            return px_fail(err, PITH_E_ARGUMENT, "--choice %d is not UTF-8", i + 1);
        }
    char *text = json_dumps(list, 0);
    bool put = text && px_buf_puts(out, text);
    free(text);
    json_decref(list);
    return put ? PITH_OK : px_fail_memory(err, "the choices");
}

pith_status cli_grammar(const cli_grammar_args *args, const pith_model *model, pith_grammar **out,
                        pith_error *err)
{
    *out = NULL;
    int n = (args->gbnf != NULL) + (args->schema != NULL) + (args->regex != NULL) + args->object +
            (args->choices.n > 0);
    if (n == 0)
        return PITH_OK;
    if (n > 1)
        return px_fail(err, PITH_E_ARGUMENT,
                       "of --json-schema, --json-object, --grammar, --regex and --choice only one "
                       "can be given");
    px_buf text = {0};
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    pith_status st = PITH_OK;
    if (args->gbnf) {
        o.kind = PITH_GRAMMAR_GBNF;
        st = read_text(args->gbnf, &text, &o.name, err);
    } else if (args->schema) {
        o.kind = PITH_GRAMMAR_JSON_SCHEMA;
        st = read_text(args->schema, &text, &o.name, err);
    } else if (args->regex) {
        o.kind = PITH_GRAMMAR_REGEX;
        st = px_buf_puts(&text, args->regex) ? PITH_OK : px_fail_memory(err, "the regex");
    } else if (args->object) {
        o.kind = PITH_GRAMMAR_JSON;
    } else {
        o.kind = PITH_GRAMMAR_CHOICE;
        st = write_choices(&args->choices, &text, err);
    }
    o.text = text.data ? text.data : "";
    o.len = text.len;
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    if (st == PITH_OK && !tok)
        st = px_fail(err, PITH_E_NOT_FOUND, "a grammar needs a tokenizer, and the model has none");
    if (st == PITH_OK)
        st = pith_grammar_new(tok, &o, out, err);
    px_buf_clear(&text);
    return st;
}
