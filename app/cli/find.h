/*
 * find: the model that a word on the command line means: a path, a name of the store, or a model of
 * Ollama's. Every command that takes a model asks here.
 */
#ifndef PITH_CLI_FIND_H
#define PITH_CLI_FIND_H

#include "pith.h"
#include "store/store.h"

/* As store_resolve, with the user's store. Errors: as there. */
pith_status cli_find(const char *word, store_model *out, pith_error *err);

/* As pith_model_open, of what the word means; its record's template counts where options name none.
 */
pith_status cli_model_open(const char *word, const pith_model_options *options, pith_model **out,
                           pith_error *err);

/* The path alone, to be freed with px_free; for commands that look at a file. */
pith_status cli_find_path(const char *word, char **path, pith_error *err);

/* What a model's record says of sampling (temperature, top_k, ..., as Ollama names them), put over
 * *s. Names that are not of sampling are left to others. Errors: FORMAT. */
pith_status cli_record_sampling(const store_model *m, pith_sampling *s, pith_error *err);

#endif
