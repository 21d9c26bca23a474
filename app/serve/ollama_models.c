/* ollama_models: /api/tags, ps, show and version. See ollama.h. */
#include "serve/ollama.h"
#include "serve/prepare.h"
#include "serve/server.h"
#include "serve/turns.h"
#include "store/store.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ small things */

bool serve_ollama_version(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    (void)call;
    (void)problem;
    px_buf_printf(&answer->body, "{\"version\":\"%s\",\"pith\":\"%s\"}", SERVE_OLLAMA_VERSION,
                  pith_version());
    return true;
}

/* "2026-11-22T23:59:59Z" in quotes. */
static void put_when(px_buf *out, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm parts;
    char text[40];
    gmtime_r(&t, &parts);
    strftime(text, sizeof text, "\"%Y-%m-%dT%H:%M:%SZ\"", &parts);
    px_buf_puts(out, text);
}

static void put_details(px_buf *out, const store_model *m)
{
    px_buf_puts(out, "{\"parent_model\":\"\",\"format\":");
    serve_put_text(out, m->format ? m->format : "");
    px_buf_puts(out, ",\"family\":");
    serve_put_text(out, m->family ? m->family : "");
    px_buf_puts(out, ",\"families\":[");
    serve_put_text(out, m->family ? m->family : "");
    px_buf_puts(out, "],\"parameter_size\":");
    serve_put_text(out, m->parameter_size ? m->parameter_size : "");
    px_buf_puts(out, ",\"quantization_level\":");
    serve_put_text(out, m->quantization ? m->quantization : "");
    px_buf_printf(out, ",\"context_length\":%lld,\"embedding_length\":%lld}",
                  (long long)m->n_ctx_train, (long long)m->width);
}

/* "name:tag": Ollama's names always have one. */
static void put_name(px_buf *out, const char *name)
{
    const char *slash = strrchr(name, '/');
    px_buf text = {0};
    px_buf_puts(&text, name);
    if (!strchr(slash ? slash : name, ':'))
        px_buf_puts(&text, ":latest");
    serve_put_string(out, text.data ? text.data : "", text.len);
    px_buf_clear(&text);
}

/* ------------------------------------------------------------------ lists */

/* A row of serve_models_each that outlives its lock. */
typedef struct row {
    char *name, *known, *path; // as served; as the store knows it; its file
    store_origin origin;
    serve_model_row is;
} row;

typedef struct rows {
    row *items;
    int n, cap;
    bool failed;
} rows;

static void free_row(row *r)
{
    px_free(r->name);
    px_free(r->known);
    px_free(r->path);
}

static void copy_row(void *user, const serve_model_row *is)
{
    rows *all = user;
    if (all->n == all->cap) {
        int cap = all->cap ? all->cap * 2 : 16;
        row *items = px_realloc(all->items, (size_t)cap, sizeof *items);
        if (!items) {
            all->failed = true;
            return;
        }
        all->items = items;
        all->cap = cap;
    }
    row *r = &all->items[all->n];
    const store_model *m = is->record;
    *r = (row){.name = px_strndup(is->name, strlen(is->name)),
               .known = px_strndup(m->name, strlen(m->name)),
               .path = px_strndup(m->path, strlen(m->path)),
               .origin = m->origin,
               .is = *is};
    if (r->name && r->known && r->path) {
        all->n++;
        return;
    }
    free_row(r);
    all->failed = true;
}

static void clear_rows(rows *all)
{
    for (int i = 0; i < all->n; i++)
        free_row(&all->items[i]);
    px_free(all->items);
    *all = (rows){0};
}

static bool list_rows(serve_call *call, bool stored, rows *all, serve_problem *problem)
{
    serve_models_each(call->server->models, stored, copy_row, all);
    return !all->failed || serve_refuse_memory(problem);
}

/* What is known of a served model: what the store says of its name, or what its file says; one that
 * cannot be read has no details. */
static void describe(const serve_call *call, const row *r, store_model *m)
{
    const store_root *store = serve_models_store(call->server->models);
    bool named = r->origin != STORE_PATH;
    *m = (store_model){0};
    if (store && store_resolve(store, named ? r->known : r->path, named, m, NULL) == PITH_OK &&
        !*m->family)
        store_model_inspect(m, NULL);
}

