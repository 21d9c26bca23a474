/* normalize: see normalize.h. Threads: a normalizer is read-only; texts belong to one call. */
#include "text/normalize.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/chars.h"
#include "text/charsmap.h"
#include "text/nform.h"
#include "text/regex.h"

#include <utf8proc.h>

void px_norm_put(px_norm_text *t, const char *bytes, size_t n, uint32_t end)
{
    if (t->failed || !px_buf_put(&t->text, bytes, n)) {
        t->failed = true;
        return;
    }
    if (!t->want_ends)
        return;
    if (t->text.len > t->cap) {
        uint32_t *ends = px_realloc(t->ends, t->text.cap, sizeof *ends);
        if (!ends) {
            t->failed = true;
            return;
        }
        t->ends = ends;
        t->cap = t->text.cap;
    }
    size_t from = t->text.len - n;
    if (from > 0 && t->ends[from - 1] > end) // marks may have changed places
        end = t->ends[from - 1];
    for (size_t i = from; i < t->text.len; i++)
        t->ends[i] = end;
}

void px_norm_put_piece(px_norm_text *t, const px_piece *piece)
{
    if (!t->want_ends) {
        px_norm_put(t, piece->text, piece->n, 0);
        return;
    }
    for (size_t i = 0; i < piece->n; i++)
        px_norm_put(t, piece->text + i, 1, px_piece_end(piece, i + 1));
}

void px_norm_reset(px_norm_text *t, bool want_ends)
{
    px_buf_reset(&t->text);
    t->text.limit = PX_MAX_NORMAL_BYTES;
    t->want_ends = want_ends;
    t->failed = false;
}

pith_status px_norm_status(const px_norm_text *t, pith_error *err)
{
    pith_status st = px_buf_status(&t->text, "normalised text", err);
    return st == PITH_OK && t->failed ? px_fail_memory(err, "normalised text") : st;
}

void px_norm_clear(px_norm_text *t)
{
    px_buf_clear(&t->text);
    px_free(t->ends);
    *t = (px_norm_text){0};
}

px_piece px_norm_piece(const px_norm_text *t, uint32_t base)
{
    return (px_piece){.text = t->text.data ? t->text.data : "",
                      .n = t->text.len,
                      .ends = t->want_ends ? t->ends : NULL,
                      .base = base};
}

/* ---- steps */

#define MAX_NORMS 32

struct px_normalizer {
    const px_norm_step *steps;
    int32_t n;
    px_regex *regex[MAX_NORMS];      // REPLACE with a regex
    px_charsmap charsmap[MAX_NORMS]; // CHARSMAP
};

/* The character at byte i and where it ends. */
static inline uint32_t char_at(const px_piece *in, size_t i, size_t *end)
{
    uint32_t code = 0xfffd;
    int bytes = px_utf8_get(in->text + i, in->n - i, &code);
    *end = i + (size_t)(bytes ? bytes : 1);
    return code;
}

static void put_char(px_norm_text *out, uint32_t code, uint32_t end)
{
    char text[4];
    int n = px_utf8_put(code, text);
    px_norm_put(out, text, (size_t)n, end);
}

static void lowercase(const px_piece *in, px_norm_text *out)
{
    for (size_t i = 0, end; i < in->n; i = end) {
        uint32_t code = char_at(in, i, &end), at = px_piece_end(in, end);
        if (code == 0x130) { // the one character whose small form is two
            put_char(out, 'i', at);
            put_char(out, 0x307, at);
        } else {
            put_char(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code), at);
        }
    }
}

static void drop_chars(const px_piece *in, bool (*drop)(uint32_t), px_norm_text *out)
{
    for (size_t i = 0, end; i < in->n; i = end) {
        uint32_t code = char_at(in, i, &end);
        if (!drop(code))
            px_norm_put(out, in->text + i, end - i, px_piece_end(in, end));
    }
}

/* BERT's cleaning: control characters go, white space becomes a space. */
static void clean(const px_piece *in, px_norm_text *out)
{
    for (size_t i = 0, end; i < in->n; i = end) {
        uint32_t code = char_at(in, i, &end);
        if (code == 0 || code == 0xfffd || px_is_other(code))
            continue;
        if (px_is_white(code))
            px_norm_put(out, " ", 1, px_piece_end(in, end));
        else
            px_norm_put(out, in->text + i, end - i, px_piece_end(in, end));
    }
}

