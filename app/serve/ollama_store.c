/* ollama_store: /api/pull, create, copy, delete, push and blobs, on app/store. See ollama.h. */
#include "serve/ollama.h"
#include "serve/server.h"
#include "serve/turns.h"
#include "store/store.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ bodies */

bool serve_ollama_name(const serve_call *call, const char *member, px_buf *name,
                       serve_problem *problem)
{
    px_json v = serve_member(call->json, member);
    if (!v.at && strcmp(member, "model") == 0)
        v = serve_member(call->json, "name");
    if (px_json_type_of(v) != PX_JSON_STRING)
        return serve_refuse_type(problem, member, v, "a model's name");
    return serve_text_of(v, name, member, problem) &&
           (name->len > 0 || serve_refuse(problem, 400, member, "'%s' is required", member));
}

/* What the store says, with the HTTP status that Ollama's clients expect. */
static bool refuse_store(serve_problem *problem, const pith_error *err)
{
    int http = 0;
    if (err->status == PITH_E_ARGUMENT || err->status == PITH_E_FORMAT ||
        err->status == PITH_E_MISMATCH)
        http = 400;
    return serve_refuse_error(problem, http, err);
}

static const store_root *store_of(const serve_call *call, serve_problem *problem)
{
    const store_root *store = serve_models_store(call->server->models);
    if (!store)
        serve_refuse(problem, 503, NULL, "this server has no store of models");
    return store;
}

/* ------------------------------------------------------------------ progress */

typedef struct progress {
    serve_out *out;
    bool stream;
    bool gone; // the client
    char last[160];
} progress;

static void put_status(progress *p, const char *status, const char *more)
{
    px_buf line = {0};
    px_buf_puts(&line, "{\"status\":");
    serve_put_text(&line, status);
    px_buf_puts(&line, more);
    px_buf_puts(&line, "}\n");
    if (line.failed || !serve_out_put(p->out, line.data, line.len))
        p->gone = true;
    px_buf_clear(&line);
}

static int on_progress(void *user, const store_progress *s)
{
    progress *p = user;
    char status[160] = "", more[256] = "";
    bool counts = false;
    const char *hex = strncmp(s->digest, "sha256:", 7) == 0 ? s->digest + 7 : s->file;
    switch (s->step) {
    case STORE_STEP_MANIFEST:
        snprintf(status, sizeof status, "pulling manifest");
        break;
    case STORE_STEP_FETCH:
        snprintf(status, sizeof status, "pulling %.12s", hex);
        counts = true;
        break;
    case STORE_STEP_WAIT:
        snprintf(status, sizeof status, "waiting for another pull of %.12s", hex);
        break;
    case STORE_STEP_VERIFY:
        snprintf(status, sizeof status, "verifying sha256 digest");
        break;
    case STORE_STEP_CONVERT:
        snprintf(status, sizeof status, "converting model");
        counts = true;
        break;
    case STORE_STEP_WRITE:
        snprintf(status, sizeof status, "writing manifest");
        break;
    case STORE_STEP_NOTE:
        snprintf(status, sizeof status, "%s", s->text);
        break;
    case STORE_STEP_DONE:
        return p->gone; /* "success" comes when all is done */
    }
    if (!p->stream)
        return serve_out_has_left(p->out);
    if (!counts && strcmp(status, p->last) == 0)
        return serve_out_has_left(p->out);
    snprintf(p->last, sizeof p->last, "%s", status);
    if (counts)
        snprintf(more, sizeof more, ",\"digest\":\"%s%.80s\",\"total\":%llu,\"completed\":%llu",
                 strncmp(s->digest, "sha256:", 7) == 0 ? "sha256:" : "", hex,
                 (unsigned long long)s->total, (unsigned long long)s->done);
    put_status(p, status, more);
    return p->gone;
}

/* The end of pull and create. */
static bool end_work(progress *p, pith_status status, const pith_error *err, serve_problem *problem)
{
    if (status != PITH_OK)
        return refuse_store(problem, err);
    put_status(p, "success", "");
    return true;
}

/* ------------------------------------------------------------------ pull and create */

