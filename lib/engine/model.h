/*
 * model: an opened model as the engine keeps it: the source with its maps, hyperparameters,
 * weights bound to their places, tokenizer, chat template. Immutable once open; threads may share
 * it.
 */
#ifndef PX_ENGINE_MODEL_H
#define PX_ENGINE_MODEL_H

#include "base/arena.h"
#include "format/source.h"
#include "model/hparams.h"
#include "model/weights.h"
#include "text/reply_syntax.h"
#include "text/template.h"
#include "text/tokenizer.h"

struct pith_tokenizer {
    px_tokenizer *tok;         // NULL: none
    size_t most_bytes;         // of one token's text
    int32_t n_vocab;           // ids that the tokenizer has
    const char *kind, *pre;    // for people
    struct px_tree_slot *tree; // for grammars (engine/grammar.h); made with the tokenizer
};

struct pith_template {
    px_template *t; // NULL: none
};

struct pith_model {
    px_arena arena; // texts, small vectors, layers
    px_source *source;
    bool has_weights; // hp and weights are filled
    px_hparams hp;
    px_weights weights;
    pith_tokenizer tokenizer;
    pith_template template;
    const char *template_name;
    px_reply_syntax reply;  // of the template
    pith_sampling sampling; // the defaults with what the files recommend
    pith_model_info info;
};

/* Fills model->sampling from general.sampling.*; what cannot be used becomes a line of warnings. */
void px_model_sampling(pith_model *model, px_buf *warnings);

/* Fills model->info: strings, counts, flags and warnings. */
pith_status px_model_describe(pith_model *model, pith_error *err);

/* A metadata value as JSON text: strings that are not UTF-8 have U+FFFD in place of what is not,
 * NaN and infinity are null, arrays longer than max_items (negative: no limit) are cut and end in
 * "...". Valid JSON whatever the file holds. */
void px_meta_put_json(const px_meta *meta, int64_t max_items, px_buf *out);

/* The variables of a template: the members of a JSON object, with bos_token and eos_token as the
 * model (may be NULL) has them where the object does not say. Errors: FORMAT. */
pith_status px_template_variables(const pith_model *model, const char *json, size_t json_len,
                                  px_buf *out, pith_error *err);

#endif
