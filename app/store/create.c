/*
 * create: a model made of another one and of words about it: a recipe, as Ollama's /api/create
 * takes it and a Modelfile means it.
 *
 * Templates: one in Jinja is checked and becomes the model's. One in Go's template language is kept
 * to be shown and never run, which a note says: the model's own Jinja template is used.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/inside.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct making {
    const store_root *s;
    const store_job *job;
    const json_t *recipe;
    json_t *record;
} making;

/* ---- the base */

/* The files and words of a model that is here, as a new record. */
static pith_status from_model(making *m, const store_model *base, pith_error *err)
{
    pith_status status = PITH_OK;
    size_t i;
    json_t *f;
    m->record = store_record_new(*base->source ? base->source : base->path);
    if (!m->record)
        return px_fail_memory(err, "a record");
    json_array_foreach(base->files, i, f)
    {
        bool ours = base->origin == STORE_OURS && *store_text(f, "digest");
        if (status == PITH_OK)
            status =
                store_record_add(m->record, store_text(f, "name"), store_text(f, "role"),
                                 ours ? store_text(f, "digest") : NULL, store_text(f, "path"),
                                 (uint64_t)json_integer_value(json_object_get(f, "bytes")), err);
    }
    const char *const texts[][2] = {{"system", base->system},
                                    {"license", base->license},
                                    {"template_go", base->template_go},
                                    {"requires", base->requires}};
    for (size_t k = 0; status == PITH_OK && k < 4; k++)
        if (*texts[k][1] &&
            json_object_set_new(m->record, texts[k][0], json_string(texts[k][1])) != 0)
            status = px_fail_memory(err, "a record");
    if (status == PITH_OK &&
        (json_object_set_new(m->record, "parameters", json_deep_copy(base->parameters)) != 0 ||
         json_object_set_new(m->record, "messages", json_deep_copy(base->messages)) != 0))
        status = px_fail_memory(err, "a record");
    return status;
}

/* A path in a recipe, relative to the job's folder; NULL in *out where nothing is there. */
static pith_status find_path(const store_job *job, const char *word, char **out, pith_error *err)
{
    char *path = NULL;
    char real[PATH_MAX];
    const char *home = getenv("HOME");
    *out = NULL;
    if (!job || !job->folder)
        return PITH_OK;
    pith_status status = word[0] == '/' ? store_set(&path, err, "%s", word)
                         : strncmp(word, "~/", 2) == 0 && home
                             ? store_set(&path, err, "%s/%s", home, word + 2)
                             : store_set(&path, err, "%s/%s", job->folder, word);
    if (status == PITH_OK && realpath(path, real))
        status = store_set(out, err, "%s", real);
    px_free(path);
    return status;
}

static pith_status add_path(making *m, const char *path, const char *role, pith_error *err)
{
    const char *slash = strrchr(path, '/');
    px_map map = {0};
    uint64_t bytes = 0;
    if (px_file_kind_of(path) == PX_FILE_REGULAR) {
        pith_status status = px_map_open(path, &map, err);
        if (status != PITH_OK)
            return status;
        bytes = map.size;
        px_map_close(&map);
    }
    return store_record_add(m->record, slash && slash[1] ? slash + 1 : "folder", role, NULL, path,
                            bytes, err);
}

static pith_status take_base(making *m, pith_error *err)
{
    const char *from = store_text(m->recipe, "from");
    char *path = NULL;
    store_model base = {0};
    if (!*from) {
        if (!json_is_object(json_object_get(m->recipe, "files")))
            return px_fail(err, PITH_E_ARGUMENT,
                           "nothing to make the model of: neither \"from\" nor \"files\" is given");
        m->record = store_record_new("created");
        return m->record ? PITH_OK : px_fail_memory(err, "a record");
    }
    pith_status status = find_path(m->job, from, &path, err);
    if (status == PITH_OK && path) {
        m->record = store_record_new(path);
        status = m->record ? add_path(m, path, "model", err) : px_fail_memory(err, "a record");
    } else if (status == PITH_OK) {
        status = store_resolve(m->s, from, true, &base, err);
        if (status == PITH_OK && base.origin == STORE_BUILT_IN)
            status =
                px_fail(err, PITH_E_UNSUPPORTED,
                        "'%s' is built into the program and has no file to make a model of", from);
        if (status == PITH_OK)
            status = from_model(m, &base, err);
    }
    px_free(path);
    store_model_clear(&base);
    return status;
}

/* ---- files */

static void drop_role(json_t *record, const char *role)
{
    json_t *files = json_object_get(record, "files");
    for (size_t i = json_array_size(files); i-- > 0;)
        if (strcmp(store_text(json_array_get(files, i), "role"), role) == 0)
            json_array_remove(files, i);
}

