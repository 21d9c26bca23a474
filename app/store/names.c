/* names: lists of the names that are here, ours and Ollama's, and the form in which one is here. */
#include "base/mem.h"
#include "store/inside.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pith_status add_name(store_names *list, const char *text, size_t len, pith_error *err)
{
    if (list->n == STORE_MAX_MODELS)
        return px_fail(err, PITH_E_LIMIT, "the store has more than %d models", STORE_MAX_MODELS);
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        char **items = px_realloc(list->items, cap, sizeof *items);
        if (!items)
            return px_fail_memory(err, "a list of models");
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n] = px_strndup(text, len);
    if (!list->items[list->n])
        return px_fail_memory(err, "a list of models");
    list->n++;
    return PITH_OK;
}

void store_names_clear(store_names *list)
{
    for (size_t i = 0; i < list->n; i++)
        px_free(list->items[i]);
    px_free(list->items);
    *list = (store_names){0};
}

/* "a/b/tag.json" is the model "a/b:tag". */
static pith_status on_record(void *user, const char *relative, pith_error *err)
{
    size_t n = strlen(relative);
    const char *slash = strrchr(relative, '/');
    if (!slash || n < 6 || strcmp(relative + n - 5, ".json") != 0)
        return PITH_OK;
    char *name = store_format("%.*s:%.*s", (int)(slash - relative), relative,
                              (int)(relative + n - 5 - slash - 1), slash + 1);
    pith_status status =
        name ? add_name(user, name, strlen(name), err) : px_fail_memory(err, "a list of models");
    px_free(name);
    return status;
}

static pith_status on_shown(void *user, const char *name, pith_error *err)
{
    return add_name(user, name, strlen(name), err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

pith_status store_names_ours(const store_root *s, store_names *out, pith_error *err)
{
    char *folder = NULL;
    pith_status status = store_set(&folder, err, "%s/models", s->home);
    if (status == PITH_OK)
        status = store_walk(folder, 6, on_record, out, err);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_text);
    px_free(folder);
    return status;
}

pith_status store_names_theirs(const store_root *s, store_names *out, pith_error *err)
{
    pith_status status = store_ollama_list(s, on_shown, out, err);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_text);
    return status;
}

bool store_names_form(const store_names *list, store_name *name)
{
    size_t n = strlen(name->base), only = 0, found = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (strcasecmp(list->items[i], name->text) == 0)
            return store_name_parse(list->items[i], name, NULL) == PITH_OK;
        if (strncasecmp(list->items[i], name->base, n) == 0 && list->items[i][n] == ':') {
            found++;
            only = i;
        }
    }
    return !name->tagged && found == 1 &&
           store_name_parse(list->items[only], name, NULL) == PITH_OK;
}
