/*
 * tokenizer_train: the door's training of a byte-level BPE tokenizer: reads the corpus in pieces
 * that no word crosses, has lib/text train, and writes a GGUF file that holds the vocabulary alone.
 * One thread; memory grows with the distinct words of the corpus.
 */
#include "base/file.h"
#include "base/mem.h"
#include "engine/options.h"
#include "format/gguf_write.h"
#include "model/vocab.h"
#include "text/bpe_train.h"

/* Where a piece of a file may end: after this many bytes at the first good place, and after so many
 * at any line end or, failing that, anywhere. */
#define PIECE_BYTES ((size_t)1 << 20)
#define MOST_BYTES  ((size_t)16 << 20)

typedef struct training {
    const pith_tokenizer_training *o;
    px_bpe_words words;
    px_bpe_vocab vocab;
    px_vocab_def def;
    px_str *specials;
    pith_error *err;
} training;

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The end of the piece that begins at `from`: behind a line end that stands between two characters
 * that are not white space, so that every pre-tokenizer cuts there by itself. */
static size_t piece_end(const char *text, size_t n, size_t from)
{
    size_t last = from + MOST_BYTES < n ? from + MOST_BYTES : n;
    for (size_t i = from + PIECE_BYTES; i + 1 < last; i++)
        if (text[i] == '\n' && !is_space(text[i - 1]) && !is_space(text[i + 1]))
            return i + 1;
    for (size_t i = last; last < n && i > from + PIECE_BYTES; i--)
        if (is_space(text[i - 1]))
            return i;
    return last;
}

static pith_status tell(const training *t, uint64_t done, uint64_t total)
{
    if (t->o->progress && t->o->progress(t->o->user, done, total) != 0)
        return px_fail(t->err, PITH_E_CANCELLED, "the training of a tokenizer was cancelled");
    return PITH_OK;
}

static pith_status read_file(training *t, const char *path, uint64_t done, uint64_t total)
{
    px_map map = {0};
    pith_status st = px_map_open(path, &map, t->err);
    const char *text = (const char *)map.data;
    for (size_t from = 0; st == PITH_OK && from < map.size;) {
        size_t end = piece_end(text, map.size, from);
        st = px_bpe_words_add(&t->words, text + from, end - from, t->err);
        from = end;
        if (st == PITH_OK)
            st = tell(t, done + from, total);
    }
    px_map_close(&map);
    return st;
}

static pith_status read_files(training *t, const char *const *files, int32_t n)
{
    uint64_t total = 0;
    pith_status st = PITH_OK;
    for (int32_t i = 0; st == PITH_OK && i < n; i++) {
        px_map map = {0};
        st = px_map_open(files[i], &map, t->err);
        total += map.size;
        px_map_close(&map);
    }
    for (int32_t i = 0; st == PITH_OK && i < n; i++)
        st = read_file(t, files[i], t->words.n_read, total);
    if (st == PITH_OK && t->words.n == 0)
        st = px_fail(t->err, PITH_E_ARGUMENT, "the corpus holds no text to train a tokenizer on");
    return st;
}

static pith_status read_specials(training *t)
{
    const pith_tokenizer_training *o = t->o;
    if (o->n_specials < 0 || (o->n_specials > 0 && !o->specials))
        return px_fail(t->err, PITH_E_ARGUMENT, "pith_tokenizer_training has %d special tokens",
                       (int)o->n_specials);
    t->specials = px_calloc((size_t)o->n_specials + 1, sizeof *t->specials);
    if (!t->specials)
        return px_fail_memory(t->err, "the special tokens");
    for (int32_t i = 0; i < o->n_specials; i++)
        t->specials[i] = px_str_of(o->specials[i] ? o->specials[i] : "");
    return PITH_OK;
}

static pith_status special_id(const training *t, const char *text, int32_t *id)
{
    *id = -1;
    if (!text)
        return PITH_OK;
    for (int32_t i = 0; i < t->o->n_specials; i++)
        if (px_str_is(t->specials[i], text))
            *id = i;
    if (*id < 0)
        return px_fail(t->err, PITH_E_ARGUMENT, "'%.100s' is none of the special tokens", text);
    return PITH_OK;
}

