/* openai_known: the members that bodies of OpenAI's dialect may have, OpenAI's own and those of
 * llama-server and vLLM. See known.h. */
#include "serve/openai.h"

#define SAMPLING                                                                                \
    " model n max_tokens min_tokens stop stream ignore_eos seed samplers logit_bias lora "      \
    "temperature "                                                                              \
    "top_k top_p min_p typical_p repeat_penalty repetition_penalty repeat_last_n "              \
    "frequency_penalty presence_penalty xtc_probability xtc_threshold dry_multiplier dry_base " \
    "dry_allowed_length dry_penalty_last_n mirostat mirostat_tau mirostat_eta min_keep n_keep " \
    "t_max_predict_ms timings_per_token keep_alive logprobs grammar json_schema guided_json "   \
    "guided_regex guided_choice guided_grammar "

/* Of no consequence for the answer: for billing, tracing, caches and schedulers elsewhere; what is
 * always so here; and settings of one way to enforce a format. */
#define IDLE                                                                            \
    " user metadata store service_tier safety_identifier prompt_cache_key "             \
    "prompt_cache_retention cache_prompt cache_salt priority request_id n_cache_reuse " \
    "guided_decoding_backend guided_whitespace_pattern "

#define HINTS " dry_sequence_breakers dynatemp_exponent speculative "

/* What would change any answer. */
#define UNABLE                                                                                   \
    {"dynatemp_range", "0", "a temperature that changes is not known here; leave it out"},       \
        {"id_slot", "-1", "there are no slots: prefixes are found by themselves; leave it out"}, \
        {"return_progress", NULL, "it is not known here; leave it out"},                         \
        {"n_probs", "0", "use 'logprobs' and 'top_logprobs'"},                                   \
        {"prompt_logprobs", NULL, "use 'echo' with 'logprobs' on /v1/completions"},              \
        {"top_n_sigma", "-1", "this sampler is not known here; use 'min_p'"},                    \
        {"use_beam_search", NULL, "answers are sampled here, without beams"},                    \
        {"length_penalty", "1", "answers are sampled here, without beams"},                      \
        {"stop_token_ids", NULL, "use 'stop' with texts"},                                       \
        {"include_stop_str_in_output", NULL, "the stop text is always left out"},                \
        {"allowed_token_ids", NULL, "use 'grammar' or 'logit_bias'"},                            \
        {"bad_words", NULL, "use 'logit_bias' or 'grammar'"},                                    \
        {"skip_special_tokens", "true", "special tokens are never written"},                     \
        {"truncate_prompt_tokens", NULL, "prompts are not cut unseen; send a shorter one"},      \
        {"return_tokens", NULL, "use 'logprobs'"}, {"return_token_ids", NULL, "use 'logprobs'"}, \
    {                                                                                            \
        "post_sampling_probs", NULL, "log-probabilities are those of the model"                  \
    }

static const serve_known STREAM_OPTIONS = {.names = " include_usage include_obfuscation ",
                                           .hints = " continuous_usage_stats "};

static const serve_known STRUCTURED = {
    .names = " json regex choice grammar disable_fallback disable_any_whitespace "
             "disable_additional_properties ",
    .unable = (const serve_unable[]){{"json_object", NULL, "use 'response_format'"},
                                     {"structural_tag", NULL, "use 'grammar'"},
                                     {"whitespace_pattern", NULL, "use 'grammar'"},
                                     {0}},
};

static const serve_known JSON_SCHEMA = {.names = " name schema strict description "};
static const serve_known RESPONSE_FORMAT = {
    .names = " type schema ",
    .inner = (const serve_inner[]){{"json_schema", &JSON_SCHEMA}, {0}},
};

static const serve_known CALL_FUNCTION = {.names = " name arguments "};
static const serve_known CALL = {
    .names = " id type index ",
    .inner = (const serve_inner[]){{"function", &CALL_FUNCTION}, {0}},
};
/* Parts of other types are refused where they are read. */
static const serve_known PART = {.names =
                                     " type text image_url input_audio file refusal cache_control "
                                     "annotations prompt_cache_breakpoint "};
static const serve_known MESSAGE = {
    .names = " role name tool_call_id reasoning_content reasoning thinking refusal "
             "reasoning_details tool_name annotations function_call prefix cache_control ",
    .unable = (const serve_unable[]){{"audio", NULL, "only text is read here"},
                                     {"images", NULL, "only text is read here"},
                                     {0}},
    .inner = (const serve_inner[]){{"content", &PART}, {"tool_calls", &CALL}, {0}},
};

