/* jinja_ops: operators and access to parts of values, with Python's rules. */
#ifndef PX_TEXT_JINJA_OPS_H
#define PX_TEXT_JINJA_OPS_H

#include "text/jinja_lex.h"
#include "text/jinja_value.h"

/* a OP b for JT_ADD JT_SUB JT_MUL JT_DIV JT_FLOORDIV JT_MOD JT_POW. */
bool px_jv_math(jrun *run, jtok op, jv a, jv b, jv *out);
/* -v or +v. */
bool px_jv_sign(jrun *run, bool minus, jv v, jv *out);
/* item in container. */
bool px_jv_contains(jrun *run, jv item, jv container, bool *out);

/* v.name: the member, else the item of that key, else undefined. `may_be_member` is false when no
 * type has a member of the name. */
bool px_jv_attr(jrun *run, jv v, jstr *name, bool may_be_member, jv *out);
/* v[key]: the item, else the member of that name, else undefined. */
bool px_jv_item(jrun *run, jv v, jv key, jv *out);
/* v[start:stop:step]; MISSING or None where left out. */
bool px_jv_slice(jrun *run, jv v, jv start, jv stop, jv step, jv *out);

/* a + b of strings. */
bool px_jstr_concat(jrun *run, jstr *a, jstr *b, jv *out);
/* The characters from..to of s, both inside of it. */
bool px_jstr_chars_part(jrun *run, jstr *s, int64_t from, int64_t to, jv *out);
/* The byte at which character `at` begins. */
size_t px_jstr_byte_of(jrun *run, jstr *s, int64_t at);
/* Puts s into run->out with & < > ' " escaped for HTML. */
bool px_jstr_put_escaped(jrun *run, const jstr *s);

#endif
