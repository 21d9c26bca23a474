/*
 * lora: adapters in a step: y += scale * B (A x), for the rows that have them; with DoRA y times
 * the gain of each row after that. Several adapters follow each other, as in PEFT: a gain scales
 * what the adapters before it gave, too.
 *
 * Rows with the same adapters stand together (px_run). Before a group of products that read one
 * input, a phase computes A x of all of them into d->lora, a row for each row picked:
 *
 *   lora row  | adapter 0: A x of q, of k, of v | adapter 1: .. |      `at` of the pair, R values
 *
 * times all scales. The piece of a product that computes rows of y then adds B's rows, from blocks
 * that are read once for all rows of a run. A is f32 and goes through the kernels of f32 weights;
 * B goes through axpy: R is small, and so its 2 R operations an element are few.
 *
 * Up to FEW rows are multiplied by the kernel for few columns, which computes each as if it were
 * alone: so that speculation and batches of few do not change bits.
 */
#include "model/pass.h"

#include "base/mem.h"

#include <string.h>

enum {
    LINE_FLOATS = 16,
    FEW = 8,      // columns; as exact_columns of engine.c
    COLUMNS = 32, // of one piece
    FEW_RANKS = 8 // rows of A of one piece with few columns
};

/* ---- room */

static int64_t width_of(const px_lora_use *uses, int32_t n)
{
    int64_t width = 0;
    for (int32_t i = 0; i < n; i++)
        width += uses[i].adapter->stack;
    return width;
}

/* Floats of one packed column, 0 where inputs are whole lines and read as they lie. */
static size_t column_floats(const px_hparams *hp)
{
    const int64_t widths[] = {hp->width, (int64_t)hp->n_heads * hp->value_dim, hp->ffn};
    size_t most = 0;
    for (int i = 0; i < 3; i++) {
        size_t n = px_act_column_bytes(PX_ACT_F32, widths[i]) / sizeof(float);
        if (widths[i] % LINE_FLOATS != 0 && n > most)
            most = n;
    }
    return most;
}

static size_t fit_floats(const px_decoder *d, int64_t stride)
{
    return (size_t)d->options.max_batch * (size_t)stride +
           (size_t)px_pool_size(d->pool) * COLUMNS * column_floats(d->hp);
}

pith_status px_decoder_fit(px_decoder *d, const px_lora_use *loras, int32_t n, pith_error *err)
{
    int64_t width = width_of(loras, n);
    if (width <= d->lora.width)
        return PITH_OK;
    int64_t stride = (width + LINE_FLOATS - 1) & ~(int64_t)(LINE_FLOATS - 1);
    float *data = px_aligned(fit_floats(d, stride), sizeof *data, 64);
    if (!data)
        return px_fail(err, PITH_E_MEMORY,
                       "out of memory while making room for adapters of rank %lld in all",
                       (long long)width);
    px_free(d->lora.data);
    d->lora = (px_rows){.data = data, .stride = stride, .width = width};
    d->lora_column = data + (size_t)d->options.max_batch * (size_t)stride;
    return PITH_OK;
}

size_t px_decoder_fit_bytes(const px_decoder *d)
{
    return d->lora.data ? fit_floats(d, d->lora.stride) * sizeof(float) : 0;
}

bool px_pass_fits(const px_decoder *d, const px_chunk *chunk)
{
    if (chunk->n_loras < 0 || (chunk->n_loras > 0 && !chunk->loras))
        return false;
    for (int32_t i = 0; i < chunk->n_loras; i++)
        if (chunk->loras[i].adapter->n_layers != d->hp->n_layers)
            return false;
    return width_of(chunk->loras, chunk->n_loras) <= d->lora.width;
}

/* ---- runs */

static bool same_uses(const px_lora_use *a, int32_t n, const px_lora_use *b, int32_t m)
{
    if (n != m)
        return false;
    for (int32_t i = 0; i < n; i++)
        if (a[i].adapter != b[i].adapter || a[i].scale != b[i].scale)
            return false;
    return true;
}

void px_pass_order(px_decoder *d, int n_chunks)
{
    const px_chunk *c = d->chunks;
    int n = 0;
    for (int i = 0; i < n_chunks; i++)
        d->order[i] = -1;
    for (int i = 0; i < n_chunks; i++) {
        bool first = true; // with these adapters
        for (int j = 0; first && c[i].n_loras > 0 && j < i; j++)
            first = !same_uses(c[j].loras, c[j].n_loras, c[i].loras, c[i].n_loras);
        if (!first)
            continue;
        d->order[n++] = i;
        for (int j = i + 1; c[i].n_loras > 0 && j < n_chunks; j++)
            if (same_uses(c[j].loras, c[j].n_loras, c[i].loras, c[i].n_loras))
                d->order[n++] = j;
    }
}

