/*
 * tape_in: the inside of a tape, for the files that run its phases.
 *
 * A phase is a loop of the pool over chunks that shapes alone cut: of PX_ROWS tokens, or of rows or
 * columns of matrices. Within a phase no chunk reads what another one writes.
 */
#ifndef PX_TRAIN_TAPE_IN_H
#define PX_TRAIN_TAPE_IN_H

#include "train/tape.h"

enum { PX_ROWS = 32 }; // tokens of a chunk

/* Rows of f32, each from a multiple of 64 bytes. */
typedef struct px_plane {
    float *data;    // [n, stride]
    int64_t stride; // values
    int64_t width;
} px_plane;

static inline float *px_row(const px_plane *p, int64_t r)
{
    return p->data + r * p->stride;
}

/* What of a layer is kept. Planes that a model does not need have no data. */
typedef struct px_kept {
    px_plane normed;       // [T, C]
    px_plane qkv;          // [T, q | k | v], q and k turned
    px_plane raw;          // [T, q | k] before their norms
    px_plane mixed;        // [T, H * Dv]
    px_plane lse;          // [T, H]
    px_plane out;          // [T, C] before its norm
    px_plane mid;          // [T, C] the stream between attention and ffn
    px_plane normed2;      // [T, C]
    px_plane gate_up;      // [T, gate | up]
    px_plane act;          // [T, F]
    px_plane down;         // [T, C] before its norm
    px_plane h[PX_GROUPS]; // [T, ranks]: A x
} px_kept;

typedef struct px_member {
    uint8_t *scratch; // of products and attention
    float *rows;      // [PX_ROWS, widest]: dropped inputs, rows of gradients
} px_member;

struct px_tape {
    px_net *net;
    px_tape_options o;
    px_tape_pass pass;
    const px_packed *batch;
    uint8_t *memory;
    size_t bytes;

    px_plane *inputs;                 // [L + 1] planes [T, C]: of the layers, and of the head
    px_kept *kept;                    // [keep]
    int32_t loaded;                   // layer that kept[0] holds
    float *cos[2], *sin[2], *nsin[2]; // [T, rope.n]; nsin: turning back

    uint8_t *packed;     // columns of the group at hand, module after module
    size_t packed_bytes; // all
    px_plane dx;         // [T, C] gradient of the stream
    px_plane dnorm;      // [T, C] of what norms gave
    px_plane dblock;     // [T, C] of what a block added
    px_plane dgroup;     // [T, qkv]; with DoRA gate | up, too
    px_plane dinner;     // [T, widest of F, H * Dv]
    px_plane dkv;        // [T, H * (D + Dv)]: of each query head
    px_plane dh;         // [T, most ranks of a group]
    px_plane partial;    // [chunks, widest norm]: full training, of norms

    px_plane hidden;      // [head rows, C]
    px_plane logits;      // [head rows, V]
    px_plane dhidden;     // [head rows, C]
    uint8_t *head_packed; // [head rows, head_column]: adapters pack logits in place
    size_t head_column;
    int32_t *learned; // [T] rows
    int32_t n_learned;
    double *row_loss; // [head rows]

    px_member *members;
    int64_t member_width;
};

/* What a phase is about. */
typedef struct px_phase {
    px_tape *t;
    int32_t layer;
    const px_net_layer *nl;
    const px_layer *l;
    px_kept *k;
    px_plane x;            // input of the layer
    const px_group *group; // of products
    px_group_id id;
    const px_plane *in, *out; // of products: what is read, what is written
    bool wants_dx;            // products back
    /* head */
    int32_t first, n; // learned positions
    const float *scales;
    float scale;
} px_phase;

static inline int64_t px_chunks(int64_t n)
{
    return (n + PX_ROWS - 1) / PX_ROWS;
}

/* ---- products.c */

/* Packs row r of x, `cols` values, as column r of the tape's packed input. */
void px_tape_pack(px_tape *t, const float *x, int64_t cols, int64_t r);
/* Packs row r of dy, a group's gradient, module by module. */
void px_tape_pack_back(px_tape *t, const px_group *g, const float *dy, int64_t r);
/* A x of the group's pairs for rows [r0, r1) of x. */
void px_tape_pairs(const px_phase *p, const px_plane *x, int64_t r0, int64_t r1, int member);
/* s B^T dy for rows [r0, r1). */
void px_tape_pairs_back(const px_phase *p, const px_plane *dy, int64_t r0, int64_t r1, int member);
/* out = W in + pairs + bias, of all modules. */
void px_tape_product(px_phase *p);
/* dx (overwritten; where wants_dx) and the gradients of what is trained, from `out`, packed. */
void px_tape_product_back(px_phase *p);
/* DoRA: gradients of the magnitudes, and dy as of what they scale. y as product left it. */
void px_tape_magnitudes(px_phase *p, const px_plane *y, const px_plane *dy);
bool px_tape_has_pairs(const px_tape *t, const px_group *g);
/* Products with one matrix, for the head: y [n, rows] = W x; dx = W^T dy. */
size_t px_tape_column(const px_tape *t, int64_t values);

/* ---- forward.c, backward.c */

px_phase px_tape_phase(px_tape *t, int32_t layer);
/* A layer from its input; `again`: on the way back, without what only the next layer reads. */
void px_tape_layer(px_tape *t, int32_t layer, bool again);
void px_tape_layer_back(px_tape *t, int32_t layer);
void px_tape_embed(px_tape *t);
void px_tape_embed_back(px_tape *t);
/* Adds up the partial gradients of a norm into where they belong. */
void px_tape_norm_grad(px_tape *t, const float *norm, int64_t width, int64_t n_chunks);
/* The partial of a chunk, zeroed, or NULL where the norm is not trained. */
float *px_tape_partial(px_tape *t, const float *norm, int64_t chunk, int64_t width);

#endif
