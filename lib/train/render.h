/*
 * render: samples to token ids with a mark on each that is to be learned, by the same template and
 * tokenizer code as chat.
 *
 * Learned are the turns of the assistant with the token that ends them; never what the template
 * prints to make the model answer (the header), for that is given when the model is asked. Where a
 * template marks its own generation ({% generation %}), that counts. Otherwise the header of a turn
 * is what the template prints behind the conversation before it when asked for a generation prompt,
 * as far as the turn begins with it.
 *
 * Some templates show earlier turns otherwise than they were written (Qwen3 takes thoughts out of
 * them). What a model would see and write at turn k is then no part of the whole conversation's
 * text: the conversation is rendered once for each such turn, ending there, and only what agrees
 * with the asking at that turn is learned. px_render_counts.n_again says how often.
 *
 * A token is learned when it holds any byte of what is learned, as in transformers. One renderer a
 * thread.
 */
#ifndef PX_TRAIN_RENDER_H
#define PX_TRAIN_RENDER_H

#include "engine/chat.h"
#include "train/examples.h"
#include "train/sample.h"

typedef struct px_render_options {
    int32_t most_tokens; // longer text is cut into pieces, longer conversations are left out; 0: no
                         // limit
    bool plain;          // prompt and completion are never put through the template
    bool special;        // control tokens written in plain text are read as such
    int64_t now; // what the template takes for the time, seconds since 1970; INT64_MIN: the clock
} px_render_options;

typedef struct px_render_counts {
    int64_t n_samples;
    int64_t n_examples; // given out
    int64_t n_again;    // of them, for turns that a later rendering shows otherwise
    int64_t n_cut;      // texts cut into pieces
    int64_t n_long;     // samples left out: over most_tokens
    int64_t n_nothing;  // samples left out: nothing to learn
    int64_t n_refused;  // samples left out: the template did not take them
    int64_t n_tokens, n_learn;
    int64_t n_turns;  // learned
    int64_t n_ends;   // of them, with a token that ends them
    int64_t n_double; // examples with two bos at the beginning
    int32_t most;     // tokens of the longest sample, those left out too
} px_render_counts;

/* An example as it is given out; lent until the call returns. */
typedef struct px_rendering {
    px_example example; // `all` of it
    const px_sample *sample;
    bool rejected;    // PAIR: the answer that was rejected
    const char *text; // what the ids were made of
    size_t len;
    const uint32_t *ends; // [n] byte of the text at which each token ends
} px_rendering;

/* Errors of the callback end the rendering. */
typedef pith_status (*px_rendering_fn)(void *user, const px_rendering *r, pith_error *err);

typedef struct px_renderer px_renderer;

/* The model must have a tokenizer. Errors: NOT_FOUND, MEMORY. */
pith_status px_renderer_new(const pith_model *model, const px_render_options *options,
                            px_renderer **out, pith_error *err);
void px_renderer_free(px_renderer *r);

/* Gives the examples of a sample to fn: one; more where a text is cut or a template shows turns
 * otherwise; two of a pair, chosen first, or none. What the template does not take is no failure:
 * it is counted and px_renderer_refusal says why. Errors: MEMORY, those of fn. */
pith_status px_renderer_run(px_renderer *r, const px_sample *sample, px_rendering_fn fn, void *user,
                            pith_error *err);

/* Whether strings go through the template. */
bool px_renderer_chats(const px_renderer *r);
const px_render_counts *px_renderer_counts(const px_renderer *r);
/* The same as the door has them, but for the rows, which are not its business. */
void px_render_result_of(const px_renderer *r, pith_render_result *out);
/* Tokens of the longest rendering of the last sample, whether it was given out or not. */
int32_t px_renderer_length(const px_renderer *r);
/* Why the last sample gave nothing; status OK when it did. */
typedef enum px_left_out {
    PX_LEFT_NOT,
    PX_LEFT_LONG,
    PX_LEFT_NOTHING,
    PX_LEFT_REFUSED
} px_left_out;
px_left_out px_renderer_left_out(const px_renderer *r, const pith_error **why);

#endif
