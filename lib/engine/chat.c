/*
 * chat: a conversation as the model will read it, in which nobody can forge a turn.
 *
 * Control tokens that a template writes ("<|im_end|>") are read as such; the same characters inside
 * a message that the model did not write are text. Where the border between the two lies is only
 * known before rendering, so it is marked there: behind the first character of each control token's
 * text in such a message stands a guard, a character that no text may hold (a Unicode
 * noncharacter). The guards come back in the rendered text, are taken out, and their places tell
 * the tokenizer over which bytes no control token may be read.
 *
 *   message    hi <|im_end|>              <|user|>hi <.|im_end|>\n      "." a guard
 *   rendered   <|user|>hi <|im_end|>\n
 *   tokens     [<|user|>] hi  < | im _end | > \n
 *
 * A template sees the guards only in messages that hold such text. Threads: as pith_model.
 */
#include "engine/chat.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "engine/model.h"

/* Noncharacters, from which one that nobody uses is taken. */
enum { FIRST_GUARD = 0xfdd0, N_GUARDS = 32, GUARD_BYTES = 3 };

typedef struct guarding {
    px_str *controls; // texts of control tokens
    size_t n_controls;
    bool starts[256]; // bytes with which they begin
    char guard[4];
    px_buf *out;   // JSON with guards
    px_buf text;   // one string, its escapes resolved
    px_buf marked; // the same with guards
} guarding;

static bool is_control(const px_vocab_token *token)
{
    return (token->type == PX_TOKEN_CONTROL || token->type == PX_TOKEN_UNKNOWN) &&
           token->text.len > 1;
}

static pith_status list_controls(guarding *g, const px_tokenizer *tok, pith_error *err)
{
    const px_vocab_def *def = px_tokenizer_def(tok);
    size_t n = 0;
    for (int32_t id = 0; id < def->n_tokens; id++)
        n += is_control(&def->tokens[id]);
    g->controls = px_malloc(n, sizeof *g->controls);
    if (!g->controls)
        return px_fail_memory(err, "the list of control tokens");
    for (int32_t id = 0; id < def->n_tokens; id++)
        if (is_control(&def->tokens[id])) {
            px_str text = def->tokens[id].text;
            g->controls[g->n_controls++] = text;
            g->starts[(uint8_t)text.data[0]] = true;
        }
    return PITH_OK;
}

/* Whether the text of a control token stands at the beginning of text[0..n). */
static bool control_at(const guarding *g, const char *text, size_t n)
{
    if (!g->starts[(uint8_t)text[0]])
        return false;
    for (size_t i = 0; i < g->n_controls; i++) {
        px_str c = g->controls[i];
        if (c.len <= n && memcmp(c.data, text, c.len) == 0)
            return true;
    }
    return false;
}

/* A string, with guards where it needs some, else as it stands. */
static void put_string(guarding *g, px_json value)
{
    px_buf_reset(&g->text);
    px_buf_reset(&g->marked);
    px_json_get_string(value, &g->text);
    size_t n_guards = 0;
    for (size_t i = 0; i < g->text.len;) {
        uint32_t code;
        const char *at = g->text.data + i;
        int bytes = px_utf8_get(at, g->text.len - i, &code);
        size_t step = bytes > 0 ? (size_t)bytes : 1;
        px_buf_put(&g->marked, at, step);
        if (control_at(g, at, g->text.len - i)) {
            px_buf_put(&g->marked, g->guard, GUARD_BYTES);
            n_guards++;
        }
        i += step;
    }
    g->out->failed |= g->text.failed || g->marked.failed;
    if (n_guards > 0)
        px_json_put_str(g->out, g->marked.data, g->marked.len);
    else
        px_buf_put(g->out, value.at, (size_t)(value.end - value.at));
}

/* Any value, with guards in its strings; depth was bounded by px_json_check. */
static void put_guarded(guarding *g, px_json value)
{
    px_json_type type = px_json_type_of(value);
    if (type == PX_JSON_STRING) {
        put_string(g, value);
        return;
    }
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT) {
        px_buf_put(g->out, value.at, (size_t)(value.end - value.at));
        return;
    }
    px_json_walk walk = px_json_each(value);
    px_json key, member;
    const char *between = "";
    px_buf_putc(g->out, type == PX_JSON_ARRAY ? '[' : '{');
    while (px_json_next(&walk, &key, &member)) {
        px_buf_puts(g->out, between);
        between = ",";
        if (type == PX_JSON_OBJECT) {
            px_buf_put(g->out, key.at, (size_t)(key.end - key.at));
            px_buf_putc(g->out, ':');
        }
        put_guarded(g, member);
    }
    px_buf_putc(g->out, type == PX_JSON_ARRAY ? ']' : '}');
}

