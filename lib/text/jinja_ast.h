/*
 * jinja_ast: a parsed template as a tree, names bound to slots.
 *
 * A function is what has variables of its own at run time: the template, a macro, the body of a
 * call or generation block, a recursive loop, the filter of a loop. Its slots live in one frame,
 * linked to the frame of the function around it; a name is a number of links to follow and a slot.
 * A scope is a stretch of a function in which names are bound anew (a loop body, a with block);
 * entering it runs its loads.
 *
 * Operator chains of one precedence are one node, so the tree is as high as brackets are deep;
 * every height is at most PX_MAX_TEMPLATE_DEPTH.
 */
#ifndef PX_TEXT_JINJA_AST_H
#define PX_TEXT_JINJA_AST_H

#include "text/jinja_lex.h"
#include "text/jinja_value.h"

typedef enum jkind {
    /* expressions */
    JN_CONST,
    JN_NAME,
    JN_LIST,
    JN_TUPLE,
    JN_DICT, // keys and values in turn
    JN_CONCAT,
    JN_AND,
    JN_OR,
    JN_MATH,    // chain of + - or of * / // % or of **
    JN_COMPARE, // chain of == != < <= > >= in notin
    JN_NEG,
    JN_POS,
    JN_NOT,
    JN_ATTR,
    JN_ITEM,
    JN_SLICE,
    JN_CALL,
    JN_FILTER,
    JN_TEST,
    JN_COND,
    JN_NSREF, // target only: name.attribute
    /* statements */
    JN_DATA,
    JN_PRINT,
    JN_IF,
    JN_FOR,
    JN_SET,
    JN_SET_BLOCK,
    JN_MACRO,
    JN_CALL_BLOCK,
    JN_FILTER_BLOCK,
    JN_WITH,
    JN_GENERATION,
    JN_SCOPE, // autoescape false: a scope and nothing else
    JN_BREAK,
    JN_CONTINUE
} jkind;

typedef struct jnode jnode;
typedef struct jfor jfor;
typedef struct jif jif;
typedef struct jwith jwith;
typedef struct jset_block jset_block;
typedef struct jmacro_def jmacro_def;
typedef struct jcall_block jcall_block;

/* How a slot gets its value when a scope is entered. */
typedef enum jload_kind {
    JLOAD_PARAM,   // by whoever enters: nothing to do
    JLOAD_RESOLVE, // the variable of the rendering, or a global function
    JLOAD_ALIAS,   // what an outer scope has under the name
    JLOAD_UNDEFINED
} jload_kind;

typedef struct jload {
    jload_kind kind;
    uint32_t slot;
    uint32_t hops, from; // ALIAS
    jname *name;         // RESOLVE
    const jbuiltin *global;
} jload;

typedef struct jscope {
    jload *loads;
    uint32_t n_loads;
    uint32_t first_slot, n_slots; // set to MISSING when the scope is left
} jscope;

typedef struct jfunc {
    uint32_t n_slots;
} jfunc;

typedef struct jbody {
    jnode **items;
    int32_t n;
} jbody;

/* Arguments as written. */
typedef struct jcall {
    jnode **pos;
    jname **names;
    jnode **named;
    int32_t n_pos, n_named;
    jnode *star, *star2; // *args and **kwargs, or NULL
} jcall;

/* One more operand of a chain. */
typedef struct jlink {
    jtok op; // JT_ADD...; COMPARE: JT_EQ...JT_GE, JT_NAME for `in`, JT_SEMICOLON for `not in`
    uint32_t line;
    jnode *expr;
} jlink;

struct jnode {
    uint8_t kind; // jkind
    bool method;  // ATTR: some type has a method or attribute of this name
    uint16_t height;
    uint32_t line;
    union {
        jv value;     // CONST, DATA
        jnode *of;    // NEG, POS, NOT, PRINT
        jif *cond_if; // IF
        jfor *loop;
        jwith *with;         // WITH, SCOPE
        jset_block *capture; // SET_BLOCK, FILTER_BLOCK
        jmacro_def *macro;   // MACRO, GENERATION
        jcall_block *call_block;
        struct {
            jname *name;
            jname *attr; // NSREF
            uint32_t hops, slot;
        } name;
        struct {
            jnode **items;
            int32_t n;
        } list;
        struct {
            jnode *first;
            jlink *links;
            int32_t n;
        } chain;
        struct {
            jnode *of;
            jname *name;
        } attr;
        struct {
            jnode *of, *key;
        } item;
        struct {
            jnode *of, *start, *stop, *step; // NULL where left out
        } slice;
        struct {
            jnode *of;
            jcall *args;
            jname *name;        // FILTER, TEST
            const jbuiltin *fn; // NULL: unknown, an error when it is reached
        } call;                 // CALL, FILTER (of NULL: the captured text), TEST
        struct {
            jnode *test, *yes, *no; // no may be NULL
        } cond;
        struct {
            jnode *target, *value;
        } set;
    };
};

struct jif {
    jnode *test;
    jbody body;
    jif *next; // elif, or NULL
    jbody otherwise;
};

struct jfor {
    jnode *target, *iter, *test; // test may be NULL
    bool recursive;
    jbody body, otherwise;
    jscope scope, else_scope, test_scope;
    jfunc func, test_func; // func: of a recursive loop
    uint32_t loop_slot;
    /* The filter assigns the target in a frame of its own. */
    jnode *test_target;
};

struct jwith {
    jnode **targets, **values;
    int32_t n;
    jbody body;
    jscope scope;
};

struct jset_block {
    jnode *target; // SET_BLOCK
    jnode *filter; // chain of FILTER nodes that ends in the captured text; NULL for none
    jbody body;
    jscope scope;
};

struct jmacro_def {
    jname *name; // NULL: the caller of a call block
    jname **params;
    uint32_t *param_slots;
    jnode **defaults; // NULL where there is none
    int32_t n_params;
    bool wants_caller, wants_kwargs, wants_varargs;
    int32_t explicit_caller; // the parameter called caller, or -1
    uint32_t caller_slot, kwargs_slot, varargs_slot;
    uint32_t hops, slot; // where the macro itself goes
    jbody body;
    jscope scope;
    jfunc func;
};

struct jcall_block {
    jmacro_def *caller;
    jnode *call;
};

/* A whole template. */
typedef struct jtree {
    jbody body;
    jscope scope;
    jfunc func;
} jtree;

/* Parses source (valid UTF-8, newlines normalised) into a tree in build->arena; failures are
 * recorded in build->err. */
bool px_jinja_parse(jbuild *build, const char *src, size_t len, jtree *tree);
/* Binds the names of a parsed tree. */
bool px_jinja_bind_names(jbuild *build, jtree *tree);

/* Filters, tests and global functions by name; NULL for none. */
const jbuiltin *px_jinja_find_filter(const char *name, size_t len);
const jbuiltin *px_jinja_find_test(const char *name, size_t len);
const jbuiltin *px_jinja_find_global(const char *name, size_t len);
/* Whether some type has a member of this name besides the items of a dict. */
bool px_jinja_is_member_name(const char *name, size_t len);

#endif
