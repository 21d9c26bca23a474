/* identity: see identity.h. */
#include "engine/identity.h"

#include "engine/hash.h"

#include <sys/stat.h>

enum { VERSION = 1 }; // goes up when the same weights come to other keys and values

static uint64_t add_text(uint64_t h, const char *text)
{
    return px_hash_bytes(h, text, strlen(text));
}

static uint64_t add_meta(uint64_t h, const px_meta *m)
{
    h = add_text(px_hash_word(h, m->type), m->key);
    if (m->type == PX_META_STRING)
        return px_hash_bytes(h, m->str.data, m->str.len);
    if (m->type == PX_META_ARRAY)
        return px_hash_bytes(px_hash_word(h, m->array.n), m->array.data, m->array.bytes);
    if (m->type == PX_META_BOOL)
        return px_hash_word(h, m->b);
    return px_hash_word(h, m->u); // of whatever 64-bit type
}

static uint64_t add_tensor(uint64_t h, const px_tensor *t)
{
    enum { SAMPLES = 16, SAMPLE = 64 };
    h = add_text(px_hash_word(h, (uint64_t)t->dtype), t->name);
    h = px_hash_bytes(h, t->ne, sizeof t->ne);
    if (t->bytes <= (size_t)SAMPLES * SAMPLE)
        return px_hash_bytes(h, t->data, t->bytes);
    for (size_t i = 0; i < SAMPLES; i++)
        h = px_hash_bytes(h, t->data + (t->bytes - SAMPLE) / (SAMPLES - 1) * i, SAMPLE);
    return h;
}

static uint64_t add_file(uint64_t h, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return px_hash_word(h, 0);
    h = px_hash_word(h, (uint64_t)st.st_size);
    h = px_hash_word(h, (uint64_t)st.st_mtim.tv_sec);
    return px_hash_word(h, (uint64_t)st.st_mtim.tv_nsec);
}

uint64_t px_identity(const pith_model *model, const px_kv_layout *layout, int64_t n_ctx)
{
    const px_source *s = model->source;
    const px_hparams *hp = &model->hp;
    uint64_t h = px_hash_word(VERSION, (uint64_t)s->kind);
    for (int64_t i = 0; i < s->n_metas; i++)
        if (strncmp(s->metas[i].key, "tokenizer.", 10) != 0)
            h = add_meta(h, &s->metas[i]);
    for (int64_t i = 0; i < s->n_tensors; i++)
        h = add_tensor(h, &s->tensors[i]);
    for (int32_t i = 0; i < s->n_files; i++)
        h = add_file(h, s->files[i]);
    const uint64_t form[] = {PX_KV_PAGE_TOKENS,
                             (uint64_t)layout->k_dtype,
                             (uint64_t)layout->v_dtype,
                             (uint64_t)layout->n_layers,
                             (uint64_t)layout->n_kv_heads,
                             (uint64_t)layout->head_dim,
                             (uint64_t)layout->value_dim,
                             layout->page_bytes,
                             hp->rope_scaling == PX_ROPE_SCALING_LONGROPE &&
                                 n_ctx > hp->rope_ctx_orig};
    return px_hash_bytes(h, form, sizeof form);
}
