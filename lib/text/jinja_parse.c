/* jinja_parse: the statements of templates. Inheritance and inclusion (block, extends, include,
 * import, from) are refused by name: a chat template is one text. */
#include "text/jinja_parse.h"

static bool body(jparse *p, const char *const *ends, jbody *out);

/* ---- helpers */

/* The end of an opening tag, then what stands up to one of `ends` (which stays current). */
static bool block(jparse *p, const char *const *ends, jbody *out)
{
    bool colon;
    return px_jparse_skip(p, JT_COLON, &colon) && px_jparse_expect(p, JT_BLOCK_END, "'%}'") &&
           body(p, ends, out);
}

/* The same for a body with a single end, whose name is skipped. */
static bool closed_block(jparse *p, const char *end, jbody *out)
{
    const char *const ends[] = {end, NULL};
    return block(p, ends, out) && px_jlex_next(&p->lex);
}

static void *statement(jparse *p, jkind kind, size_t size, jnode **node)
{
    *node = px_jparse_node(p, kind, p->lex.current.line);
    return *node ? px_jbuild_alloc(p->build, 1, size) : NULL;
}

/* ---- if, for */

static jnode *parse_if(jparse *p)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    jnode *node;
    jif *cond = statement(p, JN_IF, sizeof *cond, &node);
    if (!cond)
        return NULL;
    node->cond_if = cond;
    for (;;) {
        bool more = false, otherwise = false;
        if (!px_jlex_next(&p->lex)) // "if" or "elif"
            return NULL;
        cond->test = px_jparse_tuple(p, false, false);
        if (!cond->test || !block(p, ends, &cond->body))
            return NULL;
        more = px_jparse_is_name(&p->lex.current, "elif");
        otherwise = px_jparse_is_name(&p->lex.current, "else");
        if (!more) {
            if (!px_jlex_next(&p->lex) ||
                (otherwise && !closed_block(p, "endif", &cond->otherwise)))
                return NULL;
            return node;
        }
        cond->next = px_jbuild_alloc(p->build, 1, sizeof *cond);
        cond = cond->next;
        if (!cond)
            return NULL;
    }
}

static jnode *parse_for(jparse *p)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    jnode *node;
    bool found = false;
    jfor *loop = statement(p, JN_FOR, sizeof *loop, &node);
    if (!loop || !px_jlex_next(&p->lex))
        return NULL;
    node->loop = loop;
    loop->target = px_jparse_target(p, false);
    if (!loop->target || !px_jparse_skip_name(p, "in", &found))
        return NULL;
    if (!found) {
        px_jparse_fail(p, "'in'");
        return NULL;
    }
    loop->iter = px_jparse_tuple(p, false, false);
    if (!loop->iter || !px_jparse_skip_name(p, "if", &found))
        return NULL;
    if (found && !(loop->test = px_jparse_expression(p, true)))
        return NULL;
    if (!px_jparse_skip_name(p, "recursive", &loop->recursive))
        return NULL;
    int outside = p->loops;
    p->loops = loop->recursive ? 1 : outside + 1;
    if (!block(p, ends, &loop->body))
        return NULL;
    p->loops = loop->recursive ? 0 : outside;
    bool otherwise = px_jparse_is_name(&p->lex.current, "else");
    if (!px_jlex_next(&p->lex) || (otherwise && !closed_block(p, "endfor", &loop->otherwise)))
        return NULL;
    p->loops = outside;
    return node;
}

static jnode *parse_jump(jparse *p, jkind kind)
{
    jnode *node = px_jparse_node(p, kind, p->lex.current.line);
    if (p->loops == 0) {
        px_jbuild_fail(p->build, p->lex.current.line, "%s outside of a loop",
                       kind == JN_BREAK ? "break" : "continue");
        return NULL;
    }
    return node && px_jlex_next(&p->lex) ? node : NULL;
}

/* ---- assignments */

