/*
 * pass: the decoder's own memory and the phases of one step, private to decoder.c, rows.c,
 * attention.c, ffn.c and lora.c.
 *
 * All members of the pool run px_pass_* in the same order. A phase hands out its work by
 * px_pool_next, whose end is a barrier: what one phase wrote, the next reads. Work is cut by shapes
 * alone. One layer is
 *
 *   rows  x += what the last product gave (bias, post norm); norm; pack      rows.c
 *   heads q, k, v products of a few heads; bias, q/k norm, rope; store k, v  attention.c
 *   tiles attention of a few query tokens, or of a part of their keys        attention.c
 *   rows  put parts together; pack                                           rows.c
 *   out   product                                                            decoder.c
 *   rows  x += ...; norm; pack                                               rows.c
 *   ffn   gate and up products of the same rows; activation                  ffn.c
 *   rows  pack                                                               rows.c
 *   down  product                                                            decoder.c
 *
 * with nine barriers. A step of one row has five: each member does the row phases for itself, in
 * memory of its own (px_desk): that takes less time than waiting until somebody else has done it.
 *
 * Where rows go through adapters, there is one more phase before each group of products that
 * adapters change: A x of all of them, from the plain rows. B follows where the product is made.
 * Rows of the same adapters stand together, so that a step reads each adapter once.
 *
 * Behind the keys and values of the last layer only rows go on that are wanted: whose logits are
 * asked for, or whose hidden state is pooled.
 */
#ifndef PX_MODEL_PASS_H
#define PX_MODEL_PASS_H

#include "model/decoder.h"
#include "model/rope.h"

#include <stdatomic.h>

enum { PX_PASS_PARTS = 16 }; // most parts of a row's attention

/* Rows [first, first + n) of the step, all of one chunk, which attention takes together. Few rows
 * with many keys are several tiles, one for each part of the keys that a layer lets them see: n
 * rows of part results from `slot` on. */
typedef struct px_tile {
    int32_t chunk;
    int32_t first;
    int32_t n;
    bool wanted;           // has rows that are
    int32_t part, n_parts; // n_parts 1: whole
    int32_t slot;
} px_tile;

/* Rows whose attention came in parts, to be put together: part p of row i lies in slot
 * slot + p * n + i. */
typedef struct px_joint {
    int32_t first, n, n_parts, slot;
} px_joint;

/* Where a row of the step belongs. */
typedef struct px_row {
    int32_t chunk;
    int32_t token; // its id
    int32_t joint; // -1: its attention comes whole
    int32_t run;   // whose adapters it goes through, -1: none
    int64_t position;
} px_row;

/* Rows [first, first + n) of the step, which go through the same adapters. */
typedef struct px_run {
    int32_t first, n;
    const px_lora_use *uses;
    int32_t n_uses;
} px_run;

/* Rows of f32 and what products read of them. */
typedef struct px_rows {
    float *data;    // [n, stride]
    int64_t stride; // in floats, a multiple of 16
    int64_t width;
} px_rows;

/* Rows of the step by number, ascending; rows NULL: the first n. */
typedef struct px_picked {
    int32_t n;
    const int32_t *rows;
    const int32_t *places; // [n] which row of its result the i-th becomes; NULL: i
} px_picked;

/* Where a member does row work: in rows that all share or, where the step has but one row, in a
 * copy of it. */
typedef struct px_desk {
    int member;
    bool alone;
    px_rows x;      // [B, C] residual stream
    px_rows normed; // [B, C]; kept only where somebody reads it unpacked
    px_rows mixed;  // [B, H * Dv] attention's parts put together
    px_rows hidden; // [B, C] after the output norm: rows with logits, then those that are pooled
    float *cos[2];  // [B, rope.n] by base
    float *sin[2];
    uint8_t *packed[PX_ACT_FORMS]; // [B, packed_bytes], of whichever input was packed last
    /* the member's own in any case */
    px_rows row;      // [1, C]
    px_rows up;       // [B, grain of F]
    uint8_t *scratch; // [scratch_bytes]
} px_desk;

struct px_decoder {
    const px_hparams *hp;
    const px_weights *w;
    const px_kern *kern;
    px_pool *pool;
    px_decoder_options options;
    px_arena arena; // rope
    px_rope rope;
    void *memory; // one block; all below lie in it

    px_rows added; // [B, C] what attention or ffn gives to the stream
    /* q, k, v, mixed and gate share memory: attention is over when ffn begins. */
    px_rows q;      // [B, H * D]
    px_rows k;      // [B, K * D]
    px_rows v;      // [B, K * Dv]
    px_rows mixed;  // [B, H * Dv] attention's result
    px_rows gate;   // [B, F]
    px_rows logits; // [R, V], stride V
    size_t packed_bytes[PX_ACT_FORMS];
    size_t scratch_bytes;
    px_desk *shared;  // [members] desks for a step of many rows
    px_desk *alone;   // [members] desks for a step of one
    px_row *rows;     // [B]
    int32_t *wanted;  // [B] rows whose logits are asked for, or that are pooled
    int32_t *places;  // [B] which row of hidden each of them becomes
    px_tile *tiles;   // [B + slots]
    px_joint *joints; // [B]
    px_run *runs;     // [B]
    int32_t *order;   // [B] chunks in the order in which their rows stand
    int32_t *firsts;  // [B] where the wanted rows of each chunk begin in hidden
    int32_t n_slots;
    px_rows part_out;    // [slots, H * Dv]
    px_attn_part *parts; // [slots, H]: for each tile [K, n, H / K]
    px_rows lora;        // [B, stack] what A of the adapters gives of the input at hand; a block
    float *lora_column;  // [members, columns of a piece, longest input] packed, where one is no
                         // whole lines; behind it

