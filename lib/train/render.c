/* render: see render.h. */
#include "train/render.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/reply_messages.h"

/* Bytes of a text that are learned. */
typedef struct range {
    size_t start, end;
} range;

/* One rendered text with its marks, before it is given out. */
typedef struct draft {
    px_chat_text text;
    uint8_t *learn; // [n]
    size_t cap;
    int n_turns, n_ends;
    bool again;
} draft;

struct px_renderer {
    const pith_model *model;
    px_render_options options;
    bool chats;
    int32_t bos, eos;
    px_render_counts counts;
    px_left_out left_out;
    pith_error why;
    int32_t length;
    draft *drafts; // of the sample at hand
    int n_drafts, cap_drafts;
    px_buf normal, json; // a conversation as the template takes it; a part of it
};

/* ---- tokens */

static bool room(draft *d)
{
    size_t n = (size_t)d->text.ids.n + 1;
    if (n <= d->cap)
        return true;
    px_free(d->learn);
    d->learn = px_calloc(n, 1);
    d->cap = d->learn ? n : 0;
    return d->learn != NULL;
}

/* Marks the tokens from the first to the last that holds bytes of the range. Says whether one of
 * them ends an answer. */
static bool mark(const px_renderer *r, draft *d, range at)
{
    const px_ids *ids = &d->text.ids;
    int64_t first = 1, end = ids->n;
    bool ended = false;
    while (first < ids->n && ids->ends[first] <= at.start)
        first++;
    while (end > first && ids->ends[end - 2] >= at.end)
        end--;
    for (int64_t t = first; t < end; t++) {
        d->learn[t] = 1;
        ended |= px_token_ends(r->model->tokenizer.tok, ids->ids[t]);
    }
    return ended;
}

static void mark_turn(const px_renderer *r, draft *d, range at)
{
    d->n_turns++;
    d->n_ends += mark(r, d, at);
}

/* A draft behind those there are; NULL when memory is out. */
static draft *add_draft(px_renderer *r)
{
    if (r->n_drafts == r->cap_drafts) {
        int cap = r->cap_drafts > 0 ? 2 * r->cap_drafts : 8;
        draft *list = px_realloc(r->drafts, (size_t)cap, sizeof *list);
        if (!list)
            return NULL;
        memset(list + r->cap_drafts, 0, (size_t)(cap - r->cap_drafts) * sizeof *list);
        r->drafts = list;
        r->cap_drafts = cap;
    }
    draft *d = &r->drafts[r->n_drafts++];
    *d = (draft){.n_turns = 0};
    return d;
}

static void clear_drafts(px_renderer *r, int from)
{
    for (int i = from; i < r->n_drafts; i++) {
        px_chat_text_clear(&r->drafts[i].text);
        px_free(r->drafts[i].learn);
    }
    r->n_drafts = from;
}

/* ---- conversations */

typedef struct turns {
    px_json messages; // of the normalised object
    px_json rest;     // the object
    int n;
    int last;         // the last that is learned, -1: none
    uint8_t *learned; // [n]: 1 an assistant's to learn, 2 it is marked in some draft
} turns;

/* The object with its first n messages; at the place of add_generation_prompt stands `ask`. */
static pith_status put_first(px_renderer *r, const turns *t, int n, bool ask, pith_error *err)
{
    px_json key, value, message;
    px_buf *out = &r->json;
    px_buf_reset(out);
    px_buf_puts(out, "{\"messages\":[");
    px_json_walk walk = px_json_each(t->messages);
    for (int i = 0; i < n && px_json_next(&walk, NULL, &message); i++) {
        px_buf_puts(out, i > 0 ? "," : "");
        px_buf_put(out, message.at, (size_t)(message.end - message.at));
    }
    px_buf_puts(out, "]");
    walk = px_json_each(t->rest);
    while (px_json_next(&walk, &key, &value)) {
        if (px_json_is(key, px_str_of("messages")) ||
            px_json_is(key, px_str_of("add_generation_prompt")))
            continue;
        px_buf_putc(out, ',');
        px_buf_put(out, key.at, (size_t)(key.end - key.at));
        px_buf_putc(out, ':');
        px_buf_put(out, value.at, (size_t)(value.end - value.at));
    }
    px_buf_printf(out, ",\"add_generation_prompt\":%s}", ask ? "true" : "false");
    return px_buf_status(out, "a part of a conversation", err);
}