static jnode *parse_set(jparse *p)
{
    jnode *node;
    bool plain = false;
    jset_block *capture = statement(p, JN_SET_BLOCK, sizeof *capture, &node);
    if (!capture || !px_jlex_next(&p->lex))
        return NULL;
    jnode *target = px_jparse_target(p, true);
    if (!target || !px_jparse_skip(p, JT_ASSIGN, &plain))
        return NULL;
    if (plain) {
        node->kind = JN_SET;
        node->set.target = target;
        node->set.value = px_jparse_tuple(p, true, false);
        return node->set.value ? node : NULL;
    }
    node->capture = capture;
    capture->target = target;
    if (px_jparse_is(p, JT_PIPE) && !(capture->filter = px_jparse_filters(p, NULL, false)))
        return NULL;
    return closed_block(p, "endset", &capture->body) ? node : NULL;
}

static jnode *parse_filter(jparse *p)
{
    jnode *node;
    jset_block *capture = statement(p, JN_FILTER_BLOCK, sizeof *capture, &node);
    if (!capture || !px_jlex_next(&p->lex))
        return NULL;
    node->capture = capture;
    capture->filter = px_jparse_filters(p, NULL, true);
    return capture->filter && closed_block(p, "endfilter", &capture->body) ? node : NULL;
}

static jnode *parse_with(jparse *p)
{
    jnode *node;
    jnodes targets = {0}, values = {0};
    jwith *with = statement(p, JN_WITH, sizeof *with, &node);
    if (!with || !px_jlex_next(&p->lex))
        return NULL;
    node->with = with;
    while (!px_jparse_is(p, JT_BLOCK_END)) {
        if (targets.n && !px_jparse_expect(p, JT_COMMA, "',' or '%}'"))
            return NULL;
        if (!px_jparse_push(p, &targets, px_jparse_target(p, false)) ||
            !px_jparse_expect(p, JT_ASSIGN, "'='") ||
            !px_jparse_push(p, &values, px_jparse_expression(p, true)))
            return NULL;
    }
    with->targets = targets.items;
    with->values = values.items;
    with->n = values.n;
    return closed_block(p, "endwith", &with->body) ? node : NULL;
}

/* Escaping is off in chat templates; a block that says so is a scope. */
static jnode *parse_autoescape(jparse *p)
{
    jnode *node;
    jwith *with = statement(p, JN_SCOPE, sizeof *with, &node);
    if (!with || !px_jlex_next(&p->lex))
        return NULL;
    node->with = with;
    jnode *value = px_jparse_expression(p, true);
    if (!value)
        return NULL;
    if (value->kind != JN_CONST || value->value.type != JV_BOOL || value->value.b) {
        px_jbuild_fail(p->build, node->line, "autoescape is not supported, other than false");
        return NULL;
    }
    return closed_block(p, "endautoescape", &with->body) ? node : NULL;
}

/* ---- macros */

static bool add_param(jparse *p, jnodes *params, jnodes *defaults, bool *any_default)
{
    bool has_default = false;
    jnode *param = px_jparse_node(p, JN_NAME, p->lex.current.line);
    if (!param)
        return false;
    param->name.name = p->lex.current.name;
    if (!px_jparse_expect(p, JT_NAME, "the name of a parameter"))
        return false;
    for (int32_t i = 0; i < params->n; i++)
        if (params->items[i]->name.name == param->name.name)
            return px_jbuild_fail(p->build, param->line, "a parameter is named twice");
    if (params->n >= 1000)
        return px_jbuild_over(p->build, param->line, "a macro has more than 1000 parameters");
    px_jparse_note(p, param->name.name, true);
    if (!px_jparse_skip(p, JT_ASSIGN, &has_default))
        return false;
    if (*any_default && !has_default)
        return px_jbuild_fail(p->build, param->line,
                              "a parameter without a default follows one that has it");
    *any_default = has_default;
    jnode *value = has_default ? px_jparse_expression(p, true) : param;
    if (!value)
        return false;
    return px_jparse_push(p, params, param) && px_jparse_push(p, defaults, value);
}

/* "(a, b=1)". */
static bool signature(jparse *p, jmacro_def *def)
{
    jnodes params = {0}, defaults = {0};
    bool any_default = false;
    if (!px_jparse_expect(p, JT_LPAREN, "'('"))
        return false;
    while (!px_jparse_is(p, JT_RPAREN)) {
        if (params.n && !px_jparse_expect(p, JT_COMMA, "',' or ')'"))
            return false;
        if (!add_param(p, &params, &defaults, &any_default))
            return false;
    }
    def->params = px_jbuild_alloc(p->build, (size_t)params.n, sizeof(jname *));
    def->param_slots = px_jbuild_alloc(p->build, (size_t)params.n, sizeof(uint32_t));
    if (!def->params || !def->param_slots)
        return false;
    def->defaults = defaults.items;
    def->n_params = params.n;
    for (int32_t i = 0; i < params.n; i++) {
        def->params[i] = params.items[i]->name.name;
        if (defaults.items[i] == params.items[i])
            defaults.items[i] = NULL;
    }
    return px_jlex_next(&p->lex);
}

