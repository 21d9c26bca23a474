/*
 * reply: see reply.h. Each state has a step, which looks at what is pending and takes some of it,
 * or says that it needs more; at the end of the text nothing more can come, and "perhaps" is "no".
 * Every decision depends on the text alone, never on where it was cut.
 */
#include "text/reply.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/reply_call.h"

#include <stdio.h>

/* White space of more bytes does not wait for a marker; after so many things that looked like
 * calls and were none, no more are looked for, so that time stays linear. */
enum { MOST_SPACE = 256, MOST_BAD = 64 };

typedef enum state {
    START,     // reasoning may begin
    REASONING, // until its end
    CONTENT,
    TRY,       // at call_at stands what may begin a call
    NEXT,      // so it may, behind another
    ARGUMENTS, // of a call that was told already
    TAIL,      // what stands behind them
    BEHIND,    // a call has ended
    END        // and no other follows
} state;

struct px_reply {
    px_reply_setup o;
    state state;
    px_buf raw;     // not yet looked through for end tokens
    px_buf pending; // from `from` on
    size_t from;
    bool final;
    bool skip_space;  // of content: behind reasoning and calls
    bool has_content; // some was told
    bool no_calls;    // none are looked for any more
    int n_bad;
    size_t call_at; // TRY: white space before the marker; NEXT: before the separator
    int form;       // that is tried or read
    px_call_reader call;
    px_bracket bracket; // ARGUMENTS
    int32_t n_calls;
    char id[64];
    px_buf ids; // of calls so far, each with a zero byte
    pith_part_fn on_part;
    void *user;
    pith_status status;
};

pith_status px_reply_new(const px_reply_setup *setup, px_reply **out, pith_error *err)
{
    *out = px_calloc(1, sizeof **out);
    if (!*out)
        return px_fail_memory(err, "a reply");
    px_reply *r = *out;
    r->o = *setup;
    r->state = setup->thinking && setup->syntax->think_close.len > 0 ? REASONING : START;
    r->skip_space = r->state == REASONING;
    r->no_calls = setup->n_names == 0;
    r->call = (px_call_reader){.names = setup->names, .n_names = setup->n_names};
    return PITH_OK;
}

void px_reply_free(px_reply *r)
{
    if (!r)
        return;
    px_buf_clear(&r->raw);
    px_buf_clear(&r->pending);
    px_buf_clear(&r->ids);
    px_call_clear(&r->call);
    px_free(r);
}

/* ---- telling */

static const char *text_of(const px_reply *r)
{
    return r->pending.data ? r->pending.data + r->from : "";
}

static size_t len_of(const px_reply *r)
{
    return r->pending.len - r->from;
}

static void take(px_reply *r, size_t n)
{
    r->from += n;
}

static void tell(px_reply *r, const pith_part *part)
{
    if (r->status == PITH_OK && r->on_part && r->on_part(r->user, part) != 0)
        r->status = PITH_E_CANCELLED;
}

static void tell_text(px_reply *r, pith_part_kind kind, const char *text, size_t n)
{
    if (n == 0)
        return;
    if (kind == PITH_PART_CONTENT)
        r->has_content = true;
    int32_t call = kind == PITH_PART_ARGUMENTS ? r->n_calls - 1 : -1;
    tell(r, &(pith_part){
                .size = sizeof(pith_part), .kind = kind, .call = call, .text = text, .len = n});
}

/* Tells the first n pending bytes and takes them. */
static void pass(px_reply *r, pith_part_kind kind, size_t n)
{
    tell_text(r, kind, text_of(r), n);
    take(r, n);
}

static bool id_is_new(const px_reply *r, const char *id)
{
    for (size_t i = 0; i < r->ids.len; i += strlen(r->ids.data + i) + 1)
        if (strcmp(r->ids.data + i, id) == 0)
            return false;
    return true;
}

static uint64_t next_random(uint64_t *seed) // splitmix64
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void make_id(px_reply *r)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    int length = r->o.syntax->id_length, n = 0;
    if (length == 0) {
        memcpy(r->id, "call_", 5);
        n = 5;
        length = 29;
    }
    if (length > (int)sizeof r->id - 1)
        length = (int)sizeof r->id - 1;
    for (; n < length; n++)
        r->id[n] = letters[next_random(&r->o.seed) % (sizeof letters - 1)];
    r->id[n] = '\0';
}

