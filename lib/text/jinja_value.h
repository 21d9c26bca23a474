/*
 * jinja_value: the values that templates compute with, and the state of one rendering.
 *
 * The kinds are Python's as templates meet them: None, bool, int (64 bits; what does not fit is an
 * error, not a bigger number), float, str (valid UTF-8, indexed by character), list, tuple, dict in
 * order of insertion, range, the views of a dict, iterators that can be walked once, and Jinja's
 * own undefined, namespace, loop, macro, cycler and joiner.
 *
 * Memory: everything that a rendering makes lies in its arena and goes with it; constants lie in
 * the arena of the parsed template. Nothing is freed alone. Lists and dicts do not change once
 * another value can see them (templates have no way to change them), so values share them freely.
 *
 * Failure: functions here return false (or -1, or NULL) after recording why in run->err.
 *
 * Threads: a run belongs to one thread. Strings of the parsed template come with `chars` and `hash`
 * filled in, so that nothing in it is written while renderings share it.
 */
#ifndef PX_TEXT_JINJA_VALUE_H
#define PX_TEXT_JINJA_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "text/template.h"

#include <stdint.h>

typedef enum jv_type {
    JV_MISSING, // no value: an argument that was not given, a variable not yet set
    JV_UNDEFINED,
    JV_NONE,
    JV_BOOL,
    JV_INT,
    JV_FLOAT,
    JV_STR,
    JV_LIST,
    JV_TUPLE,
    JV_DICT,
    JV_RANGE,
    JV_VIEW, // keys(), values() or items() of a dict
    JV_ITER,
    JV_NAMESPACE,
    JV_LOOP,
    JV_MACRO,
    JV_FUNCTION,
    JV_METHOD,
    JV_CYCLER,
    JV_JOINER
} jv_type;

typedef struct jstr jstr;
typedef struct jlist jlist;
typedef struct jdict jdict;
typedef struct jiter jiter;
typedef struct jrun jrun;
typedef struct jundef jundef;
typedef struct jrange jrange;
typedef struct jview jview;
typedef struct jloop jloop;
typedef struct jmacro jmacro;
typedef struct jmethod jmethod;
typedef struct jcycler jcycler;
typedef struct jjoiner jjoiner;
typedef struct jbuiltin jbuiltin;

typedef struct jv {
    jv_type type;
    union {
        bool b;
        int64_t i;
        double f;
        jstr *s;
        jlist *l; // LIST and TUPLE
        jdict *d; // DICT and NAMESPACE
        jiter *it;
        jundef *u;
        jrange *r;
        jview *w;
        jloop *loop;
        jmacro *m;
        jmethod *bound;
        jcycler *c;
        jjoiner *j;
        const jbuiltin *fn;
    };
} jv;

/* Room behind a string that the next append to it may take, as long as it is still the last one
 * that did: templates that gather text in a namespace then cost what they print, not its square. */
typedef struct jtail {
    char *used, *end;
} jtail;

struct jstr {
    const char *data;
    size_t len;
    int64_t chars;  // -1: not counted
    uint64_t hash;  // 0: not computed
    jtail *tail;    // or NULL
    px_span *spans; // of a captured piece of output, from its start; or NULL
    uint32_t n_spans;
    bool markup; // came from escape or safe
};

struct jlist {
    jv *items;
    int64_t n, cap;
    bool group; // a tuple of the filter groupby: has .grouper and .list
};

typedef struct jentry {
    jv key, value;
} jentry;

struct jdict {
    jentry *entries; // in order of insertion
    uint32_t *slots; // entry + 1 by hash, 0 for free; NULL while the dict is small
    uint32_t n, cap, n_slots;
    int32_t message; // index in `messages`, or -1
};

struct jundef {
    jstr *hint; // the whole sentence, or NULL: made from the other two
    jv owner;   // MISSING: a variable
    jv name;
};

struct jrange {
    int64_t start, stop, step, n;
};