/* What the body reads decides which arguments the macro takes besides its parameters. */
static bool specials(jparse *p, jmacro_def *def, const jmacro_scan *scan, uint32_t line)
{
    static const char *const names[JSPECIALS] = {"caller", "kwargs", "varargs"};
    int32_t at[JSPECIALS] = {-1, -1, -1};
    for (int32_t i = 0; i < def->n_params; i++)
        for (int k = 0; k < JSPECIALS; k++)
            if (def->params[i]->str.len == strlen(names[k]) &&
                memcmp(def->params[i]->str.data, names[k], strlen(names[k])) == 0)
                at[k] = i;
    def->explicit_caller = at[JSPECIAL_CALLER];
    def->wants_caller = scan->read[JSPECIAL_CALLER];
    def->wants_kwargs = scan->read[JSPECIAL_KWARGS] && at[JSPECIAL_KWARGS] < 0;
    def->wants_varargs = scan->read[JSPECIAL_VARARGS] && at[JSPECIAL_VARARGS] < 0;
    if (def->wants_caller && def->explicit_caller >= 0 && !def->defaults[def->explicit_caller])
        return px_jbuild_fail(p->build, line,
                              "the parameter 'caller' must have a default, or not be named");
    return true;
}

/* The body of a macro, in a function of its own. */
static bool macro_body(jparse *p, jmacro_def *def, const char *end, uint32_t line)
{
    jmacro_scan scan = {.outer = p->scan};
    int loops = p->loops;
    p->scan = &scan;
    p->loops = 0;
    bool ok = closed_block(p, end, &def->body);
    p->scan = scan.outer;
    p->loops = loops;
    return ok && specials(p, def, &scan, line);
}

static jnode *parse_macro(jparse *p)
{
    jnode *node;
    jmacro_def *def = statement(p, JN_MACRO, sizeof *def, &node);
    if (!def || !px_jlex_next(&p->lex))
        return NULL;
    node->macro = def;
    def->name = p->lex.current.name;
    if (!px_jparse_expect(p, JT_NAME, "the name of the macro") || !signature(p, def))
        return NULL;
    return macro_body(p, def, "endmacro", node->line) ? node : NULL;
}

static jnode *parse_call(jparse *p)
{
    jnode *node;
    jcall_block *block_call = statement(p, JN_CALL_BLOCK, sizeof *block_call, &node);
    jmacro_def *def = block_call ? px_jbuild_alloc(p->build, 1, sizeof *def) : NULL;
    if (!def || !px_jlex_next(&p->lex))
        return NULL;
    node->call_block = block_call;
    block_call->caller = def;
    if (px_jparse_is(p, JT_LPAREN) && !signature(p, def))
        return NULL;
    block_call->call = px_jparse_expression(p, true);
    if (!block_call->call)
        return NULL;
    if (block_call->call->kind != JN_CALL) {
        px_jbuild_fail(p->build, node->line, "a call block wants a call");
        return NULL;
    }
    return macro_body(p, def, "endcall", node->line) ? node : NULL;
}

static jnode *parse_generation(jparse *p)
{
    jnode *node;
    jmacro_def *def = statement(p, JN_GENERATION, sizeof *def, &node);
    if (!def || !px_jlex_next(&p->lex))
        return NULL;
    node->macro = def;
    return macro_body(p, def, "endgeneration", node->line) ? node : NULL;
}

/* ---- all */

static bool parse_print(jparse *p, jnodes *list)
{
    bool first = true;
    if (!px_jlex_next(&p->lex))
        return false;
    while (!px_jparse_is(p, JT_BLOCK_END)) {
        jnode *node = px_jparse_node(p, JN_PRINT, p->lex.current.line);
        if (!node || (!first && !px_jparse_expect(p, JT_COMMA, "',' or '%}'")))
            return false;
        first = false;
        node->of = px_jparse_expression(p, true);
        if (!node->of || !px_jparse_push(p, list, node))
            return false;
    }
    return true;
}

