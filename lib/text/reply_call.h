/*
 * reply_call: one call as a model wrote it, read as a whole. Each way to write one (px_reply_core)
 * is read leniently: members in any order, under the names that models use, white space anywhere;
 * but only an object of arguments for a function that there is counts as a call. Threads: every
 * function touches only its arguments.
 */
#ifndef PX_TEXT_REPLY_CALL_H
#define PX_TEXT_REPLY_CALL_H

#include "base/buf.h"
#include "text/reply_syntax.h"

/* Finds where a bracket that opened closes, in pieces. Zero-initialise. */
typedef struct px_bracket {
    size_t at; // bytes looked at
    size_t depth;
    char quote; // 0: outside strings
    bool escaped;
} px_bracket;

/* Looks on to the end of text[0..n), which begins as it did before; a single quote opens a string
 * too where `python`. True once the bracket is closed: behind it is b->at. */
bool px_bracket_find(px_bracket *b, const char *text, size_t n, bool python);

typedef enum px_call_state { PX_CALL_MORE, PX_CALL_BAD, PX_CALL_GOOD } px_call_state;

typedef struct px_call_reader {
    const px_reply_form *form;
    const px_str *names; // functions that may be called
    int n_names;
    px_bracket bracket; // zero before a new call
    size_t open;        // where the bracket is
    /* GOOD: */
    int name; // index
    px_buf arguments, id;
    size_t used; // bytes of the call
    bool failed; // sticky: memory ran out
} px_call_reader;

/* Reads a call at text[0..n), which begins as it did when this returned MORE. BAD: no call,
 * whatever follows, or memory ran out (failed). */
px_call_state px_call_read(px_call_reader *r, const char *text, size_t n);
void px_call_clear(px_call_reader *r);

/* The index of a name, or -1. */
int px_call_name(const px_call_reader *r, px_str name);

/* Arguments in Python's form, "key=value, ..." with the brackets around them, as a JSON object. */
bool px_python_arguments(const char *text, size_t n, px_buf *out);

#endif
