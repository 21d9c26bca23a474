/* family: see family.h. Threads: constant data only. */
#include "model/family.h"

#include <ctype.h>

static const px_family ROWS[] = {
    {.arch = "llama", .name = "LLaMA"},
    {.arch = "mistral3", .name = "Mistral 3"},
    {.arch = "phi3", .name = "Phi-3", .rope_halves = true, .gate_up = true},
    {.arch = "qwen2", .name = "Qwen2", .rope_halves = true, .qkv_bias = true},
    {.arch = "qwen3", .name = "Qwen3", .rope_halves = true, .qk_norm = true},
    {.arch = "smollm3", .name = "SmolLM3", .no_rope = 4},
    {.arch = "gemma", .name = "Gemma", .rope_halves = true, .gelu = true, .embed_scale = true},
    {.arch = "gemma2",
     .name = "Gemma 2",
     .rope_halves = true,
     .post_norm = true,
     .gelu = true,
     .embed_scale = true,
     .window = 4096,
     .period = 2,
     .attn_softcap = 50.0f,
     .logit_softcap = 30.0f,
     .scaled_layers = 46},
    {.arch = "gemma3",
     .name = "Gemma 3",
     .rope_halves = true,
     .qk_norm = true,
     .post_norm = true,
     .gelu = true,
     .embed_scale = true,
     .period = 6,
     .local_base = 10000.0f,
     .scaled_layers = 62},
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

/* Families that come as another one's architecture, by a word in the names of the file. */
static const struct {
    const char *arch;
    const char *word; // lower case
    const char *name;
} ALIASES[] = {
    {"llama", "mistral", "Mistral"}, {"llama", "smollm", "SmolLM2"},
    {"qwen2", "qwen2.5", "Qwen2.5"}, {"phi3", "phi-4", "Phi-4"},
    {"phi3", "phi-3.5", "Phi-3.5"},
};

const px_family *px_family_find(px_str arch)
{
    for (int i = 0; i < N_ROWS; i++)
        if (px_str_is(arch, ROWS[i].arch))
            return &ROWS[i];
    return NULL;
}

const px_family *px_family_at(int i)
{
    return i >= 0 && i < N_ROWS ? &ROWS[i] : NULL;
}

/* Whether text holds the lower-case word, in any case. */
static bool has_word(px_str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = 0; at + n <= text.len; at++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text.data[at + i]) == word[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

const char *px_family_name(const px_family *family, const px_source *source)
{
    static const char *const KEYS[] = {"general.basename", "general.name"};
    for (size_t k = 0; k < sizeof KEYS / sizeof KEYS[0]; k++) {
        const px_meta *meta = px_source_meta(source, KEYS[k]);
        if (!meta || meta->type != PX_META_STRING)
            continue;
        for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++)
            if (strcmp(family->arch, ALIASES[i].arch) == 0 && has_word(meta->str, ALIASES[i].word))
                return ALIASES[i].name;
    }
    return family->name;
}