/* The template's text alone of the first n messages. */
static pith_status print_first(px_renderer *r, const turns *t, int n, bool ask, px_rendered *out,
                               pith_error *err)
{
    px_buf variables = {0};
    *out = (px_rendered){.n_spans = 0};
    pith_status st = put_first(r, t, n, ask, err);
    if (st == PITH_OK)
        st = px_template_variables(r->model, r->json.data, r->json.len, &variables, err);
    if (st == PITH_OK)
        st = px_template_render(r->model->template.t, variables.data, variables.len, r->options.now,
                                out, err);
    px_buf_clear(&variables);
    return st;
}

/* Where the last text of message i ends, or 0; *start: where its first begins. */
static size_t span_of(const px_rendered *r, int i, size_t *start)
{
    size_t end = 0;
    *start = SIZE_MAX;
    for (size_t s = 0; s < r->n_spans; s++)
        if (r->spans[s].kind == PX_SPAN_MESSAGE && (i < 0 || r->spans[s].index == i)) {
            end = r->spans[s].end > end ? r->spans[s].end : end;
            *start = r->spans[s].start < *start ? r->spans[s].start : *start;
        }
    return end;
}

static size_t common(const char *a, size_t n, const char *b, size_t m)
{
    size_t i = 0, most = n < m ? n : m;
    while (i < most && a[i] == b[i])
        i++;
    while (i > 0 && i < most && ((unsigned char)a[i] & 0xc0) == 0x80)
        i--; // not inside a character
    return i;
}

/* How many bytes at the beginning of a turn's text are its header: as far as it agrees with what
 * the template prints to ask for the turn. Where they part, the content may by chance begin like
 * the rest of the header: where it stands, the header ends. */
static size_t header_bytes(const char *text, size_t n, const char *ask, size_t n_ask,
                           px_str content)
{
    size_t h = common(text, n, ask, n_ask);
    if (h == n_ask || h == 0)
        return h;
    while (content.len > 0 && strchr(" \t\r\n", content.data[0])) {
        content.data++;
        content.len--;
    }
    for (size_t q = h; content.len > 0 && q > 0 && q + 64 > h; q--)
        if (n - q >= content.len && memcmp(text + q, content.data, content.len) == 0)
            return q;
    return h;
}

static px_json message_at(const turns *t, int i)
{
    px_json message = {0};
    px_json_walk walk = px_json_each(t->messages);
    for (int k = 0; k <= i && px_json_next(&walk, NULL, &message); k++)
        continue;
    return message;
}

/* What the template prints to ask for turn i, behind what stands before it. A template that takes
 * no conversation of so few turns (none at all, where an answer comes first) is asked behind the
 * whole one, of which the part behind the last turn is the same; *before is 0 then. */
static pith_status print_ask(px_renderer *r, const turns *t, int i, px_rendered *ask,
                             size_t *before, pith_error *err)
{
    size_t start;
    pith_error why = {0};
    pith_status st = print_first(r, t, i, true, ask, &why);
    if (st == PITH_E_MEMORY)
        return px_fail(err, st, "%s", why.text);
    if (st == PITH_OK) {
        *before = span_of(ask, -1, &start);
        return PITH_OK;
    }
    st = print_first(r, t, t->n, true, ask, err);
    if (st != PITH_OK)
        return st;
    size_t end = span_of(ask, -1, &start);
    memmove(ask->text.data, ask->text.data + end, ask->text.len - end);
    ask->text.len -= end;
    *before = 0;
    return PITH_OK;
}

/* Of a text, the bytes of turn i that are learned: from where the asking for it ends to its own
 * end. false when the asking shows what stands before it otherwise than the text does. */
static pith_status find_range(px_renderer *r, const turns *t, const px_rendered *text, int i,
                              range *out, bool *agrees, pith_error *err)
{
    px_rendered ask;
    size_t start, end, before = 0;
    pith_status st = print_ask(r, t, i, &ask, &before, err);
    if (st != PITH_OK)
        return st;
    end = span_of(text, i, &start);
    if (end == 0) { // no loop prints it: what the asking and the text share is not learned
        start = common(text->text.data, text->text.len, ask.text.data, ask.text.len);
        *agrees = start == ask.text.len;
        *out = (range){start, text->text.len};
    } else {
        px_buf content = {0};
        px_json_get_string(px_json_find(message_at(t, i), "content"), &content);
        *agrees = start >= before && text->text.len >= before &&
                  memcmp(text->text.data, ask.text.data, before) == 0;
        size_t h =
            header_bytes(text->text.data + start, end - start, ask.text.data + before,
                         ask.text.len - before, (px_str){.data = content.data, .len = content.len});
        *out = (range){start + h, end};
        px_buf_clear(&content);
    }
    px_rendered_clear(&ask);
    return PITH_OK;
}

