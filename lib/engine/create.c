/*
 * create: the door's models that know nothing: a LLaMA of a given shape with random weights and a
 * tokenizer that exists already. Weights are drawn tensor by tensor in the order of the file, each
 * row from one sequence of numbers, so that a seed gives the same file everywhere.
 */
#include "base/mem.h"
#include "engine/options.h"
#include "engine/rng.h"
#include "format/gguf_write.h"
#include "model/vocab.h"

#include <math.h>
#include <stdio.h>

typedef struct creation {
    pith_model_shape shape;
    px_source *source;
    px_tokenizer *tok;
    px_str template;
    px_arena arena;
    px_gguf_writer *w;
    int64_t n_vocab;
    px_rng rng;
    float *row;
    pith_error *err;
} creation;

/* ---- the shape */

static pith_status out_of_range(const creation *c, const char *what, int64_t found, int64_t most)
{
    return px_fail(c->err, PITH_E_ARGUMENT,
                   "the model's %s is %lld, expected a number from 1 to %lld", what,
                   (long long)found, (long long)most);
}

static pith_status check(creation *c)
{
    pith_model_shape *s = &c->shape;
    if (s->n_kv_heads == 0)
        s->n_kv_heads = s->n_heads;
    if (s->n_ctx == 0)
        s->n_ctx = 512;
    if (s->rope_base == 0)
        s->rope_base = 10000;
    if (s->scale == 0)
        s->scale = 0.02;
    const struct {
        const char *what;
        int32_t found;
        int32_t most;
    } rows[] = {{"number of layers", s->n_layers, PX_MAX_LAYERS},
                {"width", s->width, 65536},
                {"number of heads", s->n_heads, 1024},
                {"ffn width", s->ffn, 262144},
                {"number of kv heads", s->n_kv_heads, 1024},
                {"context", s->n_ctx, 1 << 20}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].found < 1 || rows[i].found > rows[i].most)
            return out_of_range(c, rows[i].what, rows[i].found, rows[i].most);
    if (s->n_heads % s->n_kv_heads != 0 || s->width % s->n_heads != 0 ||
        s->width / s->n_heads % 2 != 0)
        return px_fail(c->err, PITH_E_ARGUMENT,
                       "a width of %d does not part into %d heads of an even size, or those not "
                       "among %d kv heads",
                       (int)s->width, (int)s->n_heads, (int)s->n_kv_heads);
    if (!(s->scale > 0 && s->scale < 10) || !(s->rope_base >= 1 && s->rope_base < 1e12))
        return px_fail(c->err, PITH_E_ARGUMENT,
                       "the scale %g or the rope base %g is no sensible number", s->scale,
                       s->rope_base);
    return PITH_OK;
}

/* ---- keys */

static pith_status write_about(const creation *c)
{
    const pith_model_shape *s = &c->shape;
    const struct {
        const char *key, *value;
    } texts[] = {{"general.architecture", "llama"},
                 {"general.type", "model"},
                 {"general.name", s->name},
                 {"general.license", s->license},
                 {"general.description", s->description}};
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && st == PITH_OK; i++)
        if (texts[i].value)
            st = px_gguf_set_str(c->w, texts[i].key, px_str_of(texts[i].value), c->err);
    if (st == PITH_OK && s->has_temperature)
        st = px_gguf_set_f32(c->w, "general.sampling.temp", (float)s->temperature, c->err);
    return st;
}

static pith_status write_shape(const creation *c)
{
    const pith_model_shape *s = &c->shape;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"general.file_type", 0},
                   {"llama.vocab_size", c->n_vocab},
                   {"llama.context_length", s->n_ctx},
                   {"llama.embedding_length", s->width},
                   {"llama.block_count", s->n_layers},
                   {"llama.feed_forward_length", s->ffn},
                   {"llama.rope.dimension_count", s->width / s->n_heads},
                   {"llama.attention.head_count", s->n_heads},
                   {"llama.attention.head_count_kv", s->n_kv_heads}};
    pith_status st = PITH_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && st == PITH_OK; i++)
        st = px_gguf_set_u32(c->w, numbers[i].key, (uint32_t)numbers[i].value, c->err);
    if (st == PITH_OK)
        st = px_gguf_set_f32(c->w, "llama.rope.freq_base", (float)s->rope_base, c->err);
    if (st == PITH_OK)
        st = px_gguf_set_f32(c->w, "llama.attention.layer_norm_rms_epsilon", 1e-5f, c->err);
    return st;
}

static pith_status write_vocab(creation *c)
{
    pith_status st = px_vocab_write(c->tok, (int32_t)c->n_vocab, c->w, c->err);
    if (st == PITH_OK && c->template.data)
        st = px_gguf_set_str(c->w, "tokenizer.chat_template", c->template, c->err);
    return st;
}

/* ---- tensors */

typedef struct tensor {
    const char *name; // with one %d where it belongs to a layer
    int64_t in, out;  // out 0: a vector of ones
    bool residual;
} tensor;

enum { N_OF_LAYER = 9 };

static void of_layer(const pith_model_shape *s, tensor *t)
{
    int64_t width = s->width, kv = s->width / s->n_heads * s->n_kv_heads;
    const tensor all[N_OF_LAYER] = {{"blk.%d.attn_norm.weight", width, 0, false},
                                    {"blk.%d.attn_q.weight", width, width, false},
                                    {"blk.%d.attn_k.weight", width, kv, false},
                                    {"blk.%d.attn_v.weight", width, kv, false},
                                    {"blk.%d.attn_output.weight", width, width, true},
                                    {"blk.%d.ffn_norm.weight", width, 0, false},
                                    {"blk.%d.ffn_gate.weight", width, s->ffn, false},
                                    {"blk.%d.ffn_up.weight", width, s->ffn, false},
                                    {"blk.%d.ffn_down.weight", s->ffn, width, true}};
    memcpy(t, all, sizeof all);
}

