/*
 * describe: what a model is, in words and numbers, for pith_model_info. Names that a file states
 * are made safe to print: control characters and what is not UTF-8 become '?'. Threads: while a
 * model is opened, by the thread that opens it.
 */
#include "base/utf8.h"
#include "engine/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A copy that may be printed, zero-terminated; NULL when memory is out. */
static const char *printable(px_arena *arena, px_str text)
{
    char *copy = px_arena_strndup(arena, text.data ? text.data : "", text.len);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = 0;
        int n = px_utf8_get(copy + i, text.len - i, &code);
        if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            n = n > 0 ? n : 1;
            memset(copy + i, '?', (size_t)n);
        }
        i += (size_t)n;
    }
    return copy;
}

/* The first of these keys (ending in NULL) that holds a string, made printable; "" for none. */
static const char *stated(pith_model *m, const char *const *keys)
{
    for (; *keys; keys++) {
        const px_meta *meta = px_source_meta(m->source, *keys);
        if (meta && meta->type == PX_META_STRING && meta->str.len > 0)
            return printable(&m->arena, meta->str);
    }
    return "";
}

static void put_word(px_buf *out, const char *fmt, ...) PX_PRINTF(2, 3);
static void put_word(px_buf *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (out->len > 0)
        px_buf_puts(out, ", ");
    px_buf_vprintf(out, fmt, args);
    va_end(args);
}

static void put_windows(const px_hparams *hp, px_buf *out)
{
    int32_t windowed = 0, unplaced = 0, local = 0, window = 0;
    for (int32_t i = 0; i < hp->n_layers; i++) {
        const px_layer_kind *kind = &hp->layers[i];
        windowed += kind->window > 0;
        window = kind->window > 0 ? kind->window : window;
        unplaced += !kind->rope;
        local += kind->rope_base != 0;
    }
    if (windowed > 0)
        put_word(out, "window %d on %d of %d layers", window, windowed, hp->n_layers);
    if (local > 0)
        put_word(out, "own rope base on %d layers", local);
    if (unplaced > 0)
        put_word(out, "no rope on %d of %d layers", unplaced, hp->n_layers);
}

static void put_rope(const px_hparams *hp, px_buf *out)
{
    switch (hp->rope_scaling) {
    case PX_ROPE_SCALING_NONE:
        break;
    case PX_ROPE_SCALING_LINEAR:
        put_word(out, "linear rope scaling %g", (double)hp->rope_factor);
        break;
    case PX_ROPE_SCALING_YARN:
        put_word(out, "YaRN rope scaling %g from %d", (double)hp->rope_factor, hp->rope_ctx_orig);
        break;
    case PX_ROPE_SCALING_FACTORS:
        put_word(out, "llama3 rope scaling");
        break;
    case PX_ROPE_SCALING_LONGROPE:
        put_word(out, "longrope from %d", hp->rope_ctx_orig);
        break;
    }
    if (hp->rope_dims > 0 && hp->rope_dims < hp->head_dim)
        put_word(out, "rope on %d of %d of each head", hp->rope_dims, hp->head_dim);
}

static void put_flags(const px_hparams *hp, px_buf *out)
{
    if (hp->tied_head)
        put_word(out, "tied head");
    if (hp->qkv_fused)
        put_word(out, "fused qkv");
    if (hp->gate_up_fused)
        put_word(out, "fused gate/up");
    if (hp->qkv_bias)
        put_word(out, "qkv bias");
    if (hp->out_bias)
        put_word(out, "output bias");
    if (hp->qk_norm)
        put_word(out, "q/k norm");
    if (hp->post_norm)
        put_word(out, hp->pre_norm ? "pre and post norms" : "post norms");
    if (hp->activation == PX_ACTIVATION_GELU_TANH)
        put_word(out, "GeGLU");
    if (hp->embed_scale != 1)
        put_word(out, "embedding scale %g", (double)hp->embed_scale);
    if (hp->attn_softcap > 0)
        put_word(out, "attention soft cap %g", (double)hp->attn_softcap);
    if (hp->logit_softcap > 0)
        put_word(out, "logit soft cap %g", (double)hp->logit_softcap);
    if ((int64_t)hp->n_heads * hp->head_dim != hp->width)
        put_word(out, "head size apart from width");
    put_windows(hp, out);
    put_rope(hp, out);
}

