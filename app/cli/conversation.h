/*
 * conversation: the messages of a chat as JSON, and the tokens that the model's template makes of
 * them.
 */
#ifndef PITH_CLI_CONVERSATION_H
#define PITH_CLI_CONVERSATION_H

#include "base/error.h"

#include <jansson.h>

typedef struct cli_conversation {
    json_t *messages; // array of {role, content}; the system message, if any, first
    json_t *tools;    // array of functions that the model may call, lent; or NULL
} cli_conversation;

pith_status cli_conversation_init(cli_conversation *c, pith_error *err);
void cli_conversation_clear(cli_conversation *c);

/* Sets, replaces or (text NULL or empty) removes the system message. */
pith_status cli_conversation_system(cli_conversation *c, const char *text, pith_error *err);
const char *cli_conversation_get_system(const cli_conversation *c);

/* Appends a message; drops the last one. */
pith_status cli_conversation_add(cli_conversation *c, const char *role, const char *text,
                                 size_t len, pith_error *err);
/* Appends an answer with its reasoning (or NULL) and its calls (an array, or NULL). */
pith_status cli_conversation_answer(cli_conversation *c, const char *text, size_t len,
                                    const char *reasoning, json_t *calls, pith_error *err);
/* The first call of the last answer that has no result yet, lent; NULL when none is open. */
const json_t *cli_conversation_open_call(const cli_conversation *c);
/* Appends the result of that call. */
pith_status cli_conversation_result(cli_conversation *c, const char *text, size_t len,
                                    pith_error *err);
void cli_conversation_drop_last(cli_conversation *c);
/* Forgets all but the system message. */
void cli_conversation_forget(cli_conversation *c);
/* Messages apart from the system message. */
size_t cli_conversation_length(const cli_conversation *c);

/* The tokens of the conversation with the opening of the model's next turn. Free with
 * pith_chat_free. */
pith_status cli_conversation_tokens(const cli_conversation *c, const pith_model *model,
                                    pith_chat *out, pith_error *err);

/* A file {"messages": [...]} that load reads again. */
pith_status cli_conversation_save(const cli_conversation *c, const char *path, pith_error *err);
/* On failure the conversation is as before. */
pith_status cli_conversation_load(cli_conversation *c, const char *path, pith_error *err);

#endif
