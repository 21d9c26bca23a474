/*
 * answer: one answer of a model, streamed to standard output. Shared by the chat and by one-shot
 * prompts.
 */
#ifndef PITH_CLI_ANSWER_H
#define PITH_CLI_ANSWER_H

#include "base/buf.h"

#include <jansson.h>

typedef struct cli_answer_options {
    const pith_sampling *sampling;
    const pith_str *stops;
    int32_t n_stops;
    const pith_logit_bias *bias;
    int32_t n_bias;
    int64_t max_tokens; // negative: no limit
    bool ignore_end, special;
    bool quiet;    // nothing is printed: the caller wants text and details only
    bool logprobs; // of each token, into details
    int32_t n_top;
    pith_speculation speculation;
    int32_t max_draft;
    const pith_grammar *grammar; // or NULL
    /* How the text is read; model NULL: not at all, it is content as it stands. */
    const pith_model *model;
    const char *tools;   // JSON array, or NULL
    bool hide_reasoning; // it is not printed
    pith_str prompt;     // as rendered; set for each answer
} cli_answer_options;

typedef struct cli_answer {
    px_buf text; // the content
    px_buf reasoning;
    json_t *calls;  // array of {id, type, function: {name, arguments}}, NULL when there are none
    json_t *tokens; // array of {token, text, logprob, top}, when logprobs were asked for
    pith_result result;
} cli_answer;

/* Runs the request on the session with Ctrl-C cancelling it. A broken pipe ends the answer with IO.
 */
pith_status cli_answer_run(pith_session *session, const int32_t *tokens, int64_t n,
                           const cli_answer_options *options, cli_answer *out, pith_error *err);
void cli_answer_clear(cli_answer *a);

/* Prints the line of --stats to standard error. */
void cli_answer_stats(const cli_answer *a);

/* "stop", "length", ...: the word of a finish in JSON. */
const char *cli_finish_name(pith_finish finish);

#endif
