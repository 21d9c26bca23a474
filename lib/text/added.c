/*
 * added: tokens that were added to a vocabulary beside its pieces. They are looked for in the text
 * before all else, leftmost first and the longest of those that begin there. Special ones (control
 * and unknown) count only on request; the text of one that does not count is plain text as a whole.
 *
 * The search walks a trie from each byte that begins an added token. Their length is bounded
 * (PX_MAX_ADDED_BYTES), so n bytes cost O(n). Threads: reads the tokenizer only.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/chars.h"
#include "text/inside.h"

static bool word_at(const char *text, size_t n, size_t at)
{
    uint32_t code;
    return at < n && px_utf8_get(text + at, n - at, &code) && px_is_word(code);
}

static bool word_before(const char *text, size_t at)
{
    size_t start;
    return at > 0 && px_is_word(px_char_before(text, at, &start));
}

/* Takes the white space along that the token's flags ask for. */
static void strip(const char *text, size_t n, size_t from, uint8_t flags, px_added_match *match)
{
    size_t start;
    uint32_t code;
    int bytes;
    while ((flags & PX_ADDED_LSTRIP) && match->start > from &&
           px_is_white(px_char_before(text, match->start, &start)) && start >= from)
        match->start = start;
    while ((flags & PX_ADDED_RSTRIP) && match->end < n &&
           (bytes = px_utf8_get(text + match->end, n - match->end, &code)) > 0 && px_is_white(code))
        match->end += (size_t)bytes;
}

/* Whether one of the run's guards stands inside the bytes that these of the text come from. */
static bool guarded(const px_run *run, const px_piece *piece, size_t from, size_t to)
{
    uint32_t start = px_piece_end(piece, from), end = px_piece_end(piece, to);
    size_t low = 0, high = run->n_guards; // the first guard behind start
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->guards[middle] <= start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < run->n_guards && run->guards[low] < end;
}

bool px_added_next(const px_run *run, const px_trie *trie, const px_piece *piece, size_t from,
                   px_added_match *match)
{
    const char *text = piece->text;
    size_t n = piece->n;
    if (!trie->nodes)
        return false;
    for (size_t at = from; at < n;) {
        size_t len = 0;
        int32_t id = -1;
        if (trie->root[(uint8_t)text[at]])
            id = px_trie_longest(trie, text + at, n - at, &len);
        if (id < 0) {
            at++;
            continue;
        }
        const px_vocab_token *token = &run->tok->def.tokens[id];
        bool counts =
            !px_token_is_special(token) || (run->special && !guarded(run, piece, at, at + len));
        if (token->added & PX_ADDED_SINGLE_WORD)
            counts = counts && !word_before(text, at) && !word_at(text, n, at + len);
        if (counts) {
            *match = (px_added_match){.start = at, .end = at + len, .id = id};
            strip(text, n, from, token->added, match);
            return true;
        }
        at += len;
    }
    return false;
}

/* Normalises the text of an added token as the text around it will be; it lies in the arena then.
 */
static pith_status normal_text(px_tokenizer *tok, px_str *text, pith_error *err)
{
    px_ids none = {0};
    px_run run = {.tok = tok, .out = &none, .err = err};
    px_piece piece = {.text = text->data, .n = text->len};
    pith_status st = PITH_OK;
    if (tok->normal)
        st = px_normalize(tok->normal, &run.norm, &piece, false, &piece, err);
    bool before =
        tok->def.space_prefix == PX_PREFIX_NONE || tok->def.space_prefix == PX_PREFIX_ALWAYS;
    if (st == PITH_OK && before)
        st = px_write_spaces(&run, &piece, PX_BEGINS_TEXT, &piece);
    if (st == PITH_OK) {
        char *copy = px_arena_strndup(&tok->arena, piece.text ? piece.text : "", piece.n);
        if (!copy)
            st = px_fail_memory(err, "added tokens");
        *text = (px_str){.data = copy, .len = copy ? piece.n : 0};
    }
    px_norm_work_clear(&run.norm);
    px_norm_clear(&run.spaced);
    return st;
}

static bool is_added(const px_vocab_token *token)
{
    return token->text.len > 0 &&
           (px_token_is_special(token) || token->type == PX_TOKEN_USER_DEFINED);
}

pith_status px_init_added(px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = &tok->def;
    size_t most = 0, n_plain = 0, n_normal = 0;
    for (int32_t id = 0; id < def->n_tokens; id++)
        most += is_added(&def->tokens[id]);
    px_trie_entry *entries = px_malloc(most, 2 * sizeof *entries);
    if (!entries)
        return px_fail_memory(err, "added tokens");
    px_trie_entry *normal = entries + most;
    pith_status st = PITH_OK;
    for (int32_t id = 0; id < def->n_tokens && st == PITH_OK; id++) {
        const px_vocab_token *token = &def->tokens[id];
        if (!is_added(token))
            continue;
        px_trie_entry entry = {.text = token->text, .value = id};
        if (entry.text.len > PX_MAX_ADDED_BYTES)
            st =
                px_fail(err, PITH_E_LIMIT, "added token %d has %zu bytes; at most %d are supported",
                        (int)id, entry.text.len, PX_MAX_ADDED_BYTES);
        else if (!(token->added & PX_ADDED_NORMALIZED) ||
                 !px_utf8_valid(entry.text.data, entry.text.len))
            entries[n_plain++] = entry;
        else if ((st = normal_text(tok, &entry.text, err)) == PITH_OK)
            normal[n_normal++] = entry;
    }
    if (st == PITH_OK)
        st = px_trie_build(&tok->added, &tok->arena, entries, n_plain, err);
    if (st == PITH_OK)
        st = px_trie_build(&tok->added_normal, &tok->arena, normal, n_normal, err);
    px_free(entries);
    return st;
}