static void put_listed(px_buf *out, const char *name, const store_model *m, int64_t modified,
                       uint64_t bytes)
{
    px_buf_puts(out, "{\"name\":");
    put_name(out, name);
    px_buf_puts(out, ",\"model\":");
    put_name(out, name);
    px_buf_puts(out, ",\"modified_at\":");
    put_when(out, modified);
    px_buf_printf(out, ",\"size\":%llu,\"digest\":", (unsigned long long)bytes);
    serve_put_text(out, m->digest ? m->digest : "");
    px_buf_puts(out, ",\"details\":");
    put_details(out, m);
}

bool serve_ollama_tags(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    rows all = {0};
    px_buf *out = &answer->body;
    const char *comma = "";
    bool ok = list_rows(call, true, &all, problem);
    px_buf_puts(out, "{\"models\":[");
    for (int i = 0; ok && i < all.n; i++, comma = ",") {
        store_model m;
        describe(call, &all.items[i], &m);
        px_buf_puts(out, comma);
        put_listed(out, all.items[i].name, &m, all.items[i].is.created,
                   m.bytes ? m.bytes : all.items[i].is.file_bytes);
        px_buf_putc(out, '}');
        store_model_clear(&m);
    }
    px_buf_puts(out, "]}");
    clear_rows(&all);
    return ok;
}

bool serve_ollama_ps(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    rows all = {0};
    px_buf *out = &answer->body;
    const char *comma = "";
    bool ok = list_rows(call, false, &all, problem);
    px_buf_puts(out, "{\"models\":[");
    for (int i = 0; ok && i < all.n; i++) {
        const serve_model_row *is = &all.items[i].is;
        store_model m;
        if (!is->loaded || is->alias)
            continue;
        describe(call, &all.items[i], &m);
        px_buf_puts(out, comma);
        put_listed(out, all.items[i].name, &m, is->created, is->memory_bytes);
        /* One that stays for ever expires in a century. */
        double left = is->expires_in < 0 ? 3155760000.0 : is->expires_in;
        px_buf_puts(out, ",\"expires_at\":");
        put_when(out, (int64_t)time(NULL) + (int64_t)left);
        px_buf_printf(out, ",\"size_vram\":0,\"context_length\":%lld}", (long long)is->n_ctx);
        store_model_clear(&m);
        comma = ",";
    }
    px_buf_puts(out, "]}");
    clear_rows(&all);
    return ok;
}

/* ------------------------------------------------------------------ one model */

/* Metadata as the file has it; long arrays (the vocabulary) are null unless `verbose`. */
static void put_model_info(px_buf *out, const pith_model *model, const pith_model_info *info,
                           bool verbose)
{
    bool has_count = false, has_architecture = false;
    char context[160];
    snprintf(context, sizeof context, "%.120s.context_length", info->architecture);
    bool has_context = false;
    const char *comma = "";
    px_buf_putc(out, '{');
    for (int64_t i = 0; i < info->n_metas; i++) {
        const char *key = NULL;
        pith_text value = {0};
        if (pith_model_get_meta(model, i, verbose ? INT64_MAX : 64, &key, &value, NULL) != PITH_OK)
            break;
        px_json parsed;
        bool whole = px_json_check(key, value.data, value.len, &parsed, NULL) == PITH_OK;
        px_buf_puts(out, comma);
        serve_put_text(out, key);
        px_buf_putc(out, ':');
        if (whole)
            px_buf_put(out, value.data, value.len);
        else
            px_buf_puts(out, "null");
        comma = ",";
        has_context |= strcmp(key, context) == 0;
        has_count |= strcmp(key, "general.parameter_count") == 0;
        has_architecture |= strcmp(key, "general.architecture") == 0;
        pith_text_free(&value);
    }
    if (!has_architecture) {
        px_buf_printf(out, "%s\"general.architecture\":", comma);
        serve_put_text(out, info->architecture);
        comma = ",";
    }
    if (!has_count) {
        px_buf_printf(out, "%s\"general.parameter_count\":%llu", comma,
                      (unsigned long long)info->n_parameters);
        comma = ",";
    }
    if (!has_context) {
        px_buf_puts(out, comma);
        serve_put_text(out, context);
        px_buf_printf(out, ":%d", info->n_ctx_train);
    }
    px_buf_putc(out, '}');
}

