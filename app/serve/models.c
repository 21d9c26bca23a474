/* models: see models.h. */
#include "serve/models.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct serve_alias {
    char *name;
    serve_model *model;
    struct serve_alias *next;
} serve_alias;

struct serve_models {
    pthread_mutex_t lock; // guards all entries and lists; no lock is taken inside it
    pthread_cond_t opened;
    serve_models_options options;
    serve_model *first, **last;
    serve_alias *aliases, **last_alias;
};

serve_models *serve_models_new(const serve_models_options *options, pith_error *err)
{
    serve_models *m = px_calloc(1, sizeof *m);
    if (!m) {
        px_fail_memory(err, "the list of models");
        return NULL;
    }
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->opened, NULL);
    m->options = *options;
    m->last = &m->first;
    m->last_alias = &m->aliases;
    return m;
}

static void close_adapters(serve_model *m)
{
    for (int i = 0; i < m->n_adapters; i++) {
        pith_adapter_close(m->adapters[i].adapter);
        m->adapters[i].adapter = NULL;
    }
}

static void free_adapters(serve_model *m)
{
    close_adapters(m);
    for (int i = 0; i < m->n_adapters; i++) {
        px_free(m->adapters[i].name);
        px_free(m->adapters[i].path);
    }
}

/* Copies both texts; false when there is no room or no memory. */
static bool add_adapter(serve_model *m, const char *name, const char *path)
{
    if (m->n_adapters == SERVE_MAX_ADAPTERS)
        return false;
    serve_adapter *a = &m->adapters[m->n_adapters];
    *a = (serve_adapter){.name = name ? px_strndup(name, strlen(name)) : NULL,
                         .path = px_strndup(path, strlen(path))};
    if ((!name || a->name) && a->path) {
        m->n_adapters++;
        return true;
    }
    px_free(a->name);
    px_free(a->path);
    return false;
}

void serve_models_free(serve_models *models)
{
    if (!models)
        return;
    for (serve_model *m = models->first, *next; m; m = next) {
        next = m->next;
        free_adapters(m);
        pith_model_close(m->model);
        px_free(m->name);
        store_model_clear(&m->record);
        px_free(m->ends);
        px_free(m);
    }
    for (serve_alias *a = models->aliases, *next; a; a = next) {
        next = a->next;
        px_free(a->name);
        px_free(a);
    }
    pthread_mutex_destroy(&models->lock);
    pthread_cond_destroy(&models->opened);
    px_free(models);
}

/* "qwen-0.5b-q8_0" of "/models/qwen-0.5b-q8_0.gguf" or "/models/qwen-0.5b-q8_0/". */
static char *name_of(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end - start > 5 && strncmp(path + end - 5, ".gguf", 5) == 0)
        end -= 5;
    return px_strndup(path + start, end - start);
}

/* With the lock held. A tag of ":latest" may be there or not. */
static bool same_name(const char *have, const char *want)
{
    static const char TAG[] = ":latest";
    size_t n = strlen(have), m = strlen(want), t = sizeof TAG - 1;
    if (n > t && strcmp(have + n - t, TAG) == 0)
        n -= t;
    if (m > t && strcmp(want + m - t, TAG) == 0)
        m -= t;
    return n == m && memcmp(have, want, n) == 0;
}

static serve_model *find(serve_models *models, const char *name)
{
    for (serve_model *m = models->first; m; m = m->next)
        if (!m->stale && (same_name(m->name, name) || strcmp(m->record.path, name) == 0))
            return m;
    for (serve_alias *a = models->aliases; a; a = a->next)
        if (same_name(a->name, name))
            return a->model;
    return NULL;
}

static bool taken(const serve_model *other, const char *name, pith_error *err)
{
    px_fail(err, PITH_E_ARGUMENT,
            "the name '%s' stands for '%s' already; give each model a name of its own: NAME=FILE",
            name, other->record.path);
    return false;
}

