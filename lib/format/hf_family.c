/*
 * hf_family: the families as Hugging Face folders have them: one row a configuration class of
 * transformers 4.57.1, with its defaults.
 */
#include "format/hf.h"

static const px_hf_family ROWS[] = {
    {.class_name = "LlamaForCausalLM",
     .model_type = "llama",
     .arch = "llama",
     .n_vocab = 32000,
     .width = 4096,
     .ffn = 11008,
     .n_layers = 32,
     .n_heads = 32,
     .n_ctx = 2048,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .rope_pairs = true},
    {.class_name = "MistralForCausalLM",
     .model_type = "mistral",
     .arch = "llama",
     .basename = "Mistral",
     .n_vocab = 32000,
     .width = 4096,
     .ffn = 14336,
     .n_layers = 32,
     .n_heads = 32,
     .n_kv_heads = 8,
     .n_ctx = 131072,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .window_kind = PX_HF_WINDOW_ALL,
     .window = 4096,
     .rope_pairs = true},
    {.class_name = "Phi3ForCausalLM",
     .model_type = "phi3",
     .arch = "phi3",
     .n_vocab = 32064,
     .width = 3072,
     .ffn = 8192,
     .n_layers = 32,
     .n_heads = 32,
     .n_ctx = 4096,
     .norm_eps = 1e-5,
     .rope_base = 10000,
     .window_kind = PX_HF_WINDOW_ALL,
     .fused = true},
    {.class_name = "GemmaForCausalLM",
     .model_type = "gemma",
     .arch = "gemma",
     .n_vocab = 256000,
     .width = 3072,
     .ffn = 24576,
     .n_layers = 28,
     .n_heads = 16,
     .n_kv_heads = 16,
     .head_dim = 256,
     .n_ctx = 8192,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .tied = true,
     .gelu = true,
     .norm_plus = true},
    {.class_name = "Gemma2ForCausalLM",
     .model_type = "gemma2",
     .arch = "gemma2",
     .n_vocab = 256000,
     .width = 2304,
     .ffn = 9216,
     .n_layers = 26,
     .n_heads = 8,
     .n_kv_heads = 4,
     .head_dim = 256,
     .n_ctx = 8192,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .tied = true,
     .window_kind = PX_HF_WINDOW_PERIOD,
     .window = 4096,
     .period = 2,
     .gelu = true,
     .norm_plus = true,
     .post_norms = true},
    {.class_name = "Gemma3ForCausalLM",
     .model_type = "gemma3_text",
     .arch = "gemma3",
     .n_vocab = 262208,
     .width = 2304,
     .ffn = 9216,
     .n_layers = 26,
     .n_heads = 8,
     .n_kv_heads = 4,
     .head_dim = 256,
     .n_ctx = 131072,
     .norm_eps = 1e-6,
     .rope_base = 1000000,
     .tied = true,
     .window_kind = PX_HF_WINDOW_PERIOD,
     .window = 4096,
     .period = 6,
     .gelu = true,
     .norm_plus = true,
     .post_norms = true,
     .qk_norm = true},
    {.class_name = "Gemma3ForConditionalGeneration",
     .model_type = "gemma3",
     .arch = "gemma3",
     .n_vocab = 262208,
     .width = 2304,
     .ffn = 9216,
     .n_layers = 26,
     .n_heads = 8,
     .n_kv_heads = 4,
     .head_dim = 256,
     .n_ctx = 131072,
     .norm_eps = 1e-6,
     .rope_base = 1000000,
     .tied = true,
     .window_kind = PX_HF_WINDOW_PERIOD,
     .window = 4096,
     .period = 6,
     .gelu = true,
     .norm_plus = true,
     .post_norms = true,
     .qk_norm = true,
     .text_config = true},
    {.class_name = "Qwen2ForCausalLM",
     .model_type = "qwen2",
     .arch = "qwen2",
     .n_vocab = 151936,
     .width = 4096,
     .ffn = 22016,
     .n_layers = 32,
     .n_heads = 32,
     .n_kv_heads = 32,
     .n_ctx = 32768,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .window_kind = PX_HF_WINDOW_UPPER,
     .window = 4096},
    {.class_name = "Qwen3ForCausalLM",
     .model_type = "qwen3",
     .arch = "qwen3",
     .n_vocab = 151936,
     .width = 4096,
     .ffn = 22016,
     .n_layers = 32,
     .n_heads = 32,
     .n_kv_heads = 32,
     .head_dim = 128,
     .n_ctx = 32768,
     .norm_eps = 1e-6,
     .rope_base = 10000,
     .window_kind = PX_HF_WINDOW_UPPER,
     .window = 4096,
     .qk_norm = true},
    {.class_name = "SmolLM3ForCausalLM",
     .model_type = "smollm3",
     .arch = "smollm3",
     .n_vocab = 128256,
     .width = 2048,
     .ffn = 11008,
     .n_layers = 36,
     .n_heads = 16,
     .n_kv_heads = 4,
     .n_ctx = 32768,
     .norm_eps = 1e-6,
     .rope_base = 2000000,
     .tied = true,
     .window_kind = PX_HF_WINDOW_NO_ROPE,
     .rope_pairs = true},
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

/* The first name in "architectures", of type NONE where there is none. */
static px_json first_class(px_json root)
{
    px_json_walk walk = px_json_each(px_json_find(root, "architectures"));
    px_json value = {0};
    return px_json_next(&walk, NULL, &value) ? value : (px_json){0};
}

const px_hf_family *px_hf_family_find(px_json root)
{
    px_json named = first_class(root), type = px_json_find(root, "model_type");
    for (int i = 0; i < N_ROWS; i++) {
        if (named.at ? px_json_is(named, px_str_of(ROWS[i].class_name))
                     : px_json_is(type, px_str_of(ROWS[i].model_type)))
            return &ROWS[i];
    }
    return NULL;
}

pith_status px_hf_family_unknown(const px_hf *hf)
{
    px_json found = first_class(hf->root);
    const char *key = "architectures";
    if (!found.at) {
        found = px_json_find(hf->root, "model_type");
        key = "model_type";
    }
    px_buf known = {0}, name = {.limit = 200};
    for (int i = 0; i < N_ROWS; i++)
        px_buf_printf(&known, "%s%s", i ? ", " : "", ROWS[i].class_name);
    px_json_get_string(found, &name);
    px_fail(hf->err, PITH_E_UNSUPPORTED, "'%s': %s says '%s', expected one of %s", hf->config_path,
            key, name.data ? name.data : "nothing", known.data ? known.data : "(out of memory)");
    px_buf_clear(&known);
    px_buf_clear(&name);
    return hf->err ? hf->err->status : PITH_E_UNSUPPORTED;
}