/* Whether an id that a model wrote may stand: letters, digits, '_' and '-', as many as the template
 * wants. */
static bool is_id(const px_reply *r, px_str id)
{
    static const char others[] = "_-";
    int length = r->o.syntax->id_length;
    bool ok = id.len > 0 && id.len < sizeof r->id && (length == 0 || id.len == (size_t)length);
    for (size_t i = 0; ok && i < id.len; i++) {
        char c = id.data[i];
        ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             (length == 0 && (c == others[0] || c == others[1]));
    }
    return ok;
}

/* Begins a call: of the name with that index and the id that the model wrote, if it did. */
static void tell_call(px_reply *r, int name, const px_buf *id)
{
    bool written = id && is_id(r, (px_str){.data = id->data, .len = id->len});
    if (written)
        memcpy(r->id, id->data, id->len + 1);
    while (!written || !id_is_new(r, r->id)) {
        make_id(r);
        written = true;
    }
    if (!px_buf_put(&r->ids, r->id, strlen(r->id) + 1))
        r->status = PITH_E_MEMORY;
    px_str text = r->call.names[name];
    r->n_calls++;
    tell(r, &(pith_part){.size = sizeof(pith_part),
                         .kind = PITH_PART_CALL,
                         .call = r->n_calls - 1,
                         .name = text.data,
                         .id = r->id,
                         .text = "",
                         .len = 0});
}

static void tell_call_end(px_reply *r)
{
    tell(r, &(pith_part){.size = sizeof(pith_part),
                         .kind = PITH_PART_CALL_END,
                         .call = r->n_calls - 1,
                         .text = ""});
}

/* ---- reasoning */

static size_t spaces(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && px_reply_space(text[i]))
        i++;
    return i;
}

static bool step_start(px_reply *r)
{
    px_str open = r->o.syntax->think_open;
    size_t used = 0;
    px_seen seen = open.len > 0 ? px_reply_match(text_of(r), len_of(r), open, &used) : PX_SEEN_NO;
    if (seen == PX_SEEN_PART && !r->final)
        return false;
    if (seen != PX_SEEN_YES) {
        r->state = CONTENT;
    } else {
        if (r->o.keep_reasoning)
            pass(r, PITH_PART_CONTENT, used);
        else
            take(r, used);
        r->skip_space = !r->o.keep_reasoning;
        r->state = REASONING;
    }
    return true;
}

/* Where a word stands in text, or its beginning at the end of it; n: neither. */
static size_t find_word(const char *text, size_t n, px_str word, bool *whole)
{
    for (size_t i = 0; i < n; i++) {
        size_t m = n - i < word.len ? n - i : word.len;
        if (text[i] == word.data[0] && memcmp(text + i, word.data, m) == 0) {
            *whole = m == word.len;
            return i;
        }
    }
    *whole = false;
    return n;
}

/* Bytes at the end of text[0..n) that are white space, as far as that is held back. */
static size_t space_at_end(const char *text, size_t n)
{
    size_t i = n;
    while (i > 0 && n - i < MOST_SPACE && px_reply_space(text[i - 1]))
        i--;
    return n - i;
}

/* n, or less where text[0..n) ends inside a character that may yet be completed. */
static size_t whole_characters(const px_reply *r, const char *text, size_t n)
{
    return r->final || n < len_of(r) ? n : n - px_utf8_open_tail(text, n);
}

/* Drops white space while that is asked for; false: more of it may come. */
static bool skipped(px_reply *r)
{
    if (!r->skip_space)
        return true;
    take(r, spaces(text_of(r), len_of(r)));
    if (len_of(r) == 0)
        return false;
    r->skip_space = false;
    return true;
}

