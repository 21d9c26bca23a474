/*
 * jinja_scope: binds the names of a parsed template to slots, by the reference's rules.
 *
 * Each scope is walked twice. The first walk declares: a name that is read and bound nowhere around
 * is resolved from the variables when the scope is entered; a name that is assigned gets a slot of
 * its own, which starts with what the outer scope has under the name (alias), else as undefined,
 * or, when all assignments stand inside of `if`, as the variable of that name. The second walk
 * fills in the slots and goes into inner scopes, which the first left out. So what a loop assigns
 * is gone with its iteration, an `if` is no scope, and macros see the variables of the template as
 * they are when the macro runs.
 *
 * The innermost meaning of a name hangs on the interned name itself, so finding it takes no search:
 * the whole costs one visit of each node per walk.
 */
#include "text/jinja_ast.h"

#include "base/mem.h"

typedef struct func {
    struct func *up;
    jfunc *out;
    uint32_t level;
} func;

typedef struct scope {
    struct scope *up;
    jscope *out;
    func *func;
    struct jbinding *last; // newest binding of this scope
    uint32_t cap;          // of out->loads
    int in_if;
} scope;

typedef struct jbinding {
    struct jbinding *shadowed; // the outer meaning of the name
    struct jbinding *before;   // in the same scope
    jname *name;
    scope *scope;
    uint32_t load; // in scope->out->loads
    uint32_t slot;
} jbinding;

typedef struct binder {
    jbuild *build;
    scope *scope;
    bool soft; // inside of an `if`: unknown filters are errors only when they are reached
    int loops; // loops around, macros between or not
} binder;

static bool declare_expr(binder *b, const jnode *node);
static bool resolve_expr(binder *b, jnode *node);
static bool declare_body(binder *b, const jbody *body);
static bool resolve_body(binder *b, const jbody *body);

/* ---- scopes */

static void push_func(const binder *b, func *f, jfunc *out)
{
    func *up = b->scope ? b->scope->func : NULL;
    *f = (func){.up = up, .out = out, .level = up ? up->level + 1 : 0};
}

static void push_scope(binder *b, scope *s, jscope *out, func *f)
{
    *s = (scope){.up = b->scope, .out = out, .func = f};
    out->first_slot = f->out->n_slots;
    b->scope = s;
}

static void pop_scope(binder *b)
{
    for (jbinding *one = b->scope->last; one; one = one->before)
        one->name->bound = one->shadowed;
    b->scope = b->scope->up;
}

static jload *define(binder *b, jname *name, jload_kind kind)
{
    scope *s = b->scope;
    jscope *out = s->out;
    if (out->n_loads == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        jload *loads = px_jbuild_alloc(b->build, s->cap, sizeof *loads);
        if (!loads)
            return NULL;
        if (out->n_loads)
            memcpy(loads, out->loads, out->n_loads * sizeof *loads);
        out->loads = loads;
    }
    jbinding *one = px_jbuild_alloc(b->build, 1, sizeof *one);
    if (!one)
        return NULL;
    *one = (jbinding){.shadowed = name->bound,
                      .before = s->last,
                      .name = name,
                      .scope = s,
                      .load = out->n_loads,
                      .slot = s->func->out->n_slots++};
    s->last = one;
    name->bound = one;
    out->n_slots++;
    jload *load = &out->loads[out->n_loads++];
    *load = (jload){.kind = kind, .slot = one->slot, .name = name};
    if (kind == JLOAD_RESOLVE)
        load->global = px_jinja_find_global(name->str.data, name->str.len);
    return load;
}

static void locate(const binder *b, const jbinding *to, uint32_t *hops, uint32_t *slot)
{
    *hops = b->scope->func->level - to->scope->func->level;
    *slot = to->slot;
}

static bool load_name(binder *b, jname *name)
{
    return name->bound || define(b, name, JLOAD_RESOLVE);
}

static bool is_loop(const jname *name)
{
    return name->str.len == 4 && memcmp(name->str.data, "loop", 4) == 0;
}

static bool refuse_loop(binder *b, uint32_t line)
{
    return px_jbuild_fail(b->build, line, "'loop' cannot be assigned to inside of a loop");
}

static bool store_name(binder *b, jname *name, uint32_t line)
{
    if (b->loops && is_loop(name))
        return refuse_loop(b, line);
    const jbinding *outer = name->bound;
    if (outer && outer->scope == b->scope)
        return true;
    if (!outer)
        return define(b, name, b->scope->in_if ? JLOAD_RESOLVE : JLOAD_UNDEFINED);
    jload *load = define(b, name, JLOAD_ALIAS);
    if (!load)
        return false;
    locate(b, outer, &load->hops, &load->from);
    return true;
}