static void space_cjk(const px_piece *in, px_norm_text *out)
{
    for (size_t i = 0, end; i < in->n; i = end) {
        uint32_t code = char_at(in, i, &end), at = px_piece_end(in, end);
        bool cjk = px_is_cjk(code);
        if (cjk)
            px_norm_put(out, " ", 1, px_piece_end(in, i));
        px_norm_put(out, in->text + i, end - i, at);
        if (cjk)
            px_norm_put(out, " ", 1, at);
    }
}

static void strip(const px_piece *in, int32_t sides, px_norm_text *out)
{
    size_t from = 0, to = in->n, end, start;
    while ((sides & 1) && from < to && px_is_white(char_at(in, from, &end)))
        from = end;
    while ((sides & 2) && to > from && px_is_white(px_char_before(in->text, to, &start)))
        to = start;
    px_piece kept = px_piece_part(in, from, to);
    px_norm_put_piece(out, &kept);
}

static void squeeze(const px_piece *in, px_norm_text *out)
{
    bool pending = false;
    for (size_t i = 0; i < in->n; i++) {
        if (in->text[i] == ' ') {
            pending = out->text.len > 0;
            continue;
        }
        if (pending)
            px_norm_put(out, " ", 1, px_piece_end(in, i));
        pending = false;
        px_norm_put(out, in->text + i, 1, px_piece_end(in, i + 1));
    }
}

static void map_chars(const px_piece *in, const px_charsmap *map, px_norm_text *out)
{
    for (size_t i = 0; i < in->n;) {
        px_str text;
        size_t n = px_charsmap_find(map, in->text + i, in->n - i, &text), end;
        if (n > 0) {
            px_norm_put(out, text.data, text.len, px_piece_end(in, i + n));
            i += n;
        } else {
            char_at(in, i, &end);
            px_norm_put(out, in->text + i, end - i, px_piece_end(in, end));
            i = end;
        }
    }
}

static void replace_text(const px_piece *in, px_str what, px_str with, px_norm_text *out)
{
    size_t at = 0;
    while (at < in->n) {
        const char *hit = what.len ? memmem(in->text + at, in->n - at, what.data, what.len) : NULL;
        size_t start = hit ? (size_t)(hit - in->text) : in->n;
        px_piece kept = px_piece_part(in, at, start);
        px_norm_put_piece(out, &kept);
        if (hit)
            px_norm_put(out, with.data, with.len, px_piece_end(in, start + what.len));
        at = hit ? start + what.len : in->n;
    }
}

static pith_status replace_regex(const px_piece *in, const px_regex *re, px_regex_work *work,
                                 px_str with, px_norm_text *out, pith_error *err)
{
    pith_status st = PITH_OK;
    size_t at = 0, from = 0;
    while (from <= in->n) {
        bool found;
        size_t start, end;
        st = px_regex_find(re, work, in->text, in->n, from, &found, &start, &end, err);
        if (st != PITH_OK || !found)
            break;
        px_piece kept = px_piece_part(in, at, start);
        px_norm_put_piece(out, &kept);
        px_norm_put(out, with.data, with.len, px_piece_end(in, end));
        at = from = end;
        if (start == end)
            do
                from++;
            while (from < in->n && ((uint8_t)in->text[from] & 0xc0) == 0x80);
    }
    if (at < in->n) {
        px_piece kept = px_piece_part(in, at, in->n);
        px_norm_put_piece(out, &kept);
    }
    return st;
}

/* Where the steps stand: the text of work that the next one writes. */
typedef struct turns {
    px_norm_work *work;
    int next;
    bool want_ends;
    uint32_t base;
} turns;

static px_norm_text *begin(turns *t)
{
    px_norm_reset(&t->work->texts[t->next], t->want_ends);
    return &t->work->texts[t->next];
}

/* What was written is the piece from now on. */
static pith_status finish(turns *t, px_piece *piece, pith_error *err)
{
    px_norm_text *text = &t->work->texts[t->next];
    *piece = px_norm_piece(text, t->base);
    t->next ^= 1;
    return px_norm_status(text, err);
}

static pith_status bert(turns *t, int32_t flags, px_piece *piece, pith_error *err)
{
    pith_status st = PITH_OK;
    if (flags & PX_BERT_CLEAN) {
        clean(piece, begin(t));
        st = finish(t, piece, err);
    }
    if (st == PITH_OK && (flags & PX_BERT_CJK)) {
        space_cjk(piece, begin(t));
        st = finish(t, piece, err);
    }
    if (st == PITH_OK && (flags & PX_BERT_STRIP_ACCENTS)) {
        st = px_nform(piece, false, false, begin(t), err);
        if (st == PITH_OK)
            st = finish(t, piece, err);
        if (st == PITH_OK) {
            drop_chars(piece, px_is_nonspacing, begin(t));
            st = finish(t, piece, err);
        }
    }
    if (st == PITH_OK && (flags & PX_BERT_LOWERCASE)) {
        lowercase(piece, begin(t));
        st = finish(t, piece, err);
    }
    return st;
}

