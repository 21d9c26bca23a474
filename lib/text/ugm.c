/*
 * ugm: SentencePiece Unigram. Of all ways to write a text as pieces, the one with the highest sum
 * of scores is taken (Viterbi, left to right; of equal ones the first found). A character that is
 * no piece costs ten less than the lowest score and becomes byte tokens or the unknown token.
 *
 * A part of n bytes costs n walks of the longest piece and 16 n bytes; long texts come in the parts
 * that px_each_part makes. Threads: reads the tokenizer only.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/inside.h"

#define UNKNOWN_PENALTY 10.0

typedef struct best {
    double score; // of the best way to here
    uint32_t from;
    int32_t id; // the last piece on it; -1: an unknown character; -2: there is no way to here
} best;

static double score_of(const px_vocab_token *token)
{
    return token->type == PX_TOKEN_USER_DEFINED ? 0 : (double)token->score;
}

pith_status px_init_ugm(px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = &tok->def;
    double lowest = 0;
    bool any = false;
    for (int32_t i = 0; i < def->n_tokens; i++)
        if (px_token_is_piece(&def->tokens[i])) {
            double score = score_of(&def->tokens[i]);
            lowest = !any || score < lowest ? score : lowest;
            any = true;
        }
    tok->unknown_score = lowest - UNKNOWN_PENALTY;
    px_init_glue(tok);
    return px_init_pieces(tok, err);
}

static void reach(best *at, double score, uint32_t from, int32_t id)
{
    if (at->id == -2 || score > at->score)
        *at = (best){.score = score, .from = from, .id = id};
}

/* Fills path[0 .. n]. */
static void search(const px_tokenizer *tok, const px_piece *part, best *path)
{
    const px_trie *trie = &tok->pieces;
    for (size_t i = 0; i <= part->n; i++)
        path[i].id = -2;
    path[0] = (best){.id = -1};
    for (size_t at = 0; at < part->n;) {
        uint32_t code, node = 0;
        int bytes = px_utf8_get(part->text + at, part->n - at, &code);
        size_t next = at + (size_t)(bytes ? bytes : 1);
        bool single = false;
        for (size_t i = at; i < part->n; i++) {
            node = px_trie_step(trie, node, (uint8_t)part->text[i]);
            if (!node)
                break;
            int32_t id = trie->nodes[node].value;
            if (id < 0)
                continue;
            single |= i + 1 == next;
            reach(&path[i + 1], path[at].score + score_of(&tok->def.tokens[id]), (uint32_t)at, id);
        }
        if (!single)
            reach(&path[next], path[at].score + tok->unknown_score, (uint32_t)at, -1);
        at = next;
    }
}

/* Turns the way to n round, so that `from` of each place on it says where the next piece ends;
 * returns where the first one does. */
static uint32_t turn(best *path, uint32_t n)
{
    uint32_t next = n;
    for (uint32_t at = n; at > 0;) {
        uint32_t from = path[at].from;
        path[at].from = next;
        next = at;
        at = from;
    }
    return next;
}

static pith_status encode_part(px_run *run, const px_piece *part)
{
    if (part->n > PX_MAX_WORD_BYTES)
        return px_fail(run->err, PITH_E_LIMIT,
                       "a word of %zu bytes is longer than the %u that a tokenizer takes; put "
                       "spaces or lines into the text",
                       part->n, PX_MAX_WORD_BYTES);
    if (part->n + 1 > run->path_cap) {
        size_t cap = part->n + part->n / 2 + 64;
        best *more = px_malloc(cap, sizeof *more);
        if (!more)
            return px_fail_memory(run->err, "the work space of a text");
        px_free(run->path);
        run->path = more;
        run->path_cap = cap;
    }
    best *path = run->path;
    search(run->tok, part, path);
    uint32_t first = turn(path, (uint32_t)part->n);
    pith_status st = PITH_OK;
    for (uint32_t at = 0, to = first; st == PITH_OK && at < part->n; at = to, to = path[at].from) {
        int32_t id = path[to].id;
        st = id >= 0 ? px_run_put(run, id, px_piece_end(part, to))
                     : px_run_put_bytes(run, part, at, to);
    }
    return st;
}

pith_status px_encode_ugm(px_run *run, const px_piece *word)
{
    return px_each_part(run, word, encode_part);
}