/* {"NAME": "sha256:HEX"}: blobs that are here. */
static pith_status take_blobs(making *m, const json_t *files, const char *role, pith_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)files, name, value)
    {
        const char *digest = json_string_value(value);
        uint64_t bytes = 0;
        if (!store_file_name_ok(name))
            return px_fail(err, PITH_E_ARGUMENT, "'%s' is no plain name of a file", name);
        pith_status status = store_blob_find(m->s, digest ? digest : "", &bytes, err);
        if (status == PITH_OK)
            status = store_record_add(m->record, name, role, digest, NULL, bytes, err);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

static pith_status take_adapters(making *m, pith_error *err)
{
    const json_t *adapters = json_object_get(m->recipe, "adapters");
    size_t i;
    json_t *word;
    if (json_object_size(adapters) + json_array_size(adapters) > 0)
        drop_role(m->record, "adapter");
    if (json_is_object(adapters))
        return take_blobs(m, adapters, "adapter", err);
    json_array_foreach(adapters, i, word)
    {
        char *path = NULL;
        const char *text = json_string_value(word);
        pith_status status = find_path(m->job, text ? text : "", &path, err);
        if (status == PITH_OK && !path)
            status = px_fail(err, PITH_E_NOT_FOUND, "there is no adapter '%s'", text ? text : "");
        if (status == PITH_OK)
            status = add_path(m, path, "adapter", err);
        px_free(path);
        if (status != PITH_OK)
            return status;
    }
    return PITH_OK;
}

/* ---- words */

static bool starts_word(const char *s, const char *word)
{
    size_t n = strlen(word);
    return strncmp(s, word, n) == 0 && !isalnum((unsigned char)s[n]) && s[n] != '_';
}

/* Whether a template is in Go's language: an action begins with a dot, a dollar sign or one of its
 * words, and no Jinja statement is in it. */
static bool is_go(const char *text)
{
    static const char *const WORDS[] = {"if",  "range", "with", "else", "end", "template", "define",
                                        "and", "or",    "not",  "eq",   "len", "json",     "block"};
    if (strstr(text, "{%"))
        return false;
    for (const char *at = text; (at = strstr(at, "{{")) != NULL; at += 2) {
        const char *s = at + 2;
        s += *s == '-';
        while (isspace((unsigned char)*s))
            s++;
        if (*s == '.' || *s == '$')
            return true;
        for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
            if (starts_word(s, WORDS[i]))
                return true;
    }
    return false;
}

/* Whether the record's model brings a chat template. */
static bool has_template(making *m)
{
    const json_t *files = json_object_get(m->record, "files");
    char *path = NULL;
    const char *name = "";
    pith_model *model = NULL;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_WEIGHTS;
    size_t i;
    json_t *f;
    json_array_foreach(files, i, f)
    {
        if (path || strcmp(store_text(f, "role"), "model") != 0)
            continue;
        if (*store_text(f, "digest"))
            (void)store_blob_path(m->s, store_text(f, "digest"), &path, NULL);
        else
            (void)store_set(&path, NULL, "%s", store_text(f, "path"));
    }
    if (path && pith_model_open(path, &o, &model, NULL) == PITH_OK)
        (void)pith_model_template(model, &name);
    bool has = name && *name && strncmp(name, "default", 7) != 0;
    pith_model_close(model);
    px_free(path);
    return has;
}

static pith_status take_template(making *m, pith_error *err)
{
    const char *text = store_text(m->recipe, "template");
    pith_template *parsed = NULL;
    char *digest = NULL;
    if (!*text)
        return PITH_OK;
    if (is_go(text)) {
        if (json_object_set_new(m->record, "template_go", json_string(text)) != 0)
            return px_fail_memory(err, "a record");
        if (has_template(m))
            return store_note(m->job, err,
                              "the TEMPLATE is in Go's template language, which pith does not run; "
                              "the model's own chat template is used");
        return store_note(m->job, err,
                          "the TEMPLATE is in Go's template language, which pith does not run, and "
                          "the model has no template of its own: chats will use ChatML. Give a "
                          "TEMPLATE in Jinja");
    }
    pith_status status = pith_template_new("TEMPLATE", text, strlen(text), &parsed, err);
    pith_template_free(parsed);
    if (status == PITH_OK)
        status = store_blob_put(m->s, text, strlen(text), &digest, err);
    if (status == PITH_OK) {
        drop_role(m->record, "template");
        json_object_del(m->record, "template_go");
        status = store_record_add(m->record, "template.jinja", "template", digest, NULL,
                                  strlen(text), err);
    }
    px_free(digest);
    return status;
}

static pith_status take_parameters(making *m, pith_error *err)
{
    const json_t *given = json_object_get(m->recipe, "parameters");
    json_t *all = json_object_get(m->record, "parameters");
    const char *key;
    json_t *value;
    if (!all && json_object_set_new(m->record, "parameters", json_object()) != 0)
        return px_fail_memory(err, "a record");
    all = json_object_get(m->record, "parameters");
    json_object_foreach((json_t *)(uintptr_t)given, key, value)
    {
        bool stop = strcmp(key, "stop") == 0;
        pith_status status = store_parameter_check(m->job, key, value, err);
        if (status != PITH_OK)
            return status;
        json_t *kept =
            stop && json_is_string(value) ? json_pack("[O]", value) : json_deep_copy(value);
        if (json_object_set_new(all, key, kept) != 0)
            return px_fail_memory(err, "a record");
    }
    return PITH_OK;
}

static pith_status take_license(making *m, pith_error *err)
{
    const json_t *given = json_object_get(m->recipe, "license");
    px_buf text = {0};
    size_t i;
    json_t *one;
    if (json_is_string(given))
        px_buf_puts(&text, json_string_value(given));
    json_array_foreach(given, i, one)
    {
        if (json_is_string(one))
            px_buf_printf(&text, "%s%s", text.len ? "\n" : "", json_string_value(one));
    }
    pith_status status = px_buf_status(&text, "a licence", err);
    if (status == PITH_OK && text.len > 0 &&
        json_object_set_new(m->record, "license", json_string(text.data)) != 0)
        status = px_fail_memory(err, "a record");
    px_buf_clear(&text);
    return status;
}

static pith_status take_messages(making *m, pith_error *err)
{
    const json_t *given = json_object_get(m->recipe, "messages");
    size_t i;
    json_t *one;
    json_array_foreach(given, i, one)
    {
        if (!*store_text(one, "role") || !json_is_string(json_object_get(one, "content")))
            return px_fail(err, PITH_E_ARGUMENT,
                           "message %zu has no role or no content; expected {\"role\", "
                           "\"content\"}",
                           i);
    }
    if (json_array_size(given) > 0 &&
        json_object_set_new(m->record, "messages", json_deep_copy(given)) != 0)
        return px_fail_memory(err, "a record");
    return PITH_OK;
}

static pith_status take_texts(making *m, pith_error *err)
{
    static const char *const KEYS[] = {"system", "requires"};
    for (size_t i = 0; i < 2; i++) {
        json_t *v = json_object_get(m->recipe, KEYS[i]);
        if (json_is_string(v) && json_object_set(m->record, KEYS[i], v) != 0)
            return px_fail_memory(err, "a record");
    }
    return PITH_OK;
}

/* Every member must be known and of its type: what is not understood is not dropped in silence. */
static pith_status check(const json_t *recipe, pith_error *err)
{
    static const struct {
        const char *key, *types; // s text, o object, a array
    } KNOWN[] = {{"from", "s"},     {"files", "o"},    {"adapters", "oa"},  {"template", "s"},
                 {"system", "s"},   {"license", "sa"}, {"parameters", "o"}, {"messages", "a"},
                 {"quantize", "s"}, {"requires", "s"}};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)recipe, key, value)
    {
        size_t i = 0;
        const size_t n = sizeof KNOWN / sizeof KNOWN[0];
        while (i < n && strcmp(KNOWN[i].key, key) != 0)
            i++;
        if (i == n)
            return px_fail(err, PITH_E_ARGUMENT, "a model cannot be made with '%s'", key);
        char type = json_is_string(value)   ? 's'
                    : json_is_object(value) ? 'o'
                    : json_is_array(value)  ? 'a'
                                            : '?';
        if (!json_is_null(value) && !strchr(KNOWN[i].types, type))
            return px_fail(err, PITH_E_ARGUMENT, "'%s' has a value of the wrong type", key);
    }
    return PITH_OK;
}