/* Whether turn i, when the conversation ends there, is written as it stands in the text. */
static pith_status same_when_last(px_renderer *r, const turns *t, const px_rendered *text, int i,
                                  bool *same, pith_error *err)
{
    px_rendered alone;
    size_t start, from;
    pith_error why = {0};
    pith_status st = print_first(r, t, i + 1, false, &alone, &why);
    *same = true; // what the template does not take as an end is never one
    if (st == PITH_E_MEMORY)
        return px_fail(err, st, "%s", why.text);
    if (st != PITH_OK)
        return PITH_OK;
    size_t end = span_of(&alone, i, &from), there = span_of(text, i, &start);
    *same =
        end == there && text->text.len >= end && memcmp(alone.text.data, text->text.data, end) == 0;
    px_rendered_clear(&alone);
    return PITH_OK;
}

static bool has_generation(const px_rendered *r)
{
    for (size_t s = 0; s < r->n_spans; s++)
        if (r->spans[s].kind == PX_SPAN_GENERATION)
            return true;
    return false;
}

/* The template's own marks of the turns that are learned. */
static void mark_generations(px_renderer *r, const turns *t, draft *d, int last)
{
    const px_rendered *text = &d->text.rendered;
    for (size_t s = 0; s < text->n_spans; s++) {
        px_span span = text->spans[s];
        int i = span.index >= 0 ? span.index : last;
        if (span.kind != PX_SPAN_GENERATION || i < 0 || i >= t->n || !t->learned[i])
            continue;
        if (t->learned[i] == 1)
            mark_turn(r, d, (range){span.start, span.end});
        else if (mark(r, d, (range){span.start, span.end}) && d->n_ends < d->n_turns)
            d->n_ends++;
        t->learned[i] = 2;
    }
}

/* A token behind the last turn that ends it, where the template prints that outside its loop. */
static void mark_tail(const px_renderer *r, draft *d, size_t end)
{
    const px_ids *ids = &d->text.ids;
    for (int64_t k = 1; k < ids->n; k++)
        if (ids->ends[k - 1] >= end) {
            if (px_token_ends(r->model->tokenizer.tok, ids->ids[k])) {
                d->learn[k] = 1;
                d->n_ends += d->n_ends < d->n_turns;
            }
            return;
        }
}

/* Renders the conversation up to turn `last` and marks what of it the model would see and write so
 * at each turn that is not marked yet. */
static pith_status draft_to(px_renderer *r, const turns *t, int last, pith_error *err)
{
    draft *d = add_draft(r);
    if (!d)
        return px_fail_memory(err, "a conversation's rendering");
    bool whole = last == t->n - 1;
    pith_status st = put_first(r, t, whole ? t->n : last + 1, false, err);
    if (st == PITH_OK)
        st = px_chat_render(r->model, r->json.data, r->json.len, r->options.now, &d->text, err);
    if (st == PITH_OK && !room(d))
        st = px_fail_memory(err, "a conversation's marks");
    if (st != PITH_OK)
        return st;
    if (has_generation(&d->text.rendered)) {
        mark_generations(r, t, d, last);
        t->learned[last] = 2; // or nothing of it is marked in any rendering
        return PITH_OK;
    }
    for (int i = last; st == PITH_OK && i >= 0; i--) {
        range at = {0, 0};
        bool agrees = true, same = true;
        if (t->learned[i] != 1)
            continue;
        st = find_range(r, t, &d->text.rendered, i, &at, &agrees, err);
        if (st == PITH_OK && i < last)
            st = same_when_last(r, t, &d->text.rendered, i, &same, err);
        if (st != PITH_OK || (i < last && !(agrees && same)))
            continue;
        mark_turn(r, d, at);
        if (i == t->n - 1 || i == last)
            mark_tail(r, d, at.end);
        t->learned[i] = 2;
    }
    return st;
}

