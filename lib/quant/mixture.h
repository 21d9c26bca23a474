/*
 * mixture: which type each tensor of a model gets. A mixture ("q4_k_m") is a base type and rows of
 * rules: more bits for tensors, or layers, in which errors cost most. The names and rules are those
 * that people know from GGUF files; docs/quantizing.md states them as a table.
 *
 * What is never quantized: tensors with one axis (always f32), norms, gates of experts, positions:
 * whatever is no large matrix. A type whose block does not divide a tensor's rows gives way to one
 * whose block does.
 */
#ifndef PX_QUANT_MIXTURE_H
#define PX_QUANT_MIXTURE_H

#include "format/source.h"

typedef struct px_mixture px_mixture;

/* By name, upper or lower case, aliases too; NULL for none. */
const px_mixture *px_mixture_find(const char *name);
/* The i-th, smallest first; NULL past the end. */
const px_mixture *px_mixture_get(int i);
const char *px_mixture_name(const px_mixture *m);
px_dtype px_mixture_base(const px_mixture *m);
uint32_t px_mixture_file_type(const px_mixture *m);

/* "PATTERN=TYPE" read: tensors whose name matches the pattern get the type. */
typedef struct px_type_rule {
    const char *pattern; // '*' any text, '?' any character; without either: part of the name
    size_t pattern_len;
    px_dtype type;
} px_type_rule;

typedef struct px_mixture_options {
    const px_type_rule *rules; // the first that matches wins
    int32_t n_rules;
    bool pure; // the base type for all matrices
    bool has_importance;
    bool output_set;  // output_type is for output.weight
    bool embed_set;   // embed_type is for token_embd.weight
    bool keep_output; // output.weight (or the embedding that serves as such) stays as it is
    px_dtype output_type, embed_type;
} px_mixture_options;

/* Why a tensor has another type than its mixture says. */
typedef enum px_type_note {
    PX_TYPE_AS_PLANNED,
    PX_TYPE_NO_MATRIX, // not quantized
    PX_TYPE_FALLBACK,  // rows are no multiple of the block
    PX_TYPE_ASKED      // by a rule or option
} px_type_note;

/* Fills types and notes, [n_tensors] each. Errors: ARGUMENT (a type that was asked for does not
 * divide a tensor's rows), FORMAT (metadata). */
pith_status px_mixture_plan(const px_mixture *m, const px_source *source,
                            const px_mixture_options *options, px_dtype *types, px_type_note *notes,
                            pith_error *err);

#endif