/* The messages: those of the model itself stay as they are. */
static void put_messages(guarding *g, px_json messages)
{
    px_json_walk walk = px_json_each(messages);
    px_json message;
    const char *between = "";
    px_buf_putc(g->out, '[');
    while (px_json_next(&walk, NULL, &message)) {
        px_buf_puts(g->out, between);
        between = ",";
        if (px_json_is(px_json_find(message, "role"), px_str_of("assistant")))
            px_buf_put(g->out, message.at, (size_t)(message.end - message.at));
        else
            put_guarded(g, message);
    }
    px_buf_putc(g->out, ']');
}

static void put_variables(guarding *g, px_json object)
{
    px_json_walk walk = px_json_each(object);
    px_json key, value;
    const char *between = "";
    px_buf_putc(g->out, '{');
    while (px_json_next(&walk, &key, &value)) {
        px_buf_puts(g->out, between);
        between = ",";
        px_buf_put(g->out, key.at, (size_t)(key.end - key.at));
        px_buf_putc(g->out, ':');
        if (px_json_is(key, px_str_of("messages")) && px_json_type_of(value) == PX_JSON_ARRAY)
            put_messages(g, value);
        else
            px_buf_put(g->out, value.at, (size_t)(value.end - value.at));
    }
    px_buf_putc(g->out, '}');
}

/* Whether text holds the character, as itself or as a JSON escape. */
static bool holds(const char *text, size_t n, uint32_t code, const char *utf8)
{
    if (memmem(text, n, utf8, GUARD_BYTES))
        return true;
    for (size_t i = 0; i + 6 <= n; i++) {
        if (text[i] != '\\' || text[i + 1] != 'u')
            continue;
        uint32_t value = 0;
        for (size_t d = i + 2; d < i + 6; d++) {
            char c = text[d];
            value = value << 4 | (uint32_t)(c <= '9' ? c & 15 : (c & 15) + 9);
        }
        if (value == code)
            return true;
    }
    return false;
}

static pith_status choose_guard(guarding *g, const pith_model *model, const char *json, size_t n,
                                pith_error *err)
{
    px_str source = px_template_source(model->template.t);
    for (uint32_t code = FIRST_GUARD; code < FIRST_GUARD + N_GUARDS; code++) {
        px_utf8_put(code, g->guard);
        if (!holds(json, n, code, g->guard) && !holds(source.data, source.len, code, g->guard))
            return PITH_OK;
    }
    return px_fail(err, PITH_E_FORMAT,
                   "the messages hold all of the noncharacters U+FDD0 to U+FDEF, which are no "
                   "text; leave them out");
}

/* The variables with guards in them. */
static pith_status guard_messages(guarding *g, const pith_model *model, const char *json,
                                  size_t json_len, px_buf *out, pith_error *err)
{
    px_buf variables = {0};
    px_json object;
    pith_status st = px_template_variables(model, json, json_len, &variables, err);
    if (st == PITH_OK)
        st = px_json_check("template variables", variables.data, variables.len, &object, err);
    if (st == PITH_OK)
        st = choose_guard(g, model, variables.data, variables.len, err);
    if (st == PITH_OK)
        st = list_controls(g, model->tokenizer.tok, err);
    if (st == PITH_OK) {
        g->out = out;
        put_variables(g, object);
        st = px_buf_status(out, "the template's variables", err);
    }
    px_free(g->controls);
    px_buf_clear(&g->text);
    px_buf_clear(&g->marked);
    px_buf_clear(&variables);
    return st;
}

/* Where guards stood in the rendered text; at the same time takes them out of it and out of the
 * spans' counts. */
