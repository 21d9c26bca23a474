/* tiny: see tiny.h. */
#include "tiny.h"

#include "kern/traits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const tiny_shape TINY_SHAPE = {.n_layers = 2,
                               .width = 64,
                               .n_heads = 4,
                               .n_kv_heads = 2,
                               .head_dim = 16,
                               .ffn = 96,
                               .n_vocab = 96,
                               .n_ctx = 512};

static void full_key(const tiny *t, const char *key, char out[64])
{
    bool whole = strncmp(key, "general.", 8) == 0 || strncmp(key, "pith.", 5) == 0;
    snprintf(out, 64, "%s%s%s", whole ? "" : t->arch, whole ? "" : ".", key);
}

void tiny_set(tiny *t, const char *key, px_meta value)
{
    char full[64];
    full_key(t, key, full);
    int i = 0;
    while (i < t->n_metas && strcmp(t->metas[i].key, full) != 0)
        i++;
    assert_true(i < TINY_METAS);
    if (i == t->n_metas)
        t->n_metas++;
    memcpy(t->metas[i].key, full, sizeof full);
    t->metas[i].value = value;
}

tiny_tensor *tiny_add(tiny *t, const char *name, int64_t ne0, int64_t ne1)
{
    int i = 0;
    while (i < t->n_tensors && strcmp(t->tensors[i].name, name) != 0)
        i++;
    assert_true(i < TINY_TENSORS);
    if (i == t->n_tensors)
        t->n_tensors++;
    tiny_tensor *x = &t->tensors[i];
    *x = (tiny_tensor){.dtype = PX_F32,
                       .n_dims = ne1 ? 2 : 1,
                       .ne = {ne0, ne1 ? ne1 : 1, 1, 1},
                       .std = ne1 ? (float)(1.4 / sqrt((double)ne0)) : 0.2f};
    snprintf(x->name, sizeof x->name, "%s", name);
    if (strstr(name, "norm.weight") || strstr(name, "rope_f"))
        x->mean = 1;
    if (strcmp(name, "token_embd.weight") == 0)
        x->std = 1;
    return x;
}