/* An entry of a record, which it takes in any case. */
static serve_model *new_entry(serve_models *models, const char *name, store_model *record)
{
    struct stat st;
    serve_model *m = px_calloc(1, sizeof *m);
    if (!m) {
        store_model_clear(record);
        return NULL;
    }
    m->all = models;
    m->record = *record;
    *record = (store_model){0};
    m->name = name                             ? px_strndup(name, strlen(name))
              : m->record.origin == STORE_PATH ? name_of(m->record.path)
                                               : px_strndup(m->record.name, strlen(m->record.name));
    m->keep_alive = models->options.keep_alive;
    m->created = m->record.modified;
    if (m->created == 0 && stat(m->record.path, &st) == 0)
        m->created = (int64_t)st.st_mtime;
    bool ok = m->name != NULL;
    for (size_t i = 0; ok && i < json_array_size(m->record.adapters); i++) {
        const char *path = json_string_value(json_array_get(m->record.adapters, i));
        ok = !path || add_adapter(m, NULL, path);
    }
    if (ok)
        return m;
    free_adapters(m);
    px_free(m->name);
    store_model_clear(&m->record);
    px_free(m);
    return NULL;
}

static void drop_entry(serve_model *m)
{
    free_adapters(m);
    store_model_clear(&m->record);
    px_free(m->name);
    px_free(m);
}

static void append(serve_models *models, serve_model *m)
{
    *models->last = m;
    models->last = &m->next;
}

bool serve_models_add(serve_models *models, const char *name, const char *word, pith_error *err)
{
    store_model record = {0};
    if (!models->options.store) {
        px_fail(err, PITH_E_NOT_FOUND,
                "there is no store to look up '%s' in: HOME and PITH_HOME are not set", word);
        return false;
    }
    if (store_resolve(models->options.store, word, false, &record, err) != PITH_OK)
        return false;
    serve_model *m = new_entry(models, name, &record);
    if (!m) {
        px_fail_memory(err, "the list of models");
        return false;
    }
    pthread_mutex_lock(&models->lock);
    const serve_model *other = find(models, m->name);
    if (!other)
        append(models, m);
    pthread_mutex_unlock(&models->lock);
    if (!other)
        return true;
    taken(other, m->name, err);
    drop_entry(m);
    return false;
}

bool serve_models_add_adapter(serve_models *models, const char *name, const char *path,
                              const char *model, pith_error *err)
{
    if (!serve_models_alias(models, name, model ? model : "", err))
        return false;
    pthread_mutex_lock(&models->lock);
    serve_model *m = find(models, name);
    bool ok = m && !m->model && add_adapter(m, name, path);
    pthread_mutex_unlock(&models->lock);
    if (!ok)
        px_fail(err, PITH_E_LIMIT, "no room for the adapter '%s': a model takes %d", name,
                SERVE_MAX_ADAPTERS);
    return ok;
}

int serve_models_adapters(const serve_model *m, const char *name,
                          pith_adapter_use uses[SERVE_MAX_ADAPTERS])
{
    int n = 0;
    for (int i = 0; i < m->n_adapters; i++)
        if (!m->adapters[i].name || same_name(m->adapters[i].name, name))
            uses[n++] = (pith_adapter_use){.adapter = m->adapters[i].adapter, .scale = 1};
    return n;
}

const store_root *serve_models_store(const serve_models *models)
{
    return models->options.store;
}

bool serve_models_alias(serve_models *models, const char *alias, const char *name, pith_error *err)
{
    serve_alias *a = px_calloc(1, sizeof *a);
    char *copy = px_strndup(alias, strlen(alias));
    bool ok = a && copy;
    if (!ok)
        px_fail_memory(err, "the list of models");
    pthread_mutex_lock(&models->lock);
    serve_model *m = !ok ? NULL : *name ? find(models, name) : models->first;
    const serve_model *other = ok ? find(models, alias) : NULL;
    if (ok && !m) {
        px_fail(err, PITH_E_NOT_FOUND, "the alias '%s' stands for '%s', which is no model here",
                alias, name);
        ok = false;
    }
    if (ok && other)
        ok = taken(other, alias, err);
    if (ok) {
        a->name = copy;
        a->model = m;
        *models->last_alias = a;
        models->last_alias = &a->next;
    }
    pthread_mutex_unlock(&models->lock);
    if (!ok) {
        px_free(a);
        px_free(copy);
    }
    return ok;
}

