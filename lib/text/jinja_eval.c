/* jinja_eval: expressions; see jinja_eval.h. One small function a kind, so that the stack that a
 * nested expression takes stays small. */
#include "text/jinja_eval.h"

#include "text/jinja_iter.h"
#include "text/jinja_loop.h"
#include "text/jinja_macro.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"

jframe *px_jframe_new(jrun *run, const jfunc *func, jframe *up)
{
    jframe *frame = px_jinja_alloc(run, 1, sizeof *frame);
    jv *slots = frame ? px_jinja_alloc(run, func->n_slots, sizeof *slots) : NULL; // all MISSING
    if (!slots)
        return NULL;
    *frame = (jframe){.up = up, .slots = slots};
    return frame;
}

/* ---- literals and names */

static bool eval_name(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    *out = *px_jframe_slot(frame, node->name.hops, node->name.slot);
    return out->type != JV_MISSING || px_jv_undef_name(run, &node->name.name->str, out);
}

static bool eval_list(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jlist *l = px_jlist_new(run, node->list.n);
    if (!l)
        return false;
    for (int32_t i = 0; i < node->list.n; i++) {
        if (!px_jinja_eval(run, frame, node->list.items[i], &l->items[i]))
            return false;
        l->n = i + 1;
    }
    *out = px_jv_of_list(node->kind == JN_LIST ? JV_LIST : JV_TUPLE, l);
    return true;
}

static bool eval_dict(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jdict *d = px_jdict_new(run);
    if (!d)
        return false;
    for (int32_t i = 0; i + 1 < node->list.n; i += 2) {
        jv key, value;
        if (!px_jinja_eval(run, frame, node->list.items[i], &key) ||
            !px_jinja_eval(run, frame, node->list.items[i + 1], &value) ||
            !px_jdict_set(run, d, key, value))
            return false;
    }
    *out = (jv){.type = JV_DICT, .d = d};
    return true;
}

/* ---- operators */

static bool eval_logic(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    bool stop_at = node->kind == JN_OR, truth;
    for (int32_t i = 0; i < node->list.n; i++) {
        if (!px_jinja_eval(run, frame, node->list.items[i], out))
            return false;
        if (i + 1 == node->list.n)
            return true;
        if (!px_jv_truth(run, *out, &truth))
            return false;
        if (truth == stop_at)
            return true;
    }
    return true;
}

static bool eval_not(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    bool truth;
    if (!px_jinja_eval(run, frame, node->of, out) || !px_jv_truth(run, *out, &truth))
        return false;
    *out = px_jv_bool(!truth);
    return true;
}

static bool eval_math(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv left, right;
    if (!px_jinja_eval(run, frame, node->chain.first, &left))
        return false;
    for (int32_t i = 0; i < node->chain.n; i++) {
        const jlink *link = &node->chain.links[i];
        if (!px_jinja_eval(run, frame, link->expr, &right))
            return false;
        run->line = link->line;
        if (!px_jv_math(run, link->op, left, right, &left))
            return false;
    }
    *out = left;
    return true;
}

static bool compare_two(jrun *run, jtok op, jv a, jv b, bool *out)
{
    bool ok;
    switch (op) {
    case JT_EQ:
        return px_jv_equal(run, a, b, out);
    case JT_NE:
        ok = px_jv_equal(run, a, b, out);
        *out = !*out;
        return ok;
    case JT_LT:
        return px_jv_order(run, JORDER_LT, a, b, out);
    case JT_LE:
        return px_jv_order(run, JORDER_LE, a, b, out);
    case JT_GT:
        return px_jv_order(run, JORDER_GT, a, b, out);
    case JT_GE:
        return px_jv_order(run, JORDER_GE, a, b, out);
    case JT_NAME:
        return px_jv_contains(run, a, b, out);
    default:
        ok = px_jv_contains(run, a, b, out);
        *out = !*out;
        return ok;
    }
}

static bool eval_compare(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv left, right;
    bool truth = true;
    if (!px_jinja_eval(run, frame, node->chain.first, &left))
        return false;
    for (int32_t i = 0; truth && i < node->chain.n; i++) {
        const jlink *link = &node->chain.links[i];
        if (!px_jinja_eval(run, frame, link->expr, &right))
            return false;
        run->line = link->line;
        if (!compare_two(run, link->op, left, right, &truth))
            return false;
        left = right;
    }
    *out = px_jv_bool(truth);
    return true;
}

static bool eval_concat(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv parts;
    if (!eval_list(run, frame, node, &parts))
        return false;
    size_t mark = run->out.len, spans = run->n_spans;
    for (int64_t i = 0; i < parts.l->n; i++)
        if (!px_jv_print(run, parts.l->items[i]))
            return false;
    return px_jv_capture(run, mark, spans, out);
}