static bool step_reasoning(px_reply *r)
{
    if (!skipped(r))
        return false;
    bool whole, keep = r->o.keep_reasoning;
    px_str close = r->o.syntax->think_close;
    const char *text = text_of(r);
    size_t at = find_word(text, len_of(r), close, &whole);
    if (r->final && !whole)
        at = len_of(r);
    size_t n = whole_characters(r, text, at);
    if (!keep)
        n -= space_at_end(text, n);
    pass(r, keep ? PITH_PART_CONTENT : PITH_PART_REASONING, n);
    if (!whole) {
        if (r->final)
            take(r, len_of(r));
        return false;
    }
    if (keep) {
        pass(r, PITH_PART_CONTENT, close.len);
        r->has_content = false;
    } else {
        take(r, at - n + close.len);
        r->skip_space = true;
    }
    r->state = CONTENT;
    return true;
}

/* ---- content */

static bool first_only(const px_reply_form *form)
{
    return form->begin.len < 2;
}

/* Whether a form's calls may begin at text[0..n), n > 0, which is not white space. */
static px_seen begins(const px_reply *r, int f, const char *text, size_t n, bool first,
                      size_t *used)
{
    const px_reply_form *form = &r->o.syntax->forms[f];
    *used = 0;
    if (first_only(form) && (!first || r->n_calls > 0))
        return PX_SEEN_NO;
    if (form->begin.len == 0)
        return text[0] == '{' ? PX_SEEN_YES : PX_SEEN_NO;
    return px_reply_match(text, n, form->begin, used);
}

/* Where what may begin a call stands in the pending text; its length: nowhere. */
static size_t find_call(const px_reply *r)
{
    const char *text = text_of(r);
    size_t n = len_of(r), used;
    bool first = !r->has_content;
    for (size_t i = 0; i < n; i++) {
        if (px_reply_space(text[i]))
            continue;
        for (int f = 0; f < r->o.syntax->n_forms; f++) {
            px_seen seen = begins(r, f, text + i, n - i, first, &used);
            if (seen == PX_SEEN_YES || (seen == PX_SEEN_PART && !r->final))
                return i;
        }
        first = false;
    }
    return n;
}

static bool step_content(px_reply *r)
{
    if (!skipped(r) || len_of(r) == 0)
        return false;
    const char *text = text_of(r);
    if (r->no_calls) {
        pass(r, PITH_PART_CONTENT, whole_characters(r, text, len_of(r)));
        return false;
    }
    size_t at = find_call(r), n = whole_characters(r, text, at);
    if (at < len_of(r) || !r->final)
        n -= space_at_end(text, n);
    size_t found = len_of(r) - at;
    pass(r, PITH_PART_CONTENT, n);
    if (found == 0)
        return false;
    r->call_at = at - n;
    r->form = 0;
    r->call.bracket = (px_bracket){0};
    r->state = TRY;
    return true;
}

/* ---- calls */

static bool is_held(const px_reply *r)
{
    const px_reply_form *form = &r->o.syntax->forms[0];
    return r->o.held && r->form == 0 && !form->has_id && form->n_pieces > 0;
}

/* Whether text[0..n) begins as the held form of a call of some function up to its arguments: PART
 * when it may, and the function and its length when it does. */
static px_seen match_head(const px_reply *r, const char *text, size_t n, int *name, size_t *used)
{
    const px_reply_form *form = &r->o.syntax->forms[0];
    px_seen best = PX_SEEN_NO;
    for (int i = 0; i < r->call.n_names; i++) {
        size_t at = 0;
        px_seen seen = PX_SEEN_NO;
        for (int p = 0; p < form->n_pieces; p++) {
            if (form->pieces[p].hole == PX_HOLE_ARGUMENTS) {
                seen = PX_SEEN_YES;
                break;
            }
            px_str want =
                form->pieces[p].hole == PX_HOLE_NAME ? r->call.names[i] : form->pieces[p].text;
            size_t m = n - at < want.len ? n - at : want.len;
            if (memcmp(text + at, want.data, m) != 0)
                break;
            at += m;
            if (m < want.len) {
                seen = PX_SEEN_PART;
                break;
            }
        }
        if (seen == PX_SEEN_YES) {
            *name = i;
            *used = at;
            return seen;
        }
        if (seen == PX_SEEN_PART)
            best = seen;
    }
    return best;
}

