/* vocab: what the targets that load vocabularies share: load the folder, and use what came of it.
 */
#ifndef PITH_FUZZ_VOCAB_H
#define PITH_FUZZ_VOCAB_H

#include "folder.h"

#include "base/utf8.h"
#include "text/tokenizer.h"

#include <string.h>

/* Text goes in and comes out: ids are in range, ends never go back, the stream is valid UTF-8. */
static inline void fuzz_use_tokenizer(const px_tokenizer *tok, const char *text, size_t n)
{
    for (int flags = 0; flags < 4; flags++) {
        px_ids ids = {.want_ends = true};
        px_detok stream = {.special = flags & 1};
        px_buf out = {0};
        pith_error err = {0};
        pith_status status = px_tokenize(tok, text, n, flags, &ids, &err);
        FUZZ_CHECK(status == err.status);
        for (int64_t i = 0; i < ids.n; i++) {
            FUZZ_CHECK(ids.ids[i] >= 0 && ids.ids[i] < px_tokenizer_size(tok));
            FUZZ_CHECK(ids.ends[i] <= n && (i == 0 || ids.ends[i] >= ids.ends[i - 1]));
            FUZZ_CHECK(px_detok_push(tok, &stream, ids.ids[i], &out, &err) == PITH_OK);
            FUZZ_CHECK(out.len == 0 || px_utf8_valid(out.data, out.len));
        }
        FUZZ_CHECK(px_detok_flush(&stream, &out, &err) == PITH_OK);
        FUZZ_CHECK(out.len == 0 || px_utf8_valid(out.data, out.len));
        px_buf_clear(&out);
        px_ids_clear(&ids);
    }
}

/* Loads the vocabulary of the fuzz folder and, where it loads, uses it on texts. */
static inline void fuzz_load_vocab(void)
{
    static const char TEXT[] = "Hello  w\xc3\xb6rld 123\n\t<s> \xf0\x9f\x98\x80\xff 'll";
    px_arena arena;
    px_vocab_def def = {0};
    px_tokenizer *tok = NULL;
    pith_error err = {0};
    px_arena_init(&arena, 0, 0);
    pith_status status = px_vocab_load_folder(fuzz_folder, &arena, &def, &err);
    FUZZ_CHECK(status == err.status);
    if (status == PITH_OK) {
        status = px_tokenizer_new(&def, &tok, &err);
        FUZZ_CHECK(status == err.status && (status == PITH_OK) == (tok != NULL));
    }
    px_arena_clear(&arena); // the tokenizer keeps its own copies
    if (tok)
        fuzz_use_tokenizer(tok, TEXT, sizeof TEXT - 1);
    px_tokenizer_free(tok);
}

#endif
