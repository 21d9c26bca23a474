/*
 * vocab_files: the shared vocabularies, opened once each per program, and texts to try on them.
 */
#ifndef PITH_TESTS_VOCAB_FILES_H
#define PITH_TESTS_VOCAB_FILES_H

#include "text/tokenizer.h"

#include "support/support.h"

/* A tokenizer of a GGUF file of the shared folder ("tokenizers/vocab_gguf/..."). Fails the test
 * case when it cannot be opened; skips it when the shared folder is missing. */
px_tokenizer *vocab_gguf(const char *name);

/* The ids of a text; fails the test case when that fails. Free with px_ids_clear. */
px_ids vocab_ids(const px_tokenizer *tok, const char *text, size_t n, int flags);

/* Decodes ids as a stream. Zero-terminated; free with px_buf_clear. */
px_buf vocab_text(const px_tokenizer *tok, const int32_t *ids, int64_t n, bool special);

/* Fails the test case, showing both, unless got is exactly the n wanted ids. */
void vocab_same(const char *what, const px_ids *got, const int32_t *want, int64_t n);

#endif