/* Reads a call that begins at byte `at` of what is pending. GOOD: it was told, or its beginning,
 * and taken. */
static px_call_state read_call(px_reply *r, size_t at)
{
    const px_reply_form *form = &r->o.syntax->forms[r->form];
    const char *text = text_of(r) + at;
    size_t n = len_of(r) - at;
    if (is_held(r)) {
        size_t gap = spaces(text, n), used = 0;
        int name = 0;
        px_seen seen = match_head(r, text + gap, n - gap, &name, &used);
        if (seen == PX_SEEN_PART && !r->final)
            return PX_CALL_MORE;
        if (seen == PX_SEEN_YES && n - gap == used && !r->final)
            return PX_CALL_MORE;
        if (seen == PX_SEEN_YES && n - gap > used && text[gap + used] == '{') {
            take(r, at + gap + used);
            tell_call(r, name, NULL);
            r->bracket = (px_bracket){0};
            r->state = ARGUMENTS;
            return PX_CALL_GOOD;
        }
    }
    r->call.form = form;
    px_call_state got = px_call_read(&r->call, text, n);
    if (got == PX_CALL_MORE && r->final)
        got = PX_CALL_BAD;
    if (got == PX_CALL_GOOD) {
        tell_call(r, r->call.name, &r->call.id);
        tell_text(r, PITH_PART_ARGUMENTS, r->call.arguments.data, r->call.arguments.len);
        tell_call_end(r);
        take(r, at + r->call.used);
        r->state = BEHIND;
    }
    if (got != PX_CALL_MORE)
        r->call.bracket = (px_bracket){0};
    return got;
}

static bool step_try(px_reply *r)
{
    const char *text = text_of(r) + r->call_at;
    size_t n = len_of(r) - r->call_at;
    bool looked = false;
    for (; r->form < r->o.syntax->n_forms; r->form++) {
        size_t used;
        px_seen seen = begins(r, r->form, text, n, !r->has_content, &used);
        if (seen == PX_SEEN_PART && !r->final)
            return false;
        if (seen != PX_SEEN_YES)
            continue;
        px_call_state got = read_call(r, r->call_at + used);
        if (got == PX_CALL_MORE)
            return false;
        if (got == PX_CALL_GOOD)
            return true;
        looked = true;
    }
    r->n_bad += looked;
    if (r->n_bad >= MOST_BAD)
        r->no_calls = true;
    pass(r, PITH_PART_CONTENT, r->call_at + 1);
    r->state = CONTENT;
    return true;
}

static bool step_arguments(px_reply *r)
{
    const char *text = text_of(r);
    size_t n = len_of(r);
    bool closed = px_bracket_find(&r->bracket, text, n, false);
    size_t end = r->bracket.at;
    if (!closed)
        end -= r->final ? 0 : px_utf8_open_tail(text, end);
    pass(r, PITH_PART_ARGUMENTS, end);
    r->bracket.at -= end;
    if (closed)
        r->state = TAIL;
    if (!closed && r->final) {
        tell_call_end(r);
        r->state = CONTENT;
    }
    return closed;
}

/* The text behind the arguments in the held form. */
static px_str tail_of(const px_reply_form *form)
{
    const px_reply_piece *last = &form->pieces[form->n_pieces - 1];
    return last->hole == PX_HOLE_TEXT ? last->text : (px_str){0};
}

static bool step_tail(px_reply *r)
{
    size_t used = 0;
    px_seen seen = px_reply_match(text_of(r), len_of(r), tail_of(&r->o.syntax->forms[0]), &used);
    if (seen == PX_SEEN_PART && !r->final)
        return false;
    if (seen == PX_SEEN_YES)
        take(r, used);
    tell_call_end(r);
    r->state = BEHIND;
    return true;
}

/* What closes the calls, or content again. */
static bool step_end(px_reply *r)
{
    px_str end = px_reply_trim(r->o.syntax->forms[r->form].end);
    size_t used = 0;
    px_seen seen = px_reply_match(text_of(r), len_of(r), end, &used);
    if (seen == PX_SEEN_PART && !r->final)
        return false;
    if (seen == PX_SEEN_YES)
        take(r, used);
    r->skip_space = true;
    r->no_calls |= r->o.single_call;
    r->state = CONTENT;
    return true;
}

