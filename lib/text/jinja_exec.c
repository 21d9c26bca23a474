/*
 * jinja_exec: statements, loops and macros; see jinja_eval.h.
 *
 * What is printed goes to the end of run->out. A capture (macro, set block, filter block, recursive
 * loop) remembers where it began and takes what stands behind it back out as a string, spans
 * included; so captures nest and the whole holds one buffer.
 */
#include "text/jinja_eval.h"

#include "text/jinja_iter.h"
#include "text/jinja_loop.h"
#include "text/jinja_macro.h"
#include "text/jinja_print.h"

/* ---- scopes and assignments */

bool px_jscope_enter(jrun *run, jframe *frame, const jscope *scope)
{
    if (!px_jinja_charge(run, scope->n_loads))
        return false;
    for (uint32_t i = 0; i < scope->n_loads; i++) {
        const jload *load = &scope->loads[i];
        jv *slot = &frame->slots[load->slot];
        switch (load->kind) {
        case JLOAD_PARAM:
            break;
        case JLOAD_UNDEFINED:
            *slot = (jv){.type = JV_MISSING};
            break;
        case JLOAD_ALIAS:
            *slot = *px_jframe_slot(frame, load->hops, load->from);
            break;
        case JLOAD_RESOLVE: {
            int found = px_jdict_get(run, run->vars, px_jv_of_str(&load->name->str), slot);
            if (found < 0)
                return false;
            if (found == 0)
                *slot = load->global ? (jv){.type = JV_FUNCTION, .fn = load->global}
                                     : (jv){.type = JV_MISSING};
            break;
        }
        }
    }
    return true;
}

void px_jscope_leave(jframe *frame, const jscope *scope)
{
    for (uint32_t i = 0; i < scope->n_slots; i++)
        frame->slots[scope->first_slot + i] = (jv){.type = JV_MISSING};
}

static bool assign_tuple(jrun *run, jframe *frame, const jnode *target, jv value)
{
    jiter *it = px_jiter_of(run, value);
    jv item;
    for (int32_t i = 0; it && i < target->list.n; i++) {
        int got = px_jiter_next(run, it, &item);
        if (got < 0)
            return false;
        if (got == 0)
            return px_jinja_fail(run, "%d values are wanted, a %s gave only %d", target->list.n,
                                 px_jv_type_name(value), i);
        if (!px_jinja_assign(run, frame, target->list.items[i], item))
            return false;
    }
    int got = it ? px_jiter_next(run, it, &item) : -1;
    if (got > 0)
        return px_jinja_fail(run, "%d values are wanted, a %s gave more", target->list.n,
                             px_jv_type_name(value));
    return got == 0;
}

bool px_jinja_assign(jrun *run, jframe *frame, const jnode *target, jv value)
{
    if (target->kind == JN_TUPLE)
        return assign_tuple(run, frame, target, value);
    jv *slot = px_jframe_slot(frame, target->name.hops, target->name.slot);
    if (target->kind == JN_NAME) {
        *slot = value;
        return true;
    }
    if (slot->type != JV_NAMESPACE)
        return px_jinja_fail(run, "only a namespace has attributes that can be assigned to");
    return px_jdict_set(run, slot->d, px_jv_of_str(&target->name.attr->str), value);
}

/* Namespaces in the target are checked before the value is worked out, as in the reference. */
static bool check_namespaces(jrun *run, jframe *frame, const jnode *target)
{
    if (target->kind == JN_NSREF &&
        px_jframe_slot(frame, target->name.hops, target->name.slot)->type != JV_NAMESPACE)
        return px_jinja_fail(run, "only a namespace has attributes that can be assigned to");
    for (int32_t i = 0; target->kind == JN_TUPLE && i < target->list.n; i++)
        if (!check_namespaces(run, frame, target->list.items[i]))
            return false;
    return true;
}

/* ---- loops */

/* "for x in y if z": the items of y for which z holds, in a frame of its own. */
typedef struct test_iter {
    jiter base;
    jiter *in;
    jv src; // until the first item is asked for
    const jfor *loop;
    jframe *frame;
} test_iter;

