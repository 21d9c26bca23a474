/*
 * attention_tile: attention of many query rows, for any instruction set. Included once in a file of
 * each, behind attention_kv.h and what the form of operands needs (attention_f32.h, or another):
 *
 *   UNIT               values in 32 bits of an operand: 1 (f32) or 2 (pairs of bf16)
 *   LOG2_WEIGHTS       weights are powers of 2 (scores are kept times log2 e) or of e
 *   unit_dot(c, a, b)  c + the products of each lane's UNIT values
 *   unit_weight(x)     the power of x <= 0
 *   pack_query         rows [n, stride] of f32 by `by`, as [units, ROWS]
 *   pack_keys          keys of a tile as [TILE, units of D]
 *   pack_values        values of a tile as [TILE / UNIT, Dv]
 *   pack_weights       [TILE, ROWS] f32 to [TILE / UNIT, ROWS]
 *
 * The query rows of a panel (token by token, heads of the group inside) meet one tile of keys and
 * values after another; a tile is converted once for all of them. In vectors, lanes are query rows:
 * two vectors, ROWS rows, are a block. For a block
 *
 *   scores  s[t][row]  = sum over units of q[unit][row] * key[t][unit]     (keys broadcast)
 *   weights p[t][row]  = power(s - most[row]), sums by the way
 *   out     o[j][row] += sum over units of p[unit][row] * value[unit][j]   (values broadcast)
 *
 * so that maxima and sums never cross a vector, and both products are one routine: AT_ONCE rows of
 * a broadcast operand against two vectors, 2 * AT_ONCE sums in registers. What scores are measured
 * from (`most`) follows the maximum only when that has grown by more than 8 powers of 2: sums then
 * stay far from the ends of f32, and out need hardly ever be multiplied.
 *
 * Tiles that no row of a block sees are skipped; where some rows see a key and others do not, the
 * others' weights are 0. That hides NaN in keys, not in values (0 * NaN): values of such tiles are
 * looked at, and a panel where one is not finite is left to the rows' own kernel.
 *
 * Cost for a key and a block, in vector instructions: 2 D / UNIT + 2 Dv / UNIT products, half as
 * many broadcasts and a quarter loads, some 25 for two vectors of weights; conversion of a key and
 * its value, some D / 4, is shared by up to PANEL_ROWS rows.
 */
enum { ROWS = 2 * VF_N, AT_ONCE = VF_N >= 16 ? 8 : 4, PANEL_ROWS = 256, TILE_MOST_DIM = 256 };

typedef struct panel {
    const px_attn *a;
    int64_t r0; // first row
    int n, n_blocks;
    int64_t uq, uk, uv; // units of q and k in use; units of a row of k, of v
    uint32_t *q;        // [n_blocks, uq, ROWS]
    float *out;         // [n_blocks, Dv, ROWS]
    float *most, *sum;  // [n_blocks, ROWS]
    float *first, *end; // [n_blocks, ROWS] keys that rows see, counted from the tile's first
    uint32_t *k, *v;    // the tile: [TILE, uk], [TILE / UNIT, uv]
    float *s;           // [TILE, ROWS]
    uint32_t *p;        // [TILE / UNIT, ROWS]
} panel;

/* c[j][row] (+)= sum over units u of a[u][row] * b[j * bj + u * bu], for n rows j. */
INLINE void dots(const uint32_t *a, int64_t n_units, const uint32_t *b, int64_t bj, int64_t bu,
                 float *c, const int n, const bool add)
{
    vf sum[AT_ONCE][2];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
        sum[j][0] = add ? vf_load(c + j * ROWS) : vf_zero();
        sum[j][1] = add ? vf_load(c + j * ROWS + VF_N) : vf_zero();
    }
    for (int64_t u = 0; u < n_units; u++) {
        const vf a0 = vf_load((const float *)(const void *)(a + u * ROWS));
        const vf a1 = vf_load((const float *)(const void *)(a + u * ROWS + VF_N));
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            const vf x = vf_all(*(const float *)(const void *)(b + j * bj + u * bu));
            sum[j][0] = unit_dot(sum[j][0], a0, x);
            sum[j][1] = unit_dot(sum[j][1], a1, x);
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
        vf_store(c + j * ROWS, sum[j][0]);
        vf_store(c + j * ROWS + VF_N, sum[j][1]);
    }
}