/* A name that whoever enters the scope sets; *slot is its place. */
static bool param_name(binder *b, jname *name, uint32_t *slot)
{
    const jbinding *one = name->bound;
    if (one && one->scope == b->scope)
        b->scope->out->loads[one->load].kind = JLOAD_PARAM;
    else if (!define(b, name, JLOAD_PARAM))
        return false;
    *slot = name->bound->slot;
    return true;
}

static bool param_text(binder *b, const char *text, uint32_t *slot)
{
    jname *name = px_jbuild_intern(b->build, text, strlen(text));
    return name && param_name(b, name, slot);
}

/* The names of a target, as parameters or as assignments. */
static bool declare_target(binder *b, const jnode *target, bool param)
{
    uint32_t slot;
    if (target->kind == JN_NSREF)
        return load_name(b, target->name.name);
    if (target->kind == JN_NAME)
        return param ? param_name(b, target->name.name, &slot)
                     : store_name(b, target->name.name, target->line);
    for (int32_t i = 0; i < target->list.n; i++)
        if (!declare_target(b, target->list.items[i], param))
            return false;
    return true;
}

/* ---- first walk */

static bool declare_args(binder *b, const jcall *args)
{
    if (!args)
        return true;
    for (int32_t i = 0; i < args->n_pos; i++)
        if (!declare_expr(b, args->pos[i]))
            return false;
    for (int32_t i = 0; i < args->n_named; i++)
        if (!declare_expr(b, args->named[i]))
            return false;
    return declare_expr(b, args->star) && declare_expr(b, args->star2);
}

/* The parts of an expression, through `visit`. */
static bool each_part(binder *b, const jnode *node, bool (*visit)(binder *b, jnode *part),
                      bool (*visit_args)(binder *b, const jcall *args))
{
    bool ok = true;
    switch ((jkind)node->kind) {
    case JN_LIST:
    case JN_TUPLE:
    case JN_DICT:
    case JN_CONCAT:
    case JN_AND:
    case JN_OR:
        for (int32_t i = 0; ok && i < node->list.n; i++)
            ok = visit(b, node->list.items[i]);
        return ok;
    case JN_MATH:
    case JN_COMPARE:
        ok = visit(b, node->chain.first);
        for (int32_t i = 0; ok && i < node->chain.n; i++)
            ok = visit(b, node->chain.links[i].expr);
        return ok;
    case JN_NEG:
    case JN_POS:
    case JN_NOT:
        return visit(b, node->of);
    case JN_ATTR:
        return visit(b, node->attr.of);
    case JN_ITEM:
        return visit(b, node->item.of) && visit(b, node->item.key);
    case JN_SLICE:
        return visit(b, node->slice.of) && visit(b, node->slice.start) &&
               visit(b, node->slice.stop) && visit(b, node->slice.step);
    case JN_CALL:
    case JN_FILTER:
    case JN_TEST:
        return visit(b, node->call.of) && visit_args(b, node->call.args);
    case JN_COND:
        return visit(b, node->cond.test) && visit(b, node->cond.yes) && visit(b, node->cond.no);
    default:
        return true;
    }
}

static bool declare_part(binder *b, jnode *part)
{
    return declare_expr(b, part);
}

static bool declare_expr(binder *b, const jnode *node)
{
    if (!node)
        return true;
    if (node->kind == JN_NAME)
        return load_name(b, node->name.name);
    return each_part(b, node, declare_part, declare_args);
}

static bool declare_if(binder *b, const jif *cond)
{
    if (!declare_expr(b, cond->test))
        return false;
    b->scope->in_if++;
    bool ok = true;
    for (; ok && cond; cond = cond->next)
        ok = declare_expr(b, cond->test) && declare_body(b, &cond->body) &&
             declare_body(b, &cond->otherwise);
    b->scope->in_if--;
    return ok;
}

