/* check: one sample. See check.h. */
#include "base/mem.h"
#include "train/check.h"

#include <ctype.h>

static px_str turn_text(const px_facts *f, const px_said *t)
{
    return (px_str){.data = f->text.data ? f->text.data + t->start : "", .len = t->end - t->start};
}

static bool is_blank(px_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isspace((unsigned char)s.data[i]))
            return false;
    return true;
}

/* A stretch of a text around a place, for people. */
static px_str around(px_str t, size_t at)
{
    size_t from = at > 12 ? at - 12 : 0, n = t.len - from < 40 ? t.len - from : 40;
    while (from < at && ((unsigned char)t.data[from] & 0xc0) == 0x80)
        from++;
    while (n > 0 && from + n < t.len && ((unsigned char)t.data[from + n] & 0xc0) == 0x80)
        n--;
    return (px_str){.data = t.data + from, .len = n};
}

/* ---- turns */

static void check_turns(px_check *c)
{
    const px_facts *f = &c->facts;
    bool answered = false, called = false;
    for (int i = 0; i < f->n; i++) {
        const px_said *t = &f->turns[i], *before = i > 0 ? &f->turns[i - 1] : NULL;
        bool blank = is_blank(turn_text(f, t)) && !t->calls;
        answered |= t->learned;
        if (t->who == PX_WHO_ASSISTANT && t->learned && blank)
            px_check_find(c, PX_FIND_EMPTY_ANSWER, "%s", "");
        if (t->who == PX_WHO_USER && blank)
            px_check_find(c, PX_FIND_EMPTY_PROMPT, "%s", "");
        if (t->who == PX_WHO_SYSTEM && before && before->who != PX_WHO_SYSTEM)
            px_check_find(c, PX_FIND_LATE_SYSTEM, "turn %d", i + 1);
        if (before && t->who == before->who &&
            (t->who == PX_WHO_USER || t->who == PX_WHO_ASSISTANT))
            px_check_find(c, PX_FIND_REPEATED_ROLE, "turns %d and %d are both the %s", i, i + 1,
                          t->who == PX_WHO_USER ? "user's" : "assistant's");
        if (t->who == PX_WHO_TOOL && !called)
            px_check_find(c, PX_FIND_LONE_RESULT, "turn %d", i + 1);
        called |= t->calls;
    }
    if (!answered)
        px_check_find(c, PX_FIND_NO_ANSWER, "%s", "");
    else if (f->n > 0 && f->turns[f->n - 1].who != PX_WHO_ASSISTANT)
        px_check_find(c, PX_FIND_LAST_TURN, "%s", "");
}

/* ---- texts */

static void check_text(px_check *c)
{
    px_str t = px_facts_str(&c->facts.text);
    size_t at = 0;
    const char *what = px_scan_encoding(t, &at);
    if (what) {
        px_str near = around(t, at);
        px_check_find(c, PX_FIND_ENCODING, "%s, near '%.*s'", what, (int)near.len, near.data);
    }
    what = px_scan_special(t, &at);
    if (what && !c->options.special)
        px_check_find(c, PX_FIND_SPECIAL, "%s", what);
    what = px_scan_personal(t, &at);
    if (what)
        px_check_find(c, PX_FIND_PII, "%s", what);
    what = px_scan_secret(t, &at);
    if (what)
        px_check_find(c, PX_FIND_SECRET, "%s", what);
}

/* ---- other rows */

/* The line of a row with the same prompt and another answer; 0: none. */
static pith_status find_other_answer(px_check *c, const px_sample *s, int64_t *line,
                                     pith_error *err)
{
    bool is_new;
    px_str prompt = px_facts_str(&c->facts.prompt);
    *line = 0;
    if ((s->kind != PX_DATA_CHAT && s->kind != PX_DATA_PROMPT) || is_blank(prompt))
        return PITH_OK;
    uint64_t key = px_facts_hash(prompt);
    for (int i = 0; i < c->facts.n; i++) // another system message asks for another answer
        if (c->facts.turns[i].who == PX_WHO_SYSTEM)
            key ^= px_mix64(px_facts_hash(turn_text(&c->facts, &c->facts.turns[i])));
    uint64_t answer = px_facts_hash(px_facts_str(&c->facts.answer));
    int64_t *first = px_map64_put(&c->prompts, key, s->line, &is_new);
    int64_t *given = first ? px_map64_put(&c->answers, key, (int64_t)answer, &is_new) : NULL;
    if (!first || !given)
        return px_fail_memory(err, "the hashes of prompts");
    if (!is_new && *given != (int64_t)answer)
        *line = *first;
    return PITH_OK;
}

static void check_overlap(px_check *c, uint64_t whole, const px_signature *sign)
{
    const int64_t *line = px_map64_find(&c->eval_seen, whole);
    int64_t near = line ? 0 : px_near_find(&c->eval_near, sign);
    if (line)
        px_check_find(c, PX_FIND_OVERLAP, "it is line %lld there", (long long)*line);
    else if (near > 0)
        px_check_find(c, PX_FIND_OVERLAP, "it is nearly line %lld there", (long long)near);
}