static pith_status run_step(const px_normalizer *normalizer, int32_t i, turns *t, px_piece *piece,
                            pith_error *err)
{
    const px_norm_step *step = &normalizer->steps[i];
    pith_status st = PITH_OK;
    if (step->op == PX_NORM_BERT)
        return bert(t, step->flag, piece, err);
    px_norm_text *out = begin(t);
    switch (step->op) {
    case PX_NORM_NFC:
    case PX_NORM_NFD:
    case PX_NORM_NFKC:
    case PX_NORM_NFKD:
        st = px_nform(piece, step->op == PX_NORM_NFKC || step->op == PX_NORM_NFKD,
                      step->op == PX_NORM_NFC || step->op == PX_NORM_NFKC, out, err);
        break;
    case PX_NORM_LOWERCASE:
        lowercase(piece, out);
        break;
    case PX_NORM_STRIP_ACCENTS:
        drop_chars(piece, px_is_mark, out);
        break;
    case PX_NORM_REPLACE:
        if (step->flag)
            st = replace_regex(piece, normalizer->regex[i], &t->work->regex, step->b, out, err);
        else
            replace_text(piece, step->a, step->b, out);
        break;
    case PX_NORM_PREPEND:
        if (piece->n > 0)
            px_norm_put(out, step->a.data, step->a.len, piece->base);
        px_norm_put_piece(out, piece);
        break;
    case PX_NORM_STRIP:
        strip(piece, step->flag, out);
        break;
    case PX_NORM_CHARSMAP:
        map_chars(piece, &normalizer->charsmap[i], out);
        break;
    case PX_NORM_SQUEEZE:
        squeeze(piece, out);
        break;
    case PX_NORM_BERT:
        break;
    }
    return st == PITH_OK ? finish(t, piece, err) : st;
}

pith_status px_normalize(const px_normalizer *normalizer, px_norm_work *work, const px_piece *in,
                         bool want_ends, px_piece *out, pith_error *err)
{
    turns t = {.work = work, .want_ends = want_ends, .base = in->base};
    pith_status st = PITH_OK;
    *out = *in;
    for (int32_t i = 0; i < normalizer->n && st == PITH_OK; i++)
        st = run_step(normalizer, i, &t, out, err);
    return st;
}

void px_norm_work_clear(px_norm_work *work)
{
    px_norm_clear(&work->texts[0]);
    px_norm_clear(&work->texts[1]);
    px_regex_work_clear(&work->regex);
}

/* ---- building */

static pith_status prepare(px_normalizer *normalizer, int32_t i, pith_error *err)
{
    const px_norm_step *step = &normalizer->steps[i];
    if (step->op > PX_NORM_SQUEEZE)
        return px_fail(err, PITH_E_ARGUMENT, "there is no normalising step %d", (int)step->op);
    if (step->op == PX_NORM_REPLACE && step->flag)
        return px_regex_new(step->a, &normalizer->regex[i], err);
    if (step->op == PX_NORM_CHARSMAP)
        return px_charsmap_open(step->a, &normalizer->charsmap[i], err);
    return PITH_OK;
}

pith_status px_normalizer_new(const px_norm_step *steps, int32_t n, px_normalizer **out,
                              pith_error *err)
{
    *out = NULL;
    if (n == 0)
        return PITH_OK;
    if (n > MAX_NORMS)
        return px_fail(err, PITH_E_LIMIT, "%d normalising steps; at most %d are supported", (int)n,
                       MAX_NORMS);
    px_normalizer *normalizer = px_calloc(1, sizeof *normalizer);
    if (!normalizer)
        return px_fail_memory(err, "a normalizer");
    normalizer->steps = steps;
    normalizer->n = n;
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < n && st == PITH_OK; i++)
        st = prepare(normalizer, i, err);
    if (st == PITH_OK)
        *out = normalizer;
    else
        px_normalizer_free(normalizer);
    return st;
}

void px_normalizer_free(px_normalizer *normalizer)
{
    if (!normalizer)
        return;
    for (int32_t i = 0; i < normalizer->n; i++)
        px_regex_free(normalizer->regex[i]);
    px_free(normalizer);
}