static bool step_behind(px_reply *r)
{
    px_str sep = px_reply_trim(r->o.syntax->forms[r->form].sep);
    size_t used = 0;
    px_seen seen = PX_SEEN_NO;
    if (sep.len > 0 && !r->o.single_call)
        seen = px_reply_match(text_of(r), len_of(r), sep, &used);
    if (seen == PX_SEEN_PART && !r->final)
        return false;
    r->call_at = used;
    r->state = seen == PX_SEEN_YES ? NEXT : END;
    return true;
}

static bool step_next(px_reply *r)
{
    px_call_state got = read_call(r, r->call_at);
    if (got == PX_CALL_BAD) {
        r->n_bad++;
        if (r->n_bad >= MOST_BAD)
            r->no_calls = true;
        r->state = END;
    }
    return got != PX_CALL_MORE;
}

static bool step(px_reply *r)
{
    switch (r->state) {
    case START:
        return step_start(r);
    case REASONING:
        return step_reasoning(r);
    case CONTENT:
        return step_content(r);
    case TRY:
        return step_try(r);
    case NEXT:
        return step_next(r);
    case ARGUMENTS:
        return step_arguments(r);
    case TAIL:
        return step_tail(r);
    case BEHIND:
        return step_behind(r);
    case END:
        break;
    }
    return step_end(r);
}

/* ---- end tokens */

/* Moves what was pushed to what is pending, without texts of end tokens; what may be the beginning
 * of one stays. */
static void filter(px_reply *r)
{
    const px_reply_syntax *s = r->o.syntax;
    size_t from = 0, at = 0;
    const char *text = r->raw.data;
    while (at < r->raw.len) {
        bool part = false;
        size_t used = 0;
        for (int e = 0; e < s->n_ends; e++) {
            px_str end = s->ends[e];
            size_t m = r->raw.len - at < end.len ? r->raw.len - at : end.len;
            if (memcmp(text + at, end.data, m) != 0)
                continue;
            part |= m < end.len;
            if (m == end.len && m > used)
                used = m;
        }
        if (part && !r->final)
            break;
        if (used == 0) {
            at++;
            continue;
        }
        px_buf_put(&r->pending, text + from, at - from);
        at += used;
        from = at;
    }
    px_buf_put(&r->pending, text + from, at - from);
    size_t left = r->raw.len - at;
    if (left > 0)
        memmove(r->raw.data, r->raw.data + at, left);
    r->raw.len = left;
}

static pith_status run(px_reply *r, pith_error *err)
{
    if (r->o.special && r->raw.len > 0)
        filter(r);
    while (r->status == PITH_OK && step(r))
        ;
    if (r->from > 0 && r->pending.data && r->from * 2 >= r->pending.len) {
        size_t left = len_of(r);
        memmove(r->pending.data, r->pending.data + r->from, left);
        r->pending.len = left;
        r->from = 0;
    }
    bool failed = r->raw.failed || r->pending.failed || r->call.failed;
    if (r->status == PITH_OK && failed)
        r->status = PITH_E_MEMORY;
    if (r->status == PITH_E_CANCELLED)
        return px_fail(err, PITH_E_CANCELLED, "reading an answer was cancelled by its callback");
    return r->status == PITH_OK ? PITH_OK : px_fail_memory(err, "an answer");
}

pith_status px_reply_push(px_reply *r, const char *text, size_t len, pith_part_fn on_part,
                          void *user, pith_error *err)
{
    r->on_part = on_part;
    r->user = user;
    if (r->status == PITH_OK && len > 0)
        px_buf_put(r->o.special ? &r->raw : &r->pending, text, len);
    return run(r, err);
}

px_str px_reply_open_end(const px_reply *r)
{
    return r->state == REASONING ? r->o.syntax->think_close : (px_str){0};
}

pith_status px_reply_finish(px_reply *r, pith_part_fn on_part, void *user, pith_error *err)
{
    r->on_part = on_part;
    r->user = user;
    if (r->final)
        return run(r, err);
    r->final = true;
    return run(r, err);
}