/* Copies, near copies and contradictions. Of rows with one prompt and two answers those are near
 * copies whose answers are most of them; where the prompt is, it says nothing of the answers. */
static pith_status check_others(px_check *c, const px_sample *s, pith_error *err)
{
    bool is_new;
    int64_t other;
    uint64_t whole = px_facts_whole(&c->facts);
    px_signature sign;
    px_signature_of(px_facts_str(&c->facts.text), &sign);
    check_overlap(c, whole, &sign);
    int64_t *first = px_map64_put(&c->seen, whole, s->line, &is_new);
    if (!first)
        return px_fail_memory(err, "the hashes of rows");
    if (!is_new) {
        px_check_find(c, PX_FIND_DUPLICATE, "it is line %lld again", (long long)*first);
        return PITH_OK;
    }
    pith_status st = find_other_answer(c, s, &other, err);
    if (st != PITH_OK)
        return st;
    int64_t near = px_near_find(&c->near, &sign);
    bool small = other > 0 && 5 * c->facts.answer.len < 2 * c->facts.text.len;
    if (near > 0 && near != s->line && !small)
        px_check_find(c, PX_FIND_NEAR, "it is nearly line %lld", (long long)near);
    else if (other > 0)
        px_check_find(c, PX_FIND_CONTRADICTION, "line %lld has the same prompt", (long long)other);
    if (near == 0 && !px_near_add(&c->near, &sign, s->line))
        return px_fail_memory(err, "the signatures of rows");
    return PITH_OK;
}

/* Counts short answers, while there are few different ones. */
static pith_status count_class(px_check *c, const px_sample *s, pith_error *err)
{
    bool is_new;
    px_str answer = px_facts_str(&c->facts.answer);
    if (c->n_classes > PX_CLASSES)
        return PITH_OK;
    if (answer.len > PX_CLASS_BYTES) {
        c->n_classes = PX_CLASSES + 1;
        return PITH_OK;
    }
    int64_t *at = px_map64_put(&c->class_of, px_facts_hash(answer), c->n_classes, &is_new);
    if (!at)
        return px_fail_memory(err, "the answers of rows");
    if (is_new) {
        if (c->n_classes++ >= PX_CLASSES)
            return PITH_OK;
        px_class *k = &c->classes[*at];
        *k = (px_class){.line = s->line};
        memcpy(k->text, answer.data, answer.len);
    }
    c->classes[*at].count++;
    return PITH_OK;
}

/* ---- forms */

static bool has_marks(px_str prompt)
{
    static const char *const marks[] = {
        "### Instruction", "### Response", "### Human", "### Assistant",
        "\nHuman:",        "\nAssistant:", "USER: "};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (memmem(prompt.data, prompt.len, marks[i], strlen(marks[i])))
            return true;
    return false;
}

static bool is_json(px_str answer)
{
    px_json value;
    size_t i = 0;
    while (i < answer.len && isspace((unsigned char)answer.data[i]))
        i++;
    return i < answer.len && (answer.data[i] == '{' || answer.data[i] == '[') &&
           px_json_check("", answer.data, answer.len, &value, NULL) == PITH_OK;
}

static void note_forms(px_check *c, const px_sample *s, px_row_fact *row)
{
    const px_facts *f = &c->facts;
    px_str prompt = px_facts_str(&f->prompt), answer = px_facts_str(&f->answer);
    int answers = 0;
    bool system = false;
    for (int i = 0; i < f->n; i++) {
        system |= f->turns[i].who == PX_WHO_SYSTEM;
        answers += f->turns[i].learned;
    }
    pith_data_stats *stats = &c->report->stats;
    stats->n_turns += f->n;
    stats->n_system += system;
    stats->n_tools += f->tools;
    stats->n_many += answers > 1;
    row->bits |= (uint8_t)((system ? PX_FORM_SYSTEM : 0) | (is_json(answer) ? PX_FORM_JSON : 0) |
                           (has_marks(prompt) ? PX_FORM_MARKS : 0) | (s->good ? PX_FORM_GOOD : 0));
    bool blank = is_blank(answer);
    if (!blank && isspace((unsigned char)answer.data[0]))
        row->bits |= PX_FORM_LEADING;
    if (!blank && isspace((unsigned char)answer.data[answer.len - 1]))
        row->bits |= PX_FORM_TRAILING;
    px_language a = px_scan_language(prompt), b = px_scan_language(answer);
    if (a != PX_LANGUAGE_NONE && b != PX_LANGUAGE_NONE && a != b)
        row->bits |= PX_FORM_SWITCH;
    row->language = (uint8_t)(f->n == 0               ? px_scan_language(px_facts_str(&f->text))
                              : b != PX_LANGUAGE_NONE ? b
                                                      : a);
    uint64_t bytes = row->answer_bytes + (f->n == 0 ? f->text.len : answer.len);
    row->answer_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    row->prompt_bytes = prompt.len < UINT32_MAX ? (uint32_t)prompt.len : UINT32_MAX;
    stats->prompt_bytes += prompt.len;
    stats->answer_bytes += f->n == 0 ? f->text.len : answer.len;
}

/* ---- rendering */

