/* cut: see cut.h. Threads: a cutter is read-only; everything else belongs to one call. */
#include "text/cut.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/chars.h"

#define MAX_CUTS 32

/* Words and white space as Rust's regex crate has them. */
#define RUST_WORD  "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define WHITESPACE "[" RUST_WORD "]+|[^" RUST_WORD "\\s]+"

struct px_cutter {
    const px_cut_step *steps;
    int32_t n;
    px_regex *regex[MAX_CUTS]; // of the steps that have one
};

typedef struct cutting {
    const px_cutter *cutter;
    px_regex_work *work;
    px_word_fn word;
    void *user;
    pith_error *err;
} cutting;

/* What one step makes of one piece: stretches come in, words go to the next step. */
typedef struct sorter {
    const cutting *c;
    int32_t step;
    const px_piece *piece;
    px_cut_behavior behavior;
    bool invert;
    size_t from, to; // a word that may still grow
    bool matches;    // its last stretch was a match
} sorter;

static pith_status cut_piece(const cutting *c, int32_t step, const px_piece *piece);

static pith_status flush(sorter *s)
{
    if (s->from == s->to)
        return PITH_OK;
    px_piece part = px_piece_part(s->piece, s->from, s->to);
    s->from = s->to;
    return cut_piece(s->c, s->step + 1, &part);
}

/* The next stretch [from, to), which touches the one before it. */
static pith_status stretch(sorter *s, size_t from, size_t to, bool matches)
{
    bool joins = false;
    if (s->invert)
        matches = !matches;
    switch (s->behavior) {
    case PX_CUT_ISOLATED:
    case PX_CUT_REMOVED:
        break;
    case PX_CUT_MERGED_PREVIOUS:
        joins = matches && !s->matches;
        break;
    case PX_CUT_MERGED_NEXT:
        joins = !matches && s->matches;
        break;
    case PX_CUT_CONTIGUOUS:
        joins = matches == s->matches;
        break;
    }
    s->matches = matches;
    if (joins) {
        s->to = to;
        return PITH_OK;
    }
    pith_status st = flush(s);
    s->from = from;
    s->to = to;
    if (s->behavior == PX_CUT_REMOVED && matches)
        s->from = to;
    return st;
}

/* ---- what each step finds */

static pith_status by_regex(sorter *s, const px_regex *re)
{
    const px_piece *p = s->piece;
    size_t at = 0, from = 0;
    while (from <= p->n) {
        bool found;
        size_t start, end;
        pith_status st =
            px_regex_find(re, s->c->work, p->text, p->n, from, &found, &start, &end, s->c->err);
        if (st != PITH_OK)
            return st;
        if (!found)
            break;
        bool empty = start == end;
        if (!empty || start > at || start == 0) { // an empty match right behind another is none
            if (start > at)
                st = stretch(s, at, start, false);
            if (st == PITH_OK)
                st = stretch(s, start, end, true);
            if (st != PITH_OK)
                return st;
            at = end;
        }
        from = end;
        if (empty) { // on by a character
            do
                from++;
            while (from < p->n && ((uint8_t)p->text[from] & 0xc0) == 0x80);
        }
    }
    return at < p->n ? stretch(s, at, p->n, false) : PITH_OK;
}

static pith_status by_literal(sorter *s, px_str what)
{
    const px_piece *p = s->piece;
    size_t at = 0;
    pith_status st = PITH_OK;
    while (st == PITH_OK && what.len > 0 && at < p->n) {
        const char *hit = memmem(p->text + at, p->n - at, what.data, what.len);
        if (!hit)
            break;
        size_t start = (size_t)(hit - p->text);
        if (start > at)
            st = stretch(s, at, start, false);
        if (st == PITH_OK)
            st = stretch(s, start, start + what.len, true);
        at = start + what.len;
    }
    return st == PITH_OK && at < p->n ? stretch(s, at, p->n, false) : st;
}

/* Each character of the class is a match of its own. */
static pith_status by_class(sorter *s, bool (*is)(uint32_t))
{
    const px_piece *p = s->piece;
    size_t at = 0;
    pith_status st = PITH_OK;
    for (size_t i = 0; st == PITH_OK && i < p->n;) {
        uint32_t code = 0;
        int bytes = px_utf8_get(p->text + i, p->n - i, &code);
        size_t end = i + (size_t)(bytes ? bytes : 1);
        if (is(code)) {
            if (i > at)
                st = stretch(s, at, i, false);
            if (st == PITH_OK)
                st = stretch(s, i, end, true);
            at = end;
        }
        i = end;
    }
    return st == PITH_OK && at < p->n ? stretch(s, at, p->n, false) : st;
}

static bool is_white_or_punctuation(uint32_t code)
{
    return px_is_white(code) || px_is_punctuation(code);
}