tiny_tensor *tiny_find(tiny *t, const char *name)
{
    for (int i = 0; i < t->n_tensors; i++)
        if (strcmp(t->tensors[i].name, name) == 0)
            return &t->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

void tiny_drop(tiny *t, const char *name)
{
    char full[64];
    full_key(t, name, full);
    for (int i = 0; i < t->n_metas; i++)
        if (strcmp(t->metas[i].key, full) == 0) {
            t->metas[i] = t->metas[--t->n_metas];
            return;
        }
    *tiny_find(t, name) = t->tensors[t->n_tensors - 1];
    t->n_tensors--;
}

void tiny_matrices(tiny *t, px_dtype dtype)
{
    for (int i = 0; i < t->n_tensors; i++)
        if (t->tensors[i].n_dims == 2)
            t->tensors[i].dtype = dtype;
}

static void add_in_layer(tiny *t, int layer, const char *name, int64_t ne0, int64_t ne1)
{
    tiny_add(t, test_format("blk.%d.%s", layer, name), ne0, ne1);
}

static void add_layer(tiny *t, int i, const tiny_shape *s)
{
    bool is_gemma2 = strcmp(t->arch, "gemma2") == 0;
    bool is_gemma3 = strcmp(t->arch, "gemma3") == 0;
    bool is_phi3 = strcmp(t->arch, "phi3") == 0;
    int64_t q = (int64_t)s->n_heads * s->head_dim;
    int64_t k = (int64_t)s->n_kv_heads * s->head_dim;
    add_in_layer(t, i, "attn_norm.weight", s->width, 0);
    if (is_phi3) {
        add_in_layer(t, i, "attn_qkv.weight", s->width, q + 2 * k);
    } else {
        add_in_layer(t, i, "attn_q.weight", s->width, q);
        add_in_layer(t, i, "attn_k.weight", s->width, k);
        add_in_layer(t, i, "attn_v.weight", s->width, k);
    }
    if (strcmp(t->arch, "qwen2") == 0) {
        add_in_layer(t, i, "attn_q.bias", q, 0);
        add_in_layer(t, i, "attn_k.bias", k, 0);
        add_in_layer(t, i, "attn_v.bias", k, 0);
    }
    if (is_gemma3 || strcmp(t->arch, "qwen3") == 0) {
        add_in_layer(t, i, "attn_q_norm.weight", s->head_dim, 0);
        add_in_layer(t, i, "attn_k_norm.weight", s->head_dim, 0);
    }
    add_in_layer(t, i, "attn_output.weight", q, s->width);
    add_in_layer(t, i, "ffn_norm.weight", s->width, 0);
    if (!is_phi3)
        add_in_layer(t, i, "ffn_gate.weight", s->width, s->ffn);
    add_in_layer(t, i, "ffn_up.weight", s->width, (is_phi3 ? 2 : 1) * (int64_t)s->ffn);
    add_in_layer(t, i, "ffn_down.weight", s->ffn, s->width);
    if (is_gemma2 || is_gemma3) {
        add_in_layer(t, i, "post_attention_norm.weight", s->width, 0);
        add_in_layer(t, i, "post_ffw_norm.weight", s->width, 0);
    }
}

void tiny_make(tiny *t, const char *arch, const tiny_shape *shape)
{
    const tiny_shape *s = shape ? shape : &TINY_SHAPE;
    memset(t, 0, sizeof *t);
    snprintf(t->arch, sizeof t->arch, "%s", arch);
    tiny_set(t, "general.architecture", TINY_STR(t->arch));
    tiny_set(t, "context_length", TINY_U32((uint32_t)s->n_ctx));
    tiny_set(t, "embedding_length", TINY_U32((uint32_t)s->width));
    tiny_set(t, "block_count", TINY_U32((uint32_t)s->n_layers));
    tiny_set(t, "feed_forward_length", TINY_U32((uint32_t)s->ffn));
    tiny_set(t, "attention.head_count", TINY_U32((uint32_t)s->n_heads));
    tiny_set(t, "attention.head_count_kv", TINY_U32((uint32_t)s->n_kv_heads));
    tiny_set(t, "attention.key_length", TINY_U32((uint32_t)s->head_dim));
    tiny_set(t, "attention.value_length", TINY_U32((uint32_t)s->head_dim));
    tiny_set(t, "attention.layer_norm_rms_epsilon", TINY_F32(1e-5f));
    tiny_add(t, "token_embd.weight", s->width, s->n_vocab);
    tiny_add(t, "output_norm.weight", s->width, 0);
    if (strncmp(arch, "gemma", 5) != 0)
        tiny_add(t, "output.weight", s->width, s->n_vocab);
    for (int i = 0; i < s->n_layers; i++)
        add_layer(t, i, s);
}

static void write_values(px_gguf_writer *w, const tiny_tensor *x)
{
    pith_error err = {0};
    test_random random = {.state = 1};
    for (const char *c = x->name; *c; c++)
        random.state = random.state * 1099511628211u + (uint8_t)*c;
    int64_t n = x->ne[0] * x->ne[1] * x->ne[2] * x->ne[3];
    size_t bytes;
    assert_true(px_dtype_row_bytes(x->dtype, n, &bytes));
    float *values = malloc((size_t)n * sizeof *values);
    void *packed = malloc(bytes);
    void *rounded = malloc((size_t)n * sizeof *values);
    for (int64_t i = 0; i < n; i++)
        values[i] = x->mean + x->std * (float)test_random_normal(&random);
    const px_traits *traits = px_traits_get(x->dtype);
    if (x->via != x->dtype) {
        px_traits_get(x->via)->encode(values, rounded, n, NULL);
        px_traits_get(x->via)->decode(rounded, values, n);
    }
    if (traits)
        traits->encode(values, packed, n, NULL);
    else
        memset(packed, 0, bytes);
    assert_int_equal(px_gguf_write_data(w, packed, bytes, &err), PITH_OK);
    free(values);
    free(packed);
    free(rounded);
}

/* The writer syncs every file to its device; in memory that costs nothing. */
static void prefer_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
}

const char *tiny_write(const tiny *t)
{
    static int n_files; // a few names are enough: a file may be replaced while it is mapped
    prefer_memory();
    const char *path = test_temp(test_format("tiny-%d.gguf", n_files++ % 16));
    pith_error err = {0};
    px_gguf_writer *w;
    assert_int_equal(px_gguf_writer_new(path, 32, &w, &err), PITH_OK);
    for (int i = 0; i < t->n_metas; i++) {
        px_meta meta = t->metas[i].value;
        meta.key = t->metas[i].key;
        assert_int_equal(px_gguf_set_meta(w, &meta, &err), PITH_OK);
    }
    for (int i = 0; i < t->n_tensors; i++) {
        const tiny_tensor *x = &t->tensors[i];
        assert_int_equal(px_gguf_add_tensor(w, x->name, x->dtype, x->n_dims, x->ne, &err), PITH_OK);
    }
    assert_int_equal(px_gguf_begin_data(w, &err), PITH_OK);
    for (int i = 0; i < t->n_tensors; i++)
        write_values(w, &t->tensors[i]);
    assert_int_equal(px_gguf_finish(w, &err), PITH_OK);
    px_gguf_writer_free(w);
    return path;
}

px_source *tiny_open(const tiny *t)
{
    pith_error err = {0};
    px_source *s;
    if (px_source_open(tiny_write(t), NULL, &s, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return s;
}
