/*
 * jinja_eval: running a bound tree. jinja_eval.c evaluates expressions, jinja_exec.c runs
 * statements.
 *
 * A frame holds the slots of one function while it runs; frames stay until the rendering ends,
 * since macros may refer to them.
 */
#ifndef PX_TEXT_JINJA_EVAL_H
#define PX_TEXT_JINJA_EVAL_H

#include "text/jinja_ast.h"

typedef struct jframe {
    struct jframe *up; // of the function around
    jv *slots;
} jframe;

jframe *px_jframe_new(jrun *run, const jfunc *func, jframe *up);
/* The slot `hops` functions out. */
static inline jv *px_jframe_slot(jframe *frame, uint32_t hops, uint32_t slot)
{
    while (hops--)
        frame = frame->up;
    return &frame->slots[slot];
}

bool px_jinja_eval(jrun *run, jframe *frame, const jnode *node, jv *out);
/* The same for a filter chain that starts from a captured text. */
bool px_jinja_eval_filters(jrun *run, jframe *frame, const jnode *node, jv text, jv *out);
/* Evaluates a call with one more named argument. */
bool px_jinja_eval_call(jrun *run, jframe *frame, const jnode *node, jstr *name, jv value, jv *out);
/* Calls a value. */
bool px_jinja_call(jrun *run, jv callee, const jargs *args, jv *out);

/* Assigns to a target, taking tuples apart. */
bool px_jinja_assign(jrun *run, jframe *frame, const jnode *target, jv value);
void px_jscope_leave(jframe *frame, const jscope *scope);
bool px_jscope_enter(jrun *run, jframe *frame, const jscope *scope);

typedef enum jflow { JFLOW_FAILED, JFLOW_ON, JFLOW_BREAK, JFLOW_CONTINUE } jflow;
jflow px_jinja_exec(jrun *run, jframe *frame, const jbody *body);
/* loop(items) of a recursive loop: its body for these items, as text. */
bool px_jloop_call(jrun *run, jloop *loop, const jargs *args, jv *out);

#endif
