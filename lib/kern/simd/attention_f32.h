/* attention_f32: operands of attention_tile.h in f32, for any instruction set. */
#define UNIT         1
#define LOG2_WEIGHTS 0

INLINE vf unit_dot(vf c, vf a, vf b)
{
    return vf_fma(a, b, c);
}

INLINE vf unit_weight(vf x)
{
    return vf_exp(x);
}

/* One row, of which value i goes to out[i * ROWS]; NULL: zeros. */
static void pack_query(const float *q, int64_t n, float by, uint32_t *out)
{
    float *x = (float *)(void *)out;
    for (int64_t i = 0; i < n; i++)
        x[i * 2 * VF_N] = q ? q[i] * by : 0.0f;
}

INLINE void pack_rows(const uint8_t *rows, size_t row_bytes, int n, int64_t dim, uint32_t *out,
                      int64_t stride, load_fn load)
{
    float *x = (float *)(void *)out;
    for (int t = 0; t < n; t++)
        for (int64_t i = 0; i < dim; i += VF_N)
            vf_store(x + t * stride + i, load(rows + (size_t)t * row_bytes, i, dim - i));
}

static void pack_f32(px_dtype dtype, const uint8_t *rows, size_t row_bytes, int n, int64_t dim,
                     uint32_t *out, int64_t stride)
{
    if (dtype == PX_F16)
        pack_rows(rows, row_bytes, n, dim, out, stride, load_f16);
    else if (dtype == PX_Q8_0)
        pack_rows(rows, row_bytes, n, dim, out, stride, load_q8_0);
    else
        pack_rows(rows, row_bytes, n, dim, out, stride, load_f32);
}

static void pack_keys(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride)
{
    const int whole = (tile->n + 7) / 8 * 8; // a multiple of AT_ONCE
    pack_f32(a->k_dtype, tile->k, tile->k_bytes, tile->n, a->head_dim, out, stride);
    memset(out + tile->n * stride, 0, (size_t)((whole - tile->n) * stride) * sizeof *out);
}

static void pack_values(const px_attn *a, const tile_rows *tile, uint32_t *out, int64_t stride)
{
    pack_f32(a->v_dtype, tile->v, tile->v_bytes, tile->n, a->value_dim, out, stride);
}

static void pack_weights(const float *s, int n_keys, uint32_t *p)
{
    memcpy(p, s, (size_t)n_keys * 2 * VF_N * sizeof *s);
}