static void tile_scores(const panel *b, const uint32_t *q, int n_keys)
{
    for (int t = 0; t < n_keys; t += AT_ONCE) // keys behind the last are zeros
        dots(q, b->uq, b->k + t * b->uk, b->uk, 1, b->s + t * ROWS, AT_ONCE, false);
}

static void tile_values(const panel *b, float *out, int n_keys)
{
    const int64_t units = (n_keys + UNIT - 1) / UNIT, dim = b->a->value_dim;
    int64_t j = 0;
    for (; j + AT_ONCE <= dim; j += AT_ONCE)
        dots(b->p, units, b->v + j, 1, b->uv, out + j * ROWS, AT_ONCE, true);
    for (; j < dim; j++)
        dots(b->p, units, b->v + j, 1, b->uv, out + j * ROWS, 1, true);
}

static void cap_scores(float *s, int n_keys, float cap)
{
    for (int i = 0; i < n_keys * ROWS; i += VF_N)
        vf_store(s + i, vf_mul(vf_tanh(vf_load(s + i)), vf_all(cap)));
}

/* Scores of keys that a row does not see become -infinity. */
static void mask_scores(const panel *b, int block, int n_keys)
{
    for (int i = 0; i < ROWS; i += VF_N) {
        const vf first = vf_load(b->first + block * ROWS + i);
        const vf end = vf_load(b->end + block * ROWS + i);
        for (int t = 0; t < n_keys; t++) {
            float *s = b->s + t * ROWS + i;
            const vf at = vf_all((float)t), none = vf_all(-INFINITY);
            const vf x = vf_where_less(at, end, vf_load(s), none);
            vf_store(s, vf_where_less(at, first, none, x));
        }
    }
}

/* Scores of a block become weights; sums and, where `most` rises, what they were measured from. */
static void tile_weights(const panel *b, int block, int n_keys)
{
    for (int i = 0; i < ROWS; i += VF_N) {
        float *s = b->s + i, *most = b->most + block * ROWS + i, *sums = b->sum + block * ROWS + i;
        vf high0 = vf_load(s), high1 = high0;
        for (int t = 0; t < n_keys; t += 2) { // scores up to a multiple of AT_ONCE are there
            high0 = vf_max(high0, vf_load(s + t * ROWS));
            high1 = vf_max(high1, vf_load(s + (t + 1 < n_keys ? t + 1 : t) * ROWS));
        }
        const vf high = vf_max(high0, high1), old = vf_load(most);
        const vf from = vf_where_less(vf_add(old, vf_all(8.0f)), high, high, old);
        if (vf_most(vf_sub(from, old)) > 0.0f) {
            const vf shrink = unit_weight(vf_sub(old, from));
            float *out = b->out + block * b->a->value_dim * ROWS + i;
            for (int64_t j = 0; j < b->a->value_dim; j++)
                vf_store(out + j * ROWS, vf_mul(vf_load(out + j * ROWS), shrink));
            vf_store(sums, vf_mul(vf_load(sums), shrink));
            vf_store(most, from);
        }
        vf sum = vf_load(sums);
        for (int t = 0; t < n_keys; t++) {
            const vf weight = unit_weight(vf_sub(vf_load(s + t * ROWS), from));
            vf_store(s + t * ROWS, weight);
            sum = vf_add(sum, weight);
        }
        vf_store(sums, sum);
    }
}

/* ---- panels */

static void *cut_off(uint8_t **at, int64_t n, size_t size)
{
    void *p = *at;
    *at += ((size_t)n * size + 63) & ~(size_t)63;
    return p;
}