static void put_warnings(pith_model *m, px_buf *out)
{
    if (m->weights.n_unused > 0)
        px_buf_printf(out, "%" PRId64 " tensors are not used, the first is '%s'\n",
                      m->weights.n_unused, m->weights.first_unused);
    px_model_sampling(m, out);
    const pith_tokenizer *tok = &m->tokenizer;
    if (m->has_weights && tok->tok && tok->n_vocab > m->hp.n_vocab)
        px_buf_printf(out,
                      "the tokenizer has %d tokens, but the model only %d: ids from %d on cannot "
                      "be computed\n",
                      tok->n_vocab, m->hp.n_vocab, m->hp.n_vocab);
}

static void count(pith_model *m)
{
    pith_model_info *info = &m->info;
    const px_source *s = m->source;
    info->n_tensors = s->n_tensors;
    info->n_metas = s->n_metas;
    for (int64_t i = 0; i < s->n_tensors; i++) {
        const px_tensor *t = &s->tensors[i];
        if (t->file < 0)
            continue; // generated, as rope factors of folders are
        uint64_t elements = 1;
        for (int d = 0; d < t->n_dims; d++)
            elements *= (uint64_t)t->ne[d];
        info->n_parameters += elements;
        info->weight_bytes += t->bytes;
    }
    for (int32_t i = 0; i < s->n_files; i++) {
        struct stat st;
        if (stat(s->files[i], &st) == 0)
            info->file_bytes += (uint64_t)st.st_size;
    }
}

static void shape(pith_model *m)
{
    pith_model_info *info = &m->info;
    const px_hparams *hp = &m->hp;
    if (!m->has_weights) {
        info->n_vocab = m->tokenizer.n_vocab;
        return;
    }
    info->family = hp->family;
    info->n_layers = hp->n_layers;
    info->n_vocab = hp->n_vocab;
    info->n_ctx_train = hp->n_ctx_train;
    info->width = hp->width;
    info->n_heads = hp->n_heads;
    info->n_kv_heads = hp->n_kv_heads;
    info->head_dim = hp->head_dim;
    info->value_dim = hp->value_dim;
    info->ffn = hp->ffn;
}

/* Moves a text that was put together into the arena; drops a line end at its end. */
static const char *kept(pith_model *m, px_buf *text)
{
    const char *copy = NULL;
    if (!text->failed) {
        size_t n = text->len;
        if (n > 0 && text->data[n - 1] == '\n')
            n--;
        copy = px_arena_strndup(&m->arena, text->data ? text->data : "", n);
    }
    px_buf_clear(text);
    return copy;
}

pith_status px_model_describe(pith_model *m, pith_error *err)
{
    static const char *const arch[] = {"general.architecture", NULL};
    static const char *const name[] = {"general.name", "general.basename", NULL};
    static const char *const license[] = {"general.license", "general.license.name",
                                          "general.license.link", NULL};
    static const char *const origin[] = {"general.source.url",
                                         "general.source.repo_url",
                                         "general.source.huggingface.repository",
                                         "general.repo_url",
                                         "general.url",
                                         NULL};
    const px_source *s = m->source;
    m->info = (pith_model_info){.size = sizeof m->info, .family = ""};
    shape(m);
    count(m);
    char format[32] = "Hugging Face folder";
    if (s->kind == PX_SOURCE_GGUF)
        snprintf(format, sizeof format, "GGUF v%" PRIu32, s->version);
    px_buf flags = {0}, warnings = {0};
    if (m->has_weights)
        put_flags(&m->hp, &flags);
    put_warnings(m, &warnings);
    pith_model_info *info = &m->info;
    info->path = s->path;
    info->format = px_arena_strndup(&m->arena, format, strlen(format));
    info->architecture = stated(m, arch);
    info->name = stated(m, name);
    info->license = stated(m, license);
    info->origin = stated(m, origin);
    info->flags = kept(m, &flags);
    info->warnings = kept(m, &warnings);
    if (!info->format || !info->architecture || !info->name || !info->license || !info->origin ||
        !info->flags || !info->warnings)
        return px_fail_memory(err, "the description of a model");
    return PITH_OK;
}
