/*
 * net: see net.h. First all parts are counted, then their memory is made, then values are put in.
 */
#include "train/net.h"

#include "base/limits.h"
#include "base/mem.h"
#include "train/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64, MODULES = 7 };

/* ---- modules */

/* A module whose rows are those of `n` matrices that follow each other. */
static px_module make_module(px_net *net, const px_matrix *parts, int n, const float *bias,
                             int64_t out)
{
    px_module m = {.w = parts[0], .out = out, .w_at = -1, .bias = bias, .m_at = -1};
    m.w.rows = 0;
    for (int i = 0; i < n; i++)
        m.w.rows += parts[i].rows;
    m.index = net->n_modules++;
    return m;
}

/* Three or two matrices as one module, where the file has them as one, or as several. */
static void make_group(px_net *net, px_group *g, const px_matrix *parts, const float *const *bias,
                       int n, bool fused)
{
    g->in = parts[0].cols;
    if (fused) {
        g->modules[g->n++] = make_module(net, parts, n, bias[0], 0);
        g->out = g->modules[0].w.rows;
        return;
    }
    for (int i = 0; i < n; i++) {
        g->modules[g->n++] = make_module(net, &parts[i], 1, bias[i], g->out);
        g->out += parts[i].rows;
    }
}

static pith_status make_layers(px_net *net, pith_error *err)
{
    const px_hparams *hp = net->hp;
    int32_t n = hp->n_layers;
    net->layers = PX_ZNEW(&net->arena, px_net_layer, (size_t)n);
    px_module *all = PX_ZNEW(&net->arena, px_module, (size_t)n * MODULES);
    if (!net->layers || !all)
        return px_fail_memory(err, "the modules of a model");
    for (int32_t i = 0; i < n; i++) {
        px_net_layer *to = &net->layers[i];
        const px_layer *l = to->l = &net->w.layers[i];
        for (int g = 0, first = 0; g < PX_GROUPS; g++) {
            static const int MOST[PX_GROUPS] = {3, 1, 2, 1};
            to->groups[g].modules = all + (int64_t)i * MODULES + first;
            first += MOST[g];
        }
        const float *none[2] = {NULL, NULL};
        make_group(net, &to->groups[PX_GROUP_QKV], (px_matrix[]){l->q, l->k, l->v},
                   (const float *const[]){l->q_bias, l->k_bias, l->v_bias}, 3, hp->qkv_fused);
        make_group(net, &to->groups[PX_GROUP_OUT], &l->o, &l->o_bias, 1, false);
        make_group(net, &to->groups[PX_GROUP_FFN], (px_matrix[]){l->gate, l->up}, none, 2,
                   hp->gate_up_fused);
        make_group(net, &to->groups[PX_GROUP_DOWN], &l->down, none, 1, false);
    }
    return PITH_OK;
}

static pith_status check_type(const px_net *net, const px_matrix *m, pith_error *err)
{
    int slot = px_kern_slot(m->dtype);
    if (slot >= 0 && net->grad.forward[slot] && net->grad.back[slot] && net->kern.decode[slot])
        return PITH_OK;
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "tensor '%s' has type %s, with which pith cannot train; quantize the model to a "
                   "type that `pith info` lists",
                   m->name, px_dtype_name((uint32_t)m->dtype));
}

static pith_status check_types(const px_net *net, pith_error *err)
{
    pith_status st = check_type(net, &net->w.embed, err);
    if (st == PITH_OK)
        st = check_type(net, &net->w.head, err);
    for (int32_t i = 0; i < net->hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < net->layers[i].groups[g].n && st == PITH_OK; j++)
                st = check_type(net, &net->layers[i].groups[g].modules[j].w, err);
    return st;
}

/* ---- pairs */

static void apply_rules(const px_net_options *o, const char *name, int32_t *rank, float *alpha)
{
    *rank = o->rank;
    *alpha = o->alpha;
    for (int32_t i = 0; i < o->n_rules; i++) {
        if (!strstr(name, o->rules[i].part))
            continue;
        *rank = o->rules[i].rank;
        *alpha = o->rules[i].alpha > 0 ? o->rules[i].alpha : o->alpha;
    }
}