static const serve_known FUNCTION = {.names = " name description parameters strict "};
static const serve_known TOOL = {
    .names = " type custom cache_control ",
    .inner = (const serve_inner[]){{"function", &FUNCTION}, {0}},
};
static const serve_known CHOSEN_FUNCTION = {.names = " name "};
static const serve_known TOOL_CHOICE = {
    .names = " type ",
    .inner = (const serve_inner[]){{"function", &CHOSEN_FUNCTION}, {0}},
};

const serve_known serve_openai_known_chat = {
    .names = SAMPLING IDLE " max_completion_tokens top_logprobs parallel_tool_calls "
                           "reasoning_effort chat_template_kwargs continue_final_message "
                           "add_generation_prompt reasoning_format thinking_budget_tokens ",
    .hints = HINTS " verbosity ",
    .unable =
        (const serve_unable[]){
            UNABLE,
            {"functions", NULL, "use 'tools'"},
            {"function_call", "none", "use 'tool_choice'"},
            {"audio", NULL, "only text is written here"},
            {"modalities", "[\"text\"]", "only text is written here"},
            {"prediction", NULL, "guessing ahead needs no help here"},
            {"web_search_options", NULL, "there is no web search here"},
            {"parse_tool_calls", "true", "calls of tools are read always"},
            {"chat_template", NULL, "the model's own template is used; leave it out"},
            {"documents", NULL, "write what the model should read into 'messages'"},
            {"echo", NULL, "it is known on /v1/completions"},
            {"suffix", NULL, "it is known on /v1/completions"},
            {"prompt", NULL, "it is known on /v1/completions; use 'messages'"},
            {"best_of", "1", "only as many answers as 'n' are made"},
            {0}},
    .inner = (const serve_inner[]){{"messages", &MESSAGE},
                                   {"tools", &TOOL},
                                   {"tool_choice", &TOOL_CHOICE},
                                   {"response_format", &RESPONSE_FORMAT},
                                   {"stream_options", &STREAM_OPTIONS},
                                   {"structured_outputs", &STRUCTURED},
                                   {0}},
};

const serve_known serve_openai_known_text = {
    .names = SAMPLING IDLE " prompt echo best_of suffix ",
    .hints = HINTS,
    .unable =
        (const serve_unable[]){
            UNABLE,
            {"messages", NULL, "it is known on /v1/chat/completions; use 'prompt'"},
            {"tools", NULL, "it is known on /v1/chat/completions"},
            {"prompt_embeds", NULL, "prompts are texts or tokens here"},
            {"max_completion_tokens", NULL,
             "it is known on /v1/chat/completions; use 'max_tokens'"},
            {"top_logprobs", "0", "it is known on /v1/chat/completions; use 'logprobs': N"},
            {0}},
    .inner = (const serve_inner[]){{"response_format", &RESPONSE_FORMAT},
                                   {"stream_options", &STREAM_OPTIONS},
                                   {"structured_outputs", &STRUCTURED},
                                   {0}},
};

const serve_known serve_openai_known_embed = {
    .names =
        " model input dimensions encoding_format keep_alive user metadata priority request_id ",
    .unable =
        (const serve_unable[]){
            {"input_type", NULL, "write the instruction that the model wants into 'input'"},
            {"truncate_prompt_tokens", NULL, "inputs are not cut unseen; send shorter ones"},
            {"normalize", "true", "vectors have unit length always"},
            {"embd_normalize", "2", "vectors have unit length always"},
            {0}},
};

const serve_known serve_openai_known_rerank = {
    .names = " model query documents instruction top_n return_documents user priority request_id ",
    .unable =
        (const serve_unable[]){
            {"truncate_prompt_tokens", NULL, "documents are not cut unseen; send shorter ones"},
            {"max_chunks_per_doc", NULL, "documents are read whole; send shorter ones"},
            {"max_tokens_per_doc", NULL, "documents are not cut unseen; send shorter ones"},
            {0}},
};

const serve_known serve_openai_known_tokenize = {
    .names = " model content prompt add_special add_special_tokens parse_special with_pieces ",
    .unable =
        (const serve_unable[]){
            {"messages", NULL, "use /apply-template, or /v1/chat/completions/input_tokens"}, {0}},
};

const serve_known serve_openai_known_detokenize = {.names = " model tokens "};