static bool declare_statement(binder *b, const jnode *node)
{
    switch ((jkind)node->kind) {
    case JN_PRINT:
        return declare_expr(b, node->of);
    case JN_IF:
        return declare_if(b, node->cond_if);
    case JN_FOR:
        return declare_expr(b, node->loop->iter);
    case JN_SET:
        return declare_expr(b, node->set.value) && declare_target(b, node->set.target, false);
    case JN_SET_BLOCK:
        return declare_target(b, node->capture->target, false);
    case JN_MACRO:
        return store_name(b, node->macro->name, node->line);
    case JN_CALL_BLOCK:
        return declare_expr(b, node->call_block->call);
    case JN_FILTER_BLOCK:
        return declare_expr(b, node->capture->filter);
    case JN_WITH:
        for (int32_t i = 0; i < node->with->n; i++)
            if (!declare_expr(b, node->with->values[i]))
                return false;
        return true;
    default:
        return true;
    }
}

static bool declare_body(binder *b, const jbody *body)
{
    for (int32_t i = 0; i < body->n; i++)
        if (!declare_statement(b, body->items[i]))
            return false;
    return true;
}

/* ---- second walk */

static bool resolve_args(binder *b, const jcall *args)
{
    if (!args)
        return true;
    for (int32_t i = 0; i < args->n_pos; i++)
        if (!resolve_expr(b, args->pos[i]))
            return false;
    for (int32_t i = 0; i < args->n_named; i++)
        if (!resolve_expr(b, args->named[i]))
            return false;
    return resolve_expr(b, args->star) && resolve_expr(b, args->star2);
}

static bool resolve_expr(binder *b, jnode *node)
{
    if (!node)
        return true;
    if (node->kind == JN_NAME || node->kind == JN_NSREF) {
        if (!load_name(b, node->name.name))
            return false;
        locate(b, node->name.name->bound, &node->name.hops, &node->name.slot);
        return true;
    }
    if ((node->kind == JN_FILTER || node->kind == JN_TEST) && !node->call.fn && !b->soft)
        return px_jbuild_fail(
            b->build, node->line, "there is no %s '%.*s'",
            node->kind == JN_FILTER ? "filter" : "test",
            PX_STR_ARG(((px_str){node->call.name->str.data, node->call.name->str.len})));
    bool soft = b->soft;
    b->soft = soft || node->kind == JN_COND;
    bool ok = each_part(b, node, resolve_expr, resolve_args);
    b->soft = soft;
    return ok;
}