static int next_tested(jrun *run, jiter *base, jv *out)
{
    test_iter *it = (test_iter *)base;
    if (!it->in) {
        it->in = px_jiter_of(run, it->src);
        if (!it->in || !px_jscope_enter(run, it->frame, &it->loop->test_scope))
            return -1;
    }
    for (;;) {
        jv item, test;
        bool truth;
        uint32_t line = run->line;
        int got = px_jiter_next(run, it->in, &item);
        if (got <= 0)
            return got;
        if (!px_jinja_assign(run, it->frame, it->loop->test_target, item) ||
            !px_jinja_eval(run, it->frame, it->loop->test, &test) ||
            !px_jv_truth(run, test, &truth))
            return -1;
        run->line = line;
        if (truth) {
            *out = item;
            return 1;
        }
    }
}

static bool filtered(jrun *run, jframe *frame, const jfor *loop, jv src, jv *out)
{
    test_iter *it = px_jinja_alloc(run, 1, sizeof *it);
    jframe *own = it ? px_jframe_new(run, &loop->test_func, frame) : NULL;
    if (!own)
        return false;
    *it = (test_iter){.base = {.next = next_tested, .type_name = "generator"},
                      .src = src,
                      .loop = loop,
                      .frame = own};
    *out = (jv){.type = JV_ITER, .it = &it->base};
    return true;
}

/* Begins the span of a message when this item is one and no other runs; -1 when it does not. */
static bool begin_message(jrun *run, jv item, int64_t *span)
{
    *span = -1;
    if (item.type != JV_DICT || item.d->message < 0 || run->message >= 0)
        return true;
    run->message = item.d->message;
    *span = (int64_t)run->n_spans;
    return px_jinja_add_span(
        run, (px_span){.kind = PX_SPAN_MESSAGE, .index = item.d->message, .start = run->out.len});
}

static void end_message(jrun *run, int64_t span)
{
    if (span < 0)
        return;
    run->spans[span].end = run->out.len;
    run->message = -1;
}

static jflow run_items(jrun *run, jframe *frame, const jfor *node, jloop *loop, bool *any)
{
    jv item;
    int got;
    *any = false;
    while ((got = px_jloop_next(run, loop, &item)) > 0) {
        int64_t span;
        if (!px_jscope_enter(run, frame, &node->scope) ||
            !px_jinja_assign(run, frame, node->target, item) || !begin_message(run, item, &span))
            return JFLOW_FAILED;
        frame->slots[node->loop_slot] = (jv){.type = JV_LOOP, .loop = loop};
        jflow flow = px_jinja_exec(run, frame, &node->body);
        if (flow == JFLOW_FAILED)
            return flow;
        end_message(run, span);
        *any = *any || flow == JFLOW_ON; // an iteration left by a jump does not count, as in the
                                         // reference
        if (flow == JFLOW_BREAK)
            break;
    }
    return got < 0 ? JFLOW_FAILED : JFLOW_ON;
}

/* The loop over the items of `iterable`. depth0: of a recursive one. */
static jflow run_loop(jrun *run, jframe *frame, const jfor *node, jv iterable, int64_t depth0)
{
    bool any;
    jv src = iterable;
    /* The filter sees the variables around the loop, also where the loop has a frame of its own. */
    if (node->test && !filtered(run, node->recursive ? frame->up : frame, node, iterable, &src))
        return JFLOW_FAILED;
    jloop *loop = px_jinja_alloc(run, 1, sizeof *loop);
    if (!loop)
        return JFLOW_FAILED;
    *loop = (jloop){.iterable = src, .index0 = -1, .length = -1, .depth0 = depth0};
    loop->it = px_jiter_of(run, src);
    if (!loop->it)
        return JFLOW_FAILED;
    if (node->recursive) {
        loop->node = node;
        loop->frame = frame->up;
    }
    jflow flow = run_items(run, frame, node, loop, &any);
    px_jscope_leave(frame, &node->scope);
    if (flow != JFLOW_ON || any || node->otherwise.n == 0)
        return flow;
    if (!px_jscope_enter(run, frame, &node->else_scope))
        return JFLOW_FAILED;
    flow = px_jinja_exec(run, frame, &node->otherwise);
    px_jscope_leave(frame, &node->else_scope);
    return flow;
}

/* One level of a recursive loop, printed. */
static bool run_recursive(jrun *run, jframe *around, const jfor *node, jv items, int64_t depth0)
{
    bool ok = px_jinja_enter(run);
    jframe *own = ok ? px_jframe_new(run, &node->func, around) : NULL;
    ok = own && run_loop(run, own, node, items, depth0) != JFLOW_FAILED;
    px_jinja_leave(run);
    return ok;
}

