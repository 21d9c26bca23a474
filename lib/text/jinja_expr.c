/* jinja_expr: expressions of templates, by recursive descent. From loose to tight: a if b else c;
 * or; and; not; comparisons and in; + -; ~; * / // %; **; sign; members, calls; filters and tests.
 */
#include "text/jinja_parse.h"

#include "base/mem.h"

/* ---- helpers */

bool px_jparse_push(jparse *p, jnodes *list, jnode *node)
{
    if (!node)
        return false;
    if (list->n == list->cap) {
        int32_t cap = list->cap ? list->cap * 2 : 4;
        jnode **items = px_jbuild_alloc(p->build, (size_t)cap, sizeof(jnode *));
        if (!items)
            return false;
        if (list->n)
            memcpy(items, list->items, (size_t)list->n * sizeof(jnode *));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = node;
    return true;
}

bool px_jparse_fail(jparse *p, const char *expected)
{
    char room[240];
    return px_jbuild_fail(p->build, p->lex.current.line, "expected %s, found %s", expected,
                          px_jlex_describe(&p->lex.current, room, sizeof room));
}

bool px_jparse_enter(jparse *p)
{
    if (p->depth >= PX_MAX_TEMPLATE_DEPTH)
        return px_jbuild_over(p->build, p->lex.current.line,
                              "expressions or blocks are nested more than %d deep",
                              PX_MAX_TEMPLATE_DEPTH);
    p->depth++;
    return true;
}

jnode *px_jparse_node(jparse *p, jkind kind, uint32_t line)
{
    jnode *node = px_jbuild_alloc(p->build, 1, sizeof *node);
    if (node) {
        node->kind = (uint8_t)kind;
        node->line = line;
        node->height = 1;
    }
    return node;
}

bool px_jparse_raise(jparse *p, jnode *node, const jnode *child)
{
    if (child && child->height >= node->height)
        node->height = (uint16_t)(child->height + 1);
    if (node->height <= PX_MAX_TEMPLATE_DEPTH)
        return true;
    return px_jbuild_over(p->build, node->line, "an expression is nested more than %d deep",
                          PX_MAX_TEMPLATE_DEPTH);
}

bool px_jparse_is_name(const jtoken *t, const char *name)
{
    return t->type == JT_NAME && t->name->str.len == strlen(name) &&
           memcmp(t->name->str.data, name, t->name->str.len) == 0;
}

bool px_jparse_skip(jparse *p, jtok type, bool *found)
{
    *found = px_jparse_is(p, type);
    return !*found || px_jlex_next(&p->lex);
}

bool px_jparse_skip_name(jparse *p, const char *name, bool *found)
{
    *found = px_jparse_is_name(&p->lex.current, name);
    return !*found || px_jlex_next(&p->lex);
}

bool px_jparse_expect(jparse *p, jtok type, const char *what)
{
    return px_jparse_is(p, type) ? px_jlex_next(&p->lex) : px_jparse_fail(p, what);
}

void px_jparse_note(jparse *p, const jname *name, bool assigned)
{
    static const char *const names[JSPECIALS] = {"caller", "kwargs", "varargs"};
    for (int k = 0; k < JSPECIALS; k++) {
        if (name->str.len != strlen(names[k]) ||
            memcmp(name->str.data, names[k], name->str.len) != 0)
            continue;
        for (jmacro_scan *s = p->scan; s; s = s->outer) {
            if (assigned)
                s->assigned[k] = true;
            else if (!s->assigned[k])
                s->read[k] = true;
        }
    }
}

/* ---- literals */

static jnode *constant(jparse *p, jv value)
{
    jnode *node = px_jparse_node(p, JN_CONST, p->lex.current.line);
    if (!node)
        return NULL;
    node->value = value;
    return px_jlex_next(&p->lex) ? node : NULL;
}

/* Strings side by side are one. */
static jnode *string(jparse *p)
{
    jname *first = p->lex.current.name;
    jnode *node = constant(p, px_jv_of_str(&first->str));
    if (!node || !px_jparse_is(p, JT_STRING))
        return node;
    px_buf all = {.limit = PX_MAX_TEMPLATE_BYTES};
    bool ok = px_buf_put(&all, first->str.data, first->str.len);
    while (ok && px_jparse_is(p, JT_STRING)) {
        const jname *more = p->lex.current.name;
        ok = px_buf_put(&all, more->str.data, more->str.len) && px_jlex_next(&p->lex);
    }
    jname *name = ok ? px_jbuild_intern(p->build, all.data, all.len) : NULL;
    px_buf_status(&all, "a string", p->build->err);
    px_buf_clear(&all);
    if (!name)
        return NULL;
    node->value = px_jv_of_str(&name->str);
    return node;
}

/* Items up to the closing bracket; of a dict, pairs. */
static jnode *bracketed(jparse *p, jkind kind, jtok closing, const char *what)
{
    jnode *node = px_jparse_node(p, kind, p->lex.current.line);
    jnodes items = {0};
    if (!node || !px_jlex_next(&p->lex))
        return NULL;
    while (!px_jparse_is(p, closing)) {
        if (items.n && !px_jparse_expect(p, JT_COMMA, what))
            return NULL;
        if (px_jparse_is(p, closing))
            break;
        for (int part = 0; part < (kind == JN_DICT ? 2 : 1); part++) {
            if (part && !px_jparse_expect(p, JT_COLON, "':' behind the key"))
                return NULL;
            jnode *item = px_jparse_expression(p, true);
            if (!px_jparse_push(p, &items, item) || !px_jparse_raise(p, node, item))
                return NULL;
        }
    }
    node->list.items = items.items;
    node->list.n = items.n;
    return px_jlex_next(&p->lex) ? node : NULL;
}

static jnode *name_or_word(jparse *p, bool with_namespace)
{
    const jtoken t = p->lex.current;
    if (px_jparse_is_name(&t, "true") || px_jparse_is_name(&t, "True"))
        return constant(p, px_jv_bool(true));
    if (px_jparse_is_name(&t, "false") || px_jparse_is_name(&t, "False"))
        return constant(p, px_jv_bool(false));
    if (px_jparse_is_name(&t, "none") || px_jparse_is_name(&t, "None"))
        return constant(p, px_jv_none());
    jnode *node = px_jparse_node(p, JN_NAME, t.line);
    if (!node || !px_jlex_next(&p->lex))
        return NULL;
    node->name.name = t.name;
    if (with_namespace && px_jparse_is(p, JT_DOT)) {
        if (!px_jlex_next(&p->lex))
            return NULL;
        node->kind = JN_NSREF;
        node->name.attr = p->lex.current.name;
        px_jparse_note(p, t.name, false);
        return px_jparse_expect(p, JT_NAME, "a name behind '.'") ? node : NULL;
    }
    px_jparse_note(p, t.name, p->in_target);
    return node;
}

static jnode *primary(jparse *p, bool with_namespace)
{
    jnode *node = NULL;
    switch (p->lex.current.type) {
    case JT_NAME:
        return name_or_word(p, with_namespace);
    case JT_STRING:
        return string(p);
    case JT_INTEGER:
    case JT_FLOAT:
        return constant(p, p->lex.current.value);
    case JT_LPAREN:
        if (!px_jlex_next(&p->lex))
            return NULL;
        node = px_jparse_tuple(p, true, true);
        return node && px_jparse_expect(p, JT_RPAREN, "')'") ? node : NULL;
    case JT_LBRACKET:
        return bracketed(p, JN_LIST, JT_RBRACKET, "',' or ']'");
    case JT_LBRACE:
        return bracketed(p, JN_DICT, JT_RBRACE, "',' or '}'");
    default:
        px_jparse_fail(p, "an expression");
        return NULL;
    }
}

/* ---- calls, members, filters, tests */

static bool named_argument(jparse *p, jcall *call, jnodes *named, jnodes *keys)
{
    jnode *key = px_jparse_node(p, JN_NAME, p->lex.current.line);
    if (!key)
        return false;
    key->name.name = p->lex.current.name;
    for (int32_t i = 0; i < keys->n; i++)
        if (keys->items[i]->name.name == key->name.name)
            return px_jbuild_fail(
                p->build, key->line, "the argument '%.*s' is given twice",
                PX_STR_ARG(((px_str){key->name.name->str.data, key->name.name->str.len})));
    if (keys->n >= 1000)
        return px_jbuild_over(p->build, key->line, "a call has more than 1000 named arguments");
    if (call->star2)
        return px_jparse_fail(p, "')' behind **");
    return px_jlex_next(&p->lex) && px_jlex_next(&p->lex) && px_jparse_push(p, keys, key) &&
           px_jparse_push(p, named, px_jparse_expression(p, true));
}

static bool one_argument(jparse *p, jcall *call, jnodes *pos, jnodes *named, jnodes *keys)
{
    if (px_jparse_is(p, JT_MUL) || px_jparse_is(p, JT_POW)) {
        bool dict = px_jparse_is(p, JT_POW);
        if (call->star2 || (call->star && !dict))
            return px_jparse_fail(p, "one * and one ** at most, in this order");
        jnode *star = px_jlex_next(&p->lex) ? px_jparse_expression(p, true) : NULL;
        *(dict ? &call->star2 : &call->star) = star;
        return star != NULL;
    }
    if (px_jparse_is(p, JT_NAME)) {
        if (!px_jlex_look(&p->lex))
            return false;
        if (p->lex.ahead.type == JT_ASSIGN)
            return named_argument(p, call, named, keys);
    }
    if (call->star || call->star2 || named->n)
        return px_jparse_fail(p, "a named argument: one without a name cannot follow");
    return px_jparse_push(p, pos, px_jparse_expression(p, true));
}

/* "(a, b=c, *d, **e)"; raises `node`. */
static jcall *arguments(jparse *p, jnode *node)
{
    jcall *call = px_jbuild_alloc(p->build, 1, sizeof *call);
    jnodes pos = {0}, named = {0}, keys = {0};
    bool first = true;
    if (!call || !px_jlex_next(&p->lex))
        return NULL;
    while (!px_jparse_is(p, JT_RPAREN)) {
        if (!first && !px_jparse_expect(p, JT_COMMA, "',' or ')'"))
            return NULL;
        if (!first && px_jparse_is(p, JT_RPAREN))
            break;
        if (!one_argument(p, call, &pos, &named, &keys))
            return NULL;
        first = false;
    }
    if (!px_jlex_next(&p->lex))
        return NULL;
    call->pos = pos.items;
    call->n_pos = pos.n;
    call->named = named.items;
    call->n_named = named.n;
    call->names = px_jbuild_alloc(p->build, (size_t)named.n, sizeof(jname *));
    if (!call->names)
        return NULL;
    for (int32_t i = 0; i < named.n; i++)
        call->names[i] = keys.items[i]->name.name;
    for (int32_t i = 0; i < pos.n; i++)
        if (!px_jparse_raise(p, node, pos.items[i]))
            return NULL;
    for (int32_t i = 0; i < named.n; i++)
        if (!px_jparse_raise(p, node, named.items[i]))
            return NULL;
    bool ok = px_jparse_raise(p, node, call->star) && px_jparse_raise(p, node, call->star2);
    return ok ? call : NULL;
}

static jnode *call(jparse *p, jnode *of)
{
    jnode *node = px_jparse_node(p, JN_CALL, p->lex.current.line);
    if (!node || !px_jparse_raise(p, node, of))
        return NULL;
    node->call.of = of;
    node->call.args = arguments(p, node);
    return node->call.args ? node : NULL;
}

/* "a", "a:b:c" and parts of it, inside of square brackets. */
static jnode *subscript(jparse *p, jnode *of, jnode *node)
{
    jnode *parts[3] = {0};
    bool colon = false;
    for (int i = 0; i < 3; i++) {
        if (!px_jparse_is(p, JT_COLON) && !px_jparse_is(p, JT_RBRACKET)) {
            parts[i] = px_jparse_expression(p, true);
            if (!parts[i] || !px_jparse_raise(p, node, parts[i]))
                return NULL;
        }
        if (i == 2 || !px_jparse_is(p, JT_COLON))
            break;
        colon = true;
        if (!px_jlex_next(&p->lex))
            return NULL;
    }
    if (colon) {
        node->kind = JN_SLICE;
        node->slice.of = of;
        node->slice.start = parts[0];
        node->slice.stop = parts[1];
        node->slice.step = parts[2];
        return node;
    }
    if (!parts[0]) {
        px_jparse_fail(p, "an index");
        return NULL;
    }
    node->item.of = of;
    node->item.key = parts[0];
    return node;
}

/* "[1, 2]" is indexing by a tuple. */
static jnode *tuple_subscript(jparse *p, jnode *node)
{
    jnode *tuple = px_jparse_node(p, JN_TUPLE, node->line);
    jnodes items = {0};
    if (!tuple || node->kind == JN_SLICE) {
        px_jparse_fail(p, "']' behind a slice");
        return NULL;
    }
    if (!px_jparse_push(p, &items, node->item.key))
        return NULL;
    while (!px_jparse_is(p, JT_RBRACKET))
        if (!px_jparse_expect(p, JT_COMMA, "',' or ']'") ||
            !px_jparse_push(p, &items, px_jparse_expression(p, true)))
            return NULL;
    for (int32_t i = 0; i < items.n; i++)
        if (!px_jparse_raise(p, tuple, items.items[i]))
            return NULL;
    tuple->list.items = items.items;
    tuple->list.n = items.n;
    node->item.key = tuple;
    return px_jparse_raise(p, node, tuple) ? node : NULL;
}

static jnode *member(jparse *p, jnode *of)
{
    bool dot = px_jparse_is(p, JT_DOT);
    jnode *node = px_jparse_node(p, JN_ITEM, p->lex.current.line);
    if (!node || !px_jparse_raise(p, node, of) || !px_jlex_next(&p->lex))
        return NULL;
    if (!dot) {
        node = subscript(p, of, node);
        if (node && px_jparse_is(p, JT_COMMA))
            node = tuple_subscript(p, node);
        return node && px_jparse_expect(p, JT_RBRACKET, "']'") ? node : NULL;
    }
    if (px_jparse_is(p, JT_NAME)) {
        node->kind = JN_ATTR;
        node->attr.of = of;
        node->attr.name = p->lex.current.name;
        node->method = px_jinja_is_member_name(node->attr.name->str.data, node->attr.name->str.len);
        return px_jlex_next(&p->lex) ? node : NULL;
    }
    if (!px_jparse_is(p, JT_INTEGER)) {
        px_jparse_fail(p, "a name or a number behind '.'");
        return NULL;
    }
    node->item.of = of;
    node->item.key = constant(p, p->lex.current.value);
    return node->item.key ? node : NULL;
}

static jnode *postfix(jparse *p, jnode *node)
{
    while (node) {
        if (px_jparse_is(p, JT_DOT) || px_jparse_is(p, JT_LBRACKET))
            node = member(p, node);
        else if (px_jparse_is(p, JT_LPAREN))
            node = call(p, node);
        else
            break;
    }
    return node;
}

/* The name of a filter or test, dots included. */
static jname *dotted_name(jparse *p)
{
    jname *name = p->lex.current.name;
    if (!px_jparse_expect(p, JT_NAME, "a name"))
        return NULL;
    while (px_jparse_is(p, JT_DOT)) {
        px_buf all = {.limit = PX_MAX_TEMPLATE_BYTES};
        if (!px_jlex_next(&p->lex))
            return NULL;
        const jname *more = p->lex.current.name;
        if (!px_jparse_expect(p, JT_NAME, "a name behind '.'"))
            return NULL;
        px_buf_put(&all, name->str.data, name->str.len);
        px_buf_putc(&all, '.');
        px_buf_put(&all, more->str.data, more->str.len);
        name = all.failed ? NULL : px_jbuild_intern(p->build, all.data, all.len);
        px_buf_status(&all, "a name", p->build->err);
        px_buf_clear(&all);
        if (!name)
            return NULL;
    }
    return name;
}

jnode *px_jparse_filters(jparse *p, jnode *of, bool inline_first)
{
    while (inline_first || px_jparse_is(p, JT_PIPE)) {
        if (!inline_first && !px_jlex_next(&p->lex))
            return NULL;
        inline_first = false;
        jnode *node = px_jparse_node(p, JN_FILTER, p->lex.current.line);
        if (!node || !px_jparse_raise(p, node, of))
            return NULL;
        node->call.of = of;
        node->call.name = dotted_name(p);
        if (!node->call.name)
            return NULL;
        node->call.fn = px_jinja_find_filter(node->call.name->str.data, node->call.name->str.len);
        if (px_jparse_is(p, JT_LPAREN)) {
            node->call.args = arguments(p, node);
            if (!node->call.args)
                return NULL;
        }
        of = node;
    }
    return of;
}

/* Whether a test is followed by an argument without brackets. */
static bool bare_argument(const jparse *p)
{
    switch (p->lex.current.type) {
    case JT_NAME:
        return !px_jparse_is_name(&p->lex.current, "else") &&
               !px_jparse_is_name(&p->lex.current, "or") &&
               !px_jparse_is_name(&p->lex.current, "and");
    case JT_STRING:
    case JT_INTEGER:
    case JT_FLOAT:
    case JT_LBRACKET:
    case JT_LBRACE:
        return true;
    default:
        return false;
    }
}

static jnode *test(jparse *p, jnode *of)
{
    bool negated = false;
    jnode *node = px_jparse_node(p, JN_TEST, p->lex.current.line);
    if (!node || !px_jparse_raise(p, node, of) || !px_jlex_next(&p->lex) ||
        !px_jparse_skip_name(p, "not", &negated))
        return NULL;
    node->call.of = of;
    node->call.name = dotted_name(p);
    if (!node->call.name)
        return NULL;
    node->call.fn = px_jinja_find_test(node->call.name->str.data, node->call.name->str.len);
    if (px_jparse_is(p, JT_LPAREN)) {
        node->call.args = arguments(p, node);
        if (!node->call.args)
            return NULL;
    } else if (bare_argument(p)) {
        if (px_jparse_is_name(&p->lex.current, "is")) {
            px_jparse_fail(p, "the end of the test: 'is' cannot follow 'is'");
            return NULL;
        }
        jnodes list = {0};
        jnode *arg = postfix(p, primary(p, false));
        node->call.args = px_jbuild_alloc(p->build, 1, sizeof *node->call.args);
        if (!node->call.args || !px_jparse_push(p, &list, arg) || !px_jparse_raise(p, node, arg))
            return NULL;
        node->call.args->pos = list.items;
        node->call.args->n_pos = 1;
    }
    if (!negated)
        return node;
    jnode *outer = px_jparse_node(p, JN_NOT, node->line);
    if (!outer || !px_jparse_raise(p, outer, node))
        return NULL;
    outer->of = node;
    return outer;
}

static jnode *filters_and_tests(jparse *p, jnode *node)
{
    while (node) {
        if (px_jparse_is(p, JT_PIPE))
            node = px_jparse_filters(p, node, false);
        else if (px_jparse_is_name(&p->lex.current, "is"))
            node = test(p, node);
        else if (px_jparse_is(p, JT_LPAREN))
            node = call(p, node);
        else
            break;
    }
    return node;
}

/* ---- operators */

static jnode *unary(jparse *p, bool with_filters)
{
    if (!px_jparse_enter(p))
        return NULL;
    jnode *node = NULL;
    if (px_jparse_is(p, JT_SUB) || px_jparse_is(p, JT_ADD)) {
        jkind kind = px_jparse_is(p, JT_SUB) ? JN_NEG : JN_POS;
        node = px_jparse_node(p, kind, p->lex.current.line);
        if (node && px_jlex_next(&p->lex)) {
            node->of = unary(p, false);
            if (!node->of || !px_jparse_raise(p, node, node->of))
                node = NULL;
        } else {
            node = NULL;
        }
    } else {
        node = primary(p, false);
    }
    node = postfix(p, node);
    if (with_filters)
        node = filters_and_tests(p, node);
    p->depth--;
    return node;
}

/* The precedences of chains, tightest first. */
static bool is_operator(int level, jtok t)
{
    switch (level) {
    case 0:
        return t == JT_POW;
    case 1:
        return t == JT_MUL || t == JT_DIV || t == JT_FLOORDIV || t == JT_MOD;
    case 2:
        return t == JT_TILDE;
    default:
        return t == JT_ADD || t == JT_SUB;
    }
}

/* Concatenation by ~ keeps its operands in a list. */
static jnode *concat(jparse *p, jnode *first);

static jnode *math(jparse *p, int level)
{
    jnode *first = level ? math(p, level - 1) : unary(p, true);
    if (!first || !is_operator(level, p->lex.current.type))
        return first;
    if (level == 2)
        return concat(p, first);
    jnode *node = px_jparse_node(p, JN_MATH, first->line);
    int32_t cap = 0;
    if (!node || !px_jparse_raise(p, node, first))
        return NULL;
    node->chain.first = first;
    while (is_operator(level, p->lex.current.type)) {
        if (node->chain.n == cap) {
            cap = cap ? cap * 2 : 2;
            jlink *links = px_jbuild_alloc(p->build, (size_t)cap, sizeof *links);
            if (!links)
                return NULL;
            if (node->chain.n)
                memcpy(links, node->chain.links, (size_t)node->chain.n * sizeof *links);
            node->chain.links = links;
        }
        jlink link = {.op = p->lex.current.type, .line = p->lex.current.line};
        if (!px_jlex_next(&p->lex))
            return NULL;
        link.expr = level ? math(p, level - 1) : unary(p, true);
        if (!link.expr || !px_jparse_raise(p, node, link.expr))
            return NULL;
        node->chain.links[node->chain.n++] = link;
    }
    return node;
}

static jnode *concat(jparse *p, jnode *first)
{
    jnode *node = px_jparse_node(p, JN_CONCAT, first->line);
    jnodes items = {0};
    if (!node || !px_jparse_push(p, &items, first) || !px_jparse_raise(p, node, first))
        return NULL;
    while (px_jparse_is(p, JT_TILDE)) {
        if (!px_jlex_next(&p->lex) || !px_jparse_push(p, &items, math(p, 1)) ||
            !px_jparse_raise(p, node, items.items[items.n - 1]))
            return NULL;
    }
    node->list.items = items.items;
    node->list.n = items.n;
    return node;
}

/* Reads the operator of a comparison: JT_EOF when there is none. */
static bool comparison(jparse *p, jtok *op)
{
    bool found = false;
    *op = JT_EOF;
    if (p->lex.current.type >= JT_EQ && p->lex.current.type <= JT_GE) {
        *op = p->lex.current.type;
        return px_jlex_next(&p->lex);
    }
    if (px_jparse_is_name(&p->lex.current, "not")) {
        if (!px_jlex_look(&p->lex))
            return false;
        if (!px_jparse_is_name(&p->lex.ahead, "in"))
            return true;
        *op = JT_SEMICOLON;
        return px_jlex_next(&p->lex) && px_jlex_next(&p->lex);
    }
    if (!px_jparse_skip_name(p, "in", &found))
        return false;
    if (found)
        *op = JT_NAME;
    return true;
}

static jnode *compare(jparse *p)
{
    jnode *first = math(p, 3), *node = NULL;
    int32_t cap = 0;
    while (first) {
        jlink link = {.line = p->lex.current.line};
        if (!comparison(p, &link.op))
            return NULL;
        if (link.op == JT_EOF)
            return node ? node : first;
        if (!node) {
            node = px_jparse_node(p, JN_COMPARE, first->line);
            if (!node || !px_jparse_raise(p, node, first))
                return NULL;
            node->chain.first = first;
        }
        link.expr = math(p, 3);
        if (!link.expr || !px_jparse_raise(p, node, link.expr))
            return NULL;
        if (node->chain.n == cap) {
            cap = cap ? cap * 2 : 1;
            jlink *links = px_jbuild_alloc(p->build, (size_t)cap, sizeof *links);
            if (!links)
                return NULL;
            if (node->chain.n)
                memcpy(links, node->chain.links, (size_t)node->chain.n * sizeof *links);
            node->chain.links = links;
        }
        node->chain.links[node->chain.n++] = link;
    }
    return NULL;
}

static jnode *negation(jparse *p)
{
    if (!px_jparse_is_name(&p->lex.current, "not"))
        return compare(p);
    jnode *node = px_jparse_node(p, JN_NOT, p->lex.current.line);
    if (!node || !px_jparse_enter(p) || !px_jlex_next(&p->lex))
        return NULL;
    node->of = negation(p);
    p->depth--;
    return node->of && px_jparse_raise(p, node, node->of) ? node : NULL;
}

/* "a and b and c" or, around it, "a or b or c". */
static jnode *logic(jparse *p, jkind kind)
{
    const char *word = kind == JN_OR ? "or" : "and";
    jnode *first = kind == JN_OR ? logic(p, JN_AND) : negation(p);
    if (!first || !px_jparse_is_name(&p->lex.current, word))
        return first;
    jnode *node = px_jparse_node(p, kind, first->line);
    jnodes items = {0};
    if (!node || !px_jparse_push(p, &items, first) || !px_jparse_raise(p, node, first))
        return NULL;
    while (px_jparse_is_name(&p->lex.current, word)) {
        if (!px_jlex_next(&p->lex) ||
            !px_jparse_push(p, &items, kind == JN_OR ? logic(p, JN_AND) : negation(p)) ||
            !px_jparse_raise(p, node, items.items[items.n - 1]))
            return NULL;
    }
    node->list.items = items.items;
    node->list.n = items.n;
    return node;
}

static jnode *conditional(jparse *p)
{
    jnode *yes = logic(p, JN_OR);
    bool found = yes != NULL;
    while (found) {
        uint32_t line = p->lex.current.line;
        if (!px_jparse_skip_name(p, "if", &found))
            return NULL;
        if (!found)
            break;
        jnode *node = px_jparse_node(p, JN_COND, line);
        bool has_else = false;
        if (!node)
            return NULL;
        node->cond.yes = yes;
        node->cond.test = logic(p, JN_OR);
        if (!node->cond.test || !px_jparse_skip_name(p, "else", &has_else))
            return NULL;
        if (has_else) {
            node->cond.no = px_jparse_expression(p, true);
            if (!node->cond.no)
                return NULL;
        }
        if (!px_jparse_raise(p, node, node->cond.yes) ||
            !px_jparse_raise(p, node, node->cond.test) || !px_jparse_raise(p, node, node->cond.no))
            return NULL;
        yes = node;
    }
    return yes;
}

jnode *px_jparse_expression(jparse *p, bool with_cond)
{
    if (!px_jparse_enter(p))
        return NULL;
    jnode *node = with_cond ? conditional(p) : logic(p, JN_OR);
    p->depth--;
    return node;
}

/* ---- tuples and targets */

typedef enum part { PART_EXPRESSION, PART_NO_COND, PART_PRIMARY, PART_NAMESPACE } part;

static jnode *tuple_part(jparse *p, part how)
{
    if (how == PART_EXPRESSION || how == PART_NO_COND)
        return px_jparse_expression(p, how == PART_EXPRESSION);
    if (!px_jparse_enter(p))
        return NULL;
    jnode *node = primary(p, how == PART_NAMESPACE);
    p->depth--;
    return node;
}

static bool tuple_ends(const jparse *p)
{
    return px_jparse_is(p, JT_VAR_END) || px_jparse_is(p, JT_BLOCK_END) ||
           px_jparse_is(p, JT_RPAREN);
}

static jnode *tuple_of(jparse *p, part how, bool empty_allowed)
{
    uint32_t line = p->lex.current.line;
    jnodes items = {0};
    bool is_tuple = false;
    while (!tuple_ends(p)) {
        bool comma = false;
        if (!px_jparse_push(p, &items, tuple_part(p, how)) || !px_jparse_skip(p, JT_COMMA, &comma))
            return NULL;
        if (!comma)
            break;
        is_tuple = true;
    }
    if (!is_tuple && items.n)
        return items.items[0];
    if (!is_tuple && !empty_allowed) {
        px_jparse_fail(p, "an expression");
        return NULL;
    }
    jnode *node = px_jparse_node(p, JN_TUPLE, line);
    if (!node)
        return NULL;
    for (int32_t i = 0; i < items.n; i++)
        if (!px_jparse_raise(p, node, items.items[i]))
            return NULL;
    node->list.items = items.items;
    node->list.n = items.n;
    return node;
}

jnode *px_jparse_tuple(jparse *p, bool with_cond, bool empty_allowed)
{
    return tuple_of(p, with_cond ? PART_EXPRESSION : PART_NO_COND, empty_allowed);
}

static bool assignable(jparse *p, const jnode *node)
{
    if (node->kind == JN_NAME || node->kind == JN_NSREF)
        return true;
    if (node->kind != JN_TUPLE)
        return px_jbuild_fail(p->build, node->line,
                              "only names and tuples of names can be assigned to");
    for (int32_t i = 0; i < node->list.n; i++)
        if (!assignable(p, node->list.items[i]))
            return false;
    return true;
}

jnode *px_jparse_target(jparse *p, bool with_namespace)
{
    bool before = p->in_target;
    p->in_target = true;
    jnode *node = tuple_of(p, with_namespace ? PART_NAMESPACE : PART_PRIMARY, false);
    p->in_target = before;
    return node && assignable(p, node) ? node : NULL;
}