static pith_status define(training *t)
{
    const pith_tokenizer_training *o = t->o;
    const char *pre = o->pre ? o->pre : "gpt-2";
    t->def = px_vocab_def_none();
    t->def.kind = PX_VOCAB_BPE;
    if (!px_pretok_by_name(px_str_of(pre), &t->def))
        return px_fail(t->err, PITH_E_UNSUPPORTED,
                       "pith knows no pre-tokenizer '%.100s'; \"gpt-2\", \"llama-bpe\" and "
                       "\"qwen2\" are some that it knows",
                       pre);
    t->def.pre = px_str_of(pre);
    pith_status st = special_id(t, o->bos, &t->def.bos);
    if (st == PITH_OK)
        st = special_id(t, o->eos, &t->def.eos);
    if (st == PITH_OK)
        st = special_id(t, o->eot, &t->def.eot);
    t->def.add_bos = o->add_bos;
    t->def.add_eos = false;
    if (st == PITH_OK && o->add_bos && !o->bos)
        st = px_fail(t->err, PITH_E_ARGUMENT, "a text is to begin with bos, and none is named");
    return st;
}

static pith_status train(training *t)
{
    px_bpe_options bo = {.specials = t->specials,
                         .n_specials = t->o->n_specials,
                         .size = t->o->n_vocab ? t->o->n_vocab : 4096,
                         .least_count = t->o->least_count,
                         .progress = t->o->progress,
                         .user = t->o->user};
    pith_status st = px_bpe_train(&t->words, &bo, &t->vocab, t->err);
    t->def.tokens = t->vocab.tokens;
    t->def.n_tokens = t->vocab.n_tokens;
    t->def.merges = t->vocab.merges;
    t->def.n_merges = t->vocab.n_merges;
    return st;
}

static pith_status write_keys(const training *t, const px_tokenizer *tok, px_gguf_writer *w)
{
    pith_status st = px_gguf_set_str(w, "general.architecture", px_str_of("llama"), t->err);
    if (st == PITH_OK)
        st = px_gguf_set_str(w, "general.type", px_str_of("model"), t->err);
    if (st == PITH_OK)
        st = px_vocab_write(tok, t->vocab.n_tokens, w, t->err);
    if (st == PITH_OK && t->o->chat_template)
        st = px_gguf_set_str(w, "tokenizer.chat_template", px_str_of(t->o->chat_template), t->err);
    if (st == PITH_OK)
        st = px_gguf_begin_data(w, t->err);
    return st == PITH_OK ? px_gguf_finish(w, t->err) : st;
}

static pith_status write_file(const training *t, const char *out)
{
    px_tokenizer *tok = NULL;
    px_gguf_writer *w = NULL;
    pith_status st = px_tokenizer_new(&t->def, &tok, t->err);
    if (st == PITH_OK)
        st = px_gguf_writer_new(out, 32, &w, t->err);
    if (st == PITH_OK)
        st = write_keys(t, tok, w);
    px_gguf_writer_free(w);
    px_tokenizer_free(tok);
    return st;
}

pith_status pith_tokenizer_train(const char *const *files, int32_t n_files, const char *out,
                                 const pith_tokenizer_training *options,
                                 pith_tokenizer_trained *result, pith_error *err)
{
    px_error_clear(err);
    if (!files || n_files < 1 || !out || !*out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_tokenizer_train: a path is missing");
    pith_tokenizer_training o = {0};
    pith_status st = px_options_read(options, "pith_tokenizer_training", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    training t = {.o = &o, .err = err};
    st = read_specials(&t);
    if (st == PITH_OK)
        st = define(&t);
    if (st == PITH_OK)
        st = px_bpe_words_init(&t.words, &t.def, err);
    if (st == PITH_OK)
        st = read_files(&t, files, n_files);
    if (st == PITH_OK)
        st = train(&t);
    if (st == PITH_OK)
        st = write_file(&t, out);
    pith_tokenizer_trained told = {.n_vocab = t.vocab.n_tokens,
                                   .n_merges = t.vocab.n_merges,
                                   .corpus_bytes = t.words.n_read,
                                   .n_words = t.words.n};
    if (st == PITH_OK && result)
        st = px_options_write(result, "pith_tokenizer_trained", &told, sizeof told, err);
    px_bpe_words_clear(&t.words);
    px_bpe_vocab_clear(&t.vocab);
    px_free(t.specials);
    return st;
}