/* A sentence that helps: which names there are. With the lock held. */
static void unknown(serve_models *models, const char *name, serve_problem *problem)
{
    px_buf names = {.limit = 600};
    for (serve_model *m = models->first; m; m = m->next)
        if (!m->stale)
            px_buf_printf(&names, "%s'%s'", names.len > 0 ? ", " : "", m->name);
    for (serve_alias *a = models->aliases; a; a = a->next)
        px_buf_printf(&names, "%s'%s'", names.len > 0 ? ", " : "", a->name);
    if (*name)
        serve_refuse(problem, 404, "model", "model '%.200s' not found; this server has %s", name,
                     names.data ? names.data : "none");
    else
        serve_refuse(problem, 400, "model", "'model' is missing; this server has %s",
                     names.data ? names.data : "none");
    problem->code = "model_not_found";
    px_buf_clear(&names);
}

/* Opens the entry's file with the lock let go. */
static bool open_model(serve_model *m, serve_problem *problem)
{
    serve_models *all = m->all;
    pith_model_options options = PITH_INIT(pith_model_options);
    pith_model *model = NULL;
    pith_error err = {0};
    options.template_file = all->options.template_file; // else the record's, if it has one
    m->opening = true;
    pthread_mutex_unlock(&all->lock);
    pith_status status = store_model_open(&m->record, &options, &model, &err);
    for (int i = 0; status == PITH_OK && i < m->n_adapters; i++)
        status = pith_adapter_open(model, m->adapters[i].path, &m->adapters[i].adapter, &err);
    if (status != PITH_OK) {
        close_adapters(m);
        pith_model_close(model);
    }
    pthread_mutex_lock(&all->lock);
    m->opening = false;
    pthread_cond_broadcast(&all->opened);
    if (status != PITH_OK)
        return serve_refuse_error(problem, status == PITH_E_NOT_FOUND ? 404 : 500, &err);
    m->model = model;
    m->info = PITH_INIT(pith_model_info);
    pith_model_get_info(model, &m->info, NULL);
    return true;
}

/* Brings an entry of the store up to date, or makes one: reads the record with the lock not yet
 * taken. What the store does not know is left to the entries. */
static void refresh(serve_models *models, const char *name)
{
    store_model record = {0};
    if (!*name || !models->options.store)
        return;
    pthread_mutex_lock(&models->lock);
    serve_model *m = find(models, name);
    bool given = m && !m->from_store;
    pthread_mutex_unlock(&models->lock);
    if (given)
        return;
    bool known = store_resolve(models->options.store, name, true, &record, NULL) == PITH_OK;
    pthread_mutex_lock(&models->lock);
    m = find(models, name);
    if (m && m->from_store && (!known || strcmp(m->record.digest, record.digest) != 0)) {
        m->stale = true;
        m->keep_alive = 0;
        m = NULL;
    }
    if (!m && known && (m = new_entry(models, NULL, &record))) {
        m->from_store = true;
        append(models, m);
    }
    pthread_mutex_unlock(&models->lock);
    store_model_clear(&record);
}

serve_model *serve_models_take(serve_models *models, const char *name, serve_problem *problem)
{
    refresh(models, name);
    pthread_mutex_lock(&models->lock);
    serve_model *m = *name ? find(models, name) : models->first;
    if (!m || m->stale)
        m = NULL;
    if (!m)
        unknown(models, name, problem);
    while (m && m->opening)
        pthread_cond_wait(&models->opened, &models->lock);
    if (m && !m->model && !open_model(m, problem))
        m = NULL;
    if (m) {
        m->users++;
        m->last_used = serve_now();
    }
    pthread_mutex_unlock(&models->lock);
    return m;
}