static pith_status read_turns(const px_renderer *r, turns *t, pith_error *err)
{
    px_json message;
    pith_status st = px_json_check("messages", r->normal.data, r->normal.len, &t->rest, err);
    if (st != PITH_OK)
        return st;
    t->messages = px_json_find(t->rest, "messages");
    t->n = (int)px_json_count(t->messages);
    t->last = -1;
    t->learned = px_calloc((size_t)t->n + 1, 1);
    if (!t->learned)
        return px_fail_memory(err, "the turns of a conversation");
    px_json_walk walk = px_json_each(t->messages);
    for (int i = 0; px_json_next(&walk, NULL, &message); i++)
        if (px_json_is(px_json_find(message, "role"), px_str_of("assistant")) &&
            !px_message_unlearned(message)) {
            t->learned[i] = 1;
            t->last = i;
        }
    return PITH_OK;
}

/* All drafts of a conversation. */
static pith_status draft_chat(px_renderer *r, px_str chat, pith_error *err)
{
    turns t = {.n = 0};
    int first = r->n_drafts;
    px_buf_reset(&r->normal);
    pith_status st = px_messages_normalize(&r->model->reply, chat.data, chat.len, &r->normal, err);
    if (st == PITH_OK)
        st = read_turns(r, &t, err);
    if (st == PITH_OK && t.last >= 0)
        st = draft_to(r, &t, t.last, err);
    for (int i = t.last - 1; st == PITH_OK && i >= 0; i--)
        if (t.learned[i] == 1) {
            st = draft_to(r, &t, i, err);
            if (st == PITH_OK)
                r->drafts[r->n_drafts - 1].again = true;
        }
    /* In the order of the conversation. */
    for (int a = first, b = r->n_drafts - 1; a < b; a++, b--) {
        draft d = r->drafts[a];
        r->drafts[a] = r->drafts[b];
        r->drafts[b] = d;
    }
    px_free(t.learned);
    return st;
}

/* ---- plain text */

/* Text, and what of it is learned; the token that ends texts behind it. */
static pith_status draft_plain(px_renderer *r, px_str a, px_str b, bool begins, bool ends,
                               pith_error *err)
{
    draft *d = add_draft(r);
    if (!d)
        return px_fail_memory(err, "a text");
    px_buf *text = &d->text.rendered.text;
    px_ids *ids = &d->text.ids;
    ids->want_ends = true;
    px_buf_put(text, a.data ? a.data : "", a.len);
    px_buf_put(text, b.data ? b.data : "", b.len);
    pith_status st = px_buf_status(text, "a text", err);
    if (st == PITH_OK)
        st = px_tokenize(r->model->tokenizer.tok, text->data ? text->data : "", text->len,
                         PX_TOK_BOS_EOS | (r->options.special ? PX_TOK_SPECIAL : 0), ids, err);
    bool adds_bos = ids->n > 0 && r->bos >= 0 && ids->ids[0] == r->bos && ids->ends[0] == 0;
    bool double_bos = adds_bos && ids->n > 1 && ids->ids[1] == r->bos;
    if (st == PITH_OK && adds_bos && (double_bos || !begins)) {
        memmove(ids->ids, ids->ids + 1, (size_t)(ids->n - 1) * sizeof *ids->ids);
        memmove(ids->ends, ids->ends + 1, (size_t)(ids->n - 1) * sizeof *ids->ends);
        ids->n--;
    }
    if (st == PITH_OK && r->eos >= 0) {
        bool ended = ids->n > 0 && ids->ids[ids->n - 1] == r->eos;
        if (ends && !ended && !px_ids_put(ids, r->eos, (uint32_t)text->len))
            st = px_fail_memory(err, "a text's tokens");
        if (!ends && ended)
            ids->n--;
    }
    if (st == PITH_OK && !room(d))
        st = px_fail_memory(err, "a text's marks");
    if (st != PITH_OK)
        return st;
    mark_turn(r, d, (range){a.len, text->len});
    if (a.len == 0)
        memset(d->learn + 1, 1, (size_t)ids->n); // what has no bytes too: a prefix of the tokenizer
    d->learn[0] = 0;
    if (ends && ids->n > 1 && ids->ids[ids->n - 1] == r->eos && r->eos >= 0) {
        d->learn[ids->n - 1] = 1;
        d->n_ends = 1;
    }
    return PITH_OK;
}

/* ---- giving out */