typedef enum jview_kind { JVIEW_KEYS, JVIEW_VALUES, JVIEW_ITEMS } jview_kind;
struct jview {
    jdict *d;
    jview_kind kind;
};

/* Something that is walked once. `next` gives 1 and an item, 0 at the end (and from then on), or
 * -1. */
struct jiter {
    int (*next)(jrun *run, jiter *it, jv *out);
    const char *type_name; // as Python calls it
};

struct jcycler {
    jlist *items;
    int64_t at;
};

struct jjoiner {
    jv sep;
    bool used;
};

struct jmethod {
    jv self;
    const jbuiltin *fn;
};

/* Arguments of a call as written. */
typedef struct jargs {
    jv *pos;
    int n_pos;
    jstr **names;
    jv *named;
    int n_named;
} jargs;

/* A filter, test, method or global function. `params` names the parameters in order (NULL: by
 * position only); a[i] is MISSING where it was not given. With `variadic`, arguments past the
 * parameters are in `more` and the callee checks them. */
enum { JBUILTIN_PARAMS = 6 };
struct jbuiltin {
    const char *name;
    bool (*call)(jrun *run, jv self, const jv *a, const jargs *more, jv *out);
    uint8_t least, most;
    bool variadic;
    const char *params[JBUILTIN_PARAMS];
};

/* One rendering. */
struct jrun {
    px_arena arena;
    pith_error *err;
    const char *name; // of the template
    uint32_t line;    // of what is being evaluated
    uint64_t steps;
    int depth;
    uint64_t seed; // of hashes
    int64_t now;
    px_buf out; // what is printed; captures in progress stand at its end
    px_span *spans;
    size_t n_spans, cap_spans;
    int32_t message; // index of the message whose loop runs, or -1
    jdict *vars;
};

/* ---- state */

enum {
    JINJA_MAX_RANGE = 100000, // items of a range, as in the reference's sandbox
    /* Evaluations nested in each other at run time: macros multiply the nesting of the source. A
     * level costs at most about 500 bytes of stack. */
    JINJA_MAX_NESTING = 8 * PX_MAX_TEMPLATE_DEPTH
};

/* Records "NAME: line N: ..." as TEMPLATE; returns false. */
bool px_jinja_fail(jrun *run, const char *fmt, ...) PX_PRINTF(2, 3);
/* The same as LIMIT. */
bool px_jinja_over(jrun *run, const char *fmt, ...) PX_PRINTF(2, 3);
/* Counts work: about one per evaluated node, or per 16 bytes moved. */
bool px_jinja_charge(jrun *run, uint64_t steps);
/* Going one level deeper, and back. */
bool px_jinja_enter(jrun *run);
static inline void px_jinja_leave(jrun *run)
{
    run->depth--;
}
/* n elements of `size` bytes, zeroed; NULL after recording LIMIT or MEMORY. */
void *px_jinja_alloc(jrun *run, size_t n, size_t size);
/* n bytes, not zeroed. Counts the work of filling them. */
char *px_jinja_bytes(jrun *run, size_t n);
/* Room for n bytes behind run->out, whose len the caller then moves; NULL after recording why. */
char *px_jinja_room(jrun *run, size_t n);
/* Text behind run->out. */
bool px_jinja_put(jrun *run, const char *text, size_t len);

/* ---- making values */

#define JV_IS(v, t) ((v).type == (t))

static inline jv px_jv_none(void)
{
    return (jv){.type = JV_NONE};
}
static inline jv px_jv_bool(bool b)
{
    return (jv){.type = JV_BOOL, .b = b};
}
static inline jv px_jv_int(int64_t i)
{
    return (jv){.type = JV_INT, .i = i};
}
static inline jv px_jv_float(double f)
{
    return (jv){.type = JV_FLOAT, .f = f};
}
static inline jv px_jv_of_str(jstr *s)
{
    return (jv){.type = JV_STR, .s = s};
}
static inline jv px_jv_of_list(jv_type type, jlist *l)
{
    return (jv){.type = type, .l = l};
}

