/*
 * template: see template.h. A template is its source, the tree of it and the arena of both; a
 * rendering has an arena of its own, so that templates are shared and renderings are not.
 */
#include "text/template.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja_eval.h"
#include "text/jinja_json.h"

#include <sys/random.h>
#include <time.h>

struct px_template {
    px_arena arena;
    char *name;
    px_str source; // as given
    jtree tree;
    uint64_t seed;
};

/* Names and tree of a source of 1 MiB take about 100 times that at worst. */
enum { TREE_BYTES = 160 << 20 };

/* Hashes start from here, so that nobody can choose keys that collide. */
static uint64_t make_seed(const void *where)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(uintptr_t)where * 0x9e3779b97f4a7c15u ^ (uint64_t)time(NULL);
    return seed;
}

/* The source with \n for every end of a line, without the last of them. */
static char *normalise(px_arena *arena, const char *source, size_t len, size_t *out_len)
{
    char *text = px_arena_alloc(arena, len + 1, 1);
    size_t n = 0;
    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (source[i] == '\r') {
            text[n++] = '\n';
            i += i + 1 < len && source[i + 1] == '\n';
        } else {
            text[n++] = source[i];
        }
    }
    if (n && text[n - 1] == '\n')
        n--;
    *out_len = n;
    return text;
}

static pith_status check_source(const char *name, const char *source, size_t len, pith_error *err)
{
    if (len > PX_MAX_TEMPLATE_BYTES)
        return px_fail(err, PITH_E_LIMIT, "%s: a template of %zu bytes is longer than %u", name,
                       len, PX_MAX_TEMPLATE_BYTES);
    size_t valid = px_utf8_valid_prefix(source, len);
    if (valid == len)
        return PITH_OK;
    unsigned line = 1;
    for (size_t i = 0; i < valid; i++)
        line += source[i] == '\n';
    return px_fail(err, PITH_E_TEMPLATE, "%s: line %u: the template is not valid UTF-8", name,
                   line);
}

pith_status px_template_parse(const char *name, const char *source, size_t len, px_template **out,
                              pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    *out = NULL;
    if (check_source(name, source, len, err) != PITH_OK)
        return err->status;
    px_template *t = px_calloc(1, sizeof *t);
    if (!t)
        return px_fail_memory(err, "a template");
    px_arena_init(&t->arena, 16 << 10, TREE_BYTES);
    t->seed = make_seed(t);
    t->name = px_arena_strndup(&t->arena, name, strlen(name));
    char *copy = px_arena_strndup(&t->arena, source, len);
    size_t n = 0;
    char *text = t->name && copy ? normalise(&t->arena, source, len, &n) : NULL;
    jbuild build = {.arena = &t->arena, .err = err, .name = t->name, .seed = t->seed};
    t->source = (px_str){copy, len};
    if (!text)
        px_fail_memory(err, "a template");
    else if (px_jinja_parse(&build, text, n, &t->tree) && px_jinja_bind_names(&build, &t->tree)) {
        *out = t;
        return PITH_OK;
    }
    px_template_free(t);
    return err->status;
}

void px_template_free(px_template *t)
{
    if (!t)
        return;
    px_arena_clear(&t->arena);
    px_free(t);
}

px_str px_template_source(const px_template *t)
{
    return t->source;
}

void px_rendered_clear(px_rendered *r)
{
    px_buf_clear(&r->text);
    px_free(r->spans);
    *r = (px_rendered){.n_spans = 0};
}

/* Drops spans of nothing. */
static size_t compact(px_span *spans, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (spans[i].end > spans[i].start)
            spans[kept++] = spans[i];
    return kept;
}

static int64_t local_now(void)
{
    time_t now = time(NULL);
    struct tm t;
    if (!localtime_r(&now, &t))
        return (int64_t)now;
    return (int64_t)now + t.tm_gmtoff;
}

static bool run_tree(jrun *run, const px_template *t)
{
    jframe *frame = px_jframe_new(run, &t->tree.func, NULL);
    return frame && px_jscope_enter(run, frame, &t->tree.scope) &&
           px_jinja_exec(run, frame, &t->tree.body) != JFLOW_FAILED;
}

pith_status px_template_render(const px_template *t, const char *json, size_t json_len, int64_t now,
                               px_rendered *out, pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    *out = (px_rendered){.n_spans = 0};
    jrun run = {.err = err,
                .name = t->name,
                .line = 1,
                .seed = t->seed,
                .now = now == INT64_MIN ? local_now() : now,
                .out = {.limit = PX_MAX_TEMPLATE_OUTPUT},
                .message = -1};
    px_arena_init(&run.arena, 0, PX_MAX_TEMPLATE_MEMORY);
    bool ok = px_jinja_json_read(&run, json, json_len) && run_tree(&run, t) &&
              px_jinja_put(&run, "", 0); // so that text is never NULL
    if (ok) {
        out->text = run.out;
        out->text.limit = 0;
        out->text.data[out->text.len] = '\0';
        out->spans = run.spans;
        out->n_spans = compact(run.spans, run.n_spans);
    } else {
        px_buf_clear(&run.out);
        px_free(run.spans);
    }
    px_arena_clear(&run.arena);
    return ok ? PITH_OK : err->status;
}