static pith_status add_pair(px_net *net, const px_net_options *o, px_group *g, px_module *m,
                            pith_error *err)
{
    apply_rules(o, m->w.name, &m->rank, &m->alpha);
    if (m->rank < 0 || m->rank > PX_MAX_LORA_RANK || (m->rank > 0 && !(m->alpha > 0)))
        return px_fail(err, PITH_E_ARGUMENT,
                       "rank %d and alpha %g for '%s', expected 0 to %d and more than 0", m->rank,
                       (double)m->alpha, m->w.name, PX_MAX_LORA_RANK);
    if (m->rank == 0)
        return PITH_OK;
    float rank = (float)m->rank;
    m->scale = m->alpha / (o->rslora ? sqrtf(rank) : rank);
    m->h_at = g->h;
    g->h += m->rank;
    float plus = o->lora_plus > 0 ? o->lora_plus : 1.0f;
    m->a_at = px_params_add(&net->params, m->w.name, 'a', m->rank * m->w.cols, 1.0f, true);
    m->b_at = px_params_add(&net->params, m->w.name, 'b', m->rank * m->w.rows, plus, true);
    if (o->dora) {
        m->m_at = px_params_add(&net->params, m->w.name, 'm', m->w.rows, 1.0f, true);
        m->dora = PX_ZNEW(&net->arena, float, (size_t)m->w.rows);
        g->dora = true;
        if (!m->dora)
            return px_fail_memory(err, "the norms of DoRA");
    }
    return PITH_OK;
}

static pith_status add_pairs(px_net *net, const px_net_options *o, pith_error *err)
{
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < net->hp->n_layers; i++)
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < net->layers[i].groups[g].n && st == PITH_OK; j++) {
                px_group *group = &net->layers[i].groups[g];
                st = add_pair(net, o, group, &group->modules[j], err);
            }
    if (st == PITH_OK && net->params.n == 0)
        return px_fail(err, PITH_E_ARGUMENT,
                       "rank 0 for every module: nothing would be trained; give a rank");
    return st;
}

/* A as torch's Linear is begun: uniform within 1 / sqrt(in); B zero. */
static void start_pair(px_net *net, const px_module *m, uint64_t seed)
{
    if (m->rank == 0)
        return;
    float *a = net->params.value + m->a_at;
    uint64_t key = px_random_key(seed, (uint64_t)m->index);
    double bound = 1.0 / sqrt((double)m->w.cols);
    for (int64_t i = 0; i < m->rank * m->w.cols; i++)
        a[i] = (float)((2 * px_random_unit(key, (uint64_t)i) - 1) * bound);
}

static px_module *module_at(const px_net *net, int64_t i)
{
    px_net_layer *l = &net->layers[i / MODULES];
    int64_t j = i % MODULES;
    for (int g = 0; g < PX_GROUPS; g++) {
        if (j < l->groups[g].n)
            return &l->groups[g].modules[j];
        j -= l->groups[g].n;
    }
    return NULL;
}

/* ---- masters */

/* The vectors of a layer as the file names them. */
typedef struct vector_at {
    const char *name; // behind "blk.N."
    size_t at;        // in px_layer
} vector_at;

#define VECTOR(n, member)             \
    {                                 \
        n, offsetof(px_layer, member) \
    }
static const vector_at VECTORS[] = {
    VECTOR("attn_norm.weight", attn_norm), VECTOR("post_attention_norm.weight", attn_post),
    VECTOR("ffn_norm.weight", ffn_norm),   VECTOR("post_ffw_norm.weight", ffn_post),
    VECTOR("attn_q_norm.weight", q_norm),  VECTOR("attn_k_norm.weight", k_norm),
    VECTOR("attn_q.bias", q_bias),         VECTOR("attn_k.bias", k_bias),
    VECTOR("attn_v.bias", v_bias),         VECTOR("attn_output.bias", o_bias),
};
enum { N_VECTORS = sizeof VECTORS / sizeof VECTORS[0] };

static int64_t vector_length(const px_hparams *hp, const px_layer *l, size_t at)
{
    if (at == offsetof(px_layer, q_norm) || at == offsetof(px_layer, k_norm))
        return hp->head_dim;
    if (at == offsetof(px_layer, q_bias) && hp->qkv_fused)
        return l->q.rows + l->k.rows + l->v.rows;
    if (at == offsetof(px_layer, q_bias))
        return l->q.rows;
    if (at == offsetof(px_layer, k_bias))
        return l->k.rows;
    if (at == offsetof(px_layer, v_bias))
        return l->v.rows;
    return hp->width;
}

static const float **vector_of(px_layer *l, size_t at)
{
    return (const float **)(void *)((uint8_t *)l + at);
}

static void add_matrix(px_net *net, px_module *m)
{
    m->w_at = px_params_add(&net->params, m->w.name, 'w', m->w.rows * m->w.cols, 1.0f, true);
}

/* The k and v parts of a fused bias go with its q part. */
static bool goes_along(const px_hparams *hp, size_t at)
{
    return hp->qkv_fused && (at == offsetof(px_layer, k_bias) || at == offsetof(px_layer, v_bias));
}