bool px_jloop_call(jrun *run, jloop *loop, const jargs *args, jv *out)
{
    if (!loop->node)
        return px_jinja_fail(run, "only a loop marked 'recursive' can be called");
    if (args->n_pos + args->n_named != 1)
        return px_jinja_fail(run, "a loop is called with one argument: what to loop over");
    size_t mark = run->out.len, spans = run->n_spans;
    jv items = args->n_pos ? args->pos[0] : args->named[0];
    return run_recursive(run, loop->frame, loop->node, items, loop->depth0 + 1) &&
           px_jv_capture(run, mark, spans, out);
}

static jflow exec_for(jrun *run, jframe *frame, const jfor *node)
{
    jv items;
    if (!px_jinja_eval(run, frame, node->iter, &items))
        return JFLOW_FAILED;
    if (node->recursive)
        return run_recursive(run, frame, node, items, 0) ? JFLOW_ON : JFLOW_FAILED;
    return run_loop(run, frame, node, items, 0);
}

static jflow exec_if(jrun *run, jframe *frame, const jif *cond)
{
    for (; cond; cond = cond->next) {
        jv test;
        bool truth;
        if (!px_jinja_eval(run, frame, cond->test, &test) || !px_jv_truth(run, test, &truth))
            return JFLOW_FAILED;
        if (truth)
            return px_jinja_exec(run, frame, &cond->body);
        if (!cond->next)
            return px_jinja_exec(run, frame, &cond->otherwise);
    }
    return JFLOW_ON;
}

/* ---- captures */

/* A body in a scope, taken as a string and run through filters. A jump out of the body drops what
 * it printed. */
static jflow capture_block(jrun *run, jframe *frame, const jset_block *block, jv *out)
{
    size_t mark = run->out.len, spans = run->n_spans;
    if (!px_jscope_enter(run, frame, &block->scope))
        return JFLOW_FAILED;
    jflow flow = px_jinja_exec(run, frame, &block->body);
    if (flow == JFLOW_BREAK || flow == JFLOW_CONTINUE) {
        run->out.len = mark;
        run->n_spans = spans;
        return flow;
    }
    if (flow == JFLOW_FAILED || !px_jv_capture(run, mark, spans, out))
        return JFLOW_FAILED;
    if (block->filter && !px_jinja_eval_filters(run, frame, block->filter, *out, out))
        return JFLOW_FAILED;
    return JFLOW_ON;
}

static jflow exec_set_block(jrun *run, jframe *frame, const jset_block *block)
{
    jv text;
    jflow flow = capture_block(run, frame, block, &text);
    if (flow != JFLOW_ON)
        return flow;
    bool ok = px_jinja_assign(run, frame, block->target, text);
    px_jscope_leave(frame, &block->scope);
    return ok ? JFLOW_ON : JFLOW_FAILED;
}

/* Blocks print strings only. */
static bool print_text(jrun *run, jv text)
{
    if (text.type == JV_STR)
        return px_jv_print(run, text);
    return px_jinja_fail(run, "the block made a %s, not a text", px_jv_type_name(text));
}

static jflow exec_filter_block(jrun *run, jframe *frame, const jset_block *block)
{
    jv text;
    jflow flow = capture_block(run, frame, block, &text);
    if (flow != JFLOW_ON)
        return flow;
    px_jscope_leave(frame, &block->scope);
    return print_text(run, text) ? JFLOW_ON : JFLOW_FAILED;
}

static jflow exec_with(jrun *run, jframe *frame, const jwith *with)
{
    jv *values = px_jinja_alloc(run, (size_t)with->n, sizeof *values);
    if (!values)
        return JFLOW_FAILED;
    for (int32_t i = 0; i < with->n; i++)
        if (!px_jinja_eval(run, frame, with->values[i], &values[i]))
            return JFLOW_FAILED;
    if (!px_jscope_enter(run, frame, &with->scope))
        return JFLOW_FAILED;
    for (int32_t i = 0; i < with->n; i++)
        if (!px_jinja_assign(run, frame, with->targets[i], values[i]))
            return JFLOW_FAILED;
    jflow flow = px_jinja_exec(run, frame, &with->body);
    px_jscope_leave(frame, &with->scope);
    return flow;
}

/* ---- macros */

const jstr *px_jmacro_name(const jmacro *m)
{
    return m->def->name ? &m->def->name->str : NULL;
}