/* A string of `len` bytes of valid UTF-8, copied or lent (the bytes must outlive the run). */
bool px_jv_str(jrun *run, const char *text, size_t len, jv *out);
bool px_jv_lend(jrun *run, const char *text, size_t len, jv *out);
/* Lends the bytes from..to of s. */
bool px_jv_part(jrun *run, const jstr *s, size_t from, size_t to, jv *out);
/* What stands in run->out behind `mark`, taken out of it. */
bool px_jv_capture(jrun *run, size_t mark, size_t span_mark, jv *out);
/* Undefined: a variable, a member of something, or with a sentence of its own. */
bool px_jv_undef_name(jrun *run, jstr *name, jv *out);
bool px_jv_undef_member(jrun *run, jv owner, jv name, jv *out);
bool px_jv_undef_hint(jrun *run, jv *out, const char *fmt, ...) PX_PRINTF(3, 4);

jlist *px_jlist_new(jrun *run, int64_t room);
bool px_jlist_push(jrun *run, jlist *l, jv item);
/* A list or tuple of n values. */
bool px_jv_items(jrun *run, jv_type type, const jv *items, int64_t n, jv *out);

jdict *px_jdict_new(jrun *run);
/* Sets key to value; the key must be hashable. */
bool px_jdict_set(jrun *run, jdict *d, jv key, jv value);
/* 1 and the value, 0 when there is none, -1 when the key is not hashable or work ran out. */
int px_jdict_get(jrun *run, const jdict *d, jv key, jv *out);

/* ---- asking values */

/* Python's name of the type ("str", "NoneType"). */
const char *px_jv_type_name(jv v);
/* "'x' is undefined" and the like, as a failure; returns false. */
bool px_jv_fail_undefined(jrun *run, jv undefined);
bool px_jv_truth(jrun *run, jv v, bool *out);
/* a == b. */
bool px_jv_equal(jrun *run, jv a, jv b, bool *out);
/* The same object, as Python's `is`. */
bool px_jv_same(jv a, jv b);
typedef enum jorder { JORDER_LT, JORDER_LE, JORDER_GT, JORDER_GE } jorder;
bool px_jv_order(jrun *run, jorder op, jv a, jv b, bool *out);
/* Hashes; false for what is not hashable. */
bool px_jv_hash(jrun *run, jv v, uint64_t *out);
uint64_t px_jinja_hash_bytes(uint64_t seed, const char *data, size_t len);
/* len(v): -1 when it has none (nothing is recorded), -2 after recording a failure. */
int64_t px_jv_len(jrun *run, jv v);
/* Characters of s. */
int64_t px_jstr_chars(jrun *run, jstr *s);
static inline bool px_jv_is_number(jv v)
{
    return v.type == JV_BOOL || v.type == JV_INT || v.type == JV_FLOAT;
}
static inline bool px_jv_is_int(jv v) // as Python sees it: bool is one
{
    return v.type == JV_BOOL || v.type == JV_INT;
}
static inline int64_t px_jv_as_int(jv v)
{
    return v.type == JV_BOOL ? v.b : v.i;
}
static inline double px_jv_as_float(jv v)
{
    return v.type == JV_FLOAT ? v.f : (double)px_jv_as_int(v);
}
static inline bool px_jv_is_text(jv v, const char *text)
{
    return v.type == JV_STR && v.s->len == strlen(text) && memcmp(v.s->data, text, v.s->len) == 0;
}

/* Fits arguments to the parameters of fn: a[JBUILTIN_PARAMS]. `what` is "filter", "test"... */
bool px_jinja_bind(jrun *run, const char *what, const jbuiltin *fn, const jargs *args, jv *a,
                   jargs *more);
/* Binds and calls. */
bool px_jinja_call_builtin(jrun *run, const char *what, const jbuiltin *fn, jv self,
                           const jargs *args, jv *out);

#endif
