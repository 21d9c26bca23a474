/*
 * dry: "don't repeat yourself", the sampler by p-e-w (text-generation-webui pull request 5677,
 * 2024). A token that would lengthen a repetition of what stands at the end of the text is made
 * less likely, the more so the longer the repetition already is:
 *
 *   text    ... the cat sat on | a mat ... the cat sat on | ?
 *                ^ match of 4    ^ next                      "a" loses multiplier * base^(4 -
 * allowed)
 *
 * Matches do not reach over a breaker: a string ("\n", ":") that may lie inside a token or over
 * several; it is looked for in the bytes of the tokens. All matches are found in one linear pass
 * (Z function of the reversed tokens; Gusfield 1997, 1.3). Cost: O(window) a token.
 */
#ifndef PX_ENGINE_DRY_H
#define PX_ENGINE_DRY_H

#include "engine/candidates.h"
#include "engine/stops.h"
#include "text/tokenizer.h"

typedef struct px_dry {
    float multiplier, base;
    int32_t allowed_length;
    int64_t window;      // most tokens looked at
    px_matcher breakers; // walks the text
    int64_t since_break; // tokens behind the last breaker
    const px_tokenizer *tok;
    uint32_t *z; // [window]
} px_dry;

/* For texts of up to n_ctx tokens. When the options turn DRY off nothing is made and the other
 * calls do nothing. tok may be NULL when there are no breakers. Errors: ARGUMENT, UNSUPPORTED
 * (breakers without a tokenizer), MEMORY. */
pith_status px_dry_init(px_dry *d, const pith_sampling *s, const px_tokenizer *tok, int64_t n_ctx,
                        pith_error *err);
void px_dry_clear(px_dry *d);

/* A token was added to the text. */
void px_dry_accept(px_dry *d, int32_t token);

/* Lowers the logits of candidates that would lengthen a repetition at the end of tokens. */
void px_dry_apply(const px_dry *d, px_candidates *c, const int32_t *tokens, int64_t n_tokens);

#endif