typedef pith_status (*tensor_fn)(creation *c, const char *name, const tensor *t);

static pith_status each_tensor(creation *c, tensor_fn fn)
{
    const pith_model_shape *s = &c->shape;
    const tensor embedding = {"token_embd.weight", s->width, c->n_vocab, false};
    const tensor norm = {"output_norm.weight", s->width, 0, false};
    const tensor output = {"output.weight", s->width, c->n_vocab, false};
    tensor layer[N_OF_LAYER];
    of_layer(s, layer);
    pith_status st = fn(c, embedding.name, &embedding);
    for (int i = 0; i < s->n_layers; i++)
        for (int k = 0; k < N_OF_LAYER && st == PITH_OK; k++) {
            char name[64], number[16];
            snprintf(number, sizeof number, "%d", i);
            snprintf(name, sizeof name, "blk.%s%s", number, layer[k].name + sizeof "blk.%d" - 1);
            st = fn(c, name, &layer[k]);
        }
    if (st == PITH_OK)
        st = fn(c, norm.name, &norm);
    if (st == PITH_OK && s->untied)
        st = fn(c, output.name, &output);
    return st;
}

static pith_status declare(creation *c, const char *name, const tensor *t)
{
    const int64_t ne[2] = {t->in, t->out};
    return px_gguf_add_tensor(c->w, name, PX_F32, t->out ? 2 : 1, ne, c->err);
}

/* Two numbers of a normal distribution from two uniform ones (Box and Muller). */
static void draw(px_rng *rng, float *out, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i += 2) {
        double u = 1 - px_rng_unit(rng), v = px_rng_unit(rng);
        double r = scale * sqrt(-2 * log(u));
        out[i] = (float)(r * cos(2 * M_PI * v));
        if (i + 1 < n)
            out[i + 1] = (float)(r * sin(2 * M_PI * v));
    }
}

static pith_status fill(creation *c, const char *name, const tensor *t)
{
    (void)name;
    double scale = c->shape.scale / (t->residual ? sqrt(2.0 * c->shape.n_layers) : 1);
    pith_status st = PITH_OK;
    for (int64_t i = 0; i < (t->out ? t->out : 1) && st == PITH_OK; i++) {
        for (int64_t k = 0; !t->out && k < t->in; k++)
            c->row[k] = 1;
        if (t->out)
            draw(&c->rng, c->row, t->in, scale);
        st = px_gguf_write_data(c->w, c->row, (size_t)t->in * sizeof *c->row, c->err);
    }
    return st;
}

/* ---- all together */

static pith_status open_vocab(creation *c, const char *path)
{
    px_source_options so = {.tensors_optional = true};
    pith_status st = px_source_open(path, &so, &c->source, c->err);
    if (st == PITH_OK)
        st = px_vocab_open(c->source, &c->tok, c->err);
    if (st == PITH_OK && px_tokenizer_kind(c->tok) == PX_VOCAB_NONE)
        st = px_fail(c->err, PITH_E_NOT_FOUND, "'%s' has no tokenizer", path);
    if (st == PITH_OK)
        st = px_vocab_template(c->source, NULL, &c->arena, &c->template, c->err);
    c->n_vocab = st == PITH_OK ? px_tokenizer_size(c->tok) : 0;
    return st;
}

static pith_status write_all(creation *c, const char *out)
{
    pith_status st = px_gguf_writer_new(out, 32, &c->w, c->err);
    pith_status (*const parts[])(const creation *) = {write_about, write_shape};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && st == PITH_OK; i++)
        st = parts[i](c);
    if (st == PITH_OK)
        st = write_vocab(c);
    if (st == PITH_OK)
        st = each_tensor(c, declare);
    if (st == PITH_OK)
        st = px_gguf_begin_data(c->w, c->err);
    if (st == PITH_OK)
        st = each_tensor(c, fill);
    return st == PITH_OK ? px_gguf_finish(c->w, c->err) : st;
}

pith_status pith_model_create(const char *tokenizer, const char *out, const pith_model_shape *shape,
                              pith_error *err)
{
    px_error_clear(err);
    if (!tokenizer || !*tokenizer || !out || !*out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_model_create: a path is missing");
    creation c = {.err = err};
    px_arena_init(&c.arena, 0, 0);
    pith_status st = px_options_read(shape, "pith_model_shape", &c.shape, sizeof c.shape, err);
    if (st == PITH_OK)
        st = check(&c);
    if (st == PITH_OK)
        st = open_vocab(&c, tokenizer);
    int64_t widest = c.shape.width > c.shape.ffn ? c.shape.width : c.shape.ffn;
    c.row = st == PITH_OK ? px_malloc((size_t)widest, sizeof *c.row) : NULL;
    if (st == PITH_OK && !c.row)
        st = px_fail_memory(err, "a new model");
    px_rng_seed(&c.rng, c.shape.seed);
    if (st == PITH_OK)
        st = write_all(&c, out);
    px_gguf_writer_free(c.w);
    px_free(c.row);
    px_tokenizer_free(c.tok);
    px_arena_clear(&c.arena);
    px_source_close(c.source);
    return st;
}