/* A second tree of the same names: the filter of a loop assigns them in a frame of its own. */
static jnode *copy_target(binder *b, const jnode *target)
{
    jnode *copy = px_jbuild_alloc(b->build, 1, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *target;
    if (target->kind != JN_TUPLE)
        return copy;
    copy->list.items = px_jbuild_alloc(b->build, (size_t)target->list.n, sizeof(jnode *));
    for (int32_t i = 0; copy->list.items && i < target->list.n; i++)
        if (!(copy->list.items[i] = copy_target(b, target->list.items[i])))
            return NULL;
    return copy->list.items ? copy : NULL;
}

static bool resolve_loop_test(binder *b, jfor *loop)
{
    func f;
    scope s;
    push_func(b, &f, &loop->test_func);
    push_scope(b, &s, &loop->test_scope, &f);
    loop->test_target = copy_target(b, loop->target);
    bool ok = loop->test_target && declare_target(b, loop->test_target, true) &&
              declare_expr(b, loop->test) && resolve_expr(b, loop->test_target) &&
              resolve_expr(b, loop->test);
    pop_scope(b);
    return ok;
}

/* A loop's own targets may not be called loop. */
static bool check_loop_target(binder *b, const jnode *target)
{
    if (target->kind == JN_NAME)
        return !is_loop(target->name.name) || refuse_loop(b, target->line);
    for (int32_t i = 0; i < target->list.n; i++)
        if (!check_loop_target(b, target->list.items[i]))
            return false;
    return true;
}

static bool resolve_for(binder *b, jfor *loop)
{
    func own, *f = b->scope->func;
    scope s;
    if (!resolve_expr(b, loop->iter))
        return false;
    bool soft = b->soft;
    b->soft = false;
    if (loop->test && !resolve_loop_test(b, loop))
        return false;
    if (loop->recursive) {
        push_func(b, &own, &loop->func);
        f = &own;
    }
    b->loops++;
    push_scope(b, &s, &loop->scope, f);
    bool ok = param_text(b, "loop", &loop->loop_slot) && declare_target(b, loop->target, true) &&
              check_loop_target(b, loop->target) && declare_body(b, &loop->body) &&
              resolve_expr(b, loop->target) && resolve_body(b, &loop->body);
    pop_scope(b);
    if (ok && loop->otherwise.n) {
        push_scope(b, &s, &loop->else_scope, f);
        ok = declare_body(b, &loop->otherwise) && resolve_body(b, &loop->otherwise);
        pop_scope(b);
    }
    b->loops--;
    b->soft = soft;
    return ok;
}

/* The inside of a macro, a call block or a generation block. */
static bool resolve_macro(binder *b, jmacro_def *def)
{
    func f;
    scope s;
    bool soft = b->soft, ok = true;
    b->soft = false;
    push_func(b, &f, &def->func);
    push_scope(b, &s, &def->scope, &f);
    for (int32_t i = 0; ok && i < def->n_params; i++)
        ok = param_name(b, def->params[i], &def->param_slots[i]);
    if (ok && def->wants_caller && def->explicit_caller < 0)
        ok = param_text(b, "caller", &def->caller_slot);
    if (ok && def->wants_kwargs)
        ok = param_text(b, "kwargs", &def->kwargs_slot);
    if (ok && def->wants_varargs)
        ok = param_text(b, "varargs", &def->varargs_slot);
    for (int32_t i = 0; ok && i < def->n_params; i++)
        ok = declare_expr(b, def->defaults[i]);
    ok = ok && declare_body(b, &def->body);
    for (int32_t i = 0; ok && i < def->n_params; i++)
        ok = resolve_expr(b, def->defaults[i]);
    ok = ok && resolve_body(b, &def->body);
    pop_scope(b);
    b->soft = soft;
    return ok;
}

static bool resolve_capture(binder *b, jset_block *capture)
{
    scope s;
    bool soft = b->soft;
    b->soft = false;
    push_scope(b, &s, &capture->scope, b->scope->func);
    bool ok = declare_body(b, &capture->body) && declare_expr(b, capture->filter) &&
              resolve_body(b, &capture->body) && resolve_expr(b, capture->filter);
    pop_scope(b);
    b->soft = soft;
    return ok && resolve_expr(b, capture->target);
}

static bool resolve_with(binder *b, jwith *with)
{
    scope s;
    bool soft = b->soft, ok = true;
    for (int32_t i = 0; ok && i < with->n; i++)
        ok = resolve_expr(b, with->values[i]);
    b->soft = false;
    push_scope(b, &s, &with->scope, b->scope->func);
    for (int32_t i = 0; ok && i < with->n; i++)
        ok = declare_target(b, with->targets[i], true);
    ok = ok && declare_body(b, &with->body);
    for (int32_t i = 0; ok && i < with->n; i++)
        ok = resolve_expr(b, with->targets[i]);
    ok = ok && resolve_body(b, &with->body);
    pop_scope(b);
    b->soft = soft;
    return ok;
}

static bool resolve_if(binder *b, jif *cond)
{
    bool soft = b->soft, ok = true;
    b->soft = true;
    for (; ok && cond; cond = cond->next)
        ok = resolve_expr(b, cond->test) && resolve_body(b, &cond->body) &&
             resolve_body(b, &cond->otherwise);
    b->soft = soft;
    return ok;
}

static bool resolve_statement(binder *b, jnode *node)
{
    switch ((jkind)node->kind) {
    case JN_PRINT:
        return resolve_expr(b, node->of);
    case JN_IF:
        return resolve_if(b, node->cond_if);
    case JN_FOR:
        return resolve_for(b, node->loop);
    case JN_SET:
        return resolve_expr(b, node->set.value) && resolve_expr(b, node->set.target);
    case JN_SET_BLOCK:
    case JN_FILTER_BLOCK:
        return resolve_capture(b, node->capture);
    case JN_MACRO:
        locate(b, node->macro->name->bound, &node->macro->hops, &node->macro->slot);
        return resolve_macro(b, node->macro);
    case JN_GENERATION:
        return resolve_macro(b, node->macro);
    case JN_CALL_BLOCK:
        return resolve_macro(b, node->call_block->caller) &&
               resolve_expr(b, node->call_block->call);
    case JN_WITH:
    case JN_SCOPE:
        return resolve_with(b, node->with);
    default:
        return true;
    }
}

static bool resolve_body(binder *b, const jbody *body)
{
    for (int32_t i = 0; i < body->n; i++)
        if (!resolve_statement(b, body->items[i]))
            return false;
    return true;
}

bool px_jinja_bind_names(jbuild *build, jtree *tree)
{
    binder b = {.build = build};
    func f;
    scope s;
    push_func(&b, &f, &tree->func);
    push_scope(&b, &s, &tree->scope, &f);
    bool ok = declare_body(&b, &tree->body) && resolve_body(&b, &tree->body);
    pop_scope(&b);
    return ok;
}