static void put_tensors(px_buf *out, const pith_model *model, const pith_model_info *info)
{
    px_buf_putc(out, '[');
    for (int64_t i = 0; i < info->n_tensors; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        if (pith_model_get_tensor(model, i, &t, NULL) != PITH_OK)
            break;
        px_buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        serve_put_text(out, t.name);
        px_buf_puts(out, ",\"type\":");
        serve_put_text(out, t.dtype);
        px_buf_puts(out, ",\"shape\":[");
        for (int k = 0; k < t.n_dims; k++) /* GGUF counts axes from the fastest */
            px_buf_printf(out, "%s%lld", k > 0 ? "," : "", (long long)t.shape[t.n_dims - 1 - k]);
        px_buf_puts(out, "]}");
    }
    px_buf_putc(out, ']');
}

/* Lines "name value", as a Modelfile's PARAMETER has them. */
static void put_parameters(px_buf *out, const store_model *m)
{
    const char *key;
    json_t *value, *item;
    size_t k;
    px_buf text = {0};
    json_object_foreach(m->parameters, key, value)
    {
        json_t *list = json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
        json_array_foreach(list, k, item)
        {
            char *line = json_dumps(item, JSON_ENCODE_ANY);
            px_buf_printf(&text, "%s%-30s %s", text.len ? "\n" : "", key, line ? line : "");
            free(line);
        }
        json_decref(list);
    }
    serve_put_string(out, text.data ? text.data : "", text.len);
    px_buf_clear(&text);
}

static void put_json(px_buf *out, const json_t *value, const char *absent)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    px_buf_puts(out, text ? text : absent);
    free(text);
}

static void put_shown(px_buf *out, const serve_model *model, const pith_model_info *info,
                      const store_model *m, bool verbose)
{
    const pith_template *template = pith_model_template(model->model, NULL);
    pith_str source = template ? pith_template_get_source(template) : (pith_str){"", 0};
    uint32_t can = pith_model_capabilities(model->model);
    px_buf modelfile = {0};
    if (!m->name || store_modelfile_print(m, &modelfile, NULL) != PITH_OK)
        px_buf_reset(&modelfile);
    px_buf_puts(out, "{\"modelfile\":");
    serve_put_string(out, modelfile.data ? modelfile.data : "", modelfile.len);
    px_buf_clear(&modelfile);
    px_buf_puts(out, ",\"parameters\":");
    put_parameters(out, m);
    px_buf_puts(out, ",\"template\":");
    if (m->template_go && *m->template_go)
        serve_put_text(out, m->template_go);
    else
        serve_put_string(out, source.data, source.len);
    px_buf_puts(out, ",\"license\":");
    serve_put_text(out, m->license && *m->license ? m->license : info->license);
    px_buf_puts(out, ",\"system\":");
    serve_put_text(out, m->system ? m->system : "");
    px_buf_puts(out, ",\"messages\":");
    put_json(out, m->messages, "[]");
    px_buf_puts(out, ",\"details\":");
    put_details(out, m);
    px_buf_puts(out, ",\"model_info\":");
    put_model_info(out, model->model, info, verbose);
    if (verbose) {
        px_buf_puts(out, ",\"tensors\":");
        put_tensors(out, model->model, info);
    }
    bool fills = serve_middle_names(pith_model_tokenizer(model->model)) != NULL;
    px_buf_printf(out, ",\"capabilities\":[\"completion\"%s%s%s],\"modified_at\":",
                  can & PITH_CAN_TOOLS ? ",\"tools\"" : "", fills ? ",\"insert\"" : "",
                  can & PITH_CAN_THINK ? ",\"thinking\"" : "");
    put_when(out, m->modified ? m->modified : model->created);
    px_buf_putc(out, '}');
}

bool serve_ollama_show(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    px_buf text = {0};
    serve_model *model = NULL;
    store_model m = {0};
    pith_model_info info = PITH_INIT(pith_model_info);
    bool verbose = false;
    if (serve_ollama_name(call, "model", &text, problem) &&
        serve_get_bool(call->json, "verbose", &verbose, problem))
        model = serve_models_take(call->server->models, text.data, problem);
    if (model) {
        row r = {.name = model->name,
                 .known = model->record.name,
                 .path = model->record.path,
                 .origin = model->record.origin};
        describe(call, &r, &m);
        pith_model_get_info(model->model, &info, NULL);
        put_shown(&answer->body, model, &info, &m, verbose);
        store_model_clear(&m);
        serve_models_leave(model);
    }
    px_buf_clear(&text);
    return model != NULL;
}
