/*
 * findings: what a check can find in data, one row of a table each, and where it was found.
 */
#ifndef PX_TRAIN_FINDINGS_H
#define PX_TRAIN_FINDINGS_H

#include "base/error.h"

/* name, code, severity, whether a row with it is left out of a cleaned file, what is so "in N of M
 * rows", the way out. */
#define PX_FINDINGS(X)                                                                             \
    X(PARSE, "parse", ERROR, true, "the row cannot be read",                                       \
      "mend these lines, or drop them with --fix")                                                 \
    X(MISSING, "missing-field", ERROR, true, "a column or its content is missing",                 \
      "fill it in, name the right column with --columns, or drop the rows with --fix")             \
    X(TYPE, "wrong-type", ERROR, true, "a column holds something else than it should",             \
      "write it as docs/data.md shows, or drop the rows with --fix")                               \
    X(ROLE, "unknown-role", ERROR, true, "a turn is of nobody known",                              \
      "use system, user, assistant and tool, or drop the rows with --fix")                         \
    X(NO_ANSWER, "no-answer", ERROR, true, "no turn of the assistant is there to be learned",      \
      "add an answer, or drop the rows with --fix")                                                \
    X(EMPTY_ANSWER, "empty-answer", ERROR, true, "an answer is empty",                             \
      "write one: a model that learns this learns to say nothing; --fix drops the rows")           \
    X(EMPTY_PROMPT, "empty-prompt", WARNING, false, "a user's turn is empty",                      \
      "write what was asked, or leave the turn out")                                               \
    X(LONG_ANSWER, "long-answer", WARNING, false,                                                  \
      "an answer is over 20 times as long as most and over 8000 characters",                       \
      "look at these rows: often several documents ran together")                                  \
    X(LAST_TURN, "ends-with-user", WARNING, false, "the last turn is not the assistant's",         \
      "add the answer; what stands behind the last answer is not learned")                         \
    X(REPEATED_ROLE, "roles-repeat", WARNING, false, "two turns in a row are of one side",         \
      "join them into one, or add what was said between them")                                     \
    X(LATE_SYSTEM, "late-system", WARNING, false, "a system message stands behind other turns",    \
      "move it to the beginning: many templates take none elsewhere")                              \
    X(LONE_RESULT, "result-without-call", WARNING, false,                                          \
      "a tool's result answers no call before it",                                                 \
      "add the assistant's tool_calls in front of it")                                             \
    X(DUPLICATE, "duplicate", WARNING, true, "the same row was there before",                      \
      "drop the copies with --fix: they count as often as they stand there")                       \
    X(NEAR, "near-duplicate", WARNING, true, "nearly the same row was there before",               \
      "keep one of each, or drop the later ones with --fix")                                       \
    X(CONTRADICTION, "contradiction", WARNING, false,                                              \
      "a prompt that was there before has another answer",                                         \
      "decide on one answer, or say in the prompt what makes them differ")                         \
    X(OVERLAP, "eval-overlap", ERROR, true,                                                        \
      "the row, or nearly the same, is in the evaluation set too",                                 \
      "take it out of one of them (--fix takes it out of this one), or make the sets anew with "   \
      "'pith data split'")                                                                         \
    X(SAME_PAIR, "same-pair", ERROR, true, "chosen and rejected are the same",                     \
      "such a pair teaches nothing: drop it with --fix")                                           \
    X(ECHO, "echo", WARNING, false, "the answer repeats the prompt",                               \
      "check the columns: prompt and answer may be the same one")                                  \
    X(INCONSISTENT, "inconsistent", WARNING, false,                                                \
      "the form differs from what nearly all rows have",                                           \
      "make these rows like the others, or tell in the prompt when which form is wanted")          \
    X(LANGUAGE, "language-mix", WARNING, false,                                                    \
      "the language differs from what nearly all rows are written in, or the answer's from its "   \
      "prompt's",                                                                                  \
      "keep them if that is wanted: name the language in the prompt; else drop them")              \
    X(ENCODING, "encoding", WARNING, false,                                                        \
      "characters were damaged by a wrong encoding or are control characters",                     \
      "make the file again from its source, read with its right encoding")                         \
    X(PII, "personal-data", WARNING, false,                                                        \
      "there is what looks like an e-mail address, a telephone or card number, or an IBAN",        \
      "replace it by a placeholder: what is learned can be asked for later")                       \
    X(SECRET, "secret", ERROR, true, "there is what looks like a key, token or password",          \
      "withdraw the secret and replace it by a placeholder; --fix drops the rows")                 \
    X(SPECIAL, "special-tokens", WARNING, false,                                                   \
      "control tokens of chat templates stand in the text",                                        \
      "give conversations as messages: the template writes these tokens, and in a text they are "  \
      "read as plain characters")                                                                  \
    X(REFUSED, "template-refused", ERROR, true, "the model's template does not take the row",      \
      "change the turns as the template asks, or drop the rows with --fix")                        \
    X(TOO_LONG, "too-long", WARNING, true, "the row is longer than an example may be",             \
      "allow more tokens (--seq), shorten the rows, or leave them out as training does")           \
    X(CUT, "cut", NOTE, false, "a text is longer than an example may be and is cut into pieces",   \
      "nothing need be done: each token is learned once")                                          \
    X(NOTHING, "nothing-learned", ERROR, true, "there is nothing to learn",                        \
      "check \"train\" and \"weight\" of its turns; training leaves such rows out")                \
    X(NO_END, "end-not-learned", ERROR, false,                                                     \
      "an answer is learned without a token that ends it: the model would not stop",               \
      "use a template that ends the assistant's turns (--template), or messages")                  \
    X(DOUBLE_BOS, "double-bos", ERROR, false, "the text begins twice",                             \
      "take bos_token out of the template, or use one made for this model")                        \
    X(AGAIN, "rendered-again", NOTE, false,                                                        \
      "the template shows earlier turns otherwise than the last, which are rendered once more",    \
      "nothing need be done: each turn is learned as the model will be asked for it")              \
    X(LITTLE, "little-learned", NOTE, false, "under 2 % of the tokens are learned",                \
      "shorten what stands before the answers: it costs the same time and teaches nothing")        \
    X(GLUED, "glued", WARNING, false,                                                              \
      "prompt and completion are joined as they are, with nothing between them",                   \
      "end the prompt or begin the completion with a space or a new line")                         \
    X(RARE, "coverage", WARNING, false, "the answer is one of few, and hardly another row has it", \
      "add examples of these answers, or leave them out")                                          \
    X(ONE_SIDED, "one-sided", WARNING, false, "the answer is the same as in most rows",            \
      "add rows with other answers: a model learns the commonest one first")                       \
    X(UNUSED, "unused-columns", NOTE, false, "there are columns that are not used",                \
      "name them with --columns if they matter")

typedef enum px_finding {
#define PX_FINDING_ENUM(name, code, severity, drop, what, way) PX_FIND_##name,
    PX_FINDINGS(PX_FINDING_ENUM)
#undef PX_FINDING_ENUM
        PX_FIND_COUNT
} px_finding;

enum { PX_FINDING_LINES = 20, PX_FINDING_DETAIL = 300 };

/* Where something was found. */
typedef struct px_found {
    int64_t count; // rows
    int64_t n_dropped;
    int64_t lines[PX_FINDING_LINES]; // the first
    int32_t n_lines;
    char detail[PX_FINDING_DETAIL]; // of the first, or ""
} px_found;

const char *px_finding_code(px_finding f);
pith_severity px_finding_severity(px_finding f);
bool px_finding_drops(px_finding f);
const char *px_finding_what(px_finding f);
const char *px_finding_way_out(px_finding f);

/* Counts one row; the detail of the first is kept, control characters taken out. */
void px_found_add(px_found *f, int64_t line, const char *fmt, ...) PX_PRINTF(3, 4);

#endif