static bool eval_cond(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    bool truth;
    if (!px_jinja_eval(run, frame, node->cond.test, out) || !px_jv_truth(run, *out, &truth))
        return false;
    const jnode *part = truth ? node->cond.yes : node->cond.no;
    if (part)
        return px_jinja_eval(run, frame, part, out);
    return px_jv_undef_hint(run, out, "the condition in line %u was false and has no else",
                            node->line);
}

/* ---- parts */

static bool eval_attr(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv of;
    if (!px_jinja_eval(run, frame, node->attr.of, &of))
        return false;
    run->line = node->line;
    return px_jv_attr(run, of, &node->attr.name->str, node->method, out);
}

static bool eval_item(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv of, key;
    if (!px_jinja_eval(run, frame, node->item.of, &of) ||
        !px_jinja_eval(run, frame, node->item.key, &key))
        return false;
    run->line = node->line;
    return px_jv_item(run, of, key, out);
}

static bool eval_slice(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    const jnode *nodes[] = {node->slice.of, node->slice.start, node->slice.stop, node->slice.step};
    jv v[4] = {{.type = JV_MISSING}};
    for (int i = 0; i < 4; i++)
        if (nodes[i] && !px_jinja_eval(run, frame, nodes[i], &v[i]))
            return false;
    run->line = node->line;
    return px_jv_slice(run, v[0], v[1], v[2], v[3], out);
}

/* ---- calls */

/* The items of *args behind those that there are. */
static bool spread(jrun *run, jframe *frame, const jnode *node, jargs *args, jlist *all)
{
    jv v, item;
    if (!px_jinja_eval(run, frame, node, &v))
        return false;
    jiter *it = px_jiter_of(run, v);
    int got = it ? px_jiter_next(run, it, &item) : -1;
    while (got > 0 && px_jlist_push(run, all, item))
        got = px_jiter_next(run, it, &item);
    if (all->n > 1000000)
        return px_jinja_over(run, "a call has more than a million arguments");
    args->pos = all->items;
    args->n_pos = (int)all->n;
    return got == 0;
}

static bool add_named(jrun *run, jargs *args, jstr *name, jv value)
{
    for (int i = 0; i < args->n_named; i++)
        if (args->names[i] == name || (args->names[i]->len == name->len &&
                                       memcmp(args->names[i]->data, name->data, name->len) == 0))
            return px_jinja_fail(run, "an argument is given twice");
    args->names[args->n_named] = name;
    args->named[args->n_named++] = value;
    return px_jinja_charge(run, (uint64_t)args->n_named);
}

/* Evaluates arguments; with room for `extra` more named ones. */
static bool eval_args(jrun *run, jframe *frame, const jcall *call, size_t extra, jargs *args)
{
    *args = (jargs){0};
    jv star2 = {.type = JV_MISSING};
    if (!call)
        return true;
    jlist *all = px_jlist_new(run, call->n_pos);
    if (!all)
        return false;
    for (int32_t i = 0; i < call->n_pos; i++) {
        if (!px_jinja_eval(run, frame, call->pos[i], &all->items[i]))
            return false;
        all->n = i + 1;
    }
    args->pos = all->items;
    args->n_pos = call->n_pos;
    if (call->star && !spread(run, frame, call->star, args, all))
        return false;
    size_t room = (size_t)call->n_named + extra;
    if (call->star2) {
        if (!px_jinja_eval(run, frame, call->star2, &star2))
            return false;
        if (star2.type == JV_UNDEFINED)
            return px_jv_fail_undefined(run, star2);
        if (star2.type != JV_DICT || star2.d->n > 1000)
            return px_jinja_fail(run, "** wants a dict of at most 1000 entries, not a %s",
                                 px_jv_type_name(star2));
        room += star2.d->n;
    }
    if (room == 0)
        return true;
    args->names = px_jinja_alloc(run, room, sizeof(jstr *));
    args->named = args->names ? px_jinja_alloc(run, room, sizeof(jv)) : NULL;
    if (!args->named)
        return false;
    for (int32_t i = 0; i < call->n_named; i++) {
        jv value;
        if (!px_jinja_eval(run, frame, call->named[i], &value) ||
            !add_named(run, args, &call->names[i]->str, value))
            return false;
    }
    for (uint32_t i = 0; call->star2 && i < star2.d->n; i++) {
        const jentry *e = &star2.d->entries[i];
        if (e->key.type != JV_STR)
            return px_jinja_fail(run, "** wants a dict with strings as keys");
        if (!add_named(run, args, e->key.s, e->value))
            return false;
    }
    return true;
}

