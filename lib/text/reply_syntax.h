/*
 * reply_syntax: how a model writes what is not plain text: reasoning and calls of functions. Found
 * by rendering small conversations through the model's own template and looking at what it prints
 * for an assistant's turn, so that what is parsed is what the template will print again; names of
 * models play no part.
 *
 * One call, and several, as a template prints them, with the holes that are filled anew each time:
 *
 *   begin       call                                            sep / end
 *   <tool_call>\n{"name": "NAME", "arguments": ARGUMENTS}       \n</tool_call>\n<tool_call>\n
 *   [TOOL_CALLS][{"name": "NAME", "arguments": ARGUMENTS, "id": "ID"}    ", "    ]
 *
 * A syntax is immutable; threads may share it. Its texts live in the arena that it was found with.
 */
#ifndef PX_TEXT_REPLY_SYNTAX_H
#define PX_TEXT_REPLY_SYNTAX_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "text/template.h"
#include "text/tokenizer.h"

typedef enum px_reply_core {
    PX_CORE_JSON,   // an object with the function's name and arguments
    PX_CORE_NAMED,  // the name, a text, the arguments as an object
    PX_CORE_PYTHON, // name(key=value, ..)
    PX_CORE_BUILTIN // name.call(key=value, ..)
} px_reply_core;

typedef enum px_hole { PX_HOLE_TEXT, PX_HOLE_NAME, PX_HOLE_ARGUMENTS, PX_HOLE_ID } px_hole;

typedef struct px_reply_piece {
    px_hole hole;
    px_str text; // TEXT
} px_reply_piece;

enum { PX_REPLY_PIECES = 8, PX_REPLY_FORMS = 16 };

/* One way to write calls. White space at both ends of begin, sep and end is as printed; a reader
 * ignores white space in and around them. An empty begin: a call is known by its first character,
 * at the very beginning of an answer. */
typedef struct px_reply_form {
    px_reply_core core;
    px_str begin, sep, end; // sep without data: one call only
    px_reply_piece pieces[PX_REPLY_PIECES];
    int n_pieces; // 0: known for reading only
    bool has_id;  // a piece is the id
} px_reply_form;

/* Where the functions that may be called are told to the model. */
typedef enum px_tools_place {
    PX_TOOLS_NATIVE, // the template prints `tools`
    PX_TOOLS_SYSTEM, // it prints member `tools` of the system message
    PX_TOOLS_TOLD    // it prints neither: pith tells of them in the system message
} px_tools_place;

typedef struct px_reply_syntax {
    px_reply_form forms[PX_REPLY_FORMS]; // [0] is the one that is told, enforced and rendered
    int n_forms;
    px_tools_place tools;
    bool calls_native;              // the template prints an assistant's tool_calls
    bool results_native;            // and messages of role tool
    bool arguments_string;          // it wants arguments as text, not as an object
    bool no_content;                // it wants content to be left out beside calls
    int32_t id_length;              // ids must have so many letters and digits; 0: any
    bool system;                    // it takes a system message
    bool late_system;               // also behind other messages
    bool parts;                     // it takes content as a list of parts only
    bool repeats;                   // it takes two user messages in a row
    px_str think_open, think_close; // no data: no reasoning is known of
    bool think_switch;              // enable_thinking changes what it prints
    px_str think_name;              // the switch: "enable_thinking", "thinking"
    bool think_given;               // reasoning_content of a turn is printed
    px_str tokens[16];              // special tokens of the vocabulary that stand in markers
    int n_tokens;
    bool special;   // some marker is a control token
    px_str ends[8]; // texts of tokens that end an answer, as they appear when control tokens are
                    // shown
    int n_ends;
} px_reply_syntax;

/* Finds out. tok may be NULL. What a template refuses or does not print is no error: there is a
 * default for everything. bos and eos are the texts of those tokens. Errors: MEMORY. */
pith_status px_reply_syntax_find(const px_template *t, const px_tokenizer *tok, px_arena *arena,
                                 px_reply_syntax *out, pith_error *err);

/* ---- reading, for the parser */

typedef enum px_seen { PX_SEEN_NO, PX_SEEN_PART, PX_SEEN_YES } px_seen;

/* Whether text[0..n) begins with the pattern when white space is ignored in both; *used: bytes, up
 * to the pattern's last character. PART: more text could make it so. */
px_seen px_reply_match(const char *text, size_t n, px_str pattern, size_t *used);

/* The text without white space at both ends. */
px_str px_reply_trim(px_str text);

static inline bool px_reply_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

#endif