int px_jmacro_member(jrun *run, const jmacro *m, const jstr *name, jv *out)
{
    const jmacro_def *def = m->def;
    px_str n = {name->data, name->len};
    if (px_str_is(n, "name")) {
        *out = def->name ? px_jv_of_str(&def->name->str) : px_jv_none();
        return 1;
    }
    if (px_str_is(n, "arguments")) {
        jlist *l = px_jlist_new(run, def->n_params);
        for (int32_t i = 0; l && i < def->n_params; i++)
            l->items[l->n++] = px_jv_of_str(&def->params[i]->str);
        *out = px_jv_of_list(JV_TUPLE, l);
        return l ? 1 : -1;
    }
    const struct {
        const char *name;
        bool value;
    } flags[] = {{"catch_kwargs", def->wants_kwargs},
                 {"catch_varargs", def->wants_varargs},
                 {"caller", def->wants_caller}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (px_str_is(n, flags[i].name)) {
            *out = px_jv_bool(flags[i].value);
            return 1;
        }
    return 0;
}

/* Puts the arguments beyond the parameters where the body wants them, or refuses them. */
static bool bind_rest(jrun *run, const jmacro_def *def, jframe *frame, const jargs *args,
                      const bool *used)
{
    jdict *kwargs = def->wants_kwargs ? px_jdict_new(run) : NULL;
    jv caller = {.type = JV_MISSING};
    if (def->wants_kwargs && !kwargs)
        return false;
    for (int i = 0; i < args->n_named; i++) {
        px_str name = {args->names[i]->data, args->names[i]->len};
        if (used[i])
            continue;
        if (def->wants_caller && def->explicit_caller < 0 && px_str_is(name, "caller")) {
            caller = args->named[i];
            continue;
        }
        if (!kwargs)
            return px_jinja_fail(run, "the macro takes no argument called '%.*s'",
                                 PX_STR_ARG(name));
        if (!px_jdict_set(run, kwargs, px_jv_of_str(args->names[i]), args->named[i]))
            return false;
    }
    if (def->wants_caller && def->explicit_caller < 0) {
        if (caller.type == JV_MISSING || caller.type == JV_NONE)
            if (!px_jv_undef_hint(run, &caller, "the macro was not called by a call block"))
                return false;
        frame->slots[def->caller_slot] = caller;
    }
    if (kwargs)
        frame->slots[def->kwargs_slot] = (jv){.type = JV_DICT, .d = kwargs};
    int extra = args->n_pos - def->n_params;
    if (def->wants_varargs)
        return px_jv_items(run, JV_TUPLE, args->pos + def->n_params, extra > 0 ? extra : 0,
                           &frame->slots[def->varargs_slot]);
    if (extra > 0)
        return px_jinja_fail(run, "the macro takes at most %d arguments, %d were given",
                             def->n_params, args->n_pos);
    return true;
}

static bool bind_params(jrun *run, const jmacro_def *def, jframe *frame, const jargs *args)
{
    bool *used = px_jinja_alloc(run, (size_t)args->n_named + 1, sizeof *used);
    if (!used)
        return false;
    for (int32_t i = 0; i < def->n_params; i++) {
        jv *slot = &frame->slots[def->param_slots[i]];
        if (i < args->n_pos) {
            *slot = args->pos[i];
            continue;
        }
        for (int k = 0; k < args->n_named; k++)
            if (args->names[k]->len == def->params[i]->str.len &&
                memcmp(args->names[k]->data, def->params[i]->str.data, args->names[k]->len) == 0) {
                *slot = args->named[k];
                used[k] = true;
            }
        if (!px_jinja_charge(run, (uint64_t)args->n_named))
            return false;
    }
    return bind_rest(run, def, frame, args, used);
}

static bool set_defaults(jrun *run, const jmacro_def *def, jframe *frame)
{
    for (int32_t i = 0; i < def->n_params; i++) {
        jv *slot = &frame->slots[def->param_slots[i]], value;
        if (slot->type != JV_MISSING)
            continue;
        if (def->defaults[i]) {
            if (!px_jinja_eval(run, frame, def->defaults[i], &value))
                return false;
        } else if (!px_jv_undef_hint(
                       run, &value, "the parameter '%.*s' was not given",
                       PX_STR_ARG(((px_str){def->params[i]->str.data, def->params[i]->str.len})))) {
            return false;
        }
        *slot = value;
    }
    return true;
}

/* Runs the body of a macro, printed. */
static bool run_macro(jrun *run, const jmacro_def *def, jframe *around, const jargs *args)
{
    jframe *frame = px_jframe_new(run, &def->func, around);
    return frame && px_jscope_enter(run, frame, &def->scope) &&
           bind_params(run, def, frame, args) && set_defaults(run, def, frame) &&
           px_jinja_exec(run, frame, &def->body) != JFLOW_FAILED;
}

bool px_jmacro_call(jrun *run, const jmacro *m, const jargs *args, jv *out)
{
    size_t mark = run->out.len, spans = run->n_spans;
    uint32_t line = run->line;
    bool ok = px_jinja_enter(run) && run_macro(run, m->def, m->around, args) &&
              px_jv_capture(run, mark, spans, out);
    px_jinja_leave(run);
    if (ok)
        run->line = line;
    return ok;
}

static bool make_macro(jrun *run, const jmacro_def *def, jframe *frame, jv *out)
{
    jmacro *m = px_jinja_alloc(run, 1, sizeof *m);
    if (!m)
        return false;
    *m = (jmacro){.def = def, .around = frame};
    *out = (jv){.type = JV_MACRO, .m = m};
    return true;
}

static bool exec_call_block(jrun *run, jframe *frame, const jcall_block *block)
{
    static const char word[] = "caller";
    jv caller, name, text;
    return make_macro(run, block->caller, frame, &caller) &&
           px_jv_lend(run, word, sizeof word - 1, &name) &&
           px_jinja_eval_call(run, frame, block->call, name.s, caller, &text) &&
           print_text(run, text);
}

static bool exec_generation(jrun *run, jframe *frame, const jmacro_def *def)
{
    size_t span = run->n_spans;
    jargs none = {0};
    bool ok = px_jinja_add_span(run, (px_span){.kind = PX_SPAN_GENERATION,
                                               .index = run->message,
                                               .start = run->out.len}) &&
              px_jinja_enter(run) && run_macro(run, def, frame, &none);
    px_jinja_leave(run);
    if (ok)
        run->spans[span].end = run->out.len;
    return ok;
}

/* ---- all */

static bool exec_set(jrun *run, jframe *frame, const jnode *node)
{
    jv value;
    if (!check_namespaces(run, frame, node->set.target) ||
        !px_jinja_eval(run, frame, node->set.value, &value))
        return false;
    run->line = node->line;
    return px_jinja_assign(run, frame, node->set.target, value);
}

static bool exec_print(jrun *run, jframe *frame, const jnode *node)
{
    jv value;
    return px_jinja_eval(run, frame, node->of, &value) && px_jv_print(run, value);
}

static jflow on(bool ok)
{
    return ok ? JFLOW_ON : JFLOW_FAILED;
}

static jflow exec_one(jrun *run, jframe *frame, const jnode *node)
{
    switch ((jkind)node->kind) {
    case JN_DATA:
        return on(px_jinja_put(run, node->value.s->data, node->value.s->len));
    case JN_PRINT:
        return on(exec_print(run, frame, node));
    case JN_IF:
        return exec_if(run, frame, node->cond_if);
    case JN_FOR:
        return exec_for(run, frame, node->loop);
    case JN_SET:
        return on(exec_set(run, frame, node));
    case JN_SET_BLOCK:
        return exec_set_block(run, frame, node->capture);
    case JN_FILTER_BLOCK:
        return exec_filter_block(run, frame, node->capture);
    case JN_MACRO:
        return on(make_macro(run, node->macro, frame,
                             px_jframe_slot(frame, node->macro->hops, node->macro->slot)));
    case JN_CALL_BLOCK:
        return on(exec_call_block(run, frame, node->call_block));
    case JN_WITH:
    case JN_SCOPE:
        return exec_with(run, frame, node->with);
    case JN_GENERATION:
        return on(exec_generation(run, frame, node->macro));
    case JN_BREAK:
        return JFLOW_BREAK;
    case JN_CONTINUE:
        return JFLOW_CONTINUE;
    default:
        return on(px_jinja_fail(run, "the tree of the template is broken"));
    }
}

jflow px_jinja_exec(jrun *run, jframe *frame, const jbody *body)
{
    jflow flow = JFLOW_ON;
    if (!px_jinja_enter(run))
        return JFLOW_FAILED;
    for (int32_t i = 0; flow == JFLOW_ON && i < body->n; i++) {
        run->line = body->items[i]->line;
        flow = exec_one(run, frame, body->items[i]);
    }
    px_jinja_leave(run);
    return flow;
}