bool px_jinja_call(jrun *run, jv callee, const jargs *args, jv *out)
{
    switch (callee.type) {
    case JV_UNDEFINED:
        return px_jv_fail_undefined(run, callee);
    case JV_FUNCTION:
        return px_jinja_call_builtin(run, "function", callee.fn, callee, args, out);
    case JV_METHOD:
        return px_jinja_call_builtin(run, "method", callee.bound->fn, callee.bound->self, args,
                                     out);
    case JV_MACRO:
        return px_jmacro_call(run, callee.m, args, out);
    case JV_LOOP:
        return px_jloop_call(run, callee.loop, args, out);
    case JV_JOINER:
        if (args->n_pos || args->n_named)
            return px_jinja_fail(run, "a joiner takes no arguments");
        if (callee.j->used) {
            *out = callee.j->sep;
            return true;
        }
        callee.j->used = true;
        return px_jv_lend(run, "", 0, out);
    default:
        return px_jinja_fail(run, "a %s cannot be called", px_jv_type_name(callee));
    }
}

bool px_jinja_eval_call(jrun *run, jframe *frame, const jnode *node, jstr *name, jv value, jv *out)
{
    jv callee;
    jargs args;
    if (!px_jinja_eval(run, frame, node->call.of, &callee) ||
        !eval_args(run, frame, node->call.args, name != NULL, &args))
        return false;
    run->line = node->line;
    if (name && !add_named(run, &args, name, value))
        return false;
    return px_jinja_call(run, callee, &args, out);
}

static bool apply_filter(jrun *run, jframe *frame, const jnode *node, jv of, jv *out)
{
    jargs args;
    const char *what = node->kind == JN_FILTER ? "filter" : "test";
    if (!eval_args(run, frame, node->call.args, 0, &args))
        return false;
    run->line = node->line;
    if (!node->call.fn)
        return px_jinja_fail(
            run, "there is no %s '%.*s'", what,
            PX_STR_ARG(((px_str){node->call.name->str.data, node->call.name->str.len})));
    return px_jinja_call_builtin(run, what, node->call.fn, of, &args, out);
}

static bool eval_filter(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    jv of;
    return px_jinja_eval(run, frame, node->call.of, &of) && apply_filter(run, frame, node, of, out);
}

bool px_jinja_eval_filters(jrun *run, jframe *frame, const jnode *node, jv text, jv *out)
{
    if (node->call.of) {
        bool ok =
            px_jinja_enter(run) && px_jinja_eval_filters(run, frame, node->call.of, text, &text);
        px_jinja_leave(run);
        if (!ok)
            return false;
    }
    return apply_filter(run, frame, node, text, out);
}

/* ---- all */

static bool eval_inside(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    switch ((jkind)node->kind) {
    case JN_LIST:
    case JN_TUPLE:
        return eval_list(run, frame, node, out);
    case JN_DICT:
        return eval_dict(run, frame, node, out);
    case JN_CONCAT:
        return eval_concat(run, frame, node, out);
    case JN_AND:
    case JN_OR:
        return eval_logic(run, frame, node, out);
    case JN_MATH:
        return eval_math(run, frame, node, out);
    case JN_COMPARE:
        return eval_compare(run, frame, node, out);
    case JN_NEG:
    case JN_POS:
        return px_jinja_eval(run, frame, node->of, out) &&
               px_jv_sign(run, node->kind == JN_NEG, *out, out);
    case JN_NOT:
        return eval_not(run, frame, node, out);
    case JN_ATTR:
        return eval_attr(run, frame, node, out);
    case JN_ITEM:
        return eval_item(run, frame, node, out);
    case JN_SLICE:
        return eval_slice(run, frame, node, out);
    case JN_CALL:
        return px_jinja_eval_call(run, frame, node, NULL, px_jv_none(), out);
    case JN_FILTER:
    case JN_TEST:
        return eval_filter(run, frame, node, out);
    case JN_COND:
        return eval_cond(run, frame, node, out);
    default:
        return px_jinja_fail(run, "the tree of the template is broken");
    }
}

bool px_jinja_eval(jrun *run, jframe *frame, const jnode *node, jv *out)
{
    run->line = node->line;
    if (node->kind == JN_CONST) {
        *out = node->value;
        return px_jinja_charge(run, 1);
    }
    if (node->kind == JN_NAME)
        return px_jinja_charge(run, 1) && eval_name(run, frame, node, out);
    bool ok = px_jinja_enter(run) && eval_inside(run, frame, node, out);
    px_jinja_leave(run);
    return ok;
}