void px_pass_note_run(px_decoder *d, const px_chunk *chunk, int32_t first)
{
    int32_t n = d->n_rows - first;
    px_run *run = d->n_runs > 0 ? &d->runs[d->n_runs - 1] : NULL;
    if (run && run->first + run->n == first &&
        same_uses(run->uses, run->n_uses, chunk->loras, chunk->n_loras))
        run->n += n;
    else
        d->runs[d->n_runs++] =
            (px_run){.first = first, .n = n, .uses = chunk->loras, .n_uses = chunk->n_loras};
    for (int32_t r = first; r < d->n_rows; r++)
        d->rows[r].run = d->n_runs - 1;
}

/* The first of the rows picked that is row r or behind it. */
static int32_t first_pick(const px_picked *rows, int32_t r)
{
    if (!rows->rows)
        return r < rows->n ? r : rows->n;
    int32_t low = 0, high = rows->n;
    while (low < high) {
        int32_t mid = (low + high) / 2;
        if (rows->rows[mid] < r)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ---- A x */

/* Goes over the pieces of a phase: for each run, each adapter and each matrix some columns, or
 * where they are few some rows of A. */
typedef struct walk {
    const px_decoder *d;
    const px_picked *rows;
    const px_slot *slots;
    int32_t layer;
    int n_slots;
    /* where it stands: at pair `slot` of adapter `use` of a run, whose pieces begin with `base` */
    int32_t run, use;
    int slot;
    int64_t base, n;   // n: pieces of this pair
    int32_t low, high; // rows picked of this run
    int32_t at;        // where this adapter's values begin
} walk;

static const px_lora *pair_at(const walk *w)
{
    const px_run *run = &w->d->runs[w->run];
    return px_adapter_pair(run->uses[w->use].adapter, w->layer, w->slots[w->slot]);
}

/* Counts the pieces of the pair at hand. */
static void look(walk *w)
{
    const px_run *run = &w->d->runs[w->run];
    const px_lora *l = pair_at(w);
    if (w->use == 0 && w->slot == 0) {
        w->low = first_pick(w->rows, run->first);
        w->high = first_pick(w->rows, run->first + run->n);
    }
    int64_t columns = w->high - w->low;
    if (l->rank == 0 || l->shared || columns == 0)
        w->n = 0;
    else if (columns <= FEW)
        w->n = (l->rank + FEW_RANKS - 1) / FEW_RANKS;
    else
        w->n = (columns + COLUMNS - 1) / COLUMNS;
}

/* To the next pair; false behind the last. */
static bool next_pair(walk *w)
{
    const px_run *run = &w->d->runs[w->run];
    w->base += w->n;
    if (++w->slot == w->n_slots) {
        w->slot = 0;
        w->at += run->uses[w->use].adapter->stack;
        if (++w->use == run->n_uses) {
            w->use = w->at = 0;
            if (++w->run == w->d->n_runs)
                return false;
        }
    }
    look(w);
    return true;
}

/* Rows [row0, row1) of A for columns [c0, c0 + n) of the input, into rows i0 and on of d->lora. */
static void multiply(const walk *w, const px_desk *desk, const px_rows *in, int32_t c0, int32_t i0,
                     int32_t n, int64_t row0, int64_t row1)
{
    const px_decoder *d = w->d;
    const px_lora *l = pair_at(w);
    px_act act = {.form = PX_ACT_F32, .k = l->cols, .n = n};
    const float *x = in->data + c0 * in->stride;
    act.data = x;
    act.column_bytes = (size_t)in->stride * sizeof *x;
    if (l->cols % LINE_FLOATS != 0) {
        size_t floats = column_floats(d->hp);
        float *packed = d->lora_column + (size_t)desk->member * COLUMNS * floats;
        act.data = packed;
        act.column_bytes = px_act_column_bytes(PX_ACT_F32, l->cols);
        d->kern->pack[PX_ACT_F32](x, in->stride, l->cols, 0, n, packed, act.column_bytes);
    }
    float *y = d->lora.data + i0 * d->lora.stride + w->at + l->at;
    px_mul mul = {.dtype = PX_F32,
                  .w = (const uint8_t *)l->a,
                  .row_bytes = (size_t)l->cols * sizeof(float),
                  .x = &act,
                  .y = y,
                  .y_stride = d->lora.stride,
                  .scratch = desk->scratch};
    int slot = px_kern_slot(PX_F32);
    px_mul_fn product = n <= FEW ? d->kern->mul[slot] : px_kern_product(d->kern, slot, n);
    product(&mul, row0, row1);
    float scale = l->scale * d->runs[w->run].uses[w->use].scale;
    for (int32_t c = 0; c < n; c++)
        for (int64_t r = row0; r < row1; r++)
            y[c * d->lora.stride + r] *= scale;
}

static void run_piece(const walk *w, const px_desk *desk, const px_rows *in, int64_t i)
{
    int64_t rank = pair_at(w)->rank, row0 = 0, row1 = rank;
    int32_t low = w->low, high = w->high;
    if (high - low <= FEW) {
        row0 = i * FEW_RANKS;
        row1 = row0 + FEW_RANKS < rank ? row0 + FEW_RANKS : rank;
    } else {
        low += (int32_t)i * COLUMNS;
        high = low + COLUMNS < high ? low + COLUMNS : high;
    }
    const int32_t *places = w->rows->places;
    if (!places)
        multiply(w, desk, in, low, low, high - low, row0, row1);
    for (int32_t c = low; places && c < high; c++)
        if (places[c] < w->d->n_logits)
            multiply(w, desk, in, places[c], c, 1, row0, row1);
}

void px_pass_lora(px_decoder *d, const px_desk *desk, int32_t layer, const px_slot *slots,
                  int n_slots, const px_lora_in *from)
{
    if (d->n_runs == 0)
        return;
    walk w = {.d = d, .rows = from->rows, .slots = slots, .layer = layer, .n_slots = n_slots};
    look(&w);
    const walk start = w;
    while (next_pair(&w)) {
    }
    int64_t n = w.base;
    if (n == 0)
        return;
    for (int64_t i; (i = px_pool_next(d->pool, desk->member, n)) >= 0;) {
        if (i < w.base) // pieces come in any order, but mostly in their own
            w = start;
        while (i >= w.base + w.n)
            next_pair(&w);
        run_piece(&w, desk, from->in, i - w.base);
    }
}

/* ---- B */

/* A use of a pair: where its values A x stand in a row of d->lora, and its scale. */
typedef struct share {
    int64_t at;
    float scale;
} share;

/* Adds rows [row0, row1) of B times the R values h to y. */
static void add_rows(const px_decoder *d, const px_lora *l, const float *h, float *y, int64_t row0,
                     int64_t row1)
{
    const float *block = l->b + row0 / PX_LORA_BLOCK * PX_LORA_BLOCK * l->rank;
    for (int32_t k = 0; k < l->rank; k++)
        d->kern->axpy(h[k], block + k * PX_LORA_BLOCK + row0 % PX_LORA_BLOCK, y, row1 - row0);
}

/* The pair's part of rows [row0, row1) for the rows picked of a run. */
static void add_pair(const px_decoder *d, const px_lora *l, const share *of, const px_picked *rows,
                     const px_run *run, float *y, int64_t stride, int64_t row0, int64_t row1)
{
    int32_t low = first_pick(rows, run->first), high = first_pick(rows, run->first + run->n);
    for (int64_t row = row0, end; row < row1; row = end) {
        end = (row / PX_LORA_BLOCK + 1) * PX_LORA_BLOCK;
        end = end < row1 ? end : row1;
        for (int32_t i = low; i < high; i++) {
            int32_t place = rows->places ? rows->places[i] : i;
            if (rows->places && place >= d->n_logits)
                continue; // pooled: has no logits
            const float *h = d->lora.data + i * d->lora.stride + of->at;
            float *to = y + place * stride + (row - row0);
            add_rows(d, l, h, to, row, end);
            for (int64_t r = row; l->dora && r < end; r++)
                to[r - row] *= px_lora_gain(l, of->scale, r);
        }
    }
}

void px_pass_lora_add(const px_decoder *d, int32_t layer, px_slot slot, const px_picked *rows,
                      float *y, int64_t stride, int64_t row0, int64_t row1)
{
    for (int32_t i = 0; i < d->n_runs; i++) {
        const px_run *run = &d->runs[i];
        int64_t at = 0;
        for (int32_t u = 0; u < run->n_uses; u++) {
            const px_adapter *a = run->uses[u].adapter;
            const px_lora *l = px_adapter_pair(a, layer, slot);
            if (l->rank > 0)
                add_pair(d, l, &(share){at + l->at, run->uses[u].scale}, rows, run, y, stride, row0,
                         row1);
            at += a->stack;
        }
    }
}

void px_pass_lora_embed(const px_decoder *d, int32_t r, float *x)
{
    const px_run *run = &d->runs[d->rows[r].run];
    for (int32_t u = 0; u < run->n_uses; u++) {
        const px_lora *l = &run->uses[u].adapter->embed;
        float scale = l->scale * run->uses[u].scale;
        const float *a = l->a + (int64_t)d->rows[r].token * l->rank;
        for (int64_t row = 0; l->rank > 0 && row < l->rows; row += PX_LORA_BLOCK) {
            int64_t n = l->rows - row < PX_LORA_BLOCK ? l->rows - row : PX_LORA_BLOCK;
            const float *block = l->b + row * l->rank;
            for (int32_t k = 0; k < l->rank; k++)
                d->kern->axpy(scale * a[k], block + k * PX_LORA_BLOCK, x + row, n);
        }
    }
}