static pith_status take_rendering(void *user, const px_rendering *r, pith_error *err)
{
    px_check *c = user;
    int wanted = c->options.n_previews > 0 ? c->options.n_previews : 3;
    if (c->options.n_previews >= 0 && c->report->n_previews < wanted)
        return px_report_preview(c->report, c->options.model->tokenizer.tok, r, err);
    return PITH_OK;
}

static pith_status add_length(px_check *c, int32_t n, pith_error *err)
{
    if (c->n_lengths == c->cap_lengths) {
        int64_t cap = c->cap_lengths > 0 ? 2 * c->cap_lengths : 1024;
        int32_t *lengths = px_realloc(c->lengths, (size_t)cap, sizeof *lengths);
        if (!lengths)
            return px_fail_memory(err, "the lengths of examples");
        c->lengths = lengths;
        c->cap_lengths = cap;
    }
    c->lengths[c->n_lengths++] = n;
    return PITH_OK;
}

static pith_status render(px_check *c, const px_sample *s, pith_error *err)
{
    const pith_error *why;
    px_render_counts before = *px_renderer_counts(c->renderer);
    pith_status st = px_renderer_run(c->renderer, s, take_rendering, c, err);
    if (st == PITH_OK && px_renderer_length(c->renderer) > 0)
        st = add_length(c, px_renderer_length(c->renderer), err);
    const px_render_counts *after = px_renderer_counts(c->renderer);
    px_left_out left = px_renderer_left_out(c->renderer, &why);
    int64_t tokens = after->n_tokens - before.n_tokens, learned = after->n_learn - before.n_learn;
    if (left == PX_LEFT_REFUSED)
        px_check_find(c, PX_FIND_REFUSED, "%s", why->text);
    if (left == PX_LEFT_LONG)
        px_check_find(c, PX_FIND_TOO_LONG, "it has over %d tokens", c->report->stats.limit);
    if (left == PX_LEFT_NOTHING && !c->row_found[PX_FIND_NO_ANSWER])
        px_check_find(c, PX_FIND_NOTHING, "%s", "");
    if (after->n_cut > before.n_cut)
        px_check_find(c, PX_FIND_CUT, "%s", "");
    if (after->n_again > before.n_again)
        px_check_find(c, PX_FIND_AGAIN, "%s", "");
    if (after->n_double > before.n_double)
        px_check_find(c, PX_FIND_DOUBLE_BOS, "%s", "");
    if (s->kind != PX_DATA_TEXT && after->n_turns - before.n_turns > after->n_ends - before.n_ends)
        px_check_find(c, PX_FIND_NO_END, "%s", "");
    if (left == PX_LEFT_NOT && tokens >= 200 && learned * 50 < tokens)
        px_check_find(c, PX_FIND_LITTLE, "%lld of %lld tokens", (long long)learned,
                      (long long)tokens);
    if (s->kind != PX_DATA_TEXT && s->strings && !px_renderer_chats(c->renderer) &&
        s->prompt.len > 0 && s->completion.len > 0 &&
        !isspace((unsigned char)s->prompt.data[s->prompt.len - 1]) &&
        !isspace((unsigned char)s->completion.data[0]))
        px_check_find(c, PX_FIND_GLUED, "%s", "");
    return st;
}

/* ---- the whole */

pith_status px_check_sample(px_check *c, const px_sample *s, pith_error *err)
{
    px_row_fact *row = &c->rows[c->n - 1];
    pith_status st = px_facts_read(&c->facts, s, err);
    if (st != PITH_OK)
        return st;
    px_str prompt = px_facts_str(&c->facts.prompt), answer = px_facts_str(&c->facts.answer);
    if (s->kind != PX_DATA_TEXT)
        check_turns(c);
    else if (is_blank(px_facts_str(&c->facts.text)))
        px_check_find(c, PX_FIND_EMPTY_ANSWER, "%s", "");
    check_text(c);
    uint64_t a = px_facts_hash(answer);
    if (s->kind == PX_DATA_PAIR && a == px_facts_hash(px_facts_str(&c->facts.other)))
        px_check_find(c, PX_FIND_SAME_PAIR, "%s", "");
    if (answer.len >= 20 && s->kind != PX_DATA_TEXT && a == px_facts_hash(prompt))
        px_check_find(c, PX_FIND_ECHO, "%s", "");
    note_forms(c, s, row);
    st = check_others(c, s, err);
    if (st == PITH_OK && s->kind != PX_DATA_TEXT)
        st = count_class(c, s, err);
    if (st == PITH_OK && c->renderer)
        st = render(c, s, err);
    return st;
}

pith_status px_check_eval_sample(px_check *c, const px_sample *s, pith_error *err)
{
    bool is_new;
    px_signature sign;
    pith_status st = px_facts_read(&c->facts, s, err);
    if (st != PITH_OK)
        return st;
    px_signature_of(px_facts_str(&c->facts.text), &sign);
    if (!px_map64_put(&c->eval_seen, px_facts_whole(&c->facts), s->line, &is_new) ||
        !px_near_add(&c->eval_near, &sign, s->line))
        return px_fail_memory(err, "the hashes of the evaluation set");
    return PITH_OK;
}