bool serve_ollama_pull(serve_call *call, serve_out *out, serve_problem *problem)
{
    progress p = {.out = out, .stream = true};
    px_buf name = {0};
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    store_job job = {.progress = on_progress, .user = &p};
    bool ok = store && serve_ollama_name(call, "model", &name, problem) &&
              serve_get_bool(call->json, "stream", &p.stream, problem) &&
              serve_get_bool(call->json, "insecure", &job.insecure, problem);
    if (ok)
        ok = end_work(&p, store_pull(store, name.data, &job, NULL, &err), &err, problem);
    px_buf_clear(&name);
    return ok;
}

bool serve_ollama_create(serve_call *call, serve_out *out, serve_problem *problem)
{
    static const char *const OURS[] = {"model", "name", "stream", "path"};
    progress p = {.out = out, .stream = true};
    px_buf name = {0};
    json_t *recipe = NULL;
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    store_job job = {.progress = on_progress, .user = &p};
    bool ok = store && serve_ollama_name(call, "model", &name, problem) &&
              serve_get_bool(call->json, "stream", &p.stream, problem);
    if (ok) {
        recipe = json_loadb(call->body, call->body_len, 0, NULL);
        ok = recipe != NULL || serve_refuse_memory(problem);
    }
    for (size_t i = 0; ok && i < sizeof OURS / sizeof *OURS; i++)
        json_object_del(recipe, OURS[i]);
    if (ok) {
        pith_status status = store_create(store, name.data, recipe, &job, &err);
        ok = end_work(&p, status, &err, problem);
    }
    json_decref(recipe);
    px_buf_clear(&name);
    return ok;
}

/* ------------------------------------------------------------------ copy, delete, push */

bool serve_ollama_copy(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    px_buf from = {0}, to = {0};
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    bool ok = store && serve_ollama_name(call, "source", &from, problem) &&
              serve_ollama_name(call, "destination", &to, problem);
    if (ok && store_copy(store, from.data, to.data, &err) != PITH_OK)
        ok = refuse_store(problem, &err);
    answer->type = NULL;
    px_buf_clear(&from);
    px_buf_clear(&to);
    return ok;
}

bool serve_ollama_delete(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    px_buf name = {0};
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    bool ok = store && serve_ollama_name(call, "model", &name, problem);
    if (ok && store_remove(store, name.data, NULL, &err) != PITH_OK)
        ok = refuse_store(problem, &err);
    answer->type = NULL;
    px_buf_clear(&name);
    return ok;
}

bool serve_ollama_push(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    (void)call;
    (void)answer;
    return serve_refuse(
        problem, 501, NULL,
        "pith does not push models to registries; the model's file can be found with "
        "'pith show' and uploaded with the registry's own tools");
}

/* ------------------------------------------------------------------ blobs */

bool serve_ollama_blob_head(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    char digest[128];
    if (!store)
        return false;
    snprintf(digest, sizeof digest, "%.*s", PX_STR_ARG(call->rest));
    if (store_blob_find(store, digest, NULL, &err) != PITH_OK)
        return refuse_store(problem, &err);
    answer->type = NULL;
    return true;
}

bool serve_ollama_blob_take(serve_call *call, const void *bytes, size_t n, serve_problem *problem)
{
    pith_error err = {0};
    const store_root *store = store_of(call, problem);
    char digest[128];
    if (!store)
        return false;
    snprintf(digest, sizeof digest, "%.*s", PX_STR_ARG(call->rest));
    if (n == 0 && !call->user) {
        store_blob_writer *w = NULL;
        if (store_blob_begin(store, digest, &w, &err) != PITH_OK)
            return refuse_store(problem, &err);
        call->user = w;
        return true;
    }
    if (store_blob_write(call->user, bytes, n, &err) != PITH_OK)
        return refuse_store(problem, &err);
    return true;
}

bool serve_ollama_blob_done(serve_call *call, serve_answer *answer, serve_problem *problem)
{
    pith_error err = {0};
    store_blob_writer *w = call->user;
    call->user = NULL;
    if (!w)
        return serve_refuse(problem, 400, NULL, "the blob is empty");
    if (store_blob_commit(w, &err) != PITH_OK)
        return refuse_store(problem, &err);
    answer->http = 201;
    answer->type = NULL;
    return true;
}

void serve_ollama_blob_free(void *user)
{
    store_blob_abort(user);
}
