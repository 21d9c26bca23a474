/* lora_set: see lora_set.h. */
#include "model/lora_set.h"

#include "model/family.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

float px_lora_scale(const px_lora_set *set, const px_lora_tensor *t)
{
    double rank = t->rank;
    return (float)((double)t->alpha / (set->rslora ? sqrt(rank) : rank));
}

bool px_lora_set_has_magnitudes(const px_lora_set *set)
{
    for (int32_t i = 0; i < set->n; i++)
        if (set->tensors[i].magnitude)
            return true;
    return false;
}

/* Heads along the rows of a tensor whose rows GGUF reorders; 0 for all others. */
static int64_t paired_heads(const px_lora_tensor *t, const px_hparams *hp)
{
    const px_family *family = px_family_find(px_str_of(hp->arch));
    if (!family || family->rope_halves || strncmp(t->name, "blk.", 4) != 0)
        return 0;
    if (strstr(t->name, ".attn_q."))
        return hp->n_heads;
    return strstr(t->name, ".attn_k.") ? hp->n_kv_heads : 0;
}

int64_t px_lora_row(const px_lora_set *set, const px_lora_tensor *t, const px_hparams *hp, bool hf,
                    int64_t i)
{
    int64_t heads = hf == set->hf_rows ? 0 : paired_heads(t, hp);
    if (heads == 0 || t->rows % (2 * heads) != 0)
        return i;
    int64_t dim = t->rows / heads, half = dim / 2, first = i / dim * dim, at = i % dim;
    if (hf) // element `at` of the halves, in pairs
        return first + (at < half ? 2 * at : 2 * (at - half) + 1);
    return first + at / 2 + at % 2 * half;
}

/* ---- names */

typedef struct name_row {
    const char *gguf, *hf;
} name_row;

/* The first row of a GGUF name is the one that it gets back; gate_up_proj is apart. */
static const name_row LAYER[] = {
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},      {"attn_qkv", "self_attn.qkv_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},           {"ffn_up", "mlp.gate_up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

static const name_row TOP[] = {
    {"token_embd", "embed_tokens"},
    {"output", "lm_head"},
};

enum { N_LAYER = sizeof LAYER / sizeof LAYER[0], N_TOP = sizeof TOP / sizeof TOP[0] };

/* "12.rest": the number and the rest, or NULL. */
static const char *read_number(const char *at, int32_t *out)
{
    int32_t n = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9' && at - start < 5; at++)
        n = 10 * n + (*at - '0');
    *out = n;
    return at > start && *at == '.' ? at + 1 : NULL;
}

/* Whether name is `base` and ".weight". */
static bool is_weight(const char *name, const char *base)
{
    size_t n = strlen(base);
    return strncmp(name, base, n) == 0 && strcmp(name + n, ".weight") == 0;
}

bool px_lora_hf_name(const char *name, bool gate_up, char out[128])
{
    for (int i = 0; i < N_TOP; i++) {
        if (!is_weight(name, TOP[i].gguf))
            continue;
        snprintf(out, 128, "%s%s", i == 0 ? "model." : "", TOP[i].hf);
        return true;
    }
    int32_t layer = 0;
    const char *rest = strncmp(name, "blk.", 4) == 0 ? read_number(name + 4, &layer) : NULL;
    for (int i = 0; rest && i < N_LAYER; i++) {
        if (!is_weight(rest, LAYER[i].gguf))
            continue;
        bool fused = gate_up && strcmp(LAYER[i].gguf, "ffn_up") == 0;
        snprintf(out, 128, "model.layers.%" PRId32 ".%s", layer,
                 fused ? "mlp.gate_up_proj" : LAYER[i].hf);
        return true;
    }
    return false;
}

bool px_lora_gguf_name(const char *module, char out[128])
{
    static const char *const PREFIXES[] = {"model.language_model.", "language_model.model.",
                                           "language_model.", "model."};
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        size_t n = strlen(PREFIXES[i]);
        if (strncmp(module, PREFIXES[i], n) != 0)
            continue;
        module += n;
        break;
    }
    for (int i = 0; i < N_TOP; i++) {
        if (strcmp(module, TOP[i].hf) != 0)
            continue;
        snprintf(out, 128, "%s.weight", TOP[i].gguf);
        return true;
    }
    int32_t layer = 0;
    const char *rest = strncmp(module, "layers.", 7) == 0 ? read_number(module + 7, &layer) : NULL;
    for (int i = 0; rest && i < N_LAYER; i++) {
        if (strcmp(rest, LAYER[i].hf) != 0)
            continue;
        snprintf(out, 128, "blk.%" PRId32 ".%s.weight", layer, LAYER[i].gguf);
        return true;
    }
    return false;
}