static jnode *refused(jparse *p)
{
    static const char *const names[] = {"block", "extends", "include", "import", "from"};
    const jtoken *t = &p->lex.current;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (px_jparse_is_name(t, names[i])) {
            px_jbuild_fail(p->build, t->line,
                           "the tag '%s' is not supported: a chat template is one text and "
                           "loads no other",
                           names[i]);
            return NULL;
        }
    px_jbuild_fail(p->build, t->line, "unknown or misplaced tag '%.*s'",
                   PX_STR_ARG(((px_str){t->name->str.data, t->name->str.len})));
    return NULL;
}

static bool parse_statement(jparse *p, jnodes *list)
{
    static const struct {
        const char *name;
        jnode *(*parse)(jparse *p);
    } tags[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"macro", parse_macro},
        {"call", parse_call},
        {"filter", parse_filter},
        {"with", parse_with},
        {"generation", parse_generation},
        {"autoescape", parse_autoescape},
    };
    if (!px_jparse_is(p, JT_NAME))
        return px_jparse_fail(p, "the name of a tag");
    if (px_jparse_is_name(&p->lex.current, "print"))
        return parse_print(p, list);
    if (px_jparse_is_name(&p->lex.current, "break"))
        return px_jparse_push(p, list, parse_jump(p, JN_BREAK));
    if (px_jparse_is_name(&p->lex.current, "continue"))
        return px_jparse_push(p, list, parse_jump(p, JN_CONTINUE));
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (px_jparse_is_name(&p->lex.current, tags[i].name)) {
            if (!px_jparse_enter(p) || !px_jparse_push(p, list, tags[i].parse(p)))
                return false;
            p->depth--;
            return true;
        }
    refused(p);
    return false;
}

static bool parse_variable(jparse *p, jnodes *list)
{
    jnode *node = px_jparse_node(p, JN_PRINT, p->lex.current.line);
    if (!node || !px_jlex_next(&p->lex))
        return false;
    node->line = p->lex.current.line;
    node->of = px_jparse_tuple(p, true, false);
    return node->of && px_jparse_expect(p, JT_VAR_END, "'}}'") && px_jparse_push(p, list, node);
}

/* Text and tags up to the tag named by one of `ends`, or to the end of the source when it is NULL.
 */
static bool body(jparse *p, const char *const *ends, jbody *out)
{
    jnodes list = {0};
    uint32_t opened = p->lex.current.line;
    while (!px_jparse_is(p, JT_EOF)) {
        bool ok = false;
        if (px_jparse_is(p, JT_DATA)) {
            jnode *node = px_jparse_node(p, JN_DATA, p->lex.current.line);
            if (!node)
                return false;
            node->value = p->lex.current.value;
            ok = px_jlex_next(&p->lex) &&
                 (node->value.s->len == 0 || px_jparse_push(p, &list, node));
        } else if (px_jparse_is(p, JT_VAR_BEGIN)) {
            ok = parse_variable(p, &list);
        } else {
            if (!px_jlex_next(&p->lex))
                return false;
            for (int i = 0; ends && ends[i]; i++)
                if (px_jparse_is_name(&p->lex.current, ends[i])) {
                    *out = (jbody){.items = list.items, .n = list.n};
                    return true;
                }
            ok = parse_statement(p, &list) && px_jparse_expect(p, JT_BLOCK_END, "'%}'");
        }
        if (!ok)
            return false;
    }
    if (!ends) {
        *out = (jbody){.items = list.items, .n = list.n};
        return true;
    }
    int last = 0;
    while (ends[last + 1])
        last++;
    return px_jbuild_fail(
        p->build, p->lex.current.line,
        "the template ends where '%s' of the tag in line %u is missing",
        px_jparse_is(p, JT_EOF) && strcmp(ends[last], "else") == 0 ? ends[0] : ends[last], opened);
}

bool px_jinja_parse(jbuild *build, const char *src, size_t len, jtree *tree)
{
    jparse p = {.build = build};
    return px_jlex_start(&p.lex, build, src, len) && body(&p, NULL, &tree->body);
}
