/* jinja_macro: macros, and the bodies of call blocks, as values that can be called. */
#ifndef PX_TEXT_JINJA_MACRO_H
#define PX_TEXT_JINJA_MACRO_H

#include "text/jinja_value.h"

struct jmacro_def;
struct jframe;

struct jmacro {
    const struct jmacro_def *def;
    struct jframe *around; // the variables that the body sees
};

/* NULL for the body of a call block. */
const jstr *px_jmacro_name(const jmacro *m);
/* m.NAME: 1, 0 when there is none, -1. */
int px_jmacro_member(jrun *run, const jmacro *m, const jstr *name, jv *out);
bool px_jmacro_call(jrun *run, const jmacro *m, const jargs *args, jv *out);

#endif