    /* the step at hand */
    const px_chunk *chunks;
    const volatile int *cancel;
    int32_t n_rows, n_wanted, n_tiles, n_joints;
    int32_t n_runs;   // 0: no adapter has a part in the step
    int32_t n_logits; // rows of logits: the first of hidden
    int32_t n_taken;  // slots
    _Atomic bool stopped;
    _Atomic int32_t odd_row; // a row of logits that is not finite, or -1
};

/* The form in which products with m read their input packed, as a bit 1 << px_act_form; 0 when they
 * read the rows as they lie. */
unsigned px_pass_forms(const px_decoder *d, const px_matrix *m);

/* Rows [row0, row1) of out = m * in, for the first n rows of `in`, which is what the desk packed
 * last. */
void px_pass_mul(const px_decoder *d, const px_desk *desk, const px_matrix *m, const px_rows *in,
                 int32_t n, const px_rows *out, int64_t row0, int64_t row1);

/* Rows of a matrix that one chunk of work takes. */
int64_t px_pass_grain(int64_t rows);

/* ---- rows.c */

/* What attention or ffn leaves to be done when its last product is there. */
typedef struct px_block_end {
    const float *bias; // [C] or NULL
    const float *post; // [C] or NULL
    bool whole;        // the product has all rows, not those picked
} px_block_end;

/* What reads the stream next: its norm, and the forms in which the result is wanted. */
typedef struct px_reader {
    const float *norm; // [C]; NULL: the stream itself
    unsigned forms;
    bool plain; // wanted as it is, too
} px_reader;

px_reader px_pass_reads_attention(const px_decoder *d, int32_t layer);
px_reader px_pass_reads_ffn(const px_decoder *d, int32_t layer);

/* Embeddings, and the cosines and sines of the step's positions. */
void px_pass_embed(px_decoder *d, const px_desk *desk);
/* Ends a block for the rows picked, whose products are the first of `added`, and reads them into
 * out, where their places are. */
void px_pass_end(px_decoder *d, const px_desk *desk, const px_block_end *end, const px_picked *rows,
                 const px_reader *to, const px_rows *out);
/* Packs the first n rows of `in`. */
void px_pass_pack(px_decoder *d, const px_desk *desk, unsigned forms, const px_rows *in, int32_t n);
/* The rows picked of attention's result, parts put together, as the first of what is returned;
 * packed where forms says. */
const px_rows *px_pass_mixed(px_decoder *d, const px_desk *desk, unsigned forms,
                             const px_picked *rows);

/* ---- lora.c: y += scale * B (A x), for rows that have adapters. Without any in the step these do
 * nothing, and wait for nobody. */

/* What a phase reads: rows picked, of which the i-th stands in row i of `in`, or in its place. */
typedef struct px_lora_in {
    const px_rows *in;
    const px_picked *rows;
} px_lora_in;

/* Whether there is room for a chunk's adapters. */
bool px_pass_fits(const px_decoder *d, const px_chunk *chunk);
/* Lists the chunks of the step so that those with the same adapters stand together. */
void px_pass_order(px_decoder *d, int n_chunks);
/* Adds rows [first, n_rows) of a chunk, which are the last so far, to the runs. */
void px_pass_note_run(px_decoder *d, const px_chunk *chunk, int32_t first);
/* A phase: A x of the matrices in `slots`, which read the same input. */
void px_pass_lora(px_decoder *d, const px_desk *desk, int32_t layer, const px_slot *slots,
                  int n_slots, const px_lora_in *from);
/* B of that for rows [row0, row1) of one matrix: adds to y, where row0 of the i-th row picked
 * stands at y + i * stride, or at its place. */
void px_pass_lora_add(const px_decoder *d, int32_t layer, px_slot slot, const px_picked *rows,
                      float *y, int64_t stride, int64_t row0, int64_t row1);
/* The embedding's part of row r. */
void px_pass_lora_embed(const px_decoder *d, int32_t r, float *x);

/* ---- attention.c and ffn.c */

/* Cuts the rows of a chunk, first and on, into tiles of attention. */
void px_pass_cut(px_decoder *d, int32_t chunk, int32_t first);
/* Queries, keys and values of a layer; attention; `last`: of the rows that go on only. */
void px_pass_heads(px_decoder *d, const px_desk *desk, int32_t layer, bool last);
void px_pass_tiles(px_decoder *d, const px_desk *desk, int32_t layer, bool last);
/* Row r of desk->mixed from its parts. */
void px_pass_join(const px_decoder *d, const px_desk *desk, int32_t r);
/* gate = act(gate) * up for the rows picked, which are the first of normed. */
void px_pass_gate_up(px_decoder *d, const px_desk *desk, int32_t layer, const px_picked *rows);

#endif