/* Vector `v` of layer i as a part, whose place is kept by its order. */
static pith_status add_vector(px_net *net, px_layer *l, int32_t i, const vector_at *v,
                              pith_error *err)
{
    if (!*vector_of(l, v->at) || goes_along(net->hp, v->at))
        return PITH_OK;
    const char *name = v->name;
    if (net->hp->qkv_fused && v->at == offsetof(px_layer, q_bias))
        name = "attn_qkv.bias";
    char text[NAME_BYTES];
    int n = snprintf(text, sizeof text, "blk.%d.%s", i, name);
    const char *kept = px_arena_strndup(&net->arena, text, (size_t)n);
    if (!kept)
        return px_fail_memory(err, "names of tensors");
    px_params_add(&net->params, kept, 'w', vector_length(net->hp, l, v->at), 1.0f, false);
    return PITH_OK;
}

static pith_status add_masters(px_net *net, pith_error *err)
{
    pith_status st = PITH_OK;
    add_matrix(net, &net->embed);
    if (!net->hp->tied_head)
        add_matrix(net, &net->head);
    px_params_add(&net->params, "output_norm.weight", 'w', net->hp->width, 1.0f, false);
    for (int32_t i = 0; i < net->hp->n_layers && st == PITH_OK; i++) {
        px_net_layer *l = &net->layers[i];
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < l->groups[g].n; j++)
                add_matrix(net, &l->groups[g].modules[j]);
        for (int v = 0; v < N_VECTORS && st == PITH_OK; v++)
            st = add_vector(net, &net->w.layers[i], i, &VECTORS[v], err);
    }
    return st;
}

/* From here on the matrix is its master. */
static void move_matrix(px_net *net, px_matrix *m, int64_t at, int64_t first)
{
    float *to = net->params.value + at + first * m->cols;
    px_decode_fn decode = net->kern.decode[px_kern_slot(m->dtype)];
    for (int64_t r = 0; r < m->rows; r++)
        decode(m->data + (size_t)r * m->row_bytes, to + r * m->cols, m->cols);
    m->data = (const uint8_t *)to;
    m->dtype = PX_F32;
    m->row_bytes = (size_t)m->cols * sizeof(float);
}

static void move_module(px_net *net, px_module *m)
{
    move_matrix(net, &m->w, m->w_at, 0);
}

static void move_vector(px_net *net, const float **v, const px_param *part)
{
    float *to = net->params.value + part->at;
    memcpy(to, *v, (size_t)part->n * sizeof(float));
    *v = to;
}

/* The decoder's view of the layer: matrices and biases that are parts of a module. */
static void bind_layer(px_net *net, int32_t i)
{
    px_layer *l = &net->w.layers[i];
    px_net_layer *n = &net->layers[i];
    const px_hparams *hp = net->hp;
    if (hp->qkv_fused && l->q_bias) {
        l->k_bias = l->q_bias + l->q.rows;
        l->v_bias = l->k_bias + l->k.rows;
    }
    px_module *qkv = n->groups[PX_GROUP_QKV].modules;
    qkv[0].bias = l->q_bias;
    if (!hp->qkv_fused) {
        qkv[1].bias = l->k_bias;
        qkv[2].bias = l->v_bias;
    }
    n->groups[PX_GROUP_OUT].modules[0].bias = l->o_bias;
}

static void move_masters(px_net *net)
{
    int32_t part = net->hp->tied_head ? 1 : 2;
    move_module(net, &net->embed);
    net->w.embed = net->embed.w;
    if (net->hp->tied_head)
        net->head.w = net->embed.w;
    else
        move_module(net, &net->head);
    net->w.head = net->head.w;
    move_vector(net, &net->w.out_norm, &net->params.parts[part++]);
    for (int32_t i = 0; i < net->hp->n_layers; i++) {
        px_net_layer *l = &net->layers[i];
        for (int g = 0; g < PX_GROUPS; g++)
            for (int32_t j = 0; j < l->groups[g].n; j++, part++)
                move_module(net, &l->groups[g].modules[j]);
        for (int v = 0; v < N_VECTORS; v++) {
            const float **at = vector_of(&net->w.layers[i], VECTORS[v].at);
            if (*at && !goes_along(net->hp, VECTORS[v].at))
                move_vector(net, at, &net->params.parts[part++]);
        }
        bind_layer(net, i);
    }
}

/* ---- DoRA */

typedef struct norm_job {
    px_net *net;
    bool start; // magnitudes become the norms
} norm_job;