static pith_status take_guards(const guarding *g, px_rendered *r, uint32_t **guards,
                               size_t *n_guards, pith_error *err)
{
    char *text = r->text.data;
    size_t n = r->text.len, count = 0, to = 0;
    for (size_t i = 0; i + GUARD_BYTES <= n; i++)
        count += memcmp(text + i, g->guard, GUARD_BYTES) == 0;
    *n_guards = 0;
    *guards = NULL;
    if (count == 0)
        return PITH_OK;
    uint32_t *places = px_malloc(count, sizeof *places);
    if (!places)
        return px_fail_memory(err, "the guards of a conversation");
    for (size_t i = 0; i < n;) {
        if (i + GUARD_BYTES <= n && memcmp(text + i, g->guard, GUARD_BYTES) == 0) {
            places[(*n_guards)++] = (uint32_t)to;
            i += GUARD_BYTES;
        } else {
            text[to++] = text[i++];
        }
    }
    r->text.len = to;
    text[to] = '\0';
    /* A byte with k guards before it has moved by 3 k: places[k] + 3 k is where guard k stood. */
    for (size_t s = 0; s < 2 * r->n_spans; s++) {
        size_t *at = s % 2 ? &r->spans[s / 2].end : &r->spans[s / 2].start;
        size_t low = 0, high = count; // guards before *at
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (places[middle] + GUARD_BYTES * middle < *at)
                low = middle + 1;
            else
                high = middle;
        }
        *at -= GUARD_BYTES * low;
    }
    *guards = places;
    return PITH_OK;
}

/* Tokens that end at or before a byte of the text. */
static size_t tokens_before(const px_ids *ids, size_t byte)
{
    size_t low = 0, high = (size_t)ids->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids->ends[middle] <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Hands everything over; what was given away is empty in *t. */
static pith_status give(px_chat_text *t, pith_chat *out, pith_error *err)
{
    const px_rendered *r = &t->rendered;
    if (r->n_spans > 0) {
        out->spans = px_malloc(r->n_spans, sizeof *out->spans);
        if (!out->spans)
            return px_fail_memory(err, "the spans of a conversation");
    }
    for (size_t i = 0; i < r->n_spans; i++)
        out->spans[i] =
            (pith_span){.kind = r->spans[i].kind == PX_SPAN_GENERATION ? PITH_SPAN_GENERATION
                                                                       : PITH_SPAN_MESSAGE,
                        .index = r->spans[i].index,
                        .start = tokens_before(&t->ids, r->spans[i].start),
                        .end = tokens_before(&t->ids, r->spans[i].end)};
    out->n_spans = r->n_spans;
    out->text.data = px_buf_take(&t->rendered.text, &out->text.len);
    if (!out->text.data)
        return px_fail_memory(err, "the text of a conversation");
    out->ids = t->ids.ids;
    out->n_ids = t->ids.n;
    t->ids.ids = NULL;
    return PITH_OK;
}

void px_chat_text_clear(px_chat_text *t)
{
    px_ids_clear(&t->ids);
    px_rendered_clear(&t->rendered);
    *t = (px_chat_text){.ids = {.ids = NULL}};
}

pith_status px_chat_render(const pith_model *model, const char *json, size_t json_len, int64_t now,
                           px_chat_text *out, pith_error *err)
{
    guarding g = {0};
    px_buf variables = {0};
    uint32_t *guards = NULL;
    size_t n_guards = 0;
    *out = (px_chat_text){.ids = {.want_ends = true}};
    if (!model->tokenizer.tok || !model->template.t)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "'%s' has no tokenizer or was opened without it, and a conversation needs "
                       "one",
                       model->info.path);
    pith_status st = guard_messages(&g, model, json, json_len, &variables, err);
    px_rendered *r = &out->rendered;
    if (st == PITH_OK)
        st = px_template_render(model->template.t, variables.data, variables.len, now, r, err);
    if (st == PITH_OK)
        st = take_guards(&g, r, &guards, &n_guards, err);
    if (st == PITH_OK)
        st = px_tokenize_guarded(model->tokenizer.tok, r->text.data ? r->text.data : "",
                                 r->text.len, PX_TOK_SPECIAL, guards, n_guards, &out->ids, err);
    px_free(guards);
    px_buf_clear(&variables);
    if (st != PITH_OK)
        px_chat_text_clear(out);
    return st;
}

pith_status pith_chat_tokenize(const pith_model *model, const char *json, size_t json_len,
                               pith_chat *out, pith_error *err)
{
    px_error_clear(err);
    if (!model || !out || (!json && json_len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_chat_tokenize: an argument is NULL");
    *out = (pith_chat){0};
    px_chat_text text;
    pith_status st = px_chat_render(model, json ? json : "", json_len, INT64_MIN, &text, err);
    if (st == PITH_OK)
        st = give(&text, out, err);
    px_chat_text_clear(&text);
    if (st != PITH_OK)
        pith_chat_free(out);
    return st;
}

void pith_chat_free(pith_chat *chat)
{
    if (!chat)
        return;
    pith_text_free(&chat->text);
    px_free(chat->ids);
    px_free(chat->spans);
    *chat = (pith_chat){0};
}
