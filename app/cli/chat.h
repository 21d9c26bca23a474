/* chat: the interactive conversation of `pith run MODEL`. */
#ifndef PITH_CLI_CHAT_H
#define PITH_CLI_CHAT_H

#include "cli/answer.h"
#include "cli/conversation.h"

typedef struct cli_chat {
    const pith_model *model;
    pith_session *session;
    cli_conversation conversation;
    pith_sampling sampling; // changed by /set
    cli_answer_options answer;
    bool stats;
} cli_chat;

/* Reads lines from the terminal until /bye, end of input or Ctrl-C twice. Returns the exit code. */
int cli_chat_run(cli_chat *chat);

#endif