/* Bytes of a panel's memory for each block, and for the tile. */
static int64_t block_bytes(const panel *b)
{
    return ROWS * (b->uq + b->a->value_dim + 4) * 4;
}

static int64_t tile_bytes(const panel *b)
{
    return 4 * TILE * (b->uk + b->uv / UNIT + ROWS + ROWS / UNIT) + 10 * 64;
}

static panel make_panel(const px_attn *a)
{
    panel b = {.a = a,
               .uq = (a->head_dim + UNIT - 1) / UNIT,
               .uk = whole_vectors((a->head_dim + UNIT - 1) / UNIT),
               .uv = whole_vectors(a->value_dim)};
    const int64_t fit = (PX_KERN_SCRATCH - tile_bytes(&b)) / block_bytes(&b);
    const int n = (int)at_most(PANEL_ROWS / ROWS, fit);
    uint8_t *at = a->scratch;
    b.q = cut_off(&at, n * b.uq * ROWS, 4);
    b.out = cut_off(&at, n * a->value_dim * ROWS, 4);
    b.most = cut_off(&at, n * ROWS, 4);
    b.sum = cut_off(&at, n * ROWS, 4);
    b.first = cut_off(&at, n * ROWS, 4);
    b.end = cut_off(&at, n * ROWS, 4);
    b.k = cut_off(&at, TILE * b.uk, 4);
    b.v = cut_off(&at, TILE / UNIT * b.uv, 4);
    b.s = cut_off(&at, TILE * ROWS, 4);
    b.p = cut_off(&at, TILE / UNIT * ROWS, 4);
    b.n_blocks = n; // the most that fit
    return b;
}

/* The token of row r of the panel; rows behind the last stand for the last. */
static int64_t token_of(const panel *b, int r)
{
    return (b->r0 + (r < b->n ? r : b->n - 1)) / b->a->group;
}

static void take_panel(panel *b, int64_t r0, int n)
{
    const px_attn *a = b->a;
    b->r0 = r0;
    b->n = n;
    b->n_blocks = (n + ROWS - 1) / ROWS;
    const float by = (a->softcap > 0 ? a->scale / a->softcap : a->scale) *
                     (a->softcap > 0 || !LOG2_WEIGHTS ? 1.0f : 1.44269504f);
    for (int r = 0; r < b->n_blocks * ROWS; r++) {
        const int64_t row = r0 + r, i = row / a->group, g = row % a->group;
        uint32_t *q = b->q + r / ROWS * b->uq * ROWS + r % ROWS;
        pack_query(r < n ? a->q + i * a->q_stride + g * a->head_dim : NULL, a->head_dim, by, q);
    }
    for (int r = 0; r < b->n_blocks * ROWS; r++) {
        b->most[r] = -FLT_MAX;
        b->sum[r] = 0.0f;
    }
    memset(b->out, 0, (size_t)(b->n_blocks * a->value_dim) * ROWS * sizeof(float));
}

/* Whether all values of the tile are finite. */
static bool all_finite(const px_attn *a, const tile_rows *tile)
{
    const load_fn load = a->v_dtype == PX_F32   ? load_f32
                         : a->v_dtype == PX_F16 ? load_f16
                                                : load_q8_0;
    vf zero = vf_zero();
    for (int t = 0; t < tile->n; t++)
        for (int64_t j = 0; j < a->value_dim; j += VF_N)
            zero = vf_fma(load(tile_value(tile, t), j, a->value_dim - j), vf_zero(), zero);
    return vf_sum(zero) == 0.0f;
}

/* What rows of a block see of a tile of n keys that begins at t0. */
typedef enum block_sees { SEES_NONE, SEES_SOME, SEES_ALL } block_sees;

static block_sees block_view(const panel *b, int block, int64_t t0, int n)
{
    const px_attn_range low = px_attn_sees(b->a, token_of(b, block * ROWS));
    const px_attn_range high = px_attn_sees(b->a, token_of(b, block * ROWS + ROWS - 1));
    if (high.end <= t0 || low.first >= t0 + n)
        return SEES_NONE;
    return high.first <= t0 && low.end >= t0 + n ? SEES_ALL : SEES_SOME;
}