typedef struct taker {
    px_rendering_fn fn;
    void *user;
    const px_sample *sample;
    bool rejected;
} taker;

static pith_status give_part(px_renderer *r, const draft *d, int64_t from, int64_t n,
                             const taker *to, pith_error *err)
{
    px_rendering out = {.sample = to->sample,
                        .rejected = to->rejected,
                        .text = d->text.rendered.text.data ? d->text.rendered.text.data : "",
                        .len = d->text.rendered.text.len,
                        .ends = d->text.ids.ends + from};
    out.example = (px_example){.ids = d->text.ids.ids + from,
                               .learn = d->learn + from,
                               .n = (int32_t)n,
                               .line = to->sample->line,
                               .good = to->sample->good};
    uint8_t first = d->learn[from];
    d->learn[from] = 0;
    for (int64_t t = 0; t < n; t++)
        out.example.n_learn += d->learn[from + t];
    pith_status st = PITH_OK;
    if (out.example.n_learn > 0) {
        r->counts.n_examples++;
        r->counts.n_again += d->again;
        r->counts.n_tokens += n;
        r->counts.n_learn += out.example.n_learn;
        r->counts.n_double +=
            n > 1 && r->bos >= 0 && out.example.ids[0] == r->bos && out.example.ids[1] == r->bos;
        st = to->fn(to->user, &out, err);
    }
    d->learn[from] = first;
    return st;
}

/* A text's pieces: each but the first begins with the last token of the one before, so that each
 * token is learned once, with something before it. */
static pith_status give_pieces(px_renderer *r, const draft *d, const taker *to, pith_error *err)
{
    int64_t most = r->options.most_tokens > 1 ? r->options.most_tokens : 2;
    pith_status st = PITH_OK;
    r->counts.n_cut++;
    for (int64_t from = 0; st == PITH_OK && from + 1 < d->text.ids.n; from += most - 1) {
        int64_t left = d->text.ids.n - from;
        st = give_part(r, d, from, left < most ? left : most, to, err);
    }
    return st;
}

/* What a sample would give; 0 when it may be given out. */
static px_left_out judge(px_renderer *r)
{
    int64_t learned = 0, longest = 0;
    for (int i = 0; i < r->n_drafts; i++) {
        const draft *d = &r->drafts[i];
        longest = d->text.ids.n > longest ? d->text.ids.n : longest;
        for (int64_t t = 1; t < d->text.ids.n; t++)
            learned += d->learn[t];
    }
    r->length = longest < INT32_MAX ? (int32_t)longest : INT32_MAX;
    r->counts.most = r->length > r->counts.most ? r->length : r->counts.most;
    if (learned == 0)
        return PX_LEFT_NOTHING;
    return r->options.most_tokens > 0 && longest > r->options.most_tokens ? PX_LEFT_LONG
                                                                          : PX_LEFT_NOT;
}

static bool learns_nothing(const draft *d)
{
    for (int64_t t = 1; t < d->text.ids.n; t++)
        if (d->learn[t])
            return false;
    return true;
}

static pith_status give(px_renderer *r, const px_sample *s, px_rendering_fn fn, void *user,
                        int n_chosen, pith_error *err)
{
    pith_status st = PITH_OK;
    taker to = {.fn = fn, .user = user, .sample = s};
    bool pair = s->kind == PX_DATA_PAIR;
    r->left_out = judge(r);
    if (pair && r->left_out == PX_LEFT_NOT)
        for (int i = 0; i < r->n_drafts; i++)
            if (learns_nothing(&r->drafts[i]))
                r->left_out = PX_LEFT_NOTHING;
    if (r->left_out == PX_LEFT_LONG && s->kind == PX_DATA_TEXT)
        r->left_out = PX_LEFT_NOT;
    r->counts.n_long += r->left_out == PX_LEFT_LONG;
    r->counts.n_nothing += r->left_out == PX_LEFT_NOTHING;
    if (r->left_out != PX_LEFT_NOT)
        return PITH_OK;
    for (int i = 0; st == PITH_OK && i < r->n_drafts; i++) {
        const draft *d = &r->drafts[i];
        to.rejected = pair && i >= n_chosen;
        r->counts.n_turns += d->n_turns;
        r->counts.n_ends += d->n_ends;
        int32_t most = r->options.most_tokens;
        if (s->kind == PX_DATA_TEXT && most > 0 && d->text.ids.n > most)
            st = give_pieces(r, d, &to, err);
        else
            st = give_part(r, d, 0, d->text.ids.n, &to, err);
    }
    return st;
}