void serve_models_leave(serve_model *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->all->lock);
    m->users--;
    m->last_used = serve_now();
    pthread_mutex_unlock(&m->all->lock);
}

void serve_models_set_keep_alive(serve_model *m, double seconds)
{
    pthread_mutex_lock(&m->all->lock);
    m->keep_alive = seconds;
    pthread_mutex_unlock(&m->all->lock);
}

static void tell_row(const serve_model *m, const char *name, serve_model_row_fn fn, void *user)
{
    double left = m->keep_alive < 0 ? -1 : m->last_used + m->keep_alive - serve_now();
    serve_model_row row = {
        .name = name,
        .record = &m->record,
        .alias = name != m->name,
        .model = m->model,
        .created = m->created,
        .file_bytes = m->model ? m->info.file_bytes : m->record.bytes,
        .loaded = m->engine != NULL,
        .expires_in = m->keep_alive < 0                       ? -1
                      : m->model && m->users == 0 && left > 0 ? left
                                                              : 0,
        .n_ctx = m->engine ? m->counters.n_ctx : 0,
        .kv_bytes = m->engine ? m->counters.kv_bytes : 0,
        .kv_limit = m->engine ? m->counters.kv_limit : 0,
        .computed = m->engine ? m->counters.n_computed : 0,
        .cache_hits = m->engine ? m->counters.n_cache_hits : 0,
    };
    if (m->engine)
        row.memory_bytes = m->info.weight_bytes + m->counters.kv_bytes + m->counters.work_bytes;
    fn(user, &row);
}

void serve_models_each(serve_models *models, bool stored, serve_model_row_fn fn, void *user)
{
    store_model *list = NULL;
    size_t n = 0;
    if (stored && models->options.store)
        (void)store_list(models->options.store, &list, &n, NULL, NULL);
    pthread_mutex_lock(&models->lock);
    for (serve_model *m = models->first; m; m = m->next)
        if (!m->stale && (!m->from_store || !stored))
            tell_row(m, m->name, fn, user);
    for (serve_alias *a = models->aliases; a; a = a->next)
        tell_row(a->model, a->name, fn, user);
    for (size_t i = 0; i < n; i++) {
        serve_model *m = find(models, list[i].name);
        serve_model_row row = {.name = list[i].name,
                               .record = &list[i],
                               .created = list[i].modified,
                               .file_bytes = list[i].bytes};
        if (m && m->from_store && strcmp(m->record.digest, list[i].digest) == 0)
            tell_row(m, m->name, fn, user);
        else if (!m || m->from_store)
            fn(user, &row);
    }
    pthread_mutex_unlock(&models->lock);
    store_list_free(list, n);
}

void serve_models_visit(serve_models *models, void (*fn)(void *user, serve_model *model),
                        void *user)
{
    pthread_mutex_lock(&models->lock);
    for (serve_model *m = models->first; m; m = m->next)
        fn(user, m);
    pthread_mutex_unlock(&models->lock);
}

void serve_models_close_idle(serve_models *models, double now)
{
    pthread_mutex_lock(&models->lock);
    for (serve_model *m = models->first; m; m = m->next) {
        bool over = m->keep_alive >= 0 && now >= m->last_used + m->keep_alive;
        if (!m->model || m->engine || m->users > 0 || m->opening || !over)
            continue;
        close_adapters(m);
        pith_model_close(m->model);
        m->model = NULL;
        px_free(m->ends);
        m->ends = NULL;
        m->n_ends = 0;
    }
    pthread_mutex_unlock(&models->lock);
}

void serve_models_lock(serve_models *models)
{
    pthread_mutex_lock(&models->lock);
}

void serve_models_unlock(serve_models *models)
{
    pthread_mutex_unlock(&models->lock);
}
