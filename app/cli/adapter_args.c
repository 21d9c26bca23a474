/* adapter_args: see adapter_args.h. */
#include "cli/adapter_args.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pith_status open_one(const pith_model *model, const char *path, float scale,
                            cli_adapters *out, pith_error *err)
{
    if (out->n == CLI_MOST_ADAPTERS)
        return px_fail(err, PITH_E_ARGUMENT, "more than %d adapters are given", CLI_MOST_ADAPTERS);
    pith_adapter **a = &out->open[out->n];
    pith_status status = pith_adapter_open(model, path, a, err);
    if (status == PITH_OK)
        out->uses[out->n++] = (pith_adapter_use){*a, scale};
    return status;
}

/* FILE=SCALE, where what is behind the last '=' is a number; FILE otherwise. */
static pith_status open_word(const pith_model *model, const char *word, cli_adapters *out,
                             pith_error *err)
{
    const char *sign = strrchr(word, '=');
    char *end = NULL;
    float scale = sign ? strtof(sign + 1, &end) : 1;
    if (!sign || end == sign + 1 || *end)
        return open_one(model, word, 1, out, err);
    if (!isfinite(scale))
        return px_fail(err, PITH_E_ARGUMENT,
                       "option '--adapter' has value '%s', expected a finite scale behind '='",
                       word);
    char *path = px_strndup(word, (size_t)(sign - word));
    if (!path)
        return px_fail_memory(err, "a path");
    pith_status status = open_one(model, path, scale, out, err);
    px_free(path);
    return status;
}

pith_status cli_adapters_open(const pith_model *model, const json_t *record, const cli_texts *given,
                              cli_adapters *out, pith_error *err)
{
    *out = (cli_adapters){0};
    pith_status status = PITH_OK;
    for (size_t i = 0; status == PITH_OK && i < json_array_size(record); i++)
        status = open_one(model, json_string_value(json_array_get(record, i)), 1, out, err);
    for (int i = 0; status == PITH_OK && i < given->n; i++)
        status = open_word(model, given->items[i], out, err);
    if (status != PITH_OK)
        cli_adapters_close(out);
    return status;
}

void cli_adapters_close(cli_adapters *a)
{
    for (int32_t i = 0; i < a->n; i++)
        pith_adapter_close(a->open[i]);
    *a = (cli_adapters){0};
}
