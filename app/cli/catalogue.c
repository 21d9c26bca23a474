/*
 * catalogue: the models that `pith advise` knows. The user's file is as hostile as any: each member
 * is checked, and a mistake names the model.
 */
#include "base/file.h"
#include "base/mem.h"
#include "cli/advise.h"

#include <stdio.h>
#include <string.h>

extern const char cli_catalogue_built[]; // share/catalogue.json, by tools/embed.c

enum { MAX_MODELS = 4096, MAX_BYTES = 4 << 20 };

static pith_status bad(const char *file, const char *model, const char *key, pith_error *err)
{
    return px_fail(err, PITH_E_FORMAT,
                   "%s: the model '%s' has no proper '%s'; docs/advise.md shows the form", file,
                   model, key);
}

static bool text(const json_t *o, const char *key, bool needed, const char **out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_string_value(v);
    if (*out || (!needed && !v))
        return true;
    return false;
}

static bool whole(const json_t *o, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_integer_value(v);
    if (!v && least == 0)
        return true;
    return json_is_integer(v) && *out >= least && *out <= most;
}

static pith_status read_shape(const char *file, const char *model, const json_t *o,
                              advise_shape *out, pith_error *err)
{
    const struct {
        const char *key;
        int64_t *to;
        int64_t least, most;
    } rows[] = {{"layers", &out->layers, 1, 1024},
                {"width", &out->width, 1, 1 << 20},
                {"ffn", &out->ffn, 1, 1 << 20},
                {"heads", &out->heads, 1, 1 << 12},
                {"kv_heads", &out->kv_heads, 1, 1 << 12},
                {"head", &out->head, 1, 1 << 12},
                {"vocab", &out->vocab, 1, 1 << 22},
                {"window", &out->window, 0, 1 << 26},
                {"window_layers", &out->window_layers, 0, 1024}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!whole(o, rows[i].key, rows[i].least, rows[i].most, rows[i].to))
            return bad(file, model, rows[i].key, err);
    out->tied = json_is_true(json_object_get(o, "tied"));
    return out->window_layers <= out->layers ? PITH_OK : bad(file, model, "window_layers", err);
}

static pith_status read_entry(const char *file, const json_t *o, advise_entry *out, pith_error *err)
{
    int64_t parameters = 0;
    *out = (advise_entry){0};
    if (!text(o, "name", true, &out->name))
        return bad(file, "?", "name", err);
    if (!text(o, "repo", true, &out->repo))
        return bad(file, out->name, "repo", err);
    if (!text(o, "ollama", false, &out->ollama))
        return bad(file, out->name, "ollama", err);
    if (!text(o, "license", true, &out->license))
        return bad(file, out->name, "license", err);
    if (!whole(o, "parameters", 1, INT64_C(1) << 50, &parameters))
        return bad(file, out->name, "parameters", err);
    if (!whole(o, "context", 1, 1 << 26, &out->context))
        return bad(file, out->name, "context", err);
    if (!whole(o, "year", 0, 9999, &out->year))
        return bad(file, out->name, "year", err);
    out->parameters = (uint64_t)parameters;
    out->gated = json_is_true(json_object_get(o, "gated"));
    out->languages = json_object_get(o, "languages");
    out->good_for = json_object_get(o, "good_for");
    if (!json_is_array(out->languages))
        return bad(file, out->name, "languages", err);
    if (!json_is_array(out->good_for))
        return bad(file, out->name, "good_for", err);
    return read_shape(file, out->name, json_object_get(o, "shape"), &out->shape, err);
}

/* Adds a model, or replaces the one of its name. */
static pith_status put(advise_catalogue *c, const advise_entry *e, pith_error *err)
{
    for (int i = 0; i < c->n; i++) {
        if (strcmp(c->items[i].name, e->name) == 0) {
            c->items[i] = *e;
            return PITH_OK;
        }
    }
    if (c->n == MAX_MODELS)
        return px_fail(err, PITH_E_LIMIT, "the catalogue has more than %d models", MAX_MODELS);
    advise_entry *items = px_realloc(c->items, (size_t)c->n + 1, sizeof *items);
    if (!items)
        return px_fail_memory(err, "the catalogue");
    c->items = items;
    c->items[c->n++] = *e;
    return PITH_OK;
}

pith_status advise_catalogue_add(advise_catalogue *c, const char *name, json_t *json,
                                 pith_error *err)
{
    const json_t *models = json_object_get(json, "models");
    size_t i;
    json_t *o;
    if (!json_is_array(models))
        return px_fail(err, PITH_E_FORMAT, "%s has no array \"models\"", name);
    json_array_foreach(models, i, o)
    {
        advise_entry e;
        pith_status status = read_entry(name, o, &e, err);
        if (status == PITH_OK)
            status = put(c, &e, err);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

pith_status advise_catalogue_load(const char *home, advise_catalogue *out, pith_error *err)
{
    char path[4096];
    px_buf bytes = {0};
    json_error_t je;
    *out = (advise_catalogue){0};
    out->json[0] = json_loads(cli_catalogue_built, 0, &je);
    pith_status status = out->json[0]
                             ? advise_catalogue_add(out, "the catalogue", out->json[0], err)
                             : px_fail_memory(err, "the catalogue");
    snprintf(path, sizeof path, "%s/catalogue.json", home);
    if (status == PITH_OK && px_file_kind_of(path) != PX_FILE_NONE) {
        status = px_file_read(path, MAX_BYTES, &bytes, err);
        if (status == PITH_OK) {
            out->json[1] = json_loadb(bytes.data, bytes.len, 0, &je);
            status = out->json[1]
                         ? advise_catalogue_add(out, path, out->json[1], err)
                         : px_fail(err, PITH_E_FORMAT, "'%s': line %d: %s", path, je.line, je.text);
        }
    }
    px_buf_clear(&bytes);
    if (status != PITH_OK)
        advise_catalogue_clear(out);
    return status;
}

void advise_catalogue_clear(advise_catalogue *c)
{
    json_decref(c->json[0]);
    json_decref(c->json[1]);
    px_free(c->items);
    *c = (advise_catalogue){0};
}
