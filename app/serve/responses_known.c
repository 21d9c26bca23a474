/* responses_known: the members that bodies of the Responses API may have. See known.h. */
#include "serve/responses.h"

static const serve_known PART = {.names = " type text annotations logprobs refusal image_url "
                                          "file_id detail prompt_cache_breakpoint "};
/* All of an item's types together: which ones there are is told where they are read. */
static const serve_known ITEM = {
    .names = " type id status role phase call_id name namespace arguments encrypted_content caller "
             "created_by ",
    .inner = (const serve_inner[]){{"content", &PART}, {"summary", &PART}, {"output", &PART}, {0}},
};
static const serve_known TOOL = {
    .names = " type name description parameters strict ",
    .hints = " defer_loading ",
};
static const serve_known TOOL_CHOICE = {
    .names = " type name ",
    .unable =
        (const serve_unable[]){{"tools", NULL, "name one function, or give fewer 'tools'"}, {0}},
};
static const serve_known FORMAT = {.names = " type name description schema strict "};
static const serve_known TEXT = {
    .hints = " verbosity ",
    .inner = (const serve_inner[]){{"format", &FORMAT}, {0}},
};
static const serve_known REASONING = {.names = " effort summary generate_summary "};
static const serve_known STREAM_OPTIONS = {.names = " include_obfuscation include_usage "};

#define STATELESS                                                                               \
    "it needs a server that keeps responses, and pith keeps none; send the whole conversation " \
    "in 'input'"

const serve_known serve_responses_known = {
    .names = " model instructions max_output_tokens temperature top_p top_k min_p "
             "parallel_tool_calls stream top_logprobs include truncation metadata user "
             "max_tool_calls store service_tier prompt_cache_key prompt_cache_retention "
             "prompt_cache_options safety_identifier client_metadata ",
    .unable =
        (const serve_unable[]){
            {"previous_response_id", NULL, STATELESS},
            {"conversation", NULL, STATELESS},
            {"background", NULL, "pith keeps no responses to be fetched later; use 'stream'"},
            {"prompt", NULL, "it is kept at OpenAI; write it into 'instructions' and 'input'"},
            {"context_management", NULL, "nothing is compacted here; use 'truncation'"},
            {"moderation", NULL, "there is no moderation model here; leave it out"},
            {"messages", NULL, "it is known on /v1/chat/completions; use 'input'"},
            {"max_tokens", NULL, "use 'max_output_tokens'"},
            {"response_format", NULL, "use 'text': {'format': ...}"},
            {"stop", NULL, "the Responses API has none; use /v1/chat/completions"},
            {0}},
    .inner = (const serve_inner[]){{"input", &ITEM},
                                   {"tools", &TOOL},
                                   {"tool_choice", &TOOL_CHOICE},
                                   {"text", &TEXT},
                                   {"reasoning", &REASONING},
                                   {"stream_options", &STREAM_OPTIONS},
                                   {0}},
};
