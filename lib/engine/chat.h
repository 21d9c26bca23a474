/*
 * chat: a conversation rendered and tokenized, with the places of everything in bytes: what
 * pith_chat_tokenize hands out in tokens, and what training marks from. Threads: as pith_model.
 */
#ifndef PX_ENGINE_CHAT_H
#define PX_ENGINE_CHAT_H

#include "engine/model.h"

typedef struct px_chat_text {
    px_rendered rendered; // the text without guards, spans in bytes of it
    px_ids ids;           // with ends
} px_chat_text;

/* As pith_chat_tokenize: control tokens inside messages of any role but assistant are text. `now`
 * as px_template_render. Free with px_chat_text_clear; on failure there is nothing to free. */
pith_status px_chat_render(const pith_model *model, const char *json, size_t json_len, int64_t now,
                           px_chat_text *out, pith_error *err);
void px_chat_text_clear(px_chat_text *t);

#endif
