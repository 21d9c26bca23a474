/*
 * reply: the text that a model writes, in pieces, turned into reasoning, content and calls.
 *
 * Pieces may be of any size: parts say the same whatever they were, but for where parts are cut. A
 * marker that may be coming is held back, and so is the white space before it. What begins like a
 * call and turns out to be none is content, byte for byte. One thread at a time.
 *
 *   start -> (reasoning) -> content <-> try a call -> arguments -> behind a call -> content
 */
#ifndef PX_TEXT_REPLY_H
#define PX_TEXT_REPLY_H

#include "text/reply_syntax.h"

typedef struct px_reply px_reply;

typedef struct px_reply_setup {
    const px_reply_syntax *syntax; // lent
    const px_str *names;           // functions that may be called, lent
    int n_names;                   // 0: calls are not looked for
    bool single_call;              // further calls are content
    bool thinking;                 // the prompt ends inside reasoning
    bool keep_reasoning;           // it is content, with its markers
    bool held;     // the text is held to the syntax: a call is sure from its beginning, and its
                   // arguments need not be held back
    bool special;  // texts of end tokens appear, and are taken out
    uint64_t seed; // of ids that are made up
} px_reply_setup;

pith_status px_reply_new(const px_reply_setup *setup, px_reply **out, pith_error *err);
void px_reply_free(px_reply *r);

/* Errors: CANCELLED (on_part returned nonzero), MEMORY. After one the reply takes nothing more. */
pith_status px_reply_push(px_reply *r, const char *text, size_t len, pith_part_fn on_part,
                          void *user, pith_error *err);
/* What ends the reasoning that all that was pushed ends inside of; empty outside of it. */
px_str px_reply_open_end(const px_reply *r);
pith_status px_reply_finish(px_reply *r, pith_part_fn on_part, void *user, pith_error *err);

#endif
