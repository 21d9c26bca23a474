/* tokenizer: loading, writing, tokenizing and decoding, with each allocation failing in turn. */
#include "support/fault.h"
#include "support/support.h"

#include "format/source.h"
#include "model/vocab.h"
#include "text/bpe_train.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINI "tests/golden/tokenizers/mini/"

static pith_status load(const char *folder, px_tokenizer **out, pith_error *err)
{
    px_arena arena;
    px_vocab_def def;
    *out = NULL;
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    pith_status st = px_vocab_load_folder(folder, &arena, &def, err);
    if (st == PITH_OK)
        st = px_tokenizer_new(&def, out, err);
    px_arena_clear(&arena);
    return st;
}

static pith_status load_folder(void *ctx, pith_error *err)
{
    px_tokenizer *tok;
    pith_status st = load(ctx, &tok, err);
    px_tokenizer_free(tok);
    return st;
}

/* Normalising, added tokens, stray bytes and a word long enough for the heap. */
static pith_status tokenize(void *ctx, pith_error *err)
{
    char text[300];
    px_ids ids = {.want_ends = true};
    memset(text, 'a', sizeof text);
    memcpy(text, "  caf\xc3\xa9 e\xcc\x81\xcc\xa3 <s> [MASK]<mask> king \xff 12 \xe4\xbd\xa0 ", 44);
    pith_status st =
        px_tokenize(ctx, text, sizeof text, PX_TOK_SPECIAL | PX_TOK_BOS_EOS, &ids, err);
    px_buf out = {0};
    px_detok d = {0};
    for (int64_t i = 0; i < ids.n && st == PITH_OK; i++)
        st = px_detok_push(ctx, &d, ids.ids[i], &out, err);
    px_buf_clear(&out);
    px_ids_clear(&ids);
    return st;
}

static pith_status write_gguf(void *ctx, pith_error *err)
{
    px_gguf_writer *w;
    px_tokenizer *tok = ctx;
    pith_status st = px_gguf_writer_new(test_temp("vocab.gguf"), 32, &w, err);
    if (st == PITH_OK)
        st = px_vocab_write(tok, px_tokenizer_size(tok) + 3, w, err);
    if (st == PITH_OK)
        st = px_gguf_begin_data(w, err);
    if (st == PITH_OK)
        st = px_gguf_finish(w, err);
    px_gguf_writer_free(w);
    return st;
}

static pith_status open_vocab(void *ctx, pith_error *err)
{
    px_tokenizer *tok;
    pith_status st = px_vocab_open(ctx, &tok, err);
    px_tokenizer_free(tok);
    return st;
}

static pith_status read_template(void *ctx, pith_error *err)
{
    px_arena arena;
    px_str text;
    px_arena_init(&arena, 0, 1 << 20);
    pith_status st = px_folder_template(ctx, NULL, &arena, &text, err);
    px_arena_clear(&arena);
    return st;
}

static void mini(void **state)
{
    const char *name = *state;
    char *folder = (char *)(uintptr_t)test_source(test_format(MINI "%s", name));
    pith_error err = {0};
    px_tokenizer *tok;
    test_fault_each(load_folder, folder, 0);
    test_fault_each(read_template, folder, 0);
    if (load(folder, &tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    test_fault_each(tokenize, tok, 0);
    if (strcmp(name, "unigram") != 0) { // whose normalizer GGUF cannot say
        test_fault_each(write_gguf, tok, 300);
        px_source *source;
        px_source_options options = {.tensors_optional = true};
        if (px_source_open(test_temp("vocab.gguf"), &options, &source, &err) != PITH_OK)
            fail_msg("%s", err.text);
        test_fault_each(open_vocab, source, 0);
        px_source_close(source);
    }
    px_tokenizer_free(tok);
}

/* Counting a corpus and training on it. */
static pith_status train(void *ctx, pith_error *err)
{
    static const px_str special = {"<|end|>", 7};
    px_vocab_def def = px_vocab_def_none();
    px_bpe_words words;
    px_bpe_vocab v = {0};
    px_bpe_options o = {.size = 400, .specials = &special, .n_specials = 1};
    assert_true(px_pretok_by_name(px_str_of("qwen2"), &def));
    pith_status st = px_bpe_words_init(&words, &def, err);
    if (st == PITH_OK)
        st = px_bpe_words_add(&words, ctx, strlen(ctx), err);
    if (st == PITH_OK)
        st = px_bpe_train(&words, &o, &v, err);
    px_bpe_words_clear(&words);
    px_bpe_vocab_clear(&v);
    return st;
}

static void training(void **state)
{
    (void)state;
    test_fault_each(train, test_read(test_source("tests/golden/bpe/corpus.txt"), NULL), 300);
}

#define TEST_OF(name)                        \
    {                                        \
        name, mini, NULL, NULL, (void *)name \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF("bert"),    TEST_OF("llama"),       TEST_OF("mistral"),
        TEST_OF("roberta"), TEST_OF("smollm"),      TEST_OF("unigram"),
        TEST_OF("spm_bpe"), TEST_OF("spm_unigram"), cmocka_unit_test(training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