pith_status store_create(const store_root *s, const char *name, const json_t *recipe,
                         const store_job *job, pith_error *err)
{
    px_error_clear(err);
    making m = {.s = s, .job = job, .recipe = recipe};
    store_name as;
    pith_status status = store_name_parse(name, &as, err);
    if (status == PITH_OK)
        status = check(recipe, err);
    store_job with = job ? *job : (store_job){0};
    if (status == PITH_OK && *store_text(recipe, "quantize"))
        with.quantize = store_text(recipe, "quantize");
    if (status == PITH_OK)
        status = store_transform_check(&with, err);
    if (status == PITH_OK)
        status = take_base(&m, err);
    if (status == PITH_OK && json_is_object(json_object_get(recipe, "files"))) {
        drop_role(m.record, "model");
        status = take_blobs(&m, json_object_get(recipe, "files"), "model", err);
    }
    pith_status (*const steps[])(making *, pith_error *) = {
        take_adapters, take_template, take_texts, take_license, take_parameters, take_messages};
    for (size_t i = 0; status == PITH_OK && i < sizeof steps / sizeof steps[0]; i++)
        status = steps[i](&m, err);
    if (status == PITH_OK)
        status = store_transform(s, m.record, &with, err);
    if (status == PITH_OK)
        status = store_record_save(s, &as, m.record, job, err);
    json_decref(m.record);
    return status;
}
