/* jinja_parse: what the two halves of the parser share; jinja_expr reads expressions, jinja_parse
 * statements. Functions return NULL or false after recording a failure. */
#ifndef PX_TEXT_JINJA_PARSE_H
#define PX_TEXT_JINJA_PARSE_H

#include "text/jinja_ast.h"

/* The names that change what a macro accepts when its body reads them. */
enum { JSPECIAL_CALLER, JSPECIAL_KWARGS, JSPECIAL_VARARGS, JSPECIALS };

/* A macro whose body is being read. */
typedef struct jmacro_scan {
    struct jmacro_scan *outer;
    bool read[JSPECIALS];
    bool assigned[JSPECIALS]; // before being read: then it is a variable like others
} jmacro_scan;

typedef struct jparse {
    jlex lex;
    jbuild *build;
    int depth;
    int loops;      // loops around this place, within its function
    bool in_target; // names are assigned, not read
    jmacro_scan *scan;
} jparse;

/* A list that grows while it is read. */
typedef struct jnodes {
    jnode **items;
    int32_t n, cap;
} jnodes;
bool px_jparse_push(jparse *p, jnodes *list, jnode *node);

bool px_jparse_fail(jparse *p, const char *expected); // "expected X, found Y" at the current token
bool px_jparse_enter(jparse *p);
jnode *px_jparse_node(jparse *p, jkind kind, uint32_t line);
/* Makes node higher than child; false when that is too high. */
bool px_jparse_raise(jparse *p, jnode *node, const jnode *child);

static inline bool px_jparse_is(const jparse *p, jtok type)
{
    return p->lex.current.type == type;
}
bool px_jparse_is_name(const jtoken *t, const char *name);
/* Skips a token of this type, or a name; *found tells. */
bool px_jparse_skip(jparse *p, jtok type, bool *found);
bool px_jparse_skip_name(jparse *p, const char *name, bool *found);
bool px_jparse_expect(jparse *p, jtok type, const char *what);
/* Notes that a name is read or assigned, for the macros around. */
void px_jparse_note(jparse *p, const jname *name, bool assigned);

jnode *px_jparse_expression(jparse *p, bool with_cond);
/* An expression, or several with commas as a tuple. */
jnode *px_jparse_tuple(jparse *p, bool with_cond, bool empty_allowed);
/* A target of an assignment, names noted as assigned. */
jnode *px_jparse_target(jparse *p, bool with_namespace);
/* "|name(args)|..." on top of node; with `inline_first` the first has no bar before it. */
jnode *px_jparse_filters(jparse *p, jnode *node, bool inline_first);

#endif