/* BERT: white space goes, punctuation stands alone. */
static pith_status by_bert(sorter *s)
{
    const px_piece *p = s->piece;
    size_t at = 0;
    pith_status st = PITH_OK;
    for (size_t i = 0; st == PITH_OK && i < p->n;) {
        uint32_t code = 0;
        int bytes = px_utf8_get(p->text + i, p->n - i, &code);
        size_t end = i + (size_t)(bytes ? bytes : 1);
        if (is_white_or_punctuation(code)) {
            if (i > at)
                st = stretch(s, at, i, false);
            if (st == PITH_OK && !px_is_white(code))
                st = stretch(s, i, end, false);
            at = end;
        }
        i = end;
    }
    return st == PITH_OK && at < p->n ? stretch(s, at, p->n, false) : st;
}

static pith_status cut_piece(const cutting *c, int32_t step, const px_piece *piece)
{
    if (step == c->cutter->n)
        return c->word(c->user, piece);
    const px_cut_step *how = &c->cutter->steps[step];
    sorter s = {.c = c, .step = step, .piece = piece, .behavior = PX_CUT_ISOLATED};
    pith_status st = PITH_OK;
    switch (how->op) {
    case PX_CUT_REGEX:
        s.behavior = how->behavior;
        s.invert = how->invert;
        st = by_regex(&s, c->cutter->regex[step]);
        break;
    case PX_CUT_LITERAL:
        s.behavior = how->behavior;
        s.invert = how->invert;
        st = by_literal(&s, how->pattern);
        break;
    case PX_CUT_DIGITS:
        s.behavior = how->flag ? PX_CUT_ISOLATED : PX_CUT_CONTIGUOUS;
        st = by_class(&s, px_is_numeric);
        break;
    case PX_CUT_PUNCTUATION:
        s.behavior = how->behavior;
        st = by_class(&s, px_is_punctuation);
        break;
    case PX_CUT_BERT:
        st = by_bert(&s);
        break;
    case PX_CUT_SPACE:
        s.behavior = PX_CUT_REMOVED;
        st = by_class(&s, px_is_white);
        break;
    case PX_CUT_WHITESPACE:
        s.behavior = PX_CUT_REMOVED;
        s.invert = true;
        st = by_regex(&s, c->cutter->regex[step]);
        break;
    case PX_CUT_METASPACE:
        s.behavior = PX_CUT_MERGED_NEXT;
        st = by_literal(&s, px_str_of(PX_META_SPACE));
        break;
    }
    return st == PITH_OK ? flush(&s) : st;
}

pith_status px_cut(const px_cutter *cutter, px_regex_work *work, const px_piece *piece,
                   px_word_fn word, void *user, pith_error *err)
{
    cutting c = {.cutter = cutter, .work = work, .word = word, .user = user, .err = err};
    return cut_piece(&c, 0, piece);
}

/* ---- compiling */

static pith_status compile(const px_cut_step *step, px_regex **out, pith_error *err)
{
    if (step->behavior > PX_CUT_CONTIGUOUS)
        return px_fail(err, PITH_E_ARGUMENT, "a cut has behavior %d", (int)step->behavior);
    switch (step->op) {
    case PX_CUT_REGEX:
        return px_regex_new(step->pattern, out, err);
    case PX_CUT_WHITESPACE:
        return px_regex_new(px_str_of(WHITESPACE), out, err);
    case PX_CUT_LITERAL:
    case PX_CUT_DIGITS:
    case PX_CUT_PUNCTUATION:
    case PX_CUT_BERT:
    case PX_CUT_SPACE:
    case PX_CUT_METASPACE:
        return PITH_OK;
    }
    return px_fail(err, PITH_E_ARGUMENT, "there is no cut %d", (int)step->op);
}

pith_status px_cutter_new(const px_cut_step *steps, int32_t n, px_cutter **out, pith_error *err)
{
    *out = NULL;
    if (n == 0)
        return PITH_OK;
    if (n > MAX_CUTS)
        return px_fail(err, PITH_E_LIMIT, "%d pre-tokenizer steps; at most %d are supported",
                       (int)n, MAX_CUTS);
    px_cutter *cutter = px_calloc(1, sizeof *cutter);
    if (!cutter)
        return px_fail_memory(err, "a pre-tokenizer");
    cutter->steps = steps;
    cutter->n = n;
    pith_status st = PITH_OK;
    for (int32_t i = 0; i < n && st == PITH_OK; i++)
        st = compile(&steps[i], &cutter->regex[i], err);
    if (st == PITH_OK)
        *out = cutter;
    else
        px_cutter_free(cutter);
    return st;
}

void px_cutter_free(px_cutter *cutter)
{
    if (!cutter)
        return;
    for (int32_t i = 0; i < cutter->n; i++)
        px_regex_free(cutter->regex[i]);
    px_free(cutter);
}