static void set_edges(panel *b, int block, int64_t t0)
{
    for (int r = block * ROWS; r < (block + 1) * ROWS; r++) {
        const px_attn_range sees = px_attn_sees(b->a, token_of(b, r));
        b->first[r] = (float)px_attn_clamp(sees.first - t0, 0, TILE);
        b->end[r] = (float)px_attn_clamp(sees.end - t0, 0, TILE);
    }
}

static void tile_block(panel *b, int block, int64_t t0, int n_keys, block_sees view)
{
    tile_scores(b, b->q + block * b->uq * ROWS, n_keys);
    if (b->a->softcap > 0)
        cap_scores(b->s, n_keys, b->a->softcap * (LOG2_WEIGHTS ? 1.44269504f : 1.0f));
    if (view == SEES_SOME) {
        set_edges(b, block, t0);
        mask_scores(b, block, n_keys);
    }
    tile_weights(b, block, n_keys);
    pack_weights(b->s, n_keys, b->p);
    tile_values(b, b->out + block * b->a->value_dim * ROWS, n_keys);
}

/* All blocks over the tile; false: an edge of what rows see runs through values that are not
 * finite. */
static bool tile_panel(panel *b, int64_t t0, const tile_rows *tile)
{
    block_sees views[PANEL_ROWS / ROWS];
    bool edge = false;
    for (int i = 0; i < b->n_blocks; i++) {
        views[i] = block_view(b, i, t0, tile->n);
        edge = edge || views[i] == SEES_SOME;
    }
    if (edge && !all_finite(b->a, tile))
        return false;
    pack_keys(b->a, tile, b->k, b->uk);
    pack_values(b->a, tile, b->v, b->uv);
    for (int i = 0; i < b->n_blocks; i++)
        if (views[i] != SEES_NONE)
            tile_block(b, i, t0, tile->n, views[i]);
    return true;
}

static void give_panel(const panel *b)
{
    const px_attn *a = b->a;
    for (int r = 0; r < b->n; r++) {
        const int64_t row = b->r0 + r, i = row / a->group, g = row % a->group;
        const float *from = b->out + r / ROWS * a->value_dim * ROWS + r % ROWS;
        float *out = a->out + i * a->out_stride + g * a->value_dim;
        const float by = a->part ? 1.0f : 1.0f / b->sum[r];
        for (int64_t j = 0; j < a->value_dim; j++)
            out[j] = from[j * ROWS] * by;
        if (a->part)
            a->part[row] = (px_attn_part){
                .most =
                    b->sum[r] == 0 ? -INFINITY : b->most[r] * (LOG2_WEIGHTS ? 0.693147181f : 1.0f),
                .sum = b->sum[r]};
    }
}

static bool attend_panel(panel *b, int64_t r0, int n)
{
    const px_attn *a = b->a;
    tile_rows tile;
    take_panel(b, r0, n);
    const int64_t end = px_attn_sees(a, token_of(b, n - 1)).end;
    for (int64_t t0 = px_attn_sees(a, token_of(b, 0)).first; t0 < end; t0 += tile.n) {
        find_tile(a, t0, end, &tile);
        if (!tile_panel(b, t0, &tile))
            return false;
    }
    give_panel(b);
    return true;
}

/* Rows that the tiles cannot do: see all_finite. */
static void attend_apart(const px_attn *a, int64_t r0, int n);

static void attend_in_tiles(const px_attn *a)
{
    panel b = make_panel(a);
    const int64_t n = (int64_t)a->n_q * a->group;
    const int most = b.n_blocks * ROWS;
    for (int64_t r = 0; r < n; r += most) {
        const int n_rows = (int)at_most(n - r, most);
        if (!attend_panel(&b, r, n_rows))
            attend_apart(a, r, n_rows);
    }
}

#undef UNIT
#undef LOG2_WEIGHTS