/* Rows of W + s B A of one module: their lengths. */
static void norm_module(void *ctx, int64_t i, int member)
{
    const norm_job *job = ctx;
    const px_net *net = job->net;
    const px_params *p = &net->params;
    px_module *m = module_at(net, i);
    if (!m || !m->dora)
        return;
    float *row = net->norm_rows + member * net->norm_stride;
    px_decode_fn decode = net->kern.decode[px_kern_slot(m->w.dtype)];
    for (int64_t r = 0; r < m->w.rows; r++) {
        decode(m->w.data + (size_t)r * m->w.row_bytes, row, m->w.cols);
        const float *b = p->value + m->b_at + r * m->rank;
        for (int32_t k = 0; k < m->rank; k++)
            net->kern.axpy(m->scale * b[k], p->value + m->a_at + k * m->w.cols, row, m->w.cols);
        double sum = 0;
        for (int64_t j = 0; j < m->w.cols; j++)
            sum += (double)row[j] * (double)row[j];
        float norm = (float)sqrt(sum);
        float *magnitude = p->value + m->m_at + r;
        if (job->start)
            *magnitude = norm;
        m->dora[r] = norm > 0 ? *magnitude / norm : 0.0f;
    }
}

static void set_norms(px_net *net, bool start)
{
    norm_job job = {net, start};
    if (net->dora)
        px_pool_for(net->pool, (int64_t)net->hp->n_layers * MODULES, norm_module, &job);
}

/* A row of the widest matrix for each member. */
static pith_status make_norm_rows(px_net *net, pith_error *err)
{
    const px_hparams *hp = net->hp;
    int64_t heads = (int64_t)hp->n_heads * hp->value_dim;
    int64_t most = hp->ffn > hp->width ? hp->ffn : hp->width;
    net->norm_stride = (int64_t)px_round_up((size_t)(most > heads ? most : heads), 16);
    net->norm_rows =
        PX_NEW(&net->arena, float, (size_t)(net->norm_stride * px_pool_size(net->pool)));
    return net->norm_rows ? PITH_OK : px_fail_memory(err, "the norms of DoRA");
}

void px_net_refresh(px_net *net)
{
    set_norms(net, false);
}

/* ---- all */

static pith_status fill(px_net *net, const px_net_options *o, pith_error *err)
{
    pith_status st = px_kern_fill(&net->kern, o->level, err);
    if (st == PITH_OK)
        st = px_grad_fill(&net->grad, o->product_level, err);
    if (st == PITH_OK)
        st = make_layers(net, err);
    if (st == PITH_OK)
        st = check_types(net, err);
    if (st == PITH_OK)
        st = px_rope_make(net->hp, &net->w, o->n_ctx, &net->arena, &net->rope, err);
    int32_t parts = net->hp->n_layers * (3 * MODULES + N_VECTORS) + 3;
    if (st == PITH_OK)
        st = px_params_init(&net->params, parts, &net->arena, err);
    net->embed = (px_module){.w = net->w.embed, .w_at = -1, .m_at = -1};
    net->head = (px_module){.w = net->w.head, .w_at = -1, .m_at = -1};
    if (st == PITH_OK)
        st = o->full ? add_masters(net, err) : add_pairs(net, o, err);
    if (st == PITH_OK)
        st = px_params_make(&net->params, err);
    if (st == PITH_OK && net->dora)
        st = make_norm_rows(net, err);
    if (st != PITH_OK)
        return st;
    if (o->full) {
        if (net->hp->tied_head)
            net->head.w_at = net->embed.w_at;
        move_masters(net);
        return PITH_OK;
    }
    for (int64_t i = 0; i < (int64_t)net->hp->n_layers * MODULES; i++)
        if (module_at(net, i))
            start_pair(net, module_at(net, i), o->seed);
    set_norms(net, true);
    return PITH_OK;
}

pith_status px_net_new(const px_hparams *hp, const px_weights *weights, px_pool *pool,
                       const px_net_options *options, px_net **out, pith_error *err)
{
    *out = NULL;
    px_net *net = px_calloc(1, sizeof *net);
    if (!net)
        return px_fail_memory(err, "a net");
    px_arena_init(&net->arena, 0, 0);
    net->hp = hp;
    net->w = *weights;
    net->pool = pool;
    net->full = options->full;
    net->dora = options->dora && !options->full;
    net->rslora = options->rslora;
    pith_status st = PITH_OK;
    net->w.layers = PX_NEW(&net->arena, px_layer, (size_t)hp->n_layers);
    if (!net->w.layers)
        st = px_fail_memory(err, "a net");
    else
        memcpy(net->w.layers, weights->layers, (size_t)hp->n_layers * sizeof *net->w.layers);
    if (st == PITH_OK)
        st = fill(net, options, err);
    if (st != PITH_OK)
        px_net_free(net);
    else
        *out = net;
    return st;
}

void px_net_free(px_net *net)
{
    if (!net)
        return;
    px_params_clear(&net->params);
    px_arena_clear(&net->arena);
    px_free(net);
}
