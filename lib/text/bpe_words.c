/* bpe_words: see bpe_words.h. A hash table of words by open addressing. */
#include "text/bpe_words.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/tokmap.h"

pith_status px_bpe_words_init(px_bpe_words *w, const px_vocab_def *def, pith_error *err)
{
    *w = (px_bpe_words){0};
    px_arena_init(&w->arena, 1 << 20, PX_MAX_BPE_MEMORY);
    pith_status st = px_cutter_new(def->cuts, def->n_cuts, &w->cutter, err);
    if (st == PITH_OK)
        st = px_normalizer_new(def->norms, def->n_norms, &w->normal, err);
    if (st != PITH_OK)
        px_bpe_words_clear(w);
    return st;
}

void px_bpe_words_clear(px_bpe_words *w)
{
    px_free(w->all);
    px_free(w->slots);
    px_arena_clear(&w->arena);
    px_cutter_free(w->cutter);
    px_normalizer_free(w->normal);
    px_regex_work_clear(&w->cut);
    px_norm_work_clear(&w->norm);
    *w = (px_bpe_words){0};
}

static pith_status too_many(const px_bpe_words *w, pith_error *err)
{
    return px_fail(err, PITH_E_LIMIT,
                   "the corpus has more than %zu different words, for which %zu MiB of memory are "
                   "allowed; give less text, or a pre-tokenizer that cuts it finer",
                   w->n, PX_MAX_BPE_MEMORY >> 20);
}

static pith_status grow_slots(px_bpe_words *w, pith_error *err)
{
    size_t n = w->slots ? (w->mask + 1) * 2 : 1 << 12;
    uint32_t *slots = px_calloc(n, sizeof *slots);
    if (!slots)
        return px_fail_memory(err, "the words of a corpus");
    for (size_t i = 0; i < w->n; i++) {
        size_t at = w->all[i].hash & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = (uint32_t)i + 1;
    }
    px_free(w->slots);
    w->slots = slots;
    w->mask = n - 1;
    return PITH_OK;
}

static pith_status grow_all(px_bpe_words *w, pith_error *err)
{
    size_t cap = w->cap ? w->cap * 2 : 1 << 11;
    if (cap > PX_MAX_BPE_WORDS)
        return too_many(w, err);
    px_bpe_word *all = px_realloc(w->all, cap, sizeof *all);
    if (!all)
        return px_fail_memory(err, "the words of a corpus");
    w->all = all;
    w->cap = cap;
    return PITH_OK;
}

static pith_status new_word(px_bpe_words *w, const px_piece *piece, uint32_t hash, size_t at,
                            pith_error *err)
{
    pith_status st = w->n == w->cap ? grow_all(w, err) : PITH_OK;
    if (st != PITH_OK)
        return st;
    const char *text = px_arena_strndup(&w->arena, piece->text, piece->n);
    if (!text)
        return w->arena.held > PX_MAX_BPE_MEMORY / 2 ? too_many(w, err)
                                                     : px_fail_memory(err, "the words of a corpus");
    w->all[w->n] = (px_bpe_word){
        .text = (const uint8_t *)text, .n = (uint32_t)piece->n, .hash = hash, .count = 1};
    w->slots[at] = (uint32_t)++w->n;
    w->n_bytes += piece->n;
    return PITH_OK;
}

typedef struct counting {
    px_bpe_words *w;
    pith_error *err;
} counting;

static pith_status count_word(void *user, const px_piece *piece)
{
    counting *c = user;
    px_bpe_words *w = c->w;
    if (piece->n > PX_MAX_BPE_WORD_BYTES) // a word that long is no word
        return PITH_OK;
    if (!w->slots || w->n * 2 > w->mask) {
        pith_status st = grow_slots(w, c->err);
        if (st != PITH_OK)
            return st;
    }
    uint32_t hash = (uint32_t)px_text_hash(piece->text, piece->n);
    size_t at = hash & w->mask;
    for (; w->slots[at]; at = (at + 1) & w->mask) {
        px_bpe_word *word = &w->all[w->slots[at] - 1];
        if (word->hash == hash && word->n == piece->n &&
            memcmp(word->text, piece->text, piece->n) == 0) {
            word->count++;
            return PITH_OK;
        }
    }
    return new_word(w, piece, hash, at, c->err);
}

pith_status px_bpe_words_add(px_bpe_words *w, const char *text, size_t n, pith_error *err)
{
    counting c = {w, err};
    pith_status st = PITH_OK;
    for (size_t from = 0; st == PITH_OK && from < n;) {
        size_t valid = px_utf8_valid_prefix(text + from, n - from);
        px_piece piece = {.text = text + from, .n = valid};
        if (valid > 0 && w->normal)
            st = px_normalize(w->normal, &w->norm, &piece, false, &piece, err);
        if (st == PITH_OK && valid > 0)
            st = w->cutter ? px_cut(w->cutter, &w->cut, &piece, count_word, &c, err)
                           : count_word(&c, &piece);
        from += valid ? valid : 1;
    }
    w->n_read += n;
    return st;
}
