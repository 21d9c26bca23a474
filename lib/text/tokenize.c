/*
 * tokenize: the way of a text through a tokenizer (see inside.h). Threads: each call has its own
 * px_run; the tokenizer is only read.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/inside.h"

void px_ids_clear(px_ids *ids)
{
    px_free(ids->ids);
    px_free(ids->ends);
    *ids = (px_ids){.want_ends = ids->want_ends};
}

static bool grow(px_ids *ids)
{
    size_t cap = (size_t)ids->cap + (size_t)ids->cap / 2 + 32;
    int32_t *more = px_realloc(ids->ids, cap, sizeof *more);
    if (!more)
        return false;
    ids->ids = more;
    if (ids->want_ends) {
        uint32_t *ends = px_realloc(ids->ends, cap, sizeof *ends);
        if (!ends)
            return false;
        ids->ends = ends;
    }
    ids->cap = (int64_t)cap;
    return true;
}

bool px_ids_put(px_ids *ids, int32_t id, uint32_t end)
{
    if (ids->n == ids->cap && !grow(ids))
        return false;
    ids->ids[ids->n] = id;
    if (ids->want_ends)
        ids->ends[ids->n] = end;
    ids->n++;
    return true;
}

pith_status px_run_put(px_run *run, int32_t id, uint32_t end)
{
    run->last_unk = false;
    return px_ids_put(run->out, id, end) ? PITH_OK : px_fail_memory(run->err, "token ids");
}

static pith_status put_unknown(px_run *run, uint32_t at, uint32_t end)
{
    const px_vocab_def *def = &run->tok->def;
    if (def->unk < 0)
        return px_fail(run->err, PITH_E_UNSUPPORTED,
                       "the text up to byte %u holds a character that the vocabulary has no token "
                       "for, and it has no unknown token; leave out what stands at byte %u",
                       (unsigned)end, (unsigned)at);
    if (run->last_unk && def->fuse_unk) {
        if (run->out->want_ends)
            run->out->ends[run->out->n - 1] = end;
        return PITH_OK;
    }
    pith_status st = px_run_put(run, def->unk, end);
    run->last_unk = true;
    return st;
}

pith_status px_run_put_bytes(px_run *run, const px_piece *piece, size_t from, size_t to)
{
    const px_tokenizer *tok = run->tok;
    for (size_t i = from; i < to; i++)
        if (tok->byte_id[(uint8_t)piece->text[i]] < 0)
            return put_unknown(run, px_piece_end(piece, from), px_piece_end(piece, to));
    pith_status st = PITH_OK;
    for (size_t i = from; st == PITH_OK && i < to; i++)
        st = px_run_put(run, tok->byte_id[(uint8_t)piece->text[i]], px_piece_end(piece, i + 1));
    return st;
}

static pith_status encode_word(void *user, const px_piece *word)
{
    px_run *run = user;
    switch (run->tok->def.kind) {
    case PX_VOCAB_SPM:
        return px_encode_spm(run, word);
    case PX_VOCAB_UGM:
        return px_encode_ugm(run, word);
    case PX_VOCAB_BPE:
        return px_encode_bpe(run, word);
    case PX_VOCAB_WPM:
        return px_encode_wpm(run, word);
    case PX_VOCAB_NONE:
        break;
    }
    return px_fail(run->err, PITH_E_UNSUPPORTED, "this model has no tokenizer");
}

static pith_status encode_words(px_run *run, const px_piece *text)
{
    if (text->n == 0)
        return PITH_OK;
    if (!run->tok->cutter)
        return encode_word(run, text);
    return px_cut(run->tok->cutter, &run->cut, text, encode_word, run, run->err);
}

static bool takes_prefix(const px_tokenizer *tok, const px_piece *text, px_begins begins)
{
    px_space_prefix prefix = tok->def.space_prefix;
    if (prefix == PX_PREFIX_NONE || begins == PX_BEGINS_NOTHING ||
        (prefix == PX_PREFIX_FIRST && begins != PX_BEGINS_TEXT))
        return false;
    if (prefix == PX_PREFIX_ALWAYS)
        return true;
    bool meta = tok->def.kind == PX_VOCAB_SPM || tok->def.kind == PX_VOCAB_UGM;
    return text->text[0] != ' ' && !(meta && px_is_meta_space(text->text, text->n));
}

pith_status px_write_spaces(px_run *run, const px_piece *in, px_begins begins, px_piece *out)
{
    const px_tokenizer *tok = run->tok;
    px_norm_text *to = &run->spaced;
    px_piece text = *in;
    bool meta = tok->def.kind == PX_VOCAB_SPM || tok->def.kind == PX_VOCAB_UGM;
    bool prefix = text.n > 0 && takes_prefix(tok, &text, begins);
    *out = text;
    if (text.n == 0 || (!prefix && !(meta && memchr(text.text, ' ', text.n))))
        return PITH_OK;
    const char *space = meta ? PX_META_SPACE : " ";
    size_t width = strlen(space);
    px_norm_reset(to, run->out->want_ends);
    if (prefix)
        px_norm_put(to, space, width, text.base);
    for (size_t i = 0; i < text.n;) {
        const char *next = meta ? memchr(text.text + i, ' ', text.n - i) : NULL;
        size_t stop = next ? (size_t)(next - text.text) : text.n;
        px_piece part = px_piece_part(&text, i, stop);
        px_norm_put_piece(to, &part);
        if (next) {
            px_norm_put(to, space, width, px_piece_end(&text, stop + 1));
            stop++;
        }
        i = stop;
    }
    *out = px_norm_piece(to, text.base);
    return px_norm_status(to, run->err);
}

static void run_clear(px_run *run)
{
    px_merge_work_clear(&run->work);
    px_regex_work_clear(&run->cut);
    px_norm_work_clear(&run->norm);
    px_norm_clear(&run->spaced);
    px_buf_clear(&run->mapped);
    px_free(run->path);
}

/* A stretch of normalised text, and the added tokens in it that are looked for there. Their texts
 * were normalised as this one was, so a space that normalising puts before a text is there already;
 * one that the pre-tokenizer puts comes after. */
