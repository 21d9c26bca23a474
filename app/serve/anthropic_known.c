/* anthropic_known: the members that bodies of the Messages API may have. See known.h. */
#include "serve/anthropic.h"

/* All of a block's types together: which ones a turn may have is told where they are read. */
static const serve_known RESULT_PART = {.names = " type text cache_control citations "};
static const serve_known BLOCK = {
    .names = " type text id name input tool_use_id is_error thinking signature data cache_control "
             "citations caller source ",
    .inner = (const serve_inner[]){{"content", &RESULT_PART}, {0}},
};
static const serve_known MESSAGE = {
    .names = " role ",
    .inner = (const serve_inner[]){{"content", &BLOCK}, {0}},
};
static const serve_known SYSTEM = {.names = " type text cache_control citations "};

/* Arguments fit their schema always, so `strict` asks for nothing. */
static const serve_known TOOL = {
    .names = " name description input_schema type cache_control strict eager_input_streaming ",
    .hints = " defer_loading allowed_callers input_examples ",
};
static const serve_known TOOL_CHOICE = {.names = " type name disable_parallel_tool_use "};
static const serve_known THINKING = {.names = " type budget_tokens display "};
static const serve_known FORMAT = {.names = " type schema name "};
static const serve_known OUTPUT_CONFIG = {
    .names = " effort ",
    .inner = (const serve_inner[]){{"format", &FORMAT}, {0}},
};

#define ELSEWHERE "it is a service of Anthropic's that pith does not have; leave it out"

const serve_known serve_anthropic_known = {
    .names = " model max_tokens temperature top_p top_k stop_sequences stream metadata "
             "service_tier cache_control inference_geo user_profile_id betas ",
    .hints = " speed ",
    .unable = (const serve_unable[]){{"container", NULL, ELSEWHERE},
                                     {"mcp_servers", NULL, ELSEWHERE},
                                     {"context_management", NULL, ELSEWHERE},
                                     {"prompt_template", NULL, ELSEWHERE},
                                     {"max_tokens_to_sample", NULL, "use 'max_tokens'"},
                                     {"prompt", NULL, "use 'messages'"},
                                     {"stop", NULL, "use 'stop_sequences'"},
                                     {0}},
    .inner = (const serve_inner[]){{"messages", &MESSAGE},
                                   {"system", &SYSTEM},
                                   {"tools", &TOOL},
                                   {"tool_choice", &TOOL_CHOICE},
                                   {"thinking", &THINKING},
                                   {"output_config", &OUTPUT_CONFIG},
                                   {"output_format", &FORMAT},
                                   {0}},
};
