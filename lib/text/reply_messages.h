/*
 * reply_messages: a conversation in the form that OpenAI's clients send, made into what a model's
 * template takes. What templates differ in was found by probing (reply_syntax).
 *
 *   read     roles, contents (parts are joined), calls (arguments become objects), results, ids
 *   shape    tools that the template does not print go into the system message, calls and results
 *            into the content; several calls of one turn into several turns; a system message where
 *            none is taken into the first user's; messages in a row into one
 *   write    JSON for the template
 *
 * One thread; all memory is the arena's.
 */
#ifndef PX_TEXT_REPLY_MESSAGES_H
#define PX_TEXT_REPLY_MESSAGES_H

#include "base/buf.h"
#include "base/json.h"
#include "text/reply_syntax.h"

typedef enum px_role { PX_ROLE_SYSTEM, PX_ROLE_USER, PX_ROLE_ASSISTANT, PX_ROLE_TOOL } px_role;

typedef struct px_message_call {
    px_str name, id;
    px_str arguments; // JSON text
    bool object;      // they are an object
    bool answered;    // a result was read
    int turn;         // of the message
} px_message_call;

typedef struct px_message {
    px_role role;
    px_str text, reasoning;
    px_str name, id; // TOOL: the function and the call; name of others as given
    px_message_call *calls;
    int n_calls;
    bool unlearned; // ASSISTANT: of a training set that asks not to learn it ("train": false)
} px_message;

typedef struct px_messages {
    px_arena *arena;
    const px_reply_syntax *syntax;
    px_message *list;
    int n, cap;
    px_json tools;           // array, or none
    px_message_call **by_id; // [id_places] while it is read: the last call of each id
    uint32_t n_ids, id_places;
    int last_turn; // the last message with calls, + 1
    pith_status status;
    pith_error *err;
} px_messages;

/* Reads `messages` of the object. Errors: ARGUMENT (what is wrong, with its index), UNSUPPORTED
 * (pictures, sound), LIMIT, MEMORY. */
pith_status px_messages_read(px_messages *m, px_json object);

/* Whether a message asks not to be learned: "train": false, or "weight": 0. */
bool px_message_unlearned(px_json message);

/* Changes them to what the template takes. */
pith_status px_messages_shape(px_messages *m);

/* Appends {"messages":[..],"tools":[..],..}: the other members of the object, and those of its
 * member chat_template_kwargs, follow. */
pith_status px_messages_write(const px_messages *m, px_json object, px_buf *out);

/* The whole way. json: an object with messages. Errors: also FORMAT. */
pith_status px_messages_normalize(const px_reply_syntax *syntax, const char *json, size_t len,
                                  px_buf *out, pith_error *err);

/* ---- shared by the files of this noun */

/* Room for one more message at place i, zeroed; NULL when memory is out (m->status). */
px_message *px_messages_insert(px_messages *m, int i);

/* a, then `between` when both are there, then b; in the arena. */
px_str px_messages_join(px_messages *m, px_str a, const char *between, px_str b);

/* What a buffer holds, moved to the arena; the buffer is cleared. */
px_str px_messages_keep(px_messages *m, px_buf *text);

/* Appends a call in the syntax' first form, as a model would write it. */
void px_messages_put_calls(const px_reply_syntax *s, const px_message *message, px_buf *out);

#endif