static pith_status encode_normal(px_run *run, const px_piece *text, px_begins begins)
{
    const px_tokenizer *tok = run->tok;
    bool spaced = tok->def.space_prefix == PX_PREFIX_NONE ||
                  tok->def.space_prefix == PX_PREFIX_ALWAYS || !tok->added_normal.nodes;
    px_piece all = *text;
    pith_status st = spaced ? px_write_spaces(run, text, begins, &all) : PITH_OK;
    size_t from = 0;
    while (st == PITH_OK && from < all.n) {
        px_added_match match = {.start = all.n, .end = all.n, .id = -1};
        px_added_next(run, &tok->added_normal, &all, from, &match);
        px_piece part = px_piece_part(&all, from, match.start);
        if (!spaced)
            st = px_write_spaces(run, &part, begins, &part);
        if (st == PITH_OK)
            st = encode_words(run, &part);
        if (st == PITH_OK && match.id >= 0)
            st = px_run_put(run, match.id, px_piece_end(&all, match.end));
        from = match.end;
        begins = PX_BEGINS_STRETCH;
    }
    return st;
}

/* A stretch of the original: valid text, and stray bytes one by one. */
static pith_status encode_stretch(px_run *run, const char *text, size_t from, size_t to)
{
    pith_status st = PITH_OK;
    px_begins begins = from == 0 ? PX_BEGINS_TEXT : PX_BEGINS_STRETCH;
    while (st == PITH_OK && from < to) {
        size_t valid = px_utf8_valid_prefix(text + from, to - from);
        px_piece part = {.text = text + from, .n = valid, .base = (uint32_t)from}, normal = part;
        if (valid > 0 && run->tok->normal)
            st = px_normalize(run->tok->normal, &run->norm, &part, run->out->want_ends, &normal,
                              run->err);
        if (st == PITH_OK && valid > 0)
            st = encode_normal(run, &normal, begins);
        from += valid;
        begins = PX_BEGINS_NOTHING;
        if (st == PITH_OK && from < to) {
            part = (px_piece){.text = text + from, .n = 1, .base = (uint32_t)from};
            st = px_run_put_bytes(run, &part, 0, 1);
            from++;
        }
    }
    return st;
}

static pith_status encode_text(px_run *run, const char *text, size_t n)
{
    const px_tokenizer *tok = run->tok;
    const px_piece all = {.text = text, .n = n};
    pith_status st = PITH_OK;
    size_t from = 0;
    while (st == PITH_OK && from < n) {
        px_added_match match = {.start = n, .end = n, .id = -1};
        px_added_next(run, &tok->added, &all, from, &match);
        st = encode_stretch(run, text, from, match.start);
        if (st == PITH_OK && match.id >= 0)
            st = px_run_put(run, match.id, (uint32_t)match.end);
        from = match.end;
    }
    return st;
}

/* What goes before (or after) a text; -1 for nothing. */
static int32_t around(const px_vocab_def *def, bool after)
{
    bool wpm = def->kind == PX_VOCAB_WPM;
    if (after)
        return !def->add_eos ? -1 : wpm && def->sep >= 0 ? def->sep : def->eos;
    return !def->add_bos ? -1 : wpm && def->cls >= 0 ? def->cls : def->bos;
}

pith_status px_tokenize_guarded(const px_tokenizer *tok, const char *text, size_t len, int flags,
                                const uint32_t *guards, size_t n_guards, px_ids *out,
                                pith_error *err)
{
    px_error_clear(err);
    if (len > PX_MAX_TEXT_BYTES)
        return px_fail(
            err, PITH_E_LIMIT,
            "a text of %zu bytes is more than the %u that are tokenized at once; hand it "
            "over in parts",
            len, PX_MAX_TEXT_BYTES);
    px_run run = {.tok = tok,
                  .out = out,
                  .err = err,
                  .special = (flags & PX_TOK_SPECIAL) != 0,
                  .guards = guards,
                  .n_guards = n_guards};
    int64_t n_before = out->n;
    pith_status st = PITH_OK;
    int32_t before = around(&tok->def, false), after = around(&tok->def, true);
    bool both = (flags & PX_TOK_BOS_EOS) != 0;
    if (both && before >= 0)
        st = px_run_put(&run, before, 0);
    if (st == PITH_OK)
        st = encode_text(&run, text, len);
    if (st == PITH_OK && both && after >= 0)
        st = px_run_put(&run, after, (uint32_t)len);
    if (st != PITH_OK)
        out->n = n_before;
    run_clear(&run);
    return st;
}

pith_status px_tokenize(const px_tokenizer *tok, const char *text, size_t len, int flags,
                        px_ids *out, pith_error *err)
{
    return px_tokenize_guarded(tok, text, len, flags, NULL, 0, out, err);
}
