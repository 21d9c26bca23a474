/* ollama_known: the members that bodies of Ollama's API may have. See known.h. */
#include "serve/ollama.h"

/* From num_batch on they are settings of Ollama's runner that have no meaning here: the server
 * decides. */
static const serve_known OPTIONS = {
    .names =
        " num_ctx num_predict num_keep seed temperature top_k top_p min_p typical_p "
        "repeat_last_n repeat_penalty presence_penalty frequency_penalty mirostat mirostat_tau "
        "mirostat_eta stop "
        "xtc_probability xtc_threshold dry_multiplier dry_base dry_allowed_length "
        "dry_penalty_last_n min_keep "
        "num_batch num_gpu main_gpu use_mmap num_thread numa low_vram f16_kv vocab_only "
        "use_mlock logits_all embedding_only draft_num_predict num_gqa ",
    /* Of old versions of Ollama, which later ones let go of, too. */
    .hints = " tfs_z penalize_newline rope_frequency_base rope_frequency_scale ",
};

static const serve_known CALL_FUNCTION = {.names = " index name arguments description "};
static const serve_known CALL = {
    .names = " id type index ",
    .inner = (const serve_inner[]){{"function", &CALL_FUNCTION}, {0}},
};
static const serve_known MESSAGE = {
    .names = " role content thinking images tool_name tool_call_id ",
    .hints = " name ",
    .inner = (const serve_inner[]){{"tool_calls", &CALL}, {0}},
};
static const serve_known FUNCTION = {.names = " name description parameters strict "};
static const serve_known TOOL = {
    .names = " type items ",
    .inner = (const serve_inner[]){{"function", &FUNCTION}, {0}},
};

#define ANSWER " model stream format keep_alive think truncate shift logprobs top_logprobs "

const serve_known serve_ollama_known_chat = {
    .names = ANSWER " tool_choice ",
    .unable = (const serve_unable[]){{"prompt", NULL, "it is known on /api/generate"},
                                     {"system", NULL, "give it as the first of 'messages'"},
                                     {"template", NULL, "the model's own template is used"},
                                     {"tools_choice", NULL, "it is 'tool_choice'"},
                                     {0}},
    .inner =
        (const serve_inner[]){{"messages", &MESSAGE}, {"tools", &TOOL}, {"options", &OPTIONS}, {0}},
};

const serve_known serve_ollama_known_generate = {
    .names = ANSWER " prompt suffix system template context raw images ",
    .unable = (const serve_unable[]){{"messages", NULL, "it is known on /api/chat"},
                                     {"tools", NULL, "it is known on /api/chat"},
                                     {"width", "0", "pith writes text, no images"},
                                     {"height", "0", "pith writes text, no images"},
                                     {"steps", "0", "pith writes text, no images"},
                                     {0}},
    .inner = (const serve_inner[]){{"options", &OPTIONS}, {0}},
};

const serve_known serve_ollama_known_embed = {
    .names = " model input truncate dimensions keep_alive ",
    .inner = (const serve_inner[]){{"options", &OPTIONS}, {0}},
};

const serve_known serve_ollama_known_embeddings = {
    .names = " model prompt keep_alive truncate ",
    .unable =
        (const serve_unable[]){{"input", NULL, "it is known on /api/embed; use 'prompt'"}, {0}},
    .inner = (const serve_inner[]){{"options", &OPTIONS}, {0}},
};

/* Ollama's own server lets go of these three: what is shown is the model's record. */
const serve_known serve_ollama_known_show = {
    .names = " model name verbose ",
    .hints = " system template options ",
};

const serve_known serve_ollama_known_pull = {
    .names = " model name stream insecure ",
    .hints = " username password ",
};
const serve_known serve_ollama_known_copy = {.names = " source destination "};
const serve_known serve_ollama_known_delete = {.names = " model name "};
/* store_create refuses what it does not know. */
const serve_known serve_ollama_known_create = {.any = true};
