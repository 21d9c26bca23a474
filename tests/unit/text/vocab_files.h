/*
 * vocab_files: vocabularies for tests, and what tests do with all of them.
 */
#ifndef PITH_TESTS_VOCAB_FILES_H
#define PITH_TESTS_VOCAB_FILES_H

#include "text/tokenizer.h"

#include "support/support.h"

/* A tokenizer of a GGUF file of the shared folder ("tokenizers/vocab_gguf/..."). Fails the test
 * case when it cannot be opened; skips it when the shared folder is missing. */
px_tokenizer *vocab_gguf(const char *name);

/* The tokenizer of a GGUF file anywhere. */
px_tokenizer *vocab_open(const char *path);

/* The tokenizer of a folder. */
px_tokenizer *vocab_folder(const char *path);

/* The path of a temporary folder with the files of shared tokenizers/NAME, tokenizer.json unpacked
 * by the program xz. Unpacked once a program. */
const char *vocab_unpack(const char *name);

/* Writes the tokenizer as GGUF with n_vocab rows into the temporary folder; returns the path. */
const char *vocab_write(const px_tokenizer *tok, int32_t n_vocab, const char *name);

/* The ids of a text; fails the test case when that fails. Checks the ends of tokens: ascending, the
 * last at most n. Free with px_ids_clear. */
px_ids vocab_ids(const px_tokenizer *tok, const char *text, size_t n, int flags);

/* Decodes ids as a stream, and checks that it is valid UTF-8 after each. Zero-terminated; free with
 * px_buf_clear. */
px_buf vocab_text(const px_tokenizer *tok, const int32_t *ids, int64_t n, bool special);

/* Fails the test case, showing both, unless got is exactly the n wanted ids. */
void vocab_same(const char *what, const px_ids *got, const int32_t *want, int64_t n);

/* Compares every text of NAME.inp beside a shared vocabulary with NAME.out; returns how many there
 * were. */
int vocab_compare_shared(const px_tokenizer *tok, const char *name);

#endif
