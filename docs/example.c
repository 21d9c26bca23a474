/*
 * example: the shortest program that answers with pith. It opens a model, puts a message through
 * the model's own chat template, and prints the answer as it is written.
 *
 *   cc example.c -lpith -o example && ./example model.gguf "Why is the sky blue?"
 */
#include "pith.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_piece(void *user, const pith_event *event)
{
    (void)user;
    fwrite(event->text, 1, event->len, stdout);
    fflush(stdout);
    return 0; /* anything else ends the answer */
}

/* The message as JSON: what a template takes. A real program has a JSON library for this. */
static char *conversation(const char *text)
{
    static const char begin[] = "{\"add_generation_prompt\":true,"
                                "\"messages\":[{\"role\":\"user\",\"content\":\"";
    char *json = malloc(sizeof begin + 6 * strlen(text) + 8), *to = json;
    if (!json)
        return NULL;
    to += sprintf(to, "%s", begin);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\')
            to += sprintf(to, "\\u%04x", c);
        else
            *to++ = *text;
    }
    sprintf(to, "\"}]}");
    return json;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: example MODEL MESSAGE\n");
        return 2;
    }
    pith_error err = {0};
    pith_model *model = NULL;
    pith_engine *engine = NULL;
    pith_session *session = NULL;
    pith_chat chat = {0};
    char *json = conversation(argv[2]);

    pith_status status = json ? PITH_OK : PITH_E_MEMORY;
    if (status == PITH_OK)
        status = pith_model_open(argv[1], NULL, &model, &err);
    if (status == PITH_OK)
        status = pith_engine_new(model, NULL, &engine, &err);
    if (status == PITH_OK)
        status = pith_session_new(engine, NULL, &session, &err);
    if (status == PITH_OK)
        status = pith_chat_tokenize(model, json, strlen(json), &chat, &err);
    if (status == PITH_OK) {
        pith_sampling sampling = PITH_INIT(pith_sampling);
        pith_sampling_init(&sampling, model, &err);
        sampling.seed = 1; /* the same answer every time */
        pith_request request = PITH_INIT(pith_request);
        request.tokens = chat.ids;
        request.n_tokens = chat.n_ids;
        request.max_tokens = 40;
        request.sampling = &sampling;
        request.on_event = print_piece;
        status = pith_generate(session, &request, NULL, &err);
        putchar('\n');
    }
    if (status != PITH_OK)
        fprintf(stderr, "%s: %s\n", pith_status_text(status), err.text);

    pith_chat_free(&chat);
    pith_session_free(session);
    pith_engine_free(engine);
    pith_model_close(model);
    free(json);
    return pith_status_exit_code(status);
}
