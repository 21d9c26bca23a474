/* ollama: the dialects of Ollama's API and the table of its routes. See ollama.h. */
#include "serve/ollama.h"

static const serve_dialect GENERATE = {
    .name = "ollama.generate",
    .stream_type = "application/x-ndjson",
    .state_bytes = sizeof(serve_ollama_state),
    .parse = serve_ollama_parse_generate,
    .check = serve_ollama_check,
    .event = serve_ollama_event,
    .end = serve_ollama_end,
    .broken = serve_ollama_broken,
    .whole = serve_ollama_whole,
    .error = serve_ollama_error,
};

static const serve_dialect CHAT = {
    .name = "ollama.chat",
    .stream_type = "application/x-ndjson",
    .state_bytes = sizeof(serve_ollama_state),
    .parse = serve_ollama_parse_chat,
    .check = serve_ollama_check,
    .event = serve_ollama_event,
    .end = serve_ollama_end,
    .broken = serve_ollama_broken,
    .whole = serve_ollama_whole,
    .error = serve_ollama_error,
};

static const serve_dialect EMBED = {
    .name = "ollama.embed",
    .stream_type = "application/x-ndjson",
    .state_bytes = sizeof(serve_ollama_state),
    .parse = serve_ollama_parse_embed,
    .check = serve_ollama_check,
    .event = serve_ollama_event,
    .whole = serve_ollama_whole_embed,
    .error = serve_ollama_error,
};

static const serve_dialect EMBEDDINGS = {
    .name = "ollama.embeddings",
    .stream_type = "application/x-ndjson",
    .state_bytes = sizeof(serve_ollama_state),
    .parse = serve_ollama_parse_embeddings,
    .check = serve_ollama_check,
    .event = serve_ollama_event,
    .whole = serve_ollama_whole_embeddings,
    .error = serve_ollama_error,
};

/* Of all that is no job. */
static const serve_dialect PLAIN = {
    .name = "ollama",
    .stream_type = "application/x-ndjson",
    .broken = serve_ollama_broken,
    .error = serve_ollama_error,
};

const serve_route *serve_routes_ollama(int *n)
{
    static const serve_route ROUTES[] = {
        {.method = "POST",
         .path = "/api/generate",
         .dialect = &GENERATE,
         .known = &serve_ollama_known_generate,
         .job = true},
        {.method = "POST",
         .path = "/api/chat",
         .dialect = &CHAT,
         .known = &serve_ollama_known_chat,
         .job = true},
        {.method = "POST",
         .path = "/api/embed",
         .dialect = &EMBED,
         .known = &serve_ollama_known_embed,
         .job = true},
        {.method = "POST",
         .path = "/api/embeddings",
         .dialect = &EMBEDDINGS,
         .known = &serve_ollama_known_embeddings,
         .job = true},
        {.method = "GET",
         .path = "/api/version",
         .dialect = &PLAIN,
         .answer = serve_ollama_version},
        {.method = "GET", .path = "/api/tags", .dialect = &PLAIN, .answer = serve_ollama_tags},
        {.method = "GET", .path = "/api/ps", .dialect = &PLAIN, .answer = serve_ollama_ps},
        {.method = "POST",
         .path = "/api/show",
         .dialect = &PLAIN,
         .known = &serve_ollama_known_show,
         .answer = serve_ollama_show},
        {.method = "POST",
         .path = "/api/pull",
         .dialect = &PLAIN,
         .known = &serve_ollama_known_pull,
         .work = serve_ollama_pull},
        {.method = "POST",
         .path = "/api/create",
         .dialect = &PLAIN,
         .known = &serve_ollama_known_create,
         .work = serve_ollama_create},
        {.method = "POST",
         .path = "/api/copy",
         .dialect = &PLAIN,
         .known = &serve_ollama_known_copy,
         .answer = serve_ollama_copy},
        {.method = "DELETE",
         .path = "/api/delete",
         .dialect = &PLAIN,
         .known = &serve_ollama_known_delete,
         .answer = serve_ollama_delete},
        {.method = "POST", .path = "/api/push", .dialect = &PLAIN, .answer = serve_ollama_push},
        {.method = "GET",
         .path = "/api/blobs/*",
         .dialect = &PLAIN,
         .answer = serve_ollama_blob_head},
        {.method = "POST",
         .path = "/api/blobs/*",
         .dialect = &PLAIN,
         .take = serve_ollama_blob_take,
         .answer = serve_ollama_blob_done,
         .free_user = serve_ollama_blob_free},
    };
    *n = (int)(sizeof ROUTES / sizeof *ROUTES);
    return ROUTES;
}
