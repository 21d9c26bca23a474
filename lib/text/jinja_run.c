/* jinja_run: the state of one rendering: failures with their line, the count of work, memory,
 * output and captures, and fitting arguments to parameters. See jinja_value.h. */
#include "text/jinja_value.h"

#include "base/mem.h"

#include <stdio.h>

static bool record(jrun *run, pith_status status, const char *fmt, va_list args)
{
    char text[800];
    vsnprintf(text, sizeof text, fmt, args);
    px_fail(run->err, status, "%s: line %u: %s", run->name, run->line, text);
    return false;
}

bool px_jinja_fail(jrun *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(run, PITH_E_TEMPLATE, fmt, args);
    va_end(args);
    return false;
}

bool px_jinja_over(jrun *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(run, PITH_E_LIMIT, fmt, args);
    va_end(args);
    return false;
}

bool px_jinja_charge(jrun *run, uint64_t steps)
{
    run->steps += steps;
    if (run->steps <= PX_MAX_TEMPLATE_STEPS)
        return true;
    return px_jinja_over(run, "the template works too long: more than %d steps",
                         PX_MAX_TEMPLATE_STEPS);
}

bool px_jinja_enter(jrun *run)
{
    if (run->depth >= JINJA_MAX_NESTING)
        return px_jinja_over(run, "calls and expressions are nested more than %d deep",
                             JINJA_MAX_NESTING);
    run->depth++;
    return px_jinja_charge(run, 1);
}

/* Out of memory, or out of what a template may have. */
static void *refuse(jrun *run, size_t bytes)
{
    size_t after;
    if (!px_add_size(run->arena.held, bytes, &after) || after + (64 << 10) > PX_MAX_TEMPLATE_MEMORY)
        px_jinja_over(run, "the template needs more than its %u bytes of memory",
                      PX_MAX_TEMPLATE_MEMORY);
    else
        px_fail_memory(run->err, "the values of a template");
    return NULL;
}

void *px_jinja_alloc(jrun *run, size_t n, size_t size)
{
    size_t bytes;
    if (!px_mul_size(n, size, &bytes))
        return refuse(run, SIZE_MAX);
    if (!px_jinja_charge(run, 1 + bytes / 64))
        return NULL;
    void *p = px_arena_zalloc(&run->arena, n, size);
    return p ? p : refuse(run, bytes);
}

char *px_jinja_bytes(jrun *run, size_t n)
{
    if (!px_jinja_charge(run, 1 + n / 64))
        return NULL;
    char *p = px_arena_alloc(&run->arena, n ? n : 1, 1);
    return p ? p : refuse(run, n);
}

char *px_jinja_room(jrun *run, size_t n)
{
    if (!px_jinja_charge(run, 1 + n / 64))
        return NULL;
    char *to = px_buf_room(&run->out, n);
    if (!to && n > PX_MAX_TEMPLATE_OUTPUT - run->out.len)
        px_jinja_over(run, "the output is longer than %u bytes", PX_MAX_TEMPLATE_OUTPUT);
    else if (!to)
        px_fail_memory(run->err, "the output of a template");
    return to;
}

bool px_jinja_put(jrun *run, const char *text, size_t len)
{
    char *to = px_jinja_room(run, len);
    if (!to)
        return false;
    if (len)
        memcpy(to, text, len);
    run->out.len += len;
    return true;
}

bool px_jv_capture(jrun *run, size_t mark, size_t span_mark, jv *out)
{
    size_t len = run->out.len - mark;
    if (!px_jv_str(run, run->out.data ? run->out.data + mark : "", len, out))
        return false;
    run->out.len = mark;
    if (run->n_spans <= span_mark)
        return true;
    size_t n = run->n_spans - span_mark;
    px_span *spans = px_jinja_alloc(run, n, sizeof *spans);
    if (!spans)
        return false;
    for (size_t i = 0; i < n; i++) {
        spans[i] = run->spans[span_mark + i];
        spans[i].start -= mark;
        spans[i].end -= mark;
    }
    run->n_spans = span_mark;
    out->s->spans = spans;
    out->s->n_spans = (uint32_t)n;
    return true;
}

/* The parameter of this name, or -1. */
static int find_param(const jbuiltin *fn, const jstr *name)
{
    for (int i = 0; i < JBUILTIN_PARAMS; i++)
        if (fn->params[i] && strlen(fn->params[i]) == name->len &&
            memcmp(fn->params[i], name->data, name->len) == 0)
            return i;
    return -1;
}

/* Puts the named arguments in their places; those that have none go to `more` of a variadic. */
static bool bind_named(jrun *run, const char *what, const jbuiltin *fn, const jargs *args, jv *a,
                       jargs *more)
{
    for (int i = 0; i < args->n_named; i++) {
        px_str name = {args->names[i]->data, args->names[i]->len};
        int at = find_param(fn, args->names[i]);
        if (at < 0 && fn->variadic) {
            more->names[more->n_named] = args->names[i];
            more->named[more->n_named++] = args->named[i];
            continue;
        }
        if (at < 0)
            return px_jinja_fail(run, "the %s %s has no parameter '%.*s'", what, fn->name,
                                 PX_STR_ARG(name));
        if (a[at].type != JV_MISSING)
            return px_jinja_fail(run, "the %s %s got its parameter '%.*s' twice", what, fn->name,
                                 PX_STR_ARG(name));
        a[at] = args->named[i];
    }
    return true;
}

bool px_jinja_bind(jrun *run, const char *what, const jbuiltin *fn, const jargs *args, jv *a,
                   jargs *more)
{
    for (int i = 0; i < JBUILTIN_PARAMS; i++)
        a[i] = (jv){.type = JV_MISSING};
    *more = (jargs){0};
    if (!px_jinja_charge(run, (uint64_t)args->n_pos + (uint64_t)args->n_named))
        return false;
    int n = args->n_pos;
    if (n > fn->most) {
        if (!fn->variadic)
            return px_jinja_fail(run, "the %s %s takes at most %d arguments, %d were given", what,
                                 fn->name, fn->most, n);
        more->pos = args->pos + fn->most;
        more->n_pos = n - fn->most;
        n = fn->most;
    }
    for (int i = 0; i < n; i++)
        a[i] = args->pos[i];
    if (args->n_named) {
        if (fn->variadic) {
            more->names = px_jinja_alloc(run, (size_t)args->n_named, sizeof(jstr *));
            more->named = px_jinja_alloc(run, (size_t)args->n_named, sizeof(jv));
            if (!more->names || !more->named)
                return false;
        }
        if (!bind_named(run, what, fn, args, a, more))
            return false;
    }
    for (int i = 0; i < fn->least; i++)
        if (a[i].type == JV_MISSING)
            return px_jinja_fail(run, "the %s %s needs at least %d arguments", what, fn->name,
                                 fn->least);
    return true;
}

bool px_jinja_call_builtin(jrun *run, const char *what, const jbuiltin *fn, jv self,
                           const jargs *args, jv *out)
{
    jv a[JBUILTIN_PARAMS];
    jargs more;
    return px_jinja_bind(run, what, fn, args, a, &more) && fn->call(run, self, a, &more, out);
}