/* ---- the whole */

/* A pair is one example a side: what is learned of it is its last turn alone, as the whole text
 * shows it. */
static pith_status draft_side(px_renderer *r, const px_sample *s, bool rejected, pith_error *err)
{
    int first = r->n_drafts;
    pith_status st;
    if (!s->strings || r->chats)
        st = draft_chat(r, rejected ? s->other : s->chat, err);
    else
        st = draft_plain(r, s->prompt, rejected ? s->rejected : s->completion, true, true, err);
    if (st == PITH_OK && s->kind == PX_DATA_PAIR && r->n_drafts > first + 1) {
        draft last = r->drafts[r->n_drafts - 1];
        r->drafts[r->n_drafts - 1] = r->drafts[first];
        r->drafts[first] = last;
        clear_drafts(r, first + 1);
    }
    return st;
}

pith_status px_renderer_run(px_renderer *r, const px_sample *s, px_rendering_fn fn, void *user,
                            pith_error *err)
{
    pith_status st;
    r->counts.n_samples++;
    r->left_out = PX_LEFT_NOT;
    r->length = 0;
    px_error_clear(&r->why);
    clear_drafts(r, 0);
    if (s->kind == PX_DATA_TEXT)
        st = draft_plain(r, (px_str){.data = "", .len = 0}, s->text, s->begins, s->ends, &r->why);
    else
        st = draft_side(r, s, false, &r->why);
    int n_chosen = r->n_drafts;
    if (st == PITH_OK && s->kind == PX_DATA_PAIR)
        st = draft_side(r, s, true, &r->why);
    if (st == PITH_OK) {
        st = give(r, s, fn, user, n_chosen, err);
    } else if (st == PITH_E_MEMORY) {
        px_fail(err, st, "%s", r->why.text);
    } else {
        r->left_out = PX_LEFT_REFUSED;
        r->counts.n_refused++;
        px_prefix(&r->why, "line %lld", (long long)s->line);
        st = PITH_OK;
    }
    clear_drafts(r, 0);
    return st;
}

pith_status px_renderer_new(const pith_model *model, const px_render_options *options,
                            px_renderer **out, pith_error *err)
{
    *out = NULL;
    if (!model->tokenizer.tok)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "'%s' has no tokenizer or was opened without it, and data need one",
                       model->info.path);
    px_renderer *r = px_calloc(1, sizeof *r);
    if (!r)
        return px_fail_memory(err, "a renderer of data");
    const px_vocab_def *def = px_tokenizer_def(model->tokenizer.tok);
    r->model = model;
    r->options = *options;
    r->bos = def->bos;
    r->eos = def->eos;
    bool own = model->template_name && strncmp(model->template_name, "default:", 8) != 0;
    r->chats = own && !options->plain;
    *out = r;
    return PITH_OK;
}

void px_renderer_free(px_renderer *r)
{
    if (!r)
        return;
    clear_drafts(r, 0);
    px_free(r->drafts);
    px_buf_clear(&r->normal);
    px_buf_clear(&r->json);
    px_free(r);
}

bool px_renderer_chats(const px_renderer *r)
{
    return r->chats;
}

const px_render_counts *px_renderer_counts(const px_renderer *r)
{
    return &r->counts;
}

void px_render_result_of(const px_renderer *r, pith_render_result *out)
{
    const px_render_counts *c = &r->counts;
    *out = (pith_render_result){.size = sizeof *out,
                                .n_samples = c->n_samples,
                                .n_examples = c->n_examples,
                                .n_again = c->n_again,
                                .n_cut = c->n_cut,
                                .n_long = c->n_long,
                                .n_nothing = c->n_nothing,
                                .n_refused = c->n_refused,
                                .n_tokens = c->n_tokens,
                                .n_learned = c->n_learn,
                                .n_turns = c->n_turns,
                                .n_ends = c->n_ends,
                                .n_double_bos = c->n_double,
                                .most_tokens = c->most,
                                .template_used = r->chats};
}

int32_t px_renderer_length(const px_renderer *r)
{
    return r->length;
}

px_left_out px_renderer_left_out(const px_renderer *r, const pith_error **why)
{
    *why = &r->why;
    return r->left_out;
}
