/*
 * reply_probe: rendering small conversations through a template, to see what it prints.
 * One thread; the texts of the last rendering live until the next.
 */
#ifndef PX_TEXT_REPLY_PROBE_H
#define PX_TEXT_REPLY_PROBE_H

#include "text/reply_syntax.h"

typedef struct px_probe {
    const px_template *t;
    const px_tokenizer *tok;
    px_arena *arena;
    px_reply_syntax *out;
    px_str bos, eos;
    px_str prompt;      // [user] with tools, ready for an answer; in the arena
    px_str turn_end;    // what is printed behind an answer
    pith_status status; // MEMORY, sticky
} px_probe;

/* Words that no template holds. */
#define PX_PROBE_USER   "Pithprobe asks"
#define PX_PROBE_SYSTEM "Pithprobe orders"
#define PX_PROBE_ANSWER "Pithprobe answers"
#define PX_PROBE_REASON "Pithprobe ponders"
#define PX_PROBE_RESULT "Pithprobe resulted"
#define PX_PROBE_TOOL   "pith_probe_tool"

/* Renders messages (the inside of a JSON array) with further variables (members, "" or ending in a
 * comma). The text lies in the arena; false where the template refused, or memory is out. */
bool px_probe_render(px_probe *p, const char *messages, const char *variables, bool prompt,
                     px_str *out);

/* The same with formatted messages. */
bool px_probe_printf(px_probe *p, const char *variables, bool prompt, px_str *out,
                     const char *messages, ...) PX_PRINTF(5, 6);

/* Where a word stands at or behind `from`, or -1. */
int64_t px_probe_find(px_str text, const char *word, size_t from);

/* The text from `from` to `to`, lent. */
static inline px_str px_probe_cut(px_str text, size_t from, size_t to)
{
    return (px_str){.data = text.data + from, .len = to - from};
}

/* Bytes that both have at their beginning, and at their end. */
size_t px_probe_same_head(px_str a, px_str b);
size_t px_probe_same_tail(px_str a, px_str b);

/* How calls are written: fills out's forms[0] and what calls need; leaves n_forms at 0 where the
 * template prints none. */
void px_probe_calls(px_probe *p);

#endif
